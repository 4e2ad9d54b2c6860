//! Polls the users of one worker: each after it was woken, in that order. They are all part of one task of
//! the runtime, since a task of its own for each would cost a request more than its own bookkeeping. A user
//! that panics ends alone.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;
use tokio::task::coop::has_budget_remaining;

/// How many users are polled in a row, before the runtime looks at its sockets and timers.
const ROUND: usize = 64;

/// What a user does, until its end.
type Life = Pin<Box<dyn Future<Output = ()>>>;

/// The users of one worker.
#[derive(Default)]
pub(super) struct Scheduler {
    /// By their numbers.
    users: RefCell<Vec<Option<User>>>,
    /// The numbers of users that have ended.
    free: RefCell<Vec<usize>>,
    woken: Arc<Woken>,
    /// Those whose turn has come.
    turns: RefCell<VecDeque<usize>>,
    running: Cell<usize>,
    crashed: Cell<u64>,
    ended: Notify,
}

struct User {
    life: Life,
    bell: Arc<Bell>,
    waker: Waker,
}

/// Those who were woken since the users were last polled, and who polls them.
#[derive(Debug, Default)]
struct Woken(Mutex<(VecDeque<usize>, Option<Waker>)>);

impl Woken {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<usize>, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one user.
#[derive(Debug)]
struct Bell {
    user: usize,
    /// Whether it has been woken and not been polled since.
    rung: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut woken = self.woken.lock();
        let (users, waker) = &mut *woken;
        users.push_back(self.user);
        // Whoever polls has been woken by the first one.
        if users.len() == 1
            && let Some(waker) = waker
        {
            waker.wake_by_ref();
        }
    }
}

/// Notes that what runs beside the users was woken, and wakes the task.
struct Beside {
    woken: AtomicBool,
    waker: Waker,
}

impl Wake for Beside {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.waker.wake_by_ref();
    }
}

impl Scheduler {
    /// Starts a user, whose life may know what wakes it.
    pub(super) fn start<F>(&self, life: impl FnOnce(&Waker) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let mut users = self.users.borrow_mut();
        let number = self.free.borrow_mut().pop().unwrap_or_else(|| {
            users.push(None);
            users.len() - 1
        });
        let bell =
            Arc::new(Bell { user: number, rung: false.into(), woken: Arc::clone(&self.woken) });
        bell.wake_by_ref();
        let waker = Waker::from(Arc::clone(&bell));
        if let Some(place) = users.get_mut(number) {
            *place = Some(User { life: Box::pin(life(&waker)), bell, waker });
        }
        self.running.set(self.running.get() + 1);
    }

    /// How many users have not ended.
    pub(super) fn running(&self) -> usize {
        self.running.get()
    }

    /// How many users have ended by a panic.
    pub(super) fn crashed(&self) -> u64 {
        self.crashed.get()
    }

    /// Waits until all users have ended; to be run [`Self::beside`] them.
    pub(super) async fn all_ended(&self) {
        while self.running.get() > 0 {
            self.ended.notified().await;
        }
    }

    /// Runs a future beside the users: `begin` is called before each of their rounds. The future is polled
    /// only in those in which it was woken, for otherwise each round would look at timers and commands; and
    /// before the users, who may leave it nothing of the budget that the runtime gives a task.
    pub(super) async fn beside<F: Future>(&self, future: F, begin: impl Fn()) -> F::Output {
        let mut future = pin!(future);
        let mut own: Option<(Arc<Beside>, Waker)> = None;
        poll_fn(|context| {
            begin();
            let (beside, waker) = own.get_or_insert_with(|| {
                let beside =
                    Arc::new(Beside { woken: true.into(), waker: context.waker().clone() });
                (Arc::clone(&beside), beside.into())
            });
            if beside.woken.swap(false, Ordering::AcqRel)
                && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker))
            {
                return Poll::Ready(output);
            }
            self.poll_users(context);
            Poll::Pending
        })
        .await
    }

    /// Polls users that were woken. The task is woken again when there are more.
    fn poll_users(&self, context: &Context<'_>) {
        let mut turns = self.turns.borrow_mut();
        {
            let mut woken = self.woken.lock();
            let (users, waker) = &mut *woken;
            if turns.is_empty() {
                std::mem::swap(&mut *turns, users);
            } else {
                turns.append(users);
            }
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                *waker = Some(context.waker().clone());
            }
        }
        for _ in 0..ROUND {
            // Without a budget, a user could only wake itself.
            if !has_budget_remaining() {
                break;
            }
            let Some(number) = turns.pop_front() else { return };
            self.poll_user(number);
        }
        if !turns.is_empty() {
            context.waker().wake_by_ref();
        }
    }

    fn poll_user(&self, number: usize) {
        let mut users = self.users.borrow_mut();
        // One that has ended may still be woken.
        let Some(place) = users.get_mut(number) else { return };
        let Some(User { life, bell, waker }) = place else { return };
        // Read, too: what a thread did before it found the bell rung must be seen by this poll.
        bell.rung.swap(false, Ordering::AcqRel);
        let mut context = Context::from_waker(waker);
        let polled = catch_unwind(AssertUnwindSafe(|| life.as_mut().poll(&mut context)));
        if matches!(polled, Ok(Poll::Pending)) {
            return;
        }
        let ended = place.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(ended)));
        if polled.is_err() || dropped.is_err() {
            self.crashed.set(self.crashed.get() + 1);
        }
        self.free.borrow_mut().push(number);
        self.running.set(self.running.get() - 1);
        if self.running.get() == 0 {
            self.ended.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::sync::oneshot;
    use tokio::task::yield_now;
    use tokio::time::{sleep, timeout};

    use super::*;

    /// Runs a future beside the users.
    async fn beside<F: Future>(scheduler: &Scheduler, future: F) -> F::Output {
        scheduler.beside(future, || {}).await
    }

    /// Waits until all users have ended.
    async fn end(scheduler: &Scheduler) {
        let all = beside(scheduler, scheduler.all_ended());
        timeout(Duration::from_secs(60), all).await.expect("all end");
    }

    #[tokio::test]
    async fn users_are_polled_in_the_order_in_which_they_were_woken() {
        let (scheduler, order) = (Scheduler::default(), Rc::new(RefCell::new(Vec::new())));
        let mut wakes = Vec::new();
        // More than a round.
        for number in 0..3 * ROUND {
            let (wake, woken) = oneshot::channel::<()>();
            wakes.push(wake);
            let order = Rc::clone(&order);
            scheduler.start(|_| async move {
                order.borrow_mut().push(number);
                woken.await.expect("woken");
                order.borrow_mut().push(number);
            });
        }
        beside(&scheduler, sleep(Duration::from_millis(10))).await;
        assert!(order.borrow().iter().copied().eq(0..3 * ROUND), "{:?}", order.borrow());
        order.borrow_mut().clear();
        wakes.into_iter().rev().for_each(|wake| wake.send(()).expect("somebody waits"));
        end(&scheduler).await;
        assert!(order.borrow().iter().copied().eq((0..3 * ROUND).rev()), "{:?}", order.borrow());
        assert_eq!((scheduler.running(), scheduler.crashed()), (0, 0));
    }

    #[tokio::test]
    async fn users_wait_for_timers_yield_and_are_woken_by_other_threads() {
        let scheduler = Scheduler::default();
        for number in 0..200 {
            scheduler.start(|_| async move {
                for _ in 0..number % 7 {
                    yield_now().await;
                }
                sleep(Duration::from_millis(number % 3)).await;
                let (wake, woken) = oneshot::channel();
                let elsewhere = std::thread::spawn(move || wake.send(number));
                assert_eq!(woken.await, Ok(number));
                assert_eq!(elsewhere.join().expect("no panic"), Ok(()));
            });
        }
        end(&scheduler).await;
        assert_eq!(scheduler.crashed(), 0);
    }

    #[tokio::test]
    async fn no_wake_of_another_thread_is_lost() {
        const ROUNDS: usize = 20_000;
        let scheduler = Scheduler::default();
        let state = Arc::new([const { AtomicUsize::new(0) }; 2]);
        let (done, threads) = (Rc::new(Cell::new(false)), Rc::new(RefCell::new(None)));
        let (ended, thread, shared) = (Rc::clone(&done), Rc::clone(&threads), Arc::clone(&state));
        scheduler.start(move |waker| {
            let (waker, waking) = (waker.clone(), Arc::clone(&shared));
            *thread.borrow_mut() = Some(std::thread::spawn(move || {
                let [told, seen] = &*waking;
                for round in 1..=ROUNDS {
                    // The first rings the bell, so that the second may find it rung while it is taken back.
                    waker.wake_by_ref();
                    told.store(round, Ordering::Release);
                    waker.wake_by_ref();
                    while seen.load(Ordering::Acquire) < round {
                        std::hint::spin_loop();
                    }
                }
            }));
            poll_fn(move |_| {
                let [told, seen] = &*shared;
                let round = told.load(Ordering::Acquire);
                seen.store(round, Ordering::Release);
                ended.set(round == ROUNDS);
                if ended.get() { Poll::Ready(()) } else { Poll::Pending }
            })
        });
        // Keeps the thread of the users awake.
        let busy = Rc::clone(&done);
        scheduler.start(|_| async move {
            while !busy.get() {
                yield_now().await;
            }
        });
        let all = beside(&scheduler, scheduler.all_ended());
        let all = timeout(Duration::from_secs(60), all).await;
        // The thread would wait for ever.
        state[1].store(usize::MAX, Ordering::Release);
        threads.take().expect("a thread").join().expect("no panic");
        all.expect("every wake is seen");
    }

    #[tokio::test]
    async fn users_that_never_wait_leave_a_turn_to_others_and_to_the_runtime() {
        let scheduler = Scheduler::default();
        for _ in 0..2 * ROUND {
            scheduler.start(|_| async {
                loop {
                    // Always ready, until the budget of the runtime is used up.
                    tokio::io::repeat(1).read_exact(&mut [0; 16]).await.expect("bytes");
                    tokio::task::consume_budget().await;
                }
            });
        }
        let (ended, end) = oneshot::channel();
        scheduler.start(|_| async move {
            sleep(Duration::from_millis(5)).await;
            ended.send(()).expect("somebody waits");
        });
        let end = beside(&scheduler, end);
        assert_eq!(timeout(Duration::from_secs(60), end).await, Ok(Ok(())));
    }

    #[tokio::test]
    async fn a_user_that_panics_ends_alone_and_is_counted() {
        /// Panics when the user that has it ends.
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in a destructor, as the test wants it");
            }
        }
        let (scheduler, whole) = (Scheduler::default(), Rc::new(Cell::new(0)));
        for number in 0..10 {
            let (whole, bomb) = (Rc::clone(&whole), (number == 5).then(|| Bomb));
            let life = async move {
                yield_now().await;
                assert_ne!(number, 3, "as the test wants it");
                whole.set(whole.get() + 1);
            };
            let mut life = Box::pin(life);
            // Dropped after its end, and not by it.
            scheduler.start(|_| {
                poll_fn(move |context| {
                    let _ = &bomb;
                    life.as_mut().poll(context)
                })
            });
        }
        end(&scheduler).await;
        assert_eq!((whole.get(), scheduler.running(), scheduler.crashed()), (9, 0, 2));
        // Places are used again.
        let places = scheduler.users.borrow().len();
        scheduler.start(|_| yield_now());
        end(&scheduler).await;
        assert_eq!((scheduler.crashed(), scheduler.users.borrow().len()), (2, places));
    }

    #[tokio::test]
    async fn a_waker_that_outlives_its_user_wakes_nobody_wrongly() {
        let (scheduler, kept) = (Scheduler::default(), Rc::new(RefCell::new(None)));
        let keep = Rc::clone(&kept);
        scheduler.start(|_| {
            poll_fn(move |context| {
                *keep.borrow_mut() = Some(context.waker().clone());
                Poll::Ready(())
            })
        });
        end(&scheduler).await;
        let waker = kept.take().expect("a waker");
        waker.wake_by_ref();
        beside(&scheduler, yield_now()).await;
        // The next user has the same place.
        let polls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&polls);
        scheduler.start(|_| async move {
            sleep(Duration::from_millis(20)).await;
            counted.set(counted.get() + 1);
        });
        waker.wake();
        end(&scheduler).await;
        assert_eq!(polls.get(), 1);
    }
}
