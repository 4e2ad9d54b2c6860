//! Why a request is refused: the kind for programs, and the message, which is the reference's where
//! it has one. In the text dialect the message alone identifies the kind.

use super::frame::{BadLength, MAX_REPLY};
use crate::event::{ErrorKind, Event, Failure, FailureKind};

/// The prefix of a refusal's line in the text dialect.
pub const ERROR: &str = "Error: ";

const TOKEN_REQUIRED: &str = "token required";
const UNAUTHORISED: &str = "unauthorised";
const INVALID_DOCUMENT: &str = "executor received invalid data: list is empty or wrong type";
const BUSY: &str = "busy: ";
const TIMEOUT: &str = "timeout: ";
const LIMIT: &str = "limit: ";
const INTERNAL: &str = "internal: ";
const UNKNOWN_RUN: &str = "unknown run ";
const UNAVAILABLE: &str = "unavailable: ";
const FRAMED_ONLY: &str =
    "only framed requests are served here: 4 bytes of length, then the document";
const SPEAKS_TLS: &str = "this port speaks TLS; connect with TLS";

/// Why a request is not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The kind, for programs.
    pub kind: ErrorKind,
    /// What is wrong and what to change.
    pub message: String,
}

impl Refusal {
    /// A refusal with its own message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The server requires a token and the request has no envelope.
    pub fn token_required() -> Self {
        Self::new(ErrorKind::TokenRequired, TOKEN_REQUIRED)
    }

    /// The token is wrong.
    pub fn unauthorised() -> Self {
        Self::new(ErrorKind::Unauthorised, UNAUTHORISED)
    }

    /// The document is not a list of actions.
    pub fn invalid_document() -> Self {
        Self::new(ErrorKind::InvalidDocument, INVALID_DOCUMENT)
    }

    /// The server is overloaded; the text says with what.
    pub fn busy(what: &str) -> Self {
        Self::new(ErrorKind::Busy, format!("{BUSY}{what}"))
    }

    /// The request did not arrive in time.
    pub fn timeout(what: &str) -> Self {
        Self::new(ErrorKind::Timeout, format!("{TIMEOUT}{what}"))
    }

    /// A limit of the server is exceeded.
    pub fn limit(what: &str) -> Self {
        Self::new(ErrorKind::Limit, format!("{LIMIT}{what}"))
    }

    /// No run has this number.
    pub fn unknown_run(run: u64) -> Self {
        Self::new(ErrorKind::UnknownRun, format!("{UNKNOWN_RUN}{run}"))
    }

    /// The figures that are asked for are not there.
    pub fn unavailable(why: &str) -> Self {
        Self::new(ErrorKind::Unavailable, format!("{UNAVAILABLE}{why}"))
    }

    /// A bug in the server.
    pub fn internal(what: &str) -> Self {
        Self::new(ErrorKind::Internal, format!("{INTERNAL}{what}"))
    }

    /// A bug prevents the request from being read.
    pub fn unreadable() -> Self {
        Self::internal("internal error while reading the request; see the server's log")
    }

    /// A plain client on a TLS port.
    pub fn speaks_tls() -> Self {
        Self::new(ErrorKind::InvalidJson, SPEAKS_TLS)
    }

    /// A legacy request on a framed-only port.
    pub fn framed_only() -> Self {
        Self::new(ErrorKind::InvalidJson, FRAMED_ONLY)
    }

    /// Its line in the text dialect.
    pub fn line(&self) -> String {
        format!("{ERROR}{}", self.message)
    }

    /// Whether it refuses the token.
    pub fn is_of_token(&self) -> bool {
        matches!(self.kind, ErrorKind::TokenRequired | ErrorKind::Unauthorised)
    }

    /// Parses a line of the text dialect; `None` for a record.
    pub fn of_line(line: &str) -> Option<Self> {
        let message = line.strip_prefix(ERROR)?;
        let kind = match message {
            TOKEN_REQUIRED => ErrorKind::TokenRequired,
            UNAUTHORISED => ErrorKind::Unauthorised,
            INVALID_DOCUMENT => ErrorKind::InvalidDocument,
            _ if message.starts_with(BUSY) => ErrorKind::Busy,
            _ if message.starts_with(TIMEOUT) => ErrorKind::Timeout,
            _ if message.starts_with(LIMIT) => ErrorKind::Limit,
            _ if message.starts_with(UNKNOWN_RUN) => ErrorKind::UnknownRun,
            _ if message.starts_with(UNAVAILABLE) => ErrorKind::Unavailable,
            _ if message.starts_with(INTERNAL) => ErrorKind::Internal,
            _ if message.starts_with("frame length ") => ErrorKind::FrameLength,
            _ => ErrorKind::InvalidJson,
        };
        Some(Self::new(kind, message))
    }

    /// Whether it is [`Refusal::speaks_tls`].
    pub fn is_speaks_tls(&self) -> bool {
        self.message == SPEAKS_TLS
    }

    /// Whether it is [`Refusal::framed_only`].
    pub fn is_framed_only(&self) -> bool {
        self.message == FRAMED_ONLY
    }
}

impl From<BadLength> for Refusal {
    fn from(bad: BadLength) -> Self {
        Self::new(ErrorKind::FrameLength, bad.to_string())
    }
}

impl From<Refusal> for Event {
    fn from(Refusal { kind, message }: Refusal) -> Self {
        Self::Error { kind, message }
    }
}

/// The failure that replaces a value of this length.
pub(super) fn too_long(length: usize) -> Failure {
    Failure::new(
        FailureKind::Refused,
        format!(
            "the value has {length} bytes, over the {MAX_REPLY} of one frame; write it to a file instead"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_parsed_from_their_lines() {
        for refusal in [
            Refusal::token_required(),
            Refusal::unauthorised(),
            Refusal::invalid_document(),
            Refusal::busy("all connections are taken"),
            Refusal::timeout("x"),
            Refusal::limit("x"),
            Refusal::internal("x"),
            Refusal::unavailable("x"),
            Refusal::from(BadLength { length: 0, most: 9 }),
            Refusal::new(ErrorKind::InvalidJson, "expected value at line 1 column 1"),
        ] {
            assert_eq!(Refusal::of_line(&refusal.line()), Some(refusal));
        }
        assert_eq!(Refusal::of_line("None"), None);
    }
}
