//! The records as files and values: `LD_generate_*`. Documents give file names without extension;
//! every file is written atomically inside the data directory.

use std::io::{self, Write};
use std::sync::Arc;

use super::database::{Earlier, RunName};

use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::error::reason;
use crate::event::{Failure, FailureKind};
use crate::record::Records;
use crate::record::gates::Rule;
use crate::redact;
use crate::report::{Content, Empty, FORMATS, Format, Options, Outcome, Per, html, json, xml};
use crate::value::{Invalid, Value};

/// The reports that are files: a command for each format.
#[expect(clippy::indexing_slicing, reason = "a constant: an index out of bounds does not compile")]
pub(crate) const FILES: [Declaration; FORMATS.len()] = {
    let mut commands = [VALUES[0]; FORMATS.len()];
    let mut at = 0;
    while at < commands.len() {
        let format = &FORMATS[at];
        let returns = match format.content {
            Content::Whole(_) => "The path of the file.",
            Content::Halves(_) => "The paths of the two files.",
        };
        commands[at] =
            Declaration::named(format.command, format.doc, format.parameters, file_report)
                .returns(returns)
                .example(format.example);
        at += 1;
    }
    commands
};

/// The reports that are returned as values.
pub(crate) const VALUES: &[Declaration] = &[
    Declaration::named("LD_generate_html", "Returns the HTML report.", &[], |_| {
        Ok(Box::new(Values(html_value)))
    })
    .returns("The page as text.")
    .example(r#"["LD_generate_html"]"#),
    Declaration::named(
        "LD_generate_json",
        "Returns every request, successes and failures separately.",
        &[],
        |_| Ok(Box::new(Values(json_value))),
    )
    .text("At most 10,000 records fit into a value; files have no such limit.")
    .returns("Two objects: the successes and the failures, by number.")
    .example(r#"["LD_generate_json"]"#),
    Declaration::named(
        "LD_generate_xml",
        "Returns every request as XML, successes and failures separately.",
        &[],
        |_| Ok(Box::new(Values(xml_value))),
    )
    .text("At most 10,000 records fit into a value; files have no such limit.")
    .returns("Two texts: the successes and the failures.")
    .example(r#"["LD_generate_xml"]"#),
];

/// The most records in one value: it is held in memory and sent over the connection.
const MAX_VALUE_RECORDS: usize = 10_000;

fn file_report(given: &Arguments<'_>) -> Parsed {
    let format = FORMATS.iter().find(|format| format.command == given.command());
    let format = format.ok_or_else(|| Invalid {
        pointer: String::new(),
        message: "no format has this command".to_owned(),
    })?;
    let name = match format.parameters.first() {
        Some(field) => given.or_default(field.name, |name| name.string())?,
        None => String::new(),
    };
    let takes = |name: &str| format.parameters.iter().any(|field| field.name == name);
    let rules =
        if takes("rules") { given.or_default("rules", Rule::read_list)? } else { Vec::new() };
    let per = if takes("per") { per(given, !rules.is_empty())? } else { Per::default() };
    let label =
        if takes("label") { given.if_present("label", |label| label.string())? } else { None };
    let earlier = if takes("baseline") { earlier(given)? } else { None };
    let options = Options { rules, per, ..Options::default() };
    Ok(Box::new(FileReport { format, name, label, earlier, options }))
}

/// The run that a report is to be compared with.
fn earlier(given: &Arguments<'_>) -> Result<Option<Earlier>, Invalid> {
    let path = given.if_present("database_path", |path| path.string())?;
    let tolerance = given.or_default("tolerance", |share| share.number())?;
    let run = given.if_present("baseline", RunName::read)?;
    let run = run.or_else(|| path.is_some().then_some(RunName::Newest));
    Ok(run.map(|run| Earlier { path, run, tolerance }))
}

fn per(given: &Arguments<'_>, has_rules: bool) -> Result<Per, Invalid> {
    let Some(per) = given.present("per") else {
        return Ok(if has_rules { Per::Rule } else { Per::Request });
    };
    match per.text()? {
        "request" => Ok(Per::Request),
        "name" => Ok(Per::Name),
        "rule" => Ok(Per::Rule),
        _ => Err(per.choice(&["request", "name", "rule"])),
    }
}

fn no_page() -> Failure {
    Failure::new(FailureKind::NoPage, "no records to generate HTML report")
}

fn no_records() -> Failure {
    Failure::new(FailureKind::NoRecords, "can't generate JSON report")
}

/// Writes one file and returns its path as in the document. Where the operator has not named the
/// directory, it replaces only files with one of these signs.
pub(super) fn written(
    context: &Context<'_>,
    signs: &[&str],
    path: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Value, Failure> {
    context.files().may_replace(path, signs)?;
    let path = context.files().write_atomically(path, write)?;
    Ok(path.to_string_lossy().into_owned().into())
}

#[derive(Debug)]
struct FileReport {
    format: &'static Format,
    name: String,
    label: Option<String>,
    earlier: Option<Earlier>,
    options: Options,
}

impl Command for FileReport {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let records = context.records();
        let Self { format, name, label, earlier, mut options } = *self;
        // Its memory is given back when the report is written.
        let (baseline, _share) = earlier.map_or(Ok(None), |earlier| earlier.read(context))?.unzip();
        options.baseline = baseline;
        match format.empty {
            Empty::NoPage if records.is_empty() => return Err(no_page()),
            Empty::NoRecords if records.is_empty() => return Err(no_records()),
            _ => {}
        }
        describe(&mut options, label, context);
        let judged = format.empty == Empty::NoPage || options.per == Per::Rule;
        if judged && options.rules.is_empty() {
            options.rules = context.gates().to_vec();
        }
        if options.per == Per::Rule && options.rules.is_empty() {
            let message = format!(
                "{}: \"per\": \"rule\" needs \"rules\", or an LD_assert_sla before it",
                format.command
            );
            return Err(Failure::new(FailureKind::InvalidArgument, message));
        }
        let ending = format.ending;
        match format.content {
            Content::Whole(write) => {
                written(context, format.signs, &format!("{name}.{ending}"), |out| {
                    write(&records, &options, out)
                })
            }
            Content::Halves(write) => {
                let paths = [Outcome::Success, Outcome::Failure].map(|outcome| {
                    let path = format!("{name}_{}.{ending}", outcome.text());
                    written(context, format.signs, &path, |out| write(&records, outcome, out))
                });
                Ok(Value::Tuple(paths.into_iter().collect::<Result<_, _>>()?))
            }
        }
    }
}

/// What the page says of the run.
fn describe(options: &mut Options, label: Option<String>, context: &Context<'_>) {
    options.facts = context.facts();
    if let Some(label) = label.map(redact::owned) {
        options.facts.label = Some(label);
    }
    options.memory = Some(Arc::clone(context.memory()));
}

/// A report returned as a value.
#[derive(Debug)]
struct Values(fn(&Records, &Context<'_>) -> Result<Value, Failure>);

impl Command for Values {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let records = context.records();
        (self.0)(&records, context)
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

fn html_value(records: &Records, context: &Context<'_>) -> Result<Value, Failure> {
    if records.is_empty() {
        return Err(no_page());
    }
    let mut page = Vec::new();
    let mut options = Options::default();
    describe(&mut options, None, context);
    options.rules = context.gates().to_vec();
    html::write(records, &options, &mut page).map_err(|error| internal(&error))?;
    Ok(String::from_utf8_lossy(&page).into_owned().into())
}

fn json_value(records: &Records, _: &Context<'_>) -> Result<Value, Failure> {
    if records.is_empty() {
        return Err(no_records());
    }
    small(records)?;
    let halves = [Outcome::Success, Outcome::Failure].map(|half| json::value(records, half));
    Ok(Value::Tuple(halves.into()))
}

fn xml_value(records: &Records, _: &Context<'_>) -> Result<Value, Failure> {
    if records.is_empty() {
        return Err(no_records());
    }
    small(records)?;
    let halves = [Outcome::Success, Outcome::Failure]
        .map(|half| xml::value(records, half).map(Value::from).map_err(|error| internal(&error)));
    Ok(Value::Tuple(halves.into_iter().collect::<Result<_, _>>()?))
}
