//! Why a step failed. The texts are the reference's where it has one; the others are as few and as
//! stable, so that reports can group them.

use super::codec::{Malformed, TooLong};
use crate::load::scenario::Verdict;
use crate::memory::Full;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::step::StepFault;

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The broker, with its placeholders filled in, is none.
    #[error("{0}")]
    Address(String),
    /// The broker does not accept the client.
    #[error("connection refused: {0}")]
    Unaccepted(String),
    /// The broker does not do what a step asks for: the method, and why.
    #[error("{0} refused: {1}")]
    Rejected(&'static str, String),
    /// The broker ended the connection, and says why.
    #[error("connection closed by the broker: {0}")]
    Closed(String),
    /// Nothing listens.
    #[error("[Errno 111] Connection refused")]
    Refused,
    /// What came is no packet of a broker.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is one, and nothing that it could be about was sent.
    #[error("unexpected packet: {0}")]
    Unexpected(&'static str),
    /// The broker does not respond to pings.
    #[error("no response to a ping")]
    Silent,
    /// Messages were dropped before this step.
    #[error("{0} messages were dropped before: {1}")]
    Missed(u64, &'static str),
    /// What is sent or received does not fit into memory.
    #[error("{0}")]
    Full(#[from] Full),
    /// It cannot be sent.
    #[error("{0}")]
    Task(String),
    /// The connection could not be made, or broke.
    #[error("{}", words(.0))]
    Connection(ConnectionFault),
    /// None of the messages until the deadline was the expected one.
    #[error("{0}")]
    Unmatched(String),
    /// The received message is wrong.
    #[error("{0}")]
    Checked(String),
}

impl Fault {
    /// Whether the connection cannot be used any longer.
    pub(super) fn breaks(&self) -> bool {
        !matches!(self, Self::Rejected(..) | Self::Missed(..) | Self::Task(_) | Self::Checked(_))
    }
}

impl StepFault for Fault {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Checked(_) | Self::Unmatched(_) | Self::Missed(..) => Verdict::Flaky,
            Self::Rejected(..) => Verdict::Permanent,
            _ => Verdict::Transient,
        }
    }

    fn text(&self, timeout: &str) -> String {
        match self {
            Self::Connection(ConnectionFault::Deadline) => ConnectionFault::Deadline.text(timeout),
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

impl From<ConnectionFault> for Fault {
    fn from(fault: ConnectionFault) -> Self {
        match fault {
            ConnectionFault::Refused => Self::Refused,
            fault => Self::Connection(fault),
        }
    }
}

impl From<TooLong> for Fault {
    fn from(what: TooLong) -> Self {
        Self::Task(what.to_string())
    }
}

/// The text of a fault of any connection, with this protocol's scheme.
fn words(fault: &ConnectionFault) -> String {
    fault.to_string().replace("use http://", "use mqtt://")
}
