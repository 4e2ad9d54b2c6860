//! The search for the largest load, against a target whose limit is known.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
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

fn serve(mut connection: TcpStream, free: &Mutex<Instant>) -> Option<()> {
    let mut lines = BufReader::new(connection.try_clone().ok()?).lines();
    while let Some(Ok(line)) = lines.next() {
        if !line.is_empty() {
            continue;
        }
        let done = {
            let mut free = free.lock().ok()?;
            *free = (*free).max(Instant::now()) + Duration::from_secs(1) / LIMIT;
            *free
        };
        // What the target is there for: its time is the measured one.
        thread::sleep(done.saturating_duration_since(Instant::now()));
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").ok()?;
    }
    Some(())
}

#[test]
fn the_limit_of_a_target_is_found_within_the_tolerance() {
    let document = format!(
        r#"[["LD_find_breaking_point", {{
            "test": {{"user_detail_dict": {{"host": "http://127.0.0.1:{}"}},
                     "tasks": [{{"method": "get", "request_url": "/", "name": "home"}}]}},
            "gate": [{{"type": "latency_p95", "value": 50}}, {{"type": "failure_rate", "value": 0}}],
            "low": 100, "high": 1000, "step_time": 2, "settle": 0.2}}],
          ["LD_assert_sla", {{"rules": [{{"type": "requests", "op": "gte", "value": 1}}]}}]]"#,
        queue()
    );
    let done = ldctl()
        .args(["run", "-", "--output", "json"])
        .stdin(document.into_bytes())
        .assert()
        .success();
    let output = String::from_utf8(done.get_output().stdout.clone()).expect("UTF-8");
    let events = output.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let events: Vec<serde_json::Value> = events.collect();
    let value = &events.iter().find(|event| event["event"] == "result").expect("a result")["value"];
    // A queue that is 5 % too long for a second and a half shows in the latency; 10 % allow for a busy
    // machine, which can only make the target slower.
    let limit = f64::from(LIMIT);
    let found = value["value"].as_f64().expect("a load");
    assert!((limit * 0.9..=limit * 1.05).contains(&found), "{value:#}");
    let failed = value["failed_at"].as_f64().expect("a load");
    assert!(failed <= found * 1.05 + 1e-9, "{value:#}");
    assert_eq!((&value["ended"], &value["bounded"]), (&"found".into(), &false.into()), "{value:#}");
    let probes = value["probes"].as_array().expect("probes");
    // The first probe, two doublings, four halvings and two confirmations; more of them where probes of
    // a busy machine contradict each other.
    assert!(probes.len() >= 9, "{value:#}");
    let numbers: Vec<_> = events.iter().filter_map(|event| event["probe"].as_u64()).collect();
    assert!(numbers.is_sorted() && numbers.first() == Some(&1), "{numbers:?}");
}
