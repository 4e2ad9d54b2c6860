//! What other tools keep, as `ldctl convert` makes it run: the samples in `tests/it/imports` are like
//! those of public projects. Each becomes a document that lint finds clean, and that sends what the
//! sample says.

use std::fs;
use std::path::Path;

use ldctl::value::{Charset, Value};

use crate::support::{Request, Scripted, answer, ldctl};

/// A sample as a document.
struct Converted {
    directory: tempfile::TempDir,
    document: String,
    /// What stderr said.
    said: String,
}

/// What the targets of all samples answer.
const BODY: &[u8] = br#"{"data": {"token": "t-7"}, "results": [], "items": []}"#;

#[track_caller]
fn converted(sample: &str, args: &[&str]) -> Converted {
    let directory = tempfile::tempdir().expect("a directory");
    for entry in fs::read_dir("tests/it/imports").expect("samples") {
        let path = entry.expect("a sample").path();
        let name = path.file_name().expect("a name");
        fs::copy(&path, directory.path().join(name)).expect("a copy");
    }
    let done = ldctl()
        .current_dir(directory.path())
        .args(["convert", sample, "-o", "out.json"])
        .args(args)
        .assert()
        .success();
    let said = String::from_utf8(done.get_output().stderr.clone()).expect("UTF-8");
    let document = fs::read_to_string(directory.path().join("out.json")).expect("a document");
    // On one line, so that a part of it can be looked for.
    let document = Value::parse(&document).expect("JSON").to_json(Charset::Unicode);
    Converted { directory, document, said }
}

impl Converted {
    /// Lints the document; with a value for each variable that it needs.
    #[track_caller]
    fn clean(&self) {
        let linted = self.with_environment("lint").arg("out.json").assert();
        let output = linted.get_output();
        let said = [output.stdout.clone(), output.stderr.clone()].concat();
        assert_eq!(String::from_utf8(said).expect("UTF-8"), "", "lint of {}", self.document);
    }

    /// Runs one iteration of each test; returns the lines of its requests, and the requests.
    #[track_caller]
    fn sends(&self, status: fn(&Request) -> u16) -> (Vec<String>, Vec<Request>) {
        let target = Scripted::start(move |request, wire| {
            answer(
                wire,
                status(request),
                &[("Content-Type", "application/json"), ("ETag", "e-1")],
                BODY,
            )
        });
        let done = self
            .with_environment("run")
            .args(["out.json", "--once", "--target", &target.url()])
            .assert()
            .success();
        let said = String::from_utf8(done.get_output().stdout.clone()).expect("UTF-8");
        assert!(!said.contains(" failed in ") && !said.contains('✗'), "{said}");
        let seen = target.seen();
        (
            seen.iter().map(|request| format!("{} {}", request.method, request.target)).collect(),
            seen,
        )
    }

    fn with_environment(&self, verb: &str) -> snapbox::cmd::Command {
        let needed = self.said.lines().find_map(|line| line.split_once("before it runs: "));
        let names = needed.map(|(_, names)| names.split(", ")).into_iter().flatten();
        let command = ldctl().current_dir(self.directory.path()).arg(verb);
        names.fold(command, |command, name| {
            let value =
                if name.contains("URL") || name == "SERVER" { "http://h.example" } else { "value" };
            command.env(name, value)
        })
    }

    #[track_caller]
    fn says(&self, lines: &[&str]) {
        for line in lines {
            assert!(self.said.contains(line), "{line:?} in {}", self.said);
        }
    }
}

fn ok(_: &Request) -> u16 {
    200
}

#[test]
fn an_api_in_yaml_sends_what_its_operations_need() {
    let api = converted("shop-openapi3.yaml", &[]);
    api.clean();
    let (lines, requests) =
        api.sends(|request| match (request.method.as_str(), request.target.as_str()) {
            ("POST", "/v1/items") => 201,
            ("PATCH" | "DELETE", _) => 204,
            ("PUT", _) => 202,
            _ => 200,
        });
    assert_eq!(
        lines,
        [
            "GET /v1/items?limit=5",
            "POST /v1/items",
            "GET /v1/items/42",
            "PATCH /v1/items/42",
            "DELETE /v1/items/42",
            "PUT /v1/items/42/photo",
            "POST /v1/login",
            "GET /v1/reports/text",
        ]
    );
    assert!(api.document.contains(r#""host": "https://eu.shop.example""#), "{}", api.document);
    assert_eq!(requests[0].header("authorization").as_deref(), Some("Bearer value"));
    assert_eq!(requests[0].header("x-tenant").as_deref(), Some("acme"));
    let item = r#"{"name": "Chair", "price": 1, "tags": ["text"], "made": "2026-01-31", "size": {"height": 90}}"#;
    assert_eq!(requests[1].text(), item);
    assert_eq!(requests[3].text(), r#"{"price": 9.5}"#);
    assert_eq!(requests[3].header("content-type").as_deref(), Some("application/merge-patch+json"));
    assert_eq!(requests[4].header("x-api-key").as_deref(), Some("value"));
    assert_eq!(requests[4].header("authorization"), None);
    assert!(requests[5].text().contains("A chair"), "{}", requests[5].text());
    assert_eq!(requests[6].text(), "username=ann&password=value");
    assert_eq!(requests[6].header("authorization"), None);
    assert_eq!(requests[7].header("x-request-id").expect("an id").len(), 36);
    api.says(&[
        "left out: optional parameter (1)",
        "values that were made up; correct them in \"variables\": name",
        "bodies made by their schemas: createItem, uploadPhoto, login",
        "before it runs: ",
    ]);
}

#[test]
fn an_api_of_swagger_2_has_its_server_its_forms_and_its_credentials() {
    let api = converted("pets-swagger2.json", &["--from", "openapi"]);
    api.clean();
    let (lines, requests) = api.sends(|request| {
        if request.target == "/v2/pets/1" && request.method == "POST" { 206 } else { 200 }
    });
    assert_eq!(
        lines,
        [
            "GET /v2/pets?status=available&api_key=value",
            "POST /v2/pets",
            "GET /v2/pets/1",
            "POST /v2/pets/1",
            "POST /v2/pets/1/image",
        ]
    );
    assert!(api.document.contains(r#""host": "https://pets.example""#), "{}", api.document);
    assert_eq!(requests[1].header("authorization").as_deref(), Some("Basic dmFsdWU6dmFsdWU="));
    assert!(
        requests[1].text().contains(r#""name": "doggie", "category": {"name": "text"}"#),
        "{}",
        requests[1].text()
    );
    assert_eq!(requests[3].text(), "name=Rex");
    assert!(requests[4].text().contains("filename=\"file.txt\""), "{}", requests[4].text());
}

#[test]
fn an_api_of_openapi_3_1_says_what_it_has_that_a_task_has_not() {
    let api = converted("orders-openapi31.json", &[]);
    api.clean();
    let (lines, requests) =
        api.sends(|request| if request.target == "/orders" { 202 } else { 200 });
    assert_eq!(lines, ["POST /orders", "GET /orders/o-7", "GET /export", "POST /export"]);
    let body = requests[0].text();
    assert!(body.contains(r#""sku": "A-1", "count": 2, "parts": [{"sku": "A-1""#), "{body}");
    assert!(body.contains('@') && body.contains(r#""note": "text", "express": true"#), "{body}");
    api.says(&[
        "left out: method trace (1), webhooks (1)",
        "references to other files, not read: common.json#/Money",
        "bodies of the type application/octet-stream left out: importOrders",
    ]);
}

#[test]
fn a_collection_of_postman_sends_its_requests_with_variables_and_credentials() {
    let shop = converted("shop-postman21.json", &[]);
    shop.clean();
    let (lines, requests) = shop.sends(ok);
    assert_eq!(
        lines,
        [
            "POST /v1/login",
            "GET /v1/items?page=2",
            "GET /v1/items/17",
            "POST /v1/search",
            "POST /v1/upload",
            "POST /v1/graphql",
            "PUT /v1/soap",
        ]
    );
    for secret in ["apple-1", "k-9", "{{"] {
        assert!(!shop.document.contains(secret), "{secret} in {}", shop.document);
    }
    assert!(shop.document.contains(r#""host": "https://shop.example""#), "{}", shop.document);
    assert_eq!(requests[0].text(), r#"{"user": "ann", "password": "value"}"#);
    assert_eq!(requests[0].header("authorization"), None);
    // The script of the login keeps the token.
    assert_eq!(requests[1].header("authorization").as_deref(), Some("Bearer t-7"));
    assert_eq!(requests[1].header("x-debug"), None);
    assert_eq!(requests[3].header("x-api-key").as_deref(), Some("value"));
    assert_eq!(requests[3].header("authorization"), None);
    assert!(
        requests[3].text().starts_with("q=chair+") && requests[3].text().ends_with("&tag=a"),
        "{}",
        requests[3].text()
    );
    let kind = requests[4].header("content-type").expect("a type");
    assert!(kind.starts_with("multipart/form-data; boundary="), "{kind}");
    assert!(requests[5].text().contains(r#""variables": {"id": ""#), "{}", requests[5].text());
    assert_eq!(requests[6].text(), "<a>2</a>");
    assert_eq!(requests[6].header("authorization").as_deref(), Some("Basic YW5uOnZhbHVl"));
    shop.says(&["left out: script before a request (1)", "requests without a URL left out: Empty"]);
}

#[test]
fn a_collection_without_its_environment_takes_its_variables_from_ours() {
    let users = converted("users-postman20.json", &[]);
    users.clean();
    assert!(users.document.contains(r#""host": "${env.SERVER}""#), "{}", users.document);
    users.says(&["left out: authentication awsv4 (1)", "before it runs: "]);
    let own = converted("users-postman20.json", &["--host-only"]);
    own.says(&["left out requests to other hosts: https://users.example:8443 (1)"]);
    own.clean();
    let (lines, requests) = own.sends(ok);
    assert_eq!(lines, ["GET /users", "DELETE /users/1"]);
    assert_eq!(requests[0].header("authorization").as_deref(), Some("Basic YWRtaW46dmFsdWU="));
}

#[test]
fn a_test_plan_of_jmeter_becomes_a_test_for_each_thread_group() {
    let plan = converted("checkout.jmx", &["--think-time"]);
    plan.clean();
    let (lines, requests) = plan.sends(ok);
    assert_eq!(
        lines,
        [
            "POST /login",
            "GET /search?q=chair+%26+table&currency=EUR",
            "POST /buy",
            "GET /staff/orders"
        ]
    );
    assert!(plan.document.contains(r#""host": "https://shop.example""#), "{}", plan.document);
    for part in [
        r#""user_count": 20,"#,
        r#""spawn_rate": 2,"#,
        r#""test_time": 120,"#,
        r#""iterations": 10,"#,
        r#""csv_sources": [{"name": "shop_users", "file_path": "shop-users.csv"}]"#,
        r#""think_time": {"min": 0.5, "max": 1.5}"#,
        r#""allow_redirects": false"#,
        r#""timeout": 5"#,
    ] {
        assert!(plan.document.contains(part), "{part} in {}", plan.document);
    }
    assert_eq!(requests[0].text(), r#"{"user": "ann", "password": "apple-1"}"#);
    assert_eq!(requests[0].header("content-type").as_deref(), Some("application/json"));
    assert_eq!(requests[2].header("authorization").as_deref(), Some("Bearer t-7"));
    assert_eq!(requests[3].header("authorization").as_deref(), Some("Basic Ym9zczp2YWx1ZQ=="));
    assert!(
        requests
            .iter()
            .all(|request| request.header("accept").as_deref() == Some("application/json"))
    );
    assert!(!plan.said.contains("may hold secrets"), "{}", plan.said);
    plan.says(&[
        "left out: disabled HTTPSamplerProxy (1), JSR223Sampler (1), listener (1)",
        "elements without a counterpart: Order number (RegexExtractor)",
        "controllers whose requests simply run once: Thrice (LoopController)",
        "files to put into the data directory: shop-users.csv",
    ]);
}

#[test]
fn a_script_of_k6_is_read_as_far_as_it_says_what_it_does() {
    let script = converted("shop.k6.js", &["--think-time"]);
    script.clean();
    let (lines, requests) = script.sends(ok);
    assert_eq!(
        lines,
        [
            "POST /v1/login",
            "GET /v1/items?limit=20",
            "GET /v1/items/0",
            "POST /v1/search",
            "DELETE /v1/cart",
            "GET /v1/a.css",
            "GET /v1/b.js",
            "PATCH /v1/me",
        ]
    );
    assert_eq!(requests[0].text(), r#"{"user": "ann", "password": "value", "tags": ["a", "b"]}"#);
    assert_eq!(requests[1].header("authorization").as_deref(), Some("Bearer t-7"));
    assert_eq!(requests[3].text(), "q=chair&page=2");
    assert_eq!(requests[4].header("authorization").as_deref(), Some("Bearer t-7"));
    assert_eq!(requests[7].text(), r#"{"name": "Ann"}"#);
    for part in [
        r#"{"duration": 30, "users": 20, "spawn_rate": 0.64}"#,
        r#"{"duration": 90, "users": 20}"#,
        r#"{"type": "latency_p95", "op": "lt", "value": 300}"#,
        r#"{"type": "failure_rate", "op": "lt", "value": 0.1}"#,
        r#""name": "browse: items""#,
        r#""timeout": 5"#,
        r#""verify": false"#,
        r#""think_time": {"min": 1, "max": 3}"#,
        r#"{"type": "contains", "value": "items"}"#,
        r#""host": "https://shop.example""#,
    ] {
        assert!(script.document.contains(part), "{part} in {}", script.document);
    }
    script.says(&[
        "left out: check without a counterpart (1)",
        "http.batch: its requests run one after the other",
        "loops whose requests run once: line 44",
        "thresholds without a counterpart: http_req_duration: max<5000",
        "thresholds that do not end the test (see abort_on): http_req_failed",
    ]);
}

#[test]
fn each_scenario_of_k6_becomes_a_test_with_its_own_load() {
    let script = converted("scenarios.k6.js", &[]);
    script.clean();
    let (lines, _) = script.sends(ok);
    assert_eq!(lines, ["GET /", "POST /buy", "GET /"]);
    for part in [
        r#""arrival_rate": {"rate": 2, "max_users": 50}"#,
        r#""iterations": 6"#,
        r#"{"type": "latency_mean", "name": "home", "op": "lt", "value": 200}"#,
        r#"{"type": "requests", "op": "gt", "value": 2}"#,
    ] {
        assert!(script.document.contains(part), "{part} in {}", script.document);
    }
    script.says(&[
        "requests left out, because their URLs are computed: host + \"/\" + Math.random()",
        "scenarios run one after the other",
        "pauses left out (--think-time keeps them): 2",
    ]);
}

#[test]
fn a_format_is_found_by_the_content_and_insisting_on_another_is_refused() {
    let refused = |sample: &str, from: &str, why: &str| {
        let path = Path::new("tests/it/imports").join(sample);
        let path = path.to_str().expect("UTF-8");
        ldctl()
            .args(["convert", path, "--from", from])
            .assert()
            .code(2)
            .stderr_eq(format!("error: {path}: {why}\n"));
    };
    refused("shop-openapi3.yaml", "har", "not JSON: expected value at line 1 column 1");
    refused(
        "shop-postman21.json",
        "openapi",
        "not an OpenAPI document: it has neither \"openapi\" nor \"swagger\"",
    );
    refused("pets-swagger2.json", "postman", "not a Postman collection: it has no \"item\"");
    refused("pets-swagger2.json", "jmeter", "not XML: no element");
    refused("checkout.jmx", "k6", "it has no request");
}
