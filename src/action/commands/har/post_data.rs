//! The body of a recorded request as a task's `json`, `data` or `files`. The task must lead to the
//! recorded body: a form's fields are encoded once, whether the recorder wrote them encoded
//! (Chrome) or decoded (Firefox, Safari, mitmproxy), and a form or JSON text that a task's fields
//! cannot reproduce stays text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use super::multipart::{self, Form, Part};
use super::notices::Notices;
use super::pairs::{Pair, form_text, plain, repeats, scalar};
use crate::value::{Invalid, Map, Reader, Value};

/// Fields of a task.
pub(super) type Fields = Vec<(&'static str, Value)>;

/// `postData` of a recorded request.
#[derive(Debug)]
pub(super) struct PostData<'a> {
    mime: &'a str,
    text: Text<'a>,
    params: Vec<Part>,
}

#[derive(Debug)]
enum Text<'a> {
    None,
    Plain(Cow<'a, str>),
    /// Base64 of binary data.
    Binary,
}

impl<'a> PostData<'a> {
    pub(super) fn read(place: &Reader<'a>) -> Result<Self, Invalid> {
        let mut posted = place.object()?;
        let mime = posted.if_present("mimeType", Reader::text)?.unwrap_or_default();
        let encoding = posted.present("encoding").or_else(|| posted.present("_encoding"));
        let base64 = match encoding {
            Some(encoding) => encoding.text()?.eq_ignore_ascii_case("base64"),
            None => false,
        };
        let text = match posted.present("text") {
            None => Text::None,
            Some(text) if text.text()?.is_empty() => Text::None,
            Some(text) if base64 => decoded(&text)?,
            Some(text) => Text::Plain(text.text()?.into()),
        };
        let params = match posted.present("params") {
            None => Vec::new(),
            Some(params) => params.list()?.iter().map(param).collect::<Result<_, _>>()?,
        };
        Ok(Self { mime, text, params })
    }

    pub(super) fn is_binary(&self) -> bool {
        matches!(self.text, Text::Binary)
    }

    /// The body as one of a task's fields. `recorded` is the request's `Content-Type`.
    pub(super) fn body(
        &self,
        recorded: &str,
        headers: &mut Map,
        name: &str,
        notices: &mut Notices,
    ) -> Fields {
        let mime = if self.mime.trim().is_empty() { recorded } else { self.mime };
        let lower = mime.to_lowercase();
        let text = match &self.text {
            Text::Plain(text) => Some(&**text),
            Text::None => None,
            Text::Binary => {
                notices.binary_bodies.push(name.to_owned());
                return Vec::new();
            }
        };
        let files = self.params.iter().any(|param| param.file_name.is_some());
        if lower.contains("multipart/form-data") || files {
            // Only the recorded header names the boundary.
            let boundary = multipart::boundary(recorded).or_else(|| multipart::boundary(mime));
            let parts = text.and_then(|text| multipart::parse(text, boundary));
            let parts = parts.as_ref().unwrap_or(&self.params);
            if !parts.is_empty() {
                // The recorded boundary belongs to the recorded text.
                headers.retain(|name, _| !name.eq_ignore_ascii_case("content-type"));
                return match multipart::form(parts, notices) {
                    Form::Fields { data, files } => {
                        let data = (!data.is_empty()).then_some(("data", Value::Dict(data)));
                        data.into_iter().chain([("files", Value::Dict(files))]).collect()
                    }
                    Form::Text { mime, body } => {
                        headers.insert("Content-Type".to_owned(), mime.into());
                        vec![("data", body.into())]
                    }
                };
            }
        }
        if let Some(text) = text.filter(|_| lower.contains("application/json")) {
            if let Some(json) = json(text) {
                return vec![("json", json)];
            }
        } else if !self.params.is_empty()
            && let Some(form) = form(&self.params, text)
        {
            return vec![("data", form)];
        }
        let Some(text) = text else { return Vec::new() };
        if !mime.is_empty() && !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"))
        {
            // Without it the engine would set that of plain text.
            let mime: String = mime.split(['\r', '\n', '\0']).collect();
            headers.insert("Content-Type".to_owned(), mime.into());
        }
        vec![("data", text.into())]
    }
}

fn param(place: &Reader<'_>) -> Result<Part, Invalid> {
    let mut param = place.object()?;
    let text = |field: &Reader<'_>| field.text().map(str::to_owned);
    let name = param.if_present("name", text)?.unwrap_or_default();
    let value = param.if_present("value", scalar)?.unwrap_or_default();
    let file_name = param.if_present("fileName", text)?;
    let kind = param.if_present("contentType", text)?.filter(|kind| !kind.is_empty());
    Ok(Part { name, value, file_name, kind })
}

fn decoded<'a>(text: &Reader<'a>) -> Result<Text<'a>, Invalid> {
    let bare: String = text.text()?.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(&bare).map_err(|_| text.expected("base64"))?;
    Ok(String::from_utf8(bytes).map_or(Text::Binary, |text| Text::Plain(text.into())))
}

/// A form's fields: an object, or pairs if a name repeats. `None` if they cannot reproduce the
/// recorded text.
fn form(params: &[Part], text: Option<&str>) -> Option<Value> {
    let recorded: Vec<Pair> =
        params.iter().map(|param| (param.name.clone(), param.value.clone())).collect();
    let mut pairs = match text {
        None => plain(recorded),
        Some(text) => {
            let pieces = || text.split('&').filter(|piece| !piece.is_empty());
            let raw: Vec<Pair> = pieces()
                .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let decoded: Vec<Pair> = form_urlencoded::parse(text.as_bytes())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            if recorded == decoded || recorded == raw {
                if form_text(&decoded) != text {
                    return None;
                }
                decoded
            } else {
                // The fields contradict the text, as in an edited recording.
                plain(recorded)
            }
        }
    };
    pairs.retain(|(name, _)| !name.is_empty());
    let field = |(name, value): Pair| Value::List(vec![name.into(), value.into()]);
    Some(match repeats(pairs.iter().map(|(name, _)| name.as_str())) {
        true => Value::List(pairs.into_iter().map(field).collect()),
        false => Value::Dict(pairs.into_iter().map(|(name, value)| (name, value.into())).collect()),
    })
}

/// A body as JSON, if the value reproduces the text: no repeated name, no number in another
/// spelling.
fn json(text: &str) -> Option<Value> {
    let value = Value::parse(text).ok()?;
    // A task's `"json": null` means no body.
    let same = value != Value::Null && compact(text)? == serde_json::to_string(&value).ok()?;
    same.then_some(value)
}

/// A JSON text without whitespace, its strings in one spelling.
fn compact(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            '"' => {
                let mut escaped = false;
                let inside = rest.get(1..)?;
                let end = inside.bytes().position(|byte| {
                    let ends = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    ends
                })?;
                length = end + 2;
                let string: String = serde_json::from_str(rest.get(..length)?).ok()?;
                out.push_str(&serde_json::to_string(&string).ok()?);
            }
            ' ' | '\t' | '\r' | '\n' => {}
            other => out.push(other),
        }
        rest = rest.get(length..)?;
    }
    Some(out)
}
