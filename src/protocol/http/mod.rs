//! HTTP tasks: HTTP/1.1 by a client of our own over httparse, HTTP/2 by the h2 crate. A request that
//! never changes is bytes that are ready to send; an answer that comes in one piece is read where it
//! lies. Way of a request: [`task`] → bytes → [`connection`] → [`answer`] → [`check`] → a sample.

pub mod answer;
mod check;
mod connection;
mod deadline;
pub mod decode;
mod fault;
mod h2;
mod json;
mod target;
mod task;
mod tls;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use cookie_store::CookieStore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls::ClientConfig;
use url::Url;

use self::answer::Answer;
use self::connection::{Connector, Exchange, SCRATCH, Stream};
use self::deadline::Deadline;
pub use self::fault::Fault;
use self::h2::Session;
pub use self::json::Path as JsonPath;
use self::target::{Origin, Origins};
pub use self::task::{Context, Flavor, ReadFile};
use self::task::{Line, Task};
use crate::load::driver::{Driver, Report, Visit};
use crate::load::scenario::Verdict;
use crate::load::template::Compiler;
use crate::protocol::Targets;
use crate::record::{Label, LabelId};
use crate::value::{Invalid, Object, Reader};

/// How many redirects one request follows: Locust's own limit.
const MAX_REDIRECTS: usize = 30;

/// How many connections a user keeps, to different origins.
const MAX_CONNECTIONS: usize = 8;

/// How many cookies a user keeps, and how long each may be (RFC 6265, section 6.1, asks for at least
/// 50 per domain and 4096 bytes). A target that sets ever new ones must not fill the memory.
const MAX_COOKIES: usize = 256;
const MAX_COOKIE_BYTES: usize = 4096;

/// How many different URLs and names of one task a worker tells apart in its record. A task that
/// makes up more is listed as the document writes it.
const MAX_LABELS: usize = 1000;

/// The HTTP tasks of a test.
#[derive(Debug)]
pub struct Http {
    tasks: Vec<Task>,
    tls: Vec<Tls>,
    /// Which of `tls` each task uses.
    tls_of: Vec<usize>,
    targets: Targets,
}

impl Http {
    /// A driver without tasks.
    pub fn new(targets: Targets) -> Self {
        Self { tasks: Vec::new(), tls: Vec::new(), tls_of: Vec::new(), targets }
    }

    /// Takes the HTTP fields out of the next task. `method` is the key of the old form
    /// `{"get": {…}}`.
    pub fn add(
        &mut self,
        method: Option<&str>,
        fields: &mut Object<'_>,
        place: &Reader<'_>,
        context: &Context<'_>,
        compiler: &mut Compiler<'_>,
    ) -> Result<(), Invalid> {
        let task = Task::parse(method, fields, place, context, compiler)?;
        let known = self.tls.iter().position(|known| known.setting == task.tls);
        let index = match known {
            Some(index) => index,
            None => {
                let tls = Tls { setting: task.tls.clone(), config: OnceLock::new() };
                // What the document names is checked now. The platform's roots are read when the
                // first request needs them: most tests never do.
                if tls.setting.names_files() {
                    tls.config().map_err(|why| place.invalid(why))?;
                }
                self.tls.push(tls);
                self.tls.len() - 1
            }
        };
        self.tls_of.push(index);
        self.tasks.push(task);
        Ok(())
    }
}

/// A TLS setting and its configuration, made when it is first needed.
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

/// A fixed request's origin and what it is recorded under.
type Met = (Rc<Origin>, LabelId);

/// What the users of one worker share.
#[derive(Debug)]
pub struct Worker {
    connector: Connector,
    scratch: RefCell<Box<[u8]>>,
    origins: RefCell<Origins>,
    /// Per task, what its fixed request needs.
    fixed: RefCell<Vec<Option<Met>>>,
    /// Per task, what its requests are recorded under.
    labels: RefCell<Vec<Labels>>,
}

/// What the requests of one task are recorded under.
#[derive(Debug, Default)]
struct Labels {
    /// By URL and name, with a line break between them.
    known: HashMap<String, LabelId>,
    /// As the document writes it, for what comes after too many different ones.
    rest: Option<LabelId>,
    key: String,
}

/// What one user keeps between requests.
#[derive(Debug, Default)]
pub struct User {
    connections: Vec<Kept>,
    jar: Option<Box<CookieStore>>,
    request: Vec<u8>,
    body: Vec<u8>,
    answer: Answer,
    deadline: Deadline,
    in_hand: Option<(LabelId, Instant)>,
}

/// A connection that can carry another request.
#[derive(Debug)]
struct Kept {
    origin: Rc<Origin>,
    tls: usize,
    carrier: Carrier,
}

/// What a connection speaks.
#[derive(Debug)]
enum Carrier {
    Http1(Stream),
    Http2(Session),
}

impl Carrier {
    /// Whether it can carry no further request.
    fn spent(&mut self) -> bool {
        match self {
            Self::Http1(stream) => stream.disturbed(),
            Self::Http2(session) => session.ended(),
        }
    }
}

impl Driver for Http {
    type Worker = Worker;
    type User = User;

    fn worker(&self) -> Worker {
        Worker {
            connector: Connector::new(self.targets.clone()),
            scratch: RefCell::new(vec![0; SCRATCH].into()),
            origins: RefCell::default(),
            fixed: RefCell::new(vec![None; self.tasks.len()]),
            labels: RefCell::new(self.tasks.iter().map(|_| Labels::default()).collect()),
        }
    }

    fn user(&self) -> User {
        User::default()
    }

    async fn perform(
        &self,
        worker: &Worker,
        user: &mut User,
        index: usize,
        visit: &mut Visit,
    ) -> Verdict {
        let Some(task) = self.tasks.get(index) else { return Verdict::Permanent };
        let tls = self.tls_of.get(index).copied().unwrap_or(0);
        let start = Instant::now();
        user.deadline.set(start + task.timeout);
        user.answer.clear();
        let mut attempt = Attempt { http: self, worker, user, task, tls, visit };
        let label;
        let outcome = match attempt.prepare(index) {
            Ok((origin, name)) => {
                label = name;
                attempt.user.in_hand = Some((label, start));
                attempt.follow(origin).await
            }
            Err((name, fault)) => {
                label = name;
                Err(Some(fault))
            }
        };
        let end = Instant::now();
        user.in_hand = None;
        conclude(task, user, visit, label, (start, end), outcome)
    }

    fn abandon(&self, _: &Worker, user: &mut User, visit: &mut Visit) {
        let Some((label, start)) = user.in_hand.take() else { return };
        let error = Fault::Ended.to_string();
        visit.record(Report {
            label,
            start,
            end: Instant::now(),
            status: user.answer.status,
            bytes: user.answer.bytes,
            error: Some(&error),
            body: &[],
        });
    }
}

/// Judges and records a request. `Err(None)` is the deadline.
fn conclude(
    task: &Task,
    user: &mut User,
    visit: &mut Visit,
    label: LabelId,
    (start, end): (Instant, Instant),
    outcome: Result<(), Option<Fault>>,
) -> Verdict {
    let answer = &user.answer;
    let (verdict, error) = match outcome {
        Err(fault) => {
            let fault = fault.unwrap_or_else(|| Fault::Timeout(task.timeout_text.clone()));
            (Verdict::Transient, Some(Cow::from(fault.to_string())))
        }
        Ok(()) if task.checks.status_decides() && answer.status >= 400 => {
            (Verdict::Permanent, Some(status_text(answer.status)))
        }
        Ok(()) => match task.checks.run(answer, &mut visit.scope) {
            Some(reason) => (Verdict::Flaky, Some(Cow::from(reason))),
            None => (Verdict::Passed, None),
        },
    };
    visit.record(Report {
        label,
        start,
        end,
        status: answer.status,
        bytes: answer.bytes,
        error: error.as_deref(),
        body: &answer.body,
    });
    verdict
}

/// `404 Not Found`, with the registry's phrase where it has one.
fn status_text(status: u16) -> Cow<'static, str> {
    let phrase = http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    match phrase {
        Some(phrase) => format!("{status} {phrase}").into(),
        None => format!("status {status}").into(),
    }
}

/// One execution of one task.
struct Attempt<'a> {
    http: &'a Http,
    worker: &'a Worker,
    user: &'a mut User,
    task: &'a Task,
    tls: usize,
    visit: &'a mut Visit,
}

impl Attempt<'_> {
    /// Makes the request's bytes, unless they are fixed, and finds out where it goes.
    fn prepare(&mut self, index: usize) -> Result<(Rc<Origin>, LabelId), (LabelId, Fault)> {
        self.user.request.clear();
        if let Some(fixed) = &self.task.fixed {
            let known = self.worker.fixed.borrow().get(index).cloned().flatten();
            let (origin, label) = match known {
                Some(known) => known,
                None => self.meet(index, &fixed.url)?,
            };
            if self.user.jar.is_some() {
                let rest = origin.rest(&fixed.url).unwrap_or_default().to_owned();
                let method = self.task.method.as_literal().unwrap_or("GET");
                self.write(method, &origin, &rest).map_err(|fault| (label, fault))?;
            }
            return Ok((origin, label));
        }
        let url = self.url();
        let label = self.label(index, &url);
        let prepare = |this: &mut Self| {
            let method = match this.task.method.as_literal() {
                Some(method) => Cow::from(method),
                None => task::method(&this.task.method, &mut this.visit.scope)?.into(),
            };
            let (origin, rest) = this.worker.origins.borrow_mut().find(&url)?;
            this.write(&method, &origin, rest)?;
            Ok(origin)
        };
        prepare(self).map(|origin| (origin, label)).map_err(|fault| (label, fault))
    }

    /// The first time that this worker performs a fixed task.
    fn meet(&mut self, index: usize, url: &str) -> Result<(Rc<Origin>, LabelId), (LabelId, Fault)> {
        let label = self.label(index, url);
        let found = self.worker.origins.borrow_mut().find(url);
        let (origin, _) = found.map_err(|fault| (label, fault))?;
        if let Some(place) = self.worker.fixed.borrow_mut().get_mut(index) {
            *place = Some((Rc::clone(&origin), label));
        }
        Ok((origin, label))
    }

    fn url(&mut self) -> String {
        let mut url = Vec::with_capacity(128);
        self.task.url.fill(&mut self.visit.scope, &mut url);
        String::from_utf8(url)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    fn write(&mut self, method: &str, origin: &Origin, rest: &str) -> Result<(), Fault> {
        let jar = cookies(self.user.jar.as_deref(), origin, rest);
        let jar = jar.as_deref();
        let line = Line { method, origin, rest, jar, body: true, secrets: true, host: true };
        let (body, request) = (&mut self.user.body, &mut self.user.request);
        self.task.fill_body(&mut self.visit.scope, body);
        self.task.write(&line, &mut self.visit.scope, body, request)
    }

    /// The number that this request is recorded under.
    fn label(&mut self, index: usize, url: &str) -> LabelId {
        let name = match self.task.name.as_literal() {
            Some(name) => Cow::from(name),
            None => Cow::from(self.task.name.text(&mut self.visit.scope)),
        };
        let mut labels = self.worker.labels.borrow_mut();
        let Some(Labels { known, rest, key }) = labels.get_mut(index) else {
            return self.number(url, &name);
        };
        key.clear();
        key.push_str(url);
        key.push('\n');
        key.push_str(&name);
        if let Some(label) = known.get(key.as_str()) {
            return *label;
        }
        if known.len() < MAX_LABELS {
            let label = self.number(url, &name);
            known.insert(key.clone(), label);
            return label;
        }
        *rest.get_or_insert_with(|| {
            let name = match self.task.name.as_literal() {
                Some(name) => name.to_owned(),
                None => self.task.name.written(),
            };
            self.number(&self.task.url.written(), &name)
        })
    }

    fn number(&self, url: &str, name: &str) -> LabelId {
        let method = self
            .task
            .method
            .as_literal()
            .map_or_else(|| self.task.method.written().to_ascii_uppercase(), str::to_owned);
        let label = Label { method: method.into(), url: url.into(), name: name.into() };
        self.visit.recorder().borrow_mut().label(label)
    }

    /// Sends the request, keeps its cookies, and follows its redirects.
    async fn follow(&mut self, origin: Rc<Origin>) -> Result<(), Option<Fault>> {
        self.exchange(Rc::clone(&origin)).await?;
        if self.user.answer.cookies.is_empty() && !self.redirected() {
            return Ok(());
        }
        // Few requests come here: its state must not make every user's future larger.
        Box::pin(self.go_on(origin)).await
    }

    fn redirected(&self) -> bool {
        self.task.redirects
            && matches!(self.user.answer.status, 301 | 302 | 303 | 307 | 308)
            && self.user.answer.location.as_deref().is_some_and(|place| !place.is_empty())
    }

    /// What follows an answer that sets cookies or leads elsewhere.
    async fn go_on(&mut self, first: Rc<Origin>) -> Result<(), Option<Fault>> {
        let mut origin = Rc::clone(&first);
        let (mut body, mut secrets) = (true, true);
        if self.task.fixed.is_some() {
            self.task.fill_body(&mut self.visit.scope, &mut self.user.body);
        }
        for followed in 0..=MAX_REDIRECTS {
            let (method, here) = self.sent(&origin)?;
            self.keep_cookies(&here);
            if !self.redirected() {
                return Ok(());
            }
            if followed == MAX_REDIRECTS {
                break;
            }
            let location = self.user.answer.location.take().unwrap_or_default();
            let next = here
                .join(&location)
                .map_err(|error| Fault::Url { url: location.clone(), why: error.to_string() })?;
            let status = self.user.answer.status;
            body &= matches!(status, 307 | 308);
            let rewritten = match status {
                301 => self.task.flavor == Flavor::Fast || method == "POST",
                302 | 303 => true,
                _ => false,
            };
            let method = if rewritten && method != "HEAD" { "GET".to_owned() } else { method };
            let (to, rest) = self.worker.origins.borrow_mut().find(next.as_str())?;
            origin = to;
            secrets &= first.trusts(&origin);
            let jar = cookies(self.user.jar.as_deref(), &origin, rest);
            let (method, jar) = (method.as_str(), jar.as_deref());
            let line = Line { method, origin: &origin, rest, jar, body, secrets, host: false };
            let user = &mut *self.user;
            self.task.write(&line, &mut self.visit.scope, &user.body, &mut user.request)?;
            user.answer.clear();
            self.exchange(Rc::clone(&origin)).await?;
        }
        Err(Some(Fault::Redirects(MAX_REDIRECTS)))
    }

    /// The method and URL of the request that was sent last, from its own first line.
    fn sent(&self, origin: &Origin) -> Result<(String, Url), Fault> {
        let line = self.bytes().split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let url = absolute(origin, target).ok_or_else(|| Fault::Url {
            url: target.to_owned(),
            why: "it cannot be put together".to_owned(),
        })?;
        Ok((method.to_owned(), url))
    }

    fn keep_cookies(&mut self, url: &Url) {
        if self.user.answer.cookies.is_empty() {
            return;
        }
        let jar = self.user.jar.get_or_insert_default();
        let mut room = MAX_COOKIES.saturating_sub(jar.iter_any().count());
        for cookie in self.user.answer.cookies.drain(..) {
            if room == 0 {
                jar.clear();
                room = MAX_COOKIES;
            }
            room -= 1;
            if cookie.len() <= MAX_COOKIE_BYTES {
                // One that cannot be read, or is not for this host, is left out, as browsers do.
                let _ = jar.parse(&cookie, url);
            }
        }
    }

    /// The request: the fixed one, unless another was written.
    fn bytes(&self) -> &[u8] {
        match &self.task.fixed {
            Some(fixed) if self.user.request.is_empty() => &fixed.bytes,
            _ => &self.user.request,
        }
    }

    /// One request and its answer over a kept or a new connection.
    async fn exchange(&mut self, origin: Rc<Origin>) -> Result<(), Option<Fault>> {
        let kept = self.user.connections.iter().position(|kept| {
            kept.tls == self.tls && (Rc::ptr_eq(&kept.origin, &origin) || kept.origin == origin)
        });
        let kept = kept.map(|at| self.user.connections.swap_remove(at));
        if let Some(kept) = kept.and_then(|mut kept| (!kept.carrier.spent()).then_some(kept)) {
            let outcome = self.exchange_over(kept).await;
            if !self.stale(&outcome) {
                return outcome;
            }
            self.user.answer.clear();
        }
        let fresh = self.connect(origin).await?;
        self.exchange_over(fresh).await
    }

    /// Whether a kept connection ended without any answer at the very moment that it was used. That
    /// is nobody's fault, and what may safely be said twice is said again over a fresh connection
    /// (RFC 9112, section 9.3.1).
    fn stale(&self, outcome: &Result<(), Option<Fault>>) -> bool {
        if matches!(outcome, Err(Some(Fault::Unsent))) {
            return true;
        }
        let ended = matches!(outcome, Err(Some(Fault::Closed | Fault::Reset)));
        let untouched = self.user.answer.status == 0;
        let methods: [&[u8]; 5] = [b"GET ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS "];
        ended && untouched && methods.iter().any(|method| self.bytes().starts_with(method))
    }

    async fn exchange_over(&mut self, mut kept: Kept) -> Result<(), Option<Fault>> {
        let mut wanted = self.task.checks.wanted();
        wanted.body |= self.visit.keeps_bodies();
        let user = &mut *self.user;
        let request = match &self.task.fixed {
            Some(fixed) if user.request.is_empty() => &*fixed.bytes,
            _ => user.request.as_slice(),
        };
        match &mut kept.carrier {
            Carrier::Http1(stream) => {
                let exchange = Exchange {
                    stream,
                    request,
                    answer: &mut user.answer,
                    deadline: &mut user.deadline,
                    scratch: &self.worker.scratch,
                    wanted,
                    head_only: request.starts_with(b"HEAD "),
                };
                exchange.run().await?;
            }
            Carrier::Http2(session) => {
                let deadline = user.deadline.at().unwrap_or_else(Instant::now);
                let exchange = session.exchange(&kept.origin, request, &mut user.answer, wanted);
                // Boxed: its state must not make every HTTP/1.1 user's future larger.
                timeout_at(deadline, Box::pin(exchange)).await.map_err(|_| None)??;
            }
        }
        if user.answer.keep_alive {
            if user.connections.len() >= MAX_CONNECTIONS {
                user.connections.swap_remove(0);
            }
            user.connections.push(kept);
        }
        Ok(())
    }

    async fn connect(&mut self, origin: Rc<Origin>) -> Result<Kept, Option<Fault>> {
        let config = match self.http.tls.get(self.tls).filter(|_| origin.tls) {
            Some(tls) => Some(tls.config().map_err(Fault::Tls)?),
            None => None,
        };
        let deadline = self.user.deadline.at().unwrap_or_else(Instant::now);
        // Boxed, for a user connects once and then keeps the connection.
        let opening = Box::pin(self.worker.connector.connect(&origin, config, deadline));
        let stream = opening.await?;
        let http2 = if origin.tls { stream.is_http2() } else { self.task.tls.http2 };
        let carrier = if http2 {
            let opening = Box::pin(Session::open(stream));
            Carrier::Http2(timeout_at(deadline, opening).await.map_err(|_| None)??)
        } else {
            Carrier::Http1(stream)
        };
        Ok(Kept { origin, tls: self.tls, carrier })
    }
}

/// The cookies that a jar holds for a URL, as a `Cookie` header has them.
fn cookies(jar: Option<&CookieStore>, origin: &Origin, rest: &str) -> Option<String> {
    let jar = jar?;
    let url = absolute(origin, rest)?;
    let mut cookies = String::new();
    // The store takes loopback for secure; whoever marks a cookie does not.
    let sent = jar.matches(&url).into_iter().filter(|cookie| origin.tls || !secure(cookie));
    for (name, value) in sent.map(|cookie| cookie.name_value()) {
        if !cookies.is_empty() {
            cookies.push_str("; ");
        }
        cookies.push_str(name);
        cookies.push('=');
        cookies.push_str(value);
    }
    (!cookies.is_empty()).then_some(cookies)
}

fn secure(cookie: &cookie_store::Cookie<'_>) -> bool {
    cookie.secure().unwrap_or(false)
}

fn absolute(origin: &Origin, rest: &str) -> Option<Url> {
    let scheme = if origin.tls { "https" } else { "http" };
    let slash = if rest.starts_with('/') { "" } else { "/" };
    Url::parse(&format!("{scheme}://{}{slash}{rest}", origin.authority)).ok()
}
