//! Statistics over plain numbers, identical to the reference's to the last bit: Python's
//! `math.fsum`, the two means based on it, percentiles, and rounding.

use std::iter::once;

/// The arithmetic mean, the exact sum divided once (Python's `statistics.fmean`); 0 without
/// numbers.
pub fn mean(numbers: &[f64]) -> f64 {
    if numbers.is_empty() { 0.0 } else { sum(numbers.iter().copied()) / numbers.len() as f64 }
}

/// The arithmetic mean of non-negative numbers, scaled by the largest so that numbers near the
/// limit of a float cannot overflow their sum; 0 without numbers.
pub fn scaled_mean(numbers: &[f64]) -> f64 {
    let scale = numbers.iter().copied().fold(0.0, f64::max);
    if scale == 0.0 {
        return 0.0;
    }
    sum(numbers.iter().map(|number| number / scale)) / numbers.len() as f64 * scale
}

/// The exact sum, rounded once (Shewchuk's method, as in Python's `math.fsum`): `parts` add up to
/// the exact sum and do not overlap, smallest first. Numbers that are not finite, or that overflow
/// on the way, are added in order.
fn sum(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let mut parts: Vec<f64> = Vec::new();
    for mut number in numbers.clone() {
        parts.retain_mut(|part| {
            let (large, small) =
                if number.abs() < part.abs() { (*part, number) } else { (number, *part) };
            number = large + small;
            *part = small - (number - large);
            *part != 0.0
        });
        parts.push(number);
    }
    let total = rounded(parts);
    if total.is_finite() { total } else { numbers.sum() }
}

/// The sum of non-overlapping parts, smallest first.
fn rounded(mut parts: Vec<f64>) -> f64 {
    let Some(mut sum) = parts.pop() else { return 0.0 };
    while let Some(part) = parts.pop() {
        let before = sum;
        sum = before + part;
        let lost = part - (sum - before);
        if lost != 0.0 {
            // The lost part is half a unit in the last place, and more of its sign follows: round
            // up.
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

/// A percentile (0 to 100) of `count` sorted numbers, accessed by index: linear interpolation
/// between the two nearest ranks (the method of `numpy.percentile`, type 7 of Hyndman and Fan); 0
/// without numbers.
pub fn interpolate(count: usize, percentile: f64, at: impl Fn(usize) -> f64) -> f64 {
    let Some(last) = count.checked_sub(1) else { return 0.0 };
    let [below, above] = ranks(last, percentile);
    let (low, high) = (at(below), at(above));
    low + (high - low) * (percentile / 100.0 * last as f64 - below as f64)
}

/// The two ranks, up to `last`, that a percentile lies between.
fn ranks(last: usize, percentile: f64) -> [usize; 2] {
    let below = ((percentile / 100.0 * last as f64) as usize).min(last);
    [below, (below + 1).min(last)]
}

/// Moves the least number, the greatest and those that these percentiles, in rising order, are read
/// from to where they would be if all were sorted, which would take many times as long.
pub fn arrange(numbers: &mut [u64], percentiles: &[f64]) {
    let Some(last) = numbers.len().checked_sub(1) else { return };
    let between = percentiles.iter().flat_map(|percentile| ranks(last, *percentile));
    let mut rest = numbers;
    for rank in once(0).chain(between).chain(once(last)).rev() {
        if rank < rest.len() {
            rest.select_nth_unstable(rank);
            // What is before it is no greater.
            rest = rest.split_at_mut(rank).0;
        }
    }
}

/// Python's `round(number, decimals)`: formatting rounds the exact value, half to even, and parsing
/// returns the nearest float.
pub fn decimals(number: f64, decimals: usize) -> f64 {
    format!("{number:.decimals$}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_were_arranged_have_the_percentiles_of_sorted_ones() {
        let mut random = fastrand::Rng::with_seed(1);
        let percentiles = [50.0, 90.0, 95.0, 99.0];
        for count in (0..130).chain([1000, 1001, 20_000]) {
            for most in [1, 7, 1 << 40] {
                let mut numbers: Vec<u64> = (0..count).map(|_| random.u64(..most)).collect();
                let mut sorted = numbers.clone();
                sorted.sort_unstable();
                arrange(&mut numbers, &percentiles);
                for percentile in [0.0, 100.0].into_iter().chain(percentiles) {
                    let of = |numbers: &[u64]| {
                        interpolate(count, percentile, |rank| numbers[rank] as f64)
                    };
                    assert_eq!(of(&numbers), of(&sorted), "{percentile} of {count} below {most}");
                }
                numbers.sort_unstable();
                assert_eq!(numbers, sorted, "none is lost");
            }
        }
    }

    #[test]
    fn sums_and_means_equal_those_of_python() {
        // `math.fsum`, `statistics.fmean` and the reference's `latency_mean` of the same numbers.
        for (numbers, total, fmean, latency_mean) in [
            (&[][..], 0.0, 0.0, 0.0),
            (&[0.1; 10], 1.0, 0.1, 0.1),
            (
                &[1.0, 1e-16, 1e-16, 1e-16],
                1.0000000000000002,
                0.25000000000000006,
                0.25000000000000006,
            ),
            (&[1e16, 1.0, 1.0], 1.0000000000000002e16, 3333333333333334.0, 3333333333333334.5),
            (
                &[1.0, f64::EPSILON / 2.0, 1e-300],
                1.0000000000000002,
                0.3333333333333334,
                0.3333333333333334,
            ),
            (&[0.1, 0.2, 0.3], 0.6, 0.19999999999999998, 0.19999999999999998),
            (&[12.5, 3.1, 99.7, 0.3], 115.60000000000001, 28.900000000000002, 28.900000000000002),
            (&[1e-300, 5e-324], 1e-300, 5e-301, 5e-301),
        ] {
            assert_eq!(sum(numbers.iter().copied()), total, "{numbers:?}");
            assert_eq!(mean(numbers), fmean, "{numbers:?}");
            assert_eq!(scaled_mean(numbers), latency_mean, "{numbers:?}");
        }
        assert_eq!(sum([1e16, 1.0, -1e16, 1e-300].into_iter()), 1.0);
    }

    #[test]
    fn numbers_whose_sum_overflows_a_float_have_a_mean() {
        assert_eq!(scaled_mean(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(mean(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(mean(&[1.0, f64::INFINITY]), f64::INFINITY);
        assert!(mean(&[f64::NEG_INFINITY, f64::INFINITY]).is_nan());
    }

    #[test]
    fn numbers_are_rounded_half_to_even_by_their_exact_value() {
        for (number, places, expected) in [
            (2.675, 2, 2.67),
            (0.125, 2, 0.12),
            (0.375, 2, 0.38),
            (-1.005, 2, -1.0),
            (22.000000000000004, 2, 22.0),
            (1e22, 4, 1e22),
        ] {
            assert_eq!(decimals(number, places), expected, "{number}");
        }
        assert!(decimals(f64::NAN, 2).is_nan());
        assert_eq!(decimals(f64::INFINITY, 2), f64::INFINITY);
    }

    #[test]
    fn percentiles_are_interpolated_between_the_nearest_ranks() {
        for (numbers, at, want) in [
            (&[][..], 50.0, 0.0),
            (&[7.0], 99.0, 7.0),
            (&[1.0, 2.0], 50.0, 1.5),
            (&[10.0, 20.0, 30.0, 40.0, 50.0], 90.0, 46.0),
            (&[10.0, 20.0, 30.0, 40.0, 50.0], 100.0, 50.0),
        ] {
            assert_eq!(interpolate(numbers.len(), at, |place| numbers[place]), want);
        }
    }
}
