//! The URL of a server: `redis://user:password@host:6379/0`, or `rediss://` with TLS.

use url::Url;

use crate::protocol::http::percent_decode;

/// The default: the reference's own.
pub(super) const DEFAULT: &str = "redis://127.0.0.1:6379/0";

/// Where a server is, and how to log in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// User and password.
    pub(super) login: Option<(Option<String>, String)>,
    /// The number of the database.
    pub(super) database: u32,
}

/// Shown without the password.
impl std::fmt::Debug for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.shown())
    }
}

impl Address {
    /// Parses a URL; the error says what is wrong, without the URL, which may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
            return Err("a blank, a control character or a backslash in the URL".to_owned());
        }
        let url = Url::parse(text).map_err(|error| format!("invalid URL: {error}"))?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err("expected a URL that begins with redis:// or rediss://".to_owned()),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or("invalid URL: no host")?;
        let decoded = |part: &str| {
            percent_decode(part).ok_or("invalid URL: user or password cannot be decoded")
        };
        let user = Some(url.username()).filter(|user| !user.is_empty()).map(decoded).transpose()?;
        let login = match url.password() {
            Some(password) => Some((user, decoded(password)?)),
            None if user.is_some() => {
                return Err("invalid URL: a user without a password".to_owned());
            }
            None => None,
        };
        let of_query =
            url.query_pairs().find(|(name, _)| name == "db").map(|(_, value)| value.into_owned());
        let of_path = url.path().trim_matches('/').to_owned();
        let database = of_query.unwrap_or(of_path);
        let database = match database.as_str() {
            "" => 0,
            number => number.parse().map_err(|_| "invalid URL: the database is no number")?,
        };
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(6379),
            tls,
            login,
            database,
        })
    }

    /// The URL without user and password.
    pub(super) fn shown(&self) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        format!("{scheme}://{host}:{}/{}", self.port, self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_the_server_the_login_and_the_database() {
        let login = |user: Option<&str>, password: &str| {
            Some((user.map(str::to_owned), password.to_owned()))
        };
        for (url, shown, expected) in [
            (DEFAULT, DEFAULT, None),
            ("redis://h", "redis://h:6379/0", None),
            ("rediss://:p%40ss@h:1/2", "rediss://h:1/2", login(None, "p@ss")),
            (
                "redis://ann:secret@[::1]/?db=3",
                "redis://[::1]:6379/3",
                login(Some("ann"), "secret"),
            ),
        ] {
            let address = Address::parse(url).expect(url);
            assert_eq!((&*address.shown(), address.login.clone()), (shown, expected), "{url}");
            assert!(!format!("{address:?}").contains("secret"));
        }
        for (url, why) in [
            ("http://h", "expected a URL that begins with redis:// or rediss://"),
            ("h:6379", "expected a URL that begins with redis:// or rediss://"),
            ("redis://", "invalid URL: no host"),
            ("redis://h/x", "invalid URL: the database is no number"),
            ("redis://ann@h", "invalid URL: a user without a password"),
            ("redis://h:99999", "invalid URL: invalid port number"),
            ("redis://h /", "a blank, a control character or a backslash in the URL"),
        ] {
            assert_eq!(Address::parse(url), Err(why.to_owned()), "{url}");
        }
    }
}
