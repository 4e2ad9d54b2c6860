//! `LD_start_test`: reads a load test out of its arguments, checks all of it, and runs it. What can
//! be wrong is refused here with its place, before the first user starts.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use super::resolver::{CsvSource, csv_sources, variables};
use crate::action::arguments::{Arguments, Parameter, optional, required};
use crate::action::command::{Command, Declaration, Parsed};
use crate::action::context::Context;
use crate::event::{Failure, FailureKind};
use crate::load::pacer::{Pacing, Wait};
use crate::load::scenario::{Scenario, Step, Throttles, tasks};
use crate::load::shape::Shape;
use crate::load::template::{Compiler, Names, Space};
use crate::load::{Plan, TestLimits, run};
use crate::net::Targets;
use crate::protocol::http::{self, Flavor, Http};
use crate::record::gates::AbortOn;
use crate::record::live::changes;
use crate::record::{Recording, Records};
use crate::value::{Invalid, Map, Reader, Value};

const PARAMETERS: &[Parameter] = &[
    required("user_detail_dict"),
    optional("user_count"),
    optional("spawn_rate"),
    optional("test_time"),
    optional("web_ui_dict"),
    optional("runner_mode"),
    optional("load_shape"),
    optional("shape_config"),
    optional("tasks"),
    optional("variables"),
    optional("csv_sources"),
    optional("wait_time"),
    optional("arrival_rate"),
    optional("http2"),
    optional("record_bodies"),
    optional("abort_on"),
    optional("seed"),
];

pub(crate) const COMMANDS: &[Declaration] =
    &[Declaration::named("LD_start_test", PARAMETERS, parse)];

/// How many users where the document does not say.
const USERS: u64 = 50;

/// Users started per second where the document does not say.
const SPAWN_RATE: f64 = 10.0;

/// Seconds where the document does not say.
const TEST_TIME: f64 = 60.0;

/// The fastest ramp, in users per second.
const MAX_SPAWN_RATE: f64 = 1e9;

/// The users that HTTP stands behind.
const HTTP_USERS: [(&str, Flavor); 3] = [
    ("fast_http_user", Flavor::Fast),
    ("http_user", Flavor::Requests),
    ("async_http_user", Flavor::Requests),
];

/// The base of relative URLs where the document does not say: the reference's own.
const HOST: &str = "http://localhost";

/// What is said of a test that was stopped from outside.
const CANCELLED: &str = "cancelled before its end; the figures are partial";

/// A test whose arguments have been read. Its tasks have been checked, and are compiled when it runs,
/// for their placeholders may refer to what actions before it registered.
#[derive(Debug)]
struct StartTest {
    echo: Value,
    flavor: Flavor,
    host: String,
    /// Whether it runs until somebody stops it; then its shape ends with the limit.
    endless: bool,
    shape: Shape,
    pacing: Pacing,
    tasks: Value,
    variables: Map,
    sources: Vec<CsvSource>,
    http2: bool,
    keep_bodies: bool,
    abort_on: AbortOn,
    seed: Option<u64>,
    /// The whole action, for the report.
    document: Value,
}

fn parse(given: &Arguments<'_>) -> Parsed {
    let detail = given.required("user_detail_dict")?;
    let (flavor, host) = user(&detail)?;
    let mode = given.present("runner_mode");
    if let Some(mode) = &mode
        && mode.text()? != "local"
    {
        return Err(mode.expected("\"local\" (this version runs tests on one machine)"));
    }
    let limits = given.limits();
    let count = given.present("user_count").map_or(Ok(USERS), |field| limits.users(&field))?;
    let rate = given.present("spawn_rate").map_or(Ok(SPAWN_RATE), |field| spawn_rate(&field))?;
    let endless = given.optional("test_time").is_some_and(|field| field.is_null())
        && given.present("load_shape").is_none();
    let length = match given.present("test_time") {
        // Until somebody stops it, but not for ever.
        None if endless => limits.seconds,
        None => TEST_TIME,
        Some(field) => limits.length(&field)?,
    };
    let (shape, pacing) = model(given, count, rate, length)?;
    let tasks_field = given.present("tasks").ok_or_else(|| Invalid {
        pointer: String::new(),
        message: "the argument \"tasks\" is missing".to_owned(),
    })?;
    let flag = |name: &str| given.present(name).map_or(Ok(false), |field| field.boolean());
    let http2 = flag("http2")?;
    check_tasks(&tasks_field, &host, flavor, http2, &limits)?;
    let echo = |name: &str, default: Value| {
        given.optional(name).map_or(default, |field| field.value().clone())
    };
    let echo = Value::dict([
        ("user_detail", detail.value().clone()),
        ("user_count", echo("user_count", Value::from(USERS))),
        ("spawn_rate", echo("spawn_rate", Value::Int(10))),
        ("test_time", echo("test_time", Value::Int(60))),
        ("web_ui", echo("web_ui_dict", Value::Null)),
        ("runner_mode", echo("runner_mode", "local".into())),
    ]);
    Ok(Box::new(StartTest {
        echo,
        flavor,
        host,
        endless,
        shape,
        pacing,
        tasks: tasks_field.value().clone(),
        variables: given.present("variables").map_or(Ok(Map::new()), |field| variables(&field))?,
        sources: given
            .present("csv_sources")
            .map_or(Ok(Vec::new()), |field| csv_sources(&field))?,
        http2,
        keep_bodies: flag("record_bodies")?,
        abort_on: match given.present("abort_on") {
            Some(rules) => AbortOn::read(&rules)?,
            None => AbortOn::default(),
        },
        document: Value::List(vec!["LD_start_test".into(), given.to_value()]),
        seed: given.present("seed").map(|field| field.integer(0)).transpose()?,
    }))
}

/// Which user `user_detail_dict` asks for, and the base of its relative URLs.
fn user(detail: &Reader<'_>) -> Result<(Flavor, String), Invalid> {
    let mut fields = detail.object()?;
    let flavor = match fields.present("user") {
        None => Flavor::Fast,
        Some(field) => {
            let name = field.text()?;
            let found = HTTP_USERS.iter().find(|(known, _)| *known == name);
            let (_, flavor) = found.ok_or_else(|| {
                field.expected("\"fast_http_user\", \"http_user\" or \"async_http_user\"")
            })?;
            *flavor
        }
    };
    let host = match fields.present("host").or_else(|| fields.present("base_url")) {
        None => HOST.to_owned(),
        Some(field) => {
            let host = field.text()?;
            let lower = host.to_ascii_lowercase();
            if !lower.starts_with("http://")
                && !lower.starts_with("https://")
                && !host.contains("${")
            {
                return Err(field.expected("a base URL that begins with http:// or https://"));
            }
            host.to_owned()
        }
    };
    Ok((flavor, host))
}

fn spawn_rate(field: &Reader<'_>) -> Result<f64, Invalid> {
    let rate = field.positive()?;
    if rate > MAX_SPAWN_RATE {
        return Err(field
            .invalid(format!("{rate} users per second are over the limit of {MAX_SPAWN_RATE}")));
    }
    Ok(rate)
}

/// When users run and when their iterations start: closed or open, with or without a shape.
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
            let mut fields = config.object()?;
            let shape = Shape::parse(&name, &mut fields, &limits)?;
            fields.finish()?;
            limits.test(shape.peak(), length_of(&shape), name.pointer())?;
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
    let wait = given.present("wait_time").map_or(Ok(Wait::DEFAULT), |field| Wait::parse(&field))?;
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
        let end = self.shape.end();
        let endless = self.endless;
        let abort_on = std::mem::take(&mut self.abort_on);
        let document = std::mem::take(&mut self.document);
        let guard = context.claim_run("LD_start_test", end.filter(|_| !endless))?;
        self.register(context)?;
        let (echo, plan) = self.plan(context)?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (live, cancel) = (context.live(), context.cancel().clone());
        let before = live.series();
        let recording = run(plan, cores, &live, &cancel, &mut |progress, live| {
            context.progress(progress);
            if abort_on.is_empty() {
                return ControlFlow::Continue(());
            }
            match abort_on.broken(&changes(&live.series(), &before)) {
                Some(reason) => ControlFlow::Break(format!("stopped early by abort_on: {reason}")),
                None => ControlFlow::Continue(()),
            }
        });
        drop(guard);
        let mut recording =
            recording.map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
        recording.document = Some(document);
        let cancelled = cancel.is_cancelled();
        if cancelled {
            recording.warnings.push(CANCELLED.to_owned());
        } else if endless {
            let most = context.policy().limits.seconds;
            recording.warnings.push(format!("nobody stopped it: ended by --max-test-time {most}"));
        }
        let echo = conclude(context, echo, recording);
        // What was asked for has not been done: a script must not take it for a finished test.
        if cancelled { Err(Failure::new(FailureKind::Cancelled, CANCELLED)) } else { Ok(echo) }
    }
}

impl StartTest {
    /// `variables` and `csv_sources` count as the register commands do: also for later actions.
    fn register(&self, context: &Context<'_>) -> Result<(), Failure> {
        let sources: Vec<_> = self
            .sources
            .iter()
            .map(|source| Ok((source.name.clone(), Arc::new(source.load(context)?))))
            .collect::<Result<_, Failure>>()?;
        context.with_resolver(|resolver| {
            resolver.variables.extend(self.variables.clone());
            resolver.sources.extend(sources);
        });
        Ok(())
    }

    /// Compiles the tasks.
    fn plan(self, context: &Context<'_>) -> Result<(Value, Plan<Http>), Failure> {
        let resolver = context.resolver_snapshot();
        let mut names = Names::default();
        for (name, value) in &resolver.variables {
            names.set(Space::Var, name, value);
        }
        for (name, source) in &resolver.sources {
            names.add_source(name, Arc::clone(source));
        }
        let policy = context.policy();
        let environment = |name: &str| policy.env(name);
        let read_file = |path: &str| context.files().read(path).map_err(|failure| failure.message);
        let settings = http::Context {
            base: self.host,
            flavor: self.flavor,
            http2: self.http2,
            read_file: Some(&read_file),
        };
        let mut compiler = Compiler::new(names, &environment);
        let mut driver = Http::new(policy.targets.clone());
        let place = Reader::at(&self.tasks, "/tasks");
        let scenario = compile(&place, &settings, &policy.limits, &mut driver, &mut compiler)
            .map_err(|invalid| {
                Failure::new(FailureKind::InvalidArgument, format!("LD_start_test: {invalid}"))
            })?;
        let plan = Plan {
            shape: self.shape,
            pacing: self.pacing,
            scenario,
            driver,
            names: Arc::new(compiler.names),
            keep_bodies: self.keep_bodies,
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..)),
        };
        Ok((self.echo, plan))
    }
}

/// Refuses what would be refused when the test starts, apart from what actions before it may still
/// bring about: variables, sources, files.
fn check_tasks(
    tasks: &Reader<'_>,
    base: &str,
    flavor: Flavor,
    http2: bool,
    limits: &TestLimits,
) -> Result<(), Invalid> {
    let settings = http::Context { base: base.to_owned(), flavor, http2, read_file: None };
    let mut driver = Http::new(Targets::default());
    compile(tasks, &settings, limits, &mut driver, &mut Compiler::checking()).map(|_| ())
}

fn compile(
    place: &Reader<'_>,
    settings: &http::Context<'_>,
    limits: &TestLimits,
    driver: &mut Http,
    compiler: &mut Compiler<'_>,
) -> Result<Scenario, Invalid> {
    let (mode, written) = tasks(place, limits)?;
    let mut throttles = Throttles::new();
    let mut steps = Vec::with_capacity(written.len());
    for task in written {
        let mut fields = task.fields.object()?;
        steps.push(Step::parse(&mut fields, compiler, &mut throttles)?);
        driver.add(task.method, &mut fields, &task.fields, settings, compiler)?;
        fields.finish()?;
    }
    Ok(Scenario::new(mode, steps))
}

/// Keeps the record, and gives the result: in the text dialect the arguments alone, as the reference
/// does; in the event dialect also what they led to.
fn conclude(context: &mut Context<'_>, echo: Value, recording: Recording) -> Value {
    for warning in &recording.warnings {
        tracing::warn!("{warning}");
    }
    let warnings: Vec<Value> = recording.warnings.iter().map(|text| text.as_str().into()).collect();
    let recording = Arc::new(recording);
    context.push_recording(Arc::clone(&recording));
    let mut of_this_test = Records::default();
    of_this_test.push(recording);
    let mut rich = match &echo {
        Value::Dict(members) => members.clone(),
        _ => Map::new(),
    };
    rich.insert("summary".to_owned(), of_this_test.summary().to_value());
    if !warnings.is_empty() {
        rich.insert("warnings".to_owned(), warnings.into());
    }
    context.enrich(Value::Dict(rich));
    echo
}
