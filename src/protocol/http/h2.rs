//! HTTP/2 by the h2 crate, for tasks with `"http2": true`: agreed by ALPN under TLS, by prior
//! knowledge without (RFC 9113, section 3.3). One user speaks one request at a time, so a session
//! carries one stream at a time; what is measured is the protocol, not multiplexing. A request that
//! never changes is a [`Message`] that is ready to send.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::{HeaderName, HeaderValue, Method, Uri};
use tokio::task::JoinHandle;

use super::fault::Fault;
use super::request::Request;
use super::response::{Coding, Response, place};
use super::target::Origin;
use crate::net::Stream;
use crate::protocol::check::Capture;
use crate::protocol::fault::ConnectionFault;

/// How much a target may send ahead, in bytes, per stream and per connection: enough that the
/// window is never what a load test measures.
const WINDOW: u32 = 4 * 1024 * 1024;

/// The longest head of a response, in bytes: as over HTTP/1.1.
const MAX_HEAD: u32 = 64 * 1024;

/// An HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Http2Session {
    sender: SendRequest<Bytes>,
    /// Moves the frames; ends with the session.
    mover: JoinHandle<()>,
}

impl Drop for Http2Session {
    fn drop(&mut self) {
        self.mover.abort();
    }
}

impl Http2Session {
    /// Opens a session over a fresh connection.
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

    /// Whether it can carry no further request.
    pub(crate) fn ended(&self) -> bool {
        self.mover.is_finished()
    }

    /// Sends a request and reads its response.
    pub(crate) async fn exchange(
        &mut self,
        Message { head, body }: Message,
        response: &mut Response,
        capture: Capture,
    ) -> Result<(), Fault> {
        // Nothing has been sent yet: whatever fails here is the end of the session.
        let mut sender = self.sender.clone().ready().await.map_err(|_| Fault::Unsent)?;
        let (pending, mut upload) =
            sender.send_request(head, body.is_empty()).map_err(|_| Fault::Unsent)?;
        if !body.is_empty() {
            upload.send_data(body, true).map_err(fault)?;
        }
        let (head, mut body) = pending.await.map_err(fault)?.into_parts();
        response.status = head.status.as_u16();
        response.keep_alive = true;
        for (name, value) in &head.headers {
            let text = || String::from_utf8_lossy(value.as_bytes()).into_owned();
            match *name {
                http::header::SET_COOKIE => response.cookies.push(value.as_bytes().to_vec()),
                http::header::LOCATION => response.location = Some(place(value.as_bytes())),
                http::header::CONTENT_ENCODING => response.coding = Coding::of(value.as_bytes()),
                _ => {}
            }
            if capture.head {
                response.headers.push((name.as_str().to_owned(), text()));
            }
        }
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(fault)?;
            response.bytes += piece.len() as u64;
            if capture.body {
                response.keep(&piece);
            }
            let _ = body.flow_control().release_capacity(piece.len());
        }
        Ok(())
    }
}

fn fault(error: h2::Error) -> Fault {
    // RFC 9113, section 8.7: either says that the request has not been processed.
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    let leaving = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
    if error.is_remote() && (refused || leaving) {
        return Fault::Unsent;
    }
    match error.get_io() {
        Some(io) => ConnectionFault::of_io(io).into(),
        None => Fault::Http2(error.to_string()),
    }
}

/// A request as HTTP/2 sends it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    head: http::Request<()>,
    body: Bytes,
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
                // RFC 9113, section 8.2.2: fields of a connection have no place in HTTP/2.
                http::header::CONNECTION | http::header::UPGRADE => {}
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
        Ok(Self { head, body: Bytes::copy_from_slice(request.body()) })
    }
}

fn broken(why: impl Display) -> Fault {
    Fault::Http2(format!("the request cannot be translated: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::flavor::Flavor;
    use super::super::request::tests::sent;
    use super::*;

    #[test]
    fn a_message_has_an_authority_and_no_fields_of_a_connection() {
        let headers = json!({"Host": "other:1", "Connection": "x", "Upgrade": "y", "X-A": " b "});
        let task = json!({"method": "put", "url": "/p?q", "headers": headers, "data": "text"});
        let request = sent(Flavor::Requests, true, &task).expect("a request");
        let (origin, _) = Origin::split("https://h").expect("an origin");
        let Message { head, body } = Message::of(&origin, &request).expect("a message");
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
                ("accept-encoding", b"gzip, deflate, br"),
                ("content-length", b"4"),
            ]
        );
        assert_eq!(&*body, b"text");
    }
}
