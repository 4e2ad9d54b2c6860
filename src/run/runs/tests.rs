use std::ops::ControlFlow;
use std::time::SystemTime;

use super::super::Hold;
use super::*;
use crate::event::{ActionResult, Event};
use crate::load::{Progress, RunError, Runnable};
use crate::record::Recording;
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
    let states: Vec<_> = runs.list(9, None).expect("no file").iter().map(|run| run.state).collect();
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
        let pairs = list.iter().filter_map(|status| Some((status.run.as_ref()?.run, status.state)));
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
