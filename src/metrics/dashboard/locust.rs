//! The figures of a test as Locust's web page has them, for scripts that read those: `/stats/requests`
//! and the tables of requests and failures as CSV. Errors come from a tally of the test, the rest
//! from its live figures.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use indexmap::IndexMap;

use crate::escape::csv_cell;
use crate::record::live::{Live, Series, since};
use crate::value::{Charset, Map, Value};

/// The most rows and errors that are shown; Locust's.
const MOST_ROWS: usize = 500;

/// The time of the current rates and percentiles; Locust's.
const CURRENT: Duration = Duration::from_secs(10);

/// The time between two states that are kept for them.
const STEP: Duration = Duration::from_secs(1);

/// The percentiles of the table of requests.
const PERCENTILES: [(&str, f64); 11] = [
    ("50%", 50.0),
    ("66%", 66.0),
    ("75%", 75.0),
    ("80%", 80.0),
    ("90%", 90.0),
    ("95%", 95.0),
    ("98%", 98.0),
    ("99%", 99.0),
    ("99.9%", 99.9),
    ("99.99%", 99.99),
    ("100%", 100.0),
];

/// Name and method.
type Key = (Arc<str>, Arc<str>);

/// The test that a page is about.
#[derive(Debug)]
pub struct Subject {
    /// Its figures, before it begins.
    pub live: Arc<Live>,
    /// Users at the peak of its shape.
    pub peak: usize,
    /// Whether it has no workers on other machines.
    pub is_alone: bool,
    /// What LoadDensity calls its users.
    pub class: String,
    /// Makes its report so far, or says why there is none.
    pub report: Report,
}

/// Makes the report of a test.
pub struct Report(pub Box<dyn Fn() -> Result<String, String> + Send + Sync>);

impl fmt::Debug for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Report")
    }
}

/// What was seen of a test.
#[derive(Debug)]
pub(super) struct Stats {
    subject: Subject,
    /// Times are from the Unix epoch.
    started: Duration,
    last: Duration,
    requests: u64,
    /// Requests and failures of each row, and all requests, every second for a while.
    states: VecDeque<State>,
    errors: IndexMap<ErrorKey, Occurred>,
}

#[derive(Debug)]
struct State {
    at: Duration,
    rows: HashMap<Key, (u64, u64)>,
    all: Series,
}

/// Method, name and error.
type ErrorKey = (Arc<str>, Arc<str>, Arc<str>);

#[derive(Debug)]
struct Occurred {
    count: u64,
    first: Duration,
    last: Duration,
}

impl Stats {
    /// Of a test that begins now.
    pub(super) fn new(subject: Subject, now: Duration) -> Self {
        subject.live.open_tally();
        let (states, errors) = (VecDeque::new(), IndexMap::new());
        Self { subject, started: now, last: now, requests: 0, states, errors }
    }

    /// Whether the test has no workers on other machines.
    pub(super) fn is_alone(&self) -> bool {
        self.subject.is_alone
    }

    /// `/stats/report`, or why there is none.
    pub(super) fn report(&self) -> Result<String, String> {
        (self.subject.report.0)()
    }

    /// `/tasks`: of users of one kind, which have one task there.
    pub(super) fn tasks(&self) -> String {
        let share = if self.subject.live.users() > 0 { 1.0 } else { 0.0 };
        let of = |task: f64| {
            let task = Value::dict([("test", Value::dict([("ratio", Value::Float(task))]))]);
            let class = Value::dict([("ratio", Value::Float(share)), ("tasks", task)]);
            Value::Dict(Map::from_iter([(self.subject.class.clone(), class)]))
        };
        // Of each user all of its tasks, and of all users.
        Value::dict([("per_class", of(1.0)), ("total", of(share))]).to_json(Charset::Ascii)
    }

    /// Looks at what was counted since the last time.
    pub(super) fn look(&mut self, now: Duration) {
        let requests = self.subject.live.requests().0;
        if requests != self.requests {
            (self.requests, self.last) = (requests, now);
        }
        self.take_errors();
        if self.states.back().is_none_or(|state| now.saturating_sub(state.at) >= STEP) {
            let mut rows = HashMap::new();
            self.subject.live.each(|series| {
                if rows.len() < MOST_ROWS {
                    rows.insert(key(series), (series.requests, series.failures));
                }
            });
            self.states.push_back(State { at: now, rows, all: self.subject.live.total() });
        }
        while self.states.front().is_some_and(|state| now.saturating_sub(state.at) > CURRENT) {
            self.states.pop_front();
        }
    }

    fn take_errors(&mut self) {
        let Some(tally) = self.subject.live.tally() else { return };
        for outcome in tally.take() {
            let Some(error) = outcome.error else { continue };
            let (first, last) = (outcome.figures.first, outcome.figures.last);
            let (first, last) = (tally.epoch() + first, tally.epoch() + last);
            let mut key = (outcome.label.method, outcome.label.name, error);
            if self.errors.len() >= MOST_ROWS && !self.errors.contains_key(&key) {
                key = ("".into(), "".into(), "further kinds of error".into());
            }
            let new = || Occurred { count: 0, first, last };
            let known = self.errors.entry(key).or_insert_with(new);
            known.count += outcome.figures.requests;
            (known.first, known.last) = (known.first.min(first), known.last.max(last));
        }
    }

    /// The rows in Locust's order.
    fn rows(&self) -> Vec<Row> {
        let mut keys = Vec::new();
        self.subject.live.each(|series| keys.push(key(series)));
        keys.sort_unstable();
        keys.truncate(MOST_ROWS);
        let places: HashMap<Key, usize> = keys.into_iter().zip(0..).collect();
        let mut rows = Vec::new();
        self.subject.live.each(|series| {
            if let Some(place) = places.get(&key(series)) {
                rows.push((*place, self.row(series)));
            }
        });
        rows.sort_unstable_by_key(|(place, _)| *place);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn row(&self, series: &Series) -> Row {
        let key = key(series);
        let known = self.states.iter().find_map(|state| Some((state.at, *state.rows.get(&key)?)));
        self.row_since(series, known)
    }

    fn all(&self) -> Row {
        let all = self.subject.live.total();
        let known =
            self.states.front().map(|state| (state.at, (state.all.requests, state.all.failures)));
        Row { name: "Aggregated".into(), ..self.row_since(&all, known) }
    }

    fn row_since(&self, series: &Series, known: Option<(Duration, (u64, u64))>) -> Row {
        let (requests, failures) = (series.requests, series.failures);
        let mean = |sum: u64| sum as f64 / requests.max(1) as f64;
        let rate = |count: u64, time: Duration| match time.is_zero() {
            true => 0.0,
            false => count as f64 / time.as_secs_f64(),
        };
        let (at, (requests_then, failures_then)) =
            known.unwrap_or((self.last, (requests, failures)));
        let (all, now) = (self.last.saturating_sub(self.started), self.last.saturating_sub(at));
        Row {
            method: Arc::clone(&series.method),
            name: Arc::clone(&series.name),
            requests,
            failures,
            mean_ms: mean(series.latency_sum_us) / 1000.0,
            mean_bytes: mean(series.bytes),
            min_ms: series.percentile_ms(0.0),
            median_ms: series.percentile_ms(50.0),
            percentiles_ms: PERCENTILES.map(|(_, percent)| series.percentile_ms(percent)),
            total: (rate(requests, all), rate(failures, all)),
            current: (
                rate(requests.saturating_sub(requests_then), now),
                rate(failures.saturating_sub(failures_then), now),
            ),
        }
    }

    /// `/stats/requests`, with its keys in Locust's order.
    pub(super) fn requests(&self) -> String {
        let all = self.all();
        let users = self.subject.live.users();
        let state = match self.subject.live.peak_users() < self.subject.peak {
            true => "spawning",
            false => "running",
        };
        let current =
            self.states.front().map(|state| since(&self.subject.live.total(), &state.all));
        let current = |percent| match &current {
            Some(current) if current.requests > 0 => whole(current.percentile_ms(percent)),
            _ => Value::Null,
        };
        let fail_ratio = all.failures as f64 / all.requests.max(1) as f64;
        let mut stats: Vec<Value> = self.rows().iter().map(Row::to_value).collect();
        stats.push(all.to_value());
        Value::dict([
            ("current_fail_per_sec", Value::Float(all.current.1)),
            (
                "current_response_time_percentiles",
                Value::dict([
                    ("response_time_percentile_0.5", current(50.0)),
                    ("response_time_percentile_0.95", current(95.0)),
                ]),
            ),
            ("current_rps", Value::Float(all.current.0)),
            ("errors", Value::List(self.errors.iter().map(error).collect())),
            ("fail_ratio", Value::Float(fail_ratio)),
            ("state", state.into()),
            ("stats", Value::List(stats)),
            ("total_fail_per_sec", Value::Float(all.total.1)),
            ("total_rps", Value::Float(all.total.0)),
            ("user_count", Value::from(users as u64)),
        ])
        .to_json(Charset::Ascii)
    }

    /// `/stats/requests/csv`.
    pub(super) fn requests_csv(&self) -> String {
        let mut columns = vec![
            "Type",
            "Name",
            "Request Count",
            "Failure Count",
            "Median Response Time",
            "Average Response Time",
            "Min Response Time",
            "Max Response Time",
            "Average Content Size",
            "Requests/s",
            "Failures/s",
        ];
        columns.extend(PERCENTILES.map(|(name, _)| name));
        let mut rows = self.rows();
        rows.push(self.all());
        table(&columns, rows.iter().map(Row::cells))
    }

    /// `/stats/failures/csv`.
    pub(super) fn failures_csv(&self) -> String {
        let columns = ["Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen"];
        let rows = self.errors.iter().map(|((method, name, error), occurred)| {
            let [method, name, error] =
                [method, name, error].map(|text| csv_cell(text).into_owned());
            let [first, last] = [occurred.first, occurred.last].map(utc);
            vec![method, name, error, occurred.count.to_string(), first, last]
        });
        table(&columns, rows)
    }
}

fn key(series: &Series) -> Key {
    (Arc::clone(&series.name), Arc::clone(&series.method))
}

fn error(((method, name, error), occurred): (&ErrorKey, &Occurred)) -> Value {
    Value::dict([
        ("error", Value::from(&**error)),
        ("first_seen", Value::Float(occurred.first.as_secs_f64())),
        ("last_seen", Value::Float(occurred.last.as_secs_f64())),
        ("method", (&**method).into()),
        ("name", (&**name).into()),
        ("occurrences", Value::from(occurred.count)),
    ])
}

/// A moment as Locust writes it, to the second.
fn utc(moment: Duration) -> String {
    let moment = UNIX_EPOCH + Duration::from_secs(moment.as_secs());
    format!("{:.0}", jiff::Timestamp::try_from(moment).unwrap_or_default())
}

/// Milliseconds as Locust counts most of them.
fn whole(millis: f64) -> Value {
    Value::Int(millis.round() as i64)
}

/// A text that is written into memory does not fail.
fn table(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let _ = writer.write_record(columns);
    for row in rows {
        let _ = writer.write_record(row);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// The figures of one method and name.
#[derive(Debug)]
struct Row {
    method: Arc<str>,
    name: Arc<str>,
    requests: u64,
    failures: u64,
    mean_ms: f64,
    mean_bytes: f64,
    min_ms: f64,
    median_ms: f64,
    percentiles_ms: [f64; PERCENTILES.len()],
    /// Requests and failures per second, from the start of the test to its last request.
    total: (f64, f64),
    /// The same of the last seconds.
    current: (f64, f64),
}

impl Row {
    fn percentile(&self, name: &str) -> f64 {
        let mut all = PERCENTILES.iter().zip(self.percentiles_ms);
        all.find(|((known, _), _)| *known == name).map_or(0.0, |(_, millis)| millis)
    }

    fn to_value(&self) -> Value {
        Value::dict([
            ("avg_content_length", Value::Float(self.mean_bytes)),
            ("avg_response_time", Value::Float(self.mean_ms)),
            ("current_fail_per_sec", Value::Float(self.current.1)),
            ("current_rps", Value::Float(self.current.0)),
            ("max_response_time", Value::Float(self.percentile("100%").round())),
            ("median_response_time", whole(self.median_ms)),
            ("method", (&*self.method).into()),
            ("min_response_time", Value::Float(self.min_ms.round())),
            ("name", (&*self.name).into()),
            ("num_failures", Value::from(self.failures)),
            ("num_requests", Value::from(self.requests)),
            ("response_time_percentile_0.95", whole(self.percentile("95%"))),
            ("response_time_percentile_0.99", whole(self.percentile("99%"))),
            ("total_fail_per_sec", Value::Float(self.total.1)),
            ("total_rps", Value::Float(self.total.0)),
        ])
    }

    fn cells(&self) -> Vec<String> {
        let float = |value: f64| Value::Float(value).to_text();
        let mut cells = vec![
            csv_cell(&self.method).into_owned(),
            csv_cell(&self.name).into_owned(),
            self.requests.to_string(),
            self.failures.to_string(),
            whole(self.median_ms).to_text(),
            float(self.mean_ms),
            float(self.min_ms),
            float(self.percentile("100%")),
            float(self.mean_bytes),
            float(self.total.0),
            float(self.total.1),
        ];
        cells.extend(self.percentiles_ms.map(|millis| match self.requests {
            0 => "N/A".to_owned(),
            _ => whole(millis).to_text(),
        }));
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::request;

    fn stats(live: &Arc<Live>) -> Stats {
        let (class, report) = ("X".to_owned(), Report(Box::new(|| Ok(String::new()))));
        let subject = Subject { live: Arc::clone(live), peak: 0, is_alone: true, class, report };
        Stats::new(subject, at(0))
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn rates_are_those_of_the_test_and_of_its_last_ten_seconds() {
        let live = Arc::new(Live::default());
        let mut stats = stats(&live);
        for second in 1..=40 {
            // Twice as many in the second half, every other one fails.
            let count = if second > 20 { 4 } else { 2 };
            (0..count).for_each(|number| request(&live, "a", 10, 8, number % 2 == 0));
            stats.look(at(second));
        }
        let all = stats.all();
        assert_eq!((all.requests, all.failures, all.mean_bytes), (120, 60, 8.0));
        assert_eq!((all.total, all.current), ((3.0, 1.5), (4.0, 2.0)));
        let rows = stats.rows();
        assert_eq!((rows.len(), rows[0].current), (1, (4.0, 2.0)));
        assert!(stats.states.len() <= 11, "{}", stats.states.len());
    }

    #[test]
    fn t101_at_most_so_many_rows_and_kinds_of_errors_are_kept() {
        let live = Arc::new(Live::default());
        let mut stats = stats(&live);
        (0..MOST_ROWS + 9).for_each(|number| request(&live, &number.to_string(), 1, 1, false));
        stats.look(at(1));
        assert_eq!(stats.rows().len(), MOST_ROWS);
        assert_eq!(stats.states[0].rows.len(), MOST_ROWS);
        assert_eq!(stats.requests_csv().lines().count(), 1 + MOST_ROWS + 1);
    }

    #[test]
    fn t23_names_are_no_formulas_in_the_table() {
        let live = Arc::new(Live::default());
        let mut stats = stats(&live);
        request(&live, "=1+1,\"x\"", 5, 3, false);
        stats.look(at(2));
        let table = stats.requests_csv();
        assert!(table.starts_with("Type,Name,Request Count,"), "{table}");
        assert!(table.contains(r#""'=1+1,""x""",1,0,5,5.0,"#), "{table}");
        assert!(table.contains("\r\n,Aggregated,1,0,5,5.0,"), "{table}");
    }
}
