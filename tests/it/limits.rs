//! What documents and connections may ask for, and what is said to those that ask for more.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};

use serde_json::{Value, json};

use crate::support::{DEADLINE, Kept, Load, Server, Target, WITHOUT_TOKEN, ldctl};

/// A test of one user and one task for a moment, but for these arguments.
fn test_with(target: &Target, arguments: Value) -> Value {
    let mut test = json!({
        "user_detail_dict": {"user": "fast_http_user", "host": target.url()},
        "user_count": 1, "spawn_rate": 100, "test_time": 0.2, "wait_time": 0,
        "tasks": [{"method": "get", "request_url": "/"}],
    });
    let all = test.as_object_mut().expect("an object");
    all.extend(arguments.as_object().expect("an object").clone());
    json!(["LD_start_test", test])
}

/// A shape in place of a number of users and a time.
fn shape(name: &str, config: Value) -> Value {
    json!({"load_shape": name, "shape_config": config})
}

fn sent(server: &Server, document: &str) -> String {
    let sent = ldctl()
        .args(["send", "-", "--no-check", "--port", &server.port()])
        .stdin(document.to_owned())
        .assert()
        .code(1);
    String::from_utf8(sent.get_output().stdout.clone()).expect("UTF-8")
}

#[test]
fn t18_a_test_over_a_limit_is_refused_with_its_place_before_any_user_starts() {
    const BILLION: u64 = 1_000_000_000;
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    let server = Server::start(&["--data-dir", &data.path().display().to_string()], None);
    let users = "1000000000 users exceed --max-users 100000";
    let time = "1000000000 s exceed --max-test-time 604800";
    let sum = "1000000001 s in all exceed --max-test-time 604800";
    let rate = "expected a number above 0, got inf";
    let stage = |users: u64, seconds: u64, rate: &str| {
        let rate: Value = serde_json::from_str(rate).expect("JSON");
        let first = json!({"duration": 1, "users": 1});
        let second = json!({"duration": seconds, "users": users, "spawn_rate": rate});
        shape("stages", json!({"stages": [first, second]}))
    };
    let raw = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    let infinite = raw("1e999");
    for (arguments, place, message) in [
        (json!({"user_count": BILLION}), "/user_count", users),
        (json!({"test_time": BILLION}), "/test_time", time),
        (json!({"spawn_rate": infinite}), "/spawn_rate", rate),
        (stage(BILLION, 1, "1"), "/shape_config/stages/1/users", users),
        (stage(1, BILLION, "1"), "/shape_config/stages/1/duration", sum),
        (stage(1, 1, "1e999"), "/shape_config/stages/1/spawn_rate", rate),
        (shape("spike", json!({"spike_users": BILLION})), "/shape_config/spike_users", users),
        (shape("spike", json!({"baseline_users": BILLION})), "/shape_config/baseline_users", users),
        (shape("spike", json!({"pre_seconds": BILLION})), "/shape_config/pre_seconds", time),
        (
            shape("spike", json!({"pre_seconds": 1, "spike_seconds": BILLION})),
            "/shape_config/spike_seconds",
            sum,
        ),
        (shape("spike", json!({"spawn_rate": infinite})), "/shape_config/spawn_rate", rate),
        (shape("soak", json!({"users": BILLION})), "/shape_config/users", users),
        (
            shape("soak", json!({"users": 1, "ramp_seconds": BILLION})),
            "/shape_config/ramp_seconds",
            time,
        ),
        (
            shape("soak", json!({"users": 1, "ramp_seconds": 1, "hold_seconds": BILLION})),
            "/shape_config/hold_seconds",
            sum,
        ),
        (
            shape("soak", json!({"users": 1, "spawn_rate": infinite})),
            "/shape_config/spawn_rate",
            rate,
        ),
        (
            json!({"arrival_rate": {"rate": 1, "max_users": BILLION}}),
            "/arrival_rate/max_users",
            users,
        ),
        (json!({"arrival_rate": {"rate": infinite, "max_users": 1}}), "/arrival_rate/rate", rate),
    ] {
        let document = json!([test_with(&target, arguments)]).to_string();
        let line = format!("TypeError('LD_start_test: {place}: {message}')\n");
        assert_eq!(sent(&server, &document), line, "{document}");
    }
    // JSON has no NaN; as a text it is no number.
    let nan = json!([test_with(&target, json!({"spawn_rate": "NaN"}))]).to_string();
    let line = sent(&server, &nan);
    assert!(line.contains("/spawn_rate: expected a number above 0, got \"NaN\""), "{line}");
    ldctl()
        .args(["send", "-", "--port", &server.port()])
        .stdin(nan.replace("\"NaN\"", "NaN"))
        .assert()
        .code(2);
    // Nor does it pass inside another document.
    let inner = json!([test_with(&target, json!({"user_count": BILLION}))]);
    fs::write(data.path().join("inner.json"), inner.to_string()).expect("a file");
    for outer in
        [json!(["LD_execute_action", [inner]]), json!(["LD_execute_files", [["inner.json"]]])]
    {
        let line = sent(&server, &json!([outer]).to_string());
        assert!(line.contains(&format!("/user_count: {users}")), "{line}");
    }
    // A million tasks do not fit a request.
    let file = data.path().join("many.json");
    let many = json!(vec![json!({}); 1_000_000]);
    for (tasks, place) in [(json!({"tasks": many}), "/tasks/tasks"), (many, "/tasks")] {
        let document = json!([test_with(&target, json!({"tasks": tasks}))]).to_string();
        fs::write(&file, document).expect("a file");
        let message = "1000000 tasks exceed --max-tasks 10000";
        ldctl()
            .args(["run", "--no-check", &file.display().to_string()])
            .assert()
            .code(1)
            .stdout_eq(format!("TypeError('LD_start_test: {place}: {message}')\n"));
    }
    assert_eq!(target.requests(), 0);
}

#[test]
fn limits_are_raised_and_lowered_by_their_options_on_a_server_and_without_one() {
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("test.json");
    let path = file.display().to_string();
    for (option, value, arguments, line) in [
        ("--max-users", "2", json!({"user_count": 3}), "/user_count: 3 users exceed"),
        ("--max-test-time", "0.1", json!({}), "/test_time: 0.2 s exceed"),
        (
            "--max-tasks",
            "1",
            json!({"tasks": [{"request_url": "/"}, {"request_url": "/"}]}),
            "/tasks: 2 tasks exceed",
        ),
        // What the document leaves out counts as well.
        (
            "--max-users",
            "49",
            json!({"user_count": null}),
            "/user_count: the default of 50 users exceeds",
        ),
        (
            "--max-test-time",
            "59",
            shape("spike", json!({})),
            "/load_shape: the default of 90 s exceeds",
        ),
    ] {
        let document = json!([test_with(&target, arguments)]).to_string();
        fs::write(&file, &document).expect("a file");
        let refusal = format!("TypeError('LD_start_test: {line} {option} {value}')\n");
        let server = Server::start(&[option, value], None);
        assert_eq!(sent(&server, &document), refusal);
        let run = || ldctl().args(["run", &path, option, value]);
        run().arg("--no-check").assert().code(1).stdout_eq(refusal);
        let checked = run().assert().code(2).stdout_eq("");
        let said = String::from_utf8_lossy(&checked.get_output().stderr).into_owned();
        assert!(said.contains(&format!("{option} {value} [refused]\n")), "{said}");
    }
    let more = json!([test_with(&target, json!({"user_count": 100_001, "test_time": 1e-9}))]);
    fs::write(&file, more.to_string()).expect("a file");
    // It begins, and ends before its first request, or has too few descriptors on this machine.
    let run = ldctl().args(["run", &path, "--max-users", "100001"]).assert().code(1);
    let output = run.get_output();
    let told =
        String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    assert!(!told.contains("--max-users"), "{told}");
    assert_eq!(target.requests(), 0);
}

#[test]
fn a_test_without_an_end_ends_with_the_limit_and_says_so() {
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("endless.json");
    let document = json!([test_with(&target, json!({"test_time": null}))]);
    fs::write(&file, document.to_string()).expect("a file");
    ldctl()
        .args(["run", "--max-test-time", "0.3", &file.display().to_string()])
        .assert()
        .success()
        .stderr_eq("warning: stopped at --max-test-time 0.3\n");
}

#[test]
fn a_raised_limit_is_logged_once_at_the_start_and_a_lowered_one_is_not() {
    let raised = [
        ("--max-users", "100001", "100000"),
        ("--max-test-time", "604801", "604800"),
        ("--max-tasks", "10001", "10000"),
        ("--max-body-bytes", "4194305", "4194304"),
        ("--max-connections", "19901", "19900"),
        ("--handshake-timeout", "5.5", "5"),
        ("--request-timeout", "11", "10"),
        ("--max-request-bytes", "67108865", "67108864"),
        ("--max-documents", "33", "32"),
        ("--max-reply-queue", "1048577", "1048576"),
        ("--max-tests", "2", "1"),
        ("--max-watchers", "201", "200"),
        ("--keep-runs", "101", "100"),
        ("--shutdown-timeout", "10.001", "10"),
    ];
    let server = |arguments: Vec<&str>| {
        let server = Server::start(&arguments, None);
        ldctl().args(["quit", "--port", &server.port()]).assert().success();
        server.end().2
    };
    let mut told: Vec<String> = raised
        .iter()
        .map(|(flag, value, default)| {
            format!("warning: {flag} {value} is above its default of {default}")
        })
        .collect();
    told.push(WITHOUT_TOKEN.to_owned());
    assert_eq!(server(raised.iter().flat_map(|(flag, value, _)| [*flag, *value]).collect()), told);
    let defaults = raised.iter().flat_map(|(flag, _, default)| [*flag, *default]);
    assert_eq!(server(defaults.collect()), [WITHOUT_TOKEN]);
    assert_eq!(server(vec!["--max-users", "1", "--max-connections", "100"]), [WITHOUT_TOKEN]);
}

#[test]
fn a_connection_over_the_limit_gets_a_reply_that_names_the_option() {
    let server = Server::start(&["--max-connections", "1"], None);
    let _held = connect(&server);
    ldctl().args(["ping", "--port", &server.port()]).assert().code(5).stderr_eq(
        "error: localhost:[..]: busy: all connections are taken (--max-connections 1); try again later\n",
    );
}

#[test]
fn the_reply_to_a_request_that_is_too_slow_names_the_option() {
    let server = Server::start(&["--request-timeout", "0.1"], None);
    let mut slow = connect(&server);
    slow.write_all(b"\0\0\0\x04nul").expect("a server that listens");
    let mut told = Vec::new();
    slow.read_to_end(&mut told).expect("a reply");
    let told = String::from_utf8_lossy(&told).into_owned();
    let line = "Error: timeout: the request is not complete after 0.1 s (--request-timeout)\n";
    assert!(told.contains(line), "{told}");
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(format!("127.0.0.1:{}", server.port())).expect("a server");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    stream
}

#[test]
fn only_targets_that_are_allowed_are_reached_by_name_address_or_port() {
    let (target, other) = (Target::start(), Target::start());
    let port = |target: &Target| target.url().rsplit(':').next().expect("a port").to_owned();
    let (port, other_port) = (port(&target), port(&other));
    let urls = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.1:{other_port}/"),
    ];
    let tasks: Vec<Value> =
        urls.iter().map(|url| json!({"method": "get", "request_url": url})).collect();
    for (allowed, reached) in [
        (vec!["127.0.0.1".to_owned()], [true, true, true]),
        (vec![format!("127.0.0.0/8:{port}")], [true, true, false]),
        (vec!["localhost".to_owned()], [false, true, false]),
        (vec!["10.0.0.0/8".to_owned()], [false, false, false]),
        (vec!["localhost".to_owned(), format!("127.0.0.1:{other_port}")], [false, true, true]),
    ] {
        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        let before = target.requests() + other.requests();
        let rows = Load::once(json!(tasks)).allowed(&allowed).run().rows;
        let refused = |row: &Kept| match &row.error {
            None => false,
            Some(error) if error.ends_with(" is refused: no --allow-target names it") => true,
            Some(error) => panic!("{allowed:?}: {error}"),
        };
        let came: Vec<bool> = rows.iter().map(|row| !refused(row)).collect();
        assert_eq!(came, reached, "{allowed:?}");
        let count = reached.iter().filter(|came| **came).count() as u64;
        assert_eq!(target.requests() + other.requests() - before, count, "{allowed:?}");
    }
}

#[test]
fn a_server_and_a_run_keep_to_the_targets_that_are_allowed() {
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("test.json");
    let document =
        json!([test_with(&target, json!({"wait_time": 60})), ["LD_generate_json"]]).to_string();
    fs::write(&file, &document).expect("a file");
    let elsewhere = ["--allow-target", "[2001:db8::/32]:443", "--allow-target", "shop.example"];
    let server = Server::start(&elsewhere, None);
    let sent = ldctl().args(["send", "-", "--port", &server.port()]).stdin(document);
    let run = ldctl().arg("run").arg(&file).args(elsewhere);
    for command in [sent, run] {
        let told = command.assert().code(1);
        let told = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
        assert!(told.contains(" is refused: no --allow-target names it"), "{told}");
    }
    assert_eq!(target.requests(), 0);
}

#[test]
fn a_server_on_every_address_is_out_of_reach_of_tests_and_figures_at_each_of_them() {
    let server = Server::start(&["--host", "0.0.0.0", "--allow-unauthenticated"], None);
    // The address that the way out has. Nothing is sent; a machine without a network has loopback.
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let lan = socket.connect("203.0.113.9:9").and_then(|()| socket.local_addr());
    let lan = lan.map_or_else(|_| "127.0.0.2".to_owned(), |address| address.ip().to_string());
    for ip in [lan.as_str(), "127.0.0.3", "0.0.0.0"] {
        let port: u16 = server.port().parse().expect("a port");
        let told = sent(
            &server,
            &json!([
                ["LD_clear_records"],
                ["LD_start_test", {"user_detail_dict": {"user": "fast_http_user"}, "user_count": 1,
                    "test_time": 0.2, "wait_time": 60,
                    "tasks": [{"method": "get", "request_url": format!("http://{ip}:{port}/")}]}],
                ["LD_generate_json"],
                ["LD_start_statsd_sink", {"host": ip, "port": port}],
            ])
            .to_string(),
        );
        let own = "it is this server's own port";
        assert!(told.contains(&format!("target {ip}:{port} is refused: {own}")), "{told}");
        assert_eq!(told.matches(own).count(), 2, "{told}");
    }
}

#[test]
fn figures_are_not_sent_to_a_target_that_is_not_allowed() {
    let server = Server::start(&["--allow-target", "10.0.0.0/8"], None);
    let told = sent(&server, r#"[["LD_start_statsd_sink", {"host": "127.0.0.1", "port": 8125}]]"#);
    assert!(told.contains("no --allow-target names it"), "{told}");
}
