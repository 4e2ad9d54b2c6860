//! A virtual user: iteration after iteration until it is stopped. This is the engine's only loop;
//! pacer, scenario and driver determine what happens in it.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::alarm::Alarm;
use super::driver::{Driver, VirtualUser};
use super::misses::Misses;
use super::pacer::{Arrivals, Pacing};
use super::plan::Plan;
use super::scenario::{Fate, Task, Verdict};
use super::stop::{Phase, Signal};
use super::template::Scope;
use crate::cold::cold_path;
use crate::record::Recorder;

/// How long a user without a wait pauses after an iteration that could not reach its target or made
/// no request, so that neither becomes a busy loop.
const REST: Duration = Duration::from_millis(100);

/// A start later than this counts as late: the timers of operating systems are more precise.
const LATE: Duration = Duration::from_millis(10);

/// How long users may run before the worker's own loop has its turn: the clock, a stop and the
/// figures must not wait for iterations that wait for nothing.
const TURN: Duration = Duration::from_millis(5);

/// What all users of a worker share.
pub(super) struct WorkerContext<D: Driver> {
    pub(super) plan: Arc<Plan<D>>,
    pub(super) worker: D::Worker,
    pub(super) start: Instant,
    pub(super) recorder: Rc<RefCell<Recorder>>,
    pub(super) arrivals: Option<Arrivals>,
    /// Wakes users for them.
    pub(super) alarm: Rc<Alarm>,
    pub(super) starts: Cell<u64>,
    /// How many iterations this worker may start.
    pub(super) most: u64,
    /// Whether no more may start.
    pub(super) spent: Cell<bool>,
    /// Told when that becomes so.
    pub(super) done: Notify,
    /// Users that have not ended their `on_start`.
    pub(super) starting: Cell<usize>,
    /// Told when there are none.
    pub(super) ready: Notify,
    /// Starts that were late although their user was waiting: the load generator was too slow.
    pub(super) late: Cell<u64>,
    /// Of the users that have ended.
    pub(super) misses: RefCell<Misses>,
    /// What has become of each task.
    pub(super) fates: Vec<Cell<Fate>>,
    /// Iterations that made no request.
    pub(super) empty: Cell<u64>,
    /// When a user first could have given way since the worker's own loop had its turn.
    pub(super) turn: Cell<Option<Instant>>,
}

impl<D: Driver> WorkerContext<D> {
    /// No more iterations may start.
    fn spend(&self) {
        self.spent.set(true);
        self.done.notify_one();
    }

    /// Notes what has become of a task.
    fn note(&self, index: usize, fate: Fate) {
        if let Some(noted) = self.fates.get(index) {
            noted.set(noted.get().max(fate));
        }
    }

    /// How many users have not ended their `on_start`, if arrivals wait for them.
    pub(super) fn awaited(&self) -> u64 {
        let waits = self.arrivals.as_ref().is_some_and(|arrivals| !arrivals.have_begun())
            && !self.plan.scenario.on_start().is_empty();
        if waits { self.starting.get() as u64 } else { 0 }
    }

    /// Waits until all users that there are have ended their `on_start`: its time is not the target's
    /// latency in the arrivals of an open model, which begin then. Returns whether the user goes on.
    async fn all_are_ready(&self, signal: &Signal) -> bool {
        let Some(arrivals) = &self.arrivals else { return true };
        while !arrivals.have_begun() {
            if signal.unless(Phase::Finish, pin!(self.ready.notified())).await.is_none() {
                return false;
            }
        }
        true
    }

    /// Called where a user has done something without waiting for its target: lets others run if
    /// their turn is due.
    async fn give_way(&self) {
        match self.turn.get() {
            None => self.turn.set(Some(Instant::now())),
            Some(since) if since.elapsed() >= TURN => yield_now().await,
            Some(_) => {}
        }
    }
}

/// A user that has not ended its `on_start`, however that ends.
struct Starting<'a, D: Driver>(&'a WorkerContext<D>);

impl<D: Driver> Drop for Starting<'_, D> {
    fn drop(&mut self) {
        let Self(context) = self;
        let left = context.starting.get().saturating_sub(1);
        context.starting.set(left);
        if let (0, Some(arrivals)) = (left, &context.arrivals) {
            arrivals.begin(context.start.elapsed());
            context.ready.notify_waiters();
        }
    }
}

/// Runs iterations until `signal` stops the user.
pub(super) async fn live<D: Driver>(context: Rc<WorkerContext<D>>, signal: Rc<Signal>, seed: u64) {
    let plan = &*context.plan;
    let mut state = plan.driver.user();
    let scope = Scope::new(&plan.names, seed);
    let recorder = Rc::clone(&context.recorder);
    let (keep_bodies, trace) = (plan.settings.keep_bodies, plan.settings.trace.clone());
    let stop = Rc::clone(&signal);
    let mut virtual_user =
        VirtualUser::new(scope, context.start, recorder, keep_bodies, trace, stop);
    if start(&context, &signal, &mut state, &mut virtual_user).await {
        work(&context, &signal, &mut state, &mut virtual_user).await;
    }
    context.misses.borrow_mut().merge(virtual_user.scope.misses());
}

/// Runs the tasks of `on_start`; returns whether the user goes on to its iterations.
async fn start<D: Driver>(
    context: &WorkerContext<D>,
    signal: &Signal,
    state: &mut D::User,
    virtual_user: &mut VirtualUser,
) -> bool {
    let plan = &*context.plan;
    let tasks = plan.scenario.on_start();
    if tasks.is_empty() {
        return true;
    }
    // Boxed, so that users without it do not have room for it.
    let started = async {
        let starting = Starting(context);
        perform(context, signal, state, virtual_user, tasks).await;
        drop(starting);
        context.all_are_ready(signal).await
    };
    let is_ready = signal.unless(Phase::Abort, Box::pin(started).as_mut()).await;
    match is_ready {
        Some(is_ready) => is_ready && signal.phase() < Phase::Finish,
        None => {
            abandon(context, state, virtual_user);
            false
        }
    }
}

/// Counts what the user had begun when it was dropped.
fn abandon<D: Driver>(
    context: &WorkerContext<D>,
    state: &mut D::User,
    virtual_user: &mut VirtualUser,
) {
    context.plan.driver.abandon(&context.worker, state, virtual_user);
    virtual_user.abandon();
}

/// Iteration after iteration.
async fn work<D: Driver>(
    context: &WorkerContext<D>,
    signal: &Signal,
    state: &mut D::User,
    virtual_user: &mut VirtualUser,
) {
    let plan = &*context.plan;
    loop {
        let due = match &context.arrivals {
            None if context.starts.get() >= context.most => return context.spend(),
            None => {
                context.starts.set(context.starts.get() + 1);
                None
            }
            Some(arrivals) => match arrive(context, arrivals, signal).await {
                Some(due) => Some(due),
                None => return,
            },
        };
        virtual_user.begin(due);
        let tasks = plan.scenario.iteration(virtual_user.scope.random());
        let verdict = signal
            .unless(Phase::Abort, pin!(perform(context, signal, state, virtual_user, tasks)))
            .await;
        let Some(verdict) = verdict else {
            cold_path();
            return abandon(context, state, virtual_user);
        };
        if signal.phase() >= Phase::Finish {
            return;
        }
        if virtual_user.requests() == 0 {
            cold_path();
            context.empty.set(context.empty.get() + 1);
            context.give_way().await;
        }
        let wait = match plan.settings.pacing {
            Pacing::Open(_) => None,
            Pacing::Closed(wait) => wait.draw(virtual_user.scope.random()).or_else(|| {
                (verdict == Verdict::Transient || virtual_user.requests() == 0).then_some(REST)
            }),
        };
        if let Some(wait) = wait
            && !signal.pause(wait).await
        {
            return;
        }
    }
}

/// Waits for this user's next arrival; `None` if the test ends before it.
async fn arrive<D: Driver>(
    context: &WorkerContext<D>,
    arrivals: &Arrivals,
    signal: &Signal,
) -> Option<Duration> {
    let Some(due) = arrivals.take() else {
        context.spend();
        return None;
    };
    let now = Instant::now();
    // The clock ends the test, also for arrivals that are late.
    let latest = due.max(now.saturating_duration_since(context.start));
    if context.plan.settings.users.end().is_some_and(|end| latest >= end) {
        return None;
    }
    let at = context.start + due;
    if at > now {
        signal.unless(Phase::Finish, pin!(context.alarm.until(at))).await?;
        context.starts.set(context.starts.get() + 1);
        if at.elapsed() <= LATE {
            // It was free when its turn came. The millisecond resolution of timers is not the
            // target's fault and must not count as its latency.
            return Some(context.start.elapsed());
        }
        context.late.set(context.late.get() + 1);
        return Some(due);
    }
    context.starts.set(context.starts.get() + 1);
    Some(due)
}

/// Performs these tasks and returns the verdict of the last one.
async fn perform<D: Driver>(
    context: &WorkerContext<D>,
    signal: &Signal,
    state: &mut D::User,
    virtual_user: &mut VirtualUser,
    tasks: Range<usize>,
) -> Verdict {
    let scenario = &context.plan.scenario;
    let mut verdict = Verdict::Passed;
    for index in tasks {
        let Some(task) = scenario.tasks().get(index) else { break };
        if signal.phase() >= Phase::Finish {
            break;
        }
        if let Some(why) = task.skipped(&mut virtual_user.scope) {
            cold_path();
            context.note(index, Fate::Skipped);
            context.plan.driver.skipped(index, why);
            context.give_way().await;
            continue;
        }
        if let Some(throttle) = &task.throttle {
            cold_path();
            let wait = throttle.book(virtual_user.elapsed());
            if !wait.is_zero() && !signal.pause(wait).await {
                break;
            }
        }
        context.note(index, Fate::Ran);
        verdict = attempt(context, signal, state, virtual_user, index, task).await;
        if verdict == Verdict::Transient {
            cold_path();
            // It may have failed before it waited, for example without a valid URL.
            context.give_way().await;
        }
        if let Some(think) = task.think.and_then(|think| think.draw(virtual_user.scope.random()))
            && !signal.pause(think).await
        {
            break;
        }
    }
    verdict
}

/// Performs a task, and retries it as configured.
async fn attempt<D: Driver>(
    context: &WorkerContext<D>,
    signal: &Signal,
    state: &mut D::User,
    virtual_user: &mut VirtualUser,
    index: usize,
    task: &Task,
) -> Verdict {
    let mut used = [0u64; 3];
    let mut attempts = 0u32;
    loop {
        virtual_user.scope.begin_task(task.unresolved);
        if let Some(network) = &task.network {
            cold_path();
            virtual_user.enter(network).await;
        }
        let mut verdict =
            context.plan.driver.perform(&context.worker, state, index, virtual_user).await;
        if task.network.is_some() {
            cold_path();
            verdict = virtual_user.leave(verdict);
        }
        let Some(retry) = &task.retry else { return verdict };
        cold_path();
        attempts = attempts.saturating_add(1);
        let used = match verdict {
            Verdict::Passed => return verdict,
            Verdict::Transient => &mut used[0],
            Verdict::Flaky => &mut used[1],
            Verdict::Permanent => &mut used[2],
        };
        let Some(delay) = retry.delay(verdict, *used, attempts, virtual_user.scope.random()) else {
            return verdict;
        };
        *used += 1;
        if !signal.pause(delay).await {
            return verdict;
        }
    }
}
