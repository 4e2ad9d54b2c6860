//! Figures of a run that is still going on: per method and name a count, a failure count, a byte
//! count and a fixed-size latency histogram. Every worker has its [`Share`] and gives it away once
//! a tick; [`Live`] adds the shares up. The exporters and the progress events read [`Live`] and so
//! never meet the request path.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use indexmap::IndexMap;

use super::Label;

/// The longest latency that a histogram tells apart, in microseconds: an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// A latency histogram in microseconds, right to 1 % (two significant digits), 22 KiB.
fn histogram() -> Option<Histogram<u64>> {
    Histogram::new_with_bounds(1, LONGEST_US, 2).ok()
}

/// Series by method and name.
type Table = IndexMap<(Arc<str>, Arc<str>), Series>;

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
    /// Bytes of their answers' bodies.
    pub bytes: u64,
    /// The sum of the latencies in microseconds.
    pub latency_sum_us: u64,
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
            latency: histogram(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.bytes += other.bytes;
        self.latency_sum_us += other.latency_sum_us;
        if let (Some(mine), Some(theirs)) = (&mut self.latency, &other.latency) {
            let _ = mine.add(theirs);
        }
    }

    fn reset(&mut self) {
        self.requests = 0;
        self.failures = 0;
        self.bytes = 0;
        self.latency_sum_us = 0;
        if let Some(latency) = &mut self.latency {
            latency.reset();
        }
    }

    /// A percentile (0 to 100) of the latency in milliseconds.
    pub fn percentile_ms(&self, percentile: f64) -> f64 {
        let latency = self.latency.as_ref().filter(|latency| !latency.is_empty());
        latency.map_or(0.0, |latency| latency.value_at_percentile(percentile) as f64 / 1000.0)
    }

    /// Requests that took at most this many milliseconds.
    pub fn count_up_to_ms(&self, millis: f64) -> u64 {
        let latency = self.latency.as_ref();
        latency.map_or(0, |latency| latency.count_between(0, (millis * 1000.0) as u64))
    }
}

/// One worker's figures since its last tick.
#[derive(Debug, Default)]
pub struct Share {
    series: Table,
}

impl Share {
    /// The place of the series that a label counts under.
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
        if let Some(histogram) = &mut series.latency {
            histogram.saturating_record(micros.clamp(1, LONGEST_US));
        }
    }

    /// Adds these figures to the run's, and begins again at zero.
    pub fn give(&mut self, live: &Live) {
        let mut total = live.lock();
        for (key, series) in self.series.iter_mut().filter(|(_, series)| series.requests > 0) {
            total
                .entry(key.clone())
                .or_insert_with(|| Series::new(&series.method, &series.name))
                .add(series);
            series.reset();
        }
    }
}

/// The figures of all workers.
#[derive(Debug, Default)]
pub struct Live {
    series: Mutex<Table>,
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of every series.
    pub fn series(&self) -> Vec<Series> {
        self.lock().values().cloned().collect()
    }

    /// All series as one.
    pub fn total(&self) -> Series {
        total(self.lock().values())
    }
}

/// Series as one.
pub fn total<'a>(series: impl IntoIterator<Item = &'a Series>) -> Series {
    let mut total = Series::new(&"".into(), &"".into());
    series.into_iter().for_each(|series| total.add(series));
    total
}

/// What has come between two copies of the same [`Live`]'s series. Series are only ever added, so
/// those of the older copy stand at the same places.
pub fn changes(now: &[Series], before: &[Series]) -> Vec<Series> {
    let known = now.iter().zip(before).map(|(now, before)| since(now, before));
    known.chain(now.iter().skip(before.len()).cloned()).collect()
}

/// The difference between two moments of a run, for figures «over the last interval».
pub fn since(now: &Series, before: &Series) -> Series {
    let mut change = now.clone();
    change.requests = now.requests.saturating_sub(before.requests);
    change.failures = now.failures.saturating_sub(before.failures);
    change.bytes = now.bytes.saturating_sub(before.bytes);
    change.latency_sum_us = now.latency_sum_us.saturating_sub(before.latency_sum_us);
    if let (Some(mine), Some(theirs)) = (&mut change.latency, &before.latency) {
        let _ = mine.subtract(theirs);
    }
    change
}
