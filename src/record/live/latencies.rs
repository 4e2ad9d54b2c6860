//! The latencies of one series, accurate to 1 % (two significant digits). Few different ones are a
//! short sorted list, so that a thousand names with few requests each cost little; many become a
//! histogram of about 26 KiB. Both count in the same buckets, so every figure is the same.

use hdrhistogram::Histogram;

/// The longest latency that is distinguished, in microseconds: an hour. It fits 32 bits.
const LONGEST_US: u64 = 3_600_000_000;

/// The most buckets in a list that single latencies are counted in, half a KiB: the search in it is
/// on the path of a request.
const MOST_RECORDED: usize = 64;

/// The most buckets in a list that others are merged into, 4 KiB.
const MOST_MERGED: usize = 512;

/// Latencies in microseconds.
#[derive(Debug, Clone)]
pub(super) enum Latencies {
    /// The lowest value of each bucket, ascending, and its count.
    Few(Vec<(u32, u32)>),
    Many(Histogram<u64>),
}

impl Default for Latencies {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

/// The lowest value of the bucket of a latency: values below 256 have their own, above that the eight
/// highest bits count, as in a histogram of two significant digits from 1.
fn lowest(micros: u64) -> u64 {
    let shift = width(micros);
    micros >> shift << shift
}

/// The highest value of the bucket that begins here.
fn highest(lowest: u64) -> u64 {
    lowest + (1 << width(lowest)) - 1
}

/// The number of low bits that a bucket ignores.
fn width(micros: u64) -> u32 {
    (u64::BITS - micros.leading_zeros()).saturating_sub(8)
}

impl Latencies {
    pub(super) fn record(&mut self, micros: u64) {
        let micros = micros.clamp(1, LONGEST_US);
        match self {
            Self::Many(histogram) => histogram.saturating_record(micros),
            Self::Few(_) => self.count(micros, 1, MOST_RECORDED),
        }
    }

    /// Counts `count` latencies in the bucket of `micros`; a list longer than `most` becomes a histogram.
    fn count(&mut self, micros: u64, count: u64, most: usize) {
        if let Self::Few(few) = self {
            if counted(few, lowest(micros), count, most) {
                return;
            }
            self.widen();
        }
        if let Self::Many(histogram) = self {
            let _ = histogram.record_n(micros, count);
        }
    }

    /// Turns a list into a histogram.
    fn widen(&mut self) {
        let Self::Few(few) = self else { return };
        // The bounds are constants that it takes.
        let Ok(mut histogram) = Histogram::new_with_bounds(1, LONGEST_US, 2) else { return };
        for (lowest, count) in few {
            let _ = histogram.record_n(u64::from(*lowest), u64::from(*count));
        }
        *self = Self::Many(histogram);
    }

    pub(super) fn add(&mut self, other: &Self) {
        match other {
            Self::Few(few) => {
                for (lowest, count) in few {
                    self.count(u64::from(*lowest), u64::from(*count), MOST_MERGED);
                }
            }
            Self::Many(theirs) => {
                self.widen();
                if let Self::Many(mine) = self {
                    let _ = mine.add(theirs);
                }
            }
        }
    }

    /// Takes away an earlier state of the same latencies.
    pub(super) fn subtract(&mut self, other: &Self) {
        if let (Self::Few(mine), Self::Few(theirs)) = (&mut *self, other) {
            for (lowest, count) in theirs {
                if let Ok(at) = mine.binary_search_by_key(lowest, |(lowest, _)| *lowest)
                    && let Some((_, mine)) = mine.get_mut(at)
                {
                    *mine = mine.saturating_sub(*count);
                }
            }
            return mine.retain(|(_, count)| *count > 0);
        }
        let mut theirs = other.clone();
        theirs.widen();
        self.widen();
        if let (Self::Many(mine), Self::Many(theirs)) = (self, &theirs) {
            let _ = mine.subtract(theirs);
        }
    }

    /// Forgets all of them. A histogram stays one only where many latencies come between two resets.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Few(few) => few.clear(),
            Self::Many(histogram) if histogram.len() > MOST_RECORDED as u64 => histogram.reset(),
            Self::Many(_) => *self = Self::default(),
        }
    }

    /// The memory that they take besides the value itself, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Few(few) => few.capacity() * size_of::<(u32, u32)>(),
            Self::Many(histogram) => histogram.distinct_values() * size_of::<u64>(),
        }
    }

    /// A percentile (0 to 100), in microseconds; 0 without latencies.
    pub(super) fn percentile(&self, percentile: f64) -> u64 {
        let few = match self {
            Self::Many(histogram) => return histogram.value_at_percentile(percentile),
            Self::Few(few) => few,
        };
        // As the histogram counts.
        let quantile = (percentile / 100.0).min(1.0);
        let total: u64 = few.iter().map(|(_, count)| u64::from(*count)).sum();
        let rank = ((quantile * total as f64).ceil() as u64).max(1);
        let mut below = 0;
        let found = few.iter().find(|(_, count)| {
            below += u64::from(*count);
            below >= rank
        });
        found.map_or(0, |(lowest, _)| {
            let lowest = u64::from(*lowest);
            if quantile == 0.0 { lowest } else { highest(lowest) }
        })
    }

    /// How many lie in buckets up to that of `micros`.
    pub(super) fn count_up_to(&self, micros: u64) -> u64 {
        match self {
            Self::Many(histogram) => histogram.count_between(0, micros),
            Self::Few(few) => {
                let within = few.iter().take_while(|(lowest, _)| u64::from(*lowest) <= micros);
                within.map(|(_, count)| u64::from(*count)).sum()
            }
        }
    }

    /// The highest value of each bucket that is not empty, ascending, and its count.
    pub(super) fn each(&self) -> impl Iterator<Item = (u64, u64)> {
        let (few, many) = match self {
            Self::Few(few) => (few.as_slice(), None),
            Self::Many(histogram) => (&[][..], Some(histogram)),
        };
        let few =
            few.iter().map(|(lowest, count)| (highest(u64::from(*lowest)), u64::from(*count)));
        let many = many.into_iter().flat_map(|histogram| histogram.iter_recorded());
        few.chain(many.map(|step| (step.value_iterated_to(), step.count_at_value())))
    }
}

/// Counts in a list, unless that would make it longer than `most` or a count too large.
fn counted(few: &mut Vec<(u32, u32)>, lowest: u64, count: u64, most: usize) -> bool {
    let (Ok(lowest), Ok(count)) = (u32::try_from(lowest), u32::try_from(count)) else {
        return false;
    };
    match few.binary_search_by_key(&lowest, |(lowest, _)| *lowest) {
        Ok(at) => {
            let Some((_, known)) = few.get_mut(at) else { return false };
            let sum = known.checked_add(count);
            *known = sum.unwrap_or(*known);
            sum.is_some()
        }
        Err(at) if few.len() < most => {
            few.insert(at, (lowest, count));
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Latencies of all magnitudes.
    fn any_latencies() -> impl Strategy<Value = Vec<u64>> {
        let one = (0..33u32, any::<u64>()).prop_map(|(bits, value)| value & ((1 << bits) - 1));
        prop::collection::vec(one, 0..200)
    }

    fn recorded(micros: &[u64]) -> Latencies {
        let mut latencies = Latencies::default();
        micros.iter().for_each(|micros| latencies.record(*micros));
        latencies
    }

    /// Compares every figure with those of a histogram of the same latencies.
    fn check(latencies: &Latencies, micros: &[u64]) {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, LONGEST_US, 2).expect("bounds");
        micros
            .iter()
            .for_each(|micros| histogram.saturating_record((*micros).clamp(1, LONGEST_US)));
        for percentile in [0.0, 0.1, 25.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0, 120.0] {
            let want = histogram.value_at_percentile(percentile);
            assert_eq!(latencies.percentile(percentile), want, "{percentile} % of {micros:?}");
        }
        for bound in micros.iter().copied().chain([0, 255, 256, 5_000, 10_000_000, LONGEST_US]) {
            assert_eq!(latencies.count_up_to(bound), histogram.count_between(0, bound), "{bound}");
        }
        let steps = histogram.iter_recorded();
        let steps = steps.map(|step| (step.value_iterated_to(), step.count_at_value()));
        assert_eq!(latencies.each().collect::<Vec<_>>(), steps.collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn the_figures_of_few_and_of_many_latencies_are_those_of_one_histogram(
            first in any_latencies(), second in any_latencies(),
        ) {
            let mut sum = recorded(&first);
            check(&sum, &first);
            sum.add(&recorded(&second));
            let both = [&first[..], &second[..]].concat();
            check(&sum, &both);
            sum.subtract(&recorded(&first));
            check(&sum, &second);
            sum.reset();
            check(&sum, &[]);
        }
    }

    #[test]
    fn t32_few_different_latencies_take_half_a_kibibyte_and_many_become_a_histogram() {
        let different: Vec<u64> = (1..=MOST_RECORDED as u64).map(|n| n * 300).collect();
        let mut latencies = recorded(&[&different[..], &different[..]].concat());
        assert!(latencies.bytes() <= 512, "{}", latencies.bytes());
        latencies.record(7);
        assert!(matches!(latencies, Latencies::Many(_)));
        latencies.reset();
        latencies.record(7);
        assert!(matches!(latencies, Latencies::Many(_)), "a busy series keeps its histogram");
        latencies.reset();
        assert_eq!(latencies.bytes(), 0, "an idle one does not");
    }

    #[test]
    fn a_count_beyond_32_bits_is_kept() {
        let mut latencies = Latencies::Few(vec![(5, u32::MAX)]);
        latencies.record(5);
        assert_eq!(latencies.count_up_to(5), u64::from(u32::MAX) + 1);
    }
}
