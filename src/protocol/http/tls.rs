//! TLS towards targets. A test has few different configurations (verified or not, with one client
//! certificate or another), so each is made once, when its first task is compiled.

use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::net::trust::{self, Trust};

/// What a task says of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Whom to trust.
    pub(crate) trust: Trust,
    /// PEM of the client's certificate chain and of its key.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether HTTP/2 is offered.
    pub(crate) http2: bool,
}

impl Setting {
    /// Whether it stands on files that the document names.
    pub(crate) fn names_files(&self) -> bool {
        self.identity.is_some() || matches!(self.trust, Trust::Only(_))
    }

    /// The configuration; the error says what cannot be used.
    pub(crate) fn build(&self) -> Result<Arc<ClientConfig>, String> {
        let builder = trust::client(&self.trust).map_err(|error| error.to_string())?;
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
                    format!("no private key in the client certificate's key: {error}")
                })?;
                builder
                    .with_client_auth_cert(certificates(chain)?, key)
                    .map_err(|error| format!("the client certificate and its key: {error}"))?
            }
        };
        config.alpn_protocols = if self.http2 {
            vec![b"h2".to_vec(), b"http/1.1".to_vec()]
        } else {
            vec![b"http/1.1".to_vec()]
        };
        Ok(Arc::new(config))
    }
}

/// The certificates of a PEM text; the error says what is wrong with it.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err("no certificate in the PEM file".to_owned()),
        Ok(all) => Ok(all),
        Err(error) => Err(format!("a certificate cannot be read: {error}")),
    }
}
