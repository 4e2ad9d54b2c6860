//! Redis tasks: one command each, over a connection that a user keeps. The path of a task: [`task`]
//! parses and links it; of a command: [`connection`] → [`resp`] → [`check`](mod@super::check) → a
//! sample.

mod address;
mod connection;
mod fault;
mod fields;
pub mod resp;
mod task;

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
use crate::load::driver::{Driver, Measurement, Tasks, VirtualUser};
use crate::load::scenario::{TaskSource, Verdict};
use crate::load::template::{Compiler, Linker, Template, not_set, unset_variable};
use crate::memory::{Held, Memory};
use crate::net::{Dialer, Targets};
use crate::protocol::deadline::Deadline;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::http::Settings;
use crate::protocol::labels::Labels;
use crate::protocol::own_limits::BackOff;
use crate::protocol::placed::Placed;
use crate::protocol::trace::Tracer;
use crate::protocol::user::{AnyTasks, Reach, Setup};
use crate::record::NO_STATUS;
use crate::value::{Field, Invalid, Object};

/// The Redis tasks of a test while they are parsed.
#[derive(Debug)]
pub struct RedisTasks {
    server: Placed<String>,
    tasks: Vec<TaskDraft>,
}

impl RedisTasks {
    /// No tasks yet.
    pub(super) fn open(setup: &Setup<'_>) -> Result<Box<AnyTasks>, Invalid> {
        let mut given = None;
        if let Some(connection) = setup.option("connection") {
            let mut fields = connection.fields(SERVER)?;
            given = fields.present("url");
            fields.finish()?;
        }
        let server = match given.as_ref().or(setup.host.as_ref()) {
            None => Placed::nowhere(DEFAULT.to_owned()),
            Some(field) => {
                let server = Placed::at(field, field.text()?.to_owned());
                if !server.value.contains("${") {
                    Address::parse(&server.value).map_err(|why| server.refusal(why))?;
                }
                server
            }
        };
        Ok(Box::new(Self { server, tasks: Vec::new() }))
    }
}

impl Tasks for RedisTasks {
    type Driver = Redis;
    type Reach = Reach;

    const FIELDS: &'static [&'static [Field]] = fields::FIELDS;

    fn add(
        &mut self,
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
    ) -> Result<(), Invalid> {
        self.tasks.push(TaskDraft::parse(task, fields, &self.server.value, compiler)?);
        Ok(())
    }

    fn link(self, linker: &mut Linker<'_>, reach: &Reach) -> Result<Redis, Invalid> {
        let Reach { targets, max_body_bytes, memory, tracer } = reach.clone();
        let (mut tasks, mut settings) = (Vec::new(), Settings::default());
        for draft in self.tasks {
            let place = draft.place.clone();
            let (mut task, setting) = draft.link(linker)?;
            if let Some(url) = task.server.as_literal() {
                let address = Address::parse(url).map_err(|why| match unset_variable(url) {
                    Some(name) => self.server.refusal(not_set(name)),
                    None => self.server.refusal(why),
                })?;
                task.address = Some(Arc::new(address));
            }
            let refusal = |message| Invalid { pointer: place, message };
            task.setting = settings.add(setting).map_err(refusal)?;
            tasks.push(task);
        }
        let any = Template::literal("redis://");
        Ok(Redis { tasks, settings, any, targets, max_body_bytes, memory, tracer })
    }
}

/// The Redis tasks of a test.
#[derive(Debug)]
pub struct Redis {
    tasks: Vec<Task>,
    settings: Settings,
    /// The server of steps whose label has no room.
    any: Template,
    targets: Targets,
    /// The longest byte string of a reply.
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
    /// The key and the value of a command while it is written.
    parts: RefCell<Vec<u8>>,
    /// The labels of each task's steps.
    labels: Vec<RefCell<Labels>>,
}

/// What one user keeps between tasks.
#[derive(Debug, Default)]
pub struct User {
    connection: Option<Box<Connection>>,
    command: Vec<u8>,
    /// What the command takes of the ceiling for memory.
    held: Held,
    reply: Option<Reply>,
    deadline: Deadline,
    /// Whether a step is in progress.
    in_flight: bool,
    back_off: BackOff,
}

impl Driver for Redis {
    type Worker = Worker;
    type User = User;

    fn worker(&self) -> Worker {
        Worker {
            dialer: Dialer::new(self.targets.clone()),
            scratch: RefCell::new(vec![0; SCRATCH].into()),
            parts: RefCell::default(),
            labels: self.tasks.iter().map(|_| RefCell::default()).collect(),
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
        user.reply = None;
        let address = match &task.address {
            Some(address) => Ok(Arc::clone(address)),
            None => Address::parse(&task.server.text(&mut virtual_user.scope)).map(Arc::new),
        };
        let shown = address.as_ref().map_or_else(|_| self.any.written(), |address| address.shown());
        let label = labels.borrow_mut().find(task.naming(&self.any), &shown, virtual_user);
        user.in_flight = true;
        let stopping = virtual_user.stopping();
        let step = Step { driver: self, worker, user, task, virtual_user };
        let Some(outcome) = stopping.bound(step.run(address)).await else {
            self.abandon(worker, user, virtual_user);
            return Verdict::Passed;
        };
        user.in_flight = false;
        let shortage = matches!(outcome, Err(Fault::Connection(ConnectionFault::Own(_))));
        let verdict = match &outcome {
            Ok(()) => Verdict::Passed,
            Err(Fault::Checked(_)) => Verdict::Flaky,
            Err(Fault::Server(_)) => Verdict::Permanent,
            // Without a pause a user whose command cannot be sent would spin.
            Err(_) => Verdict::Transient,
        };
        let error = outcome.err().map(|fault| fault.text(&task.timeout_text));
        if let Some(tracer) = &self.tracer {
            let checks = match &user.reply {
                Some(reply) if verdict != Verdict::Permanent => {
                    task.checks.explain(reply, &mut virtual_user.scope)
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
            bytes: user.reply.as_ref().map_or(0, Reply::size),
            error: error.as_deref(),
            body: match &user.reply {
                Some(Reply::Bytes(bytes)) => bytes,
                _ => &[],
            },
        });
        user.reply = None;
        if user.command.capacity() > Held::SMALL {
            user.command = Vec::new();
        }
        // Less always fits.
        let _ = user.held.set(user.command.capacity());
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

/// One execution of one task.
struct Step<'a> {
    driver: &'a Redis,
    worker: &'a Worker,
    user: &'a mut User,
    task: &'a Task,
    virtual_user: &'a mut VirtualUser,
}

impl Step<'_> {
    async fn run(self, address: Result<Arc<Address>, String>) -> Result<(), Fault> {
        let Self { driver, worker, user, task, virtual_user } = self;
        let address = address.map_err(Fault::Address)?;
        if virtual_user.is_lost() {
            return Err(ConnectionFault::Lost.into());
        }
        let scope = &mut virtual_user.scope;
        task.fill(scope, &mut worker.parts.borrow_mut(), &mut user.command);
        if scope.is_too_long() {
            return Err(Fault::Task(format!("its command exceeds {} MiB", MAX_TEXT >> 20)));
        }
        user.held.set(user.command.capacity())?;
        let known = user.connection.take();
        let known = known.and_then(|mut known| known.serves(&address).then_some(known));
        let mut connection = match known {
            Some(known) => known,
            // Boxed: a step that reuses a connection must not carry the state of connecting.
            None => Box::pin(driver.connect(worker, user, task, &address)).await?,
        };
        if let Some(tracer) = &driver.tracer {
            tracer.bytes('>', &user.command, user.command.len() as u64);
        }
        let exchange = connection.exchange(&user.command, &worker.scratch);
        let late = Err(ConnectionFault::Deadline.into());
        let reply = user.deadline.race(exchange).await.unwrap_or(late)?;
        if let Some(tracer) = &driver.tracer {
            let text = reply.as_python();
            tracer.bytes('<', text.as_bytes(), text.len() as u64);
        }
        let outcome = judge(task, reply, user, virtual_user).await;
        if outcome.as_ref().err().is_none_or(Fault::leaves_connection) {
            user.connection = Some(connection);
        }
        outcome
    }
}

/// Checks a reply, which the user keeps for its record.
async fn judge(
    task: &Task,
    reply: Reply,
    user: &mut User,
    virtual_user: &mut VirtualUser,
) -> Result<(), Fault> {
    let scope = &mut virtual_user.scope;
    let reply = match reply {
        Reply::Error(why) => return Err(Fault::Server(why)),
        reply => user.reply.insert(reply),
    };
    if let Some(why) = task.unexpected(reply, scope) {
        return Err(Fault::Checked(why));
    }
    let length = usize::try_from(reply.size()).unwrap_or(usize::MAX);
    let wrong = match task.checks.take_long(length) {
        true => Box::pin(task.checks.run_in_turns(&*reply, scope)).await,
        false => task.checks.run(&*reply, scope),
    };
    wrong.map_or(Ok(()), |why| Err(Fault::Checked(why)))
}

impl Redis {
    async fn connect(
        &self,
        worker: &Worker,
        user: &mut User,
        task: &Task,
        address: &Arc<Address>,
    ) -> Result<Box<Connection>, Fault> {
        let deadline = user.deadline.at().unwrap_or_else(Instant::now);
        let tls = match self.settings.get(task.setting).filter(|_| address.tls) {
            Some(tls) => Some(tls.config().map_err(ConnectionFault::Tls)?),
            None => None,
        };
        let room = (self.max_body_bytes, self.memory.held("replies"));
        let opened = Connection::open(&worker.dialer, address, tls, room, deadline).await?;
        let mut connection = Box::new(opened);
        let logged_in = user.deadline.race(connection.log_in(&worker.scratch)).await;
        logged_in.unwrap_or(Err(ConnectionFault::Deadline.into()))?;
        Ok(connection)
    }
}
