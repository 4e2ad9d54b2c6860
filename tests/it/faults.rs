//! The faults of the surroundings, each named after its number: a full disk, no descriptors left, a
//! client that leaves or reads slowly, a second signal, two servers in one place. Others of them are
//! where they belong: f01 in [`crate::crash`], targets (f10, f11) in [`crate::engine_faults`], ends
//! in [`crate::endings`], stdout in [`crate::stdout`]; what needs more than cargo (f02 on a disk that
//! is really full, f03, f09) in `tests/compare/faults.py`.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use ldctl::client::probe;
use ldctl::event::Event;
use ldctl::wire::frame::Mode;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::support::{
    DEADLINE, Running, Server, Target, after, high_water, ldctl, resident, signal, soon_true, wait,
};
use crate::wire_support::{END, endpoint, frame, result, server_that, soon};

/// A test of some hundred requests that are answered at once.
fn short_test(target: &Target) -> Value {
    json!(["LD_start_test", {
        "user_detail_dict": {"host": target.url()}, "user_count": 1, "test_time": 0.05,
        "wait_time": 0, "tasks": [{"method": "get", "url": "/"}]}])
}

/// What each action of a document gave, from the JSON output of `run` or `send`.
fn results(said: &[u8]) -> Vec<Value> {
    let said = String::from_utf8_lossy(said);
    let events = said.lines().map(|line| serde_json::from_str(line).expect("an event"));
    events.filter(|event: &Value| event["event"] == "result").collect()
}

/// Every file of a directory with its content.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a file"))
        })
        .collect()
}

/// The commands that write a file, and the file.
const WRITERS: [(&str, &str, &str); 6] = [
    ("LD_generate_html_report", "run", "run.html"),
    ("LD_generate_csv_report", "run", "run.csv"),
    ("LD_generate_summary_report", "run", "run.json"),
    ("LD_generate_junit_report", "run", "run.xml"),
    ("LD_generate_json_report", "part", "part_success.json"),
    ("LD_persist_records", "runs.db", "runs.db"),
];

#[test]
fn f02_a_file_that_cannot_grow_fails_by_name_and_leaves_the_old_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let target = Target::start();
    let mut document = vec![short_test(&target)];
    document.extend(WRITERS.map(|(command, name, _)| json!([command, [name]])));
    let input = tempfile::tempdir().expect("a directory");
    let input = input.path().join("document.json");
    fs::write(&input, json!(document).to_string()).expect("a file");
    let run = |mut program: Command| {
        let program = program.args(["run", "--output", "json"]).arg(&input);
        program.current_dir(directory.path()).output().expect("the program")
    };
    assert_eq!(run(after(":")).status.code(), Some(0));
    let before = files(directory.path());
    // No file may grow, and the signal that says so is ignored, so that writing fails as on a full
    // disk.
    let full = run(after("trap '' XFSZ; ulimit -f 0"));
    assert_eq!(full.status.code(), Some(1));
    let results = results(&full.stdout);
    for ((command, _, file), result) in WRITERS.iter().zip(&results[1..]) {
        assert_eq!(result["ok"], false, "{command}: {result}");
        let why = result["error"]["message"].as_str().expect("a reason");
        assert!(why.contains(file), "{command} does not name {file}: {why}");
    }
    let mut after_it = files(directory.path());
    // SQLite's companions of its file, which the next to open it takes up or away.
    for companion in ["runs.db-shm", "runs.db-wal"] {
        assert!(after_it.remove(companion).is_none_or(|content| content.is_empty()), "{companion}");
    }
    assert!(after_it.keys().eq(before.keys()), "a file is left over: {:?}", after_it.keys());
    let changed: Vec<&String> =
        before.keys().filter(|name| before[*name] != after_it[*name]).collect();
    assert!(changed.is_empty(), "{changed:?}");
    // With room again everything goes on where it was.
    assert_eq!(run(after(":")).status.code(), Some(0));
    assert!(files(directory.path()).keys().eq(before.keys()));
    let database = Connection::open(directory.path().join("runs.db")).expect("a database");
    let query = "SELECT count(*) FROM load_density_runs";
    let runs: i64 = database.query_row(query, [], |row| row.get(0)).expect("an answer");
    assert_eq!(runs, 2);
}

#[test]
fn f02_a_database_for_which_there_is_no_room_leaves_no_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let run = after("trap '' XFSZ; ulimit -f 0")
        .args(["run", "--output", "json", "--json", r#"[["LD_persist_records", ["h.db"]]]"#])
        .current_dir(directory.path())
        .output()
        .expect("the program");
    assert_eq!(run.status.code(), Some(1));
    let why = results(&run.stdout).remove(0)["error"]["message"].to_string();
    assert!(why.contains("h.db") && why.contains("free space on the disk"), "{why}");
    assert_eq!(files(directory.path()).into_keys().collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn f04_without_descriptors_accepting_waits_and_then_recovers() {
    let server = Server::start_after("ulimit -n 32", &[]);
    let port = server.port().parse().expect("a port");
    let connect = || async { soon(tokio::net::TcpStream::connect(("127.0.0.1", port))).await };
    let mut early = connect().await.expect("a server");
    let mut crowd = Vec::new();
    for _ in 0..40 {
        crowd.push(connect().await.expect("a place in the backlog"));
    }
    server.talk_with("cannot accept a connection: ");
    early.write_all(b"[[\"abs\", [-7]]]").await.expect("a server that listens");
    let mut reply = String::new();
    soon(early.read_to_string(&mut reply)).await.expect("a reply");
    assert_eq!(reply, format!("7\n{END}"), "those that are served go on");
    let late = connect().await.expect("a place in the backlog");
    drop((crowd, late));
    let endpoint = endpoint(port, Mode::Framed, None);
    soon(probe(&endpoint, None, DEADLINE)).await.expect("a pong");
}

#[test]
fn f05_a_run_continues_after_its_client_disconnects() {
    let target = Target::start();
    let data = tempfile::tempdir().expect("a directory");
    let server = Server::start(&["--data-dir", &data.path().display().to_string()], None);
    let document = json!([
        ["LD_start_test", {
            "user_detail_dict": {"user": "fast_http_user", "host": target.url()}, "user_count": 1,
            "test_time": 2, "wait_time": 0.01,
            "tasks": [{"method": "get", "request_url": "/"}]}],
        ["LD_generate_summary_report", ["kept"]]]);
    let client = Running::start(
        &["send", "--output", "json", "--port", &server.port(), "--json", &document.to_string()],
        None,
    );
    client.line_with(r#""event":"progress""#);
    signal("KILL", client.id());
    client.end();
    let (seen, kept) = (target.requests(), data.path().join("kept.json"));
    soon_true(|| kept.exists());
    let report: Value = serde_json::from_slice(&fs::read(kept).expect("a report")).expect("JSON");
    let requests = report["totals"]["requests"].as_u64().expect("a number");
    assert!(requests > seen, "{requests} in all, {seen} before the client left");
    ldctl().args(["ping", "--port", &server.port()]).assert().success();
}

#[tokio::test]
async fn f06_a_slow_reader_receives_the_whole_reply_and_delays_no_other_client() {
    const RESULTS: usize = 100;
    let served = server_that(|_, sink, _| {
        for index in 0..RESULTS {
            sink.result(&index.to_string(), result(index, "x".repeat(20_000).into()));
        }
        sink.emit(Event::Done {
            ok: true,
            failed: 0,
            elapsed_s: 0.0,
            run: None,
            state: None,
            message: None,
        });
    })
    // Far less than the reply, so that the run waits for the reader again and again.
    .limits(|limits| (limits.reply_queue, limits.stall_timeout) = (32_000, DEADLINE))
    .start();
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a socket");
    let address = ([127, 0, 0, 1], served.port).into();
    let mut slow = soon(socket.connect(address)).await.expect("a server");
    let request = frame(r#"{"command": [1], "reply": "events"}"#);
    slow.write_all(&request).await.expect("a server that listens");
    let mut reply = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    loop {
        let count = soon(slow.read(&mut piece)).await.expect("a reply");
        if count == 0 {
            break;
        }
        reply.extend_from_slice(&piece[..count]);
        assert!(served.is_well().await, "others are served meanwhile");
    }
    assert!(reply.ends_with(END.as_bytes()));
    let found = String::from_utf8_lossy(&reply).matches(r#""event":"result""#).count();
    assert_eq!(found, RESULTS);
}

#[tokio::test]
async fn t19_a_client_that_never_reads_costs_no_memory_and_no_result() {
    const PAGES: usize = 3000;
    let data = tempfile::tempdir().expect("a directory");
    let server = Server::start(&["--data-dir", &data.path().display().to_string()], None);
    let port: u16 = server.port().parse().expect("a port");
    // One page is some 10 KiB; all of them are far more than the server may hold.
    let target = Target::start();
    let mut document = vec![short_test(&target), json!(["LD_generate_html_report", ["page"]])];
    document.extend(vec![json!(["LD_generate_html"]); PAGES]);
    document.push(json!(["LD_generate_summary_report", ["kept"]]));
    let request = json!({"command": document, "reply": "events"}).to_string();
    let mut silent =
        soon(tokio::net::TcpStream::connect(("127.0.0.1", port))).await.expect("a server");
    silent.write_all(&frame(request)).await.expect("a server that listens");
    let page = data.path().join("page.html");
    soon_true(|| page.exists());
    let before = resident(server.id());
    let kept = data.path().join("kept.json");
    soon_true(|| kept.exists());
    let grown = high_water(server.id()).saturating_sub(before);
    let all = PAGES as u64 * fs::metadata(page).expect("a page").len() / 1024;
    assert!(all > 16 * 1024 && grown < 8 * 1024, "{grown} KiB more for {all} KiB of replies");
    let asked = ldctl()
        .args(["send", "--output", "json", "--json", r#"[["LD_summary"]]"#])
        .args(["--port", &server.port()])
        .assert()
        .success();
    let summary = &results(&asked.get_output().stdout)[0]["value"];
    assert!(summary["totals"]["requests"].as_u64() > Some(0), "{summary}");
    drop(silent);
}

#[test]
fn f07_a_second_signal_ends_a_server_that_still_waits_for_a_run() {
    let data = tempfile::tempdir().expect("a directory");
    let database = data.path().join("runs.db");
    let server = Server::start(&["--data-dir", &data.path().display().to_string()], None);
    // A database that another program has locked holds a run up for seconds, cancelled or not.
    let lock = Connection::open(&database).expect("a database");
    lock.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE held (x); BEGIN IMMEDIATE")
        .expect("a lock");
    let target = Target::start();
    let document = json!([short_test(&target), ["LD_persist_records", ["runs.db"]]]).to_string();
    let client = Running::start(
        &["send", "--output", "json", "--port", &server.port(), "--json", &document],
        None,
    );
    client.line_with(r#""event":"started","index":1"#);
    signal("TERM", server.id());
    // It has heard the first when it listens no more.
    let port: u16 = server.port().parse().expect("a port");
    soon_true(|| TcpStream::connect(("127.0.0.1", port)).is_err());
    signal("TERM", server.id());
    assert_eq!(server.end().0, Some(130));
    drop(lock);
}

#[test]
fn f09_only_code_that_needs_a_date_reads_the_wall_clock() {
    let mut found = Vec::new();
    read_sources(Path::new("src"), &mut |path, source| {
        let product = source.split("#[cfg(test)]").next().unwrap_or_default();
        let clocks = ["SystemTime::now", "Timestamp::now", "ZonedDateTime::now", "Zoned::now"];
        if clocks.iter().any(|clock| product.contains(clock)) && !is_test(path) {
            found.push(path.to_owned());
        }
    });
    found.sort();
    // Each of them writes a date down; whatever takes a time measures it by a clock that never
    // jumps.
    let dates = [
        "src/action/commands/database.rs",
        // Entries of audit logs, and links that expire.
        "src/action/commands/governance.rs",
        // When the test of a master began and its workers' counts are of.
        "src/cluster/master/conductor.rs",
        "src/cluster/master/mod.rs",
        // What a worker has done is reported by the second of the clock.
        "src/cluster/worker/session.rs",
        // The lines of a server's log.
        "src/console/log.rs",
        "src/load/runner.rs",
        // When a test elsewhere started: its requests come with dates.
        "src/load/streamed.rs",
        "src/load/template/scope.rs",
        // Its figures are those of a moment of the calendar, as in LoadDensity.
        "src/metrics/dashboard/mod.rs",
        "src/metrics/influx.rs",
        "src/metrics/otlp.rs",
        // Cookies expire by the calendar (RFC 6265, section 5.3).
        "src/protocol/http/cookies/mod.rs",
        // By the second of the clock, for the master of a cluster.
        "src/record/tally.rs",
        // When a run was accepted, started and ended.
        "src/run/mod.rs",
        // When its test started.
        "src/run/test.rs",
    ];
    assert_eq!(found, dates);
}

/// Whether a file holds only tests.
fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

fn read_sources(directory: &Path, look: &mut impl FnMut(&str, &str)) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_sources(&path, look);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            look(&path.to_string_lossy(), &fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn f11_a_server_whose_name_does_not_resolve_is_named() {
    ldctl()
        .args(["ping", "--host", "name.invalid", "--port", "9940"])
        .assert()
        .code(3)
        .stdout_eq("")
        .stderr_eq("error: name.invalid: [..]\n");
}

#[test]
fn f12_a_port_in_use_is_refused_and_its_server_continues() {
    let first = Server::start(&[], None);
    ldctl().args(["serve", "--port", &first.port()]).assert().code(2).stdout_eq("").stderr_eq(
        "error: cannot listen on localhost:[..]: another program has the port; choose another with --port\n",
    );
    ldctl().args(["ping", "--port", &first.port()]).assert().success();
}

#[test]
fn f13_two_servers_in_one_data_directory_tear_no_file_and_lose_no_run() {
    const ROUNDS: usize = 20;
    let data = tempfile::tempdir().expect("a directory");
    let place = data.path().display().to_string();
    let target = Target::start();
    let mut document = vec![short_test(&target)];
    for _ in 0..ROUNDS {
        document.extend(WRITERS.map(|(command, name, _)| json!([command, [name]])));
    }
    let document = json!(document).to_string();
    let servers = [(); 2].map(|()| Server::start(&["--data-dir", &place], None));
    let clients = servers.each_ref().map(|server| {
        let port = server.port();
        let send = ["send", "--output", "json", "--port", &port, "--json", &document];
        Running::start(&send, None)
    });
    // Whoever reads meanwhile finds whole files; the first client's last answer ends it.
    let [first, second] = clients;
    let last = format!(r#""event":"result","index":{}"#, ROUNDS * WRITERS.len());
    let reading = std::thread::spawn({
        let data = data.path().to_owned();
        move || {
            first.line_with(&last);
            whole(&data);
            first.end()
        }
    });
    for _ in 0..200 {
        whole(data.path());
    }
    let ends = [reading.join().expect("whole files"), second.end()];
    for (code, stdout, stderr) in &ends {
        assert_eq!(code, &Some(0), "{stdout:?} {stderr:?}");
    }
    whole(data.path());
    let left: Vec<String> = files(data.path()).into_keys().collect();
    let known = WRITERS.iter().map(|(_, _, file)| *file).chain(["part_failure.json"]);
    assert!(known.clone().all(|file| left.iter().any(|name| name == file)), "{left:?}");
    assert!(left.iter().all(|name| known.clone().any(|file| name == file)), "{left:?}");
    let database = Connection::open(data.path().join("runs.db")).expect("a database");
    let one = |query| database.query_row(query, [], |row| row.get(0)).expect("an answer");
    let runs: i64 = one("SELECT count(*) FROM load_density_runs");
    assert_eq!(runs, 2 * ROUNDS as i64);
    let whole: i64 = one("SELECT count(DISTINCT held) FROM (SELECT count(*) AS held \
                          FROM load_density_records GROUP BY run_id)");
    assert!((1..=2).contains(&whole), "each server's runs have the same number of records");
}

/// What is there of the reports is whole.
fn whole(directory: &Path) {
    let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
    for (name, end) in [("run.html", "</html>"), ("run.xml", "</testsuite>")] {
        assert!(read(name).is_none_or(|text| text.ends_with(end)), "{name} is torn");
    }
    for name in ["run.json", "part_failure.json"] {
        let text = read(name);
        assert!(text.is_none_or(|text| serde_json::from_str::<Value>(&text).is_ok()), "{name}");
    }
}

/// What a program's end says when its stdout is this.
fn with_stdout(shell: &str, args: &[&str]) -> (Option<i32>, String) {
    let mut program = after(shell);
    let done = program.args(args).output().expect("the program");
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

#[test]
fn f14_a_full_stdout_is_an_error_and_a_closed_one_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let document = directory.path().join("document.json").display().to_string();
    fs::write(&document, r#"[["abs", [-1]]]"#).expect("a file");
    for args in [
        &["completions", "bash"][..],
        &["run", &document],
        &["lint", "tests/cmd/lint.in/suspicious.json"],
        &["--version"],
        &["serve", "--help"],
    ] {
        let (code, said) = with_stdout("exec >/dev/full", args);
        let full = "error: cannot write to stdout: No space left on device\n";
        assert_eq!((code, said.as_str()), (Some(1), full), "{args:?}");
        assert_eq!(with_stdout("exec >&-", args), (Some(0), String::new()), "{args:?}");
    }
}

#[test]
fn f14_a_server_whose_stdout_is_full_or_closed_serves() {
    for shell in ["exec >/dev/full", "exec >&-"] {
        let mut command = after(shell);
        let mut child = command.args(["serve", "--port", "0"]).spawn().expect("the program");
        let mut port = None;
        soon_true(|| {
            port = listening(child.id());
            port.is_some()
        });
        let port = port.expect("a port").to_string();
        ldctl().args(["ping", "--port", &port]).assert().success();
        ldctl().args(["quit", "--port", &port]).assert().success();
        assert_eq!(wait(&mut child), Some(0), "{shell}");
    }
}

/// The IPv4 port that a process listens on, from the system's own tables: its stdout says nothing.
fn listening(process: u32) -> Option<u16> {
    let links = fs::read_dir(format!("/proc/{process}/fd")).ok()?.flatten();
    let sockets: Vec<String> = links
        .filter_map(|link| Some(fs::read_link(link.path()).ok()?.to_string_lossy().into_owned()))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    // Fields: number, local address and port in hexadecimal, remote, state (0A is listening), …
    let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ours = fields[3] == "0A" && sockets.iter().any(|socket| socket == fields[9]);
        let port = fields[1].rsplit(':').next()?;
        ours.then(|| u16::from_str_radix(port, 16).ok())?
    })
}
