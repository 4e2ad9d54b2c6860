//! The command line as typed: clap's types and nothing else. [`crate::command`] resolves it into
//! configuration; completions and man pages are generated from these types.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::escape::is_interpreted;
use crate::event::MAX_NAME;

/// The environment variable that holds the token unless another is named: the reference's.
pub const TOKEN_VARIABLE: &str = "LOAD_DENSITY_SOCKET_TOKEN";

/// The port of LoadDensity's control server.
pub const DEFAULT_PORT: u16 = 9940;

/// The verbs that signals concern, and the meaning of each signal for them, as man pages print it.
pub const SIGNALS: &[(&str, &[(&str, &str)])] = &[
    (
        "serve",
        &[
            (
                "SIGTERM, SIGINT, SIGQUIT",
                "Shut down: stop accepting, cancel tests, send their partial results and the last \
                 figures of exporters, all within --shutdown-timeout. The second one, of any kind, \
                 ends the server at once, with exit code 130",
            ),
            (
                "SIGHUP",
                "Reload the token file and the TLS files; from a closed terminal: shut down",
            ),
            ("SIGUSR1", "Print a status line on stderr"),
            ("SIGUSR2, SIGALRM, SIGIO, SIGPIPE", "Ignored"),
        ],
    ),
    (
        "run",
        &[
            (
                "SIGTERM, SIGINT, SIGQUIT",
                "Cancel the running test and print its partial results, with exit code 130. The \
                 second one, of any kind, ends the program at once",
            ),
            ("SIGUSR1", "Print a status line on stderr"),
            ("SIGUSR2, SIGALRM, SIGIO, SIGPIPE", "Ignored"),
        ],
    ),
    (
        "send",
        &[
            (
                "SIGTERM, SIGINT, SIGQUIT",
                "Stop the run on the server and print what it has measured, with exit code 130. The \
                 second one, of any kind, ends the program at once",
            ),
            ("SIGUSR1, SIGUSR2, SIGALRM, SIGIO, SIGPIPE", "Ignored"),
        ],
    ),
];

/// The meaning of each exit code, as help and man pages print it.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    an action failed
  2    the command line or a local file is invalid; nothing was sent
  3    the server is unreachable, TLS failed, timed out, or not a control server
  4    the server rejected the token
  5    the server is busy
  130  interrupted";

/// Control server, client and load engine for LoadDensity action documents.
///
/// `ldctl serve` runs beside the system under test, `ldctl send` sends it a document of actions and
/// prints each action's result, and `ldctl run` does the same without a server.
#[derive(Parser)]
#[command(
    name = "ldctl",
    version,
    after_help = EXIT_CODES,
    after_long_help = EXIT_CODES,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// The verb to run.
    #[command(subcommand)]
    pub verb: Verb,

    /// Log more to stderr (-v info, -vv debug)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The verbs.
#[derive(Subcommand)]
pub enum Verb {
    /// Serve the control socket until a client sends `quit`
    #[command(after_long_help = EXIT_CODES)]
    Serve(Serve),
    /// Send a document to a server and print each action's result
    #[command(after_long_help = EXIT_CODES)]
    Send(Send),
    /// Check that a server is up (no side effects)
    #[command(after_long_help = EXIT_CODES)]
    Ping(Ping),
    /// Show the test that a server is running, or any run
    #[command(after_long_help = EXIT_CODES)]
    Status(Status),
    /// Stop the running test, or any run; its client still gets the results
    #[command(after_long_help = EXIT_CODES)]
    Stop(Stop),
    /// List the runs of a server, the newest first
    #[command(after_long_help = EXIT_CODES)]
    Runs(Runs),
    /// Follow a run from its beginning to its end, whoever requested it
    #[command(after_long_help = EXIT_CODES)]
    Attach(Attach),
    /// Shut a server down
    #[command(after_long_help = EXIT_CODES)]
    Quit(Quit),
    /// Run documents in this process, without a server
    #[command(after_long_help = EXIT_CODES)]
    Run(Run),
    /// Check documents for errors and likely mistakes
    #[command(after_long_help = EXIT_CODES)]
    Lint(Lint),
    /// Print a shell's completion script
    #[command(after_long_help = EXIT_CODES)]
    Completions(Completions),
}

/// `ldctl serve`
#[derive(Args)]
pub struct Serve {
    /// Address or name to listen on; localhost means IPv4 and IPv6 loopback. Other than loopback
    /// requires a token. Ignored, like --port, with socket activation
    #[arg(
        long,
        default_value = "localhost",
        value_hint = ValueHint::Hostname,
        value_parser = host,
    )]
    pub host: String,

    /// TCP port to listen on; 0 picks a free port and prints it on the first line
    #[arg(long, default_value_t = DEFAULT_PORT)]
    pub port: u16,

    /// Refuse legacy requests. By default one port serves framed and legacy requests
    #[arg(long)]
    pub framed: bool,

    /// Listen on non-loopback addresses without a token: anyone who can reach the port can then
    /// start load
    #[arg(long)]
    pub allow_unauthenticated: bool,

    /// Directory in which documents may read and write files [default: the working directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,

    /// Keep runs in this SQLite file, which is created if it does not exist. Numbers of runs go on from
    /// it [default: in memory; with systemd's StateDirectory=, history.db in it]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub history: Option<PathBuf>,

    /// How many ended runs stay in memory, for `runs`, `status` and `attach`
    #[arg(
        long,
        value_name = "N",
        default_value = "100",
        value_parser = RangedU64ValueParser::<usize>::new().range(0..=100_000),
    )]
    pub keep_runs: usize,

    /// Let documents read this environment variable as ${env.NAME} (repeatable) [default: none]
    #[arg(long, value_name = "NAME", value_parser = variable)]
    pub allow_env: Vec<String>,

    /// The source of the token.
    #[command(flatten)]
    pub token: TokenSource,

    /// Server certificate chain (PEM). TLS is on when this and the key are given, or the systemd
    /// credentials ldctl.crt and ldctl.key. SIGHUP reloads the TLS files
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath, help_heading = "TLS")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath, help_heading = "TLS")]
    pub tls_key: Option<PathBuf>,

    /// Require client certificates signed by one of these authorities (PEM)
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath, help_heading = "TLS")]
    pub tls_client_ca: Option<PathBuf>,

    /// Limits of documents.
    #[command(flatten)]
    pub documents: DocumentLimits,

    /// Limits of the server.
    #[command(flatten)]
    pub limits: Limits,
}

/// Limits of documents.
#[derive(Args)]
pub struct DocumentLimits {
    /// Maximum virtual users per test
    #[arg(
        long,
        value_name = "N",
        default_value = "100000",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000),
        help_heading = "Limits"
    )]
    pub max_users: u64,

    /// Maximum duration of a test, in seconds. Also ends tests that set no duration
    #[arg(
        long,
        value_name = "SECS",
        default_value = "604800",
        value_parser = test_seconds,
        help_heading = "Limits"
    )]
    pub max_test_time: f64,

    /// Maximum tasks per test
    #[arg(
        long,
        value_name = "N",
        default_value = "10000",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000),
        help_heading = "Limits"
    )]
    pub max_tasks: usize,

    /// Maximum bytes of a response body that assertions and extractors see, decompressed. Checks of a
    /// longer body fail
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "4194304",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_073_741_824),
        help_heading = "Limits"
    )]
    pub max_body_bytes: usize,

    /// Ceiling for what the process holds in memory: records, figures, files, bodies, documents. What
    /// would exceed it is refused or dropped, with a message [default: half of the memory of the
    /// control group or the machine]
    #[arg(long, value_name = "SIZE", value_parser = memory, help_heading = "Limits")]
    pub max_memory: Option<usize>,

    /// Let documents open listeners (the Prometheus exporter) on this address beyond loopback
    /// (repeatable); 0.0.0.0 and :: are every address [default: loopback only]
    #[arg(long, value_name = "ADDRESS", help_heading = "Limits")]
    pub allow_listen: Vec<IpAddr>,

    /// Restrict targets to this host or network (repeatable): example.com, 10.0.0.0/8 or
    /// [2001:db8::/32], each optionally with :PORT [default: any address but link-local ones and
    /// metadata services]
    #[arg(long, value_name = "HOST|CIDR[:PORT]", help_heading = "Limits")]
    pub allow_target: Vec<String>,
}

/// Limits of the server.
#[derive(Args)]
pub struct Limits {
    /// Maximum concurrent connections; others get a `busy` reply
    #[arg(
        long,
        value_name = "N",
        default_value = "19900",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000),
        help_heading = "Limits"
    )]
    pub max_connections: usize,

    /// Maximum load tests at once. More than one disturb each other's measurements
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000),
        help_heading = "Limits"
    )]
    pub max_tests: usize,

    /// Maximum connections that follow runs with `attach`; others get a `busy` reply
    #[arg(
        long,
        value_name = "N",
        default_value = "200",
        value_parser = RangedU64ValueParser::<usize>::new().range(0..=100_000),
        help_heading = "Limits"
    )]
    pub max_watchers: usize,

    /// Timeout of a TLS handshake, in seconds
    #[arg(
        long,
        value_name = "SECS",
        default_value = "5",
        value_parser = seconds,
        help_heading = "Limits"
    )]
    pub handshake_timeout: f64,

    /// Timeout of receiving a whole request, in seconds
    #[arg(
        long,
        value_name = "SECS",
        default_value = "10",
        value_parser = seconds,
        help_heading = "Limits"
    )]
    pub request_timeout: f64,

    /// Maximum memory for incomplete requests of all connections, in bytes
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "67108864",
        value_parser = RangedU64ValueParser::<usize>::new().range(LEAST_REQUEST_BYTES..=MOST_BYTES),
        help_heading = "Limits"
    )]
    pub max_request_bytes: usize,

    /// Maximum number of documents that are read or run at once; further ones wait for a second,
    /// then get a busy reply
    #[arg(
        long,
        value_name = "N",
        default_value = "32",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=500),
        help_heading = "Limits"
    )]
    pub max_documents: usize,

    /// Maximum reply data queued for a slow client, in bytes
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "1048576",
        value_parser = RangedU64ValueParser::<usize>::new().range(LEAST_REPLY_QUEUE..=MOST_BYTES),
        help_heading = "Limits"
    )]
    pub max_reply_queue: usize,

    /// How long a shutdown waits for running tests, replies and exporters together, in seconds
    #[arg(
        long,
        value_name = "SECS",
        default_value = "10",
        value_parser = seconds,
        help_heading = "Limits"
    )]
    pub shutdown_timeout: f64,
}

/// `ldctl send`
#[derive(Args)]
pub struct Send {
    /// Document to send; - reads stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,

    /// The document itself, instead of a file
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    pub json: Option<String>,

    /// Name of the run, for `ldctl runs`
    #[arg(long, value_name = "NAME", value_parser = run_name)]
    pub name: Option<String>,

    /// Print the number of the run and leave it on its own. Without, the run is stopped when this
    /// program ends
    #[arg(long)]
    pub detach: bool,

    /// While another test runs, wait for its end for at most this many seconds
    #[arg(long, value_name = "SECS", value_parser = queue_seconds)]
    pub queue: Option<f64>,

    /// Give up after this many seconds without a reply [default: 10 while connecting, 3600
    /// between replies]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub timeout: Option<f64>,

    /// Output of replies.
    #[command(flatten)]
    pub printing: Printing,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// The source of the token.
    #[command(flatten)]
    pub token: TokenSource,
}

/// `ldctl ping`
#[derive(Args)]
pub struct Ping {
    /// Retry until the server answers, for at most this many seconds. A rejected token or an
    /// untrusted certificate fails immediately
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub wait: Option<f64>,

    /// Give up after this many seconds without a reply
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    pub timeout: f64,

    /// Output format on stdout; -v adds the server's counters to the text
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// The source of the token.
    #[command(flatten)]
    pub token: TokenSource,
}

/// `ldctl status`
#[derive(Args)]
pub struct Status {
    /// The number of a run [default: the one whose test runs]
    #[arg(value_name = "RUN", value_parser = clap::value_parser!(u64).range(1..))]
    pub run: Option<u64>,

    /// Print the status every second until the run has ended
    #[arg(long)]
    pub watch: bool,

    /// How the server is asked.
    #[command(flatten)]
    pub asking: Asking,
}

/// `ldctl stop`
#[derive(Args)]
pub struct Stop {
    /// The number of a run [default: the one whose test runs]
    #[arg(value_name = "RUN", value_parser = clap::value_parser!(u64).range(1..))]
    pub run: Option<u64>,

    /// How the server is asked.
    #[command(flatten)]
    pub asking: Asking,
}

/// `ldctl runs`
#[derive(Args)]
pub struct Runs {
    /// Show at most this many runs
    #[arg(
        long,
        value_name = "N",
        default_value = "20",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000),
    )]
    pub limit: usize,

    /// Show only runs in this state
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Option<RunState>,

    /// How the server is asked.
    #[command(flatten)]
    pub asking: Asking,
}

/// The states of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunState {
    /// Waits for the place of the test that runs
    Queued,
    /// In progress
    Running,
    /// Stopped, and still waiting for requests in progress
    Stopping,
    /// Ended, and no action failed
    Passed,
    /// Ended, and an action failed
    Failed,
    /// Stopped on request or by a signal
    Cancelled,
    /// Stopped because its client left
    Lost,
    /// The server ended while it ran
    Interrupted,
}

/// `ldctl attach`
#[derive(Args)]
pub struct Attach {
    /// The number of a run [default: the one whose test runs, else the last]
    #[arg(value_name = "RUN", value_parser = clap::value_parser!(u64).range(1..))]
    pub run: Option<u64>,

    /// Give up after this many seconds without a reply [default: 10 while connecting, 3600
    /// between replies]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub timeout: Option<f64>,

    /// Output of replies.
    #[command(flatten)]
    pub printing: Printing,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// The source of the token.
    #[command(flatten)]
    pub token: TokenSource,
}

/// How a server is asked something that it answers at once.
#[derive(Args)]
pub struct Asking {
    /// Give up after this many seconds without a reply
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    pub timeout: f64,

    /// Output format on stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// The source of the token.
    #[command(flatten)]
    pub token: TokenSource,
}

/// `ldctl quit`
#[derive(Args)]
pub struct Quit {
    /// Give up after this many seconds without a reply
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    pub timeout: f64,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// The source of the token.
    #[command(flatten)]
    pub token: TokenSource,
}

/// `ldctl run`
#[derive(Args)]
pub struct Run {
    /// Documents to run one after the other; - reads one from stdin. All are checked before the
    /// first one runs
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// Directory in which documents may read and write files [default: the working directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,

    /// Limits of the documents.
    #[command(flatten)]
    pub documents: DocumentLimits,

    /// How results are printed.
    #[command(flatten)]
    pub printing: Printing,
}

/// `ldctl lint`
#[derive(Args)]
pub struct Lint {
    /// Documents to check; - reads one from stdin. Exits with 1 on errors, not on warnings
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// Output format on stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,
}

/// `ldctl completions`
#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Output of replies.
#[derive(Args, Clone, Copy)]
pub struct Printing {
    /// Output format on stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,

    /// Print only errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One line per result, as LoadDensity writes it
    Text,
    /// One JSON object per line
    Json,
}

/// The server's address and how to connect to it.
#[derive(Args)]
pub struct Connection {
    /// The server's address or name
    #[arg(
        long,
        default_value = "localhost",
        value_hint = ValueHint::Hostname,
        value_parser = host,
        help_heading = "Connection"
    )]
    pub host: String,

    /// The server's TCP port
    #[arg(
        long,
        default_value_t = DEFAULT_PORT,
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = "Connection"
    )]
    pub port: u16,

    /// Send an unframed request, for a LoadDensity server started without --framed; ldctl serve
    /// accepts both
    #[arg(long, help_heading = "Connection")]
    pub legacy: bool,

    /// Connect with TLS (1.2 or 1.3)
    #[arg(long, help_heading = "Connection")]
    pub tls: bool,

    /// Certificate authorities to trust (PEM) [default: the system's]
    #[arg(
        long,
        value_name = "PEM",
        value_hint = ValueHint::FilePath,
        help_heading = "Connection"
    )]
    pub tls_ca: Option<PathBuf>,

    /// Name to expect in the server's certificate [default: the host]
    #[arg(long, value_name = "NAME", help_heading = "Connection")]
    pub tls_server_name: Option<String>,

    /// Client certificate chain (PEM)
    #[arg(
        long,
        value_name = "PEM",
        value_hint = ValueHint::FilePath,
        help_heading = "Connection"
    )]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the client certificate (PEM)
    #[arg(
        long,
        value_name = "PEM",
        value_hint = ValueHint::FilePath,
        help_heading = "Connection"
    )]
    pub tls_key: Option<PathBuf>,

    /// Do not verify the server's certificate: anyone on the network path can read the token
    #[arg(long, help_heading = "Connection")]
    pub tls_insecure: bool,
}

/// The source of the token: at most one. Without any, systemd's credential `ldctl.token`, otherwise
/// [`TOKEN_VARIABLE`] if it is set.
#[derive(Args)]
#[group(id = "token source", multiple = false)]
pub struct TokenSource {
    /// Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if
    /// it is not set. Without any token option, the systemd credential ldctl.token is used if
    /// present, else that variable if set
    #[arg(
        long,
        value_name = "VAR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = TOKEN_VARIABLE,
        help_heading = "Token"
    )]
    pub token_env: Option<String>,

    /// Read the token from a file that only its owner can read. A second line may hold the previous
    /// token, which a server still accepts; clients send the first. SIGHUP makes a server reload it
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Token")]
    pub token_file: Option<PathBuf>,

    /// Prompt for the token on the terminal, without echo
    #[arg(long, help_heading = "Token")]
    pub token_prompt: bool,

    /// The token itself; other users of this machine can see it in the process list
    #[arg(long, value_name = "VALUE", help_heading = "Token")]
    pub token: Option<String>,
}

/// The memory of one request of the maximum length while it arrives, in bytes: twice its length.
/// With less it could never be received.
const LEAST_REQUEST_BYTES: u64 = 2 * 1024 * 1024;

/// A few events, in bytes. With less the reply would wait for every packet.
const LEAST_REPLY_QUEUE: u64 = 4096;

/// More memory than a machine has, in bytes: certainly a typing error.
const MOST_BYTES: u64 = 1 << 40;

/// The longest accepted time, in seconds: a year.
const LONGEST: f64 = 366.0 * 86_400.0;

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| (0.001..=LONGEST).contains(seconds))
        .ok_or_else(|| format!("expected seconds, from 0.001 to {LONGEST}"))
}

/// Parses the name of a run; the server has the same rule.
fn run_name(name: &str) -> Result<String, String> {
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(format!("expected 1 to {MAX_NAME} characters"));
    }
    if name.chars().any(is_interpreted) {
        return Err("control characters are not allowed".to_owned());
    }
    Ok(name.to_owned())
}

/// Parses how long a run may wait in the queue: up to a week.
fn queue_seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| (0.0..=604_800.0).contains(seconds))
        .ok_or_else(|| "expected seconds, from 0 to 604800".to_owned())
}

/// Parses a ceiling for memory.
fn memory(text: &str) -> Result<usize, String> {
    let bytes = crate::memory::parse(text)?;
    if bytes < crate::memory::LEAST {
        return Err(format!("the least is {}", crate::memory::readable(crate::memory::LEAST)));
    }
    Ok(bytes)
}

/// Parses a name or an address; an IPv6 address may be in brackets, as in a URL.
fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.is_empty() {
        return Err("expected a name or an address; 0.0.0.0 and :: are every address".into());
    }
    let (address, _zone) = bare.split_once('%').unwrap_or((bare, ""));
    let is_ipv6 = address.parse::<Ipv6Addr>().is_ok();
    if is_ipv6 || (bare == text && !text.contains([':', '/'])) {
        return Ok(bare.to_owned());
    }
    Err("expected a name or an address, without a scheme; the port goes to --port".into())
}

/// Parses the name of an environment variable.
fn variable(text: &str) -> Result<String, String> {
    match text {
        "" => Err("expected the name of a variable".into()),
        _ if text.contains('=') => Err("expected the name of a variable, without its value".into()),
        _ => Ok(text.to_owned()),
    }
}

/// The longest test that a limit may allow, in seconds: thirty days.
const LONGEST_TEST: f64 = 30.0 * 86_400.0;

fn test_seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| (0.001..=LONGEST_TEST).contains(seconds))
        .ok_or_else(|| format!("expected seconds, from 0.001 to {LONGEST_TEST}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for (text, expected) in [
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(expected));
        }
        for text in ["", "[]", "a:9940", "[::1]:9940", "[a]", "http://a", "127.0.0.1:1"] {
            host(text).expect_err(text);
        }
    }

    #[test]
    fn the_token_variable_is_optional_and_needs_an_equals_sign() {
        let cli = Cli::try_parse_from(["ldctl", "send", "--token-env", "actions.json"]);
        let Ok(Cli { verb: Verb::Send(send), .. }) = cli else { panic!("it did not parse") };
        assert_eq!(send.token.token_env.as_deref(), Some(TOKEN_VARIABLE));
        assert_eq!(send.file, Some(PathBuf::from("actions.json")));
    }

    #[test]
    fn another_token_variable_is_named_with_an_equals_sign() {
        let cli = Cli::try_parse_from(["ldctl", "quit", "--token-env=OTHER"]);
        let Ok(Cli { verb: Verb::Quit(quit), .. }) = cli else { panic!("it did not parse") };
        assert_eq!(quit.token.token_env.as_deref(), Some("OTHER"));
    }
}
