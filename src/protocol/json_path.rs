//! Looks up a dotted path (`data.items.0.id`) in a JSON text without building the rest: the whole
//! text is validated, and only the value at the path is kept.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::value::{Value, json_weight};

/// More than this many times its text no value takes.
const MOST_TIMES: usize = 256;

/// A dotted path into a JSON text. One that begins with `$` or holds `[…]` is also read as JSONPath
/// writes it (`$.data.items[0]['id']`); where that finds nothing, a key may be spelled so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    steps: Vec<String>,
    /// The steps as JSONPath has them, where they are others.
    bracketed: Option<Vec<String>>,
}

impl JsonPath {
    /// Parses a path; empty steps are skipped, as in the reference.
    pub fn new(text: &str) -> Self {
        let steps = text.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect();
        Self { steps, bracketed: bracketed(text) }
    }

    /// Whether a path has a bracket that is not closed: it is no JSONPath then, and a key that is spelled
    /// so is rare.
    pub fn is_unclosed(text: &str) -> bool {
        text.contains('[') && bracketed(text).is_none()
    }

    /// Returns the value at the path; `None` if the text is not JSON or has no such value.
    pub fn find(&self, text: &[u8]) -> Option<Value> {
        self.find_within(text, usize::MAX).ok().flatten()
    }

    /// [`Self::find`], where a value that would take more than `most` bytes of memory is not built: the
    /// error is what it would take.
    pub fn find_within(&self, text: &[u8], most: usize) -> Result<Option<Value>, usize> {
        if let Some(steps) = &self.bracketed
            && let Some(found) = seek(steps, text, most)?
        {
            return Ok(Some(found));
        }
        seek(&self.steps, text, most)
    }
}

fn seek(steps: &[String], text: &[u8], most: usize) -> Result<Option<Value>, usize> {
    // Checked once, instead of key by key and value by value. What is skipped need not be text.
    match std::str::from_utf8(text) {
        Ok(text) => seek_in(steps, serde_json::Deserializer::from_str(text), most),
        Err(_) => seek_in(steps, serde_json::Deserializer::from_slice(text), most),
    }
}

fn seek_in<'t, R: serde_json::de::Read<'t>>(
    steps: &[String],
    mut from: serde_json::Deserializer<R>,
    most: usize,
) -> Result<Option<Value>, usize> {
    let large = Cell::new(None);
    let found = Seek { steps, most, large: &large }.deserialize(&mut from);
    if let Some(weight) = large.get() {
        return Err(weight);
    }
    Ok(found.ok().filter(|_| from.end().is_ok()).flatten())
}

/// The steps of a path with a leading `$` or with brackets around indices and quoted keys.
fn bracketed(text: &str) -> Option<Vec<String>> {
    let rooted =
        text.strip_prefix('$').filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    let mut rest = match rooted {
        Some(rest) => rest,
        None if text.contains('[') => text,
        None => return None,
    };
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (step, after) = inside.split_once(']')?;
            let unquoted = ['\'', '"'].into_iter().find_map(|quote| {
                step.strip_prefix(quote).and_then(|step| step.strip_suffix(quote))
            });
            steps.push(unquoted.unwrap_or(step).to_owned());
            rest = after;
        } else {
            let (step, after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            steps.extend((!step.is_empty()).then(|| step.to_owned()));
            rest = after.strip_prefix('.').unwrap_or(after);
        }
    }
    Some(steps)
}

/// Deserializes the value at the remaining steps.
#[derive(Clone, Copy)]
struct Seek<'p> {
    steps: &'p [String],
    /// What the value may take in memory, in bytes.
    most: usize,
    /// What a larger one would take.
    large: &'p Cell<Option<usize>>,
}

impl<'p> Seek<'p> {
    /// The first step, and the rest.
    fn split(self) -> Option<(&'p str, Self)> {
        let (step, steps) = self.steps.split_first()?;
        Some((step, Self { steps, ..self }))
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        if self.steps.is_empty() {
            let raw = <&RawValue as serde::Deserialize>::deserialize(from)?.get();
            // Most values that documents check are plain strings: no second parse for them.
            let inner = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            if let Some(text) = inner.filter(|inner| !inner.contains('\\')) {
                return Ok(Some(Value::Str(text.to_owned())));
            }
            if raw.len() > self.most / MOST_TIMES {
                let weight = json_weight(raw);
                if weight > self.most {
                    self.large.set(Some(weight));
                    return Err(D::Error::custom("too large"));
                }
            }
            // The text is valid; only an integer beyond all limits cannot be represented.
            return Value::parse(raw).map(Some).map_err(D::Error::custom);
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<Value>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let Some((step, rest)) = self.split() else { return Ok(None) };
        let mut found = None;
        while let Some(hit) = members.next_key_seed(Key(step))? {
            if hit {
                // Of equal keys the last one counts.
                found = members.next_value_seed(rest)?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let Some((step, rest)) = self.split() else { return Ok(None) };
        let index: Option<i64> = step.trim().parse().ok();
        if index.is_some_and(|index| index < 0) {
            return from_the_end(items, index.unwrap_or(0), rest);
        }
        let mut found = None;
        let mut at = 0i64;
        loop {
            if Some(at) == index {
                match items.next_element_seed(rest)? {
                    Some(value) => found = value,
                    None => return Ok(None),
                }
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            at += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// `-1` is the last item, as in Python.
fn from_the_end<'de, A: SeqAccess<'de>>(
    mut items: A,
    index: i64,
    rest: Seek<'_>,
) -> Result<Option<Value>, A::Error> {
    let back = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    let mut last: VecDeque<&RawValue> = VecDeque::new();
    while let Some(item) = items.next_element()? {
        if last.len() == back {
            last.pop_front();
        }
        last.push_back(item);
    }
    let item = last.front().filter(|_| last.len() == back);
    let Some(item) = item else { return Ok(None) };
    match seek(rest.steps, item.get().as_bytes(), rest.most) {
        Ok(found) => Ok(found),
        Err(weight) => {
            rest.large.set(Some(weight));
            Err(A::Error::custom("too large"))
        }
    }
}

/// Checks whether a key is the wanted one, without copying it.
struct Key<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str, text: &str) -> Option<String> {
        JsonPath::new(path).find(text.as_bytes()).map(|value| value.to_repr())
    }

    #[test]
    fn a_path_finds_the_same_value_as_in_python() {
        const TEXT: &str =
            r#"{"a": {"b": [1, 2.5, true, null, "x"]}, "s": "it's", "a.b": 1, "n": 1e400}"#;
        for (path, want) in [
            ("a.b.0", Some("1")),
            ("a.b.1", Some("2.5")),
            ("a.b.-1", Some("'x'")),
            ("a.b.3", Some("None")),
            ("a.b.9", None),
            ("a.b.-9", None),
            ("a.b.x", None),
            (".a..b.4", Some("'x'")),
            ("a.b", Some("[1, 2.5, True, None, 'x']")),
            ("s.x", None),
            ("n.x", None),
            ("nope", None),
            ("$.a.b[0]", Some("1")),
            (
                "$",
                Some("{'a': {'b': [1, 2.5, True, None, 'x']}, 's': \"it's\", 'a.b': 1, 'n': inf}"),
            ),
            ("a.b[-1]", Some("'x'")),
            ("$['a'][\"b\"][1]", Some("2.5")),
            ("$.a.b[9]", None),
            ("a[", None),
            ("s", Some("\"it's\"")),
            ("n", Some("inf")),
        ] {
            assert_eq!(find(path, TEXT).as_deref(), want, "{path}");
        }
        assert_eq!(find("a", r#"{"a": 1, "a": 2}"#).as_deref(), Some("2"));
        assert_eq!(find("$.a", r#"{"$": {"a": 3}}"#).as_deref(), Some("3"), "as the reference");
        assert_eq!(find("a[0]", r#"{"a[0]": 4}"#).as_deref(), Some("4"), "as the reference");
        assert_eq!(find("$[1]", "[1, 2]").as_deref(), Some("2"));
        assert_eq!(find("", "[1]").as_deref(), Some("[1]"));
    }

    #[test]
    fn text_that_is_not_json_has_no_value_at_any_path() {
        for text in ["", "{", r#"{"a": 1} x"#, r#"{"a": 1, "b": }"#, "<html>"] {
            assert_eq!(find("a", text), None, "{text}");
        }
    }
}
