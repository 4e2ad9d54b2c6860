//! What was requested since somebody last asked: for reports about a run in progress to another
//! machine. Latencies are kept in buckets of 0.1 %, beside the exact shortest and longest. Workers count
//! the rows of their own records once a tick, so the path of a request has no part in it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::allowance::Allowance;
use super::sample::{ErrorId, Label, LabelId, OTHER_ERRORS, Sample, TICK_NANOS};
use crate::lock::lock;
use crate::memory::Share;

/// The most outcomes that are told apart: labels times statuses and errors. Further errors share one.
const MOST_OUTCOMES: usize = 20_000;

/// The bits of a latency that its bucket keeps: the middle is at most 0.05 % away.
const BITS: u32 = 11;

/// What an outcome takes besides its buckets, in bytes; the texts are shared with the record.
const OUTCOME_BYTES: usize = 320;

/// What a bucket or a second takes, in bytes.
const ENTRY_BYTES: usize = 32;

/// The middle of the bucket of a latency, both in ticks of [`TICK_NANOS`].
fn bucket(ticks: u64) -> u64 {
    let shift = (u64::BITS - ticks.leading_zeros()).saturating_sub(BITS);
    (ticks >> shift << shift) + (1 << shift >> 1)
}

/// Requests of one label with one outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What they are reported under. Requests of one name with several URLs have the first.
    pub label: Label,
    /// Their status.
    pub status: u16,
    /// Why they failed.
    pub error: Option<Arc<str>>,
    /// Their figures.
    pub figures: Figures,
}

/// The figures of an outcome. Latencies are in ticks of [`TICK_NANOS`].
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Requests.
    pub requests: u64,
    /// Bytes of their responses.
    pub bytes: u64,
    /// The sum of the latencies.
    pub sum: u64,
    /// The shortest latency.
    pub min: u64,
    /// The longest.
    pub max: u64,
    /// When the first request ended, from the start of the run.
    pub first: Duration,
    /// When the last one ended.
    pub last: Duration,
    /// Latencies by the middle of their bucket.
    pub times: HashMap<u64, u64>,
    /// Requests by the second in which they ended, from the Unix epoch.
    pub seconds: BTreeMap<u64, u64>,
}

impl Figures {
    fn none() -> Self {
        Self {
            requests: 0,
            bytes: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
            first: Duration::MAX,
            last: Duration::ZERO,
            times: HashMap::new(),
            seconds: BTreeMap::new(),
        }
    }

    fn record(&mut self, sample: &Sample, epoch: Duration) {
        let ticks = (sample.service + sample.delay).as_nanos() as u64 / TICK_NANOS;
        let end = sample.start + sample.service;
        self.requests += 1;
        self.bytes = self.bytes.saturating_add(sample.bytes);
        self.sum = self.sum.saturating_add(ticks);
        self.min = self.min.min(ticks);
        self.max = self.max.max(ticks);
        self.first = self.first.min(end);
        self.last = self.last.max(end);
        *self.times.entry(bucket(ticks)).or_default() += 1;
        *self.seconds.entry((epoch + end).as_secs()).or_default() += 1;
    }

    /// Adds others, and leaves these empty.
    fn take(&mut self, other: &mut Self) {
        self.requests += other.requests;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for (middle, count) in other.times.drain() {
            *self.times.entry(middle).or_default() += count;
        }
        for (second, count) in std::mem::take(&mut other.seconds) {
            *self.seconds.entry(second).or_default() += count;
        }
        let times = std::mem::take(&mut other.times);
        *other = Self { times, ..Self::none() };
    }

    fn memory(&self) -> usize {
        OUTCOME_BYTES + (self.times.len() + self.seconds.len()) * ENTRY_BYTES
    }
}

/// One worker's requests since its last tick.
#[derive(Debug)]
pub(super) struct Tapped {
    epoch: Duration,
    /// How many rows of the record have been counted.
    pub(super) rows: usize,
    outcomes: HashMap<(LabelId, u16, Option<ErrorId>), Figures>,
}

impl Tapped {
    /// Nothing yet, of a run that started then.
    pub(super) fn new(epoch: Duration) -> Self {
        Self { epoch, rows: 0, outcomes: HashMap::new() }
    }

    pub(super) fn record(&mut self, sample: &Sample) {
        let key = (sample.label, sample.status, sample.error);
        self.outcomes.entry(key).or_insert_with(Figures::none).record(sample, self.epoch);
    }

    /// Moves them to those of the run; `texts` has the label and the error behind their numbers.
    pub(super) fn merge_into<'a>(
        &mut self,
        tally: &Tally,
        texts: impl Fn(LabelId, Option<ErrorId>) -> Option<(&'a Label, Option<&'a Arc<str>>)>,
        allowance: &Allowance,
    ) {
        let mut inner = lock(&tally.inner);
        // What had no request since the last tick is no longer held, so that a long run with ever new
        // outcomes holds only those of a moment.
        self.outcomes.retain(|(label, status, error), figures| {
            let has_requests = figures.requests > 0;
            if has_requests && let Some((label, error)) = texts(*label, *error) {
                inner.add(label, *status, error, figures);
            }
            has_requests
        });
        if let Err(full) = inner.settle() {
            allowance.exhaust(full);
        }
    }
}

/// The requests of a run since somebody last asked.
#[derive(Debug)]
pub struct Tally {
    /// When the run started.
    epoch: Duration,
    inner: Mutex<Inner>,
}

/// Method, name, status and error.
type Key = (Arc<str>, Arc<str>, u16, Option<Arc<str>>);

#[derive(Debug)]
struct Inner {
    outcomes: HashMap<Key, Outcome>,
    share: Share,
}

impl Inner {
    fn add(&mut self, label: &Label, status: u16, error: Option<&Arc<str>>, figures: &mut Figures) {
        let key = |error| (Arc::clone(&label.method), Arc::clone(&label.name), status, error);
        let mut error = error.cloned();
        if self.outcomes.len() >= MOST_OUTCOMES && !self.outcomes.contains_key(&key(error.clone()))
        {
            error = error.map(|_| OTHER_ERRORS.into());
        }
        let new = || Outcome {
            label: label.clone(),
            status,
            error: error.clone(),
            figures: Figures::none(),
        };
        let known = self.outcomes.entry(key(error.clone())).or_insert_with(new);
        known.figures.take(figures);
    }

    fn settle(&mut self) -> Result<(), crate::memory::Full> {
        self.share.set(self.outcomes.values().map(|outcome| outcome.figures.memory()).sum())
    }
}

impl Tally {
    /// An empty one of a run that starts now.
    pub(super) fn new(allowance: &Allowance) -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let share = allowance.share("figures for the master");
        Self { epoch, inner: Mutex::new(Inner { outcomes: HashMap::new(), share }) }
    }

    /// When the run started, from the Unix epoch.
    pub fn epoch(&self) -> Duration {
        self.epoch
    }

    /// The requests since the last call.
    pub fn take(&self) -> Vec<Outcome> {
        let mut inner = lock(&self.inner);
        let taken = std::mem::take(&mut inner.outcomes).into_values().collect();
        // Less always fits.
        let _ = inner.settle();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::record::live::{Cumulative, Live};
    use crate::record::{NO_STATUS, Recorder};

    fn sample(recorder: &mut Recorder, name: &str, error: Option<&str>, ticks: u64) -> Sample {
        let label = Label { method: "GET".into(), url: "u".into(), name: name.into() };
        Sample {
            label: recorder.label(label),
            start: Duration::from_millis(1500),
            delay: Duration::from_nanos(100 * (ticks / 2)),
            service: Duration::from_nanos(100 * (ticks - ticks / 2)),
            status: NO_STATUS,
            bytes: 7,
            error: error.map(|text| recorder.error(text)),
        }
    }

    /// Name, error, requests, shortest and longest.
    fn taken(tally: &Tally) -> Vec<(String, Option<String>, u64, u64, u64)> {
        let mut taken: Vec<_> = tally
            .take()
            .into_iter()
            .map(|Outcome { label, error, figures, .. }| {
                assert_eq!(figures.times.values().sum::<u64>(), figures.requests);
                assert_eq!(figures.seconds.values().sum::<u64>(), figures.requests);
                assert_eq!(figures.bytes, 7 * figures.requests);
                let error = error.as_deref().map(str::to_owned);
                (label.name.to_string(), error, figures.requests, figures.min, figures.max)
            })
            .collect();
        taken.sort();
        taken
    }

    #[test]
    fn each_request_is_taken_once_from_all_workers_also_without_rows() {
        // Rows of one chunk only.
        let memory = Memory::with_records(1 << 30, 8192);
        let live = Live::feeding(Arc::new(Cumulative::new(&memory)));
        let mut workers = [Recorder::new(live.allowance()), Recorder::new(live.allowance())];
        let tally = live.open_tally();
        for worker in &mut workers {
            // As the first tick does, before the first request.
            worker.merge_into(&live);
            let ok = sample(worker, "a", None, 10);
            worker.record(ok);
            worker.merge_into(&live);
        }
        assert_eq!(taken(tally), [("a".into(), None, 2, 10, 10)]);
        assert_eq!(taken(tally), []);
        let [worker, _] = &mut workers;
        for ticks in 0..10_000 {
            let (ok, bad) = (sample(worker, "a", None, ticks), sample(worker, "b", Some("no"), 5));
            worker.record(ok);
            worker.record(bad);
        }
        assert!(worker.beyond().is_some());
        worker.merge_into(&live);
        let want =
            [("a".into(), None, 10_000, 0, 9999), ("b".into(), Some("no".into()), 10_000, 5, 5)];
        assert_eq!(taken(tally), want);
    }

    #[test]
    fn t71_outcomes_without_requests_for_a_tick_are_not_held() {
        let live = Live::feeding(Arc::new(Cumulative::new(&Memory::unlimited())));
        let tally = live.open_tally();
        let mut recorder = Recorder::default();
        let mut tapped = Tapped::new(tally.epoch());
        let label = Label { method: "GET".into(), url: "u".into(), name: "n".into() };
        for number in 0..100 {
            let sample = sample(&mut recorder, &format!("name {number}"), None, 10);
            tapped.record(&sample);
            tapped.merge_into(tally, |_, _| Some((&label, None)), live.allowance());
            assert!(tapped.outcomes.len() <= 2, "{}", tapped.outcomes.len());
        }
        assert_eq!(taken(tally), [("n".into(), None, 100, 10, 10)]);
    }

    #[test]
    fn a_bucket_is_at_most_a_twentieth_of_a_percent_away() {
        for ticks in (0..100_000).chain((0..50).map(|bit| (1 << bit) + 12_345)) {
            let off = bucket(ticks).abs_diff(ticks) as f64;
            assert!(off <= ticks as f64 / 2047.0, "{ticks}: {}", bucket(ticks));
        }
        assert_eq!([0, 1, 2047].map(bucket), [0, 1, 2047], "short ones are exact");
        assert_eq!(bucket(bucket(1_234_567)), bucket(1_234_567));
    }

    #[test]
    fn t71_different_errors_are_bounded_and_take_memory() {
        let memory = Memory::unlimited();
        let live = Live::feeding(Arc::new(Cumulative::new(&memory)));
        let tally = live.open_tally();
        let before = memory.taken();
        let label = Label { method: "GET".into(), url: "u".into(), name: "n".into() };
        let mut inner = lock(&tally.inner);
        for number in 0..MOST_OUTCOMES + 500 {
            let mut figures = Figures { requests: 1, ..Figures::none() };
            inner.add(&label, 500, Some(&number.to_string().into()), &mut figures);
        }
        inner.settle().expect("room");
        drop(inner);
        assert!(memory.taken() - before > MOST_OUTCOMES * OUTCOME_BYTES);
        let taken = tally.take();
        assert_eq!(taken.len(), MOST_OUTCOMES + 1);
        let others = taken.iter().find(|outcome| outcome.error.as_deref() == Some(OTHER_ERRORS));
        assert_eq!(others.expect("the others").figures.requests, 500);
        assert_eq!(memory.taken(), before);
    }
}
