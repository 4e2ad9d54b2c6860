//! The options that make a test part of a cluster, read.

use crate::action::Clustered;
use crate::cli::Cluster;
use crate::value::Value;

/// What they change in a document.
pub(super) fn resolve(args: &Cluster) -> Option<Clustered> {
    if !args.worker {
        return None;
    }
    let mut arguments = vec![("runner_mode", Value::from("worker"))];
    let host = args.master_host.as_deref().map(|host| ("master_host", host.into()));
    let port = args.master_port.map(|port| ("master_port", Value::from(i64::from(port))));
    arguments.extend(host.into_iter().chain(port));
    Some(Clustered { option: "--worker", arguments })
}
