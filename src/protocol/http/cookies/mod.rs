//! A user's cookies, as RFC 6265bis prescribes for browsers: taken from responses, within limits,
//! and sent back to the hosts and paths they belong to, byte for byte. The jar holds them in the
//! order they are sent. `SameSite` and `HttpOnly` have no meaning here: a load test has no scripts
//! and no other site.

mod date;
mod parse;

use std::net::IpAddr;
use std::time::SystemTime;

use psl::Psl as _;

use self::parse::SetCookie;
use super::target::Origin;

/// How many cookies a user keeps: a target that keeps setting new ones must not fill the memory.
const MAX_COOKIES: usize = 256;

/// How many cookies of one domain displace others (RFC 6265, section 6.1, asks for 50).
const MAX_OF_DOMAIN: usize = 50;

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The parts of a request that matter for cookies.
#[derive(Debug, Clone, Copy)]
struct Site<'a> {
    secure: bool,
    /// In lower case; an address without brackets.
    host: &'a str,
    path: &'a [u8],
}

impl<'a> Site<'a> {
    /// `target` is the target of the request line.
    fn new(origin: &'a Origin, target: &'a [u8]) -> Self {
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        Self { secure: origin.tls, host: &origin.host, path }
    }

    /// The default path of a cookie (RFC 6265, section 5.1.4): the folder of the page.
    fn folder(&self) -> &'a [u8] {
        let end = memchr::memrchr(b'/', self.path).unwrap_or(0);
        self.path.get(..end).filter(|folder| folder.starts_with(b"/")).unwrap_or(b"/")
    }
}

/// A user's cookies: longer paths first, then in the order of their creation (RFC 6265, section
/// 5.4).
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
    /// A clock that advances when a cookie is set or sent.
    clock: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Cookie {
    /// `name=value`, as it is sent; only the value if there is no name.
    pair: Box<[u8]>,
    /// The length of the name.
    name: usize,
    domain: Box<str>,
    /// Whether it is only for that host, not for its subdomains.
    host_only: bool,
    path: Box<[u8]>,
    secure: bool,
    /// In milliseconds since 1970.
    expires: Option<i64>,
    /// When it was created, and when it was last set or sent, on the jar's clock.
    created: u64,
    used: u64,
}

impl Jar {
    /// Stores the cookies of the `Set-Cookie` lines of a response; `target` is that of the request.
    pub(super) fn set_all(
        &mut self,
        lines: impl Iterator<Item = Vec<u8>>,
        origin: &Origin,
        target: &[u8],
    ) {
        let (site, now) = (Site::new(origin, target), now());
        for line in lines {
            self.set(&line, &site, now);
        }
    }

    /// What it holds, in bytes.
    pub(super) fn weight(&self) -> usize {
        let texts = self.cookies.iter().map(|cookie| {
            cookie.pair.len() + cookie.domain.len() + cookie.path.len() + size_of::<Cookie>()
        });
        texts.sum()
    }

    /// The value of the `Cookie` header for a request.
    pub(super) fn header_for(&mut self, origin: &Origin, target: &[u8]) -> Option<Vec<u8>> {
        self.header(&Site::new(origin, target), now())
    }

    /// Stores the cookie of a `Set-Cookie` line in a response from `site`. A cookie that `site` may
    /// not set is ignored, as in browsers.
    fn set(&mut self, line: &[u8], site: &Site<'_>, now: i64) {
        let Some(set) = SetCookie::parse(line) else { return };
        let Some((domain, host_only)) = domain(set.domain, site.host) else { return };
        if (set.secure && !site.secure) || !keeps_its_prefix(&set) {
            return;
        }
        self.clock += 1;
        let path = set.path.unwrap_or_else(|| site.folder());
        let equals: &[u8] = if set.name.is_empty() { b"" } else { b"=" };
        let expires = match set.max_age {
            Some(seconds) if seconds <= 0 => Some(i64::MIN),
            Some(seconds) => Some(now.saturating_add(seconds.saturating_mul(1000))),
            None => set.expires.map(|seconds| seconds.saturating_mul(1000)),
        };
        let cookie = Cookie {
            pair: [set.name, equals, set.value].concat().into(),
            name: set.name.len(),
            domain: domain.into(),
            host_only,
            path: path.into(),
            secure: set.secure,
            expires,
            created: self.clock,
            used: self.clock,
        };
        self.keep(cookie, site, now);
    }

    fn keep(&mut self, cookie: Cookie, site: &Site<'_>, now: i64) {
        // A cookie that was set over TLS and is only sent over TLS is not replaced over a plain
        // connection, which anyone could forge.
        let covered = |known: &Cookie| {
            known.secure
                && known.name() == cookie.name()
                && (is_within(&known.domain, &cookie.domain)
                    || is_within(&cookie.domain, &known.domain))
                && is_below(&cookie.path, &known.path)
        };
        if !site.secure && self.cookies.iter().any(covered) {
            return;
        }
        self.cookies.retain(|known| known.lives(now));
        let known = self.cookies.iter().position(|known| known.is_same(&cookie));
        match known {
            Some(at) if cookie.lives(now) => {
                if let Some(known) = self.cookies.get_mut(at) {
                    *known = Cookie { created: known.created, ..cookie };
                }
            }
            Some(at) => drop(self.cookies.remove(at)),
            None if cookie.lives(now) => {
                if self.cookies.len() >= MAX_COOKIES {
                    self.evict(&cookie.domain);
                }
                let length = cookie.path.len();
                let at = self.cookies.partition_point(|known| known.path.len() >= length);
                self.cookies.insert(at, cookie);
            }
            None => {}
        }
    }

    /// Makes room for a cookie of a domain: from the domain itself if it has more than its share,
    /// otherwise from all; evicts the least recently used one.
    fn evict(&mut self, domain: &str) {
        let own = self.cookies.iter().filter(|known| *known.domain == *domain).count();
        let all = own < MAX_OF_DOMAIN;
        let candidates = self.cookies.iter().enumerate();
        let oldest = candidates
            .filter(|(_, known)| all || *known.domain == *domain)
            .min_by_key(|(_, known)| (known.used, known.created))
            .map(|(at, _)| at);
        if let Some(at) = oldest {
            self.cookies.remove(at);
        }
    }

    /// The value of the `Cookie` header of a request, if there are cookies for it.
    fn header(&mut self, site: &Site<'_>, now: i64) -> Option<Vec<u8>> {
        self.clock += 1;
        let mut header = Vec::new();
        for cookie in self.cookies.iter_mut().filter(|cookie| cookie.goes_to(site, now)) {
            cookie.used = self.clock;
            if !header.is_empty() {
                header.extend_from_slice(b"; ");
            }
            header.extend_from_slice(&cookie.pair);
        }
        (!header.is_empty()).then_some(header)
    }
}

impl Cookie {
    fn name(&self) -> &[u8] {
        self.pair.get(..self.name).unwrap_or_default()
    }

    /// Whether one replaces the other.
    fn is_same(&self, other: &Self) -> bool {
        self.name() == other.name()
            && (&self.domain, self.host_only, &self.path)
                == (&other.domain, other.host_only, &other.path)
    }

    fn lives(&self, now: i64) -> bool {
        self.expires.is_none_or(|end| end > now)
    }

    fn goes_to(&self, site: &Site<'_>, now: i64) -> bool {
        let host = match self.host_only {
            true => *self.domain == *site.host,
            false => is_within(site.host, &self.domain),
        };
        host && is_below(site.path, &self.path) && (site.secure || !self.secure) && self.lives(now)
    }
}

/// The domain of a cookie that a host sets, and whether it is only for that host; `None` if the
/// host may not set it.
fn domain(asked: Option<&[u8]>, host: &str) -> Option<(String, bool)> {
    let Some(asked) = asked else { return Some((host.to_owned(), true)) };
    let asked = std::str::from_utf8(asked).ok()?.to_ascii_lowercase();
    if asked.trim_matches(['[', ']']) == host {
        return Some((host.to_owned(), is_public_suffix(host)));
    }
    (is_within(host, &asked) && !is_public_suffix(&asked)).then_some((asked, false))
}

/// Whether anyone can register names below this one (`com`, `co.uk`, `github.io`): by the public
/// suffix list, and for names it does not list, whether there is no dot.
fn is_public_suffix(domain: &str) -> bool {
    psl::List.suffix(domain.as_bytes()).is_some_and(|suffix| suffix.as_bytes() == domain.as_bytes())
}

/// RFC 6265, section 5.1.3: a host is within its own domain and its parent domains; an address has
/// none.
fn is_within(host: &str, domain: &str) -> bool {
    let below = |front: &str| front.ends_with('.') && host.parse::<IpAddr>().is_err();
    host.strip_suffix(domain).is_some_and(|front| front.is_empty() || below(front))
}

/// RFC 6265, section 5.1.4.
fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || folder.ends_with(b"/") || rest.starts_with(b"/"))
}

/// RFC 6265bis, section 4.1.3: the promises of a name prefix must be kept. A cookie without a name
/// must not look as if it had such a prefix.
fn keeps_its_prefix(set: &SetCookie<'_>) -> bool {
    let begins = |text: &[u8], prefix: &[u8]| {
        text.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
    };
    let (secure, host): (&[u8], &[u8]) = (b"__Secure-", b"__Host-");
    if set.name.is_empty() {
        return !begins(set.value, secure) && !begins(set.value, host);
    }
    let bound = || set.domain.is_none() && set.path == Some(b"/");
    (!begins(set.name, secure) || set.secure)
        && (!begins(set.name, host) || (set.secure && bound()))
}

#[cfg(test)]
mod tests;
