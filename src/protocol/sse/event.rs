//! The event stream format (HTML standard, section 9.2.6), parsed as bytes arrive.

use std::borrow::Cow;
use std::time::Duration;

use crate::memory::{Full, Held};
use crate::protocol::checked::{Checked, Unreadable};

/// The longest identifier that is sent back, in bytes: it becomes a header.
const MAX_ID: usize = 4096;

/// The longest delay that a target may ask for.
const MAX_RETRY: Duration = Duration::from_secs(3600);

/// An event, once it is complete.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Event {
    /// The values of its `data` lines, joined by line ends.
    pub data: Vec<u8>,
    /// The size of all its values, in bytes.
    pub size: u64,
}

impl Checked for Event {
    /// The format is UTF-8; bytes that are not are replaced.
    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        Ok(match String::from_utf8_lossy(&self.data) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }
}

/// Why an event cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is over the limit.
    #[error("an event is longer than --max-body-bytes {0} allows")]
    Long(usize),
    /// It does not fit into memory.
    #[error("{0}")]
    Full(#[from] Full),
}

/// The parser of a stream. Identifier and delay outlive the stream, for the next one.
#[derive(Debug, Default)]
pub struct Parser {
    /// The most that an event and a line may hold, in bytes.
    limit: usize,
    held: Held,
    line: Vec<u8>,
    event: Event,
    /// Whether a `data` line has come, even an empty one.
    has_data: bool,
    /// Whether the last byte was a carriage return, after which a line feed is none of its own.
    after_return: bool,
    /// Whether a first line has been seen; a byte order mark may stand before it.
    begun: bool,
    /// The identifier of the event in progress, and of the last event.
    next_id: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
}

impl Parser {
    /// A parser whose events are at most so long.
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Counts what it holds.
    pub(super) fn holding(self, held: Held) -> Self {
        Self { held, ..self }
    }

    /// The identifier of the last event, which the next stream continues after.
    pub fn last_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }

    /// How long to wait before the next stream, if the target has said so.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Begins another stream: what was incomplete is dropped.
    pub fn restart(&mut self) {
        self.line = Vec::new();
        self.event = Event::default();
        self.next_id = self.id.clone();
        (self.has_data, self.after_return, self.begun) = (false, false, false);
        let _ = self.held.set(0);
    }

    /// Takes bytes until an event is complete, and leaves the rest; `None` means that all are taken.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>, Unfit> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return) && bytes.first() == Some(&b'\n') {
                *bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            let end = memchr::memchr2(b'\r', b'\n', bytes);
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            let held = self.line.len() + part.len() + self.event.data.len();
            if held > self.limit {
                return Err(Unfit::Long(self.limit));
            }
            self.held.set(held)?;
            if end.is_none() {
                self.line.extend_from_slice(part);
                *bytes = rest;
                return Ok(None);
            }
            self.after_return = rest.first() == Some(&b'\r');
            *bytes = rest.get(1..).unwrap_or_default();
            let kept = std::mem::take(&mut self.line);
            let event = match kept.is_empty() {
                true => self.line(part),
                false => self.line(&[&kept, part].concat()),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// Takes a line; returns the event that it completes.
    fn line(&mut self, line: &[u8]) -> Option<Event> {
        let line = match std::mem::replace(&mut self.begun, true) {
            true => line,
            false => line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line),
        };
        if line.is_empty() {
            self.id.clone_from(&self.next_id);
            let event = std::mem::take(&mut self.event);
            let _ = self.held.set(0);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (name, value) = match memchr::memchr(b':', line) {
            // A comment.
            Some(0) => return None,
            Some(at) => (line.get(..at)?, line.get(at + 1..)?),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        self.event.size += value.len() as u64;
        match name {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
            }
            b"id" if !value.contains(&0) && value.len() <= MAX_ID => {
                self.next_id = Some(String::from_utf8_lossy(value).into_owned());
            }
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let millis = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                self.retry = Some(millis.map_or(MAX_RETRY, Duration::from_millis).min(MAX_RETRY));
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of a stream that comes in pieces of this size.
    fn events(stream: &str, size: usize) -> (Vec<(String, u64)>, Parser) {
        let mut parser = Parser::new(1000);
        let mut found = Vec::new();
        for mut piece in stream.as_bytes().chunks(size) {
            while let Some(event) = parser.next(&mut piece).expect("short") {
                found.push((String::from_utf8(event.data).expect("UTF-8"), event.size));
            }
            assert!(piece.is_empty());
        }
        (found, parser)
    }

    #[test]
    fn events_are_parsed_in_pieces_of_any_size() {
        for (stream, expected) in [
            ("data: a\n\ndata:b\r\n\r\ndata:  c\r\r", &[("a", 1), ("b", 1), (" c", 2)][..]),
            ("\u{feff}data: a\ndata\ndata: é\n\n", &[("a\n\né", 3)]),
            (": comment\n\nevent: x\n\nid: 7\n\ndata\n\n", &[("", 0)]),
            ("event: x\nid: 7\ndata: a\nother: y\n\ndata: lost", &[("a", 4)]),
            ("data:a\n\n\n\n:\n\ndata:b\n\n", &[("a", 1), ("b", 1)]),
        ] {
            for size in 1..=stream.len() {
                let (found, _) = events(stream, size);
                let found: Vec<_> = found.iter().map(|(text, size)| (&**text, *size)).collect();
                assert_eq!(found, expected, "{stream:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn the_last_identifier_and_the_delay_are_kept() {
        for (stream, id, retry) in [
            ("id: 1\ndata: a\n\nid: 2\ndata: b\n", Some("1"), None),
            ("id: 1\ndata: a\n\nid\n\n", None, None),
            ("id: 1\n\nid: a\0b\n\n", Some("1"), None),
            ("retry: 250\n", None, Some(250)),
            ("retry: 250\nretry: x\nretry:\n", None, Some(250)),
            ("retry: 99999999999999999999999\n", None, Some(3_600_000)),
        ] {
            let (_, parser) = events(stream, 3);
            assert_eq!(parser.last_id(), id, "{stream:?}");
            assert_eq!(parser.retry(), retry.map(Duration::from_millis), "{stream:?}");
        }
        let (_, mut parser) = events("id: 1\n\nid: 2\ndata: half", 4);
        parser.restart();
        let event = parser.next(&mut &b"data: b\n\n"[..]).expect("short").expect("an event");
        assert_eq!((&*event.data, parser.last_id()), (&b"b"[..], Some("1")));
    }

    #[test]
    fn an_event_over_the_limit_is_refused_before_its_end() {
        let mut parser = Parser::new(100);
        let line = format!("data: {}\n", "x".repeat(40));
        let ends: Vec<_> = (0..3)
            .map(|_| parser.next(&mut line.as_bytes()).map(|event| event.is_some()))
            .collect();
        assert_eq!(ends, [Ok(false), Ok(false), Err(Unfit::Long(100))]);
        let mut parser = Parser::new(100);
        assert_eq!(parser.next(&mut &[b'x'; 101][..]), Err(Unfit::Long(100)));
    }
}
