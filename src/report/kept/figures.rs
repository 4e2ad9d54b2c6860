//! The figures for a page, of what is kept of a run.

use super::errors::Kinds;
use super::read::{Kept, KeptPoint, KeptTest};
use super::sum::Sum;
use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

use crate::record::diff::{Run, RunMetrics};
use crate::record::{Gaps, Iterations};
use crate::report::figures::{
    Course, ErrorFigures, Facts, Figures, MAX_NAMES, MAX_POINTS, NameFigures, Point, Stats,
    TestFacts,
};
use crate::value::Value;

/// How exact the latencies are.
pub(super) const ERROR: f64 = 0.01;

impl Kept<'_> {
    /// The summary over all tests.
    pub fn summary(&self) -> &Value {
        self.summary
    }

    /// The figures by name, whatever the method, for a comparison, and over all of them.
    pub fn metrics(&self) -> (Run, RunMetrics) {
        let (mut names, mut total) = (BTreeMap::<String, Sum>::new(), Sum::default());
        for test in &self.tests {
            for name in &test.names {
                names.entry(name.name.to_owned()).or_default().add(name);
                total.add(name);
            }
            total.add(&test.further);
        }
        let names = names.into_iter().map(|(name, sum)| (name, sum.metrics())).collect();
        (names, total.metrics())
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
            is_charted_apart: false,
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
            ..Iterations::default()
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
            found.map(|(_, millis)| *millis).filter(|_| self.requests > 0)
        };
        Stats {
            requests: self.requests,
            failures: self.failures,
            p50_ms: at(50.0),
            p90_ms: at(90.0),
            p95_ms: at(95.0),
            p99_ms: at(99.0),
            max_ms: Some(self.max_ms).filter(|_| self.requests > 0),
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
