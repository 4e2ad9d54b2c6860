//! A finished record as text, one file per format. Every format is a function from [`Records`] to a
//! writer; it reads the columns and writes as it goes, so its memory does not grow with the number
//! of requests (the page in [`html`] aggregates first). Where the text goes — a file inside the data
//! directory, a value, a pipe — is the caller's business.

pub mod csv;
pub mod json;
pub mod junit;
pub mod summary;
pub mod xml;

use crate::record::{Records, Row};

/// Which half of the records a two-part report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Requests without an error.
    Success,
    /// Requests with one.
    Failure,
}

impl Outcome {
    /// As the reports spell it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// The requests that ended so.
    fn rows(self, records: &Records) -> impl Iterator<Item = Row<'_>> {
        records.rows().filter(move |row| row.failed() == (self == Self::Failure))
    }
}

/// Every request with its outcome, successes first: the order of the reference's reports, whose
/// records lie in two lists.
pub(crate) fn in_order(records: &Records) -> impl Iterator<Item = (Outcome, Row<'_>)> {
    [Outcome::Success, Outcome::Failure]
        .into_iter()
        .flat_map(move |outcome| outcome.rows(records).map(move |row| (outcome, row)))
}

/// What a request is listed under: its name, or its URL where it has none.
pub(crate) fn name_of<'a>(row: &Row<'a>) -> &'a str {
    if row.label.name.is_empty() { &row.label.url } else { &row.label.name }
}

/// A status as Python's `str()` writes it.
fn status_text(status: Option<u16>) -> String {
    status.map_or_else(|| "None".to_owned(), |status| status.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use crate::record::{Label, Recorder, Recording, Records, Sample};

    /// Strings that would break a format that does not escape: HTML, XML, formulas, terminal
    /// escapes, line ends, quotes.
    pub(crate) const HOSTILE: [&str; 9] = [
        "<script>alert(1)</script>",
        "]]>&lt;!--",
        "=HYPERLINK(\"x\")",
        "+1",
        "@x",
        "a\r\nb\tc",
        "\"quoted\", 'twice'",
        "\u{1b}[31mred",
        "Zażółć \u{1f600} \u{202e}",
    ];

    /// Records of one run: method, URL, name, status, milliseconds, bytes, error.
    pub(crate) fn records(
        rows: &[(&str, &str, &str, u16, f64, u64, Option<&str>)],
    ) -> Records {
        let mut recorder = Recorder::default();
        for (method, url, name, status, millis, bytes, error) in rows {
            let label = recorder.label(Label {
                method: (*method).into(),
                url: (*url).into(),
                name: (*name).into(),
            });
            let error = error.map(|text| recorder.error(text));
            recorder.record(Sample {
                label,
                start: Duration::ZERO,
                delay: Duration::ZERO,
                service: Duration::from_secs_f64(millis / 1000.0),
                status: *status,
                bytes: *bytes,
                error,
            });
        }
        let mut records = Records::default();
        let started = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        records.push(Arc::new(Recording::new(started, vec![recorder])));
        records
    }

    /// One failed request for each hostile string, which stands in its name, URL and error.
    pub(crate) fn hostile() -> Records {
        let rows: Vec<_> = HOSTILE
            .iter()
            .map(|text| ("GET", *text, *text, 500, 1.5, 10, Some(*text)))
            .collect();
        records(&rows)
    }

    /// What a format's function writes.
    pub(crate) fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }
}
