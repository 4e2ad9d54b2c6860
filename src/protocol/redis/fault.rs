//! Why a step failed.

use super::resp::Malformed;
use crate::load::scenario::Verdict;
use crate::memory::Full;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::step::StepFault;

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The URL, with its placeholders filled in, is invalid.
    #[error("{0}")]
    Address(String),
    /// The server refused the login or the database.
    #[error("{0}")]
    LogIn(String),
    /// The server replied with an error.
    #[error("{0}")]
    Server(String),
    /// The reply is no RESP2.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// More than one reply came.
    #[error("more than the reply came")]
    Surplus,
    /// The command or the reply does not fit into memory.
    #[error("{0}")]
    Full(#[from] Full),
    /// The command's text is too long.
    #[error("{0}")]
    Task(String),
    /// The connection failed.
    #[error(transparent)]
    Connection(#[from] ConnectionFault),
    /// The reply is wrong.
    #[error("{0}")]
    Checked(String),
}

impl StepFault for Fault {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Checked(_) => Verdict::Flaky,
            Self::Server(_) => Verdict::Permanent,
            _ => Verdict::Transient,
        }
    }

    fn text(&self, timeout: &str) -> String {
        match self {
            Self::Connection(fault) => fault.text(timeout).replace("use http://", "use redis://"),
            fault => fault.to_string(),
        }
    }

    fn is_own(&self) -> bool {
        matches!(self, Self::Connection(ConnectionFault::Own(_)))
    }

    fn is_unsent(&self) -> bool {
        matches!(self, Self::Address(_) | Self::Task(_))
    }
}

impl Fault {
    /// Whether the connection can carry another command.
    pub(super) fn leaves_connection(&self) -> bool {
        matches!(self, Self::Server(_) | Self::Checked(_))
    }
}
