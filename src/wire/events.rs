//! The event dialect, in both directions: one JSON object per frame, sent as events happen. A
//! reader ignores unknown events and keys. [`text`](super::text) is the other dialect.

use std::io;

use serde_json::{Map, Number, Value as Json};

use super::frame::{HEADER, MAX_REPLY};
use super::refusal::too_long;
use crate::event::{ActionResult, Event};

/// The content of a frame's body.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    /// An event.
    Event(Event),
    /// An event of a later version.
    UnknownEvent,
    /// Something else: a line of the text dialect.
    Other,
}

/// Appends one event as a frame. A result over [`MAX_REPLY`] is replaced by a failure that says so;
/// it is never held. Returns whether that made a failure of a success.
pub fn event_into(event: &Event, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let mut frame = FrameBody { out, start: start + HEADER, length: 0 };
    frame.out.extend_from_slice(&[0; HEADER]);
    // Events are plain data; they always serialize.
    let _ = serde_json::to_writer(&mut frame, event);
    let length = frame.length;
    match event {
        Event::Result(result) if length > MAX_REPLY => {
            out.truncate(start);
            let failure = Err(too_long(length));
            let replaced = ActionResult::new(result.index, &result.command, failure);
            event_into(&Event::Result(replaced), out);
            return result.ok;
        }
        _ => {
            let header = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
            if let Some(place) = out.get_mut(start..start + HEADER) {
                place.copy_from_slice(&header);
            }
        }
    }
    false
}

/// Takes the body of a frame up to [`MAX_REPLY`], and counts the rest.
struct FrameBody<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    length: usize,
}

impl io::Write for FrameBody<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.length += bytes.len();
        if self.length <= MAX_REPLY {
            self.out.extend_from_slice(bytes);
        } else if self.out.len() > self.start {
            self.out.truncate(self.start);
            self.out.shrink_to_fit();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decodes an event; `None` for one of a later version.
pub fn event_of(json: &str) -> Option<Event> {
    match read(json.as_bytes()) {
        Body::Event(event) => Some(event),
        Body::UnknownEvent | Body::Other => None,
    }
}

/// Decodes the body of a frame.
pub(super) fn read(body: &[u8]) -> Body {
    if body.first() != Some(&b'{') {
        return Body::Other;
    }
    let Ok(mut members) = serde_json::from_slice::<Map<String, Json>>(body) else {
        return Body::Other;
    };
    if !members.get("event").is_some_and(Json::is_string) {
        return Body::Other;
    }
    // serde buffers the fields of a tagged enum in a form that holds no number outside 64 bits and,
    // because this crate reads numbers of arbitrary precision, no float in a non-canonical
    // spelling. A result's value is therefore read separately, and the numbers beside it are
    // respelled.
    let value = members.remove("value");
    members.values_mut().for_each(respell);
    match serde_json::from_value(Json::Object(members)) {
        Ok(Event::Result(mut result)) => {
            result.value = value.and_then(|value| serde_json::from_value(value).ok());
            Body::Event(Event::Result(result))
        }
        Ok(event) => Body::Event(event),
        Err(_) => Body::UnknownEvent,
    }
}

/// Respells all numbers in a value.
fn respell(value: &mut Json) {
    match value {
        Json::Number(number) => {
            if let Some(plain) = plain(number) {
                *number = plain;
            }
        }
        Json::Array(elements) => elements.iter_mut().for_each(respell),
        Json::Object(members) => members.values_mut().for_each(respell),
        _ => {}
    }
}

/// A float in serde's spelling; integers stay.
fn plain(number: &Number) -> Option<Number> {
    if number.is_u64() || number.is_i64() {
        return None;
    }
    Number::from_f64(number.as_f64()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_longer_than_a_frame_is_replaced_by_a_failure() {
        let mut out = Vec::new();
        let value = "x".repeat(MAX_REPLY + 1).into();
        event_into(&Event::Result(ActionResult::new(7, "abs", Ok(value))), &mut out);
        let Body::Event(Event::Result(result)) = read(&out[4..]) else { panic!("a result") };
        assert_eq!((result.index, result.command.as_str(), result.ok), (7, "abs", false));
        assert!(out.len() < 300);
    }
}
