mod breaking_point;
mod data;
#[cfg(unix)]
mod executor;
mod exports;
mod formats;
mod governance;
mod imports;
mod installs;
mod notifiers;
mod regression;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::event::{ErrorKind, Event, FailureKind, State, Status};
use crate::record::Recording;
use crate::record::fixture::recorder;
use crate::run::{self, History, Runs, Submission};
use crate::value::Value;

/// An executor over a fresh data directory.
struct Bench {
    executor: Executor,
    dir: tempfile::TempDir,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let policy = Policy {
            allow_env: Some(vec!["PATH".to_owned(), "TOKEN".to_owned()]),
            secret_env: vec!["TOKEN".to_owned()],
            ..Policy::inside(dir.path())
        };
        let printed = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&printed);
        let executor = Executor::new(policy)
            .expect("an executor")
            .with_output(Box::new(move |line| lines.lock().expect("unpoisoned").push(line)));
        Self { executor, dir, printed }
    }

    fn with_file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.path().join(name), text).expect("written");
        self
    }

    fn run(&self, json: &str) -> (Vec<Event>, DocumentOutcome) {
        let document = Document::parse(Value::parse(json).expect("JSON")).expect("a document");
        let mut events = Vec::new();
        let outcome = self.executor.execute(
            document,
            &mut |event| events.push(event),
            &CancellationToken::new(),
        );
        (events, outcome)
    }

    fn lines(&self, json: &str) -> Vec<String> {
        let (events, _) = self.run(json);
        let results = events.iter().filter_map(|event| match event {
            Event::Result(result) => Some(result.line()),
            _ => None,
        });
        results.collect()
    }

    fn check(&self, json: &str, lines: &[&str]) {
        assert_eq!(self.lines(json), lines, "{json}");
    }
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

fn check(json: &str, lines: &[&str]) {
    Bench::new().check(json, lines);
}

#[test]
fn a_document_is_a_list_of_actions_or_an_object_that_holds_one() {
    check(r#"[["abs", [-1]]]"#, &["1"]);
    check(r#"{"load_density": [["abs", [-1]]], "name": "x"}"#, &["1"]);
    for json in [
        "null",
        "true",
        "5",
        "\"quit_server\"",
        "[]",
        "{}",
        r#"{"load_density": []}"#,
        r#"{"load_density": {"load_density": [["abs", [-1]]]}}"#,
        r#"{"other": [["abs", [-1]]]}"#,
    ] {
        let refused = Document::parse(Value::parse(json).expect("JSON")).expect_err(json);
        assert_eq!(
            refused.to_string(),
            "executor received invalid data: list is empty or wrong type"
        );
    }
}

#[test]
fn an_unknown_command_or_form_shows_the_action() {
    for (json, line) in [
        (r#"[["LD_nope"]]"#, r#""executor received invalid data ['LD_nope']""#),
        (
            r#"[["LD_nope", {"a": 1, "b": [true, null]}]]"#,
            r#""executor received invalid data ['LD_nope', {'a': 1, 'b': [True, None]}]""#,
        ),
        (r#"[["ld_summary"]]"#, r#""executor received invalid data ['ld_summary']""#),
        (r#"[["abs", [-1], 3]]"#, r#""executor received invalid data ['abs', [-1], 3]""#),
        (r#"[["nope", [], {}]]"#, r#""executor received invalid data ['nope', [], {}]""#),
        (r#"["LD_clear_records"]"#, "'executor received invalid data LD_clear_records'"),
        (r#"[[null]]"#, "'executor received invalid data [None]'"),
        (r#"[[5]]"#, "'executor received invalid data [5]'"),
        (r#"[[true, []]]"#, "'executor received invalid data [True, []]'"),
        (r#"[[""]]"#, r#""executor received invalid data ['']""#),
        (r#"[["Zażółć"]]"#, r#""executor received invalid data ['Zażółć']""#),
        (r#"[["eval", ["1+1"]]]"#, r#""executor received invalid data ['eval', ['1+1']]""#),
    ] {
        check(json, &[&format!("LoadDensityTestExecuteException({line})")]);
    }
}

#[test]
fn an_action_without_a_name_is_refused_by_its_form() {
    for (json, exception) in [
        ("[[]]", "IndexError("),
        ("[\"\"]", "IndexError("),
        ("[5]", "TypeError("),
        ("[null]", "TypeError("),
        ("[1.5]", "TypeError("),
        ("[true]", "TypeError("),
        (r#"[{"LD_clear_records": {}}]"#, "TypeError("),
        ("[[{}, [1]]]", "TypeError("),
        ("[[[]]]", "TypeError("),
        ("[[[], 1, 2]]", "TypeError("),
        (r#"[["abs", null]]"#, "TypeError("),
        (r#"[["abs", 5]]"#, "TypeError("),
        (r#"[["LD_summary", 5]]"#, "TypeError("),
    ] {
        let lines = Bench::new().lines(json);
        assert!(lines.len() == 1 && lines[0].starts_with(exception), "{json}: {lines:?}");
    }
}

#[test]
fn a_failing_action_does_not_stop_the_list() {
    let bench = Bench::new();
    bench.check(
        r#"[["abs", [-1]], ["LD_nope"], ["abs", ["x"]], ["abs", [-4]]]"#,
        &[
            "1",
            "LoadDensityTestExecuteException(\"executor received invalid data ['LD_nope']\")",
            "TypeError(\"bad operand type for abs(): 'str'\")",
            "4",
        ],
    );
    let (events, outcome) = bench.run(r#"[["abs", [-1]], ["LD_nope"], ["abs", [-1]]]"#);
    assert_eq!((outcome.failed, outcome.busy), (1, false));
    assert_eq!(events.len(), 8);
    assert!(matches!(&events[0], Event::Accepted { protocol: 1, run: 2, actions: 3, .. }));
    assert_eq!(events[3], Event::Started { index: 1, command: "LD_nope".to_owned() });
    assert!(matches!(&events[7], Event::Done { ok: false, failed: 1, .. }));
    let Event::Result(last) = &events[6] else { panic!("a result") };
    assert_eq!((last.index, last.ok), (2, true));
}

#[test]
fn arguments_are_bound_by_position_or_by_name_and_refused_by_name() {
    let bench = Bench::new();
    bench.check(
        r#"[
            ["LD_register_variable", {"name": "host", "value": "127.0.0.1"}],
            ["LD_register_variable", ["a", null]],
            ["LD_register_variable", "xy"],
            ["LD_register_variable", ["only-name"]],
            ["LD_register_variable", {"nope": 1}],
            ["LD_register_variable", ["a", 1, 2]],
            ["LD_register_variable", [5, 1]],
            ["LD_register_variables", [{"b": 1}]],
            ["LD_register_variables", [[1]]],
            ["LD_clear_records", [1]],
            ["LD_summary", {"nope": 1}]
        ]"#,
        &[
            "None",
            "None",
            "None",
            "TypeError('LD_register_variable() needs the argument \"value\"')",
            "TypeError('LD_register_variable() has no argument \"nope\"; it takes name, value')",
            "TypeError('LD_register_variable() takes at most 2 arguments (name, value), got 3')",
            "TypeError('LD_register_variable: /name: expected a string, got 5')",
            "None",
            "TypeError('LD_register_variables: /variables: expected an object of names and values, \
             got [1]')",
            "TypeError('LD_clear_records() takes at most 0 arguments (none), got 1')",
            "TypeError('LD_summary() has no argument \"nope\"; it takes success, failures')",
        ],
    );
    let names: Vec<String> = bench.executor.shared.resolver_names();
    assert_eq!(names, ["host", "a", "x", "b"]);
    bench.check(r#"[["LD_clear_resolver"]]"#, &["{'status': 'cleared'}"]);
    assert!(bench.executor.shared.resolver_names().is_empty());
}

#[test]
fn csv_sources_are_read_from_the_data_directory_all_or_none() {
    let bench = Bench::new().with_file("users.csv", "name,age\nann,1\nbob,2\n");
    bench.check(
        r#"[
            ["LD_register_csv_source", ["users", "users.csv"]],
            ["LD_register_csv_source", {"name": "once", "file_path": "users.csv", "cycle": false}],
            ["LD_register_csv_sources", [[{"name": "n", "file_path": "users.csv"},
                                          {"name": "m", "file_path": "../users.csv"}]]],
            ["LD_register_csv_sources", [[{"name": "n"}]]],
            ["LD_register_csv_source", ["a.b", "users.csv"]]
        ]"#,
        &[
            "None",
            "None",
            "OSError('\"../users.csv\" leads out of the data directory; name a file inside it, \
             without `..`, or change --data-dir')",
            "TypeError('LD_register_csv_sources: /sources/0: missing \"file_path\"')",
            "TypeError('LD_register_csv_source: /name: expected a name without dots and braces, got \
             \"a.b\"')",
        ],
    );
    let sources = bench.executor.shared.sources();
    let (users, once) = (&sources["users"], &sources["once"]);
    assert_eq!(sources.len(), 2, "neither n nor m");
    for name in ["ann", "bob", "ann"] {
        assert_eq!(users.next_row().and_then(|row| users.cell(row, 0)), Some(name.as_bytes()));
    }
    let rest: Vec<bool> = (0..3).map(|_| once.next_row().is_some()).collect();
    assert_eq!(rest, [true, true, false]);
}

#[test]
fn documents_inside_documents_give_their_values_by_action() {
    check(
        r#"[
            ["LD_execute_action", [[["abs", [-3]], ["LD_nope"]]]],
            ["LD_execute_action", {"action_list": {"load_density": [["abs", [-3]]]}}],
            ["LD_execute_action", [[["LD_execute_action", [[["abs", [-3]]]]]]]],
            ["LD_execute_action", [["abs", [-1]]]],
            ["LD_execute_action", [[]]],
            ["LD_execute_action", [5]],
            ["LD_execute_action", []]
        ]"#,
        &[
            r#"{"execute: ['abs', [-3]]": 3, "execute: ['LD_nope']": 'LoadDensityTestExecuteException("executor received invalid data [\'LD_nope\']")'}"#,
            r#"{"execute: ['abs', [-3]]": 3}"#,
            r#"{"execute: ['LD_execute_action', [[['abs', [-3]]]]]": {"execute: ['abs', [-3]]": 3}}"#,
            r#"{'execute: abs': "LoadDensityTestExecuteException('executor received invalid data abs')", 'execute: [-1]': "LoadDensityTestExecuteException('executor received invalid data [-1]')"}"#,
            "LoadDensityTestExecuteException('executor received invalid data: list is empty or wrong type')",
            "LoadDensityTestExecuteException('executor received invalid data: list is empty or wrong type')",
            r#"TypeError('LD_execute_action() needs the argument "action_list"')"#,
        ],
    );
}

#[test]
fn a_failure_in_an_inner_document_fails_the_outer_one_too() {
    let (_, outcome) = Bench::new().run(r#"[["LD_execute_action", [[["LD_nope"]]]]]"#);
    assert_eq!(outcome.failed, 1);
}

#[test]
fn files_of_documents_are_run_in_order_and_never_run_themselves() {
    let bench = Bench::new()
        .with_file("a.json", r#"[["abs", [-1]], ["LD_execute_files", [["b.json"]]]]"#)
        .with_file("b.json", r#"{"load_density": [["LD_execute_files", [["./a.json"]]]]}"#)
        .with_file("list.json", "[]")
        .with_file("broken.json", "[")
        .with_file("latin.json", "");
    std::fs::write(bench.dir.path().join("latin.json"), b"[\"\xe9\"]").expect("written");
    let lines = bench.lines(
        r#"[
            ["LD_execute_files", [["a.json"]]],
            ["LD_execute_files", [["missing.json"]]],
            ["LD_execute_files", [["list.json"]]],
            ["LD_execute_files", [["broken.json"]]],
            ["LD_execute_files", [["latin.json"]]],
            ["LD_execute_files", [["../a.json"]]],
            ["LD_execute_files", [[]]],
            ["LD_execute_files", ["a.json"]]
        ]"#,
    );
    assert!(lines[0].starts_with("[{\"execute: ['abs', [-1]]\": 1, "), "{}", lines[0]);
    assert!(lines[0].contains("would run itself"), "{}", lines[0]);
    assert_eq!(
        lines[2],
        "LoadDensityTestExecuteException('executor received invalid data: list is empty or wrong type')"
    );
    for line in [&lines[1], &lines[3], &lines[4], &lines[5]] {
        assert!(line.starts_with("LoadDensityTestJsonException("), "{line}");
    }
    assert_eq!(lines[6], "[]");
    assert!(lines[7].starts_with("TypeError("), "{}", lines[7]);
}

#[test]
fn print_writes_one_line_that_cannot_pass_for_another() {
    let bench = Bench::new();
    bench.check(
        r#"[
            ["print", ["hello", 1, null, true, 1.5, ["a"]]],
            ["print", {"sep": "-", "end": "!\n"}],
            ["print", ["two\nServer started on x\u001b[2J"]],
            ["print"],
            ["print", {"file": "x"}],
            ["print", {"sep": 5}],
            ["print", {"nope": 5}]
        ]"#,
        &[
            "None",
            "None",
            "None",
            "None",
            "TypeError(\"print() writes to the server's output only\")",
            "TypeError('sep must be None or a string, not int')",
            "TypeError(\"'nope' is an invalid keyword argument for print()\")",
        ],
    );
    let printed = bench.printed.lock().expect("unpoisoned");
    assert_eq!(
        *printed,
        ["hello 1 None True 1.5 ['a']", "!", "two\\nServer started on x\\x1b[2J", ""]
    );
}

#[test]
fn builtins_compute_as_python_does() {
    for (json, lines) in [
        (
            r#"[["len", [[1, 2, 3]]], ["len", ["añc"]], ["len", [{"a": 1}]], ["len", [5]], ["len", []]]"#,
            &[
                "3",
                "3",
                "1",
                "TypeError(\"object of type 'int' has no len()\")",
                "TypeError('len() takes exactly one argument (0 given)')",
            ][..],
        ),
        (
            r#"[["max", [1, 5, 3]], ["max", [[1, 5.0, 3]]], ["min", ["b", "a"]], ["max", [[]]],
                ["max", []], ["max", [1, 1.0, true]], ["min", [[[1, 2], [1, true]]]], ["max", [null, 1]],
                ["max", [9007199254740993, 9007199254740992.0]], ["min", ["cab"]], ["max", [5]]]"#,
            &[
                "5",
                "5.0",
                "a",
                "ValueError('max() arg is an empty sequence')",
                "TypeError('max expected at least 1 argument, got 0')",
                "1",
                "[1, True]",
                "TypeError(\"'>' not supported between instances of 'int' and 'NoneType'\")",
                "9007199254740993",
                "a",
                "TypeError(\"'int' object is not iterable\")",
            ],
        ),
        (
            r#"[["sorted", [[3, 1, 2]]], ["sorted", ["cab"]], ["sorted", [[1, "a"]]],
                ["sorted", [{"b": 1, "a": 2}]], ["sorted", [[true, 1, 0.5, 1.0, false]]],
                ["sorted", [[[2], [1, 3], [1]]]], ["sorted", [[1e400, -1e400, 1]]]]"#,
            &[
                "[1, 2, 3]",
                "['a', 'b', 'c']",
                "TypeError(\"'<' not supported between instances of 'str' and 'int'\")",
                "['a', 'b']",
                "[False, 0.5, True, 1, 1.0]",
                "[[1], [1, 3], [2]]",
                "[-inf, 1, inf]",
            ],
        ),
        (
            r#"[["round", [2.5]], ["round", [3.5]], ["round", [2.675, 2]], ["round", [1234, -2]],
                ["round", [1.0]], ["round", [-0.5]], ["round", [0.125, 2]], ["round", [1250, -2]],
                ["round", [true]], ["round", [1e22]], ["round", [1e400]], ["round", ["x"]],
                ["round", {"number": 2.567, "ndigits": 1}], ["round", [1234.5, -2]],
                ["round", [5, -1000000000]], ["round", [1.5, null]], ["round", [1.5, 1.5]],
                ["round", [1.7976931348623157e308, -308]], ["round", [-0.04, 1]]]"#,
            &[
                "2",
                "4",
                "2.67",
                "1200",
                "1",
                "0",
                "0.12",
                "1200",
                "1",
                "10000000000000000000000",
                "ValueError('cannot convert float infinity to integer')",
                "TypeError(\"type str doesn't define __round__ method\")",
                "2.6",
                "1200.0",
                "0",
                "2",
                "TypeError(\"'float' object cannot be interpreted as an integer\")",
                "ValueError('rounded value too large to represent')",
                "-0.0",
            ],
        ),
        (
            r#"[["sum", [[1, 2.5]]], ["sum", [[0.1, 0.2]]], ["sum", [["a"]]], ["sum", [[]]],
                ["sum", [[9223372036854775807, 1, true]]], ["sum", [[[1], [2]], []]],
                ["sum", [[1], "a"]], ["sum", [[], true]], ["sum", [[[1], 2], []]], ["sum", [1, 2, 3]]]"#,
            &[
                "3.5",
                "0.30000000000000004",
                "TypeError(\"unsupported operand type(s) for +: 'int' and 'str'\")",
                "0",
                "9223372036854775809",
                "[1, 2]",
                "TypeError(\"sum() can't sum strings [use ''.join(seq) instead]\")",
                "True",
                "TypeError('can only concatenate list (not \"int\") to list')",
                "TypeError('sum() takes at most 2 arguments (3 given)')",
            ],
        ),
        (
            r#"[["abs", [-9223372036854775808]], ["abs", [true]], ["abs", [-0.0]], ["abs", {"x": 1}],
                ["abs", {}]]"#,
            &[
                "9223372036854775808",
                "1",
                "0.0",
                "TypeError('abs() takes no keyword arguments')",
                "TypeError('abs() takes exactly one argument (0 given)')",
            ],
        ),
    ] {
        check(json, lines);
    }
}

#[test]
fn what_would_load_code_or_open_a_port_is_refused_by_design() {
    let lines = Bench::new().lines(
        r#"[["LD_add_package_to_executor", ["os"]], ["LD_start_socket_server", {"port": 1}]]"#,
    );
    for (line, command) in
        lines.iter().zip(["LD_add_package_to_executor", "LD_start_socket_server"])
    {
        assert!(line.starts_with(&format!("PermissionError('{command} ")), "{line}");
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
fn t26_a_panic_in_a_command_is_contained() {
    let failed: Result<(), _> = document::contained(|| panic!("at {}", "the disco"));
    let failure = failed.expect_err("contained");
    assert_eq!(failure.kind, FailureKind::Internal);
    assert!(failure.message.ends_with("at the disco"), "{}", failure.message);
}

#[test]
fn the_environment_is_read_by_name_and_the_token_never() {
    let policy = Bench::new().executor.shared.policy;
    assert_eq!(policy.env("PATH"), std::env::var("PATH").ok());
    assert_eq!(policy.env("HOME"), None);
    assert_eq!(policy.env("TOKEN"), None);
    let open = Policy { allow_env: None, secret_env: vec!["PATH".to_owned()], ..policy };
    assert_eq!(open.env("PATH"), None);
    assert_eq!(open.env("HOME"), std::env::var("HOME").ok());
}

/// What starts or stops something that uses a port of this machine.
fn is_service(name: &str) -> bool {
    ["_server", "_exporter", "_sink"].iter().any(|kind| name.ends_with(kind))
}

/// Any JSON, with the names of commands and arguments among its strings.
fn json() -> impl Strategy<Value = Value> {
    let names: Vec<&'static str> = commands()
        .filter(|name| !is_service(name))
        .chain(["load_density", "name", "value", "file_path", "sources", "success", "sep", ""])
        .collect();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        "[0-9]{1,40}"
            .prop_map(|digits| Value::parse(digits.trim_start_matches('0')).unwrap_or_default()),
        ".{0,8}".prop_map(Value::Str),
        proptest::sample::select(names.clone()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        let key =
            prop_oneof![proptest::sample::select(names.clone()).prop_map(str::to_owned), ".{0,4}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            proptest::collection::vec((key, inner), 0..4)
                .prop_map(|members| Value::Dict(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_document_runs_to_its_end_and_none_panics(
        actions in proptest::collection::vec(json(), 1..4),
        name in proptest::sample::select(commands().filter(|name| !is_service(name)).collect::<Vec<_>>()),
        payload in json(),
    ) {
        let bench = Bench::new();
        let mut actions = actions;
        actions.push(Value::List(vec![name.into(), payload]));
        let count = actions.len();
        let document = Document::parse(Value::List(actions)).expect("a list");
        let mut results = Vec::new();
        bench.executor.execute(document, &mut |event| if let Event::Result(result) = event { results.push(result) }, &CancellationToken::new());
        prop_assert_eq!(results.len(), count);
        for result in results {
            let internal = result.error.is_some_and(|failure| failure.kind == FailureKind::Internal);
            prop_assert!(!internal);
        }
    }
}
