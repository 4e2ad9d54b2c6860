//! Which addresses documents may reach. Refusals go by the address that a name currently resolves
//! to, so that no name circumvents them; permissions may also go by name, because the addresses
//! behind a load balancer change while it is tested.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::str::FromStr;

use ipnet::IpNet;
use url::Host;

use super::reserved;

/// Which addresses a test may reach. Documents come over a socket, so they must not reach what only
/// this machine may.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// Where the control server listens, which no test may reach. An unspecified address
    /// (`0.0.0.0`, `[::]`) stands for every address of this machine.
    pub own: Vec<SocketAddr>,
    /// The allowed targets; if empty, every address that is not otherwise refused.
    pub allowed: Vec<AllowedTarget>,
}

impl Targets {
    /// Returns why an address of a host is refused, if it is.
    pub fn refuses(&self, host: &str, address: SocketAddr) -> Option<&'static str> {
        let ip = address.ip().to_canonical();
        let mut meant = std::iter::once(ip).chain(reserved::translated(ip));
        let own = self.own.iter().filter(|own| own.port() == address.port());
        let refusal = meant.find_map(|ip| {
            let is_own = || own.clone().any(|own| is_same(own.ip(), ip));
            reserved::refusal(ip).or_else(|| is_own().then_some("it is this server's own port"))
        });
        if refusal.is_some() {
            return refusal;
        }
        let named = |allowed: &AllowedTarget| allowed.covers(host, ip, address.port());
        let allowed = self.allowed.is_empty() || self.allowed.iter().any(named);
        (!allowed).then_some("no --allow-target names it")
    }
}

impl Targets {
    /// Returns why a host that a proxy will resolve is refused, by its name alone: which address the name
    /// has for the proxy is not known here.
    pub fn refuses_name(&self, host: &str, port: u16) -> Option<&'static str> {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let address = match name.parse::<IpAddr>() {
            Ok(address) => Some(address),
            // RFC 6761, section 6.3: it is loopback wherever it is resolved.
            Err(_) if name == "localhost" || name.ends_with(".localhost") => {
                Some(Ipv4Addr::LOCALHOST.into())
            }
            Err(_) => None,
        };
        if let Some(address) = address {
            return self.refuses(host, (address, port).into());
        }
        if reserved::is_metadata_name(&name) {
            return Some(reserved::METADATA);
        }
        let allowed =
            self.allowed.is_empty() || self.allowed.iter().any(|allowed| allowed.names(host, port));
        (!allowed).then_some("no --allow-target names it")
    }
}

/// Whether a connection to an address may reach a listener. Systems map an unspecified address to
/// loopback.
fn is_same(listener: IpAddr, target: IpAddr) -> bool {
    let listener = listener.to_canonical();
    listener == target || target.is_unspecified() || listener.is_unspecified() && is_local(target)
}

/// Whether an address belongs to this machine: only then can a socket be bound to it. Comparing
/// both ends of a connection would miss secondary addresses, which systems reach from the primary
/// one. Any other error counts as yes.
fn is_local(address: IpAddr) -> bool {
    match UdpSocket::bind((address, 0)) {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::AddrNotAvailable,
    }
}

/// One allowed target: a host or a network, optionally with a single port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedTarget {
    place: HostPattern,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    /// Every address of this name.
    Name(String),
    Network(IpNet),
}

/// Why a text is not a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a host, an address or a network, with or without a port: example.com, \
     10.0.0.0/8:8080, [2001:db8::/32]:443"
)]
pub struct InvalidTarget;

impl AllowedTarget {
    /// Whether it is this name.
    fn names(&self, host: &str, port: u16) -> bool {
        matches!(self.place, HostPattern::Name(_))
            && self.covers(host, Ipv4Addr::UNSPECIFIED.into(), port)
    }

    fn covers(&self, host: &str, ip: IpAddr, port: u16) -> bool {
        let place = match &self.place {
            // A name may end with the root's dot.
            HostPattern::Name(name) => host.trim_end_matches('.').eq_ignore_ascii_case(name),
            HostPattern::Network(network) => network.contains(&ip),
        };
        place && self.port.is_none_or(|only| only == port)
    }
}

impl FromStr for AllowedTarget {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let (place, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (inside, after) = rest.split_once(']').ok_or(InvalidTarget)?;
                let port = match after {
                    "" => None,
                    after => Some(after.strip_prefix(':').ok_or(InvalidTarget)?),
                };
                (HostPattern::Network(network(inside).ok_or(InvalidTarget)?), port)
            }
            None => match network(text) {
                Some(network) => (HostPattern::Network(network), None),
                None => {
                    let (place, port) = match text.split_once(':') {
                        Some((place, port)) => (place, Some(port)),
                        None => (text, None),
                    };
                    (self::place(place)?, port)
                }
            },
        };
        Ok(Self { place, port: port.map(self::port).transpose()? })
    }
}

fn port(text: &str) -> Result<u16, InvalidTarget> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0).ok_or(InvalidTarget)
}

fn place(text: &str) -> Result<HostPattern, InvalidTarget> {
    if let Some(network) = network(text) {
        return Ok(HostPattern::Network(network));
    }
    // Parsed like the hosts of URLs, so that both have the same spelling.
    match Host::parse(text) {
        // A wildcard would be taken for a literal name, which no host has.
        Ok(Host::Domain(name)) if !name.trim_end_matches('.').is_empty() && !name.contains('*') => {
            Ok(HostPattern::Name(name.trim_end_matches('.').to_owned()))
        }
        Ok(Host::Ipv4(address)) => Ok(HostPattern::Network(IpAddr::V4(address).into())),
        _ => Err(InvalidTarget),
    }
}

/// A network, or a single address as a network of one.
fn network(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical().into()),
        Err(_) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(allowed: &[&str]) -> Targets {
        let allowed = allowed.iter().map(|text| text.parse().expect("a target")).collect();
        Targets { own: vec![own("127.0.0.1:9940"), own("[::1]:9940")], allowed }
    }

    fn own(address: &str) -> SocketAddr {
        address.parse().expect("an address")
    }

    fn refuses(targets: &Targets, host: &str, address: &str) -> Option<&'static str> {
        targets.refuses(host, address.parse().expect("an address"))
    }

    #[test]
    fn link_local_addresses_and_the_own_port_are_refused() {
        // Allowing everything allows none of these.
        for targets in [targets(&[]), targets(&["0.0.0.0/0", "::/0", "h"])] {
            for address in [
                "169.254.169.254:80",
                "[::ffff:169.254.1.1]:80",
                "[fe80::1]:80",
                "[fd00:ec2::254]:80",
                "100.100.100.200:80",
                "[64:ff9b::169.254.169.254]:80",
                "127.0.0.1:9940",
                "[::1]:9940",
                "0.0.0.0:9940",
            ] {
                assert!(refuses(&targets, "h", address).is_some(), "{address}");
            }
            for address in ["127.0.0.1:80", "10.0.0.1:9940", "[::1]:80"] {
                assert_eq!(refuses(&targets, "h", address), None, "{address}");
            }
        }
    }

    #[test]
    fn a_listener_on_every_address_is_refused_at_each_address_of_this_machine() {
        for listener in ["0.0.0.0:9940", "[::]:9940"] {
            let targets = Targets { own: vec![own(listener)], allowed: Vec::new() };
            let local = lan_address();
            for ip in [local, "127.0.0.1".parse().expect("an address")] {
                let refusal = targets.refuses("h", (ip, 9940).into());
                assert_eq!(refusal, Some("it is this server's own port"), "{listener}: {ip}");
                assert_eq!(targets.refuses("h", (ip, 9941).into()), None, "{listener}: {ip}");
            }
            // Reserved for documentation (RFC 5737, RFC 3849): addresses of other machines.
            for other in ["203.0.113.9:9940", "[2001:db8::9]:9940"] {
                assert_eq!(refuses(&targets, "h", other), None, "{listener}: {other}");
            }
        }
    }

    #[test]
    fn t59_the_own_port_is_refused_in_every_form_of_an_own_address() {
        let local = lan_address();
        let IpAddr::V4(four) = local else { panic!("{local}") };
        let [a, b, c, d] = four.octets().map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        for listener in ["0.0.0.0:9940".to_owned(), "[::]:9940".to_owned(), format!("{four}:9940")]
        {
            let targets = Targets { own: vec![own(&listener)], allowed: Vec::new() };
            for form in [
                format!("{four}"),
                format!("[::ffff:{four}]"),
                format!("[64:ff9b::{four}]"),
                format!("[2002:{high:x}:{low:x}::1]"),
                format!("[::{four}]"),
                "0.0.0.0".to_owned(),
                "[::]".to_owned(),
                "[::ffff:0.0.0.0]".to_owned(),
            ] {
                let refusal = refuses(&targets, "h", &format!("{form}:9940"));
                assert_eq!(refusal, Some("it is this server's own port"), "{listener}: {form}");
                assert_eq!(refuses(&targets, "h", &format!("{form}:9941")), None, "{form}");
            }
        }
    }

    #[test]
    fn a_listener_on_one_address_does_not_block_its_port_on_others() {
        let mapped = "[::ffff:127.0.0.1]:9940";
        let targets = Targets { own: vec![own(mapped)], allowed: Vec::new() };
        assert_eq!(refuses(&targets, "h", "127.0.0.9:9940"), None);
        assert!(refuses(&targets, "h", "127.0.0.1:9940").is_some());
        assert!(refuses(&targets, "h", mapped).is_some());
    }

    /// A non-loopback address of this machine, where it has one. Sends nothing.
    fn lan_address() -> IpAddr {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        let towards = socket.connect("203.0.113.9:9").and_then(|()| socket.local_addr());
        towards.map_or_else(|_| [127, 0, 0, 2].into(), |address| address.ip())
    }

    #[test]
    fn a_target_is_a_network_an_address_or_a_name_with_an_optional_port() {
        let refusal = Some("no --allow-target names it");
        for (allowed, host, address, refused) in [
            ("10.0.0.0/8", "h", "10.1.2.3:80", false),
            ("10.0.0.0/8", "h", "11.1.2.3:80", true),
            ("10.0.0.0/8", "h", "[::ffff:10.1.2.3]:80", false),
            ("10.0.0.0/8:80", "h", "10.1.2.3:80", false),
            ("10.0.0.0/8:80", "h", "10.1.2.3:81", true),
            ("10.9.9.9/8", "h", "10.1.2.3:80", false),
            ("10.0.0.1", "h", "10.0.0.1:1", false),
            ("10.0.0.1", "10.0.0.2", "10.0.0.2:1", true),
            ("10.0.0.1:443", "h", "10.0.0.1:443", false),
            ("::ffff:10.0.0.1", "h", "10.0.0.1:1", false),
            ("2001:db8::/32", "h", "[2001:db8::1]:80", false),
            ("2001:db8::/32", "h", "[2001:db9::1]:80", true),
            ("[2001:db8::/32]:443", "h", "[2001:db8::1]:443", false),
            ("[2001:db8::/32]:443", "h", "[2001:db8::1]:80", true),
            ("::1", "h", "[::1]:1", false),
            ("[::1]", "h", "[::1]:1", false),
            ("[::1]:8", "h", "[::1]:9", true),
            ("Example.COM", "example.com", "10.0.0.1:80", false),
            ("example.com.", "EXAMPLE.com.", "10.0.0.1:80", false),
            ("example.com:80", "example.com", "10.0.0.1:80", false),
            ("example.com:80", "example.com", "10.0.0.1:81", true),
            ("example.com", "www.example.com", "10.0.0.1:80", true),
            ("example.com", "10.0.0.1", "10.0.0.1:80", true),
            ("bücher.example", "xn--bcher-kva.example", "10.0.0.1:80", false),
        ] {
            let found = refuses(&targets(&[allowed]), host, address);
            assert_eq!(found, refusal.filter(|_| refused), "{allowed}: {host} at {address}");
        }
        assert_eq!(refuses(&targets(&["::1", "10.0.0.1"]), "h", "10.0.0.1:1"), None);
    }

    #[test]
    fn a_host_behind_a_proxy_is_judged_by_its_name() {
        for (allowed, host, refused) in [
            (&[][..], "example.com", false),
            (&[], "10.0.0.1", false),
            (&[], "169.254.169.254", true),
            (&[], "fe80::1", true),
            (&[], "localhost", true),
            (&[], "metadata.google.internal", true),
            (&["metadata.google.internal"], "Metadata.Google.Internal.", true),
            (&[], "100.100.100.200", true),
            (&["example.com"], "example.com", false),
            (&["example.com"], "example.org", true),
            (&["example.com:81"], "example.com", true),
            (&["10.0.0.0/8"], "10.1.2.3", false),
            (&["10.0.0.0/8", "0.0.0.0/0"], "example.com", true),
        ] {
            let refusal = targets(allowed).refuses_name(host, 9940);
            assert_eq!(refusal.is_some(), refused, "{allowed:?}: {host}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_target_is_refused() {
        for text in [
            "",
            ":80",
            ".",
            "h:",
            "h:0",
            "h:+80",
            "h:65536",
            "h:80:80",
            "10.0.0.0/33",
            "10.0.0.0/",
            "h/8",
            "http://h/",
            "a b",
            "[::1",
            "[h]:80",
            "[::1]80",
            "2001:db8::/32:443",
            "*.example.com",
            "256.1.1.1",
        ] {
            assert_eq!(text.parse::<AllowedTarget>(), Err(InvalidTarget), "{text:?}");
        }
    }
}
