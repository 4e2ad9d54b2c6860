//! Servers under names, from the command line: `ldctl context`, `--server` and their variables.

use std::fs;
use std::path::Path;

use snapbox::cmd::Command;

use crate::support::{Server, ldctl, make_private, program, wait};

/// The program with its settings in this directory.
fn with_settings(directory: &Path, arguments: &[&str]) -> Command {
    ldctl().env("XDG_CONFIG_HOME", directory).args(arguments)
}

fn run(directory: &Path, line: &str) -> Command {
    with_settings(directory, &line.split(' ').collect::<Vec<_>>())
}

#[test]
fn a_server_is_asked_by_the_name_of_its_context() {
    let server = Server::start(&["--token-env"], Some("sesame"));
    let data = tempfile::tempdir().expect("a directory");
    let settings = data.path();
    let token = settings.join("token");
    fs::write(&token, "sesame\n").expect("a file");
    make_private(&token);
    let (port, token) = (server.port(), token.display().to_string());
    run(settings, "ping").assert().code(3);
    let add = format!("context add here --server localhost:{port} --token-file {token} --current");
    let kept = "note: kept here, which is the current context\n";
    run(settings, &add).assert().success().stdout_eq("").stderr_eq(kept);
    run(settings, &add)
        .assert()
        .code(2)
        .stderr_eq("error: there is a context here; remove it first with ldctl context rm here\n");
    run(settings, "context add other --server [::1]:1 --tls").assert().success();
    let list = format!("* here   localhost:{port}\n  other  [::1]:1  TLS\n");
    run(settings, "context ls").assert().success().stdout_eq(list);
    let pong = format!("ldctl [..] at localhost:{port}, [..]\n");
    run(settings, "ping").assert().success().stdout_eq(pong.clone());
    run(settings, "context use other").assert().success();
    run(settings, "ping --timeout 1").assert().code(3);
    run(settings, "ping --context here").assert().success().stdout_eq(pong.clone());
    let by_variable = run(settings, "ping").env("LDCTL_CONTEXT", "here");
    by_variable.assert().success().stdout_eq(pong.clone());
    // Another server never gets the token of the context.
    let elsewhere = format!("ping localhost:{port}");
    run(settings, "context use here").assert().success();
    run(settings, &elsewhere).assert().code(4);
    let variable = run(settings, "ping").env("LDCTL_SERVER", format!("127.0.0.1:{port}"));
    variable.assert().code(4);
    run(settings, "context rm here").assert().success();
    run(settings, "context show")
        .assert()
        .code(2)
        .stderr_eq("error: there is no current context; name one, or run ldctl context use NAME\n");
    run(settings, "ping --context here")
        .assert()
        .code(2)
        .stderr_eq("error: no context is called \"here\" (there are other)\n");
    let quit = format!("quit --server localhost:{port} --token-file {token}");
    run(settings, &quit).assert().success();
    server.end();
}

#[test]
fn a_context_holds_no_token_and_what_fits_together() {
    let data = tempfile::tempdir().expect("a directory");
    let settings = data.path();
    for (line, words) in [
        ("context add a --server h --token sesame", "unexpected argument '--token'"),
        ("context add a --server h --tls-ca ca.pem", "--tls-ca has no effect without --tls"),
        ("context add a --server h --tls --tls-cert c", "--tls-cert is given without --tls-key"),
        ("context add a/b --server h", "expected 1 to 64 letters"),
        ("context add a --server http://h", "a server has no scheme"),
        ("context use a", "no context is called \"a\" (there are none; run ldctl context add)"),
        ("ping --server h --port 1", "cannot be used with"),
    ] {
        let refused = run(settings, line).assert().code(2);
        let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(told.contains(words), "{line}: {told}");
    }
    assert!(!settings.join("ldctl").exists());
    let add = "context add a --server h --tls --tls-ca ca.pem --token-env TOKEN";
    run(settings, add).current_dir(settings).assert().success();
    let shown = run(settings, "context show a -o json").assert().success();
    let shown: serde_json::Value =
        serde_json::from_slice(&shown.get_output().stdout).expect("JSON");
    assert_eq!((&shown["server"], &shown["token_env"]), (&"h:9940".into(), &"TOKEN".into()));
    let ca = shown["tls_ca"].as_str().expect("a path");
    assert!(Path::new(ca).is_absolute(), "{ca}");
    run(settings, "ping --context a")
        .assert()
        .code(2)
        .stderr_eq("error: TOKEN is not set; export it, or drop --token-env\n");
}

#[test]
fn a_damaged_file_of_contexts_is_named_and_not_read_where_a_server_is() {
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("ldctl/contexts.json");
    fs::create_dir(data.path().join("ldctl")).expect("a directory");
    fs::write(&file, "{\n \"token\": \"sesame\"}").expect("a file");
    make_private(&file);
    let refused = run(data.path(), "ping").assert().code(2);
    let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    let words = format!("{} is damaged: unknown field `token`", file.display());
    assert!(told.contains(&words) && told.contains("at line 2 column 8"), "{told}");
    run(data.path(), "ping localhost:1 --timeout 1").assert().code(3);
}

#[test]
fn contexts_that_are_added_at_once_are_all_kept() {
    let data = tempfile::tempdir().expect("a directory");
    let add = |number: usize| {
        let mut command =
            program(&["context", "add", &format!("c{number}"), "--server", "h", "--current"]);
        command.env("XDG_CONFIG_HOME", data.path()).spawn().expect("the program")
    };
    let mut adding: Vec<_> = (0..20).map(add).collect();
    adding.iter_mut().for_each(|child| assert_eq!(wait(child), Some(0)));
    let shown = run(data.path(), "context ls").assert().success();
    let shown = String::from_utf8_lossy(&shown.get_output().stdout).into_owned();
    assert_eq!(shown.lines().count(), 20, "{shown}");
}

#[test]
fn a_contexts_token_goes_to_no_server_that_half_an_option_names() {
    let data = tempfile::tempdir().expect("a directory");
    run(data.path(), "context add prod --server prod.example:1 --token-env T").assert().success();
    for half in ["--port 1", "--host localhost", "--host localhost --port 1"] {
        let status = run(data.path(), &format!("status --context prod {half}")).env("T", "sekret");
        let refused = status.assert().code(2);
        let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(told.contains("give --server HOST:PORT to send its token elsewhere"), "{told}");
    }
}

#[test]
fn adding_and_choosing_a_context_says_what_was_done_and_what_is_missing() {
    let data = tempfile::tempdir().expect("a directory");
    let kept = "note: kept prod; `ldctl context use prod` makes it the current one\n";
    run(data.path(), "context add prod prod.example:1").assert().success().stderr_eq(kept);
    let chosen = "note: prod is the current context\n";
    run(data.path(), "context use prod").assert().success().stderr_eq(chosen);
    run(data.path(), "context show").assert().success().stdout_eq(
        "name            prod\ncurrent         yes\nserver          prod.example:1\nfile            [..]\n",
    );
    run(data.path(), "context add next h:2 --current --token-file /nonexistent/token")
        .assert()
        .success()
        .stderr_eq(
            "warning: the token file /nonexistent/token is not there yet\n\
             note: kept next, which is the current context\n",
        );
    run(data.path(), "context add none").assert().code(2);
    run(data.path(), "context add both h:1 --server h:2").assert().code(2);
}
