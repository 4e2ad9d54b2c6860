//! Reports: what a worker has measured becomes Locust's statistics. Locust rounds latencies to two digits
//! and does not say which of them failed; a report between ldctl and ldctl says both beside it, so that
//! nothing is lost but 0.05 % of a latency.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::message::{Detail, Entry, ErrorEntry, Group, Stats, UserCounts};
use crate::record::{Figures, Outcome, TICK_NANOS};

/// Ticks of a millisecond.
const TICKS_PER_MS: f64 = 1e6 / TICK_NANOS as f64;

/// The name of the entry of all requests.
const TOTAL: &str = "Aggregated";

/// A report of outcomes between two moments, which are given from the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    /// When the run started, which the outcomes' times count from.
    pub(super) epoch: Duration,
    /// When the interval started.
    pub(super) from: Duration,
    /// When it ended.
    pub(super) to: Duration,
}

/// The statistics of what was measured; with `detail` also for ldctl.
pub(super) fn stats(
    outcomes: &[Outcome],
    interval: Interval,
    users: UserCounts,
    detail: bool,
) -> Stats {
    let empty = |method: &str, name: &str| Entry {
        method: method.to_owned(),
        name: name.to_owned(),
        start_time: interval.from.as_secs_f64(),
        ..Entry::default()
    };
    let mut total = empty("", TOTAL);
    let mut entries: BTreeMap<(&str, &str), Entry> = BTreeMap::new();
    let mut errors = BTreeMap::new();
    for outcome in outcomes {
        let (method, name) = (&*outcome.label.method, outcome.label.shown());
        let entry = entries.entry((method, name)).or_insert_with(|| empty(method, name));
        for entry in [entry, &mut total] {
            add(entry, outcome, interval.epoch);
        }
        if let Some(error) = &outcome.error {
            let key = error_key(method, name, error);
            let at = |time: Duration| (interval.epoch + time).as_secs_f64();
            let (first, last) = (at(outcome.figures.first), at(outcome.figures.last));
            let known = errors.entry(key).or_insert_with(|| ErrorEntry {
                name: name.to_owned(),
                method: method.to_owned(),
                error: error.to_string(),
                occurrences: 0,
                first_seen: None,
                last_seen: None,
            });
            known.occurrences += outcome.figures.requests;
            known.first_seen = Some(known.first_seen.map_or(first, |seen| seen.min(first)));
            known.last_seen = Some(known.last_seen.map_or(last, |seen| seen.max(last)));
        }
    }
    let span = interval.to.saturating_sub(interval.from).as_millis() as u64;
    let groups = || outcomes.iter().map(group).collect();
    Stats {
        stats: entries.into_values().collect(),
        stats_total: total,
        errors,
        user_classes_count: users.user_classes_count,
        user_count: users.user_count,
        ldctl: detail.then(|| Detail { span, groups: groups() }),
    }
}

fn add(entry: &mut Entry, outcome: &Outcome, epoch: Duration) {
    let Figures { requests, bytes, sum, min, max, last, times, seconds, .. } = &outcome.figures;
    entry.num_requests += requests;
    entry.total_content_length = entry.total_content_length.saturating_add(*bytes);
    entry.total_response_time += *sum as f64 / TICKS_PER_MS;
    let (min, max) = (*min as f64 / TICKS_PER_MS, *max as f64 / TICKS_PER_MS);
    entry.min_response_time = Some(entry.min_response_time.map_or(min, |known| known.min(min)));
    entry.max_response_time = entry.max_response_time.max(max);
    let last = (epoch + *last).as_secs_f64();
    entry.last_request_timestamp =
        Some(entry.last_request_timestamp.map_or(last, |known| known.max(last)));
    let mut rounded: HashMap<u64, u64> = HashMap::new();
    for (middle, count) in times {
        *rounded.entry(round(*middle as f64 / TICKS_PER_MS)).or_default() += count;
    }
    // Both are few: at most some hundred.
    let known = &mut entry.response_times.0;
    for (key, count) in rounded {
        let key = key as f64;
        match known.binary_search_by(|(known, _)| known.total_cmp(&key)) {
            Ok(at) => known.get_mut(at).into_iter().for_each(|(_, known)| *known += count),
            Err(at) => known.insert(at, (key, count)),
        }
    }
    let failed = outcome.error.is_some();
    entry.num_failures += if failed { *requests } else { 0 };
    for (second, count) in seconds {
        let second = i64::try_from(*second).unwrap_or(i64::MAX);
        *entry.num_reqs_per_sec.entry(second).or_default() += count;
        if failed {
            *entry.num_fail_per_sec.entry(second).or_default() += count;
        }
    }
}

/// As Locust rounds milliseconds: to 1, 10, 100 or 1000 of them, halves to the even one.
fn round(ms: f64) -> u64 {
    let unit = match ms {
        ms if ms < 100.0 => 1.0,
        ms if ms < 1000.0 => 10.0,
        ms if ms < 10_000.0 => 100.0,
        _ => 1000.0,
    };
    ((ms / unit).round_ties_even() * unit) as u64
}

/// The key under which Locust merges errors.
fn error_key(method: &str, name: &str, error: &str) -> String {
    let digest = Sha256::digest(format!("{method}.{name}.{error:?}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn group(outcome: &Outcome) -> Group {
    let Outcome { label, status, error, figures } = outcome;
    Group {
        method: label.method.to_string(),
        name: label.name.to_string(),
        url: label.url.to_string(),
        status: u64::from(*status),
        error: error.as_deref().map(str::to_owned),
        bytes: figures.bytes,
        min: figures.min,
        max: figures.max,
        times: figures.times.iter().map(|(middle, count)| (*middle, *count)).collect(),
    }
}

/// How many requests a report holds.
pub(super) fn requests(stats: &Stats) -> u64 {
    match &stats.ldctl {
        Some(detail) => {
            let counts = detail.groups.iter().flat_map(|group| &group.times);
            counts.fold(0, |sum, (_, count)| sum.saturating_add(*count))
        }
        None => stats.stats.iter().fold(0, |sum, entry| {
            let timed = &entry.response_times.0;
            let timed = timed.iter().fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
            sum.saturating_add(timed.saturating_add(entry.num_none_requests))
        }),
    }
}

#[cfg(test)]
pub(super) mod tests;
