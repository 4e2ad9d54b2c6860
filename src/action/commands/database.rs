//! Runs in an SQLite file: `LD_persist_records`, `LD_list_runs`, `LD_fetch_run_records`,
//! `LD_diff_runs`, `LD_assert_no_regressions`.

use std::sync::Arc;
use std::time::SystemTime;

use crate::action::command::{Command, Declaration};
use crate::action::context::{Context, Persisted};
use crate::event::{Failure, FailureKind};
use crate::memory::Share;
use crate::record::diff::{self, Run};
use crate::record::sqlite::{Database, DatabaseError, MAX_FETCH, Place};
use crate::redact;
use crate::report::Baseline;
use crate::value::{Charset, Field, Invalid, Kind, Literal, Map, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_persist_records",
        "Writes the records as a run into an SQLite file and returns the run's number.",
        &[
            DATABASE,
            Field::optional("label", Kind::Text, "A label for people."),
            Field::optional("metadata", Kind::MEMBERS, "Further data to store with the run.")
                .or(Literal::Object),
        ],
        |given| {
            Ok(Box::new(Persist {
                path: given.required("database_path")?.string()?,
                label: given.if_present("label", |label| label.string())?,
                metadata: given.or_default("metadata", |metadata| match metadata.value() {
                    Value::Dict(_) => Ok(metadata.value().clone()),
                    _ => Err(metadata.expected("an object")),
                })?,
            }))
        },
    )
    .returns("The number of the run.")
    .example(
        r#"["LD_persist_records", {"database_path": "runs.db", "label": "main",
  "metadata": {"commit": "a1b2c3"}}]"#,
    ),
    Declaration::named(
        "LD_list_runs",
        "Returns the runs of an SQLite file, newest first.",
        &[
            DATABASE,
            Field::optional(
                "limit",
                Kind::Integer,
                "The maximum number of runs; a negative number for all, up to 100000.",
            )
            .or(Literal::Int(20)),
        ],
        |given| {
            Ok(Box::new(List {
                path: given.required("database_path")?.string()?,
                limit: given.or_default("limit", whole)?,
            }))
        },
    )
    .returns("A list of objects: `id`, `started_at`, `label`, `metadata_json`.")
    .example(r#"["LD_list_runs", {"database_path": "runs.db", "limit": 5}]"#),
    Declaration::named(
        "LD_fetch_run_records",
        "Returns every request of a run.",
        &[DATABASE, Field::required("run_id", Kind::Integer, "The run's number.")],
        |given| {
            Ok(Box::new(Fetch {
                path: given.required("database_path")?.string()?,
                run: whole(&given.required("run_id")?)?,
            }))
        },
    )
    .returns("A list of objects, one per request.")
    .example(r#"["LD_fetch_run_records", {"database_path": "runs.db", "run_id": 3}]"#),
    Declaration::named(
        "LD_diff_runs",
        "Compares two runs by name and returns the changes of each metric and the regressions.",
        &[
            DATABASE,
            Field::required(
                "baseline_run_id",
                Kind::Integer,
                "The number of the run to compare with.",
            ),
            Field::required(
                "current_run_id",
                Kind::Integer,
                "The number of the run that is judged.",
            ),
            TOLERANCE,
        ],
        |given| {
            Ok(Box::new(Diff {
                path: given.required("database_path")?.string()?,
                baseline: whole(&given.required("baseline_run_id")?)?,
                current: whole(&given.required("current_run_id")?)?,
                tolerance: given.or_default("tolerance", |share| share.number())?,
            }))
        },
    )
    .text("It does not fail when there are regressions; LD_assert_no_regressions does.")
    .returns(
        "An object: `per_name` with the `deltas` of each figure (`baseline`, `current`, `abs`, \
         `pct`), `regressions` (`name`, `metrics`) and `has_regressions`.",
    )
    .example(
        r#"["LD_diff_runs", {"database_path": "runs.db", "baseline_run_id": 1,
  "current_run_id": 2}]"#,
    ),
    Declaration::named(
        "LD_assert_no_regressions",
        "Compares two runs name by name, and fails when a figure has become worse.",
        &[
            DATABASE,
            Field::optional(
                "baseline",
                RUN,
                "The run to compare with: its number, the label of the newest such run before the \
                 judged one, or \"previous\".",
            )
            .or(Literal::Text("previous")),
            Field::optional(
                "current",
                RUN,
                "The run that is judged: its number, the label of the newest such run, or \
         \"latest\".",
            )
            .or(Literal::Text("latest")),
            TOLERANCE,
        ],
        |given| {
            Ok(Box::new(AssertNoRegressions {
                path: given.required("database_path")?.string()?,
                baseline: given.or_default("baseline", RunName::read)?,
                current: given.or_default("current", RunName::read)?,
                tolerance: given.or_default("tolerance", |share| share.number())?,
            }))
        },
    )
    .text("A name of the baseline that the current run lacks counts as a regression.")
    .returns(
        "What LD_diff_runs returns, if nothing has become worse. Otherwise it fails with the \
         figures.",
    )
    .example(
        r#"["LD_assert_no_regressions", {"database_path": "runs.db", "baseline": "main",
  "tolerance": 0.2}]"#,
    ),
];

const RUN: Kind = Kind::Either(&[Kind::Integer, Kind::Name]);

const TOLERANCE: Field = Field::optional(
    "tolerance",
    Kind::Number,
    "How much worse a figure may be, as a share of the baseline's.",
)
.note("0.1 allows 10 % more.")
.or(Literal::Float(0.1));

/// Runs that a refusal lists.
const SHOWN_RUNS: usize = 10;

pub(super) const DATABASE: Field =
    Field::required("database_path", Kind::Path, "The SQLite file, in the data directory.")
        .example("\"runs.db\"");

/// Parses an integer; a negative limit means no limit, and no run has a negative number.
pub(super) fn whole(reader: &Reader<'_>) -> Result<i64, Invalid> {
    match reader.value() {
        _ if reader.awaits_number() => Ok(1),
        Value::Int(number) => Ok(*number),
        _ => Err(reader.expected("an integer")),
    }
}

pub(super) fn failed(error: DatabaseError) -> Failure {
    let kind = match error {
        DatabaseError::Full { .. }
        | DatabaseError::TooLarge { .. }
        | DatabaseError::TooManyNames { .. } => FailureKind::Refused,
        DatabaseError::Stopped { .. } => FailureKind::Cancelled,
        _ => FailureKind::Database,
    };
    Failure::new(kind, error.to_string())
}

/// Opens a file's directory inside the data directory. SQLite reports a missing one, in the
/// reference's words.
pub(super) fn located(context: &Context<'_>, path: &str) -> Result<Place, Failure> {
    if context.files().lacks_directory(path) {
        return Err(failed(DatabaseError::CannotOpen));
    }
    context.files().place(path)
}

/// Reads from an existing file; `None` is a database without runs, and a warning.
pub(super) fn read<T: Send + 'static>(
    context: &mut Context<'_>,
    path: &str,
    work: impl FnOnce(&mut Database) -> Result<T, DatabaseError> + Send + 'static,
) -> Result<Option<T>, Failure> {
    let place = located(context, path)?;
    let found = place.read(&context.reading(), &context.policy().memory, work).map_err(failed)?;
    if found.is_none() {
        context
            .warn(vec![format!("{path:?} does not exist; it counts as a database without runs")]);
    }
    Ok(found)
}

#[derive(Debug)]
struct Persist {
    path: String,
    label: Option<String>,
    metadata: Value,
}

impl Command for Persist {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, label, metadata } = *self;
        let records = context.records();
        let started = records.recordings().first().map(|recording| recording.started_at());
        let started = jiff::Timestamp::try_from(started.unwrap_or_else(SystemTime::now))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let started_at = started.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
        // The reference's spelling: equal metadata is equal text in files of either program.
        let metadata = metadata.redacted().to_json(Charset::Unicode);
        let label = label.map(redact::owned);
        let place = located(context, &path)?;
        let kept = label.clone();
        let run = place.write(&context.writing(), &context.policy().memory, move |database| {
            database.persist(&records, &started_at, label.as_deref(), &metadata)
        });
        let run = run.map_err(failed)?;
        context.note_persisted(Persisted { path, run, label: kept });
        Ok(run.into())
    }
}

#[derive(Debug)]
struct List {
    path: String,
    limit: i64,
}

impl Command for List {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, limit } = *self;
        let runs = read(context, &path, move |database| database.runs(limit))?;
        let Some((runs, more)) = runs else { return Ok(Vec::new().into()) };
        if more {
            let message = format!("{path:?} has more runs than the {MAX_FETCH} returned");
            context.warn(vec![message]);
        }
        Ok(runs.into())
    }
}

#[derive(Debug)]
struct Fetch {
    path: String,
    run: i64,
}

impl Command for Fetch {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, run } = *self;
        let records = read(context, &path, move |database| database.records(run))?;
        Ok(records.map_or_else(|| Vec::new().into(), Value::from))
    }
}

#[derive(Debug)]
struct Diff {
    path: String,
    baseline: i64,
    current: i64,
    tolerance: f64,
}

impl Command for Diff {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, baseline, current, tolerance } = *self;
        let shown = path.clone();
        let found = read(context, &path, move |database| {
            let figures = [database.figures(baseline)?, database.figures(current)?];
            // The reference compares a run that does not exist as one without requests.
            for number in [baseline, current] {
                if let Err(unknown) = RunName::Number(number).find(database, None, &shown)? {
                    return Ok((figures, Some(unknown)));
                }
            }
            Ok((figures, None))
        })?;
        let Some(([before, after], unknown)) = found else {
            context.fail(RunName::Number(baseline).missing(None, &path, &[]));
            let none = Run::new();
            return Ok(Value::Dict(difference((baseline, current), (&none, &none), tolerance)));
        };
        if let Some(failure) = unknown {
            context.fail(failure);
        }
        let figures = (&before.0, &after.0);
        Ok(Value::Dict(difference((baseline, current), figures, tolerance)))
    }
}

/// The comparison of two runs, in the shape of `LD_diff_runs`.
fn difference((baseline, current): (i64, i64), figures: (&Run, &Run), tolerance: f64) -> Map {
    let mut result = Map::from_iter([
        ("baseline_run_id".to_owned(), baseline.into()),
        ("current_run_id".to_owned(), current.into()),
        ("tolerance".to_owned(), tolerance.into()),
    ]);
    result.extend(diff::compare(figures.0, figures.1, tolerance));
    result
}

/// A run to compare a report with.
#[derive(Debug)]
pub(super) struct Earlier {
    /// The file; that of `LD_persist_records` before in the document if it is left out.
    pub(super) path: Option<String>,
    pub(super) run: RunName,
    pub(super) tolerance: f64,
}

impl Earlier {
    /// Its figures and their memory. Where there is no earlier run yet, there is a warning instead.
    pub(super) fn read(
        self,
        context: &mut Context<'_>,
    ) -> Result<Option<(Baseline, Share)>, Failure> {
        let persisted = context.persisted().cloned();
        let Self { path, run, tolerance } = self;
        let Some(path) = path.or_else(|| persisted.as_ref().map(|own| own.path.clone())) else {
            let message =
                "a baseline needs \"database_path\", or LD_persist_records before the report";
            return Err(Failure::new(FailureKind::InvalidArgument, message));
        };
        // A run is not compared with itself.
        let before = persisted.filter(|own| own.path == path).map(|own| own.run);
        let must_exist = matches!(run, RunName::Number(_));
        let shown = path.clone();
        let found = read(context, &path, move |database| {
            let number = match run.find(database, before, &shown)? {
                Ok(number) => number,
                Err(missing) => return Ok(Err(missing)),
            };
            let mut title = format!("run {number}");
            database.newest(number.checked_add(1), |_, label| {
                if let Some(label) = label.filter(|label| !label.is_empty()) {
                    title = format!("{title} ({label})");
                }
                true
            })?;
            let (names, total, share) = database.figures_with_total(number)?;
            let regressions = Vec::new();
            Ok(Ok((Baseline { title, total, names, tolerance, regressions, beside: None }, share)))
        })?;
        match found {
            Some(Ok(baseline)) => Ok(Some(baseline)),
            Some(Err(missing)) if must_exist => Err(missing),
            Some(Err(missing)) => {
                let message = format!("the report has no baseline: {}", missing.message);
                context.warn(vec![message]);
                Ok(None)
            }
            None if must_exist => {
                Err(Failure::new(FailureKind::InvalidValue, format!("{path} does not exist")))
            }
            // The context has a warning then.
            None => Ok(None),
        }
    }
}

/// How a document names a run.
#[derive(Debug)]
pub(super) enum RunName {
    Number(i64),
    Label(String),
    /// The newest, or the newest before another.
    Newest,
}

impl RunName {
    pub(super) fn read(field: &Reader<'_>) -> Result<Self, Invalid> {
        match field.value() {
            Value::Int(number) => Ok(Self::Number(*number)),
            Value::Str(text) if text == "latest" || text == "previous" => Ok(Self::Newest),
            // As it was stored.
            Value::Str(text) if !text.is_empty() => {
                Ok(Self::Label(redact::text(text).into_owned()))
            }
            _ => Err(field.expected("a run's number or label, \"latest\" or \"previous\"")),
        }
    }

    /// The number of the run; `before` is the one that it is compared with, which it cannot be.
    fn find(
        &self,
        database: &Database,
        before: Option<i64>,
        path: &str,
    ) -> Result<Result<i64, Failure>, DatabaseError> {
        let found = match self {
            Self::Number(wanted) => database
                .newest(wanted.checked_add(1), |_, _| true)
                .map(|run| run.filter(|run| run == wanted)),
            Self::Label(wanted) => database.newest(before, |_, label| label == Some(wanted)),
            Self::Newest => database.newest(before, |_, _| true),
        };
        if let Some(run) = found? {
            return Ok(Ok(run));
        }
        let mut known = Vec::new();
        database.newest(None, |run, _| {
            known.push(run.to_string());
            known.len() == SHOWN_RUNS
        })?;
        Ok(Err(self.missing(before, path, &known)))
    }

    /// Why there is no such run among these, the newest.
    fn missing(&self, before: Option<i64>, path: &str, known: &[String]) -> Failure {
        let wanted = match self {
            Self::Number(number) => format!("no run {number}"),
            Self::Label(label) => format!("no earlier run with the label {label:?}"),
            Self::Newest if before.is_some() => "no run before the judged one".to_owned(),
            Self::Newest => "no run".to_owned(),
        };
        let known = match known.is_empty() {
            true => String::new(),
            false => format!("; the newest are {}", known.join(", ")),
        };
        Failure::new(FailureKind::InvalidValue, format!("{path}: {wanted}{known}"))
    }
}

#[derive(Debug)]
struct AssertNoRegressions {
    path: String,
    baseline: RunName,
    current: RunName,
    tolerance: f64,
}

/// Two runs that are compared: their numbers, and their figures with the memory that these take.
type Compared = ([i64; 2], [(Run, Share); 2]);

impl Command for AssertNoRegressions {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let asked: Arc<Self> = self.into();
        let tolerance = asked.tolerance;
        let work = {
            let asked = Arc::clone(&asked);
            move |database: &mut Database| asked.compared(database)
        };
        let Some(compared) = read(context, &asked.path, work)? else {
            return Err(asked.current.missing(None, &asked.path, &[]));
        };
        let ([baseline, current], [(before, _before), (after, _after)]) = compared?;
        let difference = Value::Dict(difference((baseline, current), (&before, &after), tolerance));
        let reasons: Vec<String> =
            diff::regressions(&before, &after, tolerance).iter().map(ToString::to_string).collect();
        if reasons.is_empty() {
            return Ok(difference);
        }
        context.enrich(difference, Vec::new());
        let message = format!("worse than run {baseline}: {}", reasons.join("; "));
        Err(Failure::new(FailureKind::Gate, message))
    }
}

impl AssertNoRegressions {
    fn compared(&self, database: &Database) -> Result<Result<Compared, Failure>, DatabaseError> {
        let current = match self.current.find(database, None, &self.path)? {
            Ok(current) => current,
            Err(missing) => return Ok(Err(missing)),
        };
        let baseline = match self.baseline.find(database, Some(current), &self.path)? {
            Ok(baseline) => baseline,
            Err(missing) => return Ok(Err(missing)),
        };
        let figures = [database.figures(baseline)?, database.figures(current)?];
        Ok(Ok(([baseline, current], figures)))
    }
}
