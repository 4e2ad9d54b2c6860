//! Wakes users when their arrivals are due. The runtime's timers have a resolution of a millisecond;
//! Linux has timers without one, of which each worker keeps a single one, set for the next arrival.
//! Elsewhere, and where a test asks for it, the runtime's timers are used. Where it asks for that, too, the last
//! stretch is waited for by polling, so that nothing has to wake the processor.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::pacer::Timer;

/// How long before its time an arrival is waited for by polling: longer than a virtual machine takes to wake one
/// of its processors.
const STRETCH: Duration = Duration::from_micros(500);

/// The same, where a timer has a resolution of a millisecond.
const LONG_STRETCH: Duration = Duration::from_micros(1500);

/// The alarm of one worker.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    #[cfg(target_os = "linux")]
    exact: Option<exact::Exact>,
    /// Whether the last stretch is waited for by polling.
    polling: bool,
    /// Why it is less exact than asked for.
    failure: RefCell<Option<io::Error>>,
}

impl Alarm {
    /// An alarm of this kind, if there can be one.
    pub(super) fn new(timer: Timer, polling: bool) -> Self {
        let alarm = Self { polling, ..Self::default() };
        match timer {
            #[cfg(target_os = "linux")]
            Timer::Exact => match exact::Exact::new() {
                Ok(exact) => Self { exact: Some(exact), ..alarm },
                Err(error) => Self { failure: Some(error).into(), ..alarm },
            },
            _ => alarm,
        }
    }

    /// Why it is less exact than asked for, if it is.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Lets those who wait be woken; to be run beside them.
    pub(super) async fn ring(&self) {
        #[cfg(target_os = "linux")]
        if let Some(exact) = &self.exact {
            let error = exact.ring().await;
            self.failure.replace(Some(error));
        }
    }

    /// Waits until this time.
    pub(super) async fn until(&self, at: Instant) {
        if self.polling {
            let before = at.checked_sub(self.stretch()).unwrap_or(at);
            self.sleep_until(before).await;
            poll_fn(|context| {
                if Instant::now() >= at {
                    return Poll::Ready(());
                }
                // In the next round: sockets, timers and other users have their turn.
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        } else {
            self.sleep_until(at).await;
        }
    }

    /// How long before its time polling begins.
    fn stretch(&self) -> Duration {
        #[cfg(target_os = "linux")]
        if self.exact.is_some() {
            return STRETCH;
        }
        LONG_STRETCH
    }

    async fn sleep_until(&self, at: Instant) {
        #[cfg(target_os = "linux")]
        if let Some(exact) = &self.exact {
            exact.until(at).await;
        }
        // Also where the timer of the kernel has failed.
        if Instant::now() < at {
            sleep_until(at).await;
        }
    }
}

#[cfg(target_os = "linux")]
mod exact {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;
    use std::convert::Infallible;
    use std::future::poll_fn;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::task::{Poll, Waker};
    use std::time::Duration;

    use rustix::io::{Errno, read};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::sync::Notify;
    use tokio::time::Instant;

    /// A timer of the kernel, and who waits for it.
    #[derive(Debug)]
    pub(in crate::load) struct Exact {
        timer: AsyncFd<OwnedFd>,
        /// By time and number.
        waiting: RefCell<BTreeMap<(Instant, u64), Waker>>,
        numbers: Cell<u64>,
        /// What the timer is set for.
        set: Cell<Option<Instant>>,
        /// Whether it works no more.
        broken: Cell<bool>,
        /// Why it could not be set.
        refused: RefCell<Option<io::Error>>,
        refusal: Notify,
    }

    impl Exact {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            #[expect(
                deprecated,
                reason = "the other is unsafe; an OwnedFd never changes its descriptor"
            )]
            let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
            Ok(Self {
                timer,
                waiting: RefCell::default(),
                numbers: Cell::new(0),
                set: Cell::new(None),
                broken: Cell::new(false),
                refused: RefCell::default(),
                refusal: Notify::new(),
            })
        }

        /// Waits until this time, while [`Self::ring`] runs, or until it has ended.
        pub(super) async fn until(&self, at: Instant) {
            let number = self.numbers.get();
            self.numbers.set(number + 1);
            let key = (at, number);
            let _place = Place { waiting: &self.waiting, key };
            poll_fn(|context| {
                if self.broken.get() || Instant::now() >= at {
                    return Poll::Ready(());
                }
                self.waiting.borrow_mut().insert(key, context.waker().clone());
                self.arm();
                Poll::Pending
            })
            .await;
        }

        /// Wakes those that are due whenever the timer expires. Returns why it works no more, after all
        /// have been woken.
        pub(super) async fn ring(&self) -> io::Error {
            let error = tokio::select! {
                Err(error) = self.rings() => error,
                () = self.refusal.notified() => {
                    self.refused.take().unwrap_or_else(|| io::ErrorKind::Other.into())
                }
            };
            self.broken.set(true);
            for waker in std::mem::take(&mut *self.waiting.borrow_mut()).into_values() {
                waker.wake();
            }
            error
        }

        async fn rings(&self) -> io::Result<Infallible> {
            loop {
                let mut ready = self.timer.readable().await?;
                // What is read is how often it has expired: never twice, so it is not asked again.
                match read(self.timer.get_ref(), &mut [0; 8]) {
                    Ok(_) | Err(Errno::AGAIN) => ready.clear_ready(),
                    Err(error) => return Err(error.into()),
                }
                self.set.set(None);
                let now = Instant::now();
                while let Some(due) = self.waiting.borrow_mut().first_entry()
                    && due.key().0 <= now
                {
                    due.remove().wake();
                }
                self.arm();
            }
        }

        /// Sets the timer for the first of those who wait, unless it is set for an earlier time.
        fn arm(&self) {
            let Some((at, _)) = self.waiting.borrow().first_key_value().map(|(key, _)| *key) else {
                return;
            };
            if self.set.get().is_some_and(|set| set <= at) {
                return;
            }
            // A time of zero would unset it.
            let left = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            let time = Itimerspec {
                it_interval: none,
                it_value: left.try_into().unwrap_or(Timespec { tv_sec: 1, ..none }),
            };
            match timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &time) {
                Ok(_) => self.set.set(Some(at)),
                Err(error) => self.give_up(error.into()),
            }
        }

        /// Ends [`Self::ring`].
        pub(super) fn give_up(&self, error: io::Error) {
            self.refused.replace(Some(error));
            self.refusal.notify_one();
        }
    }

    /// Somebody who waits, until it is dropped.
    struct Place<'a> {
        waiting: &'a RefCell<BTreeMap<(Instant, u64), Waker>>,
        key: (Instant, u64),
    }

    impl Drop for Place<'_> {
        fn drop(&mut self) {
            self.waiting.borrow_mut().remove(&self.key);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::pending;
    use std::rc::Rc;

    use tokio::task::{LocalSet, spawn_local};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn all_who_wait_are_woken_in_the_order_of_their_times_and_none_too_early() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let alarm = Rc::new(Alarm::new(Timer::Exact, false));
        assert!(alarm.exact.is_some() && alarm.failure().is_none());
        let waits = LocalSet::new();
        waits
            .run_until(async {
                let ringing = Rc::clone(&alarm);
                let ringing = spawn_local(async move { ringing.ring().await });
                let begin = Instant::now();
                let waiting: Vec<_> = [30, 10, 0, 20, 10]
                    .into_iter()
                    .map(|millis| {
                        let (alarm, order) = (Rc::clone(&alarm), Rc::clone(&order));
                        spawn_local(async move {
                            let at = begin + Duration::from_millis(millis);
                            alarm.until(at).await;
                            assert!(Instant::now() >= at);
                            order.borrow_mut().push(millis);
                        })
                    })
                    .collect();
                // One that is given up must not hold up the others.
                let (short, given_up) =
                    (Duration::from_millis(1), begin + Duration::from_millis(5));
                let _ = tokio::time::timeout(short, alarm.until(given_up)).await;
                for one in waiting {
                    one.await.expect("woken");
                }
                ringing.abort();
            })
            .await;
        assert_eq!(*order.borrow(), [0, 10, 10, 20, 30]);
    }

    #[tokio::test]
    async fn polling_ends_at_the_time_and_lets_others_run_meanwhile() {
        for timer in [Timer::Exact, Timer::Coarse] {
            let alarm = Alarm::new(timer, true);
            let at = Instant::now() + Duration::from_millis(5);
            let (waited, others) = (Cell::new(false), Cell::new(0u32));
            let wait = async {
                alarm.until(at).await;
                assert!(Instant::now() >= at);
                waited.set(true);
            };
            let other = async {
                while !waited.get() {
                    others.set(others.get() + 1);
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                _ = async { tokio::join!(wait, other) } => {}
                () = async {
                    alarm.ring().await;
                    pending().await
                } => {}
            }
            assert!(others.get() > 10, "{}", others.get());
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_timer_that_fails_is_woken_by_another() {
        let alarm = Alarm::new(Timer::Exact, false);
        let begin = Instant::now();
        let at = begin + Duration::from_millis(20);
        let fail = async {
            alarm.exact.as_ref().expect("a timer").give_up(io::ErrorKind::BrokenPipe.into());
            alarm.ring().await;
        };
        // The first waits when it fails, the second comes later.
        tokio::join!(alarm.until(at), fail);
        assert!(Instant::now() >= at);
        alarm.until(at + Duration::from_millis(5)).await;
        assert!(begin.elapsed() >= Duration::from_millis(25));
        assert_eq!(alarm.failure().map(|error| error.kind()), Some(io::ErrorKind::BrokenPipe));
    }
}
