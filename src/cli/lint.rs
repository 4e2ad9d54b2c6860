//! The options of `ldctl lint`, and of the check before documents run or are sent.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// `ldctl lint`
#[derive(Args)]
pub struct Lint {
    /// Documents to check; - reads one from stdin. Exits with 1 on errors, not on warnings
    #[arg(
        value_name = "FILE",
        required_unless_present = "json",
        value_hint = ValueHint::FilePath
    )]
    pub files: Vec<PathBuf>,

    /// The document itself, instead of files
    #[arg(long, value_name = "TEXT", conflicts_with = "files")]
    pub json: Option<String>,

    /// Output format on stdout
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = LintOutput::Text)]
    pub output: LintOutput,
}

/// Output formats of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LintOutput {
    /// One line per finding.
    #[value(help = "One line per finding: FILE:LINE:COLUMN: severity: place: message [rule]")]
    Text,
    /// One JSON object per line
    Json,
    /// A log of SARIF 2.1.0
    Sarif,
}

/// Whether documents are checked.
#[derive(Args, Clone, Copy)]
pub struct Checking {
    /// Do it although the check of the document finds errors (see `ldctl lint`)
    #[arg(long)]
    pub no_check: bool,
}
