//! From a browser's recording (HAR 1.2) to a document: `LD_load_har`, `LD_har_to_tasks`,
//! `LD_har_to_action_json`. What a client library sets itself (host, length, connection, HTTP/2's
//! pseudo-headers) is left out of the tasks; the recorded status becomes an assertion.

use regex::Regex;

use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::event::Failure;
use crate::value::{Field, Invalid, Kind, Literal, Map, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_load_har",
        "Gives the content of a HAR file.",
        &[Field::required("file_path", Kind::Path, "The file.")],
        |given| Ok(Box::new(LoadHar(given.required("file_path")?.string()?))),
    ),
    Declaration::named(
        "LD_har_to_tasks",
        "Gives the recorded requests as a test's tasks.",
        &[HAR, INCLUDE, EXCLUDE],
        |given| Ok(Box::new(Ready(Value::List(tasks(given)?)))),
    ),
    Declaration::named(
        "LD_har_to_action_json",
        "Gives the recorded requests as a document that tests with them.",
        &[
            HAR,
            Field::optional("user", Kind::Any, "The test's user.")
                .or(Literal::Text("fast_http_user")),
            Field::optional("user_count", Kind::Any, "The test's users.").or(Literal::Int(10)),
            Field::optional("spawn_rate", Kind::Any, "Users started per second.")
                .or(Literal::Int(5)),
            Field::optional("test_time", Kind::Any, "The test's length in seconds.")
                .or(Literal::Int(60)),
            INCLUDE,
            EXCLUDE,
        ],
        |given| Ok(Box::new(Ready(document(given)?))),
    ),
];

const HAR: Field = Field::required("har", Kind::MEMBERS, "The recording, as LD_load_har gives it.");

const INCLUDE: Field = Field::optional(
    "include",
    Kind::TEXTS,
    "Regular expressions of which a request's URL must match one; none for all requests.",
)
.or(Literal::List);

const EXCLUDE: Field = Field::optional(
    "exclude",
    Kind::TEXTS,
    "Regular expressions of which a request's URL must match none.",
)
.or(Literal::List);

/// Headers that belong to the connection and not to the request.
const CONNECTION_HEADERS: [&str; 7] =
    ["host", "content-length", "connection", ":authority", ":method", ":path", ":scheme"];

fn document(given: &Arguments<'_>) -> Result<Value, Invalid> {
    let taken = |name: &str| given.or_default(name, |argument| Ok(argument.value().clone()));
    let steps = Value::dict([("mode", Value::from("sequence")), ("tasks", tasks(given)?.into())]);
    let test = Value::dict([
        ("user_detail_dict", Value::dict([("user", taken("user")?)])),
        ("tasks", steps),
        ("user_count", taken("user_count")?),
        ("spawn_rate", taken("spawn_rate")?),
        ("test_time", taken("test_time")?),
    ]);
    let action = Value::List(vec!["LD_start_test".into(), test]);
    Ok(Value::dict([("load_density", Value::List(vec![action]))]))
}

fn tasks(given: &Arguments<'_>) -> Result<Vec<Value>, Invalid> {
    let har = given.required("har")?;
    if !matches!(har.value(), Value::Dict(_)) {
        return Err(har.expected("a HAR document, as LD_load_har gives it"));
    }
    let (include, exclude) = (patterns(given, "include")?, patterns(given, "exclude")?);
    let entries = har.value().get("log").and_then(|log| log.get("entries"));
    let Some(Value::List(entries)) = entries else { return Ok(Vec::new()) };
    let wanted = entries.iter().filter(|entry| {
        let url = entry.get("request").and_then(|request| text(request, "url"));
        let url = url.unwrap_or_default();
        let any = |patterns: &[Regex]| patterns.iter().any(|pattern| pattern.is_match(url));
        (include.is_empty() || any(&include)) && !any(&exclude)
    });
    Ok(wanted.filter_map(task).map(Value::Dict).collect())
}

/// A list of regular expressions, each sought anywhere in the URL.
fn patterns(given: &Arguments<'_>, name: &str) -> Result<Vec<Regex>, Invalid> {
    given.or_default(name, |list| list.list()?.iter().map(Reader::pattern).collect())
}

/// An entry as a task; none of one without method or URL.
fn task(entry: &Value) -> Option<Map> {
    let request = entry.get("request")?;
    let method = text(request, "method").filter(|method| !method.is_empty())?;
    let url = text(request, "url").filter(|url| !url.is_empty())?;
    let mut task = Map::new();
    let mut set = |key: &str, value: Value| task.insert(key.to_owned(), value);
    set("method", method.to_lowercase().into());
    set("request_url", url.into());
    set("name", format!("{} {}", method.to_uppercase(), path(url)).into());
    let headers = headers(request);
    if !headers.is_empty() {
        set("headers", Value::Dict(headers));
    }
    if let Some((key, body)) = request.get("postData").and_then(body) {
        set(key, body);
    }
    if let Some(Value::Int(status)) =
        entry.get("response").and_then(|response| response.get("status"))
        && *status != 0
    {
        let assertion =
            Value::dict([("type", Value::from("status_code")), ("value", Value::from(*status))]);
        set("assertions", Value::List(vec![assertion]));
    }
    Some(task)
}

/// The URL from its path on; the whole of one that is not absolute.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").filter(|(scheme, rest)| {
        let letters = scheme.bytes().all(|byte| byte.is_ascii_alphabetic());
        !scheme.is_empty() && letters && !rest.is_empty() && !rest.starts_with('/')
    });
    match rest {
        None => url,
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
    }
}

fn headers(request: &Value) -> Map {
    let Some(Value::List(headers)) = request.get("headers") else { return Map::new() };
    let mut kept = Map::new();
    for header in headers {
        let name = text(header, "name").unwrap_or_default().trim();
        if name.is_empty() || CONNECTION_HEADERS.contains(&name.to_lowercase().as_str()) {
            continue;
        }
        let value = header.get("value").cloned().unwrap_or_else(|| "".into());
        kept.insert(name.to_owned(), value);
    }
    kept
}

/// The body as the task's `json` or `data`.
fn body(posted: &Value) -> Option<(&'static str, Value)> {
    let mime = text(posted, "mimeType").unwrap_or_default().to_lowercase();
    let written = text(posted, "text").filter(|text| !text.is_empty());
    if let Some(written) = written.filter(|_| mime.contains("application/json")) {
        return Some(match Value::parse(written) {
            Ok(json) => ("json", json),
            Err(_) => ("data", written.into()),
        });
    }
    if let Some(Value::List(params)) =
        posted.get("params").filter(|params| **params != Value::List(Vec::new()))
    {
        let fields = params.iter().filter_map(|param| {
            let name = text(param, "name").filter(|name| !name.is_empty())?;
            Some((name.to_owned(), param.get("value").cloned().unwrap_or_default()))
        });
        return Some(("data", Value::Dict(fields.collect())));
    }
    written.map(|written| ("data", written.into()))
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

#[derive(Debug)]
struct LoadHar(String);

impl Command for LoadHar {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.files().read_json(&self.0)
    }
}

/// What was known as soon as the arguments were read.
#[derive(Debug)]
struct Ready(Value);

impl Command for Ready {
    fn run(self: Box<Self>, _: &mut Context<'_>) -> Result<Value, Failure> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> String {
        let entry = Value::parse(json).expect("JSON");
        Value::Dict(task(&entry).unwrap_or_default()).to_text()
    }

    #[test]
    fn an_entry_becomes_a_task_without_what_belongs_to_the_connection() {
        assert_eq!(
            entry(
                r#"{"request": {"method": "POST", "url": "https://x.test/a?b=1", "headers": [
                    {"name": "Host", "value": "x.test"}, {"name": ":path", "value": "/a"},
                    {"name": "Accept", "value": "*/*"}],
                    "postData": {"mimeType": "application/json; charset=utf-8", "text": "{\"a\": 1}"}},
                    "response": {"status": 201}}"#
            ),
            "{'method': 'post', 'request_url': 'https://x.test/a?b=1', 'name': 'POST /a?b=1', \
             'headers': {'Accept': '*/*'}, 'json': {'a': 1}, 'assertions': [{'type': 'status_code', \
             'value': 201}]}"
        );
    }

    #[test]
    fn bodies_are_json_forms_or_text() {
        let data = |posted: &str| {
            let posted = Value::parse(posted).expect("JSON");
            body(&posted).map(|(key, value)| format!("{key} {}", value.to_text()))
        };
        assert_eq!(
            data(r#"{"mimeType": "application/json", "text": "{"}"#),
            Some("data {".to_owned())
        );
        assert_eq!(
            data(
                r#"{"mimeType": "application/x-www-form-urlencoded", "text": "a=1",
                "params": [{"name": "a", "value": "1"}, {"value": "x"}]}"#
            ),
            Some("data {'a': '1'}".to_owned())
        );
        assert_eq!(data(r#"{"text": "plain", "params": []}"#), Some("data plain".to_owned()));
        assert_eq!(data("{}"), None);
    }

    #[test]
    fn a_name_is_the_method_and_the_path() {
        for (url, want) in [
            ("http://x", "/"),
            ("http://x/", "/"),
            ("http://x:80/a/b?c#d", "/a/b?c#d"),
            ("/relative", "/relative"),
            ("://x/", "://x/"),
        ] {
            assert_eq!(path(url), want);
        }
    }

    #[test]
    fn entries_without_method_or_url_are_left_out() {
        for json in ["{}", r#"{"request": {"method": "GET"}}"#, "7", r#"{"request": null}"#] {
            assert_eq!(entry(json), "{}");
        }
    }
}
