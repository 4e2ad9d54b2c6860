//! The figures over finished runs, exact: percentiles come from every request's time, interpolated
//! linearly between the two nearest ranks, as the reference does. They count from the intended
//! start where the run had an open model.

use std::collections::HashMap;
use std::sync::Arc;

use super::TICK_NANOS;
use super::recorder::Recorder;
use crate::value::{Map, Value};

/// The figures over a set of requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// All requests.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Latency over successes and failures.
    pub overall: LatencySummary,
    /// Per name, successes only (as the reference counts), in the order of the first success.
    pub per_name: Vec<NameSummary>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LatencySummary {
    /// How many requests.
    pub count: u64,
    /// The fastest.
    pub min_ms: f64,
    /// The arithmetic mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// The 90th percentile.
    pub p90_ms: f64,
    /// The 95th percentile.
    pub p95_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// The figures of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct NameSummary {
    /// The name.
    pub name: Arc<str>,
    /// All its requests.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Latency over the successes.
    pub latency: LatencySummary,
}

impl Summary {
    pub(super) fn of<'a>(parts: impl Iterator<Item = &'a Recorder>) -> Self {
        let mut names: Vec<(Arc<str>, u64, Vec<u64>)> = Vec::new();
        let mut places: HashMap<Arc<str>, usize> = HashMap::new();
        let mut all: Vec<u64> = Vec::new();
        for part in parts {
            let of_label: Vec<usize> = part
                .labels()
                .iter()
                .map(|label| {
                    *places.entry(Arc::clone(&label.name)).or_insert_with(|| {
                        names.push((Arc::clone(&label.name), 0, Vec::new()));
                        names.len() - 1
                    })
                })
                .collect();
            all.reserve(part.len());
            for (label, failed, latency) in part.latencies() {
                let ticks = latency.as_nanos() as u64 / TICK_NANOS;
                all.push(ticks);
                let name = of_label.get(label).and_then(|place| names.get_mut(*place));
                let Some((_, failures, successes)) = name else { continue };
                if failed {
                    *failures += 1;
                } else {
                    successes.push(ticks);
                }
            }
        }
        let failures = names.iter().map(|(_, failures, _)| failures).sum();
        Self {
            requests: all.len() as u64,
            failures,
            overall: LatencySummary::of(&mut all),
            per_name: names
                .into_iter()
                .map(|(name, failures, mut ticks)| NameSummary {
                    name,
                    requests: failures + ticks.len() as u64,
                    failures,
                    latency: LatencySummary::of(&mut ticks),
                })
                .filter(|name| name.requests > 0)
                .collect(),
        }
    }

    /// The share of requests that failed; 0 where there were none.
    pub fn failure_rate(&self) -> f64 {
        self.failures as f64 / self.requests.max(1) as f64
    }

    /// As `LD_summary` gives it: names with at least one success, in the reference's shape.
    pub fn to_value(&self) -> Value {
        let per_name: Map = self
            .per_name
            .iter()
            .filter(|name| name.latency.count > 0)
            .map(|name| {
                let latency = &name.latency;
                let figures = Value::dict([
                    ("count", Value::from(latency.count)),
                    ("min_ms", latency.min_ms.into()),
                    ("max_ms", latency.max_ms.into()),
                    ("mean_ms", latency.mean_ms.into()),
                    ("p50_ms", latency.p50_ms.into()),
                    ("p90_ms", latency.p90_ms.into()),
                    ("p95_ms", latency.p95_ms.into()),
                    ("p99_ms", latency.p99_ms.into()),
                ]);
                (name.name.to_string(), figures)
            })
            .collect();
        Value::dict([
            (
                "totals",
                Value::dict([
                    ("requests", Value::from(self.requests)),
                    ("successes", (self.requests - self.failures).into()),
                    ("failures", self.failures.into()),
                    ("failure_rate", self.failure_rate().into()),
                ]),
            ),
            (
                "latency_overall",
                Value::dict([
                    ("count", Value::from(self.overall.count)),
                    ("p50_ms", self.overall.p50_ms.into()),
                    ("p90_ms", self.overall.p90_ms.into()),
                    ("p95_ms", self.overall.p95_ms.into()),
                    ("p99_ms", self.overall.p99_ms.into()),
                    ("max_ms", self.overall.max_ms.into()),
                ]),
            ),
            ("per_name", Value::Dict(per_name)),
        ])
    }
}

impl LatencySummary {
    fn of(ticks: &mut [u64]) -> Self {
        ticks.sort_unstable();
        let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else {
            return Self::default();
        };
        let sum: u128 = ticks.iter().map(|ticks| u128::from(*ticks)).sum();
        Self {
            count: ticks.len() as u64,
            min_ms: millis(*first as f64),
            mean_ms: millis(sum as f64 / ticks.len() as f64),
            p50_ms: percentile_ms(ticks, 50.0),
            p90_ms: percentile_ms(ticks, 90.0),
            p95_ms: percentile_ms(ticks, 95.0),
            p99_ms: percentile_ms(ticks, 99.0),
            max_ms: millis(*last as f64),
        }
    }
}

/// A percentile (0 to 100) of `count` sorted numbers, asked for by their places: interpolated linearly
/// between the two nearest ranks (the method of `numpy.percentile`, type 7 of Hyndman and Fan); 0 of
/// none.
pub fn interpolate(count: usize, percentile: f64, at: impl Fn(usize) -> f64) -> f64 {
    let Some(last) = count.checked_sub(1) else { return 0.0 };
    let rank = percentile / 100.0 * last as f64;
    let below = (rank as usize).min(last);
    let (low, high) = (at(below), at((below + 1).min(last)));
    low + (high - low) * (rank - below as f64)
}

/// Interpolated in milliseconds and not in ticks, so that the last bit is the reference's too.
fn percentile_ms(sorted: &[u64], percentile: f64) -> f64 {
    interpolate(sorted.len(), percentile, |index| {
        sorted.get(index).map_or(0.0, |ticks| millis(*ticks as f64))
    })
}

fn millis(ticks: f64) -> f64 {
    ticks * TICK_NANOS as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_interpolated_between_the_nearest_ranks() {
        for (numbers, at, want) in [
            (&[][..], 50.0, 0.0),
            (&[7.0], 99.0, 7.0),
            (&[1.0, 2.0], 50.0, 1.5),
            (&[10.0, 20.0, 30.0, 40.0, 50.0], 90.0, 46.0),
            (&[10.0, 20.0, 30.0, 40.0, 50.0], 100.0, 50.0),
        ] {
            assert_eq!(interpolate(numbers.len(), at, |place| numbers[place]), want);
        }
    }
}
