//! The error of Python's `json` for a text that is not JSON: message, line, column and character,
//! as the reference's clients know them. The text is scanned like in CPython's `_json.c`; another,
//! stricter parser decides whether a text is accepted (`NaN`, lone surrogates, depth).

/// The message of Python's `JSONDecodeError`, if Python would raise one.
pub fn json_fault(text: &str) -> Option<String> {
    let fault = document(text).err()?;
    let before = text.get(..fault.at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let line = before.matches('\n').count() + 1;
    let what = fault.what;
    Some(format!("{what}: line {line} column {column} (char {})", before.chars().count()))
}

/// The error at a byte of the text.
struct Fault {
    what: &'static str,
    at: usize,
}

type Scanned = Result<usize, Fault>;

const VALUE: &str = "Expecting value";
const NAME: &str = "Expecting property name enclosed in double quotes";
const COMMA: &str = "Expecting ',' delimiter";
const COLON: &str = "Expecting ':' delimiter";

/// The depth to which the parser accepts nested values. The parser itself refuses deeper ones.
const MAX_DEPTH: usize = 127;

/// Numbers and constants without digits that Python accepts.
const CONSTANTS: [&str; 6] = ["null", "true", "false", "NaN", "Infinity", "-Infinity"];

/// The kind of an open value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    List,
    Object,
}

fn document(text: &str) -> Result<(), Fault> {
    if text.starts_with('\u{feff}') {
        return Err(Fault { what: "Unexpected UTF-8 BOM (decode using utf-8-sig)", at: 0 });
    }
    let mut open: Vec<Open> = Vec::new();
    let mut at = space(text, 0);
    loop {
        if open.len() > MAX_DEPTH {
            return Ok(());
        }
        at = match byte(text, at) {
            Some(b'[') => {
                at = space(text, at + 1);
                if byte(text, at) != Some(b']') {
                    open.push(Open::List);
                    continue;
                }
                at + 1
            }
            Some(b'{') => {
                at = space(text, at + 1);
                if byte(text, at) != Some(b'}') {
                    at = name(text, at)?;
                    open.push(Open::Object);
                    continue;
                }
                at + 1
            }
            Some(b'"') => string(text, at)?,
            _ => scalar(text, at)?,
        };
        // A value has ended, and perhaps its containers.
        loop {
            at = space(text, at);
            let Some(around) = open.last().copied() else {
                let extra = Fault { what: "Extra data", at };
                return if at == text.len() { Ok(()) } else { Err(extra) };
            };
            match (byte(text, at), around) {
                (Some(b']'), Open::List) | (Some(b'}'), Open::Object) => {
                    open.pop();
                    at += 1;
                }
                (Some(b','), _) => break,
                _ => return Err(Fault { what: COMMA, at }),
            }
        }
        at = space(text, at + 1);
        if open.last() == Some(&Open::Object) {
            at = name(text, at)?;
        }
    }
}

/// Scans a member's name and colon, up to its value.
fn name(text: &str, at: usize) -> Scanned {
    if byte(text, at) != Some(b'"') {
        return Err(Fault { what: NAME, at });
    }
    let at = space(text, string(text, at)?);
    match byte(text, at) {
        Some(b':') => Ok(space(text, at + 1)),
        _ => Err(Fault { what: COLON, at }),
    }
}

fn string(text: &str, begin: usize) -> Scanned {
    let mut at = begin + 1;
    loop {
        match byte(text, at) {
            None => return Err(Fault { what: "Unterminated string starting at", at: begin }),
            Some(b'"') => return Ok(at + 1),
            Some(..=0x1f) => return Err(Fault { what: "Invalid control character at", at }),
            Some(b'\\') => match byte(text, at + 1) {
                None => return Err(Fault { what: "Unterminated string starting at", at: begin }),
                Some(b'u') => {
                    let digits = text.get(at + 2..at + 6).unwrap_or_default();
                    let whole =
                        digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                    // Python requires another character after them.
                    if !whole || at + 6 >= text.len() {
                        return Err(Fault { what: "Invalid \\uXXXX escape", at: at + 1 });
                    }
                    at += 6;
                }
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(_) => return Err(Fault { what: "Invalid \\escape", at }),
            },
            Some(_) => at += 1,
        }
    }
}

/// Scans a constant or a number; only the valid prefix of a malformed one is consumed.
fn scalar(text: &str, begin: usize) -> Scanned {
    let rest = text.get(begin..).unwrap_or_default();
    if let Some(found) = CONSTANTS.iter().find(|constant| rest.starts_with(**constant)) {
        return Ok(begin + found.len());
    }
    let digits = |from: usize| {
        let rest = text.as_bytes().get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = begin + usize::from(rest.starts_with('-'));
    at += match byte(text, at) {
        Some(b'0') => 1,
        Some(b'1'..=b'9') => digits(at),
        _ => return Err(Fault { what: VALUE, at: begin }),
    };
    if byte(text, at) == Some(b'.') && digits(at + 1) > 0 {
        at += 1 + digits(at + 1);
    }
    if matches!(byte(text, at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(byte(text, at + 1), Some(b'+' | b'-')));
        if digits(at + 1 + sign) > 0 {
            at += 1 + sign + digits(at + 1 + sign);
        }
    }
    Ok(at)
}

fn space(text: &str, from: usize) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

fn byte(text: &str, at: usize) -> Option<u8> {
    text.as_bytes().get(at).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::Value;

    /// Texts, and CPython 3.11's messages for them.
    const TEXTS: &[(&str, &str)] = &[
        ("", "Expecting value: line 1 column 1 (char 0)"),
        (" ", "Expecting value: line 1 column 2 (char 1)"),
        ("\n\n", "Expecting value: line 3 column 1 (char 2)"),
        ("[", "Expecting value: line 1 column 2 (char 1)"),
        ("[1", "Expecting ',' delimiter: line 1 column 3 (char 2)"),
        ("[1,", "Expecting value: line 1 column 4 (char 3)"),
        ("[1,]", "Expecting value: line 1 column 4 (char 3)"),
        ("[1 2]", "Expecting ',' delimiter: line 1 column 4 (char 3)"),
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("{\"a\"", "Expecting ':' delimiter: line 1 column 5 (char 4)"),
        ("{\"a\":", "Expecting value: line 1 column 6 (char 5)"),
        ("{\"a\":1", "Expecting ',' delimiter: line 1 column 7 (char 6)"),
        (
            "{\"a\":1,",
            "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
        ),
        (
            "{\"a\":1,}",
            "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
        ),
        ("{\"a\" 1}", "Expecting ':' delimiter: line 1 column 6 (char 5)"),
        ("{a: 1}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("{'a': 1}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("['a']", "Expecting value: line 1 column 2 (char 1)"),
        ("nul", "Expecting value: line 1 column 1 (char 0)"),
        ("nan", "Expecting value: line 1 column 1 (char 0)"),
        ("-", "Expecting value: line 1 column 1 (char 0)"),
        ("+1", "Expecting value: line 1 column 1 (char 0)"),
        ("01", "Extra data: line 1 column 2 (char 1)"),
        ("1.", "Extra data: line 1 column 2 (char 1)"),
        (".5", "Expecting value: line 1 column 1 (char 0)"),
        ("1e", "Extra data: line 1 column 2 (char 1)"),
        ("1e+", "Extra data: line 1 column 2 (char 1)"),
        ("-Inf", "Expecting value: line 1 column 1 (char 0)"),
        ("tru", "Expecting value: line 1 column 1 (char 0)"),
        ("\"abc", "Unterminated string starting at: line 1 column 1 (char 0)"),
        ("\"a\\", "Unterminated string starting at: line 1 column 1 (char 0)"),
        ("\"\\q\"", "Invalid \\escape: line 1 column 2 (char 1)"),
        ("\"\\u12\"", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
        ("\"\\u12g4\"", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
        ("\"a\nb\"", "Invalid control character at: line 1 column 3 (char 2)"),
        ("\"a\tb\"", "Invalid control character at: line 1 column 3 (char 2)"),
        ("\"\u{1}\"", "Invalid control character at: line 1 column 2 (char 1)"),
        ("[1] 2", "Extra data: line 1 column 5 (char 4)"),
        ("[1]x", "Extra data: line 1 column 4 (char 3)"),
        ("{} {}", "Extra data: line 1 column 4 (char 3)"),
        ("1 2", "Extra data: line 1 column 3 (char 2)"),
        ("null null", "Extra data: line 1 column 6 (char 5)"),
        ("]", "Expecting value: line 1 column 1 (char 0)"),
        ("}", "Expecting value: line 1 column 1 (char 0)"),
        ("[}", "Expecting value: line 1 column 2 (char 1)"),
        ("{]", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("{\"a\":}", "Expecting value: line 1 column 6 (char 5)"),
        ("{,}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[,1]", "Expecting value: line 1 column 2 (char 1)"),
        ("[1,,2]", "Expecting value: line 1 column 4 (char 3)"),
        ("{\"a\":1 \"b\":2}", "Expecting ',' delimiter: line 1 column 8 (char 7)"),
        ("{1: 2}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (
            "{\"a\":1,b}",
            "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
        ),
        ("[\"a\", \n  \"b\" \"c\"]", "Expecting ',' delimiter: line 2 column 7 (char 13)"),
        ("\u{feff}[]", "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"),
        ("[\"é\", x]", "Expecting value: line 1 column 7 (char 6)"),
        ("[\"😀\", x]", "Expecting value: line 1 column 7 (char 6)"),
        ("// c\n[]", "Expecting value: line 1 column 1 (char 0)"),
        ("[1, /* c */ 2]", "Expecting value: line 1 column 5 (char 4)"),
        ("quit", "Expecting value: line 1 column 1 (char 0)"),
        ("GET / HTTP/1.1", "Expecting value: line 1 column 1 (char 0)"),
        ("\"\\u12G4", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
        ("[1\n,\n]", "Expecting value: line 3 column 1 (char 5)"),
        ("0x10", "Extra data: line 1 column 2 (char 1)"),
        ("1_000", "Extra data: line 1 column 2 (char 1)"),
        ("[[[", "Expecting value: line 1 column 4 (char 3)"),
        ("{\"a\": [1, {\"b\": }]}", "Expecting value: line 1 column 17 (char 16)"),
        ("\"\\", "Unterminated string starting at: line 1 column 1 (char 0)"),
        ("\"\\u", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
        ("\"\\ud83d\\", "Unterminated string starting at: line 1 column 1 (char 0)"),
        ("[tru]", "Expecting value: line 1 column 2 (char 1)"),
        ("[\"a\" : 1]", "Expecting ',' delimiter: line 1 column 6 (char 5)"),
        ("{\"a\", 1}", "Expecting ':' delimiter: line 1 column 5 (char 4)"),
        ("\u{a0}[1]", "Expecting value: line 1 column 1 (char 0)"),
        ("[1]\u{a0}", "Extra data: line 1 column 4 (char 3)"),
        ("\u{b}[1]", "Expecting value: line 1 column 1 (char 0)"),
        ("\"\\u1234", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
        ("{\"a\":1,\n \"b\"}", "Expecting ':' delimiter: line 2 column 5 (char 12)"),
        ("{\"a\":\"x\r\n\"}", "Invalid control character at: line 1 column 8 (char 7)"),
        ("{\"é\": \"😀\", \"b\" 1}", "Expecting ':' delimiter: line 1 column 16 (char 15)"),
        ("[true false]", "Expecting ',' delimiter: line 1 column 7 (char 6)"),
        ("{\"a\":[}", "Expecting value: line 1 column 7 (char 6)"),
        ("\"\\ud83d\\ud", "Invalid \\uXXXX escape: line 1 column 9 (char 8)"),
    ];

    #[test]
    fn a_text_that_is_not_json_is_described_in_pythons_words() {
        for (text, message) in TEXTS {
            assert_eq!(json_fault(text).as_deref(), Some(*message), "{text:?}");
        }
    }

    #[test]
    fn text_that_python_accepts_has_no_fault() {
        for text in [
            "NaN",
            "[NaN, Infinity, -Infinity]",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            " 1.5e+3\r\n",
        ] {
            assert_eq!(json_fault(text), None, "{text:?}");
        }
        assert_eq!(json_fault(&"[".repeat(100_000)), None, "refused by the parser");
        assert!(json_fault(&"[".repeat(127)).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn exactly_the_texts_that_are_not_accepted_have_a_fault(
            text in "([\\[\\]{}\":,\\\\ue0-9.+-]|null|true|\"a\"|é|[ \n]){0,12}",
        ) {
            let fault = json_fault(&text);
            match Value::parse(&text) {
                Ok(_) => prop_assert_eq!(fault, None),
                // A lone surrogate, which Python accepts.
                Err(error) if error.to_string().contains("surrogate") => {}
                Err(error) => prop_assert!(fault.is_some(), "{error}"),
            }
        }
    }
}
