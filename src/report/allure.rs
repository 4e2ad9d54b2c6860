//! Requests as results for Allure: a file for each, so they are few.

use std::fmt::Write;

use super::rows::{Outcome, name_of, status_text};
use crate::record::{Records, Row};
use crate::value::{Charset, Value};

/// The most files: Allure reads each of them, and each is synced.
pub const MAX_FILES: usize = 1000;

/// The results, each with the name of its file: failures first where there are too many, else
/// successes.
pub fn results(records: &Records) -> impl Iterator<Item = (String, String)> {
    let order = match records.len() > MAX_FILES {
        true => [Outcome::Failure, Outcome::Success],
        false => Outcome::BOTH,
    };
    let rows = order.into_iter().flat_map(move |outcome| outcome.rows(records));
    rows.take(MAX_FILES).map(|row| {
        let id = uuid::Uuid::new_v4().to_string();
        let text = result(&row, &id).to_json(Charset::Unicode);
        (format!("{id}-result.json"), text)
    })
}

fn result(row: &Row<'_>, id: &str) -> Value {
    let millis = row.response_ms as i64;
    let start = (row.start_time * 1000.0) as i64;
    let name = match name_of(row) {
        "" => "request",
        name => name,
    };
    let named = |name: &str, value: Value| Value::dict([("name", name.into()), ("value", value)]);
    let mut full = "loaddensity::".to_owned();
    let _ = full.write_str(name);
    let empty = || Value::List(Vec::new());
    let labels =
        vec![named("suite", "LoadDensity".into()), named("feature", (&*row.label.method).into())];
    let parameters = vec![
        named("status_code", status_text(row.status).into()),
        named("response_length", row.bytes.to_string().into()),
    ];
    let mut result = Value::dict([
        ("uuid", Value::from(id)),
        ("name", name.into()),
        ("fullName", full.into()),
        ("status", if row.failed() { "failed" } else { "passed" }.into()),
        ("stage", "finished".into()),
        ("start", start.into()),
        ("stop", (start + millis).into()),
        ("labels", labels.into()),
        ("links", empty()),
        ("steps", empty()),
        ("attachments", empty()),
        ("parameters", parameters.into()),
    ]);
    if let (Some(error), Value::Dict(members)) = (row.error, &mut result) {
        let error = if error.is_empty() { "request failed" } else { error };
        members.insert("statusDetails".to_owned(), Value::dict([("message", Value::from(error))]));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::records;

    #[test]
    fn a_request_is_a_result_with_its_time_and_status() {
        let records = records(&[
            ("GET", "http://x/", "n", 500, 12.7, 3, Some("bad")),
            ("GET", "http://x/", "", 200, 1.5, 10, None),
        ]);
        let found: Vec<_> = results(&records).collect();
        let value = |index: usize| Value::parse(&found[index].1).expect("JSON").to_text();
        assert!(found[0].0.ends_with("-result.json"));
        assert!(value(0).contains("'name': 'http://x/', 'fullName': 'loaddensity::http://x/', 'status': 'passed', 'stage': 'finished', 'start': 1700000000000, 'stop': 1700000000001,"), "{}", value(0));
        assert!(value(1).contains(
            "{'name': 'status_code', 'value': '500'}, {'name': 'response_length', 'value': '3'}]"
        ));
        assert!(value(1).ends_with("'statusDetails': {'message': 'bad'}}"), "{}", value(1));
    }

    #[test]
    fn of_too_many_requests_the_failures_are_kept() {
        let mut rows = vec![("GET", "u", "n", 200, 1.0, 1, None); MAX_FILES];
        rows.push(("GET", "u", "last", 500, 1.0, 1, Some("bad")));
        let records = records(&rows);
        let found: Vec<_> = results(&records).collect();
        assert_eq!(found.len(), MAX_FILES);
        assert!(found[0].1.contains("\"name\": \"last\""));
    }
}
