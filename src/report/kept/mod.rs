//! The figures of a run that are kept with it, when its rows are not, and of one in progress, whose
//! rows are still with its workers: enough for a page, a summary, and a testcase for each name.
//! [`members`] writes those of one test, [`Kept`] reads those of a whole run, from wherever they
//! come: what is missing in them is zero or empty.

mod errors;
mod figures;
mod partial;
mod read;
mod so_far;
mod sum;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::record::Conditions;
use crate::record::live::Series;
use crate::report::figures::MAX_NAMES;
use crate::value::{Map, Value};

pub use self::partial::{figures_of, run_of};
pub use self::read::Kept;
pub use self::so_far::{add_detail, curve_of};

/// What the figures of a test are made of, besides its summary and its errors.
#[derive(Debug, Clone, Copy)]
pub struct OfTest<'a> {
    /// When it started.
    pub started: SystemTime,
    /// How long it took, or has taken so far.
    pub took: Duration,
    /// The beginning of its action, without secrets.
    pub document: Option<&'a str>,
    /// How its load was generated.
    pub conditions: &'a Conditions,
    /// Its figures by method and name.
    pub series: &'a [Series],
}

/// The members of a test's figures.
pub fn members(of: OfTest<'_>) -> [(&'static str, Value); 6] {
    let mut order: Vec<&Series> = of.series.iter().filter(|series| series.requests > 0).collect();
    order.sort_by(|a, b| {
        let (a_is, b_is) = ((&a.method, &a.name), (&b.method, &b.name));
        b.requests.cmp(&a.requests).then(a_is.cmp(&b_is))
    });
    let further = order.split_off(order.len().min(MAX_NAMES));
    let mut names: Vec<Value> =
        order.iter().map(|series| name(&series.method, &series.name, 1, series)).collect();
    if !further.is_empty() {
        let sum = crate::record::live::total(further.iter().copied());
        names.push(name("", "", further.len(), &sum));
    }
    let started = of.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    [
        ("started", started.as_secs_f64().into()),
        ("seconds", of.took.as_secs_f64().into()),
        ("document", of.document.map_or(Value::Null, Value::from)),
        ("conditions", Value::Dict(of.conditions.to_members())),
        ("names", Value::List(names)),
        ("version", Value::from(1u64)),
    ]
}

/// A row of names; `together` names share it.
fn name(method: &str, name: &str, together: usize, series: &Series) -> Value {
    let mut max_ms = 0.0;
    let mut latencies = String::new();
    for (millis, count) in series.latencies_ms() {
        let separator = if latencies.is_empty() { "" } else { " " };
        latencies.push_str(&format!("{separator}{:.0}:{count}", millis * 1000.0));
        max_ms = millis;
    }
    Value::dict([
        ("method", Value::from(method)),
        ("name", name.into()),
        ("together", (together as u64).into()),
        ("requests", series.requests.into()),
        ("failures", series.failures.into()),
        ("bytes", series.bytes.into()),
        ("sum_ms", (series.latency_sum_us as f64 / 1000.0).into()),
        ("max_ms", Value::Float(max_ms)),
        ("latencies_us", latencies.into()),
    ])
}

/// Figures of a run with one test.
pub fn of_run(test: Map, series: Value) -> Value {
    Value::dict([("tests", Value::List(vec![Value::Dict(test)])), ("series", series)])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::Records;
    use crate::record::live::Live;

    /// What is kept of a run with these records, through JSON as a history has it.
    pub(crate) fn kept_of(records: &Records, series: &[Series]) -> Value {
        let recording = records.recordings().first().expect("a run");
        let mut test = Map::from_iter([
            ("summary".to_owned(), records.summary().to_details()),
            ("errors".to_owned(), records.errors(100).to_value()),
            ("warnings".to_owned(), Value::List(vec!["slow".into()])),
        ]);
        let of = OfTest {
            started: recording.started_at(),
            took: Duration::from_secs(4),
            document: Some("the document"),
            conditions: &recording.conditions,
            series,
        };
        test.extend(members(of).map(|(key, value)| (key.to_owned(), value)));
        let column = |of: [u64; 4]| Value::List(of.map(Value::from).to_vec());
        let points = Value::dict([
            ("test", column([0; 4])),
            ("elapsed_s", column([1, 2, 3, 4])),
            ("users", column([1, 2, 2, 1])),
            ("requests", column([10, 30, 60, 70])),
            ("failures", column([0, 1, 1, 1])),
            ("p50_ms", column([1, 2, 3, 4])),
            ("p95_ms", column([2, 3, 4, 5])),
            ("p99_ms", column([3, 4, 5, 6])),
        ]);
        let json = serde_json::to_string(&of_run(test, points)).expect("JSON");
        Value::parse(&json).expect("JSON")
    }

    #[test]
    fn what_is_kept_of_a_test_is_read_back_with_its_busiest_names_and_the_sum_of_the_others() {
        let live = Live::default();
        for number in 0..MAX_NAMES + 7 {
            crate::record::fixture::request(&live, &format!("n{number:03}"), 5, 10, false);
        }
        crate::record::fixture::request(&live, "n003", 50, 10, true);
        let records =
            crate::record::fixture::records(&[("GET", "u", "n003", 500, 50.0, 1, Some("x"))]);
        let value = kept_of(&records, &live.series());
        let kept = Kept::read(&value).expect("a test");
        let test = &kept.tests[0];
        assert_eq!((test.names.len(), test.further_names, test.further.requests), (150, 7, 7));
        let first = &test.names[0];
        assert_eq!(
            (first.method, first.name, first.requests, first.failures),
            ("GET", "n003", 2, 1)
        );
        let latencies: Vec<u64> = first.latencies().map(|(_, count)| count).collect();
        assert_eq!(latencies, [1, 1]);
        assert!((first.max_ms - 50.0).abs() < 0.5, "{}", first.max_ms);
        assert_eq!((test.errors[0].error, test.errors[0].count), ("x", 1));
        let error = &kept.figures().errors[0];
        let first = error.first.expect("a time");
        assert_eq!((first.seconds, error.last), (0.05, Some(first)));
        assert_eq!((test.warnings[0], test.document), ("slow", Some("the document")));
        let course: Vec<_> = kept.points.iter().map(|point| point.requests).collect();
        assert_eq!(course, [10, 20, 30, 10]);
    }

    #[test]
    fn figures_and_comparisons_of_a_record_count_requests_without_rows() {
        let failed = ("GET", "u", "late", 500, 1000.0, 1, Some("broken"));
        let posted = ("POST", "u", "first", 200, 1000.0, 1, None);
        let records =
            crate::record::fixture::partial(&[vec![failed; 50], vec![posted; 9000]].concat());
        let figures = figures_of(&records, None);
        assert_eq!((figures.total.failures, figures.is_partial), (50, true));
        let error = &figures.errors[0];
        assert_eq!((&*error.text, error.count), ("broken", 50));
        assert_eq!(error.names, [("GET".to_owned(), "late".to_owned(), 50)]);
        let run = run_of(&records);
        assert_eq!((run["late"].failures, run["first"].requests), (50, 8192 + 9000));
        assert!((run["first"].p95_ms - 1000.0).abs() < 20.0, "{:?}", run["first"]);
        let page = crate::report::tests::written(|out| {
            crate::report::html::write(&records, &crate::report::Options::default(), out)
        });
        assert!(page.contains("Some requests have no rows"));
        assert!(!page.contains("rows of this run are not kept"));
        assert!(page.contains("Requests by status (those with rows)"));
    }

    #[test]
    fn figures_of_any_other_form_are_no_run_or_an_empty_one() {
        for json in ["null", "{}", "7", r#"{"tests": []}"#, r#"{"tests": 1}"#, r#"{"tests": [1]}"#]
        {
            let value = Value::parse(json).expect("JSON");
            assert!(Kept::read(&value).is_none(), "{json}");
        }
        let odd = r#"{"tests": [{"summary": 1, "names": [1, {"requests": -5, "latencies_us": "a:b 1"}],
            "started": -1e400, "errors": [null]}], "series": {"elapsed_s": ["a", -1, 1e999]}}"#;
        let value = Value::parse(odd).expect("JSON");
        let kept = Kept::read(&value).expect("a test");
        assert_eq!((kept.requests, kept.points.len(), kept.tests[0].names.len()), (0, 3, 2));
    }
}
