//! The boundary between the sessions and the executor of documents: [`Execute`], implemented by
//! [`Executor`]. Work that takes time is a [`Job`] with its own thread.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::action::{Executor, InvalidDocument};
use crate::event::{Event, Sink, Status};
use crate::run::Submission;
use crate::value::Value;

/// Work that takes time: it blocks its thread until it has ended, and emits its events to the sink.
pub type Job = Box<dyn FnOnce(&mut dyn Sink, &CancellationToken) + Send>;

/// Runs documents.
pub trait Execute: Send + Sync + 'static {
    /// Parses a document; the job runs it, as its submission requests. Must not block.
    fn prepare(
        self: Arc<Self>,
        document: Value,
        submission: Submission,
    ) -> Result<Job, InvalidDocument>;

    /// Documents accepted so far.
    fn runs(&self) -> u64;

    /// The status of the running test; by default there is none. Must not block.
    fn status(&self) -> Status {
        Status::IDLE
    }

    /// The job stops the running test, waits for its end, and reports its last status.
    fn stop(self: Arc<Self>) -> Job {
        Box::new(|sink, _| stopped(sink, Status::IDLE, Duration::ZERO))
    }
}

/// How long a stop waits for the test's end: longer than requests in progress may take (5
/// s), and shorter than the client waits (10 s).
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

impl Execute for Executor {
    fn prepare(
        self: Arc<Self>,
        document: Value,
        submission: Submission,
    ) -> Result<Job, InvalidDocument> {
        let document = self.read(&document)?;
        Ok(Box::new(move |sink, cancel| {
            self.execute_as(submission, document, sink, cancel);
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
    sink.emit(Event::Done {
        ok: true,
        failed: 0,
        elapsed_s: took.as_secs_f64(),
        run: None,
        state: None,
    });
}
