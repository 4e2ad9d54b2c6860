//! Errors that differ only in their numbers, identifiers and quoted texts, taken together.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use indexmap::IndexMap;
use regex::Regex;

use super::Records;
use crate::value::Value;

/// The longest signature, in characters.
const LONGEST: usize = 200;

/// Errors of a cluster that are shown.
const SAMPLES: usize = 3;

/// What varies in messages, and what stands for it, in the order of replacement.
static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    const HEX: &str = "[0-9a-fA-F]";
    let uuid = format!(r"\b{HEX}{{8}}-(?:{HEX}{{4}}-){{3}}{HEX}{{12}}\b");
    let patterns = [
        (uuid.as_str(), "<uuid>"),
        ("0x[0-9a-fA-F]+", "<hex>"),
        (r"\b\d+\b", "<n>"),
        (r#"'[^']*'|"[^"]*""#, "<str>"),
    ];
    patterns.into_iter().filter_map(|(text, name)| Some((Regex::new(text).ok()?, name))).collect()
});

/// What an error has in common with those that differ only in what varies.
fn signature(message: &str) -> String {
    let general = VARYING.iter().fold(message.to_owned(), |text, (pattern, name)| {
        pattern.replace_all(&text, *name).into_owned()
    });
    general.trim().chars().take(LONGEST).collect()
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Why it failed.
    pub message: String,
    /// Its name.
    pub name: String,
}

#[derive(Debug, Default)]
struct Cluster {
    count: u64,
    names: BTreeSet<String>,
    samples: Vec<String>,
}

/// Errors by signature.
#[derive(Debug, Default)]
pub struct Clusters {
    clusters: IndexMap<String, Cluster>,
    /// The cluster of each message: a run has few different ones.
    known: IndexMap<String, usize>,
}

impl Clusters {
    /// The failures of a record.
    pub fn of(records: &Records) -> Self {
        let mut clusters = Self::default();
        for row in records.rows() {
            let Some(error) = row.error else { continue };
            let mut status = itoa::Buffer::new();
            let message = match (error, row.status) {
                ("", Some(code)) if code > 0 => status.format(code),
                (error, _) => error,
            };
            clusters.add(message, &row.label.name);
        }
        clusters
    }

    /// Failures that are given.
    pub fn of_given(given: &[Failed]) -> Self {
        let mut clusters = Self::default();
        given.iter().for_each(|failed| clusters.add(&failed.message, &failed.name));
        clusters
    }

    fn add(&mut self, message: &str, name: &str) {
        let index = match self.known.get(message) {
            Some(index) => *index,
            None => {
                let entry = self.clusters.entry(signature(message));
                let index = entry.index();
                entry.or_default();
                self.known.insert(message.to_owned(), index);
                index
            }
        };
        let Some((_, cluster)) = self.clusters.get_index_mut(index) else { return };
        cluster.count += 1;
        if !cluster.names.contains(name) {
            cluster.names.insert(name.to_owned());
        }
        if cluster.samples.len() < SAMPLES {
            cluster.samples.push(message.to_owned());
        }
    }

    /// The clusters as `LD_cluster_errors` returns them, the largest first.
    pub fn to_value(&self) -> Value {
        let mut sorted: Vec<_> = self.clusters.iter().collect();
        sorted.sort_by_key(|(_, cluster)| std::cmp::Reverse(cluster.count));
        let texts = |texts: Vec<&String>| {
            Value::List(texts.into_iter().map(|text| text.as_str().into()).collect())
        };
        let value = |(signature, cluster): (&String, &Cluster)| {
            Value::dict([
                ("signature", Value::from(signature.as_str())),
                ("count", cluster.count.into()),
                ("names", texts(cluster.names.iter().collect())),
                ("samples", texts(cluster.samples.iter().collect())),
            ])
        };
        Value::List(sorted.into_iter().map(value).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::records;

    #[test]
    fn what_varies_in_an_error_is_not_part_of_its_signature() {
        for (message, expected) in [
            ("timeout after 500 ms", "timeout after <n> ms"),
            ("v2 of 7a at 0xDEADbeef", "v2 of 7a at <hex>"),
            ("job 6f9619ff-8b86-d011-b42d-00cf4fc964ff gone", "job <uuid> gone"),
            ("no 'x y' and \"12\" ", "no <str> and <str>"),
            ("", ""),
        ] {
            assert_eq!(signature(message), expected);
        }
        assert_eq!(signature(&"ż".repeat(300)).chars().count(), 200);
    }

    #[test]
    fn the_largest_cluster_is_first_with_its_names_and_three_samples() {
        let errors = ["a 1", "b", "a 2", "a 1", "a 3"];
        let rows: Vec<_> = errors
            .iter()
            .enumerate()
            .map(|(index, error)| {
                ("GET", "u", if index < 3 { "n" } else { "m" }, 500, 1.0, 1, Some(*error))
            })
            .chain([("GET", "u", "n", 503, 1.0, 1, Some("")), ("GET", "u", "n", 200, 1.0, 1, None)])
            .collect();
        let expected = r#"[
            {"signature": "a <n>", "count": 4, "names": ["m", "n"], "samples": ["a 1", "a 2", "a 1"]},
            {"signature": "b", "count": 1, "names": ["n"], "samples": ["b"]},
            {"signature": "<n>", "count": 1, "names": ["n"], "samples": ["503"]}]"#;
        let value = Clusters::of(&records(&rows)).to_value();
        assert_eq!(value, Value::parse(expected).expect("JSON"));
    }
}
