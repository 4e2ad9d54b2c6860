//! HTTP tasks: HTTP/1.1 by our own client over httparse, HTTP/2 by the h2 crate. A constant request
//! is a byte string that is ready to send; a response that arrives in one piece is parsed in place.
//! The path of a task: [`draft`] → [`task`]; of a request: [`request`] → [`pool`] → [`connection`]
//! → [`response`] → [`check`](super::check) → a sample.

mod address;
mod body;
pub mod charset;
mod connection;
mod cookies;
pub mod decode;
mod digest;
mod draft;
mod fault;
mod fields;
#[cfg(test)]
mod fixture;
mod flavor;
mod form;
mod framing;
mod h1;
mod h2;
mod multipart;
mod pool;
mod proxy;
mod redirect;
mod reference;
mod request;
pub mod response;
mod target;
mod task;
mod tls;

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;

use self::address::is_blank;
use self::connection::SCRATCH;
use self::cookies::Jar;
use self::digest::Challenge;
use self::draft::{Defaults, TaskDraft};
pub use self::fault::Fault;
pub use self::flavor::Flavor;
use self::pool::PooledConnection;
pub(crate) use self::proxy::PROXY;
use self::proxy::Proxies;
use self::request::{Request, RequestLine};
use self::response::Response;
pub(crate) use self::target::percent_decode;
use self::target::{Origin, Origins, write_target};
pub(crate) use self::task::METHODS;
use self::task::Task;
use crate::load::driver::{Driver, Measurement, Tasks, VirtualUser};
use crate::load::scenario::{TaskSource, Verdict};
use crate::load::template::{Compiler, Linker, Slot};
use crate::net::{Dialer, Targets};
use crate::protocol::deadline::Deadline;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::labels::{Labels, Name, Naming};
use crate::protocol::own_limits::BackOff;
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
fn base(field: &Reader<'_>) -> Result<String, Invalid> {
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
        let Reach { targets, max_body_bytes } = reach.clone();
        let mut http =
            Http { tasks: Vec::new(), tls: Vec::new(), targets, max_body_bytes, links: false };
        for draft in self.tasks {
            let place = draft.place.clone();
            let (mut task, setting) = draft.link(linker)?;
            let refusal = |message| Invalid { pointer: place, message };
            task.tls = http.tls(setting).map_err(refusal)?;
            http.links |= task.url.may_be_link();
            http.tasks.push(task);
        }
        Ok(http)
    }
}

/// The HTTP tasks of a test.
#[derive(Debug)]
pub struct Http {
    tasks: Vec<Task>,
    tls: Vec<Tls>,
    targets: Targets,
    /// How much of a response's body is kept.
    max_body_bytes: usize,
    /// Whether a task may follow a link from a response.
    links: bool,
}

impl Http {
    /// Returns the index of a TLS setting; the error says what cannot be used.
    fn tls(&mut self, setting: tls::Setting) -> Result<usize, String> {
        if let Some(index) = self.tls.iter().position(|known| known.setting == setting) {
            return Ok(index);
        }
        let tls = Tls { setting, config: OnceLock::new() };
        // Files named in the document are checked now. The platform's roots are read when the first
        // request needs them: most tests never do.
        if tls.setting.names_files() {
            tls.config()?;
        }
        self.tls.push(tls);
        Ok(self.tls.len() - 1)
    }
}

/// A TLS setting and its configuration, built when first needed.
#[derive(Debug)]
struct Tls {
    setting: tls::Setting,
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Tls {
    fn config(&self) -> Result<&Arc<ClientConfig>, String> {
        self.config.get_or_init(|| self.setting.build()).as_ref().map_err(Clone::clone)
    }
}

/// What the users of one worker share.
#[derive(Debug)]
pub struct Worker {
    dialer: Dialer,
    scratch: RefCell<Box<[u8]>>,
    origins: RefCell<Origins>,
    tasks: Vec<RefCell<TaskCache>>,
}

/// A worker's cache for one task.
#[derive(Debug, Default)]
struct TaskCache {
    /// Origin and label of its constant request, once it has been sent.
    fixed: Option<(Rc<Origin>, LabelId)>,
    labels: Labels,
}

/// What one user keeps between requests.
#[derive(Debug, Default)]
pub struct User {
    connections: Vec<PooledConnection>,
    jar: Option<Box<Jar>>,
    /// The pages that variables were extracted from, if a task may follow a link.
    pages: Vec<(Slot, String)>,
    request: Request,
    body: Vec<u8>,
    /// The request in the form for a proxy.
    proxied: Vec<u8>,
    challenge: Option<Box<Challenge>>,
    response: Response,
    deadline: Deadline,
    /// Whether a request is in progress.
    in_flight: bool,
    back_off: BackOff,
}

impl Driver for Http {
    type Worker = Worker;
    type User = User;

    fn worker(&self) -> Worker {
        Worker {
            dialer: Dialer::new(self.targets.clone()),
            scratch: RefCell::new(vec![0; SCRATCH].into()),
            origins: RefCell::default(),
            tasks: self.tasks.iter().map(|_| RefCell::default()).collect(),
        }
    }

    fn user(&self) -> User {
        User { response: Response::keeping(self.max_body_bytes), ..User::default() }
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
        user.deadline.set(start + task.timeout);
        user.response.clear();
        let mut attempt = Attempt { http: self, worker, cache, user, task, virtual_user };
        let label;
        let outcome = match attempt.prepare() {
            Ok((origin, name)) => {
                label = name;
                attempt.user.in_flight = true;
                attempt.follow(origin).await
            }
            Err((name, fault)) => {
                label = name;
                Err(fault)
            }
        };
        let end = Instant::now();
        if let Ok(origin) = &outcome
            && self.links
        {
            attempt.keep_page(origin);
        }
        user.in_flight = false;
        let shortage = matches!(outcome, Err(Fault::Connection(ConnectionFault::Own(_))));
        let verdict = conclude(task, user, virtual_user, label, (start, end), outcome.map(drop));
        if shortage {
            Box::pin(user.back_off.wait()).await;
        }
        verdict
    }

    fn abandon(&self, _: &Worker, user: &mut User, virtual_user: &mut VirtualUser) {
        if std::mem::take(&mut user.in_flight) {
            virtual_user.interrupt();
        }
    }
}

/// Checks and records a request.
fn conclude(
    task: &Task,
    user: &mut User,
    virtual_user: &mut VirtualUser,
    label: LabelId,
    times: (Instant, Instant),
    outcome: Result<(), Fault>,
) -> Verdict {
    let response = &user.response;
    let (verdict, error) = match outcome {
        Err(fault) => {
            let text = match fault {
                Fault::Connection(fault) => fault.text(&task.timeout_text),
                fault => fault.to_string(),
            };
            (Verdict::Transient, Some(Cow::from(text)))
        }
        Ok(()) if task.checks.status_decides() && response.status >= 400 => {
            (Verdict::Permanent, Some(status_text(response.status)))
        }
        Ok(()) => match task.checks.run(response, &mut virtual_user.scope) {
            Some(reason) => (Verdict::Flaky, Some(Cow::from(reason))),
            None => (Verdict::Passed, None),
        },
    };
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

/// `404 Not Found`, with the registered phrase if there is one.
fn status_text(status: u16) -> Cow<'static, str> {
    let phrase = http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    match phrase {
        Some(phrase) => format!("{status} {phrase}").into(),
        None => format!("status {status}").into(),
    }
}

/// The path and query that are sent for a URL; the URL itself if it is invalid.
fn target_of(url: &str) -> String {
    let Ok((_, rest)) = Origin::split(url) else { return url.to_owned() };
    let mut target = Vec::new();
    write_target(rest, Flavor::Requests, &mut target);
    String::from_utf8(target).unwrap_or_default()
}

/// One execution of one task.
struct Attempt<'a> {
    http: &'a Http,
    worker: &'a Worker,
    cache: &'a RefCell<TaskCache>,
    user: &'a mut User,
    task: &'a Task,
    virtual_user: &'a mut VirtualUser,
}

impl Attempt<'_> {
    /// Writes the request, unless it is constant, and determines its origin.
    fn prepare(&mut self) -> Result<(Rc<Origin>, LabelId), (LabelId, Fault)> {
        self.user.request.clear();
        if let Some(fixed) = &self.task.fixed {
            let known = self.cache.borrow().fixed.clone();
            let (origin, label) = match known {
                Some(known) => known,
                None => self.first_use(&fixed.url)?,
            };
            if self.user.jar.is_some() {
                let rest = origin.rest(&fixed.url).unwrap_or_default();
                self.write(fixed.request.method(), &origin, rest)
                    .map_err(|fault| (label, fault))?;
            }
            return Ok((origin, label));
        }
        let url = self.task.url.fill(&mut self.virtual_user.scope, &self.user.pages);
        let label = self.label(&url);
        let prepare = |this: &mut Self| {
            let method = task::method(&this.task.method, &mut this.virtual_user.scope)?;
            this.task.url.check(&url)?;
            let (origin, rest) = this.worker.origins.borrow_mut().find(&url)?;
            this.write(method, &origin, rest)?;
            Ok(origin)
        };
        prepare(self).map(|origin| (origin, label)).map_err(|fault| (label, fault))
    }

    /// Handles the first execution of a constant task by this worker.
    fn first_use(&mut self, url: &str) -> Result<(Rc<Origin>, LabelId), (LabelId, Fault)> {
        let label = self.label(url);
        let found = self.worker.origins.borrow_mut().find(url);
        let (origin, _) = found.map_err(|fault| (label, fault))?;
        self.cache.borrow_mut().fixed = Some((Rc::clone(&origin), label));
        Ok((origin, label))
    }

    /// Keeps the URL of the page that variables are being extracted from.
    fn keep_page(&mut self, origin: &Origin) {
        for variable in self.task.checks.variables() {
            let user = &mut *self.user;
            let page = origin.url(self.task.request(&user.request).target());
            match user.pages.iter_mut().find(|(known, _)| *known == variable) {
                Some((_, known)) => *known = page,
                None => user.pages.push((variable, page)),
            }
        }
    }

    fn write(&mut self, method: &'static str, origin: &Origin, rest: &str) -> Result<(), Fault> {
        let (jar, credentials) = (self.cookies_for(origin, rest), origin.credentials.as_deref());
        let (jar, body, secrets, first) = (jar.as_deref(), true, true, true);
        let line = RequestLine { method, origin, rest, credentials, jar, body, secrets, first };
        let (body, request) = (&mut self.user.body, &mut self.user.request);
        self.task.fill_body(&mut self.virtual_user.scope, body);
        self.task.write(&line, &mut self.virtual_user.scope, body, request)
    }

    /// Returns the label that this request is recorded under.
    fn label(&mut self, url: &str) -> LabelId {
        let Task { method, url: address, name, .. } = self.task;
        let name = name.as_ref().map_or(Name::Of(target_of), Name::Written);
        let naming = Naming { method, url: address.template(), name };
        self.cache.borrow_mut().labels.find(naming, url, self.virtual_user)
    }
}
