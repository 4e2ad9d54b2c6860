//! The table of runs: how many tests may run at once, which runs wait for their turn, who waits for
//! the end of one, and which ended runs are kept. Its lock is held only briefly, never while a test
//! runs.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{History, HistoryError, Latest, Run, Submission, Test};
use crate::event::{Queued, State, Status};
use crate::load::{Progress, RunError, Runnable};
use crate::lock::lock;
use crate::memory::Memory;
use crate::record::Recording;
use crate::record::live::{Cumulative, Live};
use crate::redact;
use crate::value::Map;

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

#[derive(Debug, Default)]
struct Table {
    /// Those in progress or in the queue, oldest first.
    in_progress: Vec<Arc<Run>>,
    /// The last that have ended, oldest first.
    ended: VecDeque<Arc<Run>>,
    /// The tests in progress, and places kept for runs whose test is about to start.
    places: Vec<Place>,
    /// Those that wait for a place, the next first.
    queue: VecDeque<Arc<Run>>,
}

#[derive(Debug)]
struct Place {
    run: Arc<Run>,
    test: Option<Arc<Test>>,
    /// Kept for the whole run: its tests and what it has started for them belong together.
    whole: bool,
    /// Whether a test of the run has ended in it.
    used: bool,
}

impl Place {
    /// A place for the whole run, whose first test is about to start.
    fn kept(run: Arc<Run>) -> Self {
        Self { run, test: None, whole: true, used: false }
    }

    /// Whether its run only has its last actions to do, or starts another test at once.
    fn is_finishing(&self) -> bool {
        self.test.is_none() && self.used
    }
}

/// Whether a run waits for no place any more.
fn is_over(run: &Arc<Run>, table: &Table) -> bool {
    table.has_place(run) || run.cancel().is_cancelled()
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

impl Table {
    fn has_place(&self, run: &Arc<Run>) -> bool {
        self.places.iter().any(|place| Arc::ptr_eq(&place.run, run))
    }

    /// The run that has the first place; `run` if there is none.
    fn holder(&self, run: &Arc<Run>) -> Arc<Run> {
        self.places.first().map_or(run, |place| &place.run).clone()
    }

    /// A test of a run has ended: hands its place on, unless it is kept for the whole run.
    fn end_test(&mut self, run: &Arc<Run>, most: usize) {
        let kept = |place: &&mut Place| place.whole && Arc::ptr_eq(&place.run, run);
        match self.places.iter_mut().find(kept) {
            Some(place) => (place.test, place.used) = (None, true),
            None => self.release(run, most),
        }
    }

    fn queued(&self, run: &Arc<Run>) -> Queued {
        let before = self.queue.iter().take_while(|waiting| !Arc::ptr_eq(waiting, run)).count();
        let holder = self.places.first();
        let test = holder.and_then(|place| place.test.as_ref());
        let left = test.and_then(|test| test.remaining());
        Queued {
            position: before + 1,
            holder: holder.map(|place| place.run.number()),
            holder_remaining_s: left.map(|left| left.as_secs_f64()),
        }
    }

    /// Takes a run's place from it and hands it to the next in the queue.
    fn release(&mut self, run: &Arc<Run>, most: usize) {
        self.places.retain(|place| !Arc::ptr_eq(&place.run, run));
        self.queue.retain(|waiting| !Arc::ptr_eq(waiting, run));
        while self.places.len() < most {
            let Some(next) = self.queue.pop_front() else { return };
            self.places.push(Place::kept(next));
        }
    }
}

/// A test in the table; it ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Lease<'a> {
    runs: &'a Runs,
    run: Arc<Run>,
    test: Arc<Test>,
}

impl Lease<'_> {
    /// The test.
    pub fn test(&self) -> &Arc<Test> {
        &self.test
    }

    /// Ends the test and begins another one in its place, with figures of its own: the next of several
    /// that belong together, of `length` (`None`: until stopped).
    pub fn next(&mut self, name: String, length: Option<Duration>, probe: usize) {
        let mut table = lock(&self.runs.table);
        let live = Live::feeding(Arc::clone(&self.runs.cumulative));
        let next = Arc::new(Test::new(name, length, live).with_probe(probe));
        let mine = |place: &&mut Place| {
            place.test.as_ref().is_some_and(|test| Arc::ptr_eq(test, &self.test))
        };
        if let Some(place) = table.places.iter_mut().find(mine) {
            place.test = Some(Arc::clone(&next));
        }
        let running = table.places.iter().filter(|place| place.test.is_some());
        if running.count() > 1 {
            next.share();
        }
        self.run.begin_test(Arc::clone(&next));
        self.runs.latest.set(&next);
        std::mem::replace(&mut self.test, next).end();
    }

    /// Generates the load on `workers` threads; `watch` receives the progress about once a second
    /// and may end it early. Blocks the calling thread.
    pub fn execute(
        &self,
        test: Box<dyn Runnable>,
        workers: usize,
        watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<String>,
    ) -> Result<Recording, RunError> {
        test.run(workers, self.test.live(), self.run.cancel(), &mut |progress| {
            self.test.report(progress);
            watch(progress)
        })
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        {
            let mut table = lock(&self.runs.table);
            self.test.end();
            table.end_test(&self.run, self.runs.most_tests);
        }
        self.runs.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio_util::sync::CancellationToken;

    use super::super::Hold;
    use super::*;
    use crate::event::{ActionResult, Event};
    use crate::record::fixture::request;
    use crate::record::gates::AbortOn;
    use crate::record::live::Counted;
    use crate::value::{Reader, Value};

    fn submit(runs: &Runs) -> Arc<Run> {
        runs.submit(Submission::default(), &CancellationToken::new())
    }

    fn patient(runs: &Runs, seconds: u64) -> Arc<Run> {
        let patience = Some(Duration::from_secs(seconds));
        runs.submit(Submission { patience, ..Submission::default() }, &CancellationToken::new())
    }

    fn claim<'a>(runs: &'a Runs, run: &Arc<Run>) -> Lease<'a> {
        runs.claim(run, "test".to_owned(), None).expect("a free place")
    }

    /// A test that makes one request per item, `true` for one that fails, and reports once.
    #[derive(Debug)]
    struct Script(Vec<bool>);

    impl Runnable for Script {
        fn run(
            self: Box<Self>,
            _: usize,
            live: &Arc<Live>,
            _: &CancellationToken,
            watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<String>,
        ) -> Result<Recording, RunError> {
            self.0.iter().for_each(|failed| request(live, "a", 1, 1, *failed));
            let latest = live.total();
            let progress = Progress {
                elapsed: Duration::from_secs(1),
                users: 3,
                requests: latest.requests,
                failures: latest.failures,
                span: Duration::from_secs(1),
                latest,
                live,
            };
            let mut recording = Recording::new(SystemTime::UNIX_EPOCH, Vec::new());
            if let ControlFlow::Break(reason) = watch(&progress) {
                recording.warnings.push(reason);
            }
            Ok(recording)
        }
    }

    /// Requests, failures and bytes of all runs.
    fn totals(cumulative: &Cumulative) -> (u64, u64, u64) {
        let counts = cumulative.counts();
        let sum = |figure: fn(&Counted) -> u64| counts.iter().map(figure).sum();
        (sum(|row| row.requests), sum(|row| row.failures), sum(|row| row.bytes))
    }

    fn counts(test: &Test) -> (u64, u64) {
        let now = test.snapshot();
        (now.requests, now.failures)
    }

    #[test]
    fn only_one_test_is_in_progress_and_the_next_run_learns_which() {
        let runs = Runs::default();
        let (first, second) = (submit(&runs), submit(&runs));
        let lease = claim(&runs, &first);
        let holder = runs.claim(&second, "test".to_owned(), None).expect_err("busy");
        assert_eq!((holder.number(), second.number()), (1, 2));
        lease.test().live().change_users(0, 5);
        assert_eq!(lease.test().snapshot().users, 5, "before the first report");
        drop(lease);
        assert!(runs.current().is_none());
        let _lease = claim(&runs, &second);
        assert_eq!(runs.current().expect("a run").number(), 2);
    }

    #[test]
    fn a_run_that_must_start_at_once_has_its_place_or_is_no_run() {
        let runs = Runs::default();
        let at_once = || runs.submit_at_once(Submission::default(), &CancellationToken::new());
        let first = at_once().expect("a place");
        assert_eq!(at_once().expect_err("busy").number(), 1);
        assert!(runs.take_place(&first).is_ok(), "it has one");
        runs.finish(&first, 0, Map::new());
        assert_eq!(at_once().expect("a place").number(), 2, "a refusal takes no number");
    }

    #[test]
    fn so_many_tests_run_at_once_as_are_allowed() {
        let runs = Runs::new(2, 10, &Memory::unlimited());
        let all = [submit(&runs), submit(&runs), submit(&runs)];
        let a = claim(&runs, &all[0]);
        assert!(!a.test().is_shared());
        let b = claim(&runs, &all[1]);
        assert!(a.test().is_shared() && b.test().is_shared());
        assert!(runs.claim(&all[2], "test".to_owned(), None).is_err());
        drop(b);
        let _c = claim(&runs, &all[2]);
    }

    #[test]
    fn a_second_test_starts_at_zero_while_the_cumulative_figures_keep_growing() {
        let runs = Runs::default();
        let cumulative = runs.cumulative();
        let first = claim(&runs, &submit(&runs));
        request(first.test().live(), "a", 10, 100, true);
        request(first.test().live(), "b", 10, 100, false);
        let ended = Arc::clone(first.test());
        drop(first);
        let second = claim(&runs, &submit(&runs));
        assert_eq!(counts(second.test()), (0, 0));
        assert!(second.test().live().series().is_empty());
        request(second.test().live(), "b", 10, 100, true);
        assert_eq!((counts(second.test()), counts(&ended)), ((1, 1), (2, 1)));
        let total = totals(&cumulative);
        assert_eq!(total, (3, 2, 300));
        drop(second);
        assert_eq!(totals(&cumulative), total, "the ended test is not counted");
    }

    #[test]
    fn abort_on_judges_the_requests_of_its_own_test() {
        let runs = Runs::default();
        let rule = Value::parse(r#"[{"type": "failure_rate", "value": 0.2}]"#).expect("JSON");
        let abort_on = AbortOn::read(&Reader::root(&rule)).expect("a rule");
        let warnings = |requests: &[bool]| {
            let lease = claim(&runs, &submit(&runs));
            let mut watch = |progress: &Progress<'_>| match abort_on.broken(progress.live) {
                Some(reason) => ControlFlow::Break(reason),
                None => ControlFlow::Continue(()),
            };
            let test = Box::new(Script(requests.to_vec()));
            lease.execute(test, 1, &mut watch).expect("a record").warnings
        };
        assert_eq!(warnings(&[true; 9]), ["failure_rate(overall)=1.0 not lte 0.2"]);
        assert_eq!(warnings(&[false; 9]), [""; 0]);
    }

    #[test]
    fn an_ended_test_keeps_its_last_figures() {
        let runs = Runs::default();
        let lease = claim(&runs, &submit(&runs));
        let test = Arc::clone(lease.test());
        let script = Box::new(Script(vec![true, false]));
        let mut watch = |_: &Progress<'_>| ControlFlow::Continue(());
        lease.execute(script, 1, &mut watch).expect("a record");
        drop(lease);
        let last = test.snapshot();
        assert_eq!((last.ended, last.users, last.requests), (true, 3, 2));
        assert_eq!(test.snapshot(), last, "the time of an ended test changes");
    }

    #[test]
    fn a_stop_waits_for_the_end_of_the_test() {
        let runs = Runs::default();
        let run = submit(&runs);
        let lease = claim(&runs, &run);
        assert_eq!(runs.stop(&run, "on request", Duration::ZERO), Stopped::Stopped);
        assert!(run.cancel().is_cancelled());
        assert_eq!(run.state(), State::Stopping);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| runs.wait(&run, Duration::from_secs(60)));
            request(lease.test().live(), "a", 1, 1, true);
            drop(lease);
            assert!(waiting.join().expect("no panic"));
        });
        assert_eq!(runs.finish(&run, 1, Map::new()), State::Cancelled);
        let info = run.info().run.expect("a run");
        assert_eq!((info.requests, info.message.as_deref()), (Some(1), Some("on request")));
    }

    #[test]
    fn a_stop_of_a_test_after_its_end_stops_neither_its_run_nor_the_next() {
        let runs = Runs::default();
        let (first, second) = (submit(&runs), submit(&runs));
        drop(claim(&runs, &first));
        let wait = Duration::from_secs(60);
        assert_eq!(runs.stop_test(&first, "late", wait), Stopped::Ended);
        let _lease = claim(&runs, &second);
        assert_eq!(runs.stop_test(&first, "late", wait), Stopped::Ended);
        assert!(!first.cancel().is_cancelled() && !second.cancel().is_cancelled());
        assert_eq!(second.state(), State::Running);
    }

    #[test]
    fn the_last_state_says_how_a_run_has_ended() {
        let runs = Runs::default();
        let hold = Arc::new(Hold::default());
        let held = Submission { hold: Some(Arc::clone(&hold)), ..Submission::default() };
        let server = CancellationToken::new();
        let held = runs.submit(held, &server);
        hold.let_go();
        assert!(held.cancel().is_cancelled() && !server.is_cancelled());
        assert_eq!(runs.finish(&held, 0, Map::new()), State::Lost);
        assert_eq!(runs.finish(&submit(&runs), 0, Map::new()), State::Passed);
        assert_eq!(runs.finish(&submit(&runs), 2, Map::new()), State::Failed);
        let last = runs.submit(Submission::default(), &server);
        server.cancel();
        assert_eq!(runs.finish(&last, 1, Map::new()), State::Cancelled);
        let states: Vec<_> =
            runs.list(9, None).expect("no file").iter().map(|run| run.state).collect();
        assert_eq!(states, [State::Cancelled, State::Failed, State::Passed, State::Lost]);
        assert_eq!(runs.list(9, Some(State::Lost)).expect("no file").len(), 1);
        assert_eq!(runs.list(2, None).expect("no file").len(), 2);
    }

    #[test]
    fn t61_a_connection_that_is_gone_before_its_run_exists_ends_it_at_once() {
        let runs = Runs::default();
        let hold = Arc::new(Hold::default());
        hold.let_go();
        let held = Submission { hold: Some(hold), ..Submission::default() };
        assert!(runs.submit(held, &CancellationToken::new()).cancel().is_cancelled());
    }

    #[test]
    fn t36_ended_runs_give_way_while_memory_is_scarce_held_ones_too() {
        let memory = Memory::new(1 << 20);
        let runs = Runs::new(1, 100, &memory);
        for number in 0..50 {
            let hold = (number % 2 == 0).then(Arc::default);
            let held = Submission { hold, ..Submission::default() };
            let run = runs.submit(held, &CancellationToken::new());
            let value = Value::from("x".repeat(100_000));
            run.note(&Event::Result(ActionResult::new(0, "a", Ok(value))));
            runs.finish(&run, 0, Map::new());
        }
        assert!(!memory.is_scarce(), "{} bytes", memory.taken());
        assert_eq!(runs.last().map(|run| run.number()), Some(50));
        drop(runs);
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn t64_only_the_last_ended_runs_are_kept() {
        let runs = Runs::new(1, 3, &Memory::unlimited());
        let all: Vec<_> = (0..5).map(|_| submit(&runs)).collect();
        for run in &all {
            runs.finish(run, 0, Map::new());
        }
        assert!(runs.find(2).is_none() && runs.find(3).is_some());
        assert_eq!(runs.last().expect("a run").number(), 5);
    }

    #[test]
    fn a_run_with_patience_gets_the_place_that_becomes_free_before_others() {
        let runs = Runs::default();
        let (first, waiting, other) = (submit(&runs), patient(&runs, 60), submit(&runs));
        let lease = claim(&runs, &first);
        std::thread::scope(|scope| {
            let (told, tell) = std::sync::mpsc::channel();
            let (runs, waiting) = (&runs, &waiting);
            let queue = scope.spawn(move || {
                runs.wait_for_place(waiting, &mut |queued| told.send(queued).expect("a reader"))
            });
            let queued = tell.recv().expect("a report");
            assert_eq!((queued.position, queued.holder), (1, Some(1)));
            assert_eq!(waiting.state(), State::Queued);
            drop(lease);
            // The place belongs to the one that waits, even before it has woken.
            assert!(runs.claim(&other, "test".to_owned(), None).is_err());
            assert!(queue.join().expect("no panic"));
        });
        waiting.start();
        assert_eq!(waiting.state(), State::Running);
        drop(claim(&runs, &waiting));
        runs.finish(&waiting, 0, Map::new());
        drop(claim(&runs, &other));
    }

    #[test]
    fn a_place_for_a_whole_run_is_kept_between_its_tests_and_free_after_its_last_action() {
        let runs = Runs::default();
        let (first, second) = (submit(&runs), submit(&runs));
        assert!(runs.take_place(&first).is_ok());
        // Before its first test and in it, others are refused at once.
        assert_eq!(runs.take_place(&second).map_err(|holder| holder.number()), Err(1));
        let lease = claim(&runs, &first);
        assert_eq!(runs.take_place(&second).map_err(|holder| holder.number()), Err(1));
        drop(lease);
        drop(claim(&runs, &first));
        // During its last actions they wait.
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| runs.take_place(&second).is_ok());
            runs.finish(&first, 0, Map::new());
            assert!(taken.join().expect("no panic"));
        });
    }

    #[test]
    fn a_run_whose_patience_ends_or_that_is_stopped_leaves_the_queue() {
        let runs = Runs::default();
        let first = submit(&runs);
        let lease = claim(&runs, &first);
        let short = patient(&runs, 0);
        assert!(!runs.wait_for_place(&short, &mut |_| {}));
        let stopped = patient(&runs, 60);
        let mut stop = |_| {
            runs.stop(&stopped, "on request", Duration::ZERO);
        };
        assert!(!runs.wait_for_place(&stopped, &mut stop));
        assert_eq!(runs.finish(&stopped, 0, Map::new()), State::Cancelled);
        drop(lease);
        drop(claim(&runs, &submit(&runs)));
    }

    #[test]
    fn a_place_that_its_run_does_not_use_is_free_after_the_run() {
        let runs = Runs::default();
        let waiting = patient(&runs, 60);
        assert!(runs.wait_for_place(&waiting, &mut |_| panic!("there is room")));
        assert!(runs.claim(&submit(&runs), "test".to_owned(), None).is_err());
        runs.finish(&waiting, 1, Map::new());
        drop(claim(&runs, &submit(&runs)));
    }

    #[test]
    fn runs_of_the_history_follow_those_in_memory_and_numbers_go_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("history.db");
        let open = || {
            let (history, last) = History::open(&path).expect("a history");
            Runs::new(1, 2, &Memory::unlimited()).with_history(history, last)
        };
        let runs = open();
        for failed in 0..3 {
            let run = submit(&runs);
            runs.finish(&run, failed, Map::new());
            run.store();
        }
        let _left = submit(&runs);
        drop((runs, _left));
        let runs = open();
        let new = submit(&runs);
        assert_eq!((new.number(), runs.count()), (5, 1));
        runs.finish(&new, 0, Map::new());
        let list = |limit, state| {
            let list = runs.list(limit, state).expect("readable");
            let pairs =
                list.iter().filter_map(|status| Some((status.run.as_ref()?.run, status.state)));
            pairs.collect::<Vec<_>>()
        };
        use State::{Failed, Interrupted, Passed};
        let all = [(5, Passed), (4, Interrupted), (3, Failed), (2, Failed), (1, Passed)];
        assert_eq!(list(9, None), all);
        assert_eq!(list(2, None), all[..2]);
        assert_eq!(list(9, Some(Passed)), [(5, Passed), (1, Passed)]);
        let state = |number| runs.info(number).expect("readable").map(|status| status.state);
        assert_eq!((state(4), state(5), state(6)), (Some(Interrupted), Some(Passed), None));
    }
}
