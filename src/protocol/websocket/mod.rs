//! WebSocket tasks: one step each, which connects, sends, receives or closes. A user has one
//! connection, which lasts from step to step. The path of a task: [`task`] parses and links it; of a
//! step: [`address`] → [`handshake`] → [`connection`] → [`reply`] → [`check`](mod@super::check) → a
//! sample; between steps [`idle`](mod@super::idle) looks after the connection.
//!
//! Unlike in LoadDensity, a connection that has ended is replaced by the next step, a close frame
//! fails the step that meets it, a step that times out closes its connection, and a step with another
//! URL connects to that one.

mod address;
mod connection;
mod fault;
mod fields;
mod handshake;
mod reply;
mod task;

use std::borrow::Cow;
use std::rc::Rc;

use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use self::address::Address;
use self::connection::Connection;
use self::fault::Fault;
use self::handshake::Handshake;
use self::reply::Reply;
use self::task::{Method, Task, TaskDraft};
use crate::load::MAX_TEXT;
use crate::load::driver::VirtualUser;
use crate::load::template::Template;
use crate::memory::Held;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::idle::{Idle, Slot, Tended};
use crate::protocol::labels::Naming;
use crate::protocol::step::{Defaults, Fit, Received, Step, StepProtocol};
use crate::protocol::user::{Reach, Setup};
use crate::value::{Field, Invalid};

/// WebSocket.
#[derive(Debug)]
pub(super) enum WebSocket {}

/// What one user keeps between steps.
#[derive(Debug, Default)]
pub(crate) struct User {
    slot: Rc<Slot<Connection>>,
    /// Whether its slot is looked after.
    known: bool,
    reply: Reply,
    /// What its message takes of the ceiling for memory.
    held: Held,
    /// Bytes sent and received by the current step.
    bytes: u64,
}

impl StepProtocol for WebSocket {
    const USER: &'static str = "a websocket_user";
    const FIELDS: &'static [&'static [Field]] = fields::FIELDS;

    type Defaults = Defaults;
    type TaskDraft = TaskDraft;
    type Task = Task;
    type Worker = Rc<Idle<Connection>>;
    type User = User;
    /// The user's connection, if it has one.
    type Begun = Option<Box<Connection>>;
    type Reply = Reply;
    type Fault = Fault;

    fn defaults(setup: &Setup<'_>) -> Result<Defaults, Invalid> {
        Defaults::parse(setup, task::host)
    }

    fn worker() -> Rc<Idle<Connection>> {
        Rc::default()
    }

    fn user(reach: &Reach) -> User {
        User { held: reach.memory.held("payloads"), ..User::default() }
    }

    fn begin<'a>(
        task: &'a Task,
        user: &mut User,
        virtual_user: &mut VirtualUser,
    ) -> (Cow<'a, str>, Self::Begun) {
        user.bytes = 0;
        let mut connection = user.slot.take();
        if let Some(connection) = &mut connection {
            connection.tend();
        }
        let open = connection.as_ref().map(|connection| &*connection.url);
        // A step that closes makes no connection.
        let connects = task.method != Method::Close;
        let url = task.target.url_of_step(open, connects, virtual_user);
        (url, connection)
    }

    fn naming<'a>(task: &'a Task, no_url: &'a Template) -> Naming<'a> {
        task.target.naming("WS", no_url)
    }

    fn run(
        step: &mut Step<'_, Self>,
        connection: Self::Begun,
    ) -> impl Future<Output = Result<(), Fault>> {
        step.run(connection)
    }

    fn reply<'a>(_: &Task, user: &'a User) -> Option<&'a Reply> {
        Some(&user.reply)
    }

    fn received(user: &User) -> Received<'_> {
        Received::new(user.bytes, user.reply.data())
    }

    fn settle(user: &mut User) {
        user.reply.clear();
        // Less always fits.
        let _ = user.held.set(0);
    }
}

impl Step<'_, WebSocket> {
    /// Runs the step with the user's connection, if it has one; afterwards the user has the
    /// connection that the next step may use.
    async fn run(&mut self, connection: Option<Box<Connection>>) -> Result<(), Fault> {
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
                self.worker.add(&self.user.slot);
            }
        }
        outcome
    }

    async fn close(&mut self, connection: Option<Box<Connection>>) -> Result<(), Fault> {
        match connection {
            Some(connection) if !connection.has_ended() => {
                let closing = Box::pin(connection.close());
                self.deadline.race(closing).await.unwrap_or(Err(Fault::Deadline))
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
        let Reach { max_body_bytes, memory, tracer, .. } = &self.driver.reach;
        let deadline = self.deadline.at().unwrap_or_else(Instant::now);
        let way = self.driver.way(self.dialer, self.common.setting, deadline);
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
        if let Some(tracer) = &self.driver.reach.tracer {
            tracer.bytes('>', &message.clone().into_data(), length as u64);
        }
        let sending = connection.send(message);
        self.deadline.race(sending).await.unwrap_or(Err(Fault::Deadline))?;
        self.user.bytes += length as u64;
        Ok(())
    }

    async fn receive(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        let scope = &mut self.virtual_user.scope;
        let mut expecting = self.task.expected.begin(scope);
        loop {
            let received = match self.deadline.race(connection.receive()).await {
                Some(received) => received?,
                None => {
                    // The message may still come, and would be taken for the next step's.
                    return Err(expecting.missing().map_or(Fault::Deadline, Fault::Unmatched));
                }
            };
            let length = received.data.len() as u64;
            self.user.bytes += length;
            if let Some(tracer) = &self.driver.reach.tracer {
                tracer.bytes('<', &received.data, length);
            }
            let fit = expecting.fit(&received.data);
            if fit == Fit::Skipped {
                continue;
            }
            self.user.reply.set(received);
            match fit {
                Fit::Wrong(why) => return Err(Fault::Checked(why)),
                Fit::Right | Fit::Skipped => break,
            }
        }
        let (checks, reply) = (&self.common.checks, &self.user.reply);
        let judged = checks.judge(reply, reply.data().len(), &mut self.virtual_user.scope);
        judged.await.map_err(Fault::Checked)
    }
}
