//! The options that change documents, read.

use super::cluster;
use super::document::Local;
use crate::action::{Overrides, Unused, gate, target_fault};
use crate::cli;
use crate::error::Error;

/// Reads the options; `host` is another name of the target.
pub(super) fn resolve(args: &cli::Overrides, host: Option<&str>) -> Result<Overrides, Error> {
    let read = |text: &String| match gate(text) {
        Ok(rule) => Ok((text.clone(), rule)),
        Err(why) => Err(Error::usage(format!("--gate {text:?}: {why}"))),
    };
    let target = args.target.as_deref().map(|text| ("--target", text));
    let target = target.or(host.map(|text| ("--host", text)));
    if let Some((option, text)) = target
        && let Some(why) = target_fault(text)
    {
        return Err(Error::usage(format!("{option} {text:?}: {why}")));
    }
    for (index, (name, _)) in args.var.iter().enumerate() {
        if args.var.iter().take(index).any(|(before, _)| before == name) {
            return Err(Error::usage(format!("--var {name} is given twice; leave one out")));
        }
    }
    Ok(Overrides {
        users: args.users,
        spawn_rate: args.spawn_rate,
        test_time: args.test_time,
        rate: args.rate,
        target: target.map(|(option, text)| (option, text.to_owned())),
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
    let names = || locals.iter().map(|local| local.name.as_str()).collect::<Vec<_>>().join(", ");
    if !locals.iter().any(|local| local.taken) {
        let options = overrides.options().join(", ");
        return Err(Error::usage(format!(
            "{}: nothing takes {options} (no LD_start_test is in it); leave the option out",
            names()
        )));
    }
    let of_all = locals.split_first().and_then(|(first, others)| {
        first.unused.iter().find(|one| {
            others.iter().all(|local| local.unused.iter().any(|other| other.name == one.name))
        })
    });
    match of_all {
        None => Ok(()),
        Some(Unused { name, meant }) => {
            let advice = match meant {
                Some(meant) => format!("did you mean --var {meant}?"),
                None => "leave it out".to_owned(),
            };
            Err(Error::usage(format!(
                "{}: nothing takes --var {name} (no placeholder is ${{var.{name}}}); {advice}",
                names()
            )))
        }
    }
}
