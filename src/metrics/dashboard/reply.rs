//! The bodies of responses: a text, or snapshots as server-sent events. A client that reads slowly
//! misses snapshots; it holds one at most besides the latest.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::watch;

use crate::memory::Share;

/// A body.
pub(super) enum Reply {
    /// What is left of a text.
    Text(Option<Bytes>),
    /// Snapshots without end.
    Events(Events),
}

/// Waits for the next snapshot; `None` at the end of the dashboard.
type Next = Pin<Box<dyn Future<Output = Option<(Bytes, watch::Receiver<Bytes>)>> + Send>>;

/// Snapshots as they are made.
pub(super) struct Events {
    first: Option<Bytes>,
    next: Next,
}

impl Reply {
    /// A text.
    pub(super) fn of(text: impl Into<Bytes>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// This event, then those that are published.
    pub(super) fn events(first: Bytes, published: watch::Receiver<Bytes>) -> Self {
        Self::Events(Events { first: Some(first), next: next(published) })
    }
}

fn next(mut published: watch::Receiver<Bytes>) -> Next {
    Box::pin(async move {
        published.changed().await.ok()?;
        let event = published.borrow_and_update().clone();
        Some((event, published))
    })
}

impl fmt::Debug for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Text(_) => "Text",
            Self::Events(_) => "Events",
        })
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let events = match &mut *self {
            Self::Text(text) => return Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Events(events) => events,
        };
        if let Some(first) = events.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some((event, published)) = ready!(events.next.as_mut().poll(context)) else {
            // Not asked again.
            return Poll::Ready(None);
        };
        events.next = next(published);
        Poll::Ready(Some(Ok(Frame::data(event))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Text(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

/// Bytes with the memory that they take, for as long as anybody holds them.
pub(super) struct Kept(Vec<u8>, #[expect(dead_code, reason = "it is held")] Share);

impl Kept {
    /// These parts in a row.
    pub(super) fn new<const N: usize>(parts: [&[u8]; N], share: Share) -> Self {
        Self(parts.concat(), share)
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
