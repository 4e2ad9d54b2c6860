//! A deadline that moves with every request. Arming a new timer for each would cost more than the
//! request's own bookkeeping, so one timer stays armed and is moved only if it fires too early or
//! would fire too late.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::cold::cold_path;
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
    /// When the timer fires as it is set now. It knows that itself, but is far from what a request
    /// touches.
    fires: Option<Instant>,
    /// Whom the timer wakes as it is set now.
    waker: Option<Waker>,
    /// Whether the request in progress began before the timer fires.
    early: bool,
}

impl Deadline {
    /// Sets the deadline of a request that begins now.
    pub(crate) fn begin(&mut self, now: Instant, timeout: Duration) {
        let at = now + timeout;
        self.at = Some(at);
        if let Some(sleep) = &mut self.sleep
            && self.fires.is_none_or(|fires| fires > at)
        {
            cold_path();
            sleep.as_mut().reset(at);
            (self.fires, self.waker) = (Some(at), None);
        }
        self.early = self.fires.is_some_and(|fires| fires > now);
    }

    /// Whether the timer is armed and wakes this task, so that [`Self::poll`] would find nothing to do. Only
    /// for the poll of the task in which the request began: in a later one it may have fired.
    #[inline]
    pub(crate) fn is_armed(&self, context: &Context<'_>) -> bool {
        self.early && self.wakes(context)
    }

    fn wakes(&self, context: &Context<'_>) -> bool {
        self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()))
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
        let wakes = self.wakes(context);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        // Nearly always: the timer is armed, and polling it would register the same waker again.
        if wakes && !sleep.is_elapsed() {
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
        self.fires = Some(sleep.deadline());
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
        let set = |deadline: &mut Deadline, seconds: u64| {
            let now = Instant::now();
            deadline.begin(now, begin + Duration::from_secs(seconds) - now);
        };
        for (seconds, elapsed) in [(5, 5), (20, 20), (21, 21)] {
            set(&mut deadline, seconds + 100);
            let _ = poll_fn(|context| Poll::Ready(deadline.poll(context))).await;
            set(&mut deadline, seconds);
            poll_fn(|context| deadline.poll(context)).await;
            assert_eq!(begin.elapsed().as_secs(), elapsed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_armed_only_while_its_timer_is_and_for_the_task_that_it_wakes() {
        let mut deadline = Deadline::default();
        let second = Duration::from_secs(1);
        let armed = async |deadline: &mut Deadline, polls: bool| {
            poll_fn(|context| {
                let armed = deadline.is_armed(context);
                if polls {
                    assert!(deadline.poll(context).is_pending());
                }
                Poll::Ready((armed, deadline.is_armed(&Context::from_waker(Waker::noop()))))
            })
            .await
        };
        deadline.begin(Instant::now(), 9 * second);
        assert_eq!(armed(&mut deadline, true).await, (false, false), "no timer");
        deadline.begin(Instant::now(), 9 * second);
        assert_eq!(armed(&mut deadline, false).await, (true, false));
        deadline.begin(Instant::now(), second);
        assert_eq!(armed(&mut deadline, true).await, (false, false), "moved, and asked by nobody");
        deadline.begin(Instant::now(), second);
        assert_eq!(armed(&mut deadline, false).await, (true, false));
        tokio::time::sleep(2 * second).await;
        deadline.begin(Instant::now(), 9 * second);
        assert_eq!(armed(&mut deadline, true).await, (false, false), "it has fired");
        deadline.begin(Instant::now(), 9 * second);
        assert_eq!(armed(&mut deadline, false).await, (true, false));
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_a_future_that_is_never_ready_and_one_that_never_yields() {
        let begin = Instant::now();
        let mut deadline = Deadline::default();
        deadline.begin(begin, Duration::from_secs(5));
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
