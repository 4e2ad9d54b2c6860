//! What becomes of a worker.

/// How the work for a master has ended, and what the master knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerOutcome {
    /// Why it ended.
    pub end: WorkerEnd,
    /// Requests that were measured.
    pub measured: u64,
    /// Those that were reported.
    pub reported: u64,
    /// Those whose report the master has certainly received.
    pub confirmed: u64,
    /// The most users that ran.
    pub peak: usize,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Why the work for a master has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerEnd {
    /// The master ended it.
    Quit,
    /// The test ended here.
    Left,
    /// The master cannot be reached, or is silent.
    Lost(String),
}

impl WorkerOutcome {
    /// What is said of the work.
    pub(super) fn warnings(&self) -> Vec<String> {
        let Self { measured, reported, confirmed, .. } = *self;
        let mut warnings = self.warnings.clone();
        if confirmed < measured {
            warnings.push(format!(
                "measured {measured} requests, reported {reported} and confirmed {confirmed}: the \
                 master's figures may lack {}; those of this worker are complete",
                measured - confirmed
            ));
        }
        warnings
    }
}
