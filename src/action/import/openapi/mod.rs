//! OpenAPI 3 and Swagger 2: an operation becomes a task, with the parameters that it needs, an example
//! of its body, and the credentials that it asks for as variables of the environment.

mod body;
mod parameters;
mod security;

use std::cell::Cell;
use std::collections::HashSet;

use super::lookup::{list, members, object, scalar, text};
use super::{Import, NotImported, Request, add, status_assertion};
use crate::memory::readable;
use crate::protocol::http::METHODS;
use crate::value::{Map, Value};

/// The keys of a path that are operations.
const OPERATIONS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Statuses that are expected, the first that an operation documents.
const EXPECTED: [i64; 4] = [200, 201, 202, 204];

/// How many references may lead to each other.
const MAX_LINKS: usize = 32;

/// The longest reference, in bytes.
const MAX_POINTER: usize = 1 << 10;

/// What all examples together may take, in bytes: a reference to a large one costs a few.
const MOST_EXAMPLES: usize = 256 << 20;

/// A document that describes an API.
#[derive(Debug)]
pub(super) struct Api<'a> {
    root: &'a Value,
    /// Whether it is Swagger 2.
    old: bool,
    /// What examples have taken so far, in bytes.
    spent: Cell<usize>,
}

impl<'a> Api<'a> {
    /// Notes what an example takes; `None` if all of them have taken too much.
    pub(super) fn spend(&self, bytes: usize) -> Option<()> {
        self.spent.set(self.spent.get().saturating_add(bytes));
        (self.spent.get() <= MOST_EXAMPLES).then_some(())
    }

    /// Follows references inside the document; what they do not lead to is `null`.
    pub(super) fn resolved<'v>(&self, value: &'v Value) -> &'v Value
    where
        'a: 'v,
    {
        const NOTHING: &Value = &Value::Null;
        let mut value = value;
        for _ in 0..MAX_LINKS {
            let Some(link) = text(value, "$ref") else { return value };
            value = link.strip_prefix('#').and_then(|path| self.at(path)).unwrap_or(NOTHING);
        }
        NOTHING
    }

    /// The value at a JSON pointer.
    fn at(&self, pointer: &str) -> Option<&'a Value> {
        let mut at = self.root;
        let pointer = Some(pointer).filter(|pointer| pointer.len() <= MAX_POINTER)?;
        for token in pointer.split('/').skip(1) {
            let token = crate::protocol::http::percent_decode(token).unwrap_or(token.to_owned());
            let token = token.replace("~1", "/").replace("~0", "~");
            at = match at {
                Value::Dict(members) => members.get(&token)?,
                Value::List(items) => items.get(token.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(at)
    }
}

/// Whether a value is such a document.
pub(crate) fn is_openapi(value: &Value) -> bool {
    value.get("openapi").or_else(|| value.get("swagger")).is_some()
}

/// The operations of an API; `base` replaces its server.
pub(crate) fn import(spec: &Value, base: Option<&str>) -> Result<Import, NotImported> {
    let api = Api { root: spec, old: spec.get("swagger").is_some(), spent: Cell::new(0) };
    let mut import = Import::default();
    elsewhere(spec, &mut import);
    let server = match base.filter(|base| !base.is_empty()) {
        Some(base) => base.trim_end_matches('/').to_owned(),
        None if api.old => old_server(spec),
        None => server(spec),
    };
    for (path, item) in object(spec, "paths") {
        let item = api.resolved(item);
        for (method, operation) in members(item).into_iter().flatten() {
            let lower = method.to_lowercase();
            if !OPERATIONS.contains(&lower.as_str()) || members(operation).is_none() {
                continue;
            }
            if !METHODS.contains(&method.to_uppercase().as_str()) {
                import.notices.leave_out(format!("method {lower}"));
                continue;
            }
            for _ in object(operation, "callbacks") {
                import.notices.leave_out("callbacks");
            }
            let own =
                || [operation, item].into_iter().find(|place| !list(place, "servers").is_empty());
            let server = match own() {
                Some(place) if base.is_none_or(str::is_empty) => self::server(place),
                _ => server.clone(),
            };
            let operation = Operation { api: &api, path, method: &lower, item, operation };
            let task = operation.task(&server, &mut import);
            import.push(Request { task, pause: None })?;
            if api.spend(0).is_none() {
                let most = readable(MOST_EXAMPLES);
                return Err(NotImported(format!("its examples would take more than {most}")));
            }
        }
    }
    for _ in object(spec, "webhooks") {
        import.notices.leave_out("webhooks");
    }
    Ok(import)
}

/// Lists references to other files: they are not read.
fn elsewhere(spec: &Value, import: &mut Import) {
    let mut links = HashSet::new();
    let mut open = vec![spec];
    while let Some(value) = open.pop() {
        match value {
            Value::Dict(members) => {
                if let Some(link) = text(value, "$ref").filter(|link| !link.starts_with('#'))
                    && links.insert(link)
                {
                    import.notices.note("references to other files, not read", link);
                }
                open.extend(members.values().rev());
            }
            Value::List(items) => open.extend(items.iter().rev()),
            _ => {}
        }
    }
}

/// The first server, with the defaults of its variables.
fn server(place: &Value) -> String {
    let Some(first) = list(place, "servers").first() else { return String::new() };
    let mut url = text(first, "url").unwrap_or_default().to_owned();
    for (name, variable) in object(first, "variables") {
        if let Some(default) = variable.get("default").and_then(scalar) {
            url = url.replace(&format!("{{{name}}}"), &default);
        }
    }
    url.trim_end_matches('/').to_owned()
}

/// The server of Swagger 2, which has its parts.
fn old_server(spec: &Value) -> String {
    let base = text(spec, "basePath").unwrap_or_default().trim_end_matches('/');
    let Some(host) = text(spec, "host") else { return base.to_owned() };
    let schemes: Vec<&str> = list(spec, "schemes").iter().filter_map(Value::as_str).collect();
    let known = ["https", "http"].into_iter().find(|known| schemes.contains(known));
    format!("{}://{host}{base}", known.unwrap_or("https"))
}

/// An operation on a path.
#[derive(Debug, Clone, Copy)]
struct Operation<'a> {
    api: &'a Api<'a>,
    path: &'a str,
    method: &'a str,
    /// The path's own members.
    item: &'a Value,
    operation: &'a Value,
}

impl Operation<'_> {
    fn name(&self) -> String {
        let id = self.operation.get("operationId").map(Value::to_text).filter(|id| !id.is_empty());
        id.unwrap_or_else(|| format!("{} {}", self.method.to_uppercase(), self.path))
    }

    fn task(&self, server: &str, import: &mut Import) -> Map {
        let mut task = Map::new();
        let mut set = |key: &str, value: String| task.insert(key.to_owned(), value.into());
        set("method", self.method.to_owned());
        set("request_url", format!("{server}{}", with_variables(self.path)));
        set("name", self.name());
        self.parameters(&mut task, import);
        self.body(&mut task, import);
        self.security(&mut task, import);
        if let Some(status) = self.expected() {
            add(&mut task, "assertions", status_assertion(status));
        }
        task
    }

    /// The status of a response that is a success.
    fn expected(&self) -> Option<i64> {
        let documented = || object(self.operation, "responses").map(|(status, _)| status);
        let known =
            EXPECTED.into_iter().find(|known| documented().any(|it| *it == known.to_string()));
        known.or_else(|| {
            documented()
                .filter_map(|status| status.trim().parse().ok())
                .find(|status| (200..300).contains(status))
        })
    }
}

/// `/pets/{id}` as `/pets/${var.id}`
fn with_variables(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}') {
            Some((name, after)) if !name.is_empty() => {
                out.push_str(&format!("${{var.{name}}}"));
                rest = after;
            }
            _ => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests;
