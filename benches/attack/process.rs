//! The processes that take part: the real server with what it uses, read from `/proc`, and the
//! crowd. Each is ended when this program is done with it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::TOKEN;
use crate::crowd::Plan;

/// What a process uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Resident memory, in bytes.
    pub(crate) memory: u64,
    /// The most resident memory so far, in bytes.
    pub(crate) peak: u64,
    /// CPU so far, user and system.
    pub(crate) cpu: Duration,
    /// Open descriptors.
    pub(crate) descriptors: usize,
}

impl Usage {
    fn of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
        let kibibytes = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).expect("a line");
            line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).expect(name)
        };
        let descriptors = fs::read_dir(format!("/proc/{process}/fd")).expect("a process").count();
        Self {
            memory: kibibytes("VmRSS:") * 1024,
            peak: kibibytes("VmHWM:") * 1024,
            cpu: cpu(process),
            descriptors,
        }
    }
}

/// CPU time so far. The program's name, in parentheses, may hold spaces; after it come the fields
/// from the third on, and the times are the 14th and 15th, in hundredths of a second.
fn cpu(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("a process");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks = |place: usize| fields[place - 3].parse::<u64>().expect("a number");
    Duration::from_millis((ticks(14) + ticks(15)) * 10)
}

/// `ldctl serve` on a free port.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    directory: tempfile::TempDir,
    tls: bool,
}

impl Server {
    /// Starts it and waits until it listens.
    pub(crate) fn start(ldctl: &Path, tls: bool, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let mut command = Command::new(ldctl);
        command.args(["serve", "--port", "0", "--token-env"]).args(more);
        if tls {
            let made =
                rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a cert");
            fs::write(path("cert.pem"), made.cert.pem()).expect("a file");
            fs::write(path("key.pem"), made.signing_key.serialize_pem()).expect("a file");
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(path("key.pem"), private).expect("a file");
            command.arg("--tls-cert").arg(path("cert.pem"));
            command.arg("--tls-key").arg(path("key.pem"));
        }
        command.arg("--data-dir").arg(directory.path()).env("LOAD_DENSITY_SOCKET_TOKEN", TOKEN);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server's program");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("a first line");
        // It says a line for every request; somebody takes them.
        thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        let port = first.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        Self { child, port: port.expect("a port in the first line"), directory, tls }
    }

    /// Its certificate, where it speaks TLS.
    pub(crate) fn certificate(&self) -> Option<PathBuf> {
        self.tls.then(|| self.directory.path().join("cert.pem"))
    }

    /// What it uses.
    pub(crate) fn usage(&self) -> Usage {
        Usage::of(self.child.id())
    }

    /// Its open descriptors once they are at most so many, or after half a minute.
    pub(crate) fn descriptors_below(&self, most: usize) -> usize {
        let started = Instant::now();
        loop {
            let open = self.usage().descriptors;
            if open <= most || started.elapsed() > Duration::from_secs(30) {
                return open;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The attackers' process.
pub(crate) struct UserPool {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl UserPool {
    /// Starts it; it does nothing yet.
    pub(crate) fn start(plan: &Plan) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["user-pool", "--port", &plan.port.to_string()]);
        command.args(["--connections", &plan.connections.to_string(), "--kinds", &plan.kinds()]);
        if let Some(stub) = plan.stub {
            command.args(["--stub", &stub.to_string()]);
        }
        if let Some(certificate) = &plan.certificate {
            command.arg("--certificate").arg(certificate);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this program");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, stdout }
    }

    /// Tells it to begin and waits until all are there.
    pub(crate) fn begin(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(b"\n").expect("a crowd");
        assert_eq!(self.line(), "there");
    }

    /// Its CPU so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu(self.child.id())
    }

    /// Ends it: what it did.
    pub(crate) fn end(&mut self) -> String {
        drop(self.child.stdin.take());
        let done = self.line();
        let _ = self.child.wait();
        done
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a crowd");
        line.trim().to_owned()
    }
}

impl Drop for UserPool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
