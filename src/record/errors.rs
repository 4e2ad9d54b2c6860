//! Why requests failed: each error text with the requests that had it, the most frequent first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::live::Failed;
use super::sample::Times;
use super::{Recording, Records};
use crate::value::Value;

/// An error and the requests that had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCount<'a> {
    /// How many requests.
    pub count: u64,
    /// When the first of them ended.
    pub first: SystemTime,
    /// When the last of them ended.
    pub last: SystemTime,
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
            ("first", time(self.first).into()),
            ("last", time(self.last).into()),
        ])
    }
}

/// A moment in RFC 3339, UTC, to the millisecond.
fn time(moment: SystemTime) -> String {
    format!("{:.3}", jiff::Timestamp::try_from(moment).unwrap_or_default())
}

/// The errors of some requests.
#[derive(Debug, Default)]
pub struct Errors<'a> {
    /// The most frequent first.
    pub kinds: Vec<ErrorCount<'a>>,
    /// How many further kinds there were, and how many requests had them.
    pub further: (usize, u64),
}

impl<'a> Errors<'a> {
    /// How many requests had one.
    pub fn requests(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.count).sum::<u64>() + self.further.1
    }

    /// Keeps the most frequent kinds, at most `most` of them.
    pub fn truncate(&mut self, most: usize) {
        let further = self.kinds.split_off(self.kinds.len().min(most));
        self.further.0 += further.len();
        self.further.1 += further.iter().map(|kind| kind.count).sum::<u64>();
    }

    /// As the result of a test has them: the further kinds share a row.
    pub fn to_value(&self) -> Value {
        let mut rows: Vec<Value> = self.kinds.iter().map(ErrorCount::to_value).collect();
        let (kinds, count) = self.further;
        if kinds > 0 {
            rows.push(Value::dict([
                ("count", Value::from(count)),
                ("method", "".into()),
                ("name", "".into()),
                ("error", format!("{kinds} further kinds of error").into()),
                ("together", (kinds as u64).into()),
            ]));
        }
        Value::List(rows)
    }
}

impl Recording {
    /// The errors, at most `most` of them.
    pub fn errors(&self, most: usize) -> Errors<'_> {
        Errors::of([self], most)
    }
}

impl Records {
    /// The errors, at most `most` of them.
    pub fn errors(&self, most: usize) -> Errors<'_> {
        Errors::of(self.recordings.iter().map(Arc::as_ref), most)
    }
}

impl<'a> Errors<'a> {
    /// Those of a run in progress that started then, at most `most` of them.
    pub fn so_far(failed: &'a [Failed], started: SystemTime, most: usize) -> Self {
        let kinds = failed.iter().map(|Failed { method, name, error, times }| ErrorCount {
            count: times.count,
            first: started + times.first,
            last: started + times.last,
            method,
            name,
            error,
        });
        Self::ordered(kinds.collect(), most)
    }

    /// The most frequent first.
    fn ordered(mut errors: Vec<ErrorCount<'a>>, most: usize) -> Self {
        errors.sort_unstable_by(|a, b| {
            let (a_is, b_is) = ((a.name, a.method, a.error), (b.name, b.method, b.error));
            b.count.cmp(&a.count).then(a_is.cmp(&b_is))
        });
        let mut errors = Self { kinds: errors, further: (0, 0) };
        errors.truncate(most);
        errors
    }

    fn of(runs: impl IntoIterator<Item = &'a Recording>, most: usize) -> Self {
        let mut counts: HashMap<(&str, &str, &str), ErrorCount<'a>> = HashMap::new();
        for recording in runs {
            let started = recording.started_at();
            let failures = recording.parts().iter().flat_map(|part| part.failures());
            for (method, name, error, Times { count, first, last }) in failures {
                let (first, last) = (started + first, started + last);
                let new = ErrorCount { count, first, last, method, name, error };
                counts
                    .entry((method, name, error))
                    .and_modify(|known| {
                        known.count += count;
                        known.first = known.first.min(first);
                        known.last = known.last.max(last);
                    })
                    .or_insert(new);
            }
        }
        Self::ordered(counts.into_values().collect(), most)
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
            let errors = records.errors(most).kinds.into_iter();
            errors.map(|error| (error.count, error.name, error.error)).collect::<Vec<_>>()
        };
        assert_eq!(errors(9), [(2, "b", "broken"), (1, "a", "broken"), (1, "b", "missing")]);
        assert_eq!(errors(1), [(2, "b", "broken")]);
        assert_eq!(records.errors(1).further, (2, 2));
        let text = records.errors(1).to_value().to_text();
        let times = "'first': '2023-11-14T22:13:20.001Z', 'last': '2023-11-14T22:13:20.001Z'}";
        assert!(text.contains(times), "{text}");
        assert!(text.ends_with("'error': '2 further kinds of error', 'together': 2}]"), "{text}");
    }
}
