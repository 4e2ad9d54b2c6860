//! Socket tasks: bytes over TCP or UDP, and the response. It is the smallest protocol, and the
//! example for adding another. The path of a task: [`task`] parses and links it; of its bytes:
//! [`connection`] → [`reply`] → [`check`](mod@super::check) → a sample.
//!
//! Unlike in LoadDensity, `timeout` covers the whole step, a response that is too short fails, and
//! `expect_substring` without `expect_bytes` reads until it is found.

mod connection;
mod fault;
mod fields;
mod reply;
mod task;

use std::borrow::Cow;
use std::cell::RefCell;

use tokio::time::Instant;

use self::connection::{Connection, SCRATCH};
use self::fault::Fault;
use self::reply::{Reply, missing};
use self::task::{Host, Task, TaskDraft, Transport, split};
use crate::load::MAX_TEXT;
use crate::load::driver::VirtualUser;
use crate::load::template::Template;
use crate::memory::Held;
use crate::protocol::check::contains;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::labels::Naming;
use crate::protocol::step::{Received, Step, StepProtocol};
use crate::protocol::user::{Reach, Setup};
use crate::value::{Field, Invalid};

/// How many connections a user keeps, to different targets.
const MAX_CONNECTIONS: usize = 8;

/// TCP and UDP.
#[derive(Debug)]
pub(super) enum Socket {}

/// What one user keeps between steps.
#[derive(Debug, Default)]
pub(crate) struct User {
    connections: Vec<Kept>,
    payload: Vec<u8>,
    /// What the payload takes of the ceiling for memory.
    held: Held,
    reply: Reply,
    /// Bytes of the current payload that count as sent.
    sent: u64,
}

/// A connection that a task with `keep` may reuse.
#[derive(Debug)]
struct Kept {
    transport: Transport,
    target: Box<str>,
    connection: Connection,
}

impl StepProtocol for Socket {
    const USER: &'static str = "a socket_user";
    const FIELDS: &'static [&'static [Field]] = fields::FIELDS;
    const WAITS: bool = false;

    type Defaults = Option<Host>;
    type TaskDraft = TaskDraft;
    type Task = Task;
    /// Where reads go.
    type Worker = RefCell<Box<[u8]>>;
    type User = User;
    type Begun = ();
    type Reply = Reply;
    type Fault = Fault;

    fn defaults(setup: &Setup<'_>) -> Result<Option<Host>, Invalid> {
        setup.host.as_ref().map(Host::parse).transpose()
    }

    fn worker() -> Self::Worker {
        RefCell::new(vec![0; SCRATCH].into())
    }

    fn user(reach: &Reach) -> User {
        User {
            reply: Reply::keeping(reach.max_body_bytes, &reach.memory),
            held: reach.memory.held("payloads"),
            ..User::default()
        }
    }

    fn begin<'a>(
        task: &'a Task,
        user: &mut User,
        virtual_user: &mut VirtualUser,
    ) -> (Cow<'a, str>, ()) {
        user.sent = 0;
        user.reply.clear(false);
        (task.target.filled(&mut virtual_user.scope), ())
    }

    fn naming<'a>(task: &'a Task, _: &'a Template) -> Naming<'a> {
        task.naming()
    }

    fn run(step: &mut Step<'_, Self>, (): ()) -> impl Future<Output = Result<(), Fault>> {
        step.run()
    }

    fn reply<'a>(_: &Task, user: &'a User) -> Option<&'a Reply> {
        Some(&user.reply)
    }

    fn received(user: &User) -> Received<'_> {
        Received::new(user.sent + user.reply.received(), user.reply.kept())
    }

    fn settle(user: &mut User) {
        user.reply.clear(false);
        user.held.settle(&mut user.payload);
    }
}

impl Step<'_, Socket> {
    async fn run(&mut self) -> Result<(), Fault> {
        let Self { dialer, user, deadline, task, virtual_user, .. } = self;
        let tracer = self.driver.reach.tracer.as_ref();
        let wrong = |why: &str| Fault::Task(format!("invalid bytes: {why}"));
        let address = split(self.url).map_err(Fault::Task)?;
        if virtual_user.is_lost() {
            return Err(ConnectionFault::Lost.into());
        }
        if task.fixed.is_none() {
            task.fill(&mut virtual_user.scope, &mut user.payload).map_err(wrong)?;
            user.held.set(user.payload.capacity()).map_err(|full| Fault::Task(full.to_string()))?;
            if virtual_user.scope.is_too_long() {
                return Err(Fault::Task(format!("its bytes exceed {} MiB", MAX_TEXT >> 20)));
            }
        }
        let checks = &self.common.checks;
        let looks = task.looks() || checks.capture().body;
        user.reply.clear(looks || virtual_user.keeps_bodies() || tracer.is_some());
        task.ending(&mut virtual_user.scope, user.reply.ending()).map_err(wrong)?;
        let mut connection = match user.kept(task, self.url) {
            Some(connection) => connection,
            None => {
                let deadline = deadline.at().unwrap_or_else(Instant::now);
                let opening = Connection::open(dialer, task.transport, address, deadline);
                // Boxed: a step that reuses a connection must not carry the state of connecting.
                Box::pin(opening).await?
            }
        };
        let User { payload, reply, sent, .. } = &mut *user;
        let payload = task.fixed.as_deref().unwrap_or(payload);
        let exchange = connection.exchange(payload, reply, task.end, self.worker);
        if let Some(tracer) = tracer {
            tracer.bytes('>', payload, payload.len() as u64);
        }
        let outcome = deadline.race(exchange).await.unwrap_or(Err(ConnectionFault::Deadline));
        if let Some(tracer) = tracer {
            tracer.bytes('<', reply.kept(), reply.received());
        }
        let progress = outcome?;
        *sent = payload.len() as u64;
        if let Some(why) = reply.lacks(task.end, progress) {
            return Err(Fault::Checked(why));
        }
        if task.keep && !reply.surplus() {
            user.keep(task.transport, self.url, connection);
        }
        let scope = &mut virtual_user.scope;
        if let Some(text) = &task.substring {
            let text = scope.aside(|scope| text.text(scope));
            if !contains(user.reply.kept(), text.as_bytes()) {
                return Err(Fault::Checked(missing(text.as_bytes())));
            }
        }
        let (reply, length) = (&user.reply, user.reply.kept().len());
        checks.judge(reply, length, scope).await.map_err(Fault::Checked)
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
