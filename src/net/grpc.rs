//! What every call of gRPC has on the wire (its "PROTOCOL-HTTP2.md"): the prefix of messages, the media
//! type, and the status at the end.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, header};

use crate::escape;

/// The media type of requests; responses may add a suffix.
pub const CONTENT_TYPE: &str = "application/grpc";

/// The prefix of a message: a compression flag and the message's length.
pub const PREFIX: usize = 5;

/// The names of gRPC's own fields. A lookup by text would parse that each time.
static STATUS: HeaderName = HeaderName::from_static("grpc-status");
static MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// How the messages of a response are compressed.
pub static ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// How long a call may take.
pub static TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// As much of a status's message as is told, in characters.
const MOST_MESSAGE: usize = 300;

/// The names of the codes.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The number of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u32);

impl Code {
    /// Success.
    pub const OK: Self = Self(0);
    /// The call was cancelled.
    pub const CANCELLED: Self = Self(1);
    /// None of the others.
    pub const UNKNOWN: Self = Self(2);
    /// The deadline has passed.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// The caller may not.
    pub const PERMISSION_DENIED: Self = Self(7);
    /// Something has run out.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// There is no such method.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// One side is broken.
    pub const INTERNAL: Self = Self(13);
    /// The service is not there now.
    pub const UNAVAILABLE: Self = Self(14);
    /// The caller has not said who it is.
    pub const UNAUTHENTICATED: Self = Self(16);

    /// Its name.
    pub fn name(self) -> Cow<'static, str> {
        let known = usize::try_from(self.0).ok().and_then(|code| NAMES.get(code));
        known.map_or_else(|| Cow::from(format!("status {}", self.0)), |name| Cow::from(*name))
    }

    /// What a response of HTTP without a status means (gRPC's "http-grpc-status-mapping.md").
    pub fn of_http(status: u16) -> Self {
        match status {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }
}

/// How a call has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its code.
    pub code: Code,
    /// What the peer says about it, in one line.
    pub message: String,
}

impl Status {
    /// A status of our own.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The status in the trailers, or in the head of a response that is only trailers.
    pub fn of(trailers: &HeaderMap) -> Option<Self> {
        let code = trailers.get(&STATUS)?;
        let code = code.to_str().ok().and_then(|code| code.trim().parse().ok());
        let code = code.map_or(Code::UNKNOWN, Code);
        let message = trailers.get(&MESSAGE).map(|message| decoded(message.as_bytes()));
        let message = message.unwrap_or_default();
        let cut = message.char_indices().nth(MOST_MESSAGE).map_or(message.len(), |(at, _)| at);
        let message = escape::one_line(message.get(..cut).unwrap_or_default()).into_owned();
        Some(Self { code, message })
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.code.name();
        match self.message.as_str() {
            "" => out.write_str(&name),
            message => write!(out, "{name}: {message}"),
        }
    }
}

/// A message as `grpc-message` encodes it: percent-encoded UTF-8, in which wrong escapes stand for
/// themselves.
fn decoded(bytes: &[u8]) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = (digit(bytes.get(at + 1)), digit(bytes.get(at + 2)));
        if let (b'%', (Some(high), Some(low))) = (byte, pair) {
            out.extend(u8::try_from(high * 16 + low));
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a response is one of gRPC, whatever its messages are written in.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let rest = kind.and_then(|kind| kind.strip_prefix(CONTENT_TYPE));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

/// A message behind its prefix, uncompressed.
pub fn prefixed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(PREFIX + message.len());
    out.put_slice(&prefix(message.len()));
    out.put_slice(message);
    out.freeze()
}

/// The prefix of an uncompressed message of this length.
pub fn prefix(length: usize) -> [u8; PREFIX] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(pairs: &[(&'static str, &str)]) -> Option<String> {
        let mut trailers = HeaderMap::new();
        for (name, value) in pairs {
            trailers.insert(*name, value.parse().expect("a value"));
        }
        Status::of(&trailers).map(|status| status.to_string())
    }

    #[test]
    fn a_status_is_told_by_name_and_in_one_line() {
        let long = "x".repeat(1000);
        for (code, message, told) in [
            ("0", "", "OK"),
            ("7", "not you", "PERMISSION_DENIED: not you"),
            ("5", "a%0Ab%C3%A9 100% %zz%2", "NOT_FOUND: a\\nbé 100% %zz%2"),
            ("99", "", "status 99"),
            ("x", "", "UNKNOWN"),
            ("3", &*long, &*format!("INVALID_ARGUMENT: {}", "x".repeat(300))),
        ] {
            let found = status(&[("grpc-status", code), ("grpc-message", message)]);
            assert_eq!(found.as_deref(), Some(told), "{code} {message}");
        }
        assert_eq!(status(&[("grpc-message", "x")]), None);
    }

    #[test]
    fn a_message_is_prefixed_with_its_length() {
        assert_eq!(&*prefixed(b"abc"), b"\0\0\0\0\x03abc");
    }

    #[test]
    fn only_the_media_type_of_grpc_is_grpc() {
        for (kind, is) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc; charset=utf-8", true),
            ("application/grpc-web", false),
            ("text/html", false),
        ] {
            let headers = HeaderMap::from_iter([(
                http::header::CONTENT_TYPE,
                http::HeaderValue::from_static(kind),
            )]);
            assert_eq!(is_grpc(&headers), is, "{kind}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
