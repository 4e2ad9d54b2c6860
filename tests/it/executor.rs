//! The executor's Python with LoadDensity itself in it. `LDCTL_PYTHON` names an interpreter that has
//! je_load_density and grpcio.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Running, Server, ldctl, program, python, signal, soon_true};

/// A data directory, and programs that work in it.
pub(crate) struct Place {
    pub(crate) python: String,
    pub(crate) dir: tempfile::TempDir,
}

impl Place {
    /// None where there is no such Python.
    pub(crate) fn find() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        Some(Self { python: python()?, dir })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a document with JSON output, with more options.
    fn run(&self, document: &Value, options: &[&str]) -> Output {
        let mut command = self.command(document, options);
        command.output().expect("the program")
    }

    fn command(&self, document: &Value, options: &[&str]) -> Command {
        let file = self.path("document.json");
        std::fs::write(&file, document.to_string()).expect("written");
        let file = file.display().to_string();
        let mut command = program(&["run", "-o", "json", "--no-check", &file]);
        command.args(["--executor", &self.python, "--data-dir"]).arg(self.dir.path());
        command.args(options);
        command
    }

    /// The results of a document.
    fn results(&self, document: &Value) -> Vec<Value> {
        results(&self.run(document, &[]))
    }

    /// A server for documents of this place.
    fn serve(&self, options: &[&str]) -> Server {
        let dir = self.dir.path().display().to_string();
        let fixed = ["--executor", &self.python, "--data-dir", &dir, "--allow-unauthenticated"];
        Server::start(&[&fixed[..], options].concat(), None)
    }
}

pub(crate) fn results(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found: Vec<Value> = events.filter(|event| event["event"] == "result").collect();
    assert!(!found.is_empty(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    found
}

pub(crate) fn test_of(user: &str, tasks: &Value) -> Value {
    json!(["LD_start_test", {"user_detail_dict": {"user": user}, "user_count": 2, "spawn_rate": 100,
        "test_time": 1, "tasks": tasks}])
}

/// Answers each HTTP request with this, until the test ends.
fn stub(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut stream = stream;
                let mut request = Vec::new();
                let mut block = [0; 4096];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut block) {
                        Ok(0) | Err(_) => return,
                        Ok(read) => request.extend_from_slice(&block[..read]),
                    }
                }
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    format!("http://{address}/")
}

fn totals(result: &Value) -> (u64, u64) {
    let totals = &result["value"]["totals"];
    (totals["requests"].as_u64().expect("a number"), totals["failures"].as_u64().expect("a number"))
}

#[test]
fn a_soap_user_runs_in_python_and_all_else_here() {
    let Some(place) = Place::find() else { return };
    let url = stub("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n<done/>");
    let tasks = json!([{"method": "call", "endpoint": "${var.url}", "name": "order",
        "envelope": "<a/>", "expect_contains": "done"}]);
    let document = json!([
        ["LD_register_variable", ["url", url]],
        test_of("soap_user", &tasks),
        ["LD_summary"],
        ["LD_assert_sla", [[{"type": "failure_rate", "value": 0.0}]]],
        ["LD_generate_csv_report", ["report"]],
        ["LD_persist_records", ["runs.db"]],
        ["LD_list_runs", ["runs.db"]]]);
    let results = results(&place.run(&document, &[]));
    assert!(results.iter().all(|result| result["ok"] == true), "{results:#?}");
    let (requests, failures) = totals(&results[2]);
    assert!(requests > 2 && failures == 0, "{results:#?}");
    assert!(results[2]["value"]["per_name"]["order"].is_object(), "{}", results[2]);
    assert_eq!(results[1]["value"]["peak_users"], 2);
    let report = std::fs::read_to_string(place.path("report.csv")).expect("a report");
    assert_eq!(report.lines().count() as u64, requests + 1);
}

#[test]
fn a_library_that_is_missing_fails_the_requests_with_its_name() {
    let Some(place) = Place::find() else { return };
    let tasks = json!([{"method": "connect"}]);
    let results = place.results(&json!([test_of("memcached_user", &tasks), ["LD_summary"]]));
    assert_eq!(results[0]["error"]["kind"], "no-success", "{results:#?}");
    let message = results[0]["error"]["message"].as_str().expect("a text");
    assert!(message.contains("pymemcache is required for MemcachedUser"), "{message}");
    let (requests, failures) = totals(&results[1]);
    assert!(requests > 0 && requests == failures);
}

#[test]
fn events_of_a_server_are_counted() {
    let Some(place) = Place::find() else { return };
    let url = stub(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n\
         data: a\n\ndata: ready\n\n",
    );
    let tasks = json!([
        {"method": "open", "request_url": url, "name": "open"},
        {"method": "wait", "expect": "ready", "name": "wait"},
        {"method": "close", "name": "close"}]);
    let results = place.results(&json!([test_of("sse_user", &tasks), ["LD_summary"]]));
    let (requests, failures) = totals(&results[1]);
    assert!(requests > 0 && failures == 0, "{results:#?}");
}

/// A gRPC server with stubs of its own, which need no generated code; it prints its port.
const GREETER: &str = r#"
import sys, grpc
from concurrent import futures
sys.path.insert(0, sys.argv[1])
import greeter
server = grpc.server(futures.ThreadPoolExecutor(8))
serve = grpc.unary_unary_rpc_method_handler(
    lambda request, context: request, greeter.Hello.of, greeter.Hello.bytes)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Greeter", {"Greet": serve}),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
"#;

const STUBS: &str = r#"
class Hello:
    def __init__(self, name=""): self.name = name
    def bytes(self): return self.name.encode()
    @staticmethod
    def of(data): return Hello(data.decode())
    SerializeToString = bytes
    def ByteSize(self): return len(self.name)
class GreeterStub:
    def __init__(self, channel):
        self.Greet = channel.unary_unary(
            "/Greeter/Greet", request_serializer=Hello.bytes, response_deserializer=Hello.of)
"#;

#[test]
fn a_grpc_user_runs_with_stubs_of_its_own_and_stops_within_a_second() {
    let Some(place) = Place::find() else { return };
    let stubs = tempfile::tempdir().expect("a directory");
    std::fs::write(stubs.path().join("greeter.py"), STUBS).expect("written");
    let mut server = Command::new(&place.python);
    server.args(["-c", GREETER]).arg(stubs.path()).stdin(std::process::Stdio::piped());
    let server = Running::of(&mut server);
    let port = server.line_with("");
    let tasks = json!([{"target": format!("127.0.0.1:{port}"), "stub_path": "greeter.GreeterStub",
        "request_path": "greeter.Hello", "method": "Greet", "payload": {"name": "you"},
        "name": "greet"}]);
    let mut test = test_of("grpc_user", &tasks);
    // Native or not, here it is to run in Python.
    let python = ["--engine", "python"];
    let output = place
        .command(&json!([test, ["LD_summary"]]), &python)
        .env("PYTHONPATH", stubs.path())
        .output()
        .expect("the program");
    let found = results(&output);
    let (requests, failures) = totals(&found[1]);
    assert!(requests > 2 && failures == 0, "{found:#?}");

    test[1]["test_time"] = json!(600);
    let mut command = place.command(&json!([test, ["LD_summary"]]), &python);
    let running = Running::of(command.env("PYTHONPATH", stubs.path()));
    running.line_with(r#""event":"progress""#);
    let since = Instant::now();
    signal("INT", running.id());
    let ended = running.line_with(r#""event":"result","index":0"#);
    assert!(ended.contains(r#""kind":"cancelled""#), "{ended}");
    // A second, and what a busy machine takes.
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    assert!(!ended.contains("did not end within a second"), "{ended}");
}

#[test]
fn databases_behind_placeholders_are_read_where_sqlalchemy_is() {
    let Some(place) = Place::find() else { return };
    let source = json!(["LD_register_db_source",
        {"name": "people", "connection_string": "sqlite://", "query": "SELECT 'ada' AS name"}]);
    let url = stub("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let tasks = json!([{"method": "get", "request_url": url, "name": "${db.people.name}"}]);
    let output = place.run(
        &json!([source, test_of("http_user", &tasks), ["LD_summary"]]),
        &["--engine", "python"],
    );
    let found = results(&output);
    if found[0]["ok"] == true {
        assert!(found[2]["value"]["per_name"]["ada"].is_object(), "{found:#?}");
    } else {
        let message = found[0]["error"]["message"].as_str().expect("a text");
        assert!(message.starts_with("RuntimeError: SQLAlchemy is required"), "{message}");
    }
}

/// The names in the table that the test of fixtures makes.
fn people(place: &Place) -> String {
    let query = "import sqlite3\nfor row in sqlite3.connect('people.db').execute('SELECT * FROM people'): \
                 print(*row)";
    let mut asking = Command::new(&place.python);
    let output = asking.args(["-c", query]).current_dir(place.dir.path()).output();
    String::from_utf8_lossy(&output.expect("a Python").stdout).into_owned()
}

#[test]
fn a_database_is_filled_for_a_test_and_emptied_after_it() {
    let Some(place) = Place::find() else { return };
    let sqlite = "sqlite:///people.db";
    let outside = tempfile::tempdir().expect("a directory");
    let file = outside.path().join("outside.db");
    let elsewhere = format!("sqlite:///{}", file.display());
    let fixture = json!({"database_url": sqlite, "teardown_sql": ["DELETE FROM people"]});
    let results = place.results(&json!([
        ["LD_apply_db_fixture", {"database_url": sqlite, "teardown_sql": ["DELETE FROM people"],
            "setup_sql": ["CREATE TABLE people (name TEXT)", "INSERT INTO people VALUES ('ada')"]}],
        ["LD_apply_db_fixture", [sqlite, ["INSERT INTO people VALUES ('bob')"]]],
        // All of it or nothing.
        ["LD_apply_db_fixture", [sqlite, ["INSERT INTO people VALUES ('eve')", "INSERT INTO nowhere"]]],
        ["LD_apply_db_fixture", [elsewhere, ["CREATE TABLE people (name TEXT)"]]]]));
    let message = |index: usize| results[index]["error"]["message"].as_str().unwrap_or_default();
    if message(0).starts_with("RuntimeError: sqlalchemy is required") {
        let required = std::env::var_os("LDCTL_TOOLS").is_some_and(|value| value == "required");
        assert!(!required, "{}", message(0));
        return;
    }
    assert_eq!(results[0]["value"], fixture, "{results:#?}");
    assert_eq!(results[1]["value"], json!({"database_url": sqlite, "teardown_sql": []}));
    assert!(message(2).starts_with("OperationalError: "), "{results:#?}");
    assert!(message(3).contains("unable to open database file") && !file.exists(), "{results:#?}");
    assert_eq!(people(&place), "ada\nbob\n");
    let results = place.results(&json!([["LD_run_db_teardown", [fixture]]]));
    assert_eq!((results[0]["ok"].as_bool(), people(&place)), (Some(true), String::new()));
}

#[test]
fn results_are_values_of_json_with_the_texts_of_python() {
    let Some(place) = Place::find() else { return };
    let results = place.results(&json!([["LD_ssrf_targets"], ["LD_probe_rate_limit"]]));
    assert!(results[0]["value"].is_array());
    assert!(results[0]["text"].as_str().expect("a text").starts_with("['http://169.254"));
    let error = results[1]["text"].as_str().expect("a text");
    assert!(error.starts_with("TypeError(\"probe_rate_limit() missing"), "{error}");
}

#[test]
fn t66_megabytes_of_prints_do_not_disturb_a_test() {
    let Some(place) = Place::find() else { return };
    // The package prints what a test of nested lists returns, and Locust logs; here a module prints.
    let modules = tempfile::tempdir().expect("a directory");
    let noisy = "class Stub:\n    def __init__(self, channel):\n        import sys, os\n        \
                 print('x' * 1000000)\n        sys.stdout.flush()\n        os.write(1, b'{}\\n' * 1000)\n\
                 class Request: pass\n";
    std::fs::write(modules.path().join("noisy.py"), noisy).expect("written");
    let tasks = json!([{"target": "127.0.0.1:1", "stub_path": "noisy.Stub",
        "request_path": "noisy.Request", "method": "x", "name": "noise"}]);
    let output = place
        .command(&json!([test_of("grpc_user", &tasks), ["LD_summary"]]), &["--engine", "python"])
        .env("PYTHONPATH", modules.path())
        .output()
        .expect("the program");
    let found = results(&output);
    let (requests, failures) = totals(&found[1]);
    assert!(requests > 0 && failures == requests, "{found:#?}");
    assert_eq!(found[0]["error"]["kind"], "no-success", "{}", found[0]);
}

#[test]
fn t69_modules_are_not_imported_from_the_data_directory() {
    let Some(place) = Place::find() else { return };
    let wrote = place.path("wrote");
    let module = format!("open({:?}, 'w').write('x')\nclass Stub: pass\n", wrote.display());
    std::fs::write(place.path("evil.py"), module).expect("written");
    let tasks = json!([{"target": "127.0.0.1:1", "stub_path": "evil.Stub",
        "request_path": "evil.Stub", "method": "x", "name": "evil"}]);
    let output = place
        .command(&json!([test_of("grpc_user", &tasks)]), &["--engine", "python"])
        .env("PYTHONPATH", place.dir.path())
        .output()
        .expect("the program");
    let found = results(&output);
    let message = found[0]["error"]["message"].as_str().expect("a text");
    assert!(message.contains("No module named 'evil'") && !wrote.exists(), "{message}");
}

/// The first child of a server.
fn child_of(server: &Server) -> u32 {
    let mut found = None;
    soon_true(|| {
        let children = format!("/proc/{0}/task", server.id());
        let tasks = std::fs::read_dir(children).expect("tasks");
        let lists = tasks
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        found = lists
            .flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>())
            .find_map(|child| child.trim().parse().ok());
        found.is_some()
    });
    found.expect("a child")
}

fn send(server: &Server, document: &Value) -> Vec<Value> {
    let port = server.port();
    let text = document.to_string();
    let fixed = ["send", "--no-check", "-o", "json", "--port", &port, "--json", &text];
    results(&program(&fixed).output().expect("the program"))
}

#[test]
#[cfg(target_os = "linux")]
fn t68_a_child_that_is_killed_in_a_test_fails_it_and_the_next_has_a_new_one() {
    let Some(place) = Place::find() else { return };
    let server = place.serve(&[]);
    let url = stub("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let tasks = json!([{"method": "call", "endpoint": url, "name": "order"}]);
    let mut long = test_of("soap_user", &tasks);
    long[1]["test_time"] = json!(600);
    let port = server.port();
    let document = json!([long, ["LD_summary"]]).to_string();
    let first = Running::start(
        &["send", "--no-check", "-o", "json", "--port", &port, "--json", &document],
        None,
    );
    first.line_with(r#""event":"progress""#);
    // A second test is refused as busy, and commands run meanwhile.
    let second = send(&server, &json!([test_of("soap_user", &tasks), ["LD_ssrf_targets"]]));
    assert_eq!(second[0]["error"]["kind"], "busy", "{second:#?}");
    assert_eq!(second.len(), 1, "a document with a test is refused as a whole: {second:#?}");
    let command = send(&server, &json!([["LD_ssrf_targets"]]));
    assert_eq!(command[0]["ok"], true, "{command:#?}");
    signal("KILL", child_of(&server));
    let failed = first.line_with(r#""event":"result","index":0"#);
    assert!(failed.contains(r#""kind":"internal""#), "{failed}");
    assert!(failed.contains("ended during the test: it ended (signal: 9 (SIGKILL))"), "{failed}");
    let summary: Value =
        serde_json::from_str(&first.line_with(r#""event":"result","index":1"#)).expect("JSON");
    assert!(totals(&summary).0 > 0, "{summary}");
    let next = send(&server, &json!([test_of("soap_user", &tasks)]));
    assert_eq!(next[0]["ok"], true, "{next:#?}");
    // The child ends with its server, however that ends.
    let child = child_of(&server);
    signal("KILL", server.id());
    server.end();
    soon_true(|| {
        let state = std::fs::read_to_string(format!("/proc/{child}/stat"));
        state.map_or(true, |state| state.contains(") Z"))
    });
}

#[test]
fn t69_confinement_that_cannot_hold_is_refused_before_anything_starts() {
    let Some(place) = Place::find() else { return };
    let python = place.python.as_str();
    let data = place.dir.path().display().to_string();
    let why = |args: &[&str], code: i32| {
        let output = ldctl().args(args).assert().code(code);
        String::from_utf8_lossy(&output.get_output().stderr).into_owned()
    };
    let serve = ["serve", "--port", "0", "--executor", python];
    let said = why(&serve, 2);
    assert!(said.contains("without a token any local user can send them"), "{said}");
    let said = why(&[&serve[..], &["--allow-unauthenticated"]].concat(), 2);
    assert!(said.contains("--executor needs --data-dir"), "{said}");
    let target = ["--allow-target", "127.0.0.1", "--data-dir", &data, "--allow-unauthenticated"];
    let said = why(&[&serve[..], &target].concat(), 2);
    assert!(said.contains("--allow-target does not hold for --executor"), "{said}");
    let run = ["run", "--executor", python, "--json", r#"[["LD_ssrf_targets"]]"#];
    let said = why(&[&run[..], &target[..2]].concat(), 2);
    assert!(said.contains("--allow-target does not hold for --executor"), "{said}");
    let unconfined = ["--executor-unconfined"];
    let said = why(&[&run[..], &target[..2], &unconfined].concat(), 0);
    assert!(said.contains("it reads and writes every file that this user may"), "{said}");
    let said = why(&["run", "--executor", "/no/python", "--json", r#"[["LD_summary"]]"#], 2);
    assert!(said.contains("/no/python cannot be started"), "{said}");
    let little = ["--executor-memory", "16MiB", "--data-dir", &data];
    let said = why(&[&run[..], &little].concat(), 2);
    let remedy = "where je_load_density is installed, 16 MiB may be too little for it";
    assert!(said.contains(remedy) && !said.contains("pip"), "{said}");
    let said = why(&["run", "--engine", "python", "--json", r#"[["LD_summary"]]"#], 2);
    assert!(said.contains("--executor <PYTHON>"), "{said}");
}
