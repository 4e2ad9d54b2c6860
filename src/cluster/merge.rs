//! A master's record from the reports of its workers. Requests are counted one by one, as those of a
//! local test are, so that everything that is made of a record sees the whole cluster.

use std::collections::HashMap;
use std::time::Duration;

use super::message::{Entry, ErrorEntry, Group, Stats};
use super::report::requests;
use crate::record::{ErrorId, Label, LabelId, NO_STATUS, Recorder, Sample, TICK_NANOS};

/// The most requests of one report that are counted: no machine makes more in the seconds between two.
const MOST_REQUESTS: u64 = 5_000_000;

/// How many of them are in memory at a time.
const SLICE: u64 = 50_000;

/// The longest latency that is taken for one: thirty days.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// The error of failed requests for which a report gives none.
const NO_ERROR: &str = "failed; the worker reported no error";

/// Why a report is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a report of {0} requests, more than any machine makes in a few seconds, is not counted")]
pub(super) struct Implausible(u64);

/// Equal requests.
#[derive(Debug, Clone, Copy)]
struct Part {
    label: LabelId,
    status: u16,
    error: Option<ErrorId>,
    service: Duration,
    count: u64,
    /// Bytes of all of them.
    bytes: u64,
}

/// Adds the requests of a report to a record: those that ended in the interval before `now`, which counts
/// from the start of the run. Returns how many there were.
pub(super) fn absorb(
    stats: &Stats,
    now: Duration,
    usual: Duration,
    recorder: &mut Recorder,
) -> Result<u64, Implausible> {
    let requests = requests(stats);
    if requests > MOST_REQUESTS {
        return Err(Implausible(requests));
    }
    let span = stats.ldctl.as_ref().map_or(usual, |detail| Duration::from_millis(detail.span));
    let from = now.saturating_sub(span.min(2 * usual));
    let mut parts = Vec::new();
    match &stats.ldctl {
        Some(detail) => {
            detail.groups.iter().for_each(|group| of_group(group, recorder, &mut parts))
        }
        None => {
            let errors = errors_by_name(stats);
            stats.stats.iter().for_each(|entry| of_entry(entry, &errors, recorder, &mut parts));
        }
    }
    // Each slice has the same share of every latency.
    let slices = requests.div_ceil(SLICE).max(1);
    let length = (now - from).div_f64(slices as f64);
    for slice in 0..slices {
        let mut samples = Vec::new();
        for part in &parts {
            samples.extend(
                part.samples(
                    share(part.count, slice, slices),
                    share(part.count, slice + 1, slices),
                ),
            );
        }
        record(samples, from + length.mul_f64(slice as f64), length, recorder);
    }
    Ok(requests)
}

impl Part {
    /// Some of its requests, by their numbers.
    fn samples(self, from: u64, to: u64) -> impl Iterator<Item = Sample> {
        (from..to).map(move |turn| Sample {
            label: self.label,
            start: Duration::ZERO,
            delay: Duration::ZERO,
            service: self.service,
            status: self.status,
            bytes: share(self.bytes, turn + 1, self.count) - share(self.bytes, turn, self.count),
            error: self.error,
        })
    }
}

/// Spreads requests over an interval, in an order that has nothing to do with their latencies: multiples
/// of the golden ratio fill it evenly.
fn record(samples: Vec<Sample>, from: Duration, length: Duration, recorder: &mut Recorder) {
    let count = samples.len() as f64;
    let place = |turn: u32| (f64::from(turn) * 0.618_033_988_749_894_9).fract();
    let mut timed: Vec<(f64, Sample)> =
        (0..).zip(samples).map(|(turn, sample)| (place(turn), sample)).collect();
    timed.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    for (turn, (_, mut sample)) in timed.into_iter().enumerate() {
        let end = from + length.mul_f64(turn as f64 / count);
        sample.start = end.saturating_sub(sample.service);
        recorder.record(sample);
    }
}

/// Latencies, ascending, and how many there are of each.
type Times = Vec<(Duration, u64)>;

/// Requests with one outcome: latencies from the middles of their buckets, but the exact extremes.
fn of_group(group: &Group, recorder: &mut Recorder, parts: &mut Vec<Part>) {
    let times = group.times.iter().map(|(middle, count)| (ticks(*middle), *count));
    let times = exact(times.collect(), Some((ticks(group.min), ticks(group.max))));
    let all = count(&times);
    if all == 0 {
        return;
    }
    let label = recorder.label(Label {
        method: group.method.as_str().into(),
        url: group.url.as_str().into(),
        name: group.name.as_str().into(),
    });
    let error = group.error.as_deref().map(|error| recorder.error(error));
    let status = u16::try_from(group.status).unwrap_or(NO_STATUS);
    let mut given = 0;
    for (service, count) in times {
        let bytes = share(group.bytes, given + count, all) - share(group.bytes, given, all);
        given += count;
        parts.push(Part { label, status, error, service, count, bytes });
    }
}

/// Requests of one name from a worker that rounds latencies: which of them failed it does not say, so
/// the failures are spread over them.
fn of_entry(entry: &Entry, known: &Errors<'_>, recorder: &mut Recorder, parts: &mut Vec<Part>) {
    let times = entry.response_times.0.iter().map(|(ms, count)| (millis(*ms), *count));
    let extremes =
        entry.min_response_time.map(|min| (millis(min), millis(entry.max_response_time)));
    let mut times = exact(times.collect(), extremes);
    if entry.num_none_requests > 0 {
        times.insert(0, (Duration::ZERO, entry.num_none_requests));
    }
    let all = count(&times);
    if all == 0 {
        return;
    }
    let label = recorder.label(Label {
        method: entry.method.as_str().into(),
        url: entry.name.as_str().into(),
        name: entry.name.as_str().into(),
    });
    let mut errors = errors(entry, known, recorder).into_iter();
    let (bytes, failures) = (entry.total_content_length, entry.num_failures.min(all));
    let mut error = errors.next();
    let mut given = 0;
    let mut part = |given: &mut u64, service, error, count| {
        let upto = *given + count;
        let bytes = share(bytes, upto, all) - share(bytes, *given, all);
        *given = upto;
        parts.push(Part { label, status: NO_STATUS, error, service, count, bytes });
    };
    for (service, count) in times {
        let mut failed = share(failures, given + count, all) - share(failures, given, all);
        if count > failed {
            part(&mut given, service, None, count - failed);
        }
        while failed > 0 {
            let Some((id, left)) = &mut error else { break };
            let now = failed.min(*left);
            if now > 0 {
                part(&mut given, service, Some(*id), now);
            }
            (failed, *left) = (failed - now, *left - now);
            if *left == 0 {
                error = errors.next();
            }
        }
    }
}

/// The errors of a report by the method and name of their requests.
type Errors<'a> = HashMap<(&'a str, &'a str), Vec<&'a ErrorEntry>>;

/// Once for all names: a report may have as many errors as names, and many of both.
fn errors_by_name(stats: &Stats) -> Errors<'_> {
    let mut errors = Errors::new();
    for error in stats.errors.values() {
        errors.entry((&error.method, &error.name)).or_default().push(error);
    }
    errors
}

/// The errors of a name and how often each occurred; at the end one for those that the report leaves out.
fn errors(entry: &Entry, known: &Errors<'_>, recorder: &mut Recorder) -> Vec<(ErrorId, u64)> {
    let mut errors = Vec::new();
    if entry.num_failures > 0 {
        let of_entry = known.get(&(entry.method.as_str(), entry.name.as_str()));
        for error in of_entry.into_iter().flatten() {
            errors.push((recorder.error(&error.error), error.occurrences));
        }
        errors.push((recorder.error(NO_ERROR), u64::MAX));
    }
    errors
}

/// The same latencies, with the exact shortest and longest among them.
fn exact(mut times: Times, extremes: Option<(Duration, Duration)>) -> Times {
    times.retain(|(_, count)| *count > 0);
    times.sort_unstable();
    let Some((min, max)) = extremes else { return times };
    let max = max.max(min);
    times.iter_mut().for_each(|(time, _)| *time = (*time).clamp(min, max));
    if let Some((_, count)) = times.first_mut() {
        *count -= 1;
        times.insert(0, (min, 1));
    }
    if times.len() > 1
        && let Some((_, count)) = times.last_mut()
        && *count > 0
    {
        *count -= 1;
        times.push((max, 1));
    }
    times.retain(|(_, count)| *count > 0);
    times
}

fn count(times: &Times) -> u64 {
    times.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// The first `turn` of so many equal parts of a number; all of them add up to it.
fn share(all: u64, turn: u64, parts: u64) -> u64 {
    let share = u128::from(all) * u128::from(turn) / u128::from(parts.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.saturating_mul(TICK_NANOS)).min(LONGEST)
}

fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.clamp(0.0, LONGEST.as_secs_f64() * 1000.0) / 1000.0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::cluster::message::{Buckets, Detail, UserCounts};
    use crate::cluster::report::stats;
    use crate::cluster::report::tests::{INTERVAL, measured};
    use crate::record::{Outcome, Recording, Records};

    fn records(recorder: Recorder) -> Records {
        let mut records = Records::default();
        records.push(Arc::new(Recording::new(SystemTime::UNIX_EPOCH, vec![recorder])));
        records
    }

    fn merged(detail: bool, outcomes: &[Outcome]) -> (Stats, Records) {
        let stats = stats(outcomes, INTERVAL, UserCounts::default(), detail);
        let mut recorder = Recorder::default();
        let (now, usual) = (Duration::from_secs(10), Duration::from_secs(3));
        let counted = absorb(&stats, now, usual, &mut recorder).expect("plausible");
        assert_eq!(counted, 50_000);
        (stats, records(recorder))
    }

    /// Compares every percentile of two records, within a part of it and of a millisecond.
    fn check(one: &Records, other: &Records, within: f64, ms: f64) {
        let (one, other) = (one.summary(), other.summary());
        let close = |a: f64, b: f64| assert!((a - b).abs() <= a * within + ms, "{a} and {b}");
        let pairs = one.per_name.iter().map(|name| {
            let theirs = other.per_name.iter().find(|theirs| theirs.name == name.name);
            let theirs = theirs.expect("the name");
            assert_eq!((name.requests, name.failures), (theirs.requests, theirs.failures));
            (&name.latency, &theirs.latency)
        });
        for (one, other) in pairs.chain([(&one.overall, &other.overall)]) {
            close(one.p50_ms, other.p50_ms);
            close(one.p90_ms, other.p90_ms);
            close(one.p95_ms, other.p95_ms);
            close(one.p99_ms, other.p99_ms);
            close(one.mean_ms, other.mean_ms);
        }
        assert_eq!((one.requests, one.failures), (other.requests, other.failures));
    }

    #[test]
    fn percentiles_of_a_report_between_ldctl_are_those_of_all_requests_within_a_thousandth() {
        let (local, outcomes) = measured();
        let local = records(local);
        let (_, merged) = merged(true, &outcomes);
        check(&local, &merged, 0.001, 0.0);
        let (one, other) = (local.summary(), merged.summary());
        assert_eq!(
            (one.overall.min_ms, one.overall.max_ms),
            (other.overall.min_ms, other.overall.max_ms)
        );
        let errors = |records: &Records| records.errors(9).kinds.len();
        assert_eq!(errors(&local), errors(&merged));
        assert_eq!(local.statuses(), merged.statuses());
        let bytes = |records: &Records| records.rows().map(|row| row.bytes).sum::<u64>();
        assert_eq!(bytes(&local), bytes(&merged));
        let urls: Vec<_> = merged.rows().map(|row| &*row.label.url).collect();
        assert!(urls.iter().all(|url| *url == "http://host/"));
    }

    #[test]
    fn of_rounded_latencies_they_are_so_within_locusts_rounding() {
        let (local, outcomes) = measured();
        let local = records(local);
        let (_, merged) = merged(false, &outcomes);
        let (one, other) = (local.summary(), merged.summary());
        assert_eq!((one.requests, one.failures), (other.requests, other.failures));
        for (one, other) in
            [(one.overall.p50_ms, other.overall.p50_ms), (one.overall.p99_ms, other.overall.p99_ms)]
        {
            assert!((one - other).abs() <= one * 0.05 + 0.5, "{one} and {other}");
        }
        let (one, other) = (local.errors(9), merged.errors(9));
        let counts = |errors: &crate::record::Errors<'_>| {
            let counts = errors.kinds.iter().map(|kind| (kind.name.to_owned(), kind.count));
            counts.filter(|(name, _)| !name.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(
            counts(&one),
            counts(&other)
                .into_iter()
                .filter(|(name, _)| name != "http://host/")
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn requests_of_a_report_end_in_its_interval_whatever_their_latency() {
        let (_, outcomes) = measured();
        let (_, merged) = merged(true, &outcomes);
        let mut halves = [0u64; 2];
        let mut slow = [0u64; 2];
        for row in merged.rows() {
            let end = row.start_time + row.service_ms / 1000.0;
            assert!((6.999..=10.001).contains(&end) || row.start_time == 0.0, "{end}");
            let half = usize::from(end > 8.5);
            halves[half] += 1;
            slow[half] += u64::from(row.service_ms > 50.0);
        }
        assert!(halves[0].abs_diff(halves[1]) < 200, "{halves:?}");
        assert!(slow[0].abs_diff(slow[1]) < slow[0] / 20, "{slow:?}");
    }

    /// What the processor spends on the report of a worker in Python with so many names, each with an error
    /// of its own.
    #[cfg(unix)]
    fn cost(names: usize) -> Duration {
        let name = |number: usize| format!("/{number}");
        let entry = |number| Entry {
            method: "GET".to_owned(),
            name: name(number),
            num_failures: 1,
            response_times: Buckets(vec![(1.0, 1)]),
            ..Entry::default()
        };
        let error = |number| ErrorEntry {
            method: "GET".to_owned(),
            name: name(number),
            error: "broken".to_owned(),
            occurrences: 1,
            ..ErrorEntry::default()
        };
        let errors = (0..names).map(|number| (name(number), error(number))).collect();
        let stats = (0..names).map(entry).collect();
        let stats = Stats { stats, errors, ..Stats::default() };
        let spent = || {
            let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            Duration::try_from(spent).expect("a time")
        };
        let cost = |_| {
            let (mut recorder, before) = (Recorder::default(), spent());
            let counted = absorb(&stats, Duration::ZERO, Duration::ZERO, &mut recorder);
            assert_eq!(counted, Ok(names as u64));
            spent() - before
        };
        (0..3).map(cost).min().unwrap_or_default()
    }

    #[cfg(unix)]
    #[test]
    fn sixteen_times_as_many_names_with_errors_cost_about_sixteen_times_as_much() {
        let (few, many) = (cost(1_000), cost(16_000));
        println!("1000 names with errors: {few:?}, 16000: {many:?}");
        // Each name that looks at each error would make it 256 times.
        assert!(many < few * 64, "{few:?} and {many:?}");
    }

    #[test]
    fn t72_a_report_of_more_requests_than_can_be_is_not_counted() {
        let group = Group { times: vec![(5, u64::MAX), (6, 7)], ..Group::default() };
        let detail = Detail { groups: vec![group], ..Detail::default() };
        let stats = Stats { ldctl: Some(detail), ..Stats::default() };
        let mut recorder = Recorder::default();
        let (now, usual) = (Duration::ZERO, Duration::from_secs(3));
        let refused = absorb(&stats, now, usual, &mut recorder).expect_err("refused").to_string();
        assert!(refused.contains("18446744073709551615 requests"), "{refused}");
        assert!(recorder.is_empty());
        let strange = Entry {
            num_failures: u64::MAX,
            total_content_length: u64::MAX,
            max_response_time: 1e300,
            min_response_time: Some(1e301),
            response_times: Buckets(vec![(1e300, 2), (0.0, 1)]),
            ..Entry::default()
        };
        let stats = Stats { stats: vec![strange], ..Stats::default() };
        assert_eq!(absorb(&stats, now, usual, &mut recorder), Ok(3));
    }
}
