//! Postman collections of the versions 2.0 and 2.1: requests in folders, with the credentials that the
//! folders and the collection give them, and with what simple scripts check and keep.

mod auth;
mod body;
mod scripts;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::lookup::{elements, is_true, list, members, object, scalar, text};
use super::{Import, NotImported, Request, add, set_in};
use crate::protocol::http::METHODS;
use crate::value::{Map, Value};

/// How deep folders may be.
const MAX_DEPTH: usize = 64;

/// Postman's own variables, and the placeholders that give the same.
const GENERATED: [(&str, &str); 22] = [
    ("$guid", "${uuid()}"),
    ("$randomUUID", "${uuid()}"),
    ("$isoTimestamp", "${now()}"),
    ("$randomInt", "${randint(0, 1000)}"),
    ("$randomFirstName", "${faker.first_name}"),
    ("$randomLastName", "${faker.last_name}"),
    ("$randomFullName", "${faker.name}"),
    ("$randomNamePrefix", "Dr."),
    ("$randomEmail", "${faker.email}"),
    ("$randomExampleEmail", "${faker.email}"),
    ("$randomUserName", "${faker.user_name}"),
    ("$randomPhoneNumber", "${faker.phone_number}"),
    ("$randomStreetAddress", "${faker.address}"),
    ("$randomCity", "${faker.city}"),
    ("$randomCountry", "${faker.country}"),
    ("$randomCompanyName", "${faker.company}"),
    ("$randomJobTitle", "${faker.job}"),
    ("$randomWord", "${faker.word}"),
    ("$randomLoremWord", "${faker.word}"),
    ("$randomLoremSentence", "${faker.sentence}"),
    ("$randomUrl", "${faker.url}"),
    ("$randomIP", "${faker.ipv4}"),
];

/// `{{name}}`
static HOLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\{\{\s*([^{}\s][^{}\n]*?)\s*\}\}").ok());

/// Whether a value is a collection.
pub(crate) fn is_collection(value: &Value) -> bool {
    value.get("info").is_some() && value.get("item").is_some()
}

/// The requests of a collection.
pub(crate) fn import(collection: &Value) -> Result<Import, NotImported> {
    let mut reader = Reader { import: Import::default(), inside: Vec::new() };
    reader.variables(collection);
    reader.folder(collection, &Auth::None, 0)?;
    reader.import.inline_variables();
    Ok(reader.import)
}

/// How requests are authenticated.
#[derive(Debug, Clone, PartialEq)]
enum Auth {
    None,
    /// The member `auth` of a task.
    Member(Value),
    /// A header or a parameter with a key.
    Key {
        name: String,
        value: String,
        in_query: bool,
    },
}

/// What the scripts of a place check and keep.
#[derive(Debug, Default)]
struct Checks {
    assertions: Vec<Value>,
    extractors: Vec<Value>,
}

impl Checks {
    /// Adds them to a task.
    fn add_to(&self, task: &mut Map) {
        for assertion in &self.assertions {
            let known =
                task.get("assertions").is_some_and(|list| elements(list).contains(assertion));
            if !known {
                add(task, "assertions", assertion.clone());
            }
        }
        self.extractors.iter().for_each(|extractor| add(task, "extract", extractor.clone()));
    }
}

struct Reader {
    import: Import,
    /// What the scripts of the folders around an item check, outermost first.
    inside: Vec<Checks>,
}

impl Reader {
    /// The variables of a collection or a folder.
    fn variables(&mut self, place: &Value) {
        for one in list(place, "variable").iter().filter(|one| !is_true(one, "disabled")) {
            let Some(name) = text(one, "key").or_else(|| text(one, "id")) else { continue };
            let value = self.filled(&one.get("value").and_then(scalar).unwrap_or_default());
            self.import.variables.insert(name.to_owned(), value.into());
        }
    }

    fn folder(&mut self, folder: &Value, auth: &Auth, depth: usize) -> Result<(), NotImported> {
        if depth > MAX_DEPTH {
            return Err(NotImported(format!("folders are nested deeper than {MAX_DEPTH} levels")));
        }
        let auth = self.auth(folder, auth);
        let checks = self.scripts(folder);
        self.inside.push(checks);
        for item in list(folder, "item") {
            if item.get("item").is_some() {
                self.variables(item);
                self.folder(item, &auth, depth + 1)?;
            } else if members(item).is_some() {
                self.item(item, &auth)?;
            }
        }
        self.inside.pop();
        Ok(())
    }

    fn item(&mut self, item: &Value, auth: &Auth) -> Result<(), NotImported> {
        let name = item.get("name").map(Value::to_text);
        // A request may be its URL alone.
        let request = item.get("request").unwrap_or(&Value::Null);
        let url = match request {
            Value::Str(url) => url.clone(),
            request => url(request.get("url").unwrap_or(&Value::Null)),
        };
        if url.is_empty() {
            self.import.notices.note("requests without a URL left out", name.unwrap_or_default());
            return Ok(());
        }
        let method = request
            .get("method")
            .map_or("get".to_owned(), |method| method.to_text().to_lowercase());
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| url.clone());
        if !METHODS.contains(&method.to_uppercase().as_str()) {
            self.import.notices.leave_out(format!("method {method}"));
            return Ok(());
        }
        let mut task = Map::new();
        let mut set = |key: &str, value: String| task.insert(key.to_owned(), value.into());
        set("method", method);
        set("request_url", self.filled(&with_path_variables(&url, request)));
        set("name", name);
        for (name, value) in headers(request) {
            let value = self.filled(&value);
            set_in(&mut task, "headers", &name, value);
        }
        self.body(request, &mut task);
        let auth = self.auth(request, auth);
        self.credentials(&auth, &mut task);
        let own = self.scripts(item);
        for checks in self.inside.iter().chain([&own]) {
            checks.add_to(&mut task);
        }
        self.settings(item, &mut task);
        self.import.push(Request { task, pause: None })
    }

    /// What the collection says about how a request is made.
    fn settings(&mut self, item: &Value, task: &mut Map) {
        for (key, value) in object(item, "protocolProfileBehavior") {
            match (key.as_str(), value) {
                ("followRedirects", Value::Bool(false)) => {
                    task.insert("allow_redirects".to_owned(), false.into());
                }
                ("strictSSL", Value::Bool(false)) => {
                    task.insert("verify".to_owned(), false.into());
                }
                ("followRedirects" | "strictSSL", _) => {}
                (other, _) => self.import.notices.leave_out(format!("setting {other}")),
            }
        }
    }

    /// A text with Postman's placeholders as ours.
    fn filled(&mut self, text: &str) -> String {
        let Some(hole) = HOLE.as_ref().filter(|_| text.contains("{{")) else {
            return text.to_owned();
        };
        let notices = &mut self.import.notices;
        let replaced = hole.replace_all(text, |found: &Captures<'_>| {
            let part = |index| found.get(index).map_or("", |part| part.as_str());
            let name = part(1);
            match generated(name) {
                Some(ours) => ours,
                None if name.starts_with('$') => {
                    notices.note("generated values without a counterpart", name);
                    part(0).to_owned()
                }
                None => format!("${{var.{name}}}"),
            }
        });
        replaced.into_owned()
    }

    /// The same for all texts of a value.
    fn filled_value(&mut self, value: &mut Value) {
        match value {
            Value::Str(text) if text.contains("{{") => *text = self.filled(text),
            Value::List(items) => items.iter_mut().for_each(|item| self.filled_value(item)),
            Value::Dict(members) => {
                members.values_mut().for_each(|member| self.filled_value(member))
            }
            _ => {}
        }
    }
}

fn generated(name: &str) -> Option<String> {
    let known = GENERATED.iter().find(|(known, _)| *known == name);
    known.map(|(_, ours)| (*ours).to_owned())
}

/// A URL, whichever of its forms it has.
fn url(url: &Value) -> String {
    if let Some(raw) = url.as_str().or_else(|| text(url, "raw")).filter(|raw| !raw.is_empty()) {
        return raw.to_owned();
    }
    if members(url).is_none() {
        return String::new();
    }
    let joined = |key: &str, by: &str| match url.get(key) {
        Some(Value::List(parts)) => {
            // A step may be an object with its value.
            let part = |part: &Value| scalar(part.get("value").unwrap_or(part)).unwrap_or_default();
            parts.iter().map(part).collect::<Vec<_>>().join(by)
        }
        Some(one) => scalar(one).unwrap_or_default(),
        None => String::new(),
    };
    let (host, path) = (joined("host", "."), joined("path", "/"));
    let protocol =
        text(url, "protocol").map(|protocol| format!("{protocol}://")).unwrap_or_default();
    let port = url.get("port").and_then(scalar).map(|port| format!(":{port}")).unwrap_or_default();
    let query: Vec<String> = list(url, "query")
        .iter()
        .filter(|one| !is_true(one, "disabled"))
        .filter_map(|one| {
            Some(format!("{}={}", text(one, "key")?, text(one, "value").unwrap_or_default()))
        })
        .collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("{protocol}{host}{port}/{path}{query}")
}

/// The headers of a request: a list, or a text with a line each.
fn headers(request: &Value) -> Vec<(String, String)> {
    let written = text(request, "header").unwrap_or_default().lines();
    let lines = written.filter_map(|line| line.split_once(':'));
    let lines = lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    let given = list(request, "header").iter().filter(|one| !is_true(one, "disabled"));
    let given = given.filter_map(|one| {
        let name = one.get("key").or_else(|| one.get("name")).and_then(scalar)?;
        Some((name, one.get("value").and_then(scalar).unwrap_or_default()))
    });
    lines.chain(given).filter(|(name, _)| !name.is_empty()).collect()
}

/// The values of `:name` in the path.
fn with_path_variables(written: &str, request: &Value) -> String {
    let given = request.get("url").map_or(&[][..], |url| list(url, "variable"));
    let given: HashMap<&str, String> = given
        .iter()
        .filter_map(|one| {
            let name = text(one, "key").or_else(|| text(one, "id"))?;
            Some((name, one.get("value").and_then(scalar).unwrap_or_default()))
        })
        .collect();
    let (path, query) = match written.find(['?', '#']) {
        Some(at) => written.split_at(at),
        None => (written, ""),
    };
    let steps = path.split('/').map(|step| {
        let known = step.strip_prefix(':').and_then(|name| Some((name, given.get(name)?)));
        match known {
            None => Cow::Borrowed(step),
            Some((name, value)) if value.is_empty() => format!("${{var.{name}}}").into(),
            Some((_, value)) => value.as_str().into(),
        }
    });
    let steps: Vec<Cow<'_, str>> = steps.collect();
    format!("{}{query}", steps.join("/"))
}

/// A member that is a list of `{key, value}` in 2.1 and an object in 2.0.
fn settings_of(value: &Value) -> Map {
    match value {
        Value::Dict(members) => members.clone(),
        list => elements(list)
            .iter()
            .filter_map(|one| Some((text(one, "key")?.to_owned(), one.get("value")?.clone())))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
