//! Secrets of recorded requests, by the names of headers, parameters and members. Each becomes a
//! placeholder of the environment, the same value the same.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::places::Places;
use crate::action::import::variable;
use crate::load::template::references;
use crate::redact;
use crate::value::{Map, Value};

/// The shortest secret that is looked for in other texts, in bytes.
const LEAST: usize = 4;

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
    /// Replaces the secrets of a task. `credentials` are names of headers and parameters that do not tell.
    pub(super) fn replace(&mut self, task: &mut Map, credentials: &BTreeSet<String>) {
        let replace = |name: &str, value: &str| self.placeholder(name, value);
        Places { credentials, replace }.visit(task);
        // A proxy is read before variables are known.
        if let Some(Value::Str(proxy)) = task.get_mut("proxy")
            && let Some((scheme, rest)) = proxy.split_once("://")
            && let Some((_, host)) = rest.rsplit_once('@')
        {
            *proxy = format!("{scheme}://{host}");
            self.proxies.insert(proxy.clone());
        }
        if let Some(Value::Str(text)) = task.get("data")
            && let text = without_placeholders(text)
            && redact::text(&text) != text.as_str()
        {
            let name = task.get("name").map(Value::to_text).unwrap_or_default();
            self.doubts.insert(name);
        }
    }

    /// Whether a text holds one of the secrets, and not by accident.
    pub(super) fn are_in(&self, text: &str) -> bool {
        self.names.keys().any(|secret| secret.len() >= LEAST && text.contains(secret.as_str()))
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

    fn placeholder(&mut self, name: &str, value: &str) -> Option<String> {
        if value.is_empty() || value.starts_with("${") {
            return None;
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
        Some(format!("${{env.{variable}}}"))
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
