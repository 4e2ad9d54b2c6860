//! The report of a run, on request: from its records while they are kept, from its live figures while
//! its test is in progress, else from what its history keeps.

use std::io::{self, Write};
use std::sync::Arc;

use super::executor::Executor;
use super::machine;
use crate::event::{ReportFormat, RequestErrors, State, Status};
use crate::lock::lock;
use crate::memory::Memory;
use crate::record::gates::{GateResult, Rule};
use crate::record::{Conditions, Metrics, Records, Summary};
use crate::report::figures::Figures;
use crate::report::html;
use crate::report::kept::{self, OfTest};
use crate::report::{Baseline, Facts, Kept, csv, github, json, junit, sarif, summary, xml};
use crate::run::{HistoryError, Run, Test};
use crate::value::{Map, Value};

/// How much worse a figure may be than in the other run, as a share of that: the default of reports.
const TOLERANCE: f64 = 0.1;

/// The longest document that is shown with the figures so far, in bytes: it is read each time.
const MOST_SHOWN: usize = 64 << 10;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Without a number: no run was ever accepted.
    #[error("there is no run yet")]
    NoRun,
    /// No run has this number.
    #[error("unknown run {0}")]
    Unknown(u64),
    /// What the report needs is not kept, or not there yet.
    #[error("{0}")]
    Unavailable(String),
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// The report of a run, ready to be written.
#[derive(Debug)]
pub struct RunReport {
    /// The run's number.
    pub run: u64,
    /// What the reader of the figures must know.
    pub warnings: Vec<String>,
    format: ReportFormat,
    /// What was run, and where.
    facts: Facts,
    /// The gates that it was judged by.
    gates: Vec<Rule>,
    /// The run that it is compared with, and what was measured in this one.
    baseline: Option<Baseline>,
    source: Source,
}

/// A run as its page shows it, while it is in progress and afterwards.
#[derive(Debug)]
pub struct RunPage {
    /// Its state and figures.
    pub status: Status,
    /// The parts of its report; none before its first test.
    pub parts: Vec<html::Part>,
}

/// What a report is made of.
#[derive(Debug)]
enum Source {
    Rows(Records),
    Kept(Value),
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
        let tolerance = TOLERANCE;
        let baseline = Baseline { title, total, names, tolerance, regressions: Vec::new() };
        report.baseline = Some(baseline.against(&current));
        Ok(report)
    }

    /// A run as its page shows it. Its parts are made in turn with the reports of all runs, and while a
    /// test is in progress they take no longer for more requests.
    pub fn page(&self, run: u64) -> Result<RunPage, ReportError> {
        // Before its report: what has ended has all of its figures.
        let status = self.table().info(run)?.ok_or(ReportError::Unknown(run))?;
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

impl RunReport {
    fn new(run: u64, format: ReportFormat, status: &Status, source: Source) -> Self {
        let info = status.run.as_ref();
        let why = info.and_then(|info| info.message.as_deref());
        let why = why.map_or_else(String::new, |message| format!(": {message}"));
        let failed = match status.state {
            State::Failed => Some("failed"),
            State::Cancelled | State::Lost => Some("was stopped"),
            State::Interrupted => Some("was interrupted"),
            _ => None,
        };
        let failed = failed.map(|how| format!("Run {run} {how}{why}"));
        let label = info.and_then(|info| info.name.clone());
        let facts = Facts { run: Some(run), label, failed, ..Facts::default() };
        let (warnings, gates) = (Vec::new(), Vec::new());
        Self { run, warnings, format, facts, gates, baseline: None, source }
    }

    /// The figures with what was run, and the results of the gates.
    fn judged(&self, mut figures: Figures, summary: &dyn Metrics) -> (Figures, Vec<GateResult>) {
        figures.facts = self.facts.clone();
        figures.baseline.clone_from(&self.baseline);
        if figures.facts.is_in_progress {
            figures.without_course = Some("the test is in progress".to_owned());
        }
        (figures, self.gates.iter().map(|rule| rule.judge(summary)).collect())
    }

    /// What its page shows.
    fn figures(&self, memory: &Arc<Memory>) -> Option<(Figures, Vec<GateResult>)> {
        Some(match &self.source {
            Source::Rows(records) => {
                let figures = kept::figures_of(records, Some(memory));
                self.judged(figures, &records.summary())
            }
            Source::Kept(figures) => {
                let kept = Kept::read(figures)?;
                self.judged(kept.figures(), kept.summary())
            }
        })
    }

    /// The parts of its page.
    fn parts(&self, memory: &Arc<Memory>) -> Vec<html::Part> {
        let drawn = self.figures(memory);
        drawn.map_or_else(Vec::new, |(figures, gates)| html::parts(&figures, &gates))
    }

    /// Its page.
    fn draw(&self, memory: &Arc<Memory>, out: &mut dyn Write) -> io::Result<()> {
        let drawn = self.figures(memory);
        drawn.map_or(Ok(()), |(figures, gates)| html::draw(&figures, &gates, out))
    }

    fn write(&self, memory: &Arc<Memory>, out: &mut dyn Write) -> io::Result<()> {
        match &self.source {
            Source::Rows(records) => match self.format {
                ReportFormat::Html | ReportFormat::Other => self.draw(memory, out),
                ReportFormat::Json => json::write_all(records, out),
                ReportFormat::Xml => xml::write_all(records, out),
                ReportFormat::Csv => csv::write(records, out),
                ReportFormat::Junit => junit::write(records, junit::Per::Name, &[], out),
                ReportFormat::Summary => summary::write_details(records, out),
                ReportFormat::Github => github::write(records, out),
                ReportFormat::Sarif => sarif::write(records, sarif::TOOL_VERSION, &[], out),
            },
            Source::Kept(figures) => {
                let Some(kept) = Kept::read(figures) else { return Ok(()) };
                match self.format {
                    ReportFormat::Junit => junit::write_kept(&kept, out),
                    ReportFormat::Summary => summary::write_kept(&kept, out),
                    _ => self.draw(memory, out),
                }
            }
        }
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

/// Whether a report lists every request.
fn needs_rows(format: ReportFormat) -> bool {
    match format {
        ReportFormat::Json | ReportFormat::Xml | ReportFormat::Csv => true,
        ReportFormat::Github | ReportFormat::Sarif => true,
        ReportFormat::Html | ReportFormat::Junit | ReportFormat::Summary => false,
        ReportFormat::Other => false,
    }
}

/// Of a run in memory.
fn of_run(run: &Run, format: ReportFormat) -> Result<RunReport, ReportError> {
    let (number, status) = (run.number(), run.info());
    let Some(test) = run.test() else {
        let yet = if status.state.is_final() { "" } else { " yet" };
        let why = format!("run {number} has made no load test{yet}");
        return Err(ReportError::Unavailable(why));
    };
    if test.has_ended()
        && let Some(records) = run.records()
    {
        let mut warnings: Vec<String> = records.warning().into_iter().collect();
        if needs_rows(format) {
            warnings.extend(records.recordings().iter().filter_map(|test| test.beyond()));
        }
        let report = RunReport::new(number, format, &status, Source::Rows(records));
        return Ok(RunReport { warnings, ..report });
    }
    if status.state.is_final() {
        return kept(number, format, &status, run.figures().unwrap_or_default());
    }
    if needs_rows(format) {
        let why = format!(
            "the test of run {number} is in progress; {format} lists its requests once it has ended"
        );
        return Err(ReportError::Unavailable(why));
    }
    let mut report = kept(number, format, &status, so_far(run, &test))?;
    report.facts.is_in_progress = true;
    report.warnings.push(format!("run {number} is in progress: these are its figures so far"));
    Ok(report)
}

/// From the figures that are kept of a run.
fn kept(
    run: u64,
    format: ReportFormat,
    status: &Status,
    figures: Value,
) -> Result<RunReport, ReportError> {
    let unavailable = |why: String| Err(ReportError::Unavailable(why));
    if Kept::read(&figures).is_none() {
        return unavailable(match status.state {
            State::Interrupted => {
                format!("the figures of run {run} are lost: the server ended while it ran")
            }
            _ if figures == Value::Null => format!(
                "no figures of run {run} are kept: it made no load test, or they did not fit under \
                 --max-memory"
            ),
            _ => format!("run {run} has finished no load test"),
        });
    }
    if needs_rows(format) {
        return unavailable(format!(
            "the rows of run {run} are no longer kept; html, junit and summary do not need them"
        ));
    }
    Ok(RunReport::new(run, format, status, Source::Kept(figures)))
}

/// The figures of a test in progress.
fn so_far(run: &Run, test: &Test) -> Value {
    let series = test.live().series();
    let document = run.document().filter(|document| document.len() <= MOST_SHOWN);
    let document = document.and_then(|document| Value::parse(document).ok());
    let document = document.map(|document| html::document(&document));
    let of = OfTest {
        started: test.started_at(),
        took: test.snapshot().elapsed,
        document: document.as_deref(),
        conditions: &Conditions::default(),
        series: &series,
    };
    let note = "The test is in progress: these are its figures so far, and its errors are listed at \
                its end.";
    let summary = [
        ("summary", Summary::of_series(&series).to_details()),
        ("warnings", Value::List(vec![note.into()])),
    ];
    let members = summary.into_iter().chain(kept::members(of));
    let members: Map = members.map(|(key, value)| (key.to_owned(), value)).collect();
    Value::dict([("tests", Value::List(vec![Value::Dict(members)])), ("series", run.course())])
}
