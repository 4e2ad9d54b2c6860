use std::fs;

use super::*;
use crate::action::files::Files;
use crate::action::policy::FileAccess;
use crate::report::FORMATS;
use crate::value::Syntax;

/// The findings in a document: place, message and rule.
fn found(document: &str, around: &Surroundings<'_>) -> Vec<String> {
    let document = Value::parse(document).expect("JSON");
    let findings = check(&document, around).into_iter();
    findings
        .map(|found| {
            let Finding { rule, severity, message, place } = found;
            let severity = if severity == Severity::Error { "error: " } else { "" };
            format!("{place}: {severity}{message} [{}]", rule.name)
        })
        .collect()
}

fn anywhere(document: &str) -> Vec<String> {
    found(document, &Surroundings::unknown())
}

/// A directory with two CSV files.
fn data_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("users.csv"), "name,password\na,b\n").expect("a file");
    fs::write(dir.path().join("semicolons.csv"), "name;password\na;b\n").expect("a file");
    dir
}

/// The findings in a document that will run here.
fn here(document: &str) -> Vec<String> {
    let dir = data_dir();
    let files = Files::open(dir.path()).expect("a directory").allowing(FileAccess::All);
    let environment = |name: &str| match name {
        "USERS" => Some("5".to_owned()),
        "WORD" => Some("many".to_owned()),
        "API_TOKEN" => Some("s3cret".to_owned()),
        _ => None,
    };
    let around = Surroundings {
        place: Where::Here,
        files: Some(&files),
        environment: Some(&environment),
        ..Surroundings::unknown()
    };
    found(document, &around)
}

/// A test with these members beside its host, after these actions.
fn of_test(before: &str, members: &str) -> String {
    format!(
        r#"[{before}["LD_start_test", {{"user_detail_dict": {{"host": "http://h"}}, {members}}}]]"#
    )
}

/// The actions of a document, to stand among others.
fn inside(document: &str) -> &str {
    document.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).expect("a list")
}

#[track_caller]
fn check_test(before: &str, members: &str, expected: &[&str]) {
    assert_eq!(anywhere(&of_test(before, members)), expected, "{before} {members}");
}

const TASK: &str = r#""tasks": [{"method": "get", "url": "/"}]"#;

#[test]
fn what_is_no_action_is_found_with_the_form_that_one_has() {
    assert_eq!(
        anywhere(r#"[["LD_summary"], [], [7], "x", {"a": 1}, ["LD_summary", [], 2]]"#),
        [
            "actions[1]: error: an action is empty: write [name] or [name, arguments] [invalid-shape]",
            "actions[2]: error: the name of a command is a string, not an integer [invalid-shape]",
            "actions[3]: error: an action is a list, [name, arguments], not a string [invalid-shape]",
            "actions[4]: error: an action is a list, [name, arguments], not an object [invalid-shape]",
            "actions[5]: error: an action has a name and its arguments, [name, arguments], and \
             nothing else [invalid-shape]",
        ]
    );
    for document in ["[]", "null", "7", r#"{"load_density": {}}"#, "{}"] {
        let found = anywhere(document);
        assert!(found[0].ends_with("[not-a-document]") && found.len() == 1, "{found:?}");
    }
}

#[test]
fn the_command_that_was_meant_is_suggested() {
    assert_eq!(
        anywhere(r#"[["LD_asert_sla", {}], ["LD_teleport"]]"#),
        [
            "actions[0]: error: unknown command \"LD_asert_sla\"; did you mean \"LD_assert_sla\"? \
             [unknown-command]",
            "actions[1]: error: unknown command \"LD_teleport\"; `ldctl explain` lists them [unknown-command]",
        ]
    );
}

#[test]
fn a_socket_task_without_any_target_is_found() {
    let test = |detail: &str, task: &str| {
        let host = format!(r#""user_detail_dict": {{"user": "socket_user"{detail}}}"#);
        anywhere(&format!(
            r#"[["LD_start_test", {{{host}, "tasks": [{{"payload": "x"{task}}}]}}]]"#
        ))
    };
    assert_eq!(
        test("", ""),
        ["actions[0].tasks[0]: no \"target\" is given: the bytes go to 127.0.0.1:9000; add \
          one, or a \"host\" to user_detail_dict [missing-host]"]
    );
    for (detail, task) in
        [(r#", "host": "h:1""#, ""), ("", r#", "target": "h:1""#), ("", r#", "host": "h:1""#)]
    {
        assert_eq!(test(detail, task), [] as [&str; 0], "{detail} {task}");
    }
}

#[test]
fn a_server_may_know_more_commands_and_users() {
    let around = Surroundings { place: Where::Server, ..Surroundings::unknown() };
    let test = |user: &str| {
        let document = format!(
            r#"[["LD_generate_pdf_report", {{}}],
            ["LD_start_test", {{"user_detail_dict": {{"user": "{user}"}}, "tasks": [{{"x": 1}}]}}]]"#
        );
        found(&document, &around).iter().filter(|found| found.contains(": error: ")).count()
    };
    assert_eq!(test("amqp_user"), 0);
    assert_eq!(test("fast_htpt_user"), 1);
}

#[test]
fn a_document_inside_another_is_checked_as_well() {
    assert_eq!(
        anywhere(
            r#"[["LD_execute_action", {"action_list": [["LD_nope"], ["LD_summary", {"x": 1}]]}]]"#
        ),
        [
            "actions[0].action_list[0]: error: unknown command \"LD_nope\"; `ldctl explain` lists them [unknown-command]",
            "actions[0].action_list[1][1].x: error: unknown argument; LD_summary takes success, \
             failures [unknown-member]",
        ]
    );
}

#[test]
fn a_placeholder_that_nothing_fills_is_found_before_the_test_runs() {
    let task = |text: &str| {
        format!(r#""tasks": [{{"method": "post", "url": "/", "json": {{"a": ["{text}"]}}}}]"#)
    };
    for (text, reason) in [
        ("${users.name}", "no placeholder has this form"),
        ("${randint(5, 1)}", "no placeholder has this form"),
        ("${token}", "nothing here registers or extracts \"token\"; --var of run sets it"),
        ("${session.id}", "nothing here registers or extracts \"id\""),
        ("${csv.u.name}", "nothing here registers the CSV source \"u\""),
    ] {
        let warning = format!(
            "actions[0].tasks[0].json.a[0]: {text} is used as it is written: {reason} \
             [unresolved-placeholder]"
        );
        check_test("", &task(text), &[&warning]);
    }
    for text in ["${uuid()}", "${env.X}", "${faker.name}", "plain $x"] {
        check_test("", &task(text), &[]);
    }
    let misspelt = format!(r#""variables": {{"token": 1}}, {}"#, task("${tokn}"));
    check_test(
        "",
        &misspelt,
        &[
            "actions[0].tasks[0].json.a[0]: ${tokn} is used as it is written: nothing here registers \
           or extracts \"tokn\"; did you mean \"token\"? [unresolved-placeholder]",
        ],
    );
}

#[test]
fn what_is_registered_or_extracted_is_a_value() {
    let used = r#""tasks": [{"method": "get", "url": "/${id}", "extract": [{"var": "id", "path": "a"},
        {"var": "s", "scope": "session", "path": "b"}]}, {"method": "get", "url": "/${session.s}"}]"#;
    check_test("", used, &[]);
    let used = r#""tasks": {"get": {"url": "/${a}${var.b}${csv.u.name}"}}"#;
    for before in [
        r#"["LD_register_variable", ["a", 1]], ["LD_register_variables", {"variables": {"b": 1}}],
           ["LD_register_csv_source", {"name": "u", "file_path": "users.csv"}],"#,
        r#"["LD_execute_files", [["setup.json"]]],"#,
    ] {
        check_test(before, used, &[]);
    }
    let members = format!(
        r#""variables": {{"a": 1, "b": 2}}, "csv_sources": [{{"name": "u", "file_path": "x"}}], {used}"#
    );
    check_test("", &members, &[]);
}

#[test]
fn a_column_that_the_file_lacks_is_found_with_those_that_it_has() {
    for (file, reason) in [
        ("users.csv", "the CSV source \"u\" has the columns name, password"),
        (
            "semicolons.csv",
            "the CSV source \"u\" has the columns name;password (columns are separated by commas)",
        ),
    ] {
        let members = format!(
            r#""csv_sources": [{{"name": "u", "file_path": "{file}"}}],
               "tasks": [{{"method": "get", "url": "/${{csv.u.pasword}}"}}]"#
        );
        let warning = format!(
            "actions[0].tasks[0].url: ${{csv.u.pasword}} is used as it is written: {reason} \
             [unresolved-placeholder]"
        );
        assert_eq!(here(&of_test("", &members)), [warning]);
    }
}

#[test]
fn a_missing_or_misspelt_host_is_found() {
    let test = |detail: &str, url: &str| {
        anywhere(&format!(
            r#"[["LD_start_test", {{"user_detail_dict": {detail}, "tasks": [{{"method": "get", "url": "{url}"}}]}}]]"#
        ))
    };
    let missing = "actions[0].tasks[0].url: error: no \"host\" is given: relative URLs go to \
                   http://localhost; add one to user_detail_dict [missing-host]";
    assert_eq!(test("{}", "/x"), [missing]);
    let misspelt = "actions[0].user_detail_dict.hots: \"hots\" has no effect; did you mean \
                    \"host\"? [unknown-member]";
    assert_eq!(test(r#"{"hots": "http://h"}"#, "/x"), [misspelt, missing]);
    for (detail, url) in [
        (r#"{"host": "http://h"}"#, "/x"),
        (r#"{"base_url": "http://h"}"#, "/x"),
        ("{}", "${env.BASE}/x"),
    ] {
        assert_eq!(test(detail, url), [""; 0], "{detail} {url}");
    }
    let around = Surroundings { place: Where::Server, ..Surroundings::unknown() };
    let sent =
        found(&format!(r#"[["LD_start_test", {{"user_detail_dict": {{}}, {TASK}}}]]"#), &around);
    assert_eq!(sent, [missing.replace("error: ", "")], "the reference takes it");
}

#[test]
fn every_gate_and_report_over_uncleared_records_is_found() {
    let test = of_test("", TASK);
    let test = inside(&test);
    let formats = FORMATS.iter().map(|format| format.command);
    for command in formats.chain([gates::ASSERT, gates::EVALUATE]) {
        let stale = |before: &str| {
            let found = anywhere(&format!(r#"[{before}{test}, ["{command}", {{}}]]"#));
            found.iter().any(|found| found.ends_with("[stale-records]"))
        };
        assert!(stale(""), "{command}");
        assert!(!stale(r#"["LD_clear_records"], "#), "{command}");
    }
    assert_eq!(anywhere(&format!(r#"[{test}, ["LD_summary"]]"#)), [""; 0]);
}

#[test]
fn gates_over_the_records_of_other_tests_are_found_once() {
    let test = of_test("", TASK);
    let test = inside(&test);
    let gate = r#"["LD_assert_sla", {"rules": [{"type": "requests", "value": 1}]}],
        ["LD_generate_html_report", ["x"]]"#;
    let count = |document: String| anywhere(&document).len();
    assert_eq!(count(format!("[{test}, {gate}]")), 1);
    assert_eq!(count(format!(r#"[["LD_clear_records"], {test}, {gate}]"#)), 0);
    assert_eq!(count(format!("[{gate}]")), 0, "a report of what others have recorded");
}

#[track_caller]
fn check_gates(rules: &str, expected: &[&str]) {
    let test = of_test("", r#""tasks": [{"method": "get", "url": "/", "name": "login"}]"#);
    let test = inside(&test);
    let document =
        format!(r#"[["LD_clear_records"], {test}, ["LD_assert_sla", {{"rules": {rules}}}]]"#);
    let expected: Vec<String> =
        expected.iter().map(|line| format!("actions[2].rules{line}")).collect();
    assert_eq!(anywhere(&document), expected, "{rules}");
}

#[test]
fn a_gate_that_cannot_be_judged_is_found() {
    check_gates(
        r#"[{"type": "p95", "op": "<", "value": 1}]"#,
        &[
            "[0].type: error: unknown figure \"p95\"; did you mean \"latency_p95\"? expected \
             latency_p50, latency_p90, latency_p95, latency_p99, latency_mean, failure_rate, \
             requests, dropped_iterations, dropped_rate, achieved_rate, interrupted, unresolved or \
             failed_extractions [broken-gate]",
            "[0].op: error: unknown op \"<\"; did you mean \"lt\"? expected lt, lte, gt or gte \
             [broken-gate]",
        ],
    );
    check_gates(
        r#"[{"type": "latency_p95", "value": 1, "name": "logn"}, {"op": "lte"}]"#,
        &[
            "[0].name: error: no task has the name \"logn\"; did you mean \"login\"? [broken-gate]",
            "[1]: error: missing \"type\" [missing-member]",
            "[1]: error: missing \"value\" [missing-member]",
        ],
    );
    check_gates(
        r#"[{"type": "latency_mean", "value": 1}, {"type": "requests", "vale": 2, "value": 1}]"#,
        &[
            "[0]: error: latency_mean is known of names only; add a \"name\" [broken-gate]",
            "[1].vale: \"vale\" has no effect; did you mean \"value\"? [unknown-member]",
        ],
    );
    let all = |figure: &str, value: &str| {
        format!("[0].value: {figure} is a share: {value} %; write 0.01 for 1 % [useless-gate]")
    };
    check_gates(
        r#"[{"type": "failure_rate", "value": 1}, {"type": "dropped_rate", "op": "LT", "value": "5"}]"#,
        &[&all("failure_rate", "1 is 100"), &all("dropped_rate", "5 is 500").replace("[0]", "[1]")],
    );
    check_gates(
        r#"[{"type": "failure_rate", "op": "gte", "value": 1}, {"type": "requests", "value": 5},
            {"type": "failure_rate", "value": 0.99}]"#,
        &[],
    );
    check_gates("[]", &[": there are no gates, so this always passes [no-gates]"]);
    check_gates("{}", &[": error: expected a list, got {} [refused]"]);
    check_gates(r#"[{"type": "failure_rate", "op": "LTE", "value": "0.1", "name": "login"}]"#, &[]);
}

#[test]
fn the_gate_of_a_search_is_judged_by_the_names_of_its_own_test() {
    let other = of_test("", r#""tasks": [{"method": "get", "url": "/", "name": "other"}]"#);
    let other = inside(&other);
    let check = |gate: &str, expected: &[&str]| {
        let document = format!(
            r#"[{other}, ["LD_find_breaking_point", {{"gate": {gate}, "test": {{
                "user_detail_dict": {{"host": "http://h"}},
                "tasks": [{{"method": "get", "url": "/", "name": "login"}}]}}}}]]"#
        );
        assert_eq!(anywhere(&document), expected, "{gate}");
    };
    check(
        r#"{"type": "failure_rate", "value": 50, "nmae": "login"}"#,
        &[
            "actions[1].gate.value: failure_rate is a share: 50 is 5000 %; write 0.01 for 1 % \
             [useless-gate]",
            "actions[1].gate.nmae: \"nmae\" has no effect; did you mean \"name\"? [unknown-member]",
        ],
    );
    let no_task = |name: &str| {
        format!(
            "actions[1].gate[0].name: error: no task has the name {name:?}; did you mean \
             \"login\"? [broken-gate]"
        )
    };
    for name in ["logn", "other"] {
        let gate = format!(r#"[{{"type": "latency_p95", "value": 1, "name": "{name}"}}]"#);
        check(&gate, &[&no_task(name)]);
    }
    check(r#"{"type": "latency_p95", "value": 1, "name": "login"}"#, &[]);
    check(
        r#"{"type": "latency_mean", "value": 1}"#,
        &["actions[1].gate: error: latency_mean needs a \"name\" [refused]"],
    );
}

#[test]
fn a_gate_over_names_that_are_not_known_is_not_judged() {
    let document = |tasks: &str| {
        let test = of_test("", tasks);
        let test = inside(&test);
        format!(
            r#"[["LD_clear_records"], {test},
            ["LD_assert_sla", {{"rules": [{{"type": "requests", "value": 1, "name": "x"}}]}}]]"#
        )
    };
    for tasks in [
        r#""tasks": [{"method": "get", "url": "/", "name": "${env.NAME}"}]"#,
        r#""tasks": [{"method": "get", "url": "x"}]"#,
    ] {
        assert_eq!(anywhere(&document(tasks)), [""; 0], "{tasks}");
    }
    // A test by position.
    let by_position = r#"[["LD_clear_records"], ["LD_start_test", [{"host": "http://h"}]],
        ["LD_assert_sla", {"rules": [{"type": "requests", "value": 1, "name": "x"}]}]]"#;
    assert_eq!(anywhere(by_position).iter().filter(|line| line.contains("broken-gate")).count(), 0);
    let found = anywhere(&document(TASK));
    let expected = "actions[2].rules[0].name: error: no task has the name \"x\"; did you mean \
                    \"/\"? [broken-gate]";
    assert_eq!(found, [expected]);
}

#[test]
fn weights_without_effect_are_found() {
    let tasks = r#"[{"method": "get", "url": "/"}, {"method": "get", "url": "/", "weight": 3}]"#;
    check_test(
        "",
        &format!(r#""tasks": {tasks}"#),
        &[
            "actions[0].tasks[1].weight: has no effect: every iteration runs all tasks in order; write \
           \"tasks\": {\"mode\": \"weighted\", \"tasks\": [...]} to draw one by weight \
           [unused-weight]",
        ],
    );
    check_test("", &format!(r#""tasks": {{"mode": "weighted", "tasks": {tasks}}}"#), &[]);
}

#[test]
fn a_client_id_that_several_users_share_is_found() {
    let of = |task: &str, more: &str| {
        format!(
            r#""user_detail_dict": {{"user": "mqtt_user"}}, {more} "tasks": [{{"topic": "a"}}, {task}]"#
        )
    };
    let found = "all users are the client 'c': a broker has one connection for each client, so they push \
                 each other out; leave it out, or take it from a CSV source [shared-client-id]";
    let shared = r#"{"topic": "a", "client_id": "c"}"#;
    let place = "actions[0].tasks[1].client_id";
    check_test("", &of(shared, ""), &[&format!("{place}: {found}")]);
    let given = of(r#"{"topic": "a"}"#, r#""connection": {"client_id": "c"},"#);
    check_test("", &given, &[&format!("actions[0].connection.client_id: {found}")]);
    check_test("", &of(shared, r#""user_count": 1,"#), &[]);
    check_test("", &of(r#"{"topic": "a", "client_id": "c-${uuid()}"}"#, ""), &[]);
}

#[test]
fn a_login_that_is_drawn_by_weight_is_found() {
    let login = |condition: &str| {
        format!(
            r#"{{"method": "post", "url": "/login", "skip_if": {condition},
                "extract": [{{"var": "token", "path": "token"}}]}}"#
        )
    };
    let items = r#"{"method": "get", "url": "/${token}"}"#;
    let found = "the task runs when it is drawn, so a user may run others before \"token\" has a \
                 value; move it to on_start: {\"mode\": \"weighted\", \"on_start\": [...], \
                 \"tasks\": [...]} [drawn-setup]";
    for condition in [r#""${token}""#, r#"{"truthy": "${var.token}"}"#] {
        let login = login(condition);
        let drawn = format!(r#""tasks": {{"mode": "weighted", "tasks": [{items}, {login}]}}"#);
        check_test("", &drawn, &[&format!("actions[0].tasks.tasks[1].skip_if: {found}")]);
        for right in [
            format!(r#""tasks": [{login}, {items}]"#),
            format!(
                r#""tasks": {{"mode": "weighted", "on_start": [{login}], "tasks": [{items}]}}"#
            ),
        ] {
            check_test("", &right, &[]);
        }
    }
    let others = login(r#""${env.OFFLINE}""#);
    check_test(
        "",
        &format!(r#""tasks": {{"mode": "weighted", "tasks": [{others}, {items}]}}"#),
        &[],
    );
}

#[test]
fn a_placeholder_in_the_value_of_a_variable_is_found() {
    let unfilled = "${randint(1, 4)} is used as it is written: values of variables are not filled in; \
                    write it where the variable is used [unresolved-placeholder]";
    let members = r#""variables": {"k": "${randint(1, 4)}", "n": 4}, "tasks": [{"method": "get", "url": "/${k}${n}"}]"#;
    check_test("", members, &[&format!("actions[0].variables.k: {unfilled}")]);
    let task = r#""tasks": [{"method": "get", "url": "/${k}"}]"#;
    for (action, place) in [
        (r#"["LD_register_variable", ["k", "${randint(1, 4)}"]]"#, "value"),
        (
            r#"["LD_register_variables", {"variables": {"k": ["x", "${randint(1, 4)}"]}}]"#,
            "variables.k[1]",
        ),
    ] {
        check_test(&format!("{action},"), task, &[&format!("actions[0].{place}: {unfilled}")]);
    }
}

#[test]
fn tasks_of_on_start_are_checked_like_others() {
    check_test(
        "",
        r#""tasks": {"mode": "weighted", "on_start": [{"method": "get", "url": "/${no}", "weight": 2}],
            "tasks": [{"method": "get", "url": "/"}]}"#,
        &[
            "actions[0].tasks.on_start[0].weight: has no effect: every user runs all tasks of \
             on_start, in order [unused-weight]",
            "actions[0].tasks.on_start[0].url: ${no} is used as it is written: nothing here \
             registers or extracts \"no\"; --var of run sets it [unresolved-placeholder]",
        ],
    );
    let refused = anywhere(&of_test(
        "",
        r#""tasks": {"on_start": [{"method": "got", "url": "/"}],
            "tasks": [{"method": "get", "url": "/"}]}"#,
    ));
    assert!(
        refused[0].starts_with("actions[0].tasks.on_start[0].method: error: unknown method"),
        "{refused:?}"
    );
}

#[test]
fn a_file_that_is_not_there_is_found_unless_an_earlier_action_writes_it() {
    let missing = |place: &str| {
        format!(
            "{place}: error: \"no.csv\" does not exist in the data directory (or its directory does \
             not) [unreadable-file]"
        )
    };
    for (action, place) in [
        (r#"["LD_register_csv_source", ["u", "no.csv"]]"#, "file_path"),
        (
            r#"["LD_register_csv_sources", {"sources": [{"name": "u", "file_path": "no.csv"}]}]"#,
            "sources[0].file_path",
        ),
        (r#"["LD_load_har", ["no.csv"]]"#, "file_path"),
        (r#"["LD_execute_files", [["no.csv"]]]"#, "execute_files_list[0]"),
    ] {
        let place = format!("actions[0].{place}");
        assert_eq!(here(&format!("[{action}]")), [missing(&place)], "{action}");
        let written = format!(r#"[["LD_generate_csv_report", ["no"]], {action}]"#);
        assert_eq!(here(&written), [""; 0], "{action}");
    }
    let task = r#""tasks": [{"method": "post", "url": "/", "files": {"f": {"path": "no.csv"}},
        "verify": "no.csv", "cert": ["users.csv", "no.csv"]}]"#;
    let places = ["files.f.path", "verify", "cert[1]"];
    let places = places.map(|place| missing(&format!("actions[0].tasks[0].{place}")));
    assert_eq!(here(&of_test("", task)), places);
    let call = |types: &str| {
        format!(
            r#"[["LD_start_test", {{"user_detail_dict": {{"user": "grpc_user", "host": "h:1"}},
            "tasks": [{{"method": "a.B/C", {types}}}]}}]]"#
        )
    };
    for (types, place) in [
        (r#""descriptor_set": "no.csv""#, "descriptor_set"),
        (r#""proto": "no.csv""#, "proto"),
        (r#""proto": ["users.csv", "no.csv"]"#, "proto[1]"),
    ] {
        assert_eq!(here(&call(types)), [missing(&format!("actions[0].tasks[0].{place}"))]);
    }
    let around = Surroundings { place: Where::Server, ..Surroundings::unknown() };
    assert_eq!(found(&of_test("", task), &around), [""; 0], "its files are the server's");
}

#[test]
fn a_report_without_a_directory_or_with_two_extensions_is_found() {
    assert_eq!(
        here(
            r#"[["LD_generate_html_report", ["out/r"]], ["LD_generate_json_report", ["out/r"]],
                ["LD_generate_html_report", {"html_name": "rep.html"}],
                ["LD_persist_records", ["out/h.db"]], ["LD_generate_csv_report", ["r"]],
                ["LD_generate_csv_report", ["/tmp/r"]]]"#
        ),
        [
            "actions[0].html_name: error: \"out/r.html\" does not exist in the data directory (or its \
             directory does not) [unwritable-file]",
            "actions[1].json_file_name: error: \"out/r_success.json\" does not exist in the data \
             directory (or its directory does not) [unwritable-file]",
            "actions[2].html_name: the report becomes rep.html.html; write \"rep\" \
             [doubled-extension]",
            "actions[3].database_path: error: \"out/h.db\" does not exist in the data directory (or \
             its directory does not) [unwritable-file]",
            "actions[5].csv_name: error: \"/tmp/r.csv\" leads out of the data directory; name a file \
             inside it, without `..`, or change --data-dir [unwritable-file]",
        ]
    );
}

#[test]
fn a_variable_of_the_environment_that_is_not_set_is_found_where_the_document_runs() {
    let members = r#""tasks": [{"method": "get", "url": "${env.TARGET}/x", "headers":
        {"X-A": "${env.TOKEN} ${env.USERS}"}, "skip_if": "${env.FAST}"}]"#;
    assert_eq!(
        here(&of_test("", members)),
        [
            "actions[0].tasks[0].url: error: TARGET is not set; export it, or give the URL itself \
             [unset-variable]",
            "actions[0].tasks[0].headers.X-A: error: TOKEN is not set, and ${env.TOKEN} would be used \
             as it is written; export it [unset-variable]",
            "actions[0].tasks[0].skip_if: FAST is not set, so ${env.FAST} counts as false \
             [unset-variable]",
        ]
    );
    check_test("", members, &[]);
}

#[test]
fn a_number_from_a_variable_is_judged_before_the_test_starts() {
    let test = |count: &str, variables: &str| {
        of_test("", &format!(r#""user_count": "{count}", "variables": {variables}, {TASK}"#))
    };
    let error = |what: &str, rule: &str| format!("actions[0].user_count: error: {what} [{rule}]");
    for (count, variables, expected) in [
        ("${env.USERS}", "{}", None),
        ("${var.n}", r#"{"n": "7"}"#, None),
        ("${n}", r#"{"n": 7}"#, None),
        ("${env.NOPE}", "{}", Some(error("NOPE is not set; export it", "unset-variable"))),
        (
            // It is set, and not for documents.
            "${env.PATH}",
            "{}",
            Some(error("PATH may not be read by documents; use another one", "unset-variable")),
        ),
        (
            "${env.API_TOKEN}",
            "{}",
            Some(error("${env.API_TOKEN} is [redacted], which is no number", "not-a-number")),
        ),
        (
            "${env.WORD}",
            "{}",
            Some(error("${env.WORD} is \"many\", which is no number", "not-a-number")),
        ),
        (
            "${var.n}",
            r#"{"n": "x"}"#,
            Some(error("${var.n} is \"x\", which is no number", "not-a-number")),
        ),
        (
            "${var.m}",
            r#"{"mm": 1}"#,
            Some(error(
                "${var.m} has no value when the action starts: nothing here registers \"m\"",
                "not-a-number",
            )),
        ),
        (
            "${csv.u.n}",
            "{}",
            Some(error(
                "${csv.u.n} has no value when the action starts; a number may come from \
                 ${env.NAME} or ${var.NAME}",
                "not-a-number",
            )),
        ),
    ] {
        assert_eq!(here(&test(count, variables)), Vec::from_iter(expected), "{count} {variables}");
    }
}

#[test]
fn large_bodies_and_hard_coded_urls_are_found_at_their_keys() {
    let body = "x".repeat(crate::action::lint::LARGE_BODY + 1);
    check_test(
        "",
        &format!(
            r#""tasks": {{"tasks": [{{"method": "post", "url": "HTTP://x/", "data": "{body}"}}]}}"#
        ),
        &[
            "actions[0].tasks.tasks[0].url: hard-coded URL 'HTTP://x/'; write it relative to the \
             \"host\", or begin with ${var.base} [hardcoded-url]",
            "actions[0].tasks.tasks[0].data: the body has 1048577 characters; use a smaller one, or a \
             file [oversize-body]",
        ],
    );
}

#[test]
fn findings_are_placed_in_the_text() {
    let text = r#"{"load_density": [
  ["LD_register_csv_source", ["u", 7]],
  ["LD_start_test", {"user_detail_dict": {"host": "http://h"}, "tasks": [
    {"method": "get", "url": "/", "wieght": 1, "method": "put"}]}]
]}"#;
    let document = Value::parse(text).expect("JSON");
    let mut findings = check(&document, &Surroundings::unknown());
    findings.append(&mut repeated(&document, text));
    let places: Vec<String> =
        findings.iter().map(|finding| format!("{} {}", finding.place, finding.rule.name)).collect();
    assert_eq!(
        places,
        [
            "actions[0].file_path refused",
            "actions[1].tasks[0].wieght unknown-member",
            "actions[1].tasks[0].method repeated-member",
        ]
    );
    assert_eq!(located(&findings, &document, text, Syntax::Json), [(2, 36), (4, 35), (4, 48)]);
}

#[test]
fn references_to_things_created_before_the_test_runs_are_not_refused() {
    for task in [
        r#"{"method": "get", "url": "/"}"#,
        r#"{"method": "${csv.users.method}", "url": "${csv.users.url}"}"#,
        r#"{"method": "get", "url": "http://${env.HOST}:${port}/"}"#,
        r#"{"method": "post", "url": "/", "files": {"a": {"path": "later.txt"}}}"#,
        r#"{"method": "get", "url": "/", "verify": "later.pem", "cert": ["later.crt", "later.key"]}"#,
    ] {
        let found = anywhere(&of_test("", &format!(r#""tasks": [{task}]"#)));
        assert!(!found.iter().any(|found| found.contains("error")), "{task}: {found:?}");
    }
}

#[test]
fn a_bracket_that_is_not_closed_in_the_path_of_a_check_is_refused() {
    let task = |members: &str| {
        of_test("", &format!(r#""tasks": [{{"method": "get", "url": "/", {members}}}]"#))
    };
    let refused = |list: &str, path: &str| {
        let message =
            format!("the path \"{path}\" of \"{list}\" has a [ that is not closed [refused]");
        vec![format!("actions[0].tasks[0].{list}[0].path: error: {message}")]
    };
    for (members, expected) in [
        (r#""extract": [{"var": "a", "path": "a["}]"#, refused("extract", "a[")),
        (
            r#""extract": [{"var": "a", "from": "JSON_path", "path": "$.a[0"}]"#,
            refused("extract", "$.a[0"),
        ),
        (
            r#""assertions": [{"type": "json_path", "path": "a[0].b['c", "value": 1}]"#,
            refused("assertions", "a[0].b['c"),
        ),
        (r#""extract": [{"var": "a", "path": "a[0]['b'].c]"}]"#, Vec::new()),
        (r#""json": {"list": [{"type": "json_path", "path": "a["}]}"#, Vec::new()),
    ] {
        assert_eq!(here(&task(members)), expected, "{members}");
    }
}
