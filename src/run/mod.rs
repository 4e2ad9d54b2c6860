//! Load tests in progress, as objects. A [`Run`] has its own live figures, its own cancellation and
//! its own record; [`Runs`] is the table of those in progress. Independent of documents and of the
//! wire.

mod runs;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::record::Recording;
use crate::record::live::Live;

pub use runs::{Lease, Runs};

/// The parameters of a run.
#[derive(Debug)]
pub struct Request {
    /// The number of the document that requests it.
    pub number: u64,
    /// A description for people.
    pub name: String,
    /// Its duration; `None` for one that runs until it is stopped.
    pub length: Option<Duration>,
    /// Cancels the document.
    pub cancel: CancellationToken,
}

/// One execution of a load test.
#[derive(Debug)]
pub struct Run {
    request: Request,
    started: Instant,
    /// How long it took, once it has ended.
    took: OnceLock<Duration>,
    /// Virtual users at the last report: at the end none are left.
    users: AtomicUsize,
    live: Arc<Live>,
    recording: OnceLock<Arc<Recording>>,
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is running.
    Running,
    /// It was stopped and waits for requests in progress.
    Stopping,
    /// It has ended.
    Ended,
}

/// The progress of a run; once it has ended, its last progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Its state.
    pub state: State,
    /// Time since it started.
    pub elapsed: Duration,
    /// Time until its end; `None` for one that runs until it is stopped.
    pub remaining: Option<Duration>,
    /// Virtual users; of a run that has ended, at its last report.
    pub users: usize,
    /// Requests so far.
    pub requests: u64,
    /// Requests that failed so far.
    pub failures: u64,
}

impl Run {
    fn new(request: Request, live: Live) -> Self {
        Self {
            request,
            started: Instant::now(),
            took: OnceLock::new(),
            users: AtomicUsize::new(0),
            live: Arc::new(live),
            recording: OnceLock::new(),
        }
    }

    /// The number of the document that requested it.
    pub fn number(&self) -> u64 {
        self.request.number
    }

    /// A description for people.
    pub fn name(&self) -> &str {
        &self.request.name
    }

    /// Its live figures, which remain after its end.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Its record, once it has ended with one.
    pub fn recording(&self) -> Option<&Arc<Recording>> {
        self.recording.get()
    }

    /// Time until its end; `None` for one that runs until it is stopped.
    pub fn remaining(&self) -> Option<Duration> {
        self.request.length.map(|length| length.saturating_sub(self.elapsed()))
    }

    /// Its current progress.
    pub fn snapshot(&self) -> Snapshot {
        // The end is set after the last figures, so it is read before them.
        let state = match self.request.cancel.is_cancelled() {
            _ if self.has_ended() => State::Ended,
            true => State::Stopping,
            false => State::Running,
        };
        let (requests, failures) = self.live.requests();
        let users = match state {
            State::Ended => self.users.load(Ordering::Relaxed),
            State::Running | State::Stopping => self.live.users(),
        };
        Snapshot {
            state,
            elapsed: self.elapsed(),
            remaining: self.remaining(),
            users,
            requests,
            failures,
        }
    }

    fn elapsed(&self) -> Duration {
        self.took.get().copied().unwrap_or_else(|| self.started.elapsed())
    }

    fn has_ended(&self) -> bool {
        self.took.get().is_some()
    }
}
