//! Parses JSON text into a [`Value`], in one pass.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::weight::fit;
use super::{Map, Value};

/// The longest accepted integer, in decimal digits: Python's own limit for `int(text)`.
pub const MAX_INTEGER_DIGITS: usize = 4300;

/// The key under which serde_json passes a number that does not fit a 64-bit integer: as a map with
/// one member, the number's text, so that no digit is lost.
const NUMBER: &str = "$serde_json::private::Number";

/// Why a text is not a document.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is not JSON; the parser's message ends with line and column.
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
    /// An integer longer than [`MAX_INTEGER_DIGITS`].
    #[error("an integer of {digits} digits is over the limit of {MAX_INTEGER_DIGITS}")]
    LongInteger {
        /// Its number of digits.
        digits: usize,
    },
    /// A number that cannot be represented.
    #[error("a number cannot be read")]
    Number,
    /// It was no longer wanted.
    #[error("cancelled")]
    Cancelled,
}

impl Value {
    /// Parses one JSON document. The parser limits nesting to 128 levels; the error names line and
    /// column.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_until(text, &|| false)
    }

    /// [`Self::parse`] of a text that may be long, given up once `cancelled` holds.
    pub fn parse_until(text: &str, cancelled: &dyn Fn() -> bool) -> Result<Self, ParseError> {
        let watch = Watch { values: Cell::new(0), cancelled };
        let refused = RefCell::default();
        let mut parser = serde_json::Deserializer::from_str(text);
        let builder = Builder { refused: &refused, number: None, watch: Some(&watch) };
        let value = match builder.deserialize(&mut parser) {
            Ok(value) => value,
            Err(_) if watch.values.get() == CANCELLED => return Err(ParseError::Cancelled),
            Err(error) => return Err(error.into()),
        };
        parser.end()?;
        refused.into_inner().map_or(Ok(value), Err)
    }

    fn number(text: &str) -> Result<Self, ParseError> {
        if text.contains(['.', 'e', 'E']) {
            return text.parse().map(Self::Float).map_err(|_| ParseError::Number);
        }
        if let Ok(small) = text.parse() {
            return Ok(Self::Int(small));
        }
        let digits = text.trim_start_matches('-').len();
        if digits > MAX_INTEGER_DIGITS {
            return Err(ParseError::LongInteger { digits });
        }
        text.parse().map(Self::Big).map_err(|_| ParseError::Number)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refused = RefCell::default();
        let value = Builder::new(&refused).deserialize(deserializer)?;
        refused.into_inner().map_or(Ok(value), |error| Err(D::Error::custom(error)))
    }
}

/// How many values are built between two looks at whether they are still wanted.
const LOOK: u32 = 4096;

/// The count of values that are no longer wanted.
const CANCELLED: u32 = u32::MAX;

/// Looks now and then whether a value is still wanted.
struct Watch<'a> {
    /// Values since the last look.
    values: Cell<u32>,
    cancelled: &'a dyn Fn() -> bool,
}

impl Watch<'_> {
    fn count<E: Error>(&self) -> Result<(), E> {
        let values = self.values.get() + 1;
        self.values.set(values % LOOK);
        if values == LOOK && (self.cancelled)() {
            self.values.set(CANCELLED);
            return Err(E::custom("cancelled"));
        }
        Ok(())
    }
}

/// Builds a value from the parser's events.
#[derive(Clone, Copy)]
struct Builder<'a> {
    /// The first number over the limit. It is kept until the whole text is known to be JSON,
    /// because a syntax error takes precedence wherever it is.
    refused: &'a RefCell<Option<ParseError>>,
    /// Set if the next value may be the text of a number, and records that it is.
    number: Option<&'a Cell<bool>>,
    watch: Option<&'a Watch<'a>>,
}

impl<'a> Builder<'a> {
    fn new(refused: &'a RefCell<Option<ParseError>>) -> Self {
        Self { refused, number: None, watch: None }
    }

    /// Counts a value of a list or an object.
    fn count<E: Error>(&self) -> Result<(), E> {
        self.watch.map_or(Ok(()), Watch::count)
    }
}

impl<'de> DeserializeSeed<'de> for Builder<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Builder<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any valid JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::Big(value.into()), Value::Int))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::Big(value.into()), Value::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    /// The parser passes the text of a number as an owned string, and every text of the document as
    /// a borrowed one. If a document was buffered before, both are owned: then a member with a
    /// number's key is a number, if it parses as one.
    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        let Some(found) = self.number else { return Ok(text.into()) };
        match Value::number(&text) {
            Ok(number) => {
                found.set(true);
                Ok(number)
            }
            Err(ParseError::Number) => Ok(text.into()),
            Err(error) => {
                found.set(true);
                self.refused.borrow_mut().get_or_insert(error);
                Ok(Value::Null)
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        let below = Builder { number: None, ..self };
        while let Some(item) = seq.next_element_seed(below)? {
            self.count()?;
            items.push(item);
        }
        items.shrink_to_fit();
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let found = Cell::new(false);
            let number = (members.is_empty() && key == NUMBER).then_some(&found);
            let value = map.next_value_seed(Builder { number, ..self })?;
            self.count()?;
            if found.get() {
                return Ok(value);
            }
            // As in Python, the last of several members with one name wins, at the place of the
            // first.
            members.insert(key, value);
        }
        fit(&mut members);
        Ok(Value::Dict(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, repr: &str) {
        assert_eq!(Value::parse(json).expect("JSON").to_repr(), repr, "{json}");
    }

    /// Parses through serde_json's own values, like the member of an event.
    fn embedded(json: &str) -> serde_json::Result<Value> {
        serde_json::from_value(serde_json::from_str(json)?)
    }

    fn refused(json: &str, error: &str) {
        assert_eq!(Value::parse(json).expect_err("refused").to_string(), error);
    }

    #[test]
    fn numbers_keep_every_digit_and_their_kind() {
        for (json, repr) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "9223372036854775808"),
            ("18446744073709551616", "18446744073709551616"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("-9223372036854775809", "-9223372036854775809"),
            (
                "123456789012345678901234567890123456789012",
                "123456789012345678901234567890123456789012",
            ),
            ("1e2", "100.0"),
            ("1E400", "inf"),
            ("[1, [2.5, {\"a\": 3e0}]]", "[1, [2.5, {'a': 3.0}]]"),
        ] {
            check(json, repr);
            assert_eq!(embedded(json).expect("a value").to_repr(), repr, "{json}");
        }
        assert!(matches!(Value::parse("18446744073709551615"), Ok(Value::Big(_))));
    }

    #[test]
    fn the_last_member_of_a_name_wins_at_the_place_of_the_first() {
        check(r#"{"a": 1, "b": 2, "a": 3}"#, "{'a': 3, 'b': 2}");
    }

    #[test]
    fn a_member_with_the_key_of_the_parser_is_a_member() {
        check(r#"{"$serde_json::private::Number": "1"}"#, "{'$serde_json::private::Number': '1'}");
        check(
            r#"{"$serde_json::private::Number": [1.5, "2"], "a": 1.5}"#,
            "{'$serde_json::private::Number': [1.5, '2'], 'a': 1.5}",
        );
        check(
            r#"{"$serde_json::private::RawValue": "[1]"}"#,
            "{'$serde_json::private::RawValue': '[1]'}",
        );
    }

    #[test]
    fn an_integer_over_the_limit_is_refused_after_every_syntax_error() {
        let long = "1".repeat(MAX_INTEGER_DIGITS + 1);
        let most = "1".repeat(MAX_INTEGER_DIGITS);
        assert!(matches!(Value::parse(&format!("-{most}")), Ok(Value::Big(_))));
        let error = "an integer of 4301 digits is over the limit of 4300";
        refused(&format!("[-{long}, 1]"), error);
        refused(&format!("[{long}, [{long}1]]"), error);
        refused(&format!("[{long}, ]"), "trailing comma at line 1 column 4305");
        assert_eq!(embedded(&long).expect_err("refused").to_string(), error);
    }

    #[test]
    fn a_long_text_is_given_up_once_it_is_not_wanted() {
        let text = format!("[{}0]", "{\"a\": 0}, ".repeat(100_000));
        let looks = Cell::new(0);
        let look = |most| {
            looks.set(0);
            let cancelled = || {
                looks.set(looks.get() + 1);
                looks.get() > most
            };
            Value::parse_until(&text, &cancelled).map(|value| value.weight())
        };
        assert!(look(u32::MAX).is_ok() && looks.get() > 40);
        assert!(matches!(look(2), Err(ParseError::Cancelled)) && looks.get() == 3);
    }

    #[test]
    fn nesting_is_limited_and_the_error_names_the_place() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Value::parse(&nested(127)).is_ok());
        refused(&nested(128), "recursion limit exceeded at line 1 column 128");
        refused("[1] 2", "trailing characters at line 1 column 5");
        refused("", "EOF while parsing a value at line 1 column 0");
    }
}
