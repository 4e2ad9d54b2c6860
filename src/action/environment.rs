//! The variables of the environment that a document names.

use indexmap::IndexSet;

use crate::load::template::{Reference, references};
use crate::value::Value;

/// Their names in the order of the document, behind those that are known.
pub fn environment(document: &Value, known: Vec<String>) -> Vec<String> {
    let mut names: IndexSet<String> = known.into_iter().collect();
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        match value {
            Value::Str(text) => {
                let found = references(text).filter_map(|(_, reference)| match reference {
                    Reference::Environment(name) => Some(name.to_owned()),
                    _ => None,
                });
                names.extend(found);
            }
            Value::List(items) => open.extend(items.iter().rev()),
            Value::Dict(members) => open.extend(members.values().rev()),
            _ => {}
        }
    }
    names.into_iter().collect()
}
