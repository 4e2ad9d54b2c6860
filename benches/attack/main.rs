//! A server under a mixed attack while a good client pings, and a server that holds as many idle
//! connections as it has descriptors. Prints figures and verdicts and fails when one misses its
//! goal. It measures time, so it is no test: on a quiet machine,
//!
//! ```text
//! cargo bench --bench attack                    # 60 s of attack on a TLS server, then on a plain one
//! cargo bench --bench attack -- --idle 19500    # held, plain and TLS, and pinged meanwhile
//! ```
//!
//! Three processes take part, so that none hides what another costs: the real server, the crowd that
//! attacks it (this program again), and this one, whose client connects, pings and closes at a fixed
//! pace. The quiet pings are measured with the crowd's process there and idle, before and after.

// A benchmark may fail as tests do; clippy only spares tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::exit)]

mod client;
mod crowd;
mod process;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;

use client::{Client, Pings};
use crowd::{Kind, Plan};
use process::{Server, UserPool};

/// Pings for a quiet figure; there are as many before an attack as after it.
const QUIET: usize = 2000;

/// What the server's memory may grow by, in bytes: the goal of the design, and the budget for
/// incomplete requests (`--max-request-bytes`), which some attackers fill.
const MORE_MEMORY: u64 = (96 + 64) << 20;

/// How much slower the slowest hundredth may be under attack.
const MOST_SLOWER: f64 = 2.0;

/// The slowest hundredth while the server holds its idle connections.
const IDLE_P99: Duration = Duration::from_millis(10);

/// Descriptors that may be in use beyond those before the attack.
const MORE_DESCRIPTORS: usize = 2;

/// Measures a server under attack.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,

    /// The server's program
    #[arg(long, default_value = env!("CARGO_BIN_EXE_ldctl"))]
    ldctl: PathBuf,

    /// How long each attack lasts once all attackers are there
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// Attacking connections
    #[arg(long, default_value_t = 1000)]
    connections: usize,

    /// Hold so many connections that have sent half a request, in place of an attack
    #[arg(long)]
    idle: Option<usize>,

    /// Only the plain server or only the one with TLS
    #[arg(long, value_parser = ["plain", "tls"])]
    only: Option<String>,

    /// Only these attackers
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<Kind>,

    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// What this program is when it has started itself.
#[derive(Subcommand)]
enum Role {
    /// The attackers
    #[command(hide = true)]
    UserPool(Plan),
}

fn main() {
    let arguments = Arguments::parse();
    raise_descriptors();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Some(Role::UserPool(plan)) = arguments.role {
        runtime.block_on(crowd::attack(plan));
        // Connections that are closing are not waited for.
        std::process::exit(0);
    }
    let listeners = [("tls", true), ("plain", false)];
    let chosen = |name| arguments.only.as_deref().is_none_or(|only| only == name);
    let mut missed = 0;
    for (name, tls) in listeners.into_iter().filter(|(name, _)| chosen(*name)) {
        missed += match arguments.idle {
            None => runtime.block_on(under_attack(&arguments, name, tls)),
            Some(count) => runtime.block_on(idle(&arguments, name, tls, count)),
        };
    }
    println!("{}", if missed == 0 { "every goal is met" } else { "a goal is missed" });
    std::process::exit(i32::from(missed > 0));
}

/// As many descriptors as this process may have, for it and for those that it starts.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("a limit up to the hard one");
}

/// Prints whether a goal is met; gives how many are missed.
fn judge(what: &str, met: bool) -> u32 {
    println!("  {:<62} {}", what, if met { "ok" } else { "MISSED" });
    u32::from(!met)
}

async fn under_attack(arguments: &Arguments, name: &str, tls: bool) -> u32 {
    let server = Server::start(&arguments.ldctl, tls, &[]);
    let client = Client::new(server.port, server.certificate().as_deref());
    let (certificate, stub) = (server.certificate(), client.start_stub().await);
    let mut plan = Plan::attack(server.port, arguments.connections, certificate.as_deref(), stub);
    if !arguments.kinds.is_empty() {
        plan.kinds.clone_from(&arguments.kinds);
    }
    let mut crowd = UserPool::start(&plan);
    println!("{name}: {} attackers, {}", arguments.connections, plan.kinds());
    let mut quiet = client.pings(QUIET).await;
    let before = server.usage();
    crowd.begin();
    let started = Instant::now();
    let lasting = Duration::from_secs(arguments.seconds);
    let attacked = client.pings_until(|| started.elapsed() >= lasting).await;
    let (wall, after) = (started.elapsed(), server.usage());
    let (crowd_cpu, done) = (crowd.cpu(), crowd.end());
    let descriptors = server.descriptors_below(before.descriptors + MORE_DESCRIPTORS);
    quiet.add(client.pings(QUIET).await);

    println!("  crowd: {done}");
    println!("  quiet     {quiet}");
    println!("  attacked  {attacked}");
    let cpu = (after.cpu - before.cpu).as_secs_f64() / wall.as_secs_f64() * 100.0;
    let other = crowd_cpu.as_secs_f64() / wall.as_secs_f64() * 100.0;
    println!("  CPU: server {cpu:.1} % of a core, crowd {other:.1} %");
    let ratio = attacked.percentile(99.0).as_secs_f64() / quiet.percentile(99.0).as_secs_f64();
    let memory = after.peak.saturating_sub(before.memory);
    judge(
        &format!("pings answered: {} of {}", attacked.answered(), attacked.sent()),
        attacked.answered() == attacked.sent(),
    ) + judge(&format!("p99 at most twice the quiet one: {ratio:.2} times"), ratio <= MOST_SLOWER)
        + judge(
            &format!(
                "memory at most 160 MiB above the baseline: {:.1} and {:.1} MiB",
                mebibytes(before.memory),
                mebibytes(memory)
            ),
            memory <= MORE_MEMORY,
        )
        + judge(
            &format!("descriptors within 2 of before: {} and {descriptors}", before.descriptors),
            descriptors <= before.descriptors + MORE_DESCRIPTORS,
        )
}

async fn idle(arguments: &Arguments, name: &str, tls: bool, count: usize) -> u32 {
    // Nobody is closed for being slow while this lasts.
    let server = Server::start(&arguments.ldctl, tls, &["--request-timeout", "3600"]);
    let plan = Plan::idle(server.port, count, server.certificate().as_deref());
    let mut crowd = UserPool::start(&plan);
    let client = Client::new(server.port, server.certificate().as_deref());
    println!("{name}: {count} connections with half a request");
    let quiet = client.pings(QUIET).await;
    let before = server.usage();
    crowd.begin();
    let full = client.pings(QUIET).await;
    let after = server.usage();
    crowd.end();
    println!("  quiet     {quiet}");
    println!("  full      {full}");
    let held = after.descriptors.saturating_sub(before.descriptors);
    let each = after.memory.saturating_sub(before.memory) as f64 / count as f64;
    println!("  {each:.0} bytes of the server's memory for each connection");
    judge(&format!("held: {held}"), held >= count)
        + judge(
            &format!("pings answered: {} of {}", full.answered(), full.sent()),
            full.answered() == full.sent(),
        )
        + judge(
            &format!("p99 below 10 ms: {}", Pings::millis(full.percentile(99.0))),
            full.percentile(99.0) < IDLE_P99,
        )
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
