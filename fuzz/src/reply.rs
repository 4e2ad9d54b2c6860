//! The client and the text dialect: a hostile server's bytes give the same replies however they are
//! cut and nothing after the terminator, and no record of an honest one can end its reply early.

use std::time::Duration;

use ldctl::client::Connection;
use ldctl::wire::dialect::Reply;
use ldctl::wire::frame::Mode;
use ldctl::wire::frame::{HEADER, MAX_REPLY, TERMINATOR, terminator_into};
use ldctl::wire::op::Op;
use ldctl::wire::request::Request;
use ldctl::wire::text::record_into;
use ldctl::wire::token::Token;

use super::support::{Pieces, now, one_line, options};

/// How a reply went: what was given out, and its end.
#[derive(Debug, PartialEq)]
struct Heard {
    replies: Vec<Reply>,
    complete: bool,
    error: Option<String>,
}

/// The first byte chooses the mode, whether a token was sent, and whether the rest is a server's
/// bytes or records (with 0xff between them); the second and third are sizes of pieces.
pub fn check(data: &[u8]) {
    let ([choice, sizes @ ..], bytes) = options::<3>(data);
    let mode = if choice & 1 == 0 { Mode::Framed } else { Mode::Legacy };
    if choice & 4 == 0 {
        let whole = hear(Pieces::whole(bytes), mode, choice & 2 != 0);
        assert_eq!(hear(Pieces::new(bytes, sizes), mode, choice & 2 != 0), whole);
        bounded(&whole, bytes, mode);
    } else {
        let text = String::from_utf8_lossy(bytes);
        let records: Vec<&str> = text.split('\u{fffd}').collect();
        spoken(&records, mode, sizes);
    }
}

fn hear(from: Pieces<'_>, mode: Mode, has_token: bool) -> Heard {
    now(async {
        let token = has_token.then(|| Token::new("s3cret").expect("a token"));
        let connection = Connection::new(from, mode, "server:9940".to_owned());
        let asked =
            connection.ask(Request::new(Op::Ping), token.as_ref(), Duration::from_secs(3600)).await;
        let mut replies = asked.expect("a request is sent");
        let mut heard = Heard { replies: Vec::new(), complete: false, error: None };
        loop {
            match replies.next().await {
                Ok(Some(reply)) => {
                    if let Some(refusal) = replies.refusal(&reply) {
                        assert!(!refusal.line().is_empty());
                    }
                    heard.replies.push(reply);
                }
                Ok(None) => {
                    heard.complete = replies.is_complete();
                    return heard;
                }
                Err(error) => {
                    one_line(&error.line());
                    heard.error = Some(error.line());
                    return heard;
                }
            }
        }
    })
}

/// No more is given out than a model of the format finds before the terminator.
fn bounded(heard: &Heard, bytes: &[u8], mode: Mode) {
    let pieces = match mode {
        Mode::Legacy => {
            let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
            lines.pop();
            lines
        }
        Mode::Framed => frames(bytes),
    };
    let ended = pieces.iter().position(|piece| is_terminator(piece));
    let most = ended.unwrap_or(pieces.len());
    assert!(heard.replies.len() <= most, "{heard:?}");
    if heard.error.is_none() {
        assert!(ended.is_none() || heard.complete);
        let all_text = heard.replies.iter().all(|reply| matches!(reply, Reply::Line(_)));
        assert!(!all_text || heard.replies.is_empty() || heard.replies.len() == most, "{heard:?}");
    }
}

fn is_terminator(piece: &[u8]) -> bool {
    piece.strip_suffix(b"\n").unwrap_or(piece) == TERMINATOR.as_bytes()
}

fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() {
        let length = u32::from_be_bytes(*header) as usize;
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        if length == 0 || length > MAX_REPLY {
            break;
        }
        frames.push(body);
        bytes = rest;
    }
    frames
}

/// What a server writes is what its client hears: as many records, whatever stands in them.
fn spoken(records: &[&str], mode: Mode, sizes: [u8; 2]) {
    let mut reply = Vec::new();
    records.iter().for_each(|record| record_into(mode, record, &mut reply));
    terminator_into(mode, &mut reply);
    let mark = format!("{TERMINATOR}\n");
    if mode == Mode::Legacy {
        // The reference's client reads until its bytes end so.
        let at = reply.windows(mark.len()).position(|window| window == mark.as_bytes());
        assert_eq!(at, Some(reply.len() - mark.len()), "the reply ends early");
    } else {
        let ends = frames(&reply).iter().filter(|frame| frame.ends_with(mark.as_bytes())).count();
        assert_eq!(ends, 1, "the reply ends early");
    }
    // What a first record begins with may look like another kind of server: bytes that no printed
    // value begins with in the old mode, an object of the event dialect in frames.
    let first = records.first().copied().unwrap_or_default();
    let ambiguous = match mode {
        Mode::Legacy => first.starts_with(['\0', '\u{15}']),
        Mode::Framed => first.starts_with('{'),
    };
    if ambiguous {
        return;
    }
    let heard = hear(Pieces::new(&reply, sizes), mode, false);
    assert!(heard.complete && heard.error.is_none(), "{heard:?}");
    assert_eq!(heard.replies.len(), records.len());
    for (reply, record) in heard.replies.iter().zip(records) {
        let Reply::Line(line) = reply else { panic!("{reply:?} of a text server") };
        let as_it_was =
            if mode == Mode::Legacy { record.replace('\n', "\\n") } else { (*record).into() };
        let quoted = record.trim_end().ends_with(TERMINATOR);
        assert!(*line == as_it_was || quoted, "{record:?} became {line:?}");
        assert!(!line.trim_end().ends_with(TERMINATOR), "{line:?}");
    }
}
