//! How a task reaches its target: one driver per protocol, each behind [`crate::load::driver`]'s
//! border. Nothing here decides when or how often.

pub mod http;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Which addresses a test may reach, checked on the resolved address, so that no name gets around
/// it. A document comes over a socket: it must not reach what only this machine may.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// Ports of this machine that no test may reach: the control server's own.
    pub own_ports: Vec<u16>,
}

impl Targets {
    /// Why an address is refused, if it is.
    pub fn refuses(&self, address: SocketAddr) -> Option<&'static str> {
        let ip = match address.ip() {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4),
            v4 => v4,
        };
        // Where clouds keep their metadata services: RFC 3927, RFC 4291, and Amazon's fd00:ec2::254.
        const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
        let link_local = match ip {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == METADATA,
        };
        if link_local {
            return Some("link-local addresses hold metadata services");
        }
        let own =
            (ip.is_loopback() || ip.is_unspecified()) && self.own_ports.contains(&address.port());
        own.then_some("it is this server's own port")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_and_the_own_port_are_refused() {
        let targets = Targets { own_ports: vec![9940] };
        let refused =
            |address: &str| targets.refuses(address.parse().expect("an address")).is_some();
        for address in [
            "169.254.169.254:80",
            "[::ffff:169.254.1.1]:80",
            "[fe80::1]:80",
            "[fd00:ec2::254]:80",
            "127.0.0.1:9940",
            "[::1]:9940",
            "0.0.0.0:9940",
        ] {
            assert!(refused(address), "{address}");
        }
        for address in ["127.0.0.1:80", "10.0.0.1:9940", "[::1]:80"] {
            assert!(!refused(address), "{address}");
        }
    }
}
