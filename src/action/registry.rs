//! Which commands there are. Each family declares its own in a table; [`FAMILIES`] lists the tables,
//! and is the one place where a new family is named.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::LazyLock;

use super::arguments::{Arguments, Call, Parameter, bind};
use super::commands::{
    builtins, database, execute, exporters, gates, har, lint, records, reports, resolver, schema,
    start, stub,
};
use super::context::Context;
use crate::event::{Failure, FailureKind};
use crate::load::TestLimits;
use crate::value::{Invalid, Value};

/// Every family's commands, in the order in which they are listed to people.
const FAMILIES: &[&[Declaration]] = &[
    start::COMMANDS,
    execute::COMMANDS,
    records::COMMANDS,
    resolver::COMMANDS,
    stub::COMMANDS,
    reports::COMMANDS,
    database::COMMANDS,
    gates::COMMANDS,
    exporters::COMMANDS,
    har::COMMANDS,
    lint::COMMANDS,
    schema::COMMANDS,
    builtins::COMMANDS,
];

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

/// The names of all commands, for the linter and for completion.
pub fn commands() -> impl Iterator<Item = &'static str> {
    declarations().map(Declaration::name)
}

/// All commands.
pub(super) fn declarations() -> impl Iterator<Item = &'static Declaration> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// A command by its name.
pub(super) fn find(name: &str) -> Option<&'static Declaration> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Declaration>> = LazyLock::new(|| {
        let all = FAMILIES.iter().flat_map(|family| family.iter());
        all.map(|declaration| (declaration.name, declaration)).collect()
    });
    BY_NAME.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_one_declaration() {
        let mut names: Vec<_> = commands().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
