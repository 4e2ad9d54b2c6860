//! Secrets of recorded requests, by the names of headers, parameters and members. Each becomes a
//! placeholder of the environment, the same value the same.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::action::import::variable;
use crate::load::template::references;
use crate::redact;
use crate::value::{Map, Value};

/// The secrets that were found.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// The variables by their values.
    names: IndexMap<String, String>,
    /// Requests whose bodies may hold more.
    doubts: BTreeSet<String>,
    /// Proxies whose user and password were left out.
    proxies: BTreeSet<String>,
}

impl Secrets {
    /// Replaces the secrets of a task.
    pub(super) fn replace(&mut self, task: &mut Map) {
        if let Some(Value::Str(url)) = task.get_mut("request_url") {
            *url = self.url(url);
        }
        if let Some(Value::Dict(headers)) = task.get_mut("headers") {
            for (name, value) in headers {
                if let Value::Str(text) = value
                    && redact::names_secret(name)
                {
                    *text = self.header(name, text);
                }
            }
        }
        if let Some(Value::Dict(cookies)) = task.get_mut("cookies") {
            for (name, value) in cookies {
                if let Value::Str(text) = value {
                    *text = self.placeholder(&format!("COOKIE_{name}"), text);
                }
            }
        }
        // A proxy is read before variables are known.
        if let Some(Value::Str(proxy)) = task.get_mut("proxy")
            && let Some((scheme, rest)) = proxy.split_once("://")
            && let Some((_, host)) = rest.rsplit_once('@')
        {
            *proxy = format!("{scheme}://{host}");
            self.proxies.insert(proxy.clone());
        }
        for member in ["auth", "json", "data", "params", "files"] {
            if let Some(value) = task.get_mut(member) {
                self.members(value);
            }
        }
        if let Some(Value::Str(text)) = task.get_mut("data")
            && !text.trim_start().starts_with(['{', '[', '<'])
        {
            *text = self.parameters(text);
        }
        if let Some(Value::Str(text)) = task.get("data")
            && let text = without_placeholders(text)
            && redact::text(&text) != text.as_str()
        {
            let name = task.get("name").map(Value::to_text).unwrap_or_default();
            self.doubts.insert(name);
        }
    }

    /// The variables.
    pub(super) fn names(&self) -> Vec<String> {
        self.names.values().cloned().collect()
    }

    /// What people have to look at.
    pub(super) fn doubts(&self) -> impl Iterator<Item = String> {
        let line = |words: &str, names: &BTreeSet<String>| {
            let names = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            (!names.is_empty()).then(|| format!("{words}: {names}"))
        };
        let bodies = line("bodies that may hold secrets, kept as they are", &self.doubts);
        let proxies = line(
            "user and password of a proxy left out, because it takes no variables; write them into \
             \"proxy\" where the document is kept safe",
            &self.proxies,
        );
        bodies.into_iter().chain(proxies)
    }

    /// Values of members with telling names, at any depth; also of fields as pairs.
    fn members(&mut self, value: &mut Value) {
        match value {
            Value::Dict(members) => {
                for (name, member) in members {
                    match member {
                        Value::Str(text) if redact::names_secret(name) => {
                            *text = self.placeholder(name, text);
                        }
                        // A part of a form that is no file.
                        Value::List(part) if redact::names_secret(name) => {
                            match part.as_mut_slice() {
                                [Value::Null, Value::Str(text)] => {
                                    *text = self.placeholder(name, text);
                                }
                                part => part.iter_mut().for_each(|item| self.members(item)),
                            }
                        }
                        member => self.members(member),
                    }
                }
            }
            Value::List(items) => match items.as_mut_slice() {
                [Value::Str(name), Value::Str(text)] if redact::names_secret(name) => {
                    *text = self.placeholder(name, text);
                }
                items => items.iter_mut().for_each(|item| self.members(item)),
            },
            _ => {}
        }
    }

    /// A header's value; the scheme of credentials stays.
    fn header(&mut self, name: &str, value: &str) -> String {
        match value.split_once(' ') {
            Some((scheme, secret)) if name.eq_ignore_ascii_case("authorization") => {
                let kind =
                    if scheme.eq_ignore_ascii_case("bearer") { "TOKEN" } else { "CREDENTIALS" };
                format!("{scheme} {}", self.placeholder(kind, secret.trim()))
            }
            _ => self.placeholder(name, value),
        }
    }

    /// A URL whose query has telling names.
    fn url(&mut self, url: &str) -> String {
        let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
        let (query, fragment) = match query.split_once('#') {
            Some((query, fragment)) => (query, format!("#{fragment}")),
            None => (query, String::new()),
        };
        format!("{path}?{}{fragment}", self.parameters(query))
    }

    /// A query or a form, some of whose names are telling.
    fn parameters(&mut self, text: &str) -> String {
        let parameters = text.split('&').map(|parameter| match parameter.split_once('=') {
            Some((name, value)) if redact::names_secret(name) => {
                format!("{name}={}", self.placeholder(name, value))
            }
            _ => parameter.to_owned(),
        });
        parameters.collect::<Vec<_>>().join("&")
    }

    fn placeholder(&mut self, name: &str, value: &str) -> String {
        if value.is_empty() || value.starts_with("${") {
            return value.to_owned();
        }
        let known = self.names.get(value).cloned();
        let variable = known.unwrap_or_else(|| {
            let base = variable(name);
            let mut free = base.clone();
            let mut number = 1;
            while self.names.values().any(|used| *used == free) {
                number += 1;
                free = format!("{base}_{number}");
            }
            self.names.insert(value.to_owned(), free.clone());
            free
        });
        format!("${{env.{variable}}}")
    }
}

/// A text without its placeholders, which are no secrets.
fn without_placeholders(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    for (written, _) in references(text) {
        let Some((before, after)) = rest.split_once(written) else { continue };
        out.push_str(before);
        rest = after;
    }
    out + rest
}
