//! What the values of a JSON text would take in memory, estimated before any of them is built: a text
//! of `[{"":0},…]` unfolds to forty times its size. Brackets, commas and the lengths of strings are
//! counted; whether the text is JSON shows when it is parsed.

use super::{Map, Value};

/// What an allocation takes besides its bytes, and the least that it takes.
pub(super) const ALLOCATION: usize = 16;

/// A member of an object: its hash, its name and its value.
pub(super) const MEMBER: usize = size_of::<usize>() + size_of::<String>() + size_of::<Value>();

/// The index of an object, per member and in all.
const INDEX: (usize, usize) = (2 * size_of::<usize>(), 64);

/// The deepest nesting that the parser accepts.
const DEEPEST: usize = 128;

/// A list or an object that has begun.
#[derive(Clone, Copy, Default)]
struct Open {
    is_map: bool,
    /// Whether anything is in it.
    filled: bool,
    commas: usize,
}

impl Open {
    fn weight(self) -> usize {
        let count = if self.filled { self.commas + 1 } else { 0 };
        match (self.is_map, count) {
            (_, 0) => 0,
            (false, count) => ALLOCATION + count * size_of::<Value>(),
            (true, count) => {
                let (each, all) = INDEX;
                ALLOCATION + all + count * (MEMBER + each)
            }
        }
    }
}

/// The memory that the values of a JSON text take when they are built, in bytes, estimated.
pub fn json_weight(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut sum = size_of::<Value>();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b' ' | b'\n' | b'\t' | b'\r' => continue,
            b'[' | b'{' => {
                fill(&mut open);
                if open.len() > DEEPEST {
                    // Refused there by the parser.
                    break;
                }
                open.push(Open { is_map: byte == b'{', ..Open::default() });
                continue;
            }
            b']' | b'}' => {
                sum = sum.saturating_add(open.pop().unwrap_or_default().weight());
                continue;
            }
            b',' => {
                if let Some(last) = open.last_mut() {
                    last.commas += 1;
                }
            }
            b'"' => {
                let length = string(bytes.get(at..).unwrap_or_default());
                at += length + 1;
                if length > 0 {
                    sum = sum.saturating_add(ALLOCATION + length);
                }
            }
            b'0'..=b'9' | b'-' => {
                let number = bytes.get(at..).unwrap_or_default();
                let length = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
                at += length;
                // An integer beyond 64 bits.
                if length > 18 {
                    sum = sum.saturating_add(ALLOCATION + length);
                }
            }
            _ => {}
        }
        fill(&mut open);
    }
    // What had begun when the text was found to be broken.
    open.into_iter().fold(sum, |sum, open| sum.saturating_add(open.weight()))
}

fn fill(open: &mut [Open]) {
    if let Some(last) = open.last_mut() {
        last.filled = true;
    }
}

/// The length of a string up to its closing quote, as it is written.
fn string(rest: &[u8]) -> usize {
    let mut length = 0;
    loop {
        let from = rest.get(length..).unwrap_or_default();
        let Some(found) = memchr::memchr2(b'"', b'\\', from) else { return rest.len() };
        length += found;
        if rest.get(length) == Some(&b'"') {
            return length;
        }
        length += 2;
    }
}

/// Gives back the room that a growing list or object has left.
pub(super) fn fit(members: &mut Map) {
    if members.capacity() > members.len() {
        members.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    /// What the values take, by their own lengths.
    fn held(value: &Value) -> usize {
        match value {
            Value::Str(value) => value.len(),
            Value::List(items) => {
                items.capacity() * size_of::<Value>() + items.iter().map(held).sum::<usize>()
            }
            Value::Dict(members) => {
                let members_held = members.capacity() * MEMBER;
                members_held
                    + members.iter().map(|(key, value)| key.len() + held(value)).sum::<usize>()
            }
            _ => 0,
        }
    }

    #[test]
    fn the_estimate_is_near_what_the_values_take() {
        for (json, times) in [
            (r#"{"":0}"#, 500),
            ("[]", 500),
            ("{ }", 500),
            (r#"{"name": "accept", "value": "text/html, \"x\" \\"}"#, 300),
            ("[1,2,3]", 300),
            ("null", 300),
            (r#""some text of an entry that is longer than others, as bodies are""#, 300),
            (r#"[[[{"a":{"b":[true,false]}}]]]"#, 300),
            ("123456789012345678901234567890", 300),
        ] {
            let text = format!("[{}]", vec![json; times].join(", "));
            let value = black_box(Value::parse(&text).expect("JSON"));
            let (estimated, held) = (json_weight(&text), held(&value));
            assert!(estimated >= held, "{json}: {estimated} for {held}");
            assert!(estimated <= 2 * held + (200 * times), "{json}: {estimated} for {held}");
        }
    }

    #[test]
    fn broken_texts_have_an_estimate_too() {
        for text in ["", "[", "]", "\"", "\"\\", "[\"a", "}{", "[1,,2", "{\"a\"", "tru"] {
            assert!(json_weight(text) < 1000, "{text}");
        }
        let open = "[".repeat(1 << 20);
        assert!(json_weight(&open) < 1 << 20);
        let many = format!("[{}", "{\"\":0},".repeat(10_000));
        assert!(json_weight(&many) > 1_500_000);
    }
}
