//! A parsed HTTP task, and how it becomes one that runs. What the document alone shows to be wrong
//! is refused when the task is parsed, what only shows when the test starts when it is linked, both
//! with their places.

use std::time::Duration;

use super::address::{Address, is_absolute, is_blank};
use super::body::{check_body, parse_body};
use super::fields::AUTH;
use super::flavor::Flavor;
use super::form::form;
use super::graphql::parse_graphql;
use super::headers::{link_headers, parse_headers};
use super::proxy::{Proxies, proxies};
use super::response::Response;
use super::target::Origin;
use super::task::{Authorization, Body, Task, literal_method};
use super::tls::{Setting, SettingDraft};
use crate::load::scenario::TaskSource;
use crate::load::template::{Compiler, Draft, Linker, Template};
use crate::protocol::check::Checks;
use crate::protocol::checked::Capture;
use crate::protocol::deadline::Timeout;
use crate::protocol::placed::Placed;
use crate::value::{Invalid, Object};

/// The settings of all tasks of a test.
#[derive(Debug)]
pub(super) struct Defaults {
    /// The base of relative URLs.
    pub(super) base: String,
    /// The client whose behaviour is reproduced.
    pub(super) flavor: Flavor,
    /// Whether to use HTTP/2.
    pub(super) http2: bool,
    /// The proxies of the test; `None` for those of the environment.
    pub(super) proxies: Option<Proxies>,
}

/// A parsed task.
#[derive(Debug)]
pub(super) struct TaskDraft {
    /// Its place in the document.
    pub(super) place: String,
    pub(super) method: Placed<Draft>,
    pub(super) url: Address<Draft>,
    pub(super) url_place: String,
    /// Whether the URL needs a host.
    pub(super) relative: bool,
    /// `None` is the path and query that are sent.
    pub(super) name: Option<Draft>,
    pub(super) headers: Vec<(String, Placed<Draft>)>,
    pub(super) authorization: Option<Authorization<Draft>>,
    pub(super) cookies: Draft,
    pub(super) body: Option<Placed<Draft>>,
    pub(super) graphql: bool,
    pub(super) timeout: Duration,
    pub(super) timeout_text: String,
    /// The task's redirect setting.
    pub(super) redirects: Option<bool>,
    pub(super) flavor: Flavor,
    pub(super) tls: SettingDraft,
    pub(super) checks: Checks<Draft>,
}

impl TaskDraft {
    /// Takes the HTTP fields from a task. The key of the old form `{"get": {…}}` is its method.
    pub(super) fn parse(
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        defaults: &Defaults,
        compiler: &mut Compiler,
    ) -> Result<Self, Invalid> {
        let place = &task.fields;
        let method = parse_method(task, fields, compiler)?;
        let url_field = match (fields.present("request_url"), fields.present("url")) {
            (Some(field), _) | (None, Some(field)) => field,
            (None, None) => return Err(place.invalid("missing \"request_url\"")),
        };
        let written = url_field.text()?.trim_matches(is_blank);
        if written.is_empty() {
            return Err(url_field.expected("a URL"));
        }
        let name = match fields.present("name") {
            Some(name) if !name.value().to_text().is_empty() => {
                Some(compiler.aside(|compiler| compiler.template(&name.value().to_text())))
            }
            _ if defaults.flavor == Flavor::Requests => None,
            _ => Some(Draft::literal(written)),
        };
        let params = fields.present("params");
        let query = params.map(|params| form(&params, Flavor::Requests, compiler)).transpose()?;
        let url = Address::read(written, &defaults.base, query, compiler);
        if let Some(url) = url.as_literal() {
            Origin::split(url).map_err(|fault| url_field.invalid(fault.to_string()))?;
        }
        let mut headers = parse_headers(fields, compiler)?;
        let cookies = parse_cookies(fields, compiler)?;
        let (graphql, operation) = parse_graphql(fields, compiler, &mut headers)?;
        let body = match operation {
            Some(operation) => {
                check_body(&operation)?;
                Some(operation)
            }
            None => parse_body(fields, defaults.flavor, compiler, &mut headers)?,
        };
        let timeout = Timeout::parse(fields)?;
        let redirects = fields.if_present("allow_redirects", |field| field.boolean())?;
        let via = proxies(fields, defaults.proxies.as_ref())?;
        let http2 = fields.present("http2").map_or(Ok(defaults.http2), |field| field.boolean())?;
        Ok(Self {
            place: place.pointer(),
            method,
            url,
            url_place: url_field.pointer(),
            relative: !is_absolute(written) && !written.starts_with("${"),
            name,
            headers,
            cookies,
            body,
            graphql,
            timeout: timeout.duration,
            timeout_text: timeout.text,
            redirects,
            flavor: defaults.flavor,
            tls: SettingDraft::parse(fields, http2, via)?,
            authorization: parse_auth(fields, compiler)?,
            checks: Checks::parse::<Response>(fields, compiler)?,
        })
    }

    /// Links the task; returns also its TLS setting.
    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<(Task, Setting), Invalid> {
        let method = self.method.link(linker)?;
        let method = match method.value.as_literal() {
            None => method.value,
            Some(text) => Template::literal(literal_method(text, &method.place)?),
        };
        let headers = link_headers(self.headers, linker)?;
        let body = self.body.map(|body| body.link(linker)).transpose()?;
        if let Some(body) = &body {
            check_body(body)?;
        }
        let setting = self.tls.link(linker)?;
        // Python's requests follows the redirects of a HEAD only if requested.
        let follows = self.flavor == Flavor::Fast || method.as_literal() != Some("HEAD");
        let mut task = Task {
            method,
            url: self.url.link(linker)?,
            name: self.name.map(|name| name.link(linker)).transpose()?,
            headers,
            authorization: self.authorization.map(|who| who.link(linker)).transpose()?,
            cookies: self.cookies.link(linker)?,
            body: body.map(|body| Body::new(body.value)),
            graphql: self.graphql,
            timeout: self.timeout,
            timeout_text: self.timeout_text,
            redirects: self.redirects.unwrap_or(follows),
            flavor: self.flavor,
            tls: 0,
            http2: setting.http2,
            checks: self.checks.link(linker)?,
            capture: Capture::default(),
            links: Vec::new(),
            fixed: None,
        };
        task.capture = task.needed();
        task.fixed = task.fix(&self.url_place)?;
        Ok((task, setting))
    }
}

fn parse_method(
    task: &TaskSource<'_>,
    fields: &mut Object<'_>,
    compiler: &mut Compiler,
) -> Result<Placed<Draft>, Invalid> {
    let field = fields.present("method");
    let (text, place) = match (&field, task.key) {
        (Some(field), _) => (field.text()?, field),
        (None, Some(key)) => (key, &task.fields),
        (None, None) => return Err(task.fields.invalid("missing \"method\"")),
    };
    let text = compiler.template(text);
    if let Some(text) = text.as_literal() {
        literal_method(text, &place.pointer())?;
    }
    Ok(Placed::at(place, text))
}

fn parse_cookies(fields: &mut Object<'_>, compiler: &mut Compiler) -> Result<Draft, Invalid> {
    let mut cookies = Draft::default();
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
    compiler: &mut Compiler,
) -> Result<Option<Authorization<Draft>>, Invalid> {
    let Some(field) = fields.present("auth") else { return Ok(None) };
    let mut auth = field.fields(AUTH)?;
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
        "digest" => Authorization::Digest {
            username: text(&mut auth, "username"),
            password: text(&mut auth, "password"),
        },
        "bearer" => Authorization::Bearer(text(&mut auth, "token")),
        _ => return Err(kind.choice(&["basic", "digest", "bearer"])),
    };
    auth.finish()?;
    Ok(Some(authorization))
}
