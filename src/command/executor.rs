//! The executor's Python: what it may do is settled before it starts, and what nothing holds it back
//! from is said.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::action::{self, Policy, refused_commands};
use crate::cli;
use crate::console::Console;
use crate::error::Error;
use crate::memory::readable;
use crate::python::{BRIDGE, Python, Settings, StartError};

/// Which tests run in it, if there is one.
pub(super) fn engine(args: &cli::Executor) -> Option<action::Engine> {
    args.executor.as_ref().map(|_| match args.engine {
        cli::Engine::Auto => action::Engine::Auto,
        cli::Engine::Native => action::Engine::Native,
        cli::Engine::Python => action::Engine::Python,
    })
}

/// Starts it, if there is one, for documents with this policy.
pub(super) fn start(
    args: &cli::Executor,
    policy: &Policy,
    console: &mut Console,
) -> Result<Option<Python>, Error> {
    let Some(interpreter) = &args.executor else { return Ok(None) };
    if !policy.targets.allowed.is_empty() && !args.executor_unconfined {
        return Err(Error::usage(
            "--allow-target does not hold for --executor, whose Python opens its own connections; \
             leave one of them out, or say --executor-unconfined",
        ));
    }
    let settings = Settings {
        interpreter: resolved(interpreter),
        program: BRIDGE.to_owned(),
        directory: policy.data_dir.clone(),
        environment: environment(policy),
        memory: args.executor_memory.unwrap_or(policy.memory.most()),
        confined: !args.executor_unconfined,
        // By this path it is the same program even after an update has replaced the file.
        launcher: PathBuf::from("/proc/self/exe"),
        secret_files: policy.secret_files.clone(),
        refused: refused_commands().collect(),
    };
    let memory = settings.memory;
    let python = Python::start(settings, &policy.memory).map_err(|error| {
        Error::usage(format!("--executor: {error}; {}", remedy(&error, memory)))
    })?;
    let about = python.about();
    tracing::info!(
        "the executor runs LoadDensity {} in Python {}, with at most {}",
        about.package,
        about.python,
        readable(memory)
    );
    let files = match args.executor_unconfined {
        true => "reads and writes every file that this user may",
        false => "reads and writes the data directory, and reads Python and the system",
    };
    console.warn(&format!(
        "documents can run any code in the executor's Python: it {files}, and reaches every address; \
         --max-body-bytes and --allow-listen do not hold there"
    ));
    Ok(Some(python))
}

/// What to do where it cannot be started with so much memory.
fn remedy(error: &StartError, memory: usize) -> String {
    match error {
        StartError::Interpreter(..) => "name a Python, such as ~/.venvs/load/bin/python".to_owned(),
        StartError::Changeable(..) => {
            "name a Python outside, or another --data-dir, or say --executor-unconfined".to_owned()
        }
        StartError::Package(_, why) if why.contains("No module named") => {
            "install je_load_density there, with pip".to_owned()
        }
        StartError::Package(..) => format!(
            "where je_load_density is installed, {} may be too little for it (--executor-memory)",
            readable(memory)
        ),
        StartError::Confinement(..) => "--executor-unconfined does without".to_owned(),
        StartError::Secret(..) => "or say --executor-unconfined".to_owned(),
    }
}

/// A path with a separator is one from here, and not from the data directory.
fn resolved(interpreter: &std::path::Path) -> PathBuf {
    match interpreter.components().count() {
        0 | 1 => interpreter.to_owned(),
        _ => std::path::absolute(interpreter).unwrap_or_else(|_| interpreter.to_owned()),
    }
}

/// The variables that it has: where programs are, and those that documents may read.
fn environment(policy: &Policy) -> Vec<(OsString, OsString)> {
    let readable = |name: &OsString| {
        name == "PATH" || name.to_str().is_some_and(|name| policy.env(name).is_some())
    };
    let secret = |name: &OsString| policy.secret_env.iter().any(|secret| *name == **secret);
    // Its log holds what documents hold, and what it compiles could not be kept.
    let own = [("LOAD_DENSITY_LOG_FILE", "/dev/null"), ("PYTHONDONTWRITEBYTECODE", "1")];
    let given = std::env::vars_os().filter(|(name, _)| readable(name) && !secret(name));
    given.chain(own.map(|(name, value)| (name.into(), value.into()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t65_the_environment_of_the_executor_is_that_of_documents_and_the_path() {
        let names = |policy: &Policy| {
            let mut names: Vec<_> = environment(policy).into_iter().map(|(name, _)| name).collect();
            names.sort();
            names
        };
        let mut policy = Policy::inside(".");
        policy.allow_env = Some(vec!["CARGO".to_owned(), "NOT_SET_ANYWHERE".to_owned()]);
        policy.secret_env = vec!["CARGO_PKG_NAME".to_owned()];
        let own = ["LOAD_DENSITY_LOG_FILE", "PATH", "PYTHONDONTWRITEBYTECODE"];
        let expected: Vec<&str> = ["CARGO"].into_iter().chain(own).collect();
        assert_eq!(names(&policy), expected);
        policy.allow_env = None;
        let all = names(&policy);
        assert!(all.iter().any(|name| name == "CARGO_PKG_VERSION"));
        assert!(all.iter().all(|name| name != "CARGO_PKG_NAME"), "{all:?}");
    }
}
