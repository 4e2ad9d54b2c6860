//! What is kept of a load test, and what it returns.

use std::sync::Arc;

use crate::action::context::Context;
use crate::event::{Failure, FailureKind, title};
use crate::record::{ErrorCount, Errors, Recording, Records, Summary};
use crate::value::{Map, Value};

/// Errors that the result lists.
const MOST_ERRORS: usize = 20;

/// Errors that are kept with the run.
const KEPT_ERRORS: usize = 100;

/// Members of the figures of a test.
pub(in crate::action::commands) type Figures = [(&'static str, Value); 6];

/// What is said of a test in which nothing succeeded.
fn no_success(summary: &Summary, error: Option<&ErrorCount<'_>>) -> String {
    match (summary.requests, summary.interrupted, error) {
        (0, 0, _) => "the test made no request".to_owned(),
        (0, waiting, _) => {
            format!("no request succeeded: all {waiting} had no response when the test ended")
        }
        (all, _, Some(ErrorCount { count, method, name, error, .. })) => {
            let title = title(method, name);
            format!("none of {all} requests succeeded; {count} × {title}: {error}")
        }
        (all, _, None) => format!("none of {all} requests succeeded"),
    }
}

/// Keeps the record and returns the result: in the text dialect only the arguments, as in the
/// reference; in the event dialect also the figures.
pub(super) fn conclude(
    context: &mut Context<'_>,
    echo: Value,
    recording: Arc<Recording>,
    kept: Figures,
    may_be_idle: bool,
) -> Value {
    let peak = recording.peak_users;
    let of_this_test = Records::of(recording);
    let (summary, mut errors, warnings) = keep(context, &of_this_test, kept);
    errors.truncate(MOST_ERRORS);
    if summary.requests == summary.failures && !(may_be_idle && summary.requests == 0) {
        context
            .fail(Failure::new(FailureKind::NoSuccess, no_success(&summary, errors.kinds.first())));
    }
    let mut rich = match &echo {
        Value::Dict(members) => members.clone(),
        _ => Map::new(),
    };
    rich.insert("summary".to_owned(), summary.to_details());
    rich.insert("errors".to_owned(), errors.to_value());
    rich.insert("statuses".to_owned(), statuses(&of_this_test));
    rich.insert("peak_users".to_owned(), (peak as u64).into());
    if !warnings.is_empty() {
        // Clients of version 0.1.0 read them from here.
        let listed = warnings.iter().map(|text| text.as_str().into());
        rich.insert("warnings".to_owned(), Value::List(listed.collect()));
    }
    context.enrich(Value::Dict(rich), warnings);
    echo
}

/// Keeps the record of a test and its figures. Returns their summary, its errors, and the warnings
/// about them.
pub(in crate::action::commands) fn keep<'a>(
    context: &mut Context<'_>,
    records: &'a Records,
    kept: Figures,
) -> (Summary, Errors<'a>, Vec<String>) {
    let mut warnings = Vec::new();
    for recording in records.recordings() {
        warnings.extend(recording.warnings.iter().cloned());
        context.push_recording(Arc::clone(recording));
    }
    warnings.extend(context.memory_warnings());
    let (summary, errors) = (records.summary(), records.errors(KEPT_ERRORS));
    let listed = warnings.iter().map(|text| text.as_str().into());
    let figures = [
        ("summary", summary.to_details()),
        ("errors", errors.to_value()),
        ("warnings", Value::List(listed.collect())),
    ];
    let figures = figures.into_iter().chain(kept).map(|(key, value)| (key.to_owned(), value));
    context.keep_figures(Value::Dict(figures.collect()));
    (summary, errors, warnings)
}

/// The requests by status, `none` without a response.
fn statuses(records: &Records) -> Value {
    let counts = records.statuses().into_iter().map(|(status, count)| {
        let status = if status == 0 { "none".to_owned() } else { status.to_string() };
        (status, Value::from(count))
    });
    Value::Dict(counts.collect())
}
