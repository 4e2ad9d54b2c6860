//! A hostile target's bytes: an HTTP/1.1 answer reads the same however it is cut, whatever of it is
//! captured, keeps no more than its caps, and a body that was sent is the body that is read.

use ldctl::protocol::http::Fault;
use ldctl::protocol::http::response::Response;
use ldctl::protocol::{Capture, MAX_BODY_BYTES};

use super::support::{Pieces, one_line, options};

/// The longest head and the longest line between chunks that fit in an input that is tried; past
/// them the response may depend on how it was cut.
const MOST: usize = 8 * 1024;

/// The first byte chooses what is captured, whether the request was a HEAD, and whether the rest is an
/// answer or a body to be sent in chunks; the second and third are sizes of pieces.
pub fn check(data: &[u8]) {
    let ([choice, sizes @ ..], bytes) = options::<3>(data);
    let bytes = &bytes[..bytes.len().min(MOST)];
    if choice & 8 != 0 {
        chunked(bytes, sizes);
        return;
    }
    let capture = Capture { head: choice & 1 != 0, body: choice & 2 != 0 };
    let head_only = choice & 4 != 0;
    let (whole, ended) = read(Pieces::whole(bytes), capture, head_only);
    let (pieces, ended_too) = read(Pieces::new(bytes, sizes), capture, head_only);
    assert_eq!(ended, ended_too, "in pieces of {sizes:?}");
    assert!(same(&whole, &pieces), "{whole:?}\n{pieces:?}");
    let (unwanted, ended_so) = read(Pieces::whole(bytes), Capture::default(), head_only);
    assert_eq!((unwanted.status, unwanted.bytes), (whole.status, whole.bytes));
    assert_eq!(unwanted.broken, whole.broken);
    assert_eq!(ended, ended_so, "what is capture changes how it ends");
    assert!(unwanted.body.is_empty() && unwanted.headers.is_empty());

    // A packed body may become larger, within bounds.
    let most = MAX_BODY_BYTES as u64 + 1100 * bytes.len() as u64;
    assert!(whole.body.len() <= MAX_BODY_BYTES && whole.bytes <= most);
    let limit = whole.bytes.min(MAX_BODY_BYTES as u64);
    assert!(!capture.body || whole.broken.is_some() || whole.body.len() as u64 == limit);
    let texts = whole.headers.iter().flat_map(|(name, value)| [name, value]);
    let texts = texts.chain(&whole.location).map(String::len);
    let lengths = texts.chain(whole.cookies.iter().map(Vec::len));
    // A byte that is not UTF-8 becomes one of three, and cookies and locations are kept twice.
    assert!(lengths.sum::<usize>() <= 6 * bytes.len());
    match &ended {
        Ok(()) => assert!((100..1000).contains(&whole.status), "status {}", whole.status),
        Err(fault) => one_line(&fault.to_string()),
    }
    // The next response over the same buffers owes nothing to this one.
    let mut again = whole;
    again.clear();
    assert!(same(&again, &Response::default()));
}

fn read(pieces: Pieces<'_>, capture: Capture, head_only: bool) -> (Response, Result<(), Fault>) {
    let mut response = Response::default();
    let mut complete = false;
    for piece in pieces {
        match response.feed(piece, capture, head_only) {
            Ok(done) => {
                assert!(done || !complete, "a response that was complete is not any more");
                complete = done;
            }
            Err(fault) => return (response, Err(fault)),
        }
    }
    let ended = if complete { Ok(()) } else { response.end() };
    (response, ended)
}

fn same(left: &Response, right: &Response) -> bool {
    (left.status, left.bytes, &left.body, &left.headers, &left.broken)
        == (right.status, right.bytes, &right.body, &right.headers, &right.broken)
        && (&left.location, &left.cookies, left.keep_alive)
            == (&right.location, &right.cookies, right.keep_alive)
}

/// A body in chunks of these sizes is read as it was, and the connection can be used again.
fn chunked(body: &[u8], sizes: [u8; 2]) {
    let mut sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in Pieces::new(body, sizes) {
        sent.extend_from_slice(format!("{:x};name=\"value\"\r\n", chunk.len()).as_bytes());
        sent.extend_from_slice(chunk);
        sent.extend_from_slice(b"\r\n");
    }
    sent.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
    let capture = Capture { head: false, body: true };
    let [first, second] = sizes;
    let (response, ended) = read(Pieces::new(&sent, [second, first]), capture, false);
    assert_eq!(ended, Ok(()));
    assert!(response.keep_alive && response.body == body && response.bytes == body.len() as u64);
}
