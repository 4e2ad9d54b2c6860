//! Parses an HTTP/1.1 response as its bytes arrive: the head, then the body by length, by chunks or
//! until the end of the connection. A response that arrives in one piece, as nearly all do, is parsed
//! in place, without copying.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use super::fault::Fault;
use super::framing::{Framing, Transfer, body_length, chunk_size, has_token};
use super::response::Response;
use crate::protocol::checked::Capture;
use crate::protocol::fault::ConnectionFault;

/// The longest head, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// The most headers.
const MAX_HEADERS: usize = 128;

/// The longest line between chunks: a size and its extensions, or a trailer field.
const MAX_LINE: usize = 8 * 1024;

impl Response {
    /// Parses received bytes; returns `true` when the response is complete.
    #[inline]
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

    /// Parses the head, if it is complete, and returns the remaining bytes.
    pub(super) fn head<'a>(
        &mut self,
        bytes: &'a [u8],
        capture: Capture,
        head_only: bool,
    ) -> Result<Option<&'a [u8]>, Fault> {
        if self.partial.is_empty() {
            if let Some(length) = self.parse_head(bytes, capture, head_only)? {
                return Ok(bytes.get(length..));
            }
            self.keep_partial(bytes)?;
        } else {
            let before = self.partial.len();
            self.keep_partial(bytes)?;
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
            if !transfer.codings.is_empty() {
                self.more = true;
                self.codings.append(&mut transfer.codings);
            }
            self.begin_body();
        }
        Ok(())
    }

    /// Reads a line between chunks, if it is complete, and returns the remaining bytes.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Fault> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.keep_partial(bytes)?;
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

/// A folded value on one line (RFC 9112, section 5.2).
fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    Cow::Owned(lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(&b' '))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory::Memory;
    use crate::protocol::checked::{Checked as _, MAX_BODY_BYTES};

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
            let mut response = Response::keeping(limit, &Memory::new(usize::MAX));
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
