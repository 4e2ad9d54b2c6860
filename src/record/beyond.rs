//! What a worker counts when it keeps no further rows: histograms by name, separately for successes
//! and failures, and the errors. A test goes on with these alone.

use std::collections::HashMap;
use std::time::Duration;

use super::live::{Series, Unmerged};
use super::sample::{ErrorId, Label, Sample, Times};

/// The most different errors, by name and text, that are told apart; further ones count under
/// [`OTHERS`].
const MOST_ERRORS: usize = 10_000;

/// What an entry of the table of errors takes, in bytes.
const ERROR_BYTES: usize = 80;

/// The error of those that are one too many.
pub(super) const OTHERS: ErrorId = ErrorId(u32::MAX);

/// Requests without rows.
#[derive(Debug)]
pub(super) struct Beyond {
    /// When the first of them ended, from the start of the run.
    pub(super) since: Duration,
    /// The option whose limit was reached.
    pub(super) limit: &'static str,
    /// Both have the same names at the same places as the worker's live figures.
    successes: Unmerged,
    failures: Unmerged,
    errors: HashMap<(usize, ErrorId), Times>,
}

impl Beyond {
    pub(super) fn new(since: Duration, limit: &'static str, names: &Unmerged) -> Self {
        let (successes, failures) = (names.emptied(), names.emptied());
        Self { since, limit, successes, failures, errors: HashMap::new() }
    }

    /// Another name of the worker.
    pub(super) fn add_name(&mut self, label: &Label) {
        self.successes.series(label);
        self.failures.series(label);
    }

    /// Counts a request of the name at this place.
    pub(super) fn record(&mut self, place: usize, sample: &Sample) {
        let latency = sample.service + sample.delay;
        let Some(error) = sample.error else {
            return self.successes.record(place, latency, sample.bytes, false);
        };
        self.failures.record(place, latency, sample.bytes, true);
        let times = Times::once(sample.start + sample.service);
        let error = match self.errors.len() < MOST_ERRORS {
            true => error,
            false if self.errors.contains_key(&(place, error)) => error,
            false => OTHERS,
        };
        self.errors.entry((place, error)).and_modify(|known| known.add(times)).or_insert(times);
    }

    pub(super) fn requests(&self) -> u64 {
        self.successes.requests() + self.failures.requests()
    }

    pub(super) fn bytes(&self) -> usize {
        self.successes.held() + self.failures.held() + self.errors.len() * ERROR_BYTES
    }

    /// The figures of each name: of its successes, and of its failures.
    pub(super) fn names(&self) -> impl Iterator<Item = (&Series, &Series)> {
        self.successes.each().zip(self.failures.each())
    }

    /// The errors of each name.
    pub(super) fn errors(&self) -> impl Iterator<Item = (&Series, ErrorId, Times)> {
        self.errors_by_place()
            .filter_map(|(place, error, times)| Some((self.failures.at(place)?, error, times)))
    }

    /// The same with the places of the names.
    pub(super) fn errors_by_place(&self) -> impl Iterator<Item = (usize, ErrorId, Times)> {
        self.errors.iter().map(|((place, error), times)| (*place, *error, *times))
    }
}
