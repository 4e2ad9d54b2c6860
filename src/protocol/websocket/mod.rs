//! WebSocket tasks: one step each, which connects, sends, receives or closes. A user has one
//! connection, which lasts from step to step. The path of a task: [`task`] parses and links it; of a
//! step: [`address`] → [`handshake`] → [`connection`] → [`reply`] → [`check`](mod@super::check) → a
//! sample; between steps [`idle`] looks after the connection.
//!
//! Unlike in LoadDensity, a connection that has ended is replaced by the next step, a close frame
//! fails the step that meets it, a step that times out closes its connection, and a step with another
//! URL connects to that one.

mod address;
mod connection;
mod fault;
mod fields;
mod handshake;
mod idle;
mod reply;
mod task;

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use self::address::Address;
use self::connection::Connection;
use self::fault::Fault;
use self::handshake::Handshake;
use self::idle::{Idle, Slot};
use self::reply::Reply;
use self::task::{Method, Task, TaskDraft};
use crate::load::MAX_TEXT;
use crate::load::driver::{Driver, Measurement, Tasks, VirtualUser};
use crate::load::scenario::{TaskSource, Verdict};
use crate::load::template::{Compiler, Linker, Template};
use crate::memory::{Held, Memory};
use crate::net::{Dialer, Targets};
use crate::protocol::check::contains;
use crate::protocol::deadline::Deadline;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::http::{Proxies, Settings, Way};
use crate::protocol::labels::Labels;
use crate::protocol::own_limits::BackOff;
use crate::protocol::step::Defaults;
use crate::protocol::trace::Tracer;
use crate::protocol::user::{AnyTasks, Reach, Setup};
use crate::record::NO_STATUS;
use crate::value::{Field, Invalid, Object, quote};

/// The WebSocket tasks of a test while they are parsed.
#[derive(Debug)]
pub struct WebSocketTasks {
    defaults: Defaults,
    tasks: Vec<TaskDraft>,
}

impl WebSocketTasks {
    /// No tasks yet.
    pub(super) fn open(setup: &Setup<'_>) -> Result<Box<AnyTasks>, Invalid> {
        let host = setup.host.as_ref().map(task::host).transpose()?;
        let proxies = setup.option("proxy").map(Proxies::read).transpose()?;
        Ok(Box::new(Self { defaults: Defaults { host, proxies }, tasks: Vec::new() }))
    }
}

impl Tasks for WebSocketTasks {
    type Driver = WebSocket;
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

    fn link(self, linker: &mut Linker<'_>, reach: &Reach) -> Result<WebSocket, Invalid> {
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
        Ok(WebSocket { tasks, settings, none, targets, max_body_bytes, memory, tracer })
    }
}

/// The WebSocket tasks of a test.
#[derive(Debug)]
pub struct WebSocket {
    tasks: Vec<Task>,
    settings: Settings,
    /// The URL of a step that has none.
    none: Template,
    targets: Targets,
    /// The longest message.
    max_body_bytes: usize,
    /// The ceiling for what its users hold.
    memory: Arc<Memory>,
    tracer: Option<Tracer>,
}

/// What the users of one worker share.
#[derive(Debug)]
pub struct Worker {
    dialer: Dialer,
    /// The labels of each task's steps.
    labels: Vec<RefCell<Labels>>,
    idle: Rc<Idle>,
}

/// What one user keeps between tasks.
#[derive(Debug, Default)]
pub struct User {
    slot: Rc<Slot>,
    /// Whether its slot is looked after.
    known: bool,
    reply: Reply,
    /// What its message takes of the ceiling for memory.
    held: Held,
    /// Bytes sent and received by the current step.
    bytes: u64,
    deadline: Deadline,
    /// Whether a step is in progress.
    in_flight: bool,
    back_off: BackOff,
}

impl Driver for WebSocket {
    type Worker = Worker;
    type User = User;

    fn worker(&self) -> Worker {
        Worker {
            dialer: Dialer::new(self.targets.clone()),
            labels: self.tasks.iter().map(|_| RefCell::default()).collect(),
            idle: Rc::default(),
        }
    }

    fn user(&self) -> User {
        User { held: self.memory.held("payloads"), ..User::default() }
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
        user.bytes = 0;
        let mut connection = user.slot.take();
        if let Some(connection) = &mut connection {
            connection.tend();
        }
        let url = url_of(task, connection.as_deref(), virtual_user);
        let naming = task.naming(&self.none);
        let label = labels.borrow_mut().find(naming, &url, virtual_user);
        user.in_flight = true;
        let stopping = virtual_user.stopping();
        let step = Step { driver: self, worker, user, task, url: &url, virtual_user };
        let Some(outcome) = stopping.bound(step.run(connection)).await else {
            self.abandon(worker, user, virtual_user);
            return Verdict::Passed;
        };
        user.in_flight = false;
        let shortage = outcome.as_ref().is_err_and(Fault::is_own);
        let verdict = match &outcome {
            Ok(()) => Verdict::Passed,
            Err(Fault::Checked(_) | Fault::Unmatched(_)) => Verdict::Flaky,
            Err(Fault::Status(_)) => Verdict::Permanent,
            // Without a pause a user whose message cannot be sent would spin.
            Err(_) => Verdict::Transient,
        };
        let error = outcome.err().map(|fault| fault.to_string());
        if let Some(tracer) = &self.tracer {
            let checks = match verdict {
                Verdict::Passed | Verdict::Flaky => {
                    task.checks.explain(&user.reply, &mut virtual_user.scope)
                }
                _ => Vec::new(),
            };
            tracer.verdict(index, start.elapsed(), error.as_deref(), checks);
        }
        virtual_user.record(Measurement {
            label,
            start,
            end: Instant::now(),
            status: NO_STATUS,
            bytes: user.bytes,
            error: error.as_deref(),
            body: user.reply.data(),
        });
        user.reply.clear();
        // Less always fits.
        let _ = user.held.set(0);
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

/// The URL of a step: its task's, or that of the user's connection, or else the host.
fn url_of<'a>(
    task: &'a Task,
    connection: Option<&Connection>,
    virtual_user: &mut VirtualUser,
) -> Cow<'a, str> {
    let text = match (&task.url, connection, &task.host) {
        (Some(url), _, _) => url,
        (None, Some(connection), _) => return Cow::from(connection.url.to_string()),
        // Nothing is closed then.
        (None, None, _) if task.method == Method::Close => return Cow::from(""),
        (None, None, Some(host)) => host,
        (None, None, None) => return Cow::from(""),
    };
    match text.as_literal() {
        Some(url) => Cow::from(url),
        None => Cow::from(text.text(&mut virtual_user.scope)),
    }
}

/// One execution of one task.
struct Step<'a> {
    driver: &'a WebSocket,
    worker: &'a Worker,
    user: &'a mut User,
    task: &'a Task,
    url: &'a str,
    virtual_user: &'a mut VirtualUser,
}

impl Step<'_> {
    /// Runs the step with the user's connection, if it has one; afterwards the user has the
    /// connection that the next step may use.
    async fn run(mut self, connection: Option<Box<Connection>>) -> Result<(), Fault> {
        if self.virtual_user.is_lost() {
            self.user.slot.replace(connection);
            return Err(ConnectionFault::Lost.into());
        }
        if self.task.method == Method::Close {
            return self.close(connection).await;
        }
        let connects = self.task.method == Method::Connect;
        let usable =
            connection.filter(|open| *open.url == *self.url && !(connects && open.has_ended()));
        let mut connection = match usable {
            Some(connection) if connects => {
                // It waits for nothing, so other users have their turn.
                yield_now().await;
                connection
            }
            Some(connection) => connection,
            // Boxed: a step that reuses a connection must not carry the state of connecting.
            None => Box::pin(self.connect()).await?,
        };
        let outcome = self.exchange(&mut connection).await;
        if !outcome.as_ref().is_err_and(Fault::breaks) {
            self.user.slot.replace(Some(connection));
            if !std::mem::replace(&mut self.user.known, true) {
                self.worker.idle.add(&self.user.slot);
            }
        }
        outcome
    }

    async fn close(self, connection: Option<Box<Connection>>) -> Result<(), Fault> {
        match connection {
            Some(connection) if !connection.has_ended() => {
                let closing = Box::pin(connection.close());
                self.user.deadline.race(closing).await.unwrap_or(Err(Fault::Deadline))
            }
            _ => {
                yield_now().await;
                Ok(())
            }
        }
    }

    async fn connect(&mut self) -> Result<Box<Connection>, Fault> {
        if self.url.is_empty() {
            return Err(Fault::NotEstablished);
        }
        let address = Address::parse(self.url)?;
        let Task { headers, subprotocols, .. } = self.task;
        let scope = &mut self.virtual_user.scope;
        let handshake = Handshake::new(&address, headers, subprotocols.as_ref(), scope)?;
        let WebSocket { settings, targets, max_body_bytes, memory, tracer, .. } = self.driver;
        let deadline = self.user.deadline.at().unwrap_or_else(Instant::now);
        let setting = settings.get(self.task.setting);
        let way = Way { dialer: &self.worker.dialer, targets, setting, deadline };
        let (mut stream, _) = way.open(&address.origin, true).await?;
        if let Some(trace) = self.virtual_user.trace() {
            let version = || format!("{}, WebSocket", stream.description());
            trace.connection(&address.origin.authority, version);
        }
        let shaking = timeout_at(deadline, handshake.shake(&mut stream, tracer.as_ref()));
        let tail = shaking.await.map_err(|_| Fault::Deadline)??;
        Ok(Box::new(Connection::new(self.url, stream, tail, *max_body_bytes, memory)))
    }

    /// Sends and receives what the task says.
    async fn exchange(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        if self.task.method.sends() {
            self.send(connection).await?;
        }
        if self.task.method.receives() {
            self.receive(connection).await?;
        }
        Ok(())
    }

    async fn send(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        // A message that is sent after a close frame is lost.
        if let Some(fault) = connection.ended() {
            return Err(fault.clone());
        }
        let scope = &mut self.virtual_user.scope;
        let message = self.task.message(scope);
        let message = message.map_err(|why| Fault::Task(format!("invalid bytes: {why}")))?;
        let length = message.len();
        if scope.is_too_long() {
            return Err(Fault::Task(format!("its message exceeds {} MiB", MAX_TEXT >> 20)));
        }
        self.user.held.set(length)?;
        if let Some(tracer) = &self.driver.tracer {
            tracer.bytes('>', &message.clone().into_data(), length as u64);
        }
        let sending = connection.send(message);
        self.user.deadline.race(sending).await.unwrap_or(Err(Fault::Deadline))?;
        self.user.bytes += length as u64;
        Ok(())
    }

    async fn receive(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        let scope = &mut self.virtual_user.scope;
        let expected = self.task.expect.as_ref().map(|text| scope.aside(|scope| text.text(scope)));
        let missing = |text: &str| format!("expected {} in response", quote(text));
        let mut skipped = false;
        loop {
            let received = match self.user.deadline.race(connection.receive()).await {
                Some(received) => received?,
                None => {
                    // The message may still come, and would be taken for the next step's.
                    return Err(match expected.filter(|_| skipped) {
                        Some(text) => Fault::Unmatched(missing(&text)),
                        None => Fault::Deadline,
                    });
                }
            };
            let length = received.data.len() as u64;
            self.user.bytes += length;
            if let Some(tracer) = &self.driver.tracer {
                tracer.bytes('<', &received.data, length);
            }
            let holds =
                expected.as_ref().is_none_or(|text| contains(&received.data, text.as_bytes()));
            if !holds && self.task.any {
                skipped = true;
                continue;
            }
            self.user.reply.set(received);
            match expected {
                Some(text) if !holds => return Err(Fault::Checked(missing(&text))),
                _ => break,
            }
        }
        let (checks, reply) = (&self.task.checks, &self.user.reply);
        let scope = &mut self.virtual_user.scope;
        let wrong = match checks.take_long(reply.data().len()) {
            true => Box::pin(checks.run_in_turns(reply, scope)).await,
            false => checks.run(reply, scope),
        };
        wrong.map_or(Ok(()), |why| Err(Fault::Checked(why)))
    }
}
