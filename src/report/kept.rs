//! The figures of a run that are kept with it, when its rows are not, and of one in progress, whose
//! rows are still with its workers: enough for a page, a summary, and a testcase for each name.
//! [`members`] writes those of one test, [`Kept`] reads those of a whole run, from wherever they
//! come: what is missing in them is zero or empty.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indexmap::IndexMap;

use super::figures::{
    Course, ErrorFigures, Facts, Figures, MAX_ERRORS, MAX_NAMES, MAX_NAMES_OF_ERROR, MAX_POINTS,
    Moment, NameFigures, Point, Stats, TestFacts, bar_of,
};
use crate::memory::Memory;
use crate::record::diff::{self, Run, RunMetrics};
use crate::record::live::Series;
use crate::record::{Conditions, ErrorCount, Gaps, Iterations, Recording, Records};
use crate::value::{Map, Value};

/// What the figures of a test are made of, besides its summary and its errors.
#[derive(Debug, Clone, Copy)]
pub struct OfTest<'a> {
    /// When it started.
    pub started: SystemTime,
    /// How long it took, or has taken so far.
    pub took: Duration,
    /// The beginning of its action, without secrets.
    pub document: Option<&'a str>,
    /// How its load was generated.
    pub conditions: &'a Conditions,
    /// Its figures by method and name.
    pub series: &'a [Series],
}

/// The members of a test's figures.
pub fn members(of: OfTest<'_>) -> [(&'static str, Value); 6] {
    let mut order: Vec<&Series> = of.series.iter().filter(|series| series.requests > 0).collect();
    order.sort_by(|a, b| {
        let (a_is, b_is) = ((&a.method, &a.name), (&b.method, &b.name));
        b.requests.cmp(&a.requests).then(a_is.cmp(&b_is))
    });
    let further = order.split_off(order.len().min(MAX_NAMES));
    let mut names: Vec<Value> =
        order.iter().map(|series| name(&series.method, &series.name, 1, series)).collect();
    if !further.is_empty() {
        let sum = crate::record::live::total(further.iter().copied());
        names.push(name("", "", further.len(), &sum));
    }
    let started = of.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    [
        ("started", started.as_secs_f64().into()),
        ("seconds", of.took.as_secs_f64().into()),
        ("document", of.document.map_or(Value::Null, Value::from)),
        ("conditions", Value::Dict(of.conditions.to_members())),
        ("names", Value::List(names)),
        ("version", Value::from(1u64)),
    ]
}

/// A row of names; `together` names share it.
fn name(method: &str, name: &str, together: usize, series: &Series) -> Value {
    let mut max_ms = 0.0;
    let mut latencies = String::new();
    for (millis, count) in series.latencies_ms() {
        let separator = if latencies.is_empty() { "" } else { " " };
        latencies.push_str(&format!("{separator}{:.0}:{count}", millis * 1000.0));
        max_ms = millis;
    }
    Value::dict([
        ("method", Value::from(method)),
        ("name", name.into()),
        ("together", (together as u64).into()),
        ("requests", series.requests.into()),
        ("failures", series.failures.into()),
        ("bytes", series.bytes.into()),
        ("sum_ms", (series.latency_sum_us as f64 / 1000.0).into()),
        ("max_ms", Value::Float(max_ms)),
        ("latencies_us", latencies.into()),
    ])
}

/// The figures of a run.
#[derive(Debug)]
pub struct Kept<'a> {
    /// Its tests, in the order in which they ran.
    pub(super) tests: Vec<KeptTest<'a>>,
    /// The course of all of them.
    pub(super) points: Vec<KeptPoint>,
    /// The summary over all tests, as the event dialect has it.
    pub(super) summary: &'a Value,
    /// Sums of all tests, for one whose names were too many.
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) max_ms: f64,
    /// Percentiles over all requests in milliseconds.
    pub(super) percentiles: Vec<(f64, f64)>,
}

/// The figures of one test.
#[derive(Debug)]
pub(super) struct KeptTest<'a> {
    pub(super) started: Option<SystemTime>,
    pub(super) seconds: f64,
    pub(super) warnings: Vec<&'a str>,
    pub(super) document: Option<&'a str>,
    pub(super) load: Option<&'a str>,
    pub(super) seed: Option<u64>,
    pub(super) interrupted: u64,
    /// What its requests lacked.
    pub(super) gaps: Gaps,
    pub(super) iterations: Iterations,
    pub(super) names: Vec<KeptName<'a>>,
    /// The names without a row of their own, and how many they are.
    pub(super) further: KeptName<'a>,
    pub(super) further_names: usize,
    pub(super) errors: Vec<KeptError<'a>>,
    /// Kinds of errors without a row, and how often they occurred.
    pub(super) further_errors: (usize, u64),
}

/// The figures of a method and name.
#[derive(Debug, Default)]
pub(super) struct KeptName<'a> {
    pub(super) method: &'a str,
    pub(super) name: &'a str,
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) bytes: u64,
    pub(super) sum_ms: f64,
    pub(super) max_ms: f64,
    latencies: &'a str,
}

/// A kind of error.
#[derive(Debug)]
pub(super) struct KeptError<'a> {
    pub(super) count: u64,
    pub(super) method: &'a str,
    pub(super) name: &'a str,
    pub(super) error: &'a str,
    pub(super) first: Option<SystemTime>,
    pub(super) last: Option<SystemTime>,
}

/// A second of the run, or what several were thinned to.
#[derive(Debug, Default)]
pub(super) struct KeptPoint {
    /// How long it is.
    pub(super) seconds: f64,
    pub(super) users: u32,
    /// Requests in it.
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
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

/// How exact the latencies are.
const ERROR: f64 = 0.01;

impl Kept<'_> {
    /// The summary over all tests.
    pub fn summary(&self) -> &Value {
        self.summary
    }

    /// The figures for a page.
    pub fn figures(&self) -> Figures {
        let mut names: IndexMap<(&str, &str), Sum> = IndexMap::new();
        let (mut total, mut further, mut further_names) = (Sum::default(), Sum::default(), 0);
        for test in &self.tests {
            for name in &test.names {
                names.entry((name.method, name.name)).or_default().add(name);
                total.add(name);
            }
            further.add(&test.further);
            total.add(&test.further);
            further_names += test.further_names;
        }
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_by(|(a, one), (b, other)| other.requests.cmp(&one.requests).then(a.cmp(b)));
        for (_, one) in names.split_off(names.len().min(MAX_NAMES)) {
            further.merge(&one);
            further_names += 1;
        }
        let row = |((method, name), sum): ((&str, &str), Sum)| NameFigures {
            label: Some((method.to_owned(), name.to_owned())),
            stats: sum.stats(),
            points: Vec::new(),
        };
        let mut rows: Vec<NameFigures> = names.into_iter().map(row).collect();
        let has_names = !rows.is_empty();
        if further_names > 0 {
            rows.push(NameFigures { stats: further.stats(), ..NameFigures::default() });
        }
        let latencies = total.bars();
        let (errors, further_errors) = self.errors();
        let iterations = self.tests.iter().fold(Iterations::default(), |sum, test| Iterations {
            started: sum.started + test.iterations.started,
            planned: sum.planned + test.iterations.planned,
            dropped: sum.dropped + test.iterations.dropped,
            span: Duration::ZERO,
        });
        let seconds = self.tests.iter().map(|test| test.seconds).sum();
        let total = if has_names { total.stats() } else { self.stats() };
        Figures {
            facts: Facts::default(),
            tests: self.tests.iter().map(KeptTest::facts).collect(),
            course: self.course(seconds, &total),
            total,
            seconds,
            latencies,
            names: rows,
            further_names,
            without_course: Some("the rows of this run are not kept".to_owned()),
            errors,
            further_errors,
            interrupted: self.tests.iter().map(|test| test.interrupted).sum(),
            iterations,
            gaps: self.gaps(),
            error: Some(ERROR),
            ..Figures::default()
        }
    }

    /// What the requests of all tests lacked.
    fn gaps(&self) -> Gaps {
        let mut gaps = Gaps::default();
        self.tests.iter().for_each(|test| gaps.add(&test.gaps));
        gaps
    }

    /// Over all requests, of a run whose names were too many to be kept.
    fn stats(&self) -> Stats {
        let at = |at: f64| {
            let found = self.percentiles.iter().find(|(percentile, _)| *percentile == at);
            found.map(|(_, millis)| *millis)
        };
        Stats {
            requests: self.requests,
            failures: self.failures,
            p50_ms: at(50.0),
            p90_ms: at(90.0),
            p95_ms: at(95.0),
            p99_ms: at(99.0),
            max_ms: Some(self.max_ms),
            ..Stats::default()
        }
    }

    /// The errors, the most frequent first, and what is left of them.
    fn errors(&self) -> (Vec<ErrorFigures>, (usize, u64)) {
        let mut kinds = Kinds::default();
        let mut offset = 0.0;
        for test in &self.tests {
            for error in &test.errors {
                kinds.add(error, test.started, offset);
            }
            kinds.leave(test.further_errors);
            offset += test.seconds;
        }
        kinds.into_figures()
    }

    /// Points at about equal distances. Of several seconds that share one, the slowest counts.
    fn course(&self, seconds: f64, total: &Stats) -> Course {
        let together = self.points.len().div_ceil(MAX_POINTS).max(1);
        let slowest = |points: &[KeptPoint], of: fn(&KeptPoint) -> f64| {
            Some(points.iter().map(of).fold(0.0, f64::max))
        };
        let point = |points: &[KeptPoint]| Point {
            seconds: points.iter().map(|point| point.seconds).sum(),
            requests: points.iter().map(|point| point.requests).sum(),
            failures: points.iter().map(|point| point.failures).sum(),
            users: points.iter().map(|point| point.users).max(),
            asked: None,
            p50_ms: slowest(points, |point| point.p50_ms),
            p95_ms: slowest(points, |point| point.p95_ms),
            p99_ms: slowest(points, |point| point.p99_ms),
        };
        let mut points: Vec<Point> = self.points.chunks(together).map(point).collect();
        let Some(first) = points.first() else {
            // It was over before the first of them.
            let seconds = if seconds > 0.0 { seconds } else { 1.0 };
            let Stats { requests, failures, p50_ms, p95_ms, p99_ms, .. } = *total;
            let (users, asked) = (None, None);
            let whole = Point { seconds, requests, failures, users, asked, p50_ms, p95_ms, p99_ms };
            return Course { width: seconds, points: vec![whole] };
        };
        // The first and the last may be shorter.
        let width = points.get(points.len() / 2).unwrap_or(first).seconds;
        if points.len() > 1 && points.last().is_some_and(|last| last.seconds < width * 0.9) {
            points.pop();
        }
        Course { width, points }
    }
}

/// Errors by their text.
#[derive(Debug, Default)]
struct Kinds {
    kinds: IndexMap<String, ErrorFigures>,
    left: (usize, u64),
}

impl Kinds {
    /// Adds the error of a test that began at a moment, and on the time axis at a second.
    fn add(&mut self, error: &KeptError<'_>, started: Option<SystemTime>, offset: f64) {
        let kind = self.kinds.entry(error.error.to_owned()).or_default();
        error.error.clone_into(&mut kind.text);
        kind.count += error.count;
        let at = |moment: Option<SystemTime>| {
            let since = moment?.duration_since(started?).unwrap_or_default();
            Some(Moment { at: moment?, seconds: offset + since.as_secs_f64() })
        };
        let earlier = |known: &Moment, new: &Moment| new.at < known.at;
        if let Some(new) = at(error.first)
            && kind.first.as_ref().is_none_or(|known| earlier(known, &new))
        {
            kind.first = Some(new);
        }
        if let Some(new) = at(error.last)
            && kind.last.as_ref().is_none_or(|known| earlier(&new, known))
        {
            kind.last = Some(new);
        }
        let is_it = |(method, name, _): &&mut (String, String, u64)| {
            method == error.method && name == error.name
        };
        match kind.names.iter_mut().find(is_it) {
            Some((.., count)) => *count += error.count,
            None => {
                kind.names.push((error.method.to_owned(), error.name.to_owned(), error.count));
            }
        }
    }

    /// Adds kinds of which only the number and the requests are known.
    fn leave(&mut self, (kinds, count): (usize, u64)) {
        self.left = (self.left.0 + kinds, self.left.1 + count);
    }

    fn into_figures(mut self) -> (Vec<ErrorFigures>, (usize, u64)) {
        let mut kinds: Vec<ErrorFigures> = std::mem::take(&mut self.kinds).into_values().collect();
        kinds.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
        for kind in kinds.split_off(kinds.len().min(MAX_ERRORS)) {
            self.leave((1, kind.count));
        }
        for kind in &mut kinds {
            kind.names.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.cmp(b)));
            kind.further_names = kind.names.len().saturating_sub(MAX_NAMES_OF_ERROR);
            kind.names.truncate(MAX_NAMES_OF_ERROR);
        }
        (kinds, self.left)
    }
}

impl KeptTest<'_> {
    fn facts(&self) -> TestFacts {
        TestFacts {
            started: self.started,
            took: Duration::try_from_secs_f64(self.seconds).unwrap_or_default(),
            warnings: self.warnings.iter().map(|&warning| warning.to_owned()).collect(),
            document: self.document.map(str::to_owned),
            load: self.load.map(str::to_owned),
            seed: self.seed,
        }
    }
}

/// The figures of a record: where some requests have no rows, the sums are those of all requests, exact
/// to 1 %, and the course is that of the rows.
pub fn figures_of(records: &Records, memory: Option<&Arc<Memory>>) -> Figures {
    let mut figures = Figures::of(records, memory);
    if !records.are_partial() {
        return figures;
    }
    let (mut total, mut further, mut further_names) = (Sum::default(), Sum::default(), 0);
    for series in records.series().iter().filter(|series| series.requests > 0) {
        let sum = Sum::of(series);
        total.merge(&sum);
        let is_it = |row: &&mut NameFigures| {
            let label = row.label.as_ref();
            label.is_some_and(|(method, name)| **method == *series.method && **name == *series.name)
        };
        match figures.names.iter_mut().find(is_it) {
            Some(row) => row.stats = sum.stats(),
            None => {
                further.merge(&sum);
                further_names += 1;
            }
        }
    }
    figures.names.retain(|row| row.label.is_some());
    if further_names > 0 {
        figures.names.push(NameFigures { stats: further.stats(), ..NameFigures::default() });
    }
    figures.further_names = further_names;
    figures.total = total.stats();
    figures.latencies = total.bars();
    let length = |recording: &Arc<Recording>| {
        recording.users.last().map_or(0.0, |last| last.at.as_secs_f64())
    };
    let mut errors = Kinds::default();
    let mut offset = 0.0;
    for recording in records.recordings() {
        let mut one = Records::default();
        one.push(Arc::clone(recording));
        for error in one.errors(usize::MAX).kinds {
            let ErrorCount { count, first, last, method, name, error } = error;
            let (first, last) = (Some(first), Some(last));
            let error = KeptError { count, method, name, error, first, last };
            errors.add(&error, Some(recording.started_at()), offset);
        }
        offset += length(recording);
    }
    (figures.errors, figures.further_errors) = errors.into_figures();
    figures.seconds = figures.seconds.max(offset);
    figures.error = Some(ERROR);
    figures.is_partial = true;
    figures
}

/// The figures of a record by name, for a comparison; exact unless some requests have no rows.
pub fn run_of(records: &Records) -> Run {
    if !records.are_partial() {
        return diff::of_records(records);
    }
    // By name alone, whatever the method.
    let mut names: BTreeMap<String, Sum> = BTreeMap::new();
    for series in records.series().iter().filter(|series| series.requests > 0) {
        names.entry(series.name.to_string()).or_default().merge(&Sum::of(series));
    }
    names.into_iter().map(|(name, sum)| (name, sum.metrics())).collect()
}

/// The figures of several names or tests.
#[derive(Debug, Default)]
struct Sum {
    requests: u64,
    failures: u64,
    bytes: u64,
    sum_ms: f64,
    max_ms: f64,
    latencies: BTreeMap<u64, u64>,
}

impl Sum {
    fn add(&mut self, name: &KeptName<'_>) {
        self.requests = self.requests.saturating_add(name.requests);
        self.failures = self.failures.saturating_add(name.failures);
        self.bytes = self.bytes.saturating_add(name.bytes);
        self.sum_ms += name.sum_ms;
        self.max_ms = self.max_ms.max(name.max_ms);
        name.latencies().for_each(|(micros, count)| self.count(micros, count));
    }

    fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.sum_ms += other.sum_ms;
        self.max_ms = self.max_ms.max(other.max_ms);
        other.latencies.iter().for_each(|(micros, count)| self.count(*micros, *count));
    }

    fn count(&mut self, micros: u64, count: u64) {
        let sum = self.latencies.entry(micros).or_default();
        *sum = sum.saturating_add(count);
    }

    fn of(series: &Series) -> Self {
        let mut sum = Self {
            requests: series.requests,
            failures: series.failures,
            bytes: series.bytes,
            sum_ms: series.latency_sum_us as f64 / 1000.0,
            ..Self::default()
        };
        for (millis, count) in series.latencies_ms() {
            sum.count((millis * 1000.0).round() as u64, count);
            sum.max_ms = millis;
        }
        sum
    }

    /// How many lie in each bar of the distribution.
    fn bars(&self) -> BTreeMap<i32, u64> {
        let mut bars = BTreeMap::new();
        for (micros, count) in &self.latencies {
            *bars.entry(bar_of(*micros as f64 / 1000.0)).or_default() += count;
        }
        bars
    }

    /// What a comparison looks at.
    fn metrics(&self) -> RunMetrics {
        let stats = self.stats();
        let known = Option::unwrap_or_default;
        RunMetrics {
            requests: stats.requests,
            failures: stats.failures,
            p50_ms: known(stats.p50_ms),
            p95_ms: known(stats.p95_ms),
            p99_ms: known(stats.p99_ms),
            mean_ms: known(stats.mean_ms),
            min_ms: known(stats.min_ms),
            p90_ms: known(stats.p90_ms),
            p999_ms: known(stats.p999_ms),
            max_ms: known(stats.max_ms),
        }
    }

    fn stats(&self) -> Stats {
        let (requests, failures, bytes) = (self.requests, self.failures, Some(self.bytes));
        let mut stats = Stats { requests, failures, bytes, ..Stats::default() };
        // How many latencies are at most so long.
        let mut upto = 0_u64;
        let steps: Vec<(u64, f64)> = self
            .latencies
            .iter()
            .map(|(micros, count)| {
                upto = upto.saturating_add(*count);
                (upto, *micros as f64 / 1000.0)
            })
            .collect();
        let mean = self.sum_ms / requests.max(1) as f64;
        stats.set_latencies(upto as usize, mean, |index| {
            let step = steps.partition_point(|(upto, _)| *upto <= index as u64);
            steps.get(step).map_or(self.max_ms, |(_, millis)| *millis)
        });
        stats
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
            span: Duration::ZERO,
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

/// Figures of a run with one test.
pub fn of_run(test: Map, series: Value) -> Value {
    Value::dict([("tests", Value::List(vec![Value::Dict(test)])), ("series", series)])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::live::Live;

    /// What is kept of a run with these records, through JSON as a history has it.
    pub(crate) fn kept_of(records: &Records, series: &[Series]) -> Value {
        let recording = records.recordings().first().expect("a run");
        let mut test = Map::from_iter([
            ("summary".to_owned(), records.summary().to_details()),
            ("errors".to_owned(), records.errors(100).to_value()),
            ("warnings".to_owned(), Value::List(vec!["slow".into()])),
        ]);
        let of = OfTest {
            started: recording.started_at(),
            took: Duration::from_secs(4),
            document: Some("the document"),
            conditions: &recording.conditions,
            series,
        };
        test.extend(members(of).map(|(key, value)| (key.to_owned(), value)));
        let column = |of: [u64; 4]| Value::List(of.map(Value::from).to_vec());
        let points = Value::dict([
            ("test", column([0; 4])),
            ("elapsed_s", column([1, 2, 3, 4])),
            ("users", column([1, 2, 2, 1])),
            ("requests", column([10, 30, 60, 70])),
            ("failures", column([0, 1, 1, 1])),
            ("p50_ms", column([1, 2, 3, 4])),
            ("p95_ms", column([2, 3, 4, 5])),
            ("p99_ms", column([3, 4, 5, 6])),
        ]);
        let json = serde_json::to_string(&of_run(test, points)).expect("JSON");
        Value::parse(&json).expect("JSON")
    }

    #[test]
    fn what_is_kept_of_a_test_is_read_back_with_its_busiest_names_and_the_sum_of_the_others() {
        let live = Live::default();
        for number in 0..MAX_NAMES + 7 {
            crate::record::fixture::request(&live, &format!("n{number:03}"), 5, 10, false);
        }
        crate::record::fixture::request(&live, "n003", 50, 10, true);
        let records =
            crate::record::fixture::records(&[("GET", "u", "n003", 500, 50.0, 1, Some("x"))]);
        let value = kept_of(&records, &live.series());
        let kept = Kept::read(&value).expect("a test");
        let test = &kept.tests[0];
        assert_eq!((test.names.len(), test.further_names, test.further.requests), (150, 7, 7));
        let first = &test.names[0];
        assert_eq!(
            (first.method, first.name, first.requests, first.failures),
            ("GET", "n003", 2, 1)
        );
        let latencies: Vec<u64> = first.latencies().map(|(_, count)| count).collect();
        assert_eq!(latencies, [1, 1]);
        assert!((first.max_ms - 50.0).abs() < 0.5, "{}", first.max_ms);
        assert_eq!((test.errors[0].error, test.errors[0].count), ("x", 1));
        let error = &kept.figures().errors[0];
        let first = error.first.expect("a time");
        assert_eq!((first.seconds, error.last), (0.05, Some(first)));
        assert_eq!((test.warnings[0], test.document), ("slow", Some("the document")));
        let course: Vec<_> = kept.points.iter().map(|point| point.requests).collect();
        assert_eq!(course, [10, 20, 30, 10]);
    }

    #[test]
    fn figures_and_comparisons_of_a_record_count_requests_without_rows() {
        let failed = ("GET", "u", "late", 500, 1000.0, 1, Some("broken"));
        let posted = ("POST", "u", "first", 200, 1000.0, 1, None);
        let records =
            crate::record::fixture::partial(&[vec![failed; 50], vec![posted; 9000]].concat());
        let figures = figures_of(&records, None);
        assert_eq!((figures.total.failures, figures.is_partial), (50, true));
        let error = &figures.errors[0];
        assert_eq!((&*error.text, error.count), ("broken", 50));
        assert_eq!(error.names, [("GET".to_owned(), "late".to_owned(), 50)]);
        let run = run_of(&records);
        assert_eq!((run["late"].failures, run["first"].requests), (50, 8192 + 9000));
        assert!((run["first"].p95_ms - 1000.0).abs() < 20.0, "{:?}", run["first"]);
        let page = crate::report::tests::written(|out| {
            crate::report::html::write(&records, &crate::report::Options::default(), out)
        });
        assert!(page.contains("Some requests have no rows"));
        assert!(!page.contains("rows of this run are not kept"));
        assert!(page.contains("Requests by status (those with rows)"));
    }

    #[test]
    fn figures_of_any_other_form_are_no_run_or_an_empty_one() {
        for json in ["null", "{}", "7", r#"{"tests": []}"#, r#"{"tests": 1}"#, r#"{"tests": [1]}"#]
        {
            let value = Value::parse(json).expect("JSON");
            assert!(Kept::read(&value).is_none(), "{json}");
        }
        let odd = r#"{"tests": [{"summary": 1, "names": [1, {"requests": -5, "latencies_us": "a:b 1"}],
            "started": -1e400, "errors": [null]}], "series": {"elapsed_s": ["a", -1, 1e999]}}"#;
        let value = Value::parse(odd).expect("JSON");
        let kept = Kept::read(&value).expect("a test");
        assert_eq!((kept.requests, kept.points.len(), kept.tests[0].names.len()), (0, 3, 2));
    }
}
