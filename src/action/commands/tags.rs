//! Tags of stored runs: `LD_tag_run`, `LD_list_tags`, `LD_search_runs_by_tag`.

use super::database::{DATABASE, failed, located, read, whole};
use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::Failure;
use crate::record::sqlite::MAX_FETCH;
use crate::redact;
use crate::value::{Field, Invalid, Kind, Map, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_tag_run",
        "Sets tags of a run in an SQLite file.",
        &[
            DATABASE,
            Field::required("run_id", Kind::Integer, "The run's number."),
            Field::required("tags", Kind::MEMBERS, "Names and values.")
                .note("Values are stored as text; a tag that the run has already is replaced.")
                .example(r#"{"branch": "main", "ticket": 42}"#),
        ],
        |given| {
            Ok(Box::new(Tag {
                path: given.required("database_path")?.string()?,
                run: whole(&given.required("run_id")?)?,
                tags: tags(&given.required("tags")?)?,
            }))
        },
    )
    .returns("`null`.")
    .example(
        r#"["LD_tag_run", {"database_path": "runs.db", "run_id": 3, "tags": {"branch": "main"}}]"#,
    ),
    Declaration::named(
        "LD_list_tags",
        "Returns the tags of a run in an SQLite file.",
        &[DATABASE, Field::required("run_id", Kind::Integer, "The run's number.")],
        |given| {
            Ok(Box::new(List {
                path: given.required("database_path")?.string()?,
                run: whole(&given.required("run_id")?)?,
            }))
        },
    )
    .returns("An object: names and values.")
    .example(r#"["LD_list_tags", {"database_path": "runs.db", "run_id": 3}]"#),
    Declaration::named(
        "LD_search_runs_by_tag",
        "Returns the runs of an SQLite file that have a tag, newest first.",
        &[
            DATABASE,
            Field::required("key", Kind::Text, "The tag's name."),
            Field::required("value", Kind::Any, "Its value.").note("It is compared as text."),
        ],
        |given| {
            Ok(Box::new(Search {
                path: given.required("database_path")?.string()?,
                key: given.required("key")?.string()?,
                value: given.required("value")?.value().clone(),
            }))
        },
    )
    .returns("A list of objects: `id`, `started_at`, `label`.")
    .example(
        r#"["LD_search_runs_by_tag", {"database_path": "runs.db", "key": "branch",
  "value": "main"}]"#,
    ),
];

fn tags(object: &Reader<'_>) -> Result<Map, Invalid> {
    match object.value() {
        Value::Dict(_) => match object.value().redacted() {
            Value::Dict(members) => Ok(members),
            _ => Ok(Map::new()),
        },
        _ => Err(object.expected("an object")),
    }
}

#[derive(Debug)]
struct Tag {
    path: String,
    run: i64,
    tags: Map,
}

impl Command for Tag {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, run, tags } = *self;
        let tags: Vec<_> = tags.into_iter().map(|(key, value)| (key, value.to_text())).collect();
        let place = located(context, &path)?;
        let written = place.write(&context.writing(), &context.policy().memory, move |database| {
            database.tag(run, &tags)
        });
        written.map_err(failed)?;
        Ok(Value::Null)
    }
}

#[derive(Debug)]
struct List {
    path: String,
    run: i64,
}

impl Command for List {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, run } = *self;
        let tags = read(context, &path, move |database| database.tags(run))?;
        Ok(Value::Dict(tags.unwrap_or_default()))
    }
}

#[derive(Debug)]
struct Search {
    path: String,
    key: String,
    value: Value,
}

impl Command for Search {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { path, key, value } = *self;
        // As it was stored.
        let tag = Value::Dict(Map::from_iter([(key, value)])).redacted();
        let Value::Dict(tag) = tag else { return Ok(Vec::new().into()) };
        let Some((key, value)) = tag.into_iter().next() else { return Ok(Vec::new().into()) };
        let (key, value) = (redact::owned(key), value.to_text());
        let found = read(context, &path, move |database| database.tagged(&key, &value))?;
        let Some((runs, more)) = found else { return Ok(Vec::new().into()) };
        if more {
            context.warn(vec![format!("{path:?} has more than the {MAX_FETCH} runs returned")]);
        }
        Ok(runs.into())
    }
}
