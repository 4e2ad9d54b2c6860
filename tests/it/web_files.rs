//! Files of runs over HTTP: reports, rows, documents, comparisons; and what else there is to ask for.

use serde_json::{Value, json};

use crate::endings::endless;
use crate::runs::short;
use crate::support::web::{Answer, Door, get, post};
use crate::support::{Target, signal, soon_true};
use crate::web::{start, wait_for};

fn file(door: &Door, run: u64, name: &str) -> Answer {
    door.ask(get(&format!("/api/v1/runs/{run}/{name}")))
}

#[test]
fn the_files_of_a_run_are_there_while_their_rows_are_kept_and_410_afterwards() {
    let (target, door) = (Target::start(), Door::open(&[], Some("s3cret")));
    let mut document = json!([short(&target, "home")]);
    document[0][1]["tasks"][0]["headers"] = json!({"Authorization": "Bearer hunter2"});
    let run = start(&door, &document.to_string());
    wait_for(&door, run, "passed");
    for (name, media, shown) in [
        ("report.html", "text/html; charset=utf-8", "home"),
        ("summary.json", "application/json", "\"totals\""),
        ("junit.xml", "application/xml", "<testsuite"),
        ("records.csv", "text/csv; charset=utf-8", "outcome,Method,test_url,name,"),
        ("document.json", "application/json", "LD_start_test"),
    ] {
        let found = file(&door, run, name);
        assert_eq!((found.status, found.header("content-type").as_str()), (200, media), "{name}");
        assert!(found.text().contains(shown), "{name}: {}", found.text());
        let kept = found.header("content-disposition");
        let how = if name == "report.html" { "inline" } else { "attachment" };
        assert!(kept.starts_with(how) && kept.contains("filename=\"run-1"), "{kept}");
        assert!(!found.text().contains("hunter2"), "{name}");
    }
    let page = file(&door, run, "report.html");
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self' 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    let rows = file(&door, run, "records.csv").text().lines().count() - 1;
    assert!(rows > 0);
    let without = start(&door, r#"[["LD_clear_records"]]"#);
    wait_for(&door, without, "passed");
    let (status, kind, message) = file(&door, without, "report.html").error();
    assert_eq!((status, kind.as_str()), (409, "unavailable"), "{message}");
    soon_true(|| file(&door, run, "records.csv").status == 410);
    let (_, kind, message) = file(&door, run, "records.csv").error();
    assert_eq!(kind, "unavailable");
    assert!(message.contains("the rows of run 1 are no longer kept"), "{message}");
    for name in ["report.html", "summary.json", "junit.xml", "document.json"] {
        assert_eq!(file(&door, run, name).status, 200, "{name}");
    }
    assert_eq!(file(&door, 9, "report.html").error().1, "unknown-run");
    assert_eq!(file(&door, 9, "document.json").error().1, "unknown-run");
    assert_eq!(file(&door, run, "compare/9.html").error().1, "unknown-run");
    assert_eq!(file(&door, run, "compare/1").status, 404);
}

#[test]
fn what_is_not_there_yet_is_a_conflict_and_the_page_of_a_run_in_progress_says_so() {
    let (target, door) = (Target::start(), Door::open(&[], None));
    let run = start(&door, &endless(&target));
    soon_true(|| file(&door, run, "report.html").status == 200);
    let page = file(&door, run, "report.html");
    assert!(page.text().contains("The test is in progress"), "{}", page.text());
    assert!(page.header("ldctl-warning").contains("run 1 is in progress"), "{page:?}");
    let rows = file(&door, run, "records.csv");
    let (status, kind, message) = rows.error();
    assert_eq!((status, kind.as_str()), (409, "unavailable"));
    assert!(message.contains("in progress"), "{message}");
}

#[test]
fn two_runs_stand_beside_each_other_and_what_has_become_worse_comes_first() {
    let (fast, door) = (Target::start(), Door::open(&[], None));
    let first = start(&door, &json!([short(&fast, "home")]).to_string());
    wait_for(&door, first, "passed");
    // Nothing listens there.
    let mut broken = json!([short(&fast, "home")]);
    broken[0][1]["user_detail_dict"]["host"] = "http://127.0.0.1:1".into();
    let second = start(&door, &broken.to_string());
    wait_for(&door, second, "failed");
    let page = file(&door, second, "compare/1.html");
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    let regression =
        text.find("is worse than in run 1").or_else(|| text.find("are worse than in run 1"));
    assert!(regression.is_some_and(|at| at < text.find("Over time").expect("charts")), "{text}");
    assert!(text.contains("home: failures 0 % → 100 %"), "{text}");
    // A column of each, and one of what differs, in words.
    for shown in [
        "<th class=\"run\" scope=\"col\">Base: run 1</th><th class=\"run\" scope=\"col\">New: run 2</th>",
        "▲ +100 pp worse",
        "<th class=\"text\" scope=\"row\">Median</th>",
        "<caption>Requests with each error</caption>",
        "▲ new",
        "<caption>Requests by status</caption>",
        "✓ No request failed",
        "<path class=\"new\"",
        "<path class=\"base\"",
        "base: run 1",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let same = file(&door, first, "compare/1.html").text();
    assert!(same.contains("No regression: no figure is worse than in run 1"), "{same}");
}

#[test]
fn a_large_file_is_sent_at_the_clients_pace_and_a_client_that_leaves_ends_it() {
    use std::io::{Read, Write};
    let (target, door) = (Target::start(), Door::open(&[], None));
    let mut document = json!([short(&target, &"n".repeat(1000))]);
    document[0][1]["user_count"] = 300.into();
    document[0][1]["spawn_rate"] = 1000.into();
    document[0][1]["test_time"] = 2.into();
    let run = start(&door, &document.to_string());
    wait_for(&door, run, "passed");
    let whole = file(&door, run, "records.csv").body.len();
    assert!(whole > 200_000, "several pieces: {whole}");
    for _ in 0..20 {
        let mut stream = door.connect();
        let head =
            format!("GET /api/v1/runs/{run}/records.csv HTTP/1.1\r\nHost: {}\r\n\r\n", door.host);
        stream.write_all(head.as_bytes()).expect("a door");
        stream.read_exact(&mut [0; 100]).expect("a beginning");
    }
    assert_eq!(file(&door, run, "records.csv").body.len(), whole);
    signal("TERM", door.server.id());
    assert_eq!(door.server.end().0, Some(0), "nothing waits for those that left");
}

#[test]
fn a_document_is_checked_as_lint_checks_it_and_nothing_is_run() {
    let door = Door::open(&[], Some("s3cret"));
    let lint = |text: &str| door.ask(post("/api/v1/lint", text));
    assert_eq!(lint(r#"[["LD_summary"]]"#).json(), json!({"findings": []}));
    assert_eq!(lint("").error().1, "invalid-json");
    let text = "[\n  [\"LD_sumary\"],\n  [\"LD_start_test\", {\"tasks\": []}]\n]";
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("document");
    std::fs::write(&path, text).expect("a file");
    let linted = crate::support::ldctl()
        .args(["lint", "--output", "json", "document"])
        .current_dir(directory.path())
        .output()
        .expect("it");
    let linted = String::from_utf8(linted.stdout).expect("UTF-8");
    let expected: Vec<Value> =
        linted.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(expected.len() > 1, "{linted}");
    assert_eq!(lint(text).json()["findings"], json!(expected));
    let broken = lint("[1,").json();
    let found = &broken["findings"][0];
    assert_eq!((&found["rule"], &found["line"]), (&json!("not-json"), &json!(1)), "{broken}");
    assert_eq!(door.ask(get("/api/v1/runs")).json(), json!({"runs": []}));
}

#[test]
fn the_figures_for_prometheus_are_those_of_its_exporter() {
    let (target, door) = (Target::start(), Door::open(&[], Some("s3cret")));
    let run = start(&door, &json!([short(&target, "home")]).to_string());
    wait_for(&door, run, "passed");
    let scrape = door.ask(get("/metrics"));
    assert_eq!(scrape.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = scrape.text();
    let requests =
        r#"loaddensity_requests_total{request_type="GET",name="home",outcome="success"}"#;
    assert!(text.contains(requests), "{text}");
    assert!(text.contains("ldctl_auth_failures_total 0"), "{text}");
    let open = door.ask(get("/metrics").header("Accept", "application/openmetrics-text"));
    assert!(open.text().ends_with("# EOF\n"), "{}", open.text());
    assert_eq!(door.ask_bare(&get("/metrics")).status, 401);
}
