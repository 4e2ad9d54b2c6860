//! The report as a page for people: one self-contained file, verdict first, light or dark by the
//! reader's setting, readable without its script (which only sorts, filters and shortens tables). It
//! stays below a megabyte whatever the run: names, errors and the document are capped, curves have a
//! bounded number of points.

mod chart;
mod course;
mod delta;
mod document;
mod facts;
mod gates;
mod scale;
mod tables;
mod text;
mod verdict;
mod versus;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use self::text::{ERROR_ROOM, known};
use super::figures::{Figures, NameFigures};
use super::kept;
use super::options::Options;
use crate::record::Records;
use crate::record::diff::RunMetrics;
use crate::record::gates::GateResult;

pub use self::document::document;
pub use self::text::{count, millis};

/// The style of the page, for others that look like it.
pub const STYLE: &str = include_str!("page.css");

/// The script of the page.
pub const SCRIPT: &str = include_str!("page.js");

/// The most warnings that are listed.
const MOST_WARNINGS: usize = 20;

/// A part of a page, which changes by itself while its run is in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name, one of [`PARTS`].
    pub name: &'static str,
    /// Its markup; whatever is in it from outside is text.
    pub html: String,
}

/// The names of the parts, in their order on the page.
pub const PARTS: [&str; 10] = [
    "verdict",
    "figures",
    "comparison",
    "gates",
    "course",
    "names",
    "errors",
    "distribution",
    "test",
    "notes",
];

/// Writes the page of a record. Rules and a baseline, if any, decide the verdict; without them a run
/// fails if a request failed, and nothing else is said of it.
pub fn write(records: &Records, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut figures = kept::figures_of(records, options.memory.as_ref());
    figures.facts = options.facts.clone();
    figures.baseline =
        options.baseline.clone().map(|baseline| baseline.against(&kept::run_of(records)));
    let gates: Vec<GateResult> = if options.rules.is_empty() {
        Vec::new()
    } else {
        let summary = records.summary();
        options.rules.iter().map(|rule| rule.judge(&summary)).collect()
    };
    draw(&figures, &gates, out)
}

/// Writes a page of these figures and the results of gates.
pub fn draw(figures: &Figures, gates: &[GateResult], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page(figures, gates).into_string().as_bytes())
}

/// The parts of the same page, for one that is open while they change.
pub fn parts(figures: &Figures, gates: &[GateResult]) -> Vec<Part> {
    let drawn = PARTS.into_iter().zip(sections(figures, gates));
    drawn.map(|(name, markup)| Part { name, html: markup.into_string() }).collect()
}

/// The charts of a name, for a page that fetches them when a reader opens it.
pub fn charts(name: &NameFigures, width: f64) -> String {
    course::small(name, width).into_string()
}

fn page(figures: &Figures, gates: &[GateResult]) -> Markup {
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
                meta name="generator" content=(concat!("ldctl ", env!("CARGO_PKG_VERSION")));
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (facts::title(figures)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { @for section in sections(figures, gates) { section { (section) } } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// The content of each of [`PARTS`].
fn sections(figures: &Figures, gates: &[GateResult]) -> [Markup; PARTS.len()] {
    let head = html! {
        header {
            h1 { (facts::heading(figures)) }
            (verdict::words_of(figures, gates))
            (against(figures))
            (gates::broken(gates, figures))
            @if let Some(baseline) = &figures.baseline { (delta::regressions(baseline)) }
            (warnings(figures))
            p class="soft" { (facts::line(figures)) }
        }
    };
    let judged = html! { @if !gates.is_empty() { (gates::table(gates, figures)) } };
    let course = html! { h2 { "Over time" } (course::charts(figures)) };
    let distribution = html! {
        h2 { "Distribution" }
        div class="charts" {
            @if !figures.latencies.is_empty() {
                @let title = match figures.baseline {
                    None => "Requests by latency (logarithmic axis)",
                    Some(_) => "Requests of the new run by latency (logarithmic axis)",
                };
                (chart::histogram(title, &figures.latencies))
            }
            (tables::statuses(figures))
        }
    };
    let test = html! { (facts::table(figures)) (document::documents(figures)) };
    [
        head,
        tiles(figures),
        versus::tables(figures),
        judged,
        course,
        tables::names(figures),
        tables::errors(figures),
        distribution,
        test,
        notes(figures),
    ]
}

/// How exact the figures are, and what they mean.
fn notes(figures: &Figures) -> Markup {
    html! {
        footer class="soft" {
            p {
                "Latencies count every request, failed ones included, from when it was meant to start "
                "to its last byte. "
                @match figures.error {
                    None => "They are exact. ",
                    Some(error) if figures.is_partial && !figures.facts.is_in_progress => {
                        "Some requests have no rows: latencies are exact to " (text::percent(error))
                        ", curves and statuses are those of the rows. "
                    }
                    Some(error) => {
                        @if figures.facts.is_in_progress { "While the test is in progress, " }
                        @else { "The rows of this run are not kept: " }
                        "latencies are exact to " (text::percent(error))
                        @if figures.without_course.is_some() {
                            ", and of a point of a curve the slowest second counts"
                        }
                        ". "
                    }
                }
                "A point of a curve covers " (text::decimals(figures.course.width, 2)) " s."
            }
            p { "Written by ldctl " (env!("CARGO_PKG_VERSION")) "." }
        }
    }
}

/// Whether anything has become worse than in the run that it is compared with.
fn against(figures: &Figures) -> Markup {
    let Some(baseline) = &figures.baseline else { return html! {} };
    let words = delta::sentence(baseline);
    html! {
        @if baseline.regressions.is_empty() {
            p class="verdict second good" { "✓ " (words) }
        } @else {
            p class="verdict second bad" { "✗ " (words) }
        }
    }
}

/// What must be known before the figures are trusted, each once.
fn warnings(figures: &Figures) -> Markup {
    let mut all: Vec<&String> = figures.warnings.iter().collect();
    for warning in figures.tests.iter().flat_map(|test| &test.warnings) {
        if !all.contains(&warning) && all.len() <= MOST_WARNINGS {
            all.push(warning);
        }
    }
    html! {
        @if !all.is_empty() {
            ul class="warnings" {
                @for warning in all.iter().take(MOST_WARNINGS) {
                    li { "⚠ " (text::shown(warning, ERROR_ROOM)) }
                }
                @if all.len() > MOST_WARNINGS { li { "and more" } }
            }
        }
    }
}

/// A figure that stands by itself.
struct Tile {
    name: Markup,
    /// What programs know it by, and its number for them.
    figure: Option<(&'static str, String)>,
    value: String,
    /// How it has changed.
    delta: Markup,
}

fn tiles(figures: &Figures) -> Markup {
    let total = &figures.total;
    let rate = total.requests as f64 / figures.seconds.max(0.001);
    let before = figures.baseline.as_ref();
    let growth = |now, was: fn(&RunMetrics) -> f64| {
        let before = before.map(|run| (was(&run.total), run.tolerance));
        html! { @if let Some((was, tolerance)) = before { (delta::growth(now, Some(was), tolerance)) } }
    };
    let tile = |name: &str, figure: Option<(&'static str, String)>, value: String| Tile {
        name: html! { (name) },
        figure,
        value,
        delta: html! {},
    };
    let latency = |name: &str, figure, now: Option<f64>, was| {
        let number = now.map_or_else(String::new, |now| text::decimals(now, 3));
        let figure = Some((figure, number));
        Tile { delta: growth(now, was), ..tile(name, figure, known(now, text::millis)) }
    };
    let requests = Some(("requests", total.requests.to_string()));
    let requests = tile("Requests", requests, text::count(total.requests));
    let failed = html! {
        "Failed (" span data-value=(total.failures) data-figure="failures" { (text::count(total.failures)) } ")"
    };
    let mut tiles = vec![
        Tile {
            delta: html! { @if let Some(run) = before { (delta::change(total.requests, run.total.requests)) } },
            ..requests
        },
        Tile {
            name: failed,
            delta: html! { @if let Some(run) = before { (delta::failures(total, &run.total, run.tolerance)) } },
            ..tile("", None, text::percent(total.failure_rate()))
        },
        tile("Per second", Some(("rps", text::decimals(rate, 3))), text::rate(rate)),
        latency("Median", "p50", total.p50_ms, |run| run.p50_ms),
        latency("p95", "p95", total.p95_ms, |run| run.p95_ms),
        latency("p99", "p99", total.p99_ms, |run| run.p99_ms),
        Tile {
            delta: growth(total.max_ms, |run| run.max_ms),
            ..tile("Slowest", None, known(total.max_ms, text::millis))
        },
        tile("Received", None, known(total.bytes, text::bytes)),
    ];
    let (name, users) = users(figures);
    let number = users.map_or_else(String::new, |users| users.to_string());
    let shown = known(users, |users| text::count(users.into()));
    tiles.push(tile(name, Some(("users", number)), shown));
    if figures.iterations.dropped > 0 {
        let share = text::percent(figures.iterations.dropped_share());
        let name = format!("Not started ({})", text::count(figures.iterations.dropped));
        tiles.push(tile(&name, None, share));
    }
    if figures.interrupted > 0 {
        tiles.push(tile("Interrupted", None, text::count(figures.interrupted)));
    }
    html! {
        dl class="tiles" {
            @for Tile { name, figure, value, delta } in tiles {
                div {
                    dt { (name) }
                    dd {
                        @match figure {
                            Some((figure, number)) => span data-value=(number) data-figure=(figure) { (value) },
                            None => (value),
                        }
                        (delta)
                    }
                }
            }
        }
    }
}

/// How many users there are, or were at most.
fn users(figures: &Figures) -> (&'static str, Option<u32>) {
    let mut counted = figures.course.points.iter().filter_map(|point| point.users);
    match figures.facts.is_in_progress {
        true => ("Users", counted.next_back()),
        false => ("Users at most", counted.max()),
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
    use crate::record::gates::Rule;
    use crate::record::live::Live;
    use crate::record::{Gaps, Iterations, Label, Recorder, Recording, Sample, UserCount};
    use crate::value::{Reader, Value};

    /// The page of a record, judged by these rules.
    pub(super) fn page(records: &Records, rules: &[Rule]) -> String {
        let options = Options { rules: rules.to_vec(), ..Options::default() };
        written(|out| write(records, &options, out))
    }

    #[test]
    fn the_verdict_comes_first_and_is_a_sentence() {
        let good = [("GET", "u", "a", 200, 1.0, 1, None)];
        let bad = [("GET", "u", "a", 500, 1.0, 1, Some("x"))];
        let mixed = [good[0], bad[0]];
        let json = Value::parse(
            r#"[{"type": "failure_rate", "value": 0}, {"type": "latency_p95", "value": 100}]"#,
        )
        .expect("JSON");
        let rules = Rule::read_list(&Reader::root(&json)).expect("rules");
        for (rows, rules, want) in [
            (&[][..], &[][..], "✗ Nothing was measured"),
            (&good[..], &[][..], "✓ No request failed"),
            (&mixed[..], &[][..], "⚠ 1 of 2 requests failed (50.00 %); no gate judges them"),
            (&bad[..], &[][..], "✗ 1 of 1 requests failed (100 %)"),
            (&good[..], &rules[..], "✓ Passed: all 2 gates hold"),
            (&bad[..], &rules[..], "✗ Failed: 1 of 2 gates broken"),
        ] {
            let page = page(&records(rows), rules);
            let (_, body) = page.split_once("<h1>").expect("a heading");
            let first = body.split("<p class=\"verdict").nth(1).expect("a verdict");
            assert!(first.contains(&format!(">{want}</p>")), "{want}: {first:.80}");
        }
    }

    #[test]
    fn load_that_was_not_made_is_no_green_line() {
        let mut recording =
            Recording::new(UNIX_EPOCH, vec![recorder(&[("GET", "u", "a", 200, 1.0, 1, None)])]);
        let [span, waited] = [6, 2].map(Duration::from_secs);
        recording.iterations =
            Iterations { started: 120, planned: 800, dropped: 680, span, waited, starting: 0 };
        let mut records = Records::default();
        records.push(Arc::new(recording));
        let rule = Value::parse(r#"[{"type": "failure_rate", "value": 0}]"#).expect("JSON");
        let rules = Rule::read_list(&Reader::root(&rule)).expect("rules");
        for (rules, words) in [(&[][..], "No request failed"), (&rules, "Passed: the gate holds")] {
            let page = page(&records, rules);
            let verdict = format!(
                "<p class=\"verdict warn\">⚠ {words}, but 85 % of the load was not made</p>"
            );
            assert!(page.contains(&verdict), "{verdict}");
        }
    }

    #[test]
    fn requests_with_unresolved_placeholders_are_no_green_line_unless_a_gate_judges_them() {
        let mut recording =
            Recording::new(UNIX_EPOCH, vec![recorder(&[("GET", "u", "a", 200, 1.0, 1, None)])]);
        let placeholders = vec!["${item}".to_owned()];
        recording.gaps = Gaps { requests: 1, placeholders, extractions: 0 };
        let mut records = Records::default();
        records.push(Arc::new(recording));
        for (rule, line) in [
            (
                "failure_rate",
                "warn\">⚠ Passed: the gate holds, but 1 request was sent with ${item} unresolved</p>",
            ),
            ("unresolved", "good\">✓ Passed: the gate holds</p>"),
        ] {
            let rule = format!(r#"[{{"type": "{rule}", "value": 1}}]"#);
            let rule = Value::parse(&rule).expect("JSON");
            let rules = Rule::read_list(&Reader::root(&rule)).expect("rules");
            let page = page(&records, &rules);
            assert!(page.contains(&format!("<p class=\"verdict {line}")), "{line}");
        }
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
    /// The live figures of requests.
    fn live_of(records: &Records) -> Live {
        let live = Live::default();
        for recording in records.recordings() {
            for row in recording.rows() {
                let millis = row.response_ms as u64;
                request(&live, &row.label.name, millis, row.bytes, row.failed());
            }
        }
        live
    }

    fn page_without_rows(records: &Records) -> String {
        let value = kept_of(records, &live_of(records).series());
        let mut figures = Kept::read(&value).expect("a test").figures();
        figures.facts.run = Some(7);
        figures.facts.label = Some("<nightly>".to_owned());
        written(|out| draw(&figures, &[], out))
    }

    #[test]
    fn a_gate_may_follow_a_test_in_progress() {
        let rows =
            [("GET", "u", "a", 200, 1.0, 1, None), ("GET", "u", "a", 500, 1.0, 1, Some("x"))];
        let records = records(&rows);
        let value = kept_of(&records, &live_of(&records).series());
        let mut figures = Kept::read(&value).expect("a test").figures();
        figures.facts.is_in_progress = true;
        let words = verdict::words_of(&figures, &[]).into_string();
        assert!(words.ends_with("So far: 1 of 2 requests failed (50.00 %)</p>"), "{words}");
    }

    #[test]
    fn a_page_without_rows_has_the_figures_errors_warnings_and_course_of_the_run() {
        let rows: Vec<_> = (0..70)
            .map(|row| ("GET", "u", "a", 200, 10.0, 1000, (row == 0).then_some("<broken>")))
            .collect();
        let page = page_without_rows(&records(&rows));
        for shown in [
            "⚠ 1 of 70 requests failed (1.43 %); no gate judges them",
            "run 7 · &lt;nightly&gt;",
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

    /// Records of this many names, each with requests at all points of the time axis.
    fn busy(names: usize) -> Records {
        let mut recorder = Recorder::default();
        let error = recorder.error("503 Service Unavailable");
        let labels: Vec<_> = (0..names)
            .map(|name| {
                let name =
                    format!("/api/v2/organizations/{{id}}/projects/{{project}}/resources/{name}");
                recorder.label(Label {
                    method: "GET".into(),
                    url: "http://h/".into(),
                    name: name.into(),
                })
            })
            .collect();
        for number in 0..20_000u64 {
            recorder.record(Sample {
                label: labels[number as usize % names],
                start: Duration::from_micros(number * 59_900 / 20),
                delay: Duration::ZERO,
                service: Duration::from_micros(number * 7919 % 300_000),
                status: 200,
                bytes: number,
                error: (number % 7 == 0).then_some(error),
            });
        }
        let mut records = Records::default();
        records.push(Arc::new(Recording::new(UNIX_EPOCH, vec![recorder])));
        records
    }

    #[test]
    fn a_page_of_seven_names_is_small_and_one_of_very_many_is_not_large() {
        for (names, most) in [(7, 150_000), (85, 1_000_000)] {
            let page = page(&busy(names), &[]);
            assert!(page.len() < most, "{names} names: {} bytes", page.len());
            let charted = page.matches("class=\"more\"").count();
            assert_eq!(charted, names.min(50));
            let left = "35 of 85 rows have none: those of the 50 busiest names are drawn";
            assert_eq!(page.contains(left), names == 85);
        }
    }

    #[test]
    fn the_worst_run_makes_a_page_of_at_most_a_megabyte() {
        let page = page(&worst(), &[]);
        assert!(page.len() <= 1_000_000, "{} bytes", page.len());
        assert!(page.contains("850 further names") && page.contains("1\u{202f}950 further texts"));
    }
}
