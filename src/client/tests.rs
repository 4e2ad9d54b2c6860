use std::time::Duration;

use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::wire::frame::{frame_into, terminator_into};
use crate::wire::op::Op;

const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

fn document(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}

fn framed(bodies: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bodies.iter().for_each(|body| frame_into(body.as_bytes(), &mut bytes));
    bytes
}

fn terminated(bodies: &[&str]) -> Vec<u8> {
    let mut bytes = framed(bodies);
    terminator_into(Mode::Framed, &mut bytes);
    bytes
}

/// Sends a request to a server at the far end of a pipe with room for `room` bytes.
async fn asked(mode: Mode, room: usize) -> (Replies<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(room);
    let connection = Connection::new(near, mode, "there:1".to_owned());
    let replies = connection.ask(Request::run(&*document("[]")), None, IDLE_TIMEOUT).await;
    (replies.expect("a request that fits the pipe"), far)
}

/// All replies of a server that sends these bytes in pieces of 3 bytes and closes.
async fn replies(mode: Mode, answer: &[u8]) -> (Vec<Reply>, Result<bool, ClientError>) {
    let (near, mut far) = duplex(64);
    let answer = answer.to_vec();
    let server = tokio::spawn(async move {
        let mut request = [0; 64];
        assert_ne!(far.read(&mut request).await.expect("a request"), 0);
        for piece in answer.chunks(3) {
            far.write_all(piece).await.ok();
            tokio::task::yield_now().await;
        }
    });
    let connection = Connection::new(near, mode, "there:1".to_owned());
    let mut replies = connection
        .ask(Request::run(&*document("[]")), None, IDLE_TIMEOUT)
        .await
        .expect("a request that fits the pipe");
    let mut all = Vec::new();
    let end = loop {
        match replies.next().await {
            Ok(Some(reply)) => all.push(reply),
            Ok(None) => break Ok(replies.is_complete()),
            Err(error) => break Err(error),
        }
    };
    server.await.expect("a server");
    (all, end)
}

fn lines(replies: &[Reply]) -> Vec<&str> {
    replies
        .iter()
        .map(|reply| match reply {
            Reply::Line(line) => line.as_str(),
            Reply::Event(event) => panic!("{event:?} is no line"),
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn lines_are_read_until_the_terminator_in_both_modes() {
    for (mode, answer) in [
        (Mode::Legacy, b"None\n{'a': 1}\nReturn_Data_Over_JE\nmore\n".to_vec()),
        (Mode::Framed, [terminated(&["None\n", "{'a': 1}\n"]), framed(&["more\n"])].concat()),
    ] {
        let (all, end) = replies(mode, &answer).await;
        assert_eq!(lines(&all), ["None", "{'a': 1}"], "{mode:?}");
        assert!(matches!(end, Ok(true)), "{mode:?}: {end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_are_read_and_those_of_later_versions_ignored() {
    let (all, end) = replies(
        Mode::Framed,
        &terminated(&[
            r#"{"event": "accepted", "protocol": 1, "run": 3, "actions": 1}"#,
            r#"{"event": "applause", "loudness": 11}"#,
            r#"{"event": "done", "ok": true, "failed": 0, "elapsed_s": 0.5, "new": []}"#,
        ]),
    )
    .await;
    let accepted =
        Event::Accepted { protocol: 1, run: 3, actions: 1, name: None, state: None, queued: None };
    let done =
        Event::Done { ok: true, failed: 0, elapsed_s: 0.5, run: None, state: None, message: None };
    assert_eq!(all, [Reply::Event(accepted), Reply::Event(done)]);
    assert!(matches!(end, Ok(true)), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_ends_a_text_reply() {
    for (line, complete) in
        [("Error: unauthorised", true), ("Server shutting down", true), ("None", false)]
    {
        let (all, end) = replies(Mode::Legacy, format!("{line}\n").as_bytes()).await;
        assert_eq!(lines(&all), [line]);
        assert_eq!(end.expect("an end"), complete, "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_reply_without_a_terminator_is_truncated() {
    let accepted = r#"{"event": "accepted", "protocol": 1, "run": 3, "actions": 1}"#;
    let (all, end) = replies(Mode::Framed, &framed(&[accepted])).await;
    assert_eq!(all.len(), 1);
    assert!(matches!(end, Err(ClientError::Truncated { .. })), "{end:?}");
}

/// Checks the error for a reply that begins with these bytes.
async fn check_opening(mode: Mode, answer: &[u8], expected: &str) {
    let (all, end) = replies(mode, answer).await;
    assert_eq!(all, [], "{mode:?}");
    let error = end.expect_err("an error");
    assert_eq!(error.line(), expected, "{mode:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_of_another_kind_is_recognized_by_its_first_bytes() {
    let alert = [0x15, 0x03, 0x03, 0, 2, 2, 70];
    for mode in [Mode::Legacy, Mode::Framed] {
        check_opening(mode, &alert, "there:1: the port speaks TLS; add --tls").await;
        check_opening(
            mode,
            b"",
            "there:1: closed without a reply; check --port, --tls and --legacy, or the server's log",
        )
        .await;
    }
    let framed_only = "there:1: this port accepts framed requests only; drop --legacy";
    check_opening(Mode::Legacy, &terminated(&[]), framed_only).await;
    let legacy_only = "there:1: this port accepts legacy requests only; add --legacy";
    check_opening(Mode::Framed, b"Error: Expecting value\n", legacy_only).await;
    let other = "there:1: not a control server; check --host and --port";
    check_opening(Mode::Framed, b"HTTP/1.1 400 Bad Request\r\n\r\n", other).await;
    check_opening(Mode::Framed, b"SSH-2.0-x\r\n", other).await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_ends_within_a_frame_or_line_is_truncated() {
    for (mode, answer) in [(Mode::Framed, &b"\0\0\0\x05Non"[..]), (Mode::Legacy, b"Non")] {
        let (_, end) = replies(mode, answer).await;
        assert!(matches!(end, Err(ClientError::Truncated { .. })), "{mode:?}: {end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn t24_a_frame_of_4_gib_is_refused_with_its_header() {
    let (mut replies, mut far) = asked(Mode::Framed, 64).await;
    far.write_all(&[0xff; 4]).await.expect("room");
    let error = replies.next().await.expect_err("a refusal");
    assert_eq!(
        error.line(),
        "there:1: a reply cannot be read (frame length 4294967295 is outside 1..=16777216); \
         check that the port is a control server's"
    );
    assert!(replies.buffer.held() < 1024, "{} bytes held", replies.buffer.held());
}

#[tokio::test]
async fn t24_endless_frames_do_not_grow_the_clients_memory() {
    let (mut replies, mut far) = asked(Mode::Framed, 4096).await;
    let server = tokio::spawn(async move {
        let frame = framed(&[&"x".repeat(1000)]);
        while far.write_all(&frame).await.is_ok() {}
    });
    for _ in 0..20_000 {
        assert!(matches!(replies.next().await, Ok(Some(Reply::Line(_)))));
        assert!(replies.buffer.held() < 64 * 1024, "{} bytes held", replies.buffer.held());
    }
    drop(replies);
    server.await.expect("a server");
}

#[tokio::test]
async fn t24_an_endless_line_is_refused_at_the_cap() {
    let (mut replies, mut far) = asked(Mode::Legacy, 4096).await;
    replies.most = 64 * 1024;
    let server = tokio::spawn(async move { while far.write_all(&[b'x'; 1024]).await.is_ok() {} });
    let error = replies.next().await.expect_err("a refusal");
    assert!(matches!(error, ClientError::ReplyLength { .. }), "{error:?}");
    assert!(replies.buffer.held() < 256 * 1024, "{} bytes held", replies.buffer.held());
    drop(replies);
    server.await.expect("a server");
}

#[tokio::test(start_paused = true)]
async fn t24_a_reply_without_a_terminator_times_out_after_the_last_reply() {
    let (mut replies, mut far) = asked(Mode::Framed, 64).await;
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(6)).await;
    far.write_all(&framed(&["None\n"])).await.expect("room");
    assert!(matches!(replies.next().await, Ok(Some(Reply::Line(_)))));
    let error = replies.next().await.expect_err("silence");
    assert_eq!(error.line(), "there:1: no reply within 10 s; raise --timeout, or check the server");
    assert_eq!(started.elapsed().as_secs(), 16);
}

#[tokio::test(start_paused = true)]
async fn t24_bytes_that_complete_no_reply_do_not_extend_the_wait() {
    let (mut replies, mut far) = asked(Mode::Framed, 64).await;
    let started = Instant::now();
    let server = tokio::spawn(async move {
        let mut bytes = framed(&["x".repeat(50).as_str()]).into_iter();
        while let Some(byte) = bytes.next()
            && far.write_all(&[byte]).await.is_ok()
        {
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
    });
    let error = replies.next().await.expect_err("a timeout");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    assert_eq!(started.elapsed().as_secs(), 10);
    drop(replies);
    server.await.expect("a server");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_reads_nothing_times_out() {
    let (near, _far) = duplex(8);
    let connection = Connection::new(near, Mode::Framed, "there:1".to_owned());
    let error =
        connection.ask(Request::new(Op::Ping), None, IDLE_TIMEOUT).await.expect_err("a timeout");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn dropping_a_wait_loses_no_data() {
    let (mut replies, mut far) = asked(Mode::Framed, 64).await;
    let answer = terminated(&["None\n"]);
    let mut all = Vec::new();
    for piece in answer.chunks(2) {
        far.write_all(piece).await.expect("room");
        if let Ok(reply) = timeout(Duration::from_millis(1), replies.next()).await {
            all.push(reply.expect("no error"));
        }
    }
    assert_eq!(all, [Some(Reply::Line("None".to_owned())), None]);
}

#[tokio::test]
async fn a_legacy_request_that_is_too_long_is_refused_before_connecting() {
    // Nothing can listen on port 0, so an attempt to connect would fail with another error.
    let endpoint = Endpoint { mode: Mode::Legacy, ..Endpoint::new("127.0.0.1", 0) };
    let long = document(&format!("[\"{}\"]", "x".repeat(8192)));
    let error =
        endpoint.ask(Request::run(&*long), None, IDLE_TIMEOUT).await.expect_err("a refusal");
    assert_eq!(
        error.line(),
        "the request has 8196 bytes, over the limit of 8192 of this mode; \
         leave out --legacy, or send it in parts"
    );
}

/// Checks the refusal in a first line.
async fn check_refusal(line: &str, expected: &str) {
    let (mut replies, mut far) = asked(Mode::Framed, 1024).await;
    far.write_all(&framed(&[&format!("{line}\n")])).await.expect("room");
    let reply = replies.next().await.expect("a reply").expect("a line");
    let error = replies.refusal(&reply).expect("a refusal");
    assert_eq!(error.line(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_what_to_change() {
    let token = "there:1: the server requires a token; give it with --token-env or --token-file";
    check_refusal("Error: token required", token).await;
    // The request carried no token.
    check_refusal("Error: unauthorised", token).await;
    check_refusal(
        "Error: busy: run 3 has 20 s to go",
        "there:1: busy: run 3 has 20 s to go; try again later",
    )
    .await;
    check_refusal(
        "Error: Expecting value: line 1 column 1 (char 0)",
        "there:1: Expecting value: line 1 column 1 (char 0)",
    )
    .await;
    check_refusal(
        "Error: this port speaks TLS; connect with TLS",
        "there:1: the port speaks TLS; add --tls",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_looks_like_a_refusal_is_a_record_after_the_first_line() {
    let (mut replies, mut far) = asked(Mode::Framed, 1024).await;
    far.write_all(&terminated(&["None\n", "Error: unauthorised\n"])).await.expect("room");
    replies.next().await.expect("a reply");
    let second = replies.next().await.expect("a reply").expect("a line");
    assert!(replies.refusal(&second).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_and_a_missing_one_have_different_errors() {
    let (near, mut far) = duplex(1024);
    let token = Token::new("guess").expect("a token");
    let connection = Connection::new(near, Mode::Framed, "there:1".to_owned());
    let mut replies =
        connection.ask(Request::new(Op::Ping), Some(&token), IDLE_TIMEOUT).await.expect("replies");
    far.write_all(&framed(&["Error: unauthorised\n"])).await.expect("room");
    let reply = replies.next().await.expect("a reply").expect("a line");
    let error = replies.refusal(&reply).expect("a refusal");
    assert_eq!(
        error.line(),
        "there:1: the token is wrong; give the server's with --token-env or --token-file"
    );
}
