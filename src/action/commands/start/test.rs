//! A load test whose arguments have been read.

use super::web_ui::WebUi;
use crate::action::commands::clustered::Mode;
use crate::action::commands::resolver::CsvSource;
use crate::load::pacer::Pacing;
use crate::load::shape::Shape;
use crate::protocol::Workload;
use crate::record::gates::AbortOn;
use crate::value::{Map, Value};

/// A test with parsed arguments. Its tasks are linked when it runs, because earlier actions may
/// register or write what they refer to.
#[derive(Debug)]
pub(in crate::action::commands) struct StartTest {
    pub(super) echo: Value,
    /// Whether it runs until it is stopped; then its shape ends with the limit.
    pub(super) endless: bool,
    pub(super) shape: Shape,
    pub(super) pacing: Pacing,
    pub(super) work: Work,
    pub(super) variables: Map,
    pub(super) sources: Vec<CsvSource>,
    pub(super) keep_bodies: bool,
    pub(super) abort_on: AbortOn,
    /// What LoadDensity calls its users.
    pub(super) class: String,
    /// Where a page shows it.
    pub(super) web_ui: Option<WebUi>,
    pub(super) iterations: Option<u64>,
    pub(super) seed: Option<u64>,
    /// The model of load in words.
    pub(super) load: String,
    /// Its part in a cluster.
    pub(super) mode: Mode,
    /// The given arguments that have no effect.
    pub(super) ignored: Vec<&'static str>,
    /// The beginning of the action, for the report.
    pub(super) document: String,
}

/// What users do, and where.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each test")]
pub(super) enum Work {
    /// Here.
    Native(Workload),
    /// In the executor's Python, with these arguments.
    Python(Map),
}
