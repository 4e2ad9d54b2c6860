//! A real load test, and everything that is made of its records: each file is read back by a parser
//! of its format, and all of them must tell the same story.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use ldctl::action::{Document, Executor, Policy};
use ldctl::event::{ActionResult, Event, Failure, FailureKind};
use ldctl::value::Value;
use tokio_util::sync::CancellationToken;

/// An executor over a fresh data directory, with a target to test.
struct Bench {
    executor: Executor,
    dir: tempfile::TempDir,
    target: String,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let policy = Policy::inside(dir.path());
        let executor = Executor::new(policy).expect("an executor");
        let mut bench = Self { executor, dir, target: String::new() };
        let stub = bench.value(
            r#"["LD_start_stub_server", {"rules": [
                {"method": "GET", "path": "/ok", "body": "fine"},
                {"method": "GET", "path": "/bad", "status": 500, "body": "broken"}]}]"#,
        );
        let Value::Dict(stub) = stub else { panic!("an object") };
        bench.target = format!("http://127.0.0.1:{}", stub["port"].to_text());
        bench
    }

    /// Runs one action to its result.
    fn result(&self, action: &str) -> ActionResult {
        let text = format!("[{}]", action.replace("TARGET", &self.target));
        let document =
            Document::parse(Value::parse(&text).expect("JSON")).expect("a list of actions");
        let mut results = Vec::new();
        let mut sink = |event| {
            if let Event::Result(result) = event {
                results.push(result);
            }
        };
        self.executor.execute(document, &mut sink, &CancellationToken::new());
        results.pop().expect("a result")
    }

    fn value(&self, action: &str) -> Value {
        let result = self.result(action);
        assert_eq!(result.error, None, "{action}");
        result.value.expect("a value")
    }

    fn failure(&self, action: &str) -> (FailureKind, String) {
        let failure = self.result(action).error.expect(action);
        (failure.kind, failure.message)
    }

    /// A short test of two names, one of which always fails.
    fn load(&self) {
        self.value(
            r#"["LD_start_test", {
                "user_detail_dict": {"user": "fast_http_user", "host": "TARGET"},
                "user_count": 2, "spawn_rate": 1000, "test_time": 0.3, "wait_time": 0.01,
                "tasks": [{"method": "get", "url": "/ok", "name": "<good> & \"so\""},
                          {"method": "get", "url": "/bad", "name": "=bad"}]}]"#,
        );
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).expect(name)
    }
}

fn text(value: &Value, path: &[&str]) -> String {
    let mut value = value;
    for key in path {
        let Value::Dict(members) = value else { panic!("{key} of {value:?}") };
        value = &members[*key];
    }
    value.to_text()
}

#[test]
fn every_report_of_a_run_has_the_same_figures() {
    let bench = Bench::new();
    bench.load();
    let summary = bench.value(r#"["LD_summary"]"#);
    let total: usize = text(&summary, &["totals", "requests"]).parse().expect("a count");
    let failed: usize = text(&summary, &["totals", "failures"]).parse().expect("a count");
    assert!(total > 4 && failed > 1 && failed < total, "{total} requests, {failed} failed");

    assert_eq!(bench.value(r#"["LD_generate_csv_report", ["run"]]"#).to_text(), "run.csv");
    let csv = bench.file("run.csv");
    let mut csv = csv::Reader::from_reader(csv.as_bytes());
    let mut outcomes: HashMap<String, usize> = HashMap::new();
    for row in csv.records() {
        let row = row.expect("CSV");
        *outcomes.entry(row[0].to_owned()).or_default() += 1;
        let want = if &row[0] == "success" { "<good> & \"so\"" } else { "'=bad" };
        assert_eq!(&row[3], want);
    }
    assert_eq!(outcomes["success"] + outcomes["failure"], total);
    assert_eq!(outcomes["failure"], failed);

    let paths = bench.value(r#"["LD_generate_json_report", ["run"]]"#).to_text();
    assert_eq!(paths, "('run_success.json', 'run_failure.json')");
    let failures = Value::parse(&bench.file("run_failure.json")).expect("JSON");
    let Value::Dict(failures) = failures else { panic!("an object") };
    assert_eq!(failures.len(), failed);
    assert_eq!(text(&failures["Failure_Test1"], &["status_code"]), "500");

    bench.value(r#"["LD_generate_xml_report", ["run"]]"#);
    assert_eq!(
        bench.file("run_success.xml").matches("<Method>GET</Method>").count(),
        total - failed
    );

    bench.value(r#"["LD_generate_junit_report", ["run"]]"#);
    let counted = format!("tests=\"{total}\" failures=\"{failed}\"");
    assert!(bench.file("run.xml").contains(&counted));

    bench.value(r#"["LD_generate_summary_report", ["run"]]"#);
    let summary = bench.executor.records().summary().to_value();
    assert_eq!(Value::parse(&bench.file("run.json")).expect("JSON"), summary);

    bench.value(r#"["LD_generate_html_report", ["run"]]"#);
    let page = bench.file("run.html");
    // About half of them, whichever request was the last.
    let share = |tens| page.contains(&format!("requests failed ({tens}"));
    assert!(share(4) || share(5), "{failed} of {total}");
    assert!(page.contains("&lt;good&gt; &amp; &quot;so&quot;"));
    assert!(page.contains("LD_start_test"), "the document is shown");

    assert_eq!(bench.value(r#"["LD_persist_records", ["runs.db", "first"]]"#), Value::Int(1));
    let Value::Rows(rows) = bench.value(r#"["LD_fetch_run_records", ["runs.db", 1]]"#) else {
        panic!("rows")
    };
    assert_eq!(rows.len(), total);
}

#[test]
fn a_page_names_the_document_the_target_the_load_and_the_time() {
    let bench = Bench::new();
    bench.value(
        r#"["LD_start_test", {
            "user_detail_dict": {"host": "TARGET"}, "arrival_rate": {"rate": 50, "max_users": 2},
            "test_time": 0.5, "seed": 42, "tasks": [{"method": "get", "url": "/ok", "name": "ok"}]}]"#,
    );
    bench.value(r#"["LD_generate_html_report", {"html_name": "run", "label": "nightly"}]"#);
    let page = bench.file("run.html");
    let fact = |name: &str| {
        let (_, rest) = page.split_once(&format!("<dt>{name}</dt><dd>")).expect(name);
        rest.split_once("</dd>").expect("an end").0.to_owned()
    };
    assert_eq!(fact("Label"), "nightly");
    assert_eq!(fact("Target"), bench.target);
    assert_eq!(fact("Seed"), "42");
    assert_eq!(fact("Load"), "open: 50 iterations per second for 0.5 s, with at most 2 users");
    assert_eq!(fact("Program"), concat!("ldctl ", env!("CARGO_PKG_VERSION")));
    assert!(fact("Machine").contains("cores, ") || fact("Machine").contains("1 core, "));
    assert!(fact("Began").ends_with(" UTC") && fact("Ended") >= fact("Began"));
    assert!(page.contains("asked for, at "), "what was asked for is drawn");
    let title = page.split_once("<title>").expect("a title").1.split_once("</title>");
    let title = title.expect("an end").0;
    let want = format!("{} · {} · Load test report", bench.target, fact("Began"));
    assert_eq!(title, want);
}

#[test]
fn a_page_compares_with_an_earlier_run_if_a_baseline_is_given() {
    let bench = Bench::new();
    bench.load();
    bench.value(r#"["LD_generate_html_report", {"html_name": "alone"}]"#);
    let alone = bench.file("alone.html");
    assert!(!alone.contains("class=\"delta") && !alone.contains("egression"));
    bench.value(r#"["LD_persist_records", ["runs.db", "nightly"]]"#);
    for baseline in ["1", "\"latest\"", "\"nightly\""] {
        bench.value(&format!(
            r#"["LD_generate_html_report", {{"html_name": "compared", "baseline": {baseline},
                "database_path": "runs.db"}}]"#
        ));
        let page = bench.file("compared.html");
        let sentence =
            "No regression: no figure is worse than in run 1 (nightly) by more than 10 %";
        assert!(page.contains(sentence), "{baseline}");
        // Eight latencies of two names and of all, and three of the four tiles.
        assert!(page.matches("±0 %</small>").count() > 24);
    }
    let page = |arguments: &str| {
        bench.result(&format!(r#"["LD_generate_html_report", {{"html_name": "p", {arguments}}}]"#))
    };
    let missing = page(r#""baseline": 9, "database_path": "runs.db""#);
    let message = missing.error.expect("there is no such run").message;
    assert_eq!(message, "runs.db: no run 9; the newest are 1");
    let first = page(r#""baseline": "weekly", "database_path": "runs.db""#);
    assert_eq!(first.error, None, "the first of its kind has nothing to compare with");
    assert!(first.warnings[0].starts_with("the report has no baseline: "), "{:?}", first.warnings);
    let nowhere = page(r#""baseline": "nightly", "database_path": "rnus.db""#);
    assert_eq!(nowhere.error, None);
    assert_eq!(
        nowhere.warnings,
        ["\"rnus.db\" does not exist; it counts as a database without runs"]
    );
    assert_eq!(page(r#""database_path": "runs.db""#).error, None);
    assert!(bench.file("p.html").contains("than in run 1 (nightly)"), "the latest by default");
    let nowhere = page(r#""baseline": "latest""#).error.expect("no file is named").message;
    assert!(nowhere.contains("database_path"), "{nowhere}");
}

#[test]
fn a_page_shows_the_gates_that_its_document_was_judged_by() {
    let bench = Bench::new();
    bench.load();
    bench.value(
        r#"["LD_execute_action", [[["LD_assert_sla", [[{"type": "failure_rate", "value": 0.01}]]],
            ["LD_generate_html_report", {"html_name": "run"}]]]]"#,
    );
    let page = bench.file("run.html");
    assert!(page.contains("✗ Failed: 1 of 1 gates broken") && page.contains(" %, at most 1 %"));
}

#[test]
fn a_run_that_a_document_has_stored_is_not_compared_with_itself() {
    let bench = Bench::new();
    bench.load();
    let document = r#"["LD_execute_action", [[["LD_persist_records", ["runs.db", "nightly"]],
        ["LD_generate_html_report", {"html_name": "run", "baseline": "latest"}]]]]"#;
    bench.value(document);
    assert!(!bench.file("run.html").contains("egression"));
    bench.value(document);
    let page = bench.file("run.html");
    assert!(page.contains("than in run 1 (nightly)") && page.contains("<dd>nightly</dd>"));
}

#[test]
fn csv_and_database_hold_no_secret_of_a_url_whatever_its_kind() {
    let bench = Bench::new();
    let host = bench.target.strip_prefix("http://").expect("a URL").to_owned();
    let urls = [
        ("a user", format!("http://me:S3CR3T@{host}/ok"), "http://[redacted]@"),
        ("a token", "/ok?token=S3CR3T&page=1".to_owned(), "/ok?token=[redacted]&page=1"),
        ("a key", "/ok?api_key=S3CR3T".to_owned(), "/ok?api_key=[redacted]"),
        ("a password", "/ok?user[password]=S3CR3T".to_owned(), "/ok?user[password]=[redacted]"),
        ("a signature", "/ok?X-Amz-Signature=S3CR3T".to_owned(), "Signature=[redacted]"),
        ("a session", "/ok?session_id=S3CR3T".to_owned(), "/ok?session_id=[redacted]"),
    ];
    for (kind, url, want) in urls {
        bench.value(r#"["LD_clear_records"]"#);
        // Whether the target knows the path is another matter.
        bench.result(&format!(
            r#"["LD_start_test", {{"user_detail_dict": {{"host": "TARGET"}}, "user_count": 1,
                "test_time": 0.1, "tasks": [{{"method": "get", "request_url": "{url}"}}]}}]"#
        ));
        bench.value(r#"["LD_generate_csv_report", ["run"]]"#);
        let run = bench.value(r#"["LD_persist_records", ["runs.db"]]"#).to_text();
        let csv = bench.file("run.csv");
        let mut csv = csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<_> = csv.records().map(|row| row.expect("CSV")[2].to_owned()).collect();
        let Value::Rows(stored) =
            bench.value(&format!(r#"["LD_fetch_run_records", ["runs.db", {run}]]"#))
        else {
            panic!("rows")
        };
        assert!(!rows.is_empty() && stored.len() == rows.len(), "{kind}");
        assert!(rows.iter().all(|url| url.contains(want)), "{kind}: {rows:?}");
        assert!(!Value::Rows(stored).to_text().contains("S3CR3T"), "{kind}");
    }
    for file in ["run.csv", "runs.db"] {
        let bytes = std::fs::read(bench.dir.path().join(file)).expect(file);
        assert!(!bytes.windows(6).any(|part| part == b"S3CR3T"), "{file}");
    }
}

#[test]
fn nothing_recorded_is_said_as_the_reference_says_it() {
    let bench = Bench::new();
    for (action, line) in [
        (
            r#"["LD_generate_html_report"]"#,
            "LoadDensityHTMLException('no records to generate HTML report')",
        ),
        (
            r#"["LD_generate_json_report"]"#,
            "LoadDensityGenerateJsonReportException(\"can't generate JSON report\")",
        ),
        (
            r#"["LD_generate_xml"]"#,
            "LoadDensityGenerateJsonReportException(\"can't generate JSON report\")",
        ),
        (r#"["LD_generate_csv_report", ["x"]]"#, "x.csv"),
        (r#"["LD_list_runs", ["runs.db"]]"#, "[]"),
        (r#"["LD_fetch_run_records", ["runs.db", 7]]"#, "[]"),
        (
            r#"["LD_list_runs", ["no/such/dir/runs.db"]]"#,
            "OperationalError('unable to open database file')",
        ),
        (
            r#"["LD_persist_records", ["no/such/dir/runs.db"]]"#,
            "OperationalError('unable to open database file')",
        ),
    ] {
        assert_eq!(bench.result(action).line(), line, "{action}");
    }
}

#[test]
fn a_gate_that_does_not_hold_fails_its_action_with_the_reasons() {
    let bench = Bench::new();
    let rules = r#"[{"type": "failure_rate", "value": 0.6}, {"type": "failure_rate", "value": 0.5,
                     "op": "lt", "name": "=bad"}]"#;
    let failure = bench.failure(&format!(r#"["LD_assert_sla", [{rules}]]"#));
    let unmeasured = "SLA gates failed: no requests were recorded; metric not available in summary";
    assert_eq!(failure, (FailureKind::Gate, unmeasured.to_owned()));
    bench.load();
    let failure = bench.failure(&format!(r#"["LD_assert_sla", [{rules}]]"#));
    let broken = "SLA gates failed: failure_rate(=bad)=1.0 not lt 0.5";
    assert_eq!(failure, (FailureKind::Gate, broken.to_owned()));
    let Value::List(verdicts) = bench.value(&format!(r#"["LD_evaluate_sla", [{rules}]]"#)) else {
        panic!("a list")
    };
    let passed: Vec<String> = verdicts.iter().map(|verdict| text(verdict, &["passed"])).collect();
    assert_eq!(passed, ["True", "False"]);
}

#[test]
fn a_test_ends_as_soon_as_a_rule_of_abort_on_does_not_hold() {
    let bench = Bench::new();
    let result = bench.result(
        r#"["LD_start_test", {
            "user_detail_dict": {"host": "TARGET"}, "user_count": 1, "test_time": 600,
            "wait_time": 0.01, "tasks": [{"method": "get", "url": "/bad", "name": "bad"}],
            "abort_on": [{"type": "failure_rate", "value": 0.5, "name": "bad"}]}]"#,
    );
    let reason = "stopped early by abort_on: failure_rate(bad)=1.0 not lte 0.5";
    assert_eq!(result.error, Some(Failure::new(FailureKind::Gate, reason)));
    let warnings = bench.executor.records().recordings()[0].warnings.clone();
    assert_eq!(warnings, [reason]);
    assert!(!bench.executor.records().recordings()[0].users.is_empty());
}

#[test]
fn prometheus_and_the_summary_have_the_same_counts() {
    let bench = Bench::new();
    let port = bench.value(r#"["LD_start_prometheus_exporter", [0]]"#);
    assert_eq!(bench.value(r#"["LD_start_prometheus_exporter"]"#), port, "it runs once");
    bench.load();
    let port: u16 = port.to_text().parse().expect("a port");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let summary = bench.value(r#"["LD_summary"]"#);
    for (name, outcome, count) in [
        ("<good> & \\\"so\\\"", "success", text(&summary, &["totals", "successes"])),
        ("=bad", "failure", text(&summary, &["totals", "failures"])),
    ] {
        let line = format!(
            "loaddensity_requests_total{{request_type=\"GET\",name=\"{name}\",outcome=\"{outcome}\"}} {count}\n"
        );
        assert!(answer.contains(&line), "{line} is not in {answer}");
    }
    assert_eq!(bench.value(r#"["LD_stop_prometheus_exporter"]"#), Value::Null);
    TcpStream::connect(("127.0.0.1", port)).expect_err("it is gone");
}

#[test]
fn two_runs_are_compared_by_their_numbers() {
    let bench = Bench::new();
    bench.load();
    bench.value(r#"["LD_persist_records", {"database_path": "runs.db", "metadata": {"a": 1}}]"#);
    bench.value(r#"["LD_persist_records", ["runs.db"]]"#);
    let diff = bench.value(r#"["LD_diff_runs", ["runs.db", 1, 2]]"#);
    assert_eq!(text(&diff, &["has_regressions"]), "False");
    assert_eq!(text(&diff, &["per_name", "=bad", "deltas", "failure_rate", "current"]), "1.0");
    let runs = bench.value(r#"["LD_list_runs", ["runs.db"]]"#).to_text();
    assert!(runs.ends_with(r#"'metadata_json': '{"a": 1}'}]"#), "{runs}");
    assert_eq!(
        bench.value(r#"["LD_list_runs", ["runs.db", 1]]"#).to_text().matches("'id'").count(),
        1
    );
}

#[test]
fn a_recording_of_a_browser_becomes_a_document_that_lints() {
    let bench = Bench::new();
    let har = r#"{"log": {"entries": [
        {"request": {"method": "GET", "url": "http://shop.test/a"}, "response": {"status": 200}},
        {"request": {"method": "GET", "url": "http://ads.test/b"}, "response": {"status": 200}}]}}"#;
    std::fs::write(bench.dir.path().join("shop.har"), format!("\u{feff}{har}")).expect("written");
    let loaded = bench.value(r#"["LD_load_har", ["shop.har"]]"#);
    assert_eq!(loaded, Value::parse(har).expect("JSON"));
    let document = bench.value(&format!(
        r#"["LD_har_to_action_json", {{"har": {har}, "exclude": ["ads"], "user_count": 3}}]"#
    ));
    let json = serde_json::to_string(&document).expect("JSON");
    let findings = bench.value(&format!(r#"["LD_lint_action", [{json}]]"#));
    let Value::List(findings) = findings else { panic!("a list") };
    let rules: Vec<String> = findings.iter().map(|finding| text(finding, &["rule"])).collect();
    assert_eq!(rules, ["hardcoded-url"]);
    std::fs::write(bench.dir.path().join("document.json"), json).expect("written");
    let of_file = bench.value(r#"["LD_lint_action_file", ["document.json"]]"#);
    assert_eq!(of_file, Value::List(findings));
}

#[test]
fn an_old_report_stays_whole_when_the_new_one_cannot_be_written() {
    let bench = Bench::new();
    let path = bench.dir.path().join("run.csv");
    std::fs::create_dir(&path).expect("a directory in the way");
    let (kind, message) = bench.failure(r#"["LD_generate_csv_report", ["run"]]"#);
    assert_eq!(kind, FailureKind::File);
    assert!(message.contains("\"run.csv\" is a directory"), "{message}");
    let (kind, _) = bench.failure(r#"["LD_generate_csv_report", ["../run"]]"#);
    assert_eq!(kind, FailureKind::File);
    assert!(!Path::new(bench.dir.path()).join("../run.csv").exists());
}

/// What headless Chromium recorded of a shop over HTTP/1.1 and HTTP/2, less its timings and bodies.
const RECORDINGS: [(&str, &str); 2] = [
    ("http://127.0.0.1:28431", include_str!("recordings/shop.har")),
    ("https://localhost:28432", include_str!("recordings/shop-http2.har")),
];

/// Rules of a stub server that answers every recorded request with its recorded status.
fn rules_of(har: &serde_json::Value, origin: &str) -> Vec<serde_json::Value> {
    let entries = har["log"]["entries"].as_array().expect("entries");
    entries
        .iter()
        .map(|entry| {
            let url = entry["request"]["url"].as_str().expect("a URL");
            let path = url.strip_prefix(origin).expect("of this origin");
            let (method, status) = (&entry["request"]["method"], &entry["response"]["status"]);
            serde_json::json!({"method": method, "path": path, "status": status})
        })
        .collect()
}

#[test]
fn recordings_of_a_real_browser_replay_with_the_statuses_that_it_saw() {
    for (origin, text) in RECORDINGS {
        let bench = Bench::new();
        bench.value(r#"["LD_stop_stub_server"]"#);
        let har: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let rules = serde_json::to_string(&rules_of(&har, origin)).expect("JSON");
        let stub = bench.value(&format!(r#"["LD_start_stub_server", [{rules}]]"#));
        let target = format!("http://127.0.0.1:{}", self::text(&stub, &["port"]));
        let here = text.replace(origin, &target);
        let document = bench.value(&format!(
            r#"["LD_har_to_action_json", {{"har": {here}, "user_count": 1, "test_time": 0.5}}]"#
        ));
        let document = serde_json::to_string(&document).expect("JSON");
        bench.value(&format!(r#"["LD_execute_action", [{document}]]"#));
        let summary = bench.value(r#"["LD_summary"]"#);
        let errors: Vec<String> = bench
            .executor
            .records()
            .rows()
            .filter_map(|row| Some(format!("{} {}", row.label.name, row.error?)))
            .collect();
        assert_eq!(errors, Vec::<String>::new());
        let requests: usize =
            self::text(&summary, &["totals", "requests"]).parse().expect("a count");
        assert!(requests >= 6, "{requests} requests");
    }
}

#[test]
fn every_documented_argument_of_a_test_is_accepted_and_one_without_effect_is_mentioned() {
    let bench = Bench::new();
    let stub = bench.value(r#"["LD_start_stub_server", [[{"method": "GET", "path": "/"}]]]"#);
    let host = format!("http://127.0.0.1:{}", text(&stub, &["port"]));
    let result = bench.result(&format!(
        r#"["LD_start_test", {{"user_detail_dict": {{"host": "{host}"}}, "user_count": 1, "test_time": 0.2,
            "tasks": [{{"method": "get", "url": "/ok"}}], "web_ui_dict": null, "runner_mode": "local",
            "engine": "locust", "master_bind_host": "*", "master_bind_port": 5557, "master_host": "127.0.0.1",
            "master_port": 5557, "expected_workers": 0, "worker_startup_timeout": 60,
            "worker_heartbeat_interval": 5, "worker_lost_timeout": 15, "worker_startup_policy": "fail"}}]"#
    ));
    assert_eq!(result.error, None);
    let ignored = "arguments without effect in local mode: engine, master_bind_host, \
                   master_bind_port, master_host, master_port, expected_workers, \
                   worker_startup_timeout, worker_heartbeat_interval, worker_lost_timeout, \
                   worker_startup_policy";
    assert!(result.warnings.iter().any(|warning| warning == ignored), "{:?}", result.warnings);
}
