//! A test whose requests are made elsewhere, and whose figures are kept here as if they were our own:
//! the same record, live figures, progress, stop and limits. [`Elsewhere`] is where they come from.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

use super::progress::{Progress, ProgressTicker};
use super::runner::{RunError, WATCH, note_users};
use super::workload::Runnable;
use crate::memory;
use crate::record::live::Live;
use crate::record::{Iterations, Label, Recorder, Recording, Sample};

/// How often figures are merged.
const TICK: Duration = Duration::from_millis(250);

/// How long a test may take to end once it was asked to, or after its length.
const GRACE: Duration = Duration::from_millis(900);

/// How long a test may go on after its length by itself: its requests in progress, and what is left of
/// its preparations.
pub const OVERTIME: Duration = Duration::from_secs(30);

/// Where a test runs.
pub trait Elsewhere: Debug + Send {
    /// What happens next; waits at most so long.
    fn next(&mut self, patience: Duration) -> Happening;

    /// Asks the test to end. What it still says follows.
    fn stop(&mut self);

    /// Ends it by force: it did not end when it was asked to.
    fn abandon(&mut self);
}

/// What happens in a test elsewhere.
#[derive(Debug)]
pub enum Happening {
    /// Nothing.
    Nothing,
    /// Requests have ended.
    Requests(Vec<Request>),
    /// There are so many users.
    Users(usize),
    /// The test is over.
    Over,
}

/// A request that was made elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What it is reported under.
    pub label: Label,
    /// When it was sent, in seconds since the epoch.
    pub start: Option<f64>,
    /// How long it took.
    pub took: Duration,
    /// Its status, as a [`Sample`] has it.
    pub status: u16,
    /// Bytes of the response.
    pub bytes: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// A test elsewhere, ready to be watched.
#[derive(Debug)]
pub struct Streamed<E> {
    /// Where it runs.
    pub elsewhere: E,
    /// Its length, if it has one: the test ends itself then.
    pub length: Option<Duration>,
    /// How long it may go on after that.
    pub overtime: Duration,
    /// Where it is ended if it has no length.
    pub most: Duration,
}

impl<E: Elsewhere> Runnable for Streamed<E> {
    fn run(
        mut self: Box<Self>,
        _workers: usize,
        live: &Arc<Live>,
        cancel: &CancellationToken,
        watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<String>,
    ) -> Result<Recording, RunError> {
        let (started_at, start) = (SystemTime::now(), Instant::now());
        let epoch = started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut recorder = Recorder::new(live.allowance());
        let mut ticker = ProgressTicker::default();
        let most_resident = live.allowance().most_resident(memory::resident().unwrap_or_default());
        let (mut users, mut curve, mut warnings) = (0, Vec::new(), Vec::new());
        let mut stopped = None;
        let mut merged = start;
        loop {
            match self.elsewhere.next(WATCH) {
                Happening::Nothing => {}
                Happening::Requests(requests) => {
                    requests.into_iter().for_each(|request| keep(&mut recorder, request, epoch));
                }
                Happening::Users(now) => {
                    live.change_users(users, now);
                    users = now;
                }
                Happening::Over => break,
            }
            note_users(&mut curve, start.elapsed(), users);
            if merged.elapsed() >= TICK {
                merged = Instant::now();
                recorder.merge_into(live);
            }
            let mut why = cancel.is_cancelled();
            if let Some(progress) = ticker.read(start.elapsed(), live) {
                live.allowance().check_resident(memory::resident(), most_resident);
                if let ControlFlow::Break(reason) = watch(&progress)
                    && stopped.is_none()
                {
                    warnings.push(reason);
                    why = true;
                }
            }
            let late = start.elapsed() >= self.length.map_or(self.most, |end| end + self.overtime);
            if let (true, None, Some(length)) = (late && !why, stopped, self.length) {
                warnings.push(format!(
                    "stopped {} s after its length of {} s: it did not end by itself",
                    self.overtime.as_secs_f64(),
                    length.as_secs_f64()
                ));
            }
            match stopped {
                None if why || late || live.allowance().exhausted().is_some() => {
                    self.elsewhere.stop();
                    stopped = Some(Instant::now());
                }
                Some(since) if since.elapsed() >= GRACE => {
                    let why = "its test did not end within a second when it was stopped";
                    self.elsewhere.abandon();
                    warnings.push(format!("{why}; its last requests are lost"));
                    break;
                }
                _ => {}
            }
        }
        let span = start.elapsed();
        live.change_users(users, 0);
        recorder.merge_into(live);
        recorder.seal();
        warnings.extend(live.allowance().exhausted().map(str::to_owned));
        warnings.extend(live.allowance().warnings());
        let mut recording = Recording::new(started_at, vec![recorder]);
        warnings.extend(recording.beyond());
        recording.warnings = warnings;
        note_users(&mut curve, span, 0);
        recording.peak_users = live.peak_users();
        recording.users = curve;
        recording.iterations = Iterations { span, ..Iterations::default() };
        Ok(recording)
    }
}

fn keep(recorder: &mut Recorder, request: Request, epoch: f64) {
    let label = recorder.label(request.label);
    let error = request.error.map(|text| recorder.error(&text));
    let start = request.start.map_or(0.0, |start| start - epoch);
    recorder.record(Sample {
        label,
        start: Duration::try_from_secs_f64(start.max(0.0)).unwrap_or_default(),
        delay: Duration::ZERO,
        service: request.took,
        status: request.status,
        bytes: request.bytes,
        error,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::NO_STATUS;

    /// Says what is in its list, then nothing; ends when it is stopped, or never.
    #[derive(Debug)]
    struct Scripted {
        says: Vec<Happening>,
        obeys: bool,
        stopped: bool,
        abandoned: bool,
    }

    impl Elsewhere for &mut Scripted {
        fn next(&mut self, _: Duration) -> Happening {
            match self.says.pop() {
                Some(happening) => happening,
                None if self.stopped && self.obeys => Happening::Over,
                None => Happening::Nothing,
            }
        }

        fn stop(&mut self) {
            self.stopped = true;
        }

        fn abandon(&mut self) {
            self.abandoned = true;
        }
    }

    fn request(error: Option<&str>) -> Request {
        Request {
            label: Label { method: "SOAP".into(), url: "u".into(), name: "n".into() },
            start: Some(1e9),
            took: Duration::from_millis(2),
            status: NO_STATUS,
            bytes: 3,
            error: error.map(str::to_owned),
        }
    }

    /// A test that is stopped, or one that is over at once and does not end.
    fn check(obeys: bool, length: Option<Duration>) -> Recording {
        let requests = vec![request(None), request(Some("no"))];
        let says = vec![Happening::Requests(requests), Happening::Users(2)];
        let mut scripted = Scripted { says, obeys, stopped: false, abandoned: false };
        let (live, cancel) = (Arc::new(Live::default()), CancellationToken::new());
        if length.is_none() {
            cancel.cancel();
        }
        let (overtime, most) = (Duration::ZERO, Duration::from_secs(9));
        let test = Box::new(Streamed { elsewhere: &mut scripted, length, overtime, most });
        let recording = test.run(1, &live, &cancel, &mut |_| ControlFlow::Continue(()));
        assert_eq!((scripted.stopped, scripted.abandoned), (true, !obeys));
        assert_eq!((live.requests(), live.users()), ((2, 1), 0));
        recording.expect("a recording")
    }

    #[test]
    fn requests_made_elsewhere_are_recorded_as_if_they_were_our_own() {
        let recording = check(true, None);
        let rows: Vec<_> = recording.rows().collect();
        assert_eq!((rows.len(), recording.warnings.len()), (2, 0));
        assert_eq!((rows[0].status, rows[0].error, rows[0].bytes), (None, None, 3));
        assert_eq!((rows[1].error, rows[1].response_ms), (Some("no"), 2.0));
        assert_eq!(recording.users.iter().map(|change| change.users).max(), Some(2));
    }

    #[test]
    fn t68_a_test_elsewhere_that_does_not_end_is_ended_and_keeps_its_record() {
        let recording = check(false, None);
        assert_eq!(recording.requests(), 2);
        assert!(recording.warnings[0].contains("did not end within a second"));
    }

    #[test]
    fn a_test_elsewhere_that_overruns_is_stopped_with_a_warning() {
        let recording = check(true, Some(Duration::from_millis(1)));
        assert_eq!(
            recording.warnings,
            ["stopped 0 s after its length of 0.001 s: it did not end by itself"]
        );
    }
}
