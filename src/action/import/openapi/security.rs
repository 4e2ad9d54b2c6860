//! The credentials of an operation, as variables of the environment.

use super::super::lookup::{elements, members, text};
use super::super::placeholders::variable;
use super::super::{Import, bearer, set_in};
use super::Operation;
use crate::value::{Map, Value};

/// How many schemes an operation may combine.
const MAX_SCHEMES: usize = 16;

impl Operation<'_> {
    pub(super) fn security(&self, task: &mut Map, import: &mut Import) {
        let wanted = self.operation.get("security").or_else(|| self.api.root.get("security"));
        // Of several the first; `{}` among them means that none is needed.
        let Some(first) = wanted.map_or(&[][..], elements).first() else { return };
        let schemes = match self.api.old {
            true => self.api.root.get("securityDefinitions"),
            false => self.api.root.get("components").and_then(|all| all.get("securitySchemes")),
        };
        for name in members(first).into_iter().flat_map(Map::keys).take(MAX_SCHEMES) {
            let scheme = schemes.and_then(|schemes| schemes.get(name)).unwrap_or(&Value::Null);
            let scheme = self.api.resolved(scheme);
            let kind = text(scheme, "type").unwrap_or_default();
            let way = text(scheme, "scheme").unwrap_or_default().to_ascii_lowercase();
            match (kind, way.as_str()) {
                ("basic", _) | ("http", "basic" | "digest") => {
                    let way = if way == "digest" { "digest" } else { "basic" };
                    task.insert(
                        "auth".to_owned(),
                        Value::dict([
                            ("type", Value::from(way)),
                            ("username", "${env.USERNAME}".into()),
                            ("password", "${env.PASSWORD}".into()),
                        ]),
                    );
                }
                ("http", "bearer") | ("oauth2" | "openIdConnect", _) => {
                    task.insert("auth".to_owned(), bearer("${env.TOKEN}"));
                }
                ("apiKey", _) => {
                    let name = text(scheme, "name").unwrap_or_default();
                    let key = format!("${{env.{}}}", variable(name));
                    match text(scheme, "in") {
                        Some("query") => set_in(task, "params", name, key),
                        Some("cookie") => set_in(task, "cookies", name, key),
                        _ => set_in(task, "headers", name, key),
                    }
                }
                _ => import.notices.note("security schemes left out", name.as_str()),
            }
        }
    }
}
