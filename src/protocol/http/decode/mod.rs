//! Decodes the content codings of a body (RFC 9110, section 8.4.1) while it arrives: gzip, deflate,
//! brotli and Zstandard, also several in sequence. Only the decoders' windows are kept here, and a
//! small body that unpacks to gigabytes is abandoned early. The [`response`](super::response)
//! decides what to keep as text, and [`charset`](super::charset) decodes it.

mod coding;
mod inflate;

use std::fmt;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use zstd::stream::raw::{DParameter, Decoder, Operation};

pub use self::coding::{Coding, Packed};
use self::coding::{MAX_RATIO, MOST_CODINGS};
use self::inflate::{Inflate, Next, PIECE};

/// The largest window of a Zstandard frame, as a power of two: 8 MiB (RFC 9659, section 3).
const ZSTD_WINDOW: u32 = 23;

/// Decodes one body.
pub struct Unpacker {
    /// The coding that was applied last comes first.
    stages: Vec<Stage>,
    /// Bytes received.
    received: u64,
    broken: Option<Packed>,
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Unpacker")
            .field("received", &self.received)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Unpacker {
    /// A decoder for a body to which these codings were applied in order.
    pub fn new(codings: &[Coding]) -> Self {
        let mut broken = (codings.len() > MOST_CODINGS).then_some(Packed::TooMany);
        let mut stages = Vec::new();
        if broken.is_none() {
            match codings.iter().rev().map(Stage::of).collect() {
                Ok(made) => stages = made,
                Err(unknown) => broken = Some(unknown),
            }
        }
        Self { stages, received: 0, broken }
    }

    /// Decodes a piece of the body into `out`. `kept` bytes of output are always allowed.
    pub fn push(&mut self, piece: &[u8], kept: u64, out: &mut dyn FnMut(&[u8])) {
        self.received += piece.len() as u64;
        if self.broken.is_some() {
            return;
        }
        let most = kept.saturating_add(self.received.saturating_mul(MAX_RATIO));
        if let Err(why) = push(&mut self.stages, piece, most, out) {
            self.give_up(why);
        }
    }

    /// What the decoders may hold of the output, in bytes: their windows, as far as they are filled.
    pub fn window(&self) -> usize {
        let held = self.stages.iter().map(|stage| stage.produced.min(stage.most_window()));
        usize::try_from(held.sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// Stops decoding, and frees what that takes.
    pub fn give_up(&mut self, why: Packed) {
        self.broken.get_or_insert(why);
        self.stages = Vec::new();
    }

    /// Ends the body: returns the number of bytes received, and why it could not be decoded, if so.
    pub fn finish(self) -> (u64, Option<Packed>) {
        let cut = |stages: &[Stage]| {
            stages.iter().find(|stage| !stage.is_whole()).map(|stage| Packed::Cut(stage.name))
        };
        // An empty body is valid in any coding.
        let broken = match self.broken {
            None if self.received > 0 => cut(&self.stages),
            broken => broken,
        };
        (self.received, broken)
    }
}

/// Pushes bytes through the stages in order.
fn push(
    stages: &mut [Stage],
    input: &[u8],
    most: u64,
    out: &mut dyn FnMut(&[u8]),
) -> Result<(), Packed> {
    let Some((first, rest)) = stages.split_first_mut() else {
        out(input);
        return Ok(());
    };
    let Stage { name, decoder, produced } = first;
    let mut next = |unpacked: &[u8]| {
        *produced += unpacked.len() as u64;
        if *produced > most {
            return Err(Packed::Bomb);
        }
        push(rest, unpacked, most, out)
    };
    match decoder {
        AnyDecoder::Inflate(inflate) => inflate.push(name, input, &mut next),
        AnyDecoder::Brotli { state, ended } => {
            brotli(state, ended, input, &mut next)?.ok_or(Packed::Invalid(name))
        }
        AnyDecoder::Zstd { decoder, ended } => {
            zstd_frames(decoder, ended, input, &mut next)?.ok_or(Packed::Invalid(name))
        }
    }
}

/// The decoder of one coding.
struct Stage {
    name: &'static str,
    decoder: AnyDecoder,
    /// Bytes of output.
    produced: u64,
}

enum AnyDecoder {
    Inflate(Box<Inflate>),
    Brotli { state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>, ended: bool },
    Zstd { decoder: Decoder<'static>, ended: bool },
}

impl Stage {
    fn of(coding: &Coding) -> Result<Self, Packed> {
        let name = coding.name();
        let decoder = match coding {
            Coding::Gzip => AnyDecoder::Inflate(Box::new(Inflate::new(true))),
            Coding::Deflate => AnyDecoder::Inflate(Box::new(Inflate::new(false))),
            Coding::Brotli => {
                // Strict: windows up to 16 MiB, as in the content coding.
                let alloc = StandardAlloc::default;
                let state = Box::new(BrotliState::new_strict(alloc(), alloc(), alloc()));
                AnyDecoder::Brotli { state, ended: false }
            }
            Coding::Zstd => {
                let mut decoder = Decoder::new().map_err(|_| Packed::Invalid(name))?;
                decoder
                    .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW))
                    .map_err(|_| Packed::Invalid(name))?;
                AnyDecoder::Zstd { decoder, ended: false }
            }
            Coding::Unknown(unknown) => return Err(Packed::Unknown(unknown.clone())),
        };
        Ok(Self { name, decoder, produced: 0 })
    }

    /// The largest window of its coding, in bytes.
    fn most_window(&self) -> u64 {
        match &self.decoder {
            AnyDecoder::Inflate(_) => 32 << 10,
            AnyDecoder::Brotli { .. } => 16 << 20,
            AnyDecoder::Zstd { .. } => 1 << ZSTD_WINDOW,
        }
    }

    /// Whether the body may end here.
    fn is_whole(&self) -> bool {
        match &self.decoder {
            AnyDecoder::Inflate(inflate) => inflate.is_whole(),
            AnyDecoder::Brotli { ended, .. } | AnyDecoder::Zstd { ended, .. } => *ended,
        }
    }
}

/// One brotli stream; `None` for other data. Nothing may follow it, as in Python and curl.
fn brotli(
    state: &mut BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    ended: &mut bool,
    input: &[u8],
    next: &mut Next<'_>,
) -> Result<Option<()>, Packed> {
    let mut buffer = [0; PIECE];
    let (mut left, mut read, mut total) = (input.len(), 0, 0);
    if *ended {
        return Ok(input.is_empty().then_some(()));
    }
    loop {
        let (mut room, mut written) = (buffer.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            input,
            &mut room,
            &mut written,
            &mut buffer,
            &mut total,
            state,
        );
        next(buffer.get(..written).unwrap_or_default())?;
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::NeedsMoreInput => return Ok(Some(())),
            BrotliResult::ResultSuccess => {
                *ended = true;
                return Ok((left == 0).then_some(()));
            }
            BrotliResult::ResultFailure => return Ok(None),
        }
    }
}

/// Consecutive Zstandard frames; `None` for other data.
fn zstd_frames(
    decoder: &mut Decoder<'static>,
    ended: &mut bool,
    mut input: &[u8],
    next: &mut Next<'_>,
) -> Result<Option<()>, Packed> {
    let mut buffer = [0; PIECE];
    loop {
        let Ok(status) = decoder.run_on_buffers(input, &mut buffer) else { return Ok(None) };
        input = input.get(status.bytes_read..).unwrap_or_default();
        if status.bytes_read > 0 || status.bytes_written > 0 {
            *ended = status.remaining == 0;
        }
        next(buffer.get(..status.bytes_written).unwrap_or_default())?;
        if input.is_empty() && status.bytes_written < buffer.len() {
            return Ok(Some(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("gzip");
        encoder.finish().expect("gzip")
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("zlib");
        encoder.finish().expect("zlib")
    }

    fn bare(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("deflate");
        encoder.finish().expect("deflate")
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(text, 1).expect("zstd")
    }

    /// "hello" in an uncompressed metablock, as in RFC 7932, section 9.2: window bits 16.
    const BROTLI: &[u8] = b"\x0b\x02\x80hello\x03";

    /// Decodes a body in pieces of this size.
    fn unpack(coding: &str, body: &[u8], size: usize) -> Result<Vec<u8>, String> {
        let mut unpacker = Unpacker::new(&Coding::list(coding.as_bytes()).collect::<Vec<_>>());
        let mut text = Vec::new();
        for piece in body.chunks(size) {
            unpacker.push(piece, 1 << 20, &mut |unpacked| text.extend_from_slice(unpacked));
        }
        let (received, broken) = unpacker.finish();
        assert_eq!(received, body.len() as u64);
        broken.map_or(Ok(text), |why| Err(why.to_string()))
    }

    fn check(coding: &str, body: &[u8], want: Result<&str, &str>) {
        for size in [1, 2, 3, 7, body.len().max(1)] {
            let got = unpack(coding, body, size);
            let got = got.as_deref().map(String::from_utf8_lossy);
            let got = got.as_deref().map_err(|why| why.as_str());
            assert_eq!(got, want, "{coding} in pieces of {size}: {}", body.escape_ascii());
        }
    }

    #[test]
    fn every_coding_is_decoded() {
        let hello = gzip(b"hello");
        for (coding, body) in [
            ("gzip", &hello),
            (" X-GZIP ,", &hello),
            ("identity, gzip", &hello),
            ("deflate", &zlib(b"hello")),
            ("Deflate", &bare(b"hello")),
            ("br", &BROTLI.to_vec()),
            ("zstd", &zstd(b"hello")),
            ("gzip, zstd", &zstd(&hello)),
            ("deflate,gzip,gzip", &gzip(&gzip(&bare(b"hello")))),
            ("", &b"hello".to_vec()),
            ("None", &b"hello".to_vec()),
            ("UTF-8", &b"hello".to_vec()),
            ("utf8, gzip", &hello),
        ] {
            check(coding, body, Ok("hello"));
        }
        for coding in ["gzip", "deflate", "br", "zstd", "gzip, br"] {
            check(coding, b"", Ok(""));
        }
    }

    #[test]
    fn several_members_are_decoded_and_padding_is_ignored() {
        let two = [gzip(b"hel"), gzip(b""), gzip(b"lo")].concat();
        check("gzip", &two, Ok("hello"));
        check("zstd", &[zstd(b"hel"), zstd(b"lo")].concat(), Ok("hello"));
        for padding in [&[0; 8][..], b"\n", b"garbage that is long enough"] {
            check("gzip", &[&two, padding].concat(), Ok("hello"));
            check("deflate", &[&zlib(b"hello"), padding].concat(), Ok("hello"));
            check("deflate", &[&bare(b"hello"), padding].concat(), Ok("hello"));
            // As in the reference: nothing may follow these.
            check("br", &[BROTLI, padding].concat(), Err("it is not valid br"));
            check("zstd", &[&zstd(b"hello"), &[1; 8][..]].concat(), Err("it is not valid zstd"));
        }
    }

    #[test]
    fn a_gzip_head_may_have_all_optional_fields() {
        let plain = gzip(b"hello");
        let fields = [&plain[..3], &[0x1e], &plain[4..10], b"\x03\0abcname\0comment\0\x01\x02"];
        check("gzip", &[&fields.concat(), &plain[10..]].concat(), Ok("hello"));
    }

    #[test]
    fn a_body_truncated_anywhere_is_refused() {
        for (coding, body) in [
            ("gzip", [gzip(b"hello"), gzip(b"hello")].concat()),
            ("deflate", zlib(b"hello")),
            ("deflate", bare(b"hello")),
            ("br", BROTLI.to_vec()),
            ("zstd", zstd(b"hello")),
        ] {
            let why = format!("its {coding} data is cut short");
            let first = gzip(b"hello").len();
            for length in (1..body.len()).filter(|length| coding != "gzip" || *length != first) {
                check(coding, &body[..length], Err(&why));
            }
        }
        check("gzip, zstd", &zstd(&gzip(b"hello")[..20]), Err("its gzip data is cut short"));
    }

    #[test]
    fn data_that_is_invalid_in_its_coding_is_refused() {
        let mut wrong = gzip(b"hello");
        let at = wrong.len() - 6;
        wrong[at] ^= 1;
        check("gzip", &wrong, Err("it is not valid gzip"));
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let why = format!("it is not valid {coding}");
            check(coding, b"\xff\xff\xff\xff plain text", Err(&why));
        }
        check("rot13", b"gur", Err("its coding \"rot13\" is not supported"));
        check("gzip, a\x01b", b"x", Err("its coding \"a\\x01b\" is not supported"));
        check("br,br,br,br,br,br", b"x", Err("it has more than 5 codings"));
    }

    #[test]
    fn a_decompression_bomb_is_abandoned_early() {
        let zeros = vec![0; 64 << 20];
        // A file of zeros is honest: deflate cannot do better.
        let honest = unpack("gzip", &gzip(&zeros), 65_536).expect("zeros");
        assert_eq!(honest.len(), zeros.len());
        let mut out = 0;
        for (codings, bomb) in [
            ("zstd", zstd(&zeros)),
            ("gzip, gzip", gzip(&gzip(&zeros))),
            // Intermediate output counts as well.
            ("gzip, zstd", zstd(&gzip(b"").repeat(1 << 20))),
        ] {
            let codings: Vec<Coding> = Coding::list(codings.as_bytes()).collect();
            let mut unpacker = Unpacker::new(&codings);
            unpacker.push(&bomb, 1 << 20, &mut |unpacked| out += unpacked.len());
            assert_eq!(unpacker.finish().1, Some(Packed::Bomb));
        }
        assert!(out < 32 << 20, "{out}");
    }

    proptest! {
        #[test]
        fn data_that_is_encoded_and_split_is_decoded_unchanged(
            text in proptest::collection::vec(any::<u8>(), 0..2000),
            repeated in 1..40usize,
            size in 1..3000usize,
            which in proptest::collection::vec(0..4usize, 0..=5),
        ) {
            let text = text.repeat(repeated);
            let (mut codings, mut body) = (Vec::new(), text.clone());
            for coding in which {
                body = [gzip, zlib, bare, zstd][coding](&body);
                codings.push(["gzip", "deflate", "deflate", "zstd"][coding]);
            }
            prop_assert_eq!(unpack(&codings.join(", "), &body, size), Ok(text));
        }

        #[test]
        fn hostile_bytes_have_the_same_outcome_in_any_pieces(
            body in proptest::collection::vec(any::<u8>(), 0..300),
            coding in "(gzip|deflate|br|zstd|deflate, gzip)",
            size in 1..40usize,
        ) {
            let magic: &[u8] = if coding.ends_with("gzip") { b"\x1f\x8b\x08\0" } else { b"" };
            let body = [magic, &body].concat();
            let whole = unpack(&coding, &body, body.len().max(1));
            prop_assert_eq!(unpack(&coding, &body, size).is_ok(), whole.is_ok());
        }
    }
}
