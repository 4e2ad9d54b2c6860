//! TLS and proxies for targets. A test has few different configurations (verified or not, with one
//! client certificate or another), so each is built once, when its first task is linked.

use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::proxy::Proxies;
use crate::load::template::Linker;
use crate::net::trust::{self, Trust};
use crate::protocol::placed::Placed;
use crate::value::{Invalid, Object, Reader, Value};

/// The TLS and proxy fields of a task, before its files are read.
#[derive(Debug)]
pub(crate) struct SettingDraft {
    verify: Verify,
    /// The client's certificate chain and its key, which may be one file.
    identity: Option<(PemFile, PemFile)>,
    http2: bool,
    proxies: Option<Proxies>,
}

#[derive(Debug)]
enum Verify {
    Platform,
    Anybody,
    Only(PemFile),
}

/// The path of a file that the document names.
type PemFile = Placed<String>;

fn read(file: &PemFile, linker: &Linker<'_>) -> Result<Vec<u8>, Invalid> {
    linker.read_file(&file.value, &file.place)
}

impl SettingDraft {
    /// Takes `verify` and `cert` from a task. Without `proxies` those of the environment are used.
    pub(crate) fn parse(
        fields: &mut Object<'_>,
        http2: bool,
        proxies: Option<Proxies>,
    ) -> Result<Self, Invalid> {
        let verify = fields.present("verify");
        let cert = fields.present("cert").or(fields.present("client_cert"));
        Self::of(verify, cert, http2, proxies)
    }

    /// The setting of these fields.
    pub(crate) fn of(
        verify: Option<Reader<'_>>,
        cert: Option<Reader<'_>>,
        http2: bool,
        proxies: Option<Proxies>,
    ) -> Result<Self, Invalid> {
        let verify = match verify {
            None => Verify::Platform,
            Some(field) => match field.value() {
                Value::Bool(true) => Verify::Platform,
                Value::Bool(false) => Verify::Anybody,
                Value::Str(path) => Verify::Only(Placed::at(&field, path.clone())),
                _ => return Err(field.expected("true, false or the path of a PEM file")),
            },
        };
        let identity = match cert {
            None => None,
            Some(field) => match field.value() {
                Value::Str(path) => {
                    Some((Placed::at(&field, path.clone()), Placed::at(&field, path.clone())))
                }
                Value::List(pair) => match pair.as_slice() {
                    [Value::Str(chain), Value::Str(key)] => {
                        Some((Placed::at(&field, chain.clone()), Placed::at(&field, key.clone())))
                    }
                    _ => return Err(field.expected("[certificate path, key path]")),
                },
                _ => return Err(field.expected("a PEM path or [certificate path, key path]")),
            },
        };
        Ok(Self { verify, identity, http2, proxies })
    }

    /// Reads the files.
    pub(crate) fn link(self, linker: &Linker<'_>) -> Result<Setting, Invalid> {
        let trust = match self.verify {
            Verify::Platform => Trust::Platform,
            Verify::Anybody => Trust::Anybody,
            Verify::Only(file) => {
                let pem = read(&file, linker)?;
                Trust::Only(certificates(&pem).map_err(|why| file.refusal(why))?)
            }
        };
        let identity = match self.identity {
            None => None,
            Some((chain, key)) => Some((read(&chain, linker)?, read(&key, linker)?)),
        };
        let environment = || Proxies::of_environment(|name| linker.environment(name));
        let proxies = self.proxies.unwrap_or_else(environment);
        Ok(Setting { trust, identity, http2: self.http2, proxies })
    }
}

/// The TLS and proxy settings of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The certificates to trust.
    pub(crate) trust: Trust,
    /// PEM of the client's certificate chain and of its key.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether to offer HTTP/2.
    pub(crate) http2: bool,
    /// The proxies of its requests.
    pub(crate) proxies: Proxies,
}

impl Setting {
    /// Whether it uses files that the document names.
    pub(crate) fn names_files(&self) -> bool {
        self.identity.is_some() || matches!(self.trust, Trust::Only(_))
    }

    /// Builds the configuration; the error says what cannot be used.
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

/// The distinct settings of a test's tasks, each with its configuration.
#[derive(Debug, Default)]
pub(crate) struct Settings(Vec<Configured>);

impl Settings {
    /// Returns the index of the TLS setting of the task at a place; the error says what cannot be used.
    pub(crate) fn add(&mut self, setting: Setting, place: String) -> Result<usize, Invalid> {
        if let Some(index) = self.0.iter().position(|known| known.setting == setting) {
            return Ok(index);
        }
        let configured = Configured { setting, config: OnceLock::new() };
        // Files named in the document are checked now. The platform's roots are read when the first
        // request needs them: most tests never do.
        if configured.setting.names_files() {
            configured.config().map_err(|message| Invalid { pointer: place, message })?;
        }
        self.0.push(configured);
        Ok(self.0.len() - 1)
    }

    /// Returns the setting with an index.
    pub(crate) fn get(&self, index: usize) -> Option<&Configured> {
        self.0.get(index)
    }
}

/// A TLS setting and its configuration, built when first needed.
#[derive(Debug)]
pub(crate) struct Configured {
    pub(crate) setting: Setting,
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Configured {
    /// Returns the configuration; the error says what cannot be used.
    pub(crate) fn config(&self) -> Result<&Arc<ClientConfig>, String> {
        self.config.get_or_init(|| self.setting.build()).as_ref().map_err(Clone::clone)
    }
}

/// Parses the certificates of a PEM text; the error says what is wrong with it.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err("no certificate in the PEM file".to_owned()),
        Ok(all) => Ok(all),
        Err(error) => Err(format!("a certificate cannot be read: {error}")),
    }
}
