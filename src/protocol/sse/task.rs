//! An event stream task. Parsing refuses what the document alone shows to be wrong, linking refuses
//! wrong constants, each with its place.

use super::event::Event;
use crate::load::scenario::TaskSource;
use crate::load::template::{Compiler, Draft, Linker, Template};
use crate::protocol::check::Checks;
use crate::protocol::deadline::Timeout;
use crate::protocol::http::response::Response;
use crate::protocol::http::{Origin, SettingDraft, link_headers, parse_headers, proxies};
use crate::protocol::placed::Placed;
use crate::protocol::step::{CommonDraft, Defaults, StepDraft, Target, TargetDraft, compared};
use crate::value::{Invalid, Object};

/// The step of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
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
}

/// Whether a constant URL is one.
fn check(url: &str) -> Result<(), String> {
    Origin::split(url).map(drop).map_err(|why| why.to_string())
}

/// A parsed task.
#[derive(Debug)]
pub(crate) struct TaskDraft {
    method: Method,
    target: TargetDraft,
    expect: Option<Draft>,
    reconnect: bool,
    headers: Vec<(String, Placed<Draft>)>,
}

impl StepDraft for TaskDraft {
    type Defaults = Defaults;
    type Task = Task;

    fn parse(
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        defaults: &Defaults,
        compiler: &mut Compiler,
    ) -> Result<(Self, CommonDraft), Invalid> {
        let (method, target) = TargetDraft::parse(&Method::ALL, fields, defaults, compiler, check)?;
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
        let expect = expect.map(|field| compared(&field, compiler));
        let timeout = Timeout::parse(fields)?;
        let headers = parse_headers(fields, compiler)?;
        let setting = Some(SettingDraft::parse(fields, false, via)?);
        Ok((
            Self { method, target, expect, reconnect, headers },
            CommonDraft { timeout, setting, checks },
        ))
    }

    fn link(mut self, linker: &mut Linker<'_>) -> Result<Task, Invalid> {
        let url = self.target.link_url(linker, check)?;
        Ok(Task {
            method: self.method,
            target: self.target.link(url, linker)?,
            expect: self.expect.map(|text| text.link(linker)).transpose()?,
            reconnect: self.reconnect,
            headers: link_headers(self.headers, linker)?,
        })
    }
}

/// A task, ready to run.
#[derive(Debug)]
pub(crate) struct Task {
    pub(super) method: Method,
    pub(super) target: Target,
    /// A text in the data of the awaited event.
    pub(super) expect: Option<Template>,
    /// Whether a wait goes on with a new stream.
    pub(super) reconnect: bool,
    pub(super) headers: Vec<(String, Template)>,
}
