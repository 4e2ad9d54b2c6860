//! The options of `ldctl fmt`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `ldctl fmt`
#[derive(Args)]
pub struct Fmt {
    /// Documents to format, as JSON; - reads one from stdin and writes it to stdout
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// Write nothing; print the files that are not formatted, and exit with 1 if there are any
    #[arg(long)]
    pub check: bool,
}
