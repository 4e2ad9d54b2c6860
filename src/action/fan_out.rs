//! What a server runs of a document whose test several servers make together: the tests, as workers,
//! and what they take from earlier actions. Figures, reports and gates are the master's.

use super::command::START_TEST;
use super::listed::listed_mut;
use super::overrides::named;
use crate::value::{Map, Value};

/// Commands that tests take something from.
const BEFORE_TESTS: [&str; 7] = [
    "LD_clear_records",
    "LD_clear_resolver",
    "LD_register_csv_source",
    "LD_register_csv_sources",
    "LD_register_variable",
    "LD_register_variables",
    START_TEST,
];

/// Arguments of a test that are the master's.
const OF_MASTERS: [&str; 13] = [
    "abort_on",
    "expected_workers",
    "load_shape",
    "master_bind_host",
    "master_bind_port",
    "shape_config",
    "spawn_rate",
    "test_time",
    "user_count",
    "worker_heartbeat_interval",
    "worker_lost_timeout",
    "worker_startup_policy",
    "worker_startup_timeout",
];

/// One of several servers, and its master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// Where the master is.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
}

/// Makes a document that of a worker, which uses only its share of the rows of CSV sources. Fails with
/// the place and the reason where that is not possible.
pub fn fan_out(document: &mut Value, share: Share<'_>) -> Result<(), String> {
    let Some(actions) = listed_mut(document) else { return Ok(()) };
    for (index, action) in actions.iter_mut().enumerate() {
        let Value::List(elements) = action else { continue };
        let [Value::Str(command), arguments, ..] = elements.as_mut_slice() else { continue };
        let refused = |what: &str| Err(format!("actions[{index}]: {what}"));
        match command.as_str() {
            START_TEST => {
                let Some(arguments) = named(START_TEST, arguments) else { continue };
                test(arguments, share);
            }
            "LD_register_csv_source" => {
                if let Some(source) = named("LD_register_csv_source", arguments) {
                    part(source, share);
                }
            }
            "LD_register_csv_sources" => {
                let sources = named("LD_register_csv_sources", arguments);
                if let Some(list) = sources.and_then(|given| given.get_mut("sources")) {
                    parts(list, share);
                }
            }
            "LD_execute_action" | "LD_execute_files" => {
                return refused("documents inside a document cannot be fanned out");
            }
            _ => {}
        }
    }
    actions.retain(|action| match action {
        Value::List(elements) => elements
            .first()
            .and_then(Value::as_str)
            .is_some_and(|command| BEFORE_TESTS.contains(&command)),
        _ => true,
    });
    Ok(())
}

fn test(arguments: &mut Map, share: Share<'_>) {
    for name in OF_MASTERS {
        arguments.shift_remove(name);
    }
    if let Some(sources) = arguments.get_mut("csv_sources") {
        parts(sources, share);
    }
    let port = Value::from(i64::from(share.port));
    let mode = [
        ("runner_mode", "worker".into()),
        ("master_host", share.host.into()),
        ("master_port", port),
    ];
    arguments.extend(mode.map(|(name, value): (&str, Value)| (name.to_owned(), value)));
}

fn parts(sources: &mut Value, share: Share<'_>) {
    let Value::List(sources) = sources else { return };
    for source in sources {
        if let Value::Dict(source) = source {
            part(source, share);
        }
    }
}

/// A part that the document has chosen stays.
fn part(source: &mut Map, share: Share<'_>) {
    let number = |number: usize| Value::from(number as u64);
    let part = Value::dict([("number", number(share.number)), ("of", number(share.of))]);
    source.entry("part".to_owned()).or_insert(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fanned(json: &str) -> Result<String, String> {
        let mut document = Value::parse(json).expect("JSON");
        let share = Share { number: 2, of: 3, host: "10.0.0.5", port: 5557 };
        fan_out(&mut document, share)?;
        Ok(serde_json::to_string(&document).expect("JSON"))
    }

    #[test]
    fn a_server_runs_the_tests_as_a_worker_with_its_part_of_the_rows() {
        let document = r#"{"load_density": [
            ["LD_register_csv_source", ["users", "users.csv"]],
            ["LD_start_test", {"user_detail_dict": {}, "user_count": 9, "abort_on": [], "tasks": [],
                "csv_sources": [{"name": "a", "file_path": "a.csv"},
                    {"name": "b", "file_path": "b.csv", "part": {"number": 1, "of": 1}}]}],
            ["LD_summary"], ["LD_assert_sla", {"rules": []}], ["LD_generate_html_report", {}]]}"#;
        let want = r#"{"load_density":[["LD_register_csv_source",{"name":"users","file_path":"users.csv","part":{"number":2,"of":3}}],["LD_start_test",{"user_detail_dict":{},"tasks":[],"csv_sources":[{"name":"a","file_path":"a.csv","part":{"number":2,"of":3}},{"name":"b","file_path":"b.csv","part":{"number":1,"of":1}}],"runner_mode":"worker","master_host":"10.0.0.5","master_port":5557}]]}"#;
        assert_eq!(fanned(document).as_deref(), Ok(want));
        let nested = fanned(r#"[["LD_execute_files", {"file_list": ["a.json"]}]]"#);
        assert_eq!(
            nested,
            Err("actions[0]: documents inside a document cannot be fanned out".to_owned())
        );
    }
}
