//! The response over a socket, received in pieces until it is complete.

use std::borrow::Cow;
use std::sync::Arc;

use crate::memory::{Held, Memory};
use crate::protocol::checked::{BodyKeeper, Checked, Unreadable};

/// The condition that ends a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is read.
    AtOnce,
    /// This many bytes; over UDP, one datagram of that length.
    Length(u64),
    /// `read_until`.
    Terminator,
    /// `expect_substring`; over UDP, one datagram that contains it.
    Substring,
    /// One datagram.
    Datagram,
    /// The target closes the connection.
    Close,
}

/// The progress of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More is needed.
    More,
    /// It is complete.
    Whole,
    /// Its end did not occur within the limit.
    Endless,
}

/// A response. Its buffers are reused for the next one.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// The kept beginning.
    kept: Vec<u8>,
    /// How much is kept for checks, and how far its end is searched for. A response that is only
    /// counted may be longer.
    keeper: BodyKeeper,
    /// Whether any of it is kept.
    capture: bool,
    /// Bytes received.
    received: u64,
    /// The terminator, if that ends it.
    ending: Vec<u8>,
    /// Whether more bytes arrived than belong to it.
    surplus: bool,
}

impl Reply {
    /// A response that keeps at most `limit` bytes, under the ceiling for memory.
    pub(super) fn keeping(limit: usize, memory: &Arc<Memory>) -> Self {
        Self { keeper: BodyKeeper::new(limit, memory), ..Self::default() }
    }

    /// Clears it for the next response, whose content is needed (`capture`) or only its length.
    pub(super) fn clear(&mut self, capture: bool) {
        self.keeper.clear(&mut self.kept);
        self.received = 0;
        self.capture = capture;
        self.ending.clear();
        if self.ending.capacity() > Held::SMALL {
            self.ending = Vec::new();
        }
        self.surplus = false;
    }

    /// The buffer for the terminator.
    pub(super) fn ending(&mut self) -> &mut Vec<u8> {
        &mut self.ending
    }

    /// Bytes received.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The kept part.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Whether more bytes arrived than belong to it: they cannot be attributed.
    pub(super) fn surplus(&self) -> bool {
        self.surplus
    }

    /// How many more bytes may arrive.
    pub(super) fn room(&self, end: End) -> u64 {
        match end {
            End::Length(length) => length.saturating_sub(self.received),
            _ => u64::MAX,
        }
    }

    /// Takes bytes of a stream.
    pub(super) fn feed(&mut self, bytes: &[u8], end: End) -> Progress {
        self.received += bytes.len() as u64;
        let before = self.kept.len();
        self.keep(bytes);
        match end {
            End::AtOnce => Progress::Whole,
            End::Length(length) if self.received >= length => Progress::Whole,
            End::Length(_) | End::Close | End::Datagram => Progress::More,
            End::Terminator | End::Substring => {
                // The terminator may have begun in earlier bytes.
                let from = before.saturating_sub(self.ending.len().saturating_sub(1));
                let rest = self.kept.get(from..).unwrap_or_default();
                match memchr::memmem::find(rest, &self.ending) {
                    Some(at) => {
                        let length = from + at + self.ending.len();
                        self.surplus = self.received > length as u64;
                        self.kept.truncate(length);
                        Progress::Whole
                    }
                    None if self.kept.len() >= self.keeper.limit() => Progress::Endless,
                    None if self.keeper.full().is_some() => Progress::Endless,
                    None => Progress::More,
                }
            }
        }
    }

    /// Takes a datagram.
    pub(super) fn datagram(&mut self, bytes: &[u8], end: End) -> Progress {
        self.received += bytes.len() as u64;
        let length = match end {
            End::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        self.kept.clear();
        self.keep(bytes.get(..length.min(bytes.len())).unwrap_or_default());
        let found = || memchr::memmem::find(&self.kept, &self.ending).is_some();
        match end {
            End::Substring if !found() => Progress::More,
            _ => Progress::Whole,
        }
    }

    /// Returns why it is too short or has no end, if so.
    pub(super) fn lacks(&self, end: End, progress: Progress) -> Option<String> {
        if let (Some(full), End::Terminator | End::Substring) = (self.keeper.full(), end) {
            return Some(Unreadable::Full(full).to_string());
        }
        match end {
            End::Length(length) if self.received < length => {
                Some(format!("expected {length} bytes, got {}", self.received))
            }
            End::Terminator | End::Substring if progress == Progress::Endless => {
                let ending = crate::value::quote(&String::from_utf8_lossy(&self.ending));
                Some(format!("expected {ending} in the first {} bytes", self.keeper.limit()))
            }
            End::Terminator | End::Substring if progress == Progress::More => {
                Some(missing(&self.ending))
            }
            _ => None,
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if !self.capture {
            return;
        }
        self.keeper.keep(&mut self.kept, bytes);
    }
}

/// The failure of a response that does not contain the expected text.
pub(super) fn missing(text: &[u8]) -> String {
    format!("expected {} in response", crate::value::quote(&String::from_utf8_lossy(text)))
}

impl Checked for Reply {
    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        if let Some(full) = self.keeper.full() {
            return Err(Unreadable::Full(full));
        }
        let limit = self.keeper.limit();
        if self.kept.len() >= limit && self.received > limit as u64 && !self.surplus {
            return Err(Unreadable::OverLimit(limit));
        }
        Ok(Cow::Borrowed(&self.kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds bytes in pieces of this size; returns how many were taken until the response was
    /// complete or the bytes ran out, what it holds, and what it lacks.
    fn taken(bytes: &[u8], size: usize, end: End, ending: &str) -> (u64, String, Option<String>) {
        let mut reply = Reply::default();
        reply.clear(true);
        reply.ending().extend_from_slice(ending.as_bytes());
        let mut progress = Progress::More;
        for piece in bytes.chunks(size) {
            progress = reply.feed(piece, end);
            if progress != Progress::More {
                break;
            }
        }
        let text = String::from_utf8_lossy(reply.kept()).into_owned();
        (reply.received(), text, reply.lacks(end, progress))
    }

    #[test]
    fn a_terminator_is_found_in_pieces_of_any_size() {
        let bytes = b"aab aaab rest";
        for size in 1..=bytes.len() {
            let (received, text, lacks) = taken(bytes, size, End::Terminator, "aaab");
            assert_eq!((&*text, lacks), ("aab aaab", None), "{size}");
            assert_eq!(received, (8_usize.next_multiple_of(size)).min(bytes.len()) as u64);
            let (_, _, lacks) = taken(bytes, size, End::Substring, "it's");
            assert_eq!(lacks.as_deref(), Some("expected \"it's\" in response"));
            let (received, _, lacks) = taken(bytes, size, End::Length(100), "");
            assert_eq!((received, &*lacks.expect("short")), (13, "expected 100 bytes, got 13"));
        }
    }

    #[test]
    fn bytes_after_the_end_are_not_the_next_response() {
        for (bytes, surplus) in [(&b"a\n"[..], false), (b"a\nb", true)] {
            let mut reply = Reply::default();
            reply.clear(true);
            reply.ending().push(b'\n');
            assert_eq!(reply.feed(bytes, End::Terminator), Progress::Whole);
            assert_eq!(reply.surplus(), surplus);
        }
    }

    #[test]
    fn a_response_without_its_end_fails_at_the_limit_and_one_that_is_only_counted_does_not() {
        let piece = vec![b'.'; 1024 * 1024];
        let mut reply = Reply::default();
        reply.clear(true);
        reply.ending().push(b'!');
        let ends: Vec<_> = (0..4).map(|_| reply.feed(&piece, End::Substring)).collect();
        assert_eq!(ends, [Progress::More, Progress::More, Progress::More, Progress::Endless]);
        assert_eq!(
            reply.lacks(End::Substring, Progress::Endless).as_deref(),
            Some("expected '!' in the first 4194304 bytes")
        );
        reply.clear(false);
        let end = End::Length(8 * 1024 * 1024);
        let ends = (0..8).map(|_| reply.feed(&piece, end)).last();
        assert_eq!((ends, reply.kept().len()), (Some(Progress::Whole), 0));
    }

    #[test]
    fn a_datagram_is_cut_and_one_without_the_expected_text_is_ignored() {
        let mut reply = Reply::default();
        reply.clear(true);
        assert_eq!(reply.datagram(b"abcdef", End::Length(2)), Progress::Whole);
        assert_eq!((reply.kept(), reply.received()), (&b"ab"[..], 6));
        reply.clear(true);
        reply.ending().push(b'!');
        assert_eq!(reply.datagram(b"notice", End::Substring), Progress::More);
        assert_eq!(reply.datagram(b"yes!", End::Substring), Progress::Whole);
        assert_eq!((reply.kept(), reply.received()), (&b"yes!"[..], 10));
    }
}
