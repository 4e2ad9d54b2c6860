//! `SECURITY.md`: its table of cases is made from the names of the tests that prove them, so that it
//! cannot drift. When it is stale, `TRYCMD=overwrite cargo test --test it` writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use regex::Regex;
use snapbox::{Assert, Data};

const PAGE: &str = "SECURITY.md";

const BEGIN: &str = "<!-- made from the tests: begin -->\n";
const END: &str = "<!-- made from the tests: end -->";

/// What is done, and what must happen then.
const ABUSE: [(&str, &str); 26] = [
    ("connect and send nothing", "closed at the deadline; nobody waits"),
    ("a byte every two seconds", "the deadline holds for the whole request"),
    ("silent TLS clients", "a deadline of their own; a handshake beside them is not delayed"),
    ("resets during handshakes", "descriptors are as before"),
    ("frame lengths out of bounds", "refused from the header alone"),
    ("a large claim, few bytes", "memory grows with what is received"),
    ("many requests nearly complete", "a budget for all of them together"),
    ("deep nesting", "an error, no overflow of the stack"),
    ("bytes that are no text, numbers that are none", "an error, no panic"),
    ("wrong tokens of all kinds", "the same bytes after the same delay"),
    ("guessing tokens", "delayed, then refused; never from this machine"),
    ("measuring comparisons", "their time tells nothing"),
    ("more connections than allowed", "told that it is busy; those served go on"),
    ("a browser's POST", "runs nothing"),
    ("split, long or doubled legacy requests", "one request; a tail never runs"),
    ("report names that lead elsewhere", "refused; nothing outside changes"),
    ("reading devices, pipes, other people's files", "refused"),
    ("absurd numbers of users, tasks, seconds", "refused before a user starts, naming the limit"),
    ("a client that never reads", "loses its reply, not its run; memory is bounded"),
    ("a half-close after sending", "the whole reply arrives"),
    ("a value that holds the terminator", "cannot end a reply"),
    ("hostile targets", "counted; memory is bounded"),
    ("hostile strings in names and errors", "harmless in every report and on the terminal"),
    ("a hostile server", "the client's memory and patience are bounded"),
    ("looking for the token", "found in no output, file, command line, memory or core"),
    ("a panic", "contained, counted, told as `internal`"),
];

/// What goes wrong, and what must hold.
const FAULTS: [(&str, &str); 14] = [
    ("`kill -9` while a report or database is written", "the old file or the new one, never torn"),
    ("a full disk", "a clear error; the old file stays"),
    ("failing syncs", "a clear error; the old file stays"),
    ("no descriptors left", "accepting pauses and recovers"),
    ("the client leaves during a run", "the run goes on and is kept"),
    ("a slow reader", "gets everything"),
    ("SIGTERM: idle, during a run, twice", "ends in time; partial results are kept and sent"),
    ("SIGHUP", "tokens and certificates are new, or all are old"),
    ("the clock jumps", "durations stay true"),
    ("the target refuses, is silent, resets, closes early", "counted as failures"),
    ("names that do not resolve", "counted as failures"),
    ("the port is in use", "a clear error"),
    ("two servers in one data directory", "no file is torn, no run lost"),
    ("stdout is closed or full", "the server goes on"),
];

/// The sources and their texts, in order.
fn sources(directory: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "py") {
            let text = fs::read_to_string(&path).expect("text");
            found.insert(path.display().to_string(), text);
        }
    }
}

/// What proves each case, by `t01` to `f14`.
fn proofs() -> BTreeMap<String, Vec<String>> {
    let mut texts = BTreeMap::new();
    sources(Path::new("src"), &mut texts);
    sources(Path::new("tests"), &mut texts);
    let test = Regex::new(r"\n *(?:async )?fn (([tf]\d\d)_\w+)\(").expect("a pattern");
    let script = Regex::new(r"\b(f\d\d)\b").expect("a pattern");
    let mut proofs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in &texts {
        for found in test.captures_iter(text).filter(|_| path.ends_with(".rs")) {
            proofs.entry(found[2].to_owned()).or_default().push(found[1].replace('_', " "));
        }
        for found in script.captures_iter(text).filter(|_| path.ends_with("/faults.py")) {
            let proofs = proofs.entry(found[1].to_owned()).or_default();
            if !proofs.contains(&format!("`{path}`")) {
                proofs.push(format!("`{path}`"));
            }
        }
    }
    proofs
}

fn table() -> String {
    let mut proofs = proofs();
    let mut table =
        "| case | what is done | what must happen | proved by |\n|---|---|---|---|\n".to_owned();
    for (letter, cases) in [('T', &ABUSE[..]), ('F', &FAULTS[..])] {
        for (number, (done, must)) in (1..).zip(cases) {
            let key = format!("{}{number:02}", letter.to_ascii_lowercase());
            let tests = proofs.remove(&key).unwrap_or_else(|| panic!("no test proves {key}"));
            let tests: Vec<&str> = tests
                .iter()
                .map(|test| test.strip_prefix(&format!("{key} ")).unwrap_or(test))
                .collect();
            table += &format!("| {letter}{number} | {done} | {must} | {} |\n", tests.join("; "));
        }
    }
    assert!(proofs.is_empty(), "tests of cases that the page does not know: {:?}", proofs.keys());
    table
}

#[test]
fn the_page_on_security_names_the_tests_that_prove_each_case() {
    let page = fs::read_to_string(PAGE).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("where the table begins");
    let (_, after) = rest.split_once(END).expect("where the table ends");
    let expected = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    let committed = Data::read_from(PAGE.as_ref(), None).raw();
    Assert::new().action_env("TRYCMD").eq(Data::text(expected).raw(), committed);
}
