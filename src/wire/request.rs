//! A request in both directions: a client writes it, a server reads it from the body of a frame or
//! from legacy text. The reader's order of checks is the reference's, because it is observable and
//! therefore part of the protocol.

use std::borrow::Cow;

use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

use super::dialect::Dialect;
use super::frame::{HEADER, MAX_LEGACY, MAX_REQUEST, Mode, QUIT, frame_into, strip};
use super::op::Op;
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::token::{Token, Tokens};
use crate::event::ErrorKind;
use crate::value::{Map, Value, json_fault};

/// A request. `D` is its document: [`RawValue`] when it is written, so that it is sent exactly as
/// its author wrote it, and [`Value`] when it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Request<D> {
    /// The operation.
    pub op: Op,
    /// The document, only with [`Op::Run`]. Without one nothing is run.
    pub document: Option<D>,
    /// The dialect of the reply. Events need frames: in legacy mode it is always text.
    pub dialect: Dialect,
    /// What it says about runs.
    pub parameters: Parameters,
}

/// A request as a server received it.
#[derive(Debug, PartialEq)]
pub struct Incoming {
    /// The request, or why it is refused.
    pub request: Result<Request<Value>, Rejection>,
    /// Its length in characters, for the log; the text itself may contain a token.
    pub characters: usize,
}

/// A request that is refused before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub refusal: Refusal,
    /// The dialect of the refusal.
    pub dialect: Dialect,
}

/// A request that no server would accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request has {length} bytes, over the limit of {most} of this mode")]
pub struct TooLong {
    /// Its length in bytes.
    pub length: usize,
    /// The mode's limit in bytes.
    pub most: usize,
}

impl<D> Request<D> {
    /// A request to run a document, with an event reply where the server supports it.
    pub fn run(document: D) -> Self {
        Self { document: Some(document), ..Self::new(Op::Run) }
    }

    /// A request without a document, with an event reply where the server supports it.
    pub fn new(op: Op) -> Self {
        Self { op, document: None, dialect: Dialect::Events, parameters: Parameters::default() }
    }

    /// The same with parameters.
    #[must_use]
    pub fn with(self, parameters: Parameters) -> Self {
        Self { parameters, ..self }
    }
}

impl Incoming {
    /// Reads the body of a frame or legacy text.
    pub fn read(bytes: &[u8], mode: Mode, tokens: &Tokens) -> Self {
        let mut text = String::from_utf8_lossy(strip(bytes));
        let request = Request::read(&text, mode, tokens);
        let characters = text.chars().count();
        if let Cow::Owned(copy) = &mut text {
            copy.zeroize();
        }
        Self { request, characters }
    }
}

impl Request<Value> {
    fn read(text: &str, mode: Mode, tokens: &Tokens) -> Result<Self, Rejection> {
        let refused = |refusal| Err(Rejection { refusal, dialect: Dialect::Text });
        let accepted =
            |op, document| Ok(Self { document, dialect: Dialect::Text, ..Self::new(op) });
        if text == QUIT {
            return match tokens.required() {
                true => refused(Refusal::token_required()),
                false => accepted(Op::Quit, None),
            };
        }
        match Value::parse(text) {
            Err(error) => {
                // The message that the reference's clients know.
                let message = json_fault(text).unwrap_or_else(|| error.to_string());
                refused(Refusal::new(ErrorKind::InvalidJson, message))
            }
            Ok(Value::Dict(envelope))
                if envelope.contains_key("token") || envelope.contains_key("command") =>
            {
                Self::open(envelope, mode, tokens)
            }
            Ok(_) if tokens.required() => refused(Refusal::token_required()),
            Ok(Value::Null) => accepted(Op::Run, None),
            Ok(document) => accepted(Op::Run, Some(document)),
        }
    }

    /// Reads an envelope: the token, then `quit`, then the document, then the other operations.
    fn open(mut envelope: Map, mode: Mode, tokens: &Tokens) -> Result<Self, Rejection> {
        let events = envelope.get("reply").and_then(Value::as_str) == Some("events");
        let dialect = if events && mode == Mode::Framed { Dialect::Events } else { Dialect::Text };
        let supplied = match envelope.shift_remove("token") {
            Some(Value::Str(text)) => Some(Zeroizing::new(text)),
            _ => None,
        };
        // A token that is not a string is compared anyway, to take the same time.
        let accepted = tokens.accepts(supplied.as_ref().map_or("", |text| text.as_str()));
        if tokens.required() && !accepted {
            return Err(Rejection { refusal: Refusal::unauthorised(), dialect });
        }
        // An unknown operation is ignored, as the reference ignores every unknown key.
        let named = envelope.get("op").and_then(Value::as_str).and_then(Op::from_name);
        let op = named.unwrap_or(Op::Run);
        let document = envelope.shift_remove("command").filter(|value| *value != Value::Null);
        let (op, document) = match (op, document) {
            (Op::Quit, _) => (op, None),
            // The reference runs a document whatever else the envelope requests.
            (_, Some(document)) => (Op::Run, Some(document)),
            (op, None) => (op, None),
        };
        // What only events can describe is always described in events.
        let only_events = matches!(op, Op::Runs | Op::Attach);
        let dialect = match mode {
            Mode::Framed if only_events => Dialect::Events,
            Mode::Legacy if only_events => {
                let message = format!("{op} needs a framed request");
                let refusal = Refusal::new(ErrorKind::InvalidDocument, message);
                return Err(Rejection { refusal, dialect });
            }
            _ => dialect,
        };
        let parameters = match dialect {
            Dialect::Events => {
                Parameters::take(&mut envelope).map_err(|refusal| Rejection { refusal, dialect })?
            }
            Dialect::Text => Parameters::default(),
        };
        Ok(Self { op, document, dialect, parameters })
    }
}

impl Request<&RawValue> {
    /// The bytes to send, including the header. A server ignores unknown keys, so one request works
    /// for both kinds of server.
    pub fn to_bytes(
        self,
        mode: Mode,
        token: Option<&Token>,
    ) -> Result<Zeroizing<Vec<u8>>, TooLong> {
        let body = self.body(mode, token);
        let most = match mode {
            Mode::Legacy => MAX_LEGACY,
            Mode::Framed => MAX_REQUEST,
        };
        if body.len() > most {
            return Err(TooLong { length: body.len(), most });
        }
        Ok(match mode {
            Mode::Legacy => body,
            Mode::Framed => {
                let mut framed = Zeroizing::new(Vec::with_capacity(HEADER + body.len()));
                frame_into(&body, &mut framed);
                framed
            }
        })
    }

    fn body(self, mode: Mode, token: Option<&Token>) -> Zeroizing<Vec<u8>> {
        let document = self.document.map_or("null", RawValue::get);
        if let (Mode::Legacy, None) = (mode, token) {
            match self.op {
                Op::Run => return Zeroizing::new(document.as_bytes().to_vec()),
                Op::Quit => return Zeroizing::new(QUIT.as_bytes().to_vec()),
                _ => {}
            }
        }
        let quoted = token.map(|token| quote(token.expose()));
        // Memory that does not grow leaves no copy of the token behind.
        let room = document.len()
            + quoted.as_ref().map_or(0, |quoted| quoted.len())
            + self.parameters.name.as_ref().map_or(0, |name| 6 * name.len())
            + 256;
        let mut body = Zeroizing::new(Vec::with_capacity(room));
        let mut add = |text: &str| body.extend_from_slice(text.as_bytes());
        add("{");
        match (&quoted, self.op) {
            (Some(quoted), _) => {
                [r#""token":"#, quoted.as_str(), ","].into_iter().for_each(&mut add)
            }
            (None, Op::Run) => {}
            // Without the key `token` or `command` it would not be an envelope.
            (None, _) => add(r#""token":null,"#),
        }
        match self.op {
            Op::Run => [r#""command":"#, document].into_iter().for_each(&mut add),
            // Never `command` together with `op`: a server that does not support the `op` would run
            // it.
            op => [r#""op":""#, op.name(), "\""].into_iter().for_each(&mut add),
        }
        if mode == Mode::Framed && self.dialect == Dialect::Events {
            add(r#","reply":"events""#);
            self.parameters.write(&mut add);
        }
        add("}");
        body
    }
}

/// A token as JSON, in memory that does not grow and so leaves no copy behind.
fn quote(token: &str) -> Zeroizing<String> {
    // The longest escape of a byte, `\u001f`, has six.
    let mut quoted = Vec::with_capacity(6 * token.len() + 2);
    // Text always serializes, and memory always accepts it.
    let _ = serde_json::to_writer(&mut quoted, token);
    Zeroizing::new(String::from_utf8(quoted).unwrap_or_default())
}

#[cfg(test)]
mod tests {
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
        check_bytes(
            quit.clone(),
            Mode::Framed,
            None,
            r#"{"token":null,"op":"quit","reply":"events"}"#,
        );
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
                if mode == Mode::Legacy && matches!(op, Op::Runs | Op::Attach) {
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
                        let only_events = matches!(op, Op::Runs | Op::Attach);
                        let expected = match wanted {
                            _ if legacy => Dialect::Text,
                            _ if only_events => Dialect::Events,
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
        let read =
            |text: &str, mode| Incoming::read(text.as_bytes(), mode, &Tokens::none()).request;
        let named = r#"{"command": [1], "name": "n", "detach": true, "reply": "events"}"#;
        let request = read(named, Mode::Framed).expect("a request");
        assert_eq!(
            (request.parameters.name.as_deref(), request.parameters.detach),
            (Some("n"), true)
        );
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
}
