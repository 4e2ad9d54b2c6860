//! The bodies of requests.

use super::super::lookup::{is_true, list, scalar, several, text};
use super::super::{fields, has_header, set_files, set_in};
use super::Reader;
use crate::value::{Map, Value};

/// The languages of raw bodies, and their types.
const LANGUAGES: [(&str, &str); 4] = [
    ("xml", "application/xml"),
    ("html", "text/html"),
    ("javascript", "application/javascript"),
    ("text", "text/plain"),
];

impl Reader {
    pub(super) fn body(&mut self, request: &Value, task: &mut Map) {
        let Some(body) = request.get("body").filter(|body| !is_true(body, "disabled")) else {
            return;
        };
        match text(body, "mode").unwrap_or_default() {
            "raw" => self.raw(body, task),
            "urlencoded" => {
                let data = self.fields(body, "urlencoded");
                task.insert("data".to_owned(), data);
            }
            "formdata" => self.parts(body, task),
            "graphql" => self.graphql(body, task),
            "file" => {
                let path = body.get("file").and_then(|file| text(file, "src")).unwrap_or("?");
                self.import.notices.note("bodies in files left out", path);
            }
            _ => {}
        }
    }

    fn raw(&mut self, body: &Value, task: &mut Map) {
        let raw = text(body, "raw").unwrap_or_default();
        let language =
            body.get("options").and_then(|options| text(options.get("raw")?, "language"));
        let language = language.unwrap_or_default().to_lowercase();
        let looks = language.is_empty() && raw.trim_start().starts_with(['{', '[']);
        if (language == "json" || looks)
            && let Ok(mut json) = Value::parse(raw)
            // A task's `"json": null` means no body.
            && json != Value::Null
        {
            self.filled_value(&mut json);
            task.insert("json".to_owned(), json);
            return;
        }
        let data = self.filled(raw);
        if language == "json" || looks {
            content_type(task, "application/json");
        } else if let Some((_, kind)) = LANGUAGES.iter().find(|(known, _)| *known == language) {
            content_type(task, kind);
        }
        task.insert("data".to_owned(), data.into());
    }

    /// Fields as an object, or as pairs where a name repeats.
    fn fields(&mut self, body: &Value, key: &str) -> Value {
        let given = active(body, key)
            .map(|one| (name(one), one.get("value").and_then(scalar).unwrap_or_default()));
        fields(given.map(|(name, value)| (name, self.filled(&value).into())).collect())
    }

    fn parts(&mut self, body: &Value, task: &mut Map) {
        let mut parts = Vec::new();
        for one in active(body, "formdata") {
            let kind = text(one, "contentType");
            if text(one, "type") == Some("file") {
                let given = one.get("src").map(several).unwrap_or_default();
                let given = given.into_iter().filter_map(Value::as_str);
                let mut paths: Vec<&str> = given.filter(|path| !path.is_empty()).collect();
                if paths.is_empty() {
                    paths.push("file");
                }
                for path in paths {
                    let path = path.trim_start_matches('/');
                    self.import.notices.note("files to put into the data directory", path);
                    let mut file = Map::from([("path".to_owned(), Value::from(path))]);
                    file.extend(kind.map(|kind| ("content_type".to_owned(), kind.into())));
                    parts.push((name(one), Value::Dict(file)));
                }
            } else {
                let value = one.get("value").and_then(scalar).unwrap_or_default();
                let mut part = vec![Value::Null, self.filled(&value).into()];
                part.extend(kind.map(Value::from));
                parts.push((name(one), Value::List(part)));
            }
        }
        set_files(task, parts);
    }

    fn graphql(&mut self, body: &Value, task: &mut Map) {
        let Some(graphql) = body.get("graphql") else { return };
        let query = self.filled(text(graphql, "query").unwrap_or_default());
        let mut json = Map::from([("query".to_owned(), Value::from(query))]);
        let variables = match graphql.get("variables") {
            Some(Value::Str(text)) if !text.trim().is_empty() => {
                // A number or an object may be a variable of Postman: `{"id": {{id}}}`.
                let parsed = Value::parse(text).or_else(|_| Value::parse(&quoted_holes(text)));
                if parsed.is_err() {
                    let url = task.get("request_url").map(Value::to_text).unwrap_or_default();
                    self.import.notices.note("GraphQL variables that are no JSON left out", url);
                }
                parsed.ok()
            }
            Some(value @ Value::Dict(_)) => Some(value.clone()),
            _ => None,
        };
        if let Some(mut variables) = variables {
            self.filled_value(&mut variables);
            json.insert("variables".to_owned(), variables);
        }
        if let Some(name) = text(graphql, "operationName").filter(|name| !name.is_empty()) {
            json.insert("operationName".to_owned(), name.into());
        }
        task.insert("json".to_owned(), Value::Dict(json));
    }
}

/// JSON whose variables outside of texts are texts.
fn quoted_holes(json: &str) -> String {
    let mut out = String::new();
    let (mut in_text, mut escaped) = (false, false);
    let mut rest = json;
    while let Some(letter) = rest.chars().next() {
        if !in_text && let Some(hole) = rest.strip_prefix("{{") {
            let Some(end) = hole.find("}}") else { break };
            let (hole, behind) = rest.split_at(end + 4);
            out.push_str(&format!("\"{hole}\""));
            rest = behind;
            continue;
        }
        in_text ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        out.push(letter);
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
    }
    out + rest
}

fn active<'a>(body: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    let named = |one: &&Value| !is_true(one, "disabled") && !name(one).is_empty();
    list(body, key).iter().filter(named)
}

fn name(field: &Value) -> String {
    field.get("key").and_then(scalar).unwrap_or_default()
}

fn content_type(task: &mut Map, kind: &str) {
    if !has_header(task, "content-type") {
        set_in(task, "headers", "Content-Type", kind);
    }
}
