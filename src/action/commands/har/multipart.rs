//! `multipart/form-data` bodies (RFC 7578) of recordings: their parts, parsed from the text or from
//! `params`, as fields of a task.

use super::notices::Notices;
use crate::value::{Map, Value};

/// A field or file of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) file_name: Option<String>,
    /// Its `Content-Type`.
    pub(super) kind: Option<String>,
}

/// The boundary in a `Content-Type`.
pub(super) fn boundary(mime: &str) -> Option<&str> {
    parameter(mime, "boundary").filter(|boundary| !boundary.is_empty())
}

/// Parses the parts of a body; `None` if it is incomplete. Without a boundary in the header, the
/// first line defines it.
pub(super) fn parse(text: &str, boundary: Option<&str>) -> Option<Vec<Part>> {
    let first = text.lines().next().and_then(|line| line.strip_prefix("--"));
    let delimiter = format!("--{}", boundary.or(first).filter(|boundary| !boundary.is_empty())?);
    let mut chunks = text.split(delimiter.as_str());
    if !chunks.next()?.trim().is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    for chunk in chunks {
        if chunk.starts_with("--") {
            return Some(parts);
        }
        parts.push(part(chunk)?);
    }
    None
}

fn part(chunk: &str) -> Option<Part> {
    let chunk = chunk.strip_prefix("\r\n").or_else(|| chunk.strip_prefix('\n'))?;
    let chunk = chunk.strip_suffix("\r\n").or_else(|| chunk.strip_suffix('\n'))?;
    let split = chunk.split_once("\r\n\r\n").or_else(|| chunk.split_once("\n\n"));
    let (head, value) = split?;
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let disposition = header("content-disposition")?;
    Some(Part {
        name: parameter(disposition, "name")?.to_owned(),
        value: value.to_owned(),
        file_name: parameter(disposition, "filename").map(str::to_owned),
        kind: header("content-type").map(str::to_owned),
    })
}

/// A parameter of a header, without its quotes: `form-data; name="a"`.
fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (key, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let end = value.find(';').unwrap_or(value.len());
                value.split_at_checked(end)?
            }
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim());
        }
        rest = after.split_once(';')?.1;
    }
}

/// The parts as a task's `data` and `files`, or as a body with its own `Content-Type` where those
/// cannot express it: they hold fields before files, and each name once.
pub(super) enum Form {
    Fields { data: Map, files: Map },
    Text { mime: String, body: String },
}

pub(super) fn form(parts: &[Part], notices: &mut Notices) -> Form {
    let (mut data, mut files) = (Map::new(), Map::new());
    let mut plain = true;
    for part in parts {
        let value = Value::from(part.value.as_str());
        let Some(file_name) = &part.file_name else {
            plain &= files.is_empty() && part.kind.is_none();
            plain &= data.insert(part.name.clone(), value).is_none();
            continue;
        };
        // A form without a chosen file has a part without name and content.
        if part.value.is_empty() && !file_name.is_empty() {
            notices.missing_files.push(file_name.clone());
        }
        let mut file = vec![file_name.as_str().into(), value];
        file.extend(part.kind.as_deref().map(Value::from));
        plain &= files.insert(part.name.clone(), file.into()).is_none();
    }
    if plain && !files.is_empty() { Form::Fields { data, files } } else { text(parts) }
}

fn text(parts: &[Part]) -> Form {
    const STEM: &str = "----ldctl-import";
    let behind = |value: &str, at: usize| {
        let rest = value.get(at + STEM.len()..).unwrap_or_default();
        rest.len() - rest.trim_start_matches('-').len() + 1
    };
    // More dashes after the stem than in any value.
    let values = parts.iter().map(|part| part.value.as_str());
    let dashes =
        values.flat_map(|value| value.match_indices(STEM).map(move |(at, _)| behind(value, at)));
    let boundary = format!("{STEM}{}", "-".repeat(dashes.max().unwrap_or_default()));
    let mut body = String::new();
    for part in parts {
        let name = quoted(&part.name);
        body.push_str(&format!("--{boundary}\r\nContent-Disposition: form-data; name={name}"));
        if let Some(file_name) = &part.file_name {
            body.push_str(&format!("; filename={}", quoted(file_name)));
        }
        if let Some(kind) = &part.kind {
            body.push_str(&format!("\r\nContent-Type: {}", kind.replace(['\r', '\n'], " ")));
        }
        body.push_str(&format!("\r\n\r\n{}\r\n", part.value));
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    Form::Text { mime: format!("multipart/form-data; boundary={boundary}"), body }
}

/// A name in quotes, escaped as browsers do (the HTML standard's form-data encoding).
fn quoted(name: &str) -> String {
    let escaped = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    format!("\"{escaped}\"")
}
