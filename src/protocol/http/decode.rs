//! A compressed body as text, when somebody wants to read it. What comes out is capped like what
//! came in, so that a small body which unpacks to gigabytes costs no more than an honest one.

use std::borrow::Cow;
use std::io::Read;

use super::response::{BODY_CAP, Coding, Response};

/// How much the brotli decoder reads at a time.
const BUFFER: usize = 8 * 1024;

/// The body, decompressed; `None` when it cannot be.
pub fn body(response: &Response) -> Option<Cow<'_, [u8]>> {
    let body = response.body.as_slice();
    match response.coding {
        Coding::Identity => Some(Cow::Borrowed(body)),
        Coding::Gzip => unpack(flate2::read::MultiGzDecoder::new(body)),
        // RFC 9110, section 8.4.1.2: zlib; some servers send it bare.
        Coding::Deflate => unpack(flate2::read::ZlibDecoder::new(body))
            .or_else(|| unpack(flate2::read::DeflateDecoder::new(body))),
        Coding::Brotli => unpack(brotli_decompressor::Decompressor::new(body, BUFFER)),
        Coding::Unknown => None,
    }
}

fn unpack<'a>(decoder: impl Read) -> Option<Cow<'a, [u8]>> {
    let mut text = Vec::new();
    decoder.take(BODY_CAP as u64).read_to_end(&mut text).ok()?;
    Some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn response(coding: Coding, body: Vec<u8>) -> Response {
        let mut response = Response::default();
        response.coding = coding;
        response.body = body;
        response
    }

    #[test]
    fn every_coding_gives_the_text_back() {
        let level = flate2::Compression::default();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
        gzip.write_all(b"hello").expect("gzip");
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), level);
        zlib.write_all(b"hello").expect("zlib");
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), level);
        bare.write_all(b"hello").expect("deflate");
        for response in [
            response(Coding::Identity, b"hello".to_vec()),
            response(Coding::Gzip, gzip.finish().expect("gzip")),
            response(Coding::Deflate, zlib.finish().expect("zlib")),
            response(Coding::Deflate, bare.finish().expect("deflate")),
            // An uncompressed metablock as RFC 7932, section 9.2 has it: window bits 16, "hello".
            response(Coding::Brotli, b"\x0b\x02\x80hello\x03".to_vec()),
        ] {
            assert_eq!(body(&response).as_deref(), Some(&b"hello"[..]), "{:?}", response.coding);
        }
        assert_eq!(body(&response(Coding::Gzip, b"not gzip".to_vec())), None);
    }

    #[test]
    fn a_bomb_unpacks_to_no_more_than_the_cap() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let zeros = vec![0; 1 << 20];
        for _ in 0..64 {
            gzip.write_all(&zeros).expect("gzip");
        }
        let bomb = response(Coding::Gzip, gzip.finish().expect("gzip"));
        assert_eq!(body(&bomb).map(|text| text.len()), Some(BODY_CAP));
    }
}
