use super::*;

/// The task of an operation in a document with these members besides, without its method and name, and
/// what is said about it.
#[track_caller]
fn check(version: &str, operation: &str, task: &str, notices: &[&str]) {
    let spec = format!(r#"{{{version}, "paths": {{"/a": {{"post": {operation}}}}}}}"#);
    let parsed = Value::parse(&spec).expect(&spec);
    let (tasks, said) = import(&parsed, None).expect(&spec).into_tasks();
    let [Value::Dict(found)] = tasks.as_slice() else { panic!("{tasks:?}") };
    let own = |key: &String| !["method", "name"].contains(&key.as_str());
    let found: Map = found.clone().into_iter().filter(|(key, _)| own(key)).collect();
    let expected = Value::parse(task).expect(task);
    assert_eq!(Value::Dict(found).to_text(), expected.to_text(), "{operation}");
    assert_eq!(said.lines(), notices, "{operation}");
}

const NEW: &str = r#""openapi": "3.0.0""#;
const OLD: &str = r#""swagger": "2.0""#;

#[test]
fn lists_and_objects_are_written_as_the_api_wants_them() {
    let parameter = |version: &str, members: &str, example: &str, params: &str| {
        let operation = format!(
            r#"{{"parameters": [{{"name": "p", "in": "query", "required": true, "example": {example}{members}}}]}}"#
        );
        let task = format!(r#"{{"request_url": "/a", "params": {params}}}"#);
        check(version, &operation, &task, &[]);
    };
    let list = "[1, \"b\"]";
    parameter(NEW, "", list, r#"{"p": ["1", "b"]}"#);
    parameter(NEW, r#", "style": "form""#, list, r#"{"p": ["1", "b"]}"#);
    parameter(NEW, r#", "style": "form", "explode": true"#, list, r#"{"p": ["1", "b"]}"#);
    parameter(NEW, r#", "explode": false"#, list, r#"{"p": "1,b"}"#);
    parameter(NEW, r#", "style": "spaceDelimited""#, list, r#"{"p": "1 b"}"#);
    parameter(NEW, r#", "style": "pipeDelimited", "explode": false"#, list, r#"{"p": "1|b"}"#);
    parameter(OLD, "", list, r#"{"p": "1,b"}"#);
    parameter(OLD, r#", "collectionFormat": "csv""#, list, r#"{"p": "1,b"}"#);
    parameter(OLD, r#", "collectionFormat": "multi""#, list, r#"{"p": ["1", "b"]}"#);
    parameter(OLD, r#", "collectionFormat": "pipes""#, list, r#"{"p": "1|b"}"#);
    let object = r#"{"x": 1, "y": "z"}"#;
    parameter(NEW, "", object, r#"{"x": "1", "y": "z"}"#);
    parameter(NEW, r#", "explode": false"#, object, r#"{"p": "x,1,y,z"}"#);
    parameter(NEW, r#", "style": "deepObject""#, object, r#"{"p[x]": "1", "p[y]": "z"}"#);
    check(
        NEW,
        r#"{"parameters": [{"name": "X", "in": "header", "required": true, "example": [1, 2]},
            {"name": "Y", "in": "header", "required": true, "explode": true, "example": {"a": 1, "b": 2}}]}"#,
        r#"{"request_url": "/a", "headers": {"X": "1,2", "Y": "a=1,b=2"}}"#,
        &[],
    );
}

#[test]
fn bodies_that_are_no_json_are_texts_or_left_out() {
    let body = |media: &str, content: &str| {
        format!(
            r#"{{"operationId": "op", "requestBody": {{"content": {{"{media}": {content}}}}}}}"#
        )
    };
    for (media, content) in [
        ("text/xml", r#"{"example": {"a": 1}}"#),
        (
            "application/xml",
            r#"{"schema": {"type": "object", "properties": {"a": {"type": "string"}}}}"#,
        ),
        ("application/xml", r#"{"schema": {"type": "string"}}"#),
        ("text/csv", r#"{"example": [1, 2]}"#),
    ] {
        let said = format!("bodies of the type {media} left out: op");
        check(NEW, &body(media, content), r#"{"request_url": "/a"}"#, &[&said]);
    }
    check(
        NEW,
        &body("application/xml", r#"{"example": "<a/>"}"#),
        r#"{"request_url": "/a", "headers": {"Content-Type": "application/xml"}, "data": "<a/>"}"#,
        &[],
    );
    check(
        NEW,
        &body("application/x-www-form-urlencoded", r#"{"example": {"a": [1, 2], "b": {"c": 3}}}"#),
        r#"{"request_url": "/a", "data": [["a", "1"], ["a", "2"], ["b", "{\"c\": 3}"]]}"#,
        &[],
    );
}

#[test]
fn the_server_is_the_nearest_one_and_callbacks_are_listed() {
    let root = r#""openapi": "3.0.0", "servers": [{"url": "http://root:{port}/v{n}",
        "variables": {"port": {"default": 8080}, "n": {"default": 1.5}}}]"#;
    check(root, "{}", r#"{"request_url": "http://root:8080/v1.5/a"}"#, &[]);
    check(root, r#"{"servers": []}"#, r#"{"request_url": "http://root:8080/v1.5/a"}"#, &[]);
    check(
        root,
        r#"{"servers": [{"url": "http://own/"}], "callbacks": {"a": {}, "b": {}}}"#,
        r#"{"request_url": "http://own/a"}"#,
        &["left out: callbacks (2)"],
    );
}

#[test]
fn the_server_of_a_path_stands_between_those_of_its_operations_and_of_the_document() {
    let spec = r#"{"openapi": "3.0.0", "servers": [{"url": "http://root"}], "paths": {
        "/a": {"servers": [{"url": "http://path"}], "get": {}, "put": {"servers": [{"url": "http://own"}]}},
        "/b": {"get": {}}}}"#;
    let spec = Value::parse(spec).expect("JSON");
    let urls = |base: Option<&str>| {
        let (tasks, _) = import(&spec, base).expect("tasks").into_tasks();
        let urls = tasks.iter().map(|task| task.get("request_url").map(Value::to_text));
        urls.flatten().collect::<Vec<_>>()
    };
    assert_eq!(urls(None), ["http://path/a", "http://own/a", "http://root/b"]);
    assert_eq!(urls(Some("")), ["http://path/a", "http://own/a", "http://root/b"]);
    assert_eq!(urls(Some("http://base")), ["http://base/a", "http://base/a", "http://base/b"]);
}
