//! The machine that generates the load, for reports.

use std::thread;

use crate::memory::{physical, readable};

/// Its cores, its memory and its system in words: `2 cores, 3.8 GiB of memory, Linux 6.1 x86_64`.
pub(super) fn in_words() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut parts = vec![format!("{cores} {}", if cores == 1 { "core" } else { "cores" })];
    let memory = physical().and_then(|bytes| usize::try_from(bytes).ok());
    parts.extend(memory.map(|bytes| format!("{} of memory", readable(bytes))));
    parts.push(system());
    parts.join(", ")
}

#[cfg(unix)]
fn system() -> String {
    let system = rustix::system::uname();
    let [name, release, machine] =
        [system.sysname(), system.release(), system.machine()].map(|part| part.to_string_lossy());
    format!("{name} {release} {machine}")
}

#[cfg(not(unix))]
fn system() -> String {
    format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
}
