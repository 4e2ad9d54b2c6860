//! Redis tasks: one command each, over a connection that a user keeps. The path of a task: [`task`]
//! parses and links it; of a command: [`connection`] → [`resp`] → [`check`](mod@super::check) → a
//! sample.

mod address;
mod connection;
mod fault;
mod fields;
pub mod resp;
mod task;

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use tokio::time::Instant;

use self::address::{Address, DEFAULT};
use self::connection::{Connection, SCRATCH};
use self::fault::Fault;
use self::fields::SERVER;
use self::resp::Reply;
use self::task::{Task, TaskDraft};
use crate::load::MAX_TEXT;
use crate::load::driver::VirtualUser;
use crate::load::template::{Template, not_set, unset_variable};
use crate::memory::Held;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::labels::{Name, Naming};
use crate::protocol::placed::Placed;
use crate::protocol::step::{Received, Step, StepProtocol};
use crate::protocol::user::{Reach, Setup};
use crate::value::{Field, Invalid};

/// Redis.
#[derive(Debug)]
pub(super) enum Redis {}

/// What the users of one worker share.
#[derive(Debug)]
pub(crate) struct Worker {
    scratch: RefCell<Box<[u8]>>,
    /// The key and the value of a command while it is written.
    parts: RefCell<Vec<u8>>,
}

/// What one user keeps between steps.
#[derive(Debug, Default)]
pub(crate) struct User {
    connection: Option<Box<Connection>>,
    command: Vec<u8>,
    /// What the command takes of the ceiling for memory.
    held: Held,
    reply: Option<Reply>,
}

impl StepProtocol for Redis {
    const USER: &'static str = "a redis_user";
    const FIELDS: &'static [&'static [Field]] = fields::FIELDS;
    const NO_URL: &'static str = "redis://";

    /// The URL of the server.
    type Defaults = Placed<String>;
    type TaskDraft = TaskDraft;
    type Task = Task;
    type Worker = Worker;
    type User = User;
    /// The server, or why its URL is none.
    type Begun = Result<Arc<Address>, String>;
    type Reply = Reply;
    type Fault = Fault;

    fn defaults(setup: &Setup<'_>) -> Result<Placed<String>, Invalid> {
        let mut given = None;
        if let Some(connection) = setup.option("connection") {
            let mut fields = connection.fields(SERVER)?;
            given = fields.present("url");
            fields.finish()?;
        }
        let Some(field) = given.as_ref().or(setup.host.as_ref()) else {
            return Ok(Placed::nowhere(DEFAULT.to_owned()));
        };
        let server = Placed::at(field, field.text()?.to_owned());
        if !server.value.contains("${") {
            Address::parse(&server.value).map_err(|why| server.refusal(why))?;
        }
        Ok(server)
    }

    fn complete(task: &mut Task, server: &Placed<String>) -> Result<(), Invalid> {
        if let Some(url) = task.server.as_literal() {
            let address = Address::parse(url).map_err(|why| match unset_variable(url) {
                Some(name) => server.refusal(not_set(name)),
                None => server.refusal(why),
            })?;
            task.address = Some(Arc::new(address));
        }
        Ok(())
    }

    fn worker() -> Worker {
        Worker { scratch: RefCell::new(vec![0; SCRATCH].into()), parts: RefCell::default() }
    }

    fn user(reach: &Reach) -> User {
        User { held: reach.memory.held("payloads"), ..User::default() }
    }

    fn begin<'a>(
        task: &'a Task,
        user: &mut User,
        virtual_user: &mut VirtualUser,
    ) -> (Cow<'a, str>, Self::Begun) {
        user.reply = None;
        let address = match &task.address {
            Some(address) => Ok(Arc::clone(address)),
            None => Address::parse(&task.server.text(&mut virtual_user.scope)).map(Arc::new),
        };
        let shown = match &address {
            Ok(address) => Cow::from(address.shown()),
            Err(_) => Cow::from(Self::NO_URL),
        };
        (shown, address)
    }

    /// A label that has no room names no server.
    fn naming<'a>(task: &'a Task, no_url: &'a Template) -> Naming<'a> {
        Naming { method: "REDIS", url: no_url, name: Name::Written(&task.name) }
    }

    fn run(
        step: &mut Step<'_, Self>,
        address: Self::Begun,
    ) -> impl Future<Output = Result<(), Fault>> {
        step.run(address)
    }

    fn reply<'a>(_: &Task, user: &'a User) -> Option<&'a Reply> {
        user.reply.as_ref()
    }

    fn received(user: &User) -> Received<'_> {
        let size = user.reply.as_ref().map_or(0, Reply::size);
        match &user.reply {
            Some(Reply::Bytes(bytes)) => Received::new(size, bytes),
            _ => Received::new(size, &[]),
        }
    }

    fn settle(user: &mut User) {
        user.reply = None;
        user.held.settle(&mut user.command);
    }
}

impl Step<'_, Redis> {
    async fn run(&mut self, address: Result<Arc<Address>, String>) -> Result<(), Fault> {
        let address = address.map_err(Fault::Address)?;
        if self.virtual_user.is_lost() {
            return Err(ConnectionFault::Lost.into());
        }
        let scope = &mut self.virtual_user.scope;
        self.task.fill(scope, &mut self.worker.parts.borrow_mut(), &mut self.user.command);
        if scope.is_too_long() {
            return Err(Fault::Task(format!("its command exceeds {} MiB", MAX_TEXT >> 20)));
        }
        self.user.held.set(self.user.command.capacity())?;
        let known = self.user.connection.take();
        let known = known.and_then(|mut known| known.serves(&address).then_some(known));
        let mut connection = match known {
            Some(known) => known,
            // Boxed: a step that reuses a connection must not carry the state of connecting.
            None => Box::pin(self.connect(&address)).await?,
        };
        let (tracer, command) = (&self.driver.reach.tracer, &self.user.command);
        if let Some(tracer) = tracer {
            tracer.bytes('>', command, command.len() as u64);
        }
        let exchange = connection.exchange(command, &self.worker.scratch);
        let late = Err(ConnectionFault::Deadline.into());
        let reply = self.deadline.race(exchange).await.unwrap_or(late)?;
        if let Some(tracer) = tracer {
            let text = reply.as_python();
            tracer.bytes('<', text.as_bytes(), text.len() as u64);
        }
        let outcome = self.judge(reply).await;
        if outcome.as_ref().err().is_none_or(Fault::leaves_connection) {
            self.user.connection = Some(connection);
        }
        outcome
    }

    /// Checks a reply, which the user keeps for its record.
    async fn judge(&mut self, reply: Reply) -> Result<(), Fault> {
        let scope = &mut self.virtual_user.scope;
        let reply = match reply {
            Reply::Error(why) => return Err(Fault::Server(why)),
            reply => &*self.user.reply.insert(reply),
        };
        if let Some(why) = self.task.unexpected(reply, scope) {
            return Err(Fault::Checked(why));
        }
        let length = usize::try_from(reply.size()).unwrap_or(usize::MAX);
        self.common.checks.judge(reply, length, scope).await.map_err(Fault::Checked)
    }

    async fn connect(&mut self, address: &Arc<Address>) -> Result<Box<Connection>, Fault> {
        let deadline = self.deadline.at().unwrap_or_else(Instant::now);
        let Reach { max_body_bytes, memory, .. } = &self.driver.reach;
        let way = self.driver.way(self.dialer, self.common.setting, deadline);
        let stream = way.directly(&address.host, address.port, address.tls).await?;
        let room = (*max_body_bytes, memory.held("replies"));
        let mut connection = Box::new(Connection::new(stream, address, room));
        let logged_in = self.deadline.race(connection.log_in(&self.worker.scratch)).await;
        logged_in.unwrap_or(Err(ConnectionFault::Deadline.into()))?;
        Ok(connection)
    }
}
