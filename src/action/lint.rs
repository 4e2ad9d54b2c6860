//! Likely mistakes in a document as the reference's linter finds them, for the commands
//! `LD_lint_action(_file)`. The rules and their texts are the reference's; what this program finds is
//! in [`check`](mod@super::check).

use std::sync::LazyLock;

use regex::Regex;

use super::command::test_of;
use super::loaddensity;
use super::registry;
use crate::redact;
use crate::value::{Map, Value, quote};

/// The largest body of a task without a finding, in characters.
pub(super) const LARGE_BODY: usize = 1024 * 1024;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The document does not do what it seems to.
    Error,
    /// It does, but should be reviewed.
    Warning,
}

impl Severity {
    /// Its spelling in findings.
    pub fn text(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// What is wrong and what to change.
    pub message: String,
    /// Where: `actions[0].tasks[2].request_url`; empty for the whole document.
    pub location: String,
}

impl Finding {
    fn new(
        rule: &'static str,
        severity: Severity,
        message: impl Into<String>,
        location: impl Into<String>,
    ) -> Self {
        let message = redact::owned(message.into());
        Self { rule, severity, message, location: location.into() }
    }

    /// The finding in the shape of `LD_lint_action`.
    pub fn to_value(&self) -> Value {
        Value::dict([
            ("rule", Value::from(self.rule)),
            ("severity", self.severity.text().into()),
            ("message", self.message.as_str().into()),
            ("location", self.location.as_str().into()),
        ])
    }
}

/// The reference's rules.
pub fn lint(document: &Value) -> Vec<Finding> {
    let none = Vec::new();
    let listed = match document {
        Value::Dict(members) => members.get("load_density").unwrap_or(&Value::Null),
        other => other,
    };
    let actions = match listed {
        Value::List(actions) => actions,
        empty if !empty.is_truthy() => &none,
        _ => {
            let message = "top-level action document must be a list or {'load_density': [...]}";
            return vec![Finding::new("invalid-shape", Severity::Error, message, "")];
        }
    };
    let mut findings = Vec::new();
    for (index, action) in actions.iter().enumerate() {
        lint_one(action, &format!("actions[{index}]"), &mut findings);
    }
    findings
}

fn lint_one(action: &Value, place: &str, findings: &mut Vec<Finding>) {
    let mut shape = |message: &str| {
        findings.push(Finding::new("invalid-shape", Severity::Error, message, place));
    };
    let elements = match action {
        Value::List(elements) if !elements.is_empty() => elements,
        _ => return shape("action must be a non-empty list"),
    };
    let Some(Value::Str(name)) = elements.first() else {
        return shape("action name must be a string");
    };
    let is_known =
        || loaddensity::is_command(name) || registry::commands().any(|known| known == name);
    if name.starts_with("LD_") && !is_known() {
        let message = format!(
            "unknown command {}; check spelling or register it via add_command_to_executor",
            quote(name)
        );
        findings.push(Finding::new("unknown-command", Severity::Error, message, place));
    }
    let test = elements.get(1).and_then(|payload| test_of(name, payload));
    if let Some(Value::Dict(arguments)) = test {
        lint_test(arguments, place, findings);
    }
}

fn lint_test(arguments: &Map, place: &str, findings: &mut Vec<Finding>) {
    let tasks = match arguments.get("tasks") {
        None | Some(Value::Null) => {
            let message = "LD_start_test missing 'tasks' key";
            findings.push(Finding::new("missing-tasks", Severity::Error, message, place));
            return;
        }
        Some(Value::Dict(members)) => match members.get("tasks") {
            Some(tasks) => tasks,
            // The old form: tasks by their methods.
            None => {
                for (method, task) in members {
                    lint_task(task, &format!("{place}.tasks.{method}"), findings);
                }
                return;
            }
        },
        Some(tasks) => tasks,
    };
    match tasks {
        Value::List(tasks) => {
            for (index, task) in tasks.iter().enumerate() {
                lint_task(task, &format!("{place}.tasks[{index}]"), findings);
            }
        }
        Value::Dict(tasks) => {
            for (method, task) in tasks {
                lint_task(task, &format!("{place}.tasks.{method}"), findings);
            }
        }
        _ => {}
    }
}

fn lint_task(task: &Value, place: &str, findings: &mut Vec<Finding>) {
    let Value::Dict(task) = task else { return };
    let first = |names: [&str; 2]| {
        names.into_iter().filter_map(|name| task.get(name)).find(|value| value.is_truthy())
    };
    if let Some(Value::Str(url)) = first(["request_url", "url"])
        && is_hard_coded(url)
    {
        let message = format!("hard-coded URL {}; consider ${{var.base}} placeholder", quote(url));
        let location = format!("{place}.request_url");
        findings.push(Finding::new("hardcoded-url", Severity::Warning, message, location));
    }
    if let Some(Value::Str(body)) = first(["data", "json"]) {
        let length = body.chars().count();
        if length > LARGE_BODY {
            let message =
                format!("task body is {length} bytes; consider streaming or a smaller fixture");
            findings.push(Finding::new("oversize-body", Severity::Warning, message, place));
        }
    }
}

/// Whether a URL names its host itself.
pub(super) fn is_hard_coded(url: &str) -> bool {
    static ABSOLUTE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)^https?://").ok());
    static PLACEHOLDER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{[^}]+\}").ok());
    let matches =
        |pattern: &Option<Regex>| pattern.as_ref().is_some_and(|pattern| pattern.is_match(url));
    matches(&ABSOLUTE) && !matches(&PLACEHOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lint(json: &str, findings: &str) {
        let found = lint(&Value::parse(json).expect("JSON"));
        let found = Value::List(found.iter().map(Finding::to_value).collect());
        assert_eq!(found.to_text(), findings, "{json}");
    }

    #[test]
    fn findings_equal_those_of_the_reference() {
        check_lint(r#"[["LD_clear_records"], ["print", [1]]]"#, "[]");
        check_lint("null", "[]");
        check_lint(
            r#"[["LD_nope", {}]]"#,
            "[{'rule': 'unknown-command', 'severity': 'error', 'message': \"unknown command \
             'LD_nope'; check spelling or register it via add_command_to_executor\", 'location': \
             'actions[0]'}]",
        );
        let shape = |message: &str, place: &str| {
            format!(
                "[{{'rule': 'invalid-shape', 'severity': 'error', 'message': {}, 'location': \
                 '{place}'}}]",
                quote(message)
            )
        };
        check_lint(r#"[[]]"#, &shape("action must be a non-empty list", "actions[0]"));
        check_lint(
            r#"{"load_density": [[7]]}"#,
            &shape("action name must be a string", "actions[0]"),
        );
        check_lint(
            "\"x\"",
            &shape("top-level action document must be a list or {'load_density': [...]}", ""),
        );
    }

    #[test]
    fn tasks_are_checked_in_all_their_forms() {
        let urls = |tasks: &str| {
            let json = format!(r#"[["LD_start_test", {{"tasks": {tasks}}}]]"#);
            lint(&Value::parse(&json).expect("JSON"))
                .into_iter()
                .filter(|finding| finding.rule == "hardcoded-url")
                .map(|finding| finding.location)
                .collect::<Vec<_>>()
        };
        let url = r#"{"request_url": "HTTP://x/"}"#;
        assert_eq!(urls(&format!("[{{}}, {url}]")), ["actions[0].tasks[1].request_url"]);
        assert_eq!(urls(&format!(r#"{{"tasks": [{url}]}}"#)), ["actions[0].tasks[0].request_url"]);
        assert_eq!(urls(&format!(r#"{{"get": {url}}}"#)), ["actions[0].tasks.get.request_url"]);
        assert!(urls(r#"[{"url": "http://${var.base}/"}, {"url": "/x"}]"#).is_empty());
    }

    #[test]
    fn a_large_body_is_reported() {
        let body = "x".repeat(LARGE_BODY + 1);
        let json = format!(r#"[["LD_start_test", {{"tasks": [{{"data": "{body}"}}]}}]]"#);
        let findings = lint(&Value::parse(&json).expect("JSON"));
        let reported = findings.iter().find(|finding| finding.rule == "oversize-body");
        assert_eq!(
            reported.map(|finding| finding.message.as_str()),
            Some("task body is 1048577 bytes; consider streaming or a smaller fixture")
        );
    }
}
