//! The destination of a request: a URL is split into an [`Origin`] (what a connection is made to)
//! and the path for the request line. Splitting must be cheap for URLs that are filled in per
//! request: an origin is parsed once per worker and then found by the text before the path.

use std::rc::Rc;

use base64::Engine as _;
use url::Url;

use super::fault::Fault;
use super::flavor::Flavor;
use crate::load::template::percent;

/// What a connection is made to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The URL up to its path, as in the document: `http://host:8080`.
    prefix: Box<str>,
    /// Whether to use TLS.
    pub(crate) tls: bool,
    /// The name or address to connect to; an IPv6 address without its brackets.
    pub(crate) host: Box<str>,
    /// The port to connect to.
    pub(crate) port: u16,
    /// The value of the `Host` header: without the scheme's default port.
    pub(crate) authority: Box<str>,
    /// `Basic …` from credentials in the URL.
    pub(crate) credentials: Option<Box<str>>,
}

impl Origin {
    /// Returns the origin and the rest (path, query, fragment) of an absolute URL.
    pub(crate) fn split(text: &str) -> Result<(Self, &str), Fault> {
        let invalid = |why: &str| Fault::Url { url: text.to_owned(), why: why.to_owned() };
        let scheme = text.find("://").ok_or_else(|| invalid("expected http:// or https://"))? + 3;
        let end = text
            .get(scheme..)
            .and_then(|rest| rest.find(['/', '?', '#']))
            .map_or(text.len(), |at| scheme + at);
        let (prefix, rest) = text.split_at(end);
        // A URL parser would skip or drop these characters, and so find another host.
        if prefix.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
            return Err(invalid("a blank, a control character or a backslash in its host"));
        }
        let url = Url::parse(prefix).map_err(|error| invalid(&error.to_string()))?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(invalid("expected http:// or https://")),
        };
        let host =
            url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| invalid("no host"))?;
        let port = url.port_or_known_default().unwrap_or(80);
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let credentials = url_credentials(&url);
        let origin = Self {
            prefix: prefix.into(),
            tls,
            host: host.trim_start_matches('[').trim_end_matches(']').into(),
            port,
            authority: authority.into(),
            credentials: credentials.map(Into::into),
        };
        Ok((origin, rest))
    }

    /// The rest of a URL with this origin, if it has it.
    pub(crate) fn rest<'a>(&self, url: &'a str) -> Option<&'a str> {
        let rest = url.strip_prefix(&*self.prefix)?;
        (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest)
    }

    /// The URL of a path at this origin, with the user of the URL it was parsed from.
    pub(crate) fn url(&self, rest: &str) -> String {
        let slash = if rest.starts_with('/') { "" } else { "/" };
        format!("{}{slash}{rest}", self.prefix)
    }

    /// Whether credentials may follow a redirect from here to `other`: to the same origin, or from
    /// http to https on the same host.
    pub(crate) fn trusts(&self, other: &Self) -> bool {
        let same = self.tls == other.tls && self.port == other.port;
        let upgrade = !self.tls && self.port == 80 && other.tls && other.port == 443;
        self.host == other.host && (same || upgrade)
    }
}

/// The origins that a worker has seen. A test has few; one that produces more than this is not
/// slowed down by searching all of them.
#[derive(Debug, Default)]
pub(crate) struct Origins(Vec<Rc<Origin>>);

const MAX_ORIGINS: usize = 64;

impl Origins {
    /// Returns the origin and the rest of a URL.
    pub(crate) fn find<'a>(&mut self, url: &'a str) -> Result<(Rc<Origin>, &'a str), Fault> {
        for origin in &self.0 {
            if let Some(rest) = origin.rest(url) {
                return Ok((Rc::clone(origin), rest));
            }
        }
        let (origin, rest) = Origin::split(url)?;
        let origin = Rc::new(origin);
        if self.0.len() < MAX_ORIGINS {
            self.0.push(Rc::clone(&origin));
        }
        Ok((origin, rest))
    }
}

/// Writes the rest of a URL as a request target (RFC 9112, section 3.2.1) in the spelling of the
/// flavor's own client: the path is never empty, the fragment is removed, bytes that are not
/// allowed are percent-encoded, and unnecessary escapes are decoded.
pub(crate) fn write_target(rest: &str, flavor: Flavor, out: &mut Vec<u8>) {
    if !rest.starts_with('/') {
        out.push(b'/');
    }
    if is_as_sent(rest.as_bytes()) {
        // The usual case: nothing to encode or decode.
        out.extend_from_slice(rest.as_bytes());
        return;
    }
    let rest = rest.split('#').next().unwrap_or_default();
    if flavor != Flavor::Fast && rest.contains("/.") {
        write_bytes(&without_dots(rest), flavor, out);
    } else {
        write_bytes(rest, flavor, out);
    }
}

fn write_bytes(text: &str, flavor: Flavor, out: &mut Vec<u8>) {
    // A single `%` that begins no escape makes all of them literal.
    let escaped = text.split('%').skip(1).all(|part| hex_pair(part).is_some());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' if escaped => {
                let pair = [bytes.next().unwrap_or_default(), bytes.next().unwrap_or_default()];
                match std::str::from_utf8(&pair).ok().and_then(hex_pair) {
                    Some(byte) if is_unreserved(byte) => out.push(byte),
                    _ => {
                        out.push(b'%');
                        out.extend(pair);
                    }
                }
            }
            b'[' | b']' if flavor != Flavor::Fast => percent(byte, out),
            b'"'
            | b'<'
            | b'>'
            | b'\\'
            | b'^'
            | b'`'
            | b'{'
            | b'|'
            | b'}'
            | b'%'
            | 0..=b' '
            | 0x7f.. => {
                percent(byte, out);
            }
            _ => out.push(byte),
        }
    }
}

/// The byte of the two hexadecimal digits at the start of a text.
fn hex_pair(text: &str) -> Option<u8> {
    let pair = text.get(..2).filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(pair, 16).ok()
}

/// Whether a target is sent as it is, in every flavor.
#[inline]
fn is_as_sent(target: &[u8]) -> bool {
    let plain = |byte: &u8| PLAIN.get(usize::from(*byte)) == Some(&true);
    target.iter().all(plain)
        && memchr::memchr_iter(b'.', target)
            .all(|dot| dot.checked_sub(1).and_then(|before| target.get(before)) != Some(&b'/'))
}

/// By byte: whether it may be used unescaped in a request target, in every flavor.
#[expect(clippy::indexing_slicing, reason = "a constant that did not fit would not compile")]
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0u8;
    while byte < 0x80 {
        plain[byte as usize] = is_plain(byte);
        byte += 1;
    }
    plain
};

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'"' | b'#'
                | b'%'
                | b'<'
                | b'>'
                | b'['
                | b'\\'
                | b']'
                | b'^'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
        )
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Removes `.` and `..` from a path (RFC 3986, section 5.2.4); its query stays.
pub(super) fn without_dots(rest: &str) -> String {
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let mut pooled: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "." => {}
            ".." => drop(pooled.pop()),
            step => pooled.push(step),
        }
    }
    if pooled.first().is_none_or(|first| !first.is_empty()) {
        pooled.insert(0, "");
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        pooled.push("");
    }
    pooled.join("/") + query
}

/// `Basic …` for the user in a URL.
pub(super) fn url_credentials(url: &Url) -> Option<String> {
    let decode = |part: &str| percent_decode(part).unwrap_or_else(|| part.to_owned());
    let named = !url.username().is_empty();
    named.then(|| basic(&decode(url.username()), &decode(url.password().unwrap_or_default())))
}

/// The value of an `Authorization` header (RFC 7617): in Latin-1, as Python's clients send it, if
/// possible, otherwise in UTF-8.
pub(crate) fn basic(user: &str, password: &str) -> String {
    let pair = format!("{user}:{password}");
    let bytes = latin1(&pair).unwrap_or_else(|| pair.into_bytes());
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Encodes a text in Latin-1; `None` if a character is outside of it.
pub(super) fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

/// Decodes the percent-encoding of a text; `None` if it is malformed or not UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(rest: &str) -> String {
        spelled(rest, Flavor::Fast)
    }

    fn spelled(rest: &str, flavor: Flavor) -> String {
        let mut out = Vec::new();
        write_target(rest, flavor, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn a_url_is_split_into_origin_and_rest() {
        let (origin, rest) = Origin::split("http://u:p%40@h.example:8080/a?b#c").expect("a URL");
        assert_eq!((&*origin.host, origin.port, origin.tls), ("h.example", 8080, false));
        assert_eq!((&*origin.authority, rest), ("h.example:8080", "/a?b#c"));
        assert_eq!(origin.credentials.as_deref(), Some("Basic dTpwQA=="));
        let (origin, rest) = Origin::split("https://[::1]").expect("a URL");
        assert_eq!(
            (&*origin.host, origin.port, &*origin.authority, rest),
            ("::1", 443, "[::1]", "")
        );
        let mut origins = Origins::default();
        let (first, _) = origins.find("http://h/a").expect("a URL");
        let (second, rest) = origins.find("http://h?q").expect("a URL");
        assert!(Rc::ptr_eq(&first, &second));
        assert_eq!(rest, "?q");
        assert!(origins.find("http://h2/").is_ok_and(|(other, _)| !Rc::ptr_eq(&first, &other)));
    }

    #[test]
    fn the_error_for_an_invalid_url_says_why() {
        for (text, why) in [
            ("/relative", "invalid URL \"/relative\": expected http:// or https://"),
            ("ftp://h/", "invalid URL \"ftp://h/\": expected http:// or https://"),
            ("http:///x", "invalid URL \"http:///x\": empty host"),
            (
                "http://h\\@other/x",
                "invalid URL \"http://[redacted]@other/x\": a blank, a control character or a backslash in its host",
            ),
            (
                "http://h\n.other/",
                "invalid URL \"http://h\\n.other/\": a blank, a control character or a backslash in its host",
            ),
            (
                "http://h @other/",
                "invalid URL \"http://[redacted]@other/\": a blank, a control character or a backslash in its host",
            ),
            ("http://h:99999/", "invalid URL \"http://h:99999/\": invalid port number"),
        ] {
            assert_eq!(Origin::split(text).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn a_request_target_is_encoded_and_has_no_fragment() {
        assert_eq!(target("/p ath/é?q=a b&é=%20#frag"), "/p%20ath/%C3%A9?q=a%20b&%C3%A9=%20");
        assert_eq!(target("/${var.nope}"), "/$%7Bvar.nope%7D");
        assert_eq!(target(""), "/");
        assert_eq!(target("?a=1"), "/?a=1");
        assert_eq!(target("/a\r\nX: y"), "/a%0D%0AX:%20y");
        assert_eq!(target("/%41%2f%7e?x=%20"), "/A%2f~?x=%20");
        assert_eq!(target("/%41%zz%"), "/%2541%25zz%25");
        assert_eq!(target("/a/../b?q=[1]"), "/a/../b?q=[1]");
    }

    #[test]
    fn a_request_target_of_an_http_user_is_spelled_as_in_requests() {
        let target = |rest| spelled(rest, Flavor::Requests);
        assert_eq!(target("/a/../b/./c?d=/../[1]"), "/b/c?d=/../%5B1%5D");
        assert_eq!(target("/../../x/.."), "/");
        assert_eq!(target("/x/y/."), "/x/y/");
    }

    #[test]
    fn a_password_is_sent_in_latin_1_if_possible() {
        assert_eq!(basic("u", "p:é"), "Basic dTpwOuk=");
        assert_eq!(basic("u", "€"), "Basic dTrigqw=");
    }
}
