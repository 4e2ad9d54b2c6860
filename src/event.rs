//! Events of a running document and of a server. The executor emits events into a [`Sink`],
//! whatever is behind it: a session writes them to its client in one of the dialects, `ldctl run`
//! prints them, a test collects them. The client reads the same types back.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::counters::Counts;
use crate::redact;
use crate::value::Value;

/// The version of the event dialect.
pub const PROTOCOL: u32 = 1;

/// The longest name of a run, in characters.
pub const MAX_NAME: usize = 200;

/// The prefix of a [`FailureKind::Busy`] message: in the text dialect only the prefix distinguishes
/// it from another `RuntimeError`.
pub const BUSY: &str = "another test is running";

/// What requests are called where they are listed: their method and name, unless the name begins with
/// the method, as those of recordings and curl do.
pub fn title(method: &str, name: &str) -> String {
    let has_method = name.strip_prefix(method).is_some_and(|rest| rest.starts_with(' '));
    match has_method || method.is_empty() {
        true => name.to_owned(),
        false => format!("{method} {name}"),
    }
}

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
        /// The run's name, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The run's state; older servers do not send it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<State>,
        /// Its place in the queue.
        #[serde(flatten)]
        queued: Option<Queued>,
    },
    /// Nothing has changed: the connection is used, so that its end is noticed.
    Alive,
    /// The run waits in the queue, about once a second.
    Queued(Queued),
    /// An action starts.
    Started {
        /// Its index in the document, from 0.
        index: usize,
        /// Its command.
        command: String,
    },
    /// The figures of a load test so far, about once a second.
    Progress(Progress),
    /// What a request of a load test looked like, where the client has asked for that.
    Detail {
        /// The index of the test in the document.
        index: usize,
        /// One line for people.
        text: String,
    },
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
    /// The reply to a request for runs: the newest first.
    Runs {
        /// Each with its state and its figures.
        runs: Vec<Status>,
    },
    /// A piece of the report of a run; the pieces in their order are the report.
    Report {
        /// Its format.
        format: ReportFormat,
        /// The piece.
        text: String,
        /// What the reader of the figures must know; with the first piece.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// A link to a page of the web door, which logs a browser in once.
    Link {
        /// Where it leads to.
        url: String,
        /// For how many seconds it can be opened.
        expires_s: f64,
    },
    /// The document has ended, whatever the results of its actions.
    Done {
        /// Whether no action failed.
        ok: bool,
        /// How many failed.
        failed: usize,
        /// Seconds from acceptance to the end.
        elapsed_s: f64,
        /// The run's number; none where no document was run, and from older servers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<u64>,
        /// The run's last state.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<State>,
        /// Why it was stopped, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
}

impl Event {
    /// The end of a reply to which no document was run.
    pub const DONE: Self =
        Self::Done { ok: true, failed: 0, elapsed_s: 0.0, run: None, state: None, message: None };
}

/// The formats of the report of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportFormat {
    /// A page for people.
    Html,
    /// Every request as JSON.
    Json,
    /// Every request as XML.
    Xml,
    /// Every request as a row of CSV.
    Csv,
    /// A testcase for each name, for CI systems.
    Junit,
    /// The figures as JSON.
    Summary,
    /// A workflow command of GitHub Actions for each failed request.
    Github,
    /// Every failed request as SARIF, for code hosts.
    Sarif,
    /// A format that is unknown to this version.
    #[serde(other)]
    Other,
}

impl ReportFormat {
    /// Those that can be requested.
    pub const ALL: [Self; 8] = [
        Self::Html,
        Self::Json,
        Self::Xml,
        Self::Csv,
        Self::Junit,
        Self::Summary,
        Self::Github,
        Self::Sarif,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Csv => "csv",
            Self::Junit => "junit",
            Self::Github => "github",
            Self::Sarif => "sarif",
            Self::Summary => "summary",
            Self::Other => "other",
        }
    }

    /// Returns the format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for ReportFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The place of a run in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// Its position, from 1: how many tests start before it, and itself.
    pub position: usize,
    /// The run whose test holds the place.
    pub holder: Option<u64>,
    /// Seconds until that test ends; `None` if it runs until it is stopped.
    pub holder_remaining_s: Option<f64>,
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

/// The state of a run, and the run; of a server without a running test, only that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// The run.
    #[serde(flatten)]
    pub run: Option<Box<RunInfo>>,
}

impl Status {
    /// No test runs.
    pub const IDLE: Self = Self { state: State::Idle, run: None };
}

/// The state of a run, or of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No test runs on this server.
    Idle,
    /// It waits for the place of the test that runs.
    Queued,
    /// It runs.
    Running,
    /// It was stopped and still waits for requests in progress.
    Stopping,
    /// Its test was stopped, in the reply to a stop.
    Stopped,
    /// It has ended, and no action failed.
    Passed,
    /// It has ended, and an action failed.
    Failed,
    /// It was stopped by a stop, a signal or a quit.
    Cancelled,
    /// It was stopped because its client left.
    Lost,
    /// The server ended while it ran.
    Interrupted,
    /// A state that is unknown to this version.
    #[serde(other)]
    Other,
}

impl State {
    /// The states that a run can be in.
    pub const OF_RUNS: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Stopping,
        Self::Passed,
        Self::Failed,
        Self::Cancelled,
        Self::Lost,
        Self::Interrupted,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::Interrupted => "interrupted",
            Self::Other => "other",
        }
    }

    /// Returns the state of a run with this name.
    pub fn of_run(name: &str) -> Option<Self> {
        Self::OF_RUNS.into_iter().find(|state| state.name() == name)
    }

    /// Whether a run in this state has ended.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Passed | Self::Failed | Self::Cancelled | Self::Lost | Self::Interrupted
        )
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// A run: one execution of a document. What is not known yet, or comes from an older server, is
/// null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Its number, which no other run of this server has.
    pub run: u64,
    /// Its name; in the status of a test, the command where the run has none.
    #[serde(default)]
    pub name: Option<String>,
    /// The address that requested it.
    #[serde(default)]
    pub peer: Option<String>,
    /// Whether it ends when its client leaves.
    #[serde(default)]
    pub held: bool,
    /// When it was accepted (RFC 3339, UTC).
    #[serde(default)]
    pub submitted: Option<String>,
    /// When its first action started.
    #[serde(default)]
    pub started: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<String>,
    /// Seconds since its test started; of an ended run, from its start to its end.
    #[serde(default)]
    pub elapsed_s: Option<f64>,
    /// Seconds until the end of its test; `None` for one that runs until it is stopped.
    #[serde(default)]
    pub remaining_s: Option<f64>,
    /// Virtual users of its test; of an ended test, the last number reported.
    #[serde(default)]
    pub users: Option<usize>,
    /// Requests so far.
    #[serde(default)]
    pub requests: Option<u64>,
    /// Requests that failed so far.
    #[serde(default)]
    pub failures: Option<u64>,
    /// Requests per second: over the last interval, and over the whole test once it has ended.
    #[serde(default)]
    pub rps: Option<f64>,
    /// Median latency so far.
    #[serde(default)]
    pub p50_ms: Option<f64>,
    /// 95th percentile of the latency so far.
    #[serde(default)]
    pub p95_ms: Option<f64>,
    /// 99th percentile of the latency so far.
    #[serde(default)]
    pub p99_ms: Option<f64>,
    /// How many actions have failed.
    #[serde(default)]
    pub failed: Option<usize>,
    /// Why it is in this state, in one line.
    #[serde(default)]
    pub message: Option<String>,
    /// Why requests failed, the most frequent first; only in the status of one run that has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<RequestErrors>,
}

/// Requests that failed for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestErrors {
    /// How many.
    pub count: u64,
    /// Their method; empty in the row of further kinds.
    pub method: String,
    /// Their name.
    pub name: String,
    /// What was wrong.
    pub error: String,
    /// When the first of them ended (RFC 3339, UTC).
    pub first: Option<String>,
    /// When the last of them ended.
    pub last: Option<String>,
}

/// One line for people.
impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(info) = &self.run else { return out.write_str("no test is running") };
        let state = match self.state {
            State::Idle | State::Other => State::Running,
            state => state,
        };
        let name = info.name.as_deref().unwrap_or("document");
        write!(out, "{state}: {name} of run {}", info.run)?;
        if let Some(elapsed_s) = info.elapsed_s {
            // Decimals for a test that has just started, which would read "0 s" otherwise.
            let digits = usize::from(elapsed_s < 10.0);
            write!(out, ", {elapsed_s:.digits$} s")?;
            out.write_str(if state.is_final() { "" } else { " so far" })?;
        }
        match info.remaining_s {
            Some(left) if matches!(state, State::Running | State::Stopping) => {
                write!(out, ", {left:.0} s left")?;
            }
            None if matches!(state, State::Running | State::Stopping) && info.users.is_some() => {
                out.write_str(", until it is stopped")?;
            }
            _ => {}
        }
        if let Some(requests) = info.requests {
            let (users, failures) = (info.users.unwrap_or(0), info.failures.unwrap_or(0));
            write!(out, ", {users} users, {requests} requests, {failures} failed")?;
        }
        match &info.message {
            Some(message) => write!(out, "; {message}"),
            None => Ok(()),
        }
    }
}

/// The figures of a load test so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The index of the test in the document.
    pub index: usize,
    /// The number of the probe, from 1, where several tests search for a load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<usize>,
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
    /// A failure of this kind. Its message is freed from secrets, because it goes to clients and logs.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: redact::owned(message.into()) }
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
    /// An exception in the executor's Python.
    Python,
    /// A bug in ldctl, or the end of the executor's Python.
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
    /// No run has this number.
    UnknownRun,
    /// The figures that are asked for are no longer kept, or not there yet.
    Unavailable,
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

    /// Whether anybody still receives what is emitted.
    fn is_open(&self) -> bool {
        true
    }

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
