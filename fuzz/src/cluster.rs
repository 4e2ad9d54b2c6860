//! What the peers of a cluster send: messages of workers and masters that are read are written and read
//! back as the same, and a stream gives the same messages however its bytes are cut.

use ldctl::cluster::message::{from_master, from_worker, read_master, read_worker};
use ldctl::cluster::zmtp::{LinkError, Socket, open};

use super::support::{Pieces, now, options};

/// The first byte chooses a worker's message, a master's, or a stream, whose pieces have the size of the
/// second byte.
pub fn check(data: &[u8]) {
    let ([choice], bytes) = options::<1>(data);
    match choice % 3 {
        0 => {
            if let Ok(read) = read_worker(bytes) {
                let written = from_worker(read.message.clone(), &read.node).expect("written");
                assert_eq!(read_worker(&written).expect("read back"), read);
            }
        }
        1 => {
            if let Ok(read) = read_master(bytes) {
                let written = from_master(read.message.clone(), &read.node).expect("written");
                assert_eq!(read_master(&written).expect("read back"), read);
            }
        }
        _ => {
            let ([size], bytes) = options::<1>(bytes);
            let whole = received(Pieces::whole(bytes));
            assert_eq!(received(Pieces::new(bytes, [size, size / 2])), whole);
        }
    }
}

/// The identity and messages of a peer, and why they end.
fn received(stream: Pieces<'_>) -> (Vec<u8>, Vec<Vec<u8>>, String) {
    now(async {
        let mut link = match open(stream, Socket::Router, b"", None).await {
            Ok(link) => link,
            Err(error) => return (Vec::new(), Vec::new(), end(&error)),
        };
        let mut messages = Vec::new();
        loop {
            match link.reader.message().await {
                Ok(message) => messages.push(message),
                Err(error) => return (link.identity, messages, end(&error)),
            }
        }
    })
}

fn end(error: &LinkError) -> String {
    error.to_string()
}
