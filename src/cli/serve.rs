//! The options of `ldctl serve`.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueHint};

use super::connection::TokenSource;
use super::executor::Executor;
use super::local::DocumentLimits;
use super::values::{DEFAULT_PORT, ListenAddress, host, own_port, seconds, variable, web_host};

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
    #[arg(long, default_value_t = DEFAULT_PORT, value_parser = own_port)]
    pub port: u16,

    /// Refuse legacy requests. By default one port serves framed and legacy requests
    #[arg(long)]
    pub framed: bool,

    /// Listen on non-loopback addresses without a token: anyone who can reach the port can then
    /// start load
    #[arg(long)]
    pub allow_unauthenticated: bool,

    /// Also serve runs in a browser, and the same over HTTP, on this address; port 0 picks a free one.
    /// Other than loopback requires a token, as for the socket; the certificate is the same
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Web")]
    pub web: Option<ListenAddress>,

    /// A further name of this machine that browsers use, or of a proxy before it (repeatable): requests
    /// for other names are refused
    #[arg(
        long,
        value_name = "NAME",
        requires = "web",
        value_parser = web_host,
        value_hint = ValueHint::Hostname,
        help_heading = "Web"
    )]
    pub web_host: Vec<String>,

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

    /// The executor's Python.
    #[command(flatten)]
    pub python: Executor,

    /// Limits of documents.
    #[command(flatten)]
    pub documents: DocumentLimits,

    /// Limits of the server.
    #[command(flatten)]
    pub limits: Limits,
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

    /// Timeout of a TLS handshake
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5",
        value_parser = seconds,
        help_heading = "Limits"
    )]
    pub handshake_timeout: f64,

    /// Timeout of receiving a whole request
    #[arg(
        long,
        value_name = "TIME",
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

    /// How long a shutdown waits for running tests, replies and exporters together
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10",
        value_parser = seconds,
        help_heading = "Limits"
    )]
    pub shutdown_timeout: f64,
}

/// The memory of one request of the maximum length while it arrives, in bytes: twice its length.
/// With less it could never be received.
const LEAST_REQUEST_BYTES: u64 = 2 * 1024 * 1024;

/// A few events, in bytes. With less the reply would wait for every packet.
const LEAST_REPLY_QUEUE: u64 = 4096;

/// More memory than a machine has, in bytes: certainly a typing error.
const MOST_BYTES: u64 = 1 << 40;
