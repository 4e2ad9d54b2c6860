//! What documents, files and targets make the process hold, under a ceiling for memory; and that no
//! request borrows what was filled in for another.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;

use ldctl::action::{Document, Executor, Policy};
use ldctl::event::{ActionResult, Event, FailureKind};
use ldctl::memory::Memory;
use ldctl::value::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Load, Next, Request, Scripted, answer};

/// What is kept of a few runs, at most, in bytes.
const KEPT: usize = 64 << 10;

/// An executor under a ceiling.
struct Bench {
    executor: Executor,
    dir: tempfile::TempDir,
    memory: Arc<Memory>,
}

impl Bench {
    fn under(most: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let memory = Memory::new(most);
        let policy = Policy { memory: Arc::clone(&memory), ..Policy::inside(dir.path()) };
        Self { executor: Executor::new(policy).expect("an executor"), dir, memory }
    }

    fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.dir.path().join(name), content).expect("written");
        self
    }

    fn results(
        &self,
        document: &serde_json::Value,
        cancel: &CancellationToken,
    ) -> Vec<ActionResult> {
        let document = Value::parse(&document.to_string()).expect("JSON");
        let document = Document::parse(document).expect("a document");
        let mut results = Vec::new();
        let mut sink = |event| {
            if let Event::Result(result) = event {
                results.push(result);
            }
        };
        self.executor.execute(document, &mut sink, cancel);
        results
    }

    fn result(&self, action: serde_json::Value) -> ActionResult {
        let mut results = self.results(&json!([action]), &CancellationToken::new());
        results.pop().expect("a result")
    }

    /// What is held under the ceiling.
    fn held(&self) -> usize {
        self.memory.taken()
    }

    fn refusal(&self, action: serde_json::Value) -> (FailureKind, String) {
        let failure = self.result(action).error.expect("a failure");
        (failure.kind, failure.message)
    }
}

#[test]
fn t38_many_names_for_one_file_hold_it_once_and_clearing_gives_it_back() {
    let rows = "1,2\n".repeat(200_000);
    let bench = Bench::under(64 << 20).file("c.csv", format!("a,b\n{rows}"));
    let sources: Vec<_> =
        (0..500).map(|n| json!({"name": format!("n{n}"), "file_path": "c.csv"})).collect();
    let result = bench.result(json!(["LD_register_csv_sources", {"sources": sources}]));
    assert!(result.ok, "{result:?}");
    let once = bench.held();
    assert!(once < 2 * 800_000, "{once}");
    let source = json!({"name": "n0", "file_path": "c.csv", "cycle": false});
    assert!(bench.result(json!(["LD_register_csv_source", source])).ok);
    assert!(bench.held() < once + KEPT);
    assert!(bench.result(json!(["LD_clear_resolver"])).ok);
    assert!(bench.held() < KEPT);
}

#[test]
fn t38_a_source_that_does_not_fit_is_refused_with_its_file_its_figure_and_the_option() {
    let bench = Bench::under(16 << 20).file("big.csv", "a\n".to_owned() + &"x".repeat(12 << 20));
    let source = json!({"name": "n", "file_path": "big.csv"});
    let (kind, message) = bench.refusal(json!(["LD_register_csv_source", source]));
    assert_eq!(kind, FailureKind::Refused);
    assert_eq!(
        message,
        "\"big.csv\": CSV sources: 12 MiB more do not fit, 12 MiB of 16 MiB are in use (--max-memory)"
    );
    assert!(bench.held() < KEPT);
}

#[test]
fn t42_a_json_file_that_unfolds_is_refused_before_its_values_are_built() {
    let small = r#"{"":0},"#.repeat(1_000_000);
    let bench = Bench::under(64 << 20)
        .file("list.har", format!("[{small}0]"))
        .file("log.har", format!(r#"{{"log": {{"entries": [{small}{{}}]}}}}"#))
        .file("document.json", format!("[{small}0]"));
    let refused = |action: serde_json::Value, begin: &str| {
        let (kind, message) = bench.refusal(action);
        assert_eq!(kind, FailureKind::InvalidFile, "{message}");
        assert!(message.starts_with(begin), "{message}");
        assert!(bench.held() < KEPT, "{message}");
    };
    refused(
        json!(["LD_load_har", {"file_path": "list.har"}]),
        "\"list.har\": values of a JSON file: ",
    );
    refused(
        json!(["LD_load_har", {"file_path": "log.har"}]),
        "\"log.har\": values of a JSON file: ",
    );
    let document = "\"document.json\": values of a JSON file: ";
    refused(json!(["LD_execute_files", {"execute_files_list": ["document.json"]}]), document);
    refused(json!(["LD_lint_action_file", {"path": "document.json"}]), document);
    // Whatever the ceiling is.
    let bench = Bench::under(usize::MAX / 2)
        .file("h.har", format!("{{\"log\": {{\"entries\": [{}{{}}]}}}}", small.repeat(6)));
    let (_, message) = bench.refusal(json!(["LD_load_har", {"file_path": "h.har"}]));
    assert!(message.starts_with("\"h.har\" is too large: its values would take"), "{message}");
}

#[test]
fn json_that_is_no_recording_is_refused_by_its_form() {
    let bench = Bench::under(1 << 30);
    for (text, why) in [
        ("[1]", "expected an object with a \"log\""),
        (r#"{"log": 1}"#, "invalid type"),
        (r#"{"log": {"entries": {}}}"#, "invalid type"),
        (r#"{"log": {"entries": [{}, 1]}}"#, "invalid type"),
    ] {
        std::fs::write(bench.dir.path().join("a.har"), text).expect("written");
        let (kind, message) = bench.refusal(json!(["LD_load_har", {"file_path": "a.har"}]));
        assert_eq!(kind, FailureKind::InvalidFile);
        assert!(
            message.starts_with(&format!("\"a.har\" is not a HAR recording: {why}")),
            "{message}"
        );
    }
    for text in ["{}", r#"{"log": null}"#, r#"{"log": {"entries": [{"request": 1, "x": [2]}]}}"#] {
        std::fs::write(bench.dir.path().join("a.har"), text).expect("written");
        let result = bench.result(json!(["LD_load_har", {"file_path": "a.har"}]));
        assert_eq!(result.value, Some(Value::parse(text).expect("JSON")));
    }
}

#[test]
fn t42_what_a_json_file_holds_is_given_back_when_the_next_action_starts() {
    let har =
        json!({"log": {"version": "1.2", "comment": "x".repeat(1 << 20), "entries": [{"any": 1}]}});
    let bench = Bench::under(8 << 20).file("h.har", har.to_string());
    let load = json!(["LD_load_har", {"file_path": "h.har"}]);
    let many = serde_json::Value::Array(vec![load; 20]);
    let results = bench.results(&many, &CancellationToken::new());
    let expected = Value::parse(&har.to_string()).expect("JSON");
    assert_eq!(results.len(), 20);
    assert!(results.iter().all(|result| result.value.as_ref() == Some(&expected)));
}

#[test]
fn t42_reading_a_json_file_ends_when_its_document_is_cancelled() {
    let entries = r#"{"a": [1, 2, 3]},"#.repeat(20_000);
    let bench = Bench::under(1 << 30)
        .file("h.har", format!(r#"{{"log": {{"entries": [{entries}{{}}]}}}}"#));
    let cancel = CancellationToken::new();
    cancel.cancel();
    let results = bench.results(&json!([["LD_load_har", {"file_path": "h.har"}]]), &cancel);
    let failure = results[0].error.as_ref().expect("a failure");
    assert_eq!(
        (failure.kind, &*failure.message),
        (FailureKind::Cancelled, "\"h.har\" was not read: the document was cancelled")
    );
}

/// Answers everything with a status and a text.
fn fine() -> Scripted {
    Scripted::start(|_, wire| answer(wire, 200, &[], b"{\"ok\": true}"))
}

/// The values of each row, and the methods.
const ROWS: &[u8] = b"n,m\nval-a,get\nval-b,put\nval-c,post\nval-d,patch\n";

const VALUES: [&str; 4] = ["val-a", "val-b", "val-c", "val-d"];

/// Which of these texts hold.
fn found<'a>(values: &[&'a str], texts: &[String]) -> BTreeSet<&'a str> {
    values.iter().copied().filter(|value| texts.iter().any(|text| text.contains(value))).collect()
}

/// All of a request as text.
fn whole(seen: &Request) -> String {
    format!("{} {:?} {}", seen.target, seen.headers, seen.text())
}

#[test]
fn no_request_is_sent_or_recorded_with_what_was_filled_in_for_another() {
    let target = fine();
    let url = target.url();
    let all: BTreeSet<_> = VALUES.into_iter().collect();
    let v = "${csv.u.n}";
    for fields in [
        json!({"name": v}),
        json!({"name": v, "data": "constant"}),
        json!({"url": format!("{url}/{v}")}),
        json!({"params": {"q": v}}),
        json!({"headers": {"X-A": v}}),
        json!({"cookies": {"c": v}}),
        json!({"data": v}),
        json!({"data": {"k": v}}),
        json!({"json": {"k": [v]}}),
        json!({"files": {"f": v}}),
        json!({"files": {"f": [v, "x"]}}),
        json!({"files": {"f": {"path": "up"}}}),
        json!({"files": {"f": {"path": "large"}}}),
        json!({"auth": {"type": "bearer", "token": v}}),
        json!({"headers": {"X-A": v}, "files": {"f": "x".repeat(100_000)}}),
    ] {
        let mut task = json!({"method": "post", "url": url});
        let named = fields.get("name").is_some();
        task.as_object_mut().expect("an object").extend(fields.as_object().expect("one").clone());
        let before = target.seen().len();
        let outcome = Load::over(json!([task]), 12)
            .with("csv_sources", json!([{"name": "u", "file_path": "u.csv"}]))
            .file("u.csv", ROWS)
            .file("up", v.as_bytes())
            .file("large", format!("{}{v}{}", "x".repeat(70_000), "y".repeat(70_000)).as_bytes())
            .run();
        assert_eq!(outcome.errors(), [""; 0]);
        let names: Vec<_> = outcome.rows.iter().map(|row| row.name.clone()).collect();
        let sent: Vec<_> = target.seen()[before..].iter().map(whole).collect();
        let texts = if named { names } else { sent };
        assert_eq!(found(&VALUES, &texts), all, "{fields}");
        // Each request has exactly one of the values: that of its own row.
        assert!(texts.iter().all(|text| found(&VALUES, std::slice::from_ref(text)).len() == 1));
    }
}

#[test]
fn requests_are_recorded_under_their_own_method() {
    let target = fine();
    let outcome =
        Load::over(json!([{"method": "${csv.u.m}", "url": target.url(), "name": "n"}]), 8)
            .with("csv_sources", json!([{"name": "u", "file_path": "u.csv"}]))
            .file("u.csv", ROWS)
            .run();
    let methods: BTreeSet<_> = outcome.rows.iter().map(|row| &*row.method).collect();
    assert_eq!(methods, BTreeSet::from(["GET", "PATCH", "POST", "PUT"]));
}

#[test]
fn steps_of_a_socket_are_recorded_under_their_own_name() {
    let target = Scripted::raw(|mut stream, _| {
        let _ = stream.write_all(b"ok");
    });
    let address = target.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let task = json!({"target": address, "payload": "x", "name": "${csv.u.n}", "expect_bytes": 2});
    let outcome = Load::over(json!([task]), 8)
        .with("user_detail_dict", json!({"user": "socket_user"}))
        .with("csv_sources", json!([{"name": "u", "file_path": "u.csv"}]))
        .file("u.csv", ROWS)
        .run();
    let names: Vec<_> = outcome.rows.iter().map(|row| row.name.clone()).collect();
    assert_eq!(found(&VALUES, &names).len(), 4, "{names:?}");
}

#[test]
fn t39_a_long_value_of_a_response_fails_its_request_and_is_not_cut() {
    let body = json!({"id": "x".repeat(70_000), "fine": "y".repeat(65_536), "all": vec![json!({"": 0}); 300_000]});
    let body = body.to_string().into_bytes();
    let target = Scripted::start(move |_, wire| answer(wire, 200, &[], &body).map(|_| Next::Keep));
    let task = |name: &str, path: &str| json!({"method": "get", "url": target.url(), "name": name, "extract": [{"var": name, "path": path}]});
    let check = json!({"method": "get", "url": target.url(), "name": "check",
                       "assertions": [{"type": "json_path", "path": "all", "value": 1}]});
    let outcome =
        Load::once(json!([task("id", "id"), task("fine", "fine"), task("all", "all"), check]))
            .run();
    assert_eq!(
        outcome.error_of("id"),
        "extract id: 70000 bytes exceed the limit of 65536 for an extracted value"
    );
    assert_eq!(outcome.rows.iter().filter(|row| row.error.is_none()).count(), 1);
    for name in ["all", "check"] {
        let error = outcome.error_of(name);
        assert!(error.starts_with("the value at all would take "), "{error}");
        assert!(error.ends_with(" of memory, the limit is 16 MiB"), "{error}");
    }
}

/// A file of this length is sent apart from the head; it has a placeholder in its middle.
fn long_file() -> Vec<u8> {
    [vec![b'x'; 100_000], b"${var.v}".to_vec(), vec![b'y'; 100_000]].concat()
}

/// The text of [`long_file`] where `v` is `VAL`.
fn long_text() -> String {
    "x".repeat(100_000) + "VAL" + &"y".repeat(100_000)
}

#[test]
fn t41_a_long_body_arrives_whole_after_a_redirect_and_through_a_proxy() {
    let target = Scripted::start(|request, wire| match &*request.target {
        "/from" => answer(wire, 307, &[("Location", "/to")], b""),
        _ => answer(wire, 200, &[], b"ok"),
    });
    let proxy = Scripted::start(|_, wire| answer(wire, 200, &[], b"ok"));
    let task = |url: String, more: serde_json::Value| {
        let mut task = json!({"method": "post", "url": url, "files": {"f": {"path": "long"}},
                              "headers": {"X-Id": "${uuid()}"}});
        task.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        task
    };
    let outcome = Load::once(json!([
        task(format!("{}/from", target.url()), json!({})),
        task(
            "http://far.test:81/a".to_owned(),
            json!({"proxy": proxy.url().replace("http://", "http://u:p@")})
        ),
        task(format!("{}/fixed", target.url()), json!({"headers": {}})),
    ]))
    .with("variables", json!({"v": "VAL"}))
    .file("long", &long_file())
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    let requests = [target.seen(), proxy.seen()].concat();
    let targets: Vec<_> = requests.iter().map(|request| &*request.target).collect();
    assert_eq!(targets, ["/from", "/to", "/fixed", "http://far.test:81/a"]);
    for request in requests {
        let body = request.text();
        assert!(body.contains(&long_text()), "{}: {} bytes", request.target, body.len());
        assert!(body.starts_with("--ldctl-") && body.ends_with("--\r\n"));
    }
}

#[test]
fn t40_a_response_that_does_not_fit_fails_its_check_with_the_figures_and_not_the_test() {
    let body = vec![b'x'; 3 << 20];
    let target = Scripted::start(move |request, wire| match &*request.target {
        "/large" => answer(wire, 200, &[], &body),
        _ => answer(wire, 200, &[], b"xyz"),
    });
    let task = |name: &str| {
        json!({"method": "get", "url": format!("{}/{name}", target.url()), "name": name,
               "assertions": [{"type": "not_contains", "value": "a"}]})
    };
    let mut plain = task("large");
    plain["assertions"] = json!([]);
    plain["name"] = json!("unchecked");
    let memory = Memory::new(2 << 20);
    let outcome = Load::once(json!([task("large"), task("small"), plain])).under(&memory).run();
    let error = outcome.error_of("large");
    assert!(error.starts_with("the body was not checked: response bodies: "), "{error}");
    assert!(error.ends_with(" of 2 MiB are in use (--max-memory)"), "{error}");
    let bytes: Vec<_> = outcome.rows.iter().map(|row| row.bytes).collect();
    assert_eq!(bytes, [3 << 20, 3, 3 << 20], "what is not kept is counted");
    assert_eq!(outcome.errors().len(), 1);
    assert_eq!(memory.taken(), 0);
}

#[test]
fn t40_cookies_that_do_not_fit_fail_the_request_that_sets_them() {
    let value = "v".repeat(4000);
    let cookies: Vec<_> = (0..50).map(|number| format!("c{number}={value}")).collect();
    let target = Scripted::start(move |request, wire| {
        let cookies: Vec<_> = cookies.iter().map(|cookie| ("Set-Cookie", &**cookie)).collect();
        let count = if request.target == "/plain" { 0 } else { 12 };
        answer(wire, 200, cookies.get(..count).unwrap_or_default(), b"ok")
    });
    // The record of the first request takes 240 KiB.
    let memory = Memory::new(280 << 10);
    let first = json!({"method": "get", "url": format!("{}/plain", target.url()), "name": "first"});
    let task = json!({"method": "get", "url": target.url(), "name": "n"});
    let outcome = Load::once(json!([first, task])).under(&memory).run();
    let error = outcome.error_of("n");
    assert!(error.starts_with("cookies: ") && error.ends_with("(--max-memory)"), "{error}");
}

#[test]
fn t41_a_body_that_is_filled_in_takes_its_share_or_fails_its_request() {
    let target = fine();
    let task =
        |text: &str| json!({"method": "post", "url": target.url(), "name": text, "data": text});
    let memory = Memory::new(4 << 20);
    // Escaping makes a copy for each user; without it the variable is shared.
    let mut escaped = task("copied");
    escaped["data"] = json!({"k": "${var.v}"});
    let tasks = json!([task("${var.v}${uuid()}"), escaped]);
    let outcome =
        Load::once(tasks).with("variables", json!({"v": "x".repeat(900_000)})).under(&memory).run();
    let lengths: Vec<_> = target.seen().iter().map(|seen| seen.body.len()).collect();
    assert_eq!(lengths, [900_036, 900_002]);
    assert_eq!(outcome.errors(), [""; 0]);
    let outcome = Load::once(json!([json!({"method": "post", "url": target.url(), "name": "n", "data": {"k": "${var.v}${var.v}${var.v}"}})]))
        .with("variables", json!({"v": "x".repeat(900_000)}))
        .under(&memory)
        .run();
    let error = outcome.error_of("n");
    assert!(error.starts_with("requests: 2.6 MiB more do not fit"), "{error}");
    let outcome = Load::once(json!([
        json!({"method": "post", "url": target.url(), "name": "n", "data": "${var.v}".repeat(100)})
    ]))
    .with("variables", json!({"v": "x".repeat(900_000)}))
    .under(&memory)
    .run();
    assert_eq!(outcome.error_of("n"), "a text with placeholders is longer than 64 MiB");
}
