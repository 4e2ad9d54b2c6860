//! Why a request is refused: the kind for programs, and the words, which are the reference's where it
//! has any. In the text dialect the words alone tell the kinds apart.

use super::frame::{BadLength, MAX_REPLY};
use crate::event::{ErrorKind, Event, Failure, FailureKind};

/// How the line of a refusal begins in the text dialect.
pub const ERROR: &str = "Error: ";

const TOKEN_REQUIRED: &str = "token required";
const UNAUTHORISED: &str = "unauthorised";
const INVALID_DOCUMENT: &str = "executor received invalid data: list is empty or wrong type";
const BUSY: &str = "busy: ";
const TIMEOUT: &str = "timeout: ";
const LIMIT: &str = "limit: ";
const INTERNAL: &str = "internal: ";
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
    /// A refusal in its own words.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The server wants a token and the request has no envelope.
    pub fn token_required() -> Self {
        Self::new(ErrorKind::TokenRequired, TOKEN_REQUIRED)
    }

    /// The token is not the server's.
    pub fn unauthorised() -> Self {
        Self::new(ErrorKind::Unauthorised, UNAUTHORISED)
    }

    /// The document is no list of actions.
    pub fn invalid_document() -> Self {
        Self::new(ErrorKind::InvalidDocument, INVALID_DOCUMENT)
    }

    /// The server has no room; the text says for what.
    pub fn busy(what: &str) -> Self {
        Self::new(ErrorKind::Busy, format!("{BUSY}{what}"))
    }

    /// The request did not arrive in time.
    pub fn timeout(what: &str) -> Self {
        Self::new(ErrorKind::Timeout, format!("{TIMEOUT}{what}"))
    }

    /// A limit of the server is passed.
    pub fn limit(what: &str) -> Self {
        Self::new(ErrorKind::Limit, format!("{LIMIT}{what}"))
    }

    /// A fault of the server.
    pub fn internal(what: &str) -> Self {
        Self::new(ErrorKind::Internal, format!("{INTERNAL}{what}"))
    }

    /// A plain client on a TLS port.
    pub fn speaks_tls() -> Self {
        Self::new(ErrorKind::InvalidJson, SPEAKS_TLS)
    }

    /// A legacy request on a port that takes only frames.
    pub fn framed_only() -> Self {
        Self::new(ErrorKind::InvalidJson, FRAMED_ONLY)
    }

    /// The text dialect's line.
    pub fn line(&self) -> String {
        format!("{ERROR}{}", self.message)
    }

    /// Whether it is the token that is refused.
    pub fn is_of_token(&self) -> bool {
        matches!(self.kind, ErrorKind::TokenRequired | ErrorKind::Unauthorised)
    }

    /// Reads a line of the text dialect back; `None` where it is a record.
    pub fn of_line(line: &str) -> Option<Self> {
        let message = line.strip_prefix(ERROR)?;
        let kind = match message {
            TOKEN_REQUIRED => ErrorKind::TokenRequired,
            UNAUTHORISED => ErrorKind::Unauthorised,
            INVALID_DOCUMENT => ErrorKind::InvalidDocument,
            _ if message.starts_with(BUSY) => ErrorKind::Busy,
            _ if message.starts_with(TIMEOUT) => ErrorKind::Timeout,
            _ if message.starts_with(LIMIT) => ErrorKind::Limit,
            _ if message.starts_with(INTERNAL) => ErrorKind::Internal,
            _ if message.starts_with("frame length ") => ErrorKind::FrameLength,
            _ => ErrorKind::InvalidJson,
        };
        Some(Self::new(kind, message))
    }

    /// Whether it is what [`Refusal::speaks_tls`] says.
    pub fn is_speaks_tls(&self) -> bool {
        self.message == SPEAKS_TLS
    }

    /// Whether it is what [`Refusal::framed_only`] says.
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

/// Why an action whose value has so many bytes is shown as failed.
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
    fn refusals_read_back_from_their_lines() {
        for refusal in [
            Refusal::token_required(),
            Refusal::unauthorised(),
            Refusal::invalid_document(),
            Refusal::busy("all connections are taken"),
            Refusal::timeout("x"),
            Refusal::limit("x"),
            Refusal::internal("x"),
            Refusal::from(BadLength { length: 0, most: 9 }),
            Refusal::new(ErrorKind::InvalidJson, "expected value at line 1 column 1"),
        ] {
            assert_eq!(Refusal::of_line(&refusal.line()), Some(refusal));
        }
        assert_eq!(Refusal::of_line("None"), None);
    }
}
