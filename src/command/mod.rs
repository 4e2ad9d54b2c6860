//! The verbs, one per file: what was typed becomes what is meant, is done, and ends in an exit
//! code. Only here do the command line and the console meet the client, the server and the executor.

mod completions;
mod connection;
mod core_dump;
mod credential;
mod document;
mod lint;
mod ping;
mod quit;
mod run;
mod secrets;
mod send;
mod serve;
mod service;
mod signal;
mod status;
mod token;

use std::path::{Path, PathBuf};

use tokio::runtime::Builder;

use crate::action::{AllowedTarget, Targets, TestLimits};
use crate::cli::{Cli, DocumentLimits, Output, Verb};
use crate::console::{Console, Format};
use crate::error::{Error, Exit, reason};

/// Does what the command line says.
pub fn execute(cli: &Cli, console: &mut Console) -> Result<Exit, Error> {
    if holds_a_token(&cli.verb) {
        core_dump::prevent();
    }
    match &cli.verb {
        Verb::Serve(args) => serve::serve(args, console),
        Verb::Send(args) => send::send(args, console),
        Verb::Ping(args) => ping::ping(args, cli.verbose > 0, console),
        Verb::Status(args) => status::status(args, console),
        Verb::Stop(args) => status::stop(args, console),
        Verb::Quit(args) => quit::quit(args, console),
        Verb::Run(args) => run::run(args, console),
        Verb::Lint(args) => lint::lint(args, console),
        Verb::Completions(args) => {
            completions::completions(args, console);
            Ok(Exit::Done)
        }
    }
}

fn holds_a_token(verb: &Verb) -> bool {
    match verb {
        Verb::Serve(_)
        | Verb::Send(_)
        | Verb::Ping(_)
        | Verb::Status(_)
        | Verb::Stop(_)
        | Verb::Quit(_) => true,
        Verb::Run(_) | Verb::Lint(_) | Verb::Completions(_) => false,
    }
}

impl From<Output> for Format {
    fn from(output: Output) -> Self {
        match output {
            Output::Text => Self::Text,
            Output::Json => Self::Json,
        }
    }
}

/// Waits for the work on this thread; load has threads of its own. What blocks on after the end,
/// such as the resolver, is not waited for.
fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::usage(format!("cannot start: {}", reason(&error))))?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome
}

/// What documents may ask for.
fn test_limits(args: &DocumentLimits) -> TestLimits {
    TestLimits { users: args.max_users, seconds: args.max_test_time, tasks: args.max_tasks }
}

/// What documents may reach.
fn targets(args: &DocumentLimits) -> Result<Targets, Error> {
    let read = |text: &String| {
        text.parse::<AllowedTarget>()
            .map_err(|error| Error::usage(format!("--allow-target {text:?}: {error}")))
    };
    let allowed = args.allow_target.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Targets { own: Vec::new(), allowed })
}

/// The directory that documents may use.
fn data_dir(chosen: Option<&Path>) -> Result<PathBuf, Error> {
    let Some(path) = chosen else {
        return std::env::current_dir().map_err(|error| {
            Error::usage(format!(
                "the working directory cannot be used ({}); use --data-dir",
                reason(&error)
            ))
        });
    };
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(path.to_owned()),
        Ok(_) => Err(Error::usage(format!("--data-dir {} is no directory", path.display()))),
        Err(error) => Err(Error::usage(format!(
            "cannot use --data-dir {}: {}",
            path.display(),
            reason(&error)
        ))),
    }
}
