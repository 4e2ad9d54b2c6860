//! Values for the schemas of an API: what its examples say, else the simplest value that fits. A schema
//! that refers to itself, or whose references multiply, is cut off.

use super::lookup::{elements, is_true, list, members, object, text};
use super::openapi::Api;
use crate::value::{Map, Value};

/// The deepest value.
const MAX_DEPTH: usize = 8;

/// How many parts a value may have.
const MAX_PARTS: usize = 2000;

/// What the examples in a value may take in memory, in bytes.
const MAX_BYTES: usize = 256 << 10;

/// What a part of a value counts, in bytes.
const PART: usize = 64;

/// The longest text that is made to fit a least length.
const MAX_LENGTH: i64 = 1000;

/// Makes one value.
pub(super) struct Maker<'a> {
    api: &'a Api<'a>,
    parts: usize,
    bytes: usize,
}

/// A value for a schema, and whether the API gives it.
pub(super) fn of_schema(api: &Api<'_>, schema: &Value) -> (Value, bool) {
    let mut maker = Maker { api, parts: 0, bytes: 0 };
    if let Some(given) = maker.given(api.resolved(schema)) {
        return (given, true);
    }
    (maker.value(schema, 0), false)
}

impl Maker<'_> {
    /// What the schema itself says.
    fn given(&mut self, schema: &Value) -> Option<Value> {
        let first = |key| list(schema, key).first();
        let given = schema
            .get("example")
            .or_else(|| first("examples"))
            .or_else(|| schema.get("default"))
            .or_else(|| schema.get("const"))
            .or_else(|| first("enum"))?;
        self.bytes = self.bytes.saturating_add(given.weight());
        self.api.spend(given.weight())?;
        (self.bytes <= MAX_BYTES).then(|| given.clone())
    }

    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        self.parts += 1;
        if self.api.spend(PART).is_none() {
            return Value::Null;
        }
        if depth > MAX_DEPTH || self.parts > MAX_PARTS {
            return Value::Null;
        }
        let schema = self.api.resolved(schema);
        if let Some(given) = self.given(schema) {
            return given;
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(first) = list(schema, choice).first() {
                return self.value(first, depth + 1);
            }
        }
        match kind(schema) {
            "object" => Value::Dict(self.object(schema, depth)),
            "array" => {
                let item = schema.get("items").map(|items| self.value(items, depth + 1));
                Value::List(item.into_iter().collect())
            }
            "integer" => Value::Int(least(schema).map_or(1, |least| least.ceil() as i64)),
            "number" => Value::of_number(least(schema).unwrap_or(1.0)),
            "boolean" => Value::Bool(true),
            "null" => Value::Null,
            _ => string(schema).into(),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Map {
        let mut made = Map::new();
        for part in list(schema, "allOf") {
            if let Value::Dict(more) = self.value(part, depth + 1) {
                made.extend(more);
            }
        }
        for (name, property) in object(schema, "properties") {
            if self.parts > MAX_PARTS {
                break;
            }
            if !is_true(self.api.resolved(property), "readOnly") {
                let value = self.value(property, depth + 1);
                made.insert(name.clone(), value);
            }
        }
        made
    }
}

/// The type of a schema, also where only its members tell it.
pub(super) fn kind(schema: &Value) -> &str {
    let given = schema.get("type");
    let named = given.and_then(Value::as_str).or_else(|| {
        let mut several = given.map_or(&[][..], elements).iter().filter_map(Value::as_str);
        several.find(|kind| *kind != "null")
    });
    match named {
        Some(kind) => kind,
        None if schema.get("properties").is_some() || schema.get("allOf").is_some() => "object",
        None if schema.get("items").is_some() => "array",
        None if members(schema).is_none_or(Map::is_empty) => "object",
        None => "string",
    }
}

fn least(schema: &Value) -> Option<f64> {
    let above = schema.get("exclusiveMinimum").and_then(Value::as_f64).map(|above| above + 1.0);
    above.or_else(|| schema.get("minimum").and_then(Value::as_f64))
}

/// A text in the format that a schema asks for.
fn string(schema: &Value) -> String {
    let made = match text(schema, "format").unwrap_or_default() {
        "date" => "2026-01-31",
        "date-time" => "2026-01-31T12:00:00Z",
        "time" => "12:00:00Z",
        "uuid" => "${uuid()}",
        "email" | "idn-email" => "${faker.email}",
        "uri" | "url" | "iri" | "uri-reference" => "https://www.example/",
        "hostname" | "idn-hostname" => "www.example",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "password" => "${env.PASSWORD}",
        "byte" => "dGV4dA==",
        _ => "text",
    };
    let least = match schema.get("minLength") {
        Some(Value::Int(least)) if !made.starts_with("${") => (*least).clamp(0, MAX_LENGTH),
        _ => 0,
    };
    let missing = usize::try_from(least).unwrap_or(0).saturating_sub(made.len());
    format!("{made}{}", "x".repeat(missing))
}
