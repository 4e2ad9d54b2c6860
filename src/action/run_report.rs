//! The report of a run: from its records while they are kept, from its live figures while its test is in
//! progress, else from what its history keeps.

use std::io::{self, Write};
use std::sync::Arc;

use crate::error::reason;
use crate::event::{ReportFormat, State, Status};
use crate::memory::Memory;
use crate::record::gates::{GateResult, Rule};
use crate::record::live::Live;
use crate::record::{Conditions, Errors, Metrics, Records, Summary};
use crate::report::figures::{Beside, Figures};
use crate::report::html;
use crate::report::kept::{self, OfTest};
use crate::report::{Baseline, Facts, Kept, csv, github, json, junit, sarif, summary, xml};
use crate::run::{HistoryError, Run, Test};
use crate::value::{Map, Value};

/// The most errors of a test in progress that are read each time.
const MOST_ERRORS: usize = 500;

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
    pub(super) format: ReportFormat,
    /// What was run, and where.
    pub(super) facts: Facts,
    /// The gates that it was judged by.
    pub(super) gates: Vec<Rule>,
    /// The run that it is compared with, and what was measured in this one.
    pub(super) baseline: Option<Baseline>,
    /// The report of that run.
    pub(super) beside: Option<Box<RunReport>>,
    /// The figures of its test, while it is in progress.
    live: Option<Arc<Live>>,
    source: Source,
}

/// What a report is made of.
#[derive(Debug)]
enum Source {
    Rows(Records),
    Kept(Value),
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
        let (baseline, beside, live) = (None, None, None);
        Self { run, warnings, format, facts, gates, baseline, beside, live, source }
    }

    /// The figures with what was run, and the results of the gates.
    fn judged(&self, mut figures: Figures, summary: &dyn Metrics) -> (Figures, Vec<GateResult>) {
        figures.facts = self.facts.clone();
        figures.baseline.clone_from(&self.baseline);
        (figures, self.gates.iter().map(|rule| rule.judge(summary)).collect())
    }

    /// What its page shows.
    fn figures(&self, memory: &Arc<Memory>) -> Option<(Figures, Vec<GateResult>)> {
        let (mut figures, gates) = self.own_figures(memory)?;
        if let (Some(beside), Some(baseline)) = (&self.beside, &mut figures.baseline) {
            let (figures, gates_of_base) = beside.own_figures(memory)?;
            let gates_of_new = gates.clone();
            let beside = Beside { figures, gates: gates_of_base, gates_of_new };
            baseline.beside = Some(Arc::new(beside));
        }
        Some((figures, gates))
    }

    fn own_figures(&self, memory: &Arc<Memory>) -> Option<(Figures, Vec<GateResult>)> {
        Some(match &self.source {
            Source::Rows(records) => {
                let figures = kept::figures_of(records, Some(memory));
                self.judged(figures, &records.summary())
            }
            Source::Kept(figures) => {
                let kept = Kept::read(figures)?;
                let mut figures = kept.figures();
                if let Some(live) = &self.live {
                    kept::add_detail(&mut figures, &kept, live);
                }
                self.judged(figures, kept.summary())
            }
        })
    }

    /// The parts of its page.
    pub(super) fn parts(&self, memory: &Arc<Memory>) -> Vec<html::Part> {
        let drawn = self.figures(memory);
        drawn.map_or_else(Vec::new, |(figures, gates)| html::parts(&figures, &gates))
    }

    /// Its page.
    fn draw(&self, memory: &Arc<Memory>, out: &mut dyn Write) -> io::Result<()> {
        let Some((mut figures, gates)) = self.figures(memory) else { return Ok(()) };
        // Nobody fetches them for a file.
        if figures.facts.is_in_progress {
            figures.names.iter_mut().for_each(|name| name.is_charted_apart = false);
            figures.without_course = Some("the test is in progress".to_owned());
        }
        html::draw(&figures, &gates, out)
    }

    pub(super) fn write(&self, memory: &Arc<Memory>, out: &mut dyn Write) -> io::Result<()> {
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

/// Whether a report lists every request.
pub(super) fn needs_rows(format: ReportFormat) -> bool {
    match format {
        ReportFormat::Json | ReportFormat::Xml | ReportFormat::Csv => true,
        ReportFormat::Github | ReportFormat::Sarif => true,
        ReportFormat::Html | ReportFormat::Junit | ReportFormat::Summary => false,
        ReportFormat::Other => false,
    }
}

/// Of a run in memory.
pub(super) fn of_run(run: &Run, format: ReportFormat) -> Result<RunReport, ReportError> {
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
    report.live = Some(Arc::clone(test.live()));
    report.warnings.push(format!("run {number} is in progress: these are its figures so far"));
    Ok(report)
}

/// The page of a run whose test is in progress, or why there is none.
pub(super) fn page_so_far(
    run: &Run,
    facts: &Facts,
    memory: &Arc<Memory>,
) -> Result<String, String> {
    let mut report = of_run(run, ReportFormat::Html).map_err(|error| error.to_string())?;
    report.facts = Facts { is_in_progress: report.facts.is_in_progress, ..facts.clone() };
    let mut page = Vec::new();
    report.write(memory, &mut page).map_err(|error| reason(&error))?;
    String::from_utf8(page).map_err(|error| error.to_string())
}

/// From the figures that are kept of a run.
pub(super) fn kept(
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
pub(super) fn so_far(run: &Run, test: &Test) -> Value {
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
    let detail = test.live().detail();
    let errors = detail
        .map(|detail| Errors::so_far(&detail.errors(), test.started_at(), MOST_ERRORS).to_value());
    let note = match &errors {
        Some(_) => "The test is in progress: these are its figures so far.",
        None => {
            "The test is in progress: these are its figures so far, and its errors are listed at its end."
        }
    };
    let summary = [
        ("errors", errors.unwrap_or_else(|| Value::List(Vec::new()))),
        ("summary", Summary::of_series(&series).to_details()),
        ("warnings", Value::List(vec![note.into()])),
    ];
    let members = summary.into_iter().chain(kept::members(of));
    let members: Map = members.map(|(key, value)| (key.to_owned(), value)).collect();
    Value::dict([("tests", Value::List(vec![Value::Dict(members)])), ("series", run.course())])
}
