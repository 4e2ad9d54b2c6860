//! Variables and functions in texts: `${name}`, which is a variable here too or a column of a CSV file,
//! and `${__function(…)}`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use indexmap::{IndexMap, IndexSet};
use regex::{Captures, Regex};

use super::super::placeholders::computed;

static HOLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$\{(?:(__\w+)(?:\(((?:[^()\\]|\\.)*)\))?|([^${}]+))\}").ok());

/// What a text names.
pub(super) enum Named<'t> {
    Variable(&'t str),
    Default(&'t str),
}

/// What texts name.
#[derive(Debug, Default)]
pub(super) struct Functions {
    /// The source of each column.
    columns: BTreeMap<String, String>,
    /// Properties of the command line, and their defaults.
    properties: IndexMap<String, String>,
    unknown: IndexSet<String>,
}

impl Functions {
    pub(super) fn column(&mut self, name: &str, source: &str) {
        self.columns.insert(name.to_owned(), source.to_owned());
    }

    pub(super) fn properties(&self) -> impl Iterator<Item = (String, String)> {
        self.properties.iter().map(|(name, default)| (name.clone(), default.clone()))
    }

    pub(super) fn unknown(&self) -> impl Iterator<Item = String> {
        self.unknown.iter().cloned()
    }

    /// A text with placeholders of ours.
    pub(super) fn filled(&mut self, text: &str) -> String {
        let Some(hole) = HOLE.as_ref().filter(|_| text.contains("${")) else {
            return text.to_owned();
        };
        let replaced = hole.replace_all(text, |found: &Captures<'_>| {
            let part = |index| found.get(index).map_or("", |part| part.as_str());
            match (part(1), part(3)) {
                ("", name) => self.variable(name.trim()),
                (function, _) => self.function(function, part(2)).unwrap_or_else(|| {
                    // As it is written it would be sent, and could end a host or a text of JSON.
                    self.unknown.insert(part(0).to_owned());
                    computed(function.trim_start_matches('_'))
                }),
            }
        });
        replaced.into_owned()
    }

    fn variable(&self, name: &str) -> String {
        match self.columns.get(name) {
            Some(source) => format!("${{csv.{source}.{name}}}"),
            // A dot would end a prefix.
            None if name.contains(['.', '(']) => format!("${{var.{name}}}"),
            None => format!("${{{name}}}"),
        }
    }

    fn function(&mut self, name: &str, arguments: &str) -> Option<String> {
        let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
        let argument = |index: usize| arguments.get(index).copied().unwrap_or_default();
        match name {
            "__UUID" => Some("${uuid()}".to_owned()),
            "__Random" => {
                let (low, high): (i64, i64) =
                    (argument(0).parse().ok()?, argument(1).parse().ok()?);
                (low <= high).then(|| format!("${{randint({low}, {high})}}"))
            }
            "__P" | "__property" => {
                let default = if name == "__P" { argument(1) } else { argument(2) };
                let default = if name == "__P" && arguments.len() < 2 { "1" } else { default };
                if argument(0).is_empty() {
                    return None;
                }
                self.properties.entry(argument(0).to_owned()).or_insert(default.to_owned());
                Some(format!("${{var.{}}}", argument(0)))
            }
            "__env" => (!argument(0).is_empty()).then(|| format!("${{env.{}}}", argument(0))),
            "__V" => Some(self.variable(argument(0))),
            _ => None,
        }
    }

    /// What a text that is a variable or a property names: the variable, or the default.
    pub(super) fn named<'t>(&self, text: &'t str) -> Option<Named<'t>> {
        let found = HOLE.as_ref()?.captures(text)?;
        if found.get(0)?.len() != text.len() {
            return None;
        }
        let arguments = || found.get(2).map_or("", |arguments| arguments.as_str()).split(',');
        match (found.get(1).map(|function| function.as_str()), found.get(3)) {
            (Some("__P"), _) => Some(Named::Default(arguments().nth(1).unwrap_or("1").trim())),
            (Some("__property"), _) => Some(Named::Default(arguments().nth(2)?.trim())),
            (None, Some(name)) => Some(Named::Variable(name.as_str().trim())),
            _ => None,
        }
    }

    /// The default of a property of the command line.
    pub(super) fn usual(&self, property: &str) -> Option<&str> {
        self.properties.get(property).map(String::as_str)
    }
}
