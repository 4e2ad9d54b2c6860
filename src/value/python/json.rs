//! JSON as Python's `json.dumps` writes it: a space after `,` and `:`, floats as `repr()` prints
//! them, `NaN` and `Infinity` where JSON has no such number.

use super::super::Value;

/// Which characters stay unescaped: the argument `ensure_ascii`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// ASCII only, everything else as `\uXXXX` (in surrogate pairs beyond the basic plane).
    Ascii,
    /// Everything but control characters.
    Unicode,
}

impl Value {
    /// Python's `json.dumps(value)`.
    pub fn to_json(&self, charset: Charset) -> String {
        let mut out = Plain { charset, text: String::new() };
        json_into(self, &mut out);
        out.text
    }

    /// Python's `json.dumps(value, indent=indent, ensure_ascii=False)`.
    pub fn to_json_lines(&self, indent: usize) -> String {
        let mut out = Plain { charset: Charset::Unicode, text: String::new() };
        lines_into(self, indent, 1, &mut out);
        out.text
    }
}

/// Writes a value with each item on a line of its own.
fn lines_into(value: &Value, indent: usize, level: usize, out: &mut Plain) {
    let begin = |index: usize, out: &mut Plain| {
        out.raw(if index > 0 { ",\n" } else { "\n" });
        out.raw(&" ".repeat(indent * level));
    };
    let end = |bracket: &str, out: &mut Plain| {
        out.raw("\n");
        out.raw(&" ".repeat(indent * level.saturating_sub(1)));
        out.raw(bracket);
    };
    match value {
        Value::List(items) | Value::Tuple(items) if !items.is_empty() => {
            out.raw("[");
            for (index, item) in items.iter().enumerate() {
                begin(index, out);
                lines_into(item, indent, level + 1, out);
            }
            end("]", out);
        }
        Value::Dict(members) if !members.is_empty() => {
            out.raw("{");
            for (index, (key, item)) in members.iter().enumerate() {
                begin(index, out);
                out.raw("\"");
                out.key(key);
                out.raw("\": ");
                lines_into(item, indent, level + 1, out);
            }
            end("}", out);
        }
        other => json_into(other, out),
    }
}

/// A receiver of JSON.
pub trait JsonOut {
    /// Receives JSON, to be written unchanged.
    fn raw(&mut self, json: &str);

    /// Receives the content of a string, to be written between quotes.
    fn text(&mut self, text: &str);

    /// Receives the name of a member, to be written between quotes.
    fn key(&mut self, key: &str) {
        self.text(key);
    }
}

/// Writes a value like Python's `json.dumps`.
pub fn json_into(value: &Value, out: &mut impl JsonOut) {
    match value {
        Value::Null => out.raw("null"),
        Value::Bool(true) => out.raw("true"),
        Value::Bool(false) => out.raw("false"),
        Value::Float(number) if number.is_nan() => out.raw("NaN"),
        Value::Float(number) if number.is_infinite() => {
            out.raw(if *number < 0.0 { "-Infinity" } else { "Infinity" });
        }
        Value::Int(_) | Value::Big(_) | Value::Float(_) => out.raw(&value.to_repr()),
        Value::Str(text) => {
            out.raw("\"");
            out.text(text);
            out.raw("\"");
        }
        Value::List(items) | Value::Tuple(items) => {
            out.raw("[");
            for (index, item) in items.iter().enumerate() {
                out.raw(if index > 0 { ", " } else { "" });
                json_into(item, out);
            }
            out.raw("]");
        }
        Value::Rows(rows) => {
            out.raw("[");
            for (index, row) in rows.iter().enumerate() {
                out.raw(if index > 0 { ", {" } else { "{" });
                for (index, (name, cell)) in row.enumerate() {
                    out.raw(if index > 0 { ", \"" } else { "\"" });
                    out.key(name);
                    out.raw("\": ");
                    json_into(&Value::from(cell), out);
                }
                out.raw("}");
            }
            out.raw("]");
        }
        Value::Dict(members) => {
            out.raw("{");
            for (index, (key, item)) in members.iter().enumerate() {
                out.raw(if index > 0 { ", \"" } else { "\"" });
                out.key(key);
                out.raw("\": ");
                json_into(item, out);
            }
            out.raw("}");
        }
    }
}

/// Appends the content of a JSON string in UTF-8, without the quotes.
pub fn json_text_into(text: &str, charset: Charset, out: &mut Vec<u8>) {
    escaped(text, charset, |piece| out.extend_from_slice(piece.as_bytes()));
}

/// Passes on the content of a JSON string in pieces, runs without escapes whole.
fn escaped(text: &str, charset: Charset, mut piece: impl FnMut(&str)) {
    let plain = |character: char| match character {
        '"' | '\\' | '\0'..='\x1f' => false,
        ' '..='~' => true,
        _ => charset == Charset::Unicode,
    };
    let mut rest = text;
    while let Some(at) = rest.find(|character| !plain(character)) {
        let (before, after) = rest.split_at(at);
        piece(before);
        let mut characters = after.chars();
        let Some(character) = characters.next() else { break };
        rest = characters.as_str();
        match character {
            '"' => piece("\\\""),
            '\\' => piece("\\\\"),
            '\n' => piece("\\n"),
            '\r' => piece("\\r"),
            '\t' => piece("\\t"),
            '\u{8}' => piece("\\b"),
            '\u{c}' => piece("\\f"),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    piece(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    piece(rest);
}

struct Plain {
    charset: Charset,
    text: String,
}

impl JsonOut for Plain {
    fn raw(&mut self, json: &str) {
        self.text.push_str(json);
    }

    fn text(&mut self, text: &str) {
        escaped(text, self.charset, |piece| self.text.push_str(piece));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_as_in_python() {
        for (value, ascii, unicode) in [
            (
                r#"{"a":[1,true,false,{"c":null}],"b":{}}"#,
                r#"{"a": [1, true, false, {"c": null}], "b": {}}"#,
                None,
            ),
            ("[]", "[]", None),
            ("1000000000000000000000000000000", "1000000000000000000000000000000", None),
            ("[2.0,1e16,1e-7,1e15]", "[2.0, 1e+16, 1e-07, 1000000000000000.0]", None),
            ("[1e400,-1e400]", "[Infinity, -Infinity]", None),
            (r#""\" / \\ < \b\f\n\r\t""#, r#""\" / \\ < \b\f\n\r\t""#, None),
            (r#""\u0000\u001f""#, r#""\u0000\u001f""#, None),
            (r#""\u007f""#, r#""\u007f""#, Some("\"\u{7f}\"")),
            (
                r#"{"é":"\u2028😀"}"#,
                r#"{"\u00e9": "\u2028\ud83d\ude00"}"#,
                Some("{\"é\": \"\u{2028}😀\"}"),
            ),
        ] {
            let value = Value::parse(value).expect("JSON");
            assert_eq!(value.to_json(Charset::Ascii), ascii);
            assert_eq!(value.to_json(Charset::Unicode), unicode.unwrap_or(ascii));
        }
        assert_eq!(Value::Float(f64::NAN).to_json(Charset::Ascii), "NaN");
        assert_eq!(Value::Tuple(vec![Value::Null]).to_json(Charset::Ascii), "[null]");
    }
}
