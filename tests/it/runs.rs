//! Runs as objects: held, detached, queued, listed, followed, stopped by number, and found again.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::endings::endless;
use crate::support::{Running, Server, Target, ldctl, signal, soon_true};

/// A load test of a moment, whose requests have this name.
pub(crate) fn short(target: &Target, name: &str) -> Value {
    json!(["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": target.url()},
        "user_count": 1, "spawn_rate": 100, "test_time": 0.2,
        "tasks": [{"method": "get", "request_url": "/", "name": name}]}])
}

/// Sends a document in the background, with JSON output.
fn sending(server: &Server, args: &[&str], document: &str) -> Running {
    let port = server.port();
    let fixed = ["send", "--output", "json", "--port", &port, "--json", document];
    Running::start(&[&fixed[..], args].concat(), None)
}

/// The standard output of a verb.
pub(crate) fn told(server: &Server, args: &[&str]) -> String {
    let port = server.port();
    let output = ldctl().args(args).args(["--port", &port]).output().expect("the program");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The states of all runs, the newest first.
fn states(server: &Server) -> Vec<(u64, String)> {
    let runs: Value =
        serde_json::from_str(&told(server, &["runs", "--output", "json"])).expect("JSON");
    let state = |run: &Value| Some((run["run"].as_u64()?, run["state"].as_str()?.to_owned()));
    runs["runs"].as_array().expect("a list").iter().filter_map(state).collect()
}

pub(crate) fn wait_for(server: &Server, run: u64, state: &str) {
    soon_true(|| states(server).contains(&(run, state.to_owned())));
}

#[test]
fn f05_a_run_ends_when_its_client_is_killed_and_its_later_actions_still_run() {
    let (target, data) = (Target::start(), tempfile::tempdir().expect("a directory"));
    let server = Server::start(&["--data-dir", &data.path().display().to_string()], None);
    let mut document: Value = serde_json::from_str(&endless(&target)).expect("JSON");
    let report = json!(["LD_generate_json_report", ["kept"]]);
    document.as_array_mut().expect("a list").push(report);
    let client = sending(&server, &[], &document.to_string());
    client.line_with(r#""event":"progress""#);
    signal("KILL", client.id());
    wait_for(&server, 1, "lost");
    assert!(data.path().join("kept_success.json").exists(), "{:?}", fs::read_dir(data.path()));
    let requests = target.requests();
    let info = told(&server, &["status", "1"]);
    assert!(info.starts_with("lost: ") && info.contains("its client left"), "{info}");
    assert_eq!(target.requests(), requests, "load goes on");
}

#[test]
fn a_half_close_is_no_goodbye() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let body = json!({"command": [short(&target, "a")], "reply": "events"}).to_string();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{}", server.port())).expect("a server");
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(body.as_bytes());
    stream.write_all(&frame).expect("a server that listens");
    stream.shutdown(Shutdown::Write).expect("a connection");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("the whole reply");
    let reply = String::from_utf8_lossy(&reply);
    assert!(reply.contains(r#""event":"alive""#), "{reply}");
    assert!(reply.contains(r#""state":"passed""#), "{reply}");
    assert_eq!(states(&server), [(1, "passed".to_owned())]);
}

#[test]
fn the_test_of_an_old_client_goes_on_without_it() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let port = server.port();
    let document = endless(&target);
    let client = Running::start(&["send", "--legacy", "--port", &port, "--json", &document], None);
    soon_true(|| target.requests() > 0);
    signal("KILL", client.id());
    drop(client.end());
    let before = target.requests();
    soon_true(|| target.requests() > before + 10);
    assert_eq!(states(&server), [(1, "running".to_owned())]);
    told(&server, &["stop", "1"]);
    wait_for(&server, 1, "cancelled");
    let again = ldctl().args(["stop", "1", "--port", &port]).assert().success();
    again.stderr_eq("note: the run had ended before; nothing is stopped\n");
}

#[test]
fn a_detached_run_goes_on_and_a_watcher_gets_all_of_it_with_its_exit_code() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let gate =
        json!(["LD_assert_sla", {"rules": [{"type": "requests", "op": "gt", "value": 1e9}]}]);
    let document = json!([short(&target, "a"), gate]).to_string();
    let number = told(&server, &["send", "--detach", "--name", "nightly", "--json", &document]);
    assert_eq!(number, "1\n");
    let port = server.port();
    let attached = ldctl().args(["attach", "--output", "json", "--port", &port]).assert().code(1);
    let output = String::from_utf8(attached.get_output().stdout.clone()).expect("UTF-8");
    let kinds: Vec<String> = output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["event"].to_string())
        .filter(|kind| kind != "\"progress\"")
        .collect();
    let all = ["accepted", "started", "result", "started", "result", "done"];
    assert_eq!(kinds, all.map(|kind| format!("\"{kind}\"")), "{output}");
    assert!(output.contains(r#""name":"nightly""#), "{output}");
    // The same again, from its records.
    ldctl().args(["attach", "1", "--port", &port]).assert().code(1);
    let table = told(&server, &["runs", "--state", "failed"]);
    assert!(table.starts_with("RUN  STATE") && table.contains("nightly"), "{table}");
    assert_eq!(told(&server, &["runs", "--state", "passed"]).lines().count(), 1);
}

#[test]
fn a_queued_run_waits_for_the_place_and_one_that_is_stopped_does_nothing() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let first = sending(&server, &[], &endless(&target));
    first.line_with(r#""event":"progress""#);
    let document = json!([short(&target, "second")]).to_string();
    let second = sending(&server, &["--queue", "60"], &document);
    let accepted = second.line_with(r#""event":"accepted""#);
    assert!(accepted.contains(r#""state":"queued","position":1,"holder":1"#), "{accepted}");
    let third = sending(&server, &["--queue", "60"], &document);
    third.line_with(r#""position":2"#);
    told(&server, &["stop", "3"]);
    let done = third.line_with(r#""event":"done""#);
    assert!(done.contains(r#""state":"cancelled""#), "{done}");
    assert_eq!(third.end().0, Some(1));
    told(&server, &["stop"]);
    second.line_with(r#""state":"passed""#);
    assert_eq!(second.end().0, Some(0));
    let ended = ["cancelled", "passed", "cancelled"];
    let numbered = [3, 2, 1].into_iter().zip(ended.map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(states(&server), numbered);
    // Without patience it is busy, and says for how long.
    let busy = sending(&server, &["--detach"], &endless(&target));
    busy.line_with(r#""event":"accepted""#);
    soon_true(|| target.requests() > 0);
    wait_for(&server, 4, "running");
    let port = server.port();
    soon_true(|| told(&server, &["status"]).starts_with("running"));
    ldctl().args(["send", "--port", &port, "--json", &document]).assert().code(5);
    let late = ldctl().args(["send", "--queue", "0.1", "--port", &port, "--json", &document]);
    late.assert().code(5);
    told(&server, &["stop", "4"]);
}

#[test]
fn a_number_that_no_run_has_is_refused_by_name() {
    let server = Server::start(&[], None);
    for verb in ["status", "stop", "attach"] {
        let asked = ldctl().args([verb, "7", "--port", &server.port()]).assert().code(1);
        let stderr = String::from_utf8_lossy(&asked.get_output().stderr).into_owned();
        assert!(stderr.ends_with("unknown run 7; `ldctl runs` lists them\n"), "{verb}: {stderr}");
    }
    let asked = ldctl().args(["attach", "--port", &server.port()]).assert().code(1);
    let stderr = String::from_utf8_lossy(&asked.get_output().stderr).into_owned();
    assert!(stderr.contains("there is no run yet"), "{stderr}");
}

#[test]
fn two_tests_at_once_and_one_after_the_other_see_nothing_of_each_other() {
    let (target, server) = (Target::start(), Server::start(&["--max-tests", "2"], None));
    let document = |name: &str| {
        let mut test = short(&target, name);
        test[1]["variables"] = json!({"only": name});
        test[1]["tasks"][0]["name"] = json!("${var.only} ${var.other}");
        let set = json!(["LD_register_variables", [{name: "x"}]]);
        json!([set, test, ["LD_summary"]]).to_string()
    };
    let both = [sending(&server, &[], &document("a")), sending(&server, &[], &document("b"))];
    for (client, name) in both.into_iter().zip(["a", "b"]) {
        let summary = client.line_with(r#""event":"result","index":2"#);
        let other = if name == "a" { "b" } else { "a" };
        assert!(summary.contains(&format!("{name} ${{var.other}}")), "{summary}");
        assert!(!summary.contains(&format!("{other} $")), "{summary}");
        assert_eq!(client.end().0, Some(0));
    }
    let third = sending(&server, &[], &document("c"));
    let summary = third.line_with(r#""event":"result","index":2"#);
    assert!(!summary.contains("a $") && !summary.contains("b $"), "{summary}");
    // A document without a test sees all of them.
    let all = told(&server, &["send", "--output", "json", "--json", r#"[["LD_summary"]]"#]);
    assert!(["a $", "b $", "c $"].iter().all(|name| all.contains(name)), "{all}");
}

#[test]
fn an_interrupted_watcher_leaves_the_run_alone() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let port = server.port();
    told(&server, &["send", "--detach", "--json", &endless(&target)]);
    let watcher = Running::start(&["attach", "--output", "json", "--port", &port], None);
    watcher.line_with(r#""event":"progress""#);
    signal("INT", watcher.id());
    let (code, _, stderr) = watcher.end();
    assert_eq!(code, Some(130));
    assert_eq!(stderr, [format!("note: run 1 goes on at localhost:{port}")]);
    assert_eq!(states(&server), [(1, "running".to_owned())]);
    let status = told(&server, &["status", "--output", "json"]);
    assert!(status.contains(r#""held":false"#), "{status}");
    told(&server, &["stop", "1"]);
}

#[test]
fn watchers_that_do_not_read_cost_the_run_nothing() {
    let (target, server) = (Target::start(), Server::start(&["--max-watchers", "3"], None));
    told(&server, &["send", "--detach", "--json", &endless(&target)]);
    let attach = br#"{"token": null, "op": "attach"}"#;
    let silent: Vec<TcpStream> = (0..3)
        .map(|_| {
            let stream = TcpStream::connect(format!("127.0.0.1:{}", server.port()));
            let mut stream = stream.expect("a server");
            stream.write_all(&(attach.len() as u32).to_be_bytes()).expect("a connection");
            stream.write_all(attach).expect("a connection");
            let mut first = [0; 4];
            stream.read_exact(&mut first).expect("the first event");
            stream
        })
        .collect();
    let refused = ldctl().args(["attach", "--port", &server.port()]).assert().code(5);
    let stderr = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(stderr.contains("too many watchers (--max-watchers 3)"), "{stderr}");
    let before = target.requests();
    soon_true(|| target.requests() > before + 100);
    told(&server, &["stop"]);
    wait_for(&server, 1, "cancelled");
    drop(silent);
}

#[test]
fn t62_a_history_survives_the_server_and_no_document_reaches_it() {
    let (target, data) = (Target::start(), tempfile::tempdir().expect("a directory"));
    let history = data.path().join("history.db").display().to_string();
    let directory = data.path().display().to_string();
    let start = || Server::start(&["--data-dir", &directory, "--history", &history], None);
    let server = start();
    let mut test = short(&target, "a");
    test[1]["tasks"][0]["headers"] = json!({"Authorization": "Bearer abcdefghij"});
    told(&server, &["send", "--name", "first", "--json", &json!([test]).to_string()]);
    told(&server, &["send", "--detach", "--json", &endless(&target)]);
    wait_for(&server, 2, "running");
    let stolen = told(&server, &["send", "--json", r#"[["LD_list_runs", ["history.db"]]]"#]);
    assert!(stolen.contains("PermissionError") || stolen.contains("Error("), "{stolen}");
    signal("KILL", server.id());
    server.end();
    let server = start();
    let states = states(&server);
    assert_eq!(states[0], (3, "failed".to_owned()), "{states:?}");
    let rest = [(2, "interrupted".to_owned()), (1, "passed".to_owned())];
    assert_eq!(states[1..], rest);
    let again = told(&server, &["attach", "1", "--output", "json"]);
    assert!(again.contains(r#""command":"LD_start_test","ok":true"#), "{again}");
    let port = server.port();
    ldctl().args(["attach", "2", "--port", &port]).assert().code(1);
    assert_eq!(told(&server, &["send", "--detach", "--json", r#"[["len", ["a"]]]"#]), "4\n");
    told(&server, &["quit"]);
    server.end();
    let stored = fs::read(Path::new(&history)).expect("a file");
    let has = |text: &str| stored.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has("first") && has("LD_start_test") && !has("abcdefghij"));
}

#[test]
fn a_history_that_cannot_be_used_is_an_error_at_the_start() {
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("notes.txt");
    fs::write(
        &file,
        "no database, but longer than its header, which has a hundred bytes".repeat(9),
    )
    .expect("a file");
    let path = file.display().to_string();
    let refused = ldctl().args(["serve", "--port", "0", "--history", &path]).assert().code(2);
    let stderr = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(stderr.contains("--history") && stderr.contains("no database"), "{stderr}");
}

/// How often a server is killed while runs begin, report and end. `.ci/run` does it more often.
fn kills() -> u64 {
    std::env::var("LDCTL_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20) / 10
}

#[test]
fn f01_every_acknowledged_run_is_in_the_history_of_a_killed_server() {
    let (target, data) = (Target::start(), tempfile::tempdir().expect("a directory"));
    let history = data.path().join("history.db").display().to_string();
    let document = json!([short(&target, "a"), ["LD_summary"]]).to_string();
    let mut acknowledged = 0;
    for round in 0..kills().max(2) {
        let server = Server::start(&["--history", &history], None);
        let mut random = fastrand::Rng::with_seed(round);
        for _ in 0..random.usize(1..4) {
            let number = told(&server, &["send", "--detach", "--queue", "60", "--json", &document]);
            let number: u64 = number.trim().parse().expect("a number");
            assert!(number > acknowledged, "{number} was used before");
            acknowledged = number;
        }
        std::thread::sleep(Duration::from_millis(random.u64(0..500)));
        signal("KILL", server.id());
        server.end();
        let server = Server::start(&["--history", &history], None);
        let all: Value =
            serde_json::from_str(&told(&server, &["runs", "--limit", "1000", "--output", "json"]))
                .expect("JSON");
        let all = all["runs"].as_array().expect("a list");
        let numbers: Vec<u64> = all.iter().filter_map(|run| run["run"].as_u64()).collect();
        assert!(numbers.contains(&acknowledged), "{acknowledged} is not in {numbers:?}");
        for run in all {
            let state = run["state"].as_str().expect("a state");
            assert!(["passed", "interrupted"].contains(&state), "{run}");
            assert_eq!(state == "passed", run["ended"].is_string(), "{run}");
        }
        signal("KILL", server.id());
        server.end();
    }
}

#[test]
fn the_end_of_a_run_that_was_stopped_says_why() {
    for (verb, why) in [("stop", "stopped on request"), ("quit", "the server was shut down")] {
        let (target, server) = (Target::start(), Server::start(&[], None));
        let (port, document) = (server.port(), endless(&target));
        let send = |output: &str| {
            let send =
                ["send", "--output", output, "--port", &port, "--json", &document, "--queue", "1m"];
            Running::start(&send, None)
        };
        let client = send("summary");
        soon_true(|| target.requests() > 0);
        let watcher = Running::start(&["attach", "1", "--output", "json", "--port", &port], None);
        watcher.line_with(r#""event":"progress""#);
        ldctl().args([verb, "--port", &port]).assert().success();
        client.line_with(&format!("✗ failed: 1 action failed; {why}"));
        watcher.line_with(&format!(r#""state":"cancelled","message":"{why}""#));
    }
}
