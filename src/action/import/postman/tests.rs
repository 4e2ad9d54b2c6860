use super::*;

/// What is said about the script of a request, and its assertions and extractors.
#[track_caller]
fn check_script(lines: &str, members: &str, notices: &[&str]) {
    let mut exec = Vec::new();
    exec.extend(lines.lines().map(Value::from));
    let script = Value::dict([("exec", Value::List(exec))]);
    let event = Value::dict([("listen", "test".into()), ("script", script)]);
    let item = Value::dict([("request", "http://h/a".into()), ("event", Value::List(vec![event]))]);
    let (tasks, said) =
        import(&Value::dict([("item", Value::List(vec![item]))])).expect(lines).into_tasks();
    let mut found = Map::new();
    for (key, value) in tasks.first().and_then(super::members).into_iter().flatten() {
        if ["assertions", "extract"].contains(&key.as_str()) {
            found.insert(key.clone(), value.clone());
        }
    }
    let expected = Value::parse(members).expect(members);
    assert_eq!(Value::Dict(found).to_text(), expected.to_text(), "{lines}");
    assert_eq!(said.lines(), notices, "{lines}");
}

const LOST: &str = "left out: script after a request (or checks in it) (1)";

#[test]
fn a_status_that_is_expected_for_certain_is_an_assertion() {
    for line in [
        "pm.response.to.have.status(201);",
        "pm.test('ok', function () {\n  pm.response.to.have.status(201)\n});",
        "pm.test('ok', () => pm.expect(pm.response.code).to.eql(201));",
        "pm.expect(pm.response.code).to.be.equal(201)",
        "pm.expect(pm.response.code === 201).to.be.true;",
        "pm.expect(pm.response.code === 201).to.eql(true);",
        "tests['created'] = responseCode.code === 201;",
        "tests['created'] = responseCode.code == 201",
        "// pm.response.to.have.status(200);\npm.response.to.have.status(201);",
    ] {
        let assertion = r#"{"assertions": [{"type": "status_code", "value": 201}]}"#;
        check_script(line, assertion, &[]);
    }
}

#[test]
fn conditions_and_alternatives_are_no_assertions() {
    for line in [
        "pm.expect(pm.response.code === 200 || pm.response.code === 201).to.be.true;",
        "pm.expect(pm.response.code === 200).to.be.false;",
        "pm.expect(pm.response.code).to.not.equal(200);",
        "pm.expect(pm.response.code).to.be.oneOf([200, 201]);",
        "pm.expect(pm.response.code).to.be.below(400);",
        "pm.response.to.not.have.status(404);",
        "tests['ok'] = responseCode.code === 200 || responseCode.code === 201;",
        "if (pm.response.code === 401) { pm.environment.unset('token'); }",
        "if (a) { pm.response.to.have.status(200); }",
        "if (a) pm.response.to.have.status(200); else pm.response.to.have.status(201);",
        "a ? pm.response.to.have.status(200) : pm.response.to.have.status(201);",
        "list.forEach(() => { pm.response.to.have.status(200); });",
        "pm.test.skip('ok', () => { pm.response.to.have.status(200); });",
        "/* pm.response.to.have.status(200); */ a();",
        "const text = 'pm.response.to.have.status(200)';",
    ] {
        check_script(line, "{}", &[LOST]);
    }
    check_script("// pm.response.to.have.status(200);", "{}", &[]);
}

#[test]
fn what_a_script_keeps_is_an_extractor_and_the_rest_is_listed() {
    check_script(
        "const body = pm.response.json();\npm.environment.set('token', body.data.token);\n\
         postman.setGlobalVariable(\"tag\", pm.response.headers.get('ETag'));\n\
         pm.globals.set('now', Date.now()); pm.expect(body.a).to.eql(1); postman.setNextRequest('x');",
        r#"{"extract": [{"var": "token", "path": "data.token"}, {"var": "tag", "from": "header", "name": "ETag"}]}"#,
        &[
            "left out: call of setNextRequest (1), script after a request (or checks in it) (1)",
            "variables that scripts compute: now",
        ],
    );
    // A name that is computed is not the name of a header, and one that another begins with is another.
    check_script(
        "const a = pm.response.json(), name = f();\nconst ab = pm.response.json();\n\
         pm.globals.set('x', ab.c); pm.globals.set('y', pm.response.headers.get(name));\n\
         pm.globals.set('z', pm.response.headers.get('A') + pm.response.headers.get('B'));",
        r#"{"extract": [{"var": "x", "path": "c"}]}"#,
        &["variables that scripts compute: y, z"],
    );
}

/// The members of the task of a request besides its method, URL and name, and what is said about it.
#[track_caller]
fn check_request(members: &str, task: &str, notices: &[&str]) {
    let item =
        format!(r#"{{"item": [{{"name": "n", "request": {{"url": "http://h/a", {members}}}}}]}}"#);
    let (tasks, said) = import(&Value::parse(&item).expect(&item)).expect(&item).into_tasks();
    let [Value::Dict(found)] = tasks.as_slice() else { panic!("{tasks:?}") };
    let own = |key: &String| !["method", "request_url", "name"].contains(&key.as_str());
    let found: Map = found.clone().into_iter().filter(|(key, _)| own(key)).collect();
    let expected = Value::parse(task).expect(task);
    assert_eq!(Value::Dict(found).to_text(), expected.to_text(), "{members}");
    assert_eq!(said.lines(), notices, "{members}");
}

#[test]
fn fields_of_a_form_that_repeat_and_several_files_are_all_sent() {
    let form = |fields: &str| format!(r#""body": {{"mode": "formdata", "formdata": [{fields}]}}"#);
    check_request(
        &form(
            r#"{"key": "a", "value": "1"}, {"key": "a", "value": "2"}, {"key": "b", "value": "3"}"#,
        ),
        r#"{"files": [["a", [null, "1"]], ["a", [null, "2"]], ["b", [null, "3"]]]}"#,
        &[],
    );
    check_request(
        &form(
            r#"{"key": "f", "type": "file", "src": ["/a.png", "b.png"], "contentType": "image/png"}"#,
        ),
        r#"{"files": [["f", {"path": "a.png", "content_type": "image/png"}],
            ["f", {"path": "b.png", "content_type": "image/png"}]]}"#,
        &["files to put into the data directory: a.png, b.png"],
    );
    check_request(
        &form(r#"{"key": "f", "type": "file", "src": []}"#),
        r#"{"files": {"f": {"path": "file"}}}"#,
        &["files to put into the data directory: file"],
    );
}

#[test]
fn headers_may_be_a_text() {
    check_request(
        r#""header": "A: b: c\nX-Id: {{id}}\n\nnone\n""#,
        r#"{"headers": {"A": "b: c", "X-Id": "${var.id}"}}"#,
        &[],
    );
}

#[test]
fn variables_of_graphql_are_kept_or_listed() {
    let graphql = |variables: &str| {
        let variables = Value::from(variables).to_json(crate::value::Charset::Ascii);
        format!(
            r#""body": {{"mode": "graphql", "graphql": {{"query": "q", "variables": {variables}}}}}"#
        )
    };
    check_request(
        &graphql(r#"{"id": {{id}}, "text": "a \" {{b}}"}"#),
        r#"{"json": {"query": "q", "variables": {"id": "${var.id}", "text": "a \" ${var.b}"}}}"#,
        &[],
    );
    check_request(&graphql(" "), r#"{"json": {"query": "q"}}"#, &[]);
    check_request(
        &graphql("{id: 1}"),
        r#"{"json": {"query": "q"}}"#,
        &["GraphQL variables that are no JSON left out: http://h/a"],
    );
}

#[test]
fn the_language_of_a_raw_body_decides() {
    let raw = |language: &str| {
        format!(
            r#""body": {{"mode": "raw", "raw": "[1]", "options": {{"raw": {{"language": "{language}"}}}}}}"#
        )
    };
    check_request(&raw("json"), r#"{"json": [1]}"#, &[]);
    check_request(&raw(""), r#"{"json": [1]}"#, &[]);
    check_request(
        &raw("text"),
        r#"{"headers": {"Content-Type": "text/plain"}, "data": "[1]"}"#,
        &[],
    );
    check_request(
        &raw("xml"),
        r#"{"headers": {"Content-Type": "application/xml"}, "data": "[1]"}"#,
        &[],
    );
}
