//! The verbs, one per file: what was typed becomes what is meant, is done, and ends in an exit
//! code. Only here do the command line and the console meet the client, the server and the executor.

mod completions;
mod document;
mod run;
mod signal;

use std::path::{Path, PathBuf};

use tokio::runtime::{Builder, Runtime};

use crate::cli::{Cli, Output, Verb};
use crate::console::{Console, Format};
use crate::error::{Error, Exit};

/// Does what the command line says.
pub fn execute(cli: &Cli, console: &mut Console) -> Result<Exit, Error> {
    match &cli.verb {
        Verb::Serve(_) | Verb::Send(_) | Verb::Ping(_) | Verb::Quit(_) => Ok(Exit::Usage),
        Verb::Run(args) => run::run(args, console),
        Verb::Completions(args) => {
            completions::completions(args, console);
            Ok(Exit::Done)
        }
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

/// One thread is enough for every verb: load has threads of its own.
fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::usage(format!("cannot start: {error}")))
}

/// The directory that documents may use.
fn data_dir(chosen: Option<&Path>) -> Result<PathBuf, Error> {
    let Some(path) = chosen else {
        return std::env::current_dir().map_err(|error| {
            Error::usage(format!("the working directory is gone ({error}): use --data-dir"))
        });
    };
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(path.to_owned()),
        Ok(_) => Err(Error::usage(format!("--data-dir {} is no directory", path.display()))),
        Err(error) => {
            Err(Error::usage(format!("cannot use --data-dir {}: {error}", path.display())))
        }
    }
}
