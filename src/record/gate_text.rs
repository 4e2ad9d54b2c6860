//! A gate as it is written on a command line: `latency_p95(login)<200ms`. It becomes the rule of a
//! document, so that it is judged and reported as one.

use super::gates::METRICS;
use super::summary::Metric;
use crate::value::field::nearest;
use crate::value::{Map, Value};

/// Comparisons and their names in rules; one that begins like another stands before it.
const COMPARISONS: [(&str, &str); 4] = [("<=", "lte"), ("<", "lt"), (">=", "gte"), (">", "gt")];

/// The value of a figure in a rule that stands for a share of the planned iterations.
const DROPPED_RATE: &str = "dropped_rate";

/// Parses `FIGURE<VALUE`, with any of `<`, `<=`, `>` and `>=`, and with the name of requests after the
/// figure: `FIGURE(NAME)<VALUE`. Returns the rule of `LD_assert_sla`.
pub fn rule(text: &str) -> Result<Value, String> {
    let text = text.trim();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (kind, rest) = text.split_at(text.find(|c| !is_word(c)).unwrap_or(text.len()));
    let found = METRICS.iter().find(|(name, _)| *name == kind);
    let (kind, metric) = *found.ok_or_else(|| unknown(kind))?;
    let (name, rest) = name(rest.trim_start())?;
    let compared = COMPARISONS.iter().find_map(|(sign, op)| Some((*op, rest.strip_prefix(sign)?)));
    let (op, limit) = compared
        .ok_or_else(|| format!("expected <, <=, > or >= and a value after {kind}: {kind}<VALUE"))?;
    let (number, unit) = number(limit.trim())?;
    let (kind, limit) = match (metric, unit) {
        (Metric::DroppedIterations, "%") => (DROPPED_RATE, number / 100.0),
        _ => (kind, of_unit(metric, number, unit).ok_or_else(|| wrong_unit(kind, metric, unit))?),
    };
    if matches!(metric, Metric::FailureRate | Metric::DroppedRate) {
        match unit {
            "%" if limit > 1.0 => return Err(format!("{kind} is at most 100%")),
            "%" => {}
            _ if limit >= 1.0 => {
                return Err(format!("{kind} is a share below 1; write {number}% for percent"));
            }
            _ => {}
        }
    }
    match name {
        None if metric == Metric::Mean => {
            return Err(format!("{kind} is known of names only; write {kind}(NAME)<VALUE"));
        }
        Some(_) if metric.is_of_the_end() => {
            return Err(format!("{kind} is known of whole tests only; leave the name out"));
        }
        _ => {}
    }
    let mut rule = Map::new();
    rule.insert("type".to_owned(), kind.into());
    rule.insert("op".to_owned(), op.into());
    rule.insert("value".to_owned(), Value::of_number(limit));
    if let Some(name) = name {
        rule.insert("name".to_owned(), name.into());
    }
    Ok(Value::Dict(rule))
}

fn unknown(kind: &str) -> String {
    let names = || METRICS.iter().map(|(name, _)| *name);
    let short = names().find(|name| name.strip_prefix("latency_") == Some(kind));
    let meant = short.or_else(|| nearest(kind, names()));
    let meant = meant.map_or_else(String::new, |name| format!("did you mean {name}? "));
    let known = names().collect::<Vec<_>>().join(", ");
    let what = match kind {
        "" => "a gate begins with a figure, as in latency_p95<200ms".to_owned(),
        _ => format!("no figure is called {kind:?}"),
    };
    format!("{what}; {meant}the figures are {known}")
}

/// The name in parentheses, which may itself have any characters, and what follows.
fn name(rest: &str) -> Result<(Option<&str>, &str), String> {
    let Some(inside) = rest.strip_prefix('(') else { return Ok((None, rest)) };
    match inside.rsplit_once(')') {
        None => Err("the name in parentheses does not end".to_owned()),
        Some(("", _)) => Err("there is no name in the parentheses".to_owned()),
        Some((name, rest)) => Ok((Some(name), rest.trim_start())),
    }
}

/// A number and its unit.
fn number(text: &str) -> Result<(f64, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    match digits.parse() {
        Ok(number) => Ok((number, unit.trim_start())),
        Err(_) => Err(format!("expected a number of at least 0, got {text:?}")),
    }
}

fn of_unit(metric: Metric, number: f64, unit: &str) -> Option<f64> {
    Some(match (metric, unit) {
        (_, "") => number,
        (Metric::FailureRate | Metric::DroppedRate, "%") => number / 100.0,
        (Metric::AchievedRate, "/s") => number,
        (latency, "ms") if is_latency(latency) => number,
        (latency, "s") if is_latency(latency) => number * 1000.0,
        _ => return None,
    })
}

fn is_latency(metric: Metric) -> bool {
    use Metric::{Mean, P50, P90, P95, P99};
    matches!(metric, P50 | P90 | P95 | P99 | Mean)
}

fn wrong_unit(kind: &str, metric: Metric, unit: &str) -> String {
    let units = match metric {
        Metric::FailureRate | Metric::DroppedRate => "is a share: 0.01 or 1%",
        Metric::AchievedRate => "is a rate: 190 or 190/s",
        Metric::DroppedIterations => "is a number or a share: 10 or 1%",
        Metric::Requests | Metric::Interrupted | Metric::Unresolved | Metric::FailedExtractions => {
            "is a number"
        }
        _ => "is a time: 200, 200ms or 0.2s",
    };
    format!("{unit:?} is no unit of {kind}, which {units}")
}

#[cfg(test)]
mod tests {
    use super::super::gates::Rule;
    use super::*;
    use crate::value::Reader;

    fn check(text: &str, expected: &str) {
        let rule = rule(text).expect(text);
        assert_eq!(serde_json::to_string(&rule).expect("JSON"), expected, "{text}");
        Rule::read(&Reader::root(&rule)).expect("a rule of a document");
    }

    #[test]
    fn a_written_gate_is_a_rule_of_a_document() {
        check("latency_p95<200", r#"{"type":"latency_p95","op":"lt","value":200}"#);
        check("latency_p95 <= 200ms", r#"{"type":"latency_p95","op":"lte","value":200}"#);
        check("latency_p99<0.25s", r#"{"type":"latency_p99","op":"lt","value":250}"#);
        check("failure_rate<1%", r#"{"type":"failure_rate","op":"lt","value":0.01}"#);
        check("failure_rate<100%", r#"{"type":"failure_rate","op":"lt","value":1}"#);
        check("requests>=1000", r#"{"type":"requests","op":"gte","value":1000}"#);
        check("achieved_rate>190/s", r#"{"type":"achieved_rate","op":"gt","value":190}"#);
        check("dropped_iterations<10", r#"{"type":"dropped_iterations","op":"lt","value":10}"#);
        check("dropped_iterations<1%", r#"{"type":"dropped_rate","op":"lt","value":0.01}"#);
        check("unresolved<=0", r#"{"type":"unresolved","op":"lte","value":0}"#);
        check("interrupted<=0", r#"{"type":"interrupted","op":"lte","value":0}"#);
    }

    #[test]
    fn the_name_of_a_gate_may_hold_what_gates_are_made_of() {
        check(
            "failure_rate(login)<1%",
            r#"{"type":"failure_rate","op":"lt","value":0.01,"name":"login"}"#,
        );
        check(
            "latency_mean( GET /a(b)?c<1 ) < 5",
            r#"{"type":"latency_mean","op":"lt","value":5,"name":" GET /a(b)?c<1 "}"#,
        );
    }

    #[test]
    fn every_figure_of_documents_can_be_written() {
        for (name, metric) in METRICS {
            let named = if metric == Metric::Mean { "(a)" } else { "" };
            rule(&format!("{name}{named}<0.5")).expect(name);
        }
    }

    #[test]
    fn a_gate_that_cannot_be_judged_is_refused_with_what_is_wrong() {
        for (text, words) in [
            ("", "begins with a figure"),
            ("p95<200", "no figure is called \"p95\"; did you mean latency_p95? the figures are"),
            ("failure_rat<1%", "did you mean failure_rate?"),
            ("speed<1", "the figures are latency_p50, latency_p90, latency_p95,"),
            ("latency_p95", "expected <, <=, > or >= and a value after latency_p95"),
            ("latency_p95=200", "expected <, <=, > or >="),
            ("latency_p95<", "expected a number of at least 0, got \"\""),
            ("latency_p95<-1", "expected a number of at least 0, got \"-1\""),
            ("latency_p95<1.2.3", "expected a number"),
            ("latency_p95<5m", "\"m\" is no unit of latency_p95, which is a time"),
            ("requests>5%", "\"%\" is no unit of requests, which is a number"),
            ("failure_rate<5", "failure_rate is a share below 1; write 5% for percent"),
            ("failure_rate<101%", "is at most 100%"),
            ("failure_rate<1", "failure_rate is a share below 1; write 1% for percent"),
            ("dropped_rate<=1.0", "dropped_rate is a share below 1; write 1% for percent"),
            ("failure_rate(login<1%", "the name in parentheses does not end"),
            ("failure_rate()<1%", "there is no name in the parentheses"),
            ("latency_mean<5", "write latency_mean(NAME)<VALUE"),
            ("achieved_rate(a)>5", "known of whole tests only"),
        ] {
            let refusal = rule(text).expect_err(text);
            assert!(refusal.contains(words), "{text}: {refusal}");
        }
    }
}
