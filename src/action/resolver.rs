//! The variables and CSV sources that placeholders refer to, kept from one document to the next. Both
//! are limited in number, and take shares of the ceiling for memory.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::event::{Failure, FailureKind};
use crate::load::CsvRows;
use crate::memory::{Memory, Share};
use crate::value::{Map, Value};

/// The most variables.
const MOST_VARIABLES: usize = 100_000;

/// The most CSV sources.
const MOST_SOURCES: usize = 1000;

/// The largest value of a variable, in bytes, estimated.
const MAX_VARIABLE: usize = 4 * 1024 * 1024;

/// What a variable takes besides its name and value, in bytes, estimated.
const ENTRY: usize = 256;

/// Variables and sources. A clone shares them until one of the two is changed.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    variables: Arc<IndexMap<String, Arc<Variable>>>,
    sources: HashMap<String, Source>,
    databases: Arc<Databases>,
}

/// A CSV source: its rows, and where they are from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// All its users share them.
    pub(crate) rows: Arc<CsvRows>,
    /// Its file in the data directory, as the document names it.
    pub(crate) file: String,
    /// Whether the rows start over after the last one.
    pub(crate) cycle: bool,
}

/// Databases that only tests in the executor's Python use.
#[derive(Debug, Default)]
struct Databases {
    sources: Vec<Value>,
    /// What they take of the ceiling.
    _share: Option<Share>,
}

#[derive(Debug)]
struct Variable {
    value: Value,
    /// What it takes of the ceiling.
    _share: Share,
}

impl Resolver {
    /// Sets variables and sources: all, or none if one is refused.
    pub(crate) fn register(
        &mut self,
        variables: Map,
        sources: Vec<(String, Source)>,
        memory: &Arc<Memory>,
    ) -> Result<(), Failure> {
        let refused = |message: String| Failure::new(FailureKind::Refused, message);
        let of_these = |count: usize, what: &str, most: usize| {
            let message = format!("{count} {what} exceed the limit of {most}; LD_clear_resolver");
            refused(message + " deletes them")
        };
        let added = sources.iter().filter(|(name, _)| !self.sources.contains_key(name)).count();
        let count = self.sources.len() + added;
        if count > MOST_SOURCES {
            return Err(of_these(count, "CSV sources", MOST_SOURCES));
        }
        let added = variables.keys().filter(|name| !self.variables.contains_key(*name)).count();
        let count = self.variables.len() + added;
        if count > MOST_VARIABLES {
            return Err(of_these(count, "variables", MOST_VARIABLES));
        }
        let mut set = Vec::with_capacity(variables.len());
        for (name, value) in variables {
            let weight = value.weight();
            if weight > MAX_VARIABLE {
                return Err(refused(format!(
                    "the variable {name:?} takes {weight} bytes, the limit is {MAX_VARIABLE}"
                )));
            }
            let mut share = memory.share("variables");
            // The value, and its text in the plan of a test.
            let grown = share.grow(ENTRY + name.len() + 2 * weight);
            grown.map_err(|full| refused(format!("the variable {name:?}: {full}")))?;
            set.push((name, Arc::new(Variable { value, _share: share })));
        }
        if !set.is_empty() {
            Arc::make_mut(&mut self.variables).extend(set);
        }
        self.sources.extend(sources);
        Ok(())
    }

    /// A variable's value as text.
    pub fn variable(&self, name: &str) -> Option<String> {
        match &self.variables.get(name)?.value {
            Value::Null => None,
            value => Some(value.to_text()),
        }
    }

    /// A source; all its users share the rows.
    pub fn source(&self, name: &str) -> Option<Arc<CsvRows>> {
        self.sources.get(name).map(|source| Arc::clone(&source.rows))
    }

    /// All variables.
    pub(crate) fn variables(&self) -> Map {
        let all = self.variables.iter();
        all.map(|(name, variable)| (name.clone(), variable.value.clone())).collect()
    }

    /// All sources as arguments of a test.
    pub(crate) fn files(&self) -> Vec<Value> {
        let all = self.sources.iter().map(|(name, source)| {
            Value::dict([
                ("name", Value::from(name.as_str())),
                ("file_path", source.file.as_str().into()),
                ("cycle", source.cycle.into()),
            ])
        });
        all.collect()
    }

    /// Databases as arguments of a test.
    pub(crate) fn databases(&self) -> &[Value] {
        &self.databases.sources
    }

    /// Adds databases; the last of a name counts.
    pub(crate) fn register_databases(
        &mut self,
        added: Vec<Value>,
        memory: &Arc<Memory>,
    ) -> Result<(), Failure> {
        let name = |source: &Value| source.get("name").map(Value::to_text);
        let mut sources = self.databases.sources.clone();
        sources.retain(|known| added.iter().all(|new| name(new) != name(known)));
        sources.extend(added);
        if sources.len() > MOST_SOURCES {
            let message =
                format!("more than {MOST_SOURCES} databases; LD_clear_resolver deletes them");
            return Err(Failure::new(FailureKind::Refused, message));
        }
        let mut share = memory.share("databases of tests");
        let taken = share.grow(sources.iter().map(Value::weight).sum());
        taken.map_err(|full| Failure::new(FailureKind::Refused, full.to_string()))?;
        self.databases = Arc::new(Databases { sources, _share: Some(share) });
        Ok(())
    }

    /// The names of its variables.
    #[cfg(test)]
    pub(super) fn names(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }

    /// Its sources by name.
    #[cfg(test)]
    pub(super) fn sources(&self) -> HashMap<String, Arc<CsvRows>> {
        let all = self.sources.iter();
        all.map(|(name, source)| (name.clone(), Arc::clone(&source.rows))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(count: usize, value: &Value) -> Map {
        (0..count).map(|number| (format!("v{number}"), value.clone())).collect()
    }

    #[test]
    fn t39_variables_take_shares_that_replacing_and_clearing_them_gives_back() {
        let memory = Memory::new(1 << 30);
        let mut resolver = Resolver::default();
        let large = Value::from("x".repeat(1 << 20));
        for _ in 0..3 {
            resolver.register(variables(10, &large), Vec::new(), &memory).expect("registered");
        }
        let taken = memory.taken();
        assert!((20 << 20..21 << 20).contains(&taken), "{taken}");
        let copy = resolver.clone();
        resolver.register(variables(10, &"x".into()), Vec::new(), &memory).expect("registered");
        assert_eq!(
            (copy.variable("v1").map(|text| text.len()), resolver.variable("v1").as_deref()),
            (Some(1 << 20), Some("x"))
        );
        assert!(memory.taken() > taken, "a copy keeps what it has");
        drop(copy);
        assert!(memory.taken() < 1 << 20);
        resolver = Resolver::default();
        assert_eq!((memory.taken(), resolver.variable("v1")), (0, None));
    }

    #[test]
    fn t39_variables_and_sources_over_a_limit_are_refused_and_change_nothing() {
        let memory = Memory::new(8 << 20);
        let mut resolver = Resolver::default();
        let rows = Arc::new(CsvRows::read(b"a\n1\n", true).expect("a source"));
        let source = Source { rows, file: "s.csv".to_owned(), cycle: true };
        let sources = |count: usize| -> Vec<_> {
            (0..count).map(|number| (format!("s{number}"), source.clone())).collect()
        };
        let mut check = |map: Map, count: usize, begin: &str| {
            let refused = resolver.register(map, sources(count), &memory).expect_err("refused");
            assert!(refused.message.starts_with(begin), "{}", refused.message);
            assert_eq!(
                (resolver.names().len(), resolver.sources().len(), memory.taken()),
                (0, 0, 0)
            );
        };
        check(
            Map::new(),
            1001,
            "1001 CSV sources exceed the limit of 1000; LD_clear_resolver deletes",
        );
        check(variables(100_001, &Value::Null), 1, "100001 variables exceed the limit of 100000");
        check(variables(1, &"x".repeat(5 << 20).into()), 1, "the variable \"v0\" takes 52");
        let over =
            "the variable \"v4\": variables: 2 MiB more do not fit, 8 MiB of 8 MiB are in use";
        check(variables(5, &"x".repeat((1 << 20) - 400).into()), 1, over);
        resolver.register(variables(1, &Value::Null), sources(1000), &memory).expect("registered");
        resolver.register(Map::new(), sources(1000), &memory).expect("the same names");
    }
}
