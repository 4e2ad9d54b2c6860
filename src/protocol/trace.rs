//! What `ldctl run --once` shows of a test: its requests, their responses, and what checks made of
//! them, as text without secrets. Only a test that has a [`Tracer`] pays for it.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::load::scenario::Skipped;
use crate::redact;

/// As much of a body as is shown, in bytes.
const MOST_BODY: usize = 2048;

/// Takes what is shown: whole lines, without the last line's end.
#[derive(Clone)]
pub struct Tracer(Arc<dyn Fn(String) + Send + Sync>);

impl fmt::Debug for Tracer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tracer")
    }
}

impl Tracer {
    /// Gives all of it to `show`, which must not block for long.
    pub fn new(show: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(show))
    }

    pub(super) fn show(&self, lines: Lines) {
        (self.0)(lines.0.trim_end_matches('\n').to_owned());
    }

    /// Shows bytes that are sent or received.
    pub(super) fn bytes(&self, sign: char, bytes: &[u8], length: u64) {
        let mut lines = Lines::default();
        lines.body(sign, bytes, length);
        self.show(lines);
    }

    /// Shows that a task was skipped.
    pub(super) fn skipped(&self, task: usize, why: Skipped) {
        let mut lines = Lines::default();
        lines.add('=', &format!("task {} skipped: {why}", task + 1));
        self.show(lines);
    }

    /// Shows the end of a task: the outcome, and each check.
    pub(super) fn verdict(
        &self,
        task: usize,
        took: Duration,
        error: Option<&str>,
        checks: Vec<String>,
    ) {
        let mut lines = Lines::default();
        let millis = took.as_secs_f64() * 1000.0;
        let outcome = match error {
            None => format!("task {} passed in {millis:.2} ms", task + 1),
            Some(error) => format!("task {} failed in {millis:.2} ms: {error}", task + 1),
        };
        lines.add('=', &outcome);
        checks.iter().for_each(|check| lines.add('=', &format!("  {check}")));
        self.show(lines);
    }
}

/// Lines without secrets, each with the sign of its side.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines(String);

impl Lines {
    /// Adds a line.
    pub(super) fn add(&mut self, sign: char, text: &str) {
        let text = redact::text(text);
        let gap = if text.is_empty() { "" } else { " " };
        let _ = writeln!(self.0, "{sign}{gap}{text}");
    }

    /// Adds a header.
    pub(super) fn header(&mut self, sign: char, name: &str, value: &str) {
        match redact::names_secret(name) {
            true => self.add(sign, &format!("{name}: {}", redact::REDACTED)),
            false => self.add(sign, &format!("{name}: {value}")),
        }
    }

    /// Adds the beginning of a body of `length` bytes, of which `bytes` are known.
    pub(super) fn body(&mut self, sign: char, bytes: &[u8], length: u64) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.add(sign, &format!("({length} bytes that are not text)"));
        };
        let shown = redact::head(text, MOST_BODY);
        for line in shown.lines() {
            let gap = if line.is_empty() { "" } else { " " };
            let _ = writeln!(self.0, "{sign}{gap}{line}");
        }
        if text.len() > MOST_BODY || length > text.len() as u64 {
            self.add(sign, &format!("({length} bytes in all)"));
        }
    }
}

/// The head of a request or a response of HTTP/1.1, without its secrets.
pub(super) fn head_lines(sign: char, head: &[u8]) -> Lines {
    let mut lines = Lines::default();
    for line in String::from_utf8_lossy(head).lines().filter(|line| !line.is_empty()) {
        match line.split_once(": ") {
            Some((name, value)) if !name.contains(' ') => lines.header(sign, name, value),
            _ => lines.add(sign, line),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(write: impl FnOnce(&mut Lines)) -> String {
        let mut lines = Lines::default();
        write(&mut lines);
        lines.0
    }

    #[test]
    fn what_is_shown_has_no_secrets() {
        let shown = lines(|lines| {
            lines.header('>', "Authorization", "Basic dXNlcjpwYXNz");
            lines.header('<', "Set-Cookie", "sid=abcdef; Path=/");
            lines.header('>', "X-Api-Key", "k-123");
            lines.header('>', "Accept", "*/*");
            lines.add('>', "GET /a?token=s3cret&b=1 HTTP/1.1");
            lines.body('>', br#"{"password": "s3cret", "user": "ann"}"#, 37);
        });
        assert_eq!(
            shown,
            "> Authorization: [redacted]\n< Set-Cookie: [redacted]\n> X-Api-Key: [redacted]\n\
             > Accept: */*\n> GET /a?token=[redacted]&b=1 HTTP/1.1\n\
             > {\"password\": \"[redacted]\", \"user\": \"ann\"}\n"
        );
    }

    #[test]
    fn of_a_long_body_the_beginning_is_shown_and_of_bytes_the_number() {
        let shown = lines(|lines| lines.body('<', "a\n\nb".as_bytes(), 4));
        assert_eq!(shown, "< a\n<\n< b\n");
        let long = lines(|lines| lines.body('<', "x".repeat(5000).as_bytes(), 5000));
        assert!(long.ends_with("x\n< (5000 bytes in all)\n") && long.len() < 2200, "{long}");
        let bytes = lines(|lines| lines.body('<', b"\xff\xfe", 2));
        assert_eq!(bytes, "< (2 bytes that are not text)\n");
        assert_eq!(lines(|lines| lines.body('<', b"", 0)), "");
    }
}
