//! The search for the largest load, against a target whose limit is known.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::ldctl;

/// Requests per second that the target serves.
const LIMIT: u32 = 200;

/// A target with one queue, which serves its requests one after the other, each in the same time.
/// Below its limit a response takes that long, above it the queue grows. It ends with the process.
fn queue() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let free = Arc::new(Mutex::new(Instant::now()));
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let free = Arc::clone(&free);
            thread::spawn(move || serve(connection, &free));
        }
    });
    port
}

fn serve(connection: TcpStream, free: &Mutex<Instant>) -> Option<()> {
    respond(connection, || {
        let mut free = free.lock().expect("no panic");
        *free = (*free).max(Instant::now()) + Duration::from_secs(1) / LIMIT;
        free.saturating_duration_since(Instant::now())
    })
}

/// A target that makes the requests of its first second wait, as one does whose caches are cold. It
/// ends with the process.
fn cold() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let begun = Arc::new(OnceLock::new());
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let begun = Arc::clone(&begun);
            thread::spawn(move || {
                let late = move || {
                    let begun: &Instant = begun.get_or_init(Instant::now);
                    let cold = begun.elapsed() < Duration::from_secs(1);
                    if cold { Duration::from_millis(1500) } else { Duration::ZERO }
                };
                respond(connection, late)
            });
        }
    });
    port
}

/// Responds to each request after the time that `late` says.
fn respond(mut connection: TcpStream, late: impl Fn() -> Duration) -> Option<()> {
    let mut lines = BufReader::new(connection.try_clone().ok()?).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            // What the target is there for: its time is the measured one.
            thread::sleep(late());
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok()?;
        }
    }
    Some(())
}

/// Searches with these members; returns the events.
fn search(port: u16, members: &str, then: &str) -> Vec<serde_json::Value> {
    let document = format!(
        r#"[["LD_find_breaking_point", {{
            "test": {{"user_detail_dict": {{"host": "http://127.0.0.1:{port}"}},
                     "tasks": [{{"method": "get", "request_url": "/", "name": "home"}}]}},
            {members}}}] {then}]"#
    );
    let search = ldctl().args(["run", "-", "--output", "json"]).stdin(document.into_bytes());
    let done = search.output().expect("it runs");
    let output = String::from_utf8(done.stdout).expect("UTF-8");
    output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The result of the first action.
fn result(events: &[serde_json::Value]) -> &serde_json::Value {
    events.iter().find(|event| event["event"] == "result").expect("a result")
}

#[test]
fn a_load_holds_whose_late_responses_are_those_of_the_warm_up() {
    let events = search(
        cold(),
        r#""gate": [{"type": "latency_p95", "value": 400}], "low": 120, "high": 120, "confirm": 1,
           "max_users": 300, "step_time": 4, "warm_up": 1"#,
        "",
    );
    let value = &result(&events)["value"];
    assert_eq!(value["value"], 120.0, "{value:#}");
}

/// Searches for the limit of a queue; returns why the search was not exact, if it was not.
fn find_the_limit() -> Result<(), String> {
    let events = search(
        queue(),
        r#""gate": [{"type": "latency_p95", "value": 50}, {"type": "failure_rate", "value": 0}],
           "low": 100, "high": 1000, "step_time": 2, "settle": 0.2"#,
        r#", ["LD_assert_sla", {"rules": [{"type": "requests", "op": "gte", "value": 1}]}]"#,
    );
    let value = &result(&events)["value"];
    let results: Vec<_> = events.iter().filter(|event| event["event"] == "result").collect();
    let numbers: Vec<_> = events.iter().filter_map(|event| event["probe"].as_u64()).collect();
    let limit = f64::from(LIMIT);
    let found = value["value"].as_f64().unwrap_or_default();
    let failed = value["failed_at"].as_f64().unwrap_or(f64::INFINITY);
    let probes = value["probes"].as_array().map_or(0, Vec::len);
    let checks = [
        ("results", results.len() == 2 && results.iter().all(|result| result["ok"] == true)),
        // A queue that is 5 % too long for a second and a half shows in the latency.
        ("value", (limit * 0.95..=limit * 1.05).contains(&found)),
        ("failed_at", failed <= found * 1.05 + 1e-9),
        ("ended", value["ended"] == "found" && value["bounded"] == false),
        // The first probe, two doublings, four halvings and two confirmations; further ones where
        // probes contradict each other.
        ("probes", (9..=18).contains(&probes)),
        ("numbers", numbers.is_sorted() && numbers.first() == Some(&1)),
    ];
    match checks.iter().find(|(_, holds)| !holds) {
        None => Ok(()),
        Some((what, _)) => Err(format!("{what}: {results:#?}")),
    }
}

#[test]
fn the_limit_of_a_target_is_found_within_the_tolerance() {
    // A busy machine makes the target slower than it says; three searches in a row it does not.
    let failures: Vec<String> = (0..3).map_while(|_| find_the_limit().err()).collect();
    assert!(failures.len() < 3, "{failures:#?}");
}
