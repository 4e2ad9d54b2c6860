//! By what documents are read: the limits of their tests, and what may run in the executor's Python.

use crate::load::TestLimits;

/// By what documents are read.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rules {
    /// The limits of one test.
    pub limits: TestLimits,
    /// What runs in the executor's Python; `None` without one.
    pub python: Option<Engine>,
}

/// Which tests run in the executor's Python. Commands that are not native here always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Those with users or arguments that are not native.
    #[default]
    Auto,
    /// None.
    Native,
    /// All.
    Python,
}

impl From<TestLimits> for Rules {
    /// Without Python.
    fn from(limits: TestLimits) -> Self {
        Self { limits, python: None }
    }
}
