//! The tasks of a test as its document writes them, for what looks at documents without reading them.

use crate::value::{Path, Value};

/// The tasks with their paths below the arguments, whichever of the three forms they have: those of
/// `on_start` first.
pub(super) fn tasks(tasks: Option<&Value>) -> Vec<(Path, &Value)> {
    let place = Path::default().member("tasks");
    match tasks {
        Some(Value::Dict(members)) if members.contains_key("tasks") => {
            let mut found = on_start(tasks);
            found.append(&mut listed(place.member("tasks"), members.get("tasks")));
            found
        }
        other => listed(place, other),
    }
}

/// Those of `on_start`.
pub(super) fn on_start(tasks: Option<&Value>) -> Vec<(Path, &Value)> {
    let form = tasks.filter(|tasks| tasks.get("tasks").is_some());
    let place = Path::default().member("tasks").member("on_start");
    listed(place, form.and_then(|form| form.get("on_start")))
}

/// The tasks of a list, or of an object whose keys are methods.
fn listed(place: Path, list: Option<&Value>) -> Vec<(Path, &Value)> {
    match list {
        Some(Value::List(tasks)) => {
            let numbered = tasks.iter().enumerate();
            numbered.map(|(index, task)| (place.element(index), task)).collect()
        }
        Some(Value::Dict(tasks)) => {
            tasks.iter().map(|(key, task)| (place.member(key), task)).collect()
        }
        _ => Vec::new(),
    }
}

/// The key and the text of a task's URL.
pub(super) fn url(task: &Value) -> Option<(&'static str, &str)> {
    ["request_url", "url"].into_iter().find_map(|key| Some((key, task.get(key)?.as_str()?)))
}

/// Whether a task's URL needs a host.
pub(super) fn is_relative(task: &Value) -> bool {
    url(task).is_some_and(|(_, url)| {
        let url = url.trim_start().to_ascii_lowercase();
        !["http://", "https://", "${"].iter().any(|begin| url.starts_with(begin))
    })
}
