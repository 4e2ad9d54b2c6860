//! The abuse cases of files that documents name, T16 and T17, through every command that reads or
//! writes one. The rules themselves are tested where they are made, in `action::files`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Authority, Running, Server, ldctl, program};

/// The commands that write a file, given its name without its ending.
fn writers(name: &str) -> [Value; 7] {
    [
        json!(["LD_generate_html_report", [name]]),
        json!(["LD_generate_json_report", [name]]),
        json!(["LD_generate_xml_report", [name]]),
        json!(["LD_generate_csv_report", [name]]),
        json!(["LD_generate_summary_report", [name]]),
        json!(["LD_generate_junit_report", [name]]),
        json!(["LD_persist_records", [name]]),
    ]
}

/// The commands that read a file.
fn readers(path: &str) -> [Value; 7] {
    [
        json!(["LD_register_csv_source", ["users", path]]),
        json!(["LD_register_csv_sources", [[{"name": "users", "file_path": path}]]]),
        json!(["LD_load_har", [path]]),
        json!(["LD_execute_files", [[path]]]),
        json!(["LD_lint_action_file", [path]]),
        json!(["LD_list_runs", [path]]),
        json!(["LD_fetch_run_records", [path, 1]]),
    ]
}

/// Runs a document with this data directory: what each of its actions gave.
fn results(data: &Path, document: &Value) -> Vec<Value> {
    let done = ldctl()
        .args(["run", "-", "--output", "json", "--data-dir"])
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
fn t16_no_command_writes_outside_whatever_name_it_is_given() {
    let base = tempfile::tempdir().expect("a directory");
    let (data, outside) = (base.path().join("data"), base.path().join("outside"));
    for directory in [&data, &outside] {
        fs::create_dir(directory).expect("a directory");
    }
    symlink(&outside, data.join("out")).expect("a link");
    for ending in ["", ".html", ".xml", ".csv", ".json", "_success.json", "_failure.xml"] {
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
    document.extend(names.iter().flat_map(|name| writers(name)));
    let results = results(&data, &json!(document));
    assert_eq!(results.len(), document.len());
    for (action, result) in document.iter().zip(&results).skip(1) {
        // Half of the reports' links exist; where there is none the name itself is harmless.
        let harmless = action[1][0] == "link" && !linked(&data, action);
        assert_eq!(result["ok"], harmless, "{action} gave {result}");
    }
    let after = tree(base.path());
    let inside = data.display().to_string();
    let harmless = |(name, _): &&(String, Vec<u8>)| !name.starts_with(&inside);
    assert!(before.iter().filter(harmless).eq(after.iter().filter(harmless)), "{after:?}");
    for (name, content) in &before {
        assert!(after.contains(&(name.clone(), content.clone())), "{name} has changed");
    }
}

/// Whether any file that a command writes is one of the links.
fn linked(data: &Path, action: &Value) -> bool {
    let endings: &[&str] = match action[0].as_str().expect("a command") {
        "LD_generate_html_report" => &[".html"],
        "LD_generate_json_report" => &["_success.json", "_failure.json"],
        "LD_generate_xml_report" => &["_success.xml", "_failure.xml"],
        "LD_generate_csv_report" => &[".csv"],
        "LD_generate_summary_report" => &[".json"],
        "LD_generate_junit_report" => &[".xml"],
        _ => &[""],
    };
    endings.iter().any(|ending| data.join(format!("link{ending}")).is_symlink())
}

#[test]
fn t17_no_command_reads_what_is_outside_special_or_too_large() {
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
    let document: Vec<Value> = paths.iter().flat_map(|path| readers(path)).collect();
    let results = results(&data, &json!(document));
    assert_eq!(results.len(), document.len());
    for (action, result) in document.iter().zip(&results) {
        let why = result["error"]["message"].as_str().expect("a refusal");
        let path = paths.iter().find(|path| action.to_string().contains(*path)).expect("a path");
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
    let document: Vec<Value> = own
        .iter()
        .flat_map(|path| readers(path).into_iter().chain([json!(["LD_persist_records", [path]])]))
        .collect();
    let mut send = ldctl();
    send = send.args(["send", "--json", &json!(document).to_string(), "--output", "json"]);
    send = send.args(["--port", &server.port(), "--token-file", &token]);
    let done = send.args(["--tls", "--tls-ca", &authority.file("ca.pem")]).assert();
    let results = results_in(&done.get_output().stdout);
    assert_eq!(results.len(), document.len());
    for (action, result) in document.iter().zip(&results) {
        let why = result["error"]["message"].as_str().expect("a refusal");
        assert!(why.contains("which no document may use"), "{action}: {why}");
    }
    assert_eq!(tree(data), before);
}
