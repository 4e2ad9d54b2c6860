//! Why a request failed: the connection failed, HTTP did, or the status says so.

use std::borrow::Cow;

use crate::load::MAX_TEXT;
use crate::memory::Full;
use crate::protocol::fault::ConnectionFault;
use crate::redact;

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The URL, with its placeholders filled in, is invalid.
    #[error("invalid URL {:?}: {why}", redact::url(url))]
    Url {
        /// The URL.
        url: String,
        /// Why it is invalid.
        why: String,
    },
    /// The method, with its placeholders filled in, is invalid.
    #[error("invalid method {0:?}")]
    Method(String),
    /// A header, with its placeholders filled in, would break the request.
    #[error("header {0}: its value has a line break or another control character")]
    Header(String),
    /// A plain request to a TLS port.
    #[error("the target speaks TLS on this port; use https://")]
    SpeaksTls,
    /// The target ended the session without processing the request.
    #[error("{0}")]
    Unsent(&'static str),
    /// The response is not HTTP.
    #[error("invalid HTTP response: {0}")]
    Malformed(&'static str),
    /// The response's head is too long.
    #[error("the response header exceeds the limit of {limit} bytes or {headers} headers")]
    LongHead {
        /// The limit in bytes.
        limit: usize,
        /// The limit of headers.
        headers: usize,
    },
    /// A proxy failed, not the target.
    #[error("proxy {0}")]
    Proxy(String),
    /// Too many redirects.
    #[error("more than {0} redirects")]
    Redirects(usize),
    /// HTTP/2 failed.
    #[error("HTTP/2 failed: {0}")]
    Http2(String),
    /// The request does not fit into memory, or its response.
    #[error("{0}")]
    Full(#[from] Full),
    /// A text with placeholders is too long.
    #[error("a text with placeholders is longer than {} MiB", MAX_TEXT >> 20)]
    TooLong,
    /// The connection failed.
    #[error(transparent)]
    Connection(#[from] ConnectionFault),
}

impl Fault {
    /// Whether nothing was sent because of what the task's texts have become.
    pub(crate) fn is_of_texts(&self) -> bool {
        matches!(self, Self::Url { .. } | Self::Method(_) | Self::Header(_) | Self::TooLong)
    }
}

/// `404 Not Found`, with the registered phrase if there is one.
pub(crate) fn status_text(status: u16) -> Cow<'static, str> {
    let phrase = http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    match phrase {
        Some(phrase) => format!("{status} {phrase}").into(),
        None => format!("status {status}").into(),
    }
}
