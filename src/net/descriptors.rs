//! How the descriptors of this process are divided, so that what documents start cannot take the
//! last ones: the control port, reports and databases need some when all others are used up. The
//! system gives a new descriptor the lowest number that is free, so its number says how many are
//! open at least, and no count has to be kept.

use std::fmt;
use std::io;

/// Descriptors that connections of load, listeners of documents and exporters leave alone.
const KEPT: u64 = 64;

/// What a descriptor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A connection that load or an exporter opens.
    Dialled,
    /// A connection to a listener that a document has opened: it has a few more than the above, so
    /// that load on the process's own stub server cannot keep that from accepting.
    Accepted,
    /// A connection to the control port, which leaves some for reports and databases.
    Control,
}

impl Purpose {
    /// The number from which on descriptors are not for this purpose.
    fn line(self, limit: u64) -> u64 {
        let kept = kept(limit);
        match self {
            Self::Dialled => limit - kept - kept / 4,
            Self::Accepted => limit - kept,
            Self::Control => limit - kept / 4,
        }
    }
}

/// A quarter of a limit that is smaller than four times what is kept elsewhere.
fn kept(limit: u64) -> u64 {
    KEPT.min(limit / 4)
}

/// The descriptors of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// How many it may have.
    pub limit: u64,
    /// How many are open.
    pub open: u64,
}

impl Descriptors {
    /// Those of this process; `None` where the system has no limit.
    pub fn now() -> Option<Self> {
        Some(Self { limit: system::limit()?, open: system::open() })
    }

    /// How many connections one listener of documents may have: half of those that there are, so
    /// that load can open as many.
    pub(super) fn of_a_listener(self) -> u64 {
        Purpose::Accepted.line(self.limit).saturating_sub(self.open) / 2
    }

    /// How many connections load can open.
    pub fn free(self) -> u64 {
        Purpose::Dialled.line(self.limit).saturating_sub(self.open)
    }
}

/// The calculation of [`Descriptors::free`], in words.
impl fmt::Display for Descriptors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, open } = *self;
        let kept = limit - Purpose::Dialled.line(limit);
        let free = self.free();
        write!(
            out,
            "{limit} descriptors less {kept} kept back and {open} in use leave {free} (ulimit -Hn)"
        )
    }
}

/// Checks that a new descriptor is for this purpose. The error is that of the system for a process
/// that may not open another.
#[cfg(unix)]
pub(crate) fn admit(socket: &impl std::os::fd::AsRawFd, purpose: Purpose) -> io::Result<()> {
    match system::limit() {
        Some(limit) if exceeds(socket.as_raw_fd(), purpose, limit) => {
            Err(io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error()))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn exceeds(number: i32, purpose: Purpose, limit: u64) -> bool {
    u64::try_from(number).is_ok_and(|number| number >= purpose.line(limit))
}

/// Other systems number descriptors differently.
#[cfg(not(unix))]
pub(crate) fn admit<T>(_: &T, _: Purpose) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
mod system {
    use std::sync::OnceLock;

    use rustix::process::{Resource, getrlimit};

    /// Descriptors that are open at least where they cannot be counted.
    const AT_LEAST: u64 = 16;

    /// The limit, which the program sets once, at its start.
    pub(super) fn limit() -> Option<u64> {
        static LIMIT: OnceLock<Option<u64>> = OnceLock::new();
        *LIMIT.get_or_init(|| getrlimit(Resource::Nofile).current)
    }

    pub(super) fn open() -> u64 {
        let listed = std::fs::read_dir("/dev/fd").map(Iterator::count);
        // The list is open itself while it is read.
        listed.map_or(AT_LEAST, |count| u64::try_from(count).unwrap_or(AT_LEAST).saturating_sub(1))
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) fn limit() -> Option<u64> {
        None
    }

    pub(super) fn open() -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t43_load_leaves_64_descriptors_of_which_the_control_port_leaves_16() {
        let lines = |limit| {
            [Purpose::Dialled, Purpose::Accepted, Purpose::Control].map(|one| one.line(limit))
        };
        assert_eq!(lines(20_000), [19_920, 19_936, 19_984]);
        assert_eq!(lines(256), [176, 192, 240]);
        assert_eq!(lines(64), [44, 48, 60], "a quarter of a small limit");
    }

    #[test]
    fn the_sum_is_told_in_words() {
        let descriptors = Descriptors { limit: 20_000, open: 20 };
        let sum = "20000 descriptors less 80 kept back and 20 in use leave 19900 (ulimit -Hn)";
        assert_eq!(descriptors.to_string(), sum);
        assert_eq!(descriptors.of_a_listener(), 9958);
        assert_eq!(Descriptors { limit: 64, open: 60 }.free(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn t43_a_descriptor_beyond_the_line_is_refused_as_the_system_refuses_one() {
        assert!(!exceeds(175, Purpose::Dialled, 256) && exceeds(176, Purpose::Dialled, 256));
        let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
        admit(&socket, Purpose::Dialled).expect("far from the line");
    }
}
