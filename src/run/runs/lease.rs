//! A test in its place.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::Runs;
use super::table::Place;
use crate::load::{Progress, RunError, Runnable};
use crate::lock::lock;
use crate::record::Recording;
use crate::record::live::Live;
use crate::run::{Run, Test};

/// A test in the table; it ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Lease<'a> {
    pub(super) runs: &'a Runs,
    pub(super) run: Arc<Run>,
    pub(super) test: Arc<Test>,
}

impl Lease<'_> {
    /// The test.
    pub fn test(&self) -> &Arc<Test> {
        &self.test
    }

    /// Ends the test and begins another one in its place, with figures of its own: the next of several
    /// that belong together, of `length` (`None`: until stopped).
    pub fn next(&mut self, name: String, length: Option<Duration>, probe: usize) {
        let mut table = lock(&self.runs.table);
        let live = Live::feeding(Arc::clone(&self.runs.cumulative));
        let next = Arc::new(Test::new(name, length, live).with_probe(probe));
        let mine = |place: &&mut Place| {
            place.test.as_ref().is_some_and(|test| Arc::ptr_eq(test, &self.test))
        };
        if let Some(place) = table.places.iter_mut().find(mine) {
            place.test = Some(Arc::clone(&next));
        }
        let running = table.places.iter().filter(|place| place.test.is_some());
        if running.count() > 1 {
            next.share();
        }
        self.run.begin_test(Arc::clone(&next));
        self.runs.latest.set(&next);
        std::mem::replace(&mut self.test, next).end();
    }

    /// Generates the load on `workers` threads; `watch` receives the progress about once a second
    /// and may end it early. Blocks the calling thread.
    pub fn execute(
        &self,
        test: Box<dyn Runnable>,
        workers: usize,
        watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<String>,
    ) -> Result<Recording, RunError> {
        test.run(workers, self.test.live(), self.run.cancel(), &mut |progress| {
            self.test.report(progress);
            watch(progress)
        })
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        {
            let mut table = lock(&self.runs.table);
            self.test.end();
            table.end_test(&self.run, self.runs.most_tests);
        }
        self.runs.changed.notify_all();
    }
}
