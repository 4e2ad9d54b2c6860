//! The protocol of Redis, version 2 (RESP2): a command is a list of byte strings, a reply one value. Of
//! a list as a reply only the fact is told, because no command of a task has one.

use std::borrow::Cow;

use crate::protocol::checked::{Checked, Unreadable};

/// The longest line of a reply, in bytes: a status or an error.
const MAX_LINE: usize = 64 * 1024;

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A status, such as `OK`.
    Status(String),
    /// An error of the server, without the prefix `ERR`.
    Error(String),
    /// An integer.
    Integer(i64),
    /// A byte string.
    Bytes(Vec<u8>),
    /// Nothing, such as a key that does not exist.
    Nil,
}

/// Why bytes are no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They are no RESP2.
    #[error("invalid reply: {0}")]
    Invalid(&'static str),
    /// The byte string is over the limit.
    #[error("a reply is longer than --max-body-bytes {0} allows")]
    Long(usize),
}

/// Writes a command.
pub fn command_into(parts: &[&[u8]], out: &mut Vec<u8>) {
    let mut number = itoa::Buffer::new();
    let mut head = |sign: u8, length: usize, out: &mut Vec<u8>| {
        out.push(sign);
        out.extend_from_slice(number.format(length).as_bytes());
        out.extend_from_slice(b"\r\n");
    };
    head(b'*', parts.len(), out);
    for part in parts {
        head(b'$', part.len(), out);
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

/// Parses the reply that the bytes begin with, and returns its length; `None` if it is incomplete. A
/// byte string over `limit` is refused before it has arrived.
pub fn parse(bytes: &[u8], limit: usize) -> Result<Option<(Reply, usize)>, Malformed> {
    let Some((&sign, after)) = bytes.split_first() else { return Ok(None) };
    if !b"+-:$*".contains(&sign) {
        return Err(Malformed::Invalid("it begins with none of + - : $ *"));
    }
    let looked = after.get(..MAX_LINE.min(after.len())).unwrap_or_default();
    let Some(end) = memchr::memchr(b'\n', looked) else {
        return match after.len() >= MAX_LINE {
            true => Err(Malformed::Invalid("a line has no end")),
            false => Ok(None),
        };
    };
    let line = looked.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.ok_or(Malformed::Invalid("a line ends without a carriage return"))?;
    let length = 1 + end + 1;
    let text = || String::from_utf8_lossy(line).into_owned();
    let reply = match sign {
        b'+' => Reply::Status(text()),
        b'-' => {
            let text = text();
            Reply::Error(text.strip_prefix("ERR ").map(str::to_owned).unwrap_or(text))
        }
        b':' => Reply::Integer(integer(line)?),
        b'*' if integer(line)? == -1 => Reply::Nil,
        b'*' => return Err(Malformed::Invalid("a list")),
        _ => match usize::try_from(integer(line)?) {
            Err(_) if line == b"-1" => Reply::Nil,
            Err(_) => return Err(Malformed::Invalid("a negative length")),
            Ok(size) if size > limit => return Err(Malformed::Long(limit)),
            Ok(size) => {
                let Some(rest) = bytes.get(length..).filter(|rest| rest.len() >= size + 2) else {
                    return Ok(None);
                };
                let (data, rest) = rest.split_at(size);
                if !rest.starts_with(b"\r\n") {
                    return Err(Malformed::Invalid("a byte string is longer than its length"));
                }
                return Ok(Some((Reply::Bytes(data.to_vec()), length + size + 2)));
            }
        },
    };
    Ok(Some((reply, length)))
}

fn integer(digits: &[u8]) -> Result<i64, Malformed> {
    let text = std::str::from_utf8(digits).ok();
    let number = text.filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok());
    number.ok_or(Malformed::Invalid("expected an integer"))
}

impl Reply {
    /// Its text as Python's client has it, for which a status means success.
    pub(super) fn as_python(&self) -> Cow<'_, str> {
        match self {
            Self::Status(text) if text == "OK" => Cow::from("True"),
            Self::Status(text) | Self::Error(text) => Cow::from(text),
            Self::Integer(number) => Cow::from(number.to_string()),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes),
            Self::Nil => Cow::from(""),
        }
    }

    /// Its length as the reference counts it.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Nil => 0,
            _ => 1,
        }
    }
}

impl Checked for Reply {
    fn text(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        Ok(match self {
            Self::Status(text) => Cow::Borrowed(text.as_bytes()),
            other => match other.as_python() {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_parsed_once_it_is_whole_and_what_follows_is_left() {
        let bytes = |text: &str| Reply::Bytes(text.into());
        for (text, want) in [
            ("+OK\r\n", Reply::Status("OK".to_owned())),
            ("-ERR no such\r\n", Reply::Error("no such".to_owned())),
            ("-WRONGTYPE x\r\n", Reply::Error("WRONGTYPE x".to_owned())),
            (":-42\r\n", Reply::Integer(-42)),
            ("$5\r\na\r\nbc\r\n", bytes("a\r\nbc")),
            ("$0\r\n\r\n", bytes("")),
            ("$-1\r\n", Reply::Nil),
            ("*-1\r\n", Reply::Nil),
        ] {
            for cut in 0..text.len() {
                assert_eq!(parse(&text.as_bytes()[..cut], 5), Ok(None), "{text:?} until {cut}");
            }
            let more = format!("{text}+more");
            assert_eq!(parse(more.as_bytes(), 5), Ok(Some((want, text.len()))), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused_before_it_is_whole() {
        for (text, why) in [
            ("HTTP/1.1", "invalid reply: it begins with none of + - : $ *"),
            ("+OK\n", "invalid reply: a line ends without a carriage return"),
            (":x\r\n", "invalid reply: expected an integer"),
            (":+1\r\n", "invalid reply: expected an integer"),
            ("$-2\r\n", "invalid reply: a negative length"),
            ("$1\r\nabc", "invalid reply: a byte string is longer than its length"),
            ("$99999999999999999999\r\n", "invalid reply: expected an integer"),
            ("*1\r\n", "invalid reply: a list"),
            ("$6\r\n", "a reply is longer than --max-body-bytes 5 allows"),
        ] {
            let refusal = parse(text.as_bytes(), 5).expect_err(text);
            assert_eq!(refusal.to_string(), why);
        }
        let endless = vec![b'+'; MAX_LINE + 1];
        assert_eq!(parse(&endless, 5), Err(Malformed::Invalid("a line has no end")));
    }

    #[test]
    fn a_command_is_a_list_of_byte_strings() {
        let mut out = Vec::new();
        command_into(&[b"SET", b"k", b"\r\n\xff"], &mut out);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n\xff\r\n");
    }
}
