//! The pages that a document opens: their figures over real connections, who may see them, and what
//! clients cannot do to a test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use ldctl::action::{Document, Executor, Policy};
use ldctl::event::{ActionResult, Event, FailureKind};
use ldctl::value::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{DEADLINE, free_port, soon_true};

/// An executor with a target.
struct Bench {
    executor: Executor,
    _dir: tempfile::TempDir,
    target: String,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let executor = Executor::new(Policy::inside(dir.path())).expect("an executor");
        let mut bench = Self { executor, _dir: dir, target: String::new() };
        let stub = bench.results(&json!([["LD_start_stub_server", {"rules": [
            {"path": "/ok", "body": "fine"}, {"path": "/bad", "status": 500, "body": "broken"}]}]]));
        bench.target = format!("http://127.0.0.1:{}", port(&stub[0]));
        bench
    }

    fn results(&self, document: &serde_json::Value) -> Vec<ActionResult> {
        let document = Value::parse(&document.to_string()).expect("JSON");
        let document = Document::parse(document).expect("a list of actions");
        let mut results = Vec::new();
        let mut sink = |event| {
            if let Event::Result(result) = event {
                results.push(result);
            }
        };
        self.executor.execute(document, &mut sink, &CancellationToken::new());
        results
    }

    fn dashboard(&self, arguments: serde_json::Value) -> ActionResult {
        self.results(&json!([["LD_start_dashboard", arguments]])).pop().expect("a result")
    }

    /// A test of ten requests of two names, half of which fail.
    fn test(&self) -> Vec<ActionResult> {
        self.results(&json!([["LD_start_test", {
            "user_detail_dict": {"user": "fast_http_user", "host": self.target},
            "user_count": 1, "spawn_rate": 1000, "test_time": 60, "wait_time": 0, "iterations": 5,
            "tasks": [{"method": "get", "request_url": "/ok", "name": "<b>good</b>"},
                      {"method": "get", "request_url": "/bad", "name": "bad"}]}]]))
    }
}

fn port(result: &ActionResult) -> u16 {
    assert_eq!(result.error, None);
    let value = result.value.as_ref().expect("a value");
    value.get("port").expect("a port").to_text().parse().expect("a port")
}

fn send(port: u16, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_read_timeout(Some(DEADLINE)).expect("set");
    stream.write_all(format!("{request}\r\n\r\n").as_bytes()).expect("sent");
    stream
}

/// The whole response: its head in lower case, and its body.
fn ask(port: u16, request: &str, host: &str) -> (String, String) {
    let request = format!("{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close");
    let mut response = String::new();
    send(port, &request).read_to_string(&mut response).expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    (head.to_lowercase(), body.to_owned())
}

fn snapshot(port: u16) -> serde_json::Value {
    let (head, body) = ask(port, "GET /snapshot", "localhost");
    assert!(head.starts_with("http/1.1 200 ") && head.contains("content-type: application/json"));
    serde_json::from_str(&body).expect("JSON")
}

#[test]
fn a_snapshot_has_the_figures_of_the_last_test_whenever_the_dashboard_was_started() {
    let bench = Bench::new();
    let early = port(&bench.dashboard(json!({"port": 0})));
    assert_eq!(snapshot(early)["totals"]["requests"], 0);
    bench.test();
    // One that took long to make is shown for a while.
    let mut seen = serde_json::Value::Null;
    soon_true(|| {
        seen = snapshot(early);
        seen["totals"]["requests"] != 0
    });
    assert_eq!(
        seen["totals"],
        json!({"requests": 10, "successes": 5, "failures": 5, "failure_rate": 0.5})
    );
    assert_eq!(seen["latency_overall"]["count"], 10);
    assert_eq!(seen["per_name"]["<b>good</b>"]["count"], 5);
    assert!(seen["per_name"].get("bad").is_none(), "{seen}");
    assert_eq!(seen["rps"], 1.0, "ten requests in ten seconds");
    let windows = seen["latency_windows"].as_array().expect("a list");
    let counted: u64 = windows.iter().filter_map(|window| window["count"].as_u64()).sum();
    assert_eq!((windows.len(), counted), (120, 10));
    // Another start replaces it; what was counted before has no place in time any more.
    let late = port(&bench.dashboard(json!({"port": 0})));
    TcpStream::connect(("127.0.0.1", early)).expect_err("it is replaced");
    assert_eq!(snapshot(late)["totals"], seen["totals"]);
    let stopped = bench.results(&json!([["LD_stop_dashboard"], ["LD_stop_dashboard"]]));
    assert!(stopped.iter().all(|result| result.value == Some(Value::Null)));
    TcpStream::connect(("127.0.0.1", late)).expect_err("it is gone");
}

#[test]
fn events_are_snapshots_at_the_interval_and_the_first_comes_at_once() {
    let bench = Bench::new();
    let at = port(&bench.dashboard(json!({"port": 0, "refresh_seconds": 0.05})));
    let mut stream = BufReader::new(send(at, "GET /events HTTP/1.1\r\nHost: localhost"));
    let mut next = |prefix: &str| loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).expect("a line") > 0, "it has ended");
        if line.to_lowercase().starts_with(prefix) {
            break line.trim_end().to_owned();
        }
    };
    next("content-type: text/event-stream");
    let mut event = || -> serde_json::Value {
        serde_json::from_str(next("data: ").trim_start_matches("data: ")).expect("JSON")
    };
    let first = event();
    assert_eq!(first["totals"]["requests"], 0);
    bench.test();
    let mut last = first["ts"].as_f64().expect("a time");
    loop {
        let seen = event();
        let ts = seen["ts"].as_f64().expect("a time");
        assert!(ts > last, "no snapshot comes twice");
        last = ts;
        if seen["totals"]["requests"] == 10 {
            break;
        }
    }
}

#[test]
fn the_page_is_whole_and_loads_nothing_from_elsewhere() {
    let bench = Bench::new();
    let port = port(&bench.dashboard(json!({"port": 0})));
    for path in ["/", "/index.html"] {
        let (head, page) = ask(port, &format!("GET {path}"), "127.0.0.1");
        assert!(head.starts_with("http/1.1 200 ") && head.contains("text/html; charset=utf-8"));
        assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self';"));
        assert!(head.contains("frame-ancestors 'none'") && head.contains("nosniff"), "{head}");
        assert!(!page.contains("http") && !page.contains("style=") && !page.contains("<script>"));
        for own in ["dashboard.js", "dashboard.css"] {
            assert!(page.contains(own), "{own}");
            let (head, body) = ask(port, &format!("GET /{own}"), "localhost");
            assert!(head.starts_with("http/1.1 200 ") && !body.is_empty(), "{own}: {head}");
            assert!(!body.contains("innerHTML") && !body.contains("insertAdjacent"), "{own}");
        }
    }
    let (head, body) = ask(port, "HEAD /snapshot", "localhost");
    assert!(head.starts_with("http/1.1 200 ") && body.is_empty(), "{head}");
    assert!(ask(port, "HEAD /events", "localhost").1.is_empty());
    let (head, body) = ask(port, "GET /else", "localhost");
    assert!(head.starts_with("http/1.1 404 ") && body == "not found", "{head}");
    let (head, body) = ask(port, "POST /snapshot", "localhost");
    assert!(head.starts_with("http/1.1 405 ") && body == "this page is read only\n", "{head}");
}

#[test]
fn t100_a_name_of_another_site_that_leads_to_a_loopback_dashboard_is_refused() {
    let bench = Bench::new();
    let port = port(&bench.dashboard(json!({"port": 0})));
    for host in [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[",
        "",
    ] {
        let (head, body) = ask(port, "GET /snapshot", host);
        let refused = head.starts_with("http/1.1 403 ") || head.starts_with("http/1.1 400 ");
        assert!(refused && !body.contains("totals"), "{host}: {head}");
    }
    for host in ["127.0.0.1", "localhost:8765", "[::1]:8765", "LOCALHOST"] {
        assert!(ask(port, "GET /snapshot", host).0.starts_with("http/1.1 200 "), "{host}");
    }
}

#[test]
fn t100_a_document_opens_a_dashboard_on_loopback_only() {
    let bench = Bench::new();
    let running = port(&bench.dashboard(json!({"port": 0})));
    for host in ["0.0.0.0", "::", "192.0.2.1"] {
        let failure = bench.dashboard(json!({"host": host, "port": 0})).error.expect(host);
        assert_eq!(failure.kind, FailureKind::Network);
        assert!(
            failure.message.contains(&format!("--allow-listen {host} permits it")),
            "{failure:?}"
        );
    }
    // The one that runs is not lost by that.
    snapshot(running);
    let failure = bench.dashboard(json!({"host": "no.such.host.invalid"})).error.expect("refused");
    assert_eq!(failure.kind, FailureKind::Network);
}

#[test]
fn t101_clients_that_do_not_read_their_events_neither_delay_a_test_nor_others() {
    let bench = Bench::new();
    let at = port(&bench.dashboard(json!({"port": 0, "refresh_seconds": 0.1})));
    let silent: Vec<_> =
        (0..100).map(|_| send(at, "GET /events HTTP/1.1\r\nHost: localhost")).collect();
    let results = bench.test();
    assert_eq!(results[0].error, None);
    assert_eq!(snapshot(at)["totals"]["requests"], 10, "idle ones give way");
    drop(silent);
}

#[test]
fn arguments_are_those_of_the_reference_and_its_result_is_an_object_of_that_name() {
    let bench = Bench::new();
    for (arguments, why) in [
        (json!({"refresh_seconds": 0}), "refresh_seconds: expected a number above 0, got 0"),
        (json!({"window_seconds": -1.5}), "window_seconds: expected a number above 0, got -1.5"),
        (
            json!({"window_seconds": 3601}),
            "window_seconds: expected at most 3600 seconds, got 3601",
        ),
        (json!({"port": 65536}), "port: expected a port, 0 to 65535, got 65536"),
        (json!({"prot": 1}), "prot"),
    ] {
        let refused = bench.dashboard(arguments).error.expect("refused").message;
        assert!(refused.contains(why), "{refused}");
    }
    let result = bench.dashboard(json!(["localhost", 0, 0.5, 5]));
    assert_eq!(
        result.value.as_ref().and_then(|value| value.get("host")),
        Some(&"localhost".into())
    );
    let text = result.text.as_deref().expect("a text");
    let name = "<je_load_density.utils.dashboard.live_dashboard.LiveDashboardServer object at 0x";
    assert!(text.starts_with(name) && text.ends_with('>'), "{text}");
    assert_eq!(snapshot(port(&result))["rps"], 0.0);
}

/// A test with a page that runs until somebody stops it.
fn endless(bench: &Bench, web_ui: &serde_json::Value) -> serde_json::Value {
    json!([["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": bench.target},
        "user_count": 2, "spawn_rate": 1000, "test_time": 60, "wait_time": 0.01, "web_ui_dict": web_ui,
        "tasks": [{"method": "get", "request_url": "/ok", "name": "good"},
                  {"method": "get", "request_url": "/bad", "name": "=bad"}]}]])
}

#[test]
fn a_test_shows_its_page_while_it_runs_in_the_form_of_locust() {
    let bench = Bench::new();
    let (at, cancel) = (free_port(), CancellationToken::new());
    let web_ui = json!({"host": "127.0.0.1", "port": at, "other": 1});
    let document = Value::parse(&endless(&bench, &web_ui).to_string()).expect("JSON");
    let document = Document::parse(document).expect("a list of actions");
    let mut result = None;
    std::thread::scope(|scope| {
        let (executor, cancel, result) = (&bench.executor, &cancel, &mut result);
        scope.spawn(move || {
            let mut sink = |event| {
                if let Event::Result(found) = event {
                    *result = Some(found);
                }
            };
            executor.execute(document, &mut sink, cancel);
        });
        let mut seen = serde_json::Value::Null;
        soon_true(|| {
            if TcpStream::connect(("127.0.0.1", at)).is_err() {
                return false;
            }
            let (head, body) = ask(at, "GET /stats/requests", "localhost");
            assert!(
                head.starts_with("http/1.1 200 ") && head.contains("application/json"),
                "{head}"
            );
            seen = serde_json::from_str(&body).expect("JSON");
            seen["errors"].as_array().is_some_and(|errors| !errors.is_empty())
        });
        check_locust(at, &seen);
        cancel.cancel();
    });
    let result = result.expect("a result");
    assert!(result.warnings.iter().all(|warning| !warning.contains("web_ui")), "{result:?}");
    TcpStream::connect(("127.0.0.1", at)).expect_err("it ends with the test");
}

fn check_locust(at: u16, seen: &serde_json::Value) {
    assert_eq!((&seen["state"], &seen["user_count"]), (&json!("running"), &json!(2)));
    let stats = seen["stats"].as_array().expect("a list");
    let names: Vec<_> = stats.iter().map(|row| row["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["=bad", "good", "Aggregated"]);
    assert_eq!(stats[0]["num_requests"], stats[0]["num_failures"]);
    assert_eq!(
        (&stats[1]["num_failures"], &stats[1]["avg_content_length"]),
        (&json!(0), &json!(4.0))
    );
    let error = &seen["errors"][0];
    assert_eq!((&error["name"], &error["method"]), (&json!("=bad"), &json!("GET")));
    assert!(
        error["occurrences"].as_u64() > Some(0) && error["error"].as_str().is_some(),
        "{error}"
    );
    assert!(seen["fail_ratio"].as_f64().expect("a ratio") > 0.0);
    let (head, table) = ask(at, "GET /stats/requests/csv", "localhost");
    assert!(head.contains("text/csv") && table.starts_with("Type,Name,Request Count,"), "{table}");
    assert!(table.contains("\r\nGET,'=bad,") && table.contains("\r\n,Aggregated,"), "{table}");
    let failures = ask(at, "GET /stats/failures/csv", "localhost").1;
    assert!(
        failures.starts_with("Method,Name,Error,Occurrences,First Seen,Last Seen\r\nGET,'=bad,")
    );
    assert!(ask(at, "GET /", "localhost").1.contains("dashboard.js"));
    assert!(ask(at, "GET /snapshot", "localhost").1.starts_with("{\"totals\": "));
    assert_eq!(ask(at, "GET /worker-count", "localhost").1, "{\"worker_count\": 0}");
    for request in ["POST /swarm", "GET /stop", "POST /stop", "GET /stats/reset", "POST /user"] {
        let (head, body) = ask(at, request, "localhost");
        assert!(head.starts_with("http/1.1 405 ") && body == "this page is read only\n", "{head}");
    }
    check_further_paths(at);
    let (head, _) = ask(at, "GET /stats/requests", "evil.example");
    assert!(head.starts_with("http/1.1 403 "), "{head}");
}

fn check_further_paths(at: u16) {
    let json = |path: &str| -> serde_json::Value {
        let (head, body) = ask(at, &format!("GET {path}"), "localhost");
        assert!(head.starts_with("http/1.1 200 ") && head.contains("application/json"), "{head}");
        serde_json::from_str(&body).expect("JSON")
    };
    assert_eq!(json("/logs"), json!({"master": [], "workers": {}}));
    assert_eq!(json("/exceptions"), json!({"exceptions": []}));
    let class = json!({"FastHttpUserWrapper": {"ratio": 1.0, "tasks": {"test": {"ratio": 1.0}}}});
    assert_eq!(json("/tasks"), json!({"per_class": class, "total": class}));
    let (head, table) = ask(at, "GET /exceptions/csv", "localhost");
    assert!(head.contains("text/csv"), "{head}");
    assert_eq!(table, "Count,Message,Traceback,Nodes\r\n");
    let (head, _) = ask(at, "GET /stats/requests_full_history/csv", "localhost");
    assert!(head.starts_with("http/1.1 404 "), "{head}");
    for (path, is_kept) in [
        ("/stats/report", false),
        ("/stats/report?theme=dark&download=", false),
        ("/stats/report?download=1", true),
    ] {
        let (head, page) = ask(at, &format!("GET {path}"), "localhost");
        assert!(head.starts_with("http/1.1 200 ") && head.contains("text/html"), "{head}");
        assert_eq!(head.contains("content-disposition: attachment; "), is_kept, "{path}: {head}");
        assert!(head.contains("frame-ancestors 'none'") && head.contains("no-referrer"), "{head}");
        // It has the figures so far, and runs its own script only.
        assert!(page.contains("data-figure=\"requests\"") && page.contains("=bad"), "{path}");
        assert!(page.contains("script-src 'sha256-"), "{path}");
    }
}

#[test]
fn t100_a_test_whose_page_cannot_be_served_runs_all_the_same_with_a_warning() {
    let bench = Bench::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = json!({"port": listener.local_addr().expect("an address").port()});
    for web_ui in [taken, json!({"host": "0.0.0.0"})] {
        let mut document = endless(&bench, &web_ui);
        document[0][1]["iterations"] = json!(2);
        let result = bench.results(&document).pop().expect("a result");
        assert_eq!(result.error, None);
        let page = "web_ui_dict: the page of the test cannot use ";
        assert!(result.warnings.iter().any(|warning| warning.starts_with(page)), "{result:?}");
        let echo = result.text.expect("a text");
        let written = Value::parse(&web_ui.to_string()).expect("JSON").to_text();
        assert!(echo.contains(&format!("'web_ui': {written}, ")), "{echo}");
    }
}
