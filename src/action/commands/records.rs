//! Figures over recorded requests: `LD_summary`, `LD_clear_records`.

use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::event::{Failure, FailureKind};
use crate::memory::Full;
use crate::record::{Given, Records, Summary};
use crate::value::{Field, Invalid, Kind, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_summary",
        "Returns the figures over all records: totals, latency, and latency by name.",
        &[
            Field::optional(
                "success",
                REQUESTS,
                "Requests to count instead of the recorded successes.",
            ),
            Field::optional(
                "failures",
                REQUESTS,
                "Requests to count instead of the recorded failures.",
            ),
        ],
        summary,
    )
    .text(
        "Latencies are in milliseconds, `failure_rate` is between 0 and 1. Without arguments it \
         is about the recorded requests; see the concept `records` for which those are.",
    )
    .returns(
        "An object: `totals` (`requests`, `successes`, `failures`, `failure_rate`), \
         `latency_overall` and `per_name` (`count`, `min_ms`, `max_ms`, `mean_ms`, `p50_ms` to \
         `p99_ms`). `per_name` counts successes; in JSON output it has every name with \
         `requests` and `failures`, and `iterations` says how many were started, planned and \
         dropped.",
    )
    .example(r#"["LD_summary"]"#),
    Declaration::named("LD_clear_records", "Deletes all records.", &[], |_| {
        Ok(Box::new(ClearRecords))
    })
    .returns("`{\"status\": \"cleared\"}`.")
    .example(r#"["LD_clear_records"]"#),
];

/// The fields of requests given in a document.
const REQUESTS: Kind = Kind::List(&Kind::Open(&[REQUEST]));

/// What a request of the records takes among those of a document, in bytes.
const GIVEN_BYTES: usize = size_of::<Given>() + 64;

const REQUEST: &[Field] = &[
    Field::optional("name", Kind::Any, "The name that it is reported under.").alias("test_url"),
    Field::optional("response_time_ms", Kind::Any, "The response time."),
];

#[derive(Debug)]
struct ClearRecords;

impl Command for ClearRecords {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.clear_records();
        Ok(Value::dict([("status", Value::from("cleared"))]))
    }
}

#[derive(Debug)]
struct Summarise {
    success: Option<Vec<Given>>,
    failures: Option<Vec<Given>>,
}

fn summary(given: &Arguments<'_>) -> Parsed {
    let list = |name| given.if_present(name, requests);
    Ok(Box::new(Summarise { success: list("success")?, failures: list("failures")? }))
}

fn requests(list: &Reader<'_>) -> Result<Vec<Given>, Invalid> {
    let records = list.list()?;
    records
        .iter()
        .map(|record| {
            let mut members = record.fields(REQUEST)?;
            let millis =
                members.present("response_time_ms").and_then(|millis| finite(millis.value()));
            let name = ["name", "test_url"].into_iter().find_map(|key| {
                let name = members.present(key)?.value();
                Some(name.to_text()).filter(|_| name.is_truthy())
            });
            Ok(Given { name: name.unwrap_or_else(|| "unknown".to_owned()), millis })
        })
        .collect()
}

/// A measurement: a finite number of at least 0, or a string that parses as one. Anything else
/// counts as a request without a time, as in the reference.
fn finite(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Str(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    number.filter(|number| number.is_finite() && *number >= 0.0)
}

impl Command for Summarise {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let records = context.records();
        if self.success.is_none() && self.failures.is_none() {
            let summary = records.summary();
            context.enrich(summary.to_details(), Vec::new());
            return Ok(summary.to_value());
        }
        // One half comes from the document, the other from the records, as values of their own.
        let mut share = context.memory().share("a summary");
        share.grow(records.len().saturating_mul(GIVEN_BYTES)).map_err(refused)?;
        let success = self.success.unwrap_or_else(|| recorded(&records, false));
        let failures = self.failures.unwrap_or_else(|| recorded(&records, true));
        Ok(Summary::of_given(&success, &failures).to_value())
    }
}

fn refused(full: Full) -> Failure {
    Failure::new(FailureKind::Refused, full.to_string())
}

fn recorded(records: &Records, failed: bool) -> Vec<Given> {
    let rows = records.rows().filter(|row| row.failed() == failed);
    rows.map(|row| Given { name: row.label.name.to_string(), millis: Some(row.response_ms) })
        .collect()
}
