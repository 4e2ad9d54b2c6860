//! The boundary between how load is generated and how a task reaches a target. A protocol
//! implements two traits: [`Tasks`] parses its tasks and, when the test starts, links them into a
//! [`Driver`], which performs them; a [`VirtualUser`] is the driver's view of the user it performs
//! them for. The engine is generic over the driver, so a request costs no dynamic call; code that
//! holds a whole test does not know the driver's type ([`super::workload`]).
//!
//! How to add a protocol is described at [`crate::protocol::USERS`].

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::conditioner::{Conditioner, LOST};
use super::scenario::{Skipped, TaskSource, Verdict};
use super::stop::{Phase, Signal};
use super::template::{Compiler, Linker, Scope};
use super::trace::{Ended, Trace};
use crate::cold::cold_path;
use crate::record::{LabelId, NO_STATUS, Recorder, Sample};
use crate::value::{Field, Invalid, Object};

/// The tasks of a protocol while they are parsed.
pub trait Tasks: Debug + Send + Sync + 'static {
    /// What performs them.
    type Driver: Driver;

    /// Where they may go: what the driver needs from the outside world and the engine does not
    /// inspect.
    type Reach;

    /// The fields of a task besides the engine's own.
    const FIELDS: &'static [&'static [Field]];

    /// Takes the protocol's fields out of the next task. Refuses what is wrong by the document
    /// alone.
    fn add(
        &mut self,
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
    ) -> Result<(), Invalid>;

    /// Builds the driver. Refuses what can only be checked now (a missing file, a constant that is
    /// not a URL), with its place in the document.
    fn link(self, linker: &mut Linker<'_>, reach: &Self::Reach) -> Result<Self::Driver, Invalid>;
}

/// A protocol with its compiled tasks. One is shared by all workers.
pub trait Driver: Debug + Send + Sync + 'static {
    /// What the users of one worker share: caches and buffers.
    type Worker: 'static;
    /// What one user keeps between tasks: connections and cookies.
    type User: 'static;

    /// Creates the state of a worker.
    fn worker(&self) -> Self::Worker;

    /// Creates the state of a user.
    fn user(&self) -> Self::User;

    /// Performs a task once and records every request it makes.
    fn perform(
        &self,
        worker: &Self::Worker,
        user: &mut Self::User,
        task: usize,
        virtual_user: &mut VirtualUser,
    ) -> impl Future<Output = Verdict>;

    /// A task was skipped: for drivers that show what they do.
    fn skipped(&self, _task: usize, _why: Skipped) {}

    /// Counts what `perform` had begun when it was dropped at the end of a run
    /// ([`VirtualUser::interrupt`]).
    fn abandon(&self, worker: &Self::Worker, user: &mut Self::User, virtual_user: &mut VirtualUser);
}

/// A user as its driver sees it.
#[derive(Debug)]
pub struct VirtualUser {
    /// The user's variables and randomness.
    pub scope: Scope,
    start: Instant,
    /// When the iteration should have started; taken by its first request.
    intended: Option<Duration>,
    recorder: Rc<RefCell<Recorder>>,
    keep_bodies: bool,
    /// Whether bodies are kept or shown.
    reads_bodies: bool,
    trace: Option<Arc<Trace>>,
    signal: Rc<Signal>,
    requests: u64,
    /// The label of the request before.
    previous: Option<LabelId>,
    /// When the next request entered a simulated network.
    entered: Option<Instant>,
    /// Whether it has not reached its driver yet.
    passing: bool,
    /// Whether that loses it.
    lost: bool,
}

/// Tells when a user has to stop.
#[derive(Debug)]
pub struct Stopping(Rc<Signal>);

impl Stopping {
    /// How long a step may take after the user has to stop. It may wait for what the target says when
    /// it likes, so it has less time than a request, which the target answers.
    const GRACE: Duration = Duration::from_secs(1);

    /// Returns a step's output; nothing if the user had to stop before.
    pub async fn bound<F: Future>(&self, step: F) -> Option<F::Output> {
        let mut step = pin!(step);
        match self.0.unless(Phase::Finish, step.as_mut()).await {
            Some(output) => Some(output),
            None => timeout(Self::GRACE, step).await.ok(),
        }
    }
}

/// One request, as measured by a driver.
#[derive(Debug, Clone, Copy)]
pub struct Measurement<'a> {
    /// Its method, URL and name.
    pub label: LabelId,
    /// When it was sent.
    pub start: Instant,
    /// When the last byte of its response arrived.
    pub end: Instant,
    /// The protocol's status; 0 without a response, [`NO_STATUS`] in
    /// protocols without statuses.
    pub status: u16,
    /// Size of the response's body, in bytes.
    pub bytes: u64,
    /// Why it failed.
    pub error: Option<&'a str>,
    /// The response's body, if it was read.
    pub body: &'a [u8],
}

impl VirtualUser {
    pub(super) fn new(
        scope: Scope,
        start: Instant,
        recorder: Rc<RefCell<Recorder>>,
        keep_bodies: bool,
        trace: Option<Arc<Trace>>,
        signal: Rc<Signal>,
    ) -> Self {
        let reads_bodies = keep_bodies || trace.is_some();
        let (intended, requests) = (None, 0);
        let previous = None;
        Self {
            scope,
            start,
            intended,
            recorder,
            keep_bodies,
            reads_bodies,
            trace,
            signal,
            requests,
            previous,
            entered: None,
            passing: false,
            lost: false,
        }
    }

    pub(super) fn begin(&mut self, intended: Option<Duration>) {
        self.intended = intended;
        self.requests = 0;
    }

    /// How many requests this iteration has made.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// Time since the run started.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Whether the bodies of failures are kept or shown.
    pub fn keeps_bodies(&self) -> bool {
        self.reads_bodies
    }

    /// What is shown of the test's requests, if anything is.
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// The worker's recorder, for numbering labels.
    pub fn recorder(&self) -> &RefCell<Recorder> {
        &self.recorder
    }

    /// Tells when the user has to stop.
    pub fn stopping(&self) -> Stopping {
        Stopping(Rc::clone(&self.signal))
    }

    /// Counts a request that ends with the run, before its response.
    pub fn interrupt(&mut self) {
        self.recorder.borrow_mut().interrupt();
    }

    /// Lets the next request pass a simulated network, whose latency is part of its own.
    pub(super) async fn enter(&mut self, network: &Conditioner) {
        let passage = network.draw(self.scope.random());
        (self.entered, self.lost) = (Some(Instant::now()), passage.lost);
        if !passage.delay.is_zero() {
            self.passing = true;
            sleep(passage.delay).await;
            self.passing = false;
        }
    }

    /// The run ended before the user was done: counts a request that waits in a simulated network. What
    /// its driver has begun is counted there.
    pub(super) fn abandon(&mut self) {
        if std::mem::take(&mut self.passing) {
            self.interrupt();
        }
    }

    /// The attempt is over; returns its verdict, which depends on whether the request was lost.
    pub(super) fn leave(&mut self, verdict: Verdict) -> Verdict {
        self.entered = None;
        if std::mem::take(&mut self.lost) { Verdict::Transient } else { verdict }
    }

    /// Whether a simulated network loses the request, which must then fail with [`LOST`] and not be
    /// sent. A driver that does not ask sends it, and loses the response.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Records one request.
    pub fn record(&mut self, mut measured: Measurement<'_>) {
        self.requests += 1;
        self.scope.count_request();
        if let Some(entered) = self.entered.take() {
            measured.start = entered;
        }
        if self.lost {
            cold_path();
            let status = if measured.status == NO_STATUS { NO_STATUS } else { 0 };
            measured = Measurement { status, bytes: 0, error: Some(LOST), body: &[], ..measured };
        }
        let start = measured.start.saturating_duration_since(self.start);
        let delay = self.intended.take().map_or(Duration::ZERO, |due| start.saturating_sub(due));
        let mut recorder = self.recorder.borrow_mut();
        let error = measured.error.map(|text| recorder.error(text));
        if let Some(before) = self.previous.replace(measured.label) {
            recorder.step(before, measured.label);
        }
        recorder.record(Sample {
            label: measured.label,
            start,
            delay,
            service: measured.end.saturating_duration_since(measured.start),
            status: measured.status,
            bytes: measured.bytes,
            error,
        });
        if self.keep_bodies && error.is_some() && !measured.body.is_empty() {
            cold_path();
            recorder.keep_body(&String::from_utf8_lossy(measured.body));
        }
        if let Some(trace) = &self.trace
            && let Some(label) = recorder.label_of(measured.label)
        {
            cold_path();
            trace.request(&Ended {
                label,
                status: measured.status,
                took: measured.end.saturating_duration_since(measured.start),
                bytes: measured.bytes,
                error: measured.error,
                body: measured.body,
            });
        }
    }
}
