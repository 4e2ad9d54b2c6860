//! The child as a shell speaks for it: what it may say, and every way in which it can fail.

#![cfg(unix)]

use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::memory::Memory;
use crate::value::Value;

/// What a child says first.
const READY: &str = r#"echo '{"ready": {"package": "1", "python": "3", "commands": []}}';"#;

/// Takes the number of each request from its line.
const EACH: &str = r#"while read -r line; do id=${line#*: }; id=${id%%[,\}]*};"#;

/// A wait that no test comes to the end of.
const LONG: Duration = Duration::from_secs(60);

fn settings(directory: &Path, script: &str) -> Settings {
    Settings {
        interpreter: "sh".into(),
        program: script.to_owned(),
        directory: directory.to_owned(),
        environment: vec![
            ("PATH".into(), std::env::var_os("PATH").expect("a path")),
            ("GIVEN".into(), "yes".into()),
        ],
        memory: 300 << 20,
        confined: false,
        launcher: "/no/launcher".into(),
        secret_files: Vec::new(),
        refused: vec!["LD_a", "LD_b"],
    }
}

/// A child that runs a script for each request.
fn python(script: &str) -> Python {
    let script = format!("{READY} {EACH} {script} done");
    let settings = settings(&std::env::temp_dir(), &script);
    Python::start(settings, &Memory::unlimited()).expect("a child")
}

fn last(call: &mut Call) -> Step {
    let until = Instant::now() + LONG;
    loop {
        match call.next(LONG) {
            Step::Answer(answer @ (Answer::Rows(_) | Answer::Users(_))) => {
                assert!(Instant::now() < until, "{answer:?}");
            }
            step => return step,
        }
    }
}

fn text(python: &Python) -> String {
    let mut call = python.call("LD_x", None).expect("a child");
    match last(&mut call) {
        Step::Answer(Answer::Value(_, text)) => text,
        step => panic!("{step:?}"),
    }
}

fn check_lost(script: &str, why: &str) {
    let python = python(&format!("case $line in *die*) {script};; *) {OK};; esac;"));
    let mut call = python.call("LD_die", None).expect("a child");
    match last(&mut call) {
        Step::Lost(reason) => assert!(reason.starts_with(why), "{reason}"),
        step => panic!("{step:?}"),
    }
    assert_eq!(text(&python), "ok", "a new one takes its place");
}

const OK: &str = r#"echo "{\"id\": $id, \"value\": 1, \"text\": \"ok\"}""#;

/// Runs the function of the bridge that responds, without LoadDensity.
const RESPOND: &str = r#"
import ast, datetime, json, os, pathlib, sys
names = {"write", "send", "respond"}
parts = [
    part for part in ast.parse(sys.argv[1]).body
    if getattr(part, "name", None) in names
    or isinstance(part, ast.Assign) and getattr(part.targets[0], "id", None) == "MOST_RESULT"
]
scope = {"json": json, "os": os, "wire": 1}
exec(compile(ast.Module(parts, []), "bridge", "exec"), scope)
circle = []
circle.append(circle)
for number, value in enumerate([
    {"at": datetime.date(2026, 1, 2), "in": [pathlib.PurePosixPath("a/b"), b"c"]}, {(1, 2): 3}, circle,
    "x" * scope["MOST_RESULT"],
]):
    scope["respond"](number, value)
"#;

#[test]
fn results_that_json_does_not_have_become_their_texts() {
    let run = std::process::Command::new("python3").args(["-c", RESPOND, BRIDGE]).output();
    let output = String::from_utf8(run.expect("Python").stdout).expect("UTF-8");
    let lines: Vec<Value> = output.lines().map(|line| Value::parse(line).expect("JSON")).collect();
    let member = |line: usize, name: &str| lines[line].get(name).expect(name).to_text();
    assert_eq!(member(0, "value"), r#"{'at': '2026-01-02', 'in': ['a/b', "b'c'"]}"#);
    assert_eq!(
        member(0, "text"),
        "{'at': datetime.date(2026, 1, 2), 'in': [PurePosixPath('a/b'), b'c']}"
    );
    assert_eq!((member(1, "value"), member(2, "value")), ("{(1, 2): 3}".into(), "[[...]]".into()));
    assert_eq!(member(3, "kind"), "ResultTooLarge");
    assert_eq!(lines.len(), 4);
}

#[test]
fn t68_a_child_that_ends_ends_its_calls_with_the_reason_and_is_started_again() {
    check_lost("exit 3", "it ended (exit status: 3)");
    check_lost("kill -9 $$", "it ended (signal: 9 (SIGKILL))");
    check_lost("exec 1>&-; exit 4", "it ended (exit status: 4)");
}

#[test]
fn t66_what_is_not_of_the_protocol_ends_the_child() {
    check_lost("echo hello", "it sent what is not of its protocol: hello");
    check_lost("echo '{\"id\": 1}'", "it sent what is not of its protocol: {\"id\": 1}");
    check_lost("printf '\\033[2J\\n'", "it sent what is not of its protocol: \\x1b[2J");
}

#[test]
fn t66_a_line_without_end_is_cut_off_and_ends_the_child() {
    check_lost("tr '\\0' x </dev/zero", "it sent a line of more than 64 MiB");
}

#[test]
fn t66_megabytes_on_stderr_do_not_disturb_the_responses() {
    let python = python(&format!("head -c 3000000 /dev/zero | tr '\\0' y >&2; {OK};"));
    assert_eq!((text(&python), text(&python)), ("ok".to_owned(), "ok".to_owned()));
}

#[test]
fn t66_a_response_that_does_not_fit_into_the_memory_fails_its_call_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let long = "long=$(head -c 3000000 /dev/zero | tr '\\0' y)";
    let script = format!(
        "{READY} {EACH} case $line in *big*) {long}; \
         echo \"{{\\\"id\\\": $id, \\\"value\\\": 1, \\\"text\\\": \\\"$long\\\"}}\";; \
         *) {OK};; esac; done"
    );
    let settings = settings(directory.path(), &script);
    let python = Python::start(settings, &Memory::new(2 << 20)).expect("a child");
    let mut call = python.call("LD_big", None).expect("a child");
    match last(&mut call) {
        Step::Answer(Answer::Raised(raised)) => {
            assert!(raised.message.starts_with("responses of the executor's Python: "));
        }
        step => panic!("{step:?}"),
    }
    assert_eq!(text(&python), "ok");
}

#[test]
fn t69_one_test_runs_at_a_time_and_calls_beside_it() {
    let python = python(&format!("case $line in *test*|*stop*) :;; *) {OK};; esac;"));
    let test = python.test(&Value::Null).expect("a place").expect("a child");
    assert!(python.test(&Value::Null).is_none());
    assert!(python.call_alone("LD_x", None, &[]).is_none());
    assert_eq!(text(&python), "ok");
    drop(test);
    assert!(python.call_alone("LD_x", None, &[]).is_some());
    assert!(python.test(&Value::Null).is_some());
}

#[test]
fn t68_a_request_that_does_not_end_is_ended_with_its_child() {
    let python = python(&format!("case $line in *hang*) :;; *) {OK};; esac;"));
    let mut call = python.call("LD_hang", None).expect("a child");
    assert_eq!(call.next(Duration::from_millis(1)), Step::Nothing);
    call.kill("it was too slow");
    assert_eq!(last(&mut call), Step::Lost("it was too slow".to_owned()));
    assert_eq!(text(&python), "ok");
}

#[test]
fn t65_the_child_has_the_environment_directory_and_memory_that_it_is_given() {
    let say = |what: &str| {
        let script = format!(
            "said=$({what}); echo \"{{\\\"id\\\": $id, \\\"value\\\": 1, \\\"text\\\": \\\"$said\\\"}}\";"
        );
        text(&python(&script))
    };
    // A shell sets some itself.
    let names = say("env | cut -d= -f1 | sort | tr '\\n' ' '");
    let own = ["GIVEN", "PATH", "OLDPWD", "PWD", "SHLVL", "_"];
    assert!(names.split(' ').filter(|name| !name.is_empty()).all(|name| own.contains(&name)));
    assert!(names.contains("GIVEN"), "{names}");
    assert!(say("pwd").starts_with(&std::env::temp_dir().display().to_string()));
    assert_eq!(say("echo $0"), "LD_a,LD_b");
    if cfg!(target_os = "linux") {
        assert_eq!(say("ulimit -d"), (300 << 10).to_string());
    }
}

/// Whether a process is gone, or about to be.
#[cfg(target_os = "linux")]
fn is_gone(process: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat"));
    status.map_or(true, |text| text.contains(") Z"))
}

#[test]
#[cfg(target_os = "linux")]
fn t68_what_the_child_has_started_ends_with_it() {
    let python = python(
        "sleep 1000 >/dev/null & echo \"{\\\"id\\\": $id, \\\"value\\\": 1, \\\"text\\\": \\\"$!\\\"}\";",
    );
    let process = text(&python);
    assert!(!is_gone(&process));
    python.close(Instant::now());
    while !is_gone(&process) {
        std::thread::yield_now();
    }
    let refused = python.call("LD_x", None).expect_err("closed");
    assert_eq!(refused.to_string(), "sh cannot be started: the server ends");
}

#[test]
fn t68_a_child_that_ends_is_missed_whatever_it_leaves_behind() {
    // It has the pipe of the child, and its group.
    check_lost("sleep 1000 & kill -9 $$", "it ended (signal: 9 (SIGKILL))");
    let python = python(
        r#"case $line in *die*) kill -9 $$;; esac;
        setsid sh -c 'echo "{\"id\": $0, \"value\": 1, \"text\": \"$$\"}"; exec sleep 1000' $id &"#,
    );
    let stray = text(&python).parse().ok().and_then(rustix::process::Pid::from_raw);
    let mut call = python.call("LD_die", None).expect("a child");
    let why = "it ended, and what it left behind keeps its output open";
    assert_eq!(last(&mut call), Step::Lost(why.to_owned()));
    drop(python);
    rustix::process::kill_process(stray.expect("a process"), rustix::process::Signal::KILL)
        .expect("a child that is not confined does not keep it");
}

#[test]
fn a_child_that_cannot_begin_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let why = |script: &str| {
        let started = Python::start(settings(directory.path(), script), &Memory::unlimited());
        started.expect_err("no child").to_string()
    };
    assert_eq!(
        why("echo '{\"failed\": \"No module named locust\"}'; exit 1"),
        "sh cannot run LoadDensity: No module named locust"
    );
    assert_eq!(why("exit 7"), "sh cannot run LoadDensity: it ended (exit status: 7)");
    let missing = Settings { interpreter: "/no/python".into(), ..settings(directory.path(), "") };
    let error = Python::start(missing, &Memory::unlimited()).expect_err("no child");
    assert!(error.to_string().starts_with("/no/python cannot be started: "), "{error}");
}

#[test]
fn t65_a_child_that_could_read_a_secret_is_not_started() {
    let directory = tempfile::tempdir().expect("a directory");
    let token = directory.path().join("token");
    std::fs::write(&token, "secret").expect("written");
    let settings = Settings {
        confined: true,
        secret_files: vec![token.clone()],
        ..settings(directory.path(), READY)
    };
    let error = Python::start(settings, &Memory::unlimited()).expect_err("no child");
    assert_eq!(error, StartError::Secret("sh".to_owned(), token.display().to_string()));
}
