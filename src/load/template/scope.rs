//! The values of templates' holes, for a whole plan and for one user.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::{Hole, Slot};
use crate::cold::cold_path;
use crate::load::limits::MAX_TEXT;
use crate::load::misses::{Kind, Misses};
use crate::load::source::CsvRows;
use crate::memory::{Full, Held, Memory};

/// The name of what users extract, in refusals.
const VALUES: &str = "extracted values";

/// The longest value that a user extracts into a variable, in bytes.
pub const MAX_EXTRACTED: usize = 64 * 1024;

/// Buffers above this are given back after use.
const SMALL: usize = 4 * 1024;

/// What the holes of a plan's templates refer to; shared by all users.
#[derive(Debug, Default)]
pub struct Names {
    /// The variables by their slots.
    pub(super) variables: Vec<Variable>,
    /// How many of them users may set.
    pub(super) settable: usize,
    /// What is known before the first request: placeholders that never have a value, and the like.
    pub(crate) warnings: Vec<String>,
    pub(super) sources: Vec<Arc<CsvRows>>,
    /// The ceiling for what users hold.
    pub(super) memory: Option<Arc<Memory>>,
}

/// A variable of a plan.
#[derive(Debug, Clone, Default)]
pub(super) struct Variable {
    /// The initial value, which users share.
    pub(super) initial: Option<Bytes>,
    /// Its index among those that users may set.
    pub(super) own: Option<usize>,
}

/// Why a value cannot be kept in a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unkept {
    /// It is too long.
    #[error("{0} bytes exceed the limit of {MAX_EXTRACTED} for an extracted value")]
    Long(usize),
    /// It does not fit into memory.
    #[error("{0}")]
    Full(#[from] Full),
}

/// What a text is filled in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To be sent.
    Request,
    /// To decide whether a task runs, for which a placeholder without a value is an answer.
    Condition,
    /// To be compared with a response.
    Check,
}

/// One user's variables and randomness.
#[derive(Debug)]
pub struct Scope {
    names: Arc<Names>,
    /// The values that this user has set: none until the first, then one for each settable variable.
    own: Vec<Option<String>>,
    /// The capacity of all of them, in bytes.
    length: usize,
    /// What they take of the ceiling.
    held: Held,
    /// This execution's row of each source: taken once, then used for every column.
    rows: Vec<Option<Option<usize>>>,
    random: fastrand::Rng,
    misses: Misses,
    /// Whether a text of this execution has become too long.
    too_long: bool,
    /// What texts are filled in for.
    purpose: Purpose,
    /// Whether this execution has sent a placeholder as it is written.
    unresolved: bool,
    pub(super) scratch: Vec<u8>,
}

impl Scope {
    /// The scope of a new user; the seed makes its random choices repeatable.
    pub fn new(names: &Arc<Names>, seed: u64) -> Self {
        Self {
            own: Vec::new(),
            length: 0,
            held: names.memory.as_ref().map(|memory| memory.held(VALUES)).unwrap_or_default(),
            names: Arc::clone(names),
            rows: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
            misses: Misses::default(),
            too_long: false,
            purpose: Purpose::Request,
            unresolved: false,
            scratch: Vec::new(),
        }
    }

    /// Begins the execution of a task: each CSV source supplies its next row when first used.
    pub fn begin(&mut self) {
        self.too_long = false;
        self.unresolved = false;
        self.misses.begin();
        self.purpose = Purpose::Request;
        if !self.names.sources.is_empty() {
            cold_path();
            self.rows.clear();
            self.rows.resize(self.names.sources.len(), None);
        }
    }

    /// Begins the execution of a task of which it is known whether it has placeholders that no user
    /// has a value for.
    pub fn begin_task(&mut self, unresolved: bool) {
        self.begin();
        self.unresolved = unresolved;
    }

    /// Begins the execution of a condition.
    pub fn begin_condition(&mut self) {
        self.begin();
        self.purpose = Purpose::Condition;
    }

    /// What follows is no part of the request any more.
    pub fn begin_checks(&mut self) {
        self.purpose = Purpose::Check;
    }

    /// Fills in texts that are not sent: a name, what a response is compared with.
    pub fn aside<T>(&mut self, fill: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.purpose, Purpose::Check);
        let filled = fill(self);
        self.purpose = outer;
        filled
    }

    /// Nothing of this execution has been sent.
    pub fn not_sent(&mut self) {
        self.unresolved = false;
        self.misses.begin();
    }

    /// Counts a request of this execution, if it was sent with a placeholder as it is written.
    pub fn count_request(&mut self) {
        if self.unresolved {
            cold_path();
            self.misses.count_request();
        }
    }

    /// Sets a variable for this user alone; on an error it keeps its value.
    pub fn set(&mut self, slot: Slot, value: &str) -> Result<(), Unkept> {
        if value.len() > MAX_EXTRACTED {
            return Err(Unkept::Long(value.len()));
        }
        let variable = self.names.variables.get(slot.0);
        let Some(own) = variable.and_then(|variable| variable.own) else { return Ok(()) };
        if self.own.is_empty() {
            self.held.set(self.names.settable * size_of::<Option<String>>())?;
            self.own.resize(self.names.settable, None);
        }
        let Some(held) = self.own.get_mut(own) else { return Ok(()) };
        // Values mostly have about one length: then the buffer is used again.
        let before = held.as_ref().map_or(0, String::capacity);
        let again = before >= value.len() && before <= SMALL.max(2 * value.len());
        let length = self.length - before + if again { before } else { value.len() };
        self.held.set(length + self.names.settable * size_of::<Option<String>>())?;
        self.length = length;
        match held {
            Some(text) if again => {
                text.clear();
                text.push_str(value);
            }
            held => *held = Some(value.to_owned()),
        }
        Ok(())
    }

    /// Whether a text of this execution has become too long, so that what was written is not what
    /// the document means.
    pub fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// Checks the length of a text after a placeholder.
    #[inline]
    pub(super) fn fits(&mut self, length: usize, written: &str) -> bool {
        if length > MAX_TEXT {
            self.too_long = true;
            self.miss(Kind::TooLong, written);
        }
        !self.too_long
    }

    /// Gives a large buffer back.
    pub(super) fn give_back(&mut self, mut scratch: Vec<u8>) {
        scratch.clear();
        scratch.shrink_to(SMALL);
        self.scratch = scratch;
    }

    /// Counts what was looked for in vain.
    #[cold]
    pub fn miss(&mut self, kind: Kind, what: &str) {
        let kind = match (kind, self.purpose) {
            (Kind::Placeholder, Purpose::Condition) => return,
            (Kind::Placeholder, Purpose::Check) => Kind::Aside,
            (kind, _) => kind,
        };
        self.unresolved |= kind == Kind::Placeholder;
        self.misses.count(kind, what);
    }

    /// What was.
    pub fn misses(&self) -> &Misses {
        &self.misses
    }

    /// The user's source of randomness.
    pub fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    pub(super) fn resolve(&mut self, hole: &Hole, out: &mut Vec<u8>) -> bool {
        match hole {
            Hole::Variable(slot) => match self.variable(*slot) {
                Some(text) => out.extend_from_slice(text),
                None => return false,
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

    /// The value of a variable: this user's own, otherwise the initial one.
    fn variable(&self, slot: Slot) -> Option<&[u8]> {
        let variable = self.names.variables.get(slot.0)?;
        if let Some(own) = variable.own
            && let Some(Some(text)) = self.own.get(own)
        {
            return Some(text.as_bytes());
        }
        variable.initial.as_deref()
    }

    /// The initial value of a variable that this user has not set.
    pub(super) fn shared(&self, slot: Slot) -> Option<&Bytes> {
        let variable = self.names.variables.get(slot.0)?;
        let own = variable.own.and_then(|own| self.own.get(own)?.as_ref());
        variable.initial.as_ref().filter(|_| own.is_none())
    }

    fn cell(&mut self, source: usize, column: usize, out: &mut Vec<u8>) -> bool {
        let Some(rows) = self.names.sources.get(source) else { return false };
        if self.rows.len() <= source {
            self.rows.resize(self.names.sources.len(), None);
        }
        let Some(turn) = self.rows.get_mut(source) else { return false };
        let row = *turn.get_or_insert_with(|| rows.next_row());
        match row.and_then(|row| rows.cell(row, column)) {
            Some(text) => {
                out.extend_from_slice(text);
                true
            }
            None => false,
        }
    }
}

/// Local time in ISO 8601 to the second, as the reference writes it. The text is cached until the
/// second changes: converting to local time costs more than the rest of a request's template.
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
    use super::super::{Bindings, Compiler, Linker, Space};
    use super::*;

    /// The names of a plan with a thousand variables, of which users may set two, and the slots of
    /// those.
    fn names(memory: &Arc<Memory>) -> (Arc<Names>, [Slot; 2]) {
        let mut compiler = Compiler::default();
        for number in 0..1000 {
            compiler.template(&format!("${{v{number}}}"));
        }
        let slots = ["v7", "v998"].map(|name| compiler.slot(Space::Var, name));
        let bindings = Bindings {
            variable: &|name| Some(format!("initial {name}")),
            memory: Some(memory),
            ..Bindings::NONE
        };
        (Arc::new(Linker::new(compiler, bindings).names()), slots)
    }

    fn text(scope: &Scope, slot: Slot) -> String {
        let value = scope.variable(slot).expect("a value");
        String::from_utf8(value.to_vec()).expect("text")
    }

    #[test]
    fn t39_a_user_holds_only_the_variables_that_it_has_set() {
        let memory = Memory::new(1 << 20);
        let (names, [first, second]) = names(&memory);
        let (mut one, other) = (Scope::new(&names, 1), Scope::new(&names, 2));
        assert_eq!((one.own.capacity(), text(&one, first)), (0, "initial v7".to_owned()));
        one.set(second, "own").expect("kept");
        assert_eq!(
            (one.own.len(), text(&one, second), text(&one, first)),
            (2, "own".to_owned(), "initial v7".to_owned())
        );
        assert_eq!(text(&other, second), "initial v998");
    }

    #[test]
    fn t39_an_extracted_value_over_a_limit_is_an_error_and_the_old_one_stays() {
        let memory = Memory::new(100 << 10);
        let (names, [first, second]) = names(&memory);
        let mut scope = Scope::new(&names, 1);
        let long = |length: usize| "x".repeat(length);
        scope.set(first, "old").expect("kept");
        let error = scope.set(first, &long(MAX_EXTRACTED + 1)).expect_err("too long").to_string();
        assert_eq!(error, "65537 bytes exceed the limit of 65536 for an extracted value");
        assert_eq!((text(&scope, first), memory.taken()), ("old".to_owned(), 0));
        scope.set(first, &long(MAX_EXTRACTED)).expect("kept");
        let error = scope.set(second, &long(MAX_EXTRACTED)).expect_err("full").to_string();
        assert!(
            error.starts_with("extracted values: 64 KiB more do not fit, 68 KiB of 100 KiB"),
            "{error}"
        );
        scope.set(first, "short").expect("kept");
        assert_eq!((text(&scope, first), memory.taken()), ("short".to_owned(), 0));
        scope.set(second, &long(MAX_EXTRACTED)).expect("kept");
        drop(scope);
        assert_eq!(memory.taken(), 0);
    }
}
