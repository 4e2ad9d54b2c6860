//! A hostile target's messages of gRPC: the same in pieces of any size, none longer than the limit, and
//! what is kept is what was counted.

use ldctl::protocol::grpc::messages::{Malformed, Messages, Packing};

use super::support::{one_line, options};

/// The first byte is the limit, the second the compression, the third the size of the pieces.
pub fn check(data: &[u8]) {
    let ([limit, packing, size], bytes) = options::<3>(data);
    let limit = usize::from(limit) * 4;
    let packing = Packing::named(["", "gzip", "deflate", "snappy"][usize::from(packing & 3)]);
    let whole = read(limit, &packing, bytes, bytes.len().max(1));
    assert_eq!(read(limit, &packing, bytes, usize::from(size).max(1)), whole);
    if let Err(malformed) = whole {
        one_line(&malformed.to_string());
    }
}

/// The messages, as far as they are kept, and their number and size.
type Read = (Option<Vec<Vec<u8>>>, u64, u64);

fn read(limit: usize, packing: &Packing, bytes: &[u8], size: usize) -> Result<Read, Malformed> {
    let mut messages = Messages::new(limit);
    messages.restart(packing.clone(), true);
    for piece in bytes.chunks(size) {
        messages.feed(piece)?;
    }
    messages.end()?;
    assert!(messages.bytes() <= messages.count() * limit as u64);
    let kept: Option<Vec<Vec<u8>>> = messages.kept().map(|kept| kept.map(<[u8]>::to_vec).collect());
    if let Some(kept) = &kept {
        assert_eq!(kept.len() as u64, messages.count());
        assert_eq!(kept.iter().map(Vec::len).sum::<usize>() as u64, messages.bytes());
        assert!(kept.iter().all(|message| message.len() <= limit));
    }
    Ok((kept, messages.count(), messages.bytes()))
}
