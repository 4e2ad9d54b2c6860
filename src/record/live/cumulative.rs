//! The figures of all runs, for exporters. They only grow as long as their name is in the table:
//! clearing records does not reset them. Exporters that publish changes follow the figures from the
//! moment they start, so none of them copies or subtracts what was before.

use std::sync::{Arc, Mutex, Weak};

use super::series::{Counted, Series};
use super::table::Table;
use crate::lock::lock;
use crate::memory::{Full, Memory};

/// The figures of all runs.
#[derive(Debug)]
pub struct Cumulative {
    memory: Arc<Memory>,
    all: Arc<Table<Counted>>,
    followers: Mutex<Followers>,
}

/// What exporters have asked for; those that have ended are dropped.
#[derive(Debug, Default)]
struct Followers {
    counts: Vec<Weak<Table<Counted>>>,
    latencies: Vec<Weak<Table<Series>>>,
}

/// Where figures are added now.
pub(super) struct Tables {
    pub(super) counts: Vec<Arc<Table<Counted>>>,
    pub(super) latencies: Vec<Arc<Table<Series>>>,
}

impl Default for Cumulative {
    /// Without a ceiling for their memory.
    fn default() -> Self {
        Self::new(&Memory::unlimited())
    }
}

impl Cumulative {
    /// Empty figures that take their memory here.
    pub fn new(memory: &Arc<Memory>) -> Self {
        let all = Arc::new(Table::new(memory, "figures of all runs"));
        Self { memory: Arc::clone(memory), all, followers: Mutex::default() }
    }

    /// Where they take their memory.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// A copy of the counts of every series, about 300 bytes each.
    pub fn counts(&self) -> Vec<Counted> {
        self.all.copy()
    }

    /// The counts from now on.
    pub fn from_now(&self) -> CountsFromNow {
        let table = Arc::new(Table::new(&self.memory, "figures of an exporter"));
        lock(&self.followers).counts.push(Arc::downgrade(&table));
        CountsFromNow(table)
    }

    /// The figures between two looks at them, with all latencies.
    pub fn changes(&self) -> Changes {
        let table = Arc::new(Table::new(&self.memory, "figures of an exporter"));
        lock(&self.followers).latencies.push(Arc::downgrade(&table));
        Changes(table)
    }

    /// A run begins.
    pub(super) fn begin_run(&self) {
        let Tables { counts, latencies } = self.tables();
        counts.iter().for_each(|table| table.begin_run());
        latencies.iter().for_each(|table| table.begin_run());
    }

    /// Where figures are added now.
    pub(super) fn tables(&self) -> Tables {
        let mut followers = lock(&self.followers);
        let latencies = alive(&mut followers.latencies);
        let mut counts = alive(&mut followers.counts);
        counts.push(Arc::clone(&self.all));
        Tables { counts, latencies }
    }

    /// Takes memory for what was added.
    pub(super) fn settle(&self) -> Result<(), Full> {
        let Tables { counts, latencies } = self.tables();
        counts.iter().try_for_each(|table| table.settle())?;
        latencies.iter().try_for_each(|table| table.settle())
    }
}

fn alive<T>(followers: &mut Vec<Weak<T>>) -> Vec<Arc<T>> {
    followers.retain(|table| table.strong_count() > 0);
    followers.iter().filter_map(Weak::upgrade).collect()
}

/// Counts since a moment.
#[derive(Debug)]
pub struct CountsFromNow(Arc<Table<Counted>>);

impl CountsFromNow {
    /// A copy of them.
    pub fn counts(&self) -> Vec<Counted> {
        self.0.copy()
    }
}

/// Figures since the last look.
#[derive(Debug)]
pub struct Changes(Arc<Table<Series>>);

impl Changes {
    /// The series with requests since the last call.
    pub fn take(&self) -> Vec<Series> {
        self.0.take(|series| series.requests > 0)
    }

    /// Includes these again in the next call.
    pub fn put_back(&self, series: &[Series]) {
        series.iter().for_each(|series| self.0.add(series));
    }
}
