//! What Locust reads of a report.

use std::sync::Arc;

use super::*;
use crate::cluster::message::{FromWorker, from_worker};
use crate::record::live::{Cumulative, Live};
use crate::record::{Label, Recorder, Sample};

/// A record of many requests of several kinds, and its outcomes.
pub(in crate::cluster) fn measured() -> (Recorder, Vec<Outcome>) {
    let live = Live::feeding(Arc::new(Cumulative::default()));
    let mut recorder = Recorder::new(live.allowance());
    let tally = live.open_tally();
    let mut random = fastrand::Rng::with_seed(17);
    for turn in 0..50_000u32 {
        let name = ["search", "buy", ""][random.usize(..3)];
        let label = recorder.label(Label {
            method: "GET".into(),
            url: "http://host/".into(),
            name: name.into(),
        });
        let failed = random.f64() < 0.07;
        let error = failed.then(|| recorder.error(["HTTP 500", "timeout"][random.usize(..2)]));
        // Log-normal, some faster than a millisecond, failures slower.
        let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        let ms = (if failed { 200.0 } else { 20.0 }) * (1.2 * normal).exp();
        recorder.record(Sample {
            label,
            start: Duration::from_micros(u64::from(turn) * 59),
            delay: Duration::ZERO,
            service: Duration::from_secs_f64(ms / 1000.0),
            status: if failed { 500 } else { 200 },
            bytes: u64::from(turn % 977),
            error,
        });
    }
    recorder.merge_into(&live);
    let outcomes = tally.take();
    (recorder, outcomes)
}

pub(in crate::cluster) const INTERVAL: Interval = Interval {
    epoch: Duration::from_secs(1_790_000_000),
    from: Duration::from_secs(1_790_000_000),
    to: Duration::from_secs(1_790_000_003),
};

#[test]
fn the_statistics_are_what_locust_expects() {
    let (_, outcomes) = measured();
    let stats = stats(&outcomes, INTERVAL, UserCounts::default(), false);
    assert!(stats.ldctl.is_none());
    assert_eq!(stats.stats.len(), 3);
    for entry in stats.stats.iter().chain([&stats.stats_total]) {
        let timed: u64 = entry.response_times.0.iter().map(|(_, count)| count).sum();
        assert_eq!(timed, entry.num_requests, "as percentiles need");
        assert_eq!(entry.num_reqs_per_sec.values().sum::<u64>(), entry.num_requests);
        assert_eq!(entry.num_fail_per_sec.values().sum::<u64>(), entry.num_failures);
        assert!(entry.response_times.0.is_sorted_by(|a, b| a.0 < b.0));
        assert!(entry.start_time > 1.7e9, "0 ruins the rate of the whole run");
        assert!(entry.min_response_time < Some(entry.max_response_time));
    }
    let failures: u64 = stats.errors.values().map(|error| error.occurrences).sum();
    assert_eq!(failures, stats.stats_total.num_failures);
    let idle = super::stats(&[], INTERVAL, UserCounts::default(), true);
    assert_eq!((idle.stats.len(), idle.stats_total.num_requests), (0, 0));
    assert_eq!(idle.stats_total.min_response_time, None);
    assert_eq!(idle.stats_total.last_request_timestamp, None);
}

#[test]
fn a_report_between_ldctl_of_50000_requests_has_153_kilobytes_and_one_for_locust_6() {
    let (_, outcomes) = measured();
    let bytes = |detail: bool| {
        let stats = stats(&outcomes, INTERVAL, UserCounts::default(), detail);
        from_worker(FromWorker::Stats(Box::new(stats)), "host_0123456789abcdef")
            .expect("written")
            .len()
    };
    let (exact, rounded) = (bytes(true), bytes(false));
    println!(
        "50000 requests in 3 s, {} outcomes: {exact} bytes, {rounded} without the exact latencies",
        outcomes.len()
    );
    // docs/cluster.md has these figures.
    assert!((152_000..154_000).contains(&exact), "{exact}");
    assert!((5_500..6_500).contains(&rounded), "{rounded}");
}

#[test]
fn latencies_are_rounded_as_locust_does() {
    for (ms, rounded) in [
        (0.4, 0),
        (0.5, 0),
        (1.5, 2),
        (99.4, 99),
        (145.0, 140),
        (147.0, 150),
        (155.0, 160),
        (3432.0, 3400),
        (58_760.0, 59_000),
    ] {
        assert_eq!(round(ms), rounded, "{ms}");
    }
}
