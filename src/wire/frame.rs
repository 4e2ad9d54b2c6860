//! The framing, all of it: the length prefix and its cap, the terminator, and legacy text, which has
//! no frames. Bytes come from any [`AsyncRead`] into an [`ReadBuffer`] that grows with what arrives and
//! never with what a header claims; outgoing lines are appended to a buffer that the caller writes.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};

use serde::de::IgnoredAny;
use tokio::io::{AsyncRead, ReadBuf};
use zeroize::Zeroize;

/// The longest request in a frame, in bytes. Source: the reference's own cap. It makes the first
/// byte of every framed request zero, which tells framed from legacy requests on one port.
pub const MAX_REQUEST: usize = 1 << 20;

/// The longest frame or line of a reply that is sent or accepted, in bytes. The reference has no cap
/// for its replies, and reports as values pass 1 MiB; what a client must hold stays bounded all the
/// same.
pub const MAX_REPLY: usize = 16 << 20;

/// The longest legacy request, in bytes: what the reference's one `recv` takes.
pub const MAX_LEGACY: usize = 8192;

/// The bytes of a frame's length, big-endian.
pub const HEADER: usize = 4;

/// The line that ends a reply.
pub const TERMINATOR: &str = "Return_Data_Over_JE";

/// The legacy request that ends the server.
pub const QUIT: &str = "quit_server";

/// What is taken from the stream at once, in bytes. It lies on the stack of one poll, so a waiting
/// connection holds none of it.
const CHUNK: usize = 16 * 1024;

/// How requests and replies are delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Raw text: a request is one document, a reply is lines.
    Legacy,
    /// Every request and every line of a reply is a frame.
    Framed,
}

/// What a connection's first byte says about its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// A frame's length: zero, because of [`MAX_REQUEST`].
    Framed,
    /// A TLS ClientHello's record type.
    Tls,
    /// Anything else is text.
    Legacy,
}

impl Opening {
    /// Reads the first byte.
    pub fn of(first: u8) -> Self {
        match first {
            0x00 => Self::Framed,
            0x16 => Self::Tls,
            _ => Self::Legacy,
        }
    }
}

/// A frame or line whose length is out of bounds. Nothing was allocated for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame length {length} is outside 1..={most}")]
pub struct BadLength {
    /// The length that was claimed, in bytes.
    pub length: usize,
    /// The cap, in bytes.
    pub most: usize,
}

/// Bytes that came and that nobody took yet.
#[derive(Default)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    taken: usize,
    /// Bytes from the front on that are known to hold no newline: a long line is searched once and
    /// not again with every piece of it.
    searched: usize,
}

impl ReadBuffer {
    /// Waits for bytes and takes what is there, at most `most`; 0 at the end of the stream. Dropping
    /// the future loses nothing.
    pub async fn fill<R>(&mut self, from: &mut R, most: usize) -> io::Result<usize>
    where
        R: AsyncRead + Unpin,
    {
        poll_fn(|context| {
            let mut scratch = [const { MaybeUninit::uninit() }; CHUNK];
            let room = scratch.get_mut(..most.min(CHUNK)).unwrap_or_default();
            let mut chunk = ReadBuf::uninit(room);
            ready!(Pin::new(&mut *from).poll_read(context, &mut chunk))?;
            let count = chunk.filled().len();
            self.make_room(count);
            self.bytes.extend_from_slice(chunk.filled());
            chunk.filled_mut().zeroize();
            Poll::Ready(Ok(count))
        })
        .await
    }

    /// Grows by hand: a vector that grows by itself leaves a copy of the request, and of the token in
    /// it, where it was.
    fn make_room(&mut self, count: usize) {
        let needed = self.bytes.len() + count;
        if needed > self.bytes.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.bytes.capacity()));
            larger.extend_from_slice(&self.bytes);
            std::mem::replace(&mut self.bytes, larger).zeroize();
        }
    }

    /// What came and was not taken.
    pub fn pending(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// The bytes of memory that it holds.
    pub fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Drops `count` bytes from the front.
    pub fn consume(&mut self, count: usize) {
        self.searched = 0;
        self.taken = (self.taken + count).min(self.bytes.len());
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        } else if self.taken > self.bytes.len() / 2 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// The first frame's body, once all of it is there. A length over `most` is refused as soon as
    /// the header is there.
    pub fn frame(&self, most: usize) -> Result<Option<&[u8]>, BadLength> {
        let Some((header, rest)) = self.pending().split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*header) as usize;
        if length == 0 || length > most {
            return Err(BadLength { length, most });
        }
        Ok(rest.get(..length))
    }

    /// The first line without its newline, once all of it is there.
    pub fn line(&mut self, most: usize) -> Result<Option<&[u8]>, BadLength> {
        let pending = self.bytes.get(self.taken..).unwrap_or_default();
        let fresh = pending.get(self.searched..).unwrap_or_default();
        let end = memchr::memchr(b'\n', fresh).map(|end| self.searched + end);
        self.searched = end.unwrap_or(pending.len());
        match end {
            Some(end) if end <= most => Ok(pending.get(..end)),
            None if pending.len() <= most => Ok(None),
            _ => Err(BadLength { length: end.unwrap_or(pending.len()), most }),
        }
    }

    /// Overwrites and frees what it holds: a request carries the token.
    pub fn wipe(&mut self) {
        *self = Self::default();
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl std::fmt::Debug for ReadBuffer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ReadBuffer({} bytes)", self.pending().len())
    }
}

/// Appends one frame.
pub fn frame_into(body: &[u8], out: &mut Vec<u8>) {
    // A body never passes MAX_REPLY, far below what the header can say.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
}

/// Appends one line of text: the line and a newline, in a frame of its own where there are frames.
pub fn line_into(mode: Mode, line: &str, out: &mut Vec<u8>) {
    if mode == Mode::Framed {
        let length = u32::try_from(line.len() + 1).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
    }
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
}

/// Appends the terminator.
pub fn terminator_into(mode: Mode, out: &mut Vec<u8>) {
    line_into(mode, TERMINATOR, out);
}

/// Without the white space at both ends, as Python's `bytes.strip()` understands it.
pub fn strip(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// Whether a legacy request needs no further bytes: it is a document, or something that no further
/// byte can make one. `quit_server` is of the second kind, and so is a piece of it: what stops a
/// server must come in one piece. Called once per segment of a request of at most [`MAX_LEGACY`]
/// bytes, so even a request of one-byte segments costs well under a second in all.
pub fn legacy_is_complete(bytes: &[u8]) -> bool {
    let text = strip(bytes);
    let Err(error) = serde_json::from_slice::<IgnoredAny>(text) else { return true };
    // The parser takes the end of the text for a mistake where it stands within a number.
    let within_number = matches!(bytes.last(), Some(b'-' | b'+' | b'.' | b'e' | b'E'));
    if within_number && !error.is_eof() {
        let longer = serde_json::from_slice::<IgnoredAny>(&[text, b"0"].concat());
        return longer.is_err_and(|error| !error.is_eof());
    }
    !error.is_eof()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn buffer(bytes: &[u8]) -> ReadBuffer {
        ReadBuffer { bytes: bytes.to_vec(), ..ReadBuffer::default() }
    }

    #[tokio::test]
    async fn a_frame_arrives_over_a_pipe_of_three_bytes() {
        let (mut near, mut far) = tokio::io::duplex(3);
        let writer =
            tokio::spawn(async move { far.write_all(b"\0\0\0\x05hello\0\0\0\x01!").await });
        let mut buffer = ReadBuffer::default();
        while buffer.frame(MAX_REQUEST).expect("a length").is_none() {
            assert_ne!(buffer.fill(&mut near, CHUNK).await.expect("bytes"), 0);
        }
        assert_eq!(buffer.frame(MAX_REQUEST), Ok(Some(&b"hello"[..])));
        buffer.consume(HEADER + 5);
        while buffer.fill(&mut near, CHUNK).await.expect("bytes") > 0 {}
        assert_eq!(buffer.frame(MAX_REQUEST), Ok(Some(&b"!"[..])));
        writer.await.expect("a writer").expect("written");
    }

    #[test]
    fn lengths_outside_the_cap_are_refused_with_the_header() {
        for length in [0, MAX_REQUEST + 1, u32::MAX as usize] {
            let header = u32::try_from(length).expect("a length").to_be_bytes();
            let refusal = BadLength { length, most: MAX_REQUEST };
            assert_eq!(buffer(&header).frame(MAX_REQUEST), Err(refusal));
        }
        let refusal = buffer(b"[[\"L").frame(MAX_REQUEST).unwrap_err();
        assert_eq!(refusal.to_string(), "frame length 1532699212 is outside 1..=1048576");
    }

    #[tokio::test]
    async fn memory_follows_the_bytes_and_not_the_claim() {
        let mut buffer = ReadBuffer::default();
        let mut source: &[u8] = b"\0\x10\0\0x";
        buffer.fill(&mut source, CHUNK).await.expect("bytes");
        assert_eq!(buffer.frame(MAX_REQUEST), Ok(None));
        assert!(buffer.held() <= 64, "{} bytes held", buffer.held());
    }

    #[test]
    fn lines_are_taken_one_by_one_and_capped() {
        let mut lines = buffer(b"one\n\ntwo");
        assert_eq!(lines.line(10), Ok(Some(&b"one"[..])));
        lines.consume(4);
        assert_eq!(lines.line(10), Ok(Some(&b""[..])));
        lines.consume(1);
        assert_eq!(lines.line(10), Ok(None));
        assert_eq!(lines.line(2), Err(BadLength { length: 3, most: 2 }));
    }

    #[test]
    fn white_space_is_pythons() {
        assert_eq!(strip(b" \t\r\n\x0b\x0cquit_server \n"), b"quit_server");
        assert_eq!(strip(b" \n "), b"");
        assert_eq!(strip("\u{a0}1".as_bytes()), "\u{a0}1".as_bytes());
    }

    #[test]
    fn a_legacy_request_is_complete_when_no_byte_could_follow() {
        for (text, complete) in [
            ("", false),
            (" \n", false),
            ("quit_", true),
            ("quit_server\n", true),
            ("quit_server now", true),
            ("[[\"abs\"", false),
            ("[[\"abs\", [-", false),
            ("[[\"abs\", [-1.", false),
            ("[[\"abs\", [-1.5e", false),
            ("[[\"abs\", [-1.5e-", false),
            ("[[\"abs\", [-1.5e- ", true),
            ("[[\"abs\", --", true),
            ("note", true),
            ("[[\"abs\", [-1]]]", true),
            ("{\"a\": 1}\n", true),
            ("nul", false),
            ("null", true),
            ("[1 2", true),
            ("GET / HTTP/1.1\r\n", true),
            ("[]]", true),
        ] {
            assert_eq!(legacy_is_complete(text.as_bytes()), complete, "{text:?}");
        }
    }

    #[test]
    fn a_buffer_shows_its_size_and_never_its_bytes() {
        assert_eq!(format!("{:?}", buffer(b"secret")), "ReadBuffer(6 bytes)");
    }
}
