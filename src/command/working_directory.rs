//! The working directory of a server as its data directory. Nobody has said that it is for documents:
//! a home directory, the root of the system or a directory that everybody may write to is not, and the
//! server starts without files then.

use std::path::{Path, PathBuf};

use crate::action::FileAccess;

/// Directories of the system, with everything in them.
const SYSTEM: [&str; 12] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/sbin",
];

/// Directories of the system that hold those of users and programs.
const SHARED: [&str; 21] = [
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/run",
    "/srv",
    "/tmp",
    "/usr",
    "/usr/local",
    "/usr/share",
    "/usr/src",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/run",
    "/var/spool",
    "/var/tmp",
    "/Users",
    "/Library",
    "/System",
];

/// What documents may use of a working directory.
pub(super) fn assumed(directory: &Path) -> FileAccess {
    let homes = [std::env::var_os("HOME").map(PathBuf::from), home_of_account()];
    let homes: Vec<PathBuf> =
        homes.into_iter().flatten().filter_map(|home| home.canonicalize().ok()).collect();
    let Ok(real) = directory.canonicalize() else { return FileAccess::Assumed };
    match problem(&real, &homes, is_open(&real)) {
        Some(why) => FileAccess::Nothing(format!("the working directory {} {why}", real.display())),
        None => FileAccess::Assumed,
    }
}

/// Returns why a directory is not for documents. `open` is whether everybody may write to it.
fn problem(directory: &Path, homes: &[PathBuf], open: bool) -> Option<&'static str> {
    if homes.iter().any(|home| home == directory) {
        return Some("is your home directory");
    }
    if directory.parent().is_none() || homes.iter().any(|home| home.starts_with(directory)) {
        return Some("holds home directories or the whole system");
    }
    let system = SYSTEM.iter().any(|place| directory.starts_with(place));
    if system || SHARED.iter().any(|place| directory == Path::new(place)) {
        return Some("belongs to the system");
    }
    open.then_some("can be written by every user")
}

#[cfg(unix)]
fn is_open(directory: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    directory.metadata().is_ok_and(|found| found.permissions().mode() & 0o002 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}

/// The home directory of this user's account, whatever the environment says.
#[cfg(unix)]
fn home_of_account() -> Option<PathBuf> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    home_in(&accounts, rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn home_of_account() -> Option<PathBuf> {
    None
}

/// The home directory of a user in a table of accounts (passwd(5)).
#[cfg(unix)]
fn home_in(accounts: &str, user: u32) -> Option<PathBuf> {
    accounts.lines().find_map(|account| {
        let mut fields = account.split(':').skip(2);
        let number = fields.next()?.parse::<u32>().ok()?;
        let home = fields.nth(2).filter(|home| !home.is_empty())?;
        (number == user).then(|| home.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t58_a_home_directory_and_those_of_the_system_are_not_for_documents() {
        let homes = ["/home/anna".into(), "/var/lib/ldctl".into()];
        for (directory, suitable) in [
            ("/home/anna", false),
            ("/home/anna/tests", true),
            ("/home", false),
            ("/var/lib/ldctl", false),
            ("/var/lib", false),
            ("/", false),
            ("/etc", false),
            ("/etc/ldctl", false),
            ("/usr/local", false),
            ("/usr/local/bin2/x", true),
            ("/usr/lib/x", false),
            ("/tmp", false),
            ("/tmp/x", true),
            ("/srv/tests", true),
            ("/work", true),
        ] {
            let found = problem(Path::new(directory), &homes, false);
            assert_eq!(found.is_none(), suitable, "{directory}: {found:?}");
        }
        let open = problem(Path::new("/work"), &homes, true);
        assert_eq!(open, Some("can be written by every user"));
    }

    #[cfg(unix)]
    #[test]
    fn t58_the_home_directory_is_that_of_the_account_whatever_home_says() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\nbroken\nanna:x:1000:1000:,,,:/home/anna:/bin/sh\n";
        assert_eq!(home_in(accounts, 1000), Some("/home/anna".into()));
        assert_eq!(home_in(accounts, 0), Some("/root".into()));
        assert_eq!(home_in(accounts, 7), None);
    }
}
