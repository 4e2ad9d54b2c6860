//! HTTP/2 by the h2 crate, for tasks with `"http2": true`: negotiated by ALPN with TLS, by prior
//! knowledge without (RFC 9113, section 3.3). A user makes one request at a time, so a session
//! carries one stream at a time; the measurement covers the protocol, not multiplexing. A constant
//! request is a [`Message`] that is ready to send.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{HeaderName, HeaderValue, Method, Uri};
use tokio::task::JoinHandle;

use super::fault::Fault;
use super::request::{BodyPart, Request};
use super::response::Response;
use super::target::Origin;
use crate::net::Stream;
use crate::protocol::checked::Capture;
use crate::protocol::fault::ConnectionFault;

/// The flow-control window per stream and per connection, in bytes: large enough that a load test
/// never measures the window.
const WINDOW: u32 = 4 * 1024 * 1024;

/// The longest head of a response, in bytes: as over HTTP/1.1.
const MAX_HEAD: u32 = 64 * 1024;

/// An HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Http2Session {
    sender: SendRequest<Bytes>,
    /// Drives the connection; ends with the session.
    mover: JoinHandle<()>,
}

impl Drop for Http2Session {
    fn drop(&mut self) {
        self.mover.abort();
    }
}

impl Http2Session {
    /// Opens a session over a new connection.
    pub(crate) async fn open(stream: Stream) -> Result<Self, Fault> {
        let (sender, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(MAX_HEAD)
            .handshake::<_, Bytes>(stream)
            .await
            .map_err(fault)?;
        let mover = tokio::task::spawn_local(async move {
            // Its errors reach the stream that they concern.
            let _ = connection.await;
        });
        Ok(Self { sender, mover })
    }

    /// Whether it cannot carry another request.
    pub(crate) fn ended(&self) -> bool {
        self.mover.is_finished()
    }

    /// Begins a request, which may `end` with its head.
    pub(crate) async fn begin(
        &self,
        head: http::Request<()>,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), Fault> {
        // Nothing has been sent yet: a failure here means that the session has ended.
        let mut sender = self.sender.clone().ready().await.map_err(|_| Fault::Unsent(CLOSED))?;
        sender.send_request(head, end).map_err(|_| Fault::Unsent(CLOSED))
    }

    /// Sends a request and reads its response.
    pub(crate) async fn exchange(
        &mut self,
        Message { head, body, more }: Message,
        response: &mut Response,
        capture: Capture,
    ) -> Result<(), Fault> {
        let (pending, mut upload) = self.begin(head, body.is_empty()).await?;
        if !body.is_empty() {
            upload.send_data(body, more.is_empty()).map_err(fault)?;
            let last = more.len().saturating_sub(1);
            for (number, part) in more.into_iter().enumerate() {
                upload.send_data(part, number == last).map_err(fault)?;
            }
        }
        let (head, mut body) = pending.await.map_err(fault)?.into_parts();
        response.status = head.status.as_u16();
        response.keep_alive = true;
        for (name, value) in &head.headers {
            response.take_header(name.as_str(), value.as_bytes(), capture);
        }
        if !body.is_end_stream() {
            response.begin_body();
        }
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(fault)?;
            response.take_body(&piece, capture);
            let _ = body.flow_control().release_capacity(piece.len());
        }
        response.end_body();
        Ok(())
    }
}

/// The session ended before the request was sent.
const CLOSED: &str = "connection closed before a response";

/// The target has not processed the request.
const REFUSED: &str = "HTTP/2: the target refused the request (REFUSED_STREAM); use fewer users or \
                       a lower rate, or raise its limit of concurrent streams";

/// The fault for an error of a stream or its session.
pub(crate) fn fault(error: h2::Error) -> Fault {
    // RFC 9113, section 8.7: both mean that the request has not been processed.
    if error.is_remote() {
        match error.reason() {
            Some(Reason::REFUSED_STREAM) if error.is_reset() => return Fault::Unsent(REFUSED),
            Some(Reason::NO_ERROR) if error.is_go_away() => return Fault::Unsent(CLOSED),
            _ => {}
        }
    }
    match error.get_io() {
        Some(io) => ConnectionFault::of_io(io).into(),
        None => Fault::Http2(in_words(&error)),
    }
}

/// Why a stream or a session ended, and what to change.
fn in_words(error: &h2::Error) -> String {
    let Some(reason) = error.reason() else { return error.to_string() };
    let name = name(reason);
    if error.is_library() {
        // The first bytes of "HTTP/1.1 400 …" parse as a frame of four megabytes.
        return match reason {
            Reason::FRAME_SIZE_ERROR => "the target's response is not HTTP/2; if it speaks only \
                                         HTTP/1.1, leave out \"http2\""
                .to_owned(),
            _ => format!("the target violates the protocol ({name})"),
        };
    }
    let what = if error.is_go_away() { "closed the session with" } else { "reset the stream with" };
    let said = said(&error.to_string()).unwrap_or_default();
    let advice = match reason {
        Reason::ENHANCE_YOUR_CALM => "; it limits load: use fewer users or a lower rate",
        Reason::REFUSED_STREAM => "; use fewer users or a lower rate",
        Reason::HTTP_1_1_REQUIRED => {
            "; it accepts this request only over HTTP/1.1: leave out \"http2\""
        }
        Reason::INADEQUATE_SECURITY => "; it requires a stronger TLS version or cipher suite",
        Reason::PROTOCOL_ERROR | Reason::COMPRESSION_ERROR | Reason::FRAME_SIZE_ERROR => {
            "; it does not accept the request: check its headers and their size"
        }
        Reason::INTERNAL_ERROR | Reason::CANCEL => "; its log may say why",
        _ => "",
    };
    format!("the target {what} {name}{said}{advice}")
}

/// The name of an error code (RFC 9113, section 7).
pub(crate) fn name(reason: Reason) -> Cow<'static, str> {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let code = u32::from(reason);
    let known = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    known.map_or_else(|| Cow::from(format!("error {code:#x}")), |name| Cow::from(*name))
}

/// The text of a GOAWAY, in quotes: h2 has it only at the end of its message, as Rust writes bytes.
fn said(message: &str) -> Option<String> {
    let (_, text) = message.strip_suffix("\")")?.split_once(" (b\"")?;
    (!text.is_empty()).then(|| format!(" (\"{}\")", text.chars().take(100).collect::<String>()))
}

/// A request in the form that HTTP/2 sends.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    head: http::Request<()>,
    /// The body, or its first part.
    body: Bytes,
    /// Its other parts.
    more: Vec<Bytes>,
}

impl Message {
    /// Builds it from the parts of a request.
    pub(crate) fn of(origin: &Origin, request: &Request) -> Result<Self, Fault> {
        let mut head = http::Request::new(());
        let mut authority = Cow::from(&*origin.authority);
        for (name, value) in request.headers() {
            // RFC 9113, section 8.2.1: a value neither begins nor ends with whitespace.
            let value = value.trim_ascii();
            let name = HeaderName::from_bytes(name).map_err(broken)?;
            match name {
                http::header::HOST => authority = String::from_utf8_lossy(value),
                // RFC 9113, section 8.2.2: connection-specific fields are not allowed in HTTP/2.
                _ if is_of_connection(&name, value) => {}
                name => {
                    let value = HeaderValue::from_bytes(value).map_err(broken)?;
                    head.headers_mut().try_append(name, value).map_err(broken)?;
                }
            }
        }
        *head.method_mut() = Method::from_bytes(request.method().as_bytes()).map_err(broken)?;
        *head.uri_mut() = Uri::builder()
            .scheme(if origin.tls { "https" } else { "http" })
            .authority(&*authority)
            .path_and_query(request.target())
            .build()
            .map_err(broken)?;
        *head.version_mut() = http::Version::HTTP_2;
        let mut parts = request.body_parts().map(|part| match part {
            BodyPart::Own(bytes) => Bytes::copy_from_slice(bytes),
            BodyPart::Shared(bytes) => bytes.clone(),
        });
        let body = parts.next().unwrap_or_default();
        Ok(Self { head, body, more: parts.collect() })
    }
}

/// Whether a field is connection-specific, which HTTP/2 does not allow.
fn is_of_connection(name: &HeaderName, value: &[u8]) -> bool {
    match name.as_str() {
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
        | "http2-settings" => true,
        "te" => !value.eq_ignore_ascii_case(b"trailers"),
        _ => false,
    }
}

fn broken(why: impl Display) -> Fault {
    Fault::Http2(format!("the request cannot be translated: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::sent;
    use super::super::flavor::Flavor;
    use super::*;

    #[test]
    fn the_text_of_a_goaway_is_quoted_without_escapes_of_rust() {
        let text = said("connection error received: calm down (b\"too many (\\xc3)\")");
        assert_eq!(text.as_deref(), Some(" (\"too many (\\xc3)\")"));
        for none in ["stream error received: calm down", "closed (b\"\")", "x (y)"] {
            assert_eq!(said(none), None);
        }
    }

    #[test]
    fn a_message_has_an_authority_and_no_connection_specific_fields() {
        let headers = json!({
            "Host": "other:1", "Connection": "x", "Upgrade": "y", "X-A": " b ", "TE": "gzip",
            "Keep-Alive": "timeout=5", "Proxy-Connection": "close", "HTTP2-Settings": "AAMA",
        });
        let task = json!({"method": "put", "url": "/p?q", "headers": headers, "data": "text"});
        let request = sent(Flavor::Requests, true, &task).expect("a request");
        let (origin, _) = Origin::split("https://h").expect("an origin");
        let Message { head, body, more } = Message::of(&origin, &request).expect("a message");
        assert_eq!(
            (head.method().as_str(), &*head.uri().to_string()),
            ("PUT", "https://other:1/p?q")
        );
        let headers: Vec<(&str, &[u8])> =
            head.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(
            headers,
            [
                ("x-a", &b"b"[..]),
                ("user-agent", concat!("ldctl/", env!("CARGO_PKG_VERSION")).as_bytes()),
                ("accept", b"*/*"),
                ("accept-encoding", b"gzip, deflate, br, zstd"),
                ("content-length", b"4"),
            ]
        );
        assert_eq!((&*body, more.len()), (&b"text"[..], 0));
    }
}
