use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use super::*;
use crate::net::Targets;

/// A server that responds to one request with a status, and returns the request as it arrived.
fn receiver(status: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            let read = stream.read(&mut chunk).expect("a request");
            request.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&request).into_owned();
            let length = text.to_lowercase().split("content-length: ").nth(1).and_then(|rest| {
                rest.split("\r\n").next().and_then(|length| length.parse::<usize>().ok())
            });
            let body = text.split("\r\n\r\n").nth(1).map(str::len);
            if read == 0 || body.is_some() && body >= length {
                let response = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
                stream.write_all(response.as_bytes()).expect("written");
                return text;
            }
        }
    });
    (url, serving)
}

const SUMMARY: &str = r#"{"totals": {"requests": 1000, "failures": 25, "failure_rate": 0.025},
    "latency_overall": {"p95_ms": 123.5}}"#;

/// Posts to a server of this status: the line of the action, and the request.
fn posted(status: &'static str, action: &str) -> (String, String) {
    let (url, serving) = receiver(status);
    let action = action.replace("URL", &url).replace("SUMMARY", SUMMARY);
    let line = Bench::new().lines(&format!("[{action}]")).remove(0);
    (line, serving.join().expect("no panic"))
}

#[test]
fn each_service_gets_the_figures_in_its_form() {
    for (action, parts) in [
        (
            r#"["LD_post_slack_summary", ["URL/services/T/B?x=1", SUMMARY, "Żółw"]]"#,
            &[
                "POST /services/T/B?x=1 HTTP/1.1\r\n",
                r#"{"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "\u017b\u00f3\u0142w"}}"#,
                r#"{"type": "mrkdwn", "text": "*Failure rate*\n2.50%"}"#,
                r#""*P95 latency*\n124 ms""#,
            ][..],
        ),
        (
            r#"["LD_post_teams_summary", ["URL/hook", SUMMARY]]"#,
            &[r#"{"@type": "MessageCard""#, r#"{"name": "Requests", "value": "1000"}"#],
        ),
        (
            r#"["LD_post_pagerduty_event", {"routing_key": "k3y", "summary": SUMMARY, "api_url": "URL/v2/enqueue"}]"#,
            &[
                "POST /v2/enqueue HTTP/1.1",
                r#"{"routing_key": "k3y", "event_action": "trigger", "payload": {"summary": "LoadDensity SLA breach", "severity": "error""#,
                r#""failure_rate": 0.025, "p95_ms": 123.5}"#,
            ],
        ),
        (
            r#"["LD_post_opsgenie_alert", {"api_key": "k3y", "summary": SUMMARY, "api_url": "URL/v2/alerts", "priority": "P1"}]"#,
            &[
                "authorization: GenieKey k3y\r\n",
                r#""description": "requests=1000, failures=25, failure_rate=2.50%, p95=124ms", "priority": "P1""#,
            ],
        ),
        (
            r#"["LD_post_gitlab_mr_summary", {"project_id": "shop/a b", "merge_request_iid": 7, "token": "k3y",
                "summary": SUMMARY, "base_url": "URL/api/v4/"}]"#,
            &[
                "POST /api/v4/projects/shop%2Fa%20b/merge_requests/7/notes HTTP/1.1",
                "private-token: k3y\r\n",
                r####"{"body": "### LoadDensity run\n\n| metric | value |\n|---|---|\n| requests | 1000 |"####,
            ],
        ),
    ] {
        let (line, request) = posted("202 Accepted", action);
        assert_eq!(line, "202", "{action}");
        assert!(request.contains("content-type: application/json\r\n"), "{request}");
        for part in parts {
            assert!(request.contains(part), "{part} in {request}");
        }
    }
}

#[test]
fn without_a_summary_the_records_are_told() {
    let (line, request) = posted("200 OK", r#"["LD_post_teams_summary", ["URL/"]]"#);
    assert_eq!(line, "200");
    assert!(request.contains(r#"{"name": "Failure rate", "value": "0.00%"}"#), "{request}");
}

#[test]
fn t53_a_failure_names_the_service_and_the_host_and_no_secret() {
    for action in [
        r#"["LD_post_slack_summary", ["URL/s3cret?token=s3cret"]]"#,
        r#"["LD_post_pagerduty_event", {"routing_key": "s3cret", "api_url": "URL/s3cret"}]"#,
        r#"["LD_post_opsgenie_alert", {"api_key": "s3cret", "api_url": "URL/"}]"#,
        r#"["LD_post_gitlab_mr_summary", ["p", 1, "s3cret", null, "URL/s3cret"]]"#,
    ] {
        let (line, request) = posted("404 Not Found", action);
        assert!(request.contains("s3cret"), "{request}");
        assert!(line.starts_with("OSError('nothing was posted to "), "{line}");
        assert!(line.contains("at http://127.0.0.1:") && !line.contains("s3cret"), "{line}");
        assert!(line.ends_with(": the receiver responded with 404 Not Found')"), "{line}");
    }
    for action in [
        r#"["LD_post_slack_summary", ["ftp://h/s3cret"]]"#,
        r#"["LD_post_slack_summary", [["s3cret"]]]"#,
        r#"["LD_post_pagerduty_event", [["s3cret"]]]"#,
        r#"["LD_post_opsgenie_alert", ["s3cret\r\nx: y"]]"#,
        r#"["LD_post_gitlab_mr_summary", ["p", 1, ["s3cret"]]]"#,
    ] {
        let line = Bench::new().lines(&format!("[{action}]")).remove(0);
        assert!(line.contains("Error('") && !line.contains("s3cret"), "{line}");
    }
}

#[test]
fn nothing_is_posted_where_load_tests_may_not_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let allowed = vec!["192.0.2.1".parse().expect("a target")];
    let targets = Targets { own: Vec::new(), allowed };
    let policy = Policy { targets, ..Policy::inside(dir.path()) };
    let executor = Executor::new(policy).expect("an executor");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    for url in [url.as_str(), "http://169.254.169.254/"] {
        let json = format!(r#"[["LD_post_slack_summary", ["{url}"]]]"#);
        let document = Document::parse(Value::parse(&json).expect("JSON")).expect("a document");
        let mut lines = Vec::new();
        executor.execute(
            document,
            &mut |event| {
                if let Event::Result(result) = event {
                    lines.push(result.line());
                }
            },
            &CancellationToken::new(),
        );
        assert!(
            lines[0].contains("no --allow-target names it") || lines[0].contains("refused"),
            "{lines:?}"
        );
    }
    listener.set_nonblocking(true).expect("set");
    listener.accept().expect_err("no connection");
}
