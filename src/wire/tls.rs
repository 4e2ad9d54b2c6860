//! TLS settings from files: the server's certificate, and the authorities a client trusts. Only
//! versions 1.2 and 1.3, one explicitly named provider, no session tickets and no early data. Every
//! error names the file and what to change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls;

use rustls::client::Resumption;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use zeroize::Zeroizing;

use super::guarded::{Content, GuardError, Guarded};
use crate::error::reason;
use crate::net::trust::{self, Trust, TrustError, provider};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: cannot be read as PEM ({why}); give a readable PEM file", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Other users could read or replace a file. The text names it and what to do.
    #[error("{0}")]
    Open(String),
    /// A file holds no certificate.
    #[error("{}: no certificate in it; give a PEM file with a CERTIFICATE block", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no private key.
    #[error("{}: no private key in it; give a PEM file with an unencrypted PRIVATE KEY block", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A certificate and key that do not belong together.
    #[error("{} and {}: {source}; give a certificate and its own key", cert.display(), key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A certificate authority that cannot be used.
    #[error("{}: {why}; give the certificate of a certificate authority", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The platform has no trusted certificates.
    #[error("no trusted certificates on this machine; name a certificate authority with --tls-ca")]
    NoRoots,
    /// A server name that no certificate can contain.
    #[error("{name:?} is neither a host name nor an IP address; give one with --tls-server-name")]
    ServerName {
        /// The name.
        name: String,
    },
    /// Certificates cannot be verified.
    #[error("{0}")]
    Trust(TrustError),
    /// The provider lacks a feature; a bug in this build.
    #[error("TLS cannot be set up: {0}")]
    Provider(rustls::Error),
}

/// A certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate chain, PEM, the own certificate first.
    pub cert: PathBuf,
    /// The private key, PEM, not encrypted.
    pub key: PathBuf,
    /// Whether they are credentials, whose modes are systemd's.
    pub credentials: bool,
}

/// The longest file of certificates that is read, in bytes: more than any system's authorities.
const LONGEST_CHAIN: usize = 4 * 1024 * 1024;

/// The longest file of a key, in bytes.
const LONGEST_KEY: usize = 64 * 1024;

/// The TLS settings of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// The certificate authorities to trust, PEM; `None` for the platform's.
    pub ca: Option<PathBuf>,
    /// The name that the server's certificate must have; `None` for the host.
    pub server_name: Option<String>,
    /// The client's own certificate.
    pub identity: Option<Identity>,
    /// Trust any certificate. The caller prints a warning.
    pub insecure: bool,
}

/// The TLS configuration of a server; with `client_ca` only clients with a certificate of that
/// authority may connect.
pub fn server_config(
    identity: &Identity,
    client_ca: Option<&Path>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Provider)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(roots_from(path)?);
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots, provider).build().map_err(
                    |error| TlsError::Authority { path: path.to_owned(), why: error.to_string() },
                )?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = read_identity(identity)?;
    let mut config =
        builder.with_single_cert(chain, key).map_err(|source| pair_error(identity, source))?;
    // One request per connection: resumption gains nothing, and stored sessions could leak.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    // The server chooses the cipher suite, as security assessments recommend.
    config.ignore_client_order = true;
    Ok(Arc::new(config))
}

/// The TLS configuration of a client, and the name that it expects in the certificate.
pub fn client_config(
    tls: &ClientTls,
    host: &str,
) -> Result<(Arc<ClientConfig>, ServerName<'static>), TlsError> {
    let trusted = match (&tls.ca, tls.insecure) {
        (_, true) => Trust::Anybody,
        (Some(path), false) => Trust::Only(certificates(path)?),
        (None, false) => Trust::Platform,
    };
    let builder = trust::client(&trusted).map_err(|error| match (error, &tls.ca) {
        (TrustError::NoRoots, _) => TlsError::NoRoots,
        (TrustError::Provider(error), _) => TlsError::Provider(error),
        (error, Some(path)) => TlsError::Authority { path: path.clone(), why: error.to_string() },
        (error, None) => TlsError::Trust(error),
    })?;
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = read_identity(identity)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|source| pair_error(identity, source))?
        }
    };
    config.resumption = Resumption::disabled();
    let name = tls.server_name.as_deref().unwrap_or(host);
    let server_name = ServerName::try_from(name.to_owned())
        .map_err(|_| TlsError::ServerName { name: name.to_owned() })?;
    Ok((Arc::new(config), server_name))
}

fn pair_error(identity: &Identity, source: rustls::Error) -> TlsError {
    TlsError::Pair { cert: identity.cert.clone(), key: identity.key.clone(), source }
}

fn read_identity(
    identity: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let [public, secret] = match identity.credentials {
        true => [Content::Credential; 2],
        false => [Content::Public, Content::Secret],
    };
    let chain = certificates_in(&identity.cert, public)?;
    let path = &identity.key;
    let text = read(Guarded { path, what: "the key file", content: secret }, LONGEST_KEY)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.clone() },
        error => not_pem(path, &error),
    })?;
    Ok((chain, key))
}

fn read(file: Guarded<'_>, most: usize) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    file.read(most).map_err(|error| match error {
        GuardError::Open(text) => TlsError::Open(text),
        other => TlsError::File { path: file.path.to_owned(), why: other.to_string() },
    })
}

fn not_pem(path: &Path, error: &pem::Error) -> TlsError {
    let why = match error {
        pem::Error::Io(error) => reason(error),
        other => other.to_string(),
    };
    TlsError::File { path: path.to_owned(), why }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates_in(path, Content::Public)
}

fn certificates_in(
    path: &Path,
    content: Content,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(Guarded { path, what: "the certificate file", content }, LONGEST_CHAIN)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| not_pem(path, &error))?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(found)
}

fn roots_from(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::Authority {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files {
        dir: tempfile::TempDir,
    }

    #[cfg(unix)]
    fn make_private(path: &Path) {
        use std::os::unix::fs::PermissionsExt;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, private).expect("a file");
    }

    #[cfg(not(unix))]
    fn make_private(_: &Path) {}

    impl Files {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            for name in ["a", "b"] {
                let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a cert");
                std::fs::write(dir.path().join(format!("{name}.crt")), made.cert.pem()).expect("x");
                let key = made.signing_key.serialize_pem();
                std::fs::write(dir.path().join(format!("{name}.key")), key).expect("a file");
            }
            for name in ["a.crt", "a.key", "b.key"] {
                make_private(&dir.path().join(name));
            }
            std::fs::write(dir.path().join("empty"), "").expect("a file");
            Self { dir }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn refusal(&self, cert: &str, key: &str) -> String {
            let identity =
                Identity { cert: self.path(cert), key: self.path(key), credentials: false };
            let text = server_config(&identity, None).unwrap_err().to_string();
            text.replace(&self.dir.path().display().to_string(), "DIR")
        }
    }

    #[test]
    fn a_certificate_and_its_key_make_a_server() {
        let files = Files::new();
        let identity =
            Identity { cert: files.path("a.crt"), key: files.path("a.key"), credentials: false };
        let config = server_config(&identity, Some(&files.path("b.crt"))).expect("a server");
        assert_eq!(config.max_early_data_size, 0);
        assert_eq!(config.send_tls13_tickets, 0);
        assert!(config.ignore_client_order);
    }

    #[test]
    fn every_refusal_names_the_file_and_what_to_change() {
        let files = Files::new();
        for (cert, key, refusal) in [
            (
                "empty",
                "a.key",
                "DIR/empty: no certificate in it; give a PEM file with a CERTIFICATE block",
            ),
            (
                "a.crt",
                "a.crt",
                "DIR/a.crt: no private key in it; give a PEM file with an unencrypted PRIVATE KEY block",
            ),
        ] {
            assert_eq!(files.refusal(cert, key), refusal);
        }
        assert!(files.refusal("none", "a.key").starts_with("DIR/none: cannot be read as PEM ("));
        let pair = files.refusal("a.crt", "b.key");
        assert!(pair.starts_with("DIR/a.crt and DIR/b.key: "), "{pair}");
        assert!(pair.ends_with("; give a certificate and its own key"), "{pair}");
    }

    #[test]
    fn a_name_that_no_certificate_can_contain_is_refused() {
        let tls = ClientTls { insecure: true, ..ClientTls::default() };
        let refusal = client_config(&tls, "no host").unwrap_err().to_string();
        assert_eq!(
            refusal,
            "\"no host\" is neither a host name nor an IP address; give one with --tls-server-name"
        );
    }
}
