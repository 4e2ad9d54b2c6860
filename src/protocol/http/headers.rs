//! The headers of a task: names and values that HTTP allows, except those that frame the body.

use crate::load::template::{Compiler, Draft, Linker, Template, Text};
use crate::protocol::placed::Placed;
use crate::value::{Invalid, Object};

/// Takes the headers of a task.
pub(crate) fn parse_headers(
    fields: &mut Object<'_>,
    compiler: &mut Compiler,
) -> Result<Vec<(String, Placed<Draft>)>, Invalid> {
    let Some(field) = fields.present("headers") else { return Ok(Vec::new()) };
    let mut headers = Vec::new();
    for (name, value) in field.object()?.entries() {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(value.invalid("not a valid header name (RFC 9110, section 5.1)"));
        }
        // The headers that frame the body are computed; wrong ones would break the connection.
        let framing = name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("transfer-encoding");
        if framing || value.is_null() {
            continue;
        }
        let text = compiler.template(&value.value().to_text());
        if breaks_lines(&text) {
            return Err(value.expected("a header's value without line breaks"));
        }
        headers.push((name.to_owned(), Placed::at(&value, text)));
    }
    Ok(headers)
}

/// Links them.
pub(crate) fn link_headers(
    headers: Vec<(String, Placed<Draft>)>,
    linker: &mut Linker<'_>,
) -> Result<Vec<(String, Template)>, Invalid> {
    let mut linked = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let value = value.link(linker)?;
        if breaks_lines(&value.value) {
            return Err(value.refusal("expected a header's value without line breaks"));
        }
        linked.push((name, value.value));
    }
    Ok(linked)
}

/// Whether a constant header value would break the request.
fn breaks_lines<H>(text: &Text<H>) -> bool {
    text.as_literal().is_some_and(|text| text.contains(['\r', '\n', '\0']))
}
