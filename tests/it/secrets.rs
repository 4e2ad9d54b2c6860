//! Tokens, certificates and keys: where they come from, how they are replaced under a server that
//! runs, and that they are seen nowhere else.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::support::{Authority, Running, Server, Target, ended, ldctl, program, signal};

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
            "the token from the file [..]ldctl.token is empty: give it a value, or leave the token out",
        ),
        ("  \n", "line 1 of the token file [..]ldctl.token is blank: remove it"),
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
    ping(&server, "new\nold").code(4);
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
                "error: there is a credential {name} and none {missing}: give both, or neither\n"
            ));
    }
}

/// A server whose secrets lie in files that a test changes.
#[cfg(unix)]
struct Replaced {
    authority: Authority,
    server: Server,
    directory: TempDir,
}

#[cfg(unix)]
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
        let line = self.server.talk_with("reloaded ");
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

/// A file that only its owner can read.
#[cfg(unix)]
fn private(directory: &TempDir, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.path().join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file");
}

#[cfg(unix)]
const ALL: &str = "the certificate server.pem, its key server.key, the authorities ca.pem";

#[cfg(unix)]
#[test]
fn f08_a_reload_replaces_the_token_by_way_of_both() {
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

#[cfg(unix)]
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

#[cfg(unix)]
#[test]
fn f08_a_reload_with_anything_wrong_keeps_all_the_old() {
    let replaced = Replaced::start();
    let other = Authority::new();
    let sound: Vec<(&str, String)> = ["token", "server.pem", "server.key", "ca.pem"]
        .into_iter()
        .map(|name| (name, fs::read_to_string(replaced.directory.path().join(name)).expect("text")))
        .collect();
    let check = |said: &str| {
        let line = replaced.reload();
        let kept = format!("warning: reloaded nothing, all stays as it was: {said}");
        snapbox::assert_data_eq!(line, kept);
        assert_eq!(replaced.ping("old", "ca.pem"), Some(0), "{said}");
        assert_eq!(replaced.ping("new", "ca.pem"), Some(4), "{said}");
        for (name, text) in &sound {
            replaced.write(name, text);
        }
    };
    replaced.write("token", "");
    check("the token from the file token is empty: give it a value, or leave the token out");
    replaced.write("token", " \n");
    check("line 1 of the token file token is blank: remove it");
    fs::remove_file(replaced.directory.path().join("token")).expect("a file");
    check("cannot read the token file token: No such file or directory");
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

#[cfg(unix)]
#[test]
fn f08_a_run_goes_on_through_a_reload() {
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

#[cfg(unix)]
#[test]
fn f08_what_cannot_be_read_again_is_said() {
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
mod core_dump {
    //! A core dump holds the memory, and so the token.

    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, ChildStdout, Command};

    use super::*;

    /// `ldctl` where as much may be dumped as the caller's limits allow. It is killed with the test.
    struct Victim {
        child: Child,
        stdout: BufReader<ChildStdout>,
        directory: TempDir,
    }

    impl Victim {
        fn start(args: &[&str]) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let mut child = Command::new("sh")
                .args(["-c", "ulimit -c $(ulimit -H -c) && echo ready && exec \"$0\" \"$@\""])
                .arg(env!("CARGO_BIN_EXE_ldctl"))
                .args(args)
                .env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret")
                .env_remove("CREDENTIALS_DIRECTORY")
                .current_dir(directory.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a shell");
            let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
            let mut victim = Self { child, stdout, directory };
            assert_eq!(victim.line(), "ready\n");
            victim
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.stdout.read_line(&mut line).expect("a line");
            line
        }

        /// What the kernel says of it: soft and hard limit.
        fn limit(&self) -> String {
            let path = format!("/proc/{}/limits", self.child.id());
            let limits = fs::read_to_string(path).expect("a process");
            let line = limits.lines().find(|line| line.starts_with("Max core file size"));
            let words: Vec<&str> = line.expect("a limit").split_whitespace().collect();
            words[4..6].join(" ")
        }

        /// Crashes it; says whether the kernel dumped it, to whatever place, and what lies in its
        /// directory.
        fn crash(mut self) -> (bool, usize) {
            // SIGSEGV from outside would only be looked at by the language's own handler.
            signal("ABRT", self.child.id());
            let ended = ended(&mut self.child);
            assert_eq!(ended.signal(), Some(6));
            let files = fs::read_dir(self.directory.path()).expect("a directory").count();
            (ended.core_dumped(), files)
        }
    }

    impl Drop for Victim {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// A program that sets itself no limit is dumped here, unless the machine dumps nothing.
    fn control() {
        let victim = Victim::start(&["lint", "-"]);
        if victim.limit().ends_with(" 0") {
            eprintln!("the hard limit is 0: only the limit is proved here");
            return;
        }
        assert!(victim.crash().0, "a program without a limit left no core: what is proved here?");
    }

    #[track_caller]
    fn check(victim: Victim) {
        // A hard limit of 0 cannot be raised.
        assert!(["1 1", "0 0"].contains(&victim.limit().as_str()), "{}", victim.limit());
        assert_eq!(victim.crash(), (false, 0));
    }

    #[test]
    fn t25_a_crashed_server_leaves_no_core() {
        control();
        let mut server = Victim::start(&["serve", "--port", "0"]);
        let started = server.line();
        assert!(started.starts_with("Server started on "), "{started}");
        check(server);
    }

    #[test]
    fn t25_a_crashed_client_leaves_no_core() {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = silent.local_addr().expect("an address").port().to_string();
        for verb in [&["ping"][..], &["quit"], &["send", "--json", "[[\"LD_summary\"]]"]] {
            let client = Victim::start(&[verb, &["--host", "127.0.0.1", "--port", &port]].concat());
            let connection = silent.accept().expect("a client");
            check(client);
            drop(connection);
        }
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

#[cfg(target_os = "linux")]
#[test]
fn without_a_terminal_a_prompt_is_refused_with_what_to_give_instead() {
    // A session of its own has no terminal, whoever runs the test.
    let mut command = std::process::Command::new("setsid");
    command.args(["--wait", env!("CARGO_BIN_EXE_ldctl"), "ping", "--token-prompt"]);
    let (code, stdout, stderr) = Running::of(command.stdin(Stdio::null())).end();
    assert_eq!((code, stdout), (Some(2), Vec::<String>::new()));
    snapbox::assert_data_eq!(
        stderr.join("\n"),
        "error: cannot ask for the token on a terminal ([..]): give it with --token-env or \
         --token-file"
    );
}

#[cfg(target_os = "linux")]
mod memory {
    //! What a server's memory holds of the token once it has read it: what the next bug might show.

    use std::io::{Read, Seek, SeekFrom, Write};
    use std::net::{Shutdown, TcpStream};
    use std::time::Instant;

    use super::*;
    use crate::support::DEADLINE;

    const CANARY: &str = "canary-in-memory-58d1c7";

    /// How often the canary stands in what a process has written to its memory.
    fn found(process: u32) -> usize {
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("its mappings");
        let mut memory = fs::File::open(format!("/proc/{process}/mem")).expect("its memory");
        let number = |text: &str| u64::from_str_radix(text, 16).expect("an address");
        let mut found = 0;
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (from, to) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
            let (from, to) = (number(from), number(to));
            let mut bytes = vec![0; usize::try_from(to - from).expect("a size")];
            memory.seek(SeekFrom::Start(from)).expect("its memory");
            // What a guard page or the kernel holds back was not written by the process.
            if memory.read_exact(&mut bytes).is_ok() {
                found += memchr::memmem::find_iter(&bytes, CANARY).count();
            }
        }
        found
    }

    /// Waits until the last connection has ended, which is a moment after its reply: from then on the
    /// server does nothing, so what it still holds stays.
    fn forgets(process: u32) {
        let until = Instant::now() + DEADLINE;
        while found(process) > 0 {
            assert!(Instant::now() < until, "the server holds the token {} times", found(process));
        }
    }

    /// Sends a request in pieces and reads the reply to its end.
    fn ask(port: &str, pieces: &[&[u8]]) -> String {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a server");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        for piece in pieces {
            stream.write_all(piece).expect("a server that listens");
        }
        stream.shutdown(Shutdown::Write).expect("a socket");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        reply
    }

    fn frame(body: &str) -> Vec<u8> {
        [&u32::try_from(body.len()).expect("short").to_be_bytes(), body.as_bytes()].concat()
    }

    #[test]
    fn t25_a_servers_memory_does_not_keep_the_token() {
        let directory = tempfile::tempdir().expect("a directory");
        private(&directory, "token", CANARY);
        let path = directory.path().join("token").display().to_string();
        let server = Server::start(&["--token-file", &path], None);
        let port = server.port();
        let filler = "x".repeat(100_000);
        for (request, reply) in [
            (format!(r#"{{"token":"{CANARY}","op":"ping","reply":"events"}}"#), r#""pong""#),
            (format!(r#"{{"token":"{CANARY}","command":[["len",["{filler}"]]]}}"#), "100000"),
            (format!(r#"{{"command":[["len",["abc"]]],"token":"{CANARY}"}}"#), "3"),
            (format!(r#"{{"token":"{CANARY}x","op":"ping"}}"#), "Error: unauthorised"),
            (format!(r#"{{"token":"{CANARY}","op":"ping","bad":"#), "Error: "),
        ] {
            let bytes = frame(&request);
            assert!(ask(&port, &[&bytes]).contains(reply), "{request:.80}");
            let (first, rest) = bytes.split_at(40);
            assert!(ask(&port, &[first, rest]).contains(reply), "{request:.80}");
            assert!(ask(&port, &[first]).is_empty(), "a reply to half a request");
            forgets(server.id());
        }
        // The environment is the one place out of reach, and proves that the search would find it.
        let server = Server::start(&[], Some(CANARY));
        assert_ne!(found(server.id()), 0);
    }
}
