//! gRPC tasks: one call each, over a session of HTTP/2 that a user keeps. The path of a task: [`task`]
//! parses and links it, [`types`] or [`reflection`] find its method; of a call: [`mod@call`] →
//! [`messages`] → [`json`], if checks need it → [`check`](mod@super::check) → a sample.
//!
//! Unlike in LoadDensity, nothing of Python is imported, streams work, types may come from the target,
//! and a status fails with its name. `status_code` compares the number of the status; without that
//! assertion every status but OK fails. Of a stream the checks see the list of its messages.

mod address;
mod call;
mod fault;
mod fields;
mod json;
pub mod messages;
mod metadata;
mod reflection;
mod task;
mod types;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use prost_reflect::DescriptorPool;
use tokio::task::LocalSet;
use tokio::time::{Instant, timeout_at};

use self::address::Address;
use self::call::{Reply, call};
use self::fault::Fault;
use self::json::NoText;
use self::messages::{Messages, split};
use self::reflection::NotKnown;
use self::task::{Defaults, Method, Task, TaskDraft};
use self::types::{Known, Room, Source, Wanted};
use crate::error::reason;
use crate::load::driver::VirtualUser;
use crate::load::template::{Linker, Template};
use crate::memory::Held;
use crate::net::Dialer;
use crate::net::grpc::Code;
use crate::protocol::checked::Unreadable;
use crate::protocol::fault::ConnectionFault;
use crate::protocol::http::{Http2Session, Way};
use crate::protocol::labels::{Name, Naming};
use crate::protocol::step::{Common, Received, Step, StepDriver, StepFault, StepProtocol};
use crate::protocol::trace::Lines;
use crate::protocol::user::{Reach, Setup};
use crate::value::{Field, Invalid};

/// How long targets may take to say their types, all together.
const ASKING: Duration = Duration::from_secs(10);

/// How many calls in a row may end in silence before their session is given up.
const MOST_SILENT: u32 = 2;

/// The ways in which types come, for refusals.
const WAYS: &str = "give \"descriptor_set\" (a FileDescriptorSet) or \"proto\" (.proto files), or \
                    enable server reflection in the target";

/// gRPC.
#[derive(Debug)]
pub(super) enum Grpc {}

/// What one user keeps between steps.
#[derive(Debug)]
pub(crate) struct User {
    connection: Option<Box<Connection>>,
    reply: Reply,
    /// What payloads and the text of the reply take of the ceiling for memory.
    sent: Held,
    read: Held,
}

/// A session with a target.
#[derive(Debug)]
struct Connection {
    address: Arc<Address>,
    /// The index of its TLS and proxy setting in the driver.
    setting: usize,
    session: Http2Session,
    /// Calls without any response since the last one.
    silent: u32,
}

impl StepProtocol for Grpc {
    const USER: &'static str = "a grpc_user";
    const FIELDS: &'static [&'static [Field]] = fields::FIELDS;

    type Defaults = Defaults;
    type TaskDraft = TaskDraft;
    type Task = Task;
    type Worker = ();
    type User = User;
    /// The target, or why it is none.
    type Begun = Result<Arc<Address>, String>;
    type Reply = Reply;
    type Fault = Fault;

    fn defaults(setup: &Setup<'_>) -> Result<Defaults, Invalid> {
        Defaults::parse(setup)
    }

    fn prepare(driver: &mut StepDriver<Self>, linker: &mut Linker<'_>) -> Result<(), Invalid> {
        let mut room = Room::of(&driver.reach.memory);
        let asked = ask(driver, &mut room)?;
        let mut known = Known::default();
        for (index, (task, common)) in driver.tasks.iter_mut().enumerate() {
            let pool = match asked.get(&index) {
                Some(pool) => pool.clone(),
                None => known.read(&task.source, linker, &mut room)?,
            };
            let method = task.wanted.find(&pool).map_err(|why| task.refusal(why))?;
            task.complete(&method, &common.timeout)?;
        }
        if let Some((first, _)) = driver.tasks.first_mut() {
            first.room = Some(room);
        }
        Ok(())
    }

    fn worker() {}

    fn user(reach: &Reach) -> User {
        let messages = Messages::new(reach.max_body_bytes).holding(reach.memory.held("messages"));
        let (sent, read) = (reach.memory.held("payloads"), reach.memory.held("replies"));
        User { connection: None, reply: Reply::new(messages), sent, read }
    }

    fn begin<'a>(
        task: &'a Task,
        _: &mut User,
        virtual_user: &mut VirtualUser,
    ) -> (Cow<'a, str>, Self::Begun) {
        let address = task.address(&mut virtual_user.scope);
        let shown = match (&task.address, &address) {
            (Some(known), _) => Cow::from(&*known.shown),
            (None, Ok(address)) => Cow::from(address.shown.clone()),
            (None, Err(_)) => Cow::from(""),
        };
        (shown, address)
    }

    fn naming<'a>(task: &'a Task, _: &'a Template) -> Naming<'a> {
        Naming { method: "GRPC", url: task.target(), name: Name::Written(&task.name) }
    }

    fn run(
        step: &mut Step<'_, Self>,
        address: Self::Begun,
    ) -> impl Future<Output = Result<(), Fault>> {
        step.run(address)
    }

    fn reply<'a>(_: &Task, user: &'a User) -> Option<&'a Reply> {
        Some(&user.reply)
    }

    fn received(user: &User) -> Received<'_> {
        let text = user.reply.text.as_deref().unwrap_or_default();
        Received::new(user.reply.messages.bytes(), text)
    }

    fn settle(user: &mut User) {
        user.reply.restart();
        // Less always fits.
        let _ = (user.sent.set(0), user.read.set(0));
    }
}

impl Step<'_, Grpc> {
    async fn run(&mut self, address: Result<Arc<Address>, String>) -> Result<(), Fault> {
        let address = address.map_err(Fault::Target)?;
        if self.virtual_user.is_lost() {
            return Err(ConnectionFault::Lost.into());
        }
        let deadline = self.deadline.at().unwrap_or_else(Instant::now);
        let scope = &mut self.virtual_user.scope;
        let mut head = self.task.head(&address, deadline, scope)?;
        let body = self.task.body(scope)?;
        if !self.task.is_fixed() {
            self.user.sent.set(body.len())?;
        }
        self.show_request(&head, &body);
        let known = self.user.connection.take();
        let known = known.filter(|known| known.serves(&address, self.common.setting));
        if let Some(known) = known {
            let spare = self.task.spare(&head);
            let outcome = self.exchange(known, (head, body.clone())).await;
            match outcome {
                // The session has ended in the meantime, and the target has not seen the call.
                Err(fault) if fault.is_untaken() => self.user.reply.restart(),
                outcome => return outcome,
            }
            head = match spare {
                Some(head) => head,
                None => self.task.head(&address, deadline, &mut self.virtual_user.scope)?,
            };
        }
        // Boxed: a step that reuses a session must not carry the state of connecting.
        let connection = Box::pin(self.connect(&address)).await?;
        self.exchange(connection, (head, body)).await
    }

    /// Calls, judges what comes back, and keeps the session if it can carry another call.
    async fn exchange(
        &mut self,
        mut connection: Box<Connection>,
        (head, body): (http::Request<()>, Bytes),
    ) -> Result<(), Fault> {
        let reads = self.driver.reach.tracer.is_some()
            || self.virtual_user.keeps_bodies()
            || self.common.checks.capture().body;
        let reply = &mut self.user.reply;
        let calling = call(&connection.session, head, body, reply, reads);
        let called = self.deadline.race(calling).await;
        let late = called.is_none();
        let mut outcome = called.unwrap_or_else(|| Err(ConnectionFault::Deadline.into()));
        let status = self.user.reply.status.as_ref().filter(|status| status.code != Code::OK);
        if let (Ok(()), Some(status)) = (&outcome, status)
            && !self.common.checks.expect_status()
        {
            outcome = Err(Fault::Status(status.clone()));
        }
        if let Err(Fault::Status(status)) = &outcome
            && matches!(status.code, Code::CANCELLED | Code::DEADLINE_EXCEEDED)
            && self.deadline.passed()
        {
            // The target has kept to the deadline, too.
            outcome = Err(ConnectionFault::Deadline.into());
        }
        let silent = late && self.user.reply.head.is_empty();
        connection.silent = if silent { connection.silent + 1 } else { 0 };
        if outcome.is_ok() {
            outcome = self.judge(reads).await;
        }
        self.show_response(&outcome);
        let usable = outcome.as_ref().err().is_none_or(Fault::leaves_connection);
        if usable && connection.silent < MOST_SILENT {
            self.user.connection = Some(connection);
        }
        outcome
    }

    /// Checks the messages of a call that has ended as expected.
    async fn judge(&mut self, reads: bool) -> Result<(), Fault> {
        let Some(method) = &self.task.method else { return Ok(()) };
        let User { reply, read, .. } = &mut *self.user;
        if reply.code() == Code::OK {
            match reply.messages.count() {
                _ if method.shape.receives => {}
                0 => return Err(Fault::internal("the status is OK, but there is no message")),
                1 => {}
                _ => return Err(Fault::internal("more than one message, and no stream")),
            }
        }
        if reads {
            let limit = self.driver.reach.max_body_bytes;
            reply.text = read_text(method, &reply.messages, limit, read).await?;
        }
        let length = reply.text.as_ref().map_or(0, Vec::len);
        let judged = self.common.checks.judge(&*reply, length, &mut self.virtual_user.scope);
        judged.await.map_err(Fault::Checked)
    }

    async fn connect(&mut self, address: &Arc<Address>) -> Result<Box<Connection>, Fault> {
        let deadline = self.deadline.at().unwrap_or_else(Instant::now);
        let way = self.driver.way(self.dialer, self.common.setting, deadline);
        let trace = self.virtual_user.trace();
        let session = open(&way, address, |description| {
            if let Some(trace) = trace {
                trace.connection(&address.authority, || format!("{description}, gRPC"));
            }
        });
        let (address, setting) = (Arc::clone(address), self.common.setting);
        Ok(Box::new(Connection { address, setting, session: session.await?, silent: 0 }))
    }

    /// Shows a call to whoever looks.
    fn show_request(&self, head: &http::Request<()>, body: &Bytes) {
        let (Some(tracer), Some(method)) = (&self.driver.reach.tracer, &self.task.method) else {
            return;
        };
        let mut lines = Lines::default();
        lines.add('>', &format!("{} gRPC  to {}", head.uri().path(), self.url));
        show_headers('>', head.headers(), &mut lines);
        lines.add('>', "");
        for message in split(body) {
            show_message('>', &method.input, message, &mut lines);
        }
        tracer.show(lines);
    }

    /// Shows what has come of it.
    fn show_response(&self, outcome: &Result<(), Fault>) {
        let Some(tracer) = &self.driver.reach.tracer else { return };
        let Reply { status, head, trailers, messages, .. } = &self.user.reply;
        let mut lines = Lines::default();
        match (status, outcome) {
            (Some(status), _) => lines.add('<', &format!("gRPC {status}")),
            (None, Err(fault)) => lines.add('<', &fault.text(&self.common.timeout.text)),
            (None, Ok(())) => {}
        }
        show_headers('<', head, &mut lines);
        show_headers('<', trailers, &mut lines);
        if let (Some(kept), Some(method)) = (messages.kept(), &self.task.method) {
            lines.add('<', "");
            for message in kept {
                show_message('<', &method.output, message, &mut lines);
            }
        }
        tracer.show(lines);
    }
}

/// The JSON of a response's messages, or why checks cannot have it.
async fn read_text(
    method: &Method,
    messages: &Messages,
    limit: usize,
    held: &mut Held,
) -> Result<Result<Vec<u8>, Unreadable>, Fault> {
    let Some(kept) = messages.kept() else { return Ok(Err(Unreadable::OverLimit(limit))) };
    let (kind, stream) = (&method.output, method.shape.receives);
    match Box::pin(json::text(kind, kept, stream, limit, held)).await {
        Ok(text) => Ok(Ok(text)),
        Err(NoText::Unreadable(why)) => Ok(Err(why)),
        Err(NoText::Foreign) => {
            Err(Fault::internal(format!("the response is no {}", kind.full_name())))
        }
    }
}

/// Shows metadata.
fn show_headers(sign: char, headers: &http::HeaderMap, lines: &mut Lines) {
    for (name, value) in headers {
        lines.header(sign, name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
    }
}

/// Shows a message as JSON, or its size.
fn show_message(
    sign: char,
    kind: &prost_reflect::MessageDescriptor,
    message: &[u8],
    lines: &mut Lines,
) {
    match json::shown(kind, message) {
        Some(text) => lines.body(sign, &text, text.len() as u64),
        None => lines.add(sign, &format!("(a message of {} bytes)", message.len())),
    }
}

impl Connection {
    /// Whether it leads to this target with this setting, and may carry a call.
    fn serves(&self, address: &Address, setting: usize) -> bool {
        *self.address == *address && self.setting == setting && !self.session.ended()
    }
}

/// Opens a session; `opened` is told how.
async fn open(
    way: &Way<'_>,
    address: &Address,
    opened: impl FnOnce(String),
) -> Result<Http2Session, Fault> {
    let (stream, _) = way.open(&address.origin, true).await?;
    opened(stream.description());
    if address.origin.tls && !stream.is_http2() {
        return Err(Fault::not_grpc("the target does not agree on HTTP/2 (ALPN)"));
    }
    let session = timeout_at(way.deadline, Http2Session::open(stream)).await;
    Ok(session.map_err(|_| ConnectionFault::Deadline)??)
}

/// What is asked of one target: the tasks' indices.
type Questions = HashMap<(String, usize), Vec<usize>>;

/// Asks targets for the types of the tasks that have no other source, before the first user.
fn ask(
    driver: &StepDriver<Grpc>,
    room: &mut Room,
) -> Result<HashMap<usize, DescriptorPool>, Invalid> {
    let mut questions = Questions::new();
    for (index, (task, common)) in driver.tasks.iter().enumerate() {
        if !matches!(task.source, Source::Reflection) {
            continue;
        }
        let Some(address) = &task.address else {
            return Err(task.refusal(format!(
                "the types of its method are not known, and its target is not known before the test: \
                 {WAYS}"
            )));
        };
        let key = (format!("{} {}", address.authority, address.origin.tls), common.setting);
        questions.entry(key).or_default().push(index);
    }
    if questions.is_empty() {
        return Ok(HashMap::new());
    }
    let asked_of = &questions;
    let first = questions.values().flatten().min().and_then(|index| driver.tasks.get(*index));
    let refusal = &|why: &str| match first {
        Some((task, _)) => task.refusal(why),
        None => Invalid { pointer: String::new(), message: why.to_owned() },
    };
    // The caller may be in a runtime, which must not be blocked.
    let asking = move || -> Result<HashMap<usize, DescriptorPool>, Invalid> {
        let failed = |why: std::io::Error| {
            refusal(&format!("no target can be asked for its types: {}", reason(&why)))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let outcome = runtime.block_on(LocalSet::new().run_until(ask_all(driver, asked_of, room)));
        runtime.shutdown_background();
        outcome
    };
    let asked = thread::scope(|scope| {
        let thread = thread::Builder::new().name("reflection".to_owned());
        thread.spawn_scoped(scope, asking).map(|thread| thread.join().ok())
    });
    match asked {
        Ok(Some(asked)) => asked,
        Ok(None) => Err(refusal("the target's types cannot be used")),
        Err(error) => Err(refusal(&format!("no thread to ask for types: {}", reason(&error)))),
    }
}

/// Asks one target after another, until all have answered, the time is over or the test is cancelled.
async fn ask_all(
    driver: &StepDriver<Grpc>,
    questions: &Questions,
    room: &mut Room,
) -> Result<HashMap<usize, DescriptorPool>, Invalid> {
    let deadline = Instant::now() + ASKING;
    let dialer = Dialer::new(driver.reach.targets.clone());
    let mut asked = HashMap::new();
    for indices in questions.values() {
        let tasks: Vec<&(Task, Common)> =
            indices.iter().filter_map(|index| driver.tasks.get(*index)).collect();
        let Some((task, common)) = tasks.first() else { continue };
        let wanted: Vec<&Wanted> = tasks.iter().map(|(task, _)| &task.wanted).collect();
        let deadline = deadline.min(Instant::now() + common.timeout.duration);
        let way = driver.way(&dialer, common.setting, deadline);
        let asking = timeout_at(deadline, ask_one(task, &way, &wanted, room));
        let found = tokio::select! {
            biased;
            () = driver.reach.cancel.cancelled() => Err(NotKnown::Target("the test was cancelled".to_owned())),
            found = asking => found.unwrap_or_else(|_| {
                Err(NotKnown::Types("the target did not answer in time".to_owned()))
            }),
        };
        let pool = found.map_err(|why| {
            // With the port that a target without one gets.
            let shown = task.address.as_ref().map_or("", |address| &address.authority);
            let unknown = "the types of its method are not known";
            task.refusal(match why {
                NotKnown::Target(why) => format!("{unknown}: {why} ({shown})"),
                NotKnown::Types(why) => format!("{unknown}: {why} ({shown}); {WAYS}"),
                NotKnown::Service(why) => why,
            })
        })?;
        asked.extend(indices.iter().map(|index| (*index, pool.clone())));
    }
    Ok(asked)
}

async fn ask_one(
    task: &Task,
    way: &Way<'_>,
    wanted: &[&Wanted],
    room: &mut Room,
) -> Result<DescriptorPool, NotKnown> {
    let varies = || NotKnown::Target("its target varies".to_owned());
    let address = task.address.as_ref().ok_or_else(varies)?;
    let session = open(way, address, |_| {}).await;
    let session = session.map_err(|fault| NotKnown::Target(fault.text("10")))?;
    let head = |path: &str| task.head_of(path, address);
    reflection::ask(&session, &head, wanted, room).await
}
