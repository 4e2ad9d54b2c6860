//! The options of a script: how much load there is, and thresholds as gates.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::super::load::{constant, rate, rounded, whole};
use super::super::lookup::{elements, list, members, object, scalar, several, text};
use super::super::{Import, NotImported, Test};
use crate::value::{Map, Value};

/// Functions of a script, and the numbers of the requests in them.
pub(super) type Functions = HashMap<String, Vec<usize>>;

/// Options without an effect on the requests.
const SILENT: [&str; 22] = [
    "cloud",
    "discardResponseBodies",
    "ext",
    "gracefulRampDown",
    "gracefulStop",
    "httpDebug",
    "iterations",
    "duration",
    "linger",
    "noCookiesReset",
    "noUsageReport",
    "noVUConnectionReuse",
    "scenarios",
    "setupTimeout",
    "stages",
    "summaryTimeUnit",
    "summaryTrendStats",
    "systemTags",
    "tags",
    "teardownTimeout",
    "thresholds",
    "vus",
];

/// The limit of a test that ends with its iterations, in seconds: that of k6.
const ITERATIONS_SECONDS: f64 = 600.0;

/// A threshold.
static THRESHOLD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\s*(p\(\s*\d+(?:\.0+)?\s*\)|avg|med|rate|count)\s*(<=|<|>=|>)\s*([\d.]+)\s*$")
        .ok()
});

/// A metric with a tag.
static TAGGED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(\w+)(?:\{\s*name\s*:\s*(.+?)\s*\})?$").ok());

/// Applies them; each scenario becomes a test.
pub(super) fn apply(
    options: &Value,
    mut import: Import,
    functions: &Functions,
) -> Result<Import, NotImported> {
    common(options, &mut import);
    let scenarios: Vec<(&String, &Value)> = object(options, "scenarios").collect();
    if scenarios.is_empty() {
        let load = load(options, &mut import);
        import.tests.iter_mut().for_each(|test| test.load = load.clone());
        return Ok(import);
    }
    let mut requests = Vec::new();
    for test in std::mem::take(&mut import.tests) {
        requests.extend(test.requests.into_iter().map(|request| (request.task, request.pause)));
    }
    if scenarios.len() > 1 {
        import.notices.say("scenarios run one after the other");
    }
    let mut lost: Vec<bool> = vec![true; requests.len()];
    for (name, scenario) in scenarios {
        let load = load(scenario, &mut import);
        if ["startTime", "env"].iter().any(|key| scenario.get(key).is_some()) {
            import.notices.note("scenarios whose startTime and env are left out", name);
        }
        let exec = text(scenario, "exec").unwrap_or("default");
        import.tests.push(Test { requests: Vec::new(), load });
        let own = functions.get(exec);
        for (number, (task, pause)) in requests.iter().enumerate() {
            // Without such a function, all requests are in others that it calls.
            if own.is_none_or(|own| own.contains(&number)) {
                lost.get_mut(number).into_iter().for_each(|lost| *lost = false);
                import.push(super::Request { task: task.clone(), pause: pause.clone() })?;
            }
        }
    }
    for _ in lost.iter().filter(|lost| **lost) {
        import.notices.leave_out("request outside of the functions of scenarios");
    }
    Ok(import)
}

/// Applies them to the one test of an import.
pub(super) fn apply_to_one(options: &Value, import: &mut Import) {
    common(options, import);
    let scenarios: Vec<(&String, &Value)> = object(options, "scenarios").collect();
    let place = scenarios.first().map_or(options, |(_, scenario)| *scenario);
    if scenarios.len() > 1 {
        import.notices.say("several scenarios: the load is that of the first (`ldctl convert` makes a test for each)");
    }
    let load = load(place, import);
    if let Some(test) = import.tests.last_mut() {
        test.load = load;
    }
}

fn common(options: &Value, import: &mut Import) {
    for (name, value) in members(options).into_iter().flatten() {
        let set = match (name.as_str(), value) {
            ("insecureSkipTLSVerify", Value::Bool(true)) => Some(("verify", false)),
            ("maxRedirects", Value::Int(0)) => Some(("allow_redirects", false)),
            ("insecureSkipTLSVerify", _) => None,
            (name, _) if SILENT.contains(&name) => None,
            (name, _) => {
                import.notices.leave_out(format!("option {name}"));
                None
            }
        };
        if let Some((key, value)) = set {
            for request in import.tests.iter_mut().flat_map(|test| &mut test.requests) {
                request.task.insert(key.to_owned(), value.into());
            }
        }
    }
    for (metric, thresholds) in object(options, "thresholds") {
        for threshold in several(thresholds) {
            let written =
                threshold.as_str().or_else(|| text(threshold, "threshold")).unwrap_or_default();
            if threshold.get("abortOnFail") == Some(&Value::Bool(true)) {
                import.notices.note("thresholds that do not end the test (see abort_on)", metric);
            }
            match gate(metric, written) {
                Some(gate) => import.gates.push(gate),
                None => import
                    .notices
                    .note("thresholds without a counterpart", format!("{metric}: {written}")),
            }
        }
    }
}

fn gate(metric: &str, threshold: &str) -> Option<Value> {
    let tagged = TAGGED.as_ref()?.captures(metric)?;
    let (metric, name) = (tagged.get(1)?.as_str(), tagged.get(2).map(|name| name.as_str()));
    let found = THRESHOLD.as_ref()?.captures(threshold)?;
    let part = |index| found.get(index).map_or("", |part| part.as_str());
    let figure = part(1).replace([' ', '(', ')'], "").replace(".0", "");
    let value: f64 = part(3).parse().ok()?;
    let op = match part(2) {
        "<" => "lt",
        "<=" => "lte",
        ">" => "gt",
        _ => "gte",
    };
    let (kind, op, value) = match (metric, figure.as_str()) {
        ("http_req_duration", "p50" | "p90" | "p95" | "p99") => {
            (format!("latency_{figure}"), op, value)
        }
        ("http_req_duration", "med") => ("latency_p50".to_owned(), op, value),
        ("http_req_duration", "avg") if name.is_some() => ("latency_mean".to_owned(), op, value),
        ("http_req_failed", "rate") => ("failure_rate".to_owned(), op, value),
        // Checks that hold are requests that do not fail.
        ("checks", "rate") => {
            let op = match op {
                "gt" => "lt",
                "gte" => "lte",
                _ => return None,
            };
            ("failure_rate".to_owned(), op, ((1.0 - value) * 1e6).round() / 1e6)
        }
        ("http_reqs", "count") => ("requests".to_owned(), op, value),
        ("dropped_iterations", "count") => ("dropped_iterations".to_owned(), op, value),
        _ => return None,
    };
    let mut rule = Map::from([("type".to_owned(), Value::from(kind))]);
    rule.extend(name.map(|name| ("name".to_owned(), name.trim_matches(['"', '\'']).into())));
    if op != "lte" {
        rule.insert("op".to_owned(), op.into());
    }
    rule.insert("value".to_owned(), Value::of_number(value));
    Some(Value::Dict(rule))
}

/// The load of options or of a scenario; empty where they say nothing.
fn load(place: &Value, import: &mut Import) -> Map {
    let number =
        |key: &str| place.get(key).and_then(Value::as_f64).filter(|number| number.is_finite());
    let time = |key: &str| place.get(key).and_then(seconds);
    let vus = number("vus");
    let waits = |mut load: Map| {
        // Users of k6 do not wait between iterations.
        load.insert("wait_time".to_owned(), 0_i64.into());
        load
    };
    let executor = text(place, "executor").unwrap_or_default();
    match executor {
        "constant-arrival-rate" | "ramping-arrival-rate" => {
            let unit = time("timeUnit").filter(|unit| *unit > 0.0).unwrap_or(1.0);
            let stages = list(place, "stages");
            let rates = stages.iter().filter_map(|stage| stage.get("target")?.as_f64());
            let most = rates.chain(number("rate")).fold(0.0, f64::max);
            let length: f64 =
                stages.iter().filter_map(|stage| stage.get("duration").and_then(seconds)).sum();
            if executor == "ramping-arrival-rate" {
                import.notices.say("ramping-arrival-rate: the highest rate is held all the time");
            }
            let users = number("maxVUs").or_else(|| number("preAllocatedVUs")).unwrap_or(100.0);
            let arrival = Value::dict([
                ("rate", rounded((most / unit).max(0.01))),
                ("max_users", Value::Int(whole(users).max(1))),
            ]);
            let length = time("duration").unwrap_or(length);
            return Map::from([
                ("arrival_rate".to_owned(), arrival),
                ("test_time".to_owned(), rounded(length)),
            ]);
        }
        "externally-controlled" => import.notices.leave_out("executor externally-controlled"),
        _ => {}
    }
    let stages = elements(place.get("stages").unwrap_or(&Value::Null));
    if !stages.is_empty() {
        return waits(self::stages(stages, number("startVUs").or(vus).unwrap_or(1.0)));
    }
    let mut users = vus.unwrap_or(1.0).max(1.0);
    // Executors that end with their iterations have one, unless they say how many.
    let least = matches!(executor, "per-vu-iterations" | "shared-iterations").then_some(1.0);
    let mut iterations = number("iterations").or(least);
    if vus.is_some() && iterations.is_none() && time("duration").is_none() {
        import.notices.say("vus without duration, iterations or stages: one iteration, as in k6");
        (users, iterations) = (1.0, Some(1.0));
    }
    if let Some(iterations) = iterations {
        let each = if executor == "per-vu-iterations" { users } else { 1.0 };
        let limit = time("maxDuration").or_else(|| time("duration")).unwrap_or(ITERATIONS_SECONDS);
        let mut load = constant(users, users, limit);
        load.insert("iterations".to_owned(), Value::Int(whole(iterations * each).max(1)));
        return waits(load);
    }
    time("duration").map_or_else(Map::new, |duration| waits(constant(users, users, duration)))
}

/// Stages: k6 moves over all of a stage's time.
fn stages(given: &[Value], from: f64) -> Map {
    let mut users = from;
    let stages: Vec<Value> = given
        .iter()
        .map(|stage| {
            let duration = stage.get("duration").and_then(seconds).unwrap_or(0.0);
            let target = stage.get("target").and_then(Value::as_f64).unwrap_or(users).max(0.0);
            let change = (target - users).abs();
            users = target;
            let mut stage = Map::from([
                ("duration".to_owned(), rounded(duration)),
                ("users".to_owned(), Value::Int(whole(target))),
            ]);
            if change > 0.0 {
                let per_second = if duration > 0.0 { change / duration } else { change };
                stage.insert("spawn_rate".to_owned(), rate((per_second * 100.0).ceil() / 100.0));
            }
            Value::Dict(stage)
        })
        .collect();
    Map::from([
        ("load_shape".to_owned(), "stages".into()),
        ("shape_config".to_owned(), Value::dict([("stages", Value::List(stages))])),
    ])
}

/// A duration in seconds: `1m30s`, or a number of milliseconds.
pub(super) fn seconds(value: &Value) -> Option<f64> {
    if let Some(millis) = value.as_f64() {
        return Some(millis / 1000.0);
    }
    let text = scalar(value)?;
    let mut sum = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, unit) = rest.split_at(end);
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        let (unit, behind) = unit.split_at(end);
        let each = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * each;
        rest = behind;
    }
    Some(sum)
}
