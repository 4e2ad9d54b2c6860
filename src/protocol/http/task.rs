//! An HTTP task, compiled: everything about it that does not change is bytes already, the rest is
//! templates. Reading a task refuses what it does not know, with its place.

use std::time::Duration;

use super::check::Checks;
use super::fault::Fault;
use super::target::{Origin, basic, write_target};
use super::tls::{Setting, certificates};
use crate::load::template::{Compiler, Escape, Scope, Template};
use crate::trust::Trust;
use crate::value::{Invalid, Object, Reader, Value};

/// How long a request may take where its task does not say: Locust's own 60 s.
const TIMEOUT: f64 = 60.0;

/// The longest request body, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// The methods that the documents know.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// What the users of LoadDensity differ in where ldctl has one client for them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// `fast_http_user`: a list in a form is one field, written as Python prints it.
    Fast,
    /// `http_user`, `async_http_user`: a list in a form is a field per item.
    Requests,
}

/// Reads a file that a document names; the error says why it cannot be.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// What holds for all tasks of a test.
pub struct Context<'a> {
    /// The base of relative URLs.
    pub base: String,
    /// Which user's habits count.
    pub flavor: Flavor,
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
    /// Reads certificates and uploads. `None` where a document is only checked: then files, which
    /// may come to be before it runs, are neither looked for nor looked into.
    pub read_file: Option<ReadFile<'a>>,
}

impl Context<'_> {
    fn read(&self, field: &Reader<'_>, path: &str) -> Result<Option<Vec<u8>>, Invalid> {
        self.read_file.map(|read| read(path).map_err(|why| field.invalid(why))).transpose()
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Context").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A compiled task.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) method: Template,
    pub(crate) url: Template,
    pub(crate) name: Template,
    headers: Vec<(String, Template)>,
    authorization: Option<Authorization>,
    cookies: Template,
    body: Option<Template>,
    pub(crate) timeout: Duration,
    /// The timeout as the fault's text has it.
    pub(crate) timeout_text: String,
    pub(crate) redirects: bool,
    pub(crate) flavor: Flavor,
    pub(crate) tls: Setting,
    pub(crate) checks: Checks,
    /// The whole request, where nothing in it changes from one time to the next.
    pub(crate) fixed: Option<Fixed>,
}

/// A request that never changes.
#[derive(Debug)]
pub(crate) struct Fixed {
    pub(crate) url: String,
    pub(crate) bytes: Box<[u8]>,
}

#[derive(Debug)]
enum Authorization {
    Basic { username: Template, password: Template },
    Bearer(Template),
}

impl Task {
    /// Takes the HTTP fields out of a task. `method` is the key of the old form `{"get": {…}}`.
    pub(crate) fn parse(
        method: Option<&str>,
        fields: &mut Object<'_>,
        place: &Reader<'_>,
        context: &Context<'_>,
        compiler: &mut Compiler<'_>,
    ) -> Result<Self, Invalid> {
        let method = parse_method(method, fields, place, compiler)?;
        let url_field = match (fields.present("request_url"), fields.present("url")) {
            (Some(field), _) | (None, Some(field)) => field,
            (None, None) => return Err(place.invalid("missing \"request_url\"")),
        };
        let written = url_field.text()?;
        if written.is_empty() {
            return Err(url_field.expected("a URL"));
        }
        let name = match fields.present("name") {
            Some(name) if !name.value().to_text().is_empty() => {
                compiler.template(&name.value().to_text())
            }
            _ => Template::literal(written),
        };
        let mut url = absolute(written, &context.base, compiler);
        if let Some(params) = fields.present("params") {
            let query = form(&params, Flavor::Requests, compiler)?;
            if !query.is_empty() {
                url.push_literal(if written.contains('?') { "&" } else { "?" });
                url.push(query);
            }
        }
        let mut headers = parse_headers(fields, compiler)?;
        let cookies = parse_cookies(fields, compiler)?;
        let body = parse_body(fields, context, compiler, &mut headers)?;
        let timeout = fields.present("timeout");
        let seconds = timeout.map_or(Ok(TIMEOUT), |field| field.positive())?;
        if seconds > crate::load::MOST_SECONDS {
            return Err(place.invalid("\"timeout\" is over the limit of 30 days"));
        }
        // Python's requests does not follow a HEAD's redirects unless it is told to.
        let follows = context.flavor == Flavor::Fast || method.as_literal() != Some("HEAD");
        let redirects =
            fields.present("allow_redirects").map_or(Ok(follows), |field| field.boolean())?;
        let tls = parse_tls(fields, context)?;
        let authorization = parse_auth(fields, compiler)?;
        let checks =
            Checks::parse(fields.present("assertions"), fields.present("extract"), compiler)?;
        let mut task = Self {
            method,
            url,
            name,
            headers,
            authorization,
            cookies,
            body,
            timeout: Duration::from_secs_f64(seconds),
            timeout_text: format!("{seconds}"),
            redirects,
            flavor: context.flavor,
            tls,
            checks,
            fixed: None,
        };
        task.fixed = task.fix(&url_field)?;
        Ok(task)
    }

    /// The request as bytes, if nothing in it changes.
    fn fix(&self, url_field: &Reader<'_>) -> Result<Option<Fixed>, Invalid> {
        let (Some(method), Some(url)) = (self.method.as_literal(), self.url.as_literal()) else {
            return Ok(None);
        };
        let (origin, rest) =
            Origin::split(url).map_err(|fault| url_field.invalid(fault.to_string()))?;
        let literal = self.headers.iter().all(|(_, value)| value.as_literal().is_some())
            && self.cookies.as_literal().is_some()
            && self.body.as_ref().is_none_or(|body| body.as_literal().is_some())
            && match &self.authorization {
                None => true,
                Some(Authorization::Bearer(token)) => token.as_literal().is_some(),
                Some(Authorization::Basic { username, password }) => {
                    username.as_literal().is_some() && password.as_literal().is_some()
                }
            };
        if !literal {
            return Ok(None);
        }
        let mut scope = Scope::new(&std::sync::Arc::default(), 0);
        let (mut body, mut bytes) = (Vec::new(), Vec::new());
        self.fill_body(&mut scope, &mut body);
        let line = Line {
            method,
            origin: &origin,
            rest,
            jar: None,
            body: true,
            secrets: true,
            host: true,
        };
        self.write(&line, &mut scope, &body, &mut bytes)
            .map_err(|fault| url_field.invalid(fault.to_string()))?;
        Ok(Some(Fixed { url: url.to_owned(), bytes: bytes.into() }))
    }

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

fn parse_method(
    key: Option<&str>,
    fields: &mut Object<'_>,
    place: &Reader<'_>,
    compiler: &mut Compiler<'_>,
) -> Result<Template, Invalid> {
    let field = fields.present("method");
    let (text, place) = match (&field, key) {
        (Some(field), _) => (field.text()?, field),
        (None, Some(key)) => (key, place),
        (None, None) => return Err(place.invalid("missing \"method\"")),
    };
    let template = compiler.template(text);
    match template.as_literal() {
        None => Ok(template),
        Some(text) => {
            let upper = text.to_ascii_uppercase();
            if METHODS.contains(&upper.as_str()) {
                Ok(Template::literal(upper))
            } else {
                Err(place.invalid(format!(
                    "unknown method {text:?}; expected get, post, put, patch, delete, head or options"
                )))
            }
        }
    }
}

/// The method of this execution, in capitals.
pub(crate) fn method(template: &Template, scope: &mut Scope) -> Result<String, Fault> {
    let text = template.text(scope);
    let upper = text.to_ascii_uppercase();
    if METHODS.contains(&upper.as_str()) { Ok(upper) } else { Err(Fault::Method(text)) }
}

/// A URL, behind the base where it is relative. One that begins with a placeholder is taken as
/// absolute when the placeholder can hold the scheme, and that is only known at run time.
fn absolute(written: &str, base: &str, compiler: &mut Compiler<'_>) -> Template {
    let lower = written.get(..8).unwrap_or(written).to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") || written.starts_with("${") {
        return compiler.template(written);
    }
    let mut url = compiler.template(base.trim_end_matches('/'));
    if !written.starts_with(['/', '?']) {
        url.push_literal("/");
    }
    url.push(compiler.template(written));
    url
}

fn parse_headers(
    fields: &mut Object<'_>,
    compiler: &mut Compiler<'_>,
) -> Result<Vec<(String, Template)>, Invalid> {
    let Some(field) = fields.present("headers") else { return Ok(Vec::new()) };
    let mut headers = Vec::new();
    for (name, value) in field.object()?.entries() {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(value.invalid("the name is no header's (RFC 9110, section 5.1)"));
        }
        // What frames the body is computed; a wrong one would break the connection.
        let framing = name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("transfer-encoding");
        if framing || value.is_null() {
            continue;
        }
        let template = compiler.template(&value.value().to_text());
        let broken = template.as_literal().is_some_and(|text| text.contains(['\r', '\n', '\0']));
        if broken {
            return Err(value.expected("a header's value without line breaks"));
        }
        headers.push((name.to_owned(), template));
    }
    Ok(headers)
}

fn parse_cookies(
    fields: &mut Object<'_>,
    compiler: &mut Compiler<'_>,
) -> Result<Template, Invalid> {
    let mut cookies = Template::default();
    let Some(field) = fields.present("cookies") else { return Ok(cookies) };
    for (name, value) in field.object()?.entries() {
        if !cookies.is_empty() {
            cookies.push_literal("; ");
        }
        cookies.push_literal(name);
        cookies.push_literal("=");
        cookies.push(compiler.template(&value.value().to_text()));
    }
    Ok(cookies)
}

fn parse_auth(
    fields: &mut Object<'_>,
    compiler: &mut Compiler<'_>,
) -> Result<Option<Authorization>, Invalid> {
    let Some(field) = fields.present("auth") else { return Ok(None) };
    let mut auth = field.object()?;
    let kind = auth.required("type")?;
    let mut text = |auth: &mut Object<'_>, key: &str| {
        let value = auth.present(key).map(|field| field.value().to_text()).unwrap_or_default();
        compiler.template(&value)
    };
    let authorization = match kind.text()?.to_ascii_lowercase().as_str() {
        "basic" => Authorization::Basic {
            username: text(&mut auth, "username"),
            password: text(&mut auth, "password"),
        },
        "bearer" => Authorization::Bearer(text(&mut auth, "token")),
        _ => return Err(kind.expected("\"basic\" or \"bearer\"")),
    };
    auth.finish()?;
    Ok(Some(authorization))
}

fn parse_tls(fields: &mut Object<'_>, context: &Context<'_>) -> Result<Setting, Invalid> {
    let read = |field: &Reader<'_>, path: &str| context.read(field, path);
    let trust = match fields.present("verify") {
        None => Trust::Platform,
        Some(field) => match field.value() {
            Value::Bool(true) => Trust::Platform,
            Value::Bool(false) => Trust::Anybody,
            Value::Str(path) => match read(&field, path)? {
                Some(pem) => Trust::Only(certificates(&pem).map_err(|why| field.invalid(why))?),
                None => Trust::Platform,
            },
            _ => return Err(field.expected("true, false or the path of a PEM file")),
        },
    };
    let field = match (fields.present("cert"), fields.present("client_cert")) {
        (Some(field), _) | (None, Some(field)) => Some(field),
        (None, None) => None,
    };
    let identity = match field {
        None => None,
        Some(field) => match field.value() {
            Value::Str(path) => read(&field, path)?.map(|pem| (pem.clone(), pem)),
            Value::List(pair) => match pair.as_slice() {
                [Value::Str(chain), Value::Str(key)] => {
                    read(&field, chain)?.zip(read(&field, key)?)
                }
                _ => return Err(field.expected("[certificate path, key path]")),
            },
            _ => return Err(field.expected("a PEM path or [certificate path, key path]")),
        },
    };
    let http2 = fields.present("http2").map_or(Ok(context.http2), |field| field.boolean())?;
    Ok(Setting { trust, identity, http2 })
}

fn parse_body(
    fields: &mut Object<'_>,
    context: &Context<'_>,
    compiler: &mut Compiler<'_>,
    headers: &mut Vec<(String, Template)>,
) -> Result<Option<Template>, Invalid> {
    let data = fields.present("data").filter(|field| !is_blank(field.value()));
    let json = fields.present("json");
    let mut header = |name: &str, value: &str| {
        if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            headers.push((name.to_owned(), Template::literal(value)));
        }
    };
    let fast = context.flavor == Flavor::Fast;
    let body = if let Some(files) = fields.present("files") {
        let boundary = format!("ldctl-{:032x}", fastrand::u128(..));
        header("Content-Type", &format!("multipart/form-data; boundary={boundary}"));
        Some(multipart(&files, data.as_ref(), &boundary, context, compiler)?)
    } else if let Some(data) = data {
        Some(match data.value() {
            Value::Dict(_) | Value::List(_) => {
                let charset = if fast { "; charset=utf-8" } else { "" };
                header("Content-Type", &format!("application/x-www-form-urlencoded{charset}"));
                form(&data, context.flavor, compiler)?
            }
            value => {
                if fast {
                    header("Content-Type", "text/plain; charset=utf-8");
                }
                compiler.template(&value.to_text())
            }
        })
    } else if let Some(json) = json {
        header("Content-Type", "application/json");
        if fast {
            header("Accept", "application/json");
        }
        Some(compiler.json(json.value()))
    } else {
        None
    };
    if body.as_ref().is_some_and(|body| body.written().len() > MAX_BODY) {
        return Err(Invalid {
            pointer: String::new(),
            message: format!("a request body is over the limit of {MAX_BODY} bytes"),
        });
    }
    Ok(body)
}

/// Python's truth of `data`: without content it gives way to `json`.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Str(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Dict(members) => members.is_empty(),
        _ => false,
    }
}

/// Form fields (also a query's) from an object or from pairs.
fn form(
    field: &Reader<'_>,
    flavor: Flavor,
    compiler: &mut Compiler<'_>,
) -> Result<Template, Invalid> {
    let mut out = Template::default();
    let mut pair = |key: &Template, value: &Value, compiler: &mut Compiler<'_>| {
        if !out.is_empty() {
            out.push_literal("&");
        }
        out.push(key.clone());
        out.push_literal("=");
        out.push(compiler.escaped(&value.to_text(), Escape::Form));
    };
    let mut add = |key: Template, value: &Value, compiler: &mut Compiler<'_>| match value {
        Value::List(items) if flavor == Flavor::Requests => {
            items.iter().for_each(|item| pair(&key, item, compiler));
        }
        Value::Null if flavor == Flavor::Requests => {}
        value => pair(&key, value, compiler),
    };
    match field.value() {
        // An object's keys are names: placeholders stand in values.
        Value::Dict(members) => members.iter().for_each(|(key, value)| {
            add(Template::literal(Escape::Form.written(key)), value, compiler);
        }),
        Value::List(_) => {
            for item in field.list()? {
                let parts = item.list()?;
                let [key, value] = parts.as_slice() else {
                    return Err(item.expected("a pair [name, value]"));
                };
                let key = compiler.escaped(&key.value().to_text(), Escape::Form);
                add(key, value.value(), compiler);
            }
        }
        Value::Str(text) => return Ok(compiler.template(text)),
        _ => return Err(field.expected("an object or a list of pairs")),
    }
    Ok(out)
}

/// `multipart/form-data` (RFC 7578). A file is its content, `[filename, content]` or `[filename,
/// content, type]`, as Python's requests takes them, or `{"path": …}`, read from the data directory.
fn multipart(
    files: &Reader<'_>,
    data: Option<&Reader<'_>>,
    boundary: &str,
    context: &Context<'_>,
    compiler: &mut Compiler<'_>,
) -> Result<Template, Invalid> {
    let mut out = Template::default();
    if let Some(data) = data {
        for (name, value) in data.object()?.entries() {
            out.push_literal(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\""));
            out.push_literal(&disposition(name));
            out.push_literal("\"\r\n\r\n");
            out.push(compiler.template(&value.value().to_text()));
            out.push_literal("\r\n");
        }
    }
    for (name, file) in files.object()?.entries() {
        let (filename, content, kind) = upload(name, &file, context)?;
        out.push_literal(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\""));
        out.push_literal(&disposition(name));
        out.push_literal("\"; filename=\"");
        out.push_literal(&disposition(&filename));
        out.push_literal("\"\r\n");
        if let Some(kind) = kind {
            out.push_literal(&format!("Content-Type: {}\r\n", kind.replace(['\r', '\n'], " ")));
        }
        out.push_literal("\r\n");
        out.push(compiler.template(&content));
        out.push_literal("\r\n");
    }
    out.push_literal(&format!("--{boundary}--\r\n"));
    Ok(out)
}

/// A name inside quotes, escaped as browsers do (the HTML standard's form-data encoding).
fn disposition(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

type Upload = (String, String, Option<String>);

fn upload(name: &str, file: &Reader<'_>, context: &Context<'_>) -> Result<Upload, Invalid> {
    match file.value() {
        Value::Str(content) => Ok((name.to_owned(), content.clone(), None)),
        Value::List(_) => {
            let parts = file.list()?;
            let text = |part: &Reader<'_>| part.text().map(str::to_owned);
            match parts.as_slice() {
                [filename, content] => Ok((text(filename)?, text(content)?, None)),
                [filename, content, kind] => {
                    Ok((text(filename)?, text(content)?, Some(text(kind)?)))
                }
                _ => Err(file.expected("[filename, content] or [filename, content, type]")),
            }
        }
        Value::Dict(_) => {
            let mut fields = file.object()?;
            let path = fields.required("path")?;
            let bytes = context.read(&path, path.text()?)?.unwrap_or_default();
            let content =
                String::from_utf8(bytes).map_err(|_| path.invalid("the file is not UTF-8 text"))?;
            let own = path.text()?.rsplit('/').next().unwrap_or(name).to_owned();
            let filename = fields.present("filename");
            let filename = filename.map_or(Ok(own), |field| field.text().map(str::to_owned))?;
            let kind = fields.present("content_type");
            let kind = kind.map(|field| field.text().map(str::to_owned)).transpose()?;
            fields.finish()?;
            Ok((filename, content, kind))
        }
        _ => Err(file.expected("a file's content, [filename, content] or {\"path\": …}")),
    }
}
