//! What documents may reach on this machine.

use std::path::PathBuf;

use crate::load::TestLimits;
use crate::net::Targets;

/// What documents may reach on this machine.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The directory that every file named in a document must lie in.
    pub data_dir: PathBuf,
    /// Files in it that documents neither read nor replace: the server's token, key and certificates.
    pub secret_files: Vec<PathBuf>,
    /// Which environment variables `${env.NAME}` may read; `None` allows all (`ldctl run`, where the
    /// document is the operator's own file).
    pub allow_env: Option<Vec<String>>,
    /// Variables that `${env.NAME}` never reads, whatever `allow_env` says: the token's.
    pub secret_env: Vec<String>,
    /// Which addresses load tests may reach.
    pub targets: Targets,
    /// What one test may ask for.
    pub limits: TestLimits,
}

impl Policy {
    /// Files inside a directory and nothing else: no variable of the environment. Tests reach the
    /// default targets within the default limits.
    pub fn inside(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            secret_files: Vec::new(),
            allow_env: Some(Vec::new()),
            secret_env: Vec::new(),
            targets: Targets::default(),
            limits: TestLimits::default(),
        }
    }

    /// An environment variable that a document may read, when it is set and is text.
    pub fn env(&self, name: &str) -> Option<String> {
        let listed = |names: &[String]| names.iter().any(|listed| listed == name);
        let allowed = self.allow_env.as_deref().is_none_or(listed);
        if !allowed || listed(&self.secret_env) {
            return None;
        }
        std::env::var(name).ok()
    }
}
