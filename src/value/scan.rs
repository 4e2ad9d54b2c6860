//! Scans JSON text without building values: in steps of a few bytes, with no allocation, so that a
//! text from a stranger costs little and never keeps a thread for long. It accepts exactly what
//! [`Value::parse`](super::Value::parse) accepts, finds where some members of the outermost object
//! are, and finds the fault of a text that is not JSON. That is where Python's `json` sees one (the scanner follows CPython's `_json.c`), or else the first thing
//! that the stricter parser refuses: `NaN`, a lone surrogate, deep nesting, a long integer.

use std::ops::Range;

use super::parse::MAX_INTEGER_DIGITS;

/// The depth to which the parser accepts nested values.
pub(super) const MAX_DEPTH: usize = 127;

const VALUE: &str = "Expecting value";
const NAME: &str = "Expecting property name enclosed in double quotes";
const COMMA: &str = "Expecting ',' delimiter";
const COLON: &str = "Expecting ':' delimiter";
const EXTRA: &str = "Extra data";
const UNTERMINATED: &str = "Unterminated string starting at";
const CONTROL: &str = "Invalid control character at";
const ESCAPE: &str = "Invalid \\escape";
const UNICODE: &str = "Invalid \\uXXXX escape";
const BOM: &str = "Unexpected UTF-8 BOM (decode using utf-8-sig)";

/// What a text that is JSON holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline<const N: usize> {
    /// Where the values of the wanted members are, if the text is an object. The last of several
    /// members with one name counts.
    pub members: Option<[Option<Range<usize>>; N]>,
}

/// Why a text is not a document, at a byte of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Python refuses it, too.
    Python {
        /// Python's words.
        what: &'static str,
        /// The place.
        at: usize,
    },
    /// It is nested too deeply.
    Depth {
        /// The first bracket too many.
        at: usize,
    },
    /// A constant or an escape that only Python accepts.
    Token {
        /// Its beginning.
        at: usize,
        /// Whether it is inside a string.
        quoted: bool,
    },
    /// An integer longer than [`MAX_INTEGER_DIGITS`].
    Digits(usize),
}

/// What the scanner expects, or is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    FirstElement,
    FirstName,
    Name,
    Colon,
    After,
    Text,
    Escape,
    Hex,
    Word,
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
    /// Nested too deeply to look further.
    Deep,
}

/// A text that is being scanned; `N` members of the outermost object are wanted.
#[derive(Debug)]
pub struct Scanner<'a, const N: usize> {
    text: &'a [u8],
    names: [&'static str; N],
    at: usize,
    state: State,
    depth: usize,
    /// One bit per open container, the innermost lowest: whether it is an object.
    objects: u128,
    /// Where the string, number or constant begins.
    begin: usize,
    /// The rest of the constant.
    word: &'static [u8],
    /// Where the escape, or the point or exponent of a number, begins.
    mark: usize,
    is_name: bool,
    /// The hexadecimal digits of an escape so far, and their value.
    hex: (u8, u16),
    /// Where a leading surrogate begins that waits for its second half.
    surrogate: Option<usize>,
    /// The wanted member that the outermost object is at.
    member: Option<usize>,
    /// Where a value of the outermost container begins.
    outer: usize,
    members: [Option<Range<usize>>; N],
    is_object: bool,
    stricter: Option<Fault>,
    digits: Option<usize>,
}

impl<'a, const N: usize> Scanner<'a, N> {
    /// A scanner at the beginning of a text; what is not UTF-8 counts as replaced. `names` are the
    /// wanted members.
    pub fn new(text: &'a [u8], names: [&'static str; N]) -> Self {
        Self {
            text,
            names,
            at: 0,
            state: State::Value,
            depth: 0,
            objects: 0,
            begin: 0,
            word: b"",
            mark: 0,
            is_name: false,
            hex: (0, 0),
            surrogate: None,
            member: None,
            outer: 0,
            members: [const { None }; N],
            is_object: false,
            stricter: None,
            digits: None,
        }
    }

    /// Scans at most `most` further bytes; returns the result once there is one.
    pub fn step(&mut self, most: usize) -> Option<Result<Outline<N>, Fault>> {
        let end = self.at.saturating_add(most).min(self.text.len());
        if let Err(fault) = self.scan(end) {
            return Some(Err(fault));
        }
        (self.at >= self.text.len()).then(|| self.finish())
    }

    /// Scans the whole text.
    pub fn whole(mut self) -> Result<Outline<N>, Fault> {
        loop {
            if let Some(result) = self.step(usize::MAX) {
                return result;
            }
        }
    }

    fn scan(&mut self, end: usize) -> Result<(), Fault> {
        let text = self.text.get(..end).unwrap_or_default();
        let mut at = self.at;
        while let Some(&byte) = text.get(at) {
            match self.state {
                State::Text => {
                    if self.surrogate.is_some() && byte != b'\\' {
                        self.lone_surrogate();
                    }
                    let plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..=0x1f);
                    let rest = text.get(at..).unwrap_or_default();
                    at += rest.iter().take_while(plain).count();
                    match text.get(at) {
                        None => break,
                        Some(b'"') => {
                            at += 1;
                            self.end_text(at);
                        }
                        Some(b'\\') => {
                            self.mark = at;
                            self.state = State::Escape;
                            at += 1;
                        }
                        Some(_) => return Err(Fault::Python { what: CONTROL, at }),
                    }
                    continue;
                }
                State::Value | State::FirstElement => match byte {
                    b' ' | b'\t' | b'\n' | b'\r' => {}
                    b']' if self.state == State::FirstElement => self.close(at),
                    _ if self.depth > MAX_DEPTH => return self.give_up(),
                    _ => self.begin(byte, at)?,
                },
                State::FirstName | State::Name => match byte {
                    b' ' | b'\t' | b'\n' | b'\r' => {}
                    b'"' => {
                        self.is_name = true;
                        self.begin = at;
                        self.state = State::Text;
                    }
                    b'}' if self.state == State::FirstName => self.close(at),
                    _ => return Err(Fault::Python { what: NAME, at }),
                },
                State::Colon => match byte {
                    b' ' | b'\t' | b'\n' | b'\r' => {}
                    b':' if self.depth > MAX_DEPTH => return self.give_up(),
                    b':' => self.state = State::Value,
                    _ => return Err(Fault::Python { what: COLON, at }),
                },
                State::After => match (byte, self.objects & 1) {
                    (b' ' | b'\t' | b'\n' | b'\r', _) => {}
                    _ if self.depth == 0 => return Err(Fault::Python { what: EXTRA, at }),
                    (b',', 0) => self.state = State::Value,
                    (b',', _) => self.state = State::Name,
                    (b']', 0) | (b'}', 1) => self.close(at),
                    _ => return Err(Fault::Python { what: COMMA, at }),
                },
                State::Escape => match byte {
                    b'u' => {
                        self.hex = (0, 0);
                        self.state = State::Hex;
                    }
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                        if self.surrogate.is_some() {
                            self.lone_surrogate();
                        }
                        self.state = State::Text;
                    }
                    _ => return Err(Fault::Python { what: ESCAPE, at: self.mark }),
                },
                State::Hex => {
                    let Some(digit) = char::from(byte).to_digit(16) else {
                        return Err(Fault::Python { what: UNICODE, at: self.mark + 1 });
                    };
                    // A digit has four bits.
                    self.hex = (self.hex.0 + 1, self.hex.1 << 4 | digit as u16);
                    if self.hex.0 == 4 {
                        self.end_hex(at + 1)?;
                    }
                }
                State::Word => match self.word.split_first() {
                    Some((expected, rest)) if *expected == byte => {
                        self.word = rest;
                        if rest.is_empty() {
                            self.end_value(at + 1);
                        }
                    }
                    _ => return Err(Fault::Python { what: VALUE, at: self.begin }),
                },
                State::Minus => match byte {
                    b'0' => self.state = State::Zero,
                    b'1'..=b'9' => self.state = State::Integer,
                    b'I' => self.state = self.word(b"nfinity"),
                    _ => return Err(Fault::Python { what: VALUE, at: self.begin }),
                },
                State::Zero | State::Integer => match byte {
                    b'0'..=b'9' if self.state == State::Integer => {
                        let rest = text.get(at..).unwrap_or_default();
                        at += rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                        continue;
                    }
                    b'.' => (self.mark, self.state) = (at, State::Point),
                    b'e' | b'E' => (self.mark, self.state) = (at, State::Exponent),
                    _ => {
                        self.end_number(at)?;
                        continue;
                    }
                },
                State::Point | State::Fraction => match byte {
                    b'0'..=b'9' => self.state = State::Fraction,
                    b'e' | b'E' if self.state == State::Fraction => {
                        (self.mark, self.state) = (at, State::Exponent);
                    }
                    _ => {
                        self.end_number(at)?;
                        continue;
                    }
                },
                State::Exponent | State::Sign | State::Power => match byte {
                    b'0'..=b'9' => self.state = State::Power,
                    b'+' | b'-' if self.state == State::Exponent => self.state = State::Sign,
                    _ => {
                        self.end_number(at)?;
                        continue;
                    }
                },
                State::Deep => return self.give_up(),
            }
            at += 1;
        }
        self.at = at;
        Ok(())
    }

    /// A value begins with this byte.
    fn begin(&mut self, byte: u8, at: usize) -> Result<(), Fault> {
        self.begin = at;
        if self.depth == 1 {
            self.outer = at;
        }
        self.state = match byte {
            b'"' => {
                self.is_name = false;
                State::Text
            }
            b'[' | b'{' => {
                let object = byte == b'{';
                if self.depth == 0 {
                    self.is_object = object;
                }
                self.depth += 1;
                self.objects = self.objects << 1 | u128::from(object);
                if self.depth > MAX_DEPTH {
                    self.stricter.get_or_insert(Fault::Depth { at });
                }
                if object { State::FirstName } else { State::FirstElement }
            }
            b'-' => State::Minus,
            b'0' => State::Zero,
            b'1'..=b'9' => State::Integer,
            b'n' => self.word(b"ull"),
            b't' => self.word(b"rue"),
            b'f' => self.word(b"alse"),
            b'N' => self.word(b"aN"),
            b'I' => self.word(b"nfinity"),
            0xef if at == 0 && self.text.starts_with(b"\xef\xbb\xbf") => {
                return Err(Fault::Python { what: BOM, at });
            }
            _ => return Err(Fault::Python { what: VALUE, at }),
        };
        Ok(())
    }

    fn word(&mut self, rest: &'static [u8]) -> State {
        self.word = rest;
        State::Word
    }

    /// A container ends with the bracket at this byte.
    fn close(&mut self, at: usize) {
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        self.end_value(at + 1);
    }

    /// A value ends before this byte.
    fn end_value(&mut self, end: usize) {
        if self.state == State::Word
            && matches!(self.text.get(self.begin), Some(b'N' | b'I' | b'-'))
        {
            self.stricter.get_or_insert(Fault::Token { at: self.begin, quoted: false });
        }
        if self.depth == 1
            && let Some(found) = self.member.and_then(|member| self.members.get_mut(member))
        {
            *found = Some(self.outer..end);
        }
        self.state = State::After;
    }

    /// A string ends before this byte.
    fn end_text(&mut self, end: usize) {
        if !self.is_name {
            return self.end_value(end);
        }
        if self.depth == 1 {
            let written = self.text.get(self.begin..end).unwrap_or_default();
            self.member = self.names.iter().position(|name| spells(written, name));
        }
        self.state = State::Colon;
    }

    /// The four digits of an escape end before this byte.
    fn end_hex(&mut self, end: usize) -> Result<(), Fault> {
        if end >= self.text.len() {
            // Python requires another character after them.
            return Err(Fault::Python { what: UNICODE, at: self.mark + 1 });
        }
        let trailing = (0xdc00..=0xdfff).contains(&self.hex.1);
        let leading = (0xd800..=0xdbff).contains(&self.hex.1);
        match (self.surrogate, trailing) {
            (Some(_), true) => self.surrogate = None,
            (Some(_), false) => self.lone_surrogate(),
            (None, true) => {
                self.stricter.get_or_insert(Fault::Token { at: self.mark, quoted: true });
            }
            (None, false) if leading => self.surrogate = Some(self.mark),
            (None, false) => {}
        }
        self.state = State::Text;
        Ok(())
    }

    fn lone_surrogate(&mut self) {
        if let Some(at) = self.surrogate.take() {
            self.stricter.get_or_insert(Fault::Token { at, quoted: true });
        }
    }

    /// A number ends before this byte, or, if it is malformed, after its valid prefix.
    fn end_number(&mut self, end: usize) -> Result<(), Fault> {
        match self.state {
            State::Minus => return Err(Fault::Python { what: VALUE, at: self.begin }),
            State::Point | State::Exponent | State::Sign => {
                let what = if self.depth == 0 { EXTRA } else { COMMA };
                return Err(Fault::Python { what, at: self.mark });
            }
            State::Integer => {
                let sign = usize::from(self.text.get(self.begin) == Some(&b'-'));
                let digits = end - self.begin - sign;
                if digits > MAX_INTEGER_DIGITS {
                    self.digits.get_or_insert(digits);
                }
            }
            _ => {}
        }
        self.end_value(end);
        Ok(())
    }

    /// Python's own scanner looks no further here.
    fn give_up(&mut self) -> Result<(), Fault> {
        self.state = State::Deep;
        self.at = self.text.len();
        Ok(())
    }

    /// The text has ended.
    fn finish(&mut self) -> Result<Outline<N>, Fault> {
        let at = self.text.len();
        let python = |what, at| Err(Fault::Python { what, at });
        match self.state {
            State::FirstElement if self.depth > MAX_DEPTH => {}
            State::Value | State::FirstElement => return python(VALUE, at),
            State::FirstName | State::Name => return python(NAME, at),
            State::Colon => return python(COLON, at),
            State::Text | State::Escape => return python(UNTERMINATED, self.begin),
            State::Hex => return python(UNICODE, self.mark + 1),
            State::Word => return python(VALUE, self.begin),
            State::After | State::Deep => {}
            _ => self.end_number(at)?,
        }
        if self.state == State::After && self.depth > 0 {
            return python(COMMA, at);
        }
        if let Some(fault) = self.stricter {
            return Err(fault);
        }
        if let Some(digits) = self.digits {
            return Err(Fault::Digits(digits));
        }
        let members =
            self.is_object.then(|| std::mem::replace(&mut self.members, [const { None }; N]));
        Ok(Outline { members })
    }
}

/// Whether a JSON string, with its quotes, spells a name of ASCII letters.
fn spells(written: &[u8], name: &str) -> bool {
    let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or_default();
    if inner == name.as_bytes() {
        return true;
    }
    // The longest escape of a character, `\u0061`, has six.
    inner.len() > name.len()
        && inner.len() <= 6 * name.len()
        && inner.contains(&b'\\')
        && serde_json::from_slice::<String>(written).is_ok_and(|decoded| decoded == name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::Value;

    fn members(text: &str) -> Option<[Option<&str>; 2]> {
        let outline = Scanner::new(text.as_bytes(), ["a", "b"]).whole().expect("JSON");
        outline.members.map(|found| found.map(|range| range.map(|range| &text[range])))
    }

    #[test]
    fn the_last_of_several_members_with_one_name_is_found_however_it_is_written() {
        for (text, found) in [
            (r#"{"a": 1, "b": [{"a": 2}] }"#, Some([Some("1"), Some(r#"[{"a": 2}]"#)])),
            (r#" { "a" : "x\"y" , "c": {"b": 1}, "\u0061": -1.5e3}"#, Some([Some("-1.5e3"), None])),
            (r#"{"a": null, "a": {}, "aa": 1, "": 2}"#, Some([Some("{}"), None])),
            (r#"{"c": [], "b": true}"#, Some([None, Some("true")])),
            ("{}", Some([None, None])),
            (r#"[{"a": 1}]"#, None),
            ("7", None),
        ] {
            assert_eq!(members(text), found, "{text}");
        }
    }

    #[test]
    fn a_text_is_scanned_in_steps_of_any_size_to_the_same_result() {
        let text = r#"{"a": "é\ud83d\ude00\n", "b": [1, -2.5e+3, {"x": [true, null]}], "a": ""} "#;
        let whole = Scanner::new(text.as_bytes(), ["a", "b"]).whole();
        for most in 1..8 {
            let mut scanner = Scanner::new(text.as_bytes(), ["a", "b"]);
            let mut steps = 1;
            let result = loop {
                match scanner.step(most) {
                    Some(result) => break result,
                    None => steps += 1,
                }
            };
            assert_eq!(result, whole);
            assert_eq!(steps, text.len().div_ceil(most));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_accepts_exactly_what_the_parser_accepts(
            text in "([\\[\\]{}\":,\\\\ue0-9.+-]|null|NaN|-Infinity|\"a\"|\\\\ud83d|\\\\ude00|é|[ \n]){0,14}",
        ) {
            let scanned = Scanner::new(text.as_bytes(), []).whole();
            prop_assert_eq!(scanned.is_ok(), Value::parse(&text).is_ok(), "{:?}", scanned);
        }
    }
}
