//! The page of runs and of one run, over sockets: what it is made of, and how it changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::endings::endless;
use crate::runs::short;
use crate::support::web::{Answer, Door, get, post};
use crate::support::{Target, soon_true};
use crate::web::{start, wait_for};

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The parts of a stream as they come: their names and markup, or the name of another event.
fn parts(lines: impl Iterator<Item = String>) -> impl Iterator<Item = (String, String)> {
    let mut event = String::new();
    lines.filter_map(move |line| {
        if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut event);
        }
        let data: Value = serde_json::from_str(line.strip_prefix("data: ")?).expect("JSON");
        let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
        Some(if event == "part" {
            (text("part"), text("html"))
        } else {
            (event.clone(), String::new())
        })
    })
}

/// The figures of a page or a part of it, as numbers.
fn figures(html: &str) -> BTreeMap<String, f64> {
    let found = html.split("data-value=\"").skip(1).filter_map(|rest| {
        let (value, rest) = rest.split_once("\" data-figure=\"")?;
        Some((rest.split('"').next()?.to_owned(), value.parse().ok()?))
    });
    found.collect()
}

/// What runs on a page comes from this server.
fn check_inert(page: &Answer) {
    let (text, policy) = (page.text(), page.header("content-security-policy"));
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(text.matches("<script").count(), text.matches("<script src=\"/assets/").count());
    assert!(!text.contains("<style") && !text.contains(" style="), "{text}");
    let is_handler = |rest: &str| {
        let name = rest.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    assert!(!text.split(" on").skip(1).any(is_handler), "{text}");
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
}

#[test]
fn the_page_of_a_run_is_its_report_which_grows_until_its_end() {
    let (target, door) = (Target::start(), Door::open(&[], Some("s3cret")));
    let run = start(&door, &endless(&target));
    let page = || door.ask(get(&format!("/runs/{run}")));
    // Users are counted once a second.
    soon_true(|| figures(&page().text()).contains_key("users"));
    let first = page();
    check_inert(&first);
    let text = first.text();
    for shown in [
        "So far: No request failed",
        "GET home",
        "Over time",
        "What was run",
        "Stop this run",
        "so far",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let begun = figures(&text);
    let names: Vec<&str> = begun.keys().map(String::as_str).collect();
    assert_eq!(names, ["failures", "p50", "p95", "p99", "requests", "rps", "users"]);
    let (_, live) = text.split_once("data-live=\"").expect("a stream");
    let live = live.split('"').next().expect("a path").replace("&amp;", "&");
    assert_eq!(door.ask_bare(&get(&live)).error().1, "token-required");
    let mut stream = parts(door.follow(get(&live)));
    let grown = stream
        .any(|(part, html)| part == "figures" && figures(&html)["requests"] > begun["requests"]);
    assert!(grown, "it grows");
    let stopped = door.ask(post(&format!("/runs/{run}/stop"), ""));
    assert_eq!((stopped.status, stopped.header("location")), (303, format!("/runs/{run}")));
    let rest: BTreeMap<String, String> = stream.collect();
    assert!(rest.contains_key("end"), "the stream ends");
    assert!(rest["verdict"].contains("was stopped: stopped on request"), "{}", rest["verdict"]);
    assert!(!rest["controls"].contains("<form"), "{}", rest["controls"]);
    assert!(rest["results"].contains("LD_summary"), "{}", rest["results"]);
    let last = page();
    check_inert(&last);
    assert!(!last.text().contains("data-live"), "nothing follows");
    for (part, html) in rest.iter().filter(|(part, _)| *part != "end") {
        assert!(last.text().contains(html), "what was sent last is what is shown: {part}");
    }
    let files = ["report.html", "summary.json", "junit.xml", "records.csv", "document.json"];
    for file in files {
        let link = format!("href=\"/api/v1/runs/{run}/{file}\"");
        assert!(last.text().contains(&link), "{file}");
    }
}

#[test]
fn errors_statuses_and_the_curves_of_names_are_shown_while_the_test_is_in_progress() {
    let (target, door) = (Target::start(), Door::open(&[], Some("s3cret")));
    let mut document: Value = serde_json::from_str(&endless(&target)).expect("JSON");
    let broken = json!({"method": "get", "request_url": "http://127.0.0.1:1/", "name": HOSTILE});
    document[0][1]["tasks"].as_array_mut().expect("tasks").push(broken);
    let run = start(&door, &document.to_string());
    soon_true(|| {
        let text = door.ask(get(&format!("/runs/{run}"))).text();
        ["<h2>Errors</h2>", "Requests by status", "no response", "data-name=\"home\""]
            .iter()
            .all(|shown| text.contains(shown))
    });
    let text = door.ask(get(&format!("/runs/{run}"))).text();
    assert!(!text.contains("<script>") && !text.contains("<img"), "{text}");
    let hostile = maud_escaped(HOSTILE);
    assert!(text.contains(&format!("data-name=\"{hostile}\"")), "{text}");
    assert!(text.contains("<td class=\"text\">200</td>"), "{text}");
    // The same numbers in all of its parts.
    let figures = figures(&text);
    let (_, errors) = text.split_once("data-what=\"errors\"").expect("errors");
    let counted: f64 = errors
        .split("data-l=\"Count\" data-v=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next()?.parse().ok())
        .expect("a count");
    assert!(counted > 0.0 && counted <= figures["failures"], "{counted} of {figures:?}");
    let charts = |query: &str| door.ask(get(&format!("/runs/{run}/charts?{query}")));
    for name in ["home", HOSTILE] {
        let chart = charts(&format!("method=GET&name={}", escaped(name)));
        assert_eq!((chart.status, chart.header("cache-control").as_str()), (200, "no-store"));
        assert!(chart.text().contains("class=\"p95\""), "{}", chart.text());
        assert!(!chart.text().contains("<script"), "{}", chart.text());
    }
    for query in ["method=GET&name=other", "", "name=home"] {
        assert_eq!(charts(query).error().1, "unavailable", "{query}");
    }
    assert_eq!(door.ask(get("/runs/9/charts?name=a")).error().1, "unknown-run");
    let path = format!("/runs/{run}/charts?method=GET&name=home");
    assert_eq!(door.ask_bare(&get(&path)).error().1, "token-required");
}

fn maud_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[test]
fn whoever_has_seen_all_of_a_run_that_has_ended_is_sent_nothing() {
    let (target, door) = (Target::start(), Door::open(&[], None));
    let run = start(&door, &json!([short(&target, "home")]).to_string());
    wait_for(&door, run, "passed");
    let path = format!("/runs/{run}/parts");
    // What was drawn before its end is drawn once more.
    let mut seen = String::new();
    soon_true(|| {
        let lines: Vec<String> = door.follow(get(&path)).collect();
        let last = lines.iter().rev().find_map(|line| line.strip_prefix("id: "));
        last.unwrap_or_default().clone_into(&mut seen);
        lines.iter().any(|line| line == "event: end")
    });
    let names: Vec<String> = parts(door.follow(get(&path))).map(|(name, _)| name).collect();
    assert_eq!(names.last().map(String::as_str), Some("end"));
    assert!(names.contains(&"distribution".to_owned()), "{names:?}");
    assert_eq!(door.ask(get(&format!("{path}?since={seen}"))).status, 204);
    assert_eq!(door.ask(get(&path).header("Last-Event-ID", &seen)).status, 204);
    assert_eq!(door.ask(get("/runs/9/parts")).status, 404);
}

#[test]
fn a_run_without_a_test_has_a_page_with_its_state_and_results() {
    let door = Door::open(&[], None);
    let run = start(&door, r#"[["LD_clear_records"], ["nothing"]]"#);
    wait_for(&door, run, "failed");
    let page = door.ask(get(&format!("/runs/{run}")));
    check_inert(&page);
    for shown in ["It has made no load test.", "✗ Failed", "LD_clear_records", "document.json"] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    assert!(!page.text().contains("report.html"), "there is none");
}

#[test]
fn scripts_and_styles_are_files_that_browsers_may_keep_and_pages_are_not() {
    let door = Door::open(&[], Some("s3cret"));
    let page = door.ask(get("/"));
    check_inert(&page);
    assert_eq!(page.header("cache-control"), "no-store");
    let text = page.text();
    let paths: Vec<&str> = text.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(paths.len(), 3, "{text}");
    for path in paths {
        // Without the token: they hold nothing of anybody.
        let asset = door.ask_bare(&get(path));
        let is_style = path.ends_with(".css");
        let media = if is_style { "text/css" } else { "text/javascript" };
        assert_eq!(asset.status, 200, "{path}");
        assert_eq!(asset.header("content-type"), format!("{media}; charset=utf-8"));
        assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(asset.header("x-content-type-options"), "nosniff");
    }
    for path in ["/assets/live.js", "/assets/", "/assets/..%2f", "/assets/list-0.js"] {
        let missing = door.ask_bare(&get(path));
        assert_eq!((missing.status, missing.header("cache-control").as_str()), (404, "no-store"));
    }
}

#[test]
fn t92_markup_in_names_of_requests_and_errors_is_text_on_the_page_and_in_what_is_sent_to_it() {
    let (target, door) = (Target::start(), Door::open(&[], None));
    let mut document = json!([short(&target, HOSTILE), [HOSTILE]]);
    document[0][1]["user_detail_dict"]["host"] = "http://127.0.0.1:1".into();
    document[0][1]["tasks"][0]["headers"] = json!({"X-Test": HOSTILE});
    let path = format!("/api/v1/runs?name={}", escaped(HOSTILE));
    assert_eq!(door.ask(post(&path, &document.to_string())).status, 202);
    wait_for(&door, 1, "failed");
    let text = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&gt;&lt;img src=x onerror=alert(1)&gt;";
    let mut sent = String::new();
    soon_true(|| {
        sent = parts(door.follow(get("/runs/1/parts"))).map(|(_, html)| html).collect();
        sent.contains("no response") || sent.contains("Distribution")
    });
    for shown in [door.ask(get("/")).text(), door.ask(get("/runs/1")).text(), sent] {
        assert!(shown.contains(text), "{shown}");
        assert!(!shown.contains("<script>") && !shown.contains("<img"), "{shown}");
    }
}

#[test]
fn a_form_starts_a_document_and_says_why_it_does_not() {
    let (target, door) = (Target::start(), Door::open(&[], None));
    let form = |document: &str, rest: &str| {
        door.ask(post("/runs", &format!("document={}{rest}", escaped(document))))
    };
    let started = form(&endless(&target), "&name=+nightly+&queue=");
    assert_eq!((started.status, started.header("location").as_str()), (303, "/runs/1"));
    let busy = form(&json!([short(&target, "a")]).to_string(), "");
    assert_eq!(
        (busy.status, busy.header("content-type").as_str()),
        (409, "text/html; charset=utf-8")
    );
    assert!(busy.text().contains("another test is running"), "{}", busy.text());
    let waits = form(&json!([short(&target, "a")]).to_string(), "&queue=60");
    assert_eq!(waits.header("location"), "/runs/2");
    assert!(door.ask(get("/runs/2")).text().contains("Waiting for the place of another test"));
    for wrong in ["", "{", "{\"a\": 1}"] {
        let refused = form(wrong, "");
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.text());
    }
    let list = |query: &str| door.ask(get(&format!("/{query}"))).text();
    assert!(
        list("").contains("nightly")
            && list("?name=NIGHT&state=running").contains("href=\"/runs/1\"")
    );
    let without = list("?name=weekly");
    assert!(without.contains("No run is like that.") && !without.contains("href=\"/runs/1\""));
    assert_eq!(door.ask(get("/?state=odd")).status, 400);
    // Another site has no part in it.
    let foreign = post("/runs", "document=[]").header("Origin", "http://evil.example");
    assert_eq!(door.ask(foreign).status, 403);
}

#[test]
fn two_runs_that_are_ticked_are_shown_beside_each_other() {
    let door = Door::open(&[], None);
    for (query, place) in [
        ("run=1&run=2", "/api/v1/runs/2/compare/1.html"),
        ("run=7&run=3", "/api/v1/runs/7/compare/3.html"),
    ] {
        let led = door.ask(get(&format!("/compare?{query}")));
        assert_eq!((led.status, led.header("location").as_str()), (303, place));
    }
    for query in ["", "?run=1", "?run=1&run=1", "?run=1&run=2&run=3", "?run=x&run=/"] {
        let refused = door.ask(get(&format!("/compare{query}")));
        assert_eq!(refused.status, 400, "{query}");
        assert!(refused.text().contains("tick two runs"), "{}", refused.text());
    }
}
