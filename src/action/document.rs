//! From a value to typed commands. Every action is parsed before the first one runs; an invalid one
//! keeps its failure, which is reported at its place, because one wrong action does not stop a
//! list. The order of the checks is the reference's and visible in its replies: the name, then the
//! number of elements, then the payload, then the arguments.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::command::{Command, is_test};
use super::delegated::{self, Delegated};
use super::listed::KEY;
use super::loaddensity;
use super::numbers;
use super::registry;
use super::rules::Rules;
use crate::event::{Failure, FailureKind};
use crate::redact;
use crate::value::Value;

/// A list of actions, ready to run.
#[derive(Debug)]
pub struct Document {
    actions: Vec<Action>,
    /// Its first action that is a load test or holds one.
    test: Option<usize>,
}

/// Why a value is not a document, in the reference's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("executor received invalid data: list is empty or wrong type")]
pub struct InvalidDocument;

impl From<InvalidDocument> for Failure {
    fn from(invalid: InvalidDocument) -> Self {
        Self::new(FailureKind::InvalidAction, invalid.to_string())
    }
}

impl Document {
    /// Parses a document: a non-empty list of actions, or an object with that list under
    /// `load_density`. Its tests must meet the default limits.
    pub fn parse(value: Value) -> Result<Self, InvalidDocument> {
        Self::within(&value, Rules::default())
    }

    /// [`Document::parse`] with other rules. An action that exceeds a limit keeps its refusal, like
    /// any other invalid one.
    pub fn within(value: &Value, rules: impl Into<Rules>) -> Result<Self, InvalidDocument> {
        Self::within_while(value, rules.into(), || None)
    }

    /// [`Document::within`], unless `late` has a reason to give up between two actions.
    pub(super) fn within_while<E: From<InvalidDocument>>(
        value: &Value,
        rules: Rules,
        late: impl Fn() -> Option<E>,
    ) -> Result<Self, E> {
        let list = match value {
            Value::Dict(members) => members.get(KEY).ok_or(InvalidDocument)?,
            other => other,
        };
        let Value::List(list) = list else { return Err(InvalidDocument.into()) };
        if list.is_empty() {
            return Err(InvalidDocument.into());
        }
        let mut actions = Vec::with_capacity(list.len());
        for action in list {
            if let Some(reason) = late() {
                return Err(reason);
            }
            actions.push(Action::read(action, rules));
        }
        Ok(Self { actions, test: list.iter().position(holds_test) })
    }

    /// The number of actions.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether it holds no actions; never true for a parsed document.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Whether one of the actions is a load test, also in a document inside it.
    pub(super) fn has_test(&self) -> bool {
        self.test.is_some()
    }

    /// The first action that is a load test or holds one, and its index.
    pub(super) fn test(&self) -> Option<(usize, &Action)> {
        self.test.and_then(|index| Some((index, self.actions.get(index)?)))
    }

    pub(super) fn into_actions(self) -> impl Iterator<Item = Action> {
        self.actions.into_iter()
    }
}

/// Whether an action is a load test or holds one.
fn holds_test(value: &Value) -> bool {
    let Value::List(elements) = value else { return false };
    elements.first().and_then(Value::as_str).is_some_and(is_test) || elements.iter().any(holds_test)
}

/// One action: its text, and the command or why there is none.
#[derive(Debug)]
pub(super) struct Action {
    text: String,
    command: String,
    planned: Result<Box<dyn Command>, Failure>,
}

impl Action {
    fn read(action: &Value, rules: Rules) -> Self {
        let planned = contained(|| plan(action, rules));
        let command = match action {
            Value::List(elements) => elements.first().and_then(Value::as_str),
            _ => None,
        };
        Self {
            text: action.to_text(),
            command: redact::text(command.unwrap_or_default()).into_owned(),
            planned,
        }
    }

    /// The action as Python's `str()` writes it; actions with equal text share a line in the text
    /// dialect.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its command's name; empty if it has none.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    pub(super) fn into_planned(self) -> Result<Box<dyn Command>, Failure> {
        self.planned
    }
}

fn plan(action: &Value, rules: Rules) -> Result<Box<dyn Command>, Failure> {
    let invalid = || {
        let message = format!("executor received invalid data {}", action.to_text());
        Failure::new(FailureKind::InvalidAction, message)
    };
    let (name, payload, surplus) = match action {
        Value::List(elements) => match elements.as_slice() {
            [] => return Err(malformed("an action is empty: write [name] or [name, arguments]")),
            [name] => (name, None, false),
            [name, payload] => (name, Some(payload), false),
            [name, ..] => (name, None, true),
        },
        Value::Str(text) if text.is_empty() => {
            return Err(malformed("an action is an empty string: write [name]"));
        }
        // A string has a first character, and no command's name has only one character.
        Value::Str(_) => return Err(invalid()),
        other => {
            let message = format!("an action is a list, [name, arguments], not {}", other.kind());
            return Err(Failure::new(FailureKind::InvalidArgument, message));
        }
    };
    if matches!(name, Value::List(_) | Value::Dict(_)) {
        let message = format!("the name of a command is a string, not {}", name.kind());
        return Err(Failure::new(FailureKind::InvalidArgument, message));
    }
    let name = name.as_str().ok_or_else(invalid)?;
    let declaration = registry::find(name);
    if surplus || declaration.is_none() && !loaddensity::is_command(name) {
        return Err(invalid());
    }
    let Some(declaration) = declaration else { return delegate(name, payload, rules) };
    numbers::plan(declaration, payload, rules).map_err(|refused| refused.failure)
}

/// A command of LoadDensity that is not native here.
fn delegate(
    name: &str,
    payload: Option<&Value>,
    rules: Rules,
) -> Result<Box<dyn Command>, Failure> {
    match (loaddensity::refused(name), rules.python) {
        (Some(why), _) => Err(delegated::refused(name, why)),
        (None, None) => Err(delegated::needs_executor(name)),
        (None, Some(_)) => Ok(Box::new(Delegated::new(name, payload))),
    }
}

fn malformed(message: &str) -> Failure {
    Failure::new(FailureKind::Malformed, message)
}

/// The prefix of a failure caused by a bug in ldctl.
const FAULT: &str = "a bug in ldctl, please report it: ";

/// Whether a failure is a panic that [`contained`] caught.
pub(super) fn is_fault(failure: &Failure) -> bool {
    failure.kind == FailureKind::Internal && failure.message.starts_with(FAULT)
}

/// Runs a part of a document so that a bug in ldctl fails one action and nothing else.
pub(super) fn contained<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = format!("{FAULT}{}", panic_text(&*panic));
        Err(Failure::new(FailureKind::Internal, message))
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
