//! `LD_find_breaking_point`: the largest load at which a gate holds. [`Search`](crate::load::Search)
//! decides which load is tried next; here each is made as a test of its own, with a record of its
//! own, and judged.

mod arguments;
mod kept;
mod probing;

use self::arguments::{MOST_CONFIRM, VARIED, read};
use super::start;
use crate::action::command::{Declaration, FIND_BREAKING_POINT};
use crate::record::gates::GATE;
use crate::value::{Field, Kind, Literal};

pub(crate) const COMMANDS: &[Declaration] = &[Declaration::named(
    FIND_BREAKING_POINT,
    "Finds the largest rate or number of users at which a gate holds.",
    FIELDS,
    |given| Ok(Box::new(read(given)?)),
)
.text(
    "Each probe is a test of `step_time` seconds at one load. The load grows from `low`, twofold each \
     time, until the gate fails; then the gap between the largest load that holds and the smallest \
     that does not is halved until it is within `tolerance`, and both are probed again until \
     `confirm` probes agree. Of 10 to 10000 with the defaults this takes at most 18 probes.\n\
     \n\
     A gate judges the requests that were sent after `warm_up`, in this probe only. A load also does \
     not hold if more than 1 % of it was not made (all users were busy, or this machine had not \
     enough connections), if no request succeeded, or if more than 1 % of the requests had no \
     response at the end. A probe ends early if `abort_on` of the test fails, or as soon as a figure \
     exceeds its gate threefold.\n\
     \n\
     The records are those of the probe at the load that was found: a summary, a report or a gate \
     after this action is about that load. Use the target alone, and not from a busy machine.",
)
.returns(
    "An object: `value` (the load, null if none holds) with its `unit`, `held_at` and `failed_at`, \
     `probes` (`load`, `held`, `reason`, `requests`, `failures`, `p95_ms`, and `rate` in requests per \
     second), `seconds`, `bounded` (whether `low` or `high` cut the search), `ended` (`found`, \
     `high`, `low`, `max_time` or `stopped`), `unresolved` (what the requests of all probes \
     lacked, as in the summary of a test). It fails if no load holds, and if it was stopped; in \
     JSON output a failure holds what is known so far.",
)
.example(
    r#"["LD_find_breaking_point", {
  "test": {
    "user_detail_dict": {"user": "fast_http_user", "host": "http://localhost:8080"},
    "tasks": [{"method": "get", "request_url": "/items", "name": "list items"}]
  },
  "gate": [{"type": "latency_p95", "value": 300}, {"type": "failure_rate", "value": 0.01}],
  "vary": "rate",
  "low": 50,
  "high": 5000
}]"#,
)];

const FIELDS: &[Field] = &[
    Field::required(
        "test",
        Kind::Named("test", &Kind::Object(&[start::FIELDS])),
        "The test: the arguments of LD_start_test.",
    )
    .note(
        "Its load and its duration are set by the search: user_count, spawn_rate and test_time have \
         no effect. A load_shape and iterations are refused.",
    )
    .example(
        r#"{"user_detail_dict": {"host": "http://localhost:8080"},
  "tasks": [{"method": "get", "request_url": "/"}]}"#,
    ),
    Field::required("gate", GATE, "The gate that must hold: one rule, or a list of them.")
        .note("As in LD_assert_sla.")
        .example(r#"{"type": "latency_p95", "value": 300}"#),
    Field::optional("vary", Kind::OneOf(&VARIED), "What is varied.")
        .note(
            "`rate`: iterations started per second, whatever the target does, as with arrival_rate. \
             `users`: users that wait for their responses.",
        )
        .or(Literal::Text("rate")),
    Field::optional("low", Kind::Rate, "The first load.")
        .unit("iterations per second, or users")
        .otherwise("10, or high if that is less"),
    Field::optional("high", Kind::Rate, "The largest load.")
        .unit("iterations per second, or users")
        .otherwise("10000, or low if that is more"),
    Field::optional("tolerance", Kind::Rate, "The largest gap between the two loads, relative.")
        .unit("share of the load, from 0.001 to 1")
        .or(Literal::Float(0.05)),
    Field::optional("step_time", Kind::Timeout, "The duration of a probe, with its warm-up.")
        .or(Literal::Int(10)),
    Field::optional("warm_up", Kind::Seconds, "How long a probe runs before it is judged.")
        .otherwise("a fifth of step_time"),
    Field::optional("settle", Kind::Seconds, "The pause before the next probe.")
        .or(Literal::Int(1)),
    Field::optional("confirm", Kind::Between(1, MOST_CONFIRM), "How many probes must agree about each load.")
        .or(Literal::Int(2)),
    Field::optional("max_time", Kind::Timeout, "The duration of the whole search.")
        .note("At least `step_time`. After the first probe none begins that would exceed it.")
        .otherwise("--max-test-time"),
    Field::optional(
        "max_users",
        Kind::Between(1, i64::MAX),
        "With a rate: how many users share the iterations.",
    )
    .note("A load for which they do not suffice does not hold.")
    .otherwise("that of arrival_rate in the test, else the rate, but from 50 to 1000"),
];
