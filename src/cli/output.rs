//! What is printed, and in which format.

use clap::{Args, ValueEnum};

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
