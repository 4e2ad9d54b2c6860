//! Lines of text in datagrams: as many whole lines as fit. Delivery is not confirmed; a refusal
//! becomes known at the next datagram or, for the last one, shortly after.

use std::io;

use super::ticker::Fate;
use crate::net::{Datagrams, Targets};

/// The largest datagram, in bytes: an Ethernet frame minus IPv6, UDP and some room for tunnels, so
/// that none is fragmented.
const MAX_DATAGRAM: usize = 1400;

/// A receiver that refused counts as back after this many ticks without a refusal.
const BACK: u32 = 2;

/// Where lines are sent.
#[derive(Debug)]
pub(super) struct DatagramSink {
    datagrams: Datagrams,
    pending: Vec<u8>,
    /// Whether anything was sent since the last report.
    sent: bool,
    /// Ticks since the last refusal.
    ticks_without_refusal: u32,
}

impl DatagramSink {
    /// A sink for a receiver.
    pub(super) fn to(host: &str, port: u16, targets: &Targets) -> io::Result<Self> {
        let datagrams = Datagrams::to(host, port, targets)?;
        let pending = Vec::with_capacity(MAX_DATAGRAM);
        Ok(Self { datagrams, pending, sent: false, ticks_without_refusal: 0 })
    }

    /// Adds a line, without its line end, and sends the datagram when it is full.
    pub(super) fn push(&mut self, line: &str) {
        if !self.pending.is_empty() && self.pending.len() + 1 + line.len() > MAX_DATAGRAM {
            self.flush();
        }
        if !self.pending.is_empty() {
            self.pending.push(b'\n');
        }
        self.pending.extend_from_slice(line.as_bytes());
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            self.datagrams.send(&self.pending);
            self.pending.clear();
            self.sent = true;
        }
    }

    /// Sends the remaining lines and returns their fate. The last time, waits briefly for a
    /// refusal.
    pub(super) fn finish(&mut self, last: bool) -> Fate {
        self.flush();
        if last {
            self.datagrams.settle();
        }
        if let Some((count, why)) = self.datagrams.losses() {
            self.ticks_without_refusal = 0;
            return Fate::Lost(count, why);
        }
        if !std::mem::take(&mut self.sent) {
            return Fate::Unknown;
        }
        self.ticks_without_refusal += 1;
        if self.ticks_without_refusal >= BACK || last { Fate::Sent } else { Fate::Unknown }
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
            lines.push(line);
        }
        assert!(matches!(lines.finish(true), Fate::Sent));
        assert_eq!(received(&receiver), format!("a\nb\n{long}"));
        assert_eq!(received(&receiver), long);
    }

    #[test]
    fn every_refused_datagram_is_counted() {
        let (gone, port) = receiver();
        drop(gone);
        let mut lines = DatagramSink::to("127.0.0.1", port, &Targets::default()).expect("a socket");
        let mut lost = 0;
        for last in [false, false, false, true] {
            lines.push("figures");
            if let Fate::Lost(count, why) = lines.finish(last) {
                lost += count;
                assert!(why.to_string().starts_with(&format!("127.0.0.1:{port}: ")), "{why}");
            }
        }
        assert_eq!(lost, 4);
    }

    #[test]
    fn no_datagram_is_sent_to_an_address_that_is_not_allowed() {
        let targets =
            Targets { own: Vec::new(), allowed: vec!["192.0.2.1".parse().expect("a target")] };
        let error = DatagramSink::to("127.0.0.1", 9, &targets).expect_err("refused");
        let refusal = "target 127.0.0.1:9 is refused: no --allow-target names it";
        assert_eq!(error.to_string(), refusal);
    }
}
