//! A test on several processes: masters and workers of ldctl over loopback, and what becomes of a
//! cluster when a part of it fails or is not what it says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Running, Server, Target, free_port, program, signal, soon_true};

fn document(target: &Target, more: &Value) -> String {
    let mut arguments = json!({
        "user_detail_dict": {"user": "fast_http_user", "host": target.url()},
        "user_count": 8, "spawn_rate": 100, "test_time": 2.5, "wait_time": 0.02,
        "tasks": [{"method": "get", "request_url": "/", "name": "home"}],
    });
    if let (Value::Object(arguments), Value::Object(more)) = (&mut arguments, more) {
        arguments.extend(more.clone());
    }
    json!([["LD_start_test", arguments], ["LD_summary"]]).to_string()
}

fn run(document: &str, args: &[&str]) -> Running {
    let mut command = program(&["run", "--output", "json", "--json", document]);
    Running::of(command.args(args).stdin(Stdio::null()))
}

fn master(document: &str, port: u16, args: &[&str]) -> Running {
    let port = port.to_string();
    run(document, &[&["--master", "--master-bind-port", &port], args].concat())
}

fn worker(document: &str, port: u16, args: &[&str]) -> Running {
    let port = port.to_string();
    run(document, &[&["--worker", "--master-port", &port], args].concat())
}

/// The exit code, and the results by command.
fn results(running: Running) -> (Option<i32>, Vec<Value>) {
    let (code, stdout, stderr) = running.end();
    let events = stdout.iter().map(|line| serde_json::from_str(line).expect("JSON"));
    let results: Vec<Value> = events.filter(|event: &Value| event["event"] == "result").collect();
    assert!(!results.is_empty(), "{stdout:?} {stderr:?}");
    (code, results)
}

fn requests(result: &Value) -> u64 {
    let value = &result["value"];
    let summary = if value["summary"].is_object() { &value["summary"] } else { value };
    summary["totals"]["requests"].as_u64().expect("requests")
}

fn warnings(result: &Value) -> String {
    result["warnings"].to_string()
}

#[test]
fn a_master_counts_every_request_that_its_workers_made_and_the_target_got() {
    let target = Target::start();
    let port = free_port();
    let document = document(&target, &json!({}));
    let workers: Vec<Running> = (0..2).map(|_| worker(&document, port, &[])).collect();
    let (code, results_of_master) = results(master(&document, port, &["--expect-workers", "2"]));
    assert_eq!(code, Some(0), "{results_of_master:?}");
    let test = &results_of_master[0];
    let mut sum = 0;
    for worker in workers {
        let (code, results) = results(worker);
        assert_eq!(code, Some(0), "{results:?}");
        assert!(requests(&results[1]) > 100);
        assert_eq!(results[0]["value"]["runner_mode"], "worker");
        sum += requests(&results[1]);
    }
    let counted = target.requests();
    assert_eq!((requests(test), requests(&results_of_master[1]), sum), (counted, counted, counted));
    let value = &test["value"];
    let health = &value["distributed_health"];
    assert_eq!((&health["status"], &health["target_users"]), (&json!("stopped"), &json!(8)));
    assert_eq!(
        (&health["affected_workers"], &health["request_replay"]),
        (&json!([]), &json!(false))
    );
    assert_eq!(health["workers"].as_object().expect("workers").len(), 2);
    assert_eq!(value["statuses"]["200"], counted, "{value}");
    assert_eq!(value["peak_users"], 8);
    let text = test["text"].as_str().expect("a text");
    assert!(
        text.contains("'runner_mode': 'master', 'distributed_health': {'status': 'stopped'"),
        "{text}"
    );
}

#[test]
fn gates_of_a_master_judge_the_whole_test() {
    let target = Target::start();
    let port = free_port();
    let worker = worker(&document(&target, &json!({})), port, &[]);
    let gate = json!({"test_time": 60, "abort_on": [{"type": "requests", "value": 300}]});
    let (code, results) = results(master(&document(&target, &gate), port, &[]));
    assert_eq!((code, &results[0]["error"]["kind"]), (Some(1), &json!("gate")), "{results:?}");
    assert_eq!(worker.end().0, Some(0));
}

#[test]
fn a_master_without_enough_workers_fails_or_starts_as_its_policy_says() {
    let target = Target::start();
    let port = free_port();
    let waits = json!({"expected_workers": 2, "worker_startup_timeout": 1.5, "test_time": 1});
    let (code, failed) = results(master(&document(&target, &waits), port, &[]));
    assert_eq!((code, &failed[0]["error"]["kind"]), (Some(1), &json!("network")));
    let why = failed[0]["error"]["message"].as_str().expect("a message");
    assert_eq!(why, "only 0/2 healthy ready workers joined within 1.5s");
    assert_eq!(target.requests(), 0);

    let port = free_port();
    let waits = json!({"expected_workers": 2, "worker_startup_timeout": 3, "test_time": 1,
        "worker_startup_policy": "degraded"});
    let document = document(&target, &waits);
    let worker = worker(&document, port, &[]);
    let (code, started) = results(master(&document, port, &[]));
    assert_eq!(code, Some(0), "{started:?}");
    let health = &started[0]["value"]["distributed_health"];
    assert_eq!(health["status"], "degraded");
    assert_eq!(requests(&started[0]), target.requests());
    assert_eq!(worker.end().0, Some(0));
}

#[test]
fn the_users_of_a_killed_worker_go_to_another_and_the_result_says_so() {
    let target = Target::start();
    let port = free_port();
    let document = document(&target, &json!({"test_time": 12}));
    let killed = worker(&document, port, &[]);
    let other = worker(&document, port, &[]);
    let master = master(&document, port, &["--expect-workers", "2"]);
    master.line_with(r#""users":8"#);
    signal("KILL", killed.id());
    master.talk_with("is lost");
    master.line_with(r#""users":8"#);
    let (code, results) = results(master);
    assert_eq!(code, Some(0), "{results:?}");
    let health = &results[0]["value"]["distributed_health"];
    assert_eq!(health["affected_workers"].as_array().expect("workers").len(), 1);
    let said = warnings(&results[0]);
    assert!(said.contains("1 workers were lost or left during the test"), "{said}");
    drop(killed);
    assert_eq!(other.end().0, Some(0));
}

#[test]
fn a_stopped_worker_that_continues_takes_its_users_back() {
    let target = Target::start();
    let port = free_port();
    let lost = json!({"test_time": 14, "worker_lost_timeout": 2, "worker_heartbeat_interval": 1});
    let document = document(&target, &lost);
    let stopped = worker(&document, port, &[]);
    let other = worker(&document, port, &[]);
    let master = master(&document, port, &["--expect-workers", "2"]);
    master.line_with(r#""users":8"#);
    signal("STOP", stopped.id());
    master.talk_with("is lost");
    signal("CONT", stopped.id());
    master.talk_with("is back");
    master.line_with(r#""users":8"#);
    let (code, results) = results(master);
    assert_eq!(code, Some(0), "{results:?}");
    for worker in [stopped, other] {
        assert_eq!(worker.end().0, Some(0));
    }
}

#[test]
fn a_master_whose_workers_are_all_gone_ends_with_what_it_has() {
    let target = Target::start();
    let port = free_port();
    let document = document(&target, &json!({"test_time": 600}));
    let killed = worker(&document, port, &[]);
    let master = master(&document, port, &[]);
    master.line_with(r#""users":8"#);
    signal("KILL", killed.id());
    let (code, results) = results(master);
    assert_eq!((code, &results[0]["error"]["kind"]), (Some(1), &json!("network")), "{results:?}");
    assert_eq!(results[0]["error"]["message"], "all workers lost or stopped");
    drop(killed);
}

#[test]
fn a_worker_whose_master_was_killed_keeps_its_load_within_a_minute_and_its_record() {
    let target = Target::start();
    let port = free_port();
    let document = document(&target, &json!({"test_time": 600}));
    let worker = worker(&document, port, &[]);
    let killed = master(&document, port, &[]);
    killed.line_with(r#""users":8"#);
    signal("KILL", killed.id());
    drop(killed);
    // Restarted: it knows nothing of the worker's users, and takes it anew.
    let restarted = master(&document, port, &["--test-time", "2"]);
    let (code, results_of_master) = results(restarted);
    assert_eq!(code, Some(0), "{results_of_master:?}");
    let (code, results) = results(worker);
    assert_eq!(code, Some(0));
    let all = target.requests();
    assert_eq!(requests(&results[1]), all, "the local record has the requests of both");
    assert!(requests(&results_of_master[0]) < all);
    let said = warnings(&results[0]);
    assert!(said.contains("the connection to the master was lost"), "{said}");
}

#[test]
fn an_interrupted_master_ends_its_workers_and_prints_what_they_measured() {
    let target = Target::start();
    let port = free_port();
    let document = document(&target, &json!({"test_time": 600}));
    let worker = worker(&document, port, &[]);
    let master = master(&document, port, &[]);
    master.line_with(r#""users":8"#);
    signal("INT", master.id());
    let (code, stdout, _) = master.end();
    assert_eq!(code, Some(130));
    assert!(stdout.iter().any(|line| line.contains("cancelled before its end")), "{stdout:?}");
    assert_eq!(worker.end().0, Some(0), "the master told it to leave");
}

#[test]
fn a_worker_on_a_server_is_held_and_can_be_stopped() {
    let target = Target::start();
    let port = free_port();
    let document = document(&target, &json!({"test_time": 600}));
    let server = Server::start(&[], None);
    let args = ["send", "--output", "json", "--port", &server.port(), "--json", &document];
    let port_text = port.to_string();
    let sent =
        Running::start(&[&args[..], &["--worker", "--master-port", &port_text]].concat(), None);
    let master = master(&document, port, &[]);
    sent.line_with(r#""users":8"#);
    signal("INT", sent.id());
    let result = sent.line_with(r#""event":"result","index":0"#);
    assert!(result.contains("cancelled before its end"), "{result}");
    // It leaves on its own, and it was the last.
    let (code, results) = results(master);
    assert_eq!(code, Some(1), "{results:?}");
    assert_eq!(results[0]["error"]["message"], "all workers lost or stopped");
}

/// Servers whose data directories have the same file of rows.
fn servers(rows: usize) -> Vec<(Server, tempfile::TempDir)> {
    let lines: String = (0..rows).map(|row| format!("row-{row}\n")).collect();
    (0..2)
        .map(|_| {
            let dir = tempfile::tempdir().expect("a directory");
            std::fs::write(dir.path().join("rows.csv"), format!("n\n{lines}")).expect("written");
            let path = dir.path().display().to_string();
            (Server::start(&["--data-dir", &path], Some("s3cret")), dir)
        })
        .collect()
}

/// `send --fan-out` to them.
fn fan_out(document: &str, servers: &[(Server, tempfile::TempDir)]) -> Running {
    let named: Vec<String> =
        servers.iter().map(|(server, _)| format!("127.0.0.1:{}", server.port())).collect();
    let port = free_port().to_string();
    let args = ["send", "--output", "json", "--json", document, "--master-bind-port", &port];
    Running::start(&[&args[..], &["--fan-out", &named.join(",")]].concat(), Some("s3cret"))
}

#[test]
fn several_servers_make_a_test_together_and_each_row_of_a_source_is_used_once() {
    let target = Target::start();
    let servers = servers(30);
    let document = document(
        &target,
        &json!({
            "csv_sources": [{"name": "rows", "file_path": "rows.csv", "cycle": false}],
            "tasks": [{"method": "get", "request_url": "/", "name": "${csv.rows.n}"}],
        }),
    );
    let (code, results) = results(fan_out(&document, &servers));
    assert_eq!(code, Some(0), "{results:?}");
    let summary = &results[1]["value"];
    assert_eq!(requests(&results[1]), target.requests());
    for row in 0..30 {
        let name = format!("row-{row}");
        assert_eq!(summary["per_name"][&name]["requests"], 1, "{name}: {summary}");
    }
    let health = &results[0]["value"]["distributed_health"];
    assert_eq!(health["workers"].as_object().expect("workers").len(), 2);
}

#[test]
fn one_interrupt_ends_a_test_of_several_servers_and_a_server_that_is_missing_prevents_it() {
    let target = Target::start();
    let servers = servers(1);
    let document = document(&target, &json!({"test_time": 600}));
    let sent = fan_out(&document, &servers);
    sent.line_with(r#""users":8"#);
    signal("INT", sent.id());
    let (code, stdout, _) = sent.end();
    assert_eq!(code, Some(130));
    assert!(stdout.iter().any(|line| line.contains("cancelled before its end")), "{stdout:?}");
    for (server, _) in &servers {
        let mut status = program(&["status", "--output", "json", "--port", &server.port()]);
        let (code, said, _) = Running::of(status.env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret")).end();
        assert_eq!(code, Some(0), "{said:?}");
        assert!(!said.concat().contains(r#""state":"running""#), "{said:?}");
    }
    let before = target.requests();
    let mut named: Vec<String> =
        servers.iter().map(|(server, _)| format!("127.0.0.1:{}", server.port())).collect();
    named.push(format!("127.0.0.1:{}", free_port()));
    let args = ["send", "--json", &document, "--fan-out", &named.join(",")];
    let (code, _, stderr) = Running::start(&args, Some("s3cret")).end();
    assert_eq!(code, Some(3), "{stderr:?}");
    assert_eq!(target.requests(), before, "none of the others has begun");
}

#[test]
fn a_server_that_does_not_accept_its_part_ends_the_wait() {
    let target = Target::start();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    let document = document(&target, &json!({}));
    let args = ["send", "--timeout", "0.2", "--json", &document, "--fan-out", &address];
    let (code, _, stderr) = Running::start(&args, Some("s3cret")).end();
    let said =
        format!("error: {address}: no reply within 0.2 s; raise --timeout, or check the server");
    assert_eq!((code, stderr.last()), (Some(3), Some(&said)), "{stderr:?}");
}

/// The greeting and READY of a worker.
fn hello(identity: &str) -> Vec<u8> {
    let mut hello = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec();
    hello.resize(64, 0);
    let mut ready = b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0".to_vec();
    ready.push(identity.len() as u8);
    ready.extend_from_slice(identity.as_bytes());
    hello.extend_from_slice(&[4, ready.len() as u8]);
    hello.extend(ready);
    hello
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&[0, body.len() as u8], body].concat()
}

#[test]
fn t70_garbage_from_those_who_are_no_workers_disturbs_no_test() {
    let target = Target::start();
    let port = free_port();
    let document = document(&target, &json!({"test_time": 4}));
    let worker = worker(&document, port, &[]);
    let master = master(&document, port, &[]);
    master.line_with(r#""users":8"#);
    let connect = || TcpStream::connect(("127.0.0.1", port)).expect("a master");
    let send = |bytes: &[u8]| {
        let mut stream = connect();
        stream.write_all(bytes).expect("sent");
        stream
    };
    let mut open = Vec::new();
    for garbage in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 100_000],
        hello("silent_1"),
        [hello("bad_1"), frame(b"\xc1"), frame(b""), frame(b"\x93\xa5stats\xc0\xc0")].concat(),
        [
            hello("bad_2"),
            frame(b"\x93\xacclient_ready\xff\xa5bad_2"),
            frame(b"\x93\xa5stats\x01\xc0"),
        ]
        .concat(),
        [hello("bad_3"), vec![2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat(),
    ] {
        open.push(send(&garbage));
    }
    // Twenty messages that cannot be read are one too many.
    let mut noisy = send(&[hello("noisy_1"), frame(b"\xc1").repeat(40)].concat());
    let mut rest = Vec::new();
    noisy.read_to_end(&mut rest).expect("closed");
    let (code, results) = results(master);
    assert_eq!(code, Some(0), "{results:?}");
    assert_eq!(requests(&results[0]), target.requests());
    let said = warnings(&results[0]);
    assert!(said.contains("messages of workers could not be read"), "{said}");
    drop(open);
    assert_eq!(worker.end().0, Some(0));
}

#[test]
fn t74_a_master_waits_on_loopback_and_for_those_whom_the_operator_names() {
    let target = Target::start();
    let port = free_port();
    let quick = json!({"worker_startup_timeout": 1.5, "master_bind_host": "*", "master_bind_port": port,
        "runner_mode": "master"});
    let everywhere = document(&target, &quick);
    let (code, refused) = results(run(&everywhere, &[]));
    let why = refused[0]["error"]["message"].as_str().expect("a message");
    assert_eq!(code, Some(1));
    assert!(
        why.ends_with("documents listen on loopback only; --allow-listen 0.0.0.0 permits it"),
        "{why}"
    );

    let quick = document(&target, &json!({"worker_startup_timeout": 3, "test_time": 1}));
    let port = free_port();
    let _turned_away = worker(&quick, port, &[]);
    let (code, refused) = results(master(&quick, port, &["--worker-allow", "10.0.0.0/8"]));
    let why = refused[0]["error"]["message"].as_str().expect("a message");
    assert_eq!(code, Some(1));
    let joined = "only 0/1 healthy ready workers joined within 3.0s; ";
    let refused = "connections from addresses that --worker-allow does not name were refused";
    assert!(why.starts_with(joined) && why.ends_with(refused), "{why}");

    let port = free_port();
    let document = document(&target, &json!({"test_time": 1}));
    let worker = worker(&document, port, &[]);
    let open = ["--master-bind-host", "*"];
    let (code, warned) = results(master(&document, port, &open));
    assert_eq!(code, Some(0), "{warned:?}");
    let said = warnings(&warned[0]);
    assert!(said.contains("workers are not authenticated: whoever reaches 0.0.0.0:"), "{said}");
    assert_eq!(worker.end().0, Some(0));
}

#[test]
fn t75_a_worker_connects_to_no_master_that_targets_refuse() {
    let target = Target::start();
    let document = document(&target, &json!({}));
    for (host, args, why) in [
        ("127.0.0.1", &["--allow-target", "10.0.0.0/8"][..], "no --allow-target names it"),
        ("169.254.169.254", &[], "is refused"),
    ] {
        let (code, refused) =
            results(worker(&document, 5557, &[&["--master-host", host], args].concat()));
        let said = refused[0]["error"]["message"].as_str().expect("a message");
        assert!(said.contains(why), "{said}");
        assert_eq!((code, &refused[0]["error"]["kind"]), (Some(1), &json!("network")));
    }
    let server = Server::start(&[], None);
    let own = ["--worker", "--master-port", &server.port()];
    let args = ["send", "--output", "json", "--port", &server.port(), "--json", &document];
    let (code, refused) = results(Running::start(&[&args[..], &own].concat(), None));
    let said = refused[0]["error"]["message"].as_str().expect("a message");
    assert!(said.contains("it is this server's own port"), "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn t73_a_worker_runs_no_more_users_than_its_operator_allows() {
    let target = Target::start();
    let port = free_port();
    let document = document(&target, &json!({}));
    let limited = worker(&document.replace("\"user_count\":8,", ""), port, &["--max-users", "50"]);
    let master = master(&document, port, &["--users", "500", "--spawn-rate", "500"]);
    let (code, of_master) = results(master);
    assert_eq!(code, Some(0), "{of_master:?}");
    let (code, results) = results(limited);
    assert_eq!(code, Some(0), "{results:?}");
    assert_eq!(of_master[0]["value"]["peak_users"], 50, "the master is told what runs");
    let said = warnings(&results[0]);
    assert!(said.contains("--max-users 50 allows no more"), "{said}");
    soon_true(|| target.requests() == requests(&of_master[0]));
}

#[test]
fn those_who_wait_for_a_cluster_say_for_whom() {
    let target = Target::start();
    let port = free_port();
    let document = document(&target, &json!({"test_time": 0.2}));
    let early = worker(&document, port, &[]);
    let wait = early.talk_with("no master");
    let expected = format!("warning: no master at 127.0.0.1:{port} yet (");
    assert!(wait.starts_with(&expected), "{wait}");
    assert!(
        wait.ends_with("refused); trying for 5 min more (--master-host, --master-port)"),
        "{wait}"
    );
    let master = master(&document, port, &["--expect-workers", "2"]);
    let wait = master.talk_with("waiting for");
    let expected = format!("warning: waiting for 2 workers on 127.0.0.1:{port}, ");
    assert!(wait.starts_with(&expected) && wait.ends_with(" connected"), "{wait}");
    let late = worker(&document, port, &[]);
    for running in [early, late, master] {
        assert_eq!(running.end().0, Some(0));
    }
}

#[test]
fn what_is_wrong_with_a_server_of_a_fan_out_names_the_option() {
    let document = document(&Target::start(), &json!({}));
    let port = free_port();
    for (address, expected) in [
        ("no-such-host.invalid".to_owned(), "error: --fan-out: no way to no-such-host.invalid: "),
        (format!("127.0.0.1:{port}"), "or check --fan-out"),
    ] {
        let send = ["send", "--json", &document, "--fan-out", &address];
        let (code, _, stderr) = Running::start(&send, None).end();
        let told = stderr.last().map(String::as_str).unwrap_or_default();
        assert!(code == Some(3) && told.contains(expected), "{code:?} {stderr:?}");
    }
}
