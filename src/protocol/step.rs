//! What tasks have in common that are steps of a user's connection: WebSocket's, and those of event
//! streams.

use std::borrow::Cow;

use super::http::Proxies;
use super::placed::Placed;
use crate::load::template::{Compiler, Draft, Text, not_set, unset_variable};
use crate::value::{Invalid, Object, Reader};

/// The settings of all tasks of a test.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    /// The URL of tasks without one, and the beginning of those that are paths.
    pub(super) host: Option<String>,
    /// The proxies of the test; `None` for those of the environment.
    pub(super) proxies: Option<Proxies>,
}

impl Defaults {
    /// Takes the URL of a task, if it has one; `check` says why a constant one is none.
    pub(super) fn url(
        &self,
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Option<Placed<Draft>>, Invalid> {
        let field = match (fields.present("request_url"), fields.present("url")) {
            (Some(field), _) | (None, Some(field)) => field,
            (None, None) => return Ok(None),
        };
        let written = field.text()?.trim();
        if written.is_empty() {
            return Err(field.expected("a URL"));
        }
        let url = Placed::at(&field, compiler.template(&self.on_host(written)));
        check_url(&url, check)?;
        Ok(Some(url))
    }

    /// A URL as documents write it, on the host if it is a path.
    fn on_host<'a>(&self, url: &'a str) -> Cow<'a, str> {
        match &self.host {
            Some(host) if url.starts_with(['/', '?']) => {
                Cow::from(format!("{}{url}", host.trim_end_matches('/')))
            }
            _ => Cow::from(url),
        }
    }
}

/// Refuses a constant URL that is none, as `check` says.
pub(super) fn check_url<H>(
    url: &Placed<Text<H>>,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<(), Invalid> {
    let Some(text) = url.value.as_literal() else { return Ok(()) };
    check(text).map_err(|why| match unset_variable(text) {
        Some(name) => url.refusal(not_set(name)),
        None => url.refusal(why),
    })
}

/// The name of a task, if it has one.
pub(super) fn name(fields: &mut Object<'_>, compiler: &mut Compiler) -> Option<Draft> {
    let name = fields.present("name").map(|field| field.value().to_text());
    let name = name.filter(|name| !name.is_empty());
    name.map(|name| compiler.aside(|compiler| compiler.template(&name)))
}

/// The method that a field names, in any case.
pub(super) fn method<T: Copy>(field: &Reader<'_>, all: &[(T, &'static str)]) -> Result<T, Invalid> {
    let name = field.text()?;
    let found = all.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
    found.map(|(method, _)| *method).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
        field.choice(&names)
    })
}

/// The name of steps without one: the URL, or the method where there is none.
pub(super) fn url_or(url: &str, method: &str) -> String {
    if url.is_empty() { method.to_owned() } else { url.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_on_the_host() {
        for (host, url, whole) in [
            (Some("ws://h/"), "/a", "ws://h/a"),
            (Some("ws://h"), "?a", "ws://h?a"),
            (Some("ws://h"), "ws://i/a", "ws://i/a"),
            (None, "/a", "/a"),
        ] {
            let defaults = Defaults { host: host.map(str::to_owned), proxies: None };
            assert_eq!(defaults.on_host(url), whole);
        }
    }
}
