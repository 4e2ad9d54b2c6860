//! What a server says by a number: the return codes of MQTT 3.1.1 (section 3.2.2.3) and the reason
//! codes of MQTT 5 (section 2.4).

use super::wire::Version;

/// Return codes of CONNACK.
const RETURN_CODES: [(u8, &str); 5] = [
    (1, "unacceptable protocol version"),
    (2, "identifier rejected"),
    (3, "server unavailable"),
    (4, "bad user name or password"),
    (5, "not authorised"),
];

const REASON_CODES: [(u8, &str); 42] = [
    (0x00, "normal disconnection"),
    (0x04, "disconnect with will message"),
    (0x10, "no matching subscribers"),
    (0x11, "no subscription existed"),
    (0x80, "unspecified error"),
    (0x81, "malformed packet"),
    (0x82, "protocol error"),
    (0x83, "implementation specific error"),
    (0x84, "unsupported protocol version"),
    (0x85, "client identifier not valid"),
    (0x86, "bad user name or password"),
    (0x87, "not authorised"),
    (0x88, "server unavailable"),
    (0x89, "server busy"),
    (0x8a, "banned"),
    (0x8b, "server shutting down"),
    (0x8c, "bad authentication method"),
    (0x8d, "keep alive timeout"),
    (0x8e, "session taken over"),
    (0x8f, "topic filter invalid"),
    (0x90, "topic name invalid"),
    (0x91, "packet identifier in use"),
    (0x92, "packet identifier not found"),
    (0x93, "receive maximum exceeded"),
    (0x94, "topic alias invalid"),
    (0x95, "packet too large"),
    (0x96, "message rate too high"),
    (0x97, "quota exceeded"),
    (0x98, "administrative action"),
    (0x99, "payload format invalid"),
    (0x9a, "retain not supported"),
    (0x9b, "QoS not supported"),
    (0x9c, "use another server"),
    (0x9d, "server moved"),
    (0x9e, "shared subscriptions not supported"),
    (0x9f, "connection rate exceeded"),
    (0xa0, "maximum connect time"),
    (0xa1, "subscription identifiers not supported"),
    (0xa2, "wildcard subscriptions not supported"),
    (0x18, "continue authentication"),
    (0x19, "re-authenticate"),
    (0x01, "granted QoS 1"),
];

/// The code of CONNACK in words, and its number: `not authorised (5)`.
pub fn of_connack(version: Version, code: u8) -> String {
    match version {
        // A server that does not know version 5 may refuse it as an older one.
        Version::V5 if code >= 0x80 => of(code),
        _ => named(&RETURN_CODES, code),
    }
}

/// The code of another packet.
pub fn of(code: u8) -> String {
    named(&REASON_CODES, code)
}

fn named(names: &[(u8, &str)], code: u8) -> String {
    let name = names.iter().find(|(known, _)| *known == code);
    format!("{} ({code})", name.map_or("unknown reason", |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_a_name_and_its_number() {
        assert_eq!(of_connack(Version::V3, 5), "not authorised (5)");
        assert_eq!(of_connack(Version::V3, 6), "unknown reason (6)");
        assert_eq!(of_connack(Version::V5, 1), "unacceptable protocol version (1)");
        assert_eq!(of_connack(Version::V5, 0x86), "bad user name or password (134)");
        assert_eq!(of(0x8e), "session taken over (142)");
        assert_eq!(of(0xff), "unknown reason (255)");
    }
}
