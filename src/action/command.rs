//! A command: its declaration, which says what it is called and how its arguments are read, and what
//! reading them gives, which runs.

use std::fmt::Debug;

use super::arguments::{Arguments, Call, bind};
use super::context::Context;
use crate::event::{Failure, FailureKind};
use crate::load::TestLimits;
use crate::value::{Field, Invalid, Value};

/// The command that runs a load test.
pub(crate) const START_TEST: &str = "LD_start_test";

/// A command whose arguments have been read, ready to run.
pub(crate) trait Command: Debug + Send + Sync {
    /// Runs it.
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure>;
}

/// What reading the arguments gives.
pub(crate) type Parsed = Result<Box<dyn Command>, Invalid>;

/// The definition of a command: everything that anyone needs to know of it. The schema, the refusals
/// and the tests that go through all commands are made from it.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    name: &'static str,
    doc: &'static str,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// Parameters with names, given by position or by name.
    Named(&'static [Field], fn(&Arguments<'_>) -> Parsed),
    /// Reads the call itself (Python's builtins, which take any number of arguments).
    Free(fn(&Call<'_>) -> Result<Box<dyn Command>, Failure>),
}

impl Declaration {
    /// A command with named parameters, in the order of their positions; `doc` is one sentence.
    pub(crate) const fn named(
        name: &'static str,
        doc: &'static str,
        fields: &'static [Field],
        parse: fn(&Arguments<'_>) -> Parsed,
    ) -> Self {
        Self { name, doc, form: Form::Named(fields, parse) }
    }

    /// A command that reads its arguments itself.
    pub(crate) const fn free(
        name: &'static str,
        doc: &'static str,
        parse: fn(&Call<'_>) -> Result<Box<dyn Command>, Failure>,
    ) -> Self {
        Self { name, doc, form: Form::Free(parse) }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it does, in one sentence.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    /// Its parameters in the order of their positions; none of a command that takes what it is given.
    pub fn parameters(&self) -> Option<&'static [Field]> {
        match self.form {
            Form::Named(fields, _) => Some(fields),
            Form::Free(_) => None,
        }
    }

    /// Reads the arguments. A refusal names the command and the argument's place.
    pub(super) fn read(
        &self,
        call: &Call<'_>,
        limits: TestLimits,
    ) -> Result<Box<dyn Command>, Failure> {
        match self.form {
            Form::Free(parse) => parse(call),
            Form::Named(fields, parse) => {
                parse(&bind(self.name, fields, call, limits)?).map_err(|invalid| {
                    let message = format!("{}: {invalid}", self.name);
                    Failure::new(FailureKind::InvalidArgument, message)
                })
            }
        }
    }
}
