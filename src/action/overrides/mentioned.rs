//! The variables that a document's placeholders name.

use std::collections::BTreeSet;

use crate::action::listed::listed;
use crate::action::registry;
use crate::load::template::{Reference, Space, references};
use crate::value::Value;
use crate::value::field::nearest;

/// What a document mentions.
#[derive(Debug, Default)]
pub(super) struct Mentioned {
    variables: BTreeSet<String>,
    /// Whether it uses texts that are elsewhere: other documents, files, commands of other programs.
    elsewhere: bool,
}

impl Mentioned {
    /// What a document mentions.
    pub(super) fn of(document: &Value) -> Self {
        let mut mentioned = Self::default();
        for action in listed(document) {
            let command = match action {
                Value::List(elements) => elements.first().and_then(Value::as_str),
                _ => None,
            };
            let is_native = command.is_some_and(|command| registry::find(command).is_some());
            mentioned.elsewhere |= !is_native || command == Some("LD_execute_files");
        }
        mentioned.read(document);
        mentioned
    }

    /// Whether a variable of this name may be used.
    pub(super) fn may_use(&self, name: &str) -> bool {
        self.elsewhere || self.variables.contains(name)
    }

    /// The variable that was probably meant by a name.
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.variables.iter().map(String::as_str))
    }

    fn read(&mut self, value: &Value) {
        match value {
            Value::Str(text) => {
                for (_, reference) in references(text) {
                    if let Reference::Variable(Space::Var, name) = reference {
                        self.variables.insert(name.to_owned());
                    }
                }
                self.elsewhere |= text == "LD_execute_files";
            }
            Value::List(items) => items.iter().for_each(|item| self.read(item)),
            Value::Dict(members) => {
                // The text of a file is filled in as well.
                self.elsewhere |= members.contains_key("files");
                members.values().for_each(|member| self.read(member));
            }
            _ => {}
        }
    }
}
