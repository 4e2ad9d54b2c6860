//! Everything that is known to be wrong with a document before it runs, in this program's own words:
//! for `ldctl lint`, and for `ldctl run` and `ldctl send`, which refuse what has errors. The reference's
//! linter is [`lint`](mod@super::lint); its findings are part of these.

mod advice;
mod files;
mod finding;
mod gates;
mod refusals;
pub mod rule;
mod surroundings;
#[cfg(test)]
mod tests;

use self::advice::{Advisor, Given};
use self::refusals::refusals;
use self::rule::{INVALID_SHAPE, NOT_A_DOCUMENT, REFUSED, REPEATED_MEMBER, Rule, UNKNOWN_COMMAND};
use super::command::START_TEST;
use super::delegated;
use super::import::{openapi, postman};
use super::lint::Severity;
use super::listed::KEY;
use super::loaddensity;
use super::numbers::{awaited, own_variables};
use super::registry;
use crate::value::field::nearest;
use crate::value::{Value, repeated_members};

pub use finding::{Finding, Place, located};
pub use surroundings::{Environment, Surroundings, Where};

/// The most actions of a document that is checked and run from a file. Each is kept several times.
pub const MOST_ACTIONS: usize = 200_000;

/// Findings that are reported of one document; further ones are dropped.
const MOST: usize = 100;

/// The command that runs a document inside its own.
const EXECUTE_ACTION: &str = "LD_execute_action";

/// What is wrong with a document, and what should be reviewed, in the order of its actions.
pub fn check(document: &Value, around: &Surroundings<'_>) -> Vec<Finding> {
    let actions = match document {
        Value::Dict(members) => members.get(KEY),
        other => Some(other),
    };
    let Some(Value::List(actions)) = actions.filter(|actions| actions.is_truthy()) else {
        let message = not_a_document(document);
        return vec![Finding::new(NOT_A_DOCUMENT, Severity::Error, message, Place::default())];
    };
    let mut check = Check { around, advisor: Advisor::new(around), findings: Vec::new() };
    for (index, action) in actions.iter().enumerate() {
        let place = Place::action(index);
        check.action(action, &place, &place);
        if check.findings.len() >= MOST {
            break;
        }
    }
    check.findings.truncate(MOST);
    check.findings
}

/// The members of a document's text whose names are repeated, of which only the last counts.
pub fn repeated(document: &Value, text: &str) -> Vec<Finding> {
    let repeated = repeated_members(text, MOST).into_iter();
    let found = repeated.map(|(path, position)| {
        let message = "is there already, and the last one counts; take one out";
        let place = Place::of_document(&path, position, document);
        Finding::new(REPEATED_MEMBER, Severity::Warning, message, place)
    });
    found.collect()
}

fn not_a_document(document: &Value) -> String {
    let expected = "expected a list of actions that is not empty, or an object with that list under \
                    \"load_density\"";
    let is_har = document.get("log").is_some_and(|log| log.get("entries").is_some());
    let other = match () {
        () if is_har => Some("a HAR recording"),
        () if openapi::is_openapi(document) => Some("an OpenAPI document"),
        () if postman::is_collection(document) => Some("a Postman collection"),
        () => None,
    };
    if let Some(other) = other {
        return format!("{other} is not a document; `ldctl convert` makes one of it");
    }
    match document {
        Value::Dict(members) => match nearest_key(members.keys()) {
            Some(key) => format!("not a document: {expected}; did you mean that by {key:?}?"),
            None => format!("not a document: {expected}"),
        },
        _ => format!("not a document: {expected}"),
    }
}

fn nearest_key<'a>(mut keys: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    keys.find(|key| *key != KEY && nearest(&key.replace('-', "_"), std::iter::once(KEY)).is_some())
        .map(String::as_str)
}

/// A document that is being checked.
struct Check<'a> {
    around: &'a Surroundings<'a>,
    advisor: Advisor<'a>,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn error(&mut self, rule: &'static Rule, message: impl Into<String>, place: &Place) {
        self.findings.push(Finding::new(rule, Severity::Error, message, place.clone()));
    }

    /// Checks an action; `arguments` is the place of its arguments.
    fn action(&mut self, action: &Value, place: &Place, arguments: &Place) {
        let elements = match action {
            Value::List(elements) => elements.as_slice(),
            other => {
                let message =
                    format!("an action is a list, [name, arguments], not {}", other.kind());
                return self.error(INVALID_SHAPE, message, place);
            }
        };
        let Some(first) = elements.first() else {
            let message = "an action is empty: write [name] or [name, arguments]";
            return self.error(INVALID_SHAPE, message, place);
        };
        let Value::Str(command) = first else {
            let message = format!("the name of a command is a string, not {}", first.kind());
            return self.error(INVALID_SHAPE, message, place);
        };
        let Some(declaration) = registry::find(command) else {
            return self.unknown(command, place);
        };
        if elements.len() > 2 {
            let message =
                "an action has a name and its arguments, [name, arguments], and nothing else";
            self.error(INVALID_SHAPE, message, place);
        }
        let payload = elements.get(1);
        let most = MOST.saturating_sub(self.findings.len());
        for refusal in refusals(declaration, payload, self.around.rules, most) {
            let severity = match self.around.place {
                Where::Server if is_of_reference(command, &refusal.path.to_string(), payload) => {
                    Severity::Warning
                }
                // What it needs may be there.
                Where::Anywhere if refusal.message.contains(delegated::NEEDS) => Severity::Warning,
                _ => Severity::Error,
            };
            let place = match refusal.path.steps() {
                [] => place.clone(),
                steps => steps.iter().fold(arguments.clone(), |place, step| {
                    place.with(place.path().then(step.clone()))
                }),
            };
            let place = if refusal.of_key { place.key() } else { place };
            self.findings.push(Finding::new(refusal.rule, severity, refusal.message, place));
        }
        if let (EXECUTE_ACTION, Some(payload)) = (command.as_str(), payload) {
            self.nested(payload, arguments);
        }
        self.advisor.action(command, &Given(payload), arguments);
        if let Some(payload) = payload {
            let own = own_variables(command, payload);
            for (path, written) in awaited(declaration, payload, self.around.rules) {
                let place = path.steps().iter().fold(arguments.clone(), |place, step| {
                    place.with(place.path().then(step.clone()))
                });
                self.advisor.number(&written, own, &place);
            }
        }
        self.findings.append(&mut self.advisor.take());
    }

    /// Checks the actions of a document inside this one.
    fn nested(&mut self, payload: &Value, arguments: &Place) {
        let (document, place) = match payload {
            Value::Dict(members) => (members.get("action_list"), arguments.member("action_list")),
            Value::List(values) => (values.first(), arguments.member("action_list")),
            _ => return,
        };
        let (actions, place) = match document {
            Some(Value::Dict(members)) => (members.get(KEY), place.member(KEY)),
            actions => (actions, place),
        };
        let Some(Value::List(actions)) = actions else { return };
        for (index, action) in actions.iter().enumerate() {
            let place = place.element(index);
            self.action(action, &place, &place.element(1));
        }
    }

    fn unknown(&mut self, command: &str, place: &Place) {
        if loaddensity::is_command(command) {
            return self.of_loaddensity(command, place);
        }
        let meant = nearest(command, registry::commands());
        let hint = match meant {
            Some(meant) => format!("; did you mean {meant:?}?"),
            None => "; `ldctl explain` lists them".to_owned(),
        };
        let severity = match (self.around.place, meant) {
            // The reference has more of them, and so have programs that embed it.
            (Where::Server, None) => Severity::Warning,
            _ => Severity::Error,
        };
        let message = format!("unknown command {command:?}{hint}");
        self.findings.push(Finding::new(UNKNOWN_COMMAND, severity, message, place.clone()));
    }

    /// Checks a command of LoadDensity that is not native here.
    fn of_loaddensity(&mut self, command: &str, place: &Place) {
        let (severity, failure) = match (loaddensity::refused(command), self.around.place) {
            (Some(why), Where::Server) => (Severity::Warning, delegated::refused(command, why)),
            (Some(why), _) => (Severity::Error, delegated::refused(command, why)),
            (None, _) if self.around.rules.python.is_some() => return,
            (None, Where::Here) => (Severity::Error, delegated::needs_executor(command)),
            // It may be there.
            (None, _) => (Severity::Warning, delegated::needs_executor(command)),
        };
        self.findings.push(Finding::new(REFUSED, severity, failure.message, place.clone()));
    }
}

/// Whether the reference takes what this program refuses.
fn is_of_reference(command: &str, path: &str, payload: Option<&Value>) -> bool {
    let given = |path: [&str; 2]| payload?.get(path[0])?.get(path[1])?.as_str();
    if command != START_TEST {
        return false;
    }
    match path {
        "user_detail_dict.user" => given(["user_detail_dict", "user"]).is_some_and(|user| {
            loaddensity::is_user(user)
                || user.ends_with("_user")
                    && nearest(user, crate::protocol::USER_NAMES.into_iter()).is_none()
        }),
        "connection" | "connection_string" | "bootstrap_servers" | "db_sources" => true,
        "runner_mode" => true,
        _ => false,
    }
}
