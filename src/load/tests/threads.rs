//! Runs on threads of their own, on the real clock.

use super::*;

/// Runs something that needs real threads, with a deadline that only a bug reaches.
fn within_a_minute<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, outcome) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(body()));
    outcome.recv_timeout(Duration::from_secs(60)).expect("an end within a minute")
}

fn threaded(act: impl Fn(Call) -> Reply + Send + Sync + 'static) -> Plan<Script> {
    let driver = Script {
        act: Box::new(act),
        calls: Arc::default(),
        present: Arc::default(),
        users: AtomicUsize::new(0),
        begin: Instant::now(),
    };
    let settings = Settings {
        users: Shape::immediate(8, None).into(),
        pacing: closed("0"),
        keep_bodies: false,
        iterations: None,
        trace: None,
        seed: 1,
    };
    plan(TaskOrder::Sequence, 0, "[{}]", driver, Bindings::NONE, settings, None)
}

#[test]
fn worker_threads_end_when_cancelled_and_lose_no_request() {
    let recorded = within_a_minute(|| {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let plan = threaded(move |call| {
            if call.turn == 500 {
                stop.cancel();
            }
            passes_after(Duration::ZERO)
        });
        let calls = Arc::clone(&plan.driver.calls);
        let live = Arc::new(Live::default());
        let mut watch = |_: &Progress<'_>| ControlFlow::Continue(());
        let recording =
            crate::load::runner::run(plan, 4, &live, &cancel, &mut watch).expect("a run");
        let called = calls.lock().expect("calls").len();
        assert_eq!(recording.iterations.started as usize, called);
        (recording.len(), live.total().requests as usize, called)
    });
    assert!(recorded.0 > 500);
    assert_eq!((recorded.0, recorded.0), (recorded.1, recorded.2));
}

#[test]
fn t34_a_run_without_memory_for_rows_goes_on_and_counts_every_request() {
    let (requests, counted, called, warnings, taken) = within_a_minute(|| {
        let plan = threaded(|_| passes_after(Duration::ZERO));
        let calls = Arc::clone(&plan.driver.calls);
        // The process itself stays far below the ceiling.
        let memory = Memory::new(1 << 30);
        let mut others = memory.share("others");
        others.grow((1 << 30) - (1 << 20)).expect("room");
        let live = Arc::new(Live::feeding(Arc::new(Cumulative::new(&memory))));
        let mut watch = |progress: &Progress<'_>| match progress.requests {
            0..20_000 => ControlFlow::Continue(()),
            _ => ControlFlow::Break("enough".to_owned()),
        };
        let cancel = CancellationToken::new();
        let recording =
            crate::load::runner::run(plan, 2, &live, &cancel, &mut watch).expect("a run");
        let called = calls.lock().expect("calls").len();
        let counted = live.total().requests as usize;
        (recording.requests() as usize, counted, called, recording.warnings.clone(), memory.taken())
    });
    assert_eq!((requests, counted), (called, called), "something measured is lost");
    assert!(requests >= 20_000, "{requests}");
    let said = |words: &str| warnings.iter().any(|warning| warning.contains(words));
    let beyond = " UTC on, requests are counted but not kept as rows (--max-memory)";
    assert!(said(beyond) && said("enough") && warnings.len() == 2, "{warnings:?}");
    assert!(taken <= 1 << 30, "{taken}");
}

#[test]
fn the_progress_callback_can_end_a_run() {
    let warnings = within_a_minute(|| {
        let plan = threaded(|_| passes_after(MILLI));
        let live = Arc::new(Live::default());
        let mut watch = |_: &Progress<'_>| ControlFlow::Break("a gate failed".to_owned());
        crate::load::runner::run(plan, 2, &live, &CancellationToken::new(), &mut watch)
            .expect("a run")
            .warnings
    });
    assert!(warnings.contains(&"a gate failed".to_owned()), "{warnings:?}");
}
