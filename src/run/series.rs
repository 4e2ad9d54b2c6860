//! The course of a run: a point for each report of its test, thinned to [`MOST_POINTS`], evenly over
//! the run. Requests and failures are counts since the start of the test, so that no thinning loses
//! any.

use crate::event::Progress;
use crate::value::Value;

/// The most points that are kept.
const MOST_POINTS: u64 = 3600;

/// The points of a run.
#[derive(Debug)]
pub(super) struct Series {
    points: Vec<Progress>,
    count: u64,
    /// Points whose number is a multiple of this are kept, and the last.
    stride: u64,
}

impl Default for Series {
    fn default() -> Self {
        Self { points: Vec::new(), count: 0, stride: 1 }
    }
}

impl Series {
    /// Adds a point.
    pub(super) fn push(&mut self, point: &Progress) {
        let is_earlier = |last: &Progress| last.index == point.index && last.probe != point.probe;
        if self.points.last().is_some_and(is_earlier) {
            // The course of a search is that of its last probe.
            self.points.retain(|known| known.index != point.index);
            let kept = self.points.len() as u64;
            self.count = kept.checked_sub(1).map_or(0, |further| further * self.stride + 1);
        }
        if self.count > 0 && !(self.count - 1).is_multiple_of(self.stride) {
            self.points.pop();
        }
        if self.count / self.stride >= MOST_POINTS {
            self.stride *= 2;
            let mut number = 0_u64;
            self.points.retain(|_| {
                number += 1;
                number % 2 == 1
            });
        }
        self.points.push(point.clone());
        self.count += 1;
    }

    /// The points as lists of the same length.
    pub(super) fn to_value(&self) -> Value {
        let list =
            |of: &dyn Fn(&Progress) -> Value| Value::List(self.points.iter().map(of).collect());
        Value::dict([
            ("test", list(&|point| Value::from(point.index as u64))),
            ("elapsed_s", list(&|point| Value::Float(point.elapsed_s))),
            ("users", list(&|point| Value::from(point.users as u64))),
            ("requests", list(&|point| Value::from(point.requests))),
            ("failures", list(&|point| Value::from(point.failures))),
            ("p50_ms", list(&|point| Value::Float(point.p50_ms))),
            ("p95_ms", list(&|point| Value::Float(point.p95_ms))),
            ("p99_ms", list(&|point| Value::Float(point.p99_ms))),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_course_of_a_search_is_that_of_its_last_probe_and_other_tests_keep_theirs() {
        let mut series = Series::default();
        for (index, probe, requests) in [
            (0, None, 1),
            (0, None, 2),
            (1, Some(1), 3),
            (1, Some(1), 4),
            (1, Some(2), 5),
            (2, None, 6),
        ] {
            series.push(&Progress { index, probe, requests, ..Progress::default() });
        }
        let requests: Vec<u64> = series.points.iter().map(|point| point.requests).collect();
        assert_eq!(requests, [1, 2, 5, 6]);
    }

    #[test]
    fn a_day_is_thinned_evenly_and_keeps_its_first_and_last_point() {
        let mut series = Series::default();
        let day = 86_400_u64;
        for second in 0..day {
            series.push(&Progress { requests: second, ..Progress::default() });
        }
        let requests: Vec<u64> = series.points.iter().map(|point| point.requests).collect();
        let most = MOST_POINTS as usize;
        assert!((most / 2..=most + 1).contains(&requests.len()), "{}", requests.len());
        assert_eq!((requests[0], requests.last().copied()), (0, Some(day - 1)));
        let gaps: Vec<u64> = requests.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[..gaps.len() - 1].iter().all(|gap| *gap == gaps[0]), "{gaps:?}");
    }
}
