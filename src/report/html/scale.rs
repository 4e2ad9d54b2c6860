//! Vertical axes: linear from 0 to a round number, or logarithmic between round numbers.

use super::text;

/// The height of a drawing in its own units, about half a pixel each.
pub(super) const DEPTH: f64 = 400.0;

/// What an axis measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Milliseconds, logarithmic: the 99th percentile must not flatten the median.
    Millis,
    /// Per second.
    Rate,
    /// Percent.
    Percent,
    /// Whole numbers.
    Count,
}

/// The most labels of a logarithmic axis.
const MOST_LABELS: usize = 7;

/// A vertical axis.
#[derive(Debug)]
pub(super) struct Scale {
    kind: Kind,
    /// Its labels in ascending order.
    steps: Vec<f64>,
}

impl Scale {
    /// The axis that these values fit on.
    pub(super) fn over(kind: Kind, values: impl Iterator<Item = f64> + Clone) -> Self {
        let most = values.clone().fold(0.0, f64::max);
        let steps = match kind {
            Kind::Millis => logarithmic(values.fold(f64::INFINITY, f64::min), most),
            Kind::Rate => linear(if most > 0.0 { round_up(most / 4.0) } else { 0.25 }, most),
            Kind::Percent if most > 80.0 => linear(25.0, 100.0),
            Kind::Percent => linear(round_up(most / 4.0).max(0.01), most),
            Kind::Count => linear(whole(most / 4.0), most),
        };
        Self { kind, steps }
    }

    /// Where a value is, from the top.
    pub(super) fn y(&self, value: f64) -> f64 {
        let (low, high) = (
            self.steps.first().copied().unwrap_or_default(),
            self.steps.last().copied().unwrap_or(1.0),
        );
        let part = match self.kind {
            Kind::Millis => (value.max(low) / low).ln() / (high / low).ln(),
            _ => (value - low) / (high - low),
        };
        DEPTH * (1.0 - part.clamp(0.0, 1.0))
    }

    /// The labels and where they are.
    pub(super) fn labels(&self) -> impl Iterator<Item = (f64, String)> {
        let label = |value| match self.kind {
            Kind::Millis => text::tick_millis(value),
            Kind::Rate => format!("{}/s", text::short(value)),
            Kind::Percent => format!("{} %", text::short(value)),
            Kind::Count => text::short(value),
        };
        self.steps.iter().map(move |value| (self.y(*value), label(*value)))
    }
}

/// The next round number: one or two digits times a power of ten.
pub(super) fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let factor = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0]
        .into_iter()
        .find(|factor| factor * power >= value * 0.999_999);
    factor.unwrap_or(10.0) * power
}

fn linear(step: f64, most: f64) -> Vec<f64> {
    let count = (most / step - 1e-6).ceil().max(1.0) as usize;
    (0..=count.min(10)).map(|place| place as f64 * step).collect()
}

/// The next of 1, 2, 5, 10, 20, …
fn whole(value: f64) -> f64 {
    let mut step = 1.0;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if step >= value {
            break;
        }
        step *= factor;
    }
    step
}

/// Round numbers from below the least to above the most.
fn logarithmic(least: f64, most: f64) -> Vec<f64> {
    // Latencies below a microsecond are not distinguished.
    let least = if least.is_finite() { least.max(0.001) } else { 1.0 };
    let most = most.max(least);
    let powers = (least.log10().floor() as i32)..=(most.log10().ceil() as i32 + 1);
    let candidates: Vec<f64> =
        powers.flat_map(|power| [1.0, 2.0, 5.0].map(|factor| factor * 10f64.powi(power))).collect();
    let begin = candidates.iter().rposition(|step| *step <= least * 1.000_001).unwrap_or(0);
    let end = candidates.iter().position(|step| *step >= most).unwrap_or(candidates.len() - 1);
    let steps = candidates.get(begin..=end.max(begin + 1)).unwrap_or_default();
    if steps.len() <= MOST_LABELS {
        return steps.to_vec();
    }
    // Powers of ten, and the bounds.
    let is_power = |step: f64| (step.log10() - step.log10().round()).abs() < 1e-9;
    let inner = steps.iter().copied().filter(|step| is_power(*step));
    let apart = |a: f64, b: f64| (a / b).ln().abs() > 1.0;
    let (low, high) = (steps.first().copied(), steps.last().copied());
    let (low, high) = (low.unwrap_or(1.0), high.unwrap_or(10.0));
    let mut kept = vec![low];
    kept.extend(inner.filter(|step| apart(*step, low) && apart(*step, high)));
    kept.push(high);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, values: &[f64], want: &[&str]) {
        let scale = Scale::over(kind, values.iter().copied());
        let labels: Vec<String> = scale.labels().map(|(_, label)| label).collect();
        assert_eq!(labels, want, "{values:?}");
    }

    #[test]
    fn latencies_stand_between_round_numbers_on_a_logarithmic_axis() {
        check(Kind::Millis, &[3.0, 40.0], &["2 ms", "5 ms", "10 ms", "20 ms", "50 ms"]);
        check(Kind::Millis, &[0.4, 1900.0], &["200 µs", "1 ms", "10 ms", "100 ms", "2 s"]);
        check(Kind::Millis, &[5.0], &["5 ms", "10 ms"]);
        check(Kind::Millis, &[], &["1 ms", "2 ms"]);
        check(Kind::Millis, &[0.0], &["1 µs", "2 µs"]);
        let scale = Scale::over(Kind::Millis, [1.0, 100.0].into_iter());
        assert_eq!(
            [scale.y(1.0), scale.y(10.0), scale.y(100.0)].map(f64::round),
            [400.0, 200.0, 0.0]
        );
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, want) in
            [(0.0, 1.0), (0.9, 1.0), (1.1, 1.5), (2.2, 2.5), (26.0, 30.0), (81.0, 100.0)]
        {
            assert_eq!(round_up(value), want, "{value}");
        }
    }

    #[test]
    fn other_axes_begin_at_zero() {
        check(Kind::Count, &[10.0], &["0", "5", "10"]);
        check(Kind::Count, &[3.0], &["0", "1", "2", "3"]);
        check(Kind::Percent, &[2.9], &["0 %", "0.8 %", "1.6 %", "2.4 %", "3.2 %"]);
        check(Kind::Percent, &[100.0], &["0 %", "25 %", "50 %", "75 %", "100 %"]);
        check(Kind::Rate, &[380.0], &["0/s", "100/s", "200/s", "300/s", "400/s"]);
        check(Kind::Rate, &[0.0], &["0/s", "0.25/s"]);
    }
}
