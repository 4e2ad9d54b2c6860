//! What other tools keep (an OpenAPI document, a Postman collection, a k6 script, a JMeter test plan) as
//! the tasks of tests. Each format is read by a file of its own into one [`Import`]; what a task cannot
//! express is listed in its [`Notices`], so that nothing is lost in silence. Nothing here opens a file.

pub(crate) mod curl;
mod examples;
mod javascript;
pub(crate) mod jmeter;
pub(crate) mod k6;
mod load;
mod lookup;
pub(crate) mod notices;
pub(crate) mod openapi;
mod placeholders;
pub(crate) mod postman;
pub(crate) mod shell;
mod steps;

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};

pub(crate) use self::notices::Notices;
pub(crate) use self::placeholders::{names_in, replace_names, variable};
use crate::memory::readable;
use crate::value::{Map, Value};

/// What the tasks of an import may take in memory, in bytes: a few lines that all requests share (a
/// header of a test plan, an example that many operations refer to) unfold to any size.
const MOST: usize = 64 << 20;

/// How many variables may name each other in turn.
const MAX_ROUNDS: usize = 8;

/// What other values may add to that of a variable, in bytes.
const MAX_VALUE: usize = 4 << 10;

/// What was imported.
#[derive(Debug, Default)]
pub(crate) struct Import {
    /// The tests: one, or several where the source has several groups of users.
    pub(crate) tests: Vec<Test>,
    /// Variables that the tasks name, with the values that the source gives.
    pub(crate) variables: Map,
    /// Variables that the tasks name, with values that the source does not give.
    pub(crate) made_up: Map,
    /// CSV sources, as the member of a test.
    pub(crate) sources: Vec<Value>,
    /// Gates, as rules of `LD_assert_sla`.
    pub(crate) gates: Vec<Value>,
    /// Names of headers and parameters that hold credentials, though their names do not tell.
    pub(crate) credentials: BTreeSet<String>,
    /// What is lost or needs a look.
    pub(crate) notices: Notices,
    weight: usize,
}

/// The requests of one group of users.
#[derive(Debug, Default)]
pub(crate) struct Test {
    /// The requests, in their order.
    pub(crate) requests: Vec<Request>,
    /// Members of `LD_start_test` that say how much load there is.
    pub(crate) load: Map,
}

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// The task.
    pub(crate) task: Map,
    /// The pause after it, as `think_time`.
    pub(crate) pause: Option<Value>,
}

/// Why a source cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotImported(pub(crate) String);

impl Import {
    /// Adds a request to the last test.
    fn push(&mut self, request: Request) -> Result<(), NotImported> {
        self.weight += members_weight(&request.task);
        if self.weight > MOST {
            let most = readable(MOST);
            return Err(NotImported(format!("its requests would take more than {most} of memory")));
        }
        if self.tests.is_empty() {
            self.tests.push(Test::default());
        }
        if let Some(test) = self.tests.last_mut() {
            test.requests.push(request);
        }
        Ok(())
    }

    /// The last request, to add to it.
    fn last(&mut self) -> Option<&mut Request> {
        self.tests.last_mut()?.requests.last_mut()
    }

    /// Puts the values of variables into others that name them. Those whose values are made for each
    /// request are put into the tasks: what a variable holds is not looked through again.
    fn inline_variables(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let known = self.variables.clone();
            let mut changed = false;
            for (own, value) in &mut self.variables {
                let grown = Cell::new(0);
                replace_names(value, &|name| {
                    let inner = known.get(name).filter(|_| name != own)?.to_text();
                    grown.set(grown.get() + inner.len() + 1);
                    (grown.get() <= MAX_VALUE).then_some(inner)
                });
                changed |= grown.get() > 0;
            }
            if !changed {
                break;
            }
        }
        let made = |value: &Value| value.as_str().is_some_and(|text| text.contains("${"));
        let made: Map = self.variables.extract_if(.., |_, value| made(value)).collect();
        if made.is_empty() {
            return;
        }
        let room = MOST.saturating_sub(self.weight);
        let grown = Cell::new(0);
        let requests = self.tests.iter_mut().flat_map(|test| &mut test.requests);
        for value in requests.flat_map(|request| request.task.values_mut()) {
            replace_names(value, &|name| {
                let inner = made.get(name)?.to_text();
                grown.set(grown.get() + inner.len());
                (grown.get() <= room).then_some(inner)
            });
        }
        self.weight += grown.get();
    }

    /// Its memory in bytes, estimated.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// The tasks of all tests, without their pauses; what is lost by that is among the notices.
    pub(crate) fn into_tasks(mut self) -> (Vec<Value>, Notices) {
        let several = self.tests.len();
        let requests = self.tests.into_iter().flat_map(|test| test.requests);
        let mut pauses = 0;
        let tasks: Vec<Value> = requests
            .map(|request| {
                pauses += usize::from(request.pause.is_some());
                Value::Dict(request.task)
            })
            .collect();
        if several > 1 {
            self.notices
                .say(format!("{several} groups of users: their requests are one iteration"));
        }
        if pauses > 0 {
            self.notices.say(format!(
                "pauses left out (`ldctl convert --think-time` keeps them): {pauses}"
            ));
        }
        self.notices.many("values that were made up in `ldctl convert` and are missing here", {
            self.made_up.into_iter().map(|(name, _)| name)
        });
        (tasks, self.notices)
    }

    /// The variables that its tasks take out of responses.
    pub(crate) fn extracted(&self) -> BTreeSet<String> {
        let tasks = self.tests.iter().flat_map(|test| &test.requests).map(|request| &request.task);
        let lists = tasks.filter_map(|task| task.get("extract")).filter_map(|list| match list {
            Value::List(list) => Some(list),
            _ => None,
        });
        let names = lists.flatten().filter_map(|one| one.get("var")?.as_str());
        names.map(str::to_owned).collect()
    }
}

fn members_weight(members: &Map) -> usize {
    members.iter().map(|(key, value)| key.len() + value.weight() + 64).sum()
}

/// A task of the format `assertions` with one status.
fn status_assertion(status: i64) -> Value {
    Value::dict([("type", Value::from("status_code")), ("value", status.into())])
}

/// Adds to a list among the members of a task.
fn add(task: &mut Map, key: &str, value: Value) {
    match task.entry(key.to_owned()).or_insert_with(|| Value::List(Vec::new())) {
        Value::List(list) => list.push(value),
        other => *other = Value::List(vec![value]),
    }
}

/// Sets a member of an object among the members of a task, as a header.
pub(crate) fn set_in(task: &mut Map, key: &str, name: &str, value: impl Into<Value>) {
    if let Value::Dict(members) =
        task.entry(key.to_owned()).or_insert_with(|| Value::Dict(Map::new()))
    {
        members.insert(name.to_owned(), value.into());
    }
}

/// Sets the parts of a form, by name or as pairs where a name stands more than once. A boundary is made
/// with the request: a `Content-Type` by hand would have another.
fn set_files(task: &mut Map, parts: Vec<(String, Value)>) {
    if parts.is_empty() {
        return;
    }
    if let Some(Value::Dict(headers)) = task.get_mut("headers") {
        headers.retain(|name, _| !name.eq_ignore_ascii_case("content-type"));
        if headers.is_empty() {
            task.shift_remove("headers");
        }
    }
    task.insert("files".to_owned(), fields(parts));
}

/// Named values as an object, or as pairs where a name stands more than once.
fn fields(fields: Vec<(String, Value)>) -> Value {
    let names: HashSet<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() == fields.len() {
        return Value::Dict(fields.into_iter().collect());
    }
    let pairs = fields.into_iter().map(|(name, value)| Value::List(vec![name.into(), value]));
    Value::List(pairs.collect())
}

/// The member `auth` with a token.
fn bearer(token: &str) -> Value {
    Value::dict(
        [("type", "bearer"), ("token", token)].map(|(key, value)| (key, Value::from(value))),
    )
}

/// Whether a task has a header.
fn has_header(task: &Map, name: &str) -> bool {
    let Some(Value::Dict(headers)) = task.get("headers") else { return false };
    headers.keys().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
