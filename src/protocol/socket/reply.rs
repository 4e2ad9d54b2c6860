//! What came back over a socket: taken in as it comes, until it is whole.

use std::borrow::Cow;

use crate::protocol::check::{BodyLimit, Checked, Unreadable};

/// A response that grew beyond this is given back to the allocator before the next one.
const KEEP_CAPACITY: usize = 64 * 1024;

/// What ends a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is read.
    AtOnce,
    /// So many bytes; of datagrams, one that has them.
    Length(u64),
    /// `read_until`.
    Terminator,
    /// `expect_substring`; of datagrams, one that has it.
    Substring,
    /// One datagram.
    Datagram,
    /// The target closes the connection.
    Close,
}

/// How far a response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to come.
    More,
    /// It is whole.
    Whole,
    /// Its end has not come where it should have.
    Endless,
}

/// A response. Its buffers are used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// Its beginning.
    kept: Vec<u8>,
    /// How much is kept for what looks at it, and how far its end is looked for. What is only counted
    /// may be longer.
    limit: BodyLimit,
    /// Whether any of it is kept.
    capture: bool,
    /// Bytes that came.
    received: u64,
    /// What it ends with, where that ends it.
    ending: Vec<u8>,
    /// Whether more came than belongs to it.
    surplus: bool,
}

impl Reply {
    /// One that keeps no more than this, in bytes.
    pub(super) fn keeping(limit: usize) -> Self {
        Self { limit: BodyLimit(limit), ..Self::default() }
    }

    /// Makes it ready for the next response, of which something is `wanted` or only its length.
    pub(super) fn clear(&mut self, capture: bool) {
        self.kept.clear();
        self.kept.shrink_to(KEEP_CAPACITY);
        self.received = 0;
        self.capture = capture;
        self.ending.clear();
        self.surplus = false;
    }

    /// Where to write what it ends with.
    pub(super) fn ending(&mut self) -> &mut Vec<u8> {
        &mut self.ending
    }

    /// Bytes that came.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// What of it was kept.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Whether more came than belongs to it: whose is that?
    pub(super) fn surplus(&self) -> bool {
        self.surplus
    }

    /// How many bytes may still come without being too many.
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
                // It may have begun in what came before.
                let from = before.saturating_sub(self.ending.len().saturating_sub(1));
                let rest = self.kept.get(from..).unwrap_or_default();
                match memchr::memmem::find(rest, &self.ending) {
                    Some(at) => {
                        let length = from + at + self.ending.len();
                        self.surplus = self.received > length as u64;
                        self.kept.truncate(length);
                        Progress::Whole
                    }
                    None if self.kept.len() >= self.limit.0 => Progress::Endless,
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

    /// Why it is too short or has no end, if so.
    pub(super) fn lacks(&self, end: End, progress: Progress) -> Option<String> {
        match end {
            End::Length(length) if self.received < length => {
                Some(format!("expected {length} bytes, got {}", self.received))
            }
            End::Terminator | End::Substring if progress == Progress::Endless => {
                let ending = crate::value::quote(&String::from_utf8_lossy(&self.ending));
                Some(format!("expected {ending} in the first {} bytes", self.limit.0))
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
        let room = self.limit.0.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }
}

/// A response does not hold what it should.
pub(super) fn missing(text: &[u8]) -> String {
    format!("expected {} in response", crate::value::quote(&String::from_utf8_lossy(text)))
}

impl Checked for Reply {
    const HAS_STATUS: bool = false;
    const HAS_HEADERS: bool = false;

    fn status(&self) -> Option<u16> {
        None
    }

    fn header(&self, _: &str) -> Option<String> {
        None
    }

    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        let BodyLimit(limit) = self.limit;
        if self.kept.len() >= limit && self.received > limit as u64 && !self.surplus {
            return Err(Unreadable::OverLimit(limit));
        }
        Ok(Cow::Borrowed(&self.kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of bytes that come in pieces of this size: how many were taken until the reply
    /// was whole or the bytes were out, what it holds, and what it lacks.
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
    fn an_ending_is_found_whatever_the_pieces_it_comes_in() {
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
    fn what_comes_after_the_end_is_not_the_next_response() {
        for (bytes, surplus) in [(&b"a\n"[..], false), (b"a\nb", true)] {
            let mut reply = Reply::default();
            reply.clear(true);
            reply.ending().push(b'\n');
            assert_eq!(reply.feed(bytes, End::Terminator), Progress::Whole);
            assert_eq!(reply.surplus(), surplus);
        }
    }

    #[test]
    fn a_response_without_its_end_is_given_up_and_one_that_is_counted_is_not_kept() {
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
    fn a_datagram_is_cut_and_one_that_is_not_meant_is_passed_over() {
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
