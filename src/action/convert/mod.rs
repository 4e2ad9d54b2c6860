//! A recording of a browser (HAR) or commands of curl as a document: the host apart from the paths,
//! secrets as `${env.NAME}`, recorded pauses as waits. The requests themselves are imported as
//! `LD_har_to_tasks` does it; a command of curl becomes an entry of a recording first.

mod cookies;
mod curl;
mod hosts;
mod refusal;
mod secrets;

use super::commands::har::{RecordedRequest, recorded};
use crate::value::{Map, Reader, Value};
use cookies::carried;
use hosts::Hosts;
pub use refusal::NotConverted;
use secrets::Secrets;

/// The shortest pause that becomes a wait, in seconds: shorter ones are the browser's own.
const SHORTEST_PAUSE: f64 = 0.05;

/// The longest, in seconds: somebody had lunch.
const LONGEST_PAUSE: f64 = 300.0;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A recording of a browser or proxy (HTTP Archive).
    Har,
    /// Commands of curl.
    Curl,
}

/// How a recording is converted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choices {
    /// Whether requests to other hosts are left out.
    pub host_only: bool,
    /// Whether recorded pauses become waits.
    pub think_time: bool,
}

/// The result.
#[derive(Debug)]
pub struct Converted {
    /// The document.
    pub document: Value,
    /// What the document lacks, for people.
    pub notes: Vec<String>,
    /// The environment variables that it needs.
    pub variables: Vec<String>,
}

impl Source {
    /// What a text seems to be.
    fn of(text: &str) -> Option<Self> {
        if text.trim_start().starts_with('{') {
            return Some(Self::Har);
        }
        let curl = text.split_whitespace().any(|word| word == "curl" || word.ends_with("/curl"));
        curl.then_some(Self::Curl)
    }
}

/// Converts a text; without a source it is found out.
pub fn convert(
    text: &str,
    source: Option<Source>,
    choices: Choices,
) -> Result<Converted, NotConverted> {
    let unknown = || NotConverted("neither a HAR recording nor a command of curl".to_owned());
    let (mut requests, mut notes) = match source.or_else(|| Source::of(text)).ok_or_else(unknown)? {
        Source::Har => of_har(text)?,
        Source::Curl => curl::requests(text)?,
    };
    let mut hosts = Hosts::of(&requests);
    let all = requests.len();
    if choices.host_only {
        requests.retain(|request| hosts.keeps(&request.task));
        notes.extend(hosts.left_out());
    }
    if requests.is_empty() {
        let reason = if all > 0 { "no request to the host is left" } else { "it has no request" };
        return Err(NotConverted(reason.to_owned()));
    }
    if choices.think_time {
        pauses(&mut requests);
    }
    let mut secrets = Secrets::default();
    let tasks = requests.into_iter().map(|RecordedRequest { mut task, .. }| {
        secrets.replace(&mut task);
        hosts.split(&mut task);
        Value::Dict(task)
    });
    let tasks: Vec<Value> = tasks.collect();
    notes.extend(secrets.doubts());
    Ok(Converted { document: document(tasks, hosts), notes, variables: secrets.names() })
}

fn of_har(text: &str) -> Result<(Vec<RecordedRequest>, Vec<String>), NotConverted> {
    let har = Value::parse(text).map_err(|error| NotConverted(format!("not JSON: {error}")))?;
    if har.get("log").is_none() {
        return Err(NotConverted("not a HAR recording: it has no \"log\"".to_owned()));
    }
    let (mut requests, mut notes) = recorded(&Reader::at(&har, ""), |_| true)?;
    let sessions = carried(&har);
    for RecordedRequest { task, .. } in &mut requests {
        let url = task.get("request_url").and_then(Value::as_str).and_then(hosts::origin);
        let own = url.and_then(|(origin, _)| sessions.get(&origin));
        if let Some(cookies) = own.filter(|cookies| !cookies.is_empty()) {
            task.insert("cookies".to_owned(), Value::Dict(cookies.clone()));
        }
    }
    if sessions.values().any(|cookies| !cookies.is_empty()) {
        notes.push("the recording began with cookies: they are sent from variables".to_owned());
    }
    Ok((requests, notes))
}

/// Waits after a task for as long as the recording had no request in progress.
fn pauses(requests: &mut [RecordedRequest]) {
    let times: Vec<_> = requests.iter().map(|request| (request.started, request.ended)).collect();
    let mut busy = None;
    for (index, request) in requests.iter_mut().enumerate() {
        busy = busy.max(times.get(index).and_then(|(_, ended)| *ended));
        let next = times.get(index + 1).and_then(|(started, _)| *started);
        let (Some(busy), Some(next)) = (busy, next) else { continue };
        let pause = next.duration_since(busy).as_secs_f64();
        if pause >= SHORTEST_PAUSE {
            let pause = (pause.min(LONGEST_PAUSE) * 100.0).round() / 100.0;
            request.task.insert("think_time".to_owned(), pause.into());
        }
    }
}

fn document(tasks: Vec<Value>, hosts: Hosts) -> Value {
    let mut test = Map::new();
    let mut set = |key: &str, value: Value| test.insert(key.to_owned(), value);
    let mut user = Map::from([("user".to_owned(), Value::from("fast_http_user"))]);
    user.extend(hosts.base().map(|base| ("host".to_owned(), base.into())));
    set("user_detail_dict", Value::Dict(user));
    let variables = hosts.variables();
    if !variables.is_empty() {
        set("variables", Value::Dict(variables));
    }
    set("user_count", 10_i64.into());
    set("spawn_rate", 5_i64.into());
    set("test_time", 60_i64.into());
    set("tasks", Value::dict([("mode", Value::from("sequence")), ("tasks", tasks.into())]));
    let action = Value::List(vec![super::command::START_TEST.into(), Value::Dict(test)]);
    Value::dict([("load_density", Value::List(vec![action]))])
}

#[cfg(test)]
mod tests;
