//! Lines of text in datagrams: as many lines as fit, none cut in two.

use std::io;

use crate::net::{Datagrams, Targets};

/// The largest datagram, in bytes: an Ethernet frame less IPv6, UDP and some room for tunnels, so
/// that none is fragmented.
const MAX_DATAGRAM: usize = 1400;

/// Where lines are sent.
#[derive(Debug)]
pub(super) struct DatagramSink {
    datagrams: Datagrams,
    pending: Vec<u8>,
}

impl DatagramSink {
    /// Lines to a receiver.
    pub(super) fn to(host: &str, port: u16, targets: &Targets) -> io::Result<Self> {
        let datagrams = Datagrams::to(host, port, targets)?;
        Ok(Self { datagrams, pending: Vec::with_capacity(MAX_DATAGRAM) })
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
        let sent = self.datagrams.send(&self.pending);
        self.pending.clear();
        sent
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::{Ipv4Addr, UdpSocket};
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

    #[test]
    fn lines_are_packed_and_never_cut() {
        let (receiver, port) = receiver();
        let mut lines = DatagramSink::to("127.0.0.1", port, &Targets::default()).expect("a socket");
        let long = "x".repeat(700);
        for line in ["a", "b", &long, &long] {
            lines.push(line).expect("sent");
        }
        lines.flush().expect("sent");
        assert_eq!(received(&receiver), format!("a\nb\n{long}"));
        assert_eq!(received(&receiver), long);
    }

    #[test]
    fn an_address_that_is_out_of_reach_is_not_sent_to() {
        let targets =
            Targets { own: Vec::new(), allowed: vec!["192.0.2.1".parse().expect("a target")] };
        let error = DatagramSink::to("127.0.0.1", 9, &targets).expect_err("refused");
        let refusal = "target 127.0.0.1:9 is refused: no --allow-target names it";
        assert_eq!(error.to_string(), refusal);
    }
}
