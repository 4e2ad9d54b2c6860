//! The URL of a WebSocket: that of HTTP with another scheme.

use super::fault::Fault;
use crate::protocol::http::{self, Origin};

/// Where a WebSocket is.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) origin: Origin,
    /// Path and query.
    pub(super) rest: String,
    /// The value of the `Origin` header: the target's own, as the reference's client sends it.
    pub(super) site: String,
}

impl Address {
    /// Parses `ws://…` or `wss://…`.
    pub(super) fn parse(url: &str) -> Result<Self, Fault> {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        if !is_scheme(scheme) {
            return Err(Fault::Scheme(scheme.to_ascii_lowercase()));
        }
        let as_http = format!("http{}", url.get("ws".len()..).unwrap_or_default());
        let (origin, rest) = Origin::split(&as_http).map_err(|fault| match fault {
            http::Fault::Url { why, .. } => http::Fault::Url { url: url.to_owned(), why },
            fault => fault,
        })?;
        let rest = rest.to_owned();
        let site = format!("{}://{}", if origin.tls { "https" } else { "http" }, origin.authority);
        Ok(Self { origin, rest, site })
    }
}

/// Whether it is one of WebSocket's schemes.
pub(super) fn is_scheme(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("ws") || scheme.eq_ignore_ascii_case("wss")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_the_origin_the_path_and_the_site() {
        for (url, host, port, tls, rest, site) in [
            ("ws://h", "h", 80, false, "", "http://h"),
            ("WSS://h/a?b#c", "h", 443, true, "/a?b#c", "https://h"),
            ("wss://u:p@h:8443?x", "h", 8443, true, "?x", "https://h:8443"),
            ("ws://[::1]:9/", "::1", 9, false, "/", "http://[::1]:9"),
        ] {
            let address = Address::parse(url).expect(url);
            let Origin { host: name, port: at, tls: secure, .. } = &address.origin;
            assert_eq!((&**name, *at, *secure), (host, port, tls), "{url}");
            assert_eq!((&*address.rest, &*address.site), (rest, site), "{url}");
        }
    }

    #[test]
    fn another_scheme_is_refused_in_the_words_of_the_reference() {
        for (url, why) in [
            ("http://h/", "scheme http is invalid"),
            ("HTTPS://h/", "scheme https is invalid"),
            ("h:80/a", "scheme  is invalid"),
            ("ws://", "invalid URL \"ws://\": empty host"),
            ("wss://h:99999/", "invalid URL \"wss://h:99999/\": invalid port number"),
        ] {
            assert_eq!(Address::parse(url).expect_err(url).to_string(), why);
        }
    }
}
