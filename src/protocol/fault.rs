//! Why a connection failed, whatever is spoken over it. Few kinds and stable texts, so that a report
//! can group them; the same fault of the same target always has the same text.

use std::io;
use std::net::SocketAddr;

use crate::error::reason;
use crate::net::{DialError, NoAddress};

/// What went wrong with a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionFault {
    /// No address for the name.
    #[error("name resolution failed for {host}: {why}")]
    Resolve {
        /// The name.
        host: String,
        /// What the system said.
        why: String,
    },
    /// An address that no test may reach.
    #[error("target {0} is refused: {1}")]
    Forbidden(SocketAddr, &'static str),
    /// Nothing listens.
    #[error("connection refused")]
    Refused,
    /// The connection could not be made for another reason.
    #[error("connection failed: {0}")]
    Connect(String),
    /// The TLS handshake failed.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The request's deadline passed. Its record also says how long that was, by the task's timeout.
    #[error("timed out")]
    Deadline,
    /// The target reset the connection.
    #[error("connection reset by the target")]
    Reset,
    /// The target closed before it answered.
    #[error("connection closed before a response")]
    Closed,
    /// The target closed within a response.
    #[error("connection closed in the middle of a response")]
    Truncated,
    /// The run ended before the response came.
    #[error("no response before the test ended")]
    Ended,
    /// Reading or writing failed for another reason.
    #[error("connection broke: {0}")]
    Broken(String),
}

impl ConnectionFault {
    /// The fault behind an error of a connection in use.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            io::ErrorKind::ConnectionRefused => Self::Refused,
            _ => Self::Broken(reason(error)),
        }
    }

    /// The fault behind a connection that could not be made.
    pub(crate) fn of_dial(error: DialError) -> Self {
        match error {
            DialError::NoAddress(NoAddress::Unresolved { host, why }) => {
                Self::Resolve { host, why }
            }
            DialError::NoAddress(NoAddress::Refused { address, why }) => {
                Self::Forbidden(address, why)
            }
            DialError::Connect { source, .. } => match source.kind() {
                io::ErrorKind::ConnectionRefused => Self::Refused,
                io::ErrorKind::ConnectionReset => Self::Reset,
                _ => Self::Connect(reason(&source)),
            },
            DialError::Tls { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Tls("connection closed in the handshake".to_owned())
            }
            DialError::Tls { source, .. } => Self::Tls(reason(&source)),
            DialError::Deadline { .. } => Self::Deadline,
        }
    }

    /// How a record says it of a task with this timeout.
    pub(crate) fn text(&self, timeout: &str) -> String {
        match self {
            Self::Deadline => format!("timed out after {timeout} s"),
            fault => fault.to_string(),
        }
    }
}
