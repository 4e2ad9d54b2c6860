//! A load test of a run, in progress or ended: its live figures. Its record belongs to those who may
//! still ask for reports, not to the run.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::load;
use crate::record::live::Live;

/// A load test.
#[derive(Debug)]
pub struct Test {
    /// Its command.
    name: String,
    /// Its duration; `None` for one that runs until it is stopped.
    length: Option<Duration>,
    /// Its number among those of a search, from 1.
    probe: Option<usize>,
    started: Instant,
    started_at: SystemTime,
    /// How long it took, once it has ended.
    took: OnceLock<Duration>,
    /// Virtual users at the last report: at the end none are left.
    users: AtomicUsize,
    /// Requests per second at the last report, as the bits of a float.
    rate: AtomicU64,
    /// Whether another test ran at the same time.
    shared: AtomicBool,
    live: Arc<Live>,
}

/// The progress of a test; once it has ended, its last progress.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Snapshot {
    /// Whether it has ended.
    pub ended: bool,
    /// Time since it started.
    pub elapsed: Duration,
    /// Time until its end; `None` for one that runs until it is stopped.
    pub remaining: Option<Duration>,
    /// Virtual users; of a test that has ended, at its last report.
    pub users: usize,
    /// Requests so far.
    pub requests: u64,
    /// Requests that failed so far.
    pub failures: u64,
    /// Requests per second over the last interval, or over the whole test once it has ended.
    pub rps: f64,
}

impl Test {
    pub(super) fn new(name: String, length: Option<Duration>, live: Live) -> Self {
        Self {
            name,
            length,
            probe: None,
            started: Instant::now(),
            started_at: SystemTime::now(),
            took: OnceLock::new(),
            users: AtomicUsize::new(0),
            rate: AtomicU64::new(0),
            shared: AtomicBool::new(false),
            live: Arc::new(live),
        }
    }

    /// The same as a probe of a search, with its number.
    pub(super) fn with_probe(self, number: usize) -> Self {
        Self { probe: Some(number), ..self }
    }

    /// Its number among the probes of a search.
    pub fn probe(&self) -> Option<usize> {
        self.probe
    }

    /// Its command.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it started.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// Its live figures. After its end their sum remains, and the names unless they are very many.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Time until its end; `None` for one that runs until it is stopped.
    pub fn remaining(&self) -> Option<Duration> {
        self.length.map(|length| length.saturating_sub(self.elapsed()))
    }

    /// Another test runs at the same time.
    pub(super) fn share(&self) {
        self.shared.store(true, Ordering::Relaxed);
    }

    /// Whether another test ran at the same time, which disturbs what both measure.
    pub fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.took.get().is_some()
    }

    /// Its current progress.
    pub fn snapshot(&self) -> Snapshot {
        // The end is set after the last figures, so it is read before them.
        let ended = self.has_ended();
        let (requests, failures) = self.live.requests();
        let elapsed = self.elapsed();
        let (users, rps) = match ended {
            true => (
                self.users.load(Ordering::Relaxed),
                requests as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE),
            ),
            false => (self.live.users(), f64::from_bits(self.rate.load(Ordering::Relaxed))),
        };
        let remaining = self.remaining();
        Snapshot { ended, elapsed, remaining, users, requests, failures, rps }
    }

    fn elapsed(&self) -> Duration {
        self.took.get().copied().unwrap_or_else(|| self.started.elapsed())
    }

    pub(super) fn report(&self, progress: &load::Progress<'_>) {
        self.users.store(progress.users, Ordering::Relaxed);
        let rate = progress.latest.requests as f64 / progress.span.as_secs_f64();
        self.rate.store(rate.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.live.conclude();
        let _ = self.took.set(self.started.elapsed());
    }
}
