//! A reply: events become bytes in one of two dialects, and a client turns bytes back. The text
//! dialect is the reference's: one line per record, gathered until the document ends, because equal
//! actions share a line. The event dialect is one JSON object per frame, written as things happen.

use indexmap::IndexMap;

use super::frame::{
    BadLength, MAX_REPLY, Mode, TERMINATOR, frame_into, line_into, terminator_into,
};
use crate::event::{ActionResult, ErrorKind, Event, Failure, FailureKind, Status};
use crate::value::quote;

/// How a reply is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Lines, as the reference writes them.
    Text,
    /// JSON objects.
    Events,
}

/// The whole reply to a quit in the text dialect; no terminator follows.
pub const SHUTTING_DOWN: &str = "Server shutting down";

const TOKEN_REQUIRED: &str = "token required";
const UNAUTHORISED: &str = "unauthorised";
const INVALID_DOCUMENT: &str = "executor received invalid data: list is empty or wrong type";
const BUSY: &str = "busy: ";
const TIMEOUT: &str = "timeout: ";
const LIMIT: &str = "limit: ";
const INTERNAL: &str = "internal: ";
const FRAMED_ONLY: &str =
    "only framed requests are served here: 4 bytes of length, then the document";
const SPEAKS_TLS: &str = "this port speaks TLS; connect with TLS";

/// Why a request is not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The kind, for programs.
    pub kind: ErrorKind,
    /// What is wrong and what to change.
    pub message: String,
}

impl Refusal {
    /// A refusal in its own words.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The server wants a token and the request has no envelope.
    pub fn token_required() -> Self {
        Self::new(ErrorKind::TokenRequired, TOKEN_REQUIRED)
    }

    /// The token is not the server's.
    pub fn unauthorised() -> Self {
        Self::new(ErrorKind::Unauthorised, UNAUTHORISED)
    }

    /// The document is no list of actions.
    pub fn invalid_document() -> Self {
        Self::new(ErrorKind::InvalidDocument, INVALID_DOCUMENT)
    }

    /// The server has no room; the text says for what.
    pub fn busy(what: &str) -> Self {
        Self::new(ErrorKind::Busy, format!("{BUSY}{what}"))
    }

    /// The request did not arrive in time.
    pub fn timeout(what: &str) -> Self {
        Self::new(ErrorKind::Timeout, format!("{TIMEOUT}{what}"))
    }

    /// A limit of the server is passed.
    pub fn limit(what: &str) -> Self {
        Self::new(ErrorKind::Limit, format!("{LIMIT}{what}"))
    }

    /// A fault of the server.
    pub fn internal(what: &str) -> Self {
        Self::new(ErrorKind::Internal, format!("{INTERNAL}{what}"))
    }

    /// A plain client on a TLS port.
    pub fn speaks_tls() -> Self {
        Self::new(ErrorKind::InvalidJson, SPEAKS_TLS)
    }

    /// A legacy request on a port that takes only frames.
    pub fn framed_only() -> Self {
        Self::new(ErrorKind::InvalidJson, FRAMED_ONLY)
    }

    /// The text dialect's line.
    pub fn line(&self) -> String {
        format!("Error: {}", self.message)
    }

    /// Reads a line of the text dialect back; `None` where it is a record.
    pub fn of_line(line: &str) -> Option<Self> {
        let message = line.strip_prefix("Error: ")?;
        let kind = match message {
            TOKEN_REQUIRED => ErrorKind::TokenRequired,
            UNAUTHORISED => ErrorKind::Unauthorised,
            INVALID_DOCUMENT => ErrorKind::InvalidDocument,
            _ if message.starts_with(BUSY) => ErrorKind::Busy,
            _ if message.starts_with(TIMEOUT) => ErrorKind::Timeout,
            _ if message.starts_with(LIMIT) => ErrorKind::Limit,
            _ if message.starts_with(INTERNAL) => ErrorKind::Internal,
            _ if message.starts_with("frame length ") => ErrorKind::FrameLength,
            _ => ErrorKind::InvalidJson,
        };
        Some(Self::new(kind, message))
    }

    /// Whether it is what [`Refusal::speaks_tls`] says.
    pub fn is_speaks_tls(&self) -> bool {
        self.message == SPEAKS_TLS
    }

    /// Whether it is what [`Refusal::framed_only`] says.
    pub fn is_framed_only(&self) -> bool {
        self.message == FRAMED_ONLY
    }

    /// Appends the whole reply. In the text dialect no terminator follows a refusal of the token.
    pub fn reply_into(&self, mode: Mode, dialect: Dialect, out: &mut Vec<u8>) {
        let terminated = match dialect {
            Dialect::Events => {
                let (kind, message) = (self.kind, self.message.clone());
                event_into(&Event::Error { kind, message }, out);
                true
            }
            Dialect::Text => {
                record_into(mode, &self.line(), out);
                !matches!(self.kind, ErrorKind::TokenRequired | ErrorKind::Unauthorised)
            }
        };
        if terminated {
            terminator_into(mode, out);
        }
    }
}

impl From<BadLength> for Refusal {
    fn from(bad: BadLength) -> Self {
        Self::new(ErrorKind::FrameLength, bad.to_string())
    }
}

/// Appends the whole reply to a quit.
pub fn quit_into(mode: Mode, dialect: Dialect, out: &mut Vec<u8>) {
    match dialect {
        Dialect::Text => line_into(mode, SHUTTING_DOWN, out),
        Dialect::Events => {
            event_into(&Event::Done { ok: true, failed: 0, elapsed_s: 0.0 }, out);
            terminator_into(mode, out);
        }
    }
}

/// Appends the whole reply to the question which test runs.
pub fn status_into(status: &Status, mode: Mode, dialect: Dialect, out: &mut Vec<u8>) {
    match dialect {
        Dialect::Text => record_into(mode, &status.to_string(), out),
        Dialect::Events => {
            event_into(&Event::Status(status.clone()), out);
            event_into(&Event::Done { ok: true, failed: 0, elapsed_s: 0.0 }, out);
        }
    }
    terminator_into(mode, out);
}

/// Appends one event as a frame. A result over [`MAX_REPLY`] is replaced by an error that says so.
pub fn event_into(event: &Event, out: &mut Vec<u8>) {
    // Events are plain data; they always serialise.
    let json = serde_json::to_vec(event).unwrap_or_default();
    match event {
        Event::Result(result) if json.len() > MAX_REPLY => {
            let replaced = ActionResult {
                index: result.index,
                command: result.command.clone(),
                ok: false,
                value: None,
                details: None,
                error: Some(too_long(json.len())),
                action: String::new(),
            };
            frame_into(&serde_json::to_vec(&Event::Result(replaced)).unwrap_or_default(), out);
        }
        _ => frame_into(&json, out),
    }
}

fn too_long(length: usize) -> Failure {
    Failure::new(
        FailureKind::Refused,
        format!(
            "the value has {length} bytes, over the {MAX_REPLY} of one frame; write it to a file instead"
        ),
    )
}

/// Appends one record's line. Nothing in it can end the reply early: where there are no frames,
/// newlines are escaped, and text that ends as the terminator does is quoted in either mode.
pub fn record_into(mode: Mode, line: &str, out: &mut Vec<u8>) {
    if line.len() > MAX_REPLY {
        line_into(mode, &too_long(line.len()).to_python(), out);
    } else if line.trim_end().ends_with(TERMINATOR) {
        line_into(mode, &quote(line), out);
    } else if mode == Mode::Legacy && line.contains('\n') {
        line_into(mode, &line.replace('\n', "\\n"), out);
    } else {
        line_into(mode, line, out);
    }
}

/// The records of one document in the text dialect: actions that are equal as text share one line,
/// at the first's place and with the last's value.
#[derive(Debug, Default)]
pub struct Lines {
    lines: IndexMap<String, String>,
    bytes: usize,
}

impl Lines {
    /// Takes a result. Past `most` bytes in all, a line says only that it was dropped.
    pub fn push(&mut self, result: &ActionResult, most: usize) {
        let mut line = result.line();
        if self.bytes + line.len() > most {
            let failure = Failure::new(
                FailureKind::Refused,
                format!("the reply passes {most} bytes; ask for less in one document"),
            );
            line = failure.to_python();
        }
        self.bytes += line.len();
        if let Some(replaced) = self.lines.insert(result.action.clone(), line) {
            self.bytes = self.bytes.saturating_sub(replaced.len());
        }
    }

    /// Takes a line that is no result.
    pub fn say(&mut self, line: String) {
        self.lines.insert(line.clone(), line);
    }

    /// The lines in order.
    pub fn into_lines(self) -> impl Iterator<Item = String> {
        self.lines.into_values()
    }
}

/// One piece of a reply, as a client gets it.
#[expect(clippy::large_enum_variant, reason = "a client holds one at a time")]
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// From a server that speaks events.
    Event(Event),
    /// From a server that speaks text: one record or refusal.
    Line(String),
}

/// What a frame or line of a reply means.
#[expect(clippy::large_enum_variant, reason = "a client holds one at a time")]
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// The terminator.
    End,
    /// A piece of the reply.
    Reply(Reply),
    /// An event that this version does not know; to be passed over.
    Unknown,
}

/// Reads a reply. The first frame decides the dialect, so that no later record of a text server can
/// pass for an event.
#[derive(Debug, Default)]
pub struct Decoder {
    dialect: Option<Dialect>,
}

impl Decoder {
    /// Reads a frame's body, or a legacy line with or without its newline.
    pub fn read(&mut self, body: &[u8], mode: Mode) -> Decoded {
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        if body == TERMINATOR.as_bytes() {
            return Decoded::End;
        }
        let event = match self.dialect {
            Some(Dialect::Text) => None,
            _ if mode == Mode::Legacy => None,
            _ => event_of(body),
        };
        let dialect = *self.dialect.get_or_insert(match event {
            Some(_) => Dialect::Events,
            None => Dialect::Text,
        });
        match (dialect, event) {
            (Dialect::Events, Some(Some(event))) => Decoded::Reply(Reply::Event(event)),
            (Dialect::Events, _) => Decoded::Unknown,
            (Dialect::Text, _) => {
                Decoded::Reply(Reply::Line(String::from_utf8_lossy(body).into_owned()))
            }
        }
    }
}

/// `None`: no event at all; `Some(None)`: an event that this version cannot read.
fn event_of(body: &[u8]) -> Option<Option<Event>> {
    if body.first() != Some(&b'{') {
        return None;
    }
    let mut json: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    json.get("event")?.as_str()?;
    // serde buffers the fields of a tagged enum in a form that holds no number outside 64 bits and,
    // because this crate reads numbers of any precision, no float that is spelled in its own way. A
    // result's value is therefore read on its own, and the figures beside it are spelled plainly.
    let value = json.remove("value");
    for figure in json.values_mut() {
        if let serde_json::Value::Number(number) = figure
            && let Some(plain) = plain(number)
        {
            *number = plain;
        }
    }
    let mut event = serde_json::from_value(serde_json::Value::Object(json)).ok();
    if let (Some(Event::Result(result)), Some(value)) = (&mut event, value) {
        result.value = serde_json::from_value(value).ok();
    }
    Some(event)
}

/// A float as serde spells it; whole numbers stay.
fn plain(number: &serde_json::Number) -> Option<serde_json::Number> {
    if number.is_u64() || number.is_i64() {
        return None;
    }
    serde_json::Number::from_f64(number.as_f64()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Counts;
    use crate::event::{PROTOCOL, Progress};
    use crate::event::{State, TestStatus};
    use crate::value::Value;

    fn text(refusal: &Refusal, mode: Mode) -> Vec<u8> {
        let mut out = Vec::new();
        refusal.reply_into(mode, Dialect::Text, &mut out);
        out
    }

    #[test]
    fn refusals_of_the_token_end_without_a_terminator() {
        assert_eq!(text(&Refusal::token_required(), Mode::Legacy), b"Error: token required\n");
        assert_eq!(
            text(&Refusal::unauthorised(), Mode::Framed),
            b"\0\0\0\x14Error: unauthorised\n"
        );
    }

    #[test]
    fn other_refusals_end_with_a_terminator() {
        assert_eq!(
            text(&Refusal::invalid_document(), Mode::Framed),
            b"\0\0\0\x43Error: executor received invalid data: list is empty or wrong type\n\
              \0\0\0\x14Return_Data_Over_JE\n"
        );
        let bad = BadLength { length: 0, most: 1 << 20 };
        assert_eq!(
            text(&bad.into(), Mode::Legacy),
            b"Error: frame length 0 is outside 1..=1048576\nReturn_Data_Over_JE\n"
        );
    }

    #[test]
    fn a_quit_ends_with_the_connection_or_as_events_with_the_terminator() {
        let mut out = Vec::new();
        quit_into(Mode::Framed, Dialect::Text, &mut out);
        assert_eq!(out, b"\0\0\0\x15Server shutting down\n");
        out.clear();
        quit_into(Mode::Framed, Dialect::Events, &mut out);
        let done = br#"{"event":"done","ok":true,"failed":0,"elapsed_s":0.0}"#;
        let mut expected = Vec::new();
        frame_into(done, &mut expected);
        terminator_into(Mode::Framed, &mut expected);
        assert_eq!(out, expected);
    }

    fn record(mode: Mode, line: &str) -> String {
        let mut out = Vec::new();
        record_into(mode, line, &mut out);
        let text = if mode == Mode::Framed { &out[4..] } else { &out[..] };
        String::from_utf8_lossy(text).into_owned()
    }

    #[test]
    fn no_value_can_forge_a_terminator() {
        for mode in [Mode::Legacy, Mode::Framed] {
            for value in [TERMINATOR, "x\nReturn_Data_Over_JE", "Return_Data_Over_JE\r\n"] {
                let sent = record(mode, value);
                assert!(!sent.contains("Return_Data_Over_JE\n"), "{mode:?} {sent:?}");
            }
        }
        assert_eq!(record(Mode::Legacy, "a\nb"), "a\\nb\n");
        assert_eq!(record(Mode::Framed, "a\nb"), "a\nb\n");
    }

    #[test]
    fn a_value_longer_than_a_frame_is_replaced_by_an_error() {
        let line = "x".repeat(MAX_REPLY + 1);
        assert!(record(Mode::Framed, &line).starts_with("PermissionError('the value has 16777217"));
        let mut out = Vec::new();
        let result = result(0, "a", line.into());
        event_into(&Event::Result(result), &mut out);
        assert!(out.len() < 300);
    }

    fn result(index: usize, action: &str, value: Value) -> ActionResult {
        ActionResult {
            index,
            command: "abs".to_owned(),
            ok: true,
            value: Some(value),
            details: None,
            error: None,
            action: action.to_owned(),
        }
    }

    #[test]
    fn equal_actions_share_the_firsts_place_and_the_lasts_value() {
        let mut lines = Lines::default();
        for (index, action) in ["a", "b", "a"].into_iter().enumerate() {
            lines.push(&result(index, action, Value::Int(index as i64)), MAX_REPLY);
        }
        assert_eq!(lines.into_lines().collect::<Vec<_>>(), ["2", "1"]);
    }

    #[test]
    fn a_document_cannot_gather_more_than_the_limit() {
        let mut lines = Lines::default();
        lines.push(&result(0, "a", "x".repeat(60).into()), 100);
        lines.push(&result(1, "b", "y".repeat(60).into()), 100);
        let lines: Vec<_> = lines.into_lines().collect();
        assert_eq!(lines[0].len(), 60);
        assert!(lines[1].contains("the reply passes 100 bytes"), "{}", lines[1]);
    }

    fn decode(event: &Event) -> Decoded {
        let mut out = Vec::new();
        event_into(event, &mut out);
        Decoder::default().read(&out[4..], Mode::Framed)
    }

    #[test]
    fn every_event_reads_back() {
        let value = Value::parse(r#"{"a": [1, 2.5, 123456789012345678901234567890], "b": null}"#);
        for event in [
            Event::Accepted { protocol: PROTOCOL, run: 7, actions: 2 },
            Event::Started { index: 1, command: "LD_summary".to_owned() },
            Event::Progress(Progress { elapsed_s: 1.1, rps: 12345.678, ..Progress::default() }),
            Event::Result(ActionResult {
                action: String::new(),
                ..result(3, "", value.expect("JSON"))
            }),
            Event::Result(ActionResult {
                ok: false,
                value: None,
                error: Some(Failure::new(FailureKind::Busy, "another test runs")),
                action: String::new(),
                ..result(3, "", Value::Null)
            }),
            Event::Error { kind: ErrorKind::TokenRequired, message: "token required".to_owned() },
            Event::Pong {
                server: "ldctl".to_owned(),
                version: "1".to_owned(),
                protocol: 1,
                uptime_s: 0.000_012_5,
                runs: 3,
                counts: Some(Counts { connections: u64::MAX, timeouts: 4, ..Counts::default() }),
            },
            Event::Pong {
                server: "ldctl".to_owned(),
                version: "0.1.0".to_owned(),
                protocol: 1,
                uptime_s: 1.0,
                runs: 0,
                counts: None,
            },
            Event::Status(Status::IDLE),
            Event::Status(Status {
                state: State::Running,
                test: Some(TestStatus {
                    run: 3,
                    name: "LD_start_test".to_owned(),
                    elapsed_s: 12.0,
                    remaining_s: Some(1e-7),
                    users: 5,
                    requests: u64::MAX,
                    failures: 0,
                }),
            }),
            Event::Done { ok: false, failed: 1, elapsed_s: 1e-7 },
        ] {
            assert_eq!(decode(&event), Decoded::Reply(Reply::Event(event.clone())), "{event:?}");
        }
    }

    #[test]
    fn what_a_newer_server_adds_is_passed_over() {
        let read = |frames: &[&str]| {
            let mut decoder = Decoder::default();
            frames.iter().map(|f| decoder.read(f.as_bytes(), Mode::Framed)).collect::<Vec<_>>()
        };
        let done = Event::Done { ok: true, failed: 0, elapsed_s: 1.10 };
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
    fn a_text_servers_record_never_passes_for_an_event() {
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

    #[test]
    fn refusals_read_back_from_their_lines() {
        for refusal in [
            Refusal::token_required(),
            Refusal::unauthorised(),
            Refusal::invalid_document(),
            Refusal::busy("all connections are taken"),
            Refusal::timeout("x"),
            Refusal::limit("x"),
            Refusal::internal("x"),
            Refusal::from(BadLength { length: 0, most: 9 }),
            Refusal::new(ErrorKind::InvalidJson, "expected value at line 1 column 1"),
        ] {
            assert_eq!(Refusal::of_line(&refusal.line()), Some(refusal));
        }
        assert_eq!(Refusal::of_line("None"), None);
    }
}
