//! The exact figures over finished runs: percentiles come from every request's time, interpolated
//! linearly between the two nearest ranks, as in the reference. Times count from the intended start
//! where the run had an open model. Only this module knows the shape of `LD_summary`: it is written
//! from a [`Summary`], and [`Metrics`] reads a [`Metric`] from either.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::gaps::Gaps;
use super::iterations::Iterations;
use super::live::{Series, total};
use super::recorder::Recorder;
use super::sample::TICK_NANOS;
use super::stats::{at_ranks, interpolate, scaled_mean};
use crate::value::{Map, Value};

/// The figures over a set of requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// All requests.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Requests without a response that were dropped at the end; no others count them.
    pub interrupted: u64,
    /// Iterations.
    pub iterations: Iterations,
    /// What requests lacked.
    pub gaps: Gaps,
    /// Latency over successes and failures.
    pub overall: LatencySummary,
    /// Per name, successes only (as the reference counts), in the order of the first success.
    pub per_name: Vec<NameSummary>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LatencySummary {
    /// The number of requests.
    pub count: u64,
    /// The minimum.
    pub min_ms: f64,
    /// The arithmetic mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// The 90th percentile.
    pub p90_ms: f64,
    /// The 95th percentile.
    pub p95_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The maximum.
    pub max_ms: f64,
}

/// The figures of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct NameSummary {
    /// The name.
    pub name: Arc<str>,
    /// The method of its requests; `None` if they have several, or it is not known.
    pub method: Option<Arc<str>>,
    /// All its requests.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Latency over the successes.
    pub latency: LatencySummary,
}

/// A request given in a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The name that it is reported under.
    pub name: String,
    /// How long it took, at least 0, if known.
    pub millis: Option<f64>,
}

impl Summary {
    /// The figures over requests given in a document. Those without a time are counted but have no
    /// latency; failures are not counted per name.
    pub fn of_given(success: &[Given], failures: &[Given]) -> Self {
        let mut all: Vec<f64> =
            success.iter().chain(failures).filter_map(|given| given.millis).collect();
        let mut names: IndexMap<&str, Vec<f64>> = IndexMap::new();
        for given in success {
            if let Some(millis) = given.millis {
                names.entry(&given.name).or_default().push(millis);
            }
        }
        Self {
            requests: (success.len() + failures.len()) as u64,
            failures: failures.len() as u64,
            overall: LatencySummary::of_millis(&mut all),
            per_name: names
                .into_iter()
                .map(|(name, mut times)| NameSummary {
                    name: name.into(),
                    method: None,
                    requests: times.len() as u64,
                    failures: 0,
                    latency: LatencySummary::of_millis(&mut times),
                })
                .collect(),
            ..Self::default()
        }
    }

    /// The figures of a test in progress, whose latencies are exact to 1 %, and by name over all
    /// requests instead of the successes.
    pub fn of_series(series: &[Series]) -> Self {
        let mut names: IndexMap<&Arc<str>, Vec<&Series>> = IndexMap::new();
        for one in series.iter().filter(|one| one.requests > 0) {
            names.entry(&one.name).or_default().push(one);
        }
        let sum = total(series);
        Self {
            requests: sum.requests,
            failures: sum.failures,
            overall: LatencySummary::of_series(&sum),
            per_name: names
                .into_iter()
                .map(|(name, parts)| {
                    let first = parts.first().map(|one| &one.method);
                    let same = parts.iter().all(|one| Some(&one.method) == first);
                    let method = first.filter(|_| same).map(Arc::clone);
                    let sum = total(parts);
                    NameSummary {
                        name: Arc::clone(name),
                        method,
                        requests: sum.requests,
                        failures: sum.failures,
                        latency: LatencySummary::of_series(&sum),
                    }
                })
                .collect(),
            ..Self::default()
        }
    }

    #[cfg(test)]
    pub(super) fn of<'a>(parts: impl Iterator<Item = &'a Recorder>) -> Self {
        Self::of_since(parts, Duration::ZERO)
    }

    /// The figures over the requests of these workers that were sent at least so long after the start
    /// of their run. Those without rows have no time, and are counted.
    pub(super) fn of_since<'a>(parts: impl Iterator<Item = &'a Recorder>, since: Duration) -> Self {
        let parts: Vec<&Recorder> = parts.collect();
        let mut names: Vec<(Arc<str>, u64, Vec<u64>)> = Vec::new();
        let mut methods: Vec<Option<Arc<str>>> = Vec::new();
        let mut places: HashMap<Arc<str>, usize> = HashMap::new();
        // Exactly as large as needed: the memory of a record includes it.
        let mut all: Vec<u64> = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        // Requests without rows: all, and the successes by name.
        let mut counted = None::<Series>;
        let mut counted_names: HashMap<usize, Series> = HashMap::new();
        for part in parts {
            let of_label: Vec<usize> = part
                .labels()
                .iter()
                .map(|label| {
                    let place = *places.entry(Arc::clone(&label.name)).or_insert_with(|| {
                        names.push((Arc::clone(&label.name), 0, Vec::new()));
                        methods.push(Some(Arc::clone(&label.method)));
                        names.len() - 1
                    });
                    if let Some(method) = methods.get_mut(place)
                        && method.as_ref() != Some(&label.method)
                    {
                        *method = None;
                    }
                    place
                })
                .collect();
            let mut rows = vec![0; part.labels().len()];
            for (label, failed, _) in part.latencies(since) {
                if let (false, Some(rows)) = (failed, rows.get_mut(label)) {
                    *rows += 1;
                }
            }
            let mut of_name: HashMap<usize, usize> = HashMap::new();
            of_label.iter().zip(rows).for_each(|(place, rows)| {
                *of_name.entry(*place).or_default() += rows;
            });
            for (place, rows) in of_name {
                if let Some((.., successes)) = names.get_mut(place) {
                    successes.reserve_exact(rows);
                }
            }
            for (label, failed, latency) in part.latencies(since) {
                all.push(latency);
                let name = of_label.get(label).and_then(|place| names.get_mut(*place));
                let Some((_, failures, successes)) = name else { continue };
                if failed {
                    *failures += 1;
                } else {
                    successes.push(latency);
                }
            }
            let beyond = part.without_rows().into_iter().flat_map(|beyond| beyond.names());
            for (successes, failures) in beyond {
                let sum = counted.get_or_insert_with(|| total([]));
                sum.merge(successes);
                sum.merge(failures);
                let Some(place) = places.get(&successes.name).copied() else { continue };
                counted_names.entry(place).or_insert_with(|| total([])).merge(successes);
                if let Some((_, count, _)) = names.get_mut(place) {
                    *count += failures.requests;
                }
            }
        }
        let failures = names.iter().map(|(_, failures, _)| failures).sum();
        let without_rows = counted.as_ref().map_or(0, |counted| counted.requests);
        Self {
            requests: all.len() as u64 + without_rows,
            failures,
            overall: LatencySummary::of_both(&mut all, counted.as_ref()),
            per_name: names
                .into_iter()
                .zip(methods)
                .enumerate()
                .map(|(place, ((name, failures, mut ticks), method))| {
                    let latency = LatencySummary::of_both(&mut ticks, counted_names.get(&place));
                    let requests = failures + latency.count;
                    NameSummary { name, method, requests, failures, latency }
                })
                .filter(|name| name.requests > 0)
                .collect(),
            ..Self::default()
        }
    }

    /// The fraction of requests that failed; 0 without requests.
    pub fn failure_rate(&self) -> f64 {
        self.failures as f64 / self.requests.max(1) as f64
    }

    /// The shape of `LD_summary`: names with at least one success, as in the reference.
    pub fn to_value(&self) -> Value {
        let per_name = self.per_name.iter().filter(|name| name.latency.count > 0);
        let per_name =
            per_name.map(|name| (name.name.to_string(), Value::Dict(name.latency.to_members())));
        self.with_names(per_name.collect())
    }

    /// [`Self::to_value`] and what the reference does not say: the names without a success, the failures
    /// of each, iterations, requests that were interrupted, and what requests lacked.
    pub fn to_details(&self) -> Value {
        let per_name = self.per_name.iter().map(|name| {
            let mut figures = Map::new();
            if let Some(method) = &name.method {
                figures.insert("method".to_owned(), (&**method).into());
            }
            figures.insert("requests".to_owned(), name.requests.into());
            figures.insert("failures".to_owned(), name.failures.into());
            figures.insert("failure_rate".to_owned(), name.failure_rate().into());
            // Latencies are those of successes.
            match name.latency.count {
                0 => drop(figures.insert("count".to_owned(), 0u64.into())),
                _ => figures.extend(name.latency.to_members()),
            }
            (name.name.to_string(), Value::Dict(figures))
        });
        let mut details = self.with_names(per_name.collect());
        let Iterations { started, planned, dropped, span, waited, .. } = self.iterations;
        if let Value::Dict(members) = &mut details {
            if let Some(Value::Dict(totals)) = members.get_mut("totals") {
                totals.insert("interrupted".to_owned(), self.interrupted.into());
            }
            if let Some(Value::Dict(overall)) = members.get_mut("latency_overall") {
                overall.insert("mean_ms".to_owned(), self.overall.mean_ms.into());
            }
            let iterations = Value::dict([
                ("started", Value::from(started)),
                ("planned", planned.into()),
                ("dropped", dropped.into()),
                ("achieved_rate", self.iterations.rate().into()),
                ("span_s", span.as_secs_f64().into()),
                ("waited_s", waited.as_secs_f64().into()),
            ]);
            members.insert("iterations".to_owned(), iterations);
            members.insert("unresolved".to_owned(), self.gaps.to_value());
        }
        details
    }

    fn with_names(&self, per_name: Map) -> Value {
        Value::dict([
            (
                "totals",
                Value::dict([
                    ("requests", Value::from(self.requests)),
                    ("successes", (self.requests - self.failures).into()),
                    ("failures", self.failures.into()),
                    ("failure_rate", self.failure_rate().into()),
                ]),
            ),
            (
                "latency_overall",
                Value::dict([
                    ("count", Value::from(self.overall.count)),
                    ("p50_ms", self.overall.p50_ms.into()),
                    ("p90_ms", self.overall.p90_ms.into()),
                    ("p95_ms", self.overall.p95_ms.into()),
                    ("p99_ms", self.overall.p99_ms.into()),
                    ("max_ms", self.overall.max_ms.into()),
                ]),
            ),
            ("per_name", Value::Dict(per_name)),
        ])
    }
}

impl NameSummary {
    fn failure_rate(&self) -> f64 {
        self.failures as f64 / self.requests.max(1) as f64
    }
}

impl LatencySummary {
    /// As a name's figures stand in `LD_summary`.
    fn to_members(&self) -> Map {
        let members = [
            ("count", Value::from(self.count)),
            ("min_ms", self.min_ms.into()),
            ("max_ms", self.max_ms.into()),
            ("mean_ms", self.mean_ms.into()),
            ("p50_ms", self.p50_ms.into()),
            ("p90_ms", self.p90_ms.into()),
            ("p95_ms", self.p95_ms.into()),
            ("p99_ms", self.p99_ms.into()),
        ];
        members.map(|(key, figure)| (key.to_owned(), figure)).into_iter().collect()
    }

    /// Over the ticks of rows and over requests that are counted without rows; exact where there are
    /// none of these.
    fn of_both(ticks: &mut [u64], counted: Option<&Series>) -> Self {
        let Some(counted) = counted.filter(|counted| counted.requests > 0) else {
            return Self::of_ticks(ticks);
        };
        let mut sum = counted.clone();
        for ticks in ticks {
            let nanos = ticks.saturating_mul(TICK_NANOS);
            sum.record(Duration::from_nanos(nanos), 0, false);
        }
        Self::of_series(&sum)
    }

    fn of_ticks(ticks: &mut [u64]) -> Self {
        let sum: u128 = ticks.iter().map(|ticks| u128::from(*ticks)).sum();
        let mean = sum as f64 / ticks.len().max(1) as f64;
        let known = at_ranks(ticks, &PERCENTILES);
        // Interpolated in milliseconds instead of ticks, to match the reference to the last bit.
        let at = |rank| {
            let found = known.iter().find(|(known, _)| *known == rank);
            found.map_or(0.0, |(_, ticks)| millis(*ticks as f64))
        };
        Self::of_ranked(ticks.len(), millis(mean), at)
    }

    fn of_series(series: &Series) -> Self {
        let (mut min_ms, mut max_ms) = (None, 0.0);
        for (millis, _) in series.latencies_ms() {
            min_ms.get_or_insert(millis);
            max_ms = millis;
        }
        let at = |percentile| series.percentile_ms(percentile);
        Self {
            count: series.requests,
            min_ms: min_ms.unwrap_or(0.0),
            mean_ms: series.latency_sum_us as f64 / 1000.0 / series.requests.max(1) as f64,
            p50_ms: at(50.0),
            p90_ms: at(90.0),
            p95_ms: at(95.0),
            p99_ms: at(99.0),
            max_ms,
        }
    }

    fn of_millis(times: &mut [f64]) -> Self {
        times.sort_unstable_by(f64::total_cmp);
        let at = |place| times.get(place).copied().unwrap_or_default();
        Self::of_ranked(times.len(), scaled_mean(times), at)
    }

    /// From the mean of `count` times, and the times by their rank.
    fn of_ranked(count: usize, mean_ms: f64, at: impl Fn(usize) -> f64) -> Self {
        let Some(last) = count.checked_sub(1) else { return Self::default() };
        let [p50_ms, p90_ms, p95_ms, p99_ms] =
            PERCENTILES.map(|percentile| interpolate(count, percentile, &at));
        Self {
            count: count as u64,
            min_ms: at(0),
            mean_ms,
            p50_ms,
            p90_ms,
            p95_ms,
            p99_ms,
            max_ms: at(last),
        }
    }
}

/// The percentiles of a summary.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 95.0, 99.0];

fn millis(ticks: f64) -> f64 {
    ticks * TICK_NANOS as f64 / 1e6
}

/// A figure that rules can check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Median latency in milliseconds.
    P50,
    /// 90th percentile in milliseconds.
    P90,
    /// 95th percentile in milliseconds.
    P95,
    /// 99th percentile in milliseconds.
    P99,
    /// Mean latency of one name in milliseconds.
    Mean,
    /// The fraction of requests that failed, 0 to 1.
    FailureRate,
    /// The number of requests; for one name, the number of successes, as in the reference.
    Requests,
    /// Planned iterations that never started.
    DroppedIterations,
    /// The fraction of planned iterations that never started, 0 to 1.
    DroppedRate,
    /// Iterations that were started per second.
    AchievedRate,
    /// Requests without a response that were dropped at the end.
    Interrupted,
    /// Requests that were sent with a placeholder as it is written.
    Unresolved,
    /// Extractors that found nothing.
    FailedExtractions,
}

impl Metric {
    /// Whether it is known only at the end of a run.
    pub fn is_of_the_end(self) -> bool {
        matches!(
            self,
            Self::DroppedIterations
                | Self::DroppedRate
                | Self::AchievedRate
                | Self::Interrupted
                | Self::Unresolved
                | Self::FailedExtractions
        )
    }
}

/// Figures that rules are evaluated over. `None` is a figure that is not known.
pub trait Metrics {
    /// A figure over all requests.
    fn overall(&self, metric: Metric) -> Option<f64>;
    /// A figure over the requests of one name.
    fn named(&self, name: &str, metric: Metric) -> Option<f64>;
}

impl Metrics for Summary {
    fn overall(&self, metric: Metric) -> Option<f64> {
        Some(match metric {
            Metric::P50 => self.overall.p50_ms,
            Metric::P90 => self.overall.p90_ms,
            Metric::P95 => self.overall.p95_ms,
            Metric::P99 => self.overall.p99_ms,
            Metric::Mean => return None,
            Metric::FailureRate => self.failure_rate(),
            Metric::Requests => self.requests as f64,
            Metric::DroppedIterations => self.iterations.dropped as f64,
            Metric::DroppedRate => self.iterations.dropped_share(),
            Metric::AchievedRate => return self.iterations.rate(),
            Metric::Interrupted => self.interrupted as f64,
            Metric::Unresolved => self.gaps.requests as f64,
            Metric::FailedExtractions => self.gaps.extractions as f64,
        })
    }

    fn named(&self, name: &str, metric: Metric) -> Option<f64> {
        let found = self.per_name.iter().find(|entry| &*entry.name == name)?;
        let latency = &found.latency;
        let measured = |figure: f64| (latency.count > 0).then_some(figure);
        match metric {
            Metric::P50 => measured(latency.p50_ms),
            Metric::P90 => measured(latency.p90_ms),
            Metric::P95 => measured(latency.p95_ms),
            Metric::P99 => measured(latency.p99_ms),
            Metric::Mean => measured(latency.mean_ms),
            Metric::FailureRate => Some(found.failure_rate()),
            Metric::Requests => measured(latency.count as f64),
            Metric::DroppedIterations
            | Metric::DroppedRate
            | Metric::AchievedRate
            | Metric::Interrupted
            | Metric::Unresolved
            | Metric::FailedExtractions => None,
        }
    }
}

/// A summary from a document, in the shape of `LD_summary`'s result. Its names have no failures,
/// unless the document adds a `failure_rate`.
impl Metrics for Value {
    fn overall(&self, metric: Metric) -> Option<f64> {
        let (block, key) = match metric {
            Metric::P50 => ("latency_overall", "p50_ms"),
            Metric::P90 => ("latency_overall", "p90_ms"),
            Metric::P95 => ("latency_overall", "p95_ms"),
            Metric::P99 => ("latency_overall", "p99_ms"),
            Metric::Mean => return None,
            Metric::FailureRate => ("totals", "failure_rate"),
            Metric::Requests => ("totals", "requests"),
            Metric::DroppedIterations => ("iterations", "dropped"),
            Metric::DroppedRate => {
                let iterations = self.get("iterations")?;
                let of = |key: &str| iterations.get(key)?.as_f64();
                return Some(of("dropped")? / of("planned")?.max(1.0));
            }
            Metric::AchievedRate => ("iterations", "achieved_rate"),
            Metric::Interrupted => ("totals", "interrupted"),
            Metric::Unresolved => ("unresolved", "requests"),
            Metric::FailedExtractions => ("unresolved", "failed_extractions"),
        };
        self.get(block)?.get(key)?.as_f64()
    }

    fn named(&self, name: &str, metric: Metric) -> Option<f64> {
        let key = match metric {
            Metric::P50 => "p50_ms",
            Metric::P90 => "p90_ms",
            Metric::P95 => "p95_ms",
            Metric::P99 => "p99_ms",
            Metric::Mean => "mean_ms",
            Metric::FailureRate => "failure_rate",
            Metric::Requests => "count",
            Metric::DroppedIterations
            | Metric::DroppedRate
            | Metric::AchievedRate
            | Metric::Interrupted
            | Metric::Unresolved
            | Metric::FailedExtractions => return None,
        };
        self.get("per_name")?.get(name)?.get(key)?.as_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::records;
    use super::*;

    /// Two requests of one name that succeed after 10 and 20 ms, and one of another that fails.
    fn summary() -> Summary {
        records(&[
            ("GET", "http://x/", "a", 200, 10.0, 1, None),
            ("GET", "http://x/", "a", 200, 20.0, 1, None),
            ("GET", "http://x/", "b", 500, 40.0, 1, Some("broken")),
        ])
        .summary()
    }

    #[test]
    fn the_shape_is_the_one_of_the_reference() {
        // `build_summary` of LoadDensity 0.0.79 for the same requests.
        assert_eq!(
            summary().to_value().to_text(),
            "{'totals': {'requests': 3, \
             'successes': 2, \
             'failures': 1, \
             'failure_rate': 0.3333333333333333}, \
             'latency_overall': {'count': 3, \
             'p50_ms': 20.0, \
             'p90_ms': 36.0, \
             'p95_ms': 38.0, \
             'p99_ms': 39.6, \
             'max_ms': 40.0}, \
             'per_name': {'a': {'count': 2, \
             'min_ms': 10.0, \
             'max_ms': 20.0, \
             'mean_ms': 15.0, \
             'p50_ms': 15.0, \
             'p90_ms': 19.0, \
             'p95_ms': 19.5, \
             'p99_ms': 19.9}}}"
        );
    }

    #[test]
    fn the_details_hold_every_name_and_what_was_not_done() {
        let mut summary = summary();
        let [span, waited] = [5, 1].map(std::time::Duration::from_secs);
        summary.iterations =
            Iterations { started: 100, planned: 800, dropped: 700, span, waited, starting: 0 };
        summary.interrupted = 7;
        let details = summary.to_details();
        let member = |block: &str| details.get(block).expect(block).to_text();
        assert_eq!(
            member("iterations"),
            "{'started': 100, 'planned': 800, 'dropped': 700, 'achieved_rate': 25.0, \
             'span_s': 5.0, 'waited_s': 1.0}"
        );
        let names = member("per_name");
        assert!(names.starts_with(
            "{'a': {'method': 'GET', 'requests': 2, 'failures': 0, 'failure_rate': 0.0, 'count'"
        ));
        assert!(names.ends_with(
            "'b': {'method': 'GET', 'requests': 1, 'failures': 1, 'failure_rate': 1.0, 'count': 0}}"
        ));
        for (metric, figure) in [
            (Metric::DroppedIterations, 700.0),
            (Metric::AchievedRate, 25.0),
            (Metric::Interrupted, 7.0),
        ] {
            assert_eq!(summary.overall(metric), Some(figure));
            assert_eq!(details.overall(metric), Some(figure));
        }
        assert_eq!(details.named("b", Metric::FailureRate), Some(1.0));
    }

    #[test]
    fn requests_from_a_document_are_summarized_in_the_same_way() {
        let given = |name: &str, millis| Given { name: name.to_owned(), millis };
        let success = [given("a", Some(10.0)), given("a", Some(20.0)), given("c", None)];
        let summed = Summary::of_given(&success, &[given("b", Some(40.0))]);
        assert_eq!((summed.requests, summed.failures), (4, 1));
        assert_eq!(summed.overall, summary().overall);
        assert_eq!(summed.per_name.len(), 1, "c has no time");
        let measured = NameSummary { method: None, ..summary().per_name[0].clone() };
        assert_eq!(summed.per_name[0], measured);
    }

    #[test]
    fn every_figure_is_read_back_from_the_shape_it_is_written_in() {
        use Metric::{FailureRate, Mean, P50, P90, P95, P99, Requests};
        let (summary, written) = (summary(), summary().to_value());
        for metric in [P50, P90, P95, P99, Mean, FailureRate, Requests] {
            assert_eq!(written.overall(metric), summary.overall(metric), "{metric:?}");
            // A name's failures are not written.
            let named = summary.named("a", metric).filter(|_| metric != FailureRate);
            assert_eq!(written.named("a", metric), named, "{metric:?}");
        }
        assert_eq!(summary.overall(P90).map(f64::round), Some(36.0));
        assert_eq!(written.named("b", Requests), None);
    }
}
