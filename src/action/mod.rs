//! A document becomes commands, and the commands run: parse, execute, and one file per family of
//! `LD_*` commands. It is synchronous on purpose: whoever has a document gives it a thread of its
//! own, and the only command that takes long hands its work to [`crate::load`]'s threads. Events go
//! to one [`Sink`]; nothing here knows who listens.
//!
//! Read in this order: [`document`] (a value becomes typed commands), `registry` (which commands
//! there are), `arguments` (how a command gets its arguments), `context` (what a running command may
//! touch), then the families in `commands`. A new family is one file with a `COMMANDS` table and one
//! line in `registry`.

mod arguments;
mod commands;
mod context;
pub mod document;
mod files;
mod registry;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::counters::Counters;
use crate::event::{ActionResult, Event, PROTOCOL, Sink, Status};
pub use crate::load::TestLimits;
pub use crate::net::{AllowedTarget, Targets};
use crate::record::Records;
use crate::record::live::Live;
use crate::value::Value;
use context::{Context, Shared};

pub use commands::lint::{Finding, Severity, check, lint};
pub use commands::resolver::Resolver;
pub use commands::schema::schema;
pub use document::{Document, InvalidDocument};
pub use files::{Files, MAX_READ_BYTES};
pub use registry::commands;

/// What documents may reach on this machine.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The directory that every file named in a document must lie in.
    pub data_dir: PathBuf,
    /// Files in it that documents neither read nor replace: the server's token, key and certificates.
    pub secret_files: Vec<PathBuf>,
    /// Which environment variables `${env.NAME}` may read; `None` allows all (`ldctl run`, where the
    /// document is the operator's own file).
    pub allow_env: Option<Vec<String>>,
    /// Variables that `${env.NAME}` never reads, whatever `allow_env` says: the token's.
    pub secret_env: Vec<String>,
    /// Which addresses load tests may reach.
    pub targets: Targets,
    /// What one test may ask for.
    pub limits: TestLimits,
}

impl Policy {
    /// An environment variable that a document may read, when it is set and is text.
    pub fn env(&self, name: &str) -> Option<String> {
        let listed = |names: &[String]| names.iter().any(|listed| listed == name);
        let allowed = self.allow_env.as_deref().is_none_or(listed);
        if !allowed || listed(&self.secret_env) {
            return None;
        }
        std::env::var(name).ok()
    }
}

/// How a document ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// How many of its actions failed, those of documents that it runs (`LD_execute_files`) included.
    pub failed: usize,
    /// Whether one of them failed because another test is running.
    pub busy: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// Runs documents. One executor is shared by all connections of a server: records, variables and
/// sources live in it and stay from one request to the next.
pub struct Executor {
    shared: Shared,
}

impl fmt::Debug for Executor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Executor").field("policy", &self.shared.policy).finish_non_exhaustive()
    }
}

impl Executor {
    /// An executor with nothing recorded. Fails when the data directory cannot be opened.
    pub fn new(policy: Policy) -> std::io::Result<Self> {
        Ok(Self { shared: Shared::new(policy)? })
    }

    /// Reads a document, its tests held to the policy's limits.
    pub fn read(&self, document: &Value) -> Result<Document, InvalidDocument> {
        Document::within(document, self.shared.policy.limits)
    }

    /// Where `print` writes: each call is one line, without its line end and without control
    /// characters. The hook must not block, for the run waits for it; without one the lines go
    /// nowhere.
    pub fn with_output(mut self, output: Box<dyn Fn(String) + Send + Sync>) -> Self {
        self.shared.output = output;
        self
    }

    /// Whose counters the Prometheus exporter tells, and in which panics are counted: those of the
    /// server that this executor is for.
    pub fn with_counters(mut self, counters: Arc<Counters>) -> Self {
        self.shared.counters = Some(counters);
        self
    }

    /// Documents taken so far.
    pub fn runs(&self) -> u64 {
        self.shared.runs.load(Ordering::Relaxed)
    }

    /// Which load test runs now.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Stops the test that runs now, as a cancelled token does: with it ends its document, whose
    /// other actions still run, so that what was measured is not lost. Blocks its thread until the
    /// test has ended, at most as long as `patience`.
    pub fn stop(&self, patience: Duration) -> Status {
        self.shared.stop(patience)
    }

    /// The figures of every test since the executor was made, for exporters.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.shared.live)
    }

    /// A snapshot of the finished tests.
    pub fn records(&self) -> Records {
        self.shared.records()
    }

    /// Runs a document to its end, `Accepted` first and `Done` last. Blocks its thread; a cancelled
    /// token ends a running test early with what it has recorded. What stands after the test still
    /// runs, so that a summary or a report of the part that was measured is not lost.
    pub fn execute(
        &self,
        document: Document,
        sink: &mut dyn Sink,
        cancel: &CancellationToken,
    ) -> Outcome {
        // Whoever stops this document must not stop what else the token is for.
        let cancel = &cancel.child_token();
        let began = Instant::now();
        let run = self.shared.runs.fetch_add(1, Ordering::Relaxed) + 1;
        sink.emit(Event::Accepted { protocol: PROTOCOL, run, actions: document.len() });
        let mut context = Context::new(&self.shared, sink, cancel, run);
        for (index, action) in document.into_actions().enumerate() {
            let (command, text) = (action.command().to_owned(), action.text().to_owned());
            context.start(index, &command);
            let result = context.run(action);
            let (value, error) = match result {
                Ok(value) => (Some(value), None),
                Err(failure) => (None, Some(failure)),
            };
            let details = context.take_details();
            context.emit(Event::Result(ActionResult {
                index,
                command,
                ok: error.is_none(),
                details,
                value,
                error,
                action: text,
            }));
        }
        let (failed, busy) = context.tally();
        let elapsed = began.elapsed();
        sink.emit(Event::Done { ok: failed == 0, failed, elapsed_s: elapsed.as_secs_f64() });
        Outcome { failed, busy, elapsed }
    }
}

#[cfg(test)]
mod tests;
