//! A token that is easy to find goes in by every door that hides it, and is looked for in all that
//! comes out: what both ends say, the files that a document leaves, and the command lines. The
//! environment of a process is out of its hands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const CANARY: &str = "canary+in/a mine=7f3e9a";

const WRONG: &str = "another+canary/of a mine=51c0";

/// How a secret may be written, with the names of the forms.
fn forms(secret: &str) -> [(&'static str, Vec<u8>); 5] {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    // Inside a longer text base64 has other characters at its ends.
    let base64 = STANDARD.encode(secret);
    [
        ("as it is", secret.into()),
        ("URL-encoded", encoded.into()),
        ("URL-encoded with %20", secret.replace('+', "%2B").replace(' ', "%20").into()),
        ("hex", hex(secret.as_bytes()).into()),
        ("base64", base64[..base64.len() - 4].into()),
    ]
}

/// The forms of the secrets that stand in some bytes.
fn found(bytes: &[u8]) -> Vec<&'static str> {
    [CANARY, WRONG]
        .iter()
        .flat_map(|secret| forms(secret))
        .filter(|(_, form)| memchr::memmem::find(bytes, form).is_some())
        .map(|(name, _)| name)
        .collect()
}

/// What came out, with where.
#[derive(Default)]
struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// What a client says, to the end of it; gives its exit code.
    fn client(&mut self, args: &[&str], token: &str) -> Option<i32> {
        let mut command = program(args);
        command.arg("-vv").env("LOAD_DENSITY_SOCKET_TOKEN", token).stdin(Stdio::null());
        let said = command.output().expect("the program");
        self.add(format!("stdout of {args:?}"), said.stdout);
        self.add(format!("stderr of {args:?}"), said.stderr);
        said.status.code()
    }

    #[cfg(target_os = "linux")]
    fn command_line(&mut self, process: u32) {
        let path = format!("/proc/{process}/cmdline");
        self.add(path.clone(), fs::read(&path).expect("a process that runs"));
    }

    /// Every file of a directory, without `except`.
    fn files(&mut self, directory: &Path, except: &[&str]) -> usize {
        let before = self.0.len();
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_file() && !except.iter().any(|name| path.ends_with(name)) {
                self.add(path.display().to_string(), fs::read(&path).expect("a file"));
            }
        }
        self.0.len() - before
    }

    fn hold_nothing(&self) {
        for (place, bytes) in &self.0 {
            let said = String::from_utf8_lossy(bytes);
            assert_eq!(found(bytes), [""; 0], "in {place}: {said}");
        }
    }
}

/// A document that tries to have the token written wherever a document can write.
fn nosy(port: u16) -> String {
    let secret = "${env.LOAD_DENSITY_SOCKET_TOKEN}${LOAD_DENSITY_SOCKET_TOKEN}";
    format!(
        r#"[
        ["LD_start_stub_server", {{"port": {port}, "rules": [{{"path": "/", "body": "{secret}"}}]}}],
        ["LD_register_variable", {{"name": "mine", "value": "{secret}"}}],
        ["print", ["{secret}"]],
        ["LD_start_test", {{
            "user_detail_dict": {{"user": "fast_http_user", "host": "http://127.0.0.1:{port}"}},
            "user_count": 2, "spawn_rate": 9, "test_time": 1, "record_bodies": true,
            "tasks": [{{"method": "post", "url": "/?q={secret}", "name": "{secret}", "data": "{secret}",
                "headers": {{"X-Token": "{secret}"}}, "auth": {{"type": "bearer", "token": "{secret}"}},
                "assertions": [{{"type": "contains", "value": "{secret} and more"}}]}}]}}],
        ["LD_summary"],
        ["LD_generate_html_report", ["all"]],
        ["LD_generate_csv_report", ["all"]],
        ["LD_generate_json_report", ["all"]],
        ["LD_generate_xml_report", ["all"]],
        ["LD_generate_junit_report", ["all-junit"]],
        ["LD_persist_records", ["all.db", "{secret}"]],
        ["LD_nope", ["{secret}"]]
        ]"#
    )
}

/// A port that nothing else has, for a document must name it before its stub server runs.
fn free_port() -> u16 {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    probe.local_addr().expect("an address").port()
}

#[test]
fn t25_no_output_no_file_and_no_command_line_shows_the_token() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().display().to_string();
    fs::write(directory.path().join("nosy.json"), nosy(free_port())).expect("a file");
    let document = format!("{path}/nosy.json");
    let mut outputs = Outputs::default();
    let allowed = ["--allow-env", "LOAD_DENSITY_SOCKET_TOKEN", "--data-dir", &path, "-vv"];
    let server = Server::start(&allowed, Some(CANARY));
    let port = server.port();
    let at = ["--port", &port];

    #[cfg(target_os = "linux")]
    outputs.command_line(server.id());
    assert_eq!(outputs.client(&[&["send", &document][..], &at].concat(), CANARY), Some(1));
    assert_eq!(
        outputs.client(&[&["send", &document, "--output=json"][..], &at].concat(), CANARY),
        Some(1)
    );
    assert_eq!(outputs.client(&[&["ping"][..], &at].concat(), CANARY), Some(0));
    for wrong in
        [&["ping"][..], &["ping", "--legacy"], &["quit"], &["send", "--json", "[[\"LD_summary\"]]"]]
    {
        assert_eq!(outputs.client(&[wrong, &at].concat(), WRONG), Some(4), "{wrong:?}");
    }
    assert_eq!(outputs.client(&[&["ping", "--tls"][..], &at].concat(), CANARY), Some(3));
    assert_eq!(outputs.client(&["run", &document, "--data-dir", &path], CANARY), Some(1));
    assert_eq!(outputs.client(&[&["quit"][..], &at].concat(), CANARY), Some(0));
    let (code, said, talk) = server.end();
    assert_eq!(code, Some(0));
    outputs.add("stdout of the server", said.join("\n"));
    outputs.add("stderr of the server", talk.join("\n"));
    assert!(outputs.files(directory.path(), &["nosy.json"]) >= 6, "reports and a database");
    outputs.hold_nothing();
}

#[test]
fn the_search_for_the_token_finds_it_in_every_form() {
    for (name, form) in forms(CANARY) {
        let text = [b"before ", &form[..], b" after"].concat();
        assert!(found(&text).contains(&name), "{name}");
    }
    assert!(found(STANDARD.encode(CANARY).as_bytes()).contains(&"base64"));
    assert_eq!(found(b"nothing of it"), [""; 0]);
}
