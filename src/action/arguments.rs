//! The arguments of a call: by position or by name, bound to the parameters that a command
//! declares, and returned as [`Reader`]s, so that a refusal names its place (`/rules/0/status`).

use std::borrow::Cow;

use crate::event::{Failure, FailureKind};
use crate::load::TestLimits;
use crate::value::field::nearest;
use crate::value::{Field, Invalid, Map, Reader, Value};

/// The arguments in a document.
#[derive(Debug)]
pub(crate) enum Call<'a> {
    /// `[name, [value, …]]`
    Positional(Cow<'a, [Value]>),
    /// `[name, {key: value, …}]`
    Keywords(&'a Map),
}

/// Arguments by parameter name.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    command: &'static str,
    fields: &'static [Field],
    given: Vec<(&'static str, Reader<'a>)>,
    limits: TestLimits,
}

impl<'a> Arguments<'a> {
    /// The command that they belong to.
    pub(crate) fn command(&self) -> &'static str {
        self.command
    }

    /// The limits of a test among them.
    pub(crate) fn limits(&self) -> TestLimits {
        self.limits
    }

    /// All of them as an object, by name.
    pub(crate) fn to_value(&self) -> Value {
        let members = self.given.iter();
        Value::Dict(
            members.map(|(name, reader)| ((*name).to_owned(), reader.value().clone())).collect(),
        )
    }

    /// Returns an argument, if it was given (`null` counts as given).
    pub(crate) fn optional(&self, name: &str) -> Option<Reader<'a>> {
        self.declared(name);
        self.given.iter().find(|(given, _)| *given == name).map(|(_, reader)| reader.clone())
    }

    /// Returns an argument, unless it is missing or `null`.
    pub(crate) fn present(&self, name: &str) -> Option<Reader<'a>> {
        self.optional(name).filter(|reader| !reader.is_null())
    }

    /// Returns an argument that is declared as required.
    pub(crate) fn required(&self, name: &str) -> Result<Reader<'a>, Invalid> {
        self.optional(name).ok_or_else(|| missing(name))
    }

    /// Parses an argument, unless it is missing or `null`.
    pub(crate) fn if_present<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Reader<'a>) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Invalid> {
        self.present(name).map(|reader| read(&reader)).transpose()
    }

    /// Parses an argument, or the default from its definition if it is missing or `null`.
    pub(crate) fn or_default<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Reader<'_>) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        match self.present(name) {
            Some(reader) => read(&reader),
            None => {
                let default = self.declared(name).and_then(|field| field.default);
                read(&at(name, &default.ok_or_else(|| missing(name))?.value()))
            }
        }
    }

    /// Returns an argument's definition. An argument without one would be missing in the schema:
    /// every test that reads it fails.
    fn declared(&self, name: &str) -> Option<&'static Field> {
        let field = self.fields.iter().find(|field| field.name == name);
        debug_assert!(field.is_some(), "the argument {name:?} is read and not declared");
        field
    }
}

fn missing(name: &str) -> Invalid {
    Invalid { pointer: String::new(), message: format!("the argument {name:?} is missing") }
}

/// Binds each argument to its parameter; refuses surplus, unknown and missing ones.
pub(super) fn bind<'a>(
    command: &'static str,
    fields: &'static [Field],
    call: &'a Call<'_>,
    limits: TestLimits,
) -> Result<Arguments<'a>, Failure> {
    let given: Vec<(&'static str, Reader<'a>)> = match call {
        Call::Positional(values) => {
            if values.len() > fields.len() {
                let message = format!(
                    "{command}() takes at most {} arguments ({}), got {}",
                    fields.len(),
                    names(fields),
                    values.len()
                );
                return Err(refusal(message));
            }
            let pairs = fields.iter().zip(values.iter());
            pairs.map(|(field, value)| (field.name, at(field.name, value))).collect()
        }
        Call::Keywords(members) => {
            let bound = members.iter().map(|(key, value)| {
                let known = fields.iter().find(|field| field.name == key);
                known.map(|field| (field.name, at(field.name, value))).ok_or_else(|| {
                    let takes = names(fields);
                    let meant = nearest(key, fields.iter().map(|field| field.name))
                        .map(|name| format!(" (did you mean {name:?}?)"))
                        .unwrap_or_default();
                    refusal(format!("{command}() has no argument {key:?}{meant}; it takes {takes}"))
                })
            });
            bound.collect::<Result<_, _>>()?
        }
    };
    let missing = fields
        .iter()
        .find(|field| field.is_required() && given.iter().all(|(name, _)| *name != field.name));
    if let Some(field) = missing {
        let message = format!("{command}() needs the argument {:?}", field.name);
        return Err(refusal(message));
    }
    Ok(Arguments { command, fields, given, limits })
}

fn at<'a>(name: &str, value: &'a Value) -> Reader<'a> {
    Reader::at(value, format!("/{name}"))
}

fn names(fields: &[Field]) -> String {
    if fields.is_empty() {
        return "none".to_owned();
    }
    fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")
}

fn refusal(message: String) -> Failure {
    Failure::new(FailureKind::InvalidArgument, message)
}
