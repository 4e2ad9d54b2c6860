//! Which request follows which: for each pair of names how often a virtual user has made a request of
//! the second one right after one of the first. Requests of other users do not come between. Counting
//! costs a user four bytes and, where names are few, one addition into a square of numbers.

use std::collections::HashMap;

/// Names whose pairs are counted in a square.
const FEW: usize = 64;

/// Further pairs that are counted; a document with more has no map that could be read.
const MOST_PAIRS: usize = 10_000;

/// What such a pair takes, in bytes.
const PAIR_BYTES: usize = 40;

/// Counts of pairs, by the numbers of names.
#[derive(Debug, Default)]
pub(super) struct Steps {
    square: Vec<u32>,
    further: HashMap<(usize, usize), u64>,
}

impl Steps {
    /// Counts a pair of different names.
    pub(super) fn count(&mut self, before: usize, after: usize) {
        if before < FEW && after < FEW {
            if self.square.is_empty() {
                self.square = vec![0; FEW * FEW];
            }
            if let Some(count) = self.square.get_mut(before * FEW + after) {
                *count = count.saturating_add(1);
            }
        } else if let Some(count) = self.further.get_mut(&(before, after)) {
            *count += 1;
        } else if self.further.len() < MOST_PAIRS {
            self.further.insert((before, after), 1);
        }
    }

    /// The pairs that were counted.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        let few = self.square.iter().enumerate().filter(|(_, count)| **count > 0);
        let few = few.map(|(place, count)| (place / FEW, place % FEW, u64::from(*count)));
        few.chain(self.further.iter().map(|((before, after), count)| (*before, *after, *count)))
    }

    /// Its memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.square.len() * size_of::<u32>() + self.further.len() * PAIR_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_whether_names_are_few_or_many_and_there_is_a_bound() {
        let mut steps = Steps::default();
        assert_eq!(steps.memory(), 0);
        for _ in 0..3 {
            steps.count(0, 63);
            steps.count(0, 64);
        }
        steps.count(63, 0);
        let mut found: Vec<_> = steps.pairs().collect();
        found.sort_unstable();
        assert_eq!(found, [(0, 63, 3), (0, 64, 3), (63, 0, 1)]);
        (0..20_000).for_each(|name| steps.count(name, name + 100));
        assert!(steps.further.len() == MOST_PAIRS && steps.memory() < 1 << 20);
    }
}
