use std::io::{BufRead, Write};

use super::*;

/// The document of a search over this target, with these further arguments.
fn search(target: &str, more: &str) -> String {
    format!(
        r#"[["LD_find_breaking_point", {{
            "test": {{"user_detail_dict": {{"host": "{target}"}},
                     "tasks": [{{"method": "get", "request_url": "/", "name": "home", "timeout": 5}}]}},
            "gate": {{"type": "latency_p95", "value": 1000}},
            "step_time": 0.3, "settle": 0, {more}}}]]"#
    )
}

/// A place where nothing listens.
const NOBODY: &str = "http://127.0.0.1:1";

fn result(events: &[Event]) -> &crate::event::ActionResult {
    let result = events.iter().find_map(|event| match event {
        Event::Result(result) => Some(result),
        _ => None,
    });
    result.expect("a result")
}

fn members(value: &Value, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| value.get(name).map_or("-".to_owned(), Value::to_text)).collect()
}

/// What it warns of. On a busy machine iterations may also start late, which is said.
fn warnings(result: &crate::event::ActionResult) -> Vec<&str> {
    let all = result.warnings.iter().map(String::as_str);
    let of_machine = [" ms late", "the generator was the bottleneck"];
    all.filter(|text| !of_machine.iter().any(|known| text.contains(known))).collect()
}

/// The target of `document` is a stub server of the same executor.
fn with_stub(bench: &Bench, document: impl Fn(&str) -> String) -> Vec<Event> {
    let (events, _) = bench.run(r#"[["LD_start_stub_server", [[{"path": "/"}]]]]"#);
    let server = result(&events).value.clone().expect("a server");
    let port = server.get("port").and_then(Value::as_f64).expect("a port");
    let events = bench.run(&document(&format!("http://127.0.0.1:{port}"))).0;
    bench.run(r#"[["LD_stop_stub_server"]]"#);
    events
}

#[test]
fn a_load_that_no_request_survives_does_not_hold_and_the_failure_has_the_probes() {
    let bench = Bench::new();
    let (events, outcome) = bench.run(&search(NOBODY, r#""low": 100"#));
    let result = result(&events);
    let failure = result.error.as_ref().expect("a failure");
    assert_eq!((failure.kind, outcome.failed), (FailureKind::Gate, 1));
    let start = "even 100 iterations per second did not hold (no request succeeded: ";
    assert!(failure.message.starts_with(start), "{failure}");
    let end = " × GET home: connection refused); check the target";
    assert!(failure.message.ends_with(end), "{failure}");
    let known = result.value.as_ref().expect("what is known");
    assert_eq!(
        members(known, &["value", "held_at", "failed_at", "bounded", "ended"]),
        ["None", "None", "100.0", "True", "low"]
    );
    let Some(Value::List(probes)) = known.get("probes") else { panic!("{known:?}") };
    let probe = members(&probes[0], &["load", "held", "p95_ms", "rate", "requests"]);
    assert_eq!((probes.len(), &probe[..2]), (2, &["100.0".to_owned(), "False".to_owned()][..]));
    assert_eq!(bench.executor.records().len(), 0, "no load was found");
}

#[test]
fn the_records_are_those_of_the_last_probe_at_the_load_that_was_found() {
    let bench = Bench::new();
    let events = with_stub(&bench, |host| search(host, r#""low": 40, "high": 80"#));
    let result = result(&events);
    let value = result.value.as_ref().unwrap_or_else(|| panic!("{result:?}"));
    assert_eq!(
        members(value, &["value", "unit", "held_at", "failed_at", "bounded", "ended"]),
        ["80.0", "iterations per second", "80.0", "None", "True", "high"]
    );
    assert_eq!(
        warnings(result),
        ["the largest load of the search holds: raise \"high\" to find the limit"]
    );
    let [kept] = bench.executor.records().recordings().to_vec().try_into().expect("one");
    let kept: Arc<Recording> = kept;
    assert_eq!(kept.conditions.rate, Some(80.0));
    assert_eq!(kept.requests(), 24, "of one probe, its warm-up included");
    let Some(Value::List(probes)) = value.get("probes") else { panic!("{value:?}") };
    let figures: Vec<_> = probes.iter().map(|probe| members(probe, &["load", "held"])).collect();
    assert_eq!(figures, [["40.0", "True"], ["80.0", "True"], ["80.0", "True"]]);
    let requests = probes[1].get("requests").and_then(Value::as_f64).expect("a number");
    assert!((15.0..24.0).contains(&requests), "{requests} without the warm-up");
}

#[test]
fn users_are_varied_as_whole_numbers() {
    let bench = Bench::new();
    let events = with_stub(&bench, |host| {
        search(host, r#""vary": "users", "low": 1, "high": 3, "confirm": 1"#)
    });
    let value = result(&events).value.as_ref().expect("a value");
    assert_eq!(members(value, &["value", "unit", "ended"]), ["3", "users", "high"]);
    let Some(Value::List(probes)) = value.get("probes") else { panic!("{value:?}") };
    let loads: Vec<_> = probes.iter().map(|probe| members(probe, &["load"]).remove(0)).collect();
    assert_eq!(loads, ["1", "2", "3"]);
}

#[test]
fn after_the_first_probe_none_begins_that_would_exceed_the_time_of_the_search() {
    for max_time in ["0.3", "0.5"] {
        let bench = Bench::new();
        let more = format!(r#""max_time": {max_time}"#);
        let events = with_stub(&bench, |host| search(host, &more));
        let result = result(&events);
        let known = members(result.value.as_ref().expect("a value"), &["value", "ended"]);
        assert_eq!(known, ["10.0", "max_time"]);
        let warning = "max_time ended the search; 10 iterations per second held";
        assert_eq!(warnings(result), [warning]);
    }
}

/// A target that fails every request over its connections with these numbers, from 1. It ends with the
/// process.
fn failing_over(connections: &'static [usize]) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let host = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for (number, connection) in listener.incoming().map_while(Result::ok).enumerate() {
            let status = if connections.contains(&(number + 1)) { "500 Broken" } else { "200 OK" };
            std::thread::spawn(move || respond(connection, status));
        }
    });
    host
}

fn respond(mut connection: std::net::TcpStream, status: &str) -> std::io::Result<()> {
    let mut lines = std::io::BufReader::new(connection.try_clone()?).lines();
    while let Some(line) = lines.next().transpose()? {
        if line.is_empty() {
            let response = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
            connection.write_all(response.as_bytes())?;
        }
    }
    Ok(())
}

#[test]
fn the_records_of_the_found_load_are_kept_when_a_larger_one_has_held_by_chance() {
    let bench = Bench::new();
    // A user is a connection: 2 users hold in the second probe, and no more in the third and fifth.
    let host = failing_over(&[4, 5, 7, 8]);
    let more =
        r#""vary": "users", "low": 1, "high": 2, "gate": {"type": "failure_rate", "value": 0}"#;
    let (events, _) = bench.run(&search(&host, more));
    let result = result(&events);
    let value = result.value.as_ref().unwrap_or_else(|| panic!("{result:?}"));
    assert_eq!(members(value, &["value", "failed_at", "ended"]), ["1", "2", "found"]);
    let Some(Value::List(probes)) = value.get("probes") else { panic!("{value:?}") };
    let probes: Vec<_> = probes.iter().map(|probe| members(probe, &["load", "held"])).collect();
    let [one, two, no_more] = [["1", "True"], ["2", "True"], ["2", "False"]];
    assert_eq!(probes, [one, two, no_more, one, no_more]);
    assert!(result.warnings.iter().all(|text| !text.contains("not kept")), "{result:?}");
    let [kept] = bench.executor.records().recordings().to_vec().try_into().expect("one");
    let kept: Arc<Recording> = kept;
    assert_eq!(kept.peak_users, 1);
    assert!(kept.requests() > 0);
}

#[test]
fn a_stop_ends_a_probe_and_a_pause_and_tells_what_is_known() {
    for (more, known) in [
        (r#""step_time": 3600, "low": 50"#, "stopped; nothing is known yet"),
        (r#""settle": 3600, "low": 50"#, "stopped; 50 iterations per second held"),
    ] {
        let bench = Bench::new();
        let cancel = CancellationToken::new();
        let (events, _) = bench.run(r#"[["LD_start_stub_server", [[{"path": "/"}]]]]"#);
        let server = result(&events).value.clone().expect("a server");
        let host = format!("http://127.0.0.1:{}", server.get("port").expect("a port").to_text());
        let json = Value::parse(&search(&host, more)).expect("JSON");
        let document = Document::parse(json).expect("a document");
        let mut events = Vec::new();
        let mut sink = |event: Event| {
            // The line about a probe comes before the pause, progress while the probe runs.
            if matches!(event, Event::Progress(_))
                || matches!(&event, Event::Detail { text, .. } if text.starts_with("probe 1: 50 "))
            {
                cancel.cancel();
            }
            events.push(event);
        };
        let submission = Submission { isolated: true, detail: 1, ..Submission::default() };
        bench.executor.execute_as(submission, document, &mut sink, &cancel);
        let result = result(&events);
        let failure = result.error.as_ref().expect("a failure");
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Cancelled, known));
        let ended = result.value.as_ref().map(|value| members(value, &["ended"]));
        assert_eq!(ended, Some(vec!["stopped".to_owned()]));
        let progress = events.iter().find_map(|event| match event {
            Event::Progress(progress) => Some(progress.probe),
            _ => None,
        });
        assert!(progress.is_none_or(|probe| probe == Some(1)), "{progress:?}");
    }
}

#[test]
fn an_argument_that_makes_no_search_is_refused_with_its_place() {
    for (more, refusal) in [
        (r#""low": 0"#, "/low: expected a number above 0, got 0"),
        (r#""low": 50, "high": 5"#, "/high: high (5) is less than low (50)"),
        (r#""vary": "both""#, "/vary: expected \"rate\" or \"users\", got \"both\""),
        (r#""vary": "users", "low": 1.5"#, "/low: expected a positive integer, got 1.5"),
        (r#""vary": "users", "high": 1000000"#, "/high: 1000000 users exceed --max-users 100000"),
        (r#""tolerance": 2"#, "/tolerance: expected a number from 0.001 to 1, got 2"),
        (r#""warm_up": 1"#, "/warm_up: expected less than step_time (0.3 s)"),
        (r#""max_time": 0.2"#, "/max_time: expected at least step_time (0.3 s)"),
        (r#""confirm": 0"#, "/confirm: expected an integer from 1 to 10, got 0"),
        (r#""confirm": 20"#, "/confirm: expected an integer from 1 to 10, got 20"),
        (r#""confirm": 1.5"#, "/confirm: expected an integer from 1 to 10, got 1.5"),
        (r#""gate": {"type": "failure_rate"}"#, "/gate: rule missing 'value'"),
        (r#""test": {"tasks": []}"#, "/test: the argument \"user_detail_dict\" is missing"),
        (
            r#""test": {"user_detail_dict": {}, "load_shape": "soak", "tasks": []}"#,
            "/test/load_shape: the search decides about the load; leave it out",
        ),
        (
            r#""test": {"user_detail_dict": {}, "tasks": [{"method": "get", "request_url": 5}]}"#,
            "/test/tasks/0/request_url: expected a string, got 5",
        ),
        (
            r#""vary": "users", "test": {"user_detail_dict": {}, "arrival_rate": {"rate": 1}}"#,
            "/test/arrival_rate: it excludes \"vary\": \"users\"",
        ),
    ] {
        let json = search(NOBODY, more);
        let lines = Bench::new().lines(&json);
        assert_eq!(
            lines,
            [format!(
                "TypeError({})",
                crate::value::quote(&format!("LD_find_breaking_point: {refusal}"))
            )],
            "{more}"
        );
    }
}

#[test]
fn times_are_compared_with_a_step_time_from_a_variable_when_the_search_begins() {
    for (more, refusal) in [
        (r#""warm_up": 5"#, "/warm_up: expected less than step_time (0.3 s)"),
        (r#""max_time": 0.2"#, "/max_time: expected at least step_time (0.3 s)"),
    ] {
        let search = search(NOBODY, &format!(r#""step_time": "${{var.step}}", {more}"#));
        let register = r#"["LD_register_variables", {"variables": {"step": "0.3"}}]"#;
        let lines = Bench::new().lines(&format!("[{register}, {}", &search[1..]));
        let said = crate::value::quote(&format!("LD_find_breaking_point: {refusal}"));
        assert_eq!(lines.last(), Some(&format!("TypeError({said})")), "{lines:?}");
    }
}

#[test]
fn the_arguments_of_the_reference_are_refused_with_those_that_there_are() {
    let lines = Bench::new().lines(&search(NOBODY, r#""probe": "f""#));
    let start = "TypeError('LD_find_breaking_point() has no argument \"probe\"; it takes test, gate, vary, ";
    assert!(lines[0].starts_with(start), "{lines:?}");
}
