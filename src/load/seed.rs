//! Independent randomness for many from the one seed of a test.

/// The seed of number `number`: the same on machines of any number of cores.
pub(super) fn seed_of(seed: u64, number: u64) -> u64 {
    // Any odd multiplier spreads neighbouring numbers over the whole range; this one is 2^64/φ.
    seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
