//! The variables that tasks name, to find and to replace them.

use crate::load::template::{Reference, Space, references};
use crate::value::Value;

/// How the variables begin that stand for what another tool computes.
const COMPUTED: &str = "${computed_";

/// A variable for something that another tool computes.
pub(super) fn computed(name: &str) -> String {
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_");
    format!("{COMPUTED}{name}}}")
}

/// Whether a text has such variables.
pub(super) fn has_computed(text: &str) -> bool {
    text.contains(COMPUTED)
}

/// Calls `found` with each variable that the texts in a value name, as it is written and by its name.
pub(crate) fn names_in(value: &Value, found: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Str(text) => {
            for (written, reference) in references(text) {
                if let Reference::Variable(Space::Var, name) = reference {
                    found(written, name);
                }
            }
        }
        Value::List(items) => items.iter().for_each(|item| names_in(item, found)),
        Value::Dict(members) => members.values().for_each(|member| names_in(member, found)),
        _ => {}
    }
}

/// Replaces variables in all texts of a value, where `with` has something for their names. It is to give
/// up once it has given much.
pub(crate) fn replace_names(value: &mut Value, with: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::Str(text) => {
            if let Some(replaced) = replaced(text, with) {
                *text = replaced;
            }
        }
        Value::List(items) => items.iter_mut().for_each(|item| replace_names(item, with)),
        Value::Dict(members) => members.values_mut().for_each(|member| replace_names(member, with)),
        _ => {}
    }
}

fn replaced(text: &str, with: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    for (written, reference) in references(text) {
        let Reference::Variable(Space::Var, name) = reference else { continue };
        let Some(value) = with(name) else { continue };
        let Some((before, after)) = rest.split_once(written) else { continue };
        out.push_str(before);
        out.push_str(&value);
        rest = after;
        changed = true;
    }
    out.push_str(rest);
    changed.then_some(out)
}

/// `X-Api-Key` and `user[api_key]` as the names of variables of the environment.
pub(crate) fn variable(name: &str) -> String {
    let name = name.trim_start_matches("X-").trim_start_matches("x-");
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("_").to_ascii_uppercase();
    match name.chars().next() {
        Some(first) if !first.is_ascii_digit() => name,
        _ => format!("SECRET_{name}").trim_end_matches('_').to_owned(),
    }
}
