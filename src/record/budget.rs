//! A failure budget: how many of the latest requests may fail before a test ends. Like a gate of
//! `abort_on`, but over a window that moves with the test, so that a long good time does not hide a
//! bad one.

use std::collections::VecDeque;
use std::time::Duration;

/// The most moments that a window remembers.
const MOST_MARKS: u32 = 3600;

/// A failure budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FailureBudget {
    /// The share of the requests that may fail.
    pub threshold: f64,
    /// How far back requests count.
    pub window: Duration,
    /// The fewest requests by which it can be spent.
    pub min_samples: u64,
}

/// What a running test has left of its budget.
#[derive(Debug)]
pub struct Spending {
    budget: FailureBudget,
    /// Requests and failures at moments of the test, oldest first. The first is as old as the window, or
    /// older.
    marks: VecDeque<Mark>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    at: Duration,
    requests: u64,
    failures: u64,
}

impl FailureBudget {
    /// For a test that begins.
    pub fn begin(self) -> Spending {
        Spending { budget: self, marks: VecDeque::from([Mark::default()]) }
    }
}

impl Spending {
    /// Why the test must end, if so many requests and failures so far have spent its budget.
    pub fn spent(&mut self, at: Duration, requests: u64, failures: u64) -> Option<String> {
        let FailureBudget { threshold, window, min_samples } = self.budget;
        let oldest = at.saturating_sub(window);
        while self.marks.get(1).is_some_and(|next| next.at <= oldest) {
            self.marks.pop_front();
        }
        let before = self.marks.front().copied().unwrap_or_default();
        let all = requests.saturating_sub(before.requests);
        let failed = failures.saturating_sub(before.failures);
        let last = self.marks.back().map_or(Duration::ZERO, |last| last.at);
        if at.saturating_sub(last) >= window / MOST_MARKS {
            self.marks.push_back(Mark { at, requests, failures });
        }
        let rate = failed as f64 / all.max(1) as f64;
        (all >= min_samples && all > 0 && rate > threshold).then(|| {
            let span = at.saturating_sub(before.at).as_secs_f64();
            format!(
                "{failed} of {all} requests failed in the last {span:.0} s: {rate:.4} exceeds \
                 {threshold}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls it once a second with the requests and failures of that second; returns when it was
    /// spent, and why.
    fn spent(budget: FailureBudget, seconds: &[(u64, u64)]) -> Option<(u64, String)> {
        let mut spending = budget.begin();
        let (mut requests, mut failures) = (0, 0);
        (1..).zip(seconds).find_map(|(at, (more, failed))| {
            requests += more;
            failures += failed;
            let reason = spending.spent(Duration::from_secs(at), requests, failures);
            reason.map(|reason| (at, reason))
        })
    }

    const BUDGET: FailureBudget =
        FailureBudget { threshold: 0.05, window: Duration::from_secs(3), min_samples: 50 };

    #[test]
    fn only_the_latest_requests_count() {
        let good = [(100, 0); 60];
        assert_eq!(spent(BUDGET, &good), None);
        let mut bad = good.to_vec();
        bad.extend([(100, 10), (100, 10)]);
        let reason = "20 of 300 requests failed in the last 3 s: 0.0667 exceeds 0.05".to_owned();
        assert_eq!(spent(BUDGET, &bad), Some((62, reason)));
        let long = FailureBudget { window: Duration::from_secs(3600), ..BUDGET };
        assert_eq!(spent(long, &bad), None, "of all requests they are few");
    }

    #[test]
    fn failures_that_are_older_than_the_window_are_forgotten() {
        let mut seconds = vec![(100, 5), (100, 5), (100, 5)];
        seconds.extend([(100, 0), (100, 0), (100, 15)]);
        assert_eq!(spent(BUDGET, &seconds), None, "exactly the threshold");
        seconds.push((100, 1));
        assert_eq!(spent(BUDGET, &seconds).map(|(at, _)| at), Some(7));
    }

    #[test]
    fn few_requests_spend_nothing() {
        assert_eq!(spent(BUDGET, &[(10, 10), (10, 10), (10, 10), (10, 10), (0, 0)]), None);
        assert_eq!(spent(BUDGET, &[(25, 25), (25, 25)]).map(|(at, _)| at), Some(2));
        let any = FailureBudget { min_samples: 0, ..BUDGET };
        assert_eq!(spent(any, &[(0, 0), (1, 1)]).map(|(at, _)| at), Some(2));
    }

    #[test]
    fn a_window_of_days_remembers_a_bounded_number_of_moments() {
        let window = Duration::from_secs(30 * 24 * 3600);
        let mut spending = FailureBudget { window, ..BUDGET }.begin();
        for second in 0..200_000 {
            spending.spent(Duration::from_secs(second * 20), second, 0);
        }
        assert!(spending.marks.len() <= MOST_MARKS as usize + 2, "{}", spending.marks.len());
    }
}
