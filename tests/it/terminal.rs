//! What stands on a real terminal: the line about a running test, the summary, and nothing that was
//! left behind.

use regex::Regex;
use serde_json::{Value, json};

use crate::support::terminal::{Screen, Terminal};
use crate::support::{Running, Server, Target, ldctl, soon_true};

/// Figures that differ from run to run, replaced.
fn masked(lines: &[String]) -> Vec<String> {
    let mask = Regex::new(r"\d+\.\d+|\d+").expect("a pattern");
    let blanks = Regex::new(r" {2,}").expect("a pattern");
    lines
        .iter()
        .map(|line| blanks.replace_all(&mask.replace_all(line, "0"), "  ").into_owned())
        .collect()
}

/// A test of some seconds with one name that succeeds and one that fails.
fn document(target: &Target, seconds: f64) -> Value {
    json!([
        ["LD_start_test", {
            "user_detail_dict": {"user": "fast_http_user", "host": target.url()},
            "user_count": 2, "spawn_rate": 100, "test_time": seconds, "wait_time": 0.02,
            "tasks": [
                {"method": "get", "request_url": "/", "name": "home"},
                {"method": "get", "request_url": "/nothing-is-here", "name": "/catalogue/items/missing"}
            ]
        }],
        ["LD_assert_sla", {"rules": [
            {"type": "failure_rate", "value": 0.75},
            {"type": "latency_p50", "value": 0}
        ]}]
    ])
}

fn file(directory: &tempfile::TempDir, document: &Value) -> String {
    let path = directory.path().join("login.json");
    std::fs::write(&path, document.to_string()).expect("a file");
    path.display().to_string()
}

/// The table, and what is below it on one line: where that is broken depends on the figures.
fn below_the_title(screen: &Screen) -> (Vec<String>, String) {
    let lines = masked(&screen.lines());
    let heading = lines.iter().position(|line| line.starts_with("latency in ms"));
    let end = lines.iter().position(|line| line.starts_with("latencies of names"));
    let table = &lines[heading.expect("a table")..end.expect("its end")];
    // How much of a name is left depends on them, too.
    let cut = Regex::new(r"GET \S*…\S*").expect("a pattern");
    let table = table.iter().map(|line| cut.replace(line, "GET …").into_owned()).collect();
    let rest = lines[end.expect("its end")..].join(" ");
    (table, rest.split_whitespace().collect::<Vec<_>>().join(" "))
}

const ENDING: &str = "latencies of names are of successes only \
    errors 0 × GET /catalogue/items/missing: 0 Not Found \
    statuses 0 × 0, 0 × 0 \
    gates ✓ failure_rate 0 %, at most 0 % ✗ latency_p0 0 ms, at most 0 ms \
    ✗ failed: 0 of 0 gates does not hold, 0 of 0 requests failed (0 %)";

#[test]
fn at_every_width_no_line_is_broken_and_nothing_is_left_behind_after_a_resize() {
    let target = Target::start();
    let directory = tempfile::tempdir().expect("a directory");
    let file = file(&directory, &document(&target, 6.0));
    let cases = [
        (
            120,
            50,
            [
                "latency in ms  requests  failed  /s  p0",
                "GET home  0  0  0  0",
                "GET …  0  0  0  –",
                "total  0  0  0  0",
            ],
        ),
        (
            80,
            120,
            [
                "latency in ms  requests  failed  /s  mean  p0  p0  p0  p0  max",
                "GET home  0  0  0  0  0  0  0  0  0",
                "GET /catalogue/items/missing  0  0  0%  0  –  –  –  –  –  –",
                "total  0  0  0%  0  0  0  0  0  0  0",
            ],
        ),
        (
            50,
            80,
            [
                "latency in ms  requests  failed  /s  p0  p0  p0  p0  max",
                "GET home  0  0  0  0  0  0  0  0",
                "GET …  0  0  0%  0  –  –  –  –  –",
                "total  0  0  0%  0  0  0  0  0  0",
            ],
        ),
    ];
    // Side by side: each takes as long as its test.
    std::thread::scope(|scope| {
        for (first, second, table) in &cases {
            scope.spawn(|| resized(*first, *second, &file, table));
        }
    });
}

/// A run on a terminal that becomes another during its test.
fn resized(first: u16, second: u16, file: &str, expected: &[&str]) {
    let terminal = Terminal::start(first, &["run", file]);
    terminal.wait_for("LD_start_test starts");
    terminal.wait_for(" requests  ");
    terminal.resize(second);
    // Drawn anew.
    let before = terminal.lines();
    soon_true(|| terminal.lines() != before);
    let drawn = terminal.lines();
    assert!(drawn.len() <= 1, "{first} {second}: something is left behind: {drawn:#?}");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(1));
    assert_eq!(screen.broken, [""; 0], "{first} {second}");
    let (table, ending) = below_the_title(&screen);
    assert_eq!(table, expected, "{first} {second}");
    // On a busy machine there is one more section.
    let ending = match ending.split_once(" warnings the generator was the bottleneck: ") {
        Some((before, rest)) => {
            rest.split_once(" gates ").map(|(_, gates)| format!("{before} gates {gates}"))
        }
        None => Some(ending),
    };
    assert_eq!(ending.as_deref(), Some(ENDING), "{first} {second}");
    let above = screen.lines();
    let above = above.iter().take_while(|line| !line.starts_with("latency in ms"));
    let left: Vec<_> = above.filter(|line| line.contains("requests")).collect();
    assert!(left.is_empty(), "{first} {second}: {left:?}");
    assert!(screen.colours.contains(&"[31m".to_owned()), "failures are red");
}

/// A test that would outlast any deadline here, in a shape whose length is a sum.
fn long(host: &str) -> Value {
    json!([["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": host},
        "load_shape": "stages",
        "shape_config": {"stages": [
            {"duration": 10, "users": 1, "spawn_rate": 10},
            {"duration": 3590, "users": 1}
        ]},
        "tasks": [{"method": "get", "request_url": "/", "name": "home"}]
    }]])
}

#[test]
fn the_length_of_a_shape_is_known_and_ctrl_c_is_answered_at_once() {
    // Accepts connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = format!("http://{}", silent.local_addr().expect("an address"));
    let directory = tempfile::tempdir().expect("a directory");
    let terminal = Terminal::start(100, &["run", &file(&directory, &long(&host))]);
    terminal.wait_for("LD_start_test starts");
    terminal.wait_for("░    0 %  1 user  0 requests  0 failed");
    terminal.signal("INT");
    terminal.wait_for("note: stopping; press Ctrl-C again to end at once");
    // The line about the test is still the last one: it waits for its request.
    assert!(terminal.lines().last().is_some_and(|line| line.contains(" %  ")));
    terminal.signal("INT");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(130));
    assert_eq!(
        screen.lines(),
        ["note: stopping; press Ctrl-C again to end at once", "✗ interrupted"]
    );
}

#[test]
fn a_terminal_of_ascii_without_colours_gets_neither() {
    let target = Target::start();
    let directory = tempfile::tempdir().expect("a directory");
    let file = file(&directory, &document(&target, 1.2));
    let environment = [("LC_ALL", "C"), ("TERM", "xterm"), ("NO_COLOR", "1")];
    let terminal = Terminal::start_with(100, &["run", &file], &environment);
    terminal.wait_for("[####");
    let (code, screen) = terminal.end();
    assert_eq!((code, screen.colours.len()), (Some(1), 0));
    let lines = screen.lines();
    assert!(lines.iter().all(|line| line.is_ascii()), "{lines:?}");
    let last = lines.last().expect("a verdict");
    assert!(last.starts_with("FAILED failed: 1 of 2 gates does not hold"), "{last}");
}

#[test]
fn a_queued_run_says_what_it_waits_for_and_a_watched_one_is_drawn_in_its_place() {
    let target = Target::start();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(&[], None);
    let port = server.port();
    let file = file(&directory, &long(&target.url()));
    ldctl().args(["send", "--detach", "--port", &port, &file]).assert().success();
    let waiting = [
        "send",
        "--no-check",
        "--queue",
        "60",
        "--port",
        &port,
        "--json",
        r#"[["LD_start_test", {
        "user_detail_dict": {}, "user_count": 1, "test_time": 0.1, "tasks": []}]]"#,
    ];
    let queued = Terminal::start(100, &waiting);
    queued.wait_for("queued at position 1; run 1 has 59 min ");
    queued.signal("INT");
    queued.wait_for("note: stopping run 2; press Ctrl-C again to leave without its results");
    assert_eq!(queued.end().0, Some(130));
    let watching = Terminal::start(100, &["status", "--watch", "1", "--port", &port]);
    watching.wait_for("░    0 %  1 user  ");
    ldctl().args(["stop", "1", "--port", &port]).assert().success();
    let (code, screen) = watching.end();
    assert_eq!((code, screen.broken.len()), (Some(0), 0));
    let lines = screen.lines();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.starts_with("cancelled: document of run 1, "), "{line}");
}

#[test]
fn where_there_is_no_terminal_stderr_gets_a_line_every_ten_seconds() {
    let target = Target::start();
    let directory = tempfile::tempdir().expect("a directory");
    let file = file(&directory, &document(&target, 11.0));
    let runs = [&["run", &file][..], &["run", "-q", &file]].map(|args| Running::start(args, None));
    let [loud, quiet] = runs.map(Running::end);
    assert_eq!((loud.0, quiet.0), (Some(1), Some(1)));
    let progress = |stderr: Vec<String>| {
        masked(&stderr.into_iter().filter(|line| line.contains("/s)")).collect::<Vec<_>>())
    };
    assert_eq!(
        progress(loud.2),
        ["note: 0 s of 0 s: 0 users, 0 requests (0/s), 0 failed, p0 0 ms, p0 0 ms"]
    );
    assert_eq!(progress(quiet.2), [""; 0]);
}
