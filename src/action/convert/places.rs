//! The places of a task that hold secrets: headers, parameters and members with telling names, cookies,
//! and what an import says are credentials.

use std::collections::BTreeSet;

use crate::redact;
use crate::value::{Map, Value};

/// The places of tasks, and what is done with their contents.
pub(super) struct Places<'a, F> {
    /// Names of headers and parameters that hold credentials, though they do not tell.
    pub(super) credentials: &'a BTreeSet<String>,
    /// Is given the name of a place and its text; returns another text, if it is to be replaced.
    pub(super) replace: F,
}

impl<F: FnMut(&str, &str) -> Option<String>> Places<'_, F> {
    /// Those of one task.
    pub(super) fn visit(&mut self, task: &mut Map) {
        if let Some(Value::Str(url)) = task.get_mut("request_url") {
            *url = self.url(url);
        }
        for (name, value) in members(task, "headers") {
            if let Value::Str(text) = value
                && self.is_secret(name)
            {
                self.header(name, text);
            }
        }
        for (name, value) in members(task, "cookies") {
            if let Value::Str(text) = value {
                self.text(&format!("COOKIE_{name}"), text);
            }
        }
        for (name, value) in members(task, "params") {
            if self.credentials.contains(name) {
                self.all(name, value);
            }
        }
        for member in ["auth", "json", "data", "params"] {
            if let Some(value) = task.get_mut(member) {
                self.members(value);
            }
        }
        match task.get_mut("files") {
            Some(Value::Dict(files)) => files.iter_mut().for_each(|(name, it)| self.part(name, it)),
            Some(Value::List(files)) => {
                for file in files {
                    if let Value::List(pair) = file
                        && let [Value::Str(name), part] = pair.as_mut_slice()
                    {
                        self.part(name, part);
                    }
                }
            }
            _ => {}
        }
        if let Some(Value::Str(text)) = task.get_mut("data")
            && !text.trim_start().starts_with(['{', '[', '<'])
        {
            *text = self.parameters(text);
        }
    }

    fn is_secret(&self, name: &str) -> bool {
        redact::names_secret(name) || self.credentials.contains(name)
    }

    /// Values of members with telling names, at any depth; also of fields as pairs, and of members that
    /// say their name themselves.
    fn members(&mut self, value: &mut Value) {
        match value {
            Value::Dict(members) => {
                let told = ["name", "key"].iter().find_map(|key| members.get(*key)?.as_str());
                let told = told.filter(|name| redact::names_secret(name)).map(str::to_owned);
                for (name, member) in members {
                    match &told {
                        _ if redact::names_secret(name) => self.all(name, member),
                        Some(told) if name == "value" => self.all(told, member),
                        _ => self.members(member),
                    }
                }
            }
            Value::List(items) => match items.as_mut_slice() {
                [Value::Str(name), value] if redact::names_secret(name) => self.all(name, value),
                items => items.iter_mut().for_each(|item| self.members(item)),
            },
            _ => {}
        }
    }

    /// Everything below a telling name that can be a secret.
    fn all(&mut self, name: &str, value: &mut Value) {
        match value {
            Value::Str(text) => self.text(name, text),
            Value::Int(_) | Value::Big(_) | Value::Float(_) => {
                if let Some(replaced) = (self.replace)(name, &value.to_text()) {
                    *value = replaced.into();
                }
            }
            Value::List(items) | Value::Tuple(items) => {
                items.iter_mut().for_each(|item| self.all(name, item));
            }
            Value::Dict(members) => members.values_mut().for_each(|member| self.all(name, member)),
            _ => {}
        }
    }

    /// The content of a part of a form. The name of a file is none, and its path leads to none.
    fn part(&mut self, name: &str, part: &mut Value) {
        if !redact::names_secret(name) {
            return;
        }
        match part {
            Value::Str(text) => self.text(name, text),
            Value::List(part) | Value::Tuple(part) => {
                part.iter_mut().skip(1).take(1).for_each(|content| self.all(name, content));
            }
            _ => {}
        }
    }

    /// A header's value; the scheme of credentials stays.
    fn header(&mut self, name: &str, text: &mut String) {
        match text.split_once(' ') {
            Some((scheme, secret)) if name.eq_ignore_ascii_case("authorization") => {
                let kind =
                    if scheme.eq_ignore_ascii_case("bearer") { "TOKEN" } else { "CREDENTIALS" };
                if let Some(replaced) = (self.replace)(kind, secret.trim()) {
                    *text = format!("{scheme} {replaced}");
                }
            }
            _ => self.text(name, text),
        }
    }

    /// A URL whose query or fragment has telling names.
    fn url(&mut self, url: &str) -> String {
        let (url, fragment) = match url.split_once('#') {
            Some((url, fragment)) => (url, format!("#{}", self.parameters(fragment))),
            None => (url, String::new()),
        };
        match url.split_once('?') {
            Some((path, query)) => format!("{path}?{}{fragment}", self.parameters(query)),
            None => format!("{url}{fragment}"),
        }
    }

    /// A query or a form, some of whose names are telling.
    fn parameters(&mut self, text: &str) -> String {
        let parameters = text.split('&').map(|parameter| {
            let replaced = match parameter.split_once('=') {
                Some((name, value)) if self.is_secret(name) => {
                    (self.replace)(name, value).map(|value| format!("{name}={value}"))
                }
                _ => None,
            };
            replaced.unwrap_or_else(|| parameter.to_owned())
        });
        parameters.collect::<Vec<_>>().join("&")
    }

    fn text(&mut self, name: &str, text: &mut String) {
        if let Some(replaced) = (self.replace)(name, text) {
            *text = replaced;
        }
    }
}

/// The members of an object among the members of a task.
fn members<'a>(
    task: &'a mut Map,
    key: &str,
) -> impl Iterator<Item = (&'a String, &'a mut Value)> + use<'a> {
    let members = match task.get_mut(key) {
        Some(Value::Dict(members)) => Some(members),
        _ => None,
    };
    members.into_iter().flatten()
}
