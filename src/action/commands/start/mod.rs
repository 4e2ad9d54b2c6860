//! `LD_start_test`: parses a load test from its arguments, checks all of it, and runs it. Mistakes
//! are refused here with their place, before the first user starts.

mod fields;
mod measure;
mod read;
mod result;
mod test;
mod web_ui;

use std::sync::Arc;

use crate::action::arguments::Arguments;
use crate::action::command::{Command, Declaration, Parsed, START_TEST};
use crate::action::commands::clustered::Mode;
use crate::action::context::Context;
use crate::event::{Failure, FailureKind};
use crate::value::Value;

pub(super) use self::fields::FIELDS;
pub(crate) use self::fields::{SPAWN_RATE, TEST_TIME, USERS};
use self::measure::CANCELLED;
pub(super) use self::measure::{Measured, Unmeasured};
pub(super) use self::read::read;
use self::result::conclude;
pub(super) use self::result::{Figures, keep};
pub(super) use self::test::StartTest;

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

fn parse(given: &Arguments<'_>) -> Parsed {
    Ok(Box::new(read(given)?))
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
