//! The description of the API for programs, OpenAPI 3.1. It is made of the same table that requests are
//! led by, so a request without a description does not exist; tests hold what is sent against it.

use serde_json::{Map, Value as Json, json};

use crate::event::{MAX_NAME, State};
use crate::wire::parameters::LISTED_RUNS;

/// The description of a request.
pub(super) struct Described {
    /// A name for programs.
    pub(super) id: &'static str,
    /// What it does, in one sentence.
    pub(super) doc: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) body: Option<Sent>,
    pub(super) reply: Reply,
    /// What its errors mean beside those of every request.
    pub(super) errors: &'static [(u16, &'static str)],
}

/// A response that is no error.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) media: &'static str,
    /// The name of its schema, for JSON.
    pub(super) schema: Option<&'static str>,
}

/// What a request may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// The number of a run, in the path.
    Run,
    /// The number of another run, in the path.
    Other,
    /// How many runs.
    Limit,
    /// In which state.
    State,
    /// The name of a run.
    Name,
    /// How long it may wait for its place.
    Queue,
    /// The number of the last event that the client has.
    LastEventId,
}

/// The body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// A document that is run.
    Document,
    /// A text that is checked.
    Text,
    /// A path that a link opens.
    Path,
}

impl Parameter {
    fn describe(self) -> Json {
        let number = json!({"type": "integer", "minimum": 1});
        let states: Vec<&str> = State::OF_RUNS.map(State::name).to_vec();
        let (name, place, schema, doc) = match self {
            Self::Run => ("run", "path", number, "The number of a run."),
            Self::Other => ("other", "path", number, "The number of the run to compare with."),
            Self::Limit => (
                "limit",
                "query",
                json!({"type": "integer", "minimum": 1, "maximum": LISTED_RUNS.1,
                       "default": LISTED_RUNS.0}),
                "How many runs at most.",
            ),
            Self::State => (
                "state",
                "query",
                json!({"type": "string", "enum": states}),
                "Only runs in this state.",
            ),
            Self::Name => (
                "name",
                "query",
                // No control characters, nor what changes the direction of a line.
                json!({"type": "string", "minLength": 1, "maxLength": MAX_NAME,
                       "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069]+$"}),
                "A name for people.",
            ),
            Self::Queue => (
                "queue",
                "query",
                json!({"type": "number", "minimum": 0, "maximum": 604_800}),
                "How many seconds the run may wait for the place of another test; without, it is \
                 refused when there is none.",
            ),
            Self::LastEventId => (
                "Last-Event-ID",
                "header",
                json!({"type": "string", "pattern": "^[0-9]{1,15}$"}),
                "The number of the last event that the client has: the stream continues after it.",
            ),
        };
        json!({"name": name, "in": place, "required": place == "path", "schema": schema,
               "description": doc})
    }
}

impl Sent {
    fn describe(self) -> Json {
        let schema = match self {
            Self::Document => json!({"$ref": "#/components/schemas/Document"}),
            Self::Text => json!({}),
            Self::Path => json!({"$ref": "#/components/schemas/LinkRequest"}),
        };
        json!({"required": true, "content": {"application/json": {"schema": schema}}})
    }
}

/// The description of these requests, each with its method, its path, and whether it needs the token.
pub(super) fn document<'a>(
    requests: impl Iterator<Item = (&'static str, &'static str, bool, &'a Described)>,
) -> Json {
    let mut paths = Map::new();
    for (method, path, is_guarded, described) in requests {
        let operations = paths.entry(path).or_insert_with(|| json!({}));
        if let Json::Object(operations) = operations {
            operations.insert(method.to_owned(), operation(described, is_guarded));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ldctl",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Load tests on this server: start, follow, stop, compare.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer",
                          "description": "The token of the server."},
            },
        },
    })
}

fn operation(described: &Described, is_guarded: bool) -> Json {
    let Described { id, doc, parameters, body, reply, errors } = described;
    let parameters: Vec<Json> = parameters.iter().map(|one| one.describe()).collect();
    let error = |doc: &str| {
        let schema = json!({"$ref": "#/components/schemas/Error"});
        json!({"description": doc, "content": {"application/json": {"schema": schema}}})
    };
    let schema = match reply.schema {
        Some(name) => json!({"$ref": format!("#/components/schemas/{name}")}),
        // Of events it is that of each.
        None if matches!(reply.media, "application/json" | "text/event-stream") => json!({}),
        None => json!({"type": "string"}),
    };
    let mut responses = Map::new();
    let content = json!({(reply.media): {"schema": schema}});
    let status = reply.status.to_string();
    responses.insert(status, json!({"description": "Done.", "content": content}));
    for (status, doc) in *errors {
        let described = match status {
            // Nothing is left to say.
            204 => json!({"description": doc}),
            _ => error(doc),
        };
        responses.insert(status.to_string(), described);
    }
    if is_guarded {
        responses.insert("401".to_owned(), error("There is no token, or a wrong one."));
        responses.insert("default".to_owned(), error("Anything else: the kind says what."));
    }
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), (*id).into());
    operation.insert("summary".to_owned(), (*doc).into());
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(body) = body {
        operation.insert("requestBody".to_owned(), body.describe());
    }
    operation.insert("responses".to_owned(), responses.into());
    if is_guarded {
        operation.insert("security".to_owned(), json!([{"token": []}]));
    }
    operation.into()
}

fn schemas() -> Json {
    let number = json!({"type": ["number", "null"]});
    let count = json!({"type": ["integer", "null"], "minimum": 0});
    let text = json!({"type": ["string", "null"]});
    let time = json!({"type": ["string", "null"], "format": "date-time"});
    let states: Vec<&str> = State::OF_RUNS.map(State::name).to_vec();
    let run = json!({
        "state": {"type": "string", "enum": states},
        "run": {"type": "integer", "minimum": 1},
        "name": text, "peer": text, "held": {"type": "boolean"},
        "submitted": time, "started": time, "ended": time,
        "elapsed_s": number, "remaining_s": number,
        "users": count, "requests": count, "failures": count,
        "rps": number, "p50_ms": number, "p95_ms": number, "p99_ms": number,
        "failed": count, "message": text,
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/RequestErrors"}},
    });
    let mut described = run.clone();
    if let Json::Object(members) = &mut described {
        let results = json!({"type": "array", "items": {"$ref": "#/components/schemas/Result"}});
        members.insert("results".to_owned(), results);
    }
    // Errors are those of an ended run only.
    let required: Vec<&str> = match &run {
        Json::Object(members) => {
            members.keys().map(String::as_str).filter(|key| *key != "errors").collect()
        }
        _ => Vec::new(),
    };
    let mut with_results = required.clone();
    with_results.push("results");
    json!({
        "Document": {
            "description": "A list of actions, or an object with that list under `load_density`; \
                            `ldctl schema` prints the schema of actions.",
            "oneOf": [
                {"type": "array", "minItems": 1},
                {"type": "object", "required": ["load_density"],
                 "properties": {"load_density": {"type": "array", "minItems": 1}}},
            ],
        },
        "Run": {"type": "object", "required": required, "additionalProperties": false,
                "properties": run},
        "RunWithResults": {"type": "object", "required": with_results,
                           "additionalProperties": false, "properties": described},
        "Runs": {"type": "object", "required": ["runs"], "additionalProperties": false,
                 "properties": {"runs": {"type": "array",
                                         "items": {"$ref": "#/components/schemas/Run"}}}},
        "RequestErrors": {
            "type": "object",
            "required": ["count", "method", "name", "error", "first", "last"],
            "additionalProperties": false,
            "properties": {"count": {"type": "integer", "minimum": 0},
                           "method": {"type": "string"}, "name": {"type": "string"},
                           "error": {"type": "string"}, "first": time, "last": time},
        },
        "Result": {
            "description": "The result of an action.",
            "type": "object",
            "required": ["index", "command", "ok"],
            "additionalProperties": false,
            "properties": {
                "index": {"type": "integer", "minimum": 0},
                "command": {"type": "string"},
                "ok": {"type": "boolean"},
                "value": {},
                "text": {"type": "string"},
                "warnings": {"type": "array", "items": {"type": "string"}},
                "error": {"type": "object", "required": ["kind", "message"],
                          "properties": {"kind": {"type": "string"},
                                         "message": {"type": "string"}}},
            },
        },
        "Findings": {
            "type": "object",
            "required": ["findings"],
            "additionalProperties": false,
            "properties": {"findings": {"type": "array", "items": {
                "type": "object",
                "required": ["file", "line", "column", "rule", "severity", "message", "location"],
                "additionalProperties": false,
                "properties": {
                    "file": {"type": "string"},
                    "line": {"type": "integer", "minimum": 1},
                    "column": {"type": "integer", "minimum": 1},
                    "rule": {"type": "string"},
                    "severity": {"type": "string", "enum": ["error", "warning"]},
                    "message": {"type": "string"},
                    "location": {"type": "string"},
                },
            }}},
        },
        "LinkRequest": {
            "type": "object",
            "required": ["path"],
            "properties": {"path": {"type": "string", "maxLength": 1000,
                                    "pattern": "^/([!-.0-\\[\\]-~][!-\\[\\]-~]*)?$"}},
        },
        "Link": {
            "type": "object",
            "required": ["url", "expires_s"],
            "additionalProperties": false,
            "properties": {"url": {"type": "string"},
                           "expires_s": {"type": "number", "minimum": 0}},
        },
        "Error": {
            "type": "object",
            "required": ["error"],
            "additionalProperties": false,
            "properties": {"error": {
                "type": "object",
                "required": ["kind", "message"],
                "additionalProperties": false,
                "properties": {
                    "kind": {"type": "string"},
                    "message": {"type": "string"},
                    "holder": count,
                    "holder_remaining_s": number,
                },
            }},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{RequestErrors, RunInfo, Status};

    fn keys(object: &Json) -> Vec<String> {
        let mut keys: Vec<String> =
            object.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys
    }

    #[test]
    fn the_schemas_have_the_members_of_the_types() {
        let info = RunInfo { errors: vec![RequestErrors::default()], ..RunInfo::default() };
        let status = Status { state: State::Passed, run: Some(Box::new(info)) };
        let status = serde_json::to_value(&status).expect("JSON");
        let schemas = schemas();
        assert_eq!(keys(&schemas["Run"]["properties"]), keys(&status));
        let errors = &status["errors"][0];
        assert_eq!(keys(&schemas["RequestErrors"]["properties"]), keys(errors));
    }
}
