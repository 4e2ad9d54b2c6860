//! All that is wrong with the arguments of one action. Readers stop at the first mistake; so it is
//! noted and repaired in a copy, and the copy is read again, until nothing is refused any more. What
//! is refused only because of a repair is not noted.

use std::collections::HashMap;

use super::rule::{MISSING_MEMBER, REFUSED, Rule, UNKNOWN_MEMBER};
use crate::action::arguments::{Call, Refused};
use crate::action::command::{Declaration, START_TEST};
use crate::action::numbers::surrounds;
use crate::action::rules::Rules;
use crate::value::{Awaited, Invalid, Map, Path, Step, Value};

/// How much is read for one action, in bytes of memory: a large one is not read for every mistake.
const MOST_READ: usize = 1 << 28;

/// The most times that an action is read.
const MOST_READS: usize = 2000;

/// A mistake in the arguments of an action.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) rule: &'static Rule,
    /// The place among the arguments, by name.
    pub(super) path: Path,
    /// Whether it is the key that is wrong.
    pub(super) of_key: bool,
    pub(super) message: String,
}

/// At most `most` mistakes in the arguments of a command.
pub(super) fn refusals(
    declaration: &'static Declaration,
    payload: Option<&Value>,
    rules: Rules,
    most: usize,
) -> Vec<Refusal> {
    let payload = by_name(declaration, payload);
    let reads = (MOST_READ / payload.as_ref().map_or(1, Value::weight)).clamp(8, MOST_READS);
    let mut repair = Repair {
        declaration,
        rules,
        payload: payload.unwrap_or_default(),
        reads,
        touched: Vec::new(),
        kept: HashMap::new(),
    };
    let mut found = Vec::new();
    let mut next = repair.read();
    while let Some(invalid) = next.take().filter(|_| found.len() < most) {
        let current = Path::of_pointer(&invalid.pointer, &repair.payload);
        let path = repair.original(&current);
        if !repair.has_caused(&path, &invalid.message) {
            found.push(refusal(path.clone(), &invalid.message));
        }
        // The kind of user determines what a task may hold.
        if declaration.name() == START_TEST && path.to_string() == "user_detail_dict.user" {
            break;
        }
        next = repair.after(&current, &invalid);
    }
    found
}

fn refusal(path: Path, message: &str) -> Refusal {
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown argument");
    let rule = match missing_key(message) {
        _ if unknown => UNKNOWN_MEMBER,
        Some(_) => MISSING_MEMBER,
        None => REFUSED,
    };
    Refusal { rule, path, of_key: unknown, message: message.to_owned() }
}

/// The arguments by name, if they can be named.
fn by_name(declaration: &Declaration, payload: Option<&Value>) -> Option<Value> {
    let fields = declaration.parameters();
    match (payload, fields) {
        (None, Some(_)) => Some(Value::Dict(Map::new())),
        (Some(Value::List(values)), Some(fields)) if values.len() <= fields.len() => {
            let named = fields.iter().zip(values);
            Some(Value::Dict(
                named.map(|(field, value)| (field.name.to_owned(), value.clone())).collect(),
            ))
        }
        (payload, _) => payload.cloned(),
    }
}

/// The member that a refusal says is missing.
fn missing_key(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("missing \"").or_else(|| {
        message.ends_with(" is missing").then(|| message.strip_prefix("the argument \"")).flatten()
    })?;
    rest.split('"').next()
}

/// Fields that decide which others their object may have.
const DECIDING: [&str; 3] = ["type", "from", "load_shape"];

/// A copy of the arguments, repaired so far.
struct Repair {
    declaration: &'static Declaration,
    rules: Rules,
    payload: Value,
    /// How often it may be read.
    reads: usize,
    /// What was repaired, as in the document.
    touched: Vec<Path>,
    /// The indices that elements have in the document, where some were taken out of a list.
    kept: HashMap<Path, Vec<usize>>,
}

impl Repair {
    /// What is wrong now; `None` if nothing is, or if it was read often enough.
    fn read(&mut self) -> Option<Invalid> {
        loop {
            self.reads = self.reads.checked_sub(1)?;
            let awaited = Awaited::default();
            let call = Call::of(self.declaration.name(), Some(&self.payload));
            let call = call.map_err(Refused::from);
            let read = call.and_then(|call| self.declaration.read(&call, self.rules, &awaited));
            let refused = read.err()?.place;
            let numbers = awaited.take();
            if !surrounds(&refused.pointer, &numbers) {
                return Some(refused);
            }
            // How numbers of variables agree is not known yet.
            for number in numbers {
                let path = Path::of_pointer(&number, &self.payload);
                if let (Some(above), Some(key)) = (path.parent(), path.key()) {
                    self.set(&above, key, None);
                    self.touched.push(self.original(&path));
                }
            }
        }
    }

    /// The path in the document of a part of the copy.
    fn original(&self, current: &Path) -> Path {
        let mut original = Path::default();
        for step in current.steps() {
            let step = match (step, self.kept.get(&original)) {
                (Step::Element(index), Some(kept)) => {
                    Step::Element(kept.get(*index).copied().unwrap_or(*index))
                }
                (step, _) => step.clone(),
            };
            original = original.then(step);
        }
        original
    }

    /// Whether a refusal may be the consequence of a repair.
    fn has_caused(&self, path: &Path, message: &str) -> bool {
        let missing = missing_key(message).map(|key| path.member(key));
        self.touched.iter().any(|touched| match &missing {
            Some(missing) => touched == missing,
            None => path.is_within(touched) || touched.is_within(path),
        })
    }

    /// Repairs what is wrong, and returns what is wrong then.
    fn after(&mut self, current: &Path, invalid: &Invalid) -> Option<Invalid> {
        if let Some(key) = missing_key(&invalid.message) {
            let place = current.member(key);
            self.touched.push(self.original(&place));
            for value in stand_ins() {
                self.set(current, key, Some(value));
                match self.read() {
                    Some(next)
                        if next == *invalid || next.pointer.starts_with(&pointer(invalid, key)) => {
                    }
                    next => return next,
                }
            }
            self.set(current, key, None);
            return self.without_element(current);
        }
        self.touched.push(self.original(current));
        let (Some(above), Some(key)) = (current.parent(), current.key().map(str::to_owned)) else {
            return self.without_element(current);
        };
        if DECIDING.contains(&key.as_str()) {
            self.set(&above, "shape_config", None);
            if let (Some(around), Some(part)) = (above.parent(), above.key()) {
                self.touched.push(self.original(&above));
                self.set(&around, part, None);
                return self.read();
            }
            if above.parent().is_some() {
                return self.without_element(&above);
            }
        }
        let Some(was) = current.of(&self.payload).cloned() else {
            return self.without_element(&above);
        };
        let first = [Some(Value::Int(1)), None];
        for value in first.into_iter().chain(stand_ins().into_iter().map(Some)) {
            self.set(&above, &key, value);
            match self.read() {
                Some(next) if next.pointer == invalid.pointer => {}
                next => return next,
            }
        }
        self.set(&above, &key, Some(was));
        self.without_element(current)
    }

    /// Sets a member of an object, or takes it out.
    fn set(&mut self, object: &Path, key: &str, value: Option<Value>) {
        if let Some(Value::Dict(members)) = object.of_mut(&mut self.payload) {
            match value {
                Some(value) => drop(members.insert(key.to_owned(), value)),
                None => drop(members.shift_remove(key)),
            }
        }
    }

    /// Takes the innermost element around a place out of its list. Nothing is left to say of a list
    /// that becomes empty.
    fn without_element(&mut self, current: &Path) -> Option<Invalid> {
        let mut around = current.clone();
        let index = loop {
            match around.steps().last()? {
                Step::Element(index) => break *index,
                Step::Member(_) => around = around.parent()?,
            }
        };
        let list = around.parent()?;
        let original = self.original(&list);
        let Some(Value::List(elements)) = list.of_mut(&mut self.payload) else { return None };
        if elements.len() < 2 || index >= elements.len() {
            return None;
        }
        let kept = self.kept.entry(original).or_insert_with(|| (0..elements.len()).collect());
        elements.remove(index);
        kept.remove(index);
        self.read()
    }
}

/// The pointer of a member of what was refused.
fn pointer(invalid: &Invalid, key: &str) -> String {
    format!("{}/{key}", invalid.pointer)
}

/// Values in place of missing and wrong ones: one of them is accepted by most readers.
fn stand_ins() -> [Value; 7] {
    let text = |text: &str| Value::Str(text.to_owned());
    [
        Value::Int(1),
        text("/"),
        text("get"),
        text("127.0.0.1:9"),
        Value::Bool(true),
        Value::List(Vec::new()),
        Value::Dict(Map::new()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::registry;

    fn check(action: &str, expected: &[&str]) {
        let action = Value::parse(action).expect("JSON");
        let Value::List(elements) = action else { panic!("a list") };
        let declaration = registry::find(elements[0].as_str().expect("a name")).expect("a command");
        let found = refusals(declaration, elements.get(1), Rules::default(), 100);
        let found: Vec<String> =
            found.iter().map(|refusal| format!("{}: {}", refusal.path, refusal.message)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn two_wrong_durations_are_both_found() {
        check(
            r#"["LD_start_test", {"user_detail_dict": {}, "user_count": "5", "test_time": "3s",
                "tasks": [{"method": "get", "url": "/"}]}]"#,
            &[
                "user_count: expected an integer of at least 0, got \"5\"",
                "test_time: expected a number of at least 0, got \"3s\"",
            ],
        );
    }

    #[test]
    fn every_mistake_of_every_task_is_found_once() {
        check(
            r#"["LD_start_test", {"user_detail_dict": {}, "spwan_rate": 5, "tasks": [
                {"method": "got", "url": "/", "wieght": 2, "timeout": 0},
                {"url": "/", "retry": {"flaky": -1, "jitters": 1}},
                {"method": "get", "url": "/"},
                {"method": "get", "assertions": [{"type": "status", "value": 200}, {"type": "contains"}],
                 "url": "/", "auth": {"type": "basics", "user": "x"}, "extract": [{"from": "heder"}]}]}]"#,
            &[
                "spwan_rate: unknown argument; did you mean \"spawn_rate\"?",
                "tasks[0].method: unknown method \"got\"; did you mean \"get\"? expected get, post, put, \
                 patch, delete, head or options",
                "tasks[0].timeout: expected a number above 0, got 0",
                "tasks[0].wieght: unknown field; did you mean \"weight\"?",
                "tasks[1].retry.flaky: expected an integer of at least 0, got -1",
                "tasks[1].retry.jitters: unknown field; did you mean \"jitter\"?",
                "tasks[1]: missing \"method\"",
                "tasks[3].auth.type: expected \"basic\", \"digest\" or \"bearer\", got \"basics\"; did \
                 you mean \"basic\"?",
                "tasks[3].assertions[0].type: unknown assertion \"status\"; did you mean \
                 \"status_code\"? expected status_code, contains, not_contains, json_path or header",
                "tasks[3].assertions[1]: missing \"value\"",
                "tasks[3].extract[0]: missing \"var\"",
                "tasks[3].extract[0].from: unknown extractor \"heder\"; did you mean \"header\"? \
                 expected json_path, header or status_code",
            ],
        );
    }

    #[test]
    fn what_depends_on_a_wrong_choice_is_not_held_against_the_document() {
        check(
            r#"["LD_start_test", {"user_detail_dict": {"user": "telnet_user"},
                "tasks": [{"topic": "x"}, {"topic": "y"}]}]"#,
            &["user_detail_dict.user: expected \"fast_http_user\", \"http_user\", \
               \"async_http_user\", \"socket_user\", \"websocket_user\", \"sse_user\", \"redis_user\", \"mqtt_user\" or \"grpc_user\", got \"telnet_user\""],
        );
        check(
            r#"["LD_start_test", {"user_detail_dict": {}, "load_shape": "spikes",
                "shape_config": {"spike_users": 9}, "tasks": [{"method": "get", "url": "/"}]}]"#,
            &[
                "load_shape: unknown load shape \"spikes\"; did you mean \"spike\"? expected stages, \
               spike or soak",
            ],
        );
    }

    #[test]
    fn arguments_by_position_are_named() {
        check(
            r#"["LD_register_csv_source", ["users", 7, "no"]]"#,
            &["file_path: expected a string, got 7", "cycle: expected true or false, got \"no\""],
        );
        check(r#"["LD_clear_records", [1]]"#, &[": takes at most 0 arguments (none), got 1"]);
        check(r#"["LD_assert_sla"]"#, &[": missing \"rules\""]);
        check(
            r#"["LD_summary", 5]"#,
            &[": LD_summary() takes its arguments as a list or an object, not an integer"],
        );
    }

    #[test]
    fn a_number_from_a_variable_is_no_mistake() {
        check(
            r#"["LD_start_test", {"user_detail_dict": {}, "user_count": "${env.USERS}",
                "wait_time": {"min": 2, "max": "${var.max}"},
                "tasks": [{"method": "get", "url": "/", "timeout": " ${t} ", "weight": "${a}${b}"}]}]"#,
            &["tasks[0].weight: expected an integer of at least 0, got \"${a}${b}\""],
        );
    }
}
