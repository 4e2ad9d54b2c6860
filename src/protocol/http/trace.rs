//! A request and its response as `ldctl run --once` shows them.

use super::fault::status_text;
use super::request::{BodyPart, Request};
use super::response::Response;
use crate::protocol::checked::Checked as _;
use crate::protocol::trace::Lines;

/// A request. HTTP/2 sends the same in another form.
pub(super) fn request(request: &Request, authority: &str, http2: bool) -> Lines {
    let mut lines = Lines::default();
    let version = if http2 { "HTTP/2" } else { "HTTP/1.1" };
    lines.add('>', &format!("{} {} {version}  to {authority}", request.method(), request.target()));
    let head = String::from_utf8_lossy(request.head());
    for line in head.lines().skip(1) {
        if let Some((name, value)) = line.split_once(": ") {
            lines.header('>', name, value);
        }
    }
    let body: Vec<u8> = request
        .body_parts()
        .flat_map(|part| match part {
            BodyPart::Own(bytes) => bytes.iter(),
            BodyPart::Shared(bytes) => bytes.iter(),
        })
        .copied()
        .collect();
    if !body.is_empty() {
        lines.add('>', "");
        lines.body('>', &body, body.len() as u64);
    }
    lines
}

/// The head of an HTTP/1.1 response.
pub(crate) fn response_lines(response: &Response) -> Lines {
    let mut lines = Lines::default();
    response_head(response, "HTTP/1.1", &mut lines);
    lines
}

/// A response.
pub(super) fn response(response: &Response, http2: bool) -> Lines {
    let mut lines = Lines::default();
    let version = if http2 { "HTTP/2" } else { "HTTP/1.1" };
    response_head(response, version, &mut lines);
    if response.bytes > 0 {
        lines.add('<', "");
        match response.text() {
            Ok(text) => lines.body('<', &text, response.bytes.min(text.len() as u64)),
            Err(why) => lines.add('<', &format!("({} bytes: {why})", response.bytes)),
        }
    }
    lines
}

fn response_head(response: &Response, version: &str, lines: &mut Lines) {
    lines.add('<', &format!("{version} {}", status_text(response.status)));
    for (name, value) in &response.headers {
        lines.header('<', name, value);
    }
}
