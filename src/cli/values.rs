//! Parsers of the values of options.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::escape::is_interpreted;
use crate::event::MAX_NAME;

/// The environment variable that holds the token unless another is named: the reference's.
pub const TOKEN_VARIABLE: &str = "LOAD_DENSITY_SOCKET_TOKEN";

/// The port of LoadDensity's control server.
pub const DEFAULT_PORT: u16 = 9940;

/// The longest accepted time, in seconds: a year.
pub(super) const LONGEST: f64 = 366.0 * 86_400.0;

/// The shortest time that makes a difference, in seconds.
const SHORTEST: f64 = 0.001;

/// The units of durations, the longest first, in seconds.
const UNITS: [(&str, f64); 5] =
    [("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001)];

/// Parses a duration in seconds: `30s`, `1h30m`, `250ms`, or a plain number.
fn duration(text: &str) -> Option<f64> {
    if text.is_empty() || text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let (mut rest, mut sum) = (text, 0.0);
    // Each unit at most once, the longer before the shorter.
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let is_numeric = |c: char| c.is_ascii_digit() || c == '.';
        let (number, tail) = rest.split_at(rest.find(|c| !is_numeric(c))?);
        let (unit, tail) = tail.split_at(tail.find(is_numeric).unwrap_or(tail.len()));
        let (_, factor) = units.find(|(known, _)| *known == unit)?;
        sum += number.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    Some(sum)
}

fn duration_within(text: &str, least: f64, most: f64) -> Result<f64, String> {
    duration(text).filter(|seconds| (least..=most).contains(seconds)).ok_or_else(|| {
        format!(
            "expected a duration such as 30s, 5m, 1h30m or 250ms, or a number of seconds, from \
             {least} to {most}"
        )
    })
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    duration_within(text, SHORTEST, LONGEST)
}

/// Parses the name of a run; the server has the same rule.
pub(super) fn run_name(name: &str) -> Result<String, String> {
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(format!("expected 1 to {MAX_NAME} characters"));
    }
    if name.chars().any(is_interpreted) {
        return Err("control characters are not allowed".to_owned());
    }
    Ok(name.to_owned())
}

/// Parses the number of a run.
pub(super) fn run_number(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected the number of a run; `ldctl runs` lists them".to_owned())
}

/// Parses how long a run may wait in the queue: up to a week.
pub(super) fn queue_seconds(text: &str) -> Result<f64, String> {
    duration_within(text, 0.0, 604_800.0)
}

/// Parses a ceiling for memory.
pub(super) fn memory(text: &str) -> Result<usize, String> {
    let bytes = crate::memory::parse(text)?;
    if bytes < crate::memory::LEAST {
        return Err(format!("the least is {}", crate::memory::readable(crate::memory::LEAST)));
    }
    Ok(bytes)
}

/// Parses a name or an address; an IPv6 address may be in brackets, as in a URL.
pub(super) fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.is_empty() {
        return Err("expected a name or an address; 0.0.0.0 and :: are every address".into());
    }
    let (address, _zone) = bare.split_once('%').unwrap_or((bare, ""));
    let is_ipv6 = address.parse::<Ipv6Addr>().is_ok();
    if is_ipv6 || (bare == text && !text.contains([':', '/'])) {
        return Ok(bare.to_owned());
    }
    Err("expected a name or an address, without a scheme; the port goes to --port".into())
}

/// Parses a name that requests have for this machine.
pub(super) fn web_host(text: &str) -> Result<String, String> {
    let name = host(text).map_err(|_| "expected a name or an address, without scheme and port")?;
    if name.contains(|c: char| c.is_whitespace() || c.is_control() || "\\?#@\"<>*".contains(c)) {
        return Err("expected the name of one host".into());
    }
    Ok(name)
}

/// A control server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl FromStr for ServerAddress {
    type Err = String;

    /// Parses `HOST`, `HOST:PORT`, `[IPv6]:PORT`, or a bare IPv6 address.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if name.ends_with(']') || !name.contains(':') => (name, Some(port)),
            _ => (text, None),
        };
        let wrong = |what: &str| format!("{what}; expected HOST, HOST:PORT or [IPv6]:PORT");
        if text.contains("://") {
            return Err(wrong("a server has no scheme"));
        }
        let host = host(name).map_err(|_| wrong("not a name or an address"))?;
        let port = port.map_or(Ok(DEFAULT_PORT), |port| {
            let port = port.parse().ok().filter(|port| *port > 0);
            port.ok_or_else(|| wrong("the port is a number from 1 to 65535"))
        })?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(out, "[{host}]:{port}")
        } else {
            write!(out, "{host}:{port}")
        }
    }
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// A name or an address.
    pub host: String,
    /// Its port; 0 for a free one.
    pub port: u16,
}

impl FromStr for ListenAddress {
    type Err = String;

    /// Parses `HOST:PORT` or `[IPv6]:PORT`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected ADDRESS:PORT, such as localhost:8765 or [::1]:8765".to_owned();
        let (name, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        if name.contains(':') && !name.ends_with(']') {
            return Err(wrong());
        }
        let port = port.parse().map_err(|_| wrong())?;
        Ok(Self { host: host(name).map_err(|_| wrong())?, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        ServerAddress { host: host.clone(), port: *port }.fmt(out)
    }
}

/// Parses the name of a context.
pub(super) fn context_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match text.len() {
        1..=64 if text.chars().all(is_plain) && !text.starts_with(['-', '.']) => {
            Ok(text.to_owned())
        }
        _ => Err("expected 1 to 64 letters, digits, dots, dashes and underscores".to_owned()),
    }
}

/// Parses the name of an environment variable.
pub(super) fn variable(text: &str) -> Result<String, String> {
    match text {
        "" => Err("expected the name of a variable".into()),
        _ if text.contains('=') => Err("expected the name of a variable, without its value".into()),
        _ => Ok(text.to_owned()),
    }
}

/// The longest test that a limit may allow, in seconds: thirty days.
pub(super) const LONGEST_TEST: f64 = 30.0 * 86_400.0;

pub(super) fn test_seconds(text: &str) -> Result<f64, String> {
    duration_within(text, SHORTEST, LONGEST_TEST)
}

/// Parses how many there are to be.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "expected a whole number from 1".to_owned())
}

/// Parses how many requests there are to be, as many as a document can ask for.
pub(super) fn requests(text: &str) -> Result<i64, String> {
    let requests = count(text)?;
    i64::try_from(requests).map_err(|_| format!("expected at most {}", i64::MAX))
}

/// Parses a port.
pub(super) fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "expected a port from 1 to 65535".to_owned())
}

/// Parses a port to listen on.
pub(super) fn own_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a port from 1 to 65535, or 0 for a free one".to_owned())
}

/// Parses a rate per second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.strip_suffix("/s").unwrap_or(text).parse().ok();
    rate.filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
        .ok_or_else(|| "expected a number per second, more than 0".to_owned())
}

/// Parses a variable and its value.
pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or("expected NAME=VALUE; the equals sign is missing")?;
    let is_strange = |c: char| c.is_whitespace() || c.is_control() || "${}".contains(c);
    match name {
        "" => Err("expected NAME=VALUE; the name is missing".to_owned()),
        _ if name.contains(is_strange) => {
            Err("the name is the NAME of ${var.NAME}, without blanks, $ and braces".to_owned())
        }
        _ => Ok((name.to_owned(), value.to_owned())),
    }
}

/// Parses an address or a network.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address
        .or_else(|_| text.parse())
        .map_err(|_| "expected an address or a network: 10.0.0.0/8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_of_seconds_or_has_units() {
        for (text, expected) in [
            ("30", 30.0),
            ("0.25", 0.25),
            ("1e3", 1000.0),
            ("30s", 30.0),
            ("5m", 300.0),
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            ("250ms", 0.25),
            ("1m0.5s", 60.5),
            ("1d2h3m4s5ms", 93_784.005),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in [
            "", "s", "m5", "5 m", "5x", "30m1h", "1s1s", "1h30", "-1s", "1..5s", ".s", "inf",
            "nan", "0", "0s", "367d", "9e9", "1h-5m", "5M",
        ] {
            let refusal = seconds(text).expect_err(text);
            assert!(refusal.contains("30s, 5m, 1h30m or 250ms"), "{refusal}");
        }
        assert_eq!(queue_seconds("0"), Ok(0.0));
        assert_eq!(test_seconds("30d"), Ok(LONGEST_TEST));
    }

    #[test]
    fn a_variable_is_assigned_with_the_first_equals_sign() {
        assert_eq!(assignment("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(assignment("a="), Ok(("a".to_owned(), String::new())));
        for text in ["", "a", "=b", "a b=c", "${a}=b"] {
            assignment(text).expect_err(text);
        }
    }

    #[test]
    fn a_server_is_a_host_and_perhaps_a_port() {
        for (text, host, port) in [
            ("there", "there", 9940),
            ("there:1", "there", 1),
            ("10.0.0.1:65535", "10.0.0.1", 65535),
            ("[::1]:9941", "::1", 9941),
            ("[::1]", "::1", 9940),
            ("::1", "::1", 9940),
            ("fe80::1%eth0", "fe80::1%eth0", 9940),
        ] {
            let address: ServerAddress = text.parse().expect(text);
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
            assert_eq!(address.to_string().parse::<ServerAddress>(), Ok(address), "{text}");
        }
        for text in ["", ":1", "a:", "a:0", "a:65536", "a:b", "http://a", "[a]:1", "a/b:1", "a:1:2"]
        {
            let refusal = text.parse::<ServerAddress>().expect_err(text);
            assert!(refusal.contains("HOST:PORT"), "{refusal}");
        }
    }

    #[test]
    fn a_run_has_a_number_from_1() {
        assert_eq!(run_number("12"), Ok(12));
        for text in ["", "0", "-1", "abc", "1.5", "99999999999999999999"] {
            let refusal = run_number(text).expect_err(text);
            assert_eq!(refusal, "expected the number of a run; `ldctl runs` lists them");
        }
    }

    #[test]
    fn a_rate_is_positive() {
        assert_eq!((rate("200"), rate("0.5/s")), (Ok(200.0), Ok(0.5)));
        for text in ["", "0", "-1", "inf", "NaN", "5/m"] {
            rate(text).expect_err(text);
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for (text, expected) in [
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(expected));
        }
        for text in ["", "[]", "a:9940", "[::1]:9940", "[a]", "http://a", "127.0.0.1:1"] {
            host(text).expect_err(text);
            web_host(text).expect_err(text);
        }
        assert_eq!(web_host("proxy.example").as_deref(), Ok("proxy.example"));
        for text in ["a b", "a\t", "a?b", "a@b", "*.example"] {
            web_host(text).expect_err(text);
        }
    }
}
