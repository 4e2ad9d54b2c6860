//! What `-v` and `-vv` say: of requests, actions, connections and runs.

use regex::Regex;
use serde_json::{Value, json};

use crate::support::{Server, Target, ldctl};

fn document(target: &Target) -> String {
    let document: Value = json!([["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": target.url()},
        "user_count": 1, "spawn_rate": 100, "test_time": 0.5, "wait_time": 0.001,
        "tasks": [
            {"method": "get", "request_url": "/", "name": "home"},
            {"method": "get", "request_url": "/missing?token=s3cret", "name": "missing"},
            {"method": "get", "request_url": "/", "name": "checked",
             "assertions": [{"type": "contains", "value": "goodbye"}]}
        ]
    }]]);
    document.to_string()
}

/// stderr of a verb that runs the document.
fn said(verb: &[&str], document: &str) -> String {
    let output = ldctl().args(verb).stdin(document).output().expect("the program");
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// What `run` and `send` say of a test.
fn check(verb: &[&str], target: &Target) {
    let document = document(target);
    assert!(!said(verb, &document).contains("info: "), "nothing is asked for");
    let port = target.url().rsplit(':').next().expect("a port").to_owned();
    let text = said(&[verb, &["-v"]].concat(), &document);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("info: ")).collect();
    let expected = [
        "info: actions\\[0\\] LD_start_test starts".to_owned(),
        format!("info: first connection to 127.0.0.1:{port}: 127.0.0.1:{port}, HTTP/1.1"),
        format!(
            "info: first failure: GET http://127.0.0.1:{port}/missing\\?token=\\[redacted\\] 404 \
             after [0-9.]+ ms: 404 Not Found"
        ),
        format!(
            "info: first failure: GET http://127.0.0.1:{port}/ 200 after [0-9.]+ ms: .*; the \
             response begins hello"
        ),
        "info: actions\\[0\\] LD_start_test done after [0-9.]+ s".to_owned(),
    ];
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(Regex::new(&format!("^{expected}$")).expect("a pattern").is_match(line), "{line}");
    }
    let text = said(&[verb, &["-vv"]].concat(), &document);
    let requests = format!("info: GET http://127.0.0.1:{port}/ 200 after ");
    assert!(text.lines().any(|line| line.starts_with(&requests)), "{text}");
    let shown = text.lines().filter(|line| line.starts_with("info: GET ")).count();
    let rest =
        text.lines().filter(|line| line.ends_with(" further requests are not shown")).count();
    assert!(shown == 100 && rest == 1 || shown < 100 && rest == 0, "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn run_says_what_requests_look_like_where_that_is_asked_for() {
    check(&["run", "-"], &Target::start());
}

#[test]
fn send_says_the_same_of_requests_that_a_server_makes() {
    let server = Server::start(&["--allow-unauthenticated"], None);
    check(&["send", "-", "--port", &server.port()], &Target::start());
}

#[test]
fn a_server_says_who_connects_what_runs_and_how_it_ends() {
    let server = Server::start(&["-v"], Some("s3cret"));
    let port = server.port();
    let command = || ldctl().env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret");
    command()
        .args([
            "send",
            "--name",
            "nightly",
            "--port",
            &port,
            "--json",
            r#"[["len", ["abc"]], ["LD_nope"]]"#,
        ])
        .assert()
        .code(1);
    ldctl().args(["ping", "--port", &port]).assert().code(4);
    command().args(["quit", "--port", &port]).assert().success();
    let (code, _, stderr) = server.end();
    assert_eq!(code, Some(0));
    let time = Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ").expect("a pattern");
    let lines: Vec<String> = stderr
        .iter()
        .filter(|line| time.is_match(line))
        .map(|line| time.replace(line, "").into_owned())
        .collect();
    for expected in [
        r"info: (127\.0\.0\.1|\[?::1\]?):\d+: connected",
        r"info: \S+: run with a valid token",
        r#"info: \S+: run 1 "nightly" accepted: 2 actions"#,
        r#"info: \S+: run 1: actions\[0\] "len" starts"#,
        r"info: \S+: run 1: actions\[0\] done after [0-9.]+ s",
        r"info: \S+: run 1: actions\[1\] failed after [0-9.]+ s: .*LD_nope.*",
        r"info: \S+: run 1 failed after [0-9.]+ s, failed actions: 1",
        r"info: \S+: refused: .*unauthorised.*",
        r"info: \S+: quit with a valid token",
        r"info: shutdown: no new connections; .*",
        r"info: shutdown: what documents have started is stopped",
    ] {
        let pattern = Regex::new(&format!("^{expected}$")).expect("a pattern");
        assert!(lines.iter().any(|line| pattern.is_match(line)), "{expected}: {stderr:#?}");
    }
    assert!(stderr.iter().all(|line| !line.contains("s3cret")), "{stderr:?}");
}

#[test]
fn quiet_and_verbose_exclude_each_other_in_words() {
    for args in [&["-v", "run", "-q", "-"][..], &["send", "-q", "-v", "-"], &["attach", "-qv"]] {
        ldctl()
            .args(args)
            .assert()
            .code(2)
            .stdout_eq("")
            .stderr_eq("error: -q prints less and -v prints more; give one of them\n");
    }
}
