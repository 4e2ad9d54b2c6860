//! A response: its status, the parts of its headers and body that are kept, and the length of its
//! body. The body is counted, and kept, up to a cap, only if its text is needed. An encoded body is
//! decoded while it arrives ([`decode`](super::decode)): its length is that of the decoded content.
//! [`h1`](super::h1) parses it from the bytes of HTTP/1.1, [`h2`](super::h2) from those of HTTP/2.

use std::borrow::Cow;
use std::sync::Arc;

use super::charset::{self, UnknownCharset};
use super::decode::{Coding, Packed, Unpacker};
use super::fault::Fault;
use super::framing::Framing;
use crate::load::template::percent;
use crate::memory::{Held, Memory};
use crate::protocol::checked::{BodyKeeper, Capture, Checked, Unreadable};

/// A response. Its buffers are reused for the next one. What every response has is declared last, so that
/// it lies together as far as the compiler keeps the order; what few have is not even looked at where
/// `more` is false.
#[derive(Debug, Default)]
pub struct Response {
    /// Names and values of the headers, if needed.
    pub headers: Vec<(String, String)>,
    /// `Content-Type`, if the body is needed.
    pub content_type: Vec<u8>,
    /// Why the body could not be decoded.
    pub broken: Option<Packed>,
    /// The target of a redirect.
    pub location: Option<String>,
    /// `Set-Cookie` values, as received.
    pub cookies: Vec<Vec<u8>>,
    /// The codings of the body, in the order they were applied.
    pub(super) codings: Vec<Coding>,
    /// An incomplete head, or an incomplete line between chunks.
    pub(super) partial: Vec<u8>,
    /// The decoder of those codings.
    unpacker: Option<Box<Unpacker>>,
    keeper: BodyKeeper,
    /// The body, if needed: decoded, and up to the limit.
    pub body: Vec<u8>,
    /// Bytes of the body, decoded if possible.
    pub bytes: u64,
    pub(super) framing: Framing,
    /// The status; 0 before the head has arrived.
    pub status: u16,
    /// Whether the connection can carry another request.
    pub keep_alive: bool,
    /// Whether it has more than a status and a plain body.
    pub(super) more: bool,
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
        charset::text(&self.body, self.content_type()).map_err(unknown)
    }

    fn json(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        self.readable()?;
        charset::json(&self.body, self.content_type()).map_err(unknown)
    }
}

fn unknown(UnknownCharset(label): UnknownCharset) -> Unreadable {
    Unreadable::Charset(label)
}

impl Response {
    /// A response that keeps at most `limit` bytes of its body, under the ceiling for memory.
    pub fn keeping(limit: usize, memory: &Arc<Memory>) -> Self {
        Self { keeper: BodyKeeper::new(limit, memory), ..Self::default() }
    }

    fn content_type(&self) -> Option<&[u8]> {
        (!self.content_type.is_empty()).then_some(&*self.content_type)
    }

    /// Checks that the whole body was kept and decoded.
    fn readable(&self) -> Result<(), Unreadable> {
        if let Some(full) = self.keeper.full() {
            return Err(Unreadable::Full(full));
        }
        let limit = self.keeper.limit();
        if self.body.len() >= limit && self.bytes > limit as u64 {
            return Err(Unreadable::OverLimit(limit));
        }
        self.broken.as_ref().map_or(Ok(()), |why| Err(Unreadable::Packed(why.to_string())))
    }

    /// Clears it for the next response. Large buffers are given back.
    pub fn clear(&mut self) {
        self.status = 0;
        self.bytes = 0;
        self.keeper.clear(&mut self.body);
        self.keep_alive = false;
        self.framing = Framing::Head;
        if std::mem::take(&mut self.more) {
            self.clear_more();
        }
        debug_assert!(self.is_bare(), "what it has besides was not noted: {self:?}");
    }

    fn clear_more(&mut self) {
        self.headers.clear();
        self.content_type.clear();
        self.broken = None;
        self.codings.clear();
        self.unpacker = None;
        self.location = None;
        self.cookies.clear();
        self.partial.clear();
        for buffer in [&mut self.partial, &mut self.content_type] {
            if buffer.capacity() > Held::SMALL {
                *buffer = Vec::new();
            }
        }
    }

    /// Whether it has nothing but a status and a plain body.
    fn is_bare(&self) -> bool {
        let buffers = [&self.content_type, &self.partial];
        self.headers.is_empty()
            && buffers.iter().all(|buffer| buffer.is_empty())
            && self.broken.is_none()
            && self.codings.is_empty()
            && self.unpacker.is_none()
            && self.location.is_none()
            && self.cookies.is_empty()
    }

    /// Whether nothing has arrived yet.
    #[inline]
    pub(super) fn expects_head(&self) -> bool {
        self.framing == Framing::Head && (!self.more || self.partial.is_empty())
    }

    /// Keeps an incomplete head or line.
    pub(super) fn keep_partial(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.more = true;
        self.partial.extend_from_slice(bytes);
        if self.partial.capacity() > Held::SMALL {
            self.keeper.besides(&self.body, self.partial.capacity())?;
        }
        Ok(())
    }

    /// Takes a header that describes the body, in any version of HTTP.
    #[inline]
    pub(super) fn take_header(&mut self, name: &str, value: &[u8], capture: Capture) {
        // The length of a name distinguishes nearly all headers before any letter is compared.
        match name.len() {
            16 if name.eq_ignore_ascii_case("content-encoding") => {
                self.more = true;
                self.codings.extend(Coding::list(value));
            }
            12 if capture.body
                && self.content_type.is_empty()
                && name.eq_ignore_ascii_case("content-type") =>
            {
                self.more = true;
                self.content_type.extend_from_slice(value);
            }
            10 if name.eq_ignore_ascii_case("set-cookie") => {
                self.more = true;
                self.cookies.push(value.to_vec());
            }
            8 if name.eq_ignore_ascii_case("location") => {
                self.more = true;
                self.location = Some(place(value));
            }
            _ => {}
        }
        if capture.head {
            self.more = true;
            self.headers.push((name.to_owned(), text(value)));
        }
    }

    /// Called when all headers have arrived and a body follows.
    pub(super) fn begin_body(&mut self) {
        if self.more && !self.codings.is_empty() {
            self.unpacker = Some(Box::new(Unpacker::new(&self.codings)));
        }
    }

    /// Decodes, counts and possibly keeps a piece of the body.
    pub(super) fn take_body(&mut self, piece: &[u8], capture: Capture) {
        let Some(mut unpacker) = self.unpacker.take() else {
            self.count(piece, capture);
            return;
        };
        let kept = self.keeper.limit() as u64;
        unpacker.push(piece, kept, &mut |unpacked| self.count(unpacked, capture));
        let window = unpacker.window();
        if window > Held::SMALL
            && let Err(full) = self.keeper.besides(&self.body, window)
        {
            unpacker.give_up(Packed::Full(full));
        }
        self.unpacker = Some(unpacker);
    }

    fn count(&mut self, piece: &[u8], capture: Capture) {
        self.bytes += piece.len() as u64;
        if capture.body {
            self.keeper.keep(&mut self.body, piece);
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
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// A `Location` as text. Bytes that are not UTF-8 are percent-encoded one by one, as in the request
/// line.
fn place(value: &[u8]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Full;

    const ALL: Capture = Capture { head: true, body: true };

    /// Feeds a response with this body, as a target sends it.
    fn fed(response: &mut Response, head: &str, body: &[u8]) -> Result<bool, Fault> {
        let head = format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n", body.len());
        let mut complete = response.feed(head.as_bytes(), ALL, false)?;
        for piece in body.chunks(64 << 10) {
            complete = response.feed(piece, ALL, false)?;
        }
        Ok(complete)
    }

    #[test]
    fn t40_what_a_response_holds_is_given_back_and_small_buffers_are_used_again() {
        let memory = Memory::new(8 << 20);
        let mut response = Response::keeping(4 << 20, &memory);
        for _ in 0..3 {
            assert_eq!(fed(&mut response, "", &vec![b'x'; 3 << 20]), Ok(true));
            assert_eq!(response.text().map(|text| text.len()), Ok(3 << 20));
            assert!((3 << 20..=4 << 20).contains(&memory.taken()), "{}", memory.taken());
            response.clear();
            assert_eq!((memory.taken(), response.body.capacity()), (0, 0));
        }
        assert_eq!(fed(&mut response, "", &[b'x'; 1000]), Ok(true));
        let (buffer, capacity) = (response.body.as_ptr(), response.body.capacity());
        response.clear();
        assert_eq!(fed(&mut response, "", &[b'x'; 1000]), Ok(true));
        assert_eq!((response.body.as_ptr(), response.body.capacity()), (buffer, capacity));
        assert_eq!(memory.taken(), 0, "small ones are not counted");
    }

    #[test]
    fn t40_many_responses_together_stay_under_the_ceiling() {
        let memory = Memory::new(10 << 20);
        let mut responses: Vec<_> = (0..100).map(|_| Response::keeping(4 << 20, &memory)).collect();
        for response in &mut responses {
            assert_eq!(fed(response, "", &vec![b'x'; 2 << 20]), Ok(true));
            assert_eq!(response.bytes, 2 << 20, "what is not kept is counted");
        }
        let kept: Vec<_> = responses.iter().map(|one| one.body.capacity()).collect();
        assert!(kept.iter().sum::<usize>() <= 10 << 20 && kept.iter().any(|kept| *kept > 0));
        for response in responses.iter().filter(|one| one.body.is_empty()) {
            let why = response.text().expect_err("not kept").to_string();
            assert!(why.starts_with("the body was not checked: response bodies: "), "{why}");
            assert!(why.ends_with("(--max-memory)"), "{why}");
        }
        drop(responses);
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn t40_the_windows_of_decoders_take_their_share_or_the_body_is_not_decoded() {
        let text: String = (0..200_000).map(|number| format!("{number} ")).collect();
        let packed = zstd::bulk::compress(text.as_bytes(), 1).expect("zstd");
        let head = "Content-Encoding: zstd\r\n";
        let memory = Memory::new(4 << 20);
        let mut response = Response::keeping(1000, &memory);
        // Half of it, so that the decoder is still there.
        let (half, _) = packed.split_at(packed.len() / 2);
        let begin = format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n", packed.len());
        let bytes = [begin.as_bytes(), half].concat();
        assert_eq!(response.feed(&bytes, ALL, false), Ok(false));
        let taken = memory.taken();
        assert!(taken as u64 + 8192 >= response.bytes && response.bytes > 0, "{taken}");
        response.clear();
        assert_eq!(memory.taken(), 0);
        let mut response = Response::keeping(1000, &Memory::new(1 << 10));
        let bytes = [begin.as_bytes(), &packed].concat();
        assert_eq!(response.feed(&bytes, Capture::default(), false), Ok(true));
        let why = response.text().expect_err("not decoded").to_string();
        assert!(why.starts_with("the body cannot be unpacked: response bodies: "), "{why}");
    }

    #[test]
    fn t40_a_head_that_never_ends_takes_its_share_or_fails() {
        let memory = Memory::new(16 << 10);
        let mut response = Response::keeping(1000, &memory);
        let line = format!("X: {}\r\n", "y".repeat(1000));
        let outcome = (0..50).find_map(|number| {
            let begin = if number == 0 { "HTTP/1.1 200 OK\r\n" } else { "" };
            response.feed(format!("{begin}{line}").as_bytes(), ALL, false).err()
        });
        assert!(
            matches!(outcome, Some(Fault::Full(Full { what: "response bodies", .. }))),
            "{outcome:?}"
        );
        response.clear();
        assert_eq!((memory.taken(), response.partial.capacity()), (0, 0));
    }
}
