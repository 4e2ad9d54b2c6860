//! A request, written: what a compiled task, a user's variables and the place it goes to make of it.
//! It is HTTP/1.1 already; for HTTP/2 the places of its parts are kept, so that neither a redirect
//! nor the other protocol has to parse what was written here.

use std::ops::Range;

use super::fault::Fault;
use super::flavor::Flavor;
use super::target::{Origin, basic, write_target};
use super::task::{Authorization, Task};
use crate::load::template::Scope;

/// A request. Its buffers are used again for the next one.
#[derive(Debug, Default)]
pub(crate) struct Request {
    method: &'static str,
    bytes: Vec<u8>,
    target: Range<usize>,
    /// Names and values, where the task may speak HTTP/2.
    headers: Vec<(Range<usize>, Range<usize>)>,
    /// Where the body begins.
    body: usize,
}

impl Request {
    /// Makes it ready for the next request.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.headers.clear();
    }

    /// Whether none is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// `GET`, `POST`, …
    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    /// What HTTP/1.1 sends.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Path and query, as they are sent.
    pub(crate) fn target(&self) -> &str {
        std::str::from_utf8(self.part(&self.target)).unwrap_or_default()
    }

    /// Names and values of the headers; none where the task speaks HTTP/1.1 alone.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (self.part(name), self.part(value)))
    }

    /// The body.
    pub(crate) fn body(&self) -> &[u8] {
        self.part(&(self.body..self.bytes.len()))
    }

    fn part(&self, place: &Range<usize>) -> &[u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }
}

impl Task {
    /// Fills the body of this execution in.
    pub(crate) fn fill_body(&self, scope: &mut Scope, body: &mut Vec<u8>) {
        body.clear();
        if let Some(template) = &self.body {
            template.fill(scope, body);
        }
    }

    /// Writes a request of this execution around its body.
    pub(crate) fn write(
        &self,
        line: &Line<'_>,
        scope: &mut Scope,
        body: &[u8],
        out: &mut Request,
    ) -> Result<(), Fault> {
        let mut head = Head::begin(line, self, out);
        // What the task or the URL says of the user counts more than a header that it writes.
        let known = self.authorization.is_some() || line.origin.credentials.is_some();
        for (name, value) in &self.headers {
            let doubled = known && name.eq_ignore_ascii_case("authorization");
            if line.carries(name) && !doubled {
                head.header(name, |out| value.fill(scope, out))?;
            }
        }
        match &self.authorization {
            _ if !line.secrets => {}
            Some(Authorization::Bearer(token)) => head.header("Authorization", |out| {
                out.extend_from_slice(b"Bearer ");
                token.fill(scope, out);
            })?,
            Some(Authorization::Basic { username, password }) => {
                let pair = basic(&username.text(scope), &password.text(scope));
                head.header("Authorization", |out| out.extend_from_slice(pair.as_bytes()))?;
            }
            None => {
                if let Some(pair) = &line.origin.credentials {
                    head.header("Authorization", |out| out.extend_from_slice(pair.as_bytes()))?;
                }
            }
        }
        let own = line.secrets && !self.cookies.is_empty();
        if line.jar.is_some() || own {
            head.header("Cookie", |out| {
                out.extend_from_slice(line.jar.unwrap_or_default().as_bytes());
                if line.jar.is_some() && own {
                    out.extend_from_slice(b"; ");
                }
                if own {
                    self.cookies.fill(scope, out);
                }
            })?;
        }
        head.end((line.body && self.body.is_some()).then_some(body));
        Ok(())
    }
}

/// What of a request is decided outside the task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) method: &'static str,
    pub(crate) origin: &'a Origin,
    /// The URL after its origin.
    pub(crate) rest: &'a str,
    /// What the user's cookie jar adds.
    pub(crate) jar: Option<&'a str>,
    /// Whether the task's body goes along; a redirect may leave it behind.
    pub(crate) body: bool,
    /// Whether what proves who the user is goes along: not to another host.
    pub(crate) secrets: bool,
    /// Whether the task's own `Host` still counts: not after a redirect.
    pub(crate) host: bool,
}

impl Line<'_> {
    /// Whether a header that the task sets goes along.
    fn carries(&self, name: &str) -> bool {
        let any = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        (self.body || !any(&["content-type", "content-encoding"]))
            && (self.secrets || !any(&["authorization", "cookie", "proxy-authorization"]))
            && (self.host || !is_host(name))
    }
}

/// A request's head that is being written.
struct Head<'a> {
    out: &'a mut Request,
    /// Whether the places of its headers are kept.
    places: bool,
    host: Option<&'a str>,
    agent: bool,
    accept: bool,
    encoding: bool,
}

impl<'a> Head<'a> {
    fn begin(line: &Line<'a>, task: &Task, out: &'a mut Request) -> Self {
        out.clear();
        out.method = line.method;
        out.bytes.extend_from_slice(line.method.as_bytes());
        out.bytes.push(b' ');
        let target = out.bytes.len();
        write_target(line.rest, task.flavor, &mut out.bytes);
        out.target = target..out.bytes.len();
        out.bytes.extend_from_slice(b" HTTP/1.1\r\n");
        let host = Some(&*line.origin.authority);
        Self { out, places: task.http2, host, agent: true, accept: true, encoding: true }
    }

    fn header(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
        match name.len() {
            4 if is_host(name) => self.host = None,
            10 if name.eq_ignore_ascii_case("user-agent") => self.agent = false,
            6 if name.eq_ignore_ascii_case("accept") => self.accept = false,
            15 if name.eq_ignore_ascii_case("accept-encoding") => self.encoding = false,
            _ => {}
        }
        let out = &mut self.out.bytes;
        let begin = out.len();
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        let from = out.len();
        value(out);
        let written = out.get(from..).unwrap_or_default();
        if written.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(Fault::Header(name.to_owned()));
        }
        if let Some(value) = latin(written) {
            out.truncate(from);
            out.extend(value);
        }
        out.extend_from_slice(b"\r\n");
        self.keep(begin, name);
        Ok(())
    }

    /// Writes a header that is always the same.
    fn constant(&mut self, name: &str, line: &str) {
        let begin = self.out.bytes.len();
        self.out.bytes.extend_from_slice(line.as_bytes());
        self.keep(begin, name);
    }

    /// Keeps the place of the header that was written last.
    fn keep(&mut self, begin: usize, name: &str) {
        if self.places {
            let (name, end) = (begin + name.len(), self.out.bytes.len());
            // Between name and value stands `: `, after the value a line break.
            self.out.headers.push((begin..name, name + 2..end - 2));
        }
    }

    fn end(mut self, body: Option<&[u8]>) {
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
            self.constant("Accept-Encoding", "Accept-Encoding: gzip, deflate, br\r\n");
        }
        // RFC 9110, section 8.6: a method that is expected to carry content says when it has none.
        if body.is_some() || matches!(self.out.method, "POST" | "PUT" | "PATCH") {
            let begin = self.out.bytes.len();
            self.out.bytes.extend_from_slice(b"Content-Length: ");
            let length = body.map_or(0, <[u8]>::len);
            self.out.bytes.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            self.out.bytes.extend_from_slice(b"\r\n");
            self.keep(begin, "Content-Length");
        }
        self.out.bytes.extend_from_slice(b"\r\n");
        self.out.body = self.out.bytes.len();
        self.out.bytes.extend_from_slice(body.unwrap_or_default());
    }
}

/// A header's value in Latin-1, as Python's clients send it, where it is not ASCII and can be; what
/// cannot goes as UTF-8.
fn latin(value: &[u8]) -> Option<Vec<u8>> {
    if value.is_ascii() {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?;
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host")
}
