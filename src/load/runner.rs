//! Runs a plan: one thread per core, each with a single-threaded runtime and its own share of the
//! users. The threads share nothing on the request path; once a tick each merges its figures into
//! [`Live`]. The calling thread watches the clock, reports progress and collects the record.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::alarm::Alarm;
use super::driver::Driver;
use super::misses::Misses;
use super::pacer::{Arrivals, Pacing, Timer, share};
use super::plan::{Plan, Settings};
use super::progress::{Progress, ProgressTicker};
use super::scenario::Fate;
use super::scheduler::Scheduler;
use super::seed::seed_of;
use super::stop::{Phase, Signal};
use super::user::{self, WorkerContext};
use crate::error::reason;
use crate::memory;
use crate::record::live::Live;
use crate::record::{Gaps, Iterations, Recorder, Recording, UserCount};

/// How often a worker merges its figures.
const TICK: Duration = Duration::from_millis(250);

/// How often the number of users is adjusted to the shape while it changes.
const RAMP_TICK: Duration = Duration::from_millis(5);

/// How often the figures are merged while users finish that somebody waits for.
const SETTLE_TICK: Duration = Duration::from_millis(20);

/// How long requests in progress may take after the end before they are dropped.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How often the caller checks whether it was cancelled.
pub(super) const WATCH: Duration = Duration::from_millis(50);

/// A worker's tick that is later than this shows that the load generator cannot keep up.
const LAG: Duration = Duration::from_millis(50);

/// The percentage of late starts or ticks from which the result carries a warning.
const WARN_PERCENT: u64 = 1;

/// The percentage of late starts from which the generator itself cannot keep up, and of the time before
/// the arrivals from which that is said.
const MUCH_PERCENT: u64 = 10;

/// The most changes of the number of users that are kept; reports show some hundred.
const MOST_CHANGES: usize = 20_000;

/// Why a run could not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The operating system refused a thread or a runtime.
    #[error("cannot start a worker thread: {}", reason(.0))]
    Worker(#[from] std::io::Error),
    /// Its cluster could not be formed.
    #[error("{0}")]
    Cluster(String),
}

/// The result of one worker.
#[derive(Debug)]
pub(super) struct WorkerResult {
    pub(super) recorder: Recorder,
    pub(super) starts: u64,
    arrivals: Option<Arrivals>,
    late: u64,
    misses: Misses,
    fates: Vec<Fate>,
    empty: u64,
    ticks: u64,
    lagging: u64,
    /// Why starts are less exact than asked for.
    coarse: Option<std::io::Error>,
    pub(super) broken: u64,
    /// Users that arrivals waited for until then.
    starting: u64,
    /// When it was stopped, from the start of the run.
    pub(super) ended: Duration,
}

/// [`Runnable::run`](super::Runnable::run), of a plan whose driver is known.
pub(super) fn run<D: Driver>(
    plan: Plan<D>,
    workers: usize,
    live: &Arc<Live>,
    cancel: &CancellationToken,
    watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<String>,
) -> Result<Recording, RunError> {
    let plan = Arc::new(plan);
    let workers = workers.clamp(1, plan.settings.users.peak().max(1));
    let stop = cancel.child_token();
    // The workers end however this function returns.
    let _stops = stop.clone().drop_guard();
    let (done, parts) = mpsc::channel();
    let (started_at, start) = (SystemTime::now(), Instant::now());
    let mut threads = Vec::new();
    for number in 0..workers {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (plan, live, stop) = (Arc::clone(&plan), Arc::clone(live), stop.clone());
        let done = done.clone();
        let body = move || {
            let work = worker(plan, number, workers, start, &live, stop);
            let part = runtime.block_on(LocalSet::new().run_until(work));
            // A name that is still being resolved must not delay the end of the run.
            runtime.shutdown_background();
            let _ = done.send(part);
        };
        threads.push(thread::Builder::new().name(format!("load-{number}")).spawn(body)?);
    }
    drop(done);

    let mut gathered = Vec::new();
    let mut warnings = plan.names.warnings.clone();
    let mut ticker = ProgressTicker::default();
    let most_resident = live.allowance().most_resident(memory::resident().unwrap_or_default());
    let mut curve = Vec::new();
    loop {
        match parts.recv_timeout(WATCH) {
            Ok(part) => gathered.push(part),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        note_users(&mut curve, start.elapsed(), live.users());
        if let Some(progress) = ticker.read(start.elapsed(), live) {
            live.allowance().check_resident(memory::resident(), most_resident);
            if let ControlFlow::Break(reason) = watch(&progress)
                && !stop.is_cancelled()
            {
                warnings.push(reason);
                stop.cancel();
            }
        }
        if live.allowance().exhausted().is_some() {
            stop.cancel();
        }
    }
    let lost = threads.into_iter().map(thread::JoinHandle::join).filter(Result::is_err).count();
    if lost > 0 {
        warnings
            .push(format!("{lost} of {workers} worker threads crashed; their requests are lost"));
    }
    let iterations = iterations(&plan, &gathered);
    let gaps = gaps(&plan, &gathered);
    warnings.extend(live.allowance().exhausted().map(str::to_owned));
    warnings.extend(live.allowance().warnings());
    warnings.extend(accuracy_warnings(iterations, &gathered));
    warnings.extend(idle_warnings(&plan, iterations, &gathered));
    let mut recording =
        Recording::new(started_at, gathered.into_iter().map(|part| part.recorder).collect());
    warnings.extend(recording.beyond());
    recording.warnings = warnings;
    recording.peak_users = live.peak_users();
    if curve.iter().all(|count| count.users == 0) {
        // Over before it was looked at for the first time.
        curve.clear();
        note_users(&mut curve, Duration::ZERO, recording.peak_users);
    }
    recording.users = curve;
    recording.iterations = iterations;
    recording.gaps = gaps;
    Ok(recording)
}

/// Records the number of users if it has changed. Of a long run every second, fourth, … change is kept.
pub fn note_users(curve: &mut Vec<UserCount>, at: Duration, users: usize) {
    let users = u32::try_from(users).unwrap_or(u32::MAX);
    if curve.last().is_none_or(|last| last.users != users) {
        if curve.len() >= MOST_CHANGES {
            let mut kept = false;
            curve.retain(|_| {
                kept = !kept;
                kept
            });
        }
        curve.push(UserCount { at, users });
    }
}

/// One worker: adjusts the number of its users to the shape, and stops them when the shape ends.
pub(super) async fn worker<D: Driver>(
    plan: Arc<Plan<D>>,
    number: usize,
    workers: usize,
    start: Instant,
    live: &Live,
    stop: CancellationToken,
) -> WorkerResult {
    let recorder = Rc::new(RefCell::new(Recorder::new(live.allowance())));
    let arrivals = match plan.settings.pacing {
        Pacing::Open(rate) => {
            let Settings { iterations, seed, .. } = plan.settings;
            Some(Arrivals::new(rate, number, workers, iterations, seed))
        }
        Pacing::Closed(_) => None,
    };
    let (timer, polling) = match plan.settings.pacing {
        Pacing::Open(rate) => (rate.timer, rate.polling),
        Pacing::Closed(_) => (Timer::Coarse, false),
    };
    let alarm = Rc::new(Alarm::new(timer, polling));
    let ringing = Rc::clone(&alarm);
    let _ringing = AbortOnDropHandle::new(spawn_local(async move { ringing.ring().await }));
    let most = plan.settings.iterations.map_or(u64::MAX, |all| share(all, number, workers));
    let context = Rc::new(WorkerContext {
        worker: plan.driver.worker(),
        plan: Arc::clone(&plan),
        start,
        recorder: Rc::clone(&recorder),
        arrivals,
        alarm: Rc::clone(&alarm),
        starts: Cell::new(0),
        most,
        spent: Cell::new(most == 0),
        done: Notify::new(),
        starting: Cell::new(0),
        ready: Notify::new(),
        late: Cell::new(0),
        misses: RefCell::default(),
        fates: vec![Cell::default(); plan.scenario.tasks().len()],
        empty: Cell::new(0),
        turn: Cell::new(None),
    });
    let turns = Rc::clone(&context);
    let scheduler = Rc::new(Scheduler::default());
    let mut pool = UserPool {
        context,
        number,
        workers,
        signals: Vec::new(),
        ending: Vec::new(),
        scheduler: Rc::clone(&scheduler),
        spawned: 0,
    };
    let begin_turn = || turns.turn.set(None);
    let mut follower = plan.settings.users.follow();
    let is_commanded = follower.is_commanded();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut ticks, mut lagging) = (0, 0);
    let ended = loop {
        let at = start.elapsed();
        if stop.is_cancelled() || plan.settings.users.are_over(at) {
            break at;
        }
        let spent = turns.spent.get();
        if spent && scheduler.running() == 0 {
            break at;
        }
        let before = pool.signals.len();
        if !spent {
            pool.resize(plan.settings.users.at(at));
        }
        if follower.drops() {
            pool.abort();
        }
        let now = pool.signals.len();
        live.change_users(before, now);
        follower.note(now + pool.ending.len());
        let next = match (plan.settings.users.level_until(at), plan.settings.users.end()) {
            _ if follower.is_awaited() => at + SETTLE_TICK,
            (Some(until), _) if until <= at => at + RAMP_TICK,
            (Some(until), _) => until,
            (None, Some(end)) => end,
            (None, None) => at + Duration::from_secs(3600),
        };
        let due = async {
            tokio::select! {
                () = sleep_until(start + next) => None,
                () = stop.cancelled() => None,
                () = turns.done.notified(), if !spent => None,
                () = follower.changed(), if is_commanded => None,
                () = scheduler.all_ended(), if spent => None,
                due = tick.tick() => Some(due),
            }
        };
        let due = scheduler.beside(due, begin_turn).await;
        if let Some(due) = due {
            ticks += 1;
            lagging += u64::from(due.elapsed() > LAG);
        }
        if due.is_some() || follower.is_awaited() {
            recorder.borrow_mut().merge_into(live);
            pool.reap();
        }
        follower.note(pool.signals.len() + pool.ending.len());
    };
    // The end also ends their `on_start`.
    let starting = turns.awaited();
    live.change_users(pool.signals.len(), 0);
    pool.resize(0);
    let drained = timeout(GRACE, async {
        let mut tick = interval(TICK);
        loop {
            tokio::select! {
                () = scheduler.all_ended() => break,
                // What has ended must not wait for what hangs.
                _ = tick.tick() => recorder.borrow_mut().merge_into(live),
            }
        }
    });
    if scheduler.beside(drained, begin_turn).await.is_err() {
        pool.abort();
        scheduler.beside(scheduler.all_ended(), begin_turn).await;
    }
    drop(turns);
    recorder.borrow_mut().merge_into(live);
    follower.note(0);
    let (starts, late) = (pool.context.starts.get(), pool.context.late.get());
    let misses = pool.context.misses.take();
    let fates = pool.context.fates.iter().map(Cell::get).collect();
    let empty = pool.context.empty.get();
    let (broken, arrivals) = (scheduler.crashed(), pool.context.arrivals.clone());
    drop(pool);
    let mut recorder = recorder.take();
    recorder.seal();
    WorkerResult {
        recorder,
        starts,
        arrivals,
        late,
        misses,
        fates,
        empty,
        ticks,
        lagging,
        coarse: alarm.failure(),
        broken,
        starting,
        ended,
    }
}

/// The users of one worker. User number `i` of the test belongs to worker `i % workers`.
struct UserPool<D: Driver> {
    context: Rc<WorkerContext<D>>,
    number: usize,
    workers: usize,
    signals: Vec<Rc<Signal>>,
    /// Users that finish the request in progress.
    ending: Vec<Rc<Signal>>,
    scheduler: Rc<Scheduler>,
    spawned: u64,
}

impl<D: Driver> UserPool<D> {
    /// Starts or stops users until this worker has its share of `total`.
    fn resize(&mut self, total: usize) {
        let share = total.saturating_sub(self.number).div_ceil(self.workers);
        while self.signals.len() < share {
            let seed = self.seed();
            self.context.starting.set(self.context.starting.get() + 1);
            self.scheduler.start(|waker| {
                let signal = Rc::new(Signal::new(waker.clone()));
                self.signals.push(Rc::clone(&signal));
                user::live(Rc::clone(&self.context), signal, seed)
            });
        }
        if self.signals.len() > share {
            for signal in self.signals.drain(share..) {
                signal.raise(Phase::Finish);
                self.ending.push(signal);
            }
        }
    }

    fn seed(&mut self) -> u64 {
        let user = self.spawned * self.workers as u64 + self.number as u64;
        self.spawned += 1;
        seed_of(self.context.plan.settings.seed, user)
    }

    fn reap(&mut self) {
        self.ending.retain(|signal| Rc::strong_count(signal) > 1);
    }

    fn abort(&mut self) {
        self.ending.iter().for_each(|signal| signal.raise(Phase::Abort));
    }
}

/// How many iterations the plan wanted, and how many there were.
pub(super) fn iterations<D: Driver>(plan: &Plan<D>, parts: &[WorkerResult]) -> Iterations {
    let started = parts.iter().map(|part| part.starts).sum();
    let ended = parts.iter().map(|part| part.ended).max().unwrap_or_default();
    let span = plan.settings.users.end().map_or(ended, |end| end.min(ended));
    let planned = match plan.settings.pacing {
        Pacing::Open(rate) => {
            let known: Vec<_> = parts.iter().filter_map(|part| part.arrivals.as_ref()).collect();
            let (seed, workers) =
                (plan.settings.seed, known.first().map_or(0, |arrivals| arrivals.place().1));
            // Those of a worker that crashed were planned, too.
            let planned = |number| match known.iter().find(|known| known.place().0 == number) {
                Some(arrivals) => arrivals.planned(span),
                None => {
                    let most = plan.settings.iterations;
                    Arrivals::new(rate, number, workers, most, seed).planned(span)
                }
            };
            (0..workers).map(planned).sum()
        }
        Pacing::Closed(_) => 0,
    };
    let dropped = planned.saturating_sub(started);
    // Each worker has an equal part of the rate.
    let waited = |part: &WorkerResult| Some(part.arrivals.as_ref()?.waited(span));
    let waited: Duration = parts.iter().filter_map(waited).sum();
    let waited = waited / u32::try_from(parts.len().max(1)).unwrap_or(u32::MAX);
    let starting = parts.iter().map(|part| part.starting).sum();
    Iterations { started, planned, dropped, span, waited, starting }
}

/// What the requests lacked.
fn gaps<D: Driver>(plan: &Plan<D>, parts: &[WorkerResult]) -> Gaps {
    let mut misses = Misses::default();
    parts.iter().for_each(|part| misses.merge(&part.misses));
    let ran = |index: usize| parts.iter().any(|part| part.fates.get(index) == Some(&Fate::Ran));
    misses.gaps(plan.scenario.unresolved(ran))
}

/// Returns what was not done although the document has it: tasks that never ran, and iterations without
/// a request.
pub(super) fn idle_warnings<D: Driver>(
    plan: &Plan<D>,
    iterations: Iterations,
    parts: &[WorkerResult],
) -> Vec<String> {
    let started = iterations.started;
    if started == 0 {
        return Vec::new();
    }
    let fate = |index| parts.iter().filter_map(|part| part.fates.get(index)).max();
    let fates: Vec<Fate> = (0..plan.scenario.tasks().len())
        .map(|index| fate(index).copied().unwrap_or_default())
        .collect();
    let mut warnings = plan.scenario.idle_warnings(&fates);
    let empty: u64 = parts.iter().map(|part| part.empty).sum();
    if empty * 100 > started * WARN_PERCENT {
        warnings.push(format!("{empty} of {started} iterations made no request"));
    }
    warnings
}

/// Returns what the user should know before trusting the figures.
pub(super) fn accuracy_warnings(iterations: Iterations, parts: &[WorkerResult]) -> Vec<String> {
    let sum = |field: fn(&WorkerResult) -> u64| parts.iter().map(field).sum::<u64>();
    let late = sum(|part| part.late);
    let Iterations { started: starts, planned, dropped, span, waited, .. } = iterations;
    let (ticks, lagging) = (sum(|part| part.ticks), sum(|part| part.lagging));
    let broken = sum(|part| part.broken);
    let mut warnings = Vec::new();
    if late * 100 > starts * MUCH_PERCENT {
        warnings.push(format!(
            "the generator was the bottleneck: {late} of {starts} iterations started more than \
             10 ms late; give it more cores or a lower rate"
        ));
    } else if late * 100 > starts * WARN_PERCENT {
        warnings.push(format!(
            "{late} of {starts} iterations started more than 10 ms late: some latencies may be too \
             high"
        ));
    }
    if lagging * 100 > ticks * WARN_PERCENT && lagging > 1 {
        warnings.push(format!(
            "the generator was the bottleneck: its event loop lagged by more than 50 ms in \
             {lagging} of {ticks} ticks, so latencies are too high; give it more cores or fewer users"
        ));
    }
    if let Some(error) = parts.iter().find_map(|part| part.coarse.as_ref()) {
        warnings.push(format!(
            "iterations start up to a millisecond late: no timer of the kernel ({}); \"exact\": false \
             does without",
            reason(error)
        ));
    }
    if dropped * 100 > planned * WARN_PERCENT {
        warnings.push(format!(
            "{dropped} of {planned} planned iterations never started: {}",
            iterations.why_dropped()
        ));
    }
    if waited.as_secs_f64() * 100.0 > span.as_secs_f64() * MUCH_PERCENT as f64 {
        warnings.push(format!(
            "arrivals began {:.1} s after the start of {:.1} s, when all users had ended on_start: the \
             iterations of that time are not planned",
            waited.as_secs_f64(),
            span.as_secs_f64()
        ));
    }
    let interrupted = sum(|part| part.recorder.interrupted());
    if interrupted > 0 {
        warnings.push(format!(
            "{interrupted} requests had no response {} s after the end and were dropped; they count \
             neither as successes nor as failures",
            GRACE.as_secs()
        ));
    }
    let mut misses = Misses::default();
    parts.iter().for_each(|part| misses.merge(&part.misses));
    warnings.extend(misses.warnings());
    if broken > 0 {
        let users = if broken == 1 { "user" } else { "users" };
        warnings.push(format!("{broken} virtual {users} crashed (a bug in ldctl)"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t36_the_users_of_a_run_of_a_week_take_bounded_memory() {
        let mut curve = Vec::new();
        let changes = 12 * MOST_CHANGES;
        for change in 0..changes {
            note_users(&mut curve, Duration::from_secs(change as u64), change);
        }
        assert!((MOST_CHANGES / 2..=MOST_CHANGES).contains(&curve.len()), "{}", curve.len());
        assert!(curve.is_sorted_by_key(|change| change.at));
        assert_eq!(curve.last().map(|change| change.users as usize), Some(changes - 1));
        note_users(&mut curve, Duration::MAX, changes - 1);
        assert_ne!(curve.last().map(|change| change.at), Some(Duration::MAX), "no change");
    }
}
