//! Texts become templates: every `${…}` is a hole, a constant, or stays as it was written.

use std::sync::LazyLock;

use regex::Regex;

use super::scope::Names;
use super::{Escape, Hole, Piece, Space, Template};
use crate::load::faker::Faker;
use crate::value::{JsonOut, Value, json_into};

/// Gives those environment variables that documents may read.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Turns texts into templates.
pub struct Compiler<'a> {
    /// What the holes refer to.
    pub names: Names,
    environment: Option<Environment<'a>>,
}

impl std::fmt::Debug for Compiler<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Compiler").field("names", &self.names).finish_non_exhaustive()
    }
}

impl<'a> Compiler<'a> {
    /// A compiler.
    pub fn new(names: Names, environment: Environment<'a>) -> Self {
        Self { names, environment: Some(environment) }
    }

    /// A compiler for a document that is only checked: what is not known yet may come to be before
    /// it runs, so that a variable, a column or the environment is a hole and never literal text.
    pub fn checking() -> Self {
        Self { names: Names::default(), environment: None }
    }

    /// Compiles a text.
    pub fn template(&mut self, text: &str) -> Template {
        self.escaped(text, Escape::Raw)
    }

    /// Compiles a text whose literal parts and holes are both written with `escape`.
    pub fn escaped(&mut self, text: &str, escape: Escape) -> Template {
        // A hole has no `}` inside; the reference matches the same way.
        static HOLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{([^}]+)\}").ok());
        let mut template = Template::default();
        let mut rest = 0;
        for found in HOLE.iter().flat_map(|hole| hole.captures_iter(text)) {
            let (Some(whole), Some(inner)) = (found.get(0), found.get(1)) else { continue };
            let before = text.get(rest..whole.start()).unwrap_or_default();
            template.push_literal(&escape.written(before));
            rest = whole.end();
            match self.hole(inner.as_str().trim()) {
                Found::Hole(hole) => template.pieces.push(Piece::Hole {
                    hole,
                    written: whole.as_str().into(),
                    escape,
                }),
                Found::Text(text) => template.push_literal(&escape.written(&text)),
                Found::Nothing => template.push_literal(&escape.written(whole.as_str())),
            }
        }
        template.push_literal(&escape.written(text.get(rest..).unwrap_or_default()));
        template
    }

    /// Compiles a value as JSON text, in Python's spelling (`{"a": [1, 2.0]}`).
    pub fn json(&mut self, value: &Value) -> Template {
        let mut out = JsonTemplate { compiler: self, template: Template::default() };
        json_into(value, &mut out);
        out.template
    }

    fn hole(&mut self, token: &str) -> Found {
        static CALL: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"^([a-zA-Z_]\w*)\((.*)\)$").ok());
        if token.is_empty() {
            return Found::Nothing;
        }
        if let Some(call) = CALL.as_ref().and_then(|call| call.captures(token)) {
            let part = |index| call.get(index).map_or("", |part| part.as_str());
            return function(&part(1).to_ascii_lowercase(), part(2));
        }
        let Some((prefix, rest)) = token.split_once('.') else {
            return Found::Hole(Hole::Variable(self.names.slot(Space::Var, token)));
        };
        match prefix.to_ascii_lowercase().as_str() {
            "var" => Found::Hole(Hole::Variable(self.names.slot(Space::Var, rest))),
            "session" => Found::Hole(Hole::Variable(self.names.slot(Space::Session, rest))),
            "env" | "csv" if self.environment.is_none() => {
                Found::Hole(Hole::Variable(self.names.slot(Space::Var, token)))
            }
            "env" => {
                let text = self.environment.and_then(|environment| environment(rest));
                text.map_or(Found::Nothing, Found::Text)
            }
            "csv" => self.column(rest).map_or(Found::Nothing, Found::Hole),
            "faker" => {
                Faker::named(rest).map_or(Found::Nothing, |kind| Found::Hole(Hole::Faker(kind)))
            }
            _ => Found::Nothing,
        }
    }

    fn column(&self, rest: &str) -> Option<Hole> {
        let (name, column) = rest.split_once('.')?;
        let source = self.names.sources.iter().position(|(known, _)| known == name)?;
        let (_, rows) = self.names.sources.get(source)?;
        Some(Hole::Column { source, column: rows.column(column)? })
    }
}

/// Takes JSON whose strings may hold placeholders; names of members hold none.
struct JsonTemplate<'a, 'b> {
    compiler: &'a mut Compiler<'b>,
    template: Template,
}

impl JsonOut for JsonTemplate<'_, '_> {
    fn raw(&mut self, json: &str) {
        self.template.push_literal(json);
    }

    fn text(&mut self, text: &str) {
        let text = self.compiler.escaped(text, Escape::Json);
        self.template.push(text);
    }

    fn key(&mut self, key: &str) {
        self.template.push_literal(&Escape::Json.written(key));
    }
}

enum Found {
    Hole(Hole),
    Text(String),
    Nothing,
}

fn function(name: &str, arguments: &str) -> Found {
    match name {
        "uuid" => Found::Hole(Hole::Uuid),
        "now" => Found::Hole(Hole::Now),
        "randint" => {
            let bounds: Option<Vec<i64>> =
                arguments.split(',').map(|bound| bound.trim().parse().ok()).collect();
            match bounds.as_deref() {
                Some([low, high]) if low <= high => {
                    Found::Hole(Hole::RandInt { low: *low, high: *high })
                }
                _ => Found::Nothing,
            }
        }
        _ => Found::Nothing,
    }
}
