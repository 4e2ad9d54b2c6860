//! The messages of recorded WebSockets, which Chrome writes beside the entries of their handshakes
//! (`_webSocketMessages`): steps for a `websocket_user`. What a target pushed is received, and not
//! compared, because it is another each time.

use base64::Engine as _;

use super::entry::{Entry, path};
use super::notices::Notices;
use crate::value::{Invalid, Map, Reader, Value};

/// The opcode of a text message (RFC 6455, section 5.2).
const TEXT: f64 = 1.0;

/// Headers that the handshake sets itself begin so.
const HANDSHAKE: &str = "sec-websocket-";

/// The steps of the recorded WebSockets with a matching URL, and the notices about differences.
pub(super) fn steps(
    entries: &[Reader<'_>],
    wanted: impl Fn(&str) -> bool,
) -> Result<(Vec<Value>, Vec<String>), Invalid> {
    let (mut notices, mut steps) = (Notices::default(), Vec::new());
    for place in entries {
        let entry = Entry::read(place)?;
        if !wanted(&entry.url) {
            continue;
        }
        notices.entries += 1;
        let scheme = entry.url.split_once("://").map_or("", |(scheme, _)| scheme);
        let is_socket = ["ws", "wss"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
        match place.object()?.present("_webSocketMessages").filter(|_| is_socket) {
            None if is_socket => notices.leave_out("WebSocket without messages".to_owned()),
            None => notices.leave_out("no WebSocket".to_owned()),
            Some(messages) => conversation(&entry, &messages, &mut notices, &mut steps)?,
        }
    }
    Ok((steps, notices.lines()))
}

/// One WebSocket from its handshake to its end.
fn conversation(
    entry: &Entry<'_>,
    messages: &Reader<'_>,
    notices: &mut Notices,
    steps: &mut Vec<Value>,
) -> Result<(), Invalid> {
    let step = |method: &str, more: Map| {
        let name = format!("{method} {}", path(&entry.url));
        let own = [("method", Value::from(method)), ("name", name.into())];
        let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
        Value::Dict(own.chain(more).collect())
    };
    let mut headers = entry.headers(notices);
    let offered = headers.iter().find_map(|(name, value)| {
        name.eq_ignore_ascii_case("sec-websocket-protocol").then(|| value.to_text())
    });
    headers.retain(|name, _| !name.to_ascii_lowercase().starts_with(HANDSHAKE));
    let mut first = Map::from([("request_url".to_owned(), Value::from(entry.url.as_str()))]);
    if !headers.is_empty() {
        first.insert("headers".to_owned(), Value::Dict(headers));
    }
    if let Some(offered) = offered {
        let names: Vec<Value> = offered.split(',').map(|name| name.trim().into()).collect();
        first.insert("subprotocols".to_owned(), names.into());
    }
    steps.push(step("connect", first));
    for message in messages.list()? {
        let mut message = message.object()?;
        let kind = message.if_present("type", Reader::text)?.unwrap_or_default();
        let opcode = message.present("opcode").and_then(|code| code.value().as_f64());
        let data = message.if_present("data", Reader::text)?.unwrap_or_default();
        steps.push(match kind {
            "receive" => step("recv", Map::new()),
            "send" if opcode == Some(TEXT) => {
                step("send", Map::from([("payload".to_owned(), data.into())]))
            }
            "send" => match base64::engine::general_purpose::STANDARD.decode(data) {
                Err(_) => continue,
                Ok(bytes) => {
                    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    let payload = ("payload".to_owned(), format!("hex:{digits}").into());
                    step("send", Map::from([payload, ("binary".to_owned(), true.into())]))
                }
            },
            _ => continue,
        });
    }
    steps.push(step("close", Map::new()));
    Ok(())
}
