//! The engine on a paused clock: a scripted driver replaces the protocol, so the tests measure when
//! users start, wait and stop, and what is recorded, to the millisecond and without a socket. Every
//! test has a deadline by tokio's clock.

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

fn seconds(count: u64) -> Vec<Duration> {
    // Half past each second: corners of a shape lie on full seconds.
    (0..count).map(|second| Duration::from_secs(second) + Duration::from_millis(500)).collect()
}

fn shape(name: &str, config: &str) -> Shape {
    let (name, config) = (Value::from(name), Value::parse(config).expect("JSON"));
    let mut fields = Reader::at(&config, "/shape_config").fields(SHAPE).expect("an object");
    Shape::parse(&Reader::at(&name, "/load_shape"), &mut fields, &TestLimits::default())
        .expect("a shape")
}

/// Checks that the users follow the shape within one user or 2 % at each second, over two workers.
async fn check_curve(shape: Shape, lasts: u64) {
    let plan = shape.clone();
    let scene = users(0, 0.0).shape(shape).pacing(closed("0.1")).workers(2);
    let run = scene.watch(seconds(lasts)).await;
    for (at, seen) in run.seen {
        let want = plan.users(at) as f64;
        let off = (seen as f64 - want).abs();
        assert!(off <= (want * 0.02).max(1.0), "at {at:?}: {seen} users instead of {want}");
    }
}

const NETWORK: Conditioner =
    Conditioner { latency_ms: 50.0, jitter_ms: 0.0, loss_rate: 0.0, name_filter: None };

fn services(run: &Run) -> Vec<(String, Duration, Option<String>)> {
    let rows = run.recording.rows();
    rows.map(|row| {
        let took = Duration::from_secs_f64(row.service_ms / 1000.0);
        (row.label.name.to_string(), took, row.error.map(str::to_owned))
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn the_latency_of_a_simulated_network_is_part_of_the_measured_time() {
    let run = users(1, 1.0).act(|_| passes_after(10 * MILLI)).through(NETWORK).run().await;
    let services = services(&run);
    assert!((15..=17).contains(&services.len()), "{services:?}");
    assert!(services.iter().all(|(_, took, error)| *took == 60 * MILLI && error.is_none()));
    assert_eq!(run.of_user(0)[..2], [50 * MILLI, 110 * MILLI], "when the target sees them");
}

#[tokio::test(start_paused = true)]
async fn an_open_model_counts_the_simulated_latency_once() {
    let run = users(5, 1.0)
        .pacing(Pacing::Open { rate: 10.0 })
        .act(|_| passes_after(10 * MILLI))
        .through(NETWORK)
        .run()
        .await;
    let latencies: Vec<f64> = run.recording.rows().map(|row| row.response_ms.round()).collect();
    assert_eq!(latencies, [60.0; 10]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_a_failure_of_the_task_that_it_concerns_and_is_retried() {
    const TASKS: &str = r#"[{"name": "task 0", "retry": {"transient": 1, "base_delay": 0.1, "jitter": 0}},
                            {"name": "task 1"}]"#;
    let run = users(1, 1.0)
        .tasks(TaskOrder::Sequence, TASKS)
        .iterations(1)
        .through(Conditioner { loss_rate: 1.0, name_filter: Some("0".to_owned()), ..NETWORK })
        .run()
        .await;
    let lost = ("task 0".to_owned(), 51 * MILLI, Some(LOST.to_owned()));
    let passed = ("task 1".to_owned(), MILLI, None);
    assert_eq!(services(&run), [lost.clone(), lost, passed]);
    assert!(run.recording.rows().all(|row| row.failed() == (row.status == Some(0))));
}

#[tokio::test(start_paused = true)]
async fn users_start_at_the_spawn_rate() {
    check_curve(Shape::constant(500, 37.0, Some(20.0)), 20).await;
    check_curve(Shape::constant(7, 0.5, Some(20.0)), 20).await;
}

#[tokio::test(start_paused = true)]
async fn users_follow_commands_at_once_up_and_down_over_all_workers() {
    let commands = Commands::new(70, Some(Duration::from_secs(8)));
    let scene = users(0, 0.0).users(Users::Commanded(Arc::clone(&commands)));
    let scene = scene.pacing(closed("0.01")).workers(3);
    let giver = Arc::clone(&commands);
    let give = async move {
        for (at, users) in [(1, 50), (2, 51), (3, 7), (4, 900), (5, 0), (6, 1)] {
            sleep_until(Instant::now() + Duration::from_secs(1)).await;
            assert_eq!(giver.set(users), users.min(70), "{at}");
        }
    };
    let watched: Vec<Duration> = (0..8).map(|n| Duration::from_millis(n * 1000 + 100)).collect();
    let (run, ()) = tokio::join!(scene.watch(watched), give);
    let seen: Vec<usize> = run.seen.iter().map(|(_, seen)| *seen).collect();
    assert_eq!(seen, [0, 50, 51, 7, 70, 0, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_command_ends_the_test_and_drops_what_hangs_only_when_told_to() {
    let commands = Commands::new(10, None);
    let scene = users(0, 0.0).users(Users::Commanded(Arc::clone(&commands))).workers(2);
    // Users of even numbers hang.
    let scene = scene.act(|call| match call.user % 2 {
        0 => Reply { service: None, verdict: Verdict::Passed, recorded: true },
        _ => passes_after(MILLI),
    });
    let giver = Arc::clone(&commands);
    let give = async move {
        let pause = async |millis| sleep(Duration::from_millis(millis)).await;
        giver.set(8);
        pause(500).await;
        assert_eq!(giver.busy(), 8);
        giver.set(0);
        pause(1000).await;
        assert_eq!(giver.busy(), 4, "those that hang");
        giver.drop_unfinished();
        pause(100).await;
        assert_eq!(giver.busy(), 0);
        giver.set(1);
        pause(100).await;
        assert_eq!(giver.busy(), 1, "it goes on");
        giver.end();
        assert_eq!((giver.set(5), giver.users()), (5, 0), "the end is the last command");
    };
    let (run, ()) = tokio::join!(scene.watch(Vec::new()), give);
    assert_eq!(run.recording.interrupted(), 5);
    assert!(run.elapsed < Duration::from_millis(1800) + GRACE, "{:?}", run.elapsed);
}

#[tokio::test(start_paused = true)]
async fn users_follow_every_shape_up_and_down() {
    let stages = r#"{"stages": [{"duration": 10, "users": 200, "spawn_rate": 50},
                                {"duration": 10, "users": 20, "spawn_rate": 30},
                                {"duration": 5, "users": 100, "spawn_rate": 1000}]}"#;
    check_curve(shape("stages", stages), 25).await;
    let spike = r#"{"baseline_users": 10, "spike_users": 300, "spawn_rate": 100,
                    "pre_seconds": 5, "spike_seconds": 10, "post_seconds": 10}"#;
    check_curve(shape("spike", spike), 25).await;
    let soak = r#"{"users": 150, "ramp_seconds": 10, "hold_seconds": 5, "cooldown_seconds": 10}"#;
    check_curve(shape("soak", soak), 25).await;
}

#[tokio::test(start_paused = true)]
async fn a_test_ends_with_its_shape() {
    let run = users(10, 3.0).pacing(closed("0.1")).run().await;
    assert!(run.calls.iter().all(|call| call.at < Duration::from_secs(3)));
    assert!(run.elapsed < Duration::from_secs(3) + 2 * MILLI, "{:?}", run.elapsed);
    assert_eq!(run.recording.len(), run.calls.len());
}

#[tokio::test(start_paused = true)]
async fn closed_users_wait_between_their_iterations() {
    let run = users(20, 30.0).pacing(Pacing::Closed(Wait::DEFAULT)).run().await;
    let mut gaps = Vec::new();
    for user in 0..20 {
        let starts = run.of_user(user);
        // Each gap is the request's millisecond, the wait, and up to a millisecond of the timer.
        gaps.extend(starts.windows(2).map(|pair| (pair[1] - pair[0] - MILLI).as_secs_f64()));
    }
    assert!(gaps.iter().all(|gap| (0.1..=0.202).contains(gap)), "{gaps:?}");
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!((0.147..0.153).contains(&mean), "{mean}");
}

#[tokio::test(start_paused = true)]
async fn a_second_run_counts_from_zero_and_the_cumulative_figures_keep_growing() {
    let cumulative = Arc::default();
    let mut sum = 0;
    for seconds in [2.0, 1.0] {
        let run = users(3, seconds).workers(2).act(|_| passes_after(10 * MILLI));
        let live = run.feeding(&cumulative).run().await.live;
        assert_eq!(live.requests(), (seconds as u64 * 300, 0));
        sum += live.total().requests;
        assert_eq!(cumulative.counts().iter().map(|row| row.requests).sum::<u64>(), sum);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_the_next_iteration_starts_immediately() {
    let run = users(1, 1.0).act(|_| passes_after(10 * MILLI)).run().await;
    assert_eq!(run.calls.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn open_arrivals_keep_their_rate_however_slow_the_responses() {
    for (rate, workers) in [(200.0, 2), (37.0, 1), (1000.0, 3)] {
        let run = users(600, 20.0)
            .pacing(Pacing::Open { rate })
            .workers(workers)
            .act(|call| passes_after(MILLI * (call.turn % 200) as u32))
            .run()
            .await;
        for second in 0..20 {
            let starts = run.calls.iter().filter(|call| call.at.as_secs() == second).count();
            let off = (starts as f64 - rate).abs();
            assert!(off <= (rate * 0.01).max(1.0), "{starts} in second {second} at {rate}");
        }
        assert_eq!(run.starts, (rate * 20.0) as u64);
        assert_eq!(run.warnings, [""; 0]);
    }
}

/// A target that responds in 2 ms, except between the fifth and the sixth second.
fn stalls(call: Call) -> Reply {
    let (from, to) = (Duration::from_secs(5), Duration::from_secs(6));
    let stalled = (from..to).contains(&call.at);
    passes_after(if stalled { to - call.at } else { 2 * MILLI })
}

#[tokio::test(start_paused = true)]
async fn a_stalled_target_shows_in_response_time_but_hides_in_service_time() {
    let run = users(10, 20.0).pacing(Pacing::Open { rate: 100.0 }).act(stalls).run().await;
    assert_eq!(run.recording.len(), 2000, "every arrival is made, late or not");
    let [_, _, service] = run.percentiles(|row| row.service_ms);
    let [_, _, response] = run.percentiles(|row| row.response_ms);
    println!("p99 over a stall of one second: service {service} ms, response {response} ms");
    assert!(service < 5.0, "p99 of service time: {service} ms");
    // 1 % of 2000 requests waited longer than about 0.8 s of the stalled second.
    assert!((700.0..1000.0).contains(&response), "p99 of response time: {response} ms");
}

#[tokio::test(start_paused = true)]
async fn a_closed_model_records_no_delay() {
    let run = users(10, 20.0).act(stalls).run().await;
    assert!(run.recording.rows().all(|row| row.response_ms == row.service_ms));
}

#[tokio::test(start_paused = true)]
async fn arrivals_without_a_free_user_cause_a_warning() {
    let run = users(2, 10.0)
        .pacing(Pacing::Open { rate: 100.0 })
        .act(|_| passes_after(100 * MILLI))
        .run()
        .await;
    assert_eq!(
        run.warnings,
        ["800 of 1000 planned iterations never started: all max_users were busy; raise max_users \
          or lower the rate"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_requests_in_progress_finish_and_starts_no_others() {
    let stop = Duration::from_millis(2100);
    let run = users(5, 60.0).act(|_| passes_after(500 * MILLI)).stop_at(stop).run().await;
    assert!(run.calls.iter().all(|call| call.at <= stop));
    assert_eq!(run.recording.len(), run.calls.len());
    assert_eq!(run.errors(), [""; 0]);
    let half = Duration::from_millis(2500);
    assert!((half..half + 10 * MILLI).contains(&run.elapsed), "{:?}", run.elapsed);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_waiting_users() {
    let tasks = r#"[{"think_time": 1000}, {"throttle": {"rps": 0.001}}]"#;
    for scene in [
        users(5, 600.0).pacing(closed("1000")),
        users(5, 600.0).tasks(TaskOrder::Sequence, tasks),
        users(5, 600.0).tasks(TaskOrder::Sequence, r#"[{"throttle": {"rps": 0.001}}]"#),
        users(5, 600.0).pacing(Pacing::Open { rate: 0.001 }),
        users(5, 600.0)
            .tasks(TaskOrder::Sequence, r#"[{"retry": {"base_delay": 1000, "max_delay": 1000}}]"#)
            .act(|_| fails(Verdict::Transient)),
    ] {
        let run = scene.stop_at(Duration::from_secs(2)).run().await;
        assert!(run.elapsed < Duration::from_secs(2) + 10 * MILLI, "{:?}", run.elapsed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_an_iteration_skips_its_other_tasks() {
    let run = users(3, 60.0)
        .tasks(TaskOrder::Sequence, "[{}, {}, {}]")
        .act(|_| passes_after(Duration::from_secs(1)))
        .stop_at(Duration::from_millis(1500))
        .run()
        .await;
    let tasks: Vec<usize> = run.calls.iter().map(|call| call.task).collect();
    assert_eq!(tasks, [0, 0, 0, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn requests_that_hang_are_dropped_after_the_grace_and_counted_apart() {
    let hangs = Reply { service: None, verdict: Verdict::Passed, recorded: true };
    let act = move |call: Call| if call.user < 2 { hangs } else { passes_after(MILLI) };
    let run = users(5, 2.0).pacing(closed("0.1")).act(act).run().await;
    let end = Duration::from_secs(2) + GRACE;
    assert!((end..end + 10 * MILLI).contains(&run.elapsed), "{:?}", run.elapsed);
    assert_eq!(run.errors(), [""; 0]);
    assert_eq!((run.recording.len() + 2, run.recording.interrupted()), (run.calls.len(), 2));
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_in_a_simulated_network_at_the_end_are_counted_apart() {
    let network = Conditioner { latency_ms: 20_000.0, ..NETWORK };
    let run = users(5, 1.0).through(network).run().await;
    assert_eq!((run.calls.len(), run.recording.len(), run.recording.interrupted()), (0, 0, 5));
    assert!(run.warnings.iter().any(|text| text.starts_with("5 requests had no response")));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_behind_a_simulated_network_is_counted_once() {
    let hangs = Reply { service: None, ..passes_after(MILLI) };
    let run = users(3, 1.0).act(move |_| hangs).through(NETWORK).run().await;
    assert_eq!((run.calls.len(), run.recording.interrupted()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn users_removed_by_a_shape_finish_their_requests_in_progress() {
    let shape = shape(
        "stages",
        r#"{"stages": [{"duration": 2, "users": 10, "spawn_rate": 1000},
                       {"duration": 2, "users": 1, "spawn_rate": 1000}]}"#,
    );
    let run = users(0, 0.0).shape(shape).act(|_| passes_after(700 * MILLI)).run().await;
    assert_eq!(run.errors(), [""; 0]);
    assert_eq!(run.recording.len(), run.calls.len());
    assert!(run.calls.iter().filter(|call| call.user > 0).all(|call| call.at.as_secs() < 3));
}

#[tokio::test(start_paused = true)]
async fn a_failed_task_is_retried_with_growing_delays() {
    let run = users(1, 60.0)
        .pacing(closed("1000"))
        .tasks(
            TaskOrder::Sequence,
            r#"[{"retry": {"transient": 3, "base_delay": 1, "jitter": 0}}, {}]"#,
        )
        .act(|call| match call.task {
            0 => fails(Verdict::Transient),
            _ => passes_after(MILLI),
        })
        .run()
        .await;
    let starts: Vec<(usize, u64)> =
        run.calls.iter().map(|call| (call.task, call.at.as_secs())).collect();
    assert_eq!(starts, [(0, 0), (0, 1), (0, 3), (0, 7), (1, 7)]);
    assert_eq!(run.errors().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_failure_has_its_own_budget() {
    let tries = |tasks, verdict| async move {
        let scene = users(1, 900.0).pacing(closed("1000")).tasks(TaskOrder::Sequence, tasks);
        scene.act(move |_| fails(verdict)).run().await.calls.len()
    };
    assert_eq!(tries(r#"[{"retry": {}}]"#, Verdict::Transient).await, 6);
    assert_eq!(tries(r#"[{"retry": {}}]"#, Verdict::Flaky).await, 3);
    assert_eq!(tries(r#"[{"retry": {}}]"#, Verdict::Permanent).await, 1);
    assert_eq!(tries(r#"[{"retry": {"permanent": 2}}]"#, Verdict::Permanent).await, 3);
    assert_eq!(tries("[{}]", Verdict::Transient).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_holds_its_rate_over_all_users_and_workers() {
    let run = users(50, 10.0)
        .tasks(TaskOrder::Sequence, r#"[{"throttle": {"key": "k", "rps": 40, "burst": 8}}]"#)
        .workers(2)
        .run()
        .await;
    for second in 1..10 {
        let starts = run.calls.iter().filter(|call| call.at.as_secs() == second).count();
        assert!((39..=41).contains(&starts), "{starts} in second {second}");
    }
    let first = run.calls.iter().filter(|call| call.at.as_secs() == 0).count();
    assert!((47..=49).contains(&first), "a burst of 8 and 40 in the first second: {first}");
}

#[tokio::test(start_paused = true)]
async fn tasks_without_a_key_share_a_throttle_by_name() {
    let tasks = r#"[{"name": "a", "throttle": {"rps": 1, "burst": 1}},
                    {"name": "b", "throttle": {"rps": 100}}]"#;
    let run = users(10, 10.0).tasks(TaskOrder::Weighted, tasks).run().await;
    let slow = run.calls.iter().filter(|call| call.task == 0).count();
    assert!((9..=11).contains(&slow), "{slow}");
}

#[tokio::test(start_paused = true)]
async fn a_user_thinks_after_its_task() {
    let run = users(1, 60.0)
        .tasks(TaskOrder::Sequence, r#"[{"think_time": 2}, {"think_time": {"min": 3, "max": 4}}]"#)
        .run()
        .await;
    let starts = run.of_user(0);
    for pair in starts.windows(2).step_by(2) {
        assert_eq!((pair[1] - pair[0]).as_secs(), 2);
    }
    for pair in starts[1..].windows(2).step_by(2) {
        assert!((3..=4).contains(&(pair[1] - pair[0]).as_secs()));
    }
}

#[tokio::test(start_paused = true)]
async fn weights_decide_how_often_a_task_runs() {
    let tasks = r#"[{"weight": 1}, {"weight": 0}, {"weight": 3}]"#;
    let run = users(10, 40.0).pacing(closed("0.1")).tasks(TaskOrder::Weighted, tasks).run().await;
    let of = |task| run.calls.iter().filter(|call| call.task == task).count() as f64;
    assert_eq!(of(1), 0.0);
    assert!((2.7..3.3).contains(&(of(2) / of(0))), "{} and {}", of(2), of(0));
}

#[tokio::test(start_paused = true)]
async fn tasks_of_on_start_run_once_and_in_order_before_a_users_first_iteration() {
    let tasks = r#"[{"weight": 9}, {"run_if": "${off}"}, {}, {"weight": 1}, {"weight": 1}]"#;
    let scene = || users(5, 10.0).pacing(closed("1")).on_start(3);
    for mode in [TaskOrder::Weighted, TaskOrder::Sequence] {
        let run = scene().tasks(mode, tasks).run().await;
        for user in 0..5 {
            let calls = run.calls.iter().filter(|call| call.user == user);
            let tasks: Vec<usize> = calls.map(|call| call.task).collect();
            assert_eq!(tasks[..2], [0, 2], "user {user}");
            assert!(tasks[2..].iter().all(|task| [3, 4].contains(task)), "{tasks:?}");
            assert!(tasks[2..].contains(&3) && tasks[2..].contains(&4), "{tasks:?}");
        }
        assert_eq!(run.live.requests().0, run.calls.len() as u64, "all are recorded");
        let iterations = if mode == TaskOrder::Weighted { 1 } else { 2 };
        assert_eq!(run.starts * iterations, run.calls.len() as u64 - 10, "they are no iteration");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_on_start_does_not_stop_the_user() {
    let act = |call: Call| match call.task {
        0 => fails(Verdict::Permanent),
        _ => passes_after(MILLI),
    };
    let scene = users(1, 10.0).tasks(TaskOrder::Sequence, "[{}, {}]").on_start(1);
    let run = scene.act(act).iterations(3).run().await;
    let tasks: Vec<usize> = run.calls.iter().map(|call| call.task).collect();
    assert_eq!((tasks, run.starts), (vec![0, 1, 1, 1], 3));
}

#[tokio::test(start_paused = true)]
async fn an_open_model_waits_for_arrivals_after_on_start() {
    let open = Pacing::Open { rate: 1.0 };
    let act = |call: Call| passes_after(if call.task == 0 { 500 * MILLI } else { MILLI });
    let scene = users(3, 10.0).tasks(TaskOrder::Weighted, "[{}, {}]").on_start(1);
    let run = scene.pacing(open).act(act).run().await;
    let first: Vec<&Call> = run.calls.iter().take(3).collect();
    assert!(first.iter().all(|call| call.task == 0 && call.at < MILLI), "{first:?}");
    assert!(run.calls[3..].iter().all(|call| call.task == 1), "{:?}", run.calls);
    assert!((9..=10).contains(&run.starts), "{}", run.starts);
}

#[tokio::test(start_paused = true)]
async fn arrivals_begin_when_all_users_have_ended_on_start() {
    for workers in [1, 2] {
        // Some log in within one second, others within two.
        let act = |call: Call| match call.task {
            0 => passes_after(Duration::from_secs(1 + call.user as u64 / 2 % 2)),
            _ => passes_after(MILLI),
        };
        let scene = users(10, 6.0).tasks(TaskOrder::Sequence, "[{}, {}]").on_start(1);
        let run = scene.pacing(Pacing::Open { rate: 50.0 }).act(act).workers(workers).run().await;
        let first = run.calls.iter().filter(|call| call.task == 1).map(|call| call.at).min();
        let begin = Duration::from_secs(2);
        assert!(
            first.is_some_and(|first| (begin..begin + 2 * MILLI).contains(&first)),
            "{first:?}"
        );
        let said = "arrivals began 2.0 s after the start of 6.0 s, when all users had ended on_start: \
                    the iterations of that time are not planned";
        assert_eq!((run.starts, &run.warnings[..]), (200, &[said.to_owned()][..]));
        let rates = (run.iterations.rate(), run.iterations.planned_rate());
        assert!(rates.0.is_some_and(|rate| (49.9..50.1).contains(&rate)), "{rates:?}");
        assert!(rates.1.is_some_and(|rate| (49.9..50.1).contains(&rate)), "{rates:?}");
        let late = run.recording.rows().map(|row| row.response_ms - row.service_ms);
        assert!(late.into_iter().all(|late| late < 2.0), "their time counts as latency");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_hangs_in_on_start_ends_with_the_test_and_the_load_counts_as_dropped() {
    let hangs = Reply { service: None, ..passes_after(MILLI) };
    let act = move |call: Call| if call.user == 1 { hangs } else { passes_after(MILLI) };
    let scene = users(2, 4.0).tasks(TaskOrder::Sequence, "[{}, {}]").on_start(1);
    let run = scene.pacing(Pacing::Open { rate: 50.0 }).act(act).run().await;
    assert_eq!((run.calls.len(), run.starts), (2, 0));
    let dropped = "200 of 200 planned iterations never started: arrivals wait until all users have \
                   ended on_start, and 1 had not; give its tasks a shorter timeout, or the test more time";
    assert!(run.warnings.iter().any(|text| text == dropped), "{:?}", run.warnings);
    let whole = Duration::from_secs(4);
    assert_eq!((run.iterations.span, run.iterations.waited), (whole, Duration::ZERO));
    // Of two workers the other one makes its part.
    let scene = users(2, 4.0).tasks(TaskOrder::Sequence, "[{}, {}]").on_start(1).workers(2);
    let run = scene.pacing(Pacing::Open { rate: 50.0 }).act(act).run().await;
    let Iterations { started, dropped, starting, .. } = run.iterations;
    assert_eq!((started, dropped, starting), (100, 100, 1));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_test_also_ends_users_in_on_start() {
    let hangs = Reply { service: None, ..passes_after(MILLI) };
    let scene = users(2, 1.0).tasks(TaskOrder::Sequence, "[{}, {}]").on_start(1);
    let run = scene.act(move |_| hangs).run().await;
    assert_eq!(run.calls.len(), 2);
    assert!(run.warnings.iter().any(|text| text.starts_with("2 requests had no response")));
    assert_eq!(run.starts, 0);
}

#[tokio::test(start_paused = true)]
async fn tasks_that_never_ran_are_warned_about_unless_they_are_switched_off() {
    let sequence = r#"[{"name": "fine"}, {"name": "items", "run_if": "${off}"}, {"run_if": false},
                       {"skip_if": true}, {"url": "/a", "skip_if": "${on}"}]"#;
    let weighted = r#"[{"name": "fine", "weight": 1000000}, {"name": "rare"}, {"weight": 0}]"#;
    for (mode, tasks, warning) in [
        (
            TaskOrder::Sequence,
            sequence,
            "task \"items\" and 1 more never ran, each because its conditions did not hold",
        ),
        (TaskOrder::Weighted, weighted, "task \"rare\" never ran: no iteration drew it"),
    ] {
        let run = users(1, 5.0).pacing(closed("1")).tasks(mode, tasks).run().await;
        assert_eq!(run.warnings, [warning]);
    }
    let hangs = Reply { service: None, ..passes_after(MILLI) };
    let tasks = r#"[{"name": "slow"}, {"name": "next"}]"#;
    let run = users(1, 1.0).tasks(TaskOrder::Sequence, tasks).act(move |_| hangs).run().await;
    let next = "task \"next\" never ran: no user got that far".to_owned();
    assert!(run.warnings.contains(&next), "{:?}", run.warnings);
}

#[tokio::test(start_paused = true)]
async fn iterations_without_a_request_are_counted_in_a_warning() {
    let act = |call: Call| Reply { recorded: call.turn < 1, ..passes_after(MILLI) };
    let run = users(1, 10.0).act(act).iterations(4).run().await;
    assert_eq!(run.warnings, ["3 of 4 iterations made no request"]);
}

#[tokio::test(start_paused = true)]
async fn conditions_decide_whether_a_task_runs() {
    let tasks = r#"[{"run_if": "${on}"}, {"run_if": "${off}"}, {"skip_if": "${on}"},
                    {"skip_if": {"equals": ["${on}", "x"]}}]"#;
    let run = users(1, 1.0).pacing(closed("10")).tasks(TaskOrder::Sequence, tasks).run().await;
    let tasks: Vec<usize> = run.calls.iter().map(|call| call.task).collect();
    assert_eq!(tasks, [0, 3]);
}

#[tokio::test(start_paused = true)]
async fn users_without_a_target_do_not_spin() {
    let refused = || users(10, 10.0).act(|_| fails(Verdict::Transient));
    let per_user = |run: Run| run.calls.len() / 10;
    assert!(per_user(refused().run().await) <= 100);
    let retry = r#"[{"retry": {"transient": 1000000000, "base_delay": 0}}]"#;
    assert!(per_user(refused().tasks(TaskOrder::Sequence, retry).run().await) <= 1000);
    let none = Reply { recorded: false, ..passes_after(Duration::ZERO) };
    assert!(per_user(users(10, 10.0).act(move |_| none).run().await) <= 100);
}

#[tokio::test(start_paused = true)]
async fn a_scenario_that_runs_nothing_does_not_spin_and_ends() {
    for (mode, tasks) in [
        (TaskOrder::Weighted, r#"[{"weight": 0}]"#),
        (TaskOrder::Sequence, r#"[{"run_if": false}]"#),
    ] {
        let run = users(10, 10.0).tasks(mode, tasks).run().await;
        assert_eq!((run.calls.len(), run.elapsed.as_secs()), (0, 10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_crashed_user_does_not_stop_the_others() {
    let act = |call: Call| {
        assert!(call.user != 1, "scripted");
        passes_after(MILLI)
    };
    let run = users(3, 5.0).pacing(closed("1")).act(act).run().await;
    assert_eq!(run.broken, 1);
    assert_eq!((run.of_user(0).len(), run.of_user(2).len()), (5, 5));
    assert_eq!(run.warnings, ["1 virtual user crashed (a bug in ldctl)"]);
}

#[tokio::test(start_paused = true)]
async fn users_differ_but_a_seed_makes_them_repeatable() {
    let starts = || async {
        let run = users(3, 5.0).pacing(Pacing::Closed(Wait::DEFAULT)).run().await;
        (run.of_user(0), run.of_user(1))
    };
    let (first, again) = (starts().await, starts().await);
    assert_eq!(first, again);
    assert_ne!(first.0, first.1);
}

#[tokio::test(start_paused = true)]
async fn a_test_ends_with_the_last_of_its_iterations() {
    for (count, workers, iterations) in [(3, 1, 7), (3, 2, 7), (4, 4, 2), (1, 1, 1), (5, 2, 1000)] {
        let run = users(count, 3600.0).workers(workers).iterations(iterations).run().await;
        assert_eq!((run.calls.len() as u64, run.starts), (iterations, iterations));
        assert_eq!((run.broken, run.live.users()), (0, 0));
        assert!(run.elapsed <= Duration::from_secs(1), "{:?}", run.elapsed);
    }
    // A user of another worker that would only start later is not waited for.
    let late = users(2, 3600.0).shape(Shape::constant(2, 0.01, Some(3600.0)));
    let run = late.workers(2).iterations(1).run().await;
    assert!(run.elapsed <= Duration::from_secs(1), "{:?}", run.elapsed);
}

#[tokio::test(start_paused = true)]
async fn an_open_model_has_its_iterations_at_its_rate() {
    let open = users(4, 3600.0).pacing(Pacing::Open { rate: 10.0 });
    let run = open.workers(2).iterations(5).run().await;
    let mut starts: Vec<u128> = run.calls.iter().map(|call| call.at.as_millis()).collect();
    starts.sort_unstable();
    assert_eq!((starts, run.warnings), (vec![0, 100, 200, 300, 400], Vec::<String>::new()));
    assert!(run.elapsed <= Duration::from_secs(1), "{:?}", run.elapsed);
}

#[tokio::test(start_paused = true)]
async fn iterations_that_there_is_no_time_for_are_left_out() {
    let run = users(1, 0.1).iterations(1_000_000).run().await;
    assert!(run.starts < 1000, "{}", run.starts);
    assert_eq!(run.elapsed.as_millis(), 100);
}

/// With a target of known delays, the recorded percentiles are those of the table.
#[tokio::test(start_paused = true)]
async fn recorded_percentiles_are_those_of_the_target() {
    let mut random = fastrand::Rng::with_seed(7);
    let table: Vec<u64> =
        (0..1000).map(|_| 1 + (-random.f64().max(1e-9).ln() * 20.0) as u64).collect();
    let mut sorted: Vec<u64> = table.iter().map(|millis| millis * 1000).collect();
    sorted.sort_unstable();
    let want = [50.0, 90.0, 99.0].map(|at| percentile(&sorted, at));
    let run = users(50, 100.0)
        .pacing(Pacing::Open { rate: 100.0 })
        .act(move |call| passes_after(MILLI * table[call.turn % 1000] as u32))
        .run()
        .await;
    let got = run.percentiles(|row| row.service_ms);
    for (got, want) in got.into_iter().zip(want) {
        assert!((got - want).abs() <= want * 0.02 + 0.3, "{got} ms instead of {want} ms");
    }
}

/// Runs something that needs real threads, with a deadline that only a bug reaches.
fn within_a_minute<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, outcome) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(body()));
    outcome.recv_timeout(Duration::from_secs(60)).expect("an end within a minute")
}

fn threaded(act: impl Fn(Call) -> Reply + Send + Sync + 'static) -> Plan<Script> {
    let driver = Script {
        act: Box::new(act),
        calls: Arc::default(),
        present: Arc::default(),
        users: AtomicUsize::new(0),
        begin: Instant::now(),
    };
    let settings = Settings {
        users: Shape::immediate(8, None).into(),
        pacing: closed("0"),
        keep_bodies: false,
        iterations: None,
        trace: None,
        seed: 1,
    };
    plan(TaskOrder::Sequence, 0, "[{}]", driver, Bindings::NONE, settings, None)
}

#[test]
fn worker_threads_end_when_cancelled_and_lose_no_request() {
    let recorded = within_a_minute(|| {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let plan = threaded(move |call| {
            if call.turn == 500 {
                stop.cancel();
            }
            passes_after(Duration::ZERO)
        });
        let calls = Arc::clone(&plan.driver.calls);
        let live = Arc::new(Live::default());
        let mut watch = |_: &Progress<'_>| ControlFlow::Continue(());
        let recording = super::runner::run(plan, 4, &live, &cancel, &mut watch).expect("a run");
        let called = calls.lock().expect("calls").len();
        assert_eq!(recording.iterations.started as usize, called);
        (recording.len(), live.total().requests as usize, called)
    });
    assert!(recorded.0 > 500);
    assert_eq!((recorded.0, recorded.0), (recorded.1, recorded.2));
}

#[test]
fn t34_a_run_without_memory_for_rows_goes_on_and_counts_every_request() {
    let (requests, counted, called, warnings, taken) = within_a_minute(|| {
        let plan = threaded(|_| passes_after(Duration::ZERO));
        let calls = Arc::clone(&plan.driver.calls);
        // The process itself stays far below the ceiling.
        let memory = Memory::new(1 << 30);
        let mut others = memory.share("others");
        others.grow((1 << 30) - (1 << 20)).expect("room");
        let live = Arc::new(Live::feeding(Arc::new(Cumulative::new(&memory))));
        let mut watch = |progress: &Progress<'_>| match progress.requests {
            0..20_000 => ControlFlow::Continue(()),
            _ => ControlFlow::Break("enough".to_owned()),
        };
        let cancel = CancellationToken::new();
        let recording = super::runner::run(plan, 2, &live, &cancel, &mut watch).expect("a run");
        let called = calls.lock().expect("calls").len();
        let counted = live.total().requests as usize;
        (recording.requests() as usize, counted, called, recording.warnings.clone(), memory.taken())
    });
    assert_eq!((requests, counted), (called, called), "something measured is lost");
    assert!(requests >= 20_000, "{requests}");
    let said = |words: &str| warnings.iter().any(|warning| warning.contains(words));
    let beyond = " UTC on, requests are counted but not kept as rows (--max-memory)";
    assert!(said(beyond) && said("enough") && warnings.len() == 2, "{warnings:?}");
    assert!(taken <= 1 << 30, "{taken}");
}

#[test]
fn the_progress_callback_can_end_a_run() {
    let warnings = within_a_minute(|| {
        let plan = threaded(|_| passes_after(MILLI));
        let live = Arc::new(Live::default());
        let mut watch = |_: &Progress<'_>| ControlFlow::Break("a gate failed".to_owned());
        super::runner::run(plan, 2, &live, &CancellationToken::new(), &mut watch)
            .expect("a run")
            .warnings
    });
    assert!(warnings.contains(&"a gate failed".to_owned()), "{warnings:?}");
}

/// Runs on the real clock, which iterations that never wait could keep from being read.
async fn check_that_it_ends(mode: TaskOrder, tasks: &'static str, pacing: Pacing) {
    for stop_at in [None, Some(50 * MILLI)] {
        let mut scene = users(3, 0.2).pacing(pacing).tasks(mode, tasks).workers(2);
        scene.stop_at = stop_at;
        let run = scene.run().await;
        let planned = match pacing {
            Pacing::Open { rate } => (rate * run.elapsed.as_secs_f64()) as u64,
            Pacing::Closed(_) => u64::MAX,
        };
        assert!(run.starts > 0 && run.starts < planned, "{} of {planned}", run.starts);
        assert!(run.calls.is_empty());
        let dropped = run.warnings.iter().any(|warning| warning.contains("never started"));
        assert_eq!(dropped, planned < u64::MAX, "{:?}", run.warnings);
    }
}

#[tokio::test]
async fn t44_a_test_whose_iterations_never_wait_ends_by_the_clock_and_when_it_is_stopped() {
    let skipped: &'static str =
        Box::leak(format!("[{}]", vec![r#"{"run_if": false}"#; 100].join(",")).into_boxed_str());
    let fast = Pacing::Open { rate: 1e7 };
    check_that_it_ends(TaskOrder::Sequence, skipped, fast).await;
    check_that_it_ends(TaskOrder::Weighted, skipped, fast).await;
    check_that_it_ends(TaskOrder::Weighted, r#"[{"weight": 0}]"#, fast).await;
    check_that_it_ends(TaskOrder::Sequence, skipped, closed("0")).await;
}

#[tokio::test(start_paused = true)]
async fn t44_arrivals_that_are_late_at_the_end_are_dropped() {
    let run = users(1, 2.0)
        .pacing(Pacing::Open { rate: 100.0 })
        .act(|_| passes_after(Duration::from_secs(1)))
        .run()
        .await;
    assert_eq!(run.starts, 2);
    assert!(run.warnings[0].starts_with("198 of 200 planned iterations never started"));
}
