//! A core dump holds the memory, and so the token.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command};

use super::*;
use crate::support::{ended, signal};

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
