//! One look at a run as JSON, with the reference's keys, kinds and order.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::course::Course;
use crate::record::live::{Live, Series, total};
use crate::value::{Charset, Map, Value};

/// The most names that are shown: a page with more is of no use, and every one of them costs time.
const MOST_NAMES: usize = 1000;

/// The snapshot of a run, or of none.
pub(super) fn text(live: Option<&Live>, course: &Course, now: Duration) -> String {
    let all = live.map_or_else(|| total([]), Live::total);
    let (rps, avg_ms) = course.rate();
    let snapshot = Value::dict([
        ("totals", totals(&all)),
        ("latency_overall", overall(&all)),
        ("per_name", Value::Dict(live.map(per_name).unwrap_or_default())),
        ("rps", Value::Float(rps)),
        ("avg_ms", Value::Float(avg_ms)),
        ("ts", Value::Float(now.as_secs_f64())),
        ("latency_windows", course.windows(now)),
    ]);
    snapshot.to_json(Charset::Ascii)
}

fn totals(all: &Series) -> Value {
    let rate = all.failures as f64 / all.requests.max(1) as f64;
    Value::dict([
        ("requests", Value::from(all.requests)),
        ("successes", Value::from(all.requests - all.failures)),
        ("failures", Value::from(all.failures)),
        ("failure_rate", Value::Float(rate)),
    ])
}

fn percentile(series: &Series, percent: f64) -> Value {
    Value::Float(series.percentile_ms(percent))
}

fn overall(all: &Series) -> Value {
    Value::dict([
        ("count", Value::from(all.requests)),
        ("p50_ms", percentile(all, 50.0)),
        ("p90_ms", percentile(all, 90.0)),
        ("p95_ms", percentile(all, 95.0)),
        ("p99_ms", percentile(all, 99.0)),
        ("max_ms", percentile(all, 100.0)),
    ])
}

/// The names with requests that succeeded, methods together.
fn per_name(live: &Live) -> Map {
    let mut methods = IndexMap::<Arc<str>, usize>::new();
    live.each(|series| {
        if methods.len() < MOST_NAMES || methods.contains_key(&series.name) {
            *methods.entry(Arc::clone(&series.name)).or_default() += 1;
        }
    });
    // Only those of several methods are merged.
    let mut merged = IndexMap::<Arc<str>, Series>::new();
    let mut rows = IndexMap::<Arc<str>, Value>::new();
    live.each(|series| match methods.get(&series.name) {
        Some(1) => rows.extend(row(series).map(|row| (Arc::clone(&series.name), row))),
        Some(_) => {
            let known = merged.entry(Arc::clone(&series.name)).or_insert_with(|| total([]));
            *known = total([&*known, series]);
        }
        None => {}
    });
    let row_of = |name| rows.get(name).cloned().or_else(|| row(merged.get(name)?));
    methods.keys().filter_map(|name| Some((name.to_string(), row_of(name)?))).collect()
}

/// `None` where no request succeeded.
fn row(series: &Series) -> Option<Value> {
    let successes = series.requests - series.failures;
    if successes == 0 {
        return None;
    }
    let mean = series.latency_sum_us as f64 / 1000.0 / series.requests as f64;
    Some(Value::dict([
        ("count", Value::from(successes)),
        ("min_ms", percentile(series, 0.0)),
        ("max_ms", percentile(series, 100.0)),
        ("mean_ms", Value::Float(mean)),
        ("p50_ms", percentile(series, 50.0)),
        ("p90_ms", percentile(series, 90.0)),
        ("p95_ms", percentile(series, 95.0)),
        ("p99_ms", percentile(series, 99.0)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::request;

    fn course() -> Course {
        Course::new(Duration::ZERO, Duration::from_secs(10))
    }

    #[test]
    fn without_a_run_all_figures_are_zero_and_of_the_same_kind() {
        let text = text(None, &course(), Duration::from_secs(1000));
        let zero = r#"{"totals": {"requests": 0, "successes": 0, "failures": 0, "failure_rate": 0.0}, "latency_overall": {"count": 0, "p50_ms": 0.0, "p90_ms": 0.0, "p95_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0}, "per_name": {}, "rps": 0.0, "avg_ms": 0.0, "ts": 1000.0, "latency_windows": [{"start_time": 881.0, "#;
        assert!(text.starts_with(zero), "{text}");
    }

    #[test]
    fn names_have_their_successes_and_those_that_only_failed_have_no_row() {
        let live = Live::default();
        request(&live, "a</script>\u{1b}", 10, 1, false);
        request(&live, "a</script>\u{1b}", 30, 1, true);
        request(&live, "failed", 5, 1, true);
        let text = text(Some(&live), &course(), Duration::from_secs(1000));
        let totals = r#"{"totals": {"requests": 3, "successes": 1, "failures": 2, "#;
        assert!(text.starts_with(totals), "{text}");
        let name = r#""per_name": {"a</script>\u001b": {"count": 1, "min_ms": "#;
        assert!(text.contains(name) && !text.contains("\"failed\""), "{text}");
        assert!(text.contains(r#""mean_ms": 20.0, "#), "{text}");
    }

    #[test]
    fn t101_no_more_names_are_shown_than_a_page_can_hold() {
        let live = Live::default();
        (0..MOST_NAMES + 5).for_each(|number| request(&live, &number.to_string(), 1, 1, false));
        assert_eq!(per_name(&live).len(), MOST_NAMES);
        assert!(text(Some(&live), &course(), Duration::ZERO).len() < MOST_NAMES * 300);
    }
}
