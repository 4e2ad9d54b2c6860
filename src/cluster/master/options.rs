//! What a master is told of its workers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::memory::Memory;

/// The workers of a master.
#[derive(Debug, Clone)]
pub struct MasterOptions {
    /// The host that it listens on; `*` is every address.
    pub bind_host: String,
    /// The port that it listens on.
    pub bind_port: u16,
    /// The addresses beyond loopback that it may listen on.
    pub listen: Vec<IpAddr>,
    /// The networks of workers; everybody's if empty.
    pub allowed: Vec<IpNet>,
    /// How many workers the test waits for; at least one.
    pub expected: u64,
    /// How long it waits for them.
    pub startup_timeout: Duration,
    /// Whether it starts with fewer when that is over.
    pub degraded: bool,
    /// How long a worker may be silent before its users go to others.
    pub lost_after: Duration,
    /// The class of users, which Python's workers must have.
    pub class: String,
    /// The base of relative URLs, for workers whose own tasks name none.
    pub host: Option<String>,
    /// The ceiling for what workers make the process hold.
    pub memory: Arc<Memory>,
}
