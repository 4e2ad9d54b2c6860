//! Sessions over pipes on a paused clock: the tests wait for every deadline without real time.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::session::Session;
use super::transport::Transport;
use super::*;
use crate::action::InvalidDocument;
use crate::event::ActionResult;
use crate::run::Submission;
use crate::value::Value;
use crate::wire::frame::{MAX_REQUEST, frame_into};
use crate::wire::token::{Token, Tokens};

impl Transport for DuplexStream {
    const CLOSES_ON_DROP: bool = true;
    const KEEPS_RECORDS: bool = false;

    fn set_nodelay(&self) {}
}

/// Replies to every list with nothing.
struct Idle;

impl Execute for Idle {
    fn prepare(
        self: Arc<Self>,
        document: Value,
        _: Submission,
        _: &CancellationToken,
    ) -> Result<Job, Unready> {
        match document {
            Value::List(_) => Ok(Box::new(|_, _| {})),
            _ => Err(InvalidDocument.into()),
        }
    }

    fn runs(&self) -> u64 {
        0
    }
}

/// Returns a result for every document.
struct Chatty;

impl Execute for Chatty {
    fn prepare(
        self: Arc<Self>,
        _: Value,
        _: Submission,
        _: &CancellationToken,
    ) -> Result<Job, Unready> {
        Ok(Box::new(|sink, _| {
            sink.result("abs", ActionResult::new(0, "abs", Ok(Value::Int(1))));
        }))
    }

    fn runs(&self) -> u64 {
        0
    }
}

struct Talk {
    peer: DuplexStream,
    session: JoinHandle<()>,
    shared: Arc<ServerState>,
    started: Instant,
}

fn talk(framed_only: bool) -> Talk {
    talk_to(Server { framed_only, ..Server::new(Arc::new(Idle)) })
}

fn talk_to(server: Server) -> Talk {
    talk_from([127, 0, 0, 1].into(), ServerState::new(server, CancellationToken::new()))
}

fn talk_from(peer_address: IpAddr, shared: ServerState) -> Talk {
    let shared = Arc::new(shared);
    let (near, peer) = duplex(7);
    let permit = Permit::take(&shared, &shared.open).expect("a permit");
    let session = tokio::spawn(async move {
        Session::new(near, peer_address, permit).serve(false).await;
    });
    Talk { peer, session, shared, started: Instant::now() }
}

impl Talk {
    async fn say(&mut self, bytes: &[u8]) {
        self.peer.write_all(bytes).await.expect("a session that reads");
    }

    /// Returns the whole reply, and how long the connection lasted.
    async fn end(mut self) -> (String, Duration) {
        let mut reply = Vec::new();
        self.peer.read_to_end(&mut reply).await.expect("a reply");
        let lasted = self.started.elapsed();
        self.session.await.expect("no panic");
        (String::from_utf8_lossy(&reply).into_owned(), lasted)
    }
}

const END: &str = "Return_Data_Over_JE\n";

#[tokio::test(start_paused = true)]
async fn t01_a_silent_peer_is_closed_without_a_reply_at_the_request_deadline() {
    let talk = talk(false);
    let shared = Arc::clone(&talk.shared);
    let (reply, lasted) = talk.end().await;
    assert_eq!(reply, "");
    assert_eq!(lasted.as_secs(), 10);
    assert_eq!(shared.counters().timeouts.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn t02_sending_a_byte_every_two_seconds_does_not_extend_the_deadline() {
    let mut talk = talk(false);
    for byte in [0, 0, 0, 100, b'['] {
        talk.say(&[byte]).await;
        sleep(Duration::from_secs(2)).await;
    }
    let (reply, lasted) = talk.end().await;
    let line = "Error: timeout: the request is not complete after 10 s (--request-timeout)\n";
    assert_eq!(reply, format!("\0\0\0\x4b{line}\0\0\0\x14{END}"));
    assert_eq!(lasted.as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn t10_the_reply_to_every_wrong_token_takes_equally_long() {
    let long = format!("\"{}\"", "x".repeat(MAX_REQUEST - 100));
    let tokens = ["\"\"", "5", "null", "[]", "\"s3cret \"", "\"\u{e9}\"", "\"s3cre\"", &long];
    let bodies = tokens.map(|token| format!(r#"{{"token": {token}, "command": [1]}}"#));
    for body in bodies.iter().map(String::as_str).chain([r#"{"command": [1]}"#]) {
        let token = Token::new("s3cret").expect("a token");
        let limits = Limits { free_failed_logins: 0, ..Limits::default() };
        let keyring = Keyring::new(Secrets { tokens: Tokens::new([&token]), tls: None });
        let mut talk = talk_to(Server { keyring, limits, ..Server::new(Arc::new(Idle)) });
        let mut request = Vec::new();
        frame_into(body.as_bytes(), &mut request);
        talk.say(&request).await;
        let (reply, lasted) = talk.end().await;
        assert_eq!(reply, "\0\0\0\x14Error: unauthorised\n");
        assert_eq!(lasted, Duration::from_millis(50), "the first step of the delay");
    }
}

#[tokio::test(start_paused = true)]
async fn t27_a_source_that_is_locked_out_is_refused_before_its_request_has_arrived() {
    let stranger = IpAddr::from([192, 0, 2, 1]);
    for (begin, reply) in [
        (&b"\0\x10\0\0[[["[..], "\0\0\0\x14Error: unauthorised\n"),
        (b"{\"token\": \"s3", "Error: unauthorised\n"),
    ] {
        let token = Token::new("s3cret").expect("a token");
        let keyring = Keyring::new(Secrets { tokens: Tokens::new([&token]), tls: None });
        let server = Server { keyring, ..Server::new(Arc::new(Idle)) };
        let shared = ServerState::new(server, CancellationToken::new());
        for _ in 0..shared.limits().max_failed_logins {
            shared.failed_logins.judge(stranger, false, shared.limits());
        }
        let mut talk = talk_from(stranger, shared);
        talk.say(begin).await;
        let (refusal, lasted) = talk.end().await;
        assert_eq!(refusal, reply);
        assert!(lasted < Duration::from_secs(2), "it waited {lasted:?} for the rest");
    }
}

#[tokio::test(start_paused = true)]
async fn t15_a_legacy_document_in_pieces_is_one_request() {
    let mut talk = talk(false);
    for piece in ["[[\"a", "bs\", [", "1", "]]]"] {
        sleep(Duration::from_millis(700)).await;
        talk.say(piece.as_bytes()).await;
    }
    assert_eq!(talk.end().await.0, END);
}

#[tokio::test(start_paused = true)]
async fn a_legacy_peer_that_pauses_within_a_document_gets_a_reply() {
    let mut talk = talk(false);
    talk.say(b"[[\"abs\"").await;
    let (reply, lasted) = talk.end().await;
    assert_eq!(reply, format!("Error: Expecting ',' delimiter: line 1 column 8 (char 7)\n{END}"));
    assert_eq!(lasted.as_millis(), 750);
}

#[tokio::test(start_paused = true)]
async fn a_legacy_peer_that_never_pauses_gets_a_reply_at_the_deadline() {
    let mut talk = talk(false);
    for _ in 0..20 {
        talk.say(b"[").await;
        sleep(Duration::from_millis(500)).await;
    }
    let (reply, lasted) = talk.end().await;
    assert!(reply.starts_with("Error: Expecting value: line 1 column "), "{reply}");
    assert_eq!(lasted.as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_frame_may_pause_longer_than_legacy_text() {
    let mut talk = talk(true);
    for piece in [&b"\0\0"[..], b"\0\x04nu", b"ll"] {
        sleep(Duration::from_secs(3)).await;
        talk.say(piece).await;
    }
    assert_eq!(talk.end().await.0, format!("\0\0\0\x14{END}"));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_within_a_frame_gets_no_reply() {
    let mut talk = talk(false);
    talk.say(b"\0\0").await;
    talk.peer.shutdown().await.expect("a pipe");
    assert_eq!(talk.end().await.0, "");
}

#[tokio::test(start_paused = true)]
async fn bytes_after_a_request_are_read_but_never_run() {
    let mut talk = talk(false);
    talk.say(b"\0\0\0\x04null\0\0\0\x04null").await;
    let (reply, lasted) = talk.end().await;
    assert_eq!(reply, format!("\0\0\0\x14{END}"));
    assert_eq!(lasted, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_does_not_count_as_one_that_does_not_read() {
    let mut talk = talk_to(Server::new(Arc::new(Chatty)));
    talk.say(b"\0\0\0\x03[1]").await;
    let Talk { peer, session, shared, .. } = talk;
    drop(peer);
    session.await.expect("no panic");
    assert_eq!(shared.counters().shed.load(Ordering::Relaxed), 0);
}
