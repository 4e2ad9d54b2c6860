//! What other tools keep (a recording of a browser, commands of curl, an OpenAPI document, a Postman
//! collection, a k6 script, a JMeter test plan) as a document that runs: the host apart from the paths,
//! secrets as `${env.NAME}`, pauses as waits. The requests themselves are imported as the commands of
//! documents do it (`LD_har_to_tasks` and the like).

mod cookies;
mod curl;
mod hosts;
mod places;
mod refusal;
mod secrets;
mod settle;
mod source;

use self::cookies::Sessions;
use self::hosts::Hosts;
pub use self::refusal::NotConverted;
use self::secrets::Secrets;
use self::settle::{Settled, settled};
pub use self::source::Source;
use super::commands::har::{RecordedRequest, recorded};
use super::environment::environment;
use crate::value::{Map, Reader, Value};

/// The shortest pause that becomes a wait, in seconds: shorter ones are the browser's own.
const SHORTEST_PAUSE: f64 = 0.05;

/// The longest, in seconds: somebody had lunch.
const LONGEST_PAUSE: f64 = 300.0;

/// How a text is converted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choices {
    /// Whether requests to other hosts are left out.
    pub host_only: bool,
    /// Whether pauses become waits.
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

/// Converts a text; without a source it is found out.
pub fn convert(
    text: &str,
    source: Option<Source>,
    choices: Choices,
) -> Result<Converted, NotConverted> {
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(NotConverted("the file is empty".to_owned()));
    }
    let source = match source {
        Some(source) => source,
        None => Source::of(text)?,
    };
    let recordings = |(requests, notes)| Settled::of_recording(requests, notes);
    let mut settled = match source {
        Source::Har => recordings(of_har(text)?),
        Source::Curl => recordings(curl::requests(text)?),
        other => settled(source::import(text, other)?, choices.think_time),
    };
    let mut hosts = Hosts::of(settled.requests());
    let all = settled.requests().count();
    if choices.host_only {
        settled.retain(|request| hosts.keeps(&request.task));
        settled.notes.extend(hosts.left_out());
    }
    if settled.requests().next().is_none() {
        let reason = if all > 0 { "no request to the host is left" } else { "it has no request" };
        return Err(NotConverted(reason.to_owned()));
    }
    let mut secrets = Secrets::default();
    for test in &mut settled.tests {
        if choices.think_time {
            pauses(&mut test.requests);
        }
        for RecordedRequest { task, .. } in &mut test.requests {
            hosts::take_credentials(task);
            hosts::rename(task, |_| false);
            hosts.split(task, settled.renames);
            secrets.replace(task, &settled.credentials);
        }
    }
    let requests = settled.tests.iter_mut().flat_map(|test| &mut test.requests);
    requests.for_each(|request| hosts::rename(&mut request.task, |name| secrets.are_in(name)));
    let mut notes = std::mem::take(&mut settled.notes);
    notes.extend(secrets.doubts());
    let document = document(settled, hosts);
    Ok(Converted { variables: environment(&document, secrets.names()), document, notes })
}

fn of_har(text: &str) -> Result<(Vec<RecordedRequest>, Vec<String>), NotConverted> {
    let har = Value::parse(text).map_err(|error| NotConverted(format!("not JSON: {error}")))?;
    if har.get("log").is_none() {
        return Err(NotConverted("not a HAR recording: it has no \"log\"".to_owned()));
    }
    let (mut requests, mut notes) = recorded(&Reader::at(&har, ""), |_| true)?;
    let sessions = Sessions::of(&har);
    for RecordedRequest { task, started, .. } in &mut requests {
        let url = task.get("request_url").and_then(Value::as_str).and_then(hosts::origin);
        let cookies = url.map(|(origin, _)| sessions.carried(&origin, *started));
        if let Some(cookies) = cookies.filter(|cookies| !cookies.is_empty()) {
            task.insert("cookies".to_owned(), Value::Dict(cookies));
        }
    }
    if sessions.are_some() {
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

fn document(settled: Settled, hosts: Hosts) -> Value {
    // Relative URLs of an API have a host that only people know.
    let base = hosts.base().or_else(|| (!settled.renames).then(|| "${env.BASE_URL}".to_owned()));
    let mut variables = settled.variables;
    variables.extend(hosts.variables());
    let mut actions = Vec::new();
    if !settled.gates.is_empty() {
        actions.push(Value::List(vec!["LD_clear_records".into()]));
    }
    for test in settled.tests {
        let mut arguments = Map::new();
        let mut set = |key: &str, value: Value| arguments.insert(key.to_owned(), value);
        let mut user = Map::from([("user".to_owned(), Value::from("fast_http_user"))]);
        user.extend(base.as_ref().map(|base| ("host".to_owned(), base.as_str().into())));
        set("user_detail_dict", Value::Dict(user));
        if !variables.is_empty() {
            set("variables", Value::Dict(variables.clone()));
        }
        if !settled.sources.is_empty() {
            set("csv_sources", Value::List(settled.sources.clone()));
        }
        if test.load.is_empty() {
            set("user_count", 10_i64.into());
            set("spawn_rate", 5_i64.into());
            set("test_time", 60_i64.into());
        }
        test.load.into_iter().for_each(|(key, value)| drop(set(&key, value)));
        let tasks: Vec<Value> =
            test.requests.into_iter().map(|request| Value::Dict(request.task)).collect();
        set("tasks", Value::dict([("mode", Value::from("sequence")), ("tasks", tasks.into())]));
        actions.push(Value::List(vec![super::command::START_TEST.into(), Value::Dict(arguments)]));
    }
    if !settled.gates.is_empty() {
        let rules = Value::dict([("rules", Value::List(settled.gates))]);
        actions.push(Value::List(vec!["LD_assert_sla".into(), rules]));
    }
    Value::dict([("load_density", Value::List(actions))])
}

#[cfg(test)]
mod tests;
