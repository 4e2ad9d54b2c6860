//! What each operation does: the border between the sessions and what runs documents. Most operations
//! are answered with events that are there at once; what takes time is a [`Job`] with a thread of its
//! own.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::action::{Executor, InvalidDocument};
use crate::event::{Event, PROTOCOL, Pong, Sink, Status};
use crate::value::Value;
use crate::wire::op::Op;
use crate::wire::refusal::Refusal;
use crate::wire::request::Request;

/// Work that takes time: it blocks its thread until it has ended, and emits its events to the sink.
pub type Job = Box<dyn FnOnce(&mut dyn Sink, &CancellationToken) + Send>;

/// What runs documents.
pub trait Execute: Send + Sync + 'static {
    /// Reads a document; the job runs it. Must not block.
    fn prepare(self: Arc<Self>, document: Value) -> Result<Job, InvalidDocument>;

    /// Documents taken so far.
    fn runs(&self) -> u64;

    /// Which test is running. One that knows of no tests has none. Must not block.
    fn status(&self) -> Status {
        Status::IDLE
    }

    /// The job stops the running test, waits for its end, and says what it was.
    fn stop(self: Arc<Self>) -> Job {
        Box::new(|sink, _| stopped(sink, Status::IDLE, Duration::ZERO))
    }
}

/// How long a stop waits for the test's end: longer than the engine gives requests in hand (5 s), and
/// shorter than the client waits (10 s).
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

impl Execute for Executor {
    fn prepare(self: Arc<Self>, document: Value) -> Result<Job, InvalidDocument> {
        let document = self.read(&document)?;
        Ok(Box::new(move |sink, cancel| {
            self.execute(document, sink, cancel);
        }))
    }

    fn runs(&self) -> u64 {
        Self::runs(self)
    }

    fn status(&self) -> Status {
        Self::status(self)
    }

    fn stop(self: Arc<Self>) -> Job {
        Box::new(move |sink, _| {
            let started = Instant::now();
            let status = Self::stop(&self, STOP_TIMEOUT);
            stopped(sink, status, started.elapsed());
        })
    }
}

fn stopped(sink: &mut dyn Sink, status: Status, took: Duration) {
    sink.emit(Event::Status(status));
    sink.emit(Event::Done { ok: true, failed: 0, elapsed_s: took.as_secs_f64() });
}

/// How a request is answered.
pub(super) enum Response {
    /// With these events.
    Now(Vec<Event>),
    /// With those of a job.
    Job(Job),
}

impl Shared {
    /// Answers a request. What it asks of the server itself, a quit, is for the session to do.
    pub(super) fn respond(&self, request: Request<Value>) -> Result<Response, Refusal> {
        let executor = Arc::clone(&self.server.executor);
        Ok(match request.op {
            Op::Run => match request.document {
                None => Response::Now(Vec::new()),
                Some(document) => Response::Job(
                    executor.prepare(document).map_err(|_| Refusal::invalid_document())?,
                ),
            },
            Op::Ping => Response::Now(vec![Event::Pong(self.pong())]),
            Op::Status => Response::Now(vec![Event::Status(executor.status()), Event::DONE]),
            Op::Stop => Response::Job(executor.stop()),
            Op::Quit => Response::Now(vec![Event::DONE]),
        })
    }

    fn pong(&self) -> Pong {
        Pong {
            server: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            uptime_s: self.begun.elapsed().as_secs_f64(),
            runs: self.server.executor.runs(),
            counts: Some(self.counters().read()),
        }
    }
}
