//! The records as JSON objects, `Success_Test1`, `Success_Test2`, … in one document and
//! `Failure_Test1`, … in another, every field a string, as in the reference. Bodies and headers of
//! successes are not recorded; their fields hold `None`, like the reference's without a response.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::ser::PrettyFormatter;

use super::rows::{Outcome, status_text};
use crate::record::{Records, Row};
use crate::value::{Map, Value};

/// Writes the records with this outcome.
pub fn write(records: &Records, outcome: Outcome, out: &mut dyn Write) -> io::Result<()> {
    write_each(records, &[outcome], out)
}

/// Writes all records as one object, successes first.
pub fn write_all(records: &Records, out: &mut dyn Write) -> io::Result<()> {
    write_each(records, &Outcome::BOTH, out)
}

fn write_each(records: &Records, outcomes: &[Outcome], out: &mut dyn Write) -> io::Result<()> {
    let mut writer =
        serde_json::Serializer::with_formatter(out, PrettyFormatter::with_indent(b"    "));
    let mut document = writer.serialize_map(None)?;
    for outcome in outcomes {
        for (row, number) in outcome.rows(records).zip(1u64..) {
            document.serialize_entry(&key(*outcome, number), &Entry(*outcome, row))?;
        }
    }
    Ok(document.end()?)
}

/// The records with this outcome as a value.
pub fn value(records: &Records, outcome: Outcome) -> Value {
    let entries = outcome.rows(records).zip(1u64..).map(|(row, number)| {
        let fields: Map = fields(outcome, &row)
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.into()))
            .collect();
        (key(outcome, number), Value::Dict(fields))
    });
    Value::Dict(entries.collect())
}

/// A record's name in JSON and XML.
pub(super) fn key(outcome: Outcome, number: u64) -> String {
    match outcome {
        Outcome::Success => format!("Success_Test{number}"),
        Outcome::Failure => format!("Failure_Test{number}"),
    }
}

/// A record's fields in JSON and XML.
pub(super) fn fields(outcome: Outcome, row: &Row<'_>) -> Vec<(&'static str, String)> {
    let none = || "None".to_owned();
    let mut fields = vec![
        ("Method", row.label.method.to_string()),
        ("test_url", row.label.url.to_string()),
        ("name", row.label.name.to_string()),
        ("status_code", status_text(row.status)),
    ];
    match outcome {
        Outcome::Success => {
            fields.extend([("text", none()), ("content", none()), ("headers", none())]);
        }
        Outcome::Failure => {
            fields.push(("error", row.error.map_or_else(none, str::to_owned)));
        }
    }
    fields
}

struct Entry<'a>(Outcome, Row<'a>);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(fields(self.0, &self.1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;
    use crate::record::fixture::records;

    #[test]
    fn successes_and_failures_are_two_documents_of_texts() {
        let records = records(&[
            ("GET", "http://x/a", "n", 200, 12.5, 3, None),
            ("POST", "http://x/", "", 0, 3.0, 0, Some("bad")),
        ]);
        assert_eq!(
            written(|out| write(&records, Outcome::Failure, out)),
            r#"{
    "Failure_Test1": {
        "Method": "POST",
        "test_url": "http://x/",
        "name": "",
        "status_code": "0",
        "error": "bad"
    }
}"#
        );
        let success = written(|out| write(&records, Outcome::Success, out));
        let parsed = Value::parse(&success).expect("JSON");
        assert_eq!(parsed, value(&records, Outcome::Success));
        assert_eq!(
            parsed.to_text(),
            "{'Success_Test1': {'Method': 'GET', 'test_url': 'http://x/a', 'name': 'n', \
             'status_code': '200', 'text': 'None', 'content': 'None', 'headers': 'None'}}"
        );
    }
}
