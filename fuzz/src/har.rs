//! Browser recordings: whatever one holds, it becomes tasks without what belongs to a connection, at
//! most one per entry, in a document that the lint accepts.

use std::cell::LazyCell;

use ldctl::action::{Document, Executor, Policy};
use ldctl::event::{ActionResult, Event};
use ldctl::value::Value;
use tokio_util::sync::CancellationToken;

use super::support::one_line;

/// Headers that no task may carry.
const CONNECTION_HEADERS: [&str; 3] = ["host", "content-length", "connection"];

/// A HAR document as JSON; beside `log` it may hold `include` and `exclude`.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(har) = Value::parse(text) else { return };
    let mut arguments = vec![("har", har.clone())];
    for name in ["include", "exclude"] {
        arguments.extend(member(&har, name).map(|patterns| (name, patterns.clone())));
    }
    let arguments =
        Value::Dict(arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let entries = match member(&har, "log").and_then(|log| member(log, "entries")) {
        Some(Value::List(entries)) => entries.len(),
        _ => 0,
    };
    let action = |command: &str| Value::List(vec![command.into(), arguments.clone()]);
    let document = vec![action("LD_har_to_tasks"), action("LD_har_to_action_json")];
    let results = executed(Value::List(document));
    let [tasks, document] = results.as_slice() else { panic!("{} results", results.len()) };
    one_line(&tasks.error.as_ref().map(|failure| failure.to_python()).unwrap_or_default());
    assert_eq!(tasks.ok, document.ok);
    let Some(Value::List(tasks)) = &tasks.value else {
        assert!(!tasks.ok);
        return;
    };
    assert!(tasks.len() <= entries, "more tasks than entries");
    tasks.iter().for_each(plain);
    let document = document.value.as_ref().expect("a document");
    let steps = member(document, "load_density").and_then(|actions| match actions {
        Value::List(actions) => actions.first(),
        _ => None,
    });
    let Some(Value::List(start)) = steps else { panic!("{document:?}") };
    let steps = start.get(1).and_then(|arguments| member(arguments, "tasks"));
    let steps = steps.and_then(|steps| member(steps, "tasks"));
    assert_eq!(steps, Some(&Value::List(tasks.clone())));
    assert!(Document::parse(document.clone()).is_ok());
}

/// A task of a recording.
fn plain(task: &Value) {
    for name in ["method", "request_url"] {
        assert!(member(task, name).and_then(Value::as_str).is_some_and(|text| !text.is_empty()));
    }
    if let Some(Value::Dict(headers)) = member(task, "headers") {
        for name in headers.keys() {
            let lower = name.to_lowercase();
            assert!(!CONNECTION_HEADERS.contains(&&*lower) && !name.is_empty(), "{name:?}");
        }
    }
}

fn executed(document: Value) -> Vec<ActionResult> {
    thread_local! {
        static EXECUTOR: LazyCell<Executor> = LazyCell::new(|| {
            let policy = Policy::inside(std::env::temp_dir());
            Executor::new(policy).expect("a data directory")
        });
    }
    let mut results = Vec::new();
    let mut sink = |event| {
        if let Event::Result(result) = event {
            results.push(result);
        }
    };
    let document = Document::parse(document).expect("two actions");
    EXECUTOR.with(|executor| executor.execute(document, &mut sink, &CancellationToken::new()));
    results
}

fn member<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Dict(members) => members.get(key),
        _ => None,
    }
}
