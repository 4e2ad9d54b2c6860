//! Documents are checked before they run or are sent: every error of every document is told, with its
//! place, and nothing has happened.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::{Server, Target, ldctl};

/// A test of a target for a moment; `members` stand before its tasks.
fn test(target: &str, members: &str) -> String {
    format!(
        r#"["LD_start_test", {{"user_detail_dict": {{"host": "{target}"}}, "user_count": 1,
  "spawn_rate": 100, "test_time": 0.1, "wait_time": 0, {members}
  "tasks": [{{"method": "get", "url": "/", "name": "home"}}]}}]"#
    )
}

/// The results of a document's actions, by the JSON output of `run` or `send`.
fn results(said: &[u8]) -> Vec<Value> {
    let said = String::from_utf8_lossy(said);
    let events = said.lines().map(|line| serde_json::from_str(line).expect("an event"));
    events.filter(|event: &Value| event["event"] == "result").collect()
}

#[test]
fn every_error_of_every_document_is_told_and_none_of_them_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let target = Target::start();
    let first = format!("[{},\n [\"LD_asert_sla\", {{\"rules\": []}}]]", test(&target.url(), ""));
    let second = format!(
        "[{},\n [\"LD_generate_html_report\", [\"no/such\"]],\n [\"LD_load_har\", [\"no.har\"]]]",
        test(&target.url(), "\"arrival_rate\": {\"rate\": \"5\"},")
    );
    fs::write(directory.path().join("a.json"), first).expect("a file");
    fs::write(directory.path().join("b.json"), second).expect("a file");
    let run = || ldctl().args(["run", "a.json", "b.json"]).current_dir(directory.path());
    run().assert().code(2).stdout_eq("").stderr_eq(
        "a.json:4:2: error: actions[1]: unknown command \"LD_asert_sla\"; did you mean \
         \"LD_assert_sla\"? [unknown-command]\n\
         b.json:2:72: error: actions[0].arrival_rate: missing \"max_users\" [missing-member]\n\
         b.json:2:81: error: actions[0].arrival_rate.rate: expected a number above 0, got \"5\" \
         [refused]\n\
         error: a.json has 1 error, b.json has 2 errors; nothing was run (--no-check does it all the \
         same)\n",
    );
    assert_eq!(target.requests(), 0);
    run().arg("--no-check").assert().code(1);
    assert!(target.requests() > 0);
}

#[test]
fn a_missing_file_and_directory_are_found_before_the_load_and_not_after_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let target = Target::start();
    let document = format!(
        "[{},\n [\"LD_generate_html_report\", [\"no/such\"]],\n [\"LD_load_har\", [\"no.har\"]]]",
        test(&target.url(), "")
    );
    let run = || ldctl().args(["run", "--json", &document]).current_dir(directory.path());
    run().assert().code(2).stdout_eq("").stderr_eq(
        "--json:4:31: error: actions[1].html_name: \"no/such.html\" does not exist in the data \
         directory (or its directory does not) [unwritable-file]\n\
         --json:5:19: error: actions[2].file_path: \"no.har\" does not exist in the data directory (or \
         its directory does not) [unreadable-file]\n\
         error: --json has 2 errors; nothing was run (--no-check does it all the same)\n",
    );
    assert_eq!(target.requests(), 0);
    let left = fs::read_dir(directory.path()).expect("a directory").count();
    assert_eq!(left, 0, "the check leaves nothing behind");
}

#[test]
fn a_document_with_errors_is_not_sent() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = server.local_addr().expect("an address").port().to_string();
    let send = |document: &str| {
        ldctl().args(["send", "--host", "127.0.0.1", "--port", &port, "--json", document])
    };
    send("[[\"LD_clear_records\"],\n [\"LD_assert_sla\", {\"rules\": [{\"type\": \"p95\", \"value\": 1}]}]]")
        .assert()
        .code(2)
        .stdout_eq("")
        .stderr_eq(
            "--json:2:40: error: actions[1].rules[0].type: unknown figure \"p95\"; did you mean \
             \"latency_p95\"? expected [..] [broken-gate]\n\
             error: --json has 1 error; nothing was sent (--no-check does it all the same)\n",
        );
    server.set_nonblocking(true).expect("a socket");
    let connected = server.accept().map(|_| ());
    assert_eq!(connected.expect_err("nobody came").kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_only_the_server_knows_is_left_to_it() {
    let server = Server::start(&[], None);
    let document = r#"[["LD_generate_pdf_report", ["x"]], ["LD_load_har", ["no.har"]],
        ["LD_start_test", {"user_detail_dict": {"user": "amqp_user"}, "tasks": [{"topic": "x"}]}],
        ["LD_start_test", {"user_detail_dict": {"host": "${env.NOPE}"}, "user_count": 200000,
            "tasks": [{"method": "get", "url": "/"}]}]]"#;
    let sent = ldctl().args(["send", "--port", &server.port(), "--json", document]).assert();
    let lines = String::from_utf8_lossy(&sent.get_output().stdout).lines().count();
    assert_eq!((sent.get_output().status.code(), lines), (Some(1), 4));
    let told = String::from_utf8_lossy(&sent.get_output().stderr).into_owned();
    let note = "note: --json: the server must have these environment variables, and allow them (ldctl \
                serve --allow-env): NOPE\n";
    assert!(told.contains(note), "{told}");
    let quiet = ldctl().args(["send", "--quiet", "--port", &server.port(), "--json", document]);
    let told = String::from_utf8_lossy(&quiet.assert().get_output().stderr).into_owned();
    assert!(!told.contains("NOPE"), "{told}");
}

#[test]
fn without_the_check_a_wrong_document_is_sent_as_it_is() {
    let server = Server::start(&[], None);
    ldctl()
        .args(["send", "--no-check", "--port", &server.port(), "--json", r#"[["LD_asert_sla"], ["abs", [-7]]]"#])
        .assert()
        .code(1)
        .stdout_eq("LoadDensityTestExecuteException(\"executor received invalid data ['LD_asert_sla']\")\n7\n");
}

#[test]
fn a_number_comes_from_the_environment_or_a_variable() {
    let target = Target::start();
    let gate =
        r#"["LD_assert_sla", {"rules": [{"type": "requests", "op": "gte", "value": "${least}"}]}]"#;
    let members = r#""arrival_rate": {"rate": "${env.LDCTL_TEST_RATE}", "max_users": "${ var.most }"},
        "variables": {"most": 2},"#;
    let document = format!(
        r#"[["LD_register_variables", {{"variables": {{"least": "1"}}}}], {}, {gate}]"#,
        test(&target.url(), members)
    );
    let run = || ldctl().args(["run", "--output", "json", "--json", &document]);
    let ran = run().env("LDCTL_TEST_RATE", "50").assert().success();
    let results = results(&ran.get_output().stdout);
    assert_eq!(results[2]["value"][0]["rule"]["value"], json!(1), "{results:?}");
    assert!((1..=6).contains(&target.requests()), "{} of about 5", target.requests());
    let refused = |said: String| run().assert().code(2).stdout_eq("").stderr_eq(said);
    refused(
        "--json:[..]: error: actions[1].arrival_rate.rate: LDCTL_TEST_RATE is not set; export it \
         [unset-variable]\n\
         error: --json has 1 error; nothing was run (--no-check does it all the same)\n"
            .to_owned(),
    );
    let wrong = run().env("LDCTL_TEST_RATE", "fast").assert().code(2);
    wrong.stderr_eq(
        "--json:[..]: error: actions[1].arrival_rate.rate: ${env.LDCTL_TEST_RATE} is \"fast\", which \
         is no number [not-a-number]\n\
         error: --json has 1 error; nothing was run (--no-check does it all the same)\n",
    );
}

#[test]
fn a_number_that_a_variable_does_not_give_fails_where_the_document_runs() {
    let server = Server::start(&["--allow-env", "LDCTL_TEST_WORD"], None);
    let target = Target::start();
    let check = |count: &str, message: &str| {
        let members =
            format!(r#""variables": {{"n": "-5", "w": "many"}}, "user_count": "{count}","#);
        let document = test(&target.url(), &members).replacen("\"user_count\": 1,", "", 1);
        let send =
            ldctl().args(["send", "--no-check", "--output", "json", "--port", &server.port()]);
        let sent = send.args(["--json", &format!("[{document}]")]).assert().code(1);
        let results = results(&sent.get_output().stdout);
        assert_eq!(results[0]["error"]["message"], message, "{count}");
    };
    check(
        "${env.LDCTL_TEST_USERS}",
        "LD_start_test: /user_count: LDCTL_TEST_USERS is not set, or documents may not read it \
         (a server allows it with --allow-env)",
    );
    check("${var.none}", "LD_start_test: /user_count: the variable \"none\" is not registered");
    check("${w}", "LD_start_test: /user_count: ${w} is \"many\", which is no number");
    check(
        "${n}",
        "LD_start_test: /user_count: expected an integer of at least 0, got -5 from ${n}",
    );
    check(
        "${uuid()}",
        "LD_start_test: /user_count: ${uuid()} has no value when the action starts; a number may \
         come from ${env.NAME} or ${var.NAME}",
    );
    assert_eq!(target.requests(), 0);
}

#[test]
fn a_url_whose_variable_is_not_set_names_the_variable() {
    let document = r#"[["LD_start_test", {"user_detail_dict": {}, "test_time": 0.1,
        "tasks": [{"method": "get", "url": "${env.LDCTL_TEST_BASE}/x"}]}]]"#;
    let run = || ldctl().args(["run", "--json", document]);
    run().assert().code(2).stdout_eq("").stderr_eq(
        "--json:2:44: error: actions[0].tasks[0].url: LDCTL_TEST_BASE is not set; export it, or give \
         the URL itself [unset-variable]\n\
         error: --json has 1 error; nothing was run (--no-check does it all the same)\n",
    );
    let ran = run().args(["--no-check", "--output", "json"]).assert().code(1);
    let results = results(&ran.get_output().stdout);
    assert_eq!(
        results[0]["error"]["message"],
        "LD_start_test: /tasks/0/url: LDCTL_TEST_BASE is not set, or documents may not read it \
         (a server allows it with --allow-env)"
    );
}

#[test]
fn the_lint_checks_what_is_given_in_any_way() {
    let wrong = "[[\"LD_nope\"]]";
    let line = ":1:2: error: actions[0]: unknown command \"LD_nope\"; `ldctl explain` lists them [unknown-command]\n";
    for verb in ["lint", "check", "validate"] {
        let lint = ldctl().args([verb, "--json", wrong]).assert().code(1);
        lint.stdout_eq(format!("--json{line}"));
        ldctl().args([verb, "-"]).stdin(wrong).assert().code(1).stdout_eq(format!("stdin{line}"));
    }
    let sarif = ldctl().args(["lint", "-o", "sarif", "--json", wrong]).assert().code(1);
    let log: Value = serde_json::from_slice(&sarif.get_output().stdout).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "unknown-command");
    let fine = ldctl().args(["lint", "-o", "sarif", "--json", "[[\"LD_summary\"]]"]).assert();
    let log: Value = serde_json::from_slice(&fine.success().get_output().stdout).expect("JSON");
    assert_eq!(log["runs"][0]["results"], json!([]));
}

#[test]
fn the_examples_have_no_findings() {
    let examples = fs::read_dir("examples").expect("the examples");
    let paths = examples.map(|entry| entry.expect("an entry").path());
    let documents: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
    assert!(!documents.is_empty());
    for document in documents {
        ldctl().arg("lint").arg(&document).assert().success().stdout_eq("").stderr_eq("");
    }
}

#[test]
fn a_variable_that_is_not_set_is_not_sent_as_it_is_written() {
    let target = Target::start();
    let document = json!([["LD_start_test", {
        "user_detail_dict": {"host": target.url()}, "user_count": 1, "test_time": null,
        "iterations": 1, "wait_time": 0,
        "tasks": [{"method": "get", "request_url": "/",
                   "headers": {"Authorization": "Bearer ${env.LDCTL_TEST_TOKEN}"}}],
    }]])
    .to_string();
    let run = || ldctl().args(["run", "--json", &document]);
    let refused = run().assert().code(2).stdout_eq("");
    let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    let why = "error: actions[0].tasks[0].headers.Authorization: LDCTL_TEST_TOKEN is not set, and \
               ${env.LDCTL_TEST_TOKEN} would be used as it is written; export it [unset-variable]\n";
    assert!(told.contains(why), "{told}");
    assert_eq!(target.requests(), 0);
    run().env("LDCTL_TEST_TOKEN", "x").assert().success();
    run().arg("--no-check").assert().success();
    assert_eq!(target.requests(), 2);
}
