//! Load through the socket: what is counted here is what arrived there.

use crate::support::{Server, Target, ldctl};

#[test]
fn every_request_of_fifty_users_is_one_that_the_target_counted() {
    let target = Target::start();
    let server = Server::start(&[], None);
    let document = format!(
        r#"{{"load_density": [
            ["LD_clear_records"],
            ["LD_start_test", {{
                "user_detail_dict": {{"user": "fast_http_user", "host": "{}"}},
                "user_count": 50, "spawn_rate": 50, "test_time": 3,
                "tasks": [{{"method": "get", "request_url": "/", "name": "home",
                           "assertions": [{{"type": "contains", "value": "hello"}}]}}]}}],
            ["LD_summary"]]}}"#,
        target.url()
    );
    let sent = ldctl()
        .args(["send", "--output", "json", "--json", &document, "--port", &server.port()])
        .assert()
        .success();
    let output = String::from_utf8(sent.get_output().stdout.clone()).expect("UTF-8");
    let events: Vec<serde_json::Value> =
        output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let result = |command| {
        let is_result =
            |event: &&serde_json::Value| event["command"] == command && event["event"] == "result";
        events.iter().find(is_result).expect("a result")
    };
    let progress = events.iter().find(|event| event["event"] == "progress").expect("progress");
    let second = |key: &str| progress[key].as_f64().expect(key);
    let length = second("elapsed_s") + second("remaining_s");
    assert!((2.5..3.5).contains(&length), "{progress}");
    let test = result("LD_start_test");
    assert!(test["value"]["summary"].is_object(), "{test}");
    let text = test["text"].as_str().expect("the line of the text dialect");
    assert!(text.starts_with("{'user_detail': ") && !text.contains("summary"), "{text}");
    let summary = result("LD_summary");
    let totals = &summary["value"]["totals"];
    let counted = target.requests();
    assert!(counted > 50, "{counted} requests of 50 users");
    assert_eq!(totals["requests"], counted);
    assert_eq!(totals["successes"], counted);
    assert_eq!(summary["value"]["per_name"]["home"]["count"], counted);
}
