//! A task's request body: forms, uploads ([`multipart`](super::multipart)), JSON or text, compiled to
//! a template.

use super::flavor::Flavor;
use super::multipart::multipart;
use crate::load::template::{Compiler, Draft, Escape, Text};
use crate::protocol::placed::Placed;
use crate::value::{Invalid, Object, Reader, Value};

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

/// Form fields (also of a query) from an object or a list of pairs.
pub(super) fn form(
    field: &Reader<'_>,
    flavor: Flavor,
    compiler: &mut Compiler,
) -> Result<Draft, Invalid> {
    let mut out = Draft::default();
    let mut pair = |key: &Draft, value: &Value, compiler: &mut Compiler| {
        if !out.is_empty() {
            out.push_literal("&");
        }
        out.push(key.clone());
        out.push_literal("=");
        out.push(compiler.escaped(&value.to_text(), Escape::Form));
    };
    let mut add = |key: Draft, value: &Value, compiler: &mut Compiler| match value {
        Value::List(items) if flavor != Flavor::Fast => {
            items.iter().for_each(|item| pair(&key, item, compiler));
        }
        Value::Null if flavor != Flavor::Fast => {}
        value => pair(&key, value, compiler),
    };
    if let Value::Str(text) = field.value() {
        return Ok(compiler.template(text));
    }
    for (key, value) in pairs(field, Escape::Form, compiler)? {
        add(key, value.value(), compiler);
    }
    Ok(out)
}

/// Names and values from an object or a list of pairs, the names already escaped.
pub(super) fn pairs<'a>(
    field: &Reader<'a>,
    escape: Escape,
    compiler: &mut Compiler,
) -> Result<Vec<(Draft, Reader<'a>)>, Invalid> {
    match field.value() {
        // An object's keys are names: only values hold placeholders.
        Value::Dict(_) => {
            let members = field.object()?.entries().into_iter();
            Ok(members.map(|(key, value)| (Draft::literal(escape.written(key)), value)).collect())
        }
        Value::List(_) => {
            let mut pairs = Vec::new();
            for item in field.list()? {
                let Ok([key, value]) = <[Reader<'a>; 2]>::try_from(item.list()?) else {
                    return Err(item.expected("a pair [name, value]"));
                };
                pairs.push((compiler.escaped(&key.value().to_text(), escape), value));
            }
            Ok(pairs)
        }
        _ => Err(field.expected("an object or a list of pairs")),
    }
}
