//! What an executor tells of its runs on request: their reports, pages, documents and states.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::executor::Executor;
use super::machine;
use super::run_report::{ReportError, RunReport, kept, needs_rows, of_run, so_far};
use crate::event::{ReportFormat, RequestErrors, Status};
use crate::lock::lock;
use crate::report::{Baseline, Kept, html, kept as of_kept};
use crate::run::HistoryError;
use crate::value::Value;

/// How long a first look at a test in progress waits for what its workers count once a tick.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// How much worse a figure may be than in the other run, as a share of that: the default of reports.
const TOLERANCE: f64 = 0.1;

/// A run as its page shows it, while it is in progress and afterwards.
#[derive(Debug)]
pub struct RunPage {
    /// Its state and figures.
    pub status: Status,
    /// The parts of its report; none before its first test.
    pub parts: Vec<html::Part>,
}

impl Executor {
    /// Prepares the report of a run: of the one whose test runs or else of the last, if none is named.
    pub fn report(&self, run: Option<u64>, format: ReportFormat) -> Result<RunReport, ReportError> {
        let table = self.table();
        let found = match run {
            Some(number) => table.find(number),
            None => table.current().or_else(|| table.last()),
        };
        if let Some(run) = found {
            let mut report = of_run(&run, format)?;
            report.facts.document = run.file().map(str::to_owned);
            report.facts.command = self.shared.command.map(str::to_owned);
            report.facts.machine = Some(machine::in_words());
            report.gates = run.gates();
            return Ok(report);
        }
        let missing = || run.map_or(ReportError::NoRun, ReportError::Unknown);
        let history = table.history().ok_or_else(missing)?;
        let status = match run {
            Some(run) => history.find(run)?,
            None => history.list(1, None)?.pop(),
        };
        let status = status.ok_or_else(missing)?;
        let run = status.run.as_ref().map_or(0, |info| info.run);
        let [_, figures] = history.details(run)?;
        let figures = figures.and_then(|figures| Value::parse(&figures).ok());
        kept(run, format, &status, figures.unwrap_or_default())
    }

    /// Prepares the page of a run beside another one: what has become worse comes first.
    pub fn compare(&self, run: u64, with: u64) -> Result<RunReport, ReportError> {
        let mut report = self.report(Some(run), ReportFormat::Html)?;
        let (_, now) = self.figures(run)?;
        let (title, before) = self.figures(with)?;
        let metrics = |run: u64, figures: &Value| match Kept::read(figures) {
            Some(kept) => Ok(kept.metrics()),
            None => Err(ReportError::Unavailable(format!("no figures of run {run} are kept"))),
        };
        // Both from what is kept of runs, so that both are as exact.
        let ((current, _), (names, total)) = (metrics(run, &now)?, metrics(with, &before)?);
        let baseline =
            Baseline { title, total, names, tolerance: TOLERANCE, ..Baseline::default() };
        report.baseline = Some(baseline.against(&current));
        report.beside = Some(Box::new(self.report(Some(with), ReportFormat::Html)?));
        Ok(report)
    }

    /// A run as its page shows it. Its parts are made in turn with the reports of all runs, and while a
    /// test is in progress they take no longer for more requests.
    pub fn page(&self, run: u64) -> Result<RunPage, ReportError> {
        // Before its report: what has ended has all of its figures.
        let status = self.table().info(run)?.ok_or(ReportError::Unknown(run))?;
        self.look_at(run);
        let parts = match self.report(Some(run), ReportFormat::Html) {
            Ok(report) => {
                let _turn = lock(&self.shared.reports);
                report.parts(self.memory())
            }
            Err(ReportError::Unavailable(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(RunPage { status, parts })
    }

    /// Has errors, statuses and curves counted, if the test of a run is in progress.
    fn look_at(&self, run: u64) {
        let Some(test) = self.table().find(run).and_then(|run| run.test()) else { return };
        if test.has_ended() {
            return;
        }
        let (detail, until) = (test.live().look_at_detail(), Instant::now() + FIRST_LOOK);
        while detail.counted() == 0 && test.live().requests().0 > 0 && Instant::now() < until {
            sleep(Duration::from_millis(20));
        }
    }

    /// The charts of a name of a run whose test is in progress.
    pub fn charts(&self, run: u64, method: &str, name: &str) -> Result<String, ReportError> {
        let found = self.table().find(run).ok_or(ReportError::Unknown(run))?;
        let test = found.test().filter(|test| !test.has_ended());
        let drawn = test.and_then(|test| {
            let seconds = test.snapshot().elapsed.as_secs_f64();
            let (figures, width) = of_kept::curve_of(test.live(), method, name, seconds)?;
            Some(html::charts(&figures, width))
        });
        let why = || format!("run {run} has no test in progress with a curve of this name");
        drawn.ok_or_else(|| ReportError::Unavailable(why()))
    }

    /// What a run is called, and its figures: those so far while its test is in progress.
    fn figures(&self, run: u64) -> Result<(String, Value), ReportError> {
        let table = self.table();
        let Some(status) = table.info(run)? else { return Err(ReportError::Unknown(run)) };
        let figures = match (table.find(run), table.history()) {
            (Some(run), _) => match (run.figures(), run.test()) {
                (Some(figures), _) => figures,
                (None, Some(test)) if !run.has_ended() => so_far(&run, &test),
                _ => Value::Null,
            },
            (None, Some(history)) => {
                let [_, figures] = history.details(run)?;
                figures.and_then(|figures| Value::parse(&figures).ok()).unwrap_or_default()
            }
            (None, None) => Value::Null,
        };
        let name = status.run.and_then(|info| info.name);
        let name = name.map_or_else(String::new, |name| format!(" ({name})"));
        Ok((format!("run {run}{name}"), figures))
    }

    /// The document of a run, without its secrets, as JSON.
    pub fn document(&self, run: u64) -> Result<String, ReportError> {
        let table = self.table();
        let found = table.find(run);
        let document = match found.as_ref().and_then(|run| run.document()) {
            Some(document) => Some(document.to_owned()),
            None => match table.history() {
                Some(history) if found.is_some() || history.find(run)?.is_some() => {
                    let [document, _] = history.details(run)?;
                    document
                }
                _ if found.is_some() => None,
                _ => return Err(ReportError::Unknown(run)),
            },
        };
        let why = || format!("the document of run {run} is not kept");
        document.ok_or_else(|| ReportError::Unavailable(why()))
    }

    /// The state of a run, its figures, and its errors once it has ended; `None` if there is no such run.
    pub fn describe(&self, run: u64) -> Result<Option<Status>, HistoryError> {
        let table = self.table();
        let Some(mut status) = table.info(run)? else { return Ok(None) };
        if status.state.is_final()
            && let Some(info) = &mut status.run
        {
            let figures = match (table.find(run), table.history()) {
                (Some(run), _) => run.figures(),
                (None, Some(history)) => {
                    let [_, figures] = history.details(run)?;
                    figures.and_then(|figures| Value::parse(&figures).ok())
                }
                (None, None) => None,
            };
            info.errors = errors(&figures.unwrap_or_default());
        }
        Ok(Some(status))
    }

    /// Writes a report. Those that count all rows before they write anything take turns, because they
    /// take memory.
    pub fn write_report(&self, report: &RunReport, out: &mut dyn Write) -> io::Result<()> {
        if needs_rows(report.format) {
            return report.write(self.memory(), out);
        }
        let mut whole = Vec::new();
        {
            let _turn = lock(&self.shared.reports);
            report.write(self.memory(), &mut whole)?;
        }
        out.write_all(&whole)
    }
}

/// The errors among the figures of a run.
fn errors(figures: &Value) -> Vec<RequestErrors> {
    let list = |of: &Value, key: &str| match of.get(key) {
        Some(Value::List(items)) => items.clone(),
        _ => Vec::new(),
    };
    let tests = list(figures, "tests");
    let errors = tests.iter().flat_map(|test| list(test, "errors"));
    errors
        .map(|error| {
            let text = |key: &str| error.get(key).and_then(Value::as_str).map(str::to_owned);
            RequestErrors {
                count: error.get("count").and_then(Value::as_f64).unwrap_or(0.0) as u64,
                method: text("method").unwrap_or_default(),
                name: text("name").unwrap_or_default(),
                error: text("error").unwrap_or_default(),
                first: text("first"),
                last: text("last"),
            }
        })
        .collect()
}
