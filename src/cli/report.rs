//! The options of `ldctl report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::connection::{Connection, TokenSource};
use super::values::{run_number, seconds};

/// `ldctl report`
#[derive(Args)]
pub struct Report {
    /// The number of a run [default: the one whose test runs, else the last]
    #[arg(value_name = "RUN", value_parser = run_number)]
    pub run: Option<u64>,

    /// Format of the report
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReportFormat::Html)]
    pub format: ReportFormat,

    /// Write it to this file, which others cannot read, instead of stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// Give up after this long without a reply [default: 10s while connecting, 10m between
    /// replies]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub timeout: Option<f64>,

    /// The server.
    #[command(flatten)]
    pub connection: Connection,

    /// The source of the token.
    #[command(flatten)]
    pub token: TokenSource,
}

/// The formats of the report of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A page for people
    Html,
    /// Every request as JSON; needs the rows of the run
    Json,
    /// Every request as XML; needs the rows of the run
    Xml,
    /// Every request as a row of CSV; needs the rows of the run
    Csv,
    /// A testcase for each name, for CI systems
    Junit,
    /// The figures of LD_summary as JSON
    Summary,
    /// Workflow commands of GitHub Actions for failed requests; needs the rows of the run
    Github,
    /// Failed requests as SARIF; needs the rows of the run
    Sarif,
}

impl From<ReportFormat> for crate::event::ReportFormat {
    fn from(format: ReportFormat) -> Self {
        match format {
            ReportFormat::Html => Self::Html,
            ReportFormat::Json => Self::Json,
            ReportFormat::Xml => Self::Xml,
            ReportFormat::Csv => Self::Csv,
            ReportFormat::Junit => Self::Junit,
            ReportFormat::Summary => Self::Summary,
            ReportFormat::Github => Self::Github,
            ReportFormat::Sarif => Self::Sarif,
        }
    }
}
