//! Why a step failed. The texts are the reference's where it has one.

use super::event::Unfit;
use crate::load::scenario::Verdict;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::http::{self, status_text};
use crate::protocol::step::StepFault;

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// There is no stream.
    #[error("SSE stream not open")]
    NotOpen,
    /// The target responded with another status.
    #[error("{}", status_text(*.0))]
    Status(u16),
    /// The response is something else.
    #[error("the response is no event stream: {0}")]
    Kind(String),
    /// The stream ended.
    #[error("SSE stream ended before expected event")]
    Ended,
    /// The awaited event did not come; the text names it.
    #[error("{0}")]
    Awaited(String),
    /// An event cannot be taken.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The request or its connection failed.
    #[error(transparent)]
    Http(#[from] http::Fault),
    /// An assertion failed.
    #[error("{0}")]
    Checked(String),
}

impl From<ConnectionFault> for Fault {
    fn from(fault: ConnectionFault) -> Self {
        Self::Http(fault.into())
    }
}

impl StepFault for Fault {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Checked(_) => Verdict::Flaky,
            Self::Status(_) | Self::Kind(_) => Verdict::Permanent,
            _ => Verdict::Transient,
        }
    }

    fn text(&self, timeout: &str) -> String {
        match self {
            Self::Http(http::Fault::Connection(fault)) => fault.text(timeout),
            fault => fault.to_string(),
        }
    }

    fn is_own(&self) -> bool {
        matches!(self, Self::Http(http::Fault::Connection(ConnectionFault::Own(_))))
    }

    fn is_unsent(&self) -> bool {
        match self {
            Self::NotOpen => true,
            Self::Http(fault) => fault.is_of_texts(),
            _ => false,
        }
    }
}
