//! The mode of new files. Reports, databases and their journals hold what targets have said, so they
//! are for this user alone from the moment that they exist, whatever umask a shell has set.

/// Removes every permission of the group and of others from the files that this process creates.
#[cfg(unix)]
pub(super) fn make_private() {
    use rustix::fs::Mode;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Does nothing: on other systems the directory's access list decides.
#[cfg(not(unix))]
pub(super) fn make_private() {}
