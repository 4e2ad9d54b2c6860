//! The body of an operation: an example that the document has, or one made by its schema.

use super::super::examples::{kind, of_schema};
use super::super::lookup::{elements, members, object, scalar, several, text};
use super::super::{Import, set_in};
use super::Operation;
use crate::value::{Map, Value};

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Fields,
    Parts,
    Text,
}

impl Form {
    fn of(media: &str) -> Option<Self> {
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media.as_str() {
            "application/json" | "*/*" | "application/*" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Fields),
            "multipart/form-data" => Some(Self::Parts),
            media if media.ends_with("+json") => Some(Self::Json),
            media if media.starts_with("text/") => Some(Self::Text),
            // As far as an example is the text itself.
            media if media.ends_with("/xml") || media.ends_with("+xml") => Some(Self::Text),
            _ => None,
        }
    }
}

impl Operation<'_> {
    pub(super) fn body(&self, task: &mut Map, import: &mut Import) {
        if self.api.old {
            self.old_body(task, import);
            return;
        }
        let Some(body) = self.operation.get("requestBody").map(|body| self.api.resolved(body))
        else {
            return;
        };
        let contents: Vec<(&String, &Value)> = object(body, "content").collect();
        let known = |wanted: Form| {
            contents
                .iter()
                .find(|(media, _)| Form::of(media) == Some(wanted))
                .map(|found| (wanted, *found))
        };
        let chosen = known(Form::Json)
            .or_else(|| known(Form::Fields))
            .or_else(|| known(Form::Parts))
            .or_else(|| known(Form::Text));
        let Some((form, (media, content))) = chosen else {
            for (media, _) in contents.iter().take(1) {
                import.notices.note(&format!("bodies of the type {media} left out"), self.name());
            }
            return;
        };
        let example = content.get("example").or_else(|| {
            let (_, first) = object(content, "examples").next()?;
            self.api.resolved(first).get("value")
        });
        let schema = content.get("schema").unwrap_or(&Value::Null);
        let (value, given) = match example {
            Some(example) => match self.api.spend(example.weight()) {
                Some(()) => (example.clone(), true),
                None => (Value::Null, false),
            },
            None => of_schema(self.api, schema),
        };
        let is_value = matches!(value, Value::List(_) | Value::Dict(_));
        let is_text = !media.contains("xml") || given && matches!(value, Value::Str(_));
        if form == Form::Text && (is_value || !is_text) {
            import.notices.note(&format!("bodies of the type {media} left out"), self.name());
            return;
        }
        if !given {
            import.notices.note("bodies made by their schemas", self.name());
        }
        match form {
            Form::Json => json(task, media, value),
            Form::Fields => fields(task, value),
            Form::Parts => {
                let files = self.files(schema);
                parts(task, value, &files);
            }
            Form::Text => {
                set_in(task, "headers", "Content-Type", media.as_str());
                task.insert("data".to_owned(), value.to_text().into());
            }
        }
    }

    /// The fields of a form that are files.
    fn files(&self, schema: &Value) -> Vec<String> {
        let files = object(self.api.resolved(schema), "properties").filter(|(_, property)| {
            let mut property = self.api.resolved(property);
            if kind(property) == "array"
                && let Some(items) = property.get("items")
            {
                property = self.api.resolved(items);
            }
            text(property, "format") == Some("binary") || property.get("contentMediaType").is_some()
        });
        files.map(|(name, _)| name.clone()).collect()
    }

    /// That of Swagger 2, which is among the parameters.
    fn old_body(&self, task: &mut Map, import: &mut Import) {
        if let Some(body) = self.form_parameters("body").first() {
            let (value, given) = self.value_of(body);
            if !given {
                import.notices.note("bodies made by their schemas", self.name());
            }
            let consumes = self.operation.get("consumes").or_else(|| self.api.root.get("consumes"));
            let mut media = consumes.map_or(&[][..], elements).iter().filter_map(Value::as_str);
            let media = media.find(|media| Form::of(media) == Some(Form::Json));
            json(task, media.unwrap_or("application/json"), value);
        }
        let described = self.form_parameters("formData");
        if described.is_empty() {
            return;
        }
        let name = |parameter: &Value| text(parameter, "name").unwrap_or_default().to_owned();
        let files: Vec<String> = described
            .iter()
            .filter(|parameter| text(parameter, "type") == Some("file"))
            .map(|parameter| name(parameter))
            .collect();
        let given = described.iter().map(|parameter| (name(parameter), self.value_of(parameter).0));
        let value = Value::Dict(given.collect());
        import.notices.note("bodies made by their schemas", self.name());
        if files.is_empty() { fields(task, value) } else { parts(task, value, &files) }
    }
}

fn json(task: &mut Map, media: &str, value: Value) {
    // A task's `"json": null` means no body.
    if value == Value::Null {
        return;
    }
    if media.ends_with("+json") {
        set_in(task, "headers", "Content-Type", media);
    }
    task.insert("json".to_owned(), value);
}

fn fields(task: &mut Map, value: Value) {
    let text = |value: &Value| {
        Value::from(scalar(value).unwrap_or_else(|| value.to_json(crate::value::Charset::Unicode)))
    };
    let data = match value {
        // A list is a field that repeats.
        Value::Dict(members) if members.values().any(|it| matches!(it, Value::List(_))) => {
            let mut pairs = Vec::new();
            for (name, value) in &members {
                let pair = |one: &Value| Value::List(vec![name.as_str().into(), text(one)]);
                pairs.extend(several(value).into_iter().map(pair));
            }
            Value::List(pairs)
        }
        Value::Dict(members) => {
            Value::Dict(members.iter().map(|(name, value)| (name.clone(), text(value))).collect())
        }
        other => text(&other),
    };
    task.insert("data".to_owned(), data);
}

fn parts(task: &mut Map, value: Value, files: &[String]) {
    let mut upload = Map::new();
    for (name, value) in members(&value).into_iter().flatten() {
        let text = scalar(value).unwrap_or_else(|| value.to_json(crate::value::Charset::Unicode));
        let part = if files.contains(name) {
            vec![format!("{name}.txt").into(), text.into(), "application/octet-stream".into()]
        } else {
            vec![Value::Null, text.into()]
        };
        upload.insert(name.clone(), part.into());
    }
    if !upload.is_empty() {
        task.insert("files".to_owned(), Value::Dict(upload));
    }
}
