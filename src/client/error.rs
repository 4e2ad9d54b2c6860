//! Why a server did not do what was asked: one kind per cause, and one line each that says what to
//! change.

use std::io;
use std::time::Duration;

use tokio_rustls::rustls;

use crate::error::{chain, reason};
use crate::event::ErrorKind;
use crate::net::{CertificateProblem, TlsProblem};
use crate::wire::frame::{BadLength, MAX_LEGACY};
use crate::wire::refusal::Refusal;
use crate::wire::request::TooLong;
use crate::wire::tls::TlsError;

/// Why a server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The name has no address.
    #[error("{host}: no address for this name ({}); check --host", reason(source))]
    Unresolved {
        /// The name.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The host refuses the connection.
    #[error(
        "{address}: nothing listens there; start a server (ldctl serve), or check --host and --port"
    )]
    NothingListens {
        /// The server.
        address: String,
    },
    /// The host cannot be reached.
    #[error(
        "{address}: cannot connect ({}); check --host and the network on the way",
        reason(source)
    )]
    Unreachable {
        /// The server.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The connection or the handshake takes too long.
    #[error("{address}: no connection within {} s; check --host, --port and --tls", after.as_secs_f64())]
    ConnectTimeout {
        /// The server.
        address: String,
        /// How long was waited.
        after: Duration,
    },
    /// TLS cannot be set up on this side: a file or a name is wrong.
    #[error(transparent)]
    TlsSetup(#[from] TlsError),
    /// The server's certificate is not trusted.
    #[error(
        "{address}: the server's certificate is not trusted: {reason}; {}",
        certificate_advice(reason)
    )]
    NotTrusted {
        /// The server.
        address: String,
        /// Why.
        reason: CertificateProblem,
    },
    /// The server wants a certificate and was shown none.
    #[error(
        "{address}: the server wants a client certificate; give one with --tls-cert and --tls-key"
    )]
    ClientCertificateRequired {
        /// The server.
        address: String,
    },
    /// The server does not take the certificate that it was shown.
    #[error(
        "{address}: the server does not take the client certificate ({reason}); give one that its authority has signed with --tls-cert and --tls-key"
    )]
    ClientCertificateRejected {
        /// The server.
        address: String,
        /// The TLS alert that it sent.
        reason: String,
    },
    /// The handshake failed for another reason.
    #[error(
        "{address}: the TLS handshake failed ({}); check that the port speaks TLS 1.2 or 1.3",
        reason(source)
    )]
    Handshake {
        /// The server.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A plain client on a TLS port.
    #[error("{address}: the port speaks TLS; add --tls")]
    SpeaksTls {
        /// The server.
        address: String,
    },
    /// A TLS client on a plain port.
    #[error("{address}: the port does not speak TLS; leave out --tls")]
    NotTls {
        /// The server.
        address: String,
    },
    /// A legacy client on a port that takes only frames.
    #[error("{address}: this port accepts framed requests only; drop --legacy")]
    FramedOnly {
        /// The server.
        address: String,
    },
    /// A framed client on a port that takes only legacy requests.
    #[error("{address}: the port takes only legacy requests; add --legacy")]
    LegacyOnly {
        /// The server.
        address: String,
    },
    /// Something else listens there.
    #[error("{address}: not a control server; check --host and --port")]
    NotThisProtocol {
        /// The server.
        address: String,
    },
    /// A server of another kind, or an older one.
    #[error("{address}: this server does not support `status` and `stop`; upgrade it")]
    UnknownRequest {
        /// The server.
        address: String,
    },
    /// The server completes no reply for too long.
    #[error("{address}: no reply within {} s; raise --timeout, or check the server", after.as_secs_f64())]
    Timeout {
        /// The server.
        address: String,
        /// How long was waited.
        after: Duration,
    },
    /// The server closed without a word.
    #[error(
        "{address}: closed without a reply; check --port, --tls and --legacy, or the server's log"
    )]
    NoReply {
        /// The server.
        address: String,
    },
    /// The server closed within a reply.
    #[error("{address}: the connection closed in the middle of a reply; check the server's log")]
    Truncated {
        /// The server.
        address: String,
    },
    /// The connection broke.
    #[error(
        "{address}: the connection broke ({}); check the network on the way and the server's log",
        reason(source)
    )]
    Broken {
        /// The server.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The request is longer than servers take; nothing was sent.
    #[error("{}; {}", .0, too_long_advice(.0))]
    TooLong(#[from] TooLong),
    /// A reply is longer than this client holds, or empty.
    #[error(
        "{address}: a reply cannot be read ({source}); check that the port is a control server's"
    )]
    ReplyLength {
        /// The server.
        address: String,
        /// The length that was claimed.
        source: BadLength,
    },
    /// The server wants a token and got none.
    #[error("{address}: the server wants a token; give it with --token-env or --token-file")]
    TokenRequired {
        /// The server.
        address: String,
    },
    /// The token is not the server's.
    #[error("{address}: the token is wrong; give the server's with --token-env or --token-file")]
    Unauthorised {
        /// The server.
        address: String,
    },
    /// The server has no room for the request now.
    #[error("{address}: {message}; try again later")]
    Busy {
        /// The server.
        address: String,
        /// What it said.
        message: String,
    },
    /// The server refuses the request for another reason.
    #[error("{address}: {refusal}")]
    Refused {
        /// The server.
        address: String,
        /// What it said.
        refusal: Refusal,
    },
}

/// What to do about a certificate that is not trusted.
fn certificate_advice(problem: &CertificateProblem) -> &'static str {
    match problem {
        CertificateProblem::UnknownIssuer => "name its authority with --tls-ca",
        CertificateProblem::Expired => "renew it on the server",
        CertificateProblem::NotValidYet => "check the clocks of both machines",
        CertificateProblem::WrongName { .. } => "name one of its names with --tls-server-name",
        CertificateProblem::Authority | CertificateProblem::FirstVersion => "name it with --tls-ca",
        CertificateProblem::Other(_) => "check the certificate on the server",
    }
}

fn too_long_advice(too_long: &TooLong) -> &'static str {
    match too_long.most {
        MAX_LEGACY => "leave out --legacy, or send it in parts",
        _ => "send it in parts",
    }
}

impl ClientError {
    /// A server's refusal of a request with or without a token, or what it says about the port.
    pub fn refused(address: String, refusal: Refusal, has_token: bool) -> Self {
        if refusal.is_speaks_tls() {
            return Self::SpeaksTls { address };
        }
        if refusal.is_framed_only() {
            return Self::FramedOnly { address };
        }
        match refusal.kind {
            ErrorKind::TokenRequired => Self::TokenRequired { address },
            // An envelope without a token is unauthorised, too.
            ErrorKind::Unauthorised if !has_token => Self::TokenRequired { address },
            ErrorKind::Unauthorised => Self::Unauthorised { address },
            ErrorKind::Busy => Self::Busy { address, message: refusal.message },
            _ => Self::Refused { address, refusal },
        }
    }

    /// Whether trying again later may help: `ping --wait` goes on after these.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unresolved { .. }
                | Self::NothingListens { .. }
                | Self::Unreachable { .. }
                | Self::ConnectTimeout { .. }
                | Self::Timeout { .. }
                | Self::NoReply { .. }
                | Self::Truncated { .. }
                | Self::Broken { .. }
                | Self::Busy { .. }
        )
    }

    /// Whether a second look at the port may say more.
    pub(super) fn is_puzzling(&self) -> bool {
        matches!(
            self,
            Self::NoReply { .. }
                | Self::Handshake { .. }
                | Self::ConnectTimeout { .. }
                | Self::Timeout { .. }
                | Self::Broken { .. }
                | Self::Truncated { .. }
                | Self::ReplyLength { .. }
        )
    }

    /// The error with all its causes in one line.
    pub fn line(&self) -> String {
        chain(self)
    }

    /// A failed handshake.
    pub(super) fn handshake(address: String, problem: TlsProblem, source: io::Error) -> Self {
        match problem {
            TlsProblem::Certificate(reason) => Self::NotTrusted { address, reason },
            TlsProblem::NotTls => Self::NotTls { address },
            TlsProblem::CertificateRequired => Self::ClientCertificateRequired { address },
            TlsProblem::CertificateRejected(reason) => {
                Self::ClientCertificateRejected { address, reason }
            }
            _ => Self::Handshake { address, source },
        }
    }

    /// An error on an open connection. In TLS 1.3 a server refuses the client's certificate only
    /// after the client's handshake is done.
    pub(super) fn broken(address: &str, source: io::Error) -> Self {
        let address = address.to_owned();
        match TlsProblem::of(&source) {
            Some(problem) => Self::handshake(address, problem, source),
            None => Self::Broken { address, source },
        }
    }

    /// Whether the peer sent a TLS alert, which only a TLS server does.
    pub(super) fn is_alert(&self) -> bool {
        match self {
            Self::ClientCertificateRequired { .. } | Self::ClientCertificateRejected { .. } => true,
            Self::Handshake { source, .. } => {
                matches!(rustls_error(source), Some(rustls::Error::AlertReceived(_)))
            }
            _ => false,
        }
    }
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
