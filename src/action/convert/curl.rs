//! Commands of curl as recorded requests. A text may hold several; the options of each become an entry of
//! a recording, and what a recording cannot say becomes members of the task.

use super::refusal::NotConverted;
use crate::action::commands::har::{RecordedRequest, recorded};
use crate::action::import::curl::{Call, EXPANSIONS, Said, commands, pairs, with_query};
use crate::action::import::shell::Words;
use crate::action::import::{Notices, set_in};
use crate::value::{Map, Reader, Value};

/// The requests of a text with commands of curl, and what is lost.
pub(super) fn requests(text: &str) -> Result<(Vec<RecordedRequest>, Vec<String>), NotConverted> {
    let Words { words, expansions } = Words::of(text).ok_or_else(|| not_words(text))?;
    let starts = commands(&words);
    let mut said = Notices::default();
    said.many(EXPANSIONS, expansions);
    let (mut found, mut notes) = (Vec::new(), said.lines());
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(words.len());
        let command = words.get(start + 1..end).unwrap_or_default();
        let place = |why: String| match starts.len() {
            1 => NotConverted(why),
            _ => NotConverted(format!("command {}: {why}", number + 1)),
        };
        let call = Call::read(command).map_err(place)?;
        for url in &call.urls {
            let (entry, more) = entry(&call, url).map_err(place)?;
            let entries = Value::dict([("entries", Value::List(vec![entry]))]);
            let (requests, losses) =
                recorded(&Reader::at(&Value::dict([("log", entries)]), ""), |_| true)?;
            notes.extend(losses.into_iter().filter(|loss| loss.contains("left out")));
            for mut request in requests {
                request.task.extend(more.clone());
                found.push(request);
            }
        }
    }
    // Cookies are sent as they were given, in a header.
    notes.retain(|note| !note.starts_with("Cookie"));
    Ok((found, notes))
}

/// Why a text cannot be split.
fn not_words(text: &str) -> NotConverted {
    NotConverted(match Words::open_quote(text) {
        Some(line) => format!("line {line}: a quote is not closed"),
        None => "nothing follows the backslash at its end".to_owned(),
    })
}

/// An entry of a recording, and members of the task that it cannot say.
fn entry(call: &Call, url: &str) -> Result<(Value, Map), String> {
    let mut url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let Said { mut headers, members: mut more, wrong } = call.said();
    if let Some(why) = wrong.into_iter().next() {
        return Err(why);
    }
    let (body, json) = body(call)?;
    let has = |headers: &[(String, String)], name: &str| {
        headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    let mut request = vec![("method", Value::from(call.method()))];
    match body {
        Some(body) if call.has("get") => url = with_query(url, &body),
        Some(body) => {
            let kind = if json { "application/json" } else { "application/x-www-form-urlencoded" };
            for (name, wanted) in [("Content-Type", true), ("Accept", json)] {
                if wanted && !has(&headers, name) {
                    headers.push((name.to_owned(), kind.to_owned()));
                }
            }
            let given = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            let kind = given.map_or(kind, |(_, kind)| kind.as_str()).to_owned();
            let content = match fields(&body).filter(|_| kind.contains("form-urlencoded")) {
                Some(fields) => ("params", fields),
                None => ("text", body.into()),
            };
            let post = Value::dict([("mimeType", Value::from(kind)), content]);
            request.push(("postData", post));
        }
        None => {}
    }
    request.push(("url", url.as_str().into()));
    // The import leaves cookies to the virtual user; here they were given by hand.
    for (_, cookies) in headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie")) {
        pairs(cookies).for_each(|(name, value)| set_in(&mut more, "cookies", &name, value));
    }
    more.entry("allow_redirects".to_owned()).or_insert(false.into());
    more.retain(|key, value| !(key == "allow_redirects" && *value == Value::Bool(true)));
    let pair = |(name, value): (String, String)| {
        Value::dict([("name", Value::from(name)), ("value", value.into())])
    };
    request.push(("headers", headers.into_iter().map(pair).collect::<Vec<_>>().into()));
    Ok((Value::dict([("request", Value::dict(request))]), more))
}

/// The body, and whether `--json` gave it.
fn body(call: &Call) -> Result<(Option<String>, bool), String> {
    let mut parts: Vec<String> = Vec::new();
    let mut json = false;
    for piece in call.data() {
        let content = match piece.file {
            Some(path) if piece.joins_lines() => file(path)?.replace(['\r', '\n'], ""),
            Some(path) => file(path)?,
            None => piece.text.to_owned(),
        };
        let part = piece.sent(&content);
        json |= piece.is_json();
        match parts.last_mut().filter(|_| piece.is_json()) {
            // Several are written after each other.
            Some(last) => last.push_str(&part),
            None => parts.push(part),
        }
    }
    Ok(((!parts.is_empty()).then(|| parts.join("&")), json))
}

/// A body as the fields of a form, if it is one that a browser could have written.
fn fields(body: &str) -> Option<Value> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%+&=._~*-".contains(&byte);
    if !body.bytes().all(plain) || body.split('&').any(|field| !field.contains('=')) {
        return None;
    }
    let fields = url::form_urlencoded::parse(body.as_bytes()).map(|(name, value)| {
        let (name, value) = (Value::from(&*name), Value::from(&*value));
        Value::dict([("name", name), ("value", value)])
    });
    Some(Value::List(fields.collect()))
}

/// The content of a file.
fn file(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path);
    text.map_err(|error| format!("cannot read {path}: {}", crate::error::reason(&error)))
}
