//! Why a step failed.

use crate::load::scenario::Verdict;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::step::StepFault;

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The connection failed.
    #[error(transparent)]
    Connection(#[from] ConnectionFault),
    /// The values of its placeholders are invalid.
    #[error("{0}")]
    Task(String),
    /// The response is wrong.
    #[error("{0}")]
    Checked(String),
}

impl StepFault for Fault {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Connection(_) | Self::Task(_) => Verdict::Transient,
            Self::Checked(_) => Verdict::Flaky,
        }
    }

    fn text(&self, timeout: &str) -> String {
        match self {
            Self::Connection(fault) => fault.text(timeout),
            fault => fault.to_string(),
        }
    }

    fn is_own(&self) -> bool {
        matches!(self, Self::Connection(ConnectionFault::Own(_)))
    }

    fn is_unsent(&self) -> bool {
        matches!(self, Self::Task(_))
    }
}
