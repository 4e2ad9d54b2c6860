//! The options of `run` and `send` that change what a document asks for.

use clap::Args;

use super::cluster::Cluster;
use super::values::{assignment, count, rate, test_seconds};

/// What takes the place of the document's own values.
#[derive(Args, Debug, Default)]
pub struct Overrides {
    /// Virtual users of every test; with an arrival rate the most that run at once
    #[arg(
        short,
        long,
        value_name = "N",
        value_parser = count,
        allow_negative_numbers = true,
        help_heading = "Overrides"
    )]
    pub users: Option<u64>,

    /// Users started per second
    #[arg(short = 'r', long, value_name = "RATE", value_parser = rate, help_heading = "Overrides")]
    pub spawn_rate: Option<f64>,

    /// Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape
    #[arg(short, long, value_name = "TIME", value_parser = test_seconds, help_heading = "Overrides")]
    pub test_time: Option<f64>,

    /// Start this many iterations per second, however slow the target is (arrival_rate)
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Overrides")]
    pub rate: Option<f64>,

    /// Base of the relative URLs of tasks (host)
    #[arg(long, value_name = "URL", help_heading = "Overrides")]
    pub target: Option<String>,

    /// Set the variable ${var.NAME} (repeatable); takes precedence over the document's
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment, help_heading = "Overrides")]
    pub var: Vec<(String, String)>,

    /// Fail unless the figures meet this rule (repeatable): latency_p95<200ms, failure_rate<1%,
    /// failure_rate(NAME)<1%, requests>=1000, achieved_rate>=190, dropped_iterations<1%
    #[arg(long, value_name = "RULE", help_heading = "Overrides")]
    pub gate: Vec<String>,

    /// Write a report when the document has ended, whatever became of it (repeatable): html, json, xml,
    /// csv, junit, summary, github, sarif, or db for a run in an SQLite file (only `run`)
    #[arg(long, value_name = "FORMAT=FILE", help_heading = "Overrides")]
    pub report: Vec<String>,

    /// Seed of random choices: tasks by weight, waits, generated data
    #[arg(long, value_name = "N", help_heading = "Overrides")]
    pub seed: Option<u64>,

    /// The part of the tests in a cluster.
    #[command(flatten)]
    pub cluster: Cluster,
}
