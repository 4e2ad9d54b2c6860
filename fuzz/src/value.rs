//! Values: JSON that was read is written as JSON that reads the same, and as Python prints it: one
//! plain line from which the texts come back.

use ldctl::protocol::JsonPath;
use ldctl::value::{Value, quote};

use super::support::{finite, one_line, options};

/// The first byte chooses a path into the value; the rest is JSON, and also taken as plain text.
pub fn check(data: &[u8]) {
    let ([choice], text) = options::<1>(data);
    let text = String::from_utf8_lossy(text);
    let quoted = quote(&text);
    one_line(&quoted);
    assert_eq!(unquoted(&quoted).as_deref(), Some(&*text), "{quoted}");

    let parsed = Value::parse(&text);
    if let Err(error) = &parsed {
        one_line(&error.to_string());
    }
    found(&text, parsed.as_ref().ok(), choice);
    let Ok(value) = parsed else { return };
    one_line(&value.to_repr());
    assert!(value.equals(&value) || !finite(&value));
    if finite(&value) {
        let written = serde_json::to_string(&value).expect("JSON");
        let read = Value::parse(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(read, value, "{written}");
        assert_eq!(read.to_repr(), value.to_repr());
    }
}

/// A path finds in the text what it finds in the value.
fn found(text: &str, value: Option<&Value>, choice: u8) {
    const PATHS: [(&str, &[&str]); 5] =
        [("", &[]), ("a", &["a"]), ("0", &["0"]), ("a.-1", &["a", "-1"]), ("1.a", &["1", "a"])];
    let (path, steps) = PATHS[usize::from(choice) % PATHS.len()];
    let found = JsonPath::new(path).find(text.as_bytes());
    let expected = value.and_then(|value| steps.iter().try_fold(value, |at, step| walk(at, step)));
    // An integer beyond all limits elsewhere in the text makes it no value, and spoils no path.
    if value.is_some() {
        assert_eq!(found.as_ref(), expected, "{path} in {text}");
    }
}

fn walk<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Dict(members) => members.get(step),
        Value::List(items) => {
            let index: i64 = step.parse().ok()?;
            let count = i64::try_from(items.len()).ok()?;
            let index = if index < 0 { index + count } else { index };
            items.get(usize::try_from(index).ok()?)
        }
        _ => None,
    }
}

/// Reads a Python string literal.
fn unquoted(literal: &str) -> Option<String> {
    let mark = literal.chars().next()?;
    let inner = literal.strip_prefix(mark)?.strip_suffix(mark)?;
    let mut text = String::new();
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        if character == mark {
            return None;
        }
        if character != '\\' {
            text.push(character);
            continue;
        }
        text.push(match rest.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'x' => code(&mut rest, 2)?,
            'u' => code(&mut rest, 4)?,
            'U' => code(&mut rest, 8)?,
            plain @ ('\\' | '\'' | '"') => plain,
            _ => return None,
        });
    }
    Some(text)
}

/// A character by its hexadecimal number.
fn code(rest: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let digits: String = rest.take(digits).collect();
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}
