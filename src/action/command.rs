//! A command: its declaration, which says what it is called and how its arguments are read, and what
//! reading them gives, which runs.

use std::fmt::Debug;

use super::arguments::{Arguments, Call, Parameter, bind};
use super::context::Context;
use crate::event::{Failure, FailureKind};
use crate::load::TestLimits;
use crate::value::{Invalid, Value};

/// A command whose arguments have been read, ready to run.
pub(crate) trait Command: Debug + Send + Sync {
    /// Runs it.
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure>;
}

/// What reading the arguments gives.
pub(crate) type Parsed = Result<Box<dyn Command>, Invalid>;

/// A command's name and how its arguments are read.
#[derive(Debug)]
pub(crate) struct Declaration {
    name: &'static str,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Parameters with names, given by position or by name.
    Named(&'static [Parameter], fn(&Arguments<'_>) -> Parsed),
    /// Reads the call itself (Python's builtins, which take any number of arguments).
    Free(fn(&Call<'_>) -> Result<Box<dyn Command>, Failure>),
}

impl Declaration {
    /// A command with named parameters, in the order of their positions.
    pub(crate) const fn named(
        name: &'static str,
        parameters: &'static [Parameter],
        parse: fn(&Arguments<'_>) -> Parsed,
    ) -> Self {
        Self { name, form: Form::Named(parameters, parse) }
    }

    /// A command that reads its arguments itself.
    pub(crate) const fn free(
        name: &'static str,
        parse: fn(&Call<'_>) -> Result<Box<dyn Command>, Failure>,
    ) -> Self {
        Self { name, form: Form::Free(parse) }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The parameters, of a command that has them by name.
    pub(super) fn parameters(&self) -> Option<&'static [Parameter]> {
        match self.form {
            Form::Named(parameters, _) => Some(parameters),
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
            Form::Named(parameters, parse) => parse(&bind(self.name, parameters, call, limits)?)
                .map_err(|invalid| {
                    let message = format!("{}: {invalid}", self.name);
                    Failure::new(FailureKind::InvalidArgument, message)
                }),
        }
    }
}
