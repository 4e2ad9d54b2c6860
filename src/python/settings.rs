//! How the child is started, and why it cannot be.

use std::ffi::OsString;
use std::path::PathBuf;

/// How the child is started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The interpreter.
    pub interpreter: PathBuf,
    /// What runs in it: [`BRIDGE`](super::BRIDGE).
    pub program: String,
    /// The data directory, in which it works.
    pub directory: PathBuf,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The memory that it may have, in bytes.
    pub memory: usize,
    /// Whether the system keeps it to the files of the data directory and those that Python needs.
    pub confined: bool,
    /// This program, which is started as [`CONFINED`](super::CONFINED) to confine it.
    pub launcher: PathBuf,
    /// Files that it must not be able to read: the token, keys.
    pub secret_files: Vec<PathBuf>,
    /// Commands that it must not have.
    pub refused: Vec<&'static str>,
}

/// Why there is no child.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The interpreter cannot be run.
    #[error("{0} cannot be started: {1}")]
    Interpreter(String, String),
    /// The system cannot keep it to its files.
    #[error("this system cannot keep {0} inside the data directory: {1}")]
    Confinement(String, String),
    /// Documents could change what runs, and it would run without limits.
    #[error("documents can change {0}, which is inside the data directory")]
    Changeable(String),
    /// It could read what nothing in a document may.
    #[error("{0} could read {1}; move that out of the data directory and of where Python lies")]
    Secret(String, String),
    /// It cannot run LoadDensity.
    #[error("{0} cannot run LoadDensity: {1}")]
    Package(String, String),
}
