//! What several bodies need: bytes that arrive in pieces, futures that never wait, and the words in
//! which the properties are stated.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use ldctl::event::{Event, Progress, RunInfo, Status};
use ldctl::value::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};

/// The first bytes of an input choose how the rest is used; missing ones are 0.
pub fn options<const N: usize>(data: &[u8]) -> ([u8; N], &[u8]) {
    let mut options = [0; N];
    let taken = N.min(data.len());
    options[..taken].copy_from_slice(&data[..taken]);
    (options, &data[taken..])
}

/// A peer that sends these bytes in pieces of alternating sizes and then closes; what it is sent, it
/// throws away.
#[derive(Debug)]
pub struct Pieces<'a> {
    rest: &'a [u8],
    sizes: [usize; 2],
}

impl<'a> Pieces<'a> {
    /// `sizes` are in bytes; 0 is taken for 1.
    pub fn new(bytes: &'a [u8], sizes: [u8; 2]) -> Self {
        Self { rest: bytes, sizes: sizes.map(|size| usize::from(size).max(1)) }
    }

    /// All at once.
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, sizes: [usize::MAX; 2] }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (piece, rest) = self.rest.split_at(self.sizes[0].min(self.rest.len()));
        self.rest = rest;
        self.sizes.swap(0, 1);
        (!piece.is_empty()).then_some(piece)
    }
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = into.remaining();
        let size = self.sizes[0];
        self.sizes[0] = size.min(room);
        let piece = self.next().unwrap_or_default();
        self.sizes[1] = size;
        into.put_slice(piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The outcome of a future whose streams are always ready. Its timers are made and never awaited,
/// for which a runtime's clock must be there.
pub fn now<F: Future>(future: F) -> F::Output {
    static CLOCK: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));
    let _inside = CLOCK.enter();
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a stream that is always ready was waited for"),
    }
}

/// Asserts that a text takes one line of a log or terminal and that nothing obeys it.
pub fn one_line(text: &str) {
    assert!(!text.chars().any(char::is_control), "more than one plain line: {text:?}");
}

/// Whether every number in a value is one that JSON can say.
pub fn finite(value: &Value) -> bool {
    match value {
        Value::Float(number) => number.is_finite(),
        Value::List(items) | Value::Tuple(items) => items.iter().all(finite),
        Value::Dict(members) => members.values().all(finite),
        _ => true,
    }
}

fn finite_status(status: &Status) -> bool {
    status.run.as_ref().is_none_or(|run| {
        let RunInfo { elapsed_s, remaining_s, rps, p50_ms, p95_ms, p99_ms, .. } = &**run;
        let figures = [elapsed_s, remaining_s, rps, p50_ms, p95_ms, p99_ms];
        figures.into_iter().flatten().all(|figure| figure.is_finite())
    })
}

/// Whether every number of an event is one that JSON can say.
pub fn finite_event(event: &Event) -> bool {
    match event {
        Event::Progress(progress) => {
            let Progress { elapsed_s, remaining_s, rps, p50_ms, p95_ms, p99_ms, .. } = progress;
            let figures = [elapsed_s, rps, p50_ms, p95_ms, p99_ms];
            figures.into_iter().chain(remaining_s).all(|figure| figure.is_finite())
        }
        Event::Result(result) => result.value.as_ref().is_none_or(finite),
        Event::Pong(pong) => pong.uptime_s.is_finite(),
        Event::Done { elapsed_s, .. } => elapsed_s.is_finite(),
        Event::Status(status) => finite_status(status),
        Event::Runs { runs } => runs.iter().all(finite_status),
        Event::Link { expires_s, .. } => expires_s.is_finite(),
        Event::Queued(queued) => queued.holder_remaining_s.is_none_or(f64::is_finite),
        Event::Accepted { .. }
        | Event::Alive
        | Event::Started { .. }
        | Event::Report { .. }
        | Event::Detail { .. }
        | Event::Error { .. } => true,
    }
}
