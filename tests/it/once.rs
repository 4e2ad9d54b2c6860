//! `ldctl run --once`: one iteration, with everything that it sends, receives and checks.

use serde_json::json;

use crate::support::{Scripted, answer, ldctl};

fn shown(tasks: serde_json::Value, rest: &[&str], code: i32) -> String {
    let scripted = Scripted::start(|request, wire| match request.target.as_str() {
        "/login" => {
            let headers = [("Content-Type", "application/json"), ("Set-Cookie", "sid=s3cret1")];
            answer(wire, 200, &headers, br#"{"id": 7, "token": "s3cret2"}"#)
        }
        "/moved" => answer(wire, 302, &[("Location", "/end")], b""),
        _ => answer(wire, 404, &[], b"nothing\nhere"),
    });
    let document = json!([["LD_start_test", {
        "user_detail_dict": {"host": scripted.url()}, "user_count": 50, "test_time": 3600,
        "load_shape": "soak", "shape_config": {"users": 50}, "tasks": tasks,
    }]]);
    let run = ["run", "--once", "--json", &document.to_string()];
    let output = ldctl().args(run).args(rest).assert().code(code);
    let out = output.get_output();
    assert_eq!(scripted.seen().len(), 2);
    String::from_utf8(out.stdout.clone()).expect("UTF-8").replace(&scripted.url(), "URL")
}

#[test]
fn one_iteration_is_shown_with_requests_responses_and_checks_and_without_secrets() {
    let tasks = json!([
        {"method": "post", "request_url": "/login", "json": {"user": "ann", "password": "s3cret3"},
         "auth": {"type": "basic", "username": "u", "password": "s3cret4"},
         "assertions": [{"type": "status_code", "value": 200}],
         "extract": [{"var": "id", "path": "id"}, {"var": "token", "path": "token"},
                     {"var": "gone", "path": "data.gone"}]},
        {"method": "get", "request_url": "/items/${id}?token=${token}",
         "assertions": [{"type": "contains", "value": "here"}, {"type": "status_code", "value": 200}]},
    ]);
    let shown = shown(tasks, &[], 0);
    for line in [
        "> POST /login HTTP/1.1  to ",
        "> Authorization: [redacted]\n",
        "> {\"user\": \"ann\", \"password\": \"[redacted]\"}\n",
        "< HTTP/1.1 200 OK\n",
        "< Set-Cookie: [redacted]\n",
        "< {\"id\": 7, \"token\": \"[redacted]\"}\n",
        "= task 1 passed in ",
        "=   ✓ status_code 200\n",
        "=   id = \"7\"\n",
        "=   token = [redacted]\n",
        "=   gone: nothing at data.gone\n",
        "> GET /items/7?token=[redacted] HTTP/1.1",
        "> Cookie: [redacted]\n",
        "< HTTP/1.1 404 Not Found\n",
        "< nothing\n< here\n",
        "= task 2 failed in ",
        "=   ✓ contains\n=   ✗ status_code expected 200, got 404\n",
    ] {
        assert!(shown.contains(line), "{line:?} in {shown}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn every_request_of_a_redirect_is_shown_and_json_output_stays_json() {
    let tasks = json!([{"method": "get", "request_url": "/moved"}]);
    let shown = shown(tasks, &["-o", "json"], 1);
    let events = shown.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let traces: Vec<serde_json::Value> =
        events.filter(|event: &serde_json::Value| event["event"] == "trace").collect();
    let begins =
        ["> GET /moved", "< HTTP/1.1 302", "> GET /end", "< HTTP/1.1 404", "= task 1 failed"];
    assert_eq!(traces.len(), begins.len(), "{traces:?}");
    for (trace, begin) in traces.iter().zip(begins) {
        assert!(trace["text"].as_str().expect("text").starts_with(begin), "{trace}");
    }
}

#[test]
fn a_skipped_task_is_shown_for_every_kind_of_user() {
    let users = [
        ("fast_http_user", json!({"method": "get", "request_url": "http://127.0.0.1:9/"})),
        ("socket_user", json!({"target": "127.0.0.1:9"})),
        ("websocket_user", json!({"method": "close"})),
        ("sse_user", json!({"method": "close"})),
        ("redis_user", json!({"method": "get", "key": "k"})),
        ("mqtt_user", json!({"method": "disconnect"})),
        ("grpc_user", json!({"method": "pkg.Greeter/SayHello", "proto": "examples/greeter.proto"})),
    ];
    for (user, mut task) in users {
        task["skip_if"] = json!("1");
        let document = json!([["LD_start_test", {
            "user_detail_dict": {"user": user}, "user_count": 1, "test_time": 1, "tasks": [task],
        }]]);
        let output = ldctl().args(["run", "--once", "--json", &document.to_string()]).output();
        let shown = String::from_utf8(output.expect("ldctl runs").stdout).expect("UTF-8");
        assert!(shown.contains("= task 1 skipped: its skip_if holds\n"), "{user}: {shown}");
    }
}
