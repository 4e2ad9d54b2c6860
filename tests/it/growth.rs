//! The work that a document causes grows with its size, not with the square of it: every kind of
//! document is read, checked and started at one size and at four times that size, and the CPU time of
//! this thread is compared.

use std::sync::Arc;
use std::time::Duration;

use ldctl::action::{Document, Executor, Policy, lint};
use ldctl::event::{Event, Sink};
use ldctl::server::Execute;
use ldctl::value::{Value, json_fault, json_weight};
use ldctl::wire::frame::Mode;
use ldctl::wire::request::Incoming;
use ldctl::wire::token::{Token, Tokens};
use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

/// Four times the input may take so many times the work. The square would be sixteen; sorting adds
/// little, and caches some.
const MOST_TIMES: f64 = 9.0;

/// What is too short to be compared, in seconds.
const SHORT: f64 = 0.002;

fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a time since the start")
}

/// The smaller text, in bytes. Copying is fast: only at this size its square shows beside the rest.
const SIZE: usize = 80_000;

/// The CPU time of some work, in seconds.
fn taken(work: &dyn Fn(&str), text: &str) -> f64 {
    let before = cpu();
    work(text);
    (cpu() - before).as_secs_f64()
}

/// Checks that the work grows no faster than the text. A disturbed measurement is repeated.
fn check(kind: &str, make: &dyn Fn(usize) -> String, work: &dyn Fn(&str)) {
    let part = make(1000).len().div_ceil(1000);
    let count = SIZE / part.max(1);
    let (text, larger) = (make(count), make(4 * count));
    let (mut small, mut large) = (taken(work, &text), taken(work, &larger));
    for _ in 0..3 {
        if large <= MOST_TIMES * small.max(SHORT) {
            return;
        }
        (small, large) = (small.max(taken(work, &text)), large.min(taken(work, &larger)));
    }
    panic!("{kind}: {} bytes take {small:.4} s, {} take {large:.4} s", text.len(), larger.len());
}

fn repeated(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect::<Vec<_>>().join(",")
}

struct Nothing;

impl Sink for Nothing {
    fn emit(&mut self, _: Event) {}
}

/// What a server does with a document, on one thread.
fn accept(text: &str) {
    let token = Token::new("s3cret").expect("a token");
    let tokens = Tokens::new([&token]);
    let request = format!(r#"{{"command": {text}, "token": "wrong"}}"#);
    let refused = Incoming::read(request.as_bytes(), Mode::Framed, &tokens).request;
    assert!(refused.is_err());
    let read = Incoming::read(text.as_bytes(), Mode::Framed, &Tokens::none());
    let value = read.request.expect("a request").document.expect("a document");
    assert!(json_weight(text) > 0);
    let _ = value.redacted();
    let _ = lint(&value);
    let _ = Document::parse(value);
}

/// Runs it, too: a test is linked on this thread before its users start on others.
fn run(text: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let executor = Arc::new(Executor::new(Policy::inside(directory.path())).expect("an executor"));
    let cancel = CancellationToken::new();
    let value = Value::parse(text).expect("JSON");
    let job = executor.prepare(value, Default::default(), &cancel).expect("a document");
    // A cancelled test ends with its first tick.
    cancel.cancel();
    job(&mut Nothing, &cancel);
}

fn test(arguments: &str) -> String {
    format!(
        r#"[["LD_start_test", {{"user_detail_dict": {{"user": "http_user"}}, "user_count": 1, "test_time": 0.01, {arguments}}}]]"#
    )
}

/// A test of one task with these members.
fn task(members: &str) -> String {
    test(&format!(
        r#""tasks": [{{"method": "post", "request_url": "http://127.0.0.1:1/", {members}}}]"#
    ))
}

/// Makes a document of so many parts.
type Make = Box<dyn Fn(usize) -> String>;

/// Kinds of documents.
fn kinds() -> Vec<(&'static str, Make)> {
    fn kind(name: &'static str, make: impl Fn(usize) -> String + 'static) -> (&'static str, Make) {
        (name, Box::new(make))
    }
    let long = |count: usize| "k".repeat(20 * count);
    vec![
        kind("actions", |n| format!("[{}]", repeated(n, |_| r#"["len",["a"]]"#.into()))),
        kind("refused actions", |n| format!("[{}]", repeated(n, |i| format!(r#"["LD_{i}"]"#)))),
        kind("empty lists", |n| format!("[{}]", repeated(n, |_| "[]".into()))),
        kind("nested lists", |n| {
            let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
            format!("[{}]", repeated(n / 50 + 1, |_| deep.clone()))
        }),
        kind("duplicate keys", |n| {
            format!("[{{{}}}]", repeated(n, |i| format!(r#""{}":0"#, i % 3)))
        }),
        kind("keys", |n| format!("[[\"len\",[{{{}}}]]]", repeated(n, |i| format!(r#""{i}":0"#)))),
        kind("escapes", |n| format!(r#"[["len",["{}"]]]"#, r"\u00e9\n\ud83d\ude00".repeat(n))),
        kind("a body of numbers", |n| {
            task(&format!(r#""json": [{}]"#, repeated(n, |_| "0".into())))
        }),
        kind("a body of texts", |n| {
            task(&format!(r#""json": [{}]"#, repeated(n, |_| "\"a\"".into())))
        }),
        kind("a body of members", |n| {
            task(&format!(r#""json": {{{}}}"#, repeated(n, |i| format!(r#""{i}": {{}}"#))))
        }),
        kind("placeholders in a body", |n| {
            task(&format!(r#""json": [{}]"#, repeated(n, |i| format!(r#""${{v{i}}}""#))))
        }),
        kind("placeholders in a text", |n| task(&format!(r#""data": "{}""#, "${a}".repeat(n)))),
        kind("unclosed placeholders", |n| task(&format!(r#""data": "{}""#, "${".repeat(n)))),
        kind("unknown placeholders", |n| {
            task(&format!(r#""json": [{}]"#, repeated(n, |i| format!(r#""${{csv.s{i}.c}}""#))))
        }),
        kind("headers", |n| {
            task(&format!(r#""headers": {{{}}}"#, repeated(n, |i| format!(r#""h{i}": "v""#))))
        }),
        kind("cookies", |n| {
            task(&format!(r#""cookies": {{{}}}"#, repeated(n, |i| format!(r#""c{i}": "v""#))))
        }),
        kind("parameters", |n| {
            task(&format!(r#""params": [{}]"#, repeated(n, |i| format!(r#"["p{i}", "v"]"#))))
        }),
        kind("a form", |n| {
            task(&format!(r#""data": {{{}}}"#, repeated(n, |i| format!(r#""f{i}": ["v", 1]"#))))
        }),
        kind("values of a long name", move |n| {
            let values = repeated(n, |_| "1".into());
            task(&format!(r#""data": {{"{}": [{values}]}}"#, long(n)))
        }),
        kind("a long URL", |n| {
            test(&format!(
                r#""tasks": [{{"method": "get", "request_url": "http://127.0.0.1:1/{}"}}]"#,
                "a/".repeat(n)
            ))
        }),
        kind("a long unknown field", move |n| task(&format!(r#""{}": 1"#, long(n)))),
        kind("unknown fields", |n| task(&repeated(n, |i| format!(r#""f{i}": 1"#)))),
        kind("assertions", |n| {
            let one = r#"{"type": "contains", "value": "x"}"#;
            let list = repeated(n.min(1000), |_| one.into());
            test(&format!(
                r#""tasks": [{}]"#,
                repeated(n / 1000 + 1, |_| format!(
                    r#"{{"method": "get", "request_url": "/", "assertions": [{list}]}}"#
                ))
            ))
        }),
        kind("assertions below a long key", move |n| {
            let one = r#"{"type": "contains", "value": "x"}"#;
            let list = repeated(n.min(1000), |_| one.into());
            test(&format!(
                r#""tasks": {{"{}": {{"request_url": "/", "assertions": [{list}]}}}}"#,
                long(n)
            ))
        }),
        kind("conditions", |n| {
            let one = r#"{"eq": ["${a}", 1]}"#;
            task(&format!(r#""run_if": {{"and": [{}]}}"#, repeated(n, |_| one.into())))
        }),
        kind("deep conditions", |n| {
            let (open, close) = (r#"{"and": ["#.repeat(30), "]}".repeat(30));
            let one = r#"{"eq": ["${a}", 1]}"#;
            task(&format!(r#""run_if": {open}{}{close}"#, repeated(n, |_| one.into())))
        }),
        kind("tasks", |n| {
            let one =
                |i| format!(r#"{{"method": "get", "request_url": "http://127.0.0.1:1/{i}"}}"#);
            test(&format!(r#""tasks": [{}]"#, repeated(n, one)))
        }),
        kind("throttled tasks", |n| {
            let one = |i| {
                format!(
                    r#"{{"method": "get", "request_url": "http://127.0.0.1:1/", "throttle": {{"key": "{i}", "rps": 1}}}}"#
                )
            };
            test(&format!(r#""tasks": [{}]"#, repeated(n, one)))
        }),
        kind("tasks with proxies", |n| {
            let one = |i| {
                format!(
                    r#"{{"method": "get", "request_url": "http://127.0.0.1:1/", "verify": {}}}"#,
                    i % 2 == 0
                )
            };
            test(&format!(r#""tasks": [{}]"#, repeated(n, one)))
        }),
        kind("variables", |n| {
            let all = repeated(n, |i| format!(r#""v{i}": "x""#));
            format!(r#"[["LD_register_variables", [{{{all}}}]]]"#)
        }),
        kind("stages", |n| {
            let all = repeated(n, |_| r#"{"duration": 0.001, "users": 1, "spawn_rate": 1}"#.into());
            test(&format!(
                r#""load_shape": "stages", "shape_config": {{"stages": [{all}]}}, "tasks": [{{"method": "get", "request_url": "http://127.0.0.1:1/"}}]"#
            ))
        }),
        kind("gates", |n| {
            let all = repeated(n, |_| r#"{"type": "requests", "op": "gt", "value": 1}"#.into());
            test(&format!(
                r#""tasks": [{{"method": "get", "request_url": "http://127.0.0.1:1/"}}], "abort_on": [{all}]"#
            ))
        }),
        kind("rules", |n| {
            let all = repeated(n, |i| format!(r#"{{"path": "/{i}", "json": [0]}}"#));
            format!(r#"[["LD_start_stub_server", {{"rules": [{all}], "port": -1}}]]"#)
        }),
        kind("patterns", |n| {
            let all = repeated(n, |i| format!(r#"{{"path_regex": "^/{i}/\\w+$"}}"#));
            format!(r#"[["LD_start_stub_server", {{"rules": [{all}], "port": -1}}]]"#)
        }),
        kind("a long pattern", |n| {
            format!(
                r#"[["LD_start_stub_server", {{"rules": [{{"path_regex": "{}"}}]}}]]"#,
                r"(a|\\w)*".repeat(n)
            )
        }),
        kind("sorted", |n| {
            format!(r#"[["sorted", [[{}]]]]"#, repeated(n, |i| ((i * 7919) % 10_007).to_string()))
        }),
        kind("a sum of lists", |n| {
            format!(r#"[["sum", [[{}], []]]]"#, repeated(n, |_| "[1]".into()))
        }),
        kind("printed texts", |n| {
            format!(r#"[["print", [{}]]]"#, repeated(n, |_| r#""\u001b""#.into()))
        }),
        kind("a recording", |n| {
            let entry = |i| {
                format!(
                    r#"{{"request": {{"method": "GET", "url": "http://127.0.0.1:1/{i}?a=b", "headers": [{{"name": "X-{i}", "value": "v"}}]}}, "response": {{"status": 200}}}}"#
                )
            };
            format!(
                r#"[["LD_har_to_action_json", {{"har": {{"log": {{"entries": [{}]}}}}}}]]"#,
                repeated(n, entry)
            )
        }),
        kind("a document within a document", |n| {
            format!(
                r#"[["LD_execute_action", [[{}]]]]"#,
                repeated(n, |_| r#"["len", ["a"]]"#.into())
            )
        }),
        kind("a document that is checked", |n| {
            format!(r#"[["LD_lint_action", [[{}]]]]"#, repeated(n, |i| format!(r#"["LD_{i}"]"#)))
        }),
    ]
}

#[test]
fn t29_reading_a_document_of_any_kind_takes_no_more_than_its_size_explains() {
    for (kind, make) in kinds() {
        check(kind, &make, &accept);
    }
}

#[test]
fn t29_starting_a_document_of_any_kind_takes_no_more_than_its_size_explains() {
    for (kind, make) in kinds() {
        check(kind, &make, &run);
    }
}

#[test]
fn t29_the_place_of_a_mistake_in_json_is_found_in_linear_time() {
    let lines = |n: usize| format!("[{}\n x", "1,\n".repeat(n));
    let wide = |n: usize| format!("[{} x", "\"é\",".repeat(n));
    let text = |n: usize| format!("[\"{}", "é\\n".repeat(n));
    let blank = |n: usize| " ".repeat(4 * n);
    let makes: [&dyn Fn(usize) -> String; 4] = [&lines, &wide, &text, &blank];
    for make in makes {
        check("a mistake", make, &|text| assert!(json_fault(text).is_some()));
    }
}
