//! The tasks of a test as its document writes them, for what looks at documents without reading them.

use crate::value::{Path, Value};

/// The tasks with their paths below the arguments, whichever of the three forms they have.
pub(super) fn tasks(tasks: Option<&Value>) -> Vec<(Path, &Value)> {
    let place = Path::default().member("tasks");
    let (place, list) = match tasks {
        Some(Value::Dict(members)) if members.contains_key("tasks") => {
            (place.member("tasks"), members.get("tasks"))
        }
        other => (place, other),
    };
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
