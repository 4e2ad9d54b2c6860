//! Digest authentication (RFC 7616), as in Python's requests: the first request is sent without
//! credentials, the challenge of its 401 is answered once, and later requests to the same origin
//! carry credentials from the start.

use std::rc::Rc;

use md5::Md5;
use sha2::{Digest, Sha256};

use super::target::Origin;

/// The challenge of an origin.
#[derive(Debug)]
pub(super) struct Challenge {
    pub(super) origin: Rc<Origin>,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// The algorithm as the origin writes it, if any.
    named: Option<String>,
    /// Whether responses are counted and have a client nonce (`qop=auth`).
    quality: bool,
    /// How many responses were computed.
    count: u32,
}

#[derive(Debug, Clone, Copy)]
struct Algorithm {
    hash: fn(&str) -> String,
    /// Whether the nonces are part of the user's hash (`-sess`).
    session: bool,
}

/// The user's credentials.
#[derive(Debug, Clone, Copy)]
pub(super) struct User<'a> {
    pub(super) name: &'a str,
    pub(super) password: &'a str,
}

impl Challenge {
    /// Parses the first supported challenge of a `WWW-Authenticate` header.
    pub(super) fn read(header: &str, origin: &Rc<Origin>) -> Option<Self> {
        challenges(header).into_iter().find_map(|(scheme, parameters)| {
            let value = |name: &str| {
                let found = parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.clone())
            };
            let named = value("algorithm");
            let quality = value("qop");
            let offered =
                |text: &String| text.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth"));
            let fits = scheme.eq_ignore_ascii_case("digest") && quality.iter().all(offered);
            fits.then_some(())?;
            Some(Self {
                origin: Rc::clone(origin),
                realm: value("realm")?,
                nonce: value("nonce")?,
                opaque: value("opaque"),
                algorithm: algorithm(named.as_deref().unwrap_or("MD5"))?,
                named,
                quality: quality.is_some(),
                count: 0,
            })
        })
    }

    /// The value of an `Authorization` header; `own` is the client's nonce.
    pub(super) fn answer(
        &mut self,
        user: User<'_>,
        method: &str,
        target: &str,
        own: &str,
    ) -> String {
        let Algorithm { hash, session } = self.algorithm;
        let Self { realm, nonce, .. } = self;
        self.count += 1;
        let count = format!("{:08x}", self.count);
        let mut secret = hash(&format!("{}:{realm}:{}", user.name, user.password));
        if session {
            secret = hash(&format!("{secret}:{nonce}:{own}"));
        }
        let request = hash(&format!("{method}:{target}"));
        let response = hash(&if self.quality {
            format!("{secret}:{nonce}:{count}:{own}:auth:{request}")
        } else {
            format!("{secret}:{nonce}:{request}")
        });
        let mut out = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{target}\", \
             response=\"{response}\"",
            escaped(user.name),
            escaped(realm),
            escaped(nonce),
        );
        if let Some(opaque) = &self.opaque {
            out += &format!(", opaque=\"{}\"", escaped(opaque));
        }
        if let Some(named) = &self.named {
            out += &format!(", algorithm={named}");
        }
        if self.quality {
            out += &format!(", qop=auth, nc={count}, cnonce=\"{own}\"");
        }
        out
    }
}

fn algorithm(name: &str) -> Option<Algorithm> {
    let lower = name.to_ascii_lowercase();
    let (base, session) = match lower.strip_suffix("-sess") {
        Some(base) => (base, true),
        None => (lower.as_str(), false),
    };
    let hash = match base {
        "md5" => hashed::<Md5>,
        "sha-256" => hashed::<Sha256>,
        _ => return None,
    };
    Some(Algorithm { hash, session })
}

fn hashed<D: Digest>(text: &str) -> String {
    D::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A scheme and its parameters.
type Parsed = (String, Vec<(String, String)>);

/// The challenges of a header (RFC 9110, section 11.6.1).
fn challenges(header: &str) -> Vec<Parsed> {
    let mut found: Vec<Parsed> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if rest.is_empty() {
            return found;
        }
        match (after.trim_start().strip_prefix('='), found.last_mut()) {
            (Some(after), Some((_, parameters))) => {
                let (value, after) = value(after.trim_start());
                parameters.push((word.to_owned(), value));
                rest = after;
            }
            (Some(after), None) => rest = after,
            (None, _) => {
                found.push((word.to_owned(), Vec::new()));
                rest = after;
            }
        }
    }
}

/// A parameter's value, quoted or not, and the rest of the text.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            plain => value.push(plain),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(header: &str) -> Option<Challenge> {
        let (origin, _) = Origin::split("http://www.example.org").expect("a URL");
        Challenge::read(header, &Rc::new(origin))
    }

    #[test]
    fn responses_to_challenges_equal_the_examples_of_the_standard() {
        // RFC 7616, section 3.9.1, and RFC 2617, section 3.5, without the quality of protection.
        let given = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                     nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                     opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        let own = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let user = User { name: "Mufasa", password: "Circle of Life" };
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let header = format!("Basic realm=\"x\", Digest algorithm={algorithm}, {given}");
            let mut challenge = challenge(&header).expect("a challenge");
            let answer = challenge.answer(user, "GET", "/dir/index.html", own);
            assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
            assert!(answer.ends_with(&format!("qop=auth, nc=00000001, cnonce=\"{own}\"")));
            assert!(challenge.answer(user, "GET", "/", own).contains("nc=00000002"));
        }
    }

    #[test]
    fn unsupported_challenges_are_ignored() {
        for (header, answered) in [
            ("Digest realm=a, nonce=b", true),
            ("digest realm=\"a \\\"b\\\"\", nonce=\"\"", true),
            ("Digest realm=a, nonce=b, algorithm=SHA-512-256", false),
            ("Digest realm=a, nonce=b, qop=\"auth-int\"", false),
            (
                "Digest realm=a, nonce=b, algorithm=SHA-512-256, Digest realm=a, nonce=c, \
                 algorithm=MD5-sess",
                true,
            ),
            ("Digest realm=a", false),
            ("Basic realm=a", false),
            ("Negotiate abc==, Digest realm=a, nonce=b", true),
            ("=,=", false),
            ("", false),
        ] {
            assert_eq!(challenge(header).is_some(), answered, "{header}");
        }
    }
}
