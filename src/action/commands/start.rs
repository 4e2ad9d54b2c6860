//! `LD_start_test`: parses a load test from its arguments, checks all of it, and runs it. Mistakes
//! are refused here with their place, before the first user starts.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::clustered::{MODES, Mode, OF_CLUSTERS, Part, not_run};
use super::connections::Connections;
use super::resolver::{self, CSV_SOURCES, CsvSource, csv_sources, variables};
use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration, Parsed, START_TEST};
use crate::action::context::Context;
use crate::action::delegated::{DelegatedTest, Ending, NEEDS};
use crate::action::installed::Installed;
use crate::action::loaddensity::is_user;
use crate::action::rules::Engine;
use crate::event::{Failure, FailureKind, title};
use crate::load::pacer::{ARRIVALS, Pacing, WAIT, Wait};
use crate::load::shape::{SHAPE, SHAPES, Shape};
use crate::load::template::Bindings;
use crate::load::{self, Progress, Runnable, Settings, Streamed, Trace};
use crate::memory::Share;
use crate::protocol::{
    PROXY, Setup, USER_NAMES, USERS as USER_KINDS, UserKind, Workload, own_limits,
};
use crate::record::budget::FailureBudget;
use crate::record::gates::{ABORT_RULES, AbortOn};
use crate::record::{Conditions, ErrorCount, Errors, Recording, Records, Summary};
use crate::redact;
use crate::report::html;
use crate::report::kept::{self, OfTest};
use crate::run::Lease;
use crate::value::field::Relation;
use crate::value::{Field, Invalid, Kind, Literal, Map, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[Declaration::named(
    START_TEST,
    "Runs a load test to its end and keeps its records.",
    FIELDS,
    parse,
)
.text(
    "Each of `user_count` virtual users repeats an iteration: all tasks in order \
         (`sequence`, the default), or one task drawn by weight (`weighted`). After an \
         iteration it waits for `wait_time`, by default 0.1 to 0.2 s, so that 10 users make at \
         most about 66 iterations per second. `\"wait_time\": 0` repeats without a wait.\n\
         \n\
         How many users run follows from `user_count`, `spawn_rate` and `test_time`, or from \
         `load_shape`. With `arrival_rate` iterations start at a rate instead, whatever the \
         target does; `user_count`, `spawn_rate` and `wait_time` have no effect then.\n\
         \n\
         The action returns when the test is over. It fails if no request succeeded, if a gate \
         of `abort_on` failed, and if it was stopped. Failed requests alone are no failure: use \
         `LD_assert_sla` or `abort_on`.\n\
         \n\
         See also the concepts `users`, `tasks`, `shapes`, `placeholders` and `checks`.",
)
.returns(
    "The arguments as an object: `user_detail`, `user_count`, `spawn_rate`, `test_time`, \
         `web_ui`, `runner_mode`. In JSON output also `summary`, with every name, `errors`, and \
         whether the test was stopped early.",
)
.example(
    r#"["LD_start_test", {
  "user_detail_dict": {"user": "fast_http_user", "host": "http://localhost:8080"},
  "user_count": 10,
  "spawn_rate": 10,
  "test_time": 30,
  "tasks": [
    {"method": "get", "request_url": "/items", "name": "list items"},
    {"method": "post", "request_url": "/items", "name": "create item",
     "json": {"name": "${faker.word}"}}
  ]
}]"#,
)];

pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "user_detail_dict",
        Kind::Advised(&[USER]),
        "The kind of virtual user, and its host.",
    )
    .example(r#"{"user": "fast_http_user", "host": "http://localhost:8080"}"#),
    Field::optional("user_count", Kind::Count, "The number of virtual users.")
        .or(Literal::Int(USERS))
        .note("It is ignored with load_shape and arrival_rate, which have their own."),
    Field::optional("spawn_rate", Kind::Rate, "Users started per second.")
        .or(Literal::Int(SPAWN_RATE))
        .note("It is ignored with load_shape and arrival_rate."),
    Field::optional(
        "test_time",
        Kind::Seconds,
        "The duration of the test; null without a load_shape means until it is stopped.",
    )
    .or(Literal::Int(TEST_TIME))
    .note(
        "It is ignored with load_shape, which ends the test with its last part. \
         --max-test-time limits it.",
    ),
    Field::optional("web_ui_dict", Kind::MEMBERS, "Ignored: accepted and echoed, without effect."),
    Field::optional("runner_mode", MODES, "The part of the test in a cluster.")
        .or(Literal::Text("local"))
        .note(
            "A worker's users are commanded by a master; user_count, spawn_rate, test_time and \
         load_shape have no effect then. A master deals its users out to workers and performs no \
         task; its record is the sum of theirs. In a cluster arrival_rate and iterations are refused.",
        ),
    Field::optional("load_shape", SHAPES, "How the number of users changes over time.")
        .note("See the concept `shapes`.")
        .example("\"stages\""),
    Field::optional("shape_config", Kind::Object(&[SHAPE]), "The parameters of the load_shape.")
        .relation(Relation::Needs("load_shape"))
        .example(
            r#"{"stages": [{"duration": 30, "users": 20, "spawn_rate": 2}, {"duration": 60,
  "users": 20}]}"#,
        ),
    Field::optional("tasks", Kind::Tasks, "The tasks of one iteration; required.")
        .note(
            "A list; or an object with `mode` and `tasks`; or an object whose keys are \
         methods. See the concept `tasks`.",
        )
        .example(
            r#"{"mode": "weighted", "tasks": [{"method": "get", "request_url": "/",
  "weight": 3}, {"method": "get", "request_url": "/items", "weight": 1}]}"#,
        ),
    Field::optional("variables", Kind::MEMBERS, "Variables to set, as LD_register_variables does.")
        .example(r#"{"base": "/v2"}"#),
    Field::optional(
        "csv_sources",
        CSV_SOURCES,
        "CSV sources to register, as LD_register_csv_sources does.",
    )
    .or(Literal::List)
    .example(r#"[{"name": "users", "file_path": "users.csv"}]"#),
    Field::optional("wait_time", WAIT, "How long a user waits after an iteration.")
        .otherwise("0.1 to 0.2")
        .unit("seconds")
        .note(
            "With the default 10 users make at most about 66 iterations per second; 0 repeats \
         without a wait. It is ignored with arrival_rate.",
        )
        .example(r#"{"min": 1, "max": 3}"#),
    Field::optional(
        "arrival_rate",
        Kind::Object(&[ARRIVALS]),
        "An open model: iterations start at a rate, whatever the target does.",
    )
    .relation(Relation::Excludes("load_shape"))
    .note(
        "The rate counts iterations, not requests: with two tasks in sequence, 200 per \
         second make 400 requests per second. Latency counts from the intended start.",
    )
    .example(r#"{"rate": 200, "max_users": 100}"#),
    Field::optional("http2", Kind::Boolean, "Whether to use HTTP/2, or offer it with TLS.")
        .or(Literal::Bool(false)),
    Field::optional("proxy", PROXY, "The proxy's URL, false for none, or a URL for each scheme.")
        .otherwise("that of the environment")
        .example("\"http://proxy.example:3128\""),
    Field::optional(
        "record_bodies",
        Kind::Boolean,
        "Whether to keep the response bodies of failed requests.",
    )
    .or(Literal::Bool(false))
    .note("Up to 4 KiB of each."),
    Field::optional("abort_on", ABORT_RULES, "Gates that end the test as soon as one fails.")
        .or(Literal::List)
        .note("They are checked once a second; the action fails then. See the concept `gates`.")
        .example(r#"[{"type": "failure_rate", "value": 0.5}]"#),
    Field::optional(
        "iterations",
        Kind::Between(1, i64::MAX),
        "How many iterations all users make together; the test ends with them, or with its time.",
    ),
    Field::optional(
        "seed",
        Kind::Count,
        "The seed of random choices, which makes tests repeatable.",
    )
    .otherwise("a random one"),
    Field::optional(
        "host",
        Kind::Text,
        "The default host of tasks; takes precedence over the user's.",
    )
    .otherwise("that of user_detail_dict"),
    Field::optional("engine", Kind::OneOf(&ENGINES), "Ignored: there is one engine."),
    Field::optional(
        "connection",
        Kind::MEMBERS,
        "For a redis_user where its server is, as `url`: `redis://user:password@host:port/database`.",
    )
    .note(
        "`rediss://` with TLS. In a test of the executor's Python: fields that every task has unless \
         it says so itself.",
    )
    .example(r#"{"url": "redis://localhost:6379/0"}"#),
    Field::optional("connection_string", Kind::Text, "The database of a sql_user.").note(IN_PYTHON),
    Field::optional("bootstrap_servers", Kind::Any, "The brokers of a kafka_user.").note(IN_PYTHON),
    Field::optional(
        "db_sources",
        Kind::List(&Kind::MEMBERS),
        "Databases behind ${db.NAME.COLUMN}.",
    )
    .note(IN_PYTHON),
    Field::optional(
        "master_bind_host",
        Kind::Text,
        "Ignored in local mode. For a master: the address that it waits for workers on.",
    )
    .note(
        "By default 127.0.0.1, where the reference listens on every address. Others, and * for every \
         one, need --allow-listen or --master-bind-host: workers are not authenticated.",
    ),
    Field::optional(
        "master_bind_port",
        Kind::Port,
        "Ignored in local mode. For a master: the port that it waits for workers on, by default 5557.",
    ),
    Field::optional(
        "master_host",
        Kind::Text,
        "Ignored in local mode. For a worker: the master's host, by default 127.0.0.1.",
    ),
    Field::optional(
        "master_port",
        Kind::Port,
        "Ignored in local mode. For a worker: the master's port, by default 5557.",
    ),
    Field::optional(
        "expected_workers",
        Kind::Count,
        "Ignored in local mode. For a master: how many workers the test waits for, at least 1.",
    ),
    Field::optional(
        "worker_startup_timeout",
        Kind::Seconds,
        "Ignored in local mode. For a master: how long it waits for them, by default 60.",
    ),
    Field::optional(
        "worker_heartbeat_interval",
        Kind::Seconds,
        "Ignored in local mode. For a master: less than worker_lost_timeout, by default 5.",
    ),
    Field::optional(
        "worker_lost_timeout",
        Kind::Seconds,
        "Ignored in local mode. For a master: how long a worker may be silent before its users go to \
         others, by default 15.",
    ),
    Field::optional(
        "worker_startup_policy",
        Kind::Text,
        "Ignored in local mode. For a master: fail, the default, or degraded, to start with those that \
         are there.",
    ),
];

/// What is said of arguments that only tests in the executor's Python have.
const IN_PYTHON: &str = "Only with --executor: such a test runs in Python.";

/// Those arguments.
const OF_PYTHON: [&str; 4] = ["connection", "connection_string", "bootstrap_servers", "db_sources"];

/// Arguments that tests in the executor's Python do not have, besides [`WITHOUT_EFFECT`].
const NOT_OF_PYTHON: [&str; 6] =
    ["wait_time", "http2", "proxy", "record_bodies", "seed", "abort_on"];

/// The reference's engines.
const ENGINES: [&str; 2] = ["locust", "asyncio"];

/// Arguments of the reference without effect here: its web page, and its choice of engine.
const WITHOUT_EFFECT: [&str; 2] = ["web_ui_dict", "engine"];

const USER: &[Field] = &[
    Field::optional("user", Kind::OneOf(&USER_NAMES), "The kind of user.")
        .or(Literal::Text("fast_http_user"))
        .note("See the concept `users`."),
    Field::optional(
        "host",
        Kind::Text,
        "The default host of tasks: the URL that relative ones are added to.",
    )
    .alias("base_url")
    .otherwise("http://localhost")
    .note(
        "For a socket_user it is `host:port`, `tcp://host:port` or `udp://host:port`, for a \
         websocket_user a `ws://` or `wss://` URL, for a redis_user a `redis://` or `rediss://` URL.",
    )
    .example("\"http://localhost:8080\""),
];

/// The default number of users.
pub(crate) const USERS: i64 = 50;

/// The default number of users started per second.
pub(crate) const SPAWN_RATE: i64 = 10;

/// The default duration in seconds.
pub(crate) const TEST_TIME: i64 = 60;

/// The fastest ramp, in users per second.
const MAX_SPAWN_RATE: f64 = 1e9;

/// Errors that the result lists.
const MOST_ERRORS: usize = 20;

/// Errors that are kept with the run.
const KEPT_ERRORS: usize = 100;

/// The warning of a test that was not alone.
const SHARED: &str =
    "another test ran at the same time (--max-tests); each disturbs what the other measures";

/// The warning of a test in Python.
const UNCONDITIONED: &str =
    "the simulated network (LD_install_network_conditioner) has no effect in the executor's Python";

/// The failure of a test that was stopped from outside.
const CANCELLED: &str = "cancelled before its end; the figures are partial";

/// A test with parsed arguments. Its tasks are linked when it runs, because earlier actions may
/// register or write what they refer to.
#[derive(Debug)]
pub(super) struct StartTest {
    echo: Value,
    /// Whether it runs until it is stopped; then its shape ends with the limit.
    endless: bool,
    shape: Shape,
    pacing: Pacing,
    work: Work,
    variables: Map,
    sources: Vec<CsvSource>,
    keep_bodies: bool,
    abort_on: AbortOn,
    iterations: Option<u64>,
    seed: Option<u64>,
    /// The model of load in words.
    load: String,
    /// Its part in a cluster.
    mode: Mode,
    /// The given arguments that have no effect.
    ignored: Vec<&'static str>,
    /// The beginning of the action, for the report.
    document: String,
}

/// What users do, and where.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each test")]
enum Work {
    /// Here.
    Native(Workload),
    /// In the executor's Python, with these arguments.
    Python(Map),
}

fn parse(given: &Arguments<'_>) -> Parsed {
    Ok(Box::new(read(given)?))
}

/// Parses a test from the arguments of `LD_start_test`.
pub(super) fn read(given: &Arguments<'_>) -> Result<StartTest, Invalid> {
    let detail = given.required("user_detail_dict")?;
    let in_python = runs_in_python(given, &detail)?;
    let user = match in_python {
        true => None,
        false => Some(user(given, &detail)?),
    };
    let (name, host) = match &user {
        Some((user, setup)) => (user.name, setup.host.as_ref()),
        None => ("", None),
    };
    let mode = Mode::parse(given, name, host)?;
    if let (true, false, Some(field)) = (in_python, mode.is_local(), given.present("runner_mode")) {
        return Err(field.expected("\"local\" for a test in the executor's Python"));
    }
    if let Some(engine) = given.present("engine")
        && !ENGINES.contains(&engine.text()?)
    {
        return Err(engine.choice(&ENGINES));
    }
    let limits = given.limits();
    // The default is checked against the limits only where it applies, by `model`.
    let count = given.if_present("user_count", |field| limits.users(field))?;
    let count = count.unwrap_or(USERS as u64);
    let rate = given.or_default("spawn_rate", spawn_rate)?;
    let endless = given.optional("test_time").is_some_and(|field| field.is_null())
        && given.present("load_shape").is_none();
    let length = match given.present("test_time") {
        // Until it is stopped, but not for ever.
        None if endless => limits.seconds,
        None => TEST_TIME as f64,
        Some(field) => limits.length(&field)?,
    };
    let (shape, pacing) = model(given, count, rate, length)?;
    let name = given.present("load_shape").map(|name| name.value().to_text().to_lowercase());
    let load = load::in_words(&shape, pacing, name.as_deref());
    let tasks_field = given.present("tasks").ok_or_else(|| Invalid {
        pointer: String::new(),
        message: "the argument \"tasks\" is missing".to_owned(),
    })?;
    let work = match user {
        Some((user, setup)) => {
            Work::Native(Workload::read(&tasks_field, (user.open)(&setup)?, &limits)?)
        }
        None => Work::Python(for_python(given, &tasks_field)?),
    };
    let without_effect: &[&str] = if in_python { &NOT_OF_PYTHON } else { &[] };
    let without_effect = WITHOUT_EFFECT.iter().chain(without_effect);
    let without_effect = without_effect.copied().filter(|name| {
        // They have an effect there, or here.
        *name != "abort_on" && (*name != "engine" || !in_python)
    });
    let echo = |name: &str, default: Value| {
        given.optional(name).map_or(default, |field| field.value().redacted())
    };
    let echo = Value::dict([
        ("user_detail", detail.value().redacted()),
        ("user_count", echo("user_count", Value::from(USERS))),
        ("spawn_rate", echo("spawn_rate", Value::from(SPAWN_RATE))),
        ("test_time", echo("test_time", Value::from(TEST_TIME))),
        ("web_ui", echo("web_ui_dict", Value::Null)),
        ("runner_mode", mode.name().into()),
    ]);
    Ok(StartTest {
        echo,
        endless,
        shape,
        pacing,
        work,
        variables: given.if_present("variables", variables)?.unwrap_or_default(),
        sources: given.or_default("csv_sources", csv_sources)?,
        keep_bodies: given.or_default("record_bodies", |field| field.boolean())?,
        abort_on: given.or_default("abort_on", AbortOn::read)?,
        ignored: without_effect
            .chain(OF_CLUSTERS.into_iter().filter(|name| mode.ignores(name)))
            .filter(|name| given.present(name).is_some())
            .collect(),
        mode,
        document: html::document(&Value::List(vec![START_TEST.into(), given.to_value()])),
        iterations: given.if_present("iterations", |field| field.integer(1))?,
        seed: given.if_present("seed", |field| field.integer(0))?,
        load,
    })
}

/// Whether a test runs in the executor's Python: all of them, or those that nothing here can run.
fn runs_in_python(given: &Arguments<'_>, detail: &Reader<'_>) -> Result<bool, Invalid> {
    let user = detail.fields(USER)?.present("user");
    let named = user.as_ref().and_then(|user| user.value().as_str());
    let native = USER_KINDS.iter().find(|kind| named == Some(kind.name));
    let foreign = user.filter(|user| {
        let name = user.value().as_str().unwrap_or_default();
        is_user(name) && !USER_NAMES.contains(&name)
    });
    given.if_present("connection", |field| field.object().map(drop))?;
    given.if_present("connection_string", |field| field.text().map(drop))?;
    given.if_present("db_sources", |field| {
        field.list()?.iter().try_for_each(|source| source.object().map(drop))
    })?;
    let argument = OF_PYTHON.iter().find_map(|name| {
        // One of a user that runs here is its own.
        let own = native.is_some_and(|user| user.options.contains(name));
        given.present(name).filter(|_| !own).map(|field| (*name, field))
    });
    match (given.python(), foreign, argument) {
        (Some(Engine::Python), ..) => Ok(true),
        (_, None, None) => Ok(false),
        (Some(Engine::Auto), ..) => Ok(true),
        (without, Some(user), _) => {
            let (name, all) = (user.value().to_text(), USER_NAMES.join(", "));
            Err(user.invalid(match without {
                Some(_) => format!("{name} does not run with --engine native; use one of {all}"),
                None => format!("{name} {NEEDS}, or one of {all}"),
            }))
        }
        (Some(_), None, Some((name, field))) => {
            Err(field.invalid(format!("{name} has no effect with --engine native")))
        }
        (None, None, Some((name, field))) => Err(field.invalid(format!("{name} {NEEDS}"))),
    }
}

/// The arguments of a test in Python, by name, whichever way the document has them.
fn for_python(given: &Arguments<'_>, tasks: &Reader<'_>) -> Result<Map, Invalid> {
    // They decide how much load there is, and when it ends.
    for name in ["arrival_rate", "iterations"] {
        if let Some(field) = given.present(name) {
            return Err(field.invalid(format!("tests in the executor's Python have no {name}")));
        }
    }
    let count = match tasks.value() {
        Value::Dict(members) => match members.get("tasks") {
            Some(Value::List(list)) => list.len(),
            _ => members.len(),
        },
        Value::List(list) => list.len(),
        _ => return Err(tasks.expected("a list of tasks, or an object that holds one")),
    };
    given.limits().tasks(count, tasks)?;
    let Value::Dict(mut arguments) = given.to_value() else { return Ok(Map::new()) };
    arguments.retain(|name, _| {
        let name = name.as_str();
        let dropped =
            WITHOUT_EFFECT.contains(&name) && name != "engine" || OF_CLUSTERS.contains(&name);
        // Variables and sources are added when it starts, with those of earlier actions.
        !dropped && !NOT_OF_PYTHON.contains(&name) && !["variables", "csv_sources"].contains(&name)
    });
    Ok(arguments)
}

/// The user that `user_detail_dict` selects, and the settings for all its tasks.
fn user<'a>(
    given: &Arguments<'a>,
    detail: &Reader<'a>,
) -> Result<(&'static UserKind, Setup<'a>), Invalid> {
    let mut fields = detail.fields(USER)?;
    let user = fields.or_default("user", UserKind::named)?;
    let mut options = Vec::new();
    for option in USER_KINDS.iter().flat_map(|known| known.options) {
        let Some(field) = given.present(option) else { continue };
        if !user.options.contains(option) {
            return Err(field.invalid(format!("a {} has no such option", user.name)));
        }
        if options.iter().all(|(known, _)| known != option) {
            options.push((*option, field));
        }
    }
    let host = given.present("host").or_else(|| fields.present("host"));
    let host = host.or_else(|| fields.present("base_url"));
    Ok((user, Setup { host, options }))
}

fn spawn_rate(field: &Reader<'_>) -> Result<f64, Invalid> {
    let rate = field.positive()?;
    if rate > MAX_SPAWN_RATE {
        return Err(
            field.invalid(format!("{rate} users per second exceed the limit of {MAX_SPAWN_RATE}"))
        );
    }
    Ok(rate)
}

/// Parses when users run and when their iterations start: closed or open, with or without a shape.
fn model(
    given: &Arguments<'_>,
    count: u64,
    rate: f64,
    length: f64,
) -> Result<(Shape, Pacing), Invalid> {
    let limits = given.limits();
    let config = given.present("shape_config");
    let shape = match given.present("load_shape") {
        None => {
            if let Some(config) = config {
                return Err(config.invalid("\"shape_config\" needs a \"load_shape\""));
            }
            None
        }
        Some(name) => {
            let empty = Value::Dict(Map::new());
            let config = config.unwrap_or_else(|| Reader::at(&empty, "/shape_config"));
            let mut fields = config.fields(SHAPE)?;
            let shape = Shape::parse(&name, &mut fields, &limits)?;
            fields.finish()?;
            limits.test(shape.peak(), length_of(&shape), &name.pointer())?;
            Some(shape)
        }
    };
    if let Some(field) = given.present("arrival_rate") {
        if shape.is_some() {
            return Err(field.invalid("\"arrival_rate\" and \"load_shape\" exclude each other"));
        }
        let (pacing, most) = Pacing::open(&field, &limits)?;
        limits.test(0, length, "/test_time")?;
        return Ok((Shape::immediate(most, Some(length)), pacing));
    }
    let wait = given.if_present("wait_time", Wait::parse)?.unwrap_or(Wait::DEFAULT);
    let shape = match shape {
        Some(shape) => shape,
        None => {
            limits.test(count as usize, 0.0, "/user_count")?;
            limits.test(0, length, "/test_time")?;
            Shape::constant(count, rate, Some(length))
        }
    };
    Ok((shape, Pacing::Closed(wait)))
}

fn length_of(shape: &Shape) -> f64 {
    shape.end().map_or(0.0, |end| end.as_secs_f64())
}

impl Command for StartTest {
    fn run(mut self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let length = self.shape.end().filter(|_| !self.endless && self.mode.is_local());
        let lease = context.claim_run(START_TEST, length)?;
        context.make_room(0);
        if matches!(self.mode, Mode::Master(_)) {
            // They are the workers' files.
            self.sources.clear();
        }
        self.register(context)?;
        let measured = self.measure(context, &lease, &mut |_| None)?;
        let kept = measured.figures(&lease);
        drop(lease);
        let Measured { echo, recording, aborted, exhausted, cancelled, ended, part } = measured;
        let echo = conclude(context, echo, Arc::new(recording), kept, part.may_be_idle());
        // The test is incomplete: a script must not take it for a finished one.
        match (exhausted, aborted) {
            _ if cancelled => Err(Failure::new(FailureKind::Cancelled, CANCELLED)),
            (Some(reason), _) => Err(Failure::new(FailureKind::Refused, reason)),
            (None, Some(reason)) => Err(Failure::new(FailureKind::Gate, reason)),
            (None, None) => ended.or_else(|| part.failure()).map_or(Ok(echo), Err),
        }
    }
}

/// A test that has ended.
pub(super) struct Measured {
    /// Its arguments, as it returns them.
    echo: Value,
    /// What was recorded.
    pub(super) recording: Recording,
    /// Why it was ended early by its own figures.
    pub(super) aborted: Option<String>,
    /// Why it was ended early for lack of memory.
    pub(super) exhausted: Option<String>,
    /// Whether it was ended early from outside.
    pub(super) cancelled: bool,
    /// Why the executor's Python ended it.
    ended: Option<Failure>,
    /// Its part in a cluster.
    part: Part,
}

impl Measured {
    /// The figures that are kept with the run. They are taken before the test leaves its place, after
    /// which only their sum may be left.
    pub(super) fn figures(&self, lease: &Lease<'_>) -> Figures {
        kept::members(OfTest {
            started: self.recording.started_at(),
            took: lease.test().snapshot().elapsed,
            document: self.recording.document.as_deref(),
            conditions: &self.recording.conditions,
            series: &lease.test().live().series(),
        })
    }
}

/// Members of the figures of a test.
pub(super) type Figures = [(&'static str, Value); 6];

impl StartTest {
    /// Runs it in its place. `watch` sees its progress about once a second, and may have a reason to
    /// end it early.
    pub(super) fn measure(
        mut self,
        context: &mut Context<'_>,
        lease: &Lease<'_>,
        watch: &mut dyn FnMut(&Progress<'_>) -> Option<String>,
    ) -> Result<Measured, Failure> {
        let (endless, iterations) = (self.endless, self.iterations);
        let abort_on = std::mem::take(&mut self.abort_on);
        let document = std::mem::take(&mut self.document);
        let ignored = std::mem::take(&mut self.ignored);
        let mode = std::mem::replace(&mut self.mode, Mode::Local);
        let (mode_name, is_local) = (mode.name(), mode.is_local());
        let part = mode.begin(context);
        let Installed { network, budget } = context.installed();
        let mut budget = budget.map(FailureBudget::begin);
        let mut simulated = network.as_ref().map(|network| network.in_words());
        self.work = match self.work {
            Work::Native(workload) => Work::Native(workload.through(network)),
            Work::Python(arguments) => {
                simulated = simulated.map(|_| UNCONDITIONED.to_owned());
                Work::Python(arguments)
            }
        };
        // What a master will command is not known.
        let peak = if is_local { self.shape.peak() as u64 } else { 0 };
        let seed = *self.seed.get_or_insert_with(|| fastrand::u64(..));
        let rate = match self.pacing {
            Pacing::Open { rate } => Some(rate),
            Pacing::Closed(_) => None,
        };
        let load = Some(std::mem::take(&mut self.load));
        let native = matches!(self.work, Work::Native(_));
        let conditions = Conditions { load, rate, seed: native.then_some(seed) };
        let steady = matches!(self.pacing, Pacing::Closed(_));
        let crowded = match self.work {
            Work::Native(_) => Connections::of(peak, steady, &document, context).check()?,
            Work::Python(_) => None,
        };
        // What its files take of the ceiling, as long as it runs.
        let trace = Trace::new(context.detail());
        let Linked { mut echo, plan, files: _files, ending } = match part.conduct(&self.shape) {
            Some(plan) => {
                let (echo, files) = (std::mem::take(&mut self.echo), Vec::new());
                Linked { echo, plan, files, ending: None }
            }
            None => {
                let linked = self.link(context, trace.clone(), &part)?;
                Linked { plan: part.of(linked.plan), ..linked }
            }
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut aborted = None;
        let recording = lease.execute(plan, cores, &mut |progress| {
            context.progress(lease.test(), progress);
            context.show(trace.as_deref().map(Trace::take).unwrap_or_default());
            context.make_room(0);
            let broken = abort_on.broken(progress.live);
            let broken = broken.map(|reason| format!("stopped early by abort_on: {reason}"));
            let spent = || {
                let (requests, failures) = (progress.requests, progress.failures);
                let reason = budget.as_mut()?.spent(progress.elapsed, requests, failures)?;
                Some(format!("stopped early by the failure budget: {reason}"))
            };
            match broken.or_else(spent).or_else(|| watch(progress)) {
                Some(reason) => {
                    aborted = Some(reason.clone());
                    ControlFlow::Break(reason)
                }
                None => ControlFlow::Continue(()),
            }
        });
        if let Some(trace) = &trace {
            context.show(trace.take());
            context.show(trace.rest().into_iter().collect());
        }
        let mut recording = recording.map_err(|error| not_run(&error))?;
        let ended = ending.and_then(|ending| ending.failure(context));
        if let (Some(failure), true) = (&ended, recording.is_empty()) {
            return Err(failure.clone());
        }
        recording.document = Some(document);
        recording.conditions = conditions;
        part.extend(&mut echo);
        recording.warnings.extend(own_limits(&recording));
        recording.warnings.extend(crowded);
        recording.warnings.extend(simulated);
        if lease.test().is_shared() {
            recording.warnings.push(SHARED.to_owned());
        }
        if !ignored.is_empty() {
            let names = ignored.join(", ");
            let place = match native {
                true => format!("{mode_name} mode"),
                false => "the executor's Python".to_owned(),
            };
            recording.warnings.push(format!("arguments without effect in {place}: {names}"));
        }
        let exhausted = lease.test().live().allowance().exhausted().map(str::to_owned);
        let cancelled = context.cancel().is_cancelled();
        let aborted = aborted.filter(|_| !cancelled);
        if cancelled {
            recording.warnings.push(CANCELLED.to_owned());
        } else if ended.is_none()
            && endless
            && (is_local || part.is_master())
            && iterations.is_none_or(|all| recording.iterations.started < all)
        {
            let most = context.policy().limits.seconds;
            recording.warnings.push(format!("stopped at --max-test-time {most}"));
        }
        let warnings = std::mem::take(&mut recording.warnings);
        recording.warnings = warnings.into_iter().map(redact::owned).collect();
        recording.take_memory(context.memory());
        Ok(Measured { echo, recording, aborted, exhausted, cancelled, ended, part })
    }

    /// `variables` and `csv_sources` have the same effect as the register commands: also on later
    /// actions.
    pub(super) fn register(&mut self, context: &Context<'_>) -> Result<(), Failure> {
        let sources = resolver::load(std::mem::take(&mut self.sources), context)?;
        context.register(std::mem::take(&mut self.variables), sources)
    }

    /// Links the tasks with what exists now.
    fn link(
        self,
        context: &Context<'_>,
        trace: Option<Arc<Trace>>,
        part: &Part,
    ) -> Result<Linked, Failure> {
        let workload = match self.work {
            Work::Native(workload) => workload,
            Work::Python(arguments) => {
                let (elsewhere, ending) = DelegatedTest::start(arguments, context)?;
                let end = self.shape.end();
                let length = end.filter(|_| !self.endless);
                let most = end.unwrap_or(Duration::MAX);
                let plan = Box::new(Streamed { elsewhere, length, most });
                let (echo, files) = (self.echo, Vec::new());
                return Ok(Linked { echo, plan, files, ending: Some(ending) });
            }
        };
        let files = RefCell::new(Vec::new());
        let resolver = context.resolver_snapshot();
        let policy = context.policy();
        let bindings = Bindings {
            variable: &|name| resolver.variable(name),
            source: &|name| resolver.source(name),
            environment: &|name| policy.env(name),
            read_file: &|path| {
                let content = context.read(path).map_err(|failure| failure.message)?;
                let (bytes, share) = content.into_parts();
                files.borrow_mut().push(share);
                Ok(bytes)
            },
            memory: Some(context.memory()),
        };
        let settings = Settings {
            users: part.users(self.shape),
            pacing: self.pacing,
            keep_bodies: self.keep_bodies,
            iterations: self.iterations,
            trace,
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..)),
        };
        let plan = workload.link(bindings, &context.reach(), settings).map_err(|invalid| {
            Failure::new(FailureKind::InvalidArgument, format!("LD_start_test: {invalid}"))
        })?;
        Ok(Linked { echo: self.echo, plan, files: files.into_inner(), ending: None })
    }
}

/// A test that is ready to run.
struct Linked {
    /// What is echoed of its arguments.
    echo: Value,
    plan: Box<dyn Runnable>,
    /// The shares of its files.
    files: Vec<Share>,
    /// How it has ended in the executor's Python.
    ending: Option<Ending>,
}

/// What is said of a test in which nothing succeeded.
fn no_success(summary: &Summary, error: Option<&ErrorCount<'_>>) -> String {
    match (summary.requests, summary.interrupted, error) {
        (0, 0, _) => "the test made no request".to_owned(),
        (0, waiting, _) => {
            format!("no request succeeded: all {waiting} had no response when the test ended")
        }
        (all, _, Some(ErrorCount { count, method, name, error, .. })) => {
            let title = title(method, name);
            format!("none of {all} requests succeeded; {count} × {title}: {error}")
        }
        (all, _, None) => format!("none of {all} requests succeeded"),
    }
}

/// Keeps the record and returns the result: in the text dialect only the arguments, as in the
/// reference; in the event dialect also the figures.
fn conclude(
    context: &mut Context<'_>,
    echo: Value,
    recording: Arc<Recording>,
    kept: Figures,
    may_be_idle: bool,
) -> Value {
    let peak = recording.peak_users;
    let of_this_test = Records::of(recording);
    let (summary, mut errors, warnings) = keep(context, &of_this_test, kept);
    errors.truncate(MOST_ERRORS);
    if summary.requests == summary.failures && !(may_be_idle && summary.requests == 0) {
        context
            .fail(Failure::new(FailureKind::NoSuccess, no_success(&summary, errors.kinds.first())));
    }
    let mut rich = match &echo {
        Value::Dict(members) => members.clone(),
        _ => Map::new(),
    };
    rich.insert("summary".to_owned(), summary.to_details());
    rich.insert("errors".to_owned(), errors.to_value());
    rich.insert("statuses".to_owned(), statuses(&of_this_test));
    rich.insert("peak_users".to_owned(), (peak as u64).into());
    if !warnings.is_empty() {
        // Clients of version 0.1.0 read them from here.
        let listed = warnings.iter().map(|text| text.as_str().into());
        rich.insert("warnings".to_owned(), Value::List(listed.collect()));
    }
    context.enrich(Value::Dict(rich), warnings);
    echo
}

/// Keeps the record of a test and its figures. Returns their summary, its errors, and the warnings
/// about them.
pub(super) fn keep<'a>(
    context: &mut Context<'_>,
    records: &'a Records,
    kept: Figures,
) -> (Summary, Errors<'a>, Vec<String>) {
    let mut warnings = Vec::new();
    for recording in records.recordings() {
        warnings.extend(recording.warnings.iter().cloned());
        context.push_recording(Arc::clone(recording));
    }
    warnings.extend(context.memory_warnings());
    let (summary, errors) = (records.summary(), records.errors(KEPT_ERRORS));
    let listed = warnings.iter().map(|text| text.as_str().into());
    let figures = [
        ("summary", summary.to_details()),
        ("errors", errors.to_value()),
        ("warnings", Value::List(listed.collect())),
    ];
    let figures = figures.into_iter().chain(kept).map(|(key, value)| (key.to_owned(), value));
    context.keep_figures(Value::Dict(figures.collect()));
    (summary, errors, warnings)
}

/// The requests by status, `none` without a response.
fn statuses(records: &Records) -> Value {
    let counts = records.statuses().into_iter().map(|(status, count)| {
        let status = if status == 0 { "none".to_owned() } else { status.to_string() };
        (status, Value::from(count))
    });
    Value::Dict(counts.collect())
}
