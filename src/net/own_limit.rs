//! The resources that this machine itself exhausts while it connects. They are not failures of the
//! target, and each has a local remedy.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::descriptors::{Purpose, admit};

/// The resource that is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OwnLimit {
    /// This process may not open another file (`EMFILE`).
    #[error("no file descriptors left in this process")]
    Descriptors,
    /// The machine may not open another file (`ENFILE`).
    #[error("no file descriptors left on this machine")]
    SystemDescriptors,
    /// Every local port for this target is in use (`EADDRNOTAVAIL`).
    #[error("no local ports left on this machine")]
    Ports,
    /// The kernel has no memory for a socket (`ENOBUFS`, `ENOMEM`).
    #[error("no memory for sockets left on this machine")]
    Memory,
}

impl OwnLimit {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Descriptors, Self::SystemDescriptors, Self::Ports, Self::Memory];

    /// What to change.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Descriptors => {
                "raise the hard limit of open files (ulimit -Hn, or LimitNOFILE= of a service) or \
                 use fewer users in one process"
            }
            Self::SystemDescriptors => {
                "raise the sysctl fs.file-max or use fewer users on one machine"
            }
            Self::Ports => {
                "widen the sysctl net.ipv4.ip_local_port_range, let connections be kept \
                 (keep-alive) or spread the load over more machines or targets"
            }
            Self::Memory => {
                "give the machine more memory, raise the sysctl net.ipv4.tcp_mem, or use fewer users"
            }
        }
    }

    /// The limit behind an error, if there is one.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error() {
            Some(number) => of_number(number),
            None => None,
        }
    }

    /// The limit behind a failed connection to an address, if there is one.
    pub(super) fn of_connect(address: SocketAddr, error: &io::Error) -> Option<Self> {
        if error.kind() != io::ErrorKind::AddrNotAvailable {
            return Self::of(error);
        }
        // The system returns the same error for an address family that this machine lacks.
        (address.port() != 0 && has_route(address)).then_some(Self::Ports)
    }

    /// The limit of descriptors that opening a file now would hit: libraries replace the error that
    /// the system gave them.
    pub fn of_files() -> Option<Self> {
        Self::now(None).filter(|limit| matches!(limit, Self::Descriptors | Self::SystemDescriptors))
    }

    /// The limit that a socket opened now for this purpose would hit: a resolver does not say why it
    /// found nothing.
    pub(super) fn now(purpose: Option<Purpose>) -> Option<Self> {
        let opened = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let admitted =
            opened.and_then(|socket| purpose.map_or(Ok(()), |purpose| admit(&socket, purpose)));
        admitted.err().as_ref().and_then(Self::of)
    }
}

/// Whether this machine has a source address for reaching another. Sends nothing.
fn has_route(address: SocketAddr) -> bool {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    UdpSocket::bind(any).is_ok_and(|socket| socket.connect(address).is_ok())
}

#[cfg(unix)]
fn of_number(number: i32) -> Option<OwnLimit> {
    use rustix::io::Errno;
    match Errno::from_raw_os_error(number) {
        Errno::MFILE => Some(OwnLimit::Descriptors),
        Errno::NFILE => Some(OwnLimit::SystemDescriptors),
        Errno::NOBUFS | Errno::NOMEM => Some(OwnLimit::Memory),
        _ => None,
    }
}

/// Windows: `WSAEMFILE`, `WSAENOBUFS`.
#[cfg(not(unix))]
fn of_number(number: i32) -> Option<OwnLimit> {
    match number {
        10024 => Some(OwnLimit::Descriptors),
        10055 => Some(OwnLimit::Memory),
        _ => None,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn only_exhausted_resources_of_this_machine_are_own_limits() {
        let here: SocketAddr = "127.0.0.1:80".parse().expect("an address");
        // Broadcasting needs a permission that no socket here requests, so there is no route.
        let nowhere: SocketAddr = "255.255.255.255:80".parse().expect("an address");
        for (errno, address, expected) in [
            (Errno::MFILE, here, Some(OwnLimit::Descriptors)),
            (Errno::NFILE, here, Some(OwnLimit::SystemDescriptors)),
            (Errno::NOBUFS, here, Some(OwnLimit::Memory)),
            (Errno::NOMEM, here, Some(OwnLimit::Memory)),
            (Errno::ADDRNOTAVAIL, here, Some(OwnLimit::Ports)),
            (Errno::ADDRNOTAVAIL, nowhere, None),
            (Errno::CONNREFUSED, here, None),
            (Errno::HOSTUNREACH, here, None),
            (Errno::TIMEDOUT, here, None),
        ] {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            assert_eq!(OwnLimit::of_connect(address, &error), expected, "{errno:?}");
        }
    }
}
