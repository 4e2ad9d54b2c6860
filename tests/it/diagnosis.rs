//! Why a server cannot be used: one line that says what to change, and exit code 3.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::{Authority, Server, free_port, ldctl};

#[track_caller]
fn check(verb: &[&str], port: &str, said: &str) {
    ldctl()
        .args(verb)
        .args(["--port", port])
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq(format!("error: localhost:{port}: {said}\n"));
}

#[test]
fn a_port_where_nothing_listens_is_named() {
    let port = free_port().to_string();
    let said = "nothing listens there; start a server (ldctl serve), or check --host and --port";
    check(&["ping"], &port, said);
    check(&["quit"], &port, said);
    check(&["send", "--json", "[[\"LD_summary\"]]"], &port, said);
}

#[test]
fn waiting_for_a_server_that_never_comes_ends_with_the_reason() {
    check(
        &["ping", "--wait", "0.2"],
        &free_port().to_string(),
        "nothing listens there; start a server (ldctl serve), or check --host and --port",
    );
}

#[test]
fn a_tls_port_has_its_own_error() {
    let authority = Authority::new();
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let server = Server::start(&["--tls-cert", &cert, "--tls-key", &key], None);
    for mode in [&["ping"][..], &["ping", "--legacy"], &["quit"]] {
        check(mode, &server.port(), "the port speaks TLS; add --tls");
    }
}

#[test]
fn a_port_without_tls_has_its_own_error() {
    let authority = Authority::new();
    let server = Server::start(&[], None);
    let ping = ["ping", "--tls", "--tls-ca", &authority.file("ca.pem")];
    check(&ping, &server.port(), "the port does not speak TLS; leave out --tls");
}

#[test]
fn a_framed_only_server_has_its_own_error() {
    let server = Server::start(&["--framed"], None);
    let said = "this port accepts framed requests only; drop --legacy";
    check(&["ping", "--legacy"], &server.port(), said);
}

#[test]
fn an_untrusted_certificate_has_its_own_error() {
    let authority = Authority::new();
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let server = Server::start(&["--tls-cert", &cert, "--tls-key", &key], None);
    let (own, other) = (authority.file("ca.pem"), authority.file("other-ca.pem"));
    let unknown = "the server's certificate is not trusted: no trusted authority has signed it; \
                   name its authority with --tls-ca";
    let misnamed = "the server's certificate is not trusted: it is for another name[..]; \
                    name one of its names with --tls-server-name";
    check(&["ping", "--tls", "--tls-ca", &other], &server.port(), unknown);
    let elsewhere = ["ping", "--tls", "--tls-ca", &own, "--tls-server-name", "elsewhere"];
    check(&elsewhere, &server.port(), misnamed);
    // Waiting does not make it trusted.
    check(&["ping", "--wait", "60", "--tls", "--tls-ca", &other], &server.port(), unknown);
}

#[test]
fn an_insecure_client_trusts_any_certificate_and_warns() {
    let authority = Authority::new();
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let server = Server::start(&["--tls-cert", &cert, "--tls-key", &key], None);
    ldctl()
        .args(["ping", "--tls", "--tls-insecure", "--port", &server.port()])
        .assert()
        .success()
        .stderr_eq(
            "warning: --tls-insecure: anyone on the network path can read the token and change replies\n",
        );
}

#[test]
fn a_server_that_says_nothing_is_given_up_after_the_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("an address").port().to_string();
    let said = "no reply within 0.2 s; raise --timeout, or check the server";
    ldctl()
        .args(["send", "--json", "[[\"LD_summary\"]]", "--host", "127.0.0.1", "--timeout", "0.2"])
        .args(["--port", &port])
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq(format!("error: 127.0.0.1:{port}: {said}\n"));
}

#[test]
fn a_server_that_knows_no_status_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port().to_string();
    // What an older server and LoadDensity's own answer to an op that they do not know.
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut header = [0; 4];
            stream.read_exact(&mut header).expect("a header");
            let mut body = vec![0; u32::from_be_bytes(header) as usize];
            stream.read_exact(&mut body).expect("a body");
            assert!(!String::from_utf8_lossy(&body).contains("command"), "it would run");
            stream.write_all(b"\0\0\0\x14Return_Data_Over_JE\n").expect("a client");
        }
    });
    for verb in ["status", "stop"] {
        ldctl()
            .args([verb, "--host", "127.0.0.1", "--port", &port])
            .assert()
            .code(3)
            .stdout_eq("")
            .stderr_eq(format!(
                "error: 127.0.0.1:[..]: this server does not support `{verb}`; upgrade it\n"
            ));
    }
    server.join().expect("no panic");
}

#[test]
fn what_an_unframed_request_cannot_ask_for_is_refused_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let test = r#"[["LD_start_test", {"user_detail_dict": {"host": "http://h"},
        "tasks": [{"method": "get", "url": "/"}]}]]"#;
    let send = ["send", "--json", test];
    let data = tempfile::tempdir().expect("a directory");
    let report = format!("html={}", data.path().join("a.html").display());
    for (verb, options, what) in [
        (&send[..], &["--name", "a"][..], "--name"),
        (&send, &["--detach"], "--detach"),
        (&send, &["--queue", "5"], "--queue"),
        (&send, &["--report", &report], "--report"),
        (&["report"], &[], "ldctl report"),
        (&["runs"], &[], "ldctl runs"),
        (&["attach"], &[], "ldctl attach"),
        (&["status", "1"], &[], "the number of a run"),
        (&["stop", "1"], &[], "the number of a run"),
    ] {
        let line = ldctl().args(verb).args(options).args(["--legacy", "--port", &port]);
        line.assert()
            .code(2)
            .stdout_eq("")
            .stderr_eq(format!("error: {what} needs a framed request; drop --legacy\n"));
    }
    listener.set_nonblocking(true).expect("a socket");
    listener.accept().map(drop).expect_err("nobody connected");
}
