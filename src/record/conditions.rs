//! Under which conditions a test ran, for those who read its report later.

use crate::value::{Map, Value};

/// How load was generated.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// The model of load in words: `closed: 10 users, …`.
    pub load: Option<String>,
    /// Iterations per second that an open model asks for.
    pub rate: Option<f64>,
    /// The seed of all random choices.
    pub seed: Option<u64>,
}

impl Conditions {
    /// As members of an object.
    pub fn to_members(&self) -> Map {
        let load = self.load.as_deref().map_or(Value::Null, Value::from);
        let seed = self.seed.map_or(Value::Null, Value::from);
        let members = [("load", load), ("rate", self.rate.into()), ("seed", seed)];
        members.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
    }
}
