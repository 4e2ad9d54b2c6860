//! The script that compares clusters with Locust: what it does with the processes it starts. They are
//! stand-ins here; the comparison itself needs Locust, and is a step of CI.

use std::path::Path;
use std::process::Command;

use crate::support::{Running, installed, signal, soon_true};

const SCRIPT: &str = "tests/compare/cluster.py";

/// A directory with a stand-in for each program: what a shell is to do in place of it. Each notes its
/// process first.
fn stand_ins(locust: &str, ldctl: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, script) in [("locust", locust), ("ldctl", ldctl)] {
        let pids = dir.path().join("pids");
        let script = format!("#!/bin/sh\necho $$ >> '{}'\n{script}\n", pids.display());
        // By a shell: while a file that this process writes is open, no other thread's child may run it.
        let write = "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", write, "sh", &script]).arg(dir.path().join(name));
        assert!(shell.status().expect("a shell").success());
    }
    dir
}

/// A stock master of Locust with three workers.
fn stock(dir: &Path) -> Running {
    let mut command = Command::new("python3");
    command.arg(SCRIPT).arg("--ldctl").arg(dir.join("ldctl"));
    Running::of(command.arg("--reference").arg(dir.join("python")).args(["--only", "stock-3"]))
}

fn pids(dir: &Path) -> Vec<u32> {
    let pids = std::fs::read_to_string(dir.join("pids")).unwrap_or_default();
    pids.lines().map(|pid| pid.parse().expect("a process")).collect()
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).read_link().is_ok()
}

#[test]
fn processes_of_a_comparison_read_the_documents_that_were_written_for_them() {
    if !installed("python3") {
        return;
    }
    let code = "import sys; sys.path.insert(0, 'tests/compare'); sys.dont_write_bytecode = True\n\
         import cluster\n\
         bench = cluster.Bench('ldctl', 'python', sys.argv[1], 0)\n\
         one = bench.document(); text = open(one).read()\n\
         other = bench.document(test_time=99)\n\
         assert one != other and open(one).read() == text and '99' in open(other).read()";
    let dir = tempfile::tempdir().expect("a directory");
    let ran = Command::new("python3").args(["-c", code]).arg(dir.path()).output().expect("python3");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn a_comparison_whose_worker_fails_says_so_at_once_and_leaves_no_process() {
    if !installed("python3") {
        return;
    }
    let dir = stand_ins("exec sleep 600", "echo broken; exit 2");
    let (code, stdout, stderr) = stock(dir.path()).end();
    assert_eq!(code, Some(1), "{stderr:?}");
    let said = stdout.join("\n");
    assert!(said.contains("FAIL  stock-3") && said.contains("exit code 2\nbroken"), "{said}");
    assert!(!pids(dir.path()).into_iter().any(runs));
}

#[test]
fn a_comparison_that_is_ended_ends_what_it_has_started() {
    if !installed("python3") {
        return;
    }
    for name in ["TERM", "INT", "HUP"] {
        let dir = stand_ins("exec sleep 600", "exec sleep 600");
        let comparison = stock(dir.path());
        soon_true(|| pids(dir.path()).len() == 4);
        signal(name, comparison.id());
        let (code, stdout, stderr) = comparison.end();
        assert!(code.is_some_and(|code| code > 128), "{code:?} {stdout:?} {stderr:?}");
        let left: Vec<u32> = pids(dir.path()).into_iter().filter(|pid| runs(*pid)).collect();
        assert_eq!(left, [0u32; 0], "after {name}");
    }
}

#[test]
fn processes_of_a_comparison_end_even_when_it_is_killed() {
    if !installed("python3") || !installed("setpriv") {
        return;
    }
    let dir = stand_ins("exec sleep 600", "exec sleep 600");
    let comparison = stock(dir.path());
    soon_true(|| pids(dir.path()).len() == 4);
    signal("KILL", comparison.id());
    drop(comparison);
    soon_true(|| !pids(dir.path()).into_iter().any(runs));
}
