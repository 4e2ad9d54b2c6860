//! The preparations of several verbs: the runtime, the data directory, and the limits and targets
//! of documents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Builder;

use crate::cli::DocumentLimits;
use crate::error::{Error, reason};
use crate::load::TestLimits;
use crate::memory::{Memory, half_of_machine};
use crate::net::{AllowedTarget, Targets};

/// Runs the work on this thread; load has its own threads. Blocking calls that outlast it, such as
/// the resolver's, are not waited for.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::usage(format!("cannot start: {}", reason(&error))))?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome
}

/// The limits of documents.
pub(super) fn test_limits(args: &DocumentLimits) -> TestLimits {
    TestLimits { users: args.max_users, seconds: args.max_test_time, tasks: args.max_tasks }
}

/// The targets that documents may reach.
pub(super) fn targets(args: &DocumentLimits) -> Result<Targets, Error> {
    let read = |text: &String| {
        text.parse::<AllowedTarget>()
            .map_err(|error| Error::usage(format!("--allow-target {text:?}: {error}")))
    };
    let allowed = args.allow_target.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Targets { own: Vec::new(), allowed })
}

/// The ceiling for memory.
pub(super) fn memory(args: &DocumentLimits) -> Arc<Memory> {
    let most = args.max_memory.unwrap_or_else(half_of_machine);
    Memory::with_records(most, args.max_records)
}

/// The data directory.
pub(super) fn data_dir(chosen: Option<&Path>) -> Result<PathBuf, Error> {
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
        Ok(_) => Err(Error::usage(format!("--data-dir {} is not a directory", path.display()))),
        Err(error) => Err(Error::usage(format!(
            "cannot use --data-dir {}: {}",
            path.display(),
            reason(&error)
        ))),
    }
}
