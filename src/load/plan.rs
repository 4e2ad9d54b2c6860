//! A load test that cannot be wrong: everything in it has been checked.

use std::sync::Arc;

use super::driver::Driver;
use super::pacer::Pacing;
use super::scenario::Scenario;
use super::shape::Shape;
use super::template::Names;

/// A load test, ready to run.
#[derive(Debug)]
pub struct Plan<D: Driver> {
    /// When it makes load.
    pub settings: Settings,
    /// What an iteration does.
    pub scenario: Scenario,
    /// How a task reaches its target.
    pub driver: D,
    /// What the templates' holes refer to.
    pub names: Arc<Names>,
}

/// What holds for a test whatever its tasks are.
#[derive(Debug)]
pub struct Settings {
    /// How many users, and until when.
    pub shape: Shape,
    /// When iterations start.
    pub pacing: Pacing,
    /// Whether the bodies of failed requests are kept.
    pub keep_bodies: bool,
    /// Where all randomness of the run begins.
    pub seed: u64,
}
