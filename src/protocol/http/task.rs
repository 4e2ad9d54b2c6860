//! An HTTP task, compiled: everything about it that does not change is bytes already, the rest is
//! templates. Reading a task refuses what it does not know, with its place.

use std::borrow::Cow;
use std::time::Duration;

use super::body::{form, parse_body};
use super::check::Checks;
use super::fault::Fault;
use super::flavor::Flavor;
use super::h2::Message;
use super::request::{Line, Request};
use super::target::Origin;
use super::tls::{Setting, certificates};
use crate::load::pacer;
use crate::load::template::{Compiler, Scope, Template};
use crate::net::trust::Trust;
use crate::value::{Invalid, Object, Reader, Value};

/// How long a request may take where its task does not say: Locust's own 60 s.
const TIMEOUT: f64 = 60.0;

/// The methods that the documents know.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

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
    pub(super) fn read(&self, field: &Reader<'_>, path: &str) -> Result<Option<Vec<u8>>, Invalid> {
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
    pub(super) headers: Vec<(String, Template)>,
    pub(super) authorization: Option<Authorization>,
    pub(super) cookies: Template,
    pub(super) body: Option<Template>,
    pub(crate) timeout: Duration,
    /// The timeout as the fault's text has it.
    pub(crate) timeout_text: String,
    pub(crate) redirects: bool,
    pub(crate) flavor: Flavor,
    /// Which of the driver's TLS configurations it uses.
    pub(crate) tls: usize,
    /// Whether HTTP/2 is spoken, or offered under TLS.
    pub(crate) http2: bool,
    pub(crate) checks: Checks,
    /// The whole request, where nothing in it changes from one time to the next.
    pub(crate) fixed: Option<Fixed>,
}

/// A request that never changes.
#[derive(Debug)]
pub(crate) struct Fixed {
    pub(crate) url: String,
    pub(crate) request: Request,
    /// The same for HTTP/2, where the task may use it.
    pub(crate) message: Option<Result<Message, Fault>>,
}

#[derive(Debug)]
pub(super) enum Authorization {
    Basic { username: Template, password: Template },
    Bearer(Template),
}

impl Task {
    /// Takes the HTTP fields out of a task, and what they say of TLS. `method` is the key of the old
    /// form `{"get": {…}}`.
    pub(crate) fn parse(
        method: Option<&str>,
        fields: &mut Object<'_>,
        place: &Reader<'_>,
        context: &Context<'_>,
        compiler: &mut Compiler<'_>,
    ) -> Result<(Self, Setting), Invalid> {
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
        let seconds = timeout
            .map_or(Ok(TIMEOUT), |field| field.positive().and_then(|_| pacer::seconds(&field)))?;
        // Python's requests does not follow a HEAD's redirects unless it is told to.
        let follows = context.flavor == Flavor::Fast || method.as_literal() != Some("HEAD");
        let redirects =
            fields.present("allow_redirects").map_or(Ok(follows), |field| field.boolean())?;
        let setting = parse_tls(fields, context)?;
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
            tls: 0,
            http2: setting.http2,
            checks,
            fixed: None,
        };
        task.fixed = task.fix(&url_field)?;
        Ok((task, setting))
    }

    /// The request as bytes, if nothing in it changes.
    fn fix(&self, url_field: &Reader<'_>) -> Result<Option<Fixed>, Invalid> {
        let method = self.method.as_literal().and_then(known_method);
        let (Some(method), Some(url)) = (method, self.url.as_literal()) else {
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
        let (mut body, mut request) = (Vec::new(), Request::default());
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
        self.write(&line, &mut scope, &body, &mut request)
            .map_err(|fault| url_field.invalid(fault.to_string()))?;
        request.shrink();
        let message = self.http2.then(|| Message::of(&origin, &request));
        Ok(Some(Fixed { url: url.to_owned(), request, message }))
    }
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
        Some(text) => match known_method(text) {
            Some(method) => Ok(Template::literal(method)),
            None => Err(place.invalid(format!(
                "unknown method {text:?}; expected get, post, put, patch, delete, head or options"
            ))),
        },
    }
}

/// The method of this execution, in capitals.
pub(crate) fn method(template: &Template, scope: &mut Scope) -> Result<&'static str, Fault> {
    let text = match template.as_literal() {
        Some(text) => Cow::from(text),
        None => Cow::from(template.text(scope)),
    };
    known_method(&text).ok_or_else(|| Fault::Method(text.into_owned()))
}

fn known_method(text: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(text))
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
