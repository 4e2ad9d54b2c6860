//! What holds for all tests that follow: `LD_install_network_conditioner`,
//! `LD_uninstall_network_conditioner`, `LD_install_failure_budget`, `LD_uninstall_failure_budget`.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::action::command::{Command, Declaration};
use crate::action::context::Context;
use crate::action::installed::Installed;
use crate::event::Failure;
use crate::load::{Conditioner, MOST_SECONDS};
use crate::record::budget::FailureBudget;
use crate::value::{Field, Invalid, Kind, Literal, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named(
        "LD_install_network_conditioner",
        "Simulates a network with latency and loss between users and their target.",
        &[
            Field::optional("latency_ms", Kind::Milliseconds, "The latency that it adds.")
                .or(Literal::Float(0.0)),
            Field::optional("jitter_ms", Kind::Milliseconds, "How much that varies, up and down.")
                .or(Literal::Float(0.0)),
            Field::optional("loss_rate", Kind::Number, "The share of requests that are lost.")
                .unit("from 0 to 1")
                .or(Literal::Float(0.0)),
            Field::optional(
                "name_filter",
                Kind::Text,
                "Only tasks whose name holds this text, or whose URL, without a name.",
            )
            .otherwise("all tasks"),
        ],
        |given| {
            let millis = |field: &Reader<'_>| within(field, Conditioner::MOST_MS);
            let network = Arc::new(Conditioner {
                latency_ms: given.or_default("latency_ms", millis)?,
                jitter_ms: given.or_default("jitter_ms", millis)?,
                loss_rate: given.or_default("loss_rate", share)?,
                name_filter: given.if_present("name_filter", |name| name.string())?,
            });
            let value = Value::dict([
                ("latency_ms", Value::from(network.latency_ms)),
                ("jitter_ms", network.jitter_ms.into()),
                ("loss_rate", network.loss_rate.into()),
                ("name_filter", network.name_filter.as_deref().map_or(Value::Null, Value::from)),
            ]);
            let change = move |installed: &mut Installed| installed.network = Some(network);
            Ok(Box::new(Change::new(value, change)))
        },
    )
    .text(
        "It holds for the tests of later actions, whatever their users, until \
         LD_uninstall_network_conditioner; a second one replaces the first. Latency counts as latency \
         of the request, but not for its timeout. A lost request is not sent and recorded as a failure; \
         tasks with `retry` repeat it. The result of a test says that there was a simulated network.",
    )
    .returns("Its arguments, as an object.")
    .example(
        r#"["LD_install_network_conditioner", {"latency_ms": 80, "jitter_ms": 20, "loss_rate": 0.01}]"#,
    ),
    Declaration::named(
        "LD_uninstall_network_conditioner",
        "Removes the simulated network.",
        &[],
        |_| Ok(Box::new(Change::new(Value::Null, |installed| installed.network = None))),
    )
    .returns("`null`.")
    .example(r#"["LD_uninstall_network_conditioner"]"#),
    Declaration::named(
        "LD_install_failure_budget",
        "Ends tests in which too many of the latest requests fail.",
        &[
            Field::optional("threshold", Kind::Number, "The share of requests that may fail.")
                .unit("from 0 to 1")
                .or(Literal::Float(0.05)),
            Field::optional("window_seconds", Kind::Timeout, "How far back requests count.")
                .or(Literal::Float(30.0)),
            Field::optional("min_samples", Kind::Count, "The fewest requests that are judged.")
                .or(Literal::Int(50)),
        ],
        |given| {
            let window = given.or_default("window_seconds", |field| {
                field.positive()?;
                within(field, MOST_SECONDS)
            })?;
            let budget = FailureBudget {
                threshold: given.or_default("threshold", share)?,
                window: Duration::try_from_secs_f64(window).unwrap_or(Duration::MAX),
                min_samples: given.or_default("min_samples", |field| field.integer(0))?,
            };
            let value = Value::dict([
                ("threshold", Value::from(budget.threshold)),
                ("window_seconds", window.into()),
                ("min_samples", budget.min_samples.into()),
            ]);
            let change = move |installed: &mut Installed| installed.budget = Some(budget);
            Ok(Box::new(Change::new(value, change)))
        },
    )
    .text(
        "It holds for the tests of later actions until LD_uninstall_failure_budget; a second one \
         replaces the first. It is checked once a second: as soon as the failure rate of the window \
         exceeds the threshold, the test ends and its action fails, as with `abort_on`, which counts from \
         the start of the test instead.",
    )
    .returns("Its arguments, as an object.")
    .example(r#"["LD_install_failure_budget", {"threshold": 0.02, "window_seconds": 60}]"#),
    Declaration::named(
        "LD_uninstall_failure_budget",
        "Removes the failure budget.",
        &[],
        |_| Ok(Box::new(Change::new(Value::Null, |installed| installed.budget = None))),
    )
    .returns("`null`.")
    .example(r#"["LD_uninstall_failure_budget"]"#),
];

fn share(field: &Reader<'_>) -> Result<f64, Invalid> {
    within(field, 1.0)
}

fn within(field: &Reader<'_>, most: f64) -> Result<f64, Invalid> {
    let number = field.number()?;
    if number > most {
        return Err(field.expected(&format!("a number from 0 to {most}")));
    }
    Ok(number)
}

/// A change of what is installed, and what it returns.
struct Change<F> {
    value: Value,
    change: F,
}

impl<F: FnOnce(&mut Installed)> Change<F> {
    fn new(value: Value, change: F) -> Self {
        Self { value, change }
    }
}

impl<F> Debug for Change<F> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value.fmt(out)
    }
}

impl<F: FnOnce(&mut Installed) + Send + Sync> Command for Change<F> {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let Self { value, change } = *self;
        context.install(change);
        Ok(value)
    }
}
