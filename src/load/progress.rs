//! How a test is going, about once a second: what the engine reports to its caller while it runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::record::live::{Live, Series, since};

/// How often progress is reported.
const INTERVAL: Duration = Duration::from_secs(1);

/// How a test is going.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Since the test began.
    pub elapsed: Duration,
    /// Virtual users that run now.
    pub users: usize,
    /// Requests so far.
    pub requests: u64,
    /// Requests that failed so far.
    pub failures: u64,
    /// Since the last report.
    pub span: Duration,
    /// All requests since the last report.
    pub latest: Series,
    /// The figures by name.
    pub live: &'a Live,
}

/// Turns live figures into progress when it is due.
pub(super) struct Meter {
    next: Duration,
    last: Duration,
    /// What earlier tests left in the live figures.
    base: Series,
    before: Series,
}

impl Meter {
    pub(super) fn new(live: &Live) -> Self {
        let base = live.total();
        Self { next: INTERVAL, last: Duration::ZERO, before: base.clone(), base }
    }

    /// The progress, if a report is due `elapsed` after the test began.
    pub(super) fn read<'a>(
        &mut self,
        elapsed: Duration,
        live: &'a Live,
        users: &AtomicUsize,
    ) -> Option<Progress<'a>> {
        if elapsed < self.next {
            return None;
        }
        self.next = elapsed + INTERVAL;
        let total = live.total();
        let progress = Progress {
            elapsed,
            users: users.load(Ordering::Relaxed),
            requests: total.requests - self.base.requests,
            failures: total.failures - self.base.failures,
            span: elapsed - self.last,
            latest: since(&total, &self.before),
            live,
        };
        self.last = elapsed;
        self.before = total;
        Some(progress)
    }
}
