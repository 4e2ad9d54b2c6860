//! The executor's Python as documents see it, with a child that a script speaks for.

use super::*;
use crate::event::ActionResult;
use crate::memory::Memory;
use crate::python::{Python, Settings};

/// A child that says what it is asked, and makes tests of three requests; what it does else depends on
/// the name of the first task.
const SCRIPT: &str = r#"
import json, os, sys, time
def say(**members): sys.stdout.write(json.dumps(members) + "\n"); sys.stdout.flush()
say(ready={"package": "1", "python": "3", "commands": []})
held = None
for line in sys.stdin:
    asked = json.loads(line)
    number = asked.get("id")
    if "stop" in asked:
        if held == asked["stop"]:
            say(id=held, value=None, text="stopped")
    elif "rows" in asked:
        kept = asked["rows"]
    elif "call" in asked:
        name, *arguments = asked["call"]
        if name == "LD_ssrf_targets":
            say(id=number, error="no such thing", kind="KeyError", text="KeyError('no such thing')")
        elif name == "LD_generate_pdf_report":
            say(id=number, value=kept, text="rows")
        elif arguments == [["hang"]]:
            say(id=number, users=1)
        else:
            say(id=number, value=arguments, text="<%s>" % name)
    else:
        test = asked["test"]
        kind = test["tasks"][0]["name"]
        say(id=number, users=2)
        row = [True, "SOAP", "u", json.dumps(test, sort_keys=True), None, 12.5, 7, None, time.time()]
        say(id=number, rows=[row, row, [False, "SOAP", "u", "bad", 500, 1.0, 0, "broken", None]])
        if kind == "crash":
            os._exit(9)
        elif kind == "raise":
            say(id=number, error="late", kind="ValueError", text="ValueError('late')")
        elif kind == "hold":
            held = number
        elif kind != "hang":
            say(id=number, value=None, text="None")
"#;

fn with(bench: Bench, engine: Engine) -> Bench {
    let settings = Settings {
        interpreter: "python3".into(),
        program: SCRIPT.to_owned(),
        directory: bench.dir.path().to_owned(),
        environment: std::env::vars_os().collect(),
        memory: 1 << 30,
        confined: false,
        launcher: std::path::PathBuf::new(),
        secret_files: Vec::new(),
        refused: Vec::new(),
    };
    let python = Python::start(settings, &Memory::unlimited()).expect("a child");
    Bench { executor: bench.executor.with_python(python, engine), ..bench }
}

fn auto() -> Bench {
    with(Bench::new(), Engine::Auto)
}

/// The results of a document.
fn results(bench: &Bench, json: &str) -> Vec<ActionResult> {
    results_until(bench, json, &CancellationToken::new())
}

fn results_until(bench: &Bench, json: &str, cancel: &CancellationToken) -> Vec<ActionResult> {
    let document = Value::parse(json).expect("JSON");
    let document = bench.executor.read(&document).expect("a document");
    let mut results = Vec::new();
    let mut sink = |event| {
        if let Event::Result(result) = event {
            results.push(result);
        }
    };
    bench.executor.execute(document, &mut sink, cancel);
    results
}

/// An action that tests a soap_user, in a way that its first task names.
fn test_of(kind: &str) -> String {
    format!(
        r#"["LD_start_test", {{"user_detail_dict": {{"user": "soap_user"}}, "user_count": 2,
            "test_time": 30, "tasks": [{{"method": "call", "name": "{kind}"}}]}}]"#
    )
}

fn totals(result: &ActionResult) -> (Option<Value>, Option<Value>) {
    let totals = result.value.as_ref().and_then(|value| value.get("totals")).cloned();
    let of = |name| totals.as_ref().and_then(|totals| totals.get(name)).cloned();
    (of("requests"), of("failures"))
}

#[test]
fn commands_that_are_not_native_run_in_python_and_say_what_it_says() {
    let bench = auto();
    let actions = r#"[["LD_render_prompt_text", {"a": 1}], ["LD_ssrf_targets"], ["LD_summary"],
        ["LD_execute_action", [[["LD_ssrf_targets"], ["LD_probe_rate_limit", [1]]]]]]"#;
    let results = results(&bench, actions);
    let lines: Vec<_> = results.iter().map(ActionResult::line).collect();
    assert_eq!(lines[0], "<LD_render_prompt_text>");
    assert_eq!(results[0].value, Value::parse(r#"[{"a": 1}]"#).ok());
    assert_eq!(lines[1], "KeyError('no such thing')");
    let failure = results[1].error.as_ref().expect("a failure");
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::Python, "KeyError: no such thing")
    );
    assert!(lines[2].starts_with("{'totals': {'requests': 0"), "{}", lines[2]);
    let nested = results[3].value.as_ref().expect("a value").to_text();
    assert!(nested.contains("KeyError('no such thing')"), "{nested}");
}

#[test]
fn t69_what_is_refused_stays_refused_with_an_executor_also_inside_documents() {
    let bench = auto();
    for name in loaddensity::all_refused() {
        let nested = format!(r#"["LD_execute_action", [[["{name}", ["x"]]]]]"#);
        let results = results(&bench, &format!(r#"[["{name}", ["x"]], {nested}]"#));
        let failure = results[0].error.as_ref().expect("a failure");
        assert_eq!(failure.kind, FailureKind::Refused, "{name}");
        assert!(failure.message.contains("refused by design"), "{}", failure.message);
        let value = results[1].value.as_ref().expect("a value").to_text();
        assert!(value.contains("PermissionError"), "{value}");
    }
}

#[test]
fn without_an_executor_the_refusal_names_it() {
    let bench = Bench::new();
    bench.check(
        r#"[["LD_ssrf_targets"]]"#,
        &["PermissionError('LD_ssrf_targets needs --executor PYTHON')"],
    );
    let line = bench.lines(&format!("[{}]", test_of("x"))).remove(0);
    assert!(
        line.contains("soap_user needs --executor PYTHON, or one of fast_http_user, "),
        "{line}"
    );
    let line = bench.lines(
        r#"[["LD_start_test", {"user_detail_dict": {}, "db_sources": [],
            "tasks": [{"method": "get", "request_url": "/"}]}]]"#,
    );
    assert!(line[0].contains("/db_sources: db_sources needs --executor PYTHON"), "{}", line[0]);
    let line = bench.lines(
        r#"[["LD_start_test", {"user_detail_dict": {}, "connection": {},
            "tasks": [{"method": "get", "request_url": "/"}]}]]"#,
    );
    let users = "/connection: connection exists only for redis_user, mqtt_user, grpc_user";
    assert!(line[0].contains(users), "{}", line[0]);
    let native = with(Bench::new(), Engine::Native);
    let failed = results(&native, &format!("[{}]", test_of("x")));
    let message = failed[0].error.as_ref().expect("a failure").message.clone();
    assert!(message.contains("soap_user does not run with --engine native"), "{message}");
}

#[test]
fn a_test_in_python_leaves_its_requests_in_our_record() {
    let bench = auto();
    std::fs::write(bench.dir.path().join("users.csv"), "u\na\n").expect("written");
    let actions = format!(
        r#"[["LD_register_variable", ["base", "v"]],
            ["LD_register_csv_source", ["users", "users.csv", false]],
            ["LD_register_db_source", ["db", "sqlite://", "SELECT 1"]],
            {}, ["LD_summary"], ["LD_assert_sla", [[{{"type": "failure_rate", "value": 0.1}}]]],
            ["LD_generate_pdf_report", ["x"]]]"#,
        test_of("x")
    );
    let results = results(&bench, &actions);
    let test = results[3].value.as_ref().expect("figures");
    assert!(results[3].ok, "{:?}", results[3]);
    assert!(
        results[3].line().starts_with("{'user_detail': {'user': 'soap_user'}, 'user_count': 2")
    );
    assert_eq!(test.get("peak_users"), Some(&Value::Int(2)));
    assert_eq!(totals(&results[4]), (Some(Value::Int(3)), Some(Value::Int(1))));
    assert!(!results[5].ok, "the gate fails");
    let rows = results[6].value.as_ref().expect("rows").to_text();
    assert_eq!(rows.matches("SOAP").count(), 3, "{rows}");
    let records = bench.executor.records();
    let names: Vec<_> = records.rows().map(|row| row.label.name.to_string()).collect();
    for part in [
        r#""variables": {"base": "v"}"#,
        r#"{"cycle": false, "file_path": "users.csv", "name": "users"}"#,
        r#""db_sources": [{"connection_string": "sqlite://", "name": "db", "query": "SELECT 1"}]"#,
        r#""user_count": 2"#,
    ] {
        assert!(names[0].contains(part), "{part} in {}", names[0]);
    }
    assert_eq!(records.rows().filter(|row| row.response_ms == 12.5).count(), 2);
}

#[test]
fn arguments_by_position_become_keywords_and_those_without_effect_are_named() {
    let bench = auto();
    let action = r#"["LD_start_test", [{"user": "soap_user"}, 2, 10, 30, {"port": 0}, "local", null,
        null, [{"name": "x"}], {"own": 1}]]"#;
    let found = results(&bench, &format!("[{action}]"));
    assert!(found[0].ok, "{found:?}");
    assert!(!found[0].warnings.iter().any(|warning| warning.contains("web_ui")), "{found:?}");
    let name = bench.executor.records().rows().next().expect("a row").label.name.to_string();
    assert!(name.contains(r#""variables": {"own": 1}"#) && !name.contains("web_ui"), "{name}");
    let waits = test_of("x").replace("\"tasks\"", "\"wait_time\": 3, \"tasks\"");
    let found = results(&bench, &format!("[{waits}]"));
    assert!(found[0].warnings.iter().any(|warning| warning.ends_with("Python: wait_time")));
}

#[test]
fn t18_the_limits_of_tests_hold_in_python() {
    let bench = auto();
    for (from, to, message) in [
        ("\"user_count\": 2", "\"user_count\": 200000", "200000 users exceed --max-users"),
        ("\"test_time\": 30", "\"test_time\": 1e9", "exceed --max-test-time"),
        ("\"tasks\"", "\"runner_mode\": \"master\", \"tasks\"", "/runner_mode: expected \"local\""),
        (
            "\"tasks\"",
            "\"arrival_rate\": {\"rate\": 1, \"max_users\": 2}, \"tasks\"",
            "have no arrival_rate",
        ),
        ("\"tasks\"", "\"iterations\": 1, \"tasks\"", "have no iterations"),
        (
            "\"tasks\": [",
            "\"tasks\": {\"on_start\": [{}], \"tasks\": []}, \"seed\": [",
            "/tasks/on_start: tests in the executor's Python have no on_start",
        ),
        ("\"tasks\"", "\"taks\": 1, \"tasks\"", "did you mean \"tasks\"?"),
    ] {
        let results = results(&bench, &format!("[{}]", test_of("x").replace(from, to)));
        let failure = results[0].error.as_ref().expect("a failure");
        assert!(failure.message.contains(message), "{}", failure.message);
    }
}

#[test]
fn with_engine_python_every_test_runs_in_it_and_nothing_else() {
    let bench = with(Bench::new(), Engine::Python);
    let http = r#"["LD_start_test", {"user_detail_dict": {"user": "fast_http_user"}, "test_time": 1,
        "tasks": [{"method": "get", "request_url": "http://127.0.0.1:1/", "name": "x"}]}]"#;
    let results = results(&bench, &format!(r#"[{http}, ["LD_summary"]]"#));
    assert_eq!(totals(&results[1]), (Some(Value::Int(3)), Some(Value::Int(1))));
}

#[test]
fn t68_a_child_that_crashes_in_a_test_fails_it_and_its_requests_are_kept() {
    let bench = auto();
    let found =
        results(&bench, &format!(r#"[{}, ["LD_summary"], {}]"#, test_of("crash"), test_of("x")));
    let failure = found[0].error.as_ref().expect("a failure");
    assert_eq!(failure.kind, FailureKind::Internal);
    assert_eq!(
        failure.message,
        "the executor's Python ended during the test: it ended (exit status: 9)"
    );
    assert_eq!(totals(&found[1]).0, Some(Value::Int(3)));
    assert!(found[2].ok, "the next test has a new child: {:?}", found[2]);
    let raised = results(&bench, &format!("[{}]", test_of("raise")));
    let failure = raised[0].error.as_ref().expect("a failure");
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Python, "ValueError: late"));
    assert_eq!(raised[0].line(), "ValueError('late')");
}

fn check_stop(kind: &str, warning: Option<&str>) {
    let bench = auto();
    let cancel = CancellationToken::new();
    let json = format!(r#"[{}, ["LD_summary"]]"#, test_of(kind));
    let found = std::thread::scope(|scope| {
        let running = scope.spawn(|| results_until(&bench, &json, &cancel));
        while bench.executor.cumulative().counts().is_empty() {
            std::thread::yield_now();
        }
        cancel.cancel();
        running.join().expect("no panic")
    });
    assert_eq!(found[0].error.as_ref().expect("a failure").kind, FailureKind::Cancelled);
    assert_eq!(totals(&found[1]).0, Some(Value::Int(3)));
    let has = |text: &str| found[0].warnings.iter().any(|warning| warning.contains(text));
    assert_eq!(has("did not end within a second"), warning.is_some(), "{:?}", found[0].warnings);
    assert!(results(&bench, &format!("[{}]", test_of("x")))[0].ok, "it works again");
}

#[test]
fn t68_a_stop_ends_a_test_in_python_whether_it_obeys_or_not() {
    check_stop("hold", None);
    check_stop("hang", Some("ended"));
}

#[test]
fn t68_a_stop_ends_a_command_in_python_that_does_not_end() {
    let bench = auto();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let found = results_until(
        &bench,
        r#"[["LD_probe_rate_limit", ["hang"]], ["LD_ssrf_targets"]]"#,
        &cancel,
    );
    let failure = found[0].error.as_ref().expect("a failure");
    assert_eq!(failure.kind, FailureKind::Cancelled, "{failure}");
    let next = results(&bench, r#"[["LD_probe_rate_limit", ["x"]]]"#);
    assert!(next[0].ok, "a new child: {:?}", next[0]);
}

#[test]
fn t68_a_call_that_ends_with_another_names_that() {
    let bench = auto();
    let runs = run::Runs::new(2, 10, &Memory::unlimited());
    let bench = Bench { executor: bench.executor.with_runs(runs), ..bench };
    let json = format!("[{}]", test_of("hang"));
    let found = std::thread::scope(|scope| {
        let running = scope.spawn(|| results(&bench, &json));
        while bench.executor.cumulative().counts().is_empty() {
            std::thread::yield_now();
        }
        let cancel = CancellationToken::new();
        cancel.cancel();
        results_until(&bench, r#"[["LD_probe_rate_limit", ["hang"]]]"#, &cancel);
        running.join().expect("no panic")
    });
    assert_eq!(
        found[0].error.as_ref().expect("a failure").message,
        "the executor's Python ended during the test: another call, LD_probe_rate_limit, did not end \
         within a second when it was stopped"
    );
}

#[test]
fn t69_a_second_test_in_python_is_refused_as_busy() {
    let bench = auto();
    let runs = run::Runs::new(2, 10, &Memory::unlimited());
    let bench = Bench { executor: bench.executor.with_runs(runs), ..bench };
    let cancel = CancellationToken::new();
    let json = format!("[{}]", test_of("hold"));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| results_until(&bench, &json, &cancel));
        while bench.executor.cumulative().counts().is_empty() {
            std::thread::yield_now();
        }
        let second = results(&bench, &format!(r#"[{}, ["LD_probe_rate_limit"]]"#, test_of("x")));
        let failure = second[0].error.as_ref().expect("a failure");
        assert_eq!(failure.kind, FailureKind::Busy);
        assert!(failure.message.starts_with("another test is running: in the executor's Python"));
        assert!(second[1].ok, "commands run meanwhile");
        cancel.cancel();
        drop(running.join());
    });
}

#[test]
fn databases_are_kept_until_the_resolver_is_cleared() {
    let bench = auto();
    let actions = format!(
        r#"[["LD_register_db_sources", {{"sources": [{{"name": "a"}}, {{"name": "b"}}]}}],
            ["LD_clear_resolver"], ["LD_register_db_source", {{"name": "c"}}], {}]"#,
        test_of("x")
    );
    results(&bench, &actions);
    let name = bench.executor.records().rows().next().expect("a row").label.name.to_string();
    assert!(name.contains(r#""db_sources": [{"name": "c"}]"#), "{name}");
}
