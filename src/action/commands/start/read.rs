//! A load test is read from its arguments and checked whole; mistakes are refused with their place.

use super::fields::{
    ENGINES, NOT_OF_PYTHON, OF_PYTHON, SPAWN_RATE, TEST_TIME, USER, USERS, WITHOUT_EFFECT,
};
use super::test::{StartTest, Work};
use super::web_ui::WebUi;

use crate::action::arguments::Arguments;
use crate::action::command::START_TEST;
use crate::action::commands::clustered::{Mode, OF_CLUSTERS, class};
use crate::action::commands::resolver::{csv_sources, variables};
use crate::action::delegated::NEEDS;
use crate::action::loaddensity::is_user;
use crate::action::rules::Engine;
use crate::load::pacer::{Pacing, Wait};
use crate::load::shape::{SHAPE, Shape};
use crate::load::{self};
use crate::protocol::{Setup, USER_NAMES, USERS as USER_KINDS, UserKind, Workload};
use crate::record::gates::AbortOn;
use crate::report::html;
use crate::value::{Invalid, Map, Reader, Value};

/// The fastest ramp, in users per second.
const MAX_SPAWN_RATE: f64 = 1e9;

/// Parses a test from the arguments of `LD_start_test`.
pub(in crate::action::commands) fn read(given: &Arguments<'_>) -> Result<StartTest, Invalid> {
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
    let class = class(match detail.value().get("user").and_then(Value::as_str) {
        Some(foreign) if user.is_none() => foreign,
        _ => name,
    });
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
        class,
        web_ui: given.if_present("web_ui_dict", WebUi::read)?.filter(|_| !mode.is_worker()),
        ignored: without_effect
            .chain(OF_CLUSTERS.into_iter().filter(|name| mode.ignores(name)))
            .chain(mode.is_worker().then_some("web_ui_dict"))
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
        (None, None, Some((name, field))) => Err(field.invalid(match name {
            // In Python a user that runs here ignores it.
            "connection" => {
                let users = USER_KINDS.iter().filter(|user| user.options.contains(&name));
                let users: Vec<&str> = users.map(|user| user.name).collect();
                format!("connection exists only for {}", users.join(", "))
            }
            _ => format!("{name} {NEEDS}"),
        })),
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
    if let Value::Dict(members) = tasks.value()
        && members.contains_key("tasks")
        && let Some(first) = tasks.object()?.present("on_start")
    {
        return Err(first.invalid("tests in the executor's Python have no on_start"));
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
        let dropped = name == "web_ui_dict" || OF_CLUSTERS.contains(&name);
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
