//! Lines of text in datagrams: as many lines as fit, none cut in two.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use super::{Guard, allowed};

/// The largest datagram, in bytes: an Ethernet frame less IPv6, UDP and some room for tunnels, so
/// that none is fragmented.
const MAX_DATAGRAM: usize = 1400;

/// Where lines are sent.
#[derive(Debug)]
pub(super) struct Lines {
    socket: UdpSocket,
    pending: Vec<u8>,
}

impl Lines {
    /// A socket to a receiver. UDP needs nobody there yet.
    pub(super) fn to(host: &str, port: u16, guard: &Guard) -> io::Result<Self> {
        let address = allowed(host, (host, port).to_socket_addrs()?, guard)?;
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        // A full send buffer drops a datagram instead of holding up the thread.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, pending: Vec::with_capacity(MAX_DATAGRAM) })
    }

    /// Adds a line, without its end, and sends what is full.
    pub(super) fn push(&mut self, line: &str) -> io::Result<()> {
        if !self.pending.is_empty() && self.pending.len() + 1 + line.len() > MAX_DATAGRAM {
            self.flush()?;
        }
        if !self.pending.is_empty() {
            self.pending.push(b'\n');
        }
        self.pending.extend_from_slice(line.as_bytes());
        Ok(())
    }

    /// Sends what is left.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let sent = self.socket.send(&self.pending);
        self.pending.clear();
        sent.map(drop)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    /// A receiver on a free port.
    pub(in crate::metrics) fn receiver() -> (UdpSocket, u16) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        let port = socket.local_addr().expect("an address").port();
        (socket, port)
    }

    /// One datagram as text.
    pub(in crate::metrics) fn received(socket: &UdpSocket) -> String {
        let mut buffer = [0; 65_536];
        let length = socket.recv(&mut buffer).expect("a datagram");
        String::from_utf8(buffer[..length].to_vec()).expect("text")
    }

    pub(in crate::metrics) fn everyone() -> Guard {
        Arc::new(|_, _| None)
    }

    #[test]
    fn lines_are_packed_and_never_cut() {
        let (receiver, port) = receiver();
        let mut lines = Lines::to("127.0.0.1", port, &everyone()).expect("a socket");
        let long = "x".repeat(700);
        for line in ["a", "b", &long, &long] {
            lines.push(line).expect("sent");
        }
        lines.flush().expect("sent");
        assert_eq!(received(&receiver), format!("a\nb\n{long}"));
        assert_eq!(received(&receiver), long);
    }

    #[test]
    fn an_address_that_the_guard_refuses_is_not_sent_to() {
        let guard: Guard = Arc::new(|_, _| Some("it is mine"));
        let error = Lines::to("127.0.0.1", 9, &guard).expect_err("refused");
        assert_eq!(error.to_string(), "it is mine");
    }
}
