//! Why a TLS handshake failed: the one place where the library's errors are interpreted. The hint
//! depends on the caller, a client with flags or a task with fields, and is added there.

use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// Why a TLS handshake, or a connection after it, failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsProblem {
    /// The server's certificate is not trusted.
    Certificate(CertificateProblem),
    /// The peer does not speak TLS.
    NotTls,
    /// The server requires a client certificate and got none.
    CertificateRequired,
    /// The server rejected the client certificate: the alert's name.
    CertificateRejected(String),
    /// The server supports no TLS version that is supported here; its own, where it is known.
    Version(Option<&'static str>),
    /// The server offers only cipher suites without forward secrecy.
    NoForwardSecrecy,
    /// There is no cipher suite, key exchange or signature in common.
    NothingInCommon,
    /// The server closed the connection without a reason; a missing client certificate is one.
    Unexplained,
    /// The server has no certificate for the host's name.
    UnknownName,
    /// The connection closed during the handshake.
    Closed,
    /// Another reason.
    Other(String),
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// No trusted authority has signed it.
    #[error("no trusted authority has signed it")]
    UnknownIssuer,
    /// It is too old.
    #[error("it has expired")]
    Expired,
    /// It is too new.
    #[error("it is not valid yet")]
    NotValidYet,
    /// It is for other names.
    #[error("it is for another name{}", of(names))]
    WrongName {
        /// The names that it is for.
        names: Vec<String>,
    },
    /// It is marked as an authority, as `openssl req -x509` makes it, and is not itself trusted.
    #[error("it calls itself an authority and is not itself trusted")]
    Authority,
    /// It is of version 1, and is not itself trusted.
    #[error("it is an X.509 certificate of version 1 and is not itself trusted")]
    FirstVersion,
    /// Another reason.
    #[error("{0}")]
    Other(String),
}

fn of(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

impl TlsProblem {
    /// Interprets an error of a TLS connection; `None` if TLS is not its cause.
    pub fn of(error: &io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref()? {
            Error::InvalidCertificate(reason) => Some(Self::Certificate(reason.into())),
            Error::InvalidMessage(_) => Some(Self::NotTls),
            Error::PeerIncompatible(reason) => Some(Self::incompatible(reason)),
            Error::AlertReceived(alert) => Some(Self::alert(*alert)),
            other => Some(Self::Other(other.to_string())),
        }
    }

    fn incompatible(reason: &PeerIncompatible) -> Self {
        match reason {
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => Self::Version(None),
            PeerIncompatible::NoCipherSuitesInCommon
            | PeerIncompatible::NoKxGroupsInCommon
            | PeerIncompatible::NoSignatureSchemesInCommon
            | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
                Self::NothingInCommon
            }
            other => Self::Other(Error::PeerIncompatible(other.clone()).to_string()),
        }
    }

    fn alert(alert: AlertDescription) -> Self {
        use AlertDescription::{
            AccessDenied, BadCertificate, CertificateExpired, CertificateRequired,
            CertificateRevoked, CertificateUnknown, DecryptError, HandshakeFailure,
            InsufficientSecurity, ProtocolVersion, UnknownCA, UnrecognisedName,
            UnsupportedCertificate,
        };
        match alert {
            CertificateRequired => Self::CertificateRequired,
            AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRevoked
            | CertificateUnknown
            // Signed by an authority of the same name with another key.
            | DecryptError
            | UnknownCA
            | UnsupportedCertificate => Self::CertificateRejected(format!("{alert:?}")),
            ProtocolVersion => Self::Version(None),
            HandshakeFailure => Self::Unexplained,
            InsufficientSecurity => Self::NothingInCommon,
            UnrecognisedName => Self::UnknownName,
            other => Self::Other(Error::AlertReceived(other).to_string()),
        }
    }
}

/// A name as people write it: the library gives `DnsName("localhost")` and `IpAddress(127.0.0.1)`.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

impl From<&CertificateError> for CertificateProblem {
    fn from(error: &CertificateError) -> Self {
        use CertificateError::{
            BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext,
            NotValidYet, NotValidYetContext, UnknownIssuer,
            UnsupportedSignatureAlgorithmForPublicKeyContext,
        };
        match error {
            // A wrong signature: from an authority of the same name with another key, for example
            // one that was recreated, or with another kind of key.
            UnknownIssuer
            | BadSignature
            | UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Self::UnknownIssuer,
            Expired | ExpiredContext { .. } => Self::Expired,
            NotValidYet | NotValidYetContext { .. } => Self::NotValidYet,
            NotValidForName => Self::WrongName { names: Vec::new() },
            NotValidForNameContext { presented, .. } => {
                Self::WrongName { names: presented.iter().map(|name| plain(name)).collect() }
            }
            // The verifier's own error type is not a dependency of this crate; its text names the
            // kind.
            other => match format!("{other:?}") {
                kind if kind.contains("CaUsedAsEndEntity") => Self::Authority,
                kind if kind.contains("UnsupportedCertVersion") => Self::FirstVersion,
                _ => Self::Other(other.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_library_has_a_kind() {
        for (error, expected) in [
            (Error::AlertReceived(AlertDescription::HandshakeFailure), TlsProblem::Unexplained),
            (Error::AlertReceived(AlertDescription::ProtocolVersion), TlsProblem::Version(None)),
            (
                Error::AlertReceived(AlertDescription::UnknownCA),
                TlsProblem::CertificateRejected("UnknownCA".to_owned()),
            ),
            (
                PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into(),
                TlsProblem::Version(None),
            ),
            (PeerIncompatible::NoCipherSuitesInCommon.into(), TlsProblem::NothingInCommon),
            (
                CertificateError::BadSignature.into(),
                TlsProblem::Certificate(CertificateProblem::UnknownIssuer),
            ),
        ] {
            assert_eq!(TlsProblem::of(&io::Error::other(error)), Some(expected));
        }
        assert_eq!(TlsProblem::of(&io::ErrorKind::ConnectionReset.into()), None);
    }

    #[test]
    fn the_names_of_a_certificate_are_those_that_people_write() {
        let names = ["DnsName(\"localhost\")", "IpAddress(127.0.0.1)", "other"].map(plain);
        assert_eq!(names, ["localhost", "127.0.0.1", "other"]);
    }
}
