//! What a YAML scalar without quotes means: the rules of YAML 1.1 as PyYAML's safe loader has them,
//! since documents were written for it. A date stays text, because JSON has none.

use std::sync::LazyLock;

use num_bigint::BigInt;
use num_traits::{Num, ToPrimitive};
use regex::Regex;

use super::super::{MAX_INTEGER_DIGITS, Value};

static INTEGER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$",
    )
    .ok()
});

static FLOAT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    )
    .ok()
});

/// The value of a scalar without quotes.
pub(super) fn resolved(text: &str) -> Value {
    special(text).or_else(|| integer(text)).or_else(|| float(text)).unwrap_or_else(|| text.into())
}

/// `null`, `true` and `false` in their spellings.
pub(super) fn special(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        _ => return None,
    })
}

/// An integer, also binary, octal, hexadecimal and in base 60.
pub(super) fn integer(text: &str) -> Option<Value> {
    if text.len() > MAX_INTEGER_DIGITS || !INTEGER.as_ref()?.is_match(text) {
        return None;
    }
    let plain = text.replace('_', "");
    let (negative, digits) = signed(&plain);
    let number = if let Some(binary) = digits.strip_prefix("0b") {
        BigInt::from_str_radix(binary, 2)
    } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
        BigInt::from_str_radix(hexadecimal, 16)
    } else if digits.contains(':') {
        digits.split(':').try_fold(BigInt::ZERO, |sum, part| {
            BigInt::from_str_radix(part, 10).map(|part| sum * 60 + part)
        })
    } else if digits.len() > 1 && digits.starts_with('0') {
        BigInt::from_str_radix(digits, 8)
    } else {
        BigInt::from_str_radix(digits, 10)
    };
    let number = number.ok().map(|number| if negative { -number } else { number })?;
    Some(number.to_i64().map_or(Value::Big(number), Value::Int))
}

/// A number with a point, also in base 60.
pub(super) fn float(text: &str) -> Option<Value> {
    if !FLOAT.as_ref()?.is_match(text) {
        return None;
    }
    let plain = text.replace('_', "").to_lowercase();
    let (negative, digits) = signed(&plain);
    let number = match digits {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        digits => digits
            .split(':')
            .try_fold(0.0, |sum, part| part.parse::<f64>().ok().map(|part| sum * 60.0 + part))?,
    };
    Some(Value::Float(if negative { -number } else { number }))
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_they_mean_in_pyyaml() {
        for (text, expected) in [
            ("", "null"),
            ("~", "null"),
            ("yes", "true"),
            ("Off", "false"),
            ("y", "\"y\""),
            ("12", "12"),
            ("-1_000", "-1000"),
            ("+0x1F", "31"),
            ("0b101", "5"),
            ("010", "8"),
            ("08", "\"08\""),
            ("1:30", "90"),
            ("1:30:00", "5400"),
            ("01:30", "\"01:30\""),
            ("123456789012345678901", "123456789012345678901"),
            ("1.5", "1.5"),
            ("1.", "1.0"),
            (".5", "0.5"),
            ("-.5", "\"-.5\""),
            ("1.5e+3", "1500.0"),
            ("1.5e3", "\"1.5e3\""),
            ("1e3", "\"1e3\""),
            ("1:30.5", "90.5"),
            ("2026-01-01", "\"2026-01-01\""),
            ("1.2.3", "\"1.2.3\""),
            ("a b", "\"a b\""),
        ] {
            assert_eq!(resolved(text), Value::parse(expected).expect("JSON"), "{text}");
        }
        assert_eq!(resolved("-.inf"), Value::Float(f64::NEG_INFINITY));
        assert!(matches!(resolved(".NaN"), Value::Float(number) if number.is_nan()));
    }
}
