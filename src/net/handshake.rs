//! Why a TLS handshake failed, in words: the one place where the library's errors are read. What to
//! change depends on who asks, a client with flags or a task with fields, and is said there.

use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// Why a TLS handshake failed, or a connection after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsProblem {
    /// The server's certificate is not trusted.
    Certificate(CertificateProblem),
    /// What the peer sends is not TLS.
    NotTls,
    /// The server wants a certificate and was shown none.
    CertificateRequired,
    /// The server does not take the certificate that it was shown: the alert's name.
    CertificateRejected(String),
    /// The server speaks no version that is spoken here; its own, where it is known.
    Version(Option<&'static str>),
    /// The server offers only cipher suites without forward secrecy.
    NoForwardSecrecy,
    /// There is no cipher suite, key exchange or signature in common.
    NothingInCommon,
    /// The server broke off without a reason, which may also be a missing client certificate.
    Unexplained,
    /// The server has no certificate for the host's name.
    UnknownName,
    /// The connection was closed within the handshake.
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
    /// It calls itself an authority, as `openssl req -x509` makes it, and is not itself trusted.
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
    /// What an error of a TLS connection says; `None` where it is not TLS that failed.
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

impl From<&CertificateError> for CertificateProblem {
    fn from(error: &CertificateError) -> Self {
        use CertificateError::{
            BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext,
            NotValidYet, NotValidYetContext, UnknownIssuer,
            UnsupportedSignatureAlgorithmForPublicKeyContext,
        };
        match error {
            // A wrong signature: an authority of the same name, but with another key, as when it was
            // made anew, or with a key of another kind.
            UnknownIssuer
            | BadSignature
            | UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Self::UnknownIssuer,
            Expired | ExpiredContext { .. } => Self::Expired,
            NotValidYet | NotValidYetContext { .. } => Self::NotValidYet,
            NotValidForName => Self::WrongName { names: Vec::new() },
            NotValidForNameContext { presented, .. } => {
                Self::WrongName { names: presented.clone() }
            }
            // The verifier's own type is not this crate's dependency; its text names the kind.
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
    fn an_error_of_the_library_has_its_kind_here() {
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
}
