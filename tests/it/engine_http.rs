//! HTTP tasks against targets: connections, cookies, redirects, and what is made of an answer. The
//! bytes of a request have their tests beside the code that writes them.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::{Load, Next, Scripted, answer, say};

/// Answers everything with `{"ok": true}`.
fn fine() -> Scripted {
    Scripted::start(|_, wire| answer(wire, 200, &[("X-Test", "v")], br#"{"ok": true}"#))
}

#[test]
fn the_argument_host_counts_more_than_the_host_of_the_users() {
    let target = fine();
    let detail = json!({"user": "fast_http_user", "host": "http://127.0.0.1:1"});
    let load = || {
        Load::once(json!([{"method": "get", "request_url": "/p"}]))
            .with("user_detail_dict", detail.clone())
    };
    assert_eq!(load().with("host", json!(target.url())).run().errors(), [""; 0]);
    assert_eq!(target.seen().len(), 1);
    assert_eq!(
        load().with("host", json!("ftp://h")).refusal(),
        "LD_start_test: /host: expected a base URL that begins with http:// or https://, got \"ftp://h\""
    );
}

#[test]
fn requests_with_unresolved_placeholders_and_failed_extractions_are_counted() {
    let target = fine();
    let url = target.url();
    let tasks = json!([
        {"method": "get", "request_url": format!("{url}/list"), "name": "list",
         "extract": [{"var": "item", "path": "items.99.id"}]},
        {"method": "post", "request_url": format!("{url}/item"), "name": "item",
         "json": {"id": "${item}"}},
        {"method": "post", "request_url": format!("{url}/env"), "name": "env",
         "data": "${env.LDCTL_NOT_SET}"},
        {"method": "get", "request_url": format!("{url}/fine"), "name": "fine",
         "skip_if": "${item}",
         "assertions": [{"type": "not_contains", "value": "${item}"}]},
        {"method": "get", "request_url": format!("{url}/last"), "name": "last",
         "run_if": {"equals": ["${csv.no.x}", "${csv.no.x}"]}},
        // Neither names nor what responses are compared with are sent, and an invalid URL is not.
        {"method": "get", "request_url": format!("{url}/named"), "name": "${csv.no.y}-${nobody}",
         "assertions": [{"type": "not_contains", "value": "${csv.no.z}"}]},
        {"method": "get", "request_url": "${nowhere}/x", "name": "invalid"},
    ]);
    let outcome = Load::once(tasks).run();
    assert_eq!((outcome.errors().len(), outcome.rows.len()), (1, 7));
    assert_eq!((outcome.gaps.requests, outcome.gaps.extractions), (2, 1), "{:?}", outcome.gaps);
    assert_eq!(outcome.gaps.placeholders, ["${env.LDCTL_NOT_SET}", "${item}"]);
    let bodies = target.seen();
    assert!(bodies.iter().any(|request| request.body == br#"{"id": "${item}"}"#));
}

#[test]
fn a_step_that_its_texts_keep_from_being_sent_is_not_counted_for_any_kind_of_user() {
    let check = |user: &str, task: serde_json::Value, counted: u64| {
        let mut load = Load::once(json!([task])).with("user_detail_dict", json!({"user": user}));
        if user == "redis_user" {
            load = load.with("connection", json!({"url": task["name"]}));
        }
        let outcome = load.run();
        assert_eq!(outcome.errors().len(), 1, "{user}");
        assert_eq!(outcome.gaps.requests, counted, "{user}: {:?}", outcome.errors());
    };
    check("fast_http_user", json!({"method": "get", "request_url": "${nowhere}/x"}), 0);
    check("socket_user", json!({"target": "${nowhere}", "payload": "x"}), 0);
    check("websocket_user", json!({"method": "send", "request_url": "${nowhere}"}), 0);
    check("sse_user", json!({"method": "open", "request_url": "${nowhere}"}), 0);
    check("redis_user", json!({"method": "get", "name": "${nowhere}", "key": "k"}), 0);
    // Who could not be reached counts: another time it would have been sent.
    check("fast_http_user", json!({"method": "get", "request_url": "http://127.0.0.1:1/${x}"}), 1);
    check("socket_user", json!({"target": "127.0.0.1:1", "payload": "${x}"}), 1);
    check("websocket_user", json!({"method": "send", "request_url": "ws://127.0.0.1:1/${x}"}), 1);
    check("sse_user", json!({"method": "open", "request_url": "http://127.0.0.1:1/${x}"}), 1);
    check("redis_user", json!({"method": "get", "name": "redis://127.0.0.1:1", "key": "${x}"}), 1);
}

#[test]
fn a_condition_over_a_variable_without_a_value_is_no_warning() {
    let target = fine();
    let tasks = json!([
        {"method": "get", "request_url": target.url(), "skip_if": "${token}"},
        {"method": "get", "request_url": target.url(), "run_if": {"not_equals": ["${token}", "x"]}},
    ]);
    let outcome = Load::once(tasks).run();
    assert_eq!(outcome.rows.len(), 2);
    assert!(!outcome.warnings.iter().any(|text| text.contains("token")), "{:?}", outcome.warnings);
    assert_eq!(outcome.gaps, ldctl::record::Gaps::default());
}

#[test]
fn a_placeholder_in_the_value_of_a_variable_is_sent_as_it_is_and_warned_about() {
    let target = fine();
    let tasks = json!([{"method": "get", "request_url": target.url(), "params": {"k": "${k}"}}]);
    let outcome = Load::once(tasks).with("variables", json!({"k": "${randint(1, 4)}"})).run();
    assert_eq!(target.seen()[0].target, "/?k=%24%7Brandint%281%2C+4%29%7D");
    let warning = "${randint(1, 4)} in the variable \"k\" is used as it is written: values of \
                   variables are not filled in; write it where the variable is used";
    assert!(outcome.warnings.iter().any(|text| text == warning), "{:?}", outcome.warnings);
}

/// How many connections ten requests take, where each is answered in this way.
fn connections_of_ten(respond: &'static [u8], next: Next) -> usize {
    let target = Scripted::start(move |_, wire| {
        wire.write_all(respond)?;
        wire.flush()?;
        Ok(next)
    });
    let task = json!([{"method": "get", "request_url": target.url(),
                       "assertions": [{"type": "contains", "value": "ok"}]}]);
    let outcome = Load::over(task, 10).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(target.seen().len(), outcome.rows.len());
    target.connections() * 10 / outcome.rows.len()
}

#[test]
fn a_connection_is_kept_for_as_long_as_the_target_lets_it() {
    for kept in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=\"y\"\r\nk\r\n0\r\nT: v\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ] {
        assert_eq!(connections_of_ten(kept, Next::Keep), 0, "{}", kept.escape_ascii());
    }
    for closed in [
        &b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"[..],
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok until the end",
        // Nothing was asked for this: whose answer is it?
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ] {
        assert_eq!(connections_of_ten(closed, Next::Close), 10, "{}", closed.escape_ascii());
    }
}

#[test]
fn answers_without_a_body_leave_the_connection_as_it_is() {
    let target = Scripted::start(|request, wire| {
        let head = match (&*request.method, &*request.target) {
            ("HEAD", _) => "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
            (_, "/204") => "HTTP/1.1 204 No Content\r\n\r\n",
            (_, "/304") => "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        };
        wire.write_all(head.as_bytes()).map(|()| Next::Keep)
    });
    let task = |method, path| json!({"method": method, "request_url": target.url() + path});
    let tasks = json!([
        task("head", "/"),
        task("get", "/204"),
        task("get", "/304"),
        task("options", "/"),
        task("head", "/204")
    ]);
    let outcome = Load::once(tasks).run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!((target.seen().len(), target.connections()), (5, 1));
}

#[test]
fn compressed_answers_are_read_as_text() {
    let text = "the text ".repeat(1000);
    let target = {
        let text = text.clone();
        Scripted::start(move |request, wire| {
            let level = flate2::Compression::default();
            let (coding, body) = match &*request.target {
                "/gzip" => {
                    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
                    gzip.write_all(text.as_bytes())?;
                    ("gzip", gzip.finish()?)
                }
                "/deflate" => {
                    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), level);
                    zlib.write_all(text.as_bytes())?;
                    ("deflate", zlib.finish()?)
                }
                // RFC 7932, section 9.2: one uncompressed metablock, "the text ".
                "/br" => ("br", [b"\x0b\x04\x80", "the text ".as_bytes(), b"\x03"].concat()),
                _ => ("rot13", b"gur grkg".to_vec()),
            };
            answer(wire, 200, &[("Content-Encoding", coding)], &body)
        })
    };
    let task = |path| {
        json!({"method": "get", "request_url": target.url() + path, "name": path,
               "assertions": [{"type": "contains", "value": "the text "}]})
    };
    let outcome =
        Load::once(json!([task("/gzip"), task("/deflate"), task("/br"), task("/other")])).run();
    let unknown = "the body cannot be unpacked: its coding \"rot13\" is not supported";
    assert_eq!(outcome.errors(), [unknown]);
    assert_eq!(outcome.error_of("/other"), unknown);
    assert_eq!(outcome.rows[0].bytes, 9000, "a packed body counts as what it holds");
}

#[test]
fn cookies_belong_to_one_user_and_one_host() {
    let turn = AtomicUsize::new(0);
    let target = Scripted::start(move |request, wire| {
        if request.target == "/set" {
            let number = turn.fetch_add(1, Ordering::SeqCst);
            let cookie = format!("id={number}; Path=/");
            return answer(
                wire,
                200,
                &[("Set-Cookie", &cookie), ("Set-Cookie", "x=1; Path=/no")],
                b"",
            );
        }
        answer(wire, 200, &[], b"")
    });
    let task = |base: String, path: &str| json!({"method": "get", "request_url": base + path});
    let outcome = Load::once(json!([
        task(target.url(), "/set"),
        task(target.url(), "/back"),
        task(target.url_by_name(), "/elsewhere"),
    ]))
    .with("user_count", json!(5))
    .until(15)
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    let back = |path: &str| -> Vec<String> {
        let mut cookies: Vec<String> = target
            .seen()
            .iter()
            .filter(|request| request.target == path)
            .map(|request| request.header("Cookie").unwrap_or_default())
            .collect();
        cookies.sort();
        cookies
    };
    assert_eq!(back("/back"), ["id=0", "id=1", "id=2", "id=3", "id=4"]);
    assert_eq!(back("/set"), [""; 5]);
    assert_eq!(back("/elsewhere"), [""; 5]);
}

#[test]
fn a_target_that_sets_ever_new_cookies_is_forgotten_in_time() {
    let turn = AtomicUsize::new(0);
    let target = Scripted::start(move |_, wire| {
        let number = turn.fetch_add(1, Ordering::SeqCst);
        let cookies: Vec<String> =
            (0..60).map(|index| format!("c{number}-{index}={}", "x".repeat(50))).collect();
        let headers: Vec<(&str, &str)> =
            cookies.iter().map(|cookie| ("Set-Cookie", cookie.as_str())).collect();
        answer(wire, 200, &headers, b"")
    });
    let task = json!([{"method": "get", "request_url": target.url()}]);
    assert_eq!(Load::over(task, 40).run().errors(), [""; 0]);
    let longest = target
        .seen()
        .iter()
        .filter_map(|request| request.header("Cookie"))
        .map(|cookie| cookie.len())
        .max();
    assert!(longest.is_some_and(|longest| (1000..32_000).contains(&longest)), "{longest:?}");
}

/// A target that redirects `/to?URL` there.
fn redirecting(status: u16) -> Scripted {
    Scripted::start(move |request, wire| match request.target.strip_prefix("/to?") {
        Some(url) => answer(wire, status, &[("Location", url)], b"moved"),
        None => answer(wire, 200, &[], b"landed"),
    })
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_host() {
    let (here, there) = (redirecting(307), redirecting(307));
    let task = |url: String| {
        json!({"method": "post", "request_url": url, "data": "body",
               "headers": {"Authorization": "Bearer secret", "Cookie": "own=secret", "X-Kept": "1"},
               "cookies": {"c": "secret"}})
    };
    let same_port = format!("{}/to?{}/landed", here.url(), here.url_by_name());
    let outcome = Load::once(json!([
        task(format!("{}/to?/landed", here.url())),
        task(same_port),
        task(format!("{}/to?{}/landed", here.url(), there.url())),
        // Away and back: what was left behind does not come back.
        task(format!("{}/to?{}/to?{}/landed", here.url(), there.url(), here.url())),
    ]))
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    let secrets: Vec<bool> = here
        .seen()
        .iter()
        .map(|request| format!("{:?}", request.headers).contains("secret"))
        .collect();
    assert_eq!(secrets, [true, true, true, false, true, true, false]);
    for request in there.seen() {
        assert!(!format!("{:?}", request.headers).contains("secret"), "{request:?}");
        assert_eq!((request.header("X-Kept").as_deref(), &*request.text()), (Some("1"), "body"));
        assert!(request.header("Host").is_some_and(|host| there.url().ends_with(&host)));
    }
}

#[test]
fn redirects_end() {
    let round = Scripted::start(|_, wire| answer(wire, 302, &[("Location", "/again")], b""));
    let outcome = Load::once(json!([{"method": "get", "request_url": round.url()}])).run();
    assert_eq!(outcome.errors(), ["more than 30 redirects"]);
    assert_eq!(round.seen().len(), 31);
}

#[test]
fn a_redirect_that_leads_nowhere_says_where() {
    let target = redirecting(302);
    let task = |to: &str, name: &str| json!({"method": "get", "request_url": format!("{}/to?{to}", target.url()), "name": name});
    let outcome =
        Load::once(json!([task("ftp://h/x", "scheme"), task("http://[::", "host")])).run();
    assert_eq!(
        outcome.error_of("scheme"),
        "invalid URL \"ftp://h/x\": expected http:// or https://"
    );
    assert_eq!(outcome.error_of("host"), "invalid URL \"http://[::\": invalid IPv6 address");
}

#[test]
fn a_failed_answer_is_kept_where_that_is_asked_for() {
    let target = Scripted::start(|request, wire| {
        let status = if request.target == "/ok" { 200 } else { 500 };
        answer(wire, status, &[], "é".repeat(4000).as_bytes())
    });
    let task = |path| json!({"method": "get", "request_url": target.url() + path});
    let load = || Load::once(json!([task("/ok"), task("/bad")]));
    let outcome = load().with("record_bodies", json!(true)).run();
    assert_eq!(outcome.rows[0].body, None);
    assert_eq!(outcome.rows[1].body.as_deref(), Some(&*"é".repeat(2048)));
    assert_eq!(load().run().rows[1].body, None);
}

#[test]
fn a_task_that_makes_up_names_is_listed_as_written_in_the_end() {
    let target = fine();
    let task = json!([{"method": "get", "request_url": format!("{}/${{uuid()}}", target.url()),
                       "name": "n ${uuid()}"}]);
    let outcome = Load::over(task, 3000).with("user_count", json!(2)).run();
    let mut names: Vec<&str> = outcome.rows.iter().map(|row| row.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.contains(&"n ${uuid()}"), "{} names", names.len());
    assert_eq!(target.seen().len(), outcome.rows.len());
}

#[test]
fn it_speaks_to_ipv6_targets() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let target = Scripted::over("[::1]:0", None, |_, wire| answer(wire, 200, &[], b""));
    let outcome = Load::once(json!([{"method": "get", "request_url": target.url()}])).run();
    assert_eq!(outcome.errors(), [""; 0]);
    let host = target.seen()[0].header("Host").expect("a host");
    assert!(host.starts_with("[::1]:"), "{host}");
}

#[test]
fn an_answer_that_comes_before_the_body_is_read_ends_the_connection() {
    let target = Scripted::start(|request, wire| {
        if request.target == "/early" {
            answer(wire, 413, &[], b"too large")
        } else {
            answer(wire, 200, &[], b"")
        }
    });
    let body = "x".repeat(16 * 1024 * 1024);
    let outcome = Load::once(json!([
        {"method": "post", "request_url": target.url() + "/early", "name": "early", "data": body},
        {"method": "get", "request_url": target.url() + "/next", "name": "next"},
    ]))
    .run();
    assert_eq!(outcome.error_of("early"), "413 Payload Too Large");
    assert_eq!(outcome.rows[1].error, None);
    let seen = target.seen();
    assert_eq!(
        seen.last().map(|request| (&*request.target, request.connection)),
        Some(("/next", 1))
    );
}

#[test]
fn a_connection_that_ends_while_it_waits_is_replaced_without_a_failure() {
    // The target closes after its answer without saying so; the gate answers when it has.
    let target = Scripted::start(|_, wire| answer(wire, 200, &[], b"").map(|_| Next::Close));
    let (closed, turn) = (target.closed(), AtomicUsize::new(0));
    let gate = Scripted::start(move |_, wire| {
        closed.wait_for(turn.fetch_add(1, Ordering::SeqCst) + 1);
        answer(wire, 200, &[], b"")
    });
    let outcome = Load::over(
        json!([{"method": "post", "request_url": target.url()}, {"method": "get", "request_url": gate.url()}]),
        40,
    )
    .run();
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(target.seen().len() + gate.seen().len(), outcome.rows.len());
}

#[test]
fn repeatable_requests_are_repeated_if_a_kept_connection_closes_at_that_moment() {
    // The first request of a connection is answered; the second ends it.
    let first = std::sync::Mutex::new(std::collections::HashSet::new());
    let target = Scripted::start(move |request, wire| {
        if first.lock().unwrap().insert(request.connection) {
            answer(wire, 200, &[], b"")
        } else {
            Ok(Next::Close)
        }
    });
    let task = |method| json!([{"method": method, "request_url": target.url()}]);
    assert_eq!(Load::over(task("get"), 20).run().errors(), [""; 0]);
    let outcome = Load::over(task("post"), 20).run();
    let half = outcome.rows.len() / 2;
    assert_eq!(outcome.errors(), vec!["connection closed before a response"; half]);
}

#[test]
fn users_record_as_many_requests_as_the_target_receives() {
    let target = Scripted::start(|request, wire| match &*request.target {
        "/bad" => answer(wire, 500, &[], b"no"),
        "/close" => answer(wire, 200, &[("Connection", "close")], b"").map(|_| Next::Close),
        "/half" => say(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        _ => answer(wire, 200, &[], b"yes"),
    });
    let task = |path| json!({"method": "get", "request_url": target.url() + path, "name": path});
    let tasks = json!({"mode": "weighted", "tasks": [task("/ok"), task("/bad"), task("/close"), task("/half")]});
    let outcome = Load::over(tasks, 2000).with("user_count", json!(20)).run();
    for path in ["/ok", "/bad", "/close", "/half"] {
        let seen = target.seen().iter().filter(|request| request.target == path).count();
        let kept = outcome.rows.iter().filter(|row| row.name == path).count();
        assert_eq!(seen, kept, "{path}");
    }
    assert_eq!(outcome.error_of("/bad"), "500 Internal Server Error");
    assert_eq!(outcome.error_of("/half"), "connection closed in the middle of a response");
}

#[test]
fn a_request_that_no_server_accepts_is_refused_before_sending() {
    let refusal = |task| Load::once(json!([task])).refusal();
    for (task, why) in [
        (json!({"method": "get"}), "/tasks/0: missing \"request_url\""),
        (
            json!({"method": "brew", "request_url": "http://h/"}),
            "/tasks/0/method: unknown method \"brew\"; expected get, post, put, patch, delete, head or options",
        ),
        (
            json!({"method": "get", "request_url": "http://h:99999/"}),
            "/tasks/0/request_url: invalid URL \"http://h:99999/\": invalid port number",
        ),
        (
            json!({"method": "get", "request_url": "http://h/", "headers": {"a b": "c"}}),
            "/tasks/0/headers/a b: not a valid header name (RFC 9110, section 5.1)",
        ),
        (
            json!({"method": "get", "request_url": "http://h/", "headers": {"a": "b\r\nc: d"}}),
            "/tasks/0/headers/a: expected a header's value without line breaks, got \"b\\r\\nc: d\"",
        ),
        (
            json!({"method": "get", "request_url": "http://h/", "timeout": 0}),
            "/tasks/0/timeout: expected a number above 0, got 0",
        ),
        (
            json!({"method": "get", "request_url": "http://h/", "timeout": 1e9}),
            "/tasks/0/timeout: 1000000000 s exceed the limit of 2592000 s (30 days)",
        ),
        (
            json!({"method": "get", "request_url": "http://h/", "nope": 1}),
            "/tasks/0/nope: unknown field",
        ),
        (
            json!({"method": "get", "request_url": "http://h/", "verify": "none.pem"}),
            "/tasks/0/verify",
        ),
    ] {
        let got = refusal(task);
        assert!(got.contains(why), "{got}");
    }
}

#[test]
fn errors_of_graphql_fail_where_the_task_says_so() {
    let target = Scripted::start(|request, wire| {
        let body = match request.text().contains("broken") {
            true => r#"{"data": null, "errors": [{"message": "no such field"}]}"#,
            false => r#"{"data": {"item": {"id": 7}}}"#,
        };
        answer(wire, 200, &[], body.as_bytes())
    });
    let operation = |query: &str| json!({"query": query, "variables": {"id": "${n}"}});
    let task = |graphql: serde_json::Value| json!({"method": "post", "request_url": "/graphql", "graphql": graphql});
    let mut plain = task(json!(true));
    plain["json"] = json!({"query": "broken"});
    let mut unchecked = task(json!(false));
    unchecked["json"] = json!({"query": "broken"});
    let mut checked = task(operation("query($id: ID) { item(id: $id) { id } }"));
    checked["assertions"] = json!([{"type": "json_path", "path": "data.item.id", "value": 7}]);
    let outcome = Load::once(json!([checked, task(operation("broken")), plain, unchecked]))
        .with("user_detail_dict", json!({"user": "fast_http_user", "host": target.url()}))
        .with("variables", json!({"n": 7}))
        .run();
    let wrong = "GraphQL: no such field";
    let errors: Vec<_> = outcome.rows.iter().map(|row| row.error.as_deref()).collect();
    assert_eq!(errors, [None, Some(wrong), Some(wrong), None]);
    assert_eq!(
        target.seen()[0].text(),
        r#"{"query": "query($id: ID) { item(id: $id) { id } }", "variables": {"id": "7"}}"#
    );
}
