//! Messages and their JSON, as Protocol Buffers map one to the other: payloads into bytes, responses into
//! text. In responses fields have the names of JSON (`lowerCamelCase`), 64-bit integers are texts, and
//! fields that cannot be missing are there also with their default.

use std::io::{self, Write};

use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use tokio::task::yield_now;

use super::types::listed;
use crate::memory::Held;
use crate::net::grpc::{PREFIX, prefix};
use crate::protocol::checked::Unreadable;
use crate::value::Value;
use crate::value::field::nearest;

/// What a message may take in memory while its JSON is written, in bytes per byte on the wire: a list of
/// booleans, which are a byte each there, takes most.
const UNPACKED: usize = 64;

/// Messages up to this length are not counted while their JSON is written.
const SMALL: usize = 16 << 10;

/// How many bytes are written before other users have their turn.
const TURN: usize = 256 << 10;

/// The longest text for people, in bytes.
const SHOWN: usize = 256 << 10;

/// Why there is no text of a response.
#[derive(Debug)]
pub(super) enum NoText {
    /// A message is not of its type.
    Foreign,
    /// It cannot be kept.
    Unreadable(Unreadable),
}

/// Appends the message that a JSON value stands for, behind its prefix; the error says what is wrong.
pub(super) fn encode_into(
    kind: &MessageDescriptor,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let message =
        DynamicMessage::deserialize(kind.clone(), Node(value)).map_err(
            |why| match unknown_field(kind, value) {
                Some(unknown) => unknown,
                None => format!(
                    "the payload is not a {}: {}{why}",
                    kind.full_name(),
                    member(kind, value)
                ),
            },
        )?;
    let length = message.encoded_len();
    out.reserve(PREFIX + length);
    out.extend_from_slice(&prefix(length));
    message.encode(out).map_err(|why| why.to_string())
}

/// The refusal of a value with a member that is not a field of its message.
fn unknown_field(kind: &MessageDescriptor, value: &Value) -> Option<String> {
    let Value::Dict(members) = value else { return None };
    // The JSON of Struct and the like is not that of their fields.
    if kind.package_name() == "google.protobuf" {
        return None;
    }
    let fields: Vec<_> = kind.fields().collect();
    let known = |key: &str| fields.iter().any(|one| one.name() == key || one.json_name() == key);
    // An extension is in brackets.
    let wrong = members.keys().find(|key| !known(key) && !key.starts_with('['))?;
    let hint = match nearest(wrong, fields.iter().map(|field| field.name())) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => format!("it has {}", listed(fields.iter().map(|field| field.name().to_owned()))),
    };
    Some(format!("{} has no field {wrong:?}; {hint}", kind.full_name()))
}

/// The member of a value that cannot be in a message, for its refusal: the library does not name it.
fn member(kind: &MessageDescriptor, value: &Value) -> String {
    let Value::Dict(members) = value else { return String::new() };
    let wrong = members.iter().find(|(key, value)| {
        let alone = Value::dict([((*key).clone(), (*value).clone())]);
        DynamicMessage::deserialize(kind.clone(), Node(&alone)).is_err()
    });
    wrong.map_or_else(String::new, |(key, _)| format!("{key}: "))
}

/// The JSON of messages: of all in a list if it is a `stream`, else of the one.
pub(super) async fn text(
    kind: &MessageDescriptor,
    messages: impl Iterator<Item = &[u8]>,
    stream: bool,
    limit: usize,
    held: &mut Held,
) -> Result<Vec<u8>, NoText> {
    let full = |full| NoText::Unreadable(Unreadable::Full(full));
    let mut text = Bounded { out: Vec::new(), limit };
    let (mut first, mut written) = (true, 0);
    if stream {
        text.out.push(b'[');
    }
    for message in messages {
        if !std::mem::replace(&mut first, false) {
            text.out.push(b',');
        }
        if message.len() > SMALL {
            let most = text.out.capacity() + message.len().saturating_mul(UNPACKED);
            held.set(most).map_err(full)?;
        }
        let before = text.out.len();
        one(kind, message, &mut text)?;
        written += text.out.len() - before;
        if written > TURN {
            written = 0;
            held.set(text.out.capacity()).map_err(full)?;
            yield_now().await;
        }
    }
    if stream {
        text.out.push(b']');
    }
    held.set(text.out.capacity()).map_err(full)?;
    Ok(text.out)
}

/// A message for people; nothing if it is long or not of its type.
pub(super) fn shown(kind: &MessageDescriptor, message: &[u8]) -> Option<Vec<u8>> {
    let mut text = Bounded { out: Vec::new(), limit: SHOWN };
    let short = message.len() <= SMALL;
    (short && one(kind, message, &mut text).is_ok()).then_some(text.out)
}

fn one(kind: &MessageDescriptor, message: &[u8], text: &mut Bounded) -> Result<(), NoText> {
    let message = DynamicMessage::decode(kind.clone(), message).map_err(|_| NoText::Foreign)?;
    let options = SerializeOptions::new().skip_default_fields(false);
    let limit = text.limit;
    let mut serializer = serde_json::Serializer::new(text);
    message.serialize_with_options(&mut serializer, &options).map_err(|why| {
        match why.is_io() {
            true => NoText::Unreadable(Unreadable::OverLimit(limit)),
            // Such as a time that JSON cannot express.
            false => NoText::Foreign,
        }
    })
}

/// A text up to a limit, whose writer fails beyond it.
struct Bounded {
    out: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.out.len() + bytes.len() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value as serde reads it. Its own JSON would do, if that kept numbers: with the precision that
/// documents need, serde_json hands a fraction to its reader as a map.
#[derive(Clone, Copy)]
struct Node<'a>(&'a Value);

impl<'de> IntoDeserializer<'de, Error> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Big(value) => match u64::try_from(value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_string(value.to_string()),
            },
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Str(text) => visitor.visit_borrowed_str(text),
            Value::List(values) | Value::Tuple(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.iter().map(Node)))
            }
            Value::Dict(members) => {
                let members = members.iter().map(|(key, value)| (key.as_str(), Node(value)));
                visitor.visit_map(MapDeserializer::new(members))
            }
            Value::Rows(_) => visitor.visit_unit(),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::tests::pool;
    use super::*;
    use crate::net::grpc::prefixed;

    fn kind(name: &str) -> MessageDescriptor {
        pool().get_message_by_name(name).expect("a message")
    }

    fn encoded(json: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        encode_into(&kind("pkg.All"), &Value::parse(json).expect("JSON"), &mut out)?;
        Ok(out)
    }

    async fn shown(bytes: &[u8], stream: bool, limit: usize) -> Result<String, NoText> {
        let messages = super::super::messages::split(bytes);
        let text = text(&kind("pkg.All"), messages, stream, limit, &mut Held::default()).await?;
        Ok(String::from_utf8(text).expect("UTF-8"))
    }

    #[tokio::test]
    async fn json_becomes_a_message_and_a_message_json() {
        for (json, back) in [
            (r#"{"text": "é", "count": 3}"#, r#""text":"é","count":3"#),
            (r#"{"count": "3", "ratio": 1.5}"#, r#""count":3"#),
            (r#"{"ratio": 1.50}"#, r#""ratio":1.5"#),
            (r#"{"ratio": 1e3}"#, r#""ratio":1000.0"#),
            (r#"{"ratio": "NaN"}"#, r#""ratio":"NaN""#),
            (r#"{"big": 18446744073709551615}"#, r#""big":"18446744073709551615""#),
            (r#"{"big": "7"}"#, r#""big":"7""#),
            (r#"{"data": "AAEC"}"#, r#""data":"AAEC""#),
            (r#"{"names": ["a", "b"]}"#, r#""names":["a","b"]"#),
            (r#"{"shares": {"x": 1}}"#, r#""shares":{"x":1}"#),
            (r#"{"mood": "GOOD"}"#, r#""mood":"GOOD""#),
            (r#"{"when": "2026-01-02T03:04:05Z"}"#, r#""when":"2026-01-02T03:04:05Z""#),
            (r#"{"inner": {"text": "x"}, "text": null}"#, r#""inner":{"text":"x""#),
            (r#"{"two_words": true}"#, r#""twoWords":true"#),
            (r#"{"twoWords": true}"#, r#""twoWords":true"#),
            ("{}", r#"{"text":"","count":0"#),
        ] {
            let bytes = encoded(json).expect(json);
            let text = shown(&bytes, false, 10_000).await.expect("a text");
            assert!(text.contains(back), "{json}: {text}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_reason() {
        for (json, why) in [
            (r#"{"text": "a", "count": "x"}"#, "count: "),
            (r#"{"count": 99999999999}"#, "count: "),
            (r#"{"count": 1.5}"#, "count: "),
            (r#"{"names": "abc"}"#, "names: "),
            (r#"{"mood": "BAD"}"#, "mood: "),
            (r#"{"data": "%"}"#, "data: "),
            ("[]", "sequence"),
        ] {
            let refusal = encoded(json).expect_err(json);
            assert!(refusal.starts_with("the payload is not a pkg.All: "), "{refusal}");
            assert!(refusal.contains(why), "{json}: {refusal}");
        }
        for (json, expected) in [
            (r#"{"coutn": 1}"#, "pkg.All has no field \"coutn\"; did you mean \"count\"?"),
            (r#"{"text": "", "nofield": 1}"#, "pkg.All has no field \"nofield\"; it has "),
        ] {
            let refusal = encoded(json).expect_err(json);
            assert!(refusal.starts_with(expected), "{json}: {refusal}");
        }
    }

    #[tokio::test]
    async fn a_stream_is_a_list_and_a_long_text_is_refused() {
        let two =
            [encoded("{}"), encoded(r#"{"count": 2}"#)].map(|bytes| bytes.expect("a message"));
        let text = shown(&two.concat(), true, 10_000).await.expect("a text");
        let parsed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(parsed[1]["count"], 2);
        assert_eq!(shown(b"", true, 100).await.expect("a text"), "[]");
        let long = shown(&two.concat(), true, 20).await;
        assert!(matches!(long, Err(NoText::Unreadable(Unreadable::OverLimit(20)))));
        let foreign = shown(&prefixed(b"\xff\xff"), false, 100).await;
        assert!(matches!(foreign, Err(NoText::Foreign)));
    }
}
