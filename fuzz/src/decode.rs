//! Compressed bodies: a hostile one is unpacked to no more than the cap or not at all, and an honest
//! one is unpacked to what was packed.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use ldctl::protocol::http::decode::body;
use ldctl::protocol::http::response::{BODY_CAP, Coding, Response};

use super::support::options;

/// The codings of a `Content-Encoding`.
const CODINGS: [&[u8]; 6] = [b"gzip", b"deflate", b"br", b"identity", b" X-GZIP ", b"zstd"];

/// The first byte chooses the coding, and whether the rest is packed already or is to be packed.
pub fn check(data: &[u8]) {
    let ([choice], bytes) = options::<1>(data);
    let mut response = Response::default();
    if choice & 0x80 == 0 {
        response.coding = Coding::of(CODINGS[usize::from(choice) % CODINGS.len()]);
        response.body = bytes.to_vec();
        let unpacked = body(&response);
        assert!(unpacked.as_ref().is_none_or(|text| text.len() <= BODY_CAP));
        match response.coding {
            Coding::Identity => assert_eq!(unpacked.as_deref(), Some(bytes)),
            Coding::Unknown => assert_eq!(unpacked, None),
            _ => {}
        }
        return;
    }
    (response.coding, response.body) = packed(choice % 3, bytes);
    assert_eq!(body(&response).as_deref(), Some(bytes));
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
