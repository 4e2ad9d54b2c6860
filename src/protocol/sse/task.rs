//! An event stream task. Parsing refuses what the document alone shows to be wrong, linking refuses
//! wrong constants, each with its place.

use std::time::Duration;

use super::event::Event;
use crate::load::pacer;
use crate::load::scenario::TaskSource;
use crate::load::template::{Compiler, Draft, Linker, Template};
use crate::protocol::check::Checks;
use crate::protocol::http::response::Response;
use crate::protocol::http::{Origin, Setting, SettingDraft, link_headers, parse_headers, proxies};
use crate::protocol::labels::{Name, Naming};
use crate::protocol::placed::Placed;
use crate::protocol::step::{Defaults, check_url, method, name, url_or};
use crate::value::{Invalid, Object};

/// The step of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Open,
    Wait,
    Close,
}

impl Method {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Open, "open"),
        (Self::Open, "connect"),
        (Self::Wait, "wait"),
        (Self::Close, "close"),
    ];

    /// The name of steps without one: the URL, or the method where there is none.
    fn naming(self) -> fn(&str) -> String {
        match self {
            Self::Open => |url| url_or(url, "open"),
            Self::Wait => |url| url_or(url, "wait"),
            Self::Close => |url| url_or(url, "close"),
        }
    }
}

/// Whether a constant URL is one.
fn check(url: &str) -> Result<(), String> {
    Origin::split(url).map(drop).map_err(|why| why.to_string())
}

/// A parsed task.
#[derive(Debug)]
pub(super) struct TaskDraft {
    /// Its place in the document.
    pub(super) place: String,
    method: Method,
    url: Option<Placed<Draft>>,
    host: Option<Draft>,
    name: Option<Draft>,
    expect: Option<Draft>,
    reconnect: bool,
    timeout: f64,
    headers: Vec<(String, Placed<Draft>)>,
    setting: SettingDraft,
    checks: Checks<Draft>,
}

impl TaskDraft {
    /// Takes the fields of an event stream task.
    pub(super) fn parse(
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        defaults: &Defaults,
        compiler: &mut Compiler,
    ) -> Result<Self, Invalid> {
        if task.key.is_some() {
            return Err(task.fields.invalid("the tasks of an sse_user must be a list"));
        }
        let method = fields.or_default("method", |field| method(field, &Method::ALL))?;
        let url = defaults.url(fields, compiler, check)?;
        let host = defaults.host.as_deref().map(|host| compiler.template(host));
        let name = name(fields, compiler);
        let expect = fields.present("expect");
        let reconnect = fields.or_default("reconnect", |field| field.boolean())?;
        let checks = match method {
            Method::Wait => Checks::parse::<Event>(fields, compiler)?,
            _ => Checks::parse::<Response>(fields, compiler)?,
        };
        let without = match method {
            Method::Wait => false,
            Method::Open => expect.is_some() || checks.capture().body,
            Method::Close => expect.is_some() || !checks.is_empty(),
        };
        if without {
            return Err(task.fields.invalid(
                "only the method wait receives an event; of open, status and headers can be checked",
            ));
        }
        let via = proxies(fields, defaults.proxies.as_ref())?;
        let expect = expect
            .map(|field| compiler.aside(|compiler| compiler.template(&field.value().to_text())));
        let timeout = fields
            .or_default("timeout", |field| field.positive().and_then(|_| pacer::seconds(field)))?;
        Ok(Self {
            place: task.fields.pointer(),
            method,
            url,
            host,
            name,
            expect,
            reconnect,
            timeout,
            headers: parse_headers(fields, compiler)?,
            setting: SettingDraft::parse(fields, false, via)?,
            checks,
        })
    }

    /// Links the task; returns also its TLS and proxy setting.
    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<(Task, Setting), Invalid> {
        let url = self.url.map(|url| url.link(linker)).transpose()?;
        if let Some(url) = &url {
            check_url(url, check)?;
        }
        let task = Task {
            method: self.method,
            url: url.map(|url| url.value),
            host: self.host.map(|host| host.link(linker)).transpose()?,
            name: self.name.map(|name| name.link(linker)).transpose()?,
            expect: self.expect.map(|text| text.link(linker)).transpose()?,
            reconnect: self.reconnect,
            timeout: Duration::from_secs_f64(self.timeout),
            seconds: self.timeout,
            headers: link_headers(self.headers, linker)?,
            setting: 0,
            checks: self.checks.link(linker)?,
        };
        Ok((task, self.setting.link(linker)?))
    }
}

/// A task, ready to run.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) method: Method,
    pub(super) url: Option<Template>,
    pub(super) host: Option<Template>,
    name: Option<Template>,
    /// A text in the data of the awaited event.
    pub(super) expect: Option<Template>,
    /// Whether a wait goes on with a new stream.
    pub(super) reconnect: bool,
    pub(super) timeout: Duration,
    /// The same as the document has it.
    pub(super) seconds: f64,
    pub(super) headers: Vec<(String, Template)>,
    /// The index of its TLS and proxy setting in the driver.
    pub(super) setting: usize,
    pub(super) checks: Checks,
}

impl Task {
    /// The label of its steps.
    pub(super) fn naming<'a>(&'a self, none: &'a Template) -> Naming<'a> {
        let name = match &self.name {
            Some(name) => Name::Written(name),
            None => Name::Of(self.method.naming()),
        };
        let url = self.url.as_ref().or(self.host.as_ref()).unwrap_or(none);
        Naming { method: "SSE", url, name }
    }
}
