//! The bodies of requests.

use super::super::lookup::{elements, is_true, list, scalar, text};
use super::super::{has_header, set_in};
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
        let looks = raw.trim_start().starts_with(['{', '[']);
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
        if language == "json" || (looks && language.is_empty()) {
            content_type(task, "application/json");
        } else if let Some((_, kind)) = LANGUAGES.iter().find(|(known, _)| *known == language)
            && language != "text"
        {
            content_type(task, kind);
        }
        task.insert("data".to_owned(), data.into());
    }

    /// Fields as an object, or as pairs where a name repeats.
    fn fields(&mut self, body: &Value, key: &str) -> Value {
        let fields: Vec<(String, String)> = active(body, key)
            .map(|one| (name(one), one.get("value").and_then(scalar).unwrap_or_default()))
            .collect();
        let fields: Vec<(String, String)> =
            fields.into_iter().map(|(name, value)| (name, self.filled(&value))).collect();
        let unique: Map =
            fields.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        if unique.len() == fields.len() {
            return Value::Dict(unique);
        }
        let pair = |(name, value): (String, String)| Value::List(vec![name.into(), value.into()]);
        Value::List(fields.into_iter().map(pair).collect())
    }

    fn parts(&mut self, body: &Value, task: &mut Map) {
        let mut files = Map::new();
        for one in active(body, "formdata") {
            let kind = text(one, "contentType");
            let part = if text(one, "type") == Some("file") {
                let path = one
                    .get("src")
                    .and_then(|src| src.as_str().or_else(|| elements(src).first()?.as_str()));
                let path =
                    path.filter(|path| !path.is_empty()).unwrap_or("file").trim_start_matches('/');
                self.import.notices.note("files to put into the data directory", path);
                let mut file = Map::from([("path".to_owned(), Value::from(path))]);
                file.extend(kind.map(|kind| ("content_type".to_owned(), kind.into())));
                Value::Dict(file)
            } else {
                let value = one.get("value").and_then(scalar).unwrap_or_default();
                let mut part = vec![Value::Null, self.filled(&value).into()];
                part.extend(kind.map(Value::from));
                Value::List(part)
            };
            files.insert(name(one), part);
        }
        if !files.is_empty() {
            // Its boundary is made with the request.
            if let Some(Value::Dict(headers)) = task.get_mut("headers") {
                headers.retain(|name, _| !name.eq_ignore_ascii_case("content-type"));
                if headers.is_empty() {
                    task.shift_remove("headers");
                }
            }
            task.insert("files".to_owned(), Value::Dict(files));
        }
    }

    fn graphql(&mut self, body: &Value, task: &mut Map) {
        let Some(graphql) = body.get("graphql") else { return };
        let query = self.filled(text(graphql, "query").unwrap_or_default());
        let mut json = Map::from([("query".to_owned(), Value::from(query))]);
        let variables = match graphql.get("variables") {
            Some(Value::Str(text)) => Value::parse(text).ok(),
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
