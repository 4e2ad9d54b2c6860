//! The arguments of a search, and the tests that they describe.

use std::time::Duration;

use crate::action::arguments::Arguments;
use crate::action::command::START_TEST;
use crate::action::commands::start::{self, StartTest};
use crate::action::loaddensity::is_user;
use crate::load::pacer::{Pacing, Wait};
use crate::load::{Bounds, TestLimits};
use crate::protocol::USER_NAMES;
use crate::record::gates::Rule;
use crate::value::{Invalid, Reader, Value};

/// What may be varied.
pub(super) const VARIED: [&str; 2] = ["rate", "users"];

/// The first load, and the largest one, by default.
const LOW: f64 = 10.0;
const HIGH: f64 = 10_000.0;

/// The most probes that must agree about a load.
pub(super) const MOST_CONFIRM: i64 = 10;

/// The part of a probe that is not judged, by default.
const WARM_UP: f64 = 0.2;

/// How many users share the iterations of a rate by default, at least and at most: as many as
/// iterations take a second.
const FEWEST_USERS: f64 = 50.0;
const MOST_USERS: f64 = 1000.0;

/// A search with parsed arguments.
#[derive(Debug)]
pub(super) struct FindBreakingPoint {
    /// The arguments of the test.
    pub(super) test: Value,
    pub(super) load: Load,
    pub(super) bounds: Bounds,
    /// What must hold.
    pub(super) gate: Vec<Rule>,
    pub(super) limits: TestLimits,
    /// The pause between two probes.
    pub(super) settle: Duration,
    /// How long all of it may take.
    pub(super) max_time: Duration,
}

/// How a load is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) varied: Varied,
    /// Seconds of a probe.
    pub(super) step_time: f64,
    /// Those of them that are not judged.
    pub(super) warm_up: f64,
    max_users: Option<u64>,
}

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Varied {
    Rate,
    Users,
}

impl Varied {
    /// Its unit in words.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Rate => "iterations per second",
            Self::Users => "users",
        }
    }
}

/// A duration; limits keep it small enough.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Parses the arguments.
pub(super) fn read(given: &Arguments<'_>) -> Result<FindBreakingPoint, Invalid> {
    let limits = given.limits();
    let vary = given.or_default("vary", |vary| {
        let at = VARIED.iter().position(|name| vary.value().as_str() == Some(name));
        at.ok_or_else(|| vary.choice(&VARIED))
    })?;
    let varied = if vary == 0 { Varied::Rate } else { Varied::Users };
    let amount = |field: &Reader<'_>| match varied {
        Varied::Rate => field.positive(),
        Varied::Users => {
            field.integer(1)?;
            limits.users(field).map(|users| users as f64)
        }
    };
    let (first, last) = (given.if_present("low", amount)?, given.if_present("high", amount)?);
    let most = match varied {
        Varied::Rate => f64::INFINITY,
        Varied::Users => limits.users as f64,
    };
    let high = last.unwrap_or_else(|| HIGH.max(first.unwrap_or(0.0)).min(most));
    let low = first.unwrap_or_else(|| LOW.min(high));
    if high < low {
        let place = given.required("high")?;
        return Err(place.invalid(format!("high ({high}) is less than low ({low})")));
    }
    let tolerance = given.or_default("tolerance", |tolerance| {
        Some(tolerance.positive()?)
            .filter(|share| (0.001..=1.0).contains(share))
            .ok_or_else(|| tolerance.expected("a number from 0.001 to 1"))
    })?;
    let step_time = given.or_default("step_time", |time| {
        time.positive()?;
        limits.length(time)
    })?;
    // How others agree with it is known with its value.
    let is_known = !given.present("step_time").is_some_and(|time| time.awaits_number());
    let warm_up = given.if_present("warm_up", |time| {
        Some(time.number()?)
            .filter(|time| *time < step_time || !is_known)
            .ok_or_else(|| time.invalid(format!("expected less than step_time ({step_time} s)")))
    })?;
    let confirm = given.or_default("confirm", |confirm| {
        let range = format!("an integer from 1 to {MOST_CONFIRM}");
        let probes = confirm.integer(0).map_err(|_| confirm.expected(&range))?;
        let probes = u32::try_from(probes).ok();
        probes
            .filter(|probes| (1..=MOST_CONFIRM).contains(&i64::from(*probes)))
            .ok_or_else(|| confirm.expected(&range))
    })?;
    let max_time = given.if_present("max_time", |time| {
        Some(limits.length(time)?)
            .filter(|length| *length >= step_time || !is_known)
            .ok_or_else(|| time.invalid(format!("expected at least step_time ({step_time} s)")))
    })?;
    let load = Load {
        varied,
        step_time,
        warm_up: warm_up.unwrap_or(step_time * WARM_UP),
        max_users: given.if_present("max_users", |field| {
            field.integer(1)?;
            limits.users(field)
        })?,
    };
    let test = given.required("test")?;
    // Both, because what is wrong at one load only must not end a search half-way.
    for amount in [low, high] {
        load.test(&test, amount, limits)?;
    }
    Ok(FindBreakingPoint {
        test: test.value().clone(),
        load,
        bounds: Bounds { low, high, tolerance, confirm, whole: varied == Varied::Users },
        gate: Rule::read_gate(&given.required("gate")?)?,
        limits,
        settle: seconds(given.or_default("settle", |time| limits.length(time))?),
        max_time: seconds(max_time.unwrap_or(limits.seconds)),
    })
}

impl Load {
    /// The test that makes this much load.
    pub(super) fn test(
        &self,
        test: &Reader<'_>,
        amount: f64,
        limits: TestLimits,
    ) -> Result<StartTest, Invalid> {
        let mut members = test.object()?;
        for name in ["load_shape", "shape_config", "iterations"] {
            if let Some(member) = members.present(name) {
                return Err(member.invalid("the search decides about the load; leave it out"));
            }
        }
        if let Some(mode) = members.present("runner_mode")
            && mode.value().as_str() != Some("local")
        {
            return Err(mode.expected("\"local\": a search runs on one machine"));
        }
        let user =
            members.present("user_detail_dict").and_then(|detail| detail.value().get("user"));
        if let Some(name) = user.and_then(Value::as_str).filter(|name| is_user(name))
            && !USER_NAMES.contains(&name)
        {
            let message = format!("a search has no {name}, which runs in the executor's Python");
            return Err(test.invalid(message));
        }
        // Without effect, but not arbitrary.
        members.if_present("user_count", |count| limits.users(count))?;
        members.if_present("spawn_rate", |rate| rate.positive())?;
        members.if_present("test_time", |time| limits.length(time))?;
        members.if_present("wait_time", Wait::parse)?;
        let arrivals = members.present("arrival_rate");
        let set = match self.varied {
            Varied::Users => {
                if let Some(arrivals) = arrivals {
                    return Err(arrivals.invalid("it excludes \"vary\": \"users\""));
                }
                // All users are there when the probe is judged.
                let ramp = (self.warm_up / 2.0).max(0.1);
                let rate = (amount / ramp).min(1e9);
                vec![
                    ("user_count", Value::from(amount as u64)),
                    ("spawn_rate", rate.into()),
                    ("test_time", self.step_time.into()),
                ]
            }
            Varied::Rate => {
                if let Some(arrivals) = &arrivals {
                    Pacing::open(arrivals, &limits)?;
                }
                let written = arrivals.and_then(|open| open.value().get("max_users").cloned());
                let default = || {
                    let users = amount.ceil().clamp(FEWEST_USERS, MOST_USERS);
                    Value::from((users as u64).min(limits.users))
                };
                let users = self.max_users.map(Value::from).or(written).unwrap_or_else(default);
                let open = [("rate", Value::Float(amount)), ("max_users", users)];
                vec![
                    ("arrival_rate", Value::dict(open)),
                    ("test_time", self.step_time.into()),
                    ("user_count", Value::Null),
                    ("spawn_rate", Value::Null),
                ]
            }
        };
        let arguments = Arguments::within(START_TEST, start::FIELDS, test, &set, limits)?;
        start::read(&arguments).map_err(|invalid| match invalid.pointer.as_str() {
            "" => test.invalid(invalid.message),
            _ => invalid,
        })
    }
}
