//! Writes a request: from a compiled task, a user's variables and an origin to the bytes that
//! HTTP/1.1 sends. The positions of its parts are kept, so that neither redirects nor HTTP/2 parse
//! those bytes again.

use std::ops::Range;

use super::fault::Fault;
use super::framing::has_token;
use super::h2::Message;
use super::target::{Origin, basic, latin1, write_target};
use super::task::{Authorization, Fixed, Task};
use crate::load::template::Scope;

/// The end of a request line.
pub(super) const VERSION: &[u8] = b" HTTP/1.1\r\n";

/// A request. Its buffers are reused for the next one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Request {
    method: &'static str,
    bytes: Vec<u8>,
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
            self.bytes.drain(old);
            if positions {
                self.headers.pop();
            }
        }
        let at = self.body - b"\r\n".len();
        let line = format!("{NAME}: {value}\r\n");
        self.body += line.len();
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

    /// The bytes that HTTP/1.1 sends.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it asks to close the connection (RFC 9112, section 9.6).
    pub(crate) fn closes(&self) -> bool {
        self.closes
    }

    /// Path and query, as they are sent.
    pub(crate) fn target(&self) -> &str {
        std::str::from_utf8(self.part(&self.target)).unwrap_or_default()
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

    /// The request's body.
    pub(crate) fn body(&self) -> &[u8] {
        self.part(&(self.body..self.bytes.len()))
    }

    /// Frees unused buffer memory, for a request that stays.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.headers.shrink_to_fit();
    }

    fn part(&self, position: &Range<usize>) -> &[u8] {
        self.bytes.get(position.clone()).unwrap_or_default()
    }
}

impl Task {
    /// The request to send: the constant one, unless another was written.
    pub(crate) fn request<'a>(&'a self, written: &'a Request) -> &'a Request {
        match &self.fixed {
            Some(fixed) if written.is_empty() => &fixed.request,
            _ => written,
        }
    }

    /// The same for HTTP/2.
    pub(crate) fn message(&self, written: &Request, origin: &Origin) -> Result<Message, Fault> {
        match &self.fixed {
            Some(Fixed { message: Some(message), .. }) if written.is_empty() => message.clone(),
            _ => Message::of(origin, self.request(written)),
        }
    }

    /// Fills in the body of this execution.
    pub(crate) fn fill_body(&self, scope: &mut Scope, body: &mut Vec<u8>) {
        body.clear();
        if let Some(template) = &self.body {
            template.fill(scope, body);
        }
    }

    /// Writes a request of this execution around its body.
    pub(crate) fn write(
        &self,
        line: &RequestLine<'_>,
        scope: &mut Scope,
        body: &[u8],
        out: &mut Request,
    ) -> Result<(), Fault> {
        let mut head = Head::begin(line, self, out);
        // Credentials of the task or the URL take precedence over a header of the task.
        let known = self.authorization.is_some() || line.credentials.is_some();
        for (name, value) in &self.headers {
            let doubled = known && name.eq_ignore_ascii_case("authorization");
            if line.carries(name) && !doubled {
                head.header(name, |out| value.fill(scope, out))?;
            }
        }
        match &self.authorization {
            _ if !line.secrets => {}
            Some(Authorization::Digest { .. }) => {}
            Some(Authorization::Bearer(token)) => head.header("Authorization", |out| {
                out.extend_from_slice(b"Bearer ");
                token.fill(scope, out);
            })?,
            Some(Authorization::Basic { username, password }) => {
                let pair = basic(&username.text(scope), &password.text(scope));
                head.header("Authorization", |out| out.extend_from_slice(pair.as_bytes()))?;
            }
            None => {
                if let Some(pair) = line.credentials {
                    head.header("Authorization", |out| out.extend_from_slice(pair.as_bytes()))?;
                }
            }
        }
        // As in the reference's clients, a `Cookie` header of the task stands alone; otherwise one
        // header holds the jar's cookies and the task's `cookies`.
        let given = self.headers.iter().any(|(name, _)| is_cookie(name) && line.carries(name));
        let own = line.secrets && !self.cookies.is_empty();
        if !given && (line.jar.is_some() || own) {
            head.header_after("Cookie", line.jar.unwrap_or_default(), |out| {
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
    fn carries(&self, name: &str) -> bool {
        let any = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        (self.body || !any(&["content-type", "content-encoding"]))
            && (self.secrets || !any(&["authorization", "cookie", "proxy-authorization"]))
            && (self.first || !(is_host(name) || is_cookie(name)))
    }
}

/// The head of a request while it is being written.
struct Head<'a> {
    out: &'a mut Request,
    /// Whether the positions of its headers are kept.
    positions: bool,
    host: Option<&'a str>,
    agent: bool,
    accept: bool,
    encoding: bool,
}

impl<'a> Head<'a> {
    fn begin(line: &RequestLine<'a>, task: &Task, out: &'a mut Request) -> Self {
        out.clear();
        out.method = line.method;
        out.secrets = line.secrets;
        out.bytes.extend_from_slice(line.method.as_bytes());
        out.bytes.push(b' ');
        let target = out.bytes.len();
        write_target(line.rest, task.flavor, &mut out.bytes);
        out.target = target..out.bytes.len();
        out.bytes.extend_from_slice(VERSION);
        let host = Some(&*line.origin.authority);
        Self { out, positions: task.http2, host, agent: true, accept: true, encoding: true }
    }

    fn header(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
        self.header_after(name, b"", value)
    }

    /// Writes a header whose value begins with bytes that are sent unchanged.
    fn header_after(
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
            self.constant("Accept-Encoding", "Accept-Encoding: gzip, deflate, br, zstd\r\n");
        }
        // RFC 9110, section 8.6: a method that usually carries content declares when it has none.
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

fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("cookie")
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use serde_json::{Value as Json, json};

    use super::super::draft::{Defaults, TaskDraft};
    use super::super::fields::FIELDS;
    use super::super::task::method;
    use super::*;
    use crate::load::scenario::{STEP, TaskSource};
    use crate::load::template::{Bindings, Compiler, Linker};
    use crate::protocol::http::flavor::Flavor;
    use crate::value::{Reader, Value};

    /// The request of a task in a document.
    pub(crate) fn sent(flavor: Flavor, http2: bool, task: &Json) -> Result<Request, String> {
        let task = Value::parse(&task.to_string()).expect("JSON");
        let place = Reader::at(&task, "/tasks/0");
        let base = "http://h:8080/".to_owned();
        let defaults = Defaults { base, flavor, http2, proxies: None };
        let bindings = Bindings {
            variable: &|name| {
                let text = match name {
                    "v" => "VAL",
                    "evil" => "a\r\nX-Evil: 1",
                    "scheme" => "http://h:8080",
                    "m" => "Put",
                    _ => return None,
                };
                Some(text.to_owned())
            },
            environment: &|name| match name {
                "evil" => Some("a\nb".to_owned()),
                "m" => Some("fetch".to_owned()),
                "p" => Some("/p".to_owned()),
                "u" => Some("http://h:port/".to_owned()),
                _ => None,
            },
            read_file: &|path| match path {
                "dir/up.txt" => Ok("file é".into()),
                "picture" => Ok(b"\x89PNG\0\xff${v}".to_vec()),
                "large" => Ok(vec![b'x'; 64 * 1024 * 1024]),
                _ => Err("no such file".to_owned()),
            },
            ..Bindings::NONE
        };
        let mut compiler = Compiler::default();
        let mut fields = place.fields(STEP).map_err(|invalid| invalid.to_string())?;
        for table in FIELDS {
            fields = fields.and(table);
        }
        let source = TaskSource { key: None, fields: place };
        let linked = TaskDraft::parse(&source, &mut fields, &defaults, &mut compiler);
        let linked = linked.and_then(|draft| {
            fields.finish()?;
            let mut linker = Linker::new(compiler, bindings);
            let (task, _) = draft.link(&mut linker)?;
            Ok((task, linker.names()))
        });
        let (task, names) = linked.map_err(|invalid| invalid.to_string())?;
        if let Some(fixed) = task.fixed {
            return Ok(fixed.request);
        }
        let mut scope = Scope::new(&Arc::new(names), 7);
        let url = task.url.fill(&mut scope, &[]);
        let write = |scope: &mut Scope| {
            let method = method(&task.method, scope)?;
            let (origin, rest) = Origin::split(&url)?;
            let (origin, credentials) = (&origin, origin.credentials.as_deref());
            let (body, secrets, first) = (true, true, true);
            let line =
                RequestLine { method, origin, rest, credentials, jar: None, body, secrets, first };
            let (mut body, mut request) = (Vec::new(), Request::default());
            task.fill_body(scope, &mut body);
            task.write(&line, scope, &body, &mut request).map(|()| request)
        };
        write(&mut scope).map_err(|fault: Fault| fault.to_string())
    }

    /// The headers of every request whose task does not set them.
    const OWN: &str = concat!(
        "Host: h:8080\nUser-Agent: ldctl/",
        env!("CARGO_PKG_VERSION"),
        "\nAccept: */*\nAccept-Encoding: gzip, deflate, br, zstd\n"
    );

    /// Checks that a task sends these bytes; `..` stands for [`OWN`], `\n` for HTTP's line break,
    /// and `B` for the boundary of a form. The parts that HTTP/2 uses must yield the same bytes.
    fn check_as(flavor: Flavor, task: &Json, want: &str) {
        let want = want.replace("..\n", OWN).replace('\n', "\r\n");
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let boundary = text.split("boundary=").nth(1).and_then(|text| text.lines().next());
            boundary.map_or(text.clone(), |boundary| text.replace(boundary, "B"))
        };
        let request = sent(flavor, false, task).expect("a request");
        assert_eq!(text(request.bytes()), want);
        assert_eq!(request.headers().count(), 0);

        let request = sent(flavor, true, task).expect("a request");
        let mut parts =
            format!("{} {} HTTP/1.1\r\n", request.method(), request.target()).into_bytes();
        for (name, value) in request.headers() {
            parts.extend([name, b": ", value, b"\r\n"].concat());
        }
        parts.extend([b"\r\n", request.body()].concat());
        assert_eq!(text(&parts), want);
    }

    fn check(task: &Json, want: &str) {
        check_as(Flavor::Fast, task, want);
    }

    #[test]
    fn a_request_contains_everything_its_task_specifies() {
        check(
            &json!({
                "method": "post", "request_url": "/p/${v}", "params": {"q": "a b&${v}"},
                "headers": {"X-One": "<${v}>", "User-Agent": "mine"}, "cookies": {"c": "${v}", "d": "1"},
                "json": {"k": ["${v}", 1.0, null, "é"]}, "auth": {"type": "bearer", "token": "t-${v}"},
            }),
            "POST /p/VAL?q=a+b%26VAL HTTP/1.1\nX-One: <VAL>\nUser-Agent: mine\n\
             Content-Type: application/json\nAccept: application/json\n\
             Authorization: Bearer t-VAL\nCookie: c=VAL; d=1\nHost: h:8080\n\
             Accept-Encoding: gzip, deflate, br, zstd\nContent-Length: 35\n\n\
             {\"k\": [\"VAL\", 1.0, null, \"\\u00e9\"]}",
        );
    }

    #[test]
    fn values_of_the_environment_are_constants_and_wrong_ones_are_refused_with_their_place() {
        let refusal = |task: Json| sent(Flavor::Fast, false, &task).map(|_| ()).unwrap_err();
        check(&json!({"method": "get", "url": "${env.p}"}), "GET /p HTTP/1.1\n..\n\n");
        check(&json!({"method": "get", "url": "/a${env.p}"}), "GET /a/p HTTP/1.1\n..\n\n");
        for (task, why) in [
            (
                json!({"method": "${env.m}", "url": "/"}),
                "/tasks/0/method: unknown method \"fetch\"; expected get, post, put, patch, delete, \
                 head or options",
            ),
            (
                json!({"method": "get", "url": "${env.u}"}),
                "/tasks/0/url: invalid URL \"http://h:port/\": invalid port number",
            ),
            (
                json!({"method": "get", "url": "/", "headers": {"X-A": "${env.evil}"}}),
                "/tasks/0/headers/X-A: expected a header's value without line breaks",
            ),
        ] {
            assert_eq!(refusal(task), why);
        }
    }

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
    fn a_relative_url_is_sent_to_the_host_and_a_placeholder_may_hold_an_absolute_one() {
        for (url, target) in [
            ("/a", "/a"),
            ("b", "/b"),
            ("?q", "/?q"),
            ("${scheme}/c", "/c"),
            ("http://h:8080/d#part", "/d"),
        ] {
            let task = json!({"method": "get", "request_url": url});
            check(&task, &format!("GET {target} HTTP/1.1\n..\n\n"));
        }
    }

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
    fn a_file_is_uploaded_as_a_form() {
        check(
            &json!({
                "method": "post", "url": "/up", "data": {"k": "${v}"},
                "files": {"a": {"path": "dir/up.txt"}, "b": ["n.csv", "1,2", "text/csv"], "c\"": "raw ${v}"},
            }),
            "POST /up HTTP/1.1\nContent-Type: multipart/form-data; boundary=B\n..\n\
             Content-Length: 497\n\n\
             --B\nContent-Disposition: form-data; name=\"k\"\n\nVAL\n\
             --B\nContent-Disposition: form-data; name=\"a\"; filename=\"up.txt\"\n\nfile é\n\
             --B\nContent-Disposition: form-data; name=\"b\"; filename=\"n.csv\"\n\
             Content-Type: text/csv\n\n1,2\n\
             --B\nContent-Disposition: form-data; name=\"c%22\"; filename=\"c%22\"\n\nraw VAL\n\
             --B--\n",
        );
    }

    #[test]
    fn an_upload_is_separated_by_the_boundary_that_the_task_names() {
        for (content_type, want) in [
            ("multipart/form-data; boundary=--mine", "----mine\r\n"),
            ("Multipart/Form-Data;charset=utf-8;Boundary=\"a b\"", "--a b\r\n"),
            // Not one that a body could have, or no upload's at all.
            ("multipart/form-data", "--ldctl-"),
            ("multipart/form-data; boundary=", "--ldctl-"),
            ("multipart/form-data; boundary=\u{e9}", "--ldctl-"),
            ("multipart/mixed; boundary=mine", "--ldctl-"),
        ] {
            let headers = json!({ "content-type": content_type });
            let task = json!({
                "method": "post", "url": "/", "headers": headers, "files": {"f": "x"},
            });
            let request = sent(Flavor::Fast, false, &task).expect("a request");
            let body = String::from_utf8_lossy(request.body()).into_owned();
            assert!(body.starts_with(want), "{content_type}: {body}");
        }
    }

    /// The parts of an upload are those of Python's requests; `B` stands for the boundary.
    fn check_upload(fields: Json, want: &str) {
        let mut task = json!({"method": "post", "url": "/", "headers": {"Content-Type": "x"}});
        task.as_object_mut().expect("an object").extend(fields.as_object().expect("one").clone());
        let request = sent(Flavor::Requests, false, &task).expect("a request");
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let boundary = body.trim_end().rsplit("\r\n").next().expect("an end");
        let boundary = boundary.trim_matches('-').trim_end_matches("--");
        let want = want.replace('\n', "\r\n").replace("@ ", "Content-Disposition: form-data; ");
        assert_eq!(
            body.replace(boundary.trim_start_matches("ldctl-"), "").replace("ldctl-", "B"),
            want
        );
    }

    #[test]
    fn an_upload_has_the_same_parts_as_in_requests() {
        let files = |files: Json, want: &str| check_upload(json!({ "files": files }), want);
        files(json!({"f": "x"}), "--B\n@ name=\"f\"; filename=\"f\"\n\nx\n--B--\n");
        files(json!({"f": 7}), "--B\n@ name=\"f\"; filename=\"f\"\n\n7\n--B--\n");
        files(
            json!([["f", ["a.txt", "one", "text/plain"]], ["f", ["b.txt", "${v}", null]]]),
            "--B\n@ name=\"f\"; filename=\"a.txt\"\nContent-Type: text/plain\n\none\n\
             --B\n@ name=\"f\"; filename=\"b.txt\"\n\nVAL\n--B--\n",
        );
        files(json!({"f": [null, "hello"]}), "--B\n@ name=\"f\"\n\nhello\n--B--\n");
        files(json!({"f": ["a", null], "g": null}), "--B--\n");
        files(json!({"f": ["", "b", ""]}), "--B\n@ name=\"f\"; filename=\"\"\n\nb\n--B--\n");
        files(
            json!({"f": ["a.txt", "hello", "text/plain", {
                "X-Part": "${v}", "Content-Location": "z", "Content-Type": "no", "content-type": "lower", "E": "",
            }]}),
            "--B\n@ name=\"f\"; filename=\"a.txt\"\nContent-Type: text/plain\nX-Part: VAL\n\
             content-type: lower\n\nhello\n--B--\n",
        );
        files(
            json!({"f\"": ["q\"\r\n\\é${v}", {"path": "dir/up.txt"}, "text/x; a=\"b\""]}),
            "--B\n@ name=\"f%22\"; filename=\"q%22%0D%0A\\éVAL\"\nContent-Type: text/x; a=\"b\"\n\n\
             file é\n--B--\n",
        );
        for data in
            [json!({"a": [1, 2], "n": null, "b": true}), json!([["a", 1], ["a", 2], ["b", true]])]
        {
            check_upload(
                json!({"data": data, "files": {"f": ["p", "x"]}}),
                "--B\n@ name=\"a\"\n\n1\n--B\n@ name=\"a\"\n\n2\n--B\n@ name=\"b\"\n\nTrue\n\
                 --B\n@ name=\"f\"; filename=\"p\"\n\nx\n--B--\n",
            );
        }
        // Without any, as in Python, the body is that of `data`.
        check_as(
            Flavor::Requests,
            &json!({"method": "post", "url": "/", "files": {}, "data": {"a": 1}}),
            "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n..\n\
             Content-Length: 3\n\na=1",
        );
    }

    #[test]
    fn a_binary_file_is_uploaded_unchanged() {
        let task = json!({"method": "post", "url": "/", "files": {"f": {"path": "picture"}}});
        let request = sent(Flavor::Fast, true, &task).expect("a request");
        let found = memchr::memmem::find(request.body(), b"\r\n\r\n\x89PNG\0\xff${v}\r\n--");
        assert!(found.is_some(), "{}", request.body().escape_ascii());
    }

    #[test]
    fn an_upload_that_requests_does_not_accept_is_refused_with_its_place() {
        const FORMS: &str = "expected a file's content, [filename, content], [filename, content, type], \
                             [filename, content, type, headers] or {\"path\": …}";
        for (files, why) in [
            (json!({"f": ["a"]}), format!("/f: {FORMS}, got a list of 1")),
            (json!({"f": [1, 2, 3, {}, 5]}), format!("/f: {FORMS}, got a list of 5")),
            (json!({"f": ["a", [1]]}), "/f/1: expected a file's content".to_owned()),
            (json!([["f"]]), "/0: expected a pair [name, value]".to_owned()),
            (json!("f"), ": expected an object or a list of pairs".to_owned()),
            (
                json!({"f": ["a", "b", "c\nd"]}),
                "/f/2: expected a header without line breaks".to_owned(),
            ),
        ] {
            let task = json!({"method": "post", "url": "/", "files": files});
            let got = sent(Flavor::Fast, false, &task).expect_err("no request");
            let start = why.split(", got").next().unwrap_or_default();
            assert!(got.starts_with(&format!("/tasks/0/files{start}")), "{got}");
        }
        let task = json!({"method": "post", "url": "/", "files": {"f": "x"}, "data": "text"});
        let got = sent(Flavor::Requests, false, &task).expect_err("no request");
        assert!(got.starts_with("/tasks/0/data: expected an object or a list of pairs"), "{got}");
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

    #[test]
    fn a_body_over_the_limit_is_refused_with_its_place() {
        let task = json!({"method": "post", "url": "/", "files": {"a": {"path": "large"}}});
        let got = sent(Flavor::Fast, false, &task).expect_err("no request");
        assert!(got.starts_with("/tasks/0/files: a request body of 671"), "{got}");
    }
}
