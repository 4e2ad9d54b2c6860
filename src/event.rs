//! What happens while a document runs, and what a server says about itself. The executor emits events
//! into a [`Sink`] without knowing what is behind it: a session writes them to its client in one of the
//! dialects, `ldctl run` prints them, a test collects them. The client reads the same types back.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::counters::Counts;
use crate::value::Value;

/// The version of the event dialect.
pub const PROTOCOL: u32 = 1;

/// How the message of a [`FailureKind::Busy`] begins: in the text dialect nothing else tells it from
/// another `RuntimeError`.
pub const BUSY: &str = "another test is running";

/// One thing that happened. As JSON every event is an object with the key `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The document was taken; its actions follow.
    Accepted {
        /// The dialect's version, [`PROTOCOL`].
        protocol: u32,
        /// The run's number since the server started.
        run: u64,
        /// How many actions the document holds.
        actions: usize,
    },
    /// An action begins.
    Started {
        /// Its place in the document, from 0.
        index: usize,
        /// Its command.
        command: String,
    },
    /// A load test's figures so far, about once a second.
    Progress(Progress),
    /// An action has ended.
    Result(ActionResult),
    /// The request was refused, or broke.
    Error {
        /// Which kind of refusal.
        kind: ErrorKind,
        /// What to change.
        message: String,
    },
    /// The answer to a ping.
    Pong(Pong),
    /// The answer to the question which test runs, or to a stop.
    Status(Status),
    /// The document has ended, whatever its actions gave.
    Done {
        /// Whether no action failed.
        ok: bool,
        /// How many failed.
        failed: usize,
        /// Seconds from acceptance to here.
        elapsed_s: f64,
    },
}

impl Event {
    /// The end of what runs no document.
    pub const DONE: Self = Self::Done { ok: true, failed: 0, elapsed_s: 0.0 };
}

/// Which server answered a ping, and what it has done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pong {
    /// The server's name, `ldctl`.
    pub server: String,
    /// Its version.
    pub version: String,
    /// The dialect's version, [`PROTOCOL`].
    pub protocol: u32,
    /// Seconds since it started.
    pub uptime_s: f64,
    /// Documents that it has taken since it started.
    pub runs: u64,
    /// What it has counted; an older server does not say.
    #[serde(flatten)]
    pub counts: Option<Counts>,
}

/// Which test runs, if one does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Whether one does, and whether it goes on.
    pub state: State,
    /// That test.
    #[serde(flatten)]
    pub test: Option<TestStatus>,
}

impl Status {
    /// No test runs.
    pub const IDLE: Self = Self { state: State::Idle, test: None };
}

/// Whether a test runs, and whether it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No test runs.
    Idle,
    /// It runs.
    Running,
    /// It was told to stop and still waits for requests in hand.
    Stopping,
    /// It was stopped.
    Stopped,
    /// A state that this version does not know.
    #[serde(other)]
    Other,
}

/// A test that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestStatus {
    /// The number of the document that started it.
    pub run: u64,
    /// What it is, for people.
    pub name: String,
    /// Seconds since it began.
    pub elapsed_s: f64,
    /// Seconds until its end; `None` for one that runs until it is stopped.
    pub remaining_s: Option<f64>,
    /// Virtual users; of a test that has ended, at the last look.
    pub users: usize,
    /// Requests so far.
    pub requests: u64,
    /// Requests that failed so far.
    pub failures: u64,
}

/// One line, for people.
impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(test) = &self.test else { return out.write_str("no test is running") };
        let TestStatus { run, name, elapsed_s, remaining_s, users, requests, failures } = test;
        let state = match self.state {
            State::Stopping => "stopping",
            State::Stopped => "stopped",
            State::Idle | State::Running | State::Other => "running",
        };
        // A test that has just begun has not run for 0 seconds.
        let digits = usize::from(*elapsed_s < 10.0);
        write!(out, "{state}: {name} of run {run}, {elapsed_s:.digits$} s so far")?;
        match remaining_s {
            _ if self.state == State::Stopped => {}
            Some(left) => write!(out, ", {left:.0} s left")?,
            None => out.write_str(", until it is stopped")?,
        }
        write!(out, ", {users} users, {requests} requests, {failures} failed")
    }
}

/// A load test's figures so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The place of the test in the document.
    pub index: usize,
    /// Seconds since the test began.
    pub elapsed_s: f64,
    /// Seconds until its end; `None` for one that runs until it is stopped, and from an older server.
    pub remaining_s: Option<f64>,
    /// Virtual users that run now.
    pub users: usize,
    /// Requests so far.
    pub requests: u64,
    /// Requests that failed so far.
    pub failures: u64,
    /// Requests per second over the last interval.
    pub rps: f64,
    /// Median latency over the last interval.
    pub p50_ms: f64,
    /// 95th percentile over the last interval.
    pub p95_ms: f64,
    /// 99th percentile over the last interval.
    pub p99_ms: f64,
}

/// How one action ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionResult {
    /// Its place in the document, from 0.
    pub index: usize,
    /// Its command; empty where the action has none.
    pub command: String,
    /// Whether it succeeded.
    pub ok: bool,
    /// What it gave.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Its line in the text dialect, where the value holds more than the reference's does (a load
    /// test's summary) or the reference would not call it a failure, and the line therefore is not that
    /// of the value or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What a person should know about it although it succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

impl ActionResult {
    /// The result of an action that gave this value or failed so.
    pub fn new(index: usize, command: &str, outcome: Result<Value, Failure>) -> Self {
        let (value, error) = match outcome {
            Ok(value) => (Some(value), None),
            Err(failure) => (None, Some(failure)),
        };
        let (command, ok) = (command.to_owned(), error.is_none());
        Self { index, command, ok, value, text: None, warnings: Vec::new(), error }
    }
}

/// Why an action failed: a kind for programs, and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// What is wrong and what to change.
    pub message: String,
}

impl Failure {
    /// A failure of a kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The kinds of failure of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// An unknown command or an action of the wrong form.
    InvalidAction,
    /// A gate does not hold.
    Gate,
    /// A test in which not one request succeeded.
    NoSuccess,
    /// There is nothing to report as JSON or XML.
    NoRecords,
    /// There is nothing to report as a page.
    NoPage,
    /// An argument is missing, unknown or of the wrong kind.
    InvalidArgument,
    /// An argument is of the right kind and still cannot be used.
    InvalidValue,
    /// An action that has no name where one should stand.
    Malformed,
    /// A document file cannot be read.
    InvalidFile,
    /// A file or directory cannot be read or written.
    File,
    /// A database cannot be opened or used.
    Database,
    /// Refused by design or by a limit of this server.
    Refused,
    /// Another test is running.
    Busy,
    /// The test was cancelled.
    Cancelled,
    /// An exporter or stub server cannot be started.
    Network,
    /// A fault of this program.
    Internal,
    /// A kind that this version does not know.
    #[serde(other)]
    Other,
}

/// Why a whole request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The server wants a token and the request carries none.
    TokenRequired,
    /// The token is not the server's.
    Unauthorised,
    /// The request is not JSON.
    InvalidJson,
    /// The request is JSON, but no document.
    InvalidDocument,
    /// A frame's length is out of bounds.
    FrameLength,
    /// The request timed out before it was complete.
    Timeout,
    /// The server has no room for it now.
    Busy,
    /// A limit of the server is passed.
    Limit,
    /// A fault of the server.
    Internal,
    /// A kind that this version does not know.
    #[serde(other)]
    Other,
}

/// Where events go.
pub trait Sink {
    /// Takes one event. It must not block for long: the caller is the run itself.
    fn emit(&mut self, event: Event);

    /// Takes the result of an action, whose text it is given as Python's `str()` writes it: in the
    /// text dialect actions with an equal text share a line.
    fn result(&mut self, _action: &str, result: ActionResult) {
        self.emit(Event::Result(result));
    }
}

impl<F: FnMut(Event)> Sink for F {
    fn emit(&mut self, event: Event) {
        self(event);
    }
}

/// `value` may be there and null: the result of a command that gives nothing.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}
