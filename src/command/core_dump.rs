//! No core dump of a program that holds a token or a private key.
//!
//! It is done by the resource limit and not by making the process undumpable, which would also give
//! its `/proc` files to root: then its own user could not account for its memory or look at its
//! descriptors, and that user is not one of whom it must be defended.

/// The largest core file from here on, in bytes. Less than a page, so that no file is written; and
/// not 0, because only exactly 1 keeps Linux from handing the dump to a program (`core_pattern` with
/// `|`), for which it ignores every other limit (`coredump_pipe` in its `fs/coredump.c`). A handler
/// that listens on a socket (`@`, since 6.16) is asked whatever the limit.
#[cfg(target_os = "linux")]
const MOST: u64 = 1;

/// The largest core file from here on, in bytes.
#[cfg(all(unix, not(target_os = "linux")))]
const MOST: u64 = 0;

/// Sets the limit for good. One that is lower already cannot be raised, and stays.
#[cfg(unix)]
pub(super) fn prevent() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let least = getrlimit(Resource::Core).maximum.map_or(MOST, |maximum| maximum.min(MOST));
    let limit = Rlimit { current: Some(least), maximum: Some(least) };
    if let Err(error) = setrlimit(Resource::Core, limit) {
        tracing::warn!("core dumps cannot be turned off: {}", crate::error::reason(&error));
    }
}

/// Elsewhere dumps are the system's business.
#[cfg(not(unix))]
pub(super) fn prevent() {}
