//! Why a request to a server failed: one kind per cause, each with a one-line message that says
//! what to change.

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

/// Why a request to a server failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The name cannot be resolved.
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
    /// The connection or the handshake timed out.
    #[error("{address}: no connection within {} s; check --host, --port and --tls", after.as_secs_f64())]
    ConnectTimeout {
        /// The server.
        address: String,
        /// The timeout.
        after: Duration,
    },
    /// The TLS settings of this side are invalid: a file or a name.
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
    /// The server requires a client certificate and got none.
    #[error(
        "{address}: the server requires a client certificate; give one with --tls-cert and --tls-key"
    )]
    ClientCertificateRequired {
        /// The server.
        address: String,
    },
    /// The server rejected the client certificate.
    #[error(
        "{address}: the server rejected the client certificate ({reason}); give one that its authority has signed with --tls-cert and --tls-key"
    )]
    ClientCertificateRejected {
        /// The server.
        address: String,
        /// The TLS alert that the server sent.
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
    /// A legacy request to a framed-only port.
    #[error("{address}: this port accepts framed requests only; drop --legacy")]
    FramedOnly {
        /// The server.
        address: String,
    },
    /// A framed request to a legacy-only port.
    #[error("{address}: this port accepts legacy requests only; add --legacy")]
    LegacyOnly {
        /// The server.
        address: String,
    },
    /// Another kind of service listens there.
    #[error("{address}: not a control server; check --host and --port")]
    NotThisProtocol {
        /// The server.
        address: String,
    },
    /// The server does not support the operation.
    #[error("{address}: this server does not support `{what}`; upgrade it")]
    UnknownRequest {
        /// The server.
        address: String,
        /// The operation.
        what: &'static str,
    },
    /// The server has no numbers of runs, or none that reach so far back.
    #[error("{address}: this server cannot tell runs apart; leave out the number, or upgrade it")]
    WithoutRuns {
        /// The server.
        address: String,
    },
    /// The server did not complete a reply in time.
    #[error("{address}: no reply within {} s; raise --timeout, or check the server", after.as_secs_f64())]
    Timeout {
        /// The server.
        address: String,
        /// The timeout.
        after: Duration,
    },
    /// Neither the request nor a ping got a reply, where a control server replies at once.
    #[error(
        "{address}: no reply within {} s; not a control server? check --host and --port, or wait \
         longer with --timeout",
        after.as_secs_f64()
    )]
    Unconfirmed {
        /// The server.
        address: String,
        /// How long it had for both of them together.
        after: Duration,
    },
    /// The server closed the connection without a reply.
    #[error(
        "{address}: closed without a reply; check --port, --tls and --legacy, or the server's log"
    )]
    NoReply {
        /// The server.
        address: String,
    },
    /// The server closed the connection during a reply.
    #[error("{address}: the connection closed in the middle of a reply; check the server's log")]
    Truncated {
        /// The server.
        address: String,
    },
    /// The connection failed.
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
    /// The request is longer than servers accept; nothing was sent.
    #[error("{}; {}", .0, too_long_advice(.0))]
    TooLong(#[from] TooLong),
    /// A reply is longer than this client accepts, or empty.
    #[error(
        "{address}: a reply cannot be read ({source}); check that the port is a control server's"
    )]
    ReplyLength {
        /// The server.
        address: String,
        /// The claimed length.
        source: BadLength,
    },
    /// The server requires a token and got none.
    #[error("{address}: the server requires a token; give it with --token-env or --token-file")]
    TokenRequired {
        /// The server.
        address: String,
    },
    /// The token is wrong.
    #[error("{address}: the token is wrong; give the server's with --token-env or --token-file")]
    Unauthorised {
        /// The server.
        address: String,
    },
    /// The server is overloaded.
    #[error("{address}: {message}; try again later")]
    Busy {
        /// The server.
        address: String,
        /// Its message.
        message: String,
    },
    /// The server refused the request for another reason.
    #[error("{address}: {refusal}")]
    Refused {
        /// The server.
        address: String,
        /// Its message.
        refusal: Refusal,
    },
}

/// The hint for a certificate that is not trusted.
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
    /// The error for a server's refusal of a request with or without a token.
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

    /// Whether retrying may help: `ping --wait` continues after these.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unresolved { .. }
                | Self::NothingListens { .. }
                | Self::Unreachable { .. }
                | Self::ConnectTimeout { .. }
                | Self::Timeout { .. }
                | Self::Unconfirmed { .. }
                | Self::NoReply { .. }
                | Self::Truncated { .. }
                | Self::Broken { .. }
                | Self::Busy { .. }
        )
    }

    /// Whether a diagnosis of the port may reveal more.
    pub(super) fn needs_diagnosis(&self) -> bool {
        matches!(
            self,
            Self::NoReply { .. }
                | Self::Handshake { .. }
                | Self::ConnectTimeout { .. }
                | Self::Timeout { .. }
                | Self::Unconfirmed { .. }
                | Self::Broken { .. }
                | Self::Truncated { .. }
                | Self::ReplyLength { .. }
        )
    }

    /// The error with all its causes, in one line.
    pub fn line(&self) -> String {
        chain(self)
    }

    /// The error for a failed handshake.
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

    /// The error for an established connection. In TLS 1.3 a server rejects the client's
    /// certificate only after the client's handshake is complete.
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
