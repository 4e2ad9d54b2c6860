//! A token that stands out goes in by every door and is looked for in everything that comes out:
//! what programs print with `-vv`, the reports, records and database of a document that tries hard
//! to print it, and the lists of processes. A process's own environment (`/proc/PID/environ`) holds
//! the variable that it was given, and is the kernel's business: only the same user reads it.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

use super::*;
use crate::support::{Scripted, answer, signal};

/// It has characters that the encodings change, and is told from any other text.
const CANARY: &str = "cänary/d0a1+5b7e \"q\"<t>&'9c";

/// The forms in which it could get out.
fn forms() -> Vec<Vec<u8>> {
    let bytes = CANARY.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
    let form: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let json = serde_json::to_string(CANARY).expect("text");
    let mut forms = vec![
        CANARY.to_owned(),
        json.trim_matches('"').to_owned(),
        CANARY.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        // What no escape changes is enough to find it in any form that keeps letters.
        "d0a1+5b7e".to_owned(),
        "d0a1%2B5b7e".to_owned(),
        hex.to_uppercase(),
        hex,
        percent.to_lowercase(),
        percent,
        form,
    ];
    // As part of a longer text it begins at any of three places of a group.
    for before in ["", "x", "xx"] {
        let text = format!("{before}{CANARY}");
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE] {
            let encoded = engine.encode(&text);
            let inner = encoded.trim_end_matches('=');
            forms.push(inner.get(4..inner.len() - 4).expect("a long text").to_owned());
        }
    }
    forms.into_iter().map(String::into_bytes).collect()
}

/// The forms of the canary that stand in these bytes.
fn found(bytes: &[u8]) -> Vec<String> {
    forms()
        .iter()
        .filter(|form| memchr::memmem::find(bytes, form).is_some())
        .map(|form| String::from_utf8_lossy(form).into_owned())
        .collect()
}

/// Everything under a directory that holds the canary, with the form.
fn found_under(directory: &Path) -> Vec<String> {
    let mut hits = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        hits.extend(found(path.display().to_string().as_bytes()));
        if path.is_dir() {
            hits.extend(found_under(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            hits.extend(
                found(&bytes).into_iter().map(|form| format!("{}: {form}", path.display())),
            );
        }
    }
    hits
}

/// How a token is given to a program.
struct Door {
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Door {
    fn open(&self, verb: &[&str]) -> Command {
        let mut command = program(verb);
        command.args(&self.arguments).envs(self.variables.iter().cloned());
        command.stdin(Stdio::null());
        command
    }
}

/// The doors, in a directory that holds what they need. The last shows the token in the list of
/// processes, and warns of it.
fn doors(directory: &TempDir) -> Vec<Door> {
    private(directory, "token", &format!("{CANARY}\n"));
    private(directory, "ldctl.token", &format!("{CANARY}\nold {CANARY}\n"));
    let owned = |arguments: &[&str]| arguments.iter().map(|text| (*text).to_owned()).collect();
    let door = |arguments: &[&str], variables: &[(&'static str, &str)]| Door {
        arguments: owned(arguments),
        variables: variables.iter().map(|(name, text)| (*name, (*text).to_owned())).collect(),
    };
    let place = directory.path().display().to_string();
    vec![
        door(&[], &[("LOAD_DENSITY_SOCKET_TOKEN", CANARY)]),
        door(&["--token-env=OTHER"], &[("OTHER", CANARY)]),
        door(&["--token-file", &format!("{place}/token")], &[]),
        door(&[], &[("CREDENTIALS_DIRECTORY", &place)]),
        door(&["--token", CANARY], &[]),
    ]
}

/// A program's output to its end, both streams.
fn output(mut command: Command) -> (Option<i32>, String) {
    let running = Running::of(&mut command);
    let (code, stdout, stderr) = running.end();
    (code, [stdout, stderr].concat().join("\n"))
}

/// What the list of processes shows of one.
#[cfg(target_os = "linux")]
fn listed(process: u32) -> Vec<u8> {
    fs::read(format!("/proc/{process}/cmdline")).expect("a process")
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir(directory.path().join("below")).expect("a directory");
    let planted = directory.path().join("below").join("planted");
    for form in forms() {
        fs::write(&planted, [b"\0\xff", &form[..], b"\xff"].concat()).expect("a file");
        assert!(!found_under(directory.path()).is_empty(), "{}", String::from_utf8_lossy(&form));
    }
    for before in ["", "a", "ab", "abc"] {
        let text = STANDARD.encode(format!("{before}{CANARY}{before}"));
        assert!(!found(text.as_bytes()).is_empty(), "{text}");
    }
    fs::write(&planted, "cänary").expect("a file");
    assert_eq!(found_under(directory.path()), Vec::<String>::new());
}

/// A document that names the token's variables wherever text may stand, sends that to a target which
/// gives everything back, and writes down all it got in every form there is.
fn document(target: &str) -> String {
    let capture = "${env.LOAD_DENSITY_SOCKET_TOKEN} ${env.OTHER} ${env.CREDENTIALS_DIRECTORY} \
                  ${token} ${LOAD_DENSITY_SOCKET_TOKEN}";
    let text = serde_json::to_string(capture).expect("text");
    format!(
        r#"[
        ["LD_register_variable", {{"name": "capture", "value": {text}}}],
        ["LD_start_test", {{"user_detail_dict": {{"user": "fast_http_user", "host": "{target}"}},
            "user_count": 1, "spawn_rate": 100, "test_time": 0.5, "wait_time": 0.01, "record_bodies": true,
            "tasks": [{{"method": "post", "request_url": "/echo", "name": {text},
                "headers": {{"X-Capture": {text}}},
                "auth": {{"type": "bearer", "token": {text}}}, "json": {{"a": {text}, "b": "${{capture}}"}},
                "assertions": [{{"type": "contains", "value": {text}}}]}}]}}],
        ["print", [{text}]],
        ["{capture}"],
        ["LD_generate_html_report", ["out"]], ["LD_generate_json_report", ["out"]],
        ["LD_generate_xml_report", ["out"]], ["LD_generate_csv_report", ["out"]],
        ["LD_generate_summary_report", ["sum"]], ["LD_generate_junit_report", ["junit"]],
        ["LD_persist_records", ["runs.db", {text}]],
        ["LD_generate_html"], ["LD_generate_json"], ["LD_generate_xml"], ["LD_summary"]
    ]"#
    )
}

/// Answers every request with what it was: its target, headers and body.
fn mirror() -> Scripted {
    Scripted::start(|request, wire| {
        let shown = format!("{request:?}");
        let header = request.header("X-Capture").unwrap_or_default();
        answer(wire, 200, &[("X-Reflected", &header)], shown.as_bytes())
    })
}

#[test]
fn t25_no_output_no_file_and_no_command_line_shows_the_token() {
    let mirror = mirror();
    let secrets = tempfile::tempdir().expect("a directory");
    let doors = doors(&secrets);
    let shown = doors.len() - 1;
    for (number, door) in doors.iter().enumerate() {
        let data = tempfile::tempdir().expect("a directory");
        let mut said = String::new();
        let mut keep = |(code, text): (Option<i32>, String), expected: i32| {
            assert_eq!(code, Some(expected), "{text}");
            said.push_str(&text);
        };
        let place = data.path().display().to_string();
        let mut serve = door.open(&["serve", "-vv", "--port", "0", "--data-dir", &place]);
        serve.args(["--allow-env", "LOAD_DENSITY_SOCKET_TOKEN", "--allow-env", "OTHER"]);
        let serve = Server::listening(Running::of(&mut serve));
        let port = serve.port();
        let document = document(&mirror.url());
        let client = |verb: &[&str]| door.open(&[verb, &["-vv", "--port", &port]].concat());
        keep(output(client(&["ping"])), 0);
        keep(output(client(&["ping", "--legacy"])), 0);
        // One of its actions is none.
        keep(output(client(&["send", "--no-check", "--output", "json", "--json", &document])), 1);
        keep(output(client(&["send", "--legacy", "--json", "[[\"LD_summary\"]]"])), 0);
        keep(output(client(&["ping", "--tls", "--tls-insecure"])), 3);
        // What runs without a server has no token, but may inherit the variable. Another's name it
        // cannot know, and a local document reads what its user lets it inherit.
        let local = data.path().join("local.json");
        fs::write(&local, &document).expect("a file");
        let mut run = program(&[
            "run",
            "--no-check",
            "-vv",
            &local.display().to_string(),
            "--data-dir",
            &place,
        ]);
        run.env("LOAD_DENSITY_SOCKET_TOKEN", CANARY);
        run.stdin(Stdio::null());
        keep(output(run), 1);
        #[cfg(target_os = "linux")]
        if number != shown {
            assert_eq!(found(&listed(serve.id())), Vec::<String>::new());
        }
        keep(output(client(&["quit"])), 0);
        let (code, stdout, stderr) = serve.end();
        assert_eq!(code, Some(0));
        said.push_str(&[stdout, stderr].concat().join("\n"));
        assert_eq!(found(said.as_bytes()), Vec::<String>::new(), "door {number}: {said}");
        assert_eq!(found_under(data.path()), Vec::<String>::new(), "door {number}");
        let files = fs::read_dir(data.path()).expect("a directory").count();
        assert!(files >= 6, "too few files to prove anything: {files}");
        assert_eq!(said.contains("--token shows the token"), number == shown, "{said}");
    }
    let asked = mirror.seen();
    assert!(!asked.is_empty(), "the target was not reached");
    assert_eq!(found(format!("{asked:?}").as_bytes()), Vec::<String>::new());
}

#[test]
fn t25_the_token_is_in_no_error_message() {
    let secrets = tempfile::tempdir().expect("a directory");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silence = silent.local_addr().expect("an address").port().to_string();
    let authority = Authority::new();
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let plain = Server::start(&["-vv"], Some("another"));
    let secure = Server::start(&["-vv", "--tls-cert", &cert, "--tls-key", &key], Some("another"));
    let mut said = String::new();
    let other = authority.file("other-ca.pem");
    let own = authority.file("ca.pem");
    let (plainly, securely) = (plain.port(), secure.port());
    let mut check = |door: &Door, verb: &[&str], server: &[&str], expected: i32| {
        let (code, text) = output(door.open(&[verb, &["-vv"], server].concat()));
        assert_eq!(code, Some(expected), "{text}");
        said.push_str(&text);
    };
    let doors = doors(&secrets);
    for door in &doors {
        check(door, &["ping"], &["--port", &plainly], 4);
    }
    for verb in [&["ping"][..], &["quit"], &["send", "--json", "[[\"LD_summary\"]]"]] {
        let mut check = |server: &[&str], expected| check(&doors[0], verb, server, expected);
        check(&["--legacy", "--port", &plainly], 4);
        check(&["--port", &securely], 3);
        check(&["--tls", "--tls-ca", &other, "--port", &securely], 3);
        check(&["--tls", "--tls-ca", &own, "--port", &securely], 4);
        check(&["--host", "127.0.0.1", "--timeout", "0.1", "--port", &silence], 3);
        check(&["--port", "0"], 2);
    }
    for server in [plain, secure] {
        signal("TERM", server.id());
        let (_, stdout, stderr) = server.end();
        said.push_str(&[stdout, stderr].concat().join("\n"));
    }
    assert!(said.contains("Command received: "), "{said}");
    assert_eq!(found(said.as_bytes()), Vec::<String>::new(), "{said}");
}

#[test]
fn t25_errors_do_not_quote_an_invalid_token_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("token").display().to_string();
    for text in [
        format!(" {CANARY}"),
        format!("{CANARY}\n\n"),
        format!("a\nb\n{CANARY}\n"),
        format!("{CANARY}\n{CANARY} "),
        format!("\u{feff}{CANARY}"),
    ] {
        private(&directory, "token", &text);
        for verb in ["serve", "ping"] {
            let mut command = program(&[verb, "-vv", "--token-file", &path]);
            command.stdin(Stdio::null());
            let (code, said) = output(command);
            assert_eq!(code, Some(2), "{said}");
            assert_eq!(found(said.as_bytes()), Vec::<String>::new(), "{said}");
        }
    }
}
