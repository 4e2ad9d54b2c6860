use super::*;

/// The only task of a text with commands of curl, as JSON, without its method and URL where they are
/// `get` and `/`.
#[track_caller]
fn check_curl(command: &str, task: &str) {
    let converted = convert(command, None, Choices::default()).expect(command);
    let tasks = tasks(&converted.document);
    let [Value::Dict(found)] = tasks.as_slice() else { panic!("{tasks:?}") };
    let expected = Value::parse(task).expect("JSON");
    let Value::Dict(expected) = expected else { panic!("{task}") };
    let found: Map = found.clone().into_iter().filter(|(key, _)| key != "name").collect();
    assert_eq!(Value::Dict(found).to_text(), Value::Dict(expected).to_text(), "{command}");
}

fn tasks(document: &Value) -> Vec<Value> {
    let Some(Value::List(actions)) = document.get("load_density") else { panic!("{document:?}") };
    let Some(Value::List(action)) = actions.first() else { panic!("{document:?}") };
    let tasks = action.get(1).and_then(|test| test.get("tasks")?.get("tasks"));
    let Some(Value::List(tasks)) = tasks else { panic!("{document:?}") };
    tasks.clone()
}

#[test]
fn the_options_of_curl_become_members_of_a_task() {
    for (command, task) in [
        ("curl http://h/a", r#"{"method": "get", "request_url": "/a", "allow_redirects": false}"#),
        ("curl -L h", r#"{"method": "get", "request_url": "/"}"#),
        ("curl -LI http://h/", r#"{"method": "head", "request_url": "/"}"#),
        (
            "curl -L -X PUT --url http://h/a -H 'X-A: b c' -A me -e http://r/ --compressed -sS",
            r#"{"method": "put", "request_url": "/a",
                "headers": {"X-A": "b c", "User-Agent": "me", "Referer": "http://r/"}}"#,
        ),
        (
            r#"curl -L http://h/a -H 'Content-Type: application/json' --data-raw '{"a": [1, "it'\''s"]}'"#,
            r#"{"method": "post", "request_url": "/a", "headers": {"Content-Type": "application/json"},
                "json": {"a": [1, "it's"]}}"#,
        ),
        (
            r#"curl -L http://h/a --json '{"a": 1}'"#,
            r#"{"method": "post", "request_url": "/a",
                "headers": {"Content-Type": "application/json", "Accept": "application/json"}, "json": {"a": 1}}"#,
        ),
        (
            "curl -L http://h/a -d a=1 --data-urlencode 'b=x y&z'",
            r#"{"method": "post", "request_url": "/a",
                "headers": {"Content-Type": "application/x-www-form-urlencoded"},
                "data": {"a": "1", "b": "x y&z"}}"#,
        ),
        (
            "curl -L -G http://h/a?x=1 -d a=1 --data-urlencode 'b=x y'",
            r#"{"method": "get", "request_url": "/a?x=1&a=1&b=x+y"}"#,
        ),
        (
            "curl -L http://h/up -F 'photo=@a.png;type=image/png' -F note=hi",
            r#"{"method": "post", "request_url": "/up",
                "files": {"photo": {"path": "a.png", "content_type": "image/png"}, "note": [null, "hi"]}}"#,
        ),
        (
            r#"curl -L http://h/ -F 'm={"a":1};type=application/json' -F 'q="x;\"y\"";filename=q.txt' -F 'p=@"a;b.txt"'"#,
            r#"{"method": "post", "request_url": "/", "files": {"m": [null, "{\"a\":1}", "application/json"],
                "q": ["q.txt", "x;\"y\""], "p": {"path": "a;b.txt"}}}"#,
        ),
        (
            "curl -L http://h/ -H 'Content-Type: multipart/form-data' -F 'a=b;c' --form-string 'd=e;type=f'",
            r#"{"method": "post", "request_url": "/", "files": {"a": [null, "b;c"], "d": [null, "e;type=f"]}}"#,
        ),
        (
            "# don't forget the password\ncurl -L http://h/ -H 'Content-Type: text/plain' -d 'a;b'",
            r#"{"method": "post", "request_url": "/", "headers": {"Content-Type": "text/plain"}, "data": "a;b"}"#,
        ),
        (
            "curl -L http://h/ -k -u ann:pw --digest -m 3 -x proxy:3128 --http2",
            r#"{"method": "get", "request_url": "/",
                "auth": {"type": "digest", "username": "ann", "password": "${env.PASSWORD}"},
                "verify": false, "http2": true, "proxy": "http://proxy:3128", "timeout": 3}"#,
        ),
        (
            "curl -L http://h/ -b 'sid=abc; theme=dark' -H 'Authorization: Bearer t0k' -H 'X-Api-Key: k3y'",
            r#"{"method": "get", "request_url": "/",
                "headers": {"Authorization": "Bearer ${env.TOKEN}", "X-Api-Key": "${env.API_KEY}"},
                "cookies": {"sid": "${env.COOKIE_SID}", "theme": "${env.COOKIE_THEME}"}}"#,
        ),
        (
            "curl -L $'http://h/a' --data-raw $'{\"a\":\"it\\'s\\u0021\\n\"}' -H 'content-type: text/plain'",
            r#"{"method": "post", "request_url": "/a", "headers": {"content-type": "text/plain"},
                "data": "{\"a\":\"it's!\n\"}"}"#,
        ),
        (
            "curl -L http://h/a?b=1&c=2 2>/dev/null|jq .",
            r#"{"method": "get", "request_url": "/a?b=1&c=2"}"#,
        ),
        (
            "curl -L http://h/a -b a=1 -H 'Cookie: b=2' -b c=3 -H 'X;'",
            r#"{"method": "get", "request_url": "/a", "headers": {"X": ""},
                "cookies": {"a": "${env.COOKIE_A}", "c": "${env.COOKIE_C}", "b": "${env.COOKIE_B}"}}"#,
        ),
        (
            "$ curl -L \\\n  http://h/a?token=s3cret \\\n  | jq .",
            r#"{"method": "get", "request_url": "/a?token=${env.TOKEN}"}"#,
        ),
    ] {
        check_curl(command, task);
    }
}

#[track_caller]
fn check_refusal(text: &str, why: &str) {
    assert_eq!(convert(text, None, Choices::default()).expect_err(text).to_string(), why);
}

#[test]
fn what_cannot_be_converted_is_refused_with_the_reason() {
    check_refusal(
        "hello",
        "this is not a HAR recording, an OpenAPI document, a Postman collection, a JMeter test plan, a k6 \
         script or commands of curl",
    );
    check_refusal(
        "[1]",
        "this is not a HAR recording, an OpenAPI document, a Postman collection, a JMeter \
         test plan, a k6 script or commands of curl",
    );
    check_refusal(r#"{"load_density": []}"#, "this is a document already");
    check_refusal("{}", "not a HAR recording: it has no \"log\"");
    check_refusal(r#"{"log": {"entries": []}}"#, "it has no request");
    check_refusal("curl", "no URL");
    check_refusal("curl 'http://h", "line 1: a quote is not closed");
    check_refusal(
        "curl http://h/ -H 'X: it'\\''s\n'\ncurl $'http://h/a\\'' \"http://h/b\n\n",
        "line 3: a quote is not closed",
    );
    check_refusal("curl http://h \\", "nothing follows the backslash at its end");
    for empty in ["", " \n", "\u{feff}"] {
        check_refusal(empty, "the file is empty");
    }
    let script =
        |call: &str| format!("import http from 'k6/http';\nexport default () => {{\n{call}\n}}");
    let computed = "line 3: the URL is computed; write it as text";
    check_refusal(&script("http.get(base() + '/x');"), computed);
    check_refusal(
        &script("http.post(\n    url(), 'a'); http.get(url());"),
        &computed.replace('3', "4"),
    );
    check_refusal(&script("if (1) {"), "line 2: `{` is not closed");
    check_refusal(&script("1;"), "it has no request");
    check_refusal("curl http://h --ftp-pasv", "--ftp-pasv cannot be converted; remove it");
    check_refusal(
        "curl http://h\ncurl -Q x http://h",
        "command 2: -Q cannot be converted; remove it",
    );
    check_refusal(
        "curl http://h --json @no-such-file",
        "cannot read no-such-file: No such file or directory",
    );
    check_refusal("curl http://h -H none", "-H \"none\" has no colon");
    check_refusal(
        "curl http://h -d @no-such-file",
        "cannot read no-such-file: No such file or directory",
    );
}

#[test]
fn the_first_page_decides_on_the_host_and_others_become_variables() {
    let entry = |url: &str, kind: &str| {
        format!(
            r#"{{"request": {{"method": "GET", "url": "{url}"}},
                "response": {{"status": 200, "content": {{"mimeType": "{kind}"}}}}}}"#
        )
    };
    let entries = [
        entry("https://cdn.example/a.js", "text/javascript"),
        entry("https://cdn.example/b.js", "text/javascript"),
        entry("https://shop.example/?a#b", "text/html; charset=utf-8"),
        entry("http://cdn.example:8080", "text/plain"),
    ];
    let har = format!(r#"{{"log": {{"entries": [{}]}}}}"#, entries.join(","));
    let converted = convert(&har, None, Choices::default()).expect("a document");
    let urls: Vec<String> = tasks(&converted.document)
        .iter()
        .map(|task| {
            format!(
                "{} {}",
                task.get("request_url").expect("a URL").to_text(),
                task.get("name").expect("a name").to_text()
            )
        })
        .collect();
    assert_eq!(
        urls,
        [
            "${cdn_example}/a.js GET cdn.example/a.js",
            "${cdn_example}/b.js GET cdn.example/b.js",
            "/?a#b GET /",
            "${cdn_example_8080}/ GET cdn.example:8080/",
        ]
    );
    let own = Choices { host_only: true, ..Choices::default() };
    let converted = convert(&har, None, own).expect("a document");
    assert_eq!(tasks(&converted.document).len(), 1);
    assert_eq!(
        converted.notes,
        ["left out requests to other hosts: https://cdn.example (2), http://cdn.example:8080 (1)"]
    );
}

#[test]
fn variables_of_the_shell_are_listed() {
    let text = "curl http://h/$P; curl \"http://h/?a=$Q\"";
    let converted = convert(text, None, Choices::default()).expect(text);
    let said = "variables and commands of the shell, left as they are: $P, $Q";
    assert_eq!(converted.notes, [said]);
}

#[test]
fn the_same_secret_has_one_variable_and_different_ones_have_several() {
    let text = "curl http://h/ -d password=a\ncurl http://h/ -d password=b -H 'X-Password: a'";
    let converted = convert(text, None, Choices::default()).expect("a document");
    assert_eq!(converted.variables, ["PASSWORD", "PASSWORD_2"]);
}

#[test]
fn a_command_begins_at_the_name_of_the_program_alone() {
    for (text, urls) in [
        ("curl https://h/curl", vec!["/curl"]),
        ("curl -o /tmp/curl http://h/a", vec!["/a"]),
        ("curl -sLo curl http://h/a", vec!["/a"]),
        ("curl -d curl http://h/a", vec!["/a"]),
        (
            "curl http://h/a; /usr/bin/curl http://h/b && curl --url http://h/c",
            vec!["/a", "/b", "/c"],
        ),
    ] {
        let converted = convert(text, None, Choices::default()).expect(text);
        let tasks = tasks(&converted.document);
        let found: Vec<_> = tasks
            .iter()
            .map(|task| task.get("request_url").map(Value::to_text).unwrap_or_default())
            .collect();
        assert_eq!(found, urls, "{text}");
    }
}

#[test]
fn user_and_password_of_a_url_are_sent_and_those_of_a_proxy_are_told() {
    check_curl(
        "curl -L https://ann:p%40w@h/a",
        r#"{"method": "get", "request_url": "/a",
            "auth": {"type": "basic", "username": "ann", "password": "${env.PASSWORD}"}}"#,
    );
    let text = "curl -x http://u:s3cret@proxy:3128 http://h/";
    let converted = convert(text, None, Choices::default()).expect(text);
    let document = converted.document.to_text();
    assert!(document.contains("'proxy': 'http://proxy:3128'"), "{document}");
    assert!(converted.notes[0].starts_with("user and password of a proxy left out"));
}

#[test]
fn parts_of_a_form_with_the_same_name_are_all_kept() {
    let text = "curl http://h/ -F file=@a.png -F file=@b.png";
    let converted = convert(text, None, Choices::default()).expect(text);
    let document = converted.document.to_text();
    assert!(document.contains("a.png") && document.contains("b.png"), "{document}");
    let json = Value::parse(&serde_json::to_string(&converted.document).expect("JSON"));
    let findings = crate::action::lint(&json.expect("JSON"));
    assert!(
        findings.iter().all(|finding| finding.severity != crate::action::Severity::Error),
        "{findings:?}"
    );
}

#[test]
fn cookies_of_a_session_are_sent_until_a_response_sets_them_anew() {
    let entry = |second: u32, url: &str, cookie: &str, set: &str| {
        format!(
            r#"{{"startedDateTime": "2026-01-01T10:00:0{second}Z", "request": {{"method": "GET",
                "url": "{url}", "headers": [{{"name": "Cookie", "value": "{cookie}"}}]}},
                "response": {{"status": 200, "headers": [{{"name": "Set-Cookie", "value": "{set}"}}]}}}}"#
        )
    };
    let entries = [
        entry(0, "http://h/a", "sid=old; theme=dark", "sid=new; Path=/"),
        entry(1, "http://h/b", "sid=new; theme=dark", "shared=1; Domain=.h"),
        entry(2, "http://h/c", "sid=new; theme=dark; shared=1", "x=1"),
        entry(3, "http://api.h/d", "shared=1; own=2", "x=1"),
    ];
    let har = format!(r#"{{"log": {{"entries": [{}]}}}}"#, entries.join(", "));
    let converted = convert(&har, None, Choices::default()).expect("a document");
    let cookies: Vec<String> = tasks(&converted.document)
        .iter()
        .map(|task| task.get("cookies").map(Value::to_text).unwrap_or_default())
        .collect();
    let theme = "{'theme': '${env.COOKIE_THEME}'}";
    let first = "{'sid': '${env.COOKIE_SID}', 'theme': '${env.COOKIE_THEME}'}";
    assert_eq!(cookies, [first, theme, theme, "{'own': '${env.COOKIE_OWN}'}"]);
}

#[test]
fn secrets_in_the_parts_of_a_form_come_from_the_environment() {
    let text = "curl http://h/ -F user=ann -F password=hunter2";
    let converted = convert(text, None, Choices::default()).expect("a document");
    assert_eq!(converted.variables, ["PASSWORD"]);
    let text = converted.document.to_text();
    assert!(text.contains("ann") && !text.contains("hunter2"), "{text}");
}

/// A collection of Postman with one request, whose document must not hold `s3cret`, but the variables.
#[track_caller]
fn check_kept_secret(request: &str, variables: &[&str], more: &str) {
    let text = format!(r#"{{"info": {{}}, "item": [{{"request": {request}}}] {more}}}"#);
    let converted = convert(&text, None, Choices::default()).expect(&text);
    let document = format!("{} {:?}", converted.document.to_text(), converted.notes);
    assert!(!document.contains("s3cret") && !document.contains("73539"), "{document}");
    assert_eq!(converted.variables, variables, "{document}");
}

#[test]
fn what_stands_below_a_telling_name_comes_from_the_environment() {
    let body = |json: &str| {
        let raw = Value::from(json).to_json(crate::value::Charset::Ascii);
        format!(
            r#"{{"method": "POST", "url": "http://h/a", "body": {{"mode": "raw", "raw": {raw}}}}}"#
        )
    };
    for (json, variables) in [
        (r#"{"password": 73539}"#, &["PASSWORD"][..]),
        (r#"{"tokens": ["s3cret", {"a": "s3cret-2"}]}"#, &["TOKENS", "TOKENS_2"]),
        (r#"{"token": {"value": "s3cret", "kind": null}}"#, &["TOKEN"]),
        (r#"[["password", [null, "s3cret"]]]"#, &["PASSWORD"]),
        (r#"{"fields": [{"name": "api_key", "value": "s3cret"}]}"#, &["API_KEY"]),
        (r#"{"a": {"secret": [[["s3cret"]]]}, "design": "x"}"#, &["SECRET"]),
    ] {
        check_kept_secret(&body(json), variables, "");
    }
    let form = |fields: &str| {
        format!(
            r#"{{"method": "POST", "url": "http://h/a", "body": {{"mode": "formdata", "formdata": [{fields}]}}}}"#
        )
    };
    let part = r#"{"key": "password", "value": "s3cret", "contentType": "text/plain"}"#;
    check_kept_secret(&form(part), &["PASSWORD"], "");
    check_kept_secret(&form(&format!("{part}, {part}")), &["PASSWORD"], "");
    let text = "curl http://h/#access_token=s3cret -F 'token=s3cret;type=text/plain'";
    let converted = convert(text, None, Choices::default()).expect(text);
    assert!(!converted.document.to_text().contains("s3cret"), "{:?}", converted.document);
}

#[test]
fn the_type_and_the_path_of_a_part_with_a_telling_name_stay() {
    let part = r#"{"key": "password", "value": "s3cret", "contentType": "text/plain"}"#;
    let file = r#"{"key": "secret", "type": "file", "src": "secret.pem"}"#;
    let text = format!(
        r#"{{"info": {{}}, "item": [{{"request": {{"url": "http://h/a", "body": {{"mode": "formdata",
            "formdata": [{part}, {file}]}}}}}}]}}"#
    );
    let converted = convert(&text, None, Choices::default()).expect("a document");
    let files = tasks(&converted.document)[0].get("files").map(Value::to_text);
    assert_eq!(
        files.as_deref(),
        Some(
            "{'password': [None, '${env.PASSWORD}', 'text/plain'], 'secret': {'path': 'secret.pem'}}"
        )
    );
}

#[test]
fn a_variable_that_stands_where_a_secret_does_comes_from_the_environment() {
    let variable = r#", "variable": [{"key": "who", "value": "s3cret"}]"#;
    for request in [
        r#"{"url": "http://h/a", "header": [{"key": "Authorization", "value": "Bearer {{who}}"}]}"#,
        r#"{"url": "http://h/a", "header": [{"key": "X-Api-Key", "value": "{{who}}"}]}"#,
        r#"{"url": "http://h/a", "header": [{"key": "Cookie", "value": "{{who}}"}]}"#,
        r#"{"url": "http://h/a?token={{who}}"}"#,
        r#"{"url": "http://h/a", "auth": {"type": "basic", "basic": {"username": "ann", "password": "{{who}}"}}}"#,
        r#"{"url": "http://h/a", "auth": {"type": "bearer", "bearer": {"token": "{{who}}"}}}"#,
        r#"{"url": "http://h/a", "auth": {"type": "apikey", "apikey": {"key": "appid", "value": "{{who}}", "in": "query"}}}"#,
        r#"{"url": "http://h/a", "auth": {"type": "apikey", "apikey": {"key": "appid", "value": "{{who}}"}}}"#,
        r#"{"method": "POST", "url": "http://h/a", "body": {"mode": "raw", "raw": "{\"pin\": 1, \"password\": [\"{{who}}\"]}"}}"#,
        r#"{"method": "POST", "url": "http://h/a", "body": {"mode": "urlencoded", "urlencoded": [{"key": "pwd", "value": "{{who}}"}]}}"#,
    ] {
        check_kept_secret(request, &["WHO"], variable);
    }
    // Elsewhere it keeps its value.
    let text = r#"{"info": {}, "item": [{"request": {"url": "http://h/{{who}}"}}],
        "variable": [{"key": "who", "value": "ann"}]}"#;
    let converted = convert(text, None, Choices::default()).expect("a document");
    assert_eq!(converted.variables, [""; 0]);
    let script = "const t = 's3cret'; import http from 'k6/http';\
        http.get('http://h/', {headers: {Authorization: `Bearer ${t}`}});";
    let converted = convert(script, None, Choices::default()).expect("a document");
    assert_eq!(converted.variables, ["TOKEN"]);
}

#[test]
fn the_key_of_an_api_is_secret_whatever_its_name() {
    for place in ["query", "header"] {
        let request = format!(
            r#"{{"url": "http://h/a", "auth": {{"type": "apikey", "apikey": {{"key": "appid",
                "value": "s3cret", "in": "{place}"}}}}}}"#
        );
        check_kept_secret(&request, &["APPID"], "");
    }
}

#[test]
fn names_of_tasks_hold_no_secrets() {
    for (name, request, found) in [
        ("http://h/a?api_key=s3cret", r#""http://h/a?api_key=s3cret""#, "GET /a"),
        ("", r#""http://h/a?api_key=s3cret""#, "GET /a"),
        ("a, api_key=s3cret", r#""http://h/a""#, "GET /a"),
        ("with s3cret", r#"{"url": "http://h/a?token=s3cret"}"#, "GET /a"),
        ("", r#""/a/b?token=s3cret""#, "GET /a/b"),
        ("the items", r#""http://h/a?token=s3cret""#, "the items"),
    ] {
        let text =
            format!(r#"{{"info": {{}}, "item": [{{"name": "{name}", "request": {request}}}]}}"#);
        let converted = convert(&text, None, Choices::default()).expect(&text);
        let task = &tasks(&converted.document)[0];
        assert_eq!(task.get("name").map(Value::to_text).as_deref(), Some(found), "{text}");
        assert!(!converted.document.to_text().contains("s3cret"), "{:?}", converted.document);
    }
    let text = r#"{"info": {}, "item": [{"request": {"method": "POST", "url": "http://h/a?api_key=s3cret",
        "body": {"mode": "raw", "raw": "<a password='73539'/> password=73539"}}}]}"#;
    let converted = convert(text, None, Choices::default()).expect("a document");
    assert_eq!(converted.notes, ["bodies that may hold secrets, kept as they are: POST /a"]);
}

/// A sample of another tool.
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../../tests/it/imports/", $name))
    };
}

const SAMPLES: [(&str, Source); 8] = [
    (sample!("shop-openapi3.yaml"), Source::OpenApi),
    (sample!("pets-swagger2.json"), Source::OpenApi),
    (sample!("orders-openapi31.json"), Source::OpenApi),
    (sample!("shop-postman21.json"), Source::Postman),
    (sample!("users-postman20.json"), Source::Postman),
    (sample!("checkout.jmx"), Source::JMeter),
    (sample!("shop.k6.js"), Source::K6),
    (sample!("scenarios.k6.js"), Source::K6),
];

#[test]
fn what_a_text_is_is_found_by_its_content() {
    for (text, source) in SAMPLES {
        for text in [text.to_owned(), format!("\u{feff}\n{text}")] {
            assert_eq!(Source::of(&text), Ok(source), "{text}");
        }
    }
    for (text, source) in [
        ("'swagger': '2.0'", Source::OpenApi),
        ("# ours\n\"openapi\" : 3.0.0", Source::OpenApi),
        ("$ curl -L h", Source::Curl),
        ("{\"log\": {}}", Source::Har),
        ("import http from \"k6/http\";", Source::K6),
    ] {
        assert_eq!(Source::of(text), Ok(source), "{text}");
    }
}

#[test]
fn an_api_without_a_server_has_a_host_from_the_environment() {
    for servers in ["", r#""servers": [{"url": "/api"}],"#] {
        let text =
            format!(r#"{{"openapi": "3.0.0", {servers} "paths": {{"/a": {{"get": {{}}}}}}}}"#);
        let converted = convert(&text, None, Choices::default()).expect("a document");
        assert_eq!(converted.variables, ["BASE_URL"]);
        let text = converted.document.to_text();
        assert!(text.contains("'host': '${env.BASE_URL}'"), "{text}");
    }
}

#[test]
fn variables_with_secrets_or_without_values_come_from_the_environment() {
    let text = r#"{"info": {}, "item": [{"name": "a", "request": {"url": "http://h/{{a}}/{{b}}/{{shop key}}",
        "method": "POST", "body": {"mode": "raw", "raw": "{\"password\": \"{{password}}\"}"}}}],
        "variable": [{"key": "a", "value": "1"}, {"key": "password", "value": "s3cret"}]}"#;
    let converted = convert(text, None, Choices::default()).expect("a document");
    assert_eq!(converted.variables, ["B", "SHOP_KEY", "PASSWORD"]);
    let text = converted.document.to_text();
    assert!(text.contains("'/${var.a}/${env.B}/${env.SHOP_KEY}'"), "{text}");
    assert!(text.contains("'variables': {'a': '1'}") && !text.contains("s3cret"), "{text}");
    assert_eq!(converted.notes, [""; 0]);
}

proptest::proptest! {
    #[test]
    fn no_broken_sample_makes_the_conversion_panic(which in 0..8_usize, from in 0..5000_usize, count in 0..60_usize) {
        let (text, source) = SAMPLES[which];
        let place = |at: usize| text.floor_char_boundary(at.min(text.len()));
        let broken = format!("{}{}", &text[..place(from)], &text[place(from + count)..]);
        for source in [None, Some(source)] {
            let _ = convert(&broken, source, Choices { host_only: true, think_time: true });
        }
    }
    #[test]
    fn no_text_makes_the_conversion_panic(text in "curl ([-a-zA-Z'\"$\\\\=@{}:/ ]|http://h){0,40}") {
        let _ = convert(&text, None, Choices::default());
    }
}

#[test]
fn a_script_whose_end_is_missing_is_converted_with_a_note() {
    let script = "import http from 'k6/http';\nexport default () => {\nhttp.get('http://h/a');";
    let converted = convert(script, None, Choices::default()).expect("a document");
    assert_eq!(tasks(&converted.document).len(), 1);
    assert_eq!(converted.notes, ["line 2: `{` is not closed"]);
}
