//! Which runs are in progress, which have a place for a test, which wait for one, and which have ended.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::Queued;
use crate::run::{Run, Test};

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Those in progress or in the queue, oldest first.
    pub(super) in_progress: Vec<Arc<Run>>,
    /// The last that have ended, oldest first.
    pub(super) ended: VecDeque<Arc<Run>>,
    /// The tests in progress, and places kept for runs whose test is about to start.
    pub(super) places: Vec<Place>,
    /// Those that wait for a place, the next first.
    pub(super) queue: VecDeque<Arc<Run>>,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) run: Arc<Run>,
    pub(super) test: Option<Arc<Test>>,
    /// Kept for the whole run: its tests and what it has started for them belong together.
    pub(super) whole: bool,
    /// Whether a test of the run has ended in it.
    pub(super) used: bool,
}

impl Place {
    /// A place for the whole run, whose first test is about to start.
    pub(super) fn kept(run: Arc<Run>) -> Self {
        Self { run, test: None, whole: true, used: false }
    }

    /// Whether its run only has its last actions to do, or starts another test at once.
    pub(super) fn is_finishing(&self) -> bool {
        self.test.is_none() && self.used
    }
}

/// Whether a run waits for no place any more.
pub(super) fn is_over(run: &Arc<Run>, table: &Table) -> bool {
    table.has_place(run) || run.cancel().is_cancelled()
}

impl Table {
    pub(super) fn has_place(&self, run: &Arc<Run>) -> bool {
        self.places.iter().any(|place| Arc::ptr_eq(&place.run, run))
    }

    /// The run that has the first place; `run` if there is none.
    pub(super) fn holder(&self, run: &Arc<Run>) -> Arc<Run> {
        self.places.first().map_or(run, |place| &place.run).clone()
    }

    /// A test of a run has ended: hands its place on, unless it is kept for the whole run.
    pub(super) fn end_test(&mut self, run: &Arc<Run>, most: usize) {
        let kept = |place: &&mut Place| place.whole && Arc::ptr_eq(&place.run, run);
        match self.places.iter_mut().find(kept) {
            Some(place) => (place.test, place.used) = (None, true),
            None => self.release(run, most),
        }
    }

    pub(super) fn queued(&self, run: &Arc<Run>) -> Queued {
        let before = self.queue.iter().take_while(|waiting| !Arc::ptr_eq(waiting, run)).count();
        let holder = self.places.first();
        let test = holder.and_then(|place| place.test.as_ref());
        let left = test.and_then(|test| test.remaining());
        Queued {
            position: before + 1,
            holder: holder.map(|place| place.run.number()),
            holder_remaining_s: left.map(|left| left.as_secs_f64()),
        }
    }

    /// Takes a run's place from it and hands it to the next in the queue.
    pub(super) fn release(&mut self, run: &Arc<Run>, most: usize) {
        self.places.retain(|place| !Arc::ptr_eq(&place.run, run));
        self.queue.retain(|waiting| !Arc::ptr_eq(waiting, run));
        while self.places.len() < most {
            let Some(next) = self.queue.pop_front() else { return };
            self.places.push(Place::kept(next));
        }
    }
}
