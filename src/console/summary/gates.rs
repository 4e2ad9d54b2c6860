//! Gates for people: what was measured, and what was allowed, with their units.

use crate::console::figures::{number, percent, text, trimmed};
use crate::console::style::{Role, Style};
use crate::value::Value;

/// The reason of a gate whose figure is not known.
const NOT_MEASURED: &str = "metric not available in summary";

/// The results of gates, if a value is that.
pub(super) fn verdicts(value: &Value) -> Option<&[Value]> {
    let (Value::List(verdicts) | Value::Tuple(verdicts)) = value else { return None };
    let is_verdict = |verdict: &Value| {
        matches!(verdict.get("passed"), Some(Value::Bool(_))) && verdict.get("rule").is_some()
    };
    (!verdicts.is_empty() && verdicts.iter().all(is_verdict)).then_some(&**verdicts)
}

/// Whether a gate judges requests with unresolved placeholders.
pub(super) fn judges_unresolved(verdict: &Value) -> bool {
    let kind = verdict.get("rule").and_then(|rule| rule.get("type"));
    kind.and_then(Value::as_str) == Some("unresolved")
}

/// Whether a gate holds.
pub(super) fn holds(verdict: &Value) -> bool {
    verdict.get("passed") == Some(&Value::Bool(true))
}

/// The line of a gate.
pub(super) fn line(verdict: &Value, style: Style) -> (Role, String) {
    let role = if holds(verdict) { Role::Good } else { Role::Bad };
    (role, format!("{} {}", style.symbol(role), words(verdict)))
}

fn words(verdict: &Value) -> String {
    let none = Value::Null;
    let rule = verdict.get("rule").unwrap_or(&none);
    let (kind, name) = (text(rule, "type"), text(rule, "name"));
    let subject = if name.is_empty() { kind.clone() } else { format!("{kind} of {name}") };
    let limit = match rule.get("value") {
        Some(Value::Str(text)) => text.trim().parse().ok(),
        Some(value) => value.as_f64(),
        None => None,
    };
    let op = rule.get("op").map_or_else(|| "lte".to_owned(), Value::to_text);
    let comparison = match op.to_lowercase().as_str() {
        "lt" => "below",
        "lte" => "at most",
        "gt" => "above",
        "gte" => "at least",
        _ => "",
    };
    let reason = text(verdict, "reason");
    match (number(verdict, "actual"), limit) {
        (Some(actual), Some(limit)) if !comparison.is_empty() => {
            let words = format!(
                "{subject} {}, {comparison} {}",
                with_unit(&kind, actual, Some(limit)),
                with_unit(&kind, limit, None)
            );
            // A gate may fail although the figures compare: of a test without a request.
            let (expected, holds) = (compare(&op, actual, limit), holds(verdict));
            if expected == holds || reason.is_empty() {
                words
            } else {
                format!("{words}: {reason}")
            }
        }
        (None, Some(limit)) if reason == NOT_MEASURED && !comparison.is_empty() => {
            format!("{subject} not measured, {comparison} {}", with_unit(&kind, limit, None))
        }
        _ if reason.is_empty() => subject,
        _ => format!("{subject}: {reason}"),
    }
}

fn compare(op: &str, actual: f64, limit: f64) -> bool {
    match op.to_lowercase().as_str() {
        "lt" => actual < limit,
        "gt" => actual > limit,
        "gte" => actual >= limit,
        _ => actual <= limit,
    }
}

/// A figure with its unit. One that is rounded still compares with its limit as it did.
fn with_unit(kind: &str, figure: f64, limit: Option<f64>) -> String {
    let number = |figure: f64, limit: Option<f64>| {
        let rounded = |decimals: usize| trimmed(figure, decimals);
        let differs = |text: &String| {
            let shown = text.parse::<f64>().ok();
            limit.is_none_or(|limit| {
                shown.map(|shown| shown.partial_cmp(&limit)) == Some(figure.partial_cmp(&limit))
            })
        };
        let first = if limit.is_some() && figure.abs() >= 10.0 { 1 } else { 2 };
        (first..=9).map(rounded).find(differs).unwrap_or_else(|| figure.to_string())
    };
    match kind {
        _ if kind.starts_with("latency_") => format!("{} ms", number(figure, limit)),
        "failure_rate" if limit.is_none() => format!("{} %", trimmed(figure * 100.0, 6)),
        "failure_rate" => {
            let text = percent(figure);
            let shown = text.parse::<f64>().ok();
            let limit = limit.map(|limit| limit * 100.0);
            match (shown, limit) {
                (Some(shown), Some(limit))
                    if shown.partial_cmp(&limit) != (figure * 100.0).partial_cmp(&limit) =>
                {
                    format!("{} %", number(figure * 100.0, Some(limit)))
                }
                _ => format!("{text} %"),
            }
        }
        "achieved_rate" => format!("{} iterations/s", number(figure, limit)),
        "dropped_iterations" => format!("{} iterations", number(figure, limit)),
        "requests" | "interrupted" | "unresolved" => format!("{} requests", number(figure, limit)),
        _ => number(figure, limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, passed: bool, actual: &str, reason: &str, expected: &str) {
        let verdict = format!(
            r#"{{"passed": {passed}, "rule": {rule}, "actual": {actual}, "reason": "{reason}"}}"#
        );
        let verdict = Value::parse(&verdict).expect("JSON");
        assert_eq!(line(&verdict, Style::UNICODE).1, expected);
    }

    #[test]
    fn figure_and_limit_have_their_unit() {
        check(
            r#"{"type": "failure_rate", "value": 0.01}"#,
            false,
            "0.5",
            "failure_rate(overall)=0.5 not lte 0.01",
            "✗ failure_rate 50 %, at most 1 %",
        );
        check(
            r#"{"type": "latency_p95", "value": 200, "name": "GET items"}"#,
            true,
            "5.2341",
            "",
            "✓ latency_p95 of GET items 5.23 ms, at most 200 ms",
        );
        check(
            r#"{"type": "dropped_iterations", "value": 0}"#,
            false,
            "679.0",
            "x",
            "✗ dropped_iterations 679 iterations, at most 0 iterations",
        );
        check(
            r#"{"type": "achieved_rate", "op": "GTE", "value": "190"}"#,
            false,
            "30.25",
            "x",
            "✗ achieved_rate 30.2 iterations/s, at least 190 iterations/s",
        );
        check(
            r#"{"type": "requests", "op": "gt", "value": 10}"#,
            true,
            "11",
            "",
            "✓ requests 11 requests, above 10 requests",
        );
    }

    #[test]
    fn a_figure_just_beyond_its_limit_is_not_rounded_to_it() {
        check(
            r#"{"type": "latency_p95", "value": 200}"#,
            false,
            "200.004",
            "x",
            "✗ latency_p95 200.004 ms, at most 200 ms",
        );
        check(
            r#"{"type": "failure_rate", "value": 0.01}"#,
            false,
            "0.0100004",
            "x",
            "✗ failure_rate 1.00004 %, at most 1 %",
        );
    }

    #[test]
    fn a_gate_without_a_figure_has_its_reason() {
        check(
            r#"{"type": "latency_p95", "name": "x", "value": 1}"#,
            false,
            "null",
            "metric not available in summary",
            "✗ latency_p95 of x not measured, at most 1 ms",
        );
        check(
            r#"{"type": "failure_rate", "value": 1}"#,
            false,
            "0.0",
            "no requests were recorded",
            "✗ failure_rate 0 %, at most 100 %: no requests were recorded",
        );
    }

    #[test]
    fn other_lists_are_no_gates() {
        for text in ["[]", "[1]", r#"[{"passed": true}]"#, "{}", "null"] {
            assert_eq!(verdicts(&Value::parse(text).expect("JSON")), None, "{text}");
        }
    }
}
