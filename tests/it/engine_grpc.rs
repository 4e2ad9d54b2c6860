//! gRPC tasks against a scripted peer: calls and streams, checks, statuses, targets that say their own
//! types, and peers that misbehave. Where `LDCTL_PYTHON` names an interpreter with grpcio, its server is
//! asked, too; `tests/compare/grpc_calls.py` asks it more.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use h2::Reason;
use ldctl::memory::Memory;
use prost::Message as _;
use serde_json::{Value as Json, json};

use crate::support::grpc::{Call, Does, GrpcPeer, framed, greeter, hello};
use crate::support::{Authority, Load, Peer, Running, nowhere, program, python, signal, soon_true};

const PROTO: &[u8] = include_bytes!("../../examples/greeter.proto");

/// A task whose types are in a file.
fn say(more: Json) -> Json {
    let mut task =
        json!({"method": "pkg.Greeter/SayHello", "proto": "greeter.proto", "timeout": 5});
    task.as_object_mut().expect("a task").extend(more.as_object().expect("members").clone());
    task
}

fn load_of(target: &str, tasks: Json) -> Load {
    Load::once(tasks)
        .with("user_detail_dict", json!({"user": "grpc_user", "host": target}))
        .file("greeter.proto", PROTO)
}

fn load(peer: &GrpcPeer, tasks: Json) -> Load {
    load_of(&peer.target(), tasks)
}

/// The outcome of each step, `ok` or why it failed.
fn outcomes(load: Load) -> Vec<String> {
    let rows = load.run().rows.into_iter();
    rows.map(|row| row.error.unwrap_or_else(|| "ok".to_owned())).collect()
}

#[test]
fn a_call_sends_its_message_and_metadata_and_checks_what_comes_back() {
    let peer = GrpcPeer::start(|_| Does::one(hello("hi w", 2)));
    let outcome = load(
        &peer,
        json!([
            say(json!({"payload": {"name": "${n}", "count": "${c}"}, "metadata": {"X-Token": "a ${n}", "k-bin": "AAE="},
                "assertions": [{"type": "json_path", "path": "message", "value": "hi w"},
                               {"type": "json_path", "path": "count", "value": 2},
                               {"type": "json_path", "path": "data", "value": ""},
                               {"type": "contains", "value": "hi"}, {"type": "status_code", "value": 0},
                               {"type": "header", "name": "X-Head", "value": "before"},
                               {"type": "header", "name": "x-tail", "value": "after"}],
                "extract": [{"var": "said", "path": "message"}]})),
            say(json!({"payload": {"name": "${said}"}, "name": "second", "authority": "other.example"})),
            say(json!({"payload": {"name": "fixed"}, "metadata": [["a", "1"], ["a", "2"]]})),
        ]),
    )
    .with("variables", json!({"n": "w", "c": 7}))
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    let target = peer.target();
    let rows: Vec<_> = outcome
        .rows
        .iter()
        .map(|row| (&*row.method, &*row.url, &*row.name, row.status, row.bytes))
        .collect();
    let row = |name| ("GRPC", &*target, name, None, 8);
    assert_eq!(rows, [row("pkg.Greeter/SayHello"), row("second"), row("pkg.Greeter/SayHello")]);
    let seen = peer.seen();
    assert_eq!((seen.len(), peer.connections()), (3, 1));
    let messages: Vec<_> = seen.iter().map(|call| call.messages.clone()).collect();
    assert_eq!(messages, [[hello("w", 7)], [hello("hi w", 0)], [hello("fixed", 0)]]);
    for (name, value) in [
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("x-token", "a w"),
        ("k-bin", "AAE"),
        ("grpc-accept-encoding", "identity,deflate,gzip"),
        (":authority", &*target),
    ] {
        assert_eq!(seen[0].header(name), Some(value), "{name}");
    }
    assert_eq!(seen[0].path, "/pkg.Greeter/SayHello");
    let timeout = seen[0].header("grpc-timeout").expect("a timeout");
    let millis: u64 = timeout.strip_suffix('m').and_then(|text| text.parse().ok()).expect("a time");
    assert!((1..=5_000).contains(&millis), "{timeout}");
    assert_eq!(seen[1].header(":authority"), Some("other.example"));
    assert_eq!(seen[2].headers.iter().filter(|(name, _)| name == "a").count(), 2);
}

#[test]
fn streams_of_every_kind_are_sent_and_read_to_their_end() {
    let peer = GrpcPeer::start(|call| match call.path.as_str() {
        "/pkg.Greeter/Collect" => {
            Does::one(hello("n", u8::try_from(call.messages.len()).expect("few")))
        }
        "/pkg.Greeter/Chat" => Does::Ends(call.messages.clone(), "0", ""),
        _ => Does::Ends((1..=5).map(|count| hello("many", count)).collect(), "0", ""),
    });
    let list = json!([{"name": "a"}, {"name": "${n}"}, {}]);
    let outcome = load(
        &peer,
        json!([
            say(json!({"method": "pkg.Greeter/Many", "rpc": "server_stream", "assertions": [
                {"type": "json_path", "path": "4.count", "value": 5},
                {"type": "json_path", "path": "$[-1].message", "value": "many"},
                {"type": "json_path", "path": "5", "value": null}]})),
            say(json!({"method": "pkg.Greeter/Collect", "payload": list,
                "assertions": [{"type": "json_path", "path": "count", "value": 3}]})),
            say(json!({"method": "pkg.Greeter/Chat", "payload": list, "rpc": "bidirectional",
                "assertions": [{"type": "json_path", "path": "1.message", "value": "b"}]})),
            say(json!({"method": "pkg.Greeter/Collect", "payload": [], "name": "none"})),
            say(json!({"method": "pkg.Greeter/Chat", "payload": [], "name": "silent"})),
        ]),
    )
    .with("variables", json!({"n": "b"}))
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    let bytes: Vec<_> = outcome.rows.iter().map(|row| row.bytes).collect();
    assert_eq!(bytes, [40, 5, 6, 3, 0]);
    assert_eq!(peer.connections(), 1);
}

#[test]
fn long_streams_pass_the_windows_both_ways_at_once() {
    // The peer reads everything before it responds, with all of it.
    let peer = GrpcPeer::start(|call| Does::Ends(call.messages.clone(), "0", ""));
    let long = "x".repeat(3_000_000);
    let list: Vec<_> = (0..4).map(|_| json!({"name": long})).collect();
    let outcome = load(
        &peer,
        json!([say(json!({"method": "pkg.Greeter/Chat", "payload": list, "timeout": 30}))]),
    )
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert!(outcome.rows[0].bytes > 12_000_000, "{:?}", outcome.rows[0]);
}

#[test]
fn documents_for_python_run_unchanged() {
    let peer = GrpcPeer::start(|_| Does::one(hello("hi", 0)));
    let task = json!({"name": "say_hello", "target": peer.target(), "stub_path": "pkg.greeter_pb2_grpc.GreeterStub",
        "request_path": "pkg.greeter_pb2.HelloRequest", "method": "SayHello", "payload": {"name": "world"},
        "metadata": [["x-token", "..."]], "timeout": 10, "proto": "greeter.proto"});
    let mut unnamed = task.clone();
    unnamed.as_object_mut().expect("a task").remove("name");
    let outcome = load_of("127.0.0.1:1", json!([task, unnamed])).run();
    assert_eq!(outcome.errors(), [""; 0]);
    let names: Vec<_> = outcome.rows.iter().map(|row| &*row.name).collect();
    assert_eq!(names, ["say_hello", "pkg.greeter_pb2_grpc.GreeterStub.SayHello"]);
}

/// The fault of a call that a peer does this with; another call over the same peer follows.
fn check(does: Does, want: &str) {
    let peer = GrpcPeer::start(move |call| match call.header("x-good") {
        Some(_) => Does::one(hello("hi", 0)),
        None => does.clone(),
    });
    let bad = say(json!({"timeout": 0.5}));
    let good = say(json!({"metadata": {"x-good": "1"}}));
    let outcome = outcomes(load(&peer, json!([bad, good])));
    assert_eq!(outcome, [want, "ok"]);
}

#[test]
fn a_status_fails_with_its_name_unless_it_is_expected() {
    let ends = |status, message| Does::Ends(Vec::new(), status, message);
    check(ends("7", "not you"), "PERMISSION_DENIED: not you");
    check(ends("5", "a%0A%1B[31mb"), "NOT_FOUND: a\\n\\x1b[31mb");
    check(ends("14", ""), "UNAVAILABLE");
    check(ends("4", "too late"), "DEADLINE_EXCEEDED: too late");
    check(ends("99", ""), "status 99");
    let only_trailers = vec![
        ("content-type", "application/grpc"),
        ("grpc-status", "12"),
        ("grpc-message", "no such"),
    ];
    check(Does::Says(200, only_trailers, Vec::new(), None), "UNIMPLEMENTED: no such");
    let peer = GrpcPeer::start(|_| Does::Ends(Vec::new(), "5", "gone"));
    let expects = |code: Json| say(json!({"assertions": [{"type": "status_code", "value": code}]}));
    let path = say(json!({"assertions": [{"type": "not_contains", "value": "x"}]}));
    let outcome = outcomes(
        load(&peer, json!([expects(json!(5)), expects(json!("${c}")), path]))
            .with("variables", json!({"c": 0})),
    );
    assert_eq!(outcome, ["ok", "status_code expected 0, got 5", "NOT_FOUND: gone"]);
}

#[test]
fn responses_that_are_no_grpc_are_classed() {
    let html = || vec![("content-type", "text/html")];
    let grpc = || vec![("content-type", "application/grpc")];
    let ok = || Some(vec![("grpc-status", "0")]);
    check(
        Does::Says(200, html(), b"<html>".to_vec(), None),
        "UNKNOWN: the response is not gRPC: text/html",
    );
    check(
        Does::Says(200, Vec::new(), Vec::new(), None),
        "UNKNOWN: the response is not gRPC: no content-type",
    );
    check(
        Does::Says(503, html(), Vec::new(), None),
        "UNAVAILABLE: HTTP status 503 Service Unavailable",
    );
    check(Does::Says(404, html(), Vec::new(), None), "UNIMPLEMENTED: HTTP status 404 Not Found");
    check(
        Does::Says(200, grpc(), framed(b""), None),
        "INTERNAL: the response ended without a status",
    );
    check(
        Does::Says(200, grpc(), framed(b""), Some(vec![("x-a", "b")])),
        "INTERNAL: the response ended without a status",
    );
    check(
        Does::Says(200, grpc(), Vec::new(), ok()),
        "INTERNAL: the status is OK, but there is no message",
    );
    check(
        Does::Says(200, grpc(), [framed(b""), framed(b"")].concat(), ok()),
        "INTERNAL: more than one message, and no stream",
    );
    check(
        Does::Says(200, grpc(), vec![0, 0, 0, 0, 9, 1], ok()),
        "INTERNAL: the response ends inside a message",
    );
    check(
        Does::Says(200, grpc(), [framed(b""), b"more than that".to_vec()].concat(), ok()),
        "INTERNAL: what should be a message begins with 0x6d instead of 0 or 1",
    );
    check(
        Does::Says(200, grpc(), vec![0, 0x7f, 0, 0, 0, 1], ok()),
        "RESOURCE_EXHAUSTED: a message is longer than --max-body-bytes 4194304 allows",
    );
    check(
        Does::Says(200, grpc(), vec![1, 0, 0, 0, 1, 1], ok()),
        "INTERNAL: a message is compressed, but the response does not say how (grpc-encoding)",
    );
    let packed = [grpc(), vec![("grpc-encoding", "snappy")]].concat();
    check(
        Does::Says(200, packed, vec![1, 0, 0, 0, 1, 1], ok()),
        "UNIMPLEMENTED: a message is compressed by \"snappy\"; ldctl unpacks gzip and deflate",
    );
}

#[test]
fn t76_peers_that_reset_hang_or_flood_end_a_call_in_time() {
    check(
        Does::Resets(Reason::INTERNAL_ERROR),
        "INTERNAL: the target reset the stream with INTERNAL_ERROR",
    );
    check(Does::Resets(Reason::CANCEL), "CANCELLED: the target reset the stream with CANCEL");
    check(
        Does::Resets(Reason::ENHANCE_YOUR_CALM),
        "RESOURCE_EXHAUSTED: the target reset the stream with ENHANCE_YOUR_CALM",
    );
    check(Does::Hangs, "DEADLINE_EXCEEDED: timed out after 0.5 s");
    let peer = GrpcPeer::start(|_| Does::Floods(hello("again", 1)));
    let many = say(json!({"method": "pkg.Greeter/Many", "timeout": 0.5}));
    let keeps = say(
        json!({"method": "pkg.Greeter/Many", "timeout": 0.5, "assertions": [{"type": "contains", "value": "x"}]}),
    );
    let outcome = outcomes(load(&peer, json!([many, keeps])));
    assert_eq!(outcome, ["DEADLINE_EXCEEDED: timed out after 0.5 s"; 2]);
}

#[test]
fn a_message_that_is_not_of_its_type_fails_only_where_checks_need_it() {
    let peer = GrpcPeer::start(|_| Does::one(vec![0xff, 0xff]));
    let checked = say(json!({"assertions": [{"type": "contains", "value": "x"}]}));
    let outcome = outcomes(load(&peer, json!([say(json!({})), checked])));
    assert_eq!(outcome, ["ok", "INTERNAL: the response is no pkg.HelloReply"]);
}

#[test]
fn a_session_that_ends_in_good_order_is_replaced_without_a_failure() {
    let peer = GrpcPeer::start(|_| Does::EndsLast(vec![hello("hi", 0)]));
    let outcome = load(&peer, json!([say(json!({}))])).until(20).with("wait_time", json!(0)).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(peer.seen().len(), outcome.rows.len());
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let peer =
        GrpcPeer::start(move |_| match turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            1 => Does::Leaves,
            _ => Does::one(hello("hi", 0)),
        });
    let varies = say(json!({"metadata": {"x-id": "${uuid()}"}}));
    let tasks = json!([say(json!({})), varies, varies]);
    assert_eq!(outcomes(load(&peer, tasks)), ["ok"; 3]);
    assert_eq!(peer.connections(), 2);
    // The placeholders of a call that is made again are filled in once.
    let seen = peer.seen();
    let ids: Vec<_> = seen.iter().map(|call| call.header("x-id")).collect();
    assert!(ids[1].is_some() && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    let mut times = seen.iter().map(|call| call.header("grpc-timeout"));
    assert!(times.all(|time| time.is_some()));
}

#[test]
fn a_session_is_replaced_when_the_target_changes_or_stays_silent() {
    let (one, two) = (greeter(), greeter());
    let at = |peer: &GrpcPeer| say(json!({"target": peer.target()}));
    let varying = say(json!({"target": "${t}"}));
    let tasks = json!([at(&one), at(&one), at(&two), varying]);
    let outcome = outcomes(load(&one, tasks).with("variables", json!({"t": two.target()})));
    assert_eq!(outcome, ["ok"; 4]);
    assert_eq!((one.connections(), two.connections()), (1, 1));
    let silent = GrpcPeer::start(|_| Does::Hangs);
    let late = say(json!({"timeout": 0.2}));
    let outcome = outcomes(load(&silent, json!([late, late, late])));
    assert_eq!(outcome, ["DEADLINE_EXCEEDED: timed out after 0.2 s"; 3]);
    assert_eq!(silent.connections(), 2);
}

#[test]
fn connections_that_fail_are_classed_and_refused_where_they_are_not_allowed() {
    let task = json!([say(json!({"timeout": 0.5}))]);
    assert_eq!(outcomes(load_of(&nowhere().to_string(), task.clone())), ["connection refused"]);
    let old = Peer::start(|stream| {
        let _ = stream.read(&mut [0; 1024])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
        std::io::copy(stream, &mut std::io::sink()).map(drop)
    });
    let outcome = outcomes(load_of(&old.address.to_string(), task.clone()));
    assert_eq!(outcome, ["UNKNOWN: the target's response is not HTTP/2"]);
    let closing = Peer::start(|_| Ok(()));
    let outcome = outcomes(load_of(&closing.address.to_string(), task.clone()));
    assert!(outcome[0].starts_with("connection "), "{outcome:?}");
    let silent = Peer::start(|stream| std::io::copy(stream, &mut std::io::sink()).map(drop));
    let outcome = outcomes(load_of(&silent.address.to_string(), task.clone()));
    assert_eq!(outcome, ["DEADLINE_EXCEEDED: timed out after 0.5 s"]);
    let peer = greeter();
    let outcome = outcomes(load(&peer, task.clone()).allowed(&["192.0.2.1"]));
    assert_eq!(
        outcome,
        [format!("target {} is refused: no --allow-target names it", peer.target())]
    );
    let lost = load(&peer, task).after(json!(["LD_install_network_conditioner", {"loss_rate": 1}]));
    assert_eq!(outcomes(lost), [ldctl::load::LOST]);
    assert_eq!(peer.connections(), 0);
}

#[test]
fn tls_is_verified_and_agrees_on_http_2() {
    let authority = Authority::new();
    let read = |name| std::fs::read(authority.file(name)).expect("a file");
    let secure = GrpcPeer::over(Some(authority.server(&[b"h2"])), |_| Does::one(hello("hi", 0)));
    let old = GrpcPeer::over(Some(authority.server(&[b"http/1.1"])), |_| Does::one(hello("hi", 0)));
    let at = |address: SocketAddr, more: Json| {
        let mut task = say(more);
        task["target"] = json!(format!("localhost:{}", address.port()));
        task
    };
    let mut by_scheme = at(secure.address, json!({"verify": "ca.pem"}));
    by_scheme["target"] = json!(format!("https://localhost:{}", secure.address.port()));
    let tasks = json!([
        at(secure.address, json!({"tls": true, "verify": "ca.pem"})),
        at(secure.address, json!({"verify": "ca.pem"})),
        by_scheme,
        at(secure.address, json!({"verify": false})),
        at(secure.address, json!({"verify": "other-ca.pem"})),
        at(old.address, json!({"verify": false})),
    ]);
    let load = load_of("127.0.0.1:1", tasks)
        .file("ca.pem", &read("ca.pem"))
        .file("other-ca.pem", &read("other-ca.pem"));
    let outcome = outcomes(load);
    assert_eq!(outcome[..4], ["ok"; 4]);
    assert!(outcome[4].starts_with("TLS failed: the certificate is not trusted"), "{outcome:?}");
    let agreed = outcome[5] == "UNKNOWN: the target does not agree on HTTP/2 (ALPN)";
    assert!(agreed, "{outcome:?}");
    let plain = greeter();
    let outcome = outcomes(
        load_of("127.0.0.1:1", json!([at(plain.address, json!({"tls": true}))]))
            .file("ca.pem", &read("ca.pem")),
    );
    assert_eq!(
        outcome,
        ["TLS failed: the target does not speak TLS on this port; leave out \"tls\""]
    );
}

#[test]
fn calls_have_the_fields_of_the_tests_connection_unless_a_task_has_its_own() {
    let peer = GrpcPeer::start(|call| match call.header("x-late") {
        Some(_) => Does::Hangs,
        None => Does::one(hello("hi", 0)),
    });
    let mut late = say(json!({"metadata": [["x-late", "1"]]}));
    late.as_object_mut().expect("a task").remove("timeout");
    let tasks = json!([
        say(json!({})),
        say(json!({"metadata": {"x-own": "2"}, "authority": "own.example"})),
        late,
    ]);
    let connection = json!({"metadata": {"x-all": "${n}"}, "authority": "all.example", "timeout": 0.3, "tls": false});
    let load = load(&peer, tasks).with("variables", json!({"n": 7}));
    let outcome = outcomes(load.with("connection", connection));
    assert_eq!(outcome, ["ok", "ok", "DEADLINE_EXCEEDED: timed out after 0.3 s"]);
    let seen = peer.seen();
    let headers = |call: &Call| {
        let header = |name| call.header(name).map(str::to_owned);
        (header("x-all"), header("x-own"), header(":authority"))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(headers(&seen[0]), (text("7"), None, text("all.example")));
    assert_eq!(headers(&seen[1]), (None, text("2"), text("own.example")));
}

#[test]
fn the_tests_connection_says_how_targets_are_verified() {
    let authority = Authority::new();
    let read = |name| std::fs::read(authority.file(name)).expect("a file");
    let peer = GrpcPeer::over(Some(authority.server(&[b"h2"])), |_| Does::one(hello("hi", 0)));
    let tasks = json!([say(json!({})), say(json!({"verify": "other-ca.pem"}))]);
    let load = load_of(&format!("localhost:{}", peer.address.port()), tasks)
        .with("connection", json!({"verify": "ca.pem"}))
        .file("ca.pem", &read("ca.pem"))
        .file("other-ca.pem", &read("other-ca.pem"));
    let outcome = outcomes(load);
    assert_eq!(outcome[0], "ok");
    assert!(outcome[1].starts_with("TLS failed: the certificate is not trusted"), "{outcome:?}");
}

#[test]
fn a_connection_that_calls_cannot_have_is_refused_with_its_place() {
    let peer = greeter();
    for (connection, why) in [
        (json!({"tsl": true}), "/connection/tsl: unknown field; did you mean \"tls\"?"),
        (json!({"username": "u"}), "/connection/username: unknown field"),
        (json!({"tls": 1}), "/connection/tls: expected true or false, got 1"),
        (json!({"tls": false, "verify": false}), "/connection/verify: the task has \"tls\": false"),
        (json!({"metadata": {"te": "x"}}), "/connection/metadata/te: the call sets te itself"),
        (json!({"authority": "a b"}), "/connection/authority: expected the name of a host"),
        (json!({"verify": "none.pem"}), "/connection/verify: "),
        (json!({"timeout": 0}), "/connection/timeout: "),
    ] {
        let mut task = say(json!({}));
        task.as_object_mut().expect("a task").remove("timeout");
        let load = load(&peer, json!([task])).with("connection", connection.clone());
        let refusal = load.refusal();
        assert!(refusal.starts_with(&format!("LD_start_test: {why}")), "{connection}: {refusal}");
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn t76_packed_messages_are_unpacked_and_long_ones_refused() {
    let packed = |message: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(message).expect("packed");
        let mut frame = framed(&encoder.finish().expect("packed"));
        frame[0] = 1;
        frame
    };
    let says = |bytes: Vec<u8>| {
        let head = vec![("content-type", "application/grpc"), ("grpc-encoding", "gzip")];
        GrpcPeer::start(move |_| {
            Does::Says(200, head.clone(), bytes.clone(), Some(vec![("grpc-status", "0")]))
        })
    };
    let task = json!([say(
        json!({"assertions": [{"type": "json_path", "path": "message", "value": "hi w"}]})
    )]);
    let peer = says(packed(&hello("hi w", 2)));
    let outcome = load(&peer, task.clone()).run();
    assert_eq!((outcome.errors().len(), outcome.rows[0].bytes), (0, 8));
    let bomb = says(packed(&vec![0; 50 << 20]));
    let outcome = outcomes(load(&bomb, task));
    assert_eq!(
        outcome,
        ["RESOURCE_EXHAUSTED: a message is longer than --max-body-bytes 4194304 allows"]
    );
}

#[test]
fn t76_responses_take_their_share_of_memory_or_fail_and_give_it_back() {
    // Two fields of a megabyte and a half.
    let long = |tag: u8| {
        let text = vec![b'x'; 1_500_000];
        let length = [0xe0 | 0x80, 0xc6, 0x5b];
        [&[tag], &length[..], &text].concat()
    };
    assert_eq!(0x60 + (0x46 << 7) + (0x5b << 14), 1_500_000);
    let message = [long(0x0a), long(0x1a)].concat();
    let peer = GrpcPeer::start(move |_| Does::one(message.clone()));
    let task = json!([say(json!({"assertions": [{"type": "contains", "value": "xxx"}]}))]);
    let memory = Memory::new(400 << 20);
    let outcome = load(&peer, task.clone()).under(&memory).run();
    assert_eq!((outcome.errors(), outcome.rows[0].bytes), (vec![""; 0], 3_000_008));
    let mut rest = memory.share("something else");
    rest.grow((399 << 20) - memory.taken()).expect("room");
    let outcome = outcomes(load(&peer, task).under(&memory));
    assert!(outcome[0].ends_with("(--max-memory)"), "{outcome:?}");
    drop(rest);
    assert_eq!(memory.taken(), 0, "it is given back");
}

#[test]
fn t76_many_messages_that_checks_need_are_bounded() {
    let message = hello("x".repeat(100).as_str(), 0);
    let messages = vec![message; 60_000];
    let peer = GrpcPeer::start(move |_| Does::Ends(messages.clone(), "0", ""));
    let many = |more: Json| {
        let mut task = say(json!({"method": "pkg.Greeter/Many", "timeout": 30}));
        task.as_object_mut().expect("a task").extend(more.as_object().expect("members").clone());
        task
    };
    let checked = many(json!({"assertions": [{"type": "not_contains", "value": "y"}]}));
    let outcome = load(&peer, json!([many(json!({})), checked])).run();
    assert_eq!(
        outcome.errors(),
        ["the body is longer than --max-body-bytes 4194304 allows and was not checked"]
    );
    assert_eq!(outcome.rows[0].bytes, 60_000 * 102);
}

#[test]
fn a_stop_does_not_wait_for_a_call() {
    let peer = GrpcPeer::start(|call| match call.header("x-good") {
        Some(_) => Does::one(hello("hi", 0)),
        None => Does::Hangs,
    });
    // The first call is recorded; the second waits when the test is stopped.
    let tasks = json!([say(json!({"metadata": {"x-good": "1"}})), say(json!({"timeout": 3600}))]);
    let begin = Instant::now();
    let outcome = load(&peer, tasks).until(1).run();
    assert_eq!(outcome.rows.len(), 1);
    // Requests have five seconds to end.
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[test]
fn a_wrong_task_is_refused_with_its_place_before_anything_is_sent() {
    let peer = greeter();
    let refusal = |task: Json| load(&peer, json!([say(json!({})), task])).refusal();
    for (more, why) in [
        (json!({"method": null}), "/method: expected a string, got null"),
        (
            json!({"method": "pkg.Greeter/Nope"}),
            ": pkg.Greeter has no method \"Nope\"; it has Chat, Collect, Many, SayHello",
        ),
        (
            json!({"method": "Say", "service": "x.Y"}),
            ": no service is called \"x.Y\"; the types have pkg.Greeter",
        ),
        (json!({"rpc": "bidi"}), "/rpc: pkg.Greeter/SayHello is a method of kind unary, not bidi"),
        (
            json!({"method": "pkg.Greeter/Many", "rpc": "unary"}),
            "/rpc: pkg.Greeter/Many is a method of kind server_stream, not unary",
        ),
        (
            json!({"request_path": "a.b.Other"}),
            "/request_path: the request of pkg.Greeter/SayHello is a pkg.HelloRequest",
        ),
        (
            json!({"payload": [{}]}),
            "/payload: pkg.Greeter/SayHello takes one message, not a list of them",
        ),
        (
            json!({"payload": {"nmae": 1}}),
            "/payload: pkg.HelloRequest has no field \"nmae\"; did you mean \"name\"?",
        ),
        (json!({"payload": {"tags": "abc"}}), "/payload: the payload is not a pkg.HelloRequest: "),
        (
            json!({"method": "pkg.Greeter/Chat", "payload": [{}, {"count": "x"}]}),
            "/payload/1: the payload is not a pkg.HelloRequest: ",
        ),
        (json!({"proto": "none.proto"}), "/proto: "),
        (json!({"proto": "../secret.proto"}), "/proto: "),
        (
            json!({"proto": null, "descriptor_set": "greeter.proto"}),
            "/descriptor_set: no set of types",
        ),
        (json!({"target": "ftp://h"}), "/target: a target is host:port, not ftp://"),
        (
            json!({"target": "h:1/path"}),
            "/target: a target is host:port, without a user and without a path",
        ),
        (json!({"metadata": {"te": "x"}}), "/metadata/te: the call sets te itself"),
        (json!({"tls": false, "verify": false}), "/verify: the task has \"tls\": false"),
        (json!({"authority": "a b"}), "/authority: expected the name of a host"),
        (json!({"url": "/"}), "/url: unknown field"),
    ] {
        let refusal = refusal(say(more));
        assert!(refusal.starts_with(&format!("LD_start_test: /tasks/1{why}")), "{refusal}");
    }
    assert_eq!(
        load(&peer, json!({"get": {"method": "m"}})).refusal(),
        "LD_start_test: /tasks/get: the tasks of a grpc_user must be a list"
    );
    assert_eq!(peer.connections(), 0);
}

/// The set of types of the service, made by another compiler than the tests' peer.
fn set() -> prost_reflect::prost_types::FileDescriptorSet {
    protox::compile(["greeter.proto"], ["examples"]).expect("types")
}

/// A field of bytes.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut length) = (vec![tag << 3 | 2], bytes.len());
    while length > 127 {
        out.push(u8::try_from(length & 127).expect("a byte") | 128);
        length >>= 7;
    }
    out.push(u8::try_from(length).expect("a byte"));
    out.extend_from_slice(bytes);
    out
}

/// A peer that says its types by one version of the service.
fn reflecting(version: &'static str, services: &'static [&'static str]) -> GrpcPeer {
    let file = set().file.first().expect("a file").encode_to_vec();
    GrpcPeer::start(move |call| {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        if call.path == "/pkg.Greeter/SayHello" {
            return Does::one(hello("hi", 0));
        }
        if call.path != path {
            return Does::Ends(Vec::new(), "12", "Method not found!");
        }
        let answer = |question: &Vec<u8>| match question.first() {
            Some(0x3a) => {
                let names = services.iter().flat_map(|name| field(1, &field(1, name.as_bytes())));
                field(6, &names.collect::<Vec<u8>>())
            }
            Some(0x22) => field(4, &field(1, &file)),
            _ => field(7, &[8, 5]),
        };
        Does::Ends(call.messages.iter().map(answer).collect(), "0", "")
    })
}

#[test]
fn a_target_says_its_types_once_before_the_first_user() {
    let services = &["grpc.reflection.v1.ServerReflection", "pkg.Greeter"];
    for version in ["v1", "v1alpha"] {
        let peer = reflecting(version, services);
        let task = |method: &str| json!({"method": method, "payload": {"name": "w"}, "metadata": {"authorization": "Bearer x"}, "timeout": 5});
        let tasks = json!([task("pkg.Greeter/SayHello"), task("SayHello")]);
        let outcome = load(&peer, tasks).with("user_count", json!(3)).until(6).run();
        assert_eq!(outcome.errors(), [""; 0], "{version}");
        let seen = peer.seen();
        let asked: Vec<&Call> =
            seen.iter().filter(|call| call.path.contains("reflection")).collect();
        let questions = if version == "v1" { 2 } else { 3 };
        assert_eq!(asked.len(), questions, "{version}: {asked:?}");
        assert!(asked.iter().all(|call| call.header("authorization") == Some("Bearer x")));
    }
}

#[test]
fn a_test_without_types_is_refused_with_the_ways_to_give_them() {
    let ways = "; give \"descriptor_set\" (a FileDescriptorSet) or \"proto\" (.proto files), or enable \
                server reflection in the target";
    let task = json!([{"method": "pkg.Greeter/SayHello", "timeout": 0.3}]);
    let refusal = |target: &str| load_of(target, task.clone()).refusal();
    let unknown =
        |task: &str| format!("LD_start_test: {task}: the types of its method are not known");
    let why = |target: &str, why: &str| format!("{}: {why} ({target}){ways}", unknown("/tasks/0"));
    let peer = reflecting("v2", &[]);
    assert_eq!(
        refusal(&peer.target()),
        why(
            &peer.target(),
            "the target has no server reflection (UNIMPLEMENTED: Method not found!)"
        )
    );
    let none = nowhere().to_string();
    let unreachable = format!("{}: connection refused ({none})", unknown("/tasks/0"));
    assert_eq!(refusal(&none), unreachable);
    let silent = GrpcPeer::start(|_| Does::Hangs);
    assert_eq!(
        refusal(&silent.target()),
        why(&silent.target(), "the target did not answer in time")
    );
    let garbage = GrpcPeer::start(|_| Does::one(vec![0xff; 9]));
    let said = "server reflection failed: INTERNAL: the answers are not those of server reflection";
    assert_eq!(refusal(&garbage.target()), why(&garbage.target(), said));
    let closed = GrpcPeer::start(|_| Does::Ends(Vec::new(), "16", "who?"));
    let said = "server reflection failed: UNAUTHENTICATED: who?";
    assert_eq!(refusal(&closed.target()), why(&closed.target(), said));
    let other = reflecting("v1", &["a.Other"]);
    let refused = load(&other, task.clone()).refusal();
    let said =
        "LD_start_test: /tasks/0: no service is called \"pkg.Greeter\"; the target has a.Other";
    assert_eq!(refused, said);
    let allowed = load(&peer, task.clone()).allowed(&["192.0.2.1"]).refusal();
    assert!(allowed.contains("no --allow-target names it"), "{allowed}");
    let varying = load_of("${t}", task).with("variables", json!({"t": "h:1"})).refusal();
    let said = "LD_start_test: /tasks/0: the types of its method are not known, and its target is not \
                known before the test: give";
    assert!(varying.starts_with(said), "{varying}");
}

#[test]
fn a_stop_does_not_wait_for_a_target_that_is_asked_for_its_types() {
    let silent = GrpcPeer::start(|_| Does::Hangs);
    let document = json!([["LD_start_test", {
        "user_detail_dict": {"user": "grpc_user", "host": silent.target()}, "user_count": 1, "test_time": 60,
        "tasks": [{"method": "a.B/C", "timeout": 3600}],
    }]])
    .to_string();
    let running = Running::of(&mut program(&["run", "--json", &document]));
    soon_true(|| !silent.seen().is_empty());
    let begin = Instant::now();
    signal("INT", running.id());
    let (code, ..) = running.end();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    // The target has ten seconds to answer.
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[test]
fn a_set_of_types_is_read_from_the_data_directory() {
    let peer = greeter();
    let task =
        json!([{"method": "SayHello", "descriptor_set": "types.binpb", "payload": {"name": "w"}}]);
    let bytes = set().encode_to_vec();
    assert_eq!(outcomes(load(&peer, task).file("types.binpb", &bytes)), ["ok"]);
}

#[test]
fn a_call_is_shown_with_its_messages_and_without_secrets() {
    let peer = GrpcPeer::start(|_| Does::one(hello("hi w", 2)));
    let task = json!({"method": "pkg.Greeter/SayHello", "proto": "examples/greeter.proto", "payload": {"name": "w"},
        "metadata": {"authorization": "Bearer s3cret-s3cret", "x-one": "1"},
        "assertions": [{"type": "json_path", "path": "count", "value": 2}]});
    let document = json!([["LD_start_test", {
        "user_detail_dict": {"user": "grpc_user", "host": peer.target()}, "user_count": 1, "test_time": 1, "tasks": [task],
    }]])
    .to_string();
    let output = crate::support::ldctl().args(["run", "--once", "--json", &document]).output();
    let shown = String::from_utf8(output.expect("ldctl runs").stdout).expect("UTF-8");
    for line in [
        &*format!("> /pkg.Greeter/SayHello gRPC  to {}\n", peer.target()),
        "> authorization: [redacted]\n",
        "> x-one: 1\n",
        "> {\"name\":\"w\",",
        "< gRPC OK\n",
        "< x-tail: after\n",
        "< {\"message\":\"hi w\",\"count\":2,\"data\":\"\"}\n",
        "= task 1 passed in ",
        "✓ json_path count\n",
    ] {
        assert!(shown.contains(line), "{line:?} in {shown}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
}

/// The server of grpcio; it ends with its standard input.
struct Grpcio {
    child: Child,
    ports: Json,
    dir: tempfile::TempDir,
}

impl Grpcio {
    fn start(python: &str, authority: &Authority) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(python)
            .arg("tests/python/grpc_server.py")
            .arg(dir.path())
            .args([authority.file("server.pem"), authority.file("server.key")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("its ports");
        let ports = serde_json::from_str(&line).expect("its ports");
        Self { child, ports, dir }
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(name)).expect("a file")
    }
}

impl Drop for Grpcio {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn grpcio_serves_every_kind_of_call_with_types_from_each_source_and_over_tls() {
    let Some(python) = python() else { return };
    let authority = Authority::new();
    let server = Grpcio::start(&python, &authority);
    let (plain, secure) = (server.ports["plain"].clone(), server.ports["secure"].clone());
    for types in
        [json!({}), json!({"proto": "greeter.proto"}), json!({"descriptor_set": "greeter.binpb"})]
    {
        let task = |more: Json| {
            let mut task = json!({"timeout": 20});
            for part in [&types, &more] {
                task.as_object_mut()
                    .expect("a task")
                    .extend(part.as_object().expect("members").clone());
            }
            task
        };
        let list = json!([{"name": "a"}, {"name": "b"}, {"name": "c"}]);
        let tasks = json!([
            task(
                json!({"method": "SayHello", "stub_path": "greeter_pb2_grpc.GreeterStub", "payload": {"name": "w", "count": 2},
                "assertions": [{"type": "json_path", "path": "message", "value": "hi w"}]})
            ),
            task(json!({"method": "pkg.Greeter/Many", "payload": {"name": "m", "count": 5},
                "assertions": [{"type": "json_path", "path": "-1.count", "value": 4}]})),
            task(json!({"method": "pkg.Greeter/Collect", "payload": list,
                "assertions": [{"type": "json_path", "path": "message", "value": "a b c"}]})),
            task(json!({"method": "pkg.Greeter/Chat", "payload": list,
                "assertions": [{"type": "json_path", "path": "2.message", "value": "hi c"}]})),
            task(json!({"method": "pkg.Greeter/SayHello", "payload": {"name": "secret"}})),
            task(
                json!({"method": "pkg.Greeter/SayHello", "payload": {"name": "secret"}, "metadata": {"authorization": "me"}})
            ),
            task(
                json!({"method": "pkg.Greeter/SayHello", "payload": {"name": "slow", "pause": 5}, "timeout": 0.3})
            ),
            task(
                json!({"method": "pkg.Greeter/SayHello", "target": format!("localhost:{secure}"), "verify": "ca.pem"})
            ),
        ]);
        let outcome = load_of(&format!("127.0.0.1:{plain}"), tasks)
            .file("greeter.binpb", &server.file("greeter.binpb"))
            .file("ca.pem", &std::fs::read(authority.file("ca.pem")).expect("a file"));
        let expected = [
            "ok",
            "ok",
            "ok",
            "ok",
            "PERMISSION_DENIED: not you",
            "ok",
            "DEADLINE_EXCEEDED: timed out after 0.3 s",
            "ok",
        ];
        assert_eq!(outcomes(outcome), expected, "{types}");
    }
}
