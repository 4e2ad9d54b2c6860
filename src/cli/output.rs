//! What is printed, and in which format.

use clap::{Args, ValueEnum};

/// Output of replies.
#[derive(Args, Clone, Copy)]
pub struct Printing {
    /// Output format on stdout [default: summary on a terminal, else text]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,

    /// Print only errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// Output formats of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Figures, errors, gates and a verdict, for people
    Summary,
    /// One line per result, as LoadDensity writes it
    Text,
    /// One JSON object per line
    Json,
}

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One line per result, as LoadDensity writes it
    Text,
    /// One JSON object per line
    Json,
}

impl From<Output> for Format {
    fn from(output: Output) -> Self {
        match output {
            Output::Text => Self::Text,
            Output::Json => Self::Json,
        }
    }
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
