//! A load test in which everything has been checked.

use std::sync::Arc;

use super::driver::Driver;
use super::pacer::Pacing;
use super::scenario::Scenario;
use super::template::Names;
use super::trace::Trace;
use super::users::Users;

/// A load test, ready to run.
#[derive(Debug)]
pub struct Plan<D: Driver> {
    /// When it generates load.
    pub settings: Settings,
    /// What an iteration does.
    pub scenario: Scenario,
    /// How its tasks reach their target.
    pub driver: D,
    /// The values behind the templates' placeholders.
    pub names: Arc<Names>,
}

/// The settings of a test that do not depend on its tasks.
#[derive(Debug)]
pub struct Settings {
    /// How many users over time, and when it ends.
    pub users: Users,
    /// When iterations start.
    pub pacing: Pacing,
    /// Whether the bodies of failed requests are kept.
    pub keep_bodies: bool,
    /// How many iterations there are in all; `None` for as many as there is time for.
    pub iterations: Option<u64>,
    /// What is shown of its requests while it runs.
    pub trace: Option<Arc<Trace>>,
    /// The seed of all randomness in the run.
    pub seed: u64,
}
