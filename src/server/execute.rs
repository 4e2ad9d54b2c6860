//! The boundary between the sessions and the executor of documents: [`Execute`], implemented by
//! [`Executor`]. Work that takes time is a [`Job`] with its own thread.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::report::Pieces;
use crate::action::{Executor, InvalidDocument, ReportError, RunPage, RunReport};
use crate::event::{ErrorKind, Event, ReportFormat, Sink, State, Status};
use crate::memory::Memory;
use crate::metrics::prometheus::ScrapeSource;
use crate::run::{HistoryError, Run, Submission};
use crate::value::Value;
use crate::wire::events::event_of;
use crate::wire::refusal::Refusal;

/// Work that takes time: it blocks its thread until it has ended, and emits its events to the sink.
pub type Job = Box<dyn FnOnce(&mut dyn Sink, &CancellationToken) + Send>;

/// Why a document cannot run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// It is not one.
    #[error(transparent)]
    Invalid(#[from] InvalidDocument),
    /// It takes too long to read.
    #[error("the document is not read after {} s; make it smaller", READ_TIMEOUT.as_secs())]
    Late,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Cancelled,
}

/// How long it may take to read a document. The largest take well under a second.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs documents.
pub trait Execute: Send + Sync + 'static {
    /// Reads a document; the job runs it, as its submission requests. Both block the same thread.
    /// A cancelled token ends the reading.
    fn prepare(
        self: Arc<Self>,
        document: Value,
        submission: Submission,
        cancel: &CancellationToken,
    ) -> Result<Job, Unready>;

    /// The ceiling for the memory of documents and replies; by default there is none.
    fn memory(&self) -> Arc<Memory> {
        Memory::new(usize::MAX)
    }

    /// Documents accepted so far.
    fn runs(&self) -> u64;

    /// The status of the running test; by default there is none. Must not block.
    fn status(&self) -> Status {
        Status::IDLE
    }

    /// Stops what documents have left running, at most until a deadline; by default there is
    /// nothing. Blocks its thread.
    fn close(&self, _deadline: std::time::Instant) {}

    /// The job stops a run, or the one whose test runs, waits for the end of its test, and reports its
    /// last status.
    fn stop(self: Arc<Self>, run: Option<u64>) -> Job {
        Box::new(move |sink, _| match run {
            Some(run) => sink.emit(Refusal::unknown_run(run).into()),
            None => stopped(sink, Status::IDLE, Duration::ZERO),
        })
    }

    /// The job reports the status of a run.
    fn describe(self: Arc<Self>, run: u64) -> Job {
        Box::new(move |sink, _| sink.emit(Refusal::unknown_run(run).into()))
    }

    /// The job writes the report of a run, or of the one whose test runs, or of the last.
    fn report(self: Arc<Self>, run: Option<u64>, _format: ReportFormat) -> Job {
        let refusal = run.map_or_else(no_run, Refusal::unknown_run);
        Box::new(move |sink, _| sink.emit(refusal.into()))
    }

    /// A run as its page shows it. Blocks its thread.
    fn page(&self, run: u64) -> Result<RunPage, Refusal> {
        Err(Refusal::unknown_run(run))
    }

    /// The charts of a name of a run whose test is in progress. Blocks its thread.
    fn charts(&self, run: u64, _method: &str, _name: &str) -> Result<String, Refusal> {
        Err(Refusal::unknown_run(run))
    }

    /// The job writes the page of a run beside another one.
    fn compare(self: Arc<Self>, run: u64, _with: u64) -> Job {
        Box::new(move |sink, _| sink.emit(Refusal::unknown_run(run).into()))
    }

    /// The document of a run, without its secrets, as JSON. Blocks its thread.
    fn document(&self, run: u64) -> Result<String, Refusal> {
        Err(Refusal::unknown_run(run))
    }

    /// What is found in the text of a document, as JSON. Blocks its thread.
    fn lint(&self, _text: &str) -> Vec<serde_json::Value> {
        Vec::new()
    }

    /// The figures of all tests for Prometheus, if there are any.
    fn figures(&self) -> Option<ScrapeSource> {
        None
    }

    /// The job lists the newest runs.
    fn list(self: Arc<Self>, _limit: usize, _state: Option<State>) -> Job {
        Box::new(|sink, _| {
            sink.emit(Event::Runs { runs: Vec::new() });
            sink.emit(Event::DONE);
        })
    }

    /// Finds a run, or the one whose test runs, or the last.
    fn follow(self: Arc<Self>, run: Option<u64>) -> Followed {
        let refusal = run.map_or_else(no_run, Refusal::unknown_run);
        Followed::Stored(Box::new(move || Err(refusal)))
    }
}

/// A run to follow.
pub enum Followed {
    /// Its events are in memory, and more may come.
    Run(Arc<Run>),
    /// All of its events are in the history.
    Stored(Stored),
}

/// Reads the events of a run with their numbers, or why there are none. Blocks its thread.
pub type Stored = Box<dyn FnOnce() -> Result<Vec<(u64, Event)>, Refusal> + Send>;

fn no_run() -> Refusal {
    Refusal::new(ErrorKind::UnknownRun, "there is no run yet")
}

/// How long a stop waits for the test's end: longer than requests in progress may take (5
/// s), and shorter than the client waits (10 s).
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

impl Execute for Executor {
    fn prepare(
        self: Arc<Self>,
        document: Value,
        submission: Submission,
        cancel: &CancellationToken,
    ) -> Result<Job, Unready> {
        let shown = self.table().keeps_documents().then(|| document.redacted());
        let shown = shown.and_then(|document| serde_json::to_string(&document).ok());
        let submission = Submission { document: shown, ..submission };
        let deadline = Instant::now() + READ_TIMEOUT;
        let late = || match () {
            () if cancel.is_cancelled() => Some(Unready::Cancelled),
            () if Instant::now() >= deadline => Some(Unready::Late),
            () => None,
        };
        let document = self.read_while(&document, late)?;
        Ok(Box::new(move |sink, cancel| {
            self.execute_as(submission, document, sink, cancel);
        }))
    }

    fn memory(&self) -> Arc<Memory> {
        Arc::clone(Self::memory(self))
    }

    fn runs(&self) -> u64 {
        Self::runs(self)
    }

    fn status(&self) -> Status {
        Self::status(self)
    }

    fn close(&self, deadline: std::time::Instant) {
        Self::close(self, deadline);
    }

    fn stop(self: Arc<Self>, run: Option<u64>) -> Job {
        Box::new(move |sink, _| {
            let started = Instant::now();
            let status = match run {
                None => Ok(Some(Self::stop(&self, STOP_TIMEOUT))),
                Some(run) => self.stop_run(run, STOP_TIMEOUT),
            };
            match (status, run) {
                (Ok(Some(status)), _) => stopped(sink, status, started.elapsed()),
                (Ok(None), run) => sink.emit(Refusal::unknown_run(run.unwrap_or(0)).into()),
                (Err(error), _) => sink.emit(unreadable(&error).into()),
            }
        })
    }

    fn report(self: Arc<Self>, run: Option<u64>, format: ReportFormat) -> Job {
        Box::new(move |sink, _| written(&self, Self::report(&self, run, format), format, sink))
    }

    fn page(&self, run: u64) -> Result<RunPage, Refusal> {
        Self::page(self, run).map_err(not_reported)
    }

    fn charts(&self, run: u64, method: &str, name: &str) -> Result<String, Refusal> {
        Self::charts(self, run, method, name).map_err(not_reported)
    }

    fn compare(self: Arc<Self>, run: u64, with: u64) -> Job {
        let format = ReportFormat::Html;
        Box::new(move |sink, _| written(&self, Self::compare(&self, run, with), format, sink))
    }

    fn document(&self, run: u64) -> Result<String, Refusal> {
        Self::document(self, run).map_err(not_reported)
    }

    fn lint(&self, text: &str) -> Vec<serde_json::Value> {
        let findings = self.check_text(text);
        let findings = findings.iter().map(|found| serde_json::to_value(found.of_file("document")));
        findings.filter_map(Result::ok).collect()
    }

    fn figures(&self) -> Option<ScrapeSource> {
        Some(self.scrape_source())
    }

    fn describe(self: Arc<Self>, run: u64) -> Job {
        Box::new(move |sink, _| match Self::describe(&self, run) {
            Ok(Some(status)) => {
                sink.emit(Event::Status(status));
                sink.emit(Event::DONE);
            }
            Ok(None) => sink.emit(Refusal::unknown_run(run).into()),
            Err(error) => sink.emit(unreadable(&error).into()),
        })
    }

    fn list(self: Arc<Self>, limit: usize, state: Option<State>) -> Job {
        Box::new(move |sink, _| match self.table().list(limit, state) {
            Ok(runs) => {
                sink.emit(Event::Runs { runs });
                sink.emit(Event::DONE);
            }
            Err(error) => sink.emit(unreadable(&error).into()),
        })
    }

    fn follow(self: Arc<Self>, run: Option<u64>) -> Followed {
        let table = self.table();
        let found = match run {
            Some(number) => table.find(number),
            None => table.current().or_else(|| table.last()),
        };
        if let Some(found) = found {
            return Followed::Run(found);
        }
        Followed::Stored(Box::new(move || stored(&self, run)))
    }
}

/// Emits the pieces of a report.
fn written(
    executor: &Executor,
    report: Result<RunReport, ReportError>,
    format: ReportFormat,
    sink: &mut dyn Sink,
) {
    let report = match report {
        Ok(report) => report,
        Err(error) => return sink.emit(not_reported(error).into()),
    };
    let started = Instant::now();
    let mut pieces = Pieces::new(sink, format, report.warnings.clone());
    let written = executor.write_report(&report, &mut pieces);
    match written.and_then(|()| pieces.finish()) {
        Ok(()) => sink.emit(Event::Done {
            ok: true,
            failed: 0,
            elapsed_s: started.elapsed().as_secs_f64(),
            run: Some(report.run),
            state: None,
            message: None,
        }),
        Err(error) if sink.is_open() => sink.emit(Refusal::internal(&error.to_string()).into()),
        Err(_) => {}
    }
}

/// The events of a run of the history, the last one unless a number is given.
fn stored(executor: &Executor, run: Option<u64>) -> Result<Vec<(u64, Event)>, Refusal> {
    let read = || {
        let Some(history) = executor.table().history() else { return Ok(None) };
        let found = match run {
            Some(run) => history.find(run)?,
            None => history.list(1, None)?.pop(),
        };
        let Some(Status { state, run: Some(info) }) = found else { return Ok(None) };
        Ok(Some((state, info.run, history.events(info.run)?)))
    };
    let found = read().map_err(|error| unreadable(&error))?;
    let (state, run, events) =
        found.ok_or_else(|| run.map_or_else(no_run, Refusal::unknown_run))?;
    let events = events.iter().filter_map(|(number, event)| Some((*number, event_of(event)?)));
    let mut events: Vec<(u64, Event)> = events.collect();
    if !matches!(events.last(), Some((_, Event::Done { .. }))) {
        // Its server ended before it did.
        let last = events.last().map_or(0, |(number, _)| *number);
        let (run, state) = (Some(run), Some(state));
        let message = Some("the server ended before it".to_owned());
        let (ok, failed, elapsed_s) = (false, 0, 0.0);
        let done = Event::Done { ok, failed, elapsed_s, run, state, message };
        events.push((last + 1, done));
    }
    Ok(events)
}

fn not_reported(error: ReportError) -> Refusal {
    match error {
        ReportError::NoRun => no_run(),
        ReportError::Unknown(run) => Refusal::unknown_run(run),
        ReportError::Unavailable(why) => Refusal::unavailable(&why),
        ReportError::History(error) => unreadable(&error),
    }
}

fn unreadable(error: &HistoryError) -> Refusal {
    Refusal::new(ErrorKind::Internal, format!("the history cannot be read: {error}"))
}

fn stopped(sink: &mut dyn Sink, status: Status, took: Duration) {
    sink.emit(Event::Status(status));
    sink.emit(Event::Done {
        ok: true,
        failed: 0,
        elapsed_s: took.as_secs_f64(),
        run: None,
        state: None,
        message: None,
    });
}
