//! What an envelope says beside its operation and its document, about runs. Servers without runs
//! ignore these keys, and so does the text dialect, as the reference does.

use std::time::Duration;

use serde_json::json;

use super::refusal::Refusal;
use crate::escape::is_interpreted;
use crate::event::{ErrorKind, MAX_NAME, ReportFormat, State};
use crate::value::{Map, Value};

/// Runs that a list holds unless the request says otherwise, and at most.
pub const LISTED_RUNS: (usize, usize) = (20, 1000);

/// The most detail about requests.
pub const MOST_DETAIL: u8 = 2;

/// The longest wait in the queue, in seconds: a week.
const LONGEST_QUEUE: f64 = 7.0 * 24.0 * 3600.0;

/// The parameters of a request about runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    /// The name of the run, with a document.
    pub name: Option<String>,
    /// What the document is called, for reports: the name of its file.
    pub file: Option<String>,
    /// Whether the reply ends once the document is accepted, and the run goes on without it.
    pub detach: bool,
    /// How long the run may wait for the place of another test.
    pub queue: Option<Duration>,
    /// How much events show of the requests of tests, with a document: 0 to [`MOST_DETAIL`].
    pub verbose: u8,
    /// The number of the run that the operation is about.
    pub run: Option<u64>,
    /// How many runs to list.
    pub limit: Option<usize>,
    /// The state of the runs to list.
    pub state: Option<State>,
    /// The format of a report.
    pub format: Option<ReportFormat>,
}

impl Parameters {
    /// Takes them out of an envelope.
    pub fn take(envelope: &mut Map) -> Result<Self, Refusal> {
        let mut present =
            |key: &str| envelope.shift_remove(key).filter(|value| *value != Value::Null);
        let run = present("run").map(|value| match value {
            Value::Int(number) if number > 0 => Ok(number.unsigned_abs()),
            other => Err(wrong("run", "the number of a run", &other)),
        });
        let limit = present("limit").map(|value| match value {
            Value::Int(limit) if (1..=LISTED_RUNS.1 as i64).contains(&limit) => Ok(limit as usize),
            other => Err(wrong("limit", &format!("1 to {}", LISTED_RUNS.1), &other)),
        });
        let state = present("state").map(|value| {
            let names = || State::OF_RUNS.map(State::name).join(", ");
            let state = value.as_str().and_then(State::of_run);
            state.ok_or_else(|| wrong("state", &format!("one of {}", names()), &value))
        });
        let format = present("format").map(|value| {
            let names = || ReportFormat::ALL.map(ReportFormat::name).join(", ");
            let format = value.as_str().and_then(ReportFormat::from_name);
            format.ok_or_else(|| wrong("format", &format!("one of {}", names()), &value))
        });
        let queue = present("queue").map(|value| {
            let seconds = match value {
                Value::Int(seconds) => Some(seconds as f64),
                Value::Float(seconds) => Some(seconds),
                _ => None,
            };
            let seconds = seconds.filter(|seconds| (0.0..=LONGEST_QUEUE).contains(seconds));
            let seconds = seconds.map(Duration::from_secs_f64);
            seconds.ok_or_else(|| wrong("queue", &format!("0 to {LONGEST_QUEUE} seconds"), &value))
        });
        let detach = present("detach").map(|value| match value {
            Value::Bool(detach) => Ok(detach),
            other => Err(wrong("detach", "true or false", &other)),
        });
        let verbose = present("verbose").map(|value| match value {
            Value::Int(detail) if (0..=i64::from(MOST_DETAIL)).contains(&detail) => {
                Ok(detail as u8)
            }
            other => Err(wrong("verbose", &format!("0 to {MOST_DETAIL}"), &other)),
        });
        let file = present("file").map(|value| match value {
            // Only reports show it.
            Value::Str(file) => Ok(Some(file).filter(|file| check_name(file).is_ok())),
            other => Err(wrong("file", "a text", &other)),
        });
        let name = present("name").map(|value| match value {
            Value::Str(name) => check_name(&name).map(|()| name).map_err(|why| refused(&why)),
            other => Err(wrong("name", "a text", &other)),
        });
        Ok(Self {
            name: name.transpose()?,
            file: file.transpose()?.flatten(),
            detach: detach.transpose()?.unwrap_or_default(),
            queue: queue.transpose()?,
            verbose: verbose.transpose()?.unwrap_or_default(),
            run: run.transpose()?,
            limit: limit.transpose()?,
            state: state.transpose()?,
            format: format.transpose()?,
        })
    }

    /// Appends them to an envelope that is not empty.
    pub(super) fn write(&self, add: &mut impl FnMut(&str)) {
        let mut member = |key: &str, value: serde_json::Value| {
            add(&format!(",\"{key}\":{value}"));
        };
        if let Some(name) = &self.name {
            member("name", json!(name));
        }
        if let Some(file) = &self.file {
            member("file", json!(file));
        }
        if self.detach {
            member("detach", json!(true));
        }
        if let Some(queue) = self.queue {
            member("queue", json!(queue.as_secs_f64()));
        }
        if self.verbose > 0 {
            member("verbose", json!(self.verbose));
        }
        if let Some(run) = self.run {
            member("run", json!(run));
        }
        if let Some(limit) = self.limit {
            member("limit", json!(limit));
        }
        if let Some(state) = self.state {
            member("state", json!(state.name()));
        }
        if let Some(format) = self.format {
            member("format", json!(format.name()));
        }
    }
}

/// Checks the name of a run: it stands in one line of a terminal.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(format!("name: expected 1 to {MAX_NAME} characters"));
    }
    if name.chars().any(is_interpreted) {
        return Err("name: control characters are not allowed".to_owned());
    }
    Ok(())
}

fn wrong(key: &str, expected: &str, value: &Value) -> Refusal {
    let value = value.to_text();
    let shown: String = value.chars().take(50).collect();
    refused(&format!("{key}: expected {expected}, got {shown}"))
}

fn refused(why: &str) -> Refusal {
    Refusal::new(ErrorKind::InvalidDocument, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(json: &str) -> Result<Parameters, String> {
        let Ok(Value::Dict(mut envelope)) = Value::parse(json) else { panic!("no object: {json}") };
        Parameters::take(&mut envelope).map_err(|refusal| refusal.message)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let all = Parameters {
            name: Some("nightly \"é\"".to_owned()),
            file: Some("tests/shop.json".to_owned()),
            detach: true,
            queue: Some(Duration::from_millis(1500)),
            verbose: 2,
            run: Some(7),
            limit: Some(1000),
            state: Some(State::Lost),
            format: Some(ReportFormat::Junit),
        };
        for parameters in [all, Parameters::default()] {
            let mut text = "{\"a\":1".to_owned();
            parameters.write(&mut |part: &str| text.push_str(part));
            text.push('}');
            assert_eq!(take(&text), Ok(parameters), "{text}");
        }
    }

    #[test]
    fn wrong_parameters_are_refused_by_name() {
        for (json, message) in [
            (r#"{"name": ""}"#, "name: expected 1 to 200 characters"),
            (r#"{"name": "a\u001b"}"#, "name: control characters are not allowed"),
            (r#"{"name": 5}"#, "name: expected a text, got 5"),
            (r#"{"run": 0}"#, "run: expected the number of a run, got 0"),
            (r#"{"run": "7"}"#, "run: expected the number of a run, got 7"),
            (r#"{"limit": 1001}"#, "limit: expected 1 to 1000, got 1001"),
            (
                r#"{"state": "idle"}"#,
                "state: expected one of queued, running, stopping, passed, failed, cancelled, lost, interrupted, got idle",
            ),
            (
                r#"{"format": "pdf"}"#,
                "format: expected one of html, json, xml, csv, junit, summary, github, sarif, \
                 got pdf",
            ),
            (r#"{"queue": -1}"#, "queue: expected 0 to 604800 seconds, got -1"),
            (r#"{"verbose": 3}"#, "verbose: expected 0 to 2, got 3"),
            (r#"{"detach": 1}"#, "detach: expected true or false, got 1"),
        ] {
            assert_eq!(take(json), Err(message.to_owned()), "{json}");
        }
        let long = "é".repeat(MAX_NAME);
        assert!(check_name(&long).is_ok() && check_name(&format!("{long}x")).is_err());
    }
}
