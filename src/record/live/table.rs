//! Figures by method and name that many threads add to. Each row has its own lock, because adding
//! and copying take long with many names; the table's lock is held only to find one. The number of
//! names is bounded: where another does not fit, the names of the oldest run make room, and their
//! figures move to the row of the others, so that the sum over all rows never decreases.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use indexmap::IndexMap;

use super::series::{Figures, Key, Series, total};
use crate::lock::lock;
use crate::memory::{Full, Memory, Share};
use crate::record::allowance::{MOST_NAME_BYTES, MOST_NAMES};
use crate::record::sample::{OTHER_METHODS, OTHER_NAMES};

/// What an entry of the map takes besides its figures and texts, in bytes.
const ENTRY_BYTES: usize = 128;

#[derive(Debug)]
pub(super) struct Table<F> {
    rows: Mutex<Rows<F>>,
    /// The memory of all rows, in bytes.
    bytes: AtomicUsize,
    share: Mutex<Share>,
    /// The number of the latest run.
    run: AtomicU64,
}

#[derive(Debug)]
struct Rows<F> {
    by_name: IndexMap<Key, Arc<Row<F>>>,
    /// Bytes of the names and methods.
    text: usize,
}

#[derive(Debug)]
struct Row<F> {
    /// `None` once it has left the table.
    figures: Mutex<Option<F>>,
    /// The latest run that added to it.
    run: AtomicU64,
}

impl<F: Figures + Clone> Table<F> {
    /// An empty table; `what` names it where memory runs out.
    pub(super) fn new(memory: &Arc<Memory>, what: &'static str) -> Self {
        Self {
            rows: Mutex::new(Rows { by_name: IndexMap::new(), text: 0 }),
            bytes: AtomicUsize::new(0),
            share: Mutex::new(memory.share(what)),
            run: AtomicU64::new(0),
        }
    }

    /// A run begins: names of earlier ones may make room for its own.
    pub(super) fn begin_run(&self) {
        self.run.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add(&self, figures: &F) {
        let key = figures.key();
        // A row that left the table after it was found is looked up again.
        while !self.add_to(&self.row(&key), figures) {}
    }

    fn add_to(&self, row: &Row<F>, figures: &F) -> bool {
        let mut mine = lock(&row.figures);
        let Some(mine) = &mut *mine else { return false };
        let before = mine.bytes();
        mine.add(figures);
        // Wraps where it became less.
        self.bytes.fetch_add(mine.bytes().wrapping_sub(before), Ordering::Relaxed);
        true
    }

    fn row(&self, key: &Key) -> Arc<Row<F>> {
        let run = self.run.load(Ordering::Relaxed);
        let mut rows = lock(&self.rows);
        if let Some(row) = rows.by_name.get(key) {
            row.run.store(run, Ordering::Relaxed);
            return Arc::clone(row);
        }
        let fits = |rows: &Rows<F>| {
            rows.by_name.len() < MOST_NAMES && rows.text + text(key) <= MOST_NAME_BYTES
        };
        if !fits(&rows) {
            self.age(&mut rows, run);
        }
        if fits(&rows) { self.insert(&mut rows, key, run) } else { self.others(&mut rows, run) }
    }

    fn insert(&self, rows: &mut Rows<F>, key: &Key, run: u64) -> Arc<Row<F>> {
        let figures = F::empty(key);
        self.bytes.fetch_add(figures.bytes() + ENTRY_BYTES, Ordering::Relaxed);
        rows.text += text(key);
        let row = Arc::new(Row { figures: Mutex::new(Some(figures)), run: run.into() });
        rows.by_name.insert(key.clone(), Arc::clone(&row));
        row
    }

    /// The row of the names that do not fit.
    fn others(&self, rows: &mut Rows<F>, run: u64) -> Arc<Row<F>> {
        let key = (OTHER_METHODS.into(), OTHER_NAMES.into());
        if let Some(row) = rows.by_name.get(&key) {
            return Arc::clone(row);
        }
        self.insert(rows, &key, run)
    }

    /// Moves the names of the oldest run, unless it is the latest one, to the row of the others.
    fn age(&self, rows: &mut Rows<F>, run: u64) {
        let others = self.others(rows, run);
        let is_other = |row: &Arc<Row<F>>| Arc::ptr_eq(row, &others);
        let last = |row: &Row<F>| row.run.load(Ordering::Relaxed);
        let named = rows.by_name.values().filter(|row| !is_other(row));
        let Some(oldest) = named.map(|row| last(row)).min().filter(|oldest| *oldest < run) else {
            return;
        };
        let mut freed = 0;
        rows.by_name.retain(|key, row| {
            if is_other(row) || last(row) != oldest {
                return true;
            }
            // The lock is released before that of the others is taken.
            let figures = lock(&row.figures).take();
            if let Some(figures) = figures {
                self.bytes.fetch_sub(figures.bytes() + ENTRY_BYTES, Ordering::Relaxed);
                freed += text(key);
                self.add_to(&others, &figures);
            }
            false
        });
        rows.text -= freed;
    }

    /// Calls `look` with each row, in the order of their creation.
    pub(super) fn each(&self, mut look: impl FnMut(&F)) {
        let all: Vec<_> = lock(&self.rows).by_name.values().cloned().collect();
        all.iter().for_each(|row| {
            if let Some(figures) = &*lock(&row.figures) {
                look(figures);
            }
        });
    }

    pub(super) fn copy(&self) -> Vec<F> {
        let mut copy = Vec::new();
        self.each(|figures| copy.push(figures.clone()));
        copy
    }

    /// Empties the table and returns what was in it. Names stay, because a thread may be about to add
    /// to their rows.
    pub(super) fn take(&self, has_any: impl Fn(&F) -> bool) -> Vec<F> {
        let all: Vec<_> = lock(&self.rows).by_name.values().cloned().collect();
        let mut taken = Vec::new();
        for row in all {
            if let Some(figures) = &mut *lock(&row.figures)
                && has_any(figures)
            {
                let empty = F::empty(&figures.key());
                let freed = figures.bytes() - empty.bytes();
                self.bytes.fetch_sub(freed, Ordering::Relaxed);
                taken.push(std::mem::replace(figures, empty));
            }
        }
        taken
    }

    /// Merges all rows into that of the others if they take more than this, in bytes. A reader sees
    /// the same sum at every moment; nobody adds any more.
    pub(super) fn collapse(&self, most: usize) {
        if self.held() <= most {
            return;
        }
        let mut sum = F::empty(&(OTHER_METHODS.into(), OTHER_NAMES.into()));
        self.each(|figures| sum.add(figures));
        let mut rows = lock(&self.rows);
        rows.by_name = IndexMap::new();
        rows.text = 0;
        self.bytes.store(0, Ordering::Relaxed);
        let run = self.run.load(Ordering::Relaxed);
        let row = self.others(&mut rows, run);
        // The table's lock is held, so that no reader finds the row empty.
        self.add_to(&row, &sum);
    }

    /// The memory that it takes, in bytes.
    pub(super) fn held(&self) -> usize {
        self.bytes.load(Ordering::Relaxed) + lock(&self.rows).text
    }

    /// Takes memory for what was added since the last call.
    pub(super) fn settle(&self) -> Result<(), Full> {
        lock(&self.share).set(self.held())
    }
}

impl Table<Series> {
    /// The series that belong to a sum, merged into one.
    pub(super) fn total_of(&self, belongs: impl Fn(&Series) -> bool) -> Series {
        let mut sum = total([]);
        self.each(|series| {
            if belongs(series) {
                sum.add(series);
            }
        });
        sum
    }
}

fn text((method, name): &Key) -> usize {
    method.len() + name.len()
}

#[cfg(test)]
mod tests {
    use super::super::series::Counted;
    use super::*;

    fn table() -> Table<Counted> {
        Table::new(&Memory::unlimited(), "test")
    }

    /// Adds a request of a name.
    fn add(table: &Table<Counted>, name: &str) {
        let mut series = Series::empty(&("GET".into(), name.into()));
        series.requests = 1;
        table.add(&Counted::from(&series));
    }

    fn rows(table: &Table<Counted>) -> Vec<(String, u64)> {
        let rows = table.copy();
        rows.into_iter().map(|row| (row.name.to_string(), row.requests)).collect()
    }

    #[test]
    fn t32_names_beyond_the_limit_share_one_row_and_no_request_is_lost() {
        let table = table();
        for number in 0..MOST_NAMES + 300 {
            add(&table, &number.to_string());
        }
        let rows = rows(&table);
        assert_eq!(rows.len(), MOST_NAMES + 1);
        assert_eq!(rows.last(), Some(&(OTHER_NAMES.to_owned(), 300)));
    }

    #[test]
    fn t32_long_names_are_bounded_by_their_text() {
        let table = table();
        for number in 0..2000 {
            add(&table, &format!("{number} {}", "x".repeat(2000)));
        }
        assert!(lock(&table.rows).text <= MOST_NAME_BYTES + 100);
        assert_eq!(rows(&table).iter().map(|(_, requests)| requests).sum::<u64>(), 2000);
    }

    #[test]
    fn t33_names_of_ended_runs_make_room_and_the_sum_never_decreases() {
        let table = table();
        add(&table, "every run");
        for run in 1..=4 {
            table.begin_run();
            add(&table, "every run");
            for number in 0..MOST_NAMES / 2 {
                add(&table, &format!("{run} {number}"));
            }
            let rows = rows(&table);
            let sum: u64 = rows.iter().map(|(_, requests)| requests).sum();
            assert_eq!(sum, 1 + run * (1 + MOST_NAMES as u64 / 2));
            assert!(rows.len() <= MOST_NAMES + 1, "{}", rows.len());
            assert!(rows.contains(&("every run".to_owned(), run + 1)), "a name in use has left");
        }
        let (runs, text): (Vec<_>, _) = (rows(&table), lock(&table.rows).text);
        assert!(runs.iter().any(|(name, _)| name.starts_with("4 ")));
        assert!(runs.iter().all(|(name, _)| !name.starts_with("1 ")));
        let names: usize = lock(&table.rows).by_name.keys().map(super::text).sum();
        assert_eq!(text, names);
    }

    #[test]
    fn figures_that_were_taken_are_not_taken_again_and_give_back_their_memory() {
        let memory = Memory::unlimited();
        let table: Table<Series> = Table::new(&memory, "test");
        let mut series = Series::empty(&("GET".into(), "a".into()));
        (1..=40).for_each(|n| series.latency.record(n * 1000));
        series.requests = 40;
        table.add(&series);
        table.settle().expect("room");
        let held = memory.taken();
        let taken = table.take(|series| series.requests > 0);
        assert_eq!(taken.iter().map(|series| series.requests).collect::<Vec<_>>(), [40]);
        assert!(table.take(|series| series.requests > 0).is_empty());
        table.settle().expect("room");
        assert!(memory.taken() < held, "{} of {held}", memory.taken());
        table.add(&taken[0]);
        assert_eq!(table.take(|series| series.requests > 0)[0].requests, 40);
        drop(table);
        assert_eq!(memory.taken(), 0);
    }
}
