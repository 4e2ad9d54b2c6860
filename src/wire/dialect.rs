//! One reply in either dialect: [`Writer`] encodes a server's events, [`Decoder`] decodes the
//! frames or lines for a client. The dialects themselves are [`text`] and [`events`].

use super::events::{self, Body, event_into};
use super::frame::{MAX_REPLY, Mode, TERMINATOR, terminator_into};
use super::op::Op;
use super::refusal::Refusal;
use super::text::ReplyLines;
use crate::event::Event;

#[cfg(doc)]
use super::text;

/// The dialect of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Lines, as the reference writes them.
    Text,
    /// JSON objects.
    Events,
}

/// What the form of a reply depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyFormat {
    /// How lines and objects are delimited.
    pub mode: Mode,
    /// Lines or objects.
    pub dialect: Dialect,
    /// The operation; [`Op::Run`] where the request is refused.
    pub op: Op,
}

impl ReplyFormat {
    /// Appends a whole reply of a few events.
    pub fn reply_into(self, events: &[Event], out: &mut Vec<u8>) {
        let mut writer = Writer::new(self, MAX_REPLY);
        events.iter().for_each(|event| writer.write(event, None, out));
        writer.finish(usize::MAX, |rest| {
            out.extend_from_slice(rest);
            true
        });
    }
}

impl Refusal {
    /// Appends the whole reply that refuses a request.
    pub fn reply_into(&self, mode: Mode, dialect: Dialect, out: &mut Vec<u8>) {
        let event = Event::from(self.clone());
        ReplyFormat { mode, dialect, op: Op::Run }.reply_into(&[event], out);
    }
}

/// Writes one reply: events immediately, text when the reply is complete.
#[derive(Debug)]
pub struct Writer {
    mode: Mode,
    /// The lines so far, in the text dialect.
    lines: Option<ReplyLines>,
    /// Results that failed only because they are too long for a frame.
    replaced: usize,
}

impl Writer {
    /// An empty reply; `most` limits the bytes of collected text.
    pub fn new(format: ReplyFormat, most: usize) -> Self {
        let lines = match format.dialect {
            Dialect::Text => Some(ReplyLines::new(format.op, most)),
            Dialect::Events => None,
        };
        Self { mode: format.mode, lines, replaced: 0 }
    }

    /// Encodes an event, and appends what can be sent already. `action` is the text of a result's
    /// action: in the text dialect results with equal action text share a line.
    pub fn write(&mut self, event: &Event, action: Option<&str>, out: &mut Vec<u8>) {
        match &mut self.lines {
            Some(lines) => lines.push(event, action),
            None => match event {
                Event::Done { failed, .. } if self.replaced > 0 => {
                    let more = failed + self.replaced;
                    let mut done = event.clone();
                    if let Event::Done { ok, failed, .. } = &mut done {
                        (*ok, *failed) = (false, more);
                    }
                    event_into(&done, out);
                }
                event => self.replaced += usize::from(event_into(event, out)),
            },
        }
    }

    /// Bytes of collected text.
    pub fn held(&self) -> usize {
        self.lines.as_ref().map_or(0, ReplyLines::held)
    }

    /// Passes the rest to `send`, including the terminator where one follows, in pieces of about
    /// `piece` bytes until one is refused.
    pub fn finish(self, piece: usize, mut send: impl FnMut(&[u8]) -> bool) {
        match self.lines {
            Some(lines) => lines.finish(self.mode, piece, send),
            None => {
                let mut out = Vec::new();
                terminator_into(self.mode, &mut out);
                send(&out);
            }
        }
    }
}

/// One piece of a reply, decoded.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// From a server that sends events.
    Event(Event),
    /// From a server that sends text: one record or refusal.
    Line(String),
}

/// The meaning of a frame or line of a reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// The terminator.
    End,
    /// A piece of the reply.
    Reply(Reply),
    /// An event that is unknown to this version; to be ignored.
    Unknown,
}

/// Decodes a reply. The first frame determines the dialect, so that no later record of a text
/// server can be mistaken for an event.
#[derive(Debug, Default)]
pub struct Decoder {
    dialect: Option<Dialect>,
}

impl Decoder {
    /// Decodes a frame's body, or a legacy line with or without its newline.
    pub fn read(&mut self, body: &[u8], mode: Mode) -> Decoded {
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        if body == TERMINATOR.as_bytes() {
            return Decoded::End;
        }
        let read = match (self.dialect, mode) {
            (Some(Dialect::Text), _) | (_, Mode::Legacy) => Body::Other,
            _ => events::read(body),
        };
        let dialect = *self.dialect.get_or_insert(match read {
            Body::Event(_) | Body::UnknownEvent => Dialect::Events,
            Body::Other => Dialect::Text,
        });
        match (dialect, read) {
            (Dialect::Events, Body::Event(event)) => Decoded::Reply(Reply::Event(event)),
            (Dialect::Events, Body::UnknownEvent | Body::Other) => Decoded::Unknown,
            (Dialect::Text, _) => {
                Decoded::Reply(Reply::Line(String::from_utf8_lossy(body).into_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
