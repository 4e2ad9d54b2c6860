//! A user's cookies: kept from responses, within limits, and sent with the requests they belong to.

use cookie_store::CookieStore;
use url::Url;

use super::Attempt;
use super::target::Origin;

/// How many cookies a user keeps, and how long each may be (RFC 6265, section 6.1, asks for at least
/// 50 per domain and 4096 bytes). A target that sets ever new ones must not fill the memory.
const MAX_COOKIES: usize = 256;
const MAX_COOKIE_BYTES: usize = 4096;

impl Attempt<'_> {
    pub(super) fn keep_cookies(&mut self, url: &Url) {
        if self.user.answer.cookies.is_empty() {
            return;
        }
        let jar = self.user.jar.get_or_insert_default();
        let mut room = MAX_COOKIES.saturating_sub(jar.iter_any().count());
        for cookie in self.user.answer.cookies.drain(..) {
            if room == 0 {
                jar.clear();
                room = MAX_COOKIES;
            }
            room -= 1;
            if cookie.len() <= MAX_COOKIE_BYTES {
                // One that cannot be read, or is not for this host, is left out, as browsers do.
                let _ = jar.parse(&cookie, url);
            }
        }
    }
}

/// The cookies that a jar holds for a URL, as a `Cookie` header has them.
pub(super) fn cookies(jar: Option<&CookieStore>, origin: &Origin, rest: &str) -> Option<String> {
    let jar = jar?;
    let url = origin.url(rest)?;
    let mut cookies = String::new();
    // The store takes loopback for secure; whoever marks a cookie does not.
    let sent = jar.matches(&url).into_iter().filter(|cookie| origin.tls || !secure(cookie));
    for (name, value) in sent.map(|cookie| cookie.name_value()) {
        if !cookies.is_empty() {
            cookies.push_str("; ");
        }
        cookies.push_str(name);
        cookies.push('=');
        cookies.push_str(value);
    }
    (!cookies.is_empty()).then_some(cookies)
}

fn secure(cookie: &cookie_store::Cookie<'_>) -> bool {
    cookie.secure().unwrap_or(false)
}
