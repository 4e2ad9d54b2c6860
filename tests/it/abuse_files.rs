//! The abuse cases of files that documents name, T16 and T17, through every command that reads or
//! writes one. The rules themselves are tested where they are made, in `action::files`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use ldctl::report::{Content, FORMATS, Format};
use ldctl::value::Kind;
use serde_json::{Value, json};

use crate::support::actions::actions_with;
use crate::support::{Authority, Running, Server, ldctl, program};

/// Every action that takes a path, by each of the places where it does, found by its kind in the
/// definitions: whoever adds a command has it tried here.
fn naming(path: &str) -> Vec<Value> {
    actions_with(&|kind| if matches!(kind, Kind::Path) { vec![json!(path)] } else { Vec::new() })
}

/// The same of names to which the command adds an ending.
fn naming_without_ending(path: &str) -> Vec<Value> {
    actions_with(&|kind| if matches!(kind, Kind::Stem) { vec![json!(path)] } else { Vec::new() })
}

#[test]
fn paths_are_found_wherever_a_command_takes_one() {
    let actions = naming("p").into_iter().chain(naming_without_ending("p"));
    let found: Vec<String> = actions.map(|action| action.to_string()).collect();
    for part in [
        r#"["LD_export_schema",{"path":"p"}]"#,
        r#"["LD_execute_files",{"execute_files_list":["p"]}]"#,
        r#"["LD_register_csv_sources",{"sources":[{"name":"x","file_path":"p"}]}]"#,
        r#"["LD_generate_junit_report",{"report_name":"p"}]"#,
        r#""files":{"x":{"path":"p"}}"#,
        r#""client_cert":["p","p"]"#,
        r#""verify":"p""#,
        r#""csv_sources":[{"name":"x","file_path":"p"}]"#,
    ] {
        assert!(found.iter().any(|action| action.contains(part)), "{part} in {found:#?}");
    }
}

/// Runs a document with this data directory: what each of its actions gave.
fn results(data: &Path, document: &Value) -> Vec<Value> {
    let done = ldctl()
        .args(["run", "-", "--no-check", "--output", "json", "--data-dir"])
        .arg(data)
        .stdin(document.to_string())
        .assert();
    results_in(&done.get_output().stdout)
}

/// The results among the events that a client printed.
fn results_in(stdout: &[u8]) -> Vec<Value> {
    let said = str::from_utf8(stdout).expect("UTF-8");
    let events = said.lines().map(|line| serde_json::from_str(line).expect("an event"));
    events.filter(|event: &Value| event["event"] == "result").collect()
}

/// Everything below a directory with its content; links are not followed.
fn tree(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.display().to_string();
        match path.symlink_metadata().expect("an entry").file_type() {
            kind if kind.is_dir() => found.extend(tree(&path)),
            kind if kind.is_file() => found.push((name, fs::read(&path).expect("a file"))),
            _ => found.push((name, Vec::new())),
        }
    }
    found.sort();
    found
}

#[test]
fn t16_no_command_reads_or_writes_outside_with_any_path() {
    let base = tempfile::tempdir().expect("a directory");
    let (data, outside) = (base.path().join("data"), base.path().join("outside"));
    for directory in [&data, &outside] {
        fs::create_dir(directory).expect("a directory");
    }
    symlink(&outside, data.join("out")).expect("a link");
    let reports = FORMATS.iter().flat_map(endings);
    let others = OTHER_ENDINGS.map(str::to_owned);
    for ending in reports.chain(others).collect::<BTreeSet<_>>() {
        fs::write(outside.join(format!("kept{ending}")), "kept").expect("a file");
        symlink(format!("../outside/kept{ending}"), data.join(format!("link{ending}")))
            .expect("a link");
    }
    let before = tree(base.path());
    let absolute = outside.join("kept").display().to_string();
    let names = [
        "../outside/kept",
        "../../x",
        "out/kept",
        "sub/../../outside/kept",
        &absolute,
        "a\0b",
        &"x".repeat(4096),
        &"x/".repeat(2048),
        "link",
    ];
    // Refused requests, for reports need records.
    let test = json!(["LD_start_test", {
        "user_detail_dict": {"host": "http://127.0.0.1:1"}, "user_count": 1, "test_time": 0.05,
        "wait_time": 0.01, "tasks": [{"method": "get", "url": "/refused"}]}]);
    let mut document = vec![test];
    for name in names {
        document.extend(naming(name));
        document.extend(naming_without_ending(name));
    }
    let results = results(&data, &json!(document));
    assert_eq!(results.len(), document.len());
    for (action, result) in document.iter().zip(&results).skip(1) {
        assert_eq!(result["ok"], false, "{action} gave {result}");
    }
    let after = tree(base.path());
    let inside = data.display().to_string();
    let harmless = |(name, _): &&(String, Vec<u8>)| !name.starts_with(&inside);
    assert!(before.iter().filter(harmless).eq(after.iter().filter(harmless)), "{after:?}");
    for (name, content) in &before {
        assert!(after.contains(&(name.clone(), content.clone())), "{name} has changed");
    }
}

/// The endings of what is written without a format of its own.
const OTHER_ENDINGS: [&str; 3] = ["", ".sarif.json", ".xlsx"];

/// What a format adds to a name, for each file that it writes.
fn endings(format: &Format) -> Vec<String> {
    let parts: &[&str] = match format.content {
        Content::Whole(_) => &[""],
        Content::Halves(_) => &["_success", "_failure"],
    };
    parts.iter().map(|part| format!("{part}.{}", format.ending)).collect()
}

/// What only writes a file: a special one is replaced or refused, whichever comes first.
const WRITERS: [&str; 4] =
    ["LD_export_schema", "LD_persist_records", "LD_write_action_yaml", "LD_write_action_toml"];

/// The actions that read what they name.
fn reading(path: &str) -> Vec<Value> {
    let all = naming(path).into_iter();
    all.filter(|action| WRITERS.iter().all(|writer| action[0] != *writer)).collect()
}

#[test]
fn t17_no_command_reads_a_file_that_is_outside_special_or_too_large() {
    let base = tempfile::tempdir().expect("a directory");
    let data = base.path().join("data");
    fs::create_dir(&data).expect("a directory");
    symlink("/etc/shadow", data.join("shadow")).expect("a link");
    symlink("/dev/zero", data.join("zero")).expect("a link");
    UnixListener::bind(data.join("socket")).expect("a socket");
    assert!(Command::new("mkfifo").arg(data.join("fifo")).status().expect("mkfifo").success());
    let large = fs::File::create(data.join("large")).expect("a file");
    large.set_len(1 << 30).expect("a sparse file");
    let paths = [
        "/etc/shadow",
        "/dev/zero",
        "../../etc/passwd",
        "shadow",
        "zero",
        "socket",
        "fifo",
        "large",
    ];
    let document: Vec<Value> = paths.iter().flat_map(|path| reading(path)).collect();
    let results = results(&data, &json!(document));
    assert_eq!(results.len(), document.len());
    for (action, result) in document.iter().zip(&results) {
        let why = result["error"]["message"].as_str().expect("a refusal");
        let is_it = |path: &&&str| action.to_string().contains(&format!("\"{path}\""));
        let path = paths.iter().find(is_it).expect("a path");
        assert!(why.contains(path), "{action} was refused for another reason: {why}");
    }
}

#[test]
fn t25_no_command_reads_or_replaces_the_servers_own_files() {
    let authority = Authority::new();
    let (cert, key, token) =
        (authority.file("server.pem"), authority.file("server.key"), authority.file("token"));
    fs::write(&token, "s3cret\n").expect("a file");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("a file");
    let data = Path::new(&token).parent().expect("a directory");
    let before = tree(data);
    let mut command = program(&["serve", "--port", "0", "--tls-cert", &cert, "--tls-key", &key]);
    command.args(["--token-file", &token]).arg("--data-dir").arg(data);
    let server = Server::listening(Running::of(&mut command));
    let own = ["token", "server.key", "server.pem"];
    let document: Vec<Value> = own.iter().flat_map(|path| naming(path)).collect();
    let mut send = ldctl();
    send = send.args(["send", "--json", &json!(document).to_string(), "--output", "json"]);
    send = send.args(["--port", &server.port(), "--token-file", &token]);
    let done = send.args(["--tls", "--tls-ca", &authority.file("ca.pem")]).assert();
    let output = done.get_output();
    let results = results_in(&output.stdout);
    assert_eq!(results.len(), document.len(), "{}", String::from_utf8_lossy(&output.stderr));
    for (action, result) in document.iter().zip(&results) {
        let why = result["error"]["message"].as_str().expect("a refusal");
        // A folder of imports is named; none of these files is one.
        let is_folder =
            action.to_string().contains("\"include\"") && why.ends_with("Not a directory");
        assert!(why.contains("which no document may use") || is_folder, "{action}: {why}");
    }
    assert_eq!(tree(data), before);
}
