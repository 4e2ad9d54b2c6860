//! Mistakes that a transcript cannot show, for they need a port, a file's mode, or a look at what was
//! not sent.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use crate::support::{Server, ldctl};

#[test]
fn nothing_is_sent_of_a_document_that_is_wrong() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = server.local_addr().expect("an address").port().to_string();
    for document in ["[[\"LD_summary\"],]", "5", "[]", "{\"load_density\": null}", ""] {
        ldctl()
            .args(["send", "--host", "127.0.0.1", "--port", &port, "--json", document])
            .assert()
            .code(2)
            .stdout_eq("");
    }
    server.set_nonblocking(true).expect("a socket");
    let connected = server.accept().map(|_| ());
    assert_eq!(connected.expect_err("nobody came").kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_document_that_no_server_takes_is_not_sent() {
    let server = Server::start(&[], None);
    let document = format!("[[\"len\", [\"{}\"]]]", "x".repeat(9000));
    let send = || ldctl().args(["send", "-", "--port", &server.port()]).stdin(document.clone());
    send().assert().success().stdout_eq("9000\n");
    send().arg("--legacy").assert().code(2).stdout_eq("").stderr_eq(
        "error: the request has [..] bytes, over the limit of 8192 of this mode; leave out --legacy, or send it in parts\n",
    );
}

#[test]
fn a_port_in_use_is_refused_with_2() {
    let server = Server::start(&[], None);
    let said = format!(
        "error: cannot listen on localhost:{}: another program has the port; choose another with --port\n",
        server.port()
    );
    ldctl()
        .args(["serve", "--port", &server.port()])
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(said);
}

#[cfg(unix)]
#[test]
fn a_token_file_is_read_only_if_no_other_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("token");
    fs::write(&path, "s3cret\n").expect("a file");
    let shown = path.display().to_string();
    let server = Server::start(&[], Some("s3cret"));
    let ping = || ldctl().args(["ping", "--port", &server.port(), "--token-file", &shown]);
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a file");
        ping().assert().code(2).stdout_eq("").stderr_eq(format!(
            "error: other users can read the token file {shown}; run chmod 600 {shown}\n"
        ));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file");
    ping().assert().success().stderr_eq("");
    fs::write(&path, "s".repeat(65_537)).expect("a file");
    ping().assert().code(2).stdout_eq("").stderr_eq(format!(
        "error: the token file {shown} has more than 65536 bytes; give one that holds the token \
         alone\n"
    ));
}

#[test]
fn t56_a_client_that_sends_its_token_in_the_clear_warns_as_the_server_does() {
    let server = Server::start(&[], Some("s3cret"));
    let port = server.port();
    // The unspecified address leads to this machine, and is not loopback by its name.
    for (verb, host, said) in [
        (&["ping"][..], "127.0.0.1", ""),
        (
            &["ping"],
            "0.0.0.0",
            "warning: without TLS, anyone on the way can read the token; --tls prevents that\n",
        ),
        (
            &["status"],
            "0.0.0.0",
            "warning: without TLS, anyone on the way can read the token; --tls prevents that\n",
        ),
        (
            &["send", "--json", "[[\"LD_summary\"]]"],
            "0.0.0.0",
            "warning: without TLS, anyone on the way can read the token; --tls prevents that\n",
        ),
    ] {
        let ask = ldctl().args(verb).args(["--host", host, "--port", &port]);
        ask.env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret").assert().success().stderr_eq(said);
    }
    let open = Server::start(&[], None);
    let ask = ldctl().args(["ping", "--host", "0.0.0.0", "--port", &open.port()]);
    ask.assert().success().stderr_eq("");
}

#[cfg(unix)]
#[test]
fn t57_a_token_or_key_that_others_could_replace_is_refused_by_server_and_client() {
    use std::os::unix::fs::PermissionsExt;
    let authority = crate::support::Authority::new();
    let directory = tempfile::tempdir().expect("a directory");
    let token = directory.path().join("token").display().to_string();
    fs::write(&token, "s3cret\n").expect("a file");
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let mode = |path: &str, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file");
    };
    let check = |verb: &[&str], said: &str| {
        let refused = ldctl().args(verb).assert().code(2).stdout_eq("");
        refused.stderr_eq(format!("error: {said}\n"));
    };
    let with_token = |verb| [verb, "--token-file", &token, "--port", "9"];
    mode(&token, 0o622);
    for verb in ["serve", "ping", "send", "quit", "status", "stop"] {
        let said =
            format!("other users can write to the token file {token}; run chmod 600 {token}");
        let more: &[&str] = if verb == "send" { &["--json", "[[\"LD_summary\"]]"] } else { &[] };
        check(&[&with_token(verb)[..], more].concat(), &said);
    }
    mode(&token, 0o600);
    let place = directory.path().display().to_string();
    mode(&place, 0o777);
    let said = format!(
        "other users can write to {place}, above the token file {token}; run chmod go-w {place}, or \
         move the file"
    );
    check(&with_token("serve"), &said);
    check(&with_token("ping"), &said);
    mode(&place, 0o700);
    mode(&key, 0o644);
    let said = format!("other users can read the key file {key}; run chmod 600 {key}");
    let pair = ["--tls-cert", &cert, "--tls-key", &key];
    check(&[&["serve"], &pair[..]].concat(), &said);
    check(&[&["ping", "--tls", "--port", "9"], &pair[..]].concat(), &said);
    mode(&key, 0o600);
    mode(&cert, 0o666);
    let said =
        format!("other users can write to the certificate file {cert}; run chmod go-w {cert}");
    check(&[&["serve"], &pair[..]].concat(), &said);
    check(&["ping", "--tls", "--tls-ca", &cert, "--port", "9"], &said);
}

#[test]
fn a_token_on_the_command_line_works_and_warns() {
    let server = Server::start(&["--token", "s3cret"], None);
    ldctl()
        .args(["ping", "--token", "s3cret", "--port", &server.port()])
        .assert()
        .success()
        .stderr_eq(
            "warning: --token shows the token to every user of this machine; --token-env and --token-file do not\n",
        );
}

#[test]
fn a_documents_file_cannot_read_the_tokens_variable() {
    let server = Server::start(&["--allow-env", "LOAD_DENSITY_SOCKET_TOKEN"], Some("s3cret"));
    let document = r#"[["LD_start_test", {"user_detail_dict": {"user": "fast_http_user"},
        "user_count": 1, "spawn_rate": 100, "test_time": 0.2, "tasks": [{"method": "get",
        "request_url": "http://127.0.0.1:1/${env.LOAD_DENSITY_SOCKET_TOKEN}"}]}],
        ["LD_generate_json"]]"#;
    let sent = ldctl()
        .args(["send", "--json", document, "--port", &server.port()])
        .env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret")
        .assert();
    let stdout = String::from_utf8_lossy(&sent.get_output().stdout).into_owned();
    assert!(stdout.contains("${env.LOAD_DENSITY_SOCKET_TOKEN}"), "{stdout}");
    assert!(!stdout.contains("s3cret"), "{stdout}");
}
