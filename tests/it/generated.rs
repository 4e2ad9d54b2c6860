//! Files that are made from the definitions of the command line and of the actions: completions, man
//! pages and the manual of documents. When one is stale, `TRYCMD=overwrite cargo test --test it` writes
//! it anew, as it does with the transcripts.

use std::collections::BTreeMap;
use std::fs;

use clap::{ArgAction, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use ldctl::cli::{Cli, ENVIRONMENT, EXIT_CODES, SIGNALS, completion_script};
use snapbox::{Assert, Data};

use crate::support::manual;

/// File names and what must stand in them.
type Files = BTreeMap<String, Vec<u8>>;

#[test]
fn the_completions_are_those_of_the_command_line() {
    let files = [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh]
        .into_iter()
        .map(|shell| {
            let script = completion_script(shell).into_bytes();
            (clap_complete::Generator::file_name(&shell, "ldctl"), script)
        })
        .collect();
    check("completions", &files);
}

#[test]
fn the_man_pages_are_those_of_the_command_line() {
    let mut command = Cli::command();
    command.build();
    let mut files = Files::new();
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help").cloned() {
        let (name, page) = page(verb);
        files.insert(name, page);
    }
    let (name, page) = page(command);
    files.insert(name, page);
    files.insert("ldctl-actions.5".to_owned(), manual::page().into_bytes());
    check("man", &files);
}

#[test]
fn the_manual_of_actions_is_that_of_the_commands() {
    check_file("docs/actions.md", &manual::markdown());
}

#[test]
fn the_table_of_all_commands_of_loaddensity_says_how_each_is_answered() {
    check_file("docs/commands.md", &manual::answered());
}

/// Every file as it must be, and no other file.
fn check(directory: &str, files: &Files) {
    for (name, contents) in files {
        let text = String::from_utf8(contents.clone()).expect("UTF-8");
        check_file(&format!("{directory}/{name}"), &text);
    }
    let mut present: Vec<String> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    present.sort();
    assert_eq!(present, files.keys().cloned().collect::<Vec<_>>(), "files in {directory}/");
}

fn check_file(path: &str, text: &str) {
    let committed = Data::read_from(path.as_ref(), None).raw();
    Assert::new().action_env("TRYCMD").eq(Data::text(text).raw(), committed);
}

/// One page. What clap shows after its help is the list of exit codes, which has a section of its
/// own in a man page.
fn page(command: Command) -> (String, Vec<u8>) {
    let has_verbs = command.has_subcommands();
    let signals = SIGNALS.iter().find(|(verb, _)| *verb == command.get_name());
    let command = command.after_help(None::<&str>).after_long_help(None::<&str>);
    let described = command.clone();
    let man = Man::new(command)
        .date("")
        .source(concat!("ldctl ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut page = Vec::new();
    let out = &mut page;
    man.render_title(out).expect("memory");
    man.render_name_section(out).expect("memory");
    out.extend(synopsis(&described).bytes());
    man.render_description_section(out).expect("memory");
    man.render_options_section(out).expect("memory");
    if has_verbs {
        man.render_subcommands_section(out).expect("memory");
    }
    if let Some((_, signals)) = signals {
        out.extend(b".SH SIGNALS\n");
        for (names, meaning) in *signals {
            let meaning = meaning.replace("--", "\\-\\-");
            out.extend(format!(".TP\n\\fB{names}\\fR\n{meaning}\n").bytes());
        }
    }
    if has_verbs {
        out.extend(b".SH ENVIRONMENT\n");
        for (names, meaning) in ENVIRONMENT {
            let meaning = meaning.replace("--", "\\-\\-");
            out.extend(format!(".TP\n\\fB{names}\\fR\n{meaning}\n").bytes());
        }
    }
    out.extend(exit_status().bytes());
    out.extend(manual::sections(described.get_name()).bytes());
    (man.get_filename(), page)
}

/// The synopsis, with the values of options.
fn synopsis(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut line = format!(".SH SYNOPSIS\n\\fB{name}\\fR");
    let shown = command.get_arguments();
    let shown = shown.filter(|option| !option.is_positional() && !option.is_hide_set());
    for option in shown {
        let long = option.get_long().map(|long| format!("\\-\\-{}", long.replace('-', "\\-")));
        let short = option.get_short().map(|short| format!("\\-{short}"));
        let flag = short.or(long).unwrap_or_default();
        let takes = option.get_action().takes_values();
        let values = option.get_value_names().unwrap_or_default().join(" ").replace('-', "\\-");
        let value = if takes { format!(" \\fI{values}\\fR") } else { String::new() };
        let dots = if matches!(option.get_action(), ArgAction::Append | ArgAction::Count) {
            "..."
        } else {
            ""
        };
        let one = format!("\\fB{flag}\\fR{value}");
        let one = if option.is_required_set() { one } else { format!("[{one}]") };
        line.push_str(&format!(" {one}{dots}"));
    }
    for argument in command.get_positionals() {
        let values = argument.get_value_names().unwrap_or_default().join(" ");
        let dots = if matches!(argument.get_action(), ArgAction::Append) { "..." } else { "" };
        let value = format!("\\fI{values}\\fR{dots}");
        line.push_str(&if argument.is_required_set() {
            format!(" {value}")
        } else {
            format!(" [{value}]")
        });
    }
    if command.has_subcommands() {
        line.push_str(" \\fIVERB\\fR");
    }
    line + "\n"
}

fn exit_status() -> String {
    let mut section = ".SH \"EXIT STATUS\"\n".to_owned();
    for line in EXIT_CODES.lines().skip(1) {
        let (code, meaning) = line.trim().split_once(' ').expect("a code and its meaning");
        section.push_str(&format!(".TP\n\\fB{code}\\fR\n{}\n", meaning.trim()));
    }
    section
}
