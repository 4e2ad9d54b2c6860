//! Members of a test that say how much load there is.

use crate::value::{Map, Value};

/// The most users, seconds or iterations that a number of another tool may mean.
const MOST: f64 = 1e9;

/// The least number of users that are started per second.
const LEAST_RATE: f64 = 0.01;

/// A constant number of users, for a time in seconds.
pub(super) fn constant(users: f64, per_second: f64, seconds: f64) -> Map {
    Map::from([
        ("user_count".to_owned(), Value::Int(whole(users).max(1))),
        ("spawn_rate".to_owned(), rate(per_second)),
        ("test_time".to_owned(), rounded(seconds.clamp(0.0, MOST))),
    ])
}

/// Users per second, more than none.
pub(super) fn rate(per_second: f64) -> Value {
    rounded(per_second.clamp(LEAST_RATE, MOST))
}

/// A number with two places.
pub(super) fn rounded(number: f64) -> Value {
    let number = if number.is_finite() { number } else { 0.0 };
    Value::of_number((number * 100.0).round() / 100.0)
}

/// A whole number.
pub(super) fn whole(number: f64) -> i64 {
    if number.is_finite() { number.clamp(0.0, MOST).round() as i64 } else { 0 }
}
