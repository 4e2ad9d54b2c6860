//! Cookies that a browser had before the recording began: those that requests send before any recorded
//! response has set them. Each virtual user keeps the others by itself.

use std::collections::HashMap;

use jiff::Timestamp;
use url::Url;

use super::hosts::origin;
use crate::value::{Map, Value};

/// A cookie of a session that had begun.
#[derive(Debug)]
struct Carried {
    name: String,
    value: String,
    /// When a response has set it anew; from then on the virtual user keeps it.
    renewed: Option<Timestamp>,
}

/// Those of a recording, by the origin of the requests that send them.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<String, Vec<Carried>>);

/// A cookie that a recorded response sets: its name, and where it is sent.
struct Set {
    name: String,
    host: String,
    /// Also to the hosts below.
    below: bool,
}

impl Set {
    /// Reads a `Set-Cookie` of a host.
    fn read(cookie: &str, host: &str) -> Option<Self> {
        let (name, attributes) = cookie.split_once('=')?;
        let domain = attributes.split(';').skip(1).find_map(|attribute| {
            let (name, value) = attribute.split_once('=')?;
            name.trim().eq_ignore_ascii_case("domain").then(|| value.trim().trim_start_matches('.'))
        });
        Some(Self {
            name: name.trim().to_owned(),
            host: domain.unwrap_or(host).to_ascii_lowercase(),
            below: domain.is_some(),
        })
    }

    fn is_sent_to(&self, host: &str) -> bool {
        let below = host.strip_suffix(&self.host).is_some_and(|front| front.ends_with('.'));
        host == self.host || self.below && below
    }
}

impl Sessions {
    /// Looks at the entries of a recording in the order of their requests.
    pub(super) fn of(har: &Value) -> Self {
        let entries = har.get("log").and_then(|log| log.get("entries"));
        let Some(Value::List(entries)) = entries else { return Self::default() };
        let mut entries: Vec<(Option<Timestamp>, &Value)> = entries
            .iter()
            .map(|entry| {
                let started = entry.get("startedDateTime").and_then(Value::as_str);
                (started.and_then(|text| text.parse().ok()), entry)
            })
            .collect();
        // One without a time stays behind the one before it.
        let mut last = None;
        for (started, _) in &mut entries {
            *started = started.or(last);
            last = *started;
        }
        entries.sort_by_key(|(started, _)| *started);
        let mut found: HashMap<String, Vec<Carried>> = HashMap::new();
        let mut set: Vec<Set> = Vec::new();
        for (started, entry) in entries {
            let url = entry.get("request").and_then(|request| request.get("url"));
            let Some(url) = url.and_then(Value::as_str) else { continue };
            let Some((origin, _)) = origin(url) else { continue };
            let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
            let host = host.unwrap_or_default();
            let cookies = found.entry(origin).or_default();
            let pairs = values(entry, "request", "cookie").flat_map(|header| header.split(';'));
            for (name, value) in pairs.filter_map(|pair| pair.trim().split_once('=')) {
                let is_set = set.iter().any(|set| set.name == name && set.is_sent_to(&host));
                if !is_set && cookies.iter().all(|known| known.name != name) {
                    let (name, value) = (name.to_owned(), value.to_owned());
                    cookies.push(Carried { name, value, renewed: None });
                }
            }
            for line in values(entry, "response", "set-cookie").flat_map(str::lines) {
                let Some(new) = Set::read(line, &host) else { continue };
                for (origin, cookies) in &mut found {
                    let host = origin.split_once("://").map_or("", |(_, host)| host);
                    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
                    let is_it = |known: &&mut Carried| known.name == new.name;
                    if new.is_sent_to(host)
                        && let Some(known) = cookies.iter_mut().find(is_it)
                    {
                        known.renewed = known.renewed.or(started);
                    }
                }
                set.push(new);
            }
        }
        Self(found)
    }

    /// The cookies that a request to an origin brings along.
    pub(super) fn carried(&self, origin: &str, started: Option<Timestamp>) -> Map {
        let known = self.0.get(origin).into_iter().flatten();
        let brought = known.filter(|cookie| match (cookie.renewed, started) {
            (Some(renewed), Some(started)) => started <= renewed,
            _ => true,
        });
        brought.map(|cookie| (cookie.name.clone(), cookie.value.as_str().into())).collect()
    }

    /// Whether there are any.
    pub(super) fn are_some(&self) -> bool {
        self.0.values().any(|cookies| !cookies.is_empty())
    }
}

/// The values of a header of an entry's request or response.
fn values<'a>(entry: &'a Value, half: &str, header: &str) -> impl Iterator<Item = &'a str> {
    let headers = match entry.get(half).and_then(|half| half.get("headers")) {
        Some(Value::List(headers)) => headers.as_slice(),
        _ => &[],
    };
    let named = move |pair: &&Value, header: &str| {
        let name = pair.get("name").and_then(Value::as_str);
        name.is_some_and(|name| name.eq_ignore_ascii_case(header))
    };
    let header = header.to_owned();
    let headers = headers.iter().filter(move |pair| named(pair, &header));
    headers.filter_map(|pair| pair.get("value").and_then(Value::as_str))
}
