//! What happened: one [`Sample`] per request, kept in columns. A worker writes into its own
//! [`Recorder`] without locks; when the run ends its parts become a [`Recording`], and the server
//! keeps those in [`Records`] until they are cleared. Live figures go another way ([`live`]): latencies
//! per name, merged once a tick. What a run may keep is bounded ([`Allowance`]). Nothing here awaits,
//! and nothing here knows HTTP.

mod allowance;
mod columns;
pub mod diff;
mod errors;
pub mod file;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gates;
mod iterations;
pub mod live;
mod recorder;
mod sample;
pub mod sqlite;
pub mod stats;
mod summary;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::value::Value;

pub use allowance::Allowance;
pub use columns::Columns;
pub use errors::ErrorCount;
pub use iterations::Iterations;
pub use recorder::Recorder;
pub use sample::{
    ErrorId, Label, LabelId, MAX_LABEL_BYTES, NO_STATUS, OTHER_NAMES, Row, Sample, TICK_NANOS,
};
pub use summary::{Given, LatencySummary, NameSummary, Summary};

/// A finished run: the records of its workers.
#[derive(Debug)]
pub struct Recording {
    started_at: SystemTime,
    parts: Vec<Recorder>,
    /// What the user should know before trusting the figures (an overloaded load generator, an
    /// early end).
    pub warnings: Vec<String>,
    /// The number of virtual users over time.
    pub users: Vec<UserCount>,
    /// How many iterations it was to start, and started.
    pub iterations: Iterations,
    /// The action that was run, for the page that shows it. Reports hide its secrets.
    pub document: Option<Value>,
}

/// The number of virtual users at one moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserCount {
    /// The moment, from the start of the run.
    pub at: Duration,
    /// How many there were.
    pub users: u32,
}

impl Recording {
    /// A run that started at `started_at`, from its workers' records.
    pub fn new(started_at: SystemTime, parts: Vec<Recorder>) -> Self {
        let (warnings, users) = (Vec::new(), Vec::new());
        let iterations = Iterations::default();
        Self { started_at, parts, warnings, users, iterations, document: None }
    }

    /// When the run started.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// The number of requests.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Recorder::len).sum()
    }

    /// Whether it holds no requests.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Requests without a response that were dropped at the end of the run, which it does not hold.
    pub fn interrupted(&self) -> u64 {
        self.parts.iter().map(Recorder::interrupted).sum()
    }

    /// The memory that the record takes, in bytes.
    pub fn memory(&self) -> usize {
        self.parts.iter().map(Recorder::memory).sum()
    }

    /// Every request, worker by worker, each in the order in which they ended.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let epoch = self.started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.parts.iter().flat_map(move |part| part.rows(epoch))
    }

    /// How many requests failed with this error.
    pub fn count_errors(&self, text: &str) -> usize {
        self.parts.iter().map(|part| part.count_errors(text)).sum()
    }

    pub(crate) fn parts(&self) -> &[Recorder] {
        &self.parts
    }
}

/// Every run since the records were last cleared, oldest first. Cheap to clone: a report works on
/// its own snapshot while the next run writes.
#[derive(Debug, Clone, Default)]
pub struct Records {
    recordings: Vec<Arc<Recording>>,
}

impl Records {
    /// Adds a finished run.
    pub fn push(&mut self, recording: Arc<Recording>) {
        self.recordings.push(recording);
    }

    /// Removes all runs.
    pub fn clear(&mut self) {
        self.recordings.clear();
    }

    /// The runs.
    pub fn recordings(&self) -> &[Arc<Recording>] {
        &self.recordings
    }

    /// The number of requests in all runs.
    pub fn len(&self) -> usize {
        self.recordings.iter().map(|recording| recording.len()).sum()
    }

    /// Whether they hold no requests.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every request of every run.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.recordings.iter().flat_map(|recording| recording.rows())
    }

    /// The figures over all runs.
    pub fn summary(&self) -> Summary {
        let mut summary =
            Summary::of(self.recordings.iter().flat_map(|recording| recording.parts()));
        summary.interrupted = self.interrupted();
        summary.iterations = self.iterations();
        summary
    }

    /// Requests without a response that were dropped at the ends of the runs.
    pub fn interrupted(&self) -> u64 {
        self.recordings.iter().map(|recording| recording.interrupted()).sum()
    }

    /// Iterations of all runs.
    pub fn iterations(&self) -> Iterations {
        let mut iterations = Iterations::default();
        self.recordings.iter().for_each(|recording| iterations.add(recording.iterations));
        iterations
    }
}
