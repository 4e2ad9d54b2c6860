//! Import of a recording of a browser or proxy (HAR 1.2): `LD_load_har`, `LD_har_to_tasks`,
//! `LD_har_to_action_json`. Entries are parsed ([`entry`]), sorted by time, joined where one
//! redirects to the next ([`redirects`]), and written as tasks with their bodies ([`post_data`]).
//! What a task cannot express becomes one of the result's warnings ([`notices`]).

mod entry;
mod messages;
mod multipart;
mod notices;
mod pairs;
mod post_data;
mod redirects;

use std::fmt::Display;

use jiff::Timestamp;
use regex::Regex;
use serde::Deserialize;

use self::entry::{Entry, path};
use self::notices::Notices;
use self::redirects::{Step, steps};
use super::test_document::{self, Load, SPAWN_RATE, TEST_TIME, USER, USER_COUNT};
use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::Failure;
use crate::value::{Field, Invalid, Kind, Literal, Map, Patterns, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_load_har",
        "Returns the content of a HAR file.",
        &[Field::required("file_path", Kind::Path, "The file.")],
        |given| Ok(Box::new(LoadHar(given.required("file_path")?.string()?))),
    )
    .returns("The recording as an object.")
    .example(r#"["LD_load_har", {"file_path": "recording.har"}]"#),
    Declaration::named(
        "LD_har_to_tasks",
        "Returns the recorded requests as the tasks of a test.",
        &[HAR, INCLUDE, EXCLUDE],
        |given| {
            let (tasks, notices) = tasks(given)?;
            Ok(Box::new(Imported { value: Value::List(tasks), notices }))
        },
    )
    .text("On the command line `ldctl convert` does this for a file.")
    .returns("A list of tasks.")
    .example(r#"["LD_har_to_tasks", {"har": {"log": {"entries": []}}, "exclude": ["[.]png$"]}]"#),
    Declaration::named(
        "LD_har_to_action_json",
        "Returns the recorded requests as a document with a test.",
        &[
            HAR,
            USER.note(
                "With `websocket_user` the recorded WebSockets are imported, where the recording has \
                 their messages (Chrome's has), and no requests.",
            ),
            USER_COUNT,
            SPAWN_RATE,
            TEST_TIME,
            INCLUDE,
            EXCLUDE,
        ],
        |given| {
            let (value, notices) = document(given)?;
            Ok(Box::new(Imported { value, notices }))
        },
    )
    .text(
        "On the command line `ldctl convert` does this for a file, and also replaces secrets \
         and sets the host.",
    )
    .returns("A document.")
    .example(r#"["LD_har_to_action_json", {"har": {"log": {"entries": []}}, "user_count": 5}]"#),
];

const HAR: Field =
    Field::required("har", Kind::MEMBERS, "The recording, as returned by LD_load_har.");

const INCLUDE: Field = Field::optional(
    "include",
    Kind::TEXTS,
    "Regular expressions; only requests whose URL matches one are imported. Empty imports all.",
)
.or(Literal::List);

const EXCLUDE: Field = Field::optional(
    "exclude",
    Kind::TEXTS,
    "Regular expressions; requests whose URL matches one are not imported.",
)
.or(Literal::List);

fn document(given: &Arguments<'_>) -> Result<(Value, Vec<String>), Invalid> {
    let user = given.or_default("user", |user| Ok(user.value().clone()))?;
    let (tasks, notices) = match user.as_str() {
        Some("websocket_user") => {
            selected(given, |har, wanted| messages::steps(&entries(har)?, wanted))?
        }
        _ => tasks(given)?,
    };
    let test = Load::read(given)?.test(tasks, Map::new());
    Ok((test_document::of(vec![test]), notices))
}

fn tasks(given: &Arguments<'_>) -> Result<(Vec<Value>, Vec<String>), Invalid> {
    selected(given, |har, wanted| import(har, wanted))
}

/// What an import makes of the entries that the arguments select.
fn selected<T>(
    given: &Arguments<'_>,
    import: impl FnOnce(&Reader<'_>, &dyn Fn(&str) -> bool) -> Result<T, Invalid>,
) -> Result<T, Invalid> {
    let har = given.required("har")?;
    if !matches!(har.value(), Value::Dict(_)) {
        return Err(har.expected("a HAR document, as returned by LD_load_har"));
    }
    let (include, exclude) = (patterns(given, "include")?, patterns(given, "exclude")?);
    let wanted = |url: &str| {
        let any = |patterns: &[Regex]| patterns.iter().any(|pattern| pattern.is_match(url));
        (include.is_empty() || any(&include)) && !any(&exclude)
    };
    import(&har, &wanted)
}

/// A recorded request as a task, and when it was made.
#[derive(Debug)]
pub(crate) struct RecordedRequest {
    /// The task.
    pub(crate) task: Map,
    /// The start of the request.
    pub(crate) started: Option<Timestamp>,
    /// The end of the response, of the last one where redirects were followed.
    pub(crate) ended: Option<Timestamp>,
    /// Whether the response is a page.
    pub(crate) page: bool,
}

/// The tasks of the entries with a matching URL, and the notices about differences.
fn import(
    har: &Reader<'_>,
    wanted: impl Fn(&str) -> bool,
) -> Result<(Vec<Value>, Vec<String>), Invalid> {
    let (requests, notices) = recorded(har, wanted)?;
    Ok((requests.into_iter().map(|request| Value::Dict(request.task)).collect(), notices))
}

/// The requests of the entries with a matching URL, and the notices about differences.
pub(crate) fn recorded(
    har: &Reader<'_>,
    wanted: impl Fn(&str) -> bool,
) -> Result<(Vec<RecordedRequest>, Vec<String>), Invalid> {
    let mut notices = Notices::default();
    let mut entries = Vec::new();
    for place in self::entries(har)? {
        let entry = Entry::read(&place)?;
        if !wanted(&entry.url) {
            continue;
        }
        notices.entries += 1;
        match entry.obstacle() {
            Some(reason) => notices.leave_out(reason),
            None => entries.push(entry),
        }
    }
    entry::sort(&mut entries);
    let requests = steps(&entries).into_iter().map(|step| RecordedRequest {
        task: task(&step, &mut notices),
        started: step.entry.started,
        ended: step.last.ended(),
        page: step.last.page,
    });
    Ok((requests.collect(), notices.lines()))
}

/// The entries of a recording.
fn entries<'a>(har: &Reader<'a>) -> Result<Vec<Reader<'a>>, Invalid> {
    let Some(log) = har.object()?.present("log") else { return Ok(Vec::new()) };
    let Some(list) = log.object()?.present("entries") else { return Ok(Vec::new()) };
    list.list()
}

/// Parses a list of regular expressions, each of which may match anywhere in the URL.
fn patterns(given: &Arguments<'_>, name: &str) -> Result<Vec<Regex>, Invalid> {
    let mut patterns = Patterns::default();
    given.or_default(name, |list| list.list()?.iter().map(|it| patterns.compile(it)).collect())
}

fn task(step: &Step<'_>, notices: &mut Notices) -> Map {
    let entry = step.entry;
    let name = format!("{} {}", entry.method, path(&entry.url));
    let mut headers = entry.headers(notices);
    let body = entry.body(&mut headers, &name, notices);
    let mut task = Map::new();
    let mut set = |key: &str, value: Value| task.insert(key.to_owned(), value);
    set("method", entry.method.to_lowercase().into());
    set("request_url", entry.url.as_str().into());
    set("name", name.into());
    if !headers.is_empty() {
        set("headers", Value::Dict(headers));
    }
    for (key, body) in body {
        set(key, body);
    }
    if step.stays {
        set("allow_redirects", Value::Bool(false));
    }
    match step.status {
        // The response to a conditional request, whose validators are not sent: expect a full
        // response.
        Some(304) => {}
        Some(status) => {
            let status = Value::from(i64::from(status));
            let assertion = Value::dict([("type", Value::from("status_code")), ("value", status)]);
            set("assertions", Value::List(vec![assertion]));
        }
        None => notices.without_response += 1,
    }
    task
}

#[derive(Debug)]
struct LoadHar(String);

impl Command for LoadHar {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.read_json(&self.0, 1, recording)
    }
}

/// The form of a recording, checked while its text is read once: nothing is kept.
#[derive(Deserialize)]
struct Recorded {
    #[serde(rename = "log")]
    _log: Option<Log>,
}

#[derive(Deserialize)]
struct Log {
    #[serde(rename = "entries")]
    _entries: Option<Vec<AnyEntry>>,
}

/// An object; its members are skipped.
#[derive(Deserialize)]
struct AnyEntry {}

/// Refuses JSON of another form before its values are built. What is no JSON at all is left to the
/// parser, whose error names the place.
fn recording(text: &str) -> Result<(), String> {
    let refused = |why: &dyn Display| format!("is not a HAR recording: {why}");
    if text.trim_start().starts_with(['[', '"', '-', 't', 'f', 'n']) {
        return Err(refused(&"expected an object with a \"log\""));
    }
    match serde_json::from_str::<Recorded>(text) {
        Err(error) if error.is_data() => Err(refused(&error)),
        _ => Ok(()),
    }
}

/// A result that was computed when the arguments were parsed.
#[derive(Debug)]
struct Imported {
    value: Value,
    notices: Vec<String>,
}

impl Command for Imported {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.warn(self.notices);
        Ok(self.value)
    }
}

#[cfg(test)]
mod tests;
