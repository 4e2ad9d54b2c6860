//! A JSON value as action documents use it: integers of any size, floats, and objects in the order
//! they were written. Documents come in through [`Value::parse`]; results go out as JSON
//! ([`serde::Serialize`]) or as Python would write them ([`Value::to_text`], [`Value::to_json`]).
//! It is plain data, independent of commands and of the wire.

pub mod field;
mod parse;
mod path;
mod pattern;
mod positions;
mod python;
mod reader;
mod redacted;
mod rows;
mod scan;
mod syntax;
mod syntax_error;
mod toml;
mod weight;
mod yaml;

use std::sync::Arc;

use indexmap::IndexMap;
use num_bigint::BigInt;
use serde::ser::{Serialize, Serializer};

pub use field::{Field, Kind, Literal};
pub use parse::{MAX_INTEGER_DIGITS, ParseError};
pub use path::{Path, Step};
pub use pattern::Patterns;
pub use positions::{Position, count_elements, line_and_column, positions, repeated_members};
pub use python::{
    Charset, Extent, FaultText, JsonOut, json_fault, json_into, json_text_into, piece, quote,
    quoted_into,
};
pub use reader::{Awaited, Invalid, Object, Reader};
pub use rows::{Cell, Rows};
pub use scan::{Fault, Outline, Scanner};
pub use syntax::Syntax;
pub use syntax_error::SyntaxError;
pub use toml::{NoToml, toml_weight};
pub use weight::json_weight;
pub use yaml::yaml_weight;

/// An object's members, in the order they were written.
pub type Map = IndexMap<String, Value>;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// An integer that does not.
    Big(BigInt),
    /// A number written with a fraction or an exponent; one too large is infinite, as in Python.
    Float(f64),
    /// Text.
    Str(String),
    /// An array.
    List(Vec<Value>),
    /// A tuple, which only results hold: Python writes it in parentheses, JSON as an array.
    Tuple(Vec<Value>),
    /// An object.
    Dict(Map),
    /// A list of objects with the same members, which only results hold: an object for each would take
    /// ten times the memory.
    Rows(Arc<Rows>),
}

impl Value {
    /// Its memory in bytes, estimated.
    pub fn weight(&self) -> usize {
        let below = match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) => 0,
            Self::Big(number) => usize::try_from(number.bits() / 8).unwrap_or(usize::MAX),
            Self::Str(text) => text.capacity(),
            Self::List(elements) | Self::Tuple(elements) => elements.iter().map(Self::weight).sum(),
            // The key, its hash and its index, and some room for more.
            Self::Dict(members) => {
                members.iter().map(|(key, value)| key.len() + value.weight() + 64).sum()
            }
            Self::Rows(rows) => rows.bytes(),
        };
        below + size_of::<Self>()
    }

    /// The number as a float, if it is a number (a bool is not).
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Big(value) => num_traits::ToPrimitive::to_f64(value),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// A number as a person would write it: without a fraction where it is whole.
    pub fn of_number(number: f64) -> Self {
        /// Up to here every whole number is exact.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match number {
            whole if whole.fract() == 0.0 && whole.abs() <= EXACT => Self::Int(whole as i64),
            number => Self::Float(number),
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A member, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Dict(members) => members.get(key),
            _ => None,
        }
    }

    /// The kind's name in JSON, for error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Big(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Str(_) => "a string",
            Self::List(_) | Self::Tuple(_) | Self::Rows(_) => "a list",
            Self::Dict(_) => "an object",
        }
    }

    /// Python's `==`: numbers of different kinds compare by value, `true` is 1.
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

    /// An object with these members, for results.
    pub fn dict<K: Into<String>>(members: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Dict(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }
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
impl From<Rows> for Value {
    fn from(value: Rows) -> Self {
        Self::Rows(Arc::new(value))
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
            Self::Rows(rows) => rows.serialize(serializer),
        }
    }
}
