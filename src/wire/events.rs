//! The event dialect, in both directions: one JSON object per frame, sent as events happen. A
//! reader ignores unknown events and keys. [`text`](super::text) is the other dialect.

use serde_json::{Map, Number, Value as Json};

use super::frame::{MAX_REPLY, frame_into};
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

/// Appends one event as a frame. A result over [`MAX_REPLY`] is replaced by a failure that says so.
pub fn event_into(event: &Event, out: &mut Vec<u8>) {
    // Events are plain data; they always serialize.
    let json = serde_json::to_vec(event).unwrap_or_default();
    match event {
        Event::Result(result) if json.len() > MAX_REPLY => {
            let failure = Err(too_long(json.len()));
            let replaced = ActionResult::new(result.index, &result.command, failure);
            frame_into(&serde_json::to_vec(&Event::Result(replaced)).unwrap_or_default(), out);
        }
        _ => frame_into(&json, out),
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
