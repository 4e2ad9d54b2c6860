//! The options of the verbs that describe the format of documents.

use clap::{Args, ValueEnum};

/// `ldctl explain`
#[derive(Args)]
pub struct Explain {
    /// A concept (users, tasks, shapes, placeholders, checks, gates, ...), a command, or a parameter,
    /// as LD_start_test.tasks.assertions; LD_ may be left out. Without it: the list of all commands
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    /// Output format on stdout
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Form::Text)]
    pub output: Form,
}

/// Formats of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    Text,
    /// For tools
    Json,
}
