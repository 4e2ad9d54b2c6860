//! Runs in an SQLite file: `LD_persist_records`, `LD_list_runs`, `LD_fetch_run_records`,
//! `LD_diff_runs`, `LD_assert_no_regressions`.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::{Failure, FailureKind};
use crate::record::diff::{self, Run};
use crate::record::sqlite::{Database, DatabaseError};
use crate::redact;
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
    ),
    Declaration::named(
        "LD_list_runs",
        "Returns the runs of an SQLite file, newest first.",
        &[
            DATABASE,
            Field::optional(
                "limit",
                Kind::Integer,
                "The maximum number of runs; a negative number for all.",
            )
            .or(Literal::Int(20)),
        ],
        |given| {
            Ok(Box::new(List {
                path: given.required("database_path")?.string()?,
                limit: given.or_default("limit", whole)?,
            }))
        },
    ),
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
    ),
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
                "The run that is judged: its number, the label of the newest such run, or \"latest\".",
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
    ),
];

const RUN: Kind = Kind::Either(&[Kind::Integer, Kind::Name]);

const TOLERANCE: Field = Field::optional(
    "tolerance",
    Kind::Number,
    "How much worse a figure may be, as a share of the baseline's.",
)
.or(Literal::Float(0.1));

/// Runs that a refusal lists.
const SHOWN_RUNS: usize = 10;

const DATABASE: Field = Field::required("database_path", Kind::Path, "The SQLite file.");

/// Parses an integer; a negative limit means no limit, and no run has a negative number.
fn whole(reader: &Reader<'_>) -> Result<i64, Invalid> {
    match reader.value() {
        Value::Int(number) => Ok(*number),
        _ => Err(reader.expected("an integer")),
    }
}

fn failed(error: DatabaseError) -> Failure {
    Failure::new(FailureKind::Database, error.to_string())
}

/// Resolves a file inside the data directory. SQLite reports a missing directory, in the
/// reference's words.
fn located(context: &Context<'_>, path: &str) -> Result<PathBuf, Failure> {
    if context.files().lacks_directory(path) {
        return Err(failed(DatabaseError::CannotOpen));
    }
    context.files().resolve(path)
}

/// Opens an existing file; `None` is a database without runs.
fn opened(context: &Context<'_>, path: &str) -> Result<Option<Database>, Failure> {
    Database::open(&located(context, path)?, path).map_err(failed)
}

#[derive(Debug)]
struct Persist {
    path: String,
    label: Option<String>,
    metadata: Value,
}

impl Command for Persist {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let records = context.records();
        let started = records.recordings().first().map(|recording| recording.started_at());
        let started = jiff::Timestamp::try_from(started.unwrap_or_else(SystemTime::now))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let started_at = started.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
        // The reference's spelling: equal metadata is equal text in files of either program.
        let metadata = self.metadata.redacted().to_json(Charset::Unicode);
        let file = located(context, &self.path)?;
        let mut database = Database::create(&file, &self.path).map_err(failed)?;
        let label = self.label.map(redact::owned);
        let run =
            database.persist(&records, &started_at, label.as_deref(), &metadata).map_err(failed)?;
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
        let runs = match opened(context, &self.path)? {
            Some(database) => database.runs(self.limit).map_err(failed)?,
            None => Vec::new(),
        };
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
        let records = match opened(context, &self.path)? {
            Some(database) => database.records(self.run).map_err(failed)?,
            None => Vec::new(),
        };
        Ok(records.into())
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
        let database = opened(context, &self.path)?;
        let figures = |run| match &database {
            Some(database) => database.figures(run).map_err(failed),
            None => Ok(Run::new()),
        };
        let (baseline, current) = (figures(self.baseline)?, figures(self.current)?);
        // The reference compares a run that does not exist as one without requests.
        let runs = stored(database.as_ref())?;
        let unknown = [self.baseline, self.current]
            .into_iter()
            .find_map(|number| RunName::Number(number).find(&runs, None, &self.path).err());
        if let Some(failure) = unknown {
            context.fail(failure);
        }
        let numbers = (self.baseline, self.current);
        Ok(Value::Dict(difference(numbers, (&baseline, &current), self.tolerance)))
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

/// The runs of a database with their labels, the newest first.
fn stored(database: Option<&Database>) -> Result<Vec<(i64, Option<String>)>, Failure> {
    let Some(database) = database else { return Ok(Vec::new()) };
    let runs = database.runs(-1).map_err(failed)?;
    let run = |run: &Value| match run.get("id") {
        Some(Value::Int(number)) => {
            let label = run.get("label").and_then(Value::as_str).map(str::to_owned);
            Some((*number, label))
        }
        _ => None,
    };
    Ok(runs.iter().filter_map(run).collect())
}

/// How a document names a run.
#[derive(Debug)]
enum RunName {
    Number(i64),
    Label(String),
    /// The newest, or the newest before another.
    Newest,
}

impl RunName {
    fn read(field: &Reader<'_>) -> Result<Self, Invalid> {
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

    /// The number of the run among these, the newest first; `before` is the one that it is compared
    /// with, which it cannot be.
    fn find(
        &self,
        runs: &[(i64, Option<String>)],
        before: Option<i64>,
        path: &str,
    ) -> Result<i64, Failure> {
        let mut earlier = runs.iter().filter(|(number, _)| before.is_none_or(|run| *number < run));
        let found = match self {
            Self::Number(wanted) => runs.iter().find(|(number, _)| number == wanted),
            Self::Label(wanted) => earlier.find(|(_, label)| label.as_ref() == Some(wanted)),
            Self::Newest => earlier.next(),
        };
        found.map(|(number, _)| *number).ok_or_else(|| {
            let wanted = match self {
                Self::Number(number) => format!("no run {number}"),
                Self::Label(label) => format!("no earlier run with the label {label:?}"),
                Self::Newest if before.is_some() => "no run before the judged one".to_owned(),
                Self::Newest => "no run".to_owned(),
            };
            let known: Vec<String> =
                runs.iter().take(SHOWN_RUNS).map(|(number, _)| number.to_string()).collect();
            let known = match known.is_empty() {
                true => String::new(),
                false => format!("; the newest are {}", known.join(", ")),
            };
            Failure::new(FailureKind::InvalidValue, format!("{path}: {wanted}{known}"))
        })
    }
}

#[derive(Debug)]
struct AssertNoRegressions {
    path: String,
    baseline: RunName,
    current: RunName,
    tolerance: f64,
}

impl Command for AssertNoRegressions {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let database = opened(context, &self.path)?;
        let runs = stored(database.as_ref())?;
        let current = self.current.find(&runs, None, &self.path)?;
        let baseline = self.baseline.find(&runs, Some(current), &self.path)?;
        let figures = |run| match &database {
            Some(database) => database.figures(run).map_err(failed),
            None => Ok(Run::new()),
        };
        let (before, after) = (figures(baseline)?, figures(current)?);
        let difference =
            Value::Dict(difference((baseline, current), (&before, &after), self.tolerance));
        let reasons = diff::regressions(&before, &after, self.tolerance);
        if reasons.is_empty() {
            return Ok(difference);
        }
        context.enrich(difference, Vec::new());
        let message = format!("worse than run {baseline}: {}", reasons.join("; "));
        Err(Failure::new(FailureKind::Gate, message))
    }
}
