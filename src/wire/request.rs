//! A request: the bytes of a frame or of a legacy text become a typed [`Request`], in the order of
//! checks that the reference has (the order can be observed, so it is part of the protocol). The
//! other direction is [`Ask::to_bytes`], for the client.

use std::borrow::Cow;

use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

use super::frame::{MAX_LEGACY, MAX_REQUEST, Mode, QUIT, frame_into, strip};
use super::reply::{Dialect, Refusal};
use super::token::{Token, Tokens};
use crate::event::ErrorKind;
use crate::value::{Map, Value};

/// What a request asks for.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// End the server.
    Quit,
    /// Nothing: the reply is the terminator.
    Null,
    /// Say who answers, without side effects.
    Ping,
    /// Say which test runs.
    Status,
    /// Stop the test that runs.
    Stop,
    /// Run this document, if it is one.
    Command(Value),
    /// The request is refused before anything runs.
    Refused(Refusal),
}

/// A request that was read.
#[derive(Debug, PartialEq)]
pub struct Incoming {
    /// What it asks for.
    pub request: Request,
    /// How it wants its reply.
    pub dialect: Dialect,
    /// Its length in characters, for the log; the text itself may hold a token.
    pub characters: usize,
}

impl Incoming {
    /// Reads a request. The event dialect needs frames; legacy clients get text whatever they ask.
    pub fn read(bytes: &[u8], mode: Mode, tokens: &Tokens) -> Self {
        let mut text = String::from_utf8_lossy(strip(bytes));
        let (request, events) = read_text(&text, tokens);
        let characters = text.chars().count();
        if let Cow::Owned(copy) = &mut text {
            copy.zeroize();
        }
        let dialect = if events && mode == Mode::Framed { Dialect::Events } else { Dialect::Text };
        Self { request, dialect, characters }
    }
}

/// The request, and whether it asks for events.
fn read_text(text: &str, tokens: &Tokens) -> (Request, bool) {
    let refused = |kind, message: &str| Request::Refused(Refusal::new(kind, message));
    if text == QUIT {
        return match tokens.required() {
            true => (Request::Refused(Refusal::token_required()), false),
            false => (Request::Quit, false),
        };
    }
    match Value::parse(text) {
        Err(error) => (refused(ErrorKind::InvalidJson, &error.to_string()), false),
        Ok(Value::Dict(envelope))
            if envelope.contains_key("token") || envelope.contains_key("command") =>
        {
            let events = is_text(envelope.get("reply"), "events");
            (read_envelope(envelope, tokens), events)
        }
        Ok(_) if tokens.required() => (Request::Refused(Refusal::token_required()), false),
        Ok(Value::Null) => (Request::Null, false),
        Ok(document) => (Request::Command(document), false),
    }
}

fn read_envelope(mut envelope: Map, tokens: &Tokens) -> Request {
    let supplied = match envelope.shift_remove("token") {
        Some(Value::Str(text)) => Some(Zeroizing::new(text)),
        _ => None,
    };
    // A token that is no text is compared all the same, so that it takes the same time.
    let accepted = tokens.accepts(supplied.as_ref().map_or("", |text| text.as_str()));
    if tokens.required() && !accepted {
        return Request::Refused(Refusal::unauthorised());
    }
    if is_text(envelope.get("op"), "quit") {
        return Request::Quit;
    }
    match envelope.shift_remove("command") {
        None | Some(Value::Null) => match envelope.get("op").and_then(Value::as_str) {
            Some("ping") => Request::Ping,
            Some("status") => Request::Status,
            Some("stop") => Request::Stop,
            _ => Request::Null,
        },
        Some(document) => Request::Command(document),
    }
}

fn is_text(value: Option<&Value>, text: &str) -> bool {
    value.and_then(Value::as_str) == Some(text)
}

/// What a client asks for.
#[derive(Debug, Clone, Copy)]
pub enum Ask<'a> {
    /// Run this document.
    Command(&'a RawValue),
    /// Say who answers.
    Ping,
    /// Say which test runs.
    Status,
    /// Stop the test that runs.
    Stop,
    /// End the server.
    Quit,
}

/// A request that no server would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request has {length} bytes, over the limit of {most} of this mode")]
pub struct TooLong {
    /// Its length in bytes.
    pub length: usize,
    /// The mode's limit in bytes.
    pub most: usize,
}

impl Ask<'_> {
    /// The bytes to send. In frames they ask for events, which a server that does not know them
    /// ignores; an `op` never stands beside a document, for the reference would run it.
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
                let mut framed = Zeroizing::new(Vec::with_capacity(body.len() + 4));
                frame_into(&body, &mut framed);
                framed
            }
        })
    }

    fn body(self, mode: Mode, token: Option<&Token>) -> Zeroizing<Vec<u8>> {
        let quoted = token.map(|token| quote(token.expose()));
        let quoted = quoted.as_ref().map(|quoted| quoted.as_str());
        let (key, value) = match self {
            Self::Command(document) => ("command", document.get()),
            // `command` never stands beside `op`: a server that does not know the `op` would run it.
            Self::Ping => ("op", "\"ping\""),
            Self::Status => ("op", "\"status\""),
            Self::Stop => ("op", "\"stop\""),
            Self::Quit => ("op", "\"quit\""),
        };
        let events = if mode == Mode::Framed { r#","reply":"events""# } else { "" };
        let mut body =
            Zeroizing::new(Vec::with_capacity(value.len() + quoted.map_or(0, str::len) + 64));
        let mut add = |text: &str| body.extend_from_slice(text.as_bytes());
        match (self, quoted) {
            (Self::Command(_), None) if mode == Mode::Legacy => add(value),
            (Self::Quit, None) if mode == Mode::Legacy => add(QUIT),
            (_, quoted) => {
                add("{");
                match (quoted, key) {
                    (Some(quoted), _) => {
                        [r#""token":"#, quoted, ","].into_iter().for_each(&mut add)
                    }
                    // Without the key `token` or `command` it would be no envelope.
                    (None, "op") => add(r#""token":null,"#),
                    (None, _) => {}
                }
                ["\"", key, "\":", value, events, "}"].into_iter().for_each(add);
            }
        }
        body
    }
}

/// A token as JSON, in memory that does not grow and so leaves no copy behind.
fn quote(token: &str) -> Zeroizing<String> {
    // The longest escape of a byte, `\u001f`, has six.
    let mut quoted = Vec::with_capacity(6 * token.len() + 2);
    // Text always serialises, and memory always takes it.
    let _ = serde_json::to_writer(&mut quoted, token);
    Zeroizing::new(String::from_utf8(quoted).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens::new([&Token::new("s3cret").expect("a token")])
    }

    fn read(text: &str, tokens: &Tokens) -> Request {
        Incoming::read(text.as_bytes(), Mode::Framed, tokens).request
    }

    fn command(json: &str) -> Request {
        Request::Command(Value::parse(json).expect("JSON"))
    }

    fn unauthorised() -> Request {
        Request::Refused(Refusal::unauthorised())
    }

    fn token_required() -> Request {
        Request::Refused(Refusal::token_required())
    }

    #[test]
    fn without_a_token_every_form_of_request_is_told_apart() {
        for (text, request) in [
            (" \t\r\n\x0b\x0cquit_server \n", Request::Quit),
            ("null", Request::Null),
            ("[]", command("[]")),
            ("\"quit_server\"", command("\"quit_server\"")),
            ("{\"op\": \"quit\"}", command("{\"op\": \"quit\"}")),
            ("{\"op\": \"quit\", \"command\": [1]}", Request::Quit),
            ("{\"op\": \"quit\", \"token\": null}", Request::Quit),
            ("{\"op\": [\"quit\"], \"command\": [1]}", command("[1]")),
            ("{\"op\": \"ping\", \"command\": null}", Request::Ping),
            ("{\"op\": \"ping\", \"command\": [1]}", command("[1]")),
            ("{\"op\": \"ping\"}", command("{\"op\": \"ping\"}")),
            ("{\"op\": \"status\", \"token\": null}", Request::Status),
            ("{\"op\": \"status\", \"command\": [1]}", command("[1]")),
            ("{\"op\": \"stop\", \"command\": null}", Request::Stop),
            ("{\"op\": \"stop\", \"command\": [1]}", command("[1]")),
            ("{\"op\": \"Stop\", \"token\": null}", Request::Null),
            ("{\"token\": null}", Request::Null),
            ("{\"token\": \"any\", \"command\": 5}", command("5")),
            ("{\"command\": {\"command\": [1]}}", command("{\"command\": [1]}")),
        ] {
            assert_eq!(read(text, &Tokens::none()), request, "{text:?}");
        }
    }

    #[test]
    fn with_a_token_the_checks_come_in_the_references_order() {
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
            ("{\"token\": \"s3cret\", \"op\": \"quit\", \"command\": [1]}", Request::Quit),
            ("{\"token\": \"s3cret\", \"op\": \"ping\"}", Request::Ping),
            ("{\"token\": \"s3cret\", \"op\": \"status\"}", Request::Status),
            ("{\"token\": \"s3cret\", \"op\": \"stop\"}", Request::Stop),
            ("{\"token\": \"wrong\", \"op\": \"stop\"}", unauthorised()),
            ("{\"token\": null, \"op\": \"status\"}", unauthorised()),
            ("{\"token\": \"s3cret\"}", Request::Null),
            ("{\"token\": \"s3cret\", \"command\": [1]}", command("[1]")),
        ] {
            assert_eq!(read(text, &tokens()), request, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused_before_the_token_is_looked_at() {
        for text in ["{\"token\": ", "", "\u{feff}[]", "[1 2]", "QUIT_SERVER"] {
            match read(text, &tokens()) {
                Request::Refused(refusal) => {
                    assert_eq!(refusal.kind, ErrorKind::InvalidJson);
                    assert!(refusal.message.contains(" at line 1 column "), "{}", refusal.message);
                }
                other => panic!("{text:?} became {other:?}"),
            }
        }
    }

    #[test]
    fn a_thousand_nested_lists_are_refused_and_do_not_overflow_the_stack() {
        let text = "[".repeat(100_000);
        match read(&text, &Tokens::none()) {
            Request::Refused(refusal) => {
                assert_eq!(refusal.message, "recursion limit exceeded at line 1 column 128");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn invalid_utf8_is_replaced_and_counted_in_characters() {
        let incoming = Incoming::read(b"\n[\"\xffa\xc3\xa9\"] ", Mode::Legacy, &Tokens::none());
        assert_eq!(incoming.request, command("[\"\u{fffd}aé\"]"));
        assert_eq!(incoming.characters, 7);
    }

    #[test]
    fn events_are_for_framed_envelopes() {
        let envelope = b"{\"command\": [1], \"reply\": \"events\"}";
        let dialect = |mode| Incoming::read(envelope, mode, &Tokens::none()).dialect;
        assert_eq!(dialect(Mode::Framed), Dialect::Events);
        assert_eq!(dialect(Mode::Legacy), Dialect::Text);
        let refused = Incoming::read(envelope, Mode::Framed, &tokens());
        assert_eq!((refused.request, refused.dialect), (unauthorised(), Dialect::Events));
    }

    fn check_ask(ask: Ask<'_>, mode: Mode, token: Option<&str>, bytes: &str) {
        let token = token.map(|token| Token::new(token).expect("a token"));
        let sent = ask.to_bytes(mode, token.as_ref()).expect("short enough");
        let body = if mode == Mode::Framed { &sent[4..] } else { &sent[..] };
        assert_eq!(String::from_utf8_lossy(body), bytes);
    }

    #[test]
    fn what_a_client_sends_is_what_both_servers_read() {
        let document: Box<RawValue> = serde_json::from_str("[[\"a\", [1e999]]]").expect("JSON");
        let run = Ask::Command(&document);
        let quit = Ask::Quit;
        check_ask(run, Mode::Legacy, None, r#"[["a", [1e999]]]"#);
        check_ask(run, Mode::Legacy, Some("é\""), r#"{"token":"é\"","command":[["a", [1e999]]]}"#);
        check_ask(run, Mode::Framed, None, r#"{"command":[["a", [1e999]]],"reply":"events"}"#);
        check_ask(quit, Mode::Legacy, None, "quit_server");
        check_ask(quit, Mode::Legacy, Some("T"), r#"{"token":"T","op":"quit"}"#);
        check_ask(quit, Mode::Framed, None, r#"{"token":null,"op":"quit","reply":"events"}"#);
        check_ask(Ask::Ping, Mode::Legacy, None, r#"{"token":null,"op":"ping"}"#);
        check_ask(Ask::Status, Mode::Legacy, Some("T"), r#"{"token":"T","op":"status"}"#);
        let stop = r#"{"token":null,"op":"stop","reply":"events"}"#;
        check_ask(Ask::Stop, Mode::Framed, None, stop);
        check_ask(
            Ask::Ping,
            Mode::Framed,
            Some("T"),
            r#"{"token":"T","op":"ping","reply":"events"}"#,
        );
    }

    #[test]
    fn a_request_that_no_server_takes_is_not_sent() {
        let document: Box<RawValue> =
            serde_json::from_str(&format!("\"{}\"", "x".repeat(MAX_LEGACY))).expect("JSON");
        let refusal = Ask::Command(&document).to_bytes(Mode::Legacy, None).unwrap_err();
        assert_eq!(refusal, TooLong { length: MAX_LEGACY + 2, most: MAX_LEGACY });
    }
}
