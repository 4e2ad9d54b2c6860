//! What runs share: the place of a test, and servers that they start.

use super::*;
use crate::event::{ErrorKind, State, Status};
use crate::run::{History, Runs};

#[test]
fn a_stub_server_is_started_once_and_stopped_by_an_action() {
    let bench = Bench::new();
    let lines = bench.lines(
        r#"[["LD_start_stub_server", {"rules": [{"path": "/"}]}], ["LD_start_stub_server", [[]]],
            ["LD_stop_stub_server"], ["LD_stop_stub_server"]]"#,
    );
    assert!(lines[0].starts_with("{'host': '127.0.0.1', 'port': "), "{}", lines[0]);
    assert_eq!(lines[1], lines[0]);
    assert_eq!(lines[2..], ["None", "None"]);
    let refused = bench.lines(r#"[["LD_start_stub_server", [[], "0.0.0.0"]]]"#);
    assert!(refused[0].contains("/host: expected a loopback address"), "{}", refused[0]);
}

/// The port of the stub server of the first action.
fn port_of(events: &[Event]) -> i64 {
    let value = events.iter().find_map(|event| match event {
        Event::Result(result) => result.value.as_ref()?.get("port").cloned(),
        _ => None,
    });
    let Some(Value::Int(port)) = value else { panic!("no port: {events:?}") };
    port
}

#[test]
fn a_run_that_is_in_progress_keeps_its_stub_server() {
    let bench = Bench::new();
    let (events, _) = bench.run(r#"[["LD_start_stub_server", [[]]]]"#);
    let port = port_of(&events);
    // What an ended run has left is everybody's.
    assert_eq!(port_of(&bench.run(r#"[["LD_start_stub_server", [[]]]]"#).0), port);
    bench.check(r#"[["LD_stop_stub_server"]]"#, &["None"]);
    // A command that runs while the run of another document is in progress.
    let start = format!(
        r#"[["LD_start_stub_server", {{"rules": [{{}}], "port": {port}}}],
        ["LD_start_test", {{"user_detail_dict": {{"host": "http://127.0.0.1:{port}"}},
            "user_count": 1, "test_time": 0.2, "tasks": [{{"method": "get", "request_url": "/"}}]}}]]"#
    );
    let document = Document::parse(Value::parse(&start).expect("JSON")).expect("a document");
    let mut others = Vec::new();
    let mut sink = |event| {
        if let Event::Started { index: 1, .. } = event {
            others.extend(bench.lines(&format!(
                r#"[["LD_stop_stub_server"], ["LD_start_stub_server", {{"rules": [], "port": {port}}}],
                    ["LD_start_stub_server", [[]]], ["LD_stop_stub_server"]]"#
            )));
        }
    };
    let outcome = bench.executor.execute(document, &mut sink, &CancellationToken::new());
    assert_eq!((others.len(), outcome.failed), (4, 0), "{others:?}");
    let taken =
        format!("cannot listen on 127.0.0.1:{port}: the stub server of run 4 uses this port");
    assert!(others[1].contains(&taken), "{}", others[1]);
    assert!(others[2].starts_with("{'host': '127.0.0.1', 'port': "), "{}", others[2]);
    bench.check(
        &format!(
            r#"[["LD_stop_stub_server"], ["LD_start_stub_server", {{"rules": [], "port": {port}}}],
            ["LD_stop_stub_server"]]"#
        ),
        &["None", &format!("{{'host': '127.0.0.1', 'port': {port}}}"), "None"],
    );
}

#[test]
fn a_document_with_a_test_runs_whole_or_not_at_all() {
    let bench = Bench::new();
    let runs = &bench.executor.shared.runs;
    let run = runs.submit(Submission::default(), &CancellationToken::new());
    let held = runs.claim(&run, "other".to_owned(), None).expect("free");
    let document = r#"[["LD_register_variable", {"name": "a", "value": 1}], ["LD_start_test",
        {"user_detail_dict": {}, "user_count": 1, "test_time": 0,
            "tasks": [{"method": "get", "request_url": "http://127.0.0.1:1/"}]}], ["LD_summary"]]"#;
    let (events, outcome) = bench.run(document);
    assert_eq!((outcome.failed, outcome.busy), (1, true));
    let [Event::Accepted { .. }, Event::Result(refused), Event::Done { ok: false, failed: 1, .. }] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((refused.index, refused.command.as_str()), (1, "LD_start_test"));
    assert_eq!(refused.error.as_ref().map(|error| error.kind), Some(FailureKind::Busy));
    assert!(bench.executor.shared.resolver_names().is_empty());
    // Documents of the text dialect run action by action, as in the reference.
    let value = Value::parse(document).expect("JSON");
    let document = Document::parse(value).expect("a document");
    let mut lines = Vec::new();
    let mut sink = |event| {
        if let Event::Result(result) = event {
            lines.push(result.line());
        }
    };
    let cancel = CancellationToken::new();
    bench.executor.execute_as(Submission::default(), document, &mut sink, &cancel);
    assert_eq!((lines.len(), lines[0].as_str()), (3, "None"));
    drop(held);
}

#[test]
fn one_test_runs_at_a_time_and_a_second_names_it() {
    let bench = Bench::new();
    let runs = &bench.executor.shared.runs;
    let claim = |name: &str, length| {
        let run = runs.submit(Submission::default(), &CancellationToken::new());
        runs.claim(&run, name.to_owned(), length).map_err(|holder| run::busy(&holder))
    };
    let held = claim("fast_http_user", None).expect("free");
    let refused = claim("second", None).expect_err("taken");
    assert_eq!(refused.kind, FailureKind::Busy);
    assert_eq!(
        refused.message,
        "another test is running: fast_http_user of run 1 (until it is stopped); wait for its end or \
         `ldctl stop`"
    );
    let status = bench.executor.status();
    let test = status.run.expect("a test");
    assert_eq!((status.state, test.run, test.remaining_s), (State::Running, 1, None));
    drop(held);
    assert_eq!(bench.executor.status(), Status::IDLE);
    let _held = claim("second", Some(Duration::from_secs(60))).expect("free again");
    let refused = claim("third", None).expect_err("taken");
    assert!(refused.message.contains("second of run 3 (60 s left)"), "{}", refused.message);
}

#[test]
fn a_stop_cancels_the_document_of_the_test_and_waits_for_its_end() {
    let bench = Bench::new();
    assert_eq!(bench.executor.stop(Duration::ZERO), Status::IDLE);
    let runs = &bench.executor.shared.runs;
    let run = runs.submit(Submission::default(), &CancellationToken::new());
    let held = runs.claim(&run, "a".to_owned(), None).expect("free");
    let states = |status: Status| (status.state, status.run.and_then(|run| run.name));
    let reported = states(bench.executor.stop(Duration::ZERO));
    assert_eq!(reported, (State::Stopping, Some("a".to_owned())));
    assert_eq!(states(bench.executor.status()), reported);
    assert!(run.cancel().is_cancelled());
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| bench.executor.stop(Duration::from_secs(60)));
        drop(held);
        let reported = states(stopping.join().expect("no panic"));
        // It may have come after the end.
        let late = (State::Idle, None);
        assert!(
            reported == (State::Stopped, Some("a".to_owned())) || reported == late,
            "{reported:?}"
        );
    });
    assert_eq!(bench.executor.status(), Status::IDLE);
}

#[test]
fn t26_a_run_whose_thread_panics_ends_for_all_who_follow_it_and_in_the_history() {
    for at in ["started", "result", "done"] {
        let data = tempfile::tempdir().expect("a directory");
        let (history, last) = History::open(&data.path().join("h")).expect("a history");
        let executor = Bench::new().executor.with_runs(Runs::default().with_history(history, last));
        let document = Document::parse(Value::parse(r#"[["nothing"]]"#).expect("JSON"));
        let mut sink = |event: Event| {
            let event = serde_json::to_value(&event).expect("JSON");
            assert_ne!(event["event"], at, "a panic on purpose");
        };
        let work = || {
            let cancel = CancellationToken::new();
            executor.execute(document.expect("a document"), &mut sink, &cancel)
        };
        let crashed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        assert!(crashed.is_err(), "{at}");
        let run = executor.table().find(1).expect("the run");
        assert_eq!(run.state(), State::Failed, "{at}");
        let (events, may_continue) = run.events_after(0);
        assert!(!may_continue, "{at}: whoever follows it waits for ever");
        let events: Vec<&Event> = events.iter().map(|(_, event)| &**event).collect();
        let [.., before, last] = &events[..] else { panic!("{events:?}") };
        let Event::Done { ok: false, state: Some(State::Failed), run: Some(1), .. } = last else {
            panic!("{at}: {last:?}")
        };
        let stored = executor.table().history().expect("one").find(1).expect("read");
        let stored = stored.expect("the run");
        assert_eq!(stored.state, State::Failed, "{at}");
        if at != "done" {
            let Event::Error { kind: ErrorKind::Internal, message } = before else {
                panic!("{at}: {before:?}")
            };
            assert_eq!(message, "the run crashed (a bug in ldctl); see its log");
            assert_eq!(stored.run.and_then(|info| info.message).as_ref(), Some(message));
        }
        // Its place is free.
        assert!(executor.table().current().is_none());
    }
}
