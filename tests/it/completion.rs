//! The completion script of bash, in a bash on a terminal: what TAB makes of a line, and which server is
//! asked for the numbers of runs. `ldctl` is a function there that shows its arguments.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::soon_true;

/// Shows its arguments as `<a><b>.`; asked for the numbers of runs, it keeps what it was asked with.
const PROGRAM: &str = r#"
ldctl() {
    if [[ $1 == __runs ]]; then
        printf '%s\n' "$*" >> asked
        printf '12\n7\n'
    else
        printf '<%s>' "$@"
        echo .
    fi
}
"#;

/// A bash with the script, in a directory.
struct Shell {
    child: Child,
    terminal: fs::File,
    shown: Arc<Mutex<String>>,
}

impl Shell {
    fn start(directory: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/ldctl.bash");
        fs::write(directory.join(".rc"), format!("PS1='> '\n{PROGRAM}source '{script}'\n"))
            .expect("a file");
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let name = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes())).to_owned();
        let open = || -> Stdio {
            let file = fs::File::options().read(true).write(true).open(&name);
            file.expect("its other end").into()
        };
        let child = Command::new("bash")
            .args(["--noprofile", "--rcfile", ".rc", "-i"])
            .current_dir(directory)
            .env("TERM", "dumb")
            .env("LC_ALL", "C.UTF-8")
            .env("INPUTRC", "/dev/null")
            .env("HISTFILE", "/dev/null")
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .expect("bash");
        let shown = Arc::<Mutex<String>>::default();
        let (mut from, into) = (fs::File::from(master), Arc::clone(&shown));
        let terminal = from.try_clone().expect("a descriptor");
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end is an error on Linux.
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                into.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        let shell = Self { child, terminal, shown };
        shell.wait_for("> ");
        shell
    }

    fn wait_for(&self, text: &str) {
        soon_true(|| self.shown.lock().expect("no panic").contains(text));
    }

    /// The arguments of `ldctl` after a line in which `\t` stands for TAB.
    #[track_caller]
    fn check(&mut self, line: &str, expected: &str) {
        self.shown.lock().expect("no panic").clear();
        self.terminal.write_all(format!("{line}\n").as_bytes()).expect("a terminal");
        let ends =
            |shown: &str| shown.lines().any(|line| line.starts_with('<') && line.ends_with('.'));
        soon_true(|| ends(&self.shown.lock().expect("no panic")));
        let shown = self.shown.lock().expect("no panic").clone();
        assert!(shown.contains(expected), "{line:?}: {shown:?}");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn bash_completes_documents_whose_names_have_blanks_and_goes_on_in_directories() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(directory.path().join("plain/inner one")).expect("a directory");
    for name in ["my doc.json", "my.txt", "plain/a.yaml", "plain/a.txt"] {
        fs::write(directory.path().join(name), "[]").expect("a file");
    }
    let mut shell = Shell::start(directory.path());
    for verb in ["run", "send", "lint", "fmt"] {
        shell.check(&format!("ldctl {verb} my\t"), &format!("<{verb}><my doc.json>."));
    }
    shell.check("ldctl fmt my\\ d\t", "<fmt><my doc.json>.");
    shell.check("ldctl fmt 'my d\t", "<fmt><my doc.json>.");
    shell.check("ldctl fmt pl\t", "<fmt><plain/>.");
    shell.check("ldctl fmt pl\ta\t", "<fmt><plain/a.yaml>.");
    shell.check("ldctl fmt pl\tin\t", "<fmt><plain/inner one/>.");
    shell.check("ldctl run --o\t", "<run><--o");
}

#[test]
fn bash_asks_the_server_that_was_typed_for_the_numbers_of_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut shell = Shell::start(directory.path());
    let server = "127.0.0.1:7777";
    for (line, arguments, asked) in [
        ("status 1\t", "<status><12>.", "status 1"),
        ("status --watch 1\t", "<status><--watch><12>.", "status --watch 1"),
        (
            "stop --server 127.0.0.1:7777 1\t",
            "<stop><--server><127.0.0.1:7777><12>.",
            &format!("stop --server {server} 1"),
        ),
        (
            "report --server=127.0.0.1:7777 7\t",
            "<report><--server=127.0.0.1:7777><7>.",
            &format!("report --server={server} 7"),
        ),
        ("attach --token-env 1\t", "<attach><--token-env><12>.", "attach --token-env 1"),
    ] {
        let _ = fs::remove_file(directory.path().join("asked"));
        shell.check(&format!("ldctl {line}"), arguments);
        let told = fs::read_to_string(directory.path().join("asked")).expect(line);
        assert_eq!(told.lines().next(), Some(format!("__runs bash {asked}").as_str()));
    }
    let _ = fs::remove_file(directory.path().join("asked"));
    shell.check("ldctl status --port 1\t", "<status><--port><1>.");
    shell.check("ldctl report -o 1\t", "<report><-o><1>.");
    shell.check("ldctl status --server 127.0.0.1:1\t", "<status><--server><127.0.0.1:1>.");
    assert!(!directory.path().join("asked").exists(), "values of options are no numbers of runs");
}
