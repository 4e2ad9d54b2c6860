//! What the command line changes in documents, and that it means the same to `run` and `send`.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Scripted, Server, Target, answer, ldctl};

/// A document of one test that would last for an hour, with these tasks.
fn document(target: &str, tasks: Value) -> String {
    let arguments = json!({
        "user_detail_dict": {"host": target}, "user_count": 1, "spawn_rate": 1000,
        "test_time": 3600, "wait_time": 0, "tasks": tasks, "variables": {"who": "nobody"},
    });
    json!([["LD_start_test", arguments], ["LD_summary"]]).to_string()
}

/// The exit code and the results of a document's actions.
fn results(arguments: &[&str]) -> (i32, Vec<Value>) {
    let output = ldctl().args(arguments).args(["--output", "json"]).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let results = events.filter(|event| event["event"] == "result").collect();
    (output.status.code().expect("a code"), results)
}

#[test]
fn overrides_mean_the_same_to_run_and_send() {
    let target = Target::start();
    let server = Server::start(&[], None);
    let text = document("http://127.0.0.1:9", json!([{"method": "get", "request_url": "/"}]));
    let (url, port) = (target.url(), server.port());
    let overrides = [
        "--users",
        "3",
        "--spawn-rate",
        "3000/s",
        "--test-time",
        "150ms",
        "--target",
        &url,
        "--gate",
        "requests>=1",
        "--gate",
        "failure_rate<1%",
        "--json",
        &text,
    ];
    for verb in [vec!["run"], vec!["send", "--port", &port]] {
        let (code, results) = results(&[&verb[..], &overrides].concat());
        assert_eq!((code, results.len()), (0, 3), "{verb:?} {results:?}");
        let echo = &results[0]["value"];
        assert_eq!(
            (&echo["user_count"], &echo["spawn_rate"], &echo["test_time"]),
            (&json!(3), &json!(3000), &json!(0.15))
        );
        assert_eq!(results[2]["command"], "LD_assert_sla");
        assert_eq!(results[2]["value"][1]["rule"]["value"], 0.01);
    }
    assert!(target.requests() > 1);
    ldctl().args(["quit", "--port", &port]).assert().success();
    server.end();
}

#[test]
fn a_gate_of_the_command_line_decides_the_exit_code() {
    let target = Target::start();
    let text = document(&target.url(), json!([{"method": "get", "request_url": "/none"}]));
    let run = ["run", "--json", &text, "--test-time", "100ms", "--gate", "failure_rate < 5%"];
    let (code, results) = results(&run);
    assert_eq!(code, 1);
    assert_eq!(
        results[2]["error"]["message"],
        "SLA gates failed: failure_rate(overall)=1.0 not lt 0.05"
    );
}

#[test]
fn a_variable_of_the_command_line_wins_over_the_documents_also_in_files() {
    let scripted = Scripted::start(|_, wire| answer(wire, 200, &[], b""));
    let data = tempfile::tempdir().expect("a directory");
    let tasks = json!([{"method": "get", "request_url": "/${who}/${more}"}]);
    let text = document(&scripted.url(), tasks);
    let run = |text: &str, rest: &[&str]| {
        let run = ldctl().current_dir(data.path()).args(["run", "--json", text]).args(rest);
        run.assert().success();
    };
    run(&text, &["--test-time", "100ms", "--var", "who=me", "--var", "more=a=b"]);
    let file = json!([["LD_start_test", {
        "user_detail_dict": {"host": scripted.url()}, "user_count": 1, "test_time": 0.1,
        "tasks": [{"method": "get", "request_url": "/file/${who}"}],
    }]]);
    fs::write(data.path().join("a.json"), file.to_string()).expect("a file");
    run(r#"[["LD_execute_files", [["a.json"]]]]"#, &["--var", "who=me"]);
    let seen = scripted.seen();
    let paths: Vec<&str> = seen.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(paths.first(), Some(&"/me/a=b"));
    assert_eq!(paths.last(), Some(&"/file/me"));
    assert!(paths.iter().all(|path| path.ends_with("/me/a=b") || path.ends_with("/file/me")));
}

#[test]
fn a_seed_repeats_what_is_random() {
    let scripted = Scripted::start(|_, wire| answer(wire, 200, &[], b""));
    let task = |name: &str, weight: u64| {
        json!({"method": "get", "weight": weight,
               "request_url": format!("/{name}/${{randint(1, 1000000)}}/${{uuid()}}/${{faker.word}}")})
    };
    let tasks = json!({"mode": "weighted", "tasks": [task("a", 3), task("b", 1)]});
    let text = document(&scripted.url(), tasks);
    let run = |seed: &str| {
        let before = scripted.seen().len();
        let run = ["run", "--json", &text, "--test-time", "200ms", "--seed", seed];
        ldctl().args(run).assert().success();
        let seen = scripted.seen();
        seen[before..].iter().take(5).map(|request| request.target.clone()).collect::<Vec<_>>()
    };
    let first = run("7");
    assert_eq!((first.len(), run("7")), (5, first.clone()));
    assert_ne!(run("8"), first);
}

#[test]
fn an_option_that_no_document_takes_is_an_error() {
    let data = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs::write(data.path().join(name), text).expect("a file");
    write("no.json", r#"[["LD_summary"]]"#);
    write(
        "yes.json",
        &document("http://127.0.0.1:9", json!([{"method": "get", "request_url": "/"}])),
    );
    let run = |arguments: &[&str]| ldctl().current_dir(data.path()).args(arguments).assert();
    for verb in ["run", "send"] {
        run(&[verb, "no.json", "--users", "5", "--gate", "requests>1"]).code(2).stderr_eq(
            "error: no.json: nothing takes --users, --gate (no LD_start_test is in it); leave the \
             option out\n",
        );
    }
    // One of several takes it; all its requests fail.
    run(&["run", "no.json", "yes.json", "--test-time", "50ms"]).code(1);
}

#[test]
fn reports_gates_and_the_database_are_of_the_tests_in_files_too() {
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    let file = json!([["LD_start_test", {
        "user_detail_dict": {"host": target.url()}, "user_count": 1, "test_time": null,
        "iterations": 2, "tasks": [{"method": "get", "request_url": "/"}],
    }]]);
    fs::write(data.path().join("a.json"), file.to_string()).expect("a file");
    let run = |rest: &[&str]| {
        let text = r#"[["LD_execute_files", [["a.json"]]]]"#;
        ldctl().current_dir(data.path()).args(["run", "--json", text]).args(rest).assert()
    };
    let reports = ["--report", "summary=s.json", "--report", "db=runs.db"];
    run(&reports).success();
    let report = fs::read_to_string(data.path().join("s.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert!(report["totals"]["requests"].as_u64() > Some(0), "{report}");
    assert!(data.path().join("runs.db").exists());
    // It is an option and no action of the document: a note, and a line for programs alone.
    let stored = run(&reports);
    let (out, told) = (&stored.get_output().stdout, &stored.get_output().stderr);
    let (out, told) = (String::from_utf8_lossy(out), String::from_utf8_lossy(told));
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(told.contains("note: run 2 in the database runs.db\n"), "{told}");
    let quiet = run(&["--report", "db=runs.db", "--quiet"]);
    quiet.success().stdout_eq("").stderr_eq("");
    let lines = run(&["--report", "db=runs.db", "--output", "json"]);
    let lines = String::from_utf8_lossy(&lines.get_output().stdout).into_owned();
    assert!(lines.contains("LD_persist_records"), "{lines}");
    run(&["--gate", "requests>0"]).success();
    let broken = run(&["--gate", "requests<1"]).code(1);
    let said = String::from_utf8_lossy(&broken.get_output().stdout).into_owned();
    assert!(said.contains("SLA gates failed: requests"), "{said}");
    run(&["--users", "5"]).code(2);
}

#[test]
fn an_option_that_cannot_be_meant_is_blamed_and_not_the_document() {
    let text = document("http://127.0.0.1:9", json!([{"method": "get", "request_url": "/"}]));
    for (option, value) in [
        ("--target", "localhost"),
        ("--host", "localhost:8080"),
        ("--target", "ftp://h"),
        ("--target", "http://"),
        ("--host", "https:///x"),
    ] {
        ldctl().args(["run", "--json", &text, option, value]).assert().code(2).stderr_eq(format!(
            "error: {option} {value:?}: expected http:// or https://, and a host\n"
        ));
    }
    ldctl()
        .args(["send", "--json", &text, "--var", "a=1", "--var", "b=1", "--var", "a=2"])
        .assert()
        .code(2)
        .stderr_eq("error: --var a is given twice; leave one out\n");
}

#[test]
fn what_is_wrong_with_an_option_is_said_of_it_and_not_of_a_place_in_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let test = document("http://127.0.0.1:1", json!([{"method": "get", "request_url": "/"}]));
    std::fs::write(directory.path().join("a.json"), &test).expect("a file");
    let files = r#"[["LD_execute_files", [["none.json"]]], ["LD_start_test", {"tasks": 3}]]"#;
    std::fs::write(directory.path().join("files.json"), files).expect("a file");
    let check = |args: &[&str], expected: &str| {
        let run = ldctl().current_dir(directory.path()).arg("run").args(args).assert().code(2);
        let told = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(told.contains(expected), "{args:?}: {told}");
        told
    };
    let gate = ["a.json", "--gate", "failure_rate(no such)<1%"];
    let told = check(&gate, "a.json: error: --gate: ");
    assert!(!told.contains("actions["), "{told}");
    let gates = ["a.json", "--gate", "requests>=1", "--gate", "failure_rate(no such)<1%"];
    check(&gates, r#"a.json: error: --gate "failure_rate(no such)<1%": "#);
    check(&["a.json", "--users", "200000"], "a.json: error: --users: ");
    // Those of the file keep their places, whatever is put before them.
    let told = check(&["files.json", "--var", "a=1"], "files.json:1:69: error: actions[1].tasks: ");
    assert!(told.contains("files.json:1:25: error: actions[0].execute_files_list[0]: "), "{told}");
}

#[test]
fn a_variable_that_nothing_uses_and_a_host_that_nothing_takes_are_errors() {
    let user = r#"[["LD_start_test", {"user_detail_dict": {"host": "http://127.0.0.1:1"},
        "tasks": [{"method": "get", "request_url": "/${var.user}"}]}]]"#;
    let plain = r#"[["LD_start_test", {"user_detail_dict": {"host": "http://127.0.0.1:1"},
        "tasks": [{"method": "get", "request_url": "/"}]}]]"#;
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in [("user.json", user), ("plain.json", plain)] {
        std::fs::write(directory.path().join(name), text).expect("a file");
    }
    let line = |args: &[&str]| ldctl().current_dir(directory.path()).arg("run").args(args).assert();
    line(&["user.json", "--var", "usr=ann", "--print-document"]).code(2).stderr_eq(
        "error: user.json: nothing takes --var usr (no placeholder is ${var.usr}); did you mean --var \
         user?\n",
    );
    line(&["plain.json", "--var", "usr=ann", "--print-document"]).code(2).stderr_eq(
        "error: plain.json: nothing takes --var usr (no placeholder is ${var.usr}); leave it out\n",
    );
    // One of several documents is enough.
    line(&["plain.json", "user.json", "--var", "user=ann", "--print-document"]).success();
    let redis = r#"[["LD_start_test", {"user_detail_dict": {"user": "redis_user"},
        "connection": {"url": "redis://127.0.0.1:1"}, "tasks": [{"method": "get", "key": "k"}]}]]"#;
    line(&["--json", redis, "--host", "redis://h", "--print-document"]).code(2).stderr_eq(
        "error: --json: actions[0]: --host means nothing to its tasks, which go to connection.url\n",
    );
}
