//! One reply in either dialect: [`Writer`] turns a server's events into bytes, [`Decoder`] turns the
//! frames or lines back into what a client reads. The dialects themselves are [`text`] and [`events`].

use super::events::{self, Body, event_into};
use super::frame::{MAX_REPLY, Mode, TERMINATOR, terminator_into};
use super::op::Op;
use super::refusal::Refusal;
use super::text::ReplyLines;
use crate::event::Event;

#[cfg(doc)]
use super::text;

/// How a reply is written.
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
    /// What they are.
    pub dialect: Dialect,
    /// The operation that is answered; [`Op::Run`] where the request is refused.
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

/// Writes one reply: events at once, text when the reply is complete.
#[derive(Debug)]
pub struct Writer {
    mode: Mode,
    /// The lines so far, in the text dialect.
    lines: Option<ReplyLines>,
}

impl Writer {
    /// A reply of which nothing is written; `most` bounds the bytes of text that are gathered.
    pub fn new(format: ReplyFormat, most: usize) -> Self {
        let lines = match format.dialect {
            Dialect::Text => Some(ReplyLines::new(format.op, most)),
            Dialect::Events => None,
        };
        Self { mode: format.mode, lines }
    }

    /// Takes an event, and appends what of it can be sent at once. `action` is the text of the action
    /// that a result is of: in the text dialect results with an equal one share a line.
    pub fn write(&mut self, event: &Event, action: Option<&str>, out: &mut Vec<u8>) {
        match &mut self.lines {
            Some(lines) => lines.push(event, action),
            None => event_into(event, out),
        }
    }

    /// Hands over what is left to send, the terminator where one follows included, in pieces of
    /// about `piece` bytes until one is refused.
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

/// One piece of a reply, as a client gets it.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// From a server that speaks events.
    Event(Event),
    /// From a server that speaks text: one record or refusal.
    Line(String),
}

/// What a frame or line of a reply means.
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
