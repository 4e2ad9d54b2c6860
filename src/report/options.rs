//! What a report may be given beside the records.

use std::sync::Arc;

use super::figures::{Baseline, Facts};
use super::junit::Per;
use crate::memory::Memory;
use crate::record::gates::Rule;

/// The options of a report.
#[derive(Debug, Default)]
pub struct Options {
    /// Gates over the records.
    pub rules: Vec<Rule>,
    /// What a testcase represents.
    pub per: Per,
    /// What was run, and where.
    pub facts: Facts,
    /// An earlier run to compare with.
    pub baseline: Option<Baseline>,
    /// The ceiling for what is drawn.
    pub memory: Option<Arc<Memory>>,
}
