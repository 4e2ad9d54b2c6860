//! The first stage: compiles texts into drafts, from the document alone.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use bytes::Bytes;
use indexmap::IndexSet;
use regex::{Match, Regex};

use super::{Draft, Escape, Hole, Piece, SHARED, Slot, Space, Symbol};
use crate::load::faker::Faker;
use crate::value::{JsonOut, Reader, Value, json_into};

/// Compiles texts into drafts, and numbers the variables that they name.
#[derive(Debug, Default)]
pub struct Compiler {
    slots: HashMap<(Space, String), Slot>,
    /// Those that users may set.
    settable: HashSet<Slot>,
    /// The placeholders that have a value or none for the whole test, as they are written: since the
    /// last look, each once.
    constants: IndexSet<Box<str>>,
    /// Whether what is compiled now is not sent.
    aside: bool,
}

impl Compiler {
    /// The number of a variable that users set.
    pub fn slot(&mut self, space: Space, name: &str) -> Slot {
        let slot = self.named(space, name);
        self.settable.insert(slot);
        slot
    }

    /// Compiles texts that are not sent: names, conditions, what responses are compared with.
    pub fn aside<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.aside, true);
        let compiled = compile(self);
        self.aside = outer;
        compiled
    }

    /// The placeholders since the last call that are sent and have a value or none for the whole test.
    pub(in crate::load) fn take_constants(&mut self) -> Vec<Box<str>> {
        std::mem::take(&mut self.constants).into_iter().collect()
    }

    /// Whether users may set a variable.
    pub(super) fn is_settable(&self, slot: Slot) -> bool {
        self.settable.contains(&slot)
    }

    /// The number of a variable.
    fn named(&mut self, space: Space, name: &str) -> Slot {
        let next = Slot(self.slots.len());
        *self.slots.entry((space, name.to_owned())).or_insert(next)
    }

    /// The variables named so far, with their slots.
    pub(super) fn slots(&self) -> impl Iterator<Item = (Space, &str, Slot)> {
        self.slots.iter().map(|((space, name), slot)| (*space, name.as_str(), *slot))
    }

    /// Compiles a text.
    pub fn template(&mut self, text: &str) -> Draft {
        self.escaped(text, Escape::Raw)
    }

    /// Compiles a text whose literal parts and values are both written with `escape`.
    pub fn escaped(&mut self, text: &str, escape: Escape) -> Draft {
        let mut template = Draft::default();
        let mut rest = 0;
        for (whole, inner) in holes(text) {
            let before = text.get(rest..whole.start()).unwrap_or_default();
            template.push_literal(&escape.written(before));
            rest = whole.end();
            let hole = self.hole(inner.as_str().trim());
            let constant =
                matches!(hole, Symbol::Unknown | Symbol::Environment(_) | Symbol::Column { .. });
            if constant && !self.aside && !self.constants.contains(whole.as_str()) {
                self.constants.insert(whole.as_str().into());
            }
            template.pieces.push(Piece::Hole { hole, written: whole.as_str().into(), escape });
        }
        template.push_literal(&escape.written(text.get(rest..).unwrap_or_default()));
        template
    }

    /// Compiles the content of a file; its long parts are not copied.
    pub(super) fn content(&mut self, content: &Bytes, text: &str) -> Draft {
        let mut draft = Draft::default();
        let part = |from: usize, to: usize, draft: &mut Draft| match to - from {
            SHARED.. => draft.push_bytes(content.slice(from..to)),
            _ => draft.push_literal(text.get(from..to).unwrap_or_default()),
        };
        let mut rest = 0;
        for (whole, inner) in holes(text) {
            part(rest, whole.start(), &mut draft);
            rest = whole.end();
            let (hole, written) = (self.hole(inner.as_str().trim()), whole.as_str().into());
            draft.pieces.push(Piece::Hole { hole, written, escape: Escape::Raw });
        }
        part(rest, text.len(), &mut draft);
        draft
    }

    /// Compiles a value as JSON text, in Python's spelling (`{"a": [1, 2.0]}`).
    pub fn json(&mut self, value: &Value) -> Draft {
        let mut out = JsonDraft { compiler: self, draft: Draft::default() };
        json_into(value, &mut out);
        out.draft
    }

    /// The content of a file that the document names.
    pub fn file(&mut self, place: &Reader<'_>, path: &str) -> Draft {
        let hole = Symbol::File { path: path.into(), place: place.pointer().into() };
        Draft { pieces: vec![Piece::Hole { hole, written: "".into(), escape: Escape::Raw }] }
    }

    /// What a placeholder stands for.
    fn hole(&mut self, token: &str) -> Symbol {
        match Reference::read(token) {
            Reference::Variable(space, name) => {
                Symbol::Known(Hole::Variable(self.named(space, name)))
            }
            Reference::Environment(name) => Symbol::Environment(name.into()),
            Reference::Column { source, column } => {
                Symbol::Column { source: source.into(), column: column.into() }
            }
            Reference::Generated(hole) => Symbol::Known(hole),
            Reference::Unknown => Symbol::Unknown,
        }
    }
}

/// The placeholders in a text, whole and inside. A placeholder has no `}` inside; the reference matches
/// the same way.
fn holes(text: &str) -> impl Iterator<Item = (Match<'_>, Match<'_>)> {
    static HOLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{([^}]+)\}").ok());
    let found = HOLE.iter().flat_map(move |hole| hole.captures_iter(text));
    found.filter_map(|found| found.get(0).zip(found.get(1)))
}

/// What a placeholder names.
#[derive(Debug, Clone)]
pub enum Reference<'a> {
    /// `${NAME}`, `${var.NAME}`, `${session.NAME}`
    Variable(Space, &'a str),
    /// `${env.NAME}`
    Environment(&'a str),
    /// `${csv.SOURCE.COLUMN}`
    Column {
        /// The source's name.
        source: &'a str,
        /// The column's name.
        column: &'a str,
    },
    /// What is made up for each request.
    Generated(Hole),
    /// Nothing.
    Unknown,
}

/// The placeholders in a text as they are written, and what they name.
pub fn references(text: &str) -> impl Iterator<Item = (&str, Reference<'_>)> {
    holes(text).map(|(whole, inner)| (whole.as_str(), Reference::read(inner.as_str().trim())))
}

impl<'a> Reference<'a> {
    fn read(token: &'a str) -> Self {
        Self::known(token).unwrap_or(Self::Unknown)
    }

    fn known(token: &'a str) -> Option<Self> {
        static CALL: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"^([a-zA-Z_]\w*)\((.*)\)$").ok());
        if token.is_empty() {
            return None;
        }
        if let Some(call) = CALL.as_ref().and_then(|call| call.captures(token)) {
            let part = |index| call.get(index).map_or("", |part| part.as_str());
            return function(&part(1).to_ascii_lowercase(), part(2)).map(Self::Generated);
        }
        let Some((prefix, rest)) = token.split_once('.') else {
            return Some(Self::Variable(Space::Var, token));
        };
        match prefix.to_ascii_lowercase().as_str() {
            "var" => Some(Self::Variable(Space::Var, rest)),
            "session" => Some(Self::Variable(Space::Session, rest)),
            "env" => Some(Self::Environment(rest)),
            "csv" => {
                let (source, column) = rest.split_once('.')?;
                Some(Self::Column { source, column })
            }
            "faker" => Faker::named(rest).map(|kind| Self::Generated(Hole::Faker(kind))),
            _ => None,
        }
    }
}

/// Receives JSON whose strings may hold placeholders; member names do not.
struct JsonDraft<'a> {
    compiler: &'a mut Compiler,
    draft: Draft,
}

impl JsonOut for JsonDraft<'_> {
    fn raw(&mut self, json: &str) {
        self.draft.push_literal(json);
    }

    fn text(&mut self, text: &str) {
        let text = self.compiler.escaped(text, Escape::Json);
        self.draft.push(text);
    }

    fn key(&mut self, key: &str) {
        self.draft.push_literal(&Escape::Json.written(key));
    }
}

fn function(name: &str, arguments: &str) -> Option<Hole> {
    match name {
        "uuid" => Some(Hole::Uuid),
        "now" => Some(Hole::Now),
        "randint" => {
            let bounds: Option<Vec<i64>> =
                arguments.split(',').map(|bound| bound.trim().parse().ok()).collect();
            match bounds.as_deref() {
                Some([low, high]) if low <= high => Some(Hole::RandInt { low: *low, high: *high }),
                _ => None,
            }
        }
        _ => None,
    }
}
