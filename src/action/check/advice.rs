//! What a document will probably not do as it was meant, action by action, because later ones use what
//! earlier ones have registered, measured and written: placeholders that nothing fills, a host that is
//! missing, gates over the figures of other tests, files that are not there.

use std::collections::{HashMap, HashSet};

use super::files::{DocumentFiles, argument, format};
use super::finding::{Finding, Place};
use super::gates::{ASSERT, EVALUATE, RequestNames, gates};
use super::rule::{
    DRAWN_SETUP, HARDCODED_URL, MISSING_HOST, NOT_A_NUMBER, OVERSIZE_BODY, REFUSED, Rule,
    SHARED_CLIENT_ID, STALE_RECORDS, UNKNOWN_MEMBER, UNRESOLVED_PLACEHOLDER, UNSET_VARIABLE,
    UNUSED_WEIGHT,
};
use super::surroundings::{Surroundings, Where};
use crate::action::command::{FIND_BREAKING_POINT, START_TEST};
use crate::action::lint::{LARGE_BODY, Severity, is_hard_coded};
use crate::action::numbers::shown;
use crate::action::tasks::{is_relative, on_start, tasks, url};
use crate::load::template::{Reference, Space, references};
use crate::protocol::JsonPath;
use crate::value::field::nearest;
use crate::value::{Map, Path, Step, Value, quote};

/// Members of tasks in which a placeholder without a value means something: false.
const CONDITIONS: [&str; 2] = ["run_if", "skip_if"];

/// Members of `user_detail_dict` that count.
const USER_MEMBERS: [&str; 3] = ["user", "host", "base_url"];

/// Commands that need the file of their first argument.
const READS: [(&str, &str); 12] = [
    ("LD_register_csv_source", "file_path"),
    ("LD_load_har", "file_path"),
    ("LD_load_openapi", "file_path"),
    ("LD_load_postman_collection", "file_path"),
    ("LD_load_k6_script", "file_path"),
    ("LD_load_jmeter_jmx", "file_path"),
    ("LD_generate_from_openapi", "openapi_path"),
    ("LD_lint_action_file", "path"),
    ("LD_fetch_run_records", "database_path"),
    ("LD_diff_runs", "database_path"),
    ("LD_assert_no_regressions", "database_path"),
    ("LD_execute_files", "execute_files_list"),
];

/// The arguments of an action, by name or by position.
pub(super) struct Given<'a>(pub(super) Option<&'a Value>);

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

/// What is known after the actions so far.
pub(super) struct Advisor<'a> {
    around: &'a Surroundings<'a>,
    /// Variables that something has registered, with their values.
    variables: HashMap<String, Value>,
    /// CSV sources with their columns, where those are known.
    sources: HashMap<String, Option<Vec<String>>>,
    /// Whether other documents have run, which may have registered anything.
    opaque: bool,
    cleared: bool,
    tested: bool,
    names: RequestNames,
    files: DocumentFiles<'a>,
    findings: Vec<Finding>,
}

impl<'a> Advisor<'a> {
    pub(super) fn new(around: &'a Surroundings<'a>) -> Self {
        let severity = match around.place {
            Where::Here => Severity::Error,
            Where::Anywhere | Where::Server => Severity::Warning,
        };
        Self {
            around,
            variables: HashMap::new(),
            sources: HashMap::new(),
            opaque: around.later,
            cleared: false,
            tested: false,
            names: RequestNames::unless(around.later),
            files: DocumentFiles::new(around.files, severity, around.later),
            findings: Vec::new(),
        }
    }

    /// What was found since the last call.
    pub(super) fn take(&mut self) -> Vec<Finding> {
        let mut found = std::mem::take(&mut self.findings);
        found.append(&mut self.files.take());
        found
    }

    fn warn(&mut self, rule: &'static Rule, place: Place, message: impl Into<String>) {
        self.findings.push(Finding::new(rule, Severity::Warning, message, place));
    }

    /// An error where the document runs here, and a warning where a server may know more.
    fn severity(&self) -> Severity {
        match self.around.place {
            Where::Server => Severity::Warning,
            Where::Here | Where::Anywhere => Severity::Error,
        }
    }

    /// Looks at an action; `place` is that of its arguments.
    pub(super) fn action(&mut self, command: &str, given: &Given<'_>, place: &Place) {
        self.reads(command, given, place);
        self.judges(command, given, place);
        match command {
            "LD_register_variable" => {
                if let Some(name) = given.text("name", 0) {
                    let value = given.argument("value", 1).cloned().unwrap_or_default();
                    self.unfilled(&value, &place.member("value"));
                    self.variables.insert(name.to_owned(), value);
                }
            }
            "LD_register_variables" => {
                self.register(given.argument("variables", 0), &place.member("variables"));
            }
            "LD_register_csv_source" => {
                self.source(given.text("name", 0), given.text("file_path", 1));
            }
            "LD_register_csv_sources" => {
                let sources = given.argument("sources", 0);
                self.register_sources(sources, &place.member("sources"));
            }
            "LD_clear_resolver" => {
                self.variables.clear();
                self.sources.clear();
                self.opaque = false;
            }
            // They may do anything that actions do.
            "LD_execute_files" => {
                self.opaque = true;
                self.cleared = true;
                self.names.others = true;
                self.files.may_have_changed();
            }
            "LD_clear_records" => {
                self.cleared = true;
                self.names.clear();
            }
            "LD_export_schema" => self.files_written(given.text("path", 0), None),
            "LD_persist_records" => {
                let place = place.with(argument("database_path"));
                self.files_written(given.text("database_path", 0), Some(place));
            }
            START_TEST => {
                match given.0 {
                    Some(Value::Dict(arguments)) => self.test(arguments, place),
                    // By position.
                    _ => self.names.others = true,
                }
                self.tested = true;
            }
            FIND_BREAKING_POINT => {
                let earlier = std::mem::take(&mut self.names);
                match given.argument("test", 0) {
                    Some(Value::Dict(test)) => self.test(test, &place.member("test")),
                    _ => self.names.others = true,
                }
                // It judges its own test only.
                if let Some(gate) = given.argument("gate", 1) {
                    let place = place.member("gate");
                    self.findings.append(&mut gates(command, gate, &place, Some(&self.names)));
                }
                self.names.add_all(earlier);
                self.tested = true;
            }
            _ => {}
        }
    }

    fn files_written(&mut self, path: Option<&str>, place: Option<Place>) {
        match (path, place) {
            (Some(path), Some(place)) => self.files.writes(path, place),
            // It creates its directories.
            (Some(_), None) => self.files.may_have_changed(),
            (None, _) => {}
        }
    }

    /// Files that a command needs.
    fn reads(&mut self, command: &str, given: &Given<'_>, place: &Place) {
        let Some((_, name)) = READS.iter().find(|(known, _)| *known == command) else { return };
        let position = usize::from(command == "LD_register_csv_source");
        let place = place.member(name);
        match given.argument(name, position) {
            Some(Value::List(paths)) => {
                for (index, path) in paths.iter().enumerate() {
                    self.files.reads(path.as_str(), place.element(index));
                }
            }
            path => self.files.reads(path.and_then(Value::as_str), place),
        }
    }

    /// A command over what was recorded.
    fn judges(&mut self, command: &str, given: &Given<'_>, place: &Place) {
        let format = format(command);
        if format.is_none() && ![ASSERT, EVALUATE].contains(&command) {
            return;
        }
        let summary = given.argument("summary", 1).filter(|_| format.is_none());
        if self.tested && !self.cleared && summary.is_none() {
            let message = "for clients with text replies (LoadDensity's, --legacy) this counts every \
                           test since the last LD_clear_records, those of other documents included; \
                           begin with [\"LD_clear_records\"]";
            self.warn(STALE_RECORDS, place.clone(), message);
            // Once is enough.
            self.cleared = true;
        }
        let position = if format.is_some() { 1 } else { 0 };
        if let Some(rules) = given.argument("rules", position) {
            let names = (summary.is_none() && self.tested).then_some(&self.names);
            let mut found = gates(command, rules, &place.member("rules"), names);
            self.findings.append(&mut found);
        }
        if let Some(format) = format
            && let Some(field) = format.parameters.first()
        {
            let default = field.default.map(|default| default.value().to_text());
            let name = given.text(field.name, 0).map(str::to_owned).or(default);
            if let Some(name) = name {
                self.files.report(format, &name, &place.member(field.name));
            }
        }
    }

    /// Placeholders in the value of a variable, which nothing fills in.
    fn unfilled(&mut self, value: &Value, place: &Place) {
        match value {
            Value::Str(text) => {
                if let Some((written, _)) = references(text).next() {
                    let message = format!(
                        "{written} is used as it is written: values of variables are not filled in; \
                         write it where the variable is used"
                    );
                    self.warn(UNRESOLVED_PLACEHOLDER, place.clone(), message);
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.unfilled(item, &place.element(index));
                }
            }
            Value::Dict(members) => {
                for (key, member) in members {
                    self.unfilled(member, &place.member(key));
                }
            }
            _ => {}
        }
    }

    fn register(&mut self, variables: Option<&Value>, place: &Place) {
        if let Some(Value::Dict(variables)) = variables {
            for (name, value) in variables {
                self.unfilled(value, &place.member(name));
            }
            let pairs = variables.iter().map(|(name, value)| (name.clone(), value.clone()));
            self.variables.extend(pairs);
        }
    }

    fn register_sources(&mut self, sources: Option<&Value>, place: &Place) {
        let Some(Value::List(sources)) = sources else { return };
        for (index, source) in sources.iter().enumerate() {
            let text = |key| source.get(key).and_then(Value::as_str);
            self.files.reads(text("file_path"), place.element(index).member("file_path"));
            self.source(text("name"), text("file_path"));
        }
    }

    fn source(&mut self, name: Option<&str>, file: Option<&str>) {
        if let Some(name) = name {
            let columns = file.and_then(|file| self.files.columns(file));
            self.sources.insert(name.to_owned(), columns);
        }
    }

    fn test(&mut self, arguments: &Map, place: &Place) {
        self.register(arguments.get("variables"), &place.member("variables"));
        self.register_sources(arguments.get("csv_sources"), &place.member("csv_sources"));
        let detail = arguments.get("user_detail_dict");
        if let Some(Value::Dict(members)) = detail {
            for member in members.keys().filter(|member| !USER_MEMBERS.contains(&member.as_str())) {
                let meant = nearest(member, USER_MEMBERS.into_iter());
                let meant = meant.map(|name| format!("; did you mean {name:?}?"));
                let message = format!("{member:?} has no effect{}", meant.unwrap_or_default());
                let place = place.member("user_detail_dict").member(member).key();
                self.warn(UNKNOWN_MEMBER, place, message);
            }
        }
        let tasks = tasks(arguments.get("tasks"));
        self.hosts(arguments, detail, &tasks, place);
        self.weights(arguments.get("tasks"), &tasks, place);
        let user = detail.and_then(|detail| detail.get("user")).and_then(Value::as_str);
        if user == Some("mqtt_user") {
            self.client_ids(arguments, &tasks, place);
        }
        let extracted: HashSet<(Space, &str)> =
            tasks.iter().flat_map(|(_, task)| extracted(task)).collect();
        for (path, task) in &tasks {
            let place = place.with(path.clone());
            self.texts(task, &place, &extracted);
            self.body(task, &place);
            self.files.task(task, &place);
            self.name(task, user);
        }
    }

    /// Whether relative URLs have a host, and what stands in it.
    fn hosts(
        &mut self,
        arguments: &Map,
        detail: Option<&Value>,
        tasks: &[(Path, &Value)],
        place: &Place,
    ) {
        let user = detail.and_then(|detail| detail.get("user")).and_then(Value::as_str);
        let own = place.member("user_detail_dict");
        let written = [
            (arguments.get("host"), place.member("host")),
            (detail.and_then(|detail| detail.get("host")), own.member("host")),
            (detail.and_then(|detail| detail.get("base_url")), own.member("base_url")),
        ];
        let mut given = false;
        for (value, place) in written {
            let Some(value) = value.filter(|value| !matches!(value, Value::Null)) else { continue };
            given = true;
            self.texts(value, &place, &HashSet::new());
        }
        if user.is_none_or(|user| user.ends_with("http_user"))
            && !given
            && let Some((path, task)) = tasks.iter().find(|(_, task)| is_relative(task))
        {
            let message = "no \"host\" is given: relative URLs go to http://localhost; add one to \
                           user_detail_dict";
            let key = url(task).map_or("request_url", |(key, _)| key);
            let place = place.with(path.member(key));
            self.findings.push(Finding::new(MISSING_HOST, self.severity(), message, place));
        }
        let names_none =
            |task: &Value| ["target", "host"].iter().all(|key| task.get(key).is_none());
        if user == Some("socket_user")
            && !given
            && let Some((path, _)) = tasks.iter().find(|(_, task)| names_none(task))
        {
            let message = "no \"target\" is given: the bytes go to 127.0.0.1:9000; add one, or a \
                           \"host\" to user_detail_dict";
            self.warn(MISSING_HOST, place.with(path.clone()), message);
        }
    }

    /// Names of MQTT clients that are the same for several users.
    fn client_ids(&mut self, arguments: &Map, tasks: &[(Path, &Value)], place: &Place) {
        let is_one = arguments.get("user_count") == Some(&Value::Int(1));
        if is_one && arguments.get("load_shape").is_none_or(|shape| *shape == Value::Null) {
            return;
        }
        let of_test = arguments.get("connection").map(|given| (place.member("connection"), given));
        let of_tasks = tasks.iter().map(|(path, task)| (place.with(path.clone()), *task));
        let constant = of_test.into_iter().chain(of_tasks).find_map(|(place, fields)| {
            let name = fields.get("client_id").filter(|name| name.is_truthy())?.to_text();
            let is_constant = references(&name).next().is_none();
            is_constant.then(|| (place.member("client_id"), name))
        });
        if let Some((place, name)) = constant {
            let message = format!(
                "all users are the client {}: a broker has one connection for each client, so they \
                 push each other out; leave it out, or take it from a CSV source",
                quote(&name)
            );
            self.warn(SHARED_CLIENT_ID, place, message);
        }
    }

    /// Weights in a sequence and in `on_start`, and tasks that should not be drawn by weight.
    fn weights(&mut self, given: Option<&Value>, tasks: &[(Path, &Value)], place: &Place) {
        let (first, tasks) = tasks.split_at(on_start(given).len().min(tasks.len()));
        let mode = given.and_then(|form| form.get("mode")).and_then(Value::as_str);
        let weighted = mode.is_some_and(|mode| mode.eq_ignore_ascii_case("weighted"));
        let has_weight = |(_, task): &&(Path, &Value)| {
            task.get("weight").is_some_and(|weight| *weight != Value::Int(1))
        };
        if let (false, Some((path, _))) = (weighted, tasks.iter().find(has_weight)) {
            let message = "has no effect: every iteration runs all tasks in order; write \"tasks\": \
                           {\"mode\": \"weighted\", \"tasks\": [...]} to draw one by weight";
            self.warn(UNUSED_WEIGHT, place.with(path.member("weight")).key(), message);
        }
        if let Some((path, _)) = first.iter().find(has_weight) {
            let message = "has no effect: every user runs all tasks of on_start, in order";
            self.warn(UNUSED_WEIGHT, place.with(path.member("weight")).key(), message);
        }
        let prepares = |(path, task): &(Path, &Value)| {
            let own = extracted(task);
            let waited = task.get("skip_if").and_then(|condition| mentioned(condition, &own))?;
            Some((path.member("skip_if"), waited.to_owned()))
        };
        if let (true, Some((path, name))) = (weighted, tasks.iter().find_map(prepares)) {
            let message = format!(
                "the task runs when it is drawn, so a user may run others before {name:?} has a value; \
                 move it to on_start: {{\"mode\": \"weighted\", \"on_start\": [...], \"tasks\": [...]}}"
            );
            self.warn(DRAWN_SETUP, place.with(path), message);
        }
    }

    /// The name that a task's requests are recorded under.
    fn name(&mut self, task: &Value, user: Option<&str>) {
        let name = task.get("name").map(Value::to_text).filter(|name| !name.is_empty());
        match (name, url(task)) {
            (Some(name), _) => self.names.add(&name),
            (None, Some((_, url))) if user.is_none_or(|user| user == "fast_http_user") => {
                self.names.add(url.trim());
            }
            _ => self.names.others = true,
        }
    }

    fn body(&mut self, task: &Value, place: &Place) {
        if let Some((key, url)) = url(task).filter(|(_, url)| is_hard_coded(url)) {
            let message = format!(
                "hard-coded URL {}; write it relative to the \"host\", or begin with ${{var.base}}",
                quote(url)
            );
            self.warn(HARDCODED_URL, place.member(key), message);
        }
        for key in ["data", "json"] {
            if let Some(length) =
                task.get(key).and_then(Value::as_str).map(|text| text.chars().count())
                && length > LARGE_BODY
            {
                let message =
                    format!("the body has {length} characters; use a smaller one, or a file");
                self.warn(OVERSIZE_BODY, place.member(key), message);
            }
        }
    }

    /// Looks at every text in a task.
    fn texts(&mut self, value: &Value, place: &Place, extracted: &HashSet<(Space, &str)>) {
        match value {
            Value::Str(text) => {
                for (written, reference) in references(text) {
                    if let Reference::Environment(name) = reference {
                        self.environment(name, written, text, place);
                    } else if let Some(reason) = self.unresolved(&reference, extracted)
                        && !self.may_be_of_python(written)
                    {
                        let message = format!("{written} is used as it is written: {reason}");
                        self.warn(UNRESOLVED_PLACEHOLDER, place.clone(), message);
                    }
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.texts(item, &place.element(index), extracted);
                }
            }
            Value::Dict(members) => {
                self.json_path(members, place);
                for (key, member) in members {
                    self.texts(member, &place.member(key), extracted);
                }
            }
            _ => {}
        }
    }

    /// The path of an assertion or an extractor.
    fn json_path(&mut self, members: &Map, place: &Place) {
        let kind = |key: &str| members.get(key).and_then(Value::as_str);
        let (list, kind) = match place.path().steps() {
            [.., Step::Member(list), Step::Element(_)] if list == "assertions" => {
                (list, kind("type"))
            }
            [.., Step::Member(list), Step::Element(_)] if list == "extract" => {
                (list, kind("from").or(Some("json_path")))
            }
            _ => return,
        };
        let path = members.get("path").and_then(Value::as_str);
        let Some(path) = path.filter(|path| JsonPath::is_unclosed(path)) else { return };
        if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("json_path")) {
            let message = format!("the path {path:?} of {list:?} has a [ that is not closed");
            let place = place.member("path");
            self.findings.push(Finding::new(REFUSED, Severity::Error, message, place));
        }
    }

    /// A placeholder of the environment, where that is known.
    fn environment(&mut self, name: &str, written: &str, text: &str, place: &Place) {
        let Some(environment) = self.around.environment else { return };
        if environment(name).is_some() {
            return;
        }
        // A URL that begins with it, or whose host it is, is no URL.
        let before = text.trim_start().split(written).next().unwrap_or_default();
        let begins = ["", "http://", "https://", "tcp://", "udp://"].contains(&before);
        let is_url = place
            .path()
            .key()
            .is_some_and(|key| ["request_url", "url", "host", "base_url", "target"].contains(&key));
        let is_condition =
            |step: &Step| CONDITIONS.iter().any(|key| *step == Step::Member((*key).to_owned()));
        let (why, what) = unavailable(name);
        if place.path().steps().iter().any(is_condition) {
            let message = format!("{name} {why}, so {written} counts as false");
            return self.warn(UNSET_VARIABLE, place.clone(), message);
        }
        let message = match is_url && begins {
            true => format!("{name} {why}; {what}, or give the URL itself"),
            false => format!("{name} {why}, and {written} would be used as it is written; {what}"),
        };
        self.findings.push(Finding::new(UNSET_VARIABLE, Severity::Error, message, place.clone()));
    }

    /// Whether a placeholder is one of tests in the executor's Python.
    fn may_be_of_python(&self, written: &str) -> bool {
        self.around.rules.python.is_some() && written.starts_with("${db.")
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
                    *space == Space::Var && (self.opaque || self.variables.contains_key(*name));
                (!registered && !extracted.contains(&(*space, *name))).then(|| {
                    let meant = self.meant(name, extracted);
                    let checked = self.around.place == Where::Anywhere && *space == Space::Var;
                    let option = match checked && meant.is_empty() {
                        true => "; --var of run sets it",
                        false => "",
                    };
                    format!("nothing here registers or extracts {name:?}{meant}{option}")
                })
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

    fn meant(&self, name: &str, extracted: &HashSet<(Space, &str)>) -> String {
        let known = self.variables.keys().map(String::as_str);
        let known = known.chain(extracted.iter().map(|(_, name)| *name));
        nearest(name, known).map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
    }

    /// A number that a variable gives.
    pub(super) fn number(&mut self, written: &str, own: Option<&Value>, place: &Place) {
        let Some((_, reference)) = references(written).next() else { return };
        let mut found = |rule, severity, message: String| {
            self.findings.push(Finding::new(rule, severity, message, place.clone()));
        };
        let (name, text) = match reference {
            Reference::Environment(name) => match self.around.environment.map(|of| of(name)) {
                None => return,
                Some(None) => {
                    let (why, what) = unavailable(name);
                    let message = format!("{name} {why}; {what}");
                    return found(UNSET_VARIABLE, Severity::Error, message);
                }
                Some(Some(text)) => (name, text),
            },
            Reference::Variable(Space::Var, name) => {
                let value = own.and_then(|own| own.get(name)).or_else(|| self.variables.get(name));
                match value {
                    None if self.opaque => return,
                    None => {
                        let message = format!(
                            "{written} has no value when the action starts: nothing here registers \
                             {name:?}{}",
                            self.meant(name, &HashSet::new())
                        );
                        let severity = self.severity();
                        return self.findings.push(Finding::new(
                            NOT_A_NUMBER,
                            severity,
                            message,
                            place.clone(),
                        ));
                    }
                    Some(value) => (name, value.to_text()),
                }
            }
            _ => {
                let message = format!(
                    "{written} has no value when the action starts; a number may come from \
                     ${{env.NAME}} or ${{var.NAME}}"
                );
                return found(NOT_A_NUMBER, Severity::Error, message);
            }
        };
        let is_number = Value::parse(text.trim()).is_ok_and(|value| value.as_f64().is_some());
        if !is_number {
            let message = format!("{written} is {}, which is no number", shown(name, &text));
            found(NOT_A_NUMBER, Severity::Error, message);
        }
    }
}

/// Why a variable of the environment has no value, and what to do. Where documents are checked that run
/// here, they may read all but those of ldctl itself.
fn unavailable(name: &str) -> (&'static str, &'static str) {
    match std::env::var_os(name) {
        None => ("is not set", "export it"),
        Some(_) => ("may not be read by documents", "use another one"),
    }
}

/// The first of these variables that a value mentions, at any depth.
fn mentioned<'a>(value: &Value, variables: &[(Space, &'a str)]) -> Option<&'a str> {
    match value {
        Value::Str(text) => references(text).find_map(|(_, reference)| {
            let Reference::Variable(space, name) = reference else { return None };
            let known = variables.iter().find(|known| **known == (space, name));
            known.map(|(_, name)| *name)
        }),
        Value::List(items) => items.iter().find_map(|item| mentioned(item, variables)),
        Value::Dict(members) => members.values().find_map(|item| mentioned(item, variables)),
        _ => None,
    }
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
