//! The options that change documents, read.

use super::cluster;
use super::document::Local;
use crate::action::{Overrides, gate};
use crate::cli;
use crate::error::Error;

/// Reads the options.
pub(super) fn resolve(args: &cli::Overrides) -> Result<Overrides, Error> {
    let read =
        |text: &String| gate(text).map_err(|why| Error::usage(format!("--gate {text:?}: {why}")));
    Ok(Overrides {
        users: args.users,
        spawn_rate: args.spawn_rate,
        test_time: args.test_time,
        rate: args.rate,
        target: args.target.clone(),
        variables: args.var.clone(),
        gates: args.gate.iter().map(read).collect::<Result<_, _>>()?,
        reports: !args.report.is_empty(),
        database: None,
        seed: args.seed,
        once: false,
        cluster: cluster::resolve(&args.cluster),
    })
}

/// Refuses options that no document takes.
pub(super) fn must_be_taken(overrides: &Overrides, locals: &[Local]) -> Result<(), Error> {
    if locals.iter().any(|local| local.taken) {
        return Ok(());
    }
    let options = overrides.options().join(", ");
    let names = locals.iter().map(|local| local.name.as_str()).collect::<Vec<_>>().join(", ");
    Err(Error::usage(format!(
        "{names}: nothing takes {options} (no LD_start_test is in it); leave the option out"
    )))
}
