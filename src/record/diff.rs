//! Comparison of two finished runs: per name the latency percentiles, the mean and the failure
//! rate, and which of them regressed by more than a tolerance.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::stats::{interpolate, mean};
use super::{Label, Records, Row};
use crate::value::{Map, Value};

/// The figures of one name in one run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunMetrics {
    /// All its requests.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Median latency, successes and failures together.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Mean latency.
    pub mean_ms: f64,
    /// Shortest latency. This and the following are shown, but not compared.
    pub min_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// Longest latency.
    pub max_ms: f64,
}

impl RunMetrics {
    /// Computes the figures from all latencies of a name, in any order.
    pub fn of(requests: u64, failures: u64, latencies: &mut [f64]) -> Self {
        latencies.sort_unstable_by(f64::total_cmp);
        let percentile = |at| {
            interpolate(latencies.len(), at, |index| {
                latencies.get(index).copied().unwrap_or_default()
            })
        };
        Self {
            requests,
            failures,
            p50_ms: percentile(50.0),
            p95_ms: percentile(95.0),
            p99_ms: percentile(99.0),
            mean_ms: mean(latencies),
            min_ms: percentile(0.0),
            p90_ms: percentile(90.0),
            p999_ms: percentile(99.9),
            max_ms: percentile(100.0),
        }
    }

    /// The fraction of requests that failed; 0 without requests.
    pub fn failure_rate(&self) -> f64 {
        self.failures as f64 / self.requests.max(1) as f64
    }
}

/// A run's figures by name.
pub type Run = BTreeMap<String, RunMetrics>;

/// The figures of a record by name, as a database has them of a run.
pub fn of_records(records: &Records) -> Run {
    let name = |row: &Row<'_>| match (&*row.label.name, &*row.label.url) {
        ("", url) => url.to_owned(),
        (name, _) => name.to_owned(),
    };
    let mut numbers: HashMap<*const Label, usize> = HashMap::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut names: Vec<(u64, Vec<f64>)> = Vec::new();
    for row in records.rows() {
        let place = *numbers.entry(std::ptr::from_ref(row.label)).or_insert_with(|| {
            *places.entry(name(&row)).or_insert_with(|| {
                names.push((0, Vec::new()));
                names.len() - 1
            })
        });
        if let Some((failures, latencies)) = names.get_mut(place) {
            *failures += u64::from(row.failed());
            latencies.push(row.response_ms);
        }
    }
    let figures = places.into_iter().filter_map(|(name, place)| {
        let (failures, latencies) = names.get_mut(place)?;
        let latencies = &mut std::mem::take(latencies);
        Some((name, RunMetrics::of(latencies.len() as u64, *failures, latencies)))
    });
    figures.collect()
}

/// One figure in both runs.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Delta {
    baseline: f64,
    current: f64,
}

impl Delta {
    /// The growth relative to the baseline; 0 where the baseline is 0, as in the reference.
    fn share(self) -> f64 {
        if self.baseline > 0.0 { (self.current - self.baseline) / self.baseline } else { 0.0 }
    }

    /// Whether the figure, which is this metric, has become worse.
    fn is_worse(self, metric: &str, tolerance: f64) -> bool {
        let from_zero = self.baseline == 0.0 && self.current > 0.0;
        self.share() > tolerance || (metric == "failure_rate" && from_zero)
    }

    fn to_value(self) -> Value {
        Value::dict([
            ("baseline", Value::from(self.baseline)),
            ("current", self.current.into()),
            ("abs", (self.current - self.baseline).into()),
            ("pct", self.share().into()),
        ])
    }
}

/// A name's figures in both runs.
fn deltas(baseline: &Run, current: &Run, name: &str) -> [(&'static str, Delta); 5] {
    let before = baseline.get(name).copied().unwrap_or_default();
    let after = current.get(name).copied().unwrap_or_default();
    let delta = |figure: fn(&RunMetrics) -> f64| Delta {
        baseline: figure(&before),
        current: figure(&after),
    };
    [
        ("p50_ms", delta(|figures| figures.p50_ms)),
        ("p95_ms", delta(|figures| figures.p95_ms)),
        ("p99_ms", delta(|figures| figures.p99_ms)),
        ("failure_rate", delta(RunMetrics::failure_rate)),
        ("mean_ms", delta(|figures| figures.mean_ms)),
    ]
}

/// A figure that has become worse, or a name that the current run does not have.
#[derive(Debug, Clone, PartialEq)]
pub struct Regression {
    /// The name.
    pub name: String,
    /// The figure in the baseline and in the current run; `None` of a name without a request.
    pub figure: Option<(&'static str, f64, f64)>,
}

impl fmt::Display for Regression {
    /// `login: p95_ms 10.00 → 20.00 (+100 %)`
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        let Some((metric, baseline, current)) = self.figure else {
            return write!(out, "{name}: no request any more");
        };
        let digits = if metric == "failure_rate" { 4 } else { 2 };
        write!(out, "{name}: {metric} {baseline:.digits$} → {current:.digits$}")?;
        if baseline > 0.0 {
            write!(out, " (+{:.0} %)", Delta { baseline, current }.share() * 100.0)?;
        }
        Ok(())
    }
}

/// What [`compare`] calls a regression, and the names that the current run does not have.
pub fn regressions(baseline: &Run, current: &Run, tolerance: f64) -> Vec<Regression> {
    let mut regressions = Vec::new();
    for name in current.keys() {
        for (metric, delta) in deltas(baseline, current, name) {
            if delta.is_worse(metric, tolerance) {
                let figure = Some((metric, delta.baseline, delta.current));
                regressions.push(Regression { name: name.clone(), figure });
            }
        }
    }
    let lost = baseline.keys().filter(|name| !current.contains_key(*name));
    regressions.extend(lost.map(|name| Regression { name: name.clone(), figure: None }));
    regressions
}

/// Compares two runs, in the shape of `LD_diff_runs` without the runs' numbers. A metric is worse
/// when it grew by more than `tolerance` (0.1 = 10 %). A failure rate that was 0 is worse as soon as
/// it is not; a latency that was not measured before is not.
pub fn compare(baseline: &Run, current: &Run, tolerance: f64) -> Map {
    let mut names: Vec<&String> = baseline.keys().chain(current.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let (mut per_name, mut regressions) = (Map::new(), Vec::new());
    for name in names {
        let deltas = deltas(baseline, current, name);
        let worse = deltas.iter().filter(|(metric, delta)| delta.is_worse(metric, tolerance));
        let worse: Vec<Value> = worse.map(|(metric, _)| Value::from(*metric)).collect();
        let deltas = Value::dict(deltas.map(|(metric, delta)| (metric, delta.to_value())));
        per_name.insert(name.clone(), Value::dict([("deltas", deltas)]));
        if !worse.is_empty() {
            regressions.push(Value::dict([
                ("name", Value::from(name.as_str())),
                ("metrics", worse.into()),
            ]));
        }
    }
    let has_regressions = !regressions.is_empty();
    Map::from_iter([
        ("per_name".to_owned(), Value::Dict(per_name)),
        ("regressions".to_owned(), regressions.into()),
        ("has_regressions".to_owned(), has_regressions.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(names: &[(&str, u64, u64, &[f64])]) -> Run {
        names
            .iter()
            .map(|(name, requests, failures, latencies)| {
                ((*name).to_owned(), RunMetrics::of(*requests, *failures, &mut latencies.to_vec()))
            })
            .collect()
    }

    fn check(baseline: &Run, current: &Run, regressions: &str) {
        let diff = compare(baseline, current, 0.1);
        assert_eq!(diff["regressions"].to_text(), regressions);
        assert_eq!(diff["has_regressions"], Value::Bool(regressions != "[]"));
    }

    #[test]
    fn growth_by_more_than_the_tolerance_is_a_regression() {
        let baseline = run(&[("a", 2, 0, &[10.0, 10.0]), ("b", 1, 0, &[10.0])]);
        let current = run(&[("a", 2, 0, &[10.0, 20.0]), ("b", 1, 0, &[11.0])]);
        check(
            &baseline,
            &current,
            "[{'name': 'a', 'metrics': ['p50_ms', 'p95_ms', 'p99_ms', 'mean_ms']}]",
        );
        check(&current, &baseline, "[]");
    }

    #[test]
    fn regressions_are_told_in_words_and_a_name_that_is_gone_is_one() {
        let baseline = run(&[("a", 2, 0, &[10.0, 10.0]), ("b", 1, 0, &[10.0])]);
        let current = run(&[("a", 4, 1, &[10.0, 20.0])]);
        let found = regressions(&baseline, &current, 0.5);
        assert_eq!(
            found.iter().map(Regression::to_string).collect::<Vec<_>>(),
            [
                "a: p95_ms 10.00 → 19.50 (+95 %)",
                "a: p99_ms 10.00 → 19.90 (+99 %)",
                "a: failure_rate 0.0000 → 0.2500",
                "b: no request any more",
            ]
        );
        assert_eq!(regressions(&current, &current, 0.0), []);
    }

    #[test]
    fn a_failure_rate_that_rises_from_zero_is_a_regression() {
        let baseline = run(&[("a", 1000, 0, &[10.0])]);
        let current = run(&[("a", 1000, 1, &[10.0]), ("new", 1, 1, &[5.0])]);
        check(
            &baseline,
            &current,
            "[{'name': 'a', 'metrics': ['failure_rate']}, \
             {'name': 'new', 'metrics': ['failure_rate']}]",
        );
    }

    #[test]
    fn a_delta_has_the_shape_of_the_reference() {
        let diff = compare(&run(&[("a", 4, 1, &[10.0])]), &run(&[("a", 4, 2, &[15.0])]), 0.1);
        let Value::Dict(names) = &diff["per_name"] else { panic!("an object") };
        assert!(
            names["a"].to_text().starts_with(
                "{'deltas': {'p50_ms': {'baseline': 10.0, 'current': 15.0, 'abs': 5.0, 'pct': 0.5}, "
            ),
            "{}",
            names["a"].to_text()
        );
    }
}
