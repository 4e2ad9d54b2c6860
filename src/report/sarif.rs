//! Failures as SARIF 2.1.0, which code hosts show: a result for each failed request.

use std::io::{self, Write};

use super::rows::name_of;
use crate::record::{Records, Row};
use crate::value::{Charset, Value};

/// Signs of such a file and of the reference's.
pub const SIGNS: [&str; 1] = ["sarif-schema-2.1.0.json"];

/// The version of the tool where none is given: the reference's.
pub const TOOL_VERSION: &str = "1.0";

/// Writes the failures, and further ones as a document gives them.
pub fn write(
    records: &Records,
    tool_version: &str,
    further: &[Value],
    out: &mut dyn Write,
) -> io::Result<()> {
    let text = |text: &str| Value::from(text).to_json(Charset::Unicode);
    write!(
        out,
        "{{\"$schema\": \"https://raw.githubusercontent.com/oasis-tcs/sarif-spec/master/Schemata/\
         sarif-schema-2.1.0.json\", \"version\": \"2.1.0\", \"runs\": [{{\"tool\": {{\"driver\": \
         {{\"name\": \"LoadDensity\", \"informationUri\": \"https://loaddensity.readthedocs.io\", \
         \"version\": {}, \"rules\": [{{\"id\": \"LD0001\", \"name\": \"RequestFailure\", \
         \"shortDescription\": {{\"text\": \"Load-test request failed\"}}, \
         \"defaultConfiguration\": {{\"level\": \"error\"}}}}]}}}},\n\"results\": [",
        text(tool_version)
    )?;
    let recorded = records.rows().filter(Row::failed).map(|row| of_row(&row));
    for (index, result) in recorded.chain(further.iter().map(of_given)).enumerate() {
        out.write_all(if index > 0 { b",\n" } else { b"\n" })?;
        out.write_all(result.to_json(Charset::Unicode).as_bytes())?;
    }
    out.write_all(b"]}]}\n")
}

fn of_row(row: &Row<'_>) -> Value {
    let mut status = itoa::Buffer::new();
    let message = match (row.error.unwrap_or_default(), row.status) {
        ("", Some(code)) if code > 0 => status.format(code),
        ("", _) => "request failed",
        (error, _) => error,
    };
    let name = match name_of(row) {
        "" => "request",
        name => name,
    };
    let properties = Value::dict([
        ("method", Value::from(&*row.label.method)),
        ("status_code", row.status.map(u64::from).into()),
        ("response_time_ms", row.response_ms.into()),
    ]);
    result(name, message, properties)
}

/// A failure as a document gives it.
fn of_given(record: &Value) -> Value {
    let first = |keys: [&str; 2], other: &str| {
        let found =
            keys.into_iter().find_map(|key| record.get(key).filter(|value| value.is_truthy()));
        found.map_or_else(|| other.to_owned(), Value::to_text)
    };
    let member = |key: &str, other: Value| record.get(key).cloned().unwrap_or(other);
    let properties = Value::dict([
        ("method", member("Method", "".into())),
        ("status_code", member("status_code", "".into())),
        ("response_time_ms", member("response_time_ms", Value::Int(0))),
    ]);
    let name = first(["name", "test_url"], "request");
    result(&name, &first(["error", "status_code"], "request failed"), properties)
}

fn result(name: &str, message: &str, properties: Value) -> Value {
    let text = Value::dict([("text", Value::from(format!("{name}: {message}")))]);
    let place = Value::dict([("artifactLocation", Value::dict([("uri", Value::from(name))]))]);
    Value::dict([
        ("ruleId", Value::from("LD0001")),
        ("level", "error".into()),
        ("message", text),
        ("locations", vec![Value::dict([("physicalLocation", place)])].into()),
        ("properties", properties),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;
    use crate::record::fixture::{HOSTILE, hostile, records};

    #[test]
    fn each_failure_is_a_result_with_its_name_and_error() {
        let records = records(&[
            ("GET", "http://x/", "n", 500, 1.5, 1, Some("bad")),
            ("GET", "http://x/", "n", 200, 1.5, 1, None),
            ("GET", "http://x/", "", 503, 1.5, 1, Some("")),
        ]);
        let given = Value::parse(r#"[{"name": "g", "status_code": 404}, {}]"#).expect("JSON");
        let Value::List(given) = given else { panic!("a list") };
        let text = written(|out| write(&records, "2\"", &given, out));
        assert!(SIGNS.iter().all(|sign| text[..1024].contains(sign)));
        let value = Value::parse(&text).expect("JSON").to_text();
        for part in [
            "'version': '2\"'",
            "'message': {'text': 'n: bad'}",
            "'message': {'text': 'http://x/: 503'}",
            "'properties': {'method': 'GET', 'status_code': 500, 'response_time_ms': 1.5}}",
            "'message': {'text': 'g: 404'}",
            "'message': {'text': 'request: request failed'}",
            "'properties': {'method': '', 'status_code': '', 'response_time_ms': 0}}",
        ] {
            assert!(value.contains(part), "{part}: {value}");
        }
        assert_eq!(value.matches("'ruleId'").count(), 4);
    }

    #[test]
    fn t23_hostile_texts_are_read_back_from_sarif() {
        let text = written(|out| write(&hostile(), TOOL_VERSION, &[], out));
        let value = Value::parse(&text).expect("JSON");
        for hostile in HOSTILE {
            let uri = Value::dict([("uri", Value::from(hostile))]).to_text();
            assert!(value.to_text().contains(&uri), "{hostile}");
        }
    }
}
