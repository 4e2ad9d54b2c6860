//! The verdict of a run in a sentence: what is wrong with it, or that nothing is.

use maud::{Markup, html};

use super::text::{self, ERROR_ROOM};
use crate::record::Metric;
use crate::record::gates::GateResult;
use crate::report::figures::{Figures, Stats};

/// The share of the planned load that was not made, where it is worth a word.
fn not_made(figures: &Figures) -> Option<f64> {
    Some(figures.iterations.dropped_share()).filter(|share| *share > 0.01)
}

/// The verdict, or why the run has not passed.
pub(super) fn words_of(figures: &Figures, gates: &[GateResult]) -> Markup {
    match &figures.facts.failed {
        Some(why) => html! { p class="verdict bad" { "✗ " (text::shown(why, ERROR_ROOM)) } },
        None => verdict(figures, gates),
    }
}

fn verdict(figures: &Figures, gates: &[GateResult]) -> Markup {
    let broken = gates.iter().filter(|gate| !gate.passed).count();
    let Stats { requests, failures, .. } = figures.total;
    let so_far = so_far(figures);
    let bad = |words: &str| html! { p class="verdict bad" { "✗ " (so_far) (words) } };
    html! {
        @if requests == 0 && figures.facts.is_in_progress {
            p class="verdict" { "So far: no request has ended" }
        } @else if requests == 0 {
            (bad("Nothing was measured"))
        } @else if broken > 0 {
            (bad(&format!("Failed: {broken} of {} gates broken", gates.len())))
        } @else if !gates.is_empty() {
            @let words = match gates.len() {
                1 => "Passed: the gate holds".to_owned(),
                count => format!("Passed: all {count} gates hold"),
            };
            (success(&words, figures, gates))
        } @else if failures > 0 {
            @let share = text::percent(figures.total.failure_rate());
            @let words = format!("{} of {} requests failed ({share})", text::count(failures), text::count(requests));
            @if failures == requests { (bad(&words)) } @else {
                p class="verdict warn" {
                    "⚠ " (so_far) (words)
                    // Gates may follow the test.
                    @if !figures.facts.is_in_progress { "; no gate judges them" }
                }
            }
        } @else {
            (success("No request failed", figures, gates))
        }
    }
}

/// What stands before a verdict that may change.
fn so_far(figures: &Figures) -> &'static str {
    if figures.facts.is_in_progress { "So far: " } else { "" }
}

/// Nothing is wrong with the requests that were made; whether all were made, and whether they were as
/// they should be, are other questions.
fn success(words: &str, figures: &Figures, gates: &[GateResult]) -> Markup {
    let mut judged = gates.iter().filter_map(GateResult::judged);
    let judged = judged.any(|judged| judged.metric == Metric::Unresolved);
    let not_made =
        not_made(figures).map(|share| format!("{:.0} % of the load was not made", share * 100.0));
    let unresolved = figures.gaps.remark().filter(|_| !judged);
    let remarks: Vec<String> = unresolved.into_iter().chain(not_made).collect();
    let so_far = so_far(figures);
    html! {
        @if remarks.is_empty() {
            p class="verdict good" { "✓ " (so_far) (words) }
        } @else {
            p class="verdict warn" { "⚠ " (so_far) (words) ", but " (remarks.join(" and ")) }
        }
    }
}
