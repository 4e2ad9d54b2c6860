//! Why a connection failed, in any protocol. Few kinds with stable texts, so that reports can group
//! them: the same fault of the same target always has the same text.

use std::io;

use super::own_limits::OwnError;
use crate::error::reason;
use crate::load::LOST;
use crate::net::{CertificateProblem, DialError, NoAddress, OwnLimit, TlsProblem};

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionFault {
    /// No address for the name.
    #[error("name resolution failed for {host}: {why}")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's error.
        why: String,
    },
    /// The address is not allowed.
    #[error("target {0} is refused: {1}")]
    Forbidden(String, &'static str),
    /// This machine has exhausted a resource: not a failure of the target.
    #[error("{}", OwnError(*.0))]
    Own(OwnLimit),
    /// Nothing listens.
    #[error("connection refused")]
    Refused,
    /// The connection could not be made for another reason.
    #[error("connection failed: {0}")]
    Connect(String),
    /// The TLS handshake failed.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// A simulated network has lost the request.
    #[error("{LOST}")]
    Lost,
    /// The request's deadline passed. Its text also names the task's timeout.
    #[error("timed out")]
    Deadline,
    /// The target reset the connection.
    #[error("connection reset by the target")]
    Reset,
    /// The target closed the connection before a response.
    #[error("connection closed before a response")]
    Closed,
    /// The target closed the connection during a response.
    #[error("connection closed in the middle of a response")]
    Truncated,
    /// Reading or writing failed for another reason.
    #[error("connection failed: {0}")]
    Broken(String),
}

impl ConnectionFault {
    /// The fault for an error of an established connection.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        match TlsProblem::of(error) {
            Some(TlsProblem::Unexplained) => return Self::Tls(SECOND_HANDSHAKE.to_owned()),
            Some(problem) => return Self::Tls(words(&problem)),
            None => {}
        }
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            io::ErrorKind::ConnectionRefused => Self::Refused,
            _ => Self::Broken(reason(error)),
        }
    }

    /// The fault for a connection that could not be made.
    pub(crate) fn of_dial(error: DialError) -> Self {
        match error {
            DialError::NoAddress(NoAddress::Own(limit)) | DialError::Own(limit) => Self::Own(limit),
            DialError::NoAddress(NoAddress::Unresolved { host, why }) => {
                Self::Resolve { host, why }
            }
            DialError::NoAddress(NoAddress::Refused { address, why }) => {
                Self::Forbidden(address.to_string(), why)
            }
            DialError::Connect { source, .. } => match source.kind() {
                io::ErrorKind::ConnectionRefused => Self::Refused,
                io::ErrorKind::ConnectionReset => Self::Reset,
                _ => Self::Connect(reason(&source)),
            },
            DialError::Tls { problem, .. } => Self::Tls(words(&problem)),
            DialError::Deadline { .. } => Self::Deadline,
        }
    }

    /// The text in the record of a task with this timeout.
    pub(crate) fn text(&self, timeout: &str) -> String {
        match self {
            Self::Deadline => format!("timed out after {timeout} s"),
            fault => fault.to_string(),
        }
    }
}

/// The text for a target that closes the connection instead of completing the handshake.
const SECOND_HANDSHAKE: &str = "the target broke off after the handshake; it may want another one \
     for a client certificate (renegotiation), which ldctl does not make";

/// The text of a failed handshake, including the field of the task that helps.
fn words(problem: &TlsProblem) -> String {
    match problem {
        TlsProblem::Certificate(problem) => {
            format!("the certificate is not trusted: {problem}{}", advice(problem))
        }
        TlsProblem::NotTls => "the target does not speak TLS on this port; use http://".to_owned(),
        TlsProblem::CertificateRequired => {
            "the target requires a client certificate; name one with \"cert\"".to_owned()
        }
        TlsProblem::CertificateRejected(alert) => format!(
            "the target does not take the client certificate ({alert}); name one that its \
             authority has signed with \"cert\""
        ),
        TlsProblem::Version(Some(version)) => {
            format!("the target speaks {version}, ldctl only TLS 1.2 and 1.3")
        }
        TlsProblem::Version(None) => {
            "the target speaks neither TLS 1.2 nor 1.3 as ldctl does (protocol version)".to_owned()
        }
        TlsProblem::NoForwardSecrecy => "the server offers only cipher suites without forward \
             secrecy, which ldctl does not support"
            .to_owned(),
        TlsProblem::NothingInCommon => {
            "no cipher suite or key exchange in common with the target; \
             ldctl speaks TLS 1.3, and TLS 1.2 with ECDHE and AES-GCM or ChaCha20"
                .to_owned()
        }
        TlsProblem::Unexplained => "the target refused the handshake: it may want a client \
             certificate (\"cert\"), or there is no cipher suite in common"
            .to_owned(),
        TlsProblem::UnknownName => {
            "the target has no certificate for this host name (unrecognized name)".to_owned()
        }
        TlsProblem::Closed => "connection closed in the handshake".to_owned(),
        TlsProblem::Other(why) => why.clone(),
    }
}

/// The hint for a certificate that is not trusted.
fn advice(problem: &CertificateProblem) -> &'static str {
    match problem {
        CertificateProblem::UnknownIssuer => {
            "; name its authority with \"verify\": \"ca.pem\", or trust anyone with \"verify\": false"
        }
        CertificateProblem::WrongName { .. } => "; use one of its names in the URL",
        CertificateProblem::Authority | CertificateProblem::FirstVersion => {
            "; name it with \"verify\": \"cert.pem\", or trust anyone with \"verify\": false"
        }
        CertificateProblem::Expired
        | CertificateProblem::NotValidYet
        | CertificateProblem::Other(_) => "",
    }
}
