//! Which request follows which, as a graph: names, and how often a virtual user went from one to
//! another.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use crate::record::Records;
use crate::value::Value;

/// Writes the graph, without edges that were taken less often.
pub fn write(records: &Records, min_weight: u64, out: &mut dyn Write) -> io::Result<()> {
    let nodes: BTreeSet<&str> = records
        .recordings()
        .iter()
        .flat_map(|run| run.names())
        .filter(|name| !name.is_empty())
        .collect();
    let mut edges: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (before, after, count) in records.recordings().iter().flat_map(|run| run.steps()) {
        *edges.entry((before, after)).or_default() += count;
    }
    let nodes = nodes.into_iter().map(|name| Value::dict([("id", Value::from(name))]));
    let edges = edges.into_iter().filter(|(_, weight)| *weight >= min_weight);
    let edges = edges.map(|((source, target), weight)| {
        Value::dict([
            ("source", Value::from(source)),
            ("target", target.into()),
            ("weight", weight.into()),
        ])
    });
    let graph = Value::dict([
        ("nodes", Value::List(nodes.collect())),
        ("edges", Value::List(edges.collect())),
    ]);
    out.write_all(graph.to_json_lines(2).as_bytes())
}
