//! What a server shows and what it accepts: the one thing about it that changes while it serves. A
//! connection looks when it needs something and keeps nothing but the TLS session it has, so a
//! replacement holds for whoever comes next and disturbs nobody else.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::ServerConfig;

use crate::wire::token::Tokens;

/// What a server shows and what it accepts.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The tokens that it accepts.
    pub tokens: Tokens,
    /// TLS, if it speaks it; then it speaks nothing else.
    pub tls: Option<Arc<ServerConfig>>,
}

/// A server's secrets. Clones share them: who started the server keeps one to replace them.
#[derive(Clone, Default)]
pub struct Keyring(Arc<RwLock<Secrets>>);

/// A replacement that would make another server of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// Without tokens the port would be open, with the first one shut to those it is open to.
    #[error("whether a token is asked for changes with a restart only")]
    Tokens,
    /// Peers that are connected already speak one or the other.
    #[error("whether TLS is spoken changes with a restart only")]
    Tls,
}

impl Keyring {
    /// The secrets to begin with.
    pub fn new(secrets: Secrets) -> Self {
        Self(Arc::new(RwLock::new(secrets)))
    }

    /// Replaces them all at once, for requests and handshakes from here on. Whether tokens are asked
    /// for and TLS is spoken stays as it began, so that no slip in a file opens a server.
    pub fn replace(&self, secrets: Secrets) -> Result<(), ReloadError> {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.tokens.required() != secrets.tokens.required() {
            return Err(ReloadError::Tokens);
        }
        if held.tls.is_some() != secrets.tls.is_some() {
            return Err(ReloadError::Tls);
        }
        *held = secrets;
        Ok(())
    }

    /// Looks at the tokens. Nothing is copied, and nobody waits but for a replacement that is just
    /// being made.
    pub fn with_tokens<T>(&self, look: impl FnOnce(&Tokens) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner).tokens)
    }

    /// What the next handshake shows.
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).tls.clone()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.with_tokens(Tokens::clone);
        write!(out, "Keyring({tokens:?}, TLS: {})", self.tls().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::token::Token;

    fn secrets(token: &str) -> Secrets {
        Secrets { tokens: Tokens::new([&Token::new(token).expect("a token")]), tls: None }
    }

    #[test]
    fn a_replacement_is_seen_through_every_clone() {
        let keyring = Keyring::new(secrets("old"));
        let servers = keyring.clone();
        keyring.replace(secrets("new")).expect("it fits");
        assert!(servers.with_tokens(|tokens| tokens.accepts("new") && !tokens.accepts("old")));
    }

    #[test]
    fn no_replacement_opens_a_server_or_shuts_an_open_one() {
        let guarded = Keyring::new(secrets("old"));
        assert_eq!(guarded.replace(Secrets::default()), Err(ReloadError::Tokens));
        assert!(guarded.with_tokens(|tokens| tokens.accepts("old")));
        assert_eq!(Keyring::default().replace(secrets("new")), Err(ReloadError::Tokens));
    }

    #[test]
    fn it_does_not_show_what_it_holds() {
        assert_eq!(format!("{:?}", Keyring::new(secrets("s"))), "Keyring(Tokens(1), TLS: false)");
    }
}
