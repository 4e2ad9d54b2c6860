//! A virtual user: iteration after iteration, until it is told to stop. This is the one loop of the
//! engine; pacer, scenario and driver decide what happens in it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::driver::{Driver, Visit};
use super::pacer::{Arrivals, Pacing};
use super::plan::Plan;
use super::scenario::{Step, Verdict};
use super::stop::{Phase, Signal};
use super::template::Scope;
use crate::record::Recorder;

/// How long a user without a wait rests after an iteration that could not reach its target or made
/// no request at all, so that neither turns into a busy loop.
const REST: Duration = Duration::from_millis(100);

/// Beyond this a start counts as late: an operating system's timers are better than that.
const LATE: Duration = Duration::from_millis(10);

/// What all users of a worker share.
pub(super) struct Crew<D: Driver> {
    pub(super) plan: Arc<Plan<D>>,
    pub(super) worker: D::Worker,
    pub(super) start: Instant,
    pub(super) recorder: Rc<RefCell<Recorder>>,
    pub(super) arrivals: Option<Arrivals>,
    pub(super) starts: Cell<u64>,
    /// Starts that came late although their user was waiting: the generator's own fault.
    pub(super) late: Cell<u64>,
}

/// Lives until `signal` stops it.
pub(super) async fn live<D: Driver>(crew: Rc<Crew<D>>, signal: Rc<Signal>, seed: u64) {
    let plan = &*crew.plan;
    let mut state = plan.driver.user();
    let scope = Scope::new(&plan.names, seed);
    let recorder = Rc::clone(&crew.recorder);
    let mut visit = Visit::new(scope, crew.start, recorder, plan.settings.keep_bodies);
    loop {
        let due = match &crew.arrivals {
            None => None,
            Some(arrivals) => match arrive(&crew, arrivals, &signal).await {
                Some(due) => Some(due),
                None => return,
            },
        };
        visit.begin(due);
        let iteration = iterate(&crew, &signal, &mut state, &mut visit);
        let Some(verdict) = signal.unless(Phase::Abort, iteration).await else {
            plan.driver.abandon(&crew.worker, &mut state, &mut visit);
            return;
        };
        if signal.phase() >= Phase::Finish {
            return;
        }
        let wait = match plan.settings.pacing {
            Pacing::Open { .. } => None,
            Pacing::Closed(wait) => wait.draw(visit.scope.random()).or_else(|| {
                (verdict == Verdict::Transient || visit.requests() == 0).then_some(REST)
            }),
        };
        if let Some(wait) = wait
            && signal.unless(Phase::Finish, sleep(wait)).await.is_none()
        {
            return;
        }
    }
}

/// Waits for this user's next arrival; `None` when the test ends before it.
async fn arrive<D: Driver>(
    crew: &Crew<D>,
    arrivals: &Arrivals,
    signal: &Signal,
) -> Option<Duration> {
    let due = arrivals.take();
    if crew.plan.settings.shape.end().is_some_and(|end| due >= end) {
        return None;
    }
    let at = crew.start + due;
    if at > Instant::now() {
        signal.unless(Phase::Finish, sleep_until(at)).await?;
        crew.starts.set(crew.starts.get() + 1);
        if at.elapsed() <= LATE {
            // It was free when its turn came. That timers go by the millisecond is no fault of the
            // target, and must not count as its latency.
            return Some(crew.start.elapsed());
        }
        crew.late.set(crew.late.get() + 1);
        return Some(due);
    }
    crew.starts.set(crew.starts.get() + 1);
    Some(due)
}

/// One iteration: the verdict is that of its last task.
async fn iterate<D: Driver>(
    crew: &Crew<D>,
    signal: &Signal,
    state: &mut D::User,
    visit: &mut Visit,
) -> Verdict {
    let scenario = &crew.plan.scenario;
    let mut verdict = Verdict::Passed;
    for task in scenario.iteration(visit.scope.random()) {
        let Some(step) = scenario.steps().get(task) else { break };
        if signal.phase() >= Phase::Finish {
            break;
        }
        if !step.runs(&mut visit.scope) {
            continue;
        }
        if let Some(throttle) = &step.throttle {
            let wait = throttle.book(visit.elapsed());
            if !wait.is_zero() && signal.unless(Phase::Finish, sleep(wait)).await.is_none() {
                break;
            }
        }
        verdict = attempt(crew, signal, state, visit, task, step).await;
        if let Some(think) = step.think.and_then(|think| think.draw(visit.scope.random()))
            && signal.unless(Phase::Finish, sleep(think)).await.is_none()
        {
            break;
        }
    }
    verdict
}

/// Performs a task, and again where its retry allows it.
async fn attempt<D: Driver>(
    crew: &Crew<D>,
    signal: &Signal,
    state: &mut D::User,
    visit: &mut Visit,
    task: usize,
    step: &Step,
) -> Verdict {
    let mut used = [0u64; 3];
    let mut attempts = 0u32;
    loop {
        visit.scope.begin();
        let verdict = crew.plan.driver.perform(&crew.worker, state, task, visit).await;
        let Some(retry) = &step.retry else { return verdict };
        attempts = attempts.saturating_add(1);
        let spent = match verdict {
            Verdict::Passed => return verdict,
            Verdict::Transient => &mut used[0],
            Verdict::Flaky => &mut used[1],
            Verdict::Permanent => &mut used[2],
        };
        let Some(delay) = retry.delay(verdict, *spent, attempts, visit.scope.random()) else {
            return verdict;
        };
        *spent += 1;
        if signal.unless(Phase::Finish, sleep(delay)).await.is_none() {
            return verdict;
        }
    }
}
