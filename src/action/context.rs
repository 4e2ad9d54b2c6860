//! What a running command may access: the records, the resolver, files of the data directory,
//! services, runs, the event sink, and the interpreter, for documents inside documents. What
//! outlives a document is [`ExecutorState`]; every lock is held only briefly, never while a command
//! waits.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::files::{Content, Files};
use super::installed::Installed;
use super::kept_figures::KeptFigures;
use super::machine;
use super::policy::Policy;
use super::resolver::{Resolver, Source};
use super::rules::{Engine, Rules};
use super::run_report::page_so_far;
use super::services::{Service, Services, Tenant};
use crate::counters::Counters;
use crate::escape::one_line;
use crate::event::{ActionResult, Event, Failure, FailureKind, Sink};
use crate::load::{self, CsvError, CsvTable, CsvTables};
use crate::lock::lock;
use crate::memory::{Memory, Share, readable};
use crate::protocol::{Reach, Tracer};
use crate::python::Python;
use crate::record::gates::Rule;
use crate::record::live::{Cumulative, Live};
use crate::record::sqlite::Guard;
use crate::record::{Recording, Records};
use crate::redact;
use crate::report::Facts;
use crate::run::{self, KEPT_RUNS, Lease, Run, Runs, TESTS_AT_ONCE, Test};
use crate::value::{Map, ParseError, Value, json_weight};

/// What the values of a JSON file may take in memory, in bytes: what the largest file unfolds to is
/// seldom more than ten times its size, and never this for texts.
const MAX_JSON: usize = 1 << 30;

/// Gates that a report shows without being given any.
const MOST_GATES: usize = 100;

/// What a command may ask of the executor that runs it. A trait, because parsing documents needs
/// the table of all commands, which a command must not depend on.
pub(crate) trait Interpreter {
    /// Parses and runs a document inside the running one; `file` is the file it was read from. The
    /// results have the reference's form: by action text, failures as their exception's text.
    fn execute(
        &self,
        document: &Value,
        file: Option<PathBuf>,
        context: &mut Context<'_>,
    ) -> Result<Value, Failure>;

    /// Whether a file is among the running documents.
    fn is_executing(&self, file: &Path) -> bool;

    /// Returns the linter's findings in a document.
    fn lint(&self, document: &Value) -> Value;

    /// Returns the JSON Schema of documents.
    fn schema(&self) -> Value;
}

/// The state of an executor.
pub(super) struct ExecutorState {
    pub(super) policy: Policy,
    pub(super) files: Files,
    pub(super) runs: Runs,
    pub(super) output: Box<dyn Fn(String) + Send + Sync>,
    /// The command of the program that owns this: `ldctl serve`.
    pub(super) command: Option<&'static str>,
    pub(super) tracer: Option<Tracer>,
    /// The counters of the server that these documents come from, if any.
    pub(super) counters: Option<Arc<Counters>>,
    pub(super) services: Services,
    /// The executor's Python, and which tests run in it.
    pub(super) python: Option<(Arc<Python>, Engine)>,
    /// What text requests have installed.
    installed: Mutex<Installed>,
    /// Ends the uses of databases that began before the last `stop`.
    databases: Mutex<CancellationToken>,
    records: Mutex<Records>,
    resolver: Mutex<Resolver>,
    /// The content of CSV files, shared by the sources that read it.
    tables: CsvTables,
    /// Held while a report of a run is made.
    pub(super) reports: Mutex<()>,
}

impl ExecutorState {
    pub(super) fn new(policy: Policy) -> std::io::Result<Self> {
        Ok(Self {
            files: Files::open(&policy.data_dir)?
                .allowing(policy.access.clone())
                .without(&policy.secret_files),
            runs: Runs::new(TESTS_AT_ONCE, KEPT_RUNS, &policy.memory),
            policy,
            output: Box::new(|_| ()),
            command: None,
            tracer: None,
            counters: None,
            services: Services::default(),
            python: None,
            installed: Mutex::default(),
            databases: Mutex::default(),
            records: Mutex::default(),
            resolver: Mutex::default(),
            tables: CsvTables::default(),
            reports: Mutex::default(),
        })
    }

    /// Ends what reads from databases, and what has written to one for long.
    pub(super) fn stop_databases(&self) {
        std::mem::take(&mut *lock(&self.databases)).cancel();
    }

    /// By what its documents are read.
    pub(super) fn rules(&self) -> Rules {
        let python = self.python.as_ref().map(|(_, engine)| *engine);
        Rules { limits: self.policy.limits, python }
    }

    pub(super) fn records(&self) -> Records {
        lock(&self.records).clone()
    }

    /// Drops the oldest finished tests while more than half of the memory is taken, but none of the
    /// newest `keep`, and returns them. The log says so once until the records are cleared.
    fn make_room(&self, keep: usize) -> Vec<Arc<Recording>> {
        let memory = &self.policy.memory;
        let excess = memory.taken().saturating_sub(memory.most() / 2);
        let rows = memory.excess_rows();
        if excess == 0 && rows == 0 {
            return Vec::new();
        }
        let (dropped, first) = {
            let mut records = lock(&self.records);
            let first = records.dropped() == 0;
            let mut dropped = records.give_way(excess, keep);
            let freed: usize = dropped.iter().map(|recording| recording.len()).sum();
            dropped.extend(records.give_way_rows(rows.saturating_sub(freed), keep));
            (dropped, first)
        };
        if first && !dropped.is_empty() {
            tracing::warn!(
                "more than half of --max-memory {} or nearly all of --max-records is in use: the \
                 records of the oldest tests are dropped; LD_clear_records frees them, \
                 LD_persist_records keeps them in a file",
                readable(memory.most())
            );
        }
        dropped
    }

    /// Forgets them. They are freed after the lock: a million requests take a while.
    pub(super) fn clear_records(&self) {
        let old = std::mem::take(&mut *lock(&self.records));
        drop(old);
    }
}

#[cfg(test)]
impl ExecutorState {
    pub(super) fn keep(&self, recording: Arc<Recording>) {
        lock(&self.records).push(recording);
    }

    pub(super) fn resolver_names(&self) -> Vec<String> {
        lock(&self.resolver).names()
    }

    pub(super) fn sources(&self) -> std::collections::HashMap<String, Arc<load::CsvRows>> {
        lock(&self.resolver).sources()
    }
}

/// A run that a document has written into a database.
#[derive(Debug, Clone)]
pub(crate) struct Persisted {
    /// The file, as in the document.
    pub(crate) path: String,
    /// The run's number in it.
    pub(crate) run: i64,
    /// The run's label.
    pub(crate) label: Option<String>,
}

/// The context of one document's commands.
pub(crate) struct Context<'a> {
    shared: &'a ExecutorState,
    interpreter: &'a dyn Interpreter,
    sink: &'a mut dyn Sink,
    run: &'a Arc<Run>,
    /// The records of this run's own tests.
    own: Records,
    /// The variables and sources of a run that shares none.
    resolver: Option<Mutex<Resolver>>,
    /// What a run that shares no variables has installed.
    installed: Option<Mutex<Installed>>,
    /// Whether its document holds a test.
    has_test: bool,
    index: usize,
    /// Shares of the ceiling for what the current action has read.
    held: Vec<Share>,
    details: Option<Value>,
    /// The line of the current action in the text dialect, where it is not that of its value.
    said: Option<String>,
    /// What the event dialect says beside the failure of the current action.
    explanation: Option<Value>,
    warnings: Vec<String>,
    verdict: Option<Failure>,
    /// Whether the last command that ran has set `verdict`.
    failed: bool,
    /// Whether a test of the document was refused.
    refused: bool,
    /// How many tests it has kept.
    kept: usize,
    /// The run of a database that this document has written last.
    persisted: Option<Persisted>,
    /// The gates over its records so far.
    gates: Vec<Rule>,
    /// The figures of its tests.
    figures: KeptFigures,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        shared: &'a ExecutorState,
        interpreter: &'a dyn Interpreter,
        sink: &'a mut dyn Sink,
        run: &'a Arc<Run>,
        has_test: bool,
    ) -> Self {
        let apart = has_test && run.is_isolated();
        Self {
            shared,
            interpreter,
            sink,
            run,
            own: Records::default(),
            resolver: apart.then(|| Mutex::new(lock(&shared.resolver).clone())),
            installed: apart.then(|| Mutex::new(lock(&shared.installed).clone())),
            has_test,
            index: 0,
            held: Vec::new(),
            details: None,
            said: None,
            explanation: None,
            warnings: Vec::new(),
            verdict: None,
            failed: false,
            refused: false,
            kept: 0,
            persisted: None,
            gates: Vec::new(),
            figures: KeptFigures::default(),
        }
    }

    /// The executor that runs this.
    pub(crate) fn interpreter(&self) -> &'a dyn Interpreter {
        self.interpreter
    }

    /// Files of the data directory.
    pub(crate) fn files(&self) -> &'a Files {
        &self.shared.files
    }

    /// What the tasks of a test may reach and keep, and who is shown what they do.
    pub(crate) fn reach(&self) -> Reach {
        let (tracer, cancel) = (self.shared.tracer.clone(), self.cancel().clone());
        Reach { tracer, cancel, ..self.shared.policy.reach() }
    }

    /// What documents may access, for `${env.…}`.
    pub(crate) fn policy(&self) -> &'a Policy {
        &self.shared.policy
    }

    /// Cancelled when the document should end early.
    pub(crate) fn cancel(&self) -> &'a CancellationToken {
        self.run.cancel()
    }

    /// When a command has to end that reads from a database.
    pub(crate) fn reading(&self) -> Guard {
        Guard::reading(self.cancel(), lock(&self.shared.databases).clone())
    }

    /// When a command has to end that writes to a database.
    pub(crate) fn writing(&self) -> Guard {
        Guard::writing(self.cancel(), lock(&self.shared.databases).clone())
    }

    /// Lets the oldest finished tests give way where memory is scarce, but none of the newest `keep`.
    pub(crate) fn make_room(&mut self, keep: usize) {
        let dropped = self.shared.make_room(keep);
        self.own.give_up(&dropped);
        drop(dropped);
        // Another client may have cleared the records that all share.
        let memory = &self.shared.policy.memory;
        let excess = memory.taken().saturating_sub(memory.most() / 2);
        drop(self.own.give_way(excess, keep));
        drop(self.own.give_way_rows(memory.excess_rows(), keep));
    }

    /// What the user must know of the memory: which results it has cost, and whether it runs short.
    pub(crate) fn memory_warnings(&self) -> Vec<String> {
        let memory = &self.shared.policy.memory;
        let scarce = memory.is_scarce().then(|| {
            format!(
                "{} of {} of memory are in use (--max-memory); a test that needs more ends early",
                readable(memory.taken()),
                readable(memory.most())
            )
        });
        self.records_apart().warning().into_iter().chain(scarce).collect()
    }

    /// Returns a snapshot of the finished tests, and warns if some had to give way: in an isolated run that holds a test its own, else
    /// all since the records were last cleared.
    pub(crate) fn records(&mut self) -> Records {
        let records = self.records_apart();
        self.warnings.extend(records.warning());
        self.warnings.extend(records.recordings().iter().filter_map(|test| test.beyond()));
        records
    }

    fn records_apart(&self) -> Records {
        match self.run.is_isolated() && (self.has_test || self.kept > 0 || self.refused) {
            true => self.own.clone(),
            false => self.shared.records(),
        }
    }

    /// Adds a finished test.
    pub(crate) fn push_recording(&mut self, recording: Arc<Recording>) {
        self.kept += 1;
        self.run.note_records(&recording);
        self.own.push(Arc::clone(&recording));
        lock(&self.shared.records).push(recording);
        self.make_room(1);
    }

    /// How many finished tests this document has kept.
    pub(super) fn kept_recordings(&self) -> usize {
        self.kept
    }

    /// Keeps the figures of a finished test with its run.
    pub(crate) fn keep_figures(&mut self, figures: Value) {
        self.figures.push(figures);
    }

    /// The figures of the finished tests; with a summary over all if there are several.
    pub(super) fn figures(&mut self) -> Map {
        let several = self.kept > 1;
        let mut figures = std::mem::take(&mut self.figures).into_map();
        if several {
            figures.insert("summary".to_owned(), self.own.summary().to_details());
        }
        figures
    }

    /// Notes that this document has written its records into a database.
    pub(crate) fn note_persisted(&mut self, persisted: Persisted) {
        self.persisted = Some(persisted);
    }

    /// The run of a database that this document has written last.
    pub(crate) fn persisted(&self) -> Option<&Persisted> {
        self.persisted.as_ref()
    }

    /// Notes that the records were judged by these gates.
    pub(crate) fn note_gates(&mut self, rules: &[Rule]) {
        let room = MOST_GATES.saturating_sub(self.gates.len());
        self.gates.extend(rules.iter().take(room).cloned());
    }

    /// The gates that the records were judged by so far.
    pub(crate) fn gates(&self) -> &[Rule] {
        &self.gates
    }

    /// What reports say of this run.
    pub(crate) fn facts(&self) -> Facts {
        let label = self.persisted.as_ref().and_then(|persisted| persisted.label.as_deref());
        Facts {
            document: self.run.file().map(str::to_owned),
            label: label.or_else(|| self.run.name()).map(str::to_owned),
            run: Some(self.run.number()),
            command: self.shared.command.map(str::to_owned),
            machine: Some(machine::in_words()),
            failed: None,
            is_in_progress: false,
        }
    }

    /// Forgets the finished tests.
    pub(crate) fn clear_records(&mut self) {
        self.gates.clear();
        self.own.clear();
        self.shared.clear_records();
    }

    /// The figures of all tests, for exporters.
    pub(crate) fn cumulative(&self) -> Arc<Cumulative> {
        self.shared.runs.cumulative()
    }

    /// Makes the page of this run while its test is in progress.
    pub(crate) fn page_so_far(&self) -> impl Fn() -> Result<String, String> + Send + Sync + use<> {
        let (run, facts) = (Arc::clone(self.run), self.facts());
        let memory = Arc::clone(&self.shared.policy.memory);
        move || page_so_far(&run, &facts, &memory)
    }

    /// The live figures of the test that started last, now and later; for pages.
    pub(crate) fn latest(&self) -> impl Fn() -> Option<Arc<Live>> + Send + Sync + use<> {
        let latest = self.shared.runs.latest();
        move || latest.test().map(|test| Arc::clone(test.live()))
    }

    /// The counters of the server that these documents come from, if any; for exporters.
    pub(crate) fn counters(&self) -> Option<Arc<Counters>> {
        self.shared.counters.clone()
    }

    /// The current variables and sources, which it shares until they change.
    pub(crate) fn resolver_snapshot(&self) -> Resolver {
        lock(self.resolver()).clone()
    }

    /// Its own variables and sources, or those that all runs share.
    fn resolver(&self) -> &Mutex<Resolver> {
        self.resolver.as_ref().unwrap_or(&self.shared.resolver)
    }

    /// Sets variables and sources: all, or none if one is refused.
    pub(crate) fn register(
        &self,
        variables: Map,
        sources: Vec<(String, Source)>,
    ) -> Result<(), Failure> {
        lock(self.resolver()).register(variables, sources, self.memory())
    }

    /// What is installed for its tests.
    pub(crate) fn installed(&self) -> Installed {
        lock(self.installed.as_ref().unwrap_or(&self.shared.installed)).clone()
    }

    /// Changes what is installed.
    pub(crate) fn install(&self, change: impl FnOnce(&mut Installed)) {
        change(&mut lock(self.installed.as_ref().unwrap_or(&self.shared.installed)));
    }

    /// Deletes all variables and sources. They are freed after the lock.
    pub(crate) fn clear_resolver(&self) {
        let old = std::mem::take(&mut *lock(self.resolver()));
        drop(old);
    }

    /// The table of a CSV file's content; sources of the same content share one.
    pub(crate) fn table(&self, content: &[u8]) -> Result<Arc<CsvTable>, CsvError> {
        self.shared.tables.of(content, self.memory())
    }

    /// The ceiling for what documents make the process hold.
    pub(crate) fn memory(&self) -> &'a Arc<Memory> {
        &self.shared.policy.memory
    }

    /// Reads a whole file that the document names, with a share of the ceiling for it.
    pub(crate) fn read(&self, path: &str) -> Result<Content, Failure> {
        self.shared.files.read_within(path, self.memory())
    }

    /// Keeps a share of the ceiling until the next action of the outermost document starts: for a value
    /// that this action returns.
    pub(crate) fn hold(&mut self, share: Share) {
        self.held.push(share);
    }

    /// Reads a whole JSON file. So many copies of its value take a share of the ceiling until the next
    /// action of the outermost document starts.
    pub(crate) fn read_json(
        &mut self,
        path: &str,
        copies: usize,
        check: impl FnOnce(&str) -> Result<(), String>,
    ) -> Result<Value, Failure> {
        let invalid = |why: String| Failure::new(FailureKind::InvalidFile, why);
        let content = self.read(path).map_err(|failure| invalid(failure.message))?;
        let text = std::str::from_utf8(&content).map_err(|error| {
            invalid(format!("{path:?} is not UTF-8 (byte {})", error.valid_up_to()))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let weight = json_weight(text);
        if weight > MAX_JSON {
            let (weight, most) = (readable(weight), readable(MAX_JSON));
            let why = format!("its values would take {weight} of memory, the limit is {most}");
            return Err(invalid(format!("{path:?} is too large: {why}")));
        }
        let mut share = self.memory().share("values of a JSON file");
        share
            .grow(weight.saturating_mul(copies))
            .map_err(|full| invalid(format!("{path:?}: {full}")))?;
        self.held.push(share);
        check(text).map_err(|why| invalid(format!("{path:?} {why}")))?;
        let cancel = self.cancel();
        Value::parse_until(text, &|| cancel.is_cancelled()).map_err(|error| match error {
            ParseError::Cancelled => {
                let why = format!("{path:?} was not read: the document was cancelled");
                Failure::new(FailureKind::Cancelled, why)
            }
            error => invalid(format!("{path:?} is not JSON: {error}")),
        })
    }

    /// Writes one line to the output, control characters escaped.
    pub(crate) fn print(&self, line: &str) {
        (self.shared.output)(one_line(line).into_owned());
    }

    /// Adds more to this action's result than the reference returns: in the event dialect this
    /// value replaces the action's own, and the warnings are reported with it.
    pub(crate) fn enrich(&mut self, value: Value, warnings: Vec<String>) {
        self.details = Some(value);
        self.warn(warnings);
    }

    /// Sets the line of this action's result in the text dialect.
    pub(crate) fn say(&mut self, text: String) {
        self.said = Some(redact::owned(text));
    }

    /// What [`Self::say`] has set since this was last asked.
    pub(super) fn take_said(&mut self) -> Option<String> {
        self.said.take()
    }

    /// The executor's Python.
    pub(crate) fn python(&self) -> Option<&'a Python> {
        self.shared.python.as_ref().map(|(python, _)| &**python)
    }

    /// Keeps databases for the tests that run in the executor's Python.
    pub(crate) fn register_databases(&self, sources: Vec<Value>) -> Result<(), Failure> {
        lock(self.resolver()).register_databases(sources, self.memory())
    }

    /// Sets the value of this action's result in the event dialect for the case that it fails.
    pub(crate) fn explain(&mut self, value: Value) {
        self.explanation = Some(value);
    }

    /// Adds warnings to this action's result.
    pub(crate) fn warn(&mut self, warnings: Vec<String>) {
        self.warnings.extend(warnings);
    }

    /// Fails this action although it has a value: for a reason that the reference does not know. In the
    /// text dialect it keeps the line of its value.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failed = true;
        self.verdict.get_or_insert(failure);
    }

    /// Whether a command has called [`Self::fail`] since this was last asked.
    pub(super) fn take_failed(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }

    /// Notes that a test of this document was refused: it has no figures.
    pub(super) fn refuse_test(&mut self) {
        self.refused = true;
    }

    /// Whether one was.
    pub(crate) fn has_refused_test(&self) -> bool {
        self.refused
    }

    /// Emits the result of an action, with its added value and warnings.
    pub(super) fn finish(&mut self, action: &str, mut result: ActionResult) {
        // That of a document inside this action explains nothing: the failure is in its value.
        if let (Some(explanation), None) = (self.explanation.take(), &result.value) {
            result.value = Some(explanation);
        }
        let verdict = self.verdict.take().filter(|_| result.ok);
        if self.details.is_some() || verdict.is_some() {
            result.text = result.value.as_ref().map(Value::to_text);
        }
        if let Some(details) = self.details.take() {
            result.value = Some(details);
        }
        if let Some(said) = self.said.take() {
            result.text = Some(said);
        }
        if let Some(failure) = verdict {
            result.ok = false;
            result.error = Some(failure);
        }
        result.warnings = std::mem::take(&mut self.warnings);
        let event = Event::Result(result);
        self.run.note(&event);
        if let Event::Result(result) = event {
            self.sink.result(action, result);
        }
    }

    /// Emits the progress of a test.
    pub(crate) fn progress(&mut self, test: &Test, progress: &load::Progress<'_>) {
        self.emit(Event::Progress(run::progress(self.index, test, progress)));
    }

    /// How much is shown of requests while a test runs: nothing for 0, most for 2.
    pub(crate) fn detail(&self) -> u8 {
        self.run.detail()
    }

    /// Emits what is shown of requests.
    pub(crate) fn show(&mut self, lines: Vec<String>) {
        let index = self.index;
        lines.into_iter().for_each(|text| self.emit(Event::Detail { index, text }));
    }

    /// Starts the run of a test of `length` (`None`: until stopped), or fails with the one in
    /// progress.
    pub(crate) fn claim_run(
        &self,
        name: impl Into<String>,
        length: Option<Duration>,
    ) -> Result<Lease<'a>, Failure> {
        let claimed = self.shared.runs.claim(self.run, name.into(), length);
        claimed.map_err(|holder| run::busy(&holder))
    }

    /// Starts a service unless one of this name is running; returns the value of the running one.
    pub(crate) fn start_service<S: Service + 'static>(
        &self,
        name: &'static str,
        start: impl FnOnce() -> Result<S, Failure>,
    ) -> Result<Value, Failure> {
        self.shared.services.start(name, start)
    }

    /// Starts a service of this run, unless one of this name is running that the run may use; returns
    /// the value of the running one.
    pub(crate) fn start_own_service<S: Service + 'static>(
        &self,
        name: &'static str,
        start: impl FnOnce() -> Result<S, Failure>,
    ) -> Result<Value, Failure> {
        self.shared.services.start_of(name, &self.tenant(), start)
    }

    /// The services of this name that are running: the run that each belongs to, its value, and how many
    /// clients are connected to it.
    pub(crate) fn look_at_services(&self, name: &str) -> Vec<(Option<u64>, Value, usize)> {
        self.shared.services.look(name)
    }

    /// Stops a service; returns whether it was running.
    pub(crate) fn stop_service(&self, name: &'static str) -> bool {
        self.shared.services.stop(name)
    }

    /// Stops this run's service of this name, or those that others have left running; returns whether
    /// one was running.
    pub(crate) fn stop_own_service(&self, name: &'static str) -> bool {
        self.shared.services.stop_of(name, &self.tenant())
    }

    fn tenant(&self) -> Tenant<'_> {
        let run = self.run.is_isolated().then(|| self.run.number());
        Tenant { run, has_ended: Box::new(|run| self.shared.runs.has_ended(run)) }
    }

    /// Starts an action of the outermost document.
    pub(super) fn start(&mut self, index: usize, command: &str) {
        self.index = index;
        self.held.clear();
        self.emit(Event::Started { index, command: command.to_owned() });
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.run.note(&event);
        self.sink.emit(event);
    }
}
