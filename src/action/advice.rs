//! What a document will probably not do as it was meant, seen before it runs: placeholders that nothing
//! fills, a host that is missing, gates over the figures of other tests. Warnings of this program
//! alone; the reference's rules are those of [`lint`](mod@super::lint).

use std::collections::{HashMap, HashSet};

use super::command::START_TEST;
use super::document::listed;
use super::lint::{Finding, Severity};
use crate::load::template::{Reference, Space, references};
use crate::report::FORMATS;
use crate::value::field::nearest;
use crate::value::{Map, Value};

/// The rule of gates and reports over records that were not cleared.
pub const STALE_RECORDS: &str = "stale-records";

/// Warnings that are reported; further ones are dropped.
const MOST: usize = 100;

/// Members of `user_detail_dict` that count.
const USER_MEMBERS: [&str; 3] = ["user", "host", "base_url"];

/// The gates over what was recorded.
const GATES: [&str; 2] = ["LD_assert_sla", "LD_evaluate_sla"];

/// Whether a command judges or reports what was recorded.
fn is_over_records(command: &str) -> bool {
    GATES.contains(&command) || FORMATS.iter().any(|format| format.command == command)
}

/// The warnings about a document. `columns` returns the columns of a CSV file, where it can be read.
pub fn advise(document: &Value, columns: &dyn Fn(&str) -> Option<Vec<String>>) -> Vec<Finding> {
    let mut advisor = Advisor {
        columns,
        variables: HashSet::new(),
        sources: HashMap::new(),
        opaque: false,
        cleared: false,
        tested: false,
        findings: Vec::new(),
    };
    for (index, action) in listed(document).iter().enumerate() {
        if let Value::List(elements) = action
            && let Some(Value::Str(command)) = elements.first()
        {
            let given = Given(elements.get(1));
            advisor.action(command, &given, &format!("actions[{index}]"));
        }
    }
    advisor.findings.truncate(MOST);
    advisor.findings
}

/// The arguments of an action, by name or by position.
struct Given<'a>(Option<&'a Value>);

impl<'a> Given<'a> {
    fn argument(&self, name: &str, position: usize) -> Option<&'a Value> {
        match self.0? {
            Value::Dict(members) => members.get(name),
            Value::List(values) => values.get(position),
            _ => None,
        }
    }

    fn text(&self, name: &str, position: usize) -> Option<&'a str> {
        self.argument(name, position)?.as_str()
    }
}

struct Advisor<'a> {
    columns: &'a dyn Fn(&str) -> Option<Vec<String>>,
    /// Variables that something has registered.
    variables: HashSet<String>,
    /// CSV sources with their columns, where those are known.
    sources: HashMap<String, Option<Vec<String>>>,
    /// Whether other documents have run, which may have registered anything.
    opaque: bool,
    cleared: bool,
    tested: bool,
    findings: Vec<Finding>,
}

impl Advisor<'_> {
    fn warn(&mut self, rule: &'static str, place: &str, message: String) {
        let (severity, location) = (Severity::Warning, place.to_owned());
        self.findings.push(Finding { rule, severity, message, location });
    }

    fn action(&mut self, command: &str, given: &Given<'_>, place: &str) {
        match command {
            "LD_register_variable" => {
                self.variables.extend(given.text("name", 0).map(str::to_owned));
            }
            "LD_register_variables" => self.register(given.argument("variables", 0)),
            "LD_register_csv_source" => {
                self.source(given.text("name", 0), given.text("file_path", 1));
            }
            "LD_register_csv_sources" => self.register_sources(given.argument("sources", 0)),
            "LD_clear_resolver" => {
                self.variables.clear();
                self.sources.clear();
                self.opaque = false;
            }
            // They may do anything that actions do.
            "LD_execute_files" | "LD_execute_action" => {
                self.opaque = true;
                self.cleared = true;
            }
            "LD_clear_records" => self.cleared = true,
            START_TEST => {
                if let Some(Value::Dict(arguments)) = given.0 {
                    self.test(arguments, place);
                }
                self.tested = true;
            }
            _ if is_over_records(command)
                && self.tested
                && !self.cleared
                && given.argument("summary", 1).is_none() =>
            {
                let message = "counts every test since the last LD_clear_records, those of other \
                               documents included; begin with [\"LD_clear_records\"]";
                self.warn(STALE_RECORDS, place, message.to_owned());
                // Once is enough.
                self.cleared = true;
            }
            _ => {}
        }
    }

    fn register(&mut self, variables: Option<&Value>) {
        if let Some(Value::Dict(variables)) = variables {
            self.variables.extend(variables.keys().cloned());
        }
    }

    fn register_sources(&mut self, sources: Option<&Value>) {
        let Some(Value::List(sources)) = sources else { return };
        for source in sources {
            let text = |key| source.get(key).and_then(Value::as_str);
            self.source(text("name"), text("file_path"));
        }
    }

    fn source(&mut self, name: Option<&str>, file: Option<&str>) {
        if let Some(name) = name {
            let columns = file.and_then(|file| (self.columns)(file));
            self.sources.insert(name.to_owned(), columns);
        }
    }

    fn test(&mut self, arguments: &Map, place: &str) {
        self.register(arguments.get("variables"));
        self.register_sources(arguments.get("csv_sources"));
        let detail = arguments.get("user_detail_dict");
        if let Some(Value::Dict(members)) = detail {
            for member in members.keys().filter(|member| !USER_MEMBERS.contains(&member.as_str())) {
                let meant = nearest(member, USER_MEMBERS.into_iter());
                let meant = meant.map(|name| format!("; did you mean {name:?}?"));
                let message = format!("{member:?} has no effect{}", meant.unwrap_or_default());
                self.warn("unknown-member", &format!("{place}.user_detail_dict"), message);
            }
        }
        let tasks = tasks(arguments.get("tasks"), place);
        let given = |key: &str| {
            let value = arguments.get(key).or_else(|| detail.and_then(|detail| detail.get(key)));
            value.is_some_and(|value| !matches!(value, Value::Null))
        };
        let user = detail.and_then(|detail| detail.get("user")).and_then(Value::as_str);
        if user.is_none_or(|user| user.ends_with("http_user"))
            && !given("host")
            && !given("base_url")
            && let Some((task, _)) = tasks.iter().find(|(_, task)| is_relative(task))
        {
            let message = "no \"host\" is given: relative URLs go to http://localhost";
            self.warn("missing-host", task, message.to_owned());
        }
        let extracted: HashSet<(Space, &str)> =
            tasks.iter().flat_map(|(_, task)| extracted(task)).collect();
        for (place, task) in &tasks {
            self.texts(task, place, &extracted);
        }
    }

    /// Looks at every text in a task.
    fn texts(&mut self, value: &Value, place: &str, extracted: &HashSet<(Space, &str)>) {
        match value {
            Value::Str(text) => {
                for (written, reference) in references(text) {
                    if let Some(reason) = self.unresolved(&reference, extracted) {
                        let message = format!("{written} is used as it is written: {reason}");
                        self.warn("unresolved-placeholder", place, message);
                    }
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.texts(item, &format!("{place}[{index}]"), extracted);
                }
            }
            Value::Dict(members) => {
                for (key, member) in members {
                    self.texts(member, &format!("{place}.{key}"), extracted);
                }
            }
            _ => {}
        }
    }

    /// Why a placeholder will have no value, if that is known.
    fn unresolved(
        &self,
        reference: &Reference<'_>,
        extracted: &HashSet<(Space, &str)>,
    ) -> Option<String> {
        match reference {
            Reference::Unknown => Some("no placeholder has this form".to_owned()),
            Reference::Variable(space, name) => {
                let registered =
                    *space == Space::Var && (self.opaque || self.variables.contains(*name));
                (!registered && !extracted.contains(&(*space, *name)))
                    .then(|| format!("nothing here registers or extracts {name:?}"))
            }
            Reference::Column { source, column } => match self.sources.get(*source) {
                None => (!self.opaque)
                    .then(|| format!("nothing here registers the CSV source {source:?}")),
                Some(Some(columns)) if columns.iter().all(|known| known != column) => {
                    let separated = columns.len() == 1 && columns.iter().any(|c| c.contains(';'));
                    let hint = if separated { " (columns are separated by commas)" } else { "" };
                    let columns = columns.join(", ");
                    Some(format!("the CSV source {source:?} has the columns {columns}{hint}"))
                }
                Some(_) => None,
            },
            Reference::Environment(_) | Reference::Generated(_) => None,
        }
    }
}

/// The tasks of a test with their places, whichever of the three forms they have.
pub(super) fn tasks<'a>(tasks: Option<&'a Value>, place: &str) -> Vec<(String, &'a Value)> {
    let list = match tasks {
        Some(Value::Dict(members)) if members.contains_key("tasks") => members.get("tasks"),
        other => other,
    };
    match list {
        Some(Value::List(tasks)) => {
            let numbered = tasks.iter().enumerate();
            numbered.map(|(index, task)| (format!("{place}.tasks[{index}]"), task)).collect()
        }
        Some(Value::Dict(tasks)) => {
            tasks.iter().map(|(key, task)| (format!("{place}.tasks.{key}"), task)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a task's URL needs a host.
pub(super) fn is_relative(task: &Value) -> bool {
    let url = ["request_url", "url"].into_iter().find_map(|key| task.get(key)?.as_str());
    url.is_some_and(|url| {
        let url = url.trim_start().to_ascii_lowercase();
        !["http://", "https://", "${"].iter().any(|begin| url.starts_with(begin))
    })
}

/// The variables that a task takes out of its response.
fn extracted(task: &Value) -> Vec<(Space, &str)> {
    let Some(Value::List(extractors)) = task.get("extract") else { return Vec::new() };
    let extractors = extractors.iter().filter_map(|extractor| {
        let session = extractor.get("scope").and_then(Value::as_str) == Some("session");
        let space = if session { Space::Session } else { Space::Var };
        Some((space, extractor.get("var")?.as_str()?))
    });
    extractors.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(document: &str) -> Vec<String> {
        let document = Value::parse(document).expect("JSON");
        let columns = |file: &str| match file {
            "users.csv" => Some(vec!["name".to_owned(), "password".to_owned()]),
            "semicolons.csv" => Some(vec!["name;password".to_owned()]),
            _ => None,
        };
        let findings = advise(&document, &columns).into_iter();
        findings
            .map(|found| format!("{}: {} [{}]", found.location, found.message, found.rule))
            .collect()
    }

    /// The advice on a test with these members beside its host, after these actions.
    fn of_test(before: &str, members: &str) -> Vec<String> {
        advice(&format!(
            r#"[{before}["LD_start_test", {{"user_detail_dict": {{"host": "http://h"}}, {members}}}]]"#
        ))
    }

    fn check(before: &str, members: &str, expected: &[&str]) {
        assert_eq!(of_test(before, members), expected, "{before} {members}");
    }

    #[test]
    fn a_placeholder_that_nothing_fills_is_found_before_the_test_runs() {
        let task =
            |text: &str| format!(r#""tasks": [{{"url": "/", "json": {{"a": ["{text}"]}}}}]"#);
        for (text, reason) in [
            ("${users.name}", "no placeholder has this form"),
            ("${randint(5, 1)}", "no placeholder has this form"),
            ("${token}", "nothing here registers or extracts \"token\""),
            ("${session.id}", "nothing here registers or extracts \"id\""),
            ("${csv.u.name}", "nothing here registers the CSV source \"u\""),
        ] {
            let warning = format!(
                "actions[0].tasks[0].json.a[0]: {text} is used as it is written: {reason} \
                 [unresolved-placeholder]"
            );
            check("", &task(text), &[&warning]);
        }
        for text in ["${uuid()}", "${env.X}", "${faker.name}", "plain $x"] {
            check("", &task(text), &[]);
        }
    }

    #[test]
    fn every_gate_and_report_over_uncleared_records_is_found() {
        let test = r#"["LD_start_test", {"user_detail_dict": {"host": "http://h"}, "tasks": [{"url": "/"}]}]"#;
        let formats = FORMATS.iter().map(|format| format.command);
        for command in formats.chain(GATES) {
            let stale = |before: &str| {
                let found = advice(&format!(r#"[{before}{test}, ["{command}", {{}}]]"#));
                found.iter().any(|found| found.ends_with("[stale-records]"))
            };
            assert!(stale(""), "{command}");
            assert!(!stale(r#"["LD_clear_records"], "#), "{command}");
        }
        assert_eq!(advice(&format!(r#"[{test}, ["LD_summary"]]"#)), [""; 0]);
    }

    #[test]
    fn what_is_registered_or_extracted_is_a_value() {
        let used = r#""tasks": [{"url": "/${id}", "extract": [{"var": "id", "path": "a"},
            {"var": "s", "scope": "session", "path": "b"}]}, {"url": "/${session.s}"}]"#;
        check("", used, &[]);
        let used = r#""tasks": {"get": {"url": "/${a}${var.b}${csv.u.name}"}}"#;
        for before in [
            r#"["LD_register_variable", ["a", 1]], ["LD_register_variables", {"variables": {"b": 1}}],
               ["LD_register_csv_source", {"name": "u", "file_path": "users.csv"}],"#,
            r#"["LD_execute_files", [["setup.json"]]],"#,
        ] {
            check(before, used, &[]);
        }
        let members = format!(
            r#""variables": {{"a": 1, "b": 2}}, "csv_sources": [{{"name": "u", "file_path": "x"}}], {used}"#
        );
        check("", &members, &[]);
    }

    #[test]
    fn a_column_that_the_file_lacks_is_found_with_those_that_it_has() {
        for (file, reason) in [
            ("users.csv", "the CSV source \"u\" has the columns name, password"),
            (
                "semicolons.csv",
                "the CSV source \"u\" has the columns name;password (columns are separated by commas)",
            ),
        ] {
            let members = format!(
                r#""csv_sources": [{{"name": "u", "file_path": "{file}"}}],
                   "tasks": [{{"url": "/${{csv.u.pasword}}"}}]"#
            );
            let warning = format!(
                "actions[0].tasks[0].url: ${{csv.u.pasword}} is used as it is written: {reason} \
                 [unresolved-placeholder]"
            );
            check("", &members, &[&warning]);
        }
    }

    #[test]
    fn a_missing_or_misspelt_host_is_found() {
        let test = |detail: &str, url: &str| {
            advice(&format!(
                r#"[["LD_start_test", {{"user_detail_dict": {detail}, "tasks": [{{"url": "{url}"}}]}}]]"#
            ))
        };
        let missing = "actions[0].tasks[0]: no \"host\" is given: relative URLs go to \
                       http://localhost [missing-host]";
        assert_eq!(test("{}", "/x"), [missing]);
        let misspelt = "actions[0].user_detail_dict: \"hots\" has no effect; did you mean \
                        \"host\"? [unknown-member]";
        assert_eq!(test(r#"{"hots": "http://h"}"#, "/x"), [misspelt, missing]);
        for (detail, url) in [
            (r#"{"host": "http://h"}"#, "/x"),
            (r#"{"base_url": "http://h"}"#, "/x"),
            ("{}", "HTTP://h/x"),
            ("{}", "${env.BASE}/x"),
            (r#"{"user": "socket_user"}"#, "x"),
        ] {
            assert_eq!(test(detail, url), [""; 0], "{detail} {url}");
        }
    }

    #[test]
    fn gates_over_the_records_of_other_tests_are_found_once() {
        let test = r#"["LD_start_test", {"tasks": []}]"#;
        let gate = r#"["LD_assert_sla", {"rules": []}], ["LD_generate_html_report", ["x"]]"#;
        let rules = |document: String| advice(&document).len();
        assert_eq!(rules(format!("[{test}, {gate}]")), 1);
        assert_eq!(rules(format!(r#"[["LD_clear_records"], {test}, {gate}]"#)), 0);
        assert_eq!(rules(format!("[{gate}]")), 0, "a report of what others have recorded");
    }
}
