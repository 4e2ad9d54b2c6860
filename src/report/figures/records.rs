//! The figures of a record, computed in two passes over its rows: the first determines how long the
//! tests took and which names and errors matter, the second collects the latencies, eight bytes for
//! each request, as much as a summary of the same record takes while it is made (the record has taken
//! that memory already). Every figure is exact.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::names::{Numbers, add, address};
use super::time::{Axis, end_of, end_of_load, hold_users};
use super::{
    Course, ErrorFigures, Figures, MAX_CHARTED_NAMES, MAX_ERRORS, MAX_NAMES, MAX_NAMES_OF_ERROR,
    MAX_TARGETS, Moment, NameFigures, Point, Stats, StatusFigures, TestFacts, bar_begin, bar_of,
};
use crate::memory::Memory;
use crate::record::stats::interpolate;
use crate::record::{Records, Row, TICK_NANOS};
use crate::report::rows::name_of;

/// The most different hosts that are counted.
const MAX_HOSTS: usize = 1000;

/// A latency and the point in which its request ended, in one number: the order of these numbers is
/// that of the points, and within a point that of the latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timed(u64);

impl Timed {
    /// Bits of the latency; 325 days fit in.
    const LATENCY_BITS: u32 = 48;
    const LATENCY: u64 = (1 << Self::LATENCY_BITS) - 1;

    fn new(place: usize, ticks: u64) -> Self {
        Self((place as u64) << Self::LATENCY_BITS | ticks.min(Self::LATENCY))
    }

    fn place(self) -> usize {
        (self.0 >> Self::LATENCY_BITS) as usize
    }

    fn ticks(self) -> u64 {
        self.0 & Self::LATENCY
    }

    fn millis(self) -> f64 {
        millis(self.ticks() as f64)
    }
}

/// As the summary of a record converts it, to the last bit.
fn millis(ticks: f64) -> f64 {
    ticks * TICK_NANOS as f64 / 1e6
}

fn ticks(millis: f64) -> u64 {
    (millis * 1e6 / TICK_NANOS as f64).round() as u64
}

/// Method and name of a request, or its URL without a name.
type Shown<'a> = (&'a str, &'a str);

fn shown<'a>(row: &Row<'a>) -> Shown<'a> {
    (&row.label.method, name_of(row))
}

/// What the first pass finds.
#[derive(Debug, Default)]
struct Survey<'a> {
    labels: Numbers<Shown<'a>>,
    /// Requests by number of the label.
    counts: Vec<u64>,
    errors: Numbers<&'a str>,
    /// By number of the error.
    found: Vec<Found>,
    hosts: Numbers<&'a str>,
    statuses: BTreeMap<u16, StatusFigures>,
    /// The length of each test in seconds.
    lengths: Vec<f64>,
}

/// How often an error was found, and when, in seconds of the time axis and since its test started.
#[derive(Debug, Clone, Copy)]
struct Found {
    number: usize,
    count: u64,
    first: (f64, SystemTime),
    last: (f64, SystemTime),
}

impl<'a> Survey<'a> {
    fn of(records: &'a Records) -> Self {
        let mut survey = Self::default();
        let mut offset = 0.0;
        for recording in records.recordings() {
            let mut length: f64 = 0.0;
            for row in recording.rows() {
                let hosts = &mut survey.hosts;
                let number = survey.labels.number(address(row.label), || {
                    if let Some(host) = host(&row.label.url)
                        && hosts.all().len() < MAX_HOSTS
                    {
                        hosts.number(address(row.label), || host);
                    }
                    shown(&row)
                });
                add(&mut survey.counts, number, 1);
                let end = end_of(&row, recording);
                length = length.max(end);
                if let Some(status) = row.status {
                    let status = survey.statuses.entry(status).or_default();
                    status.count += 1;
                    status.failures += u64::from(row.failed());
                }
                if let Some(text) = row.error {
                    let number = survey.errors.number(address(text), || text);
                    let at = recording.started_at() + Duration::from_secs_f64(end);
                    survey.note_error(number, (offset + end, at));
                }
            }
            survey.lengths.push(length);
            offset += length;
        }
        survey
    }

    fn note_error(&mut self, number: usize, moment: (f64, SystemTime)) {
        match self.found.get_mut(number) {
            Some(found) => {
                found.count += 1;
                if moment.0 < found.first.0 {
                    found.first = moment;
                }
                if moment.0 > found.last.0 {
                    found.last = moment;
                }
            }
            None => self.found.push(Found { number, count: 1, first: moment, last: moment }),
        }
    }

    /// The numbers of the labels, the busiest first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.labels.all().len()).collect();
        let key = |number: &usize| {
            let count = self.counts.get(*number).copied().unwrap_or_default();
            (std::cmp::Reverse(count), self.labels.all().get(*number).copied())
        };
        order.sort_unstable_by_key(key);
        order
    }

    /// The errors that are shown, the most frequent first, and what is left of them.
    fn frequent(&self) -> (Vec<Found>, (usize, u64)) {
        let mut found = self.found.clone();
        found.sort_unstable_by_key(|found| {
            (std::cmp::Reverse(found.count), self.errors.all().get(found.number).copied())
        });
        let further = found.split_off(found.len().min(MAX_ERRORS));
        let count = further.iter().map(|found| found.count).sum();
        (found, (further.len(), count))
    }
}

/// The host of a URL with its scheme and port, or the whole of what is no URL.
fn host(url: &str) -> Option<&str> {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(begin..)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url.get(..begin + end).filter(|host| !host.is_empty() && *host != "*")
}

/// What the second pass counts for each row of the table.
#[derive(Debug, Clone, Default)]
struct Tally {
    /// Where its latencies begin, and the next one stands.
    begin: usize,
    next: usize,
    bytes: u64,
    /// Failed requests by point.
    failures: Vec<u64>,
}

impl Figures {
    /// The figures of a record. The courses of names take their memory of the ceiling; where it does not
    /// suffice they are left out.
    pub fn of(records: &Records, memory: Option<&Arc<Memory>>) -> Self {
        let survey = Survey::of(records);
        let axis = Axis::of(&survey.lengths);
        let order = survey.order();
        let rows = order.len().min(MAX_NAMES + 1);
        let mut tallies = vec![Tally { failures: vec![0; axis.count], ..Tally::default() }; rows];
        // The row of each label.
        let mut row_of = vec![0; order.len()];
        for (rank, number) in order.iter().enumerate() {
            if let Some(row) = row_of.get_mut(*number) {
                *row = rank.min(MAX_NAMES);
            }
        }
        let mut begin = 0;
        for (rank, tally) in tallies.iter_mut().enumerate() {
            let rest = if rank < MAX_NAMES { rank..rank + 1 } else { rank..order.len() };
            (tally.begin, tally.next) = (begin, begin);
            let counts = order.get(rest).unwrap_or_default();
            let counts = counts.iter().filter_map(|number| survey.counts.get(*number));
            begin += counts.sum::<u64>() as usize;
        }
        let mut timed = vec![Timed(0); begin];
        let (frequent, further_errors) = survey.frequent();
        let mut names = NamesOfErrors::of(&frequent, survey.errors.all().len());
        let Survey { mut labels, mut errors, hosts, statuses, lengths, .. } = survey;
        for (recording, offset) in records.recordings().iter().zip(&axis.offsets) {
            for row in recording.rows() {
                let label = labels.number(address(row.label), || shown(&row));
                let Some(tally) = row_of.get(label).and_then(|row| tallies.get_mut(*row)) else {
                    continue;
                };
                let place = axis.place(offset + end_of(&row, recording));
                if let Some(slot) = timed.get_mut(tally.next) {
                    *slot = Timed::new(place, ticks(row.response_ms));
                }
                tally.next += 1;
                tally.bytes = tally.bytes.saturating_add(row.bytes);
                if let Some(text) = row.error {
                    add(&mut tally.failures, place, 1);
                    names.add(errors.number(address(text), || text), label);
                }
            }
        }

        let charted = rows.min(MAX_CHARTED_NAMES).min(MAX_NAMES);
        let mut share = memory.map(|memory| memory.share("the courses of a report's names"));
        let wanted = charted * axis.count * size_of::<Point>();
        let taken = share.as_mut().map_or(Ok(()), |share| share.grow(wanted));
        let without_course = taken.as_ref().err().map(ToString::to_string);
        let drawn = axis.drawn(end_of_load_of_all(records, &axis));
        let mut figures = Vec::with_capacity(rows);
        for (rank, tally) in tallies.iter().enumerate() {
            let of_row = timed.get_mut(tally.begin..tally.next).unwrap_or_default();
            let mut points = Vec::new();
            if rank < charted && taken.is_ok() {
                of_row.sort_unstable();
                points = points_of(of_row, &tally.failures, &axis);
                points.truncate(drawn);
                points.shrink_to_fit();
            }
            let (failures, bytes) = (tally.failures.iter().sum(), tally.bytes);
            let stats = stats(of_row, failures, bytes);
            let label = order.get(rank).filter(|_| rank < MAX_NAMES);
            let label = label.and_then(|number| labels.all().get(*number));
            let label = label.map(|(method, name)| ((*method).to_owned(), (*name).to_owned()));
            figures.push(NameFigures { label, stats, points, is_charted_apart: false });
        }

        timed.sort_unstable();
        let mut failures = vec![0; axis.count];
        for tally in &tallies {
            failures.iter_mut().zip(&tally.failures).for_each(|(sum, more)| *sum += more);
        }
        let mut points = points_of(&timed, &failures, &axis);
        add_load(&mut points, records, &axis, &lengths);
        points.truncate(drawn);
        let bytes = tallies.iter().fold(0_u64, |sum, tally| sum.saturating_add(tally.bytes));
        let total = stats(&mut timed, failures.iter().sum(), bytes);
        let targets = hosts.all().iter().take(MAX_TARGETS);
        Self {
            tests: tests(records, &lengths),
            targets: targets.map(|host| (*host).to_owned()).collect(),
            further_targets: hosts.all().len().saturating_sub(MAX_TARGETS),
            total,
            seconds: axis.seconds,
            latencies: bars(&timed),
            course: Course { width: axis.width, points },
            names: figures,
            further_names: order.len().saturating_sub(MAX_NAMES),
            without_course,
            errors: names.into_figures(&frequent, errors.all(), labels.all()),
            further_errors,
            statuses,
            interrupted: records.interrupted(),
            iterations: records.iterations(),
            gaps: records.gaps(),
            warnings: records.warning().into_iter().collect(),
            share,
            ..Self::default()
        }
    }
}

/// When the last test stopped its users, in seconds of the time axis.
fn end_of_load_of_all(records: &Records, axis: &Axis) -> Option<f64> {
    let (last, offset) = records.recordings().last().zip(axis.offsets.last())?;
    Some(offset + end_of_load(last)?)
}

/// Users, and what open models asked for.
fn add_load(points: &mut [Point], records: &Records, axis: &Axis, lengths: &[f64]) {
    let tests = records.recordings().iter().zip(&axis.offsets).zip(lengths);
    for (test, ((recording, offset), length)) in tests.enumerate() {
        let counts: Vec<_> = recording
            .users
            .iter()
            .map(|count| (axis.place(offset + count.at.as_secs_f64()), count.users))
            .collect();
        hold_users(points, axis.range(test), &counts);
        let Some(rate) = recording.conditions.rate else { continue };
        let made = recording.iterations.started;
        let requests = recording.requests() + recording.interrupted();
        let asked = rate * requests as f64 / made.max(1) as f64;
        let end = end_of_load(recording).unwrap_or(*length).min(*length);
        for place in axis.range(test) {
            let begins = place as f64 * axis.width;
            if let Some(point) = points.get_mut(place)
                && begins < offset + end
            {
                point.asked = Some(asked);
            }
        }
    }
}

/// The points of requests that are sorted by point and latency.
fn points_of(sorted: &[Timed], failures: &[u64], axis: &Axis) -> Vec<Point> {
    let mut points: Vec<Point> = (0..axis.count)
        .map(|place| Point { seconds: axis.length(place), ..Point::default() })
        .collect();
    for together in sorted.chunk_by(|a, b| a.place() == b.place()) {
        let Some(place) = together.first().map(|timed| timed.place()) else { continue };
        let Some(point) = points.get_mut(place) else { continue };
        let at = |index: usize| together.get(index).map_or(0.0, |timed| timed.millis());
        let percentile = |percentile| Some(interpolate(together.len(), percentile, at));
        point.requests = together.len() as u64;
        point.failures = failures.get(place).copied().unwrap_or_default();
        point.p50_ms = percentile(50.0);
        point.p95_ms = percentile(95.0);
        point.p99_ms = percentile(99.0);
    }
    points
}

/// The figures of these requests, which it sorts by latency.
fn stats(timed: &mut [Timed], failures: u64, bytes: u64) -> Stats {
    timed.sort_unstable_by_key(|timed| timed.ticks());
    let sum: u128 = timed.iter().map(|timed| u128::from(timed.ticks())).sum();
    let requests = timed.len() as u64;
    let mut stats = Stats { requests, failures, bytes: Some(bytes), ..Stats::default() };
    let mean = millis(sum as f64 / requests.max(1) as f64);
    stats.set_latencies(timed.len(), mean, |index| {
        timed.get(index).map_or(0.0, |timed| timed.millis())
    });
    stats
}

/// The distribution of latencies in ascending order.
fn bars(sorted: &[Timed]) -> BTreeMap<i32, u64> {
    let mut bars = BTreeMap::new();
    let mut rest = sorted;
    while let Some(first) = rest.first() {
        let bar = bar_of(first.millis());
        // The first is in it whatever the rounding of its bounds does.
        let end = bar_begin(bar + 1);
        let count = rest.partition_point(|timed| timed.millis() < end).max(1);
        *bars.entry(bar).or_default() += count as u64;
        rest = rest.get(count..).unwrap_or_default();
    }
    bars
}

fn tests(records: &Records, lengths: &[f64]) -> Vec<TestFacts> {
    let tests = records.recordings().iter().zip(lengths);
    tests
        .map(|(recording, length)| TestFacts {
            started: Some(recording.started_at()),
            took: Duration::from_secs_f64(length.max(end_of_load(recording).unwrap_or_default())),
            load: recording.conditions.load.clone(),
            seed: recording.conditions.seed,
            warnings: recording.warnings.clone(),
            document: recording.document.clone(),
        })
        .collect()
}

/// How many requests of each name had the errors that are shown.
#[derive(Debug)]
struct NamesOfErrors {
    /// The place of each error number among those that are shown.
    places: Vec<Option<usize>>,
    /// By place and number of the label.
    counts: HashMap<(usize, usize), u64>,
}

impl NamesOfErrors {
    fn of(frequent: &[Found], errors: usize) -> Self {
        let mut places = vec![None; errors];
        for (place, found) in frequent.iter().enumerate() {
            if let Some(slot) = places.get_mut(found.number) {
                *slot = Some(place);
            }
        }
        Self { places, counts: HashMap::new() }
    }

    fn add(&mut self, error: usize, label: usize) {
        if let Some(Some(place)) = self.places.get(error) {
            *self.counts.entry((*place, label)).or_default() += 1;
        }
    }

    fn into_figures(
        self,
        frequent: &[Found],
        errors: &[&str],
        labels: &[Shown<'_>],
    ) -> Vec<ErrorFigures> {
        let mut names = vec![Vec::new(); frequent.len()];
        for ((place, label), count) in self.counts {
            if let (Some(names), Some(label)) = (names.get_mut(place), labels.get(label)) {
                names.push((count, *label));
            }
        }
        let moment = |(seconds, at): (f64, SystemTime)| Some(Moment { at, seconds });
        let with_names = frequent.iter().zip(names);
        with_names
            .map(|(found, mut names)| {
                names.sort_unstable_by_key(|(count, label)| (std::cmp::Reverse(*count), *label));
                let further_names = names.len().saturating_sub(MAX_NAMES_OF_ERROR);
                names.truncate(MAX_NAMES_OF_ERROR);
                let owned = |(count, (method, name)): (u64, Shown<'_>)| {
                    (method.to_owned(), name.to_owned(), count)
                };
                ErrorFigures {
                    text: errors.get(found.number).copied().unwrap_or_default().to_owned(),
                    count: found.count,
                    first: moment(found.first),
                    last: moment(found.last),
                    names: names.into_iter().map(owned).collect(),
                    further_names,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::records;

    #[test]
    fn every_figure_of_all_requests_is_that_of_the_summary_to_the_last_bit() {
        let rows: Vec<_> = (0..1237_u32)
            .map(|number| {
                let millis = f64::from(number * number % 7919) / 13.0;
                let name = if number % 3 == 0 { "a" } else { "b" };
                ("GET", "http://x/", name, 200, millis, 7, (number % 5 == 0).then_some("e"))
            })
            .collect();
        let records = records(&rows);
        let (figures, summary) = (Figures::of(&records, None), records.summary());
        let (total, want) = (figures.total, summary.overall);
        assert_eq!((total.requests, total.failures), (summary.requests, summary.failures));
        assert_eq!(
            [total.min_ms, total.mean_ms, total.p50_ms, total.p90_ms, total.p95_ms, total.p99_ms],
            [want.min_ms, want.mean_ms, want.p50_ms, want.p90_ms, want.p95_ms, want.p99_ms]
                .map(Some),
        );
        assert_eq!(total.max_ms, Some(want.max_ms));
        assert!(total.p999_ms <= total.max_ms);
        assert_eq!(figures.latencies.values().sum::<u64>(), summary.requests);
        assert_eq!(total.bytes, Some(7 * 1237));
    }

    #[test]
    fn names_beyond_the_busiest_share_a_row_and_no_request_is_lost() {
        let names: Vec<String> = (0..MAX_NAMES + 5).map(|number| format!("n{number:03}")).collect();
        let mut rows: Vec<_> =
            names.iter().map(|name| ("GET", "u", name.as_str(), 200, 1.0, 1, None)).collect();
        rows.push(("GET", "u", "n154", 200, 1.0, 1, None));
        let records = records(&rows);
        let figures = Figures::of(&records, None);
        assert_eq!(figures.names.len(), MAX_NAMES + 1);
        assert_eq!(figures.further_names, 5);
        assert_eq!(figures.names[0].label, Some(("GET".to_owned(), "n154".to_owned())));
        assert_eq!(figures.names[MAX_NAMES].label, None);
        let counted: u64 = figures.names.iter().map(|name| name.stats.requests).sum();
        assert_eq!(counted, rows.len() as u64);
        let timed: u64 = figures.course.points.iter().map(|point| point.requests).sum();
        assert_eq!(timed, rows.len() as u64);
        let charted = figures.names.iter().filter(|name| !name.points.is_empty()).count();
        assert_eq!(charted, MAX_CHARTED_NAMES);
    }

    #[test]
    fn the_courses_of_names_take_their_memory_and_are_left_out_without() {
        let records = records(&[("GET", "u", "a", 200, 1.0, 1, None)]);
        let memory = Memory::new(1 << 20);
        let figures = Figures::of(&records, Some(&memory));
        assert!(memory.taken() > 0 && figures.names[0].points.len() == 1);
        drop(figures);
        assert_eq!(memory.taken(), 0);
        let figures = Figures::of(&records, Some(&Memory::new(1)));
        assert!(figures.names[0].points.is_empty() && figures.total.requests == 1);
        assert!(figures.without_course.expect("why").contains("--max-memory"));
    }

    #[test]
    fn errors_are_grouped_by_text_most_frequent_first_with_their_names() {
        let records = records(&[
            ("GET", "u", "a", 500, 1.0, 1, Some("rare")),
            ("GET", "u", "a", 500, 3.0, 1, Some("often")),
            ("GET", "u", "b", 500, 2.0, 1, Some("often")),
            ("GET", "u", "b", 500, 9.0, 1, Some("often")),
            ("GET", "u", "b", 0, 9.0, 1, None),
        ]);
        let figures = Figures::of(&records, None);
        let counts: Vec<_> =
            figures.errors.iter().map(|error| (error.text.as_str(), error.count)).collect();
        assert_eq!(counts, [("often", 3), ("rare", 1)]);
        let often = &figures.errors[0];
        let names: Vec<_> =
            often.names.iter().map(|(_, name, count)| (name.as_str(), *count)).collect();
        assert_eq!(names, [("b", 2), ("a", 1)]);
        let (first, last) = (often.first.expect("known"), often.last.expect("known"));
        assert!((first.seconds - 0.002).abs() < 1e-6 && (last.seconds - 0.009).abs() < 1e-6);
        assert_eq!(figures.statuses[&500], StatusFigures { count: 4, failures: 4 });
        assert_eq!(figures.statuses[&0], StatusFigures { count: 1, failures: 0 });
    }

    #[test]
    fn targets_are_the_hosts_of_the_urls() {
        for (url, want) in [
            ("http://shop.test:8080/a?b=//c", Some("http://shop.test:8080")),
            ("ws://h?x", Some("ws://h")),
            ("127.0.0.1:9000", Some("127.0.0.1:9000")),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(host(url), want, "{url}");
        }
    }
}
