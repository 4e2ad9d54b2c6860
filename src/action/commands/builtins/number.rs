//! Python's numbers: integers of any size and floats; booleans count as 0 and 1. Comparison,
//! addition and rounding are exact where Python's are.

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint, Sign};
use num_traits::{FromPrimitive, Signed, ToPrimitive, Zero};

use super::errors::value_error;
use crate::event::Failure;
use crate::value::Value;

/// No float has more decimals than this (the smallest ends at the 323rd).
const MOST_DECIMALS: i64 = 323;

/// Rounded to this many digits before the point, every float is zero.
const FEWEST_DECIMALS: i64 = -308;

/// A number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    Int(BigInt),
    Float(f64),
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Float(value) => Self::Float(value),
            Number::Int(value) => value.to_i64().map_or(Self::Big(value), Self::Int),
        }
    }
}

impl Number {
    /// Returns the number of a value, if it is one.
    pub(super) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Bool(value) => Self::Int(u8::from(*value).into()),
            Value::Int(value) => Self::Int((*value).into()),
            Value::Big(value) => Self::Int(value.clone()),
            Value::Float(value) => Self::Float(*value),
            _ => return None,
        })
    }

    pub(super) fn abs(self) -> Self {
        match self {
            Self::Int(value) => Self::Int(value.abs()),
            Self::Float(value) => Self::Float(value.abs()),
        }
    }

    pub(super) fn add(self, other: Self) -> Result<Self, Failure> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Ok(Self::Int(left + right)),
            (left, right) => Ok(Self::Float(left.float()? + right.float()?)),
        }
    }

    pub(super) fn float(self) -> Result<f64, Failure> {
        match self {
            Self::Float(value) => Ok(value),
            Self::Int(value) => value
                .to_f64()
                .filter(|float| float.is_finite())
                .ok_or_else(|| value_error("int too large to convert to float")),
        }
    }

    /// Compares exactly, also an integer with a float; `None` for a NaN.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right),
            (Self::Int(left), Self::Float(right)) => compare_mixed(left, *right),
            (Self::Float(left), Self::Int(right)) => {
                compare_mixed(right, *left).map(Ordering::reverse)
            }
        }
    }

    /// Python's `round`: half to even; to an integer without `digits`, otherwise to that many
    /// decimals.
    pub(super) fn round(self, digits: Option<i64>) -> Result<Self, Failure> {
        match (self, digits) {
            (Self::Int(value), None | Some(0..)) => Ok(Self::Int(value)),
            (Self::Int(value), Some(digits)) => Ok(Self::Int(round_int(&value, digits))),
            (Self::Float(value), None) if value.is_nan() => {
                Err(value_error("cannot convert float NaN to integer"))
            }
            (Self::Float(value), None) => BigInt::from_f64(value.round_ties_even())
                .map(Self::Int)
                .ok_or_else(|| value_error("cannot convert float infinity to integer")),
            (Self::Float(value), Some(digits)) => round_float(value, digits).map(Self::Float),
        }
    }
}

fn compare_mixed(int: &BigInt, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    let Some(whole) = BigInt::from_f64(float.trunc()) else {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    };
    let fraction = float.fract();
    Some(int.cmp(&whole).then_with(|| 0.0.partial_cmp(&fraction).unwrap_or(Ordering::Equal)))
}

/// A number of digits, clamped to 64 bits: beyond them it makes no difference.
pub(super) fn clamp(digits: &BigInt) -> i64 {
    digits.to_i64().unwrap_or(if digits.is_negative() { i64::MIN } else { i64::MAX })
}

/// Rounds to a multiple of a power of ten; `digits` is negative.
fn round_int(value: &BigInt, digits: i64) -> BigInt {
    let places = digits.unsigned_abs();
    // A bit is 0.302 decimal digits: beyond this many places nothing is left to round up from, and
    // the power of ten must not be computed, because a document could request one that fills the
    // memory.
    if places > value.bits() / 3 + 2 {
        return BigInt::zero();
    }
    let magnitude = round_magnitude(value.magnitude(), places, false);
    BigInt::from_biguint(value.sign(), magnitude)
}

/// Rounds half to even at a power of ten; `more` says that a fraction follows the integer.
fn round_magnitude(value: &BigUint, places: u64, more: bool) -> BigUint {
    let unit = BigUint::from(10u8).pow(u32::try_from(places).unwrap_or(u32::MAX));
    let (quotient, rest) = (value / &unit, value % &unit);
    let up = match (rest * 2u8).cmp(&unit) {
        Ordering::Less => false,
        Ordering::Equal => more || quotient.bit(0),
        Ordering::Greater => true,
    };
    (quotient + u8::from(up)) * unit
}

fn round_float(value: f64, digits: i64) -> Result<f64, Failure> {
    if !value.is_finite() || digits > MOST_DECIMALS {
        return Ok(value);
    }
    if digits < FEWEST_DECIMALS {
        return Ok(0.0 * value);
    }
    if let Ok(decimals) = usize::try_from(digits) {
        // Formatting rounds the exact value, half to even; parsing returns the nearest float.
        let text = format!("{value:.decimals$}");
        return text.parse().map_err(|_| value_error("the number cannot be rounded"));
    }
    let magnitude = value.abs();
    let whole = BigUint::from_f64(magnitude.trunc()).unwrap_or_default();
    let rounded = round_magnitude(&whole, digits.unsigned_abs(), magnitude.fract() != 0.0);
    let rounded = BigInt::from_biguint(Sign::Plus, rounded).to_f64();
    rounded
        .filter(|rounded| rounded.is_finite())
        .map(|rounded| rounded.copysign(value))
        .ok_or_else(|| value_error("rounded value too large to represent"))
}
