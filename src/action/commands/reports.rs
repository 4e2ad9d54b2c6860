//! The records as files and values: `LD_generate_*`. Names come without their ending, as documents
//! give them; every file is written atomically inside the data directory.

use std::io::{self, Write};

use crate::action::arguments::{Arguments, Parameter, optional};
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::error::reason;
use crate::event::{Failure, FailureKind};
use crate::record::Records;
use crate::record::gates::Rule;
use crate::report::{Outcome, csv, html, json, junit, summary, xml};
use crate::value::{Invalid, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_generate_html_report",
        &[optional("html_name"), optional("rules")],
        |given| {
            let name = name(given, "html_name", DEFAULT_NAME)?;
            Ok(Box::new(HtmlReport { name, rules: rules(given)? }))
        },
    ),
    Declaration::named("LD_generate_json_report", &[optional("json_file_name")], |given| {
        let name = name(given, "json_file_name", DEFAULT_NAME)?;
        Ok(Box::new(TwoPartReport { name, ending: "json", write: json::write }))
    }),
    Declaration::named("LD_generate_xml_report", &[optional("xml_file_name")], |given| {
        let name = name(given, "xml_file_name", DEFAULT_NAME)?;
        Ok(Box::new(TwoPartReport { name, ending: "xml", write: xml::write }))
    }),
    Declaration::named("LD_generate_csv_report", &[optional("csv_name")], |given| {
        let name = name(given, "csv_name", DEFAULT_NAME)?;
        Ok(Box::new(PlainReport { name, ending: "csv", write: csv::write }))
    }),
    Declaration::named("LD_generate_summary_report", &[optional("report_name")], |given| {
        let name = name(given, "report_name", "loaddensity-summary")?;
        Ok(Box::new(PlainReport { name, ending: "json", write: summary::write }))
    }),
    Declaration::named("LD_generate_junit_report", JUNIT_PARAMETERS, junit_report),
    Declaration::named("LD_generate_html", &[], |_| Ok(Box::new(Values(html_value)))),
    Declaration::named("LD_generate_json", &[], |_| Ok(Box::new(Values(json_value)))),
    Declaration::named("LD_generate_xml", &[], |_| Ok(Box::new(Values(xml_value)))),
];

/// The reference's own default.
const DEFAULT_NAME: &str = "default_name";

/// The most records that become one value: it is held in memory and sent over the connection.
const MAX_VALUE_RECORDS: usize = 10_000;

const JUNIT_PARAMETERS: &[Parameter] =
    &[optional("report_name"), optional("per"), optional("rules")];

fn name(given: &Arguments<'_>, parameter: &str, default: &str) -> Result<String, Invalid> {
    Ok(match given.present(parameter) {
        Some(name) => name.text()?.to_owned(),
        None => default.to_owned(),
    })
}

/// The gates that a report is given (new).
fn rules(given: &Arguments<'_>) -> Result<Vec<Rule>, Invalid> {
    Ok(given.present("rules").map(|rules| Rule::read_list(&rules)).transpose()?.unwrap_or_default())
}

fn no_page() -> Failure {
    Failure::new(FailureKind::NoPage, "no records to generate HTML report")
}

fn no_records() -> Failure {
    Failure::new(FailureKind::NoRecords, "can't generate JSON report")
}

/// Writes one file; gives its path as the document wrote it.
fn written(
    context: &Context<'_>,
    path: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Value, Failure> {
    let path = context.files().write_atomically(path, write)?;
    Ok(path.to_string_lossy().into_owned().into())
}

/// A report that is one function.
#[derive(Debug)]
struct PlainReport {
    name: String,
    ending: &'static str,
    write: fn(&Records, &mut dyn Write) -> io::Result<()>,
}

impl Command for PlainReport {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let records = context.records();
        let path = format!("{}.{}", self.name, self.ending);
        written(context, &path, |out| (self.write)(&records, out))
    }
}

/// A report with a file for the successes and one for the failures.
#[derive(Debug)]
struct TwoPartReport {
    name: String,
    ending: &'static str,
    write: fn(&Records, Outcome, &mut dyn Write) -> io::Result<()>,
}

impl Command for TwoPartReport {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let records = context.records();
        if records.is_empty() {
            return Err(no_records());
        }
        let paths = [Outcome::Success, Outcome::Failure].map(|outcome| {
            let path = format!("{}_{}.{}", self.name, outcome.text(), self.ending);
            written(context, &path, |out| (self.write)(&records, outcome, out))
        });
        Ok(Value::Tuple(paths.into_iter().collect::<Result<_, _>>()?))
    }
}

#[derive(Debug)]
struct HtmlReport {
    name: String,
    rules: Vec<Rule>,
}

impl Command for HtmlReport {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let records = context.records();
        if records.is_empty() {
            return Err(no_page());
        }
        let path = format!("{}.html", self.name);
        written(context, &path, |out| html::write(&records, &self.rules, out))
    }
}

#[derive(Debug)]
struct JunitReport {
    name: String,
    per: Per,
}

#[derive(Debug)]
enum Per {
    Request,
    Name,
    Rule(Vec<Rule>),
}

fn junit_report(given: &Arguments<'_>) -> Parsed {
    let name = name(given, "report_name", "loaddensity-junit")?;
    let rules = rules(given)?;
    let per = match given.present("per") {
        None if rules.is_empty() => Per::Request,
        None => Per::Rule(rules),
        Some(per) => match per.text()? {
            "request" => Per::Request,
            "name" => Per::Name,
            "rule" if rules.is_empty() => {
                return Err(per.invalid("\"rule\" needs \"rules\": a list of gates"));
            }
            "rule" => Per::Rule(rules),
            _ => return Err(per.expected("\"request\", \"name\" or \"rule\"")),
        },
    };
    Ok(Box::new(JunitReport { name, per }))
}

impl Command for JunitReport {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let records = context.records();
        let per = match &self.per {
            Per::Request => junit::Per::Request,
            Per::Name => junit::Per::Name,
            Per::Rule(rules) => junit::Per::Rule(rules),
        };
        let path = format!("{}.xml", self.name);
        written(context, &path, |out| junit::write(&records, per, out))
    }
}

/// A report as a value instead of a file.
#[derive(Debug)]
struct Values(fn(&Records) -> Result<Value, Failure>);

impl Command for Values {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        (self.0)(&context.records())
    }
}

fn small(records: &Records) -> Result<(), Failure> {
    if records.len() <= MAX_VALUE_RECORDS {
        return Ok(());
    }
    let message = format!(
        "{} records are too many for one value (the limit is {MAX_VALUE_RECORDS}); write them to a \
         file with LD_generate_json_report, LD_generate_xml_report or LD_generate_csv_report",
        records.len()
    );
    Err(Failure::new(FailureKind::Refused, message))
}

fn internal(error: &io::Error) -> Failure {
    Failure::new(FailureKind::Internal, reason(error))
}

fn html_value(records: &Records) -> Result<Value, Failure> {
    if records.is_empty() {
        return Err(no_page());
    }
    let mut page = Vec::new();
    html::write(records, &[], &mut page).map_err(|error| internal(&error))?;
    Ok(String::from_utf8_lossy(&page).into_owned().into())
}

fn json_value(records: &Records) -> Result<Value, Failure> {
    if records.is_empty() {
        return Err(no_records());
    }
    small(records)?;
    let halves = [Outcome::Success, Outcome::Failure].map(|half| json::value(records, half));
    Ok(Value::Tuple(halves.into()))
}

fn xml_value(records: &Records) -> Result<Value, Failure> {
    if records.is_empty() {
        return Err(no_records());
    }
    small(records)?;
    let halves = [Outcome::Success, Outcome::Failure]
        .map(|half| xml::value(records, half).map(Value::from).map_err(|error| internal(&error)));
    Ok(Value::Tuple(halves.into_iter().collect::<Result<_, _>>()?))
}
