//! Which address this machine has for a host, without a packet sent.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};

use super::dial::datagram_socket;

/// The address of this machine that a host is reached from, and the host's own.
pub fn route(host: &str, port: u16) -> io::Result<(IpAddr, IpAddr)> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in (host, port).to_socket_addrs()? {
        // A connected datagram socket has the address that packets would leave from.
        match datagram_socket(address).and_then(|socket| socket.local_addr()) {
            Ok(own) => return Ok((own.ip(), address.ip())),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reached_from_loopback() {
        let (own, host) = route("127.0.0.1", 9).expect("a route");
        assert!(own.is_loopback() && host.is_loopback(), "{own} {host}");
    }
}
