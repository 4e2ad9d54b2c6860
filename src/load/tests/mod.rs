//! The engine on a paused clock: a scripted driver replaces the protocol, so the tests measure when
//! users start, wait and stop, and what is recorded, to the millisecond and without a socket. Every
//! test has a deadline by tokio's clock.

mod network;
mod pacing;
mod stopping;
mod tasks;
mod threads;
mod users;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::TestLimits;
use super::conditioner::{Conditioner, LOST};
use super::driver::{Driver, Measurement, VirtualUser};
use super::pacer::{Pacing, Wait};
use super::plan::{Plan, Settings};
use super::progress::Progress;
use super::runner::{GRACE, WorkerResult, accuracy_warnings, idle_warnings, iterations, worker};
use super::scenario::{STEP, Scenario, Task, TaskOrder, TaskSource, Throttles, Verdict};
use super::shape::{SHAPE, Shape};
use super::template::{Bindings, Compiler, Linker};
use super::users::{Commands, Users};
use crate::memory::Memory;
use crate::record::live::{Cumulative, Live};
use crate::record::stats::interpolate;
use crate::record::{Iterations, Label, LabelId, Recording};
use crate::value::{Reader, Value};

/// The deadline of every test, by tokio's clock.
const DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// One request, as the script sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Call {
    user: usize,
    task: usize,
    /// How many requests came before it, over all users.
    turn: usize,
    at: Duration,
}

/// How a scripted request ends.
#[derive(Debug, Clone, Copy)]
struct Reply {
    /// `None` hangs for ever.
    service: Option<Duration>,
    verdict: Verdict,
    /// Whether it makes a request, or is a task that makes none.
    recorded: bool,
}

fn passes_after(service: Duration) -> Reply {
    Reply { service: Some(service), verdict: Verdict::Passed, recorded: true }
}

fn fails(verdict: Verdict) -> Reply {
    Reply { service: Some(Duration::ZERO), verdict, recorded: true }
}

const MILLI: Duration = Duration::from_millis(1);

/// A percentile of sorted microseconds, in milliseconds.
fn percentile(sorted: &[u64], at: f64) -> f64 {
    interpolate(sorted.len(), at, |index| sorted[index] as f64) / 1000.0
}

type Act = Box<dyn Fn(Call) -> Reply + Send + Sync>;

/// A driver that follows a script and keeps the calls it got.
struct Script {
    act: Act,
    calls: Arc<Mutex<Vec<Call>>>,
    present: Arc<AtomicUsize>,
    users: AtomicUsize,
    begin: Instant,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Script")
    }
}

/// A user that is counted while it exists.
#[derive(Debug)]
struct User {
    number: usize,
    in_progress: bool,
    present: Arc<AtomicUsize>,
}

impl Drop for User {
    fn drop(&mut self) {
        self.present.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Driver for Script {
    type Worker = ();
    type User = User;

    fn worker(&self) {}

    fn user(&self) -> User {
        self.present.fetch_add(1, Ordering::Relaxed);
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        User { number, in_progress: false, present: Arc::clone(&self.present) }
    }

    async fn perform(
        &self,
        _: &(),
        user: &mut User,
        task: usize,
        virtual_user: &mut VirtualUser,
    ) -> Verdict {
        let start = Instant::now();
        let call = {
            let mut calls = self.calls.lock().expect("calls");
            let at = start - self.begin;
            let call = Call { user: user.number, task, turn: calls.len(), at };
            calls.push(call);
            call
        };
        let name: Arc<str> = format!("task {task}").into();
        let label = Label { method: "GET".into(), url: Arc::clone(&name), name };
        let label = virtual_user.recorder().borrow_mut().label(label);
        user.in_progress = true;
        let reply = (self.act)(call);
        match reply.service {
            Some(service) => sleep(service).await,
            None => std::future::pending().await,
        }
        user.in_progress = false;
        if reply.recorded {
            let failed = reply.verdict != Verdict::Passed;
            virtual_user.record(measured(label, start, failed.then_some("scripted")));
        }
        reply.verdict
    }

    fn abandon(&self, _: &(), user: &mut User, virtual_user: &mut VirtualUser) {
        if std::mem::take(&mut user.in_progress) {
            virtual_user.interrupt();
        }
    }
}

fn measured(label: LabelId, start: Instant, error: Option<&str>) -> Measurement<'_> {
    Measurement { label, start, end: Instant::now(), status: 200, bytes: 1, error, body: &[] }
}

/// A plan of these tasks, which have only the engine's fields.
fn plan(
    mode: TaskOrder,
    first: usize,
    tasks: &str,
    driver: Script,
    bindings: Bindings<'_>,
    settings: Settings,
    network: Option<Conditioner>,
) -> Plan<Script> {
    let tasks = Value::parse(tasks).expect("JSON");
    let (mut compiler, mut throttles) = (Compiler::default(), Throttles::default());
    let steps = Reader::at(&tasks, "/tasks")
        .list()
        .expect("a list")
        .iter()
        .map(|task| {
            let mut fields = task.fields(STEP).expect("a task");
            let mut step = Task::parse(&mut fields, &mut compiler, &mut throttles).expect("a step");
            step.keep_title(task.value(), 0);
            step
        })
        .collect();
    let mut linker = Linker::new(compiler, bindings);
    let mut scenario = Scenario::new(mode, first, steps).link(&mut linker).expect("a scenario");
    if let Some(network) = network {
        let sources = super::scenario::tasks(&Reader::at(&tasks, "/tasks"), &TestLimits::default());
        let names: Vec<String> =
            sources.expect("tasks").tasks.iter().map(TaskSource::written).collect();
        scenario.pass(&Arc::new(network), names.iter().map(String::as_str));
    }
    Plan { settings, scenario, driver, names: Arc::new(linker.names()) }
}

/// A test of the engine, described by its setup.
struct Scene {
    users: Users,
    pacing: Pacing,
    mode: TaskOrder,
    tasks: &'static str,
    /// How many of the tasks belong to `on_start`.
    first: usize,
    act: Act,
    workers: usize,
    iterations: Option<u64>,
    network: Option<Conditioner>,
    /// When the caller stops it.
    stop_at: Option<Duration>,
    cumulative: Arc<Cumulative>,
}

/// The result.
struct Run {
    calls: Vec<Call>,
    /// The number of users at each requested moment.
    seen: Vec<(Duration, usize)>,
    recording: Recording,
    live: Arc<Live>,
    warnings: Vec<String>,
    starts: u64,
    iterations: Iterations,
    broken: u64,
    elapsed: Duration,
}

fn wait(json: &str) -> Wait {
    let value = Value::parse(json).expect("JSON");
    Wait::parse(&Reader::at(&value, "/wait_time")).expect("a wait")
}

fn closed(json: &str) -> Pacing {
    Pacing::Closed(wait(json))
}

fn users(count: u64, seconds: f64) -> Scene {
    Scene {
        users: Shape::immediate(count, Some(seconds)).into(),
        pacing: closed("0"),
        mode: TaskOrder::Sequence,
        tasks: "[{}]",
        first: 0,
        act: Box::new(|_| passes_after(MILLI)),
        workers: 1,
        iterations: None,
        network: None,
        stop_at: None,
        cumulative: Arc::default(),
    }
}

impl Scene {
    fn shape(self, shape: Shape) -> Self {
        self.users(shape)
    }

    fn users(self, users: impl Into<Users>) -> Self {
        Self { users: users.into(), ..self }
    }

    fn pacing(self, pacing: Pacing) -> Self {
        Self { pacing, ..self }
    }

    fn tasks(self, mode: TaskOrder, tasks: &'static str) -> Self {
        Self { mode, tasks, ..self }
    }

    fn on_start(self, first: usize) -> Self {
        Self { first, ..self }
    }

    fn act(self, act: impl Fn(Call) -> Reply + Send + Sync + 'static) -> Self {
        Self { act: Box::new(act), ..self }
    }

    fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    fn iterations(self, iterations: u64) -> Self {
        Self { iterations: Some(iterations), ..self }
    }

    fn through(self, network: Conditioner) -> Self {
        Self { network: Some(network), ..self }
    }

    fn stop_at(self, at: Duration) -> Self {
        Self { stop_at: Some(at), ..self }
    }

    fn feeding(self, cumulative: &Arc<Cumulative>) -> Self {
        Self { cumulative: Arc::clone(cumulative), ..self }
    }

    /// Runs it, and counts the users at these moments.
    async fn watch(self, moments: Vec<Duration>) -> Run {
        timeout(DEADLINE, LocalSet::new().run_until(self.play(moments))).await.expect("an end")
    }

    async fn run(self) -> Run {
        self.watch(Vec::new()).await
    }

    async fn play(self, moments: Vec<Duration>) -> Run {
        let begin = Instant::now();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let present = Arc::new(AtomicUsize::new(0));
        let driver = Script {
            act: self.act,
            calls: Arc::clone(&calls),
            present: Arc::clone(&present),
            users: AtomicUsize::new(0),
            begin,
        };
        let bindings = Bindings {
            variable: &|name| (name == "on").then(|| "True".to_owned()),
            ..Bindings::NONE
        };
        let settings = Settings {
            users: self.users,
            pacing: self.pacing,
            keep_bodies: false,
            iterations: self.iterations,
            trace: None,
            seed: 42,
        };
        let plan = Arc::new(plan(
            self.mode,
            self.first,
            self.tasks,
            driver,
            bindings,
            settings,
            self.network,
        ));
        let live = Arc::new(Live::feeding(self.cumulative));
        let stop = CancellationToken::new();
        let work: Vec<_> = (0..self.workers)
            .map(|number| {
                let (plan, live, stop) = (Arc::clone(&plan), Arc::clone(&live), stop.clone());
                let workers = self.workers;
                tokio::task::spawn_local(async move {
                    worker(plan, number, workers, begin, &live, stop).await
                })
            })
            .collect();
        if let Some(at) = self.stop_at {
            tokio::task::spawn_local(async move {
                sleep_until(begin + at).await;
                stop.cancel();
            });
        }
        let mut seen = Vec::new();
        for moment in moments {
            sleep_until(begin + moment).await;
            seen.push((moment, present.load(Ordering::Relaxed)));
        }
        let mut parts: Vec<WorkerResult> = Vec::new();
        for work in work {
            parts.push(work.await.expect("a worker"));
        }
        assert_eq!(live.users(), 0, "users are left in the count");
        let iterations = iterations(&plan, &parts);
        let mut warnings = accuracy_warnings(iterations, &parts);
        warnings.extend(idle_warnings(&plan, iterations, &parts));
        let starts = parts.iter().map(|part| part.starts).sum();
        let broken = parts.iter().map(|part| part.broken).sum();
        let recorders = parts.into_iter().map(|part| part.recorder).collect();
        let calls = std::mem::take(&mut *calls.lock().expect("calls"));
        Run {
            calls,
            seen,
            recording: Recording::new(SystemTime::now(), recorders),
            live,
            warnings,
            starts,
            iterations,
            broken,
            elapsed: begin.elapsed(),
        }
    }
}

impl Run {
    /// The start times of a user's requests.
    fn of_user(&self, user: usize) -> Vec<Duration> {
        self.calls.iter().filter(|call| call.user == user).map(|call| call.at).collect()
    }

    fn errors(&self) -> Vec<&str> {
        self.recording.rows().filter_map(|row| row.error).collect()
    }

    /// Percentiles 50, 90 and 99 of a time over all requests, in milliseconds.
    fn percentiles(&self, time: impl Fn(&crate::record::Row<'_>) -> f64) -> [f64; 3] {
        let mut all: Vec<u64> =
            self.recording.rows().map(|row| (time(&row) * 1000.0) as u64).collect();
        all.sort_unstable();
        [50.0, 90.0, 99.0].map(|at| percentile(&all, at))
    }
}

fn shape(name: &str, config: &str) -> Shape {
    let (name, config) = (Value::from(name), Value::parse(config).expect("JSON"));
    let mut fields = Reader::at(&config, "/shape_config").fields(SHAPE).expect("an object");
    Shape::parse(&Reader::at(&name, "/load_shape"), &mut fields, &TestLimits::default())
        .expect("a shape")
}
