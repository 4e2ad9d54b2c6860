//! How a client reaches a server: the address, TLS and the token.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::values::{ServerAddress, TOKEN_VARIABLE, context_name, host, port};

/// The server's address and how to connect to it.
#[derive(Args, Clone)]
pub struct Connection {
    /// The server's address or name, and its port [default: that of LDCTL_SERVER or of the context,
    /// else localhost:9940]
    #[arg(
        long,
        value_name = "HOST:PORT",
        conflicts_with_all = ["host", "port"],
        help_heading = "Connection"
    )]
    pub server: Option<ServerAddress>,

    /// The server's address or name, apart from its port
    #[arg(
        long,
        value_hint = ValueHint::Hostname,
        value_parser = host,
        help_heading = "Connection"
    )]
    pub host: Option<String>,

    /// The server's TCP port [default: 9940]
    #[arg(long, value_parser = port, allow_negative_numbers = true, help_heading = "Connection")]
    pub port: Option<u16>,

    /// Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the
    /// current one]
    #[arg(long, value_name = "NAME", value_parser = context_name, help_heading = "Connection")]
    pub context: Option<String>,

    /// How to connect.
    #[command(flatten)]
    pub way: Way,
}

/// How to connect to a server.
#[derive(Args, Clone)]
pub struct Way {
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
#[derive(Args, Clone)]
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
