//! Runs as events describe them: their status, their progress, and the refusal of a second one.

use crate::event::{BUSY, Failure, FailureKind, Progress, State, Status, TestStatus};
use crate::load;
use crate::run::{self, Run};

/// The status of a run.
pub(super) fn status(run: &Run) -> Status {
    let now = run.snapshot();
    let state = match now.state {
        run::State::Running => State::Running,
        run::State::Stopping => State::Stopping,
        run::State::Ended => State::Stopped,
    };
    let test = TestStatus {
        run: run.number(),
        name: run.name().to_owned(),
        elapsed_s: now.elapsed.as_secs_f64(),
        remaining_s: now.remaining.map(|remaining| remaining.as_secs_f64()),
        users: now.users,
        requests: now.requests,
        failures: now.failures,
    };
    Status { state, test: Some(test) }
}

/// Why no test can start during this run.
pub(super) fn busy(run: &Run) -> Failure {
    let remaining = match run.remaining() {
        Some(left) => format!("{:.0} s left", left.as_secs_f64()),
        None => "until it is stopped".to_owned(),
    };
    let message = format!(
        "{BUSY}: {} of run {} ({remaining}); wait for its end or `ldctl stop`",
        run.name(),
        run.number()
    );
    Failure::new(FailureKind::Busy, message)
}

/// The progress of a run; `index` is the position of its test in the document.
pub(super) fn progress(index: usize, run: &Run, progress: &load::Progress<'_>) -> Progress {
    Progress {
        index,
        elapsed_s: progress.elapsed.as_secs_f64(),
        remaining_s: run.remaining().map(|remaining| remaining.as_secs_f64()),
        users: progress.users,
        requests: progress.requests,
        failures: progress.failures,
        rps: progress.latest.requests as f64 / progress.span.as_secs_f64(),
        p50_ms: progress.latest.percentile_ms(50.0),
        p95_ms: progress.latest.percentile_ms(95.0),
        p99_ms: progress.latest.percentile_ms(99.0),
    }
}
