//! How much of the load was made that a test asked for.

use std::time::Duration;

/// How many iterations runs were to start, and started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Iterations {
    /// Those that were started.
    pub started: u64,
    /// Those that an open model planned; a closed one plans none.
    pub planned: u64,
    /// Those that were planned and never started.
    pub dropped: u64,
    /// How long iterations were started for.
    pub span: Duration,
    /// How much of that an open model waited for `on_start`, before its arrivals began.
    pub waited: Duration,
    /// Users that had not ended `on_start` at the end, and that the arrivals still waited for.
    pub starting: u64,
}

impl Iterations {
    /// How many were started per second; `None` of runs without a length.
    pub fn rate(&self) -> Option<f64> {
        self.per_second(self.started)
    }

    /// How many were planned per second.
    pub fn planned_rate(&self) -> Option<f64> {
        self.per_second(self.planned)
    }

    /// While users run `on_start` no iteration is planned, so that this time is no part of a rate.
    fn per_second(&self, count: u64) -> Option<f64> {
        let time = self.span.saturating_sub(self.waited);
        (!time.is_zero()).then(|| count as f64 / time.as_secs_f64())
    }

    /// Why iterations of an open model never started, and what to change.
    pub fn why_dropped(&self) -> String {
        match self.starting {
            0 => "all max_users were busy; raise max_users or lower the rate".to_owned(),
            left => format!(
                "arrivals wait until all users have ended on_start, and {left} had not; give its tasks \
                 a shorter timeout, or the test more time"
            ),
        }
    }

    /// The share of the planned ones that never started.
    pub fn dropped_share(&self) -> f64 {
        self.dropped as f64 / self.planned.max(1) as f64
    }

    pub(super) fn add(&mut self, other: Self) {
        self.started += other.started;
        self.planned += other.planned;
        self.dropped += other.dropped;
        self.span += other.span;
        self.waited += other.waited;
        self.starting += other.starting;
    }
}
