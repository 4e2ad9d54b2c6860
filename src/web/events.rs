//! The events of a run as they happen, as server-sent events: those of `attach`, numbered, so that a
//! client continues where it was. They are taken from the run's journal at the client's pace; nothing
//! is queued here, and a run never waits.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Frame;
use hyper::header::HeaderName;
use tokio::sync::watch;
use tokio::time::timeout;

use super::call::{Answer, Call};
use super::error::{Problem, empty};
use super::reply;
use crate::event::{ErrorKind, Event};
use crate::memory::{Full, Share};
use crate::net::http_service::InUse;
use crate::run::{Run, event_bytes};
use crate::server::{Followed, Watching};
use crate::wire::refusal::Refusal;

/// How long the stream is silent at most: proxies close connections that are.
pub(super) const SILENCE: Duration = Duration::from_secs(15);

pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Follows a run.
pub(super) async fn follow(call: Call) -> Answer {
    let run = call.number("run")?;
    let last = match call.head.headers.get(LAST_EVENT_ID) {
        None => 0,
        Some(last) => {
            let number = last.to_str().ok().and_then(|last| last.parse().ok());
            number.ok_or_else(|| {
                let why = "Last-Event-ID: expected the number of an event";
                Refusal::new(ErrorKind::InvalidDocument, why)
            })?
        }
    };
    let place = call.site.handle.watch().map_err(Problem::overloaded)?;
    let executor = call.site.handle.executor();
    // The number of an event that there is not is one of another run, before a restart: the client has
    // nothing of this one.
    let known = |newest: u64| if last > newest { 0 } else { last };
    let mut held = call.site.handle.memory().share("the events of an ended run");
    let (run, last, waiting) = match executor.follow(Some(run)) {
        Followed::Run(run) => {
            let last = known(run.newest_event());
            (Some(run), last, VecDeque::new())
        }
        Followed::Stored(read) => {
            let events = call.blocking(read).await?;
            let bytes = events.iter().map(|(_, event)| event_bytes(event)).sum();
            let full = |full: Full| Problem::from(Refusal::busy(&full.to_string()));
            held.grow(bytes).map_err(full)?;
            let last = known(events.last().map_or(0, |(number, _)| *number));
            let new = events.into_iter().filter(|(number, _)| *number > last);
            (None, last, new.map(|(number, event)| (number, Arc::new(event))).collect())
        }
    };
    let mut stream = Stream {
        changes: run.as_ref().map(|run| run.changes()),
        run,
        last,
        waiting,
        pause: None,
        share: call.site.handle.memory().share("an event for a browser"),
        _held: held,
        _place: place,
        _in_use: call.peer.in_use.clone(),
    };
    if !stream.refill() && stream.waiting.is_empty() {
        // It has all of them: a browser asks no more.
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    Ok(reply::of(StatusCode::OK, "text/event-stream", Body::new(stream)))
}

/// Waits for a change; true if there was none for a while.
type Pause = Pin<Box<dyn Future<Output = bool> + Send>>;

/// The body of a response.
struct Stream {
    /// None where all events are there.
    run: Option<Arc<Run>>,
    changes: Option<watch::Receiver<u64>>,
    /// The number of the last event that was taken from the run.
    last: u64,
    waiting: VecDeque<(u64, Arc<Event>)>,
    pause: Option<Pause>,
    /// The memory of the event that is sent.
    share: Share,
    /// That of the events that wait, where no run holds them.
    _held: Share,
    _place: Watching,
    _in_use: InUse,
}

impl Stream {
    /// Takes the new events; returns whether more may follow.
    fn refill(&mut self) -> bool {
        let (Some(run), Some(changes)) = (&self.run, &mut self.changes) else { return false };
        changes.mark_unchanged();
        let (events, may_continue) = run.events_after(self.last);
        self.last = events.last().map_or(self.last, |(number, _)| *number);
        self.waiting.extend(events);
        if !may_continue {
            self.run = None;
        }
        may_continue
    }

    /// The next event as text; `None` where there is no memory for it.
    fn text(&mut self, number: u64, event: &Event) -> Option<Bytes> {
        let json = serde_json::to_string(event).ok()?;
        let text = format!("id: {number}\ndata: {json}\n\n");
        self.share.set(text.len()).ok()?;
        Some(text.into())
    }
}

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        loop {
            if let Some((number, event)) = this.waiting.pop_front() {
                return Poll::Ready(this.text(number, &event).map(|text| Ok(Frame::data(text))));
            }
            if let Some(pause) = &mut this.pause {
                let was_silent = ready!(pause.as_mut().poll(context));
                this.pause = None;
                if was_silent {
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b":\n\n")))));
                }
            }
            let may_continue = this.refill();
            if !this.waiting.is_empty() {
                continue;
            }
            let Some(mut changes) = this.changes.clone().filter(|_| may_continue) else {
                return Poll::Ready(None);
            };
            let _ = this.share.set(0);
            this.pause =
                Some(Box::pin(async move { timeout(SILENCE, changes.changed()).await.is_err() }));
        }
    }
}
