//! A hostile server's replies: what is a reply is one as soon as it is whole and not before, whatever
//! follows, and none is longer than the limit.

use ldctl::protocol::redis::resp::{Reply, command_into, parse};

use super::support::{one_line, options};

/// The first byte is the limit of byte strings.
pub fn check(data: &[u8]) {
    let ([limit], mut bytes) = options::<1>(data);
    let limit = usize::from(limit);
    command(bytes);
    loop {
        match parse(bytes, limit) {
            Err(malformed) => return one_line(&malformed.to_string()),
            Ok(None) => return,
            Ok(Some((reply, length))) => {
                assert!((1..=bytes.len()).contains(&length));
                let (own, rest) = bytes.split_at(length);
                assert_eq!(parse(own, limit), Ok(Some((reply.clone(), length))));
                for cut in 0..length.min(300) {
                    assert_eq!(parse(&own[..cut], limit), Ok(None), "{own:?} until {cut}");
                }
                if let Reply::Bytes(bytes) = reply {
                    assert!(bytes.len() <= limit);
                }
                bytes = rest;
            }
        }
    }
}

/// The parts of a command are byte strings of the protocol, whatever is in them.
fn command(bytes: &[u8]) {
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let mut out = Vec::new();
    command_into(&parts, &mut out);
    let begin = format!("*{}\r\n", parts.len());
    let mut rest = out.strip_prefix(begin.as_bytes()).expect("its length");
    for part in parts {
        let (reply, length) = parse(rest, usize::MAX).expect("a part").expect("the whole");
        assert_eq!(reply, Reply::Bytes(part.to_vec()));
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
}
