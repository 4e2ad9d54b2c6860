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
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout_at};

use self::event::Event;
use self::fault::Fault;
use self::stream::{DELAY, SCRATCH, Source};
use self::task::{Method, Task, TaskDraft};
use crate::load::driver::VirtualUser;
use crate::load::template::Template;
use crate::protocol::check::contains;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::http;
use crate::protocol::labels::Naming;
use crate::protocol::step::{Defaults, Received, Step, StepProtocol};
use crate::protocol::user::{Reach, Setup};
use crate::record::NO_STATUS;
use crate::value::{Field, Invalid, Value};

/// Server-sent events.
#[derive(Debug)]
pub(super) enum Sse {}

/// What one user keeps between steps.
#[derive(Debug, Default)]
pub(crate) struct User {
    source: Option<Box<Source>>,
    /// The awaited event.
    event: Event,
    /// The size of the events of the current step.
    bytes: u64,
    /// The status of the response that the current step has received.
    status: u16,
}

impl StepProtocol for Sse {
    const USER: &'static str = "an sse_user";
    const FIELDS: &'static [&'static [Field]] = fields::FIELDS;

    type Defaults = Defaults;
    type TaskDraft = TaskDraft;
    type Task = Task;
    /// Where reads go.
    type Worker = RefCell<Box<[u8]>>;
    type User = User;
    type Begun = ();
    type Reply = Event;
    type Fault = Fault;

    fn defaults(setup: &Setup<'_>) -> Result<Defaults, Invalid> {
        Defaults::parse(setup, http::base)
    }

    fn worker() -> Self::Worker {
        RefCell::new(vec![0; SCRATCH].into())
    }

    fn user(_: &Reach) -> User {
        User::default()
    }

    fn begin<'a>(
        task: &'a Task,
        user: &mut User,
        virtual_user: &mut VirtualUser,
    ) -> (Cow<'a, str>, ()) {
        (user.bytes, user.status) = (0, NO_STATUS);
        let open = user.source.as_ref().map(|source| &*source.url);
        let url = task.target.url_of_step(open, task.method == Method::Open, virtual_user);
        (url, ())
    }

    fn naming<'a>(task: &'a Task, no_url: &'a Template) -> Naming<'a> {
        task.target.naming("SSE", no_url)
    }

    fn run(step: &mut Step<'_, Self>, (): ()) -> impl Future<Output = Result<(), Fault>> {
        step.run()
    }

    fn reply<'a>(task: &Task, user: &'a User) -> Option<&'a Event> {
        (task.method == Method::Wait).then_some(&user.event)
    }

    fn received(user: &User) -> Received<'_> {
        Received { status: user.status, bytes: user.bytes, body: &user.event.data }
    }

    fn settle(user: &mut User) {
        user.event = Event::default();
    }
}

impl Step<'_, Sse> {
    async fn run(&mut self) -> Result<(), Fault> {
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
            let Reach { max_body_bytes, memory, .. } = &self.driver.reach;
            self.user.source = Some(Box::new(Source::new(self.url, *max_body_bytes, memory)));
        }
    }

    /// Opens the source's stream, and checks the response.
    async fn open(&mut self) -> Result<(), Fault> {
        let Some(source) = &mut self.user.source else { return Err(Fault::NotOpen) };
        let Reach { memory, tracer, .. } = &self.driver.reach;
        let deadline = self.deadline.at().unwrap_or_else(Instant::now);
        let way = self.driver.way(self.dialer, self.common.setting, deadline);
        let scope = &mut self.virtual_user.scope;
        let (headers, scratch) = (&self.task.headers, self.worker);
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
        let checks = &self.common.checks;
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
        if self.task.target.url.is_some() {
            self.renew();
        }
        let scope = &mut self.virtual_user.scope;
        let expected = self.task.expect.as_ref().map(|text| scope.aside(|scope| text.text(scope)));
        let late = || Fault::Awaited(not_come(self.common.timeout.seconds, expected.as_deref()));
        // A stream that ended before this step is continued at once, unless the target asked for a
        // delay; one that ends during the step after a delay in any case.
        let mut delay = Duration::ZERO;
        loop {
            let Some(source) = &mut self.user.source else { return Err(Fault::NotOpen) };
            if !source.is_open() {
                let pause = source.due(std::mem::replace(&mut delay, DELAY));
                if let Some(due) = pause
                    && self.deadline.race(sleep_until(due)).await.is_none()
                {
                    return Err(late());
                }
                Box::pin(self.open()).await?;
                continue;
            }
            delay = DELAY;
            let next = self.deadline.race(source.next(self.worker)).await;
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
            if let Some(tracer) = &self.driver.reach.tracer {
                tracer.bytes('<', &event.data, event.data.len() as u64);
            }
            if expected.as_ref().is_none_or(|text| contains(&event.data, text.as_bytes())) {
                self.user.event = event;
                break;
            }
        }
        let (checks, event) = (&self.common.checks, &self.user.event);
        let judged = checks.judge(event, event.data.len(), &mut self.virtual_user.scope);
        judged.await.map_err(Fault::Checked)
    }
}

/// The failure of a wait, in the words of the reference.
fn not_come(seconds: f64, expected: Option<&str>) -> String {
    let seconds = Value::Float(seconds).to_text();
    let expected = expected.map_or(Value::Null, Value::from).to_repr();
    format!("SSE waited > {seconds}s for {expected}")
}
