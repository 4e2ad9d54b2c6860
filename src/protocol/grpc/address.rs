//! The target of calls: `host:port`, as gRPC's libraries name it, or a URL.

use crate::protocol::http::Origin;

/// The default: the reference's own.
pub(super) const DEFAULT: &str = "localhost:50051";

/// The port of targets without one: that of gRPC's libraries, whether there is TLS or not.
const PORT: u16 = 443;

/// How gRPC's libraries say in which way a name is resolved.
const WAYS: [&str; 4] = ["dns:///", "dns:", "ipv4:", "ipv6:"];

/// Where calls go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// As in the document, for labels.
    pub(super) shown: String,
    pub(super) origin: Origin,
    /// The value of `:authority` unless the task has one.
    pub(super) authority: String,
}

/// Whether a target's scheme asks for TLS.
fn names_tls(target: &str) -> bool {
    let scheme = target.split_once("://").map_or("", |(scheme, _)| scheme);
    ["https", "grpcs"].iter().any(|known| known.eq_ignore_ascii_case(scheme))
}

impl Address {
    /// Parses a target, whose scheme decides about TLS if nothing else does; the error says what is wrong
    /// with it.
    pub(super) fn parse(target: &str, tls: Option<bool>) -> Result<Self, String> {
        let shown = target.trim();
        let resolved = WAYS.iter().find_map(|way| shown.strip_prefix(way));
        let rest = match (resolved, shown.split_once("://")) {
            (Some(rest), _) => rest,
            (None, Some((scheme, rest))) => match scheme.to_ascii_lowercase().as_str() {
                "http" | "https" | "grpc" | "grpcs" => rest,
                _ => return Err(format!("a target is host:port, not {scheme}://")),
            },
            (None, None) if shown.starts_with("unix:") => {
                return Err("a socket of the file system cannot be a target".to_owned());
            }
            (None, None) => shown,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err("a target is host:port, without a user and without a path".to_owned());
        }
        let colons = rest.bytes().filter(|byte| *byte == b':').count();
        let authority = match rest.rfind(']') {
            // An address of IPv6 without brackets has no port.
            None if colons > 1 => format!("[{rest}]:{PORT}"),
            None if colons == 1 => rest.to_owned(),
            Some(end) if rest.get(end + 1..).is_some_and(|rest| rest.starts_with(':')) => {
                rest.to_owned()
            }
            _ => format!("{rest}:{PORT}"),
        };
        let scheme = if tls.unwrap_or_else(|| names_tls(shown)) { "https" } else { "http" };
        let (origin, _) = Origin::split(&format!("{scheme}://{authority}"))
            .map_err(|_| "a target is host:port".to_owned())?;
        Ok(Self { shown: shown.to_owned(), origin, authority })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_names_host_and_port() {
        for (target, host, port, authority) in [
            ("localhost:50051", "localhost", 50051, "localhost:50051"),
            (" h ", "h", 443, "h:443"),
            ("dns:///h:1", "h", 1, "h:1"),
            ("ipv4:127.0.0.1:2", "127.0.0.1", 2, "127.0.0.1:2"),
            ("[::1]:9", "::1", 9, "[::1]:9"),
            ("[::1]", "::1", 443, "[::1]:443"),
            ("::1", "::1", 443, "[::1]:443"),
            ("https://h:8443/", "h", 8443, "h:8443"),
            ("grpc://h:80", "h", 80, "h:80"),
        ] {
            let address = Address::parse(target, None).expect(target);
            assert_eq!((&*address.origin.host, address.origin.port), (host, port), "{target}");
            assert_eq!(address.authority, authority, "{target}");
        }
        for (target, given, tls) in [
            ("HTTPS://h", None, true),
            ("grpcs://h", None, true),
            ("http://h", None, false),
            ("h:1", None, false),
            ("h:1", Some(true), true),
            ("https://h:1", Some(false), false),
        ] {
            assert_eq!(Address::parse(target, given).map(|address| address.origin.tls), Ok(tls));
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for target in ["", "ftp://h:1", "unix:/a", "h:99999", "h:x", "u@h:1", "h:1/a", "a b:1"] {
            assert!(Address::parse(target, None).is_err(), "{target:?}");
        }
    }
}
