//! A task's request body: forms, uploads ([`multipart`](super::multipart)), JSON or text, compiled to
//! a template.

use super::flavor::Flavor;
use super::form::form;
use super::multipart::multipart;
use crate::load::template::{Compiler, Draft, Text};
use crate::protocol::placed::Placed;
use crate::value::{Invalid, Object, Value};

/// The longest request body, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

pub(super) fn parse_body(
    fields: &mut Object<'_>,
    flavor: Flavor,
    compiler: &mut Compiler,
    headers: &mut Vec<(String, Placed<Draft>)>,
) -> Result<Option<Placed<Draft>>, Invalid> {
    // As in Python, empty `data` gives precedence to `json`.
    let data = fields.present("data").filter(|field| field.value().is_truthy());
    let json = fields.present("json");
    let files = fields.present("files").filter(|field| field.value().is_truthy());
    let own_boundary = boundary_of(headers);
    let mut header = |name: &str, value: &str| {
        if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            headers.push((name.to_owned(), Placed::nowhere(Draft::literal(value))));
        }
    };
    let fast = flavor == Flavor::Fast;
    let (field, body) = if let Some(files) = files {
        let boundary = own_boundary.unwrap_or_else(|| format!("ldctl-{:032x}", fastrand::u128(..)));
        header("Content-Type", &format!("multipart/form-data; boundary={boundary}"));
        let body = multipart(&files, data.as_ref(), &boundary, compiler)?;
        (files, body)
    } else if let Some(data) = data {
        let body = match data.value() {
            Value::Dict(_) | Value::List(_) => {
                let charset = if fast { "; charset=utf-8" } else { "" };
                header("Content-Type", &format!("application/x-www-form-urlencoded{charset}"));
                form(&data, flavor, compiler)?
            }
            value => {
                if fast {
                    header("Content-Type", "text/plain; charset=utf-8");
                }
                compiler.template(&value.to_text())
            }
        };
        (data, body)
    } else if let Some(json) = json {
        header("Content-Type", "application/json");
        if fast {
            header("Accept", "application/json");
        }
        let body = compiler.json(json.value());
        (json, body)
    } else {
        return Ok(None);
    };
    let body = Placed::at(&field, body);
    check_body(&body)?;
    Ok(Some(body))
}

/// The boundary that a task's own `Content-Type` names: the parts are separated by it, or the target
/// could not find them (RFC 2046, section 5.1.1).
fn boundary_of(headers: &[(String, Placed<Draft>)]) -> Option<String> {
    let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("Content-Type"))?;
    let mut parts = value.value.as_literal()?.split(';').map(str::trim);
    parts.next().filter(|kind| kind.eq_ignore_ascii_case("multipart/form-data"))?;
    let named = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"'))
    })?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let fits = (1..=70).contains(&named.len()) && !named.ends_with(' ');
    (fits && named.bytes().all(allowed)).then(|| named.to_owned())
}

/// Refuses a body that is too long; its files count when they have been read.
pub(super) fn check_body<H>(body: &Placed<Text<H>>) -> Result<(), Invalid> {
    let length = body.value.written_length();
    if length > MAX_BODY {
        let message = format!("a request body of {length} bytes exceeds the limit of {MAX_BODY}");
        return Err(body.refusal(message));
    }
    Ok(())
}
