//! The server's TLS identity and accepted tokens: the only settings that change while it serves. A
//! connection looks them up when needed and keeps only its TLS session, so a replacement applies to
//! new connections and does not disturb existing ones.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::ServerConfig;

use crate::wire::token::Tokens;

/// TLS identity and accepted tokens.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The accepted tokens.
    pub tokens: Tokens,
    /// The TLS configuration, if any; then plain connections are refused.
    pub tls: Option<Arc<ServerConfig>>,
}

/// A server's secrets. Clones share them: the server's owner keeps one to replace them.
#[derive(Clone, Default)]
pub struct Keyring(Arc<RwLock<Held>>);

#[derive(Default)]
struct Held {
    secrets: Secrets,
    /// How often the tokens have changed.
    changes: u64,
}

/// Why secrets cannot be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// The first token would lock out all current clients; removing the last would open the port.
    #[error("requiring a token can only be turned on or off with a restart")]
    Tokens,
    /// Clients already use one or the other.
    #[error("TLS can only be turned on or off with a restart")]
    Tls,
}

impl Keyring {
    /// The initial secrets.
    pub fn new(secrets: Secrets) -> Self {
        Self(Arc::new(RwLock::new(Held { secrets, changes: 0 })))
    }

    /// Replaces all of them, for later requests and handshakes. Whether a token is required and
    /// whether TLS is used cannot change, so that no mistake in a file opens a server.
    pub fn replace(&self, secrets: Secrets) -> Result<(), ReloadError> {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.secrets.tokens.required() != secrets.tokens.required() {
            return Err(ReloadError::Tokens);
        }
        if held.secrets.tls.is_some() != secrets.tls.is_some() {
            return Err(ReloadError::Tls);
        }
        held.changes += u64::from(held.secrets.tokens != secrets.tokens);
        held.secrets = secrets;
        Ok(())
    }

    /// Calls `look` with the tokens. They are not copied; the call waits only during a replacement.
    pub fn with_tokens<T>(&self, look: impl FnOnce(&Tokens) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner).secrets.tokens)
    }

    /// How often the tokens have changed: what was let in by others must show one again.
    pub fn changes(&self) -> u64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).changes
    }

    /// The TLS configuration for the next handshake.
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).secrets.tls.clone()
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
    fn a_replacement_is_visible_through_every_clone() {
        let keyring = Keyring::new(secrets("old"));
        let servers = keyring.clone();
        keyring.replace(secrets("new")).expect("it fits");
        assert!(servers.with_tokens(|tokens| tokens.accepts("new") && !tokens.accepts("old")));
    }

    #[test]
    fn a_replacement_cannot_turn_the_token_or_tls_on_or_off() {
        let guarded = Keyring::new(secrets("old"));
        assert_eq!(guarded.replace(Secrets::default()), Err(ReloadError::Tokens));
        assert!(guarded.with_tokens(|tokens| tokens.accepts("old")));
        assert_eq!(Keyring::default().replace(secrets("new")), Err(ReloadError::Tokens));
    }

    #[test]
    fn its_debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", Keyring::new(secrets("s"))), "Keyring(Tokens(1), TLS: false)");
    }
}
