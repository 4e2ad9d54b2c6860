//! Client and server, end to end, in every mode.

use crate::support::{Authority, DEADLINE, Server, WITHOUT_TOKEN, installed, ldctl};

const CLEAR_AND_SUM: &str = r#"[["LD_clear_records"], ["sum", [[1, 2]]]]"#;
const TOKEN: &str = "s3cret-é";

/// How a server is started and a client reaches it.
struct Mode {
    name: &'static str,
    serve: Vec<String>,
    connect: Vec<String>,
}

/// Legacy and framed, plain and under TLS.
fn modes(authority: &Authority) -> Vec<Mode> {
    let owned = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let ca = authority.file("ca.pem");
    let secure = owned(&["--tls-cert", &cert, "--tls-key", &key]);
    let trusting = owned(&["--tls", "--tls-ca", &ca]);
    let (framed, legacy) = (owned(&["--framed"]), owned(&["--legacy"]));
    let mode = |name, serve: &[&Vec<String>], connect: &[&Vec<String>]| Mode {
        name,
        serve: serve.iter().flat_map(|args| args.iter().cloned()).collect(),
        connect: connect.iter().flat_map(|args| args.iter().cloned()).collect(),
    };
    vec![
        mode("both, legacy client", &[], &[&legacy]),
        mode("both, framed client", &[], &[]),
        mode("framed", &[&framed], &[]),
        mode("both + TLS, legacy client", &[&secure], &[&trusting, &legacy]),
        mode("framed + TLS", &[&framed, &secure], &[&trusting]),
    ]
}

fn start(mode: &Mode, token: Option<&str>) -> Server {
    let args: Vec<&str> = mode.serve.iter().map(String::as_str).collect();
    Server::start(&args, token)
}

fn client(verb: &str, mode: &Mode, server: &Server, token: Option<&str>) -> snapbox::cmd::Command {
    let command = ldctl().arg(verb).args(&mode.connect).args(["--port", &server.port()]);
    match token {
        Some(token) => command.env("LOAD_DENSITY_SOCKET_TOKEN", token),
        None => command,
    }
}

#[test]
fn a_client_pings_sends_and_quits_in_every_mode_with_and_without_a_token() {
    let authority = Authority::new();
    for mode in modes(&authority) {
        for token in [None, Some(TOKEN)] {
            eprintln!("{}, token {token:?}", mode.name);
            let server = start(&mode, token);
            let pong = if mode.connect.iter().any(|arg| arg == "--legacy") {
                "a control server at localhost:[..], [..] ms\n"
            } else {
                "ldctl [..] at localhost:[..], up [..] s, 0 runs, [..] ms\n"
            };
            client("ping", &mode, &server, token).assert().success().stdout_eq(pong).stderr_eq("");
            client("send", &mode, &server, token)
                .args(["--json", CLEAR_AND_SUM])
                .assert()
                .success()
                .stdout_eq("{'status': 'cleared'}\n3\n")
                .stderr_eq("");
            client("quit", &mode, &server, token)
                .assert()
                .success()
                .stdout_eq("Server shutting down\n")
                .stderr_eq("");
            let (code, stdout, stderr) = server.end();
            assert_eq!(code, Some(0));
            assert_eq!(stdout.last().map(String::as_str), Some("Server shutdown complete"));
            let warned = if token.is_some() { &[][..] } else { &[WITHOUT_TOKEN] };
            assert_eq!(stderr, warned);
            assert!(stdout.iter().all(|line| !line.contains("s3cret")), "{stdout:?}");
        }
    }
}

#[test]
fn a_wrong_or_missing_token_is_refused_in_every_mode_and_nothing_runs() {
    let authority = Authority::new();
    for mode in modes(&authority) {
        let server = start(&mode, Some(TOKEN));
        for (token, said) in [
            (
                Some("wrong"),
                "error: localhost:[..]: the token is wrong; give the server's with --token-env or --token-file\n",
            ),
            (
                None,
                "error: localhost:[..]: the server requires a token; give it with --token-env or --token-file\n",
            ),
        ] {
            for verb in ["ping", "quit"] {
                client(verb, &mode, &server, token).assert().code(4).stdout_eq("").stderr_eq(said);
            }
            client("send", &mode, &server, token)
                .args(["--json", r#"[["LD_register_variable", {"name": "x", "value": 1}]]"#])
                .assert()
                .code(4)
                .stdout_eq("")
                .stderr_eq(said);
        }
        client("ping", &mode, &server, Some(TOKEN)).assert().success();
    }
}

#[test]
fn an_action_that_fails_ends_with_1_and_the_others_run() {
    let server = Server::start(&[], None);
    ldctl()
        .args(["send", "-", "--port", &server.port()])
        .stdin(r#"[["LD_nope"], ["len", ["abc"]]]"#)
        .assert()
        .code(1)
        .stdout_eq(
            "LoadDensityTestExecuteException(\"executor received invalid data ['LD_nope']\")\n3\n",
        )
        .stderr_eq(
            "stdin:1:2: warning: actions[0]: unknown command \"LD_nope\"; `ldctl explain` lists them [unknown-command]\n\
             error: stdin: actions[0] LD_nope: executor received invalid data ['LD_nope']\n",
        );
}

#[test]
fn json_output_is_one_object_per_line_in_either_dialect() {
    let server = Server::start(&[], None);
    let send = || {
        ldctl()
            .args(["send", "--output", "json", "--json", r#"[["len", ["abc"]]]"#])
            .args(["--port", &server.port()])
    };
    send().assert().success().stdout_eq(
        r#"{"event":"accepted","protocol":1,"run":1,"actions":1,"state":"running"}
{"event":"started","index":0,"command":"len"}
{"event":"result","index":0,"command":"len","ok":true,"value":3}
{"event":"done","ok":true,"failed":0,"elapsed_s":[..],"run":1,"state":"passed"}
"#,
    );
    send().arg("--legacy").assert().success().stdout_eq(
        r#"{"event":"line","ok":true,"text":"3"}
{"event":"done","ok":true,"failed":0,"elapsed_s":[..]}
"#,
    );
}

#[test]
fn quiet_prints_only_errors_and_keeps_the_exit_code() {
    let server = Server::start(&[], None);
    ldctl()
        .args(["send", "--quiet", "--json", r#"[["LD_nope"]]"#, "--port", &server.port()])
        .assert()
        .code(1)
        .stdout_eq("")
        .stderr_eq(
            "error: --json: actions[0] LD_nope: executor received invalid data ['LD_nope']\n",
        );
}

#[test]
fn a_client_certificate_is_asked_for_and_accepted() {
    let authority = Authority::new();
    let file = |name| authority.file(name);
    let server = Server::start(
        &[
            "--tls-cert",
            &file("server.pem"),
            "--tls-key",
            &file("server.key"),
            "--tls-client-ca",
            &file("ca.pem"),
        ],
        None,
    );
    let ping =
        || ldctl().args(["ping", "--tls", "--tls-ca", &file("ca.pem"), "--port", &server.port()]);
    ping()
        .args(["--tls-cert", &file("client.pem"), "--tls-key", &file("client.key")])
        .assert()
        .success();
    ping()
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq("error: localhost:[..]: the server requires a client certificate; give one with --tls-cert and --tls-key\n");
}

#[test]
fn a_python_client_of_the_references_documentation_works_framed_and_under_tls() {
    if !installed("python3") {
        return;
    }
    let authority = Authority::new();
    for mode in modes(&authority).iter().filter(|mode| mode.name.starts_with("framed")) {
        let server = start(mode, Some(TOKEN));
        let secure = mode.name.ends_with("TLS").then(|| authority.file("ca.pem"));
        snapbox::cmd::Command::new("python3")
            .args(["tests/python/client.py", &server.port(), TOKEN, CLEAR_AND_SUM])
            .args(secure)
            .env("PYTHONUTF8", "1")
            .timeout(DEADLINE)
            .assert()
            .success()
            .stdout_eq("{'status': 'cleared'}\n3\n")
            .stderr_eq("");
    }
}
