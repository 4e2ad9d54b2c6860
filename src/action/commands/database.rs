//! Runs in an SQLite file: `LD_persist_records`, `LD_list_runs`, `LD_fetch_run_records`,
//! `LD_diff_runs`.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::{Failure, FailureKind};
use crate::record::diff::{self, Run};
use crate::record::sqlite::{Database, DatabaseError};
use crate::value::{Charset, Field, Invalid, Kind, Literal, Map, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_persist_records",
        "Writes the records as a run into an SQLite file; returns the run's number.",
        &[
            DATABASE,
            Field::optional("label", Kind::Text, "A text by which people know the run."),
            Field::optional("metadata", Kind::MEMBERS, "What else is to be kept with the run.")
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
        "Gives the runs of an SQLite file, the newest first.",
        &[
            DATABASE,
            Field::optional(
                "limit",
                Kind::Integer,
                "How many at most; any negative number for all.",
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
        "Gives every request of a run.",
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
        "Compares two runs name by name; returns what has become worse or better.",
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
            Field::optional(
                "tolerance",
                Kind::Number,
                "How much worse a figure may be, as a share of the baseline's.",
            )
            .or(Literal::Float(0.1)),
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
];

const DATABASE: Field = Field::required("database_path", Kind::Path, "The SQLite file.");

/// A whole number; a negative limit is none, and no run has a negative number.
fn whole(reader: &Reader<'_>) -> Result<i64, Invalid> {
    match reader.value() {
        Value::Int(number) => Ok(*number),
        _ => Err(reader.expected("an integer")),
    }
}

fn failed(error: DatabaseError) -> Failure {
    Failure::new(FailureKind::Database, error.to_string())
}

/// The file inside the data directory. A directory that does not exist is SQLite's to report, in the
/// reference's words.
fn located(context: &Context<'_>, path: &str) -> Result<PathBuf, Failure> {
    if context.files().lacks_directory(path) {
        return Err(failed(DatabaseError::CannotOpen));
    }
    context.files().resolve(path)
}

/// Opens a file that should be there; `None` is one without any run.
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
        // As the reference spells it: the same metadata give the same text in files of either program.
        let metadata = self.metadata.to_json(Charset::Unicode);
        let file = located(context, &self.path)?;
        let mut database = Database::create(&file, &self.path).map_err(failed)?;
        let label = self.label.as_deref();
        let run = database.persist(&records, &started_at, label, &metadata).map_err(failed)?;
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
        let mut result = Map::from_iter([
            ("baseline_run_id".to_owned(), self.baseline.into()),
            ("current_run_id".to_owned(), self.current.into()),
            ("tolerance".to_owned(), self.tolerance.into()),
        ]);
        result.extend(diff::compare(&baseline, &current, self.tolerance));
        Ok(Value::Dict(result))
    }
}
