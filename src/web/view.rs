//! A run as a page: its report, with its state above it and the results of its actions below. The same
//! parts are sent again while it is in progress, as they change.

use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use maud::{Markup, PreEscaped, html};

use super::call::Site;
use super::error::empty;
use super::runs;
use crate::event::{ActionResult, Failure, State, Status};
use crate::report::html::{PARTS, Part};
use crate::wire::refusal::Refusal;

/// The files of a run that its page links to.
const FILES: [(&str, &str); 5] = [
    ("report.html", "Report"),
    ("summary.json", "Figures"),
    ("junit.xml", "JUnit"),
    ("records.csv", "Requests"),
    ("document.json", "Document"),
];

/// The most text of a result.
const MOST_TEXT: usize = 2000;

/// The parts in their order: ours among those of the report.
fn names() -> impl Iterator<Item = &'static str> {
    PARTS.into_iter().flat_map(|name| match name {
        "verdict" => ["verdict", "state", "controls"].to_vec(),
        "test" => vec!["results", "test"],
        name => vec![name],
    })
}

/// All parts of a page, and whether its run has ended. Blocks its thread.
pub(super) fn parts(site: &Site, run: u64) -> Result<(Vec<Part>, bool), Refusal> {
    let executor = site.handle.executor();
    let page = executor.page(run)?;
    let results = runs::results_of(&executor, run)?;
    let is_final = page.status.state.is_final();
    let of = |name| match name {
        "state" => state(&page.status),
        "controls" => controls(&page.status, run, site.read_only),
        "results" => done(&results),
        name => match page.parts.iter().find(|part| part.name == name) {
            Some(part) => PreEscaped(part.html.clone()),
            None if name == "verdict" => verdict(&page.status, run),
            None => html! {},
        },
    };
    let parts = names().map(|name| Part { name, html: of(name).into_string() });
    Ok((parts.collect(), is_final))
}

/// Leads a browser to a run.
pub(super) fn to_run(run: u64) -> Response {
    let mut response = empty(StatusCode::SEE_OTHER);
    if let Ok(to) = HeaderValue::from_str(&format!("/runs/{run}")) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

/// What is said of a run that has made no test.
fn verdict(status: &Status, run: u64) -> Markup {
    let name = status.run.as_ref().and_then(|info| info.name.as_deref());
    let why = status.run.as_ref().and_then(|info| info.message.as_deref());
    html! {
        header {
            h1 { "Run " (run) @if let Some(name) = name { " · " (name) } }
            p class=(format!("verdict {}", class(status.state))) {
                (mark(status.state)) " " (word(status.state))
                @if let Some(why) = why { ": " (why) }
            }
            p class="soft" { "It has made no load test" @if !status.state.is_final() { " yet" } "." }
        }
    }
}

fn state(status: &Status) -> Markup {
    let Some(info) = &status.run else { return html! {} };
    // What its badge does not say.
    let word = word(status.state);
    let is_said = word.eq_ignore_ascii_case(status.state.name());
    let mut words: Vec<String> = (!is_said).then(|| word.to_owned()).into_iter().collect();
    if status.state.is_final() {
        words.extend(info.elapsed_s.map(length));
    } else {
        words.extend(info.elapsed_s.map(|elapsed| format!("{} so far", length(elapsed.round()))));
        words.push(match info.remaining_s {
            Some(left) => format!("{} left", length(left.round())),
            None if info.users.is_some() => "until it is stopped".to_owned(),
            None => "its test has not begun".to_owned(),
        });
        words.extend(info.rps.map(|rps| format!("{rps:.1} requests/s now")));
    }
    let moments = [("accepted", &info.submitted), ("began", &info.started), ("ended", &info.ended)];
    words.extend(
        moments
            .into_iter()
            .filter_map(|(what, at)| Some(format!("{what} {}", clock(at.as_ref()?)))),
    );
    words.extend(info.peer.as_ref().map(|peer| format!("from {peer}")));
    html! {
        p class="state" data-state=(status.state) {
            span class=(format!("badge {}", class(status.state))) { (mark(status.state)) " " (status.state) }
            " " (words.join(" · "))
        }
    }
}

fn controls(status: &Status, run: u64, read_only: bool) -> Markup {
    let is_final = status.state.is_final();
    let can_stop = !read_only && matches!(status.state, State::Queued | State::Running);
    let has_test = status.run.as_ref().is_some_and(|info| info.requests.is_some());
    html! {
        div class="controls" {
            @if can_stop {
                form method="post" action=(format!("/runs/{run}/stop")) {
                    button class="stop" { "Stop this run" }
                }
            }
            ul class="files" aria-label="Files of this run" {
                @for (file, name) in FILES {
                    @if file == "document.json" || has_test && (is_final || !file.starts_with("records")) {
                        li { a href=(format!("/api/v1/runs/{run}/{file}")) { (name) " (" (file) ")" } }
                    }
                }
            }
        }
    }
}

/// What the actions have returned.
fn done(results: &[ActionResult]) -> Markup {
    html! {
        @if !results.is_empty() {
            h2 { "Actions" }
            div class="wide" {
                table class="stack" {
                    caption { "What each action returned" }
                    thead { tr {
                        th scope="col" { "Number" }
                        th class="text" scope="col" { "Command" }
                        th class="text" scope="col" { "Result" }
                    } }
                    tbody { @for result in results { (row(result)) } }
                }
            }
        }
    }
}

fn row(result: &ActionResult) -> Markup {
    let value = result.value.as_ref().map(|value| cut(&value.to_text()));
    html! {
        tr {
            td data-l="Action" { (result.index) }
            td class="text" { (result.command) }
            td class="text" {
                @match &result.error {
                    Some(Failure { message, .. }) => { span class="bad" { "✗ failed: " } (cut(message)) }
                    None => { span class="good" { "✓ done" } }
                }
                @if let Some(value) = value.filter(|value| value != "None") {
                    details { summary { "what it returned" } pre tabindex="0" { (value) } }
                }
                @for warning in &result.warnings { p class="warn" { "⚠ " (cut(warning)) } }
            }
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// `2026-11-26T12:00:00Z` for people.
pub(super) fn clock(moment: &str) -> String {
    let (seconds, _) = moment.split_once('.').unwrap_or((moment, ""));
    format!("{} UTC", seconds.trim_end_matches('Z').replacen('T', " ", 1))
}

/// A length for people.
pub(super) fn length(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{minutes} min {rest:02} s"),
        _ => format!("{hours} h {minutes:02} min"),
    }
}

/// The sign of a state.
pub(super) fn mark(state: State) -> &'static str {
    match state {
        State::Passed => "✓",
        State::Failed | State::Interrupted => "✗",
        State::Cancelled | State::Lost | State::Stopped => "■",
        State::Queued => "…",
        _ => "●",
    }
}

/// The class of its colour.
pub(super) fn class(state: State) -> &'static str {
    match state {
        State::Passed => "good",
        State::Failed | State::Interrupted => "bad",
        State::Cancelled | State::Lost | State::Stopped => "warn",
        _ => "going",
    }
}

/// A state in words.
pub(super) fn word(state: State) -> &'static str {
    match state {
        State::Queued => "Waiting for the place of another test",
        State::Running | State::Idle | State::Other => "Running",
        State::Stopping => "Stopping",
        State::Passed => "Passed",
        State::Failed => "Failed",
        State::Cancelled | State::Stopped => "Stopped",
        State::Lost => "Stopped because its client left",
        State::Interrupted => "Interrupted by the end of the server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{FailureKind, RunInfo};

    #[test]
    fn what_comes_from_documents_and_targets_is_text_on_a_page() {
        let bad = "<script>alert(1)</script>";
        let info = RunInfo {
            run: 1,
            name: Some(bad.to_owned()),
            message: Some(bad.to_owned()),
            peer: Some(bad.to_owned()),
            ..RunInfo::default()
        };
        let status = Status { state: State::Failed, run: Some(Box::new(info)) };
        let result = ActionResult {
            index: 0,
            command: bad.to_owned(),
            ok: false,
            value: Some(bad.into()),
            text: None,
            warnings: vec![bad.to_owned()],
            error: Some(Failure::new(FailureKind::InvalidAction, bad)),
        };
        for (shown, times) in [(verdict(&status, 1), 2), (state(&status), 1), (done(&[result]), 4)]
        {
            let html = shown.into_string();
            assert!(!html.contains("<script"), "{html}");
            assert_eq!(html.matches("&lt;script&gt;").count(), times, "{html}");
        }
    }

    #[test]
    fn a_length_is_shown_in_two_units() {
        for (seconds, want) in
            [(0.04, "0.0 s"), (59.96, "60.0 s"), (60.0, "1 min 00 s"), (3725.0, "1 h 02 min")]
        {
            assert_eq!(length(seconds), want);
        }
    }

    #[test]
    fn every_part_of_the_report_has_a_place_on_the_page() {
        let names: Vec<&str> = names().collect();
        assert!(PARTS.iter().all(|part| names.contains(part)));
        assert_eq!(names[..4], ["verdict", "state", "controls", "figures"]);
    }
}
