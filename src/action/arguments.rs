//! The arguments of a call: given by position or by name, bound to the parameters that a command
//! declares, and handed out as [`Reader`]s, so that a refusal names its place (`/rules/0/status`).

use std::borrow::Cow;

use crate::event::{Failure, FailureKind};
use crate::load::TestLimits;
use crate::value::{Invalid, Map, Reader, Value};

/// Arguments as a document gives them.
#[derive(Debug)]
pub(crate) enum Call<'a> {
    /// `[name, [value, …]]`
    Positional(Cow<'a, [Value]>),
    /// `[name, {key: value, …}]`
    Keywords(&'a Map),
}

/// A parameter that a command declares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    name: &'static str,
    required: bool,
}

impl Parameter {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn is_required(&self) -> bool {
        self.required
    }
}

/// A parameter that must be given.
pub(crate) const fn required(name: &'static str) -> Parameter {
    Parameter { name, required: true }
}

/// A parameter that may be left out.
pub(crate) const fn optional(name: &'static str) -> Parameter {
    Parameter { name, required: false }
}

/// Arguments by their parameters' names.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    given: Vec<(&'static str, Reader<'a>)>,
    limits: TestLimits,
}

impl<'a> Arguments<'a> {
    /// What a test that they ask for may ask for.
    pub(crate) fn limits(&self) -> TestLimits {
        self.limits
    }

    /// All of them as an object, by their names.
    pub(crate) fn to_value(&self) -> Value {
        let members = self.given.iter();
        Value::Dict(
            members.map(|(name, reader)| ((*name).to_owned(), reader.value().clone())).collect(),
        )
    }

    /// An argument, if it was given (`null` counts as given).
    pub(crate) fn optional(&self, name: &str) -> Option<Reader<'a>> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, reader)| reader.clone())
    }

    /// An argument, unless it was left out or is `null`.
    pub(crate) fn present(&self, name: &str) -> Option<Reader<'a>> {
        self.optional(name).filter(|reader| !reader.is_null())
    }

    /// An argument that was declared as required.
    pub(crate) fn required(&self, name: &str) -> Result<Reader<'a>, Invalid> {
        self.optional(name).ok_or_else(|| Invalid {
            pointer: String::new(),
            message: format!("the argument {name:?} is missing"),
        })
    }
}

/// Gives each argument its parameter; refuses surplus, unknown and missing ones.
pub(super) fn bind<'a>(
    command: &str,
    parameters: &'static [Parameter],
    call: &'a Call<'_>,
    limits: TestLimits,
) -> Result<Arguments<'a>, Failure> {
    let given: Vec<(&'static str, Reader<'a>)> = match call {
        Call::Positional(values) => {
            if values.len() > parameters.len() {
                let message = format!(
                    "{command}() takes at most {} arguments ({}), got {}",
                    parameters.len(),
                    names(parameters),
                    values.len()
                );
                return Err(refusal(message));
            }
            let pairs = parameters.iter().zip(values.iter());
            pairs.map(|(parameter, value)| (parameter.name, at(parameter.name, value))).collect()
        }
        Call::Keywords(members) => {
            let bound = members.iter().map(|(key, value)| {
                let known = parameters.iter().find(|parameter| parameter.name == key);
                known.map(|parameter| (parameter.name, at(parameter.name, value))).ok_or_else(
                    || {
                        let takes = names(parameters);
                        refusal(format!("{command}() has no argument {key:?}; it takes {takes}"))
                    },
                )
            });
            bound.collect::<Result<_, _>>()?
        }
    };
    let missing = parameters.iter().find(|parameter| {
        parameter.required && given.iter().all(|(name, _)| *name != parameter.name)
    });
    if let Some(parameter) = missing {
        let message = format!("{command}() needs the argument {:?}", parameter.name);
        return Err(refusal(message));
    }
    Ok(Arguments { given, limits })
}

fn at<'a>(name: &str, value: &'a Value) -> Reader<'a> {
    Reader::at(value, format!("/{name}"))
}

fn names(parameters: &[Parameter]) -> String {
    if parameters.is_empty() {
        return "none".to_owned();
    }
    parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>().join(", ")
}

fn refusal(message: String) -> Failure {
    Failure::new(FailureKind::InvalidArgument, message)
}
