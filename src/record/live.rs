//! Figures of a run in progress: per method and name a request count, a failure count, a byte count
//! and a fixed-size latency histogram. Every worker has its [`Share`] and merges it once a tick
//! into the [`Live`] figures of its run and the [`Cumulative`] figures of all runs, which exporters
//! read. Readers never touch the request path.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hdrhistogram::Histogram;
use indexmap::IndexMap;

use super::sample::Label;
use crate::lock::lock;

/// The longest latency that a histogram distinguishes, in microseconds: an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// Upper bounds of the response sizes that are distinguished, in bytes; larger ones share a count.
/// The reference's Prometheus buckets.
pub const SIZE_BOUNDS: [u64; 8] = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];

/// The index of a size among [`SIZE_BOUNDS`]: each is four times the previous one.
fn size_place(bytes: u64) -> usize {
    let bits = u64::BITS - bytes.saturating_sub(1).leading_zeros();
    (bits.saturating_sub(6) as usize).div_ceil(2).min(SIZE_BOUNDS.len())
}

/// A latency histogram in microseconds, accurate to 1 % (two significant digits), 22 KiB.
fn histogram() -> Option<Histogram<u64>> {
    Histogram::new_with_bounds(1, LONGEST_US, 2).ok()
}

/// Method and name.
type Key = (Arc<str>, Arc<str>);

/// The figures of one method and name.
#[derive(Debug, Clone)]
pub struct Series {
    /// `GET`, `POST`, …
    pub method: Arc<str>,
    /// The name.
    pub name: Arc<str>,
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Bytes of their responses' bodies.
    pub bytes: u64,
    /// The sum of the latencies in microseconds.
    pub latency_sum_us: u64,
    /// How many responses lie within each of [`SIZE_BOUNDS`] and above the previous one; the last
    /// count is above all bounds.
    pub sizes: [u64; SIZE_BOUNDS.len() + 1],
    latency: Option<Histogram<u64>>,
}

impl Series {
    fn new(method: &Arc<str>, name: &Arc<str>) -> Self {
        Self {
            method: Arc::clone(method),
            name: Arc::clone(name),
            requests: 0,
            failures: 0,
            bytes: 0,
            latency_sum_us: 0,
            sizes: [0; SIZE_BOUNDS.len() + 1],
            latency: histogram(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.bytes += other.bytes;
        self.latency_sum_us += other.latency_sum_us;
        self.sizes.iter_mut().zip(other.sizes).for_each(|(mine, theirs)| *mine += theirs);
        if let (Some(mine), Some(theirs)) = (&mut self.latency, &other.latency) {
            let _ = mine.add(theirs);
        }
    }

    fn reset(&mut self) {
        self.requests = 0;
        self.failures = 0;
        self.bytes = 0;
        self.latency_sum_us = 0;
        self.sizes = [0; SIZE_BOUNDS.len() + 1];
        if let Some(latency) = &mut self.latency {
            latency.reset();
        }
    }

    /// A percentile (0 to 100) of the latency in milliseconds.
    pub fn percentile_ms(&self, percentile: f64) -> f64 {
        let latency = self.latency.as_ref().filter(|latency| !latency.is_empty());
        latency.map_or(0.0, |latency| latency.value_at_percentile(percentile) as f64 / 1000.0)
    }

    /// Returns how many requests took at most this many milliseconds.
    pub fn count_up_to_ms(&self, millis: f64) -> u64 {
        let latency = self.latency.as_ref();
        latency.map_or(0, |latency| latency.count_between(0, (millis * 1000.0) as u64))
    }

    /// The recorded latencies in milliseconds, ascending, with their number of occurrences.
    pub fn latencies_ms(&self) -> impl Iterator<Item = (f64, u64)> {
        self.latency.iter().flat_map(|latency| {
            latency
                .iter_recorded()
                .map(|step| (step.value_iterated_to() as f64 / 1000.0, step.count_at_value()))
        })
    }
}

/// One worker's figures since its last tick.
#[derive(Debug, Default)]
pub struct Share {
    series: IndexMap<Key, Series>,
}

impl Share {
    /// The index of the series that a label belongs to.
    pub(super) fn series(&mut self, label: &Label) -> usize {
        let key = (Arc::clone(&label.method), Arc::clone(&label.name));
        let entry = self.series.entry(key);
        let place = entry.index();
        entry.or_insert_with(|| Series::new(&label.method, &label.name));
        place
    }

    pub(super) fn record(&mut self, place: usize, latency: Duration, bytes: u64, failed: bool) {
        let Some((_, series)) = self.series.get_index_mut(place) else { return };
        let micros = latency.as_micros() as u64;
        series.requests += 1;
        series.failures += u64::from(failed);
        series.bytes += bytes;
        series.latency_sum_us += micros;
        if let Some(count) = series.sizes.get_mut(size_place(bytes)) {
            *count += 1;
        }
        if let Some(histogram) = &mut series.latency {
            histogram.saturating_record(micros.clamp(1, LONGEST_US));
        }
    }

    /// Adds these figures to those of the run and of all runs, and resets them. Touches only what
    /// has changed.
    pub fn merge_into(&mut self, live: &Live) {
        for (key, series) in self.series.iter_mut().filter(|(_, series)| series.requests > 0) {
            live.table.add(key, series);
            live.cumulative.0.add(key, series);
            series.reset();
        }
    }
}

/// Series that many threads add to. Each has its own lock, because adding and copying take long
/// with many names; the table's lock is held only to find one.
#[derive(Debug, Default)]
struct Table(Mutex<IndexMap<Key, Arc<Mutex<Series>>>>);

impl Table {
    fn add(&self, key: &Key, series: &Series) {
        let mine = {
            let mut table = lock(&self.0);
            let entry = table.entry(key.clone());
            let new = || Arc::new(Mutex::new(Series::new(&series.method, &series.name)));
            Arc::clone(entry.or_insert_with(new))
        };
        lock(&mine).add(series);
    }

    /// Calls `look` with each series, in the order of their creation.
    fn each(&self, mut look: impl FnMut(&Series)) {
        let all: Vec<_> = lock(&self.0).values().cloned().collect();
        all.iter().for_each(|series| look(&lock(series)));
    }

    fn copy(&self) -> Vec<Series> {
        let mut copy = Vec::new();
        self.each(|series| copy.push(series.clone()));
        copy
    }
}

/// The figures of all workers of a run.
#[derive(Debug, Default)]
pub struct Live {
    table: Table,
    cumulative: Arc<Cumulative>,
    users: AtomicUsize,
}

impl Live {
    /// Empty figures; what is merged into them also counts in `cumulative`.
    pub fn feeding(cumulative: Arc<Cumulative>) -> Self {
        Self { cumulative, ..Self::default() }
    }

    /// Virtual users that run now.
    pub fn users(&self) -> usize {
        self.users.load(Ordering::Relaxed)
    }

    /// A worker's users have become `now`; they were `before`.
    pub fn change_users(&self, before: usize, now: usize) {
        self.users.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
    }

    /// A copy of every series.
    pub fn series(&self) -> Vec<Series> {
        self.table.copy()
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
        let mut total = total([]);
        self.table.each(|series| total.add(series));
        total
    }
}

/// The figures of all runs, for exporters: they only grow, and the figures of an ended run remain.
#[derive(Debug, Default)]
pub struct Cumulative(Table);

impl Cumulative {
    /// A copy of every series.
    pub fn series(&self) -> Vec<Series> {
        self.0.copy()
    }
}

/// Series merged into one.
pub fn total<'a>(series: impl IntoIterator<Item = &'a Series>) -> Series {
    let mut total = Series::new(&"".into(), &"".into());
    series.into_iter().for_each(|series| total.add(series));
    total
}

/// The difference between two copies of the same figures. Series are only ever added, so those of
/// the older copy have the same indices.
pub fn changes(now: &[Series], before: &[Series]) -> Vec<Series> {
    let known = now.iter().zip(before).map(|(now, before)| since(now, before));
    known.chain(now.iter().skip(before.len()).cloned()).collect()
}

/// The difference between two moments of a run, for figures over the last interval.
pub fn since(now: &Series, before: &Series) -> Series {
    let mut change = now.clone();
    change.requests = now.requests.saturating_sub(before.requests);
    change.failures = now.failures.saturating_sub(before.failures);
    change.bytes = now.bytes.saturating_sub(before.bytes);
    change.latency_sum_us = now.latency_sum_us.saturating_sub(before.latency_sum_us);
    for (mine, theirs) in change.sizes.iter_mut().zip(before.sizes) {
        *mine = mine.saturating_sub(theirs);
    }
    if let (Some(mine), Some(theirs)) = (&mut change.latency, &before.latency) {
        let _ = mine.subtract(theirs);
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_counts_under_the_first_bound_that_it_does_not_exceed() {
        for bytes in (0..=1026).chain([4096, 4097, 1_048_576, 1_048_577, u64::MAX]) {
            let want = SIZE_BOUNDS.iter().take_while(|bound| **bound < bytes).count();
            assert_eq!(size_place(bytes), want, "{bytes}");
        }
    }

    #[test]
    fn a_copy_in_progress_does_not_block_workers() {
        let (live, mut share) = (Live::default(), Share::default());
        let label = |name: &str| Label { method: "GET".into(), url: "u".into(), name: name.into() };
        let (a, b) = (share.series(&label("a")), share.series(&label("b")));
        share.record(a, Duration::ZERO, 1, false);
        share.merge_into(&live);
        let mut requests = 0;
        live.table.each(|series| {
            requests += series.requests;
            share.record(b, Duration::ZERO, 1, false);
            share.merge_into(&live);
        });
        assert_eq!((requests, live.requests().0), (1, 2));
    }

    #[test]
    fn changes_are_the_difference_between_two_copies() {
        let (live, mut share) = (Live::default(), Share::default());
        let label = |name: &str| Label { method: "GET".into(), url: "u".into(), name: name.into() };
        let (a, b) = (share.series(&label("a")), share.series(&label("b")));
        share.record(a, Duration::from_millis(10), 100, false);
        share.merge_into(&live);
        let before = live.series();
        share.record(a, Duration::from_millis(20), 1, true);
        share.record(b, Duration::from_millis(30), 1, false);
        share.merge_into(&live);
        let changes = changes(&live.series(), &before);
        let seen: Vec<_> = changes
            .iter()
            .map(|series| (&*series.name, series.requests, series.failures, series.sizes[0]))
            .collect();
        assert_eq!(seen, [("a", 1, 1, 1), ("b", 1, 0, 1)]);
        let latencies: Vec<_> =
            total(&changes).latencies_ms().map(|(ms, n)| (ms.round(), n)).collect();
        assert_eq!(latencies, [(20.0, 1), (30.0, 1)]);
    }
}
