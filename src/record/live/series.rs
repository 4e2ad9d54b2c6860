//! The figures of one method and name: with all latencies ([`Series`]), and as counts alone
//! ([`Counted`]), which is what most exporters publish.

use std::sync::Arc;
use std::time::Duration;

use super::latencies::Latencies;
use crate::record::sample::Label;

/// Upper bounds of the response sizes that are distinguished, in bytes; larger ones share a count.
/// The reference's Prometheus buckets.
pub const SIZE_BOUNDS: [u64; 8] = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];

/// Upper bounds of the latencies that exporters distinguish, in milliseconds; the reference's
/// Prometheus buckets.
pub const LATENCY_BOUNDS_MS: [f64; 11] =
    [5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0];

/// The index of a size among [`SIZE_BOUNDS`]: each is four times the previous one.
pub(super) fn size_place(bytes: u64) -> usize {
    let bits = u64::BITS - bytes.saturating_sub(1).leading_zeros();
    (bits.saturating_sub(6) as usize).div_ceil(2).min(SIZE_BOUNDS.len())
}

/// Method and name.
pub(super) type Key = (Arc<str>, Arc<str>);

/// Figures that a table keeps by method and name.
pub(super) trait Figures {
    fn empty(key: &Key) -> Self;
    fn key(&self) -> Key;
    fn add(&mut self, other: &Self);
    /// The memory that they take, in bytes; the texts are counted elsewhere.
    fn bytes(&self) -> usize;
}

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
    pub(super) latency: Latencies,
}

impl Series {
    pub(super) fn of(label: &Label) -> Self {
        Self::empty(&(Arc::clone(&label.method), Arc::clone(&label.name)))
    }

    pub(super) fn reset(&mut self) {
        self.requests = 0;
        self.failures = 0;
        self.bytes = 0;
        self.latency_sum_us = 0;
        self.sizes = [0; SIZE_BOUNDS.len() + 1];
        self.latency.reset();
    }

    /// A percentile (0 to 100) of the latency in milliseconds.
    pub fn percentile_ms(&self, percentile: f64) -> f64 {
        self.latency.percentile(percentile) as f64 / 1000.0
    }

    /// Returns how many requests took at most this many milliseconds.
    pub fn count_up_to_ms(&self, millis: f64) -> u64 {
        self.latency.count_up_to((millis * 1000.0) as u64)
    }

    /// The recorded latencies in milliseconds, ascending, with their number of occurrences.
    pub fn latencies_ms(&self) -> impl Iterator<Item = (f64, u64)> {
        self.latency.each().map(|(micros, count)| (micros as f64 / 1000.0, count))
    }
}

impl Figures for Series {
    fn empty((method, name): &Key) -> Self {
        Self {
            method: Arc::clone(method),
            name: Arc::clone(name),
            requests: 0,
            failures: 0,
            bytes: 0,
            latency_sum_us: 0,
            sizes: [0; SIZE_BOUNDS.len() + 1],
            latency: Latencies::default(),
        }
    }

    fn key(&self) -> Key {
        (Arc::clone(&self.method), Arc::clone(&self.name))
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.bytes += other.bytes;
        self.latency_sum_us += other.latency_sum_us;
        self.sizes.iter_mut().zip(other.sizes).for_each(|(mine, theirs)| *mine += theirs);
        self.latency.add(&other.latency);
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.latency.bytes()
    }
}

/// The figures of one method and name as counts alone: some 300 bytes, however many requests.
#[derive(Debug, Clone)]
pub struct Counted {
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
    /// The same for latencies and [`LATENCY_BOUNDS_MS`].
    pub latencies: [u64; LATENCY_BOUNDS_MS.len() + 1],
}

impl From<&Series> for Counted {
    fn from(series: &Series) -> Self {
        let mut below = 0;
        let bounds = LATENCY_BOUNDS_MS.iter().map(|bound| series.count_up_to_ms(*bound));
        let mut latencies = [0; LATENCY_BOUNDS_MS.len() + 1];
        for (within, up_to) in latencies.iter_mut().zip(bounds.chain([series.requests])) {
            *within = up_to.saturating_sub(below);
            below = up_to;
        }
        Self {
            method: Arc::clone(&series.method),
            name: Arc::clone(&series.name),
            requests: series.requests,
            failures: series.failures,
            bytes: series.bytes,
            latency_sum_us: series.latency_sum_us,
            sizes: series.sizes,
            latencies,
        }
    }
}

impl Figures for Counted {
    fn empty(key: &Key) -> Self {
        Self::from(&Series::empty(key))
    }

    fn key(&self) -> Key {
        (Arc::clone(&self.method), Arc::clone(&self.name))
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.bytes += other.bytes;
        self.latency_sum_us += other.latency_sum_us;
        self.sizes.iter_mut().zip(other.sizes).for_each(|(mine, theirs)| *mine += theirs);
        self.latencies.iter_mut().zip(other.latencies).for_each(|(mine, theirs)| *mine += theirs);
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl Series {
    /// Adds a request.
    pub(in crate::record) fn record(&mut self, latency: Duration, bytes: u64, failed: bool) {
        let micros = latency.as_micros() as u64;
        self.requests += 1;
        self.failures += u64::from(failed);
        self.bytes += bytes;
        self.latency_sum_us += micros;
        if let Some(count) = self.sizes.get_mut(size_place(bytes)) {
            *count += 1;
        }
        self.latency.record(micros);
    }

    /// No requests of this method and name.
    pub(in crate::record) fn none(method: &Arc<str>, name: &Arc<str>) -> Self {
        Self::empty(&(Arc::clone(method), Arc::clone(name)))
    }

    /// Adds the requests of another.
    pub(in crate::record) fn merge(&mut self, other: &Self) {
        self.add(other);
    }
}

/// Series merged into one.
pub fn total<'a>(series: impl IntoIterator<Item = &'a Series>) -> Series {
    let mut total = Series::empty(&("".into(), "".into()));
    series.into_iter().for_each(|series| total.add(series));
    total
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
    change.latency.subtract(&before.latency);
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
}
