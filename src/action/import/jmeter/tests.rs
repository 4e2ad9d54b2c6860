use super::*;

/// A plan with a group and what stands in it.
fn plan(variables: &[(&str, &str)], group: &str, inside: &str) -> Import {
    let variables: String = variables
        .iter()
        .map(|(name, value)| {
            format!(
                "<elementProp>{}{}</elementProp>",
                text("Argument.name", name),
                text("Argument.value", value)
            )
        })
        .collect();
    let plan = format!(
        r#"<jmeterTestPlan><hashTree><TestPlan/><hashTree>
            <Arguments><collectionProp name="Arguments.arguments">{variables}</collectionProp></Arguments><hashTree/>
            {group}<hashTree>{inside}</hashTree></hashTree></hashTree></jmeterTestPlan>"#
    );
    import(&plan).expect(&plan)
}

fn text(name: &str, value: &str) -> String {
    format!(r#"<stringProp name="{name}">{value}</stringProp>"#)
}

fn sampler(properties: &str, inside: &str) -> String {
    format!(
        "<HTTPSamplerProxy testname=\"s\">{properties}</HTTPSamplerProxy><hashTree>{inside}</hashTree>"
    )
}

/// The load of a group, and what is said about it.
#[track_caller]
fn check_load(
    variables: &[(&str, &str)],
    tag: &str,
    properties: &str,
    load: &str,
    notices: &[&str],
) {
    let group = format!("<{tag} testname=\"g\">{properties}</{tag}>");
    let import = plan(variables, &group, &sampler("", ""));
    let found = import.tests.first().map(|test| Value::Dict(test.load.clone()).to_text());
    let expected = Value::parse(load).expect(load).to_text();
    assert_eq!(found, Some(expected), "{properties}");
    assert_eq!(import.notices.lines(), notices, "{properties}");
}

#[test]
fn the_load_may_be_variables_of_the_plan() {
    let load = r#"{"user_count": 20, "spawn_rate": 4, "test_time": 30, "wait_time": 0}"#;
    let properties = |threads: &str| {
        [
            text("ThreadGroup.num_threads", threads),
            text("ThreadGroup.ramp_time", "${ramp}"),
            text("ThreadGroup.duration", "${__P(duration, 30)}"),
            r#"<boolProp name="ThreadGroup.scheduler">true</boolProp>"#.to_owned(),
        ]
        .concat()
    };
    for (threads, value) in [
        ("20", "1"),
        ("${threads}", "20"),
        (" ${threads} ", " 20 "),
        ("${threads}", "${__P(users,20)}"),
        ("${threads}", "${count}"),
    ] {
        let variables = [("threads", value), ("ramp", "5"), ("count", "20")];
        check_load(&variables, "ThreadGroup", &properties(threads), load, &[]);
    }
    let unknown = ["thread groups whose load is not known: g"];
    for (threads, value) in [("${threads}", "${threads}"), ("${other}", "1"), ("x${threads}", "1")]
    {
        let variables = [("threads", value), ("ramp", "5")];
        check_load(&variables, "ThreadGroup", &properties(threads), "{}", &unknown);
    }
}

#[test]
fn groups_that_start_their_threads_in_steps_are_listed() {
    let properties = text("ThreadGroup.num_threads", "6");
    check_load(
        &[],
        "kg.apc.jmeter.threads.SteppingThreadGroup",
        &properties,
        r#"{"user_count": 6, "spawn_rate": 6, "test_time": 60, "wait_time": 0}"#,
        &[
            "a thread group without an end: it runs for 60 seconds",
            "thread groups whose steps are left out: g (SteppingThreadGroup)",
        ],
    );
    check_load(
        &[],
        "com.blazemeter.jmeter.threads.arrivals.ArrivalsThreadGroup",
        &text("TargetLevel", "100"),
        "{}",
        &["thread groups whose load is not known: g"],
    );
}

/// The task of a sampler, without its method, name and assertions, and what is said about it.
#[track_caller]
fn check_sampler(properties: &str, inside: &str, task: &str, notices: &[&str]) {
    let (tasks, said) =
        plan(&[], "<GenericController/>", &sampler(properties, inside)).into_tasks();
    let [Value::Dict(found)] = tasks.as_slice() else { panic!("{tasks:?}") };
    let own = |key: &String| !["method", "name"].contains(&key.as_str());
    let found: Map = found.clone().into_iter().filter(|(key, _)| own(key)).collect();
    let expected = Value::parse(task).expect(task);
    assert_eq!(Value::Dict(found).to_text(), expected.to_text(), "{properties}");
    assert_eq!(said.lines(), notices, "{properties}");
}

/// The arguments of a sampler or of the defaults.
fn arguments(given: &[(&str, &str)]) -> String {
    let given: String = given
        .iter()
        .map(|(name, value)| {
            format!(
                "<elementProp>{}{}</elementProp>",
                text("Argument.name", name),
                text("Argument.value", value)
            )
        })
        .collect();
    format!(
        r#"<elementProp name="HTTPsampler.Arguments"><collectionProp name="Arguments.arguments">{given}</collectionProp></elementProp>"#
    )
}

#[test]
fn arguments_that_repeat_are_all_sent_and_a_path_begins_with_a_slash() {
    let repeated = arguments(&[("a", "1"), ("a", "2"), ("b", "")]);
    check_sampler(
        &(text("HTTPSampler.path", "x/y") + &repeated),
        "",
        r#"{"request_url": "/x/y", "params": [["a", "1"], ["a", "2"], ["b", ""]]}"#,
        &[],
    );
    check_sampler(
        &(text("HTTPSampler.path", "${base}/y") + &text("HTTPSampler.method", "POST") + &repeated),
        "",
        r#"{"request_url": "${base}/y", "data": [["a", "1"], ["a", "2"], ["b", ""]]}"#,
        &[],
    );
}

#[test]
fn what_an_extractor_does_besides_is_listed() {
    let extractor = |numbers: &str, defaults: &str| {
        let parts = [
            text("JSONPostProcessor.referenceNames", "a; b"),
            text("JSONPostProcessor.jsonPathExprs", "$.a; $.b[0]"),
            text("JSONPostProcessor.match_numbers", numbers),
            text("JSONPostProcessor.defaultValues", defaults),
        ];
        format!("<JSONPostProcessor>{}</JSONPostProcessor>", parts.concat())
    };
    let task = r#"{"request_url": "/", "extract": [{"var": "a", "path": "a"}, {"var": "b", "path": "b.0"}]}"#;
    check_sampler("", &extractor("", ""), task, &[]);
    check_sampler("", &extractor("1;0", ""), task, &[]);
    check_sampler(
        "",
        &extractor("1;-1", "none;"),
        task,
        &[
            "extractors whose default values are left out: a",
            "extractors whose match numbers are left out: b",
        ],
    );
}

#[test]
fn functions_without_a_counterpart_are_variables() {
    check_sampler(
        &text("HTTPSampler.path", "/a/${__time(/1000,)}?b=${__Random(1,3)}&amp;c=${__threadNum}"),
        "",
        r#"{"request_url": "/a/${computed_time}?b=${randint(1, 3)}&c=${computed_threadNum}"}"#,
        &["functions without a counterpart, now variables: ${__time(/1000,)}, ${__threadNum}"],
    );
}

#[test]
fn arguments_of_a_sampler_replace_those_of_the_defaults() {
    let usual = arguments(&[("a", "0"), ("c", "3")]);
    let own = arguments(&[("a", "1"), ("a", "2")]);
    let defaults = format!("<ConfigTestElement>{usual}</ConfigTestElement><hashTree/>");
    let (tasks, _) =
        plan(&[], "<GenericController/>", &(defaults + &sampler(&own, ""))).into_tasks();
    let params = tasks.first().and_then(|task| task.get("params")).map(Value::to_text);
    assert_eq!(params.as_deref(), Some("[['c', '3'], ['a', '1'], ['a', '2']]"));
}

#[test]
fn files_of_one_name_are_all_sent() {
    let file = |path: &str| {
        format!(
            "<elementProp>{}{}</elementProp>",
            text("File.path", path),
            text("File.paramname", "f")
        )
    };
    let files = format!(
        r#"<elementProp name="HTTPsampler.Files"><collectionProp name="HTTPFileArgs.files">{}{}</collectionProp></elementProp>"#,
        file("a.png"),
        file("b.png")
    );
    check_sampler(
        &(text("HTTPSampler.method", "POST") + &files),
        "",
        r#"{"request_url": "/", "files": [["f", {"path": "a.png"}], ["f", {"path": "b.png"}]]}"#,
        &["files to put into the data directory: a.png, b.png"],
    );
}

#[test]
fn a_timeout_and_a_pause_may_be_variables_of_the_plan() {
    let timer = format!("<ConstantTimer>{}</ConstantTimer>", text("ConstantTimer.delay", "${ms}"));
    let sampler = sampler(&text("HTTPSampler.response_timeout", "${ms}"), &timer);
    let import = plan(&[("ms", "1500")], "<GenericController/>", &sampler);
    let request = import.tests.first().and_then(|test| test.requests.first()).expect("a request");
    assert_eq!(request.task.get("timeout").and_then(Value::as_f64), Some(1.5));
    assert_eq!(request.pause.as_ref().and_then(Value::as_f64), Some(1.5));
}

#[test]
fn an_assertion_without_a_counterpart_is_listed() {
    check_sampler(
        "",
        "<DurationAssertion testname=\"fast\"/>",
        r#"{"request_url": "/"}"#,
        &["elements without a counterpart: fast (DurationAssertion)"],
    );
}
