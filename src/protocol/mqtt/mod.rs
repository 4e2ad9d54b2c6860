//! MQTT tasks: one step each, which connects, publishes, subscribes, receives or disconnects. A user
//! has one connection, which lasts from step to step. The path of a task: [`task`] parses and links it,
//! with [`opening`] and [`payload`]; of a step: [`address`] → [`connection`], which speaks [`codec`] →
//! [`message`] → [`check`](mod@super::check) → a sample; between steps [`idle`](mod@super::idle) looks
//! after the connection.
//!
//! Unlike in LoadDensity, a step ends when the broker has answered: with CONNACK, PUBACK, PUBCOMP,
//! SUBACK or UNSUBACK, whose codes fail it.

mod address;
pub mod codec;
mod connection;
mod fault;
mod fields;
mod message;
mod opening;
mod payload;
mod session;
mod task;
mod topic;

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::yield_now;
use tokio::time::Instant;

use self::address::Address;
use self::codec::{subscribe_into, unsubscribe_into};
use self::connection::{Connection, SCRATCH, Scratch};
use self::fault::Fault;
use self::message::Message;
use self::session::{Kept, Opening};
use self::task::{Defaults, Method, Parts, Task, TaskDraft};
use crate::load::MAX_TEXT;
use crate::load::driver::VirtualUser;
use crate::load::template::Template;
use crate::memory::Held;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::idle::{Idle, Slot, Tended};
use crate::protocol::labels::{Name, Naming};
use crate::protocol::step::{Fit, Received, Step, StepProtocol};
use crate::protocol::trace::Lines;
use crate::protocol::user::{Reach, Setup};
use crate::value::{Field, Invalid};

/// MQTT.
#[derive(Debug)]
pub(super) enum Mqtt {}

/// What the users of one worker share.
#[derive(Debug)]
pub(crate) struct Worker {
    scratch: Scratch,
    parts: RefCell<Parts>,
    idle: Rc<Idle<Connection>>,
}

/// What one user keeps between steps.
#[derive(Debug, Default)]
pub(crate) struct User {
    slot: Rc<Slot<Connection>>,
    /// Whether its slot is looked after.
    tended: bool,
    /// How its last connection began, until it disconnects.
    known: Option<Known>,
    /// The session of the last connection that it has left, if it outlives that.
    kept: Option<Box<Kept>>,
    /// The packet that is sent.
    packet: Vec<u8>,
    /// What the packet and the message take of the ceiling for memory.
    held: Held,
    message: Message,
    /// Bytes of the payload that the current step published or received.
    bytes: u64,
}

/// How a connection began.
#[derive(Debug, Clone)]
struct Known {
    address: Arc<Address>,
    opening: Rc<Opening>,
    /// The index of its TLS setting.
    setting: usize,
}

/// What a step begins with.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The broker, or why it is none.
    address: Result<Arc<Address>, String>,
    /// The user's connection, if it has one.
    connection: Option<Box<Connection>>,
}

impl StepProtocol for Mqtt {
    const USER: &'static str = "an mqtt_user";
    const FIELDS: &'static [&'static [Field]] = fields::FIELDS;

    type Defaults = Defaults;
    type TaskDraft = TaskDraft;
    type Task = Task;
    type Worker = Worker;
    type User = User;
    type Begun = Begun;
    type Reply = Message;
    type Fault = Fault;

    fn defaults(setup: &Setup<'_>) -> Result<Defaults, Invalid> {
        Defaults::parse(setup)
    }

    fn worker() -> Worker {
        Worker {
            scratch: Rc::new(RefCell::new(vec![0; SCRATCH].into())),
            parts: RefCell::default(),
            idle: Rc::default(),
        }
    }

    fn user(reach: &Reach) -> User {
        User { held: reach.memory.held("payloads"), ..User::default() }
    }

    fn begin<'a>(
        task: &'a Task,
        user: &mut User,
        virtual_user: &mut VirtualUser,
    ) -> (Cow<'a, str>, Begun) {
        user.bytes = 0;
        let mut connection = user.slot.take();
        if let Some(connection) = &mut connection {
            connection.tend();
        }
        let address = match (&task.broker, &user.known) {
            (Some(broker), _) => broker.address(&mut virtual_user.scope),
            (None, Some(known)) => Ok(Arc::clone(&known.address)),
            (None, None) => task.default.address(&mut virtual_user.scope),
        };
        let shown = match &address {
            Ok(address) => {
                let constant = task.broker.as_ref().unwrap_or(&task.default).shows(address);
                constant.map_or_else(|| Cow::from(address.shown.to_string()), Cow::from)
            }
            Err(_) => Cow::from(""),
        };
        (shown, Begun { address, connection })
    }

    fn naming<'a>(task: &'a Task, _: &'a Template) -> Naming<'a> {
        let url = &task.broker.as_ref().unwrap_or(&task.default).text;
        Naming { method: "MQTT", url, name: Name::Written(&task.name) }
    }

    fn run(step: &mut Step<'_, Self>, begun: Begun) -> impl Future<Output = Result<(), Fault>> {
        step.run(begun)
    }

    fn reply<'a>(task: &Task, user: &'a User) -> Option<&'a Message> {
        (task.method == Method::Receive).then_some(&user.message)
    }

    fn received(user: &User) -> Received<'_> {
        Received::new(user.bytes, user.message.payload())
    }

    fn settle(user: &mut User) {
        user.message = Message::default();
        user.held.settle(&mut user.packet);
    }
}

impl<'a> Step<'a, Mqtt> {
    /// Runs the step with the user's connection, if it has one; afterwards the user has the
    /// connection that the next step may use.
    async fn run(&mut self, begun: Begun) -> Result<(), Fault> {
        let Begun { address, connection } = begun;
        let address = match address {
            Ok(address) if !self.virtual_user.is_lost() => address,
            refused => {
                self.user.slot.replace(connection);
                return Err(refused.map_or_else(Fault::Address, |_| ConnectionFault::Lost.into()));
            }
        };
        if self.task.method == Method::Disconnect {
            return self.disconnect(connection).await;
        }
        let connects = self.task.method == Method::Connect;
        let usable =
            |open: &Connection| *open.address == *address && !(connects && open.ended().is_some());
        let mut connection = match connection {
            Some(connection) if usable(&connection) => {
                if connects {
                    // It waits for nothing, so other users have their turn.
                    yield_now().await;
                }
                connection
            }
            other => {
                other.into_iter().for_each(|other| self.leave(other));
                // Boxed: a step that reuses a connection must not carry the state of connecting.
                Box::pin(self.connect(&address)).await?
            }
        };
        let outcome = match self.task.method {
            Method::Publish => self.publish(&mut connection).await,
            Method::Subscribe | Method::Unsubscribe => self.subscribe(&mut connection).await,
            Method::Receive => self.receive(&mut connection).await,
            Method::Connect | Method::Disconnect => Ok(()),
        };
        if outcome.as_ref().is_err_and(Fault::breaks) {
            connection.abandon();
            self.leave(connection);
            return outcome;
        }
        connection.settle();
        self.user.slot.replace(Some(connection));
        if !std::mem::replace(&mut self.user.tended, true) {
            self.worker.idle.add(&self.user.slot);
        }
        outcome
    }

    async fn disconnect(&mut self, connection: Option<Box<Connection>>) -> Result<(), Fault> {
        self.user.known = None;
        let Some(mut connection) = connection else {
            yield_now().await;
            return Ok(());
        };
        let outcome = match connection.ended() {
            None => {
                self.show(|lines| lines.add('>', "DISCONNECT"));
                let leaving = Box::pin(connection.disconnect());
                let late = Err(ConnectionFault::Deadline.into());
                self.deadline.race(leaving).await.unwrap_or(late)
            }
            Some(_) => {
                yield_now().await;
                Ok(())
            }
        };
        self.leave(connection);
        outcome
    }

    /// Leaves a connection; what outlives it is kept for the next one.
    fn leave(&mut self, connection: Box<Connection>) {
        self.user.kept = connection.leave(&mut self.user.packet).map(Box::new);
    }

    async fn connect(&mut self, address: &Arc<Address>) -> Result<Box<Connection>, Fault> {
        let (task, scope) = (self.task, &mut self.virtual_user.scope);
        let known = self.user.known.clone().filter(|known| {
            // Without fields of its own it connects as the user did before.
            !task.opening.own && *known.address == **address
        });
        let known = match known {
            Some(known) => known,
            None => Known {
                address: Arc::clone(address),
                opening: Rc::new(task.opening.fill(
                    address,
                    task.method == Method::Connect,
                    scope,
                )?),
                setting: self.common.setting,
            },
        };
        let until = self.deadline.at().unwrap_or_else(Instant::now);
        let way = self.driver.way(self.dialer, known.setting, until);
        let stream = way.directly(&address.host, address.port, address.tls).await?;
        let Reach { max_body_bytes, memory, .. } = &self.driver.reach;
        let scratch = &self.worker.scratch;
        let (of, kept) = ((address, &known.opening), self.user.kept.take().map(|kept| *kept));
        let mut connection =
            Box::new(Connection::new(stream, of, kept, scratch, *max_body_bytes, memory));
        let version = known.opening.version.name();
        let client_id = &known.opening.client_id;
        self.show(|lines| lines.add('>', &format!("CONNECT, {version}, client {client_id}")));
        let late = Err(ConnectionFault::Deadline.into());
        let greeted = self.deadline.race(connection.greet(until)).await.unwrap_or(late);
        if let Err(fault) = greeted {
            self.leave(connection);
            return Err(fault);
        }
        if let Some(trace) = self.virtual_user.trace() {
            trace.connection(&address.shown, || connection.description());
        }
        self.user.known = Some(known);
        Ok(connection)
    }

    async fn publish(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        let topic = self.topic(connection)?;
        let (task, scope) = (self.task, &mut self.virtual_user.scope);
        let id = if task.qos > 0 { connection.next_id() } else { 0 };
        let length = {
            let mut parts = self.worker.parts.borrow_mut();
            let packet = &mut self.user.packet;
            let written = task.write((connection.version(), id), &topic, scope, &mut parts, packet);
            parts.settle();
            written?
        };
        if scope.is_too_long() {
            return Err(Fault::Task(format!("its message exceeds {} MiB", MAX_TEXT >> 20)));
        }
        self.user.held.set(self.user.packet.capacity())?;
        if let Some(tracer) = &self.driver.reach.tracer {
            self.show(|lines| lines.add('>', &format!("PUBLISH {topic}, QoS {}", task.qos)));
            let at = self.user.packet.len() - usize::try_from(length).unwrap_or_default();
            tracer.bytes('>', self.user.packet.get(at..).unwrap_or_default(), length);
        }
        let until = self.until();
        let packet = &self.user.packet;
        let publishing = connection.publish(packet, (id, task.qos), until);
        let late = Err(ConnectionFault::Deadline.into());
        self.deadline.race(publishing).await.unwrap_or(late)?;
        self.user.bytes = length;
        Ok(())
    }

    async fn subscribe(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        let filter = self.topic(connection)?;
        let (version, id) = (connection.version(), connection.next_id());
        let ends = self.task.method == Method::Unsubscribe;
        let packet = &mut self.user.packet;
        packet.clear();
        match ends {
            true => unsubscribe_into(version, id, filter.as_bytes(), packet)?,
            false => {
                subscribe_into(version, id, (filter.as_bytes(), self.task.qos), packet)?;
            }
        }
        let word = if ends { "UNSUBSCRIBE" } else { "SUBSCRIBE" };
        self.show(|lines| lines.add('>', &format!("{word} {filter}")));
        let (until, packet) = (self.until(), &self.user.packet);
        let subscribing = async {
            connection.send(packet).await?;
            connection.subscribed(ends, id, until).await
        };
        let late = Err(ConnectionFault::Deadline.into());
        self.deadline.race(subscribing).await.unwrap_or(late)
    }

    async fn receive(&mut self, connection: &mut Connection) -> Result<(), Fault> {
        let (task, until) = (self.task, self.until());
        let scope = &mut self.virtual_user.scope;
        let filter = task.topic(scope)?;
        let mut expecting = task.expected.begin(scope);
        loop {
            let receiving = connection.message(filter.as_deref(), until);
            let Some(received) = self.deadline.race(receiving).await else {
                return Err(match expecting.missing() {
                    Some(missing) => Fault::Unmatched(missing),
                    None => ConnectionFault::Deadline.into(),
                });
            };
            let message = received?;
            let length = message.payload().len();
            if let Some(tracer) = &self.driver.reach.tracer {
                let topic = message.topic();
                self.show(|lines| lines.add('<', &format!("PUBLISH {topic}")));
                tracer.bytes('<', message.payload(), length as u64);
            }
            let fit = expecting.fit(message.payload());
            if fit == Fit::Skipped {
                continue;
            }
            self.user.held.set(self.user.packet.capacity() + length)?;
            self.user.bytes = length as u64;
            self.user.message = message;
            match fit {
                Fit::Wrong(why) => return Err(Fault::Checked(why)),
                Fit::Right | Fit::Skipped => break,
            }
        }
        let message = &self.user.message;
        let length = message.payload().len();
        let judged = self.common.checks.judge(message, length, &mut self.virtual_user.scope);
        judged.await.map_err(Fault::Checked)
    }

    /// The topic of a step that sends, if its connection can.
    fn topic(&mut self, connection: &Connection) -> Result<Cow<'a, str>, Fault> {
        if let Some(fault) = connection.ended() {
            return Err(fault.clone());
        }
        Ok(self.task.topic(&mut self.virtual_user.scope)?.unwrap_or_default())
    }

    fn until(&self) -> Instant {
        self.deadline.at().unwrap_or_else(Instant::now)
    }

    /// Shows what is sent or received, if somebody looks.
    fn show(&self, write: impl FnOnce(&mut Lines)) {
        if let Some(tracer) = &self.driver.reach.tracer {
            let mut lines = Lines::default();
            write(&mut lines);
            tracer.show(lines);
        }
    }
}
