//! The test that started last, for pages that show it: in progress, or ended, as long as its run is kept.

use std::sync::{Arc, Mutex, Weak};

use super::Test;
use crate::lock::lock;

/// The test that started last.
#[derive(Debug, Default)]
pub struct Latest(Mutex<Weak<Test>>);

impl Latest {
    /// The test, if there was one.
    pub fn test(&self) -> Option<Arc<Test>> {
        lock(&self.0).upgrade()
    }

    pub(super) fn set(&self, test: &Arc<Test>) {
        *lock(&self.0) = Arc::downgrade(test);
    }
}
