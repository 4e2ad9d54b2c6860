use super::*;
use crate::record::fixture::{Written, recorder};

fn keep(bench: &Bench, rows: &[Written<'_>]) {
    let started = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    bench.executor.shared.keep(Arc::new(Recording::new(started, vec![recorder(rows)])));
}

/// A bench with the database `runs.db` of two runs.
fn with_runs() -> Bench {
    let bench = Bench::new();
    keep(
        &bench,
        &[
            ("GET", "http://x/", "a", 200, 10.0, 3, None),
            ("GET", "http://x/", "b", 200, 20.0, 3, None),
        ],
    );
    bench.check(r#"[["LD_persist_records", ["runs.db", "first"]]]"#, &["1"]);
    keep(&bench, &[("GET", "http://x/", "b", 500, 40.0, 3, Some("HTTP 500"))]);
    bench.check(r#"[["LD_persist_records", ["runs.db", "second"]]]"#, &["2"]);
    bench
}

#[test]
fn a_trend_has_the_runs_of_a_file_and_its_names_oldest_first() {
    let bench = with_runs();
    let lines = bench.lines(r#"[["LD_trend_runs", ["runs.db"]]]"#);
    let run = |number: u8, label: &str, rest: &str| {
        format!(
            "{{'run_id': {number}, 'started_at': '2023-11-14T22:13:20+00:00', 'label': '{label}', \
             {rest}}}"
        )
    };
    assert!(
        lines[0].contains(&run(
            1,
            "first",
            "'requests': 2, 'failures': 0, 'failure_rate': 0.0, 'mean_ms': 15.0, 'p50_ms': 10.0, \
             'p95_ms': 20.0, 'p99_ms': 20.0"
        )),
        "{lines:?}"
    );
    assert!(lines[0].contains("'b': [{'run_id': 1, 'requests': 1,"), "{lines:?}");
    let lines = bench.lines(r#"[["LD_trend_runs", ["runs.db", 1, "a"]]]"#);
    let empty = "'requests': 1, 'failures': 0";
    assert!(lines[0].contains("'label': 'second'") && lines[0].contains(empty), "{lines:?}");
    let lines = bench.lines(r#"[["LD_trend_runs", ["runs.db", 5, "nobody"]]]"#);
    assert!(lines[0].ends_with("'p99_ms': 0.0}], 'per_name': {}}"), "{lines:?}");
}

#[test]
fn runs_of_a_file_that_does_not_exist_have_no_trend_and_no_gates() {
    check(r#"[["LD_trend_runs", ["no.db"]]]"#, &["{'per_run': [], 'per_name': {}}"]);
    check(r#"[["LD_calibrate_sla", ["no.db"]]]"#, &["[]"]);
}

#[test]
fn gates_are_calibrated_by_the_runs_of_a_file() {
    with_runs().check(
        r#"[["LD_calibrate_sla", {"database_path": "runs.db", "name_filter": "b"}]]"#,
        &["[{'type': 'latency_p95', 'value': 44.0, 'note': 'max observed * 1.10'}, \
           {'type': 'failure_rate', 'value': 0.55}, {'type': 'requests', 'op': 'gte', 'value': 0}]"],
    );
}

fn canary(baseline_rate: f64, candidate_rate: f64, p95: f64, rules: &str) -> String {
    let summary = |rate: f64, p95: f64| {
        format!(
            r#"{{"totals": {{"requests": 9, "failure_rate": {rate}}},
                 "latency_overall": {{"p50_ms": 1, "p95_ms": {p95}, "p99_ms": 3}}}}"#
        )
    };
    let (before, after) = (summary(baseline_rate, 10.0), summary(candidate_rate, p95));
    let json = format!(r#"[["LD_canary_verdict", [{before}, {after}, {rules}]]]"#);
    Bench::new().lines(&json).remove(0)
}

#[test]
fn a_canary_is_rolled_back_for_a_failed_gate_or_a_regression_and_for_nothing_else() {
    let rule = r#"[{"type": "latency_p95", "value": 20}]"#;
    for (line, verdict, reasons) in [
        (canary(0.1, 0.1, 10.0, "[]"), "promote", "[]"),
        (canary(0.1, 0.1, 10.0, rule), "promote", "[]"),
        (canary(0.1, 0.1, 11.5, rule), "rollback", "['regression: p95_ms 10.00 -> 11.50']"),
        (canary(0.0, 0.9, 10.0, "[]"), "rollback", "['regression: failure_rate 0.00 -> 0.90']"),
        (
            canary(0.0, 0.0, 10.0, r#"[{"type": "latency_p95", "value": 5}]"#),
            "rollback",
            r#"["SLA: {'type': 'latency_p95', 'value': 5}"]"#,
        ),
    ] {
        let expected = format!("{{'verdict': '{verdict}', 'reasons': {reasons}, ");
        assert!(line.starts_with(&expected), "{line}");
    }
    for candidate in ["{}", r#"{"totals": {"requests": 0}}"#] {
        let json = format!(r#"[["LD_canary_verdict", [{{}}, {candidate}, []]]]"#);
        let line = Bench::new().lines(&json).remove(0);
        let expected = "{'verdict': 'rollback', 'reasons': ['no requests were recorded'], ";
        assert!(line.starts_with(expected), "{line}");
    }
}

#[test]
fn errors_are_clustered_as_recorded_or_as_given() {
    let bench = Bench::new();
    keep(
        &bench,
        &[
            ("GET", "u", "n", 500, 1.0, 1, Some("code 5")),
            ("GET", "u", "n", 500, 1.0, 1, Some("code 7")),
        ],
    );
    bench.check(
        r#"[["LD_cluster_errors"],
            ["LD_cluster_errors", [[{"error": "", "status_code": 503, "name": "x"}, {}]]],
            ["LD_cluster_errors", [[5]]]]"#,
        &[
            "[{'signature': 'code <n>', 'count': 2, 'names': ['n'], 'samples': ['code 5', 'code 7']}]",
            "[{'signature': '<n>', 'count': 1, 'names': ['x'], 'samples': ['503']}, \
             {'signature': '', 'count': 1, 'names': [''], 'samples': ['']}]",
            "TypeError('LD_cluster_errors: /records/0: expected an object, got 5')",
        ],
    );
}

#[test]
fn annotations_are_printed_and_returned() {
    let bench = Bench::new();
    keep(&bench, &[("GET", "http://x/", "n", 500, 1.0, 1, Some("bad\nx"))]);
    bench.check(r#"[["LD_emit_github_annotations", ["a:b"]]]"#, &["1"]);
    let line = "::error title=a%3Ab::GET http://x/ (HTTP 500): bad%0Ax";
    assert_eq!(*bench.printed.lock().expect("unpoisoned"), [line]);
    let (events, _) = bench.run(r#"[["LD_emit_github_annotations", ["a:b"]]]"#);
    let Some(Event::Result(result)) = events.iter().find(|event| matches!(event, Event::Result(_)))
    else {
        panic!("{events:?}")
    };
    let details = format!("{{'count': 1, 'lines': ['{line}']}}");
    assert_eq!(result.value.as_ref().map(Value::to_text), Some(details));
}
