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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{check, check_as, sent};
    use super::super::flavor::Flavor;

    #[test]
    fn a_form_is_written_as_by_the_client_of_the_user() {
        let task = json!({"method": "post", "url": "/", "data": {"a b": ["1", "${v}"], "n": null}});
        check(
            &task,
            "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\n..\n\
             Content-Length: 37\n\na+b=%5B%271%27%2C+%27VAL%27%5D&n=None",
        );
        check_as(
            Flavor::Requests,
            &task,
            "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n..\n\
             Content-Length: 13\n\na+b=1&a+b=VAL",
        );
        let pairs = json!({"method": "post", "url": "/", "data": [["k", "é"], ["k", "2"]]});
        check_as(
            Flavor::Requests,
            &pairs,
            "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n..\n\
             Content-Length: 12\n\nk=%C3%A9&k=2",
        );
    }

    #[test]
    fn text_is_sent_unchanged_and_empty_text_gives_precedence_to_json() {
        let task = json!({"method": "post", "url": "/", "data": "<${v}> é"});
        check(
            &task,
            "POST / HTTP/1.1\nContent-Type: text/plain; charset=utf-8\n..\n\
             Content-Length: 8\n\n<VAL> é",
        );
        check_as(Flavor::Requests, &task, "POST / HTTP/1.1\n..\nContent-Length: 8\n\n<VAL> é");
        check_as(
            Flavor::Requests,
            &json!({"method": "post", "url": "/", "data": "", "json": [true]}),
            "POST / HTTP/1.1\nContent-Type: application/json\n..\nContent-Length: 6\n\n[true]",
        );
    }

    #[test]
    fn a_body_over_the_limit_is_refused_with_its_place() {
        let task = json!({"method": "post", "url": "/", "files": {"a": {"path": "large"}}});
        let got = sent(Flavor::Fast, false, &task).expect_err("no request");
        assert!(got.starts_with("/tasks/0/files: a request body of 671"), "{got}");
    }
}
