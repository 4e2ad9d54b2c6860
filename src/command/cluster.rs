//! The options that make a test part of a cluster, read.

use std::net::{IpAddr, Ipv4Addr};

use crate::action::Clustered;
use crate::cli::Cluster;
use crate::error::Error;
use crate::value::Value;

/// What they change in a document.
pub(super) fn resolve(args: &Cluster) -> Option<Clustered> {
    let (option, mode) = match args {
        Cluster { worker: true, .. } => ("--worker", "worker"),
        Cluster { master: true, .. } => ("--master", "master"),
        _ => return None,
    };
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    let number = |number: u64| Value::from(number);
    let given = [
        ("runner_mode", Some(mode.into())),
        ("master_host", text(&args.master_host)),
        ("master_port", args.master_port.map(u64::from).map(number)),
        ("expected_workers", args.expect_workers.map(number)),
        ("master_bind_host", text(&args.master_bind_host)),
        ("master_bind_port", args.master_bind_port.map(u64::from).map(number)),
    ];
    let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Some(Clustered { option, arguments: given.collect() })
}

/// The addresses that documents may listen on: those that are allowed, and the one that the operator has
/// named for workers.
pub(super) fn listen(allowed: &[IpAddr], args: &Cluster) -> Vec<IpAddr> {
    let named = args.master_bind_host.as_deref().and_then(|host| match host {
        "*" => Some(Ipv4Addr::UNSPECIFIED.into()),
        host => host.parse().ok(),
    });
    allowed.iter().copied().chain(named).collect()
}

/// Refuses options of a master where there is none.
pub(super) fn needs_master(args: &Cluster) -> Result<(), Error> {
    let option = match args {
        Cluster { master: true, .. } => return Ok(()),
        Cluster { master_bind_host: Some(_), .. } => "--master-bind-host",
        Cluster { master_bind_port: Some(_), .. } => "--master-bind-port",
        _ => return Ok(()),
    };
    Err(Error::usage(format!("{option} has no effect without --master; add --master")))
}
