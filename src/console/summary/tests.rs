//! Summaries of whole documents.

use proptest::prelude::*;

use super::*;
use crate::event::Failure;

const PAGE: Page = Page { width: 80, style: Style::UNICODE };

fn result(command: &str, ok: bool, value: &str) -> ActionResult {
    let value = Value::parse(value).expect("JSON");
    ActionResult { ok, ..ActionResult::new(1, command, Ok(value)) }
}

fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(Line::text).collect()
}

fn verdict(summary: &Summary, exit: Exit) -> Vec<String> {
    let (role, words) = summary.verdict(exit);
    texts(&verdict_lines(role, &words, PAGE))
}

fn test() -> ActionResult {
    let mut test = result(
        "LD_start_test",
        true,
        r#"{"summary": {
                "totals": {"requests": 1200, "failures": 603},
                "latency_overall": {"count": 1200, "mean_ms": 1.0, "p95_ms": 5.2, "max_ms": 61.4},
                "per_name": {"login": {"method": "POST", "requests": 1200, "failures": 603,
                                       "count": 597, "mean_ms": 1.7, "p95_ms": 5.2, "max_ms": 61.4}},
                "iterations": {"started": 121, "planned": 800, "dropped": 679,
                               "achieved_rate": 30.25, "span_s": 4.0}},
            "errors": [
                {"count": 600, "method": "POST", "name": "login", "error": "status_code expected 200, got 401"},
                {"count": 2, "method": "POST", "name": "login", "error": "timed out after 5 s"}],
            "statuses": {"none": 2, "200": 597, "401": 601},
            "peak_users": 3}"#,
    );
    test.warnings = vec!["679 of 800 planned iterations never started".to_owned()];
    test
}

#[test]
fn a_test_is_shown_with_its_load_figures_errors_statuses_and_warnings() {
    let mut summary = Summary::of("login.json");
    assert_eq!(
        texts(&summary.event(&Event::Result(test()), PAGE)),
        [
            "login.json   4.0 s   3 users   30.2 iterations/s (asked 200)",
            "latency in ms  requests  failed            /s  mean   p95   max",
            "POST login         1200     603  50.2%  300.0  1.70  5.20  61.4",
            "total              1200     603  50.2%  300.0  1.00  5.20  61.4",
            "latencies of names are of successes only",
            "errors    600 × POST login: status_code expected 200, got 401",
            "            2 × POST login: timed out after 5 s",
            "            1 × other errors (-o json lists more)",
            "statuses  no response × 2, 200 × 597, 401 × 601",
            "warnings  679 of 800 planned iterations never started",
        ]
    );
    assert_eq!(
        verdict(&summary, Exit::Done),
        [
            "! done, but 603 of 1200 requests failed (50.2 %) and 84.9 % of the asked load",
            "  was not made"
        ]
    );
}

#[test]
fn the_rate_that_was_asked_for_is_that_of_the_time_after_on_start() {
    let test = result(
        "LD_start_test",
        true,
        r#"{"summary": {"totals": {"requests": 800, "failures": 0}, "per_name": {},
            "iterations": {"planned": 800, "achieved_rate": 200, "span_s": 6.0, "waited_s": 2.0}}}"#,
    );
    let lines = texts(&Summary::of("a.json").event(&Event::Result(test), PAGE));
    assert_eq!(lines[0], "a.json   6.0 s   200.0 iterations/s (asked 200)");
}

#[test]
fn the_verdict_says_that_requests_were_sent_with_unresolved_placeholders() {
    let test = result(
        "LD_start_test",
        true,
        r#"{"summary": {"totals": {"requests": 400, "failures": 0}, "per_name": {},
            "unresolved": {"requests": 400, "placeholders": ["${item}"],
                           "remark": "400 requests were sent with ${item} unresolved"}}}"#,
    );
    let gate = |kind: &str, value: u64| {
        let gates = format!(
            r#"[{{"passed": true, "rule": {{"type": "{kind}", "value": {value}}}, "actual": {value}}}]"#
        );
        result("LD_assert_sla", true, &gates)
    };
    for (gate, last) in [
        (
            gate("failure_rate", 0),
            "! passed: the gate holds, but 400 requests were sent with ${item} unresolved",
        ),
        (gate("unresolved", 400), "✓ passed: the gate holds"),
    ] {
        let mut summary = Summary::of("a.json");
        summary.event(&Event::Result(test.clone()), PAGE);
        summary.event(&Event::Result(gate), PAGE);
        assert_eq!(verdict(&summary, Exit::Done), [last]);
    }
}

#[test]
fn what_the_requests_of_several_tests_and_searches_lacked_is_told_together() {
    let gaps = |requests: u64, placeholder: &str| {
        format!(r#""unresolved": {{"requests": {requests}, "placeholders": ["{placeholder}"]}}"#)
    };
    let test = |requests: u64, gaps: &str| {
        let totals = format!(r#"{{"requests": {requests}, "failures": 0}}"#);
        let value = format!(r#"{{"summary": {{"totals": {totals}, "per_name": {{}}, {gaps}}}}}"#);
        result("LD_start_test", true, &value)
    };
    let search = |gaps: &str| {
        let value = format!(
            r#"{{"value": 5, "unit": "users", "held_at": 5, "failed_at": 6, "probes": [], {gaps}}}"#
        );
        result("LD_find_breaking_point", true, &value)
    };
    let none = r#""unresolved": {"requests": 0, "placeholders": []}"#;
    for (results, last) in [
        (
            vec![test(9, &gaps(3, "${a}")), test(9, none), test(9, &gaps(4, "${b}"))],
            "! passed: no request failed, but 7 requests were sent with ${a} and ${b} unresolved",
        ),
        (vec![search(&gaps(1, "${a}"))], "! done, but 1 request was sent with ${a} unresolved"),
        (vec![search(none)], "✓ done"),
    ] {
        let mut summary = Summary::of("a.json");
        for result in results {
            summary.event(&Event::Result(result), PAGE);
        }
        let lines = verdict(&summary, Exit::Done).join(" ");
        assert_eq!(lines.split_whitespace().collect::<Vec<_>>().join(" "), last);
    }
}

#[test]
fn a_summary_that_repeats_the_figures_of_the_test_is_not_shown_again() {
    let mut summary = Summary::of("a.json");
    let test = test();
    let value = test.value.as_ref().and_then(|value| value.get("summary")).expect("a summary");
    let same = ActionResult::new(1, "LD_summary", Ok(value.clone()));
    let mut other = value.clone();
    let Value::Dict(members) = &mut other else { panic!("{other:?}") };
    members["totals"] = Value::parse(r#"{"requests": 7, "failures": 0}"#).expect("JSON");
    let other = ActionResult::new(2, "LD_summary", Ok(other));
    let lengths = [test, same.clone(), other, same]
        .map(|result| summary.event(&Event::Result(result), PAGE).len() > 2);
    assert_eq!(lengths, [true, false, true, true]);
}

#[test]
fn gates_and_reports_follow_and_what_has_no_figures_is_short() {
    let mut summary = Summary::of("a.json");
    let mut gates = result(
        "LD_assert_sla",
        false,
        r#"[{"passed": false, "rule": {"type": "failure_rate", "value": 0.01}, "actual": 0.5, "reason": "x"},
            {"passed": true, "rule": {"type": "latency_p95", "value": 200}, "actual": 5.2, "reason": ""}]"#,
    );
    gates.error = Some(Failure::new(FailureKind::Gate, "SLA gates failed: x"));
    let events = [
        gates,
        result("LD_generate_csv_report", true, r#""rep.csv""#),
        result("LD_generate_json_report", true, r#"["rep_success.json", "rep_failure.json"]"#),
        result("LD_clear_records", true, r#"{"status": "cleared"}"#),
        result("LD_register_variable", true, "null"),
        result("len", true, "3"),
        ActionResult::new(7, "LD_nope", Err(Failure::new(FailureKind::InvalidAction, "unknown"))),
    ];
    let lines: Vec<String> = events
        .into_iter()
        .flat_map(|result| texts(&summary.event(&Event::Result(result), PAGE)))
        .collect();
    assert_eq!(
        lines,
        [
            "gates     ✗ failure_rate 50 %, at most 1 %",
            "          ✓ latency_p95 5.2 ms, at most 200 ms",
            "report    csv rep.csv",
            "report    json rep_success.json",
            "          json rep_failure.json",
            r#"LD_clear_records  {"status":"cleared"}"#,
            "len  3",
            "✗ actions[7] LD_nope: unknown",
        ]
    );
    assert_eq!(
        verdict(&summary, Exit::ActionFailed),
        ["✗ failed: 1 of 2 gates does not hold, 1 action failed"]
    );
}

#[test]
fn only_the_ten_most_frequent_errors_are_listed_and_the_rest_counted() {
    let errors: Vec<Value> = (0..20u64)
        .map(|at| {
            Value::dict([
                ("count", Value::from(20 - at)),
                ("name", "n".into()),
                ("error", format!("error {at}").into()),
            ])
        })
        .collect();
    let value = Value::dict([("errors", Value::List(errors))]);
    let items = super::errors(&value, 1000, Style::PLAIN);
    assert_eq!(items.len(), MOST_ERRORS + 1);
    // 20 + 19 + … + 11 are listed.
    assert_eq!(items[MOST_ERRORS].1, "845 x other errors (-o json lists more)");
}

#[test]
fn good_statuses_need_no_line() {
    let value = Value::parse(r#"{"statuses": {"200": 5, "204": 1}}"#).expect("JSON");
    assert!(statuses(&value, Style::PLAIN).is_empty());
    let value = Value::parse(r#"{"statuses": {"200": 5, "302": 1}}"#).expect("JSON");
    assert_eq!(statuses(&value, Style::PLAIN)[0].1, "200 x 5, 302 x 1");
}

#[test]
fn a_server_that_sends_less_still_has_a_summary() {
    let mut summary = Summary::of("a.json");
    let old = r#"{"user_count": 1, "summary": {
        "totals": {"requests": 2, "successes": 2, "failures": 0, "failure_rate": 0.0},
        "latency_overall": {"count": 2, "p50_ms": 1.0, "max_ms": 2.0},
        "per_name": {"a": {"count": 2, "p50_ms": 1.0, "max_ms": 2.0}}}}"#;
    let lines = texts(&summary.event(&Event::Result(result("LD_start_test", true, old)), PAGE));
    assert_eq!(
        lines,
        [
            "a.json",
            "latency in ms  requests  failed   p50   max",
            "a                     2       0  1.00  2.00",
            "total                 2       0  1.00  2.00",
        ]
    );
}

#[test]
fn t23_nothing_that_a_server_sends_controls_the_terminal() {
    let hostile = "\\u001b]0;x\\u0007\\u202e\\u009b2J";
    let mut test = result(
        "LD_start_test",
        true,
        &format!(
            r#"{{"summary": {{"totals": {{"requests": 1, "failures": 1}},
                 "per_name": {{"{hostile}": {{"method": "{hostile}", "requests": 1}}}}}},
                "errors": [{{"count": 1, "method": "{hostile}", "name": "{hostile}", "error": "{hostile}"}}],
                "statuses": {{"{hostile}": 1}}}}"#
        ),
    );
    test.warnings = vec!["\u{1b}[2J".to_owned()];
    test.error = Some(Failure::new(FailureKind::Other, "\u{1b}[2J"));
    test.command = "\u{1b}[2J".to_owned();
    let mut summary = Summary::of("\u{1b}[2J");
    let page = Page { width: 60, style: Style::UNICODE };
    for line in summary.event(&Event::Result(test), page) {
        let line = line.render(Style::UNICODE);
        assert!(!line.contains(crate::escape::is_interpreted), "{line:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_line_of_a_summary_is_wider_than_the_terminal(
        room in 30..=200usize,
        name in any::<String>(),
        words in "[a-z日本\u{301}\u{1b} ]{0,300}",
        unicode: bool,
    ) {
        let style = if unicode { Style::UNICODE } else { Style::PLAIN };
        let page = Page { width: room, style };
        let mut summary = Summary::of(&name);
        let mut test = test();
        if let Some(Value::Dict(members)) = &mut test.value {
            let error = Value::dict([
                ("count", Value::from(u64::from(u32::MAX))),
                ("method", "GET".into()),
                ("name", name.as_str().into()),
                ("error", words.as_str().into()),
            ]);
            members.insert("errors".to_owned(), Value::List(vec![error]));
        }
        test.warnings = vec![words.clone()];
        test.error = Some(Failure::new(FailureKind::Other, words.as_str()));
        let value = ActionResult::new(0, &name, Ok(words.as_str().into()));
        let mut lines = summary.event(&Event::Result(test), page);
        lines.extend(summary.event(&Event::Result(value), page));
        let (role, words) = summary.verdict(Exit::ActionFailed);
        lines.extend(verdict_lines(role, &words, page));
        for line in lines {
            let line = line.text();
            prop_assert!(width(&line) <= room, "{} of {room}: {line:?}", width(&line));
        }
    }
}

#[test]
fn a_search_is_shown_with_what_it_found_and_each_probe() {
    let mut summary = Summary::of("a.json");
    let result = result(
        "LD_find_breaking_point",
        true,
        r#"{"value": 160.0, "unit": "iterations per second", "held_at": 160.0, "failed_at": 168.0,
            "probes": [
                {"load": 80.0, "held": true, "reason": "", "requests": 640, "failures": 0, "p95_ms": 8.04, "rate": 80.0},
                {"load": 168.0, "held": false, "reason": "latency_p95(overall)=350.0 not lte 200",
                 "requests": 1344, "failures": 0, "p95_ms": 350.0, "rate": 168.0}],
            "seconds": 131.0, "bounded": false, "ended": "found"}"#,
    );
    assert_eq!(
        texts(&summary.event(&Event::Result(result), PAGE)),
        [
            "160 iterations per second hold, 168 do not   (2 probes, 2 min 11 s)",
            "probes    ✓  80   640 requests  p95   8.0 ms",
            "          ✗ 168  1344 requests  p95 350.0 ms  latency_p95(overall)=350.0 not lte",
            "            200",
        ]
    );
    assert_eq!(verdict(&summary, Exit::Done), ["✓ done"]);
}

#[test]
fn a_search_that_found_nothing_says_so_with_its_failure() {
    let mut summary = Summary::of("a.json");
    let mut result = result(
        "LD_find_breaking_point",
        false,
        r#"{"value": null, "unit": "users", "held_at": null, "failed_at": 5, "probes": [], "seconds": 1.0}"#,
    );
    result.error = Some(Failure::new(FailureKind::Gate, "even 5 users did not hold"));
    assert_eq!(
        texts(&summary.event(&Event::Result(result), PAGE)),
        [
            "even 5 users do not hold   (0 probes, 1.0 s)",
            "✗ actions[1] LD_find_breaking_point: even 5 users did not hold",
        ]
    );
    assert_eq!(verdict(&summary, Exit::ActionFailed), ["✗ failed: 1 action failed"]);
}
