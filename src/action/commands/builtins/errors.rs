//! The exceptions of Python's builtins.

use crate::event::{Failure, FailureKind};
use crate::value::Value;

/// The name of a value's type in Python's messages.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Big(_) => "int",
        Value::Float(_) => "float",
        Value::Str(_) => "str",
        Value::List(_) | Value::Rows(_) => "list",
        // Only results hold these; a document cannot.
        Value::Tuple(_) => "tuple",
        Value::Dict(_) => "dict",
    }
}

/// Python's `TypeError`.
pub(super) fn type_error(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::InvalidArgument, message)
}

/// Python's `ValueError`.
pub(super) fn value_error(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::InvalidValue, message)
}
