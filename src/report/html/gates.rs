//! The results of gates in plain words, with units: `p95 9.47 ms, at most 10 ms`.

use maud::{Markup, html};

use super::text::{self, ERROR_ROOM, NAME_ROOM};
use crate::record::Metric;
use crate::record::gates::{GateResult, Judged};
use crate::report::figures::Figures;

/// A gate in words.
struct Words {
    /// What is judged: `p95 of login`.
    figure: String,
    /// What it was, if it is known.
    measured: String,
    /// What it had to be, or why it could not be judged.
    limit: String,
}

impl Words {
    fn of(gate: &GateResult, figures: &Figures) -> Self {
        let Some(judged) = gate.judged() else {
            return Self {
                figure: text::shown(&gate.rule.title(), NAME_ROOM),
                measured: "–".to_owned(),
                limit: text::shown(&gate.reason, ERROR_ROOM),
            };
        };
        let limit = format!("{} {}", judged.comparison(), limit(judged.metric, judged.limit));
        let (measured, limit) = match gate.actual {
            Some(actual) if figures.total.requests > 0 => {
                (measured(&judged, actual, gate.passed), limit)
            }
            Some(_) => ("–".to_owned(), format!("{limit}; no request was recorded")),
            None => ("–".to_owned(), format!("{limit}; there is no such figure")),
        };
        Self { figure: figure(&judged, figures), measured, limit }
    }

    fn sentence(&self) -> String {
        match self.measured.as_str() {
            "–" => format!("{}: {}", self.figure, self.limit),
            measured => format!("{} {measured}, {}", self.figure, self.limit),
        }
    }
}

/// The figure that a gate judges.
fn figure(judged: &Judged<'_>, figures: &Figures) -> String {
    let figure = match judged.metric {
        Metric::P50 => "median",
        Metric::P90 => "p90",
        Metric::P95 => "p95",
        Metric::P99 => "p99",
        Metric::Mean => "mean",
        Metric::FailureRate => "failures",
        Metric::Requests => "requests",
        Metric::DroppedIterations | Metric::DroppedRate => "iterations not started",
        Metric::AchievedRate => "iterations started",
        Metric::Interrupted => "requests interrupted",
        Metric::Unresolved => "requests with unresolved placeholders",
        Metric::FailedExtractions => "failed extractions",
    };
    let Some(name) = judged.name else { return figure.to_owned() };
    // A gate over a name counts its successes only, as in the reference; the table counts all.
    let named = figures
        .names
        .iter()
        .filter(|row| row.label.as_ref().is_some_and(|(_, label)| label == name));
    let failed: u64 = named.map(|row| row.stats.failures).sum();
    let successes = failed > 0 && judged.metric != Metric::FailureRate;
    let only = if successes { " (successes)" } else { "" };
    format!("{figure} of {}{only}", text::shown(name, NAME_ROOM))
}

/// A figure as tiles and tables show it.
fn shown(metric: Metric, value: f64) -> String {
    match metric {
        Metric::FailureRate | Metric::DroppedRate => text::percent(value),
        Metric::Requests
        | Metric::DroppedIterations
        | Metric::Interrupted
        | Metric::Unresolved
        | Metric::FailedExtractions => text::count(value as u64),
        Metric::AchievedRate => format!("{}/s", text::rate(value)),
        _ => text::millis(value),
    }
}

/// A limit as it was meant: without digits that say nothing.
fn limit(metric: Metric, value: f64) -> String {
    let number = |value| text::decimals(value, 6);
    match metric {
        Metric::FailureRate | Metric::DroppedRate => format!("{} %", number(value * 100.0)),
        Metric::Requests
        | Metric::DroppedIterations
        | Metric::Interrupted
        | Metric::Unresolved
        | Metric::FailedExtractions => number(value),
        Metric::AchievedRate => format!("{}/s", number(value)),
        _ => format!("{} ms", number(value)),
    }
}

/// What was measured, with as many digits as show on which side of the limit it is.
fn measured(judged: &Judged<'_>, actual: f64, passed: bool) -> String {
    let rounded = |digits: i32| {
        let unit =
            10f64.powi(actual.abs().max(f64::MIN_POSITIVE).log10().floor() as i32 + 1 - digits);
        (actual / unit).round() * unit
    };
    let is_clear = |value: f64| judged.holds(value) == passed;
    if is_clear(rounded(3)) || !actual.is_finite() {
        return shown(judged.metric, actual);
    }
    let digits = (4..15).find(|digits| is_clear(rounded(*digits)));
    limit(judged.metric, digits.map_or(actual, rounded))
}

/// The broken gates as sentences.
pub(super) fn broken(gates: &[GateResult], figures: &Figures) -> Markup {
    let broken = || gates.iter().filter(|gate| !gate.passed);
    html! {
        @if broken().next().is_some() {
            ul class="why" {
                @for gate in broken().take(10) { li { "✗ " (Words::of(gate, figures).sentence()) } }
                @if broken().count() > 10 { li { "and " (broken().count() - 10) " more, below" } }
            }
        }
    }
}

pub(super) fn table(gates: &[GateResult], figures: &Figures) -> Markup {
    html! {
        h2 { "Gates" }
        div class="wide" {
            table class="stack" {
                thead {
                    tr {
                        th class="text" scope="col" { "Gate" }
                        th scope="col" { "Measured" }
                        th class="text" scope="col" { "Limit" }
                        th class="text" scope="col" { "Result" }
                    }
                }
                tbody {
                    @for gate in gates {
                        @let words = Words::of(gate, figures);
                        tr {
                            td class="text" { (words.figure) }
                            td data-l="Measured" { (words.measured) }
                            td class="text" data-l="Limit" { (words.limit) }
                            td class="text" data-l="Result" {
                                @if gate.passed { span class="good" { "✓ holds" } }
                                @else { span class="bad" { "✗ broken" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::{Written, records};
    use crate::record::gates::Rule;
    use crate::value::{Reader, Value};

    fn check(rows: &[Written<'_>], rule: &str, want: &str) {
        let json = Value::parse(&format!("[{rule}]")).expect("JSON");
        let rules = Rule::read_list(&Reader::root(&json)).expect("rules");
        let records = records(rows);
        let gate = rules[0].judge(&records.summary());
        assert_eq!(Words::of(&gate, &Figures::of(&records, None)).sentence(), want, "{rule}");
    }

    #[test]
    fn a_gate_has_units_and_is_rounded_as_everything_else() {
        let mut rows = [("GET", "u", "a", 200, 9.472, 1, None); 100];
        for row in &mut rows[..3] {
            row.6 = Some("broken");
        }
        check(&rows, r#"{"type": "latency_p95", "value": 10}"#, "p95 9.47 ms, at most 10 ms");
        check(&rows, r#"{"type": "failure_rate", "value": 0.01}"#, "failures 3.00 %, at most 1 %");
        check(
            &rows,
            r#"{"type": "latency_p99", "op": "lt", "value": 250.5, "name": "a"}"#,
            "p99 of a (successes) 9.47 ms, less than 250.5 ms",
        );
        check(
            &rows,
            r#"{"type": "requests", "op": "gte", "value": 1}"#,
            "requests 100, at least 1",
        );
    }

    #[test]
    fn a_figure_next_to_its_limit_has_the_digits_that_show_its_side() {
        let rows = [("GET", "u", "a", 200, 10.0004, 1, None)];
        check(&rows, r#"{"type": "latency_p50", "value": 10}"#, "median 10.0004 ms, at most 10 ms");
        check(
            &rows,
            r#"{"type": "latency_p50", "value": 10.001}"#,
            "median 10.0 ms, at most 10.001 ms",
        );
    }

    #[test]
    fn a_gate_that_cannot_be_judged_says_why() {
        let rows = [("GET", "u", "a", 200, 1.0, 1, None)];
        check(
            &rows,
            r#"{"type": "latency_p95"}"#,
            "latency_p95(overall) lte None: rule missing 'value'",
        );
        check(
            &rows,
            r#"{"type": "latency_p95", "value": 1, "name": "b"}"#,
            "p95 of b: at most 1 ms; there is no such figure",
        );
    }
}
