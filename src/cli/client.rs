//! The options of the verbs that ask a server.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum, ValueHint};

use super::connection::{Connection, TokenSource};
use super::lint::Checking;
use super::output::{Output, Printing};
use super::overrides::Overrides;
use super::values::{ServerAddress, queue_seconds, run_name, run_number, seconds};

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

    /// While another test runs, wait for its end for at most this long
    #[arg(long, value_name = "TIME", value_parser = queue_seconds)]
    pub queue: Option<f64>,

    /// Let these servers make the test together (comma-separated): each takes a part of its users and of
    /// the rows of CSV sources, and this program has the record of all
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        conflicts_with_all = ["worker", "master", "detach", "queue", "name", "server", "host", "port", "context"],
        help_heading = "Cluster"
    )]
    pub fan_out: Vec<ServerAddress>,

    /// Give up after this long without a reply [default: 10s while connecting and until the server
    /// shows that it is one, 1h between replies]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub timeout: Option<f64>,

    /// What takes the place of the document's own values.
    #[command(flatten)]
    pub overrides: Overrides,

    /// Whether it is checked.
    #[command(flatten)]
    pub checking: Checking,

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
    /// The server, as with --server
    #[arg(value_name = "HOST:PORT", conflicts_with_all = ["server", "host", "port"])]
    pub address: Option<ServerAddress>,

    /// Retry until the server answers, for at most this long. A rejected token or an
    /// untrusted certificate fails immediately
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub wait: Option<f64>,

    /// Give up after this long without a reply
    #[arg(long, value_name = "TIME", default_value = "10", value_parser = seconds)]
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
    #[arg(value_name = "RUN", value_parser = run_number)]
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
    #[arg(value_name = "RUN", value_parser = run_number)]
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
    #[arg(value_name = "RUN", value_parser = run_number)]
    pub run: Option<u64>,

    /// Give up after this long without a reply [default: 10s while connecting and until the server
    /// shows that it is one, 1h between replies]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
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

/// `ldctl open`
#[derive(Args)]
pub struct Open {
    /// The number of a run [default: the list of all runs]
    #[arg(value_name = "RUN", value_parser = run_number)]
    pub run: Option<u64>,

    /// Print the link only
    #[arg(long)]
    pub no_browser: bool,

    /// How the server is asked.
    #[command(flatten)]
    pub asking: Asking,
}

/// How a server is asked something that it answers at once.
#[derive(Args)]
pub struct Asking {
    /// Give up after this long without a reply
    #[arg(long, value_name = "TIME", default_value = "10", value_parser = seconds)]
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
    /// Give up after this long without a reply
    #[arg(long, value_name = "TIME", default_value = "10", value_parser = seconds)]
    pub timeout: f64,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// The source of the token.
    #[command(flatten)]
    pub token: TokenSource,
}
