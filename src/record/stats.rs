//! Statistics over plain numbers, identical to the reference's to the last bit: Python's
//! `math.fsum`, the two means based on it, percentiles, and rounding.

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

/// The numbers that these percentiles, the least and the greatest are read from, with their ranks: where
/// they would be if all were sorted. Finds them by counting, in two looks at each number, and needs room
/// for few of them; numbers of which too many are about the same are sorted.
pub fn at_ranks(numbers: &mut [u64], percentiles: &[f64]) -> Vec<(usize, u64)> {
    let Some(last) = numbers.len().checked_sub(1) else { return Vec::new() };
    let mut wanted: Vec<usize> =
        percentiles.iter().flat_map(|percentile| ranks(last, *percentile)).collect();
    wanted.extend([0, last]);
    wanted.sort_unstable();
    wanted.dedup();
    if numbers.len() < FEW {
        return sorted(numbers, &wanted);
    }
    let mut counts = vec![0usize; CLASSES];
    for number in &*numbers {
        if let Some(count) = counts.get_mut(class(*number)) {
            *count += 1;
        }
    }
    // The classes that hold wanted ranks: the rank of the least number of each, and its numbers.
    let mut held: Vec<(usize, Vec<u64>)> = Vec::new();
    let (mut before, mut most, mut rest) = (0, numbers.len() / 8, wanted.as_slice());
    for count in &mut counts {
        let first = before;
        before += *count;
        let (within, later) = rest.split_at(rest.partition_point(|rank| *rank < before));
        rest = later;
        if within.is_empty() {
            *count = 0;
            continue;
        }
        match most.checked_sub(*count) {
            Some(left) => most = left,
            None => return sorted(numbers, &wanted),
        }
        held.push((first, Vec::with_capacity(*count)));
        // From here on: the place among those, plus one.
        *count = held.len();
    }
    for number in &*numbers {
        let place = counts.get(class(*number)).and_then(|place| place.checked_sub(1));
        if let Some((_, held)) = place.and_then(|place| held.get_mut(place)) {
            held.push(*number);
        }
    }
    held.iter_mut().for_each(|(_, numbers)| numbers.sort_unstable());
    let number = |rank: &usize| {
        let (first, numbers) = held.iter().rev().find(|(first, _)| first <= rank)?;
        Some((*rank, *numbers.get(rank - first)?))
    };
    wanted.iter().filter_map(number).collect()
}

fn sorted(numbers: &mut [u64], wanted: &[usize]) -> Vec<(usize, u64)> {
    numbers.sort_unstable();
    wanted.iter().filter_map(|rank| Some((*rank, *numbers.get(*rank)?))).collect()
}

/// So few numbers are sorted sooner than the classes are gone through.
const FEW: usize = 4096;

/// The bits of a number that distinguish its class from others of its magnitude.
const MANTISSA: u32 = 8;

/// How many classes there are.
const CLASSES: usize = (65 - MANTISSA as usize) << MANTISSA;

/// The class of a number: greater ones are never of a lower class.
fn class(number: u64) -> usize {
    let magnitude = (u64::BITS - number.leading_zeros()).saturating_sub(MANTISSA + 1);
    ((magnitude as usize) << MANTISSA) + (number >> magnitude) as usize
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
    fn numbers_found_by_counting_are_those_of_a_sorted_list() {
        let mut random = fastrand::Rng::with_seed(1);
        let percentiles = [50.0, 90.0, 95.0, 99.0];
        for count in (0..130usize).chain([1000, 1001, 20_000]) {
            for most in [1, 7, 300, 5000, 1 << 40, u64::MAX] {
                let mut numbers: Vec<u64> = (0..count).map(|_| random.u64(..=most)).collect();
                let mut sorted = numbers.clone();
                sorted.sort_unstable();
                let found = at_ranks(&mut numbers, &percentiles);
                assert!(found.iter().all(|(rank, number)| sorted[*rank] == *number));
                let known = |rank| found.iter().any(|(known, _)| *known == rank);
                let ends = count.checked_sub(1).into_iter().flat_map(|last| [0, last]);
                let asked = percentiles.iter().flat_map(|percentile| {
                    count.checked_sub(1).into_iter().flat_map(|last| ranks(last, *percentile))
                });
                assert!(ends.chain(asked).all(known), "{percentiles:?} of {count} below {most}");
            }
        }
    }

    #[test]
    fn the_classes_of_numbers_are_in_their_order() {
        let mut before = 0;
        let powers = (0..64).flat_map(|shift| [(1u64 << shift) - 1, 1 << shift, 3 << shift >> 1]);
        let mut numbers: Vec<u64> = powers.chain(0..2000).chain([u64::MAX]).collect();
        numbers.sort_unstable();
        for number in numbers {
            assert!(class(number) >= before && class(number) < CLASSES, "{number}");
            before = class(number);
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
