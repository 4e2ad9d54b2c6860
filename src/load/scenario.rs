//! What a user does: the tasks of `on_start` once, then in each iteration every task in order, or one
//! drawn by weight; tasks whose condition does not hold are skipped. A [`Task`] is what the engine itself needs of a task; the
//! rest belongs to the protocol's driver, under the same index.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::conditioner::Conditioner;
use super::limits::{MOST_SECONDS, TestLimits};
use super::pacer::{WAIT, Wait, seconds};
use super::predicate::{CONDITION, Predicate};
use super::template::{Compiler, Draft, Linker, Scope, Template};
use super::throttle::Throttle;
use crate::value::{Field, Invalid, Kind, Literal, Object, Reader, Value};

/// The shortest pause before a user retries a target that it could not reach.
const LEAST_DELAY: Duration = Duration::from_millis(10);

/// `{"mode": …, "on_start": […], "tasks": […]}`, except the tasks.
pub const FORM: &[Field] = &[
    Field::optional(
        "mode",
        Kind::OneOf(&["sequence", "weighted", "conditional"]),
        "Whether an iteration runs all tasks in order, or one task drawn by weight.",
    )
    .note(
        "`conditional` is another word for `sequence`; `run_if` and `skip_if` work in every mode.",
    )
    .or(Literal::Text("sequence")),
    Field::optional(
        "on_start",
        Kind::Any,
        "Tasks that each virtual user runs once, in order, before its first iteration.",
    )
    .note(
        "In the forms of `tasks`, with all their fields but `weight`. Their requests are recorded \
         like others; they are no iteration, and a failed one does not stop the user.",
    )
    .example(
        r#"[{"method": "post", "request_url": "/login",
  "extract": [{"var": "token", "path": "token"}]}]"#,
    ),
    Field::required("tasks", Kind::Any, "The tasks: a list, or an object whose keys are methods."),
];

/// The engine's own fields of a task; the others are the protocol's.
pub const STEP: &[Field] = &[
    Field::optional(
        "name",
        Kind::Scalar,
        "The name that its requests are reported under; also the default key of its throttle.",
    )
    .otherwise(
        "the URL as it is written (`http_user`: path and query as they are sent), or the target of a \
         task that is not HTTP",
    )
    .example("\"list items\""),
    Field::optional("weight", Kind::Count, "The relative frequency of the task in weighted mode.")
        .or(Literal::Int(1))
        .note("It has no effect in other modes, nor in a plain list. 0: never."),
    Field::optional("run_if", CONDITION, "The task runs only if this holds.")
        .note(
            "A text counts as false when it is blank, `false`, `0`, `no`, `none`, `null` or a \
         placeholder without a value.",
        )
        .example(r#"{"equals": ["${status}", "open"]}"#),
    Field::optional("skip_if", CONDITION, "The task is skipped if this holds.")
        .example("\"${token}\""),
    Field::optional("think_time", WAIT, "How long the user waits after the task.")
        .otherwise("0")
        .unit("seconds")
        .example(r#"{"min": 0.5, "max": 2}"#),
    Field::optional(
        "throttle",
        Kind::Object(&[THROTTLE]),
        "A request rate that all users with the same key share.",
    )
    .example(r#"{"rps": 50, "key": "search"}"#),
    Field::optional(
        "retry",
        Kind::Object(&[RETRY]),
        "How often a failed task is retried, and after which delay.",
    )
    .otherwise("no retries")
    .note("Every attempt is recorded as a request.")
    .example(r#"{"transient": 2, "flaky": 0}"#),
];

const THROTTLE: &[Field] = &[
    Field::optional("key", Kind::Text, "Tasks with the same key share the rate.")
        .otherwise("the task's name"),
    Field::required("rps", Kind::Rate, "Requests per second."),
    Field::optional(
        "burst",
        Kind::Between(1, i64::MAX),
        "Requests that may start immediately after a pause.",
    )
    .otherwise("those of one second"),
];

const RETRY: &[Field] = &[
    Field::optional("transient", Kind::Count, "Retries after connection failures and timeouts.")
        .or(Literal::Int(5)),
    Field::optional("flaky", Kind::Count, "Retries after failed assertions.").or(Literal::Int(2)),
    Field::optional("permanent", Kind::Count, "Retries after error responses.").or(Literal::Int(0)),
    Field::optional("base_delay", Kind::Seconds, "The first delay.").or(Literal::Float(0.1)),
    Field::optional("max_delay", Kind::Seconds, "The longest delay.").or(Literal::Float(5.0)),
    Field::optional(
        "backoff_factor",
        Kind::Number,
        "The factor by which each delay is longer than the previous one.",
    )
    .or(Literal::Float(2.0)),
    Field::optional("jitter", Kind::Number, "The fraction of a delay that is random.")
        .or(Literal::Float(0.25)),
];

/// What one iteration consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskOrder {
    /// Every task in order (`sequence`, and its synonym `conditional`).
    Sequence,
    /// One task, drawn by weight.
    Weighted,
}

/// A test's tasks and their order in an iteration.
#[derive(Debug)]
pub struct Scenario<T = Template> {
    mode: TaskOrder,
    /// Those of `on_start`, then those of iterations.
    tasks: Vec<Task<T>>,
    /// The number of those of `on_start`.
    first: usize,
    /// The cumulative weights up to and including each task.
    weights: Vec<u64>,
}

/// What the engine needs to know of a task.
#[derive(Debug)]
pub struct Task<T = Template> {
    weight: u64,
    run_if: Option<Predicate<T>>,
    skip_if: Option<Predicate<T>>,
    /// How long the user waits after it.
    pub think: Option<Wait>,
    /// The rate that it shares with others.
    pub throttle: Option<Arc<Throttle>>,
    /// How it is retried, if at all.
    pub retry: Option<Retry>,
    /// What it is called in warnings.
    title: String,
    /// The placeholders in its requests that have a value or none for the whole test; when it is
    /// linked, those that have none.
    constants: Vec<Box<str>>,
    /// Whether there are any of these.
    pub unresolved: bool,
    /// The simulated network that its requests pass, if there is one.
    pub network: Option<Arc<Conditioner>>,
}

/// A task as the document writes it, in any of the three forms.
#[derive(Debug)]
pub struct TaskSource<'a> {
    /// Its key in the form `{"get": {…}}`; the protocol interprets it.
    pub key: Option<&'a str>,
    /// The task.
    pub fields: Reader<'a>,
}

impl TaskSource<'_> {
    /// Its name as the document writes it, or where it goes, without one.
    pub fn written(&self) -> String {
        let keys = ["name", "request_url", "url", "target"];
        let members = keys.iter().filter_map(|key| self.fields.value().get(key));
        members.filter(|value| value.is_truthy()).map(Value::to_text).next().unwrap_or_default()
    }
}

/// The tasks of a test as the document writes them.
#[derive(Debug)]
pub struct TaskSources<'a> {
    /// How iterations run theirs.
    pub mode: TaskOrder,
    /// How many of them belong to `on_start`; they come first.
    pub first: usize,
    /// All of them.
    pub tasks: Vec<TaskSource<'a>>,
}

/// Parses `tasks` in any of its three forms: a list; `{"mode": …, "tasks": […]}`; `{"get": {…}}`.
pub fn tasks<'a>(field: &Reader<'a>, limits: &TestLimits) -> Result<TaskSources<'a>, Invalid> {
    let mut mode = TaskOrder::Sequence;
    let mut tasks = Vec::new();
    let mut list = field.clone();
    if let Value::Dict(members) = field.value()
        && matches!(members.get("tasks"), Some(Value::List(_) | Value::Dict(_)))
    {
        let mut fields = field.fields(FORM)?;
        if let Some(place) = fields.present("mode") {
            mode = match place.text()?.to_ascii_lowercase().as_str() {
                "sequence" | "conditional" => TaskOrder::Sequence,
                "weighted" => TaskOrder::Weighted,
                _ => return Err(place.choice(&["sequence", "weighted", "conditional"])),
            };
        }
        if let Some(place) = fields.present("on_start") {
            tasks = sources(&place)?;
        }
        list = fields.required("tasks")?;
        fields.finish()?;
    }
    let first = tasks.len();
    tasks.append(&mut sources(&list)?);
    limits.tasks(tasks.len(), &list)?;
    Ok(TaskSources { mode, first, tasks })
}

/// Whether a value is a task, and no object whose keys are methods.
fn is_one_task(value: &Value) -> bool {
    let Value::Dict(members) = value else { return false };
    let has_text = |key: &str| matches!(members.get(key), Some(Value::Str(_)));
    ["method", "request_url", "url"].into_iter().any(has_text)
}

/// The tasks of a list, or of an object whose keys are methods.
fn sources<'a>(list: &Reader<'a>) -> Result<Vec<TaskSource<'a>>, Invalid> {
    if is_one_task(list.value()) {
        return Err(list.invalid("expected a list of tasks; put the task into [ ]"));
    }
    let sources: Vec<TaskSource<'a>> = match list.value() {
        Value::Dict(_) => list
            .object()?
            .entries()
            .into_iter()
            .map(|(key, fields)| TaskSource { key: Some(key), fields })
            .collect(),
        _ => list.list()?.into_iter().map(|fields| TaskSource { key: None, fields }).collect(),
    };
    if sources.is_empty() {
        return Err(list.invalid("expected at least one task"));
    }
    Ok(sources)
}

/// The throttles of a plan by their keys.
pub type Throttles = HashMap<String, Arc<Throttle>>;

impl Task<Draft> {
    /// Takes the engine's fields out of a task.
    pub fn parse(
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
        throttles: &mut Throttles,
    ) -> Result<Self, Invalid> {
        let weight = fields.or_default("weight", |weight| weight.integer(0))?;
        let mut condition = |key| {
            fields.if_present(key, |field| {
                compiler.aside(|compiler| Predicate::parse(field, compiler))
            })
        };
        let (run_if, skip_if) = (condition("run_if")?, condition("skip_if")?);
        let think = fields.if_present("think_time", Wait::parse)?;
        let throttle = match fields.present("throttle") {
            Some(field) => Some(throttle(&field, fields.present("name"), throttles)?),
            None => None,
        };
        let retry = fields.if_present("retry", Retry::parse)?;
        let (title, constants, unresolved) = (String::new(), Vec::new(), false);
        Ok(Self {
            weight,
            run_if,
            skip_if,
            think,
            throttle,
            retry,
            network: None,
            title,
            constants,
            unresolved,
        })
    }

    /// Keeps what it is called: its name, else its target, else its number in the test.
    pub fn keep_title(&mut self, written: &Value, number: usize) {
        let text =
            |key: &&str| written.get(key).map(Value::to_text).filter(|text| !text.is_empty());
        let title = ["name", "request_url", "url", "target"].iter().find_map(text);
        self.title = title.map_or_else(|| number.to_string(), |title| format!("{title:?}"));
    }

    /// Keeps the placeholders in its requests that have a value or none for the whole test.
    pub fn keep_constants(&mut self, written: Vec<Box<str>>) {
        self.constants = written;
    }

    /// Links the task.
    pub fn link(self, linker: &mut Linker<'_>) -> Result<Task, Invalid> {
        let Self {
            weight,
            run_if,
            skip_if,
            think,
            throttle,
            retry,
            network,
            title,
            constants,
            unresolved,
        } = self;
        Ok(Task {
            weight,
            run_if: run_if.map(|condition| condition.link(linker)).transpose()?,
            skip_if: skip_if.map(|condition| condition.link(linker)).transpose()?,
            think,
            throttle,
            retry,
            title,
            constants,
            unresolved,
            network,
        })
    }
}

/// What has become of a task in a test so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// No user has come to it.
    #[default]
    Unreached,
    /// Its conditions have not held so far.
    Skipped,
    /// It has run.
    Ran,
}

/// Why a task is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// Its `run_if` does not hold.
    RunIf,
    /// Its `skip_if` holds.
    SkipIf,
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::RunIf => "its run_if does not hold",
            Self::SkipIf => "its skip_if holds",
        })
    }
}

impl Task {
    /// Whether the document switches it off.
    fn is_off(&self) -> bool {
        matches!(self.run_if, Some(Predicate::Constant(false)))
            || matches!(self.skip_if, Some(Predicate::Constant(true)))
    }

    /// Whether its conditions let it run.
    pub fn runs(&self, scope: &mut Scope) -> bool {
        self.skipped(scope).is_none()
    }

    /// Why its conditions do not let it run, unless they do.
    pub fn skipped(&self, scope: &mut Scope) -> Option<Skipped> {
        // Each condition is an execution of its own, for which CSV sources supply the next row.
        let mut holds = |condition: &Predicate| {
            scope.begin_condition();
            condition.holds(scope)
        };
        if !self.run_if.as_ref().is_none_or(&mut holds) {
            return Some(Skipped::RunIf);
        }
        self.skip_if.as_ref().is_some_and(holds).then_some(Skipped::SkipIf)
    }
}

/// The throttle under its key or, without one, under the task's name.
fn throttle(
    field: &Reader<'_>,
    name: Option<Reader<'_>>,
    throttles: &mut Throttles,
) -> Result<Arc<Throttle>, Invalid> {
    let mut fields = field.fields(THROTTLE)?;
    let written = |field: Option<Reader<'_>>| {
        field.map(|field| field.value().to_text()).filter(|text| !text.is_empty())
    };
    let key = written(fields.present("key")).or_else(|| written(name));
    let key = key.unwrap_or_else(|| "default".to_owned());
    let rps = fields.required("rps")?.positive()?;
    let burst = match fields.present("burst") {
        Some(burst) => burst.integer(1)?,
        None => (rps as u64).max(1),
    };
    fields.finish()?;
    // The first task with a key determines its rate.
    Ok(Arc::clone(throttles.entry(key).or_insert_with(|| Arc::new(Throttle::new(rps, burst)))))
}

impl Scenario<Draft> {
    /// Links the scenario.
    pub fn link(self, linker: &mut Linker<'_>) -> Result<Scenario, Invalid> {
        let Self { mode, tasks, first, weights } = self;
        let tasks = tasks.into_iter().map(|step| step.link(linker)).collect::<Result<_, _>>()?;
        Ok(Scenario { mode, tasks, first, weights })
    }
}

impl<T> Scenario<T> {
    /// A scenario of these tasks, of which the `first` ones belong to `on_start`.
    pub fn new(mode: TaskOrder, first: usize, tasks: Vec<Task<T>>) -> Self {
        let mut sum = 0u64;
        let weights = tasks
            .iter()
            .enumerate()
            .map(|(index, step)| {
                // Those of `on_start` are never drawn.
                sum = sum.saturating_add(if index < first { 0 } else { step.weight });
                sum
            })
            .collect();
        Self { mode, tasks, first, weights }
    }
}

impl Scenario {
    /// Puts a simulated network before the tasks that it concerns; they have these names.
    pub fn pass<'a>(
        &mut self,
        network: &Arc<Conditioner>,
        names: impl IntoIterator<Item = &'a str>,
    ) {
        for (task, name) in self.tasks.iter_mut().zip(names) {
            task.network = network.concerns(name).then(|| Arc::clone(network));
        }
    }

    /// The tasks.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// Notes which tasks have placeholders that no user has a value for, once all are linked.
    pub(super) fn note_unresolved(&mut self, linker: &Linker<'_>) {
        for task in &mut self.tasks {
            task.constants.retain(|written| linker.lacks(written));
            task.unresolved = !task.constants.is_empty();
        }
    }

    /// The placeholders that no user has a value for, in the tasks for which this is so.
    pub(super) fn unresolved(
        &self,
        have_run: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = &str> {
        let tasks = self.tasks.iter().enumerate().filter(move |(index, _)| have_run(*index));
        tasks.flat_map(|(_, task)| &task.constants).map(|written| &**written)
    }

    /// A warning for each reason why tasks never ran, unless the document says that they should not.
    pub(super) fn idle_warnings(&self, fates: &[Fate]) -> Vec<String> {
        let weighted = self.mode == TaskOrder::Weighted;
        let mut reasons = [
            ("its conditions did not hold", Vec::new()),
            ("no iteration drew it", Vec::new()),
            ("no user got that far", Vec::new()),
        ];
        for (index, task) in self.tasks.iter().enumerate() {
            let drawn = weighted && index >= self.first;
            let reason = match fates.get(index) {
                _ if task.is_off() || drawn && task.weight == 0 => continue,
                Some(Fate::Ran) => continue,
                Some(Fate::Skipped) => 0,
                _ if drawn => 1,
                _ => 2,
            };
            if let Some((_, titles)) = reasons.get_mut(reason) {
                titles.push(task.title.as_str());
            }
        }
        let warning = |(reason, titles): (&str, Vec<&str>)| match titles.as_slice() {
            [] => None,
            [one] => Some(format!("task {one} never ran: {reason}")),
            [first, others @ ..] => {
                let count = others.len();
                Some(format!("task {first} and {count} more never ran, each because {reason}"))
            }
        };
        reasons.into_iter().filter_map(warning).collect()
    }

    /// The indices of the tasks that a user runs before its first iteration.
    pub fn on_start(&self) -> std::ops::Range<usize> {
        0..self.first
    }

    /// The indices of the tasks that one iteration runs.
    pub fn iteration(&self, random: &mut fastrand::Rng) -> std::ops::Range<usize> {
        match self.mode {
            TaskOrder::Sequence => self.first..self.tasks.len(),
            TaskOrder::Weighted => {
                let total = self.weights.last().copied().unwrap_or(0);
                if total == 0 {
                    return 0..0;
                }
                let drawn = random.u64(..total);
                let at = self.weights.partition_point(|sum| *sum <= drawn);
                at..at + 1
            }
        }
    }
}

/// Why an attempt failed; each kind has its own retry budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The attempt passed.
    Passed,
    /// The connection failed or timed out: worth many retries.
    Transient,
    /// An assertion failed: worth a few retries.
    Flaky,
    /// The target responded with an error: a retry rarely changes that.
    Permanent,
}

/// `retry`: how often a failed task is retried, per kind of failure, and the delays in between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    transient: u64,
    flaky: u64,
    permanent: u64,
    base_delay: f64,
    max_delay: f64,
    backoff_factor: f64,
    jitter: f64,
}

impl Retry {
    fn parse(field: &Reader<'_>) -> Result<Self, Invalid> {
        let mut fields = field.fields(RETRY)?;
        let mut count = |key: &str| fields.or_default(key, |field| field.integer(0));
        let (transient, flaky, permanent) =
            (count("transient")?, count("flaky")?, count("permanent")?);
        let mut number = |key: &str| fields.or_default(key, seconds);
        let (base_delay, max_delay) = (number("base_delay")?, number("max_delay")?);
        let (backoff_factor, jitter) = (number("backoff_factor")?, number("jitter")?);
        fields.finish()?;
        Ok(Self { transient, flaky, permanent, base_delay, max_delay, backoff_factor, jitter })
    }

    /// The delay before the next attempt after `attempt` attempts (counted from 1), `used` of them
    /// retries for the same kind of failure; `None` when the budget is used up.
    pub fn delay(
        &self,
        verdict: Verdict,
        used: u64,
        attempt: u32,
        random: &mut fastrand::Rng,
    ) -> Option<Duration> {
        let budget = match verdict {
            Verdict::Passed => 0,
            Verdict::Transient => self.transient,
            Verdict::Flaky => self.flaky,
            Verdict::Permanent => self.permanent,
        };
        if used >= budget {
            return None;
        }
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let delay = (self.base_delay * self.backoff_factor.powi(exponent)).min(self.max_delay);
        let delay = delay + delay * self.jitter * random.f64();
        let delay = Duration::from_secs_f64(delay.min(MOST_SECONDS));
        // Without a target an attempt costs nothing, so a large budget without a delay would spin.
        let least = if verdict == Verdict::Transient { LEAST_DELAY } else { Duration::ZERO };
        Some(delay.max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::Bindings;
    use super::*;

    fn step(json: &str) -> Result<Task<Draft>, Invalid> {
        let value = Value::parse(json).expect("JSON");
        let mut fields = Reader::at(&value, "/tasks/2").fields(STEP)?;
        let step = Task::parse(&mut fields, &mut Compiler::default(), &mut Throttles::default())?;
        fields.finish()?;
        Ok(step)
    }

    fn linked(tasks: Vec<Task<Draft>>) -> Vec<Task> {
        let mut linker = Linker::new(Compiler::default(), Bindings::NONE);
        tasks.into_iter().map(|step| step.link(&mut linker).expect("a step")).collect()
    }

    #[test]
    fn tasks_are_drawn_in_proportion_to_their_weights() {
        let tasks = ["{\"weight\": 1}", "{\"weight\": 0}", "{\"weight\": 3}"];
        let tasks = tasks.iter().map(|json| step(json).expect("a step")).collect();
        let tasks = linked(tasks);
        let scenario = Scenario::new(TaskOrder::Weighted, 0, tasks);
        let mut random = fastrand::Rng::with_seed(5);
        let mut counts = [0; 3];
        for _ in 0..4000 {
            counts[scenario.iteration(&mut random).start] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((900..1100).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn a_wrong_weight_is_refused_with_its_place() {
        assert_eq!(
            step(r#"{"weight": "x"}"#).unwrap_err().to_string(),
            "/tasks/2/weight: expected an integer of at least 0, got \"x\""
        );
    }

    #[test]
    fn retries_back_off_within_their_budget() {
        let step =
            step(r#"{"retry": {"flaky": 1, "jitter": 0, "base_delay": 1}}"#).expect("a step");
        let retry = step.retry.expect("a retry");
        let mut random = fastrand::Rng::with_seed(1);
        let mut delay = |verdict, used, attempt| {
            retry.delay(verdict, used, attempt, &mut random).map(|delay| delay.as_secs())
        };
        assert_eq!(delay(Verdict::Transient, 0, 1), Some(1));
        assert_eq!(delay(Verdict::Transient, 1, 2), Some(2));
        assert_eq!(delay(Verdict::Transient, 4, 5), Some(5));
        assert_eq!(delay(Verdict::Transient, 5, 6), None);
        assert_eq!(delay(Verdict::Flaky, 1, 2), None);
        assert_eq!(delay(Verdict::Permanent, 0, 1), None);
    }

    #[test]
    fn all_three_forms_of_tasks_are_equivalent() {
        let limits = TestLimits::default();
        for (json, places, mode) in [
            (r#"[{"method": "get"}]"#, &["/tasks/0"][..], TaskOrder::Sequence),
            (r#"{"get": {}, "post": {}}"#, &["/tasks/get", "/tasks/post"], TaskOrder::Sequence),
            (
                r#"{"mode": "weighted", "tasks": [{}, {}]}"#,
                &["/tasks/tasks/0", "/tasks/tasks/1"],
                TaskOrder::Weighted,
            ),
            (r#"{"tasks": {"get": {}}}"#, &["/tasks/tasks/get"], TaskOrder::Sequence),
            (
                r#"{"tasks": [{}], "on_start": [{}]}"#,
                &["/tasks/on_start/0", "/tasks/tasks/0"],
                TaskOrder::Sequence,
            ),
        ] {
            let value = Value::parse(json).expect("JSON");
            let found = tasks(&Reader::at(&value, "/tasks"), &limits).expect("tasks");
            let written: Vec<String> =
                found.tasks.iter().map(|task| task.fields.pointer()).collect();
            assert_eq!(written, places, "{json}");
            assert_eq!(found.mode, mode, "{json}");
            assert_eq!(found.first, usize::from(json.contains("on_start")), "{json}");
        }
        for (json, place) in
            [("[]", "/tasks"), (r#"{"tasks": [{}], "on_start": []}"#, "/tasks/on_start")]
        {
            let value = Value::parse(json).expect("JSON");
            assert_eq!(
                tasks(&Reader::at(&value, "/tasks"), &limits).unwrap_err().to_string(),
                format!("{place}: expected at least one task")
            );
        }
    }

    #[test]
    fn a_task_that_is_in_no_list_is_refused_with_what_to_do() {
        let refusal = |json: &str| {
            let value = Value::parse(json).expect("JSON");
            let refused = tasks(&Reader::at(&value, "/tasks"), &TestLimits::default());
            refused.err().map(|invalid| invalid.to_string())
        };
        let expected = "expected a list of tasks; put the task into [ ]";
        for task in [r#"{"method": "get", "request_url": "/"}"#, r#"{"url": "/", "name": "n"}"#] {
            assert_eq!(refusal(task), Some(format!("/tasks: {expected}")));
            let form = format!(r#"{{"mode": "weighted", "tasks": {task}}}"#);
            assert_eq!(refusal(&form), Some(format!("/tasks/tasks: {expected}")));
        }
        // The reference's old form: methods and their tasks.
        assert_eq!(refusal(r#"{"get": {"request_url": "/"}, "post": {"request_url": "/"}}"#), None);
    }
}
