//! The progress of a test, which the engine reports to its caller about once a second.

use std::time::Duration;

use crate::record::live::{Live, Series, since, total};

/// How often progress is reported.
const INTERVAL: Duration = Duration::from_secs(1);

/// The progress of a test.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Time since the test started.
    pub elapsed: Duration,
    /// Virtual users that are running.
    pub users: usize,
    /// Requests so far.
    pub requests: u64,
    /// Requests that failed so far.
    pub failures: u64,
    /// Time since the last report.
    pub span: Duration,
    /// All requests since the last report.
    pub latest: Series,
    /// The figures by name.
    pub live: &'a Live,
}

/// Turns live figures into progress when it is due.
#[derive(Debug)]
pub struct ProgressTicker {
    next: Duration,
    last: Duration,
    before: Series,
}

impl Default for ProgressTicker {
    /// That of a test that starts now.
    fn default() -> Self {
        Self { next: INTERVAL, last: Duration::ZERO, before: total([]) }
    }
}

impl ProgressTicker {
    /// The progress, if a report is due `elapsed` after the test started.
    pub fn read<'a>(&mut self, elapsed: Duration, live: &'a Live) -> Option<Progress<'a>> {
        if elapsed < self.next {
            return None;
        }
        self.next = elapsed + INTERVAL;
        let total = live.total();
        let progress = Progress {
            elapsed,
            users: live.users(),
            requests: total.requests,
            failures: total.failures,
            span: elapsed - self.last,
            latest: since(&total, &self.before),
            live,
        };
        self.last = elapsed;
        self.before = total;
        Some(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::request;

    #[test]
    fn progress_is_due_once_a_second_with_total_and_recent_requests() {
        let live = Live::default();
        live.change_users(0, 3);
        let mut ticker = ProgressTicker::default();
        let mut read = |millis| {
            let progress = ticker.read(Duration::from_millis(millis), &live)?;
            let Progress { users, requests, failures, span, latest, .. } = progress;
            Some((users, requests, failures, span.as_millis(), latest.requests))
        };
        request(&live, "a", 1, 1, true);
        assert_eq!(read(999), None);
        assert_eq!(read(1050), Some((3, 1, 1, 1050, 1)));
        request(&live, "a", 1, 1, false);
        request(&live, "b", 1, 1, false);
        assert_eq!(read(2049), None);
        assert_eq!(read(2050), Some((3, 3, 1, 1000, 2)));
        assert_eq!(read(3050), Some((3, 3, 1, 1000, 0)));
    }
}
