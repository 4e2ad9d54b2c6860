//! Local documents, checked before anything is sent or run: readable, UTF-8, JSON, and a list of
//! actions. A refusal names the file, and the line and column where there is one.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::value::{RawValue, to_raw_value};

use crate::action::{Applied, Document, Finding, Overrides, STALE_RECORDS, advise, meant_url};
use crate::console::Console;
use crate::error::{Error, reason};
use crate::load::CsvRows;
use crate::load::TestLimits;
use crate::value::Value;

/// The largest document that is read, in bytes. Servers accept only far smaller ones; this guards
/// against a wrong file name (`/dev/zero`).
const LARGEST: u64 = 64 * 1024 * 1024;

/// As much of a CSV file as is read for the names of its columns, in bytes.
const LONGEST_HEADER: u64 = 64 * 1024;

/// A document that can be run.
pub(super) struct Local {
    /// As written, or as overridden.
    pub(super) written: Box<RawValue>,
    /// As it will be run.
    pub(super) document: Document,
    /// What messages call it.
    pub(super) name: String,
    /// Whether something in it takes the overrides.
    pub(super) taken: bool,
    /// What the overrides do not reach, or replace.
    notes: Vec<String>,
    /// What it will probably not do as it was meant.
    advice: Vec<Finding>,
}

impl Local {
    /// The document on lines, as it will be run.
    pub(super) fn pretty(&self) -> String {
        let written = self.written.get();
        let value = serde_json::from_str::<serde_json::Value>(written);
        let pretty = value.and_then(|value| serde_json::to_string_pretty(&value));
        pretty.unwrap_or_else(|_| written.to_owned())
    }

    /// Prints what is known before it runs: once it has run, an hour may have passed.
    pub(super) fn warn(&self, console: &mut Console) {
        for note in &self.notes {
            console.advise(&format!("{}: {note}", self.name));
        }
        for Finding { location, message, .. } in &self.advice {
            console.advise(&format!("{}: {location}: {message}", self.name));
        }
    }
}

/// Reads the document at a path; `-` means stdin. `columns` returns those of its CSV files.
pub(super) fn read(
    path: &Path,
    limits: TestLimits,
    overrides: &Overrides,
    columns: &dyn Fn(&str) -> Option<Vec<String>>,
) -> Result<Local, Error> {
    let (text, place) = load(path)?;
    check(&text, &place, limits, overrides, columns)
}

/// The columns of a CSV file in a directory, where it can be read.
pub(super) fn columns(directory: &Path, file: &str) -> Option<Vec<String>> {
    let file = directory.join(file);
    file.metadata().ok().filter(|metadata| metadata.is_file())?;
    CsvRows::header(File::open(file).ok()?.take(LONGEST_HEADER)).ok()
}

/// Refuses a list that contains stdin twice, because it is empty the second time.
pub(super) fn stdin_once(paths: &[PathBuf]) -> Result<(), Error> {
    match paths.iter().filter(|path| path.as_os_str() == "-").count() {
        0 | 1 => Ok(()),
        _ => Err(Error::usage("`-` is given more than once: stdin can be read only once")),
    }
}

/// The name of a document in messages.
pub(super) fn name(path: &Path) -> String {
    if path.as_os_str() == "-" { "stdin".to_owned() } else { path.display().to_string() }
}

/// Reads the text at a path; returns also its name in messages.
pub(super) fn load(path: &Path) -> Result<(String, String), Error> {
    let stdin = path.as_os_str() == "-";
    let place = name(path);
    let bytes = if stdin { bytes(io::stdin()) } else { File::open(path).and_then(bytes) };
    let bytes = bytes.map_err(|error| {
        let meant = path.to_str().filter(|_| error.kind() == io::ErrorKind::NotFound);
        let meant = meant.and_then(|text| match meant_url(text) {
            None if text.contains("://") => {
                Some("; write http:// or https:// for a URL".to_owned())
            }
            url => url.map(|url| format!("; for a URL write {url}")),
        });
        let (reason, meant) = (reason(&error), meant.unwrap_or_default());
        Error::usage(format!("cannot read {place}: {reason}{meant}"))
    })?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::usage(format!(
            "{place}: larger than {LARGEST} bytes is not a document"
        )));
    }
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(&place, &error))?;
    Ok((text, place))
}

/// Parses a text as JSON; `place` names it in messages.
pub(super) fn parse(text: &str, place: &str) -> Result<Value, Error> {
    if text.starts_with('\u{feff}') {
        return Err(Error::usage(format!(
            "{place}: not JSON: a byte order mark at line 1 column 1; save the file as UTF-8 without it"
        )));
    }
    Value::parse(text).map_err(|error| not_json(place, &error))
}

/// Checks a document; `place` names it in messages. A test that exceeds a limit is refused when it
/// would run, like other invalid actions.
pub(super) fn check(
    text: &str,
    place: &str,
    limits: TestLimits,
    overrides: &Overrides,
    columns: &dyn Fn(&str) -> Option<Vec<String>>,
) -> Result<Local, Error> {
    let mut value = parse(text, place)?;
    let applied = overrides.apply(&mut value);
    let Applied { taken, notes } =
        applied.map_err(|why| Error::usage(format!("{place}: {why}")))?;
    let written = match overrides.is_empty() {
        true => serde_json::from_str(text),
        false => to_raw_value(&value),
    };
    let written = written.map_err(|error| not_json(place, &error))?;
    let document = Document::within(&value, limits).map_err(|_| {
        Error::usage(format!(
            "{place}: not a document: expected a list of actions that is not empty, or an object \
             with that list under \"load_density\""
        ))
    })?;
    let mut advice = advise(&value, columns);
    // Here the records are this document's or the server's to keep: only `ldctl lint` remarks on it.
    advice.retain(|finding| finding.rule != STALE_RECORDS);
    Ok(Local { written, document, name: place.to_owned(), taken, notes, advice })
}

fn not_json(place: &str, error: &dyn std::error::Error) -> Error {
    Error::usage(format!("{place}: not JSON: {error}"))
}

fn bytes(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_utf8(place: &str, error: &std::string::FromUtf8Error) -> Error {
    let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = good.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    Error::usage(format!("{place}: not UTF-8 at line {line} column {column}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refusal(text: &str, expected: &str) {
        let error = check(text, "a.json", TestLimits::default(), &Overrides::default(), &|_| None)
            .err()
            .expect("a refusal");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_text_that_is_not_json_is_refused_with_line_and_column() {
        check_refusal(
            "[\n  [\"LD_summary\",]\n]",
            "a.json: not JSON: trailing comma at line 2 column 17",
        );
    }

    #[test]
    fn the_error_for_a_byte_order_mark_names_it() {
        check_refusal(
            "\u{feff}[[\"LD_summary\"]]",
            "a.json: not JSON: a byte order mark at line 1 column 1; save the file as UTF-8 without it",
        );
    }

    #[test]
    fn json_that_is_not_a_document_is_refused() {
        check_refusal(
            "{\"load_density\": []}",
            "a.json: not a document: expected a list of actions that is not empty, or an object \
             with that list under \"load_density\"",
        );
    }

    #[test]
    fn the_error_for_invalid_utf_8_names_line_and_column() {
        let error = String::from_utf8(b"[\n \xff]".to_vec()).expect_err("not UTF-8");
        assert_eq!(not_utf8("a.json", &error).to_string(), "a.json: not UTF-8 at line 2 column 2");
    }
}
