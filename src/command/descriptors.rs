//! The limit of open files and connections. Systems set a soft limit of 1024 for programs that use
//! `select`; this one does not, so it raises the limit to the hard one.

/// Raises the soft limit to the hard one. If that fails, the soft limit stays.
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

/// Does nothing: other systems have no such limit.
#[cfg(not(unix))]
pub(super) fn raise() {}
