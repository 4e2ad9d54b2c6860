//! Packed bodies: a hostile one is unpacked to no more than it may or not at all, and the same in
//! whatever pieces; an honest one is unpacked to what was packed, through as many codings as it has.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use ldctl::protocol::http::charset::{json, text};
use ldctl::protocol::http::decode::{Coding, Unpacker};

use super::support::{Pieces, one_line, options};

/// Values of `Content-Encoding`.
const CODINGS: [&[u8]; 8] =
    [b"gzip", b"deflate", b"br", b"identity", b" X-GZIP ", b"zstd", b"gzip, br", b"rot13"];

/// Values of `Content-Type`.
const TYPES: [&[u8]; 6] = [
    b"text/html",
    b"application/json",
    b"text/plain; charset=\"Shift_JIS\"",
    b"text/plain;charset=utf-16",
    b"text/plain;charset=utf-32",
    b"text/plain;charset=nothing",
];

/// How many bytes may come out of any body.
const KEPT: u64 = 1 << 16;

/// The first byte chooses the codings, and whether the rest is packed already or is to be packed; the
/// second and third are sizes of pieces.
pub fn check(data: &[u8]) {
    let ([choice, sizes @ ..], bytes) = options::<3>(data);
    if choice & 0x80 == 0 {
        let codings: Vec<Coding> =
            Coding::list(CODINGS[usize::from(choice) % CODINGS.len()]).collect();
        let whole = unpack(&codings, Pieces::whole(bytes));
        let pieces = unpack(&codings, Pieces::new(bytes, sizes));
        assert_eq!(whole.is_ok(), pieces.is_ok(), "in pieces of {sizes:?}");
        match whole {
            Err(why) => one_line(&why),
            Ok(unpacked) => {
                assert_eq!(Ok(&unpacked), pieces.as_ref());
                assert!(!codings.is_empty() || unpacked == bytes);
            }
        }
        for read in [text, json] {
            let decoded = read(bytes, Some(TYPES[usize::from(choice) % TYPES.len()]));
            // Text, or refused for its charset.
            assert!(decoded.map_or(true, |text| std::str::from_utf8(&text).is_ok()));
        }
        return;
    }
    let (mut codings, mut body) = (Vec::new(), bytes.to_vec());
    for _ in 0..=choice % 3 {
        let (coding, packed) = packed(choice / 3 % 3, &body);
        codings.push(coding);
        body = packed;
    }
    assert_eq!(unpack(&codings, Pieces::new(&body, sizes)).as_deref(), Ok(bytes));
}

fn unpack(codings: &[Coding], pieces: Pieces<'_>) -> Result<Vec<u8>, String> {
    let mut unpacker = Unpacker::new(codings);
    let (mut unpacked, mut received) = (Vec::new(), 0);
    for piece in pieces {
        unpacker.push(piece, KEPT, &mut |piece| unpacked.extend_from_slice(piece));
        received += piece.len() as u64;
        assert!(codings.is_empty() || unpacked.len() as u64 <= KEPT + 1100 * received);
    }
    match unpacker.finish() {
        (all, _) if all != received => panic!("{all} of {received} bytes"),
        (_, None) => Ok(unpacked),
        (_, Some(why)) => Err(why.to_string()),
    }
}

fn packed(choice: u8, bytes: &[u8]) -> (Coding, Vec<u8>) {
    let level = Compression::fast();
    match choice {
        0 => {
            let mut gzip = GzEncoder::new(Vec::new(), level);
            gzip.write_all(bytes).expect("written to memory");
            (Coding::Gzip, gzip.finish().expect("written to memory"))
        }
        1 => {
            let mut zlib = ZlibEncoder::new(Vec::new(), level);
            zlib.write_all(bytes).expect("written to memory");
            (Coding::Deflate, zlib.finish().expect("written to memory"))
        }
        _ => {
            let mut bare = DeflateEncoder::new(Vec::new(), level);
            bare.write_all(bytes).expect("written to memory");
            (Coding::Deflate, bare.finish().expect("written to memory"))
        }
    }
}
