//! The table of runs: how many tests may run at once, which runs wait for their turn, who waits for
//! the end of one, and which ended runs are kept. Its lock is held only briefly, never while a test
//! runs.

mod lease;
mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{History, HistoryError, Latest, Run, Submission, Test};
use crate::event::{Queued, State, Status};
use crate::lock::lock;
use crate::memory::Memory;
use crate::record::live::{Cumulative, Live};
use crate::redact;
use crate::value::Map;
use table::{Place, Table, is_over};

pub use lease::Lease;

/// Tests at once by default: a second one would disturb the measurements of the first.
pub const TESTS_AT_ONCE: usize = 1;

/// Ended runs that are kept by default.
pub const KEPT_RUNS: usize = 100;

/// How often a run that waits in the queue looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(100);

/// How often it reports its place.
const REPORT: Duration = Duration::from_secs(1);

/// How long a test waits for the last actions of a document whose tests have ended: its reports, and
/// the end of what it has started.
const FINISHING: Duration = Duration::from_secs(10);

/// All runs.
#[derive(Debug)]
pub struct Runs {
    count: AtomicU64,
    /// The number before the first one.
    before: u64,
    history: Option<Arc<History>>,
    cumulative: Arc<Cumulative>,
    latest: Arc<Latest>,
    memory: Arc<Memory>,
    most_tests: usize,
    most_kept: usize,
    /// Whether documents are kept in memory.
    keeps_documents: bool,
    table: Mutex<Table>,
    /// Notified when a test or a run ends, when a place is handed on, and when a run is stopped.
    changed: Condvar,
}

/// The outcome of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// There was nothing to stop: it has ended.
    Ended,
    /// It is stopped, and has ended unless the timeout passed first.
    Stopped,
}

impl Default for Runs {
    /// Without a ceiling for memory.
    fn default() -> Self {
        Self::new(TESTS_AT_ONCE, KEPT_RUNS, &Memory::unlimited())
    }
}

impl Runs {
    /// No runs yet; at most so many tests at once, and so many ended runs kept. Their figures, records
    /// and journals take their memory here.
    pub fn new(most_tests: usize, most_kept: usize, memory: &Arc<Memory>) -> Self {
        Self {
            count: AtomicU64::new(0),
            before: 0,
            history: None,
            cumulative: Arc::new(Cumulative::new(memory)),
            latest: Arc::default(),
            memory: Arc::clone(memory),
            most_tests,
            most_kept,
            keeps_documents: false,
            table: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The same, with the runs of a history, whose last number is given.
    #[must_use]
    pub fn with_history(mut self, history: History, last: u64) -> Self {
        (self.history, self.before) = (Some(Arc::new(history)), last);
        self
    }

    /// The same, keeping documents for whoever asks for them.
    #[must_use]
    pub fn keeping_documents(self) -> Self {
        Self { keeps_documents: true, ..self }
    }

    /// Whether the documents of runs are kept anywhere.
    pub fn keeps_documents(&self) -> bool {
        self.keeps_documents || self.history.is_some()
    }

    /// Accepts a document. Its cancellation is that of its parent, and its own. Its name, which all
    /// clients see, is kept without secrets.
    pub fn submit(&self, submission: Submission, parent: &CancellationToken) -> Arc<Run> {
        self.add(&mut lock(&self.table), submission, parent)
    }

    /// Accepts a document with a test if there is a place for that, which is kept for it; else returns
    /// a run whose test prevents it.
    pub fn submit_at_once(
        &self,
        submission: Submission,
        parent: &CancellationToken,
    ) -> Result<Arc<Run>, Arc<Run>> {
        let mut table = self.after_last_actions(|_| parent.is_cancelled());
        if let Some(place) = table.places.first().filter(|_| table.places.len() >= self.most_tests)
        {
            return Err(Arc::clone(&place.run));
        }
        let run = self.add(&mut table, submission, parent);
        table.places.push(Place::kept(Arc::clone(&run)));
        Ok(run)
    }

    /// The number is taken under the lock, so that the list is in their order.
    fn add(
        &self,
        table: &mut Table,
        submission: Submission,
        parent: &CancellationToken,
    ) -> Arc<Run> {
        let name = submission.name.map(redact::owned);
        let file = submission.file.map(redact::owned);
        let submission = Submission { name, file, ..submission };
        let number = self.before + self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let (cancel, history) = (parent.child_token(), self.history.clone());
        let run = Run::new(number, submission, cancel, &self.memory, history, self.keeps_documents);
        table.in_progress.push(Arc::clone(&run));
        run
    }

    /// Documents accepted so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The figures of all tests, including those that have ended.
    pub fn cumulative(&self) -> Arc<Cumulative> {
        Arc::clone(&self.cumulative)
    }

    /// The test that started last, now and later.
    pub fn latest(&self) -> Arc<Latest> {
        Arc::clone(&self.latest)
    }

    /// How many tests may run at once.
    pub fn most_tests(&self) -> usize {
        self.most_tests
    }

    /// The run whose test started last, of those in progress.
    pub fn current(&self) -> Option<Arc<Run>> {
        let table = lock(&self.table);
        let running = table.places.iter().rev().find(|place| place.test.is_some());
        running.map(|place| Arc::clone(&place.run))
    }

    /// The run that started last, whether it has ended or not.
    pub fn last(&self) -> Option<Arc<Run>> {
        let table = lock(&self.table);
        let all = table.in_progress.iter().chain(&table.ended);
        all.max_by_key(|run| run.number()).cloned()
    }

    /// The run with this number, in progress or kept in memory.
    pub fn find(&self, number: u64) -> Option<Arc<Run>> {
        let table = lock(&self.table);
        let mut all = table.in_progress.iter().chain(&table.ended);
        all.find(|run| run.number() == number).cloned()
    }

    /// Whether the run with this number has ended.
    pub fn has_ended(&self, number: u64) -> bool {
        !lock(&self.table).in_progress.iter().any(|run| run.number() == number)
    }

    /// The newest runs, at most `limit`, in this state if one is given: those in memory, then those of
    /// the history.
    pub fn list(&self, limit: usize, state: Option<State>) -> Result<Vec<Status>, HistoryError> {
        let mut all: Vec<_> = {
            let table = lock(&self.table);
            table.in_progress.iter().chain(&table.ended).cloned().collect()
        };
        all.sort_unstable_by_key(|run| std::cmp::Reverse(run.number()));
        let wanted = |run: &&Arc<Run>| state.is_none_or(|state| run.state() == state);
        let mut list: Vec<_> =
            all.iter().filter(wanted).take(limit).map(|run| run.info()).collect();
        if let Some(history) = &self.history
            && list.len() < limit
        {
            // What is in memory is newer than what is written of it.
            let known = |status: &Status| {
                status
                    .run
                    .as_ref()
                    .is_some_and(|info| all.iter().any(|run| run.number() == info.run))
            };
            let stored = history.list(limit + all.len(), state)?;
            list.extend(stored.into_iter().filter(|status| !known(status)));
            list.truncate(limit);
        }
        Ok(list)
    }

    /// The state and figures of the run with this number, in memory or in the history.
    pub fn info(&self, number: u64) -> Result<Option<Status>, HistoryError> {
        match (self.find(number), &self.history) {
            (Some(run), _) => Ok(Some(run.info())),
            (None, Some(history)) => history.find(number),
            (None, None) => Ok(None),
        }
    }

    /// The runs of earlier servers, and those that are no longer in memory.
    pub fn history(&self) -> Option<&Arc<History>> {
        self.history.as_ref()
    }

    /// Waits in the queue until there is a place for a test of this run, which is then kept for it.
    /// Calls `report` with its place, at first and about once a second, unless there is one at once.
    /// Returns whether it has one; if not, it was cancelled or its patience has ended.
    pub fn wait_for_place(&self, run: &Arc<Run>, report: &mut dyn FnMut(Queued)) -> bool {
        let patience = run.patience().unwrap_or_default();
        {
            let mut table = lock(&self.table);
            if table.places.len() < self.most_tests {
                table.places.push(Place::kept(Arc::clone(run)));
                return true;
            }
            run.set_queued();
            table.queue.push_back(Arc::clone(run));
        }
        let since = Instant::now();
        let mut reported = None::<Instant>;
        loop {
            let queued = {
                let mut table = lock(&self.table);
                if table.has_place(run) {
                    return true;
                }
                if run.cancel().is_cancelled() || since.elapsed() >= patience {
                    table.queue.retain(|waiting| !Arc::ptr_eq(waiting, run));
                    return false;
                }
                table.queued(run)
            };
            if reported.is_none_or(|reported| reported.elapsed() >= REPORT) {
                reported = Some(Instant::now());
                report(queued);
            }
            let table = lock(&self.table);
            if !table.has_place(run) {
                let left = patience.saturating_sub(since.elapsed()).min(LOOK);
                let waited = self.changed.wait_timeout(table, left);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// Takes a place for a whole run whose document holds a test, or returns a run that prevents it.
    pub fn take_place(&self, run: &Arc<Run>) -> Result<(), Arc<Run>> {
        let mut table = self.after_last_actions(|table| is_over(run, table));
        if table.has_place(run) {
            // Since it was accepted.
            return Ok(());
        }
        if table.places.len() < self.most_tests {
            table.places.push(Place::kept(Arc::clone(run)));
            return Ok(());
        }
        Err(table.holder(run))
    }

    /// The table, once no run without a test in progress keeps the last place.
    /// `is_over` says whether whoever waits for it waits no more.
    fn after_last_actions(&self, is_over: impl Fn(&Table) -> bool) -> MutexGuard<'_, Table> {
        let since = Instant::now();
        let mut table = lock(&self.table);
        while table.places.len() >= self.most_tests
            && table.places.iter().any(Place::is_finishing)
            && !is_over(&table)
            && since.elapsed() < FINISHING
        {
            let waited = self.changed.wait_timeout(table, LOOK);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        table
    }

    /// Starts a test of a run, or returns a run whose test prevents it.
    pub fn claim(
        &self,
        run: &Arc<Run>,
        name: String,
        length: Option<Duration>,
    ) -> Result<Lease<'_>, Arc<Run>> {
        let mut table = self.after_last_actions(|table| is_over(run, table));
        let test = || {
            let live = Live::feeding(Arc::clone(&self.cumulative));
            Arc::new(Test::new(name, length, live))
        };
        let kept = |place: &&mut Place| place.test.is_none() && Arc::ptr_eq(&place.run, run);
        let test = if let Some(place) = table.places.iter_mut().find(kept) {
            Arc::clone(place.test.insert(test()))
        } else if table.places.len() < self.most_tests {
            let test = test();
            let (run, own) = (Arc::clone(run), Some(Arc::clone(&test)));
            table.places.push(Place { run, test: own, whole: false, used: false });
            test
        } else {
            return Err(table.holder(run));
        };
        run.begin_test(Arc::clone(&test));
        self.latest.set(&test);
        let running: Vec<_> = table.places.iter().filter_map(|place| place.test.as_ref()).collect();
        if running.len() > 1 {
            running.into_iter().for_each(|test| test.share());
        }
        Ok(Lease { runs: self, run: Arc::clone(run), test })
    }

    /// Stops a run, in the queue or in progress, and waits for the end of its test, or for its own
    /// end if it has none, at most until `timeout`.
    pub fn stop(&self, run: &Arc<Run>, why: &str, timeout: Duration) -> Stopped {
        self.stop_if(run, why, timeout, || true)
    }

    /// Stops a run while its test runs, as [`Self::stop`] does.
    pub fn stop_test(&self, run: &Arc<Run>, why: &str, timeout: Duration) -> Stopped {
        self.stop_if(run, why, timeout, || run.test().is_some_and(|test| !test.has_ended()))
    }

    fn stop_if(
        &self,
        run: &Arc<Run>,
        why: &str,
        timeout: Duration,
        condition: impl FnOnce() -> bool,
    ) -> Stopped {
        {
            // No test ends while this lock is held.
            let _table = lock(&self.table);
            if !condition() || !run.end_early(State::Cancelled, why) {
                return Stopped::Ended;
            }
        }
        self.changed.notify_all();
        self.wait(run, timeout);
        Stopped::Stopped
    }

    /// Waits for the end of a run's test, or of the run if it has none, at most until `timeout`;
    /// returns whether it has ended.
    pub fn wait(&self, run: &Run, timeout: Duration) -> bool {
        let ended = || match run.test() {
            Some(test) => test.has_ended(),
            None => run.has_ended(),
        };
        let table = lock(&self.table);
        let waited = self.changed.wait_timeout_while(table, timeout, |_| !ended());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        ended()
    }

    /// Ends a run, whose actions have all run, and returns its last state.
    pub fn finish(&self, run: &Arc<Run>, failed: usize, figures: Map) -> State {
        let state = {
            let mut table = lock(&self.table);
            let state = run.finish(failed, figures);
            table.release(run, self.most_tests);
            table.in_progress.retain(|other| !Arc::ptr_eq(other, run));
            table.ended.push_back(Arc::clone(run));
            // The run itself stays, so that its client can still ask for it.
            while table.ended.len() > self.most_kept
                || (table.ended.len() > 1 && self.memory.is_scarce())
            {
                table.ended.pop_front();
            }
            state
        };
        self.changed.notify_all();
        state
    }
}
