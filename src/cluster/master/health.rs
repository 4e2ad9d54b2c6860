//! The health of a cluster, in LoadDensity's words: `distributed_health` in the result of a master.

use std::collections::{BTreeMap, BTreeSet};

/// Why a cluster is degraded.
const INSUFFICIENT: &str = "worker availability or observed capacity below the requested load";

/// Why a cluster has failed.
const NO_WORKERS: &str = "all workers lost or stopped";

/// The state of the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    /// No worker yet.
    #[default]
    Connecting,
    /// Workers are there.
    Ready,
    /// The test runs.
    Running,
    /// It runs with less than was asked for.
    Degraded,
    /// It cannot run.
    Failed,
    /// It has ended.
    Stopped,
}

impl Status {
    /// Its word.
    pub fn text(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// The health of a cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// The state of the whole.
    pub status: Status,
    /// Why it is degraded or has failed.
    pub reason: Option<String>,
    /// The state of each worker.
    pub workers: BTreeMap<String, &'static str>,
    /// The users that are wanted.
    pub target_users: u64,
    /// The users that the workers report.
    pub reported_users: u64,
    /// Workers that were lost during the test, even if they came back.
    pub affected_workers: BTreeSet<String>,
    /// Workers that a start without all of them still lacks.
    pub(super) required: u64,
}

impl Health {
    /// The test starts with fewer workers than were asked for.
    pub(super) fn start_degraded(&mut self, required: u64, reason: String) {
        self.required = required;
        self.status = Status::Degraded;
        self.reason = Some(reason);
    }

    /// The test starts.
    pub(super) fn start(&mut self) {
        if self.status != Status::Degraded {
            self.status = Status::Running;
        }
    }

    /// It cannot go on.
    pub(super) fn fail(&mut self, reason: &str) {
        self.status = Status::Failed;
        self.reason = Some(reason.to_owned());
    }

    /// Judges a running test by its workers that are there, and by whether they deliver what is wanted
    /// of them. Returns whether it can go on.
    pub(super) fn judge(&mut self, healthy: u64, insufficient: bool) -> bool {
        if matches!(self.status, Status::Failed | Status::Stopped) {
            return self.status != Status::Failed;
        }
        if healthy == 0 {
            self.fail(NO_WORKERS);
            return false;
        }
        let degraded = healthy < self.required || insufficient;
        self.status = if degraded { Status::Degraded } else { Status::Running };
        self.reason = degraded.then(|| INSUFFICIENT.to_owned());
        true
    }

    /// The test has ended.
    pub(super) fn stop(&mut self) {
        if !matches!(self.status, Status::Failed | Status::Degraded) {
            self.status = Status::Stopped;
        }
        self.workers.values_mut().for_each(|state| *state = "stopped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_test_is_stopped_and_one_that_lacked_something_stays_degraded() {
        let mut health = Health::default();
        health.start();
        assert!(health.judge(2, false));
        assert_eq!((health.status, &health.reason), (Status::Running, &None));
        assert!(health.judge(1, true));
        assert_eq!(health.status, Status::Degraded);
        assert!(health.judge(2, false));
        assert_eq!(health.status, Status::Running, "it has recovered");
        health.workers.insert("a_1".to_owned(), "running");
        health.stop();
        assert_eq!(
            (health.status.text(), health.workers.get("a_1")),
            ("stopped", Some(&"stopped"))
        );

        let mut lacking = Health::default();
        lacking.start_degraded(3, "only 2/3".to_owned());
        lacking.start();
        assert!(lacking.judge(2, false));
        lacking.stop();
        assert_eq!(lacking.status.text(), "degraded");
        assert_eq!(lacking.reason.as_deref(), Some(INSUFFICIENT));

        let mut dead = Health::default();
        dead.start();
        assert!(!dead.judge(0, false));
        dead.stop();
        assert_eq!((dead.status.text(), dead.reason.as_deref()), ("failed", Some(NO_WORKERS)));
    }
}
