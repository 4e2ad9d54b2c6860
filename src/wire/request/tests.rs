//! Requests as clients write them and servers read them.

use super::*;

type Outcome = Result<(Op, Option<Value>), Refusal>;

fn tokens() -> Tokens {
    Tokens::new([&Token::new("s3cret").expect("a token")])
}

fn read(text: &str, tokens: &Tokens) -> Outcome {
    match Incoming::read(text.as_bytes(), Mode::Framed, tokens).request {
        Ok(request) => Ok((request.op, request.document)),
        Err(rejection) => Err(rejection.refusal),
    }
}

fn command(json: &str) -> Outcome {
    Ok((Op::Run, Some(Value::parse(json).expect("JSON"))))
}

fn only(op: Op) -> Outcome {
    Ok((op, None))
}

fn unauthorised() -> Outcome {
    Err(Refusal::unauthorised())
}

fn token_required() -> Outcome {
    Err(Refusal::token_required())
}

#[test]
fn without_a_token_every_form_of_request_is_recognized() {
    for (text, request) in [
        (" \t\r\n\x0b\x0cquit_server \n", only(Op::Quit)),
        ("null", only(Op::Run)),
        ("[]", command("[]")),
        ("\"quit_server\"", command("\"quit_server\"")),
        ("{\"op\": \"quit\"}", command("{\"op\": \"quit\"}")),
        ("{\"op\": \"quit\", \"command\": [1]}", only(Op::Quit)),
        ("{\"op\": \"quit\", \"token\": null}", only(Op::Quit)),
        ("{\"op\": [\"quit\"], \"command\": [1]}", command("[1]")),
        ("{\"op\": \"ping\", \"command\": null}", only(Op::Ping)),
        ("{\"op\": \"ping\", \"command\": [1]}", command("[1]")),
        ("{\"op\": \"ping\"}", command("{\"op\": \"ping\"}")),
        ("{\"op\": \"status\", \"token\": null}", only(Op::Status)),
        ("{\"op\": \"status\", \"command\": [1]}", command("[1]")),
        ("{\"op\": \"stop\", \"command\": null}", only(Op::Stop)),
        ("{\"op\": \"stop\", \"command\": [1]}", command("[1]")),
        ("{\"op\": \"Stop\", \"token\": null}", only(Op::Run)),
        ("{\"op\": \"runs\", \"token\": null}", only(Op::Runs)),
        ("{\"op\": \"attach\", \"token\": null, \"run\": 7}", only(Op::Attach)),
        ("{\"token\": null}", only(Op::Run)),
        ("{\"token\": \"any\", \"command\": 5}", command("5")),
        ("{\"command\": {\"command\": [1]}}", command("{\"command\": [1]}")),
    ] {
        assert_eq!(read(text, &Tokens::none()), request, "{text:?}");
    }
}

#[test]
fn with_a_token_the_checks_have_the_order_of_the_reference() {
    for (text, request) in [
        ("quit_server", token_required()),
        ("[]", token_required()),
        ("null", token_required()),
        ("{\"op\": \"quit\"}", token_required()),
        ("[{\"token\": \"s3cret\", \"command\": []}]", token_required()),
        ("{\"command\": [1]}", unauthorised()),
        ("{\"token\": \"s3cre\", \"command\": [1]}", unauthorised()),
        ("{\"token\": \"s3cret \", \"command\": [1]}", unauthorised()),
        ("{\"token\": \"\", \"command\": [1]}", unauthorised()),
        ("{\"token\": 5, \"command\": [1]}", unauthorised()),
        ("{\"token\": [\"s3cret\"], \"op\": \"quit\"}", unauthorised()),
        ("{\"token\": \"s3cret\", \"op\": \"quit\", \"command\": [1]}", only(Op::Quit)),
        ("{\"token\": \"s3cret\", \"op\": \"ping\"}", only(Op::Ping)),
        ("{\"token\": \"s3cret\", \"op\": \"status\"}", only(Op::Status)),
        ("{\"token\": \"s3cret\", \"op\": \"stop\"}", only(Op::Stop)),
        ("{\"token\": \"wrong\", \"op\": \"stop\"}", unauthorised()),
        ("{\"token\": null, \"op\": \"status\"}", unauthorised()),
        ("{\"token\": \"s3cret\"}", only(Op::Run)),
        ("{\"token\": \"s3cret\", \"command\": [1]}", command("[1]")),
    ] {
        assert_eq!(read(text, &tokens()), request, "{text:?}");
    }
}

#[test]
fn text_that_is_not_json_is_refused_before_the_token_is_checked() {
    for text in ["{\"token\": ", "", "\u{feff}[]", "[1 2]", "QUIT_SERVER"] {
        match read(text, &tokens()) {
            Err(refusal) => {
                assert_eq!(refusal.kind, ErrorKind::InvalidJson);
                assert!(refusal.message.contains(": line 1 column "), "{}", refusal.message);
            }
            other => panic!("{text:?} became {other:?}"),
        }
    }
}

#[test]
fn t27_a_token_is_judged_without_parsing_the_document() {
    // Values that no parser of ours would return: the parser is not asked.
    let deep = format!("{}{}", "[".repeat(126), "]".repeat(126));
    for command in [r#"[{"":0},{"":0}]"#, &deep, "1e400"] {
        for (text, refusal) in [
            (format!(r#"{{"command": {command}, "token": "wrong"}}"#), Refusal::unauthorised()),
            (format!("[{command}]"), Refusal::token_required()),
            (format!(r#"{{"command": {command}}}"#), Refusal::unauthorised()),
        ] {
            let mut reading = Reading::new(text.as_bytes(), Mode::Framed);
            let incoming = reading.step(&tokens()).expect("one step");
            assert_eq!(incoming.request.expect_err("refused").refusal, refusal, "{text}");
        }
    }
    let text = r#" {"to\u006ben": "x", "command": [1], "token": "s3cr\u0065t"} "#;
    let incoming = Reading::new(text.as_bytes(), Mode::Framed).step(&tokens());
    let located = incoming.expect("one step").request.expect("a request").document;
    assert_eq!(located.expect("a document").text(text.as_bytes()), "[1]");
}

#[test]
fn t27_a_large_request_is_read_in_steps_that_are_bounded_and_as_many_as_its_size_requires() {
    let list = |count: usize, end: &str| format!("[{}]{end}", vec![r#"{"":0}"#; count].join(","));
    let steps = |text: &str| {
        let mut reading = Reading::new(text.as_bytes(), Mode::Framed);
        let mut steps = 1;
        while reading.step(&tokens()).is_none() {
            steps += 1;
        }
        steps
    };
    for end in ["", "\n x"] {
        let (small, large) = (list(20_000, end), list(80_000, end));
        let (few, many) = (steps(&small), steps(&large));
        assert!(few <= 3 * (small.len() / STEP + 2), "{few}");
        assert!(many <= 4 * few, "{few} {many}");
    }
}

#[test]
fn t30_the_beginning_of_a_request_shows_its_token_where_clients_write_it() {
    for (begins, body) in [
        (true, r#"{"token": "s3cret", "command": [["#),
        (true, "\n{ \"token\"\t:\"s3cr\\u0065t\","),
        (false, r#"{"token": "s3cre", "command": [["#),
        (false, r#"{"token": "s3cret"#),
        (false, r#"{"token": "s3cret\""#),
        (false, r#"{"command": [], "token": "s3cret"}"#),
        (false, r#"[{"token": "s3cret"}"#),
        (false, r#"{"token": 5, "#),
        (false, ""),
    ] {
        assert_eq!(begins_with_token(body.as_bytes(), &tokens()), begins, "{body}");
    }
    assert!(!begins_with_token(br#"{"token": "", "#, &Tokens::none()));
}

#[test]
fn a_thousand_nested_lists_are_refused_and_do_not_overflow_the_stack() {
    let text = "[".repeat(100_000);
    match read(&text, &Tokens::none()) {
        Err(refusal) => {
            assert_eq!(refusal.message, "recursion limit exceeded at line 1 column 128");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn invalid_utf8_is_replaced_and_counted_in_characters() {
    let incoming = Incoming::read(b"\n[\"\xffa\xc3\xa9\"] ", Mode::Legacy, &Tokens::none());
    let request = incoming.request.expect("a request");
    assert_eq!(Ok((request.op, request.document)), command("[\"\u{fffd}aé\"]"));
    assert_eq!(incoming.characters, 7);
}

#[test]
fn only_framed_envelopes_can_request_events() {
    let envelope = b"{\"command\": [1], \"reply\": \"events\"}";
    let read = |mode, tokens: Tokens| Incoming::read(envelope, mode, &tokens).request;
    let dialect = |mode| read(mode, Tokens::none()).expect("a request").dialect;
    assert_eq!(dialect(Mode::Framed), Dialect::Events);
    assert_eq!(dialect(Mode::Legacy), Dialect::Text);
    let rejection = read(Mode::Framed, tokens()).expect_err("a rejection");
    let (refusal, dialect) = (Refusal::unauthorised(), Dialect::Events);
    assert_eq!(rejection, Rejection { refusal, dialect });
}

fn check_bytes(request: Request<&RawValue>, mode: Mode, token: Option<&str>, bytes: &str) {
    let token = token.map(|token| Token::new(token).expect("a token"));
    let sent = request.to_bytes(mode, token.as_ref()).expect("short enough");
    let body = if mode == Mode::Framed { &sent[4..] } else { &sent[..] };
    assert_eq!(String::from_utf8_lossy(body), bytes);
}

#[test]
fn both_kinds_of_server_read_what_a_client_sends() {
    let document: Box<RawValue> = serde_json::from_str("[[\"a\", [1e999]]]").expect("JSON");
    let run = Request::run(&*document);
    let (quit, ping) = (Request::new(Op::Quit), Request::new(Op::Ping));
    check_bytes(run.clone(), Mode::Legacy, None, r#"[["a", [1e999]]]"#);
    let enveloped = r#"{"token":"é\"","command":[["a", [1e999]]]}"#;
    check_bytes(run.clone(), Mode::Legacy, Some("é\""), enveloped);
    check_bytes(
        run.clone(),
        Mode::Framed,
        None,
        r#"{"command":[["a", [1e999]]],"reply":"events"}"#,
    );
    check_bytes(quit.clone(), Mode::Legacy, None, "quit_server");
    check_bytes(quit.clone(), Mode::Legacy, Some("T"), r#"{"token":"T","op":"quit"}"#);
    check_bytes(quit.clone(), Mode::Framed, None, r#"{"token":null,"op":"quit","reply":"events"}"#);
    check_bytes(ping.clone(), Mode::Legacy, None, r#"{"token":null,"op":"ping"}"#);
    let status = Request::new(Op::Status);
    check_bytes(status.clone(), Mode::Legacy, Some("T"), r#"{"token":"T","op":"status"}"#);
    let stop = r#"{"token":null,"op":"stop","reply":"events"}"#;
    check_bytes(Request::new(Op::Stop), Mode::Framed, None, stop);
    let events = r#"{"token":"T","op":"ping","reply":"events"}"#;
    check_bytes(ping.clone(), Mode::Framed, Some("T"), events);
    let text = Request { dialect: Dialect::Text, ..ping.clone() };
    check_bytes(text, Mode::Framed, Some("T"), r#"{"token":"T","op":"ping"}"#);
}

/// What a server reads from a client's request.
fn sent(request: Request<&RawValue>, mode: Mode, token: Option<&Token>) -> Request<Value> {
    let bytes = request.to_bytes(mode, token).expect("short enough");
    let body = if mode == Mode::Framed { &bytes[HEADER..] } else { &bytes[..] };
    let tokens = token.map_or_else(Tokens::none, |token| Tokens::new([token]));
    Incoming::read(body, mode, &tokens).request.expect("a request")
}

#[test]
fn every_operation_is_read_back_in_every_mode_and_dialect() {
    let raw: Box<RawValue> = serde_json::from_str("[[\"a\"]]").expect("JSON");
    let token = Token::new("s3cret").expect("a token");
    for op in Op::ALL {
        for mode in [Mode::Legacy, Mode::Framed] {
            if mode == Mode::Legacy && op.needs_events() {
                continue;
            }
            for wanted in [Dialect::Text, Dialect::Events] {
                for token in [None, Some(&token)] {
                    let document = (op == Op::Run).then_some(&*raw);
                    let read = sent(
                        Request { document, dialect: wanted, ..Request::new(op) },
                        mode,
                        token,
                    );
                    let place = format!("{op:?} {mode:?} {wanted:?} {token:?}");
                    assert_eq!(read.op, op, "{place}");
                    let parse = |raw: &RawValue| Value::parse(raw.get()).expect("JSON");
                    assert_eq!(read.document, document.map(parse), "{place}");
                    let legacy = mode == Mode::Legacy;
                    let expected = match wanted {
                        _ if legacy => Dialect::Text,
                        _ if op.needs_events() => Dialect::Events,
                        wanted => wanted,
                    };
                    assert_eq!(read.dialect, expected, "{place}");
                }
            }
        }
    }
}

#[test]
fn parameters_belong_to_the_event_dialect_and_their_mistakes_to_those_with_the_token() {
    let read = |text: &str, mode| Incoming::read(text.as_bytes(), mode, &Tokens::none()).request;
    let named = r#"{"command": [1], "name": "n", "detach": true, "reply": "events"}"#;
    let request = read(named, Mode::Framed).expect("a request");
    assert_eq!((request.parameters.name.as_deref(), request.parameters.detach), (Some("n"), true));
    assert_eq!(read(named, Mode::Legacy).expect("a request").parameters, Parameters::default());
    let wrong = r#"{"command": [1], "queue": "long", "reply": "events"}"#;
    let rejection = read(wrong, Mode::Framed).expect_err("a rejection");
    assert_eq!(rejection.dialect, Dialect::Events);
    assert!(rejection.refusal.message.starts_with("queue: expected 0 to "), "{rejection:?}");
    assert!(read(wrong, Mode::Legacy).is_ok());
    let guarded = Incoming::read(wrong.as_bytes(), Mode::Framed, &tokens()).request;
    assert_eq!(guarded.expect_err("a rejection").refusal, Refusal::unauthorised());
    let rejection = read(r#"{"op": "runs", "token": null}"#, Mode::Legacy).expect_err("frames");
    assert_eq!(rejection.refusal.message, "runs needs a framed request");
}

#[test]
fn a_request_that_no_server_accepts_is_not_sent() {
    let document: Box<RawValue> =
        serde_json::from_str(&format!("\"{}\"", "x".repeat(MAX_LEGACY))).expect("JSON");
    let refusal = Request::run(&*document).to_bytes(Mode::Legacy, None).unwrap_err();
    assert_eq!(refusal, TooLong { length: MAX_LEGACY + 2, most: MAX_LEGACY });
}
