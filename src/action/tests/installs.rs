use super::*;
use crate::load::LOST;

fn test(target: &str, more: &str) -> String {
    format!(
        r#"["LD_start_test", {{"user_detail_dict": {{"host": "{target}"}}, "user_count": 2, "spawn_rate": 100,
            "wait_time": 0.01, "iterations": 6,
            "tasks": [{{"method": "get", "request_url": "/", "name": "home"}}] {more}}}]"#
    )
}

fn results(events: &[Event]) -> Vec<&crate::event::ActionResult> {
    let results = events.iter().filter_map(|event| match event {
        Event::Result(result) => Some(result),
        _ => None,
    });
    results.collect()
}

/// A bench with a stub server, and its URL.
fn with_stub() -> (Bench, String) {
    let bench = Bench::new();
    let (events, _) = bench.run(r#"[["LD_start_stub_server", [[{"path": "/"}]]]]"#);
    let server = results(&events)[0].value.clone().expect("a server");
    let port = server.get("port").expect("a port").to_text();
    (bench, format!("http://127.0.0.1:{port}"))
}

const INSTALL: &str = r#"["LD_install_network_conditioner", {"latency_ms": 20, "loss_rate": 1, "name_filter": "hom"}]"#;

#[test]
fn a_lost_request_is_recorded_as_a_failure_and_the_test_says_why() {
    let (bench, host) = with_stub();
    let (events, _) = bench.run(&format!("[{INSTALL}, {}]", test(&host, "")));
    let results = results(&events);
    let installed =
        "{'latency_ms': 20.0, 'jitter_ms': 0.0, 'loss_rate': 1.0, 'name_filter': 'hom'}";
    assert_eq!(results[0].line(), installed);
    let failure = results[1].error.as_ref().expect("a failure");
    let told = format!("none of 6 requests succeeded; 6 × GET home: {LOST}");
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::NoSuccess, told.as_str()));
    let warning = "a simulated network adds 20 ms (jitter 0 ms) to requests of tasks whose name \
                   holds \"hom\" and loses 100 % of them (LD_install_network_conditioner)";
    assert!(results[1].warnings.iter().any(|told| told == warning), "{:?}", results[1].warnings);
    let records = bench.executor.records();
    let rows: Vec<_> = records.rows().map(|row| (row.status, row.service_ms >= 20.0)).collect();
    assert_eq!(rows, [(Some(0), true); 6]);
}

#[test]
fn sockets_lose_requests_too_and_send_none_of_them() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let document = format!(
        r#"[["LD_install_network_conditioner", {{"loss_rate": 1}}],
            ["LD_start_test", {{"user_detail_dict": {{"user": "socket_user"}}, "user_count": 1, "iterations": 2,
             "tasks": [{{"protocol": "tcp", "target": "127.0.0.1:{port}", "payload": "x", "name": "s"}}]}}]]"#
    );
    let bench = Bench::new();
    let (events, _) = bench.run(&document);
    let failure = results(&events)[1].error.as_ref().expect("a failure").message.clone();
    assert!(failure.ends_with(LOST), "{failure}");
    assert!(listener.accept().is_err(), "nothing connects");
}

#[test]
fn a_simulated_network_holds_until_it_is_removed_in_a_run_of_its_own() {
    let (bench, host) = with_stub();
    let failed = |json: &str| -> Vec<bool> {
        results(&bench.run(json).0).iter().map(|result| !result.ok).collect()
    };
    let (test, remove) = (test(&host, ""), r#"["LD_uninstall_network_conditioner"]"#);
    let document = format!("[{INSTALL}, {test}, {remove}, {test}]");
    assert_eq!(failed(&document), [false, true, false, false]);
    assert_eq!(failed(&format!("[{INSTALL}, {test}]")), [false, true]);
    assert_eq!(failed(&format!("[{test}]")), [false], "that of another run");
}

#[test]
fn text_requests_share_what_is_installed() {
    let (bench, host) = with_stub();
    let failed = |json: &str| {
        let document = Document::parse(Value::parse(json).expect("JSON")).expect("a document");
        let cancel = CancellationToken::new();
        bench
            .executor
            .execute_as(Submission::default(), document, &mut |_: Event| (), &cancel)
            .failed
    };
    assert_eq!(failed(&format!("[{INSTALL}]")), 0);
    assert_eq!(failed(&format!("[{}]", test(&host, ""))), 1);
    assert_eq!(failed(r#"[["LD_uninstall_network_conditioner"]]"#), 0);
    assert_eq!(failed(&format!("[{}]", test(&host, ""))), 0);
}

#[test]
fn a_spent_failure_budget_ends_a_test_as_a_gate() {
    let document = r#"[
        ["LD_install_failure_budget", {"threshold": 0.1, "window_seconds": 30, "min_samples": 5}],
        ["LD_start_test", {"user_detail_dict": {"host": "http://127.0.0.1:1"}, "user_count": 5,
            "spawn_rate": 100, "test_time": 3600, "tasks": [{"method": "get", "request_url": "/"}]}],
        ["LD_uninstall_failure_budget"],
        ["LD_start_test", {"user_detail_dict": {"host": "http://127.0.0.1:1"}, "user_count": 5,
            "spawn_rate": 100, "test_time": 1.5, "tasks": [{"method": "get", "request_url": "/"}]}]]"#;
    let bench = Bench::new();
    let (events, _) = bench.run(document);
    let results = results(&events);
    let budget = "{'threshold': 0.1, 'window_seconds': 30.0, 'min_samples': 5}";
    assert_eq!(results[0].line(), budget);
    let failure = results[1].error.as_ref().expect("a failure");
    let start = "stopped early by the failure budget: ";
    assert_eq!(failure.kind, FailureKind::Gate);
    assert!(failure.message.starts_with(start), "{failure}");
    assert!(failure.message.ends_with("1.0000 exceeds 0.1"), "{failure}");
    assert_eq!(results[3].error.as_ref().map(|failure| failure.kind), Some(FailureKind::NoSuccess));
}

#[test]
fn what_cannot_be_installed_is_refused_with_its_place() {
    for (action, refusal) in [
        (
            r#"["LD_install_network_conditioner", {"loss_rate": 1.5}]"#,
            "LD_install_network_conditioner: /loss_rate: expected a number from 0 to 1, got 1.5",
        ),
        (
            r#"["LD_install_network_conditioner", {"latency_ms": -1}]"#,
            "LD_install_network_conditioner: /latency_ms: expected a number of at least 0, got -1",
        ),
        (
            r#"["LD_install_failure_budget", {"window_seconds": 0}]"#,
            "LD_install_failure_budget: /window_seconds: expected a number above 0, got 0",
        ),
        (
            r#"["LD_install_failure_budget", {"runner_quit_callback": "f"}]"#,
            "LD_install_failure_budget() has no argument \"runner_quit_callback\"; it takes threshold, \
             window_seconds, min_samples",
        ),
    ] {
        check(&format!("[{action}]"), &[&format!("TypeError({})", crate::value::quote(refusal))]);
    }
}
