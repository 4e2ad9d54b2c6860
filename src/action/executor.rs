//! Runs documents: every action in order, its events to one sink, and documents inside documents.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::check::{Surroundings, Where};
use super::command::is_test;
use super::context::{Context, ExecutorState, Interpreter};
use super::document::{Action, Document, InvalidDocument, contained, is_fault};
use super::findings::{Located, check_text};
use super::lint::{self, Finding};
use super::policy::Policy;
use super::rules::Engine;
use super::schema;
use crate::counters::Counters;
use crate::event::{
    ActionResult, ErrorKind, Event, Failure, FailureKind, PROTOCOL, Sink, State, Status,
};
use crate::memory::Memory;
use crate::metrics::prometheus::ScrapeSource;
use crate::protocol::Tracer;
use crate::python::Python;
use crate::record::Records;
use crate::record::live::Cumulative;
use crate::run::{self, HistoryError, Run, Runs, Stopped, Submission};
use crate::value::{Map, Value};

/// How deeply documents may be nested. A longer chain is a mistake, and every level takes stack.
const MAX_DEPTH: usize = 32;

/// The outcome of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentOutcome {
    /// How many of its actions failed, including those of nested documents (`LD_execute_files`).
    pub failed: usize,
    /// Whether one of them failed because another test is running.
    pub busy: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// Runs documents. All connections of a server share one executor: records, variables and sources
/// live in it and remain from one request to the next.
pub struct Executor {
    pub(super) shared: ExecutorState,
}

impl fmt::Debug for Executor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Executor").field("policy", &self.shared.policy).finish_non_exhaustive()
    }
}

impl Executor {
    /// Sets the table of its runs.
    #[must_use]
    pub fn with_runs(mut self, runs: Runs) -> Self {
        self.shared.runs = runs;
        self
    }

    /// Keeps the documents of runs, without their secrets, for whoever looks at these.
    pub fn keep_documents(&mut self) {
        self.shared.runs = std::mem::take(&mut self.shared.runs).keeping_documents();
    }

    /// An executor without records. Fails if the data directory cannot be opened.
    pub fn new(policy: Policy) -> std::io::Result<Self> {
        Ok(Self { shared: ExecutorState::new(policy)? })
    }

    /// Parses a document, whose tests must meet the policy's limits.
    pub fn read(&self, document: &Value) -> Result<Document, InvalidDocument> {
        Document::within(document, self.shared.rules())
    }

    /// [`Self::read`], unless `late` has a reason to give up between two actions.
    pub fn read_while<E: From<InvalidDocument>>(
        &self,
        document: &Value,
        late: impl Fn() -> Option<E>,
    ) -> Result<Document, E> {
        Document::within_while(document, self.shared.rules(), late)
    }

    /// The ceiling for the memory of its documents.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.shared.policy.memory
    }

    /// Sets the output of `print`: each call is one line, without its line end and without control
    /// characters. The hook must not block, because the run waits for it; without one the lines are
    /// discarded.
    pub fn with_output(mut self, output: Box<dyn Fn(String) + Send + Sync>) -> Self {
        self.shared.output = output;
        self
    }

    /// Sets the Python in which commands and tests run that are not native.
    #[must_use]
    pub fn with_python(mut self, python: Python, engine: Engine) -> Self {
        self.shared.python = Some((Arc::new(python), engine));
        self
    }

    /// Sets the command of the program that owns this executor, for reports: `ldctl serve`.
    #[must_use]
    pub fn owned_by(mut self, command: &'static str) -> Self {
        self.shared.command = Some(command);
        self
    }

    /// Shows the requests and responses of tests; for a test of one iteration, because it is slow.
    pub fn with_trace(mut self, show: Box<dyn Fn(String) + Send + Sync>) -> Self {
        self.shared.tracer = Some(Tracer::new(show));
        self
    }

    /// Sets the counters of the server that owns this executor: the Prometheus exporter publishes
    /// them, and panics are counted in them.
    pub fn with_counters(mut self, counters: Arc<Counters>) -> Self {
        self.shared.counters = Some(counters);
        self
    }

    /// Documents accepted so far.
    pub fn runs(&self) -> u64 {
        self.shared.runs.count()
    }

    /// Its runs.
    pub fn table(&self) -> &Runs {
        &self.shared.runs
    }

    /// Returns the status of the running load test.
    pub fn status(&self) -> Status {
        // A test that ends at this moment counts as ended.
        let status = self.shared.runs.current().and_then(|run| run.test_status());
        status.filter(|status| status.state != State::Stopped).unwrap_or(Status::IDLE)
    }

    /// Stops the running test, like a cancelled token: its document ends with it, except that the
    /// remaining actions still run, so that its results are not lost. Commands that read from a
    /// database end as well. Blocks the thread until the test has ended, at most until `timeout`.
    pub fn stop(&self, timeout: Duration) -> Status {
        self.shared.stop_databases();
        let runs = &self.shared.runs;
        let stopped = |run: &Arc<Run>| runs.stop_test(run, STOPPED, timeout) == Stopped::Stopped;
        match runs.current().filter(stopped) {
            Some(run) => run.test_status().unwrap_or(Status::IDLE),
            None => Status::IDLE,
        }
    }

    /// Stops the run with this number, in the queue or in progress, and waits for the end of its
    /// test, at most until `timeout`. The status is that of a run that has ended before, too; `None` if
    /// there is no such run.
    pub fn stop_run(&self, number: u64, timeout: Duration) -> Result<Option<Status>, HistoryError> {
        if let Some(run) = self.shared.runs.find(number) {
            self.shared.runs.stop(&run, STOPPED, timeout);
        }
        self.shared.runs.info(number)
    }

    /// Stops what documents have started and left running, all at the same time and at most until a
    /// deadline. Exporters send their last figures; a receiver that does not respond does not get
    /// them. Blocks the thread.
    pub fn close(&self, deadline: Instant) {
        self.shared.services.close(deadline);
        if let Some((python, _)) = &self.shared.python {
            python.close(deadline);
        }
    }

    /// What is found in the text of a document that this executor would run.
    pub fn check_text(&self, text: &str) -> Vec<Located> {
        let around = Surroundings {
            place: Where::Anywhere,
            rules: self.shared.rules(),
            files: None,
            environment: None,
            later: false,
        };
        check_text(text, &around)
    }

    /// The figures of all tests, and the counters of its server, for a scrape.
    pub fn scrape_source(&self) -> ScrapeSource {
        ScrapeSource::new(self.cumulative(), self.shared.counters.clone())
    }

    /// The figures of all tests since the executor was created, for exporters.
    pub fn cumulative(&self) -> Arc<Cumulative> {
        self.shared.runs.cumulative()
    }

    /// Forgets the finished tests, as `LD_clear_records` does.
    pub fn clear_records(&self) {
        self.shared.clear_records();
    }

    /// Returns a snapshot of the finished tests.
    pub fn records(&self) -> Records {
        self.shared.records()
    }

    /// Runs a document to its end, emitting `Accepted` first and `Done` last. Blocks the thread; a
    /// cancelled token ends a running test early and keeps its records. The actions after the test
    /// still run, so that a summary or report of the measured part is not lost.
    pub fn execute(
        &self,
        document: Document,
        sink: &mut dyn Sink,
        cancel: &CancellationToken,
    ) -> DocumentOutcome {
        self.execute_as(
            Submission { isolated: true, ..Submission::default() },
            document,
            sink,
            cancel,
        )
    }

    /// [`Self::execute`] with the parameters of the run.
    pub fn execute_as(
        &self,
        submission: Submission,
        document: Document,
        sink: &mut dyn Sink,
        cancel: &CancellationToken,
    ) -> DocumentOutcome {
        let started = Instant::now();
        let runs = &self.shared.runs;
        // Stopping this run does not cancel the token's other users.
        let accepted = match submission.at_once && document.has_test() {
            true => runs.submit_at_once(submission, cancel),
            false => Ok(runs.submit(submission, cancel)),
        };
        let run = match &accepted {
            Ok(run) => run,
            Err(holder) => {
                sink.emit(Event::Error {
                    kind: ErrorKind::Busy,
                    message: run::busy(holder).message,
                });
                return DocumentOutcome { failed: 0, busy: true, elapsed: started.elapsed() };
            }
        };
        let _ended = Ended { runs, run, started };
        let admitted = self.accept(run, &document, sink);
        run.start();
        let interpreter = Execution::new(&self.shared);
        let has_test = document.has_test();
        let mut context = Context::new(&self.shared, &interpreter, sink, run, has_test);
        // What was stopped in the queue does nothing.
        let is_wanted = !run.cancel().is_cancelled() || run.patience().is_none();
        let refused = admitted.err().filter(|_| is_wanted).zip(document.test());
        let runs_actions = is_wanted && refused.is_none();
        if let Some((busy, (index, action))) = refused {
            context.refuse_test();
            interpreter.count(&busy);
            let (text, result) = (action.text().to_owned(), Err(busy));
            context.finish(&text, ActionResult::new(index, action.command(), result));
        }
        for (index, action) in document.into_actions().filter(|_| runs_actions).enumerate() {
            let (command, text) = (action.command().to_owned(), action.text().to_owned());
            context.start(index, &command);
            let outcome = interpreter.run(action, &mut context);
            context.finish(&text, ActionResult::new(index, &command, outcome));
        }
        run.keep_gates(context.gates());
        let (failed, busy) = (interpreter.failed.get(), interpreter.busy.get());
        let elapsed = started.elapsed();
        let state = runs.finish(run, failed, context.figures());
        context.emit(Event::Done {
            ok: failed == 0 && is_wanted,
            failed,
            elapsed_s: elapsed.as_secs_f64(),
            run: Some(run.number()),
            state: Some(state),
            message: run.why_stopped(),
        });
        DocumentOutcome { failed, busy, elapsed }
    }

    /// Reports that a run was accepted. If it is isolated and has a test, takes a place for it, and
    /// waits for its turn if it has the patience; fails with the run that has the place. Nothing of a
    /// document that cannot run whole runs: its first actions would disturb the test in progress.
    fn accept(
        &self,
        run: &Arc<Run>,
        document: &Document,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        let accept = |queued| Event::Accepted {
            protocol: PROTOCOL,
            run: run.number(),
            actions: document.len(),
            name: run.name().map(str::to_owned),
            state: Some(run.state()),
            queued,
        };
        let mut emit = |event: Event| {
            run.note(&event);
            sink.emit(event);
        };
        let mut accepted = false;
        let runs = &self.shared.runs;
        let mut has_place = true;
        if run.patience().is_some() && document.has_test() {
            has_place = runs.wait_for_place(run, &mut |queued| {
                let first = !std::mem::replace(&mut accepted, true);
                emit(if first { accept(Some(queued)) } else { Event::Queued(queued) });
            });
        }
        if !accepted {
            emit(accept(None));
        }
        let needs_place = run.is_isolated() && document.has_test();
        match needs_place && (run.patience().is_none() || !has_place) {
            true => runs.take_place(run).map_err(|holder| run::busy(&holder)),
            false => Ok(()),
        }
    }
}

/// Why a run ends that `ldctl stop` stops.
const STOPPED: &str = "stopped on request";

/// Why a run ends whose thread panics.
const CRASHED: &str = "the run crashed (a bug in ldctl); see its log";

/// Ends a run even if its thread panics, and stores it.
struct Ended<'a> {
    runs: &'a Runs,
    run: &'a Arc<Run>,
    started: Instant,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let Self { runs, run, started } = self;
        // Whoever follows it waits for its last event.
        if run.may_continue() {
            run.note(&Event::Error { kind: ErrorKind::Internal, message: CRASHED.to_owned() });
            let failed = run.failed() + 1;
            if !run.has_ended() {
                runs.finish(run, failed, Map::new());
            }
            run.note(&Event::Done {
                ok: false,
                failed,
                elapsed_s: started.elapsed().as_secs_f64(),
                run: Some(run.number()),
                state: Some(run.state()),
                message: Some(CRASHED.to_owned()),
            });
        }
        run.store();
    }
}

/// One running document, with the documents inside it.
struct Execution<'a> {
    shared: &'a ExecutorState,
    /// The running documents inside it, outermost first: files by path, others empty.
    inside: RefCell<Vec<PathBuf>>,
    /// How many actions have failed, including nested ones.
    failed: Cell<usize>,
    /// Whether one of them did because another test is running.
    busy: Cell<bool>,
}

impl<'a> Execution<'a> {
    fn new(shared: &'a ExecutorState) -> Self {
        Self { shared, inside: RefCell::default(), failed: Cell::new(0), busy: Cell::new(false) }
    }

    /// Runs one action and counts its failure.
    fn run(&self, action: Action, context: &mut Context<'_>) -> Result<Value, Failure> {
        let depth = self.inside.borrow().len();
        let is_test = is_test(action.command());
        let kept = context.kept_recordings();
        let result = action.into_planned().and_then(|command| contained(|| command.run(context)));
        self.inside.borrow_mut().truncate(depth);
        if context.take_failed() && result.is_ok() {
            self.failed.set(self.failed.get() + 1);
        }
        if is_test && result.is_err() && context.kept_recordings() == kept {
            context.refuse_test();
        }
        if let Err(failure) = &result {
            self.count(failure);
        }
        result
    }

    fn count(&self, failure: &Failure) {
        self.failed.set(self.failed.get() + 1);
        self.busy.set(self.busy.get() || failure.kind == FailureKind::Busy);
        if let (true, Some(counters)) = (is_fault(failure), &self.shared.counters) {
            Counters::count(&counters.panics);
        }
    }
}

impl Interpreter for Execution<'_> {
    fn execute(
        &self,
        document: &Value,
        file: Option<PathBuf>,
        context: &mut Context<'_>,
    ) -> Result<Value, Failure> {
        let document = Document::within(document, self.shared.rules())?;
        if self.inside.borrow().len() >= MAX_DEPTH {
            let message = format!("documents run documents more than {MAX_DEPTH} levels deep");
            return Err(Failure::new(FailureKind::Refused, message));
        }
        self.inside.borrow_mut().push(file.unwrap_or_default());
        let mut results = Map::new();
        for action in document.into_actions() {
            let key = format!("execute: {}", action.text());
            let outcome = self.run(action, context);
            let said = context.take_said();
            let value = match outcome {
                Ok(value) => value,
                Err(failure) => Value::Str(said.unwrap_or_else(|| failure.to_python())),
            };
            results.insert(key, value);
        }
        self.inside.borrow_mut().pop();
        Ok(Value::Dict(results))
    }

    fn is_executing(&self, file: &Path) -> bool {
        self.inside.borrow().iter().any(|running| running == file)
    }

    fn lint(&self, document: &Value) -> Value {
        Value::List(lint::lint(document).iter().map(Finding::to_value).collect())
    }

    fn schema(&self) -> Value {
        schema::schema()
    }
}
