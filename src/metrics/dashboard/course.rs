//! The last two minutes by the second, and the rate over a time that the user has chosen. Requests
//! belong to the time at which they were counted, at most half a second after their end.

use std::collections::VecDeque;
use std::time::Duration;

use crate::record::live::{Series, total};
use crate::value::Value;

/// How many seconds are kept, the one in progress included; the reference's.
const SECONDS: u64 = 120;

/// What was counted.
#[derive(Debug)]
pub(super) struct Course {
    /// Full seconds with requests, oldest first.
    seconds: VecDeque<Second>,
    /// The second in progress, from the Unix epoch, and its requests.
    current: (u64, Series),
    /// For the rate: when, how many requests, and the sum of their latencies in microseconds.
    looks: VecDeque<(Duration, u64, u64)>,
    last: Duration,
    window: Duration,
}

/// The requests of a second.
#[derive(Debug, Clone, Copy)]
struct Second {
    second: u64,
    requests: u64,
    /// p50, p95, p99.
    percentiles_ms: [f64; 3],
}

impl Second {
    fn of((second, series): &(u64, Series)) -> Self {
        let percentiles_ms = [50.0, 95.0, 99.0].map(|percent| series.percentile_ms(percent));
        Self { second: *second, requests: series.requests, percentiles_ms }
    }
}

impl Course {
    /// Nothing yet. Times are from the Unix epoch.
    pub(super) fn new(now: Duration, window: Duration) -> Self {
        let current = (now.as_secs(), total([]));
        Self { seconds: VecDeque::new(), current, looks: VecDeque::new(), last: now, window }
    }

    /// Adds what was counted since the last time.
    pub(super) fn add(&mut self, now: Duration, figures: &Series) {
        // They were counted in the middle between both, on average.
        let second = (self.last + now.saturating_sub(self.last) / 2).as_secs();
        self.last = now;
        if second > self.current.0 {
            let ended = std::mem::replace(&mut self.current, (second, total([])));
            if ended.1.requests > 0 {
                self.seconds.push_back(Second::of(&ended));
            }
        }
        if figures.requests > 0 {
            self.current.1 = total([&self.current.1, figures]);
            self.looks.push_back((now, figures.requests, figures.latency_sum_us));
        }
        let first = now.as_secs().saturating_sub(SECONDS);
        self.seconds.retain(|kept| kept.second > first);
        while self.looks.front().is_some_and(|(at, ..)| *at + self.window < now) {
            self.looks.pop_front();
        }
    }

    /// Requests per second and their mean latency in milliseconds, over the chosen time.
    pub(super) fn rate(&self) -> (f64, f64) {
        let requests: u64 = self.looks.iter().map(|(_, requests, _)| requests).sum();
        let sum: u64 = self.looks.iter().map(|(_, _, sum)| sum).sum();
        let mean = sum as f64 / 1000.0 / requests.max(1) as f64;
        (requests as f64 / self.window.as_secs_f64(), mean)
    }

    /// The windows of the snapshot, which ends now.
    pub(super) fn windows(&self, now: Duration) -> Value {
        let current = (self.current.1.requests > 0).then(|| Second::of(&self.current));
        let mut known = self.seconds.iter().copied().chain(current).peekable();
        let end = now.as_secs();
        let windows = (end + 1).saturating_sub(SECONDS)..=end;
        let windows = windows.map(|second| {
            while known.next_if(|kept| kept.second < second).is_some() {}
            let length = (now.saturating_sub(Duration::from_secs(second))).as_secs_f64().min(1.0);
            window(second, length, known.next_if(|kept| kept.second == second))
        });
        Value::List(windows.collect())
    }
}

fn window(start: u64, length: f64, second: Option<Second>) -> Value {
    let requests = second.map_or(0, |second| second.requests);
    let [p50, p95, p99] = match second {
        Some(second) => second.percentiles_ms.map(Value::Float),
        None => [Value::Null, Value::Null, Value::Null],
    };
    let rps = if requests == 0 { 0.0 } else { requests as f64 / length.max(0.001) };
    Value::dict([
        ("start_time", Value::Float(start as f64)),
        ("duration_seconds", Value::Float(length)),
        ("count", Value::from(requests)),
        ("rps", Value::Float(rps)),
        ("p50_ms", p50),
        ("p95_ms", p95),
        ("p99_ms", p99),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture;
    use crate::record::live::Live;

    fn some(requests: u64, millis: u64) -> Series {
        let live = Live::default();
        (0..requests).for_each(|_| fixture::request(&live, "a", millis, 1, false));
        live.total()
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(1_000_000 + millis)
    }

    fn counts(course: &Course, now: Duration) -> Vec<i64> {
        let Value::List(windows) = course.windows(now) else { panic!("a list") };
        let count = |window: &Value| match window.get("count") {
            Some(Value::Int(count)) => *count,
            other => panic!("{other:?}"),
        };
        windows.iter().map(count).collect()
    }

    #[test]
    fn two_minutes_are_kept_by_the_second_however_long_it_runs() {
        let mut course = Course::new(at(0), Duration::from_secs(2));
        for look in 1..=1200 {
            course.add(at(look * 250), &some(1, 20));
        }
        let counts = counts(&course, at(300_100));
        assert_eq!(counts.len(), 120);
        assert!(counts[..119].iter().all(|count| *count == 4), "{counts:?}");
        assert!(course.seconds.len() <= 120 && course.looks.len() <= 9);
        let (rps, mean) = course.rate();
        assert!((rps - 4.0).abs() <= 0.5 && (mean - 20.0).abs() < 0.1, "{rps} {mean}");
    }

    #[test]
    fn seconds_without_requests_have_no_latency_and_the_last_one_is_partial() {
        let mut course = Course::new(at(0), Duration::from_secs(10));
        course.add(at(400), &some(3, 20));
        course.add(at(2400), &some(0, 0));
        let now = at(2500);
        let Value::List(windows) = course.windows(now) else { panic!("a list") };
        let shown: Vec<String> = windows[117..].iter().map(Value::to_text).collect();
        assert!(shown[0].contains("'count': 3, 'rps': 3.0, 'p50_ms': 20."), "{}", shown[0]);
        assert!(shown[1].contains("'count': 0, 'rps': 0.0, 'p50_ms': None"), "{}", shown[1]);
        assert!(
            shown[2].contains("'start_time': 1002.0, 'duration_seconds': 0.5,"),
            "{}",
            shown[2]
        );
        assert_eq!(course.rate().0, 0.3);
    }
}
