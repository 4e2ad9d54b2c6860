//! The error of Python's `json` for a text that is not JSON: message, line, column and character,
//! as the reference's clients know them; or, for what only Python accepts, the parser's own.

use crate::value::MAX_INTEGER_DIGITS;
use crate::value::scan::{Fault, Scanner};

/// The message of Python's `JSONDecodeError`, if Python would raise one.
pub fn json_fault(text: &str) -> Option<String> {
    match Scanner::new(text.as_bytes(), []).whole() {
        Err(fault @ Fault::Python { .. }) => Some(FaultText::new(text.as_bytes(), fault).whole()),
        _ => None,
    }
}

/// The message for a fault, which takes as long as the text before it: it is made in steps.
#[derive(Debug)]
pub struct FaultText<'a> {
    text: &'a [u8],
    fault: Fault,
    at: usize,
    counted: usize,
    /// What precedes the fault: characters, newlines, and characters and bytes since the last one.
    characters: usize,
    newlines: usize,
    column: Extent,
}

/// The size of a text that need not be UTF-8, once every wrong part is replaced by U+FFFD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// In characters.
    pub characters: usize,
    /// In bytes.
    pub bytes: usize,
}

impl Extent {
    /// The size of a text.
    pub fn of(text: &[u8]) -> Self {
        if let Ok(text) = str::from_utf8(text) {
            return Self { characters: text.chars().count(), bytes: text.len() };
        }
        text.utf8_chunks().fold(Self::default(), |sum, chunk| {
            let wrong = usize::from(!chunk.invalid().is_empty());
            Self {
                characters: sum.characters + chunk.valid().chars().count() + wrong,
                bytes: sum.bytes
                    + chunk.valid().len()
                    + wrong * char::REPLACEMENT_CHARACTER.len_utf8(),
            }
        })
    }

    fn plus(self, other: Self) -> Self {
        Self { characters: self.characters + other.characters, bytes: self.bytes + other.bytes }
    }
}

/// The next piece of a text from `from`, of at most `most` bytes (at least four), that ends where a
/// character does.
pub fn piece(text: &[u8], from: usize, most: usize) -> &[u8] {
    let end = from.saturating_add(most.max(4)).min(text.len());
    let begins = |at: usize| text.get(at).is_none_or(|byte| byte & 0xc0 != 0x80);
    // A character has at most three bytes after its first; more of these belong to none.
    let cut = (end.saturating_sub(3)..=end).rev().find(|at| *at > from && begins(*at));
    text.get(from..cut.unwrap_or(end)).unwrap_or_default()
}

impl<'a> FaultText<'a> {
    /// The message for the fault of a text.
    pub fn new(text: &'a [u8], fault: Fault) -> Self {
        let at = match fault {
            Fault::Python { at, .. } | Fault::Depth { at } | Fault::Token { at, .. } => at,
            Fault::Digits(_) => 0,
        };
        let column = Extent::default();
        Self { text, fault, at, counted: 0, characters: 0, newlines: 0, column }
    }

    /// Takes at most `most` further bytes into account; returns the message once it is complete.
    pub fn step(&mut self, most: usize) -> Option<String> {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let piece = piece(before, self.counted, most);
        self.counted += piece.len();
        match memchr::memrchr(b'\n', piece) {
            None => {
                let extent = Extent::of(piece);
                self.characters += extent.characters;
                self.column = self.column.plus(extent);
            }
            Some(last) => {
                let (lines, rest) = piece.split_at(last + 1);
                self.newlines += memchr::memchr_iter(b'\n', lines).count();
                self.column = Extent::of(rest);
                self.characters += Extent::of(lines).characters + self.column.characters;
            }
        }
        (self.counted == before.len()).then(|| self.message())
    }

    /// The whole message.
    pub fn whole(mut self) -> String {
        loop {
            if let Some(message) = self.step(usize::MAX) {
                return message;
            }
        }
    }

    fn message(&self) -> String {
        let line = self.newlines + 1;
        let place = |before: usize| format!("line {line} column {}", self.column.bytes + before);
        match self.fault {
            Fault::Python { what, .. } => {
                let column = self.column.characters + 1;
                format!("{what}: line {line} column {column} (char {})", self.characters)
            }
            Fault::Depth { .. } => format!("recursion limit exceeded at {}", place(1)),
            Fault::Token { at, quoted } => {
                // The parser's own words for the token alone; the longest is a pair of escapes.
                let token = self.text.get(at..).map(|rest| rest.get(..14).unwrap_or(rest));
                let token = String::from_utf8_lossy(token.unwrap_or_default());
                let quote = if quoted { "\"" } else { "" };
                let parsed = serde_json::from_str::<serde_json::Value>(&format!("{quote}{token}"));
                let Err(error) = parsed else { return format!("invalid JSON at {}", place(1)) };
                let text = error.to_string();
                let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
                format!("{what} at {}", place(error.column().saturating_sub(quote.len())))
            }
            Fault::Digits(digits) => {
                format!("an integer of {digits} digits is over the limit of {MAX_INTEGER_DIGITS}")
            }
        }
    }
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

    /// The message for a text that is no document.
    fn message(text: &str) -> Option<String> {
        let fault = Scanner::new(text.as_bytes(), []).whole().err()?;
        Some(FaultText::new(text.as_bytes(), fault).whole())
    }

    #[test]
    fn what_only_python_accepts_is_described_as_the_parser_does() {
        let deep = |levels: usize, inner: &str| {
            format!("\n{}{inner}{}", " [".repeat(levels), "]".repeat(levels))
        };
        for text in [
            "NaN".to_owned(),
            "[1,\n  \"é\", -Infinity]".to_owned(),
            "[\"é\\ud800\"]".to_owned(),
            "{\"x\": \"\\ud800\\n\"}".to_owned(),
            "{\"\\udc00\": 1, \"y\": NaN}".to_owned(),
            "\"\\ud800\\u0041\"".to_owned(),
            "\"\\ud800\\ud800\\udc00\"".to_owned(),
            "[\"\\ud800é\"]".to_owned(),
            deep(128, ""),
            deep(128, "1"),
            deep(300, ""),
            format!("[{}]", "1".repeat(5000)),
            format!("[{}, NaN]", "1".repeat(5000)),
        ] {
            let parsed = Value::parse(&text).expect_err("refused").to_string();
            assert_eq!(message(&text), Some(parsed), "{text:.60}");
        }
    }

    #[test]
    fn a_message_is_the_same_however_it_is_divided_into_steps() {
        let text = "[\"é\", \n\"a\u{20ac}\u{1f600}\", \"b\" x]".as_bytes();
        let wrong = [b"[\"\xff\xf0\x9f\x98", text, b"\x80\x80\x80\x80\x80]"].concat();
        for text in [text, &wrong] {
            let fault = Scanner::new(text, []).whole().expect_err("a fault");
            let whole = FaultText::new(text, fault).whole();
            let lossy = String::from_utf8_lossy(text);
            assert_eq!(Some(&whole), json_fault(&lossy).as_ref(), "{lossy}");
            for most in 1..9 {
                let mut stepped = FaultText::new(text, fault);
                let message = loop {
                    if let Some(message) = stepped.step(most) {
                        break message;
                    }
                };
                assert_eq!(message, whole, "{most}");
            }
        }
    }

    #[test]
    fn text_that_is_not_utf8_has_the_size_of_what_replaces_it() {
        for text in [&b"a\xff\xfe\xf0\x9f\x98"[..], b"\x80\x80\x80\x80\x80\x80", "é€😀".as_bytes()]
        {
            let lossy = String::from_utf8_lossy(text);
            let extent = Extent { characters: lossy.chars().count(), bytes: lossy.len() };
            for most in 1..9 {
                let (mut at, mut sum) = (0, Extent::default());
                while at < text.len() {
                    let piece = piece(text, at, most);
                    at += piece.len();
                    sum = sum.plus(Extent::of(piece));
                }
                assert_eq!(sum, extent, "{most}");
            }
        }
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
