use proptest::prelude::*;

use super::*;
use crate::action::document::Document;
use crate::load::TestLimits;

/// Imports these entries; returns the tasks as Python writes them, and the notices.
fn imported(entries: &str) -> (Vec<String>, Vec<String>) {
    let har = Value::parse(&format!("{{\"log\": {{\"entries\": {entries}}}}}")).expect("JSON");
    let place = Reader::at(&har, "/har");
    let (tasks, notices) = import(&place, |_| true).expect("a recording");
    (tasks.iter().map(Value::to_text).collect(), notices)
}

/// An entry with a URL and the status of its response.
fn entry(method: &str, url: &str, status: i64, more: &str) -> String {
    format!(
        r#"{{"request": {{"method": "{method}", "url": "{url}"}}, "response": {{"status": {status}{more}}}}}"#
    )
}

/// Imports a request with these further members.
fn request(more: &str) -> (String, Vec<String>) {
    let (mut tasks, notices) = imported(&format!(
        r#"[{{"request": {{"method": "POST", "url": "http://x/", {more}}}, "response": {{"status": 200}}}}]"#
    ));
    let task = tasks.pop().unwrap_or_default();
    let begin = "{'method': 'post', 'request_url': 'http://x/', 'name': 'POST /'";
    let end = ", 'assertions': [{'type': 'status_code', 'value': 200}]}";
    let middle = task.strip_prefix(begin).and_then(|task| task.strip_suffix(end));
    (middle.expect(&task).trim_start_matches(", ").to_owned(), notices)
}

fn body(posted: &str) -> String {
    request(&format!("\"postData\": {posted}")).0
}

#[test]
fn an_entry_becomes_a_task_without_headers_of_the_connection_and_the_browser_state() {
    let (tasks, notices) = imported(
        r#"[{"request": {"method": "post", "url": " https://x.test/a?b=1 ", "headers": [
            {"name": "Host", "value": "x.test"}, {"name": ":authority", "value": "x.test"},
            {"name": "cookie", "value": "id=7"}, {"name": "If-None-Match", "value": "\"e\""},
            {"name": "Proxy-Connection", "value": "keep-alive"},
            {"name": "Accept-Encoding", "value": "gzip, deflate, br, zstd, dcb"}, {"name": "X-Id", "value": 7},
            {"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2\n3"}, {"name": "bad name", "value": ""}],
            "postData": {"mimeType": "application/json; charset=utf-8", "text": "{\"a\": 1}"}},
            "response": {"status": 201}}]"#,
    );
    assert_eq!(
        tasks,
        ["{'method': 'post', 'request_url': 'https://x.test/a?b=1', 'name': 'POST /a?b=1', \
          'headers': {'Accept-Encoding': 'gzip, deflate, br, zstd', 'X-Id': '7', 'X-A': '1, 2, 3'}, \
          'json': {'a': 1}, 'assertions': [{'type': 'status_code', 'value': 201}]}"]
    );
    assert_eq!(
        notices,
        [
            "Cookie headers left out (each virtual user keeps its own cookies): 1",
            "headers left out because their names are not valid: 1"
        ]
    );
}

#[test]
fn json_becomes_a_value_only_if_it_reproduces_the_text() {
    let json = |text: &str| {
        let text = serde_json::to_string(text).expect("JSON");
        body(&format!(r#"{{"mimeType": "application/json", "text": {text}}}"#))
    };
    let text =
        |kept: &str| format!("'headers': {{'Content-Type': 'application/json'}}, 'data': '{kept}'");
    assert_eq!(
        json(r#" {"a": ["\u00e9\/", 1, 2.5, 18446744073709551616]} "#),
        "'json': {'a': ['é/', 1, 2.5, 18446744073709551616]}"
    );
    for kept in [r#"{"a": 1, "a": 2}"#, "1.50", "1E2", "-0", "null", "{", "NaN", "[1]x"] {
        assert_eq!(json(kept), text(kept));
    }
}

#[test]
fn a_form_is_encoded_once_whatever_the_recorder() {
    let form = |text: &str, params: &[(&str, &str)]| {
        let text = if text.is_empty() { String::new() } else { format!("\"text\": \"{text}\", ") };
        let params: Vec<String> = params
            .iter()
            .map(|(name, value)| format!(r#"{{"name": "{name}", "value": "{value}"}}"#))
            .collect();
        let mime = "\"mimeType\": \"application/x-www-form-urlencoded\"";
        body(&format!("{{{mime}, {text}\"params\": [{}]}}", params.join(", ")))
    };
    let text = "u%5Bm%5D=a%40b&q=1+2";
    let want = "'data': {'u[m]': 'a@b', 'q': '1 2'}";
    let encoded = [("u%5Bm%5D", "a%40b"), ("q", "1+2")];
    assert_eq!(form(text, &encoded), want, "Chrome");
    assert_eq!(form(text, &[("u[m]", "a@b"), ("q", "1 2")]), want, "Firefox");
    assert_eq!(form("", &encoded), want, "without the text, encoded");
    assert_eq!(
        form("", &[("u[m]", "100%25"), ("q", "1+2")]),
        "'data': {'u[m]': '100%25', 'q': '1+2'}"
    );
    assert_eq!(form("p=%2541", &[("p", "%41")]), "'data': {'p': '%41'}", "a decoded percent sign");
    assert_eq!(
        form("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
        "'data': [['a', '1'], ['b', '2'], ['a', '3']]"
    );
    let exact = "'headers': {'Content-Type': 'application/x-www-form-urlencoded'}, 'data': ";
    assert_eq!(form("q=1%202", &[("q", "1%202")]), format!("{exact}'q=1%202'"));
    assert_eq!(form("flag", &[("flag", "")]), format!("{exact}'flag'"));
    assert_eq!(form("a=%FF", &[("a", "%FF")]), format!("{exact}'a=%FF'"), "not UTF-8");
    assert_eq!(form("a=1&b=2", &[("a", "1"), ("", "x")]), "'data': {'a': '1'}", "edited");
}

#[test]
fn a_multipart_body_becomes_parts_without_a_boundary() {
    let mime = "multipart/form-data; boundary=----B";
    let header = format!(r#""headers": [{{"name": "Content-Type", "value": "{mime}"}}]"#);
    let multipart = |posted: &str| {
        request(&format!("{header}, \"postData\": {{\"mimeType\": \"{mime}\", {posted}}}"))
    };
    let text = r#""text": "------B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n------B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x;y.txt\"\r\nContent-Type: text/plain\r\n\r\nline\r\n\r\n------B--\r\n""#;
    let want = "'data': {'a': '1'}, 'files': {'f': ['x;y.txt', 'line\\r\\n', 'text/plain']}";
    assert_eq!(multipart(text), (want.to_owned(), Vec::new()));
    let params = r#""params": [{"name": "f", "fileName": "p.png", "contentType": "image/png"},
        {"name": "f", "fileName": "q.png", "value": "x"}, {"name": "a", "value": "----ldctl-import"}]"#;
    let want = "'headers': {'Content-Type': 'multipart/form-data; boundary=----ldctl-import-'}, \
                'data': '------ldctl-import-\\r\\nContent-Disposition: form-data; name=\"f\"; \
                filename=\"p.png\"\\r\\nContent-Type: image/png\\r\\n\\r\\n\\r\\n------ldctl-import-\\r\\n\
                Content-Disposition: form-data; name=\"f\"; filename=\"q.png\"\\r\\n\\r\\nx\\r\\n\
                ------ldctl-import-\\r\\nContent-Disposition: form-data; name=\"a\"\\r\\n\\r\\n\
                ----ldctl-import\\r\\n------ldctl-import---\\r\\n'";
    let notice = "files whose content the recording does not have, sent empty: p.png".to_owned();
    assert_eq!(multipart(params), (want.to_owned(), vec![notice]));
    let (kept, _) = multipart("\"text\": \"cut short\"");
    assert_eq!(kept, format!("'headers': {{'Content-Type': '{mime}'}}, 'data': 'cut short'"));
}

#[test]
fn other_bodies_are_text_and_binary_ones_are_reported() {
    assert_eq!(body(r#"{"text": "plain", "params": []}"#), "'data': 'plain'");
    assert_eq!(
        body(r#"{"mimeType": "text/xml", "text": "<a/>"}"#),
        "'headers': {'Content-Type': 'text/xml'}, 'data': '<a/>'"
    );
    assert_eq!(body(r#"{"text": "w6kg\nw6k=", "encoding": "base64"}"#), "'data': 'é é'");
    assert_eq!(body("{}"), "");
    let (task, notices) =
        request(r#""bodySize": 4, "postData": {"text": "/////w==", "_encoding": "base64"}"#);
    assert_eq!(task, "");
    assert_eq!(notices, ["binary request bodies left out (a document holds only text): POST /"]);
    let (_, notices) = request(r#""headers": [{"name": "Content-Length", "value": "12"}]"#);
    assert_eq!(notices, ["request bodies that the recording does not have: POST /"]);
    let form = r#"{"name": "Content-Type", "value": "application/json"}"#;
    let (task, _) = request(&format!(r#""headers": [{form}], "postData": {{"text": "[1]"}}"#));
    assert_eq!(
        task, "'headers': {'Content-Type': 'application/json'}, 'json': [1]",
        "without mimeType"
    );
}

#[test]
fn a_query_that_the_url_lacks_is_added() {
    let (tasks, _) = imported(
        r#"[{"request": {"method": "GET", "url": "http://x/a#f", "queryString": [{"name": "q", "value": "a b"}]}},
            {"request": {"method": "GET", "url": "http://x/a?q=1", "queryString": [{"name": "q", "value": "1"}]}}]"#,
    );
    assert!(tasks[0].contains("'http://x/a?q=a+b#f'"), "{}", tasks[0]);
    assert!(tasks[1].contains("'http://x/a?q=1'"), "{}", tasks[1]);
}

#[test]
fn the_messages_of_a_recorded_websocket_become_steps() {
    let text = r#"{"log": {"entries": [
        {"request": {"method": "GET", "url": "http://x/", "headers": []}, "response": {"status": 200}},
        {"request": {"method": "GET", "url": "wss://x/live?a=1", "headers": [
            {"name": "Origin", "value": "https://x"}, {"name": "Sec-WebSocket-Key", "value": "k"},
            {"name": "Sec-WebSocket-Protocol", "value": "a, b"}, {"name": "Connection", "value": "Upgrade"}]},
         "response": {"status": 101}, "_webSocketMessages": [
            {"type": "send", "opcode": 1, "data": "hello", "time": 1.5},
            {"type": "receive", "opcode": 1, "data": "welcome"},
            {"type": "send", "opcode": 2, "data": "AP8="}, {"type": "send", "opcode": 2, "data": "%"}]},
        {"request": {"method": "GET", "url": "ws://x/none"}, "response": {"status": 101}}]}}"#;
    let value = Value::parse(text).expect("JSON");
    let entries = super::entries(&Reader::root(&value)).expect("a recording");
    let (steps, notices) = messages::steps(&entries, |_| true).expect("a recording");
    let wanted = r#"[
        {"method": "connect", "name": "connect /live?a=1", "request_url": "wss://x/live?a=1",
         "headers": {"Origin": "https://x"}, "subprotocols": ["a", "b"]},
        {"method": "send", "name": "send /live?a=1", "payload": "hello"},
        {"method": "recv", "name": "recv /live?a=1"},
        {"method": "send", "name": "send /live?a=1", "payload": "hex:00ff", "binary": true},
        {"method": "close", "name": "close /live?a=1"}]"#;
    assert_eq!(Value::List(steps.clone()), Value::parse(wanted).expect("JSON"));
    assert_eq!(
        notices,
        ["2 of 3 entries left out (no WebSocket: 1, WebSocket without messages: 1)"]
    );
    let test = Value::dict([
        ("user_detail_dict", Value::dict([("user", Value::from("websocket_user"))])),
        ("tasks", Value::List(steps)),
    ]);
    let document = Value::List(vec![Value::List(vec!["LD_start_test".into(), test])]);
    let read = Document::within(&document, TestLimits::default()).expect("a document");
    assert!(read.into_actions().all(|action| action.into_planned().is_ok()));
}

#[test]
fn entries_that_no_task_can_represent_are_left_out_and_counted() {
    let (tasks, notices) = imported(&format!(
        r#"[{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {{}}, {{"request": null}}, {}]"#,
        entry("CONNECT", "https://x:443", 200, ""),
        entry("PROPFIND", "http://x/dav", 207, ""),
        entry("GET", "wss://x/live", 101, ""),
        entry("GET", "https://x/live", 101, ""),
        entry("GET", "data:image/png;base64,AA==", 200, ""),
        entry("GET", "blob:https://x/1-2", 200, ""),
        entry("GET", "chrome-extension://abc/a.js", 200, ""),
        entry("GET", "file:///home/a.html", 200, ""),
        entry("GET", "http://x:99999/", 200, ""),
        entry("GET", "http://x/", 307, ", \"statusText\": \"Internal Redirect\""),
        entry("GET", "http://x/kept", 200, ""),
    ));
    assert_eq!(tasks.len(), 1);
    assert_eq!(
        notices,
        [
            "12 of 13 entries left out (method CONNECT: 1, method PROPFIND: 1, WebSocket: 2, data URL: 1, \
          blob URL: 1, chrome-extension URL: 1, file URL: 1, invalid URL: 1, redirect inside the \
          browser: 1, no method or URL: 2)"
        ]
    );
}

#[test]
fn a_request_without_a_response_and_a_revalidation_have_no_status_to_assert() {
    let (tasks, notices) = imported(&format!(
        r#"[{}, {}, {}, {{"request": {{"method": "GET", "url": "http://x/"}}}}]"#,
        entry("GET", "http://x/a", 0, ""),
        entry("GET", "http://x/b", -1, ""),
        entry("GET", "http://x/c", 304, ""),
    ));
    assert!(tasks.iter().all(|task| !task.contains("assertions")), "{tasks:?}");
    assert_eq!(notices, ["requests without a response, imported without a status assertion: 3"]);
}

/// The name, redirect handling and status of each task of a recording.
fn followed(entries: &[String]) -> Vec<String> {
    let (tasks, _) = imported(&format!("[{}]", entries.join(", ")));
    let short = |task: &String| {
        let name = task.split('\'').nth(11).unwrap_or_default().to_owned();
        let status = task.split("'value': ").nth(1).unwrap_or("none").trim_end_matches(['}', ']']);
        let stays = if task.contains("'allow_redirects': False") { " stays" } else { "" };
        format!("{name} {status}{stays}")
    };
    tasks.iter().map(short).collect()
}

#[test]
fn a_chain_of_redirects_becomes_its_first_request_or_separate_tasks() {
    let to = |place: &str| format!(", \"redirectURL\": \"{place}\"");
    let header = ", \"headers\": [{\"name\": \"location\", \"value\": \"/c\"}]";
    let login = entry("POST", "http://x/login", 302, &to("/home#top"));
    let home = entry("GET", "http://x/home", 200, "");
    let image = entry("GET", "http://x/logo.png", 200, "");
    let check = |entries: &[&String], want: &[&str]| {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).clone()).collect();
        assert_eq!(followed(&entries), want);
    };
    check(&[&login, &home], &["POST /login 200"]);
    check(
        &[&login, &image, &home, &home],
        &["POST /login 200", "GET /logo.png 200", "GET /home 200"],
    );
    check(&[&login], &["POST /login 302 stays"]);
    let longer = entry("GET", "http://x/home", 301, header);
    let last = entry("GET", "http://x/c", 404, "");
    check(&[&login, &longer, &last], &["POST /login 404"]);
    check(&[&login, &longer], &["POST /login 302 stays", "GET /home 301 stays"]);
    let unknown = entry("POST", "http://x/login", 302, "");
    check(&[&unknown, &home], &["POST /login 302 stays", "GET /home 200"]);
    let again = entry("POST", "http://x/login", 307, &to("/home"));
    check(&[&again, &home], &["POST /login 307 stays", "GET /home 200"]);
    let itself = entry("GET", "http://x/a", 302, &to("/a"));
    let ends = entry("GET", "http://x/a", 200, "");
    check(&[&itself, &ends], &["GET /a 200"]);
    check(&[&itself, &itself], &["GET /a 302 stays", "GET /a 302 stays"]);
}

#[test]
fn entries_are_sorted_by_their_time_if_they_have_one() {
    let timed = |path: &str, time: &str| {
        format!(
            r#"{{"startedDateTime": {time}, "request": {{"method": "GET", "url": "http://x{path}"}}, "response": {{"status": 200}}}}"#
        )
    };
    let entries = [
        timed("/3", "\"2026-01-01T10:00:02.5+01:00\""),
        timed("/4", "null"),
        timed("/1", "\"2026-01-01T09:00:01Z\""),
        timed("/2", "\"yesterday\""),
    ];
    assert_eq!(followed(&entries), ["GET /1 200", "GET /2 200", "GET /3 200", "GET /4 200"]);
}

#[test]
fn a_document_that_is_not_a_recording_is_refused_with_its_place() {
    for (har, message) in [
        (r#"{"log": 5}"#, "/har/log: expected an object, got 5"),
        (r#"{"log": {"entries": {}}}"#, "/har/log/entries: expected a list, got {}"),
        (r#"{"log": {"entries": [7]}}"#, "/har/log/entries/0: expected an object, got 7"),
        (
            r#"{"log": {"entries": [{"request": {"url": 5}}]}}"#,
            "/har/log/entries/0/request/url: expected a string, got 5",
        ),
        (
            r#"{"log": {"entries": [{"request": {"headers": [{"name": []}]}}]}}"#,
            "/har/log/entries/0/request/headers/0/name: expected a string, got []",
        ),
        (
            r#"{"log": {"entries": [{"response": {"status": "OK"}}]}}"#,
            "/har/log/entries/0/response/status: expected a status, got \"OK\"",
        ),
        (
            r#"{"log": {"entries": [{"request": {"postData": {"text": "?", "encoding": "base64"}}}]}}"#,
            "/har/log/entries/0/request/postData/text: expected base64, got \"?\"",
        ),
    ] {
        let har = Value::parse(har).expect("JSON");
        let refused = import(&Reader::at(&har, "/har"), |_| true).expect_err("refused");
        assert_eq!(refused.to_string(), message);
    }
    let nothing = Value::parse(r#"{"log": {"entries": null}}"#).expect("JSON");
    assert_eq!(import(&Reader::root(&nothing), |_| true), Ok(Default::default()));
}

#[test]
fn a_name_is_the_method_and_the_path() {
    for (url, want) in [
        ("http://x", "/"),
        ("http://x/", "/"),
        ("http://x:80/a/b?c#d", "/a/b?c#d"),
        ("/relative", "/relative"),
        ("://x/", "://x/"),
    ] {
        assert_eq!(path(url), want);
    }
}

#[test]
fn notices_list_a_few_names_and_escape_them() {
    let names: Vec<String> = (0..7).map(|number| format!("a\u{1b}{number}")).collect();
    let mut notices = Notices::default();
    notices.missing_files = names;
    let line = "files whose content the recording does not have, sent empty: a\\u{1b}0, a\\u{1b}1, \
                a\\u{1b}2, a\\u{1b}3, a\\u{1b}4 and 2 more";
    assert_eq!(notices.lines(), [line]);
}

/// Values that recorders write, and others.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1_i64..700).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(https?|wss?|data|blob)?:?(//)?[a-z%:/?#=&.\\[\\]]{0,12}".prop_map(Value::from),
        "(GET|POST|CONNECT|[A-Z]{0,3})".prop_map(Value::from),
        "[-a-z%=&;\"\r\n{}\\[\\],:0-9é+]{0,16}".prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![Just("name"), Just("value"), Just("text"), Just("params")];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((key, inner), 0..4).prop_map(|members| Value::Dict(
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

/// Entries in which every member that is read may be anything, or valid.
fn entries() -> impl Strategy<Value = Value> {
    let url = prop_oneof![
        "https?://[a-z]{1,3}(:[0-9]{1,5})?(/[a-z]{0,3}){0,2}(\\?[a-z=&%+]{0,6})?",
        "\\PC{0,12}"
    ];
    let word = "[a-zA-Z-]{0,6}|[^\\x00]{0,6}";
    let pair = (word, "\\PC{0,8}|[a-z%0-9+&=\r\n]{0,8}").prop_map(|(name, value)| {
        Value::dict([("name", Value::from(name)), ("value", value.into())])
    });
    let pairs = prop::collection::vec(pair, 0..4).prop_map(Value::List);
    let mime = prop_oneof![
        Just("application/json"),
        Just("application/x-www-form-urlencoded"),
        Just("multipart/form-data; boundary=b"),
        Just("text/plain\r\nX: y"),
        Just("")
    ];
    let text = "\\PC{0,12}|[a-z%0-9+&=]{0,12}|\\{\"a\": [0-9.e]{1,4}\\}|--b\r\nContent-Disposition: form-data; name=\"[a\"\r\n]{0,3}\"\r\n\r\nx\r\n--b--";
    let posted = (mime, text, pairs.clone()).prop_map(|(mime, text, params)| {
        Value::dict([("mimeType", Value::from(mime)), ("text", text.into()), ("params", params)])
    });
    let method = "GET|POST|post|CONNECT|[A-Z]{0,3}";
    let request = (method, url.clone(), pairs.clone(), pairs, posted).prop_map(
        |(method, url, headers, query, posted)| {
            Value::dict([
                ("method", Value::from(method)),
                ("url", url.into()),
                ("headers", headers),
                ("queryString", query),
                ("postData", posted),
            ])
        },
    );
    let status = prop_oneof![Just(200_i64), Just(302), Just(307), Just(0), -5_i64..1200];
    let response = (status, url).prop_map(|(status, url)| {
        Value::dict([("status", Value::from(status)), ("redirectURL", url.into())])
    });
    let entry = (request, response).prop_map(|(request, response)| {
        Value::dict([("request", request), ("response", response)])
    });
    prop::collection::vec(entry, 0..6).prop_map(Value::List)
}

fn har(entries: Value) -> Value {
    Value::dict([("log", Value::dict([("entries", entries)]))])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_is_imported_or_refused_with_a_place_in_one_line(value in anything(), member in "entries|request|response|headers|postData") {
        let value = match member.as_str() {
            "entries" => har(value),
            "request" | "response" => har(Value::List(vec![Value::dict([(member, value)])])),
            _ => har(Value::List(vec![Value::dict([("request", Value::dict([(member, value)]))])])),
        };
        if let Err(refused) = import(&Reader::at(&value, "/har"), |_| true) {
            prop_assert!(refused.pointer.starts_with("/har/"), "{refused}");
            prop_assert!(!refused.to_string().contains('\n'), "{refused}");
        }
    }

    #[test]
    fn every_imported_document_is_accepted(entries in entries()) {
        let value = har(entries);
        let (tasks, _) = import(&Reader::root(&value), |_| true).expect("a recording");
        if tasks.is_empty() {
            return Ok(());
        }
        let test = Value::dict([
            ("user_detail_dict", Value::dict([("user", Value::from("http_user"))])),
            ("tasks", Value::List(tasks)),
        ]);
        let document = Value::List(vec![Value::List(vec!["LD_start_test".into(), test])]);
        let read = Document::within(&document, TestLimits::default());
        let refused = read.map(|document| {
            document.into_actions().find_map(|action| action.into_planned().err())
        });
        prop_assert!(matches!(refused, Ok(None)), "{refused:?} of {document:?}");
    }

    #[test]
    fn the_pairs_of_a_form_are_read_back_unchanged(
        pairs in prop::collection::vec(("\\PC{1,6}|[a-z%+]{1,6}", "\\PC{0,6}|[a-z%0-9+&= ]{0,6}"), 1..5),
        encoded in any::<bool>(),
    ) {
        let text = form_urlencoded(&pairs);
        let field = |text: &str| if encoded { form_urlencoded(&[(text.to_owned(), String::new())]).trim_end_matches('=').to_owned() } else { text.to_owned() };
        let params = pairs.iter().map(|(name, value)| Value::dict([("name", Value::from(field(name))), ("value", field(value).into())]));
        let posted = Value::dict([
            ("mimeType", Value::from("application/x-www-form-urlencoded")),
            ("text", text.into()),
            ("params", Value::List(params.collect())),
        ]);
        let request = Value::dict([("method", Value::from("POST")), ("url", "http://x/".into()), ("postData", posted)]);
        let value = har(Value::List(vec![Value::dict([("request", request)])]));
        let (tasks, _) = import(&Reader::root(&value), |_| true).expect("a recording");
        let Some(Value::Dict(task)) = tasks.first() else { panic!("a task") };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let out: Vec<(String, String)> = match task.get("data") {
            Some(Value::Dict(fields)) => fields.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            Some(Value::List(fields)) => fields.iter().map(|field| match field {
                Value::List(pair) => (text(&pair[0]), text(&pair[1])),
                other => panic!("{other:?}"),
            }).collect(),
            Some(Value::Str(text)) => url::form_urlencoded::parse(text.as_bytes()).into_owned().collect(),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(out, pairs);
    }
}

fn form_urlencoded(pairs: &[(String, String)]) -> String {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    out.extend_pairs(pairs).finish()
}
