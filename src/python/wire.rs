//! The lines between this process and the child, both ways JSON objects.
//!
//! Requests: `{"id", "call": [name, arguments]}`, `{"id", "test": {arguments}}`, `{"stop": id}`, and
//! before a call that reads records `{"id", "rows": [row, …]}`.
//!
//! Responses: at first `{"ready": {…}}` or `{"failed": text}`, then `{"id", "rows": [row, …]}`,
//! `{"id", "users": count}`, and as the last of a request `{"id", "value", "text"}` or `{"id", "error",
//! "kind", "text"}`.
//!
//! Python's JSON is not quite JSON: `NaN`, infinities and halves of surrogate pairs are read as what
//! comes nearest.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::value::{Value, json_weight};

/// The longest line of the child, in bytes: a result may have 4 MiB, once as JSON, where a byte may
/// take six, and once as text.
pub(super) const MAX_LINE: usize = 64 << 20;

/// What the child is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct About {
    /// The version of LoadDensity.
    pub package: String,
    /// The version of Python.
    pub python: String,
    /// The names of its commands.
    pub commands: Vec<String>,
}

/// One request of a test: whether it succeeded, method, URL, name, status, milliseconds, bytes of the
/// response, error, seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row(
    pub bool,
    pub String,
    pub String,
    pub String,
    pub Option<i64>,
    pub f64,
    pub u64,
    pub Option<String>,
    pub Option<f64>,
);

/// An exception of the child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The name of its class.
    pub kind: String,
    /// Its text.
    pub message: String,
    /// Its `repr`.
    pub text: String,
}

/// What the child says of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Requests of a test.
    Rows(Vec<Row>),
    /// How many users a test has.
    Users(usize),
    /// The result: a value, and what Python's `str()` writes. The value is `None` where JSON cannot
    /// hold it, or where it is nested too deeply.
    Value(Option<Value>, String),
    /// It raised.
    Raised(Raised),
}

impl Answer {
    /// Whether nothing follows it.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Self::Value(..) | Self::Raised(_))
    }
}

/// A line of the child.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// It can take requests.
    Ready(About),
    /// It cannot, and ends.
    Failed(String),
    /// Of a request.
    Answer(u64, Answer),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    ready: Option<About>,
    failed: Option<String>,
    id: Option<u64>,
    rows: Option<Vec<Row>>,
    users: Option<usize>,
    // A missing one is not the same as null.
    value: Option<Box<RawValue>>,
    text: Option<String>,
    error: Option<String>,
    kind: Option<String>,
}

/// Reads a line; `None` for what is none of ours.
pub(super) fn read(line: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(line).ok()?;
    let text = strict(text);
    let members: Members = serde_json::from_str(&text).ok()?;
    Some(match members {
        Members { ready: Some(about), .. } => Line::Ready(about),
        Members { failed: Some(why), .. } => Line::Failed(why),
        Members { id: Some(id), rows: Some(rows), .. } => Line::Answer(id, Answer::Rows(rows)),
        Members { id: Some(id), users: Some(users), .. } => Line::Answer(id, Answer::Users(users)),
        Members { id: Some(id), error: Some(message), kind, text, .. } => {
            let (kind, text) = (kind.unwrap_or_default(), text.unwrap_or_default());
            Line::Answer(id, Answer::Raised(Raised { kind, message, text }))
        }
        Members { id: Some(id), text: Some(text), value, .. } => {
            let value = value.map_or(Some(Value::Null), |raw| Value::parse(raw.get()).ok());
            Line::Answer(id, Answer::Value(value, text))
        }
        _ => return None,
    })
}

/// The request that a line belongs to, without the rest of it.
pub(super) fn id(line: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Of {
        id: u64,
    }
    serde_json::from_slice::<Of>(line).ok().map(|of| of.id)
}

/// What a line takes in memory while it is read, in bytes, estimated.
pub(super) fn weight(line: &[u8]) -> usize {
    std::str::from_utf8(line).map_or(0, json_weight) + 2 * line.len()
}

/// Python's JSON as JSON: `NaN` as a text, infinities as numbers that are too large, halves of
/// surrogate pairs as the character for what cannot be shown.
fn strict(text: &str) -> Cow<'_, str> {
    const OTHER: [(&str, &str); 3] =
        [("NaN", "\"NaN\""), ("-Infinity", "-1e999"), ("Infinity", "1e999")];
    if !(text.contains("NaN") || text.contains("Infinity") || has_surrogate(text)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut inside) = (text, false);
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\\' if inside => escape(rest, &mut out),
            '"' => {
                inside = !inside;
                out.push('"');
                1
            }
            'N' | 'I' | '-' if !inside => {
                let known = OTHER.iter().find(|(python, _)| rest.starts_with(python));
                out.push_str(known.map_or(&rest[..1], |(_, json)| json));
                known.map_or(1, |(python, _)| python.len())
            }
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(out)
}

/// Whether a text may hold the escape of a surrogate.
fn has_surrogate(text: &str) -> bool {
    text.contains("\\ud") || text.contains("\\uD")
}

/// Copies an escape, which is a whole pair where there is one; returns its length.
fn escape(rest: &str, out: &mut String) -> usize {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(rest) else {
        let length = 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
        out.push_str(rest.get(..length).unwrap_or_default());
        return length;
    };
    let second = rest.get(6..).and_then(unit);
    let is_pair = (0xd800..0xdc00).contains(&first)
        && second.is_some_and(|second| (0xdc00..0xe000).contains(&second));
    let length = if is_pair { 12 } else { 6 };
    if !is_pair && (0xd800..0xe000).contains(&first) {
        out.push_str("\\ufffd");
    } else {
        out.push_str(rest.get(..length).unwrap_or_default());
    }
    length
}

/// The line that requests a call.
pub(super) fn call(id: u64, name: &str, arguments: Option<&Value>) -> Vec<u8> {
    let mut action = vec![Value::from(name)];
    action.extend(arguments.cloned());
    line(id, "call", &Value::List(action))
}

/// The line that requests a test.
pub(super) fn test(id: u64, arguments: &Value) -> Vec<u8> {
    line(id, "test", arguments)
}

/// A line with records that a call will read.
pub(super) fn rows(id: u64, rows: &[Row]) -> Vec<u8> {
    line(id, "rows", rows)
}

/// The line that stops a request.
pub(super) fn stop(id: u64) -> Vec<u8> {
    format!("{{\"stop\": {id}}}\n").into_bytes()
}

/// Plain data always serializes.
fn line(id: u64, key: &str, value: &(impl Serialize + ?Sized)) -> Vec<u8> {
    let mut line = String::new();
    let _ = writeln!(
        line,
        "{{\"id\": {id}, \"{key}\": {}}}",
        serde_json::to_string(value).unwrap_or_default()
    );
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Answer) {
        assert_eq!(read(line.as_bytes()), Some(Line::Answer(7, expected)), "{line}");
    }

    #[test]
    fn t66_results_that_are_not_quite_json_are_read() {
        let value =
            |json: &str, text: &str| Answer::Value(Value::parse(json).ok(), text.to_owned());
        check(r#"{"id": 7, "value": null, "text": "None"}"#, value("null", "None"));
        check(
            r#"{"id": 7, "value": [NaN, Infinity, -Infinity, -1, "NaN"], "text": "Infinity"}"#,
            value(r#"["NaN", 1e999, -1e999, -1, "NaN"]"#, "Infinity"),
        );
        check(
            r#"{"id": 7, "value": "a\ud800b\udc00\ud83d\ude00\\ud800\"", "text": "\ud800"}"#,
            value("\"a\u{fffd}b\u{fffd}\u{1f600}\\\\ud800\\\"\"", "\u{fffd}"),
        );
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        let line = format!(r#"{{"id": 7, "value": {deep}, "text": "deep"}}"#);
        check(&line, Answer::Value(None, "deep".to_owned()));
    }

    #[test]
    fn t66_a_line_that_is_none_of_ours_is_not_taken_for_one() {
        for line in [
            "",
            "hello",
            "{}",
            "[]",
            "{\"id\": 7}",
            "{\"id\": -1, \"users\": 1}",
            "{\"id\": 7, \"users\": 1, \"extra\": 2}",
            "{\"id\": 7, \"rows\": [[true]]}",
            "{\"id\": 7, \"users\": 1} {}",
            "{\"id\": 7, \"value\": \"\\ud8\", \"text\": \"x\"}",
            "{\"id\": 7, \"value\": \"\\",
        ] {
            assert_eq!(read(line.as_bytes()), None, "{line}");
        }
        assert_eq!(read(b"\xff{}"), None);
    }

    #[test]
    fn rows_and_exceptions_are_read_as_the_bridge_writes_them() {
        check(
            r#"{"id": 7, "rows": [[false, "SOAP", "u", "n", null, 1.5, 0, "no", 1795680766.9]]}"#,
            Answer::Rows(vec![Row(
                false,
                "SOAP".into(),
                "u".into(),
                "n".into(),
                None,
                1.5,
                0,
                Some("no".into()),
                Some(1_795_680_766.9),
            )]),
        );
        check(
            r#"{"id": 7, "error": "no", "kind": "ValueError", "text": "ValueError('no')"}"#,
            Answer::Raised(Raised {
                kind: "ValueError".into(),
                message: "no".into(),
                text: "ValueError('no')".into(),
            }),
        );
        check(r#"{"id": 7, "users": 3}"#, Answer::Users(3));
    }
}
