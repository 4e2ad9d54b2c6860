//! Numbers for texts that occur in very many rows. A text that was seen at the same address is found
//! without looking at it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Numbers in the order in which the texts appear.
#[derive(Debug)]
pub(super) struct Numbers<K> {
    seen: HashMap<usize, usize, BuildHasherDefault<AddressHasher>>,
    known: HashMap<K, usize>,
    all: Vec<K>,
}

/// Spreads addresses over a table: each row of a record is looked up, and no peer chooses addresses.
#[derive(Debug, Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, address: usize) {
        // 2^64/φ; both halves of the product, because a table uses the lowest and the highest bits.
        let product = (self.0 ^ address as u64) as u128 * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self { seen: HashMap::default(), known: HashMap::new(), all: Vec::new() }
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
