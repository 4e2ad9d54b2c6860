//! SIGHUP: new tokens and certificates in a server that runs, and the old ones when anything is wrong.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::private;
use crate::support::{Authority, Running, Server, Target, ldctl, program, signal};

/// A server whose secrets lie in files that a test changes.
struct Replaced {
    authority: Authority,
    server: Server,
    directory: TempDir,
}

impl Replaced {
    /// With the token `old`, a certificate, and certificates asked of clients.
    fn start() -> Self {
        let (authority, directory) = (Authority::new(), tempfile::tempdir().expect("a directory"));
        let path = |name: &str| directory.path().join(name).display().to_string();
        private(&directory, "token", "old\n");
        for name in ["server.pem", "server.key", "ca.pem"] {
            fs::copy(authority.file(name), path(name)).expect("a file");
        }
        let server = Server::start(
            &[
                "--token-file",
                &path("token"),
                "--tls-cert",
                &path("server.pem"),
                "--tls-key",
                &path("server.key"),
                "--tls-client-ca",
                &path("ca.pem"),
            ],
            None,
        );
        Self { authority, server, directory }
    }

    /// Makes the server read its files again, and gives the line that it says about that.
    fn reload(&self) -> String {
        signal("HUP", self.server.id());
        let line = self.server.talk_with("reload");
        line.replace(&format!("{}/", self.directory.path().display()), "")
    }

    /// Asks with a token, trusting the authority in this file.
    fn ping(&self, token: &str, authority: &str) -> Option<i32> {
        let file = |name| self.authority.file(name);
        ldctl()
            .args(["ping", "--port", &self.server.port(), "--tls", "--tls-ca", &file(authority)])
            .args(["--tls-cert", &file("client.pem"), "--tls-key", &file("client.key")])
            .env("LOAD_DENSITY_SOCKET_TOKEN", token)
            .output()
            .expect("the program")
            .status
            .code()
    }

    /// Writes one of the server's files.
    fn write(&self, name: &str, text: &str) {
        private(&self.directory, name, text);
    }

    /// Puts one of another authority's files in the place of the server's.
    fn take(&self, name: &str, other: &Authority) {
        self.write(name, &fs::read_to_string(other.file(name)).expect("a file"));
    }
}

const ALL: &str = "the certificate server.pem, its key server.key, the authorities ca.pem";

#[test]
fn f08_a_reload_replaces_the_token_in_steps_that_accept_both() {
    let replaced = Replaced::start();
    let ping = |token| replaced.ping(token, "ca.pem");
    assert_eq!((ping("old"), ping("new")), (Some(0), Some(4)));
    replaced.write("token", "new\nold\n");
    assert_eq!(replaced.reload(), format!("note: reloaded both tokens in token, {ALL}"));
    assert_eq!((ping("old"), ping("new")), (Some(0), Some(0)));
    replaced.write("token", "new\n");
    assert_eq!(replaced.reload(), format!("note: reloaded the token in token, {ALL}"));
    assert_eq!((ping("old"), ping("new")), (Some(4), Some(0)));
}

#[test]
fn f08_a_reload_replaces_certificate_key_and_client_authority() {
    let replaced = Replaced::start();
    let other = Authority::new();
    for name in ["server.pem", "server.key", "ca.pem"] {
        replaced.take(name, &other);
    }
    assert_eq!(replaced.ping("old", "ca.pem"), Some(0));
    assert_eq!(replaced.reload(), format!("note: reloaded the token in token, {ALL}"));
    // The server shows another certificate, and lets in the clients of another authority.
    assert_eq!(replaced.ping("old", "ca.pem"), Some(3));
    let Replaced { server, directory, .. } = replaced;
    let replaced = Replaced { authority: other, server, directory };
    assert_eq!(replaced.ping("old", "ca.pem"), Some(0));
}

#[test]
fn f08_a_reload_with_an_error_changes_nothing() {
    let replaced = Replaced::start();
    let other = Authority::new();
    let sound: Vec<(&str, String)> = ["token", "server.pem", "server.key", "ca.pem"]
        .into_iter()
        .map(|name| (name, fs::read_to_string(replaced.directory.path().join(name)).expect("text")))
        .collect();
    let check = |said: &str| {
        let line = replaced.reload();
        let kept = format!("warning: reload failed, nothing changed: {said}");
        snapbox::assert_data_eq!(line, kept);
        assert_eq!(replaced.ping("old", "ca.pem"), Some(0), "{said}");
        assert_eq!(replaced.ping("new", "ca.pem"), Some(4), "{said}");
        for (name, text) in &sound {
            replaced.write(name, text);
        }
    };
    replaced.write("token", "");
    check("the token from the file token is empty; give it a value, or leave the token out");
    replaced.write("token", " \n");
    check("line 1 of the token file token is blank; remove it");
    fs::remove_file(replaced.directory.path().join("token")).expect("a file");
    check("cannot read the token file token: No such file or directory");
    replaced.write("token", "new\n");
    let open = |name: &str, mode| {
        use std::os::unix::fs::PermissionsExt;
        let path = replaced.directory.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file");
    };
    open("token", 0o622);
    check("other users can write to the token file token; run chmod 600 [..]token");
    replaced.write("token", "new\n");
    open("server.key", 0o604);
    check("other users can read the key file server.key; run chmod 600 [..]server.key");
    replaced.write("token", "new\n");
    open("server.pem", 0o646);
    check(
        "other users can write to the certificate file server.pem; run chmod go-w [..]server.pem",
    );
    replaced.write("token", "new\n");
    replaced.write("server.pem", "-----BEGIN CERTIFICATE-----\nbroken");
    check("server.pem: cannot be read as PEM ([..]); give a readable PEM file");
    replaced.write("token", "new\n");
    replaced.take("server.pem", &other);
    check("server.pem and server.key: [..]; give a certificate and its own key");
    replaced.write("token", "new\n");
    replaced.write("ca.pem", "");
    check("ca.pem: no certificate in it; give a PEM file with a CERTIFICATE block");
}

#[test]
fn f08_a_run_continues_during_a_reload() {
    let target = Target::start();
    let directory = tempfile::tempdir().expect("a directory");
    private(&directory, "token", "old");
    let path = directory.path().join("token").display().to_string();
    let server = Server::start(&["--token-file", &path], None);
    let document = format!(
        r#"[["LD_start_test", {{"user_detail_dict": {{"user": "fast_http_user", "host": "{}"}},
            "user_count": 1, "spawn_rate": 100, "test_time": 3600,
            "tasks": [{{"method": "get", "request_url": "/"}}]}}]]"#,
        target.url()
    );
    let port = server.port();
    let client = Running::start(
        &["send", "--output", "json", "--port", &port, "--json", &document],
        Some("old"),
    );
    client.line_with(r#""event":"progress""#);
    private(&directory, "token", "new");
    signal("HUP", server.id());
    server.talk_with("note: reloaded the token in ");
    client.line_with(r#""event":"progress""#);
    ldctl()
        .args(["quit", "--port", &port])
        .env("LOAD_DENSITY_SOCKET_TOKEN", "new")
        .assert()
        .success();
    client.line_with(r#""event":"done""#);
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn f08_a_reload_reports_secrets_that_cannot_be_reloaded() {
    let authority = Authority::new();
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let secure = ["--tls-cert", &cert, "--tls-key", &key];
    let variable = "the token from the variable LOAD_DENSITY_SOCKET_TOKEN stays until a restart";
    for (args, token, said) in [
        (&[][..], Some("s3cret"), format!("nothing to reload: {variable}")),
        (
            &secure,
            Some("s3cret"),
            format!("reloaded the certificate {cert}, its key {key}; {variable}"),
        ),
        (&[], None, "nothing to reload: there is neither a token nor a certificate".to_owned()),
        (
            &["--token", "s3cret"],
            None,
            "nothing to reload: the token from --token stays until a restart".to_owned(),
        ),
    ] {
        let server = Server::start(args, token);
        signal("HUP", server.id());
        assert_eq!(server.talk_with("note: "), format!("note: {said}"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn f08_a_terminal_that_hangs_up_ends_the_server_instead() {
    use std::os::unix::ffi::OsStrExt;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    // Not for the programs that are started meanwhile, or it would stay.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = openpt(flags).expect("a terminal");
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("a terminal");
    let name = ptsname(&terminal, Vec::new()).expect("its name");
    let open = || {
        let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
        fs::File::options().read(true).write(true).open(path).expect("its other end")
    };
    let mut command = program(&["serve", "--port", "0"]);
    let server = Server::listening(Running::of(command.stdin(open())));
    // The command would hold the terminal's other end open.
    drop(command);
    signal("HUP", server.id());
    server.talk_with("note: nothing to reload");
    drop(terminal);
    signal("HUP", server.id());
    let (code, stdout, _) = server.end();
    assert_eq!((code, stdout), (Some(0), vec!["Server shutdown complete".to_owned()]));
}
