//! A request as the bytes that HTTP/1.1 sends, and the writer of its head. The positions of its parts
//! are kept, so that neither redirects nor HTTP/2 parse those bytes again.

use std::ops::Range;

use bytes::Bytes;

use super::fault::Fault;
use super::flavor::Flavor;
use super::framing::has_token;
use super::target::{Origin, latin1, write_target};
use crate::cold::cold_path;
use crate::load::template::Filled;

/// The end of a request line.
pub(super) const VERSION: &[u8] = b" HTTP/1.1\r\n";

/// A request. Its buffers are reused for the next one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Request {
    method: &'static str,
    /// Its bytes, without the shared parts of its body.
    bytes: Vec<u8>,
    /// Parts of the body that all users share, each after so many of `bytes`.
    shared: Vec<(usize, Bytes)>,
    target: Range<usize>,
    /// Positions of names and values; empty unless the task may use HTTP/2.
    headers: Vec<(Range<usize>, Range<usize>)>,
    /// Where the body begins.
    body: usize,
    /// Whether it asks to close the connection.
    closes: bool,
    /// Whether it may carry credentials.
    secrets: bool,
    /// The header inserted last, before the end of the head.
    authorization: Option<Range<usize>>,
}

impl Request {
    /// Clears it for the next request.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.shared.clear();
        self.headers.clear();
        self.closes = false;
        self.authorization = None;
    }

    /// Whether it may carry credentials.
    pub(crate) fn carries_secrets(&self) -> bool {
        self.secrets
    }

    /// Inserts an `Authorization` header, replacing one inserted before. `positions` says whether
    /// the positions of headers are kept.
    pub(crate) fn authorize(&mut self, value: &str, positions: bool) {
        const NAME: &str = "Authorization";
        if let Some(old) = self.authorization.take() {
            self.body -= old.len();
            self.shared.iter_mut().for_each(|(at, _)| *at -= old.len());
            self.bytes.drain(old);
            if positions {
                self.headers.pop();
            }
        }
        let at = self.body - b"\r\n".len();
        let line = format!("{NAME}: {value}\r\n");
        self.body += line.len();
        self.shared.iter_mut().for_each(|(at, _)| *at += line.len());
        self.authorization = Some(at..at + line.len());
        self.bytes.splice(at..at, line.into_bytes());
        if positions {
            let (name, value_at) = (at + NAME.len(), at + NAME.len() + b": ".len());
            self.headers.push((at..name, value_at..value_at + value.len()));
        }
    }

    /// Whether nothing has been written.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// `GET`, `POST`, …
    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    /// Whether its response has only a head.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// What HTTP/1.1 sends.
    pub(crate) fn outgoing(&self) -> Outgoing<'_> {
        Outgoing { bytes: &self.bytes, shared: &self.shared, shift: 0 }
    }

    /// The same with another head, as for a proxy: `bytes` takes the place of its own.
    pub(crate) fn outgoing_as<'a>(&'a self, bytes: &'a [u8]) -> Outgoing<'a> {
        let shift = bytes.len().saturating_sub(self.bytes.len());
        Outgoing { bytes, shared: &self.shared, shift }
    }

    /// What its buffers hold, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity() + self.shared.capacity() * size_of::<(usize, Bytes)>()
    }

    /// Whether it asks to close the connection (RFC 9112, section 9.6).
    pub(crate) fn closes(&self) -> bool {
        self.closes
    }

    /// Path and query, as they are sent.
    pub(crate) fn target(&self) -> &str {
        std::str::from_utf8(self.part(&self.target)).unwrap_or_default()
    }

    /// The request line and the headers, as HTTP/1.1 sends them.
    pub(crate) fn head(&self) -> &[u8] {
        self.part(&(0..self.body))
    }

    /// The bytes before the target, and after the request line.
    pub(crate) fn around_target(&self) -> (&[u8], &[u8]) {
        let line_end = self.target.end + VERSION.len();
        (self.part(&(0..self.target.start)), self.part(&(line_end..self.bytes.len())))
    }

    /// Names and values of the headers; empty unless the task may use HTTP/2.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (self.part(name), self.part(value)))
    }

    /// The parts of its body in order.
    pub(crate) fn body_parts(&self) -> impl Iterator<Item = BodyPart<'_>> {
        let mut from = self.body;
        let own = move |to: usize| {
            let own = self.part(&(from..to));
            from = to;
            (!own.is_empty()).then_some(BodyPart::Own(own))
        };
        let ends = self.shared.iter().map(|(at, shared)| (*at, Some(shared)));
        let ends = ends.chain([(self.bytes.len(), None)]);
        let mut own = own;
        ends.flat_map(move |(at, shared)| own(at).into_iter().chain(shared.map(BodyPart::Shared)))
    }

    /// A copy of its body for the next request.
    pub(crate) fn filled_body(&self) -> Filled {
        let mut body = Filled::default();
        for part in self.body_parts() {
            match part {
                BodyPart::Own(bytes) => body.bytes.extend_from_slice(bytes),
                BodyPart::Shared(bytes) => body.share(bytes.clone()),
            }
        }
        body
    }

    /// The request's body.
    #[cfg(test)]
    pub(crate) fn body(&self) -> Vec<u8> {
        let parts = self.body_parts().map(|part| match part {
            BodyPart::Own(bytes) => bytes,
            BodyPart::Shared(bytes) => bytes,
        });
        parts.collect::<Vec<_>>().concat()
    }

    /// The bytes that HTTP/1.1 sends.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (mut sent, out) = (Vec::new(), self.outgoing());
        while let rest @ [_, ..] = out.rest(sent.len()) {
            sent.extend_from_slice(rest);
        }
        sent
    }

    /// Frees unused buffer memory, for a request that stays.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.shared.shrink_to_fit();
        self.headers.shrink_to_fit();
    }

    fn part(&self, position: &Range<usize>) -> &[u8] {
        self.bytes.get(position.clone()).unwrap_or_default()
    }
}

/// A part of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BodyPart<'a> {
    /// Written for this request.
    Own(&'a [u8]),
    /// Shared by all users.
    Shared(&'a Bytes),
}

/// What a connection sends for a request: bytes, and shared parts in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    bytes: &'a [u8],
    shared: &'a [(usize, Bytes)],
    /// How much later than in the request the shared parts come.
    shift: usize,
}

impl<'a> Outgoing<'a> {
    /// What comes next after `sent` bytes, as far as it is in one piece; nothing at the end.
    #[inline]
    pub(crate) fn rest(&self, sent: usize) -> &'a [u8] {
        if self.shared.is_empty() {
            return self.bytes.get(sent..).unwrap_or_default();
        }
        cold_path();
        self.rest_of_parts(sent)
    }

    #[inline(never)]
    fn rest_of_parts(&self, mut sent: usize) -> &'a [u8] {
        let mut from = 0;
        for (at, shared) in self.shared {
            let own = self.bytes.get(from..at + self.shift).unwrap_or_default();
            for part in [own, shared] {
                if sent < part.len() {
                    return part.get(sent..).unwrap_or_default();
                }
                sent -= part.len();
            }
            from = at + self.shift;
        }
        self.bytes.get(from + sent..).unwrap_or_default()
    }
}

/// The parts of a request that are determined outside the task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestLine<'a> {
    pub(crate) method: &'static str,
    pub(crate) origin: &'a Origin,
    /// The URL after its origin.
    pub(crate) rest: &'a str,
    /// `Basic …` for the user in the URL.
    pub(crate) credentials: Option<&'a str>,
    /// The cookies of the user's jar, in the target's own bytes.
    pub(crate) jar: Option<&'a [u8]>,
    /// Whether to send the task's body; a redirect may drop it.
    pub(crate) body: bool,
    /// Whether to send credentials: not to another host.
    pub(crate) secrets: bool,
    /// Whether the task's own `Host` and `Cookie` apply: not after a redirect.
    pub(crate) first: bool,
}

impl RequestLine<'_> {
    /// Whether to send a header that the task sets.
    pub(super) fn carries(&self, name: &str) -> bool {
        let any = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        (self.body || !any(&["content-type", "content-encoding"]))
            && (self.secrets || !any(&["authorization", "cookie", "proxy-authorization"]))
            && (self.first || !(is_host(name) || is_cookie(name)))
    }
}

/// The head of a request while it is being written.
pub(super) struct Head<'a> {
    out: &'a mut Request,
    /// Whether the positions of its headers are kept.
    positions: bool,
    host: Option<&'a str>,
    agent: bool,
    accept: bool,
    encoding: bool,
}

impl<'a> Head<'a> {
    /// Begins with the request line. `positions` says whether the positions of headers are kept.
    #[inline]
    pub(super) fn begin(
        line: &RequestLine<'a>,
        flavor: Flavor,
        positions: bool,
        out: &'a mut Request,
    ) -> Self {
        out.clear();
        out.method = line.method;
        out.secrets = line.secrets;
        out.bytes.extend_from_slice(line.method.as_bytes());
        out.bytes.push(b' ');
        let target = out.bytes.len();
        write_target(line.rest, flavor, &mut out.bytes);
        out.target = target..out.bytes.len();
        out.bytes.extend_from_slice(VERSION);
        let host = Some(&*line.origin.authority);
        Self { out, positions, host, agent: true, accept: true, encoding: true }
    }

    /// Writes a header.
    pub(super) fn header(
        &mut self,
        name: &str,
        value: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Fault> {
        self.header_after(name, b"", value)
    }

    /// Writes a header whose value begins with bytes that are sent unchanged.
    pub(super) fn header_after(
        &mut self,
        name: &str,
        begin: &[u8],
        value: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Fault> {
        match name.len() {
            4 if is_host(name) => self.host = None,
            10 if name.eq_ignore_ascii_case("user-agent") => self.agent = false,
            6 if name.eq_ignore_ascii_case("accept") => self.accept = false,
            15 if name.eq_ignore_ascii_case("accept-encoding") => self.encoding = false,
            _ => {}
        }
        let is_connection = name.len() == 10 && name.eq_ignore_ascii_case("connection");
        let Request { bytes: out, closes, .. } = &mut *self.out;
        let place = out.len();
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(begin);
        let from = out.len();
        value(out);
        let written = out.get(from..).unwrap_or_default();
        if written.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(Fault::Header(name.to_owned()));
        }
        *closes |= is_connection && has_token(written, b"close");
        if let Some(value) = latin(written) {
            out.truncate(from);
            out.extend(value);
        }
        out.extend_from_slice(b"\r\n");
        self.keep(place, name);
        Ok(())
    }

    /// Writes a constant header.
    fn constant(&mut self, name: &str, line: &str) {
        let begin = self.out.bytes.len();
        self.out.bytes.extend_from_slice(line.as_bytes());
        self.keep(begin, name);
    }

    /// Keeps the position of the header that was just written.
    fn keep(&mut self, begin: usize, name: &str) {
        if self.positions {
            let (name, end) = (begin + name.len(), self.out.bytes.len());
            // `: ` separates name and value, a line break of two bytes follows the value.
            self.out.headers.push((begin..name, name + 2..end - 2));
        }
    }

    /// Writes the headers that the task does not set, and the body.
    #[inline]
    pub(super) fn end(mut self, body: Option<&Filled>) {
        if let Some(host) = self.host {
            let begin = self.out.bytes.len();
            self.out.bytes.extend_from_slice(b"Host: ");
            self.out.bytes.extend_from_slice(host.as_bytes());
            self.out.bytes.extend_from_slice(b"\r\n");
            self.keep(begin, "Host");
        }
        if self.agent {
            let line = concat!("User-Agent: ldctl/", env!("CARGO_PKG_VERSION"), "\r\n");
            self.constant("User-Agent", line);
        }
        if self.accept {
            self.constant("Accept", "Accept: */*\r\n");
        }
        if self.encoding {
            self.constant("Accept-Encoding", "Accept-Encoding: gzip, deflate, br, zstd\r\n");
        }
        // RFC 9110, section 8.6: a method that usually carries content declares when it has none.
        if body.is_some() || matches!(self.out.method, "POST" | "PUT" | "PATCH") {
            let begin = self.out.bytes.len();
            self.out.bytes.extend_from_slice(b"Content-Length: ");
            let length = body.map_or(0, Filled::len);
            self.out.bytes.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            self.out.bytes.extend_from_slice(b"\r\n");
            self.keep(begin, "Content-Length");
        }
        self.out.bytes.extend_from_slice(b"\r\n");
        self.out.body = self.out.bytes.len();
        if let Some(body) = body {
            let from = self.out.body;
            let shared = body.shared.iter().map(|(at, part)| (from + at, part.clone()));
            self.out.shared.extend(shared);
            self.out.bytes.extend_from_slice(&body.bytes);
        }
    }
}

/// A header's value in Latin-1, as Python's clients send it, if it is not ASCII and can be encoded;
/// otherwise it is sent as UTF-8.
fn latin(value: &[u8]) -> Option<Vec<u8>> {
    if value.is_ascii() {
        return None;
    }
    latin1(std::str::from_utf8(value).ok()?)
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host")
}

pub(super) fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("cookie")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::fixture::{check, check_as, sent};
    use super::super::flavor::Flavor;

    #[test]
    fn a_header_of_the_task_replaces_the_default_one() {
        check(
            &json!({
                "method": "get", "request_url": "http://u:p@h:8080/",
                "headers": {"HOST": "other", "user-agent": "", "accept": "a/b", "Accept-Encoding": "x",
                            "Authorization": "mine", "Content-Length": "7", "X-Null": null},
            }),
            "GET / HTTP/1.1\nHOST: other\nuser-agent: \naccept: a/b\nAccept-Encoding: x\n\
             Authorization: Basic dTpw\n\n",
        );
    }

    #[test]
    fn a_method_that_usually_has_a_body_declares_an_empty_one() {
        for method in ["get", "Delete", "HEAD", "options"] {
            let upper = method.to_ascii_uppercase();
            check(&json!({"method": method, "url": "/"}), &format!("{upper} / HTTP/1.1\n..\n\n"));
        }
        for method in ["post", "PUT", "Patch"] {
            let upper = method.to_ascii_uppercase();
            let task = json!({"method": method, "url": "/"});
            check(&task, &format!("{upper} / HTTP/1.1\n..\nContent-Length: 0\n\n"));
        }
        let task = json!({"method": "${m}", "url": "/"});
        check(&task, "PUT / HTTP/1.1\n..\nContent-Length: 0\n\n");
    }

    #[test]
    fn a_task_may_ask_to_close_its_connection() {
        for (value, closes) in [
            ("close", true),
            ("Keep-Alive,  CLOSE", true),
            ("${m}, close", true),
            ("keep-alive", false),
            ("closed", false),
        ] {
            for name in ["Connection", "connection"] {
                let task = json!({"method": "get", "url": "/", "headers": {name: value}});
                let request = sent(Flavor::Fast, false, &task).expect("a request");
                assert_eq!(request.closes(), closes, "{name}: {value}");
            }
        }
        let task = json!({"method": "get", "url": "/", "headers": {"X-Connection": "close"}});
        assert!(!sent(Flavor::Fast, false, &task).expect("a request").closes());
    }

    #[test]
    fn a_header_is_sent_in_latin_1_if_possible() {
        let headers = json!({"X-Latin": "é", "X-Other": "€"});
        let task = json!({"method": "get", "url": "/", "headers": headers});
        let request = sent(Flavor::Fast, true, &task).expect("a request");
        let values: Vec<&[u8]> = request.headers().map(|(_, value)| value).take(2).collect();
        assert_eq!(values, [&b"\xe9"[..], "€".as_bytes()]);
    }

    #[test]
    fn a_value_cannot_smuggle_a_header_into_a_request() {
        let task = |more: Json| {
            let mut task = json!({"method": "post", "request_url": "/x"});
            task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            task
        };
        for (more, why) in [
            (json!({"headers": {"X-A": "${evil}"}}), "header X-A: "),
            (json!({"cookies": {"c": "${evil}"}}), "header Cookie: "),
            (json!({"auth": {"type": "bearer", "token": "${evil}"}}), "header Authorization: "),
            (json!({"method": "${evil}"}), "invalid method \"a\\r\\nX-Evil: 1\""),
        ] {
            let got = sent(Flavor::Fast, false, &task(more)).expect_err("no request");
            assert!(got.starts_with(why), "{got}");
        }
        check(
            &task(
                json!({"request_url": "/${evil}", "params": {"q": "${evil}"}, "data": {"a": "${evil}"}}),
            ),
            "POST /a%0D%0AX-Evil:%201?q=a%0D%0AX-Evil%3A+1 HTTP/1.1\n\
             Content-Type: application/x-www-form-urlencoded; charset=utf-8\n..\n\
             Content-Length: 20\n\na=a%0D%0AX-Evil%3A+1",
        );
        check_as(
            Flavor::Requests,
            &task(json!({"json": {"k": "${evil}"}})),
            "POST /x HTTP/1.1\nContent-Type: application/json\n..\nContent-Length: 23\n\n\
             {\"k\": \"a\\r\\nX-Evil: 1\"}",
        );
    }

    /// A task that uploads a long file with a placeholder, and another header for each request.
    fn upload() -> Json {
        json!({"method": "post", "url": "/up", "files": {"f": {"path": "long"}},
               "headers": {"X-Id": "${uuid()}", "Content-Type": "multipart/form-data; boundary=B"}})
    }

    #[test]
    fn t41_users_share_the_long_parts_of_a_body_and_hold_only_the_rest() {
        let text = "x".repeat(40_000) + "VAL" + &"y".repeat(40_000);
        let part = "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"long\"\r\n\r\n";
        let body = format!("{part}{text}\r\n--B--\r\n");
        for http2 in [false, true] {
            let request = sent(Flavor::Fast, http2, &upload()).expect("a request");
            assert!(request.body() == body.as_bytes());
            assert!(request.capacity() < 2048, "{}", request.capacity());
            let whole = String::from_utf8(request.bytes()).expect("text");
            let (head, sent_body) = whole.split_once("\r\n\r\n").expect("a head");
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
            assert!(sent_body == body);
            let again = request.filled_body();
            assert_eq!((again.len(), again.shared.len()), (body.len(), 2));
        }
    }

    #[test]
    fn t41_a_header_that_is_inserted_later_moves_no_part_of_a_body() {
        let mut request = sent(Flavor::Fast, true, &upload()).expect("a request");
        let before = request.body();
        for value in ["a", "a longer value", ""] {
            request.authorize(value, true);
            assert!(request.body() == before);
            let whole = request.bytes();
            assert!(whole.ends_with(&before));
            let head = String::from_utf8_lossy(&whole[..whole.len() - before.len()]).into_owned();
            assert!(head.ends_with(&format!("\r\nAuthorization: {value}\r\n\r\n")), "{head}");
        }
    }

    #[test]
    fn t41_a_short_body_is_sent_in_one_piece_with_its_head() {
        let task = json!({"method": "post", "url": "/", "data": "x".repeat(10_000) + "${v}"});
        let request = sent(Flavor::Fast, false, &task).expect("a request");
        assert_eq!(request.outgoing().rest(0).len(), request.bytes().len());
    }
}
