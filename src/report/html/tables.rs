//! The tables: requests by name, each with charts of its own, errors, and statuses.

use maud::{Markup, html};

use super::delta::{self, Before, LATENCIES};
use super::text::{self, ERROR_ROOM, NAME_ROOM, known};
use super::{course, versus};
use crate::report::figures::{ErrorFigures, Figures, Moment, NameFigures, Stats};

const COUNTS: [&str; 4] = ["Requests", "/s", "Failed", "Failed %"];

/// The columns, the name and the bytes included.
const COLUMNS: usize = COUNTS.len() + LATENCIES.len() + 2;

/// Requests by name.
pub(super) fn names(figures: &Figures) -> Markup {
    let before = delta::before(figures);
    let charted = figures.names.iter().filter(|name| opens(name)).count();
    let uncharted = figures.names.len() - charted;
    html! {
        h2 {
            @if figures.baseline.is_some() { "Requests of the new run by name" }
            @else { "Requests by name" }
        }
        div class="wide" {
            table class="long names" data-what="names" {
                thead {
                    tr {
                        th class="text" scope="col" { "Name" }
                        @for heading in COUNTS { th scope="col" data-number { (heading) } }
                        @for (heading, ..) in LATENCIES { th scope="col" data-number { (heading) } }
                        th scope="col" data-number { "Bytes" }
                    }
                }
                @for name in &figures.names {
                    tbody {
                        tr {
                            td class="text" { (label(name, figures)) }
                            @let of = name.label.as_ref().and_then(|(_, name)| before.get(name.as_str()));
                            (cells(&name.stats, figures, of.copied()))
                        }
                        @if opens(name) {
                            tr class="more" {
                                td colspan=(COLUMNS) {
                                    @if name.points.is_empty() { p class="soft" { "Its charts follow." } }
                                    @else { (course::small(name, figures.course.width)) }
                                }
                            }
                        }
                    }
                }
                tfoot {
                    tr {
                        td class="text" { "All requests" }
                        @let of = figures.baseline.as_ref().map(|run| (&run.total, run.tolerance));
                        (cells(&figures.total, figures, of))
                    }
                }
            }
        }
        p class="soft" {
            @if charted > 0 {
                "A name opens to its own charts. "
                @if uncharted > 0 {
                    (text::count(uncharted as u64)) " of " (text::count(figures.names.len() as u64))
                    " rows have none: those of the " (text::count(charted as u64)) " busiest names are drawn. "
                }
            }
            @if let Some(why) = &figures.without_course { "The names have no charts: " (why) ". " }
        }
    }
}

/// Whether a row opens to charts.
fn opens(name: &NameFigures) -> bool {
    !name.points.is_empty() || name.is_charted_apart
}

fn label(name: &NameFigures, figures: &Figures) -> Markup {
    let shown = html! {
        @match &name.label {
            Some((method, name)) => { (text::shown(method, 20)) " " (text::shown(name, NAME_ROOM)) }
            None => { (text::count(figures.further_names as u64)) " further names" }
        }
    };
    let is_apart = name.points.is_empty() && name.is_charted_apart;
    html! {
        @match &name.label {
            Some((method, name)) if is_apart => {
                details data-method=(method) data-name=(name) { summary { (shown) } }
            }
            _ if name.points.is_empty() => (shown),
            _ => details { summary { (shown) } },
        }
    }
}

fn cells(stats: &Stats, figures: &Figures, before: Before<'_>) -> Markup {
    let rate = stats.requests as f64 / figures.seconds.max(0.001);
    let bad = (stats.failures > 0).then_some("bad");
    html! {
        td data-v=(stats.requests) {
            (text::count(stats.requests))
            @if let Some((run, _)) = before { (delta::change(stats.requests, run.requests)) }
        }
        td data-v=(text::short_key(rate)) { (text::rate(rate)) }
        td class=[bad] data-v=(stats.failures) { (text::count(stats.failures)) }
        td class=[bad] data-v=(text::short_key(stats.failure_rate() * 100.0)) {
            (text::percent(stats.failure_rate()))
            @if let Some((run, tolerance)) = before { (delta::failures(stats, run, tolerance)) }
        }
        @for (_, now, was) in LATENCIES {
            td data-v=(text::short_key(now(stats).unwrap_or(-1.0))) {
                (known(now(stats), text::millis))
                @if let Some((run, tolerance)) = before {
                    (delta::growth(now(stats), Some(was(run)), tolerance))
                }
            }
        }
        td data-v=(stats.bytes.unwrap_or(0)) { (known(stats.bytes, text::bytes)) }
    }
}

/// Why requests failed.
pub(super) fn errors(figures: &Figures) -> Markup {
    if let Some(both) = versus::errors(figures) {
        return both;
    }
    let (texts, count) = figures.further_errors;
    html! {
        @if let Some(counted) = figures.counted {
            p class="soft" {
                "Errors and statuses are those of " (text::count(counted)) " of "
                (text::count(figures.total.requests)) " requests so far; the others are being counted."
            }
        }
        @if !figures.errors.is_empty() {
            h2 { "Errors" }
            div class="wide" {
                table class="long stack" data-what="errors" {
                    thead {
                        tr {
                            th class="text" scope="col" { "Error" }
                            th scope="col" data-number { "Count" }
                            th scope="col" data-number { "Of failures" }
                            th scope="col" data-number { "First" }
                            th scope="col" data-number { "Last" }
                            th class="text" scope="col" { "Requests" }
                        }
                    }
                    @for error in &figures.errors { tbody { (error_row(error, figures)) } }
                }
            }
            @if texts > 0 {
                p class="soft" {
                    (text::count(texts as u64)) " further texts, together " (text::count(count)) " times"
                }
            }
        }
    }
}

fn error_row(error: &ErrorFigures, figures: &Figures) -> Markup {
    let share = error.count as f64 / figures.total.failures.max(1) as f64;
    html! {
        tr {
            td class="text" { (text::shown(&error.text, ERROR_ROOM)) }
            td data-l="Count" data-v=(error.count) { (text::count(error.count)) }
            td data-l="Of failures" data-v=(text::short_key(share * 100.0)) { (text::percent(share)) }
            (moment("First", error.first))
            (moment("Last", error.last))
            td class="text" data-l="Requests" { (names_of(error)) }
        }
    }
}

fn moment(label: &str, moment: Option<Moment>) -> Markup {
    html! {
        td data-l=(label) data-v=(text::short_key(moment.map_or(-1.0, |moment| moment.seconds))) {
            @match moment {
                Some(Moment { at, seconds }) => {
                    (text::clock(at).unwrap_or_default())
                    small { (text::seconds(seconds)) }
                }
                None => "–",
            }
        }
    }
}

/// `GET /x and 3 others`, which opens to all of them.
fn names_of(error: &ErrorFigures) -> Markup {
    let shown = |(method, name, _): &(String, String, u64)| {
        format!("{} {}", text::shown(method, 20), text::shown(name, NAME_ROOM))
    };
    let others = error.names.len().saturating_sub(1) + error.further_names;
    html! {
        @if let Some(first) = error.names.first() {
            @if others == 0 { (shown(first)) } @else {
                details {
                    summary { (shown(first)) " and " (others) @if others == 1 { " other" } @else { " others" } }
                    ul {
                        @for name in &error.names { li { (shown(name)) ": " (text::count(name.2)) } }
                        @if error.further_names > 0 { li { (error.further_names) " more" } }
                    }
                }
            }
        }
    }
}

/// Requests by status.
pub(super) fn statuses(figures: &Figures) -> Markup {
    if let Some(both) = versus::statuses(figures) {
        return both;
    }
    let total = figures.statuses.values().map(|status| status.count).sum::<u64>().max(1);
    html! {
        @if !figures.statuses.is_empty() {
            div class="wide" {
                table {
                    caption {
                        "Requests by status" @if figures.is_partial { " (those with rows)" }
                    }
                    thead {
                        tr {
                            th class="text" scope="col" { "Status" }
                            th scope="col" { "Count" }
                            th scope="col" { "Share" }
                            th scope="col" { "Failed" }
                        }
                    }
                    tbody {
                        @for (code, status) in &figures.statuses {
                            tr {
                                td class="text" {
                                    @if *code == 0 { "no response" } @else { (code) }
                                }
                                td { (text::count(status.count)) }
                                td { (text::percent(status.count as f64 / total as f64)) }
                                td class=[(status.failures > 0).then_some("bad")] { (text::count(status.failures)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
