//! HTTP tasks: HTTP/1.1 by our own client over httparse, HTTP/2 by the h2 crate. A constant request
//! is a byte string that is ready to send; a response that arrives in one piece is parsed in place.
//!
//! # Reading order
//!
//! Each file uses only files above it in this list.
//!
//! 1. [`flavor`] and [`fault`]: whose behaviour counts, and what may fail.
//! 2. [`target`], [`mod@reference`], [`address`]: where a request goes: origin and path, links from a
//!    page, the URL of a task.
//! 3. [`decode`], [`charset`], [`framing`], [`response`], [`h1`], [`head`]: the response: codings, text,
//!    the end of the body, what is kept of it, and how it is parsed from HTTP/1.1, or not parsed again.
//! 4. [`request`], [`opening`], [`connection`], [`h2`]: the request's bytes, and an exchange of request
//!    and response over either version of HTTP.
//! 5. [`proxy`], [`tls`], [`way`], [`pool`], [`parting`]: the way to an origin, the connections that a user
//!    keeps, and those that end.
//! 6. [`fields`], [`headers`], [`form`], [`multipart`], [`graphql`], [`body`], [`task`], [`draft`]: a
//!    task as documents write it, as it runs, and how the first becomes the second.
//! 7. [`cookies`], [`digest`], [`state`]: what a user keeps between requests.
//! 8. [`attempt`], [`trace`], [`exchange`], [`redirect`]: one execution of a task: its request, how that is sent,
//!    and where its response leads.
//!
//! This file is the driver: it performs a task as an [`Attempt`], runs its checks
//! ([`check`](mod@super::check)) and records the measurement.

mod address;
mod attempt;
mod body;
pub mod charset;
mod connection;
mod cookies;
pub mod decode;
mod digest;
mod draft;
mod exchange;
mod fault;
mod fields;
#[cfg(test)]
mod fixture;
mod flavor;
mod form;
mod framing;
mod graphql;
mod h1;
mod h2;
mod head;
mod headers;
mod multipart;
mod opening;
mod parting;
mod pool;
mod proxy;
mod redirect;
mod reference;
mod request;
pub mod response;
mod state;
mod target;
mod task;
mod tls;
mod trace;
mod way;

use std::borrow::Cow;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;

use self::address::is_blank;
use self::attempt::Attempt;
use self::draft::{Defaults, TaskDraft};
use self::exchange::Left;
pub use self::fault::Fault;
pub(crate) use self::fault::status_text;
pub(crate) use self::fields::{HEADERS, TLS, VIA};
pub use self::flavor::Flavor;
pub(crate) use self::h2::{Http2Session, fault as h2_fault, name as h2_reason};
pub(crate) use self::headers::{link_headers, parse_headers};
pub(crate) use self::opening::write_opening;
pub(crate) use self::proxy::{PROXY, Proxies, proxies};
pub(crate) use self::request::Request;
use self::response::Response;
use self::state::{User, Worker};
pub(crate) use self::target::{Origin, percent_decode};
pub(crate) use self::task::METHODS;
use self::task::Task;
pub(crate) use self::tls::{SettingDraft, Settings};
pub(crate) use self::trace::response_lines;
pub(crate) use self::way::Way;
use crate::cold::cold_path;
use crate::load::driver::{Driver, Measurement, Tasks, VirtualUser};
use crate::load::scenario::{Skipped, TaskSource, Verdict};
use crate::load::template::{Compiler, Linker};
use crate::memory::Memory;
use crate::net::{Dialer, Targets};
use crate::protocol::fault::ConnectionFault;
use crate::protocol::trace::Tracer;
use crate::protocol::user::{AnyTasks, Reach, Setup};
use crate::record::LabelId;
use crate::value::{Field, Invalid, Object, Reader};

/// The default base of relative URLs: the reference's own.
const HOST: &str = "http://localhost";

/// The HTTP tasks of a test while they are parsed.
#[derive(Debug)]
pub struct HttpTasks {
    defaults: Defaults,
    /// Whether the document names no host.
    assumed: bool,
    /// Whether a task's URL is relative.
    relative: bool,
    tasks: Vec<TaskDraft>,
}

impl HttpTasks {
    /// No tasks yet, for users with the behaviour of `flavor`.
    pub(super) fn open(setup: &Setup<'_>, flavor: Flavor) -> Result<Box<AnyTasks>, Invalid> {
        let base = match &setup.host {
            None => HOST.to_owned(),
            Some(field) => base(field)?,
        };
        let assumed = setup.host.is_none();
        let http2 = setup.option("http2").map_or(Ok(false), |field| field.boolean())?;
        let proxies = setup.option("proxy").map(Proxies::read).transpose()?;
        let defaults = Defaults { base, flavor, http2, proxies };
        Ok(Box::new(Self { defaults, assumed, relative: false, tasks: Vec::new() }))
    }
}

/// The base of relative URLs.
pub(crate) fn base(field: &Reader<'_>) -> Result<String, Invalid> {
    let host = field.text()?.trim_matches(is_blank);
    let lower = host.to_ascii_lowercase();
    let known = lower.starts_with("http://") || lower.starts_with("https://");
    if !known && !host.contains("${") {
        return Err(field.expected("a base URL that begins with http:// or https://"));
    }
    Ok(host.to_owned())
}

impl Tasks for HttpTasks {
    type Driver = Http;
    type Reach = Reach;
    const FIELDS: &'static [&'static [Field]] = fields::FIELDS;

    fn add(
        &mut self,
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
    ) -> Result<(), Invalid> {
        let draft = TaskDraft::parse(task, fields, &self.defaults, compiler)?;
        self.relative |= draft.relative;
        self.tasks.push(draft);
        Ok(())
    }

    fn link(self, linker: &mut Linker<'_>, reach: &Reach) -> Result<Http, Invalid> {
        if self.assumed && self.relative {
            linker.warn(format!("no \"host\" is given: relative URLs go to {HOST}"));
        }
        let Reach { targets, max_body_bytes, memory, tracer, .. } = reach.clone();
        let (tasks, settings) = (Vec::new(), Settings::default());
        let mut http = Http { tasks, settings, targets, max_body_bytes, memory, tracer };
        for draft in self.tasks {
            let place = draft.place.clone();
            let (mut task, setting) = draft.link(linker)?;
            task.tls = http.settings.add(setting, place)?;
            http.tasks.push(task);
        }
        let links: HashSet<_> =
            http.tasks.iter().filter_map(|task| task.url.link_variable()).collect();
        for task in &mut http.tasks {
            task.links = task.checks.variables().filter(|slot| links.contains(slot)).collect();
        }
        Ok(http)
    }
}

/// The HTTP tasks of a test.
#[derive(Debug)]
pub struct Http {
    tasks: Vec<Task>,
    settings: Settings,
    targets: Targets,
    /// How much of a response's body is kept.
    max_body_bytes: usize,
    /// The ceiling for what its users hold.
    memory: Arc<Memory>,
    tracer: Option<Tracer>,
}

impl Driver for Http {
    type Worker = Worker;
    type User = User;

    fn worker(&self) -> Worker {
        Worker::new(Dialer::new(self.targets.clone()), self.tasks.len())
    }

    fn user(&self) -> User {
        User::keeping(self.max_body_bytes, &self.memory)
    }

    async fn perform(
        &self,
        worker: &Worker,
        user: &mut User,
        index: usize,
        virtual_user: &mut VirtualUser,
    ) -> Verdict {
        let (Some(task), Some(cache)) = (self.tasks.get(index), worker.tasks.get(index)) else {
            return Verdict::Permanent;
        };
        let start = Instant::now();
        user.deadline.begin(start, task.timeout);
        let (settings, targets, tracer) = (&self.settings, &self.targets, self.tracer.as_ref());
        let mut attempt =
            Attempt { settings, targets, worker, cache, user, task, virtual_user, tracer };
        let (label, mut outcome) = match attempt.prepare() {
            Ok((_, label)) if attempt.virtual_user.is_lost() => {
                cold_path();
                (label, Err(ConnectionFault::Lost.into()))
            }
            Ok((origin, label)) => {
                attempt.user.in_flight = true;
                (label, Ok(origin))
            }
            Err((label, fault)) => {
                cold_path();
                attempt.virtual_user.scope.not_sent();
                (label, Err(fault))
            }
        };
        if let Ok(origin) = &outcome {
            let exchanged = {
                // Awaited where it is: moving it would cost each request a copy, and each user the room.
                let mut open = attempt.over_open(origin);
                match &mut open {
                    Some(exchange) => Some(exchange.await),
                    None => None,
                }
            };
            match exchanged.map_or(Ok(Left::All), |exchanged| attempt.left_after(exchanged)) {
                Ok(Left::Nothing) => {}
                Ok(left) => {
                    cold_path();
                    let origin = Rc::clone(origin);
                    outcome = Box::pin(attempt.follow(origin, left)).await;
                }
                Err(fault) => {
                    cold_path();
                    outcome = Err(fault);
                }
            }
        }
        let end = Instant::now();
        if let Ok(origin) = &outcome
            && !task.links.is_empty()
        {
            cold_path();
            if let Err(fault) = attempt.keep_page(origin) {
                outcome = Err(fault);
            }
        }
        let shortage = matches!(outcome, Err(Fault::Connection(ConnectionFault::Own(_))));
        let passed = outcome.is_ok() && !failed_by_status(task, &user.response);
        // Errors of GraphQL come before the checks, so they are looked for together.
        let checked = if passed && !task.graphql && task.checks.take_long(user.response.body.len())
        {
            cold_path();
            // Boxed, because it is rare.
            let scope = &mut virtual_user.scope;
            Some(Box::pin(task.checks.run_in_turns(&user.response, scope)).await)
        } else {
            None
        };
        user.in_flight = false;
        let outcome = outcome.map(|_| checked);
        let verdict = conclude(
            task,
            user,
            virtual_user,
            label,
            (start, end),
            outcome,
            tracer.map(|to| (to, index)),
        );
        user.settle();
        if shortage {
            cold_path();
            Box::pin(user.back_off.wait()).await;
        } else {
            user.back_off.reset();
        }
        verdict
    }

    fn skipped(&self, task: usize, why: Skipped) {
        if let Some(tracer) = &self.tracer {
            tracer.skipped(task, why);
        }
    }

    fn abandon(&self, _: &Worker, user: &mut User, virtual_user: &mut VirtualUser) {
        if std::mem::take(&mut user.in_flight) {
            virtual_user.interrupt();
        }
    }
}

/// Whether the status alone makes a request fail.
fn failed_by_status(task: &Task, response: &Response) -> bool {
    task.checks.status_decides() && response.status >= 400
}

/// Checks a request, unless it has been checked, and records it.
fn conclude(
    task: &Task,
    user: &mut User,
    virtual_user: &mut VirtualUser,
    label: LabelId,
    times: (Instant, Instant),
    outcome: Result<Option<Option<String>>, Fault>,
    traced: Option<(&Tracer, usize)>,
) -> Verdict {
    let response = &user.response;
    let (verdict, error) = match outcome {
        Err(fault) => {
            cold_path();
            let text = match fault {
                Fault::Connection(fault) => fault.text(&task.timeout_text),
                fault => fault.to_string(),
            };
            (Verdict::Transient, Some(Cow::from(text)))
        }
        Ok(_) if failed_by_status(task, response) => {
            cold_path();
            (Verdict::Permanent, Some(status_text(response.status)))
        }
        Ok(checked) => {
            let errors = if task.graphql {
                cold_path();
                graphql::failure(response)
            } else {
                None
            };
            let check = || task.checks.run(response, &mut virtual_user.scope);
            match errors.or_else(|| checked.unwrap_or_else(check)) {
                Some(reason) => {
                    cold_path();
                    (Verdict::Flaky, Some(Cow::from(reason)))
                }
                None => (Verdict::Passed, None),
            }
        }
    };
    if let Some((tracer, index)) = traced {
        cold_path();
        let took = times.1.saturating_duration_since(times.0);
        let responded = !matches!(verdict, Verdict::Transient);
        let checks = match responded {
            true => task.checks.explain(response, &mut virtual_user.scope),
            false => Vec::new(),
        };
        tracer.verdict(index, took, error.as_deref(), checks);
    }
    virtual_user.record(measured(response, label, times, error.as_deref()));
    verdict
}

/// The measurement of a request, with the part of its response that has arrived.
fn measured<'a>(
    response: &'a Response,
    label: LabelId,
    (start, end): (Instant, Instant),
    error: Option<&'a str>,
) -> Measurement<'a> {
    let Response { status, bytes, ref body, .. } = *response;
    Measurement { label, start, end, status, bytes, error, body }
}
