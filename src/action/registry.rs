//! The table of commands. Each family declares its own; [`FAMILIES`] lists the families and is the
//! only place where a new one is named.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::command::Declaration;
use super::commands::{
    breaking_point, builtins, dashboard, data, database, execute, exporters, exports, formats,
    gates, governance, har, imports, installs, lint, notifiers, records, regression, reports,
    resolver, schema, start, stub, tags,
};

/// The commands of every family, in the order of their documentation. To add a command:
///
/// 1. write or extend a file in `commands/`: a row in its table `COMMANDS` with the command's name,
///    one sentence, what it returns, an example, and its parameters (each with its kind, its default
///    and a sentence); a function that reads the arguments into a struct; and [`Command`](super::command::Command) for that;
/// 2. a new file also needs a line in `commands/mod.rs` and one here;
/// 3. test its results and failures in `action/tests.rs`, or in `tests/it` if it needs more
///    than an executor; a parameter that is a path is tested against paths outside by its kind;
/// 4. refresh the schema and the manual (`TRYCMD=overwrite cargo test --test it`), and add a line to
///    CHANGELOG.md.
const FAMILIES: &[Family] = &[
    Family { title: "Load tests", commands: start::COMMANDS },
    Family { title: "Search for a load", commands: breaking_point::COMMANDS },
    Family { title: "Simulated network, failure budget", commands: installs::COMMANDS },
    Family { title: "Documents in documents", commands: execute::COMMANDS },
    Family { title: "Records", commands: records::COMMANDS },
    Family { title: "Variables and CSV sources", commands: resolver::COMMANDS },
    Family { title: "Gates", commands: gates::COMMANDS },
    Family { title: "Reports in files", commands: &reports::FILES },
    Family { title: "Reports for other tools", commands: exports::COMMANDS },
    Family { title: "Reports as values", commands: reports::VALUES },
    Family { title: "Stored runs", commands: database::COMMANDS },
    Family { title: "Tags of stored runs", commands: tags::COMMANDS },
    Family { title: "Trends, verdicts and errors", commands: regression::COMMANDS },
    Family { title: "Audit log, catalog and links", commands: governance::COMMANDS },
    Family { title: "Messages about a run", commands: notifiers::COMMANDS },
    Family { title: "Exporters", commands: exporters::COMMANDS },
    Family { title: "Dashboard", commands: dashboard::COMMANDS },
    Family { title: "Stub server", commands: stub::COMMANDS },
    Family { title: "Recordings", commands: har::COMMANDS },
    Family { title: "Imports from other tools", commands: imports::COMMANDS },
    Family { title: "Checks of documents", commands: lint::COMMANDS },
    Family { title: "Forms of documents", commands: formats::COMMANDS },
    Family { title: "Schema", commands: schema::COMMANDS },
    Family { title: "Data for tests", commands: data::COMMANDS },
    Family { title: "Python's builtins", commands: builtins::COMMANDS },
];

/// Commands that belong together.
#[derive(Debug)]
pub struct Family {
    /// What they are about.
    pub title: &'static str,
    /// The commands.
    pub commands: &'static [Declaration],
}

/// The families of commands.
pub fn families() -> &'static [Family] {
    FAMILIES
}

/// The names of all commands, for the linter and for completion.
pub fn commands() -> impl Iterator<Item = &'static str> {
    declarations().map(Declaration::name)
}

/// The declarations of all commands.
pub fn declarations() -> impl Iterator<Item = &'static Declaration> {
    FAMILIES.iter().flat_map(|family| family.commands)
}

/// Returns a command by name.
pub(super) fn find(name: &str) -> Option<&'static Declaration> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Declaration>> = LazyLock::new(|| {
        declarations().map(|declaration| (declaration.name(), declaration)).collect()
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
