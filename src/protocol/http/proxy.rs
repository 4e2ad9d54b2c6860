//! Proxies, selected as in Python's requests: those of the document, otherwise those of the
//! environment. A plain request goes to the proxy with its whole URL (RFC 9112, section 3.2.2),
//! everything else through a tunnel (RFC 9110, section 9.3.6). An unusable proxy is reported when a
//! request would need it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::fault::{Fault, status_text};
use super::request::{Request, VERSION};
use super::target::{Origin, url_credentials};
use crate::net::Stream;
use crate::protocol::fault::ConnectionFault;
use crate::value::{Field, Invalid, Kind, Literal, Object, Reader, Value};

/// The longest head of a proxy's response, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The most headers in it.
const MAX_HEADERS: usize = 64;

/// The fields of `proxy` in documents.
pub(crate) const PROXY: Kind =
    Kind::Either(&[Kind::Name, Kind::Exactly(Literal::Bool(false)), Kind::Object(&[PROXIES])]);

const PROXIES: &[Field] = &[
    Field::optional("http", Kind::Name, "The proxy for http:// URLs."),
    Field::optional("https", Kind::Name, "The proxy for https:// URLs."),
    Field::optional("all", Kind::Name, "The proxy for schemes without their own."),
    Field::optional("no_proxy", Kind::Text, "Hosts, domains and networks to connect to directly."),
];

/// The proxies of requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Proxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    bypass: Vec<String>,
}

/// A proxy.
#[derive(PartialEq, Eq)]
pub(crate) struct Proxy {
    /// The host to connect to, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// `Basic …` for the user in its URL.
    authorization: Option<String>,
    /// Why it cannot be used, if so.
    unusable: Option<String>,
}

/// Shown without the user's password.
impl fmt::Debug for Proxy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Proxy({self})")
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(out, "[{}]:{}", self.host, self.port),
            false => write!(out, "{}:{}", self.host, self.port),
        }
    }
}

impl Proxies {
    /// Parses the setting of a document: a URL for all requests, `false` for none, or a URL per
    /// scheme.
    pub(crate) fn read(field: &Reader<'_>) -> Result<Self, Invalid> {
        let proxy = |field: &Reader<'_>| {
            let text = field.text()?;
            if text.contains('@') && !text.contains("://") {
                // Passwords are recognized, and left out of reports, only after a scheme.
                return Err(field.invalid("a proxy with a user needs http:// in front of it"));
            }
            match Proxy::parse(text) {
                Proxy { unusable: Some(why), .. } => {
                    Err(field.invalid(format!("the proxy cannot be used: {why}")))
                }
                proxy => Ok(Arc::new(proxy)),
            }
        };
        match field.value() {
            Value::Bool(false) => Ok(Self::default()),
            Value::Str(_) => {
                let proxy = proxy(field)?;
                Ok(Self { http: Some(Arc::clone(&proxy)), https: Some(proxy), bypass: Vec::new() })
            }
            Value::Dict(_) => {
                let mut fields = field.object()?;
                let mut named = |name| fields.present(name).map(|field| proxy(&field)).transpose();
                let (http, https, all) = (named("http")?, named("https")?, named("all")?);
                let bypass = fields.present("no_proxy");
                let bypass = bypass.map(|field| field.text().map(bypass_of)).transpose()?;
                fields.finish()?;
                Ok(Self {
                    http: http.or_else(|| all.clone()),
                    https: https.or(all),
                    bypass: bypass.unwrap_or_default(),
                })
            }
            _ => Err(field.expected("a proxy's URL, false, or an object of URLs by scheme")),
        }
    }

    /// Reads the environment: of two spellings the lower-case one counts, even if empty.
    pub(crate) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
        let proxy = |name: &str| {
            let text = read(name).filter(|text| !text.trim().is_empty());
            text.map(|text| Arc::new(Proxy::parse(text.trim())))
        };
        let all = proxy("all_proxy");
        Self {
            http: proxy("http_proxy").or_else(|| all.clone()),
            https: proxy("https_proxy").or(all),
            bypass: bypass_of(&read("no_proxy").unwrap_or_default()),
        }
    }

    /// The proxy for an origin, if any.
    pub(crate) fn towards(&self, origin: &Origin) -> Option<&Arc<Proxy>> {
        let proxy = if origin.tls { &self.https } else { &self.http };
        let proxy = proxy.as_ref()?;
        (!self.bypasses(&origin.host, origin.port)).then_some(proxy)
    }

    fn bypasses(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let with_port = format!("{host}:{port}");
        let address: Option<IpAddr> = host.parse().ok();
        self.bypass.iter().any(|entry| {
            let within = |text: &str| {
                text == host
                    || text == with_port
                    // As in requests: the end of a name, with or without a dot before it.
                    || address.is_none() && (host.ends_with(text) || with_port.ends_with(text))
            };
            let network = entry.parse::<IpNet>().ok();
            let bare = entry.trim_start_matches('.');
            entry == "*"
                || network.zip(address).is_some_and(|(network, address)| network.contains(&address))
                || within(entry)
                || !bare.is_empty() && (bare == host || bare == with_port)
        })
    }
}

/// Takes `proxy` from a task; it defaults to the test's.
pub(crate) fn proxies(
    fields: &mut Object<'_>,
    of_test: Option<&Proxies>,
) -> Result<Option<Proxies>, Invalid> {
    match fields.present("proxy") {
        Some(field) => Proxies::read(&field).map(Some),
        None => Ok(of_test.cloned()),
    }
}

/// The entries of `no_proxy`.
fn bypass_of(text: &str) -> Vec<String> {
    let entries = text.split(',').map(|entry| entry.trim().to_ascii_lowercase());
    entries.filter(|entry| !entry.is_empty()).collect()
}

impl Proxy {
    /// Parses a proxy's URL; without a scheme it is HTTP, as in requests.
    fn parse(text: &str) -> Self {
        let unusable = |why: &str| Self {
            host: String::new(),
            port: 0,
            authorization: None,
            unusable: Some(why.to_owned()),
        };
        let url = if text.contains("://") {
            Url::parse(text)
        } else {
            Url::parse(&format!("http://{text}"))
        };
        // The URL is not printed: it may hold a password.
        let Ok(url) = url else { return unusable("its URL cannot be read") };
        if url.scheme() != "http" {
            let scheme = url.scheme();
            return unusable(&format!(
                "its URL begins with {scheme}://; ldctl supports only http:// proxies"
            ));
        }
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return unusable("its URL has no host");
        };
        Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port_or_known_default().unwrap_or(80),
            authorization: url_credentials(&url),
            unusable: None,
        }
    }

    /// Checks that it can be used.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        match &self.unusable {
            Some(why) => Err(Fault::Proxy(format!("cannot be used: {why}"))),
            None => Ok(()),
        }
    }

    /// A failure on the way to it, attributed to it instead of the target.
    pub(crate) fn failed(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Connection(ConnectionFault::Own(_) | ConnectionFault::Deadline) => fault,
            fault => Fault::Proxy(format!("{self}: {fault}")),
        }
    }

    /// Writes a request in the form for a proxy.
    pub(crate) fn write(&self, origin: &Origin, request: &Request, out: &mut Vec<u8>) {
        let (method, rest) = request.around_target();
        out.clear();
        out.extend_from_slice(method);
        out.extend_from_slice(b"http://");
        out.extend_from_slice(origin.authority.as_bytes());
        out.extend_from_slice(request.target().as_bytes());
        out.extend_from_slice(VERSION);
        self.authorize(out);
        out.extend_from_slice(rest);
    }

    /// Opens a tunnel to an origin.
    pub(crate) async fn tunnel(&self, stream: &mut Stream, origin: &Origin) -> Result<(), Fault> {
        let host = if origin.host.contains(':') {
            format!("[{}]:{}", origin.host, origin.port)
        } else {
            format!("{}:{}", origin.host, origin.port)
        };
        let mut out = format!(
            "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ldctl/{}\r\n",
            env!("CARGO_PKG_VERSION")
        )
        .into_bytes();
        self.authorize(&mut out);
        out.extend_from_slice(b"\r\n");
        let io = |error: std::io::Error| self.failed(ConnectionFault::of_io(&error).into());
        stream.write_all(&out).await.map_err(io)?;
        stream.flush().await.map_err(io)?;
        let mut head = Vec::new();
        // The target sends nothing before the client does: everything received belongs to the head.
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if head.len() > MAX_HEAD || stream.read_buf(&mut head).await.map_err(io)? == 0 {
                return Err(self.failed(ConnectionFault::Closed.into()));
            }
        }
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut reply = httparse::Response::new(&mut headers);
        match reply.parse(&head).map(|_| reply.code) {
            Ok(Some(200..=299)) => Ok(()),
            Ok(Some(status)) => Err(Fault::Proxy(format!(
                "{self} refuses a tunnel to {host}: {}",
                status_text(status)
            ))),
            _ => Err(self.failed(Fault::Malformed("its response to CONNECT"))),
        }
    }

    fn authorize(&self, out: &mut Vec<u8>) {
        if let Some(authorization) = &self.authorization {
            out.extend_from_slice(b"Proxy-Authorization: ");
            out.extend_from_slice(authorization.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Proxies {
        Proxies::of_environment(|name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn towards(proxies: &Proxies, url: &str) -> Option<String> {
        let (origin, _) = Origin::split(url).expect("a URL");
        proxies.towards(&origin).map(|proxy| match &proxy.unusable {
            Some(why) => why.clone(),
            None => proxy.to_string(),
        })
    }

    #[test]
    fn the_environment_is_read_as_in_requests() {
        for (pairs, url, expected) in [
            (&[("http_proxy", "http://p:1")][..], "http://h/", Some("p:1")),
            (&[("HTTP_PROXY", "http://p:1")], "http://h/", Some("p:1")),
            (&[("http_proxy", "low:1"), ("HTTP_PROXY", "up:1")], "http://h/", Some("low:1")),
            (&[("http_proxy", ""), ("HTTP_PROXY", "up:1")], "http://h/", None),
            (&[("http_proxy", "p:1")], "https://h/", None),
            (&[("https_proxy", "p:1")], "https://h/", Some("p:1")),
            (&[("all_proxy", "a:1"), ("http_proxy", "p:1")], "https://h/", Some("a:1")),
            (&[("ALL_PROXY", "a:1"), ("http_proxy", "p:1")], "http://h/", Some("p:1")),
            (&[("http_proxy", "http://[::1]:3128/")], "http://h/", Some("[::1]:3128")),
            (
                &[("all_proxy", "socks5://s:1")],
                "http://h/",
                Some("its URL begins with socks5://; ldctl supports only http:// proxies"),
            ),
        ] {
            let found = towards(&environment(pairs), url);
            assert_eq!(found.as_deref(), expected, "{pairs:?} {url}");
        }
    }

    #[test]
    fn no_proxy_names_hosts_domains_ports_and_networks() {
        for (no_proxy, url, direct) in [
            ("*", "http://h/", true),
            ("", "http://h/", false),
            ("h", "http://h/", true),
            ("H", "http://h/", true),
            ("example.com", "http://www.example.com/", true),
            (".example.com", "http://www.example.com/", true),
            (".example.com", "http://example.com/", true),
            ("example.com", "http://example.org/", false),
            ("a, example.com ,b", "http://example.com/", true),
            ("example.com:8080", "http://example.com:8080/", true),
            ("example.com:8080", "http://example.com/", false),
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("10.1.2.3", "http://10.1.2.3/", true),
            ("2.3", "http://10.1.2.3/", false),
            ("::1", "http://[::1]/", true),
            ("fd00::/8", "http://[fd00::1]/", true),
        ] {
            let proxies = environment(&[("all_proxy", "p:1"), ("no_proxy", no_proxy)]);
            assert_eq!(towards(&proxies, url).is_none(), direct, "{no_proxy}: {url}");
        }
    }

    #[test]
    fn a_document_names_proxies_for_all_requests_or_by_scheme() {
        let read = |json: &str| {
            let value = Value::parse(json).expect("JSON");
            Proxies::read(&Reader::at(&value, "/proxy")).map_err(|invalid| invalid.to_string())
        };
        let all = read(r#""http://u:p@p:1""#).expect("proxies");
        assert_eq!(towards(&all, "https://h/").as_deref(), Some("p:1"));
        assert!(!format!("{all:?}").contains("u:p"), "{all:?}");
        assert_eq!(read("false").expect("proxies"), Proxies::default());
        let one = read(r#"{"https": "s:1", "no_proxy": "near"}"#).expect("proxies");
        assert_eq!(towards(&one, "https://h/").as_deref(), Some("s:1"));
        assert_eq!(towards(&one, "https://near/"), None);
        assert_eq!(towards(&one, "http://h/"), None);
        for json in ["true", "1", r#""u:p@p:1""#, r#""socks5://p:1""#, r#"{"ftp": "p:1"}"#] {
            let refusal = read(json).expect_err(json);
            assert!(refusal.starts_with("/proxy"), "{refusal}");
        }
    }
}
