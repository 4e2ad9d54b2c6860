//! Passwords in URLs and requests go to the target and nowhere else: a document puts them in every
//! place where they may stand, writes every file there is, and all of it is searched. And the files
//! are for their owner alone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::support::{Scripted, answer};

/// In every secret of the document.
const SECRET: &str = "Xpw0rd7q";

/// What an output may not hold: the secret, also reversed by Base64 at any of its three places.
fn forms() -> Vec<String> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let mut forms = vec![SECRET.to_owned()];
    for before in ["", "x", "xx"] {
        let encoded = STANDARD.encode(format!("{before}{SECRET}"));
        forms.push(encoded[4..encoded.len() - 4].to_owned());
    }
    forms
}

fn assert_clean(bytes: &[u8], place: &str) {
    for form in forms() {
        let found = memchr::memmem::find(bytes, form.as_bytes());
        let around = found.map(|at| &bytes[at.saturating_sub(60)..bytes.len().min(at + 30)]);
        let around = around.map(String::from_utf8_lossy);
        assert_eq!(around, None, "{form} in {place}");
    }
}

/// Gives back what it was sent, as services for trying requests do, and fails the checks.
fn echo() -> Scripted {
    Scripted::start(|request, wire| {
        let headers: serde_json::Map<_, _> = request
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        let shown = serde_json::json!({
            "headers": headers, "url": format!("http://h{}", request.target), "data": request.text(),
        });
        answer(wire, 500, &[], shown.to_string().as_bytes())
    })
}

fn port_of(target: &Scripted) -> u16 {
    target.url().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

/// A task for every place of a secret.
fn tasks(port: u16) -> String {
    let (host, refused) = (format!("127.0.0.1:{port}"), "127.0.0.1:1");
    [
        format!(r#"{{"method": "get", "request_url": "http://user:{SECRET}@{host}/a"}}"#),
        format!(r#"{{"method": "get", "request_url": "http://{SECRET}@{host}/a"}}"#),
        format!(r#"{{"method": "get", "request_url": "http://user:{SECRET}@{refused}/a"}}"#),
        format!(r#"{{"method": "get", "request_url": "http://user:{SECRET}@169.254.169.254/"}}"#),
        r#"{"method": "get", "request_url": "${var.url}/filled"}"#.to_owned(),
        r#"{"method": "get", "request_url": "${var.broken}"}"#.to_owned(),
        format!(
            r#"{{"method": "get", "request_url": "http://{host}/a?access_token={SECRET}&b=1"}}"#
        ),
        r#"{"method": "get", "request_url": "/b?token=${var.secret}"}"#.to_owned(),
        format!(r#"{{"method": "get", "request_url": "/c", "params": {{"api_key": "{SECRET}"}}}}"#),
        format!(
            r#"{{"method": "get", "request_url": "/d", "name": "GET http://u:{SECRET}@{host}/"}}"#
        ),
        format!(
            r#"{{"method": "get", "request_url": "/e",
                "auth": {{"type": "basic", "username": "user", "password": "{SECRET}"}}}}"#
        ),
        format!(
            r#"{{"method": "get", "request_url": "/f",
                "auth": {{"type": "digest", "username": "user", "password": "{SECRET}"}}}}"#
        ),
        format!(
            r#"{{"method": "get", "request_url": "/g",
                "headers": {{"Authorization": "Bearer {SECRET}", "X-Api-Key": "{SECRET}"}}}}"#
        ),
        format!(
            r#"{{"method": "get", "request_url": "/h", "cookies": {{"session": "{SECRET}"}}}}"#
        ),
        format!(r#"{{"method": "post", "request_url": "/i", "json": {{"password": "{SECRET}"}}}}"#),
        format!(r#"{{"method": "post", "request_url": "/j", "data": {{"password": "{SECRET}"}}}}"#),
        format!(
            r#"{{"method": "get", "request_url": "/k",
                "assertions": [{{"type": "contains", "value": "http://u:{SECRET}@h/"}}]}}"#
        ),
        format!(
            r#"{{"method": "get", "request_url": "/l", "proxy": "http://user:{SECRET}@{refused}"}}"#
        ),
    ]
    .join(", ")
}

fn document(port: u16) -> String {
    let tasks = tasks(port);
    format!(
        r#"[
        ["LD_start_prometheus_exporter", {{"port": 0}}],
        ["LD_start_test", {{
            "user_detail_dict": {{"user": "fast_http_user", "host": "http://user:{SECRET}@127.0.0.1:{port}"}},
            "user_count": 1, "spawn_rate": 100, "test_time": 1, "wait_time": 0.01,
            "record_bodies": true, "tasks": [{tasks}],
            "variables": {{"secret": "{SECRET}", "url": "http://user:{SECRET}@127.0.0.1:{port}",
                "broken": "http://user:{SECRET} x/y@h/"}}}}],
        ["LD_start_test", {{"user_detail_dict": {{"user": "socket_user", "host": "user:{SECRET}@127.0.0.1:1"}},
            "user_count": 1, "test_time": 1, "tasks": [{{"payload": "x"}}]}}],
        ["LD_start_test", {{"user_detail_dict": {{"user": "http://user:{SECRET}@h/"}}, "tasks": []}}],
        ["LD_start_test", {{"user_detail_dict": {{}},
            "tasks": [{{"method": "get", "request_url": "/", "auth": ["user", "{SECRET}"]}}]}}],
        ["http://user:{SECRET}@h/", {{"password": "{SECRET}"}}],
        ["LD_lint_action", [[["LD_start_test", {{"tasks": [{{"request_url": "http://u:{SECRET}@h/"}}]}}]]]],
        ["LD_start_influxdb_sink", {{"transport": "http", "url": "http://u:{SECRET}@127.0.0.1:1/?token={SECRET}",
            "token": "{SECRET}"}}],
        ["LD_post_slack_summary", ["http://u:{SECRET}@127.0.0.1:{port}/services/{SECRET}"]],
        ["LD_post_teams_summary", ["http://127.0.0.1:1/{SECRET}"]],
        ["LD_post_pagerduty_event", {{"routing_key": "{SECRET}", "api_url": "http://127.0.0.1:{port}/{SECRET}"}}],
        ["LD_post_opsgenie_alert", {{"api_key": "{SECRET}", "api_url": "http://127.0.0.1:{port}/"}}],
        ["LD_post_gitlab_mr_summary", ["p", 1, "{SECRET}", null, "http://127.0.0.1:{port}/{SECRET}"]],
        ["LD_post_slack_summary", {{"webhook_url": ["{SECRET}"]}}],
        ["LD_post_pagerduty_event", {{"routing_key": ["{SECRET}"]}}],
        ["LD_verify_share_link", ["a.b", "{SECRET}"]],
        ["LD_assert_sla", [[{{"type": "failure_rate", "value": 0, "name": "GET http://u:{SECRET}@127.0.0.1/"}}]]],
        ["LD_generate_html_report", ["out"]], ["LD_generate_json_report", ["out"]],
        ["LD_generate_xml_report", ["out"]], ["LD_generate_csv_report", ["out"]],
        ["LD_generate_summary_report", ["sum"]], ["LD_generate_junit_report", ["junit"]],
        ["LD_persist_records", ["runs.db", "http://u:{SECRET}@h/", {{"password": "{SECRET}"}}]],
        ["LD_list_runs", ["runs.db"]], ["LD_fetch_run_records", ["runs.db", 1]],
        ["LD_generate_html"], ["LD_generate_json"], ["LD_generate_xml"], ["LD_summary"]
    ]"#
    )
}

/// What the exporter of a server publishes.
fn scraped(reply: &str) -> String {
    let port = reply.lines().find_map(|line| {
        let result: serde_json::Value = serde_json::from_str(line).ok()?;
        let exporter = result["command"] == "LD_start_prometheus_exporter";
        result["value"].as_u64().filter(|_| exporter)
    });
    let port = u16::try_from(port.expect("the exporter's port")).expect("a port");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the exporter");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a scrape");
    text
}

fn output(mut command: std::process::Command) -> String {
    let (_, stdout, stderr) = Running::of(command.stdin(Stdio::null())).end();
    [stdout, stderr].concat().join("\n")
}

#[test]
fn t53_no_output_and_no_file_shows_the_passwords_of_requests() {
    let echo = echo();
    let port = port_of(&echo);
    let data = tempfile::tempdir().expect("a directory");
    let place = data.path().display().to_string();
    let mut serve = program(&["serve", "-vv", "--port", "0", "--data-dir", &place]);
    serve.env("http_proxy", format!("http://user:{SECRET}@127.0.0.1:1"));
    let serve = Server::listening(Running::of(serve.stdin(Stdio::null())));
    let document = document(port);
    let send = |arguments: &[&str]| {
        let mut send =
            program(&["send", "--no-check", "-vv", "--port", &serve.port(), "--json", &document]);
        send.args(arguments);
        output(send)
    };
    let reply = send(&["--output", "json"]);
    let asked = echo.seen();
    let sent = format!("{asked:?}");
    assert!(sent.contains(SECRET) && sent.contains(&forms()[1]), "the target gets them: {reply}");
    let page = scraped(&reply);
    assert!(page.contains("[redacted]"), "{page}");
    assert_clean(page.as_bytes(), "the exporter");
    assert_clean(reply.as_bytes(), "the reply");
    assert!(reply.contains("\"errors\""), "{reply}");
    assert_clean(send(&[]).as_bytes(), "the reply as text");
    assert_clean(send(&["--legacy"]).as_bytes(), "the reply of a legacy request");
    assert_clean(send(&["--quiet"]).as_bytes(), "the errors on stderr");
    let local = data.path().join("local.json");
    fs::write(&local, &document).expect("a file");
    let local = local.display().to_string();
    for verb in ["run", "lint"] {
        let mut command = program(&[verb, "-vv", &local]);
        if verb == "run" {
            command.args(["--no-check", "--data-dir", &place]);
            command.env("http_proxy", format!("http://user:{SECRET}@127.0.0.1:1"));
        }
        assert_clean(output(command).as_bytes(), verb);
    }
    fs::remove_file(&local).expect("the document itself");
    let mut quit = program(&["quit", "--port", &serve.port()]);
    assert!(quit.status().expect("ended").success());
    let (_, stdout, stderr) = serve.end();
    assert_clean([stdout, stderr].concat().join("\n").as_bytes(), "the server's output");
    let mut names = Vec::new();
    for entry in fs::read_dir(&data).expect("a directory") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a file");
        assert_clean(&bytes, &path.display().to_string());
        names.push(path.file_name().expect("a name").display().to_string());
    }
    names.sort();
    let expected = [
        "junit.xml",
        "out.csv",
        "out.html",
        "out_failure.json",
        "out_failure.xml",
        "out_success.json",
        "out_success.xml",
        "runs.db",
        "sum.json",
    ];
    assert_eq!(names, expected);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

#[test]
fn t54_files_of_documents_are_for_their_owner_alone_whatever_the_umask() {
    let echo = echo();
    let document = document(port_of(&echo));
    for umask in ["000", "022", "777"] {
        let data = tempfile::tempdir().expect("a directory");
        let place = data.path().display().to_string();
        for (name, before) in [("out.html", 0o666), ("junit.xml", 0o400)] {
            fs::write(data.path().join(name), "old").expect("a file");
            fs::set_permissions(data.path().join(name), fs::Permissions::from_mode(before))
                .expect("a file");
        }
        let serve = Server::start_after(&format!("umask {umask}"), &["--data-dir", &place]);
        output(program(&["send", "--no-check", "--port", &serve.port(), "--json", &document]));
        let mut files = 0;
        for entry in fs::read_dir(&data).expect("a directory") {
            let path = entry.expect("an entry").path();
            let stricter = path.ends_with("junit.xml");
            let expected = if stricter { 0o400 } else { 0o600 };
            assert_eq!(mode(&path), expected, "umask {umask}: {}", path.display());
            assert_ne!(fs::read(&path).expect("a file"), b"old", "{}", path.display());
            files += 1;
        }
        assert_eq!(files, 9, "umask {umask}");
    }
}
