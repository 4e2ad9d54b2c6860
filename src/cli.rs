//! The command line as it is typed: clap's types and nothing else. What is meant by it is resolved
//! in [`crate::command`]; completions and man pages are generated from here.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

/// The environment variable that holds the token unless another is named: the reference's.
pub const TOKEN_VARIABLE: &str = "LOAD_DENSITY_SOCKET_TOKEN";

/// The port of LoadDensity's control server.
pub const DEFAULT_PORT: u16 = 9940;

/// What each exit code means, as help and man pages print it.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    an action failed
  2    the command line or a local file is wrong; nothing was sent
  3    the server is unreachable, TLS failed, it took too long, or it speaks something else
  4    the server refused the token
  5    the server is busy
  130  interrupted";

/// Control server, client and load engine for LoadDensity action documents.
///
/// `ldctl serve` waits next to what is under test, `ldctl send` gives it a document of actions and
/// prints what each of them gives, and `ldctl run` does the same without a server.
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
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,

    /// Say more on stderr: once for what happens, twice for every detail
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The verbs.
#[derive(Subcommand)]
pub enum Verb {
    /// Serve the control socket until a client says quit
    #[command(after_long_help = EXIT_CODES)]
    Serve(Serve),
    /// Send a document to a server and print what each action gives
    #[command(after_long_help = EXIT_CODES)]
    Send(Send),
    /// Ask a server whether it is there; nothing runs
    #[command(after_long_help = EXIT_CODES)]
    Ping(Ping),
    /// Ask a server which test it runs
    #[command(after_long_help = EXIT_CODES)]
    Status(Status),
    /// Stop the test that a server runs; whoever waits for it gets what it has measured
    #[command(after_long_help = EXIT_CODES)]
    Stop(Status),
    /// End a server
    #[command(after_long_help = EXIT_CODES)]
    Quit(Quit),
    /// Run documents in this process, without a server
    #[command(after_long_help = EXIT_CODES)]
    Run(Run),
    /// Find what is wrong or suspicious in documents, without running them
    #[command(after_long_help = EXIT_CODES)]
    Lint(Lint),
    /// Print a shell's completion script
    #[command(after_long_help = EXIT_CODES)]
    Completions(Completions),
}

/// `ldctl serve`
#[derive(Args)]
pub struct Serve {
    /// Address or name to listen on; localhost means IPv4 and IPv6 loopback. Any other than a
    /// loopback address needs a token. Unused, like --port, when systemd hands over sockets
    #[arg(
        long,
        default_value = "localhost",
        value_hint = ValueHint::Hostname,
        value_parser = host,
    )]
    pub host: String,

    /// TCP port to listen on; 0 takes a free one, which the first line on stdout names
    #[arg(long, default_value_t = DEFAULT_PORT)]
    pub port: u16,

    /// Refuse legacy requests. Without it both modes are served on the one port
    #[arg(long)]
    pub framed: bool,

    /// Listen on other than loopback addresses without a token: anyone who reaches the port can
    /// then start load
    #[arg(long)]
    pub allow_unauthenticated: bool,

    /// Directory that documents may read and write files in [default: the working directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,

    /// Environment variable that documents may read as ${env.NAME}; may be given several times
    /// [default: none]
    #[arg(long, value_name = "NAME", value_parser = variable)]
    pub allow_env: Vec<String>,

    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenSource,

    /// The server's certificate, with its chain, as PEM. TLS is on when this and the key are given,
    /// or the systemd credentials ldctl.crt and ldctl.key. The TLS files are read again on SIGHUP
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath, help_heading = "TLS")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key, as PEM
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath, help_heading = "TLS")]
    pub tls_key: Option<PathBuf>,

    /// Ask clients for a certificate that one of these authorities has signed
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath, help_heading = "TLS")]
    pub tls_client_ca: Option<PathBuf>,

    /// What documents may ask for.
    #[command(flatten)]
    pub documents: DocumentLimits,

    /// What the server allows.
    #[command(flatten)]
    pub limits: Limits,
}

/// What documents may ask for.
#[derive(Args)]
pub struct DocumentLimits {
    /// Users that one test may have; a document that asks for more is refused
    #[arg(
        long,
        value_name = "N",
        default_value = "100000",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000),
        help_heading = "Limits"
    )]
    pub max_users: u64,

    /// Seconds that one test may last; a document that asks for more is refused. A test without an
    /// end ends then
    #[arg(
        long,
        value_name = "SECS",
        default_value = "604800",
        value_parser = test_seconds,
        help_heading = "Limits"
    )]
    pub max_test_time: f64,

    /// Tasks that one test may have; a document that has more is refused
    #[arg(
        long,
        value_name = "N",
        default_value = "10000",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000),
        help_heading = "Limits"
    )]
    pub max_tasks: usize,

    /// The only host or network that documents may reach: example.com, 10.0.0.0/8 or
    /// [2001:db8::/32], each with :PORT for that port alone; may be given several times [default:
    /// any but link-local addresses]
    #[arg(long, value_name = "HOST|CIDR[:PORT]", help_heading = "Limits")]
    pub allow_target: Vec<String>,
}

/// What the server allows.
#[derive(Args)]
pub struct Limits {
    /// Connections at once; more are told that the server is busy
    #[arg(
        long,
        value_name = "N",
        default_value = "19900",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000),
        help_heading = "Limits"
    )]
    pub max_connections: usize,

    /// Seconds that a TLS handshake may take
    #[arg(
        long,
        value_name = "SECS",
        default_value = "5",
        value_parser = seconds,
        help_heading = "Limits"
    )]
    pub handshake_timeout: f64,

    /// Seconds that a whole request may take to arrive
    #[arg(
        long,
        value_name = "SECS",
        default_value = "10",
        value_parser = seconds,
        help_heading = "Limits"
    )]
    pub request_timeout: f64,

    /// Bytes of memory for requests that are still arriving, over all connections
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "67108864",
        value_parser = RangedU64ValueParser::<usize>::new().range(LEAST_REQUEST_BYTES..=MOST_BYTES),
        help_heading = "Limits"
    )]
    pub max_request_bytes: usize,

    /// Bytes of a reply that wait for a client that reads slowly
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "1048576",
        value_parser = RangedU64ValueParser::<usize>::new().range(LEAST_REPLY_QUEUE..=MOST_BYTES),
        help_heading = "Limits"
    )]
    pub max_reply_queue: usize,

    /// Seconds that a server which is told to stop waits for what still runs
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
    /// The document; - reads it from stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,

    /// The document itself, in place of a file
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    pub json: Option<String>,

    /// Longest silence to bear, in seconds: while connecting and between two replies
    /// [default: 10 while connecting, 3600 between replies]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub timeout: Option<f64>,

    /// How replies are printed.
    #[command(flatten)]
    pub printing: Printing,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenSource,
}

/// `ldctl ping`
#[derive(Args)]
pub struct Ping {
    /// Ask again until the server answers, for at most this many seconds. A refused token or an
    /// untrusted certificate ends the wait at once
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub wait: Option<f64>,

    /// Longest silence to bear, in seconds
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    pub timeout: f64,

    /// How the answer is printed on stdout; with -v the text tells the server's counters, too
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenSource,
}

/// `ldctl status` and `ldctl stop`
#[derive(Args)]
pub struct Status {
    /// Longest silence to bear, in seconds
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    pub timeout: f64,

    /// How the answer is printed on stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenSource,
}

/// `ldctl quit`
#[derive(Args)]
pub struct Quit {
    /// Longest silence to bear, in seconds
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = seconds)]
    pub timeout: f64,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenSource,
}

/// `ldctl run`
#[derive(Args)]
pub struct Run {
    /// The documents, run one after the other; - reads one from stdin. All are checked before the
    /// first runs
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// Directory that documents may read and write files in [default: the working directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,

    /// What the documents may ask for.
    #[command(flatten)]
    pub documents: DocumentLimits,

    /// How results are printed.
    #[command(flatten)]
    pub printing: Printing,
}

/// `ldctl lint`
#[derive(Args)]
pub struct Lint {
    /// The documents; - reads one from stdin. Exit code 1 tells of errors, not of warnings
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// How findings are printed on stdout
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

/// How replies are printed.
#[derive(Args, Clone, Copy)]
pub struct Printing {
    /// How replies are printed on stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,

    /// Print no replies and no progress, only errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// The forms of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One line each; replies as LoadDensity writes them
    Text,
    /// One JSON object per line
    Json,
}

/// Where the server is and how to reach it.
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

    /// Send an unframed request, for a LoadDensity server that was started without --framed. ldctl
    /// serve takes both
    #[arg(long, help_heading = "Connection")]
    pub legacy: bool,

    /// Connect by TLS 1.2 or 1.3
    #[arg(long, help_heading = "Connection")]
    pub tls: bool,

    /// Certificates of the authorities to trust, as PEM [default: the system's]
    #[arg(
        long,
        value_name = "PEM",
        value_hint = ValueHint::FilePath,
        help_heading = "Connection"
    )]
    pub tls_ca: Option<PathBuf>,

    /// Name that the server's certificate must hold [default: the host]
    #[arg(long, value_name = "NAME", help_heading = "Connection")]
    pub tls_server_name: Option<String>,

    /// A certificate to show to the server, as PEM
    #[arg(
        long,
        value_name = "PEM",
        value_hint = ValueHint::FilePath,
        help_heading = "Connection"
    )]
    pub tls_cert: Option<PathBuf>,

    /// That certificate's private key, as PEM
    #[arg(
        long,
        value_name = "PEM",
        value_hint = ValueHint::FilePath,
        help_heading = "Connection"
    )]
    pub tls_key: Option<PathBuf>,

    /// Trust whatever certificate the server shows: anyone on the way can then read the token
    #[arg(long, help_heading = "Connection")]
    pub tls_insecure: bool,
}

/// Where the token comes from. At most one; without any, systemd's credential `ldctl.token`, else
/// [`TOKEN_VARIABLE`] when it is set.
#[derive(Args)]
#[group(id = "token source", multiple = false)]
pub struct TokenSource {
    /// Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is
    /// named, and fail when it is not set. Without any of these options the systemd credential
    /// ldctl.token is used when there is one, else that variable when it is set
    #[arg(
        long,
        value_name = "VAR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = TOKEN_VARIABLE,
        help_heading = "Token"
    )]
    pub token_env: Option<String>,

    /// Take the token from a file that only its owner can read. While it is being replaced, a second
    /// line holds the old one, which a server still accepts; a client sends the first. A server reads
    /// the file again on SIGHUP
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Token")]
    pub token_file: Option<PathBuf>,

    /// Ask for the token on the terminal, without echo
    #[arg(long, help_heading = "Token")]
    pub token_prompt: bool,

    /// The token itself. Other users of this machine can read it in the list of processes
    #[arg(long, value_name = "VALUE", help_heading = "Token")]
    pub token: Option<String>,
}

/// What one request of the longest kind takes while it arrives, in bytes: twice its length. With less
/// it would never get through.
const LEAST_REQUEST_BYTES: u64 = 2 * 1024 * 1024;

/// A few events, in bytes. With less the reply would wait for every packet.
const LEAST_REPLY_QUEUE: u64 = 4096;

/// More memory than a machine has, in bytes: a slip of the hand.
const MOST_BYTES: u64 = 1 << 40;

/// The longest time that is taken, in seconds: a year.
const LONGEST: f64 = 366.0 * 86_400.0;

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| (0.001..=LONGEST).contains(seconds))
        .ok_or_else(|| format!("expected seconds, from 0.001 to {LONGEST}"))
}

/// A name or an address; an IPv6 address also in the brackets that a URL wants.
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

/// The name of an environment variable.
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
    fn a_token_variable_needs_no_value_and_takes_none_without_an_equals_sign() {
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
