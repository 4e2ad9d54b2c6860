//! Addresses that no document may reach, whatever is allowed: where clouds give every process of a
//! machine its credentials. And the IPv4 addresses behind IPv6 addresses: a translator on the way
//! would turn one into the other. A prefix that a network has chosen for its own translator is not
//! known here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why they are refused.
pub(super) const METADATA: &str = "it is the metadata service of a cloud";

const LINK_LOCAL: &str = "link-local addresses hold metadata services";

/// Metadata services outside 169.254.0.0/16.
const METADATA_V4: [Ipv4Addr; 3] = [
    // Alibaba Cloud
    Ipv4Addr::new(100, 100, 100, 200),
    // Azure's "WireServer"
    Ipv4Addr::new(168, 63, 129, 16),
    // Oracle Cloud, classic
    Ipv4Addr::new(192, 0, 0, 192),
];

/// Metadata services outside fe80::/10.
const METADATA_V6: [Ipv6Addr; 4] = [
    // Google Cloud
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    // Oracle Cloud
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    // Scaleway
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    // Linode
    Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1),
];

/// Their names, for a proxy that resolves what it is asked for.
const METADATA_NAMES: [&str; 7] = [
    "api.metadata.cloud.ibm.com",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.tencentyun.com",
];

/// Returns why an address is never a target, if it is not.
pub(super) fn refusal(ip: IpAddr) -> Option<&'static str> {
    let (link_local, metadata) = match ip {
        IpAddr::V4(v4) => (v4.is_link_local(), METADATA_V4.contains(&v4)),
        // All of fd00:ec2::/32 is Amazon's: metadata, credentials of pods, names, time.
        IpAddr::V6(v6) => (
            v6.is_unicast_link_local(),
            METADATA_V6.contains(&v6) || v6.segments().starts_with(&[0xfd00, 0xec2]),
        ),
    };
    match (link_local, metadata) {
        (true, _) => Some(LINK_LOCAL),
        (_, true) => Some(METADATA),
        _ => None,
    }
}

/// Whether a name, in lower case and without its last dot, is that of a metadata service.
pub(super) fn is_metadata_name(name: &str) -> bool {
    METADATA_NAMES.contains(&name)
}

/// The IPv4 addresses that an IPv6 address may lead to, besides a mapped one.
pub(super) fn translated(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let found = match ip {
        IpAddr::V4(_) => [None; 4],
        IpAddr::V6(v6) => embedded(v6),
    };
    // Unused bits are no address.
    found.into_iter().flatten().filter(|four| !four.is_unspecified()).map(IpAddr::V4)
}

fn embedded(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let [_, b, c, d, _, _, g, h] = ip.segments();
    let four = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    let last = four(g, h);
    match ip.segments() {
        // IPv4-compatible (RFC 4291), without the unspecified and the loopback address
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None; 4],
        [0, 0, 0, 0, 0, 0, _, _] => [Some(last), None, None, None],
        // IPv4-translated (RFC 2765)
        [0, 0, 0, 0, 0xffff, 0, _, _] => [Some(last), None, None, None],
        // NAT64 (RFC 6052)
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => [Some(last), None, None, None],
        // NAT64 in a network's own part (RFC 8215), with a prefix of 48, 56, 64 or 96 bits; octet 8
        // is left out
        [0x64, 0xff9b, 1, ..] => {
            let [_, _, _, _, _, _, six, seven, _, nine, ten, eleven, twelve, ..] = ip.octets();
            let four = |octets: [u8; 4]| Some(Ipv4Addr::from(octets));
            [
                four([six, seven, nine, ten]),
                four([seven, nine, ten, eleven]),
                four([nine, ten, eleven, twelve]),
                Some(last),
            ]
        }
        // 6to4 (RFC 3056)
        [0x2002, ..] => [Some(four(b, c)), None, None, None],
        // Teredo (RFC 4380): its server, and its client with inverted bits
        [0x2001, 0, ..] => [Some(four(c, d)), Some(four(!g, !h)), None, None],
        // ISATAP (RFC 5214)
        [.., 0 | 0x200, 0x5efe, _, _] => [Some(last), None, None, None],
        _ => [None; 4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str) -> bool {
        let ip: IpAddr = address.parse().expect("an address");
        let ip = ip.to_canonical();
        std::iter::once(ip).chain(translated(ip)).any(|ip| refusal(ip).is_some())
    }

    #[test]
    fn t59_metadata_services_are_never_targets() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fe80::1",
            "fe80::a9fe:a9fe",
            "febf::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
        ] {
            assert!(refused(address), "{address}");
        }
        for name in ["metadata.google.internal", "instance-data"] {
            assert!(is_metadata_name(name), "{name}");
        }
    }

    #[test]
    fn t59_an_ipv6_form_of_a_metadata_service_is_none_either() {
        for address in [
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::100.100.100.200",
            "64:ff9b::168.63.129.16",
            "64:ff9b::192.0.0.192",
            // Prefixes of 48, 56, 64 and 96 bits.
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:12a9:fe:a9fe::",
            "64:ff9b:1:1234:a9:fea9:fe00:0",
            "64:ff9b:1:1:2:3:169.254.169.254",
            "2002:a9fe:a9fe::1",
            "2002:6464:64c8::",
            "2001:0:a9fe:a9fe::1",
            "2001:0:1:2:3:4:5601:5601",
            "2001:db8::5efe:169.254.169.254",
            "2001:db8::200:5efe:169.254.169.254",
        ] {
            assert!(refused(address), "{address}");
        }
    }

    #[test]
    fn other_addresses_are_targets() {
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "169.253.255.255",
            "100.100.100.201",
            "168.63.129.17",
            "192.0.0.193",
            "::1",
            "fd00::254",
            "fd20:ce::255",
            "2001:db8::1",
            "2001:4860:4860::8888",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1:a00:0:100::",
            "2002:a00:1::1",
        ] {
            assert!(!refused(address), "{address}");
        }
    }
}
