//! The request that opens another protocol over HTTP/1.1: WebSocket, or a stream of events.

use super::fault::Fault;
use super::flavor::Flavor;
use super::request::{Head, Request, RequestLine};
use super::target::Origin;
use crate::load::template::{Scope, Template};

/// Writes a GET request with the protocol's `own` headers, which those of the task replace.
pub(crate) fn write_opening(
    (origin, rest): (&Origin, &str),
    own: &[(&str, &str)],
    headers: &[(String, Template)],
    scope: &mut Scope,
    out: &mut Request,
) -> Result<(), Fault> {
    let credentials = origin.credentials.as_deref();
    let (method, jar, body, secrets, first) = ("GET", None, true, true, true);
    let line = RequestLine { method, origin, rest, credentials, jar, body, secrets, first };
    let mut head = Head::begin(&line, Flavor::Fast, false, out);
    let given = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let authorization = credentials.map(|pair| ("Authorization", pair));
    for (name, value) in own.iter().copied().chain(authorization) {
        if !given(name) {
            head.header(name, |out| out.extend_from_slice(value.as_bytes()))?;
        }
    }
    for (name, value) in headers {
        head.header(name, |out| value.fill(scope, out))?;
    }
    head.end(None);
    if scope.is_too_long() { Err(Fault::TooLong) } else { Ok(()) }
}
