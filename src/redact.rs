//! Removal of secrets from texts: the user of a URL, parameters and members with telling names, HTTP
//! credentials. The record, failures, the console and the log take every text through here, so that
//! no report, database, exporter, event or log line depends on its own care. What is sent to a target
//! is never changed.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// The replacement for a secret.
pub const REDACTED: &str = "[redacted]";

/// How often a text is gone over again at most.
const MOST_PASSES: usize = 4;

/// Words that name a secret, also inside a longer name: `X-Api-Key`, `csrftoken`.
macro_rules! words {
    () => {
        r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signature|credential|session[_-]?id|routing[_-]?key|webhook(?:[_-]?url)?)s?"
    };
}

/// Words that name a secret only as a word of their own: `sig`, not `design`.
macro_rules! short_words {
    () => {
        r"(?:authorization|cookie|jwt|otp|sig)s?"
    };
}

/// The characters of a URL between its scheme and its path, percent-encoded ones included, as far as
/// a text around the URL allows.
macro_rules! authority {
    () => {
        r#"(?:[^/\s?\#%"<>]|%(?:[0156789a-f][0-9a-f]|2[0-24-9a-e]|3[0-9a-e]|4[0-9a-f])|%[^0-9a-f])*"#
    };
}

/// Names of members and parameters that hold secrets.
static SECRET_NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(r"(?i)(?:^|[^a-z])(?:", words!(), "|", short_words!(), r")$")).ok()
});

/// Secrets inside a text.
static SECRET_TEXT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?ix) (?P<kept>://|%3a%2f%2f) ",
        authority!(),
        r"(?P<at>@|%40)",
        // host:port with a user, as proxies and sockets are named.
        r#"| (?P<bare>(?:^|[\s"'(=]))[^\s/@:"'(=]+:[^\s/@"']*(?P<port>@[^\s/@:"']+:[0-9]{1,5}\b)"#,
        r"| (?P<scheme>\b(?:bearer|basic)\s+)[a-z0-9._~+/=-]{6,}",
        // A parameter, also as `user[password]=…`.
        r"| (?P<name>(?:[a-z0-9_.-]*",
        words!(),
        r"|(?:\b|_)",
        short_words!(),
        r")(?:\]|%5d)*=)[^&\s;\#]+",
        // A member of JSON, or of what Python writes.
        r#"| (?P<double>"(?:[^"]*[^a-z"])?(?:"#,
        words!(),
        "|",
        short_words!(),
        r#")"\s*:\s*")(?:[^"\\]|\\.)+"#,
        // The same inside a string of JSON, as targets echo it.
        r#"| (?P<inner>\\"(?:[^"]*[^a-z"])?(?:"#,
        words!(),
        "|",
        short_words!(),
        r#")\\"\s*:\s*\\")[^"\\]+"#,
        r"| (?P<single>'(?:[^']*[^a-z'])?(?:",
        words!(),
        "|",
        short_words!(),
        r")'\s*:\s*')(?:[^'\\]|\\.)+",
    ))
    .ok()
});

/// A text without the secrets that the preceding characters reveal.
pub fn text(text: &str) -> Cow<'_, str> {
    settled(text, text_once)
}

/// Removes until nothing changes: what is left of one secret may reveal another.
fn settled(text: &str, once: impl Fn(&str) -> Cow<'_, str>) -> Cow<'_, str> {
    let mut settled = match once(text) {
        Cow::Owned(changed) => changed,
        unchanged => return unchanged,
    };
    for _ in 0..MOST_PASSES {
        match once(&settled) {
            Cow::Owned(changed) if changed != settled => settled = changed,
            _ => break,
        }
    }
    settled.into()
}

fn text_once(text: &str) -> Cow<'_, str> {
    let Some(pattern) = SECRET_TEXT.as_ref() else { return REDACTED.into() };
    let replace = |found: &Captures<'_>| {
        let group = |names: &[&str]| {
            names.iter().find_map(|name| found.name(name)).map_or("", |group| group.as_str())
        };
        let before = group(&["kept", "bare", "scheme", "name", "double", "inner", "single"]);
        format!("{before}{REDACTED}{}", group(&["at", "port"]))
    };
    pattern.replace_all(text, replace)
}

/// The beginning of a text, about `most` bytes, without secrets. A secret that begins there and
/// ends later is removed as well.
pub fn head(text: &str, most: usize) -> Cow<'_, str> {
    let Some(head) = text.get(..text.floor_char_boundary(most)).filter(|head| *head != text) else {
        return self::text(text);
    };
    let head = self::text(head);
    // A user that is cut off before its `@` looks like a host.
    match head.rfind("://") {
        Some(at) if head.get(at + 3..).is_some_and(|rest| !rest.contains(is_delimiter)) => {
            format!("{}://{REDACTED}", head.get(..at).unwrap_or_default()).into()
        }
        _ => head,
    }
}

/// The same for a text of its own.
pub fn owned(text: String) -> String {
    match self::text(&text) {
        Cow::Owned(changed) => changed,
        Cow::Borrowed(_) => text,
    }
}

/// At most `most` bytes of a text's beginning, without secrets.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    // Of a longer beginning, so that a secret at the end is recognized.
    match head(text, most.saturating_mul(4)) {
        Cow::Borrowed(head) => {
            head.get(..head.floor_char_boundary(most)).unwrap_or_default().into()
        }
        Cow::Owned(mut head) => {
            head.truncate(head.floor_char_boundary(most));
            head.into()
        }
    }
}

/// A URL without secrets. Its user is removed even where the text is no valid URL.
pub fn url(url: &str) -> Cow<'_, str> {
    settled(url, url_once)
}

fn url_once(url: &str) -> Cow<'_, str> {
    let Some(begin) = authority(url) else { return text(url) };
    let rest = url.get(begin..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let user = match rest.get(..end).unwrap_or_default() {
        authority if authority.contains('@') => authority.rfind('@'),
        // A port that is none: a password with an unescaped delimiter.
        authority if has_invalid_port(authority) => rest.rfind('@'),
        _ => None,
    };
    let Some(at) = user else { return text(url) };
    let scheme = text(url.get(..begin).unwrap_or_default());
    let rest = text(rest.get(at..).unwrap_or_default());
    format!("{scheme}{REDACTED}{rest}").into()
}

/// Whether a member or a parameter of this name holds a secret.
pub fn names_secret(name: &str) -> bool {
    SECRET_NAME.as_ref().is_none_or(|pattern| pattern.is_match(name))
}

/// Where the authority of a URL begins; `None` if it has none.
fn authority(url: &str) -> Option<usize> {
    let blanks = url.len() - url.trim_start_matches(|c: char| c <= ' ').len();
    if url.get(blanks..).is_some_and(|rest| rest.starts_with("//")) {
        return Some(blanks + 2);
    }
    let at = url.find("://")?;
    let before = url.get(..at).unwrap_or_default();
    (!before.contains(['/', '?', '#', '=', '&'])).then_some(at + 3)
}

fn has_invalid_port(authority: &str) -> bool {
    let host_end = authority.rfind(']').map_or(0, |at| at + 1);
    let after = authority.get(host_end..).unwrap_or_default();
    let port = after.rsplit_once(':').map(|(_, port)| port);
    // A placeholder is no port yet, and holds no delimiter.
    port.is_some_and(|port| {
        !port.is_empty() && port.parse::<u16>().is_err() && !port.starts_with("${")
    })
}

/// What ends the user of a URL inside a text.
fn is_delimiter(character: char) -> bool {
    character.is_whitespace() || "/?#\"<>".contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_user_of_a_url_is_removed_wherever_the_url_stands() {
        for (given, expected) in [
            ("http://u:p@h/", "http://[redacted]@h/"),
            ("http://token@h/", "http://[redacted]@h/"),
            ("HTTPS://u:p@h:1/a?b#c", "HTTPS://[redacted]@h:1/a?b#c"),
            ("http://u:p@ss@h/", "http://[redacted]@h/"),
            ("http://u:p%40ss@h/", "http://[redacted]@h/"),
            ("see http://u:p@h/ and ws://v:q@i", "see http://[redacted]@h/ and ws://[redacted]@i"),
            ("tcp u:p@h:9000", "tcp [redacted]@h:9000"),
            ("u:p@h:9000", "[redacted]@h:9000"),
            ("/go?to=http://u:p@h/", "/go?to=http://[redacted]@h/"),
            ("/go?to=http%3A%2F%2Fu%3Ap%40h%2Fa", "/go?to=http%3A%2F%2F[redacted]%40h%2Fa"),
        ] {
            assert_eq!(text(given), expected, "{given}");
            assert_eq!(url(given), expected, "{given}");
        }
    }

    #[test]
    fn the_user_of_a_url_that_is_not_valid_is_removed() {
        for (given, expected) in [
            ("http://u:p w@h/", "http://[redacted]@h/"),
            ("http://u:p\"w@h/", "http://[redacted]@h/"),
            ("http://u:p/w@h/", "http://[redacted]@h/"),
            ("http://u:p?w@h/", "http://[redacted]@h/"),
            ("http://u:p#w@h/", "http://[redacted]@h/"),
            ("//u:p@h/", "//[redacted]@h/"),
            (" http://u:p@h/", " http://[redacted]@h/"),
        ] {
            assert_eq!(url(given), expected, "{given}");
        }
    }

    #[test]
    fn harmless_texts_are_not_changed() {
        for harmless in [
            "",
            "http://h/",
            "http://[::1]:8080/a@b?c@d",
            "http://h/@scope/package",
            "http://h:${var.port}/users/a@b",
            "http://h/a?page=2&design=x&passenger=y",
            "http://h/a?next=http%3A%2F%2Fh%2Fa%40b",
            "//h/a",
            "/a@b",
            "mail a@b about http://h and basic rules",
            "404 Not Found",
            "json_path data.id expected 1, got None",
            "{\"name\":\"token\",\"mail\":\"a@b\"}",
            "{'passenger': 'x'}",
        ] {
            assert!(
                matches!(text(harmless), Cow::Borrowed(same) if same == harmless),
                "{harmless}"
            );
            assert!(matches!(url(harmless), Cow::Borrowed(same) if same == harmless), "{harmless}");
        }
    }

    #[test]
    fn parameters_members_and_credentials_with_telling_names_are_hidden() {
        for (given, expected) in [
            ("/a?access_token=s&y=1", "/a?access_token=[redacted]&y=1"),
            ("/a?X-Amz-Signature=s#f", "/a?X-Amz-Signature=[redacted]#f"),
            ("/a?sig=s", "/a?sig=[redacted]"),
            ("/a?user[password]=s&b", "/a?user[password]=[redacted]&b"),
            ("user%5Bpassword%5D=s", "user%5Bpassword%5D=[redacted]"),
            ("/a#id_token=s", "/a#id_token=[redacted]"),
            ("Bearer abcdef", "Bearer [redacted]"),
            (
                "got {\"password\": \"a\\\"b\", \"x\": 1}",
                "got {\"password\": \"[redacted]\", \"x\": 1}",
            ),
            (
                r#"{"data": "{\"password\": \"s\", \"x\": 1}"}"#,
                r#"{"data": "{\"password\": \"[redacted]\", \"x\": 1}"}"#,
            ),
            ("{'X-Api-Key': 'k', 'a': 'b'}", "{'X-Api-Key': '[redacted]', 'a': 'b'}"),
            ("{\"Authorization\":\"Digest x\"}", "{\"Authorization\":\"[redacted]\"}"),
        ] {
            assert_eq!(text(given), expected, "{given}");
        }
    }

    #[test]
    fn a_secret_that_is_cut_off_is_removed() {
        let secret = "s".repeat(100);
        for given in [
            format!("http://user:{secret}@h/"),
            format!("GET http://user:{secret}@h/"),
            format!("/a?token={secret}&b"),
            format!("Bearer {secret}"),
            format!("{{\"password\": \"{secret}\"}}"),
        ] {
            let cut = head(&given, 40);
            assert!(!cut.contains("sss") && cut.contains(REDACTED), "{given}: {cut}");
        }
        assert_eq!(head("http://h/abc", 10), "http://h/a");
        assert_eq!(head("http://u:p@h/", 100), "http://[redacted]@h/");
    }

    proptest! {
        #[test]
        fn what_is_removed_once_stays_removed(given in "(https?://|[a-z/:@?&=#\"'%{} ]|token=|password|\\PC){0,12}") {
            let once = text(&given).into_owned();
            prop_assert_eq!(&text(&once), &once);
            let once = url(&given).into_owned();
            prop_assert_eq!(&url(&once), &once);
        }

        #[test]
        fn no_user_of_a_url_survives(user in "[a-zA-Z0-9:@%._~!$&'()*+,;= -]{0,20}", rest in "[a-z/?#@=]{0,20}") {
            let shown = url(&format!("http://{user}SECRET{user}@h{rest}")).into_owned();
            prop_assert!(!shown.contains("SECRET"), "{}", shown);
        }
    }
}
