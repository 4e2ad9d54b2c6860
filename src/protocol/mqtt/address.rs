//! Where a broker is: `host`, `host:port`, `mqtt://host:port`, or `mqtts://` with TLS.

use std::net::Ipv6Addr;

use url::Url;

use crate::protocol::http::percent_decode;

/// The default: the reference's own.
pub(super) const DEFAULT: &str = "127.0.0.1:1883";

/// The ports without TLS and with it, as registered.
const PORTS: (u16, u16) = (1883, 8883);

/// Where a broker is, and how to log in.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// User and password, if it is a URL that has them.
    pub(super) login: Option<(String, Option<String>)>,
    /// It, as written, but without user and password.
    pub(super) shown: Box<str>,
}

/// Shown without the password.
impl std::fmt::Debug for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.shown)
    }
}

impl Address {
    /// Parses it; the error says what is wrong, without the text, which may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
            return Err("a blank, a control character or a backslash in the address of the broker"
                .to_owned());
        }
        let bare = match text.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => text.to_owned(),
        };
        let is_url = text.contains("://");
        let url = if is_url { bare } else { format!("mqtt://{bare}") };
        let url = Url::parse(&url).map_err(|error| format!("invalid broker: {error}"))?;
        let tls = match url.scheme() {
            "mqtt" => false,
            "mqtts" => true,
            _ => {
                return Err(
                    "expected a broker as host:port, mqtt://host:port or mqtts://host:port"
                        .to_owned(),
                );
            }
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or("invalid broker: no host")?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("invalid broker: it has no path".to_owned());
        }
        let decoded = |part: &str| {
            percent_decode(part).ok_or("invalid broker: user or password cannot be decoded")
        };
        let login = match url.username() {
            "" if url.password().is_none() => None,
            user => Some((decoded(user)?, url.password().map(decoded).transpose()?)),
        };
        let shown = match login {
            None => text.to_owned(),
            Some(_) => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                let scheme = if is_url { format!("{}://", url.scheme()) } else { String::new() };
                format!("{scheme}{host}{port}")
            }
        };
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(if tls { PORTS.1 } else { PORTS.0 }),
            tls,
            login,
            shown: shown.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_a_host_with_or_without_port_scheme_and_login() {
        for (text, host, port, tls, shown) in [
            (DEFAULT, "127.0.0.1", 1883, false, DEFAULT),
            ("h", "h", 1883, false, "h"),
            ("[::1]:9", "::1", 9, false, "[::1]:9"),
            ("::1", "::1", 1883, false, "::1"),
            ("mqtt://h/", "h", 1883, false, "mqtt://h/"),
            ("MQTTS://h", "h", 8883, true, "MQTTS://h"),
            ("mqtts://ann:secret@h:1", "h", 1, true, "mqtts://h:1"),
            ("ann:secret@h:1", "h", 1, false, "h:1"),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!((&*address.host, address.port, address.tls), (host, port, tls), "{text}");
            assert_eq!(format!("{address:?}"), shown);
        }
        let login = |text| Address::parse(text).expect(text).login;
        let ann = |password: Option<&str>| Some(("ann".to_owned(), password.map(str::to_owned)));
        assert_eq!(login("mqtt://ann:p%40ss@h"), ann(Some("p@ss")));
        assert_eq!(login("mqtt://ann@h"), ann(None));
        assert_eq!(login("h"), None);
        for (text, why) in [
            ("", "invalid broker: no host"),
            ("mqtt://", "invalid broker: no host"),
            ("h:99999", "invalid broker: invalid port number"),
            ("h:x", "invalid broker: invalid port number"),
            ("h/topic", "invalid broker: it has no path"),
            ("http://h", "expected a broker as host:port, mqtt://host:port or mqtts://host:port"),
            ("h :1", "a blank, a control character or a backslash in the address of the broker"),
        ] {
            assert_eq!(Address::parse(text), Err(why.to_owned()), "{text}");
        }
    }
}
