//! The URL of a task. Most are known from the document, except for placeholders in their path; one
//! that begins with a placeholder may turn out to be absolute, or a reference: a path from a file,
//! a link from a response. A value never redirects a request to a host other than the one it names.

use super::fault::Fault;
use super::reference::resolve;
use crate::load::template::{Compiler, Draft, Linker, Scope, Slot, Template, Text};
use crate::value::Invalid;

/// A task's URL with its placeholders.
#[derive(Debug)]
pub(crate) struct Address<T = Template> {
    url: T,
    /// The base for a URL that begins with a placeholder.
    base: Option<T>,
    /// Additional query parameters for a URL with placeholders.
    query: Option<T>,
}

impl Address<Draft> {
    /// Parses a URL of a document, with its base if it is relative, and additional query
    /// parameters.
    pub(super) fn read(
        written: &str,
        base: &str,
        query: Option<Draft>,
        compiler: &mut Compiler,
    ) -> Self {
        let query = query.filter(|query| !query.is_empty());
        let base = compiler.template(base.trim_end_matches('/'));
        let url = compiler.template(written);
        let address = if written.starts_with("${") {
            Self { url, base: Some(base), query }
        } else if is_absolute(written) {
            Self { url, base: None, query }
        } else {
            let mut whole = base;
            whole.push_literal(slash_before(written));
            whole.push(url);
            Self { url: whole, base: None, query }
        };
        address.settled()
    }

    /// Links the URL.
    pub(super) fn link(self, linker: &mut Linker<'_>) -> Result<Address, Invalid> {
        let mut link = |text: Option<Draft>| text.map(|text| text.link(linker)).transpose();
        let (base, query) = (link(self.base)?, link(self.query)?);
        Ok(Address { url: self.url.link(linker)?, base, query }.settled())
    }
}

impl<H> Address<Text<H>> {
    /// Combines the parts that have no placeholders left.
    fn settled(self) -> Self {
        let Self { mut url, mut base, mut query } = self;
        if let Some(text) = url.as_literal()
            && let Some(base) = base.take()
        {
            let text = text.trim_matches(is_blank);
            // A placeholder without a value is refused when the host is parsed.
            let mut whole = if may_be_reference(text) { base } else { Text::default() };
            if !whole.is_empty() {
                whole.push_literal(slash_before(text));
            }
            whole.push_literal(text);
            url = whole;
        }
        if let Some(text) = url.as_literal()
            && let Some(query) = query.take()
        {
            let (before, fragment) = text.split_at(text.find('#').unwrap_or(text.len()));
            let mut whole = Text::literal(before);
            whole.push_literal(before_query(before));
            whole.push(query);
            whole.push_literal(fragment);
            url = whole;
        }
        Self { url, base, query }
    }

    /// The URL, if it is constant.
    pub(super) fn as_literal(&self) -> Option<&str> {
        self.url.as_literal().filter(|_| self.base.is_none())
    }
}

impl Address {
    /// The URL without the additional query parameters.
    pub(super) fn template(&self) -> &Template {
        &self.url
    }

    /// Returns the variable that may hold a link from a response, if the URL begins with one.
    pub(super) fn link_variable(&self) -> Option<Slot> {
        self.base.as_ref().and_then(|_| self.url.leading_variable())
    }

    /// Returns the URL of this execution, or whatever the placeholders produced. `pages` are the
    /// pages that variables were extracted from.
    pub(super) fn fill(&self, scope: &mut Scope, pages: &[(Slot, String)]) -> String {
        let mut url = Vec::with_capacity(128);
        self.url.fill(scope, &mut url);
        let mut url = text(url);
        url.truncate(url.trim_end_matches(is_blank).len());
        let blanks = url.len() - url.trim_start_matches(is_blank).len();
        url.drain(..blanks);
        if let Some(base) = &self.base
            && may_be_reference(&url)
        {
            let variable = self.url.leading_variable();
            let page = pages.iter().find(|(known, _)| Some(*known) == variable);
            url = match page {
                Some((_, page)) => resolve(page, &url),
                None => behind(base.text(scope), &url),
            };
        }
        match &self.query {
            Some(query) => with_query(url, query, scope),
            None => url,
        }
    }

    /// Refuses a URL from a placeholder with characters that no URL contains, and those that URL
    /// parsers interpret as different hosts and paths.
    pub(super) fn check(&self, url: &str) -> Result<(), Fault> {
        if self.base.is_none() {
            return Ok(());
        }
        let controls = url.bytes().any(|byte| byte.is_ascii_control());
        let backslash = memchr::memchr(b'\\', url.as_bytes()).is_some_and(|at| {
            let query = memchr::memchr2(b'?', b'#', url.as_bytes());
            query.is_none_or(|query| at < query)
        });
        if controls || backslash {
            let why = "a control character or a backslash in it".to_owned();
            return Err(Fault::Url { url: url.to_owned(), why });
        }
        Ok(())
    }
}

/// Appends a relative URL to a base, as for one in the document. `//host` names another host.
fn behind(mut base: String, relative: &str) -> String {
    if relative.starts_with("//") {
        return resolve(&base, relative);
    }
    base.truncate(base.trim_end_matches('/').len());
    base + slash_before(relative) + relative
}

/// The separator between a base without a trailing slash and a relative URL.
fn slash_before(relative: &str) -> &'static str {
    if relative.starts_with(['/', '?', '#']) { "" } else { "/" }
}

/// Whether it begins with `http://` or `https://`.
pub(super) fn is_absolute(url: &str) -> bool {
    let begins =
        |with: &str| url.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    begins("http://") || begins("https://")
}

/// Whether a text that was filled in is relative to a page or a host. An empty text is not, nor one
/// that has its own scheme or begins with a host and a port (RFC 3986, section 4.2).
fn may_be_reference(text: &str) -> bool {
    if is_absolute(text) {
        return false;
    }
    let begin = text.split(['/', '?', '#']).next().unwrap_or_default();
    !text.is_empty() && !begin.contains(':') && !text.starts_with("${")
}

/// The URL standard's C0 controls and the space, which are allowed around a URL.
pub(super) fn is_blank(character: char) -> bool {
    character <= ' '
}

/// The separator between a URL without a fragment and additional query parameters, as in requests.
fn before_query(url: &str) -> &'static str {
    match url.find('?') {
        None => "?",
        Some(at) if at + 1 == url.len() => "",
        Some(_) => "&",
    }
}

/// Adds parameters to a URL's query, before the fragment.
fn with_query(mut url: String, query: &Template, scope: &mut Scope) -> String {
    let fragment = url.find('#').map(|at| url.split_off(at));
    let (before, length) = (before_query(&url), url.len());
    let mut url = url.into_bytes();
    url.extend_from_slice(before.as_bytes());
    query.fill(scope, &mut url);
    if url.len() == length + before.len() {
        url.truncate(length);
    }
    text(url) + fragment.as_deref().unwrap_or_default()
}

/// Bytes from templates as text: placeholders hold text, so nothing is lost here.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::load::template::{Bindings, Space};
    use crate::protocol::http::target::Origin;

    /// The URL filled in for `${v}` with this `value`, which was extracted from `page`.
    fn filled(
        written: &str,
        value: &str,
        query: &str,
        page: Option<&str>,
    ) -> Result<String, Fault> {
        let bindings = Bindings {
            variable: &|name| (name == "v").then(|| value.to_owned()),
            environment: &|name| (name == "E").then(|| value.to_owned()),
            ..Bindings::NONE
        };
        let mut compiler = Compiler::default();
        let query = compiler.template(query);
        let address = Address::read(written, "http://h:8080/api/", Some(query), &mut compiler);
        let slot = compiler.slot(Space::Var, "v");
        let pages: Vec<_> = page.map(|page| (slot, page.to_owned())).into_iter().collect();
        let mut linker = Linker::new(compiler, bindings);
        let address = address.link(&mut linker).expect("no file");
        let mut scope = Scope::new(&Arc::new(linker.names()), 7);
        let url = match address.as_literal() {
            Some(url) => url.to_owned(),
            None => address.fill(&mut scope, &pages),
        };
        address.check(&url)?;
        Origin::split(&url).map(|_| url.clone())
    }

    #[test]
    fn additional_query_parameters_are_inserted_before_the_fragment() {
        for (url, query, want) in [
            ("/p", "a=1", "/p?a=1"),
            ("/p#top", "a=1", "/p?a=1#top"),
            ("/p?x=1#top", "a=1", "/p?x=1&a=1#top"),
            ("/p#a?b", "a=1", "/p?a=1#a?b"),
            ("/p?", "a=1", "/p?a=1"),
            ("/p?x=1&", "a=1", "/p?x=1&&a=1"),
            ("/p?a?", "a=1", "/p?a?&a=1"),
            ("?x", "a=1", "?x&a=1"),
            ("#top", "a=1", "?a=1#top"),
            ("/p#top", "", "/p#top"),
            ("/p", "${v}", "/p?a=1"),
            ("/p#top", "${v}", "/p?a=1#top"),
            ("/${v}#top", "a=1", "/a=1?a=1#top"),
            ("/p?${v}#top", "${v}", "/p?a=1&a=1#top"),
        ] {
            let want = format!("http://h:8080/api{want}");
            assert_eq!(filled(url, "a=1", query, None), Ok(want), "{url} {query}");
        }
        let made = |url, value, query| filled(url, value, query, None).expect("a URL");
        assert_eq!(made("${v}", "/p?x#top", "a=1"), "http://h:8080/api/p?x&a=1#top");
        assert_eq!(made("${env.E}", "/p?x#top", "a=1"), "http://h:8080/api/p?x&a=1#top");
    }

    #[test]
    fn a_value_is_a_url_a_link_on_its_page_or_a_path_on_the_host() {
        let page = Some("http://u:p@other/dir/page?x");
        for (value, on_page, behind_host) in [
            ("http://third/a b", "http://third/a b", "http://third/a b"),
            (" HTTPS://third/a\n", "HTTPS://third/a", "HTTPS://third/a"),
            ("/next", "http://u:p@other/next", "http://h:8080/api/next"),
            ("\t/next ", "http://u:p@other/next", "http://h:8080/api/next"),
            ("next", "http://u:p@other/dir/next", "http://h:8080/api/next"),
            ("../next", "http://u:p@other/next", "http://h:8080/api/../next"),
            ("?page=2", "http://u:p@other/dir/page?page=2", "http://h:8080/api?page=2"),
            ("//third/a", "http://third/a", "http://third/a"),
            ("/a:b", "http://u:p@other/a:b", "http://h:8080/api/a:b"),
            ("/a?b\\c", "http://u:p@other/a?b\\c", "http://h:8080/api/a?b\\c"),
        ] {
            assert_eq!(filled("${v}", value, "", page).as_deref(), Ok(on_page), "{value:?}");
            assert_eq!(filled("${v}", value, "", None).as_deref(), Ok(behind_host), "{value:?}");
        }
        assert_eq!(filled("${env.E}", " /a ", "", page), Ok("http://h:8080/api/a".to_owned()));
        assert_eq!(filled("${env.E}", " http://e/ ", "", page), Ok("http://e/".to_owned()));
    }

    #[test]
    fn a_value_that_could_be_parsed_as_another_host_is_refused() {
        let refused = |written: &str, value: &str| {
            let texts = [None, Some("http://other/")].map(|page| {
                filled(written, value, "", page)
                    .map_err(|fault| fault.to_string())
                    .expect_err(value)
            });
            assert_eq!(texts[0].split(": ").last(), texts[1].split(": ").last());
            texts[0].rsplit_once("\": ").expect("why").1.to_owned()
        };
        let expected = "expected http:// or https://";
        let in_it = "a control character or a backslash in it";
        let in_host = "a blank, a control character or a backslash in its host";
        for (value, why) in [
            ("", expected),
            ("mailto:a@b", expected),
            ("javascript:void(0)", expected),
            ("ftp://third/", expected),
            ("third:80/a", expected),
            ("127.0.0.1:80/a", expected),
            ("http:/a", expected),
            ("http://third\\@fourth/", in_it),
            ("http://third/\n/a", in_it),
            ("/\\third/a", in_it),
            ("\\\\third\\a", in_it),
            ("/a\tb", in_it),
            ("/a?b\r\nc", in_it),
            ("http://third /a", in_host),
            ("http://third @fourth/a", in_host),
            ("http://", "empty host"),
        ] {
            assert_eq!(refused("${v}", value), why, "{value:?}");
        }
        for value in ["third\n", "third ", "third\\@fourth", "third\t.fourth", "\u{0}"] {
            assert_eq!(refused("http://${v}/a", value), in_host, "{value:?}");
        }
        assert_eq!(refused("${nope}/a", ""), expected);
    }

    proptest! {
        #[test]
        fn a_path_from_a_placeholder_stays_on_its_host(value in "[^:]{0,20}", query in "[a-z&=?/]{0,5}") {
            prop_assume!(!value.trim_start_matches(is_blank).starts_with("//"));
            for (written, page) in [("${v}", None), ("${v}", Some("http://h:8080/a")), ("/${v}", None)] {
                if let Ok(url) = filled(written, &value, &query, page) {
                    let (origin, _) = Origin::split(&url).expect("a URL");
                    prop_assert_eq!((&*origin.host, origin.port), ("h", 8080));
                }
            }
        }
    }
}
