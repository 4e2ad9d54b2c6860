//! The server over real sockets: both modes on one port, TLS, both dialects, and the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use ldctl::action::InvalidDocument;
use ldctl::client::probe;
use ldctl::event::Event;
use ldctl::net::Listeners;
use ldctl::run::Submission;
use ldctl::server::{Execute, Handle, Job, Server, Unready, run};
use ldctl::value::Value;
use ldctl::wire::dialect::Reply;
use ldctl::wire::frame::Mode;
use ldctl::wire::request::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::wire_support::{
    DEADLINE, END, count, frame, frames, reply, server, server_that, soon, terminator,
};

#[tokio::test]
async fn one_port_answers_each_mode_in_its_own() {
    let served = server().start();
    assert_eq!(served.exchange("[1, [2, \"a\"]]").await, format!("1\n[2, 'a']\n{END}"));
    assert_eq!(served.exchange(frame("[1, [2, \"a\"]]")).await, frames(["1\n", "[2, 'a']\n", END]));
}

#[tokio::test]
async fn a_framed_server_refuses_text_in_text_and_other_bytes_in_a_frame() {
    let served = server().framed_only().start();
    let text =
        "Error: only framed requests are served here: 4 bytes of length, then the document\n";
    assert_eq!(served.exchange("[[\"LD_summary\"]]").await, format!("{text}{END}"));
    let length = "Error: frame length 436207616 is outside 1..=1048576\n";
    assert_eq!(served.exchange(b"\x1a\0\0\0[1]").await, frames([length, END]));
    assert_eq!(count(&served.counters.connections), 2);
    assert!(served.is_well().await);
}

#[tokio::test]
async fn a_plain_client_on_a_tls_port_gets_a_refusal_in_its_own_mode() {
    let served = server().tls().start();
    let line = "Error: this port speaks TLS; connect with TLS\n";
    assert_eq!(served.exchange(frame("null")).await, frames([line, END]));
    assert_eq!(served.exchange("[1]").await, format!("{line}{END}"));
    assert_eq!(served.exchange("GET / HTTP/1.1\r\n\r\n").await, format!("{line}{END}"));
}

#[tokio::test]
async fn a_tls_client_on_a_plain_port_gets_an_alert() {
    let served = server().start();
    let mut stream = served.connect().await;
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc").await.expect("a server");
    let mut alert = Vec::new();
    soon(stream.read_to_end(&mut alert)).await.expect("a proper end");
    assert_eq!(alert, [0x15, 3, 1, 0, 2, 2, 70]);
}

/// Asks over TLS and reads on to the end of the stream, which a strict client checks: without
/// `close_notify` this would be an error.
async fn strict(served: &crate::wire_support::Served, request: &[u8]) -> String {
    let (config, name) =
        ldctl::wire::tls::client_config(&served.endpoint(Mode::Framed).tls.expect("TLS"), "x")
            .expect("a configuration");
    let connector = tokio_rustls::TlsConnector::from(config);
    let mut stream = soon(connector.connect(name, served.connect().await)).await.expect("TLS");
    stream.write_all(request).await.expect("a server that listens");
    reply(stream).await
}

#[tokio::test]
async fn over_tls_both_modes_are_answered_and_properly_closed() {
    let served = server().tls().token("s3cret").start();
    assert_eq!(strict(&served, &frame("null")).await, frames(["Error: token required\n"]));
    assert_eq!(strict(&served, b"quit_server").await, "Error: token required\n");
    let envelope = r#"{"token": "s3cret", "command": [1]}"#;
    assert_eq!(strict(&served, &frame(envelope)).await, frames(["1\n", END]));
    assert_eq!(strict(&served, envelope.as_bytes()).await, format!("1\n{END}"));
}

#[tokio::test]
async fn equal_actions_share_a_line_in_text_and_not_as_events() {
    let served = server().start();
    assert_eq!(served.exchange("[1, 2, 1]").await, format!("1\n2\n{END}"));
    let body = r#"{"command": [1, 1], "reply": "events"}"#;
    let expected = frames([
        r#"{"event":"accepted","protocol":1,"run":1,"actions":2}"#,
        r#"{"event":"started","index":0,"command":"echo"}"#,
        r#"{"event":"result","index":0,"command":"echo","ok":true,"value":1}"#,
        r#"{"event":"started","index":1,"command":"echo"}"#,
        r#"{"event":"result","index":1,"command":"echo","ok":true,"value":1}"#,
        r#"{"event":"done","ok":true,"failed":0,"elapsed_s":0.5}"#,
        END,
    ]);
    assert_eq!(served.exchange(frame(body)).await, expected);
}

#[tokio::test]
async fn refusals_as_events_always_end_with_the_terminator() {
    let served = server().token("s3cret").start();
    let body = r#"{"token": "wrong", "op": "quit", "reply": "events"}"#;
    let refusal = r#"{"event":"error","kind":"unauthorised","message":"unauthorised"}"#;
    assert_eq!(served.exchange(frame(body)).await, frames([refusal, END]));
    let body = r#"{"token": "s3cret", "command": 5, "reply": "events"}"#;
    let refusal = r#"{"event":"error","kind":"invalid-document","message":"executor received invalid data: list is empty or wrong type"}"#;
    assert_eq!(served.exchange(frame(body)).await, frames([refusal, END]));
}

#[tokio::test]
async fn a_ping_runs_nothing_and_identifies_the_server() {
    let served = server().start();
    for (body, expected) in [
        (r#"{"op": "ping", "command": null}"#, terminator()),
        (r#"{"op": "ping", "command": [1]}"#, frames(["1\n", END])),
    ] {
        assert_eq!(served.exchange(frame(body)).await, expected, "{body}");
    }
    let probed = soon(probe(&served.endpoint(Mode::Framed), None, DEADLINE)).await;
    let pong = probed.expect("an answer").pong.expect("a pong");
    let (name, version) = (pong.server.as_str(), pong.version.as_str());
    assert_eq!((name, version, pong.runs), ("ldctl", env!("CARGO_PKG_VERSION"), 1));
}

#[tokio::test]
async fn events_arrive_while_the_document_still_runs() {
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let served = server_that(move |_, sink, _| {
        sink.emit(Event::Started { index: 0, command: "wait".to_owned() });
        let _ = gate.lock().expect("no panic").recv_timeout(DEADLINE);
        sink.emit(Event::Done {
            ok: true,
            failed: 0,
            elapsed_s: 0.0,
            run: None,
            state: None,
            message: None,
        });
    })
    .start();
    let document = serde_json::from_str("[1]").expect("JSON");
    let connection = served.endpoint(Mode::Framed).connect().await.expect("a server");
    let asked = connection.ask(Request::run(document), None, DEADLINE).await;
    let mut replies = asked.expect("an answer");
    let started = Event::Started { index: 0, command: "wait".to_owned() };
    assert_eq!(replies.next().await.expect("a reply"), Some(Reply::Event(started)));
    assert!(served.is_well().await, "others are served meanwhile");
    go.send(()).expect("a run");
    let done =
        Event::Done { ok: true, failed: 0, elapsed_s: 0.0, run: None, state: None, message: None };
    assert_eq!(replies.next().await.expect("a reply"), Some(Reply::Event(done)));
    assert_eq!(replies.next().await.expect("the end"), None);
}

#[tokio::test]
async fn a_quit_ends_the_server_and_waits_for_no_idle_peer() {
    let served = server().start();
    let mut idle = served.connect().await;
    idle.write_all(b"\0\0\0\x04n").await.expect("a server that listens");
    assert!(served.is_well().await);
    assert_eq!(served.exchange(b" quit_server\r\n").await, "Server shutting down\n");
    assert_eq!(
        served.end().await,
        [
            "Server started on 127.0.0.1:PORT",
            "Command received: 4 bytes",
            "Command received: 11 bytes",
            "Now quit server",
            "Server shutdown complete",
        ]
    );
    assert_eq!(soon(idle.read(&mut [0])).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_quit_over_tls_and_as_events_is_answered_before_the_end() {
    let served = server().tls().token("s3cret").start();
    let body = r#"{"token": "s3cret", "op": "quit", "reply": "events"}"#;
    let done = r#"{"event":"done","ok":true,"failed":0,"elapsed_s":0.0}"#;
    assert_eq!(strict(&served, &frame(body)).await, frames([done, END]));
    served.end().await;
}

#[tokio::test]
async fn a_shutdown_cancels_the_run_and_its_client_gets_the_partial_results() {
    let (running, started) = tokio::sync::mpsc::unbounded_channel();
    let served = server_that(move |document, sink, cancel| {
        let _ = running.send(());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(cancel.cancelled());
        crate::wire_support::echo(document, sink, cancel);
    })
    .start();
    let mut started = started;
    let mut stream = served.connect().await;
    stream.write_all(b"[\"partial\"]").await.expect("a server that listens");
    soon(started.recv()).await.expect("a run");
    served.shutdown.cancel();
    assert_eq!(reply(stream).await, format!("partial\n{END}"));
    served.end().await;
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_its_run() {
    let (done, finished) = tokio::sync::oneshot::channel();
    let (go, gate) = mpsc::channel::<()>();
    let state = std::sync::Mutex::new((Some(done), gate));
    let served = server_that(move |document, sink, cancel| {
        let mut state = state.lock().expect("no panic");
        let _ = state.1.recv_timeout(DEADLINE);
        crate::wire_support::echo(document, sink, cancel);
        let done = state.0.take().expect("one run");
        let _ = done.send(cancel.is_cancelled());
    })
    .start();
    let mut stream = served.connect().await;
    stream.write_all(&frame(r#"{"command": [1], "reply": "events"}"#)).await.expect("a server");
    drop(stream);
    go.send(()).expect("a run");
    assert_eq!(soon(finished).await, Ok(false));
    assert!(served.is_well().await);
}

#[tokio::test]
async fn several_slow_documents_do_not_wait_for_each_other() {
    // Each waits for all to have begun.
    let barrier = Arc::new(std::sync::Barrier::new(4));
    let served = server_that(move |document, sink, cancel| {
        barrier.wait();
        crate::wire_support::echo(document, sink, cancel);
    })
    .start();
    let (a, b, c, d) = tokio::join!(
        served.exchange("[1]"),
        served.exchange("[2]"),
        served.exchange(frame("[3]")),
        served.exchange(frame("[4]")),
    );
    assert_eq!((a, b), (format!("1\n{END}"), format!("2\n{END}")));
    assert_eq!((c, d), (frames(["3\n", END]), frames(["4\n", END])));
}

/// Gives up at its deadline when it closes, and says so a moment later, as a thread of a busy machine
/// does.
#[derive(Default)]
struct GivesUp(AtomicBool);

impl Execute for GivesUp {
    fn prepare(
        self: Arc<Self>,
        _: Value,
        _: Submission,
        _: &CancellationToken,
    ) -> Result<Job, Unready> {
        Err(InvalidDocument.into())
    }

    fn runs(&self) -> u64 {
        0
    }

    fn close(&self, deadline: Instant) {
        let late = deadline + Duration::from_millis(200);
        std::thread::sleep(late.saturating_duration_since(Instant::now()));
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn t45_what_is_given_up_at_the_deadline_of_a_shutdown_is_said_before_its_end() {
    let executor = Arc::<GivesUp>::default();
    let mut server = Server::new(Arc::<GivesUp>::clone(&executor));
    server.limits.shutdown = Duration::from_millis(50);
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let listeners = Listeners::bind("127.0.0.1", 0).expect("a free port");
    soon(run(listeners, Handle::new(server, shutdown))).await;
    assert!(executor.0.load(Ordering::SeqCst), "the end came before the last words");
}
