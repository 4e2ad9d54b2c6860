//! The records for other tools, `LD_generate_sarif_report`, `LD_generate_allure_report`,
//! `LD_generate_excel_report`, `LD_generate_service_map`; and what a run has cost,
//! `LD_generate_cost_report`.

use super::reports::written;
use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::event::{Failure, FailureKind};
use crate::record::stats::decimals;
use crate::redact;
use crate::report::{allure, sarif, service_map, xlsx};
use crate::value::{Field, Invalid, Kind, Literal, Map, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_generate_sarif_report",
        "Writes the failed requests as SARIF, for code hosts.",
        &[
            name("loaddensity-sarif"),
            Field::optional("tool_version", Kind::Text, "The version of the tool that it names.")
                .or(Literal::Text(sarif::TOOL_VERSION)),
            Field::optional(
                "extra_records",
                Kind::List(&Kind::Open(&[RECORD])),
                "Further failed requests.",
            )
            .or(Literal::List),
        ],
        |given| {
            let further = given.or_default("extra_records", |records| {
                let records = records.list()?;
                records
                    .iter()
                    .map(|record| record.fields(RECORD).map(|_| record.value().redacted()))
                    .collect()
            })?;
            Ok(Box::new(Sarif {
                name: report_name(given)?,
                version: given.or_default("tool_version", |version| version.string())?,
                further,
            }))
        },
    )
    .text("The file's name ends with `.sarif.json`.")
    .returns("The path of the file.")
    .example(r#"["LD_generate_sarif_report", {"report_name": "checkout"}]"#),
    Declaration::named(
        "LD_generate_allure_report",
        "Writes requests as results for Allure, a file for each.",
        &[
            Field::optional("output_dir", Kind::Path, "The directory, in the data directory.")
                .or(Literal::Text("allure-results")),
            Field::optional("label", Kind::Text, "A label, for `environment.properties`."),
        ],
        |given| {
            Ok(Box::new(Allure {
                directory: given.or_default("output_dir", |directory| directory.string())?,
                label: given.if_present("label", |label| label.string())?,
            }))
        },
    )
    .text("At most 1000 requests are written; of more, failures come first.")
    .returns("The path of the directory.")
    .example(r#"["LD_generate_allure_report", {"output_dir": "allure-results"}]"#),
    Declaration::named(
        "LD_generate_excel_report",
        "Writes every request as a row of an Excel file.",
        &[
            name("loaddensity-records"),
            Field::optional("extra_label", Kind::Text, "A label, which is kept in the file."),
        ],
        |given| {
            Ok(Box::new(Excel {
                name: report_name(given)?,
                label: given.if_present("extra_label", |label| label.string())?,
            }))
        },
    )
    .text(
        "A sheet of Excel ends at 1,048,576 rows. Of more requests, successes are left out, with a \
         warning; LD_generate_csv_report writes all.",
    )
    .returns("The path of the file.")
    .example(r#"["LD_generate_excel_report", {"report_name": "checkout"}]"#),
    Declaration::named(
        "LD_generate_service_map",
        "Writes which request follows which, as a graph of names.",
        &[
            name("loaddensity-service-map"),
            Field::optional("min_weight", Kind::Integer, "How often an edge was taken at least.")
                .or(Literal::Int(1)),
        ],
        |given| {
            Ok(Box::new(ServiceMap {
                name: report_name(given)?,
                least: given.or_default("min_weight", |least| match least.value() {
                    Value::Int(least) => Ok(u64::try_from(*least).unwrap_or(0)),
                    _ => Err(least.expected("an integer")),
                })?,
            }))
        },
    )
    .text("Each virtual user has a way of its own; requests of others do not come between.")
    .returns("The path of the file.")
    .example(r#"["LD_generate_service_map", {"report_name": "map", "min_weight": 5}]"#),
    Declaration::named(
        "LD_generate_cost_report",
        "Writes what a run has cost, from its duration and prices.",
        COST,
        cost,
    )
    .returns("The path of the file.")
    .example(
        r#"["LD_generate_cost_report", {"duration_seconds": 600, "workers": 3,
  "hourly_rate_usd": 0.2, "extras_usd": {"license": 1.5}}]"#,
    ),
];

const RECORD: &[Field] = &[
    Field::optional("name", Kind::Any, "Its name."),
    Field::optional("test_url", Kind::Any, "Its URL."),
    Field::optional("error", Kind::Any, "Why it failed."),
    Field::optional("status_code", Kind::Any, "Its status."),
    Field::optional("Method", Kind::Any, "Its method."),
    Field::optional("response_time_ms", Kind::Any, "How long it took."),
];

const COST: &[Field] = &[
    name("loaddensity-cost"),
    Field::optional("duration_seconds", Kind::Real, "How long it took.")
        .unit("seconds")
        .or(Literal::Float(0.0)),
    Field::optional("workers", Kind::Real, "The number of machines.").or(Literal::Int(1)),
    Field::optional("hourly_rate_usd", Kind::Real, "What a machine costs for an hour.")
        .or(Literal::Float(0.05)),
    Field::optional("egress_gb", Kind::Real, "Outgoing traffic in gigabytes.")
        .or(Literal::Float(0.0)),
    Field::optional("egress_rate_usd_per_gb", Kind::Real, "What a gigabyte costs.")
        .or(Literal::Float(0.09)),
    Field::optional(
        "extras_usd",
        Kind::Map { keys: None, of: &Kind::Real },
        "Further costs, by name.",
    ),
];

const fn name(default: &'static str) -> Field {
    Field::optional("report_name", Kind::Stem, "The file's name without its extension.")
        .or(Literal::Text(default))
        .note("The file is in the data directory, and replaces an older one.")
}

fn report_name(given: &Arguments<'_>) -> Result<String, Invalid> {
    given.or_default("report_name", |name| name.string())
}

#[derive(Debug)]
struct Sarif {
    name: String,
    version: String,
    further: Vec<Value>,
}

impl Command for Sarif {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { name, version, further } = *self;
        let records = context.records();
        let path = format!("{name}.sarif.json");
        written(context, &sarif::SIGNS, &path, |out| {
            sarif::write(&records, &version, &further, out)
        })
    }
}

#[derive(Debug)]
struct Allure {
    directory: String,
    label: Option<String>,
}

impl Command for Allure {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { directory, label } = *self;
        let records = context.records();
        context.files().make_directory(&directory)?;
        let below = |file: &str| format!("{}/{file}", directory.trim_end_matches('/'));
        if let Some(label) = label.filter(|label| !label.is_empty()) {
            // Of a label of several lines, further ones would be settings.
            let line = redact::owned(label.split(['\r', '\n']).collect::<Vec<_>>().join(" "));
            let path = below("environment.properties");
            written(context, &["label="], &path, |out| writeln!(out, "label={line}"))?;
        }
        for (number, (file, text)) in allure::results(&records).enumerate() {
            if context.cancel().is_cancelled() {
                let why =
                    format!("{directory:?} has {number} requests: the document was cancelled");
                return Err(Failure::new(FailureKind::Cancelled, why));
            }
            written(context, &[], &below(&file), |out| out.write_all(text.as_bytes()))?;
        }
        if records.len() > allure::MAX_FILES {
            let (all, most) = (records.len(), allure::MAX_FILES);
            let message = format!("{directory:?} has {most} of {all} requests, failures first");
            context.warn(vec![message]);
        }
        Ok(directory.into())
    }
}

#[derive(Debug)]
struct Excel {
    name: String,
    label: Option<String>,
}

impl Command for Excel {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { name, label } = *self;
        let records = context.records();
        let path = format!("{name}.xlsx");
        let label = label.map(redact::owned).filter(|label| !label.is_empty());
        let value = written(context, &["PK\u{3}\u{4}"], &path, |out| {
            xlsx::write(&records, label.as_deref(), xlsx::MAX_ROWS, out)
        })?;
        let room = xlsx::MAX_ROWS - 1;
        if records.len() > room {
            let all = records.len();
            let message = format!(
                "{path:?} has {room} of {all} requests, because a sheet of Excel ends there; \
                 LD_generate_csv_report writes all"
            );
            context.warn(vec![message]);
        }
        Ok(value)
    }
}

#[derive(Debug)]
struct ServiceMap {
    name: String,
    least: u64,
}

impl Command for ServiceMap {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { name, least } = *self;
        let records = context.records();
        let path = format!("{name}.json");
        written(context, &["\"nodes\""], &path, |out| service_map::write(&records, least, out))
    }
}

#[derive(Debug)]
struct Cost {
    name: String,
    report: Value,
}

/// A finite number; returned also as it was written.
fn number(reader: &Reader<'_>) -> Result<(f64, Value), Invalid> {
    let finite = reader.value().as_f64().filter(|number| number.is_finite());
    Ok((finite.ok_or_else(|| reader.expected("a number"))?, reader.value().clone()))
}

fn cost(given: &Arguments<'_>) -> Parsed {
    let amount = |name| given.or_default(name, number);
    let (duration, duration_written) = amount("duration_seconds")?;
    let (workers, workers_written) = amount("workers")?;
    let (rate, rate_written) = amount("hourly_rate_usd")?;
    let (egress, egress_written) = amount("egress_gb")?;
    let (egress_rate, _) = amount("egress_rate_usd_per_gb")?;
    let compute = rate * workers * (duration / 3600.0);
    let traffic = egress * egress_rate;
    let extras = given.if_present("extras_usd", |extras| {
        let mut object = extras.object()?;
        let entries = object.entries().into_iter();
        entries
            .map(|(name, extra)| Ok((name.to_owned(), number(&extra)?)))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let extras = extras.unwrap_or_default();
    let sum: f64 = extras.iter().map(|(_, (extra, _))| extra).sum();
    let rounded = |number: f64| Value::from(decimals(number, 4));
    let extras = extras.into_iter().map(|(name, (extra, written))| {
        // Python's `round` leaves integers as they are.
        (name, if let Value::Float(_) = written { rounded(extra) } else { written })
    });
    let report = Value::dict([
        ("duration_seconds", duration_written),
        ("workers", workers_written),
        ("hourly_rate_usd", rate_written),
        ("compute_usd", rounded(compute)),
        ("egress_gb", egress_written),
        ("egress_usd", rounded(traffic)),
        ("extras_usd", Value::Dict(extras.collect::<Map>())),
        ("total_usd", rounded(compute + traffic + sum)),
    ]);
    Ok(Box::new(Cost { name: report_name(given)?, report }))
}

impl Command for Cost {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { name, report } = *self;
        let text = report.to_json_lines(2);
        let signs = ["\"duration_seconds\""];
        written(context, &signs, &format!("{name}.json"), |out| out.write_all(text.as_bytes()))
    }
}
