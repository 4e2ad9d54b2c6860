//! A hostile broker's packets: what is a packet is one as soon as it is whole and not before, whatever
//! follows, and no message is longer than the limit. What is sent can be parsed.

use ldctl::protocol::mqtt::codec::{
    Message, Packet, Properties, Version, ack, parse, reason, subscribe_into,
};

use super::support::{one_line, options};

/// The first byte is the limit of messages, the second the version.
pub fn check(data: &[u8]) {
    let ([limit, version], mut bytes) = options::<2>(data);
    let limit = usize::from(limit);
    let version = if version & 1 == 0 { Version::V3 } else { Version::V5 };
    sent(version, bytes);
    loop {
        match parse(bytes, version, limit) {
            Err(malformed) => return one_line(&malformed.to_string()),
            Ok(None) => return,
            Ok(Some((packet, length))) => {
                assert!((2..=bytes.len()).contains(&length));
                let (own, rest) = bytes.split_at(length);
                assert_eq!(parse(own, version, limit), Ok(Some((packet.clone(), length))));
                for cut in 0..length.min(300) {
                    assert_eq!(parse(&own[..cut], version, limit), Ok(None), "{own:?} until {cut}");
                }
                kept(version, limit, &packet);
                bytes = rest;
            }
        }
    }
}

fn kept(version: Version, limit: usize, packet: &Packet<'_>) {
    match packet {
        Packet::Publish(message) => {
            assert!(message.payload.len() <= limit && !message.topic.is_empty());
            assert_eq!(message.id.is_some(), message.qos > 0);
        }
        Packet::Ack(it) => {
            assert!(it.id > 0);
            let own = ack(it.kind, it.id);
            assert!(matches!(parse(&own, version, limit), Ok(Some((Packet::Ack(_), 4)))));
        }
        Packet::ConnAck(it) => one_line(&reason::of_connack(version, it.code)),
        Packet::Disconnect(code, _) => one_line(&reason::of(*code)),
        Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {}
    }
}

/// A message with any topic and payload is the one that a receiver sees.
fn sent(version: Version, bytes: &[u8]) {
    let (topic, payload) = bytes.split_at(bytes.len() / 2);
    let mut properties = Properties::default();
    properties.message_expiry(1);
    properties.user(topic, payload).expect("short texts");
    for qos in 0..=2 {
        let message = Message { topic, payload, qos, retain: qos == 1, properties: &properties };
        let mut out = Vec::new();
        message.write(version, 7, &mut out).expect("a short message");
        let text = std::str::from_utf8(topic).ok();
        let name = text.filter(|text| !text.is_empty() && !text.contains(['\0', '+', '#']));
        match parse(&out, version, usize::MAX) {
            Ok(Some((Packet::Publish(seen), length))) => {
                assert_eq!((Some(seen.topic), seen.payload), (name, payload));
                assert_eq!((seen.qos, seen.retain, length), (qos, qos == 1, out.len()));
            }
            // The name or the value of a property may be no text either.
            Err(_) => {
                let pair = [topic, payload].map(|part| std::str::from_utf8(part).ok());
                let texts = pair.map(|text| text.is_some_and(|text| !text.contains('\0')));
                assert!(name.is_none() || version == Version::V5 && texts != [true; 2]);
            }
            other => panic!("{other:?}"),
        }
    }
    let mut out = Vec::new();
    subscribe_into(version, 7, (topic, 1), &mut out).expect("a short filter");
    assert!(parse(&out, version, usize::MAX).is_err(), "only clients send it");
}
