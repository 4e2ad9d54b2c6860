//! Sessions of browsers. They live in memory, so they end with the server, and with every change of its
//! tokens.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::lock::lock;
use crate::server::Keyring;
use crate::wire::token::Token;

/// How long a session lasts.
pub(super) const LIFE: Duration = Duration::from_secs(12 * 3600);

/// The most sessions; beyond them the oldest ends.
const MOST: usize = 1000;

/// The sessions, by the digests of their keys.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

#[derive(Debug)]
struct Session {
    since: Instant,
    /// The tokens that were accepted when it began.
    tokens: u64,
}

impl Sessions {
    /// Begins one: its key.
    pub(super) fn begin(&self, keyring: &Keyring) -> Option<Token> {
        let (key, now) = (Token::random()?, Instant::now());
        let mut sessions = lock(&self.0);
        sessions.retain(|_, session| session.is_valid(keyring, now));
        if sessions.len() >= MOST
            && let Some(oldest) =
                sessions.iter().min_by_key(|(_, session)| session.since).map(|(key, _)| *key)
        {
            sessions.remove(&oldest);
        }
        let session = Session { since: now, tokens: keyring.changes() };
        sessions.insert(digest(key.expose()), session);
        Some(key)
    }

    /// Whether a key is that of a session.
    pub(super) fn has(&self, key: &str, keyring: &Keyring) -> bool {
        let sessions = lock(&self.0);
        let session = sessions.get(&digest(key));
        session.is_some_and(|session| session.is_valid(keyring, Instant::now()))
    }

    /// Ends one.
    pub(super) fn end(&self, key: &str) {
        lock(&self.0).remove(&digest(key));
    }
}

impl Session {
    fn is_valid(&self, keyring: &Keyring, now: Instant) -> bool {
        self.tokens == keyring.changes() && now.saturating_duration_since(self.since) < LIFE
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Secrets;
    use crate::wire::token::Tokens;

    fn secrets(token: &str) -> Secrets {
        Secrets { tokens: Tokens::new([&Token::new(token).expect("a token")]), tls: None }
    }

    #[tokio::test(start_paused = true)]
    async fn t83_a_session_ends_after_twelve_hours_with_a_logout_and_with_a_change_of_the_token() {
        let (keyring, sessions) = (Keyring::new(secrets("old")), Sessions::default());
        let begin = || sessions.begin(&keyring).expect("a generator");
        let (first, second) = (begin(), begin());
        let has = |key: &Token| sessions.has(key.expose(), &keyring);
        assert!(has(&first) && has(&second) && !sessions.has("guess", &keyring));
        sessions.end(second.expose());
        assert!(has(&first) && !has(&second));
        keyring.replace(secrets("old")).expect("it fits");
        assert!(has(&first), "a certificate was replaced, and the token is the same");
        keyring.replace(secrets("new")).expect("it fits");
        assert!(!has(&first));
        let third = begin();
        tokio::time::advance(LIFE - Duration::from_secs(1)).await;
        assert!(has(&third));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!has(&third));
    }

    #[test]
    fn t83_sessions_are_bounded_and_the_oldest_ends_first() {
        let (keyring, sessions) = (Keyring::new(secrets("t")), Sessions::default());
        let all: Vec<Token> = (0..=MOST).filter_map(|_| sessions.begin(&keyring)).collect();
        let has: Vec<bool> = all.iter().map(|key| sessions.has(key.expose(), &keyring)).collect();
        assert_eq!(has.iter().filter(|has| **has).count(), MOST);
        assert!(!has[0] && has[MOST]);
    }
}
