//! Event stream tasks against scripted targets: events that are awaited, streams that end and are
//! continued, and targets that send no stream, nothing, or too much.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use ldctl::memory::Memory;
use serde_json::{Value as Json, json};

use crate::support::{Load, Next, Request, Scripted, Wire, nowhere};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\r\n";

/// Says this and then nothing until the other side closes.
fn stays(wire: &mut dyn Wire, text: &str) -> io::Result<Next> {
    say(wire, text)?;
    io::copy(wire, &mut io::sink())?;
    Ok(Next::Close)
}

fn say(wire: &mut dyn Wire, text: &str) -> io::Result<()> {
    wire.write_all(text.as_bytes())?;
    wire.flush()
}

/// A target whose first stream has these events and stays open.
fn stream(events: &'static str) -> Scripted {
    Scripted::start(move |_, wire| stays(wire, &format!("{HEAD}{events}")))
}

fn load(target: &Scripted, tasks: Json) -> Load {
    let host = json!({"user": "sse_user", "host": target.url()});
    Load::once(tasks).with("user_detail_dict", host)
}

/// The outcome of each step, `ok` or why it failed.
fn outcomes(load: Load) -> Vec<String> {
    let rows = load.run().rows.into_iter();
    rows.map(|row| row.error.unwrap_or_else(|| "ok".to_owned())).collect()
}

fn open() -> Json {
    json!({"method": "open", "url": "/events"})
}

#[test]
fn events_are_awaited_in_order_and_checked() {
    let target = stream(
        ": hello\n\nevent: a\nid: 7\ndata: one\n\ndata: {\"n\": 2,\ndata: \"t\": \"x\"}\n\ndata: é3\n\n",
    );
    let outcome = load(
        &target,
        json!([
            {"method": "Connect", "url": "/events", "headers": {"X-A": "${v}"},
             "assertions": [{"type": "status_code", "value": 200},
                            {"type": "header", "name": "content-type", "value": "Text/Event-Stream; charset=utf-8"}]},
            {"expect": "one", "name": "first"},
            {"method": "wait", "assertions": [{"type": "json_path", "path": "n", "value": 2}],
             "extract": [{"var": "t", "path": "t"}]},
            {"expect": "3", "assertions": [{"type": "contains", "value": "${t}"}]},
            {"method": "close"},
            {"method": "close"},
        ]),
    )
    .with("variables", json!({"v": "w"}))
    .run();
    let url = format!("{}/events", target.url());
    let rows: Vec<_> = outcome
        .rows
        .iter()
        .map(|row| (&*row.method, &*row.url, &*row.name, row.status, row.bytes))
        .collect();
    assert_eq!(
        rows,
        [
            ("SSE", &*url, &*url, Some(200), 0),
            ("SSE", &*url, "first", None, 5),
            ("SSE", &*url, &*url, None, 17),
            ("SSE", &*url, &*url, None, 3),
            ("SSE", &*url, &*url, None, 0),
            ("SSE", "", "close", None, 0),
        ]
    );
    assert_eq!(outcome.errors(), ["body does not contain 'x'"]);
    let asked = target.seen();
    assert_eq!(asked[0].header("accept").as_deref(), Some("text/event-stream"));
    assert_eq!(asked[0].header("x-a").as_deref(), Some("w"));
    assert_eq!(asked.len(), 1);
}

#[test]
fn an_event_is_seen_at_once_in_chunks_of_any_size() {
    let target = Scripted::start(|_, wire| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        say(wire, head)?;
        for piece in ["da", "ta: on", "e\n", "\ndata: two\r\n\r", "\n"] {
            say(wire, &format!("{:x}\r\n{piece}\r\n", piece.len()))?;
        }
        stays(wire, "")
    });
    let tasks = json!([open(), {"expect": "one"}, {"expect": "two"}]);
    assert_eq!(outcomes(load(&target, tasks)), ["ok"; 3]);
}

#[test]
fn a_response_that_is_no_stream_fails_the_step() {
    let of = |head: &'static str| Scripted::start(move |_, wire| stays(wire, head));
    for (head, why) in [
        ("HTTP/1.1 500 x\r\nContent-Type: text/event-stream\r\n\r\n", "500 Internal Server Error"),
        ("HTTP/1.1 204 x\r\n\r\n", "204 No Content"),
        (
            "HTTP/1.1 200 x\r\nContent-Type: text/html\r\n\r\n",
            "the response is no event stream: text/html",
        ),
        ("HTTP/1.1 200 x\r\n\r\n", "the response is no event stream: no Content-Type"),
        ("SSH-2.0\r\n\r\n", "invalid HTTP response: no status line"),
    ] {
        let tasks = json!([open(), {"timeout": 0.05, "url": "http://127.0.0.1:1/"}]);
        let outcome = outcomes(load(&of(head), tasks));
        assert_eq!(outcome, [why, "connection refused"], "{head}");
    }
    let target = of("HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n");
    let mut expected = open();
    expected["assertions"] = json!([{"type": "status_code", "value": 401}]);
    assert_eq!(outcomes(load(&target, json!([expected]))), ["ok"]);
    let silent = of("");
    let mut soon = open();
    soon["timeout"] = json!(0.05);
    assert_eq!(outcomes(load(&silent, json!([soon]))), ["timed out after 0.05 s"]);
    let none = json!([{"method": "open", "url": format!("http://{}/", nowhere())}, {}]);
    assert_eq!(outcomes(load(&silent, none)), ["connection refused", "connection refused"]);
    assert_eq!(outcomes(load(&silent, json!([{"expect": "x"}]))), ["SSE stream not open"]);
}

#[test]
fn a_wait_ends_in_time_whatever_the_target_sends_and_the_stream_stays() {
    let target = Scripted::start(|_, wire| {
        say(wire, &format!("{HEAD}data: one\n\n"))?;
        // Comments without end, and one more event.
        for _ in 0..2000 {
            say(wire, ": tick\n\n")?;
        }
        stays(wire, "data: two\n\n")
    });
    let tasks = json!([
        open(),
        {"expect": "nope", "timeout": 0.2},
        {"expect": "one", "timeout": 0.5},
        {"timeout": 0.05},
    ]);
    // The first wait has taken both events.
    assert_eq!(
        outcomes(load(&target, tasks)),
        [
            "ok",
            "SSE waited > 0.2s for 'nope'",
            "SSE waited > 0.5s for 'one'",
            "SSE waited > 0.05s for None",
        ]
    );
    assert_eq!(target.seen().len(), 1);
}

/// A target whose streams have one event each: the first asks for a short delay and names its event.
fn ending() -> Scripted {
    let turn = AtomicUsize::new(0);
    Scripted::start(move |request: &Request, wire| {
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        let last = request.header("last-event-id").unwrap_or_default();
        say(wire, &format!("{HEAD}retry: 20\nid: {turn}\ndata: turn {turn} after '{last}'\n\n"))?;
        Ok(Next::Close)
    })
}

#[test]
fn a_stream_that_ended_is_continued_by_the_next_step_or_by_the_same_one() {
    let target = ending();
    let tasks = json!([
        open(),
        {"expect": "turn 0 after ''"},
        {"expect": "turn 1"},
        {"expect": "turn 1 after '0'"},
        {"expect": "turn 3 after '2'", "reconnect": true},
    ]);
    let ended = "SSE stream ended before expected event";
    assert_eq!(outcomes(load(&target, tasks)), ["ok", "ok", ended, "ok", "ok"]);
    assert_eq!(target.seen().len(), 4);
    // Opening begins anew.
    let target = ending();
    let tasks = json!([open(), {}, open(), {"expect": "turn 1 after ''"}]);
    assert_eq!(outcomes(load(&target, tasks)), ["ok"; 4]);
    // A stream that is cut.
    let target = Scripted::start(|_, wire| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        say(wire, &format!("{head}5\r\ndata:"))?;
        Ok(Next::Close)
    });
    let cut = "connection closed in the middle of a response";
    assert_eq!(outcomes(load(&target, json!([open(), {}]))), ["ok", cut]);
}

#[test]
fn t76_events_take_their_share_of_memory_and_one_without_end_fails() {
    let endless = || {
        Scripted::start(|_, wire| {
            say(wire, HEAD)?;
            loop {
                say(wire, &format!("data: {}\n", "x".repeat(60_000)))?;
            }
        })
    };
    let long = "an event is longer than --max-body-bytes 4194304 allows";
    assert_eq!(outcomes(load(&endless(), json!([open(), {}]))), ["ok", long]);
    let memory = Memory::new(16 << 20);
    let mut rest = memory.share("something else");
    rest.grow((15 << 20) - memory.taken()).expect("room");
    let outcome = outcomes(load(&endless(), json!([open(), {}])).under(&memory));
    assert!(outcome[1].starts_with("events: "), "{outcome:?}");
    drop(rest);
    assert_eq!(memory.taken(), 0, "it is given back");
}

#[test]
fn a_stream_is_requested_through_a_proxy_and_nowhere_that_tests_may_not_go() {
    let proxy = Scripted::start(|_, wire| stays(wire, &format!("{HEAD}data: one\n\n")));
    let tasks = json!([{"method": "open", "url": "http://far.example/events"}, {}]);
    let through = load(&proxy, tasks).with("proxy", json!(proxy.url()));
    assert_eq!(outcomes(through), ["ok", "ok"]);
    assert_eq!(proxy.seen()[0].target, "http://far.example/events");
    let target = stream("");
    let outcome = outcomes(load(&target, json!([open()])).allowed(&["192.0.2.1"]));
    assert!(outcome[0].ends_with(" is refused: no --allow-target names it"), "{outcome:?}");
    assert_eq!(target.seen().len(), 0);
}

#[test]
fn a_wrong_task_is_refused_with_its_place_before_anything_is_sent() {
    let only = "only the method wait receives an event; of open, status and headers can be checked";
    let target = stream("");
    for (task, why) in [
        (
            json!({"method": "frob"}),
            "/method: expected \"open\", \"connect\", \"wait\" or \"close\", got \"frob\""
                .to_owned(),
        ),
        (
            json!({"method": "open", "url": "ftp://h/"}),
            "/url: invalid URL \"ftp://h/\": expected http:// or https://".to_owned(),
        ),
        (json!({"method": "open", "expect": "x"}), format!(": {only}")),
        (
            json!({"method": "open", "assertions": [{"type": "contains", "value": "x"}]}),
            format!(": {only}"),
        ),
        (json!({"method": "close", "expect": "x"}), format!(": {only}")),
        (
            json!({"assertions": [{"type": "status_code", "value": 200}]}),
            "/assertions/0/type: \"status_code\" needs a protocol whose responses have one"
                .to_owned(),
        ),
        (json!({"payload": "x"}), "/payload: unknown field".to_owned()),
    ] {
        let refusal = load(&target, json!([{}, task])).refusal();
        assert!(refusal.starts_with(&format!("LD_start_test: /tasks/1{why}")), "{refusal}");
    }
    let refusal = load(&target, json!({"open": {}})).refusal();
    assert_eq!(refusal, "LD_start_test: /tasks/open: the tasks of an sse_user must be a list");
}
