//! Requests: nothing is done without the token where one is required, every refusal of one is the
//! same bytes, and what a client writes is what a server reads.

use std::sync::LazyLock;

use ldctl::event::ErrorKind;
use ldctl::value::{Map, Value};
use ldctl::wire::dialect::{Decoded, Decoder, Dialect, Reply};
use ldctl::wire::frame::{HEADER, MAX_LEGACY, MAX_REQUEST, Mode, QUIT, strip};
use ldctl::wire::op::Op;
use ldctl::wire::refusal::Refusal;
use ldctl::wire::request::{Incoming, Rejection, Request};
use ldctl::wire::token::{Token, Tokens};
use serde_json::value::RawValue;

use super::support::{one_line, options};

const SECRET: &str = "s3cret";

static TOKEN: LazyLock<Token> = LazyLock::new(|| Token::new(SECRET).expect("a token"));
static REQUIRED: LazyLock<Tokens> = LazyLock::new(|| Tokens::new([&*TOKEN]));

/// The first byte chooses frames or legacy text; the rest is a request, and if it is JSON also a
/// document to be sent.
pub fn check(data: &[u8]) {
    let ([choice], bytes) = options::<1>(data);
    let mode = if choice & 1 == 0 { Mode::Framed } else { Mode::Legacy };
    let text = String::from_utf8_lossy(strip(bytes));
    let value = Value::parse(&text).ok();
    for tokens in [&Tokens::none(), &*REQUIRED] {
        let incoming = Incoming::read(bytes, mode, tokens);
        assert_eq!(incoming.characters, text.chars().count());
        let (outcome, dialect) = outcome(incoming.request);
        assert!(dialect == Dialect::Text || mode == Mode::Framed);
        guarded(&outcome, &text, value.as_ref(), tokens);
        if let Err(refusal) = &outcome {
            told(refusal, mode, dialect);
        }
    }
    if let Ok(document) = serde_json::from_slice::<&RawValue>(bytes) {
        for token in [None, Some(&*TOKEN)] {
            sent(document, mode, token);
        }
    }
}

/// What a request asks for, or why it is refused.
type Outcome = Result<(Op, Option<Value>), Refusal>;

fn outcome(request: Result<Request<Value>, Rejection>) -> (Outcome, Dialect) {
    match request {
        Ok(Request { op, document, dialect, .. }) => {
            assert!(document.is_none() || op == Op::Run, "{op:?} with a document");
            (Ok((op, document)), dialect)
        }
        Err(Rejection { refusal, dialect }) => (Err(refusal), dialect),
    }
}

/// Nothing is done that the token does not allow.
fn guarded(outcome: &Outcome, text: &str, value: Option<&Value>, tokens: &Tokens) {
    let Some(value) = value.filter(|_| text != QUIT) else {
        match outcome {
            Ok((Op::Quit, None)) => assert!(text == QUIT && !tokens.required()),
            Err(refusal) if text == QUIT => assert_eq!(*refusal, Refusal::token_required()),
            Err(refusal) => assert_eq!(refusal.kind, ErrorKind::InvalidJson),
            other => panic!("what is no JSON became {other:?}"),
        }
        return;
    };
    if !tokens.required() {
        assert!(outcome.is_ok(), "JSON was refused: {outcome:?}");
        return;
    }
    match envelope(value) {
        None => assert_eq!(*outcome, Err(Refusal::token_required())),
        Some(members) => {
            let accepted = members.get("token").and_then(Value::as_str) == Some(SECRET);
            assert_eq!(*outcome == Err(Refusal::unauthorised()), !accepted, "{outcome:?}");
        }
    }
}

fn envelope(value: &Value) -> Option<&Map> {
    match value {
        Value::Dict(members) => {
            Some(members).filter(|it| it.contains_key("token") || it.contains_key("command"))
        }
        _ => None,
    }
}

/// A refusal is one plain line, and a client reads from it what the server meant.
fn told(refusal: &Refusal, mode: Mode, dialect: Dialect) {
    one_line(&refusal.line());
    let read = Refusal::of_line(&refusal.line()).expect("a refusal");
    assert_eq!((read.kind, &read.message), (refusal.kind, &refusal.message));
    let mut reply = Vec::new();
    refusal.reply_into(mode, dialect, &mut reply);
    let first = match mode {
        Mode::Framed => {
            let length = reply.first_chunk::<HEADER>().expect("a header");
            &reply[HEADER..HEADER + u32::from_be_bytes(*length) as usize]
        }
        Mode::Legacy => reply.split_inclusive(|byte| *byte == b'\n').next().expect("a line"),
    };
    match (Decoder::default().read(first, mode), dialect) {
        (Decoded::Reply(Reply::Line(line)), Dialect::Text) => assert_eq!(line, refusal.line()),
        (Decoded::Reply(Reply::Event(_)), Dialect::Events) => {}
        other => panic!("a refusal was read as {other:?}"),
    }
}

/// What a client writes is what a server reads.
fn sent(document: &RawValue, mode: Mode, token: Option<&Token>) {
    let (most, header) = match mode {
        Mode::Framed => (MAX_REQUEST, HEADER),
        Mode::Legacy => (MAX_LEGACY, 0),
    };
    let Ok(bytes) = Request::run(document).to_bytes(mode, token) else {
        assert!(document.get().len() + 128 > most, "a short request was not sent");
        return;
    };
    assert!(bytes.len() <= most + header);
    let tokens = token.map_or_else(Tokens::none, |token| Tokens::new([token]));
    let incoming = Incoming::read(&bytes[header..], mode, &tokens);
    let (outcome, dialect) = outcome(incoming.request);
    let Ok(value) = Value::parse(document.get()) else {
        assert!(outcome.is_err());
        return;
    };
    let bare = mode == Mode::Legacy && token.is_none();
    match outcome {
        Ok((Op::Run, Some(read))) if bare && envelope(&value).is_some() => {
            assert_eq!(envelope(&value).and_then(|members| members.get("command")), Some(&read));
        }
        Ok((Op::Run, Some(read))) => assert_eq!(read, value),
        Ok((Op::Run, None)) => assert!(value == Value::Null || bare),
        // A document that is itself an envelope may ask for more in the old mode.
        Ok(_) => assert!(bare && envelope(&value).is_some()),
        // The envelope is one level more.
        Err(refusal) => assert_eq!(refusal.kind, ErrorKind::InvalidJson),
    }
    if mode == Mode::Framed && dialect == Dialect::Text {
        assert!(document.get().len() > 64, "a short request does not ask for events");
    }
}
