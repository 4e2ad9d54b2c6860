//! Resolution of references on the text, as in RFC 3986, section 5.2: what a target writes into a
//! `Location` or a link is requested with the same bytes. The URL standard of browsers would
//! rewrite escapes, backslashes and line breaks.

use super::target::without_dots;

/// Resolves a reference on a page; `base` is absolute and has a host.
pub(super) fn resolve(base: &str, reference: &str) -> String {
    let page = Parts::of(base);
    let mut parts = Parts::of(reference);
    if let Some(scheme) = parts.scheme
        && parts.authority.is_none()
        && page.scheme.is_some_and(|known| known.eq_ignore_ascii_case(scheme))
    {
        // `http:path`, from before RFC 3986 and still in use (section 5.2.2).
        parts.scheme = None;
    }
    let absolute = parts.scheme.is_some();
    let path = if absolute || parts.authority.is_some() || parts.path.starts_with('/') {
        plain(parts.path)
    } else if parts.path.is_empty() {
        parts.query = parts.query.or(page.query);
        page.path.to_owned()
    } else {
        let folder = page.path.rfind('/').map_or("/", |at| page.path.get(..=at).unwrap_or("/"));
        plain(&format!("{folder}{}", parts.path))
    };
    if !absolute {
        parts.authority = parts.authority.or(page.authority);
        parts.scheme = page.scheme;
    }
    let mut url = String::with_capacity(base.len() + reference.len());
    let mut part = |before: &str, text: Option<&str>, after: &str| {
        if let Some(text) = text {
            url.extend([before, text, after]);
        }
    };
    part("", parts.scheme, ":");
    part("//", parts.authority, "");
    part("", Some(&path), "");
    part("?", parts.query, "");
    part("#", parts.fragment, "");
    url
}

fn plain(path: &str) -> String {
    if path.starts_with('/') { without_dots(path) } else { path.to_owned() }
}

/// A reference in its five parts, each without its delimiters (RFC 3986, appendix B).
#[derive(Debug, Clone, Copy)]
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (text, fragment) = cut(text, '#');
        let (text, query) = cut(text, '?');
        let scheme = text.split_once(':').map(|(scheme, _)| scheme).filter(|text| is_scheme(text));
        let text = scheme.map_or(text, |scheme| text.get(scheme.len() + 1..).unwrap_or_default());
        let (authority, path) = match text.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, text),
        };
        Self { scheme, authority, path, query, fragment }
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_resolved_as_specified() {
        // RFC 3986, sections 5.4.1 and 5.4.2.
        for (reference, want) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"),
            ("g#s", "http://a/b/c/g#s"),
            ("g?y#s", "http://a/b/c/g?y#s"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y#s"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/./x", "http://a/b/c/g#s/./x"),
            ("g#s/../x", "http://a/b/c/g#s/../x"),
            ("http:g", "http://a/b/c/g"),
        ] {
            assert_eq!(resolve("http://a/b/c/d;p?q", reference), want, "{reference:?}");
        }
    }

    #[test]
    fn a_resolved_reference_keeps_its_bytes_and_the_host_and_user_of_the_page() {
        for (base, reference, want) in [
            ("http://u:p@h:8080/a/b", "c", "http://u:p@h:8080/a/c"),
            ("http://u:p@h:8080/a/b", "//other/c", "http://other/c"),
            ("http://h", "c", "http://h/c"),
            ("http://h", "?q", "http://h?q"),
            ("http://h?q", "c", "http://h/c"),
            ("https://h/a", "HTTPS:/b", "https://h/b"),
            ("https://h/a", "http://h/b/../c", "http://h/c"),
            ("http://h/a", "/caf\u{e9}?\u{e9}=%c3%A9%zz%", "http://h/caf\u{e9}?\u{e9}=%c3%A9%zz%"),
            ("http://h/a", "/%2e%2e/b", "http://h/%2e%2e/b"),
            ("http://h/a", "\\\\other\\x", "http://h/\\\\other\\x"),
            ("http://h/a", "/\\other", "http://h/\\other"),
            ("http://h/a/b", "c:d/e", "c:d/e"),
            ("http://h/a/b", "127.0.0.1:80/e", "http://h/a/127.0.0.1:80/e"),
            ("http://h/a", "b?c:d//e", "http://h/b?c:d//e"),
            ("http://h/a?q", "#\u{e9}", "http://h/a?q#\u{e9}"),
            ("http://h/a/", "..//b", "http://h//b"),
        ] {
            assert_eq!(resolve(base, reference), want, "{reference:?} on {base}");
        }
    }

    proptest! {
        #[test]
        fn a_path_never_leads_to_another_host(path in "[^:/?#][^:]{0,20}", page in "(/[a-c.]{0,3}){0,4}") {
            let url = resolve(&format!("http://u@h:1{page}"), &path);
            prop_assert!(url.starts_with("http://u@h:1/"), "{url}");
        }

        #[test]
        fn resolving_a_resolved_reference_changes_nothing(reference in "\\PC{0,30}") {
            let once = resolve("http://h/a/b?c", &reference);
            prop_assert_eq!(resolve("http://other/x", &once), once.clone());
        }
    }
}
