//! The order of keys in documents, so that two documents that do the same differ in what matters only.
//! Nothing is lost: every member stays, those of the document as well.

use super::listed::listed_mut;
use crate::value::{Map, Value};

/// The keys of a task that come first.
const FIRST: [&str; 6] = ["method", "request_url", "url", "name", "weight", "timeout"];

/// Blanks for each level: the default of `LD_format_action_file`.
const INDENT: usize = 2;

/// A document with the keys of its tasks in order. What is no document is returned as it is.
pub fn formatted(mut document: Value) -> Value {
    format(&mut document);
    document
}

/// The text of a document in the one form that ldctl writes, with a line end.
pub fn pretty(document: Value) -> String {
    formatted(document).to_json_lines(INDENT) + "\n"
}

fn format(document: &mut Value) {
    for action in listed_mut(document).into_iter().flatten() {
        let Value::List(elements) = action else { continue };
        let [Value::Str(command), payload] = elements.as_mut_slice() else { continue };
        if command == "LD_execute_action" {
            match payload {
                Value::List(positions) => {
                    positions.iter_mut().take(1).for_each(format);
                }
                Value::Dict(named) => {
                    named.values_mut().for_each(format);
                }
                _ => {}
            }
        }
        let Value::Dict(arguments) = payload else { continue };
        let tasks = match arguments.get_mut("tasks") {
            Some(Value::Dict(mode)) => mode.get_mut("tasks"),
            tasks => tasks,
        };
        let Some(Value::List(tasks)) = tasks else { continue };
        for task in tasks {
            if let Value::Dict(members) = task {
                *members = in_order(std::mem::take(members));
            }
        }
    }
}

fn in_order(mut task: Map) -> Map {
    let mut ordered = Map::with_capacity(task.len());
    for key in FIRST {
        if let Some((key, value)) = task.shift_remove_entry(key) {
            ordered.insert(key, value);
        }
    }
    ordered.extend(task);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, expected: &str) {
        let document = Value::parse(document).expect("JSON");
        let expected = Value::parse(expected).expect("JSON");
        // As text, because equal objects may have their members in another order.
        assert_eq!(formatted(document).to_text(), expected.to_text());
    }

    #[test]
    fn the_keys_of_tasks_are_put_in_order_and_nothing_is_lost() {
        check(
            r#"{"metadata": {"name": "x"}, "load_density": [["LD_start_test", {"tasks": [
                {"json": {"timeout": 1, "method": 2}, "timeout": 5, "name": "n", "method": "get"}, 5],
                "user_detail_dict": {}}], ["LD_summary"]], "$schema": "s"}"#,
            r#"{"metadata": {"name": "x"}, "load_density": [["LD_start_test", {"tasks": [
                {"method": "get", "name": "n", "timeout": 5, "json": {"timeout": 1, "method": 2}}, 5],
                "user_detail_dict": {}}], ["LD_summary"]], "$schema": "s"}"#,
        );
        check(
            r#"[["LD_start_test", {"tasks": {"mode": "sequence", "tasks": [{"url": "/", "method": "get"}]}}]]"#,
            r#"[["LD_start_test", {"tasks": {"mode": "sequence", "tasks": [{"method": "get", "url": "/"}]}}]]"#,
        );
        check(
            r#"[["LD_execute_action", [[["LD_start_test", {"tasks": [{"url": "/", "method": "get"}]}]]]]]"#,
            r#"[["LD_execute_action", [[["LD_start_test", {"tasks": [{"method": "get", "url": "/"}]}]]]]]"#,
        );
        for other in ["null", "5", "{}", "[]", "[[]]", r#"{"load_density": 5}"#, r#"[["x", [1]]]"#]
        {
            check(other, other);
        }
    }
}
