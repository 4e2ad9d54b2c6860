//! The values of templates' holes, for a whole plan and for one user.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Hole, Slot};
use crate::load::misses::{Kind, Misses};
use crate::load::source::CsvRows;

/// What the holes of a plan's templates refer to; shared by all users.
#[derive(Debug, Default)]
pub struct Names {
    /// The initial value of each slot.
    pub(super) initial: Vec<Option<Arc<str>>>,
    /// What is known before the first request: placeholders that never have a value, and the like.
    pub(crate) warnings: Vec<String>,
    pub(super) sources: Vec<Arc<CsvRows>>,
}

/// One user's variables and randomness.
#[derive(Debug)]
pub struct Scope {
    names: Arc<Names>,
    variables: Vec<Variable>,
    /// This execution's row of each source: taken once, then used for every column.
    rows: Vec<Option<Option<usize>>>,
    random: fastrand::Rng,
    misses: Misses,
    pub(super) scratch: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Variable {
    Unset,
    /// The plan's initial value.
    Shared(Arc<str>),
    /// A value that this user has extracted.
    Own(String),
}

impl Scope {
    /// The scope of a new user; the seed makes its random choices repeatable.
    pub fn new(names: &Arc<Names>, seed: u64) -> Self {
        let initial = names.initial.iter();
        Self {
            names: Arc::clone(names),
            variables: initial
                .map(|value| value.clone().map_or(Variable::Unset, Variable::Shared))
                .collect(),
            rows: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
            misses: Misses::default(),
            scratch: Vec::new(),
        }
    }

    /// Begins the execution of a task: each CSV source supplies its next row when first used.
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

    /// Counts what was looked for in vain.
    #[cold]
    pub fn miss(&mut self, kind: Kind, what: &str) {
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
        let Some(rows) = self.names.sources.get(source) else { return false };
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
