//! Escaping of control characters: a text from outside must not control a terminal, and must not
//! look like several lines of a log. The escapes are Python's (`\n`, `\x1b`, `\u202e`).

use std::borrow::Cow;

/// Escapes a text for a terminal. Tabs and line ends stay.
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    written_out(text, |c| is_interpreted(c) && c != '\t' && c != '\n', python)
}

/// Escapes JSON for a terminal, without changing its meaning: a serializer leaves some control
/// characters unescaped, for which JSON has escapes. Tabs and line ends stay.
pub fn json_for_terminal(json: &str) -> Cow<'_, str> {
    let escape = |c| format!("\\u{:04x}", u32::from(c));
    written_out(json, |c| is_interpreted(c) && c != '\t' && c != '\n', escape)
}

/// Escapes a text to one line, for a log or a line-based protocol.
pub fn one_line(text: &str) -> Cow<'_, str> {
    written_out(text, is_interpreted, python)
}

fn written_out(
    text: &str,
    harmful: impl Fn(char) -> bool,
    escape: impl Fn(char) -> String,
) -> Cow<'_, str> {
    if !text.contains(&harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmful(c) {
            out.push_str(&escape(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A text as a cell of a table. The characters are those that spreadsheets interpret as the start of a
/// formula (OWASP, "CSV Injection").
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    match text.as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}

/// Whether a terminal interprets a character instead of showing it: controls, and the marks that
/// change the writing direction. All of them are in Unicode's basic plane.
pub fn is_interpreted(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn python(c: char) -> String {
    match (c, u32::from(c)) {
        ('\n', _) => "\\n".to_owned(),
        ('\r', _) => "\\r".to_owned(),
        ('\t', _) => "\\t".to_owned(),
        (_, code @ 0..=0xff) => format!("\\x{code:02x}"),
        (_, code) => format!("\\u{code:04x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t23_no_character_that_a_terminal_interprets_is_left() {
        for (text, terminal, line) in [
            ("plain é 😀", "plain é 😀", "plain é 😀"),
            ("a\tb\nc", "a\tb\nc", "a\\tb\\nc"),
            ("a\nMAINPID=1", "a\nMAINPID=1", "a\\nMAINPID=1"),
            ("a\r\n", "a\\r\n", "a\\r\\n"),
            ("\u{1b}[2J\u{9b}1m\u{7f}\0", "\\x1b[2J\\x9b1m\\x7f\\x00", "\\x1b[2J\\x9b1m\\x7f\\x00"),
            ("\u{85}\u{202e}\u{2066}", "\\x85\\u202e\\u2066", "\\x85\\u202e\\u2066"),
        ] {
            assert_eq!(for_terminal(text), terminal);
            assert_eq!(one_line(text), line);
        }
    }

    #[test]
    fn t23_escaped_json_keeps_its_meaning() {
        let text = "a\u{9b}\u{7f}\u{202e}\u{1b}é\n";
        let json = serde_json::to_string(text).expect("JSON");
        let shown = json_for_terminal(&json);
        assert_eq!(shown, r#""a\u009b\u007f\u202e\u001bé\n""#);
        assert_eq!(serde_json::from_str::<String>(&shown).expect("JSON"), text);
    }
}
