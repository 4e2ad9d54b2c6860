//! What documents may access on this machine.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use crate::load::TestLimits;
use crate::memory::Memory;
use crate::net::Targets;
use crate::protocol::{MAX_BODY_BYTES, Reach};

/// What documents may access on this machine.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The directory of all files that documents name.
    pub data_dir: PathBuf,
    /// Which of them documents may use.
    pub access: FileAccess,
    /// Files in it that documents may not access: the server's token, key and certificates.
    pub secret_files: Vec<PathBuf>,
    /// The environment variables that `${env.NAME}` may read; `None` allows all (`ldctl run`, where
    /// the document is the operator's own file).
    pub allow_env: Option<Vec<String>>,
    /// Variables that `${env.NAME}` never reads, whatever `allow_env` says: the token's.
    pub secret_env: Vec<String>,
    /// The addresses that load tests may reach.
    pub targets: Targets,
    /// The addresses beyond loopback that documents may listen on ([`crate::net::permitted`]).
    pub listen: Vec<IpAddr>,
    /// The networks that workers may join a master from; everybody's if empty.
    pub workers: Vec<IpNet>,
    /// The limits of one test.
    pub limits: TestLimits,
    /// How much of a response's body load tests keep for their checks, in bytes.
    pub max_body_bytes: usize,
    /// The ceiling for what documents make the process hold.
    pub memory: Arc<Memory>,
}

/// Which files of the data directory documents may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAccess {
    /// All of them: the documents are the operator's own (`ldctl run`).
    All,
    /// Those that are not hidden: no step of the path, nor of what a link leads to, begins with a
    /// dot. Such files hold keys and settings.
    Visible,
    /// Those, and only reports are replaced: the operator has not said that the directory is for
    /// documents.
    Assumed,
    /// None; the text says why.
    Nothing(String),
}

impl Policy {
    /// The default of [`Policy::max_body_bytes`], in bytes.
    pub const DEFAULT_BODY_BYTES: usize = MAX_BODY_BYTES;

    /// Allows files inside a directory and nothing else: no environment variables. Tests may reach
    /// the default targets within the default limits.
    pub fn inside(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            access: FileAccess::Visible,
            secret_files: Vec::new(),
            allow_env: Some(Vec::new()),
            secret_env: Vec::new(),
            targets: Targets::default(),
            listen: Vec::new(),
            workers: Vec::new(),
            limits: TestLimits::default(),
            max_body_bytes: Self::DEFAULT_BODY_BYTES,
            memory: Memory::of_machine(),
        }
    }

    /// What the tasks of a test may reach and keep.
    pub fn reach(&self) -> Reach {
        Reach {
            targets: self.targets.clone(),
            max_body_bytes: self.max_body_bytes,
            memory: Arc::clone(&self.memory),
            tracer: None,
            cancel: CancellationToken::new(),
        }
    }

    /// Returns an environment variable that documents may read, if it is set and is UTF-8.
    pub fn env(&self, name: &str) -> Option<String> {
        let listed = |names: &[String]| names.iter().any(|listed| listed == name);
        let allowed = self.allow_env.as_deref().is_none_or(listed);
        if !allowed || listed(&self.secret_env) {
            return None;
        }
        std::env::var(name).ok()
    }
}
