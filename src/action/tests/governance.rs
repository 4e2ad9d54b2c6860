use super::*;

#[test]
fn tags_of_a_run_are_text_and_the_last_one_of_a_name_counts() {
    let bench = Bench::new();
    bench.check(
        r#"[["LD_persist_records", ["runs.db", "first"]], ["LD_persist_records", ["runs.db"]]]"#,
        &["1", "2"],
    );
    bench.check(
        r#"[["LD_tag_run", ["runs.db", 1, {"b": 1, "a": true}]],
            ["LD_tag_run", ["runs.db", 1, {"b": "x"}]], ["LD_tag_run", ["runs.db", 9, {"b": "x"}]],
            ["LD_tag_run", ["runs.db", 2, {"b": "x", "token": "s3cret"}]],
            ["LD_list_tags", ["runs.db", 1]], ["LD_list_tags", ["runs.db", 2]],
            ["LD_list_tags", ["runs.db", 5]],
            ["LD_search_runs_by_tag", ["runs.db", "a", true]],
            ["LD_search_runs_by_tag", ["runs.db", "b", "1"]]]"#,
        &[
            "None",
            "None",
            "None",
            "None",
            "{'a': 'True', 'b': 'x'}",
            "{'b': 'x', 'token': '[redacted]'}",
            "{}",
            &format!("[{}]", found(&bench, 1, "'first'")),
            "[]",
        ],
    );
    bench.check(
        r#"[["LD_search_runs_by_tag", ["runs.db", "b", "x"]]]"#,
        &[&format!("[{}, {}]", found(&bench, 2, "None"), found(&bench, 1, "'first'"))],
    );
}

/// A run as a search returns it.
fn found(bench: &Bench, run: u8, label: &str) -> String {
    let lines = bench.lines(r#"[["LD_list_runs", ["runs.db"]]]"#);
    let at = format!("'id': {run}, 'started_at': '");
    let started = lines[0].split(&at).nth(1).and_then(|rest| rest.split('\'').next());
    format!("{{'id': {run}, 'started_at': '{}', 'label': {label}}}", started.expect("a run"))
}

#[test]
fn a_file_without_tags_has_none() {
    let bench = Bench::new();
    bench.check(
        r#"[["LD_list_tags", ["no.db", 1]], ["LD_search_runs_by_tag", ["no.db", "a", "b"]]]"#,
        &["{}", "[]"],
    );
    bench.check(
        r#"[["LD_persist_records", ["runs.db"]], ["LD_list_tags", ["runs.db", 1]],
            ["LD_search_runs_by_tag", ["runs.db", "a", "b"]]]"#,
        &["1", "{}", "[]"],
    );
}

#[test]
fn a_table_of_tags_that_computes_is_refused() {
    let bench = Bench::new();
    let path = bench.executor.shared.policy.data_dir.join("runs.db");
    let other = rusqlite::Connection::open(path).expect("a database");
    other
        .execute_batch(
            "CREATE VIEW load_density_run_tags AS SELECT 1 AS run_id, 2 AS key, 3 AS value",
        )
        .expect("a view");
    for action in [r#"["LD_list_tags", ["runs.db", 1]]"#, r#"["LD_tag_run", ["runs.db", 1, {}]]"#] {
        let lines = bench.lines(&format!("[{action}]"));
        assert!(lines[0].contains("it has a view load_density_run_tags"), "{lines:?}");
    }
}

#[test]
fn an_audit_log_has_a_line_for_each_entry_without_secrets() {
    let bench = Bench::new();
    bench.check(
        r#"[["LD_read_audit_log", ["a.jsonl"]],
            ["LD_append_audit_entry", ["a.jsonl", "run", "me", {"é": 1, "password": "s3cret"}]],
            ["LD_append_audit_entry", ["a.jsonl", "stop"]]]"#,
        &["[]", "None", "None"],
    );
    let path = bench.dir.path().join("a.jsonl");
    let text = std::fs::read_to_string(&path).expect("a log");
    assert!(text.contains(r#""details": {"é": 1, "password": "[redacted]"}}"#), "{text}");
    std::fs::write(&path, text + "broken\n\n[1]").expect("written");
    let lines = bench.lines(
        r#"[["LD_append_audit_entry", ["a.jsonl", "x"]], ["LD_read_audit_log", ["a.jsonl"]]]"#,
    );
    let stamped = regex::Regex::new("'timestamp': '[0-9]{4}-[0-9T:-]+Z', ").expect("a pattern");
    assert_eq!(
        stamped.replace_all(&lines[1], ""),
        "[{'user': 'me', 'action': 'run', 'details': {'é': 1, 'password': '[redacted]'}}, \
         {'user': 'anonymous', 'action': 'stop', 'details': {}}, [1], \
         {'user': 'anonymous', 'action': 'x', 'details': {}}]"
    );
}

#[test]
fn in_an_assumed_directory_only_logs_grow() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("notes.txt"), "mine").expect("written");
    let policy = Policy { access: FileAccess::Assumed, ..Policy::inside(dir.path()) };
    let executor = Executor::new(policy).expect("an executor");
    let json = r#"[["LD_append_audit_entry", ["notes.txt", "x"]],
                   ["LD_append_audit_entry", ["a.jsonl", "x"]],
                   ["LD_append_audit_entry", ["a.jsonl", "x"]]]"#;
    let document = Document::parse(Value::parse(json).expect("JSON")).expect("a document");
    let outcome = executor.execute(document, &mut |_| (), &CancellationToken::new());
    assert_eq!(outcome.failed, 1);
    assert_eq!(std::fs::read(dir.path().join("notes.txt")).expect("a file"), b"mine");
}

#[test]
fn a_catalog_that_does_not_fit_under_the_memory_is_refused_and_not_cut() {
    let bench = Bench::new().with_file("a.json", &format!("[{}1]", "1,".repeat(20_000)));
    let memory = &bench.executor.shared.policy.memory;
    let mut others = memory.share("others");
    others.grow(memory.most() - memory.taken() - 100_000).expect("room");
    let line = bench.lines(r#"[["LD_index_catalog", [["."]]]]"#).remove(0);
    assert!(line.contains("do not fit") && line.contains("--max-memory"), "{line}");
}

#[test]
fn a_catalog_has_what_documents_say_of_themselves() {
    let bench = Bench::new()
        .with_file("list.json", r#"[["LD_summary"]]"#)
        .with_file("broken.json", "{")
        .with_file("a.txt", "{}");
    std::fs::create_dir(bench.dir.path().join("sub")).expect("a directory");
    let bench = bench.with_file(
        "sub/b.json",
        r#"{"load_density": [], "metadata": {"name": "B", "owner": "o", "tags": ["x", 1],
            "description": "the Best"}}"#,
    );
    let sub = "{'path': 'sub/b.json', 'name': 'B', 'owner': 'o', 'tags': ['x', '1'], \
               'description': 'the Best'}";
    bench.check(
        r#"[["LD_index_catalog", [["sub", "none"]]], ["LD_index_catalog", [["."]]],
            ["LD_index_catalog", [[".."]]]]"#,
        &[
            &format!("[{sub}]"),
            &format!(
                "[{{'path': './list.json', 'name': 'list.json', 'owner': '', 'tags': [], \
                 'description': ''}}, {}]",
                sub.replace("sub/b", "./sub/b")
            ),
            "OSError('\"..\" leads out of the data directory; name a file inside it, without `..`, or \
             change --data-dir')",
        ],
    );
    let entries = r#"[{"name": "B", "owner": "o", "tags": ["x"], "description": "Best"},
                      {"name": "C", "tags": "xy"}]"#;
    for (arguments, names) in [
        ("", "BC"),
        (r#", "tag": "x""#, "BC"),
        (r#", "tag": "y""#, "C"),
        (r#", "owner": "o", "text": "bES""#, "B"),
        (r#", "text": "c", "owner": "o""#, ""),
    ] {
        let lines = bench
            .lines(&format!(r#"[["LD_search_catalog", {{"entries": {entries}{arguments}}}]]"#));
        let found: String = ["B", "C"]
            .into_iter()
            .filter(|name| lines[0].contains(&format!("'name': '{name}'")))
            .collect();
        assert_eq!(found, names, "{arguments}: {lines:?}");
    }
}

/// Issues a link, and checks its token with a secret.
fn verified(issue: &str, secret: &str, change: impl Fn(String) -> String) -> String {
    let bench = Bench::new();
    let link = bench.lines(&format!("[{issue}]")).remove(0);
    let (before, token) = link.split_once("?token=").expect("a token");
    assert_eq!(before, "https://x/view");
    let token = change(token.to_owned());
    bench.lines(&format!(r#"[["LD_verify_share_link", ["{token}", "{secret}"]]]"#)).remove(0)
}

#[test]
fn a_link_is_valid_until_it_expires_and_only_with_its_secret() {
    let issue = r#"["LD_issue_share_link", ["https://x/view//", "r.html", "key", 0, {"z": 1, "é": {"b": 1, "a": 2}}]]"#;
    let good = verified(issue, "key", |token| token);
    assert!(
        good.starts_with("{'exp': 1")
            && good.contains("'p': 'r.html', 'z': 1, 'é': {'a': 2, 'b': 1}}"),
        "{good}"
    );
    let bad = "ValueError('bad signature')";
    assert_eq!(verified(issue, "other", |token| token), bad);
    assert_eq!(verified(issue, "key", |token| format!("x{token}")), bad);
    assert_eq!(verified(issue, "key", |token| format!("{token}x")), bad);
    assert_eq!(
        verified(issue, "key", |token| token.replace('.', "")),
        "ValueError('malformed token')"
    );
    // Made by the reference: {"exp": 1, "n": "00", "p": "x"}.
    let old =
        "eyJleHAiOiAxLCAibiI6ICIwMCIsICJwIjogIngifQ.tN-NPKOsCFCklXkvxu9Y6eHB-xrFtdaiJcfYHV7DdkA";
    assert_eq!(verified(issue, "key", |_| old.to_owned()), "ValueError('expired token')");
}
