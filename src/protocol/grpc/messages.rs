//! The messages of a response as they arrive, in pieces of any size: each behind a prefix with its length,
//! perhaps compressed. A length is compared with the limit before anything is kept for it, and nothing
//! is kept beyond the compressed message in progress, unless checks need the messages.

use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};

use crate::memory::{Full, Held};
use crate::net::grpc::{PREFIX, prefix};

/// The compressions that responses may use.
pub(super) const ACCEPTED: &str = "identity,deflate,gzip";

/// As much of the name of a compression as is told, in characters.
const MOST_NAME: usize = 40;

/// The least room for messages that are kept, in bytes.
const LEAST: usize = 512;

/// How the messages of a response are compressed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    #[default]
    None,
    /// In the format of gzip.
    Gzip,
    /// In the format of zlib, which gRPC calls deflate.
    Deflate,
    /// In another way.
    Unknown(String),
}

impl Packing {
    /// The compression that a response names.
    pub fn named(name: &str) -> Self {
        match name {
            "" | "identity" => Self::None,
            "gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            other => Self::Unknown(other.chars().take(MOST_NAME).collect()),
        }
    }
}

/// Why bytes are no messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The prefix of a message is none.
    #[error("what should be a message begins with {0:#04x} instead of 0 or 1")]
    Flag(u8),
    /// The message is over the limit.
    #[error("a message is longer than --max-body-bytes {0} allows")]
    Long(usize),
    /// A compressed message of a response that names no compression.
    #[error("a message is compressed, but the response does not say how (grpc-encoding)")]
    Unnamed,
    /// A compression that is not supported.
    #[error("a message is compressed by {0:?}; ldctl unpacks gzip and deflate")]
    Unsupported(String),
    /// A compressed message cannot be unpacked.
    #[error("a message cannot be unpacked")]
    Packed,
    /// The response ends before its message does.
    #[error("the response ends inside a message")]
    Truncated,
    /// A message does not fit into memory.
    #[error("{0}")]
    Full(#[from] Full),
}

/// The messages of a response.
#[derive(Debug, Default)]
pub struct Messages {
    /// The longest message, and the most that is kept of all, in bytes.
    limit: usize,
    packing: Packing,
    keeps: bool,
    /// Whether more came than is kept.
    over: bool,
    count: u64,
    bytes: u64,
    prefix: [u8; PREFIX],
    /// How much of the prefix has come.
    begun: usize,
    /// How much of the message is to come.
    left: usize,
    /// The compressed message in progress.
    packed: Vec<u8>,
    /// The messages that are kept, uncompressed, each behind its prefix.
    kept: Vec<u8>,
    held: Held,
}

impl Messages {
    /// For messages that are at most so long.
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Counts what it holds.
    pub(super) fn holding(self, held: Held) -> Self {
        Self { held, ..self }
    }

    /// Begins another response; `keeps` says whether its messages are kept.
    pub fn restart(&mut self, packing: Packing, keeps: bool) {
        self.settle();
        (self.packing, self.keeps) = (packing, keeps);
    }

    /// Forgets the response, and gives large buffers back.
    pub(super) fn settle(&mut self) {
        (self.over, self.count, self.bytes) = (false, 0, 0);
        (self.begun, self.left) = (0, 0);
        self.packed = Vec::new();
        self.kept.clear();
        self.held.settle(&mut self.kept);
    }

    /// How many messages have come.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their size uncompressed, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The messages that were kept; nothing if it were too many bytes.
    pub fn kept(&self) -> Option<impl Iterator<Item = &[u8]>> {
        (!self.over).then(|| split(&self.kept))
    }

    /// Takes bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            if self.begun < PREFIX {
                let missing = (PREFIX - self.begun).min(bytes.len());
                let (piece, rest) = bytes.split_at(missing);
                let room = self.prefix.iter_mut().skip(self.begun);
                room.zip(piece).for_each(|(to, from)| *to = *from);
                self.begun += missing;
                bytes = rest;
                if self.begun == PREFIX {
                    self.begin()?;
                }
                continue;
            }
            let (piece, rest) = bytes.split_at(self.left.min(bytes.len()));
            self.left -= piece.len();
            bytes = rest;
            if self.is_packed() {
                self.held.set(self.kept.capacity() + 2 * (self.packed.len() + piece.len()))?;
                self.packed.extend_from_slice(piece);
            } else {
                self.keep(piece)?;
            }
            if self.left == 0 {
                self.finish()?;
            }
        }
        Ok(())
    }

    /// The response has ended.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.begun == 0 { Ok(()) } else { Err(Malformed::Truncated) }
    }

    /// Whether the message in progress is compressed.
    fn is_packed(&self) -> bool {
        let [flag, ..] = self.prefix;
        flag == 1
    }

    /// The prefix of a message is complete.
    fn begin(&mut self) -> Result<(), Malformed> {
        let [flag, length @ ..] = self.prefix;
        match (flag, &self.packing) {
            (0, _) | (1, Packing::Gzip | Packing::Deflate) => {}
            (1, Packing::None) => return Err(Malformed::Unnamed),
            (1, Packing::Unknown(name)) => return Err(Malformed::Unsupported(name.clone())),
            (flag, _) => return Err(Malformed::Flag(flag)),
        }
        let length = u32::from_be_bytes(length);
        let length = usize::try_from(length).ok().filter(|length| *length <= self.limit);
        self.left = length.ok_or(Malformed::Long(self.limit))?;
        if flag == 0 {
            self.make_room(self.left);
            self.keep(&prefix(self.left))?;
        }
        if self.left == 0 { self.finish() } else { Ok(()) }
    }

    /// A message is complete.
    fn finish(&mut self) -> Result<(), Malformed> {
        let [_, length @ ..] = self.prefix;
        let mut size = u64::from(u32::from_be_bytes(length));
        if self.is_packed() {
            let packed = std::mem::take(&mut self.packed);
            let message = self.unpack(&packed)?;
            size = message.len() as u64;
            self.make_room(message.len());
            self.keep(&prefix(message.len()))?;
            self.keep(&message)?;
        }
        self.begun = 0;
        self.count += 1;
        self.bytes += size;
        Ok(())
    }

    fn unpack(&self, packed: &[u8]) -> Result<Vec<u8>, Malformed> {
        let most = self.limit as u64 + 1;
        let mut message = Vec::new();
        let unpacked = match self.packing {
            Packing::Gzip => GzDecoder::new(packed).take(most).read_to_end(&mut message),
            _ => ZlibDecoder::new(packed).take(most).read_to_end(&mut message),
        };
        match unpacked {
            Err(_) => Err(Malformed::Packed),
            Ok(length) if length > self.limit => Err(Malformed::Long(self.limit)),
            Ok(_) => Ok(message),
        }
    }

    /// Drops what is kept if a message of this length is too much.
    fn make_room(&mut self, length: usize) {
        if self.keeps && !self.over && self.kept.len().saturating_add(length) > self.limit {
            self.over = true;
            self.kept = Vec::new();
            let _ = self.held.set(2 * self.packed.len());
        }
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), Malformed> {
        if !self.keeps || self.over {
            return Ok(());
        }
        let needed = self.kept.len() + piece.len();
        if needed > self.kept.capacity() {
            // Room for what has come, not for what the prefix promises.
            let capacity = needed.next_power_of_two().max(LEAST);
            self.held.set(capacity + 2 * self.packed.len())?;
            self.kept.reserve_exact(capacity - self.kept.len());
        }
        self.kept.extend_from_slice(piece);
        Ok(())
    }
}

/// The messages of whole bytes, each behind its prefix.
pub(super) fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (prefix, rest) = bytes.split_first_chunk::<PREFIX>()?;
        let [_, length @ ..] = *prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        let (message, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(message)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;
    use crate::memory::Memory;
    use crate::net::grpc::prefixed;

    /// The messages of a stream that comes in pieces of this size.
    fn messages(
        packing: &Packing,
        stream: &[u8],
        size: usize,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut messages = Messages::new(limit);
        messages.restart(packing.clone(), true);
        for piece in stream.chunks(size) {
            messages.feed(piece)?;
        }
        messages.end()?;
        let kept: Vec<Vec<u8>> = messages.kept().expect("kept").map(<[u8]>::to_vec).collect();
        assert_eq!(messages.count(), kept.len() as u64);
        assert_eq!(messages.bytes(), kept.iter().map(Vec::len).sum::<usize>() as u64);
        Ok(kept)
    }

    fn packed(packing: &Packing, message: &[u8]) -> Vec<u8> {
        let level = Compression::default();
        let bytes = match packing {
            Packing::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), level);
                encoder.write_all(message).and_then(|()| encoder.finish())
            }
            _ => {
                let mut encoder = ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(message).and_then(|()| encoder.finish())
            }
        };
        let mut prefixed = prefixed(&bytes.expect("packed")).to_vec();
        prefixed[0] = 1;
        prefixed
    }

    #[test]
    fn messages_are_found_in_pieces_of_any_size() {
        for packing in [Packing::None, Packing::Gzip, Packing::Deflate] {
            let mut stream = [prefixed(b"one"), prefixed(b""), prefixed(b"three")].concat();
            let mut expected = vec![b"one".to_vec(), Vec::new(), b"three".to_vec()];
            if packing != Packing::None {
                stream.extend(packed(&packing, b"four"));
                stream.extend(packed(&packing, b""));
                expected.extend([b"four".to_vec(), Vec::new()]);
            }
            for size in 1..=stream.len() {
                assert_eq!(messages(&packing, &stream, size, 100), Ok(expected.clone()), "{size}");
            }
            for cut in 1..stream.len() {
                let cut = messages(&packing, &stream[..cut], 3, 100);
                assert!(matches!(cut, Ok(_) | Err(Malformed::Truncated)), "{cut:?}");
            }
        }
    }

    #[test]
    fn what_is_no_message_is_refused_before_it_is_whole() {
        let unknown = Packing::named("snappy");
        for (packing, stream, why) in [
            (&Packing::None, b"HTTP/".to_vec(), Malformed::Flag(b'H')),
            (&Packing::None, b"\0\0\0\0\x65".to_vec(), Malformed::Long(100)),
            (&Packing::None, b"\0\xff\xff\xff\xff".to_vec(), Malformed::Long(100)),
            (&Packing::None, b"\x01\0\0\0\x01".to_vec(), Malformed::Unnamed),
            (&unknown, b"\x01\0\0\0\x01".to_vec(), Malformed::Unsupported("snappy".to_owned())),
            (&Packing::Gzip, b"\x01\0\0\0\x02xx".to_vec(), Malformed::Packed),
            (&Packing::Gzip, packed(&Packing::Gzip, &[0; 101]), Malformed::Long(100)),
            (&Packing::Deflate, packed(&Packing::Deflate, &[0; 5000]), Malformed::Long(100)),
        ] {
            assert_eq!(messages(packing, &stream, 7, 100), Err(why), "{stream:?}");
        }
    }

    #[test]
    fn messages_beyond_the_limit_are_counted_but_not_kept() {
        let memory = Memory::new(1 << 20);
        let mut messages = Messages::new(10_000).holding(memory.held("messages"));
        messages.restart(Packing::None, true);
        for _ in 0..3 {
            messages.feed(&prefixed(&[7; 6000])).expect("short");
        }
        assert_eq!((messages.count(), messages.bytes()), (3, 18_000));
        assert!(messages.kept().is_none() && memory.taken() == 0);
        messages.restart(Packing::None, false);
        messages.feed(&prefixed(&[7; 6000])).expect("short");
        assert_eq!((messages.count(), messages.kept().expect("kept").count()), (1, 0));
    }

    #[test]
    fn a_message_takes_memory_as_it_comes_and_not_as_it_is_announced() {
        let memory = Memory::new(64 << 10);
        let mut messages = Messages::new(10 << 20).holding(memory.held("messages"));
        messages.restart(Packing::None, true);
        messages.feed(&prefix(9 << 20)).expect("room");
        messages.feed(&[0; 20 << 10]).expect("room");
        assert!(memory.taken() <= 40 << 10, "{}", memory.taken());
        assert!(matches!(messages.feed(&[0; 60 << 10]), Err(Malformed::Full(_))));
        messages.settle();
        assert_eq!(memory.taken(), 0);
    }
}
