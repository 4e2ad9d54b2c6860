//! What packets are made of (MQTT 3.1.1 and 5, sections 1.5 and 2): the fixed header, integers,
//! texts and bytes, read from bytes that need not be a packet, and written.

/// The longest text or byte string: its length is a two-byte integer.
pub const MAX_STRING: usize = 65_535;

/// The longest packet after its fixed header (section 2.1.4: four bytes of seven bits).
const MAX_LENGTH: usize = 268_435_455;

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1, whose protocol level is 4.
    V3,
    /// MQTT 5.
    V5,
}

impl Version {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::V3 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5",
        }
    }
}

/// Why bytes are no packet of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They are none.
    #[error("invalid packet: {0}")]
    Invalid(&'static str),
    /// The message is over the limit.
    #[error("a message is longer than --max-body-bytes {0} allows")]
    Long(usize),
}

/// What does not fit into a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is too long for MQTT")]
pub struct TooLong(pub &'static str);

/// Reads the fixed header: its first byte, its own length, and that of what follows; `None` if it is
/// incomplete.
pub(super) fn header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Malformed> {
    let Some((&first, after)) = bytes.split_first() else { return Ok(None) };
    let (mut length, mut own) = (0, 1);
    for (byte, shift) in after.iter().zip([0, 7, 14, 21]) {
        length |= usize::from(byte & 0x7f) << shift;
        own += 1;
        if byte & 0x80 == 0 {
            return Ok(Some((first, own, length)));
        }
    }
    match own {
        5 => Err(Malformed::Invalid("its length has no end")),
        _ => Ok(None),
    }
}

/// The rest of a packet that is read.
#[derive(Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    const SHORT: Malformed = Malformed::Invalid("it ends too early");

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Self::SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let (&byte, rest) = self.0.split_first().ok_or(Self::SHORT)?;
        self.0 = rest;
        Ok(byte)
    }

    /// A two-byte integer (section 1.5.2).
    pub(super) fn short(&mut self) -> Result<u16, Malformed> {
        let (&bytes, rest) = self.0.split_first_chunk().ok_or(Self::SHORT)?;
        self.0 = rest;
        Ok(u16::from_be_bytes(bytes))
    }

    /// A packet identifier (section 2.2.1), which is never 0.
    pub(super) fn id(&mut self) -> Result<u16, Malformed> {
        match self.short()? {
            0 => Err(Malformed::Invalid("its identifier is 0")),
            id => Ok(id),
        }
    }

    /// Bytes with their length before them (section 1.5.6).
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.short()?;
        self.take(usize::from(length))
    }

    /// A text (section 1.5.4).
    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let text = std::str::from_utf8(self.bytes()?).ok().filter(|text| !text.contains('\0'));
        text.ok_or(Malformed::Invalid("a text that is not UTF-8"))
    }

    /// What a variable byte integer (section 1.5.5) says the length of.
    pub(super) fn counted(&mut self) -> Result<Self, Malformed> {
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(Self(self.take(length)?));
            }
        }
        Err(Malformed::Invalid("a length has no end"))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Malformed> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(Malformed::Invalid("bytes follow its end")),
        }
    }
}

/// The length of a variable byte integer (section 1.5.5).
pub(super) fn length_of(length: usize, what: &'static str) -> Result<usize, TooLong> {
    match length {
        0..=0x7f => Ok(1),
        0x80..=0x3fff => Ok(2),
        0x4000..=0x1f_ffff => Ok(3),
        0x20_0000..=MAX_LENGTH => Ok(4),
        _ => Err(TooLong(what)),
    }
}

/// Writes a variable byte integer.
pub(super) fn write_length(
    mut length: usize,
    what: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    length_of(length, what)?;
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            out.push(low);
            return Ok(());
        }
        out.push(low | 0x80);
    }
}

/// Writes bytes with their length before them.
pub(super) fn write_bytes(
    bytes: &[u8],
    what: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let length = u16::try_from(bytes.len()).map_err(|_| TooLong(what))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Writes a packet of this body.
pub(super) fn write_packet(first: u8, body: &[u8], out: &mut Vec<u8>) -> Result<(), TooLong> {
    out.push(first);
    write_length(body.len(), "a packet", out)?;
    out.extend_from_slice(body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_up_to_four_bytes_of_seven_bits() {
        for (length, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 1]),
            (2_097_152, &[0x80, 0x80, 0x80, 1]),
            (MAX_LENGTH, &[0xff, 0xff, 0xff, 0x7f]),
        ] {
            let mut out = vec![0x30];
            write_length(length, "x", &mut out).expect("it fits");
            assert_eq!(&out[1..], bytes);
            assert_eq!(length_of(length, "x"), Ok(bytes.len()));
            assert_eq!(header(&out), Ok(Some((0x30, out.len(), length))));
            for cut in 0..out.len() {
                assert_eq!(header(&out[..cut]), Ok(None), "{length} until {cut}");
            }
        }
        assert_eq!(write_length(MAX_LENGTH + 1, "x", &mut Vec::new()), Err(TooLong("x")));
        let endless = header(&[0x30, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(endless, Err(Malformed::Invalid("its length has no end")));
    }
}
