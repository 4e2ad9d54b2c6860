//! A socket for datagrams to a host. Nobody says whether they arrive, but a system tells when nothing
//! listens at an address: then the next one of the host is sent to.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};

use super::Targets;
use super::dial::{datagram_socket, usable};

/// Sends datagrams to a host, from a thread that may wait for its name.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    /// Where the host is reached, the address in use first.
    addresses: Vec<SocketAddr>,
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
                Some(Ok(socket)) => return Ok(Self { socket, addresses }),
                Some(Err(error)) => failure = error,
                None => {}
            }
            addresses.rotate_left(1);
        }
        Err(failure)
    }

    /// Sends a datagram. One that was refused before, as the system reports now, was sent in vain:
    /// this one goes to the next address.
    pub fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        match self.socket.send(datagram) {
            Err(error)
                if error.kind() == io::ErrorKind::ConnectionRefused && self.addresses.len() > 1 =>
            {
                let mut others = self.addresses.clone();
                others.rotate_left(1);
                *self = Self::over(others)?;
                self.socket.send(datagram).map(drop)
            }
            sent => sent.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

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
            datagrams.send(b"figures").expect("sent");
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
        datagrams.send(b"figures").expect("sent");
        let mut buffer = [0; 8];
        assert_eq!(here.recv(&mut buffer).expect("a datagram"), 7);
    }
}
