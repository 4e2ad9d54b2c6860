//! What the child prints, in the log: one line each, without secrets and control characters, and not
//! more than a reader of logs can use.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use crate::escape::one_line;
use crate::redact;

/// The longest line, in bytes; the rest of it is left out.
const MOST: usize = 2000;

/// Lines that are written of each [`SPAN`].
const LINES: usize = 50;

/// For how long lines are counted.
const SPAN: Duration = Duration::from_secs(10);

/// Reads to the end.
pub(super) fn follow(source: impl Read, mut write: impl FnMut(&str)) {
    let mut source = BufReader::new(source);
    let mut window = Window::new(Instant::now());
    while let Some(line) = line(&mut source) {
        let (shown, left_out) = window.count(Instant::now());
        if left_out > 0 {
            write(&format!("({left_out} further lines are left out)"));
        }
        if shown && !line.trim().is_empty() {
            write(&one_line(&redact::cut(line.trim_end(), MOST)));
        }
    }
    if window.left_out > 0 {
        write(&format!("({} further lines are left out)", window.left_out));
    }
}

/// The beginning of the next line; `None` at the end.
fn line(source: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let read = source.by_ref().take(MOST as u64 + 1).read_until(b'\n', &mut line).ok()?;
    if read == 0 {
        return None;
    }
    if line.last() != Some(&b'\n') {
        skip(source);
    }
    Some(String::from_utf8_lossy(&line).into_owned())
}

/// Leaves out the rest of a line.
fn skip(source: &mut impl BufRead) {
    loop {
        let Ok(buffer) = source.fill_buf() else { return };
        let (length, ends) = match memchr::memchr(b'\n', buffer) {
            Some(place) => (place + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        source.consume(length);
        if ends {
            return;
        }
    }
}

/// Counts lines.
struct Window {
    since: Instant,
    lines: usize,
    left_out: usize,
}

impl Window {
    fn new(now: Instant) -> Self {
        Self { since: now, lines: 0, left_out: 0 }
    }

    /// Whether the next line is written, and how many before it were not, once a new span begins.
    fn count(&mut self, now: Instant) -> (bool, usize) {
        let mut left_out = 0;
        if now.duration_since(self.since) >= SPAN {
            left_out = std::mem::take(&mut self.left_out);
            (self.since, self.lines) = (now, 0);
        }
        self.lines += 1;
        let shown = self.lines <= LINES;
        self.left_out += usize::from(!shown);
        (shown, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(text: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        follow(text, |line| lines.push(line.to_owned()));
        lines
    }

    #[test]
    fn t67_what_the_child_prints_reaches_the_log_escaped_cut_and_counted() {
        assert_eq!(followed(b"a\n\n\x1b[31mred\r\nlast"), ["a", "\\x1b[31mred", "last"]);
        let long = [&[b'x'; 5_000_000][..], b"\nnext\n"].concat();
        let lines = followed(&long);
        assert!(lines[0].len() <= MOST + 10, "{}", lines[0].len());
        assert_eq!(lines[1..], ["next"]);
        let many: String = (0..1000).map(|number| format!("line {number}\n")).collect();
        let lines = followed(many.as_bytes());
        assert_eq!(lines.len(), LINES + 1);
        assert_eq!(lines.last().map(String::as_str), Some("(950 further lines are left out)"));
        assert_eq!(
            followed(b"Authorization: Bearer abcdef\n"),
            ["Authorization: Bearer [redacted]"]
        );
    }

    #[test]
    fn lines_are_written_again_after_a_while() {
        let start = Instant::now();
        let mut window = Window::new(start);
        let shown = (0..60).filter(|_| window.count(start).0).count();
        assert_eq!(shown, LINES);
        assert_eq!(window.count(start + SPAN), (true, 10));
    }
}
