//! Deflate data (RFC 1951) as servers send it: in gzip members, in a zlib frame, or bare.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::coding::Packed;

/// The size of a decoder's output buffer, in bytes.
pub(super) const PIECE: usize = 16 * 1024;

/// The longest head of a gzip member: the extra field alone may have 64 KiB.
const MAX_GZIP_HEAD: usize = 72 * 1024;

/// Receives a decoder's output; an error stops the decoder.
pub(super) type Next<'a> = dyn FnMut(&[u8]) -> Result<(), Packed> + 'a;

/// Deflate data in gzip members, in zlib's frame, or bare.
pub(super) struct Inflate {
    gzip: bool,
    at: At,
    inflate: Decompress,
    crc: Crc,
    /// Input held back until it is complete.
    held: Vec<u8>,
}

/// The position in the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// At the start.
    Start,
    /// In the deflate data.
    Data,
    /// In the checksum and length after it (gzip).
    Trailer,
    /// After a whole member: another one may follow.
    Between,
    /// After the end: the rest is padding.
    End,
}

impl Inflate {
    pub(super) fn new(gzip: bool) -> Self {
        let (inflate, crc) = (Decompress::new(false), Crc::new());
        Self { gzip, at: At::Start, inflate, crc, held: Vec::new() }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.at == At::End || self.at == At::Between && self.held.is_empty()
    }

    pub(super) fn push(
        &mut self,
        name: &'static str,
        input: &[u8],
        next: &mut Next<'_>,
    ) -> Result<(), Packed> {
        if self.held.is_empty() {
            return self.run(name, input, next);
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(input);
        self.run(name, &all, next)
    }

    fn run(
        &mut self,
        name: &'static str,
        mut input: &[u8],
        next: &mut Next<'_>,
    ) -> Result<(), Packed> {
        let invalid = Packed::Invalid(name);
        loop {
            match self.at {
                At::End => return Ok(()),
                At::Data => {
                    input = self.data(input, next)?.ok_or_else(|| invalid.clone())?;
                    if self.at == At::Data {
                        return Ok(());
                    }
                }
                At::Between if input.is_empty() => return Ok(()),
                At::Start | At::Between if self.gzip => match gzip_head(input) {
                    GzipHead::Whole(length) => {
                        input = input.get(length..).unwrap_or_default();
                        self.inflate.reset(false);
                        self.crc.reset();
                        self.at = At::Data;
                    }
                    // Padding: zeros, as on tapes, or anything else, as in other clients.
                    GzipHead::Other if self.at == At::Between => self.at = At::End,
                    GzipHead::Part if input.len() <= MAX_GZIP_HEAD => return self.hold(input),
                    GzipHead::Part | GzipHead::Other => return Err(invalid),
                },
                At::Start | At::Between => {
                    // RFC 9110, section 8.4.1.2: zlib; some servers send bare deflate data.
                    let [first, second, ..] = *input else { return self.hold(input) };
                    self.inflate.reset(is_zlib(first, second));
                    self.at = At::Data;
                }
                At::Trailer => {
                    let Some((trailer, rest)) = input.split_first_chunk::<8>() else {
                        return self.hold(input);
                    };
                    let [a, b, c, d, e, f, g, h] = *trailer;
                    let crc = u32::from_le_bytes([a, b, c, d]);
                    let length = u32::from_le_bytes([e, f, g, h]);
                    if (crc, length) != (self.crc.sum(), self.crc.amount()) {
                        return Err(invalid);
                    }
                    input = rest;
                    self.at = At::Between;
                }
            }
        }
    }

    fn hold(&mut self, input: &[u8]) -> Result<(), Packed> {
        self.held.extend_from_slice(input);
        Ok(())
    }

    /// Inflates, and returns what follows the data; `None` if it is not deflate data.
    fn data<'a>(
        &mut self,
        mut input: &'a [u8],
        next: &mut Next<'_>,
    ) -> Result<Option<&'a [u8]>, Packed> {
        let mut buffer = [0; PIECE];
        loop {
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let none = FlushDecompress::None;
            let Ok(status) = self.inflate.decompress(input, &mut buffer, none) else {
                return Ok(None);
            };
            let read = (self.inflate.total_in() - before.0) as usize;
            let written = (self.inflate.total_out() - before.1) as usize;
            input = input.get(read..).unwrap_or_default();
            let unpacked = buffer.get(..written).unwrap_or_default();
            if self.gzip {
                self.crc.update(unpacked);
            }
            next(unpacked)?;
            if status == Status::StreamEnd {
                self.at = if self.gzip { At::Trailer } else { At::End };
                return Ok(Some(input));
            }
            if read == 0 && written == 0 || input.is_empty() && written < buffer.len() {
                // A decoder that consumes none of its input would loop for ever.
                return Ok(input.is_empty().then_some(input));
            }
        }
    }
}

/// Whether deflate data begins with a zlib header (RFC 1950, section 2.2). Bare data does not: its
/// first block would be a stored one with nonzero padding.
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

/// The result of parsing the head of a gzip member.
#[derive(Debug, PartialEq, Eq)]
enum GzipHead {
    Whole(usize),
    Part,
    Other,
}

/// Parses the head of a gzip member (RFC 1952, section 2.3).
fn gzip_head(bytes: &[u8]) -> GzipHead {
    const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
    if bytes.iter().zip(&MAGIC).any(|(byte, magic)| byte != magic) {
        return GzipHead::Other;
    }
    let Some(flags) = bytes.get(3) else { return GzipHead::Part };
    if flags & 0b1110_0000 != 0 {
        return GzipHead::Other;
    }
    match gzip_head_length(bytes, *flags) {
        Some(length) if bytes.len() >= length => GzipHead::Whole(length),
        _ => GzipHead::Part,
    }
}

/// The length of a head with these flags, as far as it is known yet.
fn gzip_head_length(bytes: &[u8], flags: u8) -> Option<usize> {
    let has = |flag: u8| flags & flag != 0;
    let mut length = 10;
    if has(4) {
        let extra = [*bytes.get(length)?, *bytes.get(length + 1)?];
        length += 2 + usize::from(u16::from_le_bytes(extra));
    }
    for text in [8, 16] {
        if has(text) {
            length += memchr::memchr(0, bytes.get(length..)?)? + 1;
        }
    }
    if has(2) {
        length += 2;
    }
    Some(length)
}
