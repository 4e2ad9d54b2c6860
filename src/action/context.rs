//! What a running command may touch: the records, the resolver, files of the data directory, the
//! services it starts, the one run slot, and the sink. What outlives a document is [`Shared`]; every
//! lock is held for a moment only, never while a command waits.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use tokio_util::sync::CancellationToken;

use super::document::{Action, Document, contained, is_fault};
use super::files::Files;
use super::{Policy, Resolver};
use crate::counters::Counters;
use crate::escape::one_line;
use crate::event::{BUSY, Event, Failure, FailureKind, Progress, Sink, State, Status, TestStatus};
use crate::record::live::Live;
use crate::record::{Recording, Records};
use crate::value::{Map, Value};

/// How deep documents may run documents. A chain this long is a mistake, and every level takes
/// stack.
const MAX_DEPTH: usize = 32;

/// How often a stop looks at the figures of the test that it waits for: its answer has the last.
const GLANCE: Duration = Duration::from_millis(100);

/// Something that a command starts and that runs on until another stops it: the stub server, an
/// exporter. Dropping it stops it.
pub(crate) trait Service: Debug + Send {
    /// What its start command gives, also when it is already running.
    fn value(&self) -> Value;
}

/// The state of an executor.
pub(super) struct Shared {
    pub(super) policy: Policy,
    pub(super) files: Files,
    pub(super) live: Arc<Live>,
    pub(super) runs: AtomicU64,
    pub(super) output: Box<dyn Fn(String) + Send + Sync>,
    /// The server's that these documents come to, if they do.
    pub(super) counters: Option<Arc<Counters>>,
    records: Mutex<Records>,
    resolver: Mutex<Resolver>,
    services: Mutex<IndexMap<&'static str, Box<dyn Service>>>,
    slot: Mutex<Option<Slot>>,
    /// Told when the slot becomes free.
    freed: Condvar,
}

impl Shared {
    pub(super) fn new(policy: Policy) -> std::io::Result<Self> {
        Ok(Self {
            files: Files::open(&policy.data_dir)?.without(&policy.secret_files),
            policy,
            live: Arc::default(),
            runs: AtomicU64::new(0),
            output: Box::new(|_| ()),
            counters: None,
            records: Mutex::default(),
            resolver: Mutex::default(),
            services: Mutex::default(),
            slot: Mutex::default(),
            freed: Condvar::new(),
        })
    }

    pub(super) fn records(&self) -> Records {
        lock(&self.records).clone()
    }

    pub(super) fn status(&self) -> Status {
        let slot = lock(&self.slot);
        let Some(held) = slot.as_ref() else { return Status::IDLE };
        let stopping = held.cancel.is_cancelled();
        let state = if stopping { State::Stopping } else { State::Running };
        Status { state, test: Some(held.test(&self.live)) }
    }

    /// Cancels the document whose test runs, and waits until that test has ended, at most so long.
    pub(super) fn stop(&self, patience: Duration) -> Status {
        let mut slot = lock(&self.slot);
        let Some(held) = slot.as_ref() else { return Status::IDLE };
        held.cancel.cancel();
        let (began, before, deadline) = (held.began, held.before, Instant::now() + patience);
        let mut test = held.test(&self.live);
        while let Some(held) = slot.as_ref().filter(|held| held.began == began) {
            test = held.test(&self.live);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Status { state: State::Stopping, test: Some(test) };
            }
            let left = left.min(GLANCE);
            (slot, _) = self.freed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner);
        }
        // What it was still doing is counted by now.
        let (requests, failures) = self.live.requests();
        test.requests = requests.saturating_sub(before.0);
        test.failures = failures.saturating_sub(before.1);
        Status { state: State::Stopped, test: Some(test) }
    }
}

#[cfg(test)]
impl Shared {
    pub(super) fn keep(&self, recording: Arc<Recording>) {
        lock(&self.records).push(recording);
    }

    pub(super) fn resolver_names(&self) -> Vec<String> {
        lock(&self.resolver).variables.keys().cloned().collect()
    }

    pub(super) fn sources(&self) -> std::collections::HashMap<String, Arc<crate::load::Source>> {
        lock(&self.resolver).sources.clone()
    }
}

/// A poisoned lock still holds whole values: nothing panics between two related writes.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The test that occupies the run slot.
#[derive(Debug)]
struct Slot {
    run: u64,
    name: String,
    began: Instant,
    length: Option<Duration>,
    /// Ends the document that it belongs to.
    cancel: CancellationToken,
    /// Users at the last look.
    users: usize,
    /// Requests and failures before it began.
    before: (u64, u64),
}

impl Slot {
    fn test(&self, live: &Live) -> TestStatus {
        let elapsed = self.began.elapsed();
        let (requests, failures) = live.requests();
        TestStatus {
            run: self.run,
            name: self.name.clone(),
            elapsed_s: elapsed.as_secs_f64(),
            remaining_s: self.length.map(|length| length.saturating_sub(elapsed).as_secs_f64()),
            users: self.users,
            requests: requests.saturating_sub(self.before.0),
            failures: failures.saturating_sub(self.before.1),
        }
    }
}

/// Holds the run slot; dropping it frees the slot.
#[must_use]
pub(crate) struct RunGuard<'a> {
    shared: &'a Shared,
}

impl Drop for RunGuard<'_> {
    fn drop(&mut self) {
        *lock(&self.shared.slot) = None;
        self.shared.freed.notify_all();
    }
}

/// What one document's commands see.
pub(crate) struct Context<'a> {
    shared: &'a Shared,
    sink: &'a mut dyn Sink,
    cancel: &'a CancellationToken,
    run: u64,
    index: usize,
    /// The documents that run now, outermost first: files by their path, others empty.
    stack: Vec<PathBuf>,
    failed: usize,
    busy: bool,
    details: Option<Value>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        sink: &'a mut dyn Sink,
        cancel: &'a CancellationToken,
        run: u64,
    ) -> Self {
        Self {
            shared,
            sink,
            cancel,
            run,
            index: 0,
            stack: Vec::new(),
            failed: 0,
            busy: false,
            details: None,
        }
    }

    /// Files of the data directory.
    pub(crate) fn files(&self) -> &'a Files {
        &self.shared.files
    }

    /// What documents may reach, for `${env.…}`.
    pub(crate) fn policy(&self) -> &'a Policy {
        &self.shared.policy
    }

    /// Cancelled when the document should end early.
    pub(crate) fn cancel(&self) -> &'a CancellationToken {
        self.cancel
    }

    /// A snapshot of the finished tests.
    pub(crate) fn records(&self) -> Records {
        self.shared.records()
    }

    /// Keeps a finished test.
    pub(crate) fn push_recording(&self, recording: Arc<Recording>) {
        lock(&self.shared.records).push(recording);
    }

    /// Forgets the finished tests. They are freed after the lock: a million requests take a while.
    pub(crate) fn clear_records(&self) {
        let old = std::mem::take(&mut *lock(&self.shared.records));
        drop(old);
    }

    /// The live figures, which exporters read and tests write.
    pub(crate) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.shared.live)
    }

    /// What the server has counted that these documents come to, if they do; for exporters.
    pub(crate) fn counters(&self) -> Option<Arc<Counters>> {
        self.shared.counters.clone()
    }

    /// Variables and sources as they are now; rows of sources are shared with everyone.
    pub(crate) fn resolver_snapshot(&self) -> Resolver {
        lock(&self.shared.resolver).clone()
    }

    /// Changes variables and sources. The lock is held meanwhile: read files first.
    pub(crate) fn with_resolver<T>(&self, change: impl FnOnce(&mut Resolver) -> T) -> T {
        change(&mut lock(&self.shared.resolver))
    }

    /// Writes one line to the output, control characters escaped.
    pub(crate) fn print(&self, line: &str) {
        // What a document prints must not look like lines of the server's log.
        (self.shared.output)(one_line(line).into_owned());
    }

    /// Says more of this action's result than the reference does: for the event dialect only.
    pub(crate) fn enrich(&mut self, details: Value) {
        self.details = Some(details);
    }

    pub(super) fn take_details(&mut self) -> Option<Value> {
        self.details.take()
    }

    /// Tells how a test is going; its place in the document is filled in here.
    pub(crate) fn progress(&mut self, progress: Progress) {
        let index = self.index;
        if let Some(slot) = lock(&self.shared.slot).as_mut() {
            slot.users = progress.users;
        }
        self.emit(Event::Progress(Progress { index, ..progress }));
    }

    /// Takes the run slot for a test of `length` (`None`: until stopped), or says who has it.
    pub(crate) fn claim_run(
        &self,
        name: impl Into<String>,
        length: Option<Duration>,
    ) -> Result<RunGuard<'a>, Failure> {
        let mut slot = lock(&self.shared.slot);
        if let Some(held) = slot.as_ref() {
            let test = held.test(&self.shared.live);
            let remaining = match test.remaining_s {
                Some(left) => format!("{left:.0} s left"),
                None => "until it is stopped".to_owned(),
            };
            let message = format!(
                "{BUSY}: {} of run {} ({remaining}); wait for its end or `ldctl stop`",
                test.name, test.run
            );
            return Err(Failure::new(FailureKind::Busy, message));
        }
        *slot = Some(Slot {
            run: self.run,
            name: name.into(),
            began: Instant::now(),
            length,
            cancel: self.cancel.clone(),
            users: 0,
            before: self.shared.live.requests(),
        });
        Ok(RunGuard { shared: self.shared })
    }

    /// Starts a service unless one of this name runs already; gives the value of the one that runs.
    pub(crate) fn start_service<S: Service + 'static>(
        &self,
        name: &'static str,
        start: impl FnOnce() -> Result<S, Failure>,
    ) -> Result<Value, Failure> {
        let mut services = lock(&self.shared.services);
        if let Some(running) = services.get(name) {
            return Ok(running.value());
        }
        let service = start()?;
        let value = service.value();
        services.insert(name, Box::new(service));
        Ok(value)
    }

    /// Stops a service; whether it ran.
    pub(crate) fn stop_service(&self, name: &str) -> bool {
        // Dropped after the lock, for stopping may wait for the service's thread.
        let stopped = lock(&self.shared.services).shift_remove(name);
        stopped.is_some()
    }

    /// Runs a document inside this one; `file` is the path that it was read from. The values come
    /// back as the reference gives them: by action text, failures as their exception's text.
    pub(crate) fn execute(
        &mut self,
        document: Document,
        file: Option<PathBuf>,
    ) -> Result<Value, Failure> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("documents run documents more than {MAX_DEPTH} levels deep");
            return Err(Failure::new(FailureKind::Refused, message));
        }
        self.stack.push(file.unwrap_or_default());
        let mut results = Map::new();
        for action in document.into_actions() {
            let key = format!("execute: {}", action.text());
            let value = match self.run(action) {
                Ok(value) => value,
                Err(failure) => Value::Str(failure.to_python()),
            };
            results.insert(key, value);
        }
        self.stack.pop();
        Ok(Value::Dict(results))
    }

    /// Whether a file is among the documents that run now.
    pub(crate) fn is_executing(&self, file: &PathBuf) -> bool {
        self.stack.contains(file)
    }

    /// Begins an action of the outermost document.
    pub(super) fn start(&mut self, index: usize, command: &str) {
        self.index = index;
        self.emit(Event::Started { index, command: command.to_owned() });
    }

    /// Runs one action and counts its failure.
    pub(super) fn run(&mut self, action: Action) -> Result<Value, Failure> {
        let depth = self.stack.len();
        let result = action.into_planned().and_then(|command| contained(|| command.run(self)));
        self.stack.truncate(depth);
        if let Err(failure) = &result {
            self.failed += 1;
            self.busy |= failure.kind == FailureKind::Busy;
            if let (true, Some(counters)) = (is_fault(failure), &self.shared.counters) {
                Counters::count(&counters.panics);
            }
        }
        result
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.sink.emit(event);
    }

    /// How many actions have failed, and whether one did because another test is running.
    pub(super) fn tally(&self) -> (usize, bool) {
        (self.failed, self.busy)
    }
}
