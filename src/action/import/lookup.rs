//! Members of JSON whose form others decide: what is missing or has another form is nothing.

use crate::value::{Map, Value};

/// A list among the members; empty without one.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).map_or(&[], elements)
}

/// The elements of a list; none of what is no list.
pub(super) fn elements(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

/// The members of an object among the members.
pub(super) fn object<'a>(
    value: &'a Value,
    key: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(key).and_then(members).into_iter().flatten()
}

/// The members of an object.
pub(super) fn members(value: &Value) -> Option<&Map> {
    match value {
        Value::Dict(members) => Some(members),
        _ => None,
    }
}

/// A text among the members.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

/// Whether a member is `true`.
pub(super) fn is_true(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}

/// A text, or a number or boolean as one; nothing of `null`.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Rows(_) => None,
        value => Some(value.to_text()),
    }
}

/// Elements of a list, or one value as such.
pub(super) fn several(value: &Value) -> Vec<&Value> {
    match value {
        Value::List(_) => elements(value).iter().collect(),
        one => vec![one],
    }
}
