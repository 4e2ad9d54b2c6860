//! Sums of requests over several names or tests.

use super::read::KeptName;
use std::collections::BTreeMap;

use crate::record::diff::RunMetrics;
use crate::record::live::Series;
use crate::report::figures::{Stats, bar_of};

/// The figures of several names or tests.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) requests: u64,
    failures: u64,
    bytes: u64,
    sum_ms: f64,
    max_ms: f64,
    latencies: BTreeMap<u64, u64>,
}

impl Sum {
    pub(super) fn add(&mut self, name: &KeptName<'_>) {
        self.requests = self.requests.saturating_add(name.requests);
        self.failures = self.failures.saturating_add(name.failures);
        self.bytes = self.bytes.saturating_add(name.bytes);
        self.sum_ms += name.sum_ms;
        self.max_ms = self.max_ms.max(name.max_ms);
        name.latencies().for_each(|(micros, count)| self.count(micros, count));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.sum_ms += other.sum_ms;
        self.max_ms = self.max_ms.max(other.max_ms);
        other.latencies.iter().for_each(|(micros, count)| self.count(*micros, *count));
    }

    pub(super) fn count(&mut self, micros: u64, count: u64) {
        let sum = self.latencies.entry(micros).or_default();
        *sum = sum.saturating_add(count);
    }

    pub(super) fn of(series: &Series) -> Self {
        let mut sum = Self {
            requests: series.requests,
            failures: series.failures,
            bytes: series.bytes,
            sum_ms: series.latency_sum_us as f64 / 1000.0,
            ..Self::default()
        };
        for (millis, count) in series.latencies_ms() {
            sum.count((millis * 1000.0).round() as u64, count);
            sum.max_ms = millis;
        }
        sum
    }

    /// How many lie in each bar of the distribution.
    pub(super) fn bars(&self) -> BTreeMap<i32, u64> {
        let mut bars = BTreeMap::new();
        for (micros, count) in &self.latencies {
            *bars.entry(bar_of(*micros as f64 / 1000.0)).or_default() += count;
        }
        bars
    }

    /// What a comparison looks at.
    pub(super) fn metrics(&self) -> RunMetrics {
        let stats = self.stats();
        let known = Option::unwrap_or_default;
        RunMetrics {
            requests: stats.requests,
            failures: stats.failures,
            p50_ms: known(stats.p50_ms),
            p95_ms: known(stats.p95_ms),
            p99_ms: known(stats.p99_ms),
            mean_ms: known(stats.mean_ms),
            min_ms: known(stats.min_ms),
            p90_ms: known(stats.p90_ms),
            p999_ms: known(stats.p999_ms),
            max_ms: known(stats.max_ms),
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let (requests, failures, bytes) = (self.requests, self.failures, Some(self.bytes));
        let mut stats = Stats { requests, failures, bytes, ..Stats::default() };
        // How many latencies are at most so long.
        let mut upto = 0_u64;
        let steps: Vec<(u64, f64)> = self
            .latencies
            .iter()
            .map(|(micros, count)| {
                upto = upto.saturating_add(*count);
                (upto, *micros as f64 / 1000.0)
            })
            .collect();
        let mean = self.sum_ms / requests.max(1) as f64;
        stats.set_latencies(upto as usize, mean, |index| {
            let step = steps.partition_point(|(upto, _)| *upto <= index as u64);
            steps.get(step).map_or(self.max_ms, |(_, millis)| *millis)
        });
        stats
    }
}
