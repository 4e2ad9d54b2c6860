//! The properties of MQTT 5 (section 2.2.2): those of a server's packets that matter here, and those
//! that a client sends.

use super::wire::{Cursor, Malformed, TooLong, length_of, write_bytes, write_length};

/// What matters of a packet's properties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told<'a> {
    /// The text beside a reason code (section 3.2.2.3.9).
    pub(super) reason: &'a str,
    /// Seconds, where the server wants others than the client (section 3.2.2.3.14).
    pub(super) keep_alive: Option<u16>,
}

/// What follows a property's identifier (section 2.2.2.2).
enum Form {
    Fixed(usize),
    Number,
    Bytes,
    Text,
    Pair,
}

fn form(id: u8) -> Option<Form> {
    Some(match id {
        0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => Form::Fixed(1),
        0x13 | 0x21 | 0x22 | 0x23 => Form::Fixed(2),
        0x02 | 0x11 | 0x18 | 0x27 => Form::Fixed(4),
        0x0b => Form::Number,
        0x09 | 0x16 => Form::Bytes,
        0x03 | 0x08 | 0x12 | 0x15 | 0x1a | 0x1c | 0x1f => Form::Text,
        0x26 => Form::Pair,
        _ => return None,
    })
}

/// Reads the properties of a packet.
pub(super) fn read<'a>(packet: &mut Cursor<'a>) -> Result<Told<'a>, Malformed> {
    let mut rest = packet.counted()?;
    let mut told = Told::default();
    while !rest.is_empty() {
        match (rest.byte()?, &mut rest) {
            (0x1f, rest) => told.reason = rest.text()?,
            (0x13, rest) => told.keep_alive = Some(rest.short()?),
            (id, rest) => match form(id).ok_or(Malformed::Invalid("an unknown property"))? {
                Form::Fixed(length) => drop(rest.take(length)?),
                Form::Number => {
                    let mut more = 0..4;
                    while more.next().is_some() && rest.byte()? & 0x80 != 0 {}
                }
                Form::Bytes => drop(rest.bytes()?),
                Form::Text => drop(rest.text()?),
                Form::Pair => drop((rest.text()?, rest.text()?)),
            },
        }
    }
    Ok(told)
}

/// Properties of one packet that a client sends, as they are on the wire but for their length.
#[derive(Debug, Clone, Default)]
pub struct Properties(Vec<u8>);

impl Properties {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How long a message is kept for its receivers, in seconds (section 3.3.2.3.3).
    pub fn message_expiry(&mut self, seconds: u32) {
        self.seconds(0x02, seconds);
    }

    /// How long a session outlives its connection, in seconds (section 3.1.2.11.2).
    pub fn session_expiry(&mut self, seconds: u32) {
        self.seconds(0x11, seconds);
    }

    fn seconds(&mut self, id: u8, seconds: u32) {
        self.0.push(id);
        self.0.extend_from_slice(&seconds.to_be_bytes());
    }

    /// What a message's payload is (section 3.3.2.3.9).
    pub fn content_type(&mut self, text: &[u8]) -> Result<(), TooLong> {
        self.0.push(0x03);
        write_bytes(text, "the content type", &mut self.0)
    }

    /// The topic for responses to a message (section 3.3.2.3.5).
    pub fn response_topic(&mut self, topic: &[u8]) -> Result<(), TooLong> {
        self.0.push(0x08);
        write_bytes(topic, "the response topic", &mut self.0)
    }

    /// What ties a response to its request (section 3.3.2.3.6).
    pub fn correlation_data(&mut self, data: &[u8]) -> Result<(), TooLong> {
        self.0.push(0x09);
        write_bytes(data, "the correlation data", &mut self.0)
    }

    /// A name and a value (section 3.3.2.3.7).
    pub fn user(&mut self, name: &[u8], value: &[u8]) -> Result<(), TooLong> {
        self.0.push(0x26);
        write_bytes(name, "the name of a user property", &mut self.0)?;
        write_bytes(value, "the value of a user property", &mut self.0)
    }

    /// Their length on the wire.
    pub(super) fn length(&self) -> Result<usize, TooLong> {
        Ok(length_of(self.0.len(), Self::WHAT)? + self.0.len())
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        write_length(self.0.len(), Self::WHAT, out)?;
        out.extend_from_slice(&self.0);
        Ok(())
    }

    const WHAT: &'static str = "the list of properties";
}
