//! The packets that a client sends.

use super::properties::Properties;
use super::received::AckKind;
use super::wire::{TooLong, Version, write_bytes, write_length, write_packet};

/// Asks whether the server is there (section 3.12).
pub const PINGREQ: [u8; 2] = [0xc0, 0];

/// Says goodbye (section 3.14).
pub const DISCONNECT: [u8; 2] = [0xe0, 0];

/// The first packet (section 3.1).
#[derive(Debug)]
pub struct Connect<'a> {
    /// The version of the protocol.
    pub version: Version,
    /// The name of the client.
    pub client_id: &'a [u8],
    /// Whether it begins a new session.
    pub clean: bool,
    /// Seconds between two packets of the client at most; 0 for any.
    pub keep_alive: u16,
    /// Who it is.
    pub username: Option<&'a [u8]>,
    /// Why it may be.
    pub password: Option<&'a [u8]>,
    /// What the server publishes if the connection breaks.
    pub will: Option<Message<'a>>,
    /// Those of MQTT 5.
    pub properties: &'a Properties,
}

impl Connect<'_> {
    /// Writes it.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let level = match self.version {
            Version::V3 => 4,
            Version::V5 => 5,
        };
        let will =
            self.will.as_ref().map_or(0, |will| 4 | will.qos << 3 | u8::from(will.retain) << 5);
        let flags = u8::from(self.clean) << 1
            | will
            | u8::from(self.password.is_some()) << 6
            | u8::from(self.username.is_some()) << 7;
        let mut body = b"\0\x04MQTT".to_vec();
        body.extend_from_slice(&[level, flags]);
        body.extend_from_slice(&self.keep_alive.to_be_bytes());
        if self.version == Version::V5 {
            self.properties.write(&mut body)?;
        }
        write_bytes(self.client_id, "the client id", &mut body)?;
        if let Some(will) = &self.will {
            if self.version == Version::V5 {
                will.properties.write(&mut body)?;
            }
            write_bytes(will.topic, "the topic", &mut body)?;
            write_bytes(will.payload, "the payload of the will", &mut body)?;
        }
        if let Some(username) = self.username {
            write_bytes(username, "the user name", &mut body)?;
        }
        if let Some(password) = self.password {
            write_bytes(password, "the password", &mut body)?;
        }
        write_packet(0x10, &body, out)
    }
}

/// A message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its topic.
    pub topic: &'a [u8],
    /// What it says.
    pub payload: &'a [u8],
    /// Its quality of service: 0, 1 or 2.
    pub qos: u8,
    /// Whether the server keeps it for later subscribers.
    pub retain: bool,
    /// Those of MQTT 5.
    pub properties: &'a Properties,
}

impl Message<'_> {
    /// Writes PUBLISH (section 3.3); `id` counts with QoS 1 and 2.
    pub fn write(&self, version: Version, id: u16, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let properties = match version {
            Version::V3 => 0,
            Version::V5 => self.properties.length()?,
        };
        let id = (self.qos > 0).then(|| id.to_be_bytes());
        let own = id.map_or(0, |id| id.len());
        let length = 2 + self.topic.len() + own + properties + self.payload.len();
        out.reserve(5 + length);
        out.push(0x30 | self.qos << 1 | u8::from(self.retain));
        write_length(length, "the message", out)?;
        write_bytes(self.topic, "the topic", out)?;
        out.extend_from_slice(id.as_ref().map_or(&[], |id| id.as_slice()));
        if version == Version::V5 {
            self.properties.write(out)?;
        }
        out.extend_from_slice(self.payload);
        Ok(())
    }
}

/// PUBLISH as it is sent again (section 3.3.1.1).
pub fn again(mut packet: Vec<u8>) -> Vec<u8> {
    if let Some(first) = packet.first_mut() {
        *first |= 0x08;
    }
    packet
}

/// Writes SUBSCRIBE of one topic filter (section 3.8).
pub fn subscribe_into(
    version: Version,
    id: u16,
    (filter, qos): (&[u8], u8),
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let mut body = filters(version, id, filter)?;
    body.push(qos);
    write_packet(0x82, &body, out)
}

/// Writes UNSUBSCRIBE of one topic filter (section 3.10).
pub fn unsubscribe_into(
    version: Version,
    id: u16,
    filter: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    write_packet(0xa2, &filters(version, id, filter)?, out)
}

fn filters(version: Version, id: u16, filter: &[u8]) -> Result<Vec<u8>, TooLong> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    write_bytes(filter, "the topic filter", &mut body)?;
    Ok(body)
}

/// A packet about a message. In MQTT 5 it means success without saying so (section 3.4.2.1).
pub fn ack(kind: AckKind, id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [kind as u8, 2, high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(qos: u8, properties: &'a Properties) -> Message<'a> {
        Message { topic: b"a/b", payload: b"x", qos, retain: true, properties }
    }

    fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLong>) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out).expect("it fits");
        out
    }

    #[test]
    fn packets_are_those_of_the_specification() {
        let (none, mut some) = (Properties::default(), Properties::default());
        some.message_expiry(2);
        some.user(b"a", b"b").expect("it fits");
        let mut connect = Connect {
            version: Version::V3,
            client_id: b"c",
            clean: true,
            keep_alive: 60,
            username: None,
            password: None,
            will: None,
            properties: &none,
        };
        assert_eq!(written(|out| connect.write(out)), b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c");
        let mut session = Properties::default();
        session.session_expiry(9);
        connect.version = Version::V5;
        connect.properties = &session;
        connect.clean = false;
        connect.username = Some(b"u");
        connect.password = Some(b"p");
        connect.will = Some(message(1, &none));
        assert_eq!(
            written(|out| connect.write(out)),
            b"\x10\x22\0\x04MQTT\x05\xec\0\x3c\x05\x11\0\0\0\x09\0\x01c\0\0\x03a/b\0\x01x\0\x01u\0\x01p"
        );
        let message_of = |version, qos, properties| {
            written(|out| message(qos, properties).write(version, 7, out))
        };
        assert_eq!(message_of(Version::V3, 0, &some), b"\x31\x06\0\x03a/bx");
        assert_eq!(message_of(Version::V3, 2, &none), b"\x35\x08\0\x03a/b\0\x07x");
        assert_eq!(
            message_of(Version::V5, 1, &some),
            b"\x33\x15\0\x03a/b\0\x07\x0c\x02\0\0\0\x02\x26\0\x01a\0\x01bx"
        );
        let subscribe = |version| written(|out| subscribe_into(version, 7, (b"a/#", 2), out));
        assert_eq!(subscribe(Version::V3), b"\x82\x08\0\x07\0\x03a/#\x02");
        assert_eq!(subscribe(Version::V5), b"\x82\x09\0\x07\0\0\x03a/#\x02");
        let unsubscribe = written(|out| unsubscribe_into(Version::V3, 7, b"+", out));
        assert_eq!(unsubscribe, b"\xa2\x05\0\x07\0\x01+");
        assert_eq!(ack(AckKind::PubRel, 258), [0x62, 2, 1, 2]);
    }

    #[test]
    fn what_is_too_long_for_a_packet_is_refused() {
        let none = Properties::default();
        let topic = vec![b'a'; 65_536];
        let long = Message { topic: &topic, ..message(0, &none) };
        let refusal = long.write(Version::V3, 1, &mut Vec::new()).expect_err("too long");
        assert_eq!(refusal.to_string(), "the topic is too long for MQTT");
    }
}
