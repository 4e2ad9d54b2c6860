//! Fields that several protocols of steps have: the method, the URL and the name.

use std::borrow::Cow;

use crate::load::driver::VirtualUser;
use crate::load::template::{Compiler, Draft, Linker, Template, Text, not_set, unset_variable};
use crate::protocol::hex;
use crate::protocol::http::Proxies;
use crate::protocol::labels::{Name, Naming};
use crate::protocol::placed::Placed;
use crate::protocol::user::Setup;
use crate::value::{Invalid, Object, Reader};

/// The longest message that is sent, in bytes.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// The settings of all tasks of a test.
#[derive(Debug, Default)]
pub(crate) struct Defaults {
    /// The URL of tasks without one, and the beginning of those that are paths.
    pub(crate) host: Option<String>,
    /// The proxies of the test; `None` for those of the environment.
    pub(crate) proxies: Option<Proxies>,
}

impl Defaults {
    /// Parses the settings; `host` parses the host.
    pub(crate) fn parse(
        setup: &Setup<'_>,
        host: impl Fn(&Reader<'_>) -> Result<String, Invalid>,
    ) -> Result<Self, Invalid> {
        let host = setup.host.as_ref().map(host).transpose()?;
        let proxies = setup.option("proxy").map(Proxies::read).transpose()?;
        Ok(Self { host, proxies })
    }

    /// Takes the URL of a task, if it has one; `check` says why a constant one is none.
    fn url(
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

/// The URL and the name of a parsed step.
#[derive(Debug)]
pub(crate) struct TargetDraft {
    url: Option<Placed<Draft>>,
    host: Option<Draft>,
    name: Option<Draft>,
    method: &'static str,
}

impl TargetDraft {
    /// Takes the method, one of these, and the URL and the name of a task; `check` says why a constant
    /// URL is none.
    pub(crate) fn parse<T: Copy + PartialEq>(
        methods: &[(T, &'static str)],
        fields: &mut Object<'_>,
        defaults: &Defaults,
        compiler: &mut Compiler,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<(T, Self), Invalid> {
        let (method, word) = fields.or_default("method", |field| named(field, methods))?;
        let url = defaults.url(fields, compiler, check)?;
        let host = defaults.host.as_deref().map(|host| compiler.template(host));
        Ok((method, Self { url, host, name: name(fields, compiler), method: word }))
    }

    /// Links the URL, which comes before a task's other fields.
    pub(crate) fn link_url(
        &mut self,
        linker: &mut Linker<'_>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Option<Template>, Invalid> {
        let Some(url) = self.url.take() else { return Ok(None) };
        let url = url.link(linker)?;
        check_url(&url, check)?;
        Ok(Some(url.value))
    }

    /// Links the rest.
    pub(crate) fn link(
        self,
        url: Option<Template>,
        linker: &mut Linker<'_>,
    ) -> Result<Target, Invalid> {
        let host = self.host.map(|host| host.link(linker)).transpose()?;
        let name = self.name.map(|name| name.link(linker)).transpose()?;
        Ok(Target { url, host, name, method: self.method })
    }
}

/// The URL and the name of a step.
#[derive(Debug)]
pub(crate) struct Target {
    /// `None` stands for that of the user's connection, or else the host.
    pub(crate) url: Option<Template>,
    host: Option<Template>,
    name: Option<Template>,
    /// The name of steps that have neither.
    method: &'static str,
}

impl Target {
    /// The URL of a step: its task's, or that of what its user has `open`, or else the host if it
    /// `connects`.
    pub(crate) fn url_of_step<'a>(
        &'a self,
        open: Option<&str>,
        connects: bool,
        virtual_user: &mut VirtualUser,
    ) -> Cow<'a, str> {
        match (&self.url, open, &self.host) {
            (Some(url), _, _) => url.filled(&mut virtual_user.scope),
            (None, Some(open), _) => Cow::from(open.to_owned()),
            (None, None, Some(host)) if connects => host.filled(&mut virtual_user.scope),
            (None, None, _) => Cow::from(""),
        }
    }

    /// The label of its steps.
    pub(crate) fn naming<'a>(&'a self, method: &'a str, no_url: &'a Template) -> Naming<'a> {
        let name = self.name.as_ref().map_or(Name::UrlOr(self.method), Name::Written);
        let url = self.url.as_ref().or(self.host.as_ref()).unwrap_or(no_url);
        Naming { method, url, name }
    }
}

/// Refuses a constant URL that is none, as `check` says.
pub(crate) fn check_url<H>(
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
pub(crate) fn name(fields: &mut Object<'_>, compiler: &mut Compiler) -> Option<Draft> {
    let name = fields.present("name").map(|field| field.value().to_text());
    let name = name.filter(|name| !name.is_empty());
    name.map(|name| compiler.aside(|compiler| compiler.template(&name)))
}

/// The text of a field that what a step receives is compared with.
pub(crate) fn compared(field: &Reader<'_>, compiler: &mut Compiler) -> Draft {
    compiler.aside(|compiler| compiler.template(&field.value().to_text()))
}

/// Refuses a message that is too long, or whose constant bytes are none.
pub(crate) fn check_message<H>(message: &Placed<Text<H>>, binary: bool) -> Result<(), Invalid> {
    let length = message.value.written_length();
    if length > MAX_MESSAGE {
        let why = format!("a message of {length} bytes exceeds the limit of {MAX_MESSAGE}");
        return Err(message.refusal(why));
    }
    match message.value.as_literal() {
        Some(text) if binary => match hex::decode(text.as_bytes()) {
            Ok(_) => Ok(()),
            Err(why) => Err(message.refusal(why)),
        },
        _ => Ok(()),
    }
}

/// The method that a field names, in any case, and its first name.
fn named<T: Copy + PartialEq>(
    field: &Reader<'_>,
    all: &[(T, &'static str)],
) -> Result<(T, &'static str), Invalid> {
    let name = field.text()?;
    let named = all.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
    let found = named.and_then(|(method, _)| all.iter().find(|(known, _)| known == method));
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
        field.choice(&names)
    })
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
