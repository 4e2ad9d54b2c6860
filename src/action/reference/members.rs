//! The members of a parameter, whatever its kind, and the kinds in words.

use crate::load::scenario::{FORM, STEP};
use crate::protocol::{USERS, UserKind};
use crate::value::{Field, Kind};

/// An object's members that were not listed in a type, because they are too many.
const MOST_LISTED: usize = 6;

/// The members of one kind of object.
#[derive(Debug, Clone)]
pub struct Group {
    /// What the object is; empty where there is only one kind.
    pub title: String,
    /// Its members.
    pub fields: Vec<&'static Field>,
}

impl Group {
    /// The members of the only kind of object.
    pub(super) fn of(fields: &'static [Field]) -> Self {
        Self { title: String::new(), fields: fields.iter().collect() }
    }
}

/// The members that objects of a kind may have, also inside lists.
pub fn groups(kind: &'static Kind) -> Vec<Group> {
    match kind {
        Kind::Object(tables) | Kind::Open(tables) | Kind::Advised(tables) => {
            let fields = tables.iter().copied().flatten().collect();
            vec![Group { title: String::new(), fields }]
        }
        Kind::OneField(table) => vec![Group::of(table)],
        Kind::List(of) | Kind::Items { of, .. } | Kind::Map { of, .. } | Kind::Named(_, of) => {
            groups(of)
        }
        Kind::Either(kinds) => kinds.iter().flat_map(groups).collect(),
        Kind::Tasks => tasks(),
        _ => Vec::new(),
    }
}

/// The fields of tasks: of their form, of each protocol, and those of every task.
fn tasks() -> Vec<Group> {
    let form = Group { title: "tasks with a mode".to_owned(), ..Group::of(FORM) };
    let of_users = protocols().into_iter().map(|users| {
        let names: Vec<&str> = users.iter().map(|user| user.name).collect();
        let fields = users.first().map(|user| user.fields.iter().copied().flatten().collect());
        Group { title: format!("task of {}", and(&names)), fields: fields.unwrap_or_default() }
    });
    let every = Group { title: "every task".to_owned(), ..Group::of(STEP) };
    [form].into_iter().chain(of_users).chain([every]).collect()
}

/// The kinds of users, grouped by protocol.
pub(crate) fn protocols() -> Vec<Vec<&'static UserKind>> {
    let names = |user: &UserKind| {
        user.fields.iter().copied().flatten().map(|field| field.name).collect::<Vec<_>>()
    };
    let mut protocols: Vec<Vec<&'static UserKind>> = Vec::new();
    for user in USERS {
        let same = |known: &&mut Vec<&'static UserKind>| {
            known.first().is_some_and(|known| names(known) == names(user))
        };
        match protocols.iter_mut().find(same) {
            Some(known) => known.push(user),
            None => protocols.push(vec![user]),
        }
    }
    protocols
}

/// A kind in words.
pub fn type_text(kind: &Kind) -> String {
    match kind {
        Kind::Any => "any value".to_owned(),
        Kind::Text | Kind::Name | Kind::Matching(_) => "string".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Stem => "path without extension".to_owned(),
        Kind::Boolean => "boolean".to_owned(),
        Kind::Scalar => "string, number or boolean".to_owned(),
        Kind::Integer => "integer".to_owned(),
        Kind::Count => "integer >= 0".to_owned(),
        Kind::Between(least, i64::MAX) => format!("integer >= {least}"),
        Kind::Between(least, most) => format!("integer from {least} to {most}"),
        Kind::Port => "integer from 0 to 65535".to_owned(),
        Kind::Real => "number".to_owned(),
        Kind::Number | Kind::Seconds | Kind::Milliseconds => "number >= 0".to_owned(),
        Kind::Timeout | Kind::Rate => "number > 0".to_owned(),
        Kind::Exactly(literal) => serde_json::to_string(&literal.value()).unwrap_or_default(),
        Kind::OneOf(texts) => {
            // Gates may be spelled in capitals, which nobody needs to read twice.
            let small = |text: &&&str| {
                !texts.contains(&&*text.to_lowercase()) || **text == text.to_lowercase()
            };
            let quoted: Vec<String> =
                texts.iter().filter(small).map(|text| format!("{text:?}")).collect();
            or(&quoted)
        }
        Kind::List(of) => format!("list of {}", item(of)),
        Kind::Items { of: Kind::Any, least: 2, most: Some(2) } => "pair".to_owned(),
        Kind::Items { of, least, most } if Some(*least) == *most => {
            format!("list of {least}: {}", item(of))
        }
        Kind::Items { of, .. } => format!("list of {}", item(of)),
        Kind::Object(tables) | Kind::Open(tables) | Kind::Advised(tables) => {
            members(tables.iter().copied().flatten())
        }
        Kind::OneField(table) => format!("{} with one of them", members(table.iter())),
        Kind::Map { of: Kind::Any, .. } => "object".to_owned(),
        Kind::Map { of, .. } => format!("object of {}", item(of)),
        Kind::Either(kinds) => or(&kinds.iter().map(type_text).collect::<Vec<_>>()),
        Kind::Named(_, kind) => type_text(kind),
        Kind::Document => "document".to_owned(),
        Kind::Tasks => "list of tasks, or object".to_owned(),
    }
}

/// A kind in words, as the items of a list.
fn item(kind: &Kind) -> String {
    match kind {
        Kind::Text => "strings".to_owned(),
        Kind::Path => "paths".to_owned(),
        Kind::Any => "values".to_owned(),
        Kind::Items { of: Kind::Any, least: 2, most: Some(2) } => "pairs".to_owned(),
        Kind::Named(_, kind) => item(kind),
        kind => type_text(kind),
    }
}

/// `object {a, b}`
fn members<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    let names: Vec<&str> = fields.map(|field| field.name).collect();
    if names.len() > MOST_LISTED {
        "object".to_owned()
    } else {
        format!("object {{{}}}", names.join(", "))
    }
}

fn or(texts: &[impl AsRef<str>]) -> String {
    joined(texts, "or")
}

fn and(texts: &[impl AsRef<str>]) -> String {
    joined(texts, "and")
}

fn joined(texts: &[impl AsRef<str>], word: &str) -> String {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    match texts.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} {word} {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_described_as_json_names_it() {
        const PAIR: Kind = Kind::Items { of: &Kind::Any, least: 2, most: Some(2) };
        for (kind, text) in [
            (&Kind::Count, "integer >= 0"),
            (&Kind::Between(1, 9), "integer from 1 to 9"),
            (&Kind::Rate, "number > 0"),
            (&Kind::OneOf(&["a", "A", "b", "c"]), "\"a\", \"b\" or \"c\""),
            (&Kind::List(&Kind::Path), "list of paths"),
            (&PAIR, "pair"),
            (&crate::load::pacer::WAIT, "number >= 0 or object {min, max}"),
            (&Kind::MEMBERS, "object"),
        ] {
            assert_eq!(type_text(kind), text);
        }
    }
}
