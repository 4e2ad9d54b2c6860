//! Reports of runs on request: of one that has ended, from its rows and without them, of one in
//! progress, and of one of an earlier server.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::endings::endless;
use crate::runs::{short, told, wait_for};
use crate::support::{Server, Target, ldctl};

const WITH_ROWS: [&str; 3] = ["json", "xml", "csv"];
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
    refused(&server, &["1", "-o", &nowhere]);
}
