//! The README tells the truth: its console blocks are run as they stand, in a directory of their own
//! that holds the examples, and print what they are shown to print. Numbers may differ, `[..]` and a
//! line `...` stand for anything.

use std::fs;
use std::path::Path;

use clap::ValueEnum;
use ldctl::cli::ReportFormat;
use regex::Regex;
use snapbox::cmd::Command;

use crate::support::{DEADLINE, installed};

/// Ends each command's output.
const MARK: &str = "\u{1e}";

/// In place of `ldctl`: servers take a free port, which the other verbs find in what they print.
const PREAMBLE: &str = r#"
ldctl() {
    local verb=$1; shift
    case $verb in
    serve) exec "$LDCTL" serve --port 0 "$@" >serve.log ;;
    send | ping | status | stop | quit)
        local port=
        while [ -n "$(jobs -p)" ] && [ -z "$port" ]; do
            port=$(sed -n 's/^Server started on .*://p' serve.log 2>/dev/null)
            [ -n "$port" ] || sleep 0.05
        done
        "$LDCTL" "$verb" ${port:+--port "$port"} "$@" ;;
    *) "$LDCTL" "$verb" "$@" ;;
    esac
}
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
rm -f serve.log
"#;

/// What is typed, and what is shown below it.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    command: String,
    shown: String,
}

#[test]
fn the_console_blocks_of_the_readme_do_what_they_show() {
    let readme = fs::read_to_string("README.md").expect("a README");
    let blocks = blocks(&readme);
    assert!(blocks.len() >= 5, "{blocks:?}");
    for block in blocks {
        check(&block);
    }
}

#[test]
fn the_readme_names_every_format_of_reports_where_it_tells_of_them() {
    let readme = fs::read_to_string("README.md").expect("README.md");
    let paragraph = |text: &str| {
        let found = readme.split("\n\n").find(|paragraph| paragraph.contains(text));
        found.expect(text).to_owned()
    };
    let (overriding, runs) =
        (paragraph("`--report` writes reports"), paragraph("ldctl report 12 -o soak.html"));
    let reports = paragraph("`ldctl report` makes a report of any run");
    let (_, rows) = overriding.split_once("`db`").expect("the last format");
    for format in ReportFormat::value_variants() {
        let value = format.to_possible_value().expect("not hidden");
        let name = value.get_name();
        assert!(overriding.contains(&format!("`{name}`")), "{name}: {overriding}");
        let is_listed = runs.contains(&format!("|{name}")) || runs.contains(&format!(" {name}|"));
        assert!(is_listed || name == "html", "{name}: {runs}");
        let help = value.get_help().expect("a help").to_string();
        let needs_rows = help.ends_with("needs the rows of the run");
        assert_eq!(rows.contains(&format!("`{name}`")), needs_rows, "{name}: {rows}");
        assert!(!needs_rows || reports.contains(&format!("`{name}`")), "{name}: {reports}");
    }
}

#[test]
fn the_readme_lists_the_users_that_there_are() {
    let text = fs::read_to_string("README.md").expect("README.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("_user` |")).collect();
    let users = ldctl::protocol::USERS.iter();
    let want: Vec<String> =
        users.map(|user| format!("| `{}` | {} |", user.name, user.doc)).collect();
    assert_eq!(rows, want);
}

#[test]
fn a_block_is_read_as_commands_and_what_they_print() {
    let step = |command: &str, shown: &str| Step { command: command.into(), shown: shown.into() };
    let read = blocks("x\n```console\n$ a b\n1\n2\n$ c\n```\n```json\n$ d\n```\n");
    assert_eq!(read, [[step("a b", "1\n2\n"), step("c", "")]]);
}

fn blocks(text: &str) -> Vec<Vec<Step>> {
    text.split("```console\n")
        .skip(1)
        .map(|rest| steps(rest.split("```").next().unwrap()))
        .collect()
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step { command: command.to_owned(), shown: String::new() });
            }
            (None, Some(step)) => {
                step.shown.push_str(line);
                step.shown.push('\n');
            }
            (None, None) => panic!("output without a command: {line}"),
        }
    }
    steps
}

fn check(block: &[Step]) {
    // This test is a part of that command.
    if block.iter().any(|step| step.command == "cargo test") {
        return;
    }
    if block.iter().any(|step| step.command.starts_with("openssl")) && !installed("openssl") {
        return;
    }
    let told = run(block);
    assert_eq!(told.matches(MARK).count(), block.len(), "it ended early: {told}");
    for (step, told) in block.iter().zip(told.split(MARK)) {
        let shown = numbers_aside(&step.shown);
        let told = numbers_aside(told.trim_start_matches('\n'));
        snapbox::assert_data_eq!(
            format!("$ {}\n{told}", step.command),
            format!("$ {}\n{shown}", step.command)
        );
    }
}

fn run(block: &[Step]) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let examples = directory.path().join("examples");
    fs::create_dir(&examples).expect("a directory");
    for entry in fs::read_dir("examples").expect("the examples") {
        let from = entry.expect("an entry").path();
        if from.is_dir() {
            continue;
        }
        fs::copy(&from, examples.join(from.file_name().expect("a name"))).expect("a copy");
    }
    let mut script = PREAMBLE.to_owned();
    for step in block {
        script.push_str(&format!("{}\nprintf '{MARK}'\n", step.command));
    }
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(Path::new(directory.path()))
        .env("LDCTL", env!("CARGO_BIN_EXE_ldctl"))
        .env("LOAD_DENSITY_SOCKET_TOKEN", "s3cret")
        .stderr_to_stdout()
        .timeout(DEADLINE)
        .output()
        .expect("bash");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn numbers_aside(text: &str) -> String {
    Regex::new(r"[0-9]+(\.[0-9]+)?(e-[0-9]+)?")
        .expect("a pattern")
        .replace_all(text, "0")
        .into_owned()
}
