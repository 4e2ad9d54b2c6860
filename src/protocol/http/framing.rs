//! The framing of an HTTP/1.1 response: where its body ends, according to the headers and the lines
//! between chunks (RFC 9112, sections 6 and 7).

use super::decode::Coding;
use super::fault::Fault;

/// The part of a response that is expected next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Framing {
    #[default]
    Head,
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    UntilEnd,
    Done,
}

/// The length in a `Content-Length`, combined with earlier ones. It may occur more than once, in
/// one value or in several, as long as it is the same (RFC 9110, section 8.6).
pub(super) fn body_length(value: &[u8], before: Option<Result<u64, Fault>>) -> Result<u64, Fault> {
    let mut known = before.transpose()?;
    for part in value.split(|byte| *byte == b',') {
        let this = digits(part).ok_or(Fault::Malformed("Content-Length is not a number"))?;
        if known.is_some_and(|known| known != this) {
            return Err(Fault::Malformed("two lengths"));
        }
        known = Some(this);
    }
    known.ok_or(Fault::Malformed("Content-Length is not a number"))
}

fn digits(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The content of `Transfer-Encoding` (RFC 9112, section 6.1).
#[derive(Debug, Default)]
pub(super) struct Transfer {
    /// Whether the body is chunked: the last coding counts.
    pub(super) chunked: bool,
    /// The codings inside the chunks.
    pub(super) codings: Vec<Coding>,
}

impl Transfer {
    pub(super) fn add(&mut self, value: &[u8]) {
        for token in value.split(|byte| *byte == b',') {
            let name = token.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case(b"chunked") {
                self.chunked = true;
                continue;
            }
            for coding in Coding::list(name) {
                if self.chunked {
                    self.chunked = false;
                    self.codings.push(Coding::Unknown("chunked".into()));
                }
                self.codings.push(coding);
            }
        }
    }

    pub(super) fn is_some(&self) -> bool {
        self.chunked || !self.codings.is_empty()
    }
}

/// Whether a list contains a token, in any case.
pub(super) fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

/// A chunk's size: hexadecimal digits, then optional extensions (RFC 9112, section 7.1).
pub(super) fn chunk_size(line: &[u8]) -> Result<u64, Fault> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(Fault::Malformed("a chunk has no size"));
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(Fault::Malformed("a chunk's size is too large"))
}
