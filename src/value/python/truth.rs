//! Which values Python considers true.

use super::super::Value;

impl Value {
    /// Python's `bool(value)`: `null`, zero and empty values are false.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Big(value) => *value != num_bigint::BigInt::ZERO,
            Self::Float(value) => *value != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(items) | Self::Tuple(items) => !items.is_empty(),
            Self::Dict(members) => !members.is_empty(),
            Self::Rows(rows) => !rows.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_true_and_false_as_in_python() {
        for (json, truth) in [
            ("null", false),
            ("true", true),
            ("false", false),
            ("0", false),
            ("-0", false),
            ("1", true),
            ("-1", true),
            ("1000000000000000000000000000000", true),
            ("0.0", false),
            ("-0.0", false),
            ("5e-324", true),
            ("1e400", true),
            (r#""""#, false),
            (r#""0""#, true),
            (r#"" ""#, true),
            (r#""False""#, true),
            ("[]", false),
            ("[0]", true),
            ("[[]]", true),
            ("{}", false),
            (r#"{"": null}"#, true),
        ] {
            assert_eq!(Value::parse(json).expect("JSON").is_truthy(), truth, "{json}");
        }
        assert!(Value::Float(f64::NAN).is_truthy());
        assert!(!Value::Tuple(Vec::new()).is_truthy());
    }
}
