//! What a run says of itself, and whether a script that started it goes on.

use serde_json::{Value, json};

use crate::support::{Server, Target, ldctl};

/// A short load test of one user.
fn test(target: &Target, url: &str) -> Value {
    json!(["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": target.url()},
        "user_count": 1, "spawn_rate": 100, "test_time": 0.3, "wait_time": 0.01,
        "tasks": [{"method": "get", "request_url": url, "name": url}]
    }])
}

fn no_failures() -> Value {
    json!(["LD_assert_sla", {"rules": [{"type": "failure_rate", "value": 0}]}])
}

/// What `ldctl run` with these arguments has said of documents that lie in files `0.json`, `1.json`, …
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(args: &[&str], documents: &[Value]) -> Said {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = ldctl().arg("run").args(args).current_dir(dir.path());
    for (number, document) in documents.iter().enumerate() {
        let file = format!("{number}.json");
        std::fs::write(dir.path().join(&file), document.to_string()).expect("a file");
        command = command.arg(file);
    }
    let output = command.output().expect("the program");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The results among the events of `--output json`.
fn results(said: &Said) -> Vec<Value> {
    let events = said.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    events.filter(|event: &Value| event["event"] == "result").collect()
}

#[test]
fn a_test_without_one_success_fails_and_says_why() {
    let target = Target::start();
    let document = json!([test(&target, "/missing")]);
    let said = run(&[], std::slice::from_ref(&document));
    assert_eq!(said.code, Some(1));
    assert!(said.stdout.starts_with("{'user_detail': "), "the reference's line: {}", said.stdout);
    for words in [
        " requests failed\n",
        " × GET /missing: 404 Not Found\n",
        "error: 0.json: actions[0] LD_start_test: none of ",
    ] {
        assert!(said.stderr.contains(words), "{words:?}: {}", said.stderr);
    }

    let said = run(&["--output", "json"], &[document]);
    let [result] = &results(&said)[..] else { panic!("{}", said.stdout) };
    assert_eq!((said.code, &result["ok"]), (Some(1), &json!(false)));
    assert_eq!(result["error"]["kind"], "no-success");
    let (value, name) = (&result["value"], &result["value"]["summary"]["per_name"]["/missing"]);
    assert_eq!((&name["requests"], &name["failure_rate"]), (&name["failures"], &json!(1.0)));
    let error = &value["errors"][0];
    assert_eq!((&error["name"], &error["error"]), (&json!("/missing"), &json!("404 Not Found")));
    assert_eq!(error["count"], name["failures"]);
}

#[test]
fn a_test_that_makes_no_request_fails() {
    let target = Target::start();
    let mut test = test(&target, "/");
    test[1]["tasks"][0]["skip_if"] = json!(true);
    let said = run(&[], &[json!([test])]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.ends_with("LD_start_test: the test made no request\n"), "{}", said.stderr);
}

#[test]
fn the_text_dialect_of_a_server_calls_no_test_a_failure_that_the_reference_does_not() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let document = json!([test(&target, "/missing")]).to_string();
    let send = |args: &[&str]| {
        let port = server.port();
        let command = ldctl().args(["send", "--json", &document, "--port", &port]).args(args);
        command.assert().stdout_eq("{'user_detail': [..]}\n")
    };
    send(&["--legacy"]).success().stderr_eq("");
    send(&[]).code(1);
}

#[test]
fn a_test_that_abort_on_ends_is_a_failed_gate() {
    let target = Target::start();
    let mut test = test(&target, "/");
    test[1]["test_time"] = json!(60);
    test[1]["abort_on"] = json!([{"type": "requests", "value": 0}]);
    let said = run(&["--output", "json"], &[json!([test])]);
    let [result] = &results(&said)[..] else { panic!("{}", said.stdout) };
    assert_eq!((said.code, &result["error"]["kind"]), (Some(1), &json!("gate")));
    let message = result["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("stopped early by abort_on: requests(overall)="), "{message}");
    assert!(result["value"]["summary"].is_object(), "{result}");
}

#[test]
fn t34_a_test_that_outgrows_memory_fails_and_its_figures_are_kept() {
    let target = Target::start();
    let mut test = test(&target, "/");
    let url = format!("/?{}${{uuid()}}", "x".repeat(1900));
    let task = json!({"method": "get", "request_url": url, "name": "n"});
    test[1]["tasks"] = json!(vec![task; 10]);
    test[1]["user_count"] = json!(20);
    test[1]["test_time"] = json!(600);
    test[1]["wait_time"] = json!(0);
    let document = json!([test, ["LD_summary"]]);
    let said = run(&["--max-memory", "16MiB", "--output", "json"], &[document]);
    let [result, summary] = &results(&said)[..] else { panic!("{}", said.stdout) };
    assert_eq!((said.code, &result["error"]["kind"]), (Some(1), &json!("refused")));
    let message = result["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("the run ended early for lack of memory: "), "{message}");
    assert!(message.ends_with(" are in use (--max-memory)"), "{message}");
    let totals = &summary["value"]["totals"];
    assert_eq!(&result["value"]["summary"]["totals"], totals, "the figures are kept");
    assert!(totals["requests"].as_u64().expect("a count") > 1000, "{totals}");
}

#[test]
fn quiet_prints_only_errors() {
    let target = Target::start();
    let gate =
        json!(["LD_assert_sla", {"rules": [{"type": "requests", "op": "gt", "value": 1e9}]}]);
    let said =
        run(&["-q", "--no-check"], &[json!([test(&target, "/"), gate]), json!([["LD_nope"]])]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    let lines: Vec<&str> = said.stderr.lines().collect();
    let [gate, unknown] = &lines[..] else { panic!("{lines:?}") };
    assert!(
        gate.starts_with("error: 0.json: actions[1] LD_assert_sla: SLA gates failed: "),
        "{gate}"
    );
    assert!(unknown.starts_with("error: 1.json: actions[0] LD_nope: "), "{unknown}");
}

#[test]
fn every_file_of_a_run_begins_with_empty_records() {
    let target = Target::start();
    let bad = json!([test(&target, "/missing")]);
    let good = json!([test(&target, "/"), no_failures()]);
    let said = run(&["--output", "json"], &[bad, good]);
    let passed: Vec<bool> =
        results(&said).iter().map(|result| result["ok"] == json!(true)).collect();
    assert_eq!(passed, [false, true, true], "{}", said.stdout);
}

#[test]
fn a_gate_does_not_judge_other_figures_when_its_test_was_refused() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let send = |document: &Value, args: &[&str]| {
        let (port, document) = (server.port(), document.to_string());
        ldctl().args(["send", "--json", &document, "--port", &port]).args(args).assert()
    };
    send(&json!([test(&target, "/")]), &[]).success();
    let refused = json!([["LD_start_test", {"user_detail_dict": {}}], no_failures()]);
    let output =
        send(&refused, &["--no-check", "--output", "json"]).code(1).get_output().stdout.clone();
    let output = String::from_utf8(output).expect("UTF-8");
    let gate = output.lines().find(|line| line.contains("LD_assert_sla") && line.contains("ok"));
    let gate: Value = serde_json::from_str(gate.expect("a result")).expect("JSON");
    assert_eq!((&gate["ok"], &gate["error"]["kind"]), (&json!(false), &json!("gate")));
    // An old client has the reference's line.
    let line = "TypeError([..])\n[{'passed': True, [..]}]\n";
    send(&refused, &["--no-check", "--legacy"]).code(1).stdout_eq(line);
}

#[test]
fn a_run_that_became_worse_or_does_not_exist_fails_a_pipeline() {
    let target = Target::start();
    let store = |url: &str, label: &str| {
        let mut test = test(&target, url);
        test[1]["tasks"][0]["name"] = json!("page");
        [json!(["LD_clear_records"]), test, json!(["LD_persist_records", ["runs.db", label]])]
    };
    let assert = |arguments: Value| json!(["LD_assert_no_regressions", arguments]);
    let same = json!({"database_path": "runs.db", "baseline": "main", "tolerance": 1e9});
    let mut document: Vec<Value> = Vec::new();
    document.extend(store("/", "main"));
    document.extend(store("/", "branch"));
    document.push(assert(same.clone()));
    document.push(assert(json!({"database_path": "runs.db", "baseline": "release"})));
    document.push(json!(["LD_diff_runs", ["runs.db", 1, 99]]));
    document.extend(store("/missing", "broken"));
    document.push(assert(same));
    let said = run(&["--output", "json"], &[document.into()]);
    let results = results(&said);
    assert_eq!(results[6]["ok"], true, "{}", results[6]);
    let message = |place: usize| results[place]["error"]["message"].as_str().expect("an error");
    assert_eq!(
        message(7),
        "runs.db: no earlier run with the label \"release\"; the newest are 2, 1"
    );
    assert_eq!(message(8), "runs.db: no run 99; the newest are 2, 1");
    assert_eq!(results[8]["text"].as_str().map(|text| text.contains("False")), Some(true));
    assert_eq!(message(12), "worse than run 1: page: failure_rate 0.0000 → 1.0000");
    assert_eq!(results[12]["value"]["has_regressions"], true);
}

#[test]
fn what_had_no_value_is_counted_and_what_can_be_known_is_told_before() {
    let target = Target::start();
    let mut test = test(&target, "/");
    test[1]["tasks"][0]["headers"] = json!({"X-User": "${user}", "X-Row": "${csv.users.name}"});
    test[1]["tasks"][0]["extract"] = json!([{"var": "id", "path": "$.id", "from": "json_path"}]);
    let said = run(&["--output", "json"], &[json!([test])]);
    let place = " warning: actions[0].tasks[0].headers";
    for words in [
        format!(
            "{place}.X-User: ${{user}} is used as it is written: nothing here registers or extracts \"user\" [unresolved-placeholder]\n"
        ),
        format!(
            "{place}.X-Row: ${{csv.users.name}} is used as it is written: nothing here registers the CSV source \"users\" [unresolved-placeholder]\n"
        ),
    ] {
        assert!(said.stderr.contains(&words), "{words}: {}", said.stderr);
    }
    let [result] = &results(&said)[..] else { panic!("{}", said.stdout) };
    let requests = &result["value"]["summary"]["totals"]["requests"];
    let warnings = result["warnings"].as_array().expect("warnings");
    for words in [
        "${csv.users.name} is used as it is written: no CSV source \"users\" is registered"
            .to_owned(),
        format!("${{user}} had no value {requests} times, and its text was used as it is written"),
        format!("extract id: nothing at $.id in {requests} responses"),
    ] {
        assert!(warnings.contains(&json!(words)), "{words}: {warnings:?}");
    }
    assert_eq!(warnings.len(), 3);
}

#[test]
fn a_test_without_a_host_says_where_its_requests_go() {
    // Nothing is sent: its only task is skipped.
    let document = json!([["LD_start_test", {
        "user_detail_dict": {"hots": "http://127.0.0.1:1"}, "user_count": 1, "test_time": 0.05,
        "tasks": [{"method": "get", "request_url": "/x", "skip_if": true}]
    }]]);
    let said = run(&["--no-check"], std::slice::from_ref(&document));
    for words in [
        " warning: actions[0].user_detail_dict.hots: \"hots\" has no effect; did you mean \"host\"? [unknown-member]\n",
        " error: actions[0].tasks[0].request_url: no \"host\" is given: relative URLs go to http://localhost; \
         add one to user_detail_dict [missing-host]\n",
        "warning: no \"host\" is given: relative URLs go to http://localhost\n",
    ] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
}

/// A test of three users and three iterations, which is over at once; half of its requests fail.
fn short_test(target: &Target) -> Value {
    json!(["LD_start_test", {
        "user_detail_dict": {"host": target.url()}, "user_count": 3, "spawn_rate": 1000,
        "test_time": null, "iterations": 3, "wait_time": 0,
        "tasks": [{"method": "get", "request_url": "/", "name": "GET /items"},
                  {"method": "get", "request_url": "http://127.0.0.1:1/", "name": "GET /none"}],
    }])
}

/// What `ldctl run` says of a document, on stdout and stderr.
fn ran(document: &Value, output: &str) -> [String; 2] {
    let data = tempfile::tempdir().expect("a directory");
    let line = ["run", "-o", output, "--json", &document.to_string()];
    let ended = ldctl().current_dir(data.path()).args(line).assert().success();
    let output = ended.get_output();
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned())
}

#[test]
fn the_users_of_a_test_that_is_over_at_once_are_counted() {
    let target = Target::start();
    let [said, _] = ran(&json!([short_test(&target)]), "summary");
    assert!(said.contains("  3 users  "), "{said}");
}

#[test]
fn a_method_that_a_name_begins_with_is_not_said_twice() {
    let target = Target::start();
    let document = json!([short_test(&target)]);
    let [said, _] = ran(&document, "summary");
    assert!(said.contains("\nGET /items ") && said.contains("3 × GET /none: "), "{said}");
    let [said, told] = ran(&document, "text");
    assert!(!format!("{said}{told}").contains("GET GET"), "{said}{told}");
}
