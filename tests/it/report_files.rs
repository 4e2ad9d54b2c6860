//! `--report FORMAT=FILE` of `run` and `send`.

use std::fs;

use serde_json::json;

use crate::support::{Running, Server, Target, ldctl, signal, soon_true};

/// A document of one test that ends by count, and an action that fails.
fn document(target: &Target) -> String {
    let test = json!({
        "user_detail_dict": {"host": target.url()}, "user_count": 2, "test_time": null,
        "iterations": 5, "wait_time": 0, "tasks": [{"method": "get", "request_url": "/"}, {"method": "get", "request_url": "http://127.0.0.1:1/"}],
    });
    json!([["LD_start_test", test], ["LD_assert_sla", {"rules": [{"type": "requests", "value": 1}]}]])
        .to_string()
}

/// The formats of files, and a text that each contains.
const FORMATS: [(&str, &str); 8] = [
    ("html", "<title>"),
    ("json", "test_url"),
    ("xml", "test_url"),
    ("csv", "outcome,Method,test_url"),
    ("junit", "<testsuite"),
    ("summary", "\"totals\""),
    ("github", "::error title=LoadDensity::GET http://127.0.0.1:1/: "),
    ("sarif", "\"ruleId\": \"LD0001\""),
];

#[test]
fn run_and_send_write_every_report_also_when_an_action_failed() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let (text, port) = (document(&target), server.port());
    for verb in [vec!["run"], vec!["send", "--port", &port]] {
        let data = tempfile::tempdir().expect("a directory");
        let mut command = ldctl().current_dir(data.path()).args(&verb).args(["--json", &text]);
        for (format, _) in FORMATS {
            command = command.args(["--report", &format!("{format}={format}.out")]);
        }
        let ended = command.assert().code(1);
        let told = String::from_utf8_lossy(&ended.get_output().stderr).into_owned();
        for (format, content) in FORMATS {
            let report =
                fs::read_to_string(data.path().join(format!("{format}.out"))).expect(format);
            assert!(report.contains(content), "{format}: {report}");
            assert!(told.contains(&format!("note: {format} report in {format}.out\n")), "{told}");
        }
        assert_eq!(data.path().read_dir().expect("a list").count(), FORMATS.len());
    }
    ldctl().args(["quit", "--port", &port]).assert().success();
    server.end();
}

#[test]
fn a_report_is_written_of_a_run_that_is_interrupted() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let data = tempfile::tempdir().expect("a directory");
    let text = json!([["LD_start_test", {
        "user_detail_dict": {"host": target.url()}, "user_count": 1, "test_time": 3600,
        "tasks": [{"method": "get", "request_url": "/"}],
    }]])
    .to_string();
    let port = server.port();
    for verb in [vec!["run"], vec!["send", "--port", &port]] {
        let file = data.path().join(format!("{}.json", verb[0]));
        let report = format!("summary={}", file.display());
        let (before, rest) = (target.requests(), ["--json", &text, "--report", &report]);
        let running = Running::start(&[&verb[..], &rest].concat(), None);
        soon_true(|| target.requests() > before + 2);
        signal("INT", running.id());
        assert_eq!(running.end().0, Some(130));
        let report = fs::read_to_string(&file).expect("a report");
        let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
        assert!(report["totals"]["requests"].as_u64() >= Some(2), "{report}");
    }
    ldctl().args(["quit", "--port", &port]).assert().success();
    server.end();
}

#[test]
fn a_database_gets_the_run() {
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    let text = document(&target);
    let run = |rest: &[&str]| ldctl().current_dir(data.path()).arg("run").args(rest).assert();
    run(&["--json", &text, "--report", "db=runs.db"]).code(1);
    let runs = run(&["--json", r#"[["LD_list_runs", {"database_path": "runs.db"}]]"#]).success();
    assert!(String::from_utf8_lossy(&runs.get_output().stdout).contains("'id': 1"));
    let outside = run(&["--json", &text, "--report", "db=../runs.db"]).code(2);
    let told = String::from_utf8_lossy(&outside.get_output().stderr).into_owned();
    assert!(told.contains("is outside the directory of documents' files"), "{told}");
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_anything_runs() {
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    fs::create_dir(data.path().join("dir")).expect("a directory");
    let text = document(&target);
    for (report, words) in [
        ("html", "expected FORMAT=FILE"),
        ("html=", "expected FORMAT=FILE"),
        (
            "pdf=a",
            "no format is called \"pdf\"; the formats are html, json, xml, csv, junit, summary, github, \
             sarif, db",
        ),
        ("html=none/a.html", "cannot be written: No such file or directory"),
        ("html=dir", "is a directory"),
    ] {
        for verb in ["run", "send"] {
            let line = [verb, "--json", &text, "--report", report];
            let refused = ldctl().current_dir(data.path()).args(line).assert().code(2);
            let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
            assert!(told.contains(words), "{told}");
        }
    }
    let same = ["run", "--json", &text, "--report", "html=a", "--report", "csv=a"];
    ldctl().current_dir(data.path()).args(same).assert().code(2);
    let none = ["run", "--json", r#"[["LD_summary"]]"#, "--report", "html=a"];
    ldctl().current_dir(data.path()).args(none).assert().code(2);
    assert_eq!(target.requests(), 0);
    assert_eq!(data.path().read_dir().expect("a list").count(), 1);
}

#[test]
fn a_file_that_cannot_be_written_is_known_before_a_server_is_asked_for_its_report() {
    let directory = tempfile::tempdir().expect("a directory");
    let report = |output: &str| {
        // Nothing listens there.
        let report = ["report", "--port", "1", "--output", output];
        ldctl().current_dir(directory.path()).args(report).assert().code(2)
    };
    report("none/a.html").stderr_eq("error: cannot write none/a.html: No such file or directory\n");
    report(".").stderr_eq("error: cannot write .: it is a directory\n");
}

#[test]
fn what_must_be_known_of_a_report_is_said_when_it_is_written() {
    let server = Server::start(&["--max-records", "100000"], None);
    let data = tempfile::tempdir().expect("a directory");
    let port = server.port();
    // More requests than are kept as rows; nobody has to listen for datagrams.
    let text = json!([["LD_start_test", {
        "user_detail_dict": {"user": "socket_user"}, "user_count": 8, "spawn_rate": 1000,
        "test_time": null, "iterations": 110_000, "wait_time": 0,
        "tasks": [{"target": "127.0.0.1:9", "protocol": "udp", "payload": "x"}],
    }]])
    .to_string();
    for verb in [vec!["run", "--max-records", "100000"], vec!["send", "--port", &port]] {
        let rest = ["-o", "json", "--json", &text, "--report", "csv=a.csv"];
        let ended = ldctl().current_dir(data.path()).args(&verb).args(rest).assert().success();
        let told = String::from_utf8_lossy(&ended.get_output().stderr).into_owned();
        assert!(told.contains("note: csv report in a.csv\nwarning: csv report: "), "{told}");
        assert!(told.contains("not kept as rows (--max-records)\n"), "{told}");
    }
    ldctl().args(["quit", "--port", &port]).assert().success();
    server.end();
}

#[test]
fn a_report_that_is_missing_is_in_the_verdict_and_the_exit_code() {
    let (target, server) = (Target::start(), Server::start(&[], None));
    let text = json!([["LD_start_test", {
        "user_detail_dict": {"host": target.url()}, "user_count": 1, "test_time": null,
        "iterations": 1, "tasks": [{"method": "get", "request_url": "/"}],
    }]])
    .to_string();
    let port = server.port();
    for verb in [vec!["run"], vec!["send", "--port", &port]] {
        let rest = ["-o", "summary", "--json", &text, "--report", "html=/dev/full"];
        let ended = ldctl().args(&verb).args(rest).assert().code(1);
        let said = String::from_utf8_lossy(&ended.get_output().stdout).into_owned();
        let told = String::from_utf8_lossy(&ended.get_output().stderr).into_owned();
        assert!(said.ends_with("failed: 1 report was not written\n"), "{said}");
        assert!(!said.contains("passed"), "{said}");
        assert!(told.contains("error: the html report /dev/full was not written: "), "{told}");
    }
    ldctl().args(["quit", "--port", &port]).assert().success();
    server.end();
}

#[test]
fn quiet_says_nothing_of_reports_that_are_written() {
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    let text = document(&target).replace("\"value\":1", "\"value\":1,\"op\":\"gte\"");
    let line = ["run", "-q", "--json", &text, "--report", "json=a.json"];
    ldctl().current_dir(data.path()).args(line).assert().success().stdout_eq("").stderr_eq("");
    assert!(data.path().join("a.json").exists());
    ldctl().args(["run", "--once", "-q", "--json", &text]).assert().code(2);
}

#[test]
fn a_dash_is_stdout_and_no_file() {
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    let within = |args: &[&str]| ldctl().current_dir(data.path()).args(args);
    let text = document(&target);
    let refused = within(&["run", "--json", &text, "--report", "html=-"]).assert().code(2);
    let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(told.contains("stdout has the results; name a file"), "{told}");
    let server = Server::start(&[], None);
    let port = server.port();
    within(&["send", "--port", &port, "--json", &text]).assert().code(1);
    let made = within(&["report", "--port", &port, "--format", "summary", "-o", "-"]).assert();
    assert!(String::from_utf8_lossy(&made.get_output().stdout).contains("\"totals\""));
    let made = within(&["convert", "-", "-o", "-"]).stdin("curl http://h/").assert().success();
    assert!(String::from_utf8_lossy(&made.get_output().stdout).contains("LD_start_test"));
    within(&["quit", "--port", &port]).assert().success();
    server.end();
    assert_eq!(data.path().read_dir().expect("a list").count(), 0);
}
