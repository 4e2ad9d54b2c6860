use super::*;

/// The tasks of a script, and what is said about it.
#[track_caller]
fn check(script: &str, tasks: &str, notices: &[&str]) {
    let (found, said) = import_as_one(script).expect(script).into_tasks();
    let expected = Value::parse(tasks).expect(tasks);
    assert_eq!(Value::List(found).to_text(), expected.to_text(), "{script}");
    assert_eq!(said.lines(), notices, "{script}");
}

/// The assertions of a script with one request, and how many checks are left out.
#[track_caller]
fn check_assertions(script: &str, assertions: &str, left_out: usize) {
    let expected = match assertions {
        "" => String::new(),
        some => format!(r#", "assertions": [{some}]"#),
    };
    let notice = format!("left out: check without a counterpart ({left_out})");
    let notices: &[&str] = if left_out == 0 { &[] } else { &[&notice] };
    let task = format!(r#"[{{"method": "get", "request_url": "http://h/"{expected}}}]"#);
    check(&format!("const r = http.get('http://h/');\n{script}"), &task, notices);
}

const OK: &str = r#"{"type": "status_code", "value": 200}"#;

#[test]
fn what_a_check_expects_of_its_response_alone_is_an_assertion() {
    for script in [
        "check(r, {'ok': (r) => r.status === 200});",
        "check(r, {'ok': r => r.status == 200,});",
        "check(r, {ok: (res) => res.status === 200}, {tag: 'a'});",
        "check(r, {'ok': (res) => res && res.status === 200});",
        "check(r, {'ok': () => 200 === r.status});",
        "check(r, {'ok': function (res) { return res.status === 200; }});",
        "check(r, {'ok': (res) => { return (res.status === 200) }});",
    ] {
        check_assertions(script, OK, 0);
    }
    let held = r#"{"type": "contains", "value": "a"}"#;
    check_assertions("check(r, {'ok': (r) => r.body.includes('a')});", held, 0);
    let both = format!("{OK}, {held}");
    check_assertions("check(r, {a: r => r.status === 200 && r.body.includes('a')});", &both, 0);
}

#[test]
fn what_is_not_certain_or_not_checked_is_no_assertion() {
    for script in [
        "if (r.status === 401) { login(); }",
        "// r.status === 200\n/* check(r, {a: r => r.status === 200}) */",
        "if (r.status === 200) { count.add(1); } else { fail('is 200'); }",
        "const ok = r.status === 200;",
        "console.log(`${r.status === 200}`, r.body.includes('a'));",
    ] {
        check_assertions(script, "", 0);
    }
    for script in [
        "check(r, {'is 200': (r) => r.status === 200 || r.status === 201});",
        "check(r, {'is 200': (r) => r.status !== 200});",
        "check(r, {'is 200': (r) => !(r.status === 200)});",
        "check(r, {'is 200': (r) => r.timings.duration < 200});",
        "check(r, {'is 200': (r) => other.status === 200});",
        "check(r, {'is 200': (r) => r.status === 200 ? a : b});",
        "check(r, {'is 200': (r) => [200, 201].includes(r.status)});",
        "check(r, {'is 200': (r) => { if (a) { return r.status === 200; } return true; }});",
        "check(r, {'is 200': isOk});",
        "check(r, checks);",
        "check(other, {'is 200': (r) => r.status === 200});",
        "function verify(r) { check(r, {'is 200': (r) => r.status === 200}); }",
        "const verify = (r) => { check(r, {'is 200': (r) => r.status === 200}); }",
    ] {
        check_assertions(script, "", 1);
    }
    check_assertions("check(r, {a: r => r.status === 200 && r.timings.duration < 9});", OK, 1);
}

#[test]
fn a_check_belongs_to_the_request_whose_response_it_names() {
    let tasks = format!(
        r#"[{{"method": "get", "request_url": "http://h/a", "assertions": [{OK}]}},
            {{"method": "get", "request_url": "http://h/b"}}]"#
    );
    for script in [
        "const a = http.get('http://h/a'); const b = http.get('http://h/b'); check(a, {a: (r) => r.status === 200});",
        "check(http.get('http://h/a'), {a: (r) => r.status === 200}); http.get('http://h/b');",
        "let r; r = await http.get('http://h/a'); check(r, {a: function (r) { return r.status === 200 }}); r = http.get('http://h/b');",
        // A parameter of this name does not end what the name means behind the function.
        "const r = http.get('http://h/a'); function f(r) { return r; } http.get('http://h/b'); check(r, {a: () => r.status === 200});",
    ] {
        check(script, &tasks, &[]);
    }
    check(
        "const all = http.batch(['http://h/a', 'http://h/b']); check(all[0], {a: (r) => r.status === 200});",
        r#"[{"method": "get", "request_url": "http://h/a"}, {"method": "get", "request_url": "http://h/b"}]"#,
        &[
            "left out: check without a counterpart (1)",
            "http.batch: its requests run one after the other",
        ],
    );
}

#[test]
fn what_only_running_the_script_would_tell_is_a_variable_and_is_listed() {
    let body = |code: &str, json: &str, notices: &[&str]| {
        let task = format!(r#"[{{"method": "post", "request_url": "http://h/", "json": {json}}}]"#);
        check(code, &task, notices);
    };
    const SAID: &str =
        "requests with values that the script computes (variables, or left out): http://h/";
    for (value, json) in [
        ("{at: Date.now()}", r#"{"at": "${computed_at}"}"#),
        ("{at: now, b: user.name}", r#"{"at": "${now}", "b": "${name}"}"#),
        ("{list: [1, f(), ...more]}", r#"{"list": [1, "${computed_1}"]}"#),
        ("{[key()]: 1, b: 2}", r#"{"b": 2}"#),
        ("{...f(), b: 2}", r#"{"b": 2}"#),
        ("{f() { return 1; }, b: 2}", r#"{"b": 2}"#),
        (
            "{a: {'X-At': new Date(), b: a ? 1 : 2}}",
            r#"{"a": {"X-At": "${computed_X_At}", "b": "${computed_b}"}}"#,
        ),
    ] {
        let notices: &[&str] = if value.contains("user") { &[] } else { &[SAID] };
        body(&format!("http.post('http://h/', JSON.stringify({value}))"), json, notices);
        // Also where a constant is it.
        let script = format!(
            "const b = {value}; const c = {{d: b}}; http.post('http://h/', JSON.stringify(c))"
        );
        body(&script, &format!(r#"{{"d": {json}}}"#), notices);
    }
    body(
        "const k = 'a', more = {b: 2}, l = [3]; http.post('http://h/', JSON.stringify({[k]: 3 * 60, ...more, c: [...l, 7 - 2 - 1, 2 * -3, 6 / 4, 7 % 4]}))",
        r#"{"a": 180, "b": 2, "c": [3, 4, -6, 1.5, 3]}"#,
        &[],
    );
    check(
        "http.get('http://h/', {headers: {'X-At': `${Date.now()}`}})",
        r#"[{"method": "get", "request_url": "http://h/", "headers": {"X-At": "${computed_X_At}"}}]"#,
        &[SAID],
    );
    check(
        "http.get(`http://h/${Date.now()}`)",
        "[]",
        &["requests left out, because their URLs are computed: `http://h/${Date.now()}`"],
    );
    // What takes the place of a value is not all that it can be.
    for script in [
        "http.get(f() || 'http://h/')",
        "const u = f() ?? 'http://h/'; http.get(u)",
        "http.get('http://h/', {headers: f() || {}})",
    ] {
        check(script, r#"[{"method": "get", "request_url": "http://h/"}]"#, &[SAID]);
    }
}

/// The load of a script with these options, and what is said about it.
#[track_caller]
fn check_load(options: &str, load: &str, notices: &[&str]) {
    let script = format!("export const options = {options};\nhttp.get('http://h/');");
    let import = import(&script).expect(&script);
    let found = import.tests.first().map(|test| Value::Dict(test.load.clone()));
    let expected = Value::parse(load).expect(load);
    assert_eq!(found.map(|load| load.to_text()), Some(expected.to_text()), "{options}");
    assert_eq!(import.notices.lines(), notices, "{options}");
}

#[test]
fn options_end_a_test_as_in_k6() {
    let load = |users: u32, seconds: u32, iterations: &str| {
        format!(
            r#"{{"user_count": {users}, "spawn_rate": {users}, "test_time": {seconds}{iterations}, "wait_time": 0}}"#
        )
    };
    let scenario = |members: &str| format!("{{scenarios: {{a: {{{members}}}}}}}");
    check_load(
        "{vus: 10}",
        &load(1, 600, r#", "iterations": 1"#),
        &["vus without duration, iterations or stages: one iteration, as in k6"],
    );
    check_load("{vus: 10, duration: '1m'}", &load(10, 60, ""), &[]);
    check_load("{vus: 10, duration: 2 * 60 + 's'}", &load(10, 120, ""), &[]);
    check_load("{vus: 2, iterations: 6}", &load(2, 600, r#", "iterations": 6"#), &[]);
    check_load(
        &scenario("executor: 'per-vu-iterations', vus: 4"),
        &load(4, 600, r#", "iterations": 4"#),
        &[],
    );
    check_load(
        &scenario("executor: 'per-vu-iterations', vus: 4, iterations: 3, maxDuration: '30s'"),
        &load(4, 30, r#", "iterations": 12"#),
        &[],
    );
    check_load(
        &scenario("executor: 'shared-iterations', vus: 4, maxDuration: '1m30s'"),
        &load(4, 90, r#", "iterations": 1"#),
        &[],
    );
    check_load("{}", "{}", &[]);
    check_load("{tags: f()}", "{}", &["options that the script computes are left out"]);
}

#[test]
fn requests_that_do_not_run_exactly_once_are_listed() {
    let once = r#"[{"method": "get", "request_url": "http://h/"}]"#;
    let call = "http.get('http://h/')";
    for code in [
        format!("for (const a of b) {call};"),
        format!("for (;;) {{ {call}; }}"),
        format!("while (a)\n  {call};"),
        format!("do {call}; while (a);"),
        format!("list.forEach((a) => {{ {call}; }});"),
        format!("list.map(a => {call});"),
        format!("for await (const a of b) if (a) {{ {call} }}"),
    ] {
        let (_, said) = import_as_one(&code).expect(&code).into_tasks();
        let found = said.lines();
        assert!(
            found.iter().any(|line| line.starts_with("loops whose requests run once: line ")),
            "{code} {found:?}"
        );
    }
    for code in [
        format!("if (a) {call};"),
        format!("if (a) b(); else {call};"),
        format!("if (a) {{ b(); }} else if (c) {{ {call}; }}"),
        format!("const r = a ? {call} : null;"),
        format!("switch (a) {{ case 1: {call}; }}"),
        format!("try {{ b(); }} catch (e) {{ {call}; }}"),
        format!("try {{ b(); }} catch {{ {call}; }}"),
    ] {
        check(&code, once, &["conditions whose requests always run: line 1"]);
    }
    for code in [
        format!("if (a) {{ b(); }}\n{call};"),
        format!("if (a) b();\n{call};"),
        format!("for (const a of b) c();\n{call};"),
        format!("try {{ {call}; }} finally {{ b(); }}"),
    ] {
        check(&code, once, &[]);
    }
}

#[test]
fn parts_of_a_batch_and_params_that_cannot_be_kept_are_listed() {
    check(
        "http.batch(['http://h/a', ['GET', f()], {url: f()}, ['POST', 'http://h/b', {a: 1}], ['GET', `http://h/${f()}`]])",
        r#"[{"method": "get", "request_url": "http://h/a"},
            {"method": "post", "request_url": "http://h/b", "data": {"a": "1"}}]"#,
        &[
            "left out: request of a batch that is computed (3)",
            "http.batch: its requests run one after the other",
            "requests with values that the script computes (variables, or left out): http.batch",
        ],
    );
    check(
        "http.get('http://h/', {responseCallback: http.expectedStatuses(404), jar: jar})",
        r#"[{"method": "get", "request_url": "http://h/"}]"#,
        &[
            "left out: param responseCallback (1), param jar (1)",
            "requests with values that the script computes (variables, or left out): http://h/",
        ],
    );
}

#[test]
fn calls_that_change_other_requests_are_listed() {
    check(
        "http.setResponseCallback(http.expectedStatuses(404)); http.cookieJar().set('http://h/', 'a', 'b');\n\
         http.post(http.url`http://h/`, http.file('x'))",
        r#"[{"method": "post", "request_url": "http://h/"}]"#,
        &[
            "left out: call of http.setResponseCallback (1), call of http.cookieJar (1)",
            "requests whose bodies are computed: http://h/",
        ],
    );
}

#[test]
fn a_known_text_is_encoded_and_a_token_of_a_response_kept() {
    check(
        "http.get(`http://h/?q=${encodeURIComponent('a b&c/ä')}&r=${encodeURIComponent(term)}`); http.get(encodeURI('http://h/a b?c=d&e'));",
        r#"[{"method": "get", "request_url": "http://h/?q=a%20b%26c%2F%C3%A4&r=${term}"},
            {"method": "get", "request_url": "http://h/a%20b?c=d&e"}]"#,
        &[],
    );
    check(
        "const token = http.post('http://h/', {a: 1}).json('data.token'); http.get('http://h/', {headers: {A: token}});",
        r#"[{"method": "post", "request_url": "http://h/", "data": {"a": "1"}, "extract": [{"var": "token", "path": "data.token"}]},
            {"method": "get", "request_url": "http://h/", "headers": {"A": "${token}"}}]"#,
        &[],
    );
}
