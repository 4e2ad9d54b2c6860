//! The figures of a document's tests that are kept with its run. They are bounded: a run is kept
//! for long, and a test may have thousands of names.

use crate::value::{Map, Value};

/// Tests of one document whose figures are kept.
const MOST_TESTS: usize = 100;

/// The most memory that these take, in bytes: figures of about a thousand names.
const MOST_BYTES: usize = 2 << 20;

/// The figures of finished tests.
#[derive(Debug, Default)]
pub(super) struct KeptFigures {
    tests: Vec<Value>,
    bytes: usize,
}

impl KeptFigures {
    /// Keeps those of another test: without those by name where they are too many.
    pub(super) fn push(&mut self, mut figures: Value) {
        if self.tests.len() >= MOST_TESTS {
            return;
        }
        if !self.fits(&figures) {
            without_names(&mut figures);
        }
        if self.fits(&figures) {
            self.bytes += figures.weight();
            self.tests.push(figures);
        }
    }

    fn fits(&self, figures: &Value) -> bool {
        self.bytes + figures.weight() <= MOST_BYTES
    }

    /// All of them.
    pub(super) fn into_map(self) -> Map {
        Map::from_iter([("tests".to_owned(), Value::List(self.tests))])
    }
}

fn without_names(figures: &mut Value) {
    let Value::Dict(members) = figures else { return };
    members.shift_remove("names");
    let Some(Value::Dict(summary)) = members.get_mut("summary") else { return };
    if let Some(Value::Dict(names)) = summary.shift_remove("per_name") {
        summary.insert("names_left_out".to_owned(), (names.len() as u64).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(names: usize, tests: usize) -> String {
        let mut kept = KeptFigures::default();
        for _ in 0..tests {
            let figures = |name: usize| (name.to_string(), Value::from("x".repeat(1000)));
            let per_name = Value::Dict((0..names).map(figures).collect());
            let summary = Value::dict([("totals", Value::Null), ("per_name", per_name)]);
            kept.push(Value::dict([("summary", summary)]));
        }
        Value::Dict(kept.into_map()).to_text()
    }

    #[test]
    fn t36_a_run_keeps_the_figures_of_a_thousand_names_and_only_the_sum_of_more() {
        assert!(kept(1000, 1).contains("'999': 'xxx"));
        let sum = "{'tests': [{'summary': {'totals': None, 'names_left_out': 3000}}]}";
        assert_eq!(kept(3000, 1), sum);
        let text = kept(1000, 150);
        assert!(text.len() < MOST_BYTES, "{}", text.len());
        assert_eq!(text.matches("'names_left_out': 1000").count(), MOST_TESTS - 1);
    }
}
