//! The text dialect, in both directions: the reference's lines, byte for byte. One line per action,
//! written as Python's `str()` writes a value and its `repr()` an exception; lines are gathered until
//! the reply is complete, because actions that are equal as text share one. What events say beyond
//! that has no line. [`events`](super::events) is the other dialect.

use std::collections::HashMap;

use super::frame::{MAX_REPLY, Mode, TERMINATOR, line_into, terminator_into};
use super::op::Op;
use super::refusal::{ERROR, Refusal, too_long};
use crate::event::{ActionResult, BUSY, Event, Failure, FailureKind};
use crate::value::{Value, quote};

/// The whole reply to a quit; no terminator follows.
pub const SHUTTING_DOWN: &str = "Server shutting down";

impl ActionResult {
    /// Its line.
    pub fn line(&self) -> String {
        match (&self.error, &self.text, &self.value) {
            (_, Some(text), _) => text.clone(),
            (Some(failure), None, _) => failure.to_python(),
            (None, None, Some(value)) => value.to_text(),
            (None, None, None) => Value::Null.to_text(),
        }
    }
}

impl Failure {
    /// As Python's `repr()` of the exception: `TypeError('…')`.
    pub fn to_python(&self) -> String {
        format!("{}({})", self.kind.exception(), quote(&self.message))
    }
}

impl FailureKind {
    /// The exception's name: the reference's own where it has one.
    pub fn exception(self) -> &'static str {
        match self {
            Self::InvalidAction => "LoadDensityTestExecuteException",
            Self::Gate | Self::NoSuccess => "LoadDensityAssertException",
            Self::NoRecords => "LoadDensityGenerateJsonReportException",
            Self::NoPage => "LoadDensityHTMLException",
            Self::InvalidArgument => "TypeError",
            Self::InvalidValue => "ValueError",
            Self::Malformed => "IndexError",
            Self::InvalidFile => "LoadDensityTestJsonException",
            Self::File | Self::Network => "OSError",
            Self::Database => "OperationalError",
            Self::Refused => "PermissionError",
            Self::Python | Self::Busy | Self::Cancelled | Self::Internal | Self::Other => {
                "RuntimeError"
            }
        }
    }
}

/// What the line of a failed action says: that another test is running ([`FailureKind::Busy`]), or
/// another failure ([`FailureKind::Other`]). `None` for any other line.
pub fn read_failure(line: &str) -> Option<FailureKind> {
    let (exception, rest) = line.split_once('(')?;
    let arguments = rest.strip_suffix(')')?;
    let is_name = exception.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    if !is_name || !(exception.ends_with("Error") || exception.ends_with("Exception")) {
        return None;
    }
    let message = arguments.get(1..).unwrap_or_default();
    let busy = exception == FailureKind::Busy.exception() && message.starts_with(BUSY);
    Some(if busy { FailureKind::Busy } else { FailureKind::Other })
}

/// Whether a server closes the connection after a line instead of sending the terminator, as the
/// reference does after a quit and after a refusal of the token.
pub fn ends_the_reply(line: &str) -> bool {
    line == SHUTTING_DOWN || Refusal::of_line(line).is_some_and(|refusal| refusal.is_of_token())
}

/// The line of an event in the reply to a request, if it has one.
fn line_of(event: &Event, op: Op) -> Option<String> {
    match event {
        Event::Result(result) => Some(result.line()),
        Event::Status(status) => Some(status.to_string()),
        Event::Error { message, .. } => Some(format!("{ERROR}{message}")),
        Event::Done { .. } if op == Op::Quit => Some(SHUTTING_DOWN.to_owned()),
        Event::Accepted { .. }
        | Event::Alive
        | Event::Queued(_)
        | Event::Runs { .. }
        | Event::Report { .. }
        | Event::Link { .. }
        | Event::Started { .. }
        | Event::Detail { .. }
        | Event::Progress(_)
        | Event::Pong(_)
        | Event::Done { .. } => None,
    }
}

/// Appends one line. Nothing in it can end the reply early: where there are no frames, newlines are
/// escaped, and text that ends as the terminator does is quoted in either mode.
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

/// The lines of one reply until it is complete.
#[derive(Debug)]
pub(super) struct ReplyLines {
    op: Op,
    lines: Vec<String>,
    /// Where the line of an action is, by the action's text.
    places: HashMap<String, usize>,
    bytes: usize,
    /// The most bytes in all; a line past them says only that it was dropped.
    most: usize,
    terminated: bool,
}

impl ReplyLines {
    /// No lines yet, of the reply to this operation.
    pub(super) fn new(op: Op, most: usize) -> Self {
        Self { op, lines: Vec::new(), places: HashMap::new(), bytes: 0, most, terminated: true }
    }

    /// The bytes of the lines so far.
    pub(super) fn held(&self) -> usize {
        self.bytes
    }

    /// Takes an event. One with the same action as an earlier one takes over its line.
    pub(super) fn push(&mut self, event: &Event, action: Option<&str>) {
        let Some(mut line) = line_of(event, self.op) else { return };
        if !matches!(event, Event::Result(_)) && ends_the_reply(&line) {
            self.terminated = false;
        }
        if self.bytes + line.len() > self.most {
            let most = self.most;
            let message = format!("the reply passes {most} bytes; ask for less in one document");
            line = Failure::new(FailureKind::Refused, message).to_python();
        }
        self.bytes += line.len();
        let place = action.and_then(|action| self.places.get(action)).copied();
        match place.and_then(|place| self.lines.get_mut(place)) {
            Some(earlier) => {
                self.bytes = self.bytes.saturating_sub(earlier.len());
                *earlier = line;
            }
            None => {
                if let Some(action) = action {
                    self.places.insert(action.to_owned(), self.lines.len());
                }
                self.lines.push(line);
            }
        }
    }

    /// The reply's bytes, handed over in pieces of about `piece` bytes until one is refused.
    pub(super) fn finish(self, mode: Mode, piece: usize, mut send: impl FnMut(&[u8]) -> bool) {
        let mut out = Vec::new();
        for line in self.lines {
            record_into(mode, &line, &mut out);
            if out.len() >= piece {
                if !send(&out) {
                    return;
                }
                out.clear();
            }
        }
        if self.terminated {
            terminator_into(mode, &mut out);
        }
        send(&out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_line_longer_than_a_frame_is_replaced_by_an_error() {
        let line = "x".repeat(MAX_REPLY + 1);
        assert!(record(Mode::Framed, &line).starts_with("PermissionError('the value has 16777217"));
    }

    fn lines(most: usize, results: &[(&str, Value)]) -> Vec<String> {
        let mut lines = ReplyLines::new(Op::Run, most);
        for (index, (action, value)) in results.iter().enumerate() {
            let result = ActionResult::new(index, "abs", Ok(value.clone()));
            lines.push(&Event::Result(result), Some(action));
        }
        let mut reply = Vec::new();
        lines.finish(Mode::Legacy, usize::MAX, |piece| {
            reply.extend_from_slice(piece);
            true
        });
        let text = String::from_utf8(reply).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn equal_actions_share_the_firsts_place_and_the_lasts_value() {
        let results = [("a", Value::Int(0)), ("b", Value::Int(1)), ("a", Value::Int(2))];
        assert_eq!(lines(MAX_REPLY, &results), ["2", "1", TERMINATOR]);
    }

    #[test]
    fn a_document_cannot_gather_more_than_the_limit() {
        let results = [("a", "x".repeat(60).into()), ("b", "y".repeat(60).into())];
        let lines = lines(100, &results);
        assert_eq!(lines[0].len(), 60);
        assert!(lines[1].contains("the reply passes 100 bytes"), "{}", lines[1]);
    }

    #[test]
    fn a_result_that_looks_like_a_refusal_does_not_end_the_reply() {
        let value = Value::from("Error: unauthorised");
        assert_eq!(lines(100, &[("a", value)]), ["Error: unauthorised", TERMINATOR]);
    }

    #[test]
    fn only_what_looks_like_an_exception_is_a_failure() {
        for line in [
            "LoadDensityTestExecuteException(\"executor received invalid data ['LD_nope']\")",
            "KeyError('x')",
            "TimeoutError()",
            "sqlite3.OperationalError('no such table: x')",
            "RuntimeError('é')",
        ] {
            assert_eq!(read_failure(line), Some(FailureKind::Other), "{line}");
        }
        for line in ["None", "{'error': 'KeyError(1)'}", "an Error (of a kind)", "Error", "Error("]
        {
            assert_eq!(read_failure(line), None, "{line}");
        }
    }

    #[test]
    fn a_busy_server_is_recognised_in_text_too() {
        let read = |kind| {
            let failure = Failure::new(kind, format!("{BUSY}: a test of run 1"));
            read_failure(&failure.to_python())
        };
        assert_eq!(read(FailureKind::Busy), Some(FailureKind::Busy));
        assert_eq!(read(FailureKind::InvalidValue), Some(FailureKind::Other));
    }
}
