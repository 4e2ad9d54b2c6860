//! The abuse cases of the control connection, each named after its number: what a stranger, a
//! careless client or a hostile server may send, and what must hold meanwhile. Cases that need a
//! crowd are in [`crate::abuse_crowds`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ldctl::client::{ClientError, Connection, probe};
use ldctl::event::Event;
use ldctl::server::Execute;
use ldctl::value::Value;
use ldctl::wire::dialect::Reply;
use ldctl::wire::frame::Mode;
use ldctl::wire::frame::{MAX_LEGACY, MAX_REPLY, MAX_REQUEST, ReadBuffer};
use ldctl::wire::op::Op;
use ldctl::wire::request::Request;
use ldctl::wire::token::Token;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::wire_support::{
    DEADLINE, END, count, echo, frame, frames, reply, result, server, server_that, server_within,
    soon, terminator,
};

#[tokio::test]
async fn t05_lengths_out_of_bounds_are_refused_after_the_header_alone() {
    let served = server().framed_only().start();
    for length in [0, 0x0010_0001, 0xffff_ffff_u32] {
        // Nothing but the header is sent, so the answer cannot wait for a body.
        let line = format!("Error: frame length {length} is outside 1..=1048576\n");
        assert_eq!(served.exchange(length.to_be_bytes()).await, frames([line.as_str(), END]));
        let mut buffer = ReadBuffer::default();
        buffer.fill(&mut &length.to_be_bytes()[..], MAX_LEGACY).await.expect("bytes");
        buffer.frame(MAX_REQUEST).expect_err("a length out of bounds");
        assert!(buffer.held() <= 64, "{} bytes for a header", buffer.held());
    }
    assert_eq!(count(&served.counters.timeouts), 0);
}

#[tokio::test]
async fn t06_memory_grows_with_the_bytes_received_and_not_with_the_claimed_length() {
    let mut held = 0;
    for _ in 0..1000 {
        let mut buffer = ReadBuffer::default();
        let mut claim: &[u8] = b"\0\x10\0\0[";
        buffer.fill(&mut claim, MAX_REQUEST).await.expect("bytes");
        assert_eq!(buffer.frame(MAX_REQUEST), Ok(None));
        held += buffer.held();
    }
    assert!(held <= 64 * 1000, "{held} bytes for 5000 received");
    // A server without any memory to spare for requests keeps such a client, too.
    let served = server().limits(|limits| limits.request_bytes = 0).start();
    let mut claim = served.connect().await;
    claim.write_all(b"\0\x10\0\0[").await.expect("a server that listens");
    assert!(served.is_well().await);
    assert_eq!(count(&served.counters.shed), 0);
}

#[tokio::test]
async fn t07_requests_that_are_never_finished_hold_a_bounded_number_of_bytes() {
    let served = server().limits(|limits| limits.request_bytes = 4 << 20).start();
    let mut nearly = frame(vec![b' '; MAX_REQUEST]);
    nearly.pop();
    let mut holding = Vec::new();
    for _ in 0..12 {
        let mut stream = served.connect().await;
        // A refused sender may be closed before it has sent everything.
        let _ = stream.write_all(&nearly).await;
        holding.push(stream);
    }
    // Large requests are read in turns, and small ones are served meanwhile.
    soon(async {
        while count(&served.counters.shed) < 4 {
            assert!(served.is_well().await);
        }
    })
    .await;
    let refused = count(&served.counters.shed);
    assert!(refused < 12, "{refused} of 12 refused");
    drop(holding);
    let large = frame(format!("[\"{}\"]", "x".repeat(MAX_REQUEST / 2)));
    soon(async {
        while served.exchange(&large).await.contains("Error: busy: ") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn t28_documents_over_the_limit_get_a_busy_reply_while_pings_are_answered() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let held = Arc::clone(&gate);
    let served = server_that(move |_, _, _| {
        let open = held.0.lock().expect("no panic");
        drop(held.1.wait_timeout_while(open, DEADLINE, |open| !*open).expect("no panic"));
    })
    .limits(|limits| {
        limits.documents = 2;
        limits.document_wait = Duration::from_millis(20);
    })
    .start();
    let mut running = Vec::new();
    for _ in 0..2 {
        let mut stream = served.connect().await;
        stream.write_all(&frame("[1]")).await.expect("a server that listens");
        running.push(stream);
    }
    soon(async {
        while served.script.runs() < 2 {
            assert!(served.is_well().await);
        }
    })
    .await;
    let line = "Error: busy: 2 documents are running already (--max-documents 2)\n";
    assert_eq!(served.exchange(frame("[1]")).await, frames([line, END]));
    let ping = served.exchange(frame(r#"{"token": null, "op": "ping"}"#)).await;
    assert_eq!(ping, terminator());
    let status = served.exchange(frame(r#"{"token": null, "op": "status"}"#)).await;
    assert_eq!(status, frames(["no test is running\n", END]));
    let stop = served.exchange(frame(r#"{"token": null, "op": "stop"}"#)).await;
    assert_eq!(stop, frames(["no test is running\n", END]));
    *gate.0.lock().expect("no panic") = true;
    gate.1.notify_all();
    for stream in running {
        assert_eq!(reply(stream).await, terminator());
    }
    assert_eq!(served.exchange(frame("[1]")).await, terminator(), "a place is free again");
}

#[tokio::test]
async fn t28_a_document_that_takes_long_to_read_delays_nobody_and_ends_with_the_server() {
    // Another document waits for its turn, then is read beside the one that takes long.
    let served = server().limits(|limits| limits.request = Duration::from_millis(500)).start();
    let mut stream = served.connect().await;
    stream.write_all(&frame("\"take long\"")).await.expect("a server that listens");
    for _ in 0..20 {
        assert!(served.is_well().await);
    }
    assert_eq!(served.exchange(frame("[1]")).await, frames(["1\n", END]));
    served.shutdown.cancel();
    let line = "Error: limit: the server is shutting down\n";
    assert_eq!(reply(stream).await, frames([line, END]));
    served.end().await;
}

#[tokio::test]
async fn t31_a_document_that_unfolds_in_memory_is_refused_before_it_is_parsed() {
    let served = server_within(16 << 20, echo).start();
    let unfolds = format!("[{}]", vec![r#"{"":0}"#; 149_000].join(","));
    let refused = served.exchange(frame(unfolds)).await;
    assert!(refused.contains("Error: busy: the document: "), "{refused:.200}");
    assert!(refused.contains(" of 16 MiB are in use (--max-memory)\n"), "{refused:.200}");
    assert_eq!(served.exchange(frame("[1]")).await, frames(["1\n", END]));
    soon(async {
        while served.script.memory.taken() > 0 {
            assert!(served.is_well().await);
        }
    })
    .await;
}

#[tokio::test]
async fn t31_a_result_that_does_not_fit_is_replaced_by_a_failure_in_both_dialects() {
    let served = server_within(700_000, echo).start();
    let large = "x".repeat(200_000);
    let text = served.exchange(frame(format!("[\"{large}\", 1]"))).await;
    assert!(text.contains("PermissionError('a reply: 19"), "{text:.200}");
    assert!(text.contains("(--max-memory)')\n") && text.contains("1\n"), "{text:.200}");
    let request = format!(r#"{{"command": ["{large}", 1], "reply": "events"}}"#);
    let events = served.exchange(frame(request)).await;
    assert!(events.contains(r#""ok":false"#) && events.contains("a reply: 19"), "{events:.300}");
    assert!(events.contains(r#""ok":true,"value":1"#), "{events:.300}");
}

#[tokio::test]
async fn t30_documents_with_the_token_pass_while_strangers_hold_all_memory_for_requests() {
    let served = server()
        .token("s3cret")
        .limits(|limits| {
            limits.request_bytes = 4 << 20;
            limits.request = Duration::from_secs(3600);
        })
        .start();
    let part = frame(vec![b'['; MAX_REQUEST]);
    let mut strangers = Vec::new();
    for round in 0..10 {
        for source in [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]] {
            for size in [500_000, 60_000, 20_000] {
                let socket = TcpSocket::new_v4().expect("a socket");
                socket.bind((source, 0).into()).expect("a source");
                let server = ([127, 0, 0, 1], served.port).into();
                let mut stream = soon(socket.connect(server)).await.expect("a server");
                let _ = soon(stream.write_all(&part[..size])).await;
                strangers.push(stream);
            }
        }
        let text = "x".repeat(20_000);
        let document = format!(r#"{{"token": "s3cret", "command": ["{text}", {round}]}}"#);
        let answered = served.exchange(frame(document)).await;
        assert_eq!(answered, frames([&format!("{text}\n"), &format!("{round}\n"), END]));
    }
}

#[tokio::test]
async fn t08_a_hundred_thousand_nested_lists_are_an_error() {
    let served = server().start();
    let deep = "[".repeat(100_000);
    let line = "Error: recursion limit exceeded at line 1 column 128\n";
    assert_eq!(served.exchange(frame(&deep)).await, frames([line, END]));
    let text = served.exchange(&deep[..MAX_LEGACY]).await;
    assert!(text.starts_with("Error: ") && text.ends_with(END), "{text}");
    assert!(served.is_well().await);
}

#[tokio::test]
async fn t09_invalid_bytes_get_a_reply_and_never_cause_a_panic() {
    let served = server().start();
    for body in [
        &b"\xff\xfe\x00\x01"[..],
        b"\xef\xbb\xbf[1]",
        b"[\"\xc3\"]",
        b"[\"a\0b\"]",
        b"[\"\\u0000\", \"\\ud800\"]",
        b"{\"command\": [1], \"command\": [2]}",
        b"[1e999, -1e999, 1e-999]",
        b"[NaN, Infinity]",
        b"\0",
        b"   ",
        b"{\"token\": {\"token\": {}}, \"command\": {\"command\": []}}",
    ] {
        let framed = served.exchange(frame(body)).await;
        assert!(framed.ends_with(&terminator()), "{body:?} got {framed:?}");
    }
    let long = format!("[{}]", "9".repeat(5000));
    let text = served.exchange(&long).await;
    assert_eq!(text, format!("Error: an integer of 5000 digits is over the limit of 4300\n{END}"));
    assert_eq!(count(&served.counters.panics), 0);
}

#[tokio::test]
async fn t10_every_wrong_token_gets_the_same_bytes() {
    let served = server().token("s3crét").start();
    let long = format!("\"{}\"", "x".repeat(MAX_REQUEST - 100));
    let mut guesses = 0;
    for token in ["\"\"", "5", "null", "[]", "\"s3cr\u{e9}t \"", "\"s3cret\"", "\"ж\"", &long] {
        let body = format!(r#"{{"token": {token}, "command": [1]}}"#);
        assert_eq!(served.exchange(frame(&body)).await, frames(["Error: unauthorised\n"]));
        guesses += 1;
        if body.len() < MAX_LEGACY {
            assert_eq!(served.exchange(&body).await, "Error: unauthorised\n");
            guesses += 1;
        }
    }
    let missing = r#"{"command": [1]}"#;
    assert_eq!(served.exchange(frame(missing)).await, frames(["Error: unauthorised\n"]));
    assert_eq!(count(&served.counters.auth_failures), guesses + 1);
    assert_eq!(served.script.runs(), 0);
    let right = r#"{"token": "s3crét", "command": [1]}"#;
    assert_eq!(served.exchange(frame(right)).await, frames(["1\n", END]));
}

#[tokio::test]
async fn t11_after_many_guesses_the_right_token_still_works_on_this_machine() {
    let served = server()
        .token("s3cret")
        .limits(|limits| (limits.free_failed_logins, limits.max_failed_logins) = (20, 5))
        .start();
    let wrong = r#"{"token": "guess", "command": [1]}"#;
    for _ in 0..10 {
        assert_eq!(served.exchange(frame(wrong)).await, frames(["Error: unauthorised\n"]));
    }
    let right = r#"{"token": "s3cret", "command": [1]}"#;
    assert_eq!(served.exchange(frame(right)).await, frames(["1\n", END]));
}

#[tokio::test]
async fn t13_connections_over_the_limit_get_a_busy_reply_and_the_others_continue() {
    let served = server().limits(|limits| limits.connections = 2).start();
    let mut first = served.connect().await;
    let second = served.connect().await;
    let busy = "Error: busy: all connections are taken (--max-connections 2)\n";
    assert_eq!(served.exchange(frame("null")).await, frames([busy, END]));
    assert_eq!(served.exchange("[1]").await, format!("{busy}{END}"));
    // One that says nothing is told as well.
    assert_eq!(served.exchange("").await, format!("{busy}{END}"));
    assert_eq!(count(&served.counters.refused), 3);
    first.write_all(b"[7]").await.expect("a server that listens");
    assert_eq!(reply(first).await, format!("7\n{END}"));
    drop(second);
}

#[tokio::test]
async fn t14_a_browsers_post_runs_nothing_in_any_mode() {
    let body = "[\"LD_start_test\"]\n";
    let post = format!(
        "POST / HTTP/1.1\r\nHost: localhost:9940\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for setup in [server(), server().framed_only(), server().tls()] {
        let served = setup.start();
        for request in [post.as_str(), "GET / HTTP/1.1\r\n\r\n[1]", "PRI * HTTP/2.0\r\n\r\n"] {
            let answer = served.exchange(request).await;
            assert!(answer.starts_with("Error: ") && answer.ends_with(END), "{answer}");
        }
        assert_eq!(served.script.runs(), 0);
    }
}

#[tokio::test]
async fn t15_a_legacy_request_is_one_request_and_its_tail_never_runs() {
    let served = server().start();
    // Two documents in one segment are no JSON, as for the reference.
    let two = served.exchange("[1]\n[2]\n").await;
    assert_eq!(two, format!("Error: Extra data: line 2 column 1 (char 4)\n{END}"));
    let mut stream = served.connect().await;
    for piece in ["[\"spl", "it\"", "]"] {
        stream.write_all(piece.as_bytes()).await.expect("a server that listens");
        assert!(served.is_well().await, "the piece is on its way");
    }
    assert_eq!(reply(stream).await, format!("split\n{END}"));
    let long = served.exchange(format!("[\"{}\"]", "x".repeat(9000))).await;
    assert!(long.starts_with("Error: the request is longer than 8192 bytes; "), "{long}");
    assert!(long.ends_with(END), "{long}");
    let exact = format!("[1]{}", " ".repeat(MAX_LEGACY - 3));
    assert_eq!(served.exchange(exact).await, format!("1\n{END}"));
    assert_eq!(served.exchange([frame("[1]"), frame("[2]")].concat()).await, frames(["1\n", END]));
    assert_eq!(served.script.runs(), 3);
}

#[tokio::test]
async fn t19_a_client_that_never_reads_loses_its_reply_and_not_its_run() {
    let finished = Arc::new(AtomicBool::new(false));
    let kept = Arc::clone(&finished);
    let served = server_that(move |_, sink, _| {
        let value = Value::from("x".repeat(100_000));
        for index in 0..640 {
            sink.result(&index.to_string(), result(index, value.clone()));
        }
        kept.store(true, Ordering::SeqCst);
    })
    .limits(|limits| {
        limits.stall_timeout = Duration::from_millis(50);
        limits.write = Duration::from_millis(200);
    })
    .start();
    let mut stream = served.connect().await;
    let body = r#"{"command": [1], "reply": "events"}"#;
    stream.write_all(&frame(body)).await.expect("a server that listens");
    soon(async {
        while !finished.load(Ordering::SeqCst) || count(&served.counters.shed) == 0 {
            assert!(served.is_well().await);
        }
    })
    .await;
    drop(stream);
}

#[tokio::test]
async fn t20_the_whole_reply_arrives_after_a_half_close() {
    let served = server_that(|_, sink, _| {
        for index in 0..200 {
            sink.result(
                &index.to_string(),
                result(index, format!("{index}{}", "x".repeat(20_000)).into()),
            );
        }
    })
    .start();
    for request in [b"[1]".to_vec(), frame("[1]"), frame(r#"{"command": [1], "reply": "events"}"#)]
    {
        let mut stream = served.connect().await;
        stream.write_all(&request).await.expect("a server that listens");
        stream.shutdown().await.expect("a half-close");
        let reply = reply(stream).await;
        assert!(reply.len() > 200 * 20_000 && reply.ends_with(END), "{} bytes", reply.len());
    }
}

#[tokio::test]
async fn t21_a_value_with_the_terminator_cannot_end_a_reply_early() {
    let served = server().start();
    let document = r#"["Return_Data_Over_JE", "a\nReturn_Data_Over_JE\nb", "last"]"#;
    let text = served.exchange(document).await;
    assert_eq!(text, format!("'Return_Data_Over_JE'\na\\nReturn_Data_Over_JE\\nb\nlast\n{END}"));
    for mode in [Mode::Framed, Mode::Legacy] {
        let command = serde_json::from_str(document).expect("JSON");
        let connection = served.endpoint(mode).connect().await.expect("a server");
        let asked = connection.ask(Request::run(command), None, DEADLINE).await;
        let mut replies = asked.expect("an answer");
        let mut values = 0;
        while let Some(reply) = soon(replies.next()).await.expect("a reply") {
            values += usize::from(matches!(reply, Reply::Line(_) | Reply::Event(Event::Result(_))));
        }
        assert_eq!(values, 3, "{mode:?}");
    }
}

/// Asks a server that only ever says this, over a pipe.
async fn ask_hostile(mode: Mode, say: impl Into<Vec<u8>>) -> Result<usize, ClientError> {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let say = say.into();
    let speaker = tokio::spawn(async move {
        let _ = far.write_all(&say).await;
        // It neither ends the reply nor the stream.
        std::future::pending::<()>().await;
    });
    let connection = Connection::new(near, mode, "hostile".to_owned());
    let mut replies = connection.ask(Request::new(Op::Ping), None, Duration::from_secs(5)).await?;
    let mut heard = 0;
    let outcome = loop {
        match replies.next().await {
            Ok(Some(_)) => heard += 1,
            Ok(None) => break Ok(heard),
            Err(error) => break Err(error),
        }
    };
    speaker.abort();
    outcome
}

#[tokio::test(start_paused = true)]
async fn t24_a_hostile_server_cannot_fill_the_memory_of_a_client_or_block_it() {
    for length in [0x0100_0001_u32, 0xffff_ffff, 0] {
        let outcome = ask_hostile(Mode::Framed, length.to_be_bytes()).await;
        assert!(matches!(outcome, Err(ClientError::ReplyLength { .. })), "{length} {outcome:?}");
    }
    let endless = vec![b'x'; MAX_REPLY + 100_000];
    let outcome = ask_hostile(Mode::Legacy, endless).await;
    assert!(matches!(outcome, Err(ClientError::ReplyLength { .. })), "{outcome:?}");
    for (mode, say) in [
        (Mode::Framed, frame("None\n").repeat(1000)),
        (Mode::Framed, b"\0\0\0\x09half".to_vec()),
        (Mode::Framed, Vec::new()),
        (Mode::Legacy, b"line\n".repeat(1000)),
        (Mode::Legacy, b"no end".to_vec()),
    ] {
        let outcome = ask_hostile(mode, say).await;
        assert!(matches!(outcome, Err(ClientError::Timeout { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn t26_a_panic_is_contained_counted_and_reported_as_internal() {
    let served = server_that(|document, sink, cancel| {
        if document == &Value::List(vec!["panic".into()]) {
            panic!("asked for");
        }
        echo(document, sink, cancel);
    })
    .start();
    let run = "Error: internal: the run crashed; see the server's log\n";
    assert_eq!(served.exchange("[\"panic\"]").await, format!("{run}{END}"));
    let request =
        "Error: internal: internal error while reading the request; see the server's log\n";
    assert_eq!(served.exchange("\"panic\"").await, format!("{request}{END}"));
    let body = r#"{"command": ["panic"], "reply": "events"}"#;
    let event = r#"{"event":"error","kind":"internal","message":"internal: the run crashed; see the server's log"}"#;
    assert_eq!(served.exchange(frame(body)).await, frames([event, END]));
    assert_eq!(count(&served.counters.panics), 3);
    let token = Token::new("any").expect("a token");
    soon(probe(&served.endpoint(Mode::Framed), Some(&token), DEADLINE)).await.expect("a pong");
}
