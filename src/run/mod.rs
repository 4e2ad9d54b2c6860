//! Load tests in progress, as objects. A [`Run`] has its own live figures, its own way to be stopped
//! and its own record; [`Runs`] is the table of those in progress. Nothing here knows documents or the
//! wire.

mod runs;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::record::Recording;
use crate::record::live::Live;

pub use runs::{Lease, Runs};

/// What a run is to be.
#[derive(Debug)]
pub struct Request {
    /// The number of the document that asks for it.
    pub number: u64,
    /// What it is, for people.
    pub name: String,
    /// How long it lasts; `None` for one that runs until it is stopped.
    pub length: Option<Duration>,
    /// Ends the document.
    pub cancel: CancellationToken,
}

/// One execution of a load test.
#[derive(Debug)]
pub struct Run {
    request: Request,
    started: Instant,
    /// How long it took.
    took: OnceLock<Duration>,
    /// Virtual users at the last report: at the end none are left.
    users: AtomicUsize,
    live: Arc<Live>,
    recording: OnceLock<Arc<Recording>>,
}

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Running,
    /// It was told to stop and waits for requests in progress.
    Stopping,
    /// It has ended.
    Ended,
}

/// How a run is going; once it has ended, how it was then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Whether it goes on.
    pub state: State,
    /// Since it began.
    pub elapsed: Duration,
    /// Until its end; `None` for one that runs until it is stopped.
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

    /// The number of the document that asked for it.
    pub fn number(&self) -> u64 {
        self.request.number
    }

    /// What it is, for people.
    pub fn name(&self) -> &str {
        &self.request.name
    }

    /// Its figures, while it goes on and after.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// What it has measured, once it has ended with a record.
    pub fn recording(&self) -> Option<&Arc<Recording>> {
        self.recording.get()
    }

    /// Until its end; `None` for one that runs until it is stopped.
    pub fn remaining(&self) -> Option<Duration> {
        self.request.length.map(|length| length.saturating_sub(self.elapsed()))
    }

    /// How it is going.
    pub fn snapshot(&self) -> Snapshot {
        // The end comes after the last figures: it is read before them.
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
