//! How right the figures are, measured over loopback against targets whose delays are known: the
//! percentiles of a seeded table of delays, a stall of one second with and without correction, the
//! rate of an open model and the moments of its starts, the curve of a ramp, and latencies at ten
//! thousand requests a second. Prints figures and verdicts and fails when one is off. It measures time, so it is no test: `cargo bench --bench accuracy`
//! on a quiet machine. The same is proved without a clock in the tests of `load`.

// A benchmark may fail as tests do; clippy only spares tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::exit)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use ldctl::action::{Document, Executor, Policy};
use ldctl::event::{Event, Progress};
use ldctl::record::Records;
use ldctl::record::stats::interpolate;
use ldctl::value::Value;
use tokio_util::sync::CancellationToken;

/// Delays in the table; each request takes the next.
const TABLE: usize = 2000;

fn main() {
    let off = percentiles() + stall() + curve() + starts() + busy();
    println!("{}", if off == 0 { "all figures are right" } else { "some figures are off" });
    std::process::exit(i32::from(off > 0));
}

/// Prints a figure and its verdict; gives how many are off.
fn judge(what: &str, got: f64, want: f64, tolerance: f64) -> u32 {
    let right = (got - want).abs() <= tolerance;
    let verdict = if right { "ok" } else { "OFF" };
    println!("  {what:<34} {got:>9.3}  capture {want:>9.3} ± {tolerance:<7.3} {verdict}");
    u32::from(!right)
}

/// A target on threads of its own, one per connection, whose sleeps are as exact as the operating
/// system's. `delay` gives how long the answer to a request takes that comes now.
fn target(delay: impl Fn(usize) -> Duration + Send + Sync + 'static) -> String {
    measuring_target(delay).0
}

/// The same, and how long each answer has taken, in milliseconds.
fn measuring_target(
    delay: impl Fn(usize) -> Duration + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<f64>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (delay, turn) = (Arc::new(delay), Arc::new(AtomicUsize::new(0)));
    let taken = Arc::<Mutex<Vec<f64>>>::default();
    let all = Arc::clone(&taken);
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (delay, turn, all) = (Arc::clone(&delay), Arc::clone(&turn), Arc::clone(&all));
            thread::spawn(move || serve(socket, &*delay, &turn, &all));
        }
    });
    (url, taken)
}

fn serve(
    mut socket: TcpStream,
    delay: &dyn Fn(usize) -> Duration,
    turn: &AtomicUsize,
    taken: &Mutex<Vec<f64>>,
) {
    let _ = socket.set_nodelay(true);
    // A GET of the engine comes in one piece.
    while socket.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
        let came = Instant::now();
        thread::sleep(delay(turn.fetch_add(1, Ordering::SeqCst)));
        if socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
        // What the thread waits for a processor until the bytes are out is the target's, too.
        taken.lock().expect("no panic").push(came.elapsed().as_secs_f64() * 1000.0);
    }
}

/// Runs one load test; gives its records and its progress.
fn run(url: &str, arguments: &str) -> (Records, Vec<Progress>) {
    let policy = Policy::inside(std::env::temp_dir());
    let executor = Executor::new(policy).expect("an executor");
    let document = format!(
        r#"[["LD_start_test", {{"user_detail_dict": {{"user": "fast_http_user", "host": "{url}"}},
            "tasks": [{{"method": "get", "request_url": "/"}}], {arguments}}}]]"#
    );
    let document = Document::parse(Value::parse(&document).expect("JSON")).expect("a document");
    let mut progress = Vec::new();
    let mut sink = |event| match event {
        Event::Progress(figures) => progress.push(figures),
        Event::Result(result) => assert!(result.ok, "{:?}", result.error),
        _ => {}
    };
    executor.execute(document, &mut sink, &CancellationToken::new());
    let records = executor.records();
    for recording in records.recordings() {
        recording.warnings.iter().for_each(|warning| println!("  warning: {warning}"));
    }
    (records, progress)
}

fn sorted(times: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = times.collect();
    all.sort_by(f64::total_cmp);
    all
}

fn percentile(sorted: &[f64], at: f64) -> f64 {
    interpolate(sorted.len(), at, |index| sorted[index])
}

/// Percentiles of a known distribution: 5 ms and an exponential tail of 15 ms on average.
fn percentiles() -> u32 {
    let mut random = fastrand::Rng::with_seed(7);
    let table: Vec<f64> = (0..TABLE).map(|_| 5.0 - random.f64().max(1e-6).ln() * 15.0).collect();
    let want = sorted(table.iter().copied());
    let url = target(move |turn| Duration::from_secs_f64(table[turn % TABLE] / 1000.0));
    let (records, _) =
        run(&url, r#""user_count": 20, "spawn_rate": 1000, "test_time": 10, "wait_time": 0"#);
    let got = sorted(records.rows().map(|row| row.service_ms));
    println!("percentiles over {} requests, ms", got.len());
    [50.0, 90.0, 99.0]
        .into_iter()
        .map(|at| {
            let (got, want) = (percentile(&got, at), percentile(&want, at));
            judge(&format!("p{at}"), got, want, want * 0.02 + 0.3)
        })
        .sum()
}

/// A target that stands still for a second, under an open model.
fn stall() -> u32 {
    const RATE: f64 = 200.0;
    const SECONDS: f64 = 10.0;
    let begin = Instant::now();
    let (from, to) = (Duration::from_secs(3), Duration::from_secs(4));
    let url = target(move |_| {
        let at = begin.elapsed();
        if (from..to).contains(&at) { to - at } else { Duration::from_millis(2) }
    });
    let (records, _) = run(
        &url,
        &format!(r#""test_time": {SECONDS}, "arrival_rate": {{"rate": {RATE}, "max_users": 10}}"#),
    );
    let service = sorted(records.rows().map(|row| row.service_ms));
    let response = sorted(records.rows().map(|row| row.response_ms));
    println!("a stall of one second under arrival_rate, {} requests", service.len());
    let planned = RATE * SECONDS;
    // What is planned within the stalled second is made up afterwards, and waited for that long:
    // the slowest 1 % of all is its first tenth.
    let share = planned * 0.01 / RATE * 1000.0;
    judge("arrivals", service.len() as f64, planned, planned * 0.01)
        + judge("p99 of service time, ms", percentile(&service, 99.0), 2.0, 2.0)
        + judge("p99 of response time, ms", percentile(&response, 99.0), 1000.0 - share, 50.0)
}

/// A ramp, second by second.
fn curve() -> u32 {
    const RATE: f64 = 37.0;
    let url = target(|_| Duration::from_millis(1));
    let (_, progress) =
        run(&url, r#""user_count": 300, "spawn_rate": 37, "test_time": 12, "wait_time": 1"#);
    println!("users of a ramp at {RATE} a second");
    progress
        .iter()
        .map(|figures| {
            let want = (figures.elapsed_s * RATE).min(300.0);
            // One user, or 2 %; the figure is up to 50 ms old when it is read.
            let tolerance = (want * 0.02).max(1.0) + 0.05 * RATE;
            let what = format!("after {:.1} s", figures.elapsed_s);
            judge(&what, figures.users as f64, want, tolerance)
        })
        .sum()
}

/// How long after they are due the iterations of an open model start, by either timer.
fn starts() -> u32 {
    const SECONDS: f64 = 5.0;
    let url = target(|_| Duration::ZERO);
    let mut off = 0;
    for rate in [500.0, 5000.0] {
        for (timer, fields, most) in [
            ("polling", r#""polling": true"#, 100.0),
            ("the kernel's timer", r#""exact": true"#, 100.0),
            // It has a resolution of a millisecond.
            ("the runtime's timer", r#""exact": false"#, 1500.0),
        ] {
            let arrivals = format!(r#"{{"rate": {rate}, "max_users": 20, {fields}}}"#);
            let (records, _) =
                run(&url, &format!(r#""test_time": {SECONDS}, "arrival_rate": {arrivals}"#));
            let began = records.recordings().first().expect("one").started_at();
            let began = began.duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
            let started = sorted(records.rows().map(|row| row.start_time - began));
            let late = started.iter().enumerate().map(|(turn, at)| (at - turn as f64 / rate) * 1e6);
            let late = sorted(late);
            println!("starts at {rate} a second by {timer}, µs after they are due");
            off += [50.0, 99.0]
                .into_iter()
                .map(|at| judge(&format!("p{at}"), percentile(&late, at), most / 2.0, most / 2.0))
                .sum::<u32>();
        }
    }
    off
}

/// Latencies at ten thousand requests a second, against the delays that the target has measured itself.
fn busy() -> u32 {
    const RATE: f64 = 10_000.0;
    let (url, taken) = measuring_target(|_| Duration::from_millis(10));
    let arrivals = format!(r#"{{"rate": {RATE}, "max_users": 400, "exact": false}}"#);
    let (records, _) = run(&url, &format!(r#""test_time": 5, "arrival_rate": {arrivals}"#));
    let got = sorted(records.rows().map(|row| row.service_ms));
    let want = sorted(taken.lock().expect("no panic").iter().copied());
    println!("latencies over {} requests at {RATE} a second, ms", got.len());
    [50.0, 99.0, 99.9]
        .into_iter()
        .map(|at| {
            let (got, want) = (percentile(&got, at), percentile(&want, at));
            judge(&format!("p{at}"), got, want, (want * 0.02).max(0.05))
        })
        .sum()
}
