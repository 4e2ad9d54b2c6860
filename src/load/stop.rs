//! How the runner stops a user: at the end of the request in progress, or immediately.

use std::cell::{Cell, RefCell};
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
    waker: RefCell<Option<Waker>>,
}

impl Signal {
    pub(super) fn new() -> Self {
        Self { phase: Cell::new(Phase::Run), waker: RefCell::new(None) }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(super) fn raise(&self, phase: Phase) {
        if phase > self.phase.get() {
            self.phase.set(phase);
            if let Some(waker) = self.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    /// Runs a future to completion, unless `phase` is reached first. The future stays where it is: that
    /// of an iteration is long, and moving it would cost each request a copy.
    pub(super) async fn unless<F: Future>(
        &self,
        phase: Phase,
        mut future: Pin<&mut F>,
    ) -> Option<F::Output> {
        poll_fn(|context| {
            if self.phase.get() >= phase {
                return Poll::Ready(None);
            }
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                *waker = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for this long, unless the user has to stop: whether it goes on. The timer is boxed, as a
    /// user would have room for it during its requests, too.
    pub(super) async fn pause(&self, wait: Duration) -> bool {
        self.unless(Phase::Finish, Box::pin(sleep(wait)).as_mut()).await.is_some()
    }
}
