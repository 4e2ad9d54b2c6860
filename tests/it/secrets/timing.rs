//! Whether the time that a comparison takes tells how much of a guess is right. The method is that of
//! dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", DATE 2017): two classes
//! of guesses in random order, the slowest measurements cropped at several percentiles, and Welch's
//! t-test between the classes for each of these. Above 4.5 the classes are told apart.
//!
//! t is a ratio, so a slow or busy machine does not change what it says; but one in 100,000 rounds
//! passes the threshold by chance, and what else runs may do so, too. So a leak must show in every
//! round, and there is none when one round does not show it.

use std::hint::black_box;
use std::time::Instant;

use ldctl::wire::token::{Token, Tokens};

/// What tells the classes apart.
const THRESHOLD: f64 = 4.5;

/// Comparisons in a round.
const COMPARISONS: usize = 1_000_000;

/// Comparisons before the classes change places.
const BLOCK: usize = 1000;

/// Rounds before a leak is believed.
const ROUNDS: u64 = 5;

/// The token's length in bytes: long, so that a comparison that stops early has much to skip.
const LENGTH: usize = 1024;

/// Percentiles that are tried. dudect's have this form, with 100 of them.
const CROPS: i32 = 20;

/// A token, and guesses of the same length that share all of it but the last byte, and nothing.
fn guesses() -> (String, [String; 2]) {
    let token = "t".repeat(LENGTH);
    let near = format!("{}x", &token[1..]);
    (token, [near, "x".repeat(LENGTH)])
}

/// The largest t between the classes over all percentiles.
///
/// Where a guess lies in memory shows in its time far more clearly than 4.5. So there are two places,
/// and the classes change theirs with every block of comparisons.
fn largest_t(compare: impl Fn(&str) -> bool, seed: u64) -> f64 {
    let (_, guesses) = guesses();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut places = [String::with_capacity(LENGTH), String::with_capacity(LENGTH)];
    let mut measured = Vec::with_capacity(COMPARISONS);
    for block in 0..COMPARISONS / BLOCK {
        let swapped = block % 2;
        for (number, place) in places.iter_mut().enumerate() {
            place.clear();
            place.push_str(&guesses[number ^ swapped]);
        }
        for _ in 0..BLOCK {
            let number = usize::from(random.bool());
            let guess = black_box(places[number].as_str());
            let started = Instant::now();
            let accepted = compare(guess);
            let lasted = started.elapsed().as_nanos() as f64;
            assert!(!black_box(accepted), "a wrong guess was accepted");
            measured.push((number ^ swapped, lasted));
        }
    }
    let mut sorted: Vec<f64> = measured.iter().map(|(_, lasted)| *lasted).collect();
    sorted.sort_by(f64::total_cmp);
    let cropped = |crop: i32| {
        let kept = 1.0 - 0.5_f64.powf(10.0 * f64::from(crop) / f64::from(CROPS));
        sorted[(kept * (sorted.len() - 1) as f64) as usize]
    };
    let limits = (1..=CROPS).map(cropped).chain([f64::INFINITY]);
    limits.map(|limit| welch(&measured, limit)).fold(0.0, f64::max)
}

/// Welch's t, as a magnitude, of the measurements that are not slower than this.
fn welch(measured: &[(usize, f64)], limit: f64) -> f64 {
    // Count, mean, and sum of squared distances from it (Welford).
    let mut classes = [(0.0, 0.0, 0.0); 2];
    for (class, lasted) in measured.iter().filter(|(_, lasted)| *lasted <= limit) {
        let (count, mean, squares) = &mut classes[*class];
        *count += 1.0;
        let distance = lasted - *mean;
        *mean += distance / *count;
        *squares += distance * (lasted - *mean);
    }
    let [(few, ..), (many, ..)] = classes;
    if few < 1000.0 || many < 1000.0 {
        return 0.0;
    }
    let error: f64 =
        classes.iter().map(|(count, _, squares)| squares / (count - 1.0) / count).sum();
    let difference = (classes[0].1 - classes[1].1).abs();
    if difference == 0.0 { 0.0 } else { difference / error.sqrt() }
}

/// The t of each round until one is below the threshold.
fn rounds(compare: impl Fn(&str) -> bool) -> Vec<f64> {
    let mut seen = Vec::new();
    for seed in 0..ROUNDS {
        seen.push(largest_t(&compare, seed));
        if seen.last().is_some_and(|t| *t < THRESHOLD) {
            break;
        }
    }
    seen
}

#[test]
fn t12_the_time_of_a_comparison_does_not_reveal_how_much_of_a_token_is_right() {
    let (token, _) = guesses();
    let tokens = Tokens::new([&Token::new(token).expect("a token")]);
    let seen = rounds(|guess| tokens.accepts(guess));
    println!("t = {seen:?} over {COMPARISONS} comparisons each");
    assert!(seen.iter().any(|t| *t < THRESHOLD), "the comparison leaks: t = {seen:?}");
}

#[test]
fn t12_a_comparison_that_stops_at_the_first_difference_is_detected() {
    let (token, _) = guesses();
    let seen = rounds(|guess| black_box(token.as_str()) == guess);
    println!("t = {seen:?} over {COMPARISONS} comparisons each");
    assert!(seen.iter().all(|t| *t > THRESHOLD), "the leak is not seen: t = {seen:?}");
}
