//! Placeholders: compiled once, linked when the test starts, filled in for every request. A
//! [`Compiler`] turns a text with `${…}` into a [`Draft`], as far as the document alone allows. The
//! results of earlier actions (variables, CSV sources, files) and the environment are only named in
//! it. [`Draft::link`] turns it into a [`Template`]: literal pieces and numbered holes, so that
//! filling one in needs no lookup by name. What cannot be resolved stays as written. A draft has a
//! different type, so it cannot run unlinked.

mod compile;
mod link;
mod scope;

use std::borrow::Cow;

use bytes::Bytes;

use super::faker::Faker;
use super::misses::Kind;
use crate::value::{Charset, json_text_into};

pub use compile::{Compiler, Reference, references};
pub use link::{Bindings, Linker, not_set, unset_variable};
pub use scope::{MAX_EXTRACTED, Names, Scope, Unkept};

/// The namespace of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// `${var.NAME}` and `${NAME}`.
    Var,
    /// `${session.NAME}`.
    Session,
}

/// The number of a variable within a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(usize);

/// How a value is written into its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Unchanged.
    Raw,
    /// Inside a JSON string, in ASCII, as Python's `json.dumps` writes it.
    Json,
    /// In a form or a query: `application/x-www-form-urlencoded`.
    Form,
    /// Inside the quotes of a `Content-Disposition`, as browsers and urllib3 write it (the HTML
    /// standard's multipart/form-data encoding).
    Quoted,
}

/// Parts of at least this length are shared by all who fill in a text; copying shorter ones costs less
/// than a write of their own.
const SHARED: usize = 16 * 1024;

/// A text with holes, whose kind depends on the stage.
#[derive(Debug, Clone)]
pub struct Text<H> {
    pieces: Vec<Piece<H>>,
}

/// A compiled text, whose holes may be resolved only when the test starts.
pub type Draft = Text<Symbol>;

/// A linked text: its holes are numbers, so filling one in needs no lookup by name.
pub type Template = Text<Hole>;

#[derive(Debug, Clone)]
enum Piece<H> {
    /// A string, because a body is compiled from as many parts as it has elements.
    Literal(String),
    /// Binary data: the content of a file.
    Bytes(Bytes),
    Hole {
        hole: H,
        written: Box<str>,
        escape: Escape,
    },
}

/// A hole of a [`Draft`].
#[derive(Debug, Clone)]
pub enum Symbol {
    /// A hole that the document alone determines.
    Known(Hole),
    /// Nothing: it stays as it was written.
    Unknown,
    /// `${env.NAME}`
    Environment(Box<str>),
    /// `${csv.SOURCE.COLUMN}`
    Column {
        /// The source's name.
        source: Box<str>,
        /// The column's name.
        column: Box<str>,
    },
    /// The content of a file, itself a text with holes.
    File {
        /// Its path in the data directory.
        path: Box<str>,
        /// Where the document names it.
        place: Box<str>,
    },
}

/// A hole of a [`Template`].
#[derive(Debug, Clone)]
pub enum Hole {
    /// A variable of the user.
    Variable(Slot),
    /// A column of a CSV source, both by index.
    Column {
        /// The source.
        source: usize,
        /// The column.
        column: usize,
    },
    /// `${uuid()}`
    Uuid,
    /// `${now()}`
    Now,
    /// `${randint(LOW, HIGH)}`
    RandInt {
        /// The smallest.
        low: i64,
        /// The largest.
        high: i64,
    },
    /// `${faker.KIND}`
    Faker(Faker),
}

impl<H> Default for Text<H> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<H> Text<H> {
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
            last.push_str(text);
        } else {
            self.pieces.push(Piece::Literal(text.to_owned()));
        }
    }

    /// Appends bytes that need not be UTF-8. They have no placeholders.
    pub fn push_bytes(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.pieces.push(Piece::Bytes(bytes));
        }
    }

    /// Appends another text, whose parts keep their escaping.
    pub fn push(&mut self, other: Self) {
        for piece in other.pieces {
            match piece {
                Piece::Literal(text) => self.push_literal(&text),
                other => self.pieces.push(other),
            }
        }
    }

    /// The text, if it has no holes.
    pub fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it has no holes, so that it is the same every time.
    pub fn is_constant(&self) -> bool {
        self.pieces.iter().all(|piece| !matches!(piece, Piece::Hole { .. }))
    }

    /// Its length in bytes as written in the document.
    pub fn written_length(&self) -> usize {
        let lengths = self.pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => text.len(),
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Hole { written, .. } => written.len(),
        });
        lengths.sum()
    }

    /// Whether it never writes anything.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The text as written in the document.
    pub fn written(&self) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Cow::Borrowed(text.as_str()),
                Piece::Bytes(bytes) => String::from_utf8_lossy(bytes),
                Piece::Hole { written, .. } => Cow::Borrowed(&**written),
            })
            .collect()
    }
}

impl Template {
    /// The variable that the text begins with, if any.
    pub fn leading_variable(&self) -> Option<Slot> {
        match self.pieces.first()? {
            Piece::Hole { hole: Hole::Variable(slot), .. } => Some(*slot),
            _ => None,
        }
    }

    /// Fills in the holes and appends the text.
    pub fn fill(&self, scope: &mut Scope, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            if !piece.fill(scope, out) {
                return;
            }
        }
    }

    /// The text with its long literal parts as bytes that all who fill it in share.
    pub fn with_shared_parts(self) -> Self {
        let pieces = self.pieces.into_iter().map(|piece| match piece {
            Piece::Literal(text) if text.len() >= SHARED => Piece::Bytes(Bytes::from(text)),
            piece => piece,
        });
        Self { pieces: pieces.collect() }
    }

    /// Fills in the holes; long parts that do not change are shared, not copied.
    pub fn fill_apart(&self, scope: &mut Scope, out: &mut Filled) {
        out.clear();
        for piece in &self.pieces {
            let shared = match piece {
                Piece::Bytes(bytes) => Some(bytes),
                Piece::Hole { hole: Hole::Variable(slot), escape: Escape::Raw, .. } => {
                    scope.shared(*slot)
                }
                _ => None,
            };
            if let Some(bytes) = shared.filter(|bytes| bytes.len() >= SHARED) {
                let bytes = bytes.clone();
                out.share(bytes);
                if let Piece::Hole { written, .. } = piece
                    && !scope.fits(out.len(), written)
                {
                    return;
                }
            } else if !piece.fill(scope, &mut out.bytes) {
                return;
            }
        }
    }

    /// The text with its holes filled in, copied only if it has some.
    pub fn filled(&self, scope: &mut Scope) -> Cow<'_, str> {
        match self.as_literal() {
            Some(text) => Cow::from(text),
            None => Cow::from(self.text(scope)),
        }
    }

    /// The text with its holes filled in.
    pub fn text(&self, scope: &mut Scope) -> String {
        if let Some(text) = self.as_literal() {
            return text.to_owned();
        }
        let mut out = Vec::new();
        self.fill(scope, &mut out);
        String::from_utf8(out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

impl Piece<Hole> {
    /// Appends its text; returns `false` when it has become too long.
    #[inline]
    fn fill(&self, scope: &mut Scope, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::Hole { hole, written, escape: Escape::Raw } => {
                if !scope.resolve(hole, out) {
                    scope.miss(Kind::Placeholder, written);
                    out.extend_from_slice(written.as_bytes());
                }
                return scope.fits(out.len(), written);
            }
            Self::Hole { hole, written, escape } => {
                let mut raw = std::mem::take(&mut scope.scratch);
                raw.clear();
                if !scope.resolve(hole, &mut raw) {
                    scope.miss(Kind::Placeholder, written);
                    raw.extend_from_slice(written.as_bytes());
                }
                escape.write(&String::from_utf8_lossy(&raw), out);
                scope.give_back(raw);
                return scope.fits(out.len(), written);
            }
        }
        true
    }
}

/// A text that was filled in: what was written for one, and long parts in between that all share.
#[derive(Debug, Clone, Default)]
pub struct Filled {
    /// What is not shared.
    pub bytes: Vec<u8>,
    /// Shared parts, each after so many of `bytes`.
    pub shared: Vec<(usize, Bytes)>,
    /// The length of the shared parts.
    length: usize,
}

impl Filled {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.length
    }

    /// Whether it has no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a part that is shared.
    pub fn share(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        self.shared.push((self.bytes.len(), bytes));
    }

    /// Clears it for the next text.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.shared.clear();
        self.length = 0;
    }
}

impl Escape {
    /// Writes a text with this escaping.
    pub fn write(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Raw => out.extend_from_slice(text.as_bytes()),
            Self::Json => json_text_into(text, Charset::Ascii, out),
            Self::Form => form(text, out),
            Self::Quoted => {
                for byte in text.bytes() {
                    match byte {
                        b'"' | b'\r' | b'\n' => percent(byte, out),
                        _ => out.push(byte),
                    }
                }
            }
        }
    }

    /// Returns a text with this escaping.
    pub fn written(self, text: &str) -> String {
        let mut out = Vec::new();
        self.write(text, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// Encodes a text for a form or a query like Python's `quote_plus`.
fn form(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(byte),
            b' ' => out.push(b'+'),
            _ => percent(byte, out),
        }
    }
}

/// A byte as URLs and forms escape it: `%2F`.
pub(crate) fn percent(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push(b'%');
    for digit in [byte >> 4, byte & 15] {
        out.extend(HEX.get(usize::from(digit)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::source::CsvRows;
    use super::*;
    use crate::value::{Invalid, Reader, Value};

    /// Compiles a value, links it and fills it in.
    fn run(compile: impl FnOnce(&mut Compiler) -> Draft) -> Result<String, Invalid> {
        let rows = CsvRows::read("id,name\n1,ann\n2,bob\n".as_bytes(), true).expect("CSV");
        let rows = Arc::new(rows);
        let variables = [("host", "h"), ("n", "1.0"), ("s", "it's \"é\" & more")]
            .map(|(name, text)| (name, text.to_owned()));
        let mut compiler = Compiler::default();
        let draft = compile(&mut compiler);
        let bindings = Bindings {
            variable: &|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, text)| text.clone())
            },
            source: &|name| (name == "users").then(|| Arc::clone(&rows)),
            environment: &|name| (name == "SHELL").then(|| "sh \"".to_owned()),
            read_file: &|path| match path {
                "upload" => Ok("of ${host} and ${late}".into()),
                _ => Err("does not exist".to_owned()),
            },
            memory: None,
        };
        let mut linker = Linker::new(compiler, bindings);
        let template = draft.link(&mut linker)?;
        let names = Arc::new(linker.names());
        let mut scope = Scope::new(&names, 7);
        scope.begin();
        Ok(template.text(&mut scope))
    }

    fn fill(text: &str, escape: Escape) -> String {
        run(|compiler| compiler.escaped(text, escape)).expect("a template")
    }

    #[test]
    fn unresolved_placeholders_stay_as_written() {
        for (text, filled) in [
            ("plain", "plain"),
            ("http://${var.host}/${ n }", "http://h/1.0"),
            ("${unknown}|${var.unknown}|${nope.x}|${}", "${unknown}|${var.unknown}|${nope.x}|${}"),
            ("${env.SHELL} ${env.HOME}", "sh \" ${env.HOME}"),
            (
                "${csv.users.id}${csv.users.name} ${csv.users.x} ${csv.no.id} ${csv.no}",
                "1ann ${csv.users.x} ${csv.no.id} ${csv.no}",
            ),
            (
                "${randint(3, 3)} ${randint(5, 1)} ${randint(a, b)}",
                "3 ${randint(5, 1)} ${randint(a, b)}",
            ),
            ("${s}", "it's \"é\" & more"),
            ("${session.s}", "${session.s}"),
            ("${faker.no_such}", "${faker.no_such}"),
        ] {
            assert_eq!(fill(text, Escape::Raw), filled);
        }
        assert_eq!(
            fill("é ${s}${env.SHELL}", Escape::Json),
            "\\u00e9 it's \\\"\\u00e9\\\" & moresh \\\""
        );
        assert_eq!(fill("a b ${s}", Escape::Form), "a+b+it%27s+%22%C3%A9%22+%26+more");
        assert_eq!(fill("~-_.*!'()/", Escape::Form), "~-_.%2A%21%27%28%29%2F");
        assert_eq!(fill("${uuid()}", Escape::Raw).len(), 36);
        assert_eq!(fill("${now()}", Escape::Raw).len(), 19);
    }

    #[test]
    fn json_is_spelled_as_python_spells_it() {
        let value =
            Value::parse(r#"{"k": "é${s}", "n": [1, 2.0, true, null, 1e-7]}"#).expect("JSON");
        assert_eq!(
            run(|compiler| compiler.json(&value)).expect("a template"),
            r#"{"k": "\u00e9it's \"\u00e9\" & more", "n": [1, 2.0, true, null, 1e-07]}"#
        );
    }

    #[test]
    fn a_file_is_read_when_its_text_is_linked_and_its_placeholders_are_filled_in() {
        let file = |path: &str| {
            let value = Value::from(path);
            run(|compiler| {
                let mut text = Draft::literal("content ");
                text.push(compiler.file(&Reader::at(&value, "/tasks/2/files/f"), path));
                text
            })
        };
        assert_eq!(file("upload").as_deref(), Ok("content of h and ${late}"));
        let refusal = file("nope").unwrap_err().to_string();
        assert_eq!(refusal, "/tasks/2/files/f: does not exist");
    }

    #[test]
    fn a_binary_file_stays_unchanged() {
        let value = Value::from("picture");
        let mut compiler = Compiler::default();
        let mut draft = compiler.template("${host} ");
        draft.push(compiler.file(&Reader::at(&value, "/f"), "picture"));
        let content = [&b"${host}"[..], &[0xff, 0, 0xfe]].concat();
        let read = content.clone();
        let bindings = Bindings { read_file: &|_| Ok(read.clone()), ..Bindings::NONE };
        let mut linker = Linker::new(compiler, bindings);
        let template = draft.link(&mut linker).expect("a template");
        assert_eq!((template.is_constant(), template.as_literal()), (false, None));
        assert_eq!(template.written_length(), 8 + content.len());
        let mut out = Vec::new();
        template.fill(&mut Scope::new(&Arc::new(linker.names()), 7), &mut out);
        assert_eq!(out, [&b"${host} "[..], &content].concat());
    }

    #[test]
    fn a_text_with_only_constants_is_a_literal_once_linked() {
        let bindings = Bindings { environment: &|_| Some("x".to_owned()), ..Bindings::NONE };
        let mut compiler = Compiler::default();
        let (fixed, changes) = (compiler.template("/${env.A}"), compiler.template("/${a}"));
        assert_eq!((fixed.as_literal(), &*fixed.written()), (None, "/${env.A}"));
        let mut linker = Linker::new(compiler, bindings);
        let mut link = |draft: Draft| draft.link(&mut linker).expect("a template");
        assert_eq!(link(fixed).as_literal(), Some("/x"));
        assert_eq!(link(changes).as_literal(), None);
    }

    #[test]
    fn t41_long_parts_of_a_text_are_shared_and_a_file_is_read_once_for_all_of_them() {
        let long = |letter: &str, length: usize| letter.repeat(length);
        let content = format!("{}${{v}}{}${{w}}short", long("x", SHARED), long("y", SHARED - 1));
        let value = Value::from("up");
        let mut compiler = Compiler::default();
        let place = Reader::at(&value, "/f");
        let drafts = [compiler.file(&place, "up"), compiler.file(&place, "up")];
        let literal = compiler.template(&(long("z", SHARED) + "${w}"));
        let reads = std::cell::Cell::new(0);
        let large = long("L", SHARED);
        let bindings = Bindings {
            variable: &|name| Some(if name == "v" { "VAL".to_owned() } else { large.clone() }),
            read_file: &|_| {
                reads.set(reads.get() + 1);
                Ok(content.clone().into_bytes())
            },
            ..Bindings::NONE
        };
        let mut linker = Linker::new(compiler, bindings);
        let files = drafts.map(|draft| draft.link(&mut linker).expect("a template"));
        let literal = literal.link(&mut linker).expect("a template").with_shared_parts();
        assert_eq!(reads.get(), 1);
        let names = Arc::new(linker.names());
        let (mut one, mut other) = (Scope::new(&names, 1), Scope::new(&names, 2));
        let fill = |template: &Template, scope: &mut Scope| {
            let (mut filled, mut whole) = (Filled::default(), Vec::new());
            template.fill_apart(scope, &mut filled);
            template.fill(scope, &mut whole);
            assert_eq!(filled.len(), whole.len());
            filled
        };
        let (first, second) = (fill(&files[0], &mut one), fill(&files[1], &mut other));
        let places = |filled: &Filled| -> Vec<_> {
            filled.shared.iter().map(|(at, part)| (*at, part.as_ptr(), part.len())).collect()
        };
        assert_eq!(places(&first), places(&second), "the file and the variable are shared");
        let rest = format!("VAL{}short", long("y", SHARED - 1));
        assert_eq!(String::from_utf8_lossy(&first.bytes), rest);
        assert_eq!(first.shared.len(), 2);
        assert_eq!(fill(&literal, &mut one).shared.len(), 2);
    }
}
