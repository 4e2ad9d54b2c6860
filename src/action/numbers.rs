//! Numbers that a document leaves to variables: `"user_count": "${env.USERS}"`. An action that has some
//! is read twice: with the document, each of them as 1, to find every other mistake, and when it
//! starts, with their values.

use std::rc::Rc;

use super::arguments::{Call, Refused};
use super::command::{Command, Declaration, test_of};
use super::context::Context;
use super::rules::Rules;
use crate::event::{Failure, FailureKind};
use crate::load::template::{Reference, Space, not_set, references};
use crate::redact::{self, REDACTED};
use crate::value::{Awaited, Path, Value};

/// A longer value is cut in messages, in characters.
const SHOWN: usize = 40;

/// Parses the arguments of an action.
pub(super) fn plan(
    declaration: &'static Declaration,
    payload: Option<&Value>,
    rules: Rules,
) -> Result<Box<dyn Command>, Refused> {
    let awaited = Awaited::default();
    let planned = declaration.read(&Call::of(declaration.name(), payload)?, rules, &awaited);
    let (Some(payload), false) = (payload, awaited.borrow().is_empty()) else { return planned };
    match planned {
        // How a number and its neighbours agree is known with its value.
        Err(refused) if !surrounds(&refused.place.pointer, &awaited.borrow()) => Err(refused),
        _ => {
            let payload = payload.clone();
            let numbers = distinct(Rc::unwrap_or_clone(awaited).into_inner());
            Ok(Box::new(Awaiting { declaration, payload, numbers, rules }))
        }
    }
}

/// The places of numbers that variables give, and the placeholders there. Whatever else is wrong with
/// the arguments.
pub(super) fn awaited(
    declaration: &'static Declaration,
    payload: &Value,
    rules: Rules,
) -> Vec<(Path, String)> {
    let awaited = Awaited::default();
    if let Ok(call) = Call::of(declaration.name(), Some(payload)) {
        let _ = declaration.read(&call, rules, &awaited);
    }
    let pointers = distinct(awaited.take());
    let placed = pointers.iter().map(|pointer| declaration.path(pointer, payload));
    let written = placed.filter_map(|path| {
        let text = path.of(payload)?.as_str()?.trim().to_owned();
        Some((path, text))
    });
    written.collect()
}

/// A reader may look at a number more than once.
fn distinct(mut pointers: Vec<String>) -> Vec<String> {
    pointers.sort_unstable();
    pointers.dedup();
    pointers
}

/// Whether a place lies around one of these, or is one.
pub(super) fn surrounds(place: &str, inner: &[String]) -> bool {
    inner.iter().any(|inner| {
        inner.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }) && !place.is_empty()
}

/// An action with numbers that variables give.
#[derive(Debug)]
struct Awaiting {
    declaration: &'static Declaration,
    payload: Value,
    /// Their places.
    numbers: Vec<String>,
    rules: Rules,
}

impl Command for Awaiting {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { declaration, mut payload, numbers, rules } = *self;
        let command = declaration.name();
        let mut placeholders = Vec::with_capacity(numbers.len());
        for pointer in numbers {
            let path = declaration.path(&pointer, &payload);
            let written = path.of(&payload).and_then(Value::as_str).unwrap_or_default();
            let written = written.trim().to_owned();
            let number = number(&written, own_variables(command, &payload), context);
            let number = number.map_err(|why| {
                let message = format!("{command}: {pointer}: {why}");
                Failure::new(FailureKind::InvalidArgument, message)
            })?;
            if let Some(place) = path.of_mut(&mut payload) {
                *place = number;
            }
            placeholders.push((pointer, written));
        }
        let call = Call::of(command, Some(&payload))?;
        let planned = declaration.read(&call, rules, &Awaited::default());
        let planned = planned.map_err(|refused| {
            let mut failure = refused.failure;
            let at = |(pointer, _): &&(String, String)| *pointer == refused.place.pointer;
            if let Some((_, written)) = placeholders.iter().find(at) {
                failure.message.push_str(&format!(" from {written}"));
            }
            failure
        })?;
        planned.run(context)
    }
}

/// The variables that a test itself brings.
pub(super) fn own_variables<'a>(command: &str, payload: &'a Value) -> Option<&'a Value> {
    test_of(command, payload)?.get("variables")
}

/// The number that a placeholder stands for now; the error says why there is none.
fn number(written: &str, own: Option<&Value>, context: &Context<'_>) -> Result<Value, String> {
    let Some((_, reference)) = references(written).next() else {
        return Err(format!("{written} is no placeholder"));
    };
    let (name, text) = match reference {
        Reference::Environment(name) => {
            (name, context.policy().env(name).ok_or_else(|| not_set(name))?)
        }
        Reference::Variable(Space::Var, name) => {
            let own = own.and_then(|own| own.get(name)).map(Value::to_text);
            let value = own.or_else(|| context.resolver_snapshot().variable(name));
            (name, value.ok_or_else(|| format!("the variable {name:?} is not registered"))?)
        }
        _ => {
            return Err(format!(
                "{written} has no value when the action starts; a number may come from \
                 ${{env.NAME}} or ${{var.NAME}}"
            ));
        }
    };
    match Value::parse(text.trim()) {
        Ok(number @ (Value::Int(_) | Value::Big(_) | Value::Float(_))) => Ok(number),
        _ => Err(format!("{written} is {}, which is no number", shown(name, &text))),
    }
}

/// A value in a message.
pub(super) fn shown(name: &str, text: &str) -> String {
    if redact::names_secret(name) {
        return REDACTED.to_owned();
    }
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{:?}", cut + more)
}
