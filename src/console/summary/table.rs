//! The table of names. Where it is too wide for the terminal, columns are left out in a fixed order,
//! then names are cut.

use crate::console::figures::{column, count, number, percent, text};
use crate::console::line::{Line, fit, shown, width};
use crate::console::style::{Role, Style};
use crate::event::title;
use crate::value::Value;

/// Names with a line of their own; those with the most requests.
const MOST_NAMES: usize = 40;

/// Between two columns.
const GAP: usize = 2;

/// The room that names have before columns are left out for them, in columns of the terminal.
const NAME_ROOM: usize = 16;

/// The same where hardly a column is left.
const LEAST_NAME_ROOM: usize = 4;

/// The heading of the names; the unit of the latencies stands only here.
const HEADING: &str = "latency in ms";

/// The columns beside the name, from left to right.
const HEADINGS: [&str; 10] =
    ["requests", "failed", "", "/s", "mean", "p50", "p90", "p95", "p99", "max"];

/// The members of a name's figures that are latencies, in the order of their columns.
const LATENCIES: [&str; 6] = ["mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms"];

const REQUESTS: usize = 0;
const FAILED: usize = 1;
const SHARE: usize = 2;
const RATE: usize = 3;
const MEAN: usize = 4;
const P50: usize = 5;
const P90: usize = 6;
const P95: usize = 7;
const P99: usize = 8;
const MAX: usize = 9;

/// The columns in the order in which they are left out.
const LEFT_OUT: [usize; 7] = [MEAN, P90, P50, MAX, SHARE, P99, RATE];

/// Those that follow where not even that is enough.
const LEFT_OUT_LAST: [usize; 2] = [P95, REQUESTS];

/// The figures of a name, or of all.
struct Row {
    name: String,
    requests: u64,
    failures: u64,
    latencies: [Option<f64>; 6],
}

impl Row {
    fn of(name: String, counts: &Value, latencies: &Value) -> Self {
        let successes = count(counts, "count");
        Self {
            name,
            requests: count(counts, "requests").or(successes).unwrap_or(0),
            failures: count(counts, "failures").unwrap_or(0),
            latencies: LATENCIES.map(|member| number(latencies, member)),
        }
    }
}

/// The lines of the table of a summary; `seconds` is the time in which the requests were made.
pub(super) fn table(summary: &Value, seconds: Option<f64>, room: usize, style: Style) -> Vec<Line> {
    let (mut rows, further) = rows(summary);
    let none = Value::Null;
    let part = |member| summary.get(member).unwrap_or(&none);
    rows.push(Row::of("total".to_owned(), part("totals"), part("latency_overall")));
    let mut lines = layout(&rows, seconds, room, style);
    if further > 0 {
        let last = lines.len().saturating_sub(1);
        let more = format!("and {further} further names (-o json has all)");
        lines.insert(last, Line::of(Role::Soft, &fit(&more, room, style)));
    }
    let failures = count(part("totals"), "failures").unwrap_or(0);
    if failures > 0 {
        let note = "latencies of names are of successes only";
        lines.push(Line::of(Role::Soft, &fit(note, room, style)));
    }
    lines
}

/// The rows of the names with the most requests, in the order of the summary, and how many others
/// there are.
fn rows(summary: &Value) -> (Vec<Row>, usize) {
    let Some(Value::Dict(names)) = summary.get("per_name") else { return (Vec::new(), 0) };
    let mut rows: Vec<Row> = names
        .iter()
        .map(|(name, figures)| {
            let method = text(figures, "method");
            let name = title(&method, name);
            Row::of(name, figures, figures)
        })
        .collect();
    let mut busiest: Vec<u64> = rows.iter().map(|row| row.requests).collect();
    busiest.sort_unstable_by(|a, b| b.cmp(a));
    let least = busiest.get(MOST_NAMES - 1).copied().unwrap_or(0);
    let all = rows.len();
    rows.retain(|row| row.requests >= least);
    rows.truncate(MOST_NAMES);
    let further = all - rows.len();
    (rows, further)
}

fn layout(rows: &[Row], seconds: Option<f64>, room: usize, style: Style) -> Vec<Line> {
    let columns = columns(rows, seconds, style);
    let widths: Vec<usize> = columns
        .iter()
        .zip(HEADINGS)
        .map(|(cells, heading)| {
            cells.iter().map(|cell| width(cell)).max().unwrap_or(0).max(width(heading))
        })
        .collect();
    let names: Vec<String> = rows.iter().map(|row| shown(&row.name)).collect();
    let widest = names.iter().map(|name| width(name)).max().unwrap_or(0).max(width(HEADING));
    let mut kept: Vec<usize> =
        (0..HEADINGS.len()).filter(|at| has_figures(*at, rows, seconds)).collect();
    let left = |kept: &[usize]| {
        let taken: usize = kept.iter().filter_map(|at| widths.get(*at)).map(|w| w + GAP).sum();
        room.saturating_sub(taken)
    };
    for (order, least) in [(&LEFT_OUT[..], NAME_ROOM), (&LEFT_OUT_LAST[..], LEAST_NAME_ROOM)] {
        for column in order {
            if left(&kept) >= widest.min(least) {
                break;
            }
            kept.retain(|at| at != column);
        }
    }
    let name_room = left(&kept).min(widest);
    let line = |name: &str, role: Role, cell: &dyn Fn(usize) -> (Role, String)| {
        let name = fit(name, name_room, style);
        let padding = " ".repeat(name_room.saturating_sub(width(&name)));
        let mut line = Line::of(role, &name).with(Role::Plain, &padding);
        for at in &kept {
            let (role, cell) = cell(*at);
            let room = widths.get(*at).copied().unwrap_or(0) + GAP;
            let padding = " ".repeat(room.saturating_sub(width(&cell)));
            line = line.with(Role::Plain, &padding).with(role, &cell);
        }
        line
    };
    let heading = |at: usize| (Role::Soft, HEADINGS.get(at).copied().unwrap_or("").to_owned());
    let mut lines = vec![line(HEADING, Role::Soft, &heading)];
    for (place, (row, name)) in rows.iter().zip(&names).enumerate() {
        let cell = |at: usize| {
            let failed = row.failures > 0 && (at == FAILED || at == SHARE);
            let cell = columns.get(at).and_then(|cells| cells.get(place));
            (if failed { Role::Bad } else { Role::Plain }, cell.cloned().unwrap_or_default())
        };
        let role = if place + 1 == rows.len() { Role::Strong } else { Role::Plain };
        lines.push(line(name, role, &cell));
    }
    lines
}

/// Whether a column says anything.
fn has_figures(at: usize, rows: &[Row], seconds: Option<f64>) -> bool {
    match at {
        SHARE => rows.iter().any(|row| row.failures > 0),
        RATE => seconds.is_some(),
        _ => at.checked_sub(MEAN).is_none_or(|latency| {
            rows.iter().any(|row| row.latencies.get(latency).is_some_and(Option::is_some))
        }),
    }
}

/// The cells of each column.
fn columns(rows: &[Row], seconds: Option<f64>, style: Style) -> Vec<Vec<String>> {
    let or_dash = |cells: Vec<Option<String>>| -> Vec<String> {
        cells.into_iter().map(|cell| cell.unwrap_or_else(|| style.dash().to_owned())).collect()
    };
    let rates: Vec<Option<f64>> = rows
        .iter()
        .map(|row| Some(row.requests as f64 / seconds.filter(|seconds| *seconds > 0.0)?))
        .collect();
    let shares = rows.iter().map(|row| match row.failures {
        0 => String::new(),
        failures => format!("{}%", percent(failures as f64 / row.requests.max(1) as f64)),
    });
    let mut columns: Vec<Vec<String>> = vec![
        rows.iter().map(|row| row.requests.to_string()).collect(),
        rows.iter().map(|row| row.failures.to_string()).collect(),
        shares.collect(),
        or_dash(column(&rates)),
    ];
    columns.extend((0..LATENCIES.len()).map(|at| {
        let figures: Vec<Option<f64>> =
            rows.iter().map(|row| row.latencies.get(at).copied().flatten()).collect();
        or_dash(column(&figures))
    }));
    columns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn summary() -> Value {
        Value::parse(
            r#"{"totals": {"requests": 1200, "failures": 600},
                "latency_overall": {"count": 1200, "mean_ms": 1.0, "p50_ms": 0.3, "p90_ms": 1.2,
                                    "p95_ms": 5.2, "p99_ms": 33.0, "max_ms": 61.4},
                "per_name": {
                    "login": {"method": "POST", "requests": 600, "failures": 0, "count": 600,
                              "mean_ms": 1.7, "p50_ms": 0.4, "p90_ms": 1.2, "p95_ms": 5.2,
                              "p99_ms": 33.0, "max_ms": 61.4},
                    "items of a shop with a long name": {
                              "method": "GET", "requests": 600, "failures": 600, "count": 0}}}"#,
        )
        .expect("JSON")
    }

    #[track_caller]
    fn check(width: usize, expected: &[&str]) {
        let lines = table(&summary(), Some(3.0), width, Style::UNICODE);
        let lines: Vec<String> = lines.iter().map(Line::text).collect();
        assert_eq!(lines, expected, "{width}");
    }

    #[test]
    fn a_wide_terminal_has_every_column() {
        check(
            120,
            &[
                "latency in ms                         requests  failed           /s  mean   p50   p90   p95   p99   max",
                "POST login                                 600       0        200.0  1.70  0.40  1.20  5.20  33.0  61.4",
                "GET items of a shop with a long name       600     600  100%  200.0     –     –     –     –     –     –",
                "total                                     1200     600   50%  400.0  1.00  0.30  1.20  5.20  33.0  61.4",
                "latencies of names are of successes only",
            ],
        );
    }

    #[test]
    fn a_narrow_terminal_leaves_columns_out_and_cuts_names_in_the_middle() {
        check(
            80,
            &[
                "latency in ms        requests  failed           /s   p50   p90   p95   p99   max",
                "POST login                600       0        200.0  0.40  1.20  5.20  33.0  61.4",
                "GET items…long name       600     600  100%  200.0     –     –     –     –     –",
                "total                    1200     600   50%  400.0  0.30  1.20  5.20  33.0  61.4",
                "latencies of names are of successes only",
            ],
        );
        check(
            50,
            &[
                "latency in ms        requests  failed     /s   p95",
                "POST login                600       0  200.0  5.20",
                "GET items…long name       600     600  200.0     –",
                "total                    1200     600  400.0  5.20",
                "latencies of names are of successes only",
            ],
        );
        check(
            30,
            &[
                "lat…ms  requests  failed   p95",
                "POS…in       600       0  5.20",
                "GET…me       600     600     –",
                "total       1200     600  5.20",
                "latencies of na…successes only",
            ],
        );
    }

    #[test]
    fn only_the_busiest_names_have_lines_and_the_others_are_counted() {
        let names: Vec<String> =
            (0..100).map(|at| format!(r#""n{at}": {{"requests": {at}, "failures": 0}}"#)).collect();
        let summary = format!(r#"{{"totals": {{}}, "per_name": {{{}}}}}"#, names.join(", "));
        let summary = Value::parse(&summary).expect("JSON");
        let lines = table(&summary, None, 100, Style::UNICODE);
        let lines: Vec<String> = lines.iter().map(Line::text).collect();
        assert_eq!(lines.len(), 1 + MOST_NAMES + 2);
        assert!(lines[1].starts_with("n60 "), "{}", lines[1]);
        assert_eq!(lines[MOST_NAMES + 1], "and 60 further names (-o json has all)");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_line_is_wider_than_the_terminal(
            room in 30..=200usize,
            names in proptest::collection::vec((any::<String>(), any::<u32>(), any::<u32>(), 0.0..1e7f64), 0..6),
            wide in "[日本\u{301}👩‍🔬☁️\u{1b}\t]{0,60}",
            seconds in proptest::option::of(0.0..1e6f64),
            unicode: bool,
        ) {
            let style = if unicode { Style::UNICODE } else { Style::PLAIN };
            let mut per_name = crate::value::Map::new();
            for (name, requests, failures, latency) in names {
                let figures = Value::dict([
                    ("requests", Value::from(u64::from(requests))),
                    ("failures", u64::from(failures.min(requests)).into()),
                    ("p95_ms", latency.into()),
                    ("max_ms", latency.into()),
                ]);
                per_name.insert(format!("{name}{wide}"), figures);
            }
            let totals = Value::dict([("requests", Value::from(u64::from(u32::MAX))), ("failures", 1u64.into())]);
            let summary = Value::dict([("totals", totals), ("per_name", Value::Dict(per_name))]);
            for line in table(&summary, seconds, room, style) {
                let line = line.text();
                prop_assert!(width(&line) <= room, "{} of {room}: {line:?}", width(&line));
            }
        }
    }
}
