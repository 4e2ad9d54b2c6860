//! Reading a document into typed settings: a [`Reader`] is a value together with its place, so that
//! every refusal can name it as a JSON pointer (`/tasks/2/weight: expected a positive integer, got
//! "x"`). An [`Object`] takes its members one by one and refuses what is left over.

use super::{Map, Value};

/// A refusal: the place in the document (a JSON pointer, RFC 6901) and what should stand there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if pointer.is_empty() { String::new() } else { format!("{pointer}: ") })]
pub struct Invalid {
    /// The JSON pointer; empty for the whole document.
    pub pointer: String,
    /// What is wrong there, and what should stand there.
    pub message: String,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    value: &'a Value,
    pointer: String,
}

impl<'a> Reader<'a> {
    /// The root of a document.
    pub fn root(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    /// A value at a known place.
    pub fn at(value: &'a Value, pointer: impl Into<String>) -> Self {
        Self { value, pointer: pointer.into() }
    }

    /// The value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// Where it stands.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// A refusal of this value, in the caller's words.
    pub fn invalid(&self, message: impl Into<String>) -> Invalid {
        Invalid { pointer: self.pointer.clone(), message: message.into() }
    }

    /// A refusal that says what was expected and what stands there.
    pub fn expected(&self, what: &str) -> Invalid {
        self.invalid(format!("expected {what}, got {}", brief(self.value)))
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// A text.
    pub fn text(&self) -> Result<&'a str, Invalid> {
        self.value.as_str().ok_or_else(|| self.expected("a string"))
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Result<bool, Invalid> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// A whole number of at least `least`; a float without a fraction counts (`50.0`).
    pub fn integer(&self, least: u64) -> Result<u64, Invalid> {
        let whole = match self.value {
            Value::Int(value) => u64::try_from(*value).ok(),
            Value::Float(value) if value.fract() == 0.0 && (0.0..9e15).contains(value) => {
                Some(*value as u64)
            }
            _ => None,
        };
        whole.filter(|value| *value >= least).ok_or_else(|| {
            self.expected(match least {
                0 => "an integer of at least 0",
                1 => "a positive integer",
                _ => "a larger integer",
            })
        })
    }

    /// A finite number of at least 0 (seconds, rates).
    pub fn number(&self) -> Result<f64, Invalid> {
        self.value
            .as_f64()
            .filter(|value| value.is_finite() && *value >= 0.0)
            .ok_or_else(|| self.expected("a number of at least 0"))
    }

    /// A finite number above 0.
    pub fn positive(&self) -> Result<f64, Invalid> {
        self.value
            .as_f64()
            .filter(|value| value.is_finite() && *value > 0.0)
            .ok_or_else(|| self.expected("a number above 0"))
    }

    /// The items of a list.
    pub fn list(&self) -> Result<Vec<Reader<'a>>, Invalid> {
        match self.value {
            Value::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, value)| Reader {
                    value,
                    pointer: format!("{}/{index}", self.pointer),
                })
                .collect()),
            _ => Err(self.expected("a list")),
        }
    }

    /// An object whose members are taken one by one.
    pub fn object(&self) -> Result<Object<'a>, Invalid> {
        match self.value {
            Value::Dict(members) => {
                Ok(Object { members, pointer: self.pointer.clone(), taken: Vec::new() })
            }
            _ => Err(self.expected("an object")),
        }
    }

    /// A member's place below this one.
    pub fn child(&self, key: &str, value: &'a Value) -> Reader<'a> {
        Reader { value, pointer: format!("{}/{}", self.pointer, escape(key)) }
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object<'a> {
    members: &'a Map,
    pointer: String,
    taken: Vec<&'a str>,
}

impl<'a> Object<'a> {
    /// A member, if it is there (`null` counts as there).
    pub fn optional(&mut self, key: &str) -> Option<Reader<'a>> {
        let (key, value) = self.members.get_key_value(key)?;
        self.taken.push(key);
        Some(Reader { value, pointer: format!("{}/{}", self.pointer, escape(key)) })
    }

    /// A member, unless it is missing or `null`.
    pub fn present(&mut self, key: &str) -> Option<Reader<'a>> {
        self.optional(key).filter(|reader| !reader.is_null())
    }

    /// A member that must be there.
    pub fn required(&mut self, key: &str) -> Result<Reader<'a>, Invalid> {
        self.optional(key).ok_or_else(|| Invalid {
            pointer: self.pointer.clone(),
            message: format!("missing {key:?}"),
        })
    }

    /// Every member with its place, in order; nothing is left over afterwards.
    pub fn entries(&mut self) -> Vec<(&'a str, Reader<'a>)> {
        self.taken.extend(self.members.keys().map(String::as_str));
        self.members
            .iter()
            .map(|(key, value)| {
                let pointer = format!("{}/{}", self.pointer, escape(key));
                (key.as_str(), Reader { value, pointer })
            })
            .collect()
    }

    /// Refuses members that nobody took.
    pub fn finish(self) -> Result<(), Invalid> {
        match self.members.keys().find(|key| !self.taken.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(Invalid {
                pointer: format!("{}/{}", self.pointer, escape(key)),
                message: "unknown field".to_owned(),
            }),
        }
    }
}

/// A key as a step of a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A value as an error message shows it: JSON, cut to a readable length.
fn brief(value: &Value) -> String {
    const LONGEST: usize = 60;
    let json = match value {
        // JSON writes it as null, which stands elsewhere.
        Value::Float(number) if !number.is_finite() => number.to_string(),
        value => serde_json::to_string(value).unwrap_or_else(|_| value.kind().to_owned()),
    };
    if json.chars().count() <= LONGEST {
        return json;
    }
    let cut: String = json.chars().take(LONGEST).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_place_and_what_is_expected() {
        let value = Value::parse(r#"{"tasks": [{"weight": "x"}]}"#).expect("JSON");
        let mut root = Reader::root(&value).object().expect("an object");
        let tasks = root.required("tasks").and_then(|tasks| tasks.list()).expect("a list");
        let mut task = tasks[0].object().expect("an object");
        let refusal = task.required("weight").and_then(|weight| weight.integer(1)).unwrap_err();
        assert_eq!(refusal.to_string(), "/tasks/0/weight: expected a positive integer, got \"x\"");
    }

    #[test]
    fn what_is_left_over_is_refused_with_an_escaped_pointer() {
        let value = Value::parse(r#"{"a/b": 1}"#).expect("JSON");
        let refusal = Reader::root(&value).object().and_then(Object::finish).unwrap_err();
        assert_eq!(refusal.to_string(), "/a~1b: unknown field");
    }
}
