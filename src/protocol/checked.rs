//! A response of any protocol, as assertions and extractors see it ([`Checked`]): how much of it is
//! kept for them, and why its body may be unreadable.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::value::{Invalid, Reader};

/// The default of `--max-body-bytes`: how much of a response is kept for assertions, extractors and
/// reports, in bytes.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// A response, as assertions and extractors see it.
pub(crate) trait Checked {
    /// Whether responses of the protocol have a status.
    const HAS_STATUS: bool;
    /// Whether they have headers.
    const HAS_HEADERS: bool;

    /// The status, if the protocol has one.
    fn status(&self) -> Option<u16>;

    /// A header's value, by its name in any case.
    fn header(&self, name: &str) -> Option<String>;

    /// The body as UTF-8 text, decoded.
    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable>;

    /// The same for a body that should be JSON.
    fn json(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        self.text()
    }
}

/// How much of a response's body is kept, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit(pub(crate) usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(MAX_BODY_BYTES)
    }
}

/// Why a body cannot be checked. No check passes for such a body, not even that it does not contain
/// something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is longer than the kept part.
    #[error("the body is longer than --max-body-bytes {0} allows and was not checked")]
    OverLimit(usize),
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
}

impl<'a, R: Checked> Body<'a, R> {
    pub(super) fn of(response: &'a R) -> Self {
        Self { response, text: OnceCell::new(), json: OnceCell::new() }
    }

    pub(super) fn text(&self) -> Result<&[u8], String> {
        let text = self.text.get_or_init(|| self.response.text());
        text.as_deref().map_err(Unreadable::to_string)
    }

    pub(super) fn json(&self) -> Result<&[u8], String> {
        let text = self.json.get_or_init(|| self.response.json());
        text.as_deref().map_err(Unreadable::to_string)
    }
}

/// The refusal of a check for something that the protocol's responses do not have.
pub(super) fn lacks(kind: &Reader<'_>, what: &str) -> Invalid {
    kind.invalid(format!("{what:?} needs a protocol whose responses have one"))
}
