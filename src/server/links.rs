//! Links that log a browser in, each once, for a minute and until the tokens change. Whoever has shown the token asks for one, on
//! the socket or over HTTP; the web door opens them.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::event::ErrorKind;
use crate::lock::lock;
use crate::wire::refusal::Refusal;
use crate::wire::token::Token;

/// How long a link may be opened.
const LIFE: Duration = Duration::from_secs(60);

/// The most links that wait; beyond them the oldest is forgotten.
const MOST: usize = 1000;

/// The longest path of a link, in bytes.
const MAX_PATH: usize = 1000;

/// The path under which links are opened.
const OPEN: &str = "/open/";

/// The links of a server.
#[derive(Debug, Default)]
pub struct Links {
    /// The address of the web door, once there is one.
    base: OnceLock<String>,
    /// By the digest of the key.
    waiting: Mutex<HashMap<[u8; 32], Link>>,
}

#[derive(Debug)]
struct Link {
    path: String,
    since: Instant,
    /// The tokens that were accepted when it was made.
    tokens: u64,
}

impl Links {
    /// There is a web door at this address.
    pub fn lead_to(&self, base: &str) {
        let _ = self.base.set(base.to_owned());
    }

    /// Makes a link to a path of the web door: its URL, and for how many seconds it can be opened.
    /// `tokens` is [`super::Keyring::changes`], here and when it is opened.
    pub fn make(&self, path: &str, tokens: u64) -> Result<(String, f64), Refusal> {
        let base = self.base.get().ok_or_else(|| {
            Refusal::unavailable(
                "this server does not serve browsers; start it with --web ADDRESS:PORT",
            )
        })?;
        let path = local(path).ok_or_else(|| {
            let why = "path: expected a path of this server, such as /runs/3";
            Refusal::new(ErrorKind::InvalidDocument, why)
        })?;
        let key = Token::random().ok_or_else(|| Refusal::internal("no random numbers"))?;
        let now = Instant::now();
        let mut waiting = lock(&self.waiting);
        waiting.retain(|_, link| link.is_valid(now, tokens));
        if waiting.len() >= MOST
            && let Some(oldest) =
                waiting.iter().min_by_key(|(_, link)| link.since).map(|(key, _)| *key)
        {
            waiting.remove(&oldest);
        }
        waiting.insert(digest(key.expose()), Link { path: path.to_owned(), since: now, tokens });
        Ok((format!("{base}{OPEN}{}", key.expose()), LIFE.as_secs_f64()))
    }

    /// Opens the link of a key, which cannot be opened again: the path that it leads to.
    pub fn open(&self, key: &str, tokens: u64) -> Option<String> {
        let link = lock(&self.waiting).remove(&digest(key))?;
        link.is_valid(Instant::now(), tokens).then_some(link.path)
    }
}

impl Link {
    fn is_valid(&self, now: Instant, tokens: u64) -> bool {
        self.tokens == tokens && now.saturating_duration_since(self.since) < LIFE
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// A path of this server; nothing that leads a browser elsewhere.
pub fn local(path: &str) -> Option<&str> {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_path = path.starts_with('/') && !path.starts_with("//");
    (is_path && is_plain && path.len() <= MAX_PATH).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(url: &str) -> &str {
        url.strip_prefix("http://localhost:8765/open/").expect("a link")
    }

    #[tokio::test(start_paused = true)]
    async fn t91_a_link_is_opened_once_and_within_a_minute() {
        let links = Links::default();
        let refused = links.make("/runs/3", 0).expect_err("no door").message;
        assert!(
            refused.starts_with("unavailable: this server does not serve browsers"),
            "{refused}"
        );
        links.lead_to("http://localhost:8765");
        let make = |path| links.make(path, 0).expect("a link");
        let ((first, seconds), (second, _), (third, _)) = (make("/"), make("/runs/3"), make("/"));
        assert!(seconds == 60.0 && first != third);
        assert_eq!(links.open(key(&second), 0).as_deref(), Some("/runs/3"));
        assert_eq!(links.open(key(&second), 0), None);
        assert_eq!(links.open("guess", 0), None);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(links.open(key(&first), 0).as_deref(), Some("/"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(links.open(key(&third), 0), None);
        let (old, _) = make("/");
        assert_eq!(links.open(key(&old), 1), None, "whoever made it has no token any more");
    }

    #[tokio::test(start_paused = true)]
    async fn t91_links_that_wait_are_bounded() {
        let links = Links::default();
        links.lead_to("http://localhost:8765");
        let first = links.make("/", 0).expect("a link").0;
        tokio::time::advance(Duration::from_millis(1)).await;
        let others: Vec<String> =
            (0..MOST).map(|_| links.make("/", 0).expect("a link").0).collect();
        assert_eq!(links.open(key(&first), 0), None, "the oldest is forgotten");
        assert!(others.iter().all(|other| links.open(key(other), 0).is_some()));
    }

    #[test]
    fn t87_a_login_or_a_link_leads_to_no_other_server() {
        for path in ["/", "/runs/3", "/api/v1/runs?limit=2", "/runs/3#errors"] {
            assert_eq!(local(path), Some(path));
        }
        for path in [
            "",
            "runs",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x=y",
            "/\t/evil.example",
            "/é",
        ] {
            assert_eq!(local(path), None, "{path:?}");
        }
    }
}
