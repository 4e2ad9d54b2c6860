//! The options of the verbs that need no server, and the limits of documents.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueHint};
use ipnet::IpNet;

use super::executor::Executor;
use super::lint::Checking;
use super::one_liner::OneLiner;
use super::output::Printing;
use super::overrides::Overrides;
use super::values::{ListenAddress, memory, network, test_seconds};

/// `ldctl run`
#[derive(Args)]
pub struct Run {
    /// Documents to run one after the other; - reads one from stdin. All are checked before the
    /// first one runs. Or a URL to send requests to, with 50 users for 10 seconds
    #[arg(
        value_name = "FILE|URL",
        required_unless_present = "json",
        value_hint = ValueHint::FilePath
    )]
    pub files: Vec<PathBuf>,

    /// The document itself, instead of files
    #[arg(long, value_name = "TEXT", conflicts_with = "files")]
    pub json: Option<String>,

    /// Run one iteration of one user, and show every request and response, what is extracted and what
    /// assertions say, without secrets
    #[arg(long, conflicts_with_all = ["users", "spawn_rate", "rate", "requests", "quiet"])]
    pub once: bool,

    /// Print the document that would be run, and run nothing
    #[arg(long)]
    pub print_document: bool,

    /// Show the runs in a browser, and over HTTP, on this address of this machine until the program
    /// ends; port 0 picks a free one. Nothing can be started or stopped there
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Web")]
    pub web: Option<ListenAddress>,

    /// Directory in which documents may read and write files [default: the working directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,

    /// The request that a URL is asked for.
    #[command(flatten)]
    pub one_liner: OneLiner,

    /// The same as --target
    #[arg(long, value_name = "URL", conflicts_with = "target", help_heading = "Overrides")]
    pub host: Option<String>,

    /// What takes the place of the documents' own values.
    #[command(flatten)]
    pub overrides: Overrides,

    /// Whether they are checked.
    #[command(flatten)]
    pub checking: Checking,

    /// The executor's Python.
    #[command(flatten)]
    pub python: Executor,

    /// Limits of the documents.
    #[command(flatten)]
    pub documents: DocumentLimits,

    /// How results are printed.
    #[command(flatten)]
    pub printing: Printing,
}

/// `ldctl completions`
#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
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

    /// Maximum duration of a test. Also ends tests that set no duration
    #[arg(
        long,
        value_name = "TIME",
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

    /// Maximum rows of requests that are kept in all, 32 bytes each, for reports that list requests. The
    /// oldest tests give theirs up first; a test beyond it goes on with histograms alone
    #[arg(
        long,
        value_name = "N",
        default_value = "20000000",
        value_parser = RangedU64ValueParser::<usize>::new().range(LEAST_RECORDS..=MOST_RECORDS),
        help_heading = "Limits"
    )]
    pub max_records: usize,

    /// Let documents open listeners (the Prometheus exporter, the dashboard) on this address beyond
    /// loopback (repeatable); 0.0.0.0 and :: are every address [default: loopback only]
    #[arg(long, value_name = "ADDRESS", help_heading = "Limits")]
    pub allow_listen: Vec<IpAddr>,

    /// Let workers join the tests of a master only from this address or network (repeatable): 10.0.0.7,
    /// 10.0.0.0/8. They are not authenticated [default: whoever reaches its port]
    #[arg(long, value_name = "CIDR", value_parser = network, help_heading = "Limits")]
    pub worker_allow: Vec<IpNet>,

    /// Restrict targets to this host or network (repeatable): example.com, 10.0.0.0/8 or
    /// [2001:db8::/32], each optionally with :PORT [default: any address but link-local ones and
    /// metadata services]
    #[arg(long, value_name = "HOST|CIDR[:PORT]", help_heading = "Limits")]
    pub allow_target: Vec<String>,
}

/// The least number of rows, in the type of the parser.
const LEAST_RECORDS: u64 = crate::memory::LEAST_RECORDS as u64;

/// More rows than fit into the memory of a machine: certainly a typing error.
const MOST_RECORDS: u64 = 1 << 36;
