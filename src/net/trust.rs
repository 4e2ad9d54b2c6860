//! Which server certificates a TLS client trusts, for the control connection and for load tests
//! alike: the only place that verifies certificates and names the crypto provider.

use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WantsClientCert, WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};

use super::certificate::Certificate;

/// Signature schemes that are obsolete, or that the provider cannot verify: offered where
/// verification is disabled.
const UNPROVEN: [SignatureScheme; 3] = [
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::RSA_PKCS1_SHA1,
    SignatureScheme::ECDSA_SHA1_Legacy,
];

/// Which certificates to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The platform's roots.
    Platform,
    /// Only these certificates: authorities, or the server's own certificate.
    Only(Vec<CertificateDer<'static>>),
    /// Every certificate whose key the server holds.
    Anybody,
}

/// Why there is nothing to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The platform has no root certificates.
    #[error("no root certificates were found on this machine")]
    NoRoots,
    /// A certificate that cannot be a root.
    #[error("a certificate cannot be trusted: {0}")]
    Unusable(Error),
    /// The provider does not support the TLS versions.
    #[error("TLS is not available: {0}")]
    Provider(Error),
    /// The verifier cannot be made.
    #[error("certificates cannot be verified: {0}")]
    Verifier(String),
}

/// The program's only crypto provider.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ring::default_provider())))
}

/// Starts a client configuration with this trust; TLS 1.2 and 1.3 only.
pub fn client(trust: &Trust) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TrustError> {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    let (roots, pinned) = match trust {
        Trust::Anybody => (None, Vec::new()),
        Trust::Platform => (Some(platform_roots()?), Vec::new()),
        Trust::Only(certificates) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates {
                roots.add(certificate.clone()).map_err(TrustError::Unusable)?;
            }
            (Some(Arc::new(roots)), certificates.clone())
        }
    };
    let chains = roots
        .map(|roots| {
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()
        })
        .transpose()
        .map_err(|error| TrustError::Verifier(error.to_string()))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TrustError::Provider)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(Verifier {
        chains,
        pinned,
        algorithms,
    })))
}

/// The platform's roots, read only once because there are many.
fn platform_roots() -> Result<Arc<RootCertStore>, TrustError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() { Err(TrustError::NoRoots) } else { Ok(Arc::clone(roots)) }
}

/// Verifies a server's certificate.
#[derive(Debug)]
struct Verifier {
    /// Builds chains to the roots; `None` accepts every certificate.
    chains: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates that are trusted directly.
    pinned: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chains) = &self.chains else { return Ok(ServerCertVerified::assertion()) };
        let judged =
            chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match judged {
            // A certificate that is named exactly is trusted, whoever signed it. The most common
            // self-signed one (`openssl req -x509`) is even marked as an authority.
            Err(error) if self.pinned.contains(end_entity) && lacks_chain(&error) => {
                let own = Certificate::read(end_entity).ok_or(CertificateError::BadEncoding)?;
                own.check_dates(now)?;
                if own.first_version {
                    own.check_common_name(server_name)?;
                } else {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
            .or_else(|error| self.verify_without_webpki(message, certificate, signed, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
            .or_else(|error| self.verify_without_webpki(message, certificate, signed, error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        if self.chains.is_none() {
            schemes.extend(UNPROVEN);
        }
        schemes
    }
}

impl Verifier {
    /// Verifies the signature of a certificate that webpki cannot read or verify.
    fn verify_without_webpki(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        error: Error,
    ) -> Result<HandshakeSignatureValid, Error> {
        let lenient = self.chains.is_none();
        let offered = lenient || self.pinned.contains(certificate);
        let own = Certificate::read(certificate).filter(|_| offered);
        match own.filter(|own| own.has_signed(message, signed, &self.algorithms, lenient)) {
            Some(_) => Ok(HandshakeSignatureValid::assertion()),
            None => Err(error),
        }
    }
}

/// Whether the error is that no chain leads from a certificate to a root: it is signed by an
/// unknown authority, is an authority itself, or is of version 1. The verifier has no kinds for the
/// last two and passes on those of its library, which can only be recognized by name.
fn lacks_chain(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => true,
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            let name = format!("{other:?}");
            name.contains("CaUsedAsEndEntity") || name.contains("UnsupportedCertVersion")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use tokio_rustls::rustls::pki_types::ServerName;

    use super::*;

    fn self_signed(until: i64) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let now = rcgen::date_time_ymd(2020, 1, 1);
        params.not_before = now;
        params.not_after = rcgen::date_time_ymd(i32::try_from(until).expect("a year"), 1, 1);
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().clone()
    }

    fn judge(trust: &[CertificateDer<'static>], shown: &CertificateDer<'_>, name: &str) -> bool {
        let provider = provider();
        let mut roots = RootCertStore::empty();
        trust.iter().for_each(|root| roots.add(root.clone()).expect("a root"));
        let chains = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
        let verifier = Verifier {
            chains: Some(chains.build().expect("a verifier")),
            pinned: trust.to_vec(),
            algorithms: provider.signature_verification_algorithms,
        };
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time");
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()));
        verifier.verify_server_cert(shown, &[], &name, &[], now).is_ok()
    }

    #[test]
    fn a_self_signed_authority_is_trusted_only_if_it_is_named_exactly() {
        let (mine, other) = (self_signed(2999), self_signed(2999));
        assert!(judge(std::slice::from_ref(&mine), &mine, "localhost"));
        assert!(!judge(std::slice::from_ref(&other), &mine, "localhost"));
    }

    #[test]
    fn a_wrong_name_or_an_expired_certificate_is_refused() {
        let (mine, old) = (self_signed(2999), self_signed(2021));
        assert!(!judge(std::slice::from_ref(&mine), &mine, "example.org"));
        assert!(!judge(std::slice::from_ref(&old), &old, "localhost"));
    }
}
