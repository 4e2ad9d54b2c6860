//! The JSON Schema (2020-12) of documents, for editors and CI: printed from the definitions of
//! commands and tasks, so that it is always complete. Only the structure of actions, documents and
//! the list of tasks is added here.

use super::command::Declaration;
use super::reference::protocols;
use super::registry;
use crate::load::scenario::{FORM, STEP};
use crate::protocol::UserKind;
use crate::value::field::{Relation, Required};
use crate::value::{Field, Kind, Literal, Map, Value};

/// Its identifier. A URN, because it is not published at a URL.
const ID: &str = "urn:ldctl:schema:actions:1";

/// The schema.
pub fn schema() -> Value {
    let mut printer = Printer::default();
    printer.frame();
    object([
        ("$schema", "https://json-schema.org/draft/2020-12/schema".into()),
        ("$id", ID.into()),
        ("title", "LoadDensity action document".into()),
        ("$ref", "#/$defs/document".into()),
        ("$defs", Value::Dict(printer.defs)),
    ])
}

/// Prints schemas, and keeps the parts that have names.
#[derive(Debug, Default)]
struct Printer {
    defs: Map,
}

impl Printer {
    /// Adds the definitions of actions and documents.
    fn frame(&mut self) {
        let names = registry::declarations().map(|known| {
            let text = text(known.doc(), known.manual().text);
            object([("const", Value::from(known.name())), ("description", text.into())])
        });
        let names = names.collect();
        let commands = registry::declarations().map(|known| {
            let payload = known.parameters().map(|fields| self.payload(fields));
            command(known, payload)
        });
        let commands = commands.collect();
        let action = object([
            ("description", "[name], [name, {arguments by name}] or [name, [arguments]]".into()),
            ("type", "array".into()),
            (
                "prefixItems",
                Value::List(vec![
                    object([
                        ("title", "Command".into()),
                        ("description", "What the action does.".into()),
                        ("anyOf", Value::List(names)),
                    ]),
                    types(&["object", "array", "string"]),
                ]),
            ),
            ("items", false.into()),
            ("minItems", 1_i64.into()),
            ("allOf", Value::List(commands)),
        ]);
        let actions = object([
            ("title", "Actions".into()),
            ("description", "The actions, which run one after the other.".into()),
            ("type", "array".into()),
            ("items", reference("action")),
            ("minItems", 1_i64.into()),
        ]);
        let wrapped = object([
            ("title", "Document".into()),
            (
                "description",
                "An object with the list of actions; other members are ignored.".into(),
            ),
            ("type", "object".into()),
            (
                "properties",
                object([
                    (
                        "$schema",
                        object([
                            ("title", "Schema".into()),
                            (
                                "description",
                                "The path or URL of this schema, for editors. Ignored.".into(),
                            ),
                            ("type", "string".into()),
                        ]),
                    ),
                    ("load_density", reference("actions")),
                ]),
            ),
            ("required", Value::List(vec!["load_density".into()])),
        ]);
        let document = any_of(vec![reference("actions"), wrapped]);
        for (name, schema) in [("action", action), ("actions", actions), ("document", document)] {
            self.defs.insert(name.to_owned(), schema);
        }
    }

    /// The schema of what follows a command's name: its arguments by name or by position.
    fn payload(&mut self, fields: &[Field]) -> (Value, bool) {
        let needed = fields.iter().filter(|field| field.is_required()).count();
        let mut by_place = vec![
            ("maxItems", Value::from(fields.len() as u64)),
            ("minItems", (needed as u64).into()),
        ];
        if !fields.is_empty() {
            let items = fields.iter().map(|field| self.field(field)).collect();
            by_place.push(("prefixItems", Value::List(items)));
        }
        let payload = object([
            ("if", types(&["object"])),
            ("then", self.members(&[fields], true)),
            ("else", object(by_place)),
        ]);
        (payload, needed > 0)
    }

    /// The schema of one field, with its description.
    fn field(&mut self, field: &Field) -> Value {
        let mut schema = match self.kind(&field.kind) {
            Value::Dict(members) => members,
            _ => Map::new(),
        };
        let may_be_null = matches!(field.kind, Kind::Any | Kind::Scalar);
        if !field.is_required() && !may_be_null && !field.strict {
            let null = types(&["null"]);
            schema = Map::from([("anyOf".to_owned(), vec![Value::Dict(schema), null].into())]);
        }
        let mut text = text(field.doc, field.note);
        if let Some(unit) = field.measured_in() {
            text.push_str(&format!(" Unit: {unit}."));
        }
        if !field.fallback.is_empty() {
            text.push_str(&format!(" Default: {}.", field.fallback));
        }
        let mut described = Map::from([
            ("title".to_owned(), title(field).into()),
            ("description".to_owned(), text.into()),
        ]);
        if let Some(default) = field.default {
            described.insert("default".to_owned(), default.value());
        }
        described.extend(examples(field.example).map(|(key, value)| (key.to_owned(), value)));
        described.extend(schema);
        Value::Dict(described)
    }

    /// The schemas of an object's members.
    fn members(&mut self, tables: &[&[Field]], closed: bool) -> Value {
        let fields: Vec<&Field> = tables.iter().copied().flatten().collect();
        let mut properties = Map::new();
        let mut conditions = Vec::new();
        for field in &fields {
            let schema = self.field(field);
            if let Some(alias) = field.alias {
                let doc = format!("The same as {}.", field.name);
                let mut other = schema.clone();
                if let Value::Dict(members) = &mut other {
                    members.insert("description".to_owned(), doc.into());
                }
                properties.insert(field.name.to_owned(), schema);
                properties.insert(alias.to_owned(), other);
            } else {
                properties.insert(field.name.to_owned(), schema);
            }
            if matches!(field.kind, Kind::Tasks) {
                conditions.push(required([field.name]));
                conditions.extend(self.tasks_of_users(field.name));
            }
            conditions.extend(field.relation.map(|relation| related(field.name, relation)));
            match field.required {
                Required::Always if field.alias.is_some() => {
                    conditions.push(any_of(field.keys().map(|key| required([key])).collect()));
                }
                Required::Always | Required::Never => {}
                Required::When(other, value) => {
                    conditions.push(when(&fields, other, value, field.name));
                }
            }
        }
        let needed: Vec<&str> = fields
            .iter()
            .filter(|field| field.is_required() && field.alias.is_none())
            .map(|field| field.name)
            .collect();
        let mut schema = Map::from([("properties".to_owned(), Value::Dict(properties))]);
        if let Value::Dict(needed) = required(needed) {
            schema.extend(needed);
        }
        if !conditions.is_empty() {
            schema.insert("allOf".to_owned(), Value::List(conditions));
        }
        if closed {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
        Value::Dict(schema)
    }

    fn object(&mut self, tables: &[&[Field]], closed: bool) -> Value {
        let Value::Dict(members) = self.members(tables, closed) else { return Value::Null };
        let mut schema = Map::from([("type".to_owned(), "object".into())]);
        schema.extend(members);
        Value::Dict(schema)
    }

    /// The schema of a kind of value.
    fn kind(&mut self, kind: &Kind) -> Value {
        let whole = |least: i64, most: i64| {
            let mut members = vec![("type", Value::from("integer")), ("minimum", least.into())];
            if most < i64::MAX {
                members.push(("maximum", most.into()));
            }
            object(members)
        };
        let number = |bound| object([("type", "number".into()), (bound, 0_i64.into())]);
        let text = |key, value: Value| object([("type", "string".into()), (key, value)]);
        match kind {
            Kind::Any => true.into(),
            Kind::Text => types(&["string"]),
            Kind::Name => text("minLength", 1_i64.into()),
            Kind::Matching(pattern) => text("pattern", (*pattern).into()),
            Kind::Path => self.named("path", |_| {
                described("A file in the data directory", text("minLength", 1_i64.into()))
            }),
            Kind::Stem => self.named("stem", |_| {
                let doc = "A file in the data directory, without its extension";
                described(doc, text("minLength", 1_i64.into()))
            }),
            Kind::Boolean => types(&["boolean"]),
            Kind::Scalar => types(&["string", "number", "boolean", "null"]),
            Kind::Integer => self.or_variable(types(&["integer"])),
            Kind::Count => self.or_variable(whole(0, i64::MAX)),
            Kind::Between(least, most) => self.or_variable(whole(*least, *most)),
            Kind::Port => whole(0, 65_535),
            Kind::Real => self.or_variable(types(&["number"])),
            Kind::Number | Kind::Seconds | Kind::Milliseconds => {
                self.or_variable(number("minimum"))
            }
            Kind::Timeout | Kind::Rate => self.or_variable(number("exclusiveMinimum")),
            Kind::Exactly(literal) => object([("const", literal.value())]),
            Kind::OneOf(texts) => object([(
                "enum",
                texts.iter().map(|text| (*text).into()).collect::<Vec<_>>().into(),
            )]),
            Kind::List(of) => object([("type", "array".into()), ("items", self.kind(of))]),
            Kind::Items { of, least, most } => {
                let mut members = vec![
                    ("type", Value::from("array")),
                    ("items", self.kind(of)),
                    ("minItems", (*least as u64).into()),
                ];
                members.extend(most.map(|most| ("maxItems", (most as u64).into())));
                object(members)
            }
            // Other members are mistakes, whether they are refused or advised against.
            Kind::Object(tables) | Kind::Advised(tables) => self.object(tables, true),
            Kind::Open(tables) => self.object(tables, false),
            Kind::OneField(table) => {
                let Value::Dict(mut schema) = self.object(&[table], true) else {
                    return Value::Null;
                };
                schema.insert("minProperties".to_owned(), 1_i64.into());
                schema.insert("maxProperties".to_owned(), 1_i64.into());
                Value::Dict(schema)
            }
            Kind::Map { keys, of } => {
                let mut members = vec![("type", Value::from("object"))];
                if let Some(pattern) = keys {
                    members.push(("propertyNames", object([("pattern", (*pattern).into())])));
                }
                if !matches!(of, Kind::Any) {
                    members.push(("additionalProperties", self.kind(of)));
                }
                object(members)
            }
            Kind::Either(kinds) => any_of(kinds.iter().map(|kind| self.kind(kind)).collect()),
            Kind::Named(name, kind) => self.named(name, |printer| printer.kind(kind)),
            Kind::Document => reference("document"),
            Kind::Tasks => self.named("tasks", Self::tasks),
        }
    }

    /// A number, or the placeholder of a variable that gives it when the action starts.
    fn or_variable(&mut self, number: Value) -> Value {
        let variable = self.named("numberFromVariable", |_| {
            let doc = "A variable that gives the number when the action starts: ${env.NAME} or \
                       ${var.NAME}";
            let pattern = "^\\s*\\$\\{\\s*(env\\.|var\\.)?[^}.()]+\\}\\s*$";
            described(doc, object([("type", "string".into()), ("pattern", pattern.into())]))
        });
        any_of(vec![number, variable])
    }

    /// The schema of a test's tasks, for any kind of user.
    fn tasks(&mut self) -> Value {
        any_of(protocols().iter().map(|users| self.tasks_of(users)).collect())
    }

    /// The schemas of the member `tasks`, which depend on the kind of user.
    fn tasks_of_users(&mut self, tasks: &str) -> Vec<Value> {
        let of_users = |(at, users): (usize, &Vec<&'static UserKind>)| {
            let names = users.iter().map(|user| user.name.into()).collect();
            let user = object([("user", object([("enum", Value::List(names))]))]);
            let mut detail = vec![("properties", user)];
            // The first kind applies to tests that name none.
            if at > 0 {
                detail.push(("required", Value::List(vec!["user".into()])));
            }
            let is = [("properties", object([("user_detail_dict", object(detail))]))];
            let then = object([(tasks, self.tasks_of(users))]);
            object([("if", object(is)), ("then", object([("properties", then)]))])
        };
        protocols().iter().enumerate().map(of_users).collect()
    }

    /// The schema of the tasks of one protocol's users, in their three forms. A task has the
    /// engine's fields and those of the protocol.
    fn tasks_of(&mut self, users: &[&'static UserKind]) -> Value {
        let Some(user) = users.first() else { return true.into() };
        let part = |name: &str| format!("{}_{name}", user.name.trim_end_matches("_user"));
        let name = part("tasks");
        self.named(&name, |printer| {
            let tables: Vec<&[Field]> = user.fields.iter().copied().chain([STEP]).collect();
            let task = printer.object(&tables, true);
            let list = object([
                ("type", "array".into()),
                ("items", reference(&part("task"))),
                ("minItems", 1_i64.into()),
            ]);
            let mut forms = vec![reference(&part("taskList"))];
            // A required method may also be the task's key.
            let method = tables.iter().copied().flatten().find(|field| field.name == "method");
            if let Some(method) = method.filter(|method| method.is_required()) {
                let by_method = object([
                    ("type", "object".into()),
                    ("propertyNames", printer.kind(&method.kind)),
                    ("additionalProperties", without_method(task.clone())),
                    ("minProperties", 1_i64.into()),
                ]);
                printer.defs.insert(part("tasksByMethod"), by_method);
                forms.push(reference(&part("tasksByMethod")));
            }
            printer.defs.insert(part("task"), task);
            printer.defs.insert(part("taskList"), list);
            let mut form = printer.object(&[FORM], true);
            if let Value::Dict(members) = &mut form
                && let Some(Value::Dict(properties)) = members.get_mut("properties")
            {
                for name in ["on_start", "tasks"] {
                    if let Some(Value::Dict(tasks)) = properties.get_mut(name) {
                        let mut forms = forms.clone();
                        if name == "on_start" {
                            forms.push(types(&["null"]));
                        }
                        tasks.insert("anyOf".to_owned(), Value::List(forms));
                    }
                }
            }
            forms.insert(1, form);
            any_of(forms)
        })
    }

    /// A reference to a definition, which is printed once.
    fn named(&mut self, name: &str, print: impl FnOnce(&mut Self) -> Value) -> Value {
        if !self.defs.contains_key(name) {
            // Its parts are printed first; this reserves its place.
            self.defs.insert(name.to_owned(), Value::Null);
            let schema = print(self);
            self.defs.insert(name.to_owned(), schema);
        }
        reference(name)
    }
}

/// The part of the schema for one command: its arguments, and whether they are required.
fn command(known: &Declaration, payload: Option<(Value, bool)>) -> Value {
    let manual = known.manual();
    let named = Value::List(vec![object([("const", known.name().into())])]);
    let described = format!("{}\n\nReturns: {}", text(known.doc(), manual.text), manual.returns);
    let mut then = vec![("title", Value::from(known.name())), ("description", described.into())];
    then.extend(examples(manual.example));
    if let Some((payload, needed)) = payload {
        then.push(("prefixItems", Value::List(vec![true.into(), payload])));
        then.push(("minItems", if needed { 2_i64 } else { 1 }.into()));
    }
    object([("if", object([("prefixItems", named)])), ("then", object(then))])
}

/// A sentence and what follows it.
fn text(sentence: &str, more: &str) -> String {
    [sentence, more].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// A title in words: `Test time (seconds)`.
fn title(field: &Field) -> String {
    let words = field.name.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let unit = field.measured_in().map(|unit| format!(" ({unit})")).unwrap_or_default();
    format!("{}{}{unit}", first.collect::<String>(), letters.as_str())
}

/// The member `examples` of a schema, if there is an example.
fn examples(json: &str) -> Option<(&'static str, Value)> {
    let example = Value::parse(json).ok()?;
    Some(("examples", Value::List(vec![example])))
}

/// Requires a field if another field has a value. A missing field has its default.
fn when(fields: &[&Field], other: &str, value: &str, needed: &str) -> Value {
    let default = fields.iter().find(|field| field.name == other).and_then(|field| field.default);
    let is_default = default.map(Literal::value) == Some(value.into());
    // `null` is the same as missing.
    let null = is_default.then_some(Value::Null);
    let values = [value.into()].into_iter().chain(null).collect();
    let is = object([(other, object([("enum", Value::List(values))]))]);
    let mut condition = vec![("properties", is)];
    if !is_default {
        condition.push(("required", Value::List(vec![other.into()])));
    }
    object([("if", object(condition)), ("then", present(needed))])
}

/// That a field is there and not `null`.
fn present(name: &str) -> Value {
    let null = object([("not", types(&["null"]))]);
    object([("properties", object([(name, null)])), ("required", Value::List(vec![name.into()]))])
}

/// The condition that a field makes about another one.
fn related(name: &str, relation: Relation) -> Value {
    let then = match relation {
        Relation::Needs(other) => present(other),
        Relation::Excludes(other) => object([("not", present(other))]),
    };
    object([("if", present(name)), ("then", then)])
}

/// The schema of a task whose method is its key.
fn without_method(mut task: Value) -> Value {
    if let Value::Dict(members) = &mut task
        && let Some(Value::List(needed)) = members.get_mut("required")
    {
        needed.retain(|name| name.as_str() != Some("method"));
    }
    task
}

fn required<'a>(names: impl IntoIterator<Item = &'a str>) -> Value {
    let names: Vec<Value> = names.into_iter().map(Value::from).collect();
    if names.is_empty() { object([]) } else { object([("required", names.into())]) }
}

fn types(names: &[&str]) -> Value {
    let names: Vec<Value> = names.iter().map(|name| (*name).into()).collect();
    match <[Value; 1]>::try_from(names) {
        Ok([only]) => object([("type", only)]),
        Err(several) => object([("type", several.into())]),
    }
}

fn any_of(mut schemas: Vec<Value>) -> Value {
    match schemas.len() {
        1 => schemas.remove(0),
        _ => object([("anyOf", schemas.into())]),
    }
}

fn described(doc: &str, schema: Value) -> Value {
    let mut members = Map::from([("description".to_owned(), doc.into())]);
    if let Value::Dict(schema) = schema {
        members.extend(schema);
    }
    Value::Dict(members)
}

fn reference(def: &str) -> Value {
    object([("$ref", format!("#/$defs/{def}").into())])
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Dict(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
