//! YAML in block style, laid out as PyYAML's safe dumper does. Texts that would be read as something
//! else are quoted.

use std::sync::LazyLock;

use regex::Regex;

use super::super::{Map, Value};
use super::scalar::resolved;

/// Texts that need no quotes, unless they mean something.
static PLAIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z0-9_/][A-Za-z0-9_./:@%+=;~$ -]*$").ok());

pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Dict(members) if !members.is_empty() => dict(members, 0, &mut out),
        Value::List(items) | Value::Tuple(items) if !items.is_empty() => list(items, 0, &mut out),
        other => {
            inline(other, &mut out);
            out.push('\n');
        }
    }
    out
}

fn dict(members: &Map, indent: usize, out: &mut String) {
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push_str(&" ".repeat(indent));
        }
        quoted(key, out);
        out.push(':');
        match value {
            Value::Dict(inner) if !inner.is_empty() => {
                out.push('\n');
                out.push_str(&" ".repeat(indent + 2));
                dict(inner, indent + 2, out);
            }
            Value::List(inner) | Value::Tuple(inner) if !inner.is_empty() => {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                list(inner, indent, out);
            }
            other => {
                out.push(' ');
                inline(other, out);
                out.push('\n');
            }
        }
    }
}

fn list(items: &[Value], indent: usize, out: &mut String) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str("- ");
        match item {
            Value::Dict(inner) if !inner.is_empty() => dict(inner, indent + 2, out),
            Value::List(inner) | Value::Tuple(inner) if !inner.is_empty() => {
                list(inner, indent + 2, out);
            }
            other => {
                inline(other, out);
                out.push('\n');
            }
        }
    }
}

/// A value on its line: a scalar or something empty.
fn inline(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Float(number) if number.is_nan() => out.push_str(".nan"),
        Value::Float(number) if number.is_infinite() => {
            out.push_str(if *number < 0.0 { "-.inf" } else { ".inf" });
        }
        Value::Float(_) => {
            // Without a point it would be text.
            let text = value.to_repr();
            match text.split_once('e') {
                Some((digits, exponent)) if !digits.contains('.') => {
                    out.push_str(&format!("{digits}.0e{exponent}"));
                }
                _ => out.push_str(&text),
            }
        }
        Value::Str(text) => quoted(text, out),
        Value::List(_) | Value::Tuple(_) => out.push_str("[]"),
        Value::Dict(_) => out.push_str("{}"),
        other => out.push_str(&other.to_repr()),
    }
}

fn quoted(text: &str, out: &mut String) {
    let is_plain = PLAIN.as_ref().is_some_and(|plain| plain.is_match(text))
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && matches!(resolved(text), Value::Str(_))
        && !is_date(text);
    if is_plain {
        out.push_str(text);
    } else if text.chars().all(is_printed) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        out.push('"');
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                printed if is_printed(printed) => out.push(printed),
                other => out.push_str(&match u32::from(other) {
                    code @ ..=0xff => format!("\\x{code:02x}"),
                    code @ ..=0xffff => format!("\\u{code:04x}"),
                    code => format!("\\U{code:08x}"),
                }),
            }
        }
        out.push('"');
    }
}

/// Whether a text begins like a date, which other readers may take for one.
fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    parts.next().is_some_and(|year| year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()))
        && parts.next().is_some_and(|month| month.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a character may stand in YAML as it is, without folding its line.
fn is_printed(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        other => other >= '\u{a0}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_laid_out_as_pyyaml_does() {
        let json = r#"{"load_density": [["LD_start_test", {"tasks": [{"method": "get",
            "url": "http://x/", "headers": {}}], "none": null, "name": "yes", "rate": 1e20}]],
            "empty": [], "text": "a\nb", "quote": "it's: x"}"#;
        let expected = "load_density:
- - LD_start_test
  - tasks:
    - method: get
      url: http://x/
      headers: {}
    none: null
    name: 'yes'
    rate: 1.0e+20
empty: []
text: \"a\\nb\"
quote: 'it''s: x'
";
        assert_eq!(text(&Value::parse(json).expect("JSON")), expected);
    }
}
