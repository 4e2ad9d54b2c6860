//! How figures differ from those of an earlier run.

use std::collections::HashMap;

use maud::{Markup, html};

use super::text::{self, ERROR_ROOM, NAME_ROOM};
use crate::record::diff::{Regression, RunMetrics};
use crate::report::figures::{Baseline, Figures, Stats};

/// Regressions that are listed at once, and in all.
const FIRST_LISTED: usize = 5;
const MOST_LISTED: usize = 100;

/// A latency in a row of the table and in the earlier run.
pub(super) type Latency = (&'static str, fn(&Stats) -> Option<f64>, fn(&RunMetrics) -> f64);

pub(super) const LATENCIES: [Latency; 8] = [
    ("Min", |stats| stats.min_ms, |before| before.min_ms),
    ("Mean", |stats| stats.mean_ms, |before| before.mean_ms),
    ("p50", |stats| stats.p50_ms, |before| before.p50_ms),
    ("p90", |stats| stats.p90_ms, |before| before.p90_ms),
    ("p95", |stats| stats.p95_ms, |before| before.p95_ms),
    ("p99", |stats| stats.p99_ms, |before| before.p99_ms),
    ("p99.9", |stats| stats.p999_ms, |before| before.p999_ms),
    ("Max", |stats| stats.max_ms, |before| before.max_ms),
];

/// The figures of one row of the table, or of all requests, in the earlier run.
pub(super) type Before<'a> = Option<(&'a RunMetrics, f64)>;

/// The figures of the earlier run by name. A name that two rows share has none: the earlier run does
/// not tell methods apart.
pub(super) fn before(figures: &Figures) -> HashMap<&str, (&RunMetrics, f64)> {
    let Some(baseline) = &figures.baseline else { return HashMap::new() };
    let mut rows: HashMap<&str, usize> = HashMap::new();
    let labels = figures.names.iter().filter_map(|name| name.label.as_ref());
    labels.for_each(|(_, name)| *rows.entry(name).or_default() += 1);
    let once = baseline.names.iter().filter(|(name, _)| rows.get(name.as_str()) == Some(&1));
    once.map(|(name, run)| (name.as_str(), (run, baseline.tolerance))).collect()
}

/// How much a figure has grown; more is worse.
pub(super) fn growth(now: Option<f64>, before: Option<f64>, tolerance: f64) -> Markup {
    let (Some(now), Some(before)) = (now, before) else { return html! {} };
    if before <= 0.0 {
        return html! {};
    }
    let share = (now - before) / before;
    let (class, word) = match share {
        _ if share > tolerance => ("delta bad", " worse"),
        _ if share < -tolerance => ("delta good", " better"),
        _ => ("delta", ""),
    };
    html! {
        small class=(class) title=(format!("was {}", text::millis(before))) {
            (signed(share * 100.0)) " %" (word)
        }
    }
}

/// How much a count has grown, which is neither good nor bad.
pub(super) fn change(now: u64, before: u64) -> Markup {
    html! {
        @if before > 0 {
            small class="delta" title=(format!("was {}", text::count(before))) {
                (signed((now as f64 / before as f64 - 1.0) * 100.0)) " %"
            }
        }
    }
}

/// How much the share of failed requests has grown, in percentage points.
pub(super) fn failures(stats: &Stats, before: &RunMetrics, tolerance: f64) -> Markup {
    let (now, was) = (stats.failure_rate(), before.failure_rate());
    let is_worse = now > was * (1.0 + tolerance);
    let (class, word) = match is_worse {
        true => ("delta bad", " worse"),
        false if now < was * (1.0 - tolerance) => ("delta good", " better"),
        false => ("delta", ""),
    };
    html! {
        small class=(class) title=(format!("was {}", text::percent(was))) {
            (signed((now - was) * 100.0)) " pp" (word)
        }
    }
}

pub(super) fn signed(value: f64) -> String {
    let digits = if value.abs() < 10.0 { 1 } else { 0 };
    let text = format!("{value:+.digits$}");
    if text.trim_start_matches(['+', '-', '0', '.']).is_empty() { "±0".to_owned() } else { text }
}

/// Whether anything has become worse, in a sentence.
pub(super) fn sentence(baseline: &Baseline) -> String {
    let percent = text::decimals(baseline.tolerance * 100.0, 1);
    let run = text::shown(&baseline.title, ERROR_ROOM);
    match baseline.regressions.len() {
        0 => format!("No regression: no figure is worse than in {run} by more than {percent} %"),
        1 => format!("Regression: 1 figure is worse than in {run} by more than {percent} %"),
        count => {
            format!("Regressions: {count} figures are worse than in {run} by more than {percent} %")
        }
    }
}

/// `login: p95 10.0 ms → 20.0 ms (+100 %)`
fn in_words(regression: &Regression) -> String {
    let name = text::shown(&regression.name, NAME_ROOM);
    let Some((metric, before, now)) = regression.figure else {
        return format!("{name}: no request any more");
    };
    let (figure, shown): (_, fn(f64) -> String) = match metric {
        "failure_rate" => ("failures", text::percent),
        "p50_ms" => ("median", text::millis),
        other => (other.trim_end_matches("_ms"), text::millis),
    };
    let growth = match before > 0.0 {
        true => format!(" ({} %)", signed((now / before - 1.0) * 100.0)),
        false => String::new(),
    };
    format!("{name}: {figure} {} → {}{growth}", shown(before), shown(now))
}

/// What has become worse.
pub(super) fn regressions(baseline: &Baseline) -> Markup {
    let all = &baseline.regressions;
    let list = |some: &mut dyn Iterator<Item = &Regression>| {
        html! { @for regression in some { li { "✗ " (in_words(regression)) } } }
    };
    html! {
        @if !all.is_empty() {
            ul class="why" { (list(&mut all.iter().take(FIRST_LISTED))) }
        }
        @if all.len() > FIRST_LISTED {
            details class="bad" {
                summary { "and " (all.len() - FIRST_LISTED) " more" }
                ul class="why" { (list(&mut all.iter().take(MOST_LISTED).skip(FIRST_LISTED))) }
                @if all.len() > MOST_LISTED { p { (all.len() - MOST_LISTED) " are not listed." } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growth_beyond_the_tolerance_is_bad_and_a_decline_good() {
        for (now, before, want) in [
            (11.0, 10.0, r#"<small class="delta" title="was 10.0 ms">+10 %</small>"#),
            (20.0, 10.0, r#"<small class="delta bad" title="was 10.0 ms">+100 % worse</small>"#),
            (5.0, 10.0, r#"<small class="delta good" title="was 10.0 ms">-50 % better</small>"#),
            (10.0, 10.0, r#"<small class="delta" title="was 10.0 ms">±0 %</small>"#),
            (10.0, 0.0, ""),
        ] {
            assert_eq!(growth(Some(now), Some(before), 0.1).into_string(), want, "{now} {before}");
        }
        assert_eq!(growth(None, Some(1.0), 0.1).into_string(), "");
    }

    #[test]
    fn a_regression_has_units() {
        for (figure, want) in [
            (Some(("p95_ms", 10.0, 20.0)), "login: p95 10.0 ms → 20.0 ms (+100 %)"),
            (Some(("p50_ms", 0.5, 0.75)), "login: median 500 µs → 750 µs (+50 %)"),
            (Some(("failure_rate", 0.0, 0.25)), "login: failures 0 % → 25.00 %"),
            (None, "login: no request any more"),
        ] {
            let regression = Regression { name: "login".to_owned(), figure };
            assert_eq!(in_words(&regression), want);
        }
    }
}
