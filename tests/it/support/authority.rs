//! A certificate authority that lives as long as the test, with a server's and a client's
//! certificate of its own.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Files `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`, and `other-ca.pem`, an
/// authority that has signed none of them.
pub(crate) struct Authority {
    directory: TempDir,
}

impl Authority {
    /// Makes keys and certificates for `localhost`.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let issuer = issue_authority(directory.path(), "ca");
        issue_authority(directory.path(), "other-ca");
        for (name, usage) in [
            ("server", ExtendedKeyUsagePurpose::ServerAuth),
            ("client", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let key = KeyPair::generate().expect("a key");
            let mut params =
                CertificateParams::new(vec!["localhost".to_owned()]).expect("a host name");
            params.distinguished_name.push(DnType::CommonName, format!("test {name}"));
            params.extended_key_usages = vec![usage];
            let certificate = params.signed_by(&key, &issuer).expect("a certificate");
            write(directory.path(), &format!("{name}.pem"), &certificate.pem());
            write(directory.path(), &format!("{name}.key"), &key.serialize_pem());
        }
        Self { directory }
    }

    /// The server's side of TLS, with these protocols.
    pub(crate) fn server(&self, protocols: &[&[u8]]) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth();
        let chain = vec![CertificateDer::from_pem_file(self.file("server.pem")).expect("PEM")];
        let key = PrivateKeyDer::from_pem_file(self.file("server.key")).expect("a key");
        let mut config = builder.with_single_cert(chain, key).expect("a certificate");
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }

    /// One of the files.
    pub(crate) fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }
}

fn issue_authority(directory: &Path, name: &str) -> Issuer<'static, KeyPair> {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    // OpenSSL takes a certificate that names itself as its issuer for a self-signed one.
    params.distinguished_name.push(DnType::CommonName, format!("test {name}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate");
    write(directory, &format!("{name}.pem"), &certificate.pem());
    Issuer::new(params, key)
}

fn write(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(name), text).expect("a file");
    if name.ends_with(".key") {
        make_private(&directory.join(name));
    }
}

/// Leaves a file to its owner alone, as keys must be.
#[cfg(unix)]
pub(crate) fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a file");
}

#[cfg(not(unix))]
pub(crate) fn make_private(_: &Path) {}
