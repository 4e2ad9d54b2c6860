//! Scripts of a collection, as far as their usual lines go: an expected status becomes an assertion, and
//! a variable that is set from the response an extractor. Everything else is listed.

use std::sync::LazyLock;

use regex::Regex;

use super::super::lookup::{elements, list, text};
use super::super::status_assertion;
use super::super::steps::steps;
use super::{Checks, Reader};
use crate::value::Value;

/// An expected status.
static STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?:to\.have\.status\(\s*|(?:pm\.response\.code|responseCode\.code)\s*(?:\)\s*\.to\.(?:be\.)?(?:eql|equal|equals|eq)\(\s*|={2,3}\s*))(\d{3})",
    )
    .ok()
});

/// A name for the body of the response.
static BODY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:var|let|const)\s+(\w+)\s*=\s*(?:pm\.response\.json\(\)|JSON\.parse\(\s*responseBody\s*\))\s*;?\s*(?:$|\n)").ok()
});

/// A variable that is set.
static SET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?:pm\.(?:environment|collectionVariables|globals|variables)\.set|postman\.set(?:Environment|Global)Variable)\(\s*["']([^"']+)["']\s*,\s*([^;\n]+?)\s*\)\s*;?\s*(?:$|\n)"#,
    )
    .ok()
});

/// The most checks of a script.
const MAX_CHECKS: usize = 100;

impl Reader {
    /// The scripts of an item or of a folder around it.
    pub(super) fn scripts(&mut self, place: &Value) -> Checks {
        let mut checks = Checks::default();
        for event in list(place, "event") {
            let script = event.get("script").map(source).unwrap_or_default();
            let lines = script.lines().map(str::trim);
            let code: Vec<&str> =
                lines.filter(|line| !line.is_empty() && !line.starts_with("//")).collect();
            if code.is_empty() {
                continue;
            }
            let code = code.join("\n");
            if text(event, "listen") == Some("test") {
                self.test(&code, &mut checks);
            } else {
                self.import.notices.leave_out("script before a request");
            }
        }
        checks
    }

    fn test(&mut self, code: &str, checks: &mut Checks) {
        let mut known = 0;
        let statuses = STATUS.iter().flat_map(|pattern| pattern.captures_iter(code));
        let statuses = statuses.filter_map(|found| found.get(1)?.as_str().parse::<i64>().ok());
        for status in statuses.take(MAX_CHECKS) {
            known += 1;
            checks.assertions.push(status_assertion(status));
        }
        let bodies: Vec<&str> = BODY
            .iter()
            .flat_map(|pattern| pattern.captures_iter(code))
            .filter_map(|found| Some(found.get(1)?.as_str()))
            .take(MAX_CHECKS)
            .collect();
        let sets = SET.iter().flat_map(|pattern| pattern.captures_iter(code));
        for found in sets.take(MAX_CHECKS) {
            let (Some(name), Some(value)) = (found.get(1), found.get(2)) else { continue };
            match extractor(name.as_str(), value.as_str(), &bodies) {
                Some(extractor) => {
                    known += 1;
                    checks.extractors.push(extractor);
                }
                None => self.import.notices.note("variables that scripts compute", name.as_str()),
            }
        }
        // A line of its own for each `pm.test` and each statement in it would promise too much.
        let written = ["pm.expect", "pm.response.to", "tests["];
        let written: usize = written.iter().map(|check| code.matches(check).count()).sum();
        if known == 0 || written > known {
            self.import.notices.leave_out("script after a request (or checks in it)");
        }
    }
}

/// The text of a script: one, or a line each.
fn source(script: &Value) -> String {
    match script.get("exec") {
        Some(Value::Str(code)) => code.clone(),
        Some(lines) => {
            let lines: Vec<&str> = elements(lines).iter().filter_map(Value::as_str).collect();
            lines.join("\n")
        }
        None => String::new(),
    }
}

/// An extractor of what a variable is set to.
fn extractor(name: &str, value: &str, bodies: &[&str]) -> Option<Value> {
    let header =
        value.strip_prefix("pm.response.headers.get(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(header) = header {
        let header = header.trim().trim_matches(['"', '\'']);
        return Some(Value::dict([
            ("var", Value::from(name)),
            ("from", "header".into()),
            ("name", header.into()),
        ]));
    }
    let direct = value.strip_prefix("pm.response.json()");
    let named = || bodies.iter().find_map(|body| value.strip_prefix(body));
    let path = steps(direct.or_else(named)?)?;
    Some(Value::dict([("var", Value::from(name)), ("path", path.into())]))
}
