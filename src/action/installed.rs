//! What documents have installed for their tests: a simulated network and a failure budget. Like
//! variables, they hold from one text request to the next, and in a run with events for its own
//! tests.

use std::sync::Arc;

use crate::load::Conditioner;
use crate::record::budget::FailureBudget;

/// What is installed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Installed {
    pub(crate) network: Option<Arc<Conditioner>>,
    pub(crate) budget: Option<FailureBudget>,
}
