//! What the tests share: the program with a deadline, servers on free ports, certificates, and a
//! target that counts.

pub(crate) mod actions;
mod authority;
pub(crate) mod grpc;
mod load;
pub(crate) mod manual;
pub(crate) mod modules;
mod peer;
mod process;
mod scripted;
mod target;
#[cfg(unix)]
pub(crate) mod terminal;
mod usage;
pub(crate) mod web;

use std::iter;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use snapbox::cmd::Command;

pub(crate) use authority::{Authority, make_private};
pub(crate) use load::{Kept, Load};
pub(crate) use peer::{Peer, nowhere};
pub(crate) use process::{
    Running, Server, WITHOUT_TOKEN, after, ended, program, signal, soon_true, wait,
};
pub(crate) use scripted::{Next, Request, Scripted, Wire, answer, say};
pub(crate) use target::Target;
pub(crate) use usage::{descriptors, high_water, resident, room_for_a_crowd};

/// The longest that anything here may take; nothing is measured by it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A port on which nothing listens, for a program that is told where to. It is none of those that the
/// system gives out by itself, so no connection or listener of another test takes it meanwhile.
pub(crate) fn free_port() -> u16 {
    static TURN: AtomicU16 = AtomicU16::new(0);
    let of_process = std::process::id().wrapping_mul(37) as u16;
    let mut turns = iter::repeat_with(|| TURN.fetch_add(1, Ordering::Relaxed));
    let port = turns.by_ref().take(PORTS.into()).find_map(|turn| {
        let port = FIRST_PORT + of_process.wrapping_add(turn) % PORTS;
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    });
    port.expect("a free port")
}

/// Below those that Linux, macOS and Windows give out.
const FIRST_PORT: u16 = 12_000;
const PORTS: u16 = 20_000;

/// The program, without what is the caller's own.
pub(crate) fn ldctl() -> Command {
    let command = Command::new(env!("CARGO_BIN_EXE_ldctl")).timeout(DEADLINE);
    CALLERS.into_iter().fold(command, Command::env_remove)
}

/// What the environment of whoever runs the tests must not change: the token, and the proxies.
pub(crate) const CALLERS: [&str; 10] = [
    "LDCTL_SERVER",
    "LDCTL_CONTEXT",
    "LOAD_DENSITY_SOCKET_TOKEN",
    "CREDENTIALS_DIRECTORY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
];

/// The interpreter that has LoadDensity, which `LDCTL_PYTHON` names; without one the test proves nothing,
/// as with [`installed`].
pub(crate) fn python() -> Option<String> {
    let named = std::env::var("LDCTL_PYTHON").ok().filter(|named| !named.is_empty());
    let required = std::env::var_os("LDCTL_TOOLS").is_some_and(|value| value == "required");
    assert!(named.is_some() || !required, "LDCTL_PYTHON is not set, and LDCTL_TOOLS requires it");
    if named.is_none() {
        eprintln!("LDCTL_PYTHON is not set: nothing is proved here");
    }
    named
}

/// Whether a program that not every machine has can be run. Where it is missing the test that needs
/// it says so and proves nothing, or fails if `LDCTL_TOOLS` is `required`: `.ci/run` installs all of
/// them and sets it.
pub(crate) fn installed(program: &str) -> bool {
    let found = std::process::Command::new(program).arg("--help").output().is_ok();
    if !found {
        let required = std::env::var_os("LDCTL_TOOLS").is_some_and(|value| value == "required");
        assert!(!required, "{program} is not installed, and LDCTL_TOOLS requires it");
        eprintln!("{program} is not installed: nothing is proved here");
    }
    found
}
