//! A stream of events: a response whose body is parsed as it arrives, and what outlives it: the
//! identifier of the last event, and the delay before the next stream.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::event::{Event, Parser, Unfit};
use super::fault::Fault;
use crate::load::template::{Scope, Template};
use crate::memory::Memory;
use crate::net::Stream;
use crate::protocol::checked::Capture;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::http::response::Response;
use crate::protocol::http::{Origin, Request, Way, write_opening};
use crate::protocol::trace::{Tracer, head_lines};

/// The size of one read.
pub(super) const SCRATCH: usize = 64 * 1024;

/// What a decoder may make of one read, in bytes; more is a fault.
const UNPACKED: usize = 4 << 20;

/// The delay before the next stream where the target has said nothing: a few seconds, as browsers wait.
pub(super) const DELAY: Duration = Duration::from_secs(3);

const EVERYTHING: Capture = Capture { head: true, body: true };

/// A user's stream, open or to be opened again.
#[derive(Debug)]
pub(super) struct Source {
    /// The URL that it was opened for.
    pub(super) url: Box<str>,
    pub(super) parser: Parser,
    live: Option<Live>,
    /// When the last stream ended.
    ended: Option<Instant>,
}

/// An open stream.
#[derive(Debug)]
struct Live {
    stream: Stream,
    response: Response,
    /// How much of the response's body has been taken from it, and how much of the rest is parsed.
    taken: u64,
    parsed: usize,
    complete: bool,
}

impl Source {
    pub(super) fn new(url: &str, limit: usize, memory: &Arc<Memory>) -> Self {
        let parser = Parser::new(limit).holding(memory.held("events"));
        Self { url: url.into(), parser, live: None, ended: None }
    }

    /// Whether it is open.
    pub(super) fn is_open(&self) -> bool {
        self.live.is_some()
    }

    /// When the next stream may be opened; `default` is the delay where the target has said nothing.
    pub(super) fn due(&self, default: Duration) -> Option<Instant> {
        self.ended.map(|ended| ended + self.parser.retry().unwrap_or(default))
    }

    /// Sends the request and reads the head of the response, which is open afterwards whatever it says.
    pub(super) async fn open(
        &mut self,
        way: Way<'_>,
        headers: &[(String, Template)],
        scope: &mut Scope,
        memory: &Arc<Memory>,
        scratch: &RefCell<Box<[u8]>>,
        tracer: Option<&Tracer>,
    ) -> Result<&Response, Fault> {
        let (origin, rest) = Origin::split(&self.url)?;
        let mut own = vec![
            ("Accept", "text/event-stream"),
            ("Accept-Encoding", "identity"),
            ("Cache-Control", "no-store"),
        ];
        if let Some(id) = self.parser.last_id() {
            own.push(("Last-Event-ID", id));
        }
        let mut request = Request::default();
        write_opening((&origin, rest), &own, headers, scope, &mut request)?;
        if let Some(tracer) = tracer {
            tracer.show(head_lines('>', request.head()));
        }
        self.parser.restart();
        let (mut stream, via) = way.open(&origin, false).await?;
        let io = |error: io::Error| Fault::from(ConnectionFault::of_io(&error));
        let mut whole = Vec::new();
        let bytes = match &via {
            None => request.head(),
            Some(proxy) => {
                proxy.write(&origin, &request, &mut whole);
                &whole
            }
        };
        stream.write_all(bytes).await.map_err(io)?;
        stream.flush().await.map_err(io)?;
        let response = Response::keeping(SCRATCH + UNPACKED, memory);
        let mut live = Live { stream, response, taken: 0, parsed: 0, complete: false };
        while live.response.status == 0 {
            if !poll_fn(|context| live.poll_more(context, scratch)).await? {
                break;
            }
        }
        Ok(&self.live.insert(live).response)
    }

    /// Closes it.
    pub(super) fn close(&mut self) {
        if self.live.take().is_some() {
            self.ended = Some(Instant::now());
        }
    }

    /// The next event; `None` means that the stream has ended.
    pub(super) async fn next(
        &mut self,
        scratch: &RefCell<Box<[u8]>>,
    ) -> Result<Option<Event>, Fault> {
        poll_fn(|context| self.poll_next(context, scratch)).await
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        scratch: &RefCell<Box<[u8]>>,
    ) -> Poll<Result<Option<Event>, Fault>> {
        let Some(live) = &mut self.live else { return Poll::Ready(Ok(None)) };
        loop {
            let mut rest = live.response.body.get(live.parsed..).unwrap_or_default();
            let before = rest.len();
            let event = self.parser.next(&mut rest)?;
            live.parsed += before - rest.len();
            if event.is_some() {
                return Poll::Ready(Ok(event));
            }
            if !ready!(live.poll_more(context, scratch))? {
                return Poll::Ready(Ok(None));
            }
        }
    }
}

impl Live {
    /// Reads more of the response; `false` means that it is complete.
    fn poll_more(
        &mut self,
        context: &mut Context<'_>,
        scratch: &RefCell<Box<[u8]>>,
    ) -> Poll<Result<bool, Fault>> {
        if self.complete {
            return Poll::Ready(Ok(false));
        }
        let mut scratch = scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
            Ok(()) => {}
            // A TLS target that closes without close_notify: the framing decides what that means.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Poll::Ready(Err(ConnectionFault::of_io(&error).into())),
        }
        let response = &mut self.response;
        // What was there is parsed.
        self.taken += response.body.len() as u64;
        response.body.clear();
        self.parsed = 0;
        if buffer.filled().is_empty() {
            response.end()?;
            self.complete = true;
        } else {
            self.complete = response.feed(buffer.filled(), EVERYTHING, false)?;
        }
        if let Some(why) = &response.broken {
            let text = format!("the stream cannot be unpacked: {why}");
            return Poll::Ready(Err(Fault::Kind(text)));
        }
        if response.bytes != self.taken + response.body.len() as u64 {
            return Poll::Ready(Err(Unfit::Long(UNPACKED).into()));
        }
        Poll::Ready(Ok(true))
    }
}
