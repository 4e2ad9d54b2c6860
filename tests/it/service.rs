//! The server as a service: what it tells the service manager, and the sockets that it takes over.
//! The manager is this test: it speaks systemd's protocol (sd_notify(3), sd_listen_fds(3)).
#![cfg(target_os = "linux")]

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use ldctl::memory::{half_of_machine, readable};

use crate::support::{DEADLINE, Running, Target, ldctl, program, signal};

/// Listens where `NOTIFY_SOCKET` points.
struct Manager {
    socket: UnixDatagram,
    directory: TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = UnixDatagram::bind(directory.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        Self { socket, directory }
    }

    /// `ldctl serve` on a free port, with variables of the manager.
    fn start(&self, variables: &[(&str, &str)]) -> Running {
        let mut command = program(&["serve", "--port", "0"]);
        command.env("NOTIFY_SOCKET", self.path()).envs(variables.iter().copied());
        Running::of(&mut command)
    }

    /// What `NOTIFY_SOCKET` holds.
    fn path(&self) -> PathBuf {
        self.directory.path().join("notify")
    }

    /// The next message.
    fn next(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).expect("a message before the deadline");
        let text = std::str::from_utf8(&bytes[..length]).expect("UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    /// The next message that holds an assignment.
    fn wait_for(&self, assignment: &str) -> Vec<String> {
        loop {
            let message = self.next();
            if message.iter().any(|line| line == assignment) {
                return message;
            }
        }
    }
}

#[test]
fn it_is_ready_when_it_listens_and_says_when_it_stops() {
    let manager = Manager::new();
    let server = manager.start(&[]);
    let ready = manager.next();
    let port = port(&server);
    assert_eq!(
        ready,
        [
            "READY=1",
            &format!(
                "STATUS=Listening on localhost:{port}; 0 runs so far; no test running; memory below {}",
                readable(half_of_machine())
            )
        ]
    );
    signal("TERM", server.id());
    assert_eq!(manager.next(), ["STOPPING=1", "STATUS=Stopping"]);
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_quit_is_reported_before_the_end() {
    let manager = Manager::new();
    let server = manager.start(&[]);
    manager.wait_for("READY=1");
    ldctl().args(["quit", "--port", &port(&server)]).assert().success();
    manager.wait_for("STOPPING=1");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn the_status_shows_the_running_test() {
    let manager = Manager::new();
    let server = manager.start(&[]);
    let port = port(&server);
    let target = Target::start();
    let document = format!(
        r#"[["LD_start_test", {{"user_detail_dict": {{"user": "fast_http_user", "host": "{}"}},
            "user_count": 1, "spawn_rate": 1, "test_time": 3600,
            "tasks": [{{"method": "get", "request_url": "/"}}]}}]]"#,
        target.url()
    );
    let client = Running::start(&["send", "--port", &port, "--json", &document], None);
    manager.wait_for(&format!(
        "STATUS=Listening on localhost:{port}; run 1 in progress: LD_start_test; memory below {}",
        readable(half_of_machine())
    ));
    signal("TERM", server.id());
    manager.wait_for("STOPPING=1");
    assert_eq!(server.end().0, Some(0));
    drop(client);
}

#[test]
fn the_watchdog_is_fed_until_the_end() {
    let manager = Manager::new();
    let server = manager.start(&[("WATCHDOG_USEC", "40000")]);
    manager.wait_for("READY=1");
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
    signal("TERM", server.id());
    manager.wait_for("STOPPING=1");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let manager = Manager::new();
    let server = manager.start(&[("WATCHDOG_USEC", "2"), ("WATCHDOG_PID", "1")]);
    manager.wait_for("READY=1");
    port(&server);
    signal("TERM", server.id());
    assert_eq!(manager.next(), ["STOPPING=1", "STATUS=Stopping"]);
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_server_serves_even_if_the_service_manager_does_not_listen() {
    let manager = Manager::new();
    let server = manager.start(&[("NOTIFY_SOCKET", "no/such/socket")]);
    let port = port(&server);
    ldctl().args(["ping", "--port", &port]).assert().success();
    ldctl().args(["quit", "--port", &port]).assert().success();
    let (code, _, talk) = server.end();
    assert_eq!(code, Some(0));
    assert!(talk.iter().any(|line| line.contains("cannot notify the service manager")), "{talk:?}");
}

#[test]
fn an_inherited_socket_is_served_in_place_of_host_and_port() {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = socket.local_addr().expect("an address");
    // 192.0.2.1 is no address of this machine.
    let server = Running::with_stderr(&mut activated(
        socket.into(),
        None,
        &["serve", "--host", "192.0.2.1"],
    ));
    assert_eq!(server.line_with("Server started on "), format!("Server started on {address}"));
    ldctl().args(["ping", "--port", &address.port().to_string()]).assert().success();
    ldctl().args(["quit", "--port", &address.port().to_string()]).assert().success();
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn every_inherited_socket_is_served_and_no_test_may_be_turned_on_any_of_them() {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let (first, second) = (bind(), bind());
    let ports = [&first, &second].map(|socket| socket.local_addr().expect("an address").port());
    let server =
        Running::with_stderr(&mut activated(first.into(), Some(second.into()), &["serve"]));
    server.line_with("Server started on ");
    for port in ports {
        ldctl().args(["ping", "--port", &port.to_string()]).assert().success();
        let document = format!(
            r#"[["LD_start_test", {{"user_detail_dict": {{"user": "fast_http_user"}},
                "user_count": 1, "spawn_rate": 1, "test_time": 1,
                "tasks": [{{"method": "get", "request_url": "http://127.0.0.1:{}/"}}]}}],
                ["LD_generate_json"]]"#,
            ports[1]
        );
        let sent = ldctl().args(["send", "--port", &port.to_string(), "--json", &document]);
        let told = String::from_utf8(sent.output().expect("an end").stdout).expect("UTF-8");
        assert!(told.contains("own port"), "{told}");
    }
    ldctl().args(["quit", "--port", &ports[1].to_string()]).assert().success();
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn an_inherited_socket_that_is_open_to_the_network_needs_a_token() {
    let socket = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
    let address = socket.local_addr().expect("an address");
    check_refused(
        socket.into(),
        &format!(
            "error: the inherited socket {address} is open to the network and there is no token; \
             give one with --token-env or --token-file, or say --allow-unauthenticated"
        ),
    );
}

#[test]
fn an_inherited_socket_that_cannot_be_served_is_refused_with_a_hint() {
    let unix = UnixDatagram::unbound().expect("a socket");
    let unnamed = "error: cannot use a socket from the service manager (fd 3 is not a valid tcp \
                   socket); ListenStream= in the socket unit must name TCP ports or addresses";
    check_refused(unix.into(), unnamed);
    let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    check_refused(datagrams.into(), unnamed);

    let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let connection = TcpStream::connect(peer.local_addr().expect("an address")).expect("connected");
    check_refused(
        connection.into(),
        "error: the service manager handed over a socket that does not listen; say Accept=no in \
         the socket unit",
    );
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let theirs = socket.local_addr().expect("an address").port().to_string();
    let server =
        Running::with_stderr(&mut handed(socket.into(), None, "1", &["serve", "--port", "0"]));
    let ours = port(&server);
    assert_ne!(ours, theirs);
    ldctl().args(["quit", "--port", &ours]).assert().success();
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn the_command_line_of_the_unit_starts_a_server() {
    let unit = fs::read_to_string("packaging/ldctl.service").expect("a unit");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/ldctl "));
    let words: Vec<&str> = line.expect("a command line").split(' ').collect();
    let manager = Manager::new();
    let state = tempfile::tempdir().expect("a directory");
    let credentials = tempfile::tempdir().expect("a directory");
    fs::write(credentials.path().join("ldctl.token"), "s3cret\n").expect("a credential");
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = socket.local_addr().expect("an address").port().to_string();

    let data = state.path().to_str().expect("UTF-8");
    let args: Vec<&str> = words
        .into_iter()
        .map(|word| if word == "${STATE_DIRECTORY}" { data } else { word })
        .collect();
    let mut command = activated(socket.into(), None, &args);
    command
        .env("NOTIFY_SOCKET", manager.path())
        .env("WATCHDOG_USEC", "30000000")
        .env("STATE_DIRECTORY", data)
        .env("CREDENTIALS_DIRECTORY", credentials.path());
    let server = Running::of(&mut command);
    manager.wait_for("READY=1");
    ldctl().args(["ping", "--port", &port]).assert().code(4);
    let client = |verb: &[&str]| {
        let token = ("LOAD_DENSITY_SOCKET_TOKEN", "s3cret");
        ldctl().args(verb).args(["--port", &port]).env(token.0, token.1).assert()
    };
    client(&["send", "--json", r#"[["LD_generate_summary_report", {"report_name": "kept"}]]"#])
        .success();
    assert!(state.path().join("kept.json").is_file(), "the report is in the state directory");
    client(&["quit"]).success();
    manager.wait_for("STOPPING=1");
    assert_eq!(server.end().0, Some(0));
}

/// `ldctl` with one or two sockets, as systemd starts it: descriptors from 3 on, and the
/// process's own number in `LISTEN_PID`.
fn activated(first: OwnedFd, second: Option<OwnedFd>, args: &[&str]) -> Command {
    handed(first, second, "$$", args)
}

/// The shell gets the sockets as its stdin and stderr and moves them to where they belong.
fn handed(first: OwnedFd, second: Option<OwnedFd>, pid: &str, args: &[&str]) -> Command {
    let (moves, count) = match second {
        Some(_) => ("exec 3<&0 4<&2 0</dev/null 2>/dev/null", 2),
        None => ("exec 3<&0 0</dev/null", 1),
    };
    let script = format!(r#"{moves}; LISTEN_FDS={count} LISTEN_PID={pid} exec "$LDCTL" "$@""#);
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).args(args).env("LDCTL", env!("CARGO_BIN_EXE_ldctl"));
    command.env_remove("LOAD_DENSITY_SOCKET_TOKEN").env_remove("CREDENTIALS_DIRECTORY");
    command.stdin(Stdio::from(first)).stderr(second.map_or_else(Stdio::piped, Stdio::from));
    command
}

fn check_refused(socket: OwnedFd, line: &str) {
    let (code, stdout, stderr) =
        Running::with_stderr(&mut activated(socket, None, &["serve"])).end();
    assert_eq!((code, stdout, stderr), (Some(2), Vec::new(), vec![line.to_owned()]));
}

/// The port that a server names on stdout.
fn port(server: &Running) -> String {
    let started = server.line_with("Server started on ");
    started.rsplit(':').next().expect("a port").to_owned()
}
