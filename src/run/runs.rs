//! The table of runs in progress: how many may run concurrently, and who waits for their end. Its
//! lock is held only briefly, never while a test runs.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{Request, Run};
use crate::load::{Progress, RunError, Runnable};
use crate::lock::lock;
use crate::record::Recording;
use crate::record::live::{Cumulative, Live};

/// Concurrent runs: a second one would disturb the measurements of the first.
const AT_ONCE: usize = 1;

/// The documents accepted so far, and the runs in progress.
#[derive(Debug, Default)]
pub struct Runs {
    count: AtomicU64,
    cumulative: Arc<Cumulative>,
    /// Oldest first.
    in_progress: Mutex<Vec<Arc<Run>>>,
    /// Notified when a run ends.
    ended: Condvar,
}

impl Runs {
    /// Accepts another document and returns its number.
    pub fn begin(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Documents accepted so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The figures of all runs, including those that have ended.
    pub fn cumulative(&self) -> Arc<Cumulative> {
        Arc::clone(&self.cumulative)
    }

    /// The runs in progress, oldest first.
    pub fn list(&self) -> Vec<Arc<Run>> {
        lock(&self.in_progress).clone()
    }

    /// The run in progress that started last.
    pub fn current(&self) -> Option<Arc<Run>> {
        lock(&self.in_progress).last().cloned()
    }

    /// Starts a run, or returns one that prevents it.
    pub fn claim(&self, request: Request) -> Result<Lease<'_>, Arc<Run>> {
        let mut in_progress = lock(&self.in_progress);
        match in_progress.first() {
            Some(oldest) if in_progress.len() >= AT_ONCE => Err(Arc::clone(oldest)),
            _ => {
                let live = Live::feeding(Arc::clone(&self.cumulative));
                let run = Arc::new(Run::new(request, live));
                in_progress.push(Arc::clone(&run));
                Ok(Lease { runs: self, run })
            }
        }
    }

    /// Cancels the document of a run and waits for the run's end, at most until `timeout`. Returns
    /// whether there was something to stop: the document of an ended run is not cancelled.
    pub fn stop(&self, run: &Run, timeout: Duration) -> bool {
        {
            // No run ends while this lock is held.
            let _in_progress = lock(&self.in_progress);
            if run.has_ended() {
                return false;
            }
            run.request.cancel.cancel();
        }
        self.wait(run, timeout);
        true
    }

    /// Waits for the end of a run, at most until `timeout`; returns whether it has ended.
    pub fn wait(&self, run: &Run, timeout: Duration) -> bool {
        let in_progress = lock(&self.in_progress);
        let _waited = self
            .ended
            .wait_timeout_while(in_progress, timeout, |_| !run.has_ended())
            .unwrap_or_else(PoisonError::into_inner);
        run.has_ended()
    }
}

/// An entry in the table; the run ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Lease<'a> {
    runs: &'a Runs,
    run: Arc<Run>,
}

impl Lease<'_> {
    /// The run.
    pub fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Generates the load on `workers` threads; `watch` receives the progress about once a second
    /// and may end it early. Blocks the calling thread.
    pub fn execute(
        &self,
        test: Box<dyn Runnable>,
        workers: usize,
        watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<String>,
    ) -> Result<Recording, RunError> {
        let run = &self.run;
        test.run(workers, &run.live, &run.request.cancel, &mut |progress| {
            run.users.store(progress.users, Ordering::Relaxed);
            watch(progress)
        })
    }

    /// Ends the run with its record.
    pub fn finish(self, recording: Recording) -> Arc<Recording> {
        Arc::clone(self.run.recording.get_or_init(|| Arc::new(recording)))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        {
            let mut in_progress = lock(&self.runs.in_progress);
            let _ = self.run.took.set(self.run.started.elapsed());
            in_progress.retain(|run| !Arc::ptr_eq(run, &self.run));
        }
        self.runs.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio_util::sync::CancellationToken;

    use super::super::State;
    use super::*;
    use crate::record::fixture::request;
    use crate::record::gates::AbortOn;
    use crate::record::live;
    use crate::value::{Reader, Value};

    fn asked(name: &str, cancel: &CancellationToken) -> Request {
        let cancel = cancel.clone();
        Request { number: 7, name: name.to_owned(), length: None, cancel }
    }

    fn claim<'a>(runs: &'a Runs, name: &str) -> Lease<'a> {
        runs.claim(asked(name, &CancellationToken::new())).expect("a free place")
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

    fn counts(run: &Run) -> (u64, u64) {
        let now = run.snapshot();
        (now.requests, now.failures)
    }

    #[test]
    fn only_one_run_is_in_progress_and_the_next_gets_its_name() {
        let runs = Runs::default();
        let first = claim(&runs, "first");
        let in_the_way = runs.claim(asked("second", &CancellationToken::new())).expect_err("busy");
        assert_eq!((in_the_way.number(), in_the_way.name()), (7, "first"));
        assert_eq!(runs.list().len(), 1);
        first.run().live.change_users(0, 5);
        assert_eq!(first.run().snapshot().users, 5, "before the first report");
        drop(first);
        assert!(runs.list().is_empty() && runs.current().is_none());
        let _second = claim(&runs, "second");
        assert_eq!(runs.current().expect("a run").name(), "second");
    }

    #[test]
    fn a_second_run_starts_at_zero_while_the_cumulative_figures_keep_growing() {
        let runs = Runs::default();
        let cumulative = runs.cumulative();
        let first = claim(&runs, "first");
        request(&first.run().live, "a", 10, 100, true);
        request(&first.run().live, "b", 10, 100, false);
        let ended = Arc::clone(first.run());
        drop(first);
        let second = claim(&runs, "second");
        assert_eq!(counts(second.run()), (0, 0));
        assert!(second.run().live().series().is_empty());
        request(&second.run().live, "b", 10, 100, true);
        assert_eq!((counts(second.run()), counts(&ended)), ((1, 1), (2, 1)));
        let total = live::total(&cumulative.series());
        assert_eq!((total.requests, total.failures, total.bytes), (3, 2, 300));
        drop(second);
        assert_eq!(live::total(&cumulative.series()).requests, 3, "the ended run is not counted");
    }

    #[test]
    fn abort_on_judges_the_requests_of_its_own_run() {
        let runs = Runs::default();
        let rule = Value::parse(r#"[{"type": "failure_rate", "value": 0.2}]"#).expect("JSON");
        let abort_on = AbortOn::read(&Reader::root(&rule)).expect("a rule");
        let warnings = |requests: &[bool]| {
            let lease = claim(&runs, "test");
            let mut watch = |progress: &Progress<'_>| match abort_on.broken(&progress.live.series())
            {
                Some(reason) => ControlFlow::Break(reason),
                None => ControlFlow::Continue(()),
            };
            let test = Box::new(Script(requests.to_vec()));
            let recording = lease.execute(test, 1, &mut watch).expect("a record");
            lease.finish(recording).warnings.clone()
        };
        assert_eq!(warnings(&[true; 9]), ["failure_rate(overall)=1.0 not lte 0.2"]);
        assert_eq!(warnings(&[false; 9]), [""; 0]);
    }

    #[test]
    fn a_run_keeps_its_record_and_its_last_figures() {
        let runs = Runs::default();
        let lease = claim(&runs, "test");
        let run = Arc::clone(lease.run());
        let test = Box::new(Script(vec![true, false]));
        let mut watch = |_: &Progress<'_>| ControlFlow::Continue(());
        let recording = lease.execute(test, 1, &mut watch).expect("a record");
        assert!(run.recording().is_none());
        let kept = lease.finish(recording);
        assert!(Arc::ptr_eq(&kept, run.recording().expect("the record")));
        let last = run.snapshot();
        assert_eq!((last.state, last.users, last.requests), (State::Ended, 3, 2));
        assert_eq!(run.snapshot(), last, "the time of an ended run changes");
    }

    #[test]
    fn a_stop_waits_for_the_end_and_returns_the_last_figures() {
        let (runs, cancel) = (Runs::default(), CancellationToken::new());
        let lease = runs.claim(asked("test", &cancel)).expect("a free place");
        let run = Arc::clone(lease.run());
        assert!(runs.stop(&run, Duration::ZERO));
        assert!(cancel.is_cancelled());
        assert_eq!(run.snapshot().state, State::Stopping);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let ended = runs.wait(&run, Duration::from_secs(60));
                (ended, run.snapshot())
            });
            request(&lease.run().live, "a", 1, 1, true);
            drop(lease);
            let (ended, last) = waiting.join().expect("no panic");
            assert!(ended);
            assert_eq!((last.state, last.requests, last.failures), (State::Ended, 1, 1));
        });
    }

    #[test]
    fn a_stop_between_the_end_of_a_run_and_the_next_stops_nothing() {
        let (runs, cancel) = (Runs::default(), CancellationToken::new());
        let first = runs.claim(asked("first", &cancel)).expect("a free place");
        let ended = Arc::clone(first.run());
        drop(first);
        assert!(!runs.stop(&ended, Duration::from_secs(60)));
        let second = runs.claim(asked("second", &cancel)).expect("a free place");
        assert!(!runs.stop(&ended, Duration::from_secs(60)));
        assert!(!cancel.is_cancelled());
        assert_eq!(second.run().snapshot().state, State::Running);
    }
}
