//! Reports of runs on request: of one that has ended, from its rows and without them, of one in
//! progress, and of one of an earlier server.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::endings::endless;
use crate::runs::{short, told, wait_for};
use crate::support::{Running, Server, Target, ldctl, resident};

const WITH_ROWS: [&str; 5] = ["json", "xml", "csv", "github", "sarif"];
/// Those that list failed requests only.
const OF_FAILURES: [&str; 2] = ["github", "sarif"];
const WITHOUT_ROWS: [&str; 3] = ["html", "junit", "summary"];

fn report(server: &Server, format: &str) -> String {
    told(server, &["report", "--format", format])
}

/// What a refused report says on stderr.
fn refused(server: &Server, args: &[&str]) -> String {
    let port = server.port();
    let asked = ldctl().args(["report", "--port", &port]).args(args).assert().code(1);
    assert!(asked.get_output().stdout.is_empty());
    String::from_utf8_lossy(&asked.get_output().stderr).into_owned()
}

/// The reports without rows are of a run with the name `a` that made so many requests.
fn check_figures(server: &Server, requests: u64) {
    let summary: Value = serde_json::from_str(&report(server, "summary")).expect("JSON");
    assert_eq!(summary["totals"]["requests"], requests, "{summary}");
    assert_eq!(summary["per_name"]["a"]["requests"], requests, "{summary}");
    let page = report(server, "html");
    assert!(page.contains(">GET a</"), "{page}");
    assert!(page.contains("run 1 · nightly") && page.contains("No request failed"), "{page}");
    assert!(page.ends_with("</html>"), "{page}");
    let suite = report(server, "junit");
    assert!(suite.contains(r#"tests="1" failures="0""#), "{suite}");
    assert!(suite.contains(r#"<testcase classname="GET" name="a" time="0.0"#), "{suite}");
}

#[test]
fn a_run_is_reported_from_its_rows_then_from_its_figures_and_again_by_the_next_server() {
    let (target, data) = (Target::start(), tempfile::tempdir().expect("a directory"));
    let history = data.path().join("history.db").display().to_string();
    let start = || Server::start(&["--history", &history], None);
    let server = start();
    let document = json!([short(&target, "a")]).to_string();
    told(&server, &["send", "--name", "nightly", "--json", &document]);
    let rows = report(&server, "csv");
    let requests = rows.lines().count() as u64 - 1;
    assert!(requests > 0 && rows.starts_with("outcome,Method,"), "{rows}");
    let objects: Value = serde_json::from_str(&report(&server, "json")).expect("JSON");
    assert_eq!(objects.as_object().map_or(0, |rows| rows.len() as u64), requests);
    assert_eq!(report(&server, "xml").matches("<Method>").count() as u64, requests);
    check_figures(&server, requests);
    assert!(!report(&server, "html").contains("are not kept"));

    told(&server, &["send", "--json", r#"[["LD_clear_records"]]"#]);
    let check_without_rows = |server: &Server| {
        for format in WITH_ROWS {
            let why = refused(server, &["1", "--format", format]);
            assert!(why.contains("the rows of run 1 are no longer kept"), "{format}: {why}");
        }
    };
    check_without_rows(&server);
    let why = refused(&server, &["2"]);
    assert!(why.contains("run 2 has made no load test"), "{why}");
    told(&server, &["quit"]);
    server.end();

    let server = start();
    check_without_rows(&server);
    let page = told(&server, &["report", "1"]);
    assert!(
        page.contains("latencies are exact to 1.00 %") && page.contains("LD_start_test"),
        "{page}"
    );
    let _newest = told(&server, &["send", "--json", &document]);
    let summary: Value =
        serde_json::from_str(&told(&server, &["report", "1", "--format", "summary"]))
            .expect("JSON");
    assert_eq!(summary["totals"]["requests"], requests, "{summary}");
}

#[test]
fn figures_without_rows_say_the_same_as_rows() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let document = json!([short(&target, "a"), ["LD_summary"], ["LD_clear_records"]]).to_string();
    let output =
        told(&server, &["send", "--name", "nightly", "--output", "json", "--json", &document]);
    let summary = output.lines().find(|line| line.contains(r#""event":"result","index":1"#));
    let summary: Value = serde_json::from_str(summary.expect("a summary")).expect("JSON");
    check_figures(&server, summary["value"]["totals"]["requests"].as_u64().expect("a number"));
}

#[test]
fn a_run_in_progress_is_reported_so_far_and_its_rows_later() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let why = refused(&server, &[]);
    assert!(why.contains("there is no run yet"), "{why}");
    told(&server, &["send", "--detach", "--json", &endless(&target)]);
    let status = || told(&server, &["status", "--output", "json"]);
    crate::support::soon_true(|| status().contains(r#""requests":"#) && target.requests() > 10);
    crate::support::soon_true(|| report(&server, "summary").contains("per_name\": {\n"));
    for format in WITHOUT_ROWS {
        assert!(!report(&server, format).is_empty(), "{format}");
    }
    let page = report(&server, "html");
    assert!(page.contains("The test is in progress"), "{page}");
    let port = server.port();
    let asked = ldctl().args(["report", "--format", "summary", "--port", &port]).assert().code(0);
    let note = String::from_utf8_lossy(&asked.get_output().stderr).into_owned();
    assert!(note.contains("warning: run 1 is in progress"), "{note}");
    for format in WITH_ROWS {
        let why = refused(&server, &["--format", format]);
        assert!(why.contains("the test of run 1 is in progress"), "{format}: {why}");
    }
    told(&server, &["stop"]);
    wait_for(&server, 1, "cancelled");
    assert!(report(&server, "csv").lines().count() > 10);
    let page = report(&server, "html");
    assert!(page.contains("✗ Run 1 was stopped: stopped on request"), "{page}");
    let why = refused(&server, &["7"]);
    assert!(why.contains("unknown run 7"), "{why}");
}

#[test]
fn the_report_of_a_run_names_its_file_and_its_load_and_shows_its_gates_with_and_without_rows() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("shop.json");
    let gate = json!(["LD_assert_sla", [[{"type": "failure_rate", "value": 0.01}]]]);
    fs::write(&file, json!([short(&target, "a"), gate]).to_string()).expect("a document");
    told(&server, &["send", &file.display().to_string()]);
    let check = |page: &str| {
        for shown in [
            "shop.json</dd>",
            "<dt>Load</dt><dd>closed: 1 user",
            "<dt>Seed</dt>",
            "<dt>Machine</dt>",
            "✓ Passed: the gate holds",
            "<td class=\"text\" data-l=\"Limit\">at most 1 %</td>",
        ] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
    };
    check(&report(&server, "html"));
    told(&server, &["send", "--json", r#"[["LD_clear_records"]]"#]);
    let page = told(&server, &["report", "1"]);
    assert!(page.contains("are not kept"));
    check(&page);
}

#[test]
fn two_runs_at_once_have_reports_gates_and_errors_of_their_own() {
    let (target, server) = (Target::start(), Server::start(&["--max-tests", "2"], None));
    let document = |name: &str, url: &str, most: f64| {
        let mut test = short(&target, name);
        test[1]["test_time"] = json!(1);
        test[1]["tasks"][0]["request_url"] = json!(url);
        let gate = json!(["LD_assert_sla", {"rules": [{"type": "failure_rate", "value": most}]}]);
        json!([test, gate]).to_string()
    };
    let port = server.port();
    let send = |document: &str| {
        Running::start(&["send", "--output", "json", "--port", &port, "--json", document], None)
    };
    let first = send(&document("alpha", "/", 0.0));
    first.line_with(r#""event":"accepted""#);
    let second = send(&document("omega", "/missing", 0.0));
    second.line_with(r#""event":"accepted""#);
    assert_eq!((first.end().0, second.end().0), (Some(0), Some(1)));
    for (run, mine, other) in [("1", "alpha", "omega"), ("2", "omega", "alpha")] {
        for format in WITH_ROWS.into_iter().chain(WITHOUT_ROWS) {
            let text = told(&server, &["report", run, "--format", format]);
            if OF_FAILURES.contains(&format) {
                assert_eq!(text.contains("404"), mine == "omega", "{format} of {run}: {text}");
                continue;
            }
            assert!(text.contains(mine) && !text.contains(other), "{format} of {run}: {text}");
        }
    }
    let status = |run: &str| -> Value {
        serde_json::from_str(&told(&server, &["status", run, "--output", "json"])).expect("JSON")
    };
    assert_eq!(status("1").get("errors"), None);
    let failed = status("2");
    let error = &failed["errors"][0];
    assert_eq!((&error["name"], &error["count"]), (&json!("omega"), &failed["failures"]));
    assert!(error["first"].as_str() <= error["last"].as_str() && error["first"].is_string());
    assert!(error["error"].as_str().is_some_and(|text| text.contains("404")), "{error}");
}

/// A load test of an open model that makes so many requests, all with the same name.
fn many(target: &Target, requests: u64) -> Value {
    json!(["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": target.url()},
        "arrival_rate": {"rate": requests as f64 / 2.0, "max_users": 100}, "test_time": 2,
        "tasks": [{"method": "get", "request_url": "/", "name": "a"}]}])
}

#[test]
fn t63_rows_of_the_oldest_run_give_way_and_its_figures_stay() {
    let (target, server) = (Target::start(), Server::start(&["--max-records", "100000"], None));
    let fast = |test: &mut Value| {
        test[1]["test_time"] = json!(1);
        test[1]["wait_time"] = json!(0);
        test[1]["user_count"] = json!(8);
    };
    let mut runs = 0;
    let requests = |run: u64| -> u64 {
        let status = told(&server, &["status", &run.to_string(), "--output", "json"]);
        let status: Value = serde_json::from_str(&status).expect("JSON");
        status["requests"].as_u64().expect("a count")
    };
    let port = server.port();
    // Until the rows of the first run have given way to those of later ones.
    loop {
        let mut test = short(&target, "a");
        fast(&mut test);
        told(&server, &["send", "--json", &json!([test]).to_string()]);
        runs += 1;
        let asked = ldctl().args(["report", "1", "--format", "csv", "--port", &port]).output();
        let asked = asked.expect("the program");
        if !asked.status.success() {
            let why = String::from_utf8_lossy(&asked.stderr).into_owned();
            assert!(why.contains("the rows of run 1 are no longer kept"), "{why}");
            break;
        }
        assert!(runs < 100, "no rows give way");
    }
    let summary = told(&server, &["report", "1", "--format", "summary"]);
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    assert_eq!(summary["totals"]["requests"], requests(1), "{summary}");
    let kept = told(&server, &["report", &runs.to_string(), "--format", "csv"]);
    // Or with histograms from some moment on, where many workers share the ceiling.
    assert!((2..=requests(runs) + 1).contains(&(kept.lines().count() as u64)));
}

#[test]
fn two_hundred_watchers_of_whom_ten_do_not_read_get_all_and_cost_the_run_nothing() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let document = json!([many(&target, 400), ["LD_summary"]]).to_string();
    told(&server, &["send", "--detach", "--json", &document]);
    let attach = br#"{"token": null, "op": "attach", "run": 1}"#;
    let watchers: Vec<TcpStream> = (0..200)
        .map(|_| {
            let stream = TcpStream::connect(format!("127.0.0.1:{}", server.port()));
            let mut stream = stream.expect("a server");
            stream.write_all(&(attach.len() as u32).to_be_bytes()).expect("a connection");
            stream.write_all(attach).expect("a connection");
            stream
        })
        .collect();
    let (silent, reading) = watchers.split_at(10);
    for stream in reading {
        let mut reply = Vec::new();
        let mut stream = stream;
        stream.read_to_end(&mut reply).expect("the whole reply");
        let reply = String::from_utf8_lossy(&reply);
        for part in [r#""event":"accepted""#, r#""index":0"#, r#""index":1"#, r#""event":"done""#] {
            assert!(reply.contains(part), "{part}: {reply}");
        }
        assert!(reply.ends_with("Return_Data_Over_JE\n"), "{reply}");
    }
    let summary = told(&server, &["report", "1", "--format", "summary"]);
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    let iterations = &summary["iterations"];
    assert_eq!((&iterations["dropped"], &iterations["started"]), (&json!(0), &json!(400)));
    assert_eq!(summary["totals"]["requests"], 400, "{summary}");
    assert_eq!(silent.len(), 10);
}

#[test]
fn t64_many_short_runs_leave_no_more_than_the_kept_ones_in_memory() {
    let server = Server::start(&["--keep-runs", "20"], None);
    let document = r#"{"token": null, "reply": "events", "command": [["abs", [-1]]]}"#;
    let send = || {
        let mut stream =
            TcpStream::connect(format!("127.0.0.1:{}", server.port())).expect("a server");
        stream.write_all(&(document.len() as u32).to_be_bytes()).expect("a connection");
        stream.write_all(document.as_bytes()).expect("a connection");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("a reply");
        assert!(String::from_utf8_lossy(&reply).contains(r#""state":"passed""#));
    };
    (0..500).for_each(|_| send());
    let before = resident(server.id());
    (0..1500).for_each(|_| send());
    let after = resident(server.id());
    assert!(after < before + (4 << 20), "{before} bytes became {after}");
    let runs = told(&server, &["runs", "--limit", "1000", "--output", "json"]);
    let runs: Value = serde_json::from_str(&runs).expect("JSON");
    let numbers: Vec<u64> = runs["runs"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|run| run["run"].as_u64())
        .collect();
    assert_eq!(numbers, (1981..=2000).rev().collect::<Vec<_>>());
}

#[test]
fn numbers_of_runs_complete_where_a_server_answers_and_nothing_is_said_elsewhere() {
    let (server, port) = {
        let server = Server::start(&[], None);
        let port = server.port();
        (server, port)
    };
    told(&server, &["send", "--name", "nightly: \u{e9}", "--json", r#"[["len", ["a"]]]"#]);
    told(&server, &["send", "--json", r#"[["len", ["a"]]]"#]);
    let completed = |words: &[&str]| {
        let output = ldctl().arg("__runs").args(words).output().expect("the program");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert_eq!(completed(&["bash", "attach", "--port", &port, ""]), "2\n1\n");
    let described = completed(&["zsh", "status", "--port", &port, "--watch"]);
    assert_eq!(described, "2:passed\n1:passed nightly\\: \u{e9}\n");
    assert_eq!(
        completed(&["fish", "report", "--port", &port, "--format"]),
        "2\tpassed\n1\tpassed nightly: \u{e9}\n"
    );
    assert_eq!(completed(&["bash", "stop", "--port", &port, "--token-prompt"]), "");
    assert_eq!(completed(&["bash", "send", "--port", &port]), "");
    assert_eq!(completed(&[]), "");
    told(&server, &["quit"]);
    server.end();
    assert_eq!(completed(&["bash", "attach", "--port", &port]), "");
}

#[test]
fn a_report_in_a_file_is_private_and_one_that_fails_leaves_the_old_file() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("report.html");
    let path = file.display().to_string();
    let document = json!([short(&target, "a")]).to_string();
    told(&server, &["send", "--json", &document]);
    let written = told(&server, &["report", "1", "-o", &path]);
    assert_eq!(written, "");
    let page = fs::read_to_string(&file).expect("a report");
    assert!(page.contains("run 1") && page.ends_with("</html>"), "{page}");
    let mode = fs::metadata(&file).expect("a report").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    refused(&server, &["9", "-o", &path]);
    assert_eq!(fs::read_to_string(&file).expect("a report"), page);
    let names = fs::read_dir(data.path()).expect("a directory").count();
    assert_eq!(names, 1, "a draft is left");
    told(&server, &["report", "--format", "csv", "-o", "/dev/null"]);
    let nowhere = data.path().join("missing/report.html").display().to_string();
    let report = ["report", "1", "--port", &server.port(), "-o", &nowhere];
    let why = format!("error: cannot write {nowhere}: No such file or directory\n");
    ldctl().args(report).assert().code(2).stdout_eq("").stderr_eq(why);
}
