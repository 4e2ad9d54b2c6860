//! What the program says: help, and the line that each mistake gets. `TRYCMD=overwrite cargo test
//! --test it` writes down what it says now.

use std::env;
use std::process::Command;

use ldctl::cli::TOKEN_VARIABLE;

#[test]
fn the_program_says_what_the_transcripts_say() {
    if env::var_os(TOKEN_VARIABLE).is_some() {
        return without_the_token();
    }
    trycmd::TestCases::new().case("tests/cmd/*.md");
}

/// The commands inherit the caller's environment, and a token there would change what they say.
fn without_the_token() {
    let again = env::current_exe().expect("this test");
    let status = Command::new(again)
        .args(["transcripts::the_program_says_what_the_transcripts_say", "--exact", "--nocapture"])
        .env_remove(TOKEN_VARIABLE)
        .status()
        .expect("this test");
    assert!(status.success());
}
