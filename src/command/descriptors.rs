//! How many files and connections this process may have open. Systems give a soft limit of 1024 for
//! the sake of programs that use `select`; this one does not, so it takes what the hard limit allows.

/// Raises the soft limit to the hard one. Where that is refused, the soft limit stays.
#[cfg(unix)]
pub(super) fn raise() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::info!("the limit of open files stays: {}", crate::error::reason(&error));
    }
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
pub(super) fn raise() {}
