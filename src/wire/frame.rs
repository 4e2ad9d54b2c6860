//! The framing: the length prefix and its cap, the terminator, and legacy text, which has no
//! frames. Bytes from any [`AsyncRead`] go into a [`ReadBuffer`] that grows with what arrives and
//! never with what a header claims; outgoing lines are appended to a buffer that the caller writes.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Poll, ready};

use serde::de::IgnoredAny;
use tokio::io::{AsyncRead, ReadBuf};
use zeroize::{Zeroize, Zeroizing};

/// The longest framed request, in bytes; the reference's own cap. It makes the first byte of every
/// framed request zero, which distinguishes framed from legacy requests on one port.
pub const MAX_REQUEST: usize = 1 << 20;

/// The longest frame or line of a reply that is sent or accepted, in bytes. The reference has no
/// cap for its replies, and reports as values exceed 1 MiB; this bounds the memory of a client.
pub const MAX_REPLY: usize = 16 << 20;

/// The longest legacy request, in bytes: what the reference's single `recv` reads.
pub const MAX_LEGACY: usize = 8192;

/// The bytes of a frame's length, big-endian.
pub const HEADER: usize = 4;

/// The line that ends a reply.
pub const TERMINATOR: &str = "Return_Data_Over_JE";

/// The legacy request that ends the server.
pub const QUIT: &str = "quit_server";

/// The size of one read, in bytes. The buffer is on the stack of one poll, so a waiting connection
/// holds none of it.
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
    /// The claimed length, in bytes.
    pub length: usize,
    /// The cap, in bytes.
    pub most: usize,
}

/// Received bytes that have not been consumed.
#[derive(Default)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    taken: usize,
    /// The number of leading bytes without a newline, so that a long line is searched only once and
    /// not again for every piece.
    searched: usize,
}

impl ReadBuffer {
    /// Waits for bytes and reads at most `most`; returns 0 at the end of the stream. Dropping the
    /// future loses no data.
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

    /// Grows manually: a vector that grows by itself would leave a copy of the request, including
    /// the token, in freed memory.
    fn make_room(&mut self, count: usize) {
        let needed = self.bytes.len() + count;
        if needed > self.bytes.capacity() {
            let doubled = needed.max(2 * self.bytes.capacity());
            // No more than the frame that is arriving, once so much of it is there.
            let whole = self
                .pending()
                .first_chunk::<HEADER>()
                .map(|header| self.taken + HEADER + u32::from_be_bytes(*header) as usize);
            let room = whole.filter(|whole| *whole >= needed).map_or(doubled, |it| it.min(doubled));
            let mut larger = Vec::with_capacity(room);
            larger.extend_from_slice(&self.bytes);
            std::mem::replace(&mut self.bytes, larger).zeroize();
        }
    }

    /// The bytes that have not been consumed.
    pub fn pending(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// Its memory, in bytes.
    pub fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Removes `count` bytes from the front.
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

    /// Returns the first frame's body once it is complete. A length over `most` is refused as soon
    /// as the header has arrived.
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

    /// Returns the first line without its newline, once it is complete.
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

    /// Takes the bytes that have not been consumed; they are overwritten when dropped.
    pub fn take(&mut self) -> Zeroizing<Vec<u8>> {
        self.searched = 0;
        let mut bytes = Zeroizing::new(std::mem::take(&mut self.bytes));
        bytes.drain(..std::mem::take(&mut self.taken));
        bytes
    }

    /// Overwrites and frees the buffer: a request contains the token.
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
    // A body never exceeds MAX_REPLY, far below the largest length of a header.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
}

/// Appends one line of text: the line and a newline, in its own frame where there are frames.
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

/// Strips white space at both ends, like Python's `bytes.strip()`.
pub fn strip(bytes: &[u8]) -> &[u8] {
    bytes.get(stripped(bytes)).unwrap_or_default()
}

/// Where the bytes are that [`strip`] leaves.
pub fn stripped(bytes: &[u8]) -> Range<usize> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    start..end
}

/// Whether a legacy request needs no further bytes: it is a document, or cannot become one.
/// `quit_server` and its prefixes are of the second kind: what stops a server must arrive in one
/// piece. Called once per segment of a request of at most [`MAX_LEGACY`] bytes, so even a request
/// of one-byte segments costs well under a second in total.
pub fn legacy_is_complete(bytes: &[u8]) -> bool {
    let text = strip(bytes);
    let Err(error) = serde_json::from_slice::<IgnoredAny>(text) else { return true };
    // The parser reports the end of the text as a syntax error if it is within a number.
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
    async fn memory_grows_with_the_received_bytes_and_not_with_the_claimed_length() {
        let mut buffer = ReadBuffer::default();
        let mut source: &[u8] = b"\0\x10\0\0x";
        buffer.fill(&mut source, CHUNK).await.expect("bytes");
        assert_eq!(buffer.frame(MAX_REQUEST), Ok(None));
        assert!(buffer.held() <= 64, "{} bytes held", buffer.held());
    }

    #[test]
    fn lines_are_read_one_by_one_and_capped() {
        let mut lines = buffer(b"one\n\ntwo");
        assert_eq!(lines.line(10), Ok(Some(&b"one"[..])));
        lines.consume(4);
        assert_eq!(lines.line(10), Ok(Some(&b""[..])));
        lines.consume(1);
        assert_eq!(lines.line(10), Ok(None));
        assert_eq!(lines.line(2), Err(BadLength { length: 3, most: 2 }));
    }

    #[test]
    fn white_space_is_stripped_as_in_python() {
        assert_eq!(strip(b" \t\r\n\x0b\x0cquit_server \n"), b"quit_server");
        assert_eq!(strip(b" \n "), b"");
        assert_eq!(strip("\u{a0}1".as_bytes()), "\u{a0}1".as_bytes());
    }

    #[test]
    fn a_legacy_request_is_complete_if_no_further_byte_could_follow() {
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
    fn the_debug_output_of_a_buffer_shows_its_size_but_not_its_bytes() {
        assert_eq!(format!("{:?}", buffer(b"secret")), "ReadBuffer(6 bytes)");
    }
}
