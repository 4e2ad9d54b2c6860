//! Why a step failed. A status of the target has its name first, as in `PERMISSION_DENIED: not you`, also
//! where a library would make one up for a response that is not gRPC's.

use h2::Reason;

use super::messages::Malformed;
use crate::load::scenario::Verdict;
use crate::memory::Full;
use crate::net::grpc::{Code, Status};
use crate::protocol::fault::ConnectionFault;
use crate::protocol::http;
use crate::protocol::step::StepFault;

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The target, with its placeholders filled in, is none.
    #[error("{0}")]
    Target(String),
    /// What is sent, with its placeholders filled in, is invalid.
    #[error("{0}")]
    Task(String),
    /// The call has ended with another status than OK.
    #[error("{0}")]
    Status(Status),
    /// The response has other messages than its method's.
    #[error("{0}")]
    Messages(Status),
    /// What is sent or received does not fit into memory.
    #[error("{0}")]
    Full(#[from] Full),
    /// The connection or its request failed.
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

impl From<Malformed> for Fault {
    fn from(why: Malformed) -> Self {
        let code = match why {
            Malformed::Full(full) => return Self::Full(full),
            Malformed::Long(_) => Code::RESOURCE_EXHAUSTED,
            Malformed::Unsupported(_) => Code::UNIMPLEMENTED,
            _ => Code::INTERNAL,
        };
        Self::Messages(Status::new(code, why.to_string()))
    }
}

impl Fault {
    /// The fault for an error of a stream or of its session.
    pub(super) fn of_stream(error: h2::Error) -> Self {
        let reset = error.is_remote() && error.is_reset();
        let Some(reason) = error.reason().filter(|_| reset) else { return Self::of_session(error) };
        // gRPC's "PROTOCOL-HTTP2.md", section "Errors".
        let code = match reason {
            Reason::REFUSED_STREAM => return http::h2_fault(error).into(),
            Reason::CANCEL => Code::CANCELLED,
            Reason::ENHANCE_YOUR_CALM => Code::RESOURCE_EXHAUSTED,
            Reason::INADEQUATE_SECURITY => Code::PERMISSION_DENIED,
            Reason::HTTP_1_1_REQUIRED => Code::UNKNOWN,
            _ => Code::INTERNAL,
        };
        let name = http::h2_reason(reason);
        Self::Status(Status::new(code, format!("the target reset the stream with {name}")))
    }

    /// The fault for an error of a session.
    pub(super) fn of_session(error: h2::Error) -> Self {
        match error.reason() {
            Some(Reason::FRAME_SIZE_ERROR) if error.is_library() => {
                Self::not_grpc("the target's response is not HTTP/2")
            }
            _ => http::h2_fault(error).into(),
        }
    }

    /// The target speaks another protocol.
    pub(super) fn not_grpc(why: impl Into<String>) -> Self {
        Self::Messages(Status::new(Code::UNKNOWN, why))
    }

    /// The response has not the messages that its method has.
    pub(super) fn internal(why: impl Into<String>) -> Self {
        Self::Messages(Status::new(Code::INTERNAL, why))
    }

    /// Whether the target has not taken the call, so that it may be made again.
    pub(super) fn is_untaken(&self) -> bool {
        matches!(self, Self::Http(http::Fault::Unsent(_)))
    }

    /// Whether the deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        matches!(self, Self::Http(http::Fault::Connection(ConnectionFault::Deadline)))
    }

    /// Whether the connection can carry another call. That of a late call is judged elsewhere.
    pub(super) fn leaves_connection(&self) -> bool {
        match self {
            Self::Status(_) | Self::Messages(_) | Self::Checked(_) | Self::Full(_) => true,
            _ => self.is_late(),
        }
    }
}

impl StepFault for Fault {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Checked(_) => Verdict::Flaky,
            Self::Status(Status { code: Code::UNAVAILABLE | Code::DEADLINE_EXCEEDED, .. }) => {
                Verdict::Transient
            }
            Self::Status(_) | Self::Messages(_) => Verdict::Permanent,
            _ => Verdict::Transient,
        }
    }

    fn text(&self, timeout: &str) -> String {
        match self {
            _ if self.is_late() => {
                let late = ConnectionFault::Deadline.text(timeout);
                Status::new(Code::DEADLINE_EXCEEDED, late).to_string()
            }
            Self::Http(http::Fault::Connection(fault)) => {
                fault.text(timeout).replace("; use http://", "; leave out \"tls\"")
            }
            fault => fault.to_string(),
        }
    }

    fn is_own(&self) -> bool {
        matches!(self, Self::Http(http::Fault::Connection(ConnectionFault::Own(_))))
    }

    fn is_unsent(&self) -> bool {
        match self {
            Self::Target(_) | Self::Task(_) => true,
            Self::Http(fault) => fault.is_of_texts(),
            _ => false,
        }
    }
}
