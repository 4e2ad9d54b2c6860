//! GraphQL over HTTP: an operation as a task's body, and responses that fail although their status is
//! 200, because they have errors.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::response::Response;
use crate::load::template::{Compiler, Draft};
use crate::protocol::checked::Checked as _;
use crate::protocol::placed::Placed;
use crate::value::{Field, Invalid, Kind, Literal, Map, Object, Value};

/// The value of `graphql` in documents.
pub(super) const GRAPHQL: Kind = Kind::Either(&[Kind::Boolean, Kind::Object(&[OPERATION])]);

const OPERATION: &[Field] = &[
    Field::required("query", Kind::Name, "The text of the operation.")
        .example("\"query($id: ID!) { item(id: $id) { name } }\""),
    Field::optional("variables", Kind::MEMBERS, "The values of its variables.")
        .or(Literal::Object)
        .example(r#"{"id": "${id}"}"#),
    Field::optional("operation_name", Kind::Text, "Which operation of the text to run."),
];

/// Whether errors in a response fail, and the body of an operation.
pub(super) type Graphql = (bool, Option<Placed<Draft>>);

/// Takes `graphql` from a task.
pub(super) fn parse_graphql(
    fields: &mut Object<'_>,
    compiler: &mut Compiler,
    headers: &mut Vec<(String, Placed<Draft>)>,
) -> Result<Graphql, Invalid> {
    let Some(field) = fields.present("graphql") else { return Ok((false, None)) };
    if let Value::Bool(fails) = field.value() {
        return Ok((*fails, None));
    }
    if ["json", "data", "files"].iter().any(|name| fields.present(name).is_some()) {
        return Err(
            field.invalid("the operation is the body: \"json\", \"data\" and \"files\" exclude it")
        );
    }
    let mut operation = match field.value() {
        Value::Dict(_) => field.fields(OPERATION)?,
        _ => return Err(field.expected("true, false or an object with a \"query\"")),
    };
    let query = operation.required("query")?;
    let mut body = Map::from([("query".to_owned(), Value::from(query.text()?))]);
    if let Some(variables) = operation.present("variables") {
        if !matches!(variables.value(), Value::Dict(_)) {
            return Err(variables.expected("an object"));
        }
        body.insert("variables".to_owned(), variables.value().clone());
    }
    if let Some(name) = operation.present("operation_name") {
        body.insert("operationName".to_owned(), Value::from(name.text()?));
    }
    operation.finish()?;
    let mut header = |name: &str, value: &str| {
        if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            headers.push((name.to_owned(), Placed::nowhere(Draft::literal(value))));
        }
    };
    header("Content-Type", "application/json");
    header("Accept", "application/graphql-response+json, application/json");
    let body = compiler.json(&Value::Dict(body));
    Ok((true, Some(Placed::at(&field, body))))
}

/// The form of a response.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    message: String,
}

/// Returns why a response fails, if it does: the first of its errors.
#[cold]
#[inline(never)]
pub(super) fn failure(response: &Response) -> Option<String> {
    let text = match response.json() {
        Ok(text) => text,
        Err(why) => return Some(why.to_string()),
    };
    // A list would be taken for the members of an object.
    let object = text.trim_ascii_start().starts_with(b"{");
    let Some(Answer { errors }) = object.then(|| serde_json::from_slice(&text).ok()).flatten()
    else {
        return Some("GraphQL: the response is no JSON object".to_owned());
    };
    let errors = errors.map_or("null", RawValue::get);
    if matches!(errors, "null" | "[]") {
        return None;
    }
    let message = match serde_json::from_str::<Vec<Problem>>(errors) {
        Ok(problems) if problems.is_empty() => return None,
        Ok(problems) => problems.into_iter().map(|problem| problem.message).next(),
        Err(_) => None,
    };
    let message = message.filter(|message| !message.is_empty());
    Some(format!("GraphQL: {}", message.as_deref().unwrap_or("errors without a message")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{check, sent};
    use super::super::flavor::Flavor;
    use super::*;
    use crate::protocol::checked::Capture;

    #[test]
    fn an_operation_is_sent_as_json() {
        let operation = json!({"query": "query($v: ID) { a }", "variables": {"v": "${v}"},
                               "operation_name": "x"});
        check(
            &json!({"method": "post", "url": "/graphql", "graphql": operation}),
            "POST /graphql HTTP/1.1\nContent-Type: application/json\n\
             Accept: application/graphql-response+json, application/json\nHost: h:8080\n\
             User-Agent: ldctl/VERSION\nAccept-Encoding: gzip, deflate, br, zstd\n\
             Content-Length: 81\n\n\
             {\"query\": \"query($v: ID) { a }\", \"variables\": {\"v\": \"VAL\"}, \"operationName\": \"x\"}"
                .replace("VERSION", env!("CARGO_PKG_VERSION"))
                .as_str(),
        );
        let refusal = |task| sent(Flavor::Fast, false, &task).map(|_| ()).unwrap_err();
        for (task, why) in [
            (json!({"graphql": 1}), ": expected true, false or an object with a \"query\", got 1"),
            (json!({"graphql": {}}), ": missing \"query\""),
            (
                json!({"graphql": {"query": "q", "variables": []}}),
                "/variables: expected an object, got []",
            ),
            (json!({"graphql": {"query": "q", "name": "x"}}), "/name: unknown field"),
            (
                json!({"graphql": {"query": "q"}, "json": {}}),
                ": the operation is the body: \"json\", \"data\" and \"files\" exclude it",
            ),
        ] {
            let mut task = task;
            (task["method"], task["url"]) = (json!("post"), json!("/"));
            let refusal: String = refusal(task);
            assert!(refusal.starts_with(&format!("/tasks/0/graphql{why}")), "{refusal}");
        }
    }

    #[test]
    fn errors_in_a_response_are_told() {
        for (body, why) in [
            (r#"{"data": {"a": 1}}"#, None),
            (r#"{"data": null, "errors": []}"#, None),
            (r#"{"data": null, "errors": [ ]}"#, None),
            (r#"{"errors": null}"#, None),
            (
                r#"{"data": {"a": null}, "errors": [{"message": "no \u00e9", "path": ["a"]}, {}]}"#,
                Some("GraphQL: no \u{e9}"),
            ),
            (r#"{"errors": [{}]}"#, Some("GraphQL: errors without a message")),
            (r#"{"errors": "x"}"#, Some("GraphQL: errors without a message")),
            ("[]", Some("GraphQL: the response is no JSON object")),
            ("<html>", Some("GraphQL: the response is no JSON object")),
        ] {
            let mut response = Response::default();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let capture = Capture { head: false, body: true };
            assert_eq!(response.feed(head.as_bytes(), capture, false), Ok(true));
            assert_eq!(failure(&response).as_deref(), why, "{body}");
        }
    }
}
