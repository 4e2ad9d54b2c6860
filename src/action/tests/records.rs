//! What is kept of tests, in memory and in databases.

use super::*;
use crate::record::fixture::recorder;

#[test]
fn t36_tests_that_give_way_to_memory_are_named_in_every_summary_until_records_are_cleared() {
    let bench = Bench::new();
    let memory = &bench.executor.shared.policy.memory;
    (0..3).for_each(|_| bench.executor.shared.keep(recording()));
    let mut others = memory.share("others");
    others.grow(memory.most() / 2 + 5000).expect("room");
    let warnings = |json: &str| {
        let (events, _) = bench.run(json);
        let results = events.into_iter().filter_map(|event| match event {
            Event::Result(result) => Some(result.warnings),
            _ => None,
        });
        results.flatten().collect::<Vec<_>>()
    };
    assert_eq!(warnings(r#"[["LD_summary"]]"#), [""; 0]);
    let test = r#"[["LD_start_test", {"user_detail_dict": {}, "user_count": 1, "test_time": 0,
        "tasks": [{"method": "get", "request_url": "http://127.0.0.1:1/"}]}]]"#;
    let said = warnings(test).join("\n");
    assert!(said.contains(" of memory are in use (--max-memory)"), "{said}");
    let dropped = "earlier runs were dropped for --max-memory";
    for command in [r#"[["LD_summary"]]"#, r#"[["LD_generate_csv_report"]]"#] {
        let said = warnings(command);
        assert!(said.iter().any(|warning| warning.contains(dropped)), "{command}: {said:?}");
    }
    assert_eq!(warnings(r#"[["LD_clear_records"], ["LD_summary"]]"#), [""; 0]);
}

#[test]
fn a_database_that_does_not_exist_counts_as_empty_with_a_warning() {
    let bench = Bench::new();
    for action in [r#"["LD_list_runs", ["no.db"]]"#, r#"["LD_fetch_run_records", ["no.db", 1]]"#] {
        let (events, outcome) = bench.run(&format!("[{action}]"));
        let results: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Result(result) => Some(result),
                _ => None,
            })
            .collect();
        assert_eq!((results[0].line(), outcome.failed), ("[]".to_owned(), 0));
        let warning = "\"no.db\" does not exist; it counts as a database without runs";
        assert_eq!(results[0].warnings, [warning]);
    }
}

#[test]
fn t51_a_stop_ends_a_command_that_waits_for_a_database() {
    let bench = Bench::new();
    let lock = rusqlite::Connection::open(bench.executor.shared.policy.data_dir.join("runs.db"));
    let lock = lock.expect("a database");
    lock.execute_batch("CREATE TABLE x (y); BEGIN EXCLUSIVE").expect("locked");
    let lines = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.lines(r#"[["LD_list_runs", ["runs.db"]]]"#));
        while !waiting.is_finished() {
            bench.executor.stop(std::time::Duration::ZERO);
            std::thread::yield_now();
        }
        waiting.join().expect("no panic")
    });
    assert_eq!(lines, ["RuntimeError('runs.db: the command was stopped')"]);
}

#[test]
fn t50_files_beside_a_database_that_are_special_are_refused() {
    let bench = Bench::new();
    for ending in ["", "-journal", "-wal", "-shm"] {
        let fifo = bench.executor.shared.policy.data_dir.join(format!("runs.db{ending}"));
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.expect("mkfifo").success());
        let line = format!(
            "OSError('\"runs.db{ending}\" is a device, FIFO or socket; name a regular file')"
        );
        bench.check(r#"[["LD_list_runs", ["runs.db"]]]"#, &[&line]);
        bench.check(r#"[["LD_persist_records", ["runs.db"]]]"#, &[&line]);
        std::fs::remove_file(fifo).expect("removed");
    }
}

/// Ten requests named `a`, of 1 to 10 ms, the last two failed.
fn recording() -> Arc<Recording> {
    let row = |millis: u8| {
        let error = (millis > 8).then_some("refused");
        ("GET", "/a", "a", 200, f64::from(millis), 1, error)
    };
    let recorder = recorder(&(1..=10).map(row).collect::<Vec<_>>());
    Arc::new(Recording::new(std::time::SystemTime::now(), vec![recorder]))
}

#[test]
fn records_stay_between_documents_until_they_are_cleared() {
    let bench = Bench::new();
    let empty = "{'totals': {'requests': 0, 'successes': 0, 'failures': 0, 'failure_rate': 0.0}, \
                 'latency_overall': {'count': 0, 'p50_ms': 0.0, 'p90_ms': 0.0, 'p95_ms': 0.0, \
                 'p99_ms': 0.0, 'max_ms': 0.0}, 'per_name': {}}";
    bench.check(r#"[["LD_summary"]]"#, &[empty]);
    bench.executor.shared.keep(recording());
    let both = bench.lines(
        r#"[["LD_summary"], ["LD_summary", {"success": [], "failures": null}], ["LD_clear_records"],
            ["LD_summary", {"success": null}]]"#,
    );
    assert!(both[0].starts_with("{'totals': {'requests': 10, 'successes': 8, 'failures': 2, "));
    assert!(both[0].contains("'per_name': {'a': {'count': 8, 'min_ms': 1.0, 'max_ms': 8.0, "));
    assert!(both[1].starts_with("{'totals': {'requests': 2, 'successes': 0, 'failures': 2, "));
    assert_eq!(both[2..], ["{'status': 'cleared'}", empty]);
}

#[test]
fn a_summary_of_given_records_counts_as_the_reference_does() {
    check(
        r#"[["LD_summary", [
            [{"name": "a", "response_time_ms": 10}, {"name": "a", "response_time_ms": "20.5"},
             {"test_url": "/u", "response_time_ms": -1}, {"name": "", "test_url": "/v", "response_time_ms": 3},
             {"response_time_ms": true}],
            [{"name": "a", "response_time_ms": 100.0}]
        ]]]"#,
        &["{'totals': {'requests': 6, 'successes': 5, 'failures': 1, 'failure_rate': \
           0.16666666666666666}, 'latency_overall': {'count': 4, 'p50_ms': 15.25, 'p90_ms': \
           76.15, 'p95_ms': 88.07499999999997, 'p99_ms': 97.61499999999998, 'max_ms': 100.0}, 'per_name': \
           {'a': {'count': 2, 'min_ms': 10.0, 'max_ms': 20.5, 'mean_ms': 15.25, 'p50_ms': 15.25, \
           'p90_ms': 19.450000000000003, 'p95_ms': 19.975, 'p99_ms': 20.395}, '/v': {'count': 1, 'min_ms': 3.0, \
           'max_ms': 3.0, 'mean_ms': 3.0, 'p50_ms': 3.0, 'p90_ms': 3.0, 'p95_ms': 3.0, 'p99_ms': \
           3.0}}}"],
    );
    check(
        r#"[["LD_summary", [[5]]], ["LD_summary", [5]]]"#,
        &[
            "TypeError('LD_summary: /success/0: expected an object, got 5')",
            "TypeError('LD_summary: /success: expected a list, got 5')",
        ],
    );
}
