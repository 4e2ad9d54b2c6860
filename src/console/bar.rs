//! The line about a running test: a bar on a terminal that is never wider than it, or a line for a log
//! now and then.

use super::figures::{clock, counted};
use super::line::{Line, fit, shown, width};
use super::style::{Role, Style};
use crate::event::{Progress, Queued};

/// Steps of the bar.
const STEPS: usize = 24;

/// How often a line is written where there is no terminal, in seconds of the test.
const EVERY: f64 = 10.0;

/// What is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    /// A test or another command begins.
    Starting(String),
    /// The run waits.
    Queued(Queued),
    /// A test runs.
    Test(Progress),
    /// A state in words.
    Words(String),
}

/// A piece of the line, and when it is left out: the highest first.
struct Piece {
    leaves: u8,
    role: Role,
    text: String,
}

/// The line for a terminal with so many columns. The last column stays free: a cursor that has passed it
/// is where terminals disagree.
pub(super) fn line(what: &Shown, columns: usize, style: Style) -> Line {
    let room = columns.saturating_sub(1);
    let mut pieces = match what {
        Shown::Test(progress) => pieces(progress, style),
        other => return Line::of(Role::Plain, &fit(&shown(&words(other)), room, style)),
    };
    let needed = |pieces: &[Piece]| {
        pieces.iter().map(|piece| width(&piece.text) + 2).sum::<usize>().saturating_sub(2)
    };
    while needed(&pieces) > room && pieces.len() > 1 {
        let last = pieces.iter().map(|piece| piece.leaves).max();
        pieces.retain(|piece| Some(piece.leaves) != last);
    }
    let mut line = Line::default();
    for (place, piece) in pieces.iter().enumerate() {
        let gap = if place == 0 { "" } else { "  " };
        line = line.with(Role::Plain, gap).with(piece.role, &fit(&piece.text, room, style));
    }
    line
}

fn pieces(progress: &Progress, style: Style) -> Vec<Piece> {
    let Progress { elapsed_s, users, requests, failures, rps, p50_ms, p95_ms, .. } = progress;
    let part = progress.remaining_s.map(|left| elapsed_s / (elapsed_s + left).max(f64::EPSILON));
    let part = part.map(|part| part.clamp(0.0, 1.0));
    let piece = |leaves, text: String| Some(Piece { leaves, role: Role::Plain, text });
    let failed = if *failures > 0 { Role::Bad } else { Role::Plain };
    [
        progress.probe.and_then(|probe| piece(3, format!("probe {probe}"))),
        piece(0, format!("{:>5}", clock(*elapsed_s))),
        part.and_then(|part| piece(7, style.bar((part * STEPS as f64) as usize, STEPS))),
        part.and_then(|part| piece(4, format!("{:>3.0} %", (part * 100.0).floor()))),
        piece(5, counted(*users as u64, "user")),
        piece(1, counted(*requests, "request")),
        Some(Piece { leaves: 0, role: failed, text: format!("{failures} failed") }),
        piece(6, format!("{rps:.0}/s")),
        piece(9, format!("p50 {p50_ms:.1} ms")),
        piece(8, format!("p95 {p95_ms:.1} ms")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The line for a log.
fn words(what: &Shown) -> String {
    match what {
        Shown::Starting(command) => format!("{command} starts"),
        Shown::Words(words) => words.clone(),
        Shown::Queued(Queued { position, holder, holder_remaining_s }) => {
            let holder = holder.map_or_else(|| "another".to_owned(), |run| format!("run {run}"));
            let left = holder_remaining_s.map_or_else(
                || "runs until it is stopped".to_owned(),
                |left| format!("has {} left", clock(left)),
            );
            format!("queued at position {position}; {holder} {left}")
        }
        Shown::Test(progress) => {
            let Progress { elapsed_s, users, requests, failures, rps, p50_ms, p95_ms, .. } =
                progress;
            let length = progress
                .remaining_s
                .map(|left| format!(" of {}", clock((elapsed_s + left).round())));
            let probe = progress.probe.map(|probe| format!("probe {probe}, "));
            format!(
                "{}{}{}: {}, {} ({rps:.0}/s), {failures} failed, p50 {p50_ms:.1} ms, p95 {p95_ms:.1} ms",
                probe.unwrap_or_default(),
                clock(*elapsed_s),
                length.unwrap_or_default(),
                counted(*users as u64, "user"),
                counted(*requests, "request"),
            )
        }
    }
}

/// Lines for a log: one every ten seconds of a test, and one for each probe of a search.
#[derive(Debug)]
pub(super) struct Lines {
    due: f64,
    /// Updates while the run waits: about one a second.
    waited: u64,
    /// The last probe.
    probe: Option<usize>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { due: EVERY, waited: 0, probe: None }
    }
}

impl Lines {
    /// The line, if one is due.
    pub(super) fn next(&mut self, what: &Shown) -> Option<String> {
        match what {
            Shown::Test(progress) if progress.probe != self.probe => {
                self.probe = progress.probe;
                self.due = EVERY;
                Some(words(what))
            }
            Shown::Test(progress) if progress.elapsed_s >= self.due => {
                self.due = (progress.elapsed_s / EVERY).floor() * EVERY + EVERY;
                Some(words(what))
            }
            Shown::Queued(_) => {
                self.waited += 1;
                (self.waited % EVERY as u64 == 1).then(|| words(what))
            }
            Shown::Starting(_) => {
                *self = Self::default();
                None
            }
            Shown::Test(_) | Shown::Words(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        Progress {
            elapsed_s: 20.4,
            remaining_s: Some(39.6),
            users: 50,
            requests: 123_456,
            failures: 2,
            rps: 411.3,
            p50_ms: 1.26,
            p95_ms: 3.0,
            ..Progress::default()
        }
    }

    #[track_caller]
    fn check(columns: usize, expected: &str) {
        let text = line(&Shown::Test(progress()), columns, Style::UNICODE).text();
        assert_eq!(text, expected);
        assert!(width(&text) < columns, "{columns}");
    }

    #[test]
    fn the_line_shrinks_with_the_terminal() {
        check(
            120,
            " 20 s  ████████░░░░░░░░░░░░░░░░   34 %  50 users  123456 requests  2 failed  411/s  p50 1.3 ms  p95 3.0 ms",
        );
        check(
            100,
            " 20 s  ████████░░░░░░░░░░░░░░░░   34 %  50 users  123456 requests  2 failed  411/s  p95 3.0 ms",
        );
        check(
            90,
            " 20 s  ████████░░░░░░░░░░░░░░░░   34 %  50 users  123456 requests  2 failed  411/s",
        );
        check(80, " 20 s   34 %  50 users  123456 requests  2 failed  411/s");
        check(50, " 20 s   34 %  50 users  123456 requests  2 failed");
        check(40, " 20 s   34 %  123456 requests  2 failed");
        check(20, " 20 s  2 failed");
    }

    #[test]
    fn no_line_reaches_the_last_column_whatever_the_figures_are() {
        let huge = Progress {
            elapsed_s: 1e6,
            remaining_s: Some(1e6),
            users: usize::MAX,
            requests: u64::MAX,
            failures: u64::MAX,
            rps: 1e12,
            p50_ms: 1e9,
            p95_ms: 1e9,
            ..Progress::default()
        };
        let queued = Queued { position: 3, holder: Some(12), holder_remaining_s: Some(1e6) };
        for what in [
            Shown::Test(Progress::default()),
            Shown::Test(progress()),
            Shown::Test(huge),
            Shown::Queued(queued),
            Shown::Starting("LD_start_test\u{1b}[2J".to_owned()),
        ] {
            for columns in 2..200 {
                let text = line(&what, columns, Style::UNICODE).text();
                assert!(width(&text) < columns, "{columns}: {text}");
            }
        }
    }

    #[test]
    fn failures_are_red_and_ascii_terminals_get_ascii() {
        let shown = |failures, style| {
            let progress = Progress { failures, ..progress() };
            line(&Shown::Test(progress), 120, style).render(style)
        };
        assert!(shown(2, Style::RICH).contains("\u{1b}[31m2 failed\u{1b}[0m"));
        assert!(!shown(0, Style::RICH).contains('\u{1b}'));
        assert!(shown(2, Style::PLAIN).starts_with(" 20 s  [########----------------]   34 %"));
        assert!(shown(2, Style::PLAIN).is_ascii());
    }

    #[test]
    fn a_test_without_an_end_has_no_bar() {
        let progress = Progress { remaining_s: None, ..progress() };
        let text = line(&Shown::Test(progress), 120, Style::UNICODE).text();
        assert!(text.starts_with(" 20 s  50 users"), "{text}");
    }

    #[test]
    fn a_log_gets_a_line_for_each_probe_of_a_search() {
        let mut lines = Lines::default();
        let mut said = Vec::new();
        for probe in [1, 1, 1, 2, 2] {
            let progress =
                Progress { elapsed_s: 2.0, remaining_s: None, probe: Some(probe), ..progress() };
            said.extend(lines.next(&Shown::Test(progress)));
        }
        let line = |probe| {
            format!(
                "probe {probe}, 2 s: 50 users, 123456 requests (411/s), 2 failed, p50 1.3 ms, p95 3.0 ms"
            )
        };
        assert_eq!(said, [line(1), line(2)]);
    }

    #[test]
    fn a_log_gets_a_line_every_ten_seconds() {
        let mut lines = Lines::default();
        lines.next(&Shown::Starting("LD_start_test".to_owned()));
        let mut due = |elapsed_s| {
            let remaining_s = Some(60.0 - elapsed_s);
            lines.next(&Shown::Test(Progress { elapsed_s, remaining_s, ..progress() }))
        };
        let said: Vec<String> =
            (1..=35).filter_map(|second| due(f64::from(second) + 0.1)).collect();
        assert_eq!(said.len(), 3);
        assert_eq!(
            said[0],
            "10 s of 60 s: 50 users, 123456 requests (411/s), 2 failed, p50 1.3 ms, p95 3.0 ms"
        );
        let queued = Queued { position: 2, holder: Some(5), holder_remaining_s: Some(30.0) };
        let said: Vec<String> =
            (0..20).filter_map(|_| lines.next(&Shown::Queued(queued))).collect();
        assert_eq!(said, ["queued at position 2; run 5 has 30 s left"; 2]);
    }
}
