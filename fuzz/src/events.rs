//! The event dialect: what is read as an event is written as the same event again, on one line, and
//! a server that began with text never gets one through.

use ldctl::event::Event;
use ldctl::wire::dialect::{Decoded, Decoder, Reply};
use ldctl::wire::events::event_into;
use ldctl::wire::frame::{HEADER, Mode, TERMINATOR};

use super::support::finite_event;

/// The bodies of frames, with a newline after each.
pub fn check(data: &[u8]) {
    let mut decoder = Decoder::default();
    let mut legacy = Decoder::default();
    let mut text = None;
    for body in data.split(|byte| *byte == b'\n') {
        let ended = body == TERMINATOR.as_bytes();
        assert!(!matches!(legacy.read(body, Mode::Legacy), Decoded::Reply(Reply::Event(_))));
        match decoder.read(body, Mode::Framed) {
            Decoded::End => assert!(ended),
            Decoded::Reply(Reply::Line(line)) => {
                assert_ne!(text, Some(false), "a line among events");
                text = Some(true);
                assert_eq!(line, String::from_utf8_lossy(body));
            }
            Decoded::Reply(Reply::Event(event)) => {
                assert_ne!(text, Some(true), "an event among lines");
                text = Some(false);
                again(&event);
            }
            Decoded::Unknown => {
                assert_ne!(text, Some(true), "an event among lines");
                text = Some(false);
            }
        }
    }
}

/// Writes an event and reads it back.
fn again(event: &Event) {
    let mut frame = Vec::new();
    event_into(event, &mut frame);
    let (header, body) = frame.split_first_chunk::<HEADER>().expect("a header");
    assert_eq!(u32::from_be_bytes(*header) as usize, body.len());
    assert!(!body.contains(&b'\n'), "an event is one line");
    // JSON has no way to say the others: they come back as null.
    if finite_event(event) {
        let read = Decoder::default().read(body, Mode::Framed);
        assert_eq!(read, Decoded::Reply(Reply::Event(event.clone())));
    }
}
