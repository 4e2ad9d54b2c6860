//! Programs that run beside the test: their lines as they come, signals, and an end on every path.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{CALLERS, DEADLINE};

/// The warning of a server without a token.
pub(crate) const WITHOUT_TOKEN: &str = "warning: without a token, any local user can use this port; \
                                        --token-file or --token-env prevents that";

/// A program that runs. It is killed when the test is done with it.
pub(crate) struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    /// Starts `ldctl`.
    pub(crate) fn start(args: &[&str], token: Option<&str>) -> Self {
        let mut command = program(args);
        if let Some(token) = token {
            command.env("LOAD_DENSITY_SOCKET_TOKEN", token);
        }
        Self::of(command.stdin(Stdio::null()))
    }

    /// Starts a program that the test has prepared.
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::with_stderr(command.stderr(Stdio::piped()))
    }

    /// The same, where the test has said what stderr is.
    pub(crate) fn with_stderr(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program");
        let stdout = lines(child.stdout.take().expect("a pipe"));
        let stderr = child.stderr.take().map_or_else(|| channel().1, lines);
        Self { child, stdout, stderr }
    }

    /// The next line on stdout that holds a text.
    pub(crate) fn line_with(&self, text: &str) -> String {
        self.next_with(&self.stdout, text)
    }

    /// The next line on stderr that holds a text.
    pub(crate) fn talk_with(&self, text: &str) -> String {
        self.next_with(&self.stderr, text)
    }

    fn next_with(&self, lines: &Receiver<String>, text: &str) -> String {
        let until = Instant::now() + DEADLINE;
        let mut others = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => others.push(line),
                Err(why) => {
                    let talk = self.talk();
                    panic!("no line with {text:?}: {why}; read {others:?}; stderr: {talk:?}");
                }
            }
        }
    }

    /// The process, for signals.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end: the exit code, and what is left on stdout and stderr.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<String>, Vec<String>) {
        let code = wait(&mut self.child);
        (code, self.stdout.iter().collect(), self.stderr.iter().collect())
    }

    fn talk(&self) -> Vec<String> {
        self.stderr.try_iter().collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `ldctl` without what is the caller's own.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldctl"));
    command.args(args);
    without_callers(command)
}

/// The same after a line of shell, which may set limits for it.
pub(crate) fn after(shell: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!(r#"{shell}; exec "$0" "$@""#), env!("CARGO_BIN_EXE_ldctl")]);
    without_callers(command)
}

fn without_callers(mut command: Command) -> Command {
    for name in CALLERS {
        command.env_remove(name);
    }
    command
}

/// `ldctl serve` on a free port.
pub(crate) struct Server {
    running: Running,
    port: u16,
}

impl Server {
    /// Starts it and waits until it listens.
    pub(crate) fn start(args: &[&str], token: Option<&str>) -> Self {
        Self::listening(Running::start(&[&["serve", "--port", "0"], args].concat(), token))
    }

    /// The same after a line of shell, which may set limits for it.
    pub(crate) fn start_after(shell: &str, args: &[&str]) -> Self {
        let mut command = after(shell);
        command.args(["serve", "--port", "0"]).args(args);
        Self::listening(Running::of(command.stdin(Stdio::null())))
    }

    /// Waits until a server that the test has started listens.
    pub(crate) fn listening(running: Running) -> Self {
        let started = running.line_with("Server started on ");
        let port = started.rsplit(':').next().and_then(|port| port.parse().ok());
        Self { running, port: port.expect("a port") }
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> String {
        self.port.to_string()
    }

    /// The process, for signals.
    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    /// The next line on stderr that holds a text.
    pub(crate) fn talk_with(&self, text: &str) -> String {
        self.running.talk_with(text)
    }

    /// Waits for its end: the exit code, and what is left on stdout and stderr.
    pub(crate) fn end(self) -> (Option<i32>, Vec<String>, Vec<String>) {
        self.running.end()
    }
}

/// Waits for a program's end: its exit code.
pub(crate) fn wait(child: &mut Child) -> Option<i32> {
    ended(child).code()
}

/// Waits for a program's end: all that is known of it.
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + DEADLINE;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("a child");
    panic!("it did not end");
}

/// Waits until something is so.
pub(crate) fn soon_true(mut so: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !so() {
        assert!(Instant::now() < until, "it never came to be so");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal by name (`TERM`, `INT`).
pub(crate) fn signal(name: &str, process: u32) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {process}")])
        .status()
        .expect("a shell");
    assert!(sent.success());
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
