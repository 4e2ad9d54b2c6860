use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_700_000_000_000;

/// A page; only `https://` is secure.
fn site(url: &str) -> Site<'_> {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (host, path) = rest.split_at(rest.find('/').expect("a path"));
    Site { secure: scheme == "https", host, path: path.as_bytes() }
}

fn text(header: Option<Vec<u8>>) -> String {
    String::from_utf8(header.unwrap_or_default()).expect("text")
}

/// Checks which cookies of a page's lines are sent to another page.
fn check(page: &str, lines: &[&str], to: &str, want: &str) {
    let mut jar = Jar::default();
    for line in lines {
        jar.set(line.as_bytes(), &site(page), NOW);
    }
    assert_eq!(text(jar.header(&site(to), NOW)), want, "{lines:?} of {page} to {to}");
}

#[test]
fn cookies_are_sent_by_path_length_and_then_by_creation() {
    let page = "http://h.example.org/a/b/page";
    check(page, &["x=1", "y=2", "z=3"], page, "x=1; y=2; z=3");
    check(page, &["z=3", "x=1", "y=2"], page, "z=3; x=1; y=2");
    check(page, &["s=/; Path=/", "s=/a; Path=/a", "s=/a/b"], page, "s=/a/b; s=/a; s=/");
    check(page, &["s=1; Path=/a/", "s=2; Path=/a"], page, "s=1; s=2");
    check(page, &["s=2; Path=/a", "s=1; Path=/a/"], page, "s=1; s=2");
    let mixed = ["k=0", "k=1; Path=/a", "k=2; Path=/", "k=3; Path=/no", "k=4; Domain=example.org"];
    check(page, &mixed, page, "k=0; k=4; k=1; k=2");
}

#[test]
fn a_cookie_replaces_one_with_the_same_name_domain_and_path_in_place() {
    let page = "http://h.example.org/a";
    check(page, &["x=1", "y=2", "x=3"], page, "x=3; y=2");
    check(page, &["x=1", "X=2"], page, "x=1; X=2");
    check(page, &["x=1", "x=2; Path=/a"], page, "x=2; x=1");
    check(page, &["x=1", "x=2; Domain=h.example.org"], page, "x=1; x=2");
    check(page, &["x=1; Domain=h.example.org", "x=2; Domain=.H.example.ORG"], page, "x=2");
    check(page, &["x", "y", "=z"], page, "z");
    // An expired cookie that is set again is a new one.
    check(page, &["x=1", "y=2", "x=; Max-Age=0", "x=3"], page, "y=2; x=3");
}

#[test]
fn a_cookie_expires_by_max_age_or_otherwise_by_its_date() {
    let page = "http://h.example.org/";
    for (line, want) in [
        ("a=b; Max-Age=1", "a=b"),
        ("a=b; Max-Age=0", ""),
        ("a=b; Max-Age=-1", ""),
        ("a=b; Max-Age=99999999999999999999", "a=b"),
        ("a=b; Expires=Fri, 07 Aug 2099 08:04:19 GMT", "a=b"),
        ("a=b; Expires=Fri, 07-Aug-07 08:04:19 GMT", ""),
        ("a=b; Expires=Fri, 07 Aug 2007 08:04:19 GMT; Max-Age=60", "a=b"),
        ("a=b; Max-Age=0; Expires=Fri, 07 Aug 2099 08:04:19 GMT", ""),
        ("a=b; Expires=0", "a=b"),
        ("a=b; Expires=; Max-Age=", "a=b"),
    ] {
        check(page, &[line], page, want);
        let both = if want.is_empty() { "c=d" } else { "a=b; c=d" };
        check(page, &["a=0", "c=d", line], page, both);
    }
    let mut jar = Jar::default();
    jar.set(b"a=b; Max-Age=2", &site(page), NOW);
    assert_eq!(text(jar.header(&site(page), NOW + 1999)), "a=b");
    assert_eq!(text(jar.header(&site(page), NOW + 2000)), "");
}

#[test]
fn a_cookie_is_sent_to_its_path_and_those_below_it() {
    for (set_at, line, to, goes) in [
        ("/a/page", "x=1", "/a/other", true),
        ("/a/page", "x=1", "/a", true),
        ("/a/page", "x=1", "/a/b/c", true),
        ("/a/page", "x=1", "/ab", false),
        ("/a/page", "x=1", "/", false),
        ("/a/", "x=1", "/a", true),
        ("/page", "x=1", "/", true),
        ("/", "x=1; Path=/a", "/a", true),
        ("/", "x=1; Path=/a", "/a/", true),
        ("/", "x=1; Path=/a", "/ab", false),
        ("/", "x=1; Path=/a", "/A", false),
        ("/", "x=1; Path=/a/", "/a", false),
        ("/", "x=1; Path=/a/", "/a/b", true),
        ("/", "x=1; Path=/a/", "/a//b", true),
        ("/", "x=1; Path=/a?", "/a", false),
        ("/", "x=1; Path=/%61", "/a", false),
        ("/b/page", "x=1; Path=a", "/b/x", true),
        ("/b/page", "x=1; Path=\"/\"", "/a", false),
        ("/b/page", "x=1; Path=/; Path=", "/a", false),
    ] {
        let host = "http://h.example.org";
        let want = if goes { "x=1" } else { "" };
        check(&format!("{host}{set_at}"), &[line], &format!("{host}{to}"), want);
    }
}

#[test]
fn a_cookie_is_sent_to_its_host_or_to_its_domain_and_subdomains() {
    for (set_at, line, to, goes) in [
        ("a.example.org", "x=1", "a.example.org", true),
        ("a.example.org", "x=1", "b.a.example.org", false),
        ("a.example.org", "x=1", "example.org", false),
        ("a.example.org", "x=1; Domain=a.example.org", "b.a.example.org", true),
        ("a.example.org", "x=1; Domain=.A.Example.ORG", "b.a.example.org", true),
        ("a.example.org", "x=1; Domain=example.org", "b.example.org", true),
        ("a.example.org", "x=1; Domain=example.org", "example.org", true),
        ("a.example.org", "x=1; Domain=example.org", "xexample.org", false),
        ("a.example.org", "x=1; Domain=b.a.example.org", "b.a.example.org", false),
        ("a.example.org", "x=1; Domain=b.example.org", "b.example.org", false),
        ("a.example.org", "x=1; Domain=b.example.org", "a.example.org", false),
        ("a.example.org", "x=1; Domain=ample.org", "a.example.org", false),
        ("a.example.org", "x=1; Domain=a.example.org.", "a.example.org", false),
        ("a.example.org", "x=1; Domain=..example.org", "a.example.org", false),
        ("a.example.org", "x=1; Domain=a.example.org:80", "a.example.org", false),
        ("a.example.org", "x=1; Domain=\"a.example.org\"", "a.example.org", false),
        ("a.example.org", "x=1; Domain=\u{e9}.org", "a.example.org", false),
        ("a.example.org", "x=1; Domain=", "a.example.org", true),
        ("a.example.org", "x=1; Domain=.", "b.a.example.org", false),
        ("a.example.org", "x=1; Domain=example.org; Domain=", "b.example.org", false),
        ("a.example.org", "x=1; Domain=example.com; Domain=example.org", "b.example.org", true),
        // Public suffixes: in the list, in its private part, and by its rule for unlisted names.
        ("a.example.org", "x=1; Domain=org", "a.example.org", false),
        ("a.example.org", "x=1; Domain=.org", "b.example.org", false),
        ("a.example.co.uk", "x=1; Domain=co.uk", "a.example.co.uk", false),
        ("a.example.co.uk", "x=1; Domain=example.co.uk", "b.example.co.uk", true),
        ("a.github.io", "x=1; Domain=github.io", "b.github.io", false),
        ("github.io", "x=1; Domain=github.io", "github.io", true),
        ("github.io", "x=1; Domain=github.io", "b.github.io", false),
        ("a.kobe.jp", "x=1; Domain=a.kobe.jp", "b.a.kobe.jp", false),
        ("a.city.kobe.jp", "x=1; Domain=city.kobe.jp", "b.city.kobe.jp", true),
        ("api.internal", "x=1; Domain=internal", "web.internal", false),
        ("localhost", "x=1; Domain=localhost", "localhost", true),
        ("localhost", "x=1; Domain=localhost", "a.localhost", false),
        // Addresses have no parent domains.
        ("127.0.0.1", "x=1", "127.0.0.1", true),
        ("127.0.0.1", "x=1; Domain=127.0.0.1", "127.0.0.1", true),
        ("127.0.0.1", "x=1; Domain=0.0.1", "127.0.0.1", false),
        ("127.0.0.1", "x=1; Domain=.0.0.1", "1.0.0.1", false),
        ("127.0.0.1", "x=1; Domain=1", "127.0.0.1", false),
        ("::1", "x=1; Domain=[::1]", "::1", true),
        ("::1", "x=1", "::1", true),
    ] {
        let want = if goes { "x=1" } else { "" };
        check(&format!("http://{set_at}/"), &[line], &format!("http://{to}/"), want);
    }
}

#[test]
fn a_secure_cookie_is_set_sent_and_replaced_only_over_tls() {
    let (plain, tls) = ("http://127.0.0.1/a", "https://127.0.0.1/a");
    check(tls, &["x=1; Secure"], tls, "x=1");
    check(tls, &["x=1; Secure"], plain, "");
    check(plain, &["x=1; Secure"], tls, "");
    check(plain, &["x=1"], tls, "x=1");
    let mut jar = Jar::default();
    jar.set(b"x=1; Secure; Path=/", &site(tls), NOW);
    for line in ["x=2; Path=/", "x=2; Path=/a", "x=; Path=/; Max-Age=0", "x=2; Domain=127.0.0.1"] {
        jar.set(line.as_bytes(), &site(plain), NOW);
    }
    assert_eq!(text(jar.header(&site(tls), NOW)), "x=1");
    jar.set(b"y=1; Path=/", &site(plain), NOW);
    jar.set(b"x=3; Path=/", &site(tls), NOW);
    assert_eq!(text(jar.header(&site(plain), NOW)), "x=3; y=1");
}

#[test]
fn the_promises_of_a_name_prefix_must_be_kept() {
    let page = "https://a.example.org/p/q";
    for (line, pooled) in [
        ("__Secure-x=1", false),
        ("__Secure-x=1; Secure", true),
        ("__secure-x=1", false),
        ("__SECURE-x=1; Secure; Domain=example.org", true),
        ("__Host-x=1; Secure; Path=/", true),
        ("__Host-x=1; Path=/", false),
        ("__Host-x=1; Secure", false),
        ("__Host-x=1; Secure; Path=/p", false),
        ("__Host-x=1; Secure; Path=/; Domain=a.example.org", false),
        ("__host-x=1; Secure; Path=/; Domain=", true),
        ("__HOST-x=1", false),
        ("__Hos-x=1", true),
        ("=__Host-x", false),
        ("__secure-x", false),
        ("=__Secure-x=1; Secure", false),
    ] {
        let pair = line.split(';').next().expect("a pair");
        check(page, &[line], page, if pooled { pair } else { "" });
    }
    check("http://a.example.org/", &["__Secure-x=1; Secure"], page, "");
}

#[test]
fn expired_cookies_are_evicted_first_and_then_the_least_recently_used() {
    let (page, other) = (site("http://a.example.org/"), site("http://b.example.org/"));
    let mut jar = Jar::default();
    jar.set(b"other=1", &other, NOW);
    jar.set(b"ends=1; Max-Age=1; Path=/", &page, NOW);
    for number in 0..MAX_COOKIES - 2 {
        jar.set(format!("c{number}=1").as_bytes(), &page, NOW);
    }
    assert_eq!(jar.cookies.len(), MAX_COOKIES);
    // The room of the expired ones is enough.
    jar.set(b"late=1", &page, NOW + 1000);
    assert_eq!(jar.cookies.len(), MAX_COOKIES);
    assert!(text(jar.header(&page, NOW + 1000)).starts_with("c0=1; c1=1; "));
    // A domain with many cookies loses its own oldest, not one of a domain with few.
    jar.set(b"c0=2", &page, NOW + 1000);
    jar.set(b"more=1", &page, NOW + 1000);
    let header = text(jar.header(&page, NOW + 1000));
    assert!(header.starts_with("c0=2; c2=1; ") && header.ends_with("; late=1; more=1"), "{header}");
    assert_eq!(text(jar.header(&other, NOW + 1000)), "other=1");
    // A domain with few cookies displaces the oldest of all.
    jar.set(b"third=1", &site("http://c.example.org/"), NOW + 1000);
    assert_eq!(jar.cookies.len(), MAX_COOKIES);
    assert_eq!(text(jar.header(&other, NOW + 1000)), "other=1");
    assert!(text(jar.header(&page, NOW + 1000)).starts_with("c2=1; c3=1; "));
}

proptest! {
    #[test]
    fn stored_cookies_are_sent_back_byte_for_byte(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
    ) {
        let page = site("https://a.example.org/");
        for line in &lines {
            let mut jar = Jar::default();
            jar.set(line, &page, NOW);
            let header = jar.header(&page, NOW);
            let pair = line.split(|byte| *byte == b';').next().unwrap_or_default();
            if let Some(header) = header {
                let name = header.iter().position(|byte| *byte == b'=').unwrap_or(0);
                let (name, value) = header.split_at(name);
                let find = |part: &[u8]| part.is_empty() || pair.windows(part.len()).any(|found| found == part);
                prop_assert!(find(name) && find(value.strip_prefix(b"=").unwrap_or(value)));
            }
        }
    }

    #[test]
    fn name_and_value_are_sent_as_they_were_set(
        name in "[!-:<>-~\u{80}-\u{ff}][!-:<>-~]{0,20}",
        value in prop::collection::vec(prop::sample::select((0x21u8..=0xff).filter(|byte| *byte != b';' && *byte != 0x7f).collect::<Vec<_>>()), 0..40),
    ) {
        prop_assume!(!name.starts_with("__"));
        let page = site("http://a.example.org/");
        let pair = [name.as_bytes(), b"=", &value].concat();
        let mut jar = Jar::default();
        jar.set(&[&pair[..], b"; Path=/"].concat(), &page, NOW);
        prop_assert_eq!(jar.header(&page, NOW), Some(pair));
    }
}
