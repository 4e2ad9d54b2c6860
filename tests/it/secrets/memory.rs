//! What a server's memory holds of the token once it has read it: what the next bug might show.

use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use super::*;
use crate::support::DEADLINE;

const CANARY: &str = "canary-in-memory-58d1c7";

/// How often the canary stands in what a process has written to its memory.
fn found(process: u32) -> usize {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("its mappings");
    let mut memory = fs::File::open(format!("/proc/{process}/mem")).expect("its memory");
    let number = |text: &str| u64::from_str_radix(text, 16).expect("an address");
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
        let (from, to) = (number(from), number(to));
        let mut bytes = vec![0; usize::try_from(to - from).expect("a size")];
        memory.seek(SeekFrom::Start(from)).expect("its memory");
        // What a guard page or the kernel holds back was not written by the process.
        if memory.read_exact(&mut bytes).is_ok() {
            found += memchr::memmem::find_iter(&bytes, CANARY).count();
        }
    }
    found
}

/// Waits until the last connection has ended, which is a moment after its reply: from then on the
/// server does nothing, so what it still holds stays.
fn forgets(process: u32) {
    let until = Instant::now() + DEADLINE;
    while found(process) > 0 {
        assert!(Instant::now() < until, "the server holds the token {} times", found(process));
    }
}

/// Sends a request in pieces and reads the reply to its end.
fn ask(port: &str, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a server");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    for piece in pieces {
        stream.write_all(piece).expect("a server that listens");
    }
    stream.shutdown(Shutdown::Write).expect("a socket");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("a reply");
    // A frame's length is no text.
    String::from_utf8_lossy(&reply).into_owned()
}

fn frame(body: &str) -> Vec<u8> {
    [&u32::try_from(body.len()).expect("short").to_be_bytes(), body.as_bytes()].concat()
}

#[test]
fn t25_the_memory_of_a_server_does_not_keep_the_token() {
    let directory = tempfile::tempdir().expect("a directory");
    private(&directory, "token", CANARY);
    let path = directory.path().join("token").display().to_string();
    let server = Server::start(&["--token-file", &path], None);
    let port = server.port();
    let filler = "x".repeat(100_000);
    for (request, reply) in [
        (format!(r#"{{"token":"{CANARY}","op":"ping","reply":"events"}}"#), r#""pong""#),
        (format!(r#"{{"token":"{CANARY}","command":[["len",["{filler}"]]]}}"#), "100000"),
        (format!(r#"{{"command":[["len",["abc"]]],"token":"{CANARY}"}}"#), "3"),
        (format!(r#"{{"token":"{CANARY}x","op":"ping"}}"#), "Error: unauthorised"),
        (format!(r#"{{"token":"{CANARY}","op":"ping","bad":"#), "Error: "),
    ] {
        let bytes = frame(&request);
        assert!(ask(&port, &[&bytes]).contains(reply), "{request:.80}");
        let (first, rest) = bytes.split_at(40);
        assert!(ask(&port, &[first, rest]).contains(reply), "{request:.80}");
        assert!(ask(&port, &[first]).is_empty(), "a reply to half a request");
        forgets(server.id());
    }
    // The environment is the one place out of reach, and proves that the search would find it.
    let server = Server::start(&[], Some(CANARY));
    assert_ne!(found(server.id()), 0);
}
