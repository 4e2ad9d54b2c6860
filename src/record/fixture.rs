//! Records for tests: a few plain ones, and ones whose texts would break a format without escaping.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::allowance::Allowance;
use super::live::Live;
use super::rows::CHUNK;
use super::{Label, Recorder, Recording, Records, Sample};
use crate::memory::Memory;

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

/// Method, URL, name, status, milliseconds, bytes and error of a request.
pub(crate) type Written<'a> = (&'a str, &'a str, &'a str, u16, f64, u64, Option<&'a str>);

/// A worker's record of these requests.
pub(crate) fn recorder(rows: &[Written<'_>]) -> Recorder {
    let mut recorder = Recorder::default();
    add(&mut recorder, rows);
    recorder
}

/// Records of one run of which only 8,192 requests, successes named `first`, have rows; these follow.
pub(crate) fn partial(beyond: &[Written<'_>]) -> Records {
    let memory = Memory::with_records(usize::MAX, CHUNK);
    let mut recorder = Recorder::new(&Arc::new(Allowance::of(&memory)));
    add(&mut recorder, &vec![("GET", "u", "first", 200, 10.0, 1, None); CHUNK]);
    add(&mut recorder, beyond);
    recorder.seal();
    let mut records = Records::default();
    records.push(Arc::new(Recording::new(UNIX_EPOCH, vec![recorder])));
    assert!(records.are_partial() && records.len() == CHUNK);
    records
}

fn add(recorder: &mut Recorder, rows: &[Written<'_>]) {
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
}

/// Records of one run with these requests.
pub(crate) fn records(rows: &[Written<'_>]) -> Records {
    let mut records = Records::default();
    let started = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    records.push(Arc::new(Recording::new(started, vec![recorder(rows)])));
    records
}

/// Adds a request to live figures.
pub(crate) fn request(live: &Live, name: &str, millis: u64, bytes: u64, failed: bool) {
    let error = failed.then_some("broken");
    recorder(&[("GET", "u", name, 200, millis as f64, bytes, error)]).merge_into(live);
}

/// One failed request for each hostile string, used as its name, URL and error.
pub(crate) fn hostile() -> Records {
    let rows: Vec<_> =
        HOSTILE.iter().map(|text| ("GET", *text, *text, 500, 1.5, 10, Some(*text))).collect();
    records(&rows)
}
