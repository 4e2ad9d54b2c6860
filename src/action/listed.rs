//! Where the actions of a document are, whichever of its two forms it has.

use crate::value::Value;

/// The key of the list in a document that is an object.
pub(super) const KEY: &str = "load_density";

/// The actions of a document, whichever of its two forms it has; none of what is not a document.
pub(super) fn listed(document: &Value) -> &[Value] {
    let actions = match document {
        Value::Dict(members) => members.get(KEY),
        other => Some(other),
    };
    match actions {
        Some(Value::List(actions)) => actions,
        _ => &[],
    }
}

/// The same, to change them.
pub(super) fn listed_mut(document: &mut Value) -> Option<&mut Vec<Value>> {
    let actions = match document {
        Value::Dict(members) => members.get_mut(KEY),
        other => Some(other),
    };
    match actions {
        Some(Value::List(actions)) => Some(actions),
        _ => None,
    }
}
