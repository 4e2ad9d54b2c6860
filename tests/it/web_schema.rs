//! The description of the API, against what is sent: every reply in JSON is valid by its schema.

use serde_json::{Value, json};

use crate::endings::endless;
use crate::runs::short;
use crate::support::Target;
use crate::support::web::{Answer, Asked, Door, asked, get, post};
use crate::web::{start, wait_for};

/// What the description says of a response.
fn check(description: &Value, method: &str, path: &str, answer: &Answer) {
    let operation = &description["paths"][path][method];
    assert!(operation.is_object(), "{method} {path} is not described");
    let responses = &operation["responses"];
    let status = answer.status.to_string();
    let response = responses.get(&status).or_else(|| responses.get("default"));
    let response = response.unwrap_or_else(|| panic!("{method} {path}: {status} is not described"));
    let media = answer.header("content-type");
    let media = media.split(';').next().expect("a media type");
    let content = &response["content"][media];
    assert!(content.is_object(), "{method} {path} {status}: {media} is not described");
    if media == "application/json" {
        let schema = json!({"allOf": [content["schema"]], "components": description["components"]});
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let json = answer.json();
        let errors: Vec<String> =
            validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{method} {path} {status}: {errors:?}: {json}");
    }
}

#[test]
fn every_reply_is_valid_by_the_description() {
    let (target, door) = (Target::start(), Door::open(&[], Some("s3cret")));
    let described = door.ask(get("/api/v1/openapi.json"));
    let description = described.json();
    assert_eq!(description["openapi"], "3.1.0");
    check(&description, "get", "/api/v1/openapi.json", &described);
    let mixed = json!([short(&target, "a"), ["nothing"], ["abs", [-1]]]).to_string();
    let broken = {
        let mut broken = json!([short(&target, "a")]);
        broken[0][1]["user_detail_dict"]["host"] = "http://127.0.0.1:1".into();
        broken.to_string()
    };
    for document in [mixed.as_str(), broken.as_str()] {
        let run = start(&door, document);
        wait_for(&door, run, "failed");
    }
    start(&door, &endless(&target));
    wait_for(&door, 3, "running");
    let run = "/api/v1/runs/{run}";
    let all: Vec<(&str, &str, Asked)> = vec![
        ("post", "/api/v1/runs", post("/api/v1/runs?name=x", r#"[["LD_summary"]]"#)),
        ("post", "/api/v1/runs", post("/api/v1/runs", &endless(&target))),
        ("post", "/api/v1/runs", post("/api/v1/runs", "x")),
        ("post", "/api/v1/runs", post("/api/v1/runs", &"x".repeat(2_000_000))),
        ("get", "/api/v1/runs", get("/api/v1/runs")),
        ("get", "/api/v1/runs", get("/api/v1/runs?limit=0")),
        ("get", run, get("/api/v1/runs/1")),
        ("get", run, get("/api/v1/runs/2")),
        ("get", run, get("/api/v1/runs/3")),
        ("get", run, get("/api/v1/runs/99")),
        ("get", run, get("/api/v1/runs/x")),
        ("get", "/api/v1/runs/{run}/events", get("/api/v1/runs/1/events")),
        ("get", "/api/v1/runs/{run}/report.html", get("/api/v1/runs/1/report.html")),
        ("get", "/api/v1/runs/{run}/summary.json", get("/api/v1/runs/1/summary.json")),
        ("get", "/api/v1/runs/{run}/junit.xml", get("/api/v1/runs/1/junit.xml")),
        ("get", "/api/v1/runs/{run}/records.csv", get("/api/v1/runs/1/records.csv")),
        ("get", "/api/v1/runs/{run}/records.csv", get("/api/v1/runs/3/records.csv")),
        ("get", "/api/v1/runs/{run}/document.json", get("/api/v1/runs/1/document.json")),
        ("get", "/api/v1/runs/{run}/compare/{other}.html", get("/api/v1/runs/1/compare/2.html")),
        ("post", "/api/v1/lint", post("/api/v1/lint", r#"[["LD_sumary"]]"#)),
        ("post", "/api/v1/links", post("/api/v1/links", r#"{"path": "/runs/1"}"#)),
        ("post", "/api/v1/links", post("/api/v1/links", "{}")),
        ("get", "/metrics", get("/metrics")),
        ("get", "/healthz", get("/healthz")),
        ("post", "/api/v1/runs/{run}/stop", post("/api/v1/runs/99/stop", "")),
        ("post", "/api/v1/runs/{run}/stop", post("/api/v1/runs/3/stop", "")),
    ];
    for (method, path, request) in &all {
        check(&description, method, path, &door.ask(request.clone()));
        if *path != "/healthz" {
            let bare = door.ask_bare(request);
            assert_eq!(bare.status, 401, "{method} {path}");
            check(&description, method, path, &bare);
        }
    }
    // Nothing is described that was not asked for, and no other method is served.
    for (path, operations) in description["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("methods").keys() {
            assert!(
                all.iter().any(|(m, p, _)| m == method && p == path)
                    || path == "/api/v1/openapi.json",
                "{method} {path} was not asked for"
            );
        }
        let real = path.replace("{run}", "1").replace("{other}", "2");
        for method in ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"] {
            let answer = door.ask(asked(method, &real));
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
        }
    }
}
