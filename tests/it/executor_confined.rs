//! What the executor's Python may do: documents can make it run any code. A shell stands in for the
//! interpreter where LoadDensity itself is of no matter.

#![cfg(target_os = "linux")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::executor::{Place, results, test_of};
use crate::support::{Running, Server, make_private, program};

/// A shell that stands in for Python, and a data directory. Both are somewhere else.
struct Shell {
    outside: tempfile::TempDir,
    data: tempfile::TempDir,
}

/// Runs in the shell for a command.
const COMMAND: &str = r#"[["LD_ssrf_targets"]]"#;

impl Shell {
    /// It responds to each command with what `each` prints, and to questions for its places with what
    /// `asked` prints.
    fn of(asked: &str, each: &str) -> Self {
        let [outside, data] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let shell = Self { outside, data };
        shell.write(&shell.interpreter(), asked, each);
        shell
    }

    fn interpreter(&self) -> PathBuf {
        self.outside.path().join("python")
    }

    fn write(&self, path: &Path, asked: &str, each: &str) {
        let text = format!(
            r#"#!/bin/sh
[ $# -eq 3 ] || {{ {asked}; exit 0; }}
echo '{{"ready": {{"package": "1", "python": "3", "commands": []}}}}'
while read -r line; do
    id=${{line#*: }}; id=${{id%%[,\}}]*}}
    said=$({{ {each}; }} 2>/dev/null | tr '\n\0' '  ')
    echo "{{\"id\": $id, \"value\": \"$said\", \"text\": \"\"}}"
done
"#
        );
        std::fs::write(path, text).expect("written");
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("a mode");
    }

    /// Runs one command in an interpreter.
    fn run(&self, interpreter: &Path, options: &[&str]) -> Output {
        let mut command = program(&["run", "-o", "json", "--no-check", "--json", COMMAND]);
        command.arg("--executor").arg(interpreter).arg("--data-dir").arg(self.data.path());
        command.args(options).env("HIDDEN", "never-shown");
        command.output().expect("the program")
    }

    /// What it prints for a command.
    fn said(&self, options: &[&str]) -> String {
        let output = self.run(&self.interpreter(), options);
        results(&output)[0]["value"].as_str().expect("a text").to_owned()
    }

    /// Asserts that an interpreter is refused because documents could change it.
    fn check_refused(&self, interpreter: &Path) {
        let output = self.run(interpreter, &[]);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && why.contains("documents can change"), "{why}");
        assert!(why.contains("name a Python outside, or another --data-dir"), "{why}");
    }
}

/// Whether the kernel keeps signals inside: Linux 6.12.
fn keeps_signals() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(12))
}

#[test]
fn t69_a_confined_child_reads_and_writes_only_the_data_directory() {
    let secret = tempfile::tempdir().expect("a directory");
    let place = secret.path().display();
    std::fs::write(secret.path().join("secret"), "secret\n").expect("written");
    let shell = Shell::of(
        ":",
        &format!(
            "cat mine {place}/secret; echo x >{place}/new && echo wrote; echo x >yours && echo wrote;
             grep -az ^HIDDEN= /proc/$PPID/environ; kill -0 $PPID && echo signalled"
        ),
    );
    std::fs::write(shell.data.path().join("mine"), "mine\n").expect("written");
    let said = shell.said(&["--executor-unconfined"]);
    assert_eq!(said, "mine secret wrote wrote HIDDEN=never-shown signalled ");
    std::fs::remove_file(secret.path().join("new")).expect("removed");
    let signalled = if keeps_signals() { "" } else { "signalled " };
    assert_eq!(shell.said(&[]), format!("mine wrote {signalled}"));
    assert!(!secret.path().join("new").exists() && shell.data.path().join("yours").exists());
}

#[test]
fn t69_an_interpreter_that_documents_can_change_is_refused_before_it_runs() {
    let shell = Shell::of(":", ":");
    let ran = shell.outside.path().join("ran");
    let inside = shell.data.path().join("python");
    let witness = format!("echo x >{}", ran.display());
    shell.write(&inside, &witness, &witness);
    shell.check_refused(&inside);
    let link = shell.outside.path().join("link");
    symlink(&inside, &link).expect("a link");
    shell.check_refused(&link);
    assert!(!ran.exists());
    // Its own code lies there.
    let prefix = format!("echo {}/lib", shell.data.path().display());
    shell.write(&shell.interpreter(), &prefix, ":");
    shell.check_refused(&shell.interpreter());
    assert_eq!(shell.run(&inside, &["--executor-unconfined"]).status.code(), Some(0));
    assert!(ran.exists());
}

#[test]
fn t69_what_is_installed_for_the_interpreter_runs_no_code_without_limits() {
    let Some(place) = Place::find() else { return };
    let outside = tempfile::tempdir().expect("a directory");
    let venv = outside.path().join("venv");
    let mut make = Command::new(&place.python);
    make.args(["-m", "venv", "--without-pip"]).arg(&venv);
    assert!(make.status().expect("a Python").success());
    let python = venv.join("bin/python");
    let lib = std::fs::read_dir(venv.join("lib")).expect("a folder").flatten().next();
    let packages = lib.expect("a version").path().join("site-packages");
    let ran = outside.path().join("ran");
    let code = format!("import os; open({:?}, 'w').close()\n", ran.display());
    let shell = Shell { outside, data: place.dir };

    std::fs::write(packages.join("installed.pth"), &code).expect("written");
    let why = |options: &[&str]| {
        let output = shell.run(&python, options);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = why(&[]);
    assert!(said.contains("install je_load_density there") && !ran.exists(), "{said}");
    assert!(why(&["--executor-unconfined"]).contains("cannot run LoadDensity"));
    assert!(ran.exists(), "it is run at every start");

    std::fs::remove_file(&ran).expect("removed");
    let inside = shell.data.path().join("packages");
    std::fs::rename(&packages, &inside).expect("moved");
    symlink(&inside, &packages).expect("a link");
    shell.check_refused(&python);
    assert!(!ran.exists());
}

/// Looks for the server's token in its environment, and for a way into the memory of its threads; what
/// it finds is in its error, written so that it is not taken for a secret.
const SPY: &str = r#"
import ctypes, os

class Part(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]

libc = ctypes.CDLL(None, use_errno=True)

def environment(process):
    try:
        with open("/proc/%d/environ" % process, "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []

def is_open(process):
    here, there = Part(ctypes.addressof(ctypes.create_string_buffer(8)), 8), Part(8, 8)
    libc.process_vm_readv(process, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    # Nothing lies at that address, which only those who may read are told.
    return ctypes.get_errno() == 14

class Stub:
    def __init__(self, channel):
        near = range(os.getppid(), os.getppid() + 100)
        others = [one for one in near if not os.path.exists("/proc/self/task/%d" % one)]
        found = {text for one in others for text in environment(one) if b"SOCKET_TOKEN=" in text}
        opened = any(map(is_open, others))
        raise RuntimeError("token: %s, memory: %s;" % (b"".join(found).hex(), opened))
"#;

/// The results of a test whose stub spies on the server, and of a summary.
fn spied(place: &Place, options: &[&str]) -> Vec<Value> {
    let modules = tempfile::tempdir().expect("a directory");
    std::fs::write(modules.path().join("spy.py"), SPY).expect("written");
    let mut command =
        program(&["serve", "--port", "0", "--token-env", "--executor", &place.python]);
    command.args(["--engine", "python"]);
    command.arg("--data-dir").arg(place.dir.path()).args(options);
    command.args(["--allow-env", "SHOWN", "--allow-env", "PYTHONPATH"]);
    command.env("HIDDEN", "never-shown").env("SHOWN", "may-be-shown");
    command.env("PYTHONPATH", modules.path()).env("LOAD_DENSITY_SOCKET_TOKEN", TOKEN);
    let server = Server::listening(Running::of(command.stdin(Stdio::null())));
    let tasks = json!([{"target": "127.0.0.1:1", "stub_path": "spy.Stub", "request_path": "spy.Part",
        "method": "x",
        "name": "${env.HIDDEN} ${env.SHOWN} ${env.LOAD_DENSITY_SOCKET_TOKEN} ${env.HOME}"}]);
    let text = json!([test_of("grpc_user", &tasks), ["LD_summary"]]).to_string();
    let port = server.port();
    let send =
        ["send", "--no-check", "-o", "json", "--token-env", "--port", &port, "--json", &text];
    let mut send = program(&send);
    let output = send.env("LOAD_DENSITY_SOCKET_TOKEN", TOKEN).output().expect("the program");
    results(&output)
}

const TOKEN: &str = "correct-horse";

#[test]
fn t65_neither_token_nor_environment_reach_a_document_in_python() {
    let Some(place) = Place::find() else { return };
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let seen = hex(&format!("LOAD_DENSITY_SOCKET_TOKEN={TOKEN}"));
    let unconfined = spied(&place, &["--executor-unconfined"])[0].to_string();
    assert!(unconfined.contains(&format!("token: {seen}, memory: True;")), "{unconfined}");
    let found = spied(&place, &[]);
    let all = format!("{found:?}");
    assert!(found[0].to_string().contains("token: , memory: False;"), "{all}");
    assert!(
        all.contains("${env.HIDDEN} may-be-shown ${env.LOAD_DENSITY_SOCKET_TOKEN} ${env.HOME}")
    );
    assert!(!all.contains("never-shown") && !all.contains(TOKEN) && !all.contains(&seen), "{all}");
}

#[test]
fn t65_with_the_token_where_documents_may_read_nothing_starts() {
    let shell = Shell::of(":", ":");
    let token = shell.data.path().join("token");
    std::fs::write(&token, TOKEN).expect("written");
    make_private(&token);
    let mut command = program(&["serve", "--port", "0", "--executor"]);
    command.arg(shell.interpreter()).arg("--data-dir").arg(shell.data.path());
    let output = command.arg("--token-file").arg(&token).output().expect("the program");
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && why.contains("could read"), "{why}");
}

#[test]
fn t68_what_left_the_group_of_the_child_ends_with_it() {
    // The child ends with the program that started it, or dies.
    for end in [":", "kill -9 $$"] {
        let leave = "setsid sh -c 'echo $$ >stray; exec sleep 1000' >/dev/null &";
        let shell = Shell::of(":", &format!("{leave} while ! [ -s stray ]; do :; done; {end}"));
        let output = shell.run(&shell.interpreter(), &[]);
        assert_eq!(results(&output)[0]["ok"], end == ":", "{output:?}");
        let stray = std::fs::read_to_string(shell.data.path().join("stray")).expect("a number");
        assert!(!Path::new(&format!("/proc/{}", stray.trim())).exists(), "{end}");
    }
}

fn check_memory(each: &str) {
    let shell = Shell::of(":", each);
    let options = ["--executor-unconfined", "--executor-memory", "64MiB"];
    let result = &results(&shell.run(&shell.interpreter(), &options))[0];
    let why = result["error"]["message"].as_str().expect("a text");
    let expected = "ended during LD_ssrf_targets: its processes took ";
    assert!(why.contains(expected) && why.contains("more than --executor-memory 64 MiB"), "{why}");
}

#[test]
fn t65_memory_that_the_system_does_not_limit_ends_the_child() {
    // Python itself takes some; memory that is shared is not limited by the system.
    check_memory(
        r#"python3 -c "import mmap, sys, time
taken = mmap.mmap(-1, 150 << 20)
for page in range(0, len(taken), 4096): taken[page] = 1
time.sleep(1000)""#,
    );
    // Nor is that of several processes.
    check_memory(
        r#"for number in 1 2 3; do
            python3 -c "import time; taken = b'x' * (40 << 20); time.sleep(1000)" &
        done; wait"#,
    );
}
