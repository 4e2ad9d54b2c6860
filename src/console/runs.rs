//! The table of runs.

use crate::event::{RunInfo, Status};

/// The columns: a heading, and whether its cells are numbers.
const COLUMNS: [(&str, bool); 9] = [
    ("RUN", true),
    ("STATE", false),
    ("STARTED", false),
    ("SECONDS", true),
    ("REQUESTS", true),
    ("FAILED", true),
    ("P95 MS", true),
    ("FROM", false),
    ("NAME", false),
];

/// The lines of the table: headings, then a line per run.
pub(super) fn table(runs: &[Status]) -> Vec<String> {
    let headings = COLUMNS.map(|(heading, _)| heading.to_owned());
    let rows: Vec<[String; 9]> =
        std::iter::once(headings).chain(runs.iter().filter_map(cells)).collect();
    let mut widths = [0; 9];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 9]| {
        let mut line = String::new();
        for ((cell, width), (_, is_number)) in row.iter().zip(widths).zip(COLUMNS) {
            let padded =
                if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            line.push_str(&padded);
            line.push_str("  ");
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn cells(status: &Status) -> Option<[String; 9]> {
    let RunInfo {
        run, name, peer, submitted, started, elapsed_s, requests, failures, p95_ms, ..
    } = &**status.run.as_ref()?;
    let when = started.as_ref().or(submitted.as_ref());
    // Without the fraction of a second.
    let when = when.map(|when| match when.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => when.clone(),
    });
    let number =
        |number: &Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let float = |float: &Option<f64>| float.map_or_else(String::new, |float| format!("{float:.1}"));
    Some([
        run.to_string(),
        status.state.to_string(),
        when.unwrap_or_default(),
        float(elapsed_s),
        number(requests),
        number(failures),
        float(p95_ms),
        peer.clone().unwrap_or_default(),
        name.clone().unwrap_or_default(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::State;

    #[test]
    fn columns_are_as_wide_as_their_cells_and_what_is_unknown_is_empty() {
        let running = RunInfo {
            run: 12,
            name: Some("nightly".to_owned()),
            peer: Some("127.0.0.1".to_owned()),
            started: Some("2026-11-25T20:00:01.123Z".to_owned()),
            elapsed_s: Some(3.25),
            requests: Some(123_456),
            failures: Some(0),
            p95_ms: Some(1.26),
            ..RunInfo::default()
        };
        let queued = RunInfo { run: 13, ..RunInfo::default() };
        let status = |state, info| Status { state, run: Some(Box::new(info)) };
        let lines = table(&[status(State::Queued, queued), status(State::Running, running)]);
        assert_eq!(
            lines,
            [
                "RUN  STATE    STARTED               SECONDS  REQUESTS  FAILED  P95 MS  FROM       NAME",
                " 13  queued",
                " 12  running  2026-11-25T20:00:01Z      3.2    123456       0     1.3  127.0.0.1  nightly",
            ]
        );
    }
}
