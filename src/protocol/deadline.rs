//! A deadline that moves with every request. Arming a new timer for each would cost more than the
//! request's own bookkeeping, so one timer stays armed and is moved only if it fires too early or
//! would fire too late.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::load::pacer;
use crate::value::{Invalid, Object};

/// The timeout of a task.
#[derive(Debug)]
pub(crate) struct Timeout {
    /// As in the document, in seconds.
    pub(crate) seconds: f64,
    pub(crate) duration: Duration,
    /// As in a record.
    pub(crate) text: String,
}

impl Timeout {
    /// Takes `timeout` from a task.
    pub(crate) fn parse(fields: &mut Object<'_>) -> Result<Self, Invalid> {
        let seconds = fields
            .or_default("timeout", |field| field.positive().and_then(|_| pacer::seconds(field)))?;
        let duration = Duration::from_secs_f64(seconds);
        Ok(Self { seconds, duration, text: format!("{seconds}") })
    }
}

/// One user's deadline.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whom the timer wakes as it is set now.
    waker: Option<Waker>,
}

impl Deadline {
    /// Sets the deadline of the request in progress.
    pub(crate) fn set(&mut self, at: Instant) {
        self.at = Some(at);
        if let Some(sleep) = &mut self.sleep
            && sleep.deadline() > at
        {
            sleep.as_mut().reset(at);
            self.waker = None;
        }
    }

    /// The deadline of the request in progress.
    pub(crate) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Whether it has passed, by the clock instead of the timer.
    pub(crate) fn passed(&self) -> bool {
        self.at.is_some_and(|at| Instant::now() >= at)
    }

    /// Returns a future's output, unless the deadline passes first.
    pub(crate) async fn race<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            // A future that always has more work uses up the task's cooperative budget in tokio, so
            // the timer would never fire.
            if self.passed() {
                return Poll::Ready(None);
            }
            self.poll(context).map(|()| None)
        })
        .await
    }

    /// Ready when the deadline has passed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        // Nearly always: the timer is armed, and polling it would register the same waker again.
        if !sleep.is_elapsed()
            && self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()))
        {
            return Poll::Pending;
        }
        // Without a budget, tokio's timer does not look at the waker.
        let looks = has_budget_remaining();
        while sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
        self.waker = looks.then(|| context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_fires_at_the_time_set_last() {
        let begin = Instant::now();
        let mut deadline = Deadline::default();
        for (seconds, elapsed) in [(5, 5), (20, 20), (21, 21)] {
            deadline.set(begin + Duration::from_secs(seconds + 100));
            let _ = poll_fn(|context| Poll::Ready(deadline.poll(context))).await;
            deadline.set(begin + Duration::from_secs(seconds));
            poll_fn(|context| deadline.poll(context)).await;
            assert_eq!(begin.elapsed().as_secs(), elapsed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_a_future_that_is_never_ready_and_one_that_never_yields() {
        let begin = Instant::now();
        let mut deadline = Deadline::default();
        deadline.set(begin + Duration::from_secs(5));
        assert_eq!(deadline.race(std::future::ready(7)).await, Some(7));
        assert_eq!(deadline.race(std::future::pending::<()>()).await, None);
        assert_eq!(begin.elapsed().as_secs(), 5);
        let restless = poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert_eq!(deadline.race(restless).await, None);
    }
}
