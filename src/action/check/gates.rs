//! Gates that cannot be judged, and so fail whatever a test measures.

use std::collections::HashSet;

use super::finding::{Finding, Place};
use super::rule::{BROKEN_GATE, MISSING_MEMBER, NO_GATES, Rule, UNKNOWN_MEMBER, USELESS_GATE};
use crate::action::command::FIND_BREAKING_POINT;
use crate::action::lint::Severity;
use crate::record::gates::{NAMES, OPS, RULE};
use crate::redact;
use crate::value::field::{alternatives, nearest};
use crate::value::{Field, Value};

/// The commands over gates alone, of which the second fails.
pub(super) const EVALUATE: &str = "LD_evaluate_sla";
pub(super) const ASSERT: &str = "LD_assert_sla";

/// The figures that are shares, from 0 to 1.
const SHARES: [&str; 2] = ["failure_rate", "dropped_rate"];

/// The names that requests of a document's tests are recorded under.
#[derive(Debug, Default)]
pub(super) struct RequestNames {
    names: HashSet<String>,
    /// Whether there may be others, from placeholders and from other documents.
    pub(super) others: bool,
}

impl RequestNames {
    /// None, unless there may be others.
    pub(super) fn unless(others: bool) -> Self {
        Self { others, ..Self::default() }
    }

    /// Adds a name as a document writes it.
    pub(super) fn add(&mut self, name: &str) {
        self.others |= name.contains("${");
        self.names.insert(redact::url(name).into_owned());
    }

    /// Adds all of others.
    pub(super) fn add_all(&mut self, others: Self) {
        self.others |= others.others;
        self.names.extend(others.names);
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether no request can have a name.
    fn lacks(&self, name: &str) -> bool {
        !self.others && !self.names.is_empty() && !self.names.contains(&*redact::url(name))
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        let close = nearest(name, self.names.iter().map(String::as_str));
        close.or_else(|| {
            self.names.iter().map(String::as_str).min().filter(|_| self.names.len() == 1)
        })
    }
}

/// What is wrong with the gates of a command. `names` are those of the requests that they may name.
pub(super) fn gates(
    command: &str,
    rules: &Value,
    place: &Place,
    names: Option<&RequestNames>,
) -> Vec<Finding> {
    // Elsewhere a gate that fails is shown, and nothing else fails.
    let severity = match command {
        ASSERT | FIND_BREAKING_POINT => Severity::Error,
        _ => Severity::Warning,
    };
    let mut found = Vec::new();
    let Value::List(rules) = rules else {
        // A search also takes a single one.
        if command == FIND_BREAKING_POINT && matches!(rules, Value::Dict(_)) {
            misdirected(rules, place, severity, names, &mut found);
        }
        return found;
    };
    if rules.is_empty() && [ASSERT, EVALUATE].contains(&command) {
        let message = "there are no gates, so this always passes";
        return vec![Finding::new(NO_GATES, Severity::Warning, message, place.clone())];
    }
    for (index, rule) in rules.iter().enumerate() {
        if matches!(rule, Value::Dict(_)) {
            let place = place.element(index);
            // A search refuses one that nothing can be judged by.
            if command != FIND_BREAKING_POINT {
                unusable(rule, &place, severity, &mut found);
            }
            misdirected(rule, &place, severity, names, &mut found);
        }
    }
    found
}

/// A gate that does not hold whatever was measured.
fn broken(rule: &'static Rule, severity: Severity, mut message: String, place: Place) -> Finding {
    if severity == Severity::Warning {
        message.push_str("; the gate counts as failed");
    }
    Finding::new(rule, severity, message, place)
}

/// What makes a rule no gate.
fn unusable(rule: &Value, place: &Place, severity: Severity, found: &mut Vec<Finding>) {
    let mut broken = |rule, message, place| found.push(broken(rule, severity, message, place));
    let kind = rule.get("type").map(Value::to_text);
    match &kind {
        None => broken(MISSING_MEMBER, "missing \"type\"".to_owned(), place.clone()),
        Some(kind) if !NAMES.contains(&kind.as_str()) => {
            let message = format!("unknown figure {kind:?}{}", alternatives(kind, &NAMES));
            broken(BROKEN_GATE, message, place.member("type"));
        }
        Some(_) => {}
    }
    if let Some(op) = rule.get("op").map(Value::to_text)
        && !OPS.contains(&op.to_lowercase().as_str())
    {
        let sign = [("<", "lt"), ("<=", "lte"), (">", "gt"), (">=", "gte")];
        let hint = match sign.iter().find(|(sign, _)| *sign == op) {
            Some((_, meant)) => format!("; did you mean {meant:?}? expected lt, lte, gt or gte"),
            None => alternatives(&op, &OPS),
        };
        broken(BROKEN_GATE, format!("unknown op {op:?}{hint}"), place.member("op"));
    }
    if rule.get("value").is_none_or(|value| matches!(value, Value::Null)) {
        broken(MISSING_MEMBER, "missing \"value\"".to_owned(), place.clone());
    }
    if name(rule).is_none() && kind.as_deref() == Some("latency_mean") {
        let message = "latency_mean is known of names only; add a \"name\"";
        broken(BROKEN_GATE, message.to_owned(), place.clone());
    }
}

/// The name of the requests that a gate is about, if it is about one.
fn name(rule: &Value) -> Option<String> {
    let name = rule.get("name").filter(|name| !matches!(name, Value::Null));
    name.map(Value::to_text).filter(|name| !name.is_empty())
}

/// What makes a gate another one than was meant.
fn misdirected(
    rule: &Value,
    place: &Place,
    severity: Severity,
    names: Option<&RequestNames>,
    found: &mut Vec<Finding>,
) {
    let (kind, name) = (rule.get("type").map(Value::to_text), name(rule));
    if let (Some(name), Some(names)) = (&name, names)
        && names.lacks(name)
    {
        let meant = names.nearest(name).map(|meant| format!("; did you mean {meant:?}?"));
        let message = format!("no task has the name {name:?}{}", meant.unwrap_or_default());
        found.push(broken(BROKEN_GATE, severity, message, place.member("name")));
    }
    if let Some(kind) = kind.as_deref().filter(|kind| SHARES.contains(kind))
        && let Some(most) = rule.get("value").and_then(number).filter(|most| *most >= 1.0)
        && rule.get("op").is_none_or(|op| op.to_text().to_ascii_lowercase().starts_with("lt"))
    {
        let message =
            format!("{kind} is a share: {most} is {} %; write 0.01 for 1 %", most * 100.0);
        found.push(Finding::new(USELESS_GATE, Severity::Warning, message, place.member("value")));
    }
    let Value::Dict(members) = rule else { return };
    let known = || RULE.iter().flat_map(Field::keys);
    for key in members.keys().filter(|key| known().all(|known| known != key.as_str())) {
        let meant = nearest(key, known()).map(|name| format!("; did you mean {name:?}?"));
        let message = format!("{key:?} has no effect{}", meant.unwrap_or_default());
        let place = place.member(key).key();
        found.push(Finding::new(UNKNOWN_MEMBER, Severity::Warning, message, place));
    }
}

/// A number, which may be written as a text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}
