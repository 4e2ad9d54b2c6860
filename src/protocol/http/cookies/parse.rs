//! One `Set-Cookie` line, parsed as in RFC 6265bis, section 5.6. The bytes of name and value stay
//! unchanged: quotes, percent signs and invalid UTF-8 are the target's business.

use super::date;

/// The longest name and value together, and the longest attribute value, in bytes (RFC 6265bis,
/// sections 5.7 and 5.6).
const MAX_PAIR: usize = 4096;
const MAX_ATTRIBUTE: usize = 1024;

/// A parsed line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SetCookie<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    /// Without the leading dot.
    pub(super) domain: Option<&'a [u8]>,
    pub(super) path: Option<&'a [u8]>,
    pub(super) secure: bool,
    /// In seconds from now.
    pub(super) max_age: Option<i64>,
    /// In seconds since 1970.
    pub(super) expires: Option<i64>,
}

impl<'a> SetCookie<'a> {
    /// Parses a line; `None` if it must be ignored.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return None;
        }
        let mut parts = line.split(|byte| *byte == b';');
        let pair = parts.next().unwrap_or_default();
        // Without `=`, the line is the value of a cookie without a name.
        let (name, value) = split(pair).unwrap_or((b"", trim(pair)));
        let length = name.len() + value.len();
        if length == 0 || length > MAX_PAIR {
            return None;
        }
        let mut cookie = Self { name, value, ..Self::default() };
        for part in parts {
            let (name, value) = split(part).unwrap_or((trim(part), b""));
            if value.len() <= MAX_ATTRIBUTE {
                cookie.attribute(name, value);
            }
        }
        Some(cookie)
    }

    /// The last attribute of a name counts, unless it is invalid.
    fn attribute(&mut self, name: &[u8], value: &'a [u8]) {
        if name.eq_ignore_ascii_case(b"expires") {
            self.expires = date::seconds(value).or(self.expires);
        } else if name.eq_ignore_ascii_case(b"max-age") {
            self.max_age = seconds(value).or(self.max_age);
        } else if name.eq_ignore_ascii_case(b"domain") {
            let domain = value.strip_prefix(b".").unwrap_or(value);
            self.domain = Some(domain).filter(|domain| !domain.is_empty());
        } else if name.eq_ignore_ascii_case(b"path") {
            self.path = Some(value).filter(|path| path.starts_with(b"/"));
        } else if name.eq_ignore_ascii_case(b"secure") {
            self.secure = true;
        }
    }
}

/// `-?[0-9]+`, saturating.
fn seconds(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if digits.len() < text.len() { -number } else { number })
}

/// The parts before and after the first `=`.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', text)?;
    let (name, value) = text.split_at_checked(at)?;
    Some((trim(name), trim(value.strip_prefix(b"=")?)))
}

/// Removes spaces and tabs at both ends, but no other white space.
fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begin = text.iter().take_while(|byte| blank(byte)).count();
    let text = text.get(begin..).unwrap_or_default();
    let end = text.iter().rev().take_while(|byte| blank(byte)).count();
    text.get(..text.len() - end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
        SetCookie::parse(line).map(|cookie| (cookie.name, cookie.value))
    }

    #[test]
    fn name_and_value_are_the_bytes_up_to_the_first_semicolon() {
        for (line, name, value) in [
            ("a=b", "a", "b"),
            ("a=b=c", "a", "b=c"),
            ("a===b", "a", "==b"),
            ("a=", "a", ""),
            ("a", "", "a"),
            ("=a", "", "a"),
            ("=a=b", "", "a=b"),
            ("a b = c d ", "a b", "c d"),
            ("\ta\t=\tb\t;x", "a", "b"),
            ("a=\"b c\"", "a", "\"b c\""),
            ("a=\"b;c\"", "a", "\"b"),
            ("\"a=b\"=c", "\"a", "b\"=c"),
            ("a=1, b=2", "a", "1, b=2"),
            ("a=%41%zz+", "a", "%41%zz+"),
            ("$Version=1; a=b", "$Version", "1"),
            ("a=J\u{f6}rg", "a", "J\u{f6}rg"),
        ] {
            assert_eq!(pair(line.as_bytes()), Some((name.as_bytes(), value.as_bytes())), "{line}");
        }
        assert_eq!(pair(b"a=\xe9\xff"), Some((&b"a"[..], &b"\xe9\xff"[..])));
        for line in
            ["", " \t ", "=", " = ", ";", "; a=b", "=; Path=/", "a=b\0c", "a=b\rc", "a=\x7f"]
        {
            assert_eq!(pair(line.as_bytes()), None, "{line:?}");
        }
        let long = "x".repeat(MAX_PAIR - 1);
        assert!(pair(format!("a={long}").as_bytes()).is_some());
        assert_eq!(pair(format!("ab={long}").as_bytes()), None);
    }

    fn attributes(text: &str) -> SetCookie<'_> {
        SetCookie { name: b"", value: b"", ..SetCookie::parse(text.as_bytes()).expect("a cookie") }
    }

    #[test]
    fn attributes_are_parsed_in_any_case_and_spacing_and_the_last_one_counts() {
        let none = SetCookie::default;
        let secure = || SetCookie { secure: true, ..none() };
        let path = |path: &'static str| SetCookie { path: Some(path.as_bytes()), ..none() };
        let domain = |name: &'static str| SetCookie { domain: Some(name.as_bytes()), ..none() };
        let age = |seconds| SetCookie { max_age: Some(seconds), ..none() };
        let date = |seconds| SetCookie { expires: Some(seconds), ..none() };
        for (line, want) in [
            ("a=b; Secure", secure()),
            ("a=b;seCURE", secure()),
            ("a=b ;  \tSecure \t; x", secure()),
            ("a=b; Secure=no", secure()),
            ("a=b; Secure x", none()),
            ("a=b; \"Secure\"", none()),
            ("a=b; x=\"1; Secure\"", none()),
            ("a=b; x=\"1;Secure;\"", secure()),
            ("a=b; Path=/p", path("/p")),
            ("a=b; PATH \t= \t/p q ", path("/p q")),
            ("a=b; Path=/p; path=/q", path("/q")),
            ("a=b; Path=/p; Path=", none()),
            ("a=b; Path=/p; Path=\"/q\"", none()),
            ("a=b; Path", none()),
            ("a=b; Domain=x.org", domain("x.org")),
            ("a=b; domain = .x.org", domain("x.org")),
            ("a=b; Domain=..x.org", domain(".x.org")),
            ("a=b; Domain=x.org; Domain=y.org", domain("y.org")),
            ("a=b; Domain=x.org; Domain=", none()),
            ("a=b; Domain=.", none()),
            ("a=b; Max-Age=60", age(60)),
            ("a=b; max-AGE = -1", age(-1)),
            ("a=b; Max-Age=60; Max-Age=x", age(60)),
            ("a=b; Max-Age=99999999999999999999", age(i64::MAX)),
            ("a=b; Max-Age=", none()),
            ("a=b; Max-Age=-", none()),
            ("a=b; Max-Age=+5", none()),
            ("a=b; Max-Age=5,3", none()),
            ("a=b; Max-Age=\"5\"", none()),
            ("a=b; Expires=Thu, 01 Jan 1970 00:00:01 GMT", date(1)),
            ("a=b; expires=\"Thu, 01-Jan-70 00:00:01 GMT\"", date(1)),
            ("a=b; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Expires=0", date(1)),
            ("a=b; Expires=soon", none()),
            ("a=b; HttpOnly; SameSite=Lax; Version=1; Partitioned", none()),
        ] {
            assert_eq!(attributes(line), want, "{line}");
        }
        let long = format!("a=b; Path=/{}", "x".repeat(MAX_ATTRIBUTE));
        assert_eq!(attributes(&long), none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_cookie_or_none(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = SetCookie::parse(&line);
        }
    }
}
