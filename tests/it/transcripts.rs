//! What the program says: help, and the line that each mistake gets. `TRYCMD=overwrite cargo test
//! --test it` writes down what it says now.

use std::env;
use std::fs;
use std::process::Command;

use clap::CommandFactory;
use ldctl::cli::{Cli, TOKEN_VARIABLE};
use regex::Regex;

#[test]
fn the_output_of_the_program_equals_the_transcripts() {
    if env::var_os(TOKEN_VARIABLE).is_some() {
        return without_the_token();
    }
    trycmd::TestCases::new().case("tests/cmd/*.md");
}

#[test]
fn the_help_of_every_verb_is_in_the_transcripts() {
    let text = fs::read_to_string("tests/cmd/help.md").expect("a transcript");
    for verb in Cli::command().get_subcommands() {
        let line = format!("$ ldctl {} --help", verb.get_name());
        assert!(
            text.lines().any(|said| said == line),
            "add the line {line:?} to tests/cmd/help.md"
        );
    }
}

#[test]
fn every_error_has_the_one_form_of_a_message() {
    // Advice follows a semicolon, and the system's number of an error says nothing to people.
    let advice = "add|check|choose|drop|export|give|leave|name|remove|run|say|use|write";
    let wrong = Regex::new(&format!(r"os error|: ({advice})\b")).expect("a pattern");
    let mut errors = 0;
    for entry in fs::read_dir("tests/cmd").expect("the transcripts") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|kind| kind != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a transcript");
        for line in text.lines().filter(|line| line.starts_with("error: ")) {
            errors += 1;
            assert!(!wrong.is_match(line), "{}: {line}", path.display());
        }
    }
    assert!(errors > 30, "{errors} errors are too few to mean anything");
}

/// The commands inherit the caller's environment, and a token there would change what they say.
fn without_the_token() {
    let again = env::current_exe().expect("this test");
    let status = Command::new(again)
        .args([
            "transcripts::the_output_of_the_program_equals_the_transcripts",
            "--exact",
            "--nocapture",
        ])
        .env_remove(TOKEN_VARIABLE)
        .status()
        .expect("this test");
    assert!(status.success());
}
