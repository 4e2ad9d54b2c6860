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
}

impl Iterations {
    /// How many were started per second; `None` of runs without a length.
    pub fn rate(&self) -> Option<f64> {
        (!self.span.is_zero()).then(|| self.started as f64 / self.span.as_secs_f64())
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
    }
}
