//! The arguments of a call: by position or by name, bound to the parameters that a command
//! declares, and returned as [`Reader`]s, so that a refusal names its place (`/rules/0/status`).

use std::borrow::Cow;

use super::rules::{Engine, Rules};
use crate::event::{Failure, FailureKind};
use crate::load::TestLimits;
use crate::value::field::nearest;
use crate::value::{Awaited, Field, Invalid, Map, Reader, Value};

/// The arguments in a document.
#[derive(Debug)]
pub(crate) enum Call<'a> {
    /// `[name, [value, …]]`
    Positional(Cow<'a, [Value]>),
    /// `[name, {key: value, …}]`
    Keywords(&'a Map),
}

impl<'a> Call<'a> {
    /// Converts the payload of an action to arguments: an object to keywords, a list to positions, and
    /// a string to one position per character, as Python unpacks it.
    pub(super) fn of(command: &str, payload: Option<&'a Value>) -> Result<Self, Failure> {
        Ok(match payload {
            None => Self::Positional(Cow::Borrowed(&[])),
            Some(Value::Dict(keywords)) => Self::Keywords(keywords),
            Some(Value::List(arguments)) => Self::Positional(Cow::Borrowed(arguments)),
            Some(Value::Str(text)) => Self::Positional(Cow::Owned(
                text.chars().map(|character| Value::Str(character.into())).collect(),
            )),
            Some(other) => {
                let message = format!(
                    "{command}() takes its arguments as a list or an object, not {}",
                    other.kind()
                );
                return Err(refusal(message));
            }
        })
    }
}

/// Why a call is refused: the failure that it ends with, and for checks the place among its arguments,
/// and what is wrong there.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) failure: Failure,
    pub(super) place: Invalid,
}

impl Refused {
    /// An argument, or a part of one, is wrong.
    pub(super) fn argument(command: &str, place: Invalid) -> Self {
        Self { failure: refusal(format!("{command}: {place}")), place }
    }

    fn call(failure: String, pointer: String, message: String) -> Self {
        Self { failure: refusal(failure), place: Invalid { pointer, message } }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let place = Invalid { pointer: String::new(), message: failure.message.clone() };
        Self { failure, place }
    }
}

/// Arguments by parameter name.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    command: &'static str,
    fields: &'static [Field],
    given: Vec<(&'static str, Reader<'a>)>,
    rules: Rules,
}

impl<'a> Arguments<'a> {
    /// The arguments of another command that an argument holds as an object, for a test that runs here;
    /// `set` takes the place of those of the same name.
    pub(crate) fn within(
        command: &'static str,
        fields: &'static [Field],
        argument: &Reader<'a>,
        set: &'a [(&'static str, Value)],
        limits: TestLimits,
    ) -> Result<Self, Invalid> {
        let mut object = argument.fields(fields)?;
        let mut given: Vec<_> = fields
            .iter()
            .filter_map(|field| Some((field.name, object.optional(field.name)?)))
            .collect();
        object.finish()?;
        let is_set = |name: &str| set.iter().any(|(other, _)| *other == name);
        given.retain(|(name, _)| !is_set(name));
        given
            .extend(set.iter().map(|(name, value)| (*name, Reader::at(value, format!("/{name}")))));
        Ok(Self { command, fields, given, rules: limits.into() })
    }

    /// The command that they belong to.
    pub(crate) fn command(&self) -> &'static str {
        self.command
    }

    /// The limits of a test among them.
    pub(crate) fn limits(&self) -> TestLimits {
        self.rules.limits
    }

    /// What runs in the executor's Python, if there is one.
    pub(crate) fn python(&self) -> Option<Engine> {
        self.rules.python
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
                let value = default.ok_or_else(|| missing(name))?.value();
                read(&Reader::at(&value, format!("/{name}")))
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
    rules: Rules,
    awaited: &Awaited,
) -> Result<Arguments<'a>, Refused> {
    let at = |name: &str, value: &'a Value| Reader::awaiting(value, format!("/{name}"), awaited);
    let given: Vec<(&'static str, Reader<'a>)> = match call {
        Call::Positional(values) => {
            if values.len() > fields.len() {
                let (most, takes, got) = (fields.len(), names(fields), values.len());
                let message = format!("takes at most {most} arguments ({takes}), got {got}");
                let failure = format!("{command}() {message}");
                return Err(Refused::call(failure, String::new(), message));
            }
            let pairs = fields.iter().zip(values.iter());
            pairs.map(|(field, value)| (field.name, at(field.name, value))).collect()
        }
        Call::Keywords(members) => {
            let bound = members.iter().map(|(key, value)| {
                let known = fields.iter().find(|field| field.name == key);
                known.map(|field| (field.name, at(field.name, value))).ok_or_else(|| {
                    let takes = names(fields);
                    let meant = nearest(key, fields.iter().map(|field| field.name));
                    let hint = meant.map(|name| format!(" (did you mean {name:?}?)"));
                    let hint = hint.unwrap_or_default();
                    let failure =
                        format!("{command}() has no argument {key:?}{hint}; it takes {takes}");
                    let message = match meant {
                        Some(name) => format!("unknown argument; did you mean {name:?}?"),
                        None => format!("unknown argument; {command} takes {takes}"),
                    };
                    Refused::call(failure, pointer_of(key), message)
                })
            });
            bound.collect::<Result<_, _>>()?
        }
    };
    let missing = fields
        .iter()
        .find(|field| field.is_required() && given.iter().all(|(name, _)| *name != field.name));
    if let Some(field) = missing {
        let failure = format!("{command}() needs the argument {:?}", field.name);
        return Err(Refused::call(failure, String::new(), format!("missing {:?}", field.name)));
    }
    Ok(Arguments { command, fields, given, rules })
}

/// A key as a JSON pointer.
fn pointer_of(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
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
