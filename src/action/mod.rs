//! A document becomes commands, and the commands run: parse, execute, and one file per family of
//! `LD_*` commands. It is synchronous on purpose: whoever has a document gives it a thread of its
//! own, and the only command that takes long hands its work to [`crate::load`]'s threads. Events go
//! to one [`Sink`]; nothing here knows who listens.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::event::Sink;
use crate::value::Value;

/// What documents may reach on this machine.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The directory that every file named in a document must lie in.
    pub data_dir: PathBuf,
    /// Which environment variables `${env.NAME}` may read; `None` allows all (`ldctl run`, where the
    /// document is the operator's own file).
    pub allow_env: Option<Vec<String>>,
    /// Variables that `${env.NAME}` never reads, whatever `allow_env` says: the token's.
    pub secret_env: Vec<String>,
}

/// A list of actions, ready to run.
#[derive(Debug)]
pub struct Document {}

/// Why a value is no document, in the reference's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("executor received invalid data: list is empty or wrong type")]
pub struct InvalidDocument;

impl Document {
    /// Reads a document: a non-empty list of actions, or an object with that list under
    /// `load_density`.
    pub fn parse(_value: Value) -> Result<Self, InvalidDocument> {
        Err(InvalidDocument)
    }
}

/// How a document ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// How many of its actions failed.
    pub failed: usize,
    /// Whether one of them failed because another test is running.
    pub busy: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// Runs documents. One executor is shared by all connections of a server: records, variables and
/// sources live in it and stay from one request to the next.
#[derive(Debug)]
pub struct Executor {}

impl Executor {
    /// An executor with nothing recorded.
    pub fn new(_policy: Policy) -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Documents taken so far.
    pub fn runs(&self) -> u64 {
        0
    }

    /// Runs a document to its end, `Accepted` first and `Done` last. Blocks its thread; a cancelled
    /// token ends a running test early with what it has recorded.
    pub fn execute(
        &self,
        _document: Document,
        _sink: &mut dyn Sink,
        _cancel: &CancellationToken,
    ) -> Outcome {
        Outcome { failed: 0, busy: false, elapsed: Duration::ZERO }
    }
}
