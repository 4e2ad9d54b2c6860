//! Parsers of the values of options.

use std::net::Ipv6Addr;

use crate::escape::is_interpreted;
use crate::event::MAX_NAME;

/// The environment variable that holds the token unless another is named: the reference's.
pub const TOKEN_VARIABLE: &str = "LOAD_DENSITY_SOCKET_TOKEN";

/// The port of LoadDensity's control server.
pub const DEFAULT_PORT: u16 = 9940;

/// The longest accepted time, in seconds: a year.
pub(super) const LONGEST: f64 = 366.0 * 86_400.0;

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| (0.001..=LONGEST).contains(seconds))
        .ok_or_else(|| format!("expected seconds, from 0.001 to {LONGEST}"))
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

/// Parses how long a run may wait in the queue: up to a week.
pub(super) fn queue_seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| (0.0..=604_800.0).contains(seconds))
        .ok_or_else(|| "expected seconds, from 0 to 604800".to_owned())
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
    text.parse()
        .ok()
        .filter(|seconds: &f64| (0.001..=LONGEST_TEST).contains(seconds))
        .ok_or_else(|| format!("expected seconds, from 0.001 to {LONGEST_TEST}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        }
    }
}
