//! Runs over HTTP: every request of the API, over sockets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::endings::endless;
use crate::runs::short;
use crate::support::web::{Door, asked, get, post};
use crate::support::{Server, Target, signal, soon_true};

/// Starts a document: the number of its run.
pub(crate) fn start(door: &Door, document: &str) -> u64 {
    let started = door.ask(post("/api/v1/runs", document));
    assert_eq!(started.status, 202, "{}", started.text());
    started.json()["run"].as_u64().expect("a number")
}

/// The state and figures of a run.
fn look(door: &Door, run: u64) -> Value {
    let found = door.ask(get(&format!("/api/v1/runs/{run}")));
    assert_eq!(found.status, 200, "{}", found.text());
    found.json()
}

pub(crate) fn wait_for(door: &Door, run: u64, state: &str) {
    soon_true(|| look(door, run)["state"] == state);
}

#[test]
fn a_run_is_started_listed_looked_at_and_stopped() {
    let (target, door) = (Target::start(), Door::open(&[], Some("s3cret")));
    let started = door.ask(post("/api/v1/runs?name=nightly%20shop", &endless(&target)));
    assert_eq!(started.status, 202, "{}", started.text());
    assert_eq!(started.header("location"), "/api/v1/runs/1");
    assert_eq!(started.header("content-type"), "application/json");
    let info = started.json();
    assert_eq!((&info["run"], &info["name"]), (&json!(1), &json!("nightly shop")));
    assert_eq!((&info["held"], &info["peer"]), (&json!(false), &json!("127.0.0.1")));
    soon_true(|| look(&door, 1)["requests"].as_u64().is_some_and(|requests| requests > 0));
    let list = door.ask(get("/api/v1/runs?limit=5&state=running")).json();
    assert_eq!(list["runs"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["runs"][0]["run"], 1);
    assert_eq!(door.ask(get("/api/v1/runs?state=passed")).json(), json!({"runs": []}));
    let stopped = door.ask(post("/api/v1/runs/1/stop", ""));
    assert_eq!((stopped.status, &stopped.json()["run"]), (202, &json!(1)));
    wait_for(&door, 1, "cancelled");
    let run = look(&door, 1);
    assert_eq!(run["message"], "stopped on request");
    let commands: Vec<&str> = run["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter_map(|result| result["command"].as_str())
        .collect();
    assert_eq!(commands, ["LD_start_test", "LD_summary"], "its later actions have run");
    // A stop of a run that has ended changes nothing.
    assert_eq!(door.ask(post("/api/v1/runs/1/stop", "")).json()["state"], "cancelled");
}

#[test]
fn a_test_that_finds_no_place_is_refused_with_its_holder_unless_it_may_wait() {
    let (target, door) = (Target::start(), Door::open(&[], None));
    let first = start(&door, &endless(&target));
    soon_true(|| look(&door, first)["users"] == 2);
    let document = json!([short(&target, "second")]).to_string();
    let refused = door.ask(post("/api/v1/runs", &document));
    let (status, kind, message) = refused.error();
    assert_eq!((status, kind.as_str()), (409, "busy"), "{message}");
    assert!(message.starts_with("another test is running: LD_start_test of run 1"), "{message}");
    let error = &refused.json()["error"];
    assert_eq!(error["holder"], 1);
    let left = error["holder_remaining_s"].as_f64().expect("seconds");
    assert!((1.0..3600.0).contains(&left), "{left}");
    let queued = door.ask(post("/api/v1/runs?queue=60", &document));
    assert_eq!((queued.status, &queued.json()["state"]), (202, &json!("queued")));
    assert_eq!(queued.json()["run"], 2, "what was refused has no number");
    // What has no test needs no place.
    assert_eq!(start(&door, r#"[["LD_summary"]]"#), 3);
    door.ask(post("/api/v1/runs/1/stop", ""));
    wait_for(&door, 2, "passed");
}

#[test]
fn what_is_wrong_with_a_request_has_a_status_a_kind_and_the_words_of_the_socket() {
    let door = Door::open(&[], None);
    let list = r#"[["LD_summary"]]"#;
    let long = format!("[[\"print\", [\"{}\"]]]", "x".repeat(1 << 20));
    let name = format!("/api/v1/runs?name={}", "x".repeat(201));
    for (asked, status, kind, message) in [
        (
            post("/api/v1/runs", "[1,"),
            400,
            "invalid-json",
            "EOF while parsing a value at line 1 column 3",
        ),
        (post("/api/v1/runs", ""), 400, "invalid-json", "EOF while parsing a value at line 1"),
        (
            post("/api/v1/runs", "{}"),
            400,
            "invalid-document",
            "executor received invalid data: list is empty or wrong type; line 1, column 1: not a document: \
             expected a list of actions",
        ),
        (post(&name, list), 400, "invalid-document", "name: expected 1 to 200 characters"),
        (
            post("/api/v1/runs?name=%1B%5B2J", list),
            400,
            "invalid-document",
            "name: control characters are not allowed",
        ),
        (
            post("/api/v1/runs?queue=-1", list),
            400,
            "invalid-document",
            "queue: expected 0 to 604800 seconds, got -1",
        ),
        (
            get("/api/v1/runs?limit=1001"),
            400,
            "invalid-document",
            "limit: expected 1 to 1000, got 1001",
        ),
        (
            get("/api/v1/runs?state=idle"),
            400,
            "invalid-document",
            "state: expected one of queued, running",
        ),
        (post("/api/v1/runs", &long), 413, "limit", "limit: the body is longer than 1048576 bytes"),
        (get("/api/v1/runs/7"), 404, "unknown-run", "unknown run 7"),
        (post("/api/v1/runs/7/stop", ""), 404, "unknown-run", "unknown run 7"),
        (get("/api/v1/runs/7/events"), 404, "unknown-run", "unknown run 7"),
        (get("/api/v1/runs/x"), 404, "not-found", "there is nothing at this path"),
        (get("/api/v1/runs/0"), 404, "not-found", "there is nothing at this path"),
        (get("/api/v1/nothing"), 404, "not-found", "there is nothing at this path"),
        (get("/api"), 404, "not-found", "there is nothing at this path"),
        (get("/api/v1/runs/7/stop"), 405, "method-not-allowed", "this path has other methods"),
        (asked("DELETE", "/api/v1/runs"), 405, "method-not-allowed", "this path has other methods"),
    ] {
        let answer = door.ask(asked.clone());
        let found = answer.error();
        assert_eq!((found.0, found.1.as_str()), (status, kind), "{asked:?}: {}", found.2);
        assert!(found.2.starts_with(message), "{asked:?}: {}", found.2);
        assert_eq!(answer.header("content-type"), "application/json");
    }
    for (asked, allow) in [
        (asked("DELETE", "/api/v1/runs"), ["GET", "HEAD", "POST"].as_slice()),
        (get("/api/v1/runs/7/stop"), &["POST"]),
        (post("/healthz", ""), &["GET", "HEAD"]),
    ] {
        let header = door.ask(asked).header("allow");
        let mut methods: Vec<&str> = header.split(',').map(str::trim).collect();
        methods.sort_unstable();
        assert_eq!(methods, allow);
    }
    assert_eq!(door.ask(get("/api/v1/runs")).json(), json!({"runs": []}), "nothing was run");
}

#[test]
fn the_server_is_up_for_whoever_asks() {
    let door = Door::open(&[], Some("s3cret"));
    let up = door.ask_bare(&get("/healthz").host("whatever.example"));
    assert_eq!((up.status, up.text().as_str()), (200, "ok\n"));
}

/// The events of a stream: their numbers and what they hold.
fn events(lines: impl Iterator<Item = String>) -> Vec<(u64, Value)> {
    let (mut events, mut number) = (Vec::new(), 0);
    for line in lines {
        if let Some(id) = line.strip_prefix("id: ") {
            number = id.parse().expect("a number");
        } else if let Some(data) = line.strip_prefix("data: ") {
            events.push((number, serde_json::from_str(data).expect("JSON")));
        }
    }
    events
}

fn kinds(events: &[(u64, Value)]) -> Vec<String> {
    let kinds = events.iter().filter_map(|(_, event)| event["event"].as_str());
    kinds.filter(|kind| *kind != "progress").map(str::to_owned).collect()
}

const WHOLE: [&str; 6] = ["accepted", "started", "result", "started", "result", "done"];

#[test]
fn the_events_of_a_run_come_as_they_happen_and_continue_where_a_client_was() {
    let (target, data) = (Target::start(), tempfile::tempdir().expect("a directory"));
    let history = data.path().join("history.db").display().to_string();
    let door = Door::open(&["--history", &history], Some("s3cret"));
    let run = start(&door, &endless(&target));
    let path = format!("/api/v1/runs/{run}/events");
    let mut lines = door.follow(get(&path));
    // It is in progress, and so is its stream.
    let progress = lines.find(|line| line.contains(r#""event":"progress""#)).expect("progress");
    assert!(progress.starts_with("data: {"), "{progress}");
    door.ask(post(&format!("/api/v1/runs/{run}/stop"), ""));
    drop(lines);
    let all = events(door.follow(get(&path)));
    assert_eq!(kinds(&all), WHOLE);
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "{all:?}");
    let (last, done) = all.last().expect("done");
    assert_eq!(done["state"], "cancelled");
    let from = |id: u64| get(&path).header("Last-Event-ID", &id.to_string());
    let first_result = all.iter().find(|(_, event)| event["event"] == "result").expect("one").0;
    let rest = events(door.follow(from(first_result)));
    assert_eq!(kinds(&rest), WHOLE[3..]);
    assert_eq!(door.ask(from(*last)).status, 204, "a browser asks no more");
    assert_eq!(events(door.follow(from(last + 500))), all, "that was an event of another run");
    let (status, _, message) = door.ask(get(&path).header("Last-Event-ID", "x")).error();
    assert_eq!((status, message.as_str()), (400, "Last-Event-ID: expected the number of an event"));
    // The same from the history of a server that has ended.
    let shown = door.ask(get(&format!("/api/v1/runs/{run}"))).json();
    signal("TERM", door.server.id());
    assert_eq!(door.server.end().0, Some(0));
    let door = Door::open(&["--history", &history], Some("s3cret"));
    assert_eq!(events(door.follow(get(&path))), all);
    assert_eq!(kinds(&events(door.follow(from(first_result)))), WHOLE[3..]);
    assert_eq!(door.ask(from(*last)).status, 204);
    assert_eq!(events(door.follow(from(last + 500))), all);
    assert_eq!(look(&door, run)["results"], shown["results"]);
}

#[test]
fn t93_watchers_over_http_and_on_the_socket_share_one_limit() {
    let (target, door) = (Target::start(), Door::open(&["--max-watchers", "1"], None));
    let run = start(&door, &endless(&target));
    let path = format!("/api/v1/runs/{run}/events");
    let mut lines = door.follow(get(&path));
    lines.find(|line| line.contains("accepted")).expect("an event");
    let (status, kind, message) = door.ask(get(&path)).error();
    assert_eq!((status, kind.as_str()), (503, "busy"));
    assert_eq!(message, "busy: too many watchers (--max-watchers 1)");
    let attached = told(&door.server, &["attach"]);
    assert!(attached.contains("too many watchers"), "{attached}");
    drop(lines);
    soon_true(|| {
        let mut stream = door.connect();
        use std::io::{Read, Write};
        let head = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", door.host);
        stream.write_all(head.as_bytes()).expect("a door");
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).is_ok() && begin.ends_with(b"200")
    });
}

#[test]
fn t32_a_run_of_any_number_of_names_costs_those_who_watch_it_a_bounded_page_and_small_events() {
    let (target, door) = (Target::start(), Door::open(&[], None));
    let name = format!("{}${{randint(1, 1000000000)}}", "a rather long name ".repeat(5));
    let document = json!([["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": target.url()},
        "user_count": 4, "spawn_rate": 1000, "test_time": 600, "wait_time": 0,
        "tasks": [{"method": "get", "request_url": "/", "name": name}]}]]);
    let run = start(&door, &document.to_string());
    let mut lines = door.follow(get(&format!("/api/v1/runs/{run}/events")));
    // More than have rows of their own.
    let progress = lines.find(|line| {
        assert!(line.len() < 500, "an event of {} bytes: {line}", line.len());
        let requests = line
            .split_once(r#""requests":"#)
            .and_then(|(_, rest)| rest.split(',').next()?.parse::<u64>().ok());
        requests > Some(6000)
    });
    progress.expect("progress");
    let page = door.ask(get(&format!("/runs/{run}"))).text();
    assert!(page.len() < 150_000, "a page of {} bytes", page.len());
    assert!(page.contains(" further names"), "{page}");
    let mut parts = door.follow(get(&format!("/runs/{run}/parts?since=0")));
    let mut sent = 0;
    parts.find(|line| {
        sent += line.len();
        line.starts_with("id: ")
    });
    assert!((page.len() / 2..200_000).contains(&sent), "parts of {sent} bytes");
    for (path, most) in [("/", 20_000), ("/api/v1/runs", 1000), ("/api/v1/runs/1", 1000)] {
        let length = door.ask(get(path)).text().len();
        assert!(length < most, "{path}: {length} bytes");
    }
    let summary = door.ask(get(&format!("/api/v1/runs/{run}/summary.json"))).text();
    assert!(summary.len() < 4 << 20, "{} bytes", summary.len());
    door.ask(post(&format!("/api/v1/runs/{run}/stop"), ""));
}

/// What a verb prints.
fn told(server: &Server, args: &[&str]) -> String {
    let port = server.port();
    let output = crate::support::ldctl().args(args).args(["--port", &port]).output().expect("it");
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat()
}

#[test]
fn a_browser_without_a_script_sees_all_runs_and_one() {
    let (target, door) = (Target::start(), Door::open(&[], None));
    let run = start(&door, &json!([short(&target, "a"), ["nothing"]]).to_string());
    wait_for(&door, run, "failed");
    let index = door.ask(get("/"));
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    assert!(index.text().contains(r#"<a href="/runs/1">1</a>"#), "{}", index.text());
    let page = door.ask(get("/runs/1")).text();
    let figures: BTreeMap<String, String> = page
        .split("data-figure=\"")
        .skip(1)
        .filter_map(|part| {
            let (name, rest) = part.split_once("\">")?;
            Some((name.to_owned(), rest.split('<').next()?.to_owned()))
        })
        .collect();
    let names: Vec<&str> = figures.keys().map(String::as_str).collect();
    assert_eq!(names, ["failures", "p50", "p95", "p99", "requests", "rps", "users"]);
    assert_eq!(figures["failures"], "0");
    assert!(page.contains("LD_start_test") && page.contains("✗ "), "{page}");
    let missing = door.ask(get("/runs/9"));
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("unknown run 9"), "{}", missing.text());
}

#[test]
fn the_door_of_a_server_that_ends_is_closed_after_its_watchers_have_seen_the_end() {
    let (target, door) = (Target::start(), Door::open(&[], None));
    let run = start(&door, &endless(&target));
    let mut lines = door.follow(get(&format!("/api/v1/runs/{run}/events")));
    lines.find(|line| line.contains("progress")).expect("progress");
    signal("TERM", door.server.id());
    let done = lines.find(|line| line.contains(r#""event":"done""#)).expect("its end");
    assert!(done.contains(r#""state":"cancelled""#), "{done}");
    assert_eq!(door.server.end().0, Some(0));
}
