//! A socket for datagrams to a host. Nothing says whether they arrive, but a system tells when nothing
//! listens at an address: then the next one of the host is sent to, and the loss is counted.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use super::Targets;
use super::dial::{datagram_socket, usable};
use crate::error::reason;

/// How long a refusal of the last datagram is waited for: a round trip to most receivers.
const SETTLE: Duration = Duration::from_millis(100);

/// Sends datagrams to a host, from a thread that may wait for its name.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    /// Where the host is reached, the address in use first.
    addresses: Vec<SocketAddr>,
    /// How many datagrams were lost since this was last asked, and why the last one was.
    lost: (u64, Option<io::Error>),
}

impl Datagrams {
    /// A socket to the first address of a host that there is a way to; `targets` are what it is held
    /// to. Nothing needs to listen there yet.
    pub fn to(host: &str, port: u16, targets: &Targets) -> io::Result<Self> {
        let found = (host, port).to_socket_addrs();
        let addresses = usable(host, found, Some(targets)).map_err(io::Error::other)?;
        Self::over(addresses)
    }

    fn over(mut addresses: Vec<SocketAddr>) -> io::Result<Self> {
        let mut failure = io::ErrorKind::AddrNotAvailable.into();
        for _ in 0..addresses.len() {
            match addresses.first().map(|address| datagram_socket(*address)) {
                Some(Ok(socket)) => return Ok(Self { socket, addresses, lost: (0, None) }),
                Some(Err(error)) => failure = error,
                None => {}
            }
            addresses.rotate_left(1);
        }
        Err(failure)
    }

    /// Sends a datagram. One that was refused before, as the system reports now, was sent in vain:
    /// this one goes to the next address, if the host has more.
    pub fn send(&mut self, datagram: &[u8]) {
        let mut sent = self.socket.send(datagram);
        if let Err(error) = &sent
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            // A report of the one before, in whose place nothing was sent.
            let refused = io::Error::from(error.kind());
            self.lose(refused);
            if self.addresses.len() > 1 {
                self.move_on();
            }
            sent = self.socket.send(datagram);
        }
        if let Err(error) = sent {
            self.lose(error);
        }
    }

    /// Waits a moment for a report that the last datagram was refused.
    pub fn settle(&mut self) {
        let wait = self.socket.set_nonblocking(false);
        let wait = wait.and_then(|()| self.socket.set_read_timeout(Some(SETTLE)));
        let refused = io::ErrorKind::ConnectionRefused;
        if wait.is_ok()
            && let Err(error) = self.socket.recv(&mut [0; 1])
            && error.kind() == refused
        {
            self.lose(error);
        }
        let _ = self.socket.set_nonblocking(true);
    }

    /// How many datagrams are known to be lost since this was last asked, and why the last one was.
    pub fn losses(&mut self) -> Option<(u64, io::Error)> {
        let (count, why) = std::mem::take(&mut self.lost);
        why.map(|why| (count, why))
    }

    fn lose(&mut self, error: io::Error) {
        let why = match self.addresses.first() {
            Some(address) => io::Error::new(error.kind(), format!("{address}: {}", reason(&error))),
            None => error,
        };
        self.lost = (self.lost.0 + 1, Some(why));
    }

    /// Changes to the next address that there is a way to.
    fn move_on(&mut self) {
        let mut others = self.addresses.clone();
        others.rotate_left(1);
        if let Ok(Self { socket, addresses, .. }) = Self::over(others) {
            (self.socket, self.addresses) = (socket, addresses);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn receiver() -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        socket
    }

    #[test]
    fn an_address_where_nothing_listens_is_left_for_the_next_one() {
        let (gone, here) = (receiver(), receiver());
        let addresses = [&gone, &here].map(|socket| socket.local_addr().expect("an address"));
        drop(gone);
        let mut datagrams = Datagrams::over(addresses.to_vec()).expect("a socket");
        // The first is lost. That it was refused is known at once on loopback, or a little later.
        here.set_nonblocking(true).expect("set");
        let mut buffer = [0; 8];
        while here.recv(&mut buffer).is_err() {
            datagrams.send(b"figures");
        }
        assert_eq!(&buffer[..7], b"figures");
    }

    #[test]
    fn an_address_that_there_is_no_way_to_is_passed_over() {
        let here = receiver();
        // Broadcasting needs a permission that this socket does not ask for.
        let nowhere = "255.255.255.255:9".parse().expect("an address");
        let here_at = here.local_addr().expect("an address");
        let mut datagrams = Datagrams::over(vec![nowhere, here_at]).expect("a socket");
        datagrams.send(b"figures");
        let mut buffer = [0; 8];
        assert_eq!(here.recv(&mut buffer).expect("a datagram"), 7);
    }
}
