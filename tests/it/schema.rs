//! The JSON Schema of documents, as it is committed in `schema/` for editors. When it is stale,
//! `TRYCMD=overwrite cargo test --test it` writes it anew.

use std::path::Path;

use ldctl::action::rule::MISSING_HOST;
use ldctl::action::{Declaration, Finding, Severity, Surroundings, check, declarations, schema};
use ldctl::value::Kind;
use serde_json::Value;
use snapbox::{Assert, Data};

use crate::support::actions::actions_with;

const COMMITTED: &str = "schema/actions.json";

fn validator() -> jsonschema::Validator {
    let text = std::fs::read_to_string(COMMITTED).expect(COMMITTED);
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a valid schema");
    jsonschema::draft202012::new(&schema).expect("a schema whose references resolve")
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn the_committed_schema_is_that_of_the_commands() {
    let schema = schema();
    let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
    let committed = Data::read_from(Path::new(COMMITTED), None).raw();
    Assert::new().action_env("TRYCMD").eq(Data::text(text).raw(), committed);
}

#[test]
fn every_example_is_accepted() {
    let validator = validator();
    let mut seen = 0;
    for entry in std::fs::read_dir("examples").expect("examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let document = document(&text);
            let found = validator.validate(&document);
            assert!(found.is_ok(), "{}: {:?}", path.display(), found.err());
            seen += 1;
        }
    }
    assert!(seen > 0, "no example was found");
}

/// A test with these tasks and these further arguments.
fn test_of(tasks: &str, further: &str) -> String {
    format!(
        r#"[["LD_start_test", {{"user_detail_dict": {{"user": "http_user"}}, "tasks": {tasks}{further}}}]]"#
    )
}

/// The same of socket users.
fn socket_test_of(tasks: &str, further: &str) -> String {
    test_of(tasks, further).replace("http_user", "socket_user")
}

/// The same of WebSocket users.
fn websocket_test_of(tasks: &str, further: &str) -> String {
    test_of(tasks, further).replace("http_user", "websocket_user")
}

#[test]
fn every_document_that_ldctl_accepts_is_valid() {
    let validator = validator();
    let task = r#"{"method": "Get", "url": "${var.base}/x"}"#;
    for text in [
        r#"[["LD_clear_records"]]"#.to_owned(),
        r#"{"load_density": [["LD_summary", []]], "comment": "x"}"#.to_owned(),
        r#"[["print", [1, "a"]], ["sorted", [[3, 1]]], ["abs", [-1]]]"#.to_owned(),
        r#"[["LD_list_runs", ["runs.db"]], ["LD_list_runs", {"database_path": "runs.db", "limit": null}]]"#
            .to_owned(),
        r#"[["LD_execute_action", [[["LD_summary"]]]]]"#.to_owned(),
        r#"[["LD_assert_sla", [[{"type": "latency_p95", "value": 300, "name": "x"}], null]]]"#.to_owned(),
        test_of(&format!("[{task}]"), ""),
        test_of(&format!(r#"{{"mode": "weighted", "tasks": [{task}]}}"#), r#", "wait_time": 0"#),
        test_of(r#"{"get": {"request_url": "/x"}, "post": {"url": "/y", "json": null}}"#, ""),
        test_of(
            r#"[{"method": "post", "request_url": "/x", "name": "n", "params": [["a", 1]],
                "headers": {"X-A": 1}, "auth": {"type": "bearer", "token": "${env.T}"},
                "data": {"a": "b"}, "timeout": 2.5, "verify": "ca.pem", "cert": ["a.pem", "b.pem"],
                "files": {"f": {"path": "a.txt"}, "g": ["a", "b", "text/plain"]},
                "assertions": [{"type": "status_code", "value": 200},
                               {"type": "json_path", "path": "a.0", "value": null}],
                "extract": [{"var": "id", "path": "id"}, {"var": "s", "from": "status_code"}],
                "run_if": {"equals": ["${var.a}", 1]}, "skip_if": "${var.b}", "weight": 0,
                "think_time": {"min": 0.1, "max": 0.2}, "throttle": {"rps": 5, "key": "k"},
                "retry": {"transient": 1, "jitter": 0}}]"#,
            r#", "load_shape": "stages", "shape_config": {"stages": [{"duration": 1, "users": 5}]},
               "abort_on": [{"type": "failure_rate", "value": 0.5}], "test_time": null"#,
        ),
        socket_test_of(
            r#"[{"target": "[::1]:9", "payload": "hex:00 ff", "expect_bytes": 4, "keep": true, "weight": 2},
                {"protocol": "UDP", "host": "udp://h:${port}", "payload": {"a": 1}, "expect_substring": 2,
                 "timeout": 0.5, "assertions": [{"type": "contains", "value": "x"}]}, {}]"#,
            r#", "host": "tcp://h:1""#,
        ),
        websocket_test_of(
            r#"[{"method": "Connect", "url": "/chat", "headers": {"X-A": 1}, "subprotocols": "a", "verify": false},
                {"payload": {"a": ["${x}"]}, "name": "n", "timeout": 2},
                {"method": "SendRecv", "payload": "hex:00", "binary": true, "expect": 2, "match": "any",
                 "subprotocols": ["a", "b"], "assertions": [{"type": "json_path", "path": "a", "value": 1}],
                 "extract": [{"var": "id", "path": "id"}]}, {"method": "close"}]"#,
            r#", "host": "ws://h:1", "proxy": false"#,
        ),
        test_of(r#"[{"method": "post", "url": "/", "graphql": {"query": "{ a }", "variables": {"b": 1}}},
                    {"method": "post", "url": "/", "graphql": true, "json": {}}]"#, ""),
        websocket_test_of(
            r#"[{"method": "open", "url": "/events", "headers": {"X-A": 1}, "assertions": [{"type": "status_code", "value": 200}]},
                {"expect": 2, "reconnect": true, "timeout": 2}, {"method": "Close"}]"#,
            r#", "host": "http://h""#,
        )
        .replace("websocket_user", "sse_user"),
        websocket_test_of(
            r#"[{"method": "SET", "key": 1, "value": {"a": 1}}, {"method": "get", "key": "k", "expect": "x", "verify": false}]"#,
            r#", "connection": {"url": "redis://h"}"#,
        )
        .replace("websocket_user", "redis_user"),
        websocket_test_of(
            r#"[{"method": "Connect", "broker": "mqtts://h:1", "version": 5, "username": "u", "password": "p", "client_id": 1,
                 "keepalive": 9, "clean": false, "will": {"topic": "w", "payload": {"a": 1}, "qos": "1", "retain": true},
                 "properties": {"session_expiry": 9, "user": {"a": 1}}, "verify": false},
                {"topic": "a/${x}", "payload": "hex:00", "binary": true, "qos": 2, "retain": true,
                 "properties": {"content_type": "x", "message_expiry": 1, "correlation_data": "hex:00", "response_topic": "r"}},
                {"method": "SUBSCRIBE", "topic": "a/#", "qos": "2", "host": "h"}, {"method": "unsubscribe", "topic": "+"},
                {"method": "receive", "topic": "a/#", "expect": 2, "match": "any", "timeout": 2,
                 "assertions": [{"type": "json_path", "path": "a", "value": 1}], "extract": [{"var": "id", "path": "id"}]},
                {"method": "disconnect"}]"#,
            r#", "host": "[::1]:1883", "connection": {"version": "3.1.1", "username": "u", "clean_session": true}"#,
        )
        .replace("websocket_user", "mqtt_user"),
        websocket_test_of(
            r#"[{"method": "pkg.Greeter/SayHello", "payload": {"a": ["${x}"]}, "metadata": {"X-A": 1}, "rpc": "Unary"},
                {"target": "h:1", "method": "Many", "service": "Greeter", "metadata": [["a", "b"]], "tls": true,
                 "proto": ["a.proto"], "include": "protos", "verify": false, "authority": "h", "timeout": 2,
                 "assertions": [{"type": "status_code", "value": 5}]},
                {"method": "M", "stub_path": "a.b_pb2_grpc.CStub", "request_path": "a.b_pb2.D", "descriptor_set": "set"}]"#,
            r#", "host": "h:50051", "proxy": false"#,
        )
        .replace("websocket_user", "grpc_user"),
    ] {
        let document = document(&text);
            let found = validator.validate(&document);
        assert!(found.is_ok(), "{text}: {:?}", found.err());
    }
}

#[test]
fn what_is_broken_is_refused() {
    let validator = validator();
    let broken_task =
        |member: &str| test_of(&format!(r#"[{{"method": "get", "url": "/x", {member}}}]"#), "");
    let good = r#"[{"method": "get", "url": "/x"}]"#;
    for text in [
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"["LD_summary"]"#.to_owned(),
        r#"[[]]"#.to_owned(),
        r#"[[7]]"#.to_owned(),
        r#"[["LD_nope"]]"#.to_owned(),
        r#"[["LD_summary", [], 3]]"#.to_owned(),
        r#"[["LD_summary", 3]]"#.to_owned(),
        r#"[["LD_summary", [[], [], []]]]"#.to_owned(),
        r#"[["LD_list_runs"]]"#.to_owned(),
        r#"[["LD_list_runs", {"limit": 3}]]"#.to_owned(),
        r#"[["LD_list_runs", {"database_path": "x", "nope": 3}]]"#.to_owned(),
        r#"[["LD_list_runs", [7]]]"#.to_owned(),
        r#"[["LD_assert_sla", [[{"type": "latency_p42", "value": 1}]]]]"#.to_owned(),
        r#"[["LD_start_test", {"tasks": []}]]"#.to_owned(),
        test_of("[]", ""),
        test_of(r#"[{"method": "get"}]"#, ""),
        test_of(r#"[{"url": "/x"}]"#, ""),
        test_of(r#"[{"method": "fetch", "url": "/x"}]"#, ""),
        test_of(r#"{"mode": "random", "tasks": [{"method": "get", "url": "/x"}]}"#, ""),
        broken_task(r#""weight": -1"#),
        broken_task(r#""weight": "x""#),
        broken_task(r#""unknown": 1"#),
        broken_task(r#""timeout": 0"#),
        broken_task(r#""assertions": [{"type": "status", "value": 1}]"#),
        broken_task(r#""assertions": [{"type": "json_path", "value": 1}]"#),
        broken_task(r#""extract": [{"from": "header", "var": "x"}]"#),
        broken_task(r#""run_if": {"equal": [1, 2]}"#),
        broken_task(r#""headers": {"a b": "c"}"#),
        test_of(good, r#", "user_count": -5"#),
        test_of(good, r#", "spawn_rate": 0"#),
        test_of(good, r#", "load_shape": "wave""#),
        test_of(good, r#", "shape_config": {"stages": []}"#),
        test_of(good, r#", "users": 5"#),
        test_of(r#"[{"target": "h:1"}]"#, ""),
        test_of(good, "").replace("http_user", "telnet_user"),
        socket_test_of(good, ""),
        socket_test_of(r#"{"get": {}}"#, ""),
        socket_test_of(r#"[{"protocol": "sctp"}]"#, ""),
        socket_test_of(r#"[{"target": "h"}]"#, ""),
        socket_test_of(r#"[{"expect_bytes": -1}]"#, ""),
        websocket_test_of(good, ""),
        websocket_test_of(r#"[{"method": "ping"}]"#, ""),
        websocket_test_of(r#"[{"method": "recv", "match": "last"}]"#, ""),
        websocket_test_of(r#"[{"subprotocols": [1]}]"#, ""),
        websocket_test_of(r#"[{"method": "open", "payload": "x"}]"#, "")
            .replace("websocket_user", "sse_user"),
        websocket_test_of(r#"[{"method": "get"}]"#, "").replace("websocket_user", "redis_user"),
        websocket_test_of(r#"[{"method": "keys", "key": "*"}]"#, "")
            .replace("websocket_user", "redis_user"),
        websocket_test_of(r#"[{"topic": "a", "qos": 3}]"#, "")
            .replace("websocket_user", "mqtt_user"),
        websocket_test_of(r#"[{"topic": "a", "version": 4}]"#, "")
            .replace("websocket_user", "mqtt_user"),
        websocket_test_of(r#"[{"topic": "a", "retain": "false"}]"#, "")
            .replace("websocket_user", "mqtt_user"),
        websocket_test_of(r#"[{"topic": "a", "will": {"payload": "x"}}]"#, "")
            .replace("websocket_user", "mqtt_user"),
        broken_task(r#""graphql": {"variables": {}}"#),
        websocket_test_of(r#"[{"payload": {}}]"#, "").replace("websocket_user", "grpc_user"),
        websocket_test_of(r#"[{"method": "M", "rpc": "both"}]"#, "")
            .replace("websocket_user", "grpc_user"),
        websocket_test_of(r#"[{"method": "M", "metadata": "x"}]"#, "")
            .replace("websocket_user", "grpc_user"),
    ] {
        assert!(!validator.is_valid(&document(&text)), "accepted: {text}");
    }
}

/// Values of every kind that JSON has; no list or object where any value is taken as its text.
fn tried(kind: &Kind) -> Vec<Value> {
    let values = serde_json::json!([null, true, -1, 0.5, "x", ["x", "x"], {}, {"min": 1}]);
    let is_scalar = |value: &&Value| !value.is_array() && !value.is_object();
    let only_scalars = matches!(kind, Kind::Scalar);
    let values = values.as_array().into_iter().flatten();
    values.filter(|value| !only_scalars || is_scalar(value)).cloned().collect()
}

/// Where the schema is stricter than the reader, and why the reader is not.
const STRICTER: [(&str, &str); 6] = [
    (r#""user_detail_dict":{"min":1"#, "what has no effect there is advised against"),
    (r#""action_list":"#, "what is no document is told when it runs"),
    (r#""key":"#, "any value is a key by its text"),
    (r#"rules":["#, "a gate that cannot be judged is told when it is judged"),
    (r#""rules":null"#, "a stub server's rules must be given, and null gives none"),
    ("LD_start_influxdb_sink", "only the fields of the chosen transport are read"),
];

/// Arguments without effect are not looked at; their definitions say so.
fn has_an_ignored_argument(action: &Value) -> bool {
    let ignored = |name: &str, arguments: &Value| {
        let command = declarations().find(|command| command.name() == name);
        let fields = command.and_then(Declaration::parameters).unwrap_or_default();
        let mut ignored = fields.iter().filter(|field| field.doc.starts_with("Ignored"));
        ignored.any(|field| !arguments[field.name].is_null())
    };
    // A search holds the arguments of a test.
    let (name, arguments) = (action[0].as_str().unwrap_or_default(), &action[1]);
    ignored(name, arguments) || ignored("LD_start_test", &arguments["test"])
}

/// Whether ldctl refuses the form of a document; a host that is missing is no matter of that.
fn is_refused(found: &Finding) -> bool {
    found.severity == Severity::Error && found.rule != MISSING_HOST
}

#[test]
fn every_accepted_document_is_valid_by_the_schema() {
    let validator = validator();
    let (mut taken, mut refused, mut stricter) = (0, 0, [0; STRICTER.len()]);
    let mut invalid = Vec::new();
    for action in actions_with(&tried) {
        let document = serde_json::json!([action]);
        let read = ldctl::value::Value::parse(&document.to_string()).expect("JSON");
        let findings = check(&read, &Surroundings::unknown());
        if findings.iter().any(is_refused) {
            refused += 1;
            continue;
        }
        taken += 1;
        if !has_an_ignored_argument(&action) && !validator.is_valid(&document) {
            let action = action.to_string();
            match STRICTER.iter().position(|(part, _)| action.contains(part)) {
                Some(known) => stricter[known] += 1,
                None => invalid.push(action),
            }
        }
    }
    assert_eq!(invalid, [""; 0]);
    assert!(taken > 100 && refused > 500, "{taken} were taken and {refused} refused");
    assert!(stricter.iter().all(|found| *found > 0), "not stricter: {stricter:?} of {STRICTER:?}");
}

/// What ldctl refuses in these actions and the schema does not, by a part of the refusal, and why.
const LOOSER: [(&str, &str); 17] = [
    ("expected a base URL", "a host is a URL or host:port, depending on the user"),
    ("expected an HTTP status", "a value is of any kind, depending on the type of the assertion"),
    (".auth.token: unknown field", "credentials depend on their type"),
    (".files.x[0]: expected a string", "the parts of a file are of different kinds"),
    (".files[0][1]: missing", "so are those of the older form"),
    ("needs a protocol whose responses have one", "the types of assertions depend on the user"),
    ("need the method recv or sendrecv", "the members of a step depend on its method"),
    ("need the method receive", "so do those of a step of MQTT"),
    ("needs \"username\"", "a member depends on another"),
    ("needs a \"topic\"", "and so do they where an MQTT broker is"),
    ("takes no value", "so do they where Redis is asked"),
    (".key: expected a key, got null", "a key is a scalar, as values are, and null is no key"),
    ("invalid URL", "what a URL looks like depends on the user"),
    ("scheme  is invalid", "so does its scheme"),
    ("no task has the name", "the gate of a search names a task beside it"),
    ("expected at least step_time", "a member depends on another"),
    ("connection exists only for", "the defaults of connections depend on the user"),
];

#[test]
fn what_ldctl_refuses_is_invalid_by_the_schema() {
    let validator = validator();
    let mut valid = std::collections::BTreeMap::new();
    for action in actions_with(&tried) {
        let document = serde_json::json!([action]);
        let read = ldctl::value::Value::parse(&document.to_string()).expect("JSON");
        let findings = check(&read, &Surroundings::unknown());
        let error = findings.iter().find(|finding| is_refused(finding));
        if let (Some(error), true) = (error, validator.is_valid(&document)) {
            let told = format!("{}: {}", error.place, error.message);
            valid.entry(told).or_insert(document.to_string());
        }
    }
    let found = LOOSER.map(|(part, _)| valid.keys().any(|message| message.contains(part)));
    assert_eq!(found, [true; LOOSER.len()], "no longer looser: take it out of the list");
    valid.retain(|message, _| !LOOSER.iter().any(|(part, _)| message.contains(part)));
    assert_eq!(valid, Default::default());
}

#[test]
fn every_member_has_a_title_and_a_description_and_optional_ones_their_default() {
    let schema: Value = serde_json::to_value(schema()).expect("JSON");
    let mut members = 0;
    every_property(&schema, &mut |name, member| {
        members += 1;
        for key in ["title", "description"] {
            assert!(member[key].is_string(), "{name} has no {key}: {member}");
        }
    });
    assert!(members > 200, "{members} members are too few to mean anything");
}

/// Visits every member that the schema describes, not those that its conditions look at.
fn every_property(schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    let Value::Object(keywords) = schema else {
        schema.as_array().into_iter().flatten().for_each(|item| every_property(item, visit));
        return;
    };
    // Only an object that is declared as such describes members of its own.
    if keywords.get("type").is_some_and(|kind| kind == "object") {
        for (name, member) in
            keywords.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            if !member
                .as_object()
                .is_some_and(|member| member.contains_key("$ref") && member.len() == 1)
            {
                visit(name, member);
            }
        }
    }
    for (key, value) in keywords {
        if !["examples", "default", "if", "allOf"].contains(&key.as_str()) || key == "allOf" {
            every_property(value, visit);
        }
    }
}
