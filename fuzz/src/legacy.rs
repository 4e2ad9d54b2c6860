//! Legacy requests, which have no frames: wherever a segment ends, the request that is answered is
//! the whole one or a refusal, and nothing that follows a complete document ever runs.

use ldctl::event::ErrorKind;
use ldctl::value::Value;
use ldctl::wire::frame::{MAX_LEGACY, Mode, QUIT, legacy_is_complete, strip};
use ldctl::wire::op::Op;
use ldctl::wire::refusal::Refusal;
use ldctl::wire::request::Incoming;
use ldctl::wire::token::Tokens;

use super::support::options;

/// The first byte is the size of a segment.
pub fn check(data: &[u8]) {
    let ([size], bytes) = options::<1>(data);
    let bytes = &bytes[..bytes.len().min(MAX_LEGACY)];
    let stripped = strip(bytes);
    assert_eq!(strip(stripped), stripped);
    let whole = read(bytes);
    let quits = stripped == QUIT.as_bytes();
    assert!(!quits || is_quit(&whole));
    // The other form is an envelope.
    assert!(quits || !is_quit(&whole) || stripped.starts_with(b"{"), "{whole:?}");
    if !legacy_is_complete(bytes) {
        assert!(is_no_json(&whole), "more is waited for, and yet it is {whole:?}");
    }
    let Some(first) = first_complete(bytes, usize::from(size)) else { return };
    // Only what cannot be a document (a number, a word) may read as something else with more of it.
    if matches!(strip(first).first(), Some(b'[' | b'{')) {
        let answered = read(first);
        assert!(
            whole == answered || is_no_json(&whole),
            "{answered:?} became {whole:?} with its tail"
        );
    }
}

/// What a request asks for, or why it is refused.
type Outcome = Result<(Op, Option<Value>), Refusal>;

fn read(bytes: &[u8]) -> Outcome {
    match Incoming::read(bytes, Mode::Legacy, &Tokens::none()).request {
        Ok(request) => Ok((request.op, request.document)),
        Err(rejection) => Err(rejection.refusal),
    }
}

fn is_quit(outcome: &Outcome) -> bool {
    matches!(outcome, Ok((Op::Quit, _)))
}

fn is_no_json(outcome: &Outcome) -> bool {
    matches!(outcome, Err(refusal) if refusal.kind == ErrorKind::InvalidJson)
}

/// What a server has of the request when it stops waiting for more, if it does.
fn first_complete(bytes: &[u8], size: usize) -> Option<&[u8]> {
    // At most 32 looks at an input, or long inputs would take nearly all the time.
    let size = size.max(1 + bytes.len() / 32);
    let mut end = 0;
    while end < bytes.len() {
        end = (end + size).min(bytes.len());
        if legacy_is_complete(&bytes[..end]) {
            return Some(&bytes[..end]);
        }
    }
    None
}
