//! The second stage: links drafts into templates, with what exists when the test starts.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use indexmap::IndexSet;

use super::compile::{Reference, references};
use super::scope::{Names, Variable};
use super::{Compiler, Draft, Escape, Hole, Piece, Space, Symbol, Template};
use crate::load::source::CsvRows;
use crate::memory::Memory;
use crate::value::Invalid;

/// What exists when a test starts; each function looks up a name.
#[derive(Clone, Copy)]
pub struct Bindings<'a> {
    /// The initial value of every user's variable, as text.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// A CSV source; all its users share the rows.
    pub source: &'a dyn Fn(&str) -> Option<Arc<CsvRows>>,
    /// An environment variable, if documents may read it.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The content of a file, by its path in the data directory; the error says why it cannot be
    /// read.
    pub read_file: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
    /// The ceiling for what the test's users hold.
    pub memory: Option<&'a Arc<Memory>>,
}

impl Bindings<'static> {
    /// Nothing exists.
    pub const NONE: Self = Self {
        variable: &|_| None,
        source: &|_| None,
        environment: &|_| None,
        read_file: &|_| Err("does not exist".to_owned()),
        memory: None,
    };
}

/// Warnings that are kept; further ones are dropped.
const MOST_WARNINGS: usize = 50;

/// Why a variable of the environment has no value.
pub fn not_set(name: &str) -> String {
    format!("{name} is not set, or documents may not read it (a server allows it with --allow-env)")
}

/// What is said of a variable whose value holds a placeholder.
fn unevaluated(name: &str, written: &str) -> String {
    format!(
        "{written} in the variable {name:?} is used as it is written: values of variables are not \
         filled in; write it where the variable is used"
    )
}

/// The variable of the environment that a linked text begins with, which has no value then.
pub fn unset_variable(text: &str) -> Option<&str> {
    match references(text).next()? {
        (written, Reference::Environment(name)) if text.trim_start().starts_with(written) => {
            Some(name)
        }
        _ => None,
    }
}

/// Turns drafts into templates.
pub struct Linker<'a> {
    compiler: Compiler,
    bindings: Bindings<'a>,
    /// The sources that templates use, by index.
    sources: Vec<(Box<str>, Arc<CsvRows>)>,
    warnings: Vec<String>,
    /// Placeholders that have no value, as they are written.
    unresolved: IndexSet<Box<str>>,
    /// The files that tasks send.
    files: HashMap<Box<str>, Bytes>,
}

impl std::fmt::Debug for Linker<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Linker").field("compiler", &self.compiler).finish_non_exhaustive()
    }
}

impl Draft {
    /// Links the text. Only missing files are refused; anything else that is missing stays as
    /// written.
    pub fn link(self, linker: &mut Linker<'_>) -> Result<Template, Invalid> {
        let mut template = Template::default();
        for piece in self.pieces {
            match piece {
                Piece::Literal(text) => template.push_literal(&text),
                Piece::Bytes(bytes) => template.push_bytes(bytes),
                Piece::Hole { hole, written, escape } => {
                    linker.link(hole, written, escape, &mut template)?;
                }
            }
        }
        Ok(template)
    }
}

impl<'a> Linker<'a> {
    /// A linker for what this compiler has produced.
    pub fn new(compiler: Compiler, bindings: Bindings<'a>) -> Self {
        let (sources, warnings, files) = (Vec::new(), Vec::new(), HashMap::new());
        Self { compiler, bindings, sources, warnings, unresolved: IndexSet::new(), files }
    }

    /// Reads a file that the document names at `place`.
    pub fn read_file(&self, path: &str, place: &str) -> Result<Vec<u8>, Invalid> {
        let refusal = |message| Invalid { pointer: place.to_owned(), message };
        (self.bindings.read_file)(path).map_err(refusal)
    }

    /// The content of a file that tasks send, read once for all of them.
    fn content(&mut self, path: &str, place: &str) -> Result<Bytes, Invalid> {
        if let Some(known) = self.files.get(path) {
            return Ok(known.clone());
        }
        let content = Bytes::from(self.read_file(path, place)?);
        self.files.insert(path.into(), content.clone());
        Ok(content)
    }

    /// Says what the run's user should know before the first request; each thing once.
    pub fn warn(&mut self, warning: String) {
        if self.warnings.len() < MOST_WARNINGS && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Whether this placeholder was linked and has no value.
    pub(in crate::load) fn lacks(&self, written: &str) -> bool {
        self.unresolved.contains(written)
    }

    /// A variable of the environment, if documents may read it.
    pub fn environment(&self, name: &str) -> Option<String> {
        (self.bindings.environment)(name)
    }

    /// The values behind the templates' placeholders.
    pub fn names(mut self) -> Names {
        let mut unfilled: Vec<String> = Vec::new();
        let mut variables = vec![Variable::default(); self.compiler.slots().count()];
        let mut settable = 0;
        for (space, name, slot) in self.compiler.slots() {
            let Some(variable) = variables.get_mut(slot.0) else { continue };
            variable.initial = match space {
                Space::Var => (self.bindings.variable)(name).map(|text| {
                    if let Some((written, _)) = references(&text).next() {
                        unfilled.push(unevaluated(name, written));
                    }
                    Bytes::from(text)
                }),
                // A user's session starts empty.
                Space::Session => None,
            };
            if self.compiler.is_settable(slot) {
                variable.own = Some(settable);
                settable += 1;
            }
        }
        unfilled.sort_unstable();
        unfilled.into_iter().for_each(|warning| self.warn(warning));
        let sources = self.sources.into_iter().map(|(_, source)| source).collect();
        let memory = self.bindings.memory.cloned();
        Names { variables, settable, sources, warnings: self.warnings, memory }
    }

    /// Appends what a placeholder resolves to.
    fn link(
        &mut self,
        symbol: Symbol,
        written: Box<str>,
        escape: Escape,
        out: &mut Template,
    ) -> Result<(), Invalid> {
        let hole = match symbol {
            Symbol::Known(hole) => Ok(hole),
            Symbol::Unknown => Err("no placeholder has this form".to_owned()),
            Symbol::Environment(name) => {
                if let Some(text) = (self.bindings.environment)(&name) {
                    out.push_literal(&escape.written(&text));
                    return Ok(());
                }
                Err(not_set(&name))
            }
            Symbol::Column { source, column } => self.column(&source, &column),
            Symbol::File { path, place } => {
                let content = self.content(&path, &place)?;
                match std::str::from_utf8(&content) {
                    Ok(text) if text.contains("${") => {
                        out.push(self.compiler.content(&content, text).link(self)?);
                    }
                    // An image or an archive, or nothing to fill in: sent unchanged.
                    _ => out.push_bytes(content),
                }
                return Ok(());
            }
        };
        match hole {
            Ok(hole) => out.pieces.push(Piece::Hole { hole, written, escape }),
            Err(reason) => {
                self.warn(format!("{written} is used as it is written: {reason}"));
                if !self.unresolved.contains(&*written) {
                    self.unresolved.insert(written.clone());
                }
                out.push_literal(&escape.written(&written));
            }
        }
        Ok(())
    }

    /// A column of a CSV source; the error says what is missing.
    fn column(&mut self, name: &str, column: &str) -> Result<Hole, String> {
        let known = self.sources.iter().position(|(known, _)| **known == *name);
        let rows = match known.and_then(|source| self.sources.get(source)) {
            Some((_, rows)) => Arc::clone(rows),
            None => (self.bindings.source)(name)
                .ok_or_else(|| format!("no CSV source {name:?} is registered"))?,
        };
        let column = rows.column(column).ok_or_else(|| {
            format!("the CSV source {name:?} has no such column; it has {}", rows.columns())
        })?;
        let source = known.unwrap_or_else(|| {
            self.sources.push((name.into(), rows));
            self.sources.len() - 1
        });
        Ok(Hole::Column { source, column })
    }
}
