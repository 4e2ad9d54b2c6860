//! Parses an HTTP/1.1 response as its bytes arrive: the head, then the body by length, by chunks or
//! until the end of the connection. The body is counted, and kept, up to a cap, only if its text is
//! needed. A response that arrives in one piece, as nearly all do, is parsed in place, without
//! copying. An encoded body is decoded while it arrives ([`decode`](super::decode)): its length is
//! that of the decoded content.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use super::charset::{self, UnknownCharset};
use super::decode::{Coding, Packed, Unpacker};
use super::fault::Fault;
use crate::load::template::percent;
use crate::protocol::checked::{BodyLimit, Capture, Checked, Unreadable};
use crate::protocol::fault::ConnectionFault;

/// The longest head, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// The most headers.
const MAX_HEADERS: usize = 128;

/// The longest line between chunks: a size and its extensions, or a trailer field.
const MAX_LINE: usize = 8 * 1024;

/// The memory of a longer body is freed before the next request.
const KEEP_CAPACITY: usize = 64 * 1024;

/// A response. Its buffers are reused for the next one.
#[derive(Debug, Default)]
pub struct Response {
    /// The status; 0 before the head has arrived.
    pub status: u16,
    /// Bytes of the body, decoded if possible.
    pub bytes: u64,
    /// The body, if needed: decoded, and up to the limit.
    pub body: Vec<u8>,
    /// Names and values of the headers, if needed.
    pub headers: Vec<(String, String)>,
    /// `Content-Type`, if the body is needed.
    pub content_type: Option<Vec<u8>>,
    /// Why the body could not be decoded.
    pub broken: Option<Packed>,
    /// The target of a redirect.
    pub location: Option<String>,
    /// `Set-Cookie` values, as received.
    pub cookies: Vec<Vec<u8>>,
    /// Whether the connection can carry another request.
    pub keep_alive: bool,
    limit: BodyLimit,
    /// The codings of the body, in the order they were applied.
    codings: Vec<Coding>,
    /// The decoder of those codings.
    unpacker: Option<Box<Unpacker>>,
    framing: Framing,
    /// An incomplete head, or an incomplete line between chunks.
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

    /// Several headers of one name are joined (RFC 9110, section 5.3).
    fn header(&self, name: &str) -> Option<String> {
        let mut values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, first) = values.next()?;
        Some(values.fold(first.clone(), |all, (_, value)| format!("{all}, {value}")))
    }

    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        self.readable()?;
        charset::text(&self.body, self.content_type.as_deref()).map_err(unknown)
    }

    fn json(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        self.readable()?;
        charset::json(&self.body, self.content_type.as_deref()).map_err(unknown)
    }
}

fn unknown(UnknownCharset(label): UnknownCharset) -> Unreadable {
    Unreadable::Charset(label)
}

impl Response {
    /// A response that keeps at most `limit` bytes of its body.
    pub fn keeping(limit: usize) -> Self {
        Self { limit: BodyLimit(limit), ..Self::default() }
    }

    /// Checks that the whole body was kept and decoded.
    fn readable(&self) -> Result<(), Unreadable> {
        if self.body.len() >= self.limit.0 && self.bytes > self.limit.0 as u64 {
            return Err(Unreadable::OverLimit(self.limit.0));
        }
        self.broken.as_ref().map_or(Ok(()), |why| Err(Unreadable::Packed(why.to_string())))
    }

    /// Clears it for the next response.
    pub fn clear(&mut self) {
        self.status = 0;
        self.bytes = 0;
        self.body.clear();
        self.body.shrink_to(KEEP_CAPACITY);
        self.headers.clear();
        self.content_type = None;
        self.broken = None;
        self.codings.clear();
        self.unpacker = None;
        self.location = None;
        self.cookies.clear();
        self.keep_alive = false;
        self.framing = Framing::Head;
        self.partial.clear();
    }

    /// Parses received bytes; returns `true` when the response is complete.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        capture: Capture,
        head_only: bool,
    ) -> Result<bool, Fault> {
        loop {
            if self.framing == Framing::Done {
                // Bytes after the response belong to no request: the connection cannot be used
                // again.
                self.keep_alive &= bytes.is_empty();
                self.end_body();
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

    /// Handles the end of the connection: `Ok` if that completes the response.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.keep_alive = false;
        match self.framing {
            Framing::UntilEnd | Framing::Done => {
                self.framing = Framing::Done;
                self.end_body();
                Ok(())
            }
            Framing::Head if self.partial.is_empty() => Err(ConnectionFault::Closed.into()),
            _ => Err(ConnectionFault::Truncated.into()),
        }
    }

    /// Takes up to `most` bytes of body, and returns the rest.
    fn take<'a>(&mut self, bytes: &'a [u8], most: u64, capture: Capture) -> &'a [u8] {
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len());
        let (body, rest) = bytes.split_at(length);
        self.take_body(body, capture);
        rest
    }

    /// Takes a header that describes the body, in any version of HTTP.
    #[inline]
    pub(super) fn take_header(&mut self, name: &str, value: &[u8], capture: Capture) {
        // The length of a name distinguishes nearly all headers before any letter is compared.
        match name.len() {
            16 if name.eq_ignore_ascii_case("content-encoding") => {
                self.codings.extend(Coding::list(value));
            }
            12 if capture.body && name.eq_ignore_ascii_case("content-type") => {
                self.content_type.get_or_insert_with(|| value.to_vec());
            }
            10 if name.eq_ignore_ascii_case("set-cookie") => self.cookies.push(value.to_vec()),
            8 if name.eq_ignore_ascii_case("location") => self.location = Some(place(value)),
            _ => {}
        }
        if capture.head {
            self.headers.push((name.to_owned(), text(value)));
        }
    }

    /// Called when all headers have arrived and a body follows.
    pub(super) fn begin_body(&mut self) {
        if !self.codings.is_empty() {
            self.unpacker = Some(Box::new(Unpacker::new(&self.codings)));
        }
    }

    /// Decodes, counts and possibly keeps a piece of the body.
    pub(super) fn take_body(&mut self, piece: &[u8], capture: Capture) {
        let Some(mut unpacker) = self.unpacker.take() else {
            self.count(piece, capture);
            return;
        };
        unpacker.push(piece, self.limit.0 as u64, &mut |unpacked| self.count(unpacked, capture));
        self.unpacker = Some(unpacker);
    }

    fn count(&mut self, piece: &[u8], capture: Capture) {
        self.bytes += piece.len() as u64;
        if capture.body {
            let room = self.limit.0.saturating_sub(self.body.len()).min(piece.len());
            self.body.extend_from_slice(piece.get(..room).unwrap_or_default());
        }
    }

    /// Called when the body is complete.
    pub(super) fn end_body(&mut self) {
        let Some(unpacker) = self.unpacker.take() else { return };
        let (received, broken) = unpacker.finish();
        if broken.as_ref().is_some_and(|why| *why != Packed::Bomb) {
            self.bytes = received;
        }
        self.broken = broken;
    }

    /// Parses the head, if it is complete, and returns the remaining bytes.
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

    /// Parses a head if it is complete, after any interim responses (RFC 9110, section 15.2), and
    /// returns its length.
    fn parse_head(
        &mut self,
        bytes: &[u8],
        capture: Capture,
        head_only: bool,
    ) -> Result<Option<usize>, Fault> {
        let (mut from, mut folds) = (0, false);
        loop {
            let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
            let mut response = httparse::Response::new(&mut []);
            let mut config = httparse::ParserConfig::default();
            // Deviations of old servers that curl and browsers accept.
            config
                .allow_obsolete_multiline_headers_in_responses(folds)
                .allow_spaces_after_header_name_in_responses(folds);
            let parsed = config.parse_response_with_uninit_headers(
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
                // Nearly all heads are parsed at the first attempt, with values that need no
                // unfolding.
                Err(_) if !folds => {
                    folds = true;
                    continue;
                }
                Err(_) => return Err(Fault::Malformed("a header cannot be read")),
            }
            let status = response.code.unwrap_or(0);
            if status < 100 {
                return Err(Fault::Malformed("the status is below 100"));
            }
            if !(100..200).contains(&status) || status == 101 {
                self.take_head(&response, folds, capture, head_only)?;
                return Ok(Some(from));
            }
        }
    }

    fn take_head(
        &mut self,
        response: &httparse::Response<'_, '_>,
        folds: bool,
        capture: Capture,
        head_only: bool,
    ) -> Result<(), Fault> {
        self.status = response.code.unwrap_or(0);
        let (mut closes, mut stays) = (false, false);
        let mut length: Option<Result<u64, Fault>> = None;
        let mut transfer = Transfer::default();
        for header in response.headers.iter() {
            let (name, value) = (header.name, header.value);
            let unfolded = if folds { unfold(value) } else { Cow::Borrowed(value) };
            let value = &*unfolded;
            // The length of a name distinguishes nearly all headers before any letter is compared.
            match name.len() {
                14 if name.eq_ignore_ascii_case("content-length") => {
                    length = Some(body_length(value, length));
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => transfer.add(value),
                10 if name.eq_ignore_ascii_case("connection") => {
                    closes |= has_token(value, b"close");
                    stays |= has_token(value, b"keep-alive");
                }
                _ => {}
            }
            self.take_header(name, value, capture);
        }
        // RFC 9112, section 6.1: HTTP/1.0 does not define this framing, so the connection ends
        // here.
        let lasts = response.version == Some(1) || stays && !transfer.is_some();
        self.keep_alive = lasts && !closes;
        if self.status == 101 {
            // Another protocol follows.
            self.keep_alive = false;
        }
        // RFC 9112, section 6.3: the precedence of framings.
        self.framing = match length {
            _ if head_only || matches!(self.status, 101 | 204 | 304) => Framing::Done,
            _ if transfer.chunked => Framing::ChunkSize,
            Some(length) if !transfer.is_some() => match length? {
                0 => Framing::Done,
                length => Framing::Length(length),
            },
            _ => {
                self.keep_alive = false;
                Framing::UntilEnd
            }
        };
        if self.framing != Framing::Done {
            self.codings.append(&mut transfer.codings);
            self.begin_body();
        }
        Ok(())
    }

    /// Reads a line between chunks, if it is complete, and returns the remaining bytes.
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

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// A `Location` as text. Bytes that are not UTF-8 are percent-encoded one by one, as in the request
/// line.
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

/// A folded value on one line (RFC 9112, section 5.2).
fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    Cow::Owned(lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(&b' '))
}

/// The length in a `Content-Length`, combined with earlier ones. It may occur more than once, in
/// one value or in several, as long as it is the same (RFC 9110, section 8.6).
fn body_length(value: &[u8], before: Option<Result<u64, Fault>>) -> Result<u64, Fault> {
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
struct Transfer {
    /// Whether the body is chunked: the last coding counts.
    chunked: bool,
    /// The codings inside the chunks.
    codings: Vec<Coding>,
}

impl Transfer {
    fn add(&mut self, value: &[u8]) {
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

    fn is_some(&self) -> bool {
        self.chunked || !self.codings.is_empty()
    }
}

/// Whether a list contains a token, in any case.
pub(super) fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

/// A chunk's size: hexadecimal digits, then optional extensions (RFC 9112, section 7.1).
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
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::MAX_BODY_BYTES;

    const ALL: Capture = Capture { head: true, body: true };

    /// Feeds a response in pieces of every size, and checks the result each time.
    fn check(bytes: &[u8], status: u16, body: &[u8], keep_alive: bool) {
        for size in 1..=bytes.len() {
            let mut response = Response::default();
            let mut complete = false;
            for piece in bytes.chunks(size) {
                assert!(!complete, "complete before its last byte: {}", bytes.escape_ascii());
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
    fn responses_are_parsed_completely_in_pieces_of_any_size() {
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

    #[test]
    fn old_forms_of_a_head_are_accepted() {
        check(
            b"HTTP/1.1 200 OK\r\nX-A: one;\r\n  two\r\nContent-Length:\r\n\t2\r\n\r\nok",
            200,
            b"ok",
            true,
        );
        check(b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", 200, b"ok", true);
        check(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, b"ok", true);
        let mut response = Response::default();
        let folded = b"HTTP/1.1 200 OK\r\nX-A: one;\r\n  two \r\n\t three\r\nX-B :  v\r\n\r\n";
        response.feed(folded, ALL, false).expect("a head");
        assert_eq!(response.header("x-a").as_deref(), Some("one; two three"));
        assert_eq!(response.header("x-b").as_deref(), Some("v"));
    }

    #[test]
    fn the_framing_follows_the_rules_of_precedence() {
        let ok = |head: &str, keep_alive| {
            let response = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nok");
            check(response.as_bytes(), 200, b"ok", keep_alive);
        };
        ok("Content-Length: 2\r\nContent-Length: 2", true);
        ok("Content-Length: 2, 2", true);
        ok("Connection: keep-alive, Close\r\nContent-Length: 2", false);
        ok("Connection: close\r\nConnection: keep-alive\r\nContent-Length: 2", false);
        ok("Transfer-Encoding: identity\r\nContent-Length: 2", true);
        let chunked = |line: &str, head: &str, keep_alive| {
            let response = format!("{line}\r\n{head}\r\n\r\n2 ; a=\"b\"\r\nok\r\n00\r\n\r\n");
            check(response.as_bytes(), 200, b"ok", keep_alive);
        };
        let new = "HTTP/1.1 200 OK";
        chunked(new, "Transfer-Encoding: Chunked", true);
        // It takes precedence over any length (RFC 9112, section 6.3).
        chunked(new, "Content-Length: 9\r\nTransfer-Encoding: chunked\r\nContent-Length: x", true);
        chunked(new, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", true);
        chunked("HTTP/1.0 200 OK", "Connection: keep-alive\r\nTransfer-Encoding: chunked", false);
        // Until the end: the last coding is another one, and the length does not count.
        let packed = [
            &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\nContent-Length: 3\r\n\r\n"[..],
            b"\x0b\x02\x80hello\x03",
        ]
        .concat();
        check(&packed, 200, b"hello", false);
        for (head, why) in [
            ("Content-Length: 2\r\nContent-Length: 3", "two lengths"),
            ("Content-Length: 2, 3", "two lengths"),
            ("Content-Length: 2,", "Content-Length is not a number"),
            ("Content-Length: +2", "Content-Length is not a number"),
        ] {
            let response = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nok");
            assert_eq!(fault(response.as_bytes()), Fault::Malformed(why));
        }
    }

    #[test]
    fn a_partially_kept_body_is_not_checked() {
        let packed = |body: &[u8], limit| {
            let mut response = Response::keeping(limit);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: BR\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let bytes = [head.as_bytes(), body].concat();
            assert_eq!(response.feed(&bytes, ALL, false), Ok(true));
            let (text, json) = (response.text().map(Cow::into_owned), response.json());
            assert_eq!(text.as_ref().err(), json.err().as_ref());
            (response.bytes, text.map_err(|why| why.to_string()))
        };
        const HELLO: &[u8] = b"\x0b\x02\x80hello\x03";
        assert_eq!(packed(HELLO, 5), (5, Ok(b"hello".to_vec())));
        assert_eq!(packed(b"", 5), (0, Ok(Vec::new())));
        let over = "the body is longer than --max-body-bytes 4 allows and was not checked";
        assert_eq!(packed(HELLO, 4), (5, Err(over.to_owned())));
        let cut = "the body cannot be unpacked: its br data is cut short";
        // A body that cannot be decoded has its received length.
        assert_eq!(packed(&HELLO[..6], 5), (6, Err(cut.to_owned())));
    }

    proptest! {
        #[test]
        fn a_folded_value_becomes_one_line(parts in proptest::collection::vec("[a-z;=]{1,8}", 1..6), wide: bool) {
            let fold = if wide { "  \r\n\t  " } else { "\r\n " };
            let head = format!("HTTP/1.1 204 No Content\r\nX-A: {}\r\n\r\n", parts.join(fold));
            let mut response = Response::default();
            prop_assert_eq!(response.feed(head.as_bytes(), ALL, false), Ok(true));
            prop_assert_eq!(response.header("X-A"), Some(parts.join(" ")));
        }
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
    fn invalid_responses_are_classified() {
        assert_eq!(fault(b""), ConnectionFault::Closed.into());
        assert_eq!(fault(b"HTTP/1.1 200 OK\r\nContent-Le"), ConnectionFault::Truncated.into());
        assert_eq!(
            fault(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
            ConnectionFault::Truncated.into()
        );
        assert_eq!(fault(b"SSH-2.0-x\r\n"), Fault::Malformed("no status line"));
        // 0 would be mistaken for no response at all.
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
    fn a_large_body_is_counted_whole_and_kept_up_to_the_cap() {
        let mut response = Response::default();
        let length = MAX_BODY_BYTES as u64 * 4;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(response.feed(head.as_bytes(), ALL, false), Ok(false));
        let piece = vec![b'x'; 1 << 16];
        for _ in 0..length >> 16 {
            response.feed(&piece, ALL, false).expect("body");
        }
        assert_eq!((response.bytes, response.body.len()), (length, MAX_BODY_BYTES));
    }
}
