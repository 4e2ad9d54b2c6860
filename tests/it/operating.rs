//! Operating a server that runs: what it has counted, and where that is told.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{
    DEADLINE, Running, Scripted, Server, descriptors, installed, ldctl, soon_true,
};

fn pong(server: &Server, token: &str) -> Value {
    let ping = ldctl()
        .args(["ping", "--output", "json", "--port", &server.port()])
        .env("LOAD_DENSITY_SOCKET_TOKEN", token)
        .assert()
        .success()
        .stderr_eq("");
    serde_json::from_slice(&ping.get_output().stdout).expect("JSON")
}

fn connect(port: &str) -> TcpStream {
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a server");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    stream
}

/// The reply to these bytes, or what there is of it.
fn exchange(port: &str, request: &[u8]) -> String {
    let mut stream = connect(port);
    stream.write_all(request).expect("a server that listens");
    let mut told = Vec::new();
    stream.read_to_end(&mut told).expect("a reply");
    String::from_utf8_lossy(&told).into_owned()
}

/// The figures in the older text format, which names every sample as its family.
fn scrape(port: &str) -> String {
    let answer = exchange(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
}

#[test]
fn a_ping_and_a_scrape_return_the_counters_of_the_server() {
    let server =
        Server::start(&["--max-connections", "8", "--request-timeout", "0.2"], Some("s3cret"));
    let port = server.port();
    // Too slow, then without room, then with a wrong token.
    let slow: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut slow = connect(&port);
            slow.write_all(b"\0").expect("a server that listens");
            slow
        })
        .collect();
    assert!(exchange(&port, b"null").contains("busy"), "all places are taken");
    for mut slow in slow {
        slow.read_to_end(&mut Vec::new()).expect("an end");
    }
    let until = Instant::now() + DEADLINE;
    while !exchange(&port, br#"{"token": "guess"}"#).contains("unauthorised") {
        assert!(Instant::now() < until, "no place is given back");
    }
    let pong = pong(&server, "s3cret");
    let counted = |key: &str| pong[key].as_u64().expect(key);
    assert_eq!(
        (counted("timeouts"), counted("auth_failures"), counted("shed"), counted("panics")),
        (8, 1, 0, 0)
    );
    assert_eq!(counted("connections"), counted("refused") + 10, "{pong}");
    assert_eq!(pong["address"], format!("localhost:{port}"));
    assert!(pong["round_trip_ms"].as_f64().expect("a time") > 0.0);

    ldctl()
        .args(["ping", "-v", "--port", &port])
        .env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret")
        .assert()
        .success()
        .stdout_eq(
            "ldctl [..] ms; connections [..], refused [..], wrong tokens 1, timeouts 8, shed 0, panics 0\n",
        );

    let started = ldctl()
        .args(["send", "--json", r#"[["LD_start_prometheus_exporter", {"port": 0}]]"#])
        .args(["--port", &port])
        .env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret")
        .assert()
        .success();
    let exporter = String::from_utf8_lossy(&started.get_output().stdout).trim().to_owned();
    let text = scrape(&exporter);
    for line in ["ldctl_auth_failures_total 1", "ldctl_timeouts_total 8", "ldctl_panics_total 0"] {
        assert!(text.lines().any(|told| told == line), "{text}");
    }
    assert!(text.contains("# TYPE ldctl_connections_total counter\n"), "{text}");
}

#[test]
fn promtool_finds_nothing_wrong_with_the_figures() {
    if !installed("promtool") {
        return;
    }
    let server = Server::start(&[], None);
    let document = r#"[["LD_start_prometheus_exporter", {"port": 0}],
        ["LD_start_test", {"user_detail_dict": {"user": "fast_http_user"}, "user_count": 1,
            "spawn_rate": 10, "test_time": 0.1, "tasks": [{"method": "get",
                "request_url": "http://127.0.0.1:1/"}]}]]"#;
    let started =
        ldctl().args(["send", "-", "--port", &server.port()]).stdin(document).assert().code(1);
    let told = String::from_utf8_lossy(&started.get_output().stdout).into_owned();
    let text = scrape(told.lines().next().expect("a port"));
    assert!(text.contains("loaddensity_requests_total{") && text.contains("ldctl_shed_total 0"));
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    promtool.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("a reader");
    let output = promtool.wait_with_output().expect("an end");
    let said = [output.stdout, output.stderr].concat();
    // The reference's own name for a latency in milliseconds, which is kept.
    let known = "loaddensity_request_latency_ms";
    let said = String::from_utf8_lossy(&said).into_owned();
    let news: Vec<&str> = said.lines().filter(|line| !line.starts_with(known)).collect();
    assert_eq!(news, [""; 0]);
}

#[test]
fn t43_the_control_port_is_served_while_a_test_takes_all_descriptors() {
    let data = tempfile::tempdir().expect("a directory");
    let place = data.path().display().to_string();
    let server = Server::start_after("ulimit -n 128", &["--data-dir", &place]);
    let silent = Scripted::raw(hold);
    let document = json!([
        ["LD_start_test", {
            "user_detail_dict": {"user": "fast_http_user", "host": silent.url()},
            "user_count": 100, "spawn_rate": 1000, "test_time": 3600,
            "tasks": [{"method": "get", "request_url": "/"}]}],
        ["LD_generate_json"],
    ]);
    let client = Running::start(
        &["send", "--output", "json", "--port", &server.port(), "--json", &document.to_string()],
        None,
    );
    // All that load may have.
    soon_true(|| descriptors(server.id()) >= 88);
    for verb in ["status", "ping"] {
        ldctl().args([verb, "--port", &server.port()]).assert().success();
    }
    let idle: Vec<TcpStream> = (0..16).map(|_| connect(&server.port())).collect();
    let stop = ldctl().args(["stop", "--port", &server.port()]).assert().success();
    let stopped = String::from_utf8_lossy(&stop.get_output().stdout).into_owned();
    assert!(stopped.starts_with("stop"), "{stopped}");
    let test = client.line_with(r#""event":"result","index":0"#);
    assert!(
        test.contains("100 users need 100 connections; 128 descriptors less 40 kept"),
        "{test}"
    );
    assert!(client.line_with(r#""event":"result","index":1"#).contains(r#""ok":true"#));
    drop(idle);
}

#[test]
fn t47_clients_that_hold_all_connections_of_a_stub_server_keep_neither_a_test_nor_the_port_out() {
    let server = Server::start_after("ulimit -n 256", &[]);
    let send = |document: Value| {
        let text = document.to_string();
        let sent = ldctl()
            .args(["send", "--output", "json", "--port", &server.port(), "--json", &text])
            .assert()
            .success();
        String::from_utf8_lossy(&sent.get_output().stdout).into_owned()
    };
    let started = send(json!([["LD_start_stub_server", {"rules": [{"path": "/"}]}]]));
    let port = started.split("\"port\":").nth(1).and_then(|rest| rest.split('}').next());
    let port = port.expect("a port").to_owned();
    let held: Vec<TcpStream> = (0..120).map(|_| connect(&port)).collect();
    soon_true(|| descriptors(server.id()) >= 96);
    ldctl().args(["ping", "--port", &server.port()]).assert().success();
    let result = send(json!([["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": format!("http://127.0.0.1:{port}")},
        "user_count": 3, "spawn_rate": 100, "test_time": 3,
        "tasks": [{"method": "get", "request_url": "/"}]}]]));
    assert!(result.contains(r#""failures":0,"failure_rate":0.0"#), "{result}");
    drop(held);
}

/// Reads a connection to its end and never responds.
fn hold(mut socket: TcpStream, _: usize) {
    while socket.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
}
