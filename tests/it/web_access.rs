//! Who may do what over HTTP: tokens, sessions, origins, hosts, and clients that are hostile or slow.

use std::io::{Read, Write};

use serde_json::json;

use crate::endings::endless;
use crate::support::web::{Answer, Asked, Door, asked, exchange, get, post};
use crate::support::{Authority, Target, ldctl, signal};
use crate::web::{start, wait_for};

const TOKEN: Option<&str> = Some("s3cret");

/// The requests of the API and the pages that need the token.
fn guarded() -> Vec<Asked> {
    let document = r#"[["LD_summary"]]"#;
    vec![
        post("/api/v1/runs", document),
        get("/api/v1/runs"),
        get("/api/v1/runs/1"),
        get("/api/v1/runs/1/events"),
        post("/api/v1/runs/1/stop", ""),
        get("/api/v1/runs/1/report.html"),
        get("/api/v1/runs/1/summary.json"),
        get("/api/v1/runs/1/junit.xml"),
        get("/api/v1/runs/1/records.csv"),
        get("/api/v1/runs/1/document.json"),
        get("/api/v1/runs/1/compare/2.html"),
        post("/api/v1/lint", document),
        post("/api/v1/links", r#"{"path": "/"}"#),
        get("/api/v1/openapi.json"),
    ]
}

#[test]
fn t80_without_the_token_there_is_nothing_but_the_login() {
    let door = Door::open(&[], TOKEN);
    for asked in guarded() {
        let answer = door.ask_bare(&asked);
        let (status, kind, message) = answer.error();
        assert_eq!((status, kind.as_str()), (401, "token-required"), "{asked:?}");
        assert_eq!(
            (message.as_str(), answer.header("www-authenticate").as_str()),
            ("token required", "Bearer")
        );
    }
    assert_eq!(door.ask_bare(&get("/open/guess")).status, 410);
    for (path, login) in [("/", "/login?to=%2F"), ("/runs/3?x=1", "/login?to=%2Fruns%2F3%3Fx%3D1")]
    {
        let answer = door.ask_bare(&get(path));
        assert_eq!((answer.status, answer.header("location").as_str()), (303, login));
    }
    let form = door.ask_bare(&get("/login?to=/runs/3")).text();
    assert!(form.contains(r#"name="to" value="/runs/3""#) && form.contains(r#"type="password""#));
    assert_eq!(door.ask(get("/api/v1/runs")).json(), json!({"runs": []}), "nothing was run");
}

#[test]
fn t81_every_wrong_token_gets_the_same_bytes_and_counts_as_on_the_socket() {
    let door = Door::open(&[], TOKEN);
    let answers: Vec<Answer> = ["Bearer x", "Bearer s3cre", "Bearer s3cret2", "bearer S3CRET"]
        .into_iter()
        .map(|value| door.ask_bare(&get("/api/v1/runs").header("Authorization", value)))
        .collect();
    for answer in &answers {
        let (status, kind, message) = answer.error();
        assert_eq!(
            (status, kind.as_str(), message.as_str()),
            (401, "unauthorised", "unauthorised")
        );
        assert_eq!(answer.body, answers[0].body);
    }
    let wrong = door.ask_bare(&post("/login", "token=wrong&to=/"));
    assert_eq!((wrong.status, wrong.header("set-cookie").as_str()), (401, ""));
    // No token at all, or one in another scheme, is no guess.
    door.ask_bare(&get("/api/v1/runs").header("Authorization", "Basic czNjcmV0"));
    let port = door.server.port();
    let pinged = ldctl().args(["ping", "--output", "json", "--port", &port]);
    let pinged = pinged.env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret").output().expect("it");
    let pinged = String::from_utf8(pinged.stdout).expect("UTF-8");
    assert!(pinged.contains(r#""auth_failures":5"#), "{pinged}");
    assert_eq!(door.ask(get("/api/v1/runs")).status, 200, "never locked out from this machine");
}

/// Logs in: the cookie as browsers send it.
fn log_in(door: &Door) -> String {
    let answer = door.ask_bare(&post("/login", "token=s3cret&to=/runs/1"));
    assert_eq!((answer.status, answer.header("location").as_str()), (303, "/runs/1"));
    let cookie = answer.header("set-cookie");
    cookie.split(';').next().expect("a cookie").to_owned()
}

#[test]
fn t83_a_browser_is_logged_in_until_it_logs_out_the_token_changes_or_the_server_ends() {
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("token");
    let write = |token: &str| {
        std::fs::write(&file, token).expect("a file");
        crate::support::make_private(&file);
    };
    write("s3cret");
    let path = file.display().to_string();
    let door = Door::open(&["--token-file", &path], None);
    let (first, second) = (log_in(&door), log_in(&door));
    let status = |door: &Door, cookie: &str| {
        door.ask_bare(&get("/api/v1/runs").header("Cookie", &format!("a=b; {cookie}"))).status
    };
    assert_eq!((status(&door, &first), status(&door, &second)), (200, 200));
    assert_eq!(status(&door, "ldctl-1=x"), 401);
    let out = door.ask_bare(&post("/logout", "").header("Cookie", &second));
    assert_eq!(out.header("location"), "/login");
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
    assert_eq!((status(&door, &first), status(&door, &second)), (200, 401));
    write("other");
    signal("HUP", door.server.id());
    door.server.talk_with("reloaded the token");
    assert_eq!(status(&door, &first), 401);
    write("s3cret");
    let other = Door::open(&["--token-file", &path], None);
    let name = first.split('=').next().expect("a name").to_owned();
    let renamed = first.replace(&name, &format!("ldctl-{}", other.address().port()));
    assert_eq!(status(&other, &renamed), 401, "another server knows no session of the first");
}

#[test]
fn t84_a_request_that_names_another_host_is_refused() {
    let door = Door::open(&["--web-host", "bench.example"], None);
    let port = door.address().port();
    for (host, status) in [
        (format!("localhost:{port}"), 200),
        ("bench.example".to_owned(), 200),
        (format!("evil.example:{port}"), 421),
        ("127.0.0.1".to_owned(), 421),
        (String::new(), 421),
    ] {
        let answer = door.ask_bare(&get("/api/v1/runs").host(&host));
        assert_eq!(answer.status, status, "{host}: {}", answer.text());
    }
    let (_, kind, _) = door.ask_bare(&get("/api/v1/runs").host("evil.example")).error();
    assert_eq!(kind, "misdirected");
    // No host at all, in either version.
    for version in ["1.0", "1.1"] {
        let request = format!("GET /api/v1/runs HTTP/{version}\r\nConnection: close\r\n\r\n");
        let answer = exchange(door.connect(), request.as_bytes());
        assert!((400..=421).contains(&answer.status), "{answer:?}");
    }
}

#[test]
fn t85_a_page_of_another_site_starts_and_stops_nothing() {
    let (target, door) = (Target::start(), Door::open(&[], None));
    let run = start(&door, &endless(&target));
    let (own, document) = (format!("http://{}", door.host), r#"[["LD_summary"]]"#);
    for (name, value, status) in [
        ("Origin", "http://evil.example", 403),
        ("Origin", "null", 403),
        ("Origin", "http://127.0.0.1:1", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Origin", own.as_str(), 202),
        ("X-Nothing", "x", 202),
    ] {
        let answer = door.ask(post("/api/v1/runs", document).header(name, value));
        assert_eq!(answer.status, status, "{name} {value}: {}", answer.text());
        if status == 403 {
            let stop = post(&format!("/api/v1/runs/{run}/stop"), "").header(name, value);
            assert_eq!(door.ask(stop).error().1, "forbidden");
            assert_eq!(door.ask(post("/login", "token=x").header(name, value)).status, 403);
        }
    }
    let running = door.ask(get("/api/v1/runs?state=running")).json();
    let running = running["runs"].as_array().expect("a list").iter();
    assert!(running.map(|one| &one["run"]).any(|number| *number == run), "it goes on");
    assert_eq!(door.ask(get("/api/v1/runs")).json()["runs"].as_array().map(Vec::len), Some(3));
}

#[test]
fn t85_a_cookie_changes_something_only_with_our_origin() {
    let door = Door::open(&[], TOKEN);
    let cookie = log_in(&door);
    let post = || post("/api/v1/runs", r#"[["LD_summary"]]"#).header("Cookie", &cookie);
    let own = format!("http://{}", door.host);
    assert_eq!(door.ask_bare(&post()).error().1, "forbidden");
    assert_eq!(door.ask_bare(&post().header("Origin", "http://evil.example")).status, 403);
    assert_eq!(door.ask_bare(&post().header("Origin", &own)).status, 202);
    // A token is no cookie: no page of another site has it.
    assert_eq!(door.ask(post()).status, 202);
}

#[test]
fn t85_forms_say_where_they_come_from_without_tls_and_beyond_loopback_too() {
    let (target, door) = (Target::start(), Door::open(&[], TOKEN));
    let run = start(&door, &endless(&target));
    // A page that says nothing of itself posts the origin `null`, and only secure ones and those of
    // loopback say more (Sec-Fetch-Site).
    for path in ["/login", "/", &format!("/runs/{run}")] {
        let page = door.ask(get(path)).text();
        let (head, body) = page.split_once("<body>").expect("a body");
        assert!(head.contains(r#"<meta name="referrer" content="same-origin">"#), "{path}: {head}");
        assert!(body.contains(r#"method="post""#), "{path}: {body}");
    }
    let login =
        |origin: &str| door.ask_bare(&post("/login", "token=s3cret").header("Origin", origin));
    assert_eq!(login(&format!("http://{}", door.host)).status, 303);
    assert_eq!(login("null").status, 403);
}

#[test]
fn t86_over_tls_a_cookie_never_leaves_it() {
    let authority = Authority::new();
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let door = Door::open(&["--tls-cert", &cert, "--tls-key", &key], TOKEN);
    let ca = authority.file("ca.pem");
    let answer = door.ask_tls(&post("/login", "token=s3cret"), &ca);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let cookie = answer.header("set-cookie");
    let port = door.address().port();
    assert!(cookie.starts_with(&format!("__Host-ldctl-{port}=")), "{cookie}");
    for flag in ["; Path=/", "; Max-Age=43200", "; HttpOnly", "; SameSite=Strict", "; Secure"] {
        assert!(cookie.contains(flag), "{flag}: {cookie}");
    }
    let cookie = cookie.split(';').next().expect("a cookie");
    let answer = door.ask_tls(&get("/api/v1/runs").header("Cookie", cookie), &ca);
    assert_eq!(answer.status, 200);
    // Without TLS there is nothing.
    let mut stream = door.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("a door");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert!(!String::from_utf8_lossy(&bytes).contains("ok"), "{bytes:?}");
}

#[test]
fn t88_no_response_is_framed_kept_sniffed_or_runs_what_it_shows() {
    let door = Door::open(&[], None);
    let all = [
        get("/"),
        get("/login"),
        get("/nothing"),
        get("/api/v1/runs"),
        get("/api/v1/runs/9"),
        get("/healthz"),
        get("/").host("evil.example"),
        asked("PUT", "/"),
        post("/api/v1/runs", "x"),
    ];
    for asked in all {
        let answer = door.ask_bare(&asked);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{asked:?}");
        }
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{asked:?}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[test]
fn t89_no_trick_with_a_path_leads_to_another_request() {
    let door = Door::open(&[], TOKEN);
    for path in [
        "/healthz/../api/v1/runs",
        "/healthz/%2e%2e/api/v1/runs",
        "/login/../runs/1",
        "//api/v1/runs",
        "/api//v1/runs",
        "/API/v1/runs",
        "/api/v1/runs/",
        "/api/v1/runs/%31%2Fevents",
        "/api/v1/runs/1%00",
        "/api/v1/runs/../../../etc/passwd",
        "/api/v1/runs/%ff",
        "/api/v1/runs/1;a=b",
        "/api/v1/runs/+1",
        "/api/v1/runs/18446744073709551616",
    ] {
        let bare = door.ask_bare(&get(path)).status;
        assert!(matches!(bare, 401 | 404), "{path}: {bare}");
        assert_eq!(door.ask(get(path)).status, 404, "{path}");
    }
    // A whole URL as the path, for this host and for another.
    let own = format!("http://{}/api/v1/runs", door.host);
    assert_eq!(door.ask(get(&own)).status, 200);
    assert_eq!(door.ask(get("http://evil.example/api/v1/runs")).status, 421);
}

#[test]
fn t90_floods_of_headers_and_long_heads_are_refused() {
    let door = Door::open(&[], None);
    let many = (0..200)
        .fold(get("/api/v1/runs"), |asked, number| asked.header(&format!("X-{number}"), "x"));
    let long = get("/api/v1/runs").header("X", &"x".repeat(64 * 1024));
    let path = get(&format!("/api/v1/runs?{}", "x".repeat(64 * 1024)));
    for asked in [many, long, path] {
        let status = door.ask_bare(&asked).status;
        assert!(matches!(status, 400 | 414 | 431), "{status}");
    }
    assert_eq!(door.ask(get("/api/v1/runs")).status, 200);
}

#[test]
fn t90_a_request_that_is_never_complete_ends_at_the_deadline() {
    let door = Door::open(&["--request-timeout", "0.5"], None);
    // Nothing, half of a head, half of a body, and a body without end.
    let head = format!("POST /api/v1/runs HTTP/1.1\r\nHost: {}\r\n", door.host);
    for begin in ["", "GET /", &head] {
        let mut stream = door.connect();
        stream.write_all(begin.as_bytes()).expect("a door");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("it is closed");
        assert!(!bytes.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&bytes));
    }
    let half = format!("{head}Content-Length: 100\r\nConnection: close\r\n\r\n[1");
    let (status, kind, message) = exchange(door.connect(), half.as_bytes()).error();
    assert_eq!((status, kind.as_str()), (408, "timeout"), "{message}");
    let endless = format!("{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    let chunks = "10000\r\n".to_owned() + &"x".repeat(0x10000) + "\r\n";
    let bytes = endless + &chunks.repeat(64);
    assert_eq!(exchange(door.connect(), bytes.as_bytes()).status, 413);
    assert_eq!(door.ask(get("/api/v1/runs")).json(), json!({"runs": []}));
}

#[test]
fn t91_a_link_logs_a_browser_in_once() {
    let door = Door::open(&[], TOKEN);
    let made = door.ask(post("/api/v1/links", r#"{"path": "/api/v1/runs?limit=3"}"#));
    assert_eq!((made.status, made.json()["expires_s"].as_f64()), (200, Some(60.0)));
    let url = made.json()["url"].as_str().expect("a URL").to_owned();
    let path = url.strip_prefix(&format!("http://{}", door.host)).expect("a path of the door");
    let opened = door.ask_bare(&get(path));
    assert_eq!(opened.status, 200);
    assert_eq!(opened.header("refresh"), "0;url=/api/v1/runs?limit=3");
    let cookie = opened.header("set-cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a cookie");
    assert_eq!(door.ask_bare(&get("/api/v1/runs").header("Cookie", cookie)).status, 200);
    let again = door.ask_bare(&get(path));
    assert_eq!((again.status, again.header("set-cookie").as_str()), (410, ""));
    for body in [r#"{"path": "//evil.example"}"#, r#"{"path": "https://evil.example"}"#, "{}", "x"]
    {
        let refused = door.ask(post("/api/v1/links", body));
        assert_eq!(refused.status, 400, "{body}: {}", refused.text());
    }
}

#[test]
fn t91_the_link_of_ldctl_open_leads_to_its_run_and_is_on_no_command_line() {
    let door = Door::open(&[], TOKEN);
    start(&door, r#"[["LD_summary"]]"#);
    let port = door.server.port();
    let open = |args: &[&str]| {
        let mut command = ldctl().args(["open", "--port", &port]).args(args);
        command = command.env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret");
        String::from_utf8(command.assert().code(0).get_output().stdout.clone()).expect("UTF-8")
    };
    let url = open(&["1"]);
    let path = url.trim().strip_prefix(&format!("http://{}", door.host)).expect("a path");
    let opened = door.ask_bare(&get(path));
    assert_eq!((opened.status, opened.header("refresh").as_str()), (200, "0;url=/runs/1"));
    let json: serde_json::Value = serde_json::from_str(&open(&["--output", "json"])).expect("JSON");
    assert!(json["url"].as_str().is_some_and(|url| url.contains("/open/")), "{json}");
    let refused = |port: &str, run: &str| {
        let mut command = ldctl().args(["open", "--port", port, run]);
        command = command.env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret");
        String::from_utf8(command.assert().code(1).get_output().stderr.clone()).expect("UTF-8")
    };
    let stderr = refused(&port, "7");
    assert!(stderr.contains("unknown run 7; `ldctl runs` lists them"), "{stderr}");
    let other = crate::support::Server::start(&[], TOKEN);
    let stderr = refused(&other.port(), "1");
    assert!(stderr.contains("this server does not serve browsers"), "{stderr}");
}

#[test]
fn t92_texts_of_documents_are_texts_on_pages_and_in_replies() {
    let door = Door::open(&[], None);
    let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let name: String = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect();
    let document = json!([[hostile, {"a": hostile}]]).to_string();
    let run = door.ask(post(&format!("/api/v1/runs?name={name}"), &document));
    assert_eq!(run.status, 202, "{}", run.text());
    wait_for(&door, 1, "failed");
    for path in ["/", "/runs/1"] {
        let page = door.ask(get(path)).text();
        assert!(page.contains("&lt;script&gt;alert(1)"), "{path}: {page}");
        assert!(!page.contains("<script>") && !page.contains("<img"), "{path}: {page}");
    }
    let login = door.ask_bare(&get(&format!("/login?to=/{name}"))).text();
    assert!(!login.contains("<script") && !login.contains("<img"), "{login}");
    let look = door.ask(get("/api/v1/runs/1"));
    assert_eq!(look.header("content-type"), "application/json");
    assert_eq!(look.json()["name"], hostile);
}

#[test]
fn t80_beyond_loopback_the_door_needs_a_token() {
    let refused = ldctl().args(["serve", "--port", "0", "--web", "0.0.0.0:0"]).assert().code(2);
    let stderr = String::from_utf8(refused.get_output().stderr.clone()).expect("UTF-8");
    assert!(
        stderr.contains("--web 0.0.0.0 is open to the network and there is no token"),
        "{stderr}"
    );
    let taken = Door::open(&[], None);
    let args = ["serve", "--port", "0", "--web", &taken.host];
    let refused = ldctl().args(args).assert().code(2);
    let stderr = String::from_utf8(refused.get_output().stderr.clone()).expect("UTF-8");
    assert!(stderr.contains(&format!("--web {}", taken.host)), "{stderr}");
}

#[test]
fn t59_the_web_door_is_no_target_of_the_servers_own_tests() {
    let door = Door::open(&[], None);
    let document = json!([["LD_start_test", {
        "user_detail_dict": {"user": "fast_http_user", "host": format!("http://{}", door.host)},
        "user_count": 1, "spawn_rate": 1, "test_time": 1, "tasks": [{"method": "get", "request_url": "/healthz"}]}]]);
    let run = start(&door, &document.to_string());
    wait_for(&door, run, "failed");
    let shown = door.ask(get(&format!("/api/v1/runs/{run}"))).text();
    assert!(shown.contains("own port") || shown.contains("this server"), "{shown}");
}
