//! The shared secret. A [`Token`] is what a client sends; a server keeps only digests ([`Tokens`])
//! and compares those, so that the response time reveals neither the content nor the length of a
//! guess.
//!
//! Every copy of a token made here is overwritten after use: what was read from a file or the
//! terminal, the request on both sides, the decoded text. Out of reach are the process's
//! environment and command line, the buffers of the TLS library and of the kernel, what the JSON
//! parser drops of an invalid request, and its scratch buffer for a token with escapes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// A token. It is never printed, and overwritten when dropped.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

/// An empty token would turn off authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is empty; give one of at least one character, or no token option at all")]
pub struct EmptyToken;

impl Token {
    /// A token of at least one character.
    pub fn new(text: impl Into<String>) -> Result<Self, EmptyToken> {
        let text = Zeroizing::new(text.into());
        if text.is_empty() { Err(EmptyToken) } else { Ok(Self(text)) }
    }

    /// A token that nobody can guess: 256 random bits; `None` where the system has no generator.
    pub fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut *bytes).ok()?;
        Some(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// The text, only for the wire.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(..)")
    }
}

/// The tokens that a server accepts, as digests; empty if it requires none. More than one while a
/// token is being replaced.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    digests: Vec<[u8; 32]>,
    /// The length from which on nothing is a token: a multiple of [`ROUND`], which reveals little.
    longest: usize,
}

/// Lengths of tokens are rounded up to a multiple of so many bytes.
const ROUND: usize = 4096;

impl Tokens {
    /// No token is required.
    pub fn none() -> Self {
        Self::default()
    }

    /// Any of these tokens is accepted.
    pub fn new<'a>(tokens: impl IntoIterator<Item = &'a Token>) -> Self {
        let mut all = Self { digests: Vec::new(), longest: ROUND };
        for token in tokens {
            all.digests.push(digest(token.expose().as_bytes()));
            all.longest = all.longest.max(token.expose().len().next_multiple_of(ROUND));
        }
        all
    }

    /// Whether a request must have a token.
    pub fn required(&self) -> bool {
        !self.digests.is_empty()
    }

    /// The length in bytes that no token exceeds. What is longer need not be read.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Whether this is one of the tokens. Every token is compared, whatever the previous results.
    pub fn accepts(&self, supplied: &str) -> bool {
        let supplied = digest(supplied.as_bytes());
        let any =
            self.digests.iter().fold(Choice::from(0), |any, token| any | token.ct_eq(&supplied));
        any.into()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Tokens({})", self.digests.len())
    }
}

fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_accepted_only_if_all_bytes_are_equal() {
        let (old, new) = (Token::new("sécret").expect("a token"), Token::new("next").expect("one"));
        let tokens = Tokens::new([&old, &new]);
        for (supplied, accepted) in
            [("sécret", true), ("next", true), ("sécre", false), ("sécret ", false), ("", false)]
        {
            assert_eq!(tokens.accepts(supplied), accepted, "{supplied:?}");
        }
    }

    #[test]
    fn without_tokens_nothing_is_required_and_nothing_accepted() {
        assert!(!Tokens::none().required());
        assert!(!Tokens::none().accepts(""));
    }

    #[test]
    fn an_empty_token_is_refused() {
        assert_eq!(Token::new("").unwrap_err(), EmptyToken);
    }

    #[test]
    fn the_debug_output_of_neither_type_shows_the_secret() {
        let token = Token::new("s3cret").expect("a token");
        assert_eq!(format!("{token:?} {:?}", Tokens::new([&token])), "Token(..) Tokens(1)");
    }
}
