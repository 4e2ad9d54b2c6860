//! Where requests go and what they carry there: cookies, redirects, links, and URLs as documents,
//! files and targets write them.

use serde_json::{Value, json};

use crate::support::{Load, Request, Scripted, answer, say};

/// A target whose paths answer in these bytes after the status line's version; `BASE` is the other
/// target's URL. Any other path answers with an empty 200.
fn saying(paths: &'static [(&str, &[u8])]) -> Scripted {
    Scripted::start(move |request, wire| {
        let path = request.target.split('?').next().unwrap_or_default();
        match paths.iter().find(|(known, _)| *known == path) {
            Some((_, head)) => {
                say(wire, &[b"HTTP/1.1 ", *head, b"Content-Length: 0\r\n\r\n"].concat())
            }
            None => answer(wire, 200, &[], b""),
        }
    })
}

fn get(url: impl Into<String>) -> Value {
    json!({"method": "get", "request_url": url.into()})
}

fn targets(seen: &[Request]) -> Vec<&str> {
    seen.iter().map(|request| &*request.target).collect()
}

/// What each request had in its `Cookie` headers.
fn cookies(seen: &[Request]) -> Vec<String> {
    seen.iter().map(|request| request.header("Cookie").unwrap_or_default()).collect()
}

#[test]
fn cookies_of_every_hop_are_kept_and_go_only_to_their_own_host() {
    let there = Scripted::start(|request, wire| match &*request.target {
        "/in" => answer(
            wire,
            302,
            &[
                ("Location", "/end"),
                ("Set-Cookie", "there=1"),
                ("Set-Cookie", "late=1; path = /end"),
            ],
            b"",
        ),
        _ => answer(wire, 200, &[("Set-Cookie", "end=1; Path=/")], b""),
    });
    let to = there.url_by_name() + "/in";
    let here = Scripted::start(move |request, wire| match &*request.target {
        "/out" => answer(wire, 307, &[("Location", &to), ("Set-Cookie", "here=1")], b""),
        _ => answer(wire, 200, &[], b""),
    });
    let tasks = json!([
        get(here.url() + "/out"),
        get(here.url() + "/back"),
        get(there.url_by_name() + "/end/x"),
    ]);
    assert_eq!(Load::once(tasks).run().errors(), [""; 0]);
    assert_eq!(cookies(&here.seen()), ["", "here=1"]);
    assert_eq!(cookies(&there.seen()), ["", "late=1; there=1", "late=1; there=1; end=1"]);
}

#[test]
fn cookies_come_back_in_their_own_bytes_and_in_one_header() {
    let login: &[u8] = b"200 OK\r\nset-cookie:  name = J\xc3\xb6rg ;HTTPONLY; path=/\r\n\
        SET-COOKIE: raw=\xe9=\"a b\"; Path=/\r\nSet-Cookie: deep=1; Path=/a\r\nSet-Cookie: bare\r\n";
    let target: &'static [(&str, &[u8])] = Box::leak(Box::new([("/login", login)]));
    for user in ["fast_http_user", "http_user"] {
        let target = saying(target);
        let tasks = json!([
            get("/login"),
            get("/a/b"),
            {"method": "get", "request_url": "/a", "cookies": {"own": "\u{fc}", "deep": "2"}},
            {"method": "get", "request_url": "/a", "headers": {"cookie": "mine=1"}},
            {"method": "get", "request_url": "/a", "headers": {"Cookie": "mine=1"}, "cookies": {"x": "1"}},
        ]);
        let load =
            Load::once(tasks).with("user_detail_dict", json!({"user": user, "host": target.url()}));
        assert_eq!(load.run().errors(), [""; 0]);
        let seen = target.seen();
        let (kept, lossy) = ("name=J\u{f6}rg", "raw=\u{fffd}=\"a b\"");
        let jar = format!("deep=1; {kept}; {lossy}; bare");
        assert_eq!(
            cookies(&seen),
            ["", &*jar, &format!("{jar}; own=\u{fffd}; deep=2"), "mine=1", "mine=1"],
        );
    }
}

#[test]
fn the_user_of_a_url_is_the_user_after_a_redirect_within_its_host_alone() {
    let there = Scripted::start(|_, wire| answer(wire, 200, &[], b""));
    let away = there.url() + "/away";
    let here = Scripted::start(move |request, wire| {
        let back = format!("http://{}/b", request.header("Host").unwrap_or_default());
        match &*request.target {
            "/relative" => answer(wire, 302, &[("Location", "b")], b""),
            "/absolute" => answer(wire, 302, &[("Location", &back)], b""),
            "/away" => answer(wire, 302, &[("Location", &away)], b""),
            _ => answer(wire, 200, &[], b""),
        }
    });
    let base = here.url().replace("//", "//us%40er:pw@");
    let tasks = ["/relative", "/absolute", "/away"].map(|path| get(format!("{base}{path}")));
    assert_eq!(Load::once(json!(tasks)).run().errors(), [""; 0]);
    let seen = here.seen();
    assert_eq!(targets(&seen), ["/relative", "/b", "/absolute", "/b", "/away"]);
    for request in seen {
        assert_eq!(request.header("Authorization").as_deref(), Some("Basic dXNAZXI6cHc="));
    }
    assert_eq!(there.seen()[0].header("Authorization"), None);
}

#[test]
fn a_location_is_asked_for_in_its_own_bytes() {
    const TO: &[(&str, &[u8])] = &[
        ("/utf8", b"302 Found\r\nLocation: /caf\xc3\xa9?\xc3\xa9\r\n"),
        ("/latin", b"302 Found\r\nLocation: /caf\xe9?\xe9\r\n"),
        ("/escapes", b"302 Found\r\nlocation: /%2F%c3%A9%20?q=%26+%c3\r\n"),
        ("/dir/relative", b"302 Found\r\nLocation: ../to/./x#frag?y\r\n"),
        ("/dir/query", b"302 Found\r\nLocation: ?q=1#frag\r\n"),
        ("/blanks", b"302 Found\r\nLocation: \t /a b \r\n"),
        ("/backslash", b"302 Found\r\nLocation: \\\\127.0.0.1:1\\x\r\n"),
        ("/scheme", b"302 Found\r\nLocation: http:/old\r\n"),
    ];
    for user in ["fast_http_user", "http_user"] {
        let target = saying(TO);
        let tasks: Vec<Value> = TO
            .iter()
            .filter(|(path, _)| *path != "/dir/query")
            .map(|(path, _)| get(*path))
            .collect();
        let load = Load::once(json!(tasks))
            .with("user_detail_dict", json!({"user": user, "host": target.url()}));
        assert_eq!(load.run().errors(), [""; 0]);
        let landed: Vec<String> =
            target.seen().into_iter().skip(1).step_by(2).map(|request| request.target).collect();
        let slashes = "/%5C%5C127.0.0.1:1%5Cx";
        let (utf8, latin) = ("/caf%C3%A9?%C3%A9", "/caf%E9?%E9");
        let escapes = "/%2F%c3%A9%20?q=%26+%c3";
        assert_eq!(landed, [utf8, latin, escapes, "/to/x", "/a%20b", slashes, "/old"]);
    }
}

/// A page that names its link in a header.
fn linking(link: &'static str) -> Scripted {
    Scripted::start(move |request, wire| match &*request.target {
        "/first" => answer(wire, 302, &[("Location", "/dir/page?1")], b""),
        "/dir/page?1" => answer(wire, 200, &[("X-Link", link)], b""),
        _ => answer(wire, 200, &[], b""),
    })
}

#[test]
fn a_link_out_of_a_response_is_followed_on_the_page_it_came_from() {
    for (link, want) in [
        ("/next", "/next"),
        ("next?a", "/dir/next?a"),
        ("../next", "/next"),
        ("?2", "/dir/page?2"),
        ("BASE/next", "/next"),
    ] {
        // The document's host is another one, where nothing listens.
        let (target, far) = (linking(link), "http://127.0.0.1:9");
        let (written, params) = match link.strip_prefix("BASE") {
            Some(rest) => (target.url() + rest, json!({})),
            None => ("${link}".to_owned(), json!({"p": "1"})),
        };
        let tasks = json!([
            {"method": "get", "request_url": target.url() + "/first",
             "extract": [{"var": "link", "from": "header", "name": "X-Link"}]},
            {"method": "get", "request_url": written, "params": params},
        ]);
        let load =
            Load::once(tasks).with("user_detail_dict", json!({"user": "http_user", "host": far}));
        assert_eq!(load.run().errors(), [""; 0], "{link}");
        let want = match written.starts_with('$') {
            true => format!("{want}{}p=1", if want.contains('?') { "&" } else { "?" }),
            false => want.to_owned(),
        };
        assert_eq!(targets(&target.seen()), ["/first", "/dir/page?1", &*want]);
    }
}

#[test]
fn blanks_around_a_url_are_left_out_and_others_never_change_its_host() {
    let (target, other) = (linking(""), linking(""));
    let host = target.url();
    let port = other.url().rsplit(':').next().map(str::to_owned).unwrap_or_default();
    let rows = [
        ("path", " /a ".to_owned()),
        ("url", format!(" {host}/b\t")),
        ("line", format!("{host}\n.localhost:{port}/c")),
        ("backslash", format!("{host}\\@127.0.0.1:{port}/d")),
        ("blank", format!("{host} @127.0.0.1:{port}/e")),
        ("port", format!("127.0.0.1:{port}/f")),
    ];
    let mut tasks = vec![get(format!(" {host}/x")), get("\n/y \t")];
    let mut load_variables = json!({});
    for (name, value) in &rows {
        load_variables[name] = json!(value);
        tasks.push(json!({"method": "get", "request_url": format!("${{{name}}}"), "name": name}));
    }
    let load = Load::once(json!(tasks))
        .with("user_detail_dict", json!({"user": "http_user", "host": format!(" {host} ")}));
    let outcome = load.with("variables", load_variables).run();
    assert_eq!(targets(&target.seen()), ["/x", "/y", "/a", "/b"]);
    assert_eq!(other.seen().len(), 0);
    let failed: Vec<&str> =
        outcome.rows.iter().filter(|row| row.error.is_some()).map(|row| &*row.name).collect();
    assert_eq!(failed, ["line", "backslash", "blank", "port"]);
    for name in failed {
        assert!(outcome.error_of(name).starts_with("invalid URL \""), "{}", outcome.error_of(name));
    }
}

#[test]
fn a_request_of_http_user_without_a_name_is_known_by_its_path_and_query() {
    let target = linking("");
    let names = |user: &str| {
        let tasks = json!([
            get(target.url() + "/checkout"),
            get("/${v}/./\u{e9}#top"),
            {"method": "get", "request_url": "?q=1", "params": {"b": "x y"}},
            {"method": "get", "request_url": "/named", "name": "given"},
        ]);
        let load =
            Load::once(tasks).with("user_detail_dict", json!({"user": user, "host": target.url()}));
        let outcome = load.with("variables", json!({"v": "a b"})).run();
        assert_eq!(outcome.errors(), [""; 0]);
        outcome.rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!(names("http_user"), ["/checkout", "/a%20b/%C3%A9", "/?q=1&b=x+y", "given"]);
    let whole = target.url() + "/checkout";
    for user in ["fast_http_user", "async_http_user"] {
        assert_eq!(names(user), [&*whole, "/${v}/./\u{e9}#top", "?q=1", "given"]);
    }
}
