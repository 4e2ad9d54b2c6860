//! How Python prints a value: `str()` at the top level, `repr()` inside containers.

use std::fmt::Write;

use super::super::{Cell, Value};

impl Value {
    /// Python's `str(value)`: text at the top level is raw.
    pub fn to_text(&self) -> String {
        match self {
            Self::Str(text) => text.clone(),
            other => other.to_repr(),
        }
    }

    /// Python's `repr(value)`.
    pub fn to_repr(&self) -> String {
        let mut out = match self {
            Self::Rows(rows) => String::with_capacity(rows.text_bytes()),
            _ => String::new(),
        };
        self.repr_into(&mut out);
        out
    }

    /// [`Value::to_repr`], appended.
    pub fn repr_into(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("None"),
            Self::Bool(true) => out.push_str("True"),
            Self::Bool(false) => out.push_str("False"),
            Self::Int(value) => {
                let _ = write!(out, "{value}");
            }
            Self::Big(value) => {
                let _ = write!(out, "{value}");
            }
            Self::Float(value) => float_into(*value, out),
            Self::Str(text) => quoted_into(text, out),
            Self::List(items) => {
                out.push('[');
                items_into(items, out);
                out.push(']');
            }
            Self::Tuple(items) => {
                out.push('(');
                items_into(items, out);
                // A comma distinguishes a tuple of one from a value in parentheses.
                out.push_str(if items.len() == 1 { ",)" } else { ")" });
            }
            Self::Rows(rows) => {
                out.push('[');
                for (index, row) in rows.iter().enumerate() {
                    out.push_str(if index > 0 { ", {" } else { "{" });
                    for (index, (name, cell)) in row.enumerate() {
                        out.push_str(if index > 0 { ", " } else { "" });
                        quoted_into(name, out);
                        out.push_str(": ");
                        match cell {
                            Cell::Text(text) => quoted_into(text, out),
                            number => Self::from(number).repr_into(out),
                        }
                    }
                    out.push('}');
                }
                out.push(']');
            }
            Self::Dict(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    quoted_into(key, out);
                    out.push_str(": ");
                    value.repr_into(out);
                }
                out.push('}');
            }
        }
    }
}

fn items_into(items: &[Value], out: &mut String) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        item.repr_into(out);
    }
}

/// Python's `repr(text)`.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quoted_into(text, &mut out);
    out
}

/// [`quote`], appended.
pub fn quoted_into(text: &str, out: &mut String) {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(mark);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ if character == mark => {
                out.push('\\');
                out.push(mark);
            }
            ' '..='~' => out.push(character),
            _ if printable(character) => out.push(character),
            _ => {
                let code = u32::from(character);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(mark);
}

/// Python's `str.isprintable` for one character outside ASCII: not a control, format, surrogate,
/// private-use, unassigned or separator character (Unicode categories C* and Z*).
fn printable(character: char) -> bool {
    use std::sync::LazyLock;
    static HIDDEN: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(r"^[\p{C}\p{Z}]$").ok());
    let mut buffer = [0; 4];
    let text: &str = character.encode_utf8(&mut buffer);
    HIDDEN.as_ref().is_none_or(|hidden| !hidden.is_match(text))
}

/// Python's `repr(float)`: the shortest digits that parse to the same number; an exponent if the
/// decimal point would be more than 16 places to the right or 4 to the left.
fn float_into(value: f64, out: &mut String) {
    if value.is_nan() {
        out.push_str("nan");
        return;
    }
    if value.is_infinite() {
        out.push_str(if value < 0.0 { "-inf" } else { "inf" });
        return;
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    let (digits, exponent) = shortest(value.abs());
    if (-4..16).contains(&exponent) {
        fixed_into(&digits, exponent, out);
    } else {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "e{sign}{:02}", exponent.abs());
    }
}

/// The shortest digits that parse to the same number, and the exponent of the first. Of two equally
/// near ones Python takes the even one, and so does Ryu; the standard library's `{:e}` does not.
fn shortest(value: f64) -> (String, i32) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let leading = all.len() - digits.len();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return ("0".to_owned(), 0);
    }
    // Both are at most a few hundred.
    let point = i32::try_from(whole.len()).unwrap_or(0) - i32::try_from(leading).unwrap_or(0);
    (digits.to_owned(), exponent + point - 1)
}

fn fixed_into(digits: &str, exponent: i32, out: &mut String) {
    if exponent < 0 {
        out.push_str("0.");
        (1..-exponent).for_each(|_| out.push('0'));
        out.push_str(digits);
        return;
    }
    let whole = usize::try_from(exponent).unwrap_or(0) + 1;
    if digits.len() <= whole {
        out.push_str(digits);
        (digits.len()..whole).for_each(|_| out.push('0'));
        out.push_str(".0");
    } else {
        let (left, right) = digits.split_at(whole);
        out.push_str(left);
        out.push('.');
        out.push_str(right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, text: &str) {
        assert_eq!(Value::parse(json).expect("JSON").to_text(), text);
    }

    #[test]
    fn values_are_written_as_in_python() {
        check("null", "None");
        check("[true, false, null]", "[True, False, None]");
        check(r#"{"b": 1, "a": [2.0, "x"]}"#, "{'b': 1, 'a': [2.0, 'x']}");
        check("123456789012345678901234567890", "123456789012345678901234567890");
        check(r#""raw 'top' level""#, "raw 'top' level");
    }

    #[test]
    fn tuples_are_written_in_parentheses() {
        let tuple =
            |items: &[&str]| Value::Tuple(items.iter().map(|item| (*item).into()).collect());
        assert_eq!(tuple(&["a", "b"]).to_text(), "('a', 'b')");
        assert_eq!(tuple(&["a"]).to_text(), "('a',)");
        assert_eq!(serde_json::to_string(&tuple(&["a"])).expect("JSON"), r#"["a"]"#);
    }

    #[test]
    fn floats_are_the_shortest_that_parse_to_the_same_number() {
        for (json, text) in [
            ("1.0", "1.0"),
            ("1e16", "1e+16"),
            ("1e15", "1000000000000000.0"),
            ("1e-5", "1e-05"),
            ("0.0001", "0.0001"),
            ("123456789012345680.0", "1.2345678901234568e+17"),
            ("-0.0", "-0.0"),
            ("5e-324", "5e-324"),
            ("1e400", "inf"),
            ("0.1", "0.1"),
            ("1234.5678", "1234.5678"),
            ("-80388477817149.625", "-80388477817149.62"),
            ("0.00012", "0.00012"),
            ("100.0", "100.0"),
            ("1.5e300", "1.5e+300"),
        ] {
            check(json, text);
        }
    }

    #[test]
    fn text_is_quoted_as_in_python() {
        for (text, quoted) in [
            ("plain", "'plain'"),
            ("it's", "\"it's\""),
            ("it's \"so\"", "'it\\'s \"so\"'"),
            ("a\nb\t\r\\", "'a\\nb\\t\\r\\\\'"),
            ("\u{0}\u{7f}\u{a0}\u{ad}", "'\\x00\\x7f\\xa0\\xad'"),
            ("Zażółć \u{2028}\u{1f600}\u{e000}", "'Zażółć \\u2028😀\\ue000'"),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }
}
