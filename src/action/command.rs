//! A command: its declaration, which holds its name and how its arguments are parsed, and the
//! parsed command, which runs.

use std::fmt::Debug;

use super::arguments::{Arguments, Call, Refused, bind};
use super::context::Context;
use super::rules::Rules;
use crate::event::Failure;
use crate::value::{Awaited, Field, Invalid, Path, Step, Value};

/// The command that runs a load test.
pub(crate) const START_TEST: &str = "LD_start_test";

/// The command that searches for the largest load.
pub(crate) const FIND_BREAKING_POINT: &str = "LD_find_breaking_point";

/// Whether a command runs load tests.
pub(crate) fn is_test(command: &str) -> bool {
    [START_TEST, FIND_BREAKING_POINT].contains(&command)
}

/// The arguments of the test that a command runs, if it runs one.
pub(crate) fn test_of<'a>(command: &str, payload: &'a Value) -> Option<&'a Value> {
    match command {
        START_TEST => Some(payload),
        FIND_BREAKING_POINT => payload.get("test"),
        _ => None,
    }
}

/// A command with parsed arguments, ready to run.
pub(crate) trait Command: Debug + Send + Sync {
    /// Runs it.
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure>;
}

/// The result of parsing the arguments.
pub(crate) type Parsed = Result<Box<dyn Command>, Invalid>;

/// The definition of a command, complete: the schema, the refusals and the tests that cover all
/// commands are derived from it.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    name: &'static str,
    doc: &'static str,
    manual: Manual,
    form: Form,
}

/// What people read about a command beyond its sentence and its parameters.
#[derive(Debug, Clone, Copy)]
pub struct Manual {
    /// What it does in detail, as Markdown paragraphs; empty where the sentence is all.
    pub text: &'static str,
    /// What it returns.
    pub returns: &'static str,
    /// An action that calls it, as JSON.
    pub example: &'static str,
}

impl Manual {
    /// Nothing to say.
    const EMPTY: Self = Self { text: "", returns: "", example: "" };
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// Parameters with names, given by position or by name.
    Named(&'static [Field], fn(&Arguments<'_>) -> Parsed),
    /// Parses the call itself (Python's builtins, which take any number of arguments).
    Free(fn(&Call<'_>) -> Result<Box<dyn Command>, Failure>),
}

impl Declaration {
    /// A command with named parameters, in positional order; `doc` is one sentence.
    pub(crate) const fn named(
        name: &'static str,
        doc: &'static str,
        fields: &'static [Field],
        parse: fn(&Arguments<'_>) -> Parsed,
    ) -> Self {
        Self { name, doc, manual: Manual::EMPTY, form: Form::Named(fields, parse) }
    }

    /// A command that parses its arguments itself.
    pub(crate) const fn free(
        name: &'static str,
        doc: &'static str,
        parse: fn(&Call<'_>) -> Result<Box<dyn Command>, Failure>,
    ) -> Self {
        Self { name, doc, manual: Manual::EMPTY, form: Form::Free(parse) }
    }

    /// Adds what it does in detail, as Markdown paragraphs.
    pub(crate) const fn text(self, text: &'static str) -> Self {
        Self { manual: Manual { text, ..self.manual }, ..self }
    }

    /// Adds what it returns.
    pub(crate) const fn returns(self, returns: &'static str) -> Self {
        Self { manual: Manual { returns, ..self.manual }, ..self }
    }

    /// Adds an action that calls it, as JSON.
    pub(crate) const fn example(self, example: &'static str) -> Self {
        Self { manual: Manual { example, ..self.manual }, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it does, in one sentence.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    /// What people read about it beyond that.
    pub fn manual(&self) -> &Manual {
        &self.manual
    }

    /// Its parameters in positional order; `None` for a command that parses its arguments itself.
    pub fn parameters(&self) -> Option<&'static [Field]> {
        match self.form {
            Form::Named(fields, _) => Some(fields),
            Form::Free(_) => None,
        }
    }

    /// Parses the arguments. A refusal names the command and the argument's place; the places of
    /// numbers that a variable gives are noted in `awaited`.
    pub(super) fn read(
        &self,
        call: &Call<'_>,
        rules: Rules,
        awaited: &Awaited,
    ) -> Result<Box<dyn Command>, Refused> {
        match self.form {
            Form::Free(parse) => Ok(parse(call)?),
            Form::Named(fields, parse) => parse(&bind(self.name, fields, call, rules, awaited)?)
                .map_err(|invalid| Refused::argument(self.name, invalid)),
        }
    }

    /// The path to a place among the arguments in the payload, which may hold them by position.
    pub(super) fn path(&self, pointer: &str, payload: &Value) -> Path {
        let (Value::List(values), Some(fields)) = (payload, self.parameters()) else {
            return Path::of_pointer(pointer, payload);
        };
        let mut tokens = pointer.splitn(3, '/').skip(1);
        let name = tokens.next().unwrap_or_default();
        let position = fields.iter().position(|field| field.name == name);
        let Some((position, value)) = position.and_then(|at| Some((at, values.get(at)?))) else {
            return Path::default();
        };
        let below = tokens.next().map(|rest| format!("/{rest}")).unwrap_or_default();
        let below = Path::of_pointer(&below, value);
        std::iter::once(Step::Element(position)).chain(below.steps().iter().cloned()).collect()
    }
}
