//! Placeholders, compiled once and filled in for every request. A [`Compiler`] turns a text with
//! `${…}` into a [`Template`]: literal pieces and holes whose variables are already numbered, so
//! that filling one in looks nothing up. What cannot be resolved stays as it was written. Data goes
//! from the document through the compiler into the plan; at run time from a user's [`Scope`] into
//! bytes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::faker::Faker;
use super::source::Source;
use crate::value::Value;

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
            Self::Json => json_ascii(text, out),
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

/// The inside of a JSON string as Python's `json.dumps` writes it: only ASCII, `\uXXXX` for the
/// rest, surrogate pairs beyond the basic plane.
fn json_ascii(text: &str, out: &mut Vec<u8>) {
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            ' '..='\u{7e}' => out.push(character as u8),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                }
            }
        }
    }
}

/// What the holes of a plan's templates refer to: filled while the plan is compiled, then shared by
/// all its users.
#[derive(Debug, Default)]
pub struct Names {
    slots: Vec<(Space, String)>,
    by_name: HashMap<(Space, String), Slot>,
    sources: Vec<(String, Arc<Source>)>,
    /// What each slot holds when a user begins.
    initial: Vec<Option<Arc<str>>>,
}

impl Names {
    /// The number of a variable.
    pub fn slot(&mut self, space: Space, name: &str) -> Slot {
        let key = (space, name.to_owned());
        if let Some(slot) = self.by_name.get(&key) {
            return *slot;
        }
        let slot = Slot(self.slots.len());
        self.slots.push(key.clone());
        self.by_name.insert(key, slot);
        self.initial.push(None);
        slot
    }

    /// Sets what every user's variable holds at the beginning, as text (`null` leaves it unset).
    pub fn set(&mut self, space: Space, name: &str, value: &Value) {
        let slot = self.slot(space, name);
        if let Some(initial) = self.initial.get_mut(slot.0) {
            *initial = match value {
                Value::Null => None,
                value => Some(value.to_text().into()),
            };
        }
    }

    /// Adds a CSV source, or replaces the one of that name.
    pub fn add_source(&mut self, name: &str, source: Arc<Source>) {
        match self.sources.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = source,
            None => self.sources.push((name.to_owned(), source)),
        }
    }
}

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
        let mut template = Template::default();
        self.json_into(value, &mut template);
        template
    }

    fn json_into(&mut self, value: &Value, out: &mut Template) {
        match value {
            Value::Null => out.push_literal("null"),
            Value::Bool(true) => out.push_literal("true"),
            Value::Bool(false) => out.push_literal("false"),
            Value::Float(number) if number.is_nan() => out.push_literal("NaN"),
            Value::Float(number) if number.is_infinite() => {
                out.push_literal(if *number < 0.0 { "-Infinity" } else { "Infinity" });
            }
            Value::Int(_) | Value::Big(_) | Value::Float(_) => out.push_literal(&value.to_repr()),
            Value::Str(text) => {
                out.push_literal("\"");
                let inner = self.escaped(text, Escape::Json);
                out.push(inner);
                out.push_literal("\"");
            }
            Value::List(items) | Value::Tuple(items) => {
                out.push_literal("[");
                for (index, item) in items.iter().enumerate() {
                    out.push_literal(if index > 0 { ", " } else { "" });
                    self.json_into(item, out);
                }
                out.push_literal("]");
            }
            Value::Dict(members) => {
                out.push_literal("{");
                for (index, (key, item)) in members.iter().enumerate() {
                    out.push_literal(if index > 0 { ", \"" } else { "\"" });
                    out.push_literal(&Escape::Json.written(key));
                    out.push_literal("\": ");
                    self.json_into(item, out);
                }
                out.push_literal("}");
            }
        }
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

/// One user's variables and randomness.
#[derive(Debug)]
pub struct Scope {
    names: Arc<Names>,
    variables: Vec<Variable>,
    /// This execution's row of each source: taken once, then used for every column.
    rows: Vec<Option<Option<usize>>>,
    random: fastrand::Rng,
    scratch: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Variable {
    Unset,
    /// What the plan gave every user.
    Shared(Arc<str>),
    /// What this user has extracted.
    Own(String),
}

impl Scope {
    /// A user's scope at its beginning; the seed makes its choices repeatable.
    pub fn new(names: &Arc<Names>, seed: u64) -> Self {
        let initial = names.initial.iter();
        Self {
            names: Arc::clone(names),
            variables: initial
                .map(|value| value.clone().map_or(Variable::Unset, Variable::Shared))
                .collect(),
            rows: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
            scratch: Vec::new(),
        }
    }

    /// Begins the execution of a task: each CSV source gives its next row when first asked.
    pub fn begin(&mut self) {
        if !self.names.sources.is_empty() {
            self.rows.clear();
            self.rows.resize(self.names.sources.len(), None);
        }
    }

    /// Sets a variable for this user alone.
    pub fn set(&mut self, slot: Slot, value: &str) {
        match self.variables.get_mut(slot.0) {
            Some(Variable::Own(text)) => {
                text.clear();
                text.push_str(value);
            }
            Some(variable) => *variable = Variable::Own(value.to_owned()),
            None => {}
        }
    }

    /// The user's source of randomness.
    pub fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    fn resolve(&mut self, hole: &Hole, out: &mut Vec<u8>) -> bool {
        match hole {
            Hole::Variable(slot) => match self.variables.get(slot.0) {
                Some(Variable::Shared(text)) => out.extend_from_slice(text.as_bytes()),
                Some(Variable::Own(text)) => out.extend_from_slice(text.as_bytes()),
                Some(Variable::Unset) | None => return false,
            },
            Hole::Column { source, column } => return self.cell(*source, *column, out),
            Hole::Uuid => {
                let bytes = self.random.u128(..).to_ne_bytes();
                let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
                let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
                out.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
            }
            Hole::Now => now(out),
            Hole::RandInt { low, high } => {
                let number = self.random.i64(*low..=*high);
                out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
            Hole::Faker(kind) => {
                let text = kind.make(&mut self.random);
                out.extend_from_slice(text.as_bytes());
            }
        }
        true
    }

    fn cell(&mut self, source: usize, column: usize, out: &mut Vec<u8>) -> bool {
        let Some((_, rows)) = self.names.sources.get(source) else { return false };
        if self.rows.len() <= source {
            self.rows.resize(self.names.sources.len(), None);
        }
        let Some(turn) = self.rows.get_mut(source) else { return false };
        let row = *turn.get_or_insert_with(|| rows.next_row());
        match row.and_then(|row| rows.cell(row, column)) {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                true
            }
            None => false,
        }
    }
}

/// Local time in ISO 8601 to the second, as the reference writes it. The text is kept for as long
/// as the second lasts: telling the civil time costs more than the rest of a request's template.
fn now(out: &mut Vec<u8>) {
    thread_local! {
        static LAST: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    let second = jiff::Timestamp::now().as_second();
    LAST.with_borrow_mut(|(at, text)| {
        if *at != second {
            *at = second;
            text.clear();
            let local = jiff::ZonedDateTime::now();
            let _ = write!(text, "{}", local.strftime("%Y-%m-%dT%H:%M:%S"));
        }
        out.extend_from_slice(text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

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
