//! Reading an HTTP/1.1 answer as its bytes come in: head, then body by length, by chunks or until
//! the end. The body is counted, and kept only when somebody wants its text, up to a cap. A response
//! that comes in one piece, as nearly all do, is read where it lies, without being copied.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use super::decode;
use super::fault::Fault;
use crate::load::template::percent;
use crate::protocol::check::{Capture, Checked};
use crate::protocol::fault::ConnectionFault;

/// The longest head, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// The most headers.
const MAX_HEADERS: usize = 128;

/// The longest line between chunks: a size and its extensions, or a trailer field.
const MAX_LINE: usize = 8 * 1024;

/// How much of a body is kept for assertions, extractors and reports, in bytes.
pub const BODY_CAP: usize = 4 * 1024 * 1024;

/// A body that grew beyond this is given back to the allocator before the next request.
const KEEP_CAPACITY: usize = 64 * 1024;

/// A compressed body's coding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Coding {
    /// None.
    #[default]
    Identity,
    /// gzip (RFC 1952).
    Gzip,
    /// zlib (RFC 1950), or what lies inside it.
    Deflate,
    /// Brotli (RFC 7932).
    Brotli,
    /// One that is not read.
    Unknown,
}

/// A response. Its buffers are used again for the next one.
#[derive(Debug, Default)]
pub struct Response {
    /// The status; 0 before the head has come.
    pub status: u16,
    /// Bytes of the body.
    pub bytes: u64,
    /// The body's beginning, where wanted; as it came, so maybe compressed.
    pub body: Vec<u8>,
    /// Names and values of the headers, where wanted.
    pub headers: Vec<(String, String)>,
    /// The body's coding.
    pub coding: Coding,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// `Set-Cookie` values, as they came.
    pub cookies: Vec<Vec<u8>>,
    /// Whether the connection can carry another request.
    pub keep_alive: bool,
    framing: Framing,
    /// A head that came in pieces, or a line between chunks.
    partial: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Framing {
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

impl Checked for Response {
    const HAS_STATUS: bool = true;
    const HAS_HEADERS: bool = true;

    fn status(&self) -> Option<u16> {
        Some(self.status)
    }

    /// Several of one name are joined (RFC 9110, section 5.3).
    fn header(&self, name: &str) -> Option<String> {
        let mut values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, first) = values.next()?;
        Some(values.fold(first.clone(), |all, (_, value)| format!("{all}, {value}")))
    }

    fn text(&self) -> Cow<'_, [u8]> {
        decode::body(self).unwrap_or_default()
    }
}

impl Response {
    /// Makes it ready for the next response.
    pub fn clear(&mut self) {
        self.status = 0;
        self.bytes = 0;
        self.body.clear();
        self.body.shrink_to(KEEP_CAPACITY);
        self.headers.clear();
        self.coding = Coding::Identity;
        self.location = None;
        self.cookies.clear();
        self.keep_alive = false;
        self.framing = Framing::Head;
        self.partial.clear();
    }

    /// Takes bytes that have come; `true` when the response is complete.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        capture: Capture,
        head_only: bool,
    ) -> Result<bool, Fault> {
        loop {
            if self.framing == Framing::Done {
                // Bytes after the response belong to nobody: the connection cannot be used again.
                self.keep_alive &= bytes.is_empty();
                return Ok(true);
            }
            if bytes.is_empty() {
                return Ok(false);
            }
            bytes = match self.framing {
                Framing::Head => match self.head(bytes, capture, head_only)? {
                    Some(rest) => rest,
                    None => return Ok(false),
                },
                Framing::Length(left) => {
                    let rest = self.take(bytes, left, capture);
                    let left = left - (bytes.len() - rest.len()) as u64;
                    self.framing = if left == 0 { Framing::Done } else { Framing::Length(left) };
                    rest
                }
                Framing::Chunk(left) => {
                    let rest = self.take(bytes, left, capture);
                    let left = left - (bytes.len() - rest.len()) as u64;
                    self.framing = if left == 0 { Framing::ChunkEnd } else { Framing::Chunk(left) };
                    rest
                }
                Framing::UntilEnd => self.take(bytes, u64::MAX, capture),
                Framing::ChunkSize | Framing::ChunkEnd | Framing::Trailer => {
                    match self.line(bytes)? {
                        Some(rest) => rest,
                        None => return Ok(false),
                    }
                }
                Framing::Done => bytes,
            };
        }
    }

    /// The connection has ended: `Ok` when that completes the response.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.keep_alive = false;
        match self.framing {
            Framing::UntilEnd | Framing::Done => {
                self.framing = Framing::Done;
                Ok(())
            }
            Framing::Head if self.partial.is_empty() => Err(ConnectionFault::Closed.into()),
            _ => Err(ConnectionFault::Truncated.into()),
        }
    }

    /// Counts and maybe keeps up to `most` bytes of body, and gives the rest back.
    fn take<'a>(&mut self, bytes: &'a [u8], most: u64, capture: Capture) -> &'a [u8] {
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len());
        let (body, rest) = bytes.split_at(length);
        self.bytes += length as u64;
        if capture.body {
            self.keep(body);
        }
        rest
    }

    /// Keeps a piece of the body, up to the cap.
    pub fn keep(&mut self, body: &[u8]) {
        let room = BODY_CAP.saturating_sub(self.body.len()).min(body.len());
        self.body.extend_from_slice(body.get(..room).unwrap_or_default());
    }

    /// Reads the head, if it is complete, and gives the rest of the bytes back.
    fn head<'a>(
        &mut self,
        bytes: &'a [u8],
        capture: Capture,
        head_only: bool,
    ) -> Result<Option<&'a [u8]>, Fault> {
        if self.partial.is_empty() {
            if let Some(length) = self.parse_head(bytes, capture, head_only)? {
                return Ok(bytes.get(length..));
            }
            self.partial.extend_from_slice(bytes);
        } else {
            let before = self.partial.len();
            self.partial.extend_from_slice(bytes);
            let partial = std::mem::take(&mut self.partial);
            if let Some(length) = self.parse_head(&partial, capture, head_only)? {
                return Ok(bytes.get(length.saturating_sub(before)..));
            }
            self.partial = partial;
        }
        if self.partial.len() > MAX_HEAD {
            return Err(Fault::LongHead { limit: MAX_HEAD, headers: MAX_HEADERS });
        }
        Ok(None)
    }

    /// Reads a head if it is complete, past any interim answers (RFC 9110, section 15.2), and says
    /// how long it was.
    fn parse_head(
        &mut self,
        bytes: &[u8],
        capture: Capture,
        head_only: bool,
    ) -> Result<Option<usize>, Fault> {
        let mut from = 0;
        loop {
            let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
            let mut response = httparse::Response::new(&mut []);
            let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
                &mut response,
                bytes.get(from..).unwrap_or_default(),
                &mut headers,
            );
            match parsed {
                Ok(httparse::Status::Complete(length)) => from += length,
                Ok(httparse::Status::Partial) => return Ok(None),
                Err(httparse::Error::TooManyHeaders) => {
                    return Err(Fault::LongHead { limit: MAX_HEAD, headers: MAX_HEADERS });
                }
                Err(httparse::Error::Status | httparse::Error::Version) => {
                    return Err(Fault::Malformed("no status line"));
                }
                Err(_) => return Err(Fault::Malformed("a header cannot be read")),
            }
            let status = response.code.unwrap_or(0);
            if status < 100 {
                return Err(Fault::Malformed("the status is below 100"));
            }
            if !(100..200).contains(&status) || status == 101 {
                self.take_head(&response, capture, head_only)?;
                return Ok(Some(from));
            }
        }
    }

    fn take_head(
        &mut self,
        response: &httparse::Response<'_, '_>,
        capture: Capture,
        head_only: bool,
    ) -> Result<(), Fault> {
        self.status = response.code.unwrap_or(0);
        self.keep_alive = response.version == Some(1);
        let mut length: Option<u64> = None;
        let mut chunked = false;
        for header in response.headers.iter() {
            let (name, value) = (header.name, header.value);
            // The length of a name tells nearly all headers apart before any letter is compared.
            match name.len() {
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let this =
                        digits(value).ok_or(Fault::Malformed("Content-Length is not a number"))?;
                    if length.is_some_and(|known| known != this) {
                        return Err(Fault::Malformed("two lengths"));
                    }
                    length = Some(this);
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    chunked = ends_with_token(value, b"chunked");
                }
                10 if name.eq_ignore_ascii_case("connection") => {
                    if has_token(value, b"close") {
                        self.keep_alive = false;
                    } else if has_token(value, b"keep-alive") {
                        self.keep_alive = true;
                    }
                }
                16 if name.eq_ignore_ascii_case("content-encoding") => {
                    self.coding = Coding::of(value);
                }
                10 if name.eq_ignore_ascii_case("set-cookie") => self.cookies.push(value.to_vec()),
                8 if name.eq_ignore_ascii_case("location") => self.location = Some(place(value)),
                _ => {}
            }
            if capture.head {
                self.headers.push((name.to_owned(), text(value)));
            }
        }
        if self.status == 101 {
            // What follows is another protocol.
            self.keep_alive = false;
        }
        // RFC 9112, section 6.3: which framing counts.
        self.framing = match length {
            _ if head_only || matches!(self.status, 101 | 204 | 304) => Framing::Done,
            _ if chunked => Framing::ChunkSize,
            Some(0) => Framing::Done,
            Some(length) => Framing::Length(length),
            None => {
                self.keep_alive = false;
                Framing::UntilEnd
            }
        };
        Ok(())
    }

    /// Reads a line between chunks, if it is complete, and gives the rest of the bytes back.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Fault> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.partial.extend_from_slice(bytes);
            if self.partial.len() > MAX_LINE {
                return Err(Fault::Malformed("a chunk's line is too long"));
            }
            return Ok(None);
        };
        let (line, rest) = bytes.split_at(end + 1);
        let mut whole = std::mem::take(&mut self.partial);
        let line = if whole.is_empty() {
            line
        } else {
            whole.extend_from_slice(line);
            whole.as_slice()
        };
        let line = line.trim_ascii();
        self.framing = match self.framing {
            Framing::ChunkSize => match chunk_size(line)? {
                0 => Framing::Trailer,
                size => Framing::Chunk(size),
            },
            Framing::ChunkEnd if line.is_empty() => Framing::ChunkSize,
            Framing::ChunkEnd => return Err(Fault::Malformed("a chunk is longer than its size")),
            _ if line.is_empty() => Framing::Done,
            _ => Framing::Trailer,
        };
        Ok(Some(rest))
    }
}

impl Coding {
    /// The coding that a `Content-Encoding` names.
    pub fn of(value: &[u8]) -> Self {
        match value.trim_ascii() {
            b"" => Self::Identity,
            name if name.eq_ignore_ascii_case(b"identity") => Self::Identity,
            name if name.eq_ignore_ascii_case(b"gzip") => Self::Gzip,
            name if name.eq_ignore_ascii_case(b"x-gzip") => Self::Gzip,
            name if name.eq_ignore_ascii_case(b"deflate") => Self::Deflate,
            name if name.eq_ignore_ascii_case(b"br") => Self::Brotli,
            _ => Self::Unknown,
        }
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// A `Location` as text. Bytes that are not UTF-8 are percent-encoded one by one, as they will be in
/// the request line.
pub(crate) fn place(value: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(value) {
        return text.to_owned();
    }
    let mut text = Vec::with_capacity(value.len());
    for byte in value {
        match byte {
            0x80.. => percent(*byte, &mut text),
            _ => text.push(*byte),
        }
    }
    String::from_utf8(text).unwrap_or_default()
}

fn digits(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

fn ends_with_token(value: &[u8], token: &[u8]) -> bool {
    value
        .rsplit(|byte| *byte == b',')
        .next()
        .is_some_and(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

/// A chunk's size: hexadecimal digits, then maybe extensions (RFC 9112, section 7.1).
fn chunk_size(line: &[u8]) -> Result<u64, Fault> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(Fault::Malformed("a chunk has no size"));
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(Fault::Malformed("a chunk's size is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Capture = Capture { head: true, body: true };

    /// Feeds a response in pieces of every size, and says how it ended each time.
    fn check(bytes: &[u8], status: u16, body: &[u8], keep_alive: bool) {
        for size in 1..=bytes.len() {
            let mut response = Response::default();
            let mut complete = false;
            for piece in bytes.chunks(size) {
                assert!(!complete, "complete before its last byte");
                complete = response.feed(piece, ALL, false).expect("a response");
            }
            if !complete {
                response.end().expect("a response that ends with its connection");
            }
            assert_eq!(
                (response.status, response.body.as_slice()),
                (status, body),
                "in pieces of {size}"
            );
            assert_eq!(response.keep_alive, keep_alive);
            assert_eq!(response.bytes, body.len() as u64);
        }
    }

    #[test]
    fn answers_are_read_whole_whatever_the_pieces() {
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", true);
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", true);
        check(
            b"HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
            404,
            b"x",
            false,
        );
        check(b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end", false);
        check(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", true);
        check(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: x\r\n\r\n",
            200,
            b"hello!",
            true,
        );
        check(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            200,
            b"ok",
            true,
        );
    }

    fn fault(bytes: &[u8]) -> Fault {
        let mut response = Response::default();
        match response.feed(bytes, ALL, false) {
            Ok(true) => panic!("a response"),
            Ok(false) => response.end().expect_err("a fault"),
            Err(fault) => fault,
        }
    }

    #[test]
    fn what_is_no_answer_is_classed() {
        assert_eq!(fault(b""), ConnectionFault::Closed.into());
        assert_eq!(fault(b"HTTP/1.1 200 OK\r\nContent-Le"), ConnectionFault::Truncated.into());
        assert_eq!(
            fault(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
            ConnectionFault::Truncated.into()
        );
        assert_eq!(fault(b"SSH-2.0-x\r\n"), Fault::Malformed("no status line"));
        // 0 would pass for no response at all.
        assert_eq!(fault(b"HTTP/1.1 000 \r\n\r\n"), Fault::Malformed("the status is below 100"));
        assert_eq!(
            fault(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            Fault::Malformed("a chunk has no size")
        );
        assert_eq!(
            fault(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
            Fault::Malformed("Content-Length is not a number")
        );
        let many = format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(200));
        assert!(matches!(fault(many.as_bytes()), Fault::LongHead { .. }));
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(MAX_HEAD));
        assert!(matches!(fault(long.as_bytes()), Fault::LongHead { .. }));
    }

    #[test]
    fn a_large_body_is_counted_and_kept_up_to_the_cap() {
        let mut response = Response::default();
        let length = BODY_CAP as u64 * 4;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(response.feed(head.as_bytes(), ALL, false), Ok(false));
        let piece = vec![b'x'; 1 << 16];
        for _ in 0..length >> 16 {
            response.feed(&piece, ALL, false).expect("body");
        }
        assert_eq!((response.bytes, response.body.len()), (length, BODY_CAP));
    }
}
