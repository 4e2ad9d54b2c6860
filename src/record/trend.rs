//! Figures of several stored runs side by side, and the gates that follow from them: what has been
//! reached before, with some headroom.

use indexmap::IndexMap;

use super::stats::{decimals, mean};
use crate::value::{Map, Value};

/// The failure rate that is always allowed: a gate at zero would fail by a single request.
const LEAST_FAILURE_RATE: f64 = 0.01;

/// Requests of a run, successes and failures together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Requests {
    /// How many failed.
    pub failures: u64,
    /// Their latencies in milliseconds, in any order.
    pub latencies: Vec<f64>,
}

/// The figures of some requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    requests: u64,
    failures: u64,
    mean_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
}

impl Figures {
    /// Computes them.
    pub fn of(Requests { failures, mut latencies }: Requests) -> Self {
        latencies.sort_unstable_by(f64::total_cmp);
        Self {
            requests: latencies.len() as u64,
            failures,
            mean_ms: mean(&latencies),
            p50_ms: nearest_rank(&latencies, 50.0),
            p95_ms: nearest_rank(&latencies, 95.0),
            p99_ms: nearest_rank(&latencies, 99.0),
        }
    }

    fn failure_rate(&self) -> f64 {
        self.failures as f64 / self.requests.max(1) as f64
    }

    fn into_members(self) -> [(String, Value); 7] {
        [
            ("requests", Value::from(self.requests)),
            ("failures", self.failures.into()),
            ("failure_rate", self.failure_rate().into()),
            ("mean_ms", self.mean_ms.into()),
            ("p50_ms", self.p50_ms.into()),
            ("p95_ms", self.p95_ms.into()),
            ("p99_ms", self.p99_ms.into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }
}

/// A percentile of sorted numbers as the reference takes it here: the number at the nearest rank, half
/// to even; 0 without numbers.
fn nearest_rank(sorted: &[f64], percentile: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let rank = (percentile / 100.0 * last as f64).round_ties_even() as usize;
    sorted.get(rank.min(last)).copied().unwrap_or(0.0)
}

/// A stored run.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendRun {
    /// Its number.
    pub run: i64,
    /// When it started, as it is stored.
    pub started_at: String,
    /// Its label.
    pub label: Option<String>,
    /// All its requests.
    pub overall: Figures,
    /// Its requests by name, in the order of their first ones.
    pub names: IndexMap<String, Figures>,
}

/// The runs as `LD_trend_runs` returns them; they are in the order of their numbers.
pub fn to_value(runs: &[TrendRun]) -> Value {
    let per_run = runs.iter().map(|run| {
        let head = [
            ("run_id".to_owned(), run.run.into()),
            ("started_at".to_owned(), run.started_at.as_str().into()),
            ("label".to_owned(), run.label.as_deref().into()),
        ];
        Value::Dict(head.into_iter().chain(run.overall.into_members()).collect())
    });
    let mut per_name: IndexMap<&str, Vec<Value>> = IndexMap::new();
    for run in runs {
        for (name, figures) in &run.names {
            let head = [("run_id".to_owned(), run.run.into())];
            let entry = head.into_iter().chain(figures.into_members()).collect();
            per_name.entry(name).or_default().push(Value::Dict(entry));
        }
    }
    let per_name = per_name.into_iter().map(|(name, runs)| (name.to_owned(), runs.into()));
    Value::dict([
        ("per_run", Value::List(per_run.collect())),
        ("per_name", Value::Dict(per_name.collect())),
    ])
}

/// Gates with this headroom above the worst of these runs.
pub fn gates(runs: &[TrendRun], tolerance_pct: f64) -> Value {
    if runs.is_empty() {
        return Vec::new().into();
    }
    let headroom = 1.0 + tolerance_pct / 100.0;
    let worst =
        |of: fn(&Figures) -> f64| runs.iter().map(|run| of(&run.overall)).fold(0.0, f64::max);
    let p95 = worst(|figures| figures.p95_ms);
    let failure_rate = (worst(Figures::failure_rate) * headroom).max(LEAST_FAILURE_RATE);
    let mut counts: Vec<u64> = runs.iter().map(|run| run.overall.requests).collect();
    counts.sort_unstable();
    let middle = counts.len() / 2;
    let at = |place: usize| counts.get(place).copied().unwrap_or(0);
    // Half of the median, rounded down.
    let requests = match counts.len() % 2 {
        1 => at(middle) / 2,
        _ => (at(middle.saturating_sub(1)) + at(middle)) / 4,
    };
    Value::List(vec![
        Value::dict([
            ("type", Value::from("latency_p95")),
            ("value", decimals(p95 * headroom, 2).into()),
            ("note", format!("max observed * {headroom:.2}").into()),
        ]),
        Value::dict([
            ("type", Value::from("failure_rate")),
            ("value", decimals(failure_rate, 4).into()),
        ]),
        Value::Dict(Map::from_iter([
            ("type".to_owned(), "requests".into()),
            ("op".to_owned(), "gte".into()),
            ("value".to_owned(), requests.into()),
        ])),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(failures: u64, latencies: &[f64]) -> Figures {
        Figures::of(Requests { failures, latencies: latencies.to_vec() })
    }

    fn run(number: i64, overall: Figures) -> TrendRun {
        TrendRun {
            run: number,
            started_at: "2026-01-01T00:00:00+00:00".to_owned(),
            label: None,
            overall,
            names: IndexMap::from([("a".to_owned(), overall)]),
        }
    }

    #[test]
    fn a_percentile_is_the_number_at_the_nearest_rank() {
        for (numbers, at, expected) in [
            (&[][..], 95.0, 0.0),
            (&[7.0], 50.0, 7.0),
            (&[1.0, 2.0], 50.0, 1.0),
            (&[1.0, 2.0, 3.0, 4.0], 50.0, 3.0),
            (&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 50.0, 3.0),
            (&[1.0, 2.0, 3.0], 99.0, 3.0),
        ] {
            assert_eq!(nearest_rank(numbers, at), expected, "{numbers:?} {at}");
        }
    }

    #[test]
    fn gates_leave_headroom_above_the_worst_run_and_half_of_the_usual_requests() {
        let runs = [
            run(1, figures(0, &[10.0; 9])),
            run(2, figures(1, &[20.0; 10])),
            run(3, figures(0, &[15.0; 4])),
        ];
        let expected = r#"[{"type": "latency_p95", "value": 22.0, "note": "max observed * 1.10"},
            {"type": "failure_rate", "value": 0.11}, {"type": "requests", "op": "gte", "value": 4}]"#;
        assert_eq!(gates(&runs, 10.0), Value::parse(expected).expect("JSON"));
        assert_eq!(gates(&[], 10.0), Value::List(Vec::new()));
        let steady = gates(&runs[..1], 0.0);
        assert!(steady.to_text().contains("'failure_rate', 'value': 0.01}"), "{steady:?}");
    }

    #[test]
    fn the_runs_of_a_name_are_in_the_order_of_the_runs() {
        let value = to_value(&[run(3, figures(0, &[1.0])), run(7, figures(1, &[2.0]))]);
        let Some(Value::List(runs)) = value.get("per_name").and_then(|names| names.get("a")) else {
            panic!("{value:?}")
        };
        let numbers: Vec<_> = runs.iter().filter_map(|run| run.get("run_id")).collect();
        assert_eq!(numbers, [&Value::Int(3), &Value::Int(7)]);
        assert_eq!(runs[1].get("failure_rate"), Some(&Value::Float(1.0)));
    }
}
