//! Who may do what: the host that a request must name, the page that it must come from, and the token
//! or session that it must have.

use std::net::{IpAddr, SocketAddr};

use hyper::Request;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, Uri};

use super::error::Problem;
use super::sessions::{LIFE, Sessions};
use crate::server::{Denied, Handle};
use crate::wire::token::Token;

/// Says whether a request comes from a page of the same server. Browsers alone can set it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// For everybody.
    Public,
    /// With the token it reads.
    Read,
    /// With the token it sends something, and changes no run.
    Send,
    /// With the token it starts or stops runs.
    Change,
    /// It sends the token itself.
    Login,
}

/// The hosts that a server is, which a page of another name must not reach (DNS rebinding).
#[derive(Debug)]
pub(super) struct Hosts {
    /// What it was told to listen on.
    given: String,
    port: u16,
    /// Further names, on any port: a proxy may have another.
    names: Vec<String>,
    secure: bool,
}

impl Hosts {
    pub(super) fn new(given: &str, port: u16, names: &[String], secure: bool) -> Self {
        let names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { given: given.to_ascii_lowercase(), port, names, secure }
    }

    /// The address of the pages.
    pub(super) fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        let host = match (self.names.first(), self.given.parse::<IpAddr>()) {
            (Some(name), _) => name.clone(),
            (None, Ok(IpAddr::V6(address))) => format!("[{address}]"),
            (None, _) => self.given.clone(),
        };
        format!("{scheme}://{host}:{}", self.port)
    }

    /// The name of its cookie. Browsers share cookies between the ports of a host.
    fn cookie(&self) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}ldctl-{}", self.port)
    }

    /// Whether a request is for this server, which it has reached at the address `local`.
    pub(super) fn are_of<B>(&self, request: &Request<B>, local: SocketAddr) -> bool {
        let Some(host) = host(request.headers(), request.uri()) else { return false };
        let port = host.port_u16();
        let name = host.host().to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        if self.names.iter().any(|known| known == name) {
            return true;
        }
        let usual = if self.secure { 443 } else { 80 };
        if port.unwrap_or(usual) != local.port() {
            return false;
        }
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let local = local.ip().to_canonical();
        match bare.parse::<IpAddr>() {
            Ok(address) => address.to_canonical() == local,
            Err(_) => bare == self.given || bare == "localhost" && local.is_loopback(),
        }
    }

    /// Whether a request comes from a page of this server; `None` where it does not say.
    fn are_origin_of(&self, parts: &Parts) -> Option<bool> {
        let mut origins = parts.headers.get_all(ORIGIN).iter();
        let site = parts.headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
        let (origin, further) = (origins.next(), origins.next());
        if further.is_some()
            || site.is_some_and(|site| matches!(site, b"cross-site" | b"same-site"))
        {
            return Some(false);
        }
        let origin = origin?.to_str().unwrap_or_default();
        if origin == "null" {
            // Of a form on a page that says nothing of itself (no-referrer).
            return Some(site == Some(b"same-origin"));
        }
        let (Ok(origin), Some(host)) = (origin.parse::<Uri>(), host(&parts.headers, &parts.uri))
        else {
            return Some(false);
        };
        let scheme = match origin.scheme_str() {
            Some("https") => true,
            Some("http") => !self.secure,
            _ => false,
        };
        let is_it = origin
            .authority()
            .is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(host.as_str()));
        Some(scheme && is_it)
    }

    /// The cookie of a session, or of none.
    pub(super) fn set_cookie(&self, key: Option<&Token>) -> Option<HeaderValue> {
        let (key, life) = key.map_or(("", 0), |key| (key.expose(), LIFE.as_secs()));
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.cookie();
        let cookie =
            format!("{name}={key}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{secure}");
        let mut cookie = HeaderValue::from_str(&cookie).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }

    /// The keys of sessions that a request brings.
    pub(super) fn keys<'a>(&self, headers: &'a HeaderMap) -> Vec<&'a str> {
        let name = self.cookie();
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';'));
        let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(known, _)| *known == name).map(|(_, key)| key).take(MOST_KEYS).collect()
    }
}

/// The most keys of sessions that are looked at in one request.
const MOST_KEYS: usize = 8;

/// The host that a request names, once.
fn host(headers: &HeaderMap, uri: &Uri) -> Option<Authority> {
    let mut named = headers.get_all(HOST).iter();
    let (first, second) = (named.next()?, named.next());
    let host: Authority = first.to_str().ok()?.parse().ok()?;
    let is_same = |other: &Authority| other.as_str().eq_ignore_ascii_case(host.as_str());
    let is_plain = !host.as_str().contains('@');
    (second.is_none() && is_plain && uri.authority().is_none_or(is_same)).then_some(host)
}

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Judges a request.
pub(super) fn judge(
    access: Access,
    parts: &Parts,
    peer: IpAddr,
    handle: &Handle,
    hosts: &Hosts,
    sessions: &Sessions,
) -> Result<(), Problem> {
    let origin = hosts.are_origin_of(parts);
    let changes = matches!(access, Access::Send | Access::Change | Access::Login);
    // Also where nothing else is asked for: any page can post to a port of this machine.
    if changes && origin == Some(false) {
        return Err(Problem::foreign());
    }
    if matches!(access, Access::Public | Access::Login) || !handle.is_guarded() {
        return Ok(());
    }
    let token = bearer(&parts.headers);
    if token.is_none() {
        let keys = hosts.keys(&parts.headers);
        if keys.iter().any(|key| sessions.has(key, handle.keyring())) {
            return match changes && origin.is_none() {
                true => Err(Problem::foreign()),
                false => Ok(()),
            };
        }
    }
    admit(handle, peer, token)
}

/// Judges a token.
pub(super) fn admit(handle: &Handle, peer: IpAddr, token: Option<&str>) -> Result<(), Problem> {
    handle.admit(peer, token).map_err(|Denied { refusal, delay }| {
        tracing::info!("{peer}: refused: {:?}", refusal.message);
        Problem::from(refusal).delayed(delay)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let request = headers.iter().fold(Request::builder().uri("/"), |request, (name, value)| {
            request.header(*name, *value)
        });
        request.body(()).expect("a request")
    }

    #[test]
    fn t84_a_request_must_name_a_host_that_this_server_is() {
        let local: SocketAddr = "127.0.0.1:8765".parse().expect("an address");
        let lan: SocketAddr = "192.0.2.7:8765".parse().expect("an address");
        let names = ["Bench.example".to_owned()];
        let hosts = Hosts::new("load.lan", 8765, &names, false);
        for (host, local, want) in [
            ("localhost:8765", local, true),
            ("LOCALHOST.:8765", local, true),
            ("127.0.0.1:8765", local, true),
            ("load.lan:8765", lan, true),
            ("192.0.2.7:8765", lan, true),
            ("bench.example", local, true),
            ("bench.example:443", lan, true),
            ("localhost", local, false),
            ("localhost:80", local, false),
            ("localhost:8765", lan, false),
            ("127.0.0.2:8765", local, false),
            ("evil.example:8765", local, false),
            ("127.0.0.1.evil.example:8765", local, false),
            ("localhost@evil.example:8765", local, false),
            ("evil@localhost:8765", local, false),
            ("", local, false),
        ] {
            assert_eq!(hosts.are_of(&request(&[("host", host)]), local), want, "{host}");
        }
        assert!(!hosts.are_of(&request(&[]), local), "none");
        let twice = request(&[("host", "localhost:8765"), ("host", "localhost:8765")]);
        assert!(!hosts.are_of(&twice, local));
        let mut absolute = request(&[("host", "localhost:8765")]);
        *absolute.uri_mut() = "http://evil.example:8765/".parse().expect("a URL");
        assert!(!hosts.are_of(&absolute, local));
    }

    #[test]
    fn t84_an_ipv6_address_is_a_host_in_brackets() {
        let local: SocketAddr = "[::1]:8765".parse().expect("an address");
        let hosts = Hosts::new("::1", 8765, &[], true);
        assert!(hosts.are_of(&request(&[("host", "[::1]:8765")]), local));
        assert!(!hosts.are_of(&request(&[("host", "[::2]:8765")]), local));
        assert_eq!(hosts.url(), "https://[::1]:8765");
    }

    #[test]
    fn t85_an_origin_is_ours_only_with_our_scheme_host_and_port() {
        let plain = Hosts::new("localhost", 8765, &[], false);
        let secure = Hosts::new("localhost", 8765, &[], true);
        let host = ("host", "localhost:8765");
        let of = |hosts: &Hosts, headers: &[(&str, &str)]| {
            let (parts, ()) = request(&[&[host], headers].concat()).into_parts();
            hosts.are_origin_of(&parts)
        };
        for (headers, want) in [
            (&[][..], None),
            (&[("origin", "http://localhost:8765")], Some(true)),
            (&[("origin", "https://localhost:8765")], Some(true)),
            (&[("origin", "http://localhost:8766")], Some(false)),
            (&[("origin", "http://localhost")], Some(false)),
            (&[("origin", "http://evil.example:8765")], Some(false)),
            (&[("origin", "http://localhost:8765.evil.example")], Some(false)),
            (&[("origin", "file://")], Some(false)),
            (&[("origin", "null")], Some(false)),
            (&[("origin", "null"), ("sec-fetch-site", "same-origin")], Some(true)),
            (&[("origin", "null"), ("sec-fetch-site", "cross-site")], Some(false)),
            (&[("sec-fetch-site", "cross-site")], Some(false)),
            (&[("sec-fetch-site", "same-site")], Some(false)),
            (
                &[("origin", "http://localhost:8765"), ("origin", "http://evil.example")],
                Some(false),
            ),
        ] {
            assert_eq!(of(&plain, headers), want, "{headers:?}");
        }
        assert_eq!(of(&secure, &[("origin", "http://localhost:8765")]), Some(false));
        assert_eq!(of(&secure, &[("origin", "https://localhost:8765")]), Some(true));
    }

    #[test]
    fn t86_a_cookie_is_out_of_reach_for_scripts_other_sites_and_plain_connections() {
        let key = Token::new("k").expect("a key");
        let cookie = |secure| {
            let hosts = Hosts::new("localhost", 8765, &[], secure);
            hosts.set_cookie(Some(&key)).and_then(|value| Some(value.to_str().ok()?.to_owned()))
        };
        let plain = "ldctl-8765=k; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict";
        assert_eq!(cookie(false).as_deref(), Some(plain));
        assert_eq!(cookie(true), Some(format!("__Host-{plain}; Secure")));
    }
}
