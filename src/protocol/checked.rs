//! A response of any protocol, as assertions and extractors see it ([`Checked`]): how much of it is
//! kept for them, and why its body may be unreadable.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use crate::memory::{Full, Held, Memory};
use crate::value::{Invalid, Reader, Value};

/// The default of `--max-body-bytes`: how much of a response is kept for assertions, extractors and
/// reports, in bytes.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// A response, as assertions and extractors see it.
pub(crate) trait Checked {
    /// Whether responses of the protocol have a status.
    const HAS_STATUS: bool = false;
    /// Whether they have headers.
    const HAS_HEADERS: bool = false;

    /// The status, if the protocol has one.
    fn status(&self) -> Option<u16> {
        None
    }

    /// A header's value, by its name in any case.
    fn header(&self, _name: &str) -> Option<String> {
        None
    }

    /// The body as UTF-8 text, decoded.
    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable>;

    /// The same for a body that should be JSON.
    fn json(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        self.text()
    }
}

/// How a response's body is kept: up to a limit, and under the ceiling for memory.
#[derive(Debug)]
pub(crate) struct BodyKeeper {
    limit: usize,
    held: Held,
    /// What is held besides the body.
    besides: usize,
    /// Why the body was not kept.
    full: Option<Full>,
}

impl Default for BodyKeeper {
    fn default() -> Self {
        Self { limit: MAX_BODY_BYTES, held: Held::default(), besides: 0, full: None }
    }
}

impl BodyKeeper {
    /// Keeps at most `limit` bytes.
    pub(crate) fn new(limit: usize, memory: &Arc<Memory>) -> Self {
        Self { limit, held: memory.held("response bodies"), ..Self::default() }
    }

    /// The most that is kept, in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Why the body was not kept, if it does not fit.
    pub(crate) fn full(&self) -> Option<Full> {
        self.full
    }

    /// Appends a piece to a body, as far as the limit allows. A body that does not fit under the
    /// ceiling is dropped, and the rest of it too.
    #[inline]
    pub(crate) fn keep(&mut self, body: &mut Vec<u8>, piece: &[u8]) {
        let room = self.limit.saturating_sub(body.len()).min(piece.len());
        if body.capacity() - body.len() < room && !self.make_room(body, room) {
            return;
        }
        body.extend_from_slice(piece.get(..room).unwrap_or_default());
    }

    #[cold]
    fn make_room(&mut self, body: &mut Vec<u8>, more: usize) -> bool {
        if self.full.is_some() {
            return false;
        }
        let needed = body.len() + more;
        let capacity = needed.next_power_of_two().max(LEAST_BODY).min(self.limit.max(needed));
        match self.held.set(self.besides + capacity) {
            Ok(()) => body.reserve_exact(capacity - body.len()),
            Err(full) => {
                *body = Vec::new();
                self.full = Some(full);
                let _ = self.held.set(self.besides);
            }
        }
        self.full.is_none()
    }

    /// Counts what is held besides the body.
    pub(crate) fn besides(&mut self, body: &Vec<u8>, bytes: usize) -> Result<(), Full> {
        self.held.set(bytes + body.capacity())?;
        self.besides = bytes;
        Ok(())
    }

    /// Clears the body for the next one, and gives a large buffer back.
    #[inline]
    pub(crate) fn clear(&mut self, body: &mut Vec<u8>) {
        body.clear();
        (self.besides, self.full) = (0, None);
        self.held.settle(body);
    }
}

/// The least room for a body, in bytes.
const LEAST_BODY: usize = 512;

/// Why a body cannot be checked. No check passes for such a body, not even that it does not contain
/// something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is longer than the kept part.
    #[error("the body is longer than --max-body-bytes {0} allows and was not checked")]
    OverLimit(usize),
    /// It does not fit into memory.
    #[error("the body was not checked: {0}")]
    Full(Full),
    /// Its content coding cannot be decoded.
    #[error("the body cannot be unpacked: {0}")]
    Packed(String),
    /// Its charset is not supported.
    #[error("the body cannot be decoded: charset \"{0}\" is not supported")]
    Charset(String),
}

/// The parts of a response that checks need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capture {
    /// Its headers.
    pub head: bool,
    /// Its body.
    pub body: bool,
}

/// A response's body, decoded at most once and only for a check that needs it.
pub(super) struct Body<'a, R> {
    pub(super) response: &'a R,
    text: OnceCell<Result<Cow<'a, [u8]>, Unreadable>>,
    json: OnceCell<Result<Cow<'a, [u8]>, Unreadable>>,
    /// What was found at paths that several checks look for, by their numbers.
    found: RefCell<Vec<(usize, Option<Value>)>>,
}

impl<'a, R: Checked> Body<'a, R> {
    pub(super) fn of(response: &'a R) -> Self {
        let (text, json) = (OnceCell::new(), OnceCell::new());
        Self { response, text, json, found: RefCell::default() }
    }

    pub(super) fn text(&self) -> Result<&[u8], String> {
        let text = self.text.get_or_init(|| self.response.text());
        text.as_deref().map_err(Unreadable::to_string)
    }

    pub(super) fn json(&self) -> Result<&[u8], String> {
        let text = self.json.get_or_init(|| self.response.json());
        text.as_deref().map_err(Unreadable::to_string)
    }

    /// What was found at the path of this number, if that is known.
    pub(super) fn found(&self, number: usize) -> Option<Option<Value>> {
        let found = self.found.borrow();
        found.iter().find(|(known, _)| *known == number).map(|(_, value)| value.clone())
    }

    /// Keeps what was found at the path of this number, unless it is large.
    pub(super) fn keep_found(&self, number: usize, value: &Option<Value>) {
        let small = match value {
            Some(Value::Str(text)) => text.len() <= Held::SMALL,
            Some(Value::List(_) | Value::Dict(_)) => false,
            _ => true,
        };
        if small {
            self.found.borrow_mut().push((number, value.clone()));
        }
    }
}

/// The refusal of a check for something that the protocol's responses do not have.
pub(super) fn lacks(kind: &Reader<'_>, what: &str) -> Invalid {
    kind.invalid(format!("{what:?} needs a protocol whose responses have one"))
}
