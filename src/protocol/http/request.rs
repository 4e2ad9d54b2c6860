//! A request in bytes: what a compiled task, a user's variables and the place it goes to make of it.

use super::fault::Fault;
use super::flavor::Flavor;
use super::target::{Origin, basic, write_target};
use super::task::{Authorization, Task};
use crate::load::template::Scope;

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
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let mut head = Head::begin(line, self.flavor, out);
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
        head.end((line.body && self.body.is_some()).then_some(body), line.method);
        Ok(())
    }
}

/// What of a request is decided outside the task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) method: &'a str,
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
    out: &'a mut Vec<u8>,
    host: Option<&'a str>,
    agent: bool,
    accept: bool,
    encoding: bool,
}

impl<'a> Head<'a> {
    fn begin(line: &Line<'a>, flavor: Flavor, out: &'a mut Vec<u8>) -> Self {
        out.clear();
        out.extend_from_slice(line.method.as_bytes());
        out.push(b' ');
        write_target(line.rest, flavor, out);
        out.extend_from_slice(b" HTTP/1.1\r\n");
        Self { out, host: Some(&line.origin.authority), agent: true, accept: true, encoding: true }
    }

    fn header(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
        match name.len() {
            4 if is_host(name) => self.host = None,
            10 if name.eq_ignore_ascii_case("user-agent") => self.agent = false,
            6 if name.eq_ignore_ascii_case("accept") => self.accept = false,
            15 if name.eq_ignore_ascii_case("accept-encoding") => self.encoding = false,
            _ => {}
        }
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        let from = self.out.len();
        value(self.out);
        let written = self.out.get(from..).unwrap_or_default();
        if written.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(Fault::Header(name.to_owned()));
        }
        if let Some(value) = latin(written) {
            self.out.truncate(from);
            self.out.extend(value);
        }
        self.out.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn end(self, body: Option<&[u8]>, method: &str) {
        let Self { out, host, agent, accept, encoding } = self;
        if let Some(host) = host {
            out.extend_from_slice(b"Host: ");
            out.extend_from_slice(host.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if agent {
            out.extend_from_slice(
                concat!("User-Agent: ldctl/", env!("CARGO_PKG_VERSION"), "\r\n").as_bytes(),
            );
        }
        if accept {
            out.extend_from_slice(b"Accept: */*\r\n");
        }
        if encoding {
            out.extend_from_slice(b"Accept-Encoding: gzip, deflate, br\r\n");
        }
        // RFC 9110, section 8.6: a method that is expected to carry content says when it has none.
        if body.is_some() || matches!(method, "POST" | "PUT" | "PATCH") {
            out.extend_from_slice(b"Content-Length: ");
            let length = body.map_or(0, <[u8]>::len);
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body.unwrap_or_default());
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
