//! The load tests of an executor: at most one runs, it holds the run slot, and whoever asks is told
//! how it is going or stops it. The lock is held for a moment only, never while a test runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::lock::lock;
use crate::event::{Failure, FailureKind, State, Status, TestStatus};
use crate::record::live::Live;
use crate::wire::text::BUSY;

/// How often a stop looks at the figures of the test that it waits for: its answer has the last.
const GLANCE: Duration = Duration::from_millis(100);

/// The documents taken so far, and the test that runs.
#[derive(Debug, Default)]
pub(super) struct Runs {
    count: AtomicU64,
    live: Arc<Live>,
    slot: Mutex<Option<Slot>>,
    /// Told when the slot becomes free.
    freed: Condvar,
}

impl Runs {
    /// Takes one more document; its number.
    pub(super) fn begin(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Documents taken so far.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The figures of all tests since the start.
    pub(super) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// Which test runs now.
    pub(super) fn status(&self) -> Status {
        let slot = lock(&self.slot);
        let Some(held) = slot.as_ref() else { return Status::IDLE };
        let stopping = held.cancel.is_cancelled();
        let state = if stopping { State::Stopping } else { State::Running };
        Status { state, test: Some(held.test(&self.live)) }
    }

    /// Cancels the document whose test runs, and waits until that test has ended, at most so long.
    pub(super) fn stop(&self, patience: Duration) -> Status {
        let mut slot = lock(&self.slot);
        let Some(held) = slot.as_ref() else { return Status::IDLE };
        held.cancel.cancel();
        let (began, before, deadline) = (held.began, held.before, Instant::now() + patience);
        let mut test = held.test(&self.live);
        while let Some(held) = slot.as_ref().filter(|held| held.began == began) {
            test = held.test(&self.live);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Status { state: State::Stopping, test: Some(test) };
            }
            let left = left.min(GLANCE);
            (slot, _) = self.freed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner);
        }
        // What it was still doing is counted by now.
        let (requests, failures) = self.live.requests();
        test.requests = requests.saturating_sub(before.0);
        test.failures = failures.saturating_sub(before.1);
        Status { state: State::Stopped, test: Some(test) }
    }

    /// Takes the run slot for a test of `length` (`None`: until stopped), or says who has it.
    pub(super) fn claim(
        &self,
        run: u64,
        name: String,
        length: Option<Duration>,
        cancel: &CancellationToken,
    ) -> Result<RunGuard<'_>, Failure> {
        let mut slot = lock(&self.slot);
        if let Some(held) = slot.as_ref() {
            let test = held.test(&self.live);
            let remaining = match test.remaining_s {
                Some(left) => format!("{left:.0} s left"),
                None => "until it is stopped".to_owned(),
            };
            let message = format!(
                "{BUSY}: {} of run {} ({remaining}); wait for its end or `ldctl stop`",
                test.name, test.run
            );
            return Err(Failure::new(FailureKind::Busy, message));
        }
        *slot = Some(Slot {
            run,
            name,
            began: Instant::now(),
            length,
            cancel: cancel.clone(),
            users: 0,
            before: self.live.requests(),
        });
        Ok(RunGuard { runs: self })
    }

    /// Notes how many users the running test has; gives the seconds until its end, if it has one.
    pub(super) fn progress(&self, users: usize) -> Option<f64> {
        let mut slot = lock(&self.slot);
        let held = slot.as_mut()?;
        held.users = users;
        held.remaining_s(held.began.elapsed())
    }
}

/// Holds the run slot; dropping it frees the slot.
#[derive(Debug)]
#[must_use]
pub(crate) struct RunGuard<'a> {
    runs: &'a Runs,
}

impl Drop for RunGuard<'_> {
    fn drop(&mut self) {
        *lock(&self.runs.slot) = None;
        self.runs.freed.notify_all();
    }
}

/// The test that occupies the run slot.
#[derive(Debug)]
struct Slot {
    run: u64,
    name: String,
    began: Instant,
    length: Option<Duration>,
    /// Ends the document that it belongs to.
    cancel: CancellationToken,
    /// Users at the last look.
    users: usize,
    /// Requests and failures before it began.
    before: (u64, u64),
}

impl Slot {
    /// Seconds until the end of a test that has run so long; `None` for one that runs until stopped.
    fn remaining_s(&self, elapsed: Duration) -> Option<f64> {
        self.length.map(|length| length.saturating_sub(elapsed).as_secs_f64())
    }

    fn test(&self, live: &Live) -> TestStatus {
        let elapsed = self.began.elapsed();
        let (requests, failures) = live.requests();
        TestStatus {
            run: self.run,
            name: self.name.clone(),
            elapsed_s: elapsed.as_secs_f64(),
            remaining_s: self.remaining_s(elapsed),
            users: self.users,
            requests: requests.saturating_sub(self.before.0),
            failures: failures.saturating_sub(self.before.1),
        }
    }
}
