//! The options of `run` and `send` that make a test part of a cluster, named as Locust's are.

use clap::Args;

use super::values::{count, own_port, port};

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
        value_parser = port,
        requires = "worker",
        help_heading = "Cluster"
    )]
    pub master_port: Option<u16>,

    /// Deal the users of the document out to workers that connect, instead of running them here
    #[arg(long, conflicts_with = "worker", help_heading = "Cluster")]
    pub master: bool,

    /// How many workers the test waits for [default: 1]
    #[arg(
        long,
        value_name = "N",
        value_parser = count,
        requires = "master",
        help_heading = "Cluster"
    )]
    pub expect_workers: Option<u64>,

    /// Address on which workers are awaited; * is every one. They are not authenticated
    /// [default: 127.0.0.1; with --fan-out the one that the servers reach]
    #[arg(long, value_name = "HOST", help_heading = "Cluster")]
    pub master_bind_host: Option<String>,

    /// Port on which workers are awaited [default: 5557]
    #[arg(long, value_name = "PORT", value_parser = own_port, help_heading = "Cluster")]
    pub master_bind_port: Option<u16>,
}
