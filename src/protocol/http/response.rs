//! A response: its status, the parts of its headers and body that are kept, and the length of its
//! body. The body is counted, and kept, up to a cap, only if its text is needed. An encoded body is
//! decoded while it arrives ([`decode`](super::decode)): its length is that of the decoded content.
//! [`h1`](super::h1) parses it from the bytes of HTTP/1.1, [`h2`](super::h2) from those of HTTP/2.

use std::borrow::Cow;

use super::charset::{self, UnknownCharset};
use super::decode::{Coding, Packed, Unpacker};
use super::framing::Framing;
use crate::load::template::percent;
use crate::protocol::checked::{BodyLimit, Capture, Checked, Unreadable};

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
    pub content_type: Vec<u8>,
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
    pub(super) codings: Vec<Coding>,
    /// The decoder of those codings.
    unpacker: Option<Box<Unpacker>>,
    pub(super) framing: Framing,
    /// An incomplete head, or an incomplete line between chunks.
    pub(super) partial: Vec<u8>,
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
    /// A response that keeps at most `limit` bytes of its body.
    pub fn keeping(limit: usize) -> Self {
        Self { limit: BodyLimit(limit), ..Self::default() }
    }

    fn content_type(&self) -> Option<&[u8]> {
        (!self.content_type.is_empty()).then_some(&*self.content_type)
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
        self.content_type.clear();
        self.broken = None;
        self.codings.clear();
        self.unpacker = None;
        self.location = None;
        self.cookies.clear();
        self.keep_alive = false;
        self.framing = Framing::Head;
        self.partial.clear();
    }

    /// Takes a header that describes the body, in any version of HTTP.
    #[inline]
    pub(super) fn take_header(&mut self, name: &str, value: &[u8], capture: Capture) {
        // The length of a name distinguishes nearly all headers before any letter is compared.
        match name.len() {
            16 if name.eq_ignore_ascii_case("content-encoding") => {
                self.codings.extend(Coding::list(value));
            }
            12 if capture.body
                && self.content_type.is_empty()
                && name.eq_ignore_ascii_case("content-type") =>
            {
                self.content_type.extend_from_slice(value);
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
