//! HTTP/2 by the h2 crate, for tasks with `"http2": true`: agreed by ALPN under TLS, by prior
//! knowledge without (RFC 9113, section 3.3). One user speaks one request at a time, so a session
//! carries one stream at a time; what is measured is the protocol, not multiplexing. The request
//! comes as the HTTP/1.1 bytes that every task is compiled to, and is said anew here.

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use tokio::task::JoinHandle;

use super::answer::{Answer, Coding, Wanted};
use super::fault::Fault;
use super::target::Origin;
use crate::net::Stream;

/// How much a target may send ahead, in bytes, per stream and per connection: enough that the
/// window is never what a load test measures.
const WINDOW: u32 = 4 * 1024 * 1024;

/// The longest head of an answer, in bytes: as over HTTP/1.1.
const MAX_HEAD: u32 = 64 * 1024;

/// The most headers that a request is read back with; a task's own are bounded by its document.
const MAX_HEADERS: usize = 256;

/// An HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Session {
    sender: SendRequest<Bytes>,
    /// Moves the frames; ends with the session.
    mover: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.mover.abort();
    }
}

impl Session {
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

    /// Sends a request and reads its answer.
    pub(crate) async fn exchange(
        &mut self,
        origin: &Origin,
        request: &[u8],
        answer: &mut Answer,
        wanted: Wanted,
    ) -> Result<(), Fault> {
        let (request, body) = translate(origin, request)?;
        // Nothing has been sent yet: whatever fails here is the end of the session.
        let mut sender = self.sender.clone().ready().await.map_err(|_| Fault::Unsent)?;
        let (response, mut upload) =
            sender.send_request(request, body.is_empty()).map_err(|_| Fault::Unsent)?;
        if !body.is_empty() {
            upload.send_data(body, true).map_err(fault)?;
        }
        let (head, mut body) = response.await.map_err(fault)?.into_parts();
        answer.status = head.status.as_u16();
        answer.keep_alive = true;
        for (name, value) in &head.headers {
            let text = || String::from_utf8_lossy(value.as_bytes()).into_owned();
            match *name {
                http::header::SET_COOKIE => answer.cookies.push(text()),
                http::header::LOCATION => answer.location = Some(text()),
                http::header::CONTENT_ENCODING => answer.coding = Coding::of(value.as_bytes()),
                _ => {}
            }
            if wanted.head {
                answer.headers.push((name.as_str().to_owned(), text()));
            }
        }
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(fault)?;
            answer.bytes += piece.len() as u64;
            if wanted.body {
                answer.keep(&piece);
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
        Some(io) => Fault::of_io(io),
        None => Fault::Http2(error.to_string()),
    }
}

/// An HTTP/1.1 request as an HTTP/2 one, and its body.
fn translate(origin: &Origin, bytes: &[u8]) -> Result<(Request<()>, Bytes), Fault> {
    let broken = |why: &str| Fault::Http2(format!("the request cannot be translated: {why}"));
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let parsed = head.parse(bytes).map_err(|error| broken(&error.to_string()))?;
    let httparse::Status::Complete(length) = parsed else { return Err(broken("no head")) };
    let mut authority = origin.authority.to_string();
    let mut request = Request::new(());
    for header in head.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|error| broken(&error.to_string()))?;
        let value =
            HeaderValue::from_bytes(header.value).map_err(|error| broken(&error.to_string()))?;
        match name {
            http::header::HOST => authority = String::from_utf8_lossy(header.value).into_owned(),
            // RFC 9113, section 8.2.2: fields of a connection have no place in HTTP/2.
            http::header::CONNECTION | http::header::UPGRADE => {}
            name => {
                request.headers_mut().append(name, value);
            }
        }
    }
    *request.method_mut() = Method::from_bytes(head.method.unwrap_or("GET").as_bytes())
        .map_err(|error| broken(&error.to_string()))?;
    *request.uri_mut() = Uri::builder()
        .scheme(if origin.tls { "https" } else { "http" })
        .authority(authority)
        .path_and_query(head.path.unwrap_or("/"))
        .build()
        .map_err(|error| broken(&error.to_string()))?;
    *request.version_mut() = http::Version::HTTP_2;
    Ok((request, Bytes::copy_from_slice(bytes.get(length..).unwrap_or_default())))
}
