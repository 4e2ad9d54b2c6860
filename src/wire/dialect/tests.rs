use super::*;
use crate::counters::Counts;
use crate::event::{
    ActionResult, ErrorKind, Failure, FailureKind, PROTOCOL, Pong, Progress, Queued, ReportFormat,
    RunInfo, State, Status,
};
use crate::value::Value;
use crate::wire::frame::{HEADER, frame_into};
use crate::wire::text;

/// One or more events of every variant, each with its line in the reply to a document, if it has one.
fn samples() -> Vec<(Event, Option<&'static str>)> {
    let json = r#"{"a": [1, 2.5, 123456789012345678901234567890], "b": null}"#;
    let value = Value::parse(json).expect("JSON");
    let busy = Failure::new(FailureKind::Busy, "another test is running: X");
    let pong = Pong {
        server: "ldctl".to_owned(),
        version: "0.1.0".to_owned(),
        protocol: PROTOCOL,
        uptime_s: 0.000_012_5,
        runs: 3,
        counts: None,
    };
    let counts = Counts { connections: u64::MAX, timeouts: 4, ..Counts::default() };
    let run = RunInfo {
        run: 3,
        name: Some("soak".to_owned()),
        elapsed_s: Some(12.0),
        remaining_s: Some(1e-7),
        users: Some(5),
        requests: Some(u64::MAX),
        failures: Some(0),
        ..RunInfo::default()
    };
    let lost = RunInfo { held: true, message: Some("its client left".to_owned()), ..run.clone() };
    let queued = Queued { position: 2, holder: Some(3), holder_remaining_s: Some(1.5e-7) };
    let progress =
        Progress { elapsed_s: 1.1, remaining_s: Some(1e-7), rps: 12345.678, ..Progress::default() };
    let kind = ErrorKind::InvalidDocument;
    let plain = ActionResult::new(3, "abs", Ok(value.clone()));
    let rich = ActionResult {
        text: Some("{'status': 'done'}".to_owned()),
        warnings: vec!["a core was busy".to_owned()],
        ..plain.clone()
    };
    vec![
        (
            Event::Accepted {
                protocol: PROTOCOL,
                run: 7,
                actions: 2,
                name: None,
                state: None,
                queued: None,
            },
            None,
        ),
        (Event::Started { index: 1, command: "abs".to_owned() }, None),
        (Event::Progress(progress), None),
        (Event::Progress(Progress::default()), None),
        (Event::Detail { index: 1, text: "GET / 200".to_owned() }, None),
        (Event::Result(plain), Some("{'a': [1, 2.5, 123456789012345678901234567890], 'b': None}")),
        (Event::Result(rich), Some("{'status': 'done'}")),
        (Event::Result(ActionResult::new(0, "", Ok(Value::Null))), Some("None")),
        (
            Event::Result(ActionResult::new(3, "", Err(busy))),
            Some("RuntimeError('another test is running: X')"),
        ),
        (Event::Error { kind, message: "wrong".to_owned() }, Some("Error: wrong")),
        (Event::Pong(pong.clone()), None),
        (Event::Pong(Pong { counts: Some(counts), ..pong }), None),
        (Event::Status(Status::IDLE), Some("no test is running")),
        (
            Event::Status(Status { state: State::Running, run: Some(Box::new(run.clone())) }),
            Some(
                "running: soak of run 3, 12 s so far, 0 s left, 5 users, \
                 18446744073709551615 requests, 0 failed",
            ),
        ),
        (
            Event::Status(Status { state: State::Lost, run: Some(Box::new(lost)) }),
            Some(
                "lost: soak of run 3, 12 s, 5 users, 18446744073709551615 requests, 0 failed; its \
                 client left",
            ),
        ),
        (
            Event::Accepted {
                protocol: PROTOCOL,
                run: 8,
                actions: 2,
                name: Some("soak".to_owned()),
                state: Some(State::Queued),
                queued: Some(queued),
            },
            None,
        ),
        (Event::Queued(queued), None),
        (Event::Alive, None),
        (
            Event::Runs { runs: vec![Status { state: State::Passed, run: Some(Box::new(run)) }] },
            None,
        ),
        (
            Event::Report {
                format: ReportFormat::Html,
                text: "<p>\u{2028}\u{1b}".to_owned(),
                warnings: vec!["of a part".to_owned()],
            },
            None,
        ),
        (
            Event::Report {
                format: ReportFormat::Other,
                text: String::new(),
                warnings: Vec::new(),
            },
            None,
        ),
        (Event::Link { url: "http://localhost:1/open/k".to_owned(), expires_s: 60.0 }, None),
        (
            Event::Done {
                ok: false,
                failed: 1,
                elapsed_s: 1e-7,
                run: None,
                state: None,
                message: None,
            },
            None,
        ),
        (
            Event::Done {
                ok: true,
                failed: 0,
                elapsed_s: 0.5,
                run: Some(3),
                state: Some(State::Passed),
                message: None,
            },
            None,
        ),
    ]
}

/// The variant's name. New variants are added here and to [`samples`].
fn variant(event: &Event) -> &'static str {
    match event {
        Event::Accepted { .. } => "accepted",
        Event::Alive => "alive",
        Event::Queued(_) => "queued",
        Event::Runs { .. } => "runs",
        Event::Report { .. } => "report",
        Event::Link { .. } => "link",
        Event::Started { .. } => "started",
        Event::Progress(_) => "progress",
        Event::Detail { .. } => "detail",
        Event::Result(_) => "result",
        Event::Error { .. } => "error",
        Event::Pong(_) => "pong",
        Event::Status(_) => "status",
        Event::Done { .. } => "done",
    }
}

/// Decodes a reply as a client; returns also whether the terminator came last.
fn read(mut reply: &[u8], mode: Mode) -> (Vec<Reply>, bool) {
    let (mut decoder, mut replies) = (Decoder::default(), Vec::new());
    while !reply.is_empty() {
        let (body, rest) = match (mode, reply.split_first_chunk::<HEADER>()) {
            (Mode::Framed, Some((length, rest))) => {
                rest.split_at(u32::from_be_bytes(*length) as usize)
            }
            _ => reply.split_at(reply.iter().position(|b| *b == b'\n').expect("a line") + 1),
        };
        reply = rest;
        match decoder.read(body, mode) {
            Decoded::End => return (replies, reply.is_empty()),
            Decoded::Reply(reply) => replies.push(reply),
            Decoded::Unknown => panic!("an unknown event"),
        }
    }
    (replies, false)
}

fn written(op: Op, mode: Mode, dialect: Dialect, event: &Event) -> Vec<u8> {
    let mut reply = Vec::new();
    let format = ReplyFormat { mode, dialect, op };
    format.reply_into(std::slice::from_ref(event), &mut reply);
    reply
}

#[test]
fn every_event_is_decoded_as_itself_or_as_its_line() {
    let mut variants = Vec::new();
    for (event, line) in samples() {
        variants.push(variant(&event));
        let json = serde_json::to_value(&event).expect("JSON");
        assert_eq!(json["event"], variant(&event));
        let events = written(Op::Run, Mode::Framed, Dialect::Events, &event);
        assert_eq!(read(&events, Mode::Framed), (vec![Reply::Event(event.clone())], true));
        for mode in [Mode::Legacy, Mode::Framed] {
            let text = written(Op::Run, mode, Dialect::Text, &event);
            let lines: Vec<Reply> =
                line.map(|line| Reply::Line(line.to_owned())).into_iter().collect();
            assert_eq!(read(&text, mode), (lines, true), "{event:?}");
        }
    }
    variants.sort_unstable();
    variants.dedup();
    let all = [
        "accepted", "alive", "detail", "done", "error", "link", "pong", "progress", "queued",
        "report", "result", "runs", "started", "status",
    ];
    assert_eq!(variants, all);
}

#[test]
fn every_operation_except_a_quit_in_text_ends_with_the_terminator() {
    for op in Op::ALL {
        for mode in [Mode::Legacy, Mode::Framed] {
            let (lines, terminated) = read(&written(op, mode, Dialect::Text, &Event::DONE), mode);
            let quit = vec![Reply::Line(text::SHUTTING_DOWN.to_owned())];
            let expected = if op == Op::Quit { (quit, false) } else { (Vec::new(), true) };
            assert_eq!((lines, terminated), expected, "{op:?} {mode:?}");
        }
        let events = written(op, Mode::Framed, Dialect::Events, &Event::DONE);
        let done = vec![Reply::Event(Event::DONE)];
        assert_eq!(read(&events, Mode::Framed), (done, true), "{op:?}");
    }
}

fn refused(refusal: &Refusal, mode: Mode) -> Vec<u8> {
    let mut out = Vec::new();
    refusal.reply_into(mode, Dialect::Text, &mut out);
    out
}

#[test]
fn refusals_of_the_token_end_without_a_terminator() {
    assert_eq!(refused(&Refusal::token_required(), Mode::Legacy), b"Error: token required\n");
    let unauthorised = refused(&Refusal::unauthorised(), Mode::Framed);
    assert_eq!(unauthorised, b"\0\0\0\x14Error: unauthorised\n");
}

#[test]
fn other_refusals_end_with_a_terminator() {
    assert_eq!(
        refused(&Refusal::invalid_document(), Mode::Framed),
        b"\0\0\0\x43Error: executor received invalid data: list is empty or wrong type\n\
          \0\0\0\x14Return_Data_Over_JE\n"
    );
    let bad = crate::wire::frame::BadLength { length: 0, most: 1 << 20 };
    assert_eq!(
        refused(&bad.into(), Mode::Legacy),
        b"Error: frame length 0 is outside 1..=1048576\nReturn_Data_Over_JE\n"
    );
}

#[test]
fn a_quit_in_text_ends_with_the_connection_and_in_events_with_the_terminator() {
    let text = written(Op::Quit, Mode::Framed, Dialect::Text, &Event::DONE);
    assert_eq!(text, b"\0\0\0\x15Server shutting down\n");
    let done = br#"{"event":"done","ok":true,"failed":0,"elapsed_s":0.0}"#;
    let mut expected = Vec::new();
    frame_into(done, &mut expected);
    terminator_into(Mode::Framed, &mut expected);
    assert_eq!(written(Op::Quit, Mode::Framed, Dialect::Events, &Event::DONE), expected);
}

#[test]
fn additions_of_newer_servers_are_ignored() {
    let read = |frames: &[&str]| {
        let mut decoder = Decoder::default();
        frames.iter().map(|f| decoder.read(f.as_bytes(), Mode::Framed)).collect::<Vec<_>>()
    };
    let done =
        Event::Done { ok: true, failed: 0, elapsed_s: 1.10, run: None, state: None, message: None };
    assert_eq!(
        read(&[
            r#"{"event": "novelty", "x": 1}"#,
            r#"{"event": "done", "ok": true, "failed": 0, "elapsed_s": 1.10, "extra": 10.50}"#,
            "Return_Data_Over_JE\n",
        ]),
        [Decoded::Unknown, Decoded::Reply(Reply::Event(done)), Decoded::End]
    );
}

#[test]
fn a_record_of_a_text_server_is_never_mistaken_for_an_event() {
    let mut decoder = Decoder::default();
    let done = r#"{"event":"done","ok":true,"failed":0,"elapsed_s":0.0}"#;
    assert_eq!(
        decoder.read(b"None\n", Mode::Framed),
        Decoded::Reply(Reply::Line("None".to_owned()))
    );
    assert_eq!(
        decoder.read(done.as_bytes(), Mode::Framed),
        Decoded::Reply(Reply::Line(done.to_owned()))
    );
}
