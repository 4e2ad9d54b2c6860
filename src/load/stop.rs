//! How the runner stops a user: at the end of the request in progress, or immediately.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::sleep;

/// How a user should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Continue.
    Run,
    /// Finish the request in progress, then end.
    Finish,
    /// Drop the request in progress.
    Abort,
}

/// Signals one user to stop. Both sides live on one thread.
#[derive(Debug)]
pub(super) struct Signal {
    phase: Cell<Phase>,
    /// Wakes the user.
    waker: Waker,
}

impl Signal {
    /// The signal for the user whom this wakes.
    pub(super) fn new(waker: Waker) -> Self {
        Self { phase: Cell::new(Phase::Run), waker }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(super) fn raise(&self, phase: Phase) {
        if phase > self.phase.get() {
            self.phase.set(phase);
            self.waker.wake_by_ref();
        }
    }

    /// Runs a future to completion, unless `phase` is reached first; to be awaited by the user itself, who is
    /// woken by [`Self::raise`]. The future stays where it is: that of an iteration is long, and moving it
    /// would cost each request a copy.
    pub(super) async fn unless<F: Future>(
        &self,
        phase: Phase,
        mut future: Pin<&mut F>,
    ) -> Option<F::Output> {
        poll_fn(|context| {
            if self.phase.get() >= phase {
                return Poll::Ready(None);
            }
            future.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// Waits for this long, unless the user has to stop: whether it goes on. The timer is boxed, as a
    /// user would have room for it during its requests, too.
    pub(super) async fn pause(&self, wait: Duration) -> bool {
        self.unless(Phase::Finish, Box::pin(sleep(wait)).as_mut()).await.is_some()
    }
}
