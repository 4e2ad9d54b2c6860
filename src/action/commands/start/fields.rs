//! The arguments of a load test, and their defaults.

use super::web_ui::WEB_UI;
use crate::action::commands::clustered::MODES;
use crate::action::commands::resolver::CSV_SOURCES;
use crate::load::pacer::{ARRIVALS, WAIT};
use crate::load::shape::{SHAPE, SHAPES};
use crate::protocol::{PROXY, USER_NAMES};
use crate::record::gates::ABORT_RULES;
use crate::value::field::Relation;
use crate::value::{Field, Kind, Literal};

pub(in crate::action::commands) const FIELDS: &[Field] = &[
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
    Field::optional(
        "web_ui_dict",
        Kind::Open(&[WEB_UI]),
        "Where a page shows the figures while the test runs; without it there is none.",
    )
    .note(
        "It has no login and is read only: `/`, `/snapshot` and `/events` as LD_start_dashboard, and \
         Locust's `/stats/requests`, `/stats/requests/csv`, `/stats/failures/csv`, `/stats/report` (the \
         report of ldctl so far), `/tasks`, and without entries `/exceptions`, `/exceptions/csv` and \
         `/logs`. Addresses beyond loopback need --allow-listen; where it cannot listen, the test runs \
         with a warning. A worker has none.",
    )
    .example(r#"{"host": "127.0.0.1", "port": 8089}"#),
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
        "For a redis_user where its server is, as `url`: `redis://user:password@host:port/database`; for an \
         mqtt_user the fields of its connections, such as `username`, `password` and `version`; for a \
         grpc_user `metadata`, `timeout`, `tls`, `authority`, `verify` and `cert` of tasks without them.",
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
pub(super) const OF_PYTHON: [&str; 4] =
    ["connection", "connection_string", "bootstrap_servers", "db_sources"];

/// Arguments that tests in the executor's Python do not have, besides [`WITHOUT_EFFECT`].
pub(super) const NOT_OF_PYTHON: [&str; 6] =
    ["wait_time", "http2", "proxy", "record_bodies", "seed", "abort_on"];

/// The reference's engines.
pub(super) const ENGINES: [&str; 2] = ["locust", "asyncio"];

/// Arguments of the reference without effect here: its choice of engine.
pub(super) const WITHOUT_EFFECT: [&str; 1] = ["engine"];

pub(super) const USER: &[Field] = &[
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
         websocket_user a `ws://` or `wss://` URL, for a redis_user a `redis://` or `rediss://` URL, for an \
         mqtt_user `host:port`, `mqtt://host:port` or `mqtts://host:port`, for a grpc_user \
         `host:port`.",
    )
    .example("\"http://localhost:8080\""),
];

/// The default number of users.
pub(crate) const USERS: i64 = 50;

/// The default number of users started per second.
pub(crate) const SPAWN_RATE: i64 = 10;

/// The default duration in seconds.
pub(crate) const TEST_TIME: i64 = 60;
