//! The packets that a server sends. They are parsed where they lie: nothing is copied.

use super::properties::{Told, read};
use super::wire::{Cursor, MAX_STRING, Malformed, Version, header};

/// The longest packet without a message, in bytes.
const MAX_CONTROL: usize = 256 * 1024;

/// What a message may have beside its payload, in bytes: its topic, and properties.
const MAX_BESIDES: usize = 256 * 1024;

/// A packet of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The answer to CONNECT (section 3.2).
    ConnAck(ConnAck<'a>),
    /// A message (section 3.3).
    Publish(Publish<'a>),
    /// One of the four answers about a message (sections 3.4 to 3.7).
    Ack(Ack<'a>),
    /// The answer to SUBSCRIBE (section 3.9).
    SubAck(Codes<'a>),
    /// The answer to UNSUBSCRIBE (section 3.11).
    UnsubAck(Codes<'a>),
    /// The answer to PINGREQ (section 3.13).
    PingResp,
    /// The end (section 3.14): its reason code, and its text.
    Disconnect(u8, &'a str),
}

/// The answer to CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnAck<'a> {
    /// Whether the server has a session of this client.
    pub session: bool,
    /// 0, or why it is refused.
    pub code: u8,
    /// The text beside it.
    pub reason: &'a str,
    /// Seconds, where the server wants others than the client.
    pub keep_alive: Option<u16>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its quality of service: 0, 1 or 2.
    pub qos: u8,
    /// Its packet identifier; `None` with QoS 0.
    pub id: Option<u16>,
    /// Whether it was kept by the server.
    pub retain: bool,
    /// Whether it may have been sent before.
    pub again: bool,
    /// What it says.
    pub payload: &'a [u8],
}

/// Which packet about a message it is. The numbers are those of the first byte (section 2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckKind {
    /// It has arrived, with QoS 1.
    PubAck = 0x40,
    /// It has arrived, with QoS 2.
    PubRec = 0x50,
    /// Its sender knows that.
    PubRel = 0x62,
    /// That is known.
    PubComp = 0x70,
}

impl AckKind {
    /// Its name in the specification.
    pub fn name(self) -> &'static str {
        match self {
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
        }
    }
}

/// A packet about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Which one.
    pub kind: AckKind,
    /// The identifier of the message.
    pub id: u16,
    /// 0x80 and more are errors; always 0 in MQTT 3.1.1.
    pub code: u8,
    /// The text beside it.
    pub reason: &'a str,
}

/// The answer to SUBSCRIBE or UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes<'a> {
    /// The identifier of what is answered.
    pub id: u16,
    /// One for each topic filter; empty for UNSUBSCRIBE of MQTT 3.1.1.
    pub codes: &'a [u8],
    /// The text beside them.
    pub reason: &'a str,
}

/// Parses the packet that the bytes begin with, and returns its length; `None` if it is incomplete. A
/// payload over `limit` is refused before it has arrived, and so is what is no packet of a server.
pub fn parse(
    bytes: &[u8],
    version: Version,
    limit: usize,
) -> Result<Option<(Packet<'_>, usize)>, Malformed> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    check_first(first, version)?;
    let Some((_, own, length)) = header(bytes)? else { return Ok(None) };
    let is_message = first >> 4 == 3;
    match is_message {
        true if length > limit.saturating_add(MAX_BESIDES) => return Err(Malformed::Long(limit)),
        false if length > MAX_CONTROL => return Err(Malformed::Invalid("it is too long")),
        _ => {}
    }
    let whole = own + length;
    let Some(body) = bytes.get(own..whole) else { return Ok(None) };
    let body = Cursor(body);
    let packet = match first >> 4 {
        2 => conn_ack(body, version)?,
        3 => publish(first, body, version, limit)?,
        4 => ack(AckKind::PubAck, body, version)?,
        5 => ack(AckKind::PubRec, body, version)?,
        6 => ack(AckKind::PubRel, body, version)?,
        7 => ack(AckKind::PubComp, body, version)?,
        9 => Packet::SubAck(codes(body, version, true)?),
        11 => Packet::UnsubAck(codes(body, version, version == Version::V5)?),
        13 => body.end().map(|()| Packet::PingResp)?,
        _ => disconnect(body)?,
    };
    Ok(Some((packet, whole)))
}

/// The type and the flags of a packet (sections 2.1.2 and 2.1.3).
fn check_first(first: u8, version: Version) -> Result<(), Malformed> {
    let flags = first & 0x0f;
    let wanted = match first >> 4 {
        3 if flags & 6 == 6 => return Err(Malformed::Invalid("its QoS is 3")),
        3 => flags,
        6 => 2,
        2 | 4 | 5 | 7 | 9 | 11 | 13 => 0,
        14 if version == Version::V5 => 0,
        15 if version == Version::V5 => return Err(Malformed::Invalid("AUTH was not asked for")),
        0 | 15 => return Err(Malformed::Invalid("its type is unknown")),
        _ => return Err(Malformed::Invalid("only clients send its type")),
    };
    match flags == wanted {
        true => Ok(()),
        false => Err(Malformed::Invalid("its flags are wrong")),
    }
}

fn conn_ack(mut body: Cursor<'_>, version: Version) -> Result<Packet<'_>, Malformed> {
    let (flags, code) = (body.byte()?, body.byte()?);
    if flags > 1 {
        return Err(Malformed::Invalid("its flags are wrong"));
    }
    // A server that refuses version 5 may do so as an older one, without properties.
    let told = match version {
        Version::V5 if !body.is_empty() => read(&mut body)?,
        Version::V5 if code == 0 => return Err(Malformed::Invalid("it ends too early")),
        _ => Told::default(),
    };
    body.end()?;
    let Told { reason, keep_alive } = told;
    Ok(Packet::ConnAck(ConnAck { session: flags == 1, code, reason, keep_alive }))
}

fn publish(
    first: u8,
    mut body: Cursor<'_>,
    version: Version,
    limit: usize,
) -> Result<Packet<'_>, Malformed> {
    let topic = body.text()?;
    // Aliases (MQTT 5, section 3.3.2.3.4) are not offered to servers.
    if topic.is_empty() || topic.contains(['+', '#']) {
        return Err(Malformed::Invalid("a message without a topic"));
    }
    debug_assert!(topic.len() <= MAX_STRING);
    let qos = first >> 1 & 3;
    let id = if qos == 0 { None } else { Some(body.id()?) };
    if version == Version::V5 {
        read(&mut body)?;
    }
    if body.0.len() > limit {
        return Err(Malformed::Long(limit));
    }
    let (retain, again) = (first & 1 != 0, first & 8 != 0);
    Ok(Packet::Publish(Publish { topic, qos, id, retain, again, payload: body.0 }))
}

fn ack(kind: AckKind, mut body: Cursor<'_>, version: Version) -> Result<Packet<'_>, Malformed> {
    let id = body.id()?;
    let (mut code, mut told) = (0, Told::default());
    if version == Version::V5 && !body.is_empty() {
        code = body.byte()?;
        if !body.is_empty() {
            told = read(&mut body)?;
        }
    }
    body.end()?;
    Ok(Packet::Ack(Ack { kind, id, code, reason: told.reason }))
}

fn codes(mut body: Cursor<'_>, version: Version, some: bool) -> Result<Codes<'_>, Malformed> {
    let id = body.id()?;
    let told = if version == Version::V5 { read(&mut body)? } else { Told::default() };
    match body.is_empty() == some {
        true if some => Err(Malformed::Invalid("it ends too early")),
        true => Err(Malformed::Invalid("bytes follow its end")),
        false => Ok(Codes { id, codes: body.0, reason: told.reason }),
    }
}

fn disconnect(mut body: Cursor<'_>) -> Result<Packet<'_>, Malformed> {
    let (mut code, mut told) = (0, Told::default());
    if !body.is_empty() {
        code = body.byte()?;
        if !body.is_empty() {
            told = read(&mut body)?;
        }
    }
    body.end()?;
    Ok(Packet::Disconnect(code, told.reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: Version, bytes: &[u8], want: &Packet<'_>) {
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut], version, 9), Ok(None), "{bytes:x?} until {cut}");
        }
        let more = [bytes, &[0xd0]].concat();
        assert_eq!(parse(&more, version, 9), Ok(Some((want.clone(), bytes.len()))), "{bytes:x?}");
    }

    #[test]
    fn a_packet_is_parsed_once_it_is_whole_and_what_follows_is_left() {
        use Version::{V3, V5};
        let ack = |kind, code, reason| Packet::Ack(Ack { kind, id: 7, code, reason });
        let connected = |code, reason, keep_alive| {
            Packet::ConnAck(ConnAck { session: true, code, reason, keep_alive })
        };
        check(V3, &[0x20, 2, 1, 5], &connected(5, "", None));
        check(V5, &[0x20, 2, 1, 1], &connected(1, "", None));
        check(V5, &[0x20, 3, 1, 0, 0], &connected(0, "", None));
        let told = [0x20, 14, 1, 0x87, 11, 0x1f, 0, 2, b'n', b'o', 0x13, 0, 9, 0x22, 0, 1];
        check(V5, &told, &connected(0x87, "no", Some(9)));
        let message = |qos, id, again, payload| {
            Packet::Publish(Publish { topic: "a/b", qos, id, retain: true, again, payload })
        };
        check(V3, b"\x31\x06\0\x03a/bx", &message(0, None, false, b"x"));
        check(V3, b"\x3b\x07\0\x03a/b\0\x07", &message(1, Some(7), true, b""));
        // Two identifiers of subscriptions, a pair, and a payload that looks like another one.
        let pair = b"\x35\x16\0\x03a/b\0\x07\x0c\x0b\x85\x01\x0b\x02\x26\0\x01a\0\x01b\x0b\x02";
        check(V5, pair, &message(2, Some(7), false, b"\x0b\x02"));
        for (first, kind) in [
            (0x40, AckKind::PubAck),
            (0x50, AckKind::PubRec),
            (0x62, AckKind::PubRel),
            (0x70, AckKind::PubComp),
        ] {
            assert_eq!(kind as u8, first);
            check(V3, &[first, 2, 0, 7], &ack(kind, 0, ""));
            check(V5, &[first, 2, 0, 7], &ack(kind, 0, ""));
            check(V5, &[first, 3, 0, 7, 0x92], &ack(kind, 0x92, ""));
            let text = [first, 9, 0, 7, 0x97, 5, 0x1f, 0, 2, b'o', b'k'];
            check(V5, &text, &ack(kind, 0x97, "ok"));
        }
        let codes = |codes| Codes { id: 7, codes, reason: "" };
        check(V3, &[0x90, 3, 0, 7, 0x80], &Packet::SubAck(codes(&[0x80])));
        check(V5, &[0x90, 4, 0, 7, 0, 1], &Packet::SubAck(codes(&[1])));
        check(V3, &[0xb0, 2, 0, 7], &Packet::UnsubAck(codes(&[])));
        check(V5, &[0xb0, 4, 0, 7, 0, 0x11], &Packet::UnsubAck(codes(&[0x11])));
        check(V3, &[0xd0, 0], &Packet::PingResp);
        check(V5, &[0xe0, 0], &Packet::Disconnect(0, ""));
        check(V5, &[0xe0, 1, 0x8e], &Packet::Disconnect(0x8e, ""));
    }

    #[test]
    fn what_is_no_packet_of_a_server_is_refused() {
        use Version::{V3, V5};
        for (version, bytes, why) in [
            (V3, &[0x00][..], "invalid packet: its type is unknown"),
            (V3, &[0xf0], "invalid packet: its type is unknown"),
            (V5, &[0xf0], "invalid packet: AUTH was not asked for"),
            (V3, b"HTTP/1.1", "invalid packet: its flags are wrong"),
            (V3, &[0x10], "invalid packet: only clients send its type"),
            (V3, &[0x82], "invalid packet: only clients send its type"),
            (V3, &[0xc0], "invalid packet: only clients send its type"),
            (V3, &[0xe0], "invalid packet: only clients send its type"),
            (V3, &[0x60], "invalid packet: its flags are wrong"),
            (V3, &[0x36], "invalid packet: its QoS is 3"),
            (V3, &[0x20, 2, 2, 0], "invalid packet: its flags are wrong"),
            (V3, &[0x20, 1, 0], "invalid packet: it ends too early"),
            (V3, &[0x20, 3, 0, 0, 0], "invalid packet: bytes follow its end"),
            (V5, &[0x20, 2, 0, 0], "invalid packet: it ends too early"),
            (V5, &[0x20, 4, 0, 0, 1, 0x7f], "invalid packet: an unknown property"),
            (V5, &[0x20, 3, 0, 0, 1], "invalid packet: it ends too early"),
            (V5, &[0x20, 5, 0, 0, 2, 0x13, 0], "invalid packet: it ends too early"),
            (V3, &[0x40, 2, 0, 0], "invalid packet: its identifier is 0"),
            (V3, &[0x40, 3, 0, 1, 0], "invalid packet: bytes follow its end"),
            (V3, &[0x90, 2, 0, 1], "invalid packet: it ends too early"),
            (V3, &[0xb0, 3, 0, 1, 0], "invalid packet: bytes follow its end"),
            (V3, &[0xd0, 1, 0], "invalid packet: bytes follow its end"),
            (V3, &[0x30, 2, 0, 0], "invalid packet: a message without a topic"),
            (V3, &[0x30, 3, 0, 1, b'#'], "invalid packet: a message without a topic"),
            (V3, &[0x30, 3, 0, 1, 0xff], "invalid packet: a text that is not UTF-8"),
            (V3, &[0x30, 3, 0, 9, b'a'], "invalid packet: it ends too early"),
            (V5, &[0x30, 4, 0, 1, b'a', 0x80], "invalid packet: it ends too early"),
            (V3, &[0x30, 0x80, 0x80, 0x80, 0x80], "invalid packet: its length has no end"),
            (V3, &[0x40, 0x80, 0x80, 0x80, 1], "invalid packet: it is too long"),
            (
                V3,
                &[0x30, 0x80, 0x80, 0x80, 1],
                "a message is longer than --max-body-bytes 9 allows",
            ),
            (
                V3,
                b"\x30\x0d\0\x01a0123456789",
                "a message is longer than --max-body-bytes 9 allows",
            ),
        ] {
            let refusal = parse(bytes, version, 9).expect_err(why);
            assert_eq!(refusal.to_string(), why, "{bytes:x?}");
        }
    }
}
