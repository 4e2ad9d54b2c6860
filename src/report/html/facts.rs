//! What was run, where and when, so that two reports can be told apart.

use std::time::SystemTime;

use maud::{Markup, html};

use super::text::{self, NAME_ROOM};
use crate::report::figures::Figures;

/// Tests that are described one by one.
const MOST_TESTS: usize = 5;

/// What was tested, in a few words: the document, or the target without one.
fn subject(figures: &Figures) -> String {
    let subject = figures.facts.document.as_ref().or_else(|| figures.targets.first());
    text::shown(subject.map_or("Load test", String::as_str), NAME_ROOM)
}

fn started(figures: &Figures) -> Option<SystemTime> {
    figures.tests.iter().filter_map(|test| test.started).min()
}

fn ended(figures: &Figures) -> Option<SystemTime> {
    figures.tests.iter().filter_map(|test| test.started?.checked_add(test.took)).max()
}

/// What a run is called beside another.
pub(super) fn called(figures: &Figures) -> String {
    let name = figures.facts.label.as_ref().map(|label| format!(" ({label})"));
    match figures.facts.run {
        Some(run) => text::shown(&format!("run {run}{}", name.unwrap_or_default()), NAME_ROOM),
        None => "this run".to_owned(),
    }
}

/// When the first test began.
pub(super) fn began(figures: &Figures) -> Option<String> {
    started(figures).and_then(text::moment)
}

/// The title of the page: the document and the time.
pub(super) fn title(figures: &Figures) -> String {
    let time = started(figures).and_then(text::moment);
    let parts = [Some(subject(figures)), time, Some("Load test report".to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// The heading of the page.
pub(super) fn heading(figures: &Figures) -> String {
    let facts = &figures.facts;
    let run = facts.run.map(|run| format!("run {run}"));
    let label = facts.label.as_ref().map(|label| text::shown(label, NAME_ROOM));
    let parts = [Some("Load test report".to_owned()), Some(subject(figures)), run, label];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// When the tests took place, in one line.
pub(super) fn line(figures: &Figures) -> String {
    let mut parts = Vec::new();
    if let Some(started) = started(figures).and_then(text::moment) {
        parts.push(format!("Began {started}"));
    }
    let took = text::seconds(figures.seconds);
    parts.push(match figures.facts.is_in_progress {
        true => format!("{took} so far"),
        false => format!("took {took}"),
    });
    if figures.tests.len() > 1 {
        parts.push(format!("{} tests, shown one after the other", figures.tests.len()));
    }
    let users = figures.course.points.iter().filter_map(|point| point.users).max();
    parts.extend(users.map(|users| format!("up to {} users", text::count(users.into()))));
    parts.extend(figures.targets.first().map(|target| text::shown(target, NAME_ROOM)));
    parts.join(" · ")
}

/// Everything that is known of the tests and their machine.
pub(super) fn table(figures: &Figures) -> Markup {
    let facts = &figures.facts;
    let shown = |text: &String| text::shown(text, NAME_ROOM);
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut add = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
    add("Document", facts.document.as_ref().map(shown));
    add("Label", facts.label.as_ref().map(shown));
    add("Run", facts.run.map(|run| run.to_string()));
    add("Target", targets(figures));
    add("Began", started(figures).and_then(text::moment));
    if !facts.is_in_progress {
        add("Ended", ended(figures).and_then(text::moment));
    }
    let several = figures.tests.len() > 1;
    for (number, test) in figures.tests.iter().enumerate().take(MOST_TESTS) {
        let of = |text: String| if several { format!("test {}: {text}", number + 1) } else { text };
        add("Load", test.load.as_ref().map(|load| of(shown(load))));
        add("Seed", test.seed.map(|seed| of(seed.to_string())));
    }
    add("Load made", load_made(figures));
    let version = concat!("ldctl ", env!("CARGO_PKG_VERSION"));
    let by = facts
        .command
        .as_ref()
        .map_or(version.to_owned(), |command| format!("{version} ({})", shown(command)));
    add("Program", Some(by));
    add("Machine", facts.machine.as_ref().map(shown));
    html! {
        h2 { "Test" }
        dl class="facts" { @for (name, value) in rows { dt { (name) } dd { (value) } } }
        @if figures.tests.len() > MOST_TESTS {
            p class="soft" { (figures.tests.len() - MOST_TESTS) " further tests are not listed." }
        }
    }
}

fn targets(figures: &Figures) -> Option<String> {
    let shown = figures.targets.iter().map(|target| text::shown(target, NAME_ROOM));
    let mut targets: Vec<String> = shown.collect();
    if figures.further_targets > 0 {
        targets.push(format!("and {} more", text::count(figures.further_targets as u64)));
    }
    (!targets.is_empty()).then(|| targets.join(", "))
}

/// How much of the load of open models was made.
fn load_made(figures: &Figures) -> Option<String> {
    let iterations = figures.iterations;
    let rate = iterations.rate().map(text::rate)?;
    if iterations.planned == 0 {
        let started = text::count(iterations.started);
        return Some(format!("{started} iterations, {rate}/s"));
    }
    let planned = iterations.planned_rate()?;
    Some(format!(
        "{} of {} iterations, {rate}/s of {}/s",
        text::count(iterations.planned.saturating_sub(iterations.dropped)),
        text::count(iterations.planned),
        text::rate(planned),
    ))
}
