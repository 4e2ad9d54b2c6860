//! What a page shows, whatever it is made of: [`Figures::of`] computes it from the requests of a
//! record, and a run that keeps no requests can fill it from what it has. Everything is bounded, and
//! nothing refers to the record.

mod names;
mod records;
mod time;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(super) use self::time::{Axis, hold_users};
use crate::memory::Share;
use crate::record::diff::{Regression, Run, RunMetrics, regressions};
use crate::record::gates::GateResult;
use crate::record::stats::interpolate;
use crate::record::{Gaps, Iterations};

/// Names with their own row; the busiest are chosen, the others share one.
pub const MAX_NAMES: usize = 150;

/// Names with their own charts.
pub const MAX_CHARTED_NAMES: usize = 50;

/// Errors with their own row.
pub const MAX_ERRORS: usize = 50;

/// Names that are listed with an error.
pub const MAX_NAMES_OF_ERROR: usize = 20;

/// Targets that are listed.
pub const MAX_TARGETS: usize = 5;

pub use crate::record::live::MOST_POINTS as MAX_POINTS;

/// All figures of a page.
#[derive(Debug, Default)]
pub struct Figures {
    /// What was run, and where.
    pub facts: Facts,
    /// The tests, in the order in which they ran.
    pub tests: Vec<TestFacts>,
    /// The hosts that were tested, `http://shop.test:8080`, at most [`MAX_TARGETS`].
    pub targets: Vec<String>,
    /// How many further hosts there were.
    pub further_targets: usize,
    /// Over all requests.
    pub total: Stats,
    /// How long the tests took together, in seconds, without the pauses between them.
    pub seconds: f64,
    /// How many requests took how long: the number of those in each bar of [`bar_of`]; empty where it is
    /// not known.
    pub latencies: BTreeMap<i32, u64>,
    /// The course of the tests.
    pub course: Course,
    /// By name, the busiest first, at most [`MAX_NAMES`] and one for the others.
    pub names: Vec<NameFigures>,
    /// How many names share the last of `names`.
    pub further_names: usize,
    /// Why names have no points of their own although they were measured.
    pub without_course: Option<String>,
    /// The most frequent first, at most [`MAX_ERRORS`].
    pub errors: Vec<ErrorFigures>,
    /// The number of further error texts, and of their occurrences.
    pub further_errors: (usize, u64),
    /// Requests by status; 0 is a request without a response. Protocols without statuses have none.
    pub statuses: BTreeMap<u16, StatusFigures>,
    /// How many requests are among errors, statuses and curves, while a test is in progress and these are
    /// not nearly all.
    pub counted: Option<u64>,
    /// Requests without a response that were dropped at the end.
    pub interrupted: u64,
    /// How much of the load was made.
    pub iterations: Iterations,
    /// What requests lacked.
    pub gaps: Gaps,
    /// What must be known before any figure is trusted, beside the warnings of the tests.
    pub warnings: Vec<String>,
    /// An earlier run that these figures are compared with.
    pub baseline: Option<Baseline>,
    /// The relative error of latencies: 0.01 for 1 %; `None` where they are exact.
    pub error: Option<f64>,
    /// Whether some requests have no rows: they are in the sums and not in courses and statuses.
    pub is_partial: bool,
    /// Their memory.
    pub share: Option<Share>,
}

/// What was run, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The document's name.
    pub document: Option<String>,
    /// A label for people.
    pub label: Option<String>,
    /// The number of the run.
    pub run: Option<u64>,
    /// The command of the program that ran it: `ldctl run`.
    pub command: Option<String>,
    /// The machine that generated the load.
    pub machine: Option<String>,
    /// Why the run has not passed, in one sentence.
    pub failed: Option<String>,
    /// Whether its test is in progress: the figures are those so far.
    pub is_in_progress: bool,
}

/// An earlier run, and what has become worse since.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    /// What it is called: `run 3 (nightly)`.
    pub title: String,
    /// Its figures over all requests.
    pub total: RunMetrics,
    /// Its figures by name.
    pub names: Run,
    /// How much worse a figure may be, as a share of the baseline's.
    pub tolerance: f64,
    /// What is worse.
    pub regressions: Vec<Regression>,
    /// All figures of the earlier run, where they are known.
    pub beside: Option<Arc<Beside>>,
}

/// The figures of an earlier run, and the results of the gates of both.
#[derive(Debug, Default)]
pub struct Beside {
    /// Its figures.
    pub figures: Figures,
    /// Its gates.
    pub gates: Vec<GateResult>,
    /// Those of the run that is compared with it.
    pub gates_of_new: Vec<GateResult>,
}

impl Baseline {
    /// Judges the figures of a run by it.
    #[must_use]
    pub fn against(mut self, current: &Run) -> Self {
        self.regressions = regressions(&self.names, current, self.tolerance);
        self
    }
}

/// One test.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TestFacts {
    /// When it began.
    pub started: Option<SystemTime>,
    /// How long it took.
    pub took: Duration,
    /// The model of load in words.
    pub load: Option<String>,
    /// The seed of its random choices.
    pub seed: Option<u64>,
    /// What must be known before its figures are trusted.
    pub warnings: Vec<String>,
    /// The beginning of its action, without secrets.
    pub document: Option<String>,
}

/// The figures of a set of requests. Latencies are in milliseconds and count every request, failed ones
/// included; those that are not known are `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stats {
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Bytes of the responses' bodies.
    pub bytes: Option<u64>,
    /// The shortest latency.
    pub min_ms: Option<f64>,
    /// The arithmetic mean.
    pub mean_ms: Option<f64>,
    /// The median.
    pub p50_ms: Option<f64>,
    /// The 90th percentile.
    pub p90_ms: Option<f64>,
    /// The 95th percentile.
    pub p95_ms: Option<f64>,
    /// The 99th percentile.
    pub p99_ms: Option<f64>,
    /// The 99.9th percentile.
    pub p999_ms: Option<f64>,
    /// The longest latency.
    pub max_ms: Option<f64>,
}

impl Stats {
    /// Sets the latencies from a number of sorted ones, accessed by index, and their mean.
    pub fn set_latencies(&mut self, count: usize, mean_ms: f64, at: impl Fn(usize) -> f64) {
        let Some(last) = count.checked_sub(1) else { return };
        let percentile = |percentile| Some(interpolate(count, percentile, &at));
        self.min_ms = Some(at(0));
        self.mean_ms = Some(mean_ms);
        self.p50_ms = percentile(50.0);
        self.p90_ms = percentile(90.0);
        self.p95_ms = percentile(95.0);
        self.p99_ms = percentile(99.0);
        self.p999_ms = percentile(99.9);
        self.max_ms = Some(at(last));
    }

    /// The fraction of requests that failed; 0 without requests.
    pub fn failure_rate(&self) -> f64 {
        self.failures as f64 / self.requests.max(1) as f64
    }
}

/// The course of the tests, one after the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course {
    /// Seconds per point.
    pub width: f64,
    /// Points at equal distances. The last may be left out where its figures mean nothing: it is
    /// shorter, or after the end of the load.
    pub points: Vec<Point>,
}

/// One point in time: the requests that ended in it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// How long it is, in seconds.
    pub seconds: f64,
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// The most users during it, where they were counted.
    pub users: Option<u32>,
    /// Requests per second that an open model asked for.
    pub asked: Option<f64>,
    /// The median latency in milliseconds; `None` without requests.
    pub p50_ms: Option<f64>,
    /// The 95th percentile.
    pub p95_ms: Option<f64>,
    /// The 99th percentile.
    pub p99_ms: Option<f64>,
}

/// The figures of one name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NameFigures {
    /// Method and name; `None` for the row that the names beyond [`MAX_NAMES`] share.
    pub label: Option<(String, String)>,
    /// Over its requests.
    pub stats: Stats,
    /// Its course at the same points as that of all; empty where it is not known.
    pub points: Vec<Point>,
    /// Whether a page fetches its charts when a reader opens it.
    pub is_charted_apart: bool,
}

/// One error text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorFigures {
    /// The text.
    pub text: String,
    /// How many requests had it.
    pub count: u64,
    /// When the first of them ended, where it is known.
    pub first: Option<Moment>,
    /// When the last of them ended.
    pub last: Option<Moment>,
    /// Method, name and number of the requests that had it, the most frequent first, at most
    /// [`MAX_NAMES_OF_ERROR`].
    pub names: Vec<(String, String, u64)>,
    /// How many further names had it.
    pub further_names: usize,
}

/// A moment of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// The time of day.
    pub at: SystemTime,
    /// Seconds on the time axis of the charts.
    pub seconds: f64,
}

/// The requests with one status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusFigures {
    /// Requests.
    pub count: u64,
    /// Those that failed.
    pub failures: u64,
}

/// Bars of the distribution of latencies in a decade.
pub const BARS_PER_DECADE: i32 = 10;

/// The bar of the distribution that a latency belongs to. Latencies below a microsecond are not
/// distinguished.
pub fn bar_of(millis: f64) -> i32 {
    (millis.max(0.001).log10() * f64::from(BARS_PER_DECADE)).floor() as i32
}

/// The latency at which a bar begins, in milliseconds.
pub fn bar_begin(bar: i32) -> f64 {
    10f64.powf(f64::from(bar) / f64::from(BARS_PER_DECADE))
}
