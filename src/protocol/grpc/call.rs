//! One call over a session of HTTP/2: everything is sent at once and received as it comes, so that
//! neither side waits for the other; then the status is judged.

use std::borrow::Cow;

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, header};

use super::fault::Fault;
use super::messages::{Messages, Packing};
use crate::escape;
use crate::net::grpc::{Code, ENCODING, Status, is_grpc};
use crate::protocol::checked::{Checked, Unreadable};
use crate::protocol::http::{Http2Session, status_text};

/// As much of a media type as is told, in characters.
const MOST_KIND: usize = 60;

/// What a call receives.
#[derive(Debug)]
pub(crate) struct Reply {
    /// How it ended; nothing if it has not, or not in gRPC.
    pub(super) status: Option<Status>,
    /// The metadata before the messages and after them.
    pub(super) head: HeaderMap,
    pub(super) trailers: HeaderMap,
    pub(super) messages: Messages,
    /// The JSON of the messages, where checks need it.
    pub(super) text: Result<Vec<u8>, Unreadable>,
}

impl Reply {
    /// For messages that `messages` takes.
    pub(super) fn new(messages: Messages) -> Self {
        let (head, trailers) = (HeaderMap::new(), HeaderMap::new());
        Self { status: None, head, trailers, messages, text: Ok(Vec::new()) }
    }

    /// Begins another call.
    pub(super) fn restart(&mut self) {
        self.status = None;
        (self.head, self.trailers) = (HeaderMap::new(), HeaderMap::new());
        self.text = Ok(Vec::new());
        self.messages.settle();
    }

    /// The code of its status; UNKNOWN if it has none.
    pub(super) fn code(&self) -> Code {
        self.status.as_ref().map_or(Code::UNKNOWN, |status| status.code)
    }
}

impl Checked for Reply {
    const HAS_STATUS: bool = true;
    const HAS_HEADERS: bool = true;

    /// The number of the code.
    fn status(&self) -> Option<u16> {
        u16::try_from(self.code().0).ok()
    }

    /// Metadata, of both kinds; several values as HTTP joins them.
    fn header(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        let values = self.head.get_all(&*name).iter().chain(self.trailers.get_all(&*name));
        let values: Vec<_> =
            values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        match &self.text {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(why) => Err(why.clone()),
        }
    }
}

/// Makes a call: `body` is its messages, each behind its prefix. `keeps` says whether those of the
/// response are kept. The reply has what has come also when this fails.
pub(super) async fn call(
    session: &Http2Session,
    head: http::Request<()>,
    body: Bytes,
    reply: &mut Reply,
    keeps: bool,
) -> Result<(), Fault> {
    let (pending, mut upload) = session.begin(head, body.is_empty()).await?;
    if !body.is_empty() {
        // A target may respond before it has read everything: the response counts.
        let _ = upload.send_data(body, true);
    }
    let (head, mut body) = pending.await.map_err(Fault::of_stream)?.into_parts();
    reply.head = head.headers;
    if !is_grpc(&reply.head) && Status::of(&reply.head).is_none() {
        return Err(foreign(head.status.as_u16(), &reply.head));
    }
    let packing = reply.head.get(&ENCODING);
    let packing = packing.map(|name| String::from_utf8_lossy(name.as_bytes()));
    reply.messages.restart(Packing::named(&packing.unwrap_or_default()), keeps);
    receive(&mut body, &mut reply.messages).await?;
    let trailers = body.trailers().await.map_err(Fault::of_stream)?;
    // A response without messages may have its trailers in its head.
    reply.status = Status::of(trailers.as_ref().unwrap_or(&reply.head));
    reply.trailers = trailers.unwrap_or_default();
    match &reply.status {
        Some(Status { code: Code::OK, .. }) => Ok(reply.messages.end()?),
        Some(_) => Ok(()),
        None => Err(Fault::internal("the response ended without a status")),
    }
}

async fn receive(body: &mut RecvStream, messages: &mut Messages) -> Result<(), Fault> {
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(Fault::of_stream)?;
        let _ = body.flow_control().release_capacity(piece.len());
        messages.feed(&piece)?;
    }
    Ok(())
}

/// A response of something else than gRPC.
fn foreign(status: u16, headers: &HeaderMap) -> Fault {
    if status != 200 {
        let text = format!("HTTP status {}", status_text(status));
        return Fault::Messages(Status::new(Code::of_http(status), text));
    }
    let kind =
        headers.get(header::CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    let kind: String = kind.unwrap_or_default().chars().take(MOST_KIND).collect();
    match kind.as_str() {
        "" => Fault::not_grpc("the response is not gRPC: no content-type"),
        kind => Fault::not_grpc(format!("the response is not gRPC: {}", escape::one_line(kind))),
    }
}
