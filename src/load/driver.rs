//! The boundary between how load is made and how a task reaches a target. A protocol implements two
//! traits: [`Tasks`] reads its tasks, and links them when the test starts into a [`Driver`], which
//! performs them; a [`VirtualUser`] is what that is given of the user it performs them for. The engine is
//! generic over the driver, so a request costs no dynamic call; whoever holds a whole test does not
//! know its type ([`super::workload`]).
//!
//! How a protocol is added stands above [`crate::protocol::USERS`].

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::scenario::{TaskSource, Verdict};
use super::template::{Compiler, Linker, Scope};
use crate::record::{LabelId, Recorder, Sample};
use crate::value::{Field, Invalid, Object};

/// The tasks of a protocol while they are read.
pub trait Tasks: Debug + Send + Sync + 'static {
    /// What performs them.
    type Driver: Driver;

    /// Where they may go: what the driver has to be told of the world outside, and the engine does
    /// not look at.
    type Reach;

    /// The fields of a task besides the engine's own.
    const FIELDS: &'static [&'static [Field]];

    /// Takes the protocol's fields out of the next task. What the document alone shows to be wrong
    /// is refused here.
    fn add(
        &mut self,
        task: &TaskSource<'_>,
        fields: &mut Object<'_>,
        compiler: &mut Compiler,
    ) -> Result<(), Invalid>;

    /// Makes what runs. What only shows now (a file that is missing, a constant that is no URL) is
    /// refused with its place in the document.
    fn link(self, linker: &mut Linker<'_>, reach: &Self::Reach) -> Result<Self::Driver, Invalid>;
}

/// A protocol with its compiled tasks. One is shared by all workers.
pub trait Driver: Debug + Send + Sync + 'static {
    /// What the users of one worker share (caches, buffers).
    type Worker: 'static;
    /// What one user keeps between tasks (connections, cookies).
    type User: 'static;

    /// A worker's share at its beginning.
    fn worker(&self) -> Self::Worker;

    /// A user at its beginning.
    fn user(&self) -> Self::User;

    /// Performs a task once, and records every request that it makes.
    fn perform(
        &self,
        worker: &Self::Worker,
        user: &mut Self::User,
        task: usize,
        virtual_user: &mut VirtualUser,
    ) -> impl Future<Output = Verdict>;

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
    requests: u64,
}

/// One request, as a driver measured it.
#[derive(Debug, Clone, Copy)]
pub struct Measurement<'a> {
    /// Method, URL and name.
    pub label: LabelId,
    /// When it was sent.
    pub start: Instant,
    /// When the last byte of its response came.
    pub end: Instant,
    /// The protocol's status; 0 where no response came,
    /// [`NO_STATUS`](crate::record::NO_STATUS) where responses have none.
    pub status: u16,
    /// Bytes of the response's body.
    pub bytes: u64,
    /// Why it failed.
    pub error: Option<&'a str>,
    /// The response's body, where it was read.
    pub body: &'a [u8],
}

impl VirtualUser {
    pub(super) fn new(
        scope: Scope,
        start: Instant,
        recorder: Rc<RefCell<Recorder>>,
        keep_bodies: bool,
    ) -> Self {
        Self { scope, start, intended: None, recorder, keep_bodies, requests: 0 }
    }

    pub(super) fn begin(&mut self, intended: Option<Duration>) {
        self.intended = intended;
        self.requests = 0;
    }

    /// How many requests this iteration has made.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// Time since the run began.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Whether the bodies of failures are kept.
    pub fn keeps_bodies(&self) -> bool {
        self.keep_bodies
    }

    /// The worker's record, to number labels.
    pub fn recorder(&self) -> &RefCell<Recorder> {
        &self.recorder
    }

    /// Counts a request that ends with the run, before its response.
    pub fn interrupt(&mut self) {
        self.recorder.borrow_mut().interrupt();
    }

    /// Records one request.
    pub fn record(&mut self, measured: Measurement<'_>) {
        self.requests += 1;
        let start = measured.start.saturating_duration_since(self.start);
        let delay = self.intended.take().map_or(Duration::ZERO, |due| start.saturating_sub(due));
        let mut recorder = self.recorder.borrow_mut();
        let error = measured.error.map(|text| recorder.error(text));
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
            recorder.keep_body(&String::from_utf8_lossy(measured.body));
        }
    }
}
