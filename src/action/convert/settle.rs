//! An import as tests that run: variables in the authority of a URL are replaced by their values, secret
//! ones and those without a value come from the environment, and pauses become waits if they are wanted.

use std::collections::BTreeSet;

use indexmap::{IndexMap, IndexSet};

use super::places::Places;
use crate::action::commands::har::RecordedRequest;
use crate::action::import::{Import, names_in, replace_names, variable};
use crate::redact;
use crate::value::{Map, Value};

/// The longest value of a variable that is put into URLs, in bytes.
const MAX_URL: usize = 2 << 10;

/// What becomes a document.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) tests: Vec<Test>,
    pub(super) variables: Map,
    pub(super) sources: Vec<Value>,
    pub(super) gates: Vec<Value>,
    pub(super) notes: Vec<String>,
    /// Names of headers and parameters that hold credentials, though they do not tell.
    pub(super) credentials: BTreeSet<String>,
    /// Whether tasks are named by their method and path.
    pub(super) renames: bool,
}

/// A test of it.
#[derive(Debug, Default)]
pub(super) struct Test {
    pub(super) requests: Vec<RecordedRequest>,
    /// Members that say how much load there is; the usual ones if it is empty.
    pub(super) load: Map,
}

impl Settled {
    /// What was recorded is one test.
    pub(super) fn of_recording(requests: Vec<RecordedRequest>, notes: Vec<String>) -> Self {
        let test = Test { requests, load: Map::new() };
        Self { tests: vec![test], notes, renames: true, ..Self::default() }
    }

    /// All requests.
    pub(super) fn requests(&self) -> impl DoubleEndedIterator<Item = &RecordedRequest> {
        self.tests.iter().flat_map(|test| &test.requests)
    }

    /// Leaves requests out, and tests without any.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&RecordedRequest) -> bool) {
        self.tests.iter_mut().for_each(|test| test.requests.retain(&mut keep));
        self.tests.retain(|test| !test.requests.is_empty());
    }
}

/// Makes an import run.
pub(super) fn settled(import: Import, think_time: bool) -> Settled {
    let extracted = import.extracted();
    let Import { tests, mut variables, made_up, sources, gates, mut notices, credentials, .. } =
        import;
    notices
        .many("values that were made up; correct them in \"variables\"", made_up.keys().cloned());
    variables.extend(made_up);
    if !sources.is_empty() {
        let files = sources.iter().filter_map(|source| source.get("file_path")).map(Value::to_text);
        notices.many("files to put into the data directory", files);
    }
    let mut pauses = 0;
    let mut tests: Vec<Test> = tests
        .into_iter()
        .map(|test| {
            let requests = test.requests.into_iter().map(|mut request| {
                match request.pause {
                    Some(pause) if think_time => {
                        drop(request.task.insert("think_time".to_owned(), pause))
                    }
                    pause => pauses += usize::from(pause.is_some()),
                }
                RecordedRequest { task: request.task, started: None, ended: None, page: false }
            });
            Test { requests: requests.collect(), load: test.load }
        })
        .collect();
    tests.retain(|test| !test.requests.is_empty());
    if pauses > 0 {
        notices.say(format!("pauses left out (--think-time keeps them): {pauses}"));
    }
    let requests = tests.iter_mut().flat_map(|test| &mut test.requests);
    let mut tasks: Vec<&mut Map> = requests.map(|request| &mut request.task).collect();
    let secret = secrets(&mut tasks, &credentials);
    let is_secret = |name: &str| redact::names_secret(name) || secret.contains(name);
    for task in &mut tasks {
        settle_url(task, &variables, &is_secret);
    }
    // Those that the tasks still name.
    let mut named: IndexSet<String> = IndexSet::new();
    for task in &tasks {
        for value in task.values() {
            names_in(value, &mut |_, name| {
                named.insert(name.to_owned());
            });
        }
    }
    let mut of_environment: IndexMap<String, String> = IndexMap::new();
    for name in named.iter().filter(|name| !extracted.contains(*name)) {
        let known =
            variables.get(name).filter(|value| !is_secret(name) && value.as_str() != Some(""));
        if known.is_none() {
            let placeholder = format!("${{env.{}}}", variable(name));
            of_environment.insert(name.clone(), placeholder);
        }
    }
    variables.retain(|name, value| {
        let kept = named.contains(name) && !of_environment.contains_key(name);
        kept && !(extracted.contains(name) && (is_secret(name) || value.as_str() == Some("")))
    });
    for task in &mut tasks {
        for value in task.values_mut() {
            replace_names(value, &|name| of_environment.get(name).cloned());
        }
    }
    let notes = notices.lines();
    Settled { tests, variables, sources, gates, notes, credentials, renames: false }
}

/// The variables that stand where secrets do.
fn secrets(tasks: &mut [&mut Map], credentials: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let look = |_: &str, value: &str| {
        names_in(&value.into(), &mut |_, name| {
            found.insert(name.to_owned());
        });
        None
    };
    let mut places = Places { credentials, replace: look };
    tasks.iter_mut().for_each(|task| places.visit(task));
    found
}

/// Replaces variables before the path of a URL by their values, where the result has a host.
fn settle_url(task: &mut Map, variables: &Map, is_secret: &dyn Fn(&str) -> bool) {
    let Some(Value::Str(url)) = task.get_mut("request_url") else { return };
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .get(begin..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(url.len(), |at| begin + at);
    let Some((front, rest)) = url.split_at_checked(end) else { return };
    let mut front = Value::from(front);
    replace_names(&mut front, &|name| {
        let value = variables.get(name).map(Value::to_text)?;
        let fits = !value.is_empty() && value.len() <= MAX_URL;
        (fits && !is_secret(name)).then_some(value)
    });
    let Value::Str(mut front) = front else { return };
    // `${var.base}` may end in a slash, and the path begins with one.
    if rest.starts_with('/') {
        front.truncate(front.trim_end_matches('/').len());
    }
    // As in the address bar: a host without a scheme.
    if !front.contains("://") && !front.is_empty() && !front.starts_with("${") {
        front.insert_str(0, "http://");
    }
    *url = format!("{front}{rest}");
}
