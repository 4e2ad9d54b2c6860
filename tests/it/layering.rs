//! The directions of the architecture page: a module uses what lies below it and nothing else, and
//! no two files of a module use each other in a circle.

use std::collections::BTreeSet;

use crate::support::modules::{Modules, Name, circles, product};

/// Used by every module: they use nothing but each other.
const FOUNDATION: [&str; 8] =
    ["cold", "counters", "error", "escape", "lock", "memory", "redact", "value"];

/// What each module may use besides the foundation.
const MAY_USE: [(&str, &[&str]); 24] = [
    ("main", &["cli", "command", "console", "python"]),
    (
        "command",
        &[
            "action", "cli", "client", "console", "event", "load", "net", "python", "run",
            "server", "web", "wire",
        ],
    ),
    ("web", &["event", "net", "report", "run", "server", "wire"]),
    ("cli", &["event"]),
    ("console", &["cli", "event", "record"]),
    ("server", &["action", "event", "metrics", "net", "run", "wire"]),
    ("client", &["event", "net", "wire"]),
    ("wire", &["event", "net"]),
    (
        "action",
        &[
            "cluster", "event", "load", "metrics", "net", "protocol", "python", "record", "report",
            "run",
        ],
    ),
    ("cluster", &["load", "net", "record"]),
    ("run", &["event", "load", "record"]),
    ("protocol", &["load", "net", "record"]),
    ("python", &[]),
    ("report", &["record"]),
    ("metrics", &["net", "record"]),
    ("load", &["record"]),
    ("record", &[]),
    ("counters", &[]),
    ("escape", &[]),
    ("event", &[]),
    ("lock", &[]),
    ("memory", &[]),
    ("net", &[]),
    ("value", &["memory"]),
];

/// Which top-level modules each top-level module uses.
fn directions(modules: &Modules) -> BTreeSet<(String, String)> {
    let first = |name: &Name| name.first().cloned();
    let uses = modules.named();
    let pairs = uses.iter().filter_map(|(from, to)| Some((first(from)?, first(to)?)));
    pairs.filter(|(from, to)| from != to).collect()
}

fn allowed(from: &str, to: &str) -> bool {
    FOUNDATION.contains(&to)
        && (!FOUNDATION.contains(&from) || ["cold", "redact", "value"].contains(&to))
        || MAY_USE.iter().any(|(name, below)| *name == from && below.contains(&to))
}

#[test]
fn no_module_uses_one_above_it_and_no_permission_is_left_over() {
    let uses = directions(&Modules::read());
    assert!(uses.len() > 20, "too few uses were found to mean anything: {uses:?}");
    let breaches: Vec<_> = uses.iter().filter(|(from, to)| !allowed(from, to)).collect();
    assert!(breaches.is_empty(), "against the directions in src/lib.rs: {breaches:#?}");
    let permitted =
        MAY_USE.iter().flat_map(|(from, below)| below.iter().map(move |to| (*from, *to)));
    let unused: Vec<_> =
        permitted.filter(|(from, to)| !uses.contains(&((*from).into(), (*to).into()))).collect();
    assert_eq!(unused, [], "permissions that no code uses; take them out");
}

#[test]
fn no_files_of_a_module_use_each_other_in_a_circle() {
    let uses = Modules::read().resolved();
    assert!(uses.len() > 200, "too few uses were found to mean anything: {}", uses.len());
    let found = circles(&uses);
    assert!(
        found.is_empty(),
        "a file uses what is below it, and what two share lies below both: {found:#?}"
    );
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
    let modules = Modules::read();
    let (inside, outside): (Vec<_>, Vec<_>) =
        modules.code().partition(|(name, _)| name.first().is_some_and(|first| first == "net"));
    let calls = |(name, code): &(&Name, &str)| {
        let found: Vec<&str> = OPENING.into_iter().filter(|call| code.contains(call)).collect();
        (!found.is_empty()).then(|| (name.join("::"), found))
    };
    let found: Vec<_> = outside.iter().filter_map(calls).collect();
    assert!(found.is_empty(), "src/net has what connects and listens: {found:?}");
    assert!(inside.iter().filter_map(calls).count() > 1, "calls are found");
}

#[test]
fn a_breach_is_seen() {
    let modules = Modules::of(&[
        ("", "pub mod load; pub mod server; pub mod cli; pub mod value;"),
        (
            "load",
            "use crate::server::run;\n use crate::{\n cli::Cli, value};\n fn f(x: crate::wire::Token) {}
             // crate::none\n const X: &str = \"crate::client\";\n
             #[cfg(test)]\n mod more_tests { use crate::action::X; }\n use crate::record as r;",
        ),
        ("server", ""),
        ("cli", ""),
        ("value", ""),
        ("wire", ""),
        ("action", ""),
        ("client", ""),
        ("record", ""),
    ]);
    let uses = directions(&modules);
    let used: Vec<_> = uses.iter().map(|(_, to)| to.as_str()).collect();
    assert_eq!(used, ["cli", "record", "server", "value", "wire"]);
    assert!(!allowed("load", "server"));
    assert!(!allowed("load", "event"));
    assert!(allowed("server", "wire"));
}

fn check_circles(files: &[(&str, &str)], expected: &[&[&str]]) {
    let found = circles(&Modules::of(files).resolved());
    let found: Vec<Vec<&str>> =
        found.iter().map(|circle| circle.iter().map(String::as_str).collect()).collect();
    assert_eq!(found, expected, "{files:?}");
}

#[test]
fn a_circle_is_seen_however_the_path_is_written() {
    let root = ("", "mod a; mod b;");
    check_circles(&[root, ("a", ""), ("a::x", "use super::y::Y;"), ("a::y", "")], &[]);
    for back in [
        "use super::x::X;",
        "use crate::a::x;",
        "fn f() { super::x::f() }",
        "use super::{x::{self, X}};",
    ] {
        let files = [root, ("a", "mod x; mod y;"), ("a::x", "use super::y::Y;"), ("a::y", back)];
        check_circles(&files, &[&["a::x", "a::y"]]);
    }
    // Through a re-export, which is no use of its own.
    let parent = ("a", "mod x; mod y; pub use x::X; pub(crate) use y::{Y as Z};");
    check_circles(&[root, parent, ("a::x", "use super::Z;"), ("a::y", "")], &[]);
    check_circles(
        &[root, parent, ("a::x", "use super::Z;"), ("a::y", "fn f(x: super::X) {}")],
        &[&["a::x", "a::y"]],
    );
    // `super` of a module inside the file is the file.
    let inside = ("a::x", "pub use b::B; mod b { use super::X; pub struct B; } pub struct X;");
    check_circles(&[root, ("a", "mod x; use x::X;"), inside], &[]);
    // Between a module and its own parts.
    check_circles(
        &[root, ("a", "mod x; use x::X; pub struct A;"), ("a::x", "use super::A;")],
        &[&["a", "a::x"]],
    );
}

#[test]
fn what_is_compiled_for_tests_only_is_left_out() {
    let (code, modules) = product(
        "mod a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)] impl A { fn f() { \"}\"; } }\n\
         #[cfg(test)]\n#[allow(x)]\nmod more { mod b { } }\nmod c; // mod d;\nconst X: char = '\"';",
    );
    assert_eq!(modules, ["a", "c"]);
    assert!(!code.contains("more") && code.contains("const X: char = ;"), "{code}");
}
