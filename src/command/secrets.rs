//! The secrets of a server: its tokens, its certificate and key, and the authorities of client
//! certificates. They are read at the start and again on SIGHUP; then either all of them are
//! replaced or, if anything is invalid, none.

use std::path::PathBuf;
use std::sync::Arc;

use super::signal::ReloadSignal;
use super::token::{self, TokenOrigin};
use super::{connection, credential, service};
use crate::cli;
use crate::console::Console;
use crate::error::{Error, chain};
use crate::server::{Keyring, Secrets};
use crate::wire::tls::{self, Identity};
use crate::wire::token::{Token, Tokens};

/// The sources of a server's secrets.
#[derive(Debug)]
pub(super) struct Sources {
    token: TokenOrigin,
    tls: Option<TlsFiles>,
}

#[derive(Debug)]
struct TlsFiles {
    identity: Identity,
    client_ca: Option<PathBuf>,
}

/// Finds and reads a server's secrets.
pub(super) fn find(args: &cli::Serve, console: &mut Console) -> Result<(Sources, Secrets), Error> {
    let (tokens, token) = token::find(&args.token, console)?;
    let sources = Sources { token, tls: tls_files(args)? };
    let secrets = sources.secrets(Tokens::new(&tokens))?;
    Ok((sources, secrets))
}

impl Sources {
    /// The files of the secrets, including the certificates: whoever replaces one decides the
    /// server's identity and trust after the next SIGHUP.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let token = match &self.token {
            TokenOrigin::File(path) | TokenOrigin::Credential(path) => Some(path),
            TokenOrigin::Nowhere | TokenOrigin::Once(_) => None,
        };
        let tls = self.tls.iter().flat_map(
            |TlsFiles { identity: Identity { cert, key, .. }, client_ca }| {
                [cert, key].into_iter().chain(client_ca)
            },
        );
        token.into_iter().chain(tls).cloned().collect()
    }

    /// Reloads the secrets on every request, until the terminal has hung up.
    pub(super) async fn follow(
        self,
        keyring: &Keyring,
        mut hangup: ReloadSignal,
        console: &mut Console,
    ) {
        let sources = Arc::new(self);
        while hangup.next().await {
            service::reloading();
            sources.reload(keyring, console).await;
            service::reloaded();
        }
    }

    /// Reloads them once, and prints the result in one line.
    async fn reload(self: &Arc<Self>, keyring: &Keyring, console: &mut Console) {
        let (sources, ring) = (Arc::clone(self), keyring.clone());
        // A file may be slow to read; the server continues in the meantime.
        let outcome = match tokio::task::spawn_blocking(move || sources.replace(&ring)).await {
            Ok(outcome) => outcome,
            Err(panic) => Err(Error::usage(panic.to_string())),
        };
        match outcome {
            Ok(line) => console.message(&line),
            Err(error) => console.warn(&format!("reload failed, nothing changed: {error}")),
        }
    }

    /// Replaces the secrets that can be reloaded; returns the line that says so.
    fn replace(&self, keyring: &Keyring) -> Result<String, Error> {
        let tokens = self.token.tokens()?;
        let line = self.line(tokens.as_deref());
        let tokens = match tokens {
            Some(tokens) => Tokens::new(&tokens),
            None => keyring.with_tokens(Tokens::clone),
        };
        keyring.replace(self.secrets(tokens)?).map_err(|error| Error::usage(error.to_string()))?;
        Ok(line)
    }

    fn line(&self, tokens: Option<&[Token]>) -> String {
        let mut read = Vec::new();
        let mut kept = String::new();
        match (&self.token, tokens) {
            (TokenOrigin::File(path) | TokenOrigin::Credential(path), Some(tokens)) => {
                let what = if tokens.len() == 1 { "the token" } else { "both tokens" };
                read.push(format!("{what} in {}", path.display()));
            }
            (TokenOrigin::Once(place), _) => {
                kept = format!("the token from {place} stays until a restart");
            }
            _ => {}
        }
        if let Some(TlsFiles { identity: Identity { cert, key, .. }, client_ca }) = &self.tls {
            read.push(format!("the certificate {}", cert.display()));
            read.push(format!("its key {}", key.display()));
            read.extend(client_ca.iter().map(|path| format!("the authorities {}", path.display())));
        }
        match (read.is_empty(), kept.is_empty()) {
            (false, true) => format!("reloaded {}", read.join(", ")),
            (false, false) => format!("reloaded {}; {kept}", read.join(", ")),
            (true, false) => format!("nothing to reload: {kept}"),
            (true, true) => "nothing to reload: there is neither a token nor a certificate".into(),
        }
    }

    /// The secrets, with TLS read from its files.
    fn secrets(&self, tokens: Tokens) -> Result<Secrets, Error> {
        let config = |TlsFiles { identity, client_ca }: &TlsFiles| {
            tls::server_config(identity, client_ca.as_deref())
                .map_err(|error| Error::usage(chain(&error)))
        };
        Ok(Secrets { tokens, tls: self.tls.as_ref().map(config).transpose()? })
    }
}

fn tls_files(args: &cli::Serve) -> Result<Option<TlsFiles>, Error> {
    let Some(identity) = identity(args)? else {
        return match args.tls_client_ca {
            Some(_) => Err(Error::usage(
                "--tls-client-ca has no effect without TLS; give --tls-cert and --tls-key",
            )),
            None => Ok(None),
        };
    };
    Ok(Some(TlsFiles { identity, client_ca: args.tls_client_ca.clone() }))
}

/// The certificate and key of the command line, otherwise those of systemd's credentials.
fn identity(args: &cli::Serve) -> Result<Option<Identity>, Error> {
    let named = connection::identity(args.tls_cert.as_deref(), args.tls_key.as_deref())?;
    if named.is_some() {
        return Ok(named);
    }
    match (credential::find(credential::CERTIFICATE)?, credential::find(credential::KEY)?) {
        (Some(cert), Some(key)) => Ok(Some(Identity { cert, key, credentials: true })),
        (None, None) => Ok(None),
        (cert, _) => {
            let (given, missing) = match cert {
                Some(_) => (credential::CERTIFICATE, credential::KEY),
                None => (credential::KEY, credential::CERTIFICATE),
            };
            Err(Error::usage(format!(
                "there is a credential {given} and none {missing}; give both, or neither"
            )))
        }
    }
}
