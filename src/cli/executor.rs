//! The options of the Python in which runs what is not native.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::values::memory;

/// The executor's Python.
#[derive(Args)]
pub struct Executor {
    /// Run commands and kinds of users that are not native in this Python, which has je_load_density.
    /// Documents can make it run any code
    #[arg(
        long,
        value_name = "PYTHON",
        value_hint = ValueHint::CommandName,
        help_heading = "Executor"
    )]
    pub executor: Option<PathBuf>,

    /// Which tests run in it: those with users or arguments that are not native (auto), none (native),
    /// or all (python)
    #[arg(
        long,
        value_name = "ENGINE",
        value_enum,
        default_value = "auto",
        requires = "executor",
        help_heading = "Executor"
    )]
    pub engine: Engine,

    /// The memory that it and its programs may have [default: that of --max-memory]
    #[arg(
        long,
        value_name = "SIZE",
        value_parser = memory,
        requires = "executor",
        help_heading = "Executor"
    )]
    pub executor_memory: Option<usize>,

    /// Let it read and write every file that this user may, and reach every target in spite of
    /// --allow-target
    #[arg(long, requires = "executor", help_heading = "Executor")]
    pub executor_unconfined: bool,
}

/// Which tests run in the executor's Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Those with users or arguments that are not native.
    Auto,
    /// None.
    Native,
    /// All.
    Python,
}
