//! What runs in the executor's Python: commands that are not native here, and load tests.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::command::Command;
use super::context::Context;
use super::loaddensity;
use crate::event::{BUSY, Failure, FailureKind};
use crate::load::{Elsewhere, Happening, Request};
use crate::python::{Answer, Call, Python, Raised, Row, StartError, Step};
use crate::record::{Label, NO_STATUS, Records};
use crate::value::{Map, Value};

/// How often a call looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// How long a call may take to end once it was asked to.
const GRACE: Duration = Duration::from_millis(900);

/// Records that are handed to a command: some 650 bytes each in Python.
const MOST_RECORDS: usize = 1_000_000;

/// Commands whose databases are kept here, because each test starts without any.
const SOURCE: &str = "LD_register_db_source";
const SOURCES: &str = "LD_register_db_sources";

/// The parameters of [`SOURCE`], in positional order.
const SOURCE_KEYS: [&str; 4] = ["name", "connection_string", "query", "cycle"];

/// A command that runs in the executor's Python.
#[derive(Debug)]
pub(super) struct Delegated {
    name: String,
    arguments: Option<Value>,
}

impl Delegated {
    /// A command of LoadDensity with its arguments as the document has them.
    pub(super) fn new(name: &str, arguments: Option<&Value>) -> Self {
        Self { name: name.to_owned(), arguments: arguments.cloned() }
    }
}

/// What is said of what only the executor's Python can do.
pub(crate) const NEEDS: &str = "needs --executor PYTHON";

/// Why something needs Python, and there is none.
pub(super) fn needs_executor(name: &str) -> Failure {
    Failure::new(FailureKind::Refused, format!("{name} {NEEDS}"))
}

/// Why a command is refused whatever runs it.
pub(super) fn refused(name: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Refused, format!("{name} is refused by design: {why}"))
}

impl Command for Delegated {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { name, arguments } = *self;
        let python = context.python().ok_or_else(|| needs_executor(&name))?;
        let call = if loaddensity::reads_records(&name) {
            let records = context.records();
            let rows = rows(&records);
            if rows.len() < records.len() {
                let left_out = records.len() - rows.len();
                context.warn(vec![format!("{left_out} requests are not among its records")]);
            }
            python.call_alone(&name, arguments.as_ref(), &rows).ok_or_else(busy)?
        } else {
            python.call(&name, arguments.as_ref())
        };
        let value = finish(call.map_err(|error| unavailable(&error))?, &name, context)?;
        if let Some(sources) = databases(&name, arguments.as_ref()) {
            context.register_databases(sources)?;
        }
        Ok(value)
    }
}

/// Waits for the end of a call.
fn finish(mut call: Call, name: &str, context: &mut Context<'_>) -> Result<Value, Failure> {
    let mut stopped = None::<Instant>;
    loop {
        match call.next(LOOK) {
            Step::Answer(_) | Step::Lost(_) if stopped.is_some() => return Err(cancelled(name)),
            Step::Answer(Answer::Value(value, text)) => {
                return result(value, text, name, context);
            }
            Step::Answer(Answer::Raised(raised)) => return Err(failure(raised, context)),
            Step::Answer(_) | Step::Nothing => {}
            Step::Lost(why) => return Err(lost(name, &why)),
        }
        match stopped {
            None if context.cancel().is_cancelled() => {
                call.stop();
                stopped = Some(Instant::now());
            }
            Some(since) if since.elapsed() >= GRACE => {
                call.kill(&did_not_end(name));
                return Err(cancelled(name));
            }
            _ => {}
        }
    }
}

fn result(
    value: Option<Value>,
    text: String,
    name: &str,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let value = value.unwrap_or_else(|| Value::Str(text.clone()));
    let mut share = context.memory().share("results of the executor's Python");
    let taken = share.grow(value.weight() + text.len());
    taken.map_err(|full| Failure::new(FailureKind::Refused, format!("{name}: {full}")))?;
    context.hold(share);
    context.say(text);
    Ok(value)
}

/// An exception of Python as a failure; the text dialect shows it as Python does.
fn failure(raised: Raised, context: &mut Context<'_>) -> Failure {
    let Raised { kind, message, text } = raised;
    context.say(text);
    let separator = if message.is_empty() { "" } else { ": " };
    Failure::new(FailureKind::Python, format!("{kind}{separator}{message}"))
}

fn cancelled(name: &str) -> Failure {
    Failure::new(FailureKind::Cancelled, format!("{name} was cancelled"))
}

fn lost(what: &str, why: &str) -> Failure {
    let message = format!("the executor's Python ended during {what}: {why}");
    Failure::new(FailureKind::Internal, message)
}

/// What the calls beside it are told, which end with it.
fn did_not_end(other: &str) -> String {
    format!("another call, {other}, did not end within a second when it was stopped")
}

fn unavailable(error: &StartError) -> Failure {
    Failure::new(FailureKind::Internal, format!("the executor's Python: {error}"))
}

fn busy() -> Failure {
    let message = format!("{BUSY}: in the executor's Python, which runs one at a time");
    Failure::new(FailureKind::Busy, message)
}

/// The databases that a command has registered, as a test takes them.
fn databases(name: &str, arguments: Option<&Value>) -> Option<Vec<Value>> {
    match (name, arguments?) {
        (SOURCE, Value::Dict(members)) => Some(vec![Value::Dict(members.clone())]),
        (SOURCE, Value::List(values)) => {
            let named = SOURCE_KEYS.iter().zip(values);
            let named = named.map(|(key, value)| ((*key).to_owned(), value.clone()));
            Some(vec![Value::Dict(named.collect())])
        }
        (SOURCES, Value::Dict(members)) => list(members.get("sources")?),
        (SOURCES, Value::List(values)) => list(values.first()?),
        _ => None,
    }
}

fn list(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(values) => Some(values.clone()),
        _ => None,
    }
}

/// Records as Python keeps them.
fn rows(records: &Records) -> Vec<Row> {
    let rows = records.rows().take(MOST_RECORDS).map(|row| {
        Row(
            !row.failed(),
            row.label.method.to_string(),
            row.label.url.to_string(),
            row.label.name.to_string(),
            row.status.map(i64::from),
            row.response_ms,
            row.bytes,
            row.error.map(str::to_owned),
            Some(row.start_time),
        )
    });
    rows.collect()
}

/// How a test in Python has ended, if not by itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending(Arc<OnceLock<End>>);

#[derive(Debug)]
enum End {
    Raised(Raised),
    Lost(String),
}

impl Ending {
    /// The failure of the test that it is.
    pub(crate) fn failure(&self, context: &mut Context<'_>) -> Option<Failure> {
        self.0.get().map(|end| match end {
            End::Raised(raised) => failure(raised.clone(), context),
            End::Lost(why) => lost("the test", why),
        })
    }
}

/// A test in the executor's Python.
#[derive(Debug)]
pub(crate) struct DelegatedTest {
    call: Call,
    ending: Ending,
}

impl DelegatedTest {
    /// Starts a test with these arguments; what documents have registered so far is added to them.
    pub(crate) fn start(
        mut arguments: Map,
        context: &Context<'_>,
    ) -> Result<(Self, Ending), Failure> {
        let python: &Python = context.python().ok_or_else(|| needs_executor("the test"))?;
        let resolver = context.resolver_snapshot();
        arguments.insert("variables".to_owned(), Value::Dict(resolver.variables()));
        arguments.insert("csv_sources".to_owned(), Value::List(resolver.files()));
        let databases = resolver.databases().iter().cloned();
        let own = arguments.swap_remove("db_sources").and_then(|own| list(&own));
        let databases: Vec<Value> = databases.chain(own.unwrap_or_default()).collect();
        if !databases.is_empty() {
            arguments.insert("db_sources".to_owned(), Value::List(databases));
        }
        let call = python.test(&Value::Dict(arguments)).ok_or_else(busy)?;
        let call = call.map_err(|error| unavailable(&error))?;
        let ending = Ending::default();
        Ok((Self { call, ending: ending.clone() }, ending))
    }
}

impl Elsewhere for DelegatedTest {
    fn next(&mut self, patience: Duration) -> Happening {
        match self.call.next(patience) {
            Step::Nothing => Happening::Nothing,
            Step::Answer(Answer::Rows(rows)) => {
                Happening::Requests(rows.into_iter().map(request).collect())
            }
            Step::Answer(Answer::Users(users)) => Happening::Users(users),
            Step::Answer(Answer::Value(..)) => Happening::Over,
            Step::Answer(Answer::Raised(raised)) => {
                let _ = self.ending.0.set(End::Raised(raised));
                Happening::Over
            }
            Step::Lost(why) => {
                let _ = self.ending.0.set(End::Lost(why));
                Happening::Over
            }
        }
    }

    fn stop(&mut self) {
        self.call.stop();
    }

    fn abandon(&mut self) {
        self.call.kill(&did_not_end("a test"));
    }
}

fn request(row: Row) -> Request {
    let Row(ok, method, url, name, status, took_ms, bytes, error, start) = row;
    let status = status.map_or(NO_STATUS, |status| u16::try_from(status).unwrap_or(0));
    let unknown = || "it failed without a reason".to_owned();
    Request {
        label: Label { method: method.into(), url: url.into(), name: name.into() },
        start,
        took: Duration::try_from_secs_f64(took_ms.max(0.0) / 1000.0).unwrap_or_default(),
        status,
        bytes,
        error: (!ok).then(|| error.unwrap_or_else(unknown)),
    }
}
