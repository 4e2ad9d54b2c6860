//! Why requests failed: each error text with the requests that had it, the most frequent first.

use std::collections::HashMap;

use super::{Label, Records};
use crate::value::Value;

/// An error and the requests that had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCount<'a> {
    /// How many requests.
    pub count: u64,
    /// Their method.
    pub method: &'a str,
    /// Their name.
    pub name: &'a str,
    /// What was wrong.
    pub error: &'a str,
}

impl ErrorCount<'_> {
    /// As the result of a test has it.
    pub fn to_value(&self) -> Value {
        Value::dict([
            ("count", Value::from(self.count)),
            ("method", self.method.into()),
            ("name", self.name.into()),
            ("error", self.error.into()),
        ])
    }
}

impl Records {
    /// The errors, at most `most` of them.
    pub fn errors(&self, most: usize) -> Vec<ErrorCount<'_>> {
        let mut counts: HashMap<(&str, &str, &str), u64> = HashMap::new();
        let parts = self.recordings.iter().flat_map(|recording| recording.parts());
        for (Label { method, name, .. }, error, count) in parts.flat_map(|part| part.failures()) {
            *counts.entry((&**method, &**name, error)).or_default() += count;
        }
        let mut errors: Vec<_> = counts
            .into_iter()
            .map(|((method, name, error), count)| ErrorCount { count, method, name, error })
            .collect();
        errors.sort_unstable_by(|a, b| {
            let (a_is, b_is) = ((a.name, a.method, a.error), (b.name, b.method, b.error));
            b.count.cmp(&a.count).then(a_is.cmp(&b_is))
        });
        errors.truncate(most);
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::records;

    #[test]
    fn errors_are_counted_by_name_and_text_the_most_frequent_first() {
        let records = records(&[
            ("GET", "u", "a", 200, 1.0, 1, None),
            ("GET", "u", "a", 500, 1.0, 1, Some("broken")),
            ("GET", "u", "b", 500, 1.0, 1, Some("broken")),
            ("GET", "v", "b", 500, 1.0, 1, Some("broken")),
            ("GET", "u", "b", 404, 1.0, 1, Some("missing")),
        ]);
        let errors = |most| {
            let errors = records.errors(most).into_iter();
            errors.map(|error| (error.count, error.name, error.error)).collect::<Vec<_>>()
        };
        assert_eq!(errors(9), [(2, "b", "broken"), (1, "a", "broken"), (1, "b", "missing")]);
        assert_eq!(errors(1), [(2, "b", "broken")]);
    }
}
