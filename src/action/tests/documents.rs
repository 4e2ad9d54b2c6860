//! How documents are read, and how their actions are run.

use super::*;

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
