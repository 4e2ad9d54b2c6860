//! Numbers for texts that occur in very many rows. A text that was seen at the same address is found
//! without looking at it.

use std::collections::HashMap;
use std::hash::Hash;

/// Numbers in the order in which the texts appear.
#[derive(Debug)]
pub(super) struct Numbers<K> {
    seen: HashMap<usize, usize>,
    known: HashMap<K, usize>,
    all: Vec<K>,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self { seen: HashMap::new(), known: HashMap::new(), all: Vec::new() }
    }
}

impl<K: Copy + Eq + Hash> Numbers<K> {
    /// The number of what lies at an address, which holds the same as long as this lives.
    pub(super) fn number(&mut self, address: usize, key: impl FnOnce() -> K) -> usize {
        *self.seen.entry(address).or_insert_with(|| {
            let key = key();
            *self.known.entry(key).or_insert_with(|| {
                self.all.push(key);
                self.all.len() - 1
            })
        })
    }

    /// The texts by number.
    pub(super) fn all(&self) -> &[K] {
        &self.all
    }
}

/// The address of a value, for [`Numbers::number`].
pub(super) fn address<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).cast::<()>().addr()
}

/// Adds to the count of a number.
pub(super) fn add(counts: &mut Vec<u64>, number: usize, more: u64) {
    if counts.len() <= number {
        counts.resize(number + 1, 0);
    }
    if let Some(count) = counts.get_mut(number) {
        *count = count.saturating_add(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number_wherever_they_lie() {
        let texts: Vec<String> = ["a", "b", "a"].map(str::to_owned).into();
        let mut numbers = Numbers::default();
        let mut number = |text: &str, key| numbers.number(address(text), || key);
        let found: Vec<usize> = texts.iter().map(|text| number(text, text.clone().len())).collect();
        assert_eq!(found, [0, 0, 0]);
        let mut numbers = Numbers::default();
        let found: Vec<usize> = texts
            .iter()
            .chain(&texts)
            .map(|text| numbers.number(address(text.as_str()), || text.as_str()))
            .collect();
        assert_eq!(found, [0, 1, 0, 0, 1, 0]);
        assert_eq!(numbers.all(), ["a", "b"]);
    }
}
