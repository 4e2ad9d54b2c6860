//! The head that a task received last. A target repeats its head byte for byte until the clock in its
//! `Date` moves on, so nearly all heads are compared with the last one instead of being parsed.

use super::decode::Coding;
use super::fault::Fault;
use super::framing::Framing;
use super::response::Response;
use crate::protocol::checked::Capture;

/// The longest head that is remembered, in bytes; longer ones are parsed each time.
const MOST: usize = 2048;

/// How many heads in a row are remembered in vain before most are not: a target may give each of its
/// responses a number.
const VAIN: u32 = 8;

/// Of the heads of such a target, every so many is remembered.
const SELDOM: u32 = 64;

/// The last head, and what it said.
#[derive(Debug, Default)]
pub(crate) struct LastHead {
    /// Empty before the first one.
    bytes: Vec<u8>,
    /// Whether the body was to be kept.
    keeps_body: bool,
    /// Whether it responded to a HEAD.
    head_only: bool,
    status: u16,
    keep_alive: bool,
    framing: Framing,
    codings: Vec<Coding>,
    content_type: Vec<u8>,
    /// How many heads were different since one was the same.
    vain: u32,
}

impl LastHead {
    /// Takes received bytes like [`Response::feed`], and does not parse a head that is the same as
    /// the last one.
    #[inline]
    pub(crate) fn feed(
        &mut self,
        response: &mut Response,
        bytes: &[u8],
        capture: Capture,
        head_only: bool,
    ) -> Result<bool, Fault> {
        if !response.expects_head() || capture.head {
            return response.feed(bytes, capture, head_only);
        }
        let rest = match bytes.strip_prefix(self.bytes.as_slice()) {
            Some(rest) if self.applies(capture, head_only) => {
                self.vain = 0;
                self.repeat(response);
                rest
            }
            _ => match self.parse(response, bytes, capture, head_only)? {
                Some(rest) => rest,
                None => return Ok(false),
            },
        };
        response.feed(rest, capture, head_only)
    }

    /// Parses a head that is not the same as the last one; returns what follows it, if it is complete.
    #[inline(never)]
    fn parse<'a>(
        &mut self,
        response: &mut Response,
        bytes: &'a [u8],
        capture: Capture,
        head_only: bool,
    ) -> Result<Option<&'a [u8]>, Fault> {
        let Some(rest) = response.head(bytes, capture, head_only)? else { return Ok(None) };
        let head = bytes.get(..bytes.len() - rest.len()).unwrap_or_default();
        self.remember(head, response, capture, head_only);
        Ok(Some(rest))
    }

    fn applies(&self, capture: Capture, head_only: bool) -> bool {
        !self.bytes.is_empty() && (self.keeps_body, self.head_only) == (capture.body, head_only)
    }

    /// Gives the response what the head says.
    fn repeat(&self, response: &mut Response) {
        response.status = self.status;
        response.keep_alive = self.keep_alive;
        response.framing = self.framing;
        if !self.codings.is_empty() || !self.content_type.is_empty() {
            response.more = true;
            response.codings.extend_from_slice(&self.codings);
            response.content_type.extend_from_slice(&self.content_type);
        }
        if self.framing != Framing::Done {
            response.begin_body();
        }
    }

    /// Remembers a head that says nothing besides what is repeated.
    fn remember(&mut self, head: &[u8], response: &Response, capture: Capture, head_only: bool) {
        let whole = response.cookies.is_empty() && response.location.is_none();
        self.vain = self.vain.wrapping_add(1);
        if !whole || head.len() > MOST || (self.vain > VAIN && !self.vain.is_multiple_of(SELDOM)) {
            return;
        }
        (self.keeps_body, self.head_only) = (capture.body, head_only);
        self.status = response.status;
        self.keep_alive = response.keep_alive;
        self.framing = response.framing;
        for (kept, new) in
            [(&mut self.bytes, head), (&mut self.content_type, &response.content_type)]
        {
            kept.clear();
            kept.extend_from_slice(new);
        }
        self.codings.clone_from(&response.codings);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Responses whose heads say all that a head can say.
    const RESPONSES: &[&str] = &[
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nother",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Type: text/plain\r\n\r\nlonger",
        "HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nbad",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ];

    /// What a response says, or why it cannot be read, after pieces of this size.
    fn said(
        mut feed: impl FnMut(&mut Response, &[u8]) -> Result<bool, Fault>,
        text: &str,
        size: usize,
    ) -> String {
        let mut response = Response::default();
        for piece in text.as_bytes().chunks(size) {
            match feed(&mut response, piece) {
                Ok(true) => break,
                Ok(false) => {}
                Err(fault) => return fault.to_string(),
            }
        }
        format!("{response:?}")
    }

    proptest! {
        #[test]
        fn a_head_that_is_not_parsed_says_what_it_says_when_it_is(
            sequence in prop::collection::vec(
                (0..RESPONSES.len(), any::<bool>(), any::<bool>(), any::<bool>(), 1usize..200),
                1..40,
            ),
        ) {
            let mut last = LastHead::default();
            for (which, head, body, head_only, size) in sequence {
                // Most arrive in one piece, and most are like the one before.
                let (text, size) = (RESPONSES[which], if size < 160 { 200 } else { size });
                let capture = Capture { head, body };
                for _ in 0..2 {
                    let known = said(|to, piece| last.feed(to, piece, capture, head_only), text, size);
                    let parsed = said(|to, piece| to.feed(piece, capture, head_only), text, size);
                    prop_assert_eq!(known, parsed, "{}", text);
                }
            }
        }
    }

    /// How many of these responses were not parsed.
    fn known(heads: impl Iterator<Item = String>) -> usize {
        let mut last = LastHead::default();
        heads
            .filter(|head| {
                let mut response = Response::default();
                let text = format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 0\r\n\r\n");
                assert_eq!(
                    last.feed(&mut response, text.as_bytes(), Capture::default(), false),
                    Ok(true)
                );
                last.vain == 0
            })
            .count()
    }

    #[test]
    fn only_the_first_head_of_each_second_is_parsed() {
        assert_eq!(known((0..1000).map(|n| format!("Date: second {}\r\n", n / 100))), 990);
        assert_eq!(known((0..1000).map(|n| format!("X-Id: {n}\r\n"))), 0);
        let numbered_at_first = (0..1000).map(|n| format!("X-Id: {}\r\n", n.min(500)));
        assert!(known(numbered_at_first) > 400, "they are remembered again");
        assert_eq!(known((0..1000).map(|n| format!("X: {}\r\n", "x".repeat(MOST + n % 2)))), 0);
    }
}
