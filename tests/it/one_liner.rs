//! `ldctl run URL`: load on a URL without a document.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Scripted, Target, answer, ldctl};

#[test]
fn a_url_is_put_under_load_and_its_own_figures_are_the_result() {
    let target = Target::start();
    let run = ["run", &target.url(), "-n", "500", "--users", "7", "--gate", "failure_rate<1%"];
    let output = ldctl().args(run).args(["--output", "json"]).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).expect("UTF-8");
    let mut events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let result = events.find(|event| event["event"] == "result").expect("a result");
    assert_eq!(result["value"]["summary"]["totals"]["requests"], 500);
    assert_eq!(target.requests(), 500);
}

#[test]
fn a_url_without_a_success_fails() {
    let target = Target::start();
    let url = format!("{}/none", target.url());
    ldctl()
        .args(["run", &url, "-n", "20"])
        .assert()
        .code(1)
        .stdout_eq("...\nerrors    20 × GET /none: 404[..]\n...\n✗ failed: no request succeeded\n");
}

#[test]
fn the_request_has_the_method_headers_and_body_of_the_command_line() {
    let scripted = Scripted::start(|_, wire| answer(wire, 200, &[], b""));
    let data = tempfile::tempdir().expect("a directory");
    fs::write(data.path().join("body.txt"), "a=${randint(5, 5)}").expect("a file");
    let url = scripted.url().replace("http://", "http://us%40er:pass@");
    let run = |arguments: &[&str]| {
        let run = ldctl().current_dir(data.path()).args(["run", &format!("{url}/x?y=z#f")]);
        run.args(["-n", "1"]).args(arguments).assert().success();
    };
    run(&["-X", "PUT", "-H", "X-A: 1", "-H", "x-a: b:c", "-d", "@body.txt"]);
    run(&["--json-body", r#"{"b": [1, 2.50]}"#]);
    let seen = scripted.seen();
    let [put, post] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(
        (put.method.as_str(), put.target.as_str(), put.text()),
        ("PUT", "/x?y=z", "a=5".to_owned())
    );
    let header = |name: &str| put.header(name);
    assert_eq!(header("x-a").as_deref(), Some("1, b:c"));
    assert_eq!(header("authorization").as_deref(), Some("Basic dXNAZXI6cGFzcw=="));
    assert_eq!(header("content-type").as_deref(), Some("application/x-www-form-urlencoded"));
    let body: Value = serde_json::from_str(&post.text()).expect("JSON");
    assert_eq!((post.method.as_str(), body), ("POST", json!({"b": [1, 2.5]})));
    assert_eq!(post.header("content-type").as_deref(), Some("application/json"));
}

#[test]
fn print_document_prints_what_can_be_run_and_runs_nothing() {
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    let print = ["run", &target.url(), "--users", "3", "--rate", "200", "--test-time", "1m"];
    let printed = ldctl().args(print).arg("--print-document").assert().success().stderr_eq("");
    assert_eq!(target.requests(), 0);
    let document = printed.get_output().stdout.clone();
    let file = data.path().join("a.json");
    fs::write(&file, &document).expect("a file");
    let file = file.display().to_string();
    ldctl().args(["lint", &file]).assert().success().stdout_eq("");
    let value: Value = serde_json::from_slice(&document).expect("JSON");
    assert_eq!(value[0][1]["test_time"], 60);
    // A document with overrides as well.
    let again = ldctl().args(["run", &file, "--users", "4", "--print-document"]).assert().success();
    let value: Value = serde_json::from_slice(&again.get_output().stdout).expect("JSON");
    assert_eq!(value[0][1]["arrival_rate"], json!({"rate": 200, "max_users": 4}));
}

#[test]
fn hints_about_a_url_name_options_and_no_members_of_documents() {
    let target = Target::start();
    let older = Scripted::start(|_, wire| answer(wire, 200, &[], b""));
    for (url, args, expected) in [
        (older.url(), &["--http2", "-n", "1"][..], "leave out --http2"),
        (
            target.url(),
            &["--rate", "50000", "--users", "1", "-t", "1"],
            "raise --users or lower --rate",
        ),
    ] {
        let output =
            ldctl().args(["run", "-o", "json", &url]).args(args).output().expect("the program");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.contains(expected), "{told}");
    }
}
