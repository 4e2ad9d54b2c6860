//! The report as a page for people: one self-contained file, verdict first, light or dark by the
//! reader's setting, readable without its script (which only sorts the table). It stays below 300
//! KiB whatever the run: names, errors and the document are capped, curves have a fixed number of
//! points.

mod chart;
mod text;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use self::chart::{Chart, Curve};
use super::figures::{Figures, NameFigures, Point, Stats};
use crate::record::Records;
use crate::record::gates::{GateResult, Rule};
use crate::redact;
use crate::value::{Map, Value};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Bytes of HTML for a name, an error and the document.
const NAME_ROOM: usize = 200;
const ERROR_ROOM: usize = 500;
const DOCUMENT_ROOM: usize = 40_000;

/// The most different documents that the page looks through.
const MOST_DOCUMENTS: usize = 100;

/// What the page can show of a document: its beginning, without secrets. A record keeps this instead
/// of the document.
pub fn document(document: &Value) -> String {
    let mut room = DOCUMENT_ROOM;
    let beginning = beginning(document, &mut room);
    let mut text = serde_json::to_string_pretty(&beginning.redacted()).unwrap_or_default();
    // A little more than the page shows, so that it marks the end as cut.
    text.truncate(text.floor_char_boundary(DOCUMENT_ROOM + 10));
    text.shrink_to_fit();
    text
}

/// The members of a value that `room` bytes of text can hold.
fn beginning(value: &Value, room: &mut usize) -> Value {
    match value {
        Value::Str(text) => {
            *room = room.saturating_sub(text.len());
            if text.len() <= DOCUMENT_ROOM {
                return text.as_str().into();
            }
            // Of a longer beginning, so that a secret at the end is recognized.
            let head = text.get(..text.floor_char_boundary(4 * DOCUMENT_ROOM)).unwrap_or_default();
            let mut clean = redact::url(head).into_owned();
            clean.truncate(clean.floor_char_boundary(DOCUMENT_ROOM));
            clean.into()
        }
        Value::List(items) => {
            let mut kept = Vec::new();
            for item in items {
                if *room == 0 {
                    break;
                }
                *room = room.saturating_sub(1);
                kept.push(beginning(item, room));
            }
            kept.into()
        }
        Value::Dict(members) => {
            let mut kept = Map::new();
            for (name, item) in members {
                if *room == 0 {
                    break;
                }
                *room = room.saturating_sub(1 + name.len());
                kept.insert(name.clone(), beginning(item, room));
            }
            Value::Dict(kept)
        }
        other => other.clone(),
    }
}

/// Writes the page of a record. The rules, if any, decide the verdict; without them a run passes if no
/// request failed.
pub fn write(records: &Records, rules: &[Rule], out: &mut dyn Write) -> io::Result<()> {
    let figures = Figures::of(records, None);
    let verdicts: Vec<GateResult> = if rules.is_empty() {
        Vec::new()
    } else {
        let summary = records.summary();
        rules.iter().map(|rule| rule.judge(&summary)).collect()
    };
    draw(&figures, &verdicts, out)
}

/// Writes a page of these figures and the results of gates.
pub fn draw(figures: &Figures, gates: &[GateResult], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page(figures, gates).into_string().as_bytes())
}

fn page(figures: &Figures, verdicts: &[GateResult]) -> Markup {
    // Only this style and this script: markup from a target's responses never runs.
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'",
        STANDARD.encode(Sha256::digest(STYLE)),
        STANDARD.encode(Sha256::digest(SCRIPT)),
    );
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { "Load test report" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Load test report" }
                    @match &figures.facts.failed {
                        Some(why) => p class="verdict bad" { "✗ " (text::shown(why, ERROR_ROOM)) },
                        None => (verdict(figures, verdicts, not_made(figures))),
                    }
                    @if let Some(run) = figures.facts.run {
                        @let label = figures.facts.label.as_deref();
                        p { "Run " (run) @if let Some(label) = label { " · " (text::shown(label, NAME_ROOM)) } }
                    }
                    p class="soft" { (when(figures)) }
                    @for test in &figures.tests {
                        @for warning in &test.warnings {
                            p class="warn" { "⚠ " (text::shown(warning, ERROR_ROOM)) }
                        }
                    }
                }
                (tiles(figures))
                @if !verdicts.is_empty() { (gates(verdicts)) }
                h2 { "Over time" }
                div class="charts" { (rates(figures)) (percentiles(figures)) }
                h2 { "Latencies" }
                div class="charts" {
                    (chart::histogram("Requests by latency (logarithmic)", &figures.latencies))
                }
                (names(figures))
                (errors(figures))
                (documents(figures))
                footer class="soft" {
                    p {
                        "Latencies count every request, failed ones included, from when it was meant to start "
                        "to its last byte. "
                        @if let Some(error) = figures.error {
                            "The rows of this run are not kept: latencies are exact to "
                            (text::percent(error)) ", and of a point of a curve the slowest second counts. "
                        }
                        "A point of a curve covers " (text::seconds(figures.course.width)) "."
                    }
                    p { "Written by ldctl " (env!("CARGO_PKG_VERSION")) "." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// The share of the planned load that was not made, where it is worth a word.
fn not_made(figures: &Figures) -> Option<f64> {
    Some(figures.iterations.dropped_share()).filter(|share| *share > 0.01)
}

fn verdict(figures: &Figures, verdicts: &[GateResult], not_made: Option<f64>) -> Markup {
    let broken = verdicts.iter().filter(|verdict| !verdict.passed).count();
    let failures = figures.total.failures;
    html! {
        @if figures.total.requests == 0 {
            p class="verdict bad" { "✗ Nothing was measured" }
        } @else if broken > 0 {
            p class="verdict bad" { "✗ Failed: " (broken) " of " (verdicts.len()) " gates broken" }
        } @else if !verdicts.is_empty() {
            @let passed = format!("Passed: all {} gates hold", verdicts.len());
            (success(&passed, not_made))
        } @else if failures > 0 {
            p class="verdict bad" {
                "✗ " (text::count(failures)) " of " (text::count(figures.total.requests))
                " requests failed (" (text::percent(figures.total.failure_rate())) ")"
            }
        } @else {
            (success("No request failed", not_made))
        }
    }
}

/// Nothing is wrong with the requests that were made; whether all were made is another question.
fn success(words: &str, not_made: Option<f64>) -> Markup {
    html! {
        @match not_made {
            None => p class="verdict good" { "✓ " (words) },
            Some(share) => p class="verdict warn" {
                "⚠ " (words) (format!(", but {:.0} % of the load was not made", share * 100.0))
            },
        }
    }
}

/// When the runs took place, in one line.
fn when(figures: &Figures) -> String {
    let runs = &figures.tests;
    let started = runs.first().and_then(|run| run.started);
    let mut line = match started.map(jiff::Timestamp::try_from) {
        Some(Ok(started)) => format!("Began {} · ", started.strftime("%Y-%m-%d %H:%M:%S UTC")),
        _ => String::new(),
    };
    line.push_str(&format!("took {}", text::seconds(figures.seconds)));
    if runs.len() > 1 {
        line.push_str(&format!(" · {} runs, shown one after the other", runs.len()));
    }
    if let Some(users) = figures.course.points.iter().filter_map(|point| point.users).max() {
        line.push_str(&format!(" · up to {} users", text::count(users.into())));
    }
    line
}

fn tiles(figures: &Figures) -> Markup {
    let Stats { requests, failures, bytes, p50_ms, p95_ms, p99_ms, max_ms, .. } = figures.total;
    let rate = requests as f64 / figures.seconds.max(0.001);
    let failed = format!("Failed ({})", text::count(failures));
    let interrupted = figures.interrupted;
    let interrupted = (interrupted > 0).then(|| ("Interrupted", text::count(interrupted)));
    let tiles = [
        ("Requests", text::count(requests)),
        (failed.as_str(), text::percent(figures.total.failure_rate())),
        ("Per second", text::rate(rate)),
        ("Median", known(p50_ms, text::millis)),
        ("95th percentile", known(p95_ms, text::millis)),
        ("99th percentile", known(p99_ms, text::millis)),
        ("Slowest", known(max_ms, text::millis)),
        ("Received", known(bytes, text::bytes)),
    ];
    html! {
        dl class="tiles" {
            @for (name, value) in tiles.into_iter().chain(interrupted) { div { dt { (name) } dd { (value) } } }
        }
    }
}

fn gates(verdicts: &[GateResult]) -> Markup {
    html! {
        h2 { "Gates" }
        div class="wide" {
            table {
                thead { tr { th class="text" { "Rule" } th { "Measured" } th class="text" { "Verdict" } } }
                tbody {
                    @for verdict in verdicts {
                        tr {
                            td class="text" { (text::shown(&verdict.rule.title(), NAME_ROOM)) }
                            td { (verdict.actual.map_or("–".to_owned(), text::short)) }
                            td class="text" {
                                @if verdict.passed { span class="good" { "✓ holds" } }
                                @else { span class="bad" { "✗ " (text::shown(&verdict.reason, ERROR_ROOM)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A figure, or a dash where it is not known.
fn known<T>(figure: Option<T>, shown: fn(T) -> String) -> String {
    figure.map_or_else(|| "–".to_owned(), shown)
}

/// Each point with its beginning in seconds.
fn points(figures: &Figures) -> impl Iterator<Item = (f64, &Point)> {
    let points = figures.course.points.iter().enumerate();
    points.map(|(place, point)| (place as f64 * figures.course.width, point))
}

fn rates(figures: &Figures) -> Markup {
    let per_second = |count: fn(&Point) -> u64| {
        points(figures).map(|(_, point)| Some(count(point) as f64 / point.seconds)).collect()
    };
    let mut curves = vec![
        Curve {
            class: "rate",
            name: "requests per second",
            points: per_second(|point| point.requests),
            right: false,
        },
        Curve {
            class: "fail",
            name: "failures per second",
            points: per_second(|point| point.failures),
            right: false,
        },
    ];
    if points(figures).any(|(_, point)| point.users.is_some()) {
        curves.push(Curve {
            class: "users",
            name: "users",
            points: points(figures).map(|(_, point)| point.users.map(f64::from)).collect(),
            right: true,
        });
    }
    let hints = points(figures).map(|(start, point)| {
        let users = point.users.map_or(String::new(), |users| format!(", {users} users"));
        format!(
            "{}: {}/s, {} failed{users}",
            text::seconds(start),
            text::rate(point.requests as f64 / point.seconds),
            text::count(point.failures),
        )
    });
    Chart {
        title: "Requests and users",
        unit: "/s",
        width: figures.course.width,
        hints: hints.collect(),
        curves,
    }
    .draw()
}

fn percentiles(figures: &Figures) -> Markup {
    let curve = |class, name, at: fn(&Point) -> Option<f64>| Curve {
        class,
        name,
        points: figures.course.points.iter().map(at).collect(),
        right: false,
    };
    let hints = points(figures).map(|(start, point)| {
        let at = |figure| known(figure, text::millis);
        format!(
            "{}: p50 {}, p95 {}, p99 {}",
            text::seconds(start),
            at(point.p50_ms),
            at(point.p95_ms),
            at(point.p99_ms)
        )
    });
    Chart {
        title: "Latency percentiles",
        unit: "ms",
        width: figures.course.width,
        hints: hints.collect(),
        curves: vec![
            curve("p50", "median", |point| point.p50_ms),
            curve("p95", "95th", |point| point.p95_ms),
            curve("p99", "99th", |point| point.p99_ms),
        ],
    }
    .draw()
}

/// The columns of the table: heading, what is shown, what is sorted by.
type Column = (&'static str, fn(&Stats) -> String, fn(&Stats) -> f64);

const COLUMNS: [Column; 10] = [
    ("Requests", |stats| text::count(stats.requests), |stats| stats.requests as f64),
    ("Failures", |stats| text::count(stats.failures), |stats| stats.failures as f64),
    ("Mean", |stats| known(stats.mean_ms, text::millis), |stats| stats.mean_ms.unwrap_or(-1.0)),
    ("p50", |stats| known(stats.p50_ms, text::millis), |stats| stats.p50_ms.unwrap_or(-1.0)),
    ("p90", |stats| known(stats.p90_ms, text::millis), |stats| stats.p90_ms.unwrap_or(-1.0)),
    ("p95", |stats| known(stats.p95_ms, text::millis), |stats| stats.p95_ms.unwrap_or(-1.0)),
    ("p99", |stats| known(stats.p99_ms, text::millis), |stats| stats.p99_ms.unwrap_or(-1.0)),
    ("p99.9", |stats| known(stats.p999_ms, text::millis), |stats| stats.p999_ms.unwrap_or(-1.0)),
    ("Max", |stats| known(stats.max_ms, text::millis), |stats| stats.max_ms.unwrap_or(-1.0)),
    ("Bytes", |stats| known(stats.bytes, text::bytes), |stats| stats.bytes.unwrap_or(0) as f64),
];

fn names(figures: &Figures) -> Markup {
    html! {
        h2 { "Requests by name" }
        div class="wide" {
            table class="sortable" {
                thead {
                    tr {
                        th class="text" scope="col" { "Name" }
                        @for (heading, _, _) in COLUMNS {
                            th scope="col" data-number { (heading) }
                        }
                    }
                }
                tbody {
                    @for NameFigures { label, stats, .. } in &figures.names {
                        tr {
                            td class="text" {
                                @match label {
                                    Some((method, name)) => {
                                        (text::shown(method, 20)) " " (text::shown(name, NAME_ROOM))
                                    }
                                    None => { (text::count(figures.further_names as u64)) " further names" }
                                }
                            }
                            @for (place, (_, shown, key)) in COLUMNS.iter().enumerate() {
                                td class=[(place == 1 && stats.failures > 0).then_some("bad")]
                                    data-v=(text::short_key(key(stats))) { (shown(stats)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn errors(figures: &Figures) -> Markup {
    let (texts, count) = figures.further_errors;
    html! {
        @if !figures.errors.is_empty() {
            h2 { "Errors" }
            div class="wide" {
                table {
                    thead {
                        tr { th { "Count" } th class="text" { "Error" } th class="text" { "Request" } }
                    }
                    tbody {
                        @for group in &figures.errors {
                            tr {
                                td { (text::count(group.count)) }
                                td class="text" { (text::shown(&group.text, ERROR_ROOM)) }
                                td class="text" {
                                    @if let Some((method, name, _)) = group.names.first() {
                                        (text::shown(method, 20)) " " (text::shown(name, NAME_ROOM))
                                    }
                                    @if group.names.len() > 1 { " and others" }
                                }
                            }
                        }
                    }
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

/// The documents that were run; one that ran several times appears once.
fn documents(figures: &Figures) -> Markup {
    let mut documents: Vec<String> = Vec::new();
    for test in figures.tests.iter().rev() {
        let Some(text) = &test.document else { continue };
        if !documents.contains(text) {
            documents.push(text.clone());
        }
        if documents.len() >= MOST_DOCUMENTS {
            break;
        }
    }
    documents.reverse();
    html! {
        @if !documents.is_empty() {
            h2 { "What was run" }
            pre { code { (text::cut(&documents.join("\n\n"), DOCUMENT_ROOM)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::kept::Kept;
    use super::super::kept::tests::kept_of;
    use super::super::tests::written;
    use super::*;
    use crate::record::fixture::{recorder, records, request};
    use crate::record::live::Live;
    use crate::record::{Iterations, Label, Recorder, Recording, Sample, UserCount};
    use crate::value::Reader;

    #[test]
    fn the_verdict_comes_first_and_is_a_sentence() {
        let good = [("GET", "u", "a", 200, 1.0, 1, None)];
        let bad = [("GET", "u", "a", 500, 1.0, 1, Some("x"))];
        let json = Value::parse(
            r#"[{"type": "failure_rate", "value": 0}, {"type": "latency_p95", "value": 100}]"#,
        )
        .expect("JSON");
        let rules = Rule::read_list(&Reader::root(&json)).expect("rules");
        for (rows, rules, want) in [
            (&[][..], &[][..], "✗ Nothing was measured"),
            (&good[..], &[][..], "✓ No request failed"),
            (&bad[..], &[][..], "✗ 1 of 1 requests failed (100 %)"),
            (&good[..], &rules[..], "✓ Passed: all 2 gates hold"),
            (&bad[..], &rules[..], "✗ Failed: 1 of 2 gates broken"),
        ] {
            let page = written(|out| write(&records(rows), rules, out));
            let (_, body) = page.split_once("<h1>").expect("a heading");
            let first = body.split("<p class=\"verdict").nth(1).expect("a verdict");
            assert!(first.contains(&format!(">{want}</p>")), "{want}: {first:.80}");
        }
    }

    #[test]
    fn load_that_was_not_made_is_no_green_line() {
        let mut recording =
            Recording::new(UNIX_EPOCH, vec![recorder(&[("GET", "u", "a", 200, 1.0, 1, None)])]);
        let span = Duration::from_secs(4);
        recording.iterations = Iterations { started: 120, planned: 800, dropped: 680, span };
        let mut records = Records::default();
        records.push(Arc::new(recording));
        let rule = Value::parse(r#"[{"type": "failure_rate", "value": 0}]"#).expect("JSON");
        let rules = Rule::read_list(&Reader::root(&rule)).expect("rules");
        for (rules, words) in [(&[][..], "No request failed"), (&rules, "Passed: all 1 gates hold")]
        {
            let page = written(|out| write(&records, rules, out));
            let verdict = format!(
                "<p class=\"verdict warn\">⚠ {words}, but 85 % of the load was not made</p>"
            );
            assert!(page.contains(&verdict), "{verdict}");
        }
    }

    #[test]
    fn t36_a_record_keeps_the_beginning_of_a_huge_document_and_no_secret_of_it() {
        let variables: String = (0..50_000).map(|n| format!(r#""k{n}": "v","#)).collect();
        let json = format!(r#"[{{"token": "s3cret", {variables} "password": "s3cret"}}]"#);
        let text = document(&Value::parse(&json).expect("JSON"));
        assert!(text.capacity() <= DOCUMENT_ROOM + 10, "{}", text.capacity());
        assert!(text.len() > DOCUMENT_ROOM && text.contains("\"k100\": \"v\""), "{}", text.len());
        assert!(!text.contains("s3cret"));
        let url = format!("http://u:{}s3cret@host/", "p".repeat(DOCUMENT_ROOM - 20));
        assert!(!document(&Value::from(url)).contains("ppp"));
    }

    #[test]
    fn the_document_is_shown_without_secrets() {
        let mut recording = Recording::new(UNIX_EPOCH, Vec::new());
        let action = Value::parse(
            r#"[["LD_start_test", {"tasks": [{"headers": {"Authorization": "Bearer hunter2hunter2"}}]}]]"#,
        )
        .expect("JSON");
        recording.document = Some(document(&action));
        let mut records = Records::default();
        records.push(Arc::new(recording));
        let page = written(|out| write(&records, &[], out));
        assert!(page.contains("LD_start_test") && page.contains("[redacted]"));
        assert!(!page.contains("hunter2"));
    }

    /// A long run: very many different names and errors, all of them long and full of markup.
    fn worst() -> Records {
        let mut recorder = Recorder::default();
        let errors: Vec<_> = (0..2000)
            .map(|number| recorder.error(&format!("{number}{}", "<&>\"".repeat(300))))
            .collect();
        for number in 0..50_000u64 {
            let label = recorder.label(Label {
                method: "DELETE".into(),
                url: "u".into(),
                name: format!("{}{}", number % 1000, "<&>\"".repeat(200)).into(),
            });
            recorder.record(Sample {
                label,
                start: Duration::from_millis(number * 70),
                delay: Duration::ZERO,
                service: Duration::from_micros(number * 997 % 5_000_000),
                status: 200,
                bytes: number,
                error: errors.get(number as usize % 2000).copied(),
            });
        }
        let mut recording = Recording::new(UNIX_EPOCH, vec![recorder]);
        recording.document = Some(document(&Value::List(vec!["<\"&>".repeat(40_000).into()])));
        recording.users = (0..3500)
            .map(|second| UserCount { at: Duration::from_secs(second), users: second as u32 })
            .collect();
        let mut records = Records::default();
        records.push(Arc::new(recording));
        records
    }

    /// A page from what is kept of these records.
    fn page_without_rows(records: &Records) -> String {
        let live = Live::default();
        for recording in records.recordings() {
            for row in recording.rows() {
                let millis = row.response_ms as u64;
                request(&live, &row.label.name, millis, row.bytes, row.failed());
            }
        }
        let value = kept_of(records, &live.series());
        let mut figures = Kept::read(&value).expect("a test").figures();
        figures.facts.run = Some(7);
        figures.facts.label = Some("<nightly>".to_owned());
        written(|out| draw(&figures, &[], out))
    }

    #[test]
    fn a_page_without_rows_has_the_figures_errors_warnings_and_course_of_the_run() {
        let rows: Vec<_> = (0..70)
            .map(|row| ("GET", "u", "a", 200, 10.0, 1000, (row == 0).then_some("<broken>")))
            .collect();
        let page = page_without_rows(&records(&rows));
        for shown in [
            "✗ 1 of 70 requests failed (1.43 %)",
            "Run 7 · &lt;nightly&gt;",
            "⚠ slow",
            "<td class=\"text\">GET a</td>",
            "&lt;broken&gt;",
            "up to 2 users",
            "1 s: 20.0/s",
            "p99 6.00 ms",
            "the document",
            "latencies are exact to 1.00 %",
        ] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
    }

    #[test]
    fn hostile_texts_are_texts_on_a_page_without_rows() {
        let page = page_without_rows(&crate::record::fixture::hostile());
        assert_eq!(page.matches("<script").count(), 1);
        for text in crate::record::fixture::HOSTILE {
            let escaped = maud::html! { (text) }.into_string();
            assert!(page.contains(&format!(">{escaped}<")), "{text:?}");
        }
    }

    #[test]
    fn the_worst_run_makes_a_page_of_at_most_three_hundred_kilobytes() {
        let page = written(|out| write(&worst(), &[], out));
        assert!(page.len() <= 300_000, "{} bytes", page.len());
        assert!(page.contains("850 further names") && page.contains("1\u{202f}950 further texts"));
    }
}
