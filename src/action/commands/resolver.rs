//! Variables and CSV sources, which placeholders in tasks refer to: `LD_register_variable(s)`,
//! `LD_register_csv_source(s)`, `LD_clear_resolver`.

use std::fmt::Display;
use std::sync::Arc;

use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::action::resolver::Source;
use crate::event::{Failure, FailureKind};
use crate::load::{CsvError, CsvRows};
use crate::value::{Field, Invalid, Kind, Literal, Map, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_register_variable",
        "Sets the variable ${var.NAME}.",
        &[
            Field::required("name", Kind::Text, "Its name."),
            Field::required("value", Kind::Any, "Its value.")
                .note("A number or another value is used as its text."),
        ],
        |given| {
            let name = given.required("name")?.string()?;
            let value = given.required("value")?.value().clone();
            Ok(Box::new(RegisterVariables(Map::from([(name, value)]))))
        },
    )
    .text(
        "It holds until LD_clear_resolver, for the tests of later actions. In a task it is \
         written `${base}` or `${var.base}`.",
    )
    .returns("`null`.")
    .example(r#"["LD_register_variable", {"name": "base", "value": "/v2"}]"#),
    Declaration::named(
        "LD_register_variables",
        "Sets several variables.",
        &[Field::required("variables", Kind::MEMBERS, "Names and values.")
            .example(r#"{"base": "/v2", "limit": 20}"#)],
        |given| Ok(Box::new(RegisterVariables(variables(&given.required("variables")?)?))),
    )
    .returns("`null`.")
    .example(r#"["LD_register_variables", {"variables": {"base": "/v2", "limit": 20}}]"#),
    Declaration::named(
        "LD_register_csv_source",
        "Registers the CSV file whose rows ${csv.NAME.COLUMN} returns in turn.",
        SOURCE,
        |given| {
            Ok(Box::new(RegisterSources(vec![CsvSource {
                name: name(&given.required("name")?)?,
                file_path: given.required("file_path")?.string()?,
                cycle: given.or_default("cycle", |cycle| cycle.boolean())?,
                part: given.if_present("part", part)?,
            }])))
        },
    )
    .text(
        "The first row names the columns; columns are separated by commas. Each execution of a \
         task that uses the source takes one row, which all placeholders of that execution \
         share. All virtual users take rows from one source. After the last row it starts over, \
         unless `cycle` is false; then the placeholders stay as they are written.",
    )
    .returns("`null`.")
    .example(r#"["LD_register_csv_source", {"name": "users", "file_path": "users.csv"}]"#),
    Declaration::named(
        "LD_register_csv_sources",
        "Registers several CSV files: all, or none if one cannot be read.",
        &[Field::required("sources", CSV_SOURCES, "The sources.")],
        |given| Ok(Box::new(RegisterSources(csv_sources(&given.required("sources")?)?))),
    )
    .returns("`null`.")
    .example(
        r#"["LD_register_csv_sources", {"sources": [{"name": "users",
  "file_path": "users.csv", "cycle": false}]}]"#,
    ),
    Declaration::named("LD_clear_resolver", "Deletes all variables and sources.", &[], |_| {
        Ok(Box::new(ClearResolver))
    })
    .returns("`{\"status\": \"cleared\"}`.")
    .example(r#"["LD_clear_resolver"]"#),
];

const SOURCE: &[Field] = &[
    Field::required("name", Kind::Matching("^[^.}]+$"), "Its name in placeholders.")
        .note("Without dots and braces.")
        .example("\"users\""),
    Field::required("file_path", Kind::Path, "A CSV file whose first row names the columns.")
        .note(
            "In the data directory: of the server for `ldctl send`, of the working directory \
         for `ldctl run`.",
        )
        .example("\"users.csv\""),
    Field::optional("cycle", Kind::Boolean, "Whether the rows start over after the last one.")
        .or(Literal::Bool(true)),
    Field::optional(
        "part",
        Kind::Object(&[PART]),
        "Only a part of the rows, so that several machines use different ones.",
    )
    .otherwise("all of them")
    .example(r#"{"number": 1, "of": 3}"#),
];

const PART: &[Field] = &[
    Field::required("number", Kind::Between(1, MOST_PARTS), "Which part, from 1."),
    Field::required("of", Kind::Between(1, MOST_PARTS), "How many parts there are."),
];

/// The most parts of a source.
const MOST_PARTS: i64 = 1_000_000;

/// Which part of how many, from 0.
fn part(reader: &Reader<'_>) -> Result<(usize, usize), Invalid> {
    let mut members = reader.fields(PART)?;
    let place = members.required("number")?;
    let (number, of) = (place.integer(1)?, members.required("of")?.integer(1)?);
    members.finish()?;
    if number > of || of > MOST_PARTS as u64 {
        return Err(place.invalid(format!("there is no part {number} of {of}")));
    }
    Ok((number as usize - 1, of as usize))
}

/// A list of CSV sources.
pub(crate) const CSV_SOURCES: Kind = Kind::List(&Kind::Object(&[SOURCE]));

/// A CSV source in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CsvSource {
    /// Its name in placeholders.
    pub(crate) name: String,
    /// Its file in the data directory.
    pub(crate) file_path: String,
    /// Whether the rows start over after the last one.
    pub(crate) cycle: bool,
    /// Which part of the rows, from 0, of how many.
    pub(crate) part: Option<(usize, usize)>,
}

impl CsvSource {
    /// Reads the file; sources of the same content share it.
    pub(crate) fn load(&self, context: &Context<'_>) -> Result<CsvRows, Failure> {
        let path = &self.file_path;
        let refused = |kind, error: &dyn Display| Failure::new(kind, format!("{path:?}: {error}"));
        let content = context.read(path)?;
        let table = context.table(&content).map_err(|error| match error {
            CsvError::Full(full) => refused(FailureKind::Refused, &full),
            error => refused(FailureKind::InvalidValue, &error),
        })?;
        let rows = CsvRows::new(table, self.cycle);
        Ok(match self.part {
            Some((part, parts)) => rows.part(part, parts),
            None => rows,
        })
    }
}

/// Reads the files of sources, all of them before the first is registered.
pub(crate) fn load(
    sources: Vec<CsvSource>,
    context: &Context<'_>,
) -> Result<Vec<(String, Source)>, Failure> {
    let load = |source: CsvSource| {
        let rows = Arc::new(source.load(context)?);
        let CsvSource { name, file_path: file, cycle, .. } = source;
        Ok((name, Source { rows, file, cycle }))
    };
    sources.into_iter().map(load).collect()
}

/// An object of variables.
pub(crate) fn variables(reader: &Reader<'_>) -> Result<Map, Invalid> {
    match reader.value() {
        Value::Dict(members) => Ok(members.clone()),
        _ => Err(reader.expected("an object of names and values")),
    }
}

/// A list of `{name, file_path, cycle}`.
pub(crate) fn csv_sources(reader: &Reader<'_>) -> Result<Vec<CsvSource>, Invalid> {
    reader.list()?.iter().map(csv_source).collect()
}

fn csv_source(reader: &Reader<'_>) -> Result<CsvSource, Invalid> {
    let mut members = reader.fields(SOURCE)?;
    let source = CsvSource {
        name: name(&members.required("name")?)?,
        file_path: members.required("file_path")?.string()?,
        cycle: members.or_default("cycle", |cycle| cycle.boolean())?,
        part: members.present("part").map(|field| part(&field)).transpose()?,
    };
    members.finish()?;
    Ok(source)
}

/// A source's name ends at the first dot of its placeholder, so it must not contain one.
fn name(reader: &Reader<'_>) -> Result<String, Invalid> {
    match reader.text()? {
        name if name.is_empty() || name.contains(['.', '}']) => {
            Err(reader.expected("a name without dots and braces"))
        }
        name => Ok(name.to_owned()),
    }
}

#[derive(Debug)]
struct RegisterVariables(Map);

impl Command for RegisterVariables {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.register(self.0, Vec::new())?;
        Ok(Value::Null)
    }
}

#[derive(Debug)]
struct RegisterSources(Vec<CsvSource>);

impl Command for RegisterSources {
    /// All files are read before the first source is registered: all or none.
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let loaded = load(self.0, context)?;
        context.register(Map::new(), loaded)?;
        Ok(Value::Null)
    }
}

#[derive(Debug)]
struct ClearResolver;

impl Command for ClearResolver {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.clear_resolver();
        Ok(Value::dict([("status", Value::from("cleared"))]))
    }
}
