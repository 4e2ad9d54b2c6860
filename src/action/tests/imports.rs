use super::*;

/// The results of a document, with their warnings.
fn results(bench: &Bench, json: &str) -> Vec<(String, Vec<String>)> {
    let (events, _) = bench.run(json);
    let results = events.into_iter().filter_map(|event| match event {
        Event::Result(result) => Some((result.line(), result.warnings)),
        _ => None,
    });
    results.collect()
}

const PLAN: &str = r#"<jmeterTestPlan><hashTree><HTTPSamplerProxy testname='a'><stringProp name='HTTPSampler.path'>/a</stringProp></HTTPSamplerProxy><hashTree/><JSR223Sampler/><hashTree/></hashTree></jmeterTestPlan>"#;

#[test]
fn what_an_import_leaves_out_is_among_the_warnings_of_its_result() {
    let bench = Bench::new();
    let plan = Value::from(PLAN).to_json(crate::value::Charset::Unicode);
    for (command, warnings) in [
        (
            r#"["LD_openapi_to_tasks", [{"paths": {"/a/{id}": {"trace": {}, "get": {"parameters": [
                {"name": "q", "in": "query"}]}}}}]]"#,
            &[
                "left out: method trace (1), optional parameter (1)",
                "values that were made up in `ldctl convert` and are missing here: id",
            ][..],
        ),
        (
            r#"["LD_postman_to_tasks", [{"auth": {"type": "hawk"}, "item": [
                {"name": "a", "request": "http://h/{{$randomBankAccount}}"}]}]]"#,
            &[
                "left out: authentication hawk (1)",
                "generated values without a counterpart: $randomBankAccount",
            ],
        ),
        (
            r#"["LD_k6_script_to_tasks", ["http.get('http://h/a'); sleep(1); http.get(f())"]]"#,
            &[
                "pauses left out (`ldctl convert --think-time` keeps them): 1",
                "requests left out, because their URLs are computed: f()",
            ],
        ),
        (&format!(r#"["LD_jmeter_to_tasks", [{plan}]]"#), &["left out: JSR223Sampler (1)"]),
        (r#"["LD_curl_to_task", ["curl --weird http://h/"]]"#, &["options left out: --weird"]),
        (
            r#"["LD_generate_from_curls", [["curl 'x"]]]"#,
            &["commands left out (No closing quotation): curl 'x"],
        ),
    ] {
        let found = results(&bench, &format!("[{command}]"));
        assert_eq!(found[0].1, warnings, "{command}: {}", found[0].0);
    }
}

#[test]
fn a_test_plan_is_its_text_or_a_file_in_the_data_directory() {
    let bench = Bench::new().with_file("a.jmx", PLAN);
    let tasks = "[{'method': 'get', 'request_url': '/a', 'name': 'a'}]";
    let plan = Value::from(PLAN).to_json(crate::value::Charset::Unicode);
    for root in [r#""a.jmx""#, &plan] {
        assert_eq!(
            bench.lines(&format!(r#"[["LD_jmeter_to_tasks", [{root}]]]"#)),
            [tasks],
            "{root}"
        );
    }
    let outside = bench.dir.path().with_extension("jmx");
    std::fs::write(&outside, PLAN).expect("written");
    let name = outside.file_name().expect("a name").to_str().expect("UTF-8");
    for path in [format!("../{name}"), outside.display().to_string()] {
        let lines = bench.lines(&format!(r#"[["LD_jmeter_to_tasks", ["{path}"]]]"#));
        assert!(lines[0].contains("Error(") && !lines[0].contains("'/a'"), "{lines:?}");
    }
    std::fs::remove_file(&outside).expect("removed");
}

#[test]
fn what_is_imported_takes_a_share_of_the_memory_until_the_next_action() {
    let bench = Bench::new();
    let memory = &bench.executor.shared.policy.memory;
    let mut others = memory.share("others");
    others.grow(memory.most() - 2000).expect("room");
    let items = vec![r#"{"name": "a", "request": "http://h/a"}"#; 20].join(", ");
    let import = format!(r#"["LD_postman_to_tasks", [{{"item": [{items}]}}]]"#);
    let lines = bench.lines(&format!("[{import}]"));
    assert!(
        lines[0].contains("imported requests") && lines[0].contains("--max-memory"),
        "{lines:?}"
    );
    let script = format!(r#"["LD_k6_script_to_tasks", ["{}"]]"#, "x ".repeat(200));
    let lines = bench.lines(&format!("[{script}]"));
    assert!(lines[0].contains("parts of a text"), "{lines:?}");
    drop(others);
    let before = memory.taken();
    assert!(bench.lines(&format!("[{import}]"))[0].starts_with("[{"));
    let after = bench.lines(&format!(r#"[{import}, ["LD_clear_records"]]"#));
    assert_eq!((after.len(), memory.taken() <= before + 50_000), (2, true));
}
