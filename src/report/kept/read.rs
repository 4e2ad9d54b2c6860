//! What is kept of a run is read back: what is missing in it is zero or empty.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::record::{Gaps, Iterations};
use crate::value::Value;

/// The figures of a run.
#[derive(Debug)]
pub struct Kept<'a> {
    /// Its tests, in the order in which they ran.
    pub(in crate::report) tests: Vec<KeptTest<'a>>,
    /// The course of all of them.
    pub(in crate::report) points: Vec<KeptPoint>,
    /// The summary over all tests, as the event dialect has it.
    pub(in crate::report) summary: &'a Value,
    /// Sums of all tests, for one whose names were too many.
    pub(in crate::report) requests: u64,
    pub(in crate::report) failures: u64,
    pub(in crate::report) max_ms: f64,
    /// Percentiles over all requests in milliseconds.
    pub(in crate::report) percentiles: Vec<(f64, f64)>,
}

/// The figures of one test.
#[derive(Debug)]
pub(in crate::report) struct KeptTest<'a> {
    pub(in crate::report) started: Option<SystemTime>,
    pub(in crate::report) seconds: f64,
    pub(in crate::report) warnings: Vec<&'a str>,
    pub(in crate::report) document: Option<&'a str>,
    pub(in crate::report) load: Option<&'a str>,
    pub(in crate::report) seed: Option<u64>,
    pub(in crate::report) interrupted: u64,
    /// What its requests lacked.
    pub(in crate::report) gaps: Gaps,
    pub(in crate::report) iterations: Iterations,
    pub(in crate::report) names: Vec<KeptName<'a>>,
    /// The names without a row of their own, and how many they are.
    pub(in crate::report) further: KeptName<'a>,
    pub(in crate::report) further_names: usize,
    pub(in crate::report) errors: Vec<KeptError<'a>>,
    /// Kinds of errors without a row, and how often they occurred.
    pub(in crate::report) further_errors: (usize, u64),
}

/// The figures of a method and name.
#[derive(Debug, Default)]
pub(in crate::report) struct KeptName<'a> {
    pub(in crate::report) method: &'a str,
    pub(in crate::report) name: &'a str,
    pub(in crate::report) requests: u64,
    pub(in crate::report) failures: u64,
    pub(in crate::report) bytes: u64,
    pub(in crate::report) sum_ms: f64,
    pub(in crate::report) max_ms: f64,
    latencies: &'a str,
}

/// A kind of error.
#[derive(Debug)]
pub(in crate::report) struct KeptError<'a> {
    pub(in crate::report) count: u64,
    pub(in crate::report) method: &'a str,
    pub(in crate::report) name: &'a str,
    pub(in crate::report) error: &'a str,
    pub(in crate::report) first: Option<SystemTime>,
    pub(in crate::report) last: Option<SystemTime>,
}

/// A second of the run, or what several were thinned to.
#[derive(Debug, Default)]
pub(in crate::report) struct KeptPoint {
    /// The number of its test.
    pub(in crate::report) test: u64,
    /// How long it is.
    pub(in crate::report) seconds: f64,
    pub(in crate::report) users: u32,
    /// Requests in it.
    pub(in crate::report) requests: u64,
    pub(in crate::report) failures: u64,
    pub(in crate::report) p50_ms: f64,
    pub(in crate::report) p95_ms: f64,
    pub(in crate::report) p99_ms: f64,
}

impl<'a> Kept<'a> {
    /// Reads the figures of a run; `None` if it has made no test.
    pub fn read(figures: &'a Value) -> Option<Self> {
        let tests: Vec<KeptTest<'_>> = list(figures, "tests").iter().map(test).collect();
        let summary = match (list(figures, "tests"), figures.get("summary")) {
            (_, Some(summary)) => summary,
            ([first, ..], None) => first.get("summary")?,
            ([], None) => return None,
        };
        let overall = |key| number(summary.get("latency_overall"), key);
        let percentiles = [(50.0, "p50_ms"), (90.0, "p90_ms"), (95.0, "p95_ms"), (99.0, "p99_ms")];
        Some(Self {
            tests,
            points: points(figures.get("series")),
            summary,
            requests: count(summary.get("totals"), "requests"),
            failures: count(summary.get("totals"), "failures"),
            max_ms: overall("max_ms"),
            percentiles: percentiles.map(|(at, key)| (at, overall(key))).to_vec(),
        })
    }
}

impl KeptName<'_> {
    /// Latencies in microseconds, and how many requests had them.
    pub(super) fn latencies(&self) -> impl Iterator<Item = (u64, u64)> {
        self.latencies.split(' ').filter_map(|pair| {
            let (micros, count) = pair.split_once(':')?;
            let number = |text: &str| text.parse().ok().map(|number: u64| number.min(MOST_COUNT));
            Some((number(micros)?, number(count)?))
        })
    }
}

fn test(figures: &Value) -> KeptTest<'_> {
    let seconds = number(Some(figures), "started");
    let mut names: Vec<KeptName<'_>> = Vec::new();
    let (mut further, mut further_names) = (KeptName::default(), 0);
    for row in list(figures, "names") {
        let read = kept_name(row);
        match count(Some(row), "together") {
            0 | 1 => names.push(read),
            together => (further, further_names) = (read, together as usize),
        }
    }
    let mut errors = Vec::new();
    let mut further_errors = (0, 0);
    for row in list(figures, "errors") {
        match count(Some(row), "together") {
            0 => errors.push(KeptError {
                count: count(Some(row), "count"),
                method: text(row, "method"),
                name: text(row, "name"),
                error: text(row, "error"),
                first: moment(text(row, "first")),
                last: moment(text(row, "last")),
            }),
            together => further_errors = (together as usize, count(Some(row), "count")),
        }
    }
    let condition = |key| figures.get("conditions")?.get(key);
    let summary = figures.get("summary");
    let of = |block, key| count(summary.and_then(|summary| summary.get(block)), key);
    KeptTest {
        started: Duration::try_from_secs_f64(seconds).ok().map(|since| UNIX_EPOCH + since),
        seconds: number(Some(figures), "seconds"),
        warnings: list(figures, "warnings").iter().filter_map(Value::as_str).collect(),
        document: figures.get("document").and_then(Value::as_str),
        load: condition("load").and_then(Value::as_str),
        seed: condition("seed").and_then(|seed| seed.to_text().parse().ok()),
        interrupted: of("totals", "interrupted"),
        gaps: summary
            .and_then(|summary| summary.get("unresolved"))
            .map(Gaps::of_value)
            .unwrap_or_default(),
        iterations: Iterations {
            started: of("iterations", "started"),
            planned: of("iterations", "planned"),
            dropped: of("iterations", "dropped"),
            ..Iterations::default()
        },
        names,
        further,
        further_names,
        errors,
        further_errors,
    }
}

fn kept_name(row: &Value) -> KeptName<'_> {
    KeptName {
        method: text(row, "method"),
        name: text(row, "name"),
        requests: count(Some(row), "requests"),
        failures: count(Some(row), "failures"),
        bytes: count(Some(row), "bytes"),
        sum_ms: number(Some(row), "sum_ms"),
        max_ms: number(Some(row), "max_ms"),
        latencies: text(row, "latencies_us"),
    }
}

/// The points, from columns of the same length. Requests and failures count from the start of their
/// test.
fn points(series: Option<&Value>) -> Vec<KeptPoint> {
    let Some(series) = series else { return Vec::new() };
    let at = |key: &str, place: usize| list(series, key).get(place);
    let mut points = Vec::new();
    let mut before = (None, 0.0, 0, 0);
    for place in 0..list(series, "elapsed_s").len() {
        let whole = |key: &str| match at(key, place) {
            Some(Value::Int(number)) => u64::try_from(*number).unwrap_or(0).min(MOST_COUNT),
            _ => 0,
        };
        let float = |key: &str| {
            let number = at(key, place).and_then(Value::as_f64);
            number.filter(|number| *number >= 0.0).map(|number| number.min(MOST_NUMBER))
        };
        let test = whole("test");
        if before.0 != Some(test) {
            before = (Some(test), 0.0, 0, 0);
        }
        let (elapsed, requests) = (float("elapsed_s").unwrap_or(0.0), whole("requests"));
        let failures = whole("failures");
        points.push(KeptPoint {
            test,
            seconds: (elapsed - before.1).max(0.001),
            users: u32::try_from(whole("users")).unwrap_or(u32::MAX),
            requests: requests.saturating_sub(before.2),
            failures: failures.saturating_sub(before.3),
            p50_ms: float("p50_ms").unwrap_or(0.0),
            p95_ms: float("p95_ms").unwrap_or(0.0),
            p99_ms: float("p99_ms").unwrap_or(0.0),
        });
        before = (Some(test), elapsed, requests, failures);
    }
    points
}

/// A moment in RFC 3339.
fn moment(text: &str) -> Option<SystemTime> {
    let moment = text.parse::<jiff::Timestamp>().ok()?;
    let millis = u64::try_from(moment.as_millisecond()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    match of.get(key) {
        Some(Value::List(items) | Value::Tuple(items)) => items,
        _ => &[],
    }
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// More than a run counts or measures, so that sums do not overflow.
const MOST_NUMBER: f64 = 1e12;

/// The same for counts.
const MOST_COUNT: u64 = 1 << 50;

fn count(of: Option<&Value>, key: &str) -> u64 {
    match of.and_then(|of| of.get(key)) {
        Some(Value::Int(number)) => u64::try_from(*number).unwrap_or(0).min(MOST_COUNT),
        _ => 0,
    }
}

/// A number of at least 0; 0 for anything else.
fn number(of: Option<&Value>, key: &str) -> f64 {
    let number = of.and_then(|of| of.get(key)).and_then(Value::as_f64);
    number.filter(|number| *number >= 0.0).map_or(0.0, |number| number.min(MOST_NUMBER))
}
