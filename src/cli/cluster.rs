//! The options of `run` and `send` that make a test part of a cluster, named as Locust's are.

use clap::Args;

/// The part of a test in a cluster.
#[derive(Args, Debug, Default)]
pub struct Cluster {
    /// Take users from a Locust master instead of the document: its own, LoadDensity's or ldctl's
    #[arg(long, conflicts_with_all = ["users", "spawn_rate", "rate"], help_heading = "Cluster")]
    pub worker: bool,

    /// Host of the master [default: 127.0.0.1]
    #[arg(long, value_name = "HOST", requires = "worker", help_heading = "Cluster")]
    pub master_host: Option<String>,

    /// Port of the master [default: 5557]
    #[arg(
        long,
        value_name = "PORT",
        value_parser = clap::value_parser!(u16).range(1..),
        requires = "worker",
        help_heading = "Cluster"
    )]
    pub master_port: Option<u16>,
}
