//! Placeholders, compiled once and filled in for every request. A [`Compiler`] turns a text with
//! `${…}` into a [`Template`]: literal pieces and holes whose variables are already numbered, so
//! that filling one in looks nothing up. What cannot be resolved stays as it was written. Data goes
//! from the document through the compiler into the plan; at run time from a user's [`Scope`] into
//! bytes.

mod compile;
mod scope;

use super::faker::Faker;
use crate::value::{Charset, json_text_into};

pub use compile::{Compiler, Environment};
pub use scope::{Names, Scope};

/// Where a variable lives: the two namespaces of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// `${var.NAME}` and `${NAME}`.
    Var,
    /// `${session.NAME}`.
    Session,
}

/// A variable's number within a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(usize);

/// How a filled-in value is written where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// As it is.
    Raw,
    /// Inside a JSON string, in ASCII, as Python's `json.dumps` writes it.
    Json,
    /// In a form or a query: `application/x-www-form-urlencoded`.
    Form,
}

#[derive(Debug, Clone)]
enum Piece {
    Literal(Box<str>),
    Hole { hole: Hole, written: Box<str>, escape: Escape },
}

#[derive(Debug, Clone)]
enum Hole {
    Variable(Slot),
    Column { source: usize, column: usize },
    Uuid,
    Now,
    RandInt { low: i64, high: i64 },
    Faker(Faker),
}

/// A text with holes.
#[derive(Debug, Clone, Default)]
pub struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// A text without holes.
    pub fn literal(text: impl Into<Box<str>>) -> Self {
        let mut template = Self::default();
        template.push_literal(&text.into());
        template
    }

    /// Appends text.
    pub fn push_literal(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Piece::Literal(last)) = self.pieces.last_mut() {
            *last = format!("{last}{text}").into();
        } else {
            self.pieces.push(Piece::Literal(text.into()));
        }
    }

    /// Appends another template; its holes are written with `escape`, its text already is.
    pub fn push(&mut self, other: Template) {
        for piece in other.pieces {
            match piece {
                Piece::Literal(text) => self.push_literal(&text),
                hole => self.pieces.push(hole),
            }
        }
    }

    /// The text, when there is no hole in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether nothing is ever written.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Fills the holes in and appends the text.
    pub fn fill(&self, scope: &mut Scope, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Hole { hole, written, escape: Escape::Raw } => {
                    if !scope.resolve(hole, out) {
                        out.extend_from_slice(written.as_bytes());
                    }
                }
                Piece::Hole { hole, written, escape } => {
                    let mut raw = std::mem::take(&mut scope.scratch);
                    raw.clear();
                    if !scope.resolve(hole, &mut raw) {
                        raw.extend_from_slice(written.as_bytes());
                    }
                    escape.write(&String::from_utf8_lossy(&raw), out);
                    scope.scratch = raw;
                }
            }
        }
    }

    /// The text with its holes filled in.
    pub fn text(&self, scope: &mut Scope) -> String {
        if let Some(text) = self.as_literal() {
            return text.to_owned();
        }
        let mut out = Vec::new();
        self.fill(scope, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// As it was written in the document.
    pub fn written(&self) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => &**text,
                Piece::Hole { written, .. } => &**written,
            })
            .collect()
    }
}

impl Escape {
    /// Writes text the way it must stand there.
    pub fn write(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Raw => out.extend_from_slice(text.as_bytes()),
            Self::Json => json_text_into(text, Charset::Ascii, out),
            Self::Form => form(text, out),
        }
    }

    /// Text the way it must stand there.
    pub fn written(self, text: &str) -> String {
        let mut out = Vec::new();
        self.write(text, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// Text in a form or a query as Python's `quote_plus` writes it.
fn form(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(byte),
            b' ' => out.push(b'+'),
            _ => {
                out.push(b'%');
                out.extend(HEX.get(usize::from(byte >> 4)));
                out.extend(HEX.get(usize::from(byte & 15)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::source::Source;
    use super::*;
    use crate::value::Value;

    fn fill(text: &str, escape: Escape) -> String {
        let mut names = Names::default();
        names.set(Space::Var, "host", &"h".into());
        names.set(Space::Var, "n", &Value::Float(1.0));
        names.set(Space::Var, "none", &Value::Null);
        names.set(Space::Session, "s", &"it's \"é\" & more".into());
        let rows = Source::read("id,name\n1,ann\n2,bob\n".as_bytes(), true).expect("CSV");
        names.add_source("users", Arc::new(rows));
        let environment = |name: &str| (name == "SHELL").then(|| "sh".to_owned());
        let mut compiler = Compiler::new(names, &environment);
        let template = compiler.escaped(text, escape);
        let names = Arc::new(compiler.names);
        let mut scope = Scope::new(&names, 7);
        scope.begin();
        let mut out = Vec::new();
        template.fill(&mut scope, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_can_be_resolved_is_and_the_rest_stays_as_written() {
        for (text, filled) in [
            ("plain", "plain"),
            ("http://${var.host}/${ n }", "http://h/1.0"),
            (
                "${var.none}|${var.unknown}|${nope.x}|${}",
                "${var.none}|${var.unknown}|${nope.x}|${}",
            ),
            ("${env.SHELL} ${env.HOME}", "sh ${env.HOME}"),
            (
                "${csv.users.id}${csv.users.name} ${csv.users.x} ${csv.no.id}",
                "1ann ${csv.users.x} ${csv.no.id}",
            ),
            (
                "${randint(3, 3)} ${randint(5, 1)} ${randint(a, b)}",
                "3 ${randint(5, 1)} ${randint(a, b)}",
            ),
            ("${session.s}", "it's \"é\" & more"),
            ("${faker.no_such}", "${faker.no_such}"),
        ] {
            assert_eq!(fill(text, Escape::Raw), filled);
        }
        assert_eq!(fill("é ${session.s}", Escape::Json), "\\u00e9 it's \\\"\\u00e9\\\" & more");
        assert_eq!(fill("a b ${session.s}", Escape::Form), "a+b+it%27s+%22%C3%A9%22+%26+more");
        assert_eq!(fill("~-_.*!'()/", Escape::Form), "~-_.%2A%21%27%28%29%2F");
        assert_eq!(fill("${uuid()}", Escape::Raw).len(), 36);
        assert_eq!(fill("${now()}", Escape::Raw).len(), 19);
    }

    #[test]
    fn json_is_spelled_as_python_spells_it() {
        let value =
            Value::parse(r#"{"k": "é${n}", "n": [1, 2.0, true, null, 1e-7]}"#).expect("JSON");
        let mut names = Names::default();
        names.set(Space::Var, "n", &"x\ny".into());
        let mut compiler = Compiler::new(names, &|_| None);
        let template = compiler.json(&value);
        let mut scope = Scope::new(&Arc::new(compiler.names), 1);
        assert_eq!(
            template.text(&mut scope),
            r#"{"k": "\u00e9x\ny", "n": [1, 2.0, true, null, 1e-07]}"#
        );
    }
}
