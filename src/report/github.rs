//! Failures as GitHub's workflow commands: written to the output of a step, they are shown as errors
//! of the run.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::record::{Records, Row};

/// The most lines: GitHub shows ten of a step, and a person reads no more than this.
pub const MAX_LINES: usize = 1000;

/// The title of annotations where none is given: the reference's.
pub const TITLE: &str = "LoadDensity";

/// A line for each failure, at most [`MAX_LINES`], and how many failures there are.
pub fn lines(records: &Records, title: &str) -> (Vec<String>, usize) {
    let failures = records.rows().filter(Row::failed).count();
    let rows = records.rows().filter(Row::failed).take(MAX_LINES);
    (rows.map(|row| line(&row, title)).collect(), failures)
}

/// Writes them, and what was left out.
pub fn write(records: &Records, out: &mut dyn Write) -> io::Result<()> {
    let (lines, failures) = lines(records, TITLE);
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    match failures - lines.len() {
        0 => Ok(()),
        more => writeln!(out, "::warning title={TITLE}::{more} more requests failed"),
    }
}

fn line(row: &Row<'_>, title: &str) -> String {
    let or =
        |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    let url = or(&row.label.url, &or(&row.label.name, "(unknown)"));
    let status = match row.status {
        Some(status) if status > 0 => format!(" (HTTP {status})"),
        _ => String::new(),
    };
    let error = or(row.error.unwrap_or_default(), "request failed");
    let message = format!("{} {url}{status}: {error}", row.label.method);
    let title = match title {
        "" => String::new(),
        title => format!(" title={}", escaped(title).replace(',', "%2C").replace(':', "%3A")),
    };
    format!("::error{title}::{}", escaped(&message))
}

/// A text that ends neither its line nor its command.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '\r', '\n']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;
    use crate::record::fixture::{hostile, records};

    #[test]
    fn each_failure_is_an_error_with_its_method_url_and_status() {
        let records = records(&[
            ("GET", "http://x/", "n", 500, 1.0, 1, Some("50% bad\nx")),
            ("GET", "http://x/", "n", 200, 1.0, 1, None),
            ("POST", "", "", 0, 1.0, 1, Some("")),
        ]);
        let (found, failures) = lines(&records, "a: b, 5%\n::x");
        assert_eq!(
            found,
            [
                "::error title=a%3A b%2C 5%25%0A%3A%3Ax::GET http://x/ (HTTP 500): 50%25 bad%0Ax",
                "::error title=a%3A b%2C 5%25%0A%3A%3Ax::POST (unknown): request failed",
            ]
        );
        assert_eq!(failures, 2);
    }

    #[test]
    fn no_text_ends_its_line() {
        let records = hostile();
        let (found, failures) = lines(&records, TITLE);
        assert!(
            found.iter().all(|line| !line.contains(['\n', '\r']) && line.starts_with("::error "))
        );
        assert_eq!(found.len(), failures);
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let failed = ("GET", "u", "n", 500, 1.0, 1, Some("e"));
        let text = written(|out| write(&records(&vec![failed; MAX_LINES + 3]), out));
        assert_eq!(text.lines().count(), MAX_LINES + 1);
        assert!(text.ends_with("::warning title=LoadDensity::3 more requests failed\n"));
    }
}
