//! Tokens, certificates and keys: where they come from, how they are replaced under a server that
//! runs, and that they are seen nowhere else.

#[cfg(unix)]
mod canary;
#[cfg(target_os = "linux")]
mod core_dump;
#[cfg(unix)]
mod local_users;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(unix)]
mod outputs;
#[cfg(unix)]
mod reload;
mod timing;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::support::{Authority, Running, Server, ldctl, program};

/// A directory as systemd makes it, with these credentials.
fn credentials(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a file");
        // Other than a token file, a credential may have the group's bit: it is how systemd gives
        // one to a user by an access list.
        open_to_the_group(&path);
    }
    directory
}

#[cfg(unix)]
fn open_to_the_group(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o440)).expect("a file");
}

#[cfg(not(unix))]
fn open_to_the_group(_path: &Path) {}

fn serve(args: &[&str], credentials: &TempDir) -> Server {
    let mut command = program(&["serve", "--port", "0"]);
    command.args(args).env("CREDENTIALS_DIRECTORY", credentials.path()).stdin(Stdio::null());
    Server::listening(Running::of(&mut command))
}

fn ping(server: &Server, token: &str) -> snapbox::cmd::OutputAssert {
    ldctl()
        .args(["ping", "--port", &server.port()])
        .env("LOAD_DENSITY_SOCKET_TOKEN", token)
        .assert()
}

#[test]
fn a_server_and_a_client_take_the_token_from_systemds_credentials() {
    let directory = credentials(&[("ldctl.token", "s3cret\n")]);
    let server = serve(&[], &directory);
    ping(&server, "s3cret").success();
    ping(&server, "other").code(4);
    ldctl()
        .args(["ping", "--port", &server.port()])
        .env("CREDENTIALS_DIRECTORY", directory.path())
        // Inherited, where the credential was given to this service alone.
        .env("LOAD_DENSITY_SOCKET_TOKEN", "other")
        .assert()
        .success()
        .stderr_eq("");
}

#[test]
fn a_source_on_the_command_line_is_taken_before_a_credential() {
    let directory = credentials(&[("ldctl.token", "s3cret\n")]);
    let server = serve(&["--token", "named"], &directory);
    ping(&server, "named").success();
    ping(&server, "s3cret").code(4);
}

#[test]
fn a_credential_that_holds_no_token_starts_no_open_server() {
    for (text, said) in [
        (
            "",
            "the token from the file [..]ldctl.token is empty; give it a value, or leave the token out",
        ),
        ("  \n", "line 1 of the token file [..]ldctl.token is blank; remove it"),
    ] {
        let directory = credentials(&[("ldctl.token", text)]);
        ldctl()
            .args(["serve", "--port", "0"])
            .env("CREDENTIALS_DIRECTORY", directory.path())
            .assert()
            .code(2)
            .stdout_eq("")
            .stderr_eq(format!("error: {said}\n"));
    }
}

#[test]
fn while_a_token_is_replaced_a_server_accepts_both_and_a_client_sends_the_first() {
    let (both, new) =
        (credentials(&[("ldctl.token", "new\nold\n")]), credentials(&[("ldctl.token", "new\n")]));
    let server = serve(&[], &both);
    ping(&server, "new").success();
    ping(&server, "old").success();
    // A variable follows the same rules as a file: the first line is the token to send.
    ping(&server, "new\nold").success();
    let server = serve(&[], &new);
    ping(&server, "old").code(4);
    ldctl()
        .args(["ping", "--port", &server.port()])
        .env("CREDENTIALS_DIRECTORY", both.path())
        .assert()
        .success();
}

#[test]
fn certificate_and_key_among_the_credentials_turn_tls_on() {
    let authority = Authority::new();
    let text = |name| fs::read_to_string(authority.file(name)).expect("a file");
    let (cert, key) = (text("server.pem"), text("server.key"));
    let directory = credentials(&[("ldctl.crt", &cert), ("ldctl.key", &key)]);
    let server = serve(&[], &directory);
    ldctl()
        .args(["ping", "--tls", "--tls-ca", &authority.file("ca.pem"), "--port", &server.port()])
        .assert()
        .success();
    for (name, text, missing) in
        [("ldctl.crt", &cert, "ldctl.key"), ("ldctl.key", &key, "ldctl.crt")]
    {
        let directory = credentials(&[(name, text)]);
        ldctl()
            .args(["serve", "--port", "0"])
            .env("CREDENTIALS_DIRECTORY", directory.path())
            .assert()
            .code(2)
            .stdout_eq("")
            .stderr_eq(format!(
                "error: there is a credential {name} and none {missing}; give both, or neither\n"
            ));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_terminal_a_prompt_is_refused_with_a_hint() {
    // A session of its own has no terminal, whoever runs the test.
    let mut command = std::process::Command::new("setsid");
    command.args(["--wait", env!("CARGO_BIN_EXE_ldctl"), "ping", "--token-prompt"]);
    let (code, stdout, stderr) = Running::of(command.stdin(Stdio::null())).end();
    assert_eq!((code, stdout), (Some(2), Vec::<String>::new()));
    snapbox::assert_data_eq!(
        stderr.join("\n"),
        "error: cannot ask for the token on a terminal ([..]); give it with --token-env or \
         --token-file"
    );
}

#[cfg(unix)]
/// A file that only its owner can read.
#[cfg(unix)]
fn private(directory: &TempDir, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.path().join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file");
}
