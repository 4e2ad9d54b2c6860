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
