//! The directions of the architecture page: a module uses what lies below it and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Free for all: they use nothing but each other.
const FOUNDATION: [&str; 5] = ["counters", "error", "escape", "event", "value"];

/// What each module may use besides the foundation.
const MAY_USE: [(&str, &[&str]); 17] = [
    ("main", &["cli", "command", "console"]),
    ("command", &["action", "cli", "client", "console", "load", "record", "server", "wire"]),
    ("cli", &[]),
    ("console", &[]),
    ("server", &["action", "net", "wire"]),
    ("client", &["net", "wire"]),
    ("wire", &["net"]),
    ("action", &["load", "metrics", "net", "protocol", "record", "report"]),
    ("protocol", &["load", "net", "record"]),
    ("report", &["load", "record"]),
    ("metrics", &["load", "net", "record"]),
    ("load", &["record"]),
    ("record", &[]),
    ("counters", &[]),
    ("event", &["counters"]),
    ("net", &[]),
    ("value", &[]),
];

/// One use of a module by a file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    file: String,
    from: String,
    to: String,
}

#[test]
fn no_module_uses_one_above_it() {
    let uses = uses(Path::new("src"));
    assert!(uses.len() > 20, "too few uses were found to mean anything: {uses:?}");
    let breaches: Vec<&Use> = uses.iter().filter(|line| !allowed(&line.from, &line.to)).collect();
    assert!(breaches.is_empty(), "against the directions in src/lib.rs: {breaches:#?}");
}

/// Calls that open a socket or resolve a name. Messages to the service manager are not among them:
/// they go through a library.
const OPENING: [&str; 10] = [
    "TcpListener::bind",
    "TcpSocket::new",
    "TcpStream::connect",
    "UdpSocket::bind",
    "UnixDatagram::",
    "UnixListener::",
    "UnixStream::",
    "lookup_host",
    "socket2::Socket",
    "to_socket_addrs",
];

#[test]
fn sockets_are_opened_and_names_resolved_only_in_net() {
    let mut found = Vec::new();
    for path in rust_files(Path::new("src")) {
        // The tests of a module that are a file of their own.
        if path.starts_with("src/net") || path.ends_with("tests.rs") {
            continue;
        }
        let text = code(&path);
        let opening = OPENING.into_iter().filter(|call| text.contains(call));
        found.extend(opening.map(|call| (path.display().to_string(), call)));
    }
    assert!(found.is_empty(), "src/net has what connects and listens: {found:?}");
    assert!(code(Path::new("src/net/dial.rs")).contains("TcpStream::connect"), "calls are found");
}

#[test]
fn a_breach_is_seen() {
    let found = modules_used(
        "use crate::server::run;\n    use crate::{\n  cli::Cli, value};\n x: crate::wire::Token",
    );
    assert_eq!(found, ["cli", "server", "value", "wire"].map(str::to_owned).into());
    assert!(!allowed("load", "server"));
    assert!(allowed("server", "wire"));
}

fn allowed(from: &str, to: &str) -> bool {
    from == to
        || FOUNDATION.contains(&to) && (!FOUNDATION.contains(&from) || to == "value")
        || MAY_USE.iter().any(|(name, below)| *name == from && below.contains(&to))
}

fn uses(root: &Path) -> BTreeSet<Use> {
    let mut uses = BTreeSet::new();
    for path in rust_files(root) {
        let inside = path.strip_prefix(root).expect("below the root");
        let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
        let from = first.trim_end_matches(".rs").to_owned();
        // The map itself names everything.
        if from == "lib" {
            continue;
        }
        for to in modules_used(&code(&path)) {
            uses.insert(Use { file: path.display().to_string(), from: from.clone(), to });
        }
    }
    uses
}

/// A source file without the tests at its end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    let ends = ["mod tests", "pub(super) mod tests"].map(|tests| format!("#[cfg(test)]\n{tests}"));
    let end = ends.iter().filter_map(|end| text.find(end)).min();
    text[..end.unwrap_or(text.len())].to_owned()
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// The top-level modules that a text names after `crate::` or `ldctl::`, outside comments.
fn modules_used(code: &str) -> BTreeSet<String> {
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    ["crate::", "ldctl::"]
        .into_iter()
        .flat_map(|root| code.split(root).skip(1).flat_map(named).collect::<Vec<_>>())
        .collect()
}

/// The modules named right after the root: one, or those of a braced list.
fn named(rest: &str) -> Vec<String> {
    let Some(list) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let mut depth = 0;
    let mut names = vec![word(list)];
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(word(&list[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
