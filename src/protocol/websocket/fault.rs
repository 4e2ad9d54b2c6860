//! Why a step failed. The texts are the reference's where it has one; the others are as few and as
//! stable, so that reports can group them.

use crate::load::scenario::Verdict;
use crate::memory::Full;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::http::{self, status_text};
use crate::protocol::step::StepFault;

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// There is no connection, and no URL to make one.
    #[error("websocket connection not established")]
    NotEstablished,
    /// The URL has another scheme.
    #[error("scheme {0} is invalid")]
    Scheme(String),
    /// The target responded without opening a WebSocket.
    #[error("Handshake status {}", status_text(*.0))]
    Status(u16),
    /// The response to the handshake is wrong.
    #[error("Invalid WebSocket Header: {0}")]
    Handshake(&'static str),
    /// A plain handshake with a TLS port.
    #[error("the target speaks TLS on this port; use wss://")]
    SpeaksTls,
    /// The step's deadline passed.
    #[error("Connection timed out")]
    Deadline,
    /// The target closed the connection with a close frame.
    #[error("{}", closed(*.code, reason))]
    Closed {
        /// The status code, if it gave one (RFC 6455, section 7.4).
        code: Option<u16>,
        /// Its text.
        reason: String,
    },
    /// The connection ended without a close frame.
    #[error("Connection to remote host was lost.")]
    Lost,
    /// Nothing listens.
    #[error("[Errno 111] Connection refused")]
    Refused,
    /// The target broke the protocol.
    #[error("invalid WebSocket frame: {0}")]
    Frame(String),
    /// A message over the limit.
    #[error("a message is longer than --max-body-bytes {0} allows")]
    Long(usize),
    /// What is received does not fit into memory.
    #[error("{0}")]
    Full(#[from] Full),
    /// The connection could not be made, or broke, for another reason.
    #[error("{}", words(.0))]
    Other(http::Fault),
    /// Its message cannot be sent.
    #[error("{0}")]
    Task(String),
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
        !matches!(self, Self::Checked(_) | Self::Task(_))
    }
}

impl StepFault for Fault {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Checked(_) | Self::Unmatched(_) => Verdict::Flaky,
            Self::Status(_) => Verdict::Permanent,
            _ => Verdict::Transient,
        }
    }

    fn text(&self, _: &str) -> String {
        self.to_string()
    }

    fn is_own(&self) -> bool {
        matches!(self, Self::Other(http::Fault::Connection(ConnectionFault::Own(_))))
    }

    fn is_unsent(&self) -> bool {
        match self {
            Self::NotEstablished | Self::Scheme(_) | Self::Task(_) => true,
            Self::Other(fault) => fault.is_of_texts(),
            _ => false,
        }
    }
}

impl From<ConnectionFault> for Fault {
    fn from(fault: ConnectionFault) -> Self {
        match fault {
            ConnectionFault::Deadline => Self::Deadline,
            ConnectionFault::Refused => Self::Refused,
            ConnectionFault::Reset | ConnectionFault::Closed | ConnectionFault::Truncated => {
                Self::Lost
            }
            fault => Self::Other(fault.into()),
        }
    }
}

impl From<http::Fault> for Fault {
    fn from(fault: http::Fault) -> Self {
        match fault {
            http::Fault::Connection(fault) => fault.into(),
            http::Fault::Full(full) => Self::Full(full),
            fault => Self::Other(fault),
        }
    }
}

fn closed(code: Option<u16>, reason: &str) -> String {
    match (code, reason) {
        (None, _) => "connection closed by the target without a code".to_owned(),
        (Some(code), "") => format!("connection closed by the target: {code}"),
        (Some(code), reason) => format!("connection closed by the target: {code} {reason}"),
    }
}

/// The text of a fault that HTTP has, too, with this protocol's schemes.
fn words(fault: &http::Fault) -> String {
    let text = fault.to_string();
    text.replace("use http://", "use ws://").replace("use https://", "use wss://")
}
