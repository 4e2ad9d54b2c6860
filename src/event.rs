//! Events of a running document and of a server. The executor emits events into a [`Sink`],
//! whatever is behind it: a session writes them to its client in one of the dialects, `ldctl run`
//! prints them, a test collects them. The client reads the same types back.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::counters::Counts;
use crate::value::Value;

/// The version of the event dialect.
pub const PROTOCOL: u32 = 1;

/// The prefix of a [`FailureKind::Busy`] message: in the text dialect only the prefix distinguishes
/// it from another `RuntimeError`.
pub const BUSY: &str = "another test is running";

/// One event. As JSON it is an object with the key `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The document was accepted; its actions follow.
    Accepted {
        /// The dialect's version, [`PROTOCOL`].
        protocol: u32,
        /// The run's number since the server started.
        run: u64,
        /// How many actions the document holds.
        actions: usize,
    },
    /// An action starts.
    Started {
        /// Its index in the document, from 0.
        index: usize,
        /// Its command.
        command: String,
    },
    /// The figures of a load test so far, about once a second.
    Progress(Progress),
    /// An action has ended.
    Result(ActionResult),
    /// The request was refused, or failed.
    Error {
        /// The kind of refusal.
        kind: ErrorKind,
        /// What is wrong and what to change.
        message: String,
    },
    /// The reply to a ping.
    Pong(Pong),
    /// The reply to a status request or a stop.
    Status(Status),
    /// The document has ended, whatever the results of its actions.
    Done {
        /// Whether no action failed.
        ok: bool,
        /// How many failed.
        failed: usize,
        /// Seconds from acceptance to the end.
        elapsed_s: f64,
    },
}

impl Event {
    /// The end of a reply to which no document was run.
    pub const DONE: Self = Self::Done { ok: true, failed: 0, elapsed_s: 0.0 };
}

/// The server that replied to a ping, and its figures.
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
    /// Documents accepted since it started.
    pub runs: u64,
    /// Its counters; older servers do not send them.
    #[serde(flatten)]
    pub counts: Option<Counts>,
}

/// The running test, if any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// That test.
    #[serde(flatten)]
    pub test: Option<TestStatus>,
}

impl Status {
    /// No test runs.
    pub const IDLE: Self = Self { state: State::Idle, test: None };
}

/// The state of the running test, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No test runs.
    Idle,
    /// It runs.
    Running,
    /// It was stopped and still waits for requests in progress.
    Stopping,
    /// It was stopped.
    Stopped,
    /// A state that is unknown to this version.
    #[serde(other)]
    Other,
}

/// A running test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestStatus {
    /// The number of the document that started it.
    pub run: u64,
    /// A description for people.
    pub name: String,
    /// Seconds since it started.
    pub elapsed_s: f64,
    /// Seconds until its end; `None` for one that runs until it is stopped.
    pub remaining_s: Option<f64>,
    /// Virtual users; of an ended test, the last number reported.
    pub users: usize,
    /// Requests so far.
    pub requests: u64,
    /// Requests that failed so far.
    pub failures: u64,
}

/// One line for people.
impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(test) = &self.test else { return out.write_str("no test is running") };
        let TestStatus { run, name, elapsed_s, remaining_s, users, requests, failures } = test;
        let state = match self.state {
            State::Stopping => "stopping",
            State::Stopped => "stopped",
            State::Idle | State::Running | State::Other => "running",
        };
        // Decimals for a test that has just started, which would read "0 s" otherwise.
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

/// The figures of a load test so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The index of the test in the document.
    pub index: usize,
    /// Seconds since the test started.
    pub elapsed_s: f64,
    /// Seconds until its end; `None` for one that runs until it is stopped, and from older servers.
    pub remaining_s: Option<f64>,
    /// Virtual users that are running.
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

/// The result of one action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionResult {
    /// Its index in the document, from 0.
    pub index: usize,
    /// Its command; empty if the action has none.
    pub command: String,
    /// Whether it succeeded.
    pub ok: bool,
    /// The value it returned.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Its line in the text dialect, if that is not the line of the value or the error: because the
    /// value holds more than the reference's (a load test's summary), or because the reference
    /// would not report a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Warnings about a result that is a success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

impl ActionResult {
    /// The result of an action that returned this value or failed.
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
    /// A failure of this kind.
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
    /// A gate failed.
    Gate,
    /// A test in which not one request succeeded.
    NoSuccess,
    /// There are no records for a JSON or XML report.
    NoRecords,
    /// There are no records for an HTML report.
    NoPage,
    /// An argument is missing, unknown or of the wrong kind.
    InvalidArgument,
    /// An argument has the right kind but cannot be used.
    InvalidValue,
    /// An action without a name.
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
    /// An exporter or stub server cannot start.
    Network,
    /// A bug in ldctl.
    Internal,
    /// A kind that is unknown to this version.
    #[serde(other)]
    Other,
}

/// The kind of refusal of a whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The server requires a token and the request has none.
    TokenRequired,
    /// The token is wrong.
    Unauthorised,
    /// The request is not JSON.
    InvalidJson,
    /// The request is JSON, but not a document.
    InvalidDocument,
    /// A frame's length is out of bounds.
    FrameLength,
    /// The request timed out before it was complete.
    Timeout,
    /// The server is overloaded.
    Busy,
    /// A limit of the server is exceeded.
    Limit,
    /// A bug in the server.
    Internal,
    /// A kind that is unknown to this version.
    #[serde(other)]
    Other,
}

/// A receiver of events.
pub trait Sink {
    /// Receives one event. It must not block for long: the run itself is the caller.
    fn emit(&mut self, event: Event);

    /// Receives the result of an action, with the action's text as Python's `str()` writes it: in
    /// the text dialect actions with equal text share a line.
    fn result(&mut self, _action: &str, result: ActionResult) {
        self.emit(Event::Result(result));
    }
}

impl<F: FnMut(Event)> Sink for F {
    fn emit(&mut self, event: Event) {
        self(event);
    }
}

/// `value` may be present and null: the result of a command that returns nothing.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}
