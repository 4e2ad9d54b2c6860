//! What the command line changes, document by document.

use super::*;
use crate::action::Document;

fn applied(overrides: &Overrides, json: &str) -> Result<(String, Applied), String> {
    let mut document = Value::parse(json).expect("JSON");
    let applied = overrides.apply(&mut document)?;
    Ok((serde_json::to_string(&document).expect("JSON"), applied))
}

/// A test with these members, and a document of it.
fn test(members: &str) -> String {
    let first = r#""user_detail_dict":{"host":"http://h"},"tasks":[{"method":"get","url":"/"}]"#;
    format!(r#"[["LD_start_test",{{{first}{members}}}]]"#)
}

#[track_caller]
fn check(overrides: &Overrides, members: &str, expected: &str, notes: &[&str]) {
    let (document, applied) = applied(overrides, &test(members)).expect("applied");
    assert_eq!(document, test(expected));
    assert_eq!(
        (applied.taken, applied.notes),
        (true, notes.iter().map(|s| (*s).to_owned()).collect())
    );
    let document = Value::parse(&document).expect("JSON");
    let around = super::super::Surroundings::unknown();
    assert_eq!(super::super::check(&document, &around), [], "it can run");
}

#[track_caller]
fn check_refusal(overrides: &Overrides, document: &str, words: &str) {
    let refusal = applied(overrides, document).expect_err(words);
    assert!(refusal.contains(words), "{refusal}");
}

fn users(users: u64) -> Overrides {
    Overrides { users: Some(users), ..Overrides::default() }
}

#[test]
fn a_document_stays_as_it_is_without_overrides() {
    let (document, applied) = applied(&Overrides::default(), "[[1e2], 3]").expect("applied");
    assert_eq!((document.as_str(), applied.taken), ("[[100.0],3]", true));
}

#[test]
fn users_rates_and_times_take_the_place_of_the_documents() {
    check(&users(5), "", r#","user_count":5"#, &[]);
    let all = Overrides {
        spawn_rate: Some(2.5),
        test_time: Some(90.0),
        seed: Some(u64::MAX),
        ..users(5)
    };
    check(
        &all,
        r#","user_count":1,"test_time":null,"spawn_rate":1"#,
        r#","user_count":5,"test_time":90,"spawn_rate":2.5,"seed":18446744073709551615"#,
        &[],
    );
}

#[test]
fn once_is_one_iteration_of_one_user_whatever_the_load() {
    let once = Overrides { once: true, ..Overrides::default() };
    let one = r#","user_count":1,"iterations":1,"test_time":null"#;
    check(&once, "", one, &[]);
    check(&once, r#","load_shape":"soak","shape_config":{"users":5}"#, one, &[]);
    check(&once, r#","arrival_rate":{"rate":1,"max_users":9}"#, one, &[]);
    let limited = Overrides { test_time: Some(5.0), ..once };
    check(&limited, "", r#","user_count":1,"iterations":1,"test_time":5"#, &[]);
}

#[test]
fn once_runs_each_task_that_is_drawn_by_weight() {
    let once = Overrides { once: true, ..Overrides::default() };
    let json = r#"[["LD_start_test",{"tasks":{"mode":"weighted","tasks":[{"url":"/a","weight":3},
        {"url":"/b"},{"url":"/c","weight":0}]}}]]"#;
    let (document, applied) = applied(&once, json).expect("applied");
    let tasks =
        r#"{"mode":"sequence","tasks":[{"url":"/a"},{"url":"/b"},{"url":"/c","skip_if":true}]}"#;
    assert!(document.contains(tasks), "{document}");
    let note = "actions[0]: its tasks are drawn by weight; --once runs each of them once";
    assert_eq!(applied.notes, [note]);
}

#[test]
fn once_skips_the_documents_own_reports_and_gates() {
    let gates = vec![("failure_rate<1%".to_owned(), gate("failure_rate<1%").expect("a gate"))];
    let once = Overrides { once: true, gates, ..Overrides::default() };
    let json = r#"[["LD_start_test",{}],["LD_summary"],["LD_assert_sla",{"rules":[]}],
        ["LD_generate_html_report",["x"]],["LD_generate_html_report",["y"]],
        ["LD_persist_records",["r.db"]]]"#;
    let mut document = Value::parse(json).expect("JSON");
    once.apply(&mut document).expect("applied");
    let note = once.without_judgement(&mut document).expect("a note");
    assert_eq!(
        note,
        "--once skips LD_assert_sla, LD_generate_html_report, LD_persist_records: one iteration \
         is no measurement"
    );
    let Value::List(actions) = &document else { panic!("{document:?}") };
    assert_eq!(actions.len(), 3, "the test, the summary and the gate of the command line");
    let mut document = Value::parse(json).expect("JSON");
    assert_eq!(Overrides::default().without_judgement(&mut document), None);
}

#[test]
fn arguments_by_position_are_overridden_as_well() {
    let json = r#"[["LD_start_test", [{"host": "http://h"}, 1, 1, 3]]]"#;
    let (document, _) = applied(&users(5), json).expect("applied");
    assert_eq!(
        document,
        r#"[["LD_start_test",{"user_detail_dict":{"host":"http://h"},"user_count":5,"spawn_rate":1,"test_time":3}]]"#
    );
}

#[test]
fn a_rate_makes_an_open_model_with_the_users_that_there_are() {
    let rate = Overrides { rate: Some(200.0), ..Overrides::default() };
    let open = |users: u64| format!(r#","arrival_rate":{{"rate":200,"max_users":{users}}}"#);
    check(&rate, "", &open(50), &[]);
    check(&rate, r#","user_count":7"#, &format!(r#","user_count":7{}"#, open(7)), &[]);
    check(
        &rate,
        r#","arrival_rate":{"rate":1,"max_users":9,"distribution":"poisson","exact":false}"#,
        r#","arrival_rate":{"rate":200,"max_users":9,"distribution":"poisson","exact":false}"#,
        &[],
    );
    check(&rate, r#","arrival_rate":{"rate":1,"max_users":9}"#, &open(9), &[]);
    let both = Overrides { users: Some(3), ..rate };
    check(
        &both,
        r#","arrival_rate":{"rate":1,"max_users":9}"#,
        &format!(r#"{},"user_count":3"#, open(3)),
        &[],
    );
    check(
        &users(4),
        r#","arrival_rate":{"rate":1,"max_users":9}"#,
        r#","arrival_rate":{"rate":1,"max_users":4},"user_count":4"#,
        &[],
    );
    let ramp = Overrides { spawn_rate: Some(1.0), ..both };
    check_refusal(&ramp, &test(""), "actions[0]: --spawn-rate means nothing with an arrival rate");
}

#[test]
fn a_load_shape_is_replaced_only_by_a_whole_load() {
    let shaped = r#","load_shape":"stages","shape_config":{"stages":[{"duration":1,"users":1}]}"#;
    check_refusal(
        &users(5),
        &test(shaped),
        "actions[0]: --users alone does not say what replaces the load_shape; give --test-time \
         and --users",
    );
    let time = Overrides { test_time: Some(5.0), ..Overrides::default() };
    check_refusal(&time, &test(shaped), "--test-time alone");
    let notes = ["actions[0]: a constant load takes the place of its load_shape"];
    let whole = Overrides { test_time: Some(5.0), ..users(5) };
    check(&whole, shaped, r#","user_count":5,"test_time":5"#, &notes);
    let seed = Overrides { seed: Some(1), ..Overrides::default() };
    check(&seed, shaped, &format!(r#"{shaped},"seed":1"#), &[]);
}

#[test]
fn a_test_that_ends_before_its_users_have_started_is_noted() {
    let short = Overrides { test_time: Some(2.0), ..users(50) };
    let note = "actions[0]: 20 of 50 users start within 2 s; raise --spawn-rate";
    check(&short, "", r#","user_count":50,"test_time":2"#, &[note]);
}

#[test]
fn a_target_is_the_host_of_relative_urls() {
    let target =
        Overrides { target: Some(("--target", "http://there".to_owned())), ..Overrides::default() };
    check(&target, "", r#","host":"http://there""#, &[]);
    let tasks = |urls: &[&str]| {
        let tasks: Vec<_> = urls.iter().map(|url| format!(r#"{{"url":"{url}"}}"#)).collect();
        format!(r#"[["LD_start_test", {{"tasks": [{}]}}]]"#, tasks.join(","))
    };
    let (_, mixed) = applied(&target, &tasks(&["/a", "http://h/b"])).expect("applied");
    assert_eq!(
        mixed.notes,
        ["actions[0]: 1 of 2 tasks have absolute URLs and are not sent to --target"]
    );
    check_refusal(&target, &tasks(&["https://h/b"]), "--target means nothing to its tasks");
}

#[test]
fn a_target_is_refused_where_all_tasks_have_their_own() {
    let host =
        Overrides { target: Some(("--host", "tcp://h:1".to_owned())), ..Overrides::default() };
    let test = |user: &str, members: &str| {
        let user = format!(r#""user_detail_dict":{{"user":"{user}"}}"#);
        format!(r#"[["LD_start_test",{{{user},{members}}}]]"#)
    };
    let own = "--host means nothing to its tasks, which all have absolute URLs";
    for (user, members, expected) in [
        (
            "redis_user",
            r#""connection":{"url":"redis://h"},"tasks":[{"method":"get","key":"k"}]"#,
            "--host means nothing to its tasks, which go to connection.url",
        ),
        ("websocket_user", r#""tasks":[{"url":"ws://h/"}]"#, own),
        ("socket_user", r#""tasks":[{"target":"h:1"}]"#, own),
        ("socket_user", r#""tasks":[{"host":"h:1"}]"#, own),
    ] {
        check_refusal(&host, &test(user, members), expected);
    }
    for (user, members) in [
        ("redis_user", r#""connection":{},"tasks":[{"method":"get","key":"k"}]"#),
        ("websocket_user", r#""tasks":[{"url":"/chat?to=ws://h"}]"#),
        ("socket_user", r#""tasks":[{"payload":"x"}]"#),
    ] {
        assert!(applied(&host, &test(user, members)).expect("applied").1.taken, "{user}");
    }
}

#[test]
fn a_variable_that_no_placeholder_names_is_reported_with_the_one_that_was_meant() {
    let unused = |name: &str, json: &str| {
        let variables = vec![(name.to_owned(), "1".to_owned())];
        let overrides = Overrides { variables, ..Overrides::default() };
        applied(&overrides, json).expect("applied").1.unused
    };
    let missed = |name: &str, meant: Option<&str>| {
        vec![Unused { name: name.to_owned(), meant: meant.map(str::to_owned) }]
    };
    let test = r#"[["LD_start_test",{"tasks":[{"url":"/${var.user}/${page}?q=${env.usr}&s=${session.mine}"}],"user_count":"${var.users}"}]]"#;
    assert_eq!(unused("usr", test), missed("usr", Some("user")));
    assert_eq!(unused("other", test), missed("other", None));
    assert_eq!(unused("mine", test), missed("mine", None), "users set that themselves");
    for name in ["user", "page", "users"] {
        assert_eq!(unused(name, test), []);
    }
    // What other texts mention is not known.
    for opaque in [
        r#"[["LD_start_test",{"tasks":[]}],["LD_execute_files",[["a.json"]]]]"#,
        r#"[["LD_start_test",{"tasks":[{"url":"/","files":{"a":{"path":"a.txt"}}}]}]]"#,
        r#"[["LD_mqtt_thing",{}],["LD_start_test",{"tasks":[]}]]"#,
    ] {
        assert_eq!(unused("usr", opaque), [], "{opaque}");
    }
}

#[test]
fn a_variable_wins_over_the_documents_own() {
    let overrides = Overrides {
        variables: vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())],
        ..Overrides::default()
    };
    check(&overrides, "", r#","variables":{"a":"1","b":""}"#, &[]);
    check(
        &overrides,
        r#","variables":{"c":3,"a":0}"#,
        r#","variables":{"c":3,"a":"1","b":""}"#,
        &[],
    );
    check(&overrides, r#","variables":null"#, r#","variables":{"a":"1","b":""}"#, &[]);
}

#[test]
fn gates_follow_the_last_action() {
    let gates = vec![("failure_rate<1%".to_owned(), gate("failure_rate<1%").expect("a gate"))];
    let overrides = Overrides { gates, ..Overrides::default() };
    let json = r#"{"load_density": [["LD_start_test", {}], ["LD_summary"]]}"#;
    let (document, _) = applied(&overrides, json).expect("applied");
    assert_eq!(
        document,
        r#"{"load_density":[["LD_start_test",{}],["LD_summary"],["LD_assert_sla",{"rules":[{"type":"failure_rate","op":"lt","value":0.01}]}]]}"#
    );
    let document = Document::parse(Value::parse(&document).expect("JSON")).expect("a document");
    assert_eq!(document.len(), 3);
}

#[test]
fn documents_inside_a_document_are_changed_too() {
    let json = r#"[["LD_execute_action", {"action_list": [["LD_execute_action", [[["LD_start_test", {}]]]]]}]]"#;
    let (document, applied) = applied(&users(5), json).expect("applied");
    assert!(document.contains(r#"["LD_start_test",{"user_count":5}]"#), "{document}");
    assert_eq!((applied.taken, applied.notes.len()), (true, 0));
}

#[test]
fn documents_in_files_get_variables_and_the_rest_is_told() {
    let json = r#"[["LD_start_test", {}], ["LD_execute_files", [["a.json"]]]]"#;
    let overrides = Overrides { variables: vec![("a".to_owned(), "1".to_owned())], ..users(5) };
    let (document, applied_both) = applied(&overrides, json).expect("applied");
    assert!(
        document.starts_with(r#"[["LD_register_variables",{"variables":{"a":"1"}}],"#),
        "{document}"
    );
    assert_eq!(
        applied_both.notes,
        ["actions[1]: the documents of LD_execute_files are run without --users"]
    );
    let files = r#"[["LD_execute_files", [["a.json"]]]]"#;
    assert!(!applied(&users(5), files).expect("applied").1.taken);
    let variables = Overrides { users: None, ..overrides };
    assert!(applied(&variables, files).expect("applied").1.taken);
}

#[test]
fn a_search_gets_the_target_and_variables_and_keeps_its_load() {
    let mut document = Value::parse(
        r#"[["LD_find_breaking_point", {"test": {"tasks": []}, "gate": [], "low": 5}]]"#,
    )
    .expect("JSON");
    let overrides = Overrides {
        users: Some(5),
        target: Some(("--target", "http://h".to_owned())),
        variables: vec![("a".to_owned(), "b".to_owned())],
        ..Overrides::default()
    };
    let applied = overrides.apply(&mut document).expect("applied");
    assert_eq!(
        serde_json::to_string(&document).expect("JSON"),
        r#"[["LD_find_breaking_point",{"test":{"tasks":[],"host":"http://h","variables":{"a":"b"}},"gate":[],"low":5}]]"#
    );
    assert_eq!(applied.notes, ["actions[0]: a search sets its load itself, without --users"]);
}

#[test]
fn nothing_takes_overrides_where_there_is_no_test() {
    for document in ["[]", "3", r#"[["LD_summary"]]"#, r#"{"x": 1}"#, "[[], [1], 2]"] {
        assert!(!applied(&users(5), document).expect("applied").1.taken, "{document}");
    }
}
