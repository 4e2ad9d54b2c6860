//! The abuse cases that need a crowd, each named after its number. What a crowd costs is read off
//! the real program from outside; that it delays nobody shows in answers that come while all of it
//! is still there.

use std::io;
use std::time::Duration;

use ldctl::client::{Endpoint, probe};
use ldctl::wire::frame::MAX_REQUEST;
use ldctl::wire::frame::Mode;
use ldctl::wire::tls::ClientTls;
use ldctl::wire::tls::client_config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::rustls::ClientConnection;

use crate::support::{Authority, Server, descriptors, high_water, resident, room_for_a_crowd};
use crate::wire_support::{DEADLINE, Served, count, endpoint, frame, server, soon};

/// A crowd, from the page of threats.
const CROWD: usize = 1000;

/// Resets during handshakes, from the page of threats.
const RESETS: usize = 10_000;

/// The beginning of a TLS ClientHello.
const HALF_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// A frame that claims a mebibyte, and one byte of it.
const CLAIM: &[u8] = b"\0\x10\0\0[";

/// Nearly complete frames of a mebibyte that the budget has room for.
const HELD: usize = 64;

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Many connections that each sent the same bytes.
async fn crowd(port: u16, size: usize, bytes: &[u8]) -> Vec<TcpStream> {
    room_for_a_crowd();
    let mut crowd = Vec::with_capacity(size);
    for _ in 0..size {
        let mut stream = soon(TcpStream::connect(("127.0.0.1", port))).await.expect("a server");
        stream.write_all(bytes).await.expect("a server that listens");
        crowd.push(stream);
    }
    crowd
}

/// Waits until the server has closed them all; a reset counts.
async fn all_closed(crowd: Vec<TcpStream>) {
    for mut stream in crowd {
        let mut scratch = Vec::new();
        let _ = soon(stream.read_to_end(&mut scratch)).await;
    }
}

async fn answers(endpoint: &Endpoint) {
    soon(probe(endpoint, None, DEADLINE)).await.expect("a pong");
}

/// The real program, seen from outside.
struct Program {
    server: Server,
    authority: Option<Authority>,
    /// Descriptors and KiB of memory before anything came, apart from one ping.
    before: (usize, u64),
}

impl Program {
    async fn start(authority: Option<Authority>) -> Self {
        room_for_a_crowd();
        let server = match &authority {
            None => Server::start(&[], None),
            Some(authority) => {
                let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
                Server::start(&["--tls-cert", &cert, "--tls-key", &key], None)
            }
        };
        let mut program = Self { server, authority, before: (0, 0) };
        // The first request makes room for all that follow.
        answers(&program.endpoint()).await;
        program.before = (program.descriptors(), resident(program.server.id()));
        program
    }

    fn port(&self) -> u16 {
        self.server.port().parse().expect("a port")
    }

    fn descriptors(&self) -> usize {
        descriptors(self.server.id())
    }

    fn tls(&self) -> Option<ClientTls> {
        let ca = Some(self.authority.as_ref()?.file("ca.pem").into());
        Some(ClientTls { ca, server_name: Some("localhost".to_owned()), ..ClientTls::default() })
    }

    fn endpoint(&self) -> Endpoint {
        endpoint(self.port(), Mode::Framed, self.tls())
    }

    /// Waits until it has as many descriptors as before the crowd, but for two.
    async fn back_to_normal(&self) {
        soon(async {
            while self.descriptors() > self.before.0 + 2 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// By how much its memory has ever been above the baseline, in KiB.
    fn grown(&self) -> u64 {
        high_water(self.server.id()).saturating_sub(self.before.1)
    }
}

#[tokio::test]
async fn t01_a_thousand_silent_connections_delay_no_other_client() {
    let served = server().limits(|limits| limits.request = FOR_EVER).start();
    let silent = crowd(served.port, CROWD, b"").await;
    assert!(served.is_well().await);
    assert_eq!(count(&served.counters.timeouts), 0, "all of them are still there");
    drop(silent);
}

#[tokio::test]
async fn t01_a_thousand_silent_connections_are_closed_at_the_deadline() {
    let served = server().limits(|limits| limits.request = Duration::from_millis(300)).start();
    all_closed(crowd(served.port, CROWD, b"").await).await;
    assert_eq!(count(&served.counters.timeouts), CROWD as u64);
    assert!(served.is_well().await);
}

/// A server that speaks TLS, with a crowd half of which says nothing, half of which half a hello.
async fn held_up(handshake: Duration) -> (Served, Vec<TcpStream>) {
    let served = server().tls().limits(|limits| limits.handshake = handshake).start();
    let mut all = crowd(served.port, CROWD / 2, b"").await;
    all.extend(crowd(served.port, CROWD / 2, HALF_HELLO).await);
    (served, all)
}

#[tokio::test]
async fn t03_silent_tls_clients_do_not_delay_a_handshake() {
    let (served, silent) = held_up(FOR_EVER).await;
    answers(&served.endpoint(Mode::Framed)).await;
    assert_eq!(count(&served.counters.timeouts), 0, "all of them are still there");
    drop(silent);
}

#[tokio::test]
async fn t03_silent_tls_clients_are_closed_at_the_handshakes_deadline() {
    let (served, silent) = held_up(Duration::from_millis(300)).await;
    all_closed(silent).await;
    assert_eq!(count(&served.counters.timeouts), CROWD as u64);
    answers(&served.endpoint(Mode::Framed)).await;
}

#[tokio::test]
async fn t04_ten_thousand_resets_during_handshakes_leak_no_descriptor() {
    let program = Program::start(Some(Authority::new())).await;
    let (config, name) = client_config(&program.tls().expect("TLS"), "localhost").expect("files");
    let mut hello = Vec::new();
    let mut client = ClientConnection::new(config, name).expect("a client");
    client.write_tls(&mut hello).expect("a hello");
    for reset in 0..RESETS {
        // A whole hello makes the server sign, so that only some are.
        let bytes = match reset % 20 {
            0 => hello.as_slice(),
            1..10 => HALF_HELLO,
            _ => b"",
        };
        let mut stream =
            soon(TcpStream::connect(("127.0.0.1", program.port()))).await.expect("a server");
        stream.write_all(bytes).await.expect("a server that listens");
        stream.set_zero_linger().expect("a socket");
    }
    program.back_to_normal().await;
    answers(&program.endpoint()).await;
}

#[tokio::test]
async fn t04_resets_during_handshakes_release_their_connections() {
    // Fewer places than resets: a place that leaked would be missed.
    let served = server().tls().limits(|limits| limits.connections = 20).start();
    for _ in 0..500 {
        let mut stream = served.connect().await;
        // A server with no place left may have closed already.
        let _ = stream.write_all(HALF_HELLO).await;
        stream.set_zero_linger().expect("a socket");
    }
    let endpoint = served.endpoint(Mode::Framed);
    soon(async {
        while probe(&endpoint, None, DEADLINE).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(count(&served.counters.panics), 0);
}

#[tokio::test]
async fn t06_a_thousand_claims_of_a_mebibyte_cost_only_the_bytes_sent() {
    let program = Program::start(None).await;
    let claims = crowd(program.port(), CROWD, CLAIM).await;
    answers(&program.endpoint()).await;
    drop(claims);
    // It has read everything that it will ever read of them.
    program.back_to_normal().await;
    let most = 32 * CROWD as u64;
    assert!(program.grown() < most, "{} KiB for {CROWD} connections", program.grown());
}

#[tokio::test]
async fn t07_a_thousand_nearly_complete_frames_hold_64_mib_and_others_get_a_busy_reply() {
    let program = Program::start(None).await;
    let mut nearly = frame(vec![b' '; MAX_REQUEST]);
    nearly.pop();
    let nearly: &'static [u8] = nearly.leak();
    let mut senders = JoinSet::new();
    for mut stream in crowd(program.port(), CROWD, b"").await {
        senders.spawn(async move {
            let sent = stream.write_all(nearly).await;
            (stream, sent)
        });
    }
    let mut waiting = Vec::new();
    while let Some(sender) = soon(senders.join_next()).await {
        // A refused sender may be closed before it has sent everything.
        if let (stream, Ok(())) = sender.expect("no panic") {
            waiting.push(stream.into_std().expect("a socket"));
        }
    }
    // What was sent may be on its way for a while.
    soon(async {
        while waiting.len() > HELD {
            waiting.retain(|stream| stream.peek(&mut [0]).is_err_and(|error| is_open(&error)));
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Small requests pass a budget that is spent.
    answers(&program.endpoint()).await;
    assert!(!waiting.is_empty(), "nobody has sent a mebibyte");
    drop(waiting);
    program.back_to_normal().await;
    let most = 96 * 1024;
    assert!(program.grown() < most, "{} KiB above the baseline", program.grown());
}

/// Whether nothing has come and the connection is there.
fn is_open(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
