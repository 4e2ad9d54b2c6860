//! The part of a load test in a cluster: `runner_mode` of `LD_start_test`, and the arguments that
//! belong to it. A local test ignores them, as the reference does.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::action::arguments::Arguments;
use crate::action::context::Context;
use crate::cluster::{Worker, WorkerEnd, WorkerOptions, WorkerOutcome};
use crate::event::{Failure, FailureKind};
use crate::load::shape::Shape;
use crate::load::{Commands, Runnable, TestLimits, Users};
use crate::value::{Invalid, Kind};

/// The values of `runner_mode`.
pub(super) const MODES: Kind = Kind::OneOf(&["local", "worker"]);

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

/// Where Locust's masters are.
const MASTER_HOST: &str = "127.0.0.1";
const MASTER_PORT: u16 = 5557;

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
}

impl Mode {
    /// Reads `runner_mode` and its arguments.
    pub(super) fn parse(given: &Arguments<'_>) -> Result<Self, Invalid> {
        let Some(field) = given.present("runner_mode") else { return Ok(Self::Local) };
        let mode = match field.text()? {
            "local" => return Ok(Self::Local),
            "worker" => Self::Worker {
                host: given
                    .if_present("master_host", |host| host.string())?
                    .unwrap_or(MASTER_HOST.to_owned()),
                port: given
                    .if_present("master_port", |port| port.integer(1))?
                    .map_or(Ok(MASTER_PORT), |port| {
                        u16::try_from(port).map_err(|_| field.expected("a port"))
                    })?,
            },
            _ => return Err(field.choice(&["local", "worker"])),
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

    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Worker { .. } => "worker",
        }
    }

    /// Whether it has no use for this argument of clusters.
    pub(super) fn ignores(&self, argument: &str) -> bool {
        match self {
            Self::Local => true,
            Self::Worker { .. } => !OF_WORKERS.contains(&argument),
        }
    }

    /// The part of the test that begins.
    pub(super) fn begin(self, limits: &TestLimits) -> Part {
        match self {
            Self::Local => Part::Local,
            Self::Worker { host, port } => {
                let most = usize::try_from(limits.users).unwrap_or(usize::MAX);
                let end = Duration::from_secs_f64(limits.seconds);
                let commands = Commands::new(most, Some(end));
                Part::Worker { host, port, commands, outcome: Arc::default() }
            }
        }
    }
}

/// The part of a test that runs.
#[derive(Debug)]
pub(super) enum Part {
    /// It is alone.
    Local,
    /// A worker.
    Worker {
        /// The master's host.
        host: String,
        /// The master's port.
        port: u16,
        /// What the master commands.
        commands: Arc<Commands>,
        /// What becomes of it.
        outcome: Arc<OnceLock<WorkerOutcome>>,
    },
}

impl Part {
    /// The users of the test.
    pub(super) fn users(&self, shape: Shape) -> Users {
        match self {
            Self::Local => shape.into(),
            Self::Worker { commands, .. } => Users::Commanded(Arc::clone(commands)),
        }
    }

    /// What is run of a linked test.
    pub(super) fn of(&self, test: Box<dyn Runnable>, context: &Context<'_>) -> Box<dyn Runnable> {
        match self {
            Self::Local => test,
            Self::Worker { host, port, commands, outcome } => Box::new(Worker {
                test,
                commands: Arc::clone(commands),
                options: WorkerOptions {
                    host: host.clone(),
                    port: *port,
                    targets: context.policy().targets.clone(),
                },
                outcome: Arc::clone(outcome),
            }),
        }
    }

    /// Whether the test may end without a request: a master may have no users for a worker.
    pub(super) fn may_be_idle(&self) -> bool {
        match self {
            Self::Local => false,
            Self::Worker { outcome, .. } => outcome.get().is_some_and(|outcome| outcome.peak == 0),
        }
    }

    /// Why the part has failed, if it has.
    pub(super) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Local => None,
            Self::Worker { outcome, .. } => match &outcome.get()?.end {
                WorkerEnd::Lost(why) => Some(Failure::new(FailureKind::Network, why.clone())),
                WorkerEnd::Quit | WorkerEnd::Left => None,
            },
        }
    }
}
