use proptest::prelude::*;

use super::*;

const OPENAPI: &str = include_str!("../../../tests/it/imports/orders-openapi31.json");
const SWAGGER: &str = include_str!("../../../tests/it/imports/pets-swagger2.json");
const POSTMAN: &str = include_str!("../../../tests/it/imports/shop-postman21.json");
const PLAN: &str = include_str!("../../../tests/it/imports/checkout.jmx");
const SCRIPT: &str = include_str!("../../../tests/it/imports/shop.k6.js");

fn parsed(json: &str) -> Value {
    Value::parse(json).expect(json)
}

#[track_caller]
fn tasks(import: Result<Import, NotImported>) -> Vec<Value> {
    import.expect("an import").into_tasks().0
}

/// The task of a command, and what is said about it.
#[track_caller]
fn check_curl(command: &str, task: &str, notices: &[&str]) {
    let (found, said) = curl::task(command).expect(command);
    assert_eq!(Value::Dict(found).to_text(), parsed(task).to_text(), "{command}");
    assert_eq!(said.lines(), notices, "{command}");
}

#[test]
fn a_command_of_curl_becomes_the_task_of_the_reference_without_its_faults() {
    check_curl("curl http://h/a", r#"{"method": "get", "request_url": "http://h/a"}"#, &[]);
    check_curl("curl -s http://h/a", r#"{"method": "get", "request_url": "http://h/a"}"#, &[]);
    check_curl(
        "$ curl -sSkL -XPUT 'http://h/a' -H 'A: b: c' -u ann:pw \\\n -d 'x=1' -d y=2 | jq .",
        r#"{"method": "put", "auth": {"type": "basic", "username": "ann", "password": "pw"},
            "verify": false, "allow_redirects": true,
            "headers": {"A": "b: c"}, "data": "x=1&y=2", "request_url": "http://h/a"}"#,
        &[],
    );
    check_curl(
        r#"curl http://h/a --json '{"a": [1]}' -b 'sid=1; t=2'"#,
        r#"{"method": "post", "cookies": {"sid": "1", "t": "2"}, "json": {"a": [1]}, "request_url": "http://h/a"}"#,
        &[],
    );
    check_curl(
        "curl -G http://h/a?x=1 -d a=1 --data-urlencode 'b=x y'",
        r#"{"method": "get", "request_url": "http://h/a?x=1&a=1&b=x+y"}"#,
        &[],
    );
    check_curl(
        "curl http://h/up -F 'photo=@a.png;type=image/png' -F note=hi",
        r#"{"method": "post", "files": {"photo": {"path": "a.png", "content_type": "image/png"},
            "note": [null, "hi"]}, "request_url": "http://h/up"}"#,
        &[],
    );
    check_curl(
        "curl --ftp-pasv --weird x http://h/a http://h/b -d @body.json",
        r#"{"method": "post", "data": "@body.json", "request_url": "http://h/a"}"#,
        &[
            "options left out: --ftp-pasv, --weird",
            "further URLs left out: http://h/b",
            "files of bodies, not read: @body.json",
        ],
    );
    check_curl(
        "curl http://h/a -d @x=y --json @f --data-urlencode n@f -b jar -b a=1 -b 'b=2; c=3' -H 'X;' -H none -m x -F y",
        r#"{"method": "post", "cookies": {"a": "1", "b": "2", "c": "3"}, "headers": {"X": "", "Content-Type": "application/json"},
            "data": "@f", "request_url": "http://h/a"}"#,
        &[
            "-b \"jar\" is a file of cookies; give the cookies themselves",
            "-H \"none\" has no colon",
            "-F \"y\" has no =",
            "-m \"x\" is no number of seconds",
            "files of bodies, not read: @x=y, @f, n@f",
        ],
    );
    check_curl(
        "curl http://h/a --data-urlencode 'a=b c' --data-urlencode x=y --data-raw @z",
        r#"{"method": "post", "data": "a=b c&x=y&@z", "request_url": "http://h/a"}"#,
        &["values of --data-urlencode, left as they are: a=b c"],
    );
    check_curl("curl", r#"{"method": "get"}"#, &[]);
    assert_eq!(curl::task("curl 'x").expect_err("a quote").to_string(), "No closing quotation");
}

#[test]
fn what_is_of_the_shell_is_no_part_of_a_request() {
    let task = r#"{"method": "get", "request_url": "http://h/a"}"#;
    for command in [
        "curl http://h/a|jq .",
        "curl http://h/a | jq . >out",
        "curl http://h/a >/dev/null",
        "curl http://h/a>/dev/null 2>&1",
        "curl 2>/dev/null http://h/a",
        "curl -s http://h/a &>> 'a b' </dev/null",
        "curl http://h/a&",
        "curl http://h/a&&echo done",
        "curl http://h/a||exit 1",
        "curl http://h/a;sleep 1",
        "curl \\\n  http://h/a\necho done\n",
        "# don't\ncurl 'http://h/a' # it's done; | x",
    ] {
        check_curl(command, task, &[]);
    }
    check_curl(
        "curl http://h/a?b=1&c=2 -d '|' --data-raw '>' -d \"&\"",
        r#"{"method": "post", "data": "|&>&&", "request_url": "http://h/a?b=1&c=2"}"#,
        &[],
    );
    check_curl(
        "curl\n-H 'A: 1'\nhttp://h/a",
        r#"{"method": "get", "headers": {"A": "1"}, "request_url": "http://h/a"}"#,
        &[],
    );
    check_curl(
        "curl \"http://$HOST/${P}/$(id)/`id`\" -H 'A: $NO' -H \"B: \\$NO ${env.NO}\" -H C:\\$NO",
        r#"{"method": "get", "headers": {"A": "$NO", "B": "$NO ${env.NO}", "C": "$NO"},
            "request_url": "http://$HOST/${P}/$(id)/`id`"}"#,
        &["variables and commands of the shell, left as they are: $(…), $HOST, ${P}, `…`"],
    );
}

#[test]
fn broken_commands_are_listed_and_the_others_kept() {
    let import =
        curl::tasks(&["curl http://h/a", "curl 'x", "curl http://h/b"]).expect("an import");
    let (tasks, notices) = import.into_tasks();
    assert_eq!(tasks.len(), 2);
    assert_eq!(notices.lines(), ["commands left out (No closing quotation): curl 'x"]);
}

#[test]
fn what_is_said_of_an_import_holds_no_secret() {
    for script in [
        "http.post('http://h/?token=s3cret', JSON.stringify({at: Date.now()}))",
        "http.get('http://ann:s3cret@h/' + f())",
        "http.post('http://h/?api_key=s3cret', f())",
    ] {
        let (_, said) = k6::import_as_one(script).expect(script).into_tasks();
        assert!(said.lines().iter().all(|line| !line.contains("s3cret")), "{:?}", said.lines());
        assert!(!said.lines().is_empty(), "{script}");
    }
    let (_, said) = curl::task("curl http://h/ 'http://h/?token=s3cret'").expect("a task");
    assert_eq!(said.lines(), ["further URLs left out: http://h/?token=[redacted]"]);
}

#[test]
fn an_example_that_many_operations_share_does_not_fill_the_memory() {
    let example = "x".repeat(200_000);
    let paths: Vec<String> = (0..2000)
        .map(|number| {
            format!(
                r##""/{number}": {{"post": {{"requestBody": {{"content": {{"application/json":
                    {{"schema": {{"$ref": "#/components/schemas/Big"}}}}}}}}}}}}"##
            )
        })
        .collect();
    let spec = format!(
        r##"{{"openapi": "3.0.0", "paths": {{{}}}, "components": {{"schemas": {{"Big": {{"example": "{example}"}}}}}}}}"##,
        paths.join(",")
    );
    let refused = openapi::import(&parsed(&spec), None).expect_err("too large").to_string();
    assert_eq!(refused, "its requests would take more than 64 MiB of memory");
}

#[test]
fn schemas_that_refer_to_themselves_are_cut_off() {
    let spec = parsed(
        r##"{"openapi": "3.0.0", "paths": {"/a": {"post": {"requestBody": {"content": {"application/json":
            {"schema": {"$ref": "#/s/A"}}}}}}, "/b": {"$ref": "#/paths/~1b"}},
            "s": {"A": {"type": "object", "properties": {"a": {"$ref": "#/s/A"}, "b": {"$ref": "#/s/A"},
            "c": {"allOf": [{"$ref": "#/s/A"}]}}}}}"##,
    );
    let tasks = tasks(openapi::import(&spec, None));
    assert_eq!(tasks.len(), 1);
    assert!(tasks[0].weight() < 1 << 20, "{}", tasks[0].weight());
}

#[test]
fn constants_that_double_each_other_do_not_fill_the_memory() {
    let mut script = "const a0 = 'xxxxxxxxxxxxxxxx';".to_owned();
    for number in 1..64 {
        script += &format!("const a{number} = a{0} + a{0};", number - 1);
    }
    script += "http.post('http://h/', a63);";
    let import = k6::import(&script).expect("an import");
    assert!(import.weight() < 1 << 20, "{}", import.weight());
}

#[test]
fn what_is_nested_too_deep_is_refused_or_unknown() {
    let deep = format!("{}{}", "<a>".repeat(1000), "</a>".repeat(1000));
    let refused = jmeter::import(&deep).expect_err("too deep").to_string();
    assert!(refused.contains("nested deeper than 256 levels"), "{refused}");
    let folders = format!(r#"{}{{"item": []}}{}"#, r#"{"item": ["#.repeat(100), "]}".repeat(100));
    // The parser of JSON has a limit of its own.
    if let Ok(folders) = Value::parse(&folders) {
        assert!(postman::import(&folders).is_err());
    }
    let script = format!("http.get({}1{});", "[".repeat(10_000), "]".repeat(10_000));
    let computed = "line 1: the URL is computed; write it as text";
    assert_eq!(k6::import(&script).expect_err("no request").to_string(), computed);
    let template = format!("http.get({}1{});", "`${".repeat(1000), "}`".repeat(1000));
    assert_eq!(k6::import(&template).expect_err("no request").to_string(), computed);
}

#[test]
fn what_would_take_too_long_is_refused() {
    let calls = format!("{}1{}", "http.get(".repeat(20_000), ")".repeat(20_000));
    let refused = k6::import(&calls).expect_err("too many").to_string();
    assert_eq!(refused, "the calls of the script are nested too deep");
    let groups = "group('a', () => { http.get('http://h/'); });".repeat(5_000);
    let refused = k6::import(&groups).expect_err("too many").to_string();
    assert_eq!(refused, "the script has too many calls in too many blocks");
    let (managers, samplers) =
        ("<HeaderManager/>".repeat(3_000), "<HTTPSamplerProxy/>".repeat(3_000));
    let plan =
        format!("<jmeterTestPlan><hashTree>{managers}{samplers}</hashTree></jmeterTestPlan>");
    let refused = jmeter::import(&plan).expect_err("too many").to_string();
    assert_eq!(refused, "too many elements apply to too many samplers");
    let options = format!("curl {} http://h/", "-u a ".repeat(6_000));
    let (_, notices) = curl::task(&options).expect("a task");
    assert_eq!(notices.lines(), ["options beyond 5000 left out"]);
}

#[test]
fn entities_of_a_test_plan_are_not_expanded() {
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><jmeterTestPlan><hashTree>&b;</hashTree></jmeterTestPlan>"#;
    let refused = jmeter::import(bomb).expect_err("an entity").to_string();
    assert!(refused.contains("the entity &b; is not known"), "{refused}");
}

/// A JSON value.
fn json() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        Just("\"$ref\"".to_owned()),
        "\"#/(paths|components|a|0)(/[a-z~01]{0,3}){0,3}\"",
        "\"[a-z{}$:/ .]{0,12}\"",
        "-?[0-9]{1,4}(\\.[0-9])?",
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    words.prop_recursive(5, 60, 6, |inside| {
        let name = prop_oneof![
            Just("paths"),
            Just("get"),
            Just("item"),
            Just("request"),
            Just("url"),
            Just("body"),
            Just("mode"),
            Just("raw"),
            Just("auth"),
            Just("type"),
            Just("parameters"),
            Just("schema"),
            Just("properties"),
            Just("$ref"),
            Just("items"),
            Just("allOf"),
            Just("variable"),
            Just("key"),
            Just("value"),
            Just("/a/{b}"),
            Just("requestBody"),
            Just("content"),
            Just("application/json"),
            Just("event"),
            Just("script"),
            Just("exec"),
            Just("security"),
            Just("servers"),
            Just("openapi"),
            Just("swagger"),
        ];
        prop_oneof![
            proptest::collection::vec(inside.clone(), 0..5)
                .prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec((name, inside), 0..6).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(name, value)| format!("\"{name}\": {value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// A text with a part of it in another place.
fn broken(text: &'static str) -> impl Strategy<Value = String> {
    let length = text.len();
    (0..length, 0..length, 0..200_usize).prop_map(move |(from, to, count)| {
        let place = |at: usize| text.floor_char_boundary(at);
        let (from, to) = (place(from), place(to));
        let end = place((from + count).min(text.len()));
        format!("{}{}{}", &text[..to], &text[from..end.max(from)], &text[to..])
    })
}

/// A sample with another value in one place.
fn changed(sample: &'static str) -> impl Strategy<Value = Value> {
    (any::<u16>(), json()).prop_map(move |(place, with)| {
        let mut value = parsed(sample);
        let mut count = usize::from(place) % 300;
        replace(&mut value, &mut count, &Value::parse(&with).unwrap_or_default());
        value
    })
}

fn replace(value: &mut Value, count: &mut usize, with: &Value) {
    if *count == 0 {
        *value = with.clone();
    }
    *count = count.wrapping_sub(1);
    match value {
        Value::List(items) => items.iter_mut().for_each(|item| replace(item, count, with)),
        Value::Dict(members) => {
            members.values_mut().for_each(|member| replace(member, count, with))
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_json_makes_an_import_panic(text in json()) {
        if let Ok(value) = Value::parse(&text) {
            let _ = openapi::import(&value, None);
            let _ = postman::import(&value);
        }
    }

    #[test]
    fn no_changed_api_makes_an_import_panic(old in changed(SWAGGER), new in changed(OPENAPI)) {
        let _ = openapi::import(&old, Some("http://h"));
        let _ = openapi::import(&new, None);
    }

    #[test]
    fn no_changed_collection_makes_an_import_panic(collection in changed(POSTMAN)) {
        let _ = postman::import(&collection);
    }

    #[test]
    fn no_broken_script_or_plan_makes_an_import_panic(script in broken(SCRIPT), plan in broken(PLAN)) {
        let _ = k6::import(&script);
        let _ = k6::import_as_one(&script);
        let _ = jmeter::import(&plan);
    }

    #[test]
    fn no_text_makes_an_import_panic(
        text in "(http|\\.get\\(|JSON\\.stringify\\(|const a = |[a-z0-9 '\"`$\\\\{}()\\[\\]=>+|?:;,.é/*\n-]){0,40}"
    ) {
        let _ = k6::import(&text);
        let _ = jmeter::import(&text);
        let _ = curl::task(&text);
        let _ = jmeter::import(&format!("<jmeterTestPlan><hashTree>{text}</hashTree></jmeterTestPlan>"));
    }
}
