//! The JSON Schema (2020-12) of documents, for editors and for CI: `LD_export_schema`. Commands and
//! the names of their arguments come from the registry, so that they cannot drift; what an argument
//! may be stands in `types.json`, and a test asks for every one.

use super::arguments::Parameter;
use super::registry;
use crate::value::{Map, Value};

const TYPES: &str = include_str!("types.json");

/// Its name. A URN, for it is found in the file and nowhere else.
const ID: &str = "urn:ldctl:schema:actions:1";

/// The schema.
pub fn schema() -> Result<Value, crate::value::ParseError> {
    let types = Value::parse(TYPES)?;
    let parameters = member(&types, "parameters");
    let mut defs = match member(&types, "$defs") {
        Value::Dict(defs) => defs,
        _ => Map::new(),
    };
    let names: Vec<Value> = registry::declarations().map(|known| known.name().into()).collect();
    let payloads = registry::declarations().filter_map(|known| {
        let types = member(&parameters, known.name());
        known.parameters().map(|parameters| of_command(known.name(), parameters, &types))
    });
    let action = Value::dict([
        ("description", Value::from("[name], [name, {arguments by name}] or [name, [arguments]]")),
        ("type", "array".into()),
        (
            "prefixItems",
            Value::List(vec![
                Value::dict([("enum", Value::List(names))]),
                Value::dict([(
                    "type",
                    Value::List(vec!["object".into(), "array".into(), "string".into()]),
                )]),
            ]),
        ),
        ("items", false.into()),
        ("minItems", 1_i64.into()),
        ("allOf", Value::List(payloads.collect())),
    ]);
    defs.insert("action".to_owned(), action);
    defs.insert(
        "actions".to_owned(),
        Value::dict([
            ("type", Value::from("array")),
            ("items", reference("action")),
            ("minItems", 1_i64.into()),
        ]),
    );
    defs.insert(
        "document".to_owned(),
        Value::dict([(
            "anyOf",
            Value::List(vec![
                reference("actions"),
                Value::dict([
                    ("type", Value::from("object")),
                    ("properties", Value::dict([("load_density", reference("actions"))])),
                    ("required", Value::List(vec!["load_density".into()])),
                ]),
            ]),
        )]),
    );
    Ok(Value::dict([
        ("$schema", Value::from("https://json-schema.org/draft/2020-12/schema")),
        ("$id", ID.into()),
        ("title", "LoadDensity action document".into()),
        ("$ref", "#/$defs/document".into()),
        ("$defs", optional_may_be_null(Value::Dict(defs))),
    ]))
}

/// What follows a command's name.
fn of_command(name: &str, parameters: &[Parameter], types: &Value) -> Value {
    let kind = |parameter: &Parameter| match member(types, parameter.name()) {
        Value::Str(def) => reference(&def),
        other => other,
    };
    let needed: Vec<&Parameter> = parameters.iter().filter(|known| known.is_required()).collect();
    let properties: Map =
        parameters.iter().map(|known| (known.name().to_owned(), kind(known))).collect();
    let by_name = Value::dict([
        ("properties", Value::Dict(properties)),
        ("required", Value::List(needed.iter().map(|known| known.name().into()).collect())),
        ("additionalProperties", false.into()),
    ]);
    let optional = |parameter: &Parameter| {
        if parameter.is_required() { kind(parameter) } else { or_null(kind(parameter)) }
    };
    let mut by_place = Value::dict([
        ("maxItems", Value::from(parameters.len() as u64)),
        ("minItems", (needed.len() as u64).into()),
    ]);
    if let (Value::Dict(members), false) = (&mut by_place, parameters.is_empty()) {
        let items = parameters.iter().map(optional).collect();
        members.insert("prefixItems".to_owned(), Value::List(items));
    }
    let payload = Value::dict([
        ("if", Value::dict([("type", Value::from("object"))])),
        ("then", by_name),
        ("else", by_place),
    ]);
    let least: i64 = if needed.is_empty() { 1 } else { 2 };
    let named = Value::List(vec![Value::dict([("const", Value::from(name))])]);
    Value::dict([
        ("if", Value::dict([("prefixItems", named)])),
        (
            "then",
            Value::dict([
                ("prefixItems", Value::List(vec![true.into(), payload])),
                ("minItems", least.into()),
            ]),
        ),
    ])
}

/// Members that need not be there may also be null, everywhere.
fn optional_may_be_null(schema: Value) -> Value {
    let members = match schema {
        Value::Dict(members) => members,
        Value::List(items) => {
            return Value::List(items.into_iter().map(optional_may_be_null).collect());
        }
        other => return other,
    };
    let needed: Vec<String> = match members.get("required") {
        Some(Value::List(names)) => names.iter().map(Value::to_text).collect(),
        _ => Vec::new(),
    };
    // What an `if` looks at must stay as sharp as it is written.
    let members = members.into_iter().map(|(key, value)| match (key.as_str(), value) {
        ("if", value) => (key, value),
        ("properties", Value::Dict(properties)) => {
            let properties = properties.into_iter().map(|(name, schema)| {
                let schema = optional_may_be_null(schema);
                let schema = if needed.contains(&name) { schema } else { or_null(schema) };
                (name, schema)
            });
            (key, Value::Dict(properties.collect()))
        }
        (_, value) => (key, optional_may_be_null(value)),
    });
    Value::Dict(members.collect())
}

fn or_null(schema: Value) -> Value {
    match schema {
        Value::Bool(true) => Value::Bool(true),
        schema => {
            let null = Value::dict([("type", Value::from("null"))]);
            Value::dict([("anyOf", Value::List(vec![schema, null]))])
        }
    }
}

fn reference(def: &str) -> Value {
    Value::dict([("$ref", Value::from(format!("#/$defs/{def}")))])
}

/// A member; `true`, the schema of everything, where it is missing.
fn member(value: &Value, key: &str) -> Value {
    value.get(key).cloned().unwrap_or(Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_of_every_command_has_a_type_and_no_type_is_left_over() {
        let types = Value::parse(TYPES).expect("JSON");
        let Value::Dict(typed) = member(&types, "parameters") else { panic!("an object") };
        let mut missing = Vec::new();
        let mut known = Vec::new();
        for declaration in registry::declarations() {
            for parameter in declaration.parameters().unwrap_or_default() {
                let place = (declaration.name().to_owned(), parameter.name().to_owned());
                if typed.get(&place.0).and_then(|parameters| parameters.get(&place.1)).is_none() {
                    missing.push(place.clone());
                }
                known.push(place);
            }
        }
        assert_eq!(missing, [], "add them to types.json");
        let left: Vec<_> = typed
            .iter()
            .flat_map(|(command, parameters)| match parameters {
                Value::Dict(members) => {
                    members.keys().map(|name| (command.clone(), name.clone())).collect()
                }
                _ => Vec::new(),
            })
            .filter(|place| !known.contains(place))
            .collect();
        assert_eq!(left, [], "take them out of types.json");
    }
}
