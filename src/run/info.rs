//! Runs as events describe them: their status, their progress, and the refusal of a test for which
//! there is no place.

use std::time::SystemTime;

use jiff::Timestamp;

use super::{Run, Test};
use crate::event::{BUSY, Failure, FailureKind, Progress, RunInfo, State, Status};
use crate::load;
use crate::lock::lock;

impl Run {
    /// Its state and its figures.
    pub fn info(&self) -> Status {
        let state = self.state();
        let inner = lock(&self.inner);
        let mut info = RunInfo {
            run: self.number,
            name: self.submission.name.clone(),
            peer: self.submission.peer.clone(),
            held: self.submission.hold.is_some(),
            submitted: Some(time(self.submitted)),
            started: inner.started.map(|(started, _)| time(started)),
            ended: inner.ended.map(time),
            elapsed_s: inner.took.map(|took| took.as_secs_f64()),
            failed: Some(inner.failed),
            message: inner.message.clone(),
            ..RunInfo::default()
        };
        let test = inner.test.clone();
        drop(inner);
        if let Some(test) = test {
            add_figures(&mut info, &test);
        }
        Status { state, run: Some(Box::new(info)) }
    }

    /// Its status while its test runs, as versions without runs know it: the name of a run without
    /// one is its command. `None` if no test of it runs.
    pub fn test_status(&self) -> Option<Status> {
        let test = self.test()?;
        let Status { state, run } = self.info();
        let mut info = run?;
        info.name.get_or_insert_with(|| test.name().to_owned());
        let now = test.snapshot();
        info.elapsed_s = Some(now.elapsed.as_secs_f64());
        let state = match now.ended {
            true => State::Stopped,
            false => state,
        };
        Some(Status { state, run: Some(info) })
    }
}

fn add_figures(info: &mut RunInfo, test: &Test) {
    let now = test.snapshot();
    let total = test.live().total();
    info.elapsed_s.get_or_insert(now.elapsed.as_secs_f64());
    info.remaining_s = now.remaining.map(|remaining| remaining.as_secs_f64());
    info.users = Some(now.users);
    info.requests = Some(now.requests);
    info.failures = Some(now.failures);
    info.rps = Some(now.rps);
    info.p50_ms = Some(total.percentile_ms(50.0));
    info.p95_ms = Some(total.percentile_ms(95.0));
    info.p99_ms = Some(total.percentile_ms(99.0));
}

/// A moment in RFC 3339, UTC, to the millisecond.
fn time(moment: SystemTime) -> String {
    let moment = Timestamp::try_from(moment).unwrap_or_default();
    format!("{moment:.3}")
}

/// Why no test can start during the test of this run.
pub fn busy(run: &Run) -> Failure {
    let test = run.test();
    let remaining = match test.as_ref().map(|test| test.remaining()) {
        Some(Some(left)) => format!("{:.0} s left", left.as_secs_f64()),
        Some(None) => "until it is stopped".to_owned(),
        None => "about to start".to_owned(),
    };
    let name = test.as_ref().map_or("a test", |test| test.name());
    let message = format!(
        "{BUSY}: {name} of run {} ({remaining}); wait for its end or `ldctl stop`",
        run.number()
    );
    Failure::new(FailureKind::Busy, message)
}

/// The progress of a test; `index` is its position in the document.
pub fn progress(index: usize, test: &Test, progress: &load::Progress<'_>) -> Progress {
    Progress {
        index,
        probe: test.probe(),
        elapsed_s: progress.elapsed.as_secs_f64(),
        remaining_s: test.remaining().map(|remaining| remaining.as_secs_f64()),
        users: progress.users,
        requests: progress.requests,
        failures: progress.failures,
        rps: progress.latest.requests as f64 / progress.span.as_secs_f64(),
        p50_ms: progress.latest.percentile_ms(50.0),
        p95_ms: progress.latest.percentile_ms(95.0),
        p99_ms: progress.latest.percentile_ms(99.0),
    }
}
