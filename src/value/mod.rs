//! A JSON value as an action document means it: whole numbers of any size, floats, and objects in
//! the order in which they were written. Documents come in through [`Value::parse`], results go out
//! as JSON ([`serde::Serialize`]) or as Python would write them ([`Value::to_text`],
//! [`Value::to_json`]). It is plain data: it knows no command and no wire.

pub mod field;
mod python;
mod reader;

use indexmap::IndexMap;
use num_bigint::BigInt;
use serde::ser::{Serialize, Serializer};

pub use field::{Field, Kind, Literal};
pub use python::{Charset, JsonOut, json_into, json_text_into, quote, quoted_into};
pub use reader::{Invalid, Object, Reader};

/// An object's members, in the order in which they were written.
pub type Map = IndexMap<String, Value>;

/// The longest whole number that is read, in decimal digits: Python's own limit for `int(text)`.
pub const MAX_INTEGER_DIGITS: usize = 4300;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number that fits 64 bits.
    Int(i64),
    /// A whole number that does not.
    Big(BigInt),
    /// A number written with a fraction or an exponent; one too large is infinite, as in Python.
    Float(f64),
    /// Text.
    Str(String),
    /// An array.
    List(Vec<Value>),
    /// A result of several parts, which Python writes with parentheses. JSON has no such thing: it
    /// goes out as an array, and no document holds one.
    Tuple(Vec<Value>),
    /// An object.
    Dict(Map),
}

impl Value {
    /// Reads one JSON document. Nesting is capped at 128 levels by the parser; the error names line
    /// and column.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let json: serde_json::Value = serde_json::from_str(text)?;
        Self::from_json(json)
    }

    fn from_json(json: serde_json::Value) -> Result<Self, ParseError> {
        Ok(match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::number(number.as_str())?,
            serde_json::Value::String(text) => Self::Str(text),
            serde_json::Value::Array(items) => {
                Self::List(items.into_iter().map(Self::from_json).collect::<Result<_, _>>()?)
            }
            serde_json::Value::Object(members) => Self::Dict(
                members
                    .into_iter()
                    .map(|(key, value)| Ok((key, Self::from_json(value)?)))
                    .collect::<Result<_, ParseError>>()?,
            ),
        })
    }

    fn number(text: &str) -> Result<Self, ParseError> {
        if text.contains(['.', 'e', 'E']) {
            return text.parse().map(Self::Float).map_err(|_| ParseError::Number);
        }
        if let Ok(small) = text.parse() {
            return Ok(Self::Int(small));
        }
        if text.len() > MAX_INTEGER_DIGITS + 1 {
            return Err(ParseError::LongInteger { digits: text.trim_start_matches('-').len() });
        }
        text.parse().map(Self::Big).map_err(|_| ParseError::Number)
    }

    /// The number as a float, when it is one (a bool is not).
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Big(value) => num_traits::ToPrimitive::to_f64(value),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A member of the object, when it is one and has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Dict(members) => members.get(key),
            _ => None,
        }
    }

    /// The name of the kind in JSON's words, for error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Big(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Str(_) => "a string",
            Self::List(_) | Self::Tuple(_) => "a list",
            Self::Dict(_) => "an object",
        }
    }

    /// Python's `==`: numbers compare by value over their kinds, `true` is 1.
    pub fn equals(&self, other: &Self) -> bool {
        let number = |value: &Self| match value {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            value => value.as_f64(),
        };
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Big(left), Self::Big(right)) => left == right,
            (Self::List(left), Self::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(l, r)| l.equals(r))
            }
            (Self::Dict(left), Self::Dict(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, l)| right.get(key).is_some_and(|r| l.equals(r)))
            }
            _ => match (number(self), number(other)) {
                (Some(left), Some(right)) => left == right,
                _ => self == other,
            },
        }
    }

    /// An object from members, for results.
    pub fn dict<K: Into<String>, const N: usize>(members: [(K, Value); N]) -> Self {
        Self::Dict(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }
}

/// Why a text is not a document.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is not JSON; the parser's message ends in line and column.
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
    /// A whole number longer than [`MAX_INTEGER_DIGITS`].
    #[error("an integer of {digits} digits is over the limit of {MAX_INTEGER_DIGITS}")]
    LongInteger {
        /// How many digits it has.
        digits: usize,
    },
    /// A number that no kind of number can hold.
    #[error("a number cannot be read")]
    Number,
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| Self::Big(value.into()), Self::Int)
    }
}
impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Str(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Str(value)
    }
}
impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Self::List(value)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Big(value) => {
                let number: serde_json::Number =
                    value.to_string().parse().map_err(serde::ser::Error::custom)?;
                number.serialize(serializer)
            }
            // JSON has no NaN and no infinity: they become null.
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Str(text) => serializer.serialize_str(text),
            Self::List(items) | Self::Tuple(items) => serializer.collect_seq(items),
            Self::Dict(members) => serializer.collect_map(members),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = serde_json::Value::deserialize(deserializer)?;
        Self::from_json(json).map_err(serde::de::Error::custom)
    }
}
