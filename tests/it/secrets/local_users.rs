//! What other users of the machine get from a server: not the files of a home directory, no hidden
//! ones, no listener that the operator has not named, and not silently an open port.

use super::*;
use crate::support::WITHOUT_TOKEN;

/// A server in a working directory, for a user with this home.
fn serve_in(directory: &Path, home: &Path, args: &[&str]) -> Server {
    let mut command = program(&["serve", "--port", "0"]);
    command.args(args).current_dir(directory).env("HOME", home).stdin(Stdio::null());
    Server::listening(Running::of(&mut command))
}

/// The reply to one action, stdout and stderr.
fn send(server: &Server, action: &str) -> (Option<i32>, String) {
    let document = format!("[{action}]");
    let mut send = program(&["send", "--no-check", "--port", &server.port(), "--json", &document]);
    let (code, stdout, stderr) = Running::of(send.stdin(Stdio::null())).end();
    (code, [stdout, stderr].concat().join("\n"))
}

fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir(directory.path().join(".ssh")).expect("a directory");
    fs::write(directory.path().join(".ssh/id_ed25519"), "a,b\n1,2\n").expect("a file");
    fs::write(directory.path().join("keys.csv"), "a,b\n1,2\n").expect("a file");
    fs::write(directory.path().join("package.json"), "{\"name\": \"mine\"}").expect("a file");
    directory
}

const READ: &str = r#"["LD_register_csv_source", {"name": "s", "file_path": "FILE"}]"#;

#[test]
fn t58_a_server_in_a_home_directory_gives_documents_no_file_of_it() {
    let home = directory();
    let real = home.path().canonicalize().expect("a directory").display().to_string();
    let server = serve_in(home.path(), home.path(), &[]);
    let warned = format!(
        "warning: documents can use no files, because the working directory {real} is your home \
         directory; name a directory for them with --data-dir"
    );
    assert_eq!(server.talk_with("documents can use no files"), warned);
    for action in [
        &READ.replace("FILE", "keys.csv"),
        &READ.replace("FILE", ".ssh/id_ed25519"),
        r#"["LD_generate_csv_report", ["report"]]"#,
        r#"["LD_persist_records", ["runs.db"]]"#,
        r#"["LD_export_schema", ["schema.json"]]"#,
    ] {
        let (code, said) = send(&server, action);
        assert_eq!(code, Some(1), "{action}: {said}");
        assert!(said.contains("--data-dir"), "{action}: {said}");
    }
    assert_eq!(fs::read_dir(&home).expect("a directory").count(), 3);
    // Named, it is for documents, without what is hidden.
    let server = serve_in(home.path(), home.path(), &["--data-dir", "."]);
    let (code, said) = send(&server, &READ.replace("FILE", "keys.csv"));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = send(&server, &READ.replace("FILE", ".ssh/id_ed25519"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(" is hidden "), "{said}");
}

#[test]
fn t58_in_another_working_directory_documents_read_what_is_not_hidden_and_replace_only_reports() {
    let work = directory();
    let home = tempfile::tempdir().expect("a directory");
    let server = serve_in(work.path(), home.path(), &[]);
    let (code, said) = send(&server, &READ.replace("FILE", "keys.csv"));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = send(&server, &READ.replace("FILE", ".ssh/id_ed25519"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(" is hidden "), "{said}");
    let (code, said) = send(&server, r#"["LD_generate_summary_report", ["package"]]"#);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is no such report"), "{said}");
    for _ in 0..2 {
        let (code, said) = send(&server, r#"["LD_generate_summary_report", ["summary"]]"#);
        assert_eq!(code, Some(0), "{said}");
    }
    let kept = fs::read_to_string(work.path().join("package.json")).expect("a file");
    assert_eq!(kept, "{\"name\": \"mine\"}");
}

#[test]
fn t60_a_server_on_loopback_without_a_token_says_that_local_users_can_use_it() {
    let authority = Authority::new();
    let file = |name: &str| authority.file(name);
    let (cert, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let tls = ["--tls-cert", &cert, "--tls-key", &key];
    for (args, token, warned) in [
        (&[][..], None, true),
        (&[], Some("s3cret"), false),
        (&["--allow-unauthenticated"], None, false),
        (&tls, None, true),
        (&[&tls[..], &["--tls-client-ca", &ca]].concat(), None, false),
    ] {
        let server = Server::start(args, token);
        crate::support::signal("TERM", server.id());
        let (_, _, stderr) = server.end();
        assert_eq!(stderr.iter().any(|line| line == WITHOUT_TOKEN), warned, "{args:?}: {stderr:?}");
    }
}

#[test]
fn t55_a_document_opens_no_listener_beyond_loopback_unless_the_operator_names_it() {
    let exporter = r#"["LD_start_prometheus_exporter", {"port": 0, "addr": "0.0.0.0"}]"#;
    let refusal = "documents listen on loopback only; --allow-listen 0.0.0.0 permits it";
    let server = Server::start(&[], None);
    let (code, said) = send(&server, exporter);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(refusal), "{said}");
    let named = Server::start(&["--allow-listen", "0.0.0.0"], None);
    let (code, said) = send(&named, exporter);
    assert_eq!(code, Some(0), "{said}");
    let stub = r#"["LD_start_stub_server", {"rules": [], "host": "0.0.0.0"}]"#;
    let (code, said) = send(&named, stub);
    assert_eq!(code, Some(1), "{said}");
    let directory = tempfile::tempdir().expect("a directory");
    let document = directory.path().join("document.json").display().to_string();
    fs::write(&document, format!("[{exporter}]")).expect("a file");
    let run = |args: &[&str]| {
        let mut run = program(&["run", &document]);
        Running::of(run.args(args).stdin(Stdio::null())).end()
    };
    let (code, stdout, stderr) = run(&[]);
    assert_eq!(code, Some(1));
    assert!([stdout, stderr].concat().join("\n").contains(refusal));
    assert_eq!(run(&["--allow-listen", "0.0.0.0"]).0, Some(0));
}
