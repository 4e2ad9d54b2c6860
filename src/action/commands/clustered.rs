//! The part of a load test in a cluster: `runner_mode` of `LD_start_test`, and the arguments that
//! belong to it. A local test ignores them, as the reference does.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::action::arguments::Arguments;
use crate::action::context::Context;
use crate::cluster::{
    Health, Master, MasterOptions, MasterOutcome, Worker, WorkerEnd, WorkerOptions, WorkerOutcome,
};
use crate::event::{Failure, FailureKind};
use crate::load::shape::Shape;
use crate::load::{Commands, RunError, Runnable, Users};
use crate::lock::lock;
use crate::value::{Invalid, Kind, Reader, Value};

/// The values of `runner_mode`.
pub(super) const MODES: Kind = Kind::OneOf(&NAMES);

const NAMES: [&str; 3] = ["local", "master", "worker"];

/// The values of `worker_startup_policy`.
const POLICIES: [&str; 2] = ["fail", "degraded"];

/// The arguments that only one of the modes takes; a local test ignores all of them.
pub(super) const OF_CLUSTERS: [&str; 9] = [
    "master_bind_host",
    "master_bind_port",
    "master_host",
    "master_port",
    "expected_workers",
    "worker_startup_timeout",
    "worker_heartbeat_interval",
    "worker_lost_timeout",
    "worker_startup_policy",
];

/// Those that a worker takes.
const OF_WORKERS: [&str; 2] = ["master_host", "master_port"];

/// Where masters are. Locust's listen on every address; this one only where it is told to.
const MASTER_HOST: &str = "127.0.0.1";
const MASTER_PORT: u16 = 5557;

/// How long a master waits for its workers, how often they say that they are alive, and after which
/// silence they are lost, in seconds: LoadDensity's defaults.
const STARTUP_TIMEOUT: f64 = 60.0;
const HEARTBEAT_INTERVAL: f64 = 5.0;
const LOST_TIMEOUT: f64 = 15.0;

/// What a test is in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mode {
    /// It is alone.
    Local,
    /// Its users are commanded by a master.
    Worker {
        /// The master's host.
        host: String,
        /// The master's port.
        port: u16,
    },
    /// Its users are those of workers.
    Master(Workers),
}

/// The workers that a document asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Workers {
    bind_host: String,
    bind_port: u16,
    expected: u64,
    startup_timeout: Duration,
    lost_after: Duration,
    degraded: bool,
    class: String,
    host: Option<String>,
}

impl Mode {
    /// Reads `runner_mode` and its arguments; `user` is the kind of users, `host` their host.
    pub(super) fn parse(
        given: &Arguments<'_>,
        user: &str,
        host: Option<&Reader<'_>>,
    ) -> Result<Self, Invalid> {
        let Some(field) = given.present("runner_mode") else { return Ok(Self::Local) };
        let mode = match field.text()? {
            "local" => return Ok(Self::Local),
            "worker" => Self::Worker {
                host: text(given, "master_host", MASTER_HOST)?,
                port: port(given, "master_port")?,
            },
            "master" => Self::Master(Workers::parse(given, user, host)?),
            _ => return Err(field.choice(&NAMES)),
        };
        for name in ["arrival_rate", "iterations"] {
            if let Some(field) = given.present(name) {
                return Err(field.invalid(format!(
                    "\"{name}\" needs \"runner_mode\": \"local\": in a cluster users are dealt out, \
                     not iterations"
                )));
            }
        }
        Ok(mode)
    }

    /// Whether the test is alone.
    pub(super) fn is_local(&self) -> bool {
        *self == Self::Local
    }

    /// Whether its users are commanded by a master.
    pub(super) fn is_worker(&self) -> bool {
        matches!(self, Self::Worker { .. })
    }

    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Worker { .. } => "worker",
            Self::Master(_) => "master",
        }
    }

    /// Whether it has no use for this argument of clusters.
    pub(super) fn ignores(&self, argument: &str) -> bool {
        match self {
            Self::Local => true,
            Self::Worker { .. } => !OF_WORKERS.contains(&argument),
            Self::Master(_) => OF_WORKERS.contains(&argument),
        }
    }

    /// The part of the test that begins.
    pub(super) fn begin(self, context: &Context<'_>) -> Part {
        let policy = context.policy();
        match self {
            Self::Local => Part::Local,
            Self::Worker { host, port } => {
                let most = usize::try_from(policy.limits.users).unwrap_or(usize::MAX);
                let end = Duration::from_secs_f64(policy.limits.seconds);
                let commands = Commands::new(most, Some(end));
                let options = WorkerOptions { host, port, targets: policy.targets.clone() };
                Part::Worker { options, commands, outcome: Arc::default() }
            }
            Self::Master(workers) => {
                let options = MasterOptions {
                    bind_host: workers.bind_host,
                    bind_port: workers.bind_port,
                    listen: policy.listen.clone(),
                    allowed: policy.workers.clone(),
                    expected: workers.expected,
                    startup_timeout: workers.startup_timeout,
                    degraded: workers.degraded,
                    lost_after: workers.lost_after,
                    class: workers.class,
                    host: workers.host,
                    memory: Arc::clone(&policy.memory),
                };
                Part::Master { options, outcome: Arc::default() }
            }
        }
    }
}

impl Workers {
    fn parse(
        given: &Arguments<'_>,
        user: &str,
        host: Option<&Reader<'_>>,
    ) -> Result<Self, Invalid> {
        let interval = seconds(given, "worker_heartbeat_interval", HEARTBEAT_INTERVAL)?;
        let lost_after = seconds(given, "worker_lost_timeout", LOST_TIMEOUT)?;
        if lost_after <= interval {
            let field = given.present("worker_lost_timeout");
            let field = field.or_else(|| given.present("worker_heartbeat_interval"));
            let message = "worker_lost_timeout must be greater than worker_heartbeat_interval";
            return Err(field.map_or_else(
                || Invalid { pointer: String::new(), message: message.to_owned() },
                |field| field.invalid(message),
            ));
        }
        let degraded =
            given.if_present("worker_startup_policy", |policy| match policy.text()? {
                "fail" => Ok(false),
                "degraded" => Ok(true),
                _ => Err(policy.choice(&POLICIES)),
            })?;
        Ok(Self {
            bind_host: text(given, "master_bind_host", MASTER_HOST)?,
            bind_port: port(given, "master_bind_port")?,
            expected: given
                .if_present("expected_workers", |count| count.integer(0))?
                .unwrap_or_default(),
            startup_timeout: seconds(given, "worker_startup_timeout", STARTUP_TIMEOUT)?,
            lost_after,
            degraded: degraded.unwrap_or_default(),
            class: class(user),
            host: host.map(|host| host.string()).transpose()?,
        })
    }
}

fn text(given: &Arguments<'_>, name: &str, default: &str) -> Result<String, Invalid> {
    Ok(given.if_present(name, |field| field.string())?.unwrap_or_else(|| default.to_owned()))
}

fn port(given: &Arguments<'_>, name: &str) -> Result<u16, Invalid> {
    let port = given.if_present(name, |field| {
        u16::try_from(field.integer(0)?).map_err(|_| field.expected("a port, 0 to 65535"))
    })?;
    Ok(port.unwrap_or(MASTER_PORT))
}

fn seconds(given: &Arguments<'_>, name: &str, default: f64) -> Result<Duration, Invalid> {
    let seconds = given.if_present(name, |field| {
        let seconds = field.positive()?;
        let most = crate::load::MOST_SECONDS;
        if seconds > most {
            return Err(
                field.invalid(format!("{seconds} s exceed the limit of {most} s (30 days)"))
            );
        }
        Ok(seconds)
    })?;
    Ok(Duration::from_secs_f64(seconds.unwrap_or(default)))
}

/// What LoadDensity calls the users of a kind. Its workers have no others; ldctl's and those of scripts
/// of Locust's do with any.
pub(super) fn class(user: &str) -> String {
    let words = user.split('_').map(|word| match word {
        "websocket" => "WebSocket".to_owned(),
        "graphql" => "GraphQL".to_owned(),
        word => {
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    });
    words.collect::<String>() + "Wrapper"
}

/// The part of a test that runs.
#[derive(Debug)]
pub(super) enum Part {
    /// It is alone.
    Local,
    /// A worker.
    Worker {
        /// The master.
        options: WorkerOptions,
        /// What the master commands.
        commands: Arc<Commands>,
        /// What becomes of it.
        outcome: Arc<OnceLock<WorkerOutcome>>,
    },
    /// A master.
    Master {
        /// The workers.
        options: MasterOptions,
        /// What becomes of it.
        outcome: Arc<Mutex<MasterOutcome>>,
    },
}

impl Part {
    /// Whether the tasks are performed elsewhere.
    pub(super) fn is_master(&self) -> bool {
        matches!(self, Self::Master { .. })
    }

    /// The users of the test, where its tasks are performed.
    pub(super) fn users(&self, shape: Shape) -> Users {
        match self {
            Self::Local | Self::Master { .. } => shape.into(),
            Self::Worker { commands, .. } => Users::Commanded(Arc::clone(commands)),
        }
    }

    /// What a master runs.
    pub(super) fn conduct(&self, shape: &Shape) -> Option<Box<dyn Runnable>> {
        let Self::Master { options, outcome } = self else { return None };
        let (options, shape, outcome) = (options.clone(), shape.clone(), Arc::clone(outcome));
        Some(Box::new(Master { options, shape, outcome }))
    }

    /// What is run of a linked test.
    pub(super) fn of(&self, test: Box<dyn Runnable>) -> Box<dyn Runnable> {
        match self {
            Self::Local | Self::Master { .. } => test,
            Self::Worker { options, commands, outcome } => Box::new(Worker {
                test,
                commands: Arc::clone(commands),
                options: options.clone(),
                outcome: Arc::clone(outcome),
            }),
        }
    }

    /// Whether the test may end without a request: a master may have no users for a worker.
    pub(super) fn may_be_idle(&self) -> bool {
        match self {
            Self::Local | Self::Master { .. } => false,
            Self::Worker { outcome, .. } => outcome.get().is_some_and(|outcome| outcome.peak == 0),
        }
    }

    /// Why the part has failed, if it has.
    pub(super) fn failure(&self) -> Option<Failure> {
        let why = match self {
            Self::Local => None,
            Self::Worker { outcome, .. } => match &outcome.get()?.end {
                WorkerEnd::Lost(why) => Some(why.clone()),
                WorkerEnd::Quit | WorkerEnd::Left => None,
            },
            Self::Master { outcome, .. } => lock(outcome).failure.clone(),
        };
        why.map(|why| Failure::new(FailureKind::Network, why))
    }

    /// Adds what the reference's result says of a cluster to the echo of the arguments.
    pub(super) fn extend(&self, echo: &mut Value) {
        if let (Self::Master { outcome, .. }, Value::Dict(members)) = (self, echo) {
            let health = health(&lock(outcome).health);
            members.insert("distributed_health".to_owned(), health);
        }
    }
}

fn health(health: &Health) -> Value {
    let workers = health.workers.iter().map(|(id, state)| (id.clone(), Value::from(*state)));
    let affected = health.affected_workers.iter().map(|id| id.as_str().into());
    Value::dict([
        ("status", Value::from(health.status.text())),
        ("reason", health.reason.as_deref().map_or(Value::Null, Value::from)),
        ("workers", Value::Dict(workers.collect())),
        ("target_users", health.target_users.into()),
        ("reported_users", health.reported_users.into()),
        ("affected_workers", Value::List(affected.collect())),
        ("session_continuity", "not guaranteed".into()),
        ("request_replay", Value::Bool(false)),
    ])
}

/// The failure of a test that could not be run.
pub(super) fn not_run(error: &RunError) -> Failure {
    let kind = match error {
        RunError::Worker(_) => FailureKind::Internal,
        RunError::Cluster(_) => FailureKind::Network,
    };
    Failure::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_the_names_of_loaddensitys_classes() {
        for (user, name) in [
            ("fast_http_user", "FastHttpUserWrapper"),
            ("http_user", "HttpUserWrapper"),
            ("async_http_user", "AsyncHttpUserWrapper"),
            ("socket_user", "SocketUserWrapper"),
            ("websocket_user", "WebSocketUserWrapper"),
            ("mqtt_user", "MqttUserWrapper"),
        ] {
            assert_eq!(class(user), name);
        }
    }
}
