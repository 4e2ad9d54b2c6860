//! The content codings by name, and why a body cannot be decoded.

use encoding_rs::Encoding;

use crate::memory::Full;

/// The most codings of one body: urllib3's own limit.
pub(super) const MOST_CODINGS: usize = 5;

/// How many bytes of output one byte of input may produce, beyond those that are kept anyway.
/// Deflate reaches at most 1032; brotli and Zstandard far more, but not with honest data.
pub(super) const MAX_RATIO: u64 = 1100;

/// One content coding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coding {
    /// gzip (RFC 1952).
    Gzip,
    /// zlib (RFC 1950), or bare deflate data.
    Deflate,
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstd,
    /// An unknown one.
    Unknown(Box<str>),
}

impl Coding {
    /// The codings in a header's value, in the order they were applied.
    pub fn list(value: &[u8]) -> impl Iterator<Item = Self> {
        value.split(|byte| *byte == b',').filter_map(|name| Self::named(name.trim_ascii()))
    }

    /// A coding by its name in any case; `None` for one that changes nothing. That is `none`, too, which
    /// some servers write, and a charset: it stands in the wrong header and packs nothing.
    fn named(name: &[u8]) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        Some(match name {
            _ if name.is_empty() || is("identity") || is("none") => return None,
            _ if is("gzip") || is("x-gzip") => Self::Gzip,
            _ if is("deflate") => Self::Deflate,
            _ if is("br") => Self::Brotli,
            _ if is("zstd") => Self::Zstd,
            _ if Encoding::for_label(name).is_some() => return None,
            // No longer than what a report can show.
            _ => Self::Unknown(name.escape_ascii().to_string().chars().take(40).collect()),
        })
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Packed {
    /// Unknown coding.
    #[error("its coding \"{0}\" is not supported")]
    Unknown(Box<str>),
    /// Too many codings.
    #[error("it has more than {MOST_CODINGS} codings")]
    TooMany,
    /// Data that is invalid in the coding.
    #[error("it is not valid {0}")]
    Invalid(&'static str),
    /// It ends too early.
    #[error("its {0} data is cut short")]
    Cut(&'static str),
    /// More comes out than anything honest holds.
    #[error("it unpacks to more than {MAX_RATIO} times its size")]
    Bomb,
    /// Its decoder does not fit into memory.
    #[error("{0}")]
    Full(Full),
}
