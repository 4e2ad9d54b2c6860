//! How things end before their time: signals, a second test, a reader that has gone.

use std::io::Read;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Running, Scripted, Server, Target, ldctl, signal, soon_true};

/// A test that would outlast any deadline here.
pub(crate) fn endless(target: &Target) -> String {
    format!(
        r#"[["LD_start_test", {{"user_detail_dict": {{"user": "fast_http_user", "host": "{}"}},
            "user_count": 2, "spawn_rate": 100, "test_time": 3600,
            "tasks": [{{"method": "get", "request_url": "/", "name": "home"}}]}}],
            ["LD_summary"]]"#,
        target.url()
    )
}

#[test]
fn f07_a_terminated_server_exits_with_0() {
    for name in ["TERM", "INT"] {
        let server = Server::start(&[], None);
        signal(name, server.id());
        let (code, stdout, _) = server.end();
        assert_eq!((code, stdout), (Some(0), vec!["Server shutdown complete".to_owned()]));
    }
}

#[test]
fn f07_a_server_terminated_during_a_test_sends_the_partial_results_first() {
    let target = Target::start();
    let server = Server::start(&[], None);
    let client = Running::start(
        &["send", "--output", "json", "--port", &server.port(), "--json", &endless(&target)],
        None,
    );
    client.line_with(r#""event":"progress""#);
    signal("TERM", server.id());
    let test = client.line_with(r#""event":"result","index":0"#);
    assert!(test.contains("cancelled before its end; the figures are partial"), "{test}");
    let summary = client.line_with(r#""event":"result","index":1"#);
    assert!(!summary.contains(r#""totals":{"requests":0"#), "{summary}");
    client.line_with(r#""event":"done""#);
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn f05_an_interrupted_client_stops_its_run_and_prints_what_it_measured() {
    let target = Target::start();
    let server = Server::start(&[], None);
    let client = Running::start(
        &["send", "--output", "json", "--port", &server.port(), "--json", &endless(&target)],
        None,
    );
    client.line_with(r#""event":"progress""#);
    signal("INT", client.id());
    let summary = client.line_with(r#""event":"result","index":1"#);
    assert!(!summary.contains(r#""totals":{"requests":0"#), "{summary}");
    client.line_with(r#""state":"cancelled""#);
    let (code, _, stderr) = client.end();
    assert_eq!(code, Some(130));
    let said = "note: stopping run 1; a second signal leaves without its results";
    assert_eq!(stderr.first().map(String::as_str), Some(said), "{stderr:?}");
    ldctl().args(["ping", "--port", &server.port()]).assert().success();
}

#[test]
fn f05_an_interrupted_client_says_that_nothing_is_known_of_its_document_before_a_reply() {
    let target = Target::start();
    let server = Server::start(&[], None);
    let client = Running::start(
        &["send", "--legacy", "--port", &server.port(), "--json", &endless(&target)],
        None,
    );
    crate::support::soon_true(|| target.requests() > 0);
    signal("INT", client.id());
    let (code, _, stderr) = client.end();
    assert_eq!(code, Some(130));
    let said = format!(
        "warning: localhost:{} has not confirmed the document; if it runs there, `ldctl stop` with \
         the same options stops its test",
        server.port()
    );
    assert_eq!(stderr, [said]);
    ldctl().args(["ping", "--port", &server.port()]).assert().success();
}

#[test]
fn an_interrupted_run_prints_its_partial_results_and_exits_with_130() {
    let target = Target::start();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("endless.json");
    std::fs::write(&file, endless(&target)).expect("a file");
    let run = Running::start(&["run", "--output", "json", &file.display().to_string()], None);
    run.line_with(r#""event":"progress""#);
    signal("INT", run.id());
    run.line_with(r#""event":"started","index":1"#);
    let summary = run.line_with(r#""event":"result","index":1"#);
    assert!(!summary.contains(r#""totals":{"requests":0"#), "{summary}");
    assert_eq!(run.end().0, Some(130));
}

#[test]
fn a_second_test_is_refused_with_5_while_pings_are_answered() {
    let target = Target::start();
    let server = Server::start(&[], None);
    let first = Running::start(
        &["send", "--output", "json", "--port", &server.port(), "--json", &endless(&target)],
        None,
    );
    first.line_with(r#""event":"progress""#);
    ldctl().args(["ping", "--port", &server.port()]).assert().success();
    ldctl()
        .args(["send", "--port", &server.port(), "--json", &endless(&target)])
        .assert()
        .code(5)
        .stdout_eq("RuntimeError([..])\n");
    ldctl().args(["quit", "--port", &server.port()]).assert().success();
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn f14_a_closed_pipe_on_stdout_is_not_a_failure() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_ldctl"))
        .args(["run", "examples/quickstart.json", "--help"])
        .stdout(writer)
        .status()
        .expect("the program");
    assert_eq!(status.code(), Some(0));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_ldctl"))
        .args(["completions", "bash"])
        .stdout(writer)
        .stderr(Stdio::inherit())
        .status()
        .expect("the program");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_test_is_reported_and_stopped_and_its_client_gets_the_partial_results() {
    let target = Target::start();
    let server = Server::start(&[], Some("s3cret"));
    let ask = |verb: &str| {
        let ask = ldctl().args([verb, "--port", &server.port()]);
        ask.env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret")
    };
    for verb in ["status", "stop"] {
        ask(verb).assert().success().stdout_eq("no test is running\n").stderr_eq("");
        ask(verb)
            .args(["--output", "json"])
            .assert()
            .success()
            .stdout_eq("{\"event\":\"status\",\"state\":\"idle\"}\n");
        ask(verb).env("LOAD_DENSITY_SOCKET_TOKEN", "wrong").assert().code(4).stdout_eq("");
    }
    let client = Running::start(
        &["send", "--output", "json", "--port", &server.port(), "--json", &endless(&target)],
        Some("s3cret"),
    );
    client.line_with(r#""event":"progress""#);
    ask("status").assert().success().stdout_eq(
        "running: LD_start_test of run 1, [..] s so far, [..] s left, 2 users, [..] requests, 0 failed\n",
    );
    ask("status")
        .arg("--legacy")
        .assert()
        .success()
        .stdout_eq("running: LD_start_test of run 1[..]\n");
    ask("stop").args(["--output", "json"]).assert().success().stdout_eq(
        "{\"event\":\"status\",\"state\":\"stopped\",\"run\":1,\"name\":\"LD_start_test\",[..]}\n",
    );
    // The stop has waited for the end, so that the next test has room.
    ask("status").assert().success().stdout_eq("no test is running\n");
    let test = client.line_with(r#""event":"result","index":0"#);
    assert!(test.contains("cancelled before its end; the figures are partial"), "{test}");
    let summary = client.line_with(r#""event":"result","index":1"#);
    assert!(!summary.contains(r#""totals":{"requests":0"#), "{summary}");
    assert_eq!(client.end().0, Some(1));
}

#[test]
fn t46_quit_is_graceful_usr1_prints_the_status_and_other_signals_are_ignored() {
    let target = Target::start();
    let server = Server::start(&[], None);
    let client = Running::start(
        &["send", "--output", "json", "--port", &server.port(), "--json", &endless(&target)],
        None,
    );
    client.line_with(r#""event":"progress""#);
    for process in [server.id(), client.id()] {
        for name in ["USR2", "ALRM", "IO"] {
            signal(name, process);
        }
    }
    signal("USR1", client.id());
    signal("USR1", server.id());
    let status = server.talk_with("status: ");
    assert!(status.contains("; run 1 in progress: LD_start_test"), "{status}");
    signal("QUIT", server.id());
    client.line_with(r#""event":"result","index":0"#);
    client.line_with(r#""event":"done""#);
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn t46_quit_ends_a_run_with_its_partial_results() {
    let target = Target::start();
    let directory = tempfile::tempdir().expect("a directory");
    let document = directory.path().join("document.json");
    std::fs::write(&document, endless(&target)).expect("a file");
    let run = Running::start(&["run", "--output", "json", &document.display().to_string()], None);
    run.line_with(r#""event":"progress""#);
    for name in ["USR2", "ALRM", "USR1"] {
        signal(name, run.id());
    }
    run.talk_with("status: running: LD_start_test of run 1");
    signal("QUIT", run.id());
    run.line_with(r#""event":"result","index":1"#);
    assert_eq!(run.end().0, Some(130));
}

/// A server with figures to send to a collector that never responds.
fn with_silent_collector(timeout: &str) -> (Server, Scripted) {
    let collector = Scripted::raw(
        |mut socket, _| while socket.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {},
    );
    let target = Target::start();
    let server = Server::start(&["--shutdown-timeout", timeout], None);
    let document = json!([
        ["LD_start_influxdb_sink",
            {"transport": "http", "url": collector.url() + "/write", "timeout": 60}],
        ["LD_start_test", {
            "user_detail_dict": {"user": "fast_http_user", "host": target.url()},
            "user_count": 1, "test_time": 0.2,
            "tasks": [{"method": "get", "request_url": "/"}]}],
    ]);
    let sent = ["send", "--port", &server.port(), "--json", &document.to_string()];
    ldctl().args(sent).assert().success();
    (server, collector)
}

#[test]
fn t45_a_shutdown_does_not_wait_for_a_collector_that_is_silent() {
    let (server, _collector) = with_silent_collector("0.2");
    signal("TERM", server.id());
    server.talk_with("influxdb: the receiver does not respond; the last figures are lost");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn t45_a_second_signal_ends_a_server_that_waits_for_a_collector() {
    let (server, collector) = with_silent_collector("3600");
    soon_true(|| collector.connections() > 0);
    signal("INT", server.id());
    // It has heard the first when it listens no more.
    let port: u16 = server.port().parse().expect("a port");
    soon_true(|| TcpStream::connect(("127.0.0.1", port)).is_err());
    signal("TERM", server.id());
    assert_eq!(server.end().0, Some(130));
}
