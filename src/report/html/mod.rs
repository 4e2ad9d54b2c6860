//! The report as a page for people: one self-contained file, verdict first, light or dark by the
//! reader's setting, readable without its script (which only sorts the table). It stays below 300
//! KiB whatever the run: names, errors and the document are capped, curves have a fixed number of
//! points.

mod chart;
mod figures;
mod text;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use self::chart::{Chart, Curve};
use self::figures::{Name, PageData, Totals};
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

/// Writes the page. The rules, if any, decide the verdict; without them a run passes if no request
/// failed.
pub fn write(records: &Records, rules: &[Rule], out: &mut dyn Write) -> io::Result<()> {
    let figures = PageData::of(records);
    let verdicts: Vec<GateResult> = if rules.is_empty() {
        Vec::new()
    } else {
        let summary = records.summary();
        rules.iter().map(|rule| rule.judge(&summary)).collect()
    };
    out.write_all(page(records, &figures, &verdicts).into_string().as_bytes())
}

fn page(records: &Records, figures: &PageData<'_>, verdicts: &[GateResult]) -> Markup {
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
                    (verdict(figures, verdicts, not_made(records)))
                    p class="soft" { (when(records, figures)) }
                    @for recording in records.recordings() {
                        @for warning in &recording.warnings {
                            p class="warn" { "⚠ " (text::shown(warning, ERROR_ROOM)) }
                        }
                    }
                }
                (tiles(records, figures))
                @if !verdicts.is_empty() { (gates(verdicts)) }
                h2 { "Over time" }
                div class="charts" { (rates(figures)) (percentiles(figures)) }
                h2 { "Latencies" }
                div class="charts" {
                    (chart::histogram("Requests by latency (logarithmic)", figures.total.latency.counts()))
                }
                (names(figures))
                (errors(figures))
                (documents(records))
                footer class="soft" {
                    p {
                        "Latencies count every request, failed ones included, from when it was meant to start "
                        "to its last byte. They are exact to 0.1 %; the curves to 1 %. "
                        "A point of a curve covers " (text::seconds(figures.width)) "."
                    }
                    p { "Written by ldctl " (env!("CARGO_PKG_VERSION")) "." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// The share of the planned load that was not made, where it is worth a word.
fn not_made(records: &Records) -> Option<f64> {
    Some(records.iterations().dropped_share()).filter(|share| *share > 0.01)
}

fn verdict(figures: &PageData<'_>, verdicts: &[GateResult], not_made: Option<f64>) -> Markup {
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
fn when(records: &Records, figures: &PageData<'_>) -> String {
    let runs = records.recordings();
    let mut line = match runs.first().map(|run| jiff::Timestamp::try_from(run.started_at())) {
        Some(Ok(started)) => format!("Began {} · ", started.strftime("%Y-%m-%d %H:%M:%S UTC")),
        _ => String::new(),
    };
    line.push_str(&format!("took {}", text::seconds(figures.seconds)));
    if runs.len() > 1 {
        line.push_str(&format!(" · {} runs, shown one after the other", runs.len()));
    }
    if let Some(users) = figures.most_users {
        line.push_str(&format!(" · up to {} users", text::count(users.into())));
    }
    line
}

fn tiles(records: &Records, figures: &PageData<'_>) -> Markup {
    let Totals { requests, failures, bytes, max_ms, .. } = figures.total;
    let percentile = |at| figures.total.percentile(at).map_or("–".to_owned(), text::millis);
    let rate = requests as f64 / figures.seconds.max(0.001);
    let failed = format!("Failed ({})", text::count(failures));
    let interrupted = records.interrupted();
    let interrupted = (interrupted > 0).then(|| ("Interrupted", text::count(interrupted)));
    let tiles = [
        ("Requests", text::count(requests)),
        (failed.as_str(), text::percent(figures.total.failure_rate())),
        ("Per second", text::rate(rate)),
        ("Median", percentile(50.0)),
        ("95th percentile", percentile(95.0)),
        ("99th percentile", percentile(99.0)),
        ("Slowest", text::millis(max_ms)),
        ("Received", text::bytes(bytes)),
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

fn rates(figures: &PageData<'_>) -> Markup {
    let buckets = figures.points();
    let per_second = |count: fn(&Totals) -> u64| {
        buckets.iter().map(|bucket| Some(count(&bucket.totals) as f64 / bucket.length)).collect()
    };
    let mut curves = vec![
        Curve {
            class: "rate",
            name: "requests per second",
            points: per_second(|totals| totals.requests),
            right: false,
        },
        Curve {
            class: "fail",
            name: "failures per second",
            points: per_second(|totals| totals.failures),
            right: false,
        },
    ];
    if figures.most_users.is_some() {
        curves.push(Curve {
            class: "users",
            name: "users",
            points: buckets.iter().map(|bucket| bucket.users.map(f64::from)).collect(),
            right: true,
        });
    }
    let hints = buckets.iter().map(|bucket| {
        let users = bucket.users.map_or(String::new(), |users| format!(", {users} users"));
        format!(
            "{}: {}/s, {} failed{users}",
            text::seconds(bucket.start),
            text::rate(bucket.totals.requests as f64 / bucket.length),
            text::count(bucket.totals.failures),
        )
    });
    Chart {
        title: "Requests and users",
        unit: "/s",
        width: figures.width,
        hints: hints.collect(),
        curves,
    }
    .draw()
}

fn percentiles(figures: &PageData<'_>) -> Markup {
    let curve = |class, name, at| Curve {
        class,
        name,
        points: figures.points().iter().map(|bucket| bucket.totals.percentile(at)).collect(),
        right: false,
    };
    let hints = figures.points().iter().map(|bucket| {
        let at = |at| bucket.totals.percentile(at).map_or("–".to_owned(), text::millis);
        format!(
            "{}: p50 {}, p95 {}, p99 {}",
            text::seconds(bucket.start),
            at(50.0),
            at(95.0),
            at(99.0)
        )
    });
    Chart {
        title: "Latency percentiles",
        unit: "ms",
        width: figures.width,
        hints: hints.collect(),
        curves: vec![
            curve("p50", "median", 50.0),
            curve("p95", "95th", 95.0),
            curve("p99", "99th", 99.0),
        ],
    }
    .draw()
}

/// The columns of the table: heading, what is shown, what is sorted by.
type Column = (&'static str, fn(&Totals) -> String, fn(&Totals) -> f64);

fn shown_percentile(totals: &Totals, at: f64) -> String {
    totals.percentile(at).map_or("–".to_owned(), text::millis)
}

fn sorted_percentile(totals: &Totals, at: f64) -> f64 {
    totals.percentile(at).unwrap_or(-1.0)
}

const COLUMNS: [Column; 10] = [
    ("Requests", |totals| text::count(totals.requests), |totals| totals.requests as f64),
    ("Failures", |totals| text::count(totals.failures), |totals| totals.failures as f64),
    ("Mean", |totals| text::millis(totals.mean_ms()), Totals::mean_ms),
    ("p50", |totals| shown_percentile(totals, 50.0), |totals| sorted_percentile(totals, 50.0)),
    ("p90", |totals| shown_percentile(totals, 90.0), |totals| sorted_percentile(totals, 90.0)),
    ("p95", |totals| shown_percentile(totals, 95.0), |totals| sorted_percentile(totals, 95.0)),
    ("p99", |totals| shown_percentile(totals, 99.0), |totals| sorted_percentile(totals, 99.0)),
    ("p99.9", |totals| shown_percentile(totals, 99.9), |totals| sorted_percentile(totals, 99.9)),
    ("Max", |totals| text::millis(totals.max_ms), |totals| totals.max_ms),
    ("Bytes", |totals| text::bytes(totals.bytes), |totals| totals.bytes as f64),
];

fn names(figures: &PageData<'_>) -> Markup {
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
                    @for Name { label, totals } in &figures.names {
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
                                td class=[(place == 1 && totals.failures > 0).then_some("bad")]
                                    data-v=(text::short_key(key(totals))) { (shown(totals)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn errors(figures: &PageData<'_>) -> Markup {
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
                                td class="text" { (text::shown(group.text, ERROR_ROOM)) }
                                td class="text" {
                                    (text::shown(group.first.0, 20)) " " (text::shown(group.first.1, NAME_ROOM))
                                    @if group.several { " and others" }
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
fn documents(records: &Records) -> Markup {
    let mut documents: Vec<String> = Vec::new();
    for recording in records.recordings().iter().rev() {
        let Some(text) = &recording.document else { continue };
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

    use super::super::tests::written;
    use super::*;
    use crate::record::fixture::{recorder, records};
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

    #[test]
    fn the_worst_run_makes_a_page_of_at_most_three_hundred_kilobytes() {
        let page = written(|out| write(&worst(), &[], out));
        assert!(page.len() <= 300_000, "{} bytes", page.len());
        assert!(page.contains("850 further names") && page.contains("1\u{202f}950 further texts"));
    }
}
