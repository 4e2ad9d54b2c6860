//! Gates while a test is in progress: those that end it, and those that it has clearly failed before its
//! end.

use super::{Comparison, METRICS, RULE, Rule, rules};
use crate::record::live::{Live, Series, Window};
use crate::record::summary::{Metric, Metrics};
use crate::value::field::nearest;
use crate::value::{Invalid, Reader};

/// How many times the limit of a gate a figure is before the end of a test need not be awaited.
const CLEARLY: f64 = 3.0;

/// The least failure rate that is clearly too high.
const CLEARLY_FAILING: f64 = 0.2;

/// The fewest requests by which that is said.
const FEWEST: u64 = 100;

/// Figures of a run in progress; successes and failures together.
struct Running<'a>(&'a Live);

impl Metrics for Running<'_> {
    fn overall(&self, metric: Metric) -> Option<f64> {
        of_series(&self.0.total(), metric)
    }

    fn named(&self, name: &str, metric: Metric) -> Option<f64> {
        of_series(&self.0.named(name), metric)
    }
}

impl Metrics for Window {
    fn overall(&self, metric: Metric) -> Option<f64> {
        of_series(&self.total(), metric)
    }

    fn named(&self, name: &str, metric: Metric) -> Option<f64> {
        of_series(&Window::named(self, name), metric)
    }
}

/// Why a run in progress fails one of these rules so clearly that it need not go on, if it does: by
/// the requests that will be judged.
pub fn clearly_broken(rules: &[Rule], figures: &dyn Metrics) -> Option<String> {
    if figures.overall(Metric::Requests)? < FEWEST as f64 {
        return None;
    }
    rules.iter().find_map(|rule| {
        let condition = rule.condition.as_ref().ok()?;
        let metric = condition.metric?;
        if !matches!(condition.comparison, Comparison::Below | Comparison::AtMost) {
            return None;
        }
        let limit = match metric {
            Metric::P50 | Metric::P90 | Metric::P95 | Metric::P99 | Metric::Mean => {
                condition.limit * CLEARLY
            }
            Metric::FailureRate => (condition.limit * CLEARLY).max(CLEARLY_FAILING),
            _ => return None,
        };
        let actual = match &condition.name {
            Some(name) => figures.named(name, metric),
            None => figures.overall(metric),
        }?;
        (actual > limit).then(|| rule.broken(condition, actual))
    })
}

fn of_series(series: &Series, metric: Metric) -> Option<f64> {
    if series.requests == 0 {
        return None;
    }
    let requests = series.requests as f64;
    Some(match metric {
        Metric::P50 => series.percentile_ms(50.0),
        Metric::P90 => series.percentile_ms(90.0),
        Metric::P95 => series.percentile_ms(95.0),
        Metric::P99 => series.percentile_ms(99.0),
        Metric::Mean => series.latency_sum_us as f64 / 1000.0 / requests,
        Metric::FailureRate => series.failures as f64 / requests,
        Metric::Requests => requests,
        Metric::DroppedIterations
        | Metric::DroppedRate
        | Metric::AchievedRate
        | Metric::Interrupted
        | Metric::Unresolved
        | Metric::FailedExtractions => return None,
    })
}

/// Rules that end a test as soon as one of them fails.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AbortOn {
    rules: Vec<Rule>,
}

impl AbortOn {
    /// Parses the list. Refuses rules that could never stop a test: those that cannot be evaluated,
    /// and lower bounds of `requests`, which can only fail at the end of a run.
    pub fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let rules = rules(reader)?.iter().map(Self::read_rule).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    fn read_rule(reader: &Reader<'_>) -> Result<Rule, Invalid> {
        let mut object = reader.fields(RULE)?;
        let kind = object.required("type")?;
        for key in ["op", "value", "name"] {
            object.optional(key);
        }
        object.finish()?;
        let rule = Rule::read(reader)?;
        let condition =
            rule.condition.as_ref().map_err(|reason| reader.invalid(reason.as_str()))?;
        match (condition.metric, condition.comparison) {
            (None, _) => {
                let running = METRICS.iter().filter(|(_, metric)| !metric.is_of_the_end());
                let names: Vec<&str> = running.map(|(name, _)| *name).collect();
                let mut invalid = kind.expected(&format!("one of {}", names.join(", ")));
                let wrong = kind.value().as_str().unwrap_or_default();
                if let Some(meant) = nearest(wrong, names.iter().copied()) {
                    invalid.message.push_str(&format!("; did you mean {meant:?}?"));
                }
                Err(invalid)
            }
            (Some(metric), _) if metric.is_of_the_end() => Err(kind.invalid(format!(
                "{} is known only after the run (LD_assert_sla)",
                kind.value().to_text()
            ))),
            (Some(Metric::Requests), Comparison::Above | Comparison::AtLeast) => Err(kind.invalid(
                "a minimum number of requests can only be checked after the run (LD_assert_sla)",
            )),
            (Some(Metric::Mean), _) if condition.name.is_none() => {
                Err(reader.invalid("latency_mean needs a \"name\""))
            }
            _ => Ok(rule),
        }
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns why the run must end now, if it must. `run` holds its figures so far; a
    /// figure that is not known yet fails no rule.
    pub fn broken(&self, run: &Live) -> Option<String> {
        self.rules
            .iter()
            .map(|rule| rule.judge(&Running(run)))
            .find(|verdict| !verdict.passed && verdict.actual.is_some())
            .map(|verdict| verdict.reason)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{recorder, rules};
    use super::*;
    use crate::record::{Label, Recorder, Sample, fixture};
    use crate::value::Value;

    fn abort_on(json: &str) -> Result<AbortOn, String> {
        let value = Value::parse(json).expect("JSON");
        AbortOn::read(&Reader::at(&value, "/abort_on")).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn a_running_test_is_checked_by_its_figures_so_far() {
        let live = Live::default();
        let rules = abort_on(
            r#"[{"type": "failure_rate", "value": 0.2}, {"type": "latency_p50", "value": 50,
                "name": "b"}]"#,
        )
        .expect("rules");
        assert_eq!(rules.broken(&live), None);
        recorder().merge_into(&live);
        assert_eq!(live.total().requests, 10);
        let reason = rules.broken(&live).expect("b is too slow");
        assert!(reason.starts_with("latency_p50(b)=10"), "{reason}");
    }

    #[test]
    fn what_was_sent_before_the_window_of_a_run_does_not_clearly_break_a_gate() {
        let rules = rules(
            r#"[{"type": "latency_p95", "value": 10}, {"type": "failure_rate", "value": 0},
                {"type": "latency_p50", "value": 5, "name": "b"}, {"type": "requests", "value": 1}]"#,
        );
        let live = Live::default();
        let window = live.open_window(Duration::from_secs(1));
        let mut worker = Recorder::default();
        let mut add = |name: &str, start: u64, count: usize, millis: u64, failed: bool| {
            let label =
                worker.label(Label { method: "GET".into(), url: "u".into(), name: name.into() });
            let error = failed.then(|| worker.error("broken"));
            for _ in 0..count {
                worker.record(Sample {
                    label,
                    start: Duration::from_millis(start),
                    delay: Duration::ZERO,
                    service: Duration::from_millis(millis),
                    status: 200,
                    bytes: 1,
                    error,
                });
            }
            worker.merge_into(&live);
            clearly_broken(&rules, window)
        };
        assert_eq!(add("a", 999, 500, 5000, true), None, "they end after it began");
        assert_eq!(add("a", 1000, 100, 25, false), None, "not by far");
        assert_eq!(add("a", 1000, 400, 25, false), None, "nothing is counted twice");
        let reason = add("b", 1001, 1, 20, false).expect("b is slow");
        assert!(reason.starts_with("latency_p50(b)="), "{reason}");
        let reason = add("a", 2000, 100, 1000, false).expect("a is slow");
        assert!(reason.starts_with("latency_p95(overall)="), "{reason}");
        assert_eq!((window.total().requests, live.total().requests), (601, 1101));
    }

    #[test]
    fn by_few_requests_no_gate_is_clearly_broken() {
        let rules = rules(r#"[{"type": "failure_rate", "value": 0}]"#);
        let live = Live::default();
        let window = live.open_window(Duration::ZERO);
        (0..99).for_each(|_| fixture::request(&live, "a", 1, 1, true));
        assert_eq!(clearly_broken(&rules, window), None);
        fixture::request(&live, "a", 1, 1, true);
        assert!(clearly_broken(&rules, window).is_some());
    }

    #[test]
    fn a_rule_that_could_never_stop_a_test_is_refused_with_its_place() {
        for (json, refusal) in [
            (
                r#"[{"type": "latency_p42", "value": 1}]"#,
                "/abort_on/0/type: expected one of latency_p50, latency_p90, latency_p95, \
                 latency_p99, latency_mean, failure_rate, requests, got \"latency_p42\"; did you mean \
                 \"latency_p50\"?",
            ),
            (
                r#"[{"type": "requests", "op": "gte", "value": 1}]"#,
                "/abort_on/0/type: a minimum number of requests can only be checked after the run \
                 (LD_assert_sla)",
            ),
            (
                r#"[{"type": "dropped_iterations", "value": 1}]"#,
                "/abort_on/0/type: dropped_iterations is known only after the run (LD_assert_sla)",
            ),
            (r#"[{"type": "requests"}]"#, "/abort_on/0: rule missing 'value'"),
            (
                r#"[{"type": "requests", "value": 1, "x": 1}]"#,
                "/abort_on/0/x: unknown field; expected type, op, value or name",
            ),
        ] {
            assert_eq!(abort_on(json), Err(refusal.to_owned()));
        }
    }
}
