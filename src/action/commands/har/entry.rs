//! One parsed entry of a recording: its request, and what is known of the response. A request keeps
//! what the recorded program decided; what its HTTP client added for that connection, its cache or
//! its cookie jar is left to the client that replays it.

use jiff::Timestamp;
use url::Url;

use super::notices::Notices;
use super::pairs::{form_text, pairs, plain};
use super::post_data::{Fields, PostData};
use crate::protocol::http::METHODS;
use crate::value::{Invalid, Map, Reader, Value};

/// Headers of the connection, of the browser's cache, and of a body's encoding: recordings hold the
/// decoded body.
const DROPPED: [&str; 15] = [
    "host",
    "content-length",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "expect",
    "if-none-match",
    "if-modified-since",
    "content-encoding",
];

/// The content codings that the load engine decodes.
const DECODED: [&str; 5] = ["gzip", "deflate", "br", "zstd", "identity"];

/// The longest method that a notice shows.
const MAX_METHOD: usize = 20;

/// A recorded request and its response.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// In upper case; empty if the recording has none.
    pub(super) method: String,
    /// With its query; empty if the recording has none.
    pub(super) url: String,
    headers: Vec<(&'a str, String)>,
    post: Option<PostData<'a>>,
    /// Whether the recorded length says that there was a body.
    had_body: bool,
    /// The status, if a response came.
    pub(super) status: Option<u16>,
    /// The target of a redirect, as the server wrote it.
    pub(super) location: Option<&'a str>,
    /// A redirect made by the browser itself, such as for a host that requires HTTPS.
    internal: bool,
    pub(super) started: Option<Timestamp>,
    /// How long it took, in milliseconds.
    millis: Option<f64>,
    /// Whether the response is a page.
    pub(super) page: bool,
}

impl<'a> Entry<'a> {
    pub(super) fn read(place: &Reader<'a>) -> Result<Self, Invalid> {
        let mut entry = place.object()?;
        let mut read = Self {
            method: String::new(),
            url: String::new(),
            headers: Vec::new(),
            post: None,
            had_body: false,
            status: None,
            location: None,
            internal: false,
            // Only a hint: one that cannot be parsed counts as missing.
            started: entry
                .present("startedDateTime")
                .and_then(|field| field.value().as_str()?.parse().ok()),
            millis: entry.present("time").and_then(|time| time.value().as_f64()),
            page: false,
        };
        if let Some(request) = entry.present("request") {
            read.request(&request)?;
        }
        if let Some(response) = entry.present("response") {
            read.response(&response)?;
        }
        Ok(read)
    }

    fn request(&mut self, place: &Reader<'a>) -> Result<(), Invalid> {
        let mut request = place.object()?;
        if let Some(method) = request.present("method") {
            self.method = method.text()?.trim().to_uppercase();
        }
        if let Some(url) = request.present("url") {
            self.url = url.text()?.trim().to_owned();
        }
        if let Some(query) = request.present("queryString") {
            let pairs = pairs(&query)?;
            if !self.url.is_empty() && !self.url.contains('?') && !pairs.is_empty() {
                let query = form_text(&plain(pairs));
                let at = self.url.find('#').unwrap_or(self.url.len());
                self.url.insert_str(at, &format!("?{query}"));
            }
        }
        if let Some(headers) = request.present("headers") {
            self.headers = pairs(&headers)?
                .into_iter()
                .map(|(name, value)| (name.trim(), value))
                .filter(|(name, _)| !name.is_empty())
                .collect();
        }
        if let Some(posted) = request.present("postData") {
            self.post = Some(PostData::read(&posted)?);
        }
        let length = self.header("content-length").and_then(|text| text.parse().ok());
        let size = request.present("bodySize").and_then(|size| size.value().as_f64());
        self.had_body = length.unwrap_or(0_u64) > 0 || size.is_some_and(|size| size > 0.0);
        Ok(())
    }

    fn response(&mut self, place: &Reader<'a>) -> Result<(), Invalid> {
        let mut response = place.object()?;
        if let Some(field) = response.present("status") {
            // Recorders write 0 or -1 without a response.
            let number = field.value().as_f64().ok_or_else(|| field.expected("a status"))?;
            let whole = (100.0..1000.0).contains(&number) && number.fract() == 0.0;
            self.status = whole.then_some(number as u16);
        }
        let content = response.present("content");
        let kind = content.as_ref().and_then(|content| content.value().get("mimeType")?.as_str());
        self.page = self.status.is_some_and(|status| status < 300)
            && kind.is_some_and(|kind| kind.trim_start().starts_with("text/html"));
        let text = response.present("statusText");
        self.internal = self.status == Some(307)
            && text.is_some_and(|text| {
                text.value().as_str().is_some_and(|text| text.contains("Internal Redirect"))
            });
        self.location = response
            .if_present("redirectURL", Reader::text)?
            .map(str::trim)
            .filter(|url| !url.is_empty());
        if let (None, Some(headers)) = (self.location, response.present("headers")) {
            for header in headers.list()? {
                let mut header = header.object()?;
                let name = header.if_present("name", Reader::text)?.unwrap_or_default();
                if name.eq_ignore_ascii_case("location") {
                    self.location = header.if_present("value", Reader::text)?;
                }
            }
        }
        Ok(())
    }

    /// When the response was complete, if the recording says so.
    pub(super) fn ended(&self) -> Option<Timestamp> {
        let millis = self.millis.filter(|millis| (0.0..1e9).contains(millis)).unwrap_or_default();
        self.started?.checked_add(jiff::SignedDuration::from_secs_f64(millis / 1000.0)).ok()
    }

    /// Returns why no task can represent it, if so.
    pub(super) fn obstacle(&self) -> Option<String> {
        if self.method.is_empty() || self.url.is_empty() {
            return Some("no method or URL".to_owned());
        }
        let upgrade = self.header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
        let scheme = scheme(&self.url);
        if upgrade || self.status == Some(101) || matches!(scheme.as_deref(), Some("ws" | "wss")) {
            return Some("WebSocket".to_owned());
        }
        if !METHODS.contains(&self.method.as_str()) {
            let plain = self.method.len() <= MAX_METHOD && self.method.bytes().all(is_token);
            let method = if plain { &self.method } else { "unknown" };
            return Some(format!("method {method}"));
        }
        match scheme.as_deref() {
            // A base URL that was inserted by hand is known when the test starts.
            None if self.url.starts_with("${") => {
                let named = self.url.starts_with("${var.") && self.url.contains('}');
                (!named).then(|| "invalid URL".to_owned())
            }
            None => None,
            Some("http" | "https") if self.internal => {
                Some("redirect inside the browser".to_owned())
            }
            Some("http" | "https") => {
                Url::parse(&self.url).is_err().then(|| "invalid URL".to_owned())
            }
            Some(other) => Some(format!("{other} URL")),
        }
    }

    /// The headers of the task.
    pub(super) fn headers(&self, notices: &mut Notices) -> Map {
        let mut kept = Map::new();
        for (name, value) in &self.headers {
            let lower = name.to_ascii_lowercase();
            if lower == "cookie" {
                notices.cookies += 1;
                continue;
            }
            if lower.starts_with(':') || DROPPED.contains(&lower.as_str()) {
                continue;
            }
            if !name.bytes().all(is_token) {
                notices.invalid_headers += 1;
                continue;
            }
            let mut value = one_line(value);
            if lower == "accept-encoding" {
                value = decodable(&value);
                if value.is_empty() {
                    continue;
                }
            }
            // Repeated headers are equivalent to one with a list (RFC 9110, section 5.3).
            match kept.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, Value::Str(first))) => *first = format!("{first}, {value}"),
                _ => {
                    kept.insert((*name).to_owned(), value.into());
                }
            }
        }
        kept
    }

    /// The body as fields of the task; may add or remove the header that describes it.
    pub(super) fn body(&self, headers: &mut Map, name: &str, notices: &mut Notices) -> Fields {
        let recorded = self.header("content-type").unwrap_or_default();
        let post = self.post.as_ref();
        let body = post.map(|post| post.body(recorded, headers, name, notices)).unwrap_or_default();
        if body.is_empty() && self.had_body && !post.is_some_and(PostData::is_binary) {
            notices.missing_bodies.push(name.to_owned());
        }
        body
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The URL from its path on; all of a relative one.
pub(super) fn path(url: &str) -> &str {
    let rest = url.split_once("://").filter(|(scheme, rest)| {
        let letters = scheme.bytes().all(|byte| byte.is_ascii_alphabetic());
        !scheme.is_empty() && letters && !rest.is_empty() && !rest.starts_with('/')
    });
    match rest {
        None => url,
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
    }
}

/// Sorts entries by the start of their requests; one without a time follows its predecessor.
pub(super) fn sort(entries: &mut Vec<Entry<'_>>) {
    let mut last = Timestamp::MIN;
    let mut timed: Vec<_> = std::mem::take(entries)
        .into_iter()
        .map(|entry| {
            last = entry.started.unwrap_or(last);
            (last, entry)
        })
        .collect();
    timed.sort_by_key(|(started, _)| *started);
    entries.extend(timed.into_iter().map(|(_, entry)| entry));
}

/// A URL's scheme in lower case; `None` for a relative one.
fn scheme(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once(':')?;
    let letters = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    // `host:443` is a name and a port.
    let port = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    let named = letters && scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && !port;
    named.then(|| scheme.to_ascii_lowercase())
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A header's value on one line; recorders that join several headers write a line for each.
fn one_line(value: &str) -> String {
    let lines = value.split(['\r', '\n', '\0']).map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(", ")
}

/// The accepted codings that the load engine decodes.
fn decodable(accepted: &str) -> String {
    let codings = accepted.split(',').map(str::trim).filter(|coding| {
        let name = coding.split(';').next().unwrap_or_default().trim();
        DECODED.iter().any(|known| name.eq_ignore_ascii_case(known))
    });
    codings.collect::<Vec<_>>().join(", ")
}
