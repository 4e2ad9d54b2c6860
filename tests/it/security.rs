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

/// Number, attack and expected behaviour, in the order of their numbers.
const ABUSE: &[(usize, &str, &str)] = &[
    (1, "connect and send nothing", "closed at the deadline; other clients are not delayed"),
    (2, "a byte every two seconds", "the deadline holds for the whole request"),
    (3, "silent TLS clients", "closed at the handshake timeout; other handshakes are not delayed"),
    (4, "resets during handshakes", "no descriptor is leaked"),
    (5, "frame lengths out of range", "refused on the header alone"),
    (6, "a large declared length, few bytes", "memory grows with the bytes received"),
    (7, "many nearly complete requests", "one memory budget for all of them"),
    (8, "deep nesting", "an error, no stack overflow"),
    (9, "invalid UTF-8, invalid numbers", "an error, no panic"),
    (10, "wrong tokens of all kinds", "the same bytes after the same delay"),
    (11, "guessing tokens", "delayed, then locked out; never from this machine"),
    (12, "timing token comparisons", "constant time"),
    (13, "more connections than allowed", "a `busy` reply; served connections continue"),
    (14, "a browser's POST", "runs nothing"),
    (15, "split, over-long or repeated legacy requests", "one request; trailing bytes never run"),
    (16, "report names that point outside the data directory", "refused; nothing outside changes"),
    (17, "reading devices, pipes, files outside the data directory", "refused"),
    (
        18,
        "excessive numbers of users, tasks, seconds",
        "refused before any user starts, naming the limit",
    ),
    (19, "a client that never reads", "loses its reply, not its run; memory is bounded"),
    (20, "a half-close after sending", "receives the whole reply"),
    (21, "a value that contains the terminator", "cannot end a reply"),
    (22, "hostile targets", "counted; memory is bounded"),
    (23, "hostile strings in names and errors", "harmless in every report and on the terminal"),
    (24, "a hostile server", "the client's memory and waiting time are bounded"),
    (25, "looking for the token", "not in any output, file, command line, memory or core dump"),
    (26, "a panic", "contained, counted, reported as `internal`"),
    (27, "large requests without the token", "refused without parsing their documents"),
    (28, "many documents at once, slow ones", "a limit; pings, status and stop are answered"),
    (29, "documents that cost more than their size", "linear, or refused with the place"),
    (30, "requests that are never completed", "make way for others, and for the token always"),
    (31, "documents and replies that take much memory", "refused with the figures and the option"),
    (
        32,
        "a name per id or per row of a file",
        "one row for those beyond 5000; every request counts",
    ),
    (33, "new names in every run, for weeks", "counters are bounded; their sums never decrease"),
    (
        34,
        "a run that outgrows the memory",
        "goes on without rows, or ends early, says so and keeps what it measured",
    ),
    (35, "URLs and names that a target makes long", "cut at 2 KiB in records and everywhere else"),
    (36, "results that are kept for weeks", "the oldest give way, and later summaries say so"),
    (37, "scrapers that do not read", "their texts take memory; refused beyond it"),
    (
        38,
        "large CSV files, many names for one",
        "held once, in about their size, under the ceiling",
    ),
    (39, "many or long variables, long extracted values", "shared or refused, never cut"),
    (
        40,
        "large responses, heads, cookies and decoders of many users",
        "given back after the request; beyond the ceiling the check or the request fails",
    ),
    (41, "large uploads of many users", "what does not change is held once for all of them"),
    (42, "JSON files that unfold in memory", "estimated and refused before their values are built"),
    (
        43,
        "a test, stub server or exporter that takes every descriptor",
        "64 are kept back for the operator; users beyond are refused at the start with the sum, \
         connections when they are made",
    ),
    (44, "a test whose iterations never wait", "ends by the clock, and when it is stopped"),
    (
        45,
        "receivers and resolvers that do not respond during a shutdown",
        "one deadline for all of them; a second signal ends at once",
    ),
    (46, "signals of other kinds", "graceful or ignored; no records are lost"),
    (
        47,
        "clients that hold the connections of a stub server or exporter",
        "closed at deadlines; idle ones give way to others",
    ),
    (48, "many names that do not resolve", "a bounded number of lookups at once"),
    (
        49,
        "exchanging directories and links while a database or file is opened",
        "the database lies in the directory that was opened, or is not opened",
    ),
    (
        50,
        "a hostile file beside a database: a link, a FIFO, a journal that names files elsewhere",
        "refused; nothing outside is read, changed or deleted",
    ),
    (
        51,
        "a database that computes without end, is damaged, or hangs",
        "refused before anything is computed, or ended by `stop` and by a deadline",
    ),
    (
        52,
        "a database with more than fits into memory",
        "refused with the figures and the option; memory is returned with the reply",
    ),
    (53, "passwords in URLs and requests", "in no report, database, exporter, reply, event or log"),
    (54, "other users of the machine read reports", "files are 0600, whatever the umask"),
    (55, "a document opens listeners", "on loopback only, unless the operator names the address"),
    (56, "a token sent without TLS beyond this machine", "server and client warn"),
    (
        57,
        "others can write or read token, key or certificate files, or a directory above them",
        "refused at the start and on SIGHUP, by server and client, with the command to run",
    ),
    (
        58,
        "documents of local users read a home directory, hidden files, or replace files",
        "no file without --data-dir there, no hidden file ever, reports replace only reports",
    ),
    (
        59,
        "metadata services and the own port by other addresses",
        "never targets, in every form of IPv6 that holds an IPv4 address",
    ),
    (60, "a local user of a port without a token", "the server says so at its start"),
    (61, "a client that is gone without a word", "its run is stopped; its results are kept"),
    (
        62,
        "a history that others wrote, damaged, or a document's file",
        "refused, and left as it is",
    ),
    (
        63,
        "a run of more requests than there is room for rows",
        "goes on with histograms, says from when, and counts every request",
    ),
    (64, "very many runs on one server", "the last are kept; memory ceases to grow"),
    (
        65,
        "a document looks for the token or the environment in the executor's Python",
        "its environment is that of documents; a secret that it could read is refused at the start; \
         its memory is limited",
    ),
    (
        66,
        "the executor's Python prints, or sends lines that are too long, wrong or not JSON",
        "prints go to the log; results are read leniently; anything else ends it and fails its calls",
    ),
    (67, "floods and escapes in what the executor's Python logs", "escaped, cut and counted"),
    (
        68,
        "the executor's Python crashes, hangs, or leaves programs behind",
        "the test fails as `internal` and keeps its requests; a stop takes a second; nothing is left; \
         it is started again",
    ),
    (
        69,
        "code of a document in the executor's Python, a second test in it",
        "no file outside the data directory, no signal to others; an interpreter that documents could \
         change is refused; what is refused stays refused; busy",
    ),
    (
        70,
        "garbage from a master or a worker, in any phase of a connection",
        "the message is dropped or the connection closed, with the reason; nothing else ends",
    ),
    (
        71,
        "frames that announce more than arrives, and reports with ever new errors",
        "memory is taken for what is there, up to the ceiling, and bounded in number",
    ),
    (72, "a report of more requests than can be", "it is not counted, and the result says so"),
    (
        73,
        "a master that commands more users than allowed",
        "--max-users run, the master is told so, and the result says it",
    ),
    (
        74,
        "whoever reaches the port of a master, which cannot authenticate workers",
        "it listens on loopback unless told otherwise, warns, and --worker-allow narrows who may join",
    ),
    (
        75,
        "a document that makes this machine a worker of an address of its choice",
        "the address must be one that tests may reach (--allow-target)",
    ),
    (
        76,
        "large, endless and malformed messages of targets that are not HTTP",
        "held under the ceiling and a limit; beyond them the step fails and the connection is closed",
    ),
    (
        80,
        "whoever reaches the web door without the token",
        "sees the login and that the server is up; without a token there is no door beyond loopback",
    ),
    (
        81,
        "wrong tokens over HTTP",
        "the same bytes; counted and delayed together with the socket's",
    ),
    (
        83,
        "old sessions of browsers",
        "end after 12 hours, with a logout, with a change of the token and with the server",
    ),
    (84, "DNS rebinding: requests that name another host", "refused before anything is looked at"),
    (
        85,
        "a page of another site that posts to the web door",
        "refused; a cookie changes something only with our Origin",
    ),
    (
        86,
        "a cookie that scripts, other sites or a plain connection could read",
        "`HttpOnly`, `SameSite=Strict`, and over TLS `Secure`",
    ),
    (87, "a login or a link that leads to another site", "only paths of this server"),
    (
        88,
        "framing, sniffing, caching and scripts of others on pages",
        "forbidden by the headers of every response",
    ),
    (89, "paths with `..`, escapes, doubled slashes, whole URLs", "404, or 421 for another host"),
    (
        90,
        "floods of headers, long heads, requests that are slow or never end",
        "refused, or closed at the deadline",
    ),
    (91, "a link of `ldctl open` that others find", "it opens once, within a minute"),
    (
        92,
        "markup in names, commands and errors that pages and replies show",
        "is text; JSON is never taken for a page",
    ),
    (93, "many watchers over HTTP", "the limit of the socket holds for both together"),
    (
        100,
        "whoever reaches a dashboard, which has no login, and pages of other sites",
        "it is read only and on loopback unless --allow-listen says otherwise; there only addresses and \
         localhost name it",
    ),
    (
        101,
        "many dashboards in browsers, slow ones, tests with many names",
        "one snapshot per tick for all, under the ceiling; slow clients miss some and are closed",
    ),
    (
        110,
        "ever new errors and names of a run whose page is open",
        "errors and curves are bounded, and give way where there is no memory for them",
    ),
];

/// Number, fault and expected behaviour.
const FAULTS: &[(usize, &str, &str)] = &[
    (
        1,
        "`kill -9` while a report or database is written",
        "the old file or the new one, never torn",
    ),
    (2, "a full disk", "a clear error; the old file stays"),
    (3, "failing syncs", "a clear error; the old file stays"),
    (4, "descriptors exhausted", "accepting pauses and recovers"),
    (
        5,
        "the client disconnects during a run",
        "what it held is stopped and recorded; with text replies it continues",
    ),
    (6, "a slow reader", "receives everything"),
    (
        7,
        "SIGTERM: idle, during a run, twice",
        "ends in time; partial results are recorded and sent",
    ),
    (8, "SIGHUP", "tokens and certificates are all new or all old"),
    (9, "the wall clock jumps", "durations stay correct"),
    (10, "the target refuses, stays silent, resets, closes early", "counted as failures"),
    (11, "names that do not resolve", "counted as failures"),
    (12, "the port is in use", "a clear error"),
    (13, "two servers in one data directory", "no file is torn, no run lost"),
    (14, "stdout is closed or full", "the server continues"),
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
    let test = Regex::new(r"\n *(?:async )?fn (([tf]\d\d+)_\w+)\(").expect("a pattern");
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
        "| case | attack or fault | expected behaviour | tests |\n|---|---|---|---|\n".to_owned();
    for (letter, cases) in [('T', ABUSE), ('F', FAULTS)] {
        for (number, done, must) in cases {
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

#[test]
fn every_holder_of_memory_has_a_bound_and_tests_that_exist() {
    let page = fs::read_to_string(PAGE).expect("the page");
    let (_, section) = page.split_once("\n## What holds memory\n").expect("the section");
    let section = section.split("\n## ").next().expect("its text");
    let mut texts = BTreeMap::new();
    sources(Path::new("src"), &mut texts);
    sources(Path::new("tests"), &mut texts);
    let exists = |name: &str| {
        let pattern = format!(r"fn (?:[tf]\d\d+_)?{}\(", regex::escape(&name.replace(' ', "_")));
        let test = Regex::new(&pattern).expect("a pattern");
        texts.values().any(|text| test.is_match(text))
    };
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, _, bound, beyond, tests] = cells[..] else { panic!("five cells: {row}") };
        assert!(!bound.is_empty() && !beyond.is_empty(), "no bound: {row}");
        for test in tests.split("; ") {
            assert!(exists(test), "there is no test {test:?}: {row}");
        }
        count += 1;
    }
    assert!(count >= 5, "too few rows were found to mean anything: {count}");
}
