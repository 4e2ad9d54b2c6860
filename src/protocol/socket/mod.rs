//! Socket tasks: bytes over TCP or UDP, and the response. It is the smallest protocol, and the
//! example for adding another. The path of a task: [`task`] parses and links it; of its bytes:
//! [`connection`] → [`reply`] → [`check`](mod@super::check) → a sample.
//!
//! Unlike in LoadDensity, `timeout` covers the whole step, a response that is too short fails, and
//! `expect_substring` without `expect_bytes` reads until it is found.

mod connection;
mod fields;
mod reply;
mod task;

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use tokio::time::Instant;

use self::connection::{Connection, SCRATCH};
use self::reply::{Reply, missing};
use self::task::{Host, Task, TaskDraft, Transport, split};
use crate::load::MAX_TEXT;
use crate::load::driver::{Driver, Measurement, Tasks, VirtualUser};
use crate::load::scenario::{Skipped, TaskSource, Verdict};
use crate::load::template::{Compiler, Linker};
use crate::memory::{Held, Memory};
use crate::net::{Dialer, Targets};
use crate::protocol::check::contains;
use crate::protocol::deadline::Deadline;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::labels::Labels;
use crate::protocol::own_limits::BackOff;
use crate::protocol::trace::Tracer;
use crate::protocol::user::{AnyTasks, Reach, Setup};
use crate::record::{LabelId, NO_STATUS};
use crate::value::{Field, Invalid, Object};

/// How many connections a user keeps, to different targets.
const MAX_CONNECTIONS: usize = 8;

/// The socket tasks of a test while they are parsed.
#[derive(Debug)]
pub struct SocketTasks {
    host: Option<Host>,
    tasks: Vec<TaskDraft>,
}

impl SocketTasks {
    /// No tasks yet.
    pub(super) fn open(setup: &Setup<'_>) -> Result<Box<AnyTasks>, Invalid> {
        let host = setup.host.as_ref().map(Host::parse).transpose()?;
        Ok(Box::new(Self { host, tasks: Vec::new() }))
    }
}

impl Tasks for SocketTasks {
    type Driver = Socket;
    type Reach = Reach;

    const FIELDS: &'static [&'static [Field]] = fields::FIELDS;

    fn add(
        &mut self,
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
    ) -> Result<(), Invalid> {
        self.tasks.push(TaskDraft::parse(task, fields, self.host.as_ref(), compiler)?);
        Ok(())
    }

    fn link(self, linker: &mut Linker<'_>, reach: &Reach) -> Result<Socket, Invalid> {
        let Reach { targets, max_body_bytes, memory, tracer } = reach.clone();
        let tasks = self.tasks.into_iter().map(|draft| draft.link(linker));
        let tasks = tasks.collect::<Result<_, _>>()?;
        Ok(Socket { tasks, targets, max_body_bytes, memory, tracer })
    }
}

/// The socket tasks of a test.
#[derive(Debug)]
pub struct Socket {
    tasks: Vec<Task>,
    targets: Targets,
    /// How much of a response is kept.
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
    connections: Vec<Kept>,
    payload: Vec<u8>,
    /// What the payload takes of the ceiling for memory.
    held: Held,
    reply: Reply,
    /// Bytes of the current payload that count as sent.
    sent: u64,
    deadline: Deadline,
    /// Whether a step is in progress.
    in_flight: bool,
    back_off: BackOff,
}

/// A connection that a task with `keep` may reuse.
#[derive(Debug)]
struct Kept {
    transport: Transport,
    target: Box<str>,
    connection: Connection,
}

impl Driver for Socket {
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
        User {
            reply: Reply::keeping(self.max_body_bytes, &self.memory),
            held: self.memory.held("payloads"),
            ..User::default()
        }
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
        user.sent = 0;
        user.reply.clear(false);
        let target = match task.target.as_literal() {
            Some(target) => Cow::from(target),
            None => Cow::from(task.target.text(&mut virtual_user.scope)),
        };
        let label = labels.borrow_mut().find(task.naming(), &target, virtual_user);
        user.in_flight = true;
        let tracer = self.tracer.as_ref();
        let step = Step { worker, user, task, target: &target, virtual_user, tracer };
        let outcome = step.run().await;
        user.in_flight = false;
        let shortage = matches!(outcome, Err(Failure::Connection(ConnectionFault::Own(_))));
        let (verdict, error) = match outcome {
            Ok(()) => (Verdict::Passed, None),
            Err(Failure::Connection(fault)) => {
                (Verdict::Transient, Some(fault.text(&task.timeout_text)))
            }
            // Nothing was sent: without a pause the user would spin.
            Err(Failure::Task(why)) => (Verdict::Transient, Some(why)),
            Err(Failure::Checked(why)) => (Verdict::Flaky, Some(why)),
        };
        if let Some(tracer) = tracer {
            let checks = match verdict {
                Verdict::Transient => Vec::new(),
                _ => task.checks.explain(&user.reply, &mut virtual_user.scope),
            };
            tracer.verdict(index, start.elapsed(), error.as_deref(), checks);
        }
        virtual_user.record(user.measured((label, start), error.as_deref()));
        user.settle();
        if shortage {
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

impl User {
    /// Gives back what the step needed, except small buffers.
    fn settle(&mut self) {
        self.reply.clear(false);
        if self.payload.capacity() > Held::SMALL {
            self.payload = Vec::new();
        }
        // Less always fits.
        let _ = self.held.set(self.payload.capacity());
    }

    /// The measurement of a step that ends now.
    fn measured<'a>(
        &'a self,
        (label, start): (LabelId, Instant),
        error: Option<&'a str>,
    ) -> Measurement<'a> {
        let bytes = self.sent + self.reply.received();
        let (end, body) = (Instant::now(), self.reply.kept());
        Measurement { label, start, end, status: NO_STATUS, bytes, error, body }
    }
}

/// Why a step failed.
enum Failure {
    /// The connection failed.
    Connection(ConnectionFault),
    /// The values of its placeholders are invalid.
    Task(String),
    /// The response is wrong.
    Checked(String),
}

/// One execution of one task.
struct Step<'a> {
    worker: &'a Worker,
    user: &'a mut User,
    task: &'a Task,
    target: &'a str,
    virtual_user: &'a mut VirtualUser,
    tracer: Option<&'a Tracer>,
}

impl Step<'_> {
    async fn run(self) -> Result<(), Failure> {
        let Self { worker, user, task, target, virtual_user, tracer } = self;
        let wrong = |why: &str| Failure::Task(format!("invalid bytes: {why}"));
        let address = split(target).map_err(Failure::Task)?;
        if virtual_user.is_lost() {
            return Err(Failure::Connection(ConnectionFault::Lost));
        }
        if task.fixed.is_none() {
            task.fill(&mut virtual_user.scope, &mut user.payload).map_err(wrong)?;
            user.held
                .set(user.payload.capacity())
                .map_err(|full| Failure::Task(full.to_string()))?;
            if virtual_user.scope.is_too_long() {
                return Err(Failure::Task(format!("its bytes exceed {} MiB", MAX_TEXT >> 20)));
            }
        }
        user.reply.clear(task.looks() || virtual_user.keeps_bodies() || tracer.is_some());
        task.ending(&mut virtual_user.scope, user.reply.ending()).map_err(wrong)?;
        let mut connection = match user.kept(task, target) {
            Some(connection) => connection,
            None => {
                let deadline = user.deadline.at().unwrap_or_else(Instant::now);
                let opening = Connection::open(&worker.dialer, task.transport, address, deadline);
                // Boxed: a step that reuses a connection must not carry the state of connecting.
                Box::pin(opening).await.map_err(Failure::Connection)?
            }
        };
        let User { payload, reply, deadline, sent, .. } = &mut *user;
        let payload = task.fixed.as_deref().unwrap_or(payload);
        let exchange = connection.exchange(payload, reply, task.end, &worker.scratch);
        if let Some(tracer) = tracer {
            tracer.bytes('>', payload, payload.len() as u64);
        }
        let outcome = deadline.race(exchange).await.unwrap_or(Err(ConnectionFault::Deadline));
        if let Some(tracer) = tracer {
            tracer.bytes('<', reply.kept(), reply.received());
        }
        let progress = outcome.map_err(Failure::Connection)?;
        *sent = payload.len() as u64;
        if let Some(why) = reply.lacks(task.end, progress) {
            return Err(Failure::Checked(why));
        }
        if task.keep && !reply.surplus() {
            user.keep(task.transport, target, connection);
        }
        if let Some(text) = &task.substring {
            let text = virtual_user.scope.aside(|scope| text.text(scope));
            if !contains(user.reply.kept(), text.as_bytes()) {
                return Err(Failure::Checked(missing(text.as_bytes())));
            }
        }
        let scope = &mut virtual_user.scope;
        let wrong = match task.checks.take_long(user.reply.kept().len()) {
            true => Box::pin(task.checks.run_in_turns(&user.reply, scope)).await,
            false => task.checks.run(&user.reply, scope),
        };
        wrong.map_or(Ok(()), |why| Err(Failure::Checked(why)))
    }
}

impl User {
    /// The connection that a task may reuse, if there is one and it is usable.
    fn kept(&mut self, task: &Task, target: &str) -> Option<Connection> {
        if !task.keep {
            return None;
        }
        let same = |kept: &Kept| kept.transport == task.transport && *kept.target == *target;
        let at = self.connections.iter().position(same)?;
        let mut connection = self.connections.swap_remove(at).connection;
        (!connection.has_unsolicited_input()).then_some(connection)
    }

    fn keep(&mut self, transport: Transport, target: &str, connection: Connection) {
        if self.connections.len() >= MAX_CONNECTIONS {
            self.connections.swap_remove(0);
        }
        self.connections.push(Kept { transport, target: target.into(), connection });
    }
}
