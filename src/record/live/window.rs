//! The figures of the requests that are sent from a moment of a run on: those that will be judged when
//! it is over. A request that was sent before and ends after it is none of them. They are counted
//! once a tick, from the rows of each worker.

use std::sync::Arc;
use std::time::Duration;

use super::series::{Figures, Series};
use super::table::Table;
use crate::memory::{Full, Memory};
use crate::record::sample::Sample;

/// Those of all workers.
#[derive(Debug)]
pub struct Window {
    from: Duration,
    table: Table<Series>,
}

impl Window {
    pub(super) fn new(from: Duration, memory: &Arc<Memory>) -> Self {
        Self { from, table: Table::new(memory, "figures of the run") }
    }

    /// All of them.
    pub fn total(&self) -> Series {
        self.table.total_of(|_| true)
    }

    /// Those of a name.
    pub fn named(&self, name: &str) -> Series {
        self.table.total_of(|series| &*series.name == name)
    }

    /// The run has ended: nothing looks at them any more.
    pub(super) fn conclude(&self) {
        self.table.collapse(0);
        // Less always fits.
        let _ = self.table.settle();
    }
}

/// Those of one worker since its last tick.
#[derive(Debug)]
pub(in crate::record) struct Windowed {
    from: Duration,
    /// How many rows of the record have been looked at.
    pub(in crate::record) rows: usize,
    /// With the same names at the same places as the worker's live figures.
    series: Vec<Series>,
    /// The memory that they took at the last merge, in bytes.
    bytes: usize,
}

impl Windowed {
    pub(in crate::record) fn new(window: &Window) -> Self {
        Self { from: window.from, rows: 0, series: Vec::new(), bytes: 0 }
    }

    /// How many names there are.
    pub(in crate::record) fn names(&self) -> usize {
        self.series.len()
    }

    /// Further names of the worker, without figures.
    pub(in crate::record) fn extend(&mut self, names: impl Iterator<Item = Series>) {
        self.series.extend(names);
    }

    /// Counts a request whose series has this place, if it is one of them.
    pub(in crate::record) fn record(&mut self, place: usize, sample: &Sample) {
        if sample.start >= self.from
            && let Some(series) = self.series.get_mut(place)
        {
            let latency = sample.service + sample.delay;
            series.record(latency, sample.bytes, sample.error.is_some());
        }
    }

    /// Moves them to those of all workers.
    pub(in crate::record) fn merge_into(&mut self, window: &Window) -> Result<(), Full> {
        self.bytes = self.series.iter().map(Figures::bytes).sum();
        for series in self.series.iter_mut().filter(|series| series.requests > 0) {
            window.table.add(series);
            series.reset();
        }
        window.table.settle()
    }

    /// The memory that they took at the last merge, in bytes.
    pub(in crate::record) fn bytes(&self) -> usize {
        self.bytes
    }
}
