//! Event stream tasks (server-sent events): one step each, which opens a stream, waits for an event or
//! closes the stream. The path of a task: [`task`] parses and links it; of an event: [`stream`] →
//! [`event`] → [`check`](mod@super::check) → a sample.
//!
//! Unlike in LoadDensity, only a response of status 200 that is an event stream opens one, an event is
//! seen as soon as it is complete, the timeout holds whatever the target sends, a stream can be waited
//! on again and again, and one that ended is continued after the event that came last.

pub mod event;
mod fault;
mod fields;
mod stream;
mod task;

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout_at};

use self::event::Event;
use self::fault::Fault;
use self::stream::{DELAY, SCRATCH, Source};
use self::task::{Method, Task, TaskDraft};
use crate::load::driver::{Driver, Measurement, Tasks, VirtualUser};
use crate::load::scenario::{TaskSource, Verdict};
use crate::load::template::{Compiler, Linker, Template};
use crate::memory::Memory;
use crate::net::{Dialer, Targets};
use crate::protocol::check::contains;
use crate::protocol::deadline::Deadline;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::http::{self, Proxies, Settings, Way};
use crate::protocol::labels::Labels;
use crate::protocol::own_limits::BackOff;
use crate::protocol::step::Defaults;
use crate::protocol::trace::Tracer;
use crate::protocol::user::{AnyTasks, Reach, Setup};
use crate::record::NO_STATUS;
use crate::value::{Field, Invalid, Object, Value};

/// The event stream tasks of a test while they are parsed.
#[derive(Debug)]
pub struct SseTasks {
    defaults: Defaults,
    tasks: Vec<TaskDraft>,
}

impl SseTasks {
    /// No tasks yet.
    pub(super) fn open(setup: &Setup<'_>) -> Result<Box<AnyTasks>, Invalid> {
        let host = setup.host.as_ref().map(http::base).transpose()?;
        let proxies = setup.option("proxy").map(Proxies::read).transpose()?;
        Ok(Box::new(Self { defaults: Defaults { host, proxies }, tasks: Vec::new() }))
    }
}

impl Tasks for SseTasks {
    type Driver = Sse;
    type Reach = Reach;

    const FIELDS: &'static [&'static [Field]] = fields::FIELDS;

    fn add(
        &mut self,
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
    ) -> Result<(), Invalid> {
        self.tasks.push(TaskDraft::parse(task, fields, &self.defaults, compiler)?);
        Ok(())
    }

    fn link(self, linker: &mut Linker<'_>, reach: &Reach) -> Result<Sse, Invalid> {
        let Reach { targets, max_body_bytes, memory, tracer } = reach.clone();
        let (mut tasks, mut settings) = (Vec::new(), Settings::default());
        for draft in self.tasks {
            let place = draft.place.clone();
            let (mut task, setting) = draft.link(linker)?;
            let refusal = |message| Invalid { pointer: place, message };
            task.setting = settings.add(setting).map_err(refusal)?;
            tasks.push(task);
        }
        let none = Template::default();
        Ok(Sse { tasks, settings, none, targets, max_body_bytes, memory, tracer })
    }
}

/// The event stream tasks of a test.
#[derive(Debug)]
pub struct Sse {
    tasks: Vec<Task>,
    settings: Settings,
    /// The URL of a step that has none.
    none: Template,
    targets: Targets,
    /// The longest event.
    max_body_bytes: usize,
    /// The ceiling for what its users hold.
    memory: Arc<Memory>,
    tracer: Option<Tracer>,
}

/// What the users of one worker share.
#[derive(Debug)]
pub struct Worker {
    dialer: Dialer,
    scratch: RefCell<Box<[u8]>>,
    /// The labels of each task's steps.
    labels: Vec<RefCell<Labels>>,
}

/// What one user keeps between tasks.
#[derive(Debug, Default)]
pub struct User {
    source: Option<Box<Source>>,
    /// The awaited event.
    event: Event,
    /// The size of the events of the current step.
    bytes: u64,
    /// The status of the response that the current step has received.
    status: u16,
    deadline: Deadline,
    /// Whether a step is in progress.
    in_flight: bool,
    back_off: BackOff,
}

impl Driver for Sse {
    type Worker = Worker;
    type User = User;

    fn worker(&self) -> Worker {
        Worker {
            dialer: Dialer::new(self.targets.clone()),
            scratch: RefCell::new(vec![0; SCRATCH].into()),
            labels: self.tasks.iter().map(|_| RefCell::default()).collect(),
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
        virtual_user: &mut VirtualUser,
    ) -> Verdict {
        let (Some(task), Some(labels)) = (self.tasks.get(index), worker.labels.get(index)) else {
            return Verdict::Permanent;
        };
        let start = Instant::now();
        user.deadline.set(start + task.timeout);
        (user.bytes, user.status) = (0, NO_STATUS);
        let url = url_of(task, user.source.as_deref(), virtual_user);
        let label = labels.borrow_mut().find(task.naming(&self.none), &url, virtual_user);
        user.in_flight = true;
        let stopping = virtual_user.stopping();
        let step = Step { driver: self, worker, user, task, url: &url, virtual_user };
        let Some(outcome) = stopping.bound(step.run()).await else {
            self.abandon(worker, user, virtual_user);
            return Verdict::Passed;
        };
        user.in_flight = false;
        let shortage = outcome.as_ref().is_err_and(Fault::is_own);
        let verdict = match &outcome {
            Ok(()) => Verdict::Passed,
            Err(Fault::Checked(_)) => Verdict::Flaky,
            Err(Fault::Status(_) | Fault::Kind(_)) => Verdict::Permanent,
            // Without a pause a user without a stream would spin.
            Err(_) => Verdict::Transient,
        };
        let error = outcome.err().map(|fault| fault.text(&format!("{}", task.seconds)));
        if let Some(tracer) = &self.tracer {
            let checks = match (verdict, task.method) {
                (Verdict::Passed | Verdict::Flaky, Method::Wait) => {
                    task.checks.explain(&user.event, &mut virtual_user.scope)
                }
                _ => Vec::new(),
            };
            tracer.verdict(index, start.elapsed(), error.as_deref(), checks);
        }
        virtual_user.record(Measurement {
            label,
            start,
            end: Instant::now(),
            status: user.status,
            bytes: user.bytes,
            error: error.as_deref(),
            body: &user.event.data,
        });
        user.event = Event::default();
        if shortage {
            Box::pin(user.back_off.wait()).await;
        } else {
            user.back_off.reset();
        }
        verdict
    }

    fn abandon(&self, _: &Worker, user: &mut User, virtual_user: &mut VirtualUser) {
        if std::mem::take(&mut user.in_flight) {
            virtual_user.interrupt();
        }
    }
}

/// The URL of a step: its task's, or that of the user's stream, or else the host.
fn url_of<'a>(
    task: &'a Task,
    source: Option<&Source>,
    virtual_user: &mut VirtualUser,
) -> Cow<'a, str> {
    let text = match (&task.url, source, &task.host) {
        (Some(url), _, _) => url,
        (None, Some(source), _) => return Cow::from(source.url.to_string()),
        (None, None, Some(host)) if task.method == Method::Open => host,
        (None, None, _) => return Cow::from(""),
    };
    match text.as_literal() {
        Some(url) => Cow::from(url),
        None => Cow::from(text.text(&mut virtual_user.scope)),
    }
}

/// One execution of one task.
struct Step<'a> {
    driver: &'a Sse,
    worker: &'a Worker,
    user: &'a mut User,
    task: &'a Task,
    url: &'a str,
    virtual_user: &'a mut VirtualUser,
}

impl Step<'_> {
    async fn run(mut self) -> Result<(), Fault> {
        if self.virtual_user.is_lost() {
            return Err(ConnectionFault::Lost.into());
        }
        match self.task.method {
            Method::Close => {
                self.user.source = None;
                // It waits for nothing, so other users have their turn.
                yield_now().await;
                Ok(())
            }
            Method::Open => {
                self.user.source = None;
                self.renew();
                Box::pin(self.open()).await
            }
            Method::Wait => self.wait().await,
        }
    }

    /// A source for the step's URL, unless the user has one.
    fn renew(&mut self) {
        let known = self.user.source.as_ref().is_some_and(|known| *known.url == *self.url);
        if !known && !self.url.is_empty() {
            let Sse { max_body_bytes, memory, .. } = self.driver;
            self.user.source = Some(Box::new(Source::new(self.url, *max_body_bytes, memory)));
        }
    }

    /// Opens the source's stream, and checks the response.
    async fn open(&mut self) -> Result<(), Fault> {
        let Some(source) = &mut self.user.source else { return Err(Fault::NotOpen) };
        let Sse { settings, targets, memory, tracer, .. } = self.driver;
        let deadline = self.user.deadline.at().unwrap_or_else(Instant::now);
        let setting = settings.get(self.task.setting);
        let way = Way { dialer: &self.worker.dialer, targets, setting, deadline };
        let scope = &mut self.virtual_user.scope;
        let (headers, scratch) = (&self.task.headers, &self.worker.scratch);
        let opening = source.open(way, headers, scope, memory, scratch, tracer.as_ref());
        let opened = timeout_at(deadline, opening).await;
        let response = opened.map_err(|_| ConnectionFault::Deadline)??;
        self.user.status = response.status;
        if let Some(tracer) = tracer {
            tracer.show(http::response_lines(response));
        }
        let kind = String::from_utf8_lossy(&response.content_type).into_owned();
        let events = kind.split(';').next().unwrap_or_default().trim();
        let outcome = match response.status {
            200 if events.eq_ignore_ascii_case("text/event-stream") => Ok(()),
            200 => {
                Err(Fault::Kind(if kind.is_empty() { "no Content-Type".to_owned() } else { kind }))
            }
            status => Err(Fault::Status(status)),
        };
        // Assertions decide, where there are some; the stream is open only if it is one.
        let checks = &self.task.checks;
        let judged = match (self.task.method, checks.status_decides()) {
            (Method::Open, false) => Ok(()),
            _ => outcome.clone(),
        };
        let wrong = match self.task.method {
            Method::Open if judged.is_ok() => checks.run(response, scope),
            _ => None,
        };
        if outcome.is_err() {
            source.close();
        }
        judged.and(wrong.map_or(Ok(()), |why| Err(Fault::Checked(why))))
    }

    /// Waits for the awaited event.
    async fn wait(&mut self) -> Result<(), Fault> {
        if self.task.url.is_some() {
            self.renew();
        }
        let scope = &mut self.virtual_user.scope;
        let expected = self.task.expect.as_ref().map(|text| scope.aside(|scope| text.text(scope)));
        let late = || Fault::Awaited(not_come(self.task.seconds, expected.as_deref()));
        // A stream that ended before this step is continued at once, unless the target asked for a
        // delay; one that ends during the step after a delay in any case.
        let mut delay = Duration::ZERO;
        loop {
            let Some(source) = &mut self.user.source else { return Err(Fault::NotOpen) };
            if !source.is_open() {
                let pause = source.due(std::mem::replace(&mut delay, DELAY));
                if let Some(due) = pause
                    && self.user.deadline.race(sleep_until(due)).await.is_none()
                {
                    return Err(late());
                }
                Box::pin(self.open()).await?;
                continue;
            }
            delay = DELAY;
            let next = self.user.deadline.race(source.next(&self.worker.scratch)).await;
            let event = match next {
                None => return Err(late()),
                Some(Ok(Some(event))) => event,
                Some(ended) => {
                    source.close();
                    if !self.task.reconnect {
                        return Err(ended.err().unwrap_or(Fault::Ended));
                    }
                    continue;
                }
            };
            self.user.bytes += event.size;
            if let Some(tracer) = &self.driver.tracer {
                tracer.bytes('<', &event.data, event.data.len() as u64);
            }
            if expected.as_ref().is_none_or(|text| contains(&event.data, text.as_bytes())) {
                self.user.event = event;
                break;
            }
        }
        let (checks, event) = (&self.task.checks, &self.user.event);
        let scope = &mut self.virtual_user.scope;
        let wrong = match checks.take_long(event.data.len()) {
            true => Box::pin(checks.run_in_turns(event, scope)).await,
            false => checks.run(event, scope),
        };
        wrong.map_or(Ok(()), |why| Err(Fault::Checked(why)))
    }
}

/// The failure of a wait, in the words of the reference.
fn not_come(seconds: f64, expected: Option<&str>) -> String {
    let seconds = Value::Float(seconds).to_text();
    let expected = expected.map_or(Value::Null, Value::from).to_repr();
    format!("SSE waited > {seconds}s for {expected}")
}
