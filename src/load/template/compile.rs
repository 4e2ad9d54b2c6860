//! The first stage: texts become drafts, from what their document alone says.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::{Draft, Escape, Hole, Piece, Slot, Space, Symbol};
use crate::load::faker::Faker;
use crate::value::{JsonOut, Reader, Value, json_into};

/// Turns texts into drafts, and numbers the variables that they name.
#[derive(Debug, Default)]
pub struct Compiler {
    slots: HashMap<(Space, String), Slot>,
}

impl Compiler {
    /// The number of a variable.
    pub fn slot(&mut self, space: Space, name: &str) -> Slot {
        let next = Slot(self.slots.len());
        *self.slots.entry((space, name.to_owned())).or_insert(next)
    }

    /// The variables that texts have named so far, with their numbers.
    pub(super) fn slots(&self) -> impl Iterator<Item = (Space, &str, Slot)> {
        self.slots.iter().map(|((space, name), slot)| (*space, name.as_str(), *slot))
    }

    /// Compiles a text.
    pub fn template(&mut self, text: &str) -> Draft {
        self.escaped(text, Escape::Raw)
    }

    /// Compiles a text whose literal parts and holes are both written with `escape`.
    pub fn escaped(&mut self, text: &str, escape: Escape) -> Draft {
        // A hole has no `}` inside; the reference matches the same way.
        static HOLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{([^}]+)\}").ok());
        let mut template = Draft::default();
        let mut rest = 0;
        for found in HOLE.iter().flat_map(|hole| hole.captures_iter(text)) {
            let (Some(whole), Some(inner)) = (found.get(0), found.get(1)) else { continue };
            let before = text.get(rest..whole.start()).unwrap_or_default();
            template.push_literal(&escape.written(before));
            rest = whole.end();
            match self.hole(inner.as_str().trim()) {
                Some(hole) => template.pieces.push(Piece::Hole {
                    hole,
                    written: whole.as_str().into(),
                    escape,
                }),
                None => template.push_literal(&escape.written(whole.as_str())),
            }
        }
        template.push_literal(&escape.written(text.get(rest..).unwrap_or_default()));
        template
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

    /// What a placeholder stands for; `None` where that is nothing.
    fn hole(&mut self, token: &str) -> Option<Symbol> {
        static CALL: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"^([a-zA-Z_]\w*)\((.*)\)$").ok());
        if token.is_empty() {
            return None;
        }
        if let Some(call) = CALL.as_ref().and_then(|call| call.captures(token)) {
            let part = |index| call.get(index).map_or("", |part| part.as_str());
            return function(&part(1).to_ascii_lowercase(), part(2)).map(Symbol::Known);
        }
        let Some((prefix, rest)) = token.split_once('.') else {
            return Some(Symbol::Known(Hole::Variable(self.slot(Space::Var, token))));
        };
        match prefix.to_ascii_lowercase().as_str() {
            "var" => Some(Symbol::Known(Hole::Variable(self.slot(Space::Var, rest)))),
            "session" => Some(Symbol::Known(Hole::Variable(self.slot(Space::Session, rest)))),
            "env" => Some(Symbol::Environment(rest.into())),
            "csv" => {
                let (source, column) = rest.split_once('.')?;
                Some(Symbol::Column { source: source.into(), column: column.into() })
            }
            "faker" => Faker::named(rest).map(|kind| Symbol::Known(Hole::Faker(kind))),
            _ => None,
        }
    }
}

/// Takes JSON whose strings may hold placeholders; names of members hold none.
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
