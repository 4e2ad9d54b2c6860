//! The hosts of recorded requests: one becomes the test's host, the others variables.

use indexmap::IndexMap;
use url::Url;

use crate::action::commands::har::RecordedRequest;
use crate::protocol::http::percent_decode;
use crate::redact;
use crate::value::{Map, Value};

/// The hosts of a recording.
#[derive(Debug)]
pub(super) struct Hosts {
    /// The origin of the test; `None` if all URLs are relative.
    base: Option<String>,
    /// Other origins and their variables.
    others: IndexMap<String, String>,
    /// Other origins whose requests were left out, and how many there were.
    left_out: IndexMap<String, usize>,
}

/// The origin of an absolute URL, and what follows its host. A URL that a variable of the environment
/// begins has this one as its origin.
pub(super) fn origin(url: &str) -> Option<(String, &str)> {
    if url.starts_with("${env.") {
        let (origin, rest) = url.split_at_checked(url.find('}')? + 1)?;
        return Some((origin.to_owned(), rest));
    }
    let (scheme, rest) = url.split_once("://")?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains("${") {
        return Some((format!("{scheme}://{authority}"), rest));
    }
    let parsed = Url::parse(url).ok()?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return None;
    }
    Some((parsed.origin().ascii_serialization(), rest))
}

/// Takes user and password out of a task's URL: they are sent as Basic authentication, unless the task
/// has another.
pub(super) fn take_credentials(task: &mut Map) {
    let Some(Value::Str(url)) = task.get_mut("request_url") else { return };
    let Some((scheme, rest)) = url.split_once("://") else { return };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some(at) = rest.get(..end).and_then(|authority| authority.rfind('@')) else { return };
    let (user, password) = rest
        .get(..at)
        .unwrap_or_default()
        .split_once(':')
        .unwrap_or_else(|| (rest.get(..at).unwrap_or_default(), ""));
    let [user, password] =
        [user, password].map(|text| percent_decode(text).unwrap_or_else(|| text.to_owned()));
    *url = format!("{scheme}://{}", rest.get(at + 1..).unwrap_or_default());
    let has_header = task.get("headers").is_some_and(|headers| match headers {
        Value::Dict(headers) => {
            headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"))
        }
        _ => false,
    });
    if !has_header && !task.contains_key("auth") {
        let auth = [
            ("type", Value::from("basic")),
            ("username", user.into()),
            ("password", password.into()),
        ];
        task.insert("auth".to_owned(), Value::dict(auth));
    }
}

/// Replaces a name that is the task's URL, or has a secret in it.
pub(super) fn rename(task: &mut Map, has_secret: impl Fn(&str) -> bool) {
    let Some(name) = task.get("name").map(Value::to_text) else { return };
    let url = task.get("request_url").and_then(Value::as_str).unwrap_or_default();
    let is_url = |name: &str| {
        name.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(char::is_whitespace))
    };
    if name == url || is_url(&name) || redact::url(&name) != name || has_secret(&name) {
        let path = origin(url).map_or(url, |(_, rest)| rest);
        let name = method_and_path(task, "", path);
        task.insert("name".to_owned(), name.into());
    }
}

/// The name of a task that has none. What follows the path may be secret.
fn method_and_path(task: &Map, host: &str, rest: &str) -> String {
    let method = task.get("method").and_then(Value::as_str).unwrap_or_default().to_uppercase();
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let slash = if path.starts_with('/') || path.starts_with("${") { "" } else { "/" };
    format!("{method} {host}{slash}{path}")
}

fn of_task(task: &Map) -> Option<(String, &str)> {
    origin(task.get("request_url")?.as_str()?)
}

impl Hosts {
    /// Chooses the host of the test: that of the first page, else the most frequent one.
    pub(super) fn of<'a>(requests: impl Iterator<Item = &'a RecordedRequest>) -> Self {
        let mut counts: IndexMap<String, usize> = IndexMap::new();
        let mut page = None;
        for request in requests {
            page = page.or(Some(request).filter(|request| request.page));
            if let Some((origin, _)) = of_task(&request.task) {
                *counts.entry(origin).or_default() += 1;
            }
        }
        let page = page.and_then(|request| of_task(&request.task)).map(|(origin, _)| origin);
        // Of several the first.
        let most = || counts.iter().rev().max_by_key(|(_, count)| **count);
        let base = page.or_else(|| most().map(|(origin, _)| origin.clone()));
        Self { base, others: IndexMap::new(), left_out: IndexMap::new() }
    }

    /// Whether a request goes to the host of the test; counts it otherwise.
    pub(super) fn keeps(&mut self, task: &Map) -> bool {
        match of_task(task) {
            Some((origin, _)) if Some(&origin) != self.base.as_ref() => {
                *self.left_out.entry(origin).or_default() += 1;
                false
            }
            _ => true,
        }
    }

    /// What was left out, for people.
    pub(super) fn left_out(&self) -> Option<String> {
        let hosts = self.left_out.iter().map(|(origin, count)| format!("{origin} ({count})"));
        let hosts = hosts.collect::<Vec<_>>().join(", ");
        (!hosts.is_empty()).then(|| format!("left out requests to other hosts: {hosts}"))
    }

    /// Takes the host out of a task's URL. The name, where it has none or a new one is wanted, is the method
    /// and the path, without its query.
    pub(super) fn split(&mut self, task: &mut Map, rename: bool) {
        let mut name = None;
        if let Some((origin, rest)) = of_task(task) {
            let slash = if rest.starts_with('/') { "" } else { "/" };
            let url = if Some(&origin) == self.base.as_ref() {
                format!("{slash}{rest}")
            } else if origin.contains("${") {
                // Variables hold no variables.
                format!("{origin}{slash}{rest}")
            } else {
                let host = origin.split_once("://").map_or(&*origin, |(_, host)| host);
                name = Some(method_and_path(task, host, rest));
                format!("${{{}}}{slash}{rest}", self.variable(&origin))
            };
            name = name.or_else(|| Some(method_and_path(task, "", rest)));
            task.insert("request_url".to_owned(), url.into());
        }
        if rename || !task.contains_key("name") {
            task.extend(name.map(|name| ("name".to_owned(), name.into())));
        }
    }

    fn variable(&mut self, origin: &str) -> &str {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let mut name: String =
            host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        // The same host by http and https.
        while self.others.iter().any(|(known, used)| *used == name && known != origin) {
            name.push('_');
        }
        self.others.entry(origin.to_owned()).or_insert(name)
    }

    /// The host of the test.
    pub(super) fn base(&self) -> Option<String> {
        self.base.clone()
    }

    /// The variables of the others.
    pub(super) fn variables(self) -> Map {
        self.others.into_iter().map(|(origin, name)| (name, origin.into())).collect()
    }
}
