//! What happened: one [`Sample`] per request, kept as a row. A worker writes into its own
//! [`Recorder`] without locks; when the run ends its parts become a [`Recording`], and the server
//! keeps those in [`Records`] until they are cleared. Live figures go another way ([`live`]): latencies
//! per name, merged once a tick. What a run may keep is bounded ([`Allowance`]). Nothing here awaits,
//! and nothing here knows HTTP.

mod allowance;
mod beyond;
pub mod budget;
pub mod clusters;
mod conditions;
pub mod diff;
mod errors;
pub mod file;
#[cfg(test)]
pub(crate) mod fixture;
mod gaps;
pub mod gate_text;
pub mod gates;
mod iterations;
pub mod live;
mod recorder;
mod rows;
mod sample;
pub mod sqlite;
pub mod stats;
mod statuses;
mod steps;
mod summary;
mod tally;
pub mod trend;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indexmap::IndexMap;

use self::live::Series;
use crate::memory::{Memory, Share};

pub use allowance::Allowance;
pub use conditions::Conditions;
pub use errors::{ErrorCount, Errors};
pub use gaps::Gaps;
pub use iterations::Iterations;
pub use recorder::Recorder;
pub use rows::Rows;
pub use sample::{
    ErrorId, Label, LabelId, MAX_LABEL_BYTES, NO_STATUS, OTHER_NAMES, Row, Sample, TICK_NANOS,
    Times,
};
pub use summary::{Given, LatencySummary, Metric, Metrics, NameSummary, Summary};
pub use tally::{Figures, Outcome, Tally};

/// What a finished run takes at least, in bytes.
const FIXED_BYTES: usize = 4096;

/// A finished run: the records of its workers.
#[derive(Debug)]
pub struct Recording {
    started_at: SystemTime,
    parts: Vec<Recorder>,
    /// What the user should know before trusting the figures (an overloaded load generator, an
    /// early end).
    pub warnings: Vec<String>,
    /// The number of virtual users over time.
    pub users: Vec<UserCount>,
    /// The most virtual users that ran at once.
    pub peak_users: usize,
    /// How many iterations it was to start, and started.
    pub iterations: Iterations,
    /// What its requests lacked.
    pub gaps: Gaps,
    /// The beginning of the action that was run, without secrets, for the page that shows it.
    pub document: Option<String>,
    /// How its load was generated.
    pub conditions: Conditions,
    /// The memory of what is kept beside the requests.
    share: Option<Share>,
}

/// The number of virtual users at one moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserCount {
    /// The moment, from the start of the run.
    pub at: Duration,
    /// How many there were.
    pub users: u32,
}

impl Recording {
    /// A run that started at `started_at`, from its workers' records.
    pub fn new(started_at: SystemTime, parts: Vec<Recorder>) -> Self {
        Self {
            started_at,
            parts,
            warnings: Vec::new(),
            users: Vec::new(),
            peak_users: 0,
            iterations: Iterations::default(),
            gaps: Gaps::default(),
            document: None,
            conditions: Conditions::default(),
            share: None,
        }
    }

    /// Takes memory for what it keeps beside the requests, which have theirs. It is little: where it
    /// does not fit, it is kept nevertheless.
    pub fn take_memory(&mut self, memory: &Arc<Memory>) {
        let texts = self.warnings.iter().map(String::len).sum::<usize>()
            + self.document.as_ref().map_or(0, String::len);
        let users = self.users.len() * size_of::<UserCount>();
        let mut share = memory.share("results that are kept");
        let _ = share.set(FIXED_BYTES + texts + users);
        self.share = Some(share);
    }

    /// When the run started.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Recorder::len).sum()
    }

    /// The number of requests, with and without rows.
    pub fn requests(&self) -> u64 {
        self.parts.iter().map(Recorder::requests).sum()
    }

    /// Whether it holds no requests.
    pub fn is_empty(&self) -> bool {
        self.requests() == 0
    }

    /// Says from when on its requests have no rows, if some have none.
    pub fn beyond(&self) -> Option<String> {
        let (since, limit) = self.parts.iter().filter_map(Recorder::beyond).min()?;
        let at = jiff::Timestamp::try_from(self.started_at + since).unwrap_or_default();
        Some(format!(
            "from {} UTC on, requests are counted but not kept as rows ({limit})",
            at.strftime("%H:%M:%S")
        ))
    }

    /// Requests without a response that were dropped at the end of the run, which it does not hold.
    pub fn interrupted(&self) -> u64 {
        self.parts.iter().map(Recorder::interrupted).sum()
    }

    /// The memory that the record takes, in bytes.
    pub fn memory(&self) -> usize {
        let parts: usize = self.parts.iter().map(Recorder::memory).sum();
        parts + self.share.as_ref().map_or(FIXED_BYTES, Share::bytes)
    }

    /// Every request, worker by worker, each in the order in which they ended.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let epoch = self.started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.parts.iter().flat_map(move |part| part.rows(epoch))
    }

    /// How many requests failed with this error.
    pub fn count_errors(&self, text: &str) -> u64 {
        self.parts.iter().map(|part| part.count_errors(text)).sum()
    }

    /// Which names virtual users went from and to, and how often.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.parts.iter().flat_map(Recorder::steps)
    }

    /// What its requests are reported under; some of them several times.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(|part| part.labels().iter().map(Label::shown))
    }

    /// The figures of the requests that were sent at least so long after its start. Iterations, and
    /// what requests lacked, are those of the whole run.
    pub fn summary_since(&self, since: Duration) -> Summary {
        summary(&[self], since)
    }

    pub(crate) fn parts(&self) -> &[Recorder] {
        &self.parts
    }
}

/// Every run since the records were last cleared, oldest first. Cheap to clone: a report works on
/// its own snapshot while the next run writes.
#[derive(Debug, Clone, Default)]
pub struct Records {
    recordings: Vec<Arc<Recording>>,
    /// How many runs had to give way.
    dropped: usize,
}

impl Records {
    /// The record of one run alone.
    pub fn of(recording: Arc<Recording>) -> Self {
        Self { recordings: vec![recording], dropped: 0 }
    }

    /// Adds a finished run.
    pub fn push(&mut self, recording: Arc<Recording>) {
        self.recordings.push(recording);
    }

    /// Removes all runs.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Removes the oldest runs until they took `bytes`, but none of the newest `keep`. The caller
    /// frees them: a million requests take a while.
    pub fn give_way(&mut self, bytes: usize, keep: usize) -> Vec<Arc<Recording>> {
        let most = self.recordings.len().saturating_sub(keep);
        let mut freed = 0;
        let before_enough = |recording: &&Arc<Recording>| {
            let more = freed < bytes;
            freed += recording.memory();
            more
        };
        let count = self.recordings.iter().take(most).take_while(before_enough).count();
        self.dropped += count;
        self.recordings.drain(..count).collect()
    }

    /// Removes these runs, which have given way elsewhere.
    pub fn give_up(&mut self, others: &[Arc<Recording>]) {
        let before = self.recordings.len();
        self.recordings.retain(|mine| !others.iter().any(|other| Arc::ptr_eq(mine, other)));
        self.dropped += before - self.recordings.len();
    }

    /// How many runs had to give way for lack of memory since they were last cleared.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Removes the oldest runs until they had so many rows, but none of the newest `keep`, as
    /// [`Self::give_way`] does.
    pub fn give_way_rows(&mut self, rows: usize, keep: usize) -> Vec<Arc<Recording>> {
        let most = self.recordings.len().saturating_sub(keep);
        let mut freed = 0;
        let before_enough = |recording: &&Arc<Recording>| {
            let more = freed < rows;
            freed += recording.len();
            more
        };
        let count = self.recordings.iter().take(most).take_while(before_enough).count();
        self.dropped += count;
        self.recordings.drain(..count).collect()
    }

    /// Whether some requests are counted without rows.
    pub fn are_partial(&self) -> bool {
        self.recordings.iter().flat_map(|run| run.parts()).any(|part| part.beyond().is_some())
    }

    /// All requests by method and name, with and without rows, exact to 1 %.
    pub fn series(&self) -> Vec<Series> {
        let mut all: IndexMap<(Arc<str>, Arc<str>), Series> = IndexMap::new();
        let of = |method: &Arc<str>, name: &Arc<str>| Series::none(method, name);
        for part in self.recordings.iter().flat_map(|recording| recording.parts()) {
            let mut labels: Vec<Series> =
                part.labels().iter().map(|label| of(&label.method, &label.name)).collect();
            for sample in part.samples() {
                if let Some(series) = labels.get_mut(sample.label.0 as usize) {
                    let latency = sample.service + sample.delay;
                    series.record(latency, sample.bytes, sample.error.is_some());
                }
            }
            let beyond = part.without_rows().into_iter().flat_map(|beyond| beyond.names());
            let beyond = beyond.flat_map(|(successes, failures)| [successes, failures]);
            for series in labels.iter().chain(beyond) {
                let key = (Arc::clone(&series.method), Arc::clone(&series.name));
                all.entry(key).or_insert_with_key(|(method, name)| of(method, name)).merge(series);
            }
        }
        all.into_values().collect()
    }

    /// What the user of these figures must know.
    pub fn warning(&self) -> Option<String> {
        let runs = match self.dropped {
            0 => return None,
            1 => "1 earlier run was".to_owned(),
            count => format!("{count} earlier runs were"),
        };
        Some(format!(
            "{runs} dropped for --max-memory or --max-records and {} not in these figures; \
             LD_clear_records frees memory",
            if self.dropped == 1 { "is" } else { "are" }
        ))
    }

    /// The runs.
    pub fn recordings(&self) -> &[Arc<Recording>] {
        &self.recordings
    }

    /// The number of rows of all runs.
    pub fn len(&self) -> usize {
        self.recordings.iter().map(|recording| recording.len()).sum()
    }

    /// Whether they hold no requests.
    pub fn is_empty(&self) -> bool {
        self.recordings.iter().all(|recording| recording.is_empty())
    }

    /// Every request of every run.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.recordings.iter().flat_map(|recording| recording.rows())
    }

    /// The figures over all runs.
    pub fn summary(&self) -> Summary {
        let runs: Vec<&Recording> = self.recordings.iter().map(Arc::as_ref).collect();
        summary(&runs, Duration::ZERO)
    }

    /// Requests without a response that were dropped at the ends of the runs.
    pub fn interrupted(&self) -> u64 {
        self.recordings.iter().map(|recording| recording.interrupted()).sum()
    }

    /// What the requests of all runs lacked.
    pub fn gaps(&self) -> Gaps {
        let mut gaps = Gaps::default();
        self.recordings.iter().for_each(|recording| gaps.add(&recording.gaps));
        gaps
    }

    /// Iterations of all runs.
    pub fn iterations(&self) -> Iterations {
        let mut iterations = Iterations::default();
        self.recordings.iter().for_each(|recording| iterations.add(recording.iterations));
        iterations
    }
}

/// Everything that a summary says of these runs, by the requests that were sent at least so long after
/// the start of each.
fn summary(runs: &[&Recording], since: Duration) -> Summary {
    let mut summary = Summary::of_since(runs.iter().flat_map(|run| run.parts()), since);
    for run in runs {
        summary.interrupted += run.interrupted();
        summary.iterations.add(run.iterations);
        summary.gaps.add(&run.gaps);
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::fixture::recorder;
    use super::*;

    #[test]
    fn a_summary_from_the_start_of_a_run_is_that_of_its_records() {
        let part = recorder(&[("GET", "u", "a", 200, 1.0, 1, None)]);
        let mut run = Recording::new(UNIX_EPOCH, vec![part]);
        run.parts.iter_mut().for_each(Recorder::interrupt);
        let span = Duration::from_secs(1);
        let (waited, starting) = (span / 2, 0);
        run.iterations = Iterations { started: 2, planned: 5, dropped: 3, span, waited, starting };
        run.gaps = Gaps { requests: 1, placeholders: vec!["${a}".to_owned()], extractions: 4 };
        let (since, gaps) = (run.summary_since(Duration::ZERO), run.gaps.clone());
        assert_eq!((since.interrupted, since.iterations, &since.gaps), (1, run.iterations, &gaps));
        let late = run.summary_since(span);
        assert_eq!((late.requests, late.interrupted, &late.gaps), (0, 1, &gaps));
        assert_eq!(Records::of(run.into()).summary(), since);
    }

    #[test]
    fn t36_the_oldest_runs_give_way_first_and_are_counted() {
        let memory = Memory::unlimited();
        let mut records = Records::default();
        for number in 0..5u64 {
            let started = UNIX_EPOCH + Duration::from_secs(number);
            let part = recorder(&[("GET", "u", "a", 200, 1.0, 1, None)]);
            let mut recording = Recording::new(started, vec![part]);
            recording.take_memory(&memory);
            records.push(Arc::new(recording));
        }
        let ages = |records: &Records| {
            let started = |recording: &Arc<Recording>| recording.started_at();
            let ages = records.recordings().iter().map(started);
            ages.map(|age| age.duration_since(UNIX_EPOCH).expect("later").as_secs()).collect()
        };
        let one = records.recordings()[0].memory();
        let mut copy = records.clone();
        assert!(records.give_way(0, 0).is_empty());
        let dropped = records.give_way(one + 1, 0);
        let left: Vec<u64> = ages(&records);
        assert_eq!((dropped.len(), left), (2, vec![2, 3, 4]));
        copy.give_up(&dropped);
        assert_eq!((copy.len(), copy.dropped()), (3, 2));
        assert_eq!(records.give_way(usize::MAX, 1).len(), 2);
        assert_eq!((ages(&records), records.dropped()), (vec![4u64], 4));
        let warning = records.warning().expect("a warning");
        assert!(
            warning.starts_with("4 earlier runs were dropped for --max-memory or --max-records"),
            "{warning}"
        );
        let held = memory.taken();
        drop((dropped, copy));
        assert!(memory.taken() < held);
        records.clear();
        assert_eq!((records.warning(), memory.taken()), (None, 0));
    }
}
