//! A load test in this process, as far as a test needs to spell it out. It ends by count: when so
//! many requests have been recorded, whatever the machine's speed.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ldctl::action::{Document, Executor, Policy};
use ldctl::event::{ActionResult, Event, FailureKind};
use ldctl::memory::Memory;
use ldctl::net::Targets;
use ldctl::record::Gaps;
use ldctl::value::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{CALLERS, DEADLINE};

/// A test that is being put together.
pub(crate) struct Load {
    before: Option<serde_json::Value>,
    arguments: serde_json::Value,
    requests: u64,
    targets: Targets,
    memory: Option<Arc<Memory>>,
    dir: tempfile::TempDir,
}

/// One recorded request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) status: Option<u16>,
    pub(crate) bytes: u64,
    pub(crate) error: Option<String>,
    pub(crate) body: Option<String>,
}

/// What came of a test.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Kept>,
    /// What the requests lacked.
    pub(crate) gaps: Gaps,
    pub(crate) warnings: Vec<String>,
}

impl Load {
    /// One user goes through these tasks once.
    pub(crate) fn once(tasks: serde_json::Value) -> Self {
        let requests = tasks.as_array().map_or(1, Vec::len) as u64;
        Self::over(tasks, requests).with("wait_time", json!(100_000))
    }

    /// One user goes through these tasks again and again, without a wait, until `requests` are
    /// recorded (it may be some more).
    pub(crate) fn over(tasks: serde_json::Value, requests: u64) -> Self {
        let arguments = json!({
            "user_detail_dict": {"user": "fast_http_user"},
            "user_count": 1, "spawn_rate": 1_000_000, "test_time": null, "wait_time": 0,
            "tasks": tasks,
        });
        let targets = Targets::default();
        let memory = None;
        Self {
            before: None,
            arguments,
            requests,
            targets,
            memory,
            dir: tempfile::tempdir().expect("a directory"),
        }
    }

    /// With another argument of `LD_start_test`.
    pub(crate) fn with(mut self, name: &str, value: serde_json::Value) -> Self {
        self.arguments[name] = value;
        self
    }

    /// With an action before it.
    pub(crate) fn after(self, action: serde_json::Value) -> Self {
        Self { before: Some(action), ..self }
    }

    /// Until so many requests are recorded.
    pub(crate) fn until(self, requests: u64) -> Self {
        Self { requests, ..self }
    }

    /// With nothing but these targets in reach.
    pub(crate) fn allowed(mut self, targets: &[&str]) -> Self {
        let read = |text: &&str| text.parse().expect("a target");
        self.targets.allowed = targets.iter().map(read).collect();
        self
    }

    /// With the control server at these addresses.
    pub(crate) fn own(mut self, own: &[std::net::SocketAddr]) -> Self {
        self.targets.own = own.to_vec();
        self
    }

    /// Under a ceiling for memory.
    pub(crate) fn under(mut self, memory: &Arc<Memory>) -> Self {
        self.memory = Some(Arc::clone(memory));
        self
    }

    /// With a file in the data directory.
    pub(crate) fn file(self, name: &str, content: &[u8]) -> Self {
        fs::write(self.dir.path().join(name), content).expect("a file");
        self
    }

    /// Runs it.
    pub(crate) fn run(self) -> Outcome {
        match self.start() {
            Ok(outcome) => outcome,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Why it is refused before anything is sent.
    pub(crate) fn refusal(self) -> String {
        self.start().expect_err("a refusal")
    }

    fn start(self) -> Result<Outcome, String> {
        let inside = Policy::inside(self.dir.path());
        let policy = Policy {
            memory: self.memory.unwrap_or_else(|| Arc::clone(&inside.memory)),
            allow_env: None,
            secret_env: CALLERS.map(str::to_owned).to_vec(),
            targets: self.targets,
            ..inside
        };
        let executor = Arc::new(Executor::new(policy).expect("an executor"));
        let mut earlier = usize::from(self.before.is_some());
        let test = json!(["LD_start_test", self.arguments]);
        let document = json!(self.before.into_iter().chain([test]).collect::<Vec<_>>()).to_string();
        let document = Document::parse(Value::parse(&document).expect("JSON")).expect("a document");
        let (cancel, cumulative) = (CancellationToken::new(), executor.cumulative());
        let requests = || cumulative.counts().iter().map(|row| row.requests).sum::<u64>();
        let (sender, results) = mpsc::channel();
        let running = {
            let (executor, cancel) = (Arc::clone(&executor), cancel.clone());
            thread::spawn(move || {
                let mut sink = |event| {
                    if let Event::Result(result) = event {
                        match earlier.checked_sub(1) {
                            Some(left) => earlier = left,
                            None => drop(sender.send(result)),
                        }
                    }
                };
                executor.execute(document, &mut sink, &cancel);
            })
        };
        let begin = Instant::now();
        let result = loop {
            if requests() >= self.requests {
                cancel.cancel();
            }
            match results.recv_timeout(Duration::from_millis(5)) {
                Ok(result) => break result,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the executor broke"),
            }
            assert!(begin.elapsed() < DEADLINE, "no end: {} requests", requests());
        };
        running.join().expect("the executor");
        outcome(&executor, result)
    }
}

fn outcome(executor: &Executor, result: ActionResult) -> Result<Outcome, String> {
    // The test is over when it has seen enough, and then it was cancelled.
    if let Some(failure) = result.error.filter(|failure| failure.kind != FailureKind::Cancelled) {
        return Err(failure.message);
    }
    let records = executor.records();
    let rows = records
        .rows()
        .map(|row| Kept {
            method: row.label.method.to_string(),
            url: row.label.url.to_string(),
            name: row.label.name.to_string(),
            status: row.status,
            bytes: row.bytes,
            error: row.error.map(str::to_owned),
            body: row.body.map(str::to_owned),
        })
        .collect();
    let warnings = records.recordings().iter().flat_map(|recording| recording.warnings.clone());
    Ok(Outcome { rows, gaps: records.gaps(), warnings: warnings.collect() })
}

impl Outcome {
    /// Why the requests failed, in order.
    pub(crate) fn errors(&self) -> Vec<&str> {
        self.rows.iter().filter_map(|row| row.error.as_deref()).collect()
    }

    /// Why the requests of a name failed: all for the same reason.
    pub(crate) fn error_of(&self, name: &str) -> &str {
        let mut errors =
            self.rows.iter().filter(|row| row.name == name).map(|row| row.error.as_deref());
        let first = errors.next().expect("a request of that name").expect("a failure");
        assert!(errors.all(|error| error == Some(first)), "{:?}", self.rows);
        first
    }
}
