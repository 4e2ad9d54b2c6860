//! What the program says: help, and the line that each mistake gets. `TRYCMD=overwrite cargo test
//! --test it` writes down what it says now.

#[test]
fn the_program_says_what_the_transcripts_say() {
    trycmd::TestCases::new().case("tests/cmd/*.md");
}
