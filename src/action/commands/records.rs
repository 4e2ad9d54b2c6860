//! What was recorded, as figures: `LD_summary`, `LD_clear_records`.

use indexmap::IndexMap;

use crate::action::arguments::{Arguments, optional};
use crate::action::context::Context;
use crate::action::registry::{Command, Declaration, Parsed};
use crate::event::Failure;
use crate::record::{Records, interpolate};
use crate::value::{Invalid, Map, Reader, Value};

pub(crate) const COMMANDS: &[Declaration] = &[
    Declaration::named("LD_summary", &[optional("success"), optional("failures")], summary),
    Declaration::named("LD_clear_records", &[], |_| Ok(Box::new(ClearRecords))),
];

#[derive(Debug)]
struct ClearRecords;

impl Command for ClearRecords {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        context.clear_records();
        Ok(Value::dict([("status", Value::from("cleared"))]))
    }
}

/// A record as a figure needs it: what it is listed under, and its time where it has one.
#[derive(Debug, Clone, PartialEq)]
struct Figure {
    name: String,
    millis: Option<f64>,
}

#[derive(Debug)]
struct Summary {
    success: Option<Vec<Figure>>,
    failures: Option<Vec<Figure>>,
}

fn summary(given: &Arguments<'_>) -> Parsed {
    let list = |name| given.present(name).map(|list| figures(&list)).transpose();
    Ok(Box::new(Summary { success: list("success")?, failures: list("failures")? }))
}

fn figures(list: &Reader<'_>) -> Result<Vec<Figure>, Invalid> {
    let records = list.list()?;
    records
        .iter()
        .map(|record| {
            let mut members = record.object()?;
            let millis =
                members.present("response_time_ms").and_then(|millis| finite(millis.value()));
            let name = ["name", "test_url"].into_iter().find_map(|key| {
                let name = members.present(key)?.value();
                Some(name.to_text()).filter(|_| truthy(name))
            });
            Ok(Figure { name: name.unwrap_or_else(|| "unknown".to_owned()), millis })
        })
        .collect()
}

/// A measurement: a finite number of at least 0, or text that reads as one. Anything else counts as
/// a request without a time, as in the reference.
fn finite(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Str(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    number.filter(|number| number.is_finite() && *number >= 0.0)
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Int(_) | Value::Big(_) | Value::Float(_) => value.as_f64() != Some(0.0),
        Value::Str(text) => !text.is_empty(),
        Value::List(items) | Value::Tuple(items) => !items.is_empty(),
        Value::Dict(members) => !members.is_empty(),
    }
}

impl Command for Summary {
    fn run(self: Box<Self>, context: &mut Context<'_>) -> Result<Value, Failure> {
        let records = context.records();
        if self.success.is_none() && self.failures.is_none() {
            return Ok(records.summary().to_value());
        }
        let success = self.success.unwrap_or_else(|| recorded(&records, false));
        let failures = self.failures.unwrap_or_else(|| recorded(&records, true));
        Ok(summarise(&success, &failures))
    }
}

fn recorded(records: &Records, failed: bool) -> Vec<Figure> {
    let rows = records.rows().filter(|row| row.failed() == failed);
    rows.map(|row| Figure { name: row.label.name.to_string(), millis: Some(row.response_ms) })
        .collect()
}

fn summarise(success: &[Figure], failures: &[Figure]) -> Value {
    let requests = success.len() + failures.len();
    let all = sorted(success.iter().chain(failures).filter_map(|figure| figure.millis));
    let mut names: IndexMap<&str, Vec<f64>> = IndexMap::new();
    for figure in success {
        if let Some(millis) = figure.millis {
            names.entry(&figure.name).or_default().push(millis);
        }
    }
    let per_name: Map = names
        .into_iter()
        .map(|(name, times)| {
            let mean = mean(&times);
            let times = sorted(times);
            let figures = Value::dict([
                ("count", Value::from(times.len() as u64)),
                ("min_ms", times.first().copied().unwrap_or_default().into()),
                ("max_ms", times.last().copied().unwrap_or_default().into()),
                ("mean_ms", mean.into()),
                ("p50_ms", percentile(&times, 50.0).into()),
                ("p90_ms", percentile(&times, 90.0).into()),
                ("p95_ms", percentile(&times, 95.0).into()),
                ("p99_ms", percentile(&times, 99.0).into()),
            ]);
            (name.to_owned(), figures)
        })
        .collect();
    Value::dict([
        (
            "totals",
            Value::dict([
                ("requests", Value::from(requests as u64)),
                ("successes", (success.len() as u64).into()),
                ("failures", (failures.len() as u64).into()),
                ("failure_rate", (failures.len() as f64 / requests.max(1) as f64).into()),
            ]),
        ),
        (
            "latency_overall",
            Value::dict([
                ("count", Value::from(all.len() as u64)),
                ("p50_ms", percentile(&all, 50.0).into()),
                ("p90_ms", percentile(&all, 90.0).into()),
                ("p95_ms", percentile(&all, 95.0).into()),
                ("p99_ms", percentile(&all, 99.0).into()),
                ("max_ms", all.last().copied().unwrap_or_default().into()),
            ]),
        ),
        ("per_name", Value::Dict(per_name)),
    ])
}

fn sorted(times: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut times: Vec<f64> = times.into_iter().collect();
    times.sort_unstable_by(f64::total_cmp);
    times
}

/// The arithmetic mean, scaled by the largest so that times near the limits of a float cannot
/// overflow their sum, and rounded once.
fn mean(times: &[f64]) -> f64 {
    let scale = times.iter().copied().fold(0.0, f64::max);
    if scale == 0.0 {
        return 0.0;
    }
    exact_sum(times.iter().map(|time| time / scale)) / times.len() as f64 * scale
}

/// The sum of finite numbers of one sign, rounded once (Shewchuk's method, that of Python's
/// `math.fsum`): `parts` add up to the exact sum and do not overlap, the smallest first.
fn exact_sum(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut parts: Vec<f64> = Vec::new();
    for mut number in numbers {
        parts.retain_mut(|part| {
            let (large, small) =
                if number.abs() < part.abs() { (*part, number) } else { (number, *part) };
            number = large + small;
            *part = small - (number - large);
            *part != 0.0
        });
        parts.push(number);
    }
    let Some(mut sum) = parts.pop() else { return 0.0 };
    while let Some(part) = parts.pop() {
        let before = sum;
        sum = before + part;
        let lost = part - (sum - before);
        if lost != 0.0 {
            // What is lost is half a unit of the last place and more of its sign follows: round up.
            let twice = lost * 2.0;
            let same_sign = parts.last().is_some_and(|next| (*next < 0.0) == (lost < 0.0));
            if same_sign && twice == (sum + twice) - sum {
                sum += twice;
            }
            break;
        }
    }
    sum
}

/// A percentile of sorted milliseconds that a document gives.
fn percentile(sorted: &[f64], percentile: f64) -> f64 {
    interpolate(sorted.len(), percentile, |place| sorted.get(place).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_rounded_once() {
        for (numbers, sum) in [
            (&[][..], 0.0),
            (&[0.1; 10], 1.0),
            (&[1.0, 1e-16, 1e-16, 1e-16], 1.0000000000000002),
            (&[1e16, 1.0, 1.0], 1.0000000000000002e16),
            (&[1.0, f64::EPSILON / 2.0, 1e-300], 1.0 + f64::EPSILON),
        ] {
            assert_eq!(exact_sum(numbers.iter().copied()), sum, "{numbers:?}");
        }
        assert_eq!(mean(&[f64::MAX, f64::MAX]), f64::MAX);
    }
}
