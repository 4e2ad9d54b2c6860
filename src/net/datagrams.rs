//! A UDP socket to a host. Delivery is not confirmed, but the system reports when no socket listens
//! at an address; the loss is then counted and the host's next address is used.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::Targets;
use super::dial::{datagram_socket, usable};
use crate::error::reason;

/// How long to wait for a refusal of the last datagram: a round trip to most receivers.
const SETTLE: Duration = Duration::from_millis(100);

/// How long a name may take to be resolved: whoever starts an exporter waits for it.
const LOOKUP: Duration = Duration::from_secs(5);

/// Sends datagrams to a host, from a thread that may block while its name is resolved.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    /// The host's addresses, the current one first.
    addresses: Vec<SocketAddr>,
    /// How many datagrams were lost since the last query, and why the last one was.
    lost: (u64, Option<io::Error>),
}

/// The addresses of a host, unless the resolver is silent for too long.
fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (found, answer) = channel();
    let name = host.to_owned();
    let ask = move || {
        let resolved = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        let _ = found.send(resolved);
    };
    thread::Builder::new().name("lookup".to_owned()).spawn(ask)?;
    answer.recv_timeout(LOOKUP).unwrap_or_else(|_| {
        let why = format!("no response within {} s", LOOKUP.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    })
}

impl Datagrams {
    /// A socket to the first address of a host that has a route; `targets` restricts the addresses.
    /// Nothing needs to listen there yet.
    pub fn to(host: &str, port: u16, targets: &Targets) -> io::Result<Self> {
        let found = addresses(host, port).map(Vec::into_iter);
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

    /// Sends a datagram. If the system reports that an earlier one was refused, this one goes to
    /// the host's next address, where there is one.
    pub fn send(&mut self, datagram: &[u8]) {
        let mut sent = self.socket.send(datagram);
        if let Err(error) = &sent
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            // The error belongs to the previous datagram; this one has not been sent.
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

    /// Waits briefly for a report that the last datagram was refused.
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

    /// Returns how many datagrams were lost since the last call, and why the last one was.
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

    /// Switches to the next address that has a route.
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
    fn the_next_address_is_used_when_nothing_listens_at_the_first() {
        let (gone, here) = (receiver(), receiver());
        let addresses = [&gone, &here].map(|socket| socket.local_addr().expect("an address"));
        drop(gone);
        let mut datagrams = Datagrams::over(addresses.to_vec()).expect("a socket");
        // The first is lost. On loopback the refusal is known immediately, or a little later.
        here.set_nonblocking(true).expect("set");
        let mut buffer = [0; 8];
        while here.recv(&mut buffer).is_err() {
            datagrams.send(b"figures");
        }
        assert_eq!(&buffer[..7], b"figures");
    }

    #[test]
    fn an_address_without_a_route_is_skipped() {
        let here = receiver();
        // Broadcasting needs a permission that this socket does not request.
        let nowhere = "255.255.255.255:9".parse().expect("an address");
        let here_at = here.local_addr().expect("an address");
        let mut datagrams = Datagrams::over(vec![nowhere, here_at]).expect("a socket");
        datagrams.send(b"figures");
        let mut buffer = [0; 8];
        assert_eq!(here.recv(&mut buffer).expect("a datagram"), 7);
    }
}
