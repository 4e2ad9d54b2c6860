//! What the command line changes in a document before it is read or sent: a pure function on its value,
//! so that it means the same to this program and to every server. Places stay as they are written:
//! nothing is inserted before an action unless there is no other way.

mod mentioned;
mod origin;
#[cfg(test)]
mod tests;

use self::mentioned::Mentioned;
use crate::action::command::{FIND_BREAKING_POINT, START_TEST};
use crate::action::commands::start::{SPAWN_RATE, TEST_TIME, USERS};
use crate::action::listed::listed_mut;
use crate::action::registry;
use crate::action::tasks::{is_relative, tasks, url};
use crate::value::{Map, Value};

/// The rule of a gate as it is written on the command line.
pub use crate::record::gate_text::rule as gate;

/// What is wrong with a base of relative URLs, if it can be told without the document: its placeholders
/// have no value yet, and other schemes are for users of other protocols.
pub fn target_fault(text: &str) -> Option<&'static str> {
    const EXPECTED: &str = "expected http:// or https://, and a host";
    match text.trim().split_once("://") {
        _ if text.contains("${") => None,
        None => Some(EXPECTED),
        Some((scheme, rest)) if ["http", "https"].contains(&&*scheme.to_ascii_lowercase()) => {
            let has_host = url::Url::parse(text.trim()).is_ok() && !rest.starts_with('/');
            (!has_host).then_some(EXPECTED)
        }
        Some(("ws" | "wss" | "tcp" | "udp" | "redis" | "rediss", _)) => None,
        Some(_) => Some(EXPECTED),
    }
}

/// Commands that run other documents.
const EXECUTE_ACTION: &str = "LD_execute_action";
const EXECUTE_FILES: &str = "LD_execute_files";

/// What takes the place of a document's own values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Virtual users.
    pub users: Option<u64>,
    /// Users started per second.
    pub spawn_rate: Option<f64>,
    /// The duration of a test, in seconds.
    pub test_time: Option<f64>,
    /// Iterations started per second.
    pub rate: Option<f64>,
    /// The base of relative URLs, and the option that names it.
    pub target: Option<(&'static str, String)>,
    /// Variables and their values.
    pub variables: Vec<(String, String)>,
    /// Gates as they are written, and their rules.
    pub gates: Vec<(String, Value)>,
    /// Whether reports are written of it.
    pub reports: bool,
    /// The SQLite file that the records go to.
    pub database: Option<String>,
    /// The seed of random choices.
    pub seed: Option<u64>,
    /// Whether a test is one iteration of one user.
    pub once: bool,
    /// The part of the tests in a cluster.
    pub cluster: Option<Clustered>,
}

/// The part of a test in a cluster: its option, and the arguments of `LD_start_test` that it stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustered {
    /// The option.
    pub option: &'static str,
    /// Arguments and their values.
    pub arguments: Vec<(&'static str, Value)>,
}

/// What became of the overrides in a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Whether something in it took them.
    pub taken: bool,
    /// What the user should know.
    pub notes: Vec<String>,
    /// Variables of the command line that no placeholder in it names.
    pub unused: Vec<Unused>,
    /// How many actions were put before its own.
    pub before: usize,
    /// How many actions are its own.
    pub own: usize,
}

/// A variable of the command line that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Its name.
    pub name: String,
    /// The variable that was probably meant.
    pub meant: Option<String>,
}

impl Overrides {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.options().is_empty()
    }

    /// The options that are given.
    pub fn options(&self) -> Vec<&'static str> {
        let given = [
            ("--users", self.users.is_some()),
            ("--spawn-rate", self.spawn_rate.is_some()),
            ("--test-time", self.test_time.is_some()),
            ("--rate", self.rate.is_some()),
            ("--var", !self.variables.is_empty()),
            ("--gate", !self.gates.is_empty()),
            ("--report", self.reports || self.database.is_some()),
            ("--seed", self.seed.is_some()),
            ("--once", self.once),
        ];
        let target = self.target.iter().map(|(option, _)| *option);
        let cluster = self.cluster.iter().map(|cluster| cluster.option);
        given
            .into_iter()
            .filter_map(|(option, given)| given.then_some(option))
            .chain(target)
            .chain(cluster)
            .collect()
    }

    /// Changes a document. Fails with the place and the reason where an option cannot mean anything.
    pub fn apply(&self, document: &mut Value) -> Result<Applied, String> {
        if self.is_empty() {
            return Ok(Applied { taken: true, ..Applied::default() });
        }
        let unused = self.unused(document);
        let mut walk = Walk { overrides: self, tests: 0, files: false, notes: Vec::new() };
        walk.document(document, "")?;
        let Walk { tests, files, notes, .. } = walk;
        let reaches = self.options().iter().all(|option| REACHES_FILES.contains(option));
        let taken = tests > 0 || files && reaches;
        let own = listed_mut(document).map_or(0, |actions| actions.len());
        let mut before = 0;
        if let (true, Some(actions)) = (taken, listed_mut(document)) {
            if !self.gates.is_empty() {
                let rules = self.gates.iter().map(|(_, rule)| rule.clone()).collect();
                actions.push(action("LD_assert_sla", "rules", Value::List(rules)));
            }
            if let Some(path) = self.database.as_deref() {
                actions.push(action("LD_persist_records", "database_path", path.into()));
            }
            // The tests of files take what was registered before.
            if files && !self.variables.is_empty() {
                let variables = self.variables.iter();
                let variables =
                    variables.map(|(name, value)| (name.clone(), value.as_str().into()));
                let variables = Value::Dict(variables.collect());
                actions.insert(0, action("LD_register_variables", "variables", variables));
                before = 1;
            }
        }
        Ok(Applied { taken, notes, unused, before, own })
    }

    fn unused(&self, document: &Value) -> Vec<Unused> {
        if self.variables.is_empty() {
            return Vec::new();
        }
        let mentioned = Mentioned::of(document);
        let names = self.variables.iter().map(|(name, _)| name);
        let unused = names.filter(|name| !mentioned.may_use(name));
        let unused = unused.map(|name| {
            let meant = mentioned.nearest(name).map(str::to_owned);
            Unused { name: name.clone(), meant }
        });
        unused.collect()
    }
}

impl Overrides {
    /// Takes the document's own reports and gates out where a test is one iteration, whose figures say
    /// nothing; returns a note about them. What the command line adds stays.
    pub fn without_judgement(&self, document: &mut Value) -> Option<String> {
        let added = usize::from(!self.gates.is_empty()) + usize::from(self.database.is_some());
        let actions = listed_mut(document).filter(|_| self.once)?;
        let own = actions.len().saturating_sub(added);
        let mut skipped: Vec<String> = Vec::new();
        let mut index = 0;
        actions.retain(|action| {
            index += 1;
            let Value::List(elements) = action else { return true };
            let command = elements.first().and_then(Value::as_str).unwrap_or_default();
            let skip = index <= own && judges(command);
            if skip && skipped.iter().all(|known| known != command) {
                skipped.push(command.to_owned());
            }
            !skip
        });
        let names = skipped.join(", ");
        (!names.is_empty())
            .then(|| format!("--once skips {names}: one iteration is no measurement"))
    }
}

fn action(command: &str, argument: &str, value: Value) -> Value {
    Value::List(vec![command.into(), Value::dict([(argument, value)])])
}

/// A walk through the actions of a document and of those inside it.
struct Walk<'a> {
    overrides: &'a Overrides,
    /// Tests so far.
    tests: usize,
    /// Whether documents in files are run.
    files: bool,
    notes: Vec<String>,
}

impl Walk<'_> {
    fn document(&mut self, document: &mut Value, inside: &str) -> Result<(), String> {
        let Some(actions) = listed_mut(document) else { return Ok(()) };
        for (index, action) in actions.iter_mut().enumerate() {
            let Value::List(elements) = action else { continue };
            let [Value::Str(command), arguments, ..] = elements.as_mut_slice() else { continue };
            let place = format!("{inside}actions[{index}]");
            match command.as_str() {
                START_TEST => {
                    self.tests += 1;
                    if let Some(arguments) = named(START_TEST, arguments) {
                        self.test(arguments, &place)?;
                    }
                }
                FIND_BREAKING_POINT => {
                    self.tests += 1;
                    let test = match arguments {
                        Value::Dict(members) => members.get_mut("test"),
                        Value::List(values) => values.first_mut(),
                        _ => None,
                    };
                    if let Some(Value::Dict(test)) = test {
                        self.place(test, &place)?;
                        self.without_load(&place);
                    }
                }
                EXECUTE_ACTION => {
                    let nested = match arguments {
                        Value::Dict(members) => members.get_mut("action_list"),
                        Value::List(values) => values.first_mut(),
                        _ => None,
                    };
                    if let Some(nested) = nested {
                        self.document(nested, &format!("{place}."))?;
                    }
                }
                EXECUTE_FILES => {
                    self.files = true;
                    let options = self.overrides.options();
                    let lost: Vec<_> = options
                        .into_iter()
                        .filter(|option| !REACHES_FILES.contains(option))
                        .collect();
                    if !lost.is_empty() {
                        let lost = lost.join(", ");
                        self.notes.push(format!(
                            "{place}: the documents of {EXECUTE_FILES} are run without {lost}"
                        ));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn test(&mut self, arguments: &mut Map, place: &str) -> Result<(), String> {
        self.load(arguments, place)?;
        self.place(arguments, place)
    }

    /// Notes that a search decides about its load itself.
    fn without_load(&mut self, place: &str) {
        let options = self.overrides.options();
        let lost: Vec<_> = options.into_iter().filter(|option| OF_LOAD.contains(option)).collect();
        if !lost.is_empty() {
            let lost = lost.join(", ");
            self.notes.push(format!("{place}: a search sets its load itself, without {lost}"));
        }
    }

    /// Where a test goes, with which values.
    fn place(&mut self, arguments: &mut Map, place: &str) -> Result<(), String> {
        if let Some((option, target)) = &self.overrides.target {
            self.target(arguments, option, target, place)?;
        }
        if !self.overrides.variables.is_empty() {
            let variables = arguments.entry("variables".to_owned()).or_default();
            if matches!(variables, Value::Null) {
                *variables = Value::Dict(Map::new());
            }
            if let Value::Dict(members) = variables {
                for (name, value) in &self.overrides.variables {
                    members.insert(name.clone(), value.as_str().into());
                }
            }
        }
        if let Some(seed) = self.overrides.seed {
            arguments.insert("seed".to_owned(), seed.into());
        }
        for (name, value) in self.overrides.cluster.iter().flat_map(|cluster| &cluster.arguments) {
            arguments.insert((*name).to_owned(), value.clone());
        }
        Ok(())
    }

    /// Users, rates and duration.
    fn load(&mut self, arguments: &mut Map, place: &str) -> Result<(), String> {
        let Overrides { users, spawn_rate, test_time, rate, once, .. } = *self.overrides;
        if once {
            for name in ["load_shape", "shape_config", "arrival_rate"] {
                arguments.shift_remove(name);
            }
            let time = test_time.map_or(Value::Null, Value::of_number);
            for (name, value) in
                [("user_count", Value::Int(1)), ("iterations", Value::Int(1)), ("test_time", time)]
            {
                arguments.insert(name.to_owned(), value);
            }
            if let Some(Value::Dict(form)) = arguments.get_mut("tasks")
                && form.get("mode").and_then(Value::as_str).is_some_and(is_weighted)
            {
                each_once(form);
                self.notes.push(format!(
                    "{place}: its tasks are drawn by weight; --once runs each of them once"
                ));
            }
            return Ok(());
        }
        let given = [
            ("--users", users.is_some()),
            ("--spawn-rate", spawn_rate.is_some()),
            ("--test-time", test_time.is_some()),
            ("--rate", rate.is_some()),
        ];
        let Some((option, _)) = given.into_iter().find(|(_, given)| *given) else { return Ok(()) };
        if present(arguments, "load_shape").is_some() {
            if test_time.is_none() || users.is_none() && rate.is_none() {
                return Err(format!(
                    "{place}: {option} alone does not say what replaces the load_shape; give \
                     --test-time and --users, or --test-time and --rate"
                ));
            }
            arguments.shift_remove("load_shape");
            arguments.shift_remove("shape_config");
            self.notes.push(format!("{place}: a constant load takes the place of its load_shape"));
        }
        let mut set = |name: &str, value| arguments.insert(name.to_owned(), value);
        users.map(|users| set("user_count", users.into()));
        spawn_rate.map(|rate| set("spawn_rate", Value::of_number(rate)));
        test_time.map(|seconds| set("test_time", Value::of_number(seconds)));
        if let Some(rate) = rate {
            let old = present(arguments, "arrival_rate");
            let most = users.map(Value::from).or_else(|| old?.get("max_users").cloned());
            let most = most.or_else(|| present(arguments, "user_count").cloned());
            let most = most.unwrap_or(Value::Int(USERS));
            let mut open = match old {
                Some(Value::Dict(old)) => old.clone(),
                _ => Map::new(),
            };
            open.insert("rate".to_owned(), Value::of_number(rate));
            open.insert("max_users".to_owned(), most);
            let open = Value::Dict(open);
            arguments.insert("arrival_rate".to_owned(), open);
        } else if let (Some(users), Some(Value::Dict(open))) =
            (users, arguments.get_mut("arrival_rate"))
        {
            open.insert("max_users".to_owned(), users.into());
        }
        let is_open = present(arguments, "arrival_rate").is_some();
        if is_open && spawn_rate.is_some() {
            return Err(format!(
                "{place}: --spawn-rate means nothing with an arrival rate, where all users start \
                 at once"
            ));
        }
        if !is_open {
            self.ramp(arguments, place);
        }
        Ok(())
    }

    /// Notes that a test ends before all its users have started.
    fn ramp(&mut self, arguments: &Map, place: &str) {
        let number = |name: &str, default: i64| match present(arguments, name) {
            None => Some(default as f64),
            Some(value) => value.as_f64(),
        };
        if let (Some(users), Some(rate), Some(seconds)) = (
            number("user_count", USERS),
            number("spawn_rate", SPAWN_RATE),
            number("test_time", TEST_TIME),
        ) && users > rate * seconds
        {
            let started = (rate * seconds).floor();
            self.notes.push(format!(
                "{place}: {started} of {users} users start within {seconds} s; raise --spawn-rate"
            ));
        }
    }

    fn target(
        &mut self,
        arguments: &mut Map,
        option: &str,
        target: &str,
        place: &str,
    ) -> Result<(), String> {
        if present(arguments, "connection")
            .is_some_and(|connection| connection.get("url").is_some())
        {
            return Err(format!(
                "{place}: {option} means nothing to its tasks, which go to connection.url"
            ));
        }
        let tasks = tasks(arguments.get("tasks"));
        let fixed = tasks.iter().filter(|(_, task)| is_fixed(task)).count();
        match (fixed, tasks.len()) {
            (0, _) => {}
            (fixed, all) if fixed == all => {
                return Err(format!(
                    "{place}: {option} means nothing to its tasks, which all have absolute URLs"
                ));
            }
            (fixed, all) => self.notes.push(format!(
                "{place}: {fixed} of {all} tasks have absolute URLs and are not sent to {option}"
            )),
        }
        arguments.insert("host".to_owned(), target.into());
        Ok(())
    }
}

/// What decides about the load of a test.
const OF_LOAD: [&str; 5] = ["--users", "--spawn-rate", "--test-time", "--rate", "--once"];

/// What tests in files get as well, or are judged and reported by.
const REACHES_FILES: [&str; 3] = ["--var", "--gate", "--report"];

fn is_weighted(mode: &str) -> bool {
    mode.eq_ignore_ascii_case("weighted")
}

/// Makes tasks that are drawn by weight a sequence, without those that are never drawn.
fn each_once(form: &mut Map) {
    form.insert("mode".to_owned(), "sequence".into());
    let tasks: Vec<&mut Value> = match form.get_mut("tasks") {
        Some(Value::List(tasks)) => tasks.iter_mut().collect(),
        Some(Value::Dict(tasks)) => tasks.values_mut().collect(),
        _ => Vec::new(),
    };
    for task in tasks {
        if let Value::Dict(task) = task
            && task.shift_remove("weight") == Some(Value::Int(0))
        {
            task.insert("skip_if".to_owned(), true.into());
        }
    }
}

/// Whether a command judges figures or writes them down.
fn judges(command: &str) -> bool {
    let report = command.starts_with("LD_generate_") && command.ends_with("_report");
    report || JUDGES.iter().any(|begin| command.starts_with(begin))
}

/// Other commands over figures, by what they begin with.
const JUDGES: [&str; 7] = [
    "LD_generate_service_map",
    "LD_assert_",
    "LD_evaluate_sla",
    "LD_persist_records",
    "LD_post_",
    "LD_canary_verdict",
    "LD_emit_github_annotations",
];

/// An argument that is given, and not null.
fn present<'a>(arguments: &'a Map, name: &str) -> Option<&'a Value> {
    arguments.get(name).filter(|value| !matches!(value, Value::Null))
}

/// Whether a task names its host itself: in its URL, or a task of sockets in its target.
fn is_fixed(task: &Value) -> bool {
    let has_scheme = |text: &str| {
        let scheme = text.trim_start().split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    match url(task) {
        Some((_, url)) => !is_relative(task) || has_scheme(url),
        None => ["target", "host"]
            .into_iter()
            .any(|key| task.get(key).is_some_and(|target| target.as_str().is_some())),
    }
}

/// The arguments of an action by name; those by position are named.
pub(super) fn named<'a>(command: &str, arguments: &'a mut Value) -> Option<&'a mut Map> {
    if let Value::List(values) = arguments {
        let fields = registry::find(command)?.parameters()?;
        if values.len() > fields.len() {
            return None;
        }
        let names = fields.iter().map(|field| field.name.to_owned());
        *arguments = Value::Dict(names.zip(std::mem::take(values)).collect());
    }
    match arguments {
        Value::Dict(members) => Some(members),
        _ => None,
    }
}
