//! What happened: one [`Sample`] per request, kept in columns. A worker writes into its own
//! [`Recorder`] without locks; when the run ends its parts become a [`Recording`], and the server
//! keeps those in [`Records`] until they are cleared. Live figures go another way ([`live`]): fixed-
//! size histograms per name, merged once a tick. Nothing here awaits, and nothing here knows HTTP.

mod columns;
pub mod diff;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gates;
pub mod live;
mod recorder;
pub mod sqlite;
pub mod stats;
mod summary;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::value::Value;

pub use columns::Columns;
pub use recorder::{ErrorId, LabelId, Recorder};
pub use summary::{Given, LatencySummary, NameSummary, Summary};

/// Times are kept in ticks of this many nanoseconds: finer than any load test can tell apart, and
/// coarse enough that seven minutes fit 32 bits.
pub const TICK_NANOS: u64 = 100;

/// One request, as the driver that made it saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Method, URL and name.
    pub label: LabelId,
    /// When it was sent, from the start of the run.
    pub start: Duration,
    /// How late it was sent, against the plan of an open model; zero in a closed one.
    pub delay: Duration,
    /// From sending to the last byte of the answer.
    pub service: Duration,
    /// The protocol's status; 0 where no answer came.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Why it failed.
    pub error: Option<ErrorId>,
}

/// What a request is listed under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label {
    /// `GET`, `POST`, …
    pub method: Arc<str>,
    /// The URL; as the document writes it where its placeholders give too many different ones.
    pub url: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

/// One request, read back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// Method, URL and name.
    pub label: &'a Label,
    /// When it was sent, in seconds since the Unix epoch.
    pub start_time: f64,
    /// From sending to the last byte, in milliseconds.
    pub service_ms: f64,
    /// From the intended start to the last byte; the same as `service_ms` in a closed model.
    pub response_ms: f64,
    /// The protocol's status, where an answer came.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Why it failed.
    pub error: Option<&'a str>,
    /// The answer's body, where the run was asked to keep those of failures.
    pub body: Option<&'a str>,
}

impl Row<'_> {
    /// Whether it failed.
    pub fn failed(&self) -> bool {
        self.error.is_some()
    }
}

/// A finished run: what each worker recorded.
#[derive(Debug)]
pub struct Recording {
    started_at: SystemTime,
    parts: Vec<Recorder>,
    /// What the run's user should know before believing the figures (a saturated generator, an
    /// early end).
    pub warnings: Vec<String>,
    /// How many virtual users there were, over the run.
    pub users: Vec<UserCount>,
    /// The action that was run, for the page that shows it. Reports hide its secrets.
    pub document: Option<Value>,
}

/// How many virtual users there were at one moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserCount {
    /// The moment, from the start of the run.
    pub at: Duration,
    /// How many there were.
    pub users: u32,
}

impl Recording {
    /// The parts of one run that began at `started_at`.
    pub fn new(started_at: SystemTime, parts: Vec<Recorder>) -> Self {
        Self { started_at, parts, warnings: Vec::new(), users: Vec::new(), document: None }
    }

    /// When the run began.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// How many requests it holds.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Recorder::len).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that the record itself takes.
    pub fn memory(&self) -> usize {
        self.parts.iter().map(Recorder::memory).sum()
    }

    /// Every request, worker by worker, each worker's in the order in which they ended.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let epoch = self.started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.parts.iter().flat_map(move |part| part.rows(epoch))
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

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.recordings.clear();
    }

    /// The runs.
    pub fn recordings(&self) -> &[Arc<Recording>] {
        &self.recordings
    }

    /// How many requests they hold.
    pub fn len(&self) -> usize {
        self.recordings.iter().map(|recording| recording.len()).sum()
    }

    /// Whether they hold none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every request of every run.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.recordings.iter().flat_map(|recording| recording.rows())
    }

    /// The figures over all of them.
    pub fn summary(&self) -> Summary {
        Summary::of(self.recordings.iter().flat_map(|recording| recording.parts()))
    }
}
