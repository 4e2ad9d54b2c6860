//! Python's order of JSON values: numbers with numbers, strings with strings by code points, lists
//! item by item; anything else is a `TypeError` that names the two types.

use std::cmp::Ordering;

use super::errors::{type_error, type_name};
use super::number::Number;
use crate::event::Failure;
use crate::value::Value;

/// Python's `left < right`.
pub(super) fn less(left: &Value, right: &Value) -> Result<bool, Failure> {
    Ok(compare(left, right, "<")? == Some(Ordering::Less))
}

/// Python's `left > right`.
pub(super) fn greater(left: &Value, right: &Value) -> Result<bool, Failure> {
    Ok(compare(left, right, ">")? == Some(Ordering::Greater))
}

/// Compares two values; `None` where neither is larger and they still differ (a NaN).
fn compare(left: &Value, right: &Value, sign: &str) -> Result<Option<Ordering>, Failure> {
    match (left, right) {
        (Value::Str(left), Value::Str(right)) => return Ok(Some(left.cmp(right))),
        (Value::List(left), Value::List(right)) => {
            let differing = left.iter().zip(right).find(|(left, right)| !equal(left, right));
            return match differing {
                Some((left, right)) => compare(left, right, sign),
                None => Ok(Some(left.len().cmp(&right.len()))),
            };
        }
        _ => {}
    }
    match (Number::of(left), Number::of(right)) {
        (Some(left), Some(right)) => Ok(left.compare(&right)),
        _ => {
            let (left, right) = (type_name(left), type_name(right));
            let message =
                format!("'{sign}' not supported between instances of '{left}' and '{right}'");
            Err(type_error(message))
        }
    }
}

/// Python's `left == right`: `1 == 1.0 == True`, objects in any order.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Str(left), Value::Str(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Dict(left), Value::Dict(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => match (Number::of(left), Number::of(right)) {
            (Some(left), Some(right)) => left.compare(&right) == Some(Ordering::Equal),
            _ => false,
        },
    }
}

/// Sorts stably, using only [`less`]. The standard library's sort requires a total order, which may
/// not exist here, and cannot return an error; so this is a merge sort of our own.
pub(super) fn sort(mut items: Vec<Value>) -> Result<Vec<Value>, Failure> {
    if items.len() < 2 {
        return Ok(items);
    }
    let right = items.split_off(items.len() / 2);
    let mut left = sort(items)?.into_iter().peekable();
    let mut right = sort(right)?.into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        let next = if less(second, first)? { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}
