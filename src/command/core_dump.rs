//! Prevention of core dumps of a process that holds a token or a private key.
//!
//! This uses the resource limit instead of making the process undumpable, which would also give its
//! `/proc` files to root: its own user could then no longer inspect its memory or descriptors, and
//! is not an attacker.

/// The core file limit, in bytes. Less than a page, so that no file is written; and not 0, because
/// only exactly 1 keeps Linux from piping the dump to a program (`core_pattern` with `|`), for
/// which it ignores every other limit (`coredump_pipe` in its `fs/coredump.c`). A handler on a
/// socket (`@`, since 6.16) is called whatever the limit.
#[cfg(target_os = "linux")]
const MOST: u64 = 1;

/// The core file limit, in bytes.
#[cfg(all(unix, not(target_os = "linux")))]
const MOST: u64 = 0;

/// Sets the limit permanently. A lower limit cannot be raised, and stays.
#[cfg(unix)]
pub(super) fn prevent() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let least = getrlimit(Resource::Core).maximum.map_or(MOST, |maximum| maximum.min(MOST));
    let limit = Rlimit { current: Some(least), maximum: Some(least) };
    if let Err(error) = setrlimit(Resource::Core, limit) {
        tracing::warn!("core dumps cannot be turned off: {}", crate::error::reason(&error));
    }
}

/// Does nothing: on other systems the user configures dumps.
#[cfg(not(unix))]
pub(super) fn prevent() {}
