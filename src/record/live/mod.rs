//! Figures of a run in progress: per method and name a request count, a failure count, a byte count
//! and the latencies. Every worker has its own, [`Unmerged`], and merges them once a tick into the
//! [`Live`] figures of its run and the [`Cumulative`] figures of all runs, which exporters read.
//! Readers never touch the request path.

mod cumulative;
mod curve;
mod detail;
mod latencies;
mod series;
mod table;
mod window;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indexmap::IndexMap;

use super::allowance::Allowance;
use super::sample::Label;
use super::tally::Tally;
use cumulative::Tables;
use series::{Figures, Key};
use table::Table;

pub use cumulative::{Changes, CountsFromNow, Cumulative};
pub use curve::{Curve, CurvePoint, MOST_POINTS, WIDTHS};
pub(super) use detail::Detailed;
pub use detail::{Answered, Detail, Failed};
pub use series::{Counted, LATENCY_BOUNDS_MS, SIZE_BOUNDS, Series, since, total};
pub use window::Window;
pub(super) use window::Windowed;

/// The most memory that the names of an ended run may take, in bytes: a hundred runs are kept.
const MOST_KEPT_BYTES: usize = 256 << 10;

/// One worker's figures since its last tick.
#[derive(Debug, Default)]
pub struct Unmerged {
    series: IndexMap<Key, Series>,
    /// The memory that they took at the last merge, in bytes.
    bytes: usize,
}

impl Unmerged {
    /// The index of the series that a label belongs to.
    pub(super) fn series(&mut self, label: &Label) -> usize {
        let key = (Arc::clone(&label.method), Arc::clone(&label.name));
        let entry = self.series.entry(key);
        let place = entry.index();
        entry.or_insert_with(|| Series::of(label));
        place
    }

    /// The same names without figures.
    pub(super) fn emptied(&self) -> Self {
        let empty = |(key, _): (&Key, &Series)| (key.clone(), Series::empty(key));
        Self { series: self.series.iter().map(empty).collect(), bytes: 0 }
    }

    /// The names from this place on, without figures.
    pub(super) fn names_from(&self, place: usize) -> impl Iterator<Item = Series> {
        self.series.keys().skip(place).map(Series::empty)
    }

    /// The figures of each name.
    pub(super) fn each(&self) -> impl Iterator<Item = &Series> {
        self.series.values()
    }

    /// The figures at this place.
    pub(super) fn at(&self, place: usize) -> Option<&Series> {
        self.series.get_index(place).map(|(_, series)| series)
    }

    /// All requests.
    pub(super) fn requests(&self) -> u64 {
        self.each().map(|series| series.requests).sum()
    }

    /// The memory that they take now, in bytes.
    pub(super) fn held(&self) -> usize {
        self.each().map(Figures::bytes).sum()
    }

    pub(super) fn record(&mut self, place: usize, latency: Duration, bytes: u64, failed: bool) {
        let Some((_, series)) = self.series.get_index_mut(place) else { return };
        series.record(latency, bytes, failed);
    }

    /// Adds these figures to those of the run and of all runs, and resets them. Touches only what
    /// has changed.
    pub(super) fn merge_into(&mut self, live: &Live) {
        let Tables { counts, latencies } = live.cumulative.tables();
        let mut held = 0;
        for series in self.series.values_mut() {
            held += series.bytes();
            if series.requests == 0 {
                continue;
            }
            live.table.add(series);
            let counted = Counted::from(&*series);
            counts.iter().for_each(|table| table.add(&counted));
            latencies.iter().for_each(|table| table.add(series));
            series.reset();
        }
        self.bytes = held;
        if let Err(full) = live.table.settle().and_then(|()| live.cumulative.settle()) {
            live.allowance.exhaust(full);
        }
    }

    /// The memory that they took at the last merge, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The figures of all workers of a run.
#[derive(Debug)]
pub struct Live {
    table: Table<Series>,
    cumulative: Arc<Cumulative>,
    allowance: Arc<Allowance>,
    users: AtomicUsize,
    /// The most that there were.
    peak_users: AtomicUsize,
    tally: OnceLock<Tally>,
    window: OnceLock<Window>,
    detail: OnceLock<Detail>,
}

impl Default for Live {
    /// Figures of one run alone, without a ceiling for their memory.
    fn default() -> Self {
        Self::feeding(Arc::default())
    }
}

impl Live {
    /// The figures of a run that begins; what is merged into them also counts in `cumulative`.
    pub fn feeding(cumulative: Arc<Cumulative>) -> Self {
        cumulative.begin_run();
        let memory = cumulative.memory();
        Self {
            table: Table::new(memory, "figures of the run"),
            allowance: Arc::new(Allowance::of(memory)),
            users: AtomicUsize::new(0),
            peak_users: AtomicUsize::new(0),
            tally: OnceLock::new(),
            window: OnceLock::new(),
            detail: OnceLock::new(),
            cumulative,
        }
    }

    /// What the run may keep.
    pub fn allowance(&self) -> &Arc<Allowance> {
        &self.allowance
    }

    /// Counts the run for reports to another machine, from now on.
    pub fn open_tally(&self) -> &Tally {
        self.tally.get_or_init(|| Tally::new(&self.allowance))
    }

    /// What is counted for reports to another machine, if the run is.
    pub fn tally(&self) -> Option<&Tally> {
        self.tally.get()
    }

    /// Counts the requests that are sent at least so long after the start of the run by themselves,
    /// too. To be called before it starts.
    pub fn open_window(&self, from: Duration) -> &Window {
        self.window.get_or_init(|| Window::new(from, self.cumulative.memory()))
    }

    /// What is counted of them, if it is.
    pub fn window(&self) -> Option<&Window> {
        self.window.get()
    }

    /// Looks at what pages show beside the figures of names. It is counted from now on, as long as
    /// somebody looks now and then.
    pub fn look_at_detail(&self) -> &Detail {
        let detail = self.detail.get_or_init(|| Detail::new(self.cumulative.memory()));
        detail.look();
        detail
    }

    /// The same, if anybody has looked.
    pub fn detail(&self) -> Option<&Detail> {
        self.detail.get()
    }

    /// Virtual users that run now.
    pub fn users(&self) -> usize {
        self.users.load(Ordering::Relaxed)
    }

    /// A worker's users have become `now`; they were `before`.
    pub fn change_users(&self, before: usize, now: usize) {
        let change = now.wrapping_sub(before);
        let all = self.users.fetch_add(change, Ordering::Relaxed).wrapping_add(change);
        // A sample now and then would miss those of a short test.
        self.peak_users.fetch_max(all, Ordering::Relaxed);
    }

    /// The most virtual users that ran at once.
    pub fn peak_users(&self) -> usize {
        self.peak_users.load(Ordering::Relaxed)
    }

    /// The run has ended. Its sum stays, and its names if they take little.
    pub fn conclude(&self) {
        self.table.collapse(MOST_KEPT_BYTES);
        self.window.get().inspect(|window| window.conclude());
        self.detail.get().inspect(|detail| detail.conclude());
        self.allowance.conclude();
        // Less always fits, and a run that has ended does not end early.
        let _ = self.table.settle();
    }

    /// A copy of every series.
    pub fn series(&self) -> Vec<Series> {
        self.table.copy()
    }

    /// Calls `look` with each series, without a copy; a worker that adds to it waits meanwhile.
    pub fn each(&self, look: impl FnMut(&Series)) {
        self.table.each(look);
    }

    /// Requests, and those that failed, over all series.
    pub fn requests(&self) -> (u64, u64) {
        let (mut requests, mut failures) = (0, 0);
        self.table.each(|series| {
            requests += series.requests;
            failures += series.failures;
        });
        (requests, failures)
    }

    /// All series merged into one.
    pub fn total(&self) -> Series {
        self.table.total_of(|_| true)
    }

    /// All series of a name merged into one.
    pub fn named(&self, name: &str) -> Series {
        self.table.total_of(|series| &*series.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    fn label(name: &str) -> Label {
        Label { method: "GET".into(), url: "u".into(), name: name.into() }
    }

    #[test]
    fn a_copy_in_progress_does_not_block_workers() {
        let (live, mut worker) = (Live::default(), Unmerged::default());
        let (a, b) = (worker.series(&label("a")), worker.series(&label("b")));
        worker.record(a, Duration::ZERO, 1, false);
        worker.merge_into(&live);
        let mut requests = 0;
        live.table.each(|series| {
            requests += series.requests;
            worker.record(b, Duration::ZERO, 1, false);
            worker.merge_into(&live);
        });
        assert_eq!((requests, live.requests().0), (1, 2));
    }

    #[test]
    fn changes_are_the_figures_between_two_looks() {
        let cumulative = Arc::new(Cumulative::default());
        let (live, mut worker) = (Live::feeding(Arc::clone(&cumulative)), Unmerged::default());
        let (a, b) = (worker.series(&label("a")), worker.series(&label("b")));
        worker.record(a, Duration::from_millis(10), 100, false);
        worker.merge_into(&live);
        let (changes, counts) = (cumulative.changes(), cumulative.from_now());
        worker.record(a, Duration::from_millis(20), 1, true);
        worker.record(b, Duration::from_millis(30), 1, false);
        worker.merge_into(&live);
        let taken = changes.take();
        let seen: Vec<_> = taken
            .iter()
            .map(|series| (&*series.name, series.requests, series.failures, series.sizes[0]))
            .collect();
        assert_eq!(seen, [("a", 1, 1, 1), ("b", 1, 0, 1)]);
        let latencies: Vec<_> =
            total(&taken).latencies_ms().map(|(ms, n)| (ms.round(), n)).collect();
        assert_eq!(latencies, [(20.0, 1), (30.0, 1)]);
        assert!(changes.take().is_empty());
        changes.put_back(&taken);
        assert_eq!(total(&changes.take()).requests, 2);
        let counted: Vec<_> =
            counts.counts().iter().map(|series| (series.requests, series.latencies[2])).collect();
        assert_eq!(counted, [(1, 1), (1, 0)]);
    }

    #[test]
    fn t36_an_ended_run_keeps_its_sum_and_not_a_thousand_names() {
        let memory = Memory::unlimited();
        let live = Live::feeding(Arc::new(Cumulative::new(&memory)));
        let mut worker = Unmerged::default();
        for number in 0..1000 {
            let place = worker.series(&label(&number.to_string()));
            (1..40).for_each(|n| worker.record(place, Duration::from_millis(n), 1, false));
        }
        worker.merge_into(&live);
        let (requests, median) = (live.requests(), live.total().percentile_ms(50.0));
        let held = live.table.held();
        live.conclude();
        assert_eq!((live.requests(), live.total().percentile_ms(50.0)), (requests, median));
        assert!(live.table.held() < 2000 && held > 400_000, "{} of {held}", live.table.held());
    }

    #[test]
    fn t32_a_series_with_few_latencies_takes_at_most_a_kibibyte() {
        let (live, mut worker) = (Live::default(), Unmerged::default());
        let a = worker.series(&label("a"));
        (1..=64).for_each(|n| worker.record(a, Duration::from_millis(n), 1, false));
        worker.merge_into(&live);
        assert!(worker.bytes() <= 1024, "{}", worker.bytes());
        let merged = live.series()[0].bytes();
        assert!(merged <= 1024, "{merged}");
    }
}
