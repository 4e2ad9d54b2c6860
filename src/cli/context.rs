//! The options of `ldctl context`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::connection::Way;
use super::output::Output;
use super::values::{ServerAddress, context_name, variable};

/// `ldctl context`
#[derive(Args)]
pub struct Context {
    /// What to do.
    #[command(subcommand)]
    pub verb: ContextVerb,
}

/// What can be done with contexts.
#[derive(Subcommand)]
pub enum ContextVerb {
    /// Keep a server under a name: its address, how to connect to it, and where its token is
    Add(Box<ContextAdd>),
    /// Make a context the current one
    Use(ContextName),
    /// List the contexts; * is the current one
    Ls(ContextList),
    /// Show a context, by default the current one
    Show(ContextShow),
    /// Remove a context
    Rm(ContextName),
}

/// `ldctl context add`
#[derive(Args)]
pub struct ContextAdd {
    /// Its name
    #[arg(value_name = "NAME", value_parser = context_name)]
    pub name: String,

    /// The server's address or name, and its port [default: 9940]
    #[arg(value_name = "HOST:PORT", required_unless_present = "server")]
    pub address: Option<ServerAddress>,

    /// The same as an option
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "address")]
    pub server: Option<ServerAddress>,

    /// Make it the current context
    #[arg(long)]
    pub current: bool,

    /// How to connect.
    #[command(flatten)]
    pub way: Way,

    /// Read the token from this environment variable. The token itself is never kept in a context
    #[arg(
        long,
        value_name = "VAR",
        value_parser = variable,
        conflicts_with = "token_file",
        help_heading = "Token"
    )]
    pub token_env: Option<String>,

    /// Read the token from this file, which only its owner can read
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Token")]
    pub token_file: Option<PathBuf>,
}

/// The name of a context.
#[derive(Args)]
pub struct ContextName {
    /// The context
    #[arg(value_name = "NAME", value_parser = context_name)]
    pub name: String,
}

/// `ldctl context ls`
#[derive(Args)]
pub struct ContextList {
    /// Output format on stdout
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,
}

/// `ldctl context show`
#[derive(Args)]
pub struct ContextShow {
    /// The context [default: the current one]
    #[arg(value_name = "NAME", value_parser = context_name)]
    pub name: Option<String>,

    /// Output format on stdout
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,
}
