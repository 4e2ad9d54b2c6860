//! What the server says on stdout never holds up what it does.

use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};

use crate::support::{DEADLINE, program, wait};

/// More than a pipe holds (64 KiB), with lines of some 25 bytes.
const REQUESTS: usize = 4000;

#[test]
fn f14_a_reader_of_the_servers_stdout_that_stops_reading_delays_no_request() {
    let (mut child, port, reader) = serve();
    for _ in 0..REQUESTS {
        assert_eq!(ask(port, "null"), "Return_Data_Over_JE\n");
    }
    assert_eq!(ask(port, "quit_server"), "Server shutting down\n");
    assert_eq!(wait(&mut child), Some(0));
    drop(reader);
}

#[test]
fn f14_a_server_continues_after_its_stdout_is_closed() {
    let (mut child, port, reader) = serve();
    drop(reader);
    for _ in 0..10 {
        assert_eq!(ask(port, "null"), "Return_Data_Over_JE\n");
    }
    assert_eq!(ask(port, "quit_server"), "Server shutting down\n");
    assert_eq!(wait(&mut child), Some(0));
}

/// A server, its port, and the end of its stdout after the first line.
fn serve() -> (Child, u16, BufReader<PipeReader>) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let child = Command::new(env!("CARGO_BIN_EXE_ldctl"))
        .args(["serve", "--port", "0"])
        .env_remove("LOAD_DENSITY_SOCKET_TOKEN")
        .stdout(writer)
        .spawn()
        .expect("the program");
    let mut reader = BufReader::new(reader);
    let mut started = String::new();
    reader.read_line(&mut started).expect("a line");
    let port = started.trim().rsplit(':').next().and_then(|port| port.parse().ok());
    (child, port.expect("a port"), reader)
}

fn ask(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    reply
}

/// A document of which both actions fail.
const FAILING: &str = r#"[["LD_no_such"], ["LD_execute_files", [["/nonexistent/a.json"]]]]"#;

#[test]
fn errors_of_text_output_are_on_stderr_as_well_where_stdout_goes_elsewhere() {
    let mut run = program(&["run", "--no-check", "--output", "text", "--json", FAILING]);
    let output = run.output().expect("the program");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 2, "{stderr}");
    for (line, begin) in errors.iter().zip([
        "error: --json: actions[0] LD_no_such: executor received invalid data",
        "error: --json: actions[1] LD_execute_files: ",
    ]) {
        assert!(line.starts_with(begin), "{line}");
    }
    // The reader of both has each of them once.
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let stderr = writer.try_clone().expect("a pipe");
    let start = |mut command: Command| command.stdout(writer).stderr(stderr).spawn();
    let run = program(&["run", "--no-check", "--output", "text", "--json", FAILING]);
    assert_eq!(wait(&mut start(run).expect("the program")), Some(1));
    let mut both = String::new();
    reader.read_to_string(&mut both).expect("a pipe");
    assert!(!both.contains("error: --json: actions["), "{both}");
}
